/* calendar_plain.h - "YYYY-MM-DD HH:MM:SS", the timestamp of nearly every row, read inline.
 *
 * Rows of a stream mostly share the day of the row before, so a loop keeps it in a memo and what is
 * left is the time of day: eight bytes in one word. For loops over columns; all else calls
 * calendar_parse_timestamp or a pattern.
 */
#ifndef LEAT_BASE_CALENDAR_PLAIN_H
#define LEAT_BASE_CALENDAR_PLAIN_H

#include "base/calendar.h"

#define CALENDAR_PLAIN_BYTES 19

struct calendar_day_memo { /* zeroed to begin with */
    uint64_t year_month;   /* the bytes "YYYY-MM-" ... */
    uint16_t day;          /* ... and "DD" of the day that starts at us */
    int64_t us;
};

/* The day of these bytes into the memo; false (memo as before) when they are no date. */
bool calendar_plain_day(uint64_t year_month, uint16_t day, struct calendar_day_memo *memo);

/* Eight bytes minus a template of '0' for digits and separators for themselves: each byte must be
 * at most 9, or 0 where the template has a separator. Adding `limits` (0x76 for digits, 0x7f for
 * separators) sets the top bit of each byte that is too large. */
static inline bool calendar_fits_template(uint64_t differences, uint64_t limits)
{
    return (((differences + limits) | differences) & UINT64_C(0x8080808080808080)) == 0;
}

/* CALENDAR_PLAIN_BYTES readable bytes at text; a T may stand for the blank with allow_t. */
static inline bool calendar_parse_plain(const char *text, bool allow_t,
                                        struct calendar_day_memo *memo, int64_t *out_us)
{
    uint64_t year_month, clock;
    uint16_t day;
    memcpy(&year_month, text, 8);
    memcpy(&day, text + 8, 2);
    memcpy(&clock, text + 11, 8); /* "HH:MM:SS" */
    if (text[10] != ' ' && !(allow_t && text[10] == 'T'))
        return false;
    clock ^= UINT64_C(0x30303a30303a3030);
    if (!calendar_fits_template(clock, UINT64_C(0x76767f76767f7676)))
        return false;
    /* Tens times ten plus ones: hours in byte 0, minutes in 3, seconds in 6; at most 23, 59, 59. */
    clock = (clock * 10 + (clock >> 8)) & UINT64_C(0x00ff0000ff0000ff);
    if ((clock + UINT64_C(0x0044000044000068)) & UINT64_C(0x0080000080000080))
        return false;
    if ((year_month != memo->year_month || day != memo->day) &&
        !calendar_plain_day(year_month, day, memo))
        return false;
    uint32_t minutes = (uint32_t)(clock & 0xff) * 60 + (uint32_t)(clock >> 24 & 0xff);
    *out_us = memo->us + (minutes * INT64_C(60) + (int64_t)(clock >> 48)) * US_PER_SECOND;
    return true;
}

#endif
