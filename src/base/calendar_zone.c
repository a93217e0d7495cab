/* calendar_zone.c - zones: offsets from UTC by time, from TZif bytes (RFC 8536) and a POSIX footer.
 *
 * Does not: find or read files (os/zonefile.h). Transitions are sorted by UTC second; before the
 * first the zone's first type counts, after the last the footer's rule. Immutable once made, any
 * thread.
 */
#include "base/calendar.h"

#include "base/calendar_int.h"
#include "base/mem.h"

#define ZONE_NAME_MAX        48
#define ZONE_TRANSITIONS_MAX 4096
#define ZONE_TYPES_MAX       256
#define OFFSET_SECONDS_MAX   (26 * 3600)

/* When in a year a POSIX rule changes: month/week/day of week, or a day number. */
struct rule_day {
    enum { RULE_MONTH_WEEK, RULE_JULIAN_NO_LEAP, RULE_DAY_FROM_0 } kind;
    int32_t month, week, day;
    int32_t second_of_day; /* local time of the offset in force; may be negative or past a day */
};

struct zone {
    char name[ZONE_NAME_MAX];
    uint32_t transition_count;
    int64_t *transition_seconds; /* UTC */
    int32_t *transition_offsets; /* in force from there on */
    int32_t first_offset;        /* before the first transition */
    bool has_rule;               /* after the last transition */
    bool rule_has_summer;
    int32_t standard_offset, summer_offset;
    struct rule_day summer_begins, summer_ends;
};

enum status zone_from_offset(struct zone **out, int32_t offset_seconds, struct error *err)
{
    if (offset_seconds > OFFSET_SECONDS_MAX || offset_seconds < -OFFSET_SECONDS_MAX)
        return error_set(err, ERR_RANGE, "a zone offset of %d s is out of range", offset_seconds);
    struct zone *zone = mem_calloc(1, sizeof *zone);
    if (!zone)
        return error_memory(err, "time zone", sizeof *zone);
    zone->first_offset = offset_seconds;
    int32_t minutes = (offset_seconds < 0 ? -offset_seconds : offset_seconds) / 60;
    if (offset_seconds == 0) {
        memcpy(zone->name, "UTC", 4);
    } else {
        zone->name[0] = offset_seconds < 0 ? '-' : '+';
        put_two(zone->name + 1, minutes / 60);
        zone->name[3] = ':';
        put_two(zone->name + 4, minutes % 60);
    }
    *out = zone;
    return OK;
}

void zone_free(struct zone *zone)
{
    if (!zone)
        return;
    mem_free(zone->transition_seconds);
    mem_free(zone->transition_offsets);
    mem_free(zone);
}

const char *zone_name(const struct zone *zone)
{
    return zone->name;
}

/* ---- the POSIX footer, e.g. "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

struct rule_text {
    const char *next;
    const char *end;
    bool good;
};

static bool rule_at(const struct rule_text *text, char byte)
{
    return text->next < text->end && *text->next == byte;
}

static bool rule_skip(struct rule_text *text, char byte)
{
    if (!rule_at(text, byte))
        return false;
    text->next++;
    return true;
}

static int32_t rule_number(struct rule_text *text)
{
    int32_t value = 0;
    const char *start = text->next;
    while (text->next < text->end && *text->next >= '0' && *text->next <= '9' &&
           text->next - start < 6)
        value = value * 10 + (*text->next++ - '0');
    if (text->next == start)
        text->good = false;
    return value;
}

static void rule_name(struct rule_text *text)
{
    if (rule_skip(text, '<')) {
        while (text->next < text->end && *text->next != '>')
            text->next++;
        if (!rule_skip(text, '>'))
            text->good = false;
        return;
    }
    const char *start = text->next;
    while (text->next < text->end && ((*text->next >= 'A' && *text->next <= 'Z') ||
                                      (*text->next >= 'a' && *text->next <= 'z')))
        text->next++;
    if (text->next - start < 3)
        text->good = false;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static int32_t rule_time(struct rule_text *text)
{
    int32_t sign = rule_skip(text, '-') ? -1 : 1;
    rule_skip(text, '+');
    int32_t seconds = rule_number(text) * 3600;
    if (rule_skip(text, ':')) {
        seconds += rule_number(text) * 60;
        if (rule_skip(text, ':'))
            seconds += rule_number(text);
    }
    if (seconds > 168 * 3600)
        text->good = false;
    return sign * seconds;
}

static void rule_day(struct rule_text *text, struct rule_day *out)
{
    if (!rule_skip(text, ','))
        text->good = false;
    if (rule_skip(text, 'M')) {
        out->kind = RULE_MONTH_WEEK;
        out->month = rule_number(text);
        rule_skip(text, '.');
        out->week = rule_number(text);
        rule_skip(text, '.');
        out->day = rule_number(text);
        if (out->month < 1 || out->month > 12 || out->week < 1 || out->week > 5 || out->day > 6)
            text->good = false;
    } else {
        out->kind = rule_skip(text, 'J') ? RULE_JULIAN_NO_LEAP : RULE_DAY_FROM_0;
        out->day = rule_number(text);
        if (out->day > 365 || (out->kind == RULE_JULIAN_NO_LEAP && out->day < 1))
            text->good = false;
    }
    out->second_of_day = rule_skip(text, '/') ? rule_time(text) : 2 * 3600;
}

static bool rule_parse(struct zone *zone, const char *bytes, size_t length)
{
    struct rule_text text = {bytes, bytes + length, true};
    rule_name(&text);
    zone->standard_offset = -rule_time(&text); /* POSIX counts west of Greenwich */
    if (text.good && text.next < text.end) {
        rule_name(&text);
        zone->rule_has_summer = true;
        zone->summer_offset = zone->standard_offset + 3600;
        if (!rule_at(&text, ','))
            zone->summer_offset = -rule_time(&text);
        rule_day(&text, &zone->summer_begins);
        rule_day(&text, &zone->summer_ends);
    }
    zone->has_rule = text.good && text.next == text.end;
    return zone->has_rule;
}

/* The local second at which the rule changes in `year`. */
static int64_t rule_second(const struct rule_day *rule, int32_t year)
{
    int32_t days;
    if (rule->kind == RULE_MONTH_WEEK) {
        int32_t first = calendar_days(year, rule->month, 1);
        int32_t first_weekday = calendar_day_of_week(first) - 1;
        int32_t day = (rule->day - first_weekday + 7) % 7 + (rule->week - 1) * 7;
        if (day >= calendar_last_day_of_month(year, rule->month))
            day -= 7;
        days = first + day;
    } else if (rule->kind == RULE_JULIAN_NO_LEAP) {
        days = calendar_days(year, 1, 1) + rule->day - 1 + (is_leap(year) && rule->day >= 60);
    } else {
        days = calendar_days(year, 1, 1) + rule->day;
    }
    return days * INT64_C(86400) + rule->second_of_day;
}

static int32_t rule_offset(const struct zone *zone, int64_t utc_second)
{
    if (!zone->rule_has_summer)
        return zone->standard_offset;
    int32_t year, month, day;
    int64_t local = utc_second + zone->standard_offset;
    calendar_civil_from_days((int32_t)floor_div(local, 86400), &year, &month, &day);
    int64_t begins = rule_second(&zone->summer_begins, year) - zone->standard_offset;
    int64_t ends = rule_second(&zone->summer_ends, year) - zone->summer_offset;
    bool summer = begins < ends ? utc_second >= begins && utc_second < ends
                                : utc_second >= begins || utc_second < ends;
    return summer ? zone->summer_offset : zone->standard_offset;
}

/* ---- TZif ---- */

static uint32_t be32_at(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, 4);
    return __builtin_bswap32(value);
}

static int64_t be64_at(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, 8);
    return (int64_t)__builtin_bswap64(value);
}

#define TZIF_HEADER_BYTES 44

/* Counts of a TZif block; the data follows its header. */
struct tzif {
    const uint8_t *data;
    size_t left;
    uint32_t version;
    uint32_t utc_count, std_count, leap_count, time_count, type_count, char_count;
    size_t time_bytes; /* 4 in the first block, 8 in the second */
    size_t data_bytes;
};

static bool tzif_header(struct tzif *tzif, const uint8_t *bytes, size_t size_bytes,
                        size_t time_bytes)
{
    if (size_bytes < TZIF_HEADER_BYTES || memcmp(bytes, "TZif", 4) != 0)
        return false;
    tzif->version = bytes[4];
    tzif->utc_count = be32_at(bytes + 20);
    tzif->std_count = be32_at(bytes + 24);
    tzif->leap_count = be32_at(bytes + 28);
    tzif->time_count = be32_at(bytes + 32);
    tzif->type_count = be32_at(bytes + 36);
    tzif->char_count = be32_at(bytes + 40);
    tzif->time_bytes = time_bytes;
    tzif->data = bytes + TZIF_HEADER_BYTES;
    tzif->left = size_bytes - TZIF_HEADER_BYTES;
    if (tzif->time_count > ZONE_TRANSITIONS_MAX || tzif->type_count > ZONE_TYPES_MAX ||
        tzif->type_count == 0 || tzif->char_count > 65536 || tzif->leap_count > 65536 ||
        tzif->utc_count > ZONE_TYPES_MAX || tzif->std_count > ZONE_TYPES_MAX)
        return false;
    tzif->data_bytes = tzif->time_count * (time_bytes + 1) + tzif->type_count * 6 +
                       tzif->char_count + tzif->leap_count * (time_bytes + 4) + tzif->std_count +
                       tzif->utc_count;
    return tzif->data_bytes <= tzif->left;
}

static bool tzif_transitions(struct zone *zone, const struct tzif *tzif)
{
    const uint8_t *indexes = tzif->data + tzif->time_count * tzif->time_bytes;
    const uint8_t *types = indexes + tzif->time_count;
    zone->first_offset = (int32_t)be32_at(types);
    zone->transition_count = tzif->time_count;
    for (uint32_t i = 0; i < tzif->time_count; i++) {
        const uint8_t *time = tzif->data + i * tzif->time_bytes;
        int64_t second = tzif->time_bytes == 8 ? be64_at(time) : (int32_t)be32_at(time);
        if (indexes[i] >= tzif->type_count || (i > 0 && second <= zone->transition_seconds[i - 1]))
            return false;
        zone->transition_seconds[i] = second;
        zone->transition_offsets[i] = (int32_t)be32_at(types + indexes[i] * 6);
        if (zone->transition_offsets[i] > OFFSET_SECONDS_MAX ||
            zone->transition_offsets[i] < -OFFSET_SECONDS_MAX)
            return false;
    }
    return zone->first_offset <= OFFSET_SECONDS_MAX && zone->first_offset >= -OFFSET_SECONDS_MAX;
}

/* Chooses the 64-bit block where there is one; *footer is empty without it. */
static bool tzif_find(struct tzif *tzif, const uint8_t *bytes, size_t size_bytes,
                      struct str *footer)
{
    *footer = (struct str){"", 0};
    if (!tzif_header(tzif, bytes, size_bytes, 4))
        return false;
    if (tzif->version < '2')
        return true;
    const uint8_t *second = tzif->data + tzif->data_bytes;
    if (!tzif_header(tzif, second, tzif->left - tzif->data_bytes, 8))
        return false;
    const char *text = (const char *)tzif->data + tzif->data_bytes;
    size_t left = tzif->left - tzif->data_bytes;
    if (left < 2 || text[0] != '\n')
        return false;
    const char *end = memchr(text + 1, '\n', left - 1);
    if (!end)
        return false;
    *footer = (struct str){text + 1, (size_t)(end - text - 1)};
    return true;
}

enum status zone_from_tzif(struct zone **out, const char *name, const void *bytes,
                           size_t size_bytes, struct error *err)
{
    struct tzif tzif;
    struct str footer;
    if (!tzif_find(&tzif, bytes, size_bytes, &footer))
        return error_set(err, ERR_CORRUPT, "the data of time zone %s is damaged", name);
    struct zone *zone = mem_calloc(1, sizeof *zone);
    if (!zone)
        return error_memory(err, "time zone", sizeof *zone);
    size_t name_length = strlen(name);
    memcpy(zone->name, name, name_length < ZONE_NAME_MAX ? name_length : ZONE_NAME_MAX - 1);
    zone->transition_seconds = mem_calloc(tzif.time_count, sizeof *zone->transition_seconds);
    zone->transition_offsets = mem_calloc(tzif.time_count, sizeof *zone->transition_offsets);
    if (!zone->transition_seconds || !zone->transition_offsets) {
        zone_free(zone);
        return error_memory(err, "time zone", tzif.time_count * sizeof(int64_t));
    }
    if (!tzif_transitions(zone, &tzif) ||
        (footer.length > 0 && !rule_parse(zone, footer.data, footer.length))) {
        zone_free(zone);
        return error_set(err, ERR_CORRUPT, "the data of time zone %s is damaged", name);
    }
    *out = zone;
    return OK;
}

/* ---- conversion ---- */

static int32_t offset_at(const struct zone *zone, int64_t utc_second)
{
    uint32_t low = 0, high = zone->transition_count;
    if (high == 0)
        return zone->has_rule ? rule_offset(zone, utc_second) : zone->first_offset;
    if (utc_second >= zone->transition_seconds[high - 1])
        return zone->has_rule ? rule_offset(zone, utc_second) : zone->transition_offsets[high - 1];
    while (low < high) { /* the first transition after utc_second */
        uint32_t middle = (low + high) / 2;
        if (zone->transition_seconds[middle] <= utc_second)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? zone->first_offset : zone->transition_offsets[low - 1];
}

int64_t zone_utc_to_local(const struct zone *zone, int64_t utc_us)
{
    return utc_us + offset_at(zone, floor_div(utc_us, US_PER_SECOND)) * US_PER_SECOND;
}

int64_t zone_local_to_utc(const struct zone *zone, int64_t local_us)
{
    int64_t local = floor_div(local_us, US_PER_SECOND);
    /* The offsets on both sides of a change that may be near; offsets are below 26 hours. */
    int32_t before = offset_at(zone, local - 26 * 3600);
    int32_t after = offset_at(zone, local + 26 * 3600);
    int32_t offset = before;
    if (before != after && offset_at(zone, local - before) != before &&
        offset_at(zone, local - after) == after)
        offset = after;
    return local_us - offset * US_PER_SECOND;
}
