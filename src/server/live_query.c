/* live_query.c - a query that runs while somebody watches: its job, rows and frames.
 *
 *   STARTING -> RUNNING -> RELEASING -> RESTING -> (again) STARTING
 *
 * The loop's thread moves the states; what may wait (binding, starting, releasing a job, asking
 * why) is a task on a thread for SQL, one at a time, which posts task_done.
 */
#include "server/live_int.h"

#include <stdio.h>

#include "base/must.h"
#include "os/logger.h"

#define QUERY_ARENA_MAX  (1u << 20)
#define SCRIPT_ARENA_MAX ((size_t)256 << 20)
#define WHY_BYTES_MAX    (64u << 10)
#define FRAME_BYTES_MAX  (2 * LIVE_BYTES_MAX)

static void start(struct live_query *query);

/* ---- status */

static void set_status(struct live_query *query, const char *status, const char *why)
{
    if (query->status && strcmp(status, query->status) == 0 && strcmp(why, query->why) == 0)
        return;
    query->status = status;
    snprintf(query->why, sizeof(query->why), "%s", why);
    query->status_version++;
    for (struct subscription *one = query->watchers; one; one = one->next)
        viewer_wake(one);
}

static void set_failed(struct live_query *query, const struct error *err)
{
    struct buf text;
    buf_init(&text, sizeof(query->why) - 1);
    if (err->pos.line)
        buf_printf(&text, "line %u, column %u of the panel's SQL: ", err->pos.line,
                   err->pos.column);
    buf_append_text(&text, err->text);
    if (err->hint[0] && text.length + strlen(err->hint) + 8 < text.max_bytes)
        buf_printf(&text, " (%s)", err->hint);
    set_status(query, "failed", buf_text(&text));
    buf_fini(&text);
}

/* ---- rows: on a worker's thread */

/* A whole result, which is never changed row by row, goes without its key: the order is the
 * query's. */
static void add_columns(struct live_query *query, const struct plan_node *collect,
                        enum live_shape shape)
{
    struct buf *out = &query->columns, type;
    buf_init(&type, 4096);
    buf_clear(out);
    buf_append_text(out, "\"columns\":[");
    for (uint32_t i = 0; i < collect->column_count; i++) {
        json_comma(out);
        buf_append_byte(out, '{');
        json_add_text(out, "name", collect->names[i]);
        buf_clear(&type);
        type_format(&type, collect->types[i]);
        json_add_text(out, "type", buf_text(&type));
        buf_append_byte(out, '}');
    }
    buf_append_text(out, "],\"key\":[");
    for (uint32_t i = 0; i < query->key_count && !query->bounded; i++)
        buf_printf(out, i ? ",%u" : "%u", query->key[i]);
    buf_append_byte(out, ']');
    json_add_bool(out, "append", shape == LIVE_APPEND);
    buf_append_byte(out, ',');
    buf_fini(&type);
}

/* On the task's thread, before the first row. */
static void on_columns(void *context, const struct plan_node *collect, bool bounded)
{
    struct live_query *query = context;
    bool append = collect->changelog == CHANGELOG_APPEND;
    bool by_key = !append && collect->has_upsert_key && collect->upsert_key_count <= KEY_MAX;
    enum live_shape shape = append && !bounded               ? LIVE_APPEND
                            : !by_key                        ? LIVE_LOOSE
                            : collect->upsert_key_count == 0 ? LIVE_SINGLE
                                                             : LIVE_KEYED;
    struct error err = {0};
    mutex_lock(&query->mutex);
    query->bounded = bounded;
    query->collect = collect;
    query->key_count = by_key ? collect->upsert_key_count : 0;
    for (uint32_t i = 0; i < query->key_count; i++)
        query->key[i] = collect->upsert_key[i];
    uint64_t seq = query->rows.seq;
    live_rows_fini(&query->fresh);
    struct live_rows *rows = bounded ? &query->fresh : &query->rows;
    if (!bounded)
        live_rows_fini(&query->rows);
    enum status status = live_rows_init(rows, shape, query->keep, &err);
    rows->seq = seq + 1;
    if (status == OK)
        add_columns(query, collect, shape);
    query->has_columns = status == OK && !query->columns.failed;
    mutex_unlock(&query->mutex);
}

static void add_values(struct buf *out, const struct batch *batch, uint32_t row,
                       const uint32_t *columns, uint32_t count, const struct zone *zone)
{
    buf_clear(out);
    buf_append_byte(out, '[');
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            buf_append_byte(out, ',');
        live_value(out, batch->columns[columns ? columns[i] : i], row, zone);
    }
    buf_append_byte(out, ']');
}

static struct str text_of(const struct buf *buf)
{
    return (struct str){(const char *)buf->data, buf->length};
}

static enum status apply_row(struct live_query *query, struct live_rows *rows,
                             const struct batch *batch, uint32_t row, struct error *err)
{
    const struct zone *zone = session_sql(query->session)->function_session->zone;
    const struct plan_node *collect = query->collect;
    struct str key = {"", 0};
    add_values(&query->row_text, batch, row, NULL, collect->column_count, zone);
    TRY(buf_check(&query->row_text, "a row of the panel", err));
    if (rows->shape == LIVE_LOOSE) {
        key = text_of(&query->row_text);
    } else if (rows->shape != LIVE_APPEND) {
        add_values(&query->key_text, batch, row, query->key, query->key_count, zone);
        TRY(buf_check(&query->key_text, "a key of the panel", err));
        key = text_of(&query->key_text);
    }
    return live_rows_apply(rows, batch_kind(batch, row), key, text_of(&query->row_text), err);
}

static enum push_result on_rows(void *context, struct batch *batch, struct error *err)
{
    struct live_query *query = context;
    enum status status = OK;
    mutex_lock(&query->mutex);
    struct live_rows *rows = query->bounded ? &query->fresh : &query->rows;
    uint32_t first = 0;
    if (rows->shape == LIVE_APPEND && batch->selected_count > rows->keep)
        first = batch->selected_count - rows->keep; /* the others would be forgotten at once */
    if (!query->has_columns)
        status = error_set(err, ERR_MEMORY, "no memory for the panel");
    for (uint32_t i = first; i < batch->selected_count && status == OK; i++)
        status = apply_row(query, rows, batch, batch_row(batch, i), err);
    bool post = status == OK && !query->bounded && !query->changed_posted;
    query->changed_posted = query->changed_posted || post;
    mutex_unlock(&query->mutex);
    if (post)
        loop_post(query->live->settings.loop, &query->changed);
    return status == OK ? PUSH_DONE : PUSH_ERROR;
}

static void on_job_ended(void *context, enum job_state state, const struct error *error)
{
    struct live_query *query = context;
    mutex_lock(&query->mutex);
    query->end_state = state;
    query->end_error = error ? *error : (struct error){0};
    mutex_unlock(&query->mutex);
    loop_post(query->live->settings.loop, &query->ended);
}

/* ---- frames: on the loop's thread */

static void mark_snapshots(struct live_query *query)
{
    for (struct subscription *one = query->watchers; one; one = one->next) {
        one->needs_snapshot = true;
        viewer_wake(one);
    }
}

static struct buffer *to_buffer(struct buf *text)
{
    struct buffer *buffer = NULL;
    struct error err = {0};
    if (!text->failed && text->length && buffer_new(&buffer, text->length, NULL, &err) == OK)
        memcpy(buffer->data, text->data, text->length);
    buf_fini(text);
    return buffer;
}

static void send_frame(struct live_query *query)
{
    struct buf text;
    buf_init(&text, FRAME_BYTES_MAX);
    mutex_lock(&query->mutex);
    query->changed_posted = false;
    bool loose = live_rows_whole(&query->rows), changed = live_rows_changed(&query->rows);
    bool whole = loose || !query->watchers;
    if (changed && whole)
        live_rows_settle(&query->rows);
    else if (changed)
        live_rows_frame(&query->rows, &text);
    mutex_unlock(&query->mutex);
    struct buffer *frame = to_buffer(&text);
    query->last_frame_us = loop_now_us(query->live->settings.loop);
    metric_add(&query->live->frames, changed);
    if (changed && (loose || !frame))
        mark_snapshots(query);
    for (struct subscription *one = query->watchers; changed && !whole && frame && one;
         one = one->next) {
        viewer_frame(one, frame);
        if (one->needs_snapshot)
            viewer_wake(one);
    }
    buffer_unref(frame);
}

static void on_frame_timer(struct loop_timer *timer)
{
    send_frame(container_of(timer, struct live_query, frame_timer));
}

static void arm(struct live_query *query, struct loop_timer *timer, int64_t delay_us)
{
    struct error err = {0};
    if (loop_timer_arm(query->live->settings.loop, timer, delay_us, &err) != OK)
        logger_write(LOG_ERROR, "live", "%s", err.text);
}

static void on_changed(struct loop_message *message)
{
    struct live_query *query = container_of(message, struct live_query, changed);
    if (!query->any_rows)
        set_status(query, "running", "");
    query->any_rows = true;
    int64_t due_us = query->last_frame_us + LIVE_FRAME_US;
    int64_t delay_us = due_us - loop_now_us(query->live->settings.loop);
    if (!query->frame_timer.heap_index)
        arm(query, &query->frame_timer, delay_us > 0 ? delay_us : 0);
}

struct buffer *query_snapshot(struct live_query *query)
{
    struct buf text;
    struct buffer *snapshot = NULL;
    mutex_lock(&query->mutex);
    bool stale = !query->snapshot || query->snapshot_seq != query->rows.seq ||
                 (query->rows.shape == LIVE_KEYED && live_rows_changed(&query->rows));
    bool can = query->has_columns && (query->rows.seq || !query->bounded);
    if (query->rows.shape == LIVE_APPEND && live_rows_changed(&query->rows))
        can = false; /* rows of the next frame must not be told twice: after it */
    if (can && stale) {
        buf_init(&text, FRAME_BYTES_MAX);
        buf_printf(&text, ",\"seq\":%llu,", (unsigned long long)query->rows.seq);
        buf_append(&text, query->columns.data, query->columns.length);
        live_rows_snapshot(&query->rows, &text);
        snapshot = to_buffer(&text);
        metric_add(&query->live->snapshots, 1);
    }
    uint64_t seq = query->rows.seq;
    mutex_unlock(&query->mutex);
    if (can && stale) {
        buffer_unref(query->snapshot);
        query->snapshot = snapshot;
        query->snapshot_seq = seq;
    }
    return can ? buffer_ref(query->snapshot) : NULL;
}

/* ---- tasks: on a thread for SQL */

static enum status bind_query(struct session *session, const char *sql,
                              const struct sql_parameter *parameters, uint32_t parameter_count,
                              struct arena *arena, struct statement *out, struct error *err)
{
    struct sql_session context = *session_sql(session);
    struct statement second = {0};
    struct error none = {0};
    struct sql_script *script;
    context.parameters = parameters;
    context.parameter_count = parameter_count;
    TRY(sql_script_open(&script, "panel", str_of(sql), err));
    enum status status = sql_next(script, &context, arena, out, err);
    if (status == ERR_END)
        status = error_set(err, ERR_SYNTAX, "there is no query");
    else if (status == OK && out->kind != STATEMENT_SELECT)
        status = error_set(err, ERR_UNSUPPORTED, "a panel shows a SELECT, nothing else");
    else if (status == OK && sql_next(script, &context, arena, &second, &none) != ERR_END)
        status = error_set(err, ERR_UNSUPPORTED, "a panel has one SELECT");
    sql_statement_fini(&second);
    sql_script_close(script);
    return status;
}

static enum status start_job(struct live_query *query, struct error *err)
{
    const struct query_callbacks callbacks = {
        .columns = on_columns, .rows = on_rows, .ended = on_job_ended, .context = query};
    struct engine_result result;
    struct statement statement = {0};
    struct arena arena;
    TRY(engine_session_new(&query->session, query->live->settings.engine, err));
    TRY(session_set(query->session, STR("pipeline.name"), str_of(query->job_name), err));
    arena_init(&arena, NULL, SCRIPT_ARENA_MAX);
    enum status status = bind_query(query->session, query->sql, query->parameters,
                                    query->parameter_count, &arena, &statement, err);
    if (status != OK) {
        sql_statement_fini(&statement);
        arena_fini(&arena);
        return status;
    }
    TRY(engine_execute(query->session, &statement, &arena, &callbacks, &result, err));
    query->job = result.job;
    engine_result_fini(&result);
    return OK;
}

static void release_job(struct live_query *query)
{
    if (query->job) {
        engine_job_cancel(query->job);
        engine_job_wait(query->job, -1);
        engine_job_release(query->job);
    }
    query->job = NULL;
    engine_session_free(query->session);
    query->session = NULL;
}

static void run_task(struct io_job *task)
{
    struct live_query *query = container_of(task, struct live_query, task);
    error_clear(&query->task_error);
    if (query->task_kind == TASK_START) {
        if (start_job(query, &query->task_error) != OK)
            release_job(query);
    } else if (query->task_kind == TASK_RELEASE) {
        release_job(query);
    } else {
        buf_clear(&query->task_why);
        engine_job_why(query->job, &query->task_why);
    }
    loop_post(query->live->settings.loop, &query->task_done);
}

static void submit(struct live_query *query, int kind)
{
    must(!query->task_busy);
    query->task_busy = true;
    query->task_kind = kind;
    query->task.run = run_task;
    io_pool_submit(query->live->settings.pool, &query->task);
}

/* ---- states: on the loop's thread */

static void rest(struct live_query *query)
{
    query->state = QUERY_RESTING;
    if (query->unwanted) {
        query_free(query);
        return;
    }
    bool failed = query->status && strcmp(query->status, "failed") == 0;
    if (failed)
        arm(query, &query->again_timer, LIVE_RETRY_US);
    else if (query->bounded)
        arm(query, &query->again_timer, (int64_t)query->refresh_ms * 1000);
}

static void release(struct live_query *query)
{
    query->state = QUERY_RELEASING;
    if (!query->task_busy && !query->live->ending)
        submit(query, TASK_RELEASE);
}

/* The rows of a bounded query are shown when they differ from those before. */
static void take_fresh(struct live_query *query)
{
    struct buf before, after;
    buf_init(&before, FRAME_BYTES_MAX);
    buf_init(&after, FRAME_BYTES_MAX);
    mutex_lock(&query->mutex);
    bool first = query->rows.seq == 0;
    live_rows_settle(&query->fresh);
    live_rows_snapshot(&query->rows, &before);
    live_rows_snapshot(&query->fresh, &after);
    bool same = !first && before.length == after.length && !before.failed && !after.failed &&
                memcmp(before.data, after.data, before.length) == 0;
    if (!same) {
        live_rows_fini(&query->rows);
        query->rows = query->fresh;
        query->fresh = (struct live_rows){0};
    }
    mutex_unlock(&query->mutex);
    buf_fini(&before);
    buf_fini(&after);
    if (!same)
        mark_snapshots(query);
}

static void after_end(struct live_query *query)
{
    mutex_lock(&query->mutex);
    enum job_state state = query->end_state;
    struct error error = query->end_error;
    bool bounded = query->bounded;
    mutex_unlock(&query->mutex);
    query->ended_seen = false;
    if (state == JOB_FAILED)
        set_failed(query, &error);
    else if (state == JOB_FINISHED && bounded)
        take_fresh(query);
    else
        send_frame(query);
    if (state == JOB_FINISHED)
        set_status(query, "running", "");
    else if (state != JOB_FAILED)
        set_status(query, "failed", "the query was stopped");
    release(query);
}

static void on_ended(struct loop_message *message)
{
    struct live_query *query = container_of(message, struct live_query, ended);
    query->ended_seen = true;
    if (query->state == QUERY_RUNNING && !query->live->ending)
        after_end(query);
}

static void started(struct live_query *query)
{
    if (query->task_error.code != OK) {
        set_failed(query, &query->task_error);
        rest(query);
        return;
    }
    query->state = QUERY_RUNNING;
    if (query->ended_seen)
        after_end(query);
    else if (query->unwanted)
        release(query);
    else {
        if (!query->bounded) /* its rows begin anew */
            mark_snapshots(query);
        if (!query->any_rows)
            set_status(query, "running", "");
        arm(query, &query->why_timer, LIVE_WHY_US);
    }
}

static void on_task_done(struct loop_message *message)
{
    struct live_query *query = container_of(message, struct live_query, task_done);
    query->task_busy = false;
    if (query->live->ending)
        return;
    if (query->task_kind == TASK_START)
        started(query);
    else if (query->task_kind == TASK_RELEASE)
        rest(query);
    else if (query->state == QUERY_RELEASING) /* it ended while it was asked */
        submit(query, TASK_RELEASE);
    else if (!query->any_rows)
        set_status(query, "waiting",
                   query->bounded
                       ? "the query reads what ends; its rows are shown once it has ended"
                       : buf_text(&query->task_why));
}

static void on_why_timer(struct loop_timer *timer)
{
    struct live_query *query = container_of(timer, struct live_query, why_timer);
    if (query->state != QUERY_RUNNING || query->any_rows)
        return;
    if (!query->task_busy && query->watchers && !query->live->ending)
        submit(query, TASK_WHY);
    arm(query, &query->why_timer, LIVE_WHY_US);
}

static void start(struct live_query *query)
{
    query->state = QUERY_STARTING;
    query->ended_seen = query->any_rows = false;
    submit(query, TASK_START);
}

static void on_again_timer(struct loop_timer *timer)
{
    struct live_query *query = container_of(timer, struct live_query, again_timer);
    if (!query->live->ending && query->watchers)
        start(query);
}

/* ---- made, watched, left, freed */

static bool is_used(const char *sql, const struct sql_parameter *parameter)
{
    return sql_uses_parameter(str_of(sql), parameter->name);
}

static enum status query_new(struct live *live, const struct dashboard *dashboard,
                             const struct panel *panel, const struct sql_parameter *values,
                             const char *identity, struct live_query **out, struct error *err)
{
    struct live_query *query = mem_calloc(1, sizeof(*query));
    if (!query)
        return error_memory(err, "a live query", sizeof(*query));
    arena_init(&query->arena, NULL, QUERY_ARENA_MAX);
    query->live = live;
    query->identity = arena_strndup(&query->arena, identity, strlen(identity));
    query->sql = arena_strndup(&query->arena, panel->sql, strlen(panel->sql));
    query->job_name = arena_printf(&query->arena, "%.100s/%s", dashboard->name, panel->id);
    query->keep = panel->keep;
    query->refresh_ms = panel->refresh_ms;
    for (uint32_t i = 0; i < dashboard->selector_count; i++) {
        if (!is_used(panel->sql, &values[i]))
            continue;
        struct sql_parameter *own = &query->parameters[query->parameter_count++];
        own->name =
            str_of(arena_strndup(&query->arena, values[i].name.data, values[i].name.length));
        own->value =
            str_of(arena_strndup(&query->arena, values[i].value.data, values[i].value.length));
    }
    enum status status = arena_check(&query->arena, "a live query", err);
    if (status != OK) {
        arena_fini(&query->arena);
        mem_free(query);
        return status;
    }
    mutex_init(&query->mutex);
    buf_init(&query->columns, 1u << 20);
    buf_init(&query->key_text, LIVE_BYTES_MAX);
    buf_init(&query->row_text, LIVE_BYTES_MAX);
    buf_init(&query->task_why, WHY_BYTES_MAX);
    query->changed.run = on_changed;
    query->ended.run = on_ended;
    query->task_done.run = on_task_done;
    query->frame_timer.fire = on_frame_timer;
    query->again_timer.fire = on_again_timer;
    query->why_timer.fire = on_why_timer;
    query->next = live->queries;
    live->queries = query;
    metric_add(&live->query_count, 1);
    *out = query;
    return OK;
}

void query_free(struct live_query *query)
{
    struct live *live = query->live;
    struct loop *loop = live->settings.loop;
    must(!query->watchers && !query->job);
    struct live_query **at = &live->queries;
    while (*at != query)
        at = &(*at)->next;
    *at = query->next;
    loop_timer_cancel(loop, &query->frame_timer);
    loop_timer_cancel(loop, &query->linger_timer);
    loop_timer_cancel(loop, &query->again_timer);
    loop_timer_cancel(loop, &query->why_timer);
    buffer_unref(query->snapshot);
    live_rows_fini(&query->rows);
    live_rows_fini(&query->fresh);
    buf_fini(&query->columns);
    buf_fini(&query->key_text);
    buf_fini(&query->row_text);
    buf_fini(&query->task_why);
    mutex_fini(&query->mutex);
    arena_fini(&query->arena);
    metric_add(&live->query_count, -1);
    mem_free(query);
}

void query_stop(struct live_query *query)
{
    release_job(query);
}

/* Nobody has come back in time. */
static void on_linger_timer(struct loop_timer *timer)
{
    struct live_query *query = container_of(timer, struct live_query, linger_timer);
    if (query->live->ending)
        return;
    query->unwanted = true;
    if (query->state == QUERY_RUNNING)
        release(query);
    else if (query->state == QUERY_RESTING)
        query_free(query);
}

/* Queries with the same text, values and bounds are one. */
static void identify(struct buf *out, const struct dashboard *dashboard, const struct panel *panel,
                     const struct sql_parameter *values)
{
    buf_printf(out, "%u %u %s", panel->keep, panel->refresh_ms, panel->sql);
    for (uint32_t i = 0; i < dashboard->selector_count; i++)
        if (is_used(panel->sql, &values[i]))
            buf_printf(out, "\n:%.*s=%.*s", (int)values[i].name.length, values[i].name.data,
                       (int)values[i].value.length, values[i].value.data);
}

enum status query_watch(struct live *live, const struct dashboard *dashboard,
                        const struct panel *panel, const struct sql_parameter *values,
                        struct subscription *subscription, struct error *err)
{
    struct buf identity;
    enum status status = OK;
    buf_init(&identity, QUERY_ARENA_MAX);
    identify(&identity, dashboard, panel, values);
    struct live_query *query = live->queries;
    while (query && (query->unwanted || strcmp(query->identity, buf_text(&identity)) != 0))
        query = query->next;
    bool fresh = !query;
    if (fresh)
        status = query_new(live, dashboard, panel, values, buf_text(&identity), &query, err);
    buf_fini(&identity);
    TRY(status);
    query->linger_timer.fire = on_linger_timer;
    loop_timer_cancel(live->settings.loop, &query->linger_timer);
    subscription->query = query;
    subscription->needs_snapshot = true;
    subscription->next = query->watchers;
    query->watchers = subscription;
    if (fresh || (query->state == QUERY_RESTING && !query->again_timer.heap_index))
        start(query);
    return OK;
}

void query_unwatch(struct subscription *subscription)
{
    struct live_query *query = subscription->query;
    struct subscription **at = &query->watchers;
    while (*at != subscription)
        at = &(*at)->next;
    *at = subscription->next;
    if (!query->watchers)
        arm(query, &query->linger_timer, LIVE_LINGER_US);
}

enum status query_check(struct live *live, const struct panel *panel,
                        const struct sql_parameter *parameters, uint32_t parameter_count,
                        struct error *err)
{
    struct session *session;
    struct statement statement = {0};
    struct arena arena;
    TRY(engine_session_new(&session, live->settings.engine, err));
    arena_init(&arena, NULL, SCRIPT_ARENA_MAX);
    enum status status =
        bind_query(session, panel->sql, parameters, parameter_count, &arena, &statement, err);
    sql_statement_fini(&statement);
    arena_fini(&arena);
    engine_session_free(session);
    return status;
}
