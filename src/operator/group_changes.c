/* group_changes.c - see group_changes.h.
 *
 * Equal old and new results emit nothing, unless state has a time to live: then every row is
 * emitted, so that state downstream lives on too (as Flink's GroupAggFunction). Values are compared
 * as they are stored (two NaN are equal, 0.0 and -0.0 are not), so that what downstream holds is
 * what the state says.
 */
#include "operator/group_changes.h"

#include "operator/operator_int.h"

enum status group_changes_init(struct group_changes *changes, struct operator* op,
                               const struct aggregate_calls *calls, struct error *err)
{
    changes->op = op;
    changes->calls = calls;
    changes->results = operator_columns_new(calls->count, err);
    changes->out = operator_columns_new(op->node->column_count, err);
    return changes->results && changes->out ? OK : err->code;
}

void group_changes_fini(struct group_changes *changes)
{
    if (!changes->op)
        return;
    operator_columns_free(changes->results, changes->calls->count);
    operator_columns_free(changes->out, changes->op->node->column_count);
}

/* Empties the result vectors, or replaces those that a batch still holds. */
static enum status clear_results(struct group_changes *changes, struct error *err)
{
    for (uint32_t c = 0; c < changes->calls->count; c++) {
        struct vec **vec = &changes->results[c];
        if (*vec && vec_recycle(*vec))
            continue;
        vec_unref(*vec);
        *vec = NULL;
        TRY(vec_new(vec, changes->calls->calls[c].bound.result, changes->touched_count * 2, NULL,
                    err));
    }
    return OK;
}

static enum status take_results(struct group_changes *changes, uint8_t *const *groups,
                                uint32_t count, struct error *err)
{
    for (uint32_t c = 0; c < changes->calls->count && count; c++)
        TRY(aggregate_calls_result(changes->calls, c, groups, count, changes->results[c], err));
    return OK;
}

enum status group_changes_before(struct group_changes *changes, struct error *err)
{
    changes->old_count = 0;
    TRY(clear_results(changes, err));
    for (uint32_t i = 0; i < changes->touched_count; i++)
        if (changes->was_there[i])
            changes->old_groups[changes->old_count++] = changes->touched[i];
    return take_results(changes, changes->old_groups, changes->old_count, err);
}

/* ---- the output batch ---- */

static enum status make_out(struct group_changes *changes, uint32_t rows, struct error *err)
{
    const struct plan_node *node = changes->op->node;
    for (uint32_t c = 0; c < node->column_count; c++)
        TRY(vec_new(&changes->out[c], node->types[c], rows, NULL, err));
    return OK;
}

enum status group_changes_emit(struct group_changes *changes, struct error *err)
{
    const struct plan_node *node = changes->op->node;
    struct batch *batch = NULL;
    bool all_inserts = true;
    if (!changes->out_count)
        return OK;
    enum status status =
        batch_new(&batch, changes->out, node->column_count, changes->out_count, err);
    memset(changes->out, 0, node->column_count * sizeof(*changes->out));
    for (uint32_t i = 0; i < changes->out_count; i++)
        all_inserts &= changes->kinds[i] == ROW_INSERT;
    if (status == OK && !all_inserts)
        status = batch_make_kinds(batch, err);
    if (status == OK && !all_inserts)
        memcpy(batch->kinds, changes->kinds, changes->out_count);
    changes->out_count = 0;
    if (status == OK && operator_emit(changes->op, 0, batch, err) == PUSH_ERROR)
        status = err->code;
    if (batch)
        batch_unref(batch);
    return status;
}

/* Adds the listed rows to the output, in pieces that fit. The two rows of a change stay together.
 */
static enum status add_pending(struct group_changes *changes, const struct batch *batch,
                               struct error *err)
{
    const struct plan_node *node = changes->op->node;
    uint32_t key_count = node->group.key_count;
    for (uint32_t done = 0; done < changes->pending;) {
        uint32_t count = changes->pending - done, room = BATCH_ROWS_MAX - changes->out_count;
        if (count > room) {
            count = room;
            if (count && changes->pending_kinds[done + count - 1] == ROW_UPDATE_BEFORE)
                count--;
        }
        if (!changes->out_count)
            TRY(make_out(changes, count, err));
        for (uint32_t c = 0; c < key_count && count; c++)
            TRY(vec_append(changes->out[c], batch->columns[node->group.keys[c]],
                           changes->key_rows + done, count, err));
        for (uint32_t c = 0; c < changes->calls->count && count; c++)
            TRY(vec_append(changes->out[key_count + c], changes->results[c], changes->places + done,
                           count, err));
        memcpy(changes->kinds + changes->out_count, changes->pending_kinds + done, count);
        changes->out_count += count;
        done += count;
        if (done < changes->pending)
            TRY(group_changes_emit(changes, err));
    }
    return OK;
}

static void add_row(struct group_changes *changes, uint32_t touched, uint32_t place,
                    enum row_kind kind)
{
    changes->key_rows[changes->pending] = changes->first_row[touched];
    changes->places[changes->pending] = (uint16_t)place;
    changes->pending_kinds[changes->pending++] = (uint8_t)kind;
}

/* ---- comparing ---- */

/* differs[j] |= results of the j-th group that was and is there differ; old and new hold places. */
static void compare_column(struct group_changes *changes, const struct vec *vec,
                           const uint16_t *old, const uint16_t *new, uint32_t count)
{
    enum physical physical = type_physical(vec->type);
    size_t size = physical_size_bytes(physical);
    const char *values = vec->values;
    for (uint32_t j = 0; j < count; j++) {
        bool was_valid = bitmap_get(vec->validity, old[j]);
        bool is_valid = bitmap_get(vec->validity, new[j]);
        if (was_valid != is_valid)
            changes->differs[j] = true;
        else if (is_valid && physical == PHYS_VIEW)
            changes->differs[j] |= !view_equals((const struct view *)values + old[j],
                                                (const struct view *)values + new[j]);
        else if (is_valid && size == 8)
            changes->differs[j] |=
                ((const uint64_t *)values)[old[j]] != ((const uint64_t *)values)[new[j]];
        else if (is_valid)
            changes->differs[j] |=
                memcmp(values + size * old[j], values + size * new[j], size) != 0;
    }
}

enum status group_changes_after(struct group_changes *changes, const struct batch *batch,
                                struct error *err)
{
    bool before = changes->op->node->group.emit_update_before;
    uint16_t old_places[BATCH_ROWS_MAX], new_places[BATCH_ROWS_MAX];
    uint32_t new_count = 0, both = 0, old = 0, new = changes->old_count;
    for (uint32_t i = 0; i < changes->touched_count; i++) {
        if (changes->was_there[i] && changes->is_there[i]) {
            old_places[both] = (uint16_t)old;
            new_places[both] = (uint16_t)(changes->old_count + new_count);
            changes->differs[both++] = changes->op->node->group.state_ttl_ms > 0;
        }
        old += changes->was_there[i];
        if (changes->is_there[i])
            changes->new_groups[new_count++] = changes->touched[i];
    }
    TRY(take_results(changes, changes->new_groups, new_count, err));
    for (uint32_t c = 0; c < changes->calls->count && both; c++)
        compare_column(changes, changes->results[c], old_places, new_places, both);
    changes->pending = both = old = 0;
    for (uint32_t i = 0; i < changes->touched_count; i++) {
        bool was = changes->was_there[i], is = changes->is_there[i];
        if (was && is && changes->differs[both]) {
            if (before)
                add_row(changes, i, old, ROW_UPDATE_BEFORE);
            add_row(changes, i, new, ROW_UPDATE_AFTER);
        } else if (was && !is) {
            add_row(changes, i, old, ROW_DELETE);
        } else if (!was && is) {
            add_row(changes, i, new, ROW_INSERT);
        }
        both += was && is;
        old += was;
        new += is;
    }
    return add_pending(changes, batch, err);
}

enum status group_changes_partials(struct group_changes *changes, const struct batch *batch,
                                   struct error *err)
{
    const struct plan_node *node = changes->op->node;
    const struct aggregate_calls *calls = changes->calls;
    uint32_t count = changes->touched_count, key_count = node->group.key_count;
    must(changes->out_count == 0);
    TRY(make_out(changes, count, err));
    for (uint32_t c = 0; c < key_count; c++)
        TRY(vec_append(changes->out[c], batch->columns[node->group.keys[c]], changes->first_row,
                       count, err));
    struct vec *partials = changes->out[key_count];
    for (uint32_t i = 0; i < count; i++)
        TRY(vec_set_text(partials, i, (const char *)changes->touched[i] + calls->head_bytes,
                         calls->value_bytes - calls->head_bytes, err));
    partials->length = count;
    memset(changes->kinds, ROW_INSERT, count);
    changes->out_count = count;
    return OK;
}
