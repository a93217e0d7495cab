/* select.c - CASE with one WHEN whose parts are cheap and cannot fail: both branches are computed
 * for all rows and one value is taken, which costs less than narrowing twice. */
#include "base/must.h"
#include "expr/expr_int.h"
#include "function/kernel_loops.h"

#define SELECT_LOOPS(bits, T)                                                                      \
    KERNEL_CLONES static void select_vv_##bits(const uint8_t *restrict c, const T *restrict x,     \
                                               const T *restrict y, T *restrict r, uint32_t n)     \
    {                                                                                              \
        for (uint32_t i = 0; i < n; i++)                                                           \
            r[i] = c[i] ? x[i] : y[i];                                                             \
    }                                                                                              \
    KERNEL_CLONES static void select_vc_##bits(const uint8_t *restrict c, const T *restrict x,     \
                                               T y, T *restrict r, uint32_t n)                     \
    {                                                                                              \
        for (uint32_t i = 0; i < n; i++)                                                           \
            r[i] = c[i] ? x[i] : y;                                                                \
    }                                                                                              \
    KERNEL_CLONES static void select_cv_##bits(const uint8_t *restrict c, T x,                     \
                                               const T *restrict y, T *restrict r, uint32_t n)     \
    {                                                                                              \
        for (uint32_t i = 0; i < n; i++)                                                           \
            r[i] = c[i] ? x : y[i];                                                                \
    }                                                                                              \
    KERNEL_CLONES static void select_cc_##bits(const uint8_t *restrict c, T x, T y, T *restrict r, \
                                               uint32_t n)                                         \
    {                                                                                              \
        for (uint32_t i = 0; i < n; i++)                                                           \
            r[i] = c[i] ? x : y;                                                                   \
    }                                                                                              \
    static void select_all_##bits(const uint8_t *c, const struct vec *x, const struct vec *y,      \
                                  struct vec *out, uint32_t n)                                     \
    {                                                                                              \
        bool constant_x = x->form == VEC_CONSTANT, constant_y = y->form == VEC_CONSTANT;           \
        if (constant_x && constant_y)                                                              \
            select_cc_##bits(c, *(const T *)x->values, *(const T *)y->values, out->values, n);     \
        else if (constant_x)                                                                       \
            select_cv_##bits(c, *(const T *)x->values, y->values, out->values, n);                 \
        else if (constant_y)                                                                       \
            select_vc_##bits(c, x->values, *(const T *)y->values, out->values, n);                 \
        else                                                                                       \
            select_vv_##bits(c, x->values, y->values, out->values, n);                             \
    }                                                                                              \
    static void select_rows_##bits(struct function_call *call)                                     \
    {                                                                                              \
        const struct vec *condition = call->args[0], *x = call->args[1], *y = call->args[2];       \
        const uint8_t *c = condition->values;                                                      \
        T *r = call->out->values;                                                                  \
        CALL_ROWS(call, row)                                                                       \
        {                                                                                          \
            bool taken = arg_valid(condition, row) && c[row & arg_mask(condition)];                \
            const struct vec *from = taken ? x : y;                                                \
            r[row] = ((const T *)from->values)[row & arg_mask(from)];                              \
        }                                                                                          \
    }
SELECT_LOOPS(8, uint8_t)
SELECT_LOOPS(16, uint16_t)
SELECT_LOOPS(32, uint32_t)
SELECT_LOOPS(64, uint64_t)
SELECT_LOOPS(128, unsigned __int128)

static void select_validity(struct function_call *call)
{
    const struct vec *condition = call->args[0], *x = call->args[1], *y = call->args[2];
    if (!x->validity && !y->validity)
        return;
    CALL_ROWS(call, row)
    {
        bool taken = arg_valid(condition, row) &&
                     ((const uint8_t *)condition->values)[row & arg_mask(condition)];
        if (!arg_valid(taken ? x : y, row))
            call_set_null(call, row);
    }
}

static void select_copied_texts(struct function_call *call)
{
    const struct vec *condition = call->args[0];
    CALL_ROWS(call, row)
    {
        bool taken = arg_valid(condition, row) &&
                     ((const uint8_t *)condition->values)[row & arg_mask(condition)];
        const struct vec *from = call->args[taken ? 1 : 2];
        struct str text = arg_valid(from, row) ? arg_str(from, row) : (struct str){0};
        call_set_text(call, row, text.data, text.length);
    }
}

static void select_values(struct function_call *call, size_t size, bool all)
{
    const struct vec *x = call->args[1], *y = call->args[2];
    const uint8_t *c = call->args[0]->values;
#define SELECT_SIZE(bits)                                                                          \
    do {                                                                                           \
        if (all)                                                                                   \
            select_all_##bits(c, x, y, call->out, call->count);                                    \
        else                                                                                       \
            select_rows_##bits(call);                                                              \
    } while (0)
    switch (size) {
    case 1:
        SELECT_SIZE(8);
        break;
    case 2:
        SELECT_SIZE(16);
        break;
    case 4:
        SELECT_SIZE(32);
        break;
    case 8:
        SELECT_SIZE(64);
        break;
    default:
        SELECT_SIZE(128);
    }
#undef SELECT_SIZE
}

void kernel_select(struct function_call *call)
{
    const struct vec *condition = call->args[0], *x = call->args[1], *y = call->args[2];
    enum physical physical = type_physical(call->out->type);
    bool all = !call->selection && condition->form == VEC_FLAT && !condition->validity;
    select_validity(call);
    if (physical == PHYS_VIEW &&
        !(vec_share_strings(call->out, x) && vec_share_strings(call->out, y)))
        select_copied_texts(call);
    else
        select_values(call, physical_size_bytes(physical), all);
}
