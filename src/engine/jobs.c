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
    struct engine_job *job = context;
    if (job->callbacks.ended)
        job->callbacks.ended(job->callbacks.context, state, error);
}

static void job_destroy(struct engine_job *job)
{
    if (job->job)
        job_free(job->job);
    recovery_close(job);
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
        job_stop(job->job);
    mutex_unlock(&engine->mutex);
}

void engine_stop(struct engine *engine)
{
    mutex_lock(&engine->mutex);
    engine->stopping = true;
    for (struct engine_job *job = engine->jobs; job; job = job->next)
        job_stop(job->job);
    mutex_unlock(&engine->mutex);
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
    const struct job_request request = {
        .checkpoints = job->store ? &job->checkpoints : NULL,
        .plan = job->plan,
        .context = &job->context,
        .callbacks = {.rows = on_rows, .ended = on_ended},
        .callback_context = job,
    };
    struct error own = {0};
    enum status status = job_start(engine->runtime, &request, &job->job, &own);
    if (status == ERR_RESET) {
        status = recovery_rebuild(job, &own);
        if (status == OK)
            status = job_start(engine->runtime, &request, &job->job, &own);
    }
    if (status != OK && err)
        *err = own;
    return status;
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
    job_status(job->job, out);
}

uint32_t engine_job_operators(struct engine_job *job, struct operator_report *out, uint32_t max)
{
    return job_operators(job->job, out, max);
}

void engine_job_why(struct engine_job *job, struct buf *out)
{
    job_why(job->job, out);
}

bool engine_job_held_up(struct engine_job *job, struct buf *out)
{
    return job_held_up(job->job, out);
}

void engine_job_stop(struct engine_job *job)
{
    job_stop(job->job);
}

void engine_job_cancel(struct engine_job *job)
{
    job_cancel(job->job);
}

void engine_job_resume(struct engine_job *job)
{
    job_collect_resume(job->job);
}

bool engine_job_wait(struct engine_job *job, int64_t timeout_us)
{
    if (!job->engine->config.simulated)
        return job_wait(job->job, timeout_us);
    while (!job_wait(job->job, 0))
        if (runtime_simulate(job->engine->runtime, SIMULATED_STEPS) == 0)
            return job_wait(job->job, 0);
    return true;
}

void engine_job_barrier(struct engine_job *job)
{
    job_barrier(job->job);
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
