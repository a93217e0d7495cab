/* record.h - record batches, format 2 (Kafka's "message format v2"): read, check, build, stamp.
 *
 * What it does not do: formats 0 and 1 (refused as ERR_UNSUPPORTED), what transactions mean.
 *
 *   0 base offset i64 | 8 length i32 (of what follows) | 12 leader epoch i32 | 16 magic i8 = 2
 *   17 crc u32 of 21.. | 21 attributes i16 | 23 last offset delta i32 | 27 base timestamp i64
 *   35 max timestamp i64 | 43 producer id i64 | 51 producer epoch i16 | 53 base sequence i32
 *   57 record count i32 | 61 records, together compressed as the attributes say        big-endian
 *
 * Base offset and leader epoch lie before the CRC'd region, so a log sets them without a new CRC.
 * Everything read is bounds-checked; damaged input is ERR_CORRUPT, never a crash. No function keeps
 * a pointer beyond what its comment says; all may be used from any thread.
 */
#ifndef LEAT_KAFKA_RECORD_H
#define LEAT_KAFKA_RECORD_H

#include "base/compress.h"
#include "base/error.h"

#define RECORD_BATCH_HEADER_BYTES 61
#define RECORD_BATCH_PREFIX_BYTES 12 /* base offset and length: what length does not count */
#define RECORD_BATCH_MAGIC        2
#define RECORD_BATCH_MAX_BYTES    (UINT32_C(1) << 30)

enum record_attribute {
    RECORD_COMPRESSION_MASK = 0x07,
    RECORD_APPEND_TIME = 0x08, /* every record's timestamp is the batch's max timestamp */
    RECORD_TRANSACTIONAL = 0x10,
    RECORD_CONTROL = 0x20,
    RECORD_DELETE_HORIZON = 0x40,
};

struct record_batch {    /* a parsed header; data is borrowed */
    const uint8_t *data; /* the batch's first byte */
    uint32_t size_bytes; /* of the whole batch, prefix included */
    uint32_t crc;        /* as stored */
    int64_t base_offset;
    int32_t leader_epoch;
    int32_t last_offset_delta; /* >= 0 */
    int64_t base_timestamp_ms;
    int64_t max_timestamp_ms; /* -1: none */
    int64_t producer_id;      /* -1: not idempotent */
    int32_t base_sequence;
    int32_t record_count; /* >= 0; 0 only after compaction */
    int16_t attributes;
    int16_t producer_epoch;
};

static inline int64_t record_batch_last_offset(const struct record_batch *batch)
{
    return batch->base_offset + batch->last_offset_delta;
}
static inline enum compression record_batch_compression(const struct record_batch *batch)
{
    return (enum compression)(batch->attributes & RECORD_COMPRESSION_MASK);
}
/* The timestamp of a record with this delta. */
static inline int64_t record_timestamp_ms(const struct record_batch *batch, int64_t delta_ms)
{
    return batch->attributes & RECORD_APPEND_TIME
               ? batch->max_timestamp_ms
               : (int64_t)((uint64_t)batch->base_timestamp_ms + (uint64_t)delta_ms);
}

/* Parse a header alone; the rest of the batch need not be there (size_bytes of *out says how much
 * there must be). ERR_END: fewer than RECORD_BATCH_HEADER_BYTES. ERR_UNSUPPORTED: magic 0 or 1.
 * ERR_CORRUPT: any other field that cannot be. The CRC is not looked at. */
enum status record_batch_header(struct record_batch *out, const void *bytes, size_t size_bytes,
                                struct error *err) STATUS_CHECKED;

/* As record_batch_header, and the whole batch lies within size_bytes (else ERR_END: a torn tail).
 */
enum status record_batch_parse(struct record_batch *out, const void *bytes, size_t size_bytes,
                               struct error *err) STATUS_CHECKED;

/* ERR_CORRUPT when the stored CRC is not that of the bytes. The whole batch must be there. */
enum status record_batch_check(const struct record_batch *batch, struct error *err) STATUS_CHECKED;

/* ---- reading records ---- */

struct record { /* pointers into the batch, or into the scratch buffer when compressed */
    const uint8_t *key;
    const uint8_t *value;
    const uint8_t *headers;  /* after the header count; read by record_headers_next */
    int64_t timestamp_delta; /* see record_timestamp_ms */
    int32_t key_bytes;       /* -1: null */
    int32_t value_bytes;     /* -1: null */
    int32_t headers_bytes;   /* to the record's end */
    int32_t header_count;
    int32_t offset_delta;
};

#define RECORD_READ_MAX 2048

struct record_cursor {
    const uint8_t *next;
    const uint8_t *end;
    int32_t remaining; /* records not yet read */
};

/* Start reading a whole, parsed batch. A compressed one is decompressed into scratch (cleared
 * first; must stay as it is while records are used), to at most max_bytes (ERR_LIMIT beyond).
 * scratch is not touched when uncompressed. */
enum status record_cursor_open(struct record_cursor *cursor, const struct record_batch *batch,
                               struct buf *scratch, size_t max_bytes,
                               struct error *err) STATUS_CHECKED;

/* Up to max_count next records in one pass. *out_count 0: the end was reached, and the bytes with
 * it (bytes left over are ERR_CORRUPT). On an error *out_count records before the fault are good.
 */
enum status record_cursor_read(struct record_cursor *cursor, struct record *out, uint32_t max_count,
                               uint32_t *out_count, struct error *err) STATUS_CHECKED;

struct record_header {
    const uint8_t *key;
    const uint8_t *value;
    int32_t key_bytes;
    int32_t value_bytes; /* -1: null */
};
/* Take one header off the record's front (its headers, headers_bytes and header_count move on).
 * ERR_END after the last, ERR_CORRUPT when damaged or bytes are left over. */
enum status record_headers_next(struct record *record, struct record_header *out,
                                struct error *err) STATUS_CHECKED;

/* ---- what a broker checks before it appends ---- */

struct record_summary {
    int64_t max_timestamp_ms;    /* as the records say, -1 when there is none */
    int32_t max_timestamp_delta; /* offset delta of the first record that has it */
};
/* CRC, record count, offset deltas 0, 1, 2 ..., every record within bounds, nothing after the last,
 * no control batch. scratch and max_bytes as for record_cursor_open. */
enum status record_batch_validate(const struct record_batch *batch, struct buf *scratch,
                                  size_t max_bytes, struct record_summary *out,
                                  struct error *err) STATUS_CHECKED;

/* ---- control batches: markers that end a producer's transaction ---- */

enum record_marker { RECORD_MARKER_ABORT = 0, RECORD_MARKER_COMMIT = 1, RECORD_MARKER_NONE = -1 };
/* What a control batch says; NONE: it is none, or ends no transaction. The whole batch must be
 * there: record_batch_parse, or a segment walk. */
enum record_marker record_batch_marker(const struct record_batch *batch);
/* Append a marker's batch to out. */
enum status record_marker_build(struct buf *out, int64_t producer_id, int16_t producer_epoch,
                                enum record_marker marker, int32_t coordinator_epoch,
                                int64_t timestamp_ms, struct error *err) STATUS_CHECKED;

/* ---- changing a batch in place; bytes is its first byte, header checked before ---- */

void record_batch_set_base_offset(void *bytes, int64_t base_offset);   /* no CRC needed */
void record_batch_set_leader_epoch(void *bytes, int32_t leader_epoch); /* no CRC needed */
/* LogAppendTime: attribute, max timestamp and CRC. size_bytes is the whole batch's. */
void record_batch_set_append_time(void *bytes, size_t size_bytes, int64_t timestamp_ms);
/* Max timestamp with the timestamp type as it is, and CRC. */
void record_batch_set_max_timestamp(void *bytes, size_t size_bytes, int64_t timestamp_ms);

/* ---- building ---- */

struct record_builder {
    struct buf *out;      /* the batch is appended here */
    struct buf *plain;    /* records before compression; out itself when not compressed */
    size_t start;         /* of the batch in out */
    size_t records_start; /* of the records in plain */
    enum compression compression;
    int16_t attributes;
    int32_t record_count;
    int64_t base_timestamp_ms;
    int64_t max_timestamp_ms;
    int64_t producer_id;
    int16_t producer_epoch;
    int32_t base_sequence;
};

/* Begin a batch at out's end with base offset 0, leader epoch -1 and no producer id (set the fields
 * before the finish to change that). scratch is needed for compression only, and is cleared. */
void record_builder_begin(struct record_builder *builder, struct buf *out, struct buf *scratch,
                          enum compression compression);
/* key_bytes and value_bytes -1: null. The first record's timestamp is the base. Memory failures are
 * sticky in out and scratch and come out at the finish. */
void record_builder_add(struct record_builder *builder, int64_t timestamp_ms, const void *key,
                        int32_t key_bytes, const void *value, int32_t value_bytes,
                        const struct record_header *headers, int32_t header_count);
/* The size the batch has now, before compression. */
size_t record_builder_size(const struct record_builder *builder);
/* Compress, fill the header, compute the CRC. On an error out has the length it had at the begin.
 */
enum status record_builder_finish(struct record_builder *builder, struct error *err) STATUS_CHECKED;

#endif
