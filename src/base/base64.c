/* base64.c - see base64.h. */
#include "base/base64.h"

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

/* Without padding. */
static size_t encode(char *dest, const uint8_t *data, size_t size_bytes, const char *digits)
{
    size_t used = 0, at = 0;
    for (; at + 3 <= size_bytes; at += 3) {
        uint32_t word = (uint32_t)data[at] << 16 | (uint32_t)data[at + 1] << 8 | data[at + 2];
        dest[used++] = digits[word >> 18];
        dest[used++] = digits[word >> 12 & 63];
        dest[used++] = digits[word >> 6 & 63];
        dest[used++] = digits[word & 63];
    }
    if (at < size_bytes) {
        bool two = size_bytes - at == 2;
        uint32_t word = (uint32_t)data[at] << 16 | (two ? (uint32_t)data[at + 1] << 8 : 0);
        dest[used++] = digits[word >> 18];
        dest[used++] = digits[word >> 12 & 63];
        if (two)
            dest[used++] = digits[word >> 6 & 63];
    }
    return used;
}

size_t base64_encode(char *dest, const void *bytes, size_t size_bytes)
{
    size_t used = encode(dest, bytes, size_bytes, LETTERS "+/");
    while (used % 4 != 0)
        dest[used++] = '=';
    return used;
}

size_t base64_encode_url(char *dest, const void *bytes, size_t size_bytes)
{
    return encode(dest, bytes, size_bytes, LETTERS "-_");
}

static int digit_value(char digit)
{
    if (digit >= 'A' && digit <= 'Z')
        return digit - 'A';
    if (digit >= 'a' && digit <= 'z')
        return digit - 'a' + 26;
    if (digit >= '0' && digit <= '9')
        return digit - '0' + 52;
    return digit == '+' ? 62 : digit == '/' ? 63 : -1;
}

bool base64_decode(char *dest, struct str text, size_t *out_bytes)
{
    size_t digits = text.length, used = 0;
    uint32_t word = 0;
    while (digits > 0 && text.length - digits < 2 && text.data[digits - 1] == '=')
        digits--;
    if ((digits < text.length && text.length % 4 != 0) || digits % 4 == 1)
        return false;
    for (size_t at = 0; at < digits; at++) {
        int value = digit_value(text.data[at]);
        if (value < 0)
            return false;
        word = word << 6 | (uint32_t)value;
        if (at % 4 != 0)
            dest[used++] = (char)(word >> (6 - 2 * (at % 4)));
    }
    *out_bytes = used;
    return true;
}
