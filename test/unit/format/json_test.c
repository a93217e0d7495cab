/* json: every kind of bad document in a group with good neighbours, conversions, faults, encoding.
 */
#include "format/json/json.h"
#include "../check.h"
#include "base/rng.h"
#include "format_help.h"

#define GOOD_BEFORE "{\"a\":1,\"s\":\"before\"}"
#define GOOD_AFTER  "{\"a\":2,\"s\":\"after\"}"

static void two_columns(struct test_table *table)
{
    test_table_init(table, "t");
    test_field(table, "a", &TYPE_OF_INT);
    test_field(table, "s", &TYPE_OF_STRING);
}

/* Decodes the document between two good ones; they have to survive. The rest of the result. */
static const char *between(const struct test_table *table, const void *document, size_t length)
{
    static char kept[8192];
    struct error err = {0};
    struct test_records records;
    struct decoder *decoder = test_decoder(&JSON_FORMAT, table, &err);
    must(decoder);
    test_records_init(&records);
    test_records_add(&records, GOOD_BEFORE, strlen(GOOD_BEFORE));
    test_records_add(&records, document, length);
    test_records_add(&records, GOOD_AFTER, strlen(GOOD_AFTER));
    const char *result = test_decode(&JSON_FORMAT, decoder, &records);
    const char *after = strstr(result, "2|after\n");
    if (strncmp(result, "1|before\n", 9) != 0 || !after)
        snprintf(kept, sizeof(kept), "a good row is lost: %s", result);
    else
        snprintf(kept, sizeof(kept), "%.*s%s", (int)(after - result - 9), result + 9, after + 8);
    test_records_fini(&records);
    JSON_FORMAT.decoder_close(decoder);
    return kept;
}

TEST(truncated_at_every_byte)
{
    static const char document[] = "{\"a\": -12, \"x\": {\"y\": [1, \"\\u00e9\", null, {\"z\": "
                                   "true}]}, \"s\": \"gr\303\274n \\\"q\\\"\"}";
    struct test_table table;
    two_columns(&table);
    for (size_t length = 0; length < sizeof(document) - 1; length++) {
        const char *rest = between(&table, document, length);
        if (strncmp(rest, "bad 1: ", 7) != 0)
            CHECK_FAIL("%zu bytes: %s", length, rest);
    }
    CHECK_STR(between(&table, document, sizeof(document) - 1), "-12|gr\303\274n \"q\"\n");
}

TEST(bad_documents)
{
    static const char *const documents[] = {
        "",
        " ",
        "\n",
        "null",
        "1",
        "\"x\"",
        "[]",
        "[{\"a\":1}]",
        "{",
        "}",
        "{]",
        "[}",
        "{}}",
        "{},",
        "{} {}",
        "{\"a\":1,}",
        "{,\"a\":1}",
        "{\"a\" 1}",
        "{\"a\"::1}",
        "{\"a\":}",
        "{\"a\":1 \"s\":\"x\"}",
        "{a:1}",
        "{'a':1}",
        "{\"a\":1}x",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":1.}",
        "{\"a\":.5}",
        "{\"a\":1e}",
        "{\"a\":nul}",
        "{\"a\":nulll}",
        "{\"a\":NaN}",
        "{\"a\":0x10}",
        "{\"a\":1 2}",
        "{\"a\":1\x01}",
        "{\"a\":\0011}",
        "{\"s\":\"a\tb\"}",
        "{\"s\":\"a\nb\"}",
        "{\"s\":\"\\x\"}",
        "{\"s\":\"\\u12\"}",
        "{\"s\":\"\\u12g4\"}",
        "{\"s\":\"x}",
        "{\"s\":\"x\\\"}",
        "{\"s:\"x\"}",
        "{\"s\":\"\xff\"}",
        "{\"s\":\"\xc0\x80\"}",
        "{\"s\":\"\xed\xa0\x80\"}",
        "{\"s\":\"\xe2\x82\"}",
        "{\"s\":\"\xf5\x80\x80\x80\"}",
        "{\"u\":[1,}",
        "{\"u\":[1 2]}",
        "{\"u\":{\"v\":1]}",
        "{\"u\":{1:2}}",
        "{\"u\":[,]}",
        "{\"u\":[}",
        "{\"s\":\"a\"\"b\"}",
        "{\"s\":\"a\"b}",
        "{\"s\":tru}",
        "\xef\xbb\xbf{",
        "//x\n{\"a\":1}",
        "{\"a\":1}//x",
    };
    struct test_table table;
    two_columns(&table);
    for (size_t i = 0; i < COUNT_OF(documents); i++) {
        const char *rest = between(&table, documents[i], strlen(documents[i]));
        if (strncmp(rest, "bad 1: ", 7) != 0)
            CHECK_FAIL("%s: %s", documents[i], rest);
    }
    CHECK(strncmp(between(&table, "{\"a\":1\0}", 8), "bad 1: ", 7) == 0);
}

TEST(odd_but_good_documents)
{
    static const struct {
        const char *document, *row;
    } odd[] = {
        {"{}", "NULL|NULL\n"},
        {" { } \r\n", "NULL|NULL\n"},
        {"{\"a\":null,\"s\":null}", "NULL|NULL\n"},
        {"{\"a\":1,\"a\":2}", "2|NULL\n"},
        {"{\"a\":1,\"a\":null}", "NULL|NULL\n"},
        {"{\"a\":null,\"a\":3}", "3|NULL\n"},
        {"{\"\\u0061\":7,\"A\":8}", "7|NULL\n"},
        {"{\"s\":\"\\u00e9\\ud83d\\ude00\\n\"}", "NULL|\303\251\360\237\230\200\n\n"},
        {"{\"s\":\"\"}", "NULL|\n"},
        {"{\"\":1,\"a\":5}", "5|NULL\n"},
        {"{\"x\":{\"a\":9},\"y\":[[],{},[{}]],\"a\":4}", "4|NULL\n"},
        {"{\"a\":\" 42 \"}", "42|NULL\n"},
        {"{\"a\":3.9}", "3|NULL\n"},
        {"{\"a\":1e2}", "100|NULL\n"},
        {"{\"a\":-0}", "0|NULL\n"},
        {"{\"s\":12.50}", "NULL|12.50\n"},
        {"{\"s\":{\"x\": [1]}}", "NULL|{\"x\": [1]}\n"},
        {"{\"s\":true}", "NULL|true\n"},
    };
    struct test_table table;
    two_columns(&table);
    for (size_t i = 0; i < COUNT_OF(odd); i++) {
        const char *rest = between(&table, odd[i].document, strlen(odd[i].document));
        if (strcmp(rest, odd[i].row) != 0)
            CHECK_FAIL("%s: %s, want %s", odd[i].document, rest, odd[i].row);
    }
}

TEST(wrong_types_and_ranges)
{
    static const struct {
        const char *member, *type;
    } wrong[] = {
        {"\"b\":1", "BOOLEAN"},
        {"\"b\":\"yes\"", "BOOLEAN"},
        {"\"i8\":128", "TINYINT"},
        {"\"i8\":\"1.0\"", "TINYINT"},
        {"\"i16\":-32769", "SMALLINT"},
        {"\"i32\":2147483648", "INT"},
        {"\"i64\":9223372036854775808", "BIGINT"},
        {"\"i64\":1e30", "BIGINT"},
        {"\"i64\":true", "BIGINT"},
        {"\"i64\":{}", "BIGINT"},
        {"\"i64\":[1]", "BIGINT"},
        {"\"d\":\"x\"", "DOUBLE"},
        {"\"d\":[]", "DOUBLE"},
        {"\"dec\":\"1,5\"", "DECIMAL(10, 2)"},
        {"\"dec\":true", "DECIMAL(10, 2)"},
        {"\"x\":\"###\"", "BYTES"},
        {"\"x\":5", "BYTES"},
        {"\"day\":\"2024-02-30\"", "DATE"},
        {"\"day\":20240101", "DATE"},
        {"\"time\":\"25:00:00\"", "TIME(3)"},
        {"\"ts3\":\"2024-01-01T00:00:00\"", "TIMESTAMP(3)"},
        {"\"ts3\":\"now\"", "TIMESTAMP(3)"},
        {"\"ts9\":\"9999-01-01 00:00:00\"", "TIMESTAMP(9)"},
        {"\"ltz\":\"2024-01-01 00:00:00\"", "TIMESTAMP_LTZ(3)"},
    };
    struct arena arena;
    struct test_table table;
    char document[256], want[256];
    arena_init(&arena, NULL, 1 << 20);
    test_all_types(&table, &arena);
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        snprintf(document, sizeof(document), "{%s}", wrong[i].member);
        const char *result = test_decode_text(&JSON_FORMAT, &table, document);
        snprintf(want, sizeof(want), "is not a valid %s", wrong[i].type);
        if (strncmp(result, "bad 0: column '", 15) != 0 || !strstr(result, want))
            CHECK_FAIL("%s: %s", wrong[i].member, result);
    }
    test_option(&table, "ignore-parse-errors", "true");
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        snprintf(document, sizeof(document), "{%s}", wrong[i].member);
        const char *result = test_decode_text(&JSON_FORMAT, &table, document);
        if (strcmp(result, "NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|NULL|"
                           "NULL|NULL\n") != 0)
            CHECK_FAIL("%s: %s", wrong[i].member, result);
    }
    /* too many digits are NULL, as in Flink */
    CHECK(strstr(test_decode_text(&JSON_FORMAT, &table, "{\"dec\":123456789012.5}"), "bad") ==
          NULL);
    arena_fini(&arena);
}

TEST(missing_fields)
{
    struct test_table table;
    two_columns(&table);
    test_option(&table, "fail-on-missing-field", "true");
    CHECK_STR(test_decode_text(&JSON_FORMAT, &table, "{\"a\":1}"),
              "bad 0: column 's' is missing\n");
    CHECK_STR(test_decode_text(&JSON_FORMAT, &table, "{\"a\":1,\"s\":null}"), "1|NULL\n");
    test_option(&table, "fail-on-missing-feild", "true");
    CHECK_STR(test_decode_text(&JSON_FORMAT, &table, "{}"),
              "format 'json' has no option 'fail-on-missing-feild'");
}

TEST(large_values_and_depth)
{
    enum { LARGE = 5 << 20 };
    struct test_table table;
    struct buf document;
    two_columns(&table);
    buf_init(&document, 64 << 20);
    for (int escaped = 0; escaped < 2; escaped++) {
        buf_clear(&document);
        buf_append_text(&document, "{\"a\":3,\"s\":\"");
        for (int i = 0; i < LARGE / 8; i++)
            buf_append_text(&document, escaped && i == 7 ? "abc\\ndef" : "abcdefgh");
        buf_append_text(&document, "\"}");
        struct test_records records;
        struct error err = {0};
        struct decoder *decoder = test_decoder(&JSON_FORMAT, &table, &err);
        test_records_init(&records);
        test_records_add(&records, GOOD_BEFORE, strlen(GOOD_BEFORE));
        test_records_add(&records, document.data, document.length);
        test_records_add(&records, document.data, document.length - 1);
        test_records_add(&records, GOOD_AFTER, strlen(GOOD_AFTER));
        const char *result = test_decode(&JSON_FORMAT, decoder, &records);
        CHECK(strncmp(result, "1|before\n3|abcdefgh", 19) == 0);
        const char *after = strstr(result, "\n2|after\nbad 2: ");
        CHECK(after);
        CHECK_INT(after - result, 9 + 2 + LARGE - escaped);
        test_records_fini(&records);
        JSON_FORMAT.decoder_close(decoder);
    }
    for (int depth = 400; depth <= 10000; depth *= 25) {
        buf_clear(&document);
        buf_append_text(&document, "{\"a\":4,\"u\":");
        for (int i = 0; i < depth; i++)
            buf_append_byte(&document, '[');
        for (int i = 0; i < depth; i++)
            buf_append_byte(&document, ']');
        buf_append_byte(&document, '}');
        const char *rest = between(&table, document.data, document.length);
        CHECK(depth < 512 ? strcmp(rest, "4|NULL\n") == 0 : strncmp(rest, "bad 1: ", 7) == 0);
        rest = between(&table, document.data, document.length - 2 - (size_t)depth);
        CHECK(strncmp(rest, "bad 1: ", 7) == 0);
    }
    buf_fini(&document);
}

/* A spoiled document: one random byte changed, removed or put in. */
static size_t spoil(struct rng *rng, char *document, size_t length)
{
    static const char bytes[] = "{}[]:,\"\\ \n\x01"
                                "09-.etnu\xff\xc3";
    size_t at = rng_below(rng, length);
    char byte = bytes[rng_below(rng, sizeof(bytes) - 1)];
    switch (rng_below(rng, 3)) {
    case 0:
        document[at] = byte;
        return length;
    case 1:
        memmove(document + at, document + at + 1, length - at - 1);
        return length - 1;
    default:
        memmove(document + at + 1, document + at, length - at);
        document[at] = byte;
        return length + 1;
    }
}

/* Whatever its neighbours are, a document gives what it gives alone. */
TEST(groups_equal_single_documents)
{
    static struct test_records group;
    struct test_table table;
    struct error err = {0};
    struct rng rng;
    struct buf rows, bads;
    two_columns(&table);
    rng_init(&rng, 11);
    buf_init(&rows, 64 << 20);
    buf_init(&bads, 64 << 20);
    struct decoder *decoder = test_decoder(&JSON_FORMAT, &table, &err);
    struct decoder *other = test_decoder(&JSON_FORMAT, &table, &err);
    for (int round = 0; round < 60; round++) {
        uint32_t count = 1 + (uint32_t)rng_below(&rng, 600);
        test_records_init(&group);
        buf_clear(&rows);
        for (uint32_t i = 0; i < count; i++) {
            char document[128];
            size_t length = (size_t)snprintf(
                document, 100, "{\"a\":%d,\"u\":[%d,{\"k\":\"v\"}],\"s\":\"t\\u00%02x%d\"}",
                (int)rng_below(&rng, 100000), (int)i, (int)(0x41 + rng_below(&rng, 20)), (int)i);
            if (rng_below(&rng, round % 3 ? 50 : 3) == 0)
                length = spoil(&rng, document, length);
            test_records_add(&group, document, length);
        }
        uint32_t good = 0;
        for (uint32_t i = 0; i < count; i++) {
            struct test_records single;
            test_records_init(&single);
            test_records_add(&single, group.values[i], group.lengths[i]);
            const char *result = test_decode(&JSON_FORMAT, other, &single);
            if (strncmp(result, "bad", 3) != 0) {
                buf_append_text(&rows, result);
                good++;
            }
            test_records_fini(&single);
        }
        const char *together = test_decode(&JSON_FORMAT, decoder, &group);
        const char *bad = strstr(together, good ? "\nbad " : "bad ");
        size_t length = bad ? (size_t)(bad - together) + (good > 0) : strlen(together);
        if (length != rows.length || memcmp(together, rows.data, length) != 0)
            CHECK_FAIL("round %d: a group of %u differs from its documents", round, count);
        char *copied = strdup(together);
        static struct test_records run;
        struct buffer *buffer = test_records_run(&run, &group, round % 2 ? "\n" : " \r\n\t\n");
        if (strcmp(copied, test_decode(&JSON_FORMAT, decoder, &run)) != 0)
            CHECK_FAIL("round %d: a run of %u differs from copies", round, count);
        buffer_unref(buffer);
        free(copied);
        test_records_fini(&group);
    }
    JSON_FORMAT.decoder_close(decoder);
    JSON_FORMAT.decoder_close(other);
    buf_fini(&rows);
    buf_fini(&bads);
}

/* Documents behind others of a known shape give what they give alone. */
TEST(shapes)
{
    static const char *const shapes[] = {
        "{\"a\": 17, \"u\": \"x\", \"s\": \"visa\"}",
        "{\"s\":\"visa\",\"u\":[1,{\"k\":null}],\"a\":17}",
        "{\"u\":{\"a\":5,\"v\":[]},\"s\":\"a text of more than sixteen bytes\"}",
        "{\"a key that is longer than two times sixteen bytes and so on and on\":1,\"a\":2}",
        "{\"a\":1,\"a\":2,\"s\":\"x\",\"s\":\"y\"}",
        "{\"s\":{\"x\":1},\"a\":2}",
        "{\"\\u0061\":1,\"s\":\"\"}",
        "{ \"a\" : 1 , \"s\" : null , \"u\" : true }",
        "{}",
        "{\n  \"a\": 1,\n  \"s\": \"pretty\"\n}\n",
        "{\"a key of more than a hundred bytes, of which those that are compared last would lie "
        "far "
        "behind a short document that ends the text\":1}",
    };
    static const char *const others[] = {
        "{\"a\":7}",
        "{\"a\": 1e5, \"u\": \"x\", \"s\": \"visa\"}",
        "{\"a\": -0, \"u\": \"x\", \"s\": \"\"}",
        "{\"a\": 007, \"u\": \"x\", \"s\": \"visa\"}",
        "{\"a\": 99999999999999999999, \"u\": \"x\", \"s\": \"visa\"}",
        "{\"a\": null, \"u\": null, \"s\": null}",
        "{\"a\": \"18\", \"u\": 1, \"s\": 5.50}",
        "{\"a\": 17, \"u\": \"x\", \"s\": \"q\\\"\\u00e9\"}",
        "{\"a\": 17, \"u\": \"x\", \"s\": \"q\\\"}",
        "{\"a\": 17, \"u\": \"x\", \"s\": \"visa\"",
        "{\"a\": 17, \"u\": \"x\", \"s\": \"visa\"}}",
        "{\"a\": 17, \"u\": \"x\", \"s\": \"visa\"} ",
        "{\"a\": 17, \"u\": \"x\", \"s\": \"visa\"}x",
        "{\"a\": 17, \"u\": \"x\", \"s\": \"visa\"]",
        "{\"a\": 17, \"u\": \"x\", \"s\": \"vi\xff\"}",
        "{\"a\": 17, \"u\": \"x\", \"s\": \"vi\nsa\"}",
        "{\"a\": 17, \"u\": \"x\" \"s\": \"visa\"}",
        "{\"a\": 17, \"u\": \"x\", \"s\"; \"visa\"}",
        "{\"a\": 17, \"u\": {, \"s\": \"visa\"}",
        "{\"a\": 17, \"u\": [, \"s\": \"visa\"}",
        "{\"a\": 17, \"u\": ,, \"s\": \"visa\"}",
        "{\"a\": 17, \"u\": :, \"s\": \"visa\"}",
        "{\"a\": 17, \"u\": }, \"s\": \"visa\"}",
        "{\"a\": , \"u\": \"x\", \"s\": \"visa\"}",
        "{\"a\": 17, \"u\": \"x\", \"s\": }",
        "{\"a\": 17, \"u\": {}, \"s\": \"visa\"}",
        "{\"a\": 17, \"u\": [1,2], \"s\": \"visa\"}",
        "{\"a\": 17, \"u\": \"x\", \"s\": {\"a\": 1}}",
        "{\"a\": 17, \"u\": \"x\", \"t\": \"visa\"}",
        "{\"a\": 17, \"s\": \"x\", \"u\": \"visa\"}",
        "{\"a\": 17, \"u\": \"x\", \"a\": 18}",
        "{\"a\": 17, \"u\": \"x\"}",
        "{\"a\": 17, \"u\": \"x\", \"s\":  \"visa\"}",
        "{\"a\": 17, \"u\": \"x\" , \"s\": \"visa\" }",
        "{\"a\": 17, \"u\": \"a, \\\"u\\\": 1\", \"s\": \", \\\"s\\\": \"}",
        "{\"a\": 17 1, \"u\": \"x\", \"s\": \"visa\"}",
        "{\"a\": 17, \"u\": \"x\"1, \"s\": \"visa\"}",
        "{\"a\": 17, \"\\u0075\": \"x\", \"s\": \"visa\"}",
        "{\"a\":1,\"a\":null,\"s\":\"x\",\"s\":1}",
        "{\"a\":\"x\",\"a\":2,\"s\":\"x\",\"s\":\"\\x\"}",
        "{\"s\":\"visa\",\"u\":[1,{\"k\":[]}],\"a\":17}",
        "{\"s\":\"visa\",\"u\":[1,2,{\"k\":null}],\"a\":18}",
        "{\"u\":{\"a\":5,\"v\":[1]},\"s\":\"a text of more than sixteen bytes\\n\"}",
        "{\"a key that is longer than two times sixteen bytes and so on and om\":1,\"a\":2}",
        "{\"a key that is longer than two times sixteen bytes and so on and on\":1,\"a\":3}",
        "",
        "[1]",
    };
    static struct test_records group;
    struct test_table table;
    struct error err = {0};
    two_columns(&table);
    struct decoder *decoder = test_decoder(&JSON_FORMAT, &table, &err);
    for (size_t i = 0; i < COUNT_OF(shapes); i++)
        for (size_t k = 0; k < COUNT_OF(others) + COUNT_OF(shapes); k++) {
            const char *other = k < COUNT_OF(others) ? others[k] : shapes[k - COUNT_OF(others)];
            const char *const documents[] = {shapes[i], shapes[i], other, shapes[i], other, other};
            char want[4096];
            size_t length = 0, bad_count = 0;
            test_records_init(&group);
            for (size_t d = 0; d < COUNT_OF(documents); d++) {
                const char *alone = test_decode_text(&JSON_FORMAT, &table, documents[d]);
                test_records_add(&group, documents[d], strlen(documents[d]));
                if (strncmp(alone, "bad", 3) != 0)
                    length += (size_t)snprintf(want + length, sizeof(want) - length, "%s", alone);
                else
                    bad_count++;
            }
            const char *together = test_decode(&JSON_FORMAT, decoder, &group);
            for (const char *bad = together; (bad = strstr(bad, "bad ")) != NULL; bad++)
                bad_count--;
            if (strncmp(together, want, length) != 0 || bad_count != 0)
                CHECK_FAIL("%s among %s:\n%s, want:\n%s", other, shapes[i], together, want);
            test_records_fini(&group);
        }
    JSON_FORMAT.decoder_close(decoder);
}

/* The first of the bad rows is the first in the records, whatever was found first. */
TEST(bad_rows_are_in_order)
{
    struct test_table table;
    struct test_records records;
    struct error err = {0};
    two_columns(&table);
    struct decoder *decoder = test_decoder(&JSON_FORMAT, &table, &err);
    test_records_init(&records);
    test_records_add(&records, "{\"a\":1,\"s\":\"\\x\"}", 16);
    test_records_add(&records, "{\"a\":x,\"s\":\"\\x\"}", 16);
    test_records_add(&records, "{", 1);
    CHECK_STR(test_decode(&JSON_FORMAT, decoder, &records),
              "bad 0: column 's': \"\\x\" is not a valid STRING\n"
              "bad 1: column 'a': x is not a valid INT\n"
              "bad 2: not valid JSON: it ends too early, after 1 bytes\n");
    test_records_fini(&records);
    JSON_FORMAT.decoder_close(decoder);
}

TEST(tombstones)
{
    struct test_table table;
    struct test_records records;
    struct error err = {0};
    two_columns(&table);
    struct decoder *decoder = test_decoder(&JSON_FORMAT, &table, &err);
    test_records_init(&records);
    test_records_add_null(&records);
    test_records_add(&records, GOOD_AFTER, strlen(GOOD_AFTER));
    test_records_add_null(&records);
    CHECK_STR(test_decode(&JSON_FORMAT, decoder, &records), "2|after\n");
    test_records_fini(&records);
    JSON_FORMAT.decoder_close(decoder);
}

/* Each allocation fails once: an error, never a lost row or a crash. */
TEST(no_memory)
{
    struct arena arena;
    struct test_table table;
    struct test_records records;
    static const char escaped[] = "{\"s\":\"a long text with an \\u0065scape in it\"}";
    char *want;
    arena_init(&arena, NULL, 1 << 20);
    two_columns(&table);
    test_records_init(&records);
    for (int i = 0; i < 40; i++) {
        test_records_add(&records, GOOD_BEFORE, strlen(GOOD_BEFORE));
        test_records_add(&records, escaped, strlen(escaped));
        test_records_add(&records, "{\"a\":}", 6);
    }
    struct error err = {0};
    struct decoder *decoder = test_decoder(&JSON_FORMAT, &table, &err);
    want = strdup(test_decode(&JSON_FORMAT, decoder, &records));
    JSON_FORMAT.decoder_close(decoder);
    bool finished = false;
    uint64_t n = 1;
    for (; !finished && n < 1000; n++) {
        struct bad_rows bad;
        struct batch *batch = NULL;
        const uint32_t *record_of_row;
        enum status status = ERR_MEMORY;
        uint64_t before = mem_alloc_count();
        err = (struct error){0};
        mem_fail_after(n);
        decoder = test_decoder(&JSON_FORMAT, &table, &err);
        if (decoder)
            status =
                JSON_FORMAT.decode(decoder, &records.records, &batch, &record_of_row, &bad, &err);
        finished = mem_alloc_count() - before < n;
        mem_fail_after(0);
        if (status == OK) {
            struct buf text;
            buf_init(&text, 1 << 20);
            test_rows_text(&text, batch);
            CHECK(strncmp(want, buf_text(&text), text.length) == 0);
            CHECK_INT(bad.count, 40);
            buf_fini(&text);
            batch_unref(batch);
        } else {
            CHECK_INT(status, ERR_MEMORY);
        }
        JSON_FORMAT.decoder_close(decoder);
    }
    CHECK(finished && n > 8);
    test_records_fini(&records);
    free(want);
    arena_fini(&arena);
}

TEST(there_and_back)
{
    static const char *const documents[] = {
        "{\"b\":true,\"i8\":-128,\"i16\":-32768,\"i32\":-2147483648,\"i64\":-9223372036854775808,"
        "\"f\":1.5,\"d\":1.0E300,\"dec\":-12345678.90,\"big\":1234567890123456789012345678."
        "0123456789,"
        "\"s\":\"gr\303\274n \\\"q\\\" \\\\ \\b\\f\\n\\r\\t\\u0001 "
        "\360\237\230\200\",\"x\":\"AAEC/w==\","
        "\"day\":\"0001-01-01\",\"time\":\"23:59:59.9\",\"ts3\":\"9999-12-31 23:59:59.999\","
        "\"ts9\":\"1969-12-31 23:59:59.999999999\",\"ltz\":\"2024-02-29 12:00:00.5Z\"}",
        "{\"b\":false,\"i8\":127,\"i16\":0,\"i32\":0,\"i64\":9223372036854775807,\"f\":0.1,\"d\":"
        "\"NaN\","
        "\"dec\":0.00,\"big\":0.0000000000,\"s\":\"\",\"x\":\"\",\"day\":\"2024-02-29\","
        "\"time\":\"00:00:00\",\"ts3\":\"2024-01-01 00:00:00\",\"ts9\":\"1970-01-01 00:00:00\","
        "\"ltz\":\"1969-12-31 23:59:59.999Z\"}",
        "{\"b\":null,\"i8\":null,\"i16\":null,\"i32\":null,\"i64\":null,\"f\":null,\"d\":null,"
        "\"dec\":null,"
        "\"big\":null,\"s\":null,\"x\":null,\"day\":null,\"time\":null,\"ts3\":null,\"ts9\":null,"
        "\"ltz\":null}",
    };
    struct arena arena;
    struct test_table table;
    struct test_records records;
    struct error err = {0};
    struct bad_rows bad;
    struct batch *batch;
    const uint32_t *record_of_row;
    struct buf want;
    arena_init(&arena, NULL, 1 << 20);
    buf_init(&want, 1 << 20);
    test_all_types(&table, &arena);
    test_records_init(&records);
    for (size_t i = 0; i < COUNT_OF(documents); i++) {
        test_records_add(&records, documents[i], strlen(documents[i]));
        buf_printf(&want, "%s\n", documents[i]);
    }
    struct decoder *decoder = test_decoder(&JSON_FORMAT, &table, &err);
    CHECK_OK(JSON_FORMAT.decode(decoder, &records.records, &batch, &record_of_row, &bad, &err));
    if (bad.count)
        CHECK_FAIL("%s", bad.rows[0].text);
    CHECK_STR(test_encode(&JSON_FORMAT, &table, batch), buf_text(&want));
    test_option(&table, "encode.ignore-null-fields", "true");
    test_option(&table, "timestamp-format.standard", "ISO-8601");
    const char *text = test_encode(&JSON_FORMAT, &table, batch);
    CHECK(strstr(text, "\"ts3\":\"9999-12-31T23:59:59.999\""));
    CHECK_STR(text + strlen(text) - 5, "}\n{}\n");
    batch_unref(batch);
    test_records_fini(&records);
    JSON_FORMAT.decoder_close(decoder);
    buf_fini(&want);
    arena_fini(&arena);
}
