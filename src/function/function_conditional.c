/* function_conditional.c - GREATEST, LEAST and the tests of texts.
 *
 * Does not: CASE, COALESCE, IF, NULLIF (expr/: they decide which rows are evaluated).
 */
#include <utf8proc.h>

#include "function/bind_args.h"
#include "function/families.h"

/* ---- GREATEST, LEAST: all arguments have one type ---- */

#define BEST_LOOP(T, BETTER)                                                                       \
    CALL_ROWS(call, row)                                                                           \
    {                                                                                              \
        const T *best = (const T *)call->args[0]->values + (row & arg_mask(call->args[0]));        \
        for (uint32_t i = 1; i < call->arg_count; i++) {                                           \
            const T *next = (const T *)call->args[i]->values + (row & arg_mask(call->args[i]));    \
            if (greatest ? BETTER(next, best) : BETTER(best, next))                                \
                best = next;                                                                       \
        }                                                                                          \
        ((T *)call->out->values)[row] = *best;                                                     \
    }

#define NUMBER_GREATER(a, b) (*(a) > *(b))
/* As Double.compare: NaN is the largest, -0.0 below 0.0. */
#define FLOAT_GREATER(a, b)  float_greater(*(a), *(b))

static bool float_greater(double a, double b)
{
    if (a != a || b != b)
        return a != a && b == b;
    if (a == 0 && b == 0)
        return !__builtin_signbit(a) && __builtin_signbit(b);
    return a > b;
}

static void best_text(struct function_call *call, bool greatest)
{
    CALL_ROWS(call, row)
    {
        const struct vec *best = call->args[0];
        for (uint32_t i = 1; i < call->arg_count; i++) {
            int order = view_compare(arg_view(call->args[i], row), arg_view(best, row));
            if (greatest ? order > 0 : order < 0)
                best = call->args[i];
        }
        struct str text = arg_str(best, row);
        if (!call_share_text(call, row, best, text.data, text.length))
            return;
    }
}

static void run_best(struct function_call *call, bool greatest)
{
    switch (type_physical(call->args[0]->type)) {
    case PHYS_BOOL:
        BEST_LOOP(uint8_t, NUMBER_GREATER)
        break;
    case PHYS_I8:
        BEST_LOOP(int8_t, NUMBER_GREATER)
        break;
    case PHYS_I16:
        BEST_LOOP(int16_t, NUMBER_GREATER)
        break;
    case PHYS_I32:
        BEST_LOOP(int32_t, NUMBER_GREATER)
        break;
    case PHYS_I64:
        BEST_LOOP(int64_t, NUMBER_GREATER)
        break;
    case PHYS_I128:
        BEST_LOOP(decimal128, NUMBER_GREATER)
        break;
    case PHYS_F32:
        BEST_LOOP(float, FLOAT_GREATER)
        break;
    case PHYS_F64:
        BEST_LOOP(double, FLOAT_GREATER)
        break;
    default:
        best_text(call, greatest);
    }
}

static void run_greatest(struct function_call *call)
{
    run_best(call, true);
}

static void run_least(struct function_call *call)
{
    run_best(call, false);
}

static enum status bind_best(struct function_bind *bind, const char *name, function_kernel kernel,
                             struct error *err)
{
    const struct type *type = function_common_type(bind->arena, bind->arg_types, bind->arg_count);
    TRY(bind_check(bind, err));
    if (!type || type->root == TYPE_NULL || type->child_count > 0)
        return bind_type_error(bind, name, "values of one comparable type", err);
    for (uint32_t i = 0; i < bind->arg_count; i++) {
        bool nullable = bind->arg_types[i]->nullable;
        bind->arg_types[i] = type_with_nullable(bind->arena, type, nullable);
        TRY(bind_check(bind, err));
    }
    return bind_result(bind, type, false, kernel, err);
}

static enum status bind_greatest(struct function_bind *bind, struct error *err)
{
    return bind_best(bind, "GREATEST", run_greatest, err);
}

static enum status bind_least(struct function_bind *bind, struct error *err)
{
    return bind_best(bind, "LEAST", run_least, err);
}

/* ---- IS_ALPHA, IS_DIGIT, IS_DECIMAL ---- */

/* Every code point is of a category from `first` to `last`; an empty text is not. */
static bool all_in(struct str text, utf8proc_category_t first, utf8proc_category_t last)
{
    for (size_t at = 0; at < text.length;) {
        utf8proc_int32_t code;
        utf8proc_ssize_t taken = utf8proc_iterate((const utf8proc_uint8_t *)text.data + at,
                                                  (utf8proc_ssize_t)(text.length - at), &code);
        utf8proc_category_t category = taken < 1 ? UTF8PROC_CATEGORY_CN : utf8proc_category(code);
        if (category < first || category > last)
            return false;
        at += (size_t)taken;
    }
    return text.length > 0;
}

static bool is_alpha(struct str text)
{
    return all_in(text, UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LO);
}

static bool is_digit(struct str text)
{
    return all_in(text, UTF8PROC_CATEGORY_ND, UTF8PROC_CATEGORY_ND);
}

/* What Java's Double.parseDouble takes: blanks around, and f or d behind the number. */
static bool is_decimal(struct str text)
{
    double ignored;
    text = str_trim(text);
    if (str_eq(text, STR("NaN")) || str_eq(text, STR("Infinity")) ||
        str_eq(text, STR("+Infinity")) || str_eq(text, STR("-Infinity")))
        return true;
    if (text.length > 1 && memchr("fFdD", text.data[text.length - 1], 4))
        text.length--;
    for (size_t i = 0; i < text.length; i++) /* "inf" and "nan" are no numbers in Java */
        if (!memchr("0123456789+-.eE", text.data[i], 15))
            return false;
    return text.length > 0 && str_to_f64(text, &ignored);
}

#define TEXT_TEST(name)                                                                            \
    static void run_##name(struct function_call *call)                                             \
    {                                                                                              \
        uint8_t *out = call->out->values;                                                          \
        CALL_ROWS(call, row)                                                                       \
        out[row] = name(arg_str(call->args[0], row));                                              \
    }
TEXT_TEST(is_alpha)
TEXT_TEST(is_digit)
TEXT_TEST(is_decimal)

static void run_true(struct function_call *call)
{
    uint8_t *out = call->out->values;
    CALL_ROWS(call, row)
    out[row] = 1;
}

static void run_false(struct function_call *call)
{
    uint8_t *out = call->out->values;
    CALL_ROWS(call, row)
    out[row] = 0;
}

/* Of values that are no texts the type decides. */
static enum status bind_test(struct function_bind *bind, function_kernel of_text, bool of_type,
                             struct error *err)
{
    function_kernel kernel = of_text;
    if (!type_is_text(bind->arg_types[0]) && bind->arg_types[0]->root != TYPE_NULL)
        kernel = of_type ? run_true : run_false;
    TRY(bind_args(bind, "", "*", "a value", err));
    return bind_result(bind, &TYPE_OF_BOOLEAN, false, kernel, err);
}

static enum status bind_is_alpha(struct function_bind *bind, struct error *err)
{
    return bind_test(bind, run_is_alpha, false, err);
}

static enum status bind_is_digit(struct function_bind *bind, struct error *err)
{
    return bind_test(bind, run_is_digit, type_is_integer(bind->arg_types[0]), err);
}

static enum status bind_is_decimal(struct function_bind *bind, struct error *err)
{
    return bind_test(bind, run_is_decimal, type_is_numeric(bind->arg_types[0]), err);
}

#define STRICT FUNCTION_STRICT

const struct function_def FUNCTIONS_CONDITIONAL[] = {
    {"GREATEST", "GREATEST(value [, value]...)",
     "The largest of the values; NULL when one of them is NULL.", "conditional", STRICT, 1,
     FUNCTION_ARGS_MAX, bind_greatest},
    {"IS_ALPHA", "IS_ALPHA(string)", "TRUE when all characters are letters.", "conditional", STRICT,
     1, 1, bind_is_alpha},
    {"IS_DECIMAL", "IS_DECIMAL(string)", "TRUE when the text can be read as a number.",
     "conditional", STRICT, 1, 1, bind_is_decimal},
    {"IS_DIGIT", "IS_DIGIT(string)", "TRUE when all characters are digits.", "conditional", STRICT,
     1, 1, bind_is_digit},
    {"LEAST", "LEAST(value [, value]...)",
     "The smallest of the values; NULL when one of them is NULL.", "conditional", STRICT, 1,
     FUNCTION_ARGS_MAX, bind_least},
};
const size_t FUNCTIONS_CONDITIONAL_COUNT =
    sizeof FUNCTIONS_CONDITIONAL / sizeof *FUNCTIONS_CONDITIONAL;
