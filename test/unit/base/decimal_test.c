/* Against Python's decimal module (golden.py), plus properties. */
#include "base/decimal.h"

#include "../check.h"

struct op_case {
    char op;
    const char *a;
    unsigned scale_a;
    const char *b;
    unsigned scale_b, precision, scale;
    const char *want; /* NULL: does not fit */
};
struct parse_case {
    const char *text;
    unsigned precision, scale;
    const char *want;
};
struct float_case {
    double value;
    unsigned precision, scale;
    const char *want;
};
struct to_float_case {
    const char *value;
    unsigned scale;
    double want;
};
#include "decimal_golden.h"

/* Independent of decimal_parse. */
static decimal128 number(const char *text)
{
    bool negative = *text == '-';
    decimal_u128 value = 0;
    for (text += negative; *text; text++)
        value = value * 10 + (unsigned)(*text - '0');
    return negative ? -(decimal128)value : (decimal128)value;
}

typedef bool (*operation)(decimal128, unsigned, decimal128, unsigned, unsigned, unsigned,
                          decimal128 *);

TEST(operations_agree_with_python)
{
    for (size_t i = 0; i < sizeof op_cases / sizeof *op_cases; i++) {
        const struct op_case *c = &op_cases[i];
        operation run = c->op == '+'   ? decimal_add
                        : c->op == '-' ? decimal_sub
                        : c->op == '*' ? decimal_mul
                        : c->op == '/' ? decimal_div
                                       : decimal_mod;
        decimal128 got = 12345;
        bool fits =
            run(number(c->a), c->scale_a, number(c->b), c->scale_b, c->precision, c->scale, &got);
        if (fits != (c->want != NULL) || (fits && got != number(c->want))) {
            char text[DECIMAL_TEXT_MAX + 1] = {0};
            decimal_format(text, got, 0);
            CHECK_FAIL("%s (%u) %c %s (%u) to (%u, %u): %s %s, want %s", c->a, c->scale_a, c->op,
                       c->b, c->scale_b, c->precision, c->scale, fits ? "" : "(does not fit)", text,
                       c->want ? c->want : "not to fit");
        }
    }
}

TEST(texts_agree_with_python)
{
    for (size_t i = 0; i < sizeof parse_cases / sizeof *parse_cases; i++) {
        const struct parse_case *c = &parse_cases[i];
        size_t length = strlen(c->text);
        char *exact = malloc(length); /* reading past the end shows under the sanitizer */
        memcpy(exact, c->text, length);
        struct str text = {exact, length};
        decimal128 got;
        bool overflow = false;
        bool fits = decimal_parse(text, c->precision, c->scale, &got, &overflow);
        if (fits != (c->want != NULL) || overflow == fits || (fits && got != number(c->want)))
            CHECK_FAIL("\"%s\" to (%u, %u): %d", c->text, c->precision, c->scale, fits);
        if (c->precision <= DECIMAL_PRECISION_MAX_INT64) {
            int64_t small;
            fits = decimal_parse_i64(text, c->precision, c->scale, &small, &overflow);
            if (fits != (c->want != NULL) || overflow == fits || (fits && small != number(c->want)))
                CHECK_FAIL("\"%s\" to i64 (%u, %u): %d %lld", c->text, c->precision, c->scale, fits,
                           (long long)small);
        }
        free(exact);
    }
}

TEST(short_texts_agree_with_the_long_way)
{
    static const char alphabet[] = "0123456789.-e+ x";
    uint64_t seed = 3;
    for (int i = 0; i < 2000000; i++) {
        char bytes[10];
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t length = (seed >> 60) % 10;
        for (size_t at = 0; at < length; at++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            uint32_t pick = (uint32_t)(seed >> 40);
            bytes[at] = alphabet[pick % 100 < 90 ? pick / 128 % 11 : pick / 128 % 16];
        }
        struct str text = {bytes, length};
        unsigned scale = (unsigned)(seed >> 20) % 13, precision = scale + (unsigned)(seed >> 8) % 6;
        precision = precision ? precision : 1;
        decimal128 wide;
        int64_t small;
        bool over_wide = false, over_small = false;
        bool wide_fits = decimal_parse(text, precision, scale, &wide, &over_wide);
        bool small_fits = decimal_parse_i64(text, precision, scale, &small, &over_small);
        if (wide_fits != small_fits || (wide_fits && wide != small) ||
            (!wide_fits && over_wide != over_small))
            CHECK_FAIL("\"%.*s\" to (%u, %u)", (int)length, bytes, precision, scale);
    }
}

TEST(no_numbers)
{
    static const char *const bad[] = {"",      "-",
                                      "+",     ".",
                                      "-.",    "e5",
                                      "1e",    "1e+",
                                      "1x",    "1 ",
                                      " 1",    "1..2",
                                      "1.2.",  "--1",
                                      "1e5.",  "0x1",
                                      "é",     "1,5",
                                      "NaN",   "inf",
                                      "1e1e1", "12345678901234567890x"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        decimal128 wide;
        int64_t small;
        bool overflow = true;
        CHECK(!decimal_parse(str_of(bad[i]), 38, 2, &wide, &overflow));
        CHECK(!overflow);
        overflow = true;
        CHECK(!decimal_parse_i64(str_of(bad[i]), 18, 2, &small, &overflow));
        CHECK(!overflow);
    }
}

TEST(doubles_agree_with_python)
{
    for (size_t i = 0; i < sizeof float_cases / sizeof *float_cases; i++) {
        const struct float_case *c = &float_cases[i];
        decimal128 got;
        bool fits = decimal_from_f64(c->value, c->precision, c->scale, &got);
        if (fits != (c->want != NULL) || (fits && got != number(c->want)))
            CHECK_FAIL("%a to (%u, %u): %d", c->value, c->precision, c->scale, fits);
    }
    decimal128 got;
    CHECK(!decimal_from_f64(1e39, 38, 0, &got));
    CHECK(!decimal_from_f64(__builtin_inf(), 38, 0, &got));
    CHECK(!decimal_from_f64(__builtin_nan(""), 38, 0, &got));
    for (size_t i = 0; i < sizeof to_float_cases / sizeof *to_float_cases; i++) {
        const struct to_float_case *c = &to_float_cases[i];
        if (decimal_to_f64(number(c->value), c->scale) != c->want)
            CHECK_FAIL("%s (%u): %a, want %a", c->value, c->scale,
                       decimal_to_f64(number(c->value), c->scale), c->want);
    }
}

TEST(formats)
{
    static const struct {
        const char *value;
        unsigned scale;
        const char *want;
    } cases[] = {
        {"-50", 2, "-0.50"},
        {"0", 0, "0"},
        {"0", 3, "0.000"},
        {"3848", 2, "38.48"},
        {"5", 38, "0.00000000000000000000000000000000000005"},
        {"-7", 0, "-7"},
        {"99999999999999999999999999999999999999", 0, "99999999999999999999999999999999999999"},
        {"-99999999999999999999999999999999999999", 38,
         "-0.99999999999999999999999999999999999999"},
        {"1000000000000000000", 18, "1.000000000000000000"},
        {"1000000000000000000000000000000000000", 1, "100000000000000000000000000000000000.0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[DECIMAL_TEXT_MAX + 1];
        text[decimal_format(text, number(cases[i].value), cases[i].scale)] = 0;
        CHECK_STR(text, cases[i].want);
    }
}

TEST(rescale_and_compare)
{
    decimal128 value = 12345;
    CHECK(decimal_rescale(&value, 2, 1) && value == 1235); /* 123.45 -> 123.5 */
    CHECK(decimal_rescale(&value, 1, 4) && value == 1235000);
    value = -15;
    CHECK(decimal_rescale(&value, 1, 0) && value == -2);
    value = 2;
    CHECK(!decimal_rescale(&value, 0, 38));
    CHECK_INT(decimal_compare(10, 1, 1, 0), 0);
    CHECK_INT(decimal_compare(-1, 0, 1, 38), -1);
    CHECK_INT(decimal_compare(number("99999999999999999999999999999999999999"), 0, 1, 38), 1);
    CHECK_INT(decimal_compare(-number("99999999999999999999999999999999999999"), 0, -1, 38), -1);
    decimal128 out;
    CHECK(!decimal_div(1, 0, 0, 0, 38, 6, &out));
    CHECK(!decimal_mod(1, 0, 0, 0, 38, 6, &out));
    CHECK(decimal_pow10(38) == number("100000000000000000000000000000000000000"));
}
