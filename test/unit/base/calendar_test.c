#include "base/calendar.h"

#include <time.h>

#include "../check.h"

struct week_case {
    int32_t days, iso_year, iso_week, day_of_week;
};
#include "week_golden.h"

TEST(every_day_agrees_with_glibc)
{
    for (int32_t days = -719162; days <= 2932896; days++) { /* 0001-01-01 .. 9999-12-31 */
        time_t seconds = (time_t)days * 86400;
        struct tm tm;
        gmtime_r(&seconds, &tm);
        int32_t year, month, day;
        calendar_civil_from_days(days, &year, &month, &day);
        if (year != tm.tm_year + 1900 || month != tm.tm_mon + 1 || day != tm.tm_mday ||
            calendar_days(year, month, day) != days || calendar_day_of_week(days) != tm.tm_wday + 1)
            CHECK_FAIL("day %d", days);
    }
}

TEST(timestamps_read_back)
{
    uint64_t seed = 11;
    for (int i = 0; i < 1000000; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        int64_t us =
            (int64_t)(seed >> 8) % (253402300800 + 62135596800) * 1000000 - 62135596800000000;
        us += (int64_t)(seed >> 3) % 1000000;
        char text[48];
        size_t length = calendar_format_timestamp(text, us, 6);
        int64_t back;
        if (!calendar_parse_timestamp((struct str){text, length}, &back) || back != us)
            CHECK_FAIL("%.*s", (int)length, text);
        /* The fast form against the civil fields. */
        time_t seconds = (time_t)((us - (us % 1000000 + 1000000) % 1000000) / 1000000);
        struct tm tm;
        gmtime_r(&seconds, &tm);
        char want[64];
        snprintf(want, sizeof want, "%04d-%02d-%02d %02d:%02d:%02d", tm.tm_year + 1900,
                 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
        if (memcmp(text, want, 19) != 0)
            CHECK_FAIL("%.*s, want %s", (int)length, text, want);
        if (!calendar_parse_timestamp((struct str){want, 19}, &back) || back != seconds * 1000000)
            CHECK_FAIL("%s", want);
    }
}

static bool timestamp_is(const char *text, int64_t want)
{
    size_t length = strlen(text);
    char *exact = malloc(length);
    memcpy(exact, text, length);
    int64_t us = 0;
    bool good = calendar_parse_timestamp((struct str){exact, length}, &us);
    free(exact);
    return good && us == want;
}

TEST(timestamp_forms)
{
    const int64_t base = INT64_C(1603277950000000); /* 2020-10-21 10:59:10 */
    CHECK(timestamp_is("2020-10-21 10:59:10", base));
    CHECK(timestamp_is("2020-10-21T10:59:10", base));
    CHECK(timestamp_is("2020-10-21 10:59:10.5", base + 500000));
    CHECK(timestamp_is("2020-10-21 10:59:10.123456789", base + 123456));
    CHECK(timestamp_is("2020-10-21", base - (10 * 3600 + 59 * 60 + 10) * US_PER_SECOND));
    CHECK(timestamp_is("2020-1-2 3:4:5", INT64_C(1577934245000000)));
    CHECK(timestamp_is("0001-01-01 00:00:00", INT64_C(-62135596800000000)));
    CHECK(timestamp_is("9999-12-31 23:59:59", INT64_C(253402300799000000)));
    CHECK(timestamp_is("2000-02-29 00:00:00", INT64_C(951782400000000)));
    static const char *const bad[] = {
        "",
        "2020",
        "2020-13-01 00:00:00",
        "2020-00-01 00:00:00",
        "2020-02-30 00:00:00",
        "2021-02-29 00:00:00",
        "1900-02-29 00:00:00",
        "0000-01-01 00:00:00",
        "2020-10-00 10:59:10",
        "2020-10-21 24:00:00",
        "2020-10-21 10:60:10",
        "2020-10-21 10:59:60",
        "2020-10-21 10:59:1x",
        "2020-10-21 10:59:10.",
        "2020-10-21 10:59:10.1234567890",
        "2020-10-21 10:59:10 ",
        " 2020-10-21 10:59:1",
        "2020/10/21 10:59:10",
        "2020-10-21_10:59:10",
        "2020-10-21t10:59:10",
        "2020-10-21 10-59-10",
        "20:0-10-21 10:59:10",
        "202\x90-10-21 10:59:10",
        "2020-10-2\xff 10:59:10",
        "2020-10-21 10:59",
        "12020-10-21 10:59:10",
        "+020-10-21 10:59:10",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t us;
        if (calendar_parse_timestamp(str_of(bad[i]), &us))
            CHECK_FAIL("\"%s\" is taken", bad[i]);
    }
}

TEST(spoiled_bytes_never_pass_as_another_time)
{
    /* Each byte replaced by each value: taken only where it is a digit or the T. */
    static const char good[] = "2020-10-21 10:59:10";
    for (int at = 0; at < 19; at++)
        for (int byte = 0; byte < 256; byte++) {
            char text[20];
            memcpy(text, good, 20);
            text[at] = (char)byte;
            int64_t us;
            bool taken = calendar_parse_timestamp((struct str){text, 19}, &us);
            bool digit = good[at] >= '0' && good[at] <= '9';
            bool fits =
                digit ? byte >= '0' && byte <= '9' : byte == good[at] || (at == 10 && byte == 'T');
            if (taken && !fits)
                CHECK_FAIL("byte %d of value %d is taken", at, byte);
            if (taken) {
                char back[48];
                calendar_format_timestamp(back, us, 0);
                back[10] = text[10];
                CHECK(memcmp(back, text, 19) == 0);
            }
        }
}

TEST(dates_and_times)
{
    int32_t value;
    CHECK(calendar_parse_date(STR("1970-01-02"), &value) && value == 1);
    CHECK(calendar_parse_date(STR("2020-1-5"), &value) && value == 18266);
    CHECK(!calendar_parse_date(STR("2020-02-30"), &value));
    CHECK(!calendar_parse_date(STR("2020-02-03x"), &value));
    CHECK(calendar_parse_time(STR("23:59:59.999"), &value) && value == 86399999);
    CHECK(calendar_parse_time(STR("10:30"), &value) && value == 37800000);
    CHECK(!calendar_parse_time(STR("24:00:00"), &value));
    CHECK(!calendar_parse_time(STR("10"), &value));
    char text[48];
    text[calendar_format_time(text, 37801234, 3)] = 0;
    CHECK_STR(text, "10:30:01.234");
    text[calendar_format_date(text, -1)] = 0;
    CHECK_STR(text, "1969-12-31");
    text[calendar_format_timestamp(text, -1, 9)] = 0;
    CHECK_STR(text, "1969-12-31 23:59:59.999999000");
}

TEST(weeks_agree_with_python)
{
    for (size_t i = 0; i < sizeof week_cases / sizeof *week_cases; i++) {
        int32_t year;
        CHECK_INT(calendar_iso_week(week_cases[i].days, &year), week_cases[i].iso_week);
        CHECK_INT(year, week_cases[i].iso_year);
        CHECK_INT(calendar_day_of_week(week_cases[i].days), week_cases[i].day_of_week);
    }
}

TEST(months_are_added_with_clipping)
{
    int64_t us, want;
    CHECK(calendar_parse_timestamp(STR("2020-01-31 10:00:00"), &us));
    CHECK(calendar_parse_timestamp(STR("2020-02-29 10:00:00"), &want));
    CHECK_INT(calendar_add_months(us, 1), want);
    CHECK(calendar_parse_timestamp(STR("2018-11-30 10:00:00"), &want));
    CHECK_INT(calendar_add_months(us, -14), want);
    CHECK_INT(calendar_add_months(us, 0), us);
}
