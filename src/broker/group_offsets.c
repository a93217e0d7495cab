/* group_offsets.c - committed offsets in sorted arrays: few topics, dense partitions. */
#include "broker/group_offsets.h"

#include "base/must.h"
#include "broker/group_int.h"

static bool has_id(const struct kafka_uuid *id)
{
    static const struct kafka_uuid none;
    return memcmp(id, &none, sizeof(none)) != 0;
}

/* Where the topic is, or belongs. */
static uint32_t topic_place(const struct group_offsets *offsets, struct str name, bool *out_found)
{
    uint32_t low = 0, high = offsets->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (str_compare(offsets->topics[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *out_found = low < offsets->count && str_eq(offsets->topics[low].name, name);
    return low;
}

static uint32_t partition_place(const struct group_offset_topic *topic, int32_t partition,
                                bool *out_found)
{
    uint32_t low = 0, high = topic->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (topic->items[middle].partition < partition)
            low = middle + 1;
        else
            high = middle;
    }
    *out_found = low < topic->count && topic->items[low].partition == partition;
    return low;
}

/* Room for one more: the array to use, or NULL. */
static void *array_grow(struct mem_owner *owner, void *items, uint32_t count, uint32_t *room,
                        size_t item_bytes)
{
    if (count < *room)
        return items;
    uint32_t grown_room = *room ? *room * 2 : 4;
    void *grown = group_alloc(owner, grown_room * item_bytes);
    if (!grown)
        return NULL;
    if (count)
        memcpy(grown, items, count * item_bytes);
    group_release(owner, items);
    *room = grown_room;
    return grown;
}

static void topic_clear(struct mem_owner *owner, struct group_offset_topic *topic)
{
    for (uint32_t i = 0; i < topic->count; i++)
        group_text_release(owner, &topic->items[i].metadata);
    group_release(owner, topic->items);
    topic->items = NULL;
    topic->count = topic->room = 0;
}

static void topic_remove(struct mem_owner *owner, struct group_offsets *offsets, uint32_t index)
{
    struct group_offset_topic *topic = &offsets->topics[index];
    topic_clear(owner, topic);
    group_text_release(owner, &topic->name);
    offsets->count--;
    memmove(topic, topic + 1, (offsets->count - index) * sizeof(*topic));
}

static struct group_offset_topic *topic_ensure(struct group *group, struct str name)
{
    struct mem_owner *owner = group->env->owner;
    bool found;
    struct str copy;
    if (!group->offsets && !(group->offsets = group_alloc(owner, sizeof(struct group_offsets))))
        return NULL;
    struct group_offsets *offsets = group->offsets;
    uint32_t index = topic_place(offsets, name, &found);
    if (found)
        return &offsets->topics[index];
    void *grown = array_grow(owner, offsets->topics, offsets->count, &offsets->room,
                             sizeof(*offsets->topics));
    if (!grown)
        return NULL;
    offsets->topics = grown;
    if (!group_text_copy(owner, &copy, name))
        return NULL;
    struct group_offset_topic *topic = &offsets->topics[index];
    memmove(topic + 1, topic, (offsets->count - index) * sizeof(*topic));
    *topic = (struct group_offset_topic){.name = copy};
    offsets->count++;
    return topic;
}

bool group_offsets_set(struct group *group, struct str topic_name, const struct kafka_uuid *id,
                       const struct group_offset *offset)
{
    struct mem_owner *owner = group->env->owner;
    struct str metadata;
    bool found;
    if (!group_text_copy(owner, &metadata, offset->metadata))
        return false;
    struct group_offset_topic *topic = topic_ensure(group, topic_name);
    if (!topic) {
        group_text_release(owner, &metadata);
        return false;
    }
    if (has_id(id) && has_id(&topic->id) && memcmp(id, &topic->id, sizeof(*id)) != 0)
        topic_clear(owner, topic);
    if (has_id(id))
        topic->id = *id;
    uint32_t index = partition_place(topic, offset->partition, &found);
    if (found) {
        group_text_release(owner, &topic->items[index].metadata);
    } else {
        void *grown =
            array_grow(owner, topic->items, topic->count, &topic->room, sizeof(*topic->items));
        if (!grown) {
            group_text_release(owner, &metadata);
            return false; /* a topic without entries may be left: harmless */
        }
        topic->items = grown;
        memmove(&topic->items[index + 1], &topic->items[index],
                (topic->count - index) * sizeof(*topic->items));
        topic->count++;
    }
    topic->items[index] = *offset;
    topic->items[index].metadata = metadata;
    return true;
}

void group_offsets_remove(struct group *group, struct str topic_name, int32_t partition)
{
    struct mem_owner *owner = group->env->owner;
    struct group_offsets *offsets = group->offsets;
    bool found = false;
    uint32_t topic_index = offsets ? topic_place(offsets, topic_name, &found) : 0;
    if (!found)
        return;
    struct group_offset_topic *topic = &offsets->topics[topic_index];
    uint32_t index = partition_place(topic, partition, &found);
    if (!found)
        return;
    group_text_release(owner, &topic->items[index].metadata);
    topic->count--;
    memmove(&topic->items[index], &topic->items[index + 1],
            (topic->count - index) * sizeof(*topic->items));
    if (topic->count == 0)
        topic_remove(owner, offsets, topic_index);
}

void group_offsets_free(struct group *group)
{
    struct group_offsets *offsets = group->offsets;
    if (!offsets)
        return;
    while (offsets->count)
        topic_remove(group->env->owner, offsets, offsets->count - 1);
    group_release(group->env->owner, offsets->topics);
    group_release(group->env->owner, offsets);
    group->offsets = NULL;
}

const struct group_offset_topic *group_offsets_topic(const struct group *group, struct str topic)
{
    bool found = false;
    uint32_t index = group->offsets ? topic_place(group->offsets, topic, &found) : 0;
    return found ? &group->offsets->topics[index] : NULL;
}

const struct group_offset *group_offsets_find(const struct group_offset_topic *topic,
                                              int32_t partition)
{
    bool found;
    uint32_t index = partition_place(topic, partition, &found);
    return found ? &topic->items[index] : NULL;
}

bool group_offsets_any(const struct group *group)
{
    for (uint32_t i = 0; group->offsets && i < group->offsets->count; i++)
        if (group->offsets->topics[i].count)
            return true;
    return false;
}

bool group_offset_expired(const struct group *group, const struct group_offset_topic *topic,
                          const struct group_offset *offset, int64_t retention_ms)
{
    int64_t since_ms = offset->commit_ms;
    if (group->protocol_type.data) {
        if (group->state == GROUP_EMPTY)
            since_ms = group->state_ms >= 0 ? group->state_ms : offset->commit_ms;
        else if (!group_is_consumer(group) || group->state != GROUP_STABLE)
            return false;
    }
    if (group_is_subscribed(group, topic->name))
        return false;
    if (offset->expire_ms >= 0)
        return group->env->wall_ms >= offset->expire_ms;
    return group->env->wall_ms - since_ms >= retention_ms;
}
