/* decimal_text.c - DECIMAL from and to text.
 *
 * The short form (at most eight bytes after the sign: nearly all money in JSON) is read in one
 * 64-bit word without a loop; anything else goes byte by byte. HALF_UP looks at the first dropped
 * digit alone, so dropped digits need no arithmetic. Pure functions, any thread.
 */
#include "base/decimal.h"

#include "base/decimal_int.h"

#define EXPONENT_MAX 100000 /* beyond: the value is 0 or does not fit */

/* ---- the short form ---- */

/* One to eight bytes as the upper end of a little-endian word (the last byte topmost, zeros below),
 * reading nothing outside them. */
static inline uint64_t load_short(const char *bytes, size_t length)
{
    unsigned free_bits = (unsigned)(8 - length) * 8;
    if (__builtin_expect(length >= 4, 1)) {
        uint32_t first, last;
        memcpy(&first, bytes, 4);
        memcpy(&last, bytes + length - 4, 4);
        return (uint64_t)first << free_bits | (uint64_t)last << 32;
    }
    uint64_t word = (uint8_t)bytes[0];
    word |= (uint64_t)(uint8_t)bytes[length / 2] << (length / 2 * 8);
    word |= (uint64_t)(uint8_t)bytes[length - 1] << ((length - 1) * 8);
    return word << free_bits;
}

/* Eight digit values, most significant in the lowest byte, as a number. */
static inline uint32_t join_eight(uint64_t digits)
{
    digits = digits * 10 + (digits >> 8);
    return (
        uint32_t)(((digits & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x000f424000000064) +
                   (digits >> 16 & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x0000271000000001)) >>
                  32);
}

/* Digits with at most one point among them. False: something else is there (an exponent, a blank):
 * the caller takes the long way. */
static inline bool parse_short(const char *bytes, size_t length, uint32_t *digits,
                               unsigned *fraction_digits)
{
    uint64_t word = load_short(bytes, length);
    uint64_t values = word ^ (UINT64_C(0x3030303030303030) << (8 * (8 - length)));
    *fraction_digits = 0;
    if ((word >> 40 & 0xff) == '.') { /* two digits behind the point: money */
        values = (values & UINT64_C(0xffffffffff)) << 8 | (values & UINT64_C(0xffff) << 48);
        *fraction_digits = 2;
    } else {
        uint64_t point = word ^ UINT64_C(0x2e2e2e2e2e2e2e2e);
        uint64_t found =
            (point - UINT64_C(0x0101010101010101)) & ~point & UINT64_C(0x8080808080808080);
        if (found) { /* what is before the first point moves up into its place */
            uint64_t before = ((found & -found) >> 7) - 1;
            *fraction_digits = (unsigned)__builtin_clzll(found & -found) / 8;
            values = (values & before) << 8 | (values & ~(before << 8 | 0xff));
            if (length == 1)
                return false;
        }
    }
    if (((values + UINT64_C(0x7676767676767676)) | values) & UINT64_C(0x8080808080808080))
        return false;
    *digits = join_eight(values);
    return true;
}

static __attribute__((noinline)) bool parse_i64_long(struct str text, unsigned precision,
                                                     unsigned scale, int64_t *out, bool *overflow)
{
    decimal128 wide;
    if (!decimal_parse(text, precision, scale, &wide, overflow))
        return false;
    *out = (int64_t)wide;
    return true;
}

bool decimal_parse_i64(struct str text, unsigned precision, unsigned scale, int64_t *out,
                       bool *overflow)
{
    bool negative = text.length > 0 && text.data[0] == '-';
    const char *bytes = text.data + negative;
    size_t length = text.length - negative;
    uint32_t digits;
    unsigned fraction_digits;
    if (length - 1 < 8 && precision <= DECIMAL_PRECISION_MAX_INT64 &&
        parse_short(bytes, length, &digits, &fraction_digits)) {
        int64_t value = digits;
        unsigned missing = scale - fraction_digits;
        if (missing <= 10) { /* at most eight digits and ten more: no overflow */
            value *= DECIMAL_POW10_INT64[missing];
        } else if (fraction_digits > scale) {
            int64_t divisor = DECIMAL_POW10_INT64[fraction_digits - scale];
            value = (value + divisor / 2) / divisor;
        } else {
            return parse_i64_long(text, precision, scale, out, overflow);
        }
        if (value < DECIMAL_POW10_INT64[precision]) {
            *out = negative ? -value : value;
            return true;
        }
    }
    return parse_i64_long(text, precision, scale, out, overflow);
}

/* ---- any form ---- */

/* "[digits][.digits][e[+-]digits]" cut into its parts; the sign is off already. */
struct number_text {
    const char *digits; /* with the point in it */
    size_t digit_bytes;
    size_t point; /* digits before it */
    size_t count; /* digits in all */
    int32_t exponent;
};

static bool cut_exponent(const char *next, const char *end, int32_t *out)
{
    bool negative = next < end && *next == '-';
    if (next < end && (*next == '-' || *next == '+'))
        next++;
    if (next == end)
        return false;
    int32_t value = 0;
    for (; next < end; next++) {
        if (*next < '0' || *next > '9')
            return false;
        if (value < EXPONENT_MAX)
            value = value * 10 + (*next - '0');
    }
    if (value > EXPONENT_MAX)
        value = EXPONENT_MAX;
    *out = negative ? -value : value;
    return true;
}

static bool cut_number(const char *next, const char *end, struct number_text *out)
{
    bool point = false;
    out->digits = next;
    out->count = out->point = 0;
    out->exponent = 0;
    for (; next < end; next++) {
        if (*next >= '0' && *next <= '9') {
            out->count++;
            out->point += !point;
        } else if (*next == '.' && !point) {
            point = true;
        } else {
            break;
        }
    }
    out->digit_bytes = (size_t)(next - out->digits);
    if (out->count == 0)
        return false;
    if (next == end)
        return true;
    return (*next == 'e' || *next == 'E') && cut_exponent(next + 1, end, &out->exponent);
}

bool decimal_parse(struct str text, unsigned precision, unsigned scale, decimal128 *out,
                   bool *overflow)
{
    bool ignored;
    if (!overflow)
        overflow = &ignored;
    *overflow = false;
    const char *next = text.data, *end = text.data + text.length;
    bool negative = next < end && *next == '-';
    if (next < end && (*next == '-' || *next == '+'))
        next++;
    struct number_text number;
    if (!cut_number(next, end, &number))
        return false;
    /* How many of the digits stay; negative: not even the rounding digit is there. */
    int64_t kept = (int64_t)number.point + number.exponent + (int64_t)scale;
    decimal_u128 size = 0;
    const decimal_u128 limit = (decimal_u128)decimal_pow10(precision), tenth = limit / 10;
    int64_t index = 0;
    for (size_t i = 0; i < number.digit_bytes && index <= kept; i++) {
        if (number.digits[i] == '.')
            continue;
        unsigned digit = (unsigned)(number.digits[i] - '0');
        if (index++ == kept) {
            size += digit >= 5;
            break;
        }
        if (size >= tenth) {
            *overflow = true;
            return false;
        }
        size = size * 10 + digit;
    }
    for (; index < kept && size != 0; index++) {
        if (size >= tenth) {
            *overflow = true;
            return false;
        }
        size *= 10;
    }
    if (size >= limit) {
        *overflow = true;
        return false;
    }
    *out = negative ? -(decimal128)size : (decimal128)size;
    return true;
}

/* ---- to text ---- */

/* Writes digits backwards before `end`, at least min_digits; returns the first. */
static char *put_digits(char *end, uint64_t value, unsigned min_digits)
{
    char *at = end;
    while (value > 0 || (unsigned)(end - at) < min_digits) {
        *--at = (char)('0' + value % 10);
        value /= 10;
    }
    return at;
}

size_t decimal_format(char *dest, decimal128 value, unsigned scale)
{
    char digits[DECIMAL_TEXT_MAX];
    char *end = digits + sizeof digits, *at = end;
    decimal_u128 size = magnitude(value);
    const uint64_t chunk = (uint64_t)DECIMAL_POW10_INT64[18];
    while (size >= chunk) {
        at = put_digits(at, (uint64_t)(size % chunk), 18);
        size /= chunk;
    }
    at = put_digits(at, (uint64_t)size, 1);
    while ((size_t)(end - at) <= scale)
        *--at = '0';
    size_t length = 0;
    if (value < 0)
        dest[length++] = '-';
    size_t whole = (size_t)(end - at) - scale;
    memcpy(dest + length, at, whole);
    length += whole;
    if (scale > 0) {
        dest[length++] = '.';
        memcpy(dest + length, at + whole, scale);
        length += scale;
    }
    return length;
}

double decimal_to_f64(decimal128 value, unsigned scale)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    /* Both sides exact: one rounding, as the definition asks. */
    if (magnitude(value) < (decimal_u128)1 << 53 && scale <= 22)
        return (double)(int64_t)value / powers[scale];
    char text[DECIMAL_TEXT_MAX];
    struct str digits = {text, decimal_format(text, value, scale)};
    double result = 0;
    if (!str_to_f64(digits, &result))
        return 0; /* decimal_format writes numbers only */
    return result;
}
