/* bind_args.h - binding of functions whose arguments a short text describes, and kernels' common
 * text arguments. Most of Flink's functions take "a text and two integers" and give one type. */
#ifndef LEAT_FUNCTION_BIND_ARGS_H
#define LEAT_FUNCTION_BIND_ARGS_H

#include "function/kernel.h"

/* One letter an argument, the last one for all further arguments:
 *   s  CHAR, VARCHAR; BOOLEAN, numbers and date/time become STRING as by an implicit cast
 *   b  as s, or BINARY, VARBINARY
 *   i  any integer, as BIGINT
 *   d  any number, as DOUBLE
 *   n  any number, as it is
 *   t  TIMESTAMP, TIMESTAMP_LTZ, DATE, as it is
 *   *  anything, as it is
 * A NULL literal becomes the letter's type (for n, t and *: BIGINT, TIMESTAMP(3), STRING). Sets
 * arg_types; ERR_TYPE names the function and `wanted`. */
enum status bind_args(struct function_bind *bind, const char *name, const char *letters,
                      const char *wanted, struct error *err) STATUS_CHECKED;

/* Result and kernel; the result is nullable when an argument is, or always when `nullable`. */
enum status bind_result(struct function_bind *bind, const struct type *type, bool nullable,
                        function_kernel kernel, struct error *err) STATUS_CHECKED;

/* VARCHAR(n) for CHAR(n) and VARCHAR(n); any other type itself. */
const struct type *type_varying(struct arena *arena, const struct type *type);

/* The constant text of argument i; false when it is no constant or NULL. */
bool bind_constant_text(const struct function_bind *bind, uint32_t i, struct str *out);
bool bind_constant_integer(const struct function_bind *bind, uint32_t i, int64_t *out);

static inline int64_t arg_i64(const struct vec *arg, uint32_t row)
{
    return ((const int64_t *)arg->values)[row & arg_mask(arg)];
}
static inline double arg_f64(const struct vec *arg, uint32_t row)
{
    return ((const double *)arg->values)[row & arg_mask(arg)];
}

/* A text result of known or bounded length, written in place: the pointer, or NULL without memory
 * (call->status is set). call_finish_text makes it the row's value; used <= the length asked for.
 */
char *call_text_room(struct function_call *call, size_t length);
void call_finish_text(struct function_call *call, uint32_t row, const char *data, size_t used);

/* Where part (not empty) begins in the text, or NULL: memmem for texts of a few dozen bytes. */
const char *text_find(struct str text, struct str part);

/* Texts longer than this are refused by the functions that multiply (REPEAT, LPAD, REPLACE). */
#define FUNCTION_TEXT_MAX (64u * 1024 * 1024)

#endif
