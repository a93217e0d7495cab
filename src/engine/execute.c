/* execute.c - one bound statement: catalog changes here, questions to show.c, jobs to jobs.c. */
#include "engine/engine_int.h"

#define RESULT_ARENA_MAX  (64u << 20)
#define EXPLAIN_BYTES_MAX (16u << 20)

static enum status execute_create(struct session *session, const struct statement *statement,
                                  struct error *err)
{
    struct error own = {0};
    enum status status = catalog_add(session->engine->catalog, statement->object,
                                     statement->replace, err ? err : &own);
    if (status == ERR_EXISTS && statement->if_not_exists) {
        if (err)
            error_clear(err);
        return OK;
    }
    TRY(status);
    status = endpoints_add(session->engine, statement->object, err);
    if (status != OK) {
        const struct str name = str_of(statement->object->name);
        (void)!catalog_drop(session->engine->catalog, &name, 1, statement->object->kind,
                            statement->object->temporary, NULL);
    }
    return status;
}

static enum status execute_drop(struct session *session, const struct statement *statement,
                                struct error *err)
{
    struct catalog *catalog = session->engine->catalog;
    struct catalog_object *object = catalog_find(catalog, statement->name, statement->name_count);
    enum status status = catalog_drop(catalog, statement->name, statement->name_count,
                                      statement->object_kind, statement->temporary, err);
    if (status == OK)
        endpoints_remove(session->engine, object);
    catalog_object_unref(object);
    if (status == ERR_NAME && statement->if_exists) {
        if (err)
            error_clear(err);
        return OK;
    }
    return status;
}

static enum status execute_set(struct session *session, const struct statement *statement,
                               struct engine_result *out, struct error *err)
{
    if (statement->kind == STATEMENT_RESET)
        return settings_reset(session, statement->key, err);
    if (!statement->key)
        return settings_show(session, out, err);
    return session_set(session, str_of(statement->key), str_of(statement->value), err);
}

static enum status execute_explain(struct session *session, const struct statement *statement,
                                   struct engine_result *out, struct error *err)
{
    struct plan_settings settings;
    struct buf text;
    buf_init(&text, EXPLAIN_BYTES_MAX);
    settings_plan(session, NULL, &settings);
    enum status status = plan_explain(&text, statement, &settings, err);
    if (status == OK) {
        out->kind = RESULT_TEXT;
        out->text = arena_strndup(&out->arena, buf_text(&text), text.length);
        status = arena_check(&out->arena, "the plan's text", err);
    }
    buf_fini(&text);
    return status;
}

static enum status execute_job(struct session *session, struct statement *statement,
                               struct arena *arena, const struct query_callbacks *callbacks,
                               struct engine_result *out, struct error *err)
{
    bool is_query = statement->kind == STATEMENT_SELECT;
    TRY(jobs_start(session, statement, arena, is_query ? callbacks : NULL, out, err));
    out->kind = is_query ? RESULT_QUERY : RESULT_JOB;
    if (!out->job)
        out->kind = RESULT_SKIPPED;
    if (!out->job || is_query || !session->settings.dml_sync)
        return OK;
    engine_job_wait(out->job, -1);
    struct job_status status;
    engine_job_status(out->job, &status);
    if (status.state != JOB_FAILED)
        return OK;
    if (err)
        *err = status.error;
    return status.error.code;
}

enum status engine_execute(struct session *session, struct statement *statement,
                           struct arena *arena, const struct query_callbacks *callbacks,
                           struct engine_result *out, struct error *err)
{
    enum status status = OK;
    *out = (struct engine_result){.kind = RESULT_NONE};
    arena_init(&out->arena, NULL, RESULT_ARENA_MAX);
    switch (statement->kind) {
    case STATEMENT_INSERT:
    case STATEMENT_SELECT:
        status = execute_job(session, statement, arena, callbacks, out, err);
        if (status != OK)
            engine_result_fini(out);
        return status; /* statement and arena belong to the job */
    case STATEMENT_CREATE:
        status = execute_create(session, statement, err);
        break;
    case STATEMENT_DROP:
        status = execute_drop(session, statement, err);
        break;
    case STATEMENT_SET:
    case STATEMENT_RESET:
        status = execute_set(session, statement, out, err);
        break;
    case STATEMENT_EXPLAIN:
        status = execute_explain(session, statement, out, err);
        break;
    case STATEMENT_SHOW_TABLES:
    case STATEMENT_SHOW_VIEWS:
    case STATEMENT_SHOW_FUNCTIONS:
    case STATEMENT_SHOW_CREATE:
    case STATEMENT_DESCRIBE:
        status = show_execute(session, statement, out, err);
        break;
    }
    if (status != OK && err && err->pos.line == 0)
        error_at(err, statement->pos);
    sql_statement_fini(statement);
    arena_fini(arena);
    if (status != OK)
        engine_result_fini(out);
    return status;
}
