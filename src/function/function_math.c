/* function_math.c - mathematics: DOUBLE functions, ABS and SIGN of any number, random numbers.
 *
 * Does not: rounding (function_round.c), arithmetic signs (function_arithmetic.c). Types are
 * Flink's: transcendental functions take any number as DOUBLE and give DOUBLE; outside their domain
 * they give NaN or infinity as Java's Math does, never an error.
 *
 * RAND and RAND_INTEGER with a constant seed give the sequence of java.util.Random; without one
 * they advance the evaluation's random state.
 */
#include <math.h>
#include <stdatomic.h>

#include "function/bind_args.h"
#include "function/families.h"

#define DEGREES_PER_RADIAN (180.0 / M_PI)

/* ---- DOUBLE to DOUBLE ---- */

#define F64_KERNEL(name, EXPR)                                                                     \
    static void run_##name(struct function_call *call)                                             \
    {                                                                                              \
        double *out = call->out->values;                                                           \
        CALL_ROWS(call, row)                                                                       \
        {                                                                                          \
            double x = arg_f64(call->args[0], row);                                                \
            out[row] = (EXPR);                                                                     \
        }                                                                                          \
    }                                                                                              \
    static enum status bind_##name(struct function_bind *bind, struct error *err)                  \
    {                                                                                              \
        TRY(bind_args(bind, #name, "d", "a number", err));                                         \
        return bind_result(bind, &TYPE_OF_DOUBLE, false, run_##name, err);                         \
    }

#define F64_KERNEL_2(name, EXPR)                                                                   \
    static void run_##name(struct function_call *call)                                             \
    {                                                                                              \
        double *out = call->out->values;                                                           \
        CALL_ROWS(call, row)                                                                       \
        {                                                                                          \
            double x = arg_f64(call->args[0], row), y = arg_f64(call->args[1], row);               \
            out[row] = (EXPR);                                                                     \
        }                                                                                          \
    }                                                                                              \
    static enum status bind_##name(struct function_bind *bind, struct error *err)                  \
    {                                                                                              \
        TRY(bind_args(bind, #name, "d", "two numbers", err));                                      \
        return bind_result(bind, &TYPE_OF_DOUBLE, false, run_##name, err);                         \
    }

/* Java's pow: a NaN exponent gives NaN for any base, and so does 1 to an infinite power. */
static double java_pow(double base, double exponent)
{
    if (isnan(exponent) || (fabs(base) == 1 && isinf(exponent)))
        return NAN;
    return pow(base, exponent);
}

F64_KERNEL(SQRT, sqrt(x))
F64_KERNEL(EXP, exp(x))
F64_KERNEL(LN, log(x))
F64_KERNEL(LOG10, log10(x))
F64_KERNEL(LOG2, log(x) / log(2))
F64_KERNEL(SIN, sin(x))
F64_KERNEL(COS, cos(x))
F64_KERNEL(TAN, tan(x))
F64_KERNEL(COT, 1.0 / tan(x))
F64_KERNEL(ASIN, asin(x))
F64_KERNEL(ACOS, acos(x))
F64_KERNEL(ATAN, atan(x))
F64_KERNEL(SINH, sinh(x))
F64_KERNEL(COSH, cosh(x))
F64_KERNEL(TANH, tanh(x))
F64_KERNEL(DEGREES, x *DEGREES_PER_RADIAN)
F64_KERNEL(RADIANS, x / 180.0 * M_PI)
F64_KERNEL_2(POWER, java_pow(x, y))
F64_KERNEL_2(ATAN2, atan2(x, y))
F64_KERNEL_2(LOG_BASE, log(y) / log(x))

static enum status bind_log(struct function_bind *bind, struct error *err)
{
    return bind->arg_count == 2 ? bind_LOG_BASE(bind, err) : bind_LN(bind, err);
}

static void run_pi(struct function_call *call)
{
    double *out = call->out->values;
    CALL_ROWS(call, row)
    out[row] = M_PI;
}

static enum status bind_pi(struct function_bind *bind, struct error *err)
{
    return bind_result(bind, &TYPE_OF_DOUBLE, false, run_pi, err);
}

static void run_e(struct function_call *call)
{
    double *out = call->out->values;
    CALL_ROWS(call, row)
    out[row] = M_E;
}

static enum status bind_e(struct function_bind *bind, struct error *err)
{
    return bind_result(bind, &TYPE_OF_DOUBLE, false, run_e, err);
}

/* ---- ABS, SIGN: the type of the argument ---- */

#define NUMBER_LOOP(T, EXPR)                                                                       \
    do {                                                                                           \
        const T *values = call->args[0]->values;                                                   \
        uint32_t mask = arg_mask(call->args[0]);                                                   \
        T *out = call->out->values;                                                                \
        CALL_ROWS(call, row)                                                                       \
        {                                                                                          \
            T x = values[row & mask];                                                              \
            out[row] = (T)(EXPR);                                                                  \
        }                                                                                          \
    } while (0)

static void run_abs(struct function_call *call)
{
    /* As in Java, the smallest integer stays as it is. */
    switch (type_physical(call->args[0]->type)) {
    case PHYS_I8:
        NUMBER_LOOP(int8_t, x < 0 ? -x : x);
        break;
    case PHYS_I16:
        NUMBER_LOOP(int16_t, x < 0 ? -x : x);
        break;
    case PHYS_I32:
        NUMBER_LOOP(int32_t, x < 0 ? 0 - (uint32_t)x : (uint32_t)x);
        break;
    case PHYS_I64:
        NUMBER_LOOP(int64_t, x < 0 ? 0 - (uint64_t)x : (uint64_t)x);
        break;
    case PHYS_I128:
        NUMBER_LOOP(decimal128, x < 0 ? -x : x);
        break;
    case PHYS_F32:
        NUMBER_LOOP(float, fabsf(x));
        break;
    default:
        NUMBER_LOOP(double, fabs(x));
        break;
    }
}

static enum status bind_abs(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "ABS", "n", "a number", err));
    return bind_result(bind, bind->arg_types[0], false, run_abs, err);
}

static void run_sign(struct function_call *call)
{
    const struct type *type = call->args[0]->type;
    decimal128 one = decimal_pow10(type->root == TYPE_DECIMAL ? type->scale : 0);
    switch (type_physical(type)) {
    case PHYS_I8:
        NUMBER_LOOP(int8_t, (x > 0) - (x < 0));
        break;
    case PHYS_I16:
        NUMBER_LOOP(int16_t, (x > 0) - (x < 0));
        break;
    case PHYS_I32:
        NUMBER_LOOP(int32_t, (x > 0) - (x < 0));
        break;
    case PHYS_I64:
        NUMBER_LOOP(int64_t, ((x > 0) - (x < 0)) * (int64_t)one);
        break;
    case PHYS_I128:
        NUMBER_LOOP(decimal128, ((x > 0) - (x < 0)) * one);
        break;
    case PHYS_F32:
        NUMBER_LOOP(float, isnan(x) ? x : (float)((x > 0) - (x < 0)));
        break;
    default:
        NUMBER_LOOP(double, isnan(x) ? x : (double)((x > 0) - (x < 0)));
        break;
    }
    /* DECIMAL(p, p) has no 1. */
    if (type->root == TYPE_DECIMAL && type->scale == type->precision)
        CALL_ROWS(call, row)
        {
            if (arg_decimal(call->args[0], row) != 0)
                call_set_null(call, row);
        }
}

static enum status bind_sign(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "SIGN", "n", "a number", err));
    const struct type *type = bind->arg_types[0];
    bool may_not_fit = type->root == TYPE_DECIMAL && type->scale == type->precision;
    return bind_result(bind, type, may_not_fit, run_sign, err);
}

/* ---- random numbers ---- */

/* java.util.Random: a linear congruential generator modulo 2^48. */
#define JAVA_MULTIPLIER UINT64_C(0x5deece66d)
#define JAVA_INCREMENT  UINT64_C(0xb)
#define JAVA_MASK       ((UINT64_C(1) << 48) - 1)

/* Shared by all evaluators of the program: each takes the next stretch of the one sequence. */
struct random_sequence {
    uint64_t start; /* scrambled seed */
    _Atomic uint64_t drawn;
};

static uint64_t java_scramble(int64_t seed)
{
    return ((uint64_t)seed ^ JAVA_MULTIPLIER) & JAVA_MASK;
}

/* `steps` applications of the generator at once, by squaring. */
static uint64_t java_skip(uint64_t state, uint64_t steps)
{
    uint64_t multiplier = JAVA_MULTIPLIER, increment = JAVA_INCREMENT;
    for (; steps > 0; steps >>= 1) {
        if (steps & 1)
            state = state * multiplier + increment;
        increment *= multiplier + 1;
        multiplier *= multiplier;
    }
    return state & JAVA_MASK;
}

static uint32_t java_next(uint64_t *state, int bits)
{
    *state = (*state * JAVA_MULTIPLIER + JAVA_INCREMENT) & JAVA_MASK;
    return (uint32_t)(*state >> (48 - bits));
}

static double java_next_double(uint64_t *state)
{
    uint64_t high = (uint64_t)java_next(state, 26) << 27;
    return (double)(high + java_next(state, 27)) * 0x1.0p-53;
}

static int32_t java_next_int(uint64_t *state, int32_t bound)
{
    int32_t value = (int32_t)java_next(state, 31);
    if ((bound & (bound - 1)) == 0)
        return (int32_t)(((int64_t)bound * value) >> 31);
    int32_t rest = value % bound;
    while ((int64_t)value - rest + (bound - 1) > INT32_MAX) {
        value = (int32_t)java_next(state, 31);
        rest = value % bound;
    }
    return rest;
}

/* The state at which this evaluation begins to draw; draws_each numbers a row at most matter. */
static uint64_t sequence_take(struct function_call *call, uint32_t draws_each)
{
    struct random_sequence *sequence = (struct random_sequence *)(uintptr_t)call->state;
    if (sequence) {
        uint64_t before = atomic_fetch_add(&sequence->drawn, (uint64_t)call->count * draws_each);
        return java_skip(sequence->start, before);
    }
    /* splitmix64, so that neighbouring states do not give neighbouring sequences. */
    uint64_t mixed = call->context->random_state += UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
    return (mixed ^ mixed >> 31) & JAVA_MASK;
}

static void run_rand(struct function_call *call)
{
    double *out = call->out->values;
    uint64_t state = sequence_take(call, 2);
    CALL_ROWS(call, row)
    out[row] = java_next_double(&state);
}

/* The seed is a column: each row is the first number of its own sequence. */
static void run_rand_seeds(struct function_call *call)
{
    double *out = call->out->values;
    CALL_ROWS(call, row)
    {
        uint64_t state = java_scramble((int32_t)arg_i64(call->args[0], row));
        out[row] = java_next_double(&state);
    }
}

static enum status bind_seed(struct function_bind *bind, struct error *err)
{
    int64_t seed;
    if (!bind_constant_integer(bind, 0, &seed))
        return OK;
    struct random_sequence *sequence = ARENA_NEW(bind->arena, struct random_sequence);
    if (sequence)
        sequence->start = java_scramble((int32_t)seed);
    bind->state = sequence;
    return bind_check(bind, err);
}

static enum status bind_rand(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "RAND", "i", "an integer seed", err));
    if (bind->arg_count == 1)
        TRY(bind_seed(bind, err));
    bool seeds = bind->arg_count == 1 && !bind->state;
    return bind_result(bind, &TYPE_OF_DOUBLE, false, seeds ? run_rand_seeds : run_rand, err);
}

static void run_rand_integer(struct function_call *call)
{
    int32_t *out = call->out->values;
    const struct vec *bounds = call->args[call->arg_count - 1];
    uint64_t state = sequence_take(call, 1);
    bool seeds = call->arg_count == 2 && !call->state;
    CALL_ROWS(call, row)
    {
        int64_t bound = arg_i64(bounds, row);
        if (bound < 1 || bound > INT32_MAX) {
            call_fail(call, row, ERR_RANGE, "RAND_INTEGER: the bound must be positive");
            continue;
        }
        if (seeds)
            state = java_scramble((int32_t)arg_i64(call->args[0], row));
        out[row] = java_next_int(&state, (int32_t)bound);
    }
}

static enum status bind_rand_integer(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "RAND_INTEGER", "i", "[an integer seed and] an integer bound", err));
    if (bind->arg_count == 2)
        TRY(bind_seed(bind, err));
    return bind_result(bind, &TYPE_OF_INT, false, run_rand_integer, err);
}

static void run_uuid(struct function_call *call)
{
    static const char hex[] = "0123456789abcdef";
    CALL_ROWS(call, row)
    {
        uint64_t halves[2];
        for (int i = 0; i < 2; i++) {
            uint64_t mixed = call->context->random_state += UINT64_C(0x9e3779b97f4a7c15);
            mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
            mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
            halves[i] = mixed ^ mixed >> 31;
        }
        halves[0] = (halves[0] & ~UINT64_C(0xf000)) | UINT64_C(0x4000);          /* version 4 */
        halves[1] = (halves[1] & ((UINT64_C(1) << 62) - 1)) | UINT64_C(1) << 63; /* variant 1 */
        char text[36], *next = text;
        for (int digit = 0; digit < 32; digit++) {
            if (digit == 8 || digit == 12 || digit == 16 || digit == 20)
                *next++ = '-';
            *next++ = hex[halves[digit / 16] >> (60 - digit % 16 * 4) & 15];
        }
        if (!call_set_text(call, row, text, sizeof text))
            return;
    }
}

static enum status bind_uuid(struct function_bind *bind, struct error *err)
{
    return bind_result(bind, type_text(bind->arena, TYPE_CHAR, 36, false), false, run_uuid, err);
}

#define STRICT FUNCTION_STRICT
#define RANDOM FUNCTION_NONDETERMINISTIC

const struct function_def FUNCTIONS_MATH[] = {
    {"ABS", "ABS(number)", "The number without its sign.", "math", STRICT, 1, 1, bind_abs},
    {"ACOS", "ACOS(number)", "Arc cosine.", "math", STRICT, 1, 1, bind_ACOS},
    {"ASIN", "ASIN(number)", "Arc sine.", "math", STRICT, 1, 1, bind_ASIN},
    {"ATAN", "ATAN(number)", "Arc tangent.", "math", STRICT, 1, 1, bind_ATAN},
    {"ATAN2", "ATAN2(y, x)", "The angle of the point (x, y).", "math", STRICT, 2, 2, bind_ATAN2},
    {"COS", "COS(number)", "Cosine.", "math", STRICT, 1, 1, bind_COS},
    {"COSH", "COSH(number)", "Hyperbolic cosine.", "math", STRICT, 1, 1, bind_COSH},
    {"COT", "COT(number)", "Cotangent.", "math", STRICT, 1, 1, bind_COT},
    {"DEGREES", "DEGREES(number)", "Radians as degrees.", "math", STRICT, 1, 1, bind_DEGREES},
    {"E", "E()", "The base of natural logarithms.", "math", STRICT, 0, 0, bind_e},
    {"EXP", "EXP(number)", "e to the power of the number.", "math", STRICT, 1, 1, bind_EXP},
    {"LN", "LN(number)", "Natural logarithm.", "math", STRICT, 1, 1, bind_LN},
    {"LOG", "LOG([base,] number)", "Logarithm to the base; natural without one.", "math", STRICT, 1,
     2, bind_log},
    {"LOG10", "LOG10(number)", "Logarithm to the base 10.", "math", STRICT, 1, 1, bind_LOG10},
    {"LOG2", "LOG2(number)", "Logarithm to the base 2.", "math", STRICT, 1, 1, bind_LOG2},
    {"PI", "PI()", "The ratio of a circle's circumference to its diameter.", "math", STRICT, 0, 0,
     bind_pi},
    {"POWER", "POWER(base, exponent)", "base to the power of exponent.", "math", STRICT, 2, 2,
     bind_POWER},
    {"RADIANS", "RADIANS(number)", "Degrees as radians.", "math", STRICT, 1, 1, bind_RADIANS},
    {"RAND", "RAND([seed])",
     "A random number from 0 up to below 1; with a constant seed always the same sequence.", "math",
     STRICT | RANDOM, 0, 1, bind_rand},
    {"RAND_INTEGER", "RAND_INTEGER([seed,] bound)",
     "A random integer from 0 up to below the bound; with a constant seed always the same "
     "sequence.",
     "math", STRICT | RANDOM | FUNCTION_CAN_FAIL, 1, 2, bind_rand_integer},
    {"SIGN", "SIGN(number)", "-1, 0 or 1 in the type of the number.", "math", STRICT, 1, 1,
     bind_sign},
    {"SIN", "SIN(number)", "Sine.", "math", STRICT, 1, 1, bind_SIN},
    {"SINH", "SINH(number)", "Hyperbolic sine.", "math", STRICT, 1, 1, bind_SINH},
    {"SQRT", "SQRT(number)", "Square root.", "math", STRICT, 1, 1, bind_SQRT},
    {"TAN", "TAN(number)", "Tangent.", "math", STRICT, 1, 1, bind_TAN},
    {"TANH", "TANH(number)", "Hyperbolic tangent.", "math", STRICT, 1, 1, bind_TANH},
    {"UUID", "UUID()", "A random UUID (version 4).", "string", STRICT | RANDOM, 0, 0, bind_uuid},
};
const size_t FUNCTIONS_MATH_COUNT = sizeof FUNCTIONS_MATH / sizeof *FUNCTIONS_MATH;
