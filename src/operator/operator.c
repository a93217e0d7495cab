/* operator.c - the table of operators, and what they share. */
#include "operator/operator.h"

#include "operator/operator_int.h"
#include "state/keyed.h"

static const struct operator_class *const CLASSES[PLAN_OP_COUNT] = {
    [PLAN_SOURCE] = &OPERATOR_SOURCE,
    [PLAN_VALUES] = &OPERATOR_VALUES,
    [PLAN_CALC] = &OPERATOR_CALC,
    [PLAN_UNION] = &OPERATOR_UNION,
    [PLAN_GROUP_AGGREGATE] = &OPERATOR_GROUP_AGGREGATE,
    [PLAN_WINDOW_AGGREGATE] = &OPERATOR_WINDOW_AGGREGATE,
    [PLAN_SORT] = &OPERATOR_SORT,
    [PLAN_SINK] = &OPERATOR_SINK,
    [PLAN_COLLECT] = &OPERATOR_COLLECT,
};

const struct operator_class *operator_class_for(enum plan_op op)
{
    return (unsigned)op < PLAN_OP_COUNT ? CLASSES[op] : NULL;
}

void *operator_new_state(struct operator* op, size_t size_bytes, struct error *err)
{
    if (mem_reserve(&op->owner, size_bytes, err) != OK)
        return NULL;
    size_t *block = mem_calloc(1, size_bytes + 64);
    if (!block) {
        mem_release(&op->owner, size_bytes);
        error_memory(err, op->class->name, size_bytes);
        return NULL;
    }
    block[0] = size_bytes;
    op->state = (char *)block + 64; /* keeps a calloc'd block's alignment */
    return op->state;
}

void operator_free_state(struct operator* op)
{
    if (!op->state)
        return;
    size_t *block = (size_t *)((char *)op->state - 64);
    size_t size_bytes = block[0];
    mem_free(block);
    mem_release(&op->owner, size_bytes);
    op->state = NULL;
}

struct restoring {
    struct operator* op;
    uint32_t first_key_group, last_key_group;
};

static enum status restore_block(void *context, const uint8_t *block,
                                 const struct state_block_info *info, struct error *err)
{
    const struct restoring *restoring = context;
    return keyed_state_restore(restoring->op->keyed, block, info, restoring->first_key_group,
                               restoring->last_key_group, err);
}

enum status operator_restore_keyed(struct operator* op, uint32_t first_key_group,
                                   uint32_t last_key_group, struct error *err)
{
    struct restoring restoring = {op, first_key_group, last_key_group};
    if (!op->restore)
        return OK;
    return checkpoint_blocks(op->restore->reader, op->restore->from->id, first_key_group,
                             last_key_group, restore_block, &restoring, err);
}

enum status operator_row_failed(const struct operator* op, const struct row_error *error,
                                struct error *err)
{
    error_set(err, error->code, "%s", error->text);
    if (err)
        error_at(err, error->pos);
    return error->code;
}

struct vec **operator_columns_new(uint32_t count, struct error *err)
{
    struct vec **columns = mem_calloc(count ? count : 1, sizeof(*columns));
    if (!columns)
        error_memory(err, "columns", count * sizeof(*columns));
    return columns;
}

void operator_columns_free(struct vec **columns, uint32_t count)
{
    for (uint32_t i = 0; columns && i < count; i++)
        vec_unref(columns[i]);
    mem_free(columns);
}
