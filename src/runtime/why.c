/* why.c - "why is there no output?" in a sentence or two: QUESTIONS in their order, the first
 * answer counts. Those of event time are in why_time.c.
 */
#include "runtime/why_int.h"

#include "base/calendar.h"

#define HELD_UP_US         US_PER_SECOND
#define SLOW_CHECKPOINT_US (10 * US_PER_SECOND)

/* ---- words ---- */

void why_duration(struct buf *out, int64_t us)
{
    static const struct {
        int64_t seconds;
        const char *one, *many;
    } units[] = {{31557600, "year", "years"},
                 {86400, "day", "days"},
                 {3600, "h", "h"},
                 {60, "min", "min"},
                 {1, "s", "s"}};
    int64_t seconds = us / US_PER_SECOND;
    uint32_t at = 0;
    while (at < COUNT_OF(units) - 1 && seconds < units[at].seconds)
        at++;
    int64_t count = seconds / units[at].seconds, rest = seconds % units[at].seconds;
    buf_printf(out, "%lld %s", (long long)count, count == 1 ? units[at].one : units[at].many);
    if (at == 0 || at == COUNT_OF(units) - 1 || count >= 10)
        return;
    int64_t finer = rest / units[at + 1].seconds;
    if (finer)
        buf_printf(out, " %lld %s", (long long)finer,
                   finer == 1 ? units[at + 1].one : units[at + 1].many);
}

static const struct zone *zone_of(const struct job *job)
{
    return job->own_zone ? job->own_zone : job->request.context->zone;
}

void why_time(const struct why *why, int64_t time_us, bool is_ltz)
{
    char text[40];
    int64_t local_us = is_ltz ? zone_utc_to_local(zone_of(why->job), time_us) : time_us;
    unsigned precision = local_us % US_PER_SECOND ? 3 : 0;
    buf_append(why->out, text, calendar_format_timestamp(text, local_us, precision));
}

void why_since(const struct why *why, int64_t wall_us)
{
    buf_append_text(why->out, "since ");
    why_time(why, wall_us / US_PER_SECOND * US_PER_SECOND, true);
    buf_append_text(why->out, " (");
    why_duration(why->out, why->now_us - wall_us);
    buf_append_text(why->out, ")");
}

void why_rows(struct buf *out, int64_t count)
{
    buf_printf(out, "%lld row%s", (long long)count, count == 1 ? "" : "s");
}

/* ---- looking ---- */

bool why_reaches(const struct plan_node *user, const struct plan_node *node)
{
    if (user == node)
        return true;
    for (uint32_t i = 0; i < user->input_count && user->id > node->id; i++)
        if (why_reaches(user->inputs[i], node))
            return true;
    return false;
}

static bool is_output(const struct operator_host *host)
{
    return host->op.node->op == PLAN_SINK || host->op.node->op == PLAN_COLLECT;
}

static bool ask(const struct why *why, struct operator_host *host)
{
    mutex_lock(&host->task->step_lock);
    bool said =
        !host->task->closed && host->op.class->why && host->op.class->why(&host->op, why->out);
    mutex_unlock(&host->task->step_lock);
    return said;
}

/* A call that has answered PUSH_FULL waits for something outside: a target, the reader. */
static bool is_pending(struct operator_host *host)
{
    mutex_lock(&host->task->step_lock);
    bool pending = !host->task->closed && host->pending != PENDING_NONE;
    mutex_unlock(&host->task->step_lock);
    return pending;
}

bool why_rejects(const struct why *why, const struct plan_node *node, struct rejects *out)
{
    int64_t rejected_us = 0;
    *out = (struct rejects){0};
    WHY_EACH_HOST(why, host)
    {
        const struct operator_metrics *metrics = &host->op.metrics;
        if (host->op.node != node)
            continue;
        out->rows_in += metric_get(&metrics->records_in);
        out->rows_out += metric_get(&metrics->records_out);
        out->late += metric_get(&metrics->late_dropped);
        out->accepted_us = why_later(out->accepted_us, metric_get(&metrics->last_accept_us));
        rejected_us = why_later(rejected_us, metric_get(&metrics->last_reject_us));
    }
    bool goes_on = why->now_us - rejected_us < SILENT_US;
    return rejected_us > out->accepted_us &&
           (!out->accepted_us || (goes_on && why->now_us - out->accepted_us >= RECENT_US));
}

/* ---- questions ---- */

static void say_not_taken(const struct why *why, const struct operator_host *host)
{
    int64_t rows = metric_get(&host->op.metrics.buffered_rows);
    int64_t since_us = metric_get(&host->op.metrics.oldest_row_us);
    const struct checkpoint_report *now = &why->status.checkpoints.now;
    struct buf *out = why->out;
    buf_printf(out, "Table %s (connector '%s') has not ", host->op.node->sink.table->name,
               host->op.node->sink.connector->name);
    if (rows && since_us) {
        buf_append_text(out, "taken ");
        why_rows(out, rows);
        buf_append_text(out, " ");
        why_since(why, since_us);
    } else {
        buf_append_text(out, "made its rows durable ");
        if (now->epoch) {
            buf_printf(out, "for checkpoint %llu ", (unsigned long long)now->epoch);
            why_since(why, now->begun_us);
        } else {
            buf_append_text(out, "yet");
        }
    }
    buf_append_text(out, ".");
}

/* What the target says itself, else a writer that does not take rows, else one that flushes. */
static enum answer sink_blocked(struct why *why)
{
    const struct operator_host *waits = NULL;
    WHY_EACH_HOST(why, host)
    {
        if (is_output(host) && ask(why, host))
            return ANSWER_TROUBLE;
        if (host->op.node->op != PLAN_SINK || !is_pending(host))
            continue;
        if (!waits || metric_get(&host->op.metrics.buffered_rows))
            waits = host;
    }
    if (!waits)
        return ANSWER_NONE;
    say_not_taken(why, waits);
    return ANSWER_TROUBLE;
}

/* Rows of finished checkpoints on their way into the target of an exactly-once sink. */
static enum answer commit_fails(struct why *why)
{
    return commits_why(why->job, why->out) ? ANSWER_TROUBLE : ANSWER_NONE;
}

static enum answer checkpoint_fails(struct why *why)
{
    const struct checkpoint_statistics *status = &why->status.checkpoints;
    if (status->error.code == OK || status->error.code == ERR_AGAIN)
        return ANSWER_NONE;
    buf_printf(why->out, "The last checkpoint failed and is tried again: %s.", status->error.text);
    if (status->error.hint[0])
        buf_printf(why->out, " %s.", status->error.hint);
    return ANSWER_TROUBLE;
}

static enum answer source_fails(struct why *why)
{
    WHY_EACH_HOST(why, host)
    {
        if (host->op.node->op == PLAN_SOURCE && ask(why, host))
            return ANSWER_TROUBLE;
    }
    return ANSWER_NONE;
}

static enum answer flows(struct why *why)
{
    if (!why->status.last_output_us || why->now_us - why->status.last_output_us >= RECENT_US)
        return ANSWER_NONE;
    buf_printf(why->out, "Output is flowing: %llu rows so far.",
               (unsigned long long)why->status.rows_written);
    return ANSWER_CALM;
}

/* Rows wait for the end of the input. */
static enum answer rows_kept(struct why *why)
{
    WHY_EACH_HOST(why, host)
    {
        if (host->op.node->op != PLAN_SOURCE && !is_output(host) && ask(why, host))
            return ANSWER_CALM;
    }
    return ANSWER_NONE;
}

static enum answer condition_rejects(struct why *why)
{
    const struct plan *plan = why->job->request.plan;
    struct rejects rejects;
    for (uint32_t n = plan->node_count; n-- > 0;) {
        const struct plan_node *node = plan->nodes[n];
        if (node->op != PLAN_CALC || !node->calc.condition)
            continue;
        if (!why_rejects(why, node, &rejects))
            continue;
        buf_append_text(why->out, "No row has met the condition ");
        expr_format(why->out, node->calc.condition, node->inputs[0]->names);
        if (rejects.accepted_us) {
            buf_append_text(why->out, " ");
            why_since(why, rejects.accepted_us);
        }
        buf_append_text(why->out, ": it has turned away ");
        if (rejects.rows_out)
            buf_printf(why->out, "%lld of ", (long long)(rejects.rows_in - rejects.rows_out));
        why_rows(why->out, rejects.rows_in);
        buf_append_text(why->out, ".");
        return ANSWER_CALM;
    }
    return ANSWER_NONE;
}

static enum answer nothing_comes_through(struct why *why)
{
    unsigned long long rows_read = why->status.rows_read;
    if (rows_read == 0)
        buf_append_text(why->out, "The sources have given no row yet.");
    else if (why->status.rows_written == 0)
        buf_printf(why->out,
                   "%llu rows were read, and none has come through the query: check its conditions "
                   "and join keys.",
                   rows_read);
    else
        buf_printf(why->out,
                   "All %llu rows that were read have been worked through; nothing new has "
                   "come for %lld s.",
                   rows_read,
                   (long long)((why->now_us - why->status.last_output_us) / US_PER_SECOND));
    return ANSWER_CALM;
}

static enum answer (*const QUESTIONS[])(struct why *why) = {
    commit_fails,
    sink_blocked,
    checkpoint_fails,
    source_fails,
    flows,
    why_late,
    why_waits,
    rows_kept,
    condition_rejects,
    why_no_rows,
    nothing_comes_through,
};

static enum answer ask_all(struct why *why)
{
    enum answer answer = ANSWER_NONE;
    for (size_t i = 0; answer == ANSWER_NONE; i++)
        answer = QUESTIONS[i](why);
    return answer;
}

static void look(struct job *job, struct why *why, struct buf *out)
{
    struct io *io = job->runtime->settings.io;
    *why = (struct why){.job = job, .out = out};
    job_status(job, &why->status);
    why->now_us = io_wall_us(io);
    why->steady_us = io_monotonic_us(io);
}

/* ---- the door ---- */

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

void job_why(struct job *job, struct buf *out)
{
    struct why why;
    look(job, &why, out);
    if (job_state_is_final(why.status.state))
        job_end_why(&why.status, out);
    else
        ask_all(&why);
}

bool job_held_up(struct job *job, struct buf *out)
{
    struct why why;
    size_t before = out->length;
    look(job, &why, out);
    if (job_state_is_final(why.status.state) || !why.status.last_output_us ||
        why.now_us - why.status.last_output_us < HELD_UP_US)
        return false;
    bool held_up = ask_all(&why) == ANSWER_TROUBLE;
    if (!held_up)
        out->length = before;
    return held_up;
}
