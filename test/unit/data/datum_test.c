/* Values as text. The expected texts are those of Flink's cast rules and printer. */
#include "data/datum.h"

#include "../check.h"
#include "base/must.h"

static struct error err;
static struct arena arena;

static const char *shown(struct datum datum)
{
    static char text[256];
    struct buf out;
    struct vec *vec = NULL;
    buf_init(&out, 4096);
    must(datum_to_vec(&vec, &datum, 3, &err) == OK);
    vec_verify(vec);
    datum_format_at(&out, vec, 2, NULL);
    snprintf(text, sizeof(text), "%s", buf_text(&out));
    vec_unref(vec);
    buf_fini(&out);
    return text;
}

static const char *sql(struct datum datum)
{
    static char text[256];
    struct buf out;
    buf_init(&out, 4096);
    datum_format_sql(&out, &datum);
    snprintf(text, sizeof(text), "%s", buf_text(&out));
    buf_fini(&out);
    return text;
}

#define NUMBER(of, value) ((struct datum){.type = (of), .i64 = (value)})
#define REAL(of, value)   ((struct datum){.type = (of), .f64 = (value)})
#define TEXT(of, value)   ((struct datum){.type = (of), .text = STR(value)})

TEST(texts)
{
    arena_init(&arena, NULL, 1 << 20);
    const struct type *timestamp_9 = type_temporal(&arena, TYPE_TIMESTAMP, 9, true);
    const struct type *timestamp_7 = type_temporal(&arena, TYPE_TIMESTAMP, 7, true);
    struct datum money = {.type = type_decimal(&arena, 4, 3, true), .decimal = 9870};
    CHECK_STR(shown((struct datum){.type = &TYPE_OF_INT, .is_null = true}), "NULL");
    CHECK_STR(shown(NUMBER(&TYPE_OF_BOOLEAN, 1)), "TRUE");
    CHECK_STR(shown(NUMBER(&TYPE_OF_TINYINT, -125)), "-125");
    CHECK_STR(shown(NUMBER(&TYPE_OF_BIGINT, INT64_MIN)), "-9223372036854775808");
    CHECK_STR(shown(REAL(&TYPE_OF_FLOAT, -123.456f)), "-123.456");
    CHECK_STR(shown(REAL(&TYPE_OF_DOUBLE, 12345.678901)), "12345.678901");
    CHECK_STR(shown(REAL(&TYPE_OF_DOUBLE, 1e10)), "1.0E10");
    CHECK_STR(shown(money), "9.870");
    CHECK_STR(shown(TEXT(&TYPE_OF_STRING, "it's")), "it's");
    CHECK_STR(shown(TEXT(&TYPE_OF_BYTES, "\x85\x2b")), "x'852b'");
    CHECK_STR(shown(NUMBER(&TYPE_OF_DATE, 18894)), "2021-09-24");
    CHECK_STR(shown(NUMBER(&TYPE_OF_TIMESTAMP_6, INT64_C(1632486896123456))),
              "2021-09-24 12:34:56.123456");
    CHECK_STR(shown(NUMBER(&TYPE_OF_TIMESTAMP_3, INT64_C(1632486896100000))),
              "2021-09-24 12:34:56.100");
    CHECK_STR(shown(NUMBER(timestamp_9, INT64_C(1632486896123456007))),
              "2021-09-24 12:34:56.123456007");
    CHECK_STR(shown(NUMBER(timestamp_7, INT64_C(1632486896123456700))),
              "2021-09-24 12:34:56.1234567");
    CHECK_STR(shown(NUMBER(timestamp_9, -1)), "1969-12-31 23:59:59.999999999");
    CHECK_STR(shown(NUMBER(&TYPE_OF_INTERVAL_YEAR_MONTH, 84)), "+7-00");
    CHECK_STR(shown(NUMBER(&TYPE_OF_INTERVAL_YEAR_MONTH, -123)), "-10-03");
    CHECK_STR(shown(NUMBER(&TYPE_OF_INTERVAL_DAY_TIME, 123456789)), "+1 10:17:36.789");
    CHECK_STR(shown(NUMBER(&TYPE_OF_INTERVAL_DAY_TIME, 10)), "+0 00:00:00.010");
    arena_fini(&arena);
}

TEST(literals)
{
    CHECK_STR(sql(TEXT(&TYPE_OF_STRING, "it's")), "'it''s'");
    CHECK_STR(sql(NUMBER(&TYPE_OF_DATE, 18894)), "DATE '2021-09-24'");
    CHECK_STR(sql(NUMBER(&TYPE_OF_INTERVAL_DAY_TIME, 4000)),
              "INTERVAL '0 00:00:04.000' DAY TO SECOND");
    CHECK_STR(sql(REAL(&TYPE_OF_DOUBLE, 1.5)), "1.5E0");
    CHECK_STR(sql(NUMBER(&TYPE_OF_INT, -5)), "-5");
}

TEST(nested_values)
{
    arena_init(&arena, NULL, 1 << 20);
    static const char *names[] = {"n", "tags"};
    const struct type *fields[] = {&TYPE_OF_INT, type_array(&arena, &TYPE_OF_STRING, true)};
    struct vec *vec = NULL, *tags;
    struct datum a, b;
    struct buf out;
    CHECK_OK(vec_new(&vec, type_row(&arena, 2, names, fields, true), 2, NULL, &err));
    tags = vec->children[1];
    CHECK_OK(vec_append_null(vec->children[0], 1, &err));
    ((int32_t *)vec->children[0]->values)[1] = 7;
    CHECK_OK(vec_set_length(tags->children[0], 0, &err));
    CHECK_OK(vec_append_null(tags->children[0], 1, &err));
    CHECK_OK(vec_reserve(tags->children[0], 2, &err));
    CHECK_OK(vec_set_text(tags->children[0], 1, "x", 1, &err));
    tags->children[0]->length = 2;
    ((struct list_entry *)tags->values)[0] = (struct list_entry){0, 0};
    ((struct list_entry *)tags->values)[1] = (struct list_entry){0, 2};
    vec->length = vec->children[0]->length = tags->length = 2;
    vec_verify(vec);
    buf_init(&out, 4096);
    datum_format_at(&out, vec, 0, NULL);
    datum_format_at(&out, vec, 1, NULL);
    CHECK_STR(buf_text(&out), "(NULL, [])(7, [NULL, x])");
    buf_fini(&out);
    datum_get(&a, vec, 1);
    datum_get(&b, vec, 0);
    CHECK(datum_equals(&a, &a));
    CHECK(!datum_equals(&a, &b));
    vec_unref(vec);
    arena_fini(&arena);
}
