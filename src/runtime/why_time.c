/* why_time.c - reasons of event time: rows that came too late, results that wait for the watermark
 * and what holds that back, sources that are silent.
 *
 * The watermark of an operator is the lowest of all splits that flow into it, whatever the
 * parallelism, but for those that are idle or have ended: so the split with the lowest one is the
 * one that holds it back.
 */
#include "runtime/why_int.h"

#include <stdio.h>

/* What is ahead of the clock by more counts as future; a TIMESTAMP may be of any zone. */
#define FUTURE_LTZ_US (60 * US_PER_SECOND)
#define FUTURE_US     (26 * 3600 * US_PER_SECOND)
#define SPLITS_NAMED  3
#define SOURCES_TOLD  4

/* ---- the splits that flow into a node ---- */

struct splits {
    uint32_t count, active, idle, ended;
    const struct plan_node *source; /* of `lowest`, else of any */
    char lowest_id[SPLIT_ID_MAX];
    struct split_report lowest; /* of the active ones; its id is lowest_id */
    int64_t highest_us;         /* watermark among the active ones */
    int64_t last_row_us;        /* monotonic, of all; 0: none has given any */
};

static void add_split(struct splits *all, const struct plan_node *source,
                      const struct split_report *split)
{
    all->count++;
    all->idle += split->idle && !split->ended;
    all->ended += split->ended;
    if (!all->source)
        all->source = source;
    if (split->row_count)
        all->last_row_us = why_later(all->last_row_us, split->last_row_us);
    if (split->idle || split->ended)
        return;
    if (!all->active++ || split->watermark_us < all->lowest.watermark_us ||
        (split->watermark_us == all->lowest.watermark_us &&
         split->last_row_us < all->lowest.last_row_us)) {
        snprintf(all->lowest_id, sizeof(all->lowest_id), "%s", split->id);
        all->lowest = *split;
        all->lowest.id = all->lowest_id;
        all->source = source;
    }
    all->highest_us = why_later(all->highest_us, split->watermark_us);
}

/* Of all sources that `user` reads; timed: of those with a watermark only. */
static void splits_look(struct why *why, const struct plan_node *user, bool timed,
                        struct splits *all)
{
    *all = (struct splits){.highest_us = WATERMARK_NONE};
    WHY_EACH_HOST(why, host)
    {
        struct split_report split;
        if (host->op.node->op != PLAN_SOURCE || !why_reaches(user, host->op.node) ||
            (timed && !host->op.node->source.watermark))
            continue;
        mutex_lock(&host->task->step_lock);
        for (uint32_t i = 0; !host->task->closed && host->op.class->split(&host->op, i, &split);
             i++)
            add_split(all, host->op.node, &split);
        mutex_unlock(&host->task->step_lock);
    }
}

/* ---- words ---- */

static bool is_ltz(const struct plan_node *source)
{
    int32_t column = source->source.rowtime_column;
    return column >= 0 && source->types[column]->root == TYPE_TIMESTAMP_LTZ;
}

static const char *time_column(const struct plan_node *source)
{
    int32_t column = source->source.rowtime_column;
    return column >= 0 ? source->names[column] : "of the time";
}

static const char *table_of(const struct plan_node *source)
{
    return source->source.table->name;
}

static int64_t wall_of(const struct why *why, int64_t monotonic_us)
{
    return why->now_us - (why->steady_us - monotonic_us);
}

/* "given no row since 12:00:03 (35 s)" */
static void say_silence(const struct why *why, uint64_t row_count, int64_t last_row_us)
{
    buf_append_text(why->out, row_count ? "given no row " : "given no row at all ");
    why_since(why, row_count ? wall_of(why, last_row_us) : why->status.started_us);
}

static void say_watermark(const struct why *why, const struct plan_node *source,
                          int64_t watermark_us)
{
    if (watermark_us == WATERMARK_NONE) {
        buf_append_text(why->out, "there is no watermark yet");
        return;
    }
    buf_append_text(why->out, "the watermark is at ");
    why_time(why, watermark_us, is_ltz(source));
}

/* How far an event time is ahead of the clock; 0: not so far that it is a mistake. */
static int64_t future_us(const struct why *why, const struct plan_node *source, int64_t time_us)
{
    int64_t tolerance_us = is_ltz(source) ? FUTURE_LTZ_US : FUTURE_US;
    return time_us != WATERMARK_MAX && time_us - tolerance_us > why->now_us ? time_us - why->now_us
                                                                            : 0;
}

static void say_future(const struct why *why, const struct plan_node *source, int64_t ahead_us)
{
    buf_append_text(why->out, ", ");
    why_duration(why->out, ahead_us);
    buf_printf(why->out,
               " ahead of the clock: column %s of table %s has had a time in the future, or one of "
               "another unit (seconds for milliseconds)",
               time_column(source), table_of(source));
}

/* ---- rows that came too late ---- */

enum answer why_late(struct why *why)
{
    const struct plan *plan = why->job->request.plan;
    struct rejects late;
    struct splits splits;
    uint32_t n = plan->node_count;
    while (n > 0 &&
           (plan->nodes[n - 1]->op == PLAN_CALC || !why_rejects(why, plan->nodes[n - 1], &late)))
        n--;
    if (n == 0)
        return ANSWER_NONE;
    splits_look(why, plan->nodes[n - 1], true, &splits);
    if (!splits.source)
        return ANSWER_NONE;
    buf_append_text(why->out, "All rows ");
    if (late.accepted_us) {
        why_since(why, late.accepted_us);
        buf_append_text(why->out, " ");
    }
    buf_printf(why->out, "came too late for their window and were dropped, %lld so far: ",
               (long long)late.late);
    say_watermark(why, splits.source, splits.lowest.watermark_us);
    int64_t ahead_us = future_us(why, splits.source, splits.lowest.watermark_us);
    if (ahead_us) {
        say_future(why, splits.source, ahead_us);
        buf_append_text(why->out, ".");
        return ANSWER_TROUBLE;
    }
    buf_printf(why->out,
               " already. A larger delay in WATERMARK FOR %s of table %s waits for such rows.",
               time_column(splits.source), table_of(splits.source));
    return ANSWER_TROUBLE;
}

/* ---- rows that wait for the watermark ---- */

struct waiting {
    const struct plan_node *node;
    int64_t rows, timer_us, watermark_us;
};

/* The last operator of the plan in which rows wait for an event time. */
static bool look_for_waiting(struct why *why, struct waiting *out)
{
    *out = (struct waiting){.timer_us = WATERMARK_MAX};
    WHY_EACH_HOST(why, host)
    {
        const struct operator_metrics *metrics = &host->op.metrics;
        int64_t timer_us = metric_get(&metrics->next_timer_us);
        if (timer_us == WATERMARK_MAX || (out->node && out->node->id > host->op.node->id))
            continue;
        if (out->node != host->op.node)
            *out = (struct waiting){.node = host->op.node, .timer_us = WATERMARK_MAX};
        out->rows += metric_get(&metrics->buffered_rows);
        if (timer_us < out->timer_us) {
            out->timer_us = timer_us;
            out->watermark_us = metric_get(&metrics->watermark_us);
        }
    }
    return out->node != NULL;
}

/* One split is silent, others are ahead of it. */
static enum answer say_holder(const struct why *why, const struct waiting *waiting,
                              const struct splits *splits)
{
    const struct split_report *lowest = &splits->lowest;
    int64_t timeout_us = splits->source->source.idle_timeout_ms * US_PER_MS;
    int64_t silent_us = why->steady_us - lowest->last_row_us;
    if (lowest->watermark_us == WATERMARK_NONE) {
        buf_append_text(why->out, "there is no watermark, because");
    } else {
        buf_append_text(why->out, "the watermark is held at ");
        why_time(why, lowest->watermark_us, is_ltz(splits->source));
        buf_append_text(why->out, " by");
    }
    buf_printf(why->out, " split %s of table %s%s", lowest->id, table_of(splits->source),
               lowest->watermark_us == WATERMARK_NONE ? " has " : ", which has ");
    say_silence(why, lowest->row_count, lowest->last_row_us);
    buf_append_text(why->out, ", while others are at ");
    why_time(why, splits->highest_us, is_ltz(splits->source));
    if (timeout_us > silent_us) {
        buf_append_text(why->out, ". It holds nobody back when it has been silent for ");
        why_duration(why->out, timeout_us);
        buf_append_text(why->out, " ('scan.watermark.idle-timeout' of the table, or "
                                  "'table.exec.source.idle-timeout').");
        return ANSWER_CALM;
    }
    buf_append_text(why->out, ". Set 'scan.watermark.idle-timeout' on the table, or "
                              "'table.exec.source.idle-timeout', so that silent splits hold "
                              "nobody back.");
    bool holds_results = splits->highest_us >= waiting->timer_us;
    return holds_results && silent_us >= SILENT_US ? ANSWER_TROUBLE : ANSWER_CALM;
}

static void say_all_idle(const struct why *why, const struct waiting *waiting,
                         const struct splits *splits)
{
    if (!splits->source) {
        buf_append_text(why->out, "the sources have not told their splits yet.");
        return;
    }
    say_watermark(why, splits->source, waiting->watermark_us);
    buf_printf(why->out, ", and %s of table %s has ",
               splits->count == 1 ? "the only split" : "no split", table_of(splits->source));
    if (splits->count == 1)
        say_silence(why, splits->last_row_us != 0, splits->last_row_us);
    else
        buf_append_text(why->out, "rows: all are idle");
    buf_append_text(why->out, ". A newer row moves it on.");
}

static enum answer say_holding(const struct why *why, const struct waiting *waiting,
                               const struct splits *splits)
{
    const struct split_report *lowest = &splits->lowest;
    if (splits->active == 0) {
        say_all_idle(why, waiting, splits);
        return ANSWER_CALM;
    }
    bool silent = why->steady_us - lowest->last_row_us >= RECENT_US;
    if (silent && splits->highest_us > lowest->watermark_us)
        return say_holder(why, waiting, splits);
    say_watermark(why, splits->source, lowest->watermark_us);
    if (silent) {
        buf_printf(why->out, ", and table %s has ", table_of(splits->source));
        say_silence(why, splits->last_row_us != 0, splits->last_row_us);
        buf_append_text(why->out, ". A newer row moves it on.");
        return ANSWER_CALM;
    }
    if (lowest->watermark_us != WATERMARK_NONE) {
        buf_append_text(why->out, ", ");
        why_duration(why->out, waiting->timer_us + US_PER_MS - lowest->watermark_us);
        buf_append_text(why->out, " before that, and moves on with the rows");
    }
    buf_append_text(why->out, ".");
    return ANSWER_CALM;
}

enum answer why_waits(struct why *why)
{
    struct waiting waiting;
    struct splits splits;
    if (!look_for_waiting(why, &waiting))
        return ANSWER_NONE;
    splits_look(why, waiting.node, true, &splits);
    bool ltz = splits.source ? is_ltz(splits.source) : waiting.node->window.is_ltz;
    why_rows(why->out, waiting.rows);
    buf_printf(why->out, " wait%s for windows to end, the next at ", waiting.rows == 1 ? "s" : "");
    why_time(why, waiting.timer_us + US_PER_MS, ltz);
    int64_t ahead_us = splits.source ? future_us(why, splits.source, waiting.timer_us) : 0;
    if (ahead_us) {
        say_future(why, splits.source, ahead_us);
        buf_append_text(why->out, ";");
    } else {
        buf_append_text(why->out, ":");
    }
    buf_append_text(why->out, " ");
    enum answer answer = say_holding(why, &waiting, &splits);
    return ahead_us ? ANSWER_TROUBLE : answer;
}

/* ---- silent sources ---- */

static void say_splits(const struct why *why, const struct plan_node *source)
{
    uint32_t named = 0;
    for (uint32_t t = 0; t < why->job->task_count; t++) {
        struct task *task = &why->job->tasks[t];
        struct split_report split;
        mutex_lock(&task->step_lock);
        for (uint32_t h = 0; h < task->host_count && !task->closed; h++) {
            const struct operator* op = & task->hosts[h].op;
            for (uint32_t i = 0; op->node == source && op->class->split(op, i, &split); i++)
                if (!split.ended && ++named <= SPLITS_NAMED)
                    buf_printf(why->out, "%s%s", named > 1 ? ", " : "", split.id);
        }
        mutex_unlock(&task->step_lock);
    }
    if (named > SPLITS_NAMED)
        buf_printf(why->out, " and %u more", named - SPLITS_NAMED);
}

static void say_silent(const struct why *why, struct operator_host *host,
                       const struct splits *splits)
{
    const struct plan_node *source = host->op.node;
    buf_printf(why->out, "Table %s has ", table_of(source));
    if (splits->count == 0) {
        buf_append_text(why->out, "no splits (partitions, files) yet.");
        return;
    }
    say_silence(why, splits->last_row_us != 0, splits->last_row_us);
    buf_append_text(why->out, "; all that was there has been read, and more is waited for in ");
    say_splits(why, source);
    buf_append_text(why->out, ".");
    if (splits->last_row_us)
        return;
    mutex_lock(&host->task->step_lock);
    if (!host->task->closed && host->op.class->no_rows)
        host->op.class->no_rows(&host->op, why->out);
    mutex_unlock(&host->task->step_lock);
}

/* Every source that has not ended is silent; each is told. */
enum answer why_no_rows(struct why *why)
{
    struct operator_host *silent[SOURCES_TOLD];
    struct splits splits[SOURCES_TOLD];
    uint32_t count = 0;
    WHY_EACH_HOST(why, host)
    {
        struct splits all;
        if (host->op.node->op != PLAN_SOURCE || host->op.subtask != 0)
            continue;
        splits_look(why, host->op.node, false, &all);
        if (all.count && all.ended == all.count)
            continue;
        if (all.last_row_us && why->steady_us - all.last_row_us < RECENT_US)
            return ANSWER_NONE;
        if (count == SOURCES_TOLD)
            continue;
        silent[count] = host;
        splits[count++] = all;
    }
    for (uint32_t i = count; i-- > 0;) {
        say_silent(why, silent[i], &splits[i]);
        buf_append_text(why->out, i ? " " : "");
    }
    return count ? ANSWER_CALM : ANSWER_NONE;
}
