/* calendar_int.h - shared by calendar*.c only. */
#ifndef LEAT_BASE_CALENDAR_INT_H
#define LEAT_BASE_CALENDAR_INT_H

#include "base/calendar.h"

#define YEAR_MIN 1
#define YEAR_MAX 9999

static inline bool is_leap(int32_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static inline int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

extern const char CALENDAR_TWO_DIGITS[200]; /* "00" "01" .. "99" */

/* Two digits at dest; value 0 to 99. */
static inline void put_two(char *dest, int32_t value)
{
    memcpy(dest, CALENDAR_TWO_DIGITS + 2 * value, 2);
}

/* Four digits; years past 9999 do not occur. */
static inline void put_four(char *dest, int32_t value)
{
    put_two(dest, value / 100);
    put_two(dest + 2, value % 100);
}

/* Exactly "YYYY-MM-DD HH:MM:SS" or with T, 19 readable bytes: the timestamp of nearly every row. */
bool calendar_parse_plain_19(const char *text, bool allow_t, int64_t *out_us);

#endif
