/* must.h - the check for bugs, on in release builds too.
 *
 * must(cond) prints file, line, condition and the context that the thread has set (job, epoch),
 * then aborts. It never judges input: a row, packet or file that makes it fire is a bug of leat.
 */
#ifndef LEAT_BASE_MUST_H
#define LEAT_BASE_MUST_H

#include <stdint.h>

/* Context of this thread for the message; job must stay valid while set, NULL clears it. */
void must_context(const char *job, uint64_t epoch);

_Noreturn void must_failed(const char *file, int line, const char *condition);

#define must(cond)                                                                                 \
    do {                                                                                           \
        if (__builtin_expect(!(cond), 0))                                                          \
            must_failed(__FILE__, __LINE__, #cond);                                                \
    } while (0)

#define COUNT_OF(array)                 (sizeof(array) / sizeof((array)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#endif
