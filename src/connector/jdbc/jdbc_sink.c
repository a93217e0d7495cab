/* jdbc_sink.c - writers that keep the last change per key and write it in one transaction at once.
 *
 *   write(): pending += batch; no write under way: pending becomes writing, a job starts
 *   job (the sink's one thread): opens the file and makes the table at first; BEGIN IMMEDIATE, a
 *        statement per change, COMMIT; a locked file is tried again, later and later
 *   job's end: more pending, or a flush that waits: the next job
 *
 * All writers of a sink share its connection; their jobs run one after another on the sink's one
 * thread. writer->mutex guards all of a writer but `writing`, which is the job's while busy.
 * Commits are synchronous=NORMAL; those a flush waits for are EXTRA (FULL, and without a
 * write-ahead log the directory is synced after the journal is deleted: else a power cut brings the
 * journal back and takes the commit), or, when nothing is left to write, the write-ahead log is
 * synced (contracts.md rule 31). A file that cannot have a write-ahead log is always EXTRA.
 */
#include "connector/jdbc/jdbc_int.h"

#include <stdatomic.h>

#include "base/must.h"

#define BACK_OFF_FIRST_US 1000
#define BACK_OFF_MAX_US   100000
#define PACE_US           5000   /* from the start of one write of upserts to the next */
#define SAY_LOCKED_US     200000 /* waits shorter than this are not worth a sentence */
#define KEY_BYTES_MAX     (1u << 28)

enum synchronous { SYNCHRONOUS_UNKNOWN, SYNCHRONOUS_NORMAL, SYNCHRONOUS_EXTRA };

struct sink {
    struct arena arena; /* options */
    struct jdbc_options options;
    const struct table_description *table;
    struct io *io;
    struct io_pool *pool; /* one thread */
    const char *path;
    bool upserts;
    atomic_bool is_cancelled; /* a writer with work under way is being closed */
    /* the thread's */
    sqlite3 *db;
    bool is_ready; /* table and statements are there */
    bool has_wal;
    enum synchronous synchronous; /* as set */
    sqlite3_stmt *begin, *commit, *rollback, *upsert, *delete;
};

struct sink_writer {
    struct sink *sink;
    struct wake *wake;
    struct io_job job;
    struct mutex mutex;
    struct condition changed; /* busy went false, closing went true */
    struct key_batch keys;
    struct jdbc_rows pending, writing;
    bool busy;
    bool closing;
    bool full;               /* a write was refused: wake when there is room */
    bool must_sync;          /* a flush waits */
    bool unsynced;           /* commits since the last one that was durable */
    int64_t locked_since_us; /* 0: the file is not locked */
    struct error failure;
};

static enum status sink_mode(const struct table_description *table, enum sink_mode *out,
                             struct error *err)
{
    *out = table->primary_key_count > 0 ? SINK_UPSERT : SINK_APPEND;
    return OK;
}

/* ---- on the sink's thread */

static enum status prepare_text(struct sink *sink, const char *text, sqlite3_stmt **out,
                                struct error *err)
{
    struct buf sql;
    buf_init(&sql, 64);
    buf_append_text(&sql, text);
    enum status status = jdbc_sqlite_prepare(sink->db, sink->path, &sql, out, err);
    buf_fini(&sql);
    return status;
}

static enum status prepare_table(struct sink *sink,
                                 void (*append)(struct buf *sql, const char *name,
                                                const struct table_description *table),
                                 sqlite3_stmt **out, struct error *err)
{
    struct buf sql;
    buf_init(&sql, JDBC_STATEMENT_MAX);
    append(&sql, sink->options.table_name, sink->table);
    enum status status = jdbc_sqlite_prepare(sink->db, sink->path, &sql, out, err);
    buf_fini(&sql);
    return status;
}

static enum status set_synchronous(struct sink *sink, bool full, struct error *err)
{
    static const char *const texts[] = {
        [SYNCHRONOUS_NORMAL] = "PRAGMA synchronous=NORMAL",
        [SYNCHRONOUS_EXTRA] = "PRAGMA synchronous=EXTRA",
    };
    enum synchronous wanted = sink->has_wal && !full ? SYNCHRONOUS_NORMAL : SYNCHRONOUS_EXTRA;
    if (sink->synchronous == wanted)
        return OK;
    TRY(jdbc_sqlite_exec(sink->db, sink->path, texts[wanted], err));
    sink->synchronous = wanted;
    return OK;
}

/* Everything committed so far survives a power cut after this. */
static enum status sync_log(struct sink *sink, struct error *err)
{
    sqlite3_file *file = NULL;
    if (sqlite3_file_control(sink->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) != SQLITE_OK ||
        !file || !file->pMethods)
        return OK; /* not open: nothing has been written to it */
    if (file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) != SQLITE_OK)
        return error_set(err, ERR_IO, "SQLite file '%s': it cannot be synced", sink->path);
    return OK;
}

static enum status ask_for_wal(struct sink *sink, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    TRY(prepare_text(sink, "PRAGMA journal_mode=WAL", &statement, err));
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        sink->has_wal =
            str_eq_nocase(str_of((const char *)sqlite3_column_text(statement, 0)), STR("wal"));
        code = sqlite3_step(statement); /* only then the file's mode is changed */
    }
    enum status status = OK;
    if (code != SQLITE_DONE)
        status = jdbc_sqlite_error(sink->db, sink->path, "PRAGMA journal_mode=WAL", err);
    sqlite3_finalize(statement);
    return status;
}

static enum status make_table(struct sink *sink, struct error *err)
{
    struct buf sql;
    bool exists = false;
    TRY(jdbc_compare_table(sink->db, sink->path, sink->options.table_name, sink->table, true,
                           &exists, err));
    if (exists)
        return OK;
    buf_init(&sql, JDBC_STATEMENT_MAX);
    jdbc_create_sql(&sql, sink->options.table_name, sink->table);
    enum status status = buf_check(&sql, "a statement for SQLite", err);
    if (status == OK)
        status = jdbc_sqlite_exec(sink->db, sink->path, buf_text(&sql), err);
    buf_fini(&sql);
    return status;
}

static enum status make_ready(struct sink *sink, struct error *err)
{
    if (sink->is_ready)
        return OK;
    if (!sink->db)
        TRY(jdbc_sqlite_open(&sink->db, sink->io, sink->path, true, err));
    TRY(set_synchronous(sink, true, err));
    TRY(ask_for_wal(sink, err));
    TRY(make_table(sink, err));
    if (!sink->begin)
        TRY(prepare_text(sink, "BEGIN IMMEDIATE", &sink->begin, err));
    if (!sink->commit)
        TRY(prepare_text(sink, "COMMIT", &sink->commit, err));
    if (!sink->rollback)
        TRY(prepare_text(sink, "ROLLBACK", &sink->rollback, err));
    if (!sink->upsert)
        TRY(prepare_table(sink, jdbc_upsert_sql, &sink->upsert, err));
    if (!sink->delete &&sink->upserts)
        TRY(prepare_table(sink, jdbc_delete_sql, &sink->delete, err));
    sink->is_ready = true;
    return OK;
}

static enum status step(struct sink *sink, sqlite3_stmt *statement, const char *what,
                        struct error *err)
{
    enum status status = OK;
    if (sqlite3_step(statement) != SQLITE_DONE)
        status = jdbc_sqlite_error(sink->db, sink->path, what, err);
    sqlite3_reset(statement);
    return status;
}

static enum status write_row(struct sink *sink, const struct jdbc_rows *rows,
                             const struct jdbc_row *row, struct error *err)
{
    sqlite3_stmt *statement = row->is_delete ? sink->delete : sink->upsert;
    uint32_t count = row->is_delete ? sink->table->primary_key_count : sink->table->field_count;
    if (jdbc_bind(statement, rows->bytes.data + row->offset, count) != SQLITE_OK)
        return jdbc_sqlite_error(sink->db, sink->path, "a value was refused", err);
    return step(sink, statement, "a row was refused", err);
}

/* Changes [first, last) in one transaction; nothing is left of a failed one. */
static enum status write_transaction(struct sink *sink, const struct jdbc_rows *rows,
                                     uint32_t first, uint32_t last, bool full, struct error *err)
{
    TRY(make_ready(sink, err));
    TRY(set_synchronous(sink, full, err));
    TRY(step(sink, sink->begin, "BEGIN", err));
    enum status status = OK;
    for (uint32_t i = first; i < last && status == OK; i++)
        status = write_row(sink, rows, &rows->rows[i], err);
    if (status == OK)
        status = step(sink, sink->commit, "COMMIT", err);
    if (status != OK && !sqlite3_get_autocommit(sink->db))
        (void)step(sink, sink->rollback, "ROLLBACK", NULL); /* the first error counts */
    return status;
}

/* Sleeps, unless a writer is being closed whose job may be behind this one. False: one is. */
static bool back_off(struct sink_writer *writer, int64_t delay_us)
{
    mutex_lock(&writer->mutex);
    if (!writer->locked_since_us)
        writer->locked_since_us = io_monotonic_us(writer->sink->io);
    if (!atomic_load(&writer->sink->is_cancelled))
        condition_wait_for(&writer->changed, &writer->mutex, delay_us);
    bool go_on = !atomic_load(&writer->sink->is_cancelled);
    mutex_unlock(&writer->mutex);
    return go_on;
}

/* Until it is written or fails otherwise than by a lock. ERR_CANCELLED: the writer is closed. */
static enum status write_patiently(struct sink_writer *writer, uint32_t first, uint32_t last,
                                   bool full, struct error *err)
{
    for (int64_t delay_us = BACK_OFF_FIRST_US;; delay_us *= 2) {
        struct error own = {0};
        enum status status =
            write_transaction(writer->sink, &writer->writing, first, last, full, &own);
        if (status != ERR_LOCKED) {
            mutex_lock(&writer->mutex);
            writer->locked_since_us = 0;
            mutex_unlock(&writer->mutex);
            *err = own;
            return status;
        }
        delay_us = delay_us < BACK_OFF_MAX_US ? delay_us : BACK_OFF_MAX_US;
        if (!back_off(writer, delay_us))
            return error_set(err, ERR_CANCELLED, "%s", own.text);
    }
}

/* Rows that come soon after a write wait a little, so that many changes of a key cost one: a stream
 * is written at most 200 times a second, a change after a pause at once. */
static void keep_pace(struct sink_writer *writer, int64_t started_us)
{
    mutex_lock(&writer->mutex);
    while (!writer->must_sync && !writer->closing && !writer->full) {
        int64_t left_us = started_us + PACE_US - io_monotonic_us(writer->sink->io);
        if (left_us <= 0 || !condition_wait_for(&writer->changed, &writer->mutex, left_us))
            break;
    }
    mutex_unlock(&writer->mutex);
}

static void run_job(struct io_job *job)
{
    struct sink_writer *writer = container_of(job, struct sink_writer, job);
    struct sink *sink = writer->sink;
    struct error err = {0};
    int64_t started_us = io_monotonic_us(sink->io);
    mutex_lock(&writer->mutex);
    struct jdbc_rows taken = writer->pending;
    writer->pending = writer->writing;
    writer->writing = taken;
    bool sync = writer->must_sync;
    bool was_unsynced = writer->unsynced;
    if (writer->full)
        wake_notify(writer->wake);
    writer->full = false;
    mutex_unlock(&writer->mutex);

    enum status status = OK;
    uint32_t count = writer->writing.count, cut = (uint32_t)sink->options.max_rows;
    uint32_t first = 0;
    do { /* without rows: makes the file and the table */
        uint32_t last = count - first > cut ? first + cut : count;
        if (count > 0 || !sink->is_ready)
            status = write_patiently(writer, first, last, sync, &err);
        first = last;
    } while (status == OK && first < count);
    /* such a commit takes the earlier ones along */
    if (status == OK && sync && count == 0)
        status = sync_log(sink, &err);
    jdbc_rows_clear(&writer->writing);

    mutex_lock(&writer->mutex);
    writer->unsynced = !sync && (was_unsynced || count > 0);
    if (status != OK)
        writer->failure = err;
    mutex_unlock(&writer->mutex);
    if (status == OK && sink->upserts && count > 0)
        keep_pace(writer, started_us);
}

/* Goes on while there is more; after busy is cleared the writer may be closed at any time. */
static void job_done(struct io_job *job)
{
    struct sink_writer *writer = container_of(job, struct sink_writer, job);
    struct io_pool *pool = writer->sink->pool;
    mutex_lock(&writer->mutex);
    bool again = writer->failure.code == OK && !writer->closing &&
                 (writer->pending.count > 0 || (writer->must_sync && writer->unsynced));
    if (!again) {
        writer->busy = false;
        condition_broadcast(&writer->changed);
        wake_notify(writer->wake);
    }
    mutex_unlock(&writer->mutex);
    if (again)
        io_pool_submit(pool, job);
}

/* ---- on the task's thread */

static void sink_close(struct sink *sink)
{
    if (sink->pool)
        io_pool_free(sink->pool);
    sqlite3_finalize(sink->begin);
    sqlite3_finalize(sink->commit);
    sqlite3_finalize(sink->rollback);
    sqlite3_finalize(sink->upsert);
    sqlite3_finalize(sink->delete);
    sqlite3_close(sink->db);
    arena_fini(&sink->arena);
    mem_free(sink);
}

/* A table that is there already is compared now, so that a wrong one ends the job before it begins.
 * A locked file is left to the writer. */
static enum status look_first(struct sink *sink, bool *is_gone, struct error *err)
{
    struct error own = {0};
    bool exists = true;
    enum status status = jdbc_sqlite_open(&sink->db, sink->io, sink->path, true, &own);
    if (status == OK)
        status = jdbc_compare_table(sink->db, sink->path, sink->options.table_name, sink->table,
                                    true, &exists, &own);
    if (status == ERR_LOCKED)
        return OK;
    if (status == OK && is_gone)
        *is_gone = !exists; /* no checkpoint is made before the table is */
    if (status != OK && err)
        *err = own;
    return status;
}

static enum status fill(struct sink *sink, const struct sink_request *request, struct error *err)
{
    TRY(jdbc_parse_options(request->table, &sink->options, &sink->arena, err));
    TRY(jdbc_sqlite_path(request->table, &sink->options, request->context, &sink->path, err));
    TRY(jdbc_check_columns(request->table, err));
    if (sink->options.max_rows < 1 || sink->options.max_rows > JDBC_ROWS_CUT)
        sink->options.max_rows = JDBC_ROWS_CUT;
    sink->table = request->table;
    sink->io = request->context->io;
    sink->upserts = request->table->primary_key_count > 0;
    TRY(look_first(sink, request->is_gone, err));
    return io_pool_new(&sink->pool, "jdbc", 1, err);
}

static enum status sink_open(const struct sink_request *request, struct sink **out,
                             struct error *err)
{
    struct sink *sink = mem_calloc(1, sizeof(*sink));
    if (!sink)
        return error_memory(err, "connector 'jdbc'", sizeof(*sink));
    arena_init(&sink->arena, NULL, 1u << 20);
    enum status status = fill(sink, request, err);
    if (status != OK) {
        sink_close(sink);
        return status;
    }
    *out = sink;
    return OK;
}

static void writer_free(struct sink_writer *writer)
{
    key_batch_fini(&writer->keys);
    jdbc_rows_fini(&writer->pending);
    jdbc_rows_fini(&writer->writing);
    condition_fini(&writer->changed);
    mutex_fini(&writer->mutex);
    mem_free(writer);
}

static enum status writer_open(struct sink *sink, uint32_t subtask, struct wake *wake,
                               struct sink_writer **out, struct error *err)
{
    struct sink_writer *writer = mem_calloc(1, sizeof(*writer));
    if (!writer)
        return error_memory(err, "connector 'jdbc'", sizeof(*writer));
    mutex_init(&writer->mutex);
    condition_init(&writer->changed);
    key_batch_init(&writer->keys, KEY_BYTES_MAX);
    enum status status = jdbc_rows_init(&writer->pending, sink->upserts, err);
    if (status == OK)
        status = jdbc_rows_init(&writer->writing, sink->upserts, err);
    if (status != OK) {
        writer_free(writer);
        return status;
    }
    writer->sink = sink;
    writer->wake = wake;
    writer->job = (struct io_job){.run = run_job, .done = job_done};
    writer->busy = true; /* the first job makes the table, whether rows come or not */
    io_pool_submit(sink->pool, &writer->job);
    *out = writer;
    return OK;
}

/* Under the mutex. True: the caller submits the job once it has given the mutex up. */
static bool start(struct sink_writer *writer)
{
    if (writer->busy)
        return false;
    writer->busy = true;
    return true;
}

static enum push_result failed(const struct sink_writer *writer, struct error *err)
{
    if (err)
        *err = writer->failure;
    return PUSH_ERROR;
}

static enum push_result writer_write(struct sink_writer *writer, struct batch *batch,
                                     struct error *err)
{
    enum push_result result = PUSH_DONE;
    bool submit = false;
    mutex_lock(&writer->mutex);
    if (writer->failure.code != OK) {
        result = failed(writer, err);
    } else if (jdbc_rows_full(&writer->pending)) {
        writer->full = true;
        condition_broadcast(&writer->changed);
        result = PUSH_FULL;
    } else if (jdbc_rows_add(&writer->pending, batch, writer->sink->table, &writer->keys, err) !=
               OK) {
        result = PUSH_ERROR;
    } else if (writer->pending.count > 0) {
        submit = start(writer);
    }
    mutex_unlock(&writer->mutex);
    if (submit)
        io_pool_submit(writer->sink->pool, &writer->job);
    return result;
}

static enum push_result writer_finish(struct sink_writer *writer, struct error *err)
{
    enum push_result result = PUSH_FULL;
    bool submit = false;
    mutex_lock(&writer->mutex);
    if (writer->failure.code != OK) {
        result = failed(writer, err);
    } else if (!writer->busy && writer->pending.count == 0 && !writer->unsynced) {
        writer->must_sync = false;
        result = PUSH_DONE;
    } else {
        writer->must_sync = true;
        condition_broadcast(&writer->changed);
        submit = start(writer);
    }
    mutex_unlock(&writer->mutex);
    if (submit)
        io_pool_submit(writer->sink->pool, &writer->job);
    return result;
}

static enum push_result writer_flush(struct sink_writer *writer, uint64_t epoch, struct error *err)
{
    return writer_finish(writer, err);
}

static bool writer_why(struct sink_writer *writer, struct buf *out)
{
    struct sink *sink = writer->sink;
    mutex_lock(&writer->mutex);
    int64_t since_us = writer->locked_since_us, now_us = io_monotonic_us(sink->io);
    mutex_unlock(&writer->mutex);
    if (!since_us || now_us - since_us < SAY_LOCKED_US)
        return false;
    buf_printf(out,
               "The SQLite file '%s' has been locked by another connection for %.1f s; rows for "
               "'%s' wait until it ends its transaction.",
               sink->path, (double)(now_us - since_us) / 1e6, sink->options.table_name);
    return true;
}

static void writer_close(struct sink_writer *writer)
{
    mutex_lock(&writer->mutex);
    writer->closing = true;
    if (writer->busy)
        atomic_store(&writer->sink->is_cancelled, true);
    condition_broadcast(&writer->changed);
    while (writer->busy)
        condition_wait(&writer->changed, &writer->mutex);
    mutex_unlock(&writer->mutex);
    writer_free(writer);
}

const struct sink_class JDBC_SINK = {
    .size = sizeof(struct sink_class),
    .keeps_state = true,
    .mode = sink_mode,
    .open = sink_open,
    .writer_open = writer_open,
    .write = writer_write,
    .flush = writer_flush,
    .finish = writer_finish,
    .why = writer_why,
    .writer_close = writer_close,
    .close = sink_close,
};
