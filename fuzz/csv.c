/* A CSV line in several dialects to columns, written and read again: the same rows, never a crash.
 */
#include "format/csv/csv.h"

#include <stdlib.h>
#include <string.h>

static const struct table_field FIELDS[] = {
    {"s", &TYPE_OF_STRING},
    {"i", &TYPE_OF_INT},
    {"t", &TYPE_OF_STRING},
    {"z", &TYPE_OF_TIMESTAMP_6},
};
static const uint32_t WANTED[] = {0, 1, 2, 3};
static const struct table_description TABLE = {.name = "t", .fields = FIELDS, .field_count = 4};

static struct batch *decode(const struct option_given *options, size_t count, const void *data,
                            size_t length)
{
    struct decoder_request request = {.table = &TABLE,
                                      .wanted = WANTED,
                                      .wanted_count = 4,
                                      .options = options,
                                      .option_count = count};
    const uint8_t *values[1] = {data};
    uint32_t lengths[1] = {(uint32_t)length};
    struct records records = {.count = 1, .values = values, .value_lengths = lengths};
    struct error err = {0};
    struct decoder *decoder;
    struct bad_rows bad;
    struct batch *batch;
    const uint32_t *record_of_row;
    if (CSV_FORMAT.decoder_open(&request, &decoder, &err) != OK ||
        CSV_FORMAT.decode(decoder, &records, &batch, &record_of_row, &bad, &err) != OK)
        abort();
    batch_verify(batch);
    CSV_FORMAT.decoder_close(decoder);
    return batch;
}

static void there_and_back(const struct option_given *options, size_t count, const uint8_t *data,
                           size_t length)
{
    struct encoder_request request = {.table = &TABLE, .options = options, .option_count = count};
    struct error err = {0};
    struct encoder *encoder;
    struct buf line;
    uint32_t offsets[2];
    struct batch *batch = decode(options, count, data, length), *again;
    buf_init(&line, 64 << 20);
    if (batch->selected_count == 1) {
        if (CSV_FORMAT.encoder_open(&request, &encoder, &err) != OK ||
            CSV_FORMAT.encode(encoder, batch, &line, offsets, &err) != OK)
            abort();
        again = decode(options, count, line.data, line.length);
        if (again->selected_count != 1)
            abort();
        for (uint32_t i = 0; i < 4; i++) {
            struct datum one, other;
            datum_get(&one, batch->columns[i], 0);
            datum_get(&other, again->columns[i], 0);
            if (!datum_equals(&one, &other))
                abort();
        }
        batch_unref(again);
        CSV_FORMAT.encoder_close(encoder);
    }
    batch_unref(batch);
    buf_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const struct option_given escape[] = {{STR("escape-character"), STR("\\"), {0}},
                                                 {STR("null-literal"), STR("n/a"), {0}}};
    static const struct option_given ignore[] = {{STR("ignore-parse-errors"), STR("true"), {0}},
                                                 {STR("field-delimiter"), STR(";"), {0}},
                                                 {STR("null-literal"), STR("n/a"), {0}}};
    there_and_back(NULL, 0, data, size_bytes);
    there_and_back(escape, 2, data, size_bytes);
    there_and_back(ignore, 3, data, size_bytes);
    return 0;
}
