/* window_aggregate.c - GROUP BY window_start, window_end over TUMBLE: rows gather per window and
 * key and leave once, when the watermark has passed the window's end - 1 ms.
 *
 * State: per open window a table key -> [row_count | accumulators], so that a fired window is freed
 * as a whole; the windows in order of their start. Most batches lie in one window: a row is first
 * compared with the bounds of the window before it.
 *
 * Windows are aligned in local time: for TIMESTAMP_LTZ that of the session zone, so that a day is
 * the zone's day; the bounds as instants are kept with the window.
 *
 * Lateness is decided per row by the batch's marks (contracts.md rule 2): a row whose window has
 * fired by then is dropped and counted. A window whose row count is 0 at firing emits nothing (rule
 * 34). Not built: LOCAL and GLOBAL phases.
 */
#include "operator/window_aggregate.h"

#define REPORTED_MAX 64 /* windows that are counted in the metrics: the first ones */

static enum status window_open(struct operator* op, struct error *err)
{
    const struct plan_node *node = op->node;
    struct window_aggregate *all = operator_new_state(op, sizeof(*all), err);
    if (!all)
        return err->code;
    if (node->window.phase != PHASE_SINGLE)
        return error_set(err, ERR_UNSUPPORTED,
                         "window aggregation in two phases is not supported yet");
    if (node->window.kind != WINDOW_TUMBLE)
        return error_set(err, ERR_UNSUPPORTED, "only TUMBLE windows are supported yet");
    all->size_us = node->window.size_ms * US_PER_MS;
    all->offset_us = node->window.offset_ms * US_PER_MS;
    all->op = op;
    all->watermark_us = WATERMARK_NONE;
    must(all->size_us > 0);
    op->owner.relief = "make the windows shorter, or, where a split without rows keeps them open, "
                       "set 'scan.watermark.idle-timeout' on the source table";
    keyed_state_init(&all->keyed, &WINDOW_STATE, all, op->epoch);
    op->keyed = &all->keyed;
    TRY(aggregate_calls_init(&all->calls, op, node->window.calls, node->window.call_count,
                             node->window.keys, node->window.key_count, sizeof(struct window_head),
                             err));
    TRY(group_lookup_init(&all->lookup, node->window.keys, node->window.key_count, err));
    return window_restore(op, err);
}

/* ---- windows ---- */

void window_free(struct operator* op, struct window *window)
{
    struct window_aggregate *all = op->state;
    uint8_t *rows[64];
    struct state_cursor cursor = {0};
    uint32_t count;
    while (window->table && all->calls.own_memory &&
           (count = state_table_scan(window->table, &cursor, rows, 64)) > 0)
        for (uint32_t i = 0; i < count; i++)
            aggregate_calls_clear(&all->calls, rows[i]);
    distinct_set_fini(&window->distinct);
    keyed_table_free(&window->groups);
    mem_free(window->cache);
    mem_free(window);
}

/* The instant of a window's last local millisecond. Where it exists twice (clocks set back) the
 * later one, where it does not (clocks set forward) the hour's begin, as Flink's
 * toEpochMillsForTimer. */
static int64_t zoned_fire(const struct zone *zone, int64_t last_us)
{
    const int64_t hour_us = 3600 * US_PER_SECOND;
    int64_t here = zone_local_to_utc(zone, last_us);
    int64_t hour_on = zone_local_to_utc(zone, last_us + hour_us);
    if (here == hour_on)
        return here - here % hour_us;
    return hour_on - here > hour_us ? here + hour_us : here;
}

/* Bounds of the window that starts at that local time. */
static void bounds_from(const struct operator* op, int64_t start_us, struct window *out)
{
    const struct window_aggregate *all = op->state;
    const struct zone *zone = op->node->window.is_ltz ? op->eval.zone : NULL;
    out->start_us = start_us;
    out->end_us = out->start_us + all->size_us;
    out->low_us = zone ? zone_local_to_utc(zone, out->start_us) : out->start_us;
    out->high_us = zone ? zone_local_to_utc(zone, out->end_us) : out->end_us;
    out->fire_us = zone ? zoned_fire(zone, out->end_us - US_PER_MS) : out->end_us - US_PER_MS;
    /* Where the zone changes inside, local times and instants do not run alike: look each row up.
     */
    if (out->high_us - out->low_us != all->size_us)
        out->low_us = out->high_us = INT64_MIN;
}

/* Bounds of the window that the instant ts lies in. */
static void window_bounds(const struct operator* op, int64_t ts_us, struct window *out)
{
    const struct window_aggregate *all = op->state;
    const struct zone *zone = op->node->window.is_ltz ? op->eval.zone : NULL;
    int64_t local = zone ? zone_utc_to_local(zone, ts_us) : ts_us;
    int64_t rest = (local - all->offset_us) % all->size_us;
    bounds_from(op, local - (rest < 0 ? rest + all->size_us : rest), out);
}

static enum status window_new(struct operator* op, const struct window *bounds, struct window **out,
                              struct error *err)
{
    struct window_aggregate *all = op->state;
    struct window *window = mem_alloc(sizeof(*window));
    if (!window)
        return error_memory(err, "window", sizeof(*window));
    *window = *bounds;
    window->since_us = op->eval.now_us;
    window->row_count = 0;
    window->table = NULL;
    window->cache = NULL;
    window->groups = (struct keyed_table){0};
    window->distinct = (struct distinct_set){0};
    window->touched = UINT32_MAX;
    struct state_table_spec spec = {.value_bytes = all->calls.value_bytes,
                                    .first_key_group = op->first_key_group,
                                    .last_key_group = op->last_key_group,
                                    .owner = &op->owner};
    if (op->node->window.key_count == 0) {
        spec.first_key_group = 0;
        spec.last_key_group = KEY_GROUP_COUNT - 1;
    }
    enum status status =
        keyed_table_new(&all->keyed, &window->groups, 0, window->start_us, &spec, err);
    window->table = window->groups.rows;
    if (status == OK)
        status =
            distinct_set_init(&window->distinct, &all->calls, &all->keyed, window->start_us, err);
    if (status != OK) {
        window_free(op, window);
        return status;
    }
    *out = window;
    return OK;
}

static enum status find_window(struct operator* op, const struct window *bounds,
                               struct window **out, struct error *err)
{
    struct window_aggregate *all = op->state;
    uint32_t low = 0, high = all->window_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (all->windows[middle]->start_us < bounds->start_us)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < all->window_count && all->windows[low]->start_us == bounds->start_us) {
        *out = all->windows[low];
        return OK;
    }
    if (all->window_count == all->window_capacity) {
        uint32_t capacity = all->window_capacity ? all->window_capacity * 2 : 8;
        void *grown = mem_realloc(all->windows, capacity * sizeof(*all->windows));
        if (!grown)
            return error_memory(err, "windows", capacity * sizeof(*all->windows));
        all->windows = grown;
        all->window_capacity = capacity;
    }
    TRY(window_new(op, bounds, out, err));
    memmove(all->windows + low + 1, all->windows + low,
            (all->window_count - low) * sizeof(*all->windows));
    all->windows[low] = *out;
    all->window_count++;
    return OK;
}

enum status window_at(struct operator* op, int64_t start_us, struct window **out, struct error *err)
{
    struct window bounds;
    bounds_from(op, start_us, &bounds);
    return find_window(op, &bounds, out, err);
}

void window_report(struct operator* op)
{
    const struct window_aggregate *all = op->state;
    int64_t keys = 0, bytes = 0, rows = 0, oldest_us = 0;
    for (uint32_t i = 0; i < all->window_count && i < REPORTED_MAX; i++) {
        const struct window *window = all->windows[i];
        keys += (int64_t)state_table_rows(window->table);
        bytes += (int64_t)state_table_bytes(window->table);
        rows += window->row_count;
        if (!oldest_us || window->since_us < oldest_us)
            oldest_us = window->since_us;
    }
    metric_set(&op->metrics.state_keys, keys);
    metric_set(&op->metrics.state_bytes, bytes);
    metric_set(&op->metrics.buffered_rows, rows);
    metric_set(&op->metrics.oldest_row_us, oldest_us);
    metric_set(&op->metrics.next_timer_us,
               all->window_count ? all->windows[0]->fire_us : WATERMARK_MAX);
}

/* ---- a batch ---- */

static int64_t row_time(const struct vec *time, uint32_t row, bool *valid)
{
    const struct vec *holder;
    uint32_t at = vec_locate(time, row, &holder);
    *valid = bitmap_get(holder->validity, at);
    return ((const int64_t *)holder->values)[at];
}

/* Which window each selected row belongs to: all->row_window (number among the touched ones, -1
 * late), counted per window. */
static enum status assign(struct operator* op, const struct batch *batch, struct error *err)
{
    struct window_aggregate *all = op->state;
    const struct vec *time = batch->columns[op->node->window.time_column];
    int64_t watermark = op->eval.watermark_us, late = 0;
    uint32_t mark = 0, next_mark = batch->mark_count ? batch->marks[0].row_index : UINT32_MAX;
    struct window bounds = {.low_us = INT64_MIN, .high_us = INT64_MIN}, *window = NULL;
    all->touched_count = 0;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t row = batch_row(batch, i);
        bool valid;
        int64_t ts = row_time(time, row, &valid);
        while (row >= next_mark) {
            watermark = batch->marks[mark++].watermark_us;
            next_mark = mark < batch->mark_count ? batch->marks[mark].row_index : UINT32_MAX;
        }
        if (!valid)
            return error_set(err, ERR_DATA, "a row's time attribute is NULL");
        if (ts < bounds.low_us || ts >= bounds.high_us) {
            window_bounds(op, ts, &bounds);
            window = NULL;
        }
        all->row_window[i] = -1;
        if (bounds.fire_us <= watermark) {
            late++;
            continue;
        }
        if (!window)
            TRY(find_window(op, &bounds, &window, err));
        if (window->touched == UINT32_MAX) {
            window->touched = all->touched_count;
            all->touched_rows[all->touched_count] = 0;
            all->touched[all->touched_count++] = window;
        }
        all->row_window[i] = (int16_t)window->touched;
        all->touched_rows[window->touched]++;
    }
    for (uint32_t t = 0; t < all->touched_count; t++) {
        all->touched[t]->touched = UINT32_MAX;
        all->touched[t]->row_count += all->touched_rows[t];
    }
    metric_add(&op->metrics.late_dropped, late);
    operator_note_rows(op, late < batch->selected_count);
    return OK;
}

/* Row numbers by window, in order within each: all->sorted, windows one after another. */
static void sort_by_window(struct window_aggregate *all, const struct batch *batch)
{
    uint32_t next[BATCH_ROWS_MAX], at = 0;
    for (uint32_t t = 0; t < all->touched_count; t++) {
        next[t] = at;
        at += all->touched_rows[t];
    }
    for (uint32_t i = 0; i < batch->selected_count; i++)
        if (all->row_window[i] >= 0)
            all->sorted[next[all->row_window[i]]++] = (uint16_t)batch_row(batch, i);
}

static enum status add_to_window(struct operator* op, struct batch *batch, struct window *window,
                                 const uint16_t *rows, uint32_t count, struct error *err)
{
    struct window_aggregate *all = op->state;
    const uint8_t *kinds = op->node->window.input_updates ? batch->kinds : NULL;
    struct batch *part = NULL;
    if (!window->cache && count >= LOOKUP_SLOTS)
        window->cache = mem_calloc(1, sizeof(*window->cache)); /* without it, it goes slower */
    if (count == batch->selected_count)
        part = batch_ref(batch);
    else
        TRY(batch_with_selection(&part, batch, rows, count, err));
    enum status status =
        group_lookup_run(&all->lookup, window->table, window->cache, part, all->groups, err);
    batch_unref(part);
    TRY(status);
    for (uint32_t i = 0; i < count; i++) {
        struct window_head *head = (struct window_head *)all->groups[i];
        TRY(state_table_touch(window->table, all->groups[i], err));
        head->row_count += kinds && !row_kind_is_accumulate(kinds[rows[i]]) ? -1 : 1;
    }
    return aggregate_calls_add(&all->calls, batch, rows, count, all->groups, kinds,
                               &window->distinct, err);
}

static enum push_result window_push(struct operator* op, uint32_t port, struct batch *batch,
                                    struct error *err)
{
    struct window_aggregate *all = op->state;
    if (batch->selected_count == 0)
        return PUSH_DONE;
    PUSH_TRY(assign(op, batch, err));
    sort_by_window(all, batch);
    enum status status = aggregate_calls_begin(&all->calls, batch, err);
    for (uint32_t t = 0, at = 0; t < all->touched_count && status == OK; t++) {
        status =
            add_to_window(op, batch, all->touched[t], all->sorted + at, all->touched_rows[t], err);
        at += all->touched_rows[t];
    }
    aggregate_calls_end(&all->calls);
    window_report(op);
    return status == OK ? PUSH_DONE : PUSH_ERROR;
}

static void window_close(struct operator* op)
{
    struct window_aggregate *all = op->state;
    if (!all)
        return;
    for (uint32_t i = 0; i < all->window_count; i++)
        window_free(op, all->windows[i]);
    mem_free(all->windows);
    group_lookup_fini(&all->lookup);
    keyed_state_fini(&all->keyed);
    aggregate_calls_fini(&all->calls);
    operator_free_state(op);
}

const struct operator_class OPERATOR_WINDOW_AGGREGATE = {
    .size = sizeof(struct operator_class),
    .name = "WindowAggregate",
    .open = window_open,
    .push = window_push,
    .watermark = window_fire,
    .resume = window_resume,
    .snapshot = window_snapshot,
    .close = window_close,
};

enum status window_drop_first(struct operator* op, struct error *err)
{
    struct window_aggregate *all = op->state;
    TRY(keyed_table_leave(&all->windows[0]->groups, err));
    TRY(distinct_set_leave(&all->windows[0]->distinct, err));
    window_free(op, all->windows[0]);
    all->window_count--;
    memmove(all->windows, all->windows + 1, all->window_count * sizeof(*all->windows));
    return OK;
}
