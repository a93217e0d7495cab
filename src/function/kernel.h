/* kernel.h - what kernels of all families share: walking rows, arguments of either form, results.
 *
 * A kernel's loop reads argument a of row as ((const T *)arg_values)[row & mask], where mask is 0
 * for a CONSTANT argument. Kernels on the hot path have loops of their own per form
 * (kernel_loops.h).
 */
#ifndef LEAT_FUNCTION_KERNEL_H
#define LEAT_FUNCTION_KERNEL_H

#include "function/function.h"

/* for each selected row: CALL_ROWS(call, row) { ... } */
#define CALL_ROWS(call, row)                                                                       \
    for (uint32_t row##_i_ = 0, row;                                                               \
         row##_i_ < (call)->count &&                                                               \
         (row = (call)->selection ? (call)->selection[row##_i_] : row##_i_, true);                 \
         row##_i_++)

static inline uint32_t arg_mask(const struct vec *arg)
{
    return arg->form == VEC_CONSTANT ? 0 : UINT32_MAX;
}
static inline bool arg_valid(const struct vec *arg, uint32_t row)
{
    return bitmap_get(arg->validity, row & arg_mask(arg));
}
static inline const struct view *arg_view(const struct vec *arg, uint32_t row)
{
    return (const struct view *)arg->values + (row & arg_mask(arg));
}
static inline struct str arg_str(const struct vec *arg, uint32_t row)
{
    return view_str(arg_view(arg, row));
}

/* The row's result is NULL. */
void call_set_null(struct function_call *call, uint32_t row);
/* The row has failed: its result is NULL and the error stands in call->errors. */
void call_fail(struct function_call *call, uint32_t row, enum status code, const char *fmt, ...)
    PRINTF_LIKE(4, 5);
/* The row's text result, copied. Without memory call->status is set and false returned. */
bool call_set_text(struct function_call *call, uint32_t row, const char *data, size_t length);
/* The row's text result is (part of) the argument's text: nothing is copied, the argument's string
 * buffers are held. data points into arg's text at row, or is shorter than VIEW_INLINE_MAX + 1. */
bool call_share_text(struct function_call *call, uint32_t row, const struct vec *arg,
                     const char *data, size_t length);

/* DECIMAL of either physical form, or any integer, as 128 bits. */
static inline decimal128 arg_decimal(const struct vec *arg, uint32_t row)
{
    uint32_t at = row & arg_mask(arg);
    switch (type_physical(arg->type)) {
    case PHYS_I8:
        return ((const int8_t *)arg->values)[at];
    case PHYS_I16:
        return ((const int16_t *)arg->values)[at];
    case PHYS_I32:
        return ((const int32_t *)arg->values)[at];
    case PHYS_I128:
        return ((const decimal128 *)arg->values)[at];
    default:
        return ((const int64_t *)arg->values)[at];
    }
}
/* Precision and scale of an exact numeric type: INT counts as DECIMAL(10, 0), as in Flink. */
unsigned exact_precision(const struct type *type);
unsigned exact_scale(const struct type *type);

/* DECIMAL(integer_digits + scale, scale), brought to 38 digits as Flink does: integer digits are
 * kept, the scale falls to what is left but not below min(scale, 6). */
const struct type *decimal_capped(struct arena *arena, unsigned integer_digits, unsigned scale,
                                  bool nullable);

/* Result type with nullability = any argument is nullable. NULL without memory. */
const struct type *bind_nullable(struct function_bind *bind, const struct type *type);
/* ERR_TYPE "NAME does not take TYPE[, TYPE]...: wanted". */
enum status bind_type_error(const struct function_bind *bind, const char *name, const char *wanted,
                            struct error *err);
/* ERR_MEMORY when the arena has failed. */
enum status bind_check(const struct function_bind *bind, struct error *err) STATUS_CHECKED;

#endif
