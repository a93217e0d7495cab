/* sink_log.c - writing a sink's log: chunks of rows, block by block, to a file per subtask and
 * epoch. Reading, and the directory, are in sink_log_file.c.
 *
 *   task: append --> filling --whole blocks, or all at a flush--> I/O job: header, CRC, pwrite,
 * sync
 *
 * mutex guards all of a writer but what the job works with while busy. Chunks are cut in append:
 * a block never holds bytes of two chunks.
 */
#include "plugin/sink_log.h"

#include "base/must.h"
#include "plugin/sink_log_int.h"

struct sink_log_writer {
    struct sink_log *log;
    uint32_t subtask;
    struct wake *wake;
    struct io_job job;
    struct mutex mutex;
    struct condition idle;
    bool busy, must_sync, full;
    struct error failure;
    struct buf filling;             /* whole blocks, sealed, then the bytes of the last one */
    size_t block_start;             /* of the last block's header in filling */
    uint64_t appended_bytes;        /* of the file, with what is in filling */
    uint64_t synced_bytes;          /* of the file */
    uint64_t file_number;           /* of the file being written */
    struct sink_log_chunk chunk;    /* being filled; no bytes: none */
    struct sink_committables ready; /* chunks of this epoch that are complete */
    /* the job's while busy */
    struct buf writing;
    struct io_file *file;
    uint64_t written_bytes;
};

/* ---- blocks and chunks; under the mutex */

static void begin_block(struct sink_log_writer *writer)
{
    static const uint8_t room[SINK_LOG_HEADER_BYTES];
    writer->block_start = writer->filling.length;
    buf_append(&writer->filling, room, sizeof(room));
    writer->appended_bytes += sizeof(room);
}

static bool has_block(const struct sink_log_writer *writer)
{
    return writer->filling.length > writer->block_start;
}

/* After it the bytes in filling are what goes to disk. */
static void seal_block(struct sink_log_writer *writer)
{
    if (!has_block(writer))
        return;
    size_t size_bytes = writer->filling.length - writer->block_start;
    struct sink_log_place place = {.run = writer->log->run,
                                   .subtask = writer->subtask,
                                   .number = writer->file_number,
                                   .offset = writer->appended_bytes - size_bytes};
    sink_log_seal(&place, writer->filling.data + writer->block_start, size_bytes);
    writer->block_start = writer->filling.length;
}

static enum status end_chunk(struct sink_log_writer *writer, struct error *err)
{
    struct sink_log_chunk *chunk = &writer->chunk;
    uint8_t bytes[SINK_LOG_COMMITTABLE_BYTES];
    if (chunk->payload_bytes == 0)
        return OK;
    seal_block(writer);
    chunk->place.run = writer->log->run;
    chunk->place.subtask = writer->subtask;
    chunk->place.number = writer->file_number;
    chunk->size_bytes = writer->appended_bytes - chunk->place.offset;
    sink_log_chunk_put(chunk, bytes);
    struct sink_committable committable = {.row_count = chunk->row_count,
                                           .size_bytes = chunk->payload_bytes,
                                           .bytes = {(const char *)bytes, sizeof(bytes)}};
    *chunk = (struct sink_log_chunk){.place.offset = writer->appended_bytes};
    return sink_committables_add(&writer->ready, &committable, err);
}

static enum status add(struct sink_log_writer *writer, const uint8_t *bytes, size_t size_bytes,
                       uint64_t row_count, struct error *err)
{
    struct sink_log_chunk *chunk = &writer->chunk;
    if (chunk->payload_bytes + size_bytes > SINK_COMMIT_BYTES_MAX ||
        chunk->row_count + row_count > SINK_COMMIT_ROWS_MAX)
        TRY(end_chunk(writer, err));
    chunk->payload_bytes += size_bytes;
    chunk->row_count += row_count;
    while (size_bytes > 0) {
        if (!has_block(writer))
            begin_block(writer);
        size_t used = writer->filling.length - writer->block_start;
        size_t part = SINK_LOG_BLOCK_BYTES - used;
        part = part < size_bytes ? part : size_bytes;
        buf_append(&writer->filling, bytes, part);
        writer->appended_bytes += part;
        bytes += part;
        size_bytes -= part;
        if (used + part == SINK_LOG_BLOCK_BYTES)
            seal_block(writer);
    }
    return buf_check(&writer->filling, "rows of a sink's log", err);
}

/* ---- the I/O job */

/* Sealed blocks to writing. */
static void take_blocks(struct sink_log_writer *writer)
{
    size_t sealed = writer->block_start, rest = writer->filling.length - sealed;
    buf_clear(&writer->writing);
    buf_append(&writer->writing, writer->filling.data, sealed);
    if (rest)
        memmove(writer->filling.data, writer->filling.data + sealed, rest);
    writer->filling.length = rest;
    writer->block_start = 0;
}

static enum status write_blocks(struct sink_log_writer *writer, bool sync, struct error *err)
{
    struct sink_log *log = writer->log;
    TRY(buf_check(&writer->writing, "rows of a sink's log", err));
    if (!writer->file) {
        char path[SINK_LOG_PATH_MAX];
        struct sink_log_place place = {
            .run = log->run, .subtask = writer->subtask, .number = writer->file_number};
        sink_log_path(log, &place, path);
        TRY(io_open(log->io, path, IO_WRITE | IO_CREATE | IO_EXCLUSIVE | IO_PRIVATE, &writer->file,
                    err));
    }
    TRY(io_pwrite(log->io, writer->file, writer->writing.data, writer->writing.length,
                  writer->written_bytes, err));
    writer->written_bytes += writer->writing.length;
    if (!sync)
        return OK;
    TRY(io_sync(log->io, writer->file, err));
    io_close(log->io, writer->file);
    writer->file = NULL;
    return io_sync_directory(log->io, log->directory, err);
}

static void run_job(struct io_job *job)
{
    struct sink_log_writer *writer = container_of(job, struct sink_log_writer, job);
    struct error err = {0};
    mutex_lock(&writer->mutex);
    if (writer->must_sync)
        seal_block(writer);
    take_blocks(writer);
    bool sync = writer->must_sync;
    mutex_unlock(&writer->mutex);
    enum status status = write_blocks(writer, sync, &err);
    mutex_lock(&writer->mutex);
    if (status != OK) {
        if (err.code == OK)
            err.code = status;
        error_prefix(&err, "a sink's log");
        writer->failure = err;
    } else if (sync) { /* the task waits: nothing was appended meanwhile */
        writer->must_sync = false;
        writer->synced_bytes = writer->written_bytes;
    }
    mutex_unlock(&writer->mutex);
}

static bool wants_job(const struct sink_log_writer *writer)
{
    return writer->failure.code == OK && (writer->must_sync || writer->block_start > 0);
}

/* After busy is cleared the writer may be closed at any time. */
static void job_done(struct io_job *job)
{
    struct sink_log_writer *writer = container_of(job, struct sink_log_writer, job);
    struct io_pool *pool = writer->log->pool;
    mutex_lock(&writer->mutex);
    bool again = pool && wants_job(writer);
    writer->busy = again;
    if (!again)
        condition_broadcast(&writer->idle);
    wake_notify(writer->wake);
    mutex_unlock(&writer->mutex);
    if (again)
        io_pool_submit(pool, job);
}

/* Under the mutex; true: the caller submits the job once it has given the mutex up. */
static bool start(struct sink_log_writer *writer)
{
    bool starts = !writer->busy && wants_job(writer);
    writer->busy |= starts;
    return starts;
}

static void submit(struct sink_log_writer *writer)
{
    if (writer->log->pool) {
        io_pool_submit(writer->log->pool, &writer->job);
        return;
    }
    run_job(&writer->job);
    job_done(&writer->job);
}

/* ---- on the task's thread */

enum status sink_log_writer_open(struct sink_log *log, uint32_t subtask, struct wake *wake,
                                 struct sink_log_writer **out, struct error *err)
{
    struct sink_log_writer *writer = mem_calloc(1, sizeof(*writer));
    if (!writer)
        return error_memory(err, "a sink's log", sizeof(*writer));
    writer->log = log;
    writer->subtask = subtask;
    writer->wake = wake;
    writer->job = (struct io_job){.run = run_job, .done = job_done};
    mutex_init(&writer->mutex);
    condition_init(&writer->idle);
    buf_init(&writer->filling, SINK_LOG_FILLING_MAX);
    buf_init(&writer->writing, SINK_LOG_FILLING_MAX);
    *out = writer;
    return OK;
}

void sink_log_writer_close(struct sink_log_writer *writer)
{
    if (!writer)
        return;
    mutex_lock(&writer->mutex);
    while (writer->busy)
        condition_wait(&writer->idle, &writer->mutex);
    mutex_unlock(&writer->mutex);
    if (writer->file || writer->ready.count) { /* not prepared: nobody's */
        char path[SINK_LOG_PATH_MAX];
        struct sink_log_place place = {
            .run = writer->log->run, .subtask = writer->subtask, .number = writer->file_number};
        sink_log_path(writer->log, &place, path);
        io_close(writer->log->io, writer->file);
        struct error ignored = {0};
        if (io_unlink(writer->log->io, path, &ignored) != OK)
            error_clear(&ignored); /* the next open takes it away */
    }
    sink_committables_drop(&writer->ready, writer->ready.count);
    buf_fini(&writer->filling);
    buf_fini(&writer->writing);
    condition_fini(&writer->idle);
    mutex_fini(&writer->mutex);
    mem_free(writer);
}

static enum push_result failed(const struct sink_log_writer *writer, struct error *err)
{
    if (err)
        *err = writer->failure;
    return PUSH_ERROR;
}

enum push_result sink_log_append(struct sink_log_writer *writer, const void *bytes,
                                 size_t size_bytes, uint64_t row_count, struct error *err)
{
    enum push_result result = PUSH_DONE;
    bool submits = false;
    mutex_lock(&writer->mutex);
    must(!writer->must_sync && size_bytes > 0);
    if (writer->failure.code != OK)
        result = failed(writer, err);
    else if (writer->busy && writer->filling.length >= SINK_LOG_WAITING_BYTES)
        result = PUSH_FULL;
    else if (add(writer, bytes, size_bytes, row_count, err) != OK)
        result = PUSH_ERROR;
    else
        submits = start(writer);
    mutex_unlock(&writer->mutex);
    if (submits)
        submit(writer);
    return result;
}

enum push_result sink_log_flush(struct sink_log_writer *writer, struct error *err)
{
    enum push_result result = PUSH_FULL;
    bool submits = false;
    mutex_lock(&writer->mutex);
    if (writer->failure.code == OK && !writer->must_sync &&
        writer->synced_bytes < writer->appended_bytes) {
        if (end_chunk(writer, err) != OK)
            result = PUSH_ERROR;
        else
            writer->must_sync = true;
    }
    submits = start(writer);
    mutex_unlock(&writer->mutex);
    if (submits)
        submit(writer);
    mutex_lock(&writer->mutex);
    if (writer->failure.code != OK)
        result = failed(writer, err);
    else if (result == PUSH_FULL && !writer->must_sync && !writer->busy)
        result = PUSH_DONE;
    mutex_unlock(&writer->mutex);
    return result;
}

enum status sink_log_prepare(struct sink_log_writer *writer, struct sink_committables *out,
                             struct error *err)
{
    enum status status = OK;
    mutex_lock(&writer->mutex);
    must(!writer->busy && writer->synced_bytes == writer->appended_bytes);
    for (uint32_t i = 0; i < writer->ready.count && status == OK; i++) {
        struct sink_committable *committable = &writer->ready.items[i];
        if (i + 1 == writer->ready.count) /* with it the file goes */
            sink_log_chunk_is_last((uint8_t *)committable->bytes.data);
        status = sink_committables_add(out, committable, err);
    }
    if (status == OK) {
        sink_committables_drop(&writer->ready, writer->ready.count);
        writer->file_number += writer->appended_bytes > 0;
        writer->appended_bytes = writer->synced_bytes = writer->written_bytes = 0;
        writer->chunk = (struct sink_log_chunk){0};
    }
    mutex_unlock(&writer->mutex);
    return status;
}
