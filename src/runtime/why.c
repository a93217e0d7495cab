/* why.c - "why is there no output?" in a sentence or two: looks from the sinks up, and says the
 * first thing that holds rows back. Each operator knows its own reason (class->why); here is the
 * order in which they are asked.
 */
#include "runtime/runtime_int.h"

#define RECENT_US  (2 * US_PER_SECOND)
#define HELD_UP_US US_PER_SECOND

static bool ask(struct operator_host *host, struct buf *out)
{
    if (host->task->closed || !host->op.class->why)
        return false;
    return host->op.class->why(&host->op, out);
}

static bool is_output(const struct operator_host *host)
{
    return host->op.node->op == PLAN_SINK || host->op.node->op == PLAN_COLLECT;
}

/* Operators that hold a pending call are waiting for something outside: a target, the reader. */
static bool ask_where(struct job *job, struct buf *out,
                      bool (*matches)(const struct operator_host *))
{
    for (uint32_t t = job->task_count; t-- > 0;) {
        struct task *task = &job->tasks[t];
        bool said = false;
        mutex_lock(&task->step_lock);
        for (uint32_t h = task->host_count; h-- > 0 && !said;)
            if (matches(&task->hosts[h]))
                said = ask(&task->hosts[h], out);
        mutex_unlock(&task->step_lock);
        if (said)
            return true;
    }
    return false;
}

static bool waits_outside(const struct operator_host *host)
{
    return host->pending != PENDING_NONE && is_output(host);
}

static bool holds_rows(const struct operator_host *host)
{
    return !host->has_poll && !is_output(host);
}

static bool is_source(const struct operator_host *host)
{
    return host->has_poll && !host->poll_ended;
}

void job_end_why(const struct job_status *status, struct buf *out)
{
    switch (status->state) {
    case JOB_FAILED:
        buf_printf(out, "The job failed: %s.", status->error.text);
        if (status->error.hint[0])
            buf_printf(out, " %s.", status->error.hint);
        break;
    case JOB_FINISHED:
        buf_printf(out,
                   "The job has finished: its input ended after %llu rows, %llu rows were "
                   "written.",
                   (unsigned long long)status->rows_read, (unsigned long long)status->rows_written);
        break;
    default:
        buf_printf(out, "The job is %s.", job_state_name(status->state));
    }
}

bool job_held_up(struct job *job, struct buf *out)
{
    struct job_status status;
    job_status(job, &status);
    int64_t now_us = io_wall_us(job->runtime->settings.io);
    return !job_state_is_final(status.state) && status.last_output_us &&
           now_us - status.last_output_us >= HELD_UP_US &&
           (commits_why(job, out) || ask_where(job, out, is_output));
}

void job_why(struct job *job, struct buf *out)
{
    struct job_status status;
    job_status(job, &status);
    if (job_state_is_final(status.state)) {
        job_end_why(&status, out);
        return;
    }
    int64_t now_us = io_wall_us(job->runtime->settings.io);
    if (commits_why(job, out) || ask_where(job, out, waits_outside))
        return;
    if (status.last_output_us && now_us - status.last_output_us < RECENT_US) {
        buf_printf(out, "Output is flowing: %llu rows so far.",
                   (unsigned long long)status.rows_written);
        return;
    }
    if (ask_where(job, out, holds_rows) || ask_where(job, out, is_source))
        return;
    if (status.rows_read == 0)
        buf_append_text(out, "The sources have given no row yet.");
    else if (status.rows_written == 0)
        buf_printf(out,
                   "%llu rows were read, and none has come through the query: check its conditions "
                   "and join keys.",
                   (unsigned long long)status.rows_read);
    else
        buf_printf(out,
                   "All %llu rows that were read have been worked through; nothing new has "
                   "come for %lld s.",
                   (unsigned long long)status.rows_read,
                   (long long)((now_us - status.last_output_us) / US_PER_SECOND));
}
