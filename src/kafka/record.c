/* record.c - reading, checking and stamping record batches. record_build.c writes them. */
#include "kafka/record.h"

#include "base/crc32c.h"
#include "base/must.h"
#include "kafka/bytes.h"

enum { /* byte positions in a batch */
       AT_LENGTH = 8,
       AT_LEADER_EPOCH = 12,
       AT_MAGIC = 16,
       AT_CRC = 17,
       AT_ATTRIBUTES = 21,
       AT_LAST_OFFSET_DELTA = 23,
       AT_BASE_TIMESTAMP = 27,
       AT_MAX_TIMESTAMP = 35,
       AT_PRODUCER_ID = 43,
       AT_PRODUCER_EPOCH = 51,
       AT_BASE_SEQUENCE = 53,
       AT_RECORD_COUNT = 57,
};

/* length, attributes, timestamp, offset, key, value and header count, a byte each */
#define RECORD_MIN_BYTES 7

enum status record_batch_header(struct record_batch *out, const void *bytes, size_t size_bytes,
                                struct error *err)
{
    const uint8_t *data = bytes;
    if (size_bytes > AT_MAGIC && data[AT_MAGIC] < RECORD_BATCH_MAGIC)
        return error_set(err, ERR_UNSUPPORTED,
                         "record batches of format %u (Kafka before 0.11) are not supported",
                         data[AT_MAGIC]);
    if (size_bytes < RECORD_BATCH_HEADER_BYTES)
        return error_set(err, ERR_END, "a record batch is cut off in its header");
    int32_t length = (int32_t)get_be32(data + AT_LENGTH);
    *out = (struct record_batch){
        .data = data,
        .size_bytes = (uint32_t)length + RECORD_BATCH_PREFIX_BYTES,
        .crc = get_be32(data + AT_CRC),
        .base_offset = (int64_t)get_be64(data),
        .leader_epoch = (int32_t)get_be32(data + AT_LEADER_EPOCH),
        .last_offset_delta = (int32_t)get_be32(data + AT_LAST_OFFSET_DELTA),
        .base_timestamp_ms = (int64_t)get_be64(data + AT_BASE_TIMESTAMP),
        .max_timestamp_ms = (int64_t)get_be64(data + AT_MAX_TIMESTAMP),
        .producer_id = (int64_t)get_be64(data + AT_PRODUCER_ID),
        .base_sequence = (int32_t)get_be32(data + AT_BASE_SEQUENCE),
        .record_count = (int32_t)get_be32(data + AT_RECORD_COUNT),
        .attributes = (int16_t)get_be16(data + AT_ATTRIBUTES),
        .producer_epoch = (int16_t)get_be16(data + AT_PRODUCER_EPOCH),
    };
    if (data[AT_MAGIC] != RECORD_BATCH_MAGIC)
        return error_set(err, ERR_CORRUPT, "a record batch has the unknown format %u",
                         data[AT_MAGIC]);
    if (length < RECORD_BATCH_HEADER_BYTES - RECORD_BATCH_PREFIX_BYTES ||
        out->size_bytes > RECORD_BATCH_MAX_BYTES)
        return error_set(err, ERR_CORRUPT, "a record batch has the impossible length %d", length);
    if (out->base_offset < 0 || out->last_offset_delta < 0 ||
        out->base_offset > INT64_MAX - out->last_offset_delta - 1)
        return error_set(err, ERR_CORRUPT, "a record batch has impossible offsets");
    if (out->record_count < 0 || out->record_count - 1 > out->last_offset_delta)
        return error_set(err, ERR_CORRUPT, "a record batch has the impossible record count %d",
                         out->record_count);
    if ((out->attributes & RECORD_COMPRESSION_MASK) > COMPRESSION_ZSTD)
        return error_set(err, ERR_CORRUPT, "a record batch has the unknown compression %d",
                         out->attributes & RECORD_COMPRESSION_MASK);
    return OK;
}

enum status record_batch_parse(struct record_batch *out, const void *bytes, size_t size_bytes,
                               struct error *err)
{
    TRY(record_batch_header(out, bytes, size_bytes, err));
    if (out->size_bytes > size_bytes)
        return error_set(err, ERR_END, "a record batch of %u bytes is cut off after %zu",
                         out->size_bytes, size_bytes);
    return OK;
}

enum status record_batch_check(const struct record_batch *batch, struct error *err)
{
    uint32_t crc = crc32c(0, batch->data + AT_ATTRIBUTES, batch->size_bytes - AT_ATTRIBUTES);
    if (crc != batch->crc)
        return error_set(err, ERR_CORRUPT,
                         "the record batch at offset %lld is damaged: its CRC is %08x, stored is "
                         "%08x",
                         (long long)batch->base_offset, crc, batch->crc);
    return OK;
}

enum status record_cursor_open(struct record_cursor *cursor, const struct record_batch *batch,
                               struct buf *scratch, size_t max_bytes, struct error *err)
{
    cursor->next = batch->data + RECORD_BATCH_HEADER_BYTES;
    cursor->end = batch->data + batch->size_bytes;
    cursor->remaining = batch->record_count;
    if (record_batch_compression(batch) == COMPRESSION_NONE)
        return OK;
    buf_clear(scratch);
    enum status status = decompress_append(scratch, record_batch_compression(batch), cursor->next,
                                           (size_t)(cursor->end - cursor->next), max_bytes, err);
    if (status == ERR_DATA)
        status = ERR_CORRUPT;
    if (status != OK)
        return status;
    cursor->next = scratch->data;
    cursor->end = scratch->data + scratch->length;
    return OK;
}

static enum status bad_record(struct error *err)
{
    return error_set(err, ERR_CORRUPT, "a record in a batch is damaged");
}

/* A length and that many bytes within [next, end); the byte after them or NULL. */
static inline const uint8_t *bytes_get(const uint8_t *next, const uint8_t *end, const uint8_t **out,
                                       int32_t *out_bytes)
{
    int64_t length;
    next = varint_get(next, end, &length);
    if (__builtin_expect(!next || length > end - next || length < -1, 0))
        return NULL;
    *out = next;
    *out_bytes = (int32_t)length;
    return next + (length < 0 ? 0 : length);
}

enum status record_cursor_read(struct record_cursor *cursor, struct record *out, uint32_t max_count,
                               uint32_t *out_count, struct error *err)
{
    const uint8_t *next = cursor->next;
    uint32_t wanted =
        (uint32_t)cursor->remaining < max_count ? (uint32_t)cursor->remaining : max_count;
    uint32_t count = 0;
    enum status status = OK;
    for (; count < wanted; count++) {
        struct record *record = &out[count];
        int64_t length, offset_delta, header_count;
        const uint8_t *body = varint_get(next, cursor->end, &length);
        if (!body || length < RECORD_MIN_BYTES - 1 || length > cursor->end - body)
            goto bad;
        const uint8_t *end = body + length;
        /* a record's place is known only from the one before: fetch where a later one will be */
        __builtin_prefetch(end + 8 * length);
        body = varint_get(body + 1, end, &record->timestamp_delta); /* +1: attributes, unused */
        if (!body || !(body = varint_get(body, end, &offset_delta)))
            goto bad;
        if (!(body = bytes_get(body, end, &record->key, &record->key_bytes)) ||
            !(body = bytes_get(body, end, &record->value, &record->value_bytes)) ||
            !(body = varint_get(body, end, &header_count)))
            goto bad;
        /* a header has at least two bytes */
        if (header_count < 0 || header_count > (end - body) / 2 || offset_delta < 0 ||
            offset_delta > INT32_MAX || (header_count == 0 && body != end))
            goto bad;
        record->headers = body;
        record->headers_bytes = (int32_t)(end - body);
        record->header_count = (int32_t)header_count;
        record->offset_delta = (int32_t)offset_delta;
        next = end;
    }
    cursor->remaining -= (int32_t)count;
    if (cursor->remaining == 0 && next != cursor->end)
        status = error_set(err, ERR_CORRUPT, "a record batch has bytes after its last record");
    cursor->next = next;
    *out_count = count;
    return status;
bad:
    cursor->next = next;
    cursor->remaining -= (int32_t)count;
    *out_count = count;
    return bad_record(err);
}

enum status record_headers_next(struct record *record, struct record_header *out, struct error *err)
{
    const uint8_t *next = record->headers, *end = next + record->headers_bytes;
    if (record->header_count == 0)
        return record->headers_bytes == 0 ? ERR_END : bad_record(err);
    if (!(next = bytes_get(next, end, &out->key, &out->key_bytes)) || out->key_bytes < 0 ||
        !(next = bytes_get(next, end, &out->value, &out->value_bytes)))
        return bad_record(err);
    record->headers = next;
    record->headers_bytes = (int32_t)(end - next);
    record->header_count--;
    return OK;
}

enum status record_batch_validate(const struct record_batch *batch, struct buf *scratch,
                                  size_t max_bytes, struct record_summary *out, struct error *err)
{
    struct record records[64]; /* stays in the first-level cache */
    struct record_cursor cursor;
    uint32_t count;
    int32_t expected_delta = 0;
    TRY(record_batch_check(batch, err));
    if (batch->attributes & RECORD_CONTROL)
        return error_set(err, ERR_CORRUPT, "clients may not write control batches");
    if (batch->record_count == 0 || batch->last_offset_delta != batch->record_count - 1)
        return error_set(err, ERR_CORRUPT,
                         "a record batch says %d records, but its last offset delta is %d",
                         batch->record_count, batch->last_offset_delta);
    *out = (struct record_summary){.max_timestamp_ms = -1};
    TRY(record_cursor_open(&cursor, batch, scratch, max_bytes, err));
    do {
        TRY(record_cursor_read(&cursor, records, COUNT_OF(records), &count, err));
        for (uint32_t i = 0; i < count; i++, expected_delta++) {
            int64_t timestamp_ms = record_timestamp_ms(batch, records[i].timestamp_delta);
            if (records[i].offset_delta != expected_delta)
                return error_set(err, ERR_CORRUPT, "record %d of a batch has offset delta %d",
                                 expected_delta, records[i].offset_delta);
            if (timestamp_ms > out->max_timestamp_ms) {
                out->max_timestamp_ms = timestamp_ms;
                out->max_timestamp_delta = expected_delta;
            }
            struct record_header header;
            while (records[i].header_count)
                TRY(record_headers_next(&records[i], &header, err));
            if (records[i].headers_bytes)
                return bad_record(err);
        }
    } while (count);
    return OK;
}

enum record_marker record_batch_marker(const struct record_batch *batch)
{
    struct record_cursor cursor;
    struct record record;
    uint32_t count = 0;
    if (!(batch->attributes & RECORD_CONTROL) ||
        record_batch_compression(batch) != COMPRESSION_NONE ||
        record_cursor_open(&cursor, batch, NULL, 0, NULL) != OK ||
        record_cursor_read(&cursor, &record, 1, &count, NULL) != OK || count != 1 ||
        record.key_bytes < 4)
        return RECORD_MARKER_NONE;
    uint16_t type = get_be16(record.key + 2); /* behind the version */
    return type <= RECORD_MARKER_COMMIT ? (enum record_marker)type : RECORD_MARKER_NONE;
}

void record_batch_set_base_offset(void *bytes, int64_t base_offset)
{
    put_be64(bytes, (uint64_t)base_offset);
}

void record_batch_set_leader_epoch(void *bytes, int32_t leader_epoch)
{
    put_be32((uint8_t *)bytes + AT_LEADER_EPOCH, (uint32_t)leader_epoch);
}

static void crc_again(uint8_t *data, size_t size_bytes)
{
    put_be32(data + AT_CRC, crc32c(0, data + AT_ATTRIBUTES, size_bytes - AT_ATTRIBUTES));
}

void record_batch_set_append_time(void *bytes, size_t size_bytes, int64_t timestamp_ms)
{
    uint8_t *data = bytes;
    put_be16(data + AT_ATTRIBUTES, get_be16(data + AT_ATTRIBUTES) | RECORD_APPEND_TIME);
    put_be64(data + AT_MAX_TIMESTAMP, (uint64_t)timestamp_ms);
    crc_again(data, size_bytes);
}

void record_batch_set_max_timestamp(void *bytes, size_t size_bytes, int64_t timestamp_ms)
{
    uint8_t *data = bytes;
    put_be64(data + AT_MAX_TIMESTAMP, (uint64_t)timestamp_ms);
    crc_again(data, size_bytes);
}
