/* function_compare.c - =, <>, <, <=, >, >= over all types, IS [NOT] DISTINCT FROM.
 *
 * Both sides are coerced to one type first, so a kernel compares values of one physical form; > and
 * >= are < and <= with the arguments exchanged. DECIMALs whose common type would not fit 38 digits
 * are compared at their own scales. Text compares by bytes, which is the order of code points. NaN
 * equals nothing, as Java's primitive comparison in Flink's generated code. Nested values: = and <>
 * only.
 */
#include "base/must.h"
#include "function/families.h"
#include "function/kernel_loops.h"

enum compare_op { COMPARE_EQ, COMPARE_NE, COMPARE_LT, COMPARE_LE, COMPARE_GT, COMPARE_GE };

#define FAST_FOR_TYPE(suffix, T)                                                                   \
    BINARY_KERNEL(eq_##suffix, T, uint8_t, x == y)                                                 \
    BINARY_KERNEL(ne_##suffix, T, uint8_t, x != y)                                                 \
    BINARY_KERNEL(lt_##suffix, T, uint8_t, x < y)                                                  \
    BINARY_KERNEL(le_##suffix, T, uint8_t, x <= y)
#define SLOW_FOR_TYPE(suffix, T)                                                                   \
    SLOW_KERNEL(eq_##suffix, T, uint8_t, x == y)                                                   \
    SLOW_KERNEL(ne_##suffix, T, uint8_t, x != y)                                                   \
    SLOW_KERNEL(lt_##suffix, T, uint8_t, x < y)                                                    \
    SLOW_KERNEL(le_##suffix, T, uint8_t, x <= y)

FAST_FOR_TYPE(i32, int32_t)
FAST_FOR_TYPE(i64, int64_t)
FAST_FOR_TYPE(f64, double)
SLOW_FOR_TYPE(i8, int8_t)
SLOW_FOR_TYPE(i16, int16_t)
SLOW_FOR_TYPE(i128, decimal128)
SLOW_FOR_TYPE(f32, float)

#define TEXT_KERNEL(name, EXPR)                                                                    \
    static void name(struct function_call *call)                                                   \
    {                                                                                              \
        const struct view *a = call->args[0]->values, *b = call->args[1]->values;                  \
        uint32_t mask_a = arg_mask(call->args[0]), mask_b = arg_mask(call->args[1]);               \
        uint8_t *r = call->out->values;                                                            \
        CALL_ROWS(call, row)                                                                       \
        {                                                                                          \
            const struct view *x = &a[row & mask_a], *y = &b[row & mask_b];                        \
            r[row] = EXPR;                                                                         \
        }                                                                                          \
    }
TEXT_KERNEL(lt_text, view_compare(x, y) < 0)
TEXT_KERNEL(le_text, view_compare(x, y) <= 0)

struct words { /* a view as two integers: length and prefix, the rest */
    uint64_t low, high;
};

static struct words words_of(const struct view *view)
{
    struct words words;
    memcpy(&words, view, sizeof(words));
    return words;
}

/* Inline texts are equal when their views are; longer ones also when their bytes are. */
static void equal_texts(struct function_call *call, uint8_t flip)
{
    const struct view *a = call->args[0]->values, *b = call->args[1]->values;
    uint32_t mask_a = arg_mask(call->args[0]), mask_b = arg_mask(call->args[1]);
    uint8_t *r = call->out->values;
    CALL_ROWS(call, row)
    {
        const struct view *x = &a[row & mask_a], *y = &b[row & mask_b];
        struct words p = words_of(x), q = words_of(y);
        bool equal = p.low == q.low && p.high == q.high;
        if (!equal && p.low == q.low && x->length > VIEW_INLINE_MAX)
            equal = memcmp(x->data, y->data, x->length) == 0;
        r[row] = equal ^ flip;
    }
}

/* The commonest: a column with a short constant. */
KERNEL_CLONES static void equal_short(const struct view *restrict column, struct words wanted,
                                      uint8_t flip, uint8_t *restrict r, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct words words = words_of(&column[i]);
        r[i] = (uint8_t)(((words.low == wanted.low) & (words.high == wanted.high)) ^ flip);
    }
}

static void compare_texts(struct function_call *call, uint8_t flip)
{
    const struct vec *a = call->args[0], *b = call->args[1];
    bool constant_a = a->form == VEC_CONSTANT, constant_b = b->form == VEC_CONSTANT;
    const struct view *constant = constant_b ? b->values : a->values;
    if (!call->selection && constant_a != constant_b && constant->length <= VIEW_INLINE_MAX)
        equal_short(constant_b ? a->values : b->values, words_of(constant), flip, call->out->values,
                    call->count);
    else
        equal_texts(call, flip);
}
static void eq_text(struct function_call *call)
{
    compare_texts(call, 0);
}
static void ne_text(struct function_call *call)
{
    compare_texts(call, 1);
}

#define EXACT_KERNEL(name, OP)                                                                     \
    static void name(struct function_call *call)                                                   \
    {                                                                                              \
        const struct vec *a = call->args[0], *b = call->args[1];                                   \
        unsigned scale_a = exact_scale(a->type), scale_b = exact_scale(b->type);                   \
        uint8_t *r = call->out->values;                                                            \
        CALL_ROWS(call, row)                                                                       \
        r[row] = decimal_compare(arg_decimal(a, row), scale_a, arg_decimal(b, row), scale_b) OP 0; \
    }
EXACT_KERNEL(eq_exact, ==)
EXACT_KERNEL(ne_exact, !=)
EXACT_KERNEL(lt_exact, <)
EXACT_KERNEL(le_exact, <=)

static void nested_equal(struct function_call *call, bool wanted)
{
    uint8_t *r = call->out->values;
    CALL_ROWS(call, row)
    {
        struct datum a, b;
        datum_get(&a, call->args[0], row);
        datum_get(&b, call->args[1], row);
        r[row] = datum_equals(&a, &b) == wanted;
    }
}
static void eq_nested(struct function_call *call)
{
    nested_equal(call, true);
}
static void ne_nested(struct function_call *call)
{
    nested_equal(call, false);
}

/* eq, ne, lt, le by physical form; NULL: there is no order. */
static const function_kernel kernels[][4] = {
    [PHYS_BOOL] = {eq_i8, ne_i8, lt_i8, le_i8},
    [PHYS_I8] = {eq_i8, ne_i8, lt_i8, le_i8},
    [PHYS_I16] = {eq_i16, ne_i16, lt_i16, le_i16},
    [PHYS_I32] = {eq_i32, ne_i32, lt_i32, le_i32},
    [PHYS_I64] = {eq_i64, ne_i64, lt_i64, le_i64},
    [PHYS_I128] = {eq_i128, ne_i128, lt_i128, le_i128},
    [PHYS_F32] = {eq_f32, ne_f32, lt_f32, le_f32},
    [PHYS_F64] = {eq_f64, ne_f64, lt_f64, le_f64},
    [PHYS_VIEW] = {eq_text, ne_text, lt_text, le_text},
    [PHYS_LIST] = {eq_nested, ne_nested, NULL, NULL},
    [PHYS_ROW] = {eq_nested, ne_nested, NULL, NULL},
};
static const function_kernel exact_kernels[4] = {eq_exact, ne_exact, lt_exact, le_exact};

/* > and >= : the kernel of < or <= with the arguments exchanged; state points to it. */
static void exchanged(struct function_call *call)
{
    const function_kernel *kernel = call->state;
    const struct vec *args[] = {call->args[1], call->args[0]};
    struct function_call inner = *call;
    inner.args = args;
    (*kernel)(&inner);
    call->status = inner.status;
}

/* Text against a number, BOOLEAN or time is read as such. */
static bool takes_text(const struct type *type)
{
    return type->root != TYPE_NULL && type->root < TYPE_INTERVAL_YEAR_MONTH &&
           !type_is_text(type) && !type_is_bytes(type);
}

/* A common DECIMAL would need more than 38 digits. */
static bool exceeds_decimal(const struct type *a, const struct type *b)
{
    if (!type_is_exact(a) || !type_is_exact(b))
        return false;
    unsigned scale_a = exact_scale(a), scale_b = exact_scale(b);
    unsigned whole_a = exact_precision(a) - scale_a, whole_b = exact_precision(b) - scale_b;
    unsigned whole = whole_a > whole_b ? whole_a : whole_b;
    return whole + (scale_a > scale_b ? scale_a : scale_b) > DECIMAL_PRECISION_MAX;
}

/* Coerces both sides; *table is the row of kernels for them. False: not comparable. */
static bool unify(struct function_bind *bind, const function_kernel **table)
{
    const struct type *a = bind->arg_types[0], *b = bind->arg_types[1];
    if (type_is_text(a) && takes_text(b))
        a = type_with_nullable(bind->arena, b, a->nullable);
    else if (type_is_text(b) && takes_text(a))
        b = type_with_nullable(bind->arena, a, b->nullable);
    bind->arg_types[0] = a;
    bind->arg_types[1] = b;
    if (exceeds_decimal(a, b)) {
        *table = exact_kernels;
        return true;
    }
    const struct type *types[] = {a, b};
    const struct type *common = function_common_type(bind->arena, types, 2);
    if (!common)
        return false;
    *table = kernels[type_physical(common)];
    if (type_is_text(common) || type_is_bytes(common))
        common = NULL; /* lengths do not matter: nothing to coerce but NULL */
    for (int i = 0; i < 2; i++)
        if (common || types[i]->root == TYPE_NULL)
            bind->arg_types[i] =
                type_with_nullable(bind->arena, common ? common : types[1 - i], types[i]->nullable);
    return true;
}

static enum status bind_compare(struct function_bind *bind, enum compare_op op, const char *name,
                                struct error *err)
{
    const function_kernel *table = NULL;
    enum compare_op base = op >= COMPARE_GT ? op - COMPARE_GT + COMPARE_LT : op;
    bool comparable = unify(bind, &table);
    TRY(bind_check(bind, err));
    if (!comparable)
        return bind_type_error(bind, name, "two values of comparable types", err);
    if (!table[base])
        return bind_type_error(bind, name, "values that have an order", err);
    bind->result = bind_nullable(bind, &TYPE_OF_BOOLEAN);
    bind->kernel = op >= COMPARE_GT ? exchanged : table[base];
    bind->state = &table[base];
    return bind_check(bind, err);
}

#define BIND_COMPARE(name, op, sign)                                                               \
    static enum status name(struct function_bind *bind, struct error *err)                         \
    {                                                                                              \
        return bind_compare(bind, op, sign, err);                                                  \
    }
BIND_COMPARE(bind_eq, COMPARE_EQ, "=")
BIND_COMPARE(bind_ne, COMPARE_NE, "<>")
BIND_COMPARE(bind_lt, COMPARE_LT, "<")
BIND_COMPARE(bind_le, COMPARE_LE, "<=")
BIND_COMPARE(bind_gt, COMPARE_GT, ">")
BIND_COMPARE(bind_ge, COMPARE_GE, ">=")

/* ---- IS [NOT] DISTINCT FROM: NULL is a value like others ---- */

static void not_distinct(struct function_call *call, bool wanted)
{
    const function_kernel *equal = call->state;
    uint8_t *r = call->out->values;
    (*equal)(call);
    CALL_ROWS(call, row)
    {
        bool valid_a = arg_valid(call->args[0], row), valid_b = arg_valid(call->args[1], row);
        bool same = valid_a && valid_b ? r[row] : valid_a == valid_b;
        r[row] = same == wanted;
    }
}
static void is_distinct(struct function_call *call)
{
    not_distinct(call, false);
}
static void is_not_distinct(struct function_call *call)
{
    not_distinct(call, true);
}

static enum status bind_distinct(struct function_bind *bind, function_kernel kernel,
                                 const char *name, struct error *err)
{
    TRY(bind_compare(bind, COMPARE_EQ, name, err));
    bind->kernel = kernel;
    bind->result = type_with_nullable(bind->arena, &TYPE_OF_BOOLEAN, false);
    return bind_check(bind, err);
}
static enum status bind_is_distinct(struct function_bind *bind, struct error *err)
{
    return bind_distinct(bind, is_distinct, "IS DISTINCT FROM", err);
}
static enum status bind_is_not_distinct(struct function_bind *bind, struct error *err)
{
    return bind_distinct(bind, is_not_distinct, "IS NOT DISTINCT FROM", err);
}

#define COMPARE_FLAGS (FUNCTION_STRICT | FUNCTION_ANY_VALUE)
const struct function_def FUNCTIONS_COMPARE[] = {
    {"=", "value1 = value2", "TRUE when both are equal.", "comparison", COMPARE_FLAGS, 2, 2,
     bind_eq},
    {"<>", "value1 <> value2", "TRUE when they are not equal.", "comparison", COMPARE_FLAGS, 2, 2,
     bind_ne},
    {"<", "value1 < value2", "TRUE when the first is less.", "comparison", COMPARE_FLAGS, 2, 2,
     bind_lt},
    {"<=", "value1 <= value2", "TRUE when the first is less or equal.", "comparison", COMPARE_FLAGS,
     2, 2, bind_le},
    {">", "value1 > value2", "TRUE when the first is greater.", "comparison", COMPARE_FLAGS, 2, 2,
     bind_gt},
    {">=", "value1 >= value2", "TRUE when the first is greater or equal.", "comparison",
     COMPARE_FLAGS, 2, 2, bind_ge},
    {"IS DISTINCT FROM", "value1 IS DISTINCT FROM value2",
     "TRUE when they differ; two NULLs are the same.", "comparison", 0, 2, 2, bind_is_distinct},
    {"IS NOT DISTINCT FROM", "value1 IS NOT DISTINCT FROM value2",
     "TRUE when they are the same; two NULLs are.", "comparison", 0, 2, 2, bind_is_not_distinct},
};
const size_t FUNCTIONS_COMPARE_COUNT = COUNT_OF(FUNCTIONS_COMPARE);
