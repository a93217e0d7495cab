/* format_help.h - decoding and encoding of texts in tests of formats. */
#ifndef LEAT_TEST_UNIT_FORMAT_FORMAT_HELP_H
#define LEAT_TEST_UNIT_FORMAT_FORMAT_HELP_H

#include "../connector/connector_help.h"

struct test_records {
    struct records records;
    const uint8_t *values[BATCH_ROWS_MAX];
    uint32_t lengths[BATCH_ROWS_MAX];
    char *copies[BATCH_ROWS_MAX];
};
static inline void test_records_init(struct test_records *records)
{
    memset(records, 0, sizeof(*records));
    records->records.values = records->values;
    records->records.value_lengths = records->lengths;
}
/* Copies the bytes into a block of their own that ends with the padding. */
static inline void test_records_add(struct test_records *records, const void *data, size_t length)
{
    uint32_t i = records->records.count++;
    records->copies[i] = malloc(length + BUFFER_PADDING);
    memcpy(records->copies[i], data, length);
    memset(records->copies[i] + length, '"', BUFFER_PADDING);
    records->values[i] = (uint8_t *)records->copies[i];
    records->lengths[i] = (uint32_t)length;
}
static inline void test_records_add_null(struct test_records *records)
{
    records->lengths[records->records.count++] = RECORD_NULL;
}
/* The same records in one text, as a run. The caller unrefs the buffer. */
static inline struct buffer *
test_records_run(struct test_records *out, const struct test_records *records, const char *between)
{
    struct error err = {0};
    struct buffer *buffer;
    size_t total = 0, at = 0, gap = strlen(between);
    test_records_init(out);
    out->records.count = records->records.count;
    for (uint32_t i = 0; i < records->records.count; i++)
        total += gap + (records->values[i] ? records->lengths[i] : 0);
    must(buffer_new(&buffer, total, NULL, &err) == OK);
    for (uint32_t i = 0; i < records->records.count; i++) {
        out->lengths[i] = records->lengths[i];
        if (!records->values[i])
            continue;
        out->values[i] = buffer->data + at;
        memcpy(buffer->data + at, records->values[i], records->lengths[i]);
        memcpy(buffer->data + at + records->lengths[i], between, gap);
        at += records->lengths[i] + gap;
    }
    out->records.buffers[out->records.buffer_count++] = buffer;
    out->records.run_ends[out->records.run_count++] = out->records.count;
    return buffer;
}
static inline void test_records_fini(struct test_records *records)
{
    for (uint32_t i = 0; i < records->records.count; i++)
        free(records->copies[i]);
}

static inline struct decoder *test_decoder(const struct format_class *format,
                                           const struct test_table *table, struct error *err)
{
    struct decoder *decoder = NULL;
    struct decoder_request request = {
        .table = &table->description,
        .wanted = table->wanted,
        .wanted_count = table->description.field_count,
        .options = table->options,
        .option_count = table->description.option_count,
    };
    return format->decoder_open(&request, &decoder, err) == OK ? decoder : NULL;
}

/* Text of the rows, then "bad N: TEXT" lines; "error TEXT". The caller owns nothing: it lives until
 * the next call. */
static inline const char *test_decode(const struct format_class *format, struct decoder *decoder,
                                      const struct test_records *records)
{
    static struct buf text;
    static struct bad_rows bad;
    struct error err = {0};
    struct batch *batch;
    const uint32_t *record_of_row;
    buf_fini(&text);
    buf_init(&text, 256 << 20);
    memset(&bad, 0x55, sizeof(bad));
    if (format->decode(decoder, &records->records, &batch, &record_of_row, &bad, &err) != OK) {
        buf_printf(&text, "error %s", err.text);
        return buf_text(&text);
    }
    batch_verify(batch);
    test_rows_text(&text, batch);
    batch_unref(batch);
    for (uint32_t i = 0; i < bad.kept; i++) {
        must(bad.records[bad.rows[i].record >> 6] >> (bad.rows[i].record & 63) & 1);
        buf_printf(&text, "bad %u: %s\n", bad.rows[i].record, bad.rows[i].text);
    }
    return buf_text(&text);
}

/* The same of one text. */
static inline const char *test_decode_text(const struct format_class *format,
                                           const struct test_table *table, const char *text)
{
    static char failure[ERROR_TEXT_MAX];
    struct error err = {0};
    struct test_records records;
    struct decoder *decoder = test_decoder(format, table, &err);
    if (!decoder) {
        snprintf(failure, sizeof(failure), "%s", err.text);
        return failure;
    }
    test_records_init(&records);
    test_records_add(&records, text, strlen(text));
    const char *result = test_decode(format, decoder, &records);
    test_records_fini(&records);
    format->decoder_close(decoder);
    return result;
}

/* The encoded rows, each followed by a newline. */
static inline const char *test_encode(const struct format_class *format,
                                      const struct test_table *table, const struct batch *batch)
{
    static struct buf text, rows;
    static uint32_t offsets[BATCH_ROWS_MAX + 1];
    struct error err = {0};
    struct encoder *encoder;
    struct encoder_request request = {
        .table = &table->description,
        .options = table->options,
        .option_count = table->description.option_count,
    };
    buf_fini(&text);
    buf_init(&text, 256 << 20);
    buf_init(&rows, 256 << 20);
    if (format->encoder_open(&request, &encoder, &err) != OK) {
        buf_append_text(&text, err.text);
        return buf_text(&text);
    }
    must(format->encode(encoder, batch, &rows, offsets, &err) == OK);
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        if (offsets[i + 1] > offsets[i])
            buf_append(&text, rows.data + offsets[i], offsets[i + 1] - offsets[i]);
        buf_append_byte(&text, '\n');
    }
    format->encoder_close(encoder);
    buf_fini(&rows);
    return buf_text(&text);
}

/* Columns of every type that formats know. */
static inline void test_all_types(struct test_table *table, struct arena *arena)
{
    test_table_init(table, "t");
    test_field(table, "b", &TYPE_OF_BOOLEAN);
    test_field(table, "i8", &TYPE_OF_TINYINT);
    test_field(table, "i16", &TYPE_OF_SMALLINT);
    test_field(table, "i32", &TYPE_OF_INT);
    test_field(table, "i64", &TYPE_OF_BIGINT);
    test_field(table, "f", &TYPE_OF_FLOAT);
    test_field(table, "d", &TYPE_OF_DOUBLE);
    test_field(table, "dec", type_decimal(arena, 10, 2, true));
    test_field(table, "big", type_decimal(arena, 38, 10, true));
    test_field(table, "s", &TYPE_OF_STRING);
    test_field(table, "x", &TYPE_OF_BYTES);
    test_field(table, "day", &TYPE_OF_DATE);
    test_field(table, "time", type_temporal(arena, TYPE_TIME, 3, true));
    test_field(table, "ts3", &TYPE_OF_TIMESTAMP_3);
    test_field(table, "ts9", type_temporal(arena, TYPE_TIMESTAMP, 9, true));
    test_field(table, "ltz", &TYPE_OF_TIMESTAMP_LTZ_3);
}

#endif
