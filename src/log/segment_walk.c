/* segment_walk.c - from batch to batch through a segment's file, in bounded memory.
 *
 * Recovery walks with CRCs (streamed, so that a length field of garbage never asks for memory);
 * lookups walk headers only. It never looks inside a batch.
 */
#include "log/segment.h"

#include "base/crc32c.h"
#include "base/must.h"

#define CRC_BUFFER_BYTES    (256 * 1024)
#define HEADER_BUFFER_BYTES (8 * 1024)
#define CRC_START           21 /* the CRC covers the batch from here */

enum status segment_walk_open(struct segment_walk *walk, struct segment *segment, uint64_t position,
                              uint64_t end, bool check_crc, struct error *err)
{
    *walk = (struct segment_walk){
        .position = position,
        .end = end,
        .next_offset = segment->base_offset,
        .check_crc = check_crc,
        .buffer_capacity = check_crc ? CRC_BUFFER_BYTES : HEADER_BUFFER_BYTES,
    };
    if (end - position < walk->buffer_capacity)
        walk->buffer_capacity = end > position ? (size_t)(end - position) : 1;
    walk->buffer = mem_alloc(walk->buffer_capacity);
    if (!walk->buffer)
        return error_memory(err, "reading over a segment", walk->buffer_capacity);
    enum status status = segment_file_use(segment, false, &walk->file, err);
    if (status != OK) {
        mem_free(walk->buffer);
        *walk = (struct segment_walk){0};
        return status;
    }
    walk->segment = segment_ref(segment);
    return OK;
}

void segment_walk_close(struct segment_walk *walk)
{
    if (!walk->segment)
        return;
    segment_file_done(walk->segment);
    segment_unref(walk->segment);
    mem_free(walk->buffer);
    *walk = (struct segment_walk){0};
}

/* Bytes from position on: at least 1 and at most wanted of them (ERR_CORRUPT: the file has shrunk);
 * wanted must fit the buffer when all of them are needed at once. */
static enum status fill(struct segment_walk *walk, uint64_t position, size_t wanted,
                        const uint8_t **out, size_t *out_bytes, struct error *err)
{
    uint64_t have_end = walk->buffer_position + walk->buffer_bytes;
    if (wanted > walk->buffer_capacity)
        wanted = walk->buffer_capacity;
    if (position < walk->buffer_position || position + wanted > have_end) {
        struct io *io = walk->segment->io;
        uint64_t left = walk->end - position;
        size_t size_bytes = left < walk->buffer_capacity ? (size_t)left : walk->buffer_capacity;
        walk->buffer_position = position;
        walk->buffer_bytes = 0;
        TRY(io->ops->pread(io, walk->file, walk->buffer, size_bytes, position, &walk->buffer_bytes,
                           err));
        if (walk->buffer_bytes < wanted)
            return error_set(err, ERR_CORRUPT, "%s.log is shorter than it was",
                             walk->segment->path);
    }
    *out = walk->buffer + (position - walk->buffer_position);
    *out_bytes = wanted;
    return OK;
}

static enum status check_crc(struct segment_walk *walk, const struct record_batch *batch,
                             struct error *err)
{
    uint64_t position = walk->position + CRC_START;
    uint64_t end = walk->position + batch->size_bytes;
    uint32_t crc = 0;

    while (position < end) {
        const uint8_t *bytes = NULL;
        size_t size_bytes = 0;
        uint64_t left = end - position;
        TRY(fill(walk, position, left < SIZE_MAX ? (size_t)left : SIZE_MAX, &bytes, &size_bytes,
                 err));
        crc = crc32c(crc, bytes, size_bytes);
        position += size_bytes;
    }
    if (crc != batch->crc)
        return error_set(err, ERR_CORRUPT, "%s.log: the batch at byte %llu has a wrong CRC",
                         walk->segment->path, (unsigned long long)walk->position);
    return OK;
}

static enum status whole_marker(struct segment_walk *walk, struct record_batch *batch,
                                struct error *err)
{
    size_t got = 0;
    if (batch->size_bytes > walk->buffer_capacity)
        return error_set(err, ERR_CORRUPT, "%s.log: a control batch of %u bytes at byte %llu",
                         walk->segment->path, batch->size_bytes,
                         (unsigned long long)walk->position);
    return fill(walk, walk->position, batch->size_bytes, &batch->data, &got, err);
}

enum status segment_walk_next(struct segment_walk *walk, struct record_batch *batch,
                              uint64_t *out_position, struct error *err)
{
    const uint8_t *bytes = NULL;
    size_t size_bytes = 0;
    struct error local = {0};
    uint64_t left = walk->end - walk->position;

    if (left == 0)
        return ERR_END;
    if (left < RECORD_BATCH_HEADER_BYTES)
        return error_set(err, ERR_CORRUPT, "%s.log: %llu bytes at %llu are no whole batch",
                         walk->segment->path, (unsigned long long)left,
                         (unsigned long long)walk->position);
    TRY(fill(walk, walk->position, RECORD_BATCH_HEADER_BYTES, &bytes, &size_bytes, err));
    if (record_batch_header(batch, bytes, size_bytes, &local) != OK)
        return error_set(err, ERR_CORRUPT, "%s.log: at byte %llu: %s", walk->segment->path,
                         (unsigned long long)walk->position, local.text);
    if (batch->size_bytes > left)
        return error_set(err, ERR_CORRUPT, "%s.log: the batch at byte %llu is cut off",
                         walk->segment->path, (unsigned long long)walk->position);
    if (batch->base_offset < walk->next_offset ||
        batch->base_offset - walk->segment->base_offset > INT32_MAX - batch->last_offset_delta)
        return error_set(err, ERR_CORRUPT, "%s.log: the batch at byte %llu has offset %lld",
                         walk->segment->path, (unsigned long long)walk->position,
                         (long long)batch->base_offset);
    if (walk->check_crc)
        TRY(check_crc(walk, batch, err));
    if (batch->attributes & RECORD_CONTROL)
        TRY(whole_marker(walk, batch, err));
    *out_position = walk->position;
    walk->position += batch->size_bytes;
    walk->next_offset = record_batch_last_offset(batch) + 1;
    return OK;
}
