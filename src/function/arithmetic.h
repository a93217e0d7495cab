/* arithmetic.h - shared by function_arithmetic.c, arithmetic_decimal.c and arithmetic_time.c.
 */
#ifndef LEAT_FUNCTION_ARITHMETIC_H
#define LEAT_FUNCTION_ARITHMETIC_H

#include "function/kernel_loops.h"

enum arithmetic_op { ARITH_ADD, ARITH_SUB, ARITH_MUL, ARITH_DIV, ARITH_MOD, ARITH_OP_COUNT };
extern const char *const ARITHMETIC_SIGNS[ARITH_OP_COUNT];

/* Both arguments exact, at least one DECIMAL. */
enum status bind_decimal_arithmetic(struct function_bind *bind, enum arithmetic_op op,
                                    struct error *err) STATUS_CHECKED;

/* A temporal or interval argument: *handled false when the types are not of this kind. */
enum status bind_time_arithmetic(struct function_bind *bind, enum arithmetic_op op, bool *handled,
                                 struct error *err) STATUS_CHECKED;

#endif
