/* kafka_position.c - the position of a split as bytes, version 2, little-endian:
 *   u8 version | topic id (16) | i64 next offset | i64 end offset or -1 | i32 leader epoch or -1
 *   | i64 offset of the last record read or -1 | u64 its hash
 */
#include "connector/kafka/kafka_int.h"

#define POSITION_VERSION 2
#define POSITION_BYTES   (1 + KAFKA_UUID_BYTES + 8 + 8 + 4 + 8 + 8)

static void put(struct buf *out, uint64_t value, int size_bytes)
{
    for (int i = 0; i < size_bytes; i++)
        buf_append_byte(out, (uint8_t)(value >> (8 * i)));
}

static uint64_t get(const uint8_t *bytes, int size_bytes)
{
    uint64_t value = 0;
    for (int i = size_bytes; i > 0; i--)
        value = value << 8 | bytes[i - 1];
    return value;
}

void kafka_position_encode(const struct kafka_position *position, struct buf *out)
{
    buf_append_byte(out, POSITION_VERSION);
    buf_append(out, position->topic_id, KAFKA_UUID_BYTES);
    put(out, (uint64_t)position->offset, 8);
    put(out, (uint64_t)position->end_offset, 8);
    put(out, (uint32_t)position->leader_epoch, 4);
    put(out, (uint64_t)position->last_offset, 8);
    put(out, position->last_hash, 8);
}

enum status kafka_position_decode(const void *bytes, size_t size_bytes, struct kafka_position *out,
                                  struct error *err)
{
    const uint8_t *from = bytes;
    if (size_bytes != POSITION_BYTES || from[0] != POSITION_VERSION)
        return error_set(err, ERR_CORRUPT, "not a position of the kafka connector");
    memcpy(out->topic_id, from + 1, KAFKA_UUID_BYTES);
    out->offset = (int64_t)get(from + 17, 8);
    out->end_offset = (int64_t)get(from + 25, 8);
    out->leader_epoch = (int32_t)get(from + 33, 4);
    out->last_offset = (int64_t)get(from + 37, 8);
    out->last_hash = get(from + 45, 8);
    if (out->offset < 0 || out->end_offset < -1 || out->leader_epoch < -1 ||
        out->last_offset < -1 || out->last_offset >= out->offset)
        return error_set(err, ERR_CORRUPT, "not a position of the kafka connector");
    return OK;
}
