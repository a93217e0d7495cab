/* eval_logic.c - narrowing, merging branches, three-valued AND and OR, fields of rows. */
#include "base/must.h"
#include "expr/expr_int.h"

/* ---- narrowing ---- */

static bool keeps(enum keep keep, bool valid, bool value)
{
    switch (keep) {
    case KEEP_TRUE:
        return valid && value;
    case KEEP_NOT_TRUE:
        return !valid || !value;
    case KEEP_NOT_FALSE:
        return !valid || value;
    case KEEP_NULL:
        return !valid;
    }
    return false;
}

static uint32_t keep_all(const uint16_t *selection, uint32_t count, uint16_t *rows)
{
    for (uint32_t i = 0; i < count; i++)
        rows[i] = (uint16_t)(selection ? selection[i] : i);
    return count;
}

/* Flat and without NULL: value != flip are kept. */
static uint32_t keep_plain(const uint8_t *values, uint8_t flip, const uint16_t *selection,
                           uint32_t count, uint16_t *rows)
{
    uint32_t kept = 0;
    if (!selection) {
        for (uint32_t row = 0; row < count; row++) {
            rows[kept] = (uint16_t)row;
            kept += values[row] ^ flip;
        }
        return kept;
    }
    for (uint32_t i = 0; i < count; i++) {
        rows[kept] = selection[i];
        kept += values[selection[i]] ^ flip;
    }
    return kept;
}

uint32_t eval_keep(const struct vec *vec, enum keep keep, const uint16_t *selection, uint32_t count,
                   uint16_t *rows)
{
    bool is_boolean = keep != KEEP_NULL;
    if (vec->form == VEC_CONSTANT) {
        bool valid = bitmap_get(vec->validity, 0);
        bool value = is_boolean && ((const uint8_t *)vec->values)[0];
        return keeps(keep, valid, value) ? keep_all(selection, count, rows) : 0;
    }
    if (vec->form == VEC_FLAT && !vec->validity) {
        if (!is_boolean)
            return 0;
        return keep_plain(vec->values, keep == KEEP_NOT_TRUE, selection, count, rows);
    }
    uint32_t kept = 0;
    const struct vec *holder;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = selection ? selection[i] : i;
        uint32_t at = vec_locate(vec, row, &holder);
        bool value = is_boolean && ((const uint8_t *)holder->values)[at];
        rows[kept] = (uint16_t)row;
        kept += keeps(keep, bitmap_get(holder->validity, at), value);
    }
    return kept;
}

/* ---- merging ---- */

bool eval_is_own(const struct reg *reg)
{
    for (int i = 0; i < POOL_SIZE; i++)
        if (reg->value == reg->pool[i])
            return true;
    return false;
}

/* Until a second value arrives the first one is the register's value itself. */
enum status eval_merge(struct evaluator *evaluator, const struct step *step, struct error *err)
{
    struct reg *reg = &evaluator->regs[step->out];
    const struct scope *scope = &evaluator->scopes[step->scope];
    struct vec *value = evaluator->regs[step->args[0]].value, *own = NULL;
    if (!scope->count)
        return OK;
    const struct scope *all = &evaluator->scopes[reg->begin_scope];
    if (!reg->value && scope->count == all->count) {
        eval_hold(reg, vec_ref(value));
        return OK;
    }
    if (reg->value && eval_is_own(reg))
        return vec_set_rows(reg->value, value, scope->selection, scope->count, err);
    TRY(eval_own(evaluator, step->out, step->type, &own, err));
    if (reg->value)
        TRY(vec_set_rows(own, reg->value, all->selection, all->count, err));
    reg->value = own;
    return vec_set_rows(own, value, scope->selection, scope->count, err);
}

/* ---- AND, OR ---- */

struct truth { /* of one row */
    bool valid, value;
};

static struct truth truth_of(const struct vec *vec, uint32_t row)
{
    const struct vec *holder;
    uint32_t at = vec_locate(vec, row, &holder);
    return (struct truth){bitmap_get(holder->validity, at), ((const uint8_t *)holder->values)[at]};
}

/* decides: FALSE for AND, TRUE for OR; it wins over NULL. */
static struct truth combine(struct truth a, struct truth b, bool decides)
{
    if ((a.valid && a.value == decides) || (b.valid && b.value == decides))
        return (struct truth){true, decides};
    if (!a.valid || !b.valid)
        return (struct truth){false, false};
    return (struct truth){true, !decides};
}

static bool is_plain(const struct vec *vec)
{
    return vec->form == VEC_FLAT && !vec->validity;
}

static void combine_plain(const uint8_t *restrict a, const uint8_t *restrict b,
                          uint8_t *restrict out, uint32_t count, bool is_and)
{
    if (is_and)
        for (uint32_t i = 0; i < count; i++)
            out[i] = a[i] & b[i];
    else
        for (uint32_t i = 0; i < count; i++)
            out[i] = a[i] | b[i];
}

/* out = before AND/OR value at the scope's rows; out may be before. */
static enum status combine_rows(const struct vec *before, const struct vec *value,
                                const struct scope *scope, bool is_and, struct vec *out,
                                struct error *err)
{
    uint8_t *values = out->values;
    for (uint32_t i = 0; i < scope->count; i++) {
        uint32_t row = scope->selection ? scope->selection[i] : i;
        struct truth truth = combine(truth_of(before, row), truth_of(value, row), !is_and);
        if (!truth.valid)
            TRY(vec_make_validity(out, err));
        if (out->validity) {
            uint64_t bit = UINT64_C(1) << (row & 63);
            out->validity[row >> 6] &= ~bit;
            out->validity[row >> 6] |= truth.valid ? bit : 0;
        }
        values[row] = truth.value;
    }
    return OK;
}

enum status eval_logic(struct evaluator *evaluator, const struct step *step, struct error *err)
{
    struct reg *reg = &evaluator->regs[step->out];
    const struct scope *scope = &evaluator->scopes[step->scope];
    const struct scope *all = &evaluator->scopes[reg->begin_scope];
    const struct vec *value = evaluator->regs[step->args[0]].value, *before = reg->value;
    bool is_and = step->kind == STEP_AND;
    struct vec *out = reg->value;
    if (!eval_is_own(reg)) {
        TRY(eval_own(evaluator, step->out, step->type, &out, err));
        if (!scope->selection && is_plain(before) && is_plain(value)) {
            combine_plain(before->values, value->values, out->values, scope->count, is_and);
            reg->value = out;
            return OK;
        }
        TRY(vec_set_rows(out, before, all->selection, all->count, err));
        reg->value = out;
    }
    return combine_rows(out, value, scope, is_and, out, err);
}

/* ---- fields ---- */

enum status eval_field(struct evaluator *evaluator, const struct step *step, struct error *err)
{
    struct vec *row, *out;
    struct reg *reg = &evaluator->regs[step->out];
    TRY(eval_plain(evaluator, step->args[0], &row, err));
    must(step->index < row->child_count);
    struct vec *child = row->children[step->index];
    if (row->form == VEC_CONSTANT) {
        struct vec *constant = NULL;
        if (bitmap_get(row->validity, 0))
            TRY(vec_new_constant(&constant, child, 0, 1, err));
        else
            TRY(vec_new_null(&constant, step->type, 1, err));
        eval_hold(reg, constant);
        return OK;
    }
    if (!row->validity && child->length == evaluator->row_count) {
        eval_hold(reg, vec_ref(child));
        return OK;
    }
    TRY(eval_own(evaluator, step->out, step->type, &out, err));
    TRY(vec_set_rows(out, child, NULL, evaluator->row_count, err));
    if (row->validity) {
        TRY(vec_make_validity(out, err));
        for (uint32_t word = 0; word < (evaluator->row_count + 63) / 64; word++)
            out->validity[word] &= row->validity[word];
    }
    reg->value = out;
    return OK;
}
