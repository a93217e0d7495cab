/* engine.c - the engine and its sessions: made, opened, closed. */
#include "engine/engine.h"

#include "engine/engine_int.h"

enum status engine_new(struct engine **out, const struct engine_config *config, struct error *err)
{
    struct engine *engine = mem_calloc(1, sizeof(*engine));
    if (!engine)
        return error_memory(err, "the engine", sizeof(*engine));
    engine->config = *config;
    engine->next_job_id = 1;
    mutex_init(&engine->mutex);
    condition_init(&engine->supervise);
    mem_owner_init(&engine->owner, config->owner, "jobs");
    struct runtime_settings settings = {
        .io = config->context->io,
        .owner = &engine->owner,
        .worker_threads = config->worker_threads ? config->worker_threads : thread_core_count(),
        .seed = config->seed,
        .batch_rows = config->batch_rows,
        .queue_bytes = config->queue_bytes,
    };
    if (config->simulated)
        settings.worker_threads = 0;
    enum status status = catalog_new(&engine->catalog, err);
    if (status == OK)
        status = runtime_new(&engine->runtime, &settings, err);
    if (status != OK) {
        engine_free(engine);
        return status;
    }
    *out = engine;
    return OK;
}

void engine_free(struct engine *engine)
{
    if (!engine)
        return;
    engine_endpoints_close(engine);
    for (struct engine_job *job = engine->jobs; job; job = job->next)
        engine_job_cancel(job);
    for (struct engine_job *job = engine->jobs; job; job = job->next)
        engine_job_wait(job, -1);
    supervisor_close(engine);
    while (engine->jobs)
        engine_job_release(engine->jobs);
    if (engine->runtime)
        runtime_free(engine->runtime);
    if (engine->catalog)
        catalog_free(engine->catalog);
    mem_free(engine->history);
    while (engine->job_names) {
        struct job_name *name = engine->job_names;
        engine->job_names = name->next;
        mem_free(name);
    }
    mem_owner_fini(&engine->owner);
    condition_fini(&engine->supervise);
    mutex_fini(&engine->mutex);
    mem_free(engine);
}

uint64_t engine_simulate(struct engine *engine, uint64_t max_steps)
{
    uint64_t steps = runtime_simulate(engine->runtime, max_steps);
    return steps < max_steps ? steps + supervisor_step(engine) : steps;
}

int64_t engine_next_timer_us(struct engine *engine)
{
    int64_t timer_us = runtime_next_timer_us(engine->runtime), due_us = supervisor_due_us(engine);
    return timer_us < due_us ? timer_us : due_us;
}

struct catalog *engine_catalog(struct engine *engine)
{
    return engine->catalog;
}

enum status engine_session_new(struct session **out, struct engine *engine, struct error *err)
{
    struct session *session = mem_calloc(1, sizeof(*session));
    if (!session)
        return error_memory(err, "a session", sizeof(*session));
    session->engine = engine;
    arena_init(&session->arena, NULL, 1);
    session->sql = (struct sql_session){
        .catalog = engine->catalog,
        .registry = engine->config.registry,
        .function_session = &session->function_session,
    };
    enum status status = settings_apply(session, err);
    if (status != OK) {
        engine_session_free(session);
        return status;
    }
    *out = session;
    return OK;
}

void engine_session_free(struct session *session)
{
    if (!session)
        return;
    while (session->given) {
        struct setting_given *one = session->given;
        session->given = one->next;
        mem_free(one);
    }
    arena_fini(&session->arena);
    mem_free(session);
}

void engine_session_restrict(struct session *session)
{
    session->sql.restricted = true;
}

const struct sql_session *session_sql(const struct session *session)
{
    return &session->sql;
}

void engine_result_fini(struct engine_result *result)
{
    arena_fini(&result->arena);
}
