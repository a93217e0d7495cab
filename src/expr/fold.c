/* fold.c - the value of an expression without columns, by running its program over one row. */
#include "base/must.h"
#include "expr/expr.h"

static enum status no_constant(const struct expr *expr, struct error *err)
{
    error_set(err, ERR_TYPE, "a constant is wanted here, this depends on the moment");
    if (err)
        error_at(err, expr->pos);
    return ERR_TYPE;
}

static void count_column(void *context, uint32_t column)
{
    (void)column;
    ++*(uint32_t *)context;
}

/* The value leaves its vector: text to the arena; nested values have no arena form. */
static enum status keep_value(struct arena *arena, const struct expr *expr, const struct vec *vec,
                              struct datum *out, struct error *err)
{
    datum_get(out, vec, 0);
    out->type = expr->type;
    if (!out->is_null && type_physical(expr->type) >= PHYS_LIST)
        return error_set(err, ERR_UNSUPPORTED, "constants of nested types are not folded");
    return datum_keep(arena, out) ? OK : arena_check(arena, "a statement", err);
}

static enum status run_once(struct arena *arena, const struct expr *expr,
                            struct evaluator *evaluator, struct eval_context *context,
                            struct row_errors *errors, struct datum *out, struct error *err)
{
    struct batch *batch = NULL;
    struct vec *value = NULL;
    TRY(batch_new(&batch, NULL, 0, 1, err));
    enum status status = evaluator_run(evaluator, batch, context, &value, errors, err);
    const struct row_error *failed = status == OK ? row_errors_first(errors, NULL, 1) : NULL;
    if (failed) {
        status = error_set(err, failed->code, "%s", failed->text);
        if (err)
            error_at(err, failed->pos.line ? failed->pos : expr->pos);
    } else if (status == OK) {
        status = keep_value(arena, expr, value, out, err);
    }
    vec_unref(value);
    batch_unref(batch);
    return status;
}

enum status expr_constant(struct arena *arena, const struct expr *expr,
                          const struct function_session *session, struct datum *out,
                          struct error *err)
{
    struct expr_program *program = NULL;
    struct evaluator *evaluator = NULL;
    struct eval_context context = {.watermark_us = WATERMARK_NONE, .zone = session->zone};
    uint32_t columns = 0;
    expr_columns(expr, count_column, &columns);
    if (columns || !expr_is_deterministic(expr))
        return no_constant(expr, err);
    if (expr->kind == EXPR_LITERAL) {
        *out = expr->literal;
        return OK;
    }
    struct row_errors *errors = mem_alloc(sizeof(*errors));
    enum status status = errors ? OK : error_memory(err, "a constant", sizeof(*errors));
    if (status == OK)
        status = expr_compile(&program, &expr, 1, err);
    if (status == OK)
        status = evaluator_new(&evaluator, program, NULL, err);
    if (status == OK)
        status = run_once(arena, expr, evaluator, &context, errors, out, err);
    evaluator_free(evaluator);
    expr_program_free(program);
    mem_free(errors);
    return status;
}
