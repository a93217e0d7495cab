/* must.c - the end of a process that has met a bug: one line to stderr, then abort().
 *
 * Nothing is allocated and no lock is taken on the way.
 */
#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static _Thread_local const char *context_job;
static _Thread_local uint64_t context_epoch;

void must_context(const char *job, uint64_t epoch)
{
    context_job = job;
    context_epoch = epoch;
}

void must_failed(const char *file, int line, const char *condition)
{
    char text[1024];
    int length;
    if (context_job)
        length = snprintf(text, sizeof(text),
                          "leat: bug: %s:%d: must(%s) is not true (job %s, epoch %llu)\n", file,
                          line, condition, context_job, (unsigned long long)context_epoch);
    else
        length = snprintf(text, sizeof(text), "leat: bug: %s:%d: must(%s) is not true\n", file,
                          line, condition);
    if (length >= (int)sizeof(text)) {
        length = (int)sizeof(text);
        text[length - 1] = '\n';
    }
    if (length > 0 && write(STDERR_FILENO, text, (size_t)length) < 0)
        _exit(134);
    abort();
}
