/* JSON documents (separated by newlines) to columns: rows or bad rows, valid columns, never a
 * crash; and good neighbours survive. */
#include "format/json/json.h"

#include <stdlib.h>
#include <string.h>

#define BEFORE "{\"i\":1}"

static const struct table_field FIELDS[] = {
    {"b", &TYPE_OF_BOOLEAN}, {"i", &TYPE_OF_INT},         {"l", &TYPE_OF_BIGINT},
    {"d", &TYPE_OF_DOUBLE},  {"s", &TYPE_OF_STRING},      {"x", &TYPE_OF_BYTES},
    {"day", &TYPE_OF_DATE},  {"t", &TYPE_OF_TIMESTAMP_3}, {"z", &TYPE_OF_TIMESTAMP_LTZ_3},
};
static const uint32_t WANTED[] = {0, 1, 2, 3, 4, 5, 6, 7, 8};
#define FIELD_COUNT (sizeof(WANTED) / sizeof(*WANTED))

static void decode(const struct option_given *options, size_t option_count, struct records *records)
{
    struct table_description table = {.name = "t", .fields = FIELDS, .field_count = FIELD_COUNT};
    struct decoder_request request = {.table = &table,
                                      .wanted = WANTED,
                                      .wanted_count = FIELD_COUNT,
                                      .options = options,
                                      .option_count = option_count};
    struct error err = {0};
    struct decoder *decoder;
    struct bad_rows bad;
    struct batch *batch;
    const uint32_t *record_of_row;
    if (JSON_FORMAT.decoder_open(&request, &decoder, &err) != OK)
        abort();
    if (JSON_FORMAT.decode(decoder, records, &batch, &record_of_row, &bad, &err) != OK)
        abort();
    batch_verify(batch);
    if (batch->selected_count + bad.count != records->count)
        abort();
    if (batch_row(batch, 0) != 0 ||
        batch_row(batch, batch->selected_count - 1) != records->count - 1)
        abort(); /* the good ones at both ends */
    batch_unref(batch);
    JSON_FORMAT.decoder_close(decoder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const uint8_t *values[BATCH_ROWS_MAX];
    static uint32_t lengths[BATCH_ROWS_MAX];
    struct records records = {.values = values, .value_lengths = lengths};
    struct option_given ignore = {STR("ignore-parse-errors"), STR("true"), {0}};
    char *copy = malloc(size_bytes + BUFFER_PADDING);
    if (!copy)
        return 0;
    memcpy(copy, data, size_bytes);
    memset(copy + size_bytes, 0, BUFFER_PADDING);
    values[records.count] = (const uint8_t *)BEFORE;
    lengths[records.count++] = sizeof(BEFORE) - 1;
    for (size_t from = 0; from < size_bytes && records.count < BATCH_ROWS_MAX - 1;) {
        const char *newline = memchr(copy + from, '\n', size_bytes - from);
        size_t end = newline ? (size_t)(newline - copy) : size_bytes;
        values[records.count] = (uint8_t *)copy + from;
        lengths[records.count++] = (uint32_t)(end - from);
        from = end + 1;
    }
    values[records.count] = (const uint8_t *)BEFORE;
    lengths[records.count++] = sizeof(BEFORE) - 1;
    decode(NULL, 0, &records);
    decode(&ignore, 1, &records);
    free(copy);
    return 0;
}
