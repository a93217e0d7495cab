/* json_strict_test.c - the json format at a table's door: bodies cut into documents, and what a
 * strict decoder refuses that a reader takes.
 */
#include "../check.h"

#include "base/rng.h"
#include "format/json/json.h"
#include "format/json/json_cut.h"
#include "format_help.h"

/* ---- cutting */

/* Documents, each followed by '|'; then "!OFFSET REASON". */
static const char *cut(const char *body, size_t length, bool lines)
{
    static char shown[1 << 16];
    struct json_cut cut;
    const uint8_t *document;
    uint32_t size;
    size_t at = 0;
    uint8_t *copy = malloc(length + 1); /* so that sanitizers see a step beyond the end */
    memcpy(copy, body, length);
    json_cut_begin(&cut, copy, length, lines);
    while (json_cut_next(&cut, &document, &size)) {
        must(document >= copy && document + size <= copy + length && size > 0);
        at += (size_t)snprintf(shown + at, sizeof(shown) - at, "%.*s|", (int)size,
                               (const char *)document);
    }
    if (cut.error)
        snprintf(shown + at, sizeof(shown) - at, "!%zu %s", cut.error_offset, cut.error);
    else
        shown[at] = 0;
    must(!json_cut_next(&cut, &document, &size)); /* an end stays one */
    free(copy);
    return shown;
}
#define LINES(text) cut((text), strlen(text), true)
#define VALUE(text) cut((text), strlen(text), false)

TEST(lines)
{
    CHECK_STR(LINES(""), "");
    CHECK_STR(LINES("\n\r\n \t\n"), "");
    CHECK_STR(LINES("{\"a\":1}"), "{\"a\":1}|");
    CHECK_STR(LINES("{\"a\":1}\n"), "{\"a\":1}|");
    CHECK_STR(LINES(" {\"a\":1} \r\n\n{\"b\":\"}\"}\r\nx\n"), "{\"a\":1}|{\"b\":\"}\"}|x|");
    CHECK_STR(LINES("\xef\xbb\xbf{}\n{}"), "{}|{}|");
    CHECK_STR(LINES("[1]\n{}"), "[1]|{}|");
}

TEST(values)
{
    CHECK_STR(VALUE(""), "!0 the body is empty");
    CHECK_STR(VALUE(" \n"), "!2 the body is empty");
    CHECK_STR(VALUE(" {\"a\":1} \n"), "{\"a\":1}|");
    CHECK_STR(VALUE("{}{}"), "{}{}|"); /* the decoder refuses it */
    CHECK_STR(VALUE("17"), "17|");
    CHECK_STR(VALUE("[]"), "");
    CHECK_STR(VALUE(" [ ] "), "");
    CHECK_STR(VALUE("[{}]"), "{}|");
    CHECK_STR(VALUE("\xef\xbb\xbf[{}]"), "{}|");
    CHECK_STR(VALUE("[ {\"a\":[1,2]} , {\"b\":\"],[\"}\n,3,\"a,b\" , [[]],null]\n"),
              "{\"a\":[1,2]}|{\"b\":\"],[\"}|3|\"a,b\"|[[]]|null|");
    CHECK_STR(VALUE("[{\"a\":\"\\\"\"},{\"a\":\"\\\\\"}]"), "{\"a\":\"\\\"\"}|{\"a\":\"\\\\\"}|");
}

TEST(broken_arrays)
{
    CHECK_STR(VALUE("["), "!1 the array does not end");
    CHECK_STR(VALUE("[{}"), "{}|!3 the array does not end");
    CHECK_STR(VALUE("[{},"), "{}|!4 the array does not end");
    CHECK_STR(VALUE("[{},]"), "{}|!4 an element of the array is missing");
    CHECK_STR(VALUE("[,{}]"), "!1 an element of the array is missing");
    CHECK_STR(VALUE("[{},,{}]"), "{}|!4 an element of the array is missing");
    CHECK_STR(VALUE("[{} {}]"), "{}|!4 a comma or the end of the array is missing");
    CHECK_STR(VALUE("[{}]]"), "{}|!4 there is something behind the array");
    CHECK_STR(VALUE("[{}] x"), "{}|!5 there is something behind the array");
    CHECK_STR(VALUE("[{\"a\":1]"), "{\"a\":1]|!8 the array does not end");
    CHECK_STR(VALUE("[{}, {\"a\":\"x}]"), "{}|!5 the element that begins here does not end");
    CHECK_STR(VALUE("[\"a\\"), "!1 the element that begins here does not end");
    CHECK_STR(VALUE("[}]"), "!1 an element of the array is missing");
}

TEST(cut_at_every_byte_and_nested_deeply)
{
    static const char body[] = "[{\"a\":\"\\\"]\",\"b\":[1,{}]}, 12, \"x\\\\\" ,{}]";
    for (size_t length = 0; length < sizeof(body) - 1; length++)
        CHECK(strchr(cut(body, length, false), '!')); /* never a whole array */
    CHECK(!strchr(VALUE(body), '!'));
    size_t depth = 100000;
    char *deep = malloc(2 * depth + 3);
    deep[0] = '[';
    memset(deep + 1, '[', depth);
    memset(deep + 1 + depth, ']', depth + 1);
    struct json_cut it;
    const uint8_t *document;
    uint32_t size;
    json_cut_begin(&it, (uint8_t *)deep, 2 * depth + 2, false);
    CHECK(json_cut_next(&it, &document, &size));
    CHECK_INT(size, 2 * depth);
    CHECK(!json_cut_next(&it, &document, &size) && !it.error);
    free(deep);
}

/* ---- strict decoding */

static struct arena arena;
static struct test_table table;
static struct bad_rows bad;
static struct error err;

/* "" when the document is taken, else the reason. */
static const char *refused(const char *document, bool strict)
{
    struct decoder *decoder;
    struct decoder_request request = {.table = &table.description,
                                      .wanted = table.wanted,
                                      .wanted_count = table.description.field_count,
                                      .strict = strict};
    struct test_records records;
    struct batch *batch;
    const uint32_t *record_of_row;
    error_clear(&err);
    if (JSON_FORMAT.decoder_open(&request, &decoder, &err) != OK)
        return err.text;
    test_records_init(&records);
    test_records_add(&records, document, strlen(document));
    if (JSON_FORMAT.decode(decoder, &records.records, &batch, &record_of_row, &bad, &err) != OK)
        return err.text;
    batch_unref(batch);
    test_records_fini(&records);
    JSON_FORMAT.decoder_close(decoder);
    return bad.count ? bad.rows[0].text : "";
}

static void all_columns(void)
{
    arena_init(&arena, NULL, 1 << 20);
    test_table_init(&table, "t");
    test_field(&table, "i8", &TYPE_OF_TINYINT);
    test_field(&table, "i32", &TYPE_OF_INT);
    test_field(&table, "f", &TYPE_OF_FLOAT);
    test_field(&table, "d", &TYPE_OF_DOUBLE);
    test_field(&table, "dec", type_decimal(&arena, 4, 2, true));
    test_field(&table, "s", type_text(&arena, TYPE_VARCHAR, 3, true));
    test_field(&table, "x", type_text(&arena, TYPE_VARBINARY, 2, true));
}

TEST(what_a_reader_would_cut_or_drop_is_refused)
{
    static const char *const documents[] = {
        "{\"i32\": 12.5}",
        "{\"dec\": 100.00}",
        "{\"dec\": -1e5}",
        "{\"s\": \"abcd\"}",
        "{\"s\": \"\\u00e4\\u00e4\\u00e4\\u00e4\"}",
        "{\"s\": 1234}",
        "{\"x\": \"AAAA\"}",
        "{\"d\": 1e999}",
        "{\"f\": -1e39}",
        "{\"unknown\": nul}",
        "{\"unknown\": 01}",
        "{\"unknown\": {\"a\": [1, tru]}}",
        "{\"unknown\": \"\\x\"}",
    };
    all_columns();
    for (size_t i = 0; i < sizeof(documents) / sizeof(*documents); i++) {
        if (refused(documents[i], false)[0])
            CHECK_FAIL("a reader refuses %s: %s", documents[i], bad.rows[0].text);
        if (!refused(documents[i], true)[0])
            CHECK_FAIL("taken: %s", documents[i]);
    }
    arena_fini(&arena);
}

TEST(what_fits_is_taken)
{
    static const char *const documents[] = {
        "{}",
        "{\"i8\": 127, \"i32\": -2147483648}",
        "{\"i8\": \"12\", \"i32\": 12.0}",
        "{\"i32\": 1e3}",
        "{\"dec\": 99.99}",
        "{\"dec\": \"-12.3\"}",
        "{\"s\": \"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"}",
        "{\"x\": \"AAA=\"}",
        "{\"d\": 1e308, \"f\": 3e38}",
        "{\"d\": \"Infinity\"}",
        "{\"unknown\": {\"a\": [1, true, null, \"x\", -1.5e3]}, \"i8\": null}",
    };
    all_columns();
    for (size_t i = 0; i < sizeof(documents) / sizeof(*documents); i++)
        CHECK_STR(refused(documents[i], true), "");
    arena_fini(&arena);
}

TEST(field_and_value_are_told)
{
    all_columns();
    CHECK_STR(refused("{\"i8\": 128}", true), "column 'i8': 128 is not a valid TINYINT");
    CHECK_INT(bad.rows[0].field, 0);
    CHECK_STR(bad.rows[0].value, "128");
    refused("{\"i8\": 1, \"i32\": \"abc\"}", true);
    CHECK_INT(bad.rows[0].field, 1);
    CHECK_STR(bad.rows[0].value, "\"abc\"");
    /* cut between characters */
    refused("{\"i32\": \"1\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
            "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
            "\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"
            "\xe2\x82\xac\xe2\x82\xac\"}",
            true);
    CHECK_INT(strlen(bad.rows[0].value), 62);
    refused("{\"i8\": 1", true);
    CHECK_INT(bad.rows[0].field, BAD_ROW_NO_FIELD);
    CHECK_STR(bad.rows[0].value, "");
    arena_fini(&arena);
}
