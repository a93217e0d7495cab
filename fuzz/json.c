/* JSON documents (separated by newlines) to columns: rows or bad rows, valid columns, never a
 * crash; good neighbours survive; and a document gives the same whatever stands before it. */
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

struct result {
    struct batch *batch;
    struct bad_rows bad;
};

static struct decoder *open_decoder(const struct option_given *options, size_t option_count)
{
    struct table_description table = {.name = "t", .fields = FIELDS, .field_count = FIELD_COUNT};
    struct decoder_request request = {.table = &table,
                                      .wanted = WANTED,
                                      .wanted_count = FIELD_COUNT,
                                      .options = options,
                                      .option_count = option_count};
    struct error err = {0};
    struct decoder *decoder;
    if (JSON_FORMAT.decoder_open(&request, &decoder, &err) != OK)
        abort();
    return decoder;
}

static void decode(struct decoder *decoder, const struct records *records, struct result *result)
{
    struct error err = {0};
    const uint32_t *record_of_row;
    if (JSON_FORMAT.decode(decoder, records, &result->batch, &record_of_row, &result->bad, &err) !=
        OK)
        abort();
    batch_verify(result->batch);
    if (result->batch->selected_count + result->bad.count != records->count)
        abort();
}

static bool same_value(const struct vec *a, uint32_t row, const struct vec *b, uint32_t other)
{
    if (vec_is_valid(a, row) != vec_is_valid(b, other))
        return false;
    if (!vec_is_valid(a, row))
        return true;
    enum physical physical = type_physical(a->type);
    size_t size = physical_size_bytes(physical);
    if (physical == PHYS_VIEW)
        return view_equals((struct view *)a->values + row, (struct view *)b->values + other);
    return memcmp((char *)a->values + row * size, (char *)b->values + other * size, size) == 0;
}

/* Row `row` of a's batch is row `other` of b's, or both are bad. */
static void compare(const struct result *a, uint32_t row, const struct result *b, uint32_t other)
{
    if (bad_rows_has(&a->bad, row) != bad_rows_has(&b->bad, other))
        abort();
    for (uint32_t c = 0; c < FIELD_COUNT && !bad_rows_has(&a->bad, row); c++)
        if (!same_value(a->batch->columns[c], row, b->batch->columns[c], other))
            abort();
}

/* The records as copies, as one text, and each alone: the same rows. */
static void decode_ways(const struct option_given *options, size_t option_count,
                        struct records *records)
{
    static struct result copied, run, single;
    struct decoder *decoder = open_decoder(options, option_count);
    decode(decoder, records, &copied);
    if (batch_row(copied.batch, 0) != 0 ||
        batch_row(copied.batch, copied.batch->selected_count - 1) != records->count - 1)
        abort(); /* the good ones at both ends */
    records->run_count = 1;
    records->run_ends[0] = records->count;
    decode(decoder, records, &run);
    records->run_count = 0;
    JSON_FORMAT.decoder_close(decoder);
    for (uint32_t i = 0; i < records->count; i++) {
        struct records one = {
            .values = records->values + i, .value_lengths = records->value_lengths + i, .count = 1};
        compare(&copied, i, &run, i);
        if (i > 3)
            continue;
        decoder = open_decoder(options, option_count);
        decode(decoder, &one, &single);
        JSON_FORMAT.decoder_close(decoder);
        compare(&copied, i, &single, 0);
        batch_unref(single.batch);
    }
    batch_unref(copied.batch);
    batch_unref(run.batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size_bytes)
{
    static const uint8_t *values[BATCH_ROWS_MAX];
    static uint32_t lengths[BATCH_ROWS_MAX];
    struct records records = {.values = values, .value_lengths = lengths};
    struct option_given ignore = {STR("ignore-parse-errors"), STR("true"), {0}};
    size_t before = sizeof(BEFORE) - 1, total = 2 * (before + 1) + size_bytes;
    char *copy = malloc(total + BUFFER_PADDING);
    if (!copy)
        return 0;
    memcpy(copy, BEFORE "\n", before + 1);
    memcpy(copy + before + 1, data, size_bytes);
    memcpy(copy + before + 1 + size_bytes, "\n" BEFORE, before + 1);
    memset(copy + total, 0, BUFFER_PADDING);
    for (size_t from = 0; from <= total && records.count < BATCH_ROWS_MAX - 1;) {
        const char *newline = memchr(copy + from, '\n', total - from);
        size_t end = newline ? (size_t)(newline - copy) : total;
        values[records.count] = (uint8_t *)copy + from;
        lengths[records.count++] = (uint32_t)(end - from);
        from = end + 1;
    }
    if (values[records.count - 1] + before != (uint8_t *)copy + total) {
        values[records.count] = (uint8_t *)copy + total - before;
        lengths[records.count++] = (uint32_t)before;
    }
    decode_ways(NULL, 0, &records);
    decode_ways(&ignore, 1, &records);
    free(copy);
    return 0;
}
