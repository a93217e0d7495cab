/* sort_state.c - what a checkpoint keeps of a sort: how far a LIMIT is, and the rows that wait.
 *
 * Each waiting row is a key of its own, the number of its arrival: so a checkpoint costs the rows
 * that came since the last one. Restored rows come in any order; their arrival is kept, since rows
 * that are equal by the keys leave in that order.
 * Blob, version 2: u8 version | u8 done | u64 skipped | u64 passed | u64 rows that have arrived.
 * Row: u8 takes a row away | varint arrival | the columns (key_encode_row).
 */
#include "operator/sort_int.h"

#include "base/hash.h"

#define VERSION 2

/* ---- rows ---- */

/* Of the row, from 1 on. 0: it is not there yet. */
static uint32_t *number_of(uint8_t *value)
{
    return (uint32_t *)value;
}

static void save(void *context, const struct keyed_table *table, const uint8_t *value,
                 struct buf *out)
{
    const struct sort *sort = context;
    struct str key = state_row_key(table->rows, value);
    uint64_t arrival;
    uint32_t row = *number_of((uint8_t *)value) - 1;
    memcpy(&arrival, key.data, sizeof(arrival));
    buf_append_byte(out, sort->retracts[row]);
    state_put_varint(out, arrival);
    key_encode_row(out, sort->columns, sort->op->node->column_count, row);
}

static enum status note_arrival(struct sort *sort, uint64_t arrival, struct error *err)
{
    if (sort->restored_count == sort->restored_capacity) {
        uint32_t capacity = sort->restored_capacity ? sort->restored_capacity * 2 : 1024;
        void *grown = mem_realloc(sort->restored, capacity * sizeof(*sort->restored));
        if (!grown)
            return error_memory(err, "sorting", capacity * sizeof(*sort->restored));
        sort->restored = grown;
        sort->restored_capacity = capacity;
    }
    sort->restored[sort->restored_count++] = arrival;
    return OK;
}

/* A row never changes: what older segments have of it too is the same. */
static enum status load(void *context, const struct keyed_table *table, uint8_t *value,
                        const uint8_t *bytes, size_t size_bytes, struct error *err)
{
    struct sort *sort = context;
    struct state_bytes in = {bytes, bytes + size_bytes, false};
    if (*number_of(value))
        return OK;
    bool retracts = state_get_byte(&in);
    uint64_t arrival = state_get_varint(&in);
    if (in.failed)
        return error_set(err, ERR_CORRUPT, "the stored state of a sort is not what was written");
    TRY(sort_make_room(sort, 1, err));
    TRY(note_arrival(sort, arrival, err));
    TRY(key_decode(in.at, (size_t)(in.end - in.at), sort->columns, sort->op->node->column_count,
                   err));
    sort->retracts[sort->row_count++] = retracts;
    *number_of(value) = sort->row_count;
    sort->any_retract |= retracts;
    return OK;
}

static enum status find(void *context, uint8_t number, int64_t namespace, struct keyed_table **out,
                        struct error *err)
{
    *out = &((struct sort *)context)->table;
    return OK;
}

static const struct keyed_state_class SORT_STATE = {.save = save, .load = load, .find = find};

enum status sort_state_add(struct sort *sort, uint32_t first, uint32_t count, struct error *err)
{
    uint8_t *values[BATCH_ROWS_MAX];
    struct key_batch *keys = sort->keys;
    if (!keys)
        return OK;
    buf_clear(&keys->bytes);
    keys->count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t arrival = sort->arrived + i;
        buf_append(&keys->bytes, &arrival, sizeof(arrival));
        keys->offsets[i + 1] = (uint32_t)keys->bytes.length;
        keys->hashes[i] = hash_bytes(&arrival, sizeof(arrival));
    }
    TRY(buf_check(&keys->bytes, "rows to be sorted", err));
    TRY(state_table_upsert(sort->table.rows, keys, values, NULL, NULL, err));
    for (uint32_t i = 0; i < count; i++) {
        TRY(state_table_touch(sort->table.rows, values[i], err));
        *number_of(values[i]) = first + i + 1;
    }
    sort->arrived += count;
    return OK;
}

bool sort_came_later(const struct sort *sort, uint32_t a, uint32_t b)
{
    if (a < sort->restored_count && b < sort->restored_count)
        return sort->restored[a] > sort->restored[b];
    return a > b; /* rows that were restored come before all others */
}

/* ---- the whole ---- */

enum status sort_snapshot(struct operator* op, struct buf *out, struct error *err)
{
    const struct sort *sort = op->state;
    buf_append_byte(out, VERSION);
    buf_append_byte(out, sort->done);
    state_put_u64(out, sort->skipped);
    state_put_u64(out, sort->passed);
    state_put_u64(out, sort->arrived);
    return OK;
}

static enum status restore(struct operator* op, struct error *err)
{
    struct sort *sort = op->state;
    if (!op->restore || !op->restore->from->blob_count)
        return OK;
    const struct str blob = op->restore->from->blobs[0];
    struct state_bytes in = {(const uint8_t *)blob.data, (const uint8_t *)blob.data + blob.length,
                             false};
    uint8_t version = state_get_byte(&in);
    if (version != VERSION)
        return state_version_error("a sort", version, VERSION, err);
    sort->done = state_get_byte(&in);
    sort->skipped = state_get_u64(&in);
    sort->passed = state_get_u64(&in);
    sort->arrived = state_get_u64(&in);
    return state_get_end(&in, "a sort", err);
}

enum status sort_state_open(struct operator* op, struct error *err)
{
    struct sort *sort = op->state;
    struct state_table_spec spec = {
        .value_bytes = 8, .last_key_group = KEY_GROUP_COUNT - 1, .owner = &op->owner};
    sort->op = op;
    TRY(restore(op, err));
    if (!sort->keeps || !op->epoch)
        return OK;
    sort->keys = mem_alloc(sizeof(*sort->keys));
    if (!sort->keys)
        return error_memory(err, "sorting", sizeof(*sort->keys));
    key_batch_init(sort->keys, BATCH_ROWS_MAX * sizeof(uint64_t));
    keyed_state_init(&sort->keyed, &SORT_STATE, sort, op->epoch);
    op->keyed = &sort->keyed;
    TRY(keyed_table_new(&sort->keyed, &sort->table, 0, 0, &spec, err));
    return operator_restore_keyed(op, 0, KEY_GROUP_COUNT - 1, err);
}

void sort_state_close(struct sort *sort)
{
    mem_free(sort->restored);
    if (!sort->keys)
        return;
    keyed_table_free(&sort->table);
    keyed_state_fini(&sort->keyed);
    key_batch_fini(sort->keys);
    mem_free(sort->keys);
}
