/* manifest.c - a manifest as bytes (version 4, little-endian), two equal copies one after the
 * other:
 *
 *   copy: u32 magic "LKM1" | u32 CRC32C of all that follows | u32 bytes that follow this field
 *         u16 version | u8 end | u8 0 | u64 epoch | i64 created | lineage (16) | parent (16)
 *         u64 parent epoch | u32 next operator id | u64 next segment | u64 live bytes
 *         text job name | text statement
 *         varint the epoch that wrote key group 0 whole | ... of key group 127
 *         varint operators: u32 id | text name | text shape | text upstream | varint blobs: bytes
 *         varint segments: u64 number | u64 size | u64 last epoch
 *
 * Text and bytes: varint length, content. A text has no NUL in it. One good copy is enough.
 */
#include "state/checkpoint.h"

#include "base/crc32c.h"
#include "base/must.h"

#define MAGIC        0x314d4b4cu /* "LKM1" */
#define VERSION      4
#define HEADER_BYTES 12u
#define ARENA_MAX    ((size_t)1 << 30)
#define PIECE_MIN    4u /* bytes that an operator, a blob or a segment takes at least; see counts */

static void put_text(struct buf *out, const char *text)
{
    state_put_bytes(out, text, strlen(text));
}

static void put_body(const struct checkpoint *checkpoint, struct buf *out)
{
    buf_append_byte(out, VERSION);
    buf_append_byte(out, 0);
    buf_append_byte(out, (uint8_t)checkpoint->end);
    buf_append_byte(out, 0);
    state_put_u64(out, checkpoint->epoch);
    state_put_u64(out, (uint64_t)checkpoint->created_us);
    buf_append(out, checkpoint->lineage, CHECKPOINT_LINEAGE_BYTES);
    buf_append(out, checkpoint->parent, CHECKPOINT_LINEAGE_BYTES);
    state_put_u64(out, checkpoint->parent_epoch);
    state_put_u32(out, checkpoint->next_operator_id);
    state_put_u64(out, checkpoint->next_segment);
    state_put_u64(out, checkpoint->live_bytes);
    put_text(out, checkpoint->job_name);
    put_text(out, checkpoint->statement);
    for (uint32_t g = 0; g < KEY_GROUP_COUNT; g++)
        state_put_varint(out, checkpoint->bases[g]);
    state_put_varint(out, checkpoint->operator_count);
    for (uint32_t i = 0; i < checkpoint->operator_count; i++) {
        const struct checkpoint_operator *operator= & checkpoint->operators[i];
        state_put_u32(out, operator->id);
        put_text(out, operator->name);
        put_text(out, operator->shape);
        put_text(out, operator->upstream);
        state_put_varint(out, operator->blob_count);
        for (uint32_t b = 0; b < operator->blob_count; b++)
            state_put_bytes(out, operator->blobs[b].data, operator->blobs[b].length);
    }
    state_put_varint(out, checkpoint->segment_count);
    for (uint32_t i = 0; i < checkpoint->segment_count; i++) {
        state_put_u64(out, checkpoint->segments[i].number);
        state_put_u64(out, checkpoint->segments[i].size_bytes);
        state_put_u64(out, checkpoint->segments[i].last_epoch);
    }
}

static void set_u32(uint8_t *dest, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        dest[i] = (uint8_t)(value >> (8 * i));
}

void checkpoint_encode(const struct checkpoint *checkpoint, struct buf *out)
{
    for (int copy = 0; copy < 2; copy++) {
        size_t first = out->length;
        state_put_u32(out, MAGIC);
        state_put_u32(out, 0);
        state_put_u32(out, 0);
        put_body(checkpoint, out);
        if (out->failed)
            return;
        uint8_t *bytes = out->data + first;
        size_t size = out->length - first;
        set_u32(bytes + 8, (uint32_t)(size - HEADER_BYTES));
        set_u32(bytes + 4, crc32c(0, bytes + 8, size - 8));
    }
}

/* ---- reading ---- */

static const char *get_text(struct state_bytes *in, struct arena *arena)
{
    size_t size;
    const uint8_t *bytes = state_get_bytes(in, &size);
    if (size && memchr(bytes, 0, size))
        in->failed = true;
    return arena_strndup(arena, (const char *)bytes, size);
}

/* A number of things of which each takes a few bytes: more than there can be is damage. */
static uint32_t get_count(struct state_bytes *in, uint32_t least_bytes)
{
    uint64_t count = state_get_varint(in);
    if (count > (size_t)(in->end - in->at) / least_bytes)
        in->failed = true;
    return in->failed ? 0 : (uint32_t)count;
}

static void get_operator(struct state_bytes *in, struct arena *arena,
                         struct checkpoint_operator *out)
{
    out->id = state_get_u32(in);
    out->name = get_text(in, arena);
    out->shape = get_text(in, arena);
    out->upstream = get_text(in, arena);
    out->blob_count = get_count(in, 1);
    struct str *blobs = ARENA_ARRAY(arena, out->blob_count + 1, struct str);
    for (uint32_t b = 0; blobs && b < out->blob_count; b++) {
        size_t size;
        const uint8_t *bytes = state_get_bytes(in, &size);
        blobs[b] = (struct str){arena_strndup(arena, (const char *)bytes, size), size};
    }
    out->blobs = blobs;
}

static void get_lineage(struct state_bytes *in, uint8_t *out)
{
    for (int i = 0; i < CHECKPOINT_LINEAGE_BYTES; i++)
        out[i] = state_get_byte(in);
}

static void get_body(struct state_bytes *in, struct checkpoint *out)
{
    struct arena *arena = &out->arena;
    uint8_t end = state_get_byte(in);
    in->failed |= end > CHECKPOINT_FINISHED || state_get_byte(in) != 0;
    out->end = (enum checkpoint_end)end;
    out->epoch = state_get_u64(in);
    out->created_us = (int64_t)state_get_u64(in);
    get_lineage(in, out->lineage);
    get_lineage(in, out->parent);
    out->parent_epoch = state_get_u64(in);
    out->next_operator_id = state_get_u32(in);
    out->next_segment = state_get_u64(in);
    out->live_bytes = state_get_u64(in);
    out->job_name = get_text(in, arena);
    out->statement = get_text(in, arena);
    for (uint32_t g = 0; g < KEY_GROUP_COUNT; g++)
        out->bases[g] = state_get_varint(in);
    out->operator_count = get_count(in, PIECE_MIN);
    struct checkpoint_operator *operators =
        ARENA_ARRAY(arena, out->operator_count + 1, struct checkpoint_operator);
    for (uint32_t i = 0; operators && i < out->operator_count; i++)
        get_operator(in, arena, &operators[i]);
    out->operators = operators;
    out->segment_count = get_count(in, 24);
    struct checkpoint_segment *segments =
        ARENA_ARRAY(arena, out->segment_count + 1, struct checkpoint_segment);
    for (uint32_t i = 0; segments && i < out->segment_count; i++) {
        segments[i].number = state_get_u64(in);
        segments[i].size_bytes = state_get_u64(in);
        segments[i].last_epoch = state_get_u64(in);
    }
    out->segments = segments;
}

static enum status damaged(const char *what, struct error *err)
{
    return error_set(err, ERR_CORRUPT, "a checkpoint's manifest %s", what);
}

static enum status decode_copy(struct state_bytes *all, struct checkpoint *out, struct error *err)
{
    const uint8_t *first = all->at;
    struct state_bytes in = *all;
    uint32_t magic = state_get_u32(&in), crc = state_get_u32(&in), size = state_get_u32(&in);
    if (in.failed || magic != MAGIC)
        return damaged("does not begin as one", err);
    if (size > (size_t)(in.end - in.at))
        return damaged("is cut off", err);
    in.end = all->at = in.at + size;
    if (crc != crc32c(0, first + 8, (size_t)(in.end - first) - 8))
        return damaged("has another checksum than was written", err);
    uint32_t version = state_get_byte(&in);
    version |= (uint32_t)state_get_byte(&in) << 8;
    if (version != VERSION)
        return state_version_error("a checkpoint's manifest", version, VERSION, err);
    arena_init(&out->arena, NULL, ARENA_MAX);
    get_body(&in, out);
    enum status status = arena_check(&out->arena, "a checkpoint's manifest", err);
    if (status == OK)
        status = state_get_end(&in, "a manifest", err);
    if (status != OK)
        arena_fini(&out->arena);
    return status;
}

enum status checkpoint_decode(const uint8_t *bytes, size_t size_bytes, struct checkpoint *out,
                              struct error *err)
{
    struct state_bytes first = {bytes, bytes + size_bytes, false};
    struct error first_error = {0};
    *out = (struct checkpoint){0};
    if (decode_copy(&first, out, &first_error) == OK)
        return OK;
    /* the copies have the same size */
    struct state_bytes second = {bytes + size_bytes / 2, bytes + size_bytes, false};
    *out = (struct checkpoint){0};
    if (size_bytes % 2 == 0 && decode_copy(&second, out, NULL) == OK)
        return OK;
    *out = (struct checkpoint){0};
    if (err && err->code == OK)
        *err = first_error;
    return first_error.code;
}

const struct checkpoint_operator *checkpoint_find(const struct checkpoint *checkpoint,
                                                  const char *name)
{
    for (uint32_t i = 0; i < checkpoint->operator_count; i++)
        if (strcmp(checkpoint->operators[i].name, name) == 0)
            return &checkpoint->operators[i];
    return NULL;
}

void checkpoint_free(struct checkpoint *checkpoint)
{
    if (!checkpoint)
        return;
    arena_fini(&checkpoint->arena);
    mem_free(checkpoint);
}
