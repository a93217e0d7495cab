/* record.h - a record's bytes at the end of a block (formats: snapshot.h). Inline, for this is done
 * for each row of each snapshot. For snapshot.c and keyed.c.
 */
#ifndef LEAT_STATE_RECORD_H
#define LEAT_STATE_RECORD_H

#include "state/snapshot.h"

#define RECORD_EXTRA 40u /* of a record beside key and value, at most */
#define VARINT_MAX   10

static inline uint8_t *record_varint(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        *at++ = (uint8_t)(value | 0x80);
    *at++ = (uint8_t)value;
    return at;
}

static inline uint64_t record_zigzag(int64_t value)
{
    return (uint64_t)value << 1 ^ (uint64_t)(value >> 63);
}

static inline void record_note(const struct state_out *out, const struct state_record *record,
                               uint64_t size_bytes)
{
    struct state_block *block = out->block;
    uint8_t first = record->key_group, last = record->key_group;
    if (record->kind == RECORD_DROP) {
        first = 0;
        last = KEY_GROUP_COUNT - 1;
    } else if (record->key_group - out->fold.first < out->fold.count) {
        block->fold_bytes += size_bytes;
    }
    block->first_key_group = first < block->first_key_group ? first : block->first_key_group;
    block->last_key_group = last > block->last_key_group ? last : block->last_key_group;
    block->record_count++;
}

/* All that is in front of the value's size. */
static inline uint8_t *record_head(uint8_t *at, const struct state_record *record)
{
    *at++ = (uint8_t)record->kind;
    *at++ = record->table;
    *at++ = record->kind == RECORD_DROP ? 0 : record->key_group;
    at = record_varint(at, record_zigzag(record->namespace));
    return record->kind == RECORD_DROP ? at : record_varint(at, record->key_bytes);
}

/* A record whose value the caller appends to what open returns; then it closes it. NULL, or false
 * from close: there is no room for it in the block, and nothing has been written;
 * state_out_record() takes it. */
static inline struct buf *record_open(struct state_out *out, const struct state_record *record)
{
    uint64_t size = (uint64_t)record->key_bytes + RECORD_EXTRA;
    if (out->failure.code != OK || !out->block ||
        out->block->bytes.length + size > out->block->reserved_bytes)
        return NULL;
    struct buf *bytes = &out->block->bytes;
    uint8_t *at = record_head(bytes->data + bytes->length, record);
    out->record_at = bytes->length;
    out->size_at = (size_t)(at - bytes->data);
    at++; /* most sizes are one byte */
    bytes_copy(at, record->key, record->key_bytes);
    bytes->length = (size_t)(at - bytes->data) + record->key_bytes;
    return bytes;
}

static inline bool record_close(struct state_out *out, const struct state_record *record)
{
    struct buf *bytes = &out->block->bytes;
    uint8_t size[VARINT_MAX];
    size_t key_at = out->size_at + 1, behind = bytes->length - key_at;
    size_t more = (size_t)(record_varint(size, behind - record->key_bytes) - size) - 1;
    if (!buf_room(bytes, more)) {
        bytes->length = out->record_at;
        bytes->failed = bytes->over_limit = false;
        return false;
    }
    bytes->data[out->size_at] = size[0];
    if (more) {
        memmove(bytes->data + key_at + more, bytes->data + key_at, behind);
        memcpy(bytes->data + key_at, size + 1, more);
    }
    bytes->length += more;
    record_note(out, record, bytes->length - out->record_at);
    return true;
}

#endif
