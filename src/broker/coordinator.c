/* coordinator.c - FindCoordinator, ListGroups, DescribeGroups, DeleteGroups. */
#include "broker/txns.h"

#include "os/logger.h"

/* ---- FindCoordinator: this broker. Asking for it makes the topic of its kind. ---- */

enum { COORDINATOR_GROUP = 0, COORDINATOR_TRANSACTION = 1 };

/* NULL: there is no coordinator of this kind. */
static const char *topic_of(int8_t type)
{
    return type == COORDINATOR_GROUP         ? GROUPS_TOPIC
           : type == COORDINATOR_TRANSACTION ? TXNS_TOPIC
                                             : NULL;
}

static struct kafka_coordinator coordinator_of(struct call *call, struct str key, int8_t type,
                                               enum status made)
{
    struct kafka_coordinator out = {.key = key, .node_id = -1, .host = STR(""), .port = -1};
    if (!topic_of(type)) {
        out.error_code = KAFKA_INVALID_REQUEST;
        out.error_message = STR("only consumer groups and transactions have a coordinator here");
    } else if (made != OK) {
        out.error_code = KAFKA_COORDINATOR_NOT_AVAILABLE;
        out.error_message = STR("the coordinator's topic cannot be made");
    } else {
        out.node_id = BROKER_NODE_ID;
        out.host = str_of(call->host);
        out.port = call->broker->address.port;
    }
    return out;
}

/* Pool or loop: with a topic to be made it waits for the disk. */
static void coordinator_work(struct call *call)
{
    const struct kafka_find_coordinator_request *request = call->request;
    struct kafka_find_coordinator_response *response =
        CALL_ARRAY(call, 1, struct kafka_find_coordinator_response);
    struct error err = {0};
    enum status made = OK;
    if (!response)
        return;
    const char *topic = topic_of(request->key_type);
    if (topic)
        made = state_log_make_topic(call->broker, topic, &err);
    if (made != OK)
        logger_write(LOG_WARN, "broker", "topic '%s' not made: %s", topic, err.text);
    struct kafka_coordinator one = coordinator_of(call, request->key, request->key_type, made);
    *response = (struct kafka_find_coordinator_response){
        .error_code = one.error_code,
        .error_message = one.error_message,
        .node_id = one.node_id,
        .host = one.host,
        .port = one.port,
    };
    response->coordinators.items = CALL_ARRAY(call, request->keys.count, struct kafka_coordinator);
    for (int32_t i = 0; response->coordinators.items && i < request->keys.count; i++)
        response->coordinators.items[response->coordinators.count++] =
            coordinator_of(call, request->keys.items[i], request->key_type, made);
    call->response = response;
}

static void coordinator_start(struct call *call)
{
    const struct kafka_find_coordinator_request *request = call->request;
    const char *name = topic_of(request->key_type);
    struct log_topic *topic = name ? log_topic_find(call->broker->log, str_of(name)) : NULL;
    bool missing = name && !topic;
    log_topic_unref(topic);
    if (missing) {
        call_submit(call);
        return;
    }
    coordinator_work(call);
    call_finish(call);
}

/* ---- ListGroups ---- */

static bool is_asked_for(struct str text, const struct str *items, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        if (str_eq_nocase(items[i], text))
            return true;
    return count <= 0;
}

static void list_start(struct call *call)
{
    const struct kafka_list_groups_request *request = call->request;
    struct kafka_list_groups_response *response =
        CALL_ARRAY(call, 1, struct kafka_list_groups_response);
    struct groups *groups = groups_enter(call->broker);
    bool classic = is_asked_for(STR("classic"), request->types.items, request->types.count);
    call->response = response;
    if (response)
        response->groups.items = CALL_ARRAY(call, groups->count, struct kafka_listed_group);
    for (uint32_t i = 0; !call->arena.failed && classic && i < groups->count; i++) {
        const struct group *group = groups->items[i]->group;
        struct str state = str_of(group_state_text(group->state));
        if (!is_asked_for(state, request->states.items, request->states.count))
            continue;
        response->groups.items[response->groups.count++] = (struct kafka_listed_group){
            .group_id = call_copy(call, group->id),
            .protocol_type = call_copy(call, group->protocol_type),
            .state = state,
            .type = STR("classic"),
        };
    }
    groups_done(groups, call);
    groups_leave(groups);
}

/* ---- DescribeGroups ---- */

/* What a member reads and was given is told of a stable group only, as by Kafka. */
static void describe_members(struct call *call, const struct group *group,
                             struct kafka_described_group *out)
{
    bool stable = group->state == GROUP_STABLE;
    out->members.items = CALL_ARRAY(call, group->member_count, struct kafka_described_member);
    for (const struct group_member *member = group->members; member && !call->arena.failed;
         member = member->next) {
        struct str nothing = {NULL, 0};
        out->members.items[out->members.count++] = (struct kafka_described_member){
            .member_id = call_copy(call, member->id),
            .instance_id = call_copy(call, member->instance_id),
            .client_id = call_copy(call, member->client_id),
            .client_host = call_copy(call, member->client_host),
            .metadata = call_bytes(call, stable ? group_member_metadata(group, member) : nothing),
            .assignment = call_bytes(call, stable ? member->assignment : nothing),
        };
    }
}

static void describe_one(struct groups *groups, struct call *call, struct str id,
                         struct kafka_described_group *out)
{
    const struct group_entry *entry = groups_find(groups, id);
    *out = (struct kafka_described_group){.group_id = id, .operations = INT32_MIN};
    if (!entry) {
        out->state = STR("Dead");
        if (call->version >= 6) {
            out->error_code = KAFKA_GROUP_ID_NOT_FOUND;
            out->error_message = STR("there is no such group");
        }
        return;
    }
    const struct group *group = entry->group;
    out->state = str_of(group_state_text(group->state));
    out->protocol_type = call_copy(call, group->protocol_type);
    if (group->state == GROUP_STABLE)
        out->protocol_name = call_copy(call, group->protocol_name);
    describe_members(call, group, out);
}

static void describe_start(struct call *call)
{
    const struct kafka_describe_groups_request *request = call->request;
    struct kafka_describe_groups_response *response =
        CALL_ARRAY(call, 1, struct kafka_describe_groups_response);
    struct groups *groups = groups_enter(call->broker);
    call->response = response;
    if (response)
        response->groups.items =
            CALL_ARRAY(call, request->groups.count, struct kafka_described_group);
    for (int32_t i = 0; !call->arena.failed && i < request->groups.count; i++)
        describe_one(groups, call, request->groups.items[i],
                     &response->groups.items[response->groups.count++]);
    groups_done(groups, call);
    groups_leave(groups);
}

/* ---- DeleteGroups: all of them in one batch, answered when it is durable. ---- */

static int16_t delete_one(const struct group_entry *entry, struct group_write *write)
{
    if (!entry)
        return KAFKA_GROUP_ID_NOT_FOUND;
    const struct group *group = entry->group;
    if (group->state != GROUP_EMPTY)
        return KAFKA_NON_EMPTY_GROUP;
    for (uint32_t i = 0; group->offsets && i < group->offsets->count; i++)
        for (uint32_t j = 0; j < group->offsets->topics[i].count; j++)
            group_write_offset_tombstone(&write->writer, group->id, group->offsets->topics[i].name,
                                         group->offsets->topics[i].items[j].partition);
    group_write_tombstone(&write->writer, group->id);
    return KAFKA_NONE;
}

static void delete_settle(struct call *call, int16_t code)
{
    struct kafka_delete_groups_response *response = call->response;
    for (int32_t i = 0; i < response->results.count; i++)
        if (response->results.items[i].error_code == KAFKA_NONE)
            response->results.items[i].error_code = code;
}

static void delete_start(struct call *call)
{
    const struct kafka_delete_groups_request *request = call->request;
    struct kafka_delete_groups_response *response =
        CALL_ARRAY(call, 1, struct kafka_delete_groups_response);
    struct groups *groups = groups_enter(call->broker);
    struct group_write *write = NULL;
    bool waits = false;
    call->response = response;
    if (response)
        response->results.items =
            CALL_ARRAY(call, request->groups.count, struct kafka_deleted_group);
    if (!call->arena.failed)
        write = group_log_begin(groups, STR(""));
    for (int32_t i = 0; !call->arena.failed && i < request->groups.count; i++) {
        struct str id = request->groups.items[i];
        int16_t code = !write                  ? KAFKA_COORDINATOR_NOT_AVAILABLE
                       : call->broker->closing ? KAFKA_NOT_COORDINATOR
                                               : delete_one(groups_find(groups, id), write);
        response->results.items[response->results.count++] =
            (struct kafka_deleted_group){.group_id = id, .error_code = code};
    }
    if (write) {
        waits = write->writer.builder.record_count > 0;
        write->call = waits ? call : NULL;
        write->settle = delete_settle;
        group_log_submit(groups, write);
    }
    if (!waits)
        groups_done(groups, call);
    groups_leave(groups);
}

const struct handler HANDLER_FIND_COORDINATOR = {
    .key = KAFKA_FIND_COORDINATOR,
    .start = coordinator_start,
    .work = coordinator_work,
};
const struct handler HANDLER_LIST_GROUPS = {
    .key = KAFKA_LIST_GROUPS,
    .start = list_start,
    .drop = groups_drop,
};
const struct handler HANDLER_DESCRIBE_GROUPS = {
    .key = KAFKA_DESCRIBE_GROUPS,
    .start = describe_start,
    .drop = groups_drop,
};
const struct handler HANDLER_DELETE_GROUPS = {
    .key = KAFKA_DELETE_GROUPS,
    .start = delete_start,
    .drop = groups_drop,
};
