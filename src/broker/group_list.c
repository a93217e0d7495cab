/* group_list.c - broker_groups: what a page or a command shows of consumer groups. */
#include "broker/broker.h"

#include "broker/groups.h"
#include "kafka/bytes.h"

static const char *text_of(struct arena *arena, struct str text)
{
    return arena_strndup(arena, text.data ? text.data : "", text.length);
}

/* A consumer's assignment begins, in all versions, with its version and topics with partitions. */
static bool assignment_has(struct str assignment, struct str topic, int32_t partition)
{
    const char *next = assignment.data, *end = assignment.data + assignment.length;
    if (assignment.length < 6)
        return false;
    int32_t topic_count = (int32_t)get_be32(next + 2);
    next += 6;
    for (int32_t i = 0; i < topic_count; i++) {
        if (end - next < 2)
            return false;
        int16_t length = (int16_t)get_be16(next);
        if (length < 0 || end - next < 2 + length + 4)
            return false;
        struct str name = {next + 2, (size_t)length};
        int64_t count = (int32_t)get_be32(next + 2 + length);
        next += 2 + length + 4;
        if (count < 0 || count * 4 > end - next)
            return false;
        for (int64_t j = 0; j < count && str_eq(name, topic); j++)
            if ((int32_t)get_be32(next + j * 4) == partition)
                return true;
        next += count * 4;
    }
    return false;
}

static const char *owner_of(struct arena *arena, const struct group *group, struct str topic,
                            int32_t partition)
{
    for (const struct group_member *member = group->members; member; member = member->next)
        if (group->state == GROUP_STABLE && group_is_consumer(group) &&
            assignment_has(member->assignment, topic, partition))
            return text_of(arena, member->id);
    return NULL;
}

static void partitions_list(struct groups *groups, const struct group *group, struct arena *arena,
                            struct broker_group *out)
{
    size_t total = 0;
    for (uint32_t i = 0; group->offsets && i < group->offsets->count; i++)
        total += group->offsets->topics[i].count;
    out->partitions = ARENA_ARRAY(arena, total, struct broker_group_partition);
    for (uint32_t i = 0; out->partitions && group->offsets && i < group->offsets->count; i++) {
        const struct group_offset_topic *topic = &group->offsets->topics[i];
        struct kafka_uuid id;
        struct log_topic *there = groups_topic_alive(groups, topic->name, &topic->id, &id)
                                      ? log_topic_find(groups->broker->log, topic->name)
                                      : NULL;
        for (uint32_t j = 0; there && j < topic->count; j++) {
            const struct group_offset *offset = &topic->items[j];
            struct log_partition *partition =
                log_topic_partition(there, (uint32_t)offset->partition);
            struct log_offsets ends = {.high_watermark = offset->offset};
            if (partition)
                log_partition_offsets(partition, &ends);
            out->partitions[out->partition_count++] = (struct broker_group_partition){
                .topic = text_of(arena, topic->name),
                .partition = offset->partition,
                .committed_offset = offset->offset,
                .end_offset = ends.high_watermark,
                .commit_ms = offset->commit_ms,
                .metadata = text_of(arena, offset->metadata),
                .member_id = owner_of(arena, group, topic->name, offset->partition),
            };
            if (ends.high_watermark > offset->offset)
                out->lag += ends.high_watermark - offset->offset;
        }
        log_topic_unref(there);
    }
}

static void members_list(const struct group *group, struct arena *arena, struct broker_group *out)
{
    out->members = ARENA_ARRAY(arena, group->member_count, struct broker_group_member);
    for (const struct group_member *member = group->members; out->members && member;
         member = member->next)
        out->members[out->member_count++] = (struct broker_group_member){
            .id = text_of(arena, member->id),
            .instance_id = member->instance_id.data ? text_of(arena, member->instance_id) : NULL,
            .client_id = text_of(arena, member->client_id),
            .host = text_of(arena, member->client_host),
        };
}

enum status broker_groups(struct broker *broker, struct arena *arena, struct broker_group **out,
                          size_t *out_count, struct error *err)
{
    struct groups *groups = broker->groups;
    *out_count = 0;
    mutex_lock(&groups->lock);
    *out = ARENA_ARRAY(arena, groups->count, struct broker_group);
    for (uint32_t i = 0; *out && i < groups->count; i++) {
        const struct group *group = groups->items[i]->group;
        struct broker_group *item = &(*out)[(*out_count)++];
        *item = (struct broker_group){
            .id = text_of(arena, group->id),
            .state = group_state_text(group->state),
            .protocol_type = text_of(arena, group->protocol_type),
            .protocol = text_of(arena, group->protocol_name),
            .generation = group->generation,
        };
        members_list(group, arena, item);
        partitions_list(groups, group, arena, item);
    }
    mutex_unlock(&groups->lock);
    return arena_check(arena, "list of consumer groups", err);
}
