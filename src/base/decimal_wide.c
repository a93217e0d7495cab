/* decimal_wide.c - the 256-bit arithmetic under products and quotients: schoolbook multiplication
 * and division (Knuth's algorithm D) on 64-bit digits. Pure functions, any thread. */
#include "base/decimal_int.h"

#define LOW64(value)  ((uint64_t)(value))
#define HIGH64(value) ((uint64_t)((value) >> 64))

static struct u256 mul_128(decimal_u128 a, decimal_u128 b)
{
    decimal_u128 low = (decimal_u128)LOW64(a) * LOW64(b);
    decimal_u128 cross = (decimal_u128)HIGH64(a) * LOW64(b) + HIGH64(low);
    decimal_u128 middle = (decimal_u128)LOW64(a) * HIGH64(b) + LOW64(cross);
    struct u256 product = {
        .low = middle << 64 | LOW64(low),
        .high = (decimal_u128)HIGH64(a) * HIGH64(b) + HIGH64(cross) + HIGH64(middle),
    };
    return product;
}

bool u256_mul(struct u256 a, decimal_u128 b, struct u256 *out)
{
    struct u256 low = mul_128(a.low, b);
    struct u256 high = mul_128(a.high, b);
    if (high.high != 0)
        return false;
    out->low = low.low;
    out->high = low.high + high.low;
    return out->high >= low.high;
}

/* (high:low) / divisor with high < divisor, divisor >= 2^64: two digits of 64 bits, one after the
 * other, each guessed from the top digit of the normalized divisor and corrected at most twice. */
static decimal_u128 divide_2_by_1(decimal_u128 high, decimal_u128 low, decimal_u128 divisor,
                                  decimal_u128 *remainder)
{
    int shift = __builtin_clzll(HIGH64(divisor));
    decimal_u128 normal = divisor << shift;
    if (shift > 0) {
        high = high << shift | low >> (128 - shift);
        low <<= shift;
    }
    uint64_t top = HIGH64(normal), bottom = LOW64(normal);
    uint64_t digits[2] = {HIGH64(low), LOW64(low)};
    decimal_u128 quotient = 0, rest = high;
    for (int i = 0; i < 2; i++) {
        decimal_u128 guess = rest / top, guess_rest = rest % top;
        while (HIGH64(guess) != 0 ||
               (decimal_u128)LOW64(guess) * bottom > (guess_rest << 64 | digits[i])) {
            guess--;
            guess_rest += top;
            if (HIGH64(guess_rest) != 0)
                break;
        }
        rest = (rest << 64 | digits[i]) - guess * normal; /* modulo 2^128; the true rest fits */
        quotient = quotient << 64 | LOW64(guess);
    }
    *remainder = rest >> shift;
    return quotient;
}

static void divide_by_64(struct u256 a, uint64_t divisor, struct u256 *quotient,
                         decimal_u128 *remainder)
{
    uint64_t digits[4] = {HIGH64(a.high), LOW64(a.high), HIGH64(a.low), LOW64(a.low)};
    decimal_u128 rest = 0;
    for (int i = 0; i < 4; i++) {
        rest = rest << 64 | digits[i];
        digits[i] = (uint64_t)(rest / divisor);
        rest %= divisor;
    }
    quotient->high = (decimal_u128)digits[0] << 64 | digits[1];
    quotient->low = (decimal_u128)digits[2] << 64 | digits[3];
    *remainder = rest;
}

void u256_divmod(struct u256 a, decimal_u128 divisor, struct u256 *quotient,
                 decimal_u128 *remainder)
{
    struct u256 result;
    decimal_u128 rest;
    if (a.high == 0) {
        result.high = 0;
        result.low = a.low / divisor;
        rest = a.low % divisor;
    } else if (HIGH64(divisor) == 0) {
        divide_by_64(a, LOW64(divisor), &result, &rest);
    } else {
        result.high = a.high / divisor;
        result.low = divide_2_by_1(a.high % divisor, a.low, divisor, &rest);
    }
    if (quotient)
        *quotient = result;
    if (remainder)
        *remainder = rest;
}

int u256_compare(struct u256 a, struct u256 b)
{
    if (a.high != b.high)
        return a.high < b.high ? -1 : 1;
    return a.low == b.low ? 0 : a.low < b.low ? -1 : 1;
}
