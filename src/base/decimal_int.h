/* decimal_int.h - 256-bit unsigned integers, for decimal*.c only. */
#ifndef LEAT_BASE_DECIMAL_INT_H
#define LEAT_BASE_DECIMAL_INT_H

#include "base/decimal.h"

struct u256 {
    decimal_u128 low, high;
};

static inline decimal_u128 magnitude(decimal128 value)
{
    return value < 0 ? -(decimal_u128)value : (decimal_u128)value;
}

/* False: the product has more than 256 bits. */
bool u256_mul(struct u256 a, decimal_u128 b, struct u256 *out);
/* Divisor not 0. quotient and remainder may be NULL. */
void u256_divmod(struct u256 a, decimal_u128 divisor, struct u256 *quotient,
                 decimal_u128 *remainder);
int u256_compare(struct u256 a, struct u256 b);

#endif
