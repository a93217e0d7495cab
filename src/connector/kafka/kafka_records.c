/* kafka_records.c - the arrays a reader hands out, and the metadata columns made from them.
 *
 * Metadata keys and types are those of Flink's kafka connector. Columns that are the same for all
 * records of one hand-over (topic, partition, timestamp type, leader epoch) are constant vectors.
 */
#include "base/must.h"
#include "connector/kafka/kafka_int.h"
#include "data/utf8.h"

#define HEADERS_BYTES_MAX (64u << 20) /* of the headers of one hand-over */

static const struct type STRING_NOT_NULL = {.root = TYPE_VARCHAR, .length = TYPE_LENGTH_MAX};
static const struct type INT_NOT_NULL = {.root = TYPE_INT};
static const struct type BIGINT_NOT_NULL = {.root = TYPE_BIGINT};
static const struct type TIMESTAMP_NOT_NULL = {.root = TYPE_TIMESTAMP_LTZ, .precision = 3};
static const struct type BYTES_NULLABLE = {
    .root = TYPE_VARBINARY, .nullable = true, .length = TYPE_LENGTH_MAX};
static const struct type *const header_types[] = {&STRING_NOT_NULL, &BYTES_NULLABLE};
static const struct type HEADERS_NOT_NULL = {
    .root = TYPE_MAP, .child_count = 2, .children = header_types};

const struct table_metadata KAFKA_METADATA[KAFKA_METADATA_COUNT] = {
    {"topic", &STRING_NOT_NULL},         {"partition", &INT_NOT_NULL},
    {"headers", &HEADERS_NOT_NULL},      {"leader-epoch", &TYPE_OF_INT},
    {"offset", &BIGINT_NOT_NULL},        {"timestamp", &TIMESTAMP_NOT_NULL},
    {"timestamp-type", &STRING_NOT_NULL}};

/* ---- the arrays ---- */

enum status kafka_records_init(struct kafka_records *own, bool wants_headers, const char *topic,
                               int32_t partition, struct error *err)
{
    enum { N = BATCH_ROWS_MAX };
    struct records *records = &own->records;
    size_t size_bytes = N * (2 * sizeof(uint8_t *) + 2 * sizeof(uint32_t) + 2 * sizeof(int64_t));
    if (wants_headers)
        size_bytes += N * (sizeof(uint32_t) + sizeof(struct payload_header *));

    *own = (struct kafka_records){.wants_headers = wants_headers};
    char *memory = own->memory = mem_alloc(size_bytes);
    if (!memory)
        return error_memory(err, "a kafka reader", size_bytes);
    records->values = (const uint8_t **)memory;
    records->keys = records->values + N;
    records->offsets = (int64_t *)(records->keys + N);
    records->timestamps_us = records->offsets + N;
    void *next = records->timestamps_us + N;
    if (wants_headers) {
        own->headers_own = next;
        records->headers = (const struct payload_header *const *)own->headers_own;
        next = own->headers_own + N;
    }
    records->value_lengths = next;
    records->key_lengths = records->value_lengths + N;
    if (wants_headers)
        records->header_counts = own->header_counts_own = records->key_lengths + N;
    records->topic = topic;
    records->partition = partition;
    records->leader_epoch = -1;
    arena_init(&own->headers_arena, NULL, HEADERS_BYTES_MAX);
    return OK;
}

void kafka_records_clear(struct kafka_records *own)
{
    struct records *records = &own->records;
    for (uint32_t i = 0; i < records->buffer_count; i++)
        buffer_unref(records->buffers[i]);
    records->buffer_count = records->run_count = 0;
    records->count = 0;
    if (own->wants_headers)
        arena_reset(&own->headers_arena);
}

void kafka_records_fini(struct kafka_records *own)
{
    if (!own->memory)
        return;
    kafka_records_clear(own);
    arena_fini(&own->headers_arena);
    mem_free(own->memory);
    own->memory = NULL;
}

/* ---- metadata ---- */

static enum status constant_text(const char *text, uint32_t count, struct vec **out,
                                 struct error *err)
{
    struct vec *one = NULL;
    TRY(vec_new(&one, &STRING_NOT_NULL, 1, NULL, err));
    enum status status = vec_set_text(one, 0, text, strlen(text), err);
    one->length = 1;
    if (status == OK)
        status = vec_new_constant(out, one, 0, count, err);
    vec_unref(one);
    return status;
}

static enum status constant_int(const struct type *type, int32_t value, uint32_t count,
                                struct vec **out, struct error *err)
{
    struct vec *one = NULL;
    TRY(vec_new(&one, type, 1, NULL, err));
    *(int32_t *)one->values = value;
    one->length = 1;
    enum status status = vec_new_constant(out, one, 0, count, err);
    vec_unref(one);
    return status;
}

static enum status copy_numbers(const struct type *type, const int64_t *values, uint32_t count,
                                struct mem_owner *owner, struct vec **out, struct error *err)
{
    TRY(vec_new(out, type, count, owner, err));
    memcpy((*out)->values, values, count * sizeof(*values));
    (*out)->length = count;
    return OK;
}

/* A header's key is text; bytes of no valid UTF-8 become '?'. */
static enum status set_key(struct vec *keys, uint32_t row, struct str key, struct error *err)
{
    if (utf8_valid(key.data, key.length))
        return vec_set_text(keys, row, key.data, key.length, err);
    char *copy = mem_alloc(key.length);
    if (!copy)
        return error_memory(err, "a record header", key.length);
    for (size_t i = 0; i < key.length; i++)
        copy[i] = (unsigned char)key.data[i] < 0x80 ? key.data[i] : '?';
    enum status status = vec_set_text(keys, row, copy, key.length, err);
    mem_free(copy);
    return status;
}

static enum status append_header(struct vec *keys, struct vec *values,
                                 const struct payload_header *header, struct error *err)
{
    uint32_t row = keys->length;
    TRY(vec_reserve(keys, row + 1, err));
    TRY(vec_reserve(values, row + 1, err));
    TRY(set_key(keys, row, header->key, err));
    keys->length++;
    if (header->value_length == RECORD_NULL)
        return vec_append_null(values, 1, err);
    TRY(vec_set_text(values, row, (const char *)header->value, header->value_length, err));
    values->length++;
    return OK;
}

static enum status fill_headers(const struct records *records, struct mem_owner *owner,
                                struct vec **out, struct error *err)
{
    struct vec *maps = NULL;

    TRY(vec_new(&maps, &HEADERS_NOT_NULL, records->count, owner, err));
    struct vec *keys = maps->children[0], *values = maps->children[1];
    struct list_entry *entries = maps->values;
    enum status status = OK;
    for (uint32_t i = 0; i < records->count && status == OK; i++) {
        uint32_t count = records->header_counts ? records->header_counts[i] : 0;
        entries[i] = (struct list_entry){keys->length, count};
        for (uint32_t k = 0; k < count && status == OK; k++)
            status = append_header(keys, values, &records->headers[i][k], err);
    }
    maps->length = records->count;
    if (status == OK)
        *out = maps;
    else
        vec_unref(maps);
    return status;
}

enum status kafka_fill_metadata(const struct records *records, const char *key,
                                struct mem_owner *owner, struct vec **out, struct error *err)
{
    static const char *const timestamp_types[] = {"NoTimestampType", "CreateTime", "LogAppendTime"};
    uint32_t count = records->count;

    if (strcmp(key, "topic") == 0)
        return constant_text(records->topic, count, out, err);
    if (strcmp(key, "partition") == 0)
        return constant_int(&INT_NOT_NULL, records->partition, count, out, err);
    if (strcmp(key, "offset") == 0)
        return copy_numbers(&BIGINT_NOT_NULL, records->offsets, count, owner, out, err);
    if (strcmp(key, "timestamp") == 0)
        return copy_numbers(&TIMESTAMP_NOT_NULL, records->timestamps_us, count, owner, out, err);
    if (strcmp(key, "timestamp-type") == 0)
        return constant_text(timestamp_types[records->timestamp_type % 3], count, out, err);
    if (strcmp(key, "leader-epoch") == 0)
        return records->leader_epoch < 0
                   ? vec_new_null(out, &TYPE_OF_INT, count, err)
                   : constant_int(&TYPE_OF_INT, records->leader_epoch, count, out, err);
    if (strcmp(key, "headers") == 0)
        return fill_headers(records, owner, out, err);
    return error_set(err, ERR_NAME, "connector 'kafka' has no metadata '%s'", key);
}
