/* filesystem_ledger.c - how far a directory has been committed by a sink (contracts.md rules 14,
 * 27, 32): a hidden file beside its parts, DIR/.leat-ledger-HASH of the sink's id.
 *
 * Renames cannot be in one transaction with it. So the parts of a commit get their names first,
 * durably, and then the ledger moves: it is never ahead of them, and what it lacks may be done
 * again.
 *
 * Version 1, little-endian: magic "LKFL" | u32 CRC32C of all that follows | u32 version | u32 bytes
 * of the sink's id | u64 fence | lineage (16) | u64 epoch | u64 chunk | u64 row count | the sink's
 * id.
 */
#include "connector/filesystem/filesystem_sink.h"

#include <stdio.h>

#include "base/crc32c.h"
#include "base/hash.h"

#define MAGIC        "LKFL"
#define VERSION      1
#define HEADER_BYTES 64
#define LEDGER_BYTES 8192

static void ledger_path(const struct sink *sink, char dest[PART_PATH_BYTES])
{
    snprintf(dest, PART_PATH_BYTES, "%.*s/.leat-ledger-%016llx", PART_PATH_BYTES - 100,
             sink->options.path, (unsigned long long)hash_bytes(sink->id, strlen(sink->id)));
}

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

static enum status read_bytes(const struct sink *sink, const struct buf *bytes, const char *path,
                              struct sink_ledger *out, uint64_t *fence, struct error *err)
{
    const uint8_t *from = bytes->data;
    size_t id_bytes = strlen(sink->id);
    if (bytes->length != HEADER_BYTES + id_bytes || memcmp(from, MAGIC, 4) != 0 ||
        get(from + 4, 4) != crc32c(0, from + 8, bytes->length - 8) || get(from + 8, 4) != VERSION ||
        get(from + 12, 4) != id_bytes || memcmp(from + HEADER_BYTES, sink->id, id_bytes) != 0) {
        error_set(err, ERR_CORRUPT, "'%s' is not what leat has written there for '%s'", path,
                  sink->id);
        if (err)
            err->fatal = true;
        return ERR_CORRUPT;
    }
    out->found = true;
    *fence = get(from + 16, 8);
    memcpy(out->lineage, from + 24, SINK_LINEAGE_BYTES);
    out->position = (struct sink_position){get(from + 40, 8), get(from + 48, 8), get(from + 56, 8)};
    return OK;
}

static enum status read_ledger(const struct sink *sink, struct sink_ledger *out, uint64_t *fence,
                               struct error *err)
{
    char path[PART_PATH_BYTES];
    struct error local = {0};
    struct buf bytes;
    *out = (struct sink_ledger){.found = false};
    *fence = 0;
    ledger_path(sink, path);
    buf_init(&bytes, LEDGER_BYTES);
    enum status status = io_read_file(sink->io, path, &bytes, &local);
    if (status == OK)
        status = read_bytes(sink, &bytes, path, out, fence, err);
    else if (status == ERR_NOT_FOUND)
        status = OK;
    else
        error_set(err, status, "%s", local.text);
    error_clear(&local);
    buf_fini(&bytes);
    return status;
}

static enum status write_ledger(const struct sink *sink, const struct sink_ledger *ledger,
                                uint64_t fence, struct error *err)
{
    char path[PART_PATH_BYTES];
    struct buf bytes;
    ledger_path(sink, path);
    buf_init(&bytes, LEDGER_BYTES);
    buf_append(&bytes, MAGIC "\0\0\0\0", 8);
    put(&bytes, VERSION, 4);
    put(&bytes, strlen(sink->id), 4);
    put(&bytes, fence, 8);
    buf_append(&bytes, ledger->lineage, SINK_LINEAGE_BYTES);
    put(&bytes, ledger->position.epoch, 8);
    put(&bytes, ledger->position.chunk, 8);
    put(&bytes, ledger->position.row_count, 8);
    buf_append_text(&bytes, sink->id);
    enum status status = buf_check(&bytes, "a sink's ledger", err);
    if (status == OK) {
        uint32_t crc = crc32c(0, bytes.data + 8, bytes.length - 8);
        for (int i = 0; i < 4; i++)
            bytes.data[4 + i] = (uint8_t)(crc >> (8 * i));
        status = io_publish(sink->io, path, bytes.data, bytes.length, err);
    }
    buf_fini(&bytes);
    return status;
}

static enum status fenced(const struct sink *sink, struct error *err)
{
    error_set(err, ERR_FENCED, "another leat has taken over what '%s' writes into '%s'", sink->id,
              sink->options.path);
    error_hint(err, "one job at a time may write a table into a directory");
    if (err)
        err->fatal = true;
    return ERR_FENCED;
}

enum status ledger_exists(const struct sink *sink, bool *out, struct error *err)
{
    struct sink_ledger ledger;
    uint64_t fence;
    TRY(read_ledger(sink, &ledger, &fence, err));
    *out = ledger.found;
    return OK;
}

enum status ledger_take(struct sink *sink, struct sink_ledger *out, struct error *err)
{
    uint64_t fence;
    TRY(read_ledger(sink, out, &fence, err));
    if (!out->found)
        return OK;
    if (sink->fence)
        return sink->fence == fence ? OK : fenced(sink, err);
    TRY(write_ledger(sink, out, fence + 1, err));
    sink->fence = fence + 1;
    return OK;
}

enum status ledger_is(const struct sink *sink, const struct sink_ledger *wanted, struct error *err)
{
    struct sink_ledger there;
    uint64_t fence;
    TRY(read_ledger(sink, &there, &fence, err));
    bool same = there.found == wanted->found &&
                (!there.found || (fence == sink->fence &&
                                  memcmp(there.lineage, wanted->lineage, SINK_LINEAGE_BYTES) == 0 &&
                                  there.position.epoch == wanted->position.epoch &&
                                  there.position.chunk == wanted->position.chunk));
    return same ? OK : fenced(sink, err);
}

enum status ledger_move(struct sink *sink, const struct sink_ledger *after, struct error *err)
{
    uint64_t fence = sink->fence ? sink->fence : 1;
    TRY(write_ledger(sink, after, fence, err));
    sink->fence = fence;
    return OK;
}
