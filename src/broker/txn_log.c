/* txn_log.c - __transaction_state: its records, the changes that are written there first.
 *
 * Key and value are version 0 of Kafka's own (TransactionLogKey, TransactionLogValue), so that its
 * tools read them. The newest record of an id counts; a null value forgets it.
 */
#include "broker/txns.h"

#include "base/must.h"
#include "kafka/bytes.h"
#include "os/logger.h"

#define RECORD_MAX (15u << 20)

/* ---- partitions of a transaction ---- */

static int partition_compare(const struct txn_partition *partition, struct str topic, int32_t index)
{
    int order = str_compare(partition->topic, topic);
    return order ? order : (partition->index > index) - (partition->index < index);
}

static uint32_t place(const struct txn_data *data, struct str topic, int32_t index, bool *out_found)
{
    uint32_t low = 0, high = data->partition_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (partition_compare(&data->partitions[middle], topic, index) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *out_found =
        low < data->partition_count && partition_compare(&data->partitions[low], topic, index) == 0;
    return low;
}

bool txn_has_partition(const struct txn_data *data, struct str topic, int32_t index)
{
    bool found;
    place(data, topic, index, &found);
    return found;
}

bool txn_add_partition(struct txns *txns, struct txn_data *data, struct str topic, int32_t index)
{
    bool found;
    struct str copy;
    uint32_t at = place(data, topic, index, &found);
    if (found)
        return true;
    if (data->partition_count == data->partition_room) {
        uint32_t room = data->partition_room ? data->partition_room * 2 : 4;
        struct txn_partition *grown = group_alloc(&txns->owner, room * sizeof(*grown));
        if (!grown)
            return false;
        if (data->partition_count)
            memcpy(grown, data->partitions, data->partition_count * sizeof(*grown));
        group_release(&txns->owner, data->partitions);
        data->partitions = grown;
        data->partition_room = room;
    }
    if (!group_text_copy(&txns->owner, &copy, topic))
        return false;
    memmove(&data->partitions[at + 1], &data->partitions[at],
            (data->partition_count - at) * sizeof(*data->partitions));
    data->partitions[at] = (struct txn_partition){.topic = copy, .index = index, .txns = txns};
    data->partition_count++;
    return true;
}

void txn_clear_partitions(struct txns *txns, struct txn_data *data)
{
    for (uint32_t i = 0; i < data->partition_count; i++)
        group_text_release(&txns->owner, &data->partitions[i].topic);
    group_release(&txns->owner, data->partitions);
    data->partitions = NULL;
    data->partition_count = data->partition_room = 0;
}

/* ---- records ---- */

/* Kafka's record has the partitions by topic. False: no memory. */
static bool value_of(const struct txn_data *data, struct kafka_txn_value *out, struct arena *arena)
{
    *out = (struct kafka_txn_value){
        .producer_id = data->producer_id,
        .producer_epoch = data->epoch,
        .timeout_ms = data->timeout_ms,
        .state = (int8_t)data->state,
        .update_ms = data->update_ms,
        .start_ms = data->start_ms,
    };
    uint32_t count = data->partition_count;
    out->topics.items = ARENA_ARRAY(arena, count + 1, struct kafka_txn_value_topic);
    int32_t *indexes = ARENA_ARRAY(arena, count + 1, int32_t);
    if (!out->topics.items || !indexes)
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct kafka_txn_value_topic *last = out->topics.items + out->topics.count - 1;
        if (i == 0 || !str_eq(last->name, data->partitions[i].topic)) {
            last = &out->topics.items[out->topics.count++];
            *last = (struct kafka_txn_value_topic){.name = data->partitions[i].topic};
            last->partitions.items = indexes + i;
        }
        last->partitions.items[last->partitions.count++] = data->partitions[i].index;
    }
    return true;
}

static void part_begin(struct buf *part)
{
    static const uint8_t version[2];
    buf_append(part, version, sizeof(version));
}

/* data NULL: forgotten. Failures are the builder's sticky ones. */
static void record_add(struct record_builder *builder, struct str id, const struct txn_data *data,
                       int64_t wall_ms)
{
    struct buf key, value;
    struct arena arena;
    struct kafka_txn_key key_message = {id};
    struct kafka_txn_value value_message;
    buf_init(&key, RECORD_MAX);
    buf_init(&value, RECORD_MAX);
    arena_init(&arena, NULL, STATE_RECORD_ARENA_MAX);
    part_begin(&key);
    kafka_encode(kafka_txn_key_schema(), 0, false, &key_message, &key, NULL);
    part_begin(&value);
    if (data && value_of(data, &value_message, &arena))
        kafka_encode(kafka_txn_value_schema(), 0, false, &value_message, &value, NULL);
    if (key.failed || value.failed || arena.failed)
        builder->out->failed = true; /* comes out at the batch's finish */
    else
        record_builder_add(builder, wall_ms, key.data, (int32_t)key.length, value.data,
                           data ? (int32_t)value.length : -1, NULL, 0);
    arena_fini(&arena);
    buf_fini(&key);
    buf_fini(&value);
}

static enum status batch_of(struct txns *txns, struct str id, const struct txn_data *data,
                            struct buf *out, struct error *err)
{
    struct record_builder builder;
    buf_init(out, STATE_BATCH_MAX_BYTES);
    record_builder_begin(&builder, out, NULL, COMPRESSION_NONE);
    record_add(&builder, id, data, io_wall_us(txns->broker->io) / 1000);
    return record_builder_finish(&builder, err);
}

/* ---- changes ---- */

bool txn_change(struct txn *txn)
{
    must(!txn_is_busy(txn));
    txn->next = txn->data;
    txn->next.partitions = NULL;
    txn->next.partition_count = txn->next.partition_room = 0;
    txn->next.update_ms = io_wall_us(txn->txns->broker->io) / 1000;
    for (uint32_t i = 0; i < txn->data.partition_count; i++)
        if (!txn_add_partition(txn->txns, &txn->next, txn->data.partitions[i].topic,
                               txn->data.partitions[i].index)) {
            txn_change_drop(txn);
            return false;
        }
    return true;
}

void txn_change_drop(struct txn *txn)
{
    txn_clear_partitions(txn->txns, &txn->next);
}

static void change_settled(struct state_log *log, struct state_write *write)
{
    struct txn *txn = container_of(write, struct txn, write);
    int16_t error_code = write->error_code;
    struct call *call = txn->call;
    state_write_fini(log, write);
    txn->changing = false;
    txn->call = NULL;
    if (error_code == KAFKA_NONE) {
        txn_clear_partitions(txn->txns, &txn->data);
        txn->data = txn->next;
        txn->next = (struct txn_data){0};
        txn_set_due(txn);
    } else {
        txn_change_drop(txn);
    }
    bool ends = error_code == KAFKA_NONE &&
                (txn->data.state == TXN_PREPARE_COMMIT || txn->data.state == TXN_PREPARE_ABORT);
    if (ends)
        txn_end_begin(txn);
    if (call && ends) {
        txn_wait(txn, call, txn->again);
    } else if (call) {
        txn->settle(call, error_code);
        txns_done(txn->txns, call);
    }
    txn_wake(txn);
}

int16_t txn_fence(struct txn *txn, struct call *call,
                  void (*settle)(struct call *call, int16_t error_code),
                  void (*again)(struct call *call))
{
    if (!txn_change(txn))
        return KAFKA_COORDINATOR_NOT_AVAILABLE;
    txn->next.state = TXN_PREPARE_ABORT;
    if (txn->next.epoch < INT16_MAX)
        txn->next.epoch++;
    txn_change_submit(txn, call, settle, again);
    return KAFKA_NONE;
}

void txn_change_submit(struct txn *txn, struct call *call,
                       void (*settle)(struct call *call, int16_t error_code),
                       void (*again)(struct call *call))
{
    struct error err = {0};
    txn->changing = true;
    txn->call = call;
    txn->settle = settle;
    txn->again = again;
    if (call)
        call->txn = txn;
    txn->write = (struct state_write){.settled = change_settled};
    if (batch_of(txn->txns, txn->id, &txn->next, &txn->write.batch, &err) != OK) {
        logger_write(LOG_ERROR, "broker", "transactional id '%.*s': %s", (int)txn->id.length,
                     txn->id.data, err.text);
        txn->write.error_code = KAFKA_COORDINATOR_NOT_AVAILABLE;
    }
    state_log_submit(&txn->txns->log, &txn->write);
}

struct note { /* a record that nobody waits for */
    struct txns *txns;
    struct state_write write;
};

static void note_settled(struct state_log *log, struct state_write *write)
{
    struct note *note = container_of(write, struct note, write);
    state_write_fini(log, write);
    group_release(&note->txns->owner, note);
}

void txn_log_note(struct txn *txn, bool tombstone)
{
    struct txns *txns = txn->txns;
    struct error err = {0};
    struct note *note = group_alloc(&txns->owner, sizeof(*note));
    if (!note)
        return; /* the next start does again what has led to it */
    note->txns = txns;
    note->write.settled = note_settled;
    if (batch_of(txns, txn->id, tombstone ? NULL : &txn->data, &note->write.batch, &err) != OK)
        note->write.error_code = KAFKA_COORDINATOR_NOT_AVAILABLE;
    state_log_submit(&txns->log, &note->write);
}

void txn_log_abandon(struct txns *txns)
{
    struct state_write *write;
    while ((write = state_log_abandon(&txns->log))) {
        if (write->settled == note_settled) {
            note_settled(&txns->log, write);
            continue;
        }
        struct txn *txn = container_of(write, struct txn, write);
        state_write_fini(&txns->log, write);
        txn_change_drop(txn);
        txn->changing = false;
    }
}

/* ---- from the log into memory ---- */

static enum status value_read(struct txns *txns, struct str id, const struct record *record,
                              struct arena *arena, struct error *err)
{
    struct kafka_txn_value value;
    struct kafka_cursor cursor = {(uint8_t *)record->value + 2,
                                  (uint8_t *)record->value + record->value_bytes};
    int16_t version = record->value_bytes < 2 ? -1 : (int16_t)get_be16(record->value);
    if (version < 0 || version > 1)
        return error_set(err, ERR_DATA, "a transaction of version %d cannot be read", version);
    TRY(kafka_decode(kafka_txn_value_schema(), version, version >= 1, &cursor, arena, &value, err));
    if (value.state < 0 || value.state >= TXN_STATE_COUNT || value.producer_id < 0 ||
        value.producer_epoch < 0)
        return error_set(err, ERR_DATA, "a transaction makes no sense (state %d)", value.state);
    struct txn *txn = txns_make(txns, id);
    if (!txn)
        return error_set(err, ERR_MEMORY, "no memory for transactional ids");
    txn_clear_partitions(txns, &txn->data);
    txn->data = (struct txn_data){
        .producer_id = value.producer_id,
        .epoch = value.producer_epoch,
        .last_epoch = -1,
        .last_producer_id = -1,
        .timeout_ms = value.timeout_ms,
        .state = (enum txn_state)value.state,
        .start_ms = value.start_ms,
        .update_ms = value.update_ms,
    };
    for (int32_t i = 0; i < value.topics.count; i++)
        for (int32_t k = 0; k < value.topics.items[i].partitions.count; k++)
            if (!txn_add_partition(txns, &txn->data, value.topics.items[i].name,
                                   value.topics.items[i].partitions.items[k]))
                return error_set(err, ERR_MEMORY, "no memory for open transactions");
    return OK;
}

static enum status record_read(struct state_log *log, const struct record_batch *batch,
                               const struct record *record, bool loading, struct arena *arena,
                               struct error *err)
{
    struct txns *txns = container_of(log, struct txns, log);
    struct kafka_txn_key key;
    struct kafka_cursor cursor = {(uint8_t *)record->key + 2,
                                  (uint8_t *)record->key + record->key_bytes};
    arena_reset(arena);
    if (record->key_bytes < 2 || get_be16(record->key) != 0)
        return OK; /* of another kind */
    TRY(kafka_decode(kafka_txn_key_schema(), 0, false, &cursor, arena, &key, err));
    if (record->value_bytes >= 0)
        return value_read(txns, key.id, record, arena, err);
    struct txn *txn = txns_find(txns, key.id);
    if (txn)
        txns_remove(txn);
    return OK;
}

/* Later on memory is set by whoever asked for the change. */
static enum status replay(struct state_log *log, const struct record_batch *batch, bool loading,
                          struct error *err)
{
    if (!loading || batch->attributes & RECORD_CONTROL)
        return OK;
    return state_log_records(log, batch, loading, record_read, err);
}

static enum status snapshot(struct state_log *log, struct error *err)
{
    struct txns *txns = container_of(log, struct txns, log);
    struct buf batch;
    enum status status = OK;
    for (uint32_t i = 0; status == OK && i < txns->count; i++) {
        if (txns->items[i]->data.epoch < 0)
            continue; /* nothing was promised yet */
        status = batch_of(txns, txns->items[i]->id, &txns->items[i]->data, &batch, err);
        if (status == OK)
            status = state_log_put(log, &batch, err);
        buf_fini(&batch);
    }
    return status;
}

const struct state_log_ops TXN_LOG_OPS = {replay, snapshot};
