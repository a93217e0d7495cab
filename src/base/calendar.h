/* calendar.h - dates, times of day, timestamps and zones as integers; proleptic Gregorian calendar.
 *
 * date: int32 days since 1970-01-01. time: int32 milliseconds of the day. timestamp: int64
 * microseconds since 1970-01-01T00:00:00 (without zone for TIMESTAMP, UTC for TIMESTAMP_LTZ). Years
 * 0001 to 9999. Zone data (TZif bytes) is read by os/zonefile.h; here is the arithmetic on it.
 */
#ifndef LEAT_BASE_CALENDAR_H
#define LEAT_BASE_CALENDAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/str.h"

#define US_PER_MS     INT64_C(1000)
#define US_PER_SECOND INT64_C(1000000)
#define US_PER_DAY    INT64_C(86400000000)

struct civil {
    int32_t year, month, day; /* month and day from 1 */
    int32_t hour, minute, second, microsecond;
    int32_t nanosecond_rest; /* 0-999 below the microsecond; 0 unless parsed with 7-9 digits */
};

int32_t calendar_days(int32_t year, int32_t month, int32_t day);
void calendar_civil_from_days(int32_t days, int32_t *year, int32_t *month, int32_t *day);
int64_t calendar_us(const struct civil *civil);
void calendar_civil(int64_t us, struct civil *out);
bool calendar_valid(const struct civil *civil);
int32_t calendar_last_day_of_month(int32_t year, int32_t month);
int64_t calendar_add_months(int64_t us, int64_t months); /* day clipped to the month's end */
int32_t calendar_day_of_week(int32_t days);              /* 1 = Sunday (Flink's DAYOFWEEK) */
int32_t calendar_iso_week(int32_t days, int32_t *iso_year);

/* SQL literal forms: "YYYY-MM-DD", "HH:MM[:SS[.fff]]", "YYYY-MM-DD[ T]HH:MM:SS[.fffffffff]" (one to
 * nine fraction digits); also a date alone for a timestamp, as Flink's CAST. False: malformed. */
bool calendar_parse_date(struct str text, int32_t *out_days);
bool calendar_parse_time(struct str text, int32_t *out_ms);
bool calendar_parse_timestamp(struct str text, int64_t *out_us);
/* The nanoseconds (0-999) below the microsecond of a text that calendar_parse_timestamp took. */
int32_t calendar_rest_ns(struct str text);

/* "YYYY-MM-DD", "HH:MM:SS[.f]", "YYYY-MM-DD HH:MM:SS[.f]" with exactly `precision` fraction digits
 * (0 to 9). dest has at least 40 bytes; the length is returned. */
size_t calendar_format_date(char *dest, int32_t days);
size_t calendar_format_time(char *dest, int32_t ms, unsigned precision);
size_t calendar_format_timestamp(char *dest, int64_t us, unsigned precision);

/* A value of TIMESTAMP(precision), which is in nanoseconds above 6 and in microseconds up to it,
 * with `precision` fraction digits; brief: with as few as the value needs. */
size_t calendar_format_timestamp_value(char *dest, int64_t value, unsigned precision);
size_t calendar_format_timestamp_brief(char *dest, int64_t value, unsigned precision);
size_t calendar_format_time_brief(char *dest, int32_t ms);

/* Patterns of Java's DateTimeFormatter/SimpleDateFormat as DATE_FORMAT, TO_TIMESTAMP and TO_DATE
 * use them: y u M d H h m s S a E D w k K ' and literals; others: ERR_UNSUPPORTED naming the
 * letter. A compiled pattern is plain memory of the caller, usable from any thread. */
#define CALENDAR_PATTERN_FIELDS_MAX 32
struct calendar_pattern {
    struct {
        char letter;   /* 0: literal */
        uint8_t width; /* letters in a row, or bytes of the literal */
        char text[14]; /* literal bytes */
    } fields[CALENDAR_PATTERN_FIELDS_MAX];
    uint32_t field_count;
    bool is_default; /* "yyyy-MM-dd HH:mm:ss", which has a fast path */
};
enum status calendar_pattern_compile(struct calendar_pattern *out, struct str pattern,
                                     struct error *err) STATUS_CHECKED;
/* As java.time's DateTimeFormatter reads (TO_TIMESTAMP): fixed widths, whole text, the day clipped
 * to the month's end; absent fields are those of 1970-01-01 00:00:00. */
bool calendar_pattern_parse(const struct calendar_pattern *pattern, struct str text,
                            int64_t *out_us);
/* As SimpleDateFormat reads (TO_DATE, UNIX_TIMESTAMP): numbers of any width, values that roll over
 * (month 13), rest of the text ignored. */
bool calendar_pattern_parse_lenient(const struct calendar_pattern *pattern, struct str text,
                                    int64_t *out_us);
/* nanosecond_rest: 0-999 below the microsecond. dest_size at least 16 per field; returns the
 * length, 0 when it does not fit. */
size_t calendar_pattern_format(const struct calendar_pattern *pattern, int64_t us,
                               int32_t nanosecond_rest, char *dest, size_t dest_size);

/* A zone: fixed offset, or transitions of a TZif file plus its POSIX-TZ footer. */
struct zone;
enum status zone_from_offset(struct zone **out, int32_t offset_seconds,
                             struct error *err) STATUS_CHECKED;
enum status zone_from_tzif(struct zone **out, const char *name, const void *bytes,
                           size_t size_bytes, struct error *err) STATUS_CHECKED;
void zone_free(struct zone *zone);
const char *zone_name(const struct zone *zone);
int64_t zone_utc_to_local(const struct zone *zone, int64_t utc_us);
/* A local time in a gap moves forward by the gap, in an overlap the earlier offset wins, as
 * java.time.ZonedDateTime.of. */
int64_t zone_local_to_utc(const struct zone *zone, int64_t local_us);

#endif
