/* group_aggregate.c - GROUP BY without a window: a state row per key, results as a changelog.
 *
 * A batch is worked in rounds. When changes may be coalesced (contracts.md rule 4) it is one round:
 * one change per key and batch, keys in the order they were first touched. Otherwise a round ends
 * before a key comes a second time, so that every change is seen, as in Flink. In a round: find the
 * rows, take the old results, accumulate, take the new results, emit what differs.
 *
 *   row value: [struct group_head | accumulators]
 *
 * A group is there while its row_count is above 0; rows without it are removed at the batch's end.
 * A row that is taken away from a group that is not there changes nothing (as in Flink). LOCAL
 * emits (keys, all accumulators as BYTES) after each batch and keeps nothing; GLOBAL merges those.
 *
 * With a time to live (table.exec.state.ttl), a group without rows for so long is forgotten,
 * without a word to those downstream, and begins anew with its next row (as in Flink). The table
 * forgets; a timer goes round it so that its memory is free at most as long again afterwards.
 */
#include "operator/aggregate_calls.h"
#include "operator/group_changes.h"
#include "operator/group_lookup.h"
#include "operator/operator_int.h"

#define SWEEPS       256 /* in a time to live, at most */
#define SWEEP_MS_MIN 10

#define ROW_COUNT_MAX ((UINT64_C(1) << 52) - 1)
struct group_head {
    uint64_t row_count : 52;
    uint64_t is_dying : 1; /* in the list of rows to look at when the batch is done */
    uint64_t touched : 11; /* number among the round's touched groups, if it is there */
};
_Static_assert(sizeof(struct group_head) == 8 && BATCH_ROWS_MAX <= 1 << 11,
               "the head of a group is small");

struct group_aggregate {
    struct keyed_state keyed;
    struct keyed_table groups_of; /* number 0 */
    struct state_table *table;    /* its rows */
    struct aggregate_calls calls;
    struct distinct_set distinct;
    struct group_lookup lookup;
    struct lookup_cache cache; /* not asked with a time to live: it does not see it pass */
    bool is_timed;             /* a timer is set */
    struct group_changes changes;
    uint8_t *groups[BATCH_ROWS_MAX]; /* by selected row */
    uint16_t rows[BATCH_ROWS_MAX];   /* of the batch, those of the round that count */
    uint8_t *counted[BATCH_ROWS_MAX];
    uint32_t dying_count;
    uint8_t *dying[BATCH_ROWS_MAX];
};

/* ---- what a checkpoint keeps of a row */

static void group_save(void *context, const struct keyed_table *table, const uint8_t *value,
                       struct buf *out)
{
    const struct group_aggregate *group = context;
    if (table->number > 0) {
        distinct_value_save(value, out);
        return;
    }
    state_put_varint(out, ((const struct group_head *)value)->row_count);
    aggregate_calls_save(&group->calls, value, out);
}

static enum status group_load(void *context, const struct keyed_table *table, uint8_t *value,
                              const uint8_t *bytes, size_t size_bytes, struct error *err)
{
    const struct group_aggregate *group = context;
    struct state_bytes in = {bytes, bytes + size_bytes, false};
    if (table->number > 0)
        return distinct_value_load(value, bytes, size_bytes, err);
    aggregate_calls_clear(&group->calls, value);
    *(struct group_head *)value =
        (struct group_head){.row_count = state_get_varint(&in) & ROW_COUNT_MAX};
    TRY(aggregate_calls_load(&group->calls, value, &in, err));
    return state_get_end(&in, "a group", err);
}

static void group_clear(void *context, const struct keyed_table *table, uint8_t *value)
{
    const struct group_aggregate *group = context;
    if (table->number == 0)
        aggregate_calls_clear(&group->calls, value);
}

static enum status group_find(void *context, uint8_t number, int64_t namespace,
                              struct keyed_table **out, struct error *err)
{
    struct group_aggregate *group = context;
    *out = number ? distinct_set_table(&group->distinct, number) : &group->groups_of;
    return *out ? OK : error_set(err, ERR_CORRUPT, "a GROUP BY has no state of number %u", number);
}

static const struct keyed_state_class GROUP_STATE = {
    .save = group_save, .load = group_load, .clear = group_clear, .find = group_find};

/* ---- time to live ---- */

/* How often the timer looks for what has expired: seldom enough that a job without input rests, for
 * each time is a change, and so a checkpoint. */
static int64_t sweep_ms(const struct group_aggregate *group)
{
    int64_t ms = group->calls.ttl_ms / SWEEPS;
    return ms < SWEEP_MS_MIN ? SWEEP_MS_MIN : ms;
}

static enum status set_timer(struct operator* op, struct error *err)
{
    struct group_aggregate *group = op->state;
    group->is_timed = true;
    return operator_set_timer(op, op->steady_us + sweep_ms(group) * US_PER_MS, err);
}

static enum status group_open(struct operator* op, struct error *err)
{
    const struct plan_node *node = op->node;
    struct group_aggregate *group = operator_new_state(op, sizeof(*group), err);
    if (!group)
        return err->code;
    op->owner.relief = "set table.exec.state.ttl, so that keys without new rows are forgotten";
    TRY(aggregate_calls_init(&group->calls, op, node->group.calls, node->group.call_count,
                             node->group.keys, node->group.key_count, sizeof(struct group_head),
                             err));
    keyed_state_init(&group->keyed, &GROUP_STATE, group,
                     node->group.phase == PHASE_LOCAL ? 0 : op->epoch);
    group->calls.ttl_ms = node->group.phase == PHASE_LOCAL ? 0 : node->group.state_ttl_ms;
    TRY(distinct_set_init(&group->distinct, &group->calls, &group->keyed, 0, err));
    TRY(group_changes_init(&group->changes, op, &group->calls, err));
    TRY(group_lookup_init(&group->lookup, node->group.keys, node->group.key_count, err));
    struct state_table_spec spec = {.value_bytes = group->calls.value_bytes,
                                    .first_key_group = op->first_key_group,
                                    .last_key_group = op->last_key_group,
                                    .ttl_ms = group->calls.ttl_ms,
                                    .now_us = &op->eval.now_us,
                                    .owner = &op->owner};
    if (node->group.key_count == 0 || node->group.phase == PHASE_LOCAL) {
        spec.first_key_group = 0; /* one row of the empty key; rows on their way to all groups */
        spec.last_key_group = KEY_GROUP_COUNT - 1;
    }
    TRY(keyed_table_new(&group->keyed, &group->groups_of, 0, 0, &spec, err));
    group->table = group->groups_of.rows;
    if (node->group.phase == PHASE_LOCAL)
        return OK;
    op->keyed = &group->keyed;
    TRY(operator_restore_keyed(op, spec.first_key_group, spec.last_key_group, err));
    return group->calls.ttl_ms && op->restore ? set_timer(op, err) : OK;
}

static struct group_head *head_of(uint8_t *row)
{
    return (struct group_head *)row;
}

static void mark_dying(struct group_aggregate *group, uint8_t *row)
{
    if (head_of(row)->is_dying)
        return;
    head_of(row)->is_dying = 1;
    group->dying[group->dying_count++] = row;
}

/* Notes that the round touches the group; *again: it has done so before. */
static enum status touch_group(struct group_aggregate *group, uint8_t *row, uint32_t batch_row,
                               bool *again, struct error *err)
{
    struct group_changes *changes = &group->changes;
    struct group_head *head = head_of(row);
    *again = head->touched < changes->touched_count && changes->touched[head->touched] == row;
    if (*again)
        return OK;
    TRY(state_table_touch(group->table, row, err));
    head->touched = changes->touched_count & (BATCH_ROWS_MAX - 1);
    group_changes_touch(changes, row, batch_row, head->row_count > 0);
    return OK;
}

/* Touches the groups of selected rows from `from` on until the round's end. */
static enum status touch(struct operator* op, struct batch *batch, uint32_t from, uint32_t *to,
                         struct error *err)
{
    struct group_aggregate *group = op->state;
    bool whole = op->node->group.coalesce || op->node->group.phase == PHASE_LOCAL;
    uint32_t i = from;
    group_changes_start(&group->changes);
    for (; i < batch->selected_count; i++) {
        bool again;
        TRY(touch_group(group, group->groups[i], batch_row(batch, i), &again, err));
        if (again && !whole)
            break;
    }
    *to = i;
    return OK;
}

/* Counts the rows of the round; those that count to group->rows and group->counted. */
static uint32_t count_rows(struct operator* op, struct batch *batch, uint32_t from, uint32_t to)
{
    struct group_aggregate *group = op->state;
    uint32_t kept = 0;
    if (!op->node->group.input_updates) {
        for (uint32_t i = from; i < to; i++) {
            group->rows[kept] = (uint16_t)batch_row(batch, i);
            group->counted[kept++] = group->groups[i];
            head_of(group->groups[i])->row_count = 1;
        }
        return kept;
    }
    for (uint32_t i = from; i < to; i++) {
        uint32_t row = batch_row(batch, i);
        struct group_head *head = head_of(group->groups[i]);
        if (row_kind_is_accumulate(batch_kind(batch, row)))
            head->row_count++;
        else if (head->row_count > 0)
            head->row_count--;
        else
            row = UINT32_MAX;
        if (head->row_count == 0)
            mark_dying(group, group->groups[i]);
        if (row == UINT32_MAX)
            continue;
        group->rows[kept] = (uint16_t)row;
        group->counted[kept++] = group->groups[i];
    }
    return kept;
}

static enum status add_rows(struct operator* op, struct batch *batch, uint32_t count,
                            struct error *err)
{
    struct group_aggregate *group = op->state;
    if (op->node->group.phase == PHASE_GLOBAL)
        return aggregate_calls_merge(&group->calls, batch->columns[batch->column_count - 1],
                                     group->rows, count, group->counted, err);
    return aggregate_calls_add(&group->calls, batch, group->rows, count, group->counted,
                               op->node->group.input_updates ? batch->kinds : NULL,
                               &group->distinct, err);
}

static enum status round_of(struct operator* op, struct batch *batch, uint32_t from, uint32_t *to,
                            struct error *err)
{
    struct group_aggregate *group = op->state;
    bool is_local = op->node->group.phase == PHASE_LOCAL;
    TRY(touch(op, batch, from, to, err));
    if (!is_local)
        TRY(group_changes_before(&group->changes, err));
    uint32_t counted = count_rows(op, batch, from, *to);
    TRY(add_rows(op, batch, counted, err));
    for (uint32_t i = 0; i < group->changes.touched_count; i++) {
        uint8_t *row = group->changes.touched[i];
        group->changes.is_there[i] = head_of(row)->row_count > 0;
    }
    return is_local ? group_changes_partials(&group->changes, batch, err)
                    : group_changes_after(&group->changes, batch, err);
}

/* Rows whose group is gone, or (LOCAL) that have been sent on. */
static void remove_rows(struct operator* op)
{
    struct group_aggregate *group = op->state;
    bool removed = false;
    for (uint32_t i = 0; i < group->dying_count; i++) {
        uint8_t *row = group->dying[i];
        head_of(row)->is_dying = 0;
        if (head_of(row)->row_count > 0)
            continue;
        aggregate_calls_clear(&group->calls, row);
        state_table_remove(group->table, row);
        removed = true;
    }
    group->dying_count = 0;
    if (removed)
        lookup_cache_clear(&group->cache);
}

static void forget_local(struct group_aggregate *group)
{
    for (uint32_t i = 0; i < group->changes.touched_count; i++) {
        head_of(group->changes.touched[i])->row_count = 0;
        mark_dying(group, group->changes.touched[i]);
    }
    group->changes.touched_count = 0; /* a batch that fails before its first group has none */
}

static void tell_size(struct operator* op)
{
    struct group_aggregate *group = op->state;
    metric_set(&op->metrics.state_keys, (int64_t)state_table_rows(group->table));
    metric_set(&op->metrics.state_bytes, (int64_t)state_table_bytes(group->table));
}

static enum push_result group_push(struct operator* op, uint32_t port, struct batch *batch,
                                   struct error *err)
{
    struct group_aggregate *group = op->state;
    uint32_t from = 0;
    if (batch->selected_count == 0)
        return PUSH_DONE;
    struct lookup_cache *cache = group->calls.ttl_ms ? NULL : &group->cache;
    enum status status =
        group_lookup_run(&group->lookup, group->table, cache, batch, group->groups, err);
    if (status == OK && op->node->group.phase != PHASE_GLOBAL)
        status = aggregate_calls_begin(&group->calls, batch, err);
    while (status == OK && from < batch->selected_count)
        status = round_of(op, batch, from, &from, err);
    aggregate_calls_end(&group->calls);
    if (status == OK)
        status = group_changes_emit(&group->changes, err);
    if (op->node->group.phase == PHASE_LOCAL)
        forget_local(group);
    remove_rows(op);
    if (status == OK)
        keyed_state_settle(&group->keyed);
    tell_size(op);
    if (status == OK && group->calls.ttl_ms && !group->is_timed)
        status = set_timer(op, err);
    return status == OK ? PUSH_DONE : PUSH_ERROR;
}

/* Some rows of all tables are looked at, so many that all have been in a time to live. */
static enum push_result group_timer(struct operator* op, int64_t due_us, struct error *err)
{
    struct group_aggregate *group = op->state;
    bool has_rows = false;
    group->is_timed = false;
    for (struct keyed_table *table = group->keyed.tables; table; table = table->next) {
        uint64_t rows = state_table_rows(table->rows);
        uint64_t some = 1 + rows * (uint64_t)sweep_ms(group) / (uint64_t)group->calls.ttl_ms;
        PUSH_TRY(state_table_expire(table->rows, (uint32_t)some, err));
        has_rows |= state_table_rows(table->rows) > 0;
    }
    tell_size(op);
    if (has_rows)
        PUSH_TRY(set_timer(op, err));
    return PUSH_DONE;
}

static void group_close(struct operator* op)
{
    struct group_aggregate *group = op->state;
    if (!group)
        return;
    uint8_t *rows[64];
    struct state_cursor cursor = {0};
    uint32_t count;
    while (group->table && group->calls.own_memory &&
           (count = state_table_scan(group->table, &cursor, rows, 64)) > 0)
        for (uint32_t i = 0; i < count; i++)
            aggregate_calls_clear(&group->calls, rows[i]);
    distinct_set_fini(&group->distinct);
    group_changes_fini(&group->changes);
    group_lookup_fini(&group->lookup);
    keyed_table_free(&group->groups_of);
    keyed_state_fini(&group->keyed);
    aggregate_calls_fini(&group->calls);
    operator_free_state(op);
}

const struct operator_class OPERATOR_GROUP_AGGREGATE = {
    .size = sizeof(struct operator_class),
    .name = "GroupAggregate",
    .open = group_open,
    .push = group_push,
    .timer = group_timer,
    .close = group_close,
};
