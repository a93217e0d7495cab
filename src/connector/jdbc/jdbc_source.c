/* jdbc_source.c - a bounded scan: one statement, its rows in batches, read on a thread of its own.
 *
 * The next batch is read while the task works on the one before. A scan sees the table at one
 * moment; reading it again may give other rows, so it has no position to go on from
 * (SOURCE_REPLAY_NONE).
 */
#include "connector/jdbc/jdbc_int.h"

#include "base/must.h"

#define BACK_OFF_FIRST_US 1000
#define BACK_OFF_MAX_US   100000

struct source {
    struct arena arena;
    struct jdbc_options options;
    const struct table_description *table;
    const char *path;
    struct io *io;
    struct mem_owner *owner;
    struct io_pool *pool; /* one thread */
    uint32_t wanted_count;
    uint32_t *wanted;
    int64_t limit;
    bool discovered;
    struct mutex mutex;
    int64_t locked_since_us; /* 0: not locked */
};

struct source_reader {
    struct source *source;
    struct wake *wake;
    struct io_job job;
    struct mutex mutex;
    struct condition changed;
    bool busy, closing;
    uint32_t row_max;
    /* the thread's while busy */
    sqlite3 *db;
    sqlite3_stmt *statement;
    struct vec **columns;
    struct batch *batch; /* read, not handed out */
    bool ended;
    struct error failure;
};

static enum status is_bounded(const struct table_description *table, bool *out, struct error *err)
{
    struct jdbc_options options;
    struct arena arena;
    arena_init(&arena, NULL, 1u << 20);
    enum status status = jdbc_parse_options(table, &options, &arena, err);
    arena_fini(&arena);
    *out = true;
    return status;
}

static void source_close(struct source *source)
{
    if (source->pool)
        io_pool_free(source->pool);
    mutex_fini(&source->mutex);
    mem_free(source->wanted);
    arena_fini(&source->arena);
    mem_free(source);
}

static enum status fill(struct source *source, const struct source_request *request,
                        struct error *err)
{
    TRY(jdbc_parse_options(request->table, &source->options, &source->arena, err));
    TRY(jdbc_sqlite_path(request->table, &source->options, request->context, &source->path, err));
    TRY(jdbc_check_columns(request->table, err));
    source->wanted = mem_calloc(request->wanted_count + 1, sizeof(*source->wanted));
    if (!source->wanted)
        return error_memory(err, "connector 'jdbc'", sizeof(*source));
    source->table = request->table;
    source->io = request->context->io;
    source->owner = request->owner;
    source->wanted_count = request->wanted_count;
    if (request->wanted_count)
        memcpy(source->wanted, request->wanted, request->wanted_count * sizeof(*source->wanted));
    /* predicates are left to the plan, so a limit counts only without them */
    source->limit = request->predicate_count == 0 ? request->limit : -1;
    return io_pool_new(&source->pool, "jdbc-scan", 1, err);
}

static enum status source_open(const struct source_request *request, struct wake *wake,
                               struct source **out, struct error *err)
{
    struct source *source = mem_calloc(1, sizeof(*source));
    if (!source)
        return error_memory(err, "connector 'jdbc'", sizeof(*source));
    arena_init(&source->arena, NULL, 1u << 20);
    mutex_init(&source->mutex);
    enum status status = fill(source, request, err);
    if (status != OK) {
        source_close(source);
        return status;
    }
    *out = source;
    return OK;
}

static enum poll_result source_discover(struct source *source, source_split_fn each, void *context,
                                        int64_t *again_us, struct error *err)
{
    struct source_split split = {.id = "scan"};
    if (source->discovered)
        return POLL_END;
    source->discovered = true;
    return each(context, &split, err) == OK ? POLL_ROWS : POLL_ERROR;
}

/* ---- on the reader's thread */

static void append_select(struct buf *sql, const struct source *source)
{
    buf_append_text(sql, "SELECT ");
    for (uint32_t i = 0; i < source->wanted_count; i++) {
        if (i)
            buf_append_text(sql, ", ");
        jdbc_append_name(sql, source->table->fields[source->wanted[i]].name);
    }
    if (source->wanted_count == 0)
        buf_append_byte(sql, '1');
    buf_append_text(sql, " FROM ");
    jdbc_append_name(sql, source->options.table_name);
    if (source->limit >= 0)
        buf_printf(sql, " LIMIT %lld", (long long)source->limit);
}

static enum status no_table(const struct source *source, struct error *err)
{
    error_set(err, ERR_NOT_FOUND, "SQLite file '%s' has no table '%s'", source->path,
              source->options.table_name);
    error_hint(err, "the option 'table-name' names it; a sink makes its table when its job starts");
    return ERR_NOT_FOUND;
}

/* A name in double quotes that is no column would be taken for a text by SQLite: columns are
 * checked first. */
static enum status prepare_scan(struct source_reader *reader, struct error *err)
{
    struct source *source = reader->source;
    struct buf sql;
    bool exists = false;
    if (!reader->db)
        TRY(jdbc_sqlite_open(&reader->db, source->io, source->path, false, err));
    TRY(jdbc_compare_table(reader->db, source->path, source->options.table_name, source->table,
                           false, &exists, err));
    if (!exists)
        return no_table(source, err);
    buf_init(&sql, JDBC_STATEMENT_MAX);
    append_select(&sql, source);
    enum status status =
        jdbc_sqlite_prepare(reader->db, source->path, &sql, &reader->statement, err);
    buf_fini(&sql);
    return status;
}

static enum status new_columns(struct source_reader *reader, struct error *err)
{
    const struct source *source = reader->source;
    for (uint32_t i = 0; i < source->wanted_count; i++)
        TRY(vec_new(&reader->columns[i], source->table->fields[source->wanted[i]].type,
                    reader->row_max, source->owner, err));
    return OK;
}

/* One row at the statement into row of all columns. */
static enum status read_row(struct source_reader *reader, uint32_t row, struct error *err)
{
    for (uint32_t i = 0; i < reader->source->wanted_count; i++) {
        reader->columns[i]->length = row + 1;
        TRY(jdbc_read_cell(reader->columns[i], row, reader->statement, (int)i, err));
    }
    return OK;
}

static enum status read_rows(struct source_reader *reader, uint32_t *count, struct error *err)
{
    struct source *source = reader->source;
    for (*count = 0; *count < reader->row_max; ++*count) {
        int code = sqlite3_step(reader->statement);
        if (code == SQLITE_DONE) {
            reader->ended = true;
            return OK;
        }
        if (code != SQLITE_ROW)
            return jdbc_sqlite_error(reader->db, source->path, "the scan failed", err);
        enum status status = read_row(reader, *count, err);
        if (status != OK) {
            error_prefix(err, "SQLite file '%s', table '%s', row %u of a batch", source->path,
                         source->options.table_name, *count + 1);
            return status;
        }
    }
    return OK;
}

static enum status read_batch(struct source_reader *reader, struct error *err)
{
    uint32_t count = 0;
    if (!reader->statement)
        TRY(prepare_scan(reader, err));
    enum status status = new_columns(reader, err);
    if (status == OK)
        status = read_rows(reader, &count, err);
    if (status == OK && count > 0) {
        status =
            batch_new(&reader->batch, reader->columns, reader->source->wanted_count, count, err);
    } else {
        for (uint32_t i = 0; i < reader->source->wanted_count; i++)
            vec_unref(reader->columns[i]);
    }
    memset(reader->columns, 0, (reader->source->wanted_count + 1) * sizeof(*reader->columns));
    return status;
}

/* False: the reader is being closed. */
static bool back_off(struct source_reader *reader, int64_t delay_us)
{
    struct source *source = reader->source;
    mutex_lock(&source->mutex);
    if (!source->locked_since_us)
        source->locked_since_us = io_monotonic_us(source->io);
    mutex_unlock(&source->mutex);
    mutex_lock(&reader->mutex);
    if (!reader->closing)
        condition_wait_for(&reader->changed, &reader->mutex, delay_us);
    bool go_on = !reader->closing;
    mutex_unlock(&reader->mutex);
    return go_on;
}

static void run_job(struct io_job *job)
{
    struct source_reader *reader = container_of(job, struct source_reader, job);
    for (int64_t delay_us = BACK_OFF_FIRST_US;; delay_us *= 2) {
        struct error err = {0};
        enum status status = read_batch(reader, &err);
        delay_us = delay_us < BACK_OFF_MAX_US ? delay_us : BACK_OFF_MAX_US;
        if (status == ERR_LOCKED && back_off(reader, delay_us))
            continue;
        if (status != OK)
            reader->failure = err;
        break;
    }
    mutex_lock(&reader->source->mutex);
    reader->source->locked_since_us = 0;
    mutex_unlock(&reader->source->mutex);
}

static void job_done(struct io_job *job)
{
    struct source_reader *reader = container_of(job, struct source_reader, job);
    mutex_lock(&reader->mutex);
    reader->busy = false;
    condition_broadcast(&reader->changed);
    wake_notify(reader->wake);
    mutex_unlock(&reader->mutex);
}

/* ---- on the task's thread */

static void reader_close(struct source_reader *reader)
{
    mutex_lock(&reader->mutex);
    reader->closing = true;
    condition_broadcast(&reader->changed);
    while (reader->busy)
        condition_wait(&reader->changed, &reader->mutex);
    mutex_unlock(&reader->mutex);
    batch_unref(reader->batch);
    sqlite3_finalize(reader->statement);
    sqlite3_close(reader->db);
    condition_fini(&reader->changed);
    mutex_fini(&reader->mutex);
    mem_free(reader->columns);
    mem_free(reader);
}

static enum status reader_open(struct source *source, const struct source_split *split,
                               const void *position, size_t position_bytes, struct wake *wake,
                               struct source_reader **out, struct error *err)
{
    if (position)
        return error_set(err, ERR_UNSUPPORTED,
                         "table %s: a scan of a live table cannot be read again from a position",
                         source->table->name);
    struct source_reader *reader = mem_calloc(1, sizeof(*reader));
    if (reader)
        reader->columns = mem_calloc(source->wanted_count + 1, sizeof(*reader->columns));
    if (!reader || !reader->columns) {
        mem_free(reader);
        return error_memory(err, "connector 'jdbc'", sizeof(*reader));
    }
    mutex_init(&reader->mutex);
    condition_init(&reader->changed);
    reader->source = source;
    reader->wake = wake;
    reader->job = (struct io_job){.run = run_job, .done = job_done};
    *out = reader;
    return OK;
}

static enum poll_result reader_poll(struct source_reader *reader, uint32_t max_rows,
                                    struct source_output *out, struct error *err)
{
    *out = (struct source_output){0};
    mutex_lock(&reader->mutex);
    bool busy = reader->busy;
    mutex_unlock(&reader->mutex);
    if (busy)
        return POLL_WAIT;
    if (reader->failure.code != OK) {
        if (err)
            *err = reader->failure;
        return POLL_ERROR;
    }
    out->batch = reader->batch;
    reader->batch = NULL;
    if (!out->batch && reader->ended)
        return POLL_END;
    if (!reader->ended) {
        reader->row_max = max_rows < BATCH_ROWS_MAX ? max_rows : BATCH_ROWS_MAX;
        reader->busy = true; /* nobody else looks at it before the submit */
        io_pool_submit(reader->source->pool, &reader->job);
    }
    return out->batch ? POLL_ROWS : POLL_WAIT;
}

static enum status reader_position(struct source_reader *reader, struct buf *out, struct error *err)
{
    return OK;
}

static bool source_why(struct source *source, struct buf *out)
{
    mutex_lock(&source->mutex);
    int64_t since_us = source->locked_since_us;
    mutex_unlock(&source->mutex);
    if (!since_us)
        return false;
    buf_printf(out, "The SQLite file '%s' has been locked by another connection for %.1f s.",
               source->path, (double)(io_monotonic_us(source->io) - since_us) / 1e6);
    return true;
}

static enum source_replay source_replay(const struct table_description *table)
{
    return SOURCE_REPLAY_NONE;
}

const struct source_class JDBC_SOURCE = {
    .size = sizeof(struct source_class),
    .is_bounded = is_bounded,
    .open = source_open,
    .discover = source_discover,
    .reader_open = reader_open,
    .poll = reader_poll,
    .position = reader_position,
    .why = source_why,
    .reader_close = reader_close,
    .close = source_close,
    .replay = source_replay,
};
