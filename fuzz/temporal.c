/* temporal - any bytes as decimal, date, time, timestamp, pattern and zone file. What is taken must
 * read back as the same value. */
#include <stddef.h>
#include <stdint.h>

#include "base/calendar.h"
#include "base/decimal.h"

static void decimals(struct str text)
{
    decimal128 wide, back;
    char again[DECIMAL_TEXT_MAX];
    if (!decimal_parse(text, 38, 10, &wide, NULL))
        return;
    struct str same = {again, decimal_format(again, wide, 10)};
    if (!decimal_parse(same, 38, 10, &back, NULL) || back != wide)
        __builtin_trap();
    int64_t small;
    bool fits = decimal_fits(wide, 18);
    if (decimal_parse_i64(text, 18, 10, &small, NULL) != fits || (fits && small != wide))
        __builtin_trap();
}

static void timestamps(struct str text)
{
    int64_t us, back;
    int32_t days, ms;
    char again[48];
    if (calendar_parse_timestamp(text, &us)) {
        struct str same = {again, calendar_format_timestamp(again, us, 6)};
        if (!calendar_parse_timestamp(same, &back) || back != us)
            __builtin_trap();
    }
    if (calendar_parse_date(text, &days)) {
        struct str same = {again, calendar_format_date(again, days)};
        int32_t day_again;
        if (!calendar_parse_date(same, &day_again) || day_again != days)
            __builtin_trap();
    }
    if (calendar_parse_time(text, &ms))
        calendar_format_time(again, ms, 3);
}

/* The part before the first newline is a pattern, the rest a text. */
static void patterns(struct str text)
{
    const char *cut = text.length ? memchr(text.data, '\n', text.length) : NULL;
    struct calendar_pattern pattern;
    if (!cut || calendar_pattern_compile(
                    &pattern, (struct str){text.data, (size_t)(cut - text.data)}, NULL) != OK)
        return;
    struct str rest = {cut + 1, (size_t)(text.data + text.length - cut - 1)};
    char out[16 * CALENDAR_PATTERN_FIELDS_MAX];
    int64_t us = 0;
    if (calendar_pattern_parse(&pattern, rest, &us) ||
        calendar_pattern_parse_lenient(&pattern, rest, &us))
        calendar_pattern_format(&pattern, us, 0, out, sizeof out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    decimals(text);
    timestamps(text);
    patterns(text);
    struct zone *zone;
    if (zone_from_tzif(&zone, "fuzz", data, size, NULL) == OK) {
        for (int64_t us = -5000000000000000; us < 9000000000000000; us += 700000000000000)
            zone_local_to_utc(zone, zone_utc_to_local(zone, us));
        zone_free(zone);
    }
    return 0;
}
