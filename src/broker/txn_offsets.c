/* txn_offsets.c - TxnOffsetCommit: what a group has read becomes part of a producer's transaction.
 *
 * The offsets are written as they are, as a transactional batch, and count when the marker says so
 * (group_pending.h).
 */
#include "broker/txns.h"

#define VERSION_MEMBERS 3

static struct kafka_txn_offset_commit_response *
response_make(struct call *call, const struct kafka_txn_offset_commit_request *request)
{
    struct kafka_txn_offset_commit_response *response =
        CALL_ARRAY(call, 1, struct kafka_txn_offset_commit_response);
    if (!response)
        return NULL;
    response->topics.items =
        CALL_ARRAY(call, request->topics.count, struct kafka_txn_offset_commit_topic_result);
    for (int32_t i = 0; response->topics.items && i < request->topics.count; i++) {
        const struct kafka_txn_offset_commit_topic *in = &request->topics.items[i];
        struct kafka_txn_offset_commit_topic_result *out =
            &response->topics.items[response->topics.count++];
        out->name = in->name;
        out->partitions.items =
            CALL_ARRAY(call, in->partitions.count, struct kafka_txn_offset_commit_partition_result);
        for (int32_t k = 0; out->partitions.items && k < in->partitions.count; k++)
            out->partitions.items[out->partitions.count++].index = in->partitions.items[k].index;
    }
    return call->arena.failed ? NULL : response;
}

/* To all partitions that have not been refused by themselves. */
static void settle(struct call *call, int16_t code)
{
    struct kafka_txn_offset_commit_response *response = call->response;
    for (int32_t i = 0; i < response->topics.count; i++)
        for (int32_t k = 0; k < response->topics.items[i].partitions.count; k++) {
            int16_t *error_code = &response->topics.items[i].partitions.items[k].error_code;
            *error_code = *error_code == KAFKA_NONE ? code : *error_code;
        }
}

/* A producer that tells which member it speaks for must be that member still (KIP-447). */
static int16_t check_member(struct groups *groups, const struct call *call)
{
    const struct kafka_txn_offset_commit_request *request = call->request;
    if (request->generation < 0 && request->member_id.length == 0 && !request->instance_id.data)
        return KAFKA_NONE;
    struct group_entry *entry = groups_find(groups, request->group_id);
    return entry ? group_commit_check(entry->group, request->member_id, request->instance_id,
                                      request->generation)
                 : KAFKA_ILLEGAL_GENERATION;
}

static int16_t check(struct groups *groups, const struct call *call)
{
    const struct kafka_txn_offset_commit_request *request = call->request;
    if (!groups_id_valid(request->group_id))
        return KAFKA_INVALID_GROUP_ID;
    if (!state_log_ready(&groups->log) || groups->broker->closing)
        return KAFKA_NOT_COORDINATOR;
    int16_t code = txns_check_write(groups->broker, request->transactional_id, request->producer_id,
                                    request->producer_epoch, STR(GROUPS_TOPIC), 0);
    if (code != KAFKA_NONE)
        return code;
    code = check_member(groups, call);
    bool older = call->version < VERSION_MEMBERS;
    return older && code == KAFKA_FENCED_INSTANCE_ID ? KAFKA_UNKNOWN_MEMBER_ID : code;
}

static void write_topic(struct call *call, const struct kafka_txn_offset_commit_topic *in,
                        struct kafka_txn_offset_commit_topic_result *out, struct group_write *write)
{
    const struct kafka_txn_offset_commit_request *request = call->request;
    struct log_topic *topic = log_topic_find(call->broker->log, in->name);
    struct kafka_uuid id = {{0}};
    if (topic)
        memcpy(id.bytes, log_topic_info(topic).id, KAFKA_UUID_BYTES);
    for (int32_t i = 0; i < in->partitions.count; i++) {
        const struct kafka_txn_offset_commit_partition *partition = &in->partitions.items[i];
        int16_t *error_code = &out->partitions.items[i].error_code;
        if (!topic || partition->index < 0 ||
            !log_topic_partition(topic, (uint32_t)partition->index))
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
            .expire_ms = -1,
            .metadata = partition->metadata.data ? partition->metadata : STR(""),
        };
        group_write_offset(&write->writer, request->group_id, in->name, &id, &offset);
    }
    log_topic_unref(topic);
}

static struct group_write *write_all(struct groups *groups, struct call *call)
{
    const struct kafka_txn_offset_commit_request *request = call->request;
    struct kafka_txn_offset_commit_response *response = call->response;
    struct group_write *write = group_log_begin(groups, request->group_id);
    if (!write)
        return NULL;
    write->writer.builder.producer_id = request->producer_id;
    write->writer.builder.producer_epoch = request->producer_epoch;
    write->writer.builder.attributes |= RECORD_TRANSACTIONAL;
    for (int32_t i = 0; i < request->topics.count; i++)
        write_topic(call, &request->topics.items[i], &response->topics.items[i], write);
    return write;
}

static void start(struct call *call)
{
    const struct kafka_txn_offset_commit_request *request = call->request;
    call->response = response_make(call, request);
    if (!call->response) {
        call_break(call, "a TxnOffsetCommit request that is too large to answer");
        return;
    }
    struct groups *groups = groups_enter(call->broker);
    int16_t code = check(groups, call);
    struct group_write *write = code == KAFKA_NONE ? write_all(groups, call) : NULL;
    if (code == KAFKA_NONE && !write)
        code = KAFKA_COORDINATOR_NOT_AVAILABLE;
    bool waits = write && write->writer.builder.record_count > 0;
    if (waits) {
        write->call = call;
        write->settle = settle;
    }
    if (write)
        group_log_submit(groups, write);
    if (!waits) {
        settle(call, code);
        groups_done(groups, call);
    }
    groups_leave(groups);
}

const struct handler HANDLER_TXN_OFFSET_COMMIT = {
    .key = KAFKA_TXN_OFFSET_COMMIT,
    .start = start,
    .drop = groups_drop,
};
