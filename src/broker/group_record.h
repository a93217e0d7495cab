/* group_record.h - the records of the topic __consumer_offsets, in Kafka's own format, so that its
 * tools read them: keys and values begin with a version.
 *
 *   key 1  OffsetCommitKey group, topic, partition   value 4 (1 with an expiry of its own)
 *   key 2  GroupMetadataKey group                    value 3 OffsetCommitValue, GroupMetadataValue
 * A null value takes back. Read are all versions of these; other keys are left alone.
 */
#ifndef LEAT_BROKER_GROUP_RECORD_H
#define LEAT_BROKER_GROUP_RECORD_H

#include "broker/group_offsets.h"
#include "kafka/record.h"

struct group_writer { /* records of one batch */
    struct record_builder builder;
    struct buf *batch;
    struct buf key, value; /* scratch */
    int64_t now_ms;        /* wall time */
};
void group_writer_init(struct group_writer *writer, struct buf *batch, int64_t now_ms);
void group_writer_fini(struct group_writer *writer);
/* Begin another batch behind what is in the buffer. */
void group_writer_begin(struct group_writer *writer);
/* offset NULL with partition: a tombstone. */
void group_write_offset(struct group_writer *writer, struct str group_id, struct str topic,
                        const struct kafka_uuid *id, const struct group_offset *offset);
void group_write_offset_tombstone(struct group_writer *writer, struct str group_id,
                                  struct str topic, int32_t partition);
/* With its members, where they have their generation for good (STABLE); else as an empty group. */
void group_write_metadata(struct group_writer *writer, const struct group *group, bool members);
void group_write_tombstone(struct group_writer *writer, struct str group_id);

enum group_record_kind { GROUP_RECORD_OTHER, GROUP_RECORD_OFFSET, GROUP_RECORD_METADATA };

struct group_record { /* points into the record */
    enum group_record_kind kind;
    bool tombstone;
    struct str group_id, topic;
    struct kafka_uuid topic_id;
    struct group_offset offset;                 /* partition set also in a tombstone */
    struct kafka_group_metadata_value metadata; /* arrays in the arena */
};
/* ERR_DATA: not a record of this topic. */
enum status group_record_read(struct group_record *out, const struct record *record,
                              struct arena *arena, struct error *err) STATUS_CHECKED;

#endif
