/* cast_nested.c - ROW to ROW, ARRAY to ARRAY, MAP to MAP, MULTISET to MULTISET: child by child.
 *
 * Fields of a ROW are converted in place, with the rows of their parent. Elements of lists are
 * copied out at most CHUNK at a time, converted and appended; one that fails fails its row. Casts
 * of nested values are rare, so they may cost a few allocations a row.
 */
#include "base/must.h"
#include "expr/cast_int.h"

#define CHUNK BATCH_ROWS_MAX

struct nested_state {
    uint32_t count;
    struct cast_kernel *children;
};

/* One child, flat to flat at the same rows. */
static enum status run_child(struct function_call *call, const struct cast_kernel *cast,
                             const struct vec *arg, struct vec *out, const uint16_t *selection,
                             uint32_t count, struct row_errors *errors)
{
    uint16_t rows[CHUNK];
    uint32_t kept = 0;
    if (cast->is_same)
        return vec_set_rows(out, arg, selection, count, NULL);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = selection ? selection[i] : i;
        if (bitmap_get(arg->validity, row)) {
            rows[kept++] = (uint16_t)row;
            continue;
        }
        TRY(vec_make_validity(out, NULL));
        vec_clear_valid(out, row);
    }
    struct function_call inner = {
        .state = cast->state,
        .args = &arg,
        .arg_count = 1,
        .selection = rows,
        .count = kept,
        .out = out,
        .errors = errors,
        .context = call->context,
        .pos = call->pos,
    };
    if (kept)
        cast->kernel(&inner);
    return inner.status;
}

/* An element that TRY_CAST cannot convert is NULL in its place. */
static void cast_row(struct function_call *call)
{
    const struct nested_state *state = call->state;
    const struct vec *arg = call->args[0];
    for (uint32_t c = 0; c < state->count && call->status == OK; c++)
        call->status =
            run_child(call, &state->children[c], arg->children[c], call->out->children[c],
                      call->selection, call->count, call->errors);
}

/* Elements [start, start + count) of the argument's child c, converted, behind those of out. */
static enum status convert_elements(struct function_call *call, uint32_t c, uint32_t start,
                                    uint32_t count, struct row_errors *errors)
{
    const struct nested_state *state = call->state;
    const struct vec *from = call->args[0]->children[c];
    struct vec *to = call->out->children[c], *part = NULL, *converted = NULL;
    enum status status = vec_new(&part, from->type, count, NULL, NULL);
    if (status == OK)
        status = vec_append_range(part, from, start, count, NULL);
    if (status == OK)
        status = vec_new(&converted, to->type, count, NULL, NULL);
    if (status == OK)
        status = vec_set_length(converted, count, NULL);
    if (status == OK)
        status = run_child(call, &state->children[c], part, converted, NULL, count,
                           call->errors ? errors : NULL);
    if (status == OK)
        status = vec_append_range(to, converted, 0, count, NULL);
    vec_unref(converted);
    vec_unref(part);
    return status;
}

static void cast_list(struct function_call *call)
{
    const struct vec *arg = call->args[0];
    struct row_errors errors;
    CALL_ROWS(call, row)
    {
        struct list_entry from = ((const struct list_entry *)arg->values)[row & arg_mask(arg)];
        struct list_entry to = {call->out->children[0]->length, from.length};
        row_errors_clear(&errors);
        for (uint32_t done = 0; done < from.length && call->status == OK;) {
            uint32_t part = from.length - done < CHUNK ? from.length - done : CHUNK;
            for (uint32_t c = 0; c < arg->child_count && call->status == OK; c++)
                call->status = convert_elements(call, c, from.offset + done, part, &errors);
            done += part;
        }
        ((struct list_entry *)call->out->values)[row] = to;
        if (errors.any)
            call_fail(call, row, errors.details[0].code, "%s", errors.details[0].text);
    }
}

enum status cast_nested(struct arena *arena, const struct type *from, const struct type *to,
                        bool try_cast, struct cast_kernel *out, struct error *err)
{
    if (from->root != to->root || from->child_count != to->child_count || !from->child_count)
        return OK;
    struct nested_state *state = ARENA_NEW(arena, struct nested_state);
    struct cast_kernel *children = ARENA_ARRAY(arena, from->child_count, struct cast_kernel);
    if (!state || !children)
        return arena_check(arena, "an expression program", err);
    state->count = from->child_count;
    state->children = children;
    for (uint32_t c = 0; c < from->child_count; c++)
        TRY(cast_find(arena, from->children[c], to->children[c], try_cast, &children[c], err));
    out->state = state;
    out->kernel = from->root == TYPE_ROW ? cast_row : cast_list;
    return OK;
}
