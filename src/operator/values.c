/* values.c - rows of constant expressions (VALUES, SELECT without FROM), given once; and UNION ALL,
 * which passes on what comes in.
 */
#include "operator/operator_int.h"

struct values {
    uint32_t next_row;
    struct row_errors errors;
};

/* Version 1: u8 version | u32 rows that were given. */
static enum status values_snapshot(struct operator* op, struct buf *out, struct error *err)
{
    buf_append_byte(out, 1);
    state_put_u32(out, ((const struct values *)op->state)->next_row);
    return OK;
}

static enum status values_open(struct operator* op, struct error *err)
{
    struct values *values = operator_new_state(op, sizeof(*values), err);
    if (!values)
        return err->code;
    if (!op->restore || !op->restore->from->blob_count)
        return OK;
    const struct str blob = op->restore->from->blobs[0];
    struct state_bytes in = {(const uint8_t *)blob.data, (const uint8_t *)blob.data + blob.length,
                             false};
    in.failed = state_get_byte(&in) != 1;
    values->next_row = state_get_u32(&in);
    if (values->next_row > op->node->values.row_count)
        values->next_row = op->node->values.row_count;
    return state_get_end(&in, "VALUES", err);
}

/* Append one row's values to the columns being built. */
static enum status append_row(struct operator* op, const struct batch *none, uint32_t row,
                              struct vec **columns, struct error *err)
{
    const struct plan_node *node = op->node;
    struct values *values = op->state;
    struct expr_program *program = NULL;
    struct evaluator *evaluator = NULL;
    struct vec **results = operator_columns_new(node->column_count, err);
    if (!results)
        return err->code;
    enum status status = expr_compile(&program, node->values.exprs + row * node->column_count,
                                      node->column_count, err);
    if (status == OK)
        status = evaluator_new(&evaluator, program, &op->owner, err);
    if (status == OK)
        status = evaluator_run(evaluator, none, &op->eval, results, &values->errors, err);
    if (status == OK && values->errors.any)
        status = operator_row_failed(op, row_errors_first(&values->errors, NULL, 1), err);
    for (uint32_t c = 0; c < node->column_count && status == OK; c++)
        status = vec_append_range(columns[c], results[c], 0, 1, err);
    operator_columns_free(results, node->column_count);
    evaluator_free(evaluator);
    expr_program_free(program);
    return status;
}

static enum status make_batch(struct operator* op, uint32_t count, struct batch **out,
                              struct error *err)
{
    const struct plan_node *node = op->node;
    struct values *values = op->state;
    struct batch *none = NULL;
    struct vec **columns = operator_columns_new(node->column_count, err);
    if (!columns)
        return err->code;
    enum status status = batch_new(&none, NULL, 0, 1, err);
    for (uint32_t c = 0; c < node->column_count && status == OK; c++)
        status = vec_new(&columns[c], node->types[c], count, NULL, err);
    for (uint32_t i = 0; i < count && status == OK; i++)
        status = append_row(op, none, values->next_row + i, columns, err);
    /* Texts of literals lie in the plan, which a collected row may outlive. */
    for (uint32_t c = 0; c < node->column_count && status == OK; c++)
        if (type_physical(node->types[c]) == PHYS_VIEW)
            status = vec_compact(columns[c], err);
    if (status == OK) {
        status = batch_new(out, columns, node->column_count, count, err);
        memset(columns, 0, node->column_count * sizeof(*columns));
    }
    if (none)
        batch_unref(none);
    operator_columns_free(columns, node->column_count);
    return status;
}

static enum poll_state values_poll(struct operator* op, struct error *err)
{
    struct values *values = op->state;
    uint32_t left = op->node->values.row_count - values->next_row;
    uint32_t count = left < operator_batch_rows(op) ? left : operator_batch_rows(op);
    struct batch *batch;
    if (count == 0 || op->subtask != 0)
        return OPERATOR_ENDED;
    if (make_batch(op, count, &batch, err) != OK)
        return OPERATOR_FAILED;
    values->next_row += count;
    enum push_result result = operator_emit(op, 0, batch, err);
    batch_unref(batch);
    return result == PUSH_ERROR ? OPERATOR_FAILED : OPERATOR_MORE;
}

static void values_close(struct operator* op)
{
    operator_free_state(op);
}

const struct operator_class OPERATOR_VALUES = {
    .size = sizeof(struct operator_class),
    .name = "Values",
    .open = values_open,
    .poll = values_poll,
    .snapshot = values_snapshot,
    .close = values_close,
};

static enum status union_open(struct operator* op, struct error *err)
{
    return OK;
}

static enum push_result union_push(struct operator* op, uint32_t port, struct batch *batch,
                                   struct error *err)
{
    return operator_emit(op, 0, batch, err);
}

const struct operator_class OPERATOR_UNION = {
    .size = sizeof(struct operator_class),
    .name = "Union",
    .open = union_open,
    .push = union_push,
};
