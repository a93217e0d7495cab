/* window_state.c - what a checkpoint keeps of a window aggregation, and how it begins again with
 * it.
 *
 * Keyed state: per window (namespace: its start) the groups (table 0) and the values of DISTINCT
 * calls. Beside it, version 1: u8 version | i64 watermark | i64 late rows so far. The watermark is
 * the lowest of all subtasks: after a barrier they are equal.
 */
#include "operator/window_aggregate.h"

#define VERSION 1

static void save(void *context, const struct keyed_table *table, const uint8_t *value,
                 struct buf *out)
{
    const struct window_aggregate *all = context;
    if (table->number > 0) {
        distinct_value_save(value, out);
        return;
    }
    state_put_varint(out, (uint64_t)((const struct window_head *)value)->row_count);
    aggregate_calls_save(&all->calls, value, out);
}

static enum status load(void *context, const struct keyed_table *table, uint8_t *value,
                        const uint8_t *bytes, size_t size_bytes, struct error *err)
{
    const struct window_aggregate *all = context;
    struct state_bytes in = {bytes, bytes + size_bytes, false};
    if (table->number > 0)
        return distinct_value_load(value, bytes, size_bytes, err);
    aggregate_calls_clear(&all->calls, value);
    ((struct window_head *)value)->row_count = (int64_t)state_get_varint(&in);
    TRY(aggregate_calls_load(&all->calls, value, &in, err));
    return state_get_end(&in, "a group of a window", err);
}

static void clear(void *context, const struct keyed_table *table, uint8_t *value)
{
    const struct window_aggregate *all = context;
    if (table->number == 0)
        aggregate_calls_clear(&all->calls, value);
}

static enum status find(void *context, uint8_t number, int64_t namespace, struct keyed_table **out,
                        struct error *err)
{
    struct window_aggregate *all = context;
    struct window *window;
    TRY(window_at(all->op, namespace, &window, err));
    *out = number ? distinct_set_table(&window->distinct, number) : &window->groups;
    return *out ? OK : error_set(err, ERR_CORRUPT, "a window has no state of number %u", number);
}

/* Its tables of DISTINCT values have drops of their own, which find an empty window again. */
static void drop(void *context, struct keyed_table *table)
{
    struct window_aggregate *all = context;
    uint32_t at = 0;
    while (at < all->window_count && all->windows[at]->start_us != table->namespace)
        at++;
    must(at < all->window_count);
    window_free(all->op, all->windows[at]);
    all->window_count--;
    memmove(all->windows + at, all->windows + at + 1,
            (all->window_count - at) * sizeof(*all->windows));
}

const struct keyed_state_class WINDOW_STATE = {
    .save = save, .load = load, .clear = clear, .find = find, .drop = drop};

enum status window_snapshot(struct operator* op, struct buf *out, struct error *err)
{
    const struct window_aggregate *all = op->state;
    buf_append_byte(out, VERSION);
    state_put_u64(out, (uint64_t)all->watermark_us);
    state_put_u64(out, (uint64_t)metric_get(&op->metrics.late_dropped));
    return OK;
}

static enum status read_own(struct operator* op, struct error *err)
{
    struct window_aggregate *all = op->state;
    const struct checkpoint_operator *from = op->restore->from;
    int64_t late = 0, lowest = WATERMARK_MAX;
    for (uint32_t i = 0; i < from->blob_count; i++) {
        const uint8_t *bytes = (const uint8_t *)from->blobs[i].data;
        struct state_bytes in = {bytes, bytes + from->blobs[i].length, false};
        in.failed = state_get_byte(&in) != VERSION;
        int64_t watermark_us = (int64_t)state_get_u64(&in);
        late += (int64_t)state_get_u64(&in);
        TRY(state_get_end(&in, "a window aggregation", err));
        lowest = watermark_us < lowest ? watermark_us : lowest;
    }
    if (from->blob_count)
        all->watermark_us = op->eval.watermark_us = lowest;
    if (op->subtask == 0)
        metric_add(&op->metrics.late_dropped, late);
    return OK;
}

static int64_t count_rows(const struct window *window)
{
    uint8_t *rows[64];
    struct state_cursor cursor = {0};
    int64_t sum = 0;
    uint32_t count;
    while ((count = state_table_scan(window->table, &cursor, rows, 64)) > 0)
        for (uint32_t i = 0; i < count; i++)
            sum += ((const struct window_head *)rows[i])->row_count;
    return sum;
}

/* Windows that only tombstones and drops have made. */
static void drop_empty(struct operator* op)
{
    struct window_aggregate *all = op->state;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < all->window_count; i++) {
        if (!state_table_rows(all->windows[i]->table)) {
            window_free(op, all->windows[i]);
            continue;
        }
        all->windows[i]->row_count = count_rows(all->windows[i]);
        all->windows[kept++] = all->windows[i];
    }
    all->window_count = kept;
    window_report(op);
}

enum status window_restore(struct operator* op, struct error *err)
{
    bool has_keys = op->node->window.key_count > 0;
    if (!op->restore)
        return OK;
    TRY(read_own(op, err));
    TRY(operator_restore_keyed(op, has_keys ? op->first_key_group : 0,
                               has_keys ? op->last_key_group : KEY_GROUP_COUNT - 1, err));
    drop_empty(op);
    return OK;
}
