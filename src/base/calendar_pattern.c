/* calendar_pattern.c - date and time patterns of Java: compile once, then parse and format.
 *
 * A pattern is a list of fields; a literal of more than 14 bytes is several. Two readers share the
 * walk over the fields: the strict one (DateTimeFormatter) and the lenient one (SimpleDateFormat).
 * Names are English. Weeks (w) are those of the US locale, Java's usual default: they begin on
 * Sunday, the first holds January 1st. A two-digit year is 2000 to 2099 for both. Optional sections
 * ([ ]) and zone letters are refused when compiling. Pure functions, any thread.
 */
#include "base/calendar.h"

#include "base/calendar_int.h"
#include "base/must.h"

static const char *const month_names[] = {"January",   "February", "March",    "April",
                                          "May",       "June",     "July",     "August",
                                          "September", "October",  "November", "December"};
static const char *const day_names[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                        "Thursday", "Friday", "Saturday"};

#define LITERAL_BYTES_MAX 14u /* sizeof fields[].text */
#define TEXT_LETTERS      3   /* from so many letters on, M is a name */

/* ---- compile ---- */

/* Widest run of each letter that Java takes; 0: not known. */
static int letter_width_max(char letter)
{
    switch (letter) {
    case 'y':
    case 'u':
    case 'S':
        return 9;
    case 'M':
    case 'E':
        return 4;
    case 'D':
        return 3;
    case 'd':
    case 'H':
    case 'h':
    case 'm':
    case 's':
    case 'k':
    case 'K':
    case 'w':
        return 2;
    case 'a':
        return 1;
    default:
        return 0;
    }
}

static enum status pattern_literal(struct calendar_pattern *pattern, const char *bytes,
                                   size_t length, struct error *err)
{
    while (length > 0) {
        uint32_t last = pattern->field_count - 1;
        if (pattern->field_count == 0 || pattern->fields[last].letter != 0 ||
            pattern->fields[last].width == LITERAL_BYTES_MAX) {
            if (pattern->field_count == CALENDAR_PATTERN_FIELDS_MAX)
                return error_set(err, ERR_LIMIT, "the date pattern has more than %d parts",
                                 CALENDAR_PATTERN_FIELDS_MAX);
            last = pattern->field_count++;
        }
        uint8_t used = pattern->fields[last].width;
        size_t taken = LITERAL_BYTES_MAX - used < length ? LITERAL_BYTES_MAX - used : length;
        memcpy(pattern->fields[last].text + used, bytes, taken);
        pattern->fields[last].width = (uint8_t)(used + taken);
        bytes += taken;
        length -= taken;
    }
    return OK;
}

static enum status pattern_letters(struct calendar_pattern *pattern, char letter, size_t width,
                                   struct str whole, struct error *err)
{
    int width_max = letter_width_max(letter);
    if (width_max == 0)
        return error_set(err, ERR_UNSUPPORTED,
                         "letter '%c' of the date pattern '%.*s' is not supported", letter,
                         (int)whole.length, whole.data);
    if (width > (size_t)width_max)
        return error_set(err, ERR_DATA, "too many letters '%c' in the date pattern '%.*s'", letter,
                         (int)whole.length, whole.data);
    if (pattern->field_count == CALENDAR_PATTERN_FIELDS_MAX)
        return error_set(err, ERR_LIMIT, "the date pattern has more than %d parts",
                         CALENDAR_PATTERN_FIELDS_MAX);
    pattern->fields[pattern->field_count].letter = letter;
    pattern->fields[pattern->field_count].width = (uint8_t)width;
    pattern->field_count++;
    return OK;
}

/* From behind the opening quote; *next ends behind the closing one. '' is one quote. */
static enum status pattern_quoted(struct calendar_pattern *pattern, struct str whole, size_t *next,
                                  struct error *err)
{
    size_t at = *next;
    if (at < whole.length && whole.data[at] == '\'') {
        *next = at + 1;
        return pattern_literal(pattern, "'", 1, err);
    }
    for (; at < whole.length; at++) {
        if (whole.data[at] == '\'') {
            if (at + 1 < whole.length && whole.data[at + 1] == '\'') {
                at++;
            } else {
                *next = at + 1;
                return OK;
            }
        }
        TRY(pattern_literal(pattern, whole.data + at, 1, err));
    }
    return error_set(err, ERR_DATA, "the date pattern '%.*s' has a quote without end",
                     (int)whole.length, whole.data);
}

enum status calendar_pattern_compile(struct calendar_pattern *out, struct str pattern,
                                     struct error *err)
{
    memset(out, 0, sizeof *out);
    size_t at = 0;
    while (at < pattern.length) {
        char byte = pattern.data[at];
        if (byte == '\'') {
            at++;
            TRY(pattern_quoted(out, pattern, &at, err));
        } else if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z')) {
            size_t width = 1;
            while (at + width < pattern.length && pattern.data[at + width] == byte)
                width++;
            TRY(pattern_letters(out, byte, width, pattern, err));
            at += width;
        } else if (byte == '[' || byte == ']' || byte == '{' || byte == '}' || byte == '#') {
            return error_set(err, ERR_UNSUPPORTED,
                             "'%c' in the date pattern '%.*s' is not supported", byte,
                             (int)pattern.length, pattern.data);
        } else {
            TRY(pattern_literal(out, &byte, 1, err));
            at++;
        }
    }
    out->is_default = str_eq(pattern, STR("yyyy-MM-dd HH:mm:ss"));
    return OK;
}

/* ---- parse ---- */

enum { ABSENT = -1 };

struct reading {
    const char *next;
    const char *end;
    bool lenient;
    int32_t year, month, day, hour, hour_half, minute, second, microsecond, half, day_of_year,
        day_of_week;
};

/* Names are compared by their first three letters or as a whole. Returns the index or ABSENT. */
static int32_t read_name(struct reading *reading, const char *const *names, int32_t count,
                         bool full)
{
    for (int32_t i = 0; i < count; i++) {
        size_t length = full ? strlen(names[i]) : 3;
        struct str name = {names[i], length};
        if ((size_t)(reading->end - reading->next) < length)
            continue;
        struct str there = {reading->next, length};
        if (reading->lenient ? str_eq_nocase(there, name) : str_eq(there, name)) {
            reading->next += length;
            return i;
        }
    }
    return ABSENT;
}

/* Digits: at least digits_min, at most digits_max, leaving `reserve` digits to the fields behind.
 */
static bool read_number(struct reading *reading, int digits_min, int digits_max, int reserve,
                        int32_t *out)
{
    int digits = 0;
    while (digits < digits_max + reserve && reading->next + digits < reading->end &&
           reading->next[digits] >= '0' && reading->next[digits] <= '9')
        digits++;
    digits = digits - reserve > digits_min ? digits - reserve : digits_min;
    if (digits > digits_max)
        digits = digits_max;
    int64_t value = 0;
    for (int i = 0; i < digits; i++) {
        if (reading->next + i >= reading->end || reading->next[i] < '0' || reading->next[i] > '9')
            return false;
        value = value * 10 + (reading->next[i] - '0');
    }
    if (value > INT32_MAX)
        return false;
    reading->next += digits;
    *out = (int32_t)value;
    return true;
}

static bool is_number(char letter, unsigned width)
{
    return letter != 0 && letter != 'a' && letter != 'E' &&
           !(letter == 'M' && width >= TEXT_LETTERS);
}

/* Digits that numeric fields right behind field i claim by their width. */
static int digits_reserved(const struct calendar_pattern *pattern, uint32_t i, bool lenient)
{
    int reserve = 0;
    for (uint32_t next = i + 1; next < pattern->field_count; next++) {
        char letter = pattern->fields[next].letter;
        unsigned width = pattern->fields[next].width;
        if (!is_number(letter, width) || (!lenient && width == 1 && letter != 'S'))
            break;
        reserve += (int)width;
    }
    return reserve;
}

static bool read_digits(struct reading *reading, const struct calendar_pattern *pattern, uint32_t i,
                        int32_t *out)
{
    char letter = pattern->fields[i].letter;
    int width = pattern->fields[i].width;
    int reserve = digits_reserved(pattern, i, reading->lenient);
    bool year = letter == 'y' || letter == 'u';
    if (reading->lenient) {
        while (reading->next < reading->end && *reading->next == ' ')
            reading->next++;
        return reserve > 0 ? read_number(reading, width, width, 0, out)
                           : read_number(reading, 1, 9, 0, out);
    }
    if (letter == 'S')
        return read_number(reading, width, width, 0, out);
    if (width == 1 || (year && width != 2))
        return read_number(reading, width, 9, reserve, out);
    if (letter == 'D')
        return read_number(reading, width, 3, reserve, out);
    return read_number(reading, width, width, 0, out);
}

static bool store_number(struct reading *reading, char letter, int width, int32_t value, int digits)
{
    switch (letter) {
    case 'y':
    case 'u':
        reading->year = width == 2 && digits == 2 ? 2000 + value : value;
        return true;
    case 'M':
        reading->month = value;
        return true;
    case 'd':
        reading->day = value;
        return true;
    case 'H':
        reading->hour = value;
        return true;
    case 'k':
        reading->hour = value == 24 ? 0 : value;
        return reading->lenient || value >= 1;
    case 'h':
        reading->hour_half = value == 12 ? 0 : value;
        return reading->lenient || (value >= 1 && value <= 12);
    case 'K':
        reading->hour_half = value;
        return reading->lenient || value <= 11;
    case 'm':
        reading->minute = value;
        return true;
    case 's':
        reading->second = value;
        return true;
    case 'S':
        if (reading->lenient) { /* SimpleDateFormat: a number of milliseconds */
            reading->microsecond = value <= 999 ? value * 1000 : 999000;
        } else {
            int64_t nanoseconds = value;
            for (int place = digits; place < 9; place++)
                nanoseconds *= 10;
            reading->microsecond = (int32_t)(nanoseconds / 1000);
        }
        return true;
    case 'D':
        reading->day_of_year = value;
        return true;
    default: /* w: read over, as a date follows from the other fields */
        return true;
    }
}

static bool read_field(struct reading *reading, const struct calendar_pattern *pattern, uint32_t i)
{
    char letter = pattern->fields[i].letter;
    unsigned width = pattern->fields[i].width;
    if (letter == 0) {
        if ((size_t)(reading->end - reading->next) < width ||
            memcmp(reading->next, pattern->fields[i].text, width) != 0)
            return false;
        reading->next += width;
        return true;
    }
    if (letter == 'a') {
        static const char *const halves[] = {"AM ", "PM "};
        if (reading->end - reading->next < 2)
            return false;
        struct str there = {reading->next, 2};
        for (int32_t half = 0; half < 2; half++) {
            struct str name = {halves[half], 2};
            if (reading->lenient ? str_eq_nocase(there, name) : str_eq(there, name))
                reading->half = half;
        }
        reading->next += 2;
        return reading->half != ABSENT;
    }
    if (letter == 'E')
        return (reading->day_of_week = read_name(reading, day_names, 7, width == 4)) != ABSENT;
    if (!is_number(letter, width)) {
        int32_t month = read_name(reading, month_names, 12, width == 4);
        reading->month = month + 1;
        return month != ABSENT;
    }
    const char *start = reading->next;
    int32_t value;
    return read_digits(reading, pattern, i, &value) &&
           store_number(reading, letter, (int)width, value, (int)(reading->next - start));
}

static int32_t or_else(int32_t value, int32_t other)
{
    return value == ABSENT ? other : value;
}

/* Fields to a timestamp as java.time resolves them (ResolverStyle.SMART). */
static bool resolve_strict(struct reading *reading, int64_t *out_us)
{
    bool clip = reading->year != ABSENT && reading->month != ABSENT && reading->day != ABSENT;
    struct civil civil = {
        .year = or_else(reading->year, 1970),
        .month = or_else(reading->month, 1),
        .day = or_else(reading->day, 1),
        .hour = or_else(reading->hour, 0),
        .minute = or_else(reading->minute, 0),
        .second = or_else(reading->second, 0),
        .microsecond = or_else(reading->microsecond, 0),
    };
    if (reading->hour == ABSENT && reading->hour_half != ABSENT && reading->half != ABSENT)
        civil.hour = reading->hour_half + 12 * reading->half;
    int64_t added_us = 0;
    if (civil.hour == 24 && civil.minute + civil.second + civil.microsecond == 0) {
        civil.hour = 0;
        added_us = US_PER_DAY;
    }
    if (clip && civil.month >= 1 && civil.month <= 12 && civil.day >= 1 && civil.day <= 31) {
        int32_t last = calendar_last_day_of_month(civil.year, civil.month);
        civil.day = civil.day > last ? last : civil.day;
    }
    if (!calendar_valid(&civil))
        return false;
    if (reading->day_of_year != ABSENT && reading->month == ABSENT && reading->day == ABSENT) {
        if (reading->day_of_year < 1 || reading->day_of_year > 365 + is_leap(civil.year))
            return false;
        added_us += (reading->day_of_year - 1) * US_PER_DAY;
    }
    *out_us = calendar_us(&civil) + added_us;
    int32_t days = (int32_t)floor_div(*out_us, US_PER_DAY);
    return !clip || reading->day_of_week == ABSENT ||
           calendar_day_of_week(days) == reading->day_of_week + 1;
}

/* Values past their range carry into the next larger field, as java.util.Calendar does. */
static bool resolve_lenient(struct reading *reading, int64_t *out_us)
{
    int64_t year = or_else(reading->year, 1970);
    int64_t month_index = year * 12 + or_else(reading->month, 1) - 1;
    int64_t day = or_else(reading->day, 1);
    if (reading->day_of_year != ABSENT && reading->month == ABSENT)
        day = reading->day_of_year;
    int64_t hour = or_else(reading->hour, 0);
    if (reading->hour == ABSENT && reading->hour_half != ABSENT)
        hour = reading->hour_half + (reading->half == 1 ? 12 : 0);
    year = floor_div(month_index, 12);
    if (year < 0 || year > YEAR_MAX)
        return false;
    int64_t days = calendar_days((int32_t)year, (int32_t)(month_index - year * 12) + 1, 1);
    int64_t seconds = (days + day - 1) * 86400 + hour * 3600 +
                      (int64_t)or_else(reading->minute, 0) * 60 + or_else(reading->second, 0);
    if (seconds < calendar_days(YEAR_MIN, 1, 1) * INT64_C(86400) ||
        seconds >= calendar_days(YEAR_MAX + 1, 1, 1) * INT64_C(86400))
        return false;
    *out_us = seconds * US_PER_SECOND + or_else(reading->microsecond, 0);
    return true;
}

static bool pattern_parse(const struct calendar_pattern *pattern, struct str text, bool lenient,
                          int64_t *out_us)
{
    struct reading reading = {
        text.data, text.data + text.length,
        lenient,   ABSENT,
        ABSENT,    ABSENT,
        ABSENT,    ABSENT,
        ABSENT,    ABSENT,
        ABSENT,    ABSENT,
        ABSENT,    ABSENT,
    };
    for (uint32_t i = 0; i < pattern->field_count; i++)
        if (!read_field(&reading, pattern, i))
            return false;
    if (lenient)
        return resolve_lenient(&reading, out_us);
    return reading.next == reading.end && resolve_strict(&reading, out_us);
}

bool calendar_pattern_parse(const struct calendar_pattern *pattern, struct str text,
                            int64_t *out_us)
{
    if (pattern->is_default && text.length == 19 &&
        calendar_parse_plain_19(text.data, false, out_us))
        return true;
    return pattern_parse(pattern, text, false, out_us);
}

bool calendar_pattern_parse_lenient(const struct calendar_pattern *pattern, struct str text,
                                    int64_t *out_us)
{
    if (pattern->is_default && text.length == 19 &&
        calendar_parse_plain_19(text.data, false, out_us))
        return true;
    return pattern_parse(pattern, text, true, out_us);
}

/* ---- format ---- */

static size_t put_number(char *dest, int32_t value, unsigned width)
{
    char digits[12];
    unsigned length = 0;
    do {
        digits[length++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    size_t at = 0;
    for (unsigned pad = length; pad < width; pad++)
        dest[at++] = '0';
    while (length > 0)
        dest[at++] = digits[--length];
    return at;
}

static size_t put_name(char *dest, const char *name, bool full)
{
    size_t length = full ? strlen(name) : 3;
    memcpy(dest, name, length);
    return length;
}

static int32_t us_week_of_year(int32_t days, int32_t year)
{
    int32_t first = calendar_days(year, 1, 1);
    int32_t first_sunday_offset = calendar_day_of_week(first) - 1;
    int32_t next_year = calendar_days(year + 1, 1, 1);
    if (days + 7 - (calendar_day_of_week(days) - 1) > next_year)
        return 1; /* the week holds the next January 1st */
    return (days - first + first_sunday_offset) / 7 + 1;
}

static size_t put_field(char *dest, char letter, unsigned width, const struct civil *civil,
                        int32_t days)
{
    switch (letter) {
    case 'y':
    case 'u':
        return width == 2 ? put_number(dest, civil->year % 100, 2)
                          : put_number(dest, civil->year, width);
    case 'M':
        return width < TEXT_LETTERS ? put_number(dest, civil->month, width)
                                    : put_name(dest, month_names[civil->month - 1], width == 4);
    case 'd':
        return put_number(dest, civil->day, width);
    case 'H':
        return put_number(dest, civil->hour, width);
    case 'k':
        return put_number(dest, civil->hour == 0 ? 24 : civil->hour, width);
    case 'h':
        return put_number(dest, civil->hour % 12 == 0 ? 12 : civil->hour % 12, width);
    case 'K':
        return put_number(dest, civil->hour % 12, width);
    case 'm':
        return put_number(dest, civil->minute, width);
    case 's':
        return put_number(dest, civil->second, width);
    case 'S': {
        char digits[10];
        put_number(digits, civil->microsecond, 6);
        put_number(digits + 6, civil->nanosecond_rest, 3);
        memcpy(dest, digits, width);
        return width;
    }
    case 'a':
        memcpy(dest, civil->hour < 12 ? "AM" : "PM", 2);
        return 2;
    case 'E':
        return put_name(dest, day_names[calendar_day_of_week(days) - 1], width == 4);
    case 'D':
        return put_number(dest, days - calendar_days(civil->year, 1, 1) + 1, width);
    case 'w':
        return put_number(dest, us_week_of_year(days, civil->year), width);
    default:
        must(false); /* a compiled pattern has only known letters */
    }
    return 0;
}

size_t calendar_pattern_format(const struct calendar_pattern *pattern, int64_t us,
                               int32_t nanosecond_rest, char *dest, size_t dest_size)
{
    if (pattern->is_default)
        return dest_size < 19 ? 0 : calendar_format_timestamp(dest, us, 0);
    struct civil civil;
    calendar_civil(us, &civil);
    civil.nanosecond_rest = nanosecond_rest;
    if (civil.year < 0)
        civil.year = -civil.year;
    int32_t days = (int32_t)floor_div(us, US_PER_DAY);
    size_t at = 0;
    for (uint32_t i = 0; i < pattern->field_count; i++) {
        if (dest_size - at < 16)
            return 0;
        unsigned width = pattern->fields[i].width;
        if (pattern->fields[i].letter == 0) {
            memcpy(dest + at, pattern->fields[i].text, width);
            at += width;
        } else {
            at += put_field(dest + at, pattern->fields[i].letter, width, &civil, days);
        }
    }
    return at;
}
