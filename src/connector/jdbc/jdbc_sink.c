/* jdbc_sink.c - writers that keep the last change per key and write it in one transaction at once.
 *
 *   write(): pending += batch; no write under way: pending becomes writing, a job starts
 *   job (the sink's one thread): opens the file and makes the table at first; BEGIN IMMEDIATE, a
 *        statement per change, COMMIT; a locked file is tried again, later and later
 *   job's end: more pending, or a flush that waits: the next job
 *
 * All writers of a sink share its connection; their jobs run one after another on the sink's one
 * thread. writer->mutex guards all of a writer but `writing`, which is the job's while busy.
 * Commits are synchronous=NORMAL; those a flush waits for are EXTRA (jdbc_target.c), or, when
 * nothing is left to write, the write-ahead log is synced (contracts.md rule 31).
 * Exactly-once sinks do none of this: their writers are jdbc_exact.c's.
 */
#include "connector/jdbc/jdbc_int.h"

#include <stdatomic.h>

#include "base/must.h"

#define BACK_OFF_FIRST_US 1000
#define BACK_OFF_MAX_US   100000
#define PACE_US           5000   /* from the start of one write of upserts to the next */
#define SAY_LOCKED_US     200000 /* waits shorter than this are not worth a sentence */
#define KEY_BYTES_MAX     (1u << 28)

struct sink {
    struct arena arena; /* options */
    struct jdbc_options options;
    struct io *io;
    struct io_pool *pool; /* one thread */
    bool upserts;
    struct jdbc_exact *exact;  /* NULL: rows are written at once */
    char *sink_id;             /* NULL: without checkpoints */
    atomic_bool is_cancelled;  /* a writer with work under way is being closed */
    struct jdbc_target target; /* the thread's; its path and table are const */
};

struct sink_writer {
    struct sink *sink;
    struct jdbc_exact_writer *exact; /* NULL: all below is used */
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

static enum status sink_guarantee(const struct table_description *table, enum sink_guarantee *out,
                                  struct error *err)
{
    *out = SINK_ASKS_CHECKPOINTED;
    return OK;
}

static enum status sink_mode(const struct table_description *table, enum sink_mode *out,
                             struct error *err)
{
    *out = table->primary_key_count > 0 ? SINK_UPSERT : SINK_APPEND;
    return OK;
}

/* ---- on the sink's thread */

/* Changes [first, last) in one transaction; nothing is left of a failed one. */
static enum status write_transaction(struct sink *sink, const struct jdbc_rows *rows,
                                     uint32_t first, uint32_t last, bool full, struct error *err)
{
    struct jdbc_target *target = &sink->target;
    TRY(jdbc_target_begin(target, full, err));
    enum status status = OK;
    for (uint32_t i = first; i < last && status == OK; i++)
        status = jdbc_target_change(target, rows->rows[i].is_delete,
                                    rows->bytes.data + rows->rows[i].offset, err);
    return jdbc_target_end(target, status, err);
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
        if (count > 0 || !sink->target.is_ready)
            status = write_patiently(writer, first, last, sync, &err);
        first = last;
    } while (status == OK && first < count);
    /* such a commit takes the earlier ones along */
    if (status == OK && sync && count == 0)
        status = jdbc_target_sync(&sink->target, &err);
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
    jdbc_target_close(&sink->target);
    jdbc_exact_free(sink->exact);
    mem_free(sink->sink_id);
    arena_fini(&sink->arena);
    mem_free(sink);
}

/* A table that is there already is compared now, so that a wrong one ends the job before it begins;
 * and whether what the job has left is still there. A locked file is left to the writer. */
static enum status look_first(struct sink *sink, bool *is_gone, struct error *err)
{
    struct error own = {0};
    bool exists = true, marked = true;
    enum status status = jdbc_target_look(&sink->target, &exists, &own);
    if (status == OK && is_gone) /* no checkpoint is made before table and marker are */
        status = jdbc_ledger_find(&sink->target, &marked, &own);
    if (status == ERR_LOCKED)
        return OK;
    if (status == OK && is_gone)
        *is_gone = !exists || !marked;
    if (status != OK && err)
        *err = own;
    return status;
}

static enum status copy_sink_id(struct sink *sink, const char *sink_id, struct error *err)
{
    if (!sink_id)
        return OK;
    size_t length = strlen(sink_id);
    sink->sink_id = mem_alloc(length + 1);
    if (!sink->sink_id)
        return error_memory(err, "connector 'jdbc'", length);
    memcpy(sink->sink_id, sink_id, length + 1);
    return OK;
}

static enum status fill(struct sink *sink, const struct sink_request *request, struct error *err)
{
    struct jdbc_target *target = &sink->target;
    TRY(jdbc_parse_options(request->table, &sink->options, &sink->arena, err));
    TRY(jdbc_sqlite_path(request->table, &sink->options, request->context, &target->path, err));
    TRY(jdbc_check_columns(request->table, err));
    TRY(copy_sink_id(sink, request->sink_id, err));
    if (sink->options.max_rows < 1 || sink->options.max_rows > JDBC_ROWS_CUT)
        sink->options.max_rows = JDBC_ROWS_CUT;
    target->table = request->table;
    target->name = sink->options.table_name;
    if (str_eq_nocase(str_of(target->name), STR(JDBC_LEDGER)))
        return error_set(err, ERR_OPTION, "table %s: the table " JDBC_LEDGER " is leat's own",
                         request->table->name);
    target->io = sink->io = request->context->io;
    if (request->delivery != SINK_AT_LEAST_ONCE)
        target->sink_id = sink->sink_id;
    target->marks = request->delivery == SINK_DIRECT;
    if (target->marks)
        memcpy(target->lineage, request->lineage, SINK_LINEAGE_BYTES);
    sink->upserts = request->table->primary_key_count > 0;
    TRY(look_first(sink, request->is_gone, err));
    if (request->delivery != SINK_EXACTLY_ONCE)
        return io_pool_new(&sink->pool, "jdbc", 1, err);
    sqlite3_close(target->db); /* the committer has its own */
    target->db = NULL;
    return jdbc_exact_new(&sink->exact, target, request, err);
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
    if (writer->exact)
        jdbc_exact_writer_close(writer->exact);
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
    writer->sink = sink;
    writer->wake = wake;
    enum status status =
        sink->exact ? jdbc_exact_writer_open(sink->exact, subtask, wake, &writer->exact, err)
                    : jdbc_rows_init(&writer->pending, sink->upserts, err);
    if (status == OK && !sink->exact)
        status = jdbc_rows_init(&writer->writing, sink->upserts, err);
    if (status != OK) {
        writer_free(writer);
        return status;
    }
    *out = writer;
    if (writer->exact)
        return OK;
    writer->job = (struct io_job){.run = run_job, .done = job_done};
    writer->busy = true; /* the first job makes the table, whether rows come or not */
    io_pool_submit(sink->pool, &writer->job);
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
    if (writer->exact)
        return jdbc_exact_write(writer->exact, batch, err);
    mutex_lock(&writer->mutex);
    if (writer->failure.code != OK) {
        result = failed(writer, err);
    } else if (jdbc_rows_full(&writer->pending)) {
        writer->full = true;
        condition_broadcast(&writer->changed);
        result = PUSH_FULL;
    } else if (jdbc_rows_add(&writer->pending, batch, writer->sink->target.table, &writer->keys,
                             err) != OK) {
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
    if (writer->exact)
        return jdbc_exact_flush(writer->exact, err);
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

static enum status writer_prepare(struct sink_writer *writer, uint64_t epoch,
                                  struct sink_committables *out, struct error *err)
{
    return jdbc_exact_prepare(writer->exact, out, err);
}

static enum status committer_open(struct sink *sink, struct sink_committer **out, struct error *err)
{
    return jdbc_committer_open(sink->exact, out, err);
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
               sink->target.path, (double)(now_us - since_us) / 1e6, sink->options.table_name);
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
    .guarantee = sink_guarantee,
    .prepare = writer_prepare,
    .committer_open = committer_open,
    .ledger = jdbc_committer_ledger,
    .commit = jdbc_committer_commit,
    .forget = jdbc_committer_forget,
    .committer_close = jdbc_committer_close,
};
