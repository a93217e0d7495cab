/* cast_number.c - between numbers, BOOLEAN, and intervals with integers.
 *
 * Integers narrow by dropping bits, as Java; floating point to integer truncates and saturates (to
 * TINYINT and SMALLINT through INT), NaN is 0; DECIMAL to integer truncates. To DECIMAL: HALF_UP,
 * and NULL where it does not fit; a floating-point number takes part with its shortest decimal
 * text, as BigDecimal.valueOf in Flink. NaN and infinity fail.
 */
#include "base/must.h"
#include "expr/cast_int.h"

#define CONVERT(name, FROM, TO, EXPR)                                                              \
    static void name(struct function_call *call)                                                   \
    {                                                                                              \
        const FROM *a = call->args[0]->values;                                                     \
        uint32_t mask = arg_mask(call->args[0]);                                                   \
        TO *r = call->out->values;                                                                 \
        if (!call->selection && mask) {                                                            \
            for (uint32_t i = 0; i < call->count; i++) {                                           \
                FROM x = a[i];                                                                     \
                r[i] = (TO)(EXPR);                                                                 \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        CALL_ROWS(call, row)                                                                       \
        {                                                                                          \
            FROM x = a[row & mask];                                                                \
            r[row] = (TO)(EXPR);                                                                   \
        }                                                                                          \
    }

static int32_t to_i32(double x)
{
    if (x != x)
        return 0;
    return x >= 2147483647.0 ? INT32_MAX : x <= -2147483648.0 ? INT32_MIN : (int32_t)x;
}

static int64_t to_i64(double x)
{
    if (x != x)
        return 0;
    return x >= 9223372036854775808.0    ? INT64_MAX
           : x <= -9223372036854775808.0 ? INT64_MIN
                                         : (int64_t)x;
}

#define FROM_INTEGER(suffix, FROM)                                                                 \
    CONVERT(suffix##_bool, FROM, uint8_t, x != 0)                                                  \
    CONVERT(suffix##_i8, FROM, int8_t, x)                                                          \
    CONVERT(suffix##_i16, FROM, int16_t, x)                                                        \
    CONVERT(suffix##_i32, FROM, int32_t, x)                                                        \
    CONVERT(suffix##_i64, FROM, int64_t, x)                                                        \
    CONVERT(suffix##_f32, FROM, float, x)                                                          \
    CONVERT(suffix##_f64, FROM, double, x)
FROM_INTEGER(bool, uint8_t)
FROM_INTEGER(i8, int8_t)
FROM_INTEGER(i16, int16_t)
FROM_INTEGER(i32, int32_t)
FROM_INTEGER(i64, int64_t)

#define FROM_APPROXIMATE(suffix, FROM)                                                             \
    CONVERT(suffix##_bool, FROM, uint8_t, x != 0)                                                  \
    CONVERT(suffix##_i8, FROM, int8_t, to_i32((double)x))                                          \
    CONVERT(suffix##_i16, FROM, int16_t, to_i32((double)x))                                        \
    CONVERT(suffix##_i32, FROM, int32_t, to_i32((double)x))                                        \
    CONVERT(suffix##_i64, FROM, int64_t, to_i64((double)x))                                        \
    CONVERT(suffix##_f32, FROM, float, x)                                                          \
    CONVERT(suffix##_f64, FROM, double, x)
FROM_APPROXIMATE(f32, float)
FROM_APPROXIMATE(f64, double)

#define ROW(suffix)                                                                                \
    {                                                                                              \
        [PHYS_BOOL] = suffix##_bool, [PHYS_I8] = suffix##_i8, [PHYS_I16] = suffix##_i16,           \
        [PHYS_I32] = suffix##_i32, [PHYS_I64] = suffix##_i64, [PHYS_F32] = suffix##_f32,           \
        [PHYS_F64] = suffix##_f64,                                                                 \
    }
static const function_kernel converters[PHYS_F64 + 1][PHYS_F64 + 1] = {
    [PHYS_BOOL] = ROW(bool), [PHYS_I8] = ROW(i8),   [PHYS_I16] = ROW(i16), [PHYS_I32] = ROW(i32),
    [PHYS_I64] = ROW(i64),   [PHYS_F32] = ROW(f32), [PHYS_F64] = ROW(f64),
};
#undef ROW

/* ---- DECIMAL ---- */

static void store_decimal(struct function_call *call, uint32_t row, decimal128 value, bool fits)
{
    struct vec *out = call->out;
    if (!fits || !decimal_fits(value, out->type->precision))
        call_set_null(call, row);
    else if (type_physical(out->type) == PHYS_I64)
        ((int64_t *)out->values)[row] = (int64_t)value;
    else
        ((decimal128 *)out->values)[row] = value;
}

/* BOOLEAN, integers and DECIMAL to DECIMAL. */
static void exact_to_decimal(struct function_call *call)
{
    const struct vec *arg = call->args[0];
    unsigned from = exact_scale(arg->type), to = call->out->type->scale;
    bool is_boolean = arg->type->root == TYPE_BOOLEAN;
    CALL_ROWS(call, row)
    {
        decimal128 value = is_boolean ? ((const uint8_t *)arg->values)[row & arg_mask(arg)]
                                      : arg_decimal(arg, row);
        bool fits = decimal_rescale(&value, from, to);
        store_decimal(call, row, value, fits);
    }
}

static void approximate_to_decimal(struct function_call *call)
{
    const struct vec *arg = call->args[0];
    const struct type *to = call->out->type;
    CALL_ROWS(call, row)
    {
        uint32_t at = row & arg_mask(arg);
        double number = type_physical(arg->type) == PHYS_F32
                            ? (double)((const float *)arg->values)[at]
                            : ((const double *)arg->values)[at];
        char text[40];
        decimal128 value = 0;
        size_t length = str_from_f64(text, number);
        bool overflow = false;
        bool good =
            decimal_parse((struct str){text, length}, to->precision, to->scale, &value, &overflow);
        if (!good && !overflow)
            call_fail(call, row, ERR_DATA, "cannot convert %.*s to a DECIMAL", (int)length, text);
        else
            store_decimal(call, row, value, good);
    }
}

static void decimal_to_integer(struct function_call *call)
{
    const struct vec *arg = call->args[0];
    enum physical physical = type_physical(call->out->type);
    decimal128 divisor = decimal_pow10(arg->type->scale);
    void *r = call->out->values;
    CALL_ROWS(call, row)
    {
        int64_t value = (int64_t)(arg_decimal(arg, row) / divisor);
        if (physical == PHYS_I8)
            ((int8_t *)r)[row] = (int8_t)value;
        else if (physical == PHYS_I16)
            ((int16_t *)r)[row] = (int16_t)value;
        else if (physical == PHYS_I32)
            ((int32_t *)r)[row] = (int32_t)value;
        else
            ((int64_t *)r)[row] = value;
    }
}

static void decimal_to_other(struct function_call *call)
{
    const struct vec *arg = call->args[0];
    enum physical physical = type_physical(call->out->type);
    void *r = call->out->values;
    CALL_ROWS(call, row)
    {
        decimal128 value = arg_decimal(arg, row);
        if (physical == PHYS_BOOL)
            ((uint8_t *)r)[row] = value != 0;
        else if (physical == PHYS_F32)
            ((float *)r)[row] = (float)decimal_to_f64(value, arg->type->scale);
        else
            ((double *)r)[row] = decimal_to_f64(value, arg->type->scale);
    }
}

bool cast_numbers(const struct type *from, const struct type *to, struct cast_kernel *out)
{
    enum physical p1 = type_physical(from), p2 = type_physical(to);
    if (p1 > PHYS_F64 || p2 > PHYS_F64)
        return false;
    if (to->root == TYPE_DECIMAL)
        out->kernel = type_is_approximate(from) ? approximate_to_decimal : exact_to_decimal;
    else if (from->root == TYPE_DECIMAL)
        out->kernel = type_is_integer(to) ? decimal_to_integer : decimal_to_other;
    else
        out->kernel = converters[p1][p2];
    if (out->kernel && to->root != TYPE_DECIMAL && from->root != TYPE_DECIMAL)
        out->flags |= FUNCTION_ANY_VALUE;
    return out->kernel != NULL;
}
