/* Expected values by java.time's documented rules and by hand. */
#include "base/calendar.h"

#include "../check.h"

static const char *formatted(const char *pattern_text, const char *timestamp)
{
    static char text[600];
    struct calendar_pattern pattern;
    static struct error err;
    error_clear(&err);
    int64_t us;
    if (calendar_pattern_compile(&pattern, str_of(pattern_text), &err) != OK)
        return err.text;
    if (!calendar_parse_timestamp(str_of(timestamp), &us))
        return "(bad timestamp)";
    text[calendar_pattern_format(&pattern, us, 789, text, sizeof text - 1)] = 0;
    return text;
}

static const char *parsed(const char *pattern_text, const char *input, bool lenient)
{
    static char text[600];
    struct calendar_pattern pattern;
    static struct error err;
    error_clear(&err);
    int64_t us;
    if (calendar_pattern_compile(&pattern, str_of(pattern_text), &err) != OK)
        return err.text;
    size_t length = strlen(input);
    char *exact = malloc(length);
    memcpy(exact, input, length);
    bool good = lenient ? calendar_pattern_parse_lenient(&pattern, (struct str){exact, length}, &us)
                        : calendar_pattern_parse(&pattern, (struct str){exact, length}, &us);
    free(exact);
    if (!good)
        return "NULL";
    text[calendar_format_timestamp(text, us, 6)] = 0;
    return text;
}

#define T "2020-03-07 16:05:09.123456"

TEST(formats)
{
    CHECK_STR(formatted("yyyy-MM-dd HH:mm:ss", T), "2020-03-07 16:05:09");
    CHECK_STR(formatted("yyyy-MM-dd'T'HH:mm:ss.SSS", T), "2020-03-07T16:05:09.123");
    CHECK_STR(formatted("SSSSSSSSS", T), "123456789");
    CHECK_STR(formatted("y/M/d H:m:s", T), "2020/3/7 16:5:9");
    CHECK_STR(formatted("yy uuuu", T), "20 2020");
    CHECK_STR(formatted("hh h KK a", T), "04 4 04 PM");
    CHECK_STR(formatted("hh KK kk a", "2020-01-01 00:00:00"), "12 00 24 AM");
    CHECK_STR(formatted("EEE EEEE", T), "Sat Saturday");
    CHECK_STR(formatted("MMM MMMM", T), "Mar March");
    CHECK_STR(formatted("D DDD", T), "67 067");
    CHECK_STR(formatted("w", "2020-01-04 00:00:00"), "1");
    CHECK_STR(formatted("w", "2020-01-05 00:00:00"), "2");
    CHECK_STR(formatted("w", "2020-12-26 00:00:00"), "52");
    CHECK_STR(formatted("w", "2020-12-27 00:00:00"), "1");
    CHECK_STR(formatted("'o''clock' ''", T), "o'clock '");
    CHECK_STR(formatted("yyyyMMddHHmm", T), "202003071605");
    CHECK_STR(formatted("'a literal longer than fourteen bytes: 'yyyy", T),
              "a literal longer than fourteen bytes: 2020");
}

TEST(reads_strictly)
{
    CHECK_STR(parsed("yyyy-MM-dd HH:mm:ss", "2020-03-07 16:05:09", false),
              "2020-03-07 16:05:09.000000");
    CHECK_STR(parsed("yyyy-MM-dd HH:mm:ss", "2020-03-07 16:05:9", false), "NULL");
    CHECK_STR(parsed("yyyy-MM-dd HH:mm:ss", "2020-03-07 16:05:09 ", false), "NULL");
    CHECK_STR(parsed("yyyy-MM-dd HH:mm:ss", "2020-02-31 00:00:00", false),
              "2020-02-29 00:00:00.000000"); /* SMART: clipped */
    CHECK_STR(parsed("yyyy-MM-dd HH:mm:ss", "2020-02-32 00:00:00", false), "NULL");
    CHECK_STR(parsed("yyyy-MM-dd HH:mm:ss", "2020-02-28 24:00:00", false),
              "2020-02-29 00:00:00.000000");
    CHECK_STR(parsed("yyyy-MM-dd HH:mm:ss", "2020-02-28 24:00:01", false), "NULL");
    CHECK_STR(parsed("yyyyMMdd", "20200307", false), "2020-03-07 00:00:00.000000");
    CHECK_STR(parsed("yyyyMMddHHmmssSSS", "20200307160509123", false),
              "2020-03-07 16:05:09.123000");
    CHECK_STR(parsed("yyMMdd", "200307", false), "2020-03-07 00:00:00.000000");
    CHECK_STR(parsed("d/M/yyyy", "7/3/2020", false), "2020-03-07 00:00:00.000000");
    CHECK_STR(parsed("d/M/yyyy", "07/03/2020", false), "2020-03-07 00:00:00.000000");
    CHECK_STR(parsed("dd MMM yyyy", "07 Mar 2020", false), "2020-03-07 00:00:00.000000");
    CHECK_STR(parsed("dd MMMM yyyy", "07 March 2020", false), "2020-03-07 00:00:00.000000");
    CHECK_STR(parsed("dd MMM yyyy", "07 mar 2020", false), "NULL");
    CHECK_STR(parsed("EEE, dd MMM yyyy", "Sat, 07 Mar 2020", false), "2020-03-07 00:00:00.000000");
    CHECK_STR(parsed("EEE, dd MMM yyyy", "Sun, 07 Mar 2020", false), "NULL");
    CHECK_STR(parsed("yyyy-MM-dd hh:mm a", "2020-03-07 12:05 AM", false),
              "2020-03-07 00:05:00.000000");
    CHECK_STR(parsed("yyyy-MM-dd hh:mm a", "2020-03-07 04:05 PM", false),
              "2020-03-07 16:05:00.000000");
    CHECK_STR(parsed("yyyy-MM-dd hh:mm a", "2020-03-07 13:05 PM", false), "NULL");
    CHECK_STR(parsed("HH:mm", "16:05", false), "1970-01-01 16:05:00.000000");
    CHECK_STR(parsed("yyyy", "2020", false), "2020-01-01 00:00:00.000000");
    CHECK_STR(parsed("yyyy-DDD", "2020-067", false), "2020-03-07 00:00:00.000000");
    CHECK_STR(parsed("yyyy-DDD", "2021-366", false), "NULL");
    CHECK_STR(parsed("yyyy-MM-dd'T'HH:mm:ss.SSSSSS", "2020-03-07T16:05:09.123456", false),
              "2020-03-07 16:05:09.123456");
    CHECK_STR(parsed("", "", false), "1970-01-01 00:00:00.000000");
    CHECK_STR(parsed("yyyy-MM-dd", "", false), "NULL");
}

TEST(reads_leniently)
{
    CHECK_STR(parsed("yyyy-MM-dd", "2020-3-7", true), "2020-03-07 00:00:00.000000");
    CHECK_STR(parsed("yyyy-MM-dd", "2020-03-07 and more", true), "2020-03-07 00:00:00.000000");
    CHECK_STR(parsed("yyyy-MM-dd", "2020-13-01", true), "2021-01-01 00:00:00.000000");
    CHECK_STR(parsed("yyyy-MM-dd", "2021-02-29", true), "2021-03-01 00:00:00.000000");
    CHECK_STR(parsed("yyyy-MM-dd HH:mm:ss", "2020-03-07 25:00:00", true),
              "2020-03-08 01:00:00.000000");
    CHECK_STR(parsed("yyyyMMdd", "20200307", true), "2020-03-07 00:00:00.000000");
    CHECK_STR(parsed("dd MMM yyyy", "07 mar 2020", true), "2020-03-07 00:00:00.000000");
    CHECK_STR(parsed("HH:mm:ss.SSS", "16:05:09.12", true), "1970-01-01 16:05:09.012000");
    CHECK_STR(parsed("yyyy-MM-dd", "2020/03/07", true), "NULL");
    CHECK_STR(parsed("yyyy-MM-dd", "99999-01-01", true), "NULL");
}

TEST(refused_patterns_name_the_letter)
{
    CHECK_STR(formatted("yyyy-MM-dd VV", T),
              "letter 'V' of the date pattern 'yyyy-MM-dd VV' is not supported");
    CHECK_STR(formatted("yyyy[-MM]", T), "'[' in the date pattern 'yyyy[-MM]' is not supported");
    CHECK_STR(formatted("ddd", T), "too many letters 'd' in the date pattern 'ddd'");
    CHECK_STR(formatted("yyyy 'x", T), "the date pattern 'yyyy 'x' has a quote without end");
    CHECK_STR(formatted("y M d H m s y M d H m s y M d H m s", T),
              "the date pattern has more than 32 parts");
}

TEST(no_room_gives_nothing)
{
    struct calendar_pattern pattern;
    struct error err = {0};
    char dest[20];
    CHECK_OK(calendar_pattern_compile(&pattern, STR("yyyy/MM/dd"), &err));
    CHECK_INT(calendar_pattern_format(&pattern, 0, 0, dest, 20), 0);
}
