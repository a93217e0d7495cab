/* group_record.c - writing and reading the records of __consumer_offsets. */
#include "broker/group_record.h"

#include "kafka/bytes.h"

#define KEY_OFFSET_MAX       1 /* versions 0 and 1 are offsets */
#define KEY_METADATA         2
#define VALUE_OFFSET         4 /* the first flexible one */
#define VALUE_OFFSET_EXPIRES 1
#define VALUE_METADATA       3
#define RECORD_PART_MAX      (24u << 20)

void group_writer_init(struct group_writer *writer, struct buf *batch, int64_t now_ms)
{
    *writer = (struct group_writer){.batch = batch, .now_ms = now_ms};
    buf_init(&writer->key, RECORD_PART_MAX);
    buf_init(&writer->value, RECORD_PART_MAX);
}

void group_writer_fini(struct group_writer *writer)
{
    buf_fini(&writer->key);
    buf_fini(&writer->value);
}

void group_writer_begin(struct group_writer *writer)
{
    record_builder_begin(&writer->builder, writer->batch, NULL, COMPRESSION_NONE);
}

static void part_begin(struct buf *part, int16_t version)
{
    buf_clear(part);
    uint8_t *dest = buf_room(part, 2);
    if (!dest)
        return;
    put_be16(dest, (uint16_t)version);
    part->length = 2;
}

static void record_add(struct group_writer *writer, bool tombstone)
{
    if (writer->key.failed || writer->value.failed) { /* comes out at the batch's finish */
        writer->batch->failed = true;
        return;
    }
    record_builder_add(&writer->builder, writer->now_ms, writer->key.data,
                       (int32_t)writer->key.length, writer->value.data,
                       tombstone ? -1 : (int32_t)writer->value.length, NULL, 0);
}

static void offset_key(struct group_writer *writer, struct str group_id, struct str topic,
                       int32_t partition)
{
    struct kafka_offset_commit_key key = {group_id, topic, partition};
    part_begin(&writer->key, KEY_OFFSET_MAX);
    kafka_encode(kafka_offset_commit_key_schema(), KEY_OFFSET_MAX, false, &key, &writer->key, NULL);
}

void group_write_offset(struct group_writer *writer, struct str group_id, struct str topic,
                        const struct kafka_uuid *id, const struct group_offset *offset)
{
    struct kafka_offset_commit_value value = {
        .offset = offset->offset,
        .leader_epoch = offset->leader_epoch,
        .metadata = offset->metadata,
        .commit_ms = offset->commit_ms,
        .expire_ms = offset->expire_ms,
    };
    bool flexible = offset->expire_ms < 0;
    int16_t version = flexible ? VALUE_OFFSET : VALUE_OFFSET_EXPIRES;
    struct buf *out = &writer->value;
    offset_key(writer, group_id, topic, offset->partition);
    part_begin(out, version);
    kafka_encode(kafka_offset_commit_value_schema(), version, flexible, &value, out, NULL);
    if (flexible && !out->failed) {
        static const uint8_t tag[] = {1, 0, KAFKA_UUID_BYTES}; /* one field: number 0, its size */
        out->length--;                                         /* the count of none */
        buf_append(out, tag, sizeof(tag));
        buf_append(out, id->bytes, KAFKA_UUID_BYTES);
    }
    record_add(writer, false);
}

void group_write_offset_tombstone(struct group_writer *writer, struct str group_id,
                                  struct str topic, int32_t partition)
{
    offset_key(writer, group_id, topic, partition);
    record_add(writer, true);
}

static void metadata_key(struct group_writer *writer, struct str group_id)
{
    struct kafka_group_metadata_key key = {group_id};
    part_begin(&writer->key, KEY_METADATA);
    kafka_encode(kafka_group_metadata_key_schema(), KEY_METADATA, false, &key, &writer->key, NULL);
}

static struct kafka_records bytes_of(struct str text)
{
    static uint8_t nothing[1];
    return (struct kafka_records){text.data ? (uint8_t *)text.data : nothing, text.length, NULL};
}

void group_write_metadata(struct group_writer *writer, const struct group *group, bool members)
{
    struct kafka_group_metadata_value value = {
        .protocol_type = group->protocol_type,
        .generation = group->generation,
        .state_ms = group->state_ms,
    };
    uint32_t count = members ? group->member_count : 0;
    struct kafka_group_metadata_member *items = mem_calloc(count + 1, sizeof(*items));
    if (!items) {
        writer->batch->failed = true;
        return;
    }
    for (const struct group_member *member = members ? group->members : NULL; member;
         member = member->next)
        items[value.members.count++] = (struct kafka_group_metadata_member){
            .member_id = member->id,
            .instance_id = member->instance_id,
            .client_id = member->client_id,
            .client_host = member->client_host,
            .rebalance_timeout_ms = member->rebalance_timeout_ms,
            .session_timeout_ms = member->session_timeout_ms,
            .subscription = bytes_of(group_member_metadata(group, member)),
            .assignment = bytes_of(member->assignment),
        };
    value.members.items = items;
    if (count) {
        value.protocol_name = group->protocol_name;
        value.leader_id = group->leader->id;
    }
    metadata_key(writer, group->id);
    part_begin(&writer->value, VALUE_METADATA);
    kafka_encode(kafka_group_metadata_value_schema(), VALUE_METADATA, false, &value, &writer->value,
                 NULL);
    record_add(writer, false);
    mem_free(items);
}

void group_write_tombstone(struct group_writer *writer, struct str group_id)
{
    metadata_key(writer, group_id);
    record_add(writer, true);
}

/* ---- reading ---- */

/* The version, and the cursor behind it. */
static enum status part_open(struct kafka_cursor *cursor, const uint8_t *bytes, int32_t size_bytes,
                             int16_t *out_version, struct error *err)
{
    if (size_bytes < 2)
        return error_set(err, ERR_DATA, "a record of __consumer_offsets is too short");
    *cursor = (struct kafka_cursor){(uint8_t *)bytes + 2, (uint8_t *)bytes + size_bytes};
    *out_version = (int16_t)get_be16(bytes);
    return OK;
}

/* Tagged field 0 behind the fixed fields. */
static void topic_id_read(struct group_record *out, const uint8_t *next, const uint8_t *end)
{
    uint64_t count, tag, size_bytes;
    if (!(next = uvarint_get(next, end, &count)))
        return;
    while (count--) {
        if (!(next = uvarint_get(next, end, &tag)) ||
            !(next = uvarint_get(next, end, &size_bytes)) || size_bytes > (size_t)(end - next))
            return;
        if (tag == 0 && size_bytes == KAFKA_UUID_BYTES)
            memcpy(out->topic_id.bytes, next, KAFKA_UUID_BYTES);
        next += size_bytes;
    }
}

static enum status offset_read(struct group_record *out, const struct record *record,
                               struct kafka_cursor *cursor, int16_t version, struct arena *arena,
                               struct error *err)
{
    struct kafka_offset_commit_key key;
    struct kafka_offset_commit_value value;
    TRY(kafka_decode(kafka_offset_commit_key_schema(), version, false, cursor, arena, &key, err));
    out->kind = GROUP_RECORD_OFFSET;
    out->group_id = key.group_id;
    out->topic = key.topic;
    out->offset.partition = key.partition;
    out->tombstone = record->value_bytes < 0;
    if (out->tombstone)
        return OK;
    TRY(part_open(cursor, record->value, record->value_bytes, &version, err));
    if (version < 0 || version > VALUE_OFFSET)
        return error_set(err, ERR_DATA, "an offset of version %d cannot be read", version);
    TRY(kafka_decode(kafka_offset_commit_value_schema(), version, version >= VALUE_OFFSET, cursor,
                     arena, &value, err));
    out->offset.offset = value.offset;
    out->offset.leader_epoch = value.leader_epoch;
    out->offset.metadata = value.metadata;
    out->offset.commit_ms = value.commit_ms;
    out->offset.expire_ms = value.expire_ms;
    if (version >= VALUE_OFFSET)
        topic_id_read(out, (const uint8_t *)value.metadata.data + value.metadata.length + 8,
                      cursor->end);
    return OK;
}

static enum status metadata_read(struct group_record *out, const struct record *record,
                                 struct kafka_cursor *cursor, int16_t version, struct arena *arena,
                                 struct error *err)
{
    struct kafka_group_metadata_key key;
    TRY(kafka_decode(kafka_group_metadata_key_schema(), version, false, cursor, arena, &key, err));
    out->kind = GROUP_RECORD_METADATA;
    out->group_id = key.group_id;
    out->tombstone = record->value_bytes < 0;
    if (out->tombstone)
        return OK;
    TRY(part_open(cursor, record->value, record->value_bytes, &version, err));
    if (version < 0 || version > VALUE_METADATA + 1)
        return error_set(err, ERR_DATA, "a group of version %d cannot be read", version);
    return kafka_decode(kafka_group_metadata_value_schema(), version, version > VALUE_METADATA,
                        cursor, arena, &out->metadata, err);
}

enum status group_record_read(struct group_record *out, const struct record *record,
                              struct arena *arena, struct error *err)
{
    struct kafka_cursor cursor;
    int16_t version = -1;
    *out = (struct group_record){.kind = GROUP_RECORD_OTHER};
    TRY(part_open(&cursor, record->key, record->key_bytes, &version, err));
    if (version >= 0 && version <= KEY_OFFSET_MAX)
        return offset_read(out, record, &cursor, version, arena, err);
    if (version == KEY_METADATA)
        return metadata_read(out, record, &cursor, version, arena, err);
    return OK;
}
