/* calc.c - filter, then project. Columns that pass through are shared, not copied; without a
 * condition and with the input's columns in order the batch itself goes on.
 *
 * A row whose expression fails, and that passed the filter, fails the job.
 */
#include "operator/operator_int.h"

struct calc {
    struct expr_program *condition, *projection;
    struct evaluator *filter, *project; /* NULL: nothing to do */
    struct vec **results;
    struct row_errors errors;
    uint16_t selection[BATCH_ROWS_MAX];
};

static bool is_identity(const struct plan_node *node)
{
    if (node->input_outputs || node->column_count != node->inputs[0]->column_count)
        return false; /* another output than the main one has columns of its own */
    for (uint32_t i = 0; i < node->column_count; i++)
        if (node->calc.exprs[i]->kind != EXPR_COLUMN || node->calc.exprs[i]->column != i)
            return false;
    return true;
}

static enum status calc_open(struct operator* op, struct error *err)
{
    const struct plan_node *node = op->node;
    struct calc *calc = operator_new_state(op, sizeof(*calc), err);
    if (!calc)
        return err->code;
    if (node->calc.condition) {
        TRY(expr_compile(&calc->condition, &node->calc.condition, 1, err));
        TRY(evaluator_new(&calc->filter, calc->condition, &op->owner, err));
    }
    if (is_identity(node))
        return OK;
    calc->results = operator_columns_new(node->column_count, err);
    if (!calc->results)
        return err->code;
    TRY(expr_compile(&calc->projection, node->calc.exprs, node->column_count, err));
    return evaluator_new(&calc->project, calc->projection, &op->owner, err);
}

static enum status check_rows(struct operator* op, const struct batch *batch, struct error *err)
{
    const struct calc *calc = op->state;
    if (!calc->errors.any)
        return OK;
    const struct row_error *error =
        row_errors_first(&calc->errors, batch->selection, batch->selected_count);
    return error ? operator_row_failed(op, error, err) : OK;
}

/* The batch of the rows that pass: a new reference. *out NULL: none does. */
static enum status filter(struct operator* op, struct batch *batch, struct batch **out,
                          struct error *err)
{
    struct calc *calc = op->state;
    uint32_t count;
    *out = NULL;
    TRY(evaluator_filter(calc->filter, batch, &op->eval, calc->selection, &count, &calc->errors,
                         err));
    TRY(check_rows(op, batch, err));
    operator_note_rows(op, count > 0);
    if (count == batch->selected_count)
        *out = batch_ref(batch);
    else if (count)
        return batch_with_selection(out, batch, calc->selection, count, err);
    return OK;
}

static enum status project(struct operator* op, struct batch *batch, struct batch **out,
                           struct error *err)
{
    struct calc *calc = op->state;
    TRY(evaluator_run(calc->project, batch, &op->eval, calc->results, &calc->errors, err));
    enum status status = check_rows(op, batch, err);
    if (status != OK) {
        for (uint32_t i = 0; i < op->node->column_count; i++)
            vec_unref(calc->results[i]);
        return status;
    }
    return batch_with_columns(out, batch, calc->results, op->node->column_count, err);
}

static enum push_result calc_push(struct operator* op, uint32_t port, struct batch *batch,
                                  struct error *err)
{
    struct calc *calc = op->state;
    struct batch *kept = NULL, *made = NULL;
    enum push_result result = PUSH_ERROR;
    if (calc->filter) {
        PUSH_TRY(filter(op, batch, &kept, err));
        if (!kept)
            return PUSH_DONE;
    } else {
        kept = batch_ref(batch);
    }
    if (calc->project && project(op, kept, &made, err) != OK)
        goto out;
    result = operator_emit(op, 0, made ? made : kept, err);
out:
    if (made)
        batch_unref(made);
    batch_unref(kept);
    return result;
}

static void calc_close(struct operator* op)
{
    struct calc *calc = op->state;
    if (!calc)
        return;
    evaluator_free(calc->filter);
    evaluator_free(calc->project);
    expr_program_free(calc->condition);
    expr_program_free(calc->projection);
    mem_free(calc->results);
    operator_free_state(op);
}

const struct operator_class OPERATOR_CALC = {
    .size = sizeof(struct operator_class),
    .name = "Calc",
    .open = calc_open,
    .push = calc_push,
    .close = calc_close,
};
