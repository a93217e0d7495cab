/* jobs.c - statement to plan to running job, and the list of jobs.
 *
 * A job keeps its statement's arena, its plan and a copy of the plugin context until it is
 * released: operators borrow from all three.
 */
#include "engine/engine_int.h"

static const char *const NO_ROOTS[] = {NULL};

#define SIMULATED_STEPS 1000 /* between two looks at a job that is waited for */

static enum push_result on_rows(void *context, struct batch *batch, struct error *err)
{
    struct engine_job *job = context;
    return job->callbacks.rows ? job->callbacks.rows(job->callbacks.context, batch, err)
                               : PUSH_DONE;
}

static void on_ended(void *context, struct job *running, enum job_state state,
                     const struct error *error)
{
    supervisor_ended(context, state, error);
}

static void job_destroy(struct engine_job *job)
{
    if (job->job)
        job_free(job->job);
    recovery_close(job);
    restart_fini(&job->strategy);
    condition_fini(&job->changed);
    mutex_fini(&job->mutex);
    plan_free(job->plan);
    sql_statement_fini(&job->statement);
    arena_fini(&job->arena);
    mem_free(job);
}

static void list_add(struct engine *engine, struct engine_job *job)
{
    mutex_lock(&engine->mutex);
    job->id = engine->next_job_id++;
    job->listed = true;
    atomic_init(&job->refs, 1);
    struct engine_job **at = &engine->jobs;
    while (*at)
        at = &(*at)->next;
    *at = job;
    if (engine->stopping)
        supervisor_ask(job, false);
    condition_broadcast(&engine->supervise); /* it may have failed by now */
    mutex_unlock(&engine->mutex);
}

void engine_stop(struct engine *engine)
{
    mutex_lock(&engine->mutex);
    engine->stopping = true;
    for (struct engine_job *job = engine->jobs; job; job = job->next)
        supervisor_ask(job, false);
    condition_broadcast(&engine->supervise);
    mutex_unlock(&engine->mutex);
}

enum status attempt_new(struct engine_job *job, struct job **out, struct error *err)
{
    const struct job_request request = {
        .checkpoints = job->store ? &job->checkpoints : NULL,
        .plan = job->plan,
        .context = &job->context,
        .callbacks = {.rows = on_rows, .ended = on_ended},
        .callback_context = job,
    };
    struct runtime *runtime = job->engine->runtime;
    struct error own = {0};
    enum status status = job_new(runtime, &request, out, &own);
    if (status == ERR_RESET) {
        status = recovery_rebuild(job, &own);
        if (status == OK)
            status = job_new(runtime, &request, out, &own);
    }
    if (status != OK && err)
        *err = own;
    return status;
}

struct job *attempt_hold(struct engine_job *job)
{
    if (!engine_job_is_query(job))
        mutex_lock(&job->mutex);
    return job->job;
}

void attempt_release(struct engine_job *job)
{
    if (!engine_job_is_query(job))
        mutex_unlock(&job->mutex);
}

static enum status job_begin(struct session *session, struct engine_job *job,
                             const struct query_callbacks *callbacks, bool *finished,
                             struct error *err)
{
    struct engine *engine = job->engine;
    struct plan_settings settings;
    settings_plan(session, callbacks, &settings);
    TRY(plan_make(&job->plan, &job->statement, &settings, err));
    job->context = *engine->config.context;
    job->context.zone = session->function_session.zone;
    job->context.security_roots =
        engine->config.security_roots ? engine->config.security_roots : NO_ROOTS;
    if (callbacks) {
        job->callbacks = *callbacks;
        if (callbacks->columns)
            callbacks->columns(callbacks->context, job->plan->roots[0], job->plan->bounded);
    }
    TRY(recovery_open(session, job, finished, err));
    if (*finished)
        return OK;
    TRY(supervisor_take(session, job, err));
    job->started_us = io_wall_us(job->context.io);
    TRY(attempt_new(job, &job->job, err));
    job_run(job->job);
    return OK;
}

enum status jobs_start(struct session *session, struct statement *statement, struct arena *arena,
                       const struct query_callbacks *callbacks, struct engine_result *out,
                       struct error *err)
{
    struct engine_job *job = mem_calloc(1, sizeof(*job));
    if (!job) {
        sql_statement_fini(statement);
        arena_fini(arena);
        return error_memory(err, "a job", sizeof(*job));
    }
    mutex_init(&job->mutex);
    condition_init(&job->changed);
    job->engine = session->engine;
    job->statement = *statement;
    job->arena = *arena; /* its blocks move; nothing points to the struct itself */
    job->statement.arena = &job->arena;
    bool finished = false;
    enum status status = job_begin(session, job, callbacks, &finished, err);
    if (finished)
        out->text = arena_printf(&out->arena,
                                 "job '%s' has finished before, and all its inputs have an end: it "
                                 "is not run again (--again does)",
                                 job->plan->job_name);
    if (status == OK && finished)
        status = arena_check(&out->arena, "a result", err);
    if (status != OK || finished) {
        job_destroy(job);
        return status;
    }
    list_add(session->engine, job);
    out->job = job;
    return OK;
}

const char *engine_job_name(const struct engine_job *job)
{
    return job->plan->job_name;
}

uint32_t engine_job_id(const struct engine_job *job)
{
    return job->id;
}

bool engine_job_bounded(const struct engine_job *job)
{
    return job->plan->bounded;
}

void engine_job_status(struct engine_job *job, struct job_status *out)
{
    job_status(attempt_hold(job), out);
    attempt_release(job);
    mutex_lock(&job->mutex);
    out->started_us = job->started_us;
    out->restarts = job->restarts;
    out->ended_us = job->phase == PHASE_OVER ? job->ended_us : 0;
    if (job->phase == PHASE_OVER)
        out->state = job->end_state;
    else if (job->phase == PHASE_WAITS)
        out->state = JOB_RESTARTING;
    else if (job_state_is_final(out->state))
        out->state = JOB_RUNNING; /* what comes of it is being decided */
    if (out->state == JOB_FAILED || out->state == JOB_RESTARTING)
        out->error = job->last_error;
    mutex_unlock(&job->mutex);
}

uint32_t engine_job_operators(struct engine_job *job, struct operator_report *out, uint32_t max)
{
    uint32_t count = job_operators(attempt_hold(job), out, max);
    attempt_release(job);
    return count;
}

void engine_job_failures(struct engine_job *job, struct job_failures *out)
{
    mutex_lock(&job->mutex);
    *out = job->failures;
    mutex_unlock(&job->mutex);
}

uint32_t engine_job_checkpoint_history(struct engine_job *job, struct checkpoint_report *out)
{
    uint32_t count = job_checkpoint_history(attempt_hold(job), out);
    attempt_release(job);
    return count;
}

void engine_job_why(struct engine_job *job, struct buf *out)
{
    if (supervisor_why(job, out))
        return;
    supervisor_why_lately(job, out);
    job_why(attempt_hold(job), out);
    attempt_release(job);
}

bool engine_job_held_up(struct engine_job *job, struct buf *out)
{
    if (supervisor_why(job, out))
        return true;
    bool held_up = job_held_up(attempt_hold(job), out);
    attempt_release(job);
    return held_up;
}

void engine_job_stop(struct engine_job *job)
{
    supervisor_ask(job, false);
    supervisor_wake(job->engine);
}

void engine_job_cancel(struct engine_job *job)
{
    supervisor_ask(job, true);
    supervisor_wake(job->engine);
}

void engine_job_drain(struct engine_job *job)
{
    job_drain(attempt_hold(job));
    attempt_release(job);
}

void engine_job_resume(struct engine_job *job)
{
    job_collect_resume(attempt_hold(job));
    attempt_release(job);
}

static bool is_over(struct engine_job *job)
{
    mutex_lock(&job->mutex);
    bool over = job->phase == PHASE_OVER;
    mutex_unlock(&job->mutex);
    return over && job_wait(job->job, -1); /* its last callback returns */
}

static bool wait_for_end(struct engine_job *job, int64_t timeout_us)
{
    bool in_time = true;
    int64_t start_us = io_monotonic_us(job->context.io);
    mutex_lock(&job->mutex);
    while (job->phase != PHASE_OVER && in_time) {
        int64_t left_us =
            timeout_us < 0 ? -1 : timeout_us - (io_monotonic_us(job->context.io) - start_us);
        in_time = (timeout_us < 0 || left_us > 0) &&
                  condition_wait_for(&job->changed, &job->mutex, left_us);
    }
    mutex_unlock(&job->mutex);
    return is_over(job);
}

bool engine_job_wait(struct engine_job *job, int64_t timeout_us)
{
    if (!job->engine->config.simulated)
        return wait_for_end(job, timeout_us);
    while (!is_over(job))
        if (engine_simulate(job->engine, SIMULATED_STEPS) == 0)
            return is_over(job);
    return true;
}

void engine_job_barrier(struct engine_job *job)
{
    job_barrier(attempt_hold(job));
    attempt_release(job);
}

void engine_jobs(struct engine *engine, void (*each)(void *context, struct engine_job *job),
                 void *context)
{
    mutex_lock(&engine->mutex);
    for (struct engine_job *job = engine->jobs; job; job = job->next)
        each(context, job);
    mutex_unlock(&engine->mutex);
}

struct engine_job *engine_job_ref(struct engine_job *job)
{
    atomic_fetch_add_explicit(&job->refs, 1, memory_order_relaxed);
    return job;
}

void engine_job_unref(struct engine_job *job)
{
    if (job && atomic_fetch_sub_explicit(&job->refs, 1, memory_order_acq_rel) == 1)
        job_destroy(job);
}

bool engine_job_is_query(const struct engine_job *job)
{
    return job->statement.kind == STATEMENT_SELECT;
}

struct engine_job *engine_job_find(struct engine *engine, uint32_t id)
{
    mutex_lock(&engine->mutex);
    struct engine_job *job = engine->jobs;
    while (job && job->id != id)
        job = job->next;
    if (job)
        engine_job_ref(job);
    mutex_unlock(&engine->mutex);
    return job;
}

void engine_job_release(struct engine_job *job)
{
    struct engine *engine = job->engine;
    struct job_summary *summary = mem_calloc(1, sizeof(*summary));
    if (summary)
        summary_make(job, summary);
    mutex_lock(&engine->mutex);
    bool listed = job->listed;
    if (listed) {
        struct engine_job **at = &engine->jobs;
        while (*at != job)
            at = &(*at)->next;
        *at = job->next;
        job->listed = false;
        if (summary && !summary->is_query)
            history_add(engine, summary);
    }
    mutex_unlock(&engine->mutex);
    mem_free(summary);
    if (listed)
        engine_job_unref(job);
}
