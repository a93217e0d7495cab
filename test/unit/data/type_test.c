/* Texts and equality of types; UTF-8. The texts are Flink's LogicalType.asSummaryString. */
#include "data/type.h"

#include "../check.h"
#include "data/utf8.h"

static struct arena arena;

static const char *text_of(const struct type *type)
{
    static char text[512];
    struct buf out;
    buf_init(&out, sizeof(text));
    type_format(&out, type);
    snprintf(text, sizeof(text), "%s", buf_text(&out));
    buf_fini(&out);
    return text;
}

TEST(texts)
{
    arena_init(&arena, NULL, 1 << 20);
    CHECK_STR(text_of(&TYPE_OF_INT), "INT");
    CHECK_STR(text_of(type_with_nullable(&arena, &TYPE_OF_INT, false)), "INT NOT NULL");
    CHECK_STR(text_of(type_decimal(&arena, 10, 2, false)), "DECIMAL(10, 2) NOT NULL");
    CHECK_STR(text_of(&TYPE_OF_STRING), "STRING");
    CHECK_STR(text_of(&TYPE_OF_BYTES), "BYTES");
    CHECK_STR(text_of(type_text(&arena, TYPE_VARCHAR, 20, true)), "VARCHAR(20)");
    CHECK_STR(text_of(type_text(&arena, TYPE_CHAR, 3, false)), "CHAR(3) NOT NULL");
    CHECK_STR(text_of(type_text(&arena, TYPE_BINARY, 3, true)), "BINARY(3)");
    CHECK_STR(text_of(&TYPE_OF_TIME), "TIME(0)");
    CHECK_STR(text_of(&TYPE_OF_TIMESTAMP_3), "TIMESTAMP(3)");
    CHECK_STR(
        text_of(type_with_time_attribute(&arena, &TYPE_OF_TIMESTAMP_LTZ_3, TIME_ATTRIBUTE_ROWTIME)),
        "TIMESTAMP_LTZ(3) *ROWTIME*");
    const char *names[] = {"a", "b`c"};
    const struct type *fields[] = {&TYPE_OF_INT, type_array(&arena, &TYPE_OF_STRING, true)};
    CHECK_STR(text_of(type_row(&arena, 2, names, fields, true)),
              "ROW<`a` INT, `b``c` ARRAY<STRING>>");
    CHECK_STR(text_of(type_map(&arena, &TYPE_OF_STRING, &TYPE_OF_DOUBLE, false)),
              "MAP<STRING, DOUBLE> NOT NULL");
    CHECK_STR(text_of(type_multiset(&arena, &TYPE_OF_BIGINT, true)), "MULTISET<BIGINT>");
    arena_fini(&arena);
}

TEST(equality_counts_nullability_and_same_does_not)
{
    arena_init(&arena, NULL, 1 << 20);
    const struct type *a = type_decimal(&arena, 10, 2, true);
    const struct type *b = type_decimal(&arena, 10, 2, false);
    CHECK(!type_equals(a, b));
    CHECK(type_same(a, b));
    CHECK(!type_same(a, type_decimal(&arena, 10, 3, true)));
    const char *names[] = {"a"}, *others[] = {"b"};
    const struct type *row = type_row(&arena, 1, names, &a, true);
    CHECK(type_equals(row, type_copy(&arena, row)));
    CHECK(!type_same(row, type_row(&arena, 1, others, &a, true)));
    CHECK(!type_equals(row, type_row(&arena, 1, names, &b, true)));
    CHECK(type_same(row, type_row(&arena, 1, names, &b, true)));
    CHECK(type_equals(&TYPE_OF_TIMESTAMP_3, type_with_time_attribute(&arena, &TYPE_OF_TIMESTAMP_3,
                                                                     TIME_ATTRIBUTE_ROWTIME)));
    arena_fini(&arena);
}

TEST(physical_forms)
{
    arena_init(&arena, NULL, 1 << 20);
    CHECK_INT(type_physical(type_decimal(&arena, 18, 2, true)), PHYS_I64);
    CHECK_INT(type_physical(type_decimal(&arena, 19, 2, true)), PHYS_I128);
    CHECK_INT(type_physical(&TYPE_OF_TIMESTAMP_3), PHYS_I64);
    CHECK_INT(physical_size_bytes(PHYS_VIEW), 16);
    CHECK_INT(physical_size_bytes(type_physical(&TYPE_OF_DATE)), 4);
    arena_fini(&arena);
}

TEST(a_builder_without_memory_gives_null)
{
    for (uint64_t nth = 1;; nth++) {
        const char *names[] = {"a"};
        arena_init(&arena, NULL, 1 << 20);
        mem_fail_after(nth);
        const struct type *inner = type_decimal(&arena, 10, 2, true);
        const struct type *row = type_row(&arena, 1, names, &inner, true);
        const struct type *list = type_array(&arena, row, true);
        bool failed = arena.failed;
        mem_fail_after(0);
        CHECK(failed == (list == NULL));
        arena_fini(&arena);
        if (!failed)
            break;
        CHECK(nth < 100);
    }
}

#define VALID(text)   CHECK(utf8_valid(text, sizeof(text) - 1))
#define INVALID(text) CHECK(!utf8_valid(text, sizeof(text) - 1))

TEST(utf8_by_the_unicode_table)
{
    VALID("");
    VALID("plain ascii, longer than eight");
    VALID("\xc2\x80 \xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xf0\x90\x80\x80 "
          "\xf4\x8f\xbf\xbf");
    INVALID("\x80");
    INVALID("\xc0\x80");
    INVALID("\xc1\xbf");
    INVALID("\xe0\x9f\xbf");
    INVALID("\xed\xa0\x80");
    INVALID("\xf0\x8f\xbf\xbf");
    INVALID("\xf4\x90\x80\x80");
    INVALID("\xf5\x80\x80\x80");
    INVALID("12345678\xe2\x82");
    INVALID("\xe2\x28\xa1");
    CHECK_INT(utf8_count("a\xc3\xa4\xe2\x82\xac", 6), 3);
    CHECK_INT(utf8_offset("a\xc3\xa4\xe2\x82\xac", 6, 2), 3);
    CHECK_INT(utf8_offset("a\xc3\xa4\xe2\x82\xac", 6, 9), 6);
}
