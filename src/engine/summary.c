/* summary.c - jobs as those see them who did not start them: running ones and what is left of those
 * that have ended. */
#include "engine/engine_int.h"

#include <stdio.h>

#define LISTED_MAX    1000 /* of one look at all jobs */
#define WHY_BYTES_MAX (64u << 10)

static void summary_why(struct engine_job *job, struct job_summary *out)
{
    struct buf text;
    buf_init(&text, WHY_BYTES_MAX);
    if (!job_state_is_final(out->status.state) && !engine_job_held_up(job, &text) &&
        out->status.rows_written == 0)
        engine_job_why(job, &text);
    snprintf(out->why, sizeof(out->why), "%s", buf_text(&text));
    buf_fini(&text);
}

void summary_make(struct engine_job *job, struct job_summary *out)
{
    out->id = job->id;
    out->bounded = job->plan->bounded;
    out->is_query = engine_job_is_query(job);
    snprintf(out->name, sizeof(out->name), "%s", job->plan->job_name);
    engine_job_status(job, &out->status);
    engine_job_failures(job, &out->failures);
    summary_why(job, out);
}

void history_add(struct engine *engine, const struct job_summary *summary)
{
    if (!engine->history)
        engine->history = mem_calloc(HISTORY_MAX, sizeof(*engine->history));
    if (!engine->history)
        return; /* no memory: one job less to look back at */
    engine->history[engine->history_next] = *summary;
    engine->history_next = (engine->history_next + 1) % HISTORY_MAX;
    if (engine->history_count < HISTORY_MAX)
        engine->history_count++;
}

void engine_job_summaries(struct engine *engine,
                          void (*each)(void *context, const struct job_summary *job), void *context)
{
    struct engine_job *jobs[LISTED_MAX];
    struct job_summary *summary = mem_calloc(1, sizeof(*summary));
    uint32_t count = 0;
    mutex_lock(&engine->mutex);
    for (uint32_t i = 0; i < engine->history_count; i++)
        each(context,
             &engine->history[(engine->history_next + HISTORY_MAX - engine->history_count + i) %
                              HISTORY_MAX]);
    for (struct engine_job *job = engine->jobs; summary && job && count < LISTED_MAX;
         job = job->next)
        jobs[count++] = engine_job_ref(job);
    mutex_unlock(&engine->mutex);
    for (uint32_t i = 0; i < count; i++) { /* may wait for a step of a task: not under the mutex */
        summary_make(jobs[i], summary);
        each(context, summary);
        engine_job_unref(jobs[i]);
    }
    mem_free(summary);
}

void engine_job_plan(const struct engine_job *job, struct buf *out)
{
    plan_format(out, job->plan);
}
