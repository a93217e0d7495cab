/* status.h - the result of everything that can fail.
 *
 * One table gives codes, names and the short texts used when a caller adds none. A function that
 * can fail returns `enum status`, marked STATUS_CHECKED; the details travel in `struct error`
 * (error.h).
 */
#ifndef LEAT_BASE_STATUS_H
#define LEAT_BASE_STATUS_H

/* X(code, text) */
#define STATUS_TABLE(X)                                                                            \
    X(OK, "ok")                                                                                    \
    X(ERR_MEMORY, "the operating system gave no memory")                                           \
    X(ERR_BUDGET, "the memory limit is reached")                                                   \
    X(ERR_LIMIT, "a stated limit is reached")                                                      \
    X(ERR_USAGE, "wrong usage")                                                                    \
    X(ERR_SYNTAX, "syntax error")                                                                  \
    X(ERR_NAME, "unknown name")                                                                    \
    X(ERR_TYPE, "wrong type")                                                                      \
    X(ERR_OPTION, "wrong option")                                                                  \
    X(ERR_UNSUPPORTED, "not supported")                                                            \
    X(ERR_DATA, "bad data")                                                                        \
    X(ERR_RANGE, "value out of range")                                                             \
    X(ERR_CORRUPT, "stored data is damaged")                                                       \
    X(ERR_IO, "input/output error")                                                                \
    X(ERR_DISK_FULL, "no space left")                                                              \
    X(ERR_NOT_FOUND, "not found")                                                                  \
    X(ERR_EXISTS, "exists already")                                                                \
    X(ERR_ACCESS, "not allowed")                                                                   \
    X(ERR_LOCKED, "locked by another")                                                             \
    X(ERR_AGAIN, "try again")                                                                      \
    X(ERR_TIMEOUT, "timed out")                                                                    \
    X(ERR_RESET, "the target was emptied")                                                         \
    X(ERR_CLOSED, "closed")                                                                        \
    X(ERR_CANCELLED, "cancelled")                                                                  \
    X(ERR_SEQUENCE, "out of order")                                                                \
    X(ERR_FENCED, "a newer one has taken over")                                                    \
    X(ERR_TRANSACTION, "not in this state of its transaction")                                     \
    X(ERR_END, "end of input")

enum status {
#define X(code, text) code,
    STATUS_TABLE(X)
#undef X
        STATUS_COUNT
};

#define STATUS_CHECKED         __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* The enumerator's own name ("ERR_IO"), for logs and tests. Never NULL. */
const char *status_name(enum status status);

/* The short text of the table. Never NULL. */
const char *status_text(enum status status);

/* Pass a failure on: `TRY(batch_append(...));`. Only where nothing is owned; otherwise `goto out`.
 */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        enum status try_status_ = (call);                                                          \
        if (__builtin_expect(try_status_ != OK, 0))                                                \
            return try_status_;                                                                    \
    } while (0)

#endif
