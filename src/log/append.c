/* append.c - record batches onto a partition: stamp, roll, write, account.
 *
 * What it does not do: check records or CRCs (the caller has), sync (sync.c).
 * A failed write is cut off again, so that the segment ends with whole batches; if that fails too,
 * the partition has failed. Readers never saw any of it: it lay past the high watermark.
 * Owner thread: any; append_lock orders them.
 */
#include "log/log_int.h"

#include "base/must.h"

struct plan { /* of one append, made before anything is written */
    struct log_config config;
    struct segment *active; /* NULL: none yet */
    int64_t end;
    int64_t log_start;
    int64_t append_time_ms;
    int64_t max_timestamp_ms;
    int64_t now_ms;
    struct producer *producer; /* who sends it; NULL: not idempotent */
};

/* Give the batches their offsets, epoch and (LogAppendTime) times. */
static enum status stamp_batches(struct log_partition *partition, struct log_append *append,
                                 struct plan *plan, struct error *err)
{
    int32_t epoch = partition->log->leader_epoch;
    struct record_batch batch;
    int64_t next_offset = plan->end;
    struct error local = {0};

    plan->max_timestamp_ms = -1;
    for (size_t at = 0; at < append->size_bytes; at += batch.size_bytes) {
        uint8_t *bytes = append->batches + at;
        if (record_batch_parse(&batch, bytes, append->size_bytes - at, &local) != OK)
            return error_set(err, local.code == ERR_UNSUPPORTED ? ERR_UNSUPPORTED : ERR_DATA,
                             "partition %s: byte %zu of an append: %s", partition->name, at,
                             local.text);
        if (batch.size_bytes > plan->config.max_message_bytes)
            return error_set(
                err, ERR_LIMIT, "partition %s: a batch has %u bytes, max.message.bytes is %lld",
                partition->name, batch.size_bytes, (long long)plan->config.max_message_bytes);
        if (batch.producer_id >= 0 && batch.size_bytes != append->size_bytes)
            return error_set(err, ERR_DATA,
                             "partition %s: the batch of an idempotent producer is appended alone",
                             partition->name);
        record_batch_set_base_offset(bytes, next_offset);
        record_batch_set_leader_epoch(bytes, epoch);
        if (plan->append_time_ms >= 0) {
            record_batch_set_append_time(bytes, batch.size_bytes, plan->append_time_ms);
            batch.max_timestamp_ms = plan->append_time_ms;
        }
        if (batch.max_timestamp_ms > plan->max_timestamp_ms)
            plan->max_timestamp_ms = batch.max_timestamp_ms;
        next_offset += (int64_t)batch.last_offset_delta + 1;
    }
    append->next_offset = next_offset;
    return OK;
}

static bool must_roll(const struct log_append *append, const struct plan *plan, int64_t now_ms)
{
    const struct segment *active = plan->active;
    if (!active || active->sealed)
        return true;
    if (active->size_bytes == 0)
        return false;
    int64_t age_ms = active->first_timestamp_ms >= 0 && plan->max_timestamp_ms >= 0
                         ? plan->max_timestamp_ms - active->first_timestamp_ms
                         : now_ms - active->created_ms;
    return active->size_bytes + append->size_bytes > (uint64_t)plan->config.segment_bytes ||
           append->next_offset - active->base_offset > INT32_MAX ||
           age_ms > plan->config.segment_ms;
}

/* Seal the active segment and make the next. append_lock held. */
static enum status roll(struct log_partition *partition, struct plan *plan, struct error *err)
{
    struct segment *segment = NULL;
    struct io_file *file;

    TRY(segment_new(&segment, partition->log->io, partition->directory, plan->end, err));
    enum status status = segment_file_use(segment, true, &file, err);
    if (status != OK)
        goto out;
    status = partition_add_segment(partition, segment, err);
    if (status != OK) {
        segment_file_done(segment);
        goto out;
    }
    mutex_lock(&partition->lock);
    partition->directory_dirty = true;
    if (plan->active)
        partition_seal(partition, plan->active);
    mutex_unlock(&partition->lock);
    plan->active = segment;
out:
    if (status != OK)
        segment_unref(segment);
    return status;
}

static enum status write_batches(struct log_partition *partition, const struct log_append *append,
                                 struct segment *segment, struct error *err)
{
    struct io *io = partition->log->io;
    struct error cut = {0};

    enum status status = io->ops->pwrite(io, segment->file, append->batches, append->size_bytes,
                                         segment->size_bytes, err);
    if (status == OK)
        return OK;
    if (io->ops->truncate(io, segment->file, segment->size_bytes, &cut) != OK) {
        error_prefix(&cut, "a failed write could not be taken back");
        partition_fail(partition, &cut);
    }
    return status;
}

/* What was written becomes part of the segment. Cannot fail: epochs have their place already. */
static void account(struct log_partition *partition, const struct log_append *append,
                    const struct plan *plan)
{
    struct record_batch batch;
    bool power = partition->log->durability == LOG_POWER;

    mutex_lock(&partition->lock);
    for (size_t at = 0; at < append->size_bytes; at += batch.size_bytes) {
        enum status status =
            record_batch_header(&batch, append->batches + at, append->size_bytes - at, NULL);
        must(status == OK);
        segment_note_batch(plan->active, &batch, plan->config.index_interval_bytes);
        if (plan->producer)
            transactions_note(&partition->transactions, plan->active, &partition->producers,
                              plan->producer, &batch, plan->now_ms);
    }
    partition->end = append->next_offset;
    if (!power) {
        plan->active->visible_bytes = plan->active->size_bytes;
        partition_set_high_watermark(partition, partition->end);
    }
    mutex_unlock(&partition->lock);
    if (!power)
        partition_wake(partition);
}

static enum status make_plan(struct log_partition *partition, struct plan *plan, int64_t now_ms,
                             struct error *err)
{
    enum status status = OK;

    mutex_lock(&partition->lock);
    *plan = (struct plan){.config = partition->config,
                          .end = partition->end,
                          .log_start = partition->log_start,
                          .append_time_ms = -1,
                          .now_ms = now_ms};
    if (partition->segment_count)
        plan->active = partition->segments[partition->segment_count - 1];
    if (plan->config.timestamp_type == LOG_APPEND_TIME)
        plan->append_time_ms = now_ms;
    if (partition->deleted)
        status = error_set(err, ERR_NOT_FOUND, "partition %s is deleted", partition->name);
    else if (partition->failed)
        status = error_set(err, ERR_IO, "partition %s takes no appends until the next start: %s",
                           partition->name, partition->failure.text);
    else /* before the write, so that nothing can fail after it */
        status = partition_note_epoch(partition, partition->log->leader_epoch, plan->end, err);
    mutex_unlock(&partition->lock);
    return status;
}

/* What an idempotent producer sends must follow what it has sent. append->duplicate: it is there
 * already, and the answer is complete. */
static enum status check_producer(struct log_partition *partition, struct log_append *append,
                                  struct plan *plan, struct error *err)
{
    struct record_batch batch;
    const struct producer_batch *duplicate;

    append->duplicate = false;
    if (record_batch_parse(&batch, append->batches, append->size_bytes, NULL) != OK ||
        batch.producer_id < 0)
        return OK; /* stamp_batches says what is wrong */
    if (batch.attributes & RECORD_CONTROL && record_batch_marker(&batch) == RECORD_MARKER_NONE)
        return error_set(err, ERR_DATA, "partition %s: a control batch that is no marker",
                         partition->name);
    TRY(producers_reserve(&partition->producers, batch.producer_id, plan->now_ms, &plan->producer,
                          err));
    enum status status = producer_check(plan->producer, &batch, &duplicate, err);
    if (status != OK) {
        error_prefix(err, "partition %s", partition->name);
    } else if (duplicate) {
        append->duplicate = true;
        append->base_offset = duplicate->last_offset - duplicate->offset_delta;
        append->next_offset = duplicate->last_offset + 1;
        append->append_time_ms = plan->append_time_ms >= 0 ? duplicate->timestamp_ms : -1;
        append->log_start_offset = plan->log_start;
    }
    return status;
}

/* Room for what the batch will do to the transactions, so that nothing can fail after the write. */
static enum status reserve(struct log_partition *partition, const struct log_append *append,
                           const struct plan *plan, struct error *err)
{
    struct record_batch batch;

    if (!plan->producer)
        return OK;
    TRY(record_batch_header(&batch, append->batches, append->size_bytes, err));
    mutex_lock(&partition->lock);
    enum status status =
        transactions_reserve(&partition->transactions, plan->active, plan->producer, &batch, err);
    mutex_unlock(&partition->lock);
    return status;
}

enum status log_producer_list(struct log_partition *partition, log_producer_fn each, void *context,
                              struct error *err)
{
    enum status status = OK;

    mutex_lock(&partition->append_lock);
    for (struct producer *producer = partition->producers.oldest; status == OK && producer;
         producer = producer->newer) {
        static const struct producer_batch none = {.last_sequence = -1, .timestamp_ms = -1};
        if (producer->epoch < 0)
            continue;
        const struct producer_batch *last =
            producer->batch_count ? &producer->batches[producer->batch_count - 1] : &none;
        const struct log_producer out = {producer->id, producer->epoch, last->last_sequence,
                                         last->timestamp_ms, producer->txn_first_offset};
        status = each(context, &out, err);
    }
    mutex_unlock(&partition->append_lock);
    return status;
}

enum status log_append(struct log_partition *partition, struct log_append *append,
                       struct error *err)
{
    struct plan plan;
    int64_t now_ms = io_wall_us(partition->log->io) / 1000;
    bool rolled = false;

    mutex_lock(&partition->append_lock);
    enum status status = make_plan(partition, &plan, now_ms, err);
    if (status == OK)
        status = check_producer(partition, append, &plan, err);
    if (status == OK && !append->duplicate)
        status = stamp_batches(partition, append, &plan, err);
    if (status != OK || append->duplicate)
        goto out;
    append->base_offset = plan.end;
    append->append_time_ms = plan.append_time_ms;
    append->log_start_offset = plan.log_start;
    if (append->size_bytes == 0)
        goto out;
    if (append->size_bytes > SEGMENT_SIZE_MAX / 2) {
        status =
            error_set(err, ERR_LIMIT, "an append of %zu bytes is too large", append->size_bytes);
        goto out;
    }
    rolled = must_roll(append, &plan, now_ms);
    if (rolled)
        status = roll(partition, &plan, err);
    if (status == OK)
        status = reserve(partition, append, &plan, err);
    if (status == OK)
        status = write_batches(partition, append, plan.active, err);
    if (status == OK)
        account(partition, append, &plan);
    /* without power durability only a sealed segment is worth an fsync */
    if (status == OK && (partition->log->durability == LOG_POWER || rolled))
        partition_mark_dirty(partition);
out:
    mutex_unlock(&partition->append_lock);
    return status;
}
