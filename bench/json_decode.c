/* json_decode.c - documents per CPU second of format/json: three columns (text, DECIMAL, text) of
 * the eight of an order, from records to a batch, 2,048 at a time; the sum is checked. Compare with
 * bench/simdjson_limit in the same run. */
#include "format/json/json.h"

#include <sched.h>
#include <stdlib.h>

#include "orders.h"

#define ORDERS 200000

static char *text;
static uint32_t starts[ORDERS + 1];
static struct buffer *whole; /* over the text */

static void keep(struct buffer *buffer, void *context)
{
}

static int64_t decode_all(struct decoder *decoder, struct bad_rows *bad)
{
    static const uint8_t *values[BATCH_ROWS_MAX];
    static uint32_t lengths[BATCH_ROWS_MAX];
    struct records records = {.values = values,
                              .value_lengths = lengths,
                              .topic = "orders",
                              .buffers = {whole},
                              .buffer_count = 1,
                              .run_count = 1};
    struct error err = {0};
    int64_t sum = 0;
    for (uint32_t first = 0; first < ORDERS; first += records.count) {
        records.count = ORDERS - first < BATCH_ROWS_MAX ? ORDERS - first : BATCH_ROWS_MAX;
        for (uint32_t i = 0; i < records.count; i++) {
            values[i] = (const uint8_t *)text + starts[first + i];
            lengths[i] = starts[first + i + 1] - starts[first + i] - 1;
        }
        records.run_ends[0] = records.count;
        struct batch *batch;
        const uint32_t *record_of_row;
        if (JSON_FORMAT.decode(decoder, &records, &batch, &record_of_row, bad, &err) != OK) {
            fprintf(stderr, "%s\n", err.text);
            exit(1);
        }
        const int64_t *amounts = batch->columns[1]->values;
        for (uint32_t i = 0; i < batch->row_count; i++)
            sum += amounts[i];
        batch_unref(batch);
    }
    return sum;
}

int main(int argc, char **argv)
{
    static const char *const names[8] = {
        "order_id",       "order_product_name", "order_card_type", "order_amount",
        "order_datetime", "order_country_name", "order_city_name", "order_ecommerce_website_name"};
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof(one), &one);
    text = malloc((size_t)ORDERS * ORDER_BYTES_MAX + BUFFER_PADDING);
    int64_t want = 0;
    size_t at = 0;
    for (uint32_t i = 0; i < ORDERS; i++) {
        struct order order = order_make(i);
        starts[i] = (uint32_t)at;
        at += order_json(&order, text + at);
        text[at++] = '\n';
        want += order.amount_cents;
    }
    starts[ORDERS] = (uint32_t)at;

    struct arena arena;
    arena_init(&arena, NULL, 1u << 20);
    struct table_field fields[8];
    for (int i = 0; i < 8; i++)
        fields[i] = (struct table_field){names[i], &TYPE_OF_STRING};
    fields[0].type = &TYPE_OF_BIGINT;
    fields[3].type = type_decimal(&arena, 10, 2, true);
    const uint32_t wanted[3] = {2, 3, 4};
    const struct table_description table = {.name = "orders", .field_count = 8, .fields = fields};
    const struct decoder_request request = {.table = &table, .wanted_count = 3, .wanted = wanted};
    struct decoder *decoder;
    struct error err = {0};
    static struct bad_rows bad;
    if (buffer_wrap(&whole, text, at, keep, NULL, &err) != OK)
        return 1;
    if (JSON_FORMAT.decoder_open(&request, &decoder, &err) != OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    double best = 1e9;
    for (int round = 0; round < 11; round++) {
        double start = cpu_seconds();
        int64_t sum = decode_all(decoder, &bad);
        double used = cpu_seconds() - start;
        if (sum != want || bad.count) {
            fprintf(stderr, "wrong sum\n");
            return 1;
        }
        if (round && used < best)
            best = used;
    }
    printf("format/json, 3 of 8 columns: %.2f million documents/s (%.0f bytes each, %.2f GB/s)\n",
           ORDERS / best / 1e6, (double)at / ORDERS, (double)at / best / 1e9);
    JSON_FORMAT.decoder_close(decoder);
    arena_fini(&arena);
    buffer_unref(whole);
    free(text);
    return 0;
}
