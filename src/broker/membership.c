/* membership.c - JoinGroup, SyncGroup, Heartbeat, LeaveGroup: between requests and group.c. */
#include "broker/groups.h"

#include <stdio.h>

#define MEMBER_ID_MAX_BYTES (GROUP_TEXT_MAX_BYTES + GROUP_UUID_TEXT)
#define VERSION_ID_REQUIRED 4 /* of JoinGroup, KIP-394 */
#define VERSION_SKIP        9 /* KIP-814 */

static bool ids_valid(struct str member_id, struct str instance_id)
{
    return member_id.length <= MEMBER_ID_MAX_BYTES && instance_id.length <= GROUP_TEXT_MAX_BYTES;
}

static struct str text_of(const struct kafka_records *bytes)
{
    return (struct str){(const char *)bytes->data, bytes->size_bytes};
}

/* ---- JoinGroup ---- */

static void members_list(struct call *call, const struct group *group,
                         struct kafka_join_group_response *response)
{
    response->members.items = CALL_ARRAY(call, group->member_count, struct kafka_join_group_member);
    for (const struct group_member *member = group->members; member && !call->arena.failed;
         member = member->next)
        response->members.items[response->members.count++] = (struct kafka_join_group_member){
            .member_id = call_copy(call, member->id),
            .instance_id = call_copy(call, member->instance_id),
            .metadata = call_bytes(call, group_member_metadata(group, member)),
        };
}

void membership_joined(struct call *call, const struct group *group,
                       const struct group_joined *answer)
{
    struct kafka_join_group_response *response =
        CALL_ARRAY(call, 1, struct kafka_join_group_response);
    call->response = response;
    if (!response)
        return;
    *response = (struct kafka_join_group_response){
        .error_code = answer->error_code,
        .generation = answer->generation,
        .protocol_type = call_copy(call, answer->protocol_type),
        .protocol_name = call_copy(call, answer->protocol_name),
        .leader_id = call_copy(call, answer->leader_id),
        .skip_assignment = answer->skip_assignment,
        .member_id = call_copy(call, answer->member_id),
    };
    if (answer->with_members)
        members_list(call, group, response);
}

static void join_refuse(struct groups *groups, struct call *call, int16_t code)
{
    const struct kafka_join_group_request *request = call->request;
    struct group_joined answer = {.error_code = code,
                                  .generation = -1,
                                  .leader_id = STR(""),
                                  .member_id = request->member_id};
    membership_joined(call, NULL, &answer);
    groups_done(groups, call);
}

static int16_t join_check(struct groups *groups, const struct kafka_join_group_request *request)
{
    if (!groups_id_valid(request->group_id))
        return KAFKA_INVALID_GROUP_ID;
    if (request->session_timeout_ms < groups->env.min_session_ms ||
        request->session_timeout_ms > groups->env.max_session_ms)
        return KAFKA_INVALID_SESSION_TIMEOUT;
    if (!ids_valid(request->member_id, request->instance_id) ||
        request->protocol_type.length > GROUP_TEXT_MAX_BYTES ||
        request->protocols.count > GROUP_PROTOCOLS_MAX)
        return KAFKA_INVALID_REQUEST;
    for (int32_t i = 0; i < request->protocols.count; i++)
        if (request->protocols.items[i].name.length > GROUP_TEXT_MAX_BYTES)
            return KAFKA_INVALID_REQUEST;
    return groups->broker->closing || !state_log_ready(&groups->log) ? KAFKA_NOT_COORDINATOR
                                                                     : KAFKA_NONE;
}

/* A random UUID of version 4. */
static void uuid_make(struct io *io, char dest[GROUP_UUID_TEXT])
{
    uint8_t bytes[16];
    io_random(io, bytes, sizeof(bytes));
    bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
    bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
    for (unsigned i = 0; i < sizeof(bytes); i++)
        dest +=
            snprintf(dest, 4, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", bytes[i]);
}

/* As Kafka shows it: a slash and the address without its port. */
static struct str host_text(struct call *call)
{
    const char *peer = call->session->peer, *colon = strrchr(peer, ':');
    int length = colon ? (int)(colon - peer) : (int)strlen(peer);
    return str_of(arena_printf(&call->arena, "/%.*s", length, peer));
}

static struct str client_text(const struct call *call)
{
    struct str text = call->client_id.data ? call->client_id : STR("");
    if (text.length > GROUP_TEXT_MAX_BYTES)
        text.length = GROUP_TEXT_MAX_BYTES;
    return text;
}

static void join_run(struct groups *groups, struct call *call, struct group_entry *entry)
{
    const struct kafka_join_group_request *request = call->request;
    char uuid[GROUP_UUID_TEXT];
    struct group_protocol *protocols =
        CALL_ARRAY(call, request->protocols.count, struct group_protocol);
    struct str host = host_text(call);
    if (!protocols || !host.data) { /* call_finish closes the connection */
        join_refuse(groups, call, KAFKA_COORDINATOR_NOT_AVAILABLE);
        return;
    }
    for (int32_t i = 0; i < request->protocols.count; i++)
        protocols[i] = (struct group_protocol){request->protocols.items[i].name,
                                               text_of(&request->protocols.items[i].metadata)};
    uuid_make(groups->broker->io, uuid);
    struct group_join join = {
        .waiter = call,
        .member_id = request->member_id,
        .instance_id = request->instance_id,
        .client_id = client_text(call),
        .client_host = host,
        .protocol_type = request->protocol_type,
        .protocols = protocols,
        .protocol_count = (uint32_t)request->protocols.count,
        .session_timeout_ms = request->session_timeout_ms,
        .rebalance_timeout_ms = request->rebalance_timeout_ms,
        .id_required = call->version >= VERSION_ID_REQUIRED,
        .skip_version = call->version >= VERSION_SKIP,
        .uuid = uuid,
    };
    call->group = entry->group;
    group_join(entry->group, &join);
    groups_touch(entry);
}

static void join_start(struct call *call)
{
    const struct kafka_join_group_request *request = call->request;
    struct groups *groups = groups_enter(call->broker);
    int16_t code = join_check(groups, request);
    struct group_entry *entry = NULL;
    if (code == KAFKA_NONE) {
        /* A member that we do not know is told so, and makes no group. */
        bool is_new = request->member_id.length == 0;
        entry = is_new ? groups_make(groups, request->group_id)
                       : groups_find(groups, request->group_id);
        code = is_new ? KAFKA_COORDINATOR_NOT_AVAILABLE : KAFKA_UNKNOWN_MEMBER_ID;
    }
    if (entry)
        join_run(groups, call, entry);
    else
        join_refuse(groups, call, code);
    groups_leave(groups);
}

/* ---- SyncGroup ---- */

void membership_synced(struct call *call, const struct group_synced *answer)
{
    struct kafka_sync_group_response *response =
        CALL_ARRAY(call, 1, struct kafka_sync_group_response);
    call->response = response;
    if (response)
        *response = (struct kafka_sync_group_response){
            .error_code = answer->error_code,
            .protocol_type = call_copy(call, answer->protocol_type),
            .protocol_name = call_copy(call, answer->protocol_name),
            .assignment = call_bytes(call, answer->assignment),
        };
}

static void sync_run(struct groups *groups, struct call *call, struct group_entry *entry)
{
    const struct kafka_sync_group_request *request = call->request;
    struct group_assignment *assignments =
        CALL_ARRAY(call, request->assignments.count, struct group_assignment);
    for (int32_t i = 0; assignments && i < request->assignments.count; i++)
        assignments[i] =
            (struct group_assignment){request->assignments.items[i].member_id,
                                      text_of(&request->assignments.items[i].assignment)};
    struct group_sync sync = {
        .waiter = call,
        .member_id = request->member_id,
        .instance_id = request->instance_id,
        .protocol_type = request->protocol_type,
        .protocol_name = request->protocol_name,
        .generation = request->generation,
        .assignments = assignments,
        .assignment_count = assignments ? (uint32_t)request->assignments.count : 0,
    };
    call->group = entry->group;
    group_sync(entry->group, &sync);
    groups_touch(entry);
}

static void sync_start(struct call *call)
{
    const struct kafka_sync_group_request *request = call->request;
    struct groups *groups = groups_enter(call->broker);
    struct group_entry *entry = groups_find(groups, request->group_id);
    struct group_synced refusal = {.error_code = KAFKA_UNKNOWN_MEMBER_ID};
    if (!groups_id_valid(request->group_id))
        refusal.error_code = KAFKA_INVALID_GROUP_ID;
    else if (call->broker->closing)
        refusal.error_code = KAFKA_NOT_COORDINATOR;
    if (entry && !call->broker->closing) {
        sync_run(groups, call, entry);
    } else {
        membership_synced(call, &refusal);
        groups_done(groups, call);
    }
    groups_leave(groups);
}

/* ---- Heartbeat ---- */

static void heartbeat_start(struct call *call)
{
    const struct kafka_heartbeat_request *request = call->request;
    struct kafka_heartbeat_response *response =
        CALL_ARRAY(call, 1, struct kafka_heartbeat_response);
    struct groups *groups = groups_enter(call->broker);
    struct group_entry *entry = groups_find(groups, request->group_id);
    int16_t code =
        groups_id_valid(request->group_id) ? KAFKA_UNKNOWN_MEMBER_ID : KAFKA_INVALID_GROUP_ID;
    if (entry) {
        code = group_heartbeat(entry->group, request->member_id, request->instance_id,
                               request->generation);
        groups_touch(entry);
    }
    if (response)
        response->error_code = code;
    call->response = response;
    groups_done(groups, call);
    groups_leave(groups);
}

/* ---- LeaveGroup ---- */

static void leave_members(const struct kafka_leave_group_request *request, struct group *group,
                          struct kafka_leave_group_response *response)
{
    bool any = false;
    for (int32_t i = 0; i < response->members.count; i++) {
        const struct kafka_leave_group_member *member = &request->members.items[i];
        int16_t code = group ? group_leave(group, member->member_id, member->instance_id)
                             : KAFKA_UNKNOWN_MEMBER_ID;
        any |= code == KAFKA_NONE;
        response->members.items[i] = (struct kafka_leave_group_member_result){
            .member_id = member->member_id,
            .instance_id = member->instance_id,
            .error_code = code,
        };
    }
    if (any)
        group_left(group);
}

static void leave_start(struct call *call)
{
    const struct kafka_leave_group_request *request = call->request;
    struct kafka_leave_group_response *response =
        CALL_ARRAY(call, 1, struct kafka_leave_group_response);
    struct groups *groups = groups_enter(call->broker);
    struct group_entry *entry = groups_find(groups, request->group_id);
    call->response = response;
    if (response)
        response->members.items =
            CALL_ARRAY(call, request->members.count, struct kafka_leave_group_member_result);
    if (call->arena.failed) {
        groups_done(groups, call);
    } else if (!groups_id_valid(request->group_id)) {
        response->error_code = KAFKA_INVALID_GROUP_ID;
        groups_done(groups, call);
    } else {
        if (call->version >= 3) {
            response->members.count = request->members.count;
            leave_members(request, entry ? entry->group : NULL, response);
        } else if (entry) {
            response->error_code =
                group_leave(entry->group, request->member_id, (struct str){NULL, 0});
            if (response->error_code == KAFKA_NONE)
                group_left(entry->group);
        } else {
            response->error_code = KAFKA_UNKNOWN_MEMBER_ID;
        }
        if (entry)
            groups_touch(entry);
        groups_done(groups, call);
    }
    groups_leave(groups);
}

const struct handler HANDLER_JOIN_GROUP = {
    .key = KAFKA_JOIN_GROUP,
    .start = join_start,
    .drop = groups_drop,
};
const struct handler HANDLER_SYNC_GROUP = {
    .key = KAFKA_SYNC_GROUP,
    .start = sync_start,
    .drop = groups_drop,
};
const struct handler HANDLER_HEARTBEAT = {
    .key = KAFKA_HEARTBEAT,
    .start = heartbeat_start,
    .drop = groups_drop,
};
const struct handler HANDLER_LEAVE_GROUP = {
    .key = KAFKA_LEAVE_GROUP,
    .start = leave_start,
    .drop = groups_drop,
};
