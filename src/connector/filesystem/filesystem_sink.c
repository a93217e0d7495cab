/* filesystem_sink.c - appends: one new file per subtask and run, in the table's directory.
 *
 *   task: write() --encode--> filling --> a job of the I/O pool -->
 * DIR/.part-RUN-SUBTASK.inprogress finish(): synced, renamed to DIR/part-RUN-SUBTASK, the directory
 * synced
 *
 * A file shows up when it is whole; readers skip names that begin with a dot. A run that does not
 * finish takes its file away. mutex guards all of a writer but what the job writes at the moment.
 */
#include "connector/filesystem/filesystem_int.h"

#include <stdio.h>

#include "base/must.h"

#define WAITING_MAX (4u << 20) /* bytes waiting before the task waits too */
#define TEXT_MAX    (1u << 30)
#define PATH_BYTES  4096

struct sink {
    struct arena arena;
    struct io *io;
    struct io_pool *pool;
    const char *path;
    const struct format_class *format;
    struct table_description table;
    const struct option_given *format_options;
    size_t format_option_count;
    const struct plugin_context *context;
    struct mem_owner *owner;
    char run[33]; /* of this run, in hexadecimal */
};

enum closing { CLOSING_NOT, CLOSING_WANTED, CLOSING_DONE };

struct sink_writer {
    struct sink *sink;
    struct wake *wake;
    struct io_job job;
    struct encoder *encoder;
    struct mutex mutex;
    struct condition idle;
    struct buf filling;
    bool busy, must_sync;
    enum closing closing;
    struct error failure;
    char temporary[PATH_BYTES], final[PATH_BYTES];
    /* the job's while busy */
    struct buf writing;
    struct io_file *file;
    uint64_t size_bytes;
    bool unsynced;
    uint32_t offsets[BATCH_ROWS_MAX + 1];
    struct buf rows; /* of one batch, encoded */
};

static enum status sink_mode(const struct table_description *table, enum sink_mode *out,
                             struct error *err)
{
    *out = SINK_APPEND;
    return OK;
}

static void sink_close(struct sink *sink)
{
    arena_fini(&sink->arena);
    mem_free(sink);
}

static enum status fill(struct sink *sink, const struct sink_request *request, struct error *err)
{
    TRY(filesystem_parse(request->table, request->context, &sink->path, &sink->arena, err));
    if (!request->format || !request->format->encoder_open)
        return error_set(err, ERR_UNSUPPORTED, "table %s: the format cannot write",
                         request->table->name);
    sink->io = request->context->io;
    sink->pool = request->context->io_pool;
    sink->format = request->format;
    sink->table = *request->table;
    sink->format_options = request->format_options;
    sink->format_option_count = request->format_option_count;
    sink->context = request->context;
    sink->owner = request->owner;
    uint64_t run[2];
    io_random(sink->io, run, sizeof(run));
    snprintf(sink->run, sizeof(sink->run), "%016llx%016llx", (unsigned long long)run[0],
             (unsigned long long)run[1]);
    return OK;
}

static enum status sink_open(const struct sink_request *request, struct sink **out,
                             struct error *err)
{
    struct sink *sink = mem_calloc(1, sizeof(*sink));
    if (!sink)
        return error_memory(err, "connector 'filesystem'", sizeof(*sink));
    arena_init(&sink->arena, NULL, FILESYSTEM_OPTIONS_MAX);
    enum status status = fill(sink, request, err);
    if (status == OK)
        status = io_make_directories(sink->io, sink->path, err);
    if (status != OK) {
        sink_close(sink);
        return status;
    }
    *out = sink;
    return OK;
}

/* ---- on a thread of the I/O pool */

static enum status write_taken(struct sink_writer *writer, struct error *err)
{
    struct io *io = writer->sink->io;
    if (writer->writing.length == 0)
        return OK;
    if (!writer->file)
        TRY(io_open(io, writer->temporary, IO_WRITE | IO_CREATE | IO_EXCLUSIVE, &writer->file,
                    err));
    TRY(io_pwrite(io, writer->file, writer->writing.data, writer->writing.length,
                  writer->size_bytes, err));
    writer->size_bytes += writer->writing.length;
    writer->unsynced = true;
    return OK;
}

static enum status sync_file(struct sink_writer *writer, struct error *err)
{
    if (!writer->unsynced)
        return OK;
    TRY(io_sync(writer->sink->io, writer->file, err));
    writer->unsynced = false;
    return OK;
}

/* The file under its final name, durably. Without rows there is none. */
static enum status publish(struct sink_writer *writer, struct error *err)
{
    struct io *io = writer->sink->io;
    if (!writer->file)
        return OK;
    TRY(sync_file(writer, err));
    io_close(io, writer->file);
    writer->file = NULL;
    TRY(io_rename(io, writer->temporary, writer->final, err));
    return io_sync_directory(io, writer->sink->path, err);
}

static void run_job(struct io_job *job)
{
    struct sink_writer *writer = container_of(job, struct sink_writer, job);
    struct error err = {0};
    mutex_lock(&writer->mutex);
    struct buf taken = writer->filling;
    writer->filling = writer->writing;
    writer->writing = taken;
    bool sync = writer->must_sync;
    bool close = writer->closing == CLOSING_WANTED;
    mutex_unlock(&writer->mutex);
    enum status status = write_taken(writer, &err);
    if (status == OK && close)
        status = publish(writer, &err);
    else if (status == OK && sync)
        status = sync_file(writer, &err);
    buf_clear(&writer->writing);
    mutex_lock(&writer->mutex);
    if (status != OK)
        writer->failure = err;
    else if (close)
        writer->closing = CLOSING_DONE;
    if (status == OK && sync && writer->filling.length == 0)
        writer->must_sync = false;
    mutex_unlock(&writer->mutex);
}

/* Goes on while there is more; after busy is cleared the writer may be closed at any time. */
static void job_done(struct io_job *job)
{
    struct sink_writer *writer = container_of(job, struct sink_writer, job);
    struct io_pool *pool = writer->sink->pool;
    mutex_lock(&writer->mutex);
    bool again = writer->failure.code == OK && (writer->filling.length > 0 || writer->must_sync ||
                                                writer->closing == CLOSING_WANTED);
    if (!again) {
        writer->busy = false;
        condition_broadcast(&writer->idle);
    }
    wake_notify(writer->wake);
    mutex_unlock(&writer->mutex);
    if (again)
        io_pool_submit(pool, job);
}

/* ---- on the task's thread */

static void writer_close(struct sink_writer *writer)
{
    struct sink *sink = writer->sink;
    mutex_lock(&writer->mutex);
    while (writer->busy)
        condition_wait(&writer->idle, &writer->mutex);
    mutex_unlock(&writer->mutex);
    if (writer->file) {
        struct error ignored = {0};
        io_close(sink->io, writer->file);
        if (io_unlink(sink->io, writer->temporary, &ignored) != OK)
            error_clear(&ignored); /* a hidden file stays behind */
    }
    if (writer->encoder)
        sink->format->encoder_close(writer->encoder);
    buf_fini(&writer->filling);
    buf_fini(&writer->writing);
    buf_fini(&writer->rows);
    condition_fini(&writer->idle);
    mutex_fini(&writer->mutex);
    mem_free(writer);
}

static enum status open_encoder(struct sink *sink, struct sink_writer *writer, struct error *err)
{
    struct encoder_request request = {
        .table = &sink->table,
        .options = sink->format_options,
        .option_count = sink->format_option_count,
        .context = sink->context,
        .owner = sink->owner,
    };
    return sink->format->encoder_open(&request, &writer->encoder, err);
}

static enum status writer_open(struct sink *sink, uint32_t subtask, struct wake *wake,
                               struct sink_writer **out, struct error *err)
{
    struct sink_writer *writer = mem_calloc(1, sizeof(*writer));
    if (!writer)
        return error_memory(err, "connector 'filesystem'", sizeof(*writer));
    mutex_init(&writer->mutex);
    condition_init(&writer->idle);
    buf_init(&writer->filling, TEXT_MAX);
    buf_init(&writer->writing, TEXT_MAX);
    buf_init(&writer->rows, TEXT_MAX);
    writer->sink = sink;
    writer->wake = wake;
    writer->job = (struct io_job){.run = run_job, .done = job_done};
    enum status status = open_encoder(sink, writer, err);
    int size = snprintf(writer->temporary, sizeof(writer->temporary), "%s/.part-%s-%u.inprogress",
                        sink->path, sink->run, subtask);
    snprintf(writer->final, sizeof(writer->final), "%s/part-%s-%u", sink->path, sink->run, subtask);
    if (status == OK && (size < 0 || (size_t)size >= sizeof(writer->temporary)))
        status = error_set(err, ERR_LIMIT, "the path '%.100s...' is too long", sink->path);
    if (status != OK) {
        writer_close(writer);
        return status;
    }
    *out = writer;
    return OK;
}

static enum push_result failed(const struct sink_writer *writer, struct error *err)
{
    if (err)
        *err = writer->failure;
    return PUSH_ERROR;
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
    return buf_check(&writer->filling, "rows for a file", err);
}

/* Under the mutex; then the caller submits the job. */
static bool start(struct sink_writer *writer)
{
    bool idle = !writer->busy;
    writer->busy = true;
    return idle;
}

static enum push_result writer_write(struct sink_writer *writer, struct batch *batch,
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

static enum push_result writer_flush(struct sink_writer *writer, uint64_t epoch, struct error *err)
{
    enum push_result result = PUSH_FULL;
    bool submit = false;
    mutex_lock(&writer->mutex);
    if (writer->failure.code != OK) {
        result = failed(writer, err);
    } else if (!writer->busy && writer->filling.length == 0 && !writer->unsynced) {
        result = PUSH_DONE;
    } else {
        writer->must_sync = true;
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
    } else if (writer->closing == CLOSING_DONE && !writer->busy) {
        result = PUSH_DONE;
    } else if (writer->closing == CLOSING_NOT) {
        writer->closing = CLOSING_WANTED;
        submit = start(writer);
    }
    mutex_unlock(&writer->mutex);
    if (submit)
        io_pool_submit(writer->sink->pool, &writer->job);
    return result;
}

static bool writer_why(struct sink_writer *writer, struct buf *out)
{
    mutex_lock(&writer->mutex);
    bool full = writer->filling.length >= WAITING_MAX;
    mutex_unlock(&writer->mutex);
    if (full)
        buf_printf(out, "The disk of '%s' takes rows more slowly than they come.",
                   writer->sink->path);
    return full;
}

const struct sink_class FILESYSTEM_SINK = {
    .size = sizeof(struct sink_class),
    .needs_format = true,
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
