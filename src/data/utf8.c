/* utf8.c - see utf8.h. Runs of ASCII are stepped over eight bytes at a time. */
#include "data/utf8.h"

#include <string.h>

#define HIGH_BITS UINT64_C(0x8080808080808080)

static uint64_t load8(const char *data)
{
    uint64_t word;
    memcpy(&word, data, sizeof(word));
    return word;
}

/* Length of the valid sequence at p (end after it), 0 when there is none. Unicode 15, table 3-7. */
static size_t sequence_length(const uint8_t *p, const uint8_t *end)
{
    uint8_t lead = p[0], low = 0x80, high = 0xBF;
    size_t need;
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        need = 2;
    else if (lead >= 0xE0 && lead <= 0xEF)
        need = 3;
    else if (lead >= 0xF0 && lead <= 0xF4)
        need = 4;
    else
        return 0;
    if ((size_t)(end - p) < need)
        return 0;
    if (lead == 0xE0)
        low = 0xA0;
    else if (lead == 0xED)
        high = 0x9F;
    else if (lead == 0xF0)
        low = 0x90;
    else if (lead == 0xF4)
        high = 0x8F;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < need; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return need;
}

bool utf8_valid(const char *data, size_t length)
{
    size_t at = 0;
    while (at < length) {
        if (length - at >= 8 && !(load8(data + at) & HIGH_BITS)) {
            at += 8;
            continue;
        }
        size_t step = sequence_length((const uint8_t *)data + at, (const uint8_t *)data + length);
        if (!step)
            return false;
        at += step;
    }
    return true;
}

size_t utf8_count(const char *data, size_t length)
{
    size_t count = 0;
    for (size_t i = 0; i < length; i++)
        count += ((uint8_t)data[i] & 0xC0) != 0x80;
    return count;
}

size_t utf8_offset(const char *data, size_t length, size_t index)
{
    size_t at = 0;
    while (at < length && index > 0) {
        at++;
        while (at < length && ((uint8_t)data[at] & 0xC0) == 0x80)
            at++;
        index--;
    }
    return at;
}
