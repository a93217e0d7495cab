/* producer_file.c - the producers' snapshots on disk, and their state found again at the start.
 *
 * A snapshot is written when a segment is persisted and at a clean stop; what the log has behind it
 * is walked over at the start, headers only. Kept are the newest and, while the recovery point lies
 * before it, the newest up to there: segments that a recovery verifies need the state at their
 * beginning, to find their aborted transactions. Format: producer.h.
 */
#include "log/producer.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "base/must.h"
#include "kafka/bytes.h"
#include "log/log_int.h"

#define SNAPSHOT_VERSION      1
#define SNAPSHOT_HEADER_BYTES 10
#define SNAPSHOT_CRC_START    6
#define SNAPSHOT_ENTRY_BYTES  46
#define SNAPSHOT_MAX_BYTES                                                                         \
    (SNAPSHOT_HEADER_BYTES + (size_t)PRODUCERS_MAX * PRODUCER_BATCHES_MAX * SNAPSHOT_ENTRY_BYTES)

/* ---- bytes ---- */

/* Of one batch that is remembered; NULL: of an epoch without one. */
static void entry_encode(uint8_t *at, const struct producer *producer,
                         const struct producer_batch *batch)
{
    static const struct producer_batch none = {
        .last_sequence = -1, .last_offset = -1, .timestamp_ms = -1};
    if (!batch)
        batch = &none;
    put_be64(at, (uint64_t)producer->id);
    put_be16(at + 8, (uint16_t)producer->epoch);
    put_be32(at + 10, (uint32_t)batch->last_sequence);
    put_be64(at + 14, (uint64_t)batch->last_offset);
    put_be32(at + 22, (uint32_t)batch->offset_delta);
    put_be64(at + 26, (uint64_t)batch->timestamp_ms);
    put_be32(at + 34, UINT32_MAX);
    put_be64(at + 38, (uint64_t)producer->txn_first_offset);
}

static uint32_t entries_of(const struct producer *producer)
{
    return producer->batch_count == 0 && producer->epoch >= 0 ? 1 : producer->batch_count;
}

void producers_encode(const struct producers *producers, struct buf *out)
{
    size_t start = out->length;
    uint32_t entry_count = 0;
    const struct producer *producer;

    for (producer = producers->oldest; producer; producer = producer->newer)
        entry_count += entries_of(producer);
    size_t size_bytes = SNAPSHOT_HEADER_BYTES + (size_t)entry_count * SNAPSHOT_ENTRY_BYTES;
    uint8_t *at = buf_room(out, size_bytes);
    if (!at)
        return;
    put_be16(at, SNAPSHOT_VERSION);
    put_be32(at + SNAPSHOT_CRC_START, entry_count);
    at += SNAPSHOT_HEADER_BYTES;
    for (producer = producers->oldest; producer; producer = producer->newer)
        for (uint32_t i = 0; i < entries_of(producer); i++, at += SNAPSHOT_ENTRY_BYTES)
            entry_encode(at, producer, producer->batch_count ? &producer->batches[i] : NULL);
    out->length += size_bytes;
    put_be32(out->data + start + 2,
             crc32c(0, out->data + start + SNAPSHOT_CRC_START, size_bytes - SNAPSHOT_CRC_START));
}

/* As if the entry's batch had been appended. */
static enum status entry_decode(struct producers *producers, const uint8_t *at, int64_t now_ms,
                                struct error *err)
{
    struct producer *producer;
    int32_t last_sequence = (int32_t)get_be32(at + 10);
    int64_t last_offset = (int64_t)get_be64(at + 14);
    int64_t txn_first_offset = (int64_t)get_be64(at + 38);
    struct record_batch batch = {
        .producer_id = (int64_t)get_be64(at),
        .producer_epoch = (int16_t)get_be16(at + 8),
        .last_offset_delta = (int32_t)get_be32(at + 22),
        .max_timestamp_ms = (int64_t)get_be64(at + 26),
    };

    bool none = last_sequence == -1 && last_offset == -1;
    if (batch.producer_id < 0 || batch.producer_epoch < 0 || txn_first_offset < -1 ||
        batch.last_offset_delta < 0 ||
        (!none && (last_sequence < 0 || last_offset < batch.last_offset_delta)))
        return error_set(err, ERR_CORRUPT, "an entry of a snapshot of producers makes no sense");
    batch.base_offset = last_offset - batch.last_offset_delta;
    batch.base_sequence = -1;
    if (!none)
        batch.base_sequence =
            (int32_t)(((int64_t)last_sequence - batch.last_offset_delta) & INT32_MAX);
    TRY(producers_reserve(producers, batch.producer_id, now_ms, &producer, err));
    producer_note(producers, producer, &batch, now_ms);
    producer->txn_first_offset = txn_first_offset;
    return OK;
}

enum status producers_decode(struct producers *producers, const uint8_t *bytes, size_t size_bytes,
                             int64_t now_ms, struct error *err)
{
    enum status status = OK;

    producers_fini(producers);
    if (size_bytes < SNAPSHOT_HEADER_BYTES || get_be16(bytes) != SNAPSHOT_VERSION ||
        (size_bytes - SNAPSHOT_HEADER_BYTES) / SNAPSHOT_ENTRY_BYTES !=
            get_be32(bytes + SNAPSHOT_CRC_START) ||
        (size_bytes - SNAPSHOT_HEADER_BYTES) % SNAPSHOT_ENTRY_BYTES != 0 ||
        crc32c(0, bytes + SNAPSHOT_CRC_START, size_bytes - SNAPSHOT_CRC_START) !=
            get_be32(bytes + 2))
        return error_set(err, ERR_CORRUPT, "a snapshot of producers is damaged");
    for (size_t at = SNAPSHOT_HEADER_BYTES; status == OK && at < size_bytes;
         at += SNAPSHOT_ENTRY_BYTES)
        status = entry_decode(producers, bytes + at, now_ms, err);
    if (status != OK)
        producers_fini(producers);
    return status;
}

/* ---- files ---- */

static void snapshot_path(const struct log_partition *partition, int64_t offset, char *dest)
{
    snprintf(dest, LOG_PATH_MAX, "%s/%020" PRId64 ".snapshot", partition->directory, offset);
}

static enum status snapshot_unlink(struct log_partition *partition, int64_t offset,
                                   struct error *err)
{
    char path[LOG_PATH_MAX];
    struct error local = {0};

    snapshot_path(partition, offset, path);
    enum status status = partition->log->io->ops->unlink(partition->log->io, path, &local);
    if (status == OK || status == ERR_NOT_FOUND)
        return OK;
    return error_set(err, status, "%s", local.text);
}

enum status producers_write(struct log_partition *partition, int64_t offset,
                            const struct buf *snapshot, struct error *err)
{
    char path[LOG_PATH_MAX];
    int64_t before = partition->snapshot_offset, removed = before;

    if (offset == before)
        return OK;
    snapshot_path(partition, offset, path);
    TRY(io_publish(partition->log->io, path, snapshot->data, snapshot->length, err));
    partition->snapshot_offset = offset;
    if (before <= partition->recovery_point) {
        removed = partition->snapshot_base;
        partition->snapshot_base = before;
    }
    return removed >= 0 ? snapshot_unlink(partition, removed, err) : OK;
}

struct snapshots { /* found, by rising offset; beyond the room the oldest are left */
    struct log_partition *partition;
    int64_t offsets[16];
    uint32_t count;
    bool removed;
};

/* What replaces it must not be lost in a crash that comes after a kill. */
static enum status remove_snapshot(struct snapshots *found, int64_t offset, struct error *err)
{
    struct log_partition *partition = found->partition;
    if (!found->removed)
        TRY(partition->log->io->ops->sync_directory(partition->log->io, partition->directory, err));
    found->removed = true;
    return snapshot_unlink(partition, offset, err);
}

static enum status found_snapshot(void *context, const char *name, struct error *err)
{
    struct snapshots *found = context;
    struct str text = str_of(name);
    int64_t offset;

    if (text.length != 29 || strcmp(name + 20, ".snapshot") != 0 ||
        !str_to_i64((struct str){name, 20}, &offset, NULL) || offset < 0)
        return OK;
    if (found->count == COUNT_OF(found->offsets)) {
        TRY(remove_snapshot(found, found->offsets[0], err));
        memmove(found->offsets, found->offsets + 1, --found->count * sizeof(found->offsets[0]));
    }
    found->offsets[found->count++] = offset;
    return OK;
}

/* ERR_CORRUPT: not to be used. */
static enum status snapshot_read(struct log_partition *partition, int64_t offset, struct error *err)
{
    struct io *io = partition->log->io;
    char path[LOG_PATH_MAX];
    struct buf bytes;

    snapshot_path(partition, offset, path);
    buf_init(&bytes, SNAPSHOT_MAX_BYTES);
    enum status status = io_read_file(io, path, &bytes, err);
    if (status == ERR_LIMIT)
        status = ERR_CORRUPT;
    if (status == OK)
        status = producers_decode(&partition->producers, bytes.data, bytes.length,
                                  io_wall_us(io) / 1000, err);
    buf_fini(&bytes);
    return status;
}

/* Take the newest snapshot that is sound and not past `from`; the others go. */
static enum status load_newest(struct snapshots *found, int64_t from, struct error *err)
{
    struct log_partition *partition = found->partition;

    partition->snapshot_offset = partition->snapshot_base = -1;
    for (uint32_t i = found->count; i > 0; i--) {
        int64_t offset = found->offsets[i - 1];
        struct error local = {0};
        if (partition->snapshot_offset > partition->recovery_point &&
            partition->snapshot_base < 0 && offset <= partition->recovery_point) {
            partition->snapshot_base = offset;
            continue;
        }
        if (partition->snapshot_offset < 0 && offset <= from) {
            enum status status = snapshot_read(partition, offset, &local);
            if (status == OK) {
                partition->snapshot_offset = offset;
                continue;
            }
            if (status != ERR_CORRUPT)
                return error_set(err, status, "%s", local.text);
            logger_write(LOG_WARN, "log", "partition %s: snapshot %020" PRId64 " is ignored: %s",
                         partition->name, offset, local.text);
        }
        TRY(remove_snapshot(found, offset, err));
    }
    return OK;
}

static enum status replay_batch(struct log_partition *partition, struct segment *segment,
                                const struct record_batch *batch, int64_t now_ms, struct error *err)
{
    struct producer *producer;
    struct transactions *transactions = &partition->transactions;
    if (!segment->aborted_unknown)
        segment = NULL; /* its file has them */
    TRY(producers_reserve(&partition->producers, batch->producer_id, now_ms, &producer, err));
    TRY(transactions_reserve(transactions, segment, producer, batch, err));
    transactions_note(transactions, segment, &partition->producers, producer, batch, now_ms);
    return OK;
}

/* The batches of a segment from offset `start` on. Damage ends it: readers meet it and say so. */
static enum status replay(struct log_partition *partition, struct segment *segment, int64_t start,
                          struct error *err)
{
    struct segment_walk walk = {0};
    struct record_batch batch;
    struct error local = {0};
    uint64_t position;
    int64_t now_ms = io_wall_us(partition->log->io) / 1000;
    enum status status;

    TRY(segment_walk_open(&walk, segment, 0, segment->size_bytes, false, err));
    while ((status = segment_walk_next(&walk, &batch, &position, &local)) == OK) {
        if (batch.producer_id < 0 || batch.base_offset < start)
            continue;
        status = replay_batch(partition, segment, &batch, now_ms, &local);
        if (status != OK)
            break;
    }
    segment_walk_close(&walk);
    if (status == ERR_END || status == ERR_CORRUPT)
        return OK;
    return error_set(err, status, "%s", local.text);
}

enum status producers_recover(struct log_partition *partition, int64_t from, bool *out_removed,
                              struct error *err)
{
    struct io *io = partition->log->io;
    struct snapshots found = {.partition = partition};

    producers_fini(&partition->producers);
    TRY(io->ops->list(io, partition->directory, found_snapshot, &found, err));
    TRY(load_newest(&found, from < partition->end ? from : partition->end, err));
    *out_removed |= found.removed;
    TRY(transactions_load(&partition->transactions, &partition->producers, err));
    for (uint32_t i = 0; i < partition->segment_count; i++)
        if (partition->segments[i]->next_offset > partition->snapshot_offset)
            TRY(replay(partition, partition->segments[i], partition->snapshot_offset, err));
    transactions_shown(&partition->transactions, partition->high_watermark);
    return OK;
}
