/* exchange.c - the sending end of an exchange: rows to the subtask that owns their key group.
 *
 * A receiver gets the same columns with a selection of its rows, no copy; only when few rows would
 * pin many (less than a quarter selected) they are copied into a batch of their own. Without keys
 * all rows go to the first receiver.
 */
#include "runtime/runtime_int.h"

#define KEYS_BYTES_MAX ((size_t)1 << 31)

enum status exchange_init(struct exchange *exchange, const struct plan_node *node,
                          uint32_t receiver_count, uint32_t channel, struct error *err)
{
    size_t bytes = receiver_count * sizeof(uint16_t) * BATCH_ROWS_MAX;
    exchange->node = node;
    exchange->receiver_count = receiver_count;
    exchange->channel = channel;
    exchange->gates = mem_calloc(receiver_count, sizeof(struct gate *));
    exchange->selections = mem_alloc(bytes);
    exchange->counts = mem_calloc(receiver_count, sizeof(uint32_t));
    exchange->keys = mem_alloc(sizeof(*exchange->keys));
    if (exchange->keys)
        key_batch_init(exchange->keys, KEYS_BYTES_MAX);
    if (!exchange->gates || !exchange->selections || !exchange->counts || !exchange->keys)
        return error_memory(err, "exchange", bytes);
    for (uint32_t g = 0; g < KEY_GROUP_COUNT; g++)
        exchange->receiver_of_group[g] = (uint8_t)key_group_subtask(g, receiver_count);
    return OK;
}

void exchange_fini(struct exchange *exchange)
{
    if (exchange->keys)
        key_batch_fini(exchange->keys);
    mem_free(exchange->keys);
    mem_free(exchange->gates);
    mem_free(exchange->selections);
    mem_free(exchange->counts);
}

/* The selected rows alone. Marks keep their places among the rows that are left. */
static enum status copy_rows(struct batch **out, const struct batch *batch,
                             const uint16_t *selection, uint32_t count, struct error *err)
{
    struct vec **columns = mem_calloc(batch->column_count + 1, sizeof(*columns));
    struct batch *copy = NULL;
    enum status status = OK;
    uint32_t made = 0;
    if (!columns)
        return error_memory(err, "exchange", (batch->column_count + 1) * sizeof(*columns));
    for (; made < batch->column_count && status == OK; made++) {
        status = vec_new(&columns[made], batch->columns[made]->type, count, NULL, err);
        if (status == OK)
            status = vec_append(columns[made], batch->columns[made], selection, count, err);
        if (status == OK && type_physical(columns[made]->type) == PHYS_VIEW)
            status = vec_compact(columns[made], err);
    }
    if (status != OK) {
        for (uint32_t c = 0; c < made; c++)
            vec_unref(columns[c]);
        goto out;
    }
    status = batch_new(&copy, columns, batch->column_count, count, err);
    if (status == OK && batch->kinds)
        status = batch_make_kinds(copy, err);
    if (status == OK && batch->kinds)
        for (uint32_t i = 0; i < count; i++)
            copy->kinds[i] = batch->kinds[selection[i]];
    if (status == OK && batch->mark_count)
        status = batch_set_marks(copy, batch->marks, batch->mark_count, err);
    if (status == OK) {
        for (uint32_t m = 0, at = 0; m < copy->mark_count; m++) {
            while (at < count && selection[at] < copy->marks[m].row_index)
                at++;
            copy->marks[m].row_index = at;
        }
        copy->split = batch->split;
        *out = copy;
    } else if (copy) {
        batch_unref(copy);
    }
out:
    mem_free(columns);
    return status;
}

static enum status send_rows(struct exchange *exchange, struct batch *batch, uint32_t receiver,
                             const uint16_t *selection, uint32_t count, struct error *err)
{
    struct event event = {.kind = EVENT_BATCH};
    if (count == batch->selected_count)
        event.batch = batch_ref(batch);
    else if (count < batch->row_count / 4)
        TRY(copy_rows(&event.batch, batch, selection, count, err));
    else
        TRY(batch_with_selection(&event.batch, batch, selection, count, err));
    event.bytes = sizeof(struct batch) +
                  batch_pinned_bytes(event.batch) / (event.batch->row_count + 1) * (count + 1);
    return gate_send(exchange->gates[receiver], exchange->channel, &event, err);
}

enum status exchange_batch(struct exchange *exchange, struct batch *batch, struct error *err)
{
    if (batch->selected_count == 0)
        return OK;
    if (exchange->node->exchange.key_count == 0 || exchange->receiver_count == 1)
        return send_rows(exchange, batch, 0, NULL, batch->selected_count, err);
    TRY(key_encode(exchange->keys, batch, exchange->node->exchange.keys,
                   exchange->node->exchange.key_count, err));
    memset(exchange->counts, 0, exchange->receiver_count * sizeof(uint32_t));
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t receiver =
            exchange->receiver_of_group[key_group_of_hash(exchange->keys->hashes[i])];
        exchange->selections[receiver * BATCH_ROWS_MAX + exchange->counts[receiver]++] =
            (uint16_t)batch_row(batch, i);
    }
    for (uint32_t r = 0; r < exchange->receiver_count; r++)
        if (exchange->counts[r])
            TRY(send_rows(exchange, batch, r, exchange->selections + r * BATCH_ROWS_MAX,
                          exchange->counts[r], err));
    return OK;
}

enum status exchange_event(struct exchange *exchange, const struct event *event, struct error *err)
{
    for (uint32_t r = 0; r < exchange->receiver_count; r++) {
        struct event copy = *event;
        TRY(gate_send(exchange->gates[r], exchange->channel, &copy, err));
    }
    return OK;
}

bool exchange_full(struct exchange *exchange)
{
    bool full = false;
    for (uint32_t r = 0; r < exchange->receiver_count; r++)
        full |= gate_full(exchange->gates[r], exchange->channel);
    return full;
}
