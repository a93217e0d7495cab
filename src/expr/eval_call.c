/* eval_call.c - running a kernel: NULL handling, constants, dictionaries.
 *
 * All arguments constant: the kernel runs once, for one row; where that holds for all batches
 * (step->fixed) the value is kept: this is the constant folding. An error is not folded, so that it
 * only shows where a row needs the value. One dictionary and constants otherwise: it runs over the
 * dictionary. Else dictionaries are flattened.
 */
#include "base/must.h"
#include "expr/expr_int.h"

struct call_args {
    const struct vec *vecs[FUNCTION_ARGS_MAX];
    bool all_constant;
    bool has_null_constant;
    bool has_validity; /* of an argument that is not constant */
};

static enum status failed(const struct function_call *call, struct error *err)
{
    if (call->status == OK)
        return OK;
    if (call->status == ERR_BUDGET)
        return error_set(err, ERR_BUDGET, "an expression's result exceeds the memory limit");
    return error_memory(err, "an expression's result", 0);
}

static struct function_call call_of(struct evaluator *evaluator, const struct step *step,
                                    const struct call_args *args, struct vec *out)
{
    return (struct function_call){
        .state = step->state,
        .args = args->vecs,
        .arg_count = step->arg_count,
        .out = out,
        .errors = step->quiet ? NULL : evaluator->errors,
        .context = evaluator->context,
        .pos = step->pos,
    };
}

static void inspect(const struct step *step, struct call_args *args)
{
    args->all_constant = !(step->flags & FUNCTION_NONDETERMINISTIC);
    args->has_null_constant = args->has_validity = false;
    for (uint32_t i = 0; i < step->arg_count; i++) {
        const struct vec *vec = args->vecs[i];
        if (vec->form == VEC_CONSTANT) {
            args->has_null_constant |= !bitmap_get(vec->validity, 0);
        } else {
            args->all_constant = false;
            args->has_validity |= vec->validity != NULL;
        }
    }
}

static enum status set_null(struct evaluator *evaluator, const struct step *step, struct error *err)
{
    struct vec *null = NULL;
    TRY(vec_new_null(&null, step->type, 1, err));
    eval_hold(&evaluator->regs[step->out], null);
    return OK;
}

/* ---- constants ---- */

static void raise_everywhere(struct evaluator *evaluator, const struct step *step)
{
    const struct scope *scope = &evaluator->scopes[step->scope];
    const struct row_error *error = &evaluator->constant_errors.details[0];
    for (uint32_t i = 0; i < scope->count; i++)
        row_errors_add(evaluator->errors, scope->selection ? scope->selection[i] : i, error->code,
                       error->pos, "%s", error->text);
}

static enum status run_constant(struct evaluator *evaluator, const struct step *step,
                                const struct call_args *args, struct error *err)
{
    struct reg *reg = &evaluator->regs[step->out];
    if (reg->constant) {
        reg->value = reg->constant;
        return OK;
    }
    if ((step->flags & FUNCTION_STRICT) && args->has_null_constant)
        return set_null(evaluator, step, err);
    struct vec *value = NULL;
    TRY(vec_new(&value, step->type, 1, evaluator->owner, err));
    enum status status = vec_set_length(value, 1, err);
    row_errors_clear(&evaluator->constant_errors);
    if (status == OK) {
        struct function_call call = call_of(evaluator, step, args, value);
        call.errors = step->quiet ? NULL : &evaluator->constant_errors;
        call.count = 1;
        step->kernel(&call);
        status = failed(&call, err);
    }
    if (status != OK) {
        vec_unref(value);
        return status;
    }
    value->form = VEC_CONSTANT;
    if (evaluator->constant_errors.any) {
        raise_everywhere(evaluator, step);
        eval_hold(reg, value);
    } else if (step->fixed) {
        reg->constant = value;
        reg->value = value;
    } else {
        eval_hold(reg, value);
    }
    return OK;
}

/* ---- dictionaries ---- */

/* The one dictionary argument, when the step may run over its distinct values. */
static const struct vec *dictionary_of(const struct evaluator *evaluator, const struct step *step)
{
    const struct vec *found = NULL;
    if (!(step->flags & FUNCTION_STRICT) ||
        (step->flags & (FUNCTION_CAN_FAIL | FUNCTION_DYNAMIC | FUNCTION_NONDETERMINISTIC)))
        return NULL;
    for (uint32_t i = 0; i < step->arg_count; i++) {
        const struct vec *vec = evaluator->regs[step->args[i]].value;
        if (vec->form == VEC_CONSTANT)
            continue;
        if (vec->form != VEC_DICTIONARY || found)
            return NULL;
        found = vec;
    }
    /* A dictionary larger than the rows at hand would be more work, not less. */
    if (!found || found->dictionary->length > evaluator->scopes[step->scope].count)
        return NULL;
    return found;
}

static enum status run_kernel(struct evaluator *evaluator, const struct step *step,
                              const struct call_args *args, const uint16_t *selection,
                              uint32_t count, struct vec *out, struct error *err);

static enum status run_dictionary(struct evaluator *evaluator, const struct step *step,
                                  const struct vec *dictionary, struct error *err)
{
    struct call_args args;
    struct vec *values = NULL, *result = NULL;
    uint32_t rows = evaluator->row_count, distinct = dictionary->dictionary->length;
    for (uint32_t i = 0; i < step->arg_count; i++) {
        args.vecs[i] = evaluator->regs[step->args[i]].value;
        if (args.vecs[i] == dictionary)
            args.vecs[i] = dictionary->dictionary;
    }
    inspect(step, &args);
    if (args.has_null_constant)
        return set_null(evaluator, step, err);
    evaluator->row_count = distinct;
    enum status status = eval_own(evaluator, step->out, step->type, &values, err);
    if (status == OK)
        status = run_kernel(evaluator, step, &args, NULL, distinct, values, err);
    evaluator->row_count = rows;
    TRY(status);
    TRY(vec_new_dictionary(&result, values, dictionary->indices, dictionary->length, err));
    eval_hold(&evaluator->regs[step->out], result);
    return OK;
}

/* ---- columns ---- */

/* out is NULL where an argument is. */
static enum status combine_validity(const struct call_args *args, uint32_t arg_count,
                                    uint32_t row_count, struct vec *out, struct error *err)
{
    TRY(vec_make_validity(out, err));
    for (uint32_t i = 0; i < arg_count; i++) {
        const uint64_t *from = args->vecs[i]->validity;
        if (args->vecs[i]->form == VEC_CONSTANT || !from)
            continue;
        for (uint32_t word = 0; word < (row_count + 63) / 64; word++)
            out->validity[word] &= from[word];
    }
    return OK;
}

/* The rows of selection that are valid in out. */
static uint32_t narrow_to_valid(struct evaluator *evaluator, const struct vec *out,
                                const uint16_t *selection, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = selection ? selection[i] : i;
        evaluator->narrowed[kept] = (uint16_t)row;
        kept += bitmap_get(out->validity, row);
    }
    return kept;
}

static enum status run_kernel(struct evaluator *evaluator, const struct step *step,
                              const struct call_args *args, const uint16_t *selection,
                              uint32_t count, struct vec *out, struct error *err)
{
    if ((step->flags & FUNCTION_STRICT) && args->has_validity) {
        TRY(combine_validity(args, step->arg_count, evaluator->row_count, out, err));
        if (!(step->flags & FUNCTION_ANY_VALUE)) {
            uint32_t kept = narrow_to_valid(evaluator, out, selection, count);
            if (kept < count)
                selection = evaluator->narrowed;
            count = kept;
        }
    }
    struct function_call call = call_of(evaluator, step, args, out);
    call.selection = selection;
    call.count = count;
    if (count)
        step->kernel(&call);
    return failed(&call, err);
}

enum status eval_call(struct evaluator *evaluator, const struct step *step, struct error *err)
{
    struct call_args args;
    const struct scope *scope = &evaluator->scopes[step->scope];
    const struct vec *dictionary = dictionary_of(evaluator, step);
    if (dictionary)
        return run_dictionary(evaluator, step, dictionary, err);
    for (uint32_t i = 0; i < step->arg_count; i++) {
        struct vec *plain;
        TRY(eval_plain(evaluator, step->args[i], &plain, err));
        args.vecs[i] = plain;
    }
    inspect(step, &args);
    if (args.all_constant)
        return run_constant(evaluator, step, &args, err);
    if ((step->flags & FUNCTION_STRICT) && args.has_null_constant)
        return set_null(evaluator, step, err);
    struct vec *out;
    TRY(eval_own(evaluator, step->out, step->type, &out, err));
    TRY(run_kernel(evaluator, step, &args, scope->selection, scope->count, out, err));
    evaluator->regs[step->out].value = out;
    return OK;
}
