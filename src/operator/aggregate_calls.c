/* aggregate_calls.c - see aggregate_calls.h.
 *
 * DISTINCT: a table per call of (group key, value) -> how often it is there. A value is passed to
 * the accumulator when its number leaves 0 and taken away when it comes back to 0. The entry lies
 * in the key group of its group (the hash's top bits are replaced), so that it moves with it.
 */
#include "operator/aggregate_calls.h"

#include "operator/operator_int.h"

#define KEYS_BYTES_MAX     ((size_t)1 << 31)
#define DISTINCT_CALLS_MAX 250

struct distinct_value { /* value of a distinct table's row */
    int64_t count;
    int64_t is_dead; /* in distinct_dead of this batch */
};

enum status aggregate_calls_init(struct aggregate_calls *all, struct operator* op,
                                 const struct plan_aggregate *calls, uint32_t count,
                                 const uint32_t *keys, uint32_t key_count, uint32_t head_bytes,
                                 struct error *err)
{
    must(head_bytes % 8 == 0);
    all->op = op;
    all->calls = calls;
    all->count = count;
    all->keys = keys;
    all->key_count = key_count;
    all->head_bytes = head_bytes;
    all->value_bytes = head_bytes;
    all->offsets = mem_calloc(count + 1, sizeof(*all->offsets));
    all->flat = mem_calloc(count + 1, sizeof(*all->flat));
    if (!all->offsets || !all->flat)
        return error_memory(err, "aggregate calls", count * sizeof(void *));
    for (uint32_t i = 0; i < count; i++) {
        all->offsets[i] = all->value_bytes;
        all->value_bytes += calls[i].bound.size_bytes;
        all->own_memory |= calls[i].bound.fini != NULL;
        all->distinct_count += calls[i].bound.distinct;
    }
    if (all->distinct_count) {
        all->distinct_keys = mem_alloc(sizeof(*all->distinct_keys));
        if (!all->distinct_keys)
            return error_memory(err, "keys of DISTINCT", sizeof(*all->distinct_keys));
        key_batch_init(all->distinct_keys, KEYS_BYTES_MAX);
    }
    return OK;
}

void aggregate_calls_fini(struct aggregate_calls *all)
{
    if (all->flat)
        aggregate_calls_end(all);
    if (all->distinct_keys)
        key_batch_fini(all->distinct_keys);
    mem_free(all->distinct_keys);
    mem_free(all->offsets);
    mem_free(all->flat);
}

enum status distinct_set_init(struct distinct_set *set, const struct aggregate_calls *all,
                              struct keyed_state *keyed, int64_t namespace, struct error *err)
{
    *set = (struct distinct_set){0};
    if (!all->distinct_count)
        return OK;
    if (all->count > DISTINCT_CALLS_MAX)
        return error_set(err, ERR_LIMIT, "at most %d aggregate calls with DISTINCT",
                         DISTINCT_CALLS_MAX);
    set->count = all->count;
    set->tables = mem_calloc(all->count, sizeof(*set->tables));
    if (!set->tables)
        return error_memory(err, "tables of DISTINCT", all->count * sizeof(*set->tables));
    struct state_table_spec spec = {.value_bytes = sizeof(struct distinct_value),
                                    .first_key_group = all->op->first_key_group,
                                    .last_key_group = all->op->last_key_group,
                                    .ttl_ms = all->ttl_ms,
                                    .now_us = &all->op->eval.now_us,
                                    .owner = &all->op->owner};
    for (uint32_t i = 0; i < all->count; i++)
        if (all->calls[i].bound.distinct)
            TRY(keyed_table_new(keyed, &set->tables[i], (uint8_t)(1 + i), namespace, &spec, err));
    return OK;
}

void distinct_set_fini(struct distinct_set *set)
{
    for (uint32_t i = 0; i < set->count && set->tables; i++)
        keyed_table_free(&set->tables[i]);
    mem_free(set->tables);
    *set = (struct distinct_set){0};
}

struct keyed_table *distinct_set_table(struct distinct_set *set, uint8_t number)
{
    return number >= 1 && number <= set->count && set->tables[number - 1].rows
               ? &set->tables[number - 1]
               : NULL;
}

enum status distinct_set_leave(struct distinct_set *set, struct error *err)
{
    for (uint32_t i = 0; i < set->count; i++)
        if (set->tables[i].rows)
            TRY(keyed_table_leave(&set->tables[i], err));
    return OK;
}

void distinct_value_save(const uint8_t *value, struct buf *out)
{
    state_put_varint(out, (uint64_t)((const struct distinct_value *)value)->count);
}

enum status distinct_value_load(uint8_t *value, const uint8_t *bytes, size_t size_bytes,
                                struct error *err)
{
    struct state_bytes in = {bytes, bytes + size_bytes, false};
    *(struct distinct_value *)value =
        (struct distinct_value){.count = (int64_t)state_get_varint(&in)};
    return state_get_end(&in, "a DISTINCT value", err);
}

enum status aggregate_calls_begin(struct aggregate_calls *all, const struct batch *batch,
                                  struct error *err)
{
    for (uint32_t i = 0; i < all->count; i++) {
        int32_t column = all->calls[i].arg_column;
        if (column < 0)
            continue;
        struct vec *arg = batch->columns[column];
        if (arg->form == VEC_DICTIONARY)
            TRY(vec_flatten(&all->flat[i], arg, err));
        else
            all->flat[i] = vec_ref(arg);
    }
    return OK;
}

void aggregate_calls_end(struct aggregate_calls *all)
{
    for (uint32_t i = 0; i < all->count; i++) {
        vec_unref(all->flat[i]);
        all->flat[i] = NULL;
    }
}

/* The rows that FILTER (WHERE column) lets through, to all->rows and all->groups. */
static uint32_t filter_rows(struct aggregate_calls *all, const struct vec *condition,
                            const uint16_t *rows, uint32_t count, uint8_t *const *groups)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct vec *holder;
        uint32_t at = vec_locate(condition, rows[i], &holder);
        if (!bitmap_get(holder->validity, at) || !((const uint8_t *)holder->values)[at])
            continue;
        all->rows[kept] = rows[i];
        all->groups[kept++] = groups[i];
    }
    return kept;
}

static enum status encode_distinct(struct aggregate_calls *all, uint32_t call,
                                   const struct batch *batch, const uint16_t *rows, uint32_t count,
                                   uint8_t *const *groups, struct error *err)
{
    struct batch *part = NULL;
    uint32_t *columns = mem_alloc((all->key_count + 1) * sizeof(*columns));
    if (!columns)
        return error_memory(err, "keys of DISTINCT", all->key_count * sizeof(*columns));
    memcpy(columns, all->keys, all->key_count * sizeof(*columns));
    columns[all->key_count] = (uint32_t)all->calls[call].arg_column;
    enum status status = batch_with_selection(&part, (struct batch *)batch, rows, count, err);
    if (status == OK) {
        status = key_encode(all->distinct_keys, part, columns, all->key_count + 1, err);
        batch_unref(part);
    }
    mem_free(columns);
    const uint64_t group_bits = UINT64_C(127) << 57;
    for (uint32_t i = 0; status == OK && i < count; i++)
        all->distinct_keys->hashes[i] = (all->distinct_keys->hashes[i] & ~group_bits) |
                                        (uint64_t)state_row_key_group(groups[i]) << 57;
    return status;
}

/* Those of all->rows[0..*count) that change the set of values; all->kinds says how. */
static enum status distinct_rows(struct aggregate_calls *all, uint32_t call,
                                 const struct batch *batch, uint32_t *count, const uint8_t *kinds,
                                 struct state_table *table, struct error *err)
{
    const struct vec *arg = all->flat[call];
    uint32_t kept = 0, valid = 0, dead = 0;
    for (uint32_t i = 0; i < *count; i++) {
        all->rows[valid] = all->rows[i];
        all->groups[valid] = all->groups[i];
        valid += vec_is_valid(arg, all->rows[i]);
    }
    *count = 0;
    if (!valid)
        return OK;
    TRY(encode_distinct(all, call, batch, all->rows, valid, all->groups, err));
    TRY(state_table_upsert(table, all->distinct_keys, all->distinct_rows, NULL, NULL, err));
    for (uint32_t i = 0; i < valid; i++) {
        struct distinct_value *value = (struct distinct_value *)all->distinct_rows[i];
        uint16_t row = all->rows[i];
        TRY(state_table_touch(table, all->distinct_rows[i], err));
        bool adds = !kinds || row_kind_is_accumulate(kinds[row]);
        bool passes = false;
        if (adds)
            passes = value->count++ == 0;
        else if (value->count > 0)
            passes = --value->count == 0;
        if (value->count == 0 && !value->is_dead) {
            value->is_dead = 1;
            all->distinct_dead[dead++] = all->distinct_rows[i];
        }
        if (!passes)
            continue;
        all->rows[kept] = row;
        all->groups[kept++] = all->groups[i];
    }
    for (uint32_t i = 0; i < dead; i++) {
        struct distinct_value *value = (struct distinct_value *)all->distinct_dead[i];
        value->is_dead = 0;
        if (value->count == 0)
            state_table_remove(table, all->distinct_dead[i]);
    }
    *count = kept;
    return OK;
}

enum status aggregate_calls_add(struct aggregate_calls *all, const struct batch *batch,
                                const uint16_t *rows, uint32_t count, uint8_t *const *groups,
                                const uint8_t *kinds, struct distinct_set *set, struct error *err)
{
    for (uint32_t i = 0; i < all->count; i++) {
        const struct plan_aggregate *call = &all->calls[i];
        struct aggregate_input input = {.arg = all->flat[i],
                                        .selection = rows,
                                        .kinds = kinds,
                                        .count = count,
                                        .owner = &all->op->owner,
                                        .groups = groups,
                                        .offset_bytes = all->offsets[i]};
        if (call->filter_column >= 0) {
            input.count =
                filter_rows(all, batch->columns[call->filter_column], rows, count, groups);
            input.selection = all->rows;
            input.groups = all->groups;
        }
        if (call->bound.distinct) {
            if (input.selection != all->rows) {
                memcpy(all->rows, rows, count * sizeof(*rows));
                memcpy(all->groups, groups, count * sizeof(*groups));
                input.selection = all->rows;
                input.groups = all->groups;
            }
            TRY(distinct_rows(all, i, batch, &input.count, kinds, set->tables[i].rows, err));
        }
        if (input.count)
            TRY(call->bound.accumulate(&call->bound, &input, err));
    }
    return OK;
}

enum status aggregate_calls_merge(struct aggregate_calls *all, const struct vec *partials,
                                  const uint16_t *rows, uint32_t count, uint8_t *const *groups,
                                  struct error *err)
{
    const uint8_t *bytes[BATCH_ROWS_MAX];
    uint32_t wanted = all->value_bytes - all->head_bytes;
    for (uint32_t i = 0; i < count; i++) {
        const struct vec *holder;
        uint32_t at = vec_locate(partials, rows[i], &holder);
        const struct view *view = (const struct view *)holder->values + at;
        if (view->length != wanted)
            return error_set(err, ERR_DATA, "a partial aggregate of %u bytes, not %u", view->length,
                             wanted);
        bytes[i] = (const uint8_t *)view_data(view);
    }
    for (uint32_t i = 0; i < all->count; i++)
        all->calls[i].bound.merge(&all->calls[i].bound, groups, all->offsets[i], bytes,
                                  all->offsets[i] - all->head_bytes, count);
    return OK;
}

void aggregate_calls_clear(const struct aggregate_calls *all, uint8_t *group)
{
    for (uint32_t i = 0; all->own_memory && i < all->count; i++)
        if (all->calls[i].bound.fini)
            all->calls[i].bound.fini(&all->calls[i].bound, group + all->offsets[i],
                                     &all->op->owner);
    memset(group + all->head_bytes, 0, all->value_bytes - all->head_bytes);
}

/* What an aggregate saves itself has its size in front. */
static void save_sized(const struct aggregate_bound *bound, const uint8_t *value, struct buf *out)
{
    struct buf saved;
    buf_init(&saved, KEYS_BYTES_MAX);
    bound->save(bound, value, &saved);
    out->failed |= saved.failed;
    state_put_bytes(out, saved.data, saved.length);
    buf_fini(&saved);
}

void aggregate_calls_save(const struct aggregate_calls *all, const uint8_t *group, struct buf *out)
{
    for (uint32_t i = 0; i < all->count; i++) {
        const struct aggregate_bound *bound = &all->calls[i].bound;
        if (bound->save)
            save_sized(bound, group + all->offsets[i], out);
        else
            buf_append(out, group + all->offsets[i], bound->size_bytes);
    }
}

enum status aggregate_calls_load(const struct aggregate_calls *all, uint8_t *group,
                                 struct state_bytes *in, struct error *err)
{
    for (uint32_t i = 0; i < all->count; i++) {
        const struct aggregate_bound *bound = &all->calls[i].bound;
        size_t size_bytes = bound->size_bytes;
        if (bound->load) {
            const uint8_t *bytes = state_get_bytes(in, &size_bytes);
            TRY(bound->load(bound, group + all->offsets[i], bytes, size_bytes, &all->op->owner,
                            err));
        } else if (in->failed || size_bytes > (size_t)(in->end - in->at)) {
            in->failed = true;
        } else {
            memcpy(group + all->offsets[i], in->at, size_bytes);
            in->at += size_bytes;
        }
    }
    return OK;
}

enum status aggregate_calls_result(const struct aggregate_calls *all, uint32_t call,
                                   uint8_t *const *groups, uint32_t count, struct vec *vec,
                                   struct error *err)
{
    const struct aggregate_bound *bound = &all->calls[call].bound;
    uint32_t first = vec->length;
    TRY(vec_reserve(vec, first + count, err));
    TRY(vec_make_validity(vec, err));
    vec->length = first + count;
    return bound->result_of(bound, groups, all->offsets[call], count, vec, first, err);
}
