/* group_pending.h - offsets that were committed within transactions which are still open: they
 * count once the transaction's marker says commit, and are gone when it says abort.
 *
 * In memory and in __consumer_offsets as in Kafka: transactional batches of the producer, then its
 * marker. Owner: as struct groups.
 */
#ifndef LEAT_BROKER_GROUP_PENDING_H
#define LEAT_BROKER_GROUP_PENDING_H

#include "broker/group_record.h"

struct groups;

struct group_pending {          /* one offset; texts are its own */
    struct group_pending *next; /* in the order of the log */
    int64_t producer_id;
    int16_t producer_epoch;
    struct str group_id, topic;
    struct kafka_uuid topic_id;
    struct group_offset offset;
};

/* False: no memory. */
bool group_pending_add(struct groups *groups, int64_t producer_id, int16_t producer_epoch,
                       const struct group_record *record);
/* The producer's transaction has ended. ERR_MEMORY: a committed one could not be kept. */
enum status group_pending_end(struct groups *groups, int64_t producer_id, bool commit,
                              struct error *err) STATUS_CHECKED;
/* Is an offset of this partition undecided? */
bool group_pending_any(const struct groups *groups, struct str group_id, struct str topic,
                       int32_t partition);
/* As it stands in the log, in a batch of its own. */
void group_pending_write(struct group_writer *writer, const struct group_pending *pending);
void group_pending_free_all(struct groups *groups);

#endif
