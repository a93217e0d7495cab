/* ingest_body - any bytes as bodies POSTed to a table: cut, decoded strictly, judged, built into
 * record batches. What comes out must be whole batches with as many rows as were accepted, each of
 * which a reader of the table takes, and what is refused must have left no trace.
 *
 * The first byte of each body: bit 0 lines, bit 1 atomic; bodies end at a byte 0.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "connector/http-ingest/http_ingest_int.h"
#include "format/json/json.h"

#define BODIES_MAX 16

static const struct type VARCHAR_5 = {.root = TYPE_VARCHAR, .nullable = true, .length = 5};
static const struct type DECIMAL_4_2 = {
    .root = TYPE_DECIMAL, .nullable = true, .precision = 4, .scale = 2};
static const struct type INT_NOT_NULL = {.root = TYPE_INT};
static const struct table_field FIELDS[] = {
    {"a", &INT_NOT_NULL}, {"s", &VARCHAR_5}, {"d", &DECIMAL_4_2}, {"t", &TYPE_OF_TIMESTAMP_3}};
static const struct table_description TABLE = {.name = "t", .field_count = 4, .fields = FIELDS};

/* a is there and even */
static enum status run_checker(struct row_checker *checker, const struct batch *batch,
                               void (*each)(void *context, const struct row_fault *fault),
                               void *context, struct error *err)
{
    const struct vec *vec = batch->columns[0];
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        struct row_fault fault = {
            .row = batch_row(batch, i), .constraint = "INT NOT NULL", .message = "no"};
        if (!vec_is_valid(vec, fault.row) || ((const int32_t *)vec->values)[fault.row] % 2)
            each(context, &fault);
    }
    return OK;
}

static struct row_checker checker = {.run = run_checker};

/* All records of the batches through a reader's decoder. */
static uint32_t read_back(const struct buf *batches)
{
    static const uint32_t wanted[] = {0, 1, 2, 3};
    static struct bad_rows bad;
    const struct decoder_request request = {.table = &TABLE, .wanted = wanted, .wanted_count = 4};
    struct decoder *decoder;
    struct record_batch header;
    uint32_t count = 0;
    must(JSON_FORMAT.decoder_open(&request, &decoder, NULL) == OK);
    for (size_t at = 0; at < batches->length; at += header.size_bytes) {
        struct record_cursor cursor;
        struct record record;
        uint32_t got;
        must(record_batch_parse(&header, batches->data + at, batches->length - at, NULL) == OK);
        must(record_batch_check(&header, NULL) == OK);
        must(record_cursor_open(&cursor, &header, NULL, 1 << 30, NULL) == OK);
        for (;;) {
            must(record_cursor_read(&cursor, &record, 1, &got, NULL) == OK);
            if (!got)
                break;
            uint8_t *copy = mem_alloc((size_t)record.value_bytes + BUFFER_PADDING);
            const uint8_t *value = copy;
            uint32_t length = (uint32_t)record.value_bytes;
            const uint32_t *record_of_row;
            struct batch *batch;
            memcpy(copy, record.value, length);
            const struct records one = {.count = 1, .values = &value, .value_lengths = &length};
            must(JSON_FORMAT.decode(decoder, &one, &batch, &record_of_row, &bad, NULL) == OK);
            must(bad.count == 0 && vec_is_valid(batch->columns[0], 0));
            batch_unref(batch);
            mem_free(copy);
            count++;
        }
    }
    JSON_FORMAT.decoder_close(decoder);
    return count;
}

static void check_post(const struct ingest_post *post)
{
    struct endpoint_request *request = post->request;
    if (post->refused) {
        must(request->http_status == 400 && post->accepted == 0);
        return;
    }
    must(!(post->atomic && post->rejected && post->accepted));
    must(post->atomic && post->rejected ? post->accepted == 0
                                        : post->accepted + post->rejected == post->row_count);
    must(post->listed == (post->rejected < INGEST_ERRORS_MAX ? post->rejected : INGEST_ERRORS_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ingest_intake *intake = mem_calloc(1, sizeof(*intake));
    struct endpoint_request requests[BODIES_MAX] = {0};
    struct ingest_post posts[BODIES_MAX] = {0};
    const struct endpoint_settings settings = {
        .table = &TABLE, .format = &JSON_FORMAT, .checker = &checker};
    struct error err = {0};
    uint32_t count = 0, accepted = 0;
    must(ingest_intake_open(intake, &settings, 1 << 20, &err) == OK);
    ingest_intake_begin(intake, 1700000000000, 2000, &err);
    while (size > 0 && count < BODIES_MAX) {
        const uint8_t *end = memchr(data + 1, 0, size - 1);
        size_t length = end ? (size_t)(end - data) - 1 : size - 1;
        struct ingest_post *post = &posts[count];
        uint8_t *body = mem_alloc(length + BUFFER_PADDING);
        memcpy(body, data + 1, length);
        memset(body + length, '"', BUFFER_PADDING);
        requests[count] = (struct endpoint_request){.body = body, .body_bytes = length};
        post->request = &requests[count++];
        post->lines = data[0] & 1;
        post->atomic = data[0] >> 1 & 1;
        must(ingest_intake_body(intake, post, &err) == OK);
        data += length + 1;
        size -= length + 1;
        if (size) { /* the zero */
            data++;
            size--;
        }
    }
    must(ingest_intake_end(intake, &err) == OK);
    for (uint32_t i = 0; i < count; i++) {
        check_post(&posts[i]);
        accepted += posts[i].accepted;
        if (!posts[i].refused)
            ingest_answer(&posts[i]);
        if (posts[i].listed)
            buf_fini(&posts[i].errors);
        buf_fini(&requests[i].answer);
        mem_free((void *)requests[i].body);
    }
    must(read_back(&intake->batches) == accepted);
    ingest_intake_close(intake);
    mem_free(intake);
    return 0;
}
