/* retain.c - what is old goes: retention by size and time, and DeleteRecords.
 *
 * The new log start is durable before a file is unlinked, so a crash in between never brings old
 * records back into view or leaves a hole. Only whole, sealed, persisted segments are unlinked; a
 * reader that is in one keeps its file open.
 */
#include "log/log_int.h"

#include <inttypes.h>

/* ---- giving up segments ---- */

/* Take the first segment out of the array if it lies below the log start and is persisted. */
static struct segment *take_first(struct log_partition *partition)
{
    struct segment *segment = NULL;

    mutex_lock(&partition->lock);
    if (partition->segment_count && partition->segments[0]->persisted &&
        partition->segments[0]->next_offset <= partition->log_start) {
        segment = partition->segments[0];
        partition->segment_count--;
        memmove(partition->segments, partition->segments + 1,
                partition->segment_count * sizeof(struct segment *));
    }
    mutex_unlock(&partition->lock);
    return segment;
}

/* files_lock held. */
static enum status move_log_start(struct log_partition *partition, int64_t log_start,
                                  struct error *err)
{
    struct segment *segment;
    enum status status = OK;

    mutex_lock(&partition->lock);
    int64_t recovery_point = partition->recovery_point;
    mutex_unlock(&partition->lock);
    TRY(checkpoint_write(partition, log_start, recovery_point, err));
    mutex_lock(&partition->lock);
    partition->log_start = log_start;
    mutex_unlock(&partition->lock);
    while (status == OK && (segment = take_first(partition))) {
        logger_write(LOG_INFO, "log", "partition %s: segment %020" PRId64 " is deleted",
                     partition->name, segment->base_offset);
        status = segment_unlink(segment, err);
        segment_unref(segment);
    }
    return status;
}

enum status log_delete_records(struct log_partition *partition, int64_t offset,
                               int64_t *out_log_start, struct error *err)
{
    enum status status = OK;

    mutex_lock(&partition->files_lock);
    mutex_lock(&partition->lock);
    int64_t high_watermark = partition->high_watermark, log_start = partition->log_start;
    bool deleted = partition->deleted;
    mutex_unlock(&partition->lock);
    if (offset == -1)
        offset = high_watermark;
    if (deleted)
        status = error_set(err, ERR_NOT_FOUND, "partition %s is deleted", partition->name);
    else if (offset < 0 || offset > high_watermark)
        status = error_set(err, ERR_RANGE,
                           "partition %s: records up to offset %" PRId64
                           " cannot be deleted: the high watermark is %" PRId64,
                           partition->name, offset, high_watermark);
    else if (offset > log_start)
        status = move_log_start(partition, offset, err);
    mutex_lock(&partition->lock);
    *out_log_start = partition->log_start;
    mutex_unlock(&partition->lock);
    mutex_unlock(&partition->files_lock);
    return status;
}

/* ---- retention ---- */

static int64_t segment_time_ms(const struct segment *segment)
{
    return segment->max_timestamp_ms >= 0 ? segment->max_timestamp_ms : segment->created_ms;
}

static bool expired(const struct log_partition *partition, const struct segment *segment,
                    int64_t now_ms)
{
    return partition->config.retention_ms >= 0 &&
           now_ms - segment_time_ms(segment) > partition->config.retention_ms;
}

/* The whole of an active segment may have expired: seal it, the next append makes another. */
static void seal_expired(struct log_partition *partition, int64_t now_ms)
{
    bool sealed = false;

    mutex_lock(&partition->append_lock);
    mutex_lock(&partition->lock);
    uint32_t count = partition->segment_count;
    struct segment *last = count ? partition->segments[count - 1] : NULL;
    if (last && !last->sealed && last->size_bytes > 0 && !partition->failed &&
        expired(partition, last, now_ms)) {
        partition_seal(partition, last);
        sealed = true;
    }
    mutex_unlock(&partition->lock);
    if (sealed) /* the sync round writes its indexes; then it can go */
        partition_mark_dirty(partition);
    mutex_unlock(&partition->append_lock);
}

/* Producers that have been silent for long are forgotten. */
static void expire_producers(struct log_partition *partition, int64_t now_ms, int64_t *out_next_ms)
{
    int64_t expiry_ms = partition->log->producer_expiry_ms, oldest_ms;

    mutex_lock(&partition->append_lock);
    producers_expire(&partition->producers, now_ms - expiry_ms, &oldest_ms);
    if (oldest_ms < INT64_MAX && oldest_ms + expiry_ms + 1 < *out_next_ms)
        *out_next_ms = oldest_ms + expiry_ms + 1;
    mutex_unlock(&partition->append_lock);
}

/* The log start that the retention settings ask for. */
static int64_t wanted_log_start(struct log_partition *partition, int64_t now_ms,
                                int64_t *out_next_ms)
{
    uint64_t size_bytes = 0;
    uint32_t i;

    mutex_lock(&partition->lock);
    int64_t log_start = partition->log_start;
    for (i = 0; i < partition->segment_count; i++)
        size_bytes += partition->segments[i]->size_bytes;
    for (i = 0; i < partition->segment_count; i++) {
        const struct segment *segment = partition->segments[i];
        bool too_large =
            partition->config.retention_bytes >= 0 &&
            size_bytes - segment->size_bytes >= (uint64_t)partition->config.retention_bytes;
        if (!segment->persisted || segment->next_offset > partition->high_watermark ||
            (!too_large && !expired(partition, segment, now_ms)))
            break;
        size_bytes -= segment->size_bytes;
        log_start = segment->next_offset;
    }
    if (i < partition->segment_count && partition->config.retention_ms >= 0) {
        int64_t next_ms = segment_time_ms(partition->segments[i]) + partition->config.retention_ms;
        if (next_ms < *out_next_ms)
            *out_next_ms = next_ms;
    }
    mutex_unlock(&partition->lock);
    return log_start;
}

static enum status retain_partition(struct log_partition *partition, int64_t now_ms,
                                    int64_t *out_next_ms, struct error *err)
{
    enum status status = OK;

    mutex_lock(&partition->files_lock);
    mutex_lock(&partition->lock);
    bool deleted = partition->deleted;
    int64_t before = partition->log_start;
    mutex_unlock(&partition->lock);
    if (!deleted) {
        expire_producers(partition, now_ms, out_next_ms);
        seal_expired(partition, now_ms);
        int64_t log_start = wanted_log_start(partition, now_ms, out_next_ms);
        if (log_start > before)
            status = move_log_start(partition, log_start, err);
    }
    mutex_unlock(&partition->files_lock);
    return status;
}

struct retention {
    int64_t now_ms, next_ms;
};

static enum status retain_topic(void *context, struct log_topic *topic, struct error *err)
{
    struct retention *retention = context;
    struct log_partition *partition;

    for (uint32_t i = 0; (partition = log_topic_partition(topic, i)); i++)
        TRY(retain_partition(partition, retention->now_ms, &retention->next_ms, err));
    return OK;
}

enum status log_retain(struct log *log, int64_t *out_next_ms, struct error *err)
{
    struct retention retention = {io_wall_us(log->io) / 1000, INT64_MAX};
    enum status status = log_topic_list(log, retain_topic, &retention, err);
    *out_next_ms = retention.next_ms;
    return status;
}
