/* window_fire.c - results of windows that the watermark has passed, in order of their start, at
 * most a batch at a time; the watermark follows them.
 *
 * Output: keys, window_start, window_end (local TIMESTAMP(3)), window_time (the input's kind of
 * time attribute, end - 1 ms), results.
 */
#include "operator/window_aggregate.h"

static enum status fill_times(const struct operator* op, const struct window *window,
                              uint32_t count, struct vec **columns, struct error *err)
{
    int64_t last_us = window->end_us - US_PER_MS;
    if (op->node->window.is_ltz)
        last_us = zone_local_to_utc(op->eval.zone, last_us);
    const int64_t values[3] = {window->start_us, window->end_us, last_us};
    for (uint32_t c = 0; c < 3; c++) {
        TRY(vec_set_length(columns[c], 1, err));
        ((int64_t *)columns[c]->values)[0] = values[c];
        struct vec *constant;
        TRY(vec_new_constant(&constant, columns[c], 0, count, err));
        vec_unref(columns[c]);
        columns[c] = constant;
    }
    return OK;
}

static enum status decode_key(const struct window *window, const uint8_t *row,
                              struct vec *const *columns, uint32_t key_count, struct error *err)
{
    struct str key = state_row_key(window->table, row);
    return key_decode((const uint8_t *)key.data, key.length, columns, key_count, err);
}

static enum status make_batch(struct operator* op, const struct window *window, uint8_t **rows,
                              uint32_t count, struct batch **out, struct error *err)
{
    const struct plan_node *node = op->node;
    struct window_aggregate *all = op->state;
    uint32_t key_count = node->window.key_count;
    enum status status = OK;
    struct vec **columns = operator_columns_new(node->column_count, err);
    if (!columns)
        return err->code;
    for (uint32_t c = 0; c < node->column_count && status == OK; c++) {
        bool is_time = c >= key_count && c < key_count + 3;
        status = vec_new(&columns[c], node->types[c], is_time ? 1 : count, NULL, err);
    }
    for (uint32_t i = 0; i < count && key_count && status == OK; i++)
        status = decode_key(window, rows[i], columns, key_count, err);
    if (status == OK)
        status = fill_times(op, window, count, columns + key_count, err);
    for (uint32_t c = 0; c < all->calls.count && status == OK; c++)
        status =
            aggregate_calls_result(&all->calls, c, rows, count, columns[key_count + 3 + c], err);
    if (status == OK) {
        status = batch_new(out, columns, node->column_count, count, err);
        memset(columns, 0, node->column_count * sizeof(*columns));
    }
    operator_columns_free(columns, node->column_count);
    return status;
}

/* The next rows of the first window; *done: it had no more. */
static enum push_result fire_some(struct operator* op, bool *done, struct error *err)
{
    struct window_aggregate *all = op->state;
    struct window *window = all->windows[0];
    uint32_t scanned = state_table_scan(window->table, &all->cursor, all->groups, BATCH_ROWS_MAX);
    uint32_t count = 0;
    for (uint32_t i = 0; i < scanned; i++) {
        const struct window_head *head = (const struct window_head *)all->groups[i];
        all->groups[count] = all->groups[i];
        count += head->row_count != 0;
    }
    *done = scanned == 0;
    if (!count)
        return PUSH_DONE;
    struct batch *batch = NULL;
    PUSH_TRY(make_batch(op, window, all->groups, count, &batch, err));
    enum push_result result = operator_emit(op, 0, batch, err);
    batch_unref(batch);
    return result;
}

enum push_result window_resume(struct operator* op, struct error *err)
{
    struct window_aggregate *all = op->state;
    while (all->window_count && all->windows[0]->fire_us <= all->watermark_us) {
        bool done = false;
        if (operator_blocked(op))
            return PUSH_FULL;
        EMIT(fire_some(op, &done, err));
        if (!done)
            continue;
        PUSH_TRY(window_drop_first(op, err));
        all->cursor = (struct state_cursor){0};
        window_report(op);
    }
    return operator_emit_watermark(op, all->watermark_us, err);
}

enum push_result window_fire(struct operator* op, int64_t watermark_us, struct error *err)
{
    struct window_aggregate *all = op->state;
    all->watermark_us = watermark_us;
    return window_resume(op, err);
}
