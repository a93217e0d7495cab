/* transaction.h - the transactions of a partition that are open, or ended out of sight: they say
 * how far records are stable. Private to src/log.
 *
 * A transaction has an entry from its first batch until its marker lies below the high watermark.
 * The last stable offset is where the first of them begins: no record below it will ever be found
 * to belong to an aborted transaction that was not known as one. What was aborted is kept beside
 * the segment that has the marker (segment_aborted.c).
 *
 * Owner: the partition's lock; room is made under the append_lock, before a batch is written, as
 * nothing may fail after it.
 */
#ifndef LEAT_LOG_TRANSACTION_H
#define LEAT_LOG_TRANSACTION_H

#include "log/producer.h"
#include "log/segment.h"

struct transaction {
    int64_t producer_id;
    int64_t first_offset;
    int64_t marker_offset; /* -1: open */
};

struct transactions { /* zero-initialised: none. By rising first offset */
    struct transaction *items;
    uint32_t count, capacity;
};

void transactions_fini(struct transactions *transactions); /* empty again */
/* Room for what this batch will do, here and in the segment's list of aborted ones (segment NULL:
 * that has it already). */
enum status transactions_reserve(struct transactions *transactions, struct segment *segment,
                                 const struct producer *producer, const struct record_batch *batch,
                                 struct error *err) STATUS_CHECKED;
/* The batch, or marker, lies in the segment: producer_note, and what follows from it. */
void transactions_note(struct transactions *transactions, struct segment *segment,
                       struct producers *producers, struct producer *producer,
                       const struct record_batch *batch, int64_t now_ms);
/* As the producers say (from a snapshot). */
enum status transactions_load(struct transactions *transactions, const struct producers *producers,
                              struct error *err) STATUS_CHECKED;
/* The high watermark has risen: those that have ended below it need no entry any more. */
void transactions_shown(struct transactions *transactions, int64_t high_watermark);
/* Where the first begins that is not shown as ended; INT64_MAX: none. */
int64_t transactions_first(const struct transactions *transactions);

#endif
