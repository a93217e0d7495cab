/* function_arithmetic.c - + - * / % over numbers: the binder's entry points and the kernels of
 * integers and floating-point numbers; decimals are in arithmetic_decimal.c, dates, times and
 * intervals in arithmetic_time.c.
 *
 * Integers compute in the wider of both types and wrap, as Java; division truncates; division by
 * zero fails the row. a % b has the type of b (Flink's MOD). FLOAT and DOUBLE follow IEEE 754.
 */
#include <math.h>

#include "base/must.h"
#include "function/arithmetic.h"
#include "function/families.h"

const char *const ARITHMETIC_SIGNS[ARITH_OP_COUNT] = {"+", "-", "*", "/", "%"};

/* Through unsigned, where overflow wraps. U at least as wide as int, or the product overflows it.
 */
#define INTEGER_KERNELS(KIND, suffix, T, U)                                                        \
    KIND(add_##suffix, T, T, (U)x + (U)y)                                                          \
    KIND(sub_##suffix, T, T, (U)x - (U)y)                                                          \
    KIND(mul_##suffix, T, T, (U)x *(U)y)
INTEGER_KERNELS(SLOW_KERNEL, i8, int8_t, uint32_t)
INTEGER_KERNELS(SLOW_KERNEL, i16, int16_t, uint32_t)
INTEGER_KERNELS(BINARY_KERNEL, i32, int32_t, uint32_t)
INTEGER_KERNELS(BINARY_KERNEL, i64, int64_t, uint64_t)

BINARY_KERNEL(add_f64, double, double, x + y)
BINARY_KERNEL(sub_f64, double, double, x - y)
BINARY_KERNEL(mul_f64, double, double, x *y)
BINARY_KERNEL(div_f64, double, double, x / y)
SLOW_KERNEL(mod_f64, double, double, fmod(x, y))
BINARY_KERNEL(add_f32, float, float, x + y)
BINARY_KERNEL(sub_f32, float, float, x - y)
BINARY_KERNEL(mul_f32, float, float, x *y)
BINARY_KERNEL(div_f32, float, float, x / y)
SLOW_KERNEL(mod_f32, float, float, fmodf(x, y))

/* The lowest value by -1 traps in C and wraps in Java. */
#define DIVISION_KERNEL(name, T, R, by_minus_one, EXPR)                                            \
    static void name(struct function_call *call)                                                   \
    {                                                                                              \
        const T *a = call->args[0]->values, *b = call->args[1]->values;                            \
        uint32_t mask_a = arg_mask(call->args[0]), mask_b = arg_mask(call->args[1]);               \
        R *r = call->out->values;                                                                  \
        CALL_ROWS(call, row)                                                                       \
        {                                                                                          \
            T x = a[row & mask_a], y = b[row & mask_b];                                            \
            if (__builtin_expect(y == 0, 0))                                                       \
                call_fail(call, row, ERR_DATA, "division by zero");                                \
            else if (__builtin_expect(y == -1, 0))                                                 \
                r[row] = (R)(by_minus_one);                                                        \
            else                                                                                   \
                r[row] = (R)(EXPR);                                                                \
        }                                                                                          \
    }
DIVISION_KERNEL(div_i8, int8_t, int8_t, 0u - (uint32_t)x, x / y)
DIVISION_KERNEL(div_i16, int16_t, int16_t, 0u - (uint32_t)x, x / y)
DIVISION_KERNEL(div_i32, int32_t, int32_t, 0u - (uint32_t)x, x / y)
DIVISION_KERNEL(div_i64, int64_t, int64_t, UINT64_C(0) - (uint64_t)x, x / y)
DIVISION_KERNEL(mod_i8_i8, int8_t, int8_t, 0, x % y)
DIVISION_KERNEL(mod_i16_i16, int16_t, int16_t, 0, x % y)
DIVISION_KERNEL(mod_i16_i8, int16_t, int8_t, 0, x % y)
DIVISION_KERNEL(mod_i32_i32, int32_t, int32_t, 0, x % y)
DIVISION_KERNEL(mod_i32_i16, int32_t, int16_t, 0, x % y)
DIVISION_KERNEL(mod_i32_i8, int32_t, int8_t, 0, x % y)
DIVISION_KERNEL(mod_i64_i64, int64_t, int64_t, 0, x % y)
DIVISION_KERNEL(mod_i64_i32, int64_t, int32_t, 0, x % y)
DIVISION_KERNEL(mod_i64_i16, int64_t, int16_t, 0, x % y)
DIVISION_KERNEL(mod_i64_i8, int64_t, int8_t, 0, x % y)

static const function_kernel kernels[][4] = {
    [PHYS_I8] = {add_i8, sub_i8, mul_i8, div_i8},
    [PHYS_I16] = {add_i16, sub_i16, mul_i16, div_i16},
    [PHYS_I32] = {add_i32, sub_i32, mul_i32, div_i32},
    [PHYS_I64] = {add_i64, sub_i64, mul_i64, div_i64},
    [PHYS_F32] = {add_f32, sub_f32, mul_f32, div_f32},
    [PHYS_F64] = {add_f64, sub_f64, mul_f64, div_f64},
};
/* [computed in][type of the right side] */
static const function_kernel mod_kernels[][PHYS_I64 + 1] = {
    [PHYS_I8] = {[PHYS_I8] = mod_i8_i8},
    [PHYS_I16] = {[PHYS_I8] = mod_i16_i8, [PHYS_I16] = mod_i16_i16},
    [PHYS_I32] = {[PHYS_I8] = mod_i32_i8, [PHYS_I16] = mod_i32_i16, [PHYS_I32] = mod_i32_i32},
    [PHYS_I64] = {[PHYS_I8] = mod_i64_i8,
                  [PHYS_I16] = mod_i64_i16,
                  [PHYS_I32] = mod_i64_i32,
                  [PHYS_I64] = mod_i64_i64},
};

static enum status bind_arithmetic(struct function_bind *bind, enum arithmetic_op op,
                                   struct error *err)
{
    const char *wanted = "two numbers, or a date, time or timestamp and an interval";
    bool handled = false;
    TRY(bind_time_arithmetic(bind, op, &handled, err));
    if (handled)
        return bind_check(bind, err);
    const struct type *right = bind->arg_types[1];
    if (right->root == TYPE_NULL)
        right = bind->arg_types[0];
    const struct type *common = function_common_type(bind->arena, bind->arg_types, 2);
    TRY(bind_check(bind, err));
    if (!common || !type_is_numeric(common))
        return bind_type_error(bind, ARITHMETIC_SIGNS[op], wanted, err);
    for (int i = 0; i < 2; i++)
        if (bind->arg_types[i]->root == TYPE_NULL)
            bind->arg_types[i] = common;
    if (common->root == TYPE_DECIMAL)
        return bind_decimal_arithmetic(bind, op, err);
    bind->result = common;
    for (int i = 0; i < 2; i++)
        bind->arg_types[i] = type_with_nullable(bind->arena, common, bind->arg_types[i]->nullable);
    enum physical physical = type_physical(common);
    if (op != ARITH_MOD) {
        bind->kernel = kernels[physical][op];
    } else if (type_is_approximate(common)) {
        bind->kernel = physical == PHYS_F32 ? mod_f32 : mod_f64;
    } else {
        bind->result = bind_nullable(bind, right);
        bind->kernel = mod_kernels[physical][type_physical(right)];
    }
    must(bind->kernel);
    return bind_check(bind, err);
}

/* ---- one argument ---- */

#define NEGATE_KERNEL(name, T, EXPR)                                                               \
    static void name(struct function_call *call)                                                   \
    {                                                                                              \
        const T *a = call->args[0]->values;                                                        \
        uint32_t mask_a = arg_mask(call->args[0]);                                                 \
        T *r = call->out->values;                                                                  \
        CALL_ROWS(call, row)                                                                       \
        {                                                                                          \
            T x = a[row & mask_a];                                                                 \
            r[row] = (T)(EXPR);                                                                    \
        }                                                                                          \
    }
NEGATE_KERNEL(negate_i8, int8_t, 0u - (uint32_t)x)
NEGATE_KERNEL(negate_i16, int16_t, 0u - (uint32_t)x)
NEGATE_KERNEL(negate_i32, int32_t, 0u - (uint32_t)x)
NEGATE_KERNEL(negate_i64, int64_t, UINT64_C(0) - (uint64_t)x)
NEGATE_KERNEL(negate_i128, decimal128, -x)
NEGATE_KERNEL(negate_f32, float, -x)
NEGATE_KERNEL(negate_f64, double, -x)
static const function_kernel negate_kernels[] = {
    [PHYS_I8] = negate_i8,   [PHYS_I16] = negate_i16,   [PHYS_I32] = negate_i32,
    [PHYS_I64] = negate_i64, [PHYS_I128] = negate_i128, [PHYS_F32] = negate_f32,
    [PHYS_F64] = negate_f64,
};

static void identity(struct function_call *call)
{
    if (vec_set_rows(call->out, call->args[0], call->selection, call->count, NULL) != OK)
        call->status = ERR_MEMORY;
}

static enum status bind_sign(struct function_bind *bind, const char *name, bool negate,
                             struct error *err)
{
    if (bind->arg_types[0]->root == TYPE_NULL)
        bind->arg_types[0] = &TYPE_OF_INT;
    const struct type *type = bind->arg_types[0];
    if (!type_is_numeric(type) && !type_is_interval(type))
        return bind_type_error(bind, name, "a number or an interval", err);
    bind->result = type;
    bind->kernel = negate ? negate_kernels[type_physical(type)] : identity;
    return OK;
}

static enum status bind_add(struct function_bind *bind, struct error *err)
{
    return bind->arg_count == 1 ? bind_sign(bind, "+", false, err)
                                : bind_arithmetic(bind, ARITH_ADD, err);
}
static enum status bind_sub(struct function_bind *bind, struct error *err)
{
    return bind->arg_count == 1 ? bind_sign(bind, "-", true, err)
                                : bind_arithmetic(bind, ARITH_SUB, err);
}
static enum status bind_mul(struct function_bind *bind, struct error *err)
{
    return bind_arithmetic(bind, ARITH_MUL, err);
}
static enum status bind_div(struct function_bind *bind, struct error *err)
{
    return bind_arithmetic(bind, ARITH_DIV, err);
}
static enum status bind_mod(struct function_bind *bind, struct error *err)
{
    return bind_arithmetic(bind, ARITH_MOD, err);
}

#define PLAIN_FLAGS    (FUNCTION_STRICT | FUNCTION_ANY_VALUE)
#define DIVISION_FLAGS (FUNCTION_STRICT | FUNCTION_CAN_FAIL)
const struct function_def FUNCTIONS_ARITHMETIC[] = {
    {"+", "a + b, + a", "Sum; also a date, time or timestamp plus an interval.", "arithmetic",
     PLAIN_FLAGS, 1, 2, bind_add},
    {"-", "a - b, - a", "Difference; also a date, time or timestamp minus an interval.",
     "arithmetic", PLAIN_FLAGS, 1, 2, bind_sub},
    {"*", "a * b", "Product; also an interval times a number.", "arithmetic", PLAIN_FLAGS, 2, 2,
     bind_mul},
    {"/", "a / b", "Quotient; of integers, truncated. Division by zero fails the row.",
     "arithmetic", DIVISION_FLAGS, 2, 2, bind_div},
    {"%", "a % b", "Remainder, with the sign of a.", "arithmetic", DIVISION_FLAGS, 2, 2, bind_mod},
    {"MOD", "MOD(a, b)", "Remainder, with the sign of a.", "arithmetic", DIVISION_FLAGS, 2, 2,
     bind_mod},
};
const size_t FUNCTIONS_ARITHMETIC_COUNT = COUNT_OF(FUNCTIONS_ARITHMETIC);
