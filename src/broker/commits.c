/* commits.c - OffsetCommit, OffsetFetch, OffsetDelete: what a group has read so far. */
#include "broker/groups.h"

#define VERSION_TOPIC_IDS   10
#define VERSION_BY_GROUPS   8
#define VERSION_GROUP_KNOWN 9 /* OffsetCommit says that a group is unknown */

/* A topic as a request names it, by name or by id; found: with a reference. */
struct topic_named {
    struct log_topic *topic; /* NULL: there is none */
    struct str name;
    struct kafka_uuid id;
};

static struct topic_named topic_find(struct call *call, struct str name,
                                     const struct kafka_uuid *id)
{
    struct log *log = call->broker->log;
    struct topic_named out = {.name = name, .id = *id};
    if (call->version >= VERSION_TOPIC_IDS) {
        out.topic = log_topic_find_id(log, id->bytes);
        if (out.topic)
            out.name = call_text(call, log_topic_info(out.topic).name);
    } else {
        out.topic = log_topic_find(log, name);
        if (out.topic)
            memcpy(out.id.bytes, log_topic_info(out.topic).id, KAFKA_UUID_BYTES);
    }
    return out;
}

static int16_t unknown_topic(const struct call *call)
{
    return call->version >= VERSION_TOPIC_IDS ? KAFKA_UNKNOWN_TOPIC_ID
                                              : KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
}

/* ---- OffsetCommit ---- */

static struct kafka_offset_commit_response *
commit_response(struct call *call, const struct kafka_offset_commit_request *request)
{
    struct kafka_offset_commit_response *response =
        CALL_ARRAY(call, 1, struct kafka_offset_commit_response);
    if (!response)
        return NULL;
    response->topics.count = request->topics.count;
    response->topics.items =
        CALL_ARRAY(call, request->topics.count, struct kafka_offset_commit_topic_result);
    for (int32_t i = 0; response->topics.items && i < request->topics.count; i++) {
        const struct kafka_offset_commit_topic *in = &request->topics.items[i];
        struct kafka_offset_commit_topic_result *out = &response->topics.items[i];
        out->name = in->name;
        out->id = in->id;
        out->partitions.count = in->partitions.count;
        out->partitions.items =
            CALL_ARRAY(call, in->partitions.count, struct kafka_offset_commit_partition_result);
        for (int32_t j = 0; out->partitions.items && j < in->partitions.count; j++)
            out->partitions.items[j].index = in->partitions.items[j].index;
    }
    return call->arena.failed ? NULL : response;
}

/* To all partitions that have not been refused by themselves. */
static void commit_settle(struct call *call, int16_t code)
{
    struct kafka_offset_commit_response *response = call->response;
    for (int32_t i = 0; i < response->topics.count; i++)
        for (int32_t j = 0; j < response->topics.items[i].partitions.count; j++) {
            int16_t *error_code = &response->topics.items[i].partitions.items[j].error_code;
            *error_code = *error_code == KAFKA_NONE ? code : *error_code;
        }
}

static int16_t commit_check(struct groups *groups, const struct call *call)
{
    const struct kafka_offset_commit_request *request = call->request;
    if (request->group_id.length > GROUP_TEXT_MAX_BYTES)
        return KAFKA_INVALID_GROUP_ID;
    if (!state_log_ready(&groups->log) || groups->broker->closing)
        return KAFKA_NOT_COORDINATOR;
    struct group_entry *entry = groups_find(groups, request->group_id);
    if (!entry && request->generation < 0)
        return KAFKA_NONE; /* offsets alone make a group */
    if (!entry)
        return call->version >= VERSION_GROUP_KNOWN ? KAFKA_GROUP_ID_NOT_FOUND
                                                    : KAFKA_ILLEGAL_GENERATION;
    return group_commit_check(entry->group, request->member_id, request->instance_id,
                              request->generation);
}

/* When the offset expires by a time of its own (versions 2 to 4); -1: the broker's retention. */
static int64_t commit_expiry(int64_t now_ms, int64_t retention_ms)
{
    if (retention_ms < 0)
        return -1;
    return retention_ms > INT64_MAX - now_ms ? INT64_MAX : now_ms + retention_ms;
}

static void commit_topic(struct call *call, const struct kafka_offset_commit_topic *in,
                         struct kafka_offset_commit_topic_result *out, struct group_write *write)
{
    const struct kafka_offset_commit_request *request = call->request;
    struct topic_named named = topic_find(call, in->name, &in->id);
    for (int32_t i = 0; i < in->partitions.count; i++) {
        const struct kafka_offset_commit_partition *partition = &in->partitions.items[i];
        int16_t *error_code = &out->partitions.items[i].error_code;
        if (!named.topic)
            *error_code = unknown_topic(call);
        else if (partition->index < 0 ||
                 !log_topic_partition(named.topic, (uint32_t)partition->index))
            *error_code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
        else if (partition->metadata.length > OFFSET_METADATA_MAX)
            *error_code = KAFKA_OFFSET_METADATA_TOO_LARGE;
        if (*error_code != KAFKA_NONE)
            continue;
        struct group_offset offset = {
            .partition = partition->index,
            .leader_epoch = partition->leader_epoch,
            .offset = partition->offset,
            .commit_ms = write->writer.now_ms,
            .expire_ms = commit_expiry(write->writer.now_ms, request->retention_ms),
            .metadata = partition->metadata.data ? partition->metadata : STR(""),
        };
        group_write_offset(&write->writer, request->group_id, named.name, &named.id, &offset);
    }
    log_topic_unref(named.topic);
}

static void commit_start(struct call *call)
{
    const struct kafka_offset_commit_request *request = call->request;
    struct kafka_offset_commit_response *response = commit_response(call, request);
    struct groups *groups = groups_enter(call->broker);
    call->response = response;
    int16_t code = response ? commit_check(groups, call) : KAFKA_NONE;
    struct group_write *write = NULL;
    if (response && code == KAFKA_NONE) {
        write = group_log_begin(groups, request->group_id);
        code = write ? KAFKA_NONE : KAFKA_COORDINATOR_NOT_AVAILABLE;
    }
    for (int32_t i = 0; write && i < request->topics.count; i++)
        commit_topic(call, &request->topics.items[i], &response->topics.items[i], write);
    bool waits = write && write->writer.builder.record_count > 0;
    if (waits) {
        write->call = call;
        write->settle = commit_settle;
    }
    if (write)
        group_log_submit(groups, write);
    struct group_entry *entry = groups_find(groups, request->group_id);
    if (entry)
        groups_touch(entry);
    if (!waits) {
        if (response)
            commit_settle(call, code);
        groups_done(groups, call);
    }
    groups_leave(groups);
}

/* ---- OffsetFetch ---- */

/* Who asks for stable offsets is not given one that an open transaction is about to replace. */
static bool fetch_unstable(const struct groups *groups, const struct call *call,
                           struct str group_id, struct str topic,
                           struct kafka_offset_fetch_partition_result *out)
{
    const struct kafka_offset_fetch_request *request = call->request;
    if (!request->require_stable || !group_pending_any(groups, group_id, topic, out->index))
        return false;
    out->offset = -1;
    out->leader_epoch = -1;
    out->metadata = STR("");
    out->error_code = KAFKA_UNSTABLE_OFFSET_COMMIT;
    return true;
}

static void fetch_found(struct call *call, const struct group_offset *offset,
                        struct kafka_offset_fetch_partition_result *out)
{
    out->offset = offset->offset;
    out->leader_epoch = offset->leader_epoch;
    out->metadata = call_copy(call, offset->metadata);
}

/* The group's offsets of a topic, unless they are of another one that had this name. */
static const struct group_offset_topic *fetch_topic(const struct group *group,
                                                    const struct topic_named *named)
{
    static const struct kafka_uuid none;
    const struct group_offset_topic *found =
        group && named->topic ? group_offsets_topic(group, named->name) : NULL;
    bool same = found && (memcmp(&found->id, &none, sizeof(none)) == 0 ||
                          memcmp(&found->id, &named->id, sizeof(none)) == 0);
    return same ? found : NULL;
}

static void fetch_wanted(struct groups *groups, struct call *call, struct str group_id,
                         const struct group *group, const struct kafka_offset_fetch_topic *in,
                         struct kafka_offset_fetch_topic_result *out)
{
    struct topic_named named = topic_find(call, in->name, &in->id);
    const struct group_offset_topic *topic = fetch_topic(group, &named);
    bool unknown_id = !named.topic && call->version >= VERSION_TOPIC_IDS;
    out->name = in->name;
    out->id = in->id;
    out->partitions.items =
        CALL_ARRAY(call, in->partitions.count, struct kafka_offset_fetch_partition_result);
    for (int32_t i = 0; out->partitions.items && i < in->partitions.count; i++) {
        struct kafka_offset_fetch_partition_result *result =
            &out->partitions.items[out->partitions.count++];
        *result = (struct kafka_offset_fetch_partition_result){
            .index = in->partitions.items[i],
            .offset = -1,
            .leader_epoch = -1,
            .metadata = STR(""),
            .error_code = unknown_id ? KAFKA_UNKNOWN_TOPIC_ID : KAFKA_NONE,
        };
        const struct group_offset *offset =
            topic ? group_offsets_find(topic, in->partitions.items[i]) : NULL;
        if (!fetch_unstable(groups, call, group_id, named.name, result) && offset)
            fetch_found(call, offset, result);
    }
    log_topic_unref(named.topic);
}

/* All that the group has committed, of topics that are there. */
static int32_t fetch_all(struct groups *groups, struct call *call, const struct group *group,
                         struct kafka_offset_fetch_topic_result **out_topics)
{
    uint32_t topic_count = group && group->offsets ? group->offsets->count : 0;
    struct kafka_offset_fetch_topic_result *topics =
        CALL_ARRAY(call, topic_count, struct kafka_offset_fetch_topic_result);
    int32_t count = 0;
    *out_topics = topics;
    for (uint32_t i = 0; topics && i < topic_count; i++) {
        const struct group_offset_topic *topic = &group->offsets->topics[i];
        struct kafka_offset_fetch_topic_result *out = &topics[count];
        if (!groups_topic_alive(groups, topic->name, &topic->id, &out->id))
            continue;
        count++;
        out->name = call_copy(call, topic->name);
        out->partitions.items =
            CALL_ARRAY(call, topic->count, struct kafka_offset_fetch_partition_result);
        for (uint32_t j = 0; out->partitions.items && j < topic->count; j++) {
            struct kafka_offset_fetch_partition_result *result =
                &out->partitions.items[out->partitions.count++];
            result->index = topic->items[j].partition;
            if (!fetch_unstable(groups, call, group->id, topic->name, result))
                fetch_found(call, &topic->items[j], result);
        }
    }
    return count;
}

/* Topics of one group, as every version has them; returns how many. wanted_count -1: all. */
static int32_t fetch_group(struct groups *groups, struct call *call, struct str group_id,
                           const struct kafka_offset_fetch_topic *wanted, int32_t wanted_count,
                           struct kafka_offset_fetch_topic_result **out_topics)
{
    struct group_entry *entry = groups_find(groups, group_id);
    const struct group *group = entry ? entry->group : NULL;
    if (wanted_count < 0)
        return fetch_all(groups, call, group, out_topics);
    *out_topics = CALL_ARRAY(call, wanted_count, struct kafka_offset_fetch_topic_result);
    for (int32_t i = 0; *out_topics && i < wanted_count; i++)
        fetch_wanted(groups, call, group_id, group, &wanted[i], &(*out_topics)[i]);
    return *out_topics ? wanted_count : 0;
}

static void fetch_start(struct call *call)
{
    const struct kafka_offset_fetch_request *request = call->request;
    struct kafka_offset_fetch_response *response =
        CALL_ARRAY(call, 1, struct kafka_offset_fetch_response);
    struct groups *groups = groups_enter(call->broker);
    call->response = response;
    if (response && call->version < VERSION_BY_GROUPS) {
        response->topics.count = fetch_group(groups, call, request->group_id, request->topics.items,
                                             request->topics.count, &response->topics.items);
    } else if (response) {
        response->groups.items =
            CALL_ARRAY(call, request->groups.count, struct kafka_offset_fetch_group_result);
        for (int32_t i = 0; response->groups.items && i < request->groups.count; i++) {
            const struct kafka_offset_fetch_group *in = &request->groups.items[i];
            struct kafka_offset_fetch_group_result *out =
                &response->groups.items[response->groups.count++];
            out->group_id = in->group_id;
            out->topics.count = fetch_group(groups, call, in->group_id, in->topics.items,
                                            in->topics.count, &out->topics.items);
        }
    }
    groups_done(groups, call);
    groups_leave(groups);
}

/* ---- OffsetDelete ---- */

static int16_t delete_check(struct groups *groups, const struct call *call,
                            const struct group_entry *entry)
{
    if (call->broker->closing)
        return KAFKA_NOT_COORDINATOR;
    if (!state_log_ready(&groups->log) || !entry)
        return KAFKA_GROUP_ID_NOT_FOUND;
    return entry->group->state != GROUP_EMPTY && !group_is_consumer(entry->group)
               ? KAFKA_NON_EMPTY_GROUP
               : KAFKA_NONE;
}

static void delete_topic(struct call *call, const struct kafka_offset_delete_topic *in,
                         const struct group *group, struct group_write *write,
                         struct kafka_offset_delete_topic_result *out)
{
    struct log_topic *there = log_topic_find(call->broker->log, in->name);
    const struct group_offset_topic *topic = group_offsets_topic(group, in->name);
    bool subscribed = group_is_subscribed(group, in->name);
    out->name = in->name;
    out->partitions.count = in->partitions.count;
    out->partitions.items =
        CALL_ARRAY(call, in->partitions.count, struct kafka_offset_delete_partition_result);
    for (int32_t i = 0; out->partitions.items && i < in->partitions.count; i++) {
        int32_t index = in->partitions.items[i].index;
        out->partitions.items[i].index = index;
        if (!there)
            out->partitions.items[i].error_code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
        else if (subscribed)
            out->partitions.items[i].error_code = KAFKA_GROUP_SUBSCRIBED_TO_TOPIC;
        else if (topic && group_offsets_find(topic, index))
            group_write_offset_tombstone(&write->writer, group->id, in->name, index);
    }
    log_topic_unref(there);
}

static void delete_settle(struct call *call, int16_t code)
{
    struct kafka_offset_delete_response *response = call->response;
    response->error_code = code;
    if (code != KAFKA_NONE)
        response->topics.count = 0;
}

static void delete_start(struct call *call)
{
    const struct kafka_offset_delete_request *request = call->request;
    struct kafka_offset_delete_response *response =
        CALL_ARRAY(call, 1, struct kafka_offset_delete_response);
    struct groups *groups = groups_enter(call->broker);
    struct group_entry *entry = groups_find(groups, request->group_id);
    struct group_write *write = NULL;
    bool waits = false;
    call->response = response;
    if (response) {
        response->error_code = delete_check(groups, call, entry);
        response->topics.items =
            CALL_ARRAY(call, request->topics.count, struct kafka_offset_delete_topic_result);
        if (response->error_code == KAFKA_NONE && response->topics.items)
            write = group_log_begin(groups, request->group_id);
    }
    if (write) {
        response->topics.count = request->topics.count;
        for (int32_t i = 0; i < request->topics.count; i++)
            delete_topic(call, &request->topics.items[i], entry->group, write,
                         &response->topics.items[i]);
        waits = write->writer.builder.record_count > 0;
        write->call = waits ? call : NULL;
        write->settle = delete_settle;
        group_log_submit(groups, write);
    } else if (response && response->error_code == KAFKA_NONE) {
        response->error_code = KAFKA_COORDINATOR_NOT_AVAILABLE;
    }
    if (!waits)
        groups_done(groups, call);
    groups_leave(groups);
}

const struct handler HANDLER_OFFSET_COMMIT = {
    .key = KAFKA_OFFSET_COMMIT,
    .start = commit_start,
    .drop = groups_drop,
};
const struct handler HANDLER_OFFSET_FETCH = {
    .key = KAFKA_OFFSET_FETCH,
    .start = fetch_start,
    .drop = groups_drop,
};
const struct handler HANDLER_OFFSET_DELETE = {
    .key = KAFKA_OFFSET_DELETE,
    .start = delete_start,
    .drop = groups_drop,
};
