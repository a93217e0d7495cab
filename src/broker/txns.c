/* txns.c - the registry of transactional ids: finding and making them, waiting, answering,
 * time-outs.
 */
#include "broker/txns.h"

#include "base/must.h"
#include "os/logger.h"

static void arm(struct txns *txns, int64_t due_us);

/* ---- in and out ---- */

struct txns *txns_enter(struct broker *broker)
{
    return broker->txns;
}

void txns_done(struct txns *txns, struct call *call)
{
    call->txn = NULL;
    call_list_append(&txns->done, call);
}

static void advance(struct txns *txns)
{
    do
        state_log_advance(&txns->log);
    while (txn_ends_advance(txns)); /* which writes so */
}

/* Finishing a call may run other requests, which come by here: the first one in does it all. */
void txns_leave(struct txns *txns)
{
    struct call *call;
    advance(txns);
    if (txns->finishing)
        return;
    txns->finishing = true;
    while (txns->groups_wrote || txns->done.first) {
        if (txns->groups_wrote) {
            txns->groups_wrote = false;
            groups_leave(groups_enter(txns->broker));
            advance(txns);
            continue;
        }
        call = txns->done.first;
        call_list_remove(call);
        call_finish(call);
    }
    txns->finishing = false;
}

void txns_drop(struct call *call)
{
    call_list_remove(call);
    if (call->txn && call->txn->call == call)
        call->txn->call = NULL;
    call->txn = NULL;
}

bool txn_is_busy(const struct txn *txn)
{
    return txn->changing || txn->ending;
}

void txn_wait(struct txn *txn, struct call *call, void (*again)(struct call *call))
{
    call->txn = txn;
    call->again = again;
    call_list_append(&txn->waiting, call);
}

int16_t txn_refusal(const struct txns *txns, const struct txn *txn)
{
    if (!txns->log.partition || txns->broker->closing)
        return KAFKA_NOT_COORDINATOR;
    return txn && txn->stuck ? KAFKA_COORDINATOR_NOT_AVAILABLE : KAFKA_NONE;
}

void txn_wake(struct txn *txn)
{
    struct call *call;
    while ((!txn_is_busy(txn) || txn_refusal(txn->txns, txn) != KAFKA_NONE) &&
           (call = txn->waiting.first)) {
        call_list_remove(call);
        call->txn = NULL;
        call->again(call);
    }
}

void txns_refuse_waiting(struct broker *broker)
{
    struct txns *txns = txns_enter(broker);
    for (uint32_t i = 0; i < txns->count; i++)
        txn_wake(txns->items[i]);
    txns_leave(txns);
}

/* ---- the registry ---- */

static uint32_t place(const struct txns *txns, struct str id, bool *out_found)
{
    uint32_t low = 0, high = txns->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (str_compare(txns->items[middle]->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *out_found = low < txns->count && str_eq(txns->items[low]->id, id);
    return low;
}

struct txn *txns_find(struct txns *txns, struct str id)
{
    bool found;
    uint32_t index = place(txns, id, &found);
    return found ? txns->items[index] : NULL;
}

static struct txn *refuse(struct txns *txns, struct str id, const char *why)
{
    int64_t now_us = io_monotonic_us(txns->broker->io);
    if (now_us >= txns->warned_us) /* each client would say the same */
        logger_write(LOG_WARN, "broker", "transactional id '%.*s' is not made: %s", (int)id.length,
                     id.data, why);
    txns->warned_us = now_us + WARN_INTERVAL_US;
    return NULL;
}

static struct txn *txn_new(struct txns *txns, struct str id)
{
    struct txn *txn = group_alloc(&txns->owner, sizeof(*txn));
    if (!txn)
        return NULL;
    txn->txns = txns;
    txn->waiting.tail = &txn->waiting.first;
    txn->due_us = INT64_MAX;
    txn->data = (struct txn_data){
        .producer_id = -1, .epoch = -1, .last_epoch = -1, .last_producer_id = -1, .start_ms = -1};
    if (group_text_copy(&txns->owner, &txn->id, id))
        return txn;
    group_release(&txns->owner, txn);
    return NULL;
}

struct txn *txns_make(struct txns *txns, struct str id)
{
    bool found;
    uint32_t index = place(txns, id, &found);
    if (found)
        return txns->items[index];
    if (txns->count == TXNS_MAX)
        return refuse(txns, id, "there are too many");
    if (txns->count == txns->room) {
        uint32_t room = txns->room ? txns->room * 2 : 16;
        void *grown = mem_realloc(txns->items, room * sizeof(*txns->items));
        if (!grown)
            return refuse(txns, id, "no memory");
        txns->items = grown;
        txns->room = room;
    }
    struct txn *txn = txn_new(txns, id);
    if (!txn)
        return refuse(txns, id, "no memory");
    memmove(&txns->items[index + 1], &txns->items[index],
            (txns->count - index) * sizeof(*txns->items));
    txns->items[index] = txn;
    txns->count++;
    arm(txns, io_monotonic_us(txns->broker->io) + TXN_SWEEP_INTERVAL_US);
    return txn;
}

void txns_remove(struct txn *txn)
{
    struct txns *txns = txn->txns;
    bool found;
    uint32_t index = place(txns, txn->id, &found);
    must(found && !txn->waiting.first && !txn_is_busy(txn));
    txn_clear_partitions(txns, &txn->data);
    group_text_release(&txns->owner, &txn->id);
    group_release(&txns->owner, txn);
    txns->count--;
    memmove(&txns->items[index], &txns->items[index + 1],
            (txns->count - index) * sizeof(*txns->items));
}

const char *txn_state_text(enum txn_state state)
{
    static const char *const texts[TXN_STATE_COUNT] = {
        [TXN_EMPTY] = "Empty",
        [TXN_ONGOING] = "Ongoing",
        [TXN_PREPARE_COMMIT] = "PrepareCommit",
        [TXN_PREPARE_ABORT] = "PrepareAbort",
        [TXN_COMPLETE_COMMIT] = "CompleteCommit",
        [TXN_COMPLETE_ABORT] = "CompleteAbort",
    };
    return texts[state];
}

int16_t txns_check_write(struct broker *broker, struct str id, int64_t producer_id, int16_t epoch,
                         struct str topic, int32_t partition_index)
{
    const struct txn *txn = id.data ? txns_find(broker->txns, id) : NULL;
    if (!txn || txn->data.producer_id != producer_id)
        return KAFKA_INVALID_PRODUCER_ID_MAPPING;
    if (txn->data.epoch != epoch)
        return KAFKA_INVALID_PRODUCER_EPOCH;
    bool ends = txn->changing && txn->next.state != TXN_ONGOING;
    return txn->data.state == TXN_ONGOING && !ends &&
                   txn_has_partition(&txn->data, topic, partition_index)
               ? KAFKA_NONE
               : KAFKA_INVALID_TXN_STATE;
}

/* ---- time ---- */

static void timer_due(struct loop_timer *timer);

static void arm(struct txns *txns, int64_t due_us)
{
    struct loop *loop = txns->broker->loop;
    if (due_us == INT64_MAX || txns->broker->closing ||
        (txns->timer.heap_index && txns->timer.due_us <= due_us))
        return; /* it fires early, and is armed again then */
    int64_t delay_us = due_us - io_monotonic_us(txns->broker->io);
    txns->timer.fire = timer_due;
    if (loop_timer_arm(loop, &txns->timer, delay_us > 0 ? delay_us : 0, NULL) != OK)
        logger_write(LOG_WARN, "broker", "no memory for the timer of transactions");
}

void txn_set_due(struct txn *txn)
{
    struct io *io = txn->txns->broker->io;
    txn->due_us = INT64_MAX;
    if (txn->data.state == TXN_ONGOING) {
        int64_t left_ms = txn->data.start_ms + txn->data.timeout_ms - io_wall_us(io) / 1000;
        if (left_ms > txn->data.timeout_ms) /* the clock was set back */
            left_ms = txn->data.timeout_ms;
        txn->due_us = io_monotonic_us(io) + left_ms * 1000;
    }
    arm(txn->txns, txn->due_us);
}

void txns_retry_later(struct txns *txns)
{
    arm(txns, io_monotonic_us(txns->broker->io) + TXN_RETRY_US);
}

static bool is_expired(const struct txn *txn, int64_t wall_ms)
{
    enum txn_state state = txn->data.state;
    return (state == TXN_EMPTY || state == TXN_COMPLETE_COMMIT || state == TXN_COMPLETE_ABORT) &&
           !txn_is_busy(txn) && !txn->waiting.first &&
           wall_ms - txn->data.update_ms >= TXN_EXPIRY_MS;
}

static void timer_due(struct loop_timer *timer)
{
    struct broker *broker = container_of(timer, struct txns, timer)->broker;
    struct txns *txns = txns_enter(broker);
    int64_t now_us = io_monotonic_us(broker->io), wall_ms = io_wall_us(broker->io) / 1000;
    int64_t next_us = now_us + TXN_SWEEP_INTERVAL_US;
    for (uint32_t i = txns->count; i-- > 0;) {
        struct txn *txn = txns->items[i];
        if (txn->data.state == TXN_ONGOING && !txn_is_busy(txn) && txn->due_us <= now_us) {
            logger_write(LOG_WARN, "broker",
                         "transaction of '%.*s' is aborted: it was open for longer than its "
                         "time-out of %d ms",
                         (int)txn->id.length, txn->id.data, txn->data.timeout_ms);
            txn->due_us = now_us + TXN_RETRY_US; /* should it not work */
            if (txn_fence(txn, NULL, NULL, NULL) != KAFKA_NONE)
                logger_write(LOG_WARN, "broker", "... later: there is no memory now");
        } else if (is_expired(txn, wall_ms)) {
            txn_log_note(txn, true);
            txns_remove(txn);
        }
    }
    for (uint32_t i = 0; i < txns->count; i++)
        if (txns->items[i]->due_us > now_us && txns->items[i]->due_us < next_us)
            next_us = txns->items[i]->due_us;
    if (txn_ends_retry(txns) && now_us + TXN_RETRY_US < next_us)
        next_us = now_us + TXN_RETRY_US;
    if (txns->count)
        arm(txns, next_us);
    txns_leave(txns);
    commit_written(broker);
}

/* ---- opening and closing ---- */

enum status txns_open(struct broker *broker, struct error *err)
{
    struct txns *txns = mem_calloc(1, sizeof(*txns));
    if (!txns)
        return error_memory(err, "transactions", sizeof(*txns));
    broker->txns = txns;
    txns->broker = broker;
    mem_owner_init(&txns->owner, broker->owner, "transactions");
    txns->owner.limit_bytes = TXNS_MEMORY_MAX;
    txns->done.tail = &txns->done.first;
    state_log_init(&txns->log, broker, TXNS_TOPIC, &TXN_LOG_OPS, &txns->owner);
    return state_log_load(&txns->log, err);
}

void txns_resume(struct broker *broker)
{
    struct txns *txns = txns_enter(broker);
    for (uint32_t i = 0; i < txns->count; i++) {
        struct txn *txn = txns->items[i];
        if (txn->data.state == TXN_PREPARE_COMMIT || txn->data.state == TXN_PREPARE_ABORT)
            txn_end_begin(txn);
        else
            txn_set_due(txn);
    }
    txns_leave(txns);
}

void txns_close(struct broker *broker)
{
    struct txns *txns = broker->txns;
    if (!txns)
        return;
    must(!txns->done.first);
    loop_timer_cancel(broker->loop, &txns->timer);
    txn_log_abandon(txns);
    txn_ends_abandon(txns);
    while (txns->count)
        txns_remove(txns->items[txns->count - 1]);
    mem_free(txns->items);
    state_log_fini(&txns->log);
    mem_owner_fini(&txns->owner);
    mem_free(txns);
    broker->txns = NULL;
}

bool txns_is_busy(const struct broker *broker)
{
    return broker->txns && broker->txns->log.trimming;
}

bool txns_is_waited_for(const struct broker *broker)
{
    return broker->txns && (broker->txns->log.writes || broker->txns->ending);
}

void txns_synced(struct broker *broker)
{
    if (broker->txns)
        txns_leave(txns_enter(broker)); /* which looks at what has become durable */
}
