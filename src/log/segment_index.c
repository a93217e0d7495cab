/* segment_index.c - the .index and .timeindex files: written, checked, read, searched.
 *
 * What it does not do: keeping entries while a segment grows (segment.c); what .txnindex has
 * (segment_aborted.c), which is written and read together with them. An index is a hint that
 * is checked for form when read: sorted, within the segment. Its files are trusted only below the
 * partition's recovery point, where they were fsynced before the point moved.
 * On-disk format: segment.h, Kafka's.
 */
#include "log/segment.h"

#include <stdio.h>

#include "base/must.h"
#include "kafka/bytes.h"

#define ENTRY_BYTES      8
#define TIME_ENTRY_BYTES 12

static enum status write_file(struct segment *segment, const char *suffix, const struct buf *bytes,
                              struct error *err)
{
    struct io *io = segment->io;
    struct io_file *file = NULL;
    char path[4096];

    snprintf(path, sizeof(path), "%s%s", segment->path, suffix);
    TRY(io->ops->open(io, path, IO_WRITE | IO_CREATE | IO_TRUNCATE, &file, err));
    enum status status = OK;
    if (bytes->length)
        status = io->ops->pwrite(io, file, bytes->data, bytes->length, 0, err);
    if (status == OK)
        status = io->ops->sync(io, file, err);
    io->ops->close(io, file);
    return status;
}

enum status segment_index_write(struct segment *segment, struct error *err)
{
    struct buf bytes;
    enum status status;

    must(segment->index_in_memory);
    buf_init(&bytes, SEGMENT_SIZE_MAX);
    for (uint32_t i = 0; i < segment->entry_count; i++) {
        uint8_t *at = buf_room(&bytes, ENTRY_BYTES);
        if (!at)
            break;
        put_be32(at, segment->entries[i].relative_offset);
        put_be32(at + 4, segment->entries[i].position);
        bytes.length += ENTRY_BYTES;
    }
    status = buf_check(&bytes, "an offset index", err);
    if (status == OK)
        status = write_file(segment, ".index", &bytes, err);
    if (status != OK)
        goto out;
    buf_clear(&bytes);
    for (uint32_t i = 0; i < segment->time_count; i++) {
        uint8_t *at = buf_room(&bytes, TIME_ENTRY_BYTES);
        if (!at)
            break;
        put_be64(at, (uint64_t)segment->time_entries[i].timestamp_ms);
        put_be32(at + 8, segment->time_entries[i].relative_offset);
        bytes.length += TIME_ENTRY_BYTES;
    }
    status = buf_check(&bytes, "a time index", err);
    if (status == OK)
        status = write_file(segment, ".timeindex", &bytes, err);
    if (status == OK)
        status = segment_aborted_write(segment, err);
out:
    buf_fini(&bytes);
    return status;
}

void segment_index_drop(struct segment *segment)
{
    mem_free(segment->entries);
    mem_free(segment->time_entries);
    mem_free(segment->aborted);
    segment->entries = NULL;
    segment->time_entries = NULL;
    segment->aborted = NULL;
    segment->aborted_capacity = 0; /* the count stays: there is a file */
    segment->entry_count = segment->entry_capacity = 0;
    segment->time_count = segment->time_capacity = 0;
    segment->index_in_memory = false;
}

void segment_index_reset(struct segment *segment)
{
    segment->entry_count = 0;
    segment->time_count = 0;
    segment->aborted_count = 0;
    segment->unindexed_bytes = 0;
    segment->index_in_memory = true;
}

/* ---- index files opened for reading ---- */

struct index_file {
    struct io *io;
    struct io_file *file;
    uint32_t entry_bytes;
    uint32_t count;
};

static enum status index_open(struct index_file *index, struct segment *segment, bool times,
                              struct error *err)
{
    struct io *io = segment->io;
    struct io_stat stat;
    struct error local = {0};
    char path[4096];

    *index = (struct index_file){.io = io, .entry_bytes = times ? TIME_ENTRY_BYTES : ENTRY_BYTES};
    snprintf(path, sizeof(path), "%s%s", segment->path, times ? ".timeindex" : ".index");
    enum status status = io->ops->open(io, path, IO_READ, &index->file, &local);
    if (status == ERR_NOT_FOUND)
        return error_set(err, ERR_CORRUPT, "%s is missing", path);
    if (status != OK) {
        index->file = NULL;
        return error_set(err, status, "%s", local.text);
    }
    status = io->ops->file_stat(io, index->file, &stat, err);
    if (status == OK && (stat.size_bytes % index->entry_bytes != 0 ||
                         stat.size_bytes / index->entry_bytes > UINT32_MAX / 2))
        status = error_set(err, ERR_CORRUPT, "%s has no whole number of entries", path);
    if (status != OK) {
        io->ops->close(io, index->file);
        index->file = NULL;
        return status;
    }
    index->count = (uint32_t)(stat.size_bytes / index->entry_bytes);
    return OK;
}

static void index_close(struct index_file *index)
{
    if (index->file)
        index->io->ops->close(index->io, index->file);
    index->file = NULL;
}

static enum status index_entry(struct index_file *index, uint32_t entry_index, uint8_t *dest,
                               struct error *err)
{
    size_t got = 0;
    TRY(index->io->ops->pread(index->io, index->file, dest, index->entry_bytes,
                              (uint64_t)entry_index * index->entry_bytes, &got, err));
    return got == index->entry_bytes
               ? OK
               : error_set(err, ERR_CORRUPT, "an index file is shorter than it was");
}

/* The number of leading entries whose key (offset or time, at the entry's front) is below or, with
 * or_equal, at `key`. */
static enum status index_count_below(struct index_file *index, int64_t key, bool or_equal,
                                     uint32_t *out, struct error *err)
{
    uint32_t low = 0, high = index->count;
    uint8_t entry[TIME_ENTRY_BYTES];

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        TRY(index_entry(index, middle, entry, err));
        int64_t at =
            index->entry_bytes == ENTRY_BYTES ? (int64_t)get_be32(entry) : (int64_t)get_be64(entry);
        if (at < key || (or_equal && at == key))
            low = middle + 1;
        else
            high = middle;
    }
    *out = low;
    return OK;
}

enum status segment_index_check(struct segment *segment, struct error *err)
{
    struct index_file offsets = {0}, times = {0};
    uint8_t entry[TIME_ENTRY_BYTES];
    enum status status = index_open(&offsets, segment, false, err);

    if (status == OK)
        status = index_open(&times, segment, true, err);
    if (status == OK && offsets.count) {
        status = index_entry(&offsets, offsets.count - 1, entry, err);
        if (status == OK && get_be32(entry + 4) >= segment->size_bytes)
            status = error_set(err, ERR_CORRUPT, "%s.index points past the segment", segment->path);
    }
    if (status == OK && times.count) {
        status = index_entry(&times, times.count - 1, entry, err);
        if (status == OK) {
            segment->max_timestamp_ms = (int64_t)get_be64(entry);
            segment->max_timestamp_relative = get_be32(entry + 8);
            if (segment->max_timestamp_ms < 0)
                status =
                    error_set(err, ERR_CORRUPT, "%s.timeindex has a negative time", segment->path);
        }
    }
    if (status == OK)
        status = segment_aborted_load(segment, err);
    index_close(&offsets);
    index_close(&times);
    return status;
}

static enum status index_read_all(struct index_file *index, struct buf *bytes, struct error *err)
{
    size_t size_bytes = (size_t)index->count * index->entry_bytes;
    uint8_t *dest = buf_room(bytes, size_bytes + 1);

    if (!dest)
        return buf_check(bytes, "an index file", err);
    TRY(index->io->ops->pread(index->io, index->file, dest, size_bytes, 0, &bytes->length, err));
    return bytes->length == size_bytes
               ? OK
               : error_set(err, ERR_CORRUPT, "an index file is shorter than it was");
}

static enum status read_offsets(struct segment *segment, struct index_file *index,
                                struct buf *bytes, struct error *err)
{
    int64_t last_offset = -1, last_position = -1;

    TRY(index_read_all(index, bytes, err));
    for (uint32_t i = 0; i < index->count; i++) {
        const uint8_t *entry = bytes->data + (size_t)i * ENTRY_BYTES;
        uint32_t relative = get_be32(entry), position = get_be32(entry + 4);
        if (relative <= last_offset || position <= last_position || relative > INT32_MAX ||
            position >= segment->size_bytes)
            return error_set(err, ERR_CORRUPT, "%s.index does not rise", segment->path);
        segment->entries[segment->entry_count++] = (struct segment_entry){relative, position};
        last_offset = relative;
        last_position = position;
    }
    return OK;
}

static enum status read_times(struct segment *segment, struct index_file *index, struct buf *bytes,
                              struct error *err)
{
    int64_t last_time = -1;

    TRY(index_read_all(index, bytes, err));
    for (uint32_t i = 0; i < index->count; i++) {
        const uint8_t *entry = bytes->data + (size_t)i * TIME_ENTRY_BYTES;
        int64_t timestamp_ms = (int64_t)get_be64(entry);
        if (timestamp_ms <= last_time || get_be32(entry + 8) > INT32_MAX)
            return error_set(err, ERR_CORRUPT, "%s.timeindex does not rise", segment->path);
        segment->time_entries[segment->time_count++] =
            (struct segment_time_entry){timestamp_ms, get_be32(entry + 8)};
        last_time = timestamp_ms;
    }
    return OK;
}

enum status segment_index_read(struct segment *segment, struct error *err)
{
    struct index_file offsets = {0}, times = {0};
    struct buf bytes;
    enum status status = index_open(&offsets, segment, false, err);

    buf_init(&bytes, SEGMENT_SIZE_MAX);
    segment_index_drop(segment);
    segment->index_in_memory = true;
    if (status == OK)
        status = index_open(&times, segment, true, err);
    if (status != OK)
        goto out;
    segment->entry_capacity = offsets.count + 16;
    segment->time_capacity = times.count + 16;
    segment->entries = mem_alloc(segment->entry_capacity * sizeof(*segment->entries));
    segment->time_entries = mem_alloc(segment->time_capacity * sizeof(*segment->time_entries));
    if (!segment->entries || !segment->time_entries) {
        status = error_memory(err, "a segment's index", segment->entry_capacity * ENTRY_BYTES);
        goto out;
    }
    status = read_offsets(segment, &offsets, &bytes, err);
    buf_clear(&bytes);
    if (status == OK)
        status = read_times(segment, &times, &bytes, err);
    if (status == OK)
        status = segment_aborted_load(segment, err);
out:
    index_close(&offsets);
    index_close(&times);
    buf_fini(&bytes);
    if (status != OK)
        segment_index_reset(segment);
    return status;
}

/* ---- searching ---- */

enum status segment_seek_offset(struct segment *segment, int64_t offset, uint64_t *out_position,
                                struct error *err)
{
    int64_t relative = offset - segment->base_offset;
    struct index_file index;
    uint8_t entry[ENTRY_BYTES];
    uint32_t below = 0;

    *out_position = 0;
    if (relative <= 0)
        return OK;
    if (segment->index_in_memory) {
        uint32_t high = segment->entry_count;
        while (below < high) {
            uint32_t middle = below + (high - below) / 2;
            if (segment->entries[middle].relative_offset <= relative)
                below = middle + 1;
            else
                high = middle;
        }
        if (below)
            *out_position = segment->entries[below - 1].position;
        return OK;
    }
    TRY(index_open(&index, segment, false, err));
    enum status status = index_count_below(&index, relative, true, &below, err);
    if (status == OK && below) {
        status = index_entry(&index, below - 1, entry, err);
        if (status == OK)
            *out_position = get_be32(entry + 4);
    }
    index_close(&index);
    return status;
}

enum status segment_seek_time(struct segment *segment, int64_t timestamp_ms, uint64_t *out_position,
                              struct error *err)
{
    struct index_file index;
    uint8_t entry[TIME_ENTRY_BYTES];
    int64_t offset = segment->base_offset;
    uint32_t below = 0;

    if (segment->index_in_memory) {
        while (below < segment->time_count &&
               segment->time_entries[below].timestamp_ms < timestamp_ms)
            below++;
        if (below)
            offset += segment->time_entries[below - 1].relative_offset;
        return segment_seek_offset(segment, offset, out_position, err);
    }
    TRY(index_open(&index, segment, true, err));
    enum status status = index_count_below(&index, timestamp_ms, false, &below, err);
    if (status == OK && below) {
        status = index_entry(&index, below - 1, entry, err);
        if (status == OK)
            offset += get_be32(entry + 8);
    }
    index_close(&index);
    return status == OK ? segment_seek_offset(segment, offset, out_position, err) : status;
}
