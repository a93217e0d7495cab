/* error.h - what failed, where, why, and what to do.
 *
 * `struct error *err` is the last parameter of whatever can fail. It is plain memory of the caller
 * (zero-initialised), owns nothing, and may be NULL where a caller wants the code alone. The first
 * error stays: setting an error twice keeps the first text unless error_clear() was called.
 *
 * Three kinds never mix (style.md 11): bad input travels per row (expr/, plugin/format.h),
 * operating errors travel here, bugs end in must().
 */
#ifndef LEAT_BASE_ERROR_H
#define LEAT_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

#define ERROR_TEXT_MAX 768
#define ERROR_HINT_MAX 256

/* A place in a SQL text. line 0 = no place known. Lines and columns count from 1, columns in
 * characters; offset and length in bytes, for the caret line. */
struct source_pos {
    uint32_t line;
    uint32_t column;
    uint32_t offset;
    uint32_t length;
};

struct error {
    enum status code;
    bool retriable; /* the same call may succeed later; set by connectors, read by the supervisor */
    bool fatal;     /* no restart helps */
    struct source_pos pos;
    char text[ERROR_TEXT_MAX]; /* what and why, one sentence or two, no trailing newline */
    char hint[ERROR_HINT_MAX]; /* what to do; may be empty */
};

/* Set err (if not NULL and not set yet) and return code, so that `return error_set(err, ERR_IO,
 * ...)` reads well. Text longer than the field is cut with "...". */
enum status error_set(struct error *err, enum status code, const char *fmt, ...) PRINTF_LIKE(3, 4);
enum status error_vset(struct error *err, enum status code, const char *fmt, va_list args);

/* As error_set with ": " and the text of errno_value appended; the code is chosen from errno_value
 * (ENOSPC and EDQUOT: ERR_DISK_FULL, EACCES, EPERM and EROFS: ERR_ACCESS, ENOENT: ERR_NOT_FOUND,
 * ENOMEM: ERR_MEMORY, else ERR_IO). */
enum status error_errno(struct error *err, int errno_value, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The error of a failed allocation of size bytes for `what`. Returns ERR_MEMORY. */
enum status error_memory(struct error *err, const char *what, uint64_t size_bytes);

void error_hint(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
void error_at(struct error *err, struct source_pos pos);

/* Put "what: " before the text, e.g. the table or file that the caller knows. */
void error_prefix(struct error *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
void error_clear(struct error *err);

#endif
