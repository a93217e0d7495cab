/* decimal.h - exact decimal arithmetic on unscaled integers with a type's scale, precision 1 to 38.
 *
 * Values of precision <= 18 are int64_t in vectors, above __int128; here all are __int128 (kernels
 * for the small form live in function/). Rounding is HALF_UP everywhere, as java.math.BigDecimal in
 * Flink. Every operation says whether the result fits: false means NULL in SQL (flink-semantics
 * 5e). Products and quotients are exact before rounding (256-bit intermediate).
 */
#ifndef LEAT_BASE_DECIMAL_H
#define LEAT_BASE_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define DECIMAL_PRECISION_MAX       38
#define DECIMAL_PRECISION_MAX_INT64 18
#define DECIMAL_TEXT_MAX            48 /* sign, 38 digits, point, leading zero */

typedef __int128 decimal128;
typedef unsigned __int128 decimal_u128;

extern const int64_t DECIMAL_POW10_INT64[19]; /* 10^0 .. 10^18 */
decimal128 decimal_pow10(unsigned exponent);  /* exponent <= 38 */

bool decimal_fits(decimal128 value, unsigned precision);

/* Change the scale; HALF_UP when digits go. False: does not fit 38 digits. */
bool decimal_rescale(decimal128 *value, unsigned from_scale, unsigned to_scale);

/* a op b with the given operand scales, rounded to out_scale, checked against out_precision.
 * decimal_div and decimal_mod: false for b = 0 as well (the caller raises division by zero first).
 */
bool decimal_add(decimal128 a, unsigned scale_a, decimal128 b, unsigned scale_b,
                 unsigned out_precision, unsigned out_scale, decimal128 *out);
bool decimal_sub(decimal128 a, unsigned scale_a, decimal128 b, unsigned scale_b,
                 unsigned out_precision, unsigned out_scale, decimal128 *out);
bool decimal_mul(decimal128 a, unsigned scale_a, decimal128 b, unsigned scale_b,
                 unsigned out_precision, unsigned out_scale, decimal128 *out);
bool decimal_div(decimal128 a, unsigned scale_a, decimal128 b, unsigned scale_b,
                 unsigned out_precision, unsigned out_scale, decimal128 *out);
bool decimal_mod(decimal128 a, unsigned scale_a, decimal128 b, unsigned scale_b,
                 unsigned out_precision, unsigned out_scale, decimal128 *out);
int decimal_compare(decimal128 a, unsigned scale_a, decimal128 b,
                    unsigned scale_b); /* any scales */

/* Text "[+-]digits[.digits][e[+-]digits]" to precision and scale, HALF_UP. False: no number
 * (*overflow false) or does not fit (*overflow true; overflow may be NULL). */
bool decimal_parse(struct str text, unsigned precision, unsigned scale, decimal128 *out,
                   bool *overflow);
/* The same for a value that fits int64 (precision <= 18): the JSON and CSV hot path. */
bool decimal_parse_i64(struct str text, unsigned precision, unsigned scale, int64_t *out,
                       bool *overflow);

/* Plain notation with exactly `scale` digits after the point ("-0.50"). Returns the length. */
size_t decimal_format(char *dest, decimal128 value, unsigned scale);

double decimal_to_f64(decimal128 value, unsigned scale);
/* Exact decimal expansion of the double, then HALF_UP (as BigDecimal(double)). */
bool decimal_from_f64(double value, unsigned precision, unsigned scale, decimal128 *out);

#endif
