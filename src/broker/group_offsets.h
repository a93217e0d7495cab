/* group_offsets.h - the offsets that a group has committed: per topic, per partition, sorted.
 *
 * A topic is known by its id too: what was committed to a topic that has been deleted does not hold
 * for another one of that name. Memory is the group's owner's.
 */
#ifndef LEAT_BROKER_GROUP_OFFSETS_H
#define LEAT_BROKER_GROUP_OFFSETS_H

#include "broker/group.h"

struct group_offset {
    int32_t partition;
    int32_t leader_epoch; /* -1: unknown */
    int64_t offset;
    int64_t commit_ms;   /* wall time */
    int64_t expire_ms;   /* wall time; -1: the broker's retention */
    struct str metadata; /* not NULL */
};

struct group_offset_topic {
    struct str name;
    struct kafka_uuid id; /* all zero: unknown */
    struct group_offset *items;
    uint32_t count, room;
};

struct group_offsets {
    struct group_offset_topic *topics;
    uint32_t count, room;
};

/* Copies. False: no memory; then nothing has changed. Entries of another topic of this name go. */
bool group_offsets_set(struct group *group, struct str topic, const struct kafka_uuid *id,
                       const struct group_offset *offset);
void group_offsets_remove(struct group *group, struct str topic, int32_t partition);
void group_offsets_free(struct group *group);
/* NULL: there is none. */
const struct group_offset_topic *group_offsets_topic(const struct group *group, struct str topic);
const struct group_offset *group_offsets_find(const struct group_offset_topic *topic,
                                              int32_t partition);
bool group_offsets_any(const struct group *group);
/* Kafka's rule (KIP-211): may this one go, as nobody has needed it for the retention? */
bool group_offset_expired(const struct group *group, const struct group_offset_topic *topic,
                          const struct group_offset *offset, int64_t retention_ms);

#endif
