/* str.c - borrowed text: comparison, integers, sizes, durations, nearest names. Floating point is
 * in str_float.c. */
#include "base/str.h"

#include <stdio.h>

#include "base/must.h"

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_eq(struct str a, struct str b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.length != b.length)
        return false;
    for (size_t i = 0; i < a.length; i++)
        if (lower(a.data[i]) != lower(b.data[i]))
            return false;
    return true;
}

bool str_starts(struct str text, struct str prefix)
{
    return text.length >= prefix.length &&
           (prefix.length == 0 || memcmp(text.data, prefix.data, prefix.length) == 0);
}

int str_compare(struct str a, struct str b)
{
    size_t common = a.length < b.length ? a.length : b.length;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    if (order != 0)
        return order < 0 ? -1 : 1;
    return a.length < b.length ? -1 : a.length > b.length;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str text)
{
    while (text.length && is_blank(text.data[0])) {
        text.data++;
        text.length--;
    }
    while (text.length && is_blank(text.data[text.length - 1]))
        text.length--;
    return text;
}

/* Digits only; *overflow when they are all digits but too many. */
static bool digits_to_u64(struct str text, uint64_t *out, bool *overflow)
{
    uint64_t value = 0;
    bool over = false;
    if (text.length == 0)
        return false;
    for (size_t i = 0; i < text.length; i++) {
        unsigned digit = (unsigned char)text.data[i] - '0';
        if (digit > 9)
            return false;
        over = over || __builtin_mul_overflow(value, 10, &value) ||
               __builtin_add_overflow(value, digit, &value);
    }
    if (over) {
        *overflow = true;
        return false;
    }
    *out = value;
    return true;
}

/* Takes the sign off; true when it was '-'. */
static bool take_sign(struct str *text)
{
    bool negative = text->length && text->data[0] == '-';
    if (negative || (text->length && text->data[0] == '+')) {
        text->data++;
        text->length--;
    }
    return negative;
}

bool str_to_u64(struct str text, uint64_t *out, bool *overflow)
{
    bool unused;
    overflow = overflow ? overflow : &unused;
    *overflow = false;
    uint64_t value;
    bool negative = take_sign(&text);
    if (!digits_to_u64(text, &value, overflow))
        return false;
    if (negative && value != 0) {
        *overflow = true;
        return false;
    }
    *out = value;
    return true;
}

bool str_to_i64(struct str text, int64_t *out, bool *overflow)
{
    bool unused;
    overflow = overflow ? overflow : &unused;
    *overflow = false;
    uint64_t value;
    bool negative = take_sign(&text);
    if (!digits_to_u64(text, &value, overflow))
        return false;
    if (value > (uint64_t)INT64_MAX + negative) {
        *overflow = true;
        return false;
    }
    *out = (int64_t)(negative ? 0 - value : value);
    return true;
}

struct unit {
    const char *name;
    uint64_t factor;
};

/* "NUMBER [blanks] UNIT": the number, and the unit's factor (bare: that of the first unit). */
static bool split_unit(struct str text, const struct unit *units, size_t unit_count,
                       uint64_t *out_number, uint64_t *out_factor)
{
    text = str_trim(text);
    size_t digits = 0;
    bool overflow;
    while (digits < text.length && text.data[digits] >= '0' && text.data[digits] <= '9')
        digits++;
    if (!digits_to_u64((struct str){text.data, digits}, out_number, &overflow))
        return false;
    struct str unit = str_trim((struct str){text.data + digits, text.length - digits});
    *out_factor = units[0].factor;
    if (unit.length == 0)
        return true;
    for (size_t i = 0; i < unit_count; i++)
        if (str_eq_nocase(unit, str_of(units[i].name))) {
            *out_factor = units[i].factor;
            return true;
        }
    return false;
}

#define KB (UINT64_C(1) << 10)
#define MB (UINT64_C(1) << 20)
#define GB (UINT64_C(1) << 30)
#define TB (UINT64_C(1) << 40)

bool str_to_bytes(struct str text, uint64_t *out_bytes)
{
    static const struct unit units[] = {
        {"b", 1},          {"bytes", 1}, {"k", KB},         {"kb", KB},        {"kib", KB},
        {"kibibytes", KB}, {"m", MB},    {"mb", MB},        {"mib", MB},       {"mebibytes", MB},
        {"g", GB},         {"gb", GB},   {"gib", GB},       {"gibibytes", GB}, {"t", TB},
        {"tb", TB},        {"tib", TB},  {"tebibytes", TB},
    };
    uint64_t number, factor, bytes;
    if (!split_unit(text, units, COUNT_OF(units), &number, &factor) ||
        __builtin_mul_overflow(number, factor, &bytes))
        return false;
    *out_bytes = bytes;
    return true;
}

void str_from_bytes(char *dest, uint64_t size_bytes)
{
    static const char *const names[] = {"b", "kb", "mb", "gb", "tb", "pb"};
    double value = (double)size_bytes;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < COUNT_OF(names)) {
        value /= 1024;
        unit++;
    }
    if (value == (double)(uint64_t)value)
        snprintf(dest, STR_BYTES_MAX, "%llu %s", (unsigned long long)value, names[unit]);
    else
        snprintf(dest, STR_BYTES_MAX, "%.1f %s", value, names[unit]);
}

bool str_to_duration_ms(struct str text, int64_t *out_ms)
{
    /* factors in nanoseconds */
    static const struct unit units[] = {
        {"ms", 1000000},
        {"milli", 1000000},
        {"millis", 1000000},
        {"millisecond", 1000000},
        {"milliseconds", 1000000},
        {"s", 1000000000},
        {"sec", 1000000000},
        {"secs", 1000000000},
        {"second", 1000000000},
        {"seconds", 1000000000},
        {"m", 60000000000},
        {"min", 60000000000},
        {"mins", 60000000000},
        {"minute", 60000000000},
        {"minutes", 60000000000},
        {"h", 3600000000000},
        {"hour", 3600000000000},
        {"hours", 3600000000000},
        {"d", 86400000000000},
        {"day", 86400000000000},
        {"days", 86400000000000},
        {"us", 1000},
        {"\xC2\xB5s", 1000},
        {"micro", 1000},
        {"micros", 1000},
        {"microsecond", 1000},
        {"microseconds", 1000},
        {"ns", 1},
        {"nano", 1},
        {"nanos", 1},
        {"nanosecond", 1},
        {"nanoseconds", 1},
    };
    uint64_t number, factor;
    if (!split_unit(text, units, COUNT_OF(units), &number, &factor))
        return false;
    unsigned __int128 ms = (unsigned __int128)number * factor / 1000000;
    if (ms > INT64_MAX)
        return false;
    *out_ms = (int64_t)ms;
    return true;
}

size_t str_from_i64(char *dest, int64_t value)
{
    char digits[20];
    size_t count = 0, length = 0;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        digits[count++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        dest[length++] = '-';
    while (count)
        dest[length++] = digits[--count];
    return length;
}

#define NEAREST_LENGTH_MAX 128

/* Optimal string alignment: inserts, deletes, replacements, swaps of neighbours. Both texts have at
 * most NEAREST_LENGTH_MAX bytes. */
static size_t edit_distance(struct str a, struct str b)
{
    size_t rows[3][NEAREST_LENGTH_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= b.length; j++)
        above[j] = j;
    for (size_t i = 1; i <= a.length; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.length; j++) {
            char left = lower(a.data[i - 1]), right = lower(b.data[j - 1]);
            size_t best = above[j - 1] + (left != right);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && left == lower(b.data[j - 2]) && lower(a.data[i - 2]) == right &&
                before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        size_t *spare = before;
        before = above;
        above = row;
        row = spare;
    }
    return above[b.length];
}

const char *str_nearest(struct str name, const char *const *candidates, size_t candidate_count)
{
    const char *best = NULL;
    size_t best_distance = SIZE_MAX;
    if (name.length > NEAREST_LENGTH_MAX)
        return NULL;
    for (size_t i = 0; i < candidate_count; i++) {
        struct str candidate = str_of(candidates[i]);
        if (candidate.length > NEAREST_LENGTH_MAX)
            continue;
        size_t longer = name.length > candidate.length ? name.length : candidate.length;
        size_t distance = edit_distance(name, candidate);
        if (distance < best_distance && distance * 3 <= longer) {
            best = candidates[i];
            best_distance = distance;
        }
    }
    return best;
}
