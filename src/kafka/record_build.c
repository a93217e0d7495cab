/* record_build.c - writing record batches. */
#include "kafka/record.h"

#include "base/crc32c.h"
#include "kafka/bytes.h"

void record_builder_begin(struct record_builder *builder, struct buf *out, struct buf *scratch,
                          enum compression compression)
{
    *builder = (struct record_builder){
        .out = out,
        .plain = compression == COMPRESSION_NONE ? out : scratch,
        .start = out->length,
        .compression = compression,
        .attributes = (int16_t)compression,
        .max_timestamp_ms = -1,
        .producer_id = -1,
        .producer_epoch = -1,
        .base_sequence = -1,
    };
    uint8_t *header = buf_room(out, RECORD_BATCH_HEADER_BYTES);
    if (header) {
        memset(header, 0, RECORD_BATCH_HEADER_BYTES);
        out->length += RECORD_BATCH_HEADER_BYTES;
    }
    if (builder->plain != out)
        buf_clear(builder->plain);
    builder->records_start = builder->plain->length;
}

static size_t bytes_size(int32_t size_bytes)
{
    return varint_size(size_bytes) + (size_bytes < 0 ? 0 : (size_t)size_bytes);
}

static uint8_t *bytes_put(uint8_t *dest, const void *bytes, int32_t size_bytes)
{
    dest += varint_put(dest, size_bytes);
    if (size_bytes > 0) {
        memcpy(dest, bytes, (size_t)size_bytes);
        dest += size_bytes;
    }
    return dest;
}

void record_builder_add(struct record_builder *builder, int64_t timestamp_ms, const void *key,
                        int32_t key_bytes, const void *value, int32_t value_bytes,
                        const struct record_header *headers, int32_t header_count)
{
    if (builder->record_count == 0)
        builder->base_timestamp_ms = timestamp_ms;
    if (timestamp_ms > builder->max_timestamp_ms)
        builder->max_timestamp_ms = timestamp_ms;
    int64_t timestamp_delta = timestamp_ms - builder->base_timestamp_ms;
    size_t body_bytes = 1 + varint_size(timestamp_delta) + varint_size(builder->record_count) +
                        bytes_size(key_bytes) + bytes_size(value_bytes) + varint_size(header_count);
    for (int32_t i = 0; i < header_count; i++)
        body_bytes += bytes_size(headers[i].key_bytes) + bytes_size(headers[i].value_bytes);

    size_t total_bytes = varint_size((int64_t)body_bytes) + body_bytes;
    uint8_t *dest = buf_room(builder->plain, total_bytes);
    if (!dest)
        return;
    dest += varint_put(dest, (int64_t)body_bytes);
    *dest++ = 0; /* attributes, unused */
    dest += varint_put(dest, timestamp_delta);
    dest += varint_put(dest, builder->record_count);
    dest = bytes_put(dest, key, key_bytes);
    dest = bytes_put(dest, value, value_bytes);
    dest += varint_put(dest, header_count);
    for (int32_t i = 0; i < header_count; i++) {
        dest = bytes_put(dest, headers[i].key, headers[i].key_bytes);
        dest = bytes_put(dest, headers[i].value, headers[i].value_bytes);
    }
    builder->plain->length += total_bytes;
    builder->record_count++;
}

size_t record_builder_size(const struct record_builder *builder)
{
    return RECORD_BATCH_HEADER_BYTES + builder->plain->length - builder->records_start;
}

enum status record_builder_finish(struct record_builder *builder, struct error *err)
{
    struct buf *out = builder->out;
    enum status status = buf_check(builder->plain, "record batch", err);
    if (status == OK)
        status = buf_check(out, "record batch", err);
    if (status == OK && builder->plain != out)
        status = compress_append(out, builder->compression, builder->plain->data,
                                 builder->plain->length, err);
    if (status == OK && out->length - builder->start > RECORD_BATCH_MAX_BYTES)
        status = error_set(err, ERR_LIMIT, "a record batch would have %zu bytes",
                           out->length - builder->start);
    if (status != OK) {
        out->length = builder->start;
        return status;
    }
    uint8_t *data = out->data + builder->start;
    size_t size_bytes = out->length - builder->start;
    put_be64(data, 0);
    put_be32(data + 8, (uint32_t)(size_bytes - RECORD_BATCH_PREFIX_BYTES));
    put_be32(data + 12, UINT32_MAX); /* leader epoch -1: the log sets it */
    data[16] = RECORD_BATCH_MAGIC;
    put_be16(data + 21, (uint16_t)builder->attributes);
    put_be32(data + 23, builder->record_count ? (uint32_t)(builder->record_count - 1) : 0);
    put_be64(data + 27, (uint64_t)builder->base_timestamp_ms);
    put_be64(data + 35, (uint64_t)builder->max_timestamp_ms);
    put_be64(data + 43, (uint64_t)builder->producer_id);
    put_be16(data + 51, (uint16_t)builder->producer_epoch);
    put_be32(data + 53, (uint32_t)builder->base_sequence);
    put_be32(data + 57, (uint32_t)builder->record_count);
    put_be32(data + 17, crc32c(0, data + 21, size_bytes - 21));
    return OK;
}

enum status record_marker_build(struct buf *out, int64_t producer_id, int16_t producer_epoch,
                                enum record_marker marker, int32_t coordinator_epoch,
                                int64_t timestamp_ms, struct error *err)
{
    struct record_builder builder;
    uint8_t key[4], value[6];
    put_be16(key, 0); /* versions of both */
    put_be16(key + 2, (uint16_t)marker);
    put_be16(value, 0);
    put_be32(value + 2, (uint32_t)coordinator_epoch);
    record_builder_begin(&builder, out, NULL, COMPRESSION_NONE);
    builder.attributes |= RECORD_TRANSACTIONAL | RECORD_CONTROL;
    builder.producer_id = producer_id;
    builder.producer_epoch = producer_epoch;
    record_builder_add(&builder, timestamp_ms, key, sizeof(key), value, sizeof(value), NULL, 0);
    return record_builder_finish(&builder, err);
}
