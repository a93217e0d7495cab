/* txn_end.c - ending a transaction whose end is prepared: a marker into each of its partitions, and
 * when all are durable, that it is complete.
 *
 * Nothing gives up: a marker that cannot be written (a full disk) is tried again; a partition whose
 * fsync has failed keeps the transaction as it is until the next start, which tries again; whoever
 * waits for it is told.
 */
#include "broker/txns.h"

#include "base/must.h"
#include "os/logger.h"

static bool is_commit(const struct txn *txn)
{
    return txn->data.state == TXN_PREPARE_COMMIT;
}

static void mark_done(struct txn_partition *where)
{
    where->mark = MARK_DONE;
    log_partition_unref(where->partition);
    where->partition = NULL;
}

static bool has_failed(struct log_partition *partition)
{
    struct log_offsets offsets;
    log_partition_offsets(partition, &offsets);
    return offsets.failed;
}

/* From the groups' log, under its lock. */
static void mark_in_groups(void *context, int16_t error_code)
{
    struct txn_partition *where = context;
    where->mark = error_code == KAFKA_NONE ? MARK_DONE : MARK_TODO;
    if (where->mark == MARK_DONE)
        return;
    where->failed = has_failed(where->txns->broker->groups->log.partition);
    txns_retry_later(where->txns);
}

static void write_in_groups(struct txn *txn, struct txn_partition *where)
{
    struct groups *groups = groups_enter(txn->txns->broker);
    where->in_groups = true;
    if (state_log_ready(&groups->log) &&
        group_log_mark(groups, txn->data.producer_id, txn->data.epoch,
                       is_commit(txn) ? RECORD_MARKER_COMMIT : RECORD_MARKER_ABORT, mark_in_groups,
                       where)) {
        where->mark = MARK_WRITTEN;
        txn->txns->groups_wrote = true;
    }
    mutex_unlock(&groups->lock); /* no call is finished here: txns_leave does it */
}

static void cannot_write(struct txn *txn, const struct error *err)
{
    int64_t now_us = io_monotonic_us(txn->txns->broker->io);
    if (now_us >= txn->txns->warned_us)
        logger_write(LOG_ERROR, "broker", "transaction of '%.*s': its end cannot be written: %s",
                     (int)txn->id.length, txn->id.data, err->text);
    txn->txns->warned_us = now_us + WARN_INTERVAL_US;
}

static void write_in_partition(struct txn *txn, struct txn_partition *where,
                               struct log_partition *partition)
{
    struct broker *broker = txn->txns->broker;
    struct error err = {0};
    struct buf batch;
    buf_init(&batch, 1024);
    enum status status =
        record_marker_build(&batch, txn->data.producer_id, txn->data.epoch,
                            is_commit(txn) ? RECORD_MARKER_COMMIT : RECORD_MARKER_ABORT,
                            log_leader_epoch(broker->log), io_wall_us(broker->io) / 1000, &err);
    struct log_append append = {.batches = batch.data, .size_bytes = batch.length};
    if (status == OK)
        status = commit_append(broker, partition, &append, &err);
    buf_fini(&batch);
    if (status == OK) {
        where->mark = MARK_WRITTEN;
        where->next_offset = append.next_offset;
        where->partition = log_partition_ref(partition);
        return;
    }
    cannot_write(txn, &err);
    where->failed = has_failed(partition);
    if (status == ERR_NOT_FOUND || status == ERR_FENCED)
        mark_done(where); /* the topic is gone; a newer epoch has ended it already */
}

static void write_mark(struct txn *txn, struct txn_partition *where)
{
    if (str_eq(where->topic, STR(GROUPS_TOPIC))) {
        write_in_groups(txn, where);
        return;
    }
    struct log_topic *topic = log_topic_find(txn->txns->broker->log, where->topic);
    struct log_partition *partition =
        topic ? log_topic_partition(topic, (uint32_t)where->index) : NULL;
    if (partition)
        write_in_partition(txn, where, partition);
    else
        mark_done(where); /* deleted */
    log_topic_unref(topic);
}

/* True: some have still to be written. */
static bool write_marks(struct txn *txn)
{
    bool left = false;
    for (uint32_t i = 0; i < txn->data.partition_count; i++) {
        if (txn->data.partitions[i].mark == MARK_TODO)
            write_mark(txn, &txn->data.partitions[i]);
        left |= txn->data.partitions[i].mark == MARK_TODO;
    }
    return left;
}

void txn_end_begin(struct txn *txn)
{
    struct txns *txns = txn->txns;
    must(!txn_is_busy(txn));
    txn->due_us = INT64_MAX;
    txn->ending = true;
    txn->next_ending = txns->ending;
    txns->ending = txn;
    if (write_marks(txn))
        txns_retry_later(txns);
}

/* Whether the marker is durable. */
static bool look(struct txn_partition *where, bool *out_stuck)
{
    struct log_offsets offsets;
    if (where->mark == MARK_WRITTEN && !where->in_groups) {
        log_partition_offsets(where->partition, &offsets);
        if (offsets.high_watermark >= where->next_offset || offsets.deleted)
            mark_done(where);
        else
            where->failed = offsets.failed;
    }
    *out_stuck |= where->failed;
    return where->mark == MARK_DONE;
}

static void complete(struct txn *txn)
{
    txn->ending = false;
    txn->data.state = is_commit(txn) ? TXN_COMPLETE_COMMIT : TXN_COMPLETE_ABORT;
    txn->data.start_ms = -1;
    txn_clear_partitions(txn->txns, &txn->data);
    txn_log_note(txn, false); /* what follows stands behind it in the same log */
    txn_wake(txn);
}

bool txn_ends_advance(struct txns *txns)
{
    bool any = false;
    for (struct txn **at = &txns->ending, *txn; (txn = *at);) {
        bool all = true;
        for (uint32_t i = 0; i < txn->data.partition_count; i++)
            all &= look(&txn->data.partitions[i], &txn->stuck);
        if (txn->stuck)
            txn_wake(txn);
        if (!all) {
            at = &txn->next_ending;
            continue;
        }
        *at = txn->next_ending;
        any = true;
        complete(txn);
    }
    return any;
}

bool txn_ends_retry(struct txns *txns)
{
    bool left = false;
    for (struct txn *txn = txns->ending; txn; txn = txn->next_ending)
        left |= write_marks(txn);
    return left;
}

void txn_ends_abandon(struct txns *txns)
{
    struct txn *txn;
    while ((txn = txns->ending)) {
        txns->ending = txn->next_ending;
        txn->ending = false;
        for (uint32_t i = 0; i < txn->data.partition_count; i++)
            mark_done(&txn->data.partitions[i]);
    }
}
