/* gateway_operation.c - one statement of a session: run, its rows kept until they are fetched. */
#include "server/gateway_int.h"

#include <stdio.h>

#include "base/must.h"
#include "server/live_rows.h"

#define SCRIPT_ARENA_MAX  ((size_t)256 << 20)
#define COLUMNS_BYTES_MAX (1u << 20)

enum status operation_new(struct operation **out, struct gateway_session *session,
                          struct str statement, struct error *err)
{
    struct operation *operation = mem_calloc(1, sizeof(*operation));
    if (!operation)
        return error_memory(err, "a statement", sizeof(*operation));
    operation->gateway = session->gateway;
    operation->session = session;
    atomic_fetch_add_explicit(&session->refs, 1, memory_order_relaxed);
    atomic_init(&operation->refs, 1);
    mutex_init(&operation->mutex);
    condition_init(&operation->changed);
    buf_init(&operation->text, GATEWAY_STATEMENT_MAX);
    buf_init(&operation->columns, COLUMNS_BYTES_MAX);
    buf_init(&operation->page, 4 * GATEWAY_PAGE_BYTES);
    buf_append(&operation->text, statement.data, statement.length);
    enum status status = buf_check(&operation->text, "a statement", err);
    if (status != OK) {
        operation_unref(operation);
        return status;
    }
    *out = operation;
    return OK;
}

static void drop_queue(struct operation *operation)
{
    for (; operation->count; operation->count--) {
        batch_unref(operation->queue[operation->first]);
        operation->first = (operation->first + 1) % GATEWAY_BATCHES_MAX;
    }
}

void operation_unref(struct operation *operation)
{
    if (!operation || atomic_fetch_sub_explicit(&operation->refs, 1, memory_order_acq_rel) != 1)
        return;
    must(!operation->job);
    drop_queue(operation);
    if (operation->has_cells)
        engine_result_fini(&operation->result);
    buf_fini(&operation->text);
    buf_fini(&operation->columns);
    buf_fini(&operation->page);
    condition_fini(&operation->changed);
    mutex_fini(&operation->mutex);
    gateway_session_unref(operation->session);
    mem_free(operation);
}

/* ---- columns, as Flink writes its types */

static void add_type(struct buf *out, const struct type *type)
{
    static const char *const NAMES[TYPE_ROOT_COUNT] = {
        [TYPE_NULL] = "NULL",
        [TYPE_BOOLEAN] = "BOOLEAN",
        [TYPE_TINYINT] = "TINYINT",
        [TYPE_SMALLINT] = "SMALLINT",
        [TYPE_INT] = "INTEGER",
        [TYPE_BIGINT] = "BIGINT",
        [TYPE_FLOAT] = "FLOAT",
        [TYPE_DOUBLE] = "DOUBLE",
        [TYPE_DECIMAL] = "DECIMAL",
        [TYPE_CHAR] = "CHAR",
        [TYPE_VARCHAR] = "VARCHAR",
        [TYPE_BINARY] = "BINARY",
        [TYPE_VARBINARY] = "VARBINARY",
        [TYPE_DATE] = "DATE",
        [TYPE_TIME] = "TIME_WITHOUT_TIME_ZONE",
        [TYPE_TIMESTAMP] = "TIMESTAMP_WITHOUT_TIME_ZONE",
        [TYPE_TIMESTAMP_LTZ] = "TIMESTAMP_WITH_LOCAL_TIME_ZONE",
        [TYPE_INTERVAL_YEAR_MONTH] = "INTERVAL_YEAR_MONTH",
        [TYPE_INTERVAL_DAY_TIME] = "INTERVAL_DAY_TIME",
        [TYPE_ARRAY] = "ARRAY",
        [TYPE_MULTISET] = "MULTISET",
        [TYPE_MAP] = "MAP",
        [TYPE_ROW] = "ROW",
    };
    buf_append_byte(out, '{');
    json_add_text(out, "type", NAMES[type->root]);
    json_add_bool(out, "nullable", type->nullable);
    if (type->root >= TYPE_CHAR && type->root <= TYPE_VARBINARY)
        json_add_int(out, "length", type->length);
    if (type->root == TYPE_DECIMAL || (type->root >= TYPE_TIME && type->root <= TYPE_TIMESTAMP_LTZ))
        json_add_int(out, "precision", type->precision);
    if (type->root == TYPE_DECIMAL)
        json_add_int(out, "scale", type->scale);
    for (uint32_t i = 0; i < type->child_count && type->root != TYPE_ROW; i++) {
        json_name(out, type->root != TYPE_MAP ? "elementType" : i ? "valueType" : "keyType");
        add_type(out, type->children[i]);
    }
    if (type->root == TYPE_ROW) {
        json_name(out, "fields");
        buf_append_byte(out, '[');
        for (uint32_t i = 0; i < type->child_count; i++) {
            json_comma(out);
            buf_append_byte(out, '{');
            json_add_text(out, "name", type->names[i]);
            json_name(out, "fieldType");
            add_type(out, type->children[i]);
            buf_append_byte(out, '}');
        }
        buf_append_byte(out, ']');
    }
    buf_append_byte(out, '}');
}

static void add_column(struct buf *out, const char *name, const struct type *type)
{
    json_comma(out);
    buf_append_byte(out, '{');
    json_add_text(out, "name", name);
    json_name(out, "logicalType");
    add_type(out, type);
    json_add_null(out, "comment");
    buf_append_byte(out, '}');
}

/* ---- a query's calls */

static void on_columns(void *context, const struct plan_node *collect, bool bounded)
{
    struct operation *operation = context;
    mutex_lock(&operation->mutex);
    operation->collect = collect;
    for (uint32_t i = 0; i < collect->column_count; i++)
        add_column(&operation->columns, collect->names[i], collect->types[i]);
    mutex_unlock(&operation->mutex);
}

static enum push_result on_rows(void *context, struct batch *batch, struct error *err)
{
    struct operation *operation = context;
    mutex_lock(&operation->mutex);
    must(operation->count < GATEWAY_BATCHES_MAX);
    operation->queue[(operation->first + operation->count++) % GATEWAY_BATCHES_MAX] =
        batch_ref(batch);
    operation->stalled = operation->count == GATEWAY_BATCHES_MAX;
    bool full = operation->stalled;
    mutex_unlock(&operation->mutex);
    return full ? PUSH_FULL : PUSH_DONE;
}

static void on_ended(void *context, enum job_state state, const struct error *error)
{
    struct operation *operation = context;
    mutex_lock(&operation->mutex);
    operation->state = state == JOB_FINISHED || state == JOB_STOPPED ? OPERATION_FINISHED
                       : state == JOB_FAILED                         ? OPERATION_ERROR
                                                                     : OPERATION_CANCELED;
    if (error)
        operation->error = *error;
    mutex_unlock(&operation->mutex);
}

/* ---- running */

static enum status bind_one(struct operation *operation, struct arena *arena, struct statement *out,
                            struct error *err)
{
    const struct sql_session *session = session_sql(operation->session->session);
    struct str text = {(const char *)operation->text.data, operation->text.length};
    struct sql_script *script;
    struct statement second = {0};
    struct error none = {0};
    struct arena scratch;
    TRY(sql_script_open(&script, "statement", text, err));
    arena_init(&scratch, NULL, SCRIPT_ARENA_MAX);
    enum status status = sql_next(script, session, arena, out, err);
    if (status == ERR_END)
        status = error_set(err, ERR_SYNTAX, "there is no statement");
    else if (status == OK && sql_next(script, session, &scratch, &second, &none) != ERR_END)
        status = error_set(err, ERR_UNSUPPORTED, "one statement at a time");
    sql_statement_fini(&second);
    arena_fini(&scratch);
    sql_script_close(script);
    return status;
}

static enum status execute(struct operation *operation, struct engine_result *result,
                           struct error *err)
{
    const struct query_callbacks callbacks = {.columns = on_columns,
                                              .rows = on_rows,
                                              .ended = on_ended,
                                              .context = operation,
                                              .changes = true};
    struct session *session = operation->session->session;
    struct statement statement = {0};
    struct arena arena;
    arena_init(&arena, NULL, SCRIPT_ARENA_MAX);
    enum status status = bind_one(operation, &arena, &statement, err);
    if (status != OK) {
        sql_statement_fini(&statement);
        arena_fini(&arena);
        return status;
    }
    operation->is_query = statement.kind == STATEMENT_SELECT;
    operation->zone = session_sql(session)->function_session->zone;
    return engine_execute(session, &statement, &arena, operation->is_query ? &callbacks : NULL,
                          result, err);
}

/* What a statement that is no query shows: its table, its text, or OK. */
static void keep_result(struct operation *operation, struct engine_result *result)
{
    static const char *const PLAIN[] = {"result"};
    const struct type text = {.root = TYPE_VARCHAR, .nullable = true, .length = INT32_MAX};
    operation->result = *result;
    operation->has_cells = true;
    struct engine_result *kept = &operation->result;
    if (kept->kind == RESULT_TABLE) {
        for (uint32_t i = 0; i < kept->column_count; i++)
            add_column(&operation->columns, kept->columns[i], &text);
        return;
    }
    const char **cell = ARENA_ARRAY(&kept->arena, 1, const char *);
    kept->column_count = 1;
    kept->row_count = cell ? 1 : 0;
    kept->cells = cell;
    kept->columns = PLAIN;
    if (cell && kept->kind == RESULT_JOB) {
        cell[0] = arena_printf(&kept->arena, "%032x", operation->job_id);
        add_column(&operation->columns, "job id", &text);
    } else {
        if (cell)
            cell[0] = kept->kind == RESULT_TEXT ? kept->text : "OK";
        add_column(&operation->columns, "result", &text);
    }
}

void operation_run(struct operation *operation)
{
    struct engine_result result;
    struct error err = {0};
    mutex_lock(&operation->session->turn);
    mutex_lock(&operation->mutex);
    bool go = !operation->cancelled;
    if (go)
        operation->state = OPERATION_RUNNING;
    mutex_unlock(&operation->mutex);
    enum status status = go ? execute(operation, &result, &err) : ERR_CANCELLED;
    mutex_lock(&operation->mutex);
    if (status != OK) {
        operation->state = go ? OPERATION_ERROR : OPERATION_CANCELED;
        operation->error = err;
    } else if (operation->is_query) {
        operation->job = result.job;
        operation->job_id = engine_job_id(result.job);
        engine_result_fini(&result);
        if (operation->cancelled) /* meanwhile */
            engine_job_cancel(operation->job);
    } else {
        if (result.kind == RESULT_JOB)
            operation->job_id = engine_job_id(result.job);
        keep_result(operation, &result);
        operation->state = OPERATION_FINISHED;
    }
    operation->has_result = status == OK;
    uint32_t insert_id = status == OK && !operation->is_query ? operation->job_id : 0;
    mutex_unlock(&operation->mutex);
    mutex_unlock(&operation->session->turn);
    if (insert_id)
        gateway_remember_insert(operation->gateway, insert_id);
}

static void run_task(struct io_job *task)
{
    struct operation *operation = container_of(task, struct operation, task);
    operation_run(operation);
    mutex_lock(&operation->mutex);
    operation->closed = true; /* the task is over */
    condition_broadcast(&operation->changed);
    mutex_unlock(&operation->mutex);
    operation_unref(operation);
}

void operation_start(struct operation *operation)
{
    operation->task.run = run_task;
    io_pool_submit(operation->gateway->settings.pool, &operation->task);
}

void operation_cancel(struct operation *operation)
{
    mutex_lock(&operation->mutex);
    operation->cancelled = true;
    if (operation->job)
        engine_job_cancel(operation->job);
    mutex_unlock(&operation->mutex);
}

void operation_end(struct operation *operation)
{
    operation_cancel(operation);
    mutex_lock(&operation->mutex);
    while (operation->task.run && !operation->closed)
        condition_wait(&operation->changed, &operation->mutex);
    struct engine_job *job = operation->job;
    operation->job = NULL;
    mutex_unlock(&operation->mutex);
    if (!job)
        return;
    engine_job_cancel(job);
    engine_job_wait(job, -1);
    mutex_lock(&operation->mutex);
    drop_queue(operation); /* they may borrow from the job */
    mutex_unlock(&operation->mutex);
    engine_job_release(job);
}

/* ---- results; the mutex is held */

static void add_field(struct operation *operation, struct buf *out, const struct batch *batch,
                      uint32_t column, uint32_t row, bool plain)
{
    struct buf text;
    struct datum datum;
    datum_get(&datum, batch->columns[column], row);
    if (!plain || datum.is_null) {
        live_value(out, batch->columns[column], row, operation->zone);
        return;
    }
    buf_init(&text, GATEWAY_PAGE_BYTES);
    datum_format(&text, &datum, operation->zone);
    json_text_append(out, str_of(buf_text(&text)));
    buf_fini(&text);
}

static const char *kind_name(uint8_t kind)
{
    static const char *const NAMES[] = {"INSERT", "UPDATE_BEFORE", "UPDATE_AFTER", "DELETE"};
    return NAMES[kind];
}

static bool page_full(const struct operation *operation, uint32_t row_count)
{
    return row_count >= GATEWAY_PAGE_ROWS || operation->page.length >= GATEWAY_PAGE_BYTES;
}

static void add_batches(struct operation *operation, bool plain)
{
    struct buf *out = &operation->page;
    uint32_t rows = 0;
    while (operation->count && !page_full(operation, rows)) {
        struct batch *batch = operation->queue[operation->first];
        for (; operation->row_at < batch->selected_count && !page_full(operation, rows);
             operation->row_at++, rows++) {
            uint32_t row = batch_row(batch, operation->row_at);
            json_comma(out);
            buf_printf(out, "{\"kind\":\"%s\",\"fields\":[", kind_name(batch_kind(batch, row)));
            for (uint32_t i = 0; i < operation->collect->column_count; i++) {
                json_comma(out);
                add_field(operation, out, batch, i, row, plain);
            }
            buf_append_text(out, "]}");
        }
        if (operation->row_at < batch->selected_count)
            return;
        operation->row_at = 0;
        operation->first = (operation->first + 1) % GATEWAY_BATCHES_MAX;
        operation->count--;
        batch_unref(batch);
    }
}

static void add_cells(struct operation *operation)
{
    struct buf *out = &operation->page;
    const struct engine_result *result = &operation->result;
    for (uint32_t rows = 0; operation->row_at < result->row_count && !page_full(operation, rows);
         operation->row_at++, rows++) {
        json_comma(out);
        buf_append_text(out, "{\"kind\":\"INSERT\",\"fields\":[");
        for (uint32_t i = 0; i < result->column_count; i++) {
            const char *cell = result->cells[operation->row_at * result->column_count + i];
            json_comma(out);
            if (cell)
                json_text_append(out, str_of(cell));
            else
                buf_append_text(out, "null");
        }
        buf_append_text(out, "]}");
    }
}

static bool has_rows(const struct operation *operation)
{
    return operation->count ||
           (operation->has_cells && operation->row_at < operation->result.row_count);
}

static void add_uri(struct operation *operation, struct buf *out, uint64_t token, bool plain)
{
    char uri[256];
    snprintf(uri, sizeof(uri), "/v3/sessions/%s/operations/%s/result/%llu?rowFormat=%s",
             operation->session->handle, operation->handle, (unsigned long long)token,
             plain ? "PLAIN_TEXT" : "JSON");
    json_add_text(out, "nextResultUri", uri);
}

/* The page of the next token; there are rows or there will be none. */
static void make_page(struct operation *operation, bool plain)
{
    struct buf *out = &operation->page;
    bool content = operation->is_query || operation->result.kind != RESULT_NONE;
    bool rows = has_rows(operation), over = operation->state >= OPERATION_FINISHED;
    char job[40];
    buf_clear(out);
    buf_append_byte(out, '{');
    json_add_text(out, "resultType", rows || !over ? "PAYLOAD" : "EOS");
    json_add_bool(out, "isQueryResult", operation->is_query);
    snprintf(job, sizeof(job), "%032x", operation->job_id);
    if (operation->job_id)
        json_add_text(out, "jobID", job);
    json_add_text(out, "resultKind", content ? "SUCCESS_WITH_CONTENT" : "SUCCESS");
    json_name(out, "results");
    buf_append_text(out, "{\"columns\":[");
    buf_append(out, operation->columns.data, operation->columns.length);
    buf_append_text(out, "],\"rowFormat\":");
    buf_append_text(out, plain ? "\"PLAIN_TEXT\"" : "\"JSON\"");
    buf_append_text(out, ",\"data\":[");
    if (operation->is_query)
        add_batches(operation, plain);
    else
        add_cells(operation);
    buf_append_text(out, "]}");
    if (rows || !over)
        add_uri(operation, out, operation->token + (rows ? 1 : 0), plain);
    buf_append_byte(out, '}');
    operation->page_plain = plain;
    if (rows)
        operation->token++;
}

enum status operation_fetch(struct operation *operation, uint64_t token, bool plain,
                            struct buf *out, struct error *err)
{
    struct engine_job *resume = NULL;
    enum status status = OK;
    mutex_lock(&operation->mutex);
    bool again = operation->token && token == operation->token - 1;
    if (operation->state == OPERATION_ERROR && !has_rows(operation)) {
        *err = operation->error;
        status = operation->error.code;
    } else if (!again && token != operation->token) {
        status = error_set(err, ERR_RANGE, "the token is %llu, or %llu for the last page again",
                           (unsigned long long)operation->token,
                           (unsigned long long)(operation->token ? operation->token - 1 : 0));
    } else if (operation->state == OPERATION_CANCELED && !operation->has_result) {
        status = error_set(err, ERR_CANCELLED, "the statement was cancelled");
    } else if (!operation->has_result) {
        buf_append_byte(out, '{');
        json_add_text(out, "resultType", "NOT_READY");
        add_uri(operation, out, token, plain);
        buf_append_byte(out, '}');
    } else {
        if (!again)
            make_page(operation, plain);
        buf_append(out, operation->page.data, operation->page.length);
        if (operation->stalled && !operation->count) {
            operation->stalled = false;
            resume = operation->job ? engine_job_ref(operation->job) : NULL;
        }
    }
    mutex_unlock(&operation->mutex);
    if (resume)
        engine_job_resume(resume);
    engine_job_unref(resume);
    return status;
}
