/* logger.c - one write(2) per line to stderr. The level is an atomic, a line is one call, and
 * the kernel keeps short writes whole: no lock. */
#include "os/logger.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "os/io.h"

#define TEXT_BYTES_MAX 2048
#define LINE_BYTES_MAX (TEXT_BYTES_MAX * 4 + 128) /* every byte escaped */

static _Atomic int least_level = LOG_INFO;

void logger_set_level(enum log_level level)
{
    atomic_store(&least_level, (int)level);
}

void logger_write(enum log_level level, const char *room, const char *fmt, ...)
{
    if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed))
        return;
    char text[TEXT_BYTES_MAX];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    struct buf line;
    buf_init(&line, LINE_BYTES_MAX);
    logline_append(&line, io_wall_us(io_real()), level, room, text);
    const char *bytes = line.failed ? text : (const char *)line.data;
    size_t length = line.failed ? strnlen(text, sizeof(text)) : line.length;
    ssize_t put = write(STDERR_FILENO, bytes, length);
    (void)put; /* where else could a failing log be told? */
    buf_fini(&line);
}
