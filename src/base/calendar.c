/* calendar.c - dates and times as integers, and their SQL texts.
 *
 * Does not: patterns (calendar_pattern.c), zones (calendar_zone.c). The day arithmetic counts from
 * March of year 0, so that the leap day is the last of its year. Pure functions, any thread.
 */
#include "base/calendar.h"

#include "base/calendar_int.h"
#include "base/calendar_plain.h"

#define DAYS_PER_400_YEARS 146097
#define DAYS_TO_1970       719468 /* from 0000-03-01 */

const char CALENDAR_TWO_DIGITS[200] = "0001020304050607080910111213141516171819"
                                      "2021222324252627282930313233343536373839"
                                      "4041424344454647484950515253545556575859"
                                      "6061626364656667686970717273747576777879"
                                      "8081828384858687888990919293949596979899";

static const int8_t month_days[2][13] = {
    {0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31},
    {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31},
};

int32_t calendar_days(int32_t year, int32_t month, int32_t day)
{
    int32_t shifted = year - (month <= 2);
    int32_t era = (int32_t)floor_div(shifted, 400);
    int32_t year_of_era = shifted - era * 400;
    int32_t day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
    int32_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_400_YEARS + day_of_era - DAYS_TO_1970;
}

void calendar_civil_from_days(int32_t days, int32_t *year, int32_t *month, int32_t *day)
{
    int64_t since_march_0 = (int64_t)days + DAYS_TO_1970;
    int32_t era = (int32_t)floor_div(since_march_0, DAYS_PER_400_YEARS);
    uint32_t day_of_era = (uint32_t)(since_march_0 - (int64_t)era * DAYS_PER_400_YEARS);
    uint32_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    uint32_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    uint32_t march_month = (5 * day_of_year + 2) / 153;
    *day = (int32_t)(day_of_year - (153 * march_month + 2) / 5 + 1);
    *month = (int32_t)(march_month < 10 ? march_month + 3 : march_month - 9);
    *year = (int32_t)year_of_era + era * 400 + (*month <= 2);
}

int64_t calendar_us(const struct civil *civil)
{
    int64_t seconds = civil->hour * 3600 + civil->minute * 60 + civil->second;
    return calendar_days(civil->year, civil->month, civil->day) * US_PER_DAY +
           seconds * US_PER_SECOND + civil->microsecond;
}

void calendar_civil(int64_t us, struct civil *out)
{
    int64_t days = floor_div(us, US_PER_DAY);
    int64_t rest = us - days * US_PER_DAY;
    calendar_civil_from_days((int32_t)days, &out->year, &out->month, &out->day);
    out->microsecond = (int32_t)(rest % US_PER_SECOND);
    int32_t seconds = (int32_t)(rest / US_PER_SECOND);
    out->hour = seconds / 3600;
    out->minute = seconds / 60 % 60;
    out->second = seconds % 60;
    out->nanosecond_rest = 0;
}

int32_t calendar_last_day_of_month(int32_t year, int32_t month)
{
    return month_days[is_leap(year)][month];
}

static bool valid_date(int32_t year, int32_t month, int32_t day)
{
    return year >= YEAR_MIN && year <= YEAR_MAX && month >= 1 && month <= 12 && day >= 1 &&
           day <= calendar_last_day_of_month(year, month);
}

bool calendar_valid(const struct civil *civil)
{
    return valid_date(civil->year, civil->month, civil->day) && civil->hour >= 0 &&
           civil->hour <= 23 && civil->minute >= 0 && civil->minute <= 59 && civil->second >= 0 &&
           civil->second <= 59 && civil->microsecond >= 0 && civil->microsecond <= 999999 &&
           civil->nanosecond_rest >= 0 && civil->nanosecond_rest <= 999;
}

int64_t calendar_add_months(int64_t us, int64_t months)
{
    struct civil civil;
    calendar_civil(us, &civil);
    int64_t month_index = (int64_t)civil.year * 12 + civil.month - 1 + months;
    civil.year = (int32_t)floor_div(month_index, 12);
    civil.month = (int32_t)(month_index - (int64_t)civil.year * 12) + 1;
    int32_t last = calendar_last_day_of_month(civil.year, civil.month);
    if (civil.day > last)
        civil.day = last;
    return calendar_us(&civil);
}

int32_t calendar_day_of_week(int32_t days)
{
    int64_t since_sunday = (int64_t)days + 4; /* 1970-01-01 was a Thursday */
    return (int32_t)(since_sunday - floor_div(since_sunday, 7) * 7) + 1;
}

int32_t calendar_iso_week(int32_t days, int32_t *iso_year)
{
    /* The week belongs to the year of its Thursday. */
    int32_t from_monday = (calendar_day_of_week(days) + 5) % 7;
    int32_t thursday = days - from_monday + 3;
    int32_t year, month, day;
    calendar_civil_from_days(thursday, &year, &month, &day);
    if (iso_year)
        *iso_year = year;
    return (thursday - calendar_days(year, 1, 1)) / 7 + 1;
}

/* ---- texts to values ---- */

/* Each byte times ten plus the byte after it. */
static inline uint64_t join_pairs(uint64_t digits)
{
    return digits * 10 + (digits >> 8);
}

bool calendar_plain_day(uint64_t year_month, uint16_t day_text, struct calendar_day_memo *memo)
{
    uint64_t date = year_month ^ UINT64_C(0x2d30302d30303030);
    uint64_t day_digits = day_text ^ UINT64_C(0x3030);
    if (!calendar_fits_template(date, UINT64_C(0x7f76767f76767676)) ||
        !calendar_fits_template(day_digits, UINT64_C(0x7676)))
        return false;
    date = join_pairs(date);
    int32_t year = (int32_t)((date & 0xff) * 100 + (date >> 16 & 0xff));
    int32_t month = (int32_t)(date >> 40 & 0xff);
    int32_t day = (int32_t)(join_pairs(day_digits) & 0xff);
    if (!valid_date(year, month, day))
        return false;
    memo->us = calendar_days(year, month, day) * US_PER_DAY;
    memo->year_month = year_month;
    memo->day = day_text;
    return true;
}

/* The day of this thread's last timestamp. */
static __thread struct calendar_day_memo last_day;

bool calendar_parse_plain_19(const char *text, bool allow_t, int64_t *out_us)
{
    return calendar_parse_plain(text, allow_t, &last_day, out_us);
}

/* A cursor over text that stays false once something did not fit. */
struct cursor {
    const char *next;
    const char *end;
    bool good;
};

static bool cursor_at(const struct cursor *cursor, char byte)
{
    return cursor->next < cursor->end && *cursor->next == byte;
}

static void cursor_expect(struct cursor *cursor, char byte)
{
    if (cursor_at(cursor, byte))
        cursor->next++;
    else
        cursor->good = false;
}

static int32_t cursor_number(struct cursor *cursor, int digits_min, int digits_max)
{
    int32_t value = 0;
    int digits = 0;
    while (digits < digits_max && cursor->next < cursor->end && *cursor->next >= '0' &&
           *cursor->next <= '9') {
        value = value * 10 + (*cursor->next++ - '0');
        digits++;
    }
    if (digits < digits_min)
        cursor->good = false;
    return value;
}

/* One to nine digits as nanoseconds. */
static int32_t cursor_fraction(struct cursor *cursor)
{
    const char *start = cursor->next;
    int32_t value = cursor_number(cursor, 1, 9);
    for (long digits = cursor->next - start; digits < 9; digits++)
        value *= 10;
    return value;
}

static void cursor_date(struct cursor *cursor, struct civil *civil)
{
    civil->year = cursor_number(cursor, 4, 4);
    cursor_expect(cursor, '-');
    civil->month = cursor_number(cursor, 1, 2);
    cursor_expect(cursor, '-');
    civil->day = cursor_number(cursor, 1, 2);
}

static void cursor_fraction_part(struct cursor *cursor, struct civil *civil)
{
    if (!cursor_at(cursor, '.'))
        return;
    cursor->next++;
    int32_t nanoseconds = cursor_fraction(cursor);
    civil->microsecond = nanoseconds / 1000;
    civil->nanosecond_rest = nanoseconds % 1000;
}

bool calendar_parse_date(struct str text, int32_t *out_days)
{
    struct cursor cursor = {text.data, text.data + text.length, true};
    struct civil civil = {0};
    cursor_date(&cursor, &civil);
    if (!cursor.good || cursor.next != cursor.end ||
        !valid_date(civil.year, civil.month, civil.day))
        return false;
    *out_days = calendar_days(civil.year, civil.month, civil.day);
    return true;
}

bool calendar_parse_time(struct str text, int32_t *out_ms)
{
    struct cursor cursor = {text.data, text.data + text.length, true};
    struct civil civil = {.year = 1970, .month = 1, .day = 1};
    civil.hour = cursor_number(&cursor, 1, 2);
    cursor_expect(&cursor, ':');
    civil.minute = cursor_number(&cursor, 1, 2);
    if (cursor_at(&cursor, ':')) {
        cursor.next++;
        civil.second = cursor_number(&cursor, 1, 2);
        cursor_fraction_part(&cursor, &civil);
    }
    if (!cursor.good || cursor.next != cursor.end || !calendar_valid(&civil))
        return false;
    *out_ms =
        (civil.hour * 3600 + civil.minute * 60 + civil.second) * 1000 + civil.microsecond / 1000;
    return true;
}

bool calendar_parse_timestamp(struct str text, int64_t *out_us)
{
    if (text.length == CALENDAR_PLAIN_BYTES &&
        calendar_parse_plain(text.data, true, &last_day, out_us))
        return true;
    struct cursor cursor = {text.data, text.data + text.length, true};
    struct civil civil = {0};
    cursor_date(&cursor, &civil);
    if (cursor.good && cursor.next < cursor.end) {
        if (!cursor_at(&cursor, ' ') && !cursor_at(&cursor, 'T'))
            return false;
        cursor.next++;
        civil.hour = cursor_number(&cursor, 1, 2);
        cursor_expect(&cursor, ':');
        civil.minute = cursor_number(&cursor, 1, 2);
        cursor_expect(&cursor, ':');
        civil.second = cursor_number(&cursor, 1, 2);
        cursor_fraction_part(&cursor, &civil);
    }
    if (!cursor.good || cursor.next != cursor.end || !calendar_valid(&civil))
        return false;
    *out_us = calendar_us(&civil);
    return true;
}

int32_t calendar_rest_ns(struct str text)
{
    size_t point = 0;
    int32_t rest = 0;
    while (point < text.length && text.data[point] != '.')
        point++;
    for (size_t i = point + 7; i < point + 10; i++)
        rest = rest * 10 + (i < text.length ? text.data[i] - '0' : 0);
    return rest;
}

/* ---- values to texts ---- */

/* Years outside 1 to 9999 do not come from SQL; shown modulo 10000 rather than overrunning dest. */
static void put_date(char *dest, int32_t year, int32_t month, int32_t day)
{
    put_four(dest, ((year % 10000) + 10000) % 10000);
    dest[4] = '-';
    put_two(dest + 5, month);
    dest[7] = '-';
    put_two(dest + 8, day);
}

static void put_clock(char *dest, int32_t hour, int32_t minute, int32_t second)
{
    put_two(dest, hour);
    dest[2] = ':';
    put_two(dest + 3, minute);
    dest[5] = ':';
    put_two(dest + 6, second);
}

static size_t put_fraction(char *dest, int32_t microsecond, unsigned precision)
{
    if (precision == 0)
        return 0;
    char digits[10] = {0};
    for (int place = 5; place >= 0; place--, microsecond /= 10)
        digits[place] = (char)('0' + microsecond % 10);
    memset(digits + 6, '0', 3);
    dest[0] = '.';
    size_t length = precision > 9 ? 9 : precision;
    memcpy(dest + 1, digits, length);
    return length + 1;
}

size_t calendar_format_date(char *dest, int32_t days)
{
    int32_t year, month, day;
    calendar_civil_from_days(days, &year, &month, &day);
    put_date(dest, year, month, day);
    return 10;
}

size_t calendar_format_time(char *dest, int32_t ms, unsigned precision)
{
    int32_t seconds = ms / 1000;
    put_clock(dest, seconds / 3600, seconds / 60 % 60, seconds % 60);
    return 8 + put_fraction(dest + 8, ms % 1000 * 1000, precision);
}

size_t calendar_format_timestamp(char *dest, int64_t us, unsigned precision)
{
    struct civil civil;
    calendar_civil(us, &civil);
    put_date(dest, civil.year, civil.month, civil.day);
    dest[10] = ' ';
    put_clock(dest + 11, civil.hour, civil.minute, civil.second);
    return 19 + put_fraction(dest + 19, civil.microsecond, precision);
}

size_t calendar_format_timestamp_value(char *dest, int64_t value, unsigned precision)
{
    if (precision <= 6)
        return calendar_format_timestamp(dest, value, precision);
    int64_t us = value / 1000 - (value % 1000 < 0), rest_ns = value - us * 1000;
    size_t length = calendar_format_timestamp(dest, us, 6);
    for (int64_t unit = 100; precision > 6; precision--, unit /= 10)
        dest[length++] = (char)('0' + rest_ns / unit % 10);
    return length;
}

/* The length of a text with a fraction, without the zeros at its end and a point behind which
 * nothing is left. */
static size_t without_zeros(const char *text, size_t length)
{
    while (text[length - 1] == '0')
        length--;
    return length - (text[length - 1] == '.');
}

size_t calendar_format_timestamp_brief(char *dest, int64_t value, unsigned precision)
{
    precision = precision > 6 ? 9 : 6;
    return without_zeros(dest, calendar_format_timestamp_value(dest, value, precision));
}

size_t calendar_format_time_brief(char *dest, int32_t ms)
{
    return without_zeros(dest, calendar_format_time(dest, ms, 3));
}
