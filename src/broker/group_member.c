/* group_member.c - the members of a group as data: memory, finding, protocols, what the log knew.
 * The rules of the protocol are in group.c. */
#include "broker/group_int.h"

#include "base/must.h"
#include "kafka/bytes.h"

/* ---- memory: a block knows its size, so that the owner's count comes out even ---- */

struct block {
    size_t size_bytes;
    max_align_t data[];
};

void *group_alloc(struct mem_owner *owner, size_t size_bytes)
{
    size_t total_bytes = sizeof(struct block) + size_bytes;
    if (mem_reserve(owner, total_bytes, NULL) != OK)
        return NULL;
    struct block *block = mem_calloc(1, total_bytes);
    if (!block) {
        mem_release(owner, total_bytes);
        return NULL;
    }
    block->size_bytes = total_bytes;
    return block->data;
}

void group_release(struct mem_owner *owner, void *data)
{
    if (!data)
        return;
    struct block *block = container_of(data, struct block, data);
    mem_release(owner, block->size_bytes);
    mem_free(block);
}

bool group_text_copy(struct mem_owner *owner, struct str *dest, struct str from)
{
    *dest = (struct str){NULL, 0};
    if (!from.data)
        return true;
    char *copy = group_alloc(owner, from.length + 1);
    if (!copy)
        return false;
    memcpy(copy, from.data, from.length);
    *dest = (struct str){copy, from.length};
    return true;
}

void group_text_release(struct mem_owner *owner, struct str *text)
{
    group_release(owner, (void *)text->data);
    *text = (struct str){NULL, 0};
}

/* ---- members ---- */

static void protocols_release(struct mem_owner *owner, struct group_protocol *protocols,
                              uint32_t count)
{
    for (uint32_t i = 0; protocols && i < count; i++) {
        group_text_release(owner, &protocols[i].name);
        group_text_release(owner, &protocols[i].metadata);
    }
    group_release(owner, protocols);
}

bool member_set_protocols(struct group *group, struct group_member *member,
                          const struct group_protocol *from, uint32_t count)
{
    struct mem_owner *owner = group->env->owner;
    struct group_protocol *protocols = group_alloc(owner, (count + 1) * sizeof(*protocols));
    bool good = protocols != NULL;
    for (uint32_t i = 0; good && i < count; i++)
        good = group_text_copy(owner, &protocols[i].name, from[i].name) &&
               group_text_copy(owner, &protocols[i].metadata, from[i].metadata);
    if (!good) {
        protocols_release(owner, protocols, count);
        return false;
    }
    protocols_release(owner, member->protocols, member->protocol_count);
    member->protocols = protocols;
    member->protocol_count = count;
    return true;
}

bool member_set_assignment(struct group *group, struct group_member *member, struct str assignment)
{
    struct str copy;
    if (!group_text_copy(group->env->owner, &copy, assignment))
        return false;
    group_text_release(group->env->owner, &member->assignment);
    member->assignment = copy;
    return true;
}

void member_free(struct group *group, struct group_member *member)
{
    struct mem_owner *owner = group->env->owner;
    must(!member->join_waiter && !member->sync_waiter);
    protocols_release(owner, member->protocols, member->protocol_count);
    group_text_release(owner, &member->id);
    group_text_release(owner, &member->instance_id);
    group_text_release(owner, &member->client_id);
    group_text_release(owner, &member->client_host);
    group_text_release(owner, &member->assignment);
    group_release(owner, member);
}

struct group_member *member_new(struct group *group, struct str id, struct str instance_id,
                                struct str client_id, struct str client_host)
{
    struct mem_owner *owner = group->env->owner;
    struct group_member *member = group_alloc(owner, sizeof(*member));
    if (!member)
        return NULL;
    member->due_ms = INT64_MAX;
    if (group_text_copy(owner, &member->id, id) &&
        group_text_copy(owner, &member->instance_id, instance_id) &&
        group_text_copy(owner, &member->client_id, client_id) &&
        group_text_copy(owner, &member->client_host, client_host))
        return member;
    member_free(group, member);
    return NULL;
}

void member_append(struct group_member **list, struct group_member *member)
{
    while (*list)
        list = &(*list)->next;
    *list = member;
    member->next = NULL;
}

void member_unlink(struct group_member **list, struct group_member *member)
{
    while (*list != member)
        list = &(*list)->next;
    *list = member->next;
}

static struct group_member *find_in(struct group_member *list, struct str id)
{
    for (struct group_member *member = list; member; member = member->next)
        if (str_eq(member->id, id))
            return member;
    return NULL;
}

struct group_member *group_find_member(const struct group *group, struct str member_id)
{
    return find_in(group->members, member_id);
}

struct group_member *group_find_pending(const struct group *group, struct str member_id)
{
    return find_in(group->pending, member_id);
}

struct group_member *group_find_instance(const struct group *group, struct str instance_id)
{
    for (struct group_member *member = group->members; member; member = member->next)
        if (member->instance_id.data && str_eq(member->instance_id, instance_id))
            return member;
    return NULL;
}

/* ---- protocols ---- */

const struct group_protocol *member_protocol(const struct group_member *member, struct str name)
{
    for (uint32_t i = 0; i < member->protocol_count; i++)
        if (str_eq(member->protocols[i].name, name))
            return &member->protocols[i];
    return NULL;
}

bool group_all_support(const struct group *group, struct str name)
{
    for (const struct group_member *member = group->members; member; member = member->next)
        if (!member_protocol(member, name))
            return false;
    return true;
}

/* Each member votes for the first of its protocols that all have; the most votes win, the one that
 * the first member likes more among equals. Candidates are the first member's: all must have them.
 */
struct str group_select_protocol(const struct group *group)
{
    const struct group_member *first = group->members;
    uint32_t votes[GROUP_PROTOCOLS_MAX] = {0}, best = 0;
    bool candidate[GROUP_PROTOCOLS_MAX] = {false};
    for (uint32_t i = 0; i < first->protocol_count; i++)
        candidate[i] = group_all_support(group, first->protocols[i].name);
    for (const struct group_member *member = first; member; member = member->next) {
        bool voted = false;
        for (uint32_t i = 0; !voted && i < member->protocol_count; i++) {
            const struct group_protocol *protocol =
                member_protocol(first, member->protocols[i].name);
            voted = protocol && candidate[protocol - first->protocols];
            if (voted)
                votes[protocol - first->protocols]++;
        }
    }
    for (uint32_t i = 1; i < first->protocol_count; i++)
        if (votes[i] > votes[best])
            best = i;
    return votes[best] ? first->protocols[best].name : (struct str){NULL, 0};
}

struct str group_member_metadata(const struct group *group, const struct group_member *member)
{
    const struct group_protocol *protocol =
        group->protocol_name.data ? member_protocol(member, group->protocol_name) : NULL;
    return protocol ? protocol->metadata : (struct str){NULL, 0};
}

bool group_is_consumer(const struct group *group)
{
    return group->protocol_type.data && str_eq(group->protocol_type, STR("consumer"));
}

/* A consumer's subscription begins, in all versions, with its version and the topics. 1: it has the
 * topic, 0: not, -1: it cannot be read. */
static int subscription_has(struct str metadata, struct str topic)
{
    const char *next = metadata.data, *end = metadata.data + metadata.length;
    if (metadata.length < 6)
        return -1;
    int32_t count = (int32_t)get_be32(next + 2);
    next += 6;
    for (int32_t i = 0; i < count; i++) {
        if (end - next < 2)
            return -1;
        int16_t length = (int16_t)get_be16(next);
        next += 2;
        if (length < 0 || length > end - next)
            return -1;
        if (str_eq((struct str){next, (size_t)length}, topic))
            return 1;
        next += length;
    }
    return 0;
}

bool group_is_subscribed(const struct group *group, struct str topic)
{
    if (!group_is_consumer(group) || !group->members)
        return false;
    for (const struct group_member *member = group->members; member; member = member->next)
        if (subscription_has(group_member_metadata(group, member), topic) != 0)
            return true;
    return false;
}

/* ---- from the log ---- */

static struct str bytes_of(const struct kafka_records *bytes)
{
    return (struct str){(const char *)bytes->data, bytes->size_bytes};
}

enum status group_restore_member(struct group *group,
                                 const struct kafka_group_metadata_member *from, struct error *err)
{
    struct group_member *member =
        member_new(group, from->member_id, from->instance_id, from->client_id, from->client_host);
    if (!member || !member_set_assignment(group, member, bytes_of(&from->assignment))) {
        if (member)
            member_free(group, member);
        return error_set(err, ERR_MEMORY, "no memory for a member of consumer group '%.*s'",
                         (int)group->id.length, group->id.data);
    }
    member->session_timeout_ms = from->session_timeout_ms;
    member->rebalance_timeout_ms =
        from->rebalance_timeout_ms < 0 ? from->session_timeout_ms : from->rebalance_timeout_ms;
    member->due_ms = group->env->now_ms + member->session_timeout_ms;
    member_append(&group->members, member);
    group->member_count++;
    return OK;
}

enum status group_restore(struct group *group, const struct kafka_group_metadata_value *from,
                          struct error *err)
{
    struct mem_owner *owner = group->env->owner;
    struct group_member *member = group->members;
    bool good = true;
    if (from->protocol_type.length)
        good = group_text_copy(owner, &group->protocol_type, from->protocol_type);
    if (good && from->protocol_name.data && group->members)
        good = group_text_copy(owner, &group->protocol_name, from->protocol_name);
    for (int32_t i = 0; good && i < from->members.count; i++, member = member->next) {
        struct group_protocol protocol = {from->protocol_name.data ? from->protocol_name : STR(""),
                                          bytes_of(&from->members.items[i].subscription)};
        good = member_set_protocols(group, member, &protocol, 1);
    }
    group->generation = from->generation;
    group->state_ms = from->state_ms;
    group->state = group->members ? GROUP_STABLE : GROUP_EMPTY;
    group->leader = from->leader_id.data ? group_find_member(group, from->leader_id) : NULL;
    if (!group->leader)
        group->leader = group->members;
    group->stored = true;
    return good ? OK
                : error_set(err, ERR_MEMORY, "no memory for consumer group '%.*s'",
                            (int)group->id.length, group->id.data);
}
