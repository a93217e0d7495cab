/* why_int.h - shared by why.c (the order of questions, targets, sources) and why_time.c
 * (watermarks, windows, late rows).
 *
 * Each question looks at the job as it is now and answers with a sentence or with nothing; the
 * first answer is the reason. What one thread writes is read from metrics (atomic cells), or under
 * the step lock of its task.
 */
#ifndef LEAT_RUNTIME_WHY_INT_H
#define LEAT_RUNTIME_WHY_INT_H

#include "runtime/runtime_int.h"

#define RECENT_US (2 * US_PER_SECOND) /* what is younger counts as going on */
/* Silence after which a split that holds others back is trouble, told to those who did not ask. */
#define SILENT_US (10 * US_PER_SECOND)

enum answer {
    ANSWER_NONE,
    ANSWER_CALM,    /* a reason, as it happens when all is well: the window is not over */
    ANSWER_TROUBLE, /* something to be mended */
};

struct why {
    struct job *job;
    struct job_status status;
    int64_t now_us, steady_us; /* wall, monotonic */
    struct buf *out;
};

static inline int64_t why_later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* why.c */
void why_duration(struct buf *out, int64_t us); /* "35 s", "1 min 50 s", "73 years" */
/* "2024-01-01 00:05:00": event time of rows whose time attribute is TIMESTAMP_LTZ, or not. */
void why_time(const struct why *why, int64_t time_us, bool is_ltz);
/* "since 2024-01-01 00:05:00 (35 s)" of a wall time. */
void why_since(const struct why *why, int64_t wall_us);
void why_rows(struct buf *out, int64_t count); /* "1 row", "240 rows" */
/* Each operator, users before inputs. */
#define WHY_EACH_HOST(why, host)                                                                   \
    for (uint32_t t_ = (why)->job->task_count; t_-- > 0;)                                          \
        for (struct operator_host *host =                                                          \
                 (why)->job->tasks[t_].hosts + (why)->job->tasks[t_].host_count;                   \
             host-- > (why)->job->tasks[t_].hosts;)
/* What all subtasks of the node have turned away and let in. False: the last one was let in, or
 * that is not the reason. */
struct rejects {
    int64_t rows_in, rows_out, late;
    int64_t accepted_us; /* wall, the last one; 0: none ever was */
};
bool why_rejects(const struct why *why, const struct plan_node *node, struct rejects *out);
/* node is among what flows into user, or is user itself. */
bool why_reaches(const struct plan_node *user, const struct plan_node *node);

/* why_time.c */
enum answer why_late(struct why *why);
enum answer why_waits(struct why *why);
enum answer why_no_rows(struct why *why);

#endif
