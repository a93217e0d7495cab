/* supervisor.c - a job that has failed is started again, when its strategy says so.
 *
 *   RUNS --failed, a restart helps--> WAITS --its time has come, or cannot be started: as failed
 *     |  <-------started again---------+  |
 *     +--ended, or nothing helps------> OVER <--stop, cancel
 *
 * A restart is a new attempt (a struct job of the runtime) with the newest checkpoint; of a job
 * without checkpoints one from the declared start, where all its targets replace rows by key. The
 * attempt before is kept until then, so that it can be looked at.
 *
 * One thread, which alone ends WAITS; a simulated engine does its work between the tasks' steps.
 * Locks: the engine's mutex, then a job's. Attempts are made with neither held.
 */
#include "engine/engine_int.h"

#include <stdio.h>

#include "base/must.h"
#include "os/logger.h"

#define LATELY_US (60 * US_PER_SECOND)

static int64_t now_us(const struct engine *engine)
{
    return io_monotonic_us(engine->config.context->io);
}

/* ---- what becomes of a job whose attempt has ended or could not be made */

static void keep_failure(struct engine_job *job, const struct error *error)
{
    struct job_failures *failures = &job->failures;
    if (failures->count == JOB_FAILURES_MAX)
        memmove(&failures->entries[0], &failures->entries[1],
                --failures->count * sizeof(failures->entries[0]));
    struct job_failure *failure = &failures->entries[failures->count++];
    failure->time_us = io_wall_us(job->engine->config.context->io);
    snprintf(failure->text, sizeof(failure->text), "%s", error->text);
    job->last_error = *error;
}

/* Whether it is to be started again, and when. */
static bool plan_restart(struct engine_job *job, const struct error *error)
{
    struct io *io = job->engine->config.context->io;
    const char *name = job->plan->job_name;
    uint64_t random;
    int64_t delay_us = 0, now = now_us(job->engine);
    if (job->stop || job->cancel || job->strategy.type == RESTART_NONE || !restart_helps(error))
        return false;
    io->ops->random(io, &random, sizeof(random));
    if (!restart_after(&job->strategy, now, random, &delay_us)) {
        logger_write(LOG_WARN, "job", "job '%s' is given up after %u restarts", name,
                     job->restarts);
        return false;
    }
    job->restart_at_us = now + delay_us;
    job->restarts++;
    logger_write(LOG_WARN, "job", "job '%s' failed: %s; restart %u in %.1f s", name, error->text,
                 job->restarts, (double)delay_us / 1e6);
    return true;
}

static void end_job(struct engine_job *job, enum job_state state)
{
    job->end_state = state;
    job->ended_us = io_wall_us(job->engine->config.context->io);
    job->phase = PHASE_OVER;
    condition_broadcast(&job->changed);
}

void supervisor_wake(struct engine *engine)
{
    mutex_lock(&engine->mutex);
    condition_broadcast(&engine->supervise);
    mutex_unlock(&engine->mutex);
}

void supervisor_ended(struct engine_job *job, enum job_state state, const struct error *error)
{
    struct engine *engine = job->engine;
    bool again = false;
    if (job->callbacks.ended)
        job->callbacks.ended(job->callbacks.context, state, error);
    mutex_lock(&job->mutex);
    if (error) {
        keep_failure(job, error);
        again = plan_restart(job, error);
    }
    if (again)
        job->phase = PHASE_WAITS;
    else
        end_job(job, state);
    mutex_unlock(&job->mutex);
    if (again) /* else the job may be gone: who waits for it waits for the attempt, which returns */
        supervisor_wake(engine);
}

/* ---- the next attempt; on the supervisor's thread */

/* Stopped while it waited, it has failed: what it had read is in its checkpoint, not at its
 * targets. */
static bool end_if_asked(struct engine_job *job)
{
    mutex_lock(&job->mutex);
    bool asked = job->stop || job->cancel;
    if (asked)
        end_job(job, job->cancel ? JOB_CANCELLED : JOB_FAILED);
    mutex_unlock(&job->mutex);
    return asked;
}

static void could_not_start(struct engine_job *job, const struct error *error)
{
    mutex_lock(&job->mutex);
    keep_failure(job, error);
    if (!plan_restart(job, error))
        end_job(job, JOB_FAILED);
    mutex_unlock(&job->mutex);
}

static void start_again(struct engine_job *job)
{
    struct error err = {0};
    struct job *fresh = NULL;
    if (end_if_asked(job))
        return;
    job_wait(job->job, -1); /* its last callback may still be returning */
    enum status status = recovery_again(job, &err);
    if (status == OK)
        status = attempt_new(job, &fresh, &err);
    if (status != OK) {
        could_not_start(job, &err);
        return;
    }
    mutex_lock(&job->mutex);
    struct job *before = job->job;
    job->job = fresh;
    job->phase = PHASE_RUNS;
    if (job->cancel)
        job_cancel(fresh);
    else if (job->stop)
        job_stop(fresh);
    mutex_unlock(&job->mutex);
    job_free(before);
    job_run(fresh);
}

/* With the engine's mutex held: a reference of a job that is to be started again, or ended instead.
 * NULL: none is due before *due_us (INT64_MAX: none waits). */
static struct engine_job *take_due(struct engine *engine, int64_t *due_us)
{
    int64_t now = now_us(engine);
    *due_us = INT64_MAX;
    for (struct engine_job *job = engine->jobs; job; job = job->next) {
        mutex_lock(&job->mutex);
        bool waits = job->phase == PHASE_WAITS;
        bool due = waits && (job->stop || job->cancel || job->restart_at_us <= now);
        if (waits && job->restart_at_us < *due_us)
            *due_us = job->restart_at_us;
        mutex_unlock(&job->mutex);
        if (due)
            return engine_job_ref(job);
    }
    return NULL;
}

static void supervise(void *context)
{
    struct engine *engine = context;
    int64_t due_us;
    mutex_lock(&engine->mutex);
    while (!engine->supervisor_ends) {
        struct engine_job *job = take_due(engine, &due_us);
        if (!job) {
            int64_t left_us = due_us == INT64_MAX ? -1 : due_us - now_us(engine);
            if (due_us == INT64_MAX || left_us > 0)
                (void)condition_wait_for(&engine->supervise, &engine->mutex, left_us);
            continue;
        }
        mutex_unlock(&engine->mutex);
        start_again(job);
        engine_job_unref(job);
        mutex_lock(&engine->mutex);
    }
    mutex_unlock(&engine->mutex);
}

bool supervisor_step(struct engine *engine)
{
    int64_t due_us;
    mutex_lock(&engine->mutex);
    struct engine_job *job = take_due(engine, &due_us);
    mutex_unlock(&engine->mutex);
    if (!job)
        return false;
    start_again(job);
    engine_job_unref(job);
    return true;
}

int64_t supervisor_due_us(struct engine *engine)
{
    int64_t due_us;
    mutex_lock(&engine->mutex);
    engine_job_unref(take_due(engine, &due_us)); /* the list has one too */
    mutex_unlock(&engine->mutex);
    return due_us;
}

/* ---- begin and end */

static bool replaces_rows(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->root_count; i++)
        if (plan->roots[i]->op != PLAN_SINK || plan->roots[i]->sink.mode != SINK_UPSERT)
            return false;
    return true;
}

enum status supervisor_take(struct session *session, struct engine_job *job, struct error *err)
{
    struct engine *engine = job->engine;
    const struct restart_settings *settings = &session->settings.restart;
    enum restart_type type = restart_type(settings);
    if (type == RESTART_UNSET)
        type = RESTART_EXPONENTIAL;
    if (job->statement.kind != STATEMENT_INSERT || (!job->store && !replaces_rows(job->plan)))
        type = RESTART_NONE;
    TRY(restart_init(&job->strategy, settings, type, err));
    enum status status = OK;
    mutex_lock(&engine->mutex);
    if (type != RESTART_NONE && !engine->supervisor && !engine->config.simulated)
        status = thread_start(&engine->supervisor, "leat-restart", supervise, engine, err);
    mutex_unlock(&engine->mutex);
    return status;
}

void supervisor_close(struct engine *engine)
{
    mutex_lock(&engine->mutex);
    engine->supervisor_ends = true;
    condition_broadcast(&engine->supervise);
    mutex_unlock(&engine->mutex);
    if (engine->supervisor)
        thread_join(engine->supervisor);
}

void supervisor_ask(struct engine_job *job, bool cancel)
{
    mutex_lock(&job->mutex);
    if (cancel)
        job->cancel = true;
    else
        job->stop = true;
    if (cancel)
        job_cancel(job->job);
    else
        job_stop(job->job);
    mutex_unlock(&job->mutex);
}

/* ---- why */

bool supervisor_why(struct engine_job *job, struct buf *out)
{
    mutex_lock(&job->mutex);
    bool waits = job->phase == PHASE_WAITS;
    if (waits) {
        int64_t left_us = job->restart_at_us - now_us(job->engine);
        buf_printf(out, "The job failed and is started again in %.1f s (restart %u): %s.",
                   left_us > 0 ? (double)left_us / 1e6 : 0, job->restarts, job->last_error.text);
        if (job->last_error.hint[0])
            buf_printf(out, " %s.", job->last_error.hint);
    }
    mutex_unlock(&job->mutex);
    return waits;
}

void supervisor_why_lately(struct engine_job *job, struct buf *out)
{
    mutex_lock(&job->mutex);
    const struct job_failures *failures = &job->failures;
    if (job->phase == PHASE_RUNS && failures->count) {
        const struct job_failure *last = &failures->entries[failures->count - 1];
        int64_t ago_us = io_wall_us(job->engine->config.context->io) - last->time_us;
        if (ago_us < LATELY_US)
            buf_printf(
                out, "The job was started again %u times, lately because of this, %.0f s ago: %s. ",
                job->restarts, (double)ago_us / 1e6, last->text);
    }
    mutex_unlock(&job->mutex);
}
