/* snapshot.c - see snapshot.h for the formats. */
#include "state/snapshot.h"

#include "base/crc32c.h"
#include "base/must.h"
#include "state/record.h"

#define MAGIC     0x31534b4cu /* "LKS1" */
#define BLOCK_MAX UINT32_C(0x7fffffff)

/* ---- bytes ---- */

static void put_le(uint8_t *dest, uint64_t value, int size_bytes)
{
    for (int i = 0; i < size_bytes; i++)
        dest[i] = (uint8_t)(value >> (8 * i));
}

static uint64_t get_le(const uint8_t *bytes, int size_bytes)
{
    uint64_t value = 0;
    for (int i = size_bytes; i > 0; i--)
        value = value << 8 | bytes[i - 1];
    return value;
}

void state_put_u32(struct buf *out, uint32_t value)
{
    uint8_t bytes[4];
    put_le(bytes, value, 4);
    buf_append(out, bytes, 4);
}

void state_put_u64(struct buf *out, uint64_t value)
{
    uint8_t bytes[8];
    put_le(bytes, value, 8);
    buf_append(out, bytes, 8);
}

void state_put_varint_slow(struct buf *out, uint64_t value)
{
    uint8_t bytes[VARINT_MAX];
    buf_append(out, bytes, (size_t)(record_varint(bytes, value) - bytes));
}

void state_put_bytes(struct buf *out, const void *bytes, size_t size_bytes)
{
    state_put_varint(out, size_bytes);
    buf_append(out, bytes, size_bytes);
}

static bool has_bytes(struct state_bytes *in, size_t size_bytes)
{
    if ((size_t)(in->end - in->at) < size_bytes)
        in->failed = true;
    return !in->failed;
}

static uint64_t get_fixed(struct state_bytes *in, int size_bytes)
{
    if (!has_bytes(in, (size_t)size_bytes))
        return 0;
    in->at += size_bytes;
    return get_le(in->at - size_bytes, size_bytes);
}

uint32_t state_get_u32(struct state_bytes *in)
{
    return (uint32_t)get_fixed(in, 4);
}

uint64_t state_get_u64(struct state_bytes *in)
{
    return get_fixed(in, 8);
}

uint8_t state_get_byte(struct state_bytes *in)
{
    return (uint8_t)get_fixed(in, 1);
}

uint64_t state_get_varint(struct state_bytes *in)
{
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 64; shift += 7) {
        uint8_t byte = state_get_byte(in);
        if (in->failed)
            return 0;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80))
            return value;
    }
    in->failed = true;
    return 0;
}

const uint8_t *state_get_bytes(struct state_bytes *in, size_t *size_bytes)
{
    static const uint8_t nothing[1];
    uint64_t size = state_get_varint(in);
    *size_bytes = 0;
    if (in->failed || size > (size_t)(in->end - in->at)) {
        in->failed = true;
        return nothing;
    }
    *size_bytes = (size_t)size;
    in->at += size;
    return in->at - size;
}

enum status state_get_end(const struct state_bytes *in, const char *what, struct error *err)
{
    if (in->failed || in->at != in->end)
        return error_set(err, ERR_CORRUPT, "the stored state of %s is not what was written", what);
    return OK;
}

enum status state_version_error(const char *what, uint32_t version, uint32_t own, struct error *err)
{
    if (version > own) {
        error_set(err, ERR_UNSUPPORTED, "%s has version %u, of a newer leat: this one reads %u",
                  what, version, own);
        error_hint(err, "run it with the leat that wrote it, or a newer one");
    } else {
        error_set(err, ERR_UNSUPPORTED,
                  "%s has version %u, which no released leat has written: this one reads %u", what,
                  version, own);
    }
    return ERR_UNSUPPORTED;
}

/* ---- out ---- */

void state_block_free(struct state_block *block)
{
    if (!block)
        return;
    buf_fini(&block->bytes);
    mem_release(block->owner, block->reserved_bytes);
    mem_free(block);
}

void state_block_seal(struct state_block *block)
{
    uint8_t *header = block->bytes.data;
    put_le(header, MAGIC, 4);
    put_le(header + 8, block->bytes.length - STATE_BLOCK_HEADER_BYTES, 4);
    put_le(header + 12, block->operator_id, 4);
    put_le(header + 16, block->epoch, 8);
    put_le(header + 24, STATE_BLOCK_VERSION, 2);
    header[26] = block->first_key_group;
    header[27] = block->last_key_group;
    put_le(header + 28, block->record_count, 4);
    put_le(header + 4, crc32c(0, header + 8, block->bytes.length - 8), 4);
}

static void give_block(struct state_out *out)
{
    struct state_block *block = out->block;
    if (!block)
        return;
    out->block = NULL;
    out->bytes += block->bytes.length;
    out->give(out->context, block);
}

void state_out_take(struct state_out *out, struct state_block *block)
{
    must(!out->block);
    block->operator_id = out->operator_id;
    block->epoch = out->epoch;
    block->next = NULL;
    out->block = block;
    give_block(out);
}

static enum status new_block(struct state_out *out, size_t record_bytes, struct error *err)
{
    size_t size = STATE_BLOCK_HEADER_BYTES + record_bytes;
    size = size < STATE_BLOCK_BYTES ? STATE_BLOCK_BYTES : size;
    TRY(mem_reserve(out->owner, size, err));
    struct state_block *block = mem_calloc(1, sizeof(*block));
    if (!block) {
        mem_release(out->owner, size);
        return error_memory(err, "a snapshot", size);
    }
    block->owner = out->owner;
    block->reserved_bytes = size;
    buf_init(&block->bytes, size);
    uint8_t *room = buf_room(&block->bytes, size);
    if (!room) {
        state_block_free(block);
        return error_memory(err, "a snapshot", size);
    }
    memset(room, 0, STATE_BLOCK_HEADER_BYTES);
    block->bytes.length = STATE_BLOCK_HEADER_BYTES;
    block->operator_id = out->operator_id;
    block->epoch = out->epoch;
    block->first_key_group = KEY_GROUP_COUNT - 1;
    out->block = block;
    return OK;
}

void state_out_record(struct state_out *out, const struct state_record *record)
{
    uint64_t size = (uint64_t)record->key_bytes + record->value_bytes + RECORD_EXTRA;
    if (out->failure.code != OK)
        return;
    if (size > BLOCK_MAX - STATE_BLOCK_HEADER_BYTES) {
        error_set(&out->failure, ERR_LIMIT, "a key and its state of %llu bytes",
                  (unsigned long long)size);
        return;
    }
    if (out->block && out->block->bytes.length + size > out->block->reserved_bytes)
        give_block(out);
    if (!out->block && new_block(out, size, &out->failure) != OK)
        return;
    struct buf *bytes = &out->block->bytes;
    uint8_t *first = bytes->data + bytes->length, *at = record_head(first, record);
    if (record->kind != RECORD_DROP) {
        at = record_varint(at, record->value_bytes);
        memcpy(at, record->key, record->key_bytes);
        at += record->key_bytes;
        if (record->value_bytes)
            memcpy(at, record->value, record->value_bytes);
        at += record->value_bytes;
    }
    bytes->length += (size_t)(at - first);
    record_note(out, record, (uint64_t)(at - first));
}

void state_out_end(struct state_out *out)
{
    give_block(out);
}

void state_out_drop(struct state_out *out)
{
    state_block_free(out->block);
    out->block = NULL;
}

/* ---- in ---- */

static enum status damaged(const char *what, struct error *err)
{
    return error_set(err, ERR_CORRUPT, "a block of state %s", what);
}

enum status state_block_check(const uint8_t *bytes, size_t size_bytes, struct state_block_info *out,
                              struct error *err)
{
    if (size_bytes < STATE_BLOCK_HEADER_BYTES)
        return damaged("is cut off", err);
    uint64_t payload = get_le(bytes + 8, 4);
    if (get_le(bytes, 4) != MAGIC)
        return damaged("does not begin as one", err);
    if (payload > BLOCK_MAX || payload > size_bytes - STATE_BLOCK_HEADER_BYTES)
        return damaged("is cut off", err);
    size_t size = STATE_BLOCK_HEADER_BYTES + (size_t)payload;
    if (get_le(bytes + 4, 4) != crc32c(0, bytes + 8, size - 8))
        return damaged("has another checksum than was written", err);
    if (get_le(bytes + 24, 2) != STATE_BLOCK_VERSION)
        return state_version_error("a block of state", (uint32_t)get_le(bytes + 24, 2),
                                   STATE_BLOCK_VERSION, err);
    *out = (struct state_block_info){.operator_id = (uint32_t)get_le(bytes + 12, 4),
                                     .record_count = (uint32_t)get_le(bytes + 28, 4),
                                     .epoch = get_le(bytes + 16, 8),
                                     .first_key_group = bytes[26],
                                     .last_key_group = bytes[27],
                                     .size_bytes = size};
    if (out->first_key_group > out->last_key_group || out->last_key_group >= KEY_GROUP_COUNT)
        return damaged("has key groups that do not exist", err);
    return OK;
}

void state_records_init(struct state_records *records, const uint8_t *block,
                        const struct state_block_info *info)
{
    *records = (struct state_records){block + STATE_BLOCK_HEADER_BYTES, block + info->size_bytes,
                                      info->record_count};
}

enum status state_records_next(struct state_records *records, struct state_record *out,
                               struct error *err)
{
    struct state_bytes in = {records->next, records->end, false};
    if (!records->left)
        return in.at == in.end ? ERR_END : damaged("has bytes behind its records", err);
    records->left--;
    *out = (struct state_record){.kind = (enum state_record_kind)state_get_byte(&in)};
    out->table = state_get_byte(&in);
    out->key_group = state_get_byte(&in);
    uint64_t coded = state_get_varint(&in);
    out->namespace = (int64_t)(coded >> 1 ^ -(coded & 1));
    uint64_t key_bytes = 0, value_bytes = 0;
    if (out->kind != RECORD_DROP) {
        key_bytes = state_get_varint(&in);
        value_bytes = state_get_varint(&in);
    }
    size_t room = (size_t)(in.end - in.at);
    bool has_value = out->kind == RECORD_VALUE || out->kind == RECORD_STAMPED;
    bool good = !in.failed && out->kind >= RECORD_VALUE && out->kind <= RECORD_STAMPED &&
                out->key_group < KEY_GROUP_COUNT && key_bytes <= room &&
                value_bytes <= room - key_bytes && (has_value || !value_bytes);
    if (!good)
        return damaged("has a record that is none", err);
    out->key = in.at;
    out->key_bytes = (uint32_t)key_bytes;
    out->value = in.at + key_bytes;
    out->value_bytes = (uint32_t)value_bytes;
    records->next = out->value + value_bytes;
    return OK;
}
