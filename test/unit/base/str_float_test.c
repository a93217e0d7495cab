/* Shortest floating-point texts against an independent search by printf and strtod. */
#include "base/str.h"

#include "../check.h"

#include <math.h>

static char text[64];

static const char *f64(double value)
{
    text[str_from_f64(text, value)] = '\0';
    return text;
}

static const char *f32(float value)
{
    text[str_from_f32(text, value)] = '\0';
    return text;
}

TEST(doubles_look_like_javas)
{
    CHECK_STR(f64(0.0), "0.0");
    CHECK_STR(f64(-0.0), "-0.0");
    CHECK_STR(f64(1), "1.0");
    CHECK_STR(f64(-1.5), "-1.5");
    CHECK_STR(f64(100), "100.0");
    CHECK_STR(f64(9999999), "9999999.0");
    CHECK_STR(f64(1e7), "1.0E7");
    CHECK_STR(f64(12345678), "1.2345678E7");
    CHECK_STR(f64(1e10), "1.0E10");
    CHECK_STR(f64(0.001), "0.001");
    CHECK_STR(f64(0.00123), "0.00123");
    CHECK_STR(f64(0.000999), "9.99E-4");
    CHECK_STR(f64(0.1 + 0.2), "0.30000000000000004");
    CHECK_STR(f64(2e23), "2.0E23");
    CHECK_STR(f64(1e23), "1.0E23");
    CHECK_STR(f64(9007199254740993.0), "9.007199254740992E15");
    CHECK_STR(f64(5e-324), "4.9E-324");
    CHECK_STR(f64(1e-323), "9.9E-324");
    CHECK_STR(f64(2e-323), "2.0E-323");
    CHECK_STR(f64(2.2250738585072014E-308), "2.2250738585072014E-308");
    CHECK_STR(f64(1.7976931348623157E308), "1.7976931348623157E308");
    CHECK_STR(f64(NAN), "NaN");
    CHECK_STR(f64(INFINITY), "Infinity");
    CHECK_STR(f64(-INFINITY), "-Infinity");
}

TEST(floats_look_like_javas)
{
    CHECK_STR(f32(1.1f), "1.1");
    CHECK_STR(f32(16777216.0f), "1.6777216E7");
    CHECK_STR(f32(3.4028235e38f), "3.4028235E38");
    CHECK_STR(f32(1.4e-45f), "1.4E-45");
    CHECK_STR(f32(1.17549435e-38f), "1.1754944E-38");
    CHECK_STR(f32(0.3f), "0.3");
    CHECK_STR(f32(-0.0f), "-0.0");
    CHECK_STR(f32(-INFINITY), "-Infinity");
}

static uint64_t state = 88172645463325252u;

static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

/* Significant digits of a printed number, trailing zeros apart. */
static int digit_count(const char *printed)
{
    int digits = 0, zeros = 0;
    bool begun = false;
    for (; *printed && *printed != 'E' && *printed != 'e'; printed++) {
        if (*printed < '0' || *printed > '9' || (!begun && *printed == '0'))
            continue;
        begun = true;
        digits++;
        zeros = *printed == '0' ? zeros + 1 : 0;
    }
    return digits - zeros > 0 ? digits - zeros : 1;
}

static bool shortest_f64(double value)
{
    const char *got = f64(value);
    if (strtod(got, NULL) != value)
        return false;
    int count = digit_count(got);
    char other[64];
    for (int n = 2; n < count; n++) {
        snprintf(other, sizeof(other), "%.*e", n - 1, value);
        if (strtod(other, NULL) == value)
            return false; /* a shorter one exists */
    }
    snprintf(other, sizeof(other), "%.*e", (count < 2 ? 2 : count) - 1, value);
    /* of those as short the nearest, where printf's reads back at all */
    return strtod(other, NULL) != value || strtold(other, NULL) == strtold(got, NULL);
}

static bool shortest_f32(float value)
{
    const char *got = f32(value);
    if (strtof(got, NULL) != value)
        return false;
    int count = digit_count(got);
    char other[64];
    for (int n = 2; n < count; n++) {
        snprintf(other, sizeof(other), "%.*e", n - 1, (double)value);
        if (strtof(other, NULL) == value)
            return false;
    }
    snprintf(other, sizeof(other), "%.*e", (count < 2 ? 2 : count) - 1, (double)value);
    return strtof(other, NULL) != value || strtod(other, NULL) == strtod(got, NULL);
}

TEST(random_doubles_are_shortest)
{
    for (int i = 0; i < 60000; i++) {
        uint64_t bits = next_random();
        if (i % 16 == 1)
            bits &= UINT64_C(0xFFF) << 52; /* powers of two: the neighbour below is closer */
        if (i % 16 == 2)
            bits &= (UINT64_C(1) << 52) - 1; /* subnormal */
        double value;
        memcpy(&value, &bits, 8);
        if (i % 16 == 3)
            value =
                (double)(bits >> 1); /* the middle to the neighbour is an integer, perhaps short */
        if (i % 16 == 4)
            value = (double)(bits % 100000) * pow(10, (double)(bits >> 40 & 15));
        if (i % 16 >= 8)
            value = (double)(int64_t)(bits >> (bits & 31)) / 100; /* prices */
        if (isnan(value) || isinf(value))
            continue;
        if (!shortest_f64(value))
            CHECK_FAIL("%.17g gives %s", value, f64(value));
    }
}

TEST(random_floats_are_shortest)
{
    for (int i = 0; i < 60000; i++) {
        uint32_t bits = (uint32_t)next_random();
        if (i % 16 == 1)
            bits &= UINT32_C(0x1FF) << 23;
        if (i % 16 == 2)
            bits &= (UINT32_C(1) << 23) - 1;
        float value;
        memcpy(&value, &bits, 4);
        if (isnan(value) || isinf(value))
            continue;
        if (!shortest_f32(value))
            CHECK_FAIL("%.9g gives %s", (double)value, f32(value));
    }
}

TEST(parsing_agrees_with_strtod)
{
    static const char *const good[] = {
        "0",
        "-0",
        "1",
        "+1",
        "1.",
        ".5",
        "-.5e1",
        "1e5",
        "1E+5",
        "1e-5",
        "123456789012345678",
        "9007199254740993",
        "9007199254740992.99999",
        "0.1",
        "1e308",
        "1e309",
        "-1e309",
        "1e-400",
        "4.9e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "1e22",
        "1e23",
        "8.5",
        "179769313486231580793728971405301e276",
        "0e999999999999999999999",
        "00001.50000",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "0.000000000000000000000000000001",
        "12345678901234567890123456789012345678901234567890",
        "2.2250738585072011e-308",
        "9007199254740991.6",
        "1.9999999999999999",
        "0.999999999999999999",
        "1.99999999",
        "0.99999999",
        "16777215.6",
        "1e-40",
        "1.2e-45",
        "3.4028236e38",
        "1.17549434e-38",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
    };
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
        double got, want = strtod(good[i], NULL);
        float got32, want32 = strtof(good[i], NULL);
        if (!str_to_f64(str_of(good[i]), &got) || memcmp(&got, &want, 8) != 0)
            CHECK_FAIL("%s", good[i]);
        if (!str_to_f32(str_of(good[i]), &got32) || memcmp(&got32, &want32, 4) != 0)
            CHECK_FAIL("float %s", good[i]);
    }
    for (int i = 0; i < 60000; i++) {
        char number[64];
        snprintf(number, sizeof(number), "%s%llu.%llue%d", i & 1 ? "-" : "",
                 (unsigned long long)(next_random() >> (next_random() & 63)),
                 (unsigned long long)(next_random() >> (next_random() & 63)),
                 (int)(next_random() % 700) - 350);
        double got, want = strtod(number, NULL);
        float got32, want32 = strtof(number, NULL);
        if (!str_to_f64(str_of(number), &got) || memcmp(&got, &want, 8) != 0)
            CHECK_FAIL("%s", number);
        if (!str_to_f32(str_of(number), &got32) || memcmp(&got32, &want32, 4) != 0)
            CHECK_FAIL("float %s", number);
    }
}

TEST(printed_numbers_come_back)
{
    for (int i = 0; i < 60000; i++) {
        char number[64];
        uint64_t bits = next_random();
        double value, got;
        float value32, got32;
        memcpy(&value, &bits, 8);
        memcpy(&value32, &bits, 4);
        snprintf(number, sizeof(number), "%.*g", 14 + (int)(bits >> 8 & 7), value);
        double want = strtod(number, NULL);
        if (!isnan(value) && (!str_to_f64(str_of(number), &got) || memcmp(&got, &want, 8) != 0))
            CHECK_FAIL("%s", number);
        snprintf(number, sizeof(number), "%.*g", 6 + (int)(bits >> 16 & 7), (double)value32);
        float want32 = strtof(number, NULL);
        if (!isnan(value32) &&
            (!str_to_f32(str_of(number), &got32) || memcmp(&got32, &want32, 4) != 0))
            CHECK_FAIL("float %s", number);
        /* ties of both kinds: an integer half-way between two neighbours */
        snprintf(number, sizeof(number), "%llu",
                 (unsigned long long)((bits >> 9 | 1) << (bits & 7)));
        want = strtod(number, NULL);
        want32 = strtof(number, NULL);
        if (!str_to_f64(str_of(number), &got) || got != want ||
            !str_to_f32(str_of(number), &got32) || got32 != want32)
            CHECK_FAIL("%s", number);
    }
}

TEST(ties_a_thousand_digits_long)
{
    /* 2^53 + 1 is a tie, decided by the thousandth digit */
    char number[1200];
    double got;
    int length = snprintf(number, sizeof(number), "9007199254740993.");
    memset(number + length, '0', 1000);
    number[length + 1000] = '\0';
    CHECK(str_to_f64(str_of(number), &got));
    CHECK(got == 9007199254740992.0);
    number[length + 999] = '1';
    CHECK(str_to_f64(str_of(number), &got));
    CHECK(got == 9007199254740994.0);
    memset(number, '7', 1100);
    number[1100] = '\0';
    CHECK(str_to_f64(str_of(number), &got));
    CHECK(isinf(got));
}

TEST(words_and_garbage)
{
    double got;
    CHECK(str_to_f64(STR("NaN"), &got) && isnan(got));
    CHECK(str_to_f64(STR("-Infinity"), &got) && got == -INFINITY);
    CHECK(str_to_f64(STR("+inf"), &got) && got == INFINITY);
    static const char *const bad[] = {"",    "-",     "+",     ".",     "e5",   "1e",
                                      "1e+", "1.2.3", " 1",    "1 ",    "0x10", "1f",
                                      "--1", "-+1",   "infin", "1e5.0", "1,5",  "e"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (str_to_f64(str_of(bad[i]), &got))
            CHECK_FAIL("\"%s\" is no number", bad[i]);
}
