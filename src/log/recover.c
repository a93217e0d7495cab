/* recover.c - a partition's state from its files, after a clean stop or a crash.
 *
 *   segments:   [ trusted: sealed, fsynced, indexes on disk ][ verified batch by batch ... ]
 *                                              recovery point ^
 *
 * After a crash every batch from the recovery point on is checked (header, CRC, offsets). At the
 * first that is not sound the segment is cut and later segments are removed: group commit syncs in
 * order, so nothing that was reported durable can lie behind the first damage. What is left is
 * synced before anyone sees it, so a second crash finds the same. After a clean stop only the
 * batches behind the last index entry are walked, without CRCs; damage there makes the partition be
 * verified whole. Owner thread: the one in log_open.
 */
#include "log/log_int.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/must.h"

struct bases { /* first offsets of the segments found */
    int64_t *offsets;
    size_t count, capacity;
};

static enum status found_file(void *context, const char *name, struct error *err)
{
    struct bases *bases = context;
    struct str text = str_of(name);
    int64_t offset;

    if (text.length != 24 || strcmp(name + 20, ".log") != 0 ||
        !str_to_i64((struct str){name, 20}, &offset, NULL) || offset < 0)
        return OK;
    if (bases->count == bases->capacity) {
        size_t wanted = bases->capacity ? bases->capacity * 2 : 16;
        int64_t *grown = mem_realloc(bases->offsets, wanted * sizeof(*grown));
        if (!grown)
            return error_memory(err, "a list of segments", wanted * sizeof(*grown));
        bases->offsets = grown;
        bases->capacity = wanted;
    }
    bases->offsets[bases->count++] = offset; /* names are sorted, so are these */
    return OK;
}

struct recovery {
    struct log_partition *partition;
    struct bases bases;
    bool clean;
    bool removed;     /* or made: sync the directory */
    bool synced;      /* the directory was, before the first removal */
    bool start_known; /* the checkpoint is sound */
    int64_t log_start;
    int64_t recovery_point;
};

static enum status remove_segment(struct recovery *recovery, int64_t base_offset,
                                  const char *reason, struct error *err)
{
    struct log_partition *partition = recovery->partition;
    struct segment *segment = NULL;

    /* a process that was killed may have published the checkpoint and not synced it: then an older
     * one, which needs this segment, could come back after it is gone */
    if (!recovery->synced)
        TRY(partition->log->io->ops->sync_directory(partition->log->io, partition->directory, err));
    recovery->synced = true;
    TRY(segment_new(&segment, partition->log->io, partition->directory, base_offset, err));
    logger_write(LOG_INFO, "log", "partition %s: segment %020" PRId64 " is removed: %s",
                 partition->name, base_offset, reason);
    enum status status = segment_unlink(segment, err);
    segment_unref(segment);
    recovery->removed = true;
    return status;
}

static enum status file_size(struct segment *segment, uint64_t *out_bytes, struct error *err)
{
    struct io_file *file;
    struct io_stat stat = {0};

    TRY(segment_file_use(segment, false, &file, err));
    enum status status = segment->io->ops->file_stat(segment->io, file, &stat, err);
    segment_file_done(segment);
    if (status == OK && stat.size_bytes > SEGMENT_SIZE_MAX)
        status = error_set(err, ERR_LIMIT, "%s.log has %" PRIu64 " bytes: a segment has at most %d",
                           segment->path, stat.size_bytes, SEGMENT_SIZE_MAX);
    if (status == OK && stat.modified_us > 0)
        segment->created_ms = stat.modified_us / 1000;
    *out_bytes = stat.size_bytes;
    return status;
}

/* Account for the batches from position to end. ERR_CORRUPT: segment->size_bytes is the sound part;
 * why is in *damage. */
static enum status walk_from(struct recovery *recovery, struct segment *segment, uint64_t position,
                             uint64_t end, bool check_crc, struct error *damage, struct error *err)
{
    struct log_partition *partition = recovery->partition;
    struct segment_walk walk = {0};
    struct record_batch batch;
    struct error local = {0};
    uint64_t at;

    TRY(segment_walk_open(&walk, segment, position, end, check_crc, err));
    walk.next_offset = segment->next_offset;
    enum status status;
    while ((status = segment_walk_next(&walk, &batch, &at, &local)) == OK) {
        segment_note_batch(segment, &batch, partition->config.index_interval_bytes);
        if (batch.leader_epoch >= 0) {
            status = partition_note_epoch(partition, batch.leader_epoch, batch.base_offset, err);
            if (status != OK)
                break;
        }
    }
    segment_walk_close(&walk);
    if (status == ERR_END)
        return OK;
    if (status == ERR_CORRUPT && damage)
        *damage = local;
    return error_set(err, status, "%s", local.text);
}

/* A segment below the recovery point, or any but the last after a clean stop. */
static enum status load_trusted(struct recovery *recovery, struct segment *segment,
                                int64_t next_base, struct error *err)
{
    struct log_partition *partition = recovery->partition;
    struct error local = {0};
    uint64_t size_bytes;

    TRY(file_size(segment, &size_bytes, err));
    segment->size_bytes = size_bytes;
    enum status status = segment_index_check(segment, &local);
    if (status == OK) {
        segment_index_drop(segment);
        segment->persisted = true;
    } else if (status == ERR_CORRUPT) {
        logger_write(LOG_WARN, "log", "partition %s: %s: the indexes are made again",
                     partition->name, local.text);
        segment->size_bytes = 0;
        segment_index_reset(segment);
        segment->aborted_unknown = true;
        local = (struct error){0};
        status = walk_from(recovery, segment, 0, size_bytes, false, &local, &local);
        if (status == ERR_CORRUPT) {
            logger_write(LOG_ERROR, "log", "partition %s: synced data is damaged: %s",
                         partition->name, local.text);
            segment->size_bytes = size_bytes; /* readers meet the damage and say so */
            status = OK;
        }
        recovery->removed = true; /* persist() writes them */
    }
    if (status != OK)
        return error_set(err, status, "%s", local.text);
    segment_seal(segment);
    segment->next_offset = next_base;
    return OK;
}

/* The last segment after a clean stop. ERR_CORRUPT: it is not as it was left. */
static enum status load_clean_tail(struct recovery *recovery, struct segment *segment,
                                   struct error *err)
{
    uint64_t size_bytes, position = 0;

    TRY(file_size(segment, &size_bytes, err));
    segment->size_bytes = size_bytes;
    TRY(segment_index_read(segment, err));
    segment->size_bytes = 0;
    if (segment->entry_count) {
        struct segment_entry last = segment->entries[--segment->entry_count];
        position = last.position; /* the walk makes this entry again */
        if (segment->entry_count)
            segment->next_offset = segment->base_offset +
                                   segment->entries[segment->entry_count - 1].relative_offset + 1;
        segment->unindexed_bytes = UINT32_MAX;
    }
    if (segment->time_count) {
        struct segment_time_entry last = segment->time_entries[segment->time_count - 1];
        segment->max_timestamp_ms = last.timestamp_ms;
        segment->max_timestamp_relative = last.relative_offset;
    }
    segment->size_bytes = position;
    TRY(walk_from(recovery, segment, position, size_bytes, false, NULL, err));
    segment->indexed_bytes = size_bytes;
    return OK;
}

/* Verify all of a segment; cut it at the first damage (*out_cut). */
static enum status load_verified(struct recovery *recovery, struct segment *segment, bool *out_cut,
                                 struct error *err)
{
    struct log_partition *partition = recovery->partition;
    struct io *io = partition->log->io;
    struct io_file *file;
    struct error damage = {0}, local = {0};
    uint64_t size_bytes;

    *out_cut = false;
    segment->aborted_unknown = true;
    TRY(segment_unlink_indexes(segment, err));
    TRY(file_size(segment, &size_bytes, err));
    enum status status = walk_from(recovery, segment, 0, size_bytes, true, &damage, &local);
    if (status != OK && status != ERR_CORRUPT)
        return error_set(err, status, "%s", local.text);
    TRY(segment_file_use(segment, false, &file, err));
    if (status == ERR_CORRUPT) {
        logger_write(LOG_WARN, "log",
                     "partition %s: cut at offset %" PRId64 ", %" PRIu64
                     " bytes of its last segment are dropped: %s",
                     partition->name, segment->next_offset, size_bytes - segment->size_bytes,
                     damage.text);
        *out_cut = true;
        status = io->ops->truncate(io, file, segment->size_bytes, err);
    }
    if (status == OK)
        status = io->ops->sync(io, file, err);
    segment_file_done(segment);
    return status;
}

/* Where segment i ends if it may be trusted, else -1. The last one may be when it lies below the
 * recovery point: it was sealed, and its successor had nothing in it. */
static int64_t trusted_end(const struct recovery *recovery, size_t i)
{
    const struct bases *bases = &recovery->bases;
    bool last = i + 1 == bases->count;
    int64_t end = last ? recovery->recovery_point : bases->offsets[i + 1];

    if (end <= bases->offsets[i])
        return -1;
    return end <= recovery->recovery_point || (recovery->clean && !last) ? end : -1;
}

/* Load segment i; *out_stop: what follows is to be removed. */
static enum status load_segment(struct recovery *recovery, size_t i, bool *out_stop,
                                struct error *err)
{
    struct log_partition *partition = recovery->partition;
    bool last = i + 1 == recovery->bases.count;
    int64_t end_if_trusted = trusted_end(recovery, i);
    struct segment *segment = NULL;
    enum status status;

    *out_stop = false;
    TRY(segment_new(&segment, partition->log->io, partition->directory, recovery->bases.offsets[i],
                    err));
    if (end_if_trusted >= 0)
        status = load_trusted(recovery, segment, end_if_trusted, err);
    else if (recovery->clean && last)
        status = load_clean_tail(recovery, segment, err);
    else
        status = load_verified(recovery, segment, out_stop, err);
    if (status == OK && end_if_trusted < 0 && !last)
        segment_seal(segment);
    segment->synced_bytes = segment->visible_bytes = segment->size_bytes;
    if (status == OK && segment->size_bytes == 0) {
        /* an empty one says nothing but an offset that its neighbours and the checkpoint know */
        status = remove_segment(recovery, segment->base_offset, "it is empty", err);
        segment_unref(segment);
        return status;
    }
    if (status == OK)
        status = partition_add_segment(partition, segment, err);
    if (status != OK)
        segment_unref(segment);
    return status;
}

static enum status load_segments(struct recovery *recovery, struct error *err)
{
    struct log_partition *partition = recovery->partition;
    struct bases *bases = &recovery->bases;
    bool stop = false, known = recovery->start_known;
    int64_t expected = recovery->log_start;

    for (size_t i = 0; i < bases->count; i++) {
        int64_t base_offset = bases->offsets[i];
        if (i + 1 < bases->count && bases->offsets[i + 1] <= recovery->log_start) {
            TRY(remove_segment(recovery, base_offset, "it lies below the log start", err));
            continue;
        }
        /* a gap above the recovery point: what was there was lost in the crash, before any of
         * this was reported durable */
        if (known && !recovery->clean && base_offset > recovery->recovery_point &&
            base_offset > expected)
            stop = true;
        if (stop) {
            TRY(remove_segment(recovery, base_offset, "it follows damage", err));
            continue;
        }
        TRY(load_segment(recovery, i, &stop, err));
        known = true;
        expected = base_offset;
        if (partition->segment_count)
            expected = partition->segments[partition->segment_count - 1]->next_offset;
    }
    return OK;
}

/* Offsets, epochs and the appender's file, once the segments are there. */
static enum status settle(struct recovery *recovery, struct error *err)
{
    struct log_partition *partition = recovery->partition;
    uint32_t count = partition->segment_count;
    struct io_file *file;

    /* offsets below the recovery point were given and synced once: not given again, whatever became
     * of their records */
    if (count && partition->segments[count - 1]->next_offset < recovery->recovery_point)
        partition->segments[count - 1]->next_offset = recovery->recovery_point;
    int64_t end = count ? partition->segments[count - 1]->next_offset : 0;
    int64_t first = count ? partition->segments[0]->base_offset : 0;
    if (recovery->log_start > end || count == 0) {
        /* everything kept is gone (deleted up to the end, or lost): go on at the log start */
        for (uint32_t i = 0; i < count; i++) {
            TRY(remove_segment(recovery, partition->segments[i]->base_offset,
                               "it lies below the log start", err));
            segment_unref(partition->segments[i]);
        }
        partition->segment_count = count = 0;
        first = end = recovery->log_start > recovery->recovery_point ? recovery->log_start
                                                                     : recovery->recovery_point;
    }
    partition->log_start = first > recovery->log_start ? first : recovery->log_start;
    partition->end = partition->high_watermark = end;
    partition->recovery_point = recovery->recovery_point;
    atomic_store(&partition->watched_offset, end);
    while (partition->epoch_count &&
           partition->epochs[partition->epoch_count - 1].start_offset > end) {
        partition->epoch_count--;
        partition->epochs_dirty = true;
    }
    if (count) {
        struct segment *last = partition->segments[count - 1];
        if (!last->sealed)
            TRY(segment_file_use(last, false, &file, err));
    }
    return OK;
}

/* Where the first segment begins whose aborted transactions have to be found again. */
static int64_t first_unknown(const struct log_partition *partition)
{
    for (uint32_t i = 0; i < partition->segment_count; i++)
        if (partition->segments[i]->aborted_unknown)
            return partition->segments[i]->base_offset;
    return INT64_MAX;
}

/* What was verified (or the last process left without saying so) becomes trusted, durably. */
static enum status persist(struct recovery *recovery, struct error *err)
{
    struct log_partition *partition = recovery->partition;
    struct io *io = partition->log->io;
    int64_t recovery_point = partition->end;

    for (uint32_t i = 0; i < partition->segment_count; i++) {
        struct segment *segment = partition->segments[i];
        if (!segment->sealed) {
            recovery_point = segment->base_offset;
        } else if (!segment->persisted) {
            TRY(segment_index_write(segment, err));
            segment_index_drop(segment);
            segment->persisted = true;
        }
    }
    if (!recovery->clean || recovery->removed)
        TRY(io->ops->sync_directory(io, partition->directory, err));
    if (partition->epochs_dirty)
        TRY(epochs_write(partition, err));
    if (recovery_point != partition->recovery_point)
        TRY(checkpoint_write(partition, partition->log_start, recovery_point, err));
    return OK;
}

static enum status check_directory(struct log_partition *partition, struct error *err)
{
    struct io *io = partition->log->io;
    struct io_stat stat;
    struct error local = {0};
    bool present, matches;

    enum status status = io->ops->stat(io, partition->directory, &stat, &local);
    if (status == ERR_NOT_FOUND) {
        logger_write(LOG_ERROR, "log", "partition %s: its directory is missing: it starts empty",
                     partition->name);
        TRY(partition_create_files(partition, err));
        return io->ops->sync_directory(io, partition->log->directory, err);
    }
    if (status != OK)
        return error_set(err, status, "%s", local.text);
    TRY(partition_metadata_matches(partition, &present, &matches, err));
    if (present && !matches)
        return error_set(err, ERR_CORRUPT, "%s belongs to another topic (partition.metadata)",
                         partition->directory);
    if (!present)
        TRY(partition_metadata_write(partition, err));
    return OK;
}

static enum status load_once(struct log_partition *partition, bool clean, struct error *err)
{
    struct io *io = partition->log->io;
    struct recovery recovery = {.partition = partition, .clean = clean};

    enum status status =
        checkpoint_read(partition, &recovery.log_start, &recovery.recovery_point, err);
    recovery.start_known = recovery.log_start >= 0;
    if (!recovery.start_known)
        recovery.log_start = recovery.recovery_point = 0;
    if (status == OK)
        status = epochs_read(partition, err);
    if (status == OK)
        status = io->ops->list(io, partition->directory, found_file, &recovery.bases, err);
    if (status == OK)
        status = load_segments(&recovery, err);
    if (status == OK)
        status = settle(&recovery, err);
    if (status == OK)
        status = producers_recover(partition, first_unknown(partition), &recovery.removed, err);
    if (status == OK)
        status = persist(&recovery, err);
    mem_free(recovery.bases.offsets);
    return status;
}

enum status partition_load(struct log_partition *partition, bool clean, struct error *err)
{
    struct error local = {0};

    TRY(check_directory(partition, err));
    if (!clean)
        return load_once(partition, false, err);
    enum status status = load_once(partition, true, &local);
    if (status != ERR_CORRUPT)
        return status == OK ? OK : error_set(err, status, "%s", local.text);
    logger_write(LOG_WARN, "log",
                 "partition %s was closed cleanly but is not as it was left: %s: it is verified",
                 partition->name, local.text);
    for (uint32_t i = 0; i < partition->segment_count; i++)
        segment_unref(partition->segments[i]);
    partition->segment_count = 0;
    return load_once(partition, false, err);
}
