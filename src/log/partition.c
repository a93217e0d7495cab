/* partition.c - one partition's life: memory, files made and removed, offsets asked, epochs,
 * watches.
 *
 * What it does not do: recovery (recover.c), append (append.c), sync (sync.c), reads (read.c).
 * Locks: log_int.h.
 */
#include "log/log_int.h"

#include <stdio.h>

#include "base/must.h"

enum status partition_new(struct log_partition **out, struct log_topic *topic, uint32_t index,
                          struct error *err)
{
    struct log *log = topic->log;
    size_t path_bytes = strlen(log->directory) + strlen(topic->name) + 16;
    struct log_partition *partition = mem_calloc(1, sizeof(*partition));
    char *directory = partition ? mem_alloc(path_bytes) : NULL;

    if (!directory) {
        mem_free(partition);
        return error_memory(err, "a partition", sizeof(*partition) + path_bytes);
    }
    snprintf(partition->name, sizeof(partition->name), "%s-%u", topic->name, index);
    snprintf(directory, path_bytes, "%s/%s", log->directory, partition->name);
    partition->refs = 1;
    partition->log = log;
    partition->directory = directory;
    memcpy(partition->topic_id, topic->id, LOG_UUID_BYTES);
    partition->index = index;
    partition->config = topic->config;
    partition->snapshot_offset = partition->snapshot_base = -1;
    partition->producers.owner = log->owner;
    mutex_init(&partition->files_lock);
    mutex_init(&partition->append_lock);
    mutex_init(&partition->lock);
    mutex_init(&partition->watch_lock);
    *out = partition;
    return OK;
}

struct log_partition *log_partition_ref(struct log_partition *partition)
{
    atomic_fetch_add_explicit(&partition->refs, 1, memory_order_relaxed);
    return partition;
}

/* The array keeps a segment's file open until the segment is persisted: only this handle is sure to
 * be told of a failed write-back. */
static void give_up_segment(struct segment *segment)
{
    if (segment->file && !segment->persisted)
        segment_file_done(segment);
    segment_unref(segment);
}

void log_partition_unref(struct log_partition *partition)
{
    if (!partition || atomic_fetch_sub_explicit(&partition->refs, 1, memory_order_acq_rel) != 1)
        return;
    must(!partition->watches && !partition->in_round);
    for (uint32_t i = 0; i < partition->segment_count; i++)
        give_up_segment(partition->segments[i]);
    producers_fini(&partition->producers);
    transactions_fini(&partition->transactions);
    mutex_fini(&partition->files_lock);
    mutex_fini(&partition->append_lock);
    mutex_fini(&partition->lock);
    mutex_fini(&partition->watch_lock);
    mem_free(partition->segments);
    mem_free(partition->epochs);
    mem_free(partition->directory);
    mem_free(partition);
}

enum status partition_create_files(struct log_partition *partition, struct error *err)
{
    struct io *io = partition->log->io;
    struct io_stat stat;
    struct error local = {0};

    /* left by a topic of this name whose files could not be removed */
    enum status status = io->ops->stat(io, partition->directory, &stat, &local);
    if (status == OK)
        status = io_remove_tree(io, partition->directory, err);
    else if (status == ERR_NOT_FOUND)
        status = OK;
    else
        error_set(err, status, "%s", local.text);
    if (status == OK)
        status = io->ops->mkdir(io, partition->directory, err);
    if (status == OK)
        status = partition_metadata_write(partition, err);
    return status;
}

/* The next start then has nothing to walk over. */
static enum status close_producers(struct log_partition *partition, struct error *err)
{
    struct buf snapshot;

    if (partition->snapshot_offset == partition->end || partition->segment_count == 0)
        return OK;
    buf_init(&snapshot, SEGMENT_SIZE_MAX);
    producers_encode(&partition->producers, &snapshot);
    enum status status = buf_check(&snapshot, "a snapshot of producers", err);
    if (status == OK)
        status = producers_write(partition, partition->end, &snapshot, err);
    buf_fini(&snapshot);
    return status;
}

enum status partition_close_files(struct log_partition *partition, struct error *err)
{
    struct io *io = partition->log->io;

    for (uint32_t i = 0; i < partition->segment_count; i++) {
        struct segment *segment = partition->segments[i];
        if (segment->persisted || segment->size_bytes == segment->indexed_bytes)
            continue; /* a sealed one is here when its indexes could not be written before */
        segment_seal(segment);
        TRY(segment_index_write(segment, err));
        segment_file_done(segment);
        segment->persisted = true;
        partition->directory_dirty = true;
    }
    if (partition->epochs_dirty)
        TRY(epochs_write(partition, err));
    TRY(close_producers(partition, err));
    if (partition->directory_dirty)
        TRY(io->ops->sync_directory(io, partition->directory, err));
    partition->directory_dirty = false;
    return OK;
}

enum status partition_delete(struct log_partition *partition, struct error *err)
{
    mutex_lock(&partition->files_lock);
    mutex_lock(&partition->append_lock);
    mutex_lock(&partition->lock);
    partition->deleted = true;
    uint32_t count = partition->segment_count;
    struct segment **segments = partition->segments;
    partition->segments = NULL;
    partition->segment_count = partition->segment_capacity = 0;
    atomic_store(&partition->watched_offset, INT64_MAX);
    mutex_unlock(&partition->lock);
    partition_wake(partition);
    for (uint32_t i = 0; i < count; i++)
        give_up_segment(segments[i]);
    mem_free(segments);
    enum status status = io_remove_tree(partition->log->io, partition->directory, err);
    mutex_unlock(&partition->append_lock);
    mutex_unlock(&partition->files_lock);
    return status;
}

void partition_seal(struct log_partition *partition, struct segment *segment)
{
    if (segment->sealed)
        return;
    producers_encode(&partition->producers, &segment->producers);
    segment_seal(segment);
}

enum status partition_add_segment(struct log_partition *partition, struct segment *segment,
                                  struct error *err)
{
    enum status status = OK;

    mutex_lock(&partition->lock);
    if (partition->segment_count == partition->segment_capacity) {
        uint32_t wanted = partition->segment_capacity ? partition->segment_capacity * 2 : 4;
        struct segment **grown = mem_realloc(partition->segments, wanted * sizeof(*grown));
        if (!grown) {
            status = error_memory(err, "a table of segments", wanted * sizeof(*grown));
            goto out;
        }
        partition->segments = grown;
        partition->segment_capacity = wanted;
    }
    partition->segments[partition->segment_count++] = segment;
out:
    mutex_unlock(&partition->lock);
    return status;
}

struct segment *partition_segment_at(struct log_partition *partition, int64_t offset)
{
    uint32_t low = 0, high = partition->segment_count;
    while (low < high) { /* the first segment that ends above offset */
        uint32_t middle = low + (high - low) / 2;
        if (partition->segments[middle]->next_offset <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low < partition->segment_count ? partition->segments[low] : NULL;
}

void partition_fail(struct log_partition *partition, const struct error *err)
{
    mutex_lock(&partition->lock);
    bool first = !partition->failed;
    if (first) {
        partition->failed = true;
        partition->failure = *err;
        atomic_store(&partition->watched_offset, INT64_MAX);
    }
    mutex_unlock(&partition->lock);
    if (!first)
        return;
    logger_write(LOG_ERROR, "log", "partition %s takes no more appends until the next start: %s",
                 partition->name, err->text);
    partition_wake(partition);
}

/* ---- asking ---- */

void log_partition_offsets(struct log_partition *partition, struct log_offsets *out)
{
    *out = (struct log_offsets){0};
    mutex_lock(&partition->lock);
    out->log_start = partition->log_start;
    out->high_watermark = out->last_stable = partition->high_watermark;
    if (transactions_first(&partition->transactions) < out->last_stable)
        out->last_stable = transactions_first(&partition->transactions);
    if (out->last_stable < partition->log_start) /* what is gone is decided */
        out->last_stable = partition->log_start;
    out->end = partition->end;
    out->leader_epoch = partition->log->leader_epoch;
    out->failed = partition->failed;
    out->deleted = partition->deleted;
    out->segment_count = partition->segment_count;
    for (uint32_t i = 0; i < partition->segment_count; i++)
        out->size_bytes += partition->segments[i]->size_bytes;
    mutex_unlock(&partition->lock);
}

uint32_t log_partition_index(const struct log_partition *partition)
{
    return partition->index;
}

/* ---- leader epochs ---- */

enum status partition_note_epoch(struct log_partition *partition, int32_t epoch, int64_t offset,
                                 struct error *err)
{
    uint32_t count = partition->epoch_count;
    if (count && partition->epochs[count - 1].epoch >= epoch)
        return OK;
    if (count == partition->epoch_capacity) {
        uint32_t wanted = count ? count * 2 : 4;
        struct epoch_entry *grown = mem_realloc(partition->epochs, wanted * sizeof(*grown));
        if (!grown)
            return error_memory(err, "leader epochs", wanted * sizeof(*grown));
        partition->epochs = grown;
        partition->epoch_capacity = wanted;
    }
    partition->epochs[partition->epoch_count++] = (struct epoch_entry){epoch, offset};
    partition->epochs_dirty = true;
    return OK;
}

void log_epoch_end(struct log_partition *partition, int32_t epoch, int32_t *out_epoch,
                   int64_t *out_end_offset)
{
    int32_t current = partition->log->leader_epoch;

    mutex_lock(&partition->lock);
    *out_epoch = -1;
    *out_end_offset = -1;
    if (epoch >= 0 && epoch <= current) {
        int64_t next_start = partition->end; /* of the current epoch, which may have no record */
        *out_epoch = epoch;
        for (uint32_t i = partition->epoch_count; i > 0; i--) {
            if (partition->epochs[i - 1].epoch <= epoch) {
                *out_epoch = epoch == current ? current : partition->epochs[i - 1].epoch;
                break;
            }
            next_start = partition->epochs[i - 1].start_offset;
        }
        *out_end_offset = next_start;
    }
    mutex_unlock(&partition->lock);
}

/* ---- watches ---- */

void partition_set_high_watermark(struct log_partition *partition, int64_t offset)
{
    must(offset >= partition->high_watermark && offset <= partition->end);
    partition->high_watermark = offset;
    transactions_shown(&partition->transactions, offset);
    if (!partition->failed && !partition->deleted)
        atomic_store(&partition->watched_offset, offset);
}

static void unlink_watch(struct log_watch *watch)
{
    *watch->link = watch->next;
    if (watch->next)
        watch->next->link = watch->link;
    watch->next = NULL;
    watch->link = NULL;
}

static void wake_below(struct log_partition *partition, int64_t offset)
{
    mutex_lock(&partition->watch_lock);
    struct log_watch *watch = partition->watches;
    while (watch) {
        struct log_watch *next = watch->next;
        if (offset > watch->after_offset) {
            unlink_watch(watch);
            watch->fire(watch);
        }
        watch = next;
    }
    mutex_unlock(&partition->watch_lock);
}

void partition_wake(struct log_partition *partition)
{
    wake_below(partition, atomic_load(&partition->watched_offset));
}

void partition_wake_all(struct log_partition *partition)
{
    wake_below(partition, INT64_MAX);
}

bool log_watch_arm(struct log_partition *partition, struct log_watch *watch, int64_t after_offset)
{
    mutex_lock(&partition->watch_lock);
    must(!watch->link);
    bool waits = atomic_load(&partition->watched_offset) <= after_offset;
    if (waits) {
        watch->after_offset = after_offset;
        watch->next = partition->watches;
        watch->link = &partition->watches;
        if (watch->next)
            watch->next->link = &watch->next;
        partition->watches = watch;
    }
    mutex_unlock(&partition->watch_lock);
    return waits;
}

void log_watch_cancel(struct log_partition *partition, struct log_watch *watch)
{
    mutex_lock(&partition->watch_lock);
    if (watch->link)
        unlink_watch(watch);
    mutex_unlock(&partition->watch_lock);
}
