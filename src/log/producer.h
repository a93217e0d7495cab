/* producer.h - what a partition remembers of its idempotent and transactional producers. Private to
 * src/log.
 *
 * A producer numbers its records (sequence, 31 bits, wrapping) within an epoch. A batch is appended
 * when its first number follows the last one; one of the last five batches sent again is a
 * duplicate and answered with the offsets it has; anything else is refused. As in Kafka, a producer
 * that is not known (its state expired, or its records are gone) may begin with any number. A batch
 * without a sequence is the broker's own and is not judged.
 *
 * A producer's first transactional batch begins its transaction in this partition, a marker ends
 * it; transaction.h follows from that what may be shown. While it is open the producer is not
 * forgotten.
 *
 *   BASE.snapshot  version i16 = 1 | crc32c u32 of what follows | count i32 | entries   big-endian
 *     entry: id i64, epoch i16, last sequence i32, last offset i64, offset delta i32, timestamp
 * i64, coordinator epoch i32 = -1, first offset of its open transaction i64 (-1: none)
 *
 * Kafka's own layout and names: the state before the batch at offset BASE. Kafka writes one entry a
 * producer, leat one for each batch remembered, the newest last: Kafka's reader takes the last of
 * an id, so it reads ours too. One without a batch (last sequence and offset -1) is an epoch that a
 * marker has told. A missing or damaged snapshot costs a walk over the log's headers, never the
 * state.
 *
 * Owner: the table belongs to the partition's append_lock.
 */
#ifndef LEAT_LOG_PRODUCER_H
#define LEAT_LOG_PRODUCER_H

#include "base/mem.h"
#include "kafka/record.h"

#define PRODUCER_BATCHES_MAX 5 /* remembered of each, as in Kafka */
#define PRODUCERS_MAX                                                                              \
    100000 /* of a partition; past them, or the memory limit, the least                            \
              recent is forgotten */

struct producer_batch {
    int64_t last_offset;
    int64_t timestamp_ms; /* the largest */
    int32_t last_sequence;
    int32_t offset_delta; /* last less first */
};

struct producer {
    int64_t id;
    int64_t seen_ms;          /* its last append, or when it was read back */
    int64_t txn_first_offset; /* of its open transaction; -1: none */
    struct producer *older, *newer;
    struct producer *chain; /* of its bucket */
    int16_t epoch;          /* -1: nothing is known yet */
    uint16_t batch_count;
    struct producer_batch batches[PRODUCER_BATCHES_MAX]; /* oldest first */
};

struct producers {           /* zero-initialised but for the owner: empty */
    struct mem_owner *owner; /* NULL: not counted */
    struct producer **buckets;
    uint32_t bucket_count, count;
    struct producer *oldest, *newest;
};

void producers_fini(struct producers *producers); /* empty again */
/* The producer of this id, made where there is none. */
enum status producers_reserve(struct producers *producers, int64_t id, int64_t now_ms,
                              struct producer **out, struct error *err) STATUS_CHECKED;
/* Forget who has not been seen since and has no open transaction. *out_next: when the next one has
 * to go (its seen_ms), INT64_MAX: nobody. */
void producers_expire(struct producers *producers, int64_t before_ms, int64_t *out_next);

/* May this batch, or marker, be appended? *out_duplicate: no, it is there (NULL: it may).
 * ERR_SEQUENCE, ERR_FENCED, ERR_TRANSACTION. */
enum status producer_check(const struct producer *producer, const struct record_batch *batch,
                           const struct producer_batch **out_duplicate,
                           struct error *err) STATUS_CHECKED;
/* It was appended (the batch, or marker, has its offset). */
void producer_note(struct producers *producers, struct producer *producer,
                   const struct record_batch *batch, int64_t now_ms);

/* ---- producer_file.c ---- */

struct log_partition;

/* The bytes of a snapshot; failures are out's sticky one. */
void producers_encode(const struct producers *producers, struct buf *out);
/* ERR_CORRUPT: not a snapshot; the table is then empty. */
enum status producers_decode(struct producers *producers, const uint8_t *bytes, size_t size_bytes,
                             int64_t now_ms, struct error *err) STATUS_CHECKED;
/* Publish the state before `offset`. files_lock held. Kept besides is the newest snapshot that a
 * recovery would begin with (not past the recovery point); others go. */
enum status producers_write(struct log_partition *partition, int64_t offset,
                            const struct buf *snapshot, struct error *err) STATUS_CHECKED;
/* The state at the end of the partition: the newest snapshot not past `from`, and the log from
 * there on, which also fills in the aborted transactions of segments that say so. Removes the
 * snapshots that do not count (*out_removed). In log_open, offsets and segments known. */
enum status producers_recover(struct log_partition *partition, int64_t from, bool *out_removed,
                              struct error *err) STATUS_CHECKED;

#endif
