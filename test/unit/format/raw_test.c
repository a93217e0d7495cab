/* raw: one column, texts and numbers in both byte orders, wrong sizes. */
#include "format/raw/raw.h"
#include "../check.h"
#include "format_help.h"

static const char *read_and_write(const struct type *type, const char *order, const void *bytes,
                                  size_t length)
{
    static char text[1024];
    struct test_table table;
    struct test_records records;
    struct error err = {0};
    struct bad_rows bad;
    struct batch *batch;
    const uint32_t *record_of_row;
    test_table_init(&table, "t");
    test_field(&table, "v", type);
    if (order)
        test_option(&table, "endianness", order);
    test_records_init(&records);
    test_records_add(&records, bytes, length);
    test_records_add_null(&records);
    struct decoder *decoder = test_decoder(&RAW_FORMAT, &table, &err);
    must(decoder);
    must(RAW_FORMAT.decode(decoder, &records.records, &batch, &record_of_row, &bad, &err) == OK);
    batch_verify(batch);
    struct buf rows;
    buf_init(&rows, 4096);
    test_rows_text(&rows, batch);
    snprintf(text, sizeof(text), "%s%s", buf_text(&rows), bad.count ? bad.rows[0].text : "");
    const char *written = test_encode(&RAW_FORMAT, &table, batch);
    if (!bad.count)
        must(memcmp(written, bytes, length) == 0 && strcmp(written + length, "\n\n") == 0);
    buf_fini(&rows);
    batch_unref(batch);
    RAW_FORMAT.decoder_close(decoder);
    test_records_fini(&records);
    return text;
}

TEST(values)
{
    CHECK_STR(read_and_write(&TYPE_OF_STRING, NULL, "gr\303\274n", 5), "gr\303\274n\nNULL\n");
    CHECK_STR(read_and_write(&TYPE_OF_STRING, NULL, "", 0), "\nNULL\n");
    CHECK_STR(read_and_write(&TYPE_OF_BYTES, NULL, "\0\xff", 2), "x'00ff'\nNULL\n");
    CHECK_STR(read_and_write(&TYPE_OF_BOOLEAN, NULL, "\1", 1), "TRUE\nNULL\n");
    CHECK_STR(read_and_write(&TYPE_OF_TINYINT, NULL, "\xff", 1), "-1\nNULL\n");
    CHECK_STR(read_and_write(&TYPE_OF_SMALLINT, NULL, "\1\2", 2), "258\nNULL\n");
    CHECK_STR(read_and_write(&TYPE_OF_SMALLINT, "little-endian", "\1\2", 2), "513\nNULL\n");
    CHECK_STR(read_and_write(&TYPE_OF_INT, NULL, "\1\2\3\4", 4), "16909060\nNULL\n");
    CHECK_STR(read_and_write(&TYPE_OF_BIGINT, NULL, "\xff\xff\xff\xff\xff\xff\xff\xfe", 8),
              "-2\nNULL\n");
    CHECK_STR(read_and_write(&TYPE_OF_FLOAT, NULL, "\x3f\xc0\0\0", 4), "1.5\nNULL\n");
    CHECK_STR(read_and_write(&TYPE_OF_DOUBLE, "little-endian", "\0\0\0\0\0\0\xf8\x3f", 8),
              "1.5\nNULL\n");
    CHECK_STR(read_and_write(&TYPE_OF_INT, NULL, "\1\2\3", 3),
              "NULL\na value of 3 bytes, where the type has 4");
    CHECK_STR(read_and_write(&TYPE_OF_STRING, NULL, "\xff", 1), "NULL\nnot valid UTF-8");
}

TEST(wrong_tables)
{
    struct test_table table;
    test_table_init(&table, "t");
    test_field(&table, "a", &TYPE_OF_INT);
    test_field(&table, "b", &TYPE_OF_INT);
    CHECK(strstr(test_decode_text(&RAW_FORMAT, &table, ""), "one physical column, this has 2"));
    test_table_init(&table, "t");
    test_field(&table, "a", &TYPE_OF_DATE);
    CHECK(strstr(test_decode_text(&RAW_FORMAT, &table, ""), "no form for column 'a' of type DATE"));
    test_table_init(&table, "t");
    test_field(&table, "a", &TYPE_OF_STRING);
    test_option(&table, "charset", "ISO-8859-1");
    CHECK(strstr(test_decode_text(&RAW_FORMAT, &table, ""), "charset 'ISO-8859-1' is not built"));
}
