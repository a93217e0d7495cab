#include "base/str.h"
#include "base/must.h"
#include "base/buffer.h"
#include "base/logline.h"

#include "../check.h"

TEST(comparing)
{
    CHECK(str_eq(STR("ab"), STR("ab")) && !str_eq(STR("ab"), STR("aB")));
    CHECK(str_eq((struct str){NULL, 0}, STR("")));
    CHECK(str_eq_nocase(STR("aBz"), STR("AbZ")) && !str_eq_nocase(STR("a"), STR("ab")));
    CHECK(!str_eq_nocase(STR("@"), STR("`"))); /* 0x40, 0x60: no letters */
    CHECK(str_starts(STR("json.x"), STR("json.")) && !str_starts(STR("jso"), STR("json")));
    CHECK(str_starts(STR("x"), STR("")));
    CHECK_INT(str_compare(STR("a"), STR("b")), -1);
    CHECK_INT(str_compare(STR("b"), STR("a")), 1);
    CHECK_INT(str_compare(STR("a"), STR("ab")), -1);
    CHECK_INT(str_compare(STR("ab"), STR("a")), 1);
    CHECK_INT(str_compare(STR("ab"), STR("ab")), 0);
    CHECK_INT(str_compare(STR("\xFF"), STR("a")), 1);
    CHECK(str_eq(str_trim(STR(" \t\r\n a b \f\v")), STR("a b")));
    CHECK_INT(str_trim(STR("  ")).length, 0);
    CHECK_INT(str_trim((struct str){NULL, 0}).length, 0);
    CHECK_INT(str_of(NULL).length, 0);
}

TEST(integers)
{
    static const struct {
        const char *text;
        bool good, overflow;
        int64_t value;
    } rows[] = {
        {"0", true, false, 0},
        {"-0", true, false, 0},
        {"+7", true, false, 7},
        {"0012", true, false, 12},
        {"9223372036854775807", true, false, INT64_MAX},
        {"-9223372036854775808", true, false, INT64_MIN},
        {"9223372036854775808", false, true, 0},
        {"-9223372036854775809", false, true, 0},
        {"99999999999999999999999", false, true, 0},
        {"18446744073709551616", false, true, 0},
        {"", false, false, 0},
        {"-", false, false, 0},
        {"+-1", false, false, 0},
        {" 1", false, false, 0},
        {"1 ", false, false, 0},
        {"1.0", false, false, 0},
        {"0x1", false, false, 0},
        {"99999999999999999999999x", false, false, 0},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t value = 0;
        bool overflow = true;
        bool good = str_to_i64(str_of(rows[i].text), &value, &overflow);
        if (good != rows[i].good || overflow != rows[i].overflow || value != rows[i].value)
            CHECK_FAIL("\"%s\"", rows[i].text);
        char text[20];
        size_t length = str_from_i64(text, rows[i].value);
        int64_t back;
        CHECK(str_to_i64((struct str){text, length}, &back, NULL) && back == rows[i].value);
    }
    uint64_t big;
    bool overflow;
    CHECK(str_to_u64(STR("18446744073709551615"), &big, NULL) && big == UINT64_MAX);
    CHECK(!str_to_u64(STR("18446744073709551616"), &big, &overflow) && overflow);
    CHECK(!str_to_u64(STR("-1"), &big, &overflow) && overflow);
    CHECK(str_to_u64(STR("-0"), &big, &overflow) && big == 0);
}

TEST(sizes)
{
    static const struct {
        const char *text;
        int64_t size_bytes; /* -1: no size */
    } rows[] = {{"10", 10},
                {"64 kb", 65536},
                {"1mb", 1 << 20},
                {"2 GiB", 2147483648},
                {"5 b", 5},
                {"1 TB", 1ll << 40},
                {" 3 bytes ", 3},
                {"0", 0},
                {"1 mebibytes", 1 << 20},
                {"", -1},
                {"kb", -1},
                {"-1 kb", -1},
                {"1.5 kb", -1},
                {"1 parsec", -1},
                {"99999999 tb", -1},
                {"1 k b", -1},
                {"99999999999999999999", -1}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        uint64_t size_bytes = 0;
        bool good = str_to_bytes(str_of(rows[i].text), &size_bytes);
        if (good != (rows[i].size_bytes >= 0) ||
            (good && size_bytes != (uint64_t)rows[i].size_bytes))
            CHECK_FAIL("\"%s\" gives %llu", rows[i].text, (unsigned long long)size_bytes);
    }
    char text[STR_BYTES_MAX];
    str_from_bytes(text, 512);
    CHECK_STR(text, "512 b");
    str_from_bytes(text, 1536);
    CHECK_STR(text, "1.5 kb");
    str_from_bytes(text, 64 << 20);
    CHECK_STR(text, "64 mb");
    str_from_bytes(text, UINT64_MAX);
    CHECK_STR(text, "16384 pb");
}

TEST(durations)
{
    static const struct {
        const char *text;
        int64_t ms; /* -1: no duration */
    } rows[] = {{"10", 10},
                {"10 s", 10000},
                {"500ms", 500},
                {"1 min", 60000},
                {"2 h", 7200000},
                {"1 d", 86400000},
                {"1 day", 86400000},
                {"3 MINUTES", 180000},
                {"1500 us", 1},
                {"1 ns", 0},
                {"2 \xC2\xB5s", 0},
                {"1 m", 60000},
                {"", -1},
                {"s", -1},
                {"1 w", -1},
                {"-1 s", -1},
                {"1.5 s", -1},
                {"1 s 2 ms", -1},
                {"999999999999999 d", -1}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        int64_t ms = 0;
        bool good = str_to_duration_ms(str_of(rows[i].text), &ms);
        if (good != (rows[i].ms >= 0) || (good && ms != rows[i].ms))
            CHECK_FAIL("\"%s\" gives %lld", rows[i].text, (long long)ms);
    }
}

TEST(nearest_names)
{
    static const char *const names[] = {"topic", "scan.startup.mode", "properties.", "id", "ts"};
    CHECK_STR(str_nearest(STR("topci"), names, 5), "topic"); /* a swap is one edit */
    CHECK_STR(str_nearest(STR("TOPIC"), names, 5), "topic");
    CHECK_STR(str_nearest(STR("scan.startup-mode"), names, 5), "scan.startup.mode");
    CHECK_STR(str_nearest(STR("scn.statup.mod"), names, 5), "scan.startup.mode");
    CHECK(str_nearest(STR("format"), names, 5) == NULL);
    CHECK(str_nearest(STR("ix"), names, 5) == NULL); /* half of the letters differ */
    CHECK(str_nearest(STR(""), names, 5) == NULL);
    CHECK(str_nearest(STR("x"), names, 0) == NULL);
    static char big[300];
    memset(big, 'x', sizeof(big) - 1);
    const char *const huge[] = {big};
    CHECK(str_nearest(str_of(big), huge, 1) == NULL);
    CHECK(str_nearest(STR("xxx"), huge, 1) == NULL);
}

TEST(log_lines_cannot_be_forged)
{
    struct buf out;
    buf_init(&out, 1000);
    logline_append(&out, INT64_C(1795255200123456), LOG_WARN, "broker",
                   "a\nb\tc\x1b[31m\x7f \xC2\x9B \xC3\xA4");
    CHECK_STR(buf_text(&out),
              "2026-11-21T10:00:00.123Z WARN broker: a\\nb\\tc\\x1B[31m\\x7F \\x9B \xC3\xA4\n");
    buf_clear(&out);
    logline_append(&out, 0, LOG_DEBUG, "os", "");
    CHECK_STR(buf_text(&out), "1970-01-01T00:00:00.000Z DEBUG os: \n");
    buf_fini(&out);
}
