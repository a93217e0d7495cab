/* str_float.c - floating point to the shortest text and back.
 *
 * To text: Raffaello Giulietti's Schubfach ("The Schubfach way to render doubles", 2020), the
 * algorithm of JDK 19's Double.toString: of all decimals that read back as the value the shortest,
 * of these the nearest, with at least two digits. The powers of ten it needs (617 of 128 bits) are
 * computed at first use, exactly, by repeated multiplication and division of a long integer.
 *
 * From text: numbers with few digits and a small exponent are one exact multiplication or division
 * (Clinger's fast path); others of at most 19 digits are multiplied with the same powers of ten,
 * the error of which is known: where it cannot change the rounding, the result is exact. The rest
 * (long texts, ties, the borders of the range) goes to strtod() as digits and exponent without a
 * point, which makes it independent of the locale.
 */
#include "base/str.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

#define POW10_MIN (-292)
#define POW10_MAX 324
#define BIG_LIMBS 20 /* 10^324 has 1077 bits; 2^1279 / 10^292 keeps 309 */

struct pow10 { /* 2^127 <= value < 2^128, rounded up when not exact */
    uint64_t high, low;
};
static struct pow10 pow10_table[POW10_MAX - POW10_MIN + 1];
static pthread_once_t pow10_once = PTHREAD_ONCE_INIT;

/* The top 128 bits of a long integer (little-endian limbs), rounded up. */
static struct pow10 big_top(const uint64_t *limbs, bool inexact)
{
    int top = BIG_LIMBS - 1;
    while (limbs[top] == 0)
        top--;
    uint64_t part[3] = {limbs[top], top > 0 ? limbs[top - 1] : 0, top > 1 ? limbs[top - 2] : 0};
    int shift = __builtin_clzll(part[0]);
    uint64_t rest = 0;
    for (int i = 0; i < top - 2; i++)
        rest |= limbs[i];
    if (shift) {
        part[0] = part[0] << shift | part[1] >> (64 - shift);
        part[1] = part[1] << shift | part[2] >> (64 - shift);
        part[2] <<= shift;
    }
    unsigned __int128 value = (unsigned __int128)part[0] << 64 | part[1];
    value += inexact || part[2] || rest;
    return (struct pow10){(uint64_t)(value >> 64), (uint64_t)value};
}

static void pow10_fill(void)
{
    uint64_t limbs[BIG_LIMBS] = {1};
    for (int k = 0; k <= POW10_MAX; k++) {
        pow10_table[k - POW10_MIN] = big_top(limbs, false);
        unsigned __int128 carry = 0;
        for (int i = 0; i < BIG_LIMBS; i++) {
            carry += (unsigned __int128)limbs[i] * 10;
            limbs[i] = (uint64_t)carry;
            carry >>= 64;
        }
    }
    memset(limbs, 0, sizeof(limbs));
    limbs[BIG_LIMBS - 1] = UINT64_C(1) << 63;
    for (int k = -1; k >= POW10_MIN; k--) { /* floor of floor is the floor of the whole quotient */
        unsigned __int128 rest = 0;
        for (int i = BIG_LIMBS - 1; i >= 0; i--) {
            rest = rest << 64 | limbs[i];
            limbs[i] = (uint64_t)(rest / 10);
            rest %= 10;
        }
        pow10_table[k - POW10_MIN] = big_top(limbs, true);
    }
}

/* floor(g * cp / 2^128) with the lowest bit set when bits were lost (paper, section 9.6). */
static uint64_t round_to_odd(struct pow10 g, uint64_t cp)
{
    unsigned __int128 x = (unsigned __int128)g.low * cp;
    unsigned __int128 y = (unsigned __int128)g.high * cp + (uint64_t)(x >> 64);
    return (uint64_t)(y >> 64) | ((uint64_t)y > 1);
}

struct decimal_digits {
    uint64_t digits;
    int exponent; /* value = digits * 10^exponent */
};

/* value = c * 2^q; low_closer: the neighbour below is half as far as the one above. */
static struct decimal_digits shortest(uint64_t c, int q, bool low_closer)
{
    if (q <= 0 && q > -53 && (c & ((UINT64_C(1) << -q) - 1)) == 0)
        return (struct decimal_digits){c >> -q, 0};
    bool odd = c & 1;
    uint64_t below = 4 * c - 2 + low_closer, middle = 4 * c, above = 4 * c + 2;
    int k = (q * 1262611 - (low_closer ? 524031 : 0)) >> 22; /* floor(log10(2^q [* 3/4])) */
    int h = q + ((-k * 1741647) >> 19) + 1;                  /* q + floor(log2(10^-k)) + 1 */
    struct pow10 g = pow10_table[-k - POW10_MIN];
    uint64_t low = round_to_odd(g, below << h) + odd;
    uint64_t value = round_to_odd(g, middle << h);
    uint64_t high = round_to_odd(g, above << h) - odd;
    uint64_t s = value / 4;
    if (s >= 100) {
        uint64_t tens = s / 10;
        bool down = low <= 40 * tens, up = 40 * tens + 40 <= high;
        if (down != up)
            return (struct decimal_digits){tens + up, k + 1};
    }
    bool down = low <= 4 * s, up = 4 * s + 4 <= high;
    if (down != up)
        return (struct decimal_digits){s + up, k};
    bool round_up = value > 4 * s + 2 || (value == 4 * s + 2 && (s & 1));
    return (struct decimal_digits){s + round_up, k};
}

/* Java's notation: plain from 10^-3 to below 10^7, otherwise with an exponent. */
static size_t format_digits(char *dest, struct decimal_digits decimal)
{
    if (decimal.digits % 100000000 == 0) { /* most of the zeros of a price at once */
        decimal.digits /= 100000000;
        decimal.exponent += 8;
    }
    while (decimal.digits % 10 == 0) {
        decimal.digits /= 10;
        decimal.exponent++;
    }
    char text[20];
    size_t count = str_from_i64(text, (int64_t)decimal.digits), length = 0;
    int point = decimal.exponent + (int)count; /* value = 0.text * 10^point */
    if (point > 0 && point <= 7) {
        for (size_t i = 0; i < (size_t)point; i++)
            dest[length++] = i < count ? text[i] : '0';
        dest[length++] = '.';
        if (count <= (size_t)point)
            dest[length++] = '0';
        for (size_t i = (size_t)point; i < count; i++)
            dest[length++] = text[i];
        return length;
    }
    if (point <= 0 && point > -3) {
        dest[length++] = '0';
        dest[length++] = '.';
        for (int i = point; i < 0; i++)
            dest[length++] = '0';
        memcpy(dest + length, text, count);
        return length + count;
    }
    dest[length++] = text[0];
    dest[length++] = '.';
    if (count == 1)
        dest[length++] = '0';
    memcpy(dest + length, text + 1, count - 1);
    length += count - 1;
    dest[length++] = 'E';
    return length + str_from_i64(dest + length, point - 1);
}

static size_t copy_text(char *dest, const char *text)
{
    size_t length = strlen(text);
    memcpy(dest, text, length);
    return length;
}

/* fraction and exponent as stored; tiny: below it two digits need ten times the fraction. */
static size_t format_parts(char *dest, bool negative, uint64_t fraction, unsigned exponent,
                           unsigned fraction_bits, int bias, uint64_t tiny)
{
    size_t length = 0;
    if (negative)
        dest[length++] = '-';
    if (exponent == 0 && fraction == 0)
        return length + copy_text(dest + length, "0.0");
    pthread_once(&pow10_once, pow10_fill);
    struct decimal_digits decimal;
    if (exponent == 0 && fraction < tiny) {
        decimal = shortest(10 * fraction, 1 - bias, false);
        decimal.exponent--;
    } else if (exponent == 0) {
        decimal = shortest(fraction, 1 - bias, false);
    } else {
        decimal = shortest(fraction | UINT64_C(1) << fraction_bits, (int)exponent - bias,
                           fraction == 0 && exponent > 1);
    }
    return length + format_digits(dest + length, decimal);
}

size_t str_from_f64(char *dest, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    if (isnan(value))
        return copy_text(dest, "NaN");
    if (isinf(value))
        return copy_text(dest, value < 0 ? "-Infinity" : "Infinity");
    return format_parts(dest, bits >> 63, bits & ((UINT64_C(1) << 52) - 1),
                        (unsigned)(bits >> 52 & 0x7FF), 52, 1075, 3);
}

size_t str_from_f32(char *dest, float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    if (isnan(value))
        return copy_text(dest, "NaN");
    if (isinf(value))
        return copy_text(dest, value < 0 ? "-Infinity" : "Infinity");
    return format_parts(dest, bits >> 31, bits & ((UINT32_C(1) << 23) - 1), bits >> 23 & 0xFF, 23,
                        150, 8);
}

#define DIGITS_MAX 800 /* more than the 768 that can decide how a double rounds */

struct number {
    uint64_t digits;            /* the first 19 significant digits */
    int64_t exponent;           /* of digits, when all fit */
    bool exact;                 /* all fit */
    char text[DIGITS_MAX + 32]; /* when not exact: digits and exponent for strtod */
};

/* The digits of [0, length) of text, at most one point; false: malformed. */
static bool scan_digits(struct str text, struct number *number)
{
    size_t significant = 0, kept = 0;
    bool point = false, any = false, rest = false;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c == '.') {
            if (point)
                return false;
            point = true;
            continue;
        }
        if (c < '0' || c > '9')
            return false;
        any = true;
        number->exponent -= point;
        if (c == '0' && significant == 0)
            continue;
        significant++;
        if (kept < DIGITS_MAX) {
            number->text[kept++] = c;
        } else {
            number->exponent++;
            rest = rest || c != '0';
        }
        if (significant <= 19)
            number->digits = number->digits * 10 + (uint64_t)(c - '0');
    }
    number->exact = significant <= 19;
    if (rest) { /* keeps a value just above a tie above it */
        number->text[kept++] = '1';
        number->exponent--;
    }
    number->text[kept] = '\0';
    return any;
}

static bool scan_number(struct str text, struct number *number)
{
    number->digits = 0;
    number->exponent = 0;
    if (text.length && (text.data[0] == '-' || text.data[0] == '+')) {
        text.data++;
        text.length--;
    }
    size_t mantissa = 0;
    while (mantissa < text.length && text.data[mantissa] != 'e' && text.data[mantissa] != 'E')
        mantissa++;
    if (!scan_digits((struct str){text.data, mantissa}, number))
        return false;
    if (mantissa == text.length)
        return true;
    int64_t exponent;
    bool overflow;
    struct str exponent_text = {text.data + mantissa + 1, text.length - mantissa - 1};
    if (!str_to_i64(exponent_text, &exponent, &overflow)) {
        if (!overflow)
            return false;
        exponent = exponent_text.data[0] == '-' ? -1000000000 : 1000000000;
    }
    if (exponent > 1000000000)
        exponent = 1000000000;
    if (exponent < -1000000000)
        exponent = -1000000000;
    number->exponent += exponent;
    return true;
}

/* inf, infinity, nan with optional sign, any case. */
static bool scan_special(struct str text, double *out)
{
    struct str word = text;
    bool negative = text.length && text.data[0] == '-';
    if (negative || (text.length && text.data[0] == '+')) {
        word.data++;
        word.length--;
    }
    if (str_eq_nocase(word, STR("inf")) || str_eq_nocase(word, STR("infinity")))
        *out = negative ? -INFINITY : INFINITY;
    else if (str_eq_nocase(word, STR("nan")))
        *out = NAN;
    else
        return false;
    return true;
}

/* digits and exponent as text for strtod: no point, so no locale. */
static const char *number_text(struct number *number)
{
    size_t length = strlen(number->text);
    snprintf(number->text + length, sizeof(number->text) - length, "e%lld",
             (long long)number->exponent);
    return number->text;
}

/* digits * 10^exponent = *mantissa * 2^*binary_exponent, the mantissa having mantissa_bits bits,
 * rounded to nearest. False: outside the table, or too near to a tie to tell.
 *
 * The table's power is too large by less than 1 in its last place, so the product's upper 128 bits
 * are wrong by at most 1: only a remainder within 1 of one half is in doubt. */
static bool multiply(const struct number *number, int mantissa_bits, uint64_t *mantissa,
                     int *binary_exponent)
{
    if (!number->exact || number->exponent < POW10_MIN || number->exponent > POW10_MAX)
        return false;
    pthread_once(&pow10_once, pow10_fill);
    int exponent = (int)number->exponent, zeros = __builtin_clzll(number->digits);
    struct pow10 g = pow10_table[exponent - POW10_MIN];
    uint64_t digits = number->digits << zeros;
    unsigned __int128 low = (unsigned __int128)g.low * digits;
    unsigned __int128 product = (unsigned __int128)g.high * digits + (uint64_t)(low >> 64);
    int shift = 128 - mantissa_bits - !(product >> 127);
    unsigned __int128 half = (unsigned __int128)1 << (shift - 1);
    unsigned __int128 rest = product & (2 * half - 1);
    if (rest + 1 >= half && rest <= half + 1)
        return false;
    *mantissa = (uint64_t)(product >> shift) + (rest > half);
    *binary_exponent = shift + 64 - zeros + ((exponent * 1741647) >> 19) - 127;
    if (*mantissa >> mantissa_bits) { /* rounded up to the next power of two */
        *mantissa >>= 1;
        ++*binary_exponent;
    }
    return true;
}

/* What the table reaches, 10^-292 and more, is far from subnormal. */
static double number_to_f64(struct number *number)
{
    uint64_t mantissa, bits;
    int exponent;
    double value;
    if (!multiply(number, 53, &mantissa, &exponent) || exponent + 1075 < 1 ||
        exponent + 1075 > 2046)
        return strtod(number_text(number), NULL);
    bits = (uint64_t)(exponent + 1075) << 52 | (mantissa & ((UINT64_C(1) << 52) - 1));
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static float number_to_f32(struct number *number)
{
    uint64_t mantissa;
    uint32_t bits;
    int exponent;
    float value;
    if (!multiply(number, 24, &mantissa, &exponent) || exponent + 150 < 1 || exponent + 150 > 254)
        return strtof(number_text(number), NULL);
    bits = (uint32_t)(exponent + 150) << 23 | ((uint32_t)mantissa & ((UINT32_C(1) << 23) - 1));
    memcpy(&value, &bits, sizeof(value));
    return value;
}

bool str_to_f64(struct str text, double *out)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    struct number number;
    if (!scan_number(text, &number))
        return scan_special(text, out);
    double value;
    if (number.exact && number.digits == 0)
        value = 0;
    else if (number.exact && number.digits <= UINT64_C(1) << 53 && number.exponent >= -22 &&
             number.exponent <= 22)
        value = number.exponent < 0 ? (double)number.digits / powers[-number.exponent]
                                    : (double)number.digits * powers[number.exponent];
    else
        value = number_to_f64(&number);
    *out = text.data[0] == '-' ? -value : value;
    return true;
}

bool str_to_f32(struct str text, float *out)
{
    static const float powers[] = {1e0f, 1e1f, 1e2f, 1e3f, 1e4f, 1e5f,
                                   1e6f, 1e7f, 1e8f, 1e9f, 1e10f};
    struct number number;
    if (!scan_number(text, &number)) {
        double special;
        if (!scan_special(text, &special))
            return false;
        *out = (float)special;
        return true;
    }
    float value;
    if (number.exact && number.digits == 0)
        value = 0;
    else if (number.exact && number.digits <= UINT64_C(1) << 24 && number.exponent >= -10 &&
             number.exponent <= 10)
        value = number.exponent < 0 ? (float)number.digits / powers[-number.exponent]
                                    : (float)number.digits * powers[number.exponent];
    else
        value = number_to_f32(&number);
    *out = text.data[0] == '-' ? -value : value;
    return true;
}
