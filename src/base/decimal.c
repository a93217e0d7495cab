/* decimal.c - exact decimal arithmetic on unscaled 128-bit integers.
 *
 * Does not: text (decimal_text.c), the int64 kernels (function/). Signs are split off first, the
 * rest is unsigned; whatever exceeds 38 digits is reported, never wrapped. Scales are at most 38.
 * Pure functions, any thread.
 */
#include "base/decimal.h"

#include <string.h>

#include "base/decimal_int.h"
#include "base/must.h"

#define TEN_18 ((decimal128)INT64_C(1000000000000000000))

const int64_t DECIMAL_POW10_INT64[19] = {
    1,
    10,
    100,
    1000,
    10000,
    100000,
    1000000,
    10000000,
    100000000,
    1000000000,
    10000000000,
    100000000000,
    1000000000000,
    10000000000000,
    100000000000000,
    1000000000000000,
    10000000000000000,
    100000000000000000,
    1000000000000000000,
};

decimal128 decimal_pow10(unsigned exponent)
{
    must(exponent <= DECIMAL_PRECISION_MAX);
    if (exponent <= 18)
        return DECIMAL_POW10_INT64[exponent];
    if (exponent <= 36)
        return TEN_18 * DECIMAL_POW10_INT64[exponent - 18];
    return TEN_18 * TEN_18 * DECIMAL_POW10_INT64[exponent - 36];
}

bool decimal_fits(decimal128 value, unsigned precision)
{
    return magnitude(value) < (decimal_u128)decimal_pow10(precision);
}

/* Rounds remainder / divisor HALF_UP into the quotient. */
static decimal_u128 round_half_up(decimal_u128 quotient, decimal_u128 remainder,
                                  decimal_u128 divisor)
{
    return quotient + (remainder >= divisor - remainder);
}

static bool finish(decimal_u128 size, bool negative, unsigned precision, decimal128 *out)
{
    if (size >= (decimal_u128)decimal_pow10(precision))
        return false;
    *out = negative ? -(decimal128)size : (decimal128)size;
    return true;
}

/* size * 10^exponent; false when it exceeds 256 bits. exponent <= 76. */
static bool scaled_up(struct u256 size, unsigned exponent, struct u256 *out)
{
    if (exponent > DECIMAL_PRECISION_MAX) {
        if (!u256_mul(size, (decimal_u128)decimal_pow10(DECIMAL_PRECISION_MAX), &size))
            return false;
        exponent -= DECIMAL_PRECISION_MAX;
    }
    return u256_mul(size, (decimal_u128)decimal_pow10(exponent), out);
}

/* A wide value at from_scale to a 128-bit one at to_scale. */
static bool wide_rescale(struct u256 size, unsigned from_scale, unsigned to_scale,
                         decimal_u128 *out)
{
    struct u256 result;
    decimal_u128 rest = 0, divisor = 1;
    if (to_scale >= from_scale) {
        if (!scaled_up(size, to_scale - from_scale, &result))
            return false;
    } else {
        unsigned digits = from_scale - to_scale;
        if (digits > DECIMAL_PRECISION_MAX) { /* cannot round yet: the digits below may decide */
            unsigned first = digits - DECIMAL_PRECISION_MAX;
            decimal_u128 lost;
            u256_divmod(size, (decimal_u128)decimal_pow10(first), &size, &lost);
            digits = DECIMAL_PRECISION_MAX; /* HALF_UP looks at the first dropped digit alone */
        }
        divisor = (decimal_u128)decimal_pow10(digits);
        u256_divmod(size, divisor, &result, &rest);
    }
    if (result.high != 0 || result.low >> 127 != 0)
        return false;
    *out = to_scale >= from_scale ? result.low : round_half_up(result.low, rest, divisor);
    return true;
}

bool decimal_rescale(decimal128 *value, unsigned from_scale, unsigned to_scale)
{
    decimal_u128 size = magnitude(*value);
    return wide_rescale((struct u256){size, 0}, from_scale, to_scale, &size) &&
           finish(size, *value < 0, DECIMAL_PRECISION_MAX, value);
}

static bool add_signed(decimal128 a, unsigned scale_a, decimal128 b, bool negate_b,
                       unsigned scale_b, unsigned out_precision, unsigned out_scale,
                       decimal128 *out)
{
    bool negative_a = a < 0, negative_b = (b < 0) != negate_b;
    unsigned scale = scale_a > scale_b ? scale_a : scale_b;
    struct u256 wide_a, wide_b, sum;
    /* 127 bits times 10^38 (127 bits) fits, so these cannot fail. */
    must(scaled_up((struct u256){magnitude(a), 0}, scale - scale_a, &wide_a));
    must(scaled_up((struct u256){magnitude(b), 0}, scale - scale_b, &wide_b));
    bool negative = negative_a;
    if (negative_a == negative_b) {
        sum.low = wide_a.low + wide_b.low;
        sum.high = wide_a.high + wide_b.high + (sum.low < wide_a.low);
    } else {
        if (u256_compare(wide_a, wide_b) < 0) {
            struct u256 swap = wide_a;
            wide_a = wide_b;
            wide_b = swap;
            negative = negative_b;
        }
        sum.low = wide_a.low - wide_b.low;
        sum.high = wide_a.high - wide_b.high - (wide_a.low < wide_b.low);
    }
    decimal_u128 size;
    return wide_rescale(sum, scale, out_scale, &size) && finish(size, negative, out_precision, out);
}

bool decimal_add(decimal128 a, unsigned scale_a, decimal128 b, unsigned scale_b,
                 unsigned out_precision, unsigned out_scale, decimal128 *out)
{
    return add_signed(a, scale_a, b, false, scale_b, out_precision, out_scale, out);
}

bool decimal_sub(decimal128 a, unsigned scale_a, decimal128 b, unsigned scale_b,
                 unsigned out_precision, unsigned out_scale, decimal128 *out)
{
    return add_signed(a, scale_a, b, true, scale_b, out_precision, out_scale, out);
}

bool decimal_mul(decimal128 a, unsigned scale_a, decimal128 b, unsigned scale_b,
                 unsigned out_precision, unsigned out_scale, decimal128 *out)
{
    struct u256 product;
    decimal_u128 size;
    must(u256_mul((struct u256){magnitude(a), 0}, magnitude(b), &product));
    return wide_rescale(product, scale_a + scale_b, out_scale, &size) &&
           finish(size, (a < 0) != (b < 0), out_precision, out);
}

bool decimal_div(decimal128 a, unsigned scale_a, decimal128 b, unsigned scale_b,
                 unsigned out_precision, unsigned out_scale, decimal128 *out)
{
    if (b == 0)
        return false;
    struct u256 dividend = {magnitude(a), 0}, divisor = {magnitude(b), 0}, quotient;
    decimal_u128 rest;
    unsigned up = out_scale + scale_b;
    if (up >= scale_a) {
        /* Past 256 bits the quotient exceeds 38 digits, as b has at most 38. */
        if (!scaled_up(dividend, up - scale_a, &dividend))
            return false;
    } else if (!scaled_up(divisor, scale_a - up, &divisor) || divisor.high != 0) {
        *out = 0; /* |a| < 2^127, so the quotient is below a half */
        return true;
    }
    u256_divmod(dividend, divisor.low, &quotient, &rest);
    if (quotient.high != 0 || quotient.low >> 127 != 0)
        return false;
    return finish(round_half_up(quotient.low, rest, divisor.low), (a < 0) != (b < 0), out_precision,
                  out);
}

bool decimal_mod(decimal128 a, unsigned scale_a, decimal128 b, unsigned scale_b,
                 unsigned out_precision, unsigned out_scale, decimal128 *out)
{
    if (b == 0)
        return false;
    unsigned scale = scale_a > scale_b ? scale_a : scale_b;
    struct u256 dividend, divisor;
    must(scaled_up((struct u256){magnitude(a), 0}, scale - scale_a, &dividend));
    must(scaled_up((struct u256){magnitude(b), 0}, scale - scale_b, &divisor));
    decimal_u128 size = dividend.low; /* when divisor.high != 0, a was not scaled and is below b */
    if (divisor.high == 0)
        u256_divmod(dividend, divisor.low, NULL, &size);
    return wide_rescale((struct u256){size, 0}, scale, out_scale, &size) &&
           finish(size, a < 0, out_precision, out);
}

int decimal_compare(decimal128 a, unsigned scale_a, decimal128 b, unsigned scale_b)
{
    if (scale_a == scale_b)
        return (a > b) - (a < b);
    if ((a < 0) != (b < 0))
        return a < 0 ? -1 : 1;
    unsigned scale = scale_a > scale_b ? scale_a : scale_b;
    struct u256 wide_a, wide_b;
    must(scaled_up((struct u256){magnitude(a), 0}, scale - scale_a, &wide_a));
    must(scaled_up((struct u256){magnitude(b), 0}, scale - scale_b, &wide_b));
    int order = u256_compare(wide_a, wide_b);
    return a < 0 ? -order : order;
}

#define F64_MANTISSA_BITS 52
#define F64_EXPONENT_BIAS 1075 /* of the mantissa as an integer */

bool decimal_from_f64(double value, unsigned precision, unsigned scale, decimal128 *out)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    bool negative = bits >> 63 != 0;
    int exponent = (int)(bits >> F64_MANTISSA_BITS & 0x7ff);
    uint64_t mantissa = bits & ((UINT64_C(1) << F64_MANTISSA_BITS) - 1);
    if (exponent == 0x7ff)
        return false;
    if (exponent > 0)
        mantissa |= UINT64_C(1) << F64_MANTISSA_BITS;
    else
        exponent = 1;
    int shift = exponent - F64_EXPONENT_BIAS;
    struct u256 size;
    must(scaled_up((struct u256){mantissa, 0}, scale, &size)); /* 53 + 127 bits */
    if (mantissa == 0 || shift < -255) {
        *out = 0;
        return true;
    }
    if (shift >= 0) {
        if (size.high != 0 || shift > 127 ||
            (size.low != 0 && size.low > ((decimal_u128)-1 >> shift)))
            return false;
        return finish(size.low << shift, negative, precision, out);
    }
    unsigned down = (unsigned)-shift;
    decimal_u128 half = down > 128 ? size.high >> (down - 129) & 1 : size.low >> (down - 1) & 1;
    decimal_u128 high = down < 128 ? size.high >> down : 0;
    decimal_u128 low = down < 128    ? size.low >> down | size.high << (128 - down)
                       : down == 128 ? size.high
                                     : size.high >> (down - 128);
    if (high != 0 || low >> 127 != 0)
        return false;
    return finish(low + half, negative, precision, out);
}
