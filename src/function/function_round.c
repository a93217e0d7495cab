/* function_round.c - FLOOR, CEIL, ROUND and TRUNCATE of numbers (of times: function_temporal.c).
 *
 * ROUND is HALF_UP on the decimal value; a DOUBLE is taken as the shortest decimal that means it
 * (BigDecimal.valueOf), so ROUND(2.675E0, 2) is 2.68. Result types of DECIMAL are Flink's
 * (findRoundDecimalType). FLOOR and CEIL of a time, with a unit, are bound by floor_time.h.
 */
#include <math.h>

#include "function/bind_args.h"
#include "function/families.h"
#include "function/floor_time.h"

#define F64_TEXT_MAX 32

/* ---- FLOOR, CEIL ---- */

/* The unscaled value without its fraction digits, rounded down or up. */
static decimal128 whole_part(decimal128 value, unsigned scale, bool up)
{
    decimal128 unit = decimal_pow10(scale);
    decimal128 whole = value / unit, rest = value % unit;
    return whole + (up ? rest > 0 : -(rest < 0));
}

static void set_decimal(struct vec *out, uint32_t row, decimal128 value)
{
    if (type_physical(out->type) == PHYS_I64)
        ((int64_t *)out->values)[row] = (int64_t)value;
    else
        ((decimal128 *)out->values)[row] = value;
}

static void floor_decimal(struct function_call *call, bool up)
{
    unsigned scale = exact_scale(call->args[0]->type), precision = call->out->type->precision;
    CALL_ROWS(call, row)
    {
        decimal128 value = whole_part(arg_decimal(call->args[0], row), scale, up);
        if (decimal_fits(value, precision))
            set_decimal(call->out, row, value);
        else
            call_set_null(call, row);
    }
}

static void floor_float(struct function_call *call, bool up)
{
    const struct vec *arg = call->args[0];
    uint32_t mask = arg_mask(arg);
    if (type_physical(arg->type) == PHYS_F32) {
        float *out = call->out->values;
        CALL_ROWS(call, row)
        {
            float value = ((const float *)arg->values)[row & mask];
            out[row] = up ? ceilf(value) : floorf(value);
        }
    } else {
        double *out = call->out->values;
        CALL_ROWS(call, row)
        {
            double value = ((const double *)arg->values)[row & mask];
            out[row] = up ? ceil(value) : floor(value);
        }
    }
}

static void run_floor_decimal(struct function_call *call)
{
    floor_decimal(call, false);
}

static void run_ceil_decimal(struct function_call *call)
{
    floor_decimal(call, true);
}

static void run_floor_float(struct function_call *call)
{
    floor_float(call, false);
}

static void run_ceil_float(struct function_call *call)
{
    floor_float(call, true);
}

static void run_same(struct function_call *call)
{
    size_t size = physical_size_bytes(type_physical(call->args[0]->type));
    const char *values = call->args[0]->values;
    CALL_ROWS(call, row)
    memcpy((char *)call->out->values + row * size, values + (row & arg_mask(call->args[0])) * size,
           size);
}

static enum status bind_floor_ceil(struct function_bind *bind, const char *name, bool up,
                                   struct error *err)
{
    if (bind->arg_count == 2)
        return bind_floor_time(bind, name, up, err);
    TRY(bind_args(bind, name, "n", "a number, or a time TO a unit", err));
    const struct type *type = bind->arg_types[0];
    if (type_is_integer(type))
        return bind_result(bind, type, false, run_same, err);
    if (type_is_approximate(type))
        return bind_result(bind, type, false, up ? run_ceil_float : run_floor_float, err);
    return bind_result(bind, type_decimal(bind->arena, type->precision, 0, type->nullable), false,
                       up ? run_ceil_decimal : run_floor_decimal, err);
}

static enum status bind_floor(struct function_bind *bind, struct error *err)
{
    return bind_floor_ceil(bind, "FLOOR", false, err);
}

static enum status bind_ceil(struct function_bind *bind, struct error *err)
{
    return bind_floor_ceil(bind, "CEIL", true, err);
}

/* ---- ROUND, TRUNCATE ---- */

/* The unscaled value at `scale` brought to `digits` digits after the point (negative: before it)
 * and back to scale 0 or digits, whichever is more. False: does not fit 38 digits. */
static bool cut_digits(decimal128 *value, unsigned scale, int64_t digits, bool round,
                       unsigned *out_scale)
{
    if (digits >= (int64_t)scale) {
        *out_scale = scale;
        return true;
    }
    *out_scale = digits > 0 ? (unsigned)digits : 0;
    int64_t drop = (int64_t)scale - digits;
    if (drop > DECIMAL_PRECISION_MAX) {
        *value = 0;
        return true;
    }
    decimal128 unit = decimal_pow10((unsigned)drop), size = *value < 0 ? -*value : *value;
    decimal128 kept = size / unit;
    if (round && size % unit >= unit - size % unit)
        kept++;
    if (digits < 0 && !decimal_rescale(&kept, 0, (unsigned)-digits))
        return false;
    *value = *value < 0 ? -kept : kept;
    return true;
}

static int64_t digits_arg(struct function_call *call, uint32_t row)
{
    return call->arg_count == 2 ? arg_i64(call->args[1], row) : 0;
}

static void cut_exact(struct function_call *call, bool round)
{
    const struct type *type = call->out->type;
    unsigned scale = exact_scale(call->args[0]->type);
    CALL_ROWS(call, row)
    {
        decimal128 value = arg_decimal(call->args[0], row);
        unsigned got_scale;
        bool good = cut_digits(&value, scale, digits_arg(call, row), round, &got_scale);
        if (type->root == TYPE_DECIMAL) {
            if (good && decimal_rescale(&value, got_scale, type->scale) &&
                decimal_fits(value, type->precision))
                set_decimal(call->out, row, value);
            else
                call_set_null(call, row);
            continue;
        }
        if (!good)
            value = 0;
        switch (type->root) { /* wraps as BigDecimal.intValue() does */
        case TYPE_TINYINT:
            ((int8_t *)call->out->values)[row] = (int8_t)value;
            break;
        case TYPE_SMALLINT:
            ((int16_t *)call->out->values)[row] = (int16_t)value;
            break;
        case TYPE_INT:
            ((int32_t *)call->out->values)[row] = (int32_t)value;
            break;
        default:
            ((int64_t *)call->out->values)[row] = (int64_t)value;
        }
    }
}

/* The text of a finite double, "1.234E-5", as digits * 10^-scale. It has at most 17 digits. */
static int64_t shortest_digits(struct str text, int64_t *scale)
{
    int64_t digits = 0, fraction = 0, exponent = 0;
    bool point = false;
    for (size_t i = 0; i < text.length; i++) {
        char byte = text.data[i];
        if (byte == 'E') {
            struct str rest = {text.data + i + 1, text.length - i - 1};
            if (!str_to_i64(rest, &exponent, NULL))
                return 0; /* str_from_f64 writes numbers only */
            break;
        }
        if (byte == '.') {
            point = true;
        } else if (byte != '-') {
            digits = digits * 10 + (byte - '0');
            fraction += point;
        }
    }
    *scale = fraction - exponent;
    return digits;
}

/* The double as its shortest decimal, cut at `digits` digits after the point. */
static double cut_shortest(double value, int64_t digits, bool round)
{
    char text[2 * F64_TEXT_MAX];
    struct str number = {text, str_from_f64(text, value)};
    int64_t scale = 0, unscaled = shortest_digits(number, &scale);
    if (digits >= scale)
        return value;
    if (scale - digits > DECIMAL_PRECISION_MAX_INT64)
        return copysign(0, value);
    int64_t unit = DECIMAL_POW10_INT64[scale - digits];
    unscaled = unscaled / unit + (round && unscaled % unit >= unit - unscaled % unit);
    number.length = str_from_i64(text, value < 0 ? -unscaled : unscaled);
    text[number.length++] = 'E';
    number.length += str_from_i64(text + number.length, -digits);
    double result;
    return str_to_f64(number, &result) ? result : value;
}

static void cut_approximate(struct function_call *call, bool round)
{
    const struct vec *arg = call->args[0];
    bool single = type_physical(arg->type) == PHYS_F32;
    uint32_t mask = arg_mask(arg);
    CALL_ROWS(call, row)
    {
        double value = single ? ((const float *)arg->values)[row & mask]
                              : ((const double *)arg->values)[row & mask];
        double result = isfinite(value) ? cut_shortest(value, digits_arg(call, row), round) : value;
        if (single)
            ((float *)call->out->values)[row] = (float)result;
        else
            ((double *)call->out->values)[row] = result;
    }
}

static void run_round_exact(struct function_call *call)
{
    cut_exact(call, true);
}

static void run_truncate_exact(struct function_call *call)
{
    cut_exact(call, false);
}

static void run_round_approximate(struct function_call *call)
{
    cut_approximate(call, true);
}

static void run_truncate_approximate(struct function_call *call)
{
    cut_approximate(call, false);
}

/* Flink's findRoundDecimalType; digits that are no constant leave the type as it is. */
static const struct type *rounded_type(struct function_bind *bind)
{
    const struct type *type = bind->arg_types[0];
    int64_t digits = 0;
    if (bind->arg_count == 2 && !bind_constant_integer(bind, 1, &digits))
        return type;
    if (digits >= type->scale)
        return type;
    unsigned whole = 1u + type->precision - type->scale;
    unsigned scale = digits > 0 ? (unsigned)digits : 0;
    unsigned precision = whole + scale;
    return type_decimal(bind->arena,
                        precision > DECIMAL_PRECISION_MAX ? DECIMAL_PRECISION_MAX : precision,
                        scale, type->nullable);
}

static enum status bind_cut(struct function_bind *bind, const char *name, function_kernel exact,
                            function_kernel approximate, struct error *err)
{
    TRY(bind_args(bind, name, "ni", "a number and an integer", err));
    const struct type *type = bind->arg_types[0];
    if (type_is_approximate(type))
        return bind_result(bind, type, false, approximate, err);
    if (type->root == TYPE_DECIMAL)
        type = rounded_type(bind);
    return bind_result(bind, type, false, exact, err);
}

static enum status bind_round(struct function_bind *bind, struct error *err)
{
    return bind_cut(bind, "ROUND", run_round_exact, run_round_approximate, err);
}

static enum status bind_truncate(struct function_bind *bind, struct error *err)
{
    return bind_cut(bind, "TRUNCATE", run_truncate_exact, run_truncate_approximate, err);
}

#define STRICT FUNCTION_STRICT

const struct function_def FUNCTIONS_ROUND[] = {
    {"CEIL", "CEIL(number) | CEIL(time TO unit)",
     "The number, or the time, rounded up to a whole number or unit.", "math", STRICT, 1, 2,
     bind_ceil},
    {"CEILING", "CEILING(number) | CEILING(time TO unit)",
     "The number, or the time, rounded up to a whole number or unit.", "math", STRICT, 1, 2,
     bind_ceil},
    {"FLOOR", "FLOOR(number) | FLOOR(time TO unit)",
     "The number, or the time, rounded down to a whole number or unit.", "math", STRICT, 1, 2,
     bind_floor},
    {"ROUND", "ROUND(number [, digits])",
     "The number rounded half up to so many digits after the point.", "math", STRICT, 1, 2,
     bind_round},
    {"TRUNCATE", "TRUNCATE(number [, digits])",
     "The number cut off after so many digits after the point.", "math", STRICT, 1, 2,
     bind_truncate},
};
const size_t FUNCTIONS_ROUND_COUNT = sizeof FUNCTIONS_ROUND / sizeof *FUNCTIONS_ROUND;
