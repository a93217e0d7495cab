/* error.c - filling struct error. Texts are cut at a character border, never past their field. */
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"

/* Mark a text that vsnprintf cut with "...", leaving no half UTF-8 character before it. */
static void mark_cut(char *text, size_t size_bytes, int wanted)
{
    if (wanted >= 0 && (size_t)wanted < size_bytes)
        return;
    size_t end = size_bytes - 4;
    while (end > 0 && ((unsigned char)text[end] & 0xC0) == 0x80)
        end--;
    memcpy(text + end, "...", 4);
}

static void fill(char *text, size_t size_bytes, const char *fmt, va_list args)
{
    int wanted = vsnprintf(text, size_bytes, fmt, args);
    mark_cut(text, size_bytes, wanted);
}

enum status error_vset(struct error *err, enum status code, const char *fmt, va_list args)
{
    must(code != OK);
    if (!err || err->code != OK)
        return code;
    err->code = code;
    fill(err->text, sizeof(err->text), fmt, args);
    return code;
}

enum status error_set(struct error *err, enum status code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    error_vset(err, code, fmt, args);
    va_end(args);
    return code;
}

static enum status code_of_errno(int errno_value)
{
    switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
        return ERR_DISK_FULL;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_ACCESS;
    case ENOENT:
        return ERR_NOT_FOUND;
    case EEXIST:
        return ERR_EXISTS;
    case ENOMEM:
        return ERR_MEMORY;
    default:
        return ERR_IO;
    }
}

enum status error_errno(struct error *err, int errno_value, const char *fmt, ...)
{
    enum status code = code_of_errno(errno_value);
    if (!err || err->code != OK)
        return code;
    char reason[128];
    const char *text = strerror_r(errno_value, reason, sizeof(reason));
    va_list args;
    va_start(args, fmt);
    error_vset(err, code, fmt, args);
    va_end(args);
    size_t length = strlen(err->text);
    int wanted = snprintf(err->text + length, sizeof(err->text) - length, ": %s", text);
    mark_cut(err->text, sizeof(err->text), wanted < 0 ? wanted : (int)length + wanted);
    return code;
}

enum status error_memory(struct error *err, const char *what, uint64_t size_bytes)
{
    return error_set(err, ERR_MEMORY, "no memory for %s (%llu bytes)", what,
                     (unsigned long long)size_bytes);
}

void error_hint(struct error *err, const char *fmt, ...)
{
    if (!err)
        return;
    va_list args;
    va_start(args, fmt);
    fill(err->hint, sizeof(err->hint), fmt, args);
    va_end(args);
}

void error_at(struct error *err, struct source_pos pos)
{
    if (err && err->pos.line == 0)
        err->pos = pos;
}

void error_prefix(struct error *err, const char *fmt, ...)
{
    if (!err || err->code == OK)
        return;
    char old[ERROR_TEXT_MAX];
    memcpy(old, err->text, sizeof(old));
    va_list args;
    va_start(args, fmt);
    fill(err->text, sizeof(err->text), fmt, args);
    va_end(args);
    size_t length = strlen(err->text);
    int wanted = snprintf(err->text + length, sizeof(err->text) - length, ": %s", old);
    mark_cut(err->text, sizeof(err->text), wanted < 0 ? wanted : (int)length + wanted);
}

void error_clear(struct error *err)
{
    if (!err)
        return;
    err->code = OK;
    err->retriable = err->fatal = false;
    err->pos = (struct source_pos){0};
    err->text[0] = err->hint[0] = '\0';
}
