/* sync.c - group commit: which partitions have unsynced bytes, the fsyncs, the high watermarks.
 *
 *   append -> dirty list -> log_sync_begin: goals -> log_sync_run: fsync -> log_sync_finish: shown
 *
 * A partition is in at most one round. What is appended while its round runs marks it dirty again
 * and waits for the next. A failed fsync fails the partition: the kernel may have dropped the
 * pages, so asking again would answer OK for bytes that are gone. Owner threads: begin, run and
 * finish of one round one after another, any threads.
 */
#include "log/log_int.h"

#include "base/must.h"

void partition_mark_dirty(struct log_partition *partition)
{
    struct log *log = partition->log;
    bool first = false;

    mutex_lock(&log->dirty_lock);
    if (!partition->dirty) {
        partition->dirty = true;
        if (!partition->in_round) {
            first = log->dirty_partitions == NULL;
            partition->next = log->dirty_partitions;
            log->dirty_partitions = log_partition_ref(partition);
        }
    }
    mutex_unlock(&log->dirty_lock);
    if (first && log->dirty)
        log->dirty(log->dirty_context);
}

/* ---- begin ---- */

static void set_goals(struct log_partition *partition)
{
    mutex_lock(&partition->lock);
    for (uint32_t i = partition->segment_count; i > 0; i--) {
        struct segment *segment = partition->segments[i - 1];
        if (segment->persisted)
            break;
        segment->round_bytes = segment->size_bytes;
        segment->in_round = segment->sealed || segment->round_bytes > segment->synced_bytes;
    }
    partition->round_end = partition->end;
    partition->round_status = OK;
    partition->round_error = (struct error){0};
    mutex_unlock(&partition->lock);
}

bool log_sync_begin(struct log *log, struct log_sync *sync)
{
    mutex_lock(&log->dirty_lock);
    *sync = (struct log_sync){.log = log, .partitions = log->dirty_partitions};
    log->dirty_partitions = NULL;
    for (struct log_partition *partition = sync->partitions; partition;
         partition = partition->next) {
        partition->dirty = false;
        partition->in_round = true;
        sync->partition_count++;
    }
    mutex_unlock(&log->dirty_lock);
    for (struct log_partition *partition = sync->partitions; partition; partition = partition->next)
        set_goals(partition);
    return sync->partitions != NULL;
}

/* ---- run ---- */

static int64_t recovery_point_of(struct log_partition *partition, int64_t *out_log_start)
{
    mutex_lock(&partition->lock);
    int64_t recovery_point = partition->end;
    for (uint32_t i = partition->segment_count; i > 0; i--) {
        if (partition->segments[i - 1]->persisted)
            break;
        recovery_point = partition->segments[i - 1]->base_offset;
    }
    *out_log_start = partition->log_start;
    mutex_unlock(&partition->lock);
    return recovery_point;
}

/* What only makes the next start faster is no reason to refuse appends: it is tried again with the
 * next segment that is sealed. */
static void advance_recovery_point(struct log_partition *partition)
{
    struct error local = {0};
    int64_t log_start, recovery_point;

    mutex_lock(&partition->lock);
    bool epochs_dirty = partition->epochs_dirty;
    mutex_unlock(&partition->lock);
    enum status status = epochs_dirty ? epochs_write(partition, &local) : OK;
    if (status == OK) {
        recovery_point = recovery_point_of(partition, &log_start);
        status = checkpoint_write(partition, log_start, recovery_point, &local);
    }
    if (status != OK)
        logger_write(LOG_WARN, "log", "partition %s: its recovery point stays behind: %s",
                     partition->name, local.text);
}

/* The oldest segment of the round that is not done yet, referenced; NULL: none left. */
static struct segment *next_segment(struct log_partition *partition, bool *out_sealed)
{
    struct segment *found = NULL;

    mutex_lock(&partition->lock);
    for (uint32_t i = partition->segment_count; i > 0; i--) {
        struct segment *segment = partition->segments[i - 1];
        if (segment->persisted)
            break;
        if (segment->in_round)
            found = segment;
    }
    if (found) {
        segment_ref(found);
        *out_sealed = found->sealed && found->round_bytes == found->size_bytes;
    }
    mutex_unlock(&partition->lock);
    return found;
}

static enum status sync_segment(struct log_partition *partition, struct segment *segment,
                                bool sealed, struct error *err)
{
    struct io *io = partition->log->io;
    struct io_file *file;
    struct error local = {0};

    TRY(segment_file_use(segment, false, &file, err));
    enum status status = io->ops->sync(io, file, err);
    segment_file_done(segment);
    if (status != OK)
        return status;
    /* its index changes no more, so no lock is needed to read it */
    if (sealed &&
        (segment_index_write(segment, &local) != OK ||
         (segment->producers.length &&
          producers_write(partition, segment->next_offset, &segment->producers, &local) != OK))) {
        if (!segment->index_failed)
            logger_write(LOG_WARN, "log", "partition %s: a segment's indexes stay in memory: %s",
                         partition->name, local.text);
        segment->index_failed = true;
        sealed = false;
    }
    mutex_lock(&partition->lock);
    segment->in_round = false;
    if (segment->round_bytes > segment->synced_bytes)
        segment->synced_bytes = segment->round_bytes;
    if (sealed) {
        segment->persisted = true;
        partition->directory_dirty = true;
        segment_index_drop(segment);
    }
    mutex_unlock(&partition->lock);
    if (sealed) {
        buf_fini(&segment->producers);
        segment_file_done(segment); /* the array's */
    }
    return OK;
}

static enum status sync_partition(struct log_partition *partition, struct error *err)
{
    struct io *io = partition->log->io;
    struct segment *segment;
    bool sealed, any_sealed = false;

    while ((segment = next_segment(partition, &sealed))) {
        enum status status = sync_segment(partition, segment, sealed, err);
        segment_unref(segment);
        if (status != OK)
            return status;
        any_sealed |= sealed;
    }
    mutex_lock(&partition->lock);
    bool directory_dirty = partition->directory_dirty;
    partition->directory_dirty = false;
    mutex_unlock(&partition->lock);
    if (directory_dirty)
        TRY(io->ops->sync_directory(io, partition->directory, err));
    if (any_sealed)
        advance_recovery_point(partition);
    return OK;
}

void log_sync_run(struct log_sync *sync)
{
    for (struct log_partition *partition = sync->partitions; partition;
         partition = partition->next) {
        mutex_lock(&partition->files_lock);
        mutex_lock(&partition->lock);
        bool skip = partition->deleted || partition->failed;
        mutex_unlock(&partition->lock);
        if (!skip)
            partition->round_status = sync_partition(partition, &partition->round_error);
        mutex_unlock(&partition->files_lock);
        if (partition->round_status != OK) {
            sync->failed_count++;
            partition_fail(partition, &partition->round_error);
        }
    }
}

/* ---- finish ---- */

/* Everything up to the goals is synced now: the high watermark is where the first unsynced batch
 * begins. */
static void show(struct log_partition *partition)
{
    if (partition->log->durability != LOG_POWER)
        return;
    mutex_lock(&partition->lock);
    if (partition->deleted || partition->failed) {
        mutex_unlock(&partition->lock);
        return;
    }
    for (uint32_t i = 0; i < partition->segment_count; i++)
        partition->segments[i]->visible_bytes = partition->segments[i]->synced_bytes;
    if (partition->round_end > partition->high_watermark)
        partition_set_high_watermark(partition, partition->round_end);
    mutex_unlock(&partition->lock);
    partition_wake(partition);
}

bool log_sync_finish(struct log_sync *sync)
{
    struct log *log = sync->log;
    struct log_partition *partition = sync->partitions;
    bool due = false;

    while (partition) {
        struct log_partition *next = partition->next;
        show(partition);
        mutex_lock(&log->dirty_lock);
        partition->in_round = false;
        partition->next = NULL;
        bool again = partition->dirty;
        if (again) {
            due |= log->dirty_partitions == NULL;
            partition->next = log->dirty_partitions;
            log->dirty_partitions = partition;
        }
        mutex_unlock(&log->dirty_lock);
        if (!again)
            log_partition_unref(partition);
        partition = next;
    }
    sync->partitions = NULL;
    return due;
}

void log_hurry(struct log *log)
{
    if (log->hurry)
        log->hurry(log->dirty_context);
}

enum status log_sync(struct log *log, struct error *err)
{
    struct log_sync sync = {0};
    uint32_t failed_count = 0;

    while (log_sync_begin(log, &sync)) {
        log_sync_run(&sync);
        failed_count += sync.failed_count;
        log_sync_finish(&sync);
    }
    return failed_count ? error_set(err, ERR_IO, "%u partitions could not be synced", failed_count)
                        : OK;
}
