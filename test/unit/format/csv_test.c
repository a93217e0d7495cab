/* csv: lines as Jackson reads and writes them for Flink, bad ones among good ones, faults. */
#include "format/csv/csv.h"
#include "../check.h"
#include "format_help.h"

static void two_columns(struct test_table *table)
{
    test_table_init(table, "t");
    test_field(table, "a", &TYPE_OF_INT);
    test_field(table, "s", &TYPE_OF_STRING);
}

TEST(lines)
{
    static const struct {
        const char *line, *result;
    } lines[] = {
        {"1,x", "1|x\n"},
        {"1,x\n", "1|x\n"},
        {"1,x\r\n", "1|x\n"},
        {" 1 , x ", "1| x \n"},
        {"1,", "1|\n"},
        {"\"1\",\"x\"", "1|x\n"},
        {"1,\"a,b\"", "1|a,b\n"},
        {"1,\"a\nb\"", "1|a\nb\n"},
        {"1,\"a \"\"q\"\" b\"", "1|a \"q\" b\n"},
        {"1,\"\"", "1|\n"},
        {"1,\"\"\"\"", "1|\"\n"},
        {"1,5\" pipe", "1|5\" pipe\n"},
        {"1,\"x\" ", "1|x\n"},
        {"1,\"x\"y", "bad 0: not a CSV line: something follows a closing quote\n"},
        {"1,\"x", "bad 0: not a CSV line: a quoted field does not end\n"},
        {"1,x\n2,y", "bad 0: not a CSV line: a second line follows\n"},
        {"1", "bad 0: the line has 1 fields, the table 2\n"},
        {"", "bad 0: column 'a': '' is not a valid INT\n"},
        {"1,x,y", "bad 0: the line has more than 2 fields, the table 2\n"},
        {"x,y", "bad 0: column 'a': 'x' is not a valid INT\n"},
        {"2147483648,y", "bad 0: column 'a': '2147483648' is not a valid INT\n"},
        {"1,\xff", "bad 0: not valid UTF-8\n"},
        {"#1,x", "bad 0: column 'a': '#1' is not a valid INT\n"},
    };
    struct test_table table;
    two_columns(&table);
    for (size_t i = 0; i < COUNT_OF(lines); i++) {
        const char *result = test_decode_text(&CSV_FORMAT, &table, lines[i].line);
        if (strcmp(result, lines[i].result) != 0)
            CHECK_FAIL("%s: %s", lines[i].line, result);
    }
}

TEST(options)
{
    static const struct {
        const char *key, *value, *line, *result;
    } cases[] = {
        {"field-delimiter", ";", "1;a,b", "1|a,b\n"},
        {"field-delimiter", "\\t", "1\ta,b", "1|a,b\n"},
        {"field-delimiter", "ab", "", "must be one ASCII character"},
        {"field-delimiter", "\"", "", "have to differ"},
        {"quote-character", "'", "1,'a,b'", "1|a,b\n"},
        {"disable-quote-character", "true", "1,\"a\"", "1|\"a\"\n"},
        {"escape-character", "\\", "1,a\\,\\\"\\n", "1|a,\"\n\n"},
        {"escape-character", "\\", "1,\"a\\\"b\"", "1|a\"b\n"},
        {"null-literal", "n/a", "n/a,n/a", "NULL|NULL\n"},
        {"null-literal", "", ",", "NULL|NULL\n"},
        {"allow-comments", "true", "#x", ""},
        {"ignore-parse-errors", "true", "x,y", "NULL|y\n"},
        {"ignore-parse-errors", "true", "7", "7|NULL\n"},
        {"ignore-parse-errors", "true", "7,a,b", "bad 0: the line has more than 2 fields"},
        {"ignore-parse-error", "true", "", "has no option 'ignore-parse-error'"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct test_table table;
        two_columns(&table);
        test_option(&table, cases[i].key, cases[i].value);
        const char *result = test_decode_text(&CSV_FORMAT, &table, cases[i].line);
        if (cases[i].result[0] ? !strstr(result, cases[i].result) : result[0] != 0)
            CHECK_FAIL("%s = %s: %s", cases[i].key, cases[i].value, result);
    }
}

/* Every prefix of a good line between two good lines. */
TEST(neighbours_survive)
{
    static const char line[] = "17,\"gr\303\274n \"\"x\"\", y\"";
    static struct test_records records;
    struct test_table table;
    struct error err = {0};
    two_columns(&table);
    struct decoder *decoder = test_decoder(&CSV_FORMAT, &table, &err);
    for (size_t length = 0; length < sizeof(line); length++) {
        test_records_init(&records);
        test_records_add(&records, "1,before", 8);
        test_records_add(&records, line, length);
        test_records_add_null(&records);
        test_records_add(&records, "2,after", 7);
        const char *result = test_decode(&CSV_FORMAT, decoder, &records);
        CHECK(strncmp(result, "1|before\n", 9) == 0 && strstr(result, "2|after\n"));
        CHECK((strstr(result, "bad 1: ") != NULL) ==
              (length < sizeof(line) - 1 && length != 3 && length != 11 && length != 14));
        test_records_fini(&records);
    }
    CSV_FORMAT.decoder_close(decoder);
}

TEST(written_as_flink_does)
{
    static const char *const lines[] = {
        "true,-128,0,1,2,1.5,1.0E10,12.5,1E+2,abc-,AAEC,2020-01-01,10:00:00,2020-01-01 10:00:00,"
        "1970-01-01 00:00:00.000000001,2020-01-01 10:00:00.5Z",
    };
    struct arena arena;
    struct test_table table;
    struct test_records records;
    struct error err = {0};
    struct bad_rows bad;
    struct batch *batch;
    const uint32_t *record_of_row;
    arena_init(&arena, NULL, 1 << 20);
    test_all_types(&table, &arena);
    test_records_init(&records);
    test_records_add(&records, lines[0], strlen(lines[0]));
    struct decoder *decoder = test_decoder(&CSV_FORMAT, &table, &err);
    CHECK_OK(CSV_FORMAT.decode(decoder, &records.records, &batch, &record_of_row, &bad, &err));
    CHECK_STR(bad.count ? bad.rows[0].text : "", "");
    CHECK_STR(
        test_encode(&CSV_FORMAT, &table, batch),
        "true,-128,0,1,2,1.5,1.0E10,12.5,1E+2,abc-,AAEC,2020-01-01,10:00:00,"
        "\"2020-01-01 10:00:00\",\"1970-01-01 00:00:00.000000001\",\"2020-01-01 10:00:00.5Z\"\n");
    test_option(&table, "write-bigdecimal-in-scientific-notation", "false");
    CHECK(strstr(test_encode(&CSV_FORMAT, &table, batch), ",12.50,100.0000000000,abc-,"));
    batch_unref(batch);
    test_records_fini(&records);
    CSV_FORMAT.decoder_close(decoder);
    arena_fini(&arena);
}

/* What is written is read back the same. */
TEST(texts_there_and_back)
{
    static const char *const texts[] = {
        "",      "a",    "a b", "a,b",    "\"",       "\"\"",
        "a\nb",  "\r\n", "#x",  "\\",     "\303\274", "a\"b",
        "\tx\t", " ",    "'",   "a\\\"b", ",",        "a text of more than twenty-four characters"};
    static const char *const escapes[] = {NULL, "\\"};
    for (size_t e = 0; e < COUNT_OF(escapes); e++) {
        struct test_table table;
        test_table_init(&table, "t");
        test_field(&table, "s", &TYPE_OF_STRING);
        test_field(&table, "t", &TYPE_OF_STRING);
        if (escapes[e])
            test_option(&table, "escape-character", escapes[e]);
        for (size_t i = 0; i < COUNT_OF(texts); i++) {
            struct error err = {0};
            struct vec *columns[2];
            struct batch *batch;
            for (int c = 0; c < 2; c++) {
                CHECK_OK(vec_new(&columns[c], &TYPE_OF_STRING, 1, NULL, &err));
                CHECK_OK(vec_set_text(columns[c], 0, texts[i], strlen(texts[i]), &err));
                columns[c]->length = 1;
            }
            CHECK_OK(batch_new(&batch, columns, 2, 1, &err));
            char line[256], want[256];
            snprintf(line, sizeof(line), "%s", test_encode(&CSV_FORMAT, &table, batch));
            snprintf(want, sizeof(want), "%s|%s\n", texts[i], texts[i]);
            batch_unref(batch);
            CHECK_STR(test_decode_text(&CSV_FORMAT, &table, line), want);
        }
    }
}

TEST(no_memory)
{
    struct test_table table;
    struct test_records records;
    static const char quoted[] = "1,\"a quoted \"\"text\"\" that has to be rewritten\"";
    bool finished = false;
    two_columns(&table);
    test_records_init(&records);
    for (int i = 0; i < 40; i++) {
        test_records_add(&records, quoted, strlen(quoted));
        test_records_add(&records, "x,y", 3);
    }
    uint64_t n = 1;
    for (; !finished && n < 1000; n++) {
        struct error err = {0};
        struct bad_rows bad;
        struct batch *batch = NULL;
        const uint32_t *record_of_row;
        enum status status = ERR_MEMORY;
        uint64_t before = mem_alloc_count();
        mem_fail_after(n);
        struct decoder *decoder = test_decoder(&CSV_FORMAT, &table, &err);
        if (decoder)
            status =
                CSV_FORMAT.decode(decoder, &records.records, &batch, &record_of_row, &bad, &err);
        finished = mem_alloc_count() - before < n;
        mem_fail_after(0);
        if (status == OK) {
            CHECK_INT(batch->selected_count, 40);
            CHECK_INT(bad.count, 40);
            batch_unref(batch);
        } else {
            CHECK_INT(status, ERR_MEMORY);
        }
        CSV_FORMAT.decoder_close(decoder);
    }
    CHECK(finished && n > 8);
    test_records_fini(&records);
}
