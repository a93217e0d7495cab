/* sink_log_file.c - the files of a sink's log: their names, blocks and committables; reading what a
 * committable names, and taking away what none does.
 *
 * Committable (version 1, little-endian, 58 bytes): u8 version | u8 1: the last of its file | u64
 * run | u32 subtask | u64 number | u64 offset | u64 bytes in the file | u64 bytes of rows | u64
 * rows | u32 CRC32C of all before.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "base/must.h"
#include "plugin/sink_log_int.h"

#define VERSION     1
#define MAGIC       0x4b4e534cu /* "LSNK" */
#define BLOCKS_MAX  (SINK_COMMIT_BYTES_MAX * 64ull)
#define PLACE_BYTES 28

static uint8_t *put(uint8_t *at, uint64_t value, int size)
{
    for (int i = 0; i < size; i++)
        *at++ = (uint8_t)(value >> (8 * i));
    return at;
}

static uint64_t get(const uint8_t **at, int size)
{
    uint64_t value = 0;
    for (int i = 0; i < size; i++)
        value |= (uint64_t) * (*at)++ << (8 * i);
    return value;
}

void sink_log_path(const struct sink_log *log, const struct sink_log_place *place,
                   char dest[SINK_LOG_PATH_MAX])
{
    snprintf(dest, SINK_LOG_PATH_MAX, "%s/%016" PRIx64 "-%x-%" PRIx64, log->directory, place->run,
             place->subtask, place->number);
}

/* ---- blocks */

static uint32_t block_crc(const struct sink_log_place *place, const uint8_t *payload,
                          size_t size_bytes)
{
    uint8_t where[PLACE_BYTES], *at = where;
    at = put(at, place->run, 8);
    at = put(at, place->subtask, 4);
    at = put(at, place->number, 8);
    put(at, place->offset, 8);
    return crc32c(crc32c(0, where, sizeof(where)), payload, size_bytes);
}

void sink_log_seal(const struct sink_log_place *place, uint8_t *block, size_t size_bytes)
{
    size_t payload_bytes = size_bytes - SINK_LOG_HEADER_BYTES;
    uint8_t *at = put(block, MAGIC, 4);
    at = put(at, VERSION, 4);
    at = put(at, payload_bytes, 4);
    put(at, block_crc(place, block + SINK_LOG_HEADER_BYTES, payload_bytes), 4);
}

/* ---- committables */

void sink_log_chunk_put(const struct sink_log_chunk *chunk, uint8_t *dest)
{
    uint8_t *at = put(dest, VERSION, 1);
    at = put(at, chunk->is_last, 1);
    at = put(at, chunk->place.run, 8);
    at = put(at, chunk->place.subtask, 4);
    at = put(at, chunk->place.number, 8);
    at = put(at, chunk->place.offset, 8);
    at = put(at, chunk->size_bytes, 8);
    at = put(at, chunk->payload_bytes, 8);
    at = put(at, chunk->row_count, 8);
    at = put(at, crc32c(0, dest, (size_t)(at - dest)), 4);
    must(at - dest == SINK_LOG_COMMITTABLE_BYTES);
}

void sink_log_chunk_is_last(uint8_t *committable)
{
    committable[1] = 1;
    put(committable + SINK_LOG_COMMITTABLE_BYTES - 4,
        crc32c(0, committable, SINK_LOG_COMMITTABLE_BYTES - 4), 4);
}

static enum status damaged(const struct sink_log *log, const struct sink_log_chunk *chunk,
                           const char *what, struct error *err)
{
    char path[SINK_LOG_PATH_MAX] = "";
    if (chunk)
        sink_log_path(log, &chunk->place, path);
    error_set(err, ERR_CORRUPT, "%s%s: %s: its rows cannot be committed",
              chunk ? "a sink's log " : "a sink's state", path, what);
    if (err)
        err->fatal = true;
    return ERR_CORRUPT;
}

static enum status chunk_get(const struct sink_log *log, struct str committable,
                             struct sink_log_chunk *out, struct error *err)
{
    const uint8_t *bytes = (const uint8_t *)committable.data, *at = bytes;
    if (committable.length < 1 || bytes[0] != VERSION)
        return damaged(log, NULL, "its version is not known", err);
    if (committable.length != SINK_LOG_COMMITTABLE_BYTES)
        return damaged(log, NULL, "it has another size than was written", err);
    get(&at, 1);
    out->is_last = get(&at, 1) != 0;
    out->place.run = get(&at, 8);
    out->place.subtask = (uint32_t)get(&at, 4);
    out->place.number = get(&at, 8);
    out->place.offset = get(&at, 8);
    out->size_bytes = get(&at, 8);
    out->payload_bytes = get(&at, 8);
    out->row_count = get(&at, 8);
    if (get(&at, 4) != crc32c(0, bytes, SINK_LOG_COMMITTABLE_BYTES - 4))
        return damaged(log, NULL, "it has another checksum than was written", err);
    return OK;
}

/* ---- the directory */

struct cleaning {
    const struct sink_log *log;
    const struct sink_request *request;
};

static enum status clean_one(void *context, const char *name, struct error *err)
{
    const struct cleaning *cleaning = context;
    const struct sink_log *log = cleaning->log;
    char path[SINK_LOG_PATH_MAX], wanted[SINK_LOG_PATH_MAX];
    snprintf(path, sizeof(path), "%s/%.60s", log->directory, name);
    for (uint32_t i = 0; i < cleaning->request->pending_count; i++) {
        struct sink_log_chunk chunk;
        TRY(chunk_get(log, cleaning->request->pending[i], &chunk, err));
        sink_log_path(log, &chunk.place, wanted);
        if (strcmp(path, wanted) == 0)
            return OK;
    }
    return io_unlink(log->io, path, err);
}

enum status sink_log_open(struct sink_log **out, const struct sink_request *request,
                          struct error *err)
{
    struct io *io = request->context->io;
    struct sink_log *log = mem_calloc(1, sizeof(*log));
    struct cleaning cleaning = {log, request};
    enum status status = OK;
    if (!log)
        return error_memory(err, "a sink's log", sizeof(*log));
    log->io = io;
    log->pool = request->context->io_pool;
    io_random(io, &log->run, sizeof(log->run));
    if (strlen(request->log_directory) >= sizeof(log->directory))
        status = error_set(err, ERR_LIMIT, "the path of a sink's log '%.100s...' is too long",
                           request->log_directory);
    if (status == OK) {
        memcpy(log->directory, request->log_directory, strlen(request->log_directory) + 1);
        status = io_make_directories(io, log->directory, err);
    }
    if (status == OK)
        status = io_list(io, log->directory, clean_one, &cleaning, err);
    if (status != OK) {
        sink_log_close(log);
        return status;
    }
    *out = log;
    return OK;
}

void sink_log_close(struct sink_log *log)
{
    mem_free(log);
}

/* ---- reading */

/* The blocks of the chunk, as they lie in the file, to their payload. */
static enum status read_blocks(const struct sink_log *log, const struct sink_log_chunk *chunk,
                               const uint8_t *bytes, struct buf *out, struct error *err)
{
    const uint8_t *end = bytes + chunk->size_bytes;
    struct sink_log_place place = chunk->place;
    size_t first = out->length;
    while (bytes < end) {
        const uint8_t *at = bytes;
        if (end - bytes < SINK_LOG_HEADER_BYTES || get(&at, 4) != MAGIC || get(&at, 4) != VERSION)
            return damaged(log, chunk, "a block does not begin as one", err);
        uint64_t size_bytes = get(&at, 4), crc = get(&at, 4);
        if (size_bytes > (uint64_t)(end - at) || crc != block_crc(&place, at, size_bytes))
            return damaged(log, chunk, "a block has another checksum than was written", err);
        buf_append(out, at, size_bytes);
        bytes = at + size_bytes;
        place.offset += SINK_LOG_HEADER_BYTES + size_bytes;
    }
    TRY(buf_check(out, "rows of a sink's log", err));
    return out->length - first == chunk->payload_bytes
               ? OK
               : damaged(log, chunk, "there are not as many bytes as were written", err);
}

static enum status read_chunk(const struct sink_log *log, const struct sink_log_chunk *chunk,
                              struct buf *out, struct error *err)
{
    char path[SINK_LOG_PATH_MAX];
    struct io_file *file = NULL;
    size_t got = 0;
    sink_log_path(log, &chunk->place, path);
    if (chunk->size_bytes > BLOCKS_MAX)
        return damaged(log, chunk, "it is larger than any that is written", err);
    uint8_t *bytes = mem_alloc(chunk->size_bytes + 1);
    if (!bytes)
        return error_memory(err, "rows of a sink's log", chunk->size_bytes);
    enum status status = io_open(log->io, path, IO_READ, &file, err);
    if (status == OK)
        status = io_pread(log->io, file, bytes, chunk->size_bytes, chunk->place.offset, &got, err);
    if (status == OK && got < chunk->size_bytes)
        status = damaged(log, chunk, "it is cut off", err);
    if (status == OK)
        status = read_blocks(log, chunk, bytes, out, err);
    io_close(log->io, file);
    mem_free(bytes);
    return status;
}

enum status sink_log_read(struct sink_log *log, const struct sink_committable *committable,
                          struct buf *out, struct error *err)
{
    struct sink_log_chunk chunk;
    TRY(chunk_get(log, committable->bytes, &chunk, err));
    return read_chunk(log, &chunk, out, err);
}

void sink_log_forget(struct sink_log *log, const struct sink_committable *committable)
{
    struct sink_log_chunk chunk;
    char path[SINK_LOG_PATH_MAX];
    struct error ignored = {0};
    if (chunk_get(log, committable->bytes, &chunk, &ignored) != OK || !chunk.is_last)
        return;
    sink_log_path(log, &chunk.place, path);
    if (io_unlink(log->io, path, &ignored) != OK)
        error_clear(&ignored); /* the next open takes it away */
}
