/* segment.c - a segment's life: memory, file handle, accounting of appended batches, files removed.
 *
 * What it does not do: indexes (segment_index.c), reading over batches (segment_walk.c), deciding
 * when to roll, sync or delete (append.c, sync.c, retain.c).
 * Owner thread: see segment.h.
 */
#include "log/segment.h"

#include <stdio.h>
#include <string.h>

#include "base/must.h"

#define TIME_ENTRIES_FIRST 4

enum status segment_new(struct segment **out, struct io *io, const char *directory,
                        int64_t base_offset, struct error *err)
{
    size_t path_bytes = strlen(directory) + 22;
    struct segment *segment = mem_calloc(1, sizeof(*segment));
    char *path = segment ? mem_alloc(path_bytes) : NULL;

    if (path)
        segment->time_entries = mem_alloc(TIME_ENTRIES_FIRST * sizeof(*segment->time_entries));
    if (!path || !segment->time_entries) {
        mem_free(path);
        mem_free(segment);
        return error_memory(err, "a log segment", sizeof(*segment) + path_bytes);
    }
    snprintf(path, path_bytes, "%s/%020lld", directory, (long long)base_offset);
    segment->time_capacity = TIME_ENTRIES_FIRST;
    segment->refs = 1;
    segment->io = io;
    segment->path = path;
    segment->base_offset = base_offset;
    segment->next_offset = base_offset;
    segment->max_timestamp_ms = -1;
    segment->first_timestamp_ms = -1;
    segment->created_ms = io_wall_us(io) / 1000;
    segment->index_in_memory = true;
    mutex_init(&segment->file_lock);
    buf_init(&segment->producers, SEGMENT_SIZE_MAX);
    *out = segment;
    return OK;
}

struct segment *segment_ref(struct segment *segment)
{
    atomic_fetch_add_explicit(&segment->refs, 1, memory_order_relaxed);
    return segment;
}

void segment_unref(struct segment *segment)
{
    if (!segment || atomic_fetch_sub_explicit(&segment->refs, 1, memory_order_acq_rel) != 1)
        return;
    must(segment->file_users == 0);
    mutex_fini(&segment->file_lock);
    buf_fini(&segment->producers);
    mem_free(segment->entries);
    mem_free(segment->time_entries);
    mem_free(segment->aborted);
    mem_free(segment->path);
    mem_free(segment);
}

enum status segment_file_use(struct segment *segment, bool create, struct io_file **out,
                             struct error *err)
{
    struct io *io = segment->io;
    char path[4096];
    enum status status = OK;

    mutex_lock(&segment->file_lock);
    if (!segment->file) {
        snprintf(path, sizeof(path), "%s.log", segment->path);
        status =
            io->ops->open(io, path, IO_READ | IO_WRITE | (create ? IO_CREATE | IO_TRUNCATE : 0),
                          &segment->file, err);
    }
    if (status == OK) {
        segment->file_users++;
        *out = segment->file;
    } else {
        segment->file = NULL;
    }
    mutex_unlock(&segment->file_lock);
    return status;
}

void segment_file_done(struct segment *segment)
{
    mutex_lock(&segment->file_lock);
    must(segment->file_users > 0);
    if (--segment->file_users == 0) {
        segment->io->ops->close(segment->io, segment->file);
        segment->file = NULL;
    }
    mutex_unlock(&segment->file_lock);
}

/* Room for one more entry beside the one kept free; without memory the entry is simply not made. */
static bool room(void **entries, uint32_t count, uint32_t *capacity, size_t entry_bytes)
{
    if (count + 1 < *capacity)
        return true;
    uint32_t wanted = *capacity ? *capacity * 2 : 16;
    void *grown = mem_realloc(*entries, wanted * entry_bytes);
    if (!grown)
        return false;
    *entries = grown;
    *capacity = wanted;
    return true;
}

static void note_time(struct segment *segment)
{
    uint32_t count = segment->time_count;
    if (segment->max_timestamp_ms < 0 ||
        (count && segment->time_entries[count - 1].timestamp_ms >= segment->max_timestamp_ms))
        return;
    if (count >= segment->time_capacity)
        return;
    segment->time_entries[segment->time_count++] = (struct segment_time_entry){
        segment->max_timestamp_ms,
        segment->max_timestamp_relative,
    };
}

void segment_note_batch(struct segment *segment, const struct record_batch *batch,
                        int64_t index_interval_bytes)
{
    int64_t last_offset = record_batch_last_offset(batch);
    uint32_t relative = (uint32_t)(last_offset - segment->base_offset);

    must(!segment->sealed && segment->index_in_memory);
    if (segment->size_bytes == 0)
        segment->first_timestamp_ms = batch->max_timestamp_ms;
    if (batch->max_timestamp_ms > segment->max_timestamp_ms) {
        segment->max_timestamp_ms = batch->max_timestamp_ms;
        segment->max_timestamp_relative = relative;
    }
    bool time_room = room((void **)&segment->time_entries, segment->time_count,
                          &segment->time_capacity, sizeof(*segment->time_entries));
    if (segment->unindexed_bytes > (uint64_t)index_interval_bytes &&
        room((void **)&segment->entries, segment->entry_count, &segment->entry_capacity,
             sizeof(*segment->entries))) {
        segment->entries[segment->entry_count++] =
            (struct segment_entry){relative, (uint32_t)segment->size_bytes};
        if (time_room)
            note_time(segment);
        segment->unindexed_bytes = 0;
    }
    segment->unindexed_bytes += batch->size_bytes;
    segment->size_bytes += batch->size_bytes;
    segment->next_offset = last_offset + 1;
}

void segment_seal(struct segment *segment)
{
    if (segment->sealed)
        return;
    if (segment->index_in_memory)
        note_time(segment);
    segment->sealed = true;
}

static enum status unlink_suffix(struct segment *segment, const char *suffix, struct error *err)
{
    char path[4096];
    struct error local = {0};
    snprintf(path, sizeof(path), "%s%s", segment->path, suffix);
    enum status status = segment->io->ops->unlink(segment->io, path, &local);
    if (status == OK || status == ERR_NOT_FOUND)
        return OK;
    return error_set(err, status, "%s", local.text);
}

enum status segment_unlink_indexes(struct segment *segment, struct error *err)
{
    TRY(unlink_suffix(segment, ".index", err));
    TRY(unlink_suffix(segment, ".txnindex", err));
    return unlink_suffix(segment, ".timeindex", err);
}

enum status segment_unlink(struct segment *segment, struct error *err)
{
    TRY(unlink_suffix(segment, ".log", err));
    return segment_unlink_indexes(segment, err);
}
