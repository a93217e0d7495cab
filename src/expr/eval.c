/* eval.c - running a program over a batch: registers, scopes, results, the filter.
 *
 * Vectors that steps write to come from small pools per register and are used again when nobody
 * else holds them any more, so that a steady stream of batches needs no allocation. Everything that
 * a batch puts into registers besides is dropped at its end.
 */
#include "base/must.h"
#include "expr/expr_int.h"

#define CAPACITY_MIN 64

enum status evaluator_new(struct evaluator **out, const struct expr_program *program,
                          struct mem_owner *owner, struct error *err)
{
    struct evaluator *evaluator = mem_calloc(1, sizeof(*evaluator));
    if (!evaluator)
        return error_memory(err, "an evaluator", sizeof(*evaluator));
    evaluator->program = program;
    evaluator->owner = owner;
    evaluator->regs = mem_calloc(program->register_count + 1, sizeof(struct reg));
    evaluator->scopes = mem_calloc(program->scope_count, sizeof(struct scope));
    if (!evaluator->regs || !evaluator->scopes) {
        evaluator_free(evaluator);
        return error_memory(err, "an evaluator", program->scope_count * sizeof(struct scope));
    }
    *out = evaluator;
    return OK;
}

static void reg_free(struct reg *reg)
{
    vec_unref(reg->held);
    vec_unref(reg->constant);
    vec_unref(reg->spread);
    for (int i = 0; i < POOL_SIZE; i++) {
        vec_unref(reg->pool[i]);
        vec_unref(reg->flat_pool[i]);
    }
}

void evaluator_free(struct evaluator *evaluator)
{
    if (!evaluator)
        return;
    for (uint32_t i = 0; evaluator->regs && i < evaluator->program->register_count; i++)
        reg_free(&evaluator->regs[i]);
    mem_free(evaluator->regs);
    mem_free(evaluator->scopes);
    mem_free(evaluator);
}

/* ---- registers ---- */

void eval_hold(struct reg *reg, struct vec *vec)
{
    vec_unref(reg->held);
    reg->held = vec;
    reg->value = vec;
}

enum status eval_fresh(struct evaluator *evaluator, struct vec **pool, uint32_t *next,
                       const struct type *type, struct vec **out, struct error *err)
{
    uint32_t rows = evaluator->row_count;
    for (int i = 0; i < POOL_SIZE; i++) {
        struct vec *vec = pool[i];
        if (vec && vec->capacity >= rows && vec_recycle(vec)) {
            *out = vec;
            return vec_set_length(vec, rows, err);
        }
    }
    uint32_t capacity = CAPACITY_MIN;
    while (capacity < rows)
        capacity *= 2;
    struct vec *vec = NULL;
    TRY(vec_new(&vec, type, capacity, evaluator->owner, err));
    uint32_t at = 0;
    while (at < POOL_SIZE && pool[at])
        at++;
    if (at == POOL_SIZE)
        at = (*next)++ % POOL_SIZE;
    vec_unref(pool[at]);
    pool[at] = vec;
    *out = vec;
    return vec_set_length(vec, rows, err);
}

enum status eval_own(struct evaluator *evaluator, uint16_t reg, const struct type *type,
                     struct vec **out, struct error *err)
{
    struct reg *r = &evaluator->regs[reg];
    return eval_fresh(evaluator, r->pool, &r->pool_next, type, out, err);
}

enum status eval_plain(struct evaluator *evaluator, uint16_t reg, struct vec **out,
                       struct error *err)
{
    struct reg *r = &evaluator->regs[reg];
    if (r->value->form != VEC_DICTIONARY) {
        *out = r->value;
        return OK;
    }
    if (!r->flat) {
        struct vec *flat;
        TRY(eval_fresh(evaluator, r->flat_pool, &r->flat_next, r->value->type, &flat, err));
        TRY(vec_set_rows(flat, r->value, NULL, evaluator->row_count, err));
        r->flat = flat;
    }
    *out = r->flat;
    return OK;
}

static void end_batch(struct evaluator *evaluator)
{
    for (uint32_t i = 0; i < evaluator->program->register_count; i++) {
        struct reg *reg = &evaluator->regs[i];
        reg->value = NULL;
        reg->flat = NULL;
        if (reg->held) {
            vec_unref(reg->held);
            reg->held = NULL;
        }
    }
}

/* ---- steps ---- */

static enum status run_literal(struct evaluator *evaluator, const struct step *step,
                               struct error *err)
{
    struct reg *reg = &evaluator->regs[step->out];
    if (!reg->constant)
        TRY(datum_to_vec(&reg->constant, step->literal, 1, err));
    reg->value = reg->constant;
    return OK;
}

/* Returns the step to go on with. */
static uint32_t run_narrow(struct evaluator *evaluator, const struct step *step, uint32_t at)
{
    const struct scope *from = &evaluator->scopes[step->from];
    struct scope *scope = &evaluator->scopes[step->scope];
    const struct vec *condition = evaluator->regs[step->args[0]].value;
    scope->count = eval_keep(condition, step->keep, from->selection, from->count, scope->rows);
    scope->selection = scope->rows;
    if (scope->count == from->count && !from->selection)
        scope->selection = NULL; /* all rows: the tight loops stay possible */
    return scope->count ? at + 1 : step->jump;
}

static enum status run_step(struct evaluator *evaluator, const struct step *step, uint32_t *at,
                            struct error *err)
{
    uint32_t here = (*at)++;
    switch (step->kind) {
    case STEP_COLUMN:
        must(step->index < evaluator->batch->column_count);
        evaluator->regs[step->out].value = evaluator->batch->columns[step->index];
        return OK;
    case STEP_LITERAL:
        return run_literal(evaluator, step, err);
    case STEP_CALL:
        return eval_call(evaluator, step, err);
    case STEP_FIELD:
        return eval_field(evaluator, step, err);
    case STEP_BEGIN:
        evaluator->regs[step->out].value = NULL;
        evaluator->regs[step->out].begin_scope = step->scope;
        return OK;
    case STEP_MERGE:
        return eval_merge(evaluator, step, err);
    case STEP_AND:
    case STEP_OR:
        return eval_logic(evaluator, step, err);
    case STEP_NARROW:
        *at = run_narrow(evaluator, step, here);
        return OK;
    }
    must(!"a step of unknown kind");
    return OK;
}

static enum status run_steps(struct evaluator *evaluator, const struct batch *batch,
                             struct eval_context *context, struct row_errors *errors,
                             struct error *err)
{
    const struct expr_program *program = evaluator->program;
    evaluator->batch = batch;
    evaluator->context = context;
    evaluator->errors = errors;
    evaluator->row_count = batch->row_count;
    evaluator->scopes[0].selection = batch->selection;
    evaluator->scopes[0].count = batch->selected_count;
    if (batch->selected_count == batch->row_count)
        evaluator->scopes[0].selection = NULL;
    row_errors_clear(errors);
    if (batch->selected_count == 0)
        return OK; /* scopes that are walked have rows */
    for (uint32_t at = 0; at < program->step_count;)
        TRY(run_step(evaluator, &program->steps[at], &at, err));
    return OK;
}

/* ---- results ---- */

/* A constant has length 1 inside; outside it has the batch's. */
static enum status spread(struct evaluator *evaluator, struct reg *reg, struct vec **out,
                          struct error *err)
{
    bool is_kept = reg->value == reg->constant;
    if (is_kept && reg->spread && reg->spread->length == evaluator->row_count) {
        *out = vec_ref(reg->spread);
        return OK;
    }
    TRY(vec_new_constant(out, reg->value, 0, evaluator->row_count, err));
    if (is_kept) {
        vec_unref(reg->spread);
        reg->spread = vec_ref(*out);
    }
    return OK;
}

static enum status result_of(struct evaluator *evaluator, uint32_t i, struct vec **out,
                             struct error *err)
{
    const struct expr_program *program = evaluator->program;
    struct reg *reg = &evaluator->regs[program->results[i]];
    if (evaluator->scopes[0].count == 0)
        return vec_new_null(out, program->register_types[program->results[i]], evaluator->row_count,
                            err);
    must(reg->value);
    if (reg->value->form == VEC_CONSTANT && reg->value->length != evaluator->row_count)
        return spread(evaluator, reg, out, err);
    *out = vec_ref(reg->value);
    return OK;
}

enum status evaluator_run(struct evaluator *evaluator, const struct batch *batch,
                          struct eval_context *context, struct vec **results,
                          struct row_errors *errors, struct error *err)
{
    uint32_t done = 0;
    enum status status = run_steps(evaluator, batch, context, errors, err);
    while (status == OK && done < evaluator->program->result_count) {
        status = result_of(evaluator, done, &results[done], err);
        done += status == OK;
    }
    while (status != OK && done > 0)
        vec_unref(results[--done]);
    end_batch(evaluator);
    return status;
}

enum status evaluator_filter(struct evaluator *evaluator, const struct batch *batch,
                             struct eval_context *context, uint16_t *selection, uint32_t *count,
                             struct row_errors *errors, struct error *err)
{
    must(evaluator->program->result_count > 0);
    enum status status = run_steps(evaluator, batch, context, errors, err);
    const struct scope *all = &evaluator->scopes[0];
    *count = 0;
    if (status == OK && all->count > 0) {
        const struct vec *value = evaluator->regs[evaluator->program->results[0]].value;
        *count = eval_keep(value, KEEP_TRUE, all->selection, all->count, selection);
    }
    end_batch(evaluator);
    return status;
}
