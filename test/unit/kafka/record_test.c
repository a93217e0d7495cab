/* record_test.c - record batches against bytes built by hand, against themselves, and damaged. */
#include "kafka/record.h"

#include "base/crc32c.h"
#include "base/must.h"
#include "kafka/bytes.h"
#include "check.h"

/* One record ("k", "hello"), written down by hand after the format. */
static const uint8_t golden[] = {
    0,   0,   0,    0,    0,    0,    0,    0,    /* base offset */
    0,   0,   0,    0x3e,                         /* length */
    0,   0,   0,    0,                            /* leader epoch, as librdkafka writes it */
    2,                                            /* magic */
    0,   0,   0,    0,                            /* CRC, filled in below by an independent one */
    0,   0,                                       /* attributes */
    0,   0,   0,    0,                            /* last offset delta */
    0,   0,   0x01, 0x93, 0x4a, 0x5c, 0x2e, 0x10, /* base timestamp */
    0,   0,   0x01, 0x93, 0x4a, 0x5c, 0x2e, 0x10, /* max timestamp */
    255, 255, 255,  255,  255,  255,  255,  255,  /* producer id */
    255, 255, 255,  255,  255,  255,              /* producer epoch, base sequence */
    0,   0,   0,    1,                            /* record count */
    24,  0,   0,    0,    2,    'k',  10,   'h',  'e', 'l', 'l', 'o', 0, /* the record */
};

/* Bit by bit, so that it shares nothing with base/crc32c.h. */
static uint32_t slow_crc32c(const uint8_t *bytes, size_t size_bytes)
{
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < size_bytes; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return ~crc;
}

static void golden_copy(uint8_t dest[sizeof(golden)])
{
    memcpy(dest, golden, sizeof(golden));
    put_be32(dest + 17, slow_crc32c(dest + 21, sizeof(golden) - 21));
}

TEST(golden_batch_is_read)
{
    uint8_t bytes[sizeof(golden)];
    struct error err = {0};
    struct record_batch batch;
    struct record_cursor cursor;
    struct record record;
    uint32_t count;
    golden_copy(bytes);
    CHECK_OK(record_batch_parse(&batch, bytes, sizeof(bytes), &err));
    CHECK_OK(record_batch_check(&batch, &err));
    CHECK_INT(batch.size_bytes, sizeof(golden));
    CHECK_INT(batch.base_timestamp_ms, 0x1934a5c2e10);
    CHECK_INT(batch.producer_id, -1);
    CHECK_INT(batch.record_count, 1);
    CHECK_OK(record_cursor_open(&cursor, &batch, NULL, 0, &err));
    CHECK_OK(record_cursor_read(&cursor, &record, 1, &count, &err));
    CHECK_INT(count, 1);
    CHECK_INT(record.key_bytes, 1);
    CHECK_INT(record.key[0], 'k');
    CHECK_INT(record.value_bytes, 5);
    CHECK(memcmp(record.value, "hello", 5) == 0);
    CHECK_INT(record_timestamp_ms(&batch, record.timestamp_delta), 0x1934a5c2e10);
    CHECK_OK(record_cursor_read(&cursor, &record, 1, &count, &err));
    CHECK_INT(count, 0);
}

#define RECORDS 3000

/* Values of many lengths (0 and null too), keys, headers, times that go back and forth. */
static void value_of(int32_t i, uint8_t *dest, int32_t *out_bytes)
{
    *out_bytes = i % 17 == 0 ? -1 : (i * 37) % 9000;
    for (int32_t j = 0; j < *out_bytes; j++)
        dest[j] = (uint8_t)(i + j / 7);
}
static int64_t time_of(int32_t i)
{
    return INT64_C(1700000000000) + (i * 7919) % 100000 - 50000;
}

static enum status build(struct buf *out, struct buf *scratch, enum compression compression,
                         int32_t count, struct error *err)
{
    static uint8_t value[9000];
    struct record_builder builder;
    record_builder_begin(&builder, out, scratch, compression);
    for (int32_t i = 0; i < count; i++) {
        char key[16];
        int32_t value_bytes;
        struct record_header headers[2] = {
            {(const uint8_t *)"h", (const uint8_t *)"v", 1, 1},
            {(const uint8_t *)"null", NULL, 4, -1},
        };
        int key_bytes = snprintf(key, sizeof(key), "key-%d", i);
        value_of(i, value, &value_bytes);
        record_builder_add(&builder, time_of(i), key, i % 5 == 0 ? -1 : key_bytes, value,
                           value_bytes, headers, i % 3 ? 0 : 1 + i % 2);
    }
    return record_builder_finish(&builder, err);
}

static void check_record(struct record *record, const struct record_batch *batch, int32_t i)
{
    static uint8_t value[9000];
    struct record_header header;
    struct error err = {0};
    int32_t value_bytes;
    char key[16];
    int key_bytes = snprintf(key, sizeof(key), "key-%d", i);
    value_of(i, value, &value_bytes);
    CHECK_INT(record->offset_delta, i);
    CHECK_INT(record_timestamp_ms(batch, record->timestamp_delta), time_of(i));
    CHECK_INT(record->key_bytes, i % 5 == 0 ? -1 : key_bytes);
    CHECK(i % 5 == 0 || memcmp(record->key, key, (size_t)key_bytes) == 0);
    CHECK_INT(record->value_bytes, value_bytes);
    CHECK(value_bytes <= 0 || memcmp(record->value, value, (size_t)value_bytes) == 0);
    CHECK_INT(record->header_count, i % 3 ? 0 : 1 + i % 2);
    if (record->header_count) {
        CHECK_OK(record_headers_next(record, &header, &err));
        CHECK(header.key_bytes == 1 && header.key[0] == 'h' && header.value_bytes == 1);
    }
    if (record->header_count) {
        CHECK_OK(record_headers_next(record, &header, &err));
        CHECK_INT(header.value_bytes, -1);
    }
    CHECK_INT(record_headers_next(record, &header, &err), ERR_END);
}

static void round_trip(enum compression compression, uint32_t step)
{
    static struct record records[RECORD_READ_MAX];
    struct error err = {0};
    struct buf out, scratch;
    struct record_batch batch;
    struct record_cursor cursor;
    struct record_summary summary;
    uint32_t count;
    int32_t seen = 0;
    int64_t latest_ms = 0;
    buf_init(&out, 64 << 20);
    buf_init(&scratch, 64 << 20);
    CHECK_OK(build(&out, &scratch, compression, RECORDS, &err));
    CHECK_OK(record_batch_parse(&batch, out.data, out.length, &err));
    CHECK_INT(batch.size_bytes, out.length);
    CHECK_INT(record_batch_compression(&batch), compression);
    CHECK_INT(batch.crc, slow_crc32c(out.data + 21, out.length - 21));
    CHECK_OK(record_batch_validate(&batch, &scratch, 64 << 20, &summary, &err));
    for (int32_t i = 0; i < RECORDS; i++)
        latest_ms = time_of(i) > latest_ms ? time_of(i) : latest_ms;
    CHECK_INT(summary.max_timestamp_ms, latest_ms);
    CHECK_INT(time_of(summary.max_timestamp_delta), latest_ms);
    CHECK_INT(batch.max_timestamp_ms, latest_ms);
    CHECK_OK(record_cursor_open(&cursor, &batch, &scratch, 64 << 20, &err));
    do {
        CHECK_OK(record_cursor_read(&cursor, records, step, &count, &err));
        for (uint32_t i = 0; i < count; i++)
            check_record(&records[i], &batch, seen++);
        if (check_failed)
            return;
    } while (count);
    CHECK_INT(seen, RECORDS);
    buf_fini(&out);
    buf_fini(&scratch);
}

TEST(round_trip_plain)
{
    round_trip(COMPRESSION_NONE, RECORD_READ_MAX);
}
TEST(round_trip_one_at_a_time)
{
    round_trip(COMPRESSION_NONE, 1);
}
TEST(round_trip_gzip)
{
    round_trip(COMPRESSION_GZIP, 700);
}
TEST(round_trip_snappy)
{
    round_trip(COMPRESSION_SNAPPY, 700);
}
TEST(round_trip_lz4)
{
    round_trip(COMPRESSION_LZ4, 700);
}
TEST(round_trip_zstd)
{
    round_trip(COMPRESSION_ZSTD, 700);
}

TEST(stamping_keeps_the_crc_true)
{
    struct error err = {0};
    struct buf out, scratch;
    struct record_batch batch;
    buf_init(&out, 64 << 20);
    buf_init(&scratch, 64 << 20);
    CHECK_OK(build(&out, &scratch, COMPRESSION_NONE, 10, &err));
    record_batch_set_base_offset(out.data, 123456789012);
    record_batch_set_leader_epoch(out.data, 7);
    CHECK_OK(record_batch_parse(&batch, out.data, out.length, &err));
    CHECK_OK(record_batch_check(&batch, &err));
    CHECK_INT(batch.base_offset, 123456789012);
    CHECK_INT(batch.leader_epoch, 7);
    CHECK_INT(record_batch_last_offset(&batch), 123456789021);
    record_batch_set_append_time(out.data, out.length, 42);
    CHECK_OK(record_batch_parse(&batch, out.data, out.length, &err));
    CHECK_INT(batch.crc, slow_crc32c(out.data + 21, out.length - 21));
    CHECK_INT(batch.max_timestamp_ms, 42);
    CHECK_INT(record_timestamp_ms(&batch, 5), 42);
    record_batch_set_max_timestamp(out.data, out.length, 43);
    CHECK_OK(record_batch_parse(&batch, out.data, out.length, &err));
    CHECK_OK(record_batch_check(&batch, &err));
    CHECK_INT(batch.max_timestamp_ms, 43);
    buf_fini(&out);
    buf_fini(&scratch);
}

/* Cut at every length and flipped at every byte: an error or a good answer, never more. The copy
 * has exactly the bytes given, so that a sanitizer sees a read past them. */
TEST(damage_is_an_error)
{
    static struct record records[64];
    struct error err = {0};
    struct buf out, scratch;
    struct record_batch batch;
    struct record_summary summary;
    buf_init(&out, 64 << 20);
    buf_init(&scratch, 64 << 20);
    CHECK_OK(build(&out, &scratch, COMPRESSION_NONE, 6, &err));
    for (size_t length = 0; length < out.length; length++) {
        uint8_t *copy = malloc(length ? length : 1);
        memcpy(copy, out.data, length);
        enum status status = record_batch_parse(&batch, copy, length, &err);
        free(copy);
        CHECK_INT(status, ERR_END);
    }
    for (size_t i = 0; i < out.length; i++)
        for (int bit = 0; bit < 8; bit++) {
            uint8_t *copy = malloc(out.length);
            struct record_cursor cursor;
            uint32_t count = 1;
            memcpy(copy, out.data, out.length);
            copy[i] ^= (uint8_t)(1 << bit);
            bool stamped = i < 8 || (i >= 12 && i < 16); /* not covered by the CRC */
            bool good = record_batch_parse(&batch, copy, out.length, &err) == OK;
            if (good)
                good = batch.size_bytes == out.length &&
                       record_batch_validate(&batch, &scratch, 1 << 20, &summary, &err) == OK;
            if (!stamped && good) {
                free(copy);
                CHECK_FAIL("bit %d of byte %zu flipped: still good", bit, i);
            }
            /* Reading without the CRC check must hold, too. */
            if (record_batch_parse(&batch, copy, out.length, &err) == OK &&
                record_cursor_open(&cursor, &batch, &scratch, 1 << 20, &err) == OK)
                while (count && record_cursor_read(&cursor, records, 64, &count, &err) == OK)
                    for (uint32_t j = 0; j < count; j++) {
                        struct record_header header;
                        while (record_headers_next(&records[j], &header, &err) == OK)
                            ;
                    }
            free(copy);
        }
    buf_fini(&out);
    buf_fini(&scratch);
}

TEST(old_formats_and_bombs_are_refused)
{
    uint8_t bytes[sizeof(golden)];
    struct error err = {0};
    struct buf out, scratch;
    struct record_batch batch;
    struct record_cursor cursor;
    golden_copy(bytes);
    bytes[16] = 1;
    CHECK_INT(record_batch_parse(&batch, bytes, sizeof(bytes), &err), ERR_UNSUPPORTED);
    bytes[16] = 3;
    CHECK_INT(record_batch_parse(&batch, bytes, sizeof(bytes), &err), ERR_CORRUPT);
    buf_init(&out, 64 << 20);
    buf_init(&scratch, 64 << 20);
    CHECK_OK(build(&out, &scratch, COMPRESSION_ZSTD, RECORDS, &err));
    CHECK_OK(record_batch_parse(&batch, out.data, out.length, &err));
    err = (struct error){0};
    CHECK_INT(record_cursor_open(&cursor, &batch, &scratch, 100000, &err), ERR_LIMIT);
    buf_fini(&out);
    buf_fini(&scratch);
}

TEST(memory_failures_are_statuses)
{
    struct error err = {0};
    for (uint64_t fail = 1; fail < 60; fail++) {
        struct buf out, scratch;
        buf_init(&out, 64 << 20);
        buf_init(&scratch, 64 << 20);
        mem_fail_after(fail);
        enum status status = build(&out, &scratch, COMPRESSION_LZ4, 100, &err);
        mem_fail_after(0);
        CHECK(status == OK || status == ERR_MEMORY);
        CHECK(status == OK || out.length == 0);
        buf_fini(&out);
        buf_fini(&scratch);
        if (status == OK)
            return;
    }
    CHECK_FAIL("never succeeded");
}

TEST(a_marker_has_kafkas_bytes)
{
    static const uint8_t record[] = {0x20, 0, 0, 0, 8, 0, 0, 0, 1, 12, 0, 0, 0, 0, 0, 5, 0};
    struct error err = {0};
    struct record_batch batch;
    struct record_summary summary;
    struct buf bytes, scratch;

    buf_init(&bytes, 1 << 16);
    buf_init(&scratch, 1 << 16);
    CHECK_OK(record_marker_build(&bytes, 77, 3, RECORD_MARKER_COMMIT, 5, 1234, &err));
    CHECK_INT(bytes.length, 78);
    CHECK_OK(record_batch_parse(&batch, bytes.data, bytes.length, &err));
    CHECK_OK(record_batch_check(&batch, &err));
    CHECK_INT(batch.attributes, RECORD_TRANSACTIONAL | RECORD_CONTROL);
    CHECK_INT(batch.producer_id, 77);
    CHECK_INT(batch.producer_epoch, 3);
    CHECK_INT(batch.base_sequence, -1);
    CHECK_INT(batch.max_timestamp_ms, 1234);
    CHECK(memcmp(bytes.data + RECORD_BATCH_HEADER_BYTES, record, sizeof(record)) == 0);
    CHECK_INT(record_batch_marker(&batch), RECORD_MARKER_COMMIT);
    /* from a client it is refused */
    CHECK_INT(record_batch_validate(&batch, &scratch, 1 << 16, &summary, &err), ERR_CORRUPT);
    bytes.data[RECORD_BATCH_HEADER_BYTES + 8] = 0;
    CHECK_INT(record_batch_marker(&batch), RECORD_MARKER_ABORT);
    bytes.data[RECORD_BATCH_HEADER_BYTES + 8] = 2; /* another kind of control */
    CHECK_INT(record_batch_marker(&batch), RECORD_MARKER_NONE);
    bytes.data[RECORD_BATCH_HEADER_BYTES] = 0x60; /* damaged */
    CHECK_INT(record_batch_marker(&batch), RECORD_MARKER_NONE);
    batch.attributes = 0;
    CHECK_INT(record_batch_marker(&batch), RECORD_MARKER_NONE);
    buf_fini(&bytes);
    buf_fini(&scratch);
}
