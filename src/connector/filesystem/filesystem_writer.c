/* filesystem_writer.c - a writer of the filesystem sink: rows into hidden parts, one after another.
 *
 *   task: write() --encode--> filling --> a job of the I/O pool --> part --full, old--> ready
 *   exactly once: flush() ends the part; prepare() hands the ready ones to the committer
 *   else:         finish() ends the part and gives all ready ones their names
 *
 * A part in `ready` is whole and synced; after a flush its directory entry is durable too. mutex
 * guards all of a writer but what the job has at the moment.
 */
#include "connector/filesystem/filesystem_sink.h"

#include "base/calendar.h"
#include "base/must.h"

#define WAITING_MAX (4u << 20) /* bytes waiting before the task waits too */
#define TEXT_MAX    (1u << 30)
#define READY_MAX   (1u << 20)

enum want { WANT_ROWS, WANT_PARTS, WANT_NAMES }; /* written; in whole parts; to be seen */

struct part {
    uint32_t number;
    uint64_t row_count, size_bytes;
};

struct sink_writer {
    struct sink *sink;
    uint32_t subtask;
    struct wake *wake;
    struct io_job job;
    struct encoder *encoder;
    uint32_t offsets[BATCH_ROWS_MAX + 1];
    struct buf rows; /* of one batch, encoded */
    struct mutex mutex;
    struct condition idle;
    struct buf filling;
    uint64_t filling_rows;
    bool busy;
    enum want want;
    struct error failure;
    /* the job's while busy */
    struct buf writing;
    uint64_t writing_rows;
    struct io_file *file; /* of part; NULL: none is open */
    struct part part;
    int64_t opened_us;
    uint32_t next_number;
    bool unsynced; /* entries of the directory */
    uint32_t ready_count, ready_capacity;
    struct part *ready;
};

/* ---- on a thread of the I/O pool ---- */

static void hidden_path(const struct sink_writer *writer, uint32_t number,
                        char dest[PART_PATH_BYTES])
{
    char path[PART_PATH_BYTES];
    part_path(writer->sink, writer->subtask, number, path);
    part_hidden_path(path, dest);
}

/* There is room for it in `ready`, so that ending it cannot fail for want of memory. */
static enum status begin_part(struct sink_writer *writer, struct error *err)
{
    char path[PART_PATH_BYTES];
    if (writer->ready_count == writer->ready_capacity) {
        uint32_t capacity = writer->ready_capacity ? writer->ready_capacity * 2 : 8;
        if (capacity > READY_MAX)
            return error_set(err, ERR_LIMIT, "more than %u files in one checkpoint", READY_MAX);
        struct part *ready = mem_realloc(writer->ready, capacity * sizeof(*ready));
        if (!ready)
            return error_memory(err, "files of a sink", capacity * sizeof(*ready));
        writer->ready = ready;
        writer->ready_capacity = capacity;
    }
    writer->part = (struct part){.number = writer->next_number++};
    writer->opened_us = io_monotonic_us(writer->sink->io);
    writer->unsynced = true;
    hidden_path(writer, writer->part.number, path);
    return io_open(writer->sink->io, path, IO_WRITE | IO_CREATE | IO_EXCLUSIVE, &writer->file, err);
}

static enum status end_part(struct sink_writer *writer, struct error *err)
{
    if (!writer->file)
        return OK;
    TRY(io_sync(writer->sink->io, writer->file, err));
    io_close(writer->sink->io, writer->file);
    writer->file = NULL;
    writer->ready[writer->ready_count++] = writer->part;
    return OK;
}

static bool is_due(const struct sink_writer *writer)
{
    const struct filesystem_options *options = &writer->sink->options;
    return writer->part.size_bytes >= options->roll_bytes ||
           io_monotonic_us(writer->sink->io) - writer->opened_us >= options->roll_ms * US_PER_MS;
}

static enum status write_taken(struct sink_writer *writer, struct error *err)
{
    if (writer->writing.length == 0)
        return OK;
    if (!writer->file)
        TRY(begin_part(writer, err));
    TRY(io_pwrite(writer->sink->io, writer->file, writer->writing.data, writer->writing.length,
                  writer->part.size_bytes, err));
    writer->part.size_bytes += writer->writing.length;
    writer->part.row_count += writer->writing_rows;
    return is_due(writer) ? end_part(writer, err) : OK;
}

static enum status sync_entries(struct sink_writer *writer, struct error *err)
{
    if (writer->unsynced)
        TRY(io_sync_directory(writer->sink->io, writer->sink->options.path, err));
    writer->unsynced = false;
    return OK;
}

static enum status publish(struct sink_writer *writer, struct error *err)
{
    char path[PART_PATH_BYTES];
    for (; writer->ready_count; writer->ready_count--, writer->unsynced = true) {
        part_path(writer->sink, writer->subtask, writer->ready[writer->ready_count - 1].number,
                  path);
        TRY(part_publish(writer->sink, path, err));
    }
    return sync_entries(writer, err);
}

static enum status work(struct sink_writer *writer, enum want want, struct error *err)
{
    TRY(write_taken(writer, err));
    if (want == WANT_ROWS)
        return OK;
    TRY(end_part(writer, err));
    TRY(sync_entries(writer, err));
    return want == WANT_NAMES ? publish(writer, err) : OK;
}

static void run_job(struct io_job *job)
{
    struct sink_writer *writer = container_of(job, struct sink_writer, job);
    struct error err = {0};
    mutex_lock(&writer->mutex);
    struct buf taken = writer->filling;
    writer->filling = writer->writing;
    writer->writing = taken;
    writer->writing_rows = writer->filling_rows;
    writer->filling_rows = 0;
    enum want want = writer->want;
    mutex_unlock(&writer->mutex);
    enum status status = work(writer, want, &err);
    buf_clear(&writer->writing);
    mutex_lock(&writer->mutex);
    if (status != OK)
        writer->failure = err;
    else if (writer->want == want)
        writer->want = WANT_ROWS;
    mutex_unlock(&writer->mutex);
}

/* Goes on while there is more; after busy is cleared the writer may be closed at any time. */
static void job_done(struct io_job *job)
{
    struct sink_writer *writer = container_of(job, struct sink_writer, job);
    struct io_pool *pool = writer->sink->pool;
    mutex_lock(&writer->mutex);
    bool again =
        writer->failure.code == OK && (writer->filling.length > 0 || writer->want != WANT_ROWS);
    if (!again) {
        writer->busy = false;
        condition_broadcast(&writer->idle);
    }
    wake_notify(writer->wake);
    mutex_unlock(&writer->mutex);
    if (again)
        io_pool_submit(pool, job);
}

/* ---- on the task's thread ---- */

/* Nobody needs it; one that cannot be removed stays hidden. */
static void remove_part(const struct sink_writer *writer, uint32_t number)
{
    char path[PART_PATH_BYTES];
    struct error ignored = {0};
    hidden_path(writer, number, path);
    if (io_unlink(writer->sink->io, path, &ignored) != OK)
        error_clear(&ignored);
}

void filesystem_writer_close(struct sink_writer *writer)
{
    mutex_lock(&writer->mutex);
    while (writer->busy)
        condition_wait(&writer->idle, &writer->mutex);
    mutex_unlock(&writer->mutex);
    if (writer->file) {
        io_close(writer->sink->io, writer->file);
        remove_part(writer, writer->part.number);
    }
    for (uint32_t i = 0; i < writer->ready_count; i++)
        remove_part(writer, writer->ready[i].number);
    if (writer->encoder)
        writer->sink->format->encoder_close(writer->encoder);
    mem_free(writer->ready);
    buf_fini(&writer->filling);
    buf_fini(&writer->writing);
    buf_fini(&writer->rows);
    condition_fini(&writer->idle);
    mutex_fini(&writer->mutex);
    mem_free(writer);
}

enum status filesystem_writer_open(struct sink *sink, uint32_t subtask, struct wake *wake,
                                   struct sink_writer **out, struct error *err)
{
    struct sink_writer *writer = mem_calloc(1, sizeof(*writer));
    struct encoder_request request = {
        .table = &sink->table,
        .options = sink->format_options,
        .option_count = sink->format_option_count,
        .context = sink->context,
        .owner = sink->owner,
    };
    if (!writer)
        return error_memory(err, "connector 'filesystem'", sizeof(*writer));
    mutex_init(&writer->mutex);
    condition_init(&writer->idle);
    buf_init(&writer->filling, TEXT_MAX);
    buf_init(&writer->writing, TEXT_MAX);
    buf_init(&writer->rows, TEXT_MAX);
    writer->sink = sink;
    writer->subtask = subtask;
    writer->wake = wake;
    writer->job = (struct io_job){.run = run_job, .done = job_done};
    enum status status = sink->format->encoder_open(&request, &writer->encoder, err);
    if (status != OK) {
        filesystem_writer_close(writer);
        return status;
    }
    *out = writer;
    return OK;
}

/* One row a line. */
static enum status append_rows(struct sink_writer *writer, const struct batch *batch,
                               struct error *err)
{
    buf_clear(&writer->rows);
    TRY(writer->sink->format->encode(writer->encoder, batch, &writer->rows, writer->offsets, err));
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t from = writer->offsets[i];
        if (writer->offsets[i + 1] > from)
            buf_append(&writer->filling, writer->rows.data + from, writer->offsets[i + 1] - from);
        buf_append_byte(&writer->filling, '\n');
    }
    writer->filling_rows += batch->selected_count;
    return buf_check(&writer->filling, "rows for a file", err);
}

static enum push_result failed(const struct sink_writer *writer, struct error *err)
{
    if (err)
        *err = writer->failure;
    return PUSH_ERROR;
}

/* Under the mutex; then the caller submits the job. */
static bool start(struct sink_writer *writer)
{
    bool idle = !writer->busy;
    writer->busy = true;
    return idle;
}

enum push_result filesystem_write(struct sink_writer *writer, struct batch *batch,
                                  struct error *err)
{
    enum push_result result = PUSH_DONE;
    bool submit = false;
    mutex_lock(&writer->mutex);
    if (writer->failure.code != OK)
        result = failed(writer, err);
    else if (writer->filling.length >= WAITING_MAX)
        result = PUSH_FULL;
    else if (append_rows(writer, batch, err) != OK)
        result = PUSH_ERROR;
    else if (writer->filling.length > 0)
        submit = start(writer);
    mutex_unlock(&writer->mutex);
    if (submit)
        io_pool_submit(writer->sink->pool, &writer->job);
    return result;
}

/* What is not busy has written all its rows. */
static bool has(const struct sink_writer *writer, enum want want)
{
    return !writer->busy && !writer->file && !writer->unsynced &&
           (want != WANT_NAMES || !writer->ready_count);
}

static enum push_result reach(struct sink_writer *writer, enum want want, struct error *err)
{
    enum push_result result = PUSH_FULL;
    bool submit = false;
    mutex_lock(&writer->mutex);
    if (writer->failure.code != OK) {
        result = failed(writer, err);
    } else if (has(writer, want)) {
        result = PUSH_DONE;
    } else {
        writer->want = want;
        submit = start(writer);
    }
    mutex_unlock(&writer->mutex);
    if (submit)
        io_pool_submit(writer->sink->pool, &writer->job);
    return result;
}

enum push_result filesystem_flush(struct sink_writer *writer, uint64_t epoch, struct error *err)
{
    return reach(writer, WANT_PARTS, err);
}

enum push_result filesystem_finish(struct sink_writer *writer, struct error *err)
{
    return reach(writer, writer->sink->exactly_once ? WANT_PARTS : WANT_NAMES, err);
}

static enum status add_committable(struct sink_writer *writer, const struct part *part,
                                   struct sink_committables *out, struct error *err)
{
    char path[PART_PATH_BYTES];
    struct buf bytes;
    part_path(writer->sink, writer->subtask, part->number, path);
    buf_init(&bytes, SINK_COMMITTABLE_BYTES_MAX);
    enum status status = part_encode(path, &bytes, err);
    if (status == OK)
        status = sink_committables_add(
            out,
            &(struct sink_committable){
                part->row_count, part->size_bytes, {(const char *)bytes.data, bytes.length}},
            err);
    buf_fini(&bytes);
    return status;
}

enum status filesystem_prepare(struct sink_writer *writer, uint64_t epoch,
                               struct sink_committables *out, struct error *err)
{
    must(has(writer, WANT_PARTS)); /* after flush, so they are ours */
    for (uint32_t i = 0; i < writer->ready_count; i++)
        TRY(add_committable(writer, &writer->ready[i], out, err));
    writer->ready_count = 0;
    return OK;
}

bool filesystem_writer_why(struct sink_writer *writer, struct buf *out)
{
    mutex_lock(&writer->mutex);
    bool full = writer->filling.length >= WAITING_MAX;
    mutex_unlock(&writer->mutex);
    if (full)
        buf_printf(out, "The disk of '%s' takes rows more slowly than they come.",
                   writer->sink->options.path);
    return full;
}
