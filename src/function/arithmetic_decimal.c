/* arithmetic_decimal.c - + - * / % where a DECIMAL takes part.
 *
 * Result types are Flink's (flink-semantics 5e). Integers take part as DECIMAL(digits, 0) without
 * being converted. Where the derived type was not capped at 38 digits, sums and products are exact
 * and fit by construction, so there are unchecked loops for them over int64 and __int128;
 * everything else goes value by value through base/decimal.h. What does not fit the result is NULL,
 * not an error.
 */
#include "base/must.h"
#include "function/arithmetic.h"

struct decimal_state {
    enum arithmetic_op op;
    uint8_t scale_a, scale_b, precision, scale;
    int64_t factor_a, factor_b; /* to the common scale, for sums of 64 bits */
    decimal128 wide_a, wide_b;  /* the same for 128 bits */
};

static const struct type *derive(struct arena *arena, enum arithmetic_op op, const struct type *a,
                                 const struct type *b, bool *capped)
{
    int p1 = (int)exact_precision(a), s1 = (int)exact_scale(a);
    int p2 = (int)exact_precision(b), s2 = (int)exact_scale(b);
    int scale, precision, whole1 = p1 - s1, whole2 = p2 - s2;
    switch (op) {
    case ARITH_ADD:
    case ARITH_SUB:
        scale = s1 > s2 ? s1 : s2;
        precision = (whole1 > whole2 ? whole1 : whole2) + scale + 1;
        break;
    case ARITH_MUL:
        scale = s1 + s2;
        precision = p1 + p2 + 1;
        break;
    case ARITH_DIV:
        scale = s1 + p2 + 1 > 6 ? s1 + p2 + 1 : 6;
        precision = p1 - s1 + s2 + scale;
        break;
    default:
        if (s1 == 0 && s2 == 0)
            return b;
        scale = s1 > s2 ? s1 : s2;
        precision = (whole1 < whole2 ? whole1 : whole2) + scale;
    }
    *capped = precision > DECIMAL_PRECISION_MAX;
    return decimal_capped(arena, (unsigned)(precision - scale), (unsigned)scale, true);
}

static void store(struct vec *out, uint32_t row, decimal128 value)
{
    switch (type_physical(out->type)) {
    case PHYS_I8:
        ((int8_t *)out->values)[row] = (int8_t)value;
        break;
    case PHYS_I16:
        ((int16_t *)out->values)[row] = (int16_t)value;
        break;
    case PHYS_I32:
        ((int32_t *)out->values)[row] = (int32_t)value;
        break;
    case PHYS_I64:
        ((int64_t *)out->values)[row] = (int64_t)value;
        break;
    default:
        ((decimal128 *)out->values)[row] = value;
    }
}

static void any_op(struct function_call *call)
{
    static bool (*const ops[ARITH_OP_COUNT])(decimal128, unsigned, decimal128, unsigned, unsigned,
                                             unsigned, decimal128 *) = {
        decimal_add, decimal_sub, decimal_mul, decimal_div, decimal_mod};
    const struct decimal_state *state = call->state;
    bool divides = state->op == ARITH_DIV || state->op == ARITH_MOD;
    CALL_ROWS(call, row)
    {
        decimal128 a = arg_decimal(call->args[0], row), b = arg_decimal(call->args[1], row), r;
        if (!arg_valid(call->args[0], row) || !arg_valid(call->args[1], row))
            continue; /* NULL rows come too (FUNCTION_ANY_VALUE) */
        if (divides && b == 0)
            call_fail(call, row, ERR_DATA, "division by zero");
        else if (ops[state->op](a, state->scale_a, b, state->scale_b, state->precision,
                                state->scale, &r))
            store(call->out, row, r);
        else
            call_set_null(call, row);
    }
}

/* ---- exact sums and products that need no check ----
 * The wrapping type keeps rows defined whose values are unspecified (FUNCTION_ANY_VALUE). */

#define SUM_LOOPS(name, A, B, R, U, factor_1, factor_2, sign)                                      \
    static void name(struct function_call *call)                                                   \
    {                                                                                              \
        const struct decimal_state *state = call->state;                                           \
        const A *a = call->args[0]->values;                                                        \
        const B *b = call->args[1]->values;                                                        \
        uint32_t mask_a = arg_mask(call->args[0]), mask_b = arg_mask(call->args[1]);               \
        U factor_a = (U)state->factor_1, factor_b = (U)state->factor_2;                            \
        R *r = call->out->values;                                                                  \
        CALL_ROWS(call, row)                                                                       \
        r[row] = (R)((U)a[row & mask_a] * factor_a sign(U) b[row & mask_b] * factor_b);            \
    }
#define SUMS(suffix, A, B, R, U, factor_1, factor_2)                                               \
    SUM_LOOPS(add_##suffix, A, B, R, U, factor_1, factor_2, +)                                     \
    SUM_LOOPS(sub_##suffix, A, B, R, U, factor_1, factor_2, -)
SUMS(64, int64_t, int64_t, int64_t, uint64_t, factor_a, factor_b)
SUMS(64_64, int64_t, int64_t, decimal128, decimal_u128, wide_a, wide_b)
SUMS(64_128, int64_t, decimal128, decimal128, decimal_u128, wide_a, wide_b)
SUMS(128_64, decimal128, int64_t, decimal128, decimal_u128, wide_a, wide_b)
SUMS(128_128, decimal128, decimal128, decimal128, decimal_u128, wide_a, wide_b)

/* Same scale and 64 bits: the commonest sum, vectorised. */
BINARY_KERNEL(add_same, int64_t, int64_t, (uint64_t)x + (uint64_t)y)
BINARY_KERNEL(sub_same, int64_t, int64_t, (uint64_t)x - (uint64_t)y)

BINARY_KERNEL(mul_64, int64_t, int64_t, (uint64_t)x *(uint64_t)y)
SLOW_KERNEL(mul_64_64, int64_t, decimal128, (decimal128)x *y)

static function_kernel pick_sum(const struct function_bind *bind, const struct decimal_state *state)
{
    bool wide_a = type_physical(bind->arg_types[0]) == PHYS_I128;
    bool wide_b = type_physical(bind->arg_types[1]) == PHYS_I128;
    bool is_add = state->op == ARITH_ADD;
    if (type_physical(bind->result) == PHYS_I64) {
        if (state->scale_a == state->scale_b)
            return is_add ? add_same : sub_same;
        return is_add ? add_64 : sub_64;
    }
    if (wide_a && wide_b)
        return is_add ? add_128_128 : sub_128_128;
    if (wide_a)
        return is_add ? add_128_64 : sub_128_64;
    if (wide_b)
        return is_add ? add_64_128 : sub_64_128;
    return is_add ? add_64_64 : sub_64_64;
}

static function_kernel pick(const struct function_bind *bind, const struct decimal_state *state,
                            bool capped)
{
    if (capped || state->op == ARITH_DIV || state->op == ARITH_MOD)
        return any_op;
    if (state->op != ARITH_MUL)
        return pick_sum(bind, state);
    if (type_physical(bind->arg_types[0]) == PHYS_I128 ||
        type_physical(bind->arg_types[1]) == PHYS_I128)
        return any_op;
    return type_physical(bind->result) == PHYS_I64 ? mul_64 : mul_64_64;
}

enum status bind_decimal_arithmetic(struct function_bind *bind, enum arithmetic_op op,
                                    struct error *err)
{
    bool capped = false;
    const struct type *a = bind->arg_types[0], *b = bind->arg_types[1];
    const struct type *result = derive(bind->arena, op, a, b, &capped);
    struct decimal_state *state = ARENA_NEW(bind->arena, struct decimal_state);
    TRY(bind_check(bind, err));
    state->op = op;
    state->scale_a = (uint8_t)exact_scale(a);
    state->scale_b = (uint8_t)exact_scale(b);
    state->precision = (uint8_t)exact_precision(result);
    state->scale = (uint8_t)exact_scale(result);
    /* Integers of fewer than 64 bits are widened so that the loops know two forms only. */
    for (int i = 0; i < 2; i++)
        if (type_is_integer(bind->arg_types[i]))
            bind->arg_types[i] =
                type_with_nullable(bind->arena, &TYPE_OF_BIGINT, bind->arg_types[i]->nullable);
    bind->result = bind_nullable(bind, result);
    TRY(bind_check(bind, err));
    if (!capped && (op == ARITH_ADD || op == ARITH_SUB)) {
        unsigned up_a = state->scale - (unsigned)state->scale_a;
        unsigned up_b = state->scale - (unsigned)state->scale_b;
        state->wide_a = decimal_pow10(up_a);
        state->wide_b = decimal_pow10(up_b);
        state->factor_a = up_a <= DECIMAL_PRECISION_MAX_INT64 ? DECIMAL_POW10_INT64[up_a] : 0;
        state->factor_b = up_b <= DECIMAL_PRECISION_MAX_INT64 ? DECIMAL_POW10_INT64[up_b] : 0;
    }
    bind->kernel = pick(bind, state, capped);
    bind->state = state;
    return OK;
}
