/* segment_aborted.c - a segment's aborted transactions, and their file.
 *
 *   BASE.txnindex  { version i16 = 0, producer id i64, first offset i64, last offset i64,
 *                    last stable offset i64 }, by rising last offset          big-endian, Kafka's
 *
 * An entry belongs to the segment that has the marker; the last offset is the marker's. Nothing
 * that begins below the last stable offset of an entry is aborted by a later one, so a reader may
 * stop there. A segment without one has no file. In memory as long as the other indexes are: 32
 * bytes for what takes at least 140 in the segment.
 */
#include "log/segment.h"

#include <stdio.h>

#include "kafka/bytes.h"

#define ABORTED_BYTES 34

static void path_of(const struct segment *segment, char *dest, size_t dest_bytes)
{
    snprintf(dest, dest_bytes, "%s.txnindex", segment->path);
}

enum status segment_aborted_reserve(struct segment *segment, struct error *err)
{
    if (segment->aborted_count < segment->aborted_capacity)
        return OK;
    uint32_t wanted = segment->aborted_capacity ? segment->aborted_capacity * 2 : 4;
    struct segment_aborted *grown = mem_realloc(segment->aborted, wanted * sizeof(*grown));
    if (!grown)
        return error_memory(err, "aborted transactions", wanted * sizeof(*grown));
    segment->aborted = grown;
    segment->aborted_capacity = wanted;
    return OK;
}

void segment_aborted_add(struct segment *segment, const struct segment_aborted *aborted)
{
    if (segment->aborted_count < segment->aborted_capacity)
        segment->aborted[segment->aborted_count++] = *aborted;
}

enum status segment_aborted_write(struct segment *segment, struct error *err)
{
    struct io *io = segment->io;
    struct io_file *file = NULL;
    struct buf bytes;
    char path[4096];

    if (segment->aborted_count == 0)
        return OK;
    buf_init(&bytes, SEGMENT_SIZE_MAX);
    uint8_t *at = buf_room(&bytes, (size_t)segment->aborted_count * ABORTED_BYTES);
    for (uint32_t i = 0; at && i < segment->aborted_count; i++, at += ABORTED_BYTES) {
        put_be16(at, 0);
        put_be64(at + 2, (uint64_t)segment->aborted[i].producer_id);
        put_be64(at + 10, (uint64_t)segment->aborted[i].first_offset);
        put_be64(at + 18, (uint64_t)segment->aborted[i].last_offset);
        put_be64(at + 26, (uint64_t)segment->aborted[i].last_stable_offset);
        bytes.length += ABORTED_BYTES;
    }
    enum status status = buf_check(&bytes, "an index of aborted transactions", err);
    path_of(segment, path, sizeof(path));
    if (status == OK)
        status = io->ops->open(io, path, IO_WRITE | IO_CREATE | IO_TRUNCATE, &file, err);
    if (status == OK) {
        status = io->ops->pwrite(io, file, bytes.data, bytes.length, 0, err);
        if (status == OK)
            status = io->ops->sync(io, file, err);
        io->ops->close(io, file);
    }
    buf_fini(&bytes);
    return status;
}

static enum status decode(const struct segment *segment, const struct buf *bytes, struct buf *out,
                          struct error *err)
{
    int64_t last_offset = segment->base_offset - 1;

    if (bytes->length % ABORTED_BYTES != 0)
        return error_set(err, ERR_CORRUPT, "%s.txnindex has no whole number of entries",
                         segment->path);
    for (size_t i = 0; i < bytes->length; i += ABORTED_BYTES) {
        const uint8_t *at = bytes->data + i;
        const struct segment_aborted aborted = {
            .producer_id = (int64_t)get_be64(at + 2),
            .first_offset = (int64_t)get_be64(at + 10),
            .last_offset = (int64_t)get_be64(at + 18),
            .last_stable_offset = (int64_t)get_be64(at + 26),
        };
        if (get_be16(at) != 0 || aborted.producer_id < 0 || aborted.first_offset < 0 ||
            aborted.last_offset <= last_offset || aborted.first_offset >= aborted.last_offset ||
            aborted.last_offset - segment->base_offset > INT32_MAX)
            return error_set(err, ERR_CORRUPT, "%s.txnindex makes no sense", segment->path);
        last_offset = aborted.last_offset;
        buf_append(out, &aborted, sizeof(aborted));
    }
    return buf_check(out, "aborted transactions", err);
}

enum status segment_aborted_read(struct segment *segment, struct buf *out, struct error *err)
{
    struct error local = {0};
    struct buf bytes;
    char path[4096];

    buf_init(&bytes, SEGMENT_SIZE_MAX);
    path_of(segment, path, sizeof(path));
    enum status status = io_read_file(segment->io, path, &bytes, &local);
    if (status == OK)
        status = decode(segment, &bytes, out, &local);
    buf_fini(&bytes);
    if (status == OK || status == ERR_NOT_FOUND)
        return OK;
    return error_set(err, status == ERR_LIMIT ? ERR_CORRUPT : status, "%s", local.text);
}

enum status segment_aborted_load(struct segment *segment, struct error *err)
{
    struct buf list;

    buf_init(&list, SEGMENT_SIZE_MAX);
    mem_free(segment->aborted);
    segment->aborted = NULL;
    segment->aborted_count = segment->aborted_capacity = 0;
    enum status status = segment_aborted_read(segment, &list, err);
    size_t count = list.length / sizeof(*segment->aborted);
    if (status == OK && count) {
        segment->aborted = mem_alloc(list.length);
        if (!segment->aborted)
            status = error_memory(err, "aborted transactions", list.length);
    }
    if (status == OK && count) {
        memcpy(segment->aborted, list.data, list.length);
        segment->aborted_count = segment->aborted_capacity = (uint32_t)count;
    }
    buf_fini(&list);
    return status;
}
