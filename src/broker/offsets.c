/* offsets.c - ListOffsets and OffsetForLeaderEpoch. Times are looked up on the pool: they read. */
#include "broker/broker_int.h"

#include "os/logger.h"

enum { /* timestamps that mean something else */
       OFFSET_LATEST = -1,
       OFFSET_EARLIEST = -2,
       OFFSET_MAX_TIMESTAMP = -3,
       OFFSET_EARLIEST_LOCAL = -4, /* nothing is tiered: the same as earliest */
       OFFSET_LATEST_TIERED = -5,  /* nothing is tiered: unknown */
       OFFSET_PENDING_UPLOAD = -6, /* the same */
};

int16_t offsets_check_epoch(struct broker *broker, int32_t current_leader_epoch)
{
    int32_t epoch = log_leader_epoch(broker->log);
    if (current_leader_epoch < 0 || current_leader_epoch == epoch)
        return KAFKA_NONE;
    return current_leader_epoch < epoch ? KAFKA_FENCED_LEADER_EPOCH : KAFKA_UNKNOWN_LEADER_EPOCH;
}

static void offset_find(int8_t isolation, struct log_partition *partition,
                        const struct kafka_list_offsets_partition *request,
                        struct kafka_list_offsets_partition_result *result)
{
    struct error err = {0};
    enum status status = OK;
    struct log_offsets offsets;
    log_partition_offsets(partition, &offsets);
    result->leader_epoch = offsets.leader_epoch;
    int64_t end = isolation == READ_COMMITTED ? offsets.last_stable : offsets.high_watermark;
    switch (request->timestamp_ms) {
    case OFFSET_LATEST:
        result->offset = end;
        break;
    case OFFSET_EARLIEST:
    case OFFSET_EARLIEST_LOCAL:
        result->offset = offsets.log_start;
        break;
    case OFFSET_MAX_TIMESTAMP:
        status = log_find_latest_time(partition, &result->offset, &result->timestamp_ms, &err);
        break;
    case OFFSET_LATEST_TIERED:
    case OFFSET_PENDING_UPLOAD:
        result->leader_epoch = -1;
        break;
    default:
        if (request->timestamp_ms < 0)
            result->error_code = KAFKA_UNSUPPORTED_VERSION;
        else
            status = log_find_time(partition, request->timestamp_ms, &result->offset,
                                   &result->timestamp_ms, &err);
    }
    if (status != OK) {
        logger_write(LOG_ERROR, "broker", "offset by time: %s", err.text);
        result->error_code = call_error_code(status);
    }
    bool by_time = request->timestamp_ms >= 0 || request->timestamp_ms == OFFSET_MAX_TIMESTAMP;
    if (by_time && result->offset >= end) /* not decided yet */
        result->offset = result->timestamp_ms = -1;
    if (result->offset < 0)
        result->leader_epoch = -1;
}

static void list_work(struct call *call)
{
    const struct kafka_list_offsets_request *request = call->request;
    struct kafka_list_offsets_response *response =
        CALL_ARRAY(call, 1, struct kafka_list_offsets_response);
    if (!response)
        return;
    response->topics.count = request->topics.count;
    response->topics.items =
        CALL_ARRAY(call, request->topics.count, struct kafka_list_offsets_topic_result);
    for (int32_t i = 0; response->topics.items && i < request->topics.count; i++) {
        const struct kafka_list_offsets_topic *in = &request->topics.items[i];
        struct kafka_list_offsets_topic_result *out = &response->topics.items[i];
        out->name = in->name;
        out->partitions.count = in->partitions.count;
        out->partitions.items =
            CALL_ARRAY(call, in->partitions.count, struct kafka_list_offsets_partition_result);
        struct log_topic *topic = log_topic_find(call->broker->log, in->name);
        for (int32_t j = 0; out->partitions.items && j < in->partitions.count; j++) {
            const struct kafka_list_offsets_partition *wanted = &in->partitions.items[j];
            struct kafka_list_offsets_partition_result *result = &out->partitions.items[j];
            struct log_partition *partition =
                topic && wanted->index >= 0 ? log_topic_partition(topic, (uint32_t)wanted->index)
                                            : NULL;
            *result = (struct kafka_list_offsets_partition_result){
                .index = wanted->index,
                .timestamp_ms = -1,
                .offset = -1,
                .leader_epoch = -1,
                .error_code = offsets_check_epoch(call->broker, wanted->current_leader_epoch),
            };
            if (!partition)
                result->error_code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
            else if (result->error_code == KAFKA_NONE)
                offset_find(request->isolation_level, partition, wanted, result);
        }
        log_topic_unref(topic);
    }
    call->response = response;
}

static void list_start(struct call *call)
{
    const struct kafka_list_offsets_request *request = call->request;
    bool by_time = false;
    for (int32_t i = 0; i < request->topics.count; i++)
        for (int32_t j = 0; j < request->topics.items[i].partitions.count; j++) {
            int64_t timestamp_ms = request->topics.items[i].partitions.items[j].timestamp_ms;
            by_time |= timestamp_ms >= 0 || timestamp_ms == OFFSET_MAX_TIMESTAMP;
        }
    if (by_time) {
        call_submit(call);
        return;
    }
    list_work(call);
    call_finish(call);
}

static void epoch_find(struct call *call, const struct kafka_leader_epoch_topic *in,
                       struct kafka_leader_epoch_topic_result *out)
{
    struct log_topic *topic = log_topic_find(call->broker->log, in->name);
    for (int32_t j = 0; j < in->partitions.count; j++) {
        const struct kafka_leader_epoch_partition *wanted = &in->partitions.items[j];
        struct kafka_leader_epoch_partition_result *result = &out->partitions.items[j];
        struct log_partition *partition = topic && wanted->index >= 0
                                              ? log_topic_partition(topic, (uint32_t)wanted->index)
                                              : NULL;
        *result = (struct kafka_leader_epoch_partition_result){
            .index = wanted->index,
            .leader_epoch = -1,
            .end_offset = -1,
            .error_code = offsets_check_epoch(call->broker, wanted->current_leader_epoch),
        };
        if (!partition)
            result->error_code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
        else if (result->error_code == KAFKA_NONE)
            log_epoch_end(partition, wanted->leader_epoch, &result->leader_epoch,
                          &result->end_offset);
    }
    log_topic_unref(topic);
}

static void epoch_start(struct call *call)
{
    const struct kafka_leader_epoch_request *request = call->request;
    struct kafka_leader_epoch_response *response =
        CALL_ARRAY(call, 1, struct kafka_leader_epoch_response);
    call->response = response;
    if (response) {
        response->topics.count = request->topics.count;
        response->topics.items =
            CALL_ARRAY(call, request->topics.count, struct kafka_leader_epoch_topic_result);
    }
    for (int32_t i = 0; !call->arena.failed && i < request->topics.count; i++) {
        const struct kafka_leader_epoch_topic *in = &request->topics.items[i];
        struct kafka_leader_epoch_topic_result *out = &response->topics.items[i];
        out->name = in->name;
        out->partitions.count = in->partitions.count;
        out->partitions.items =
            CALL_ARRAY(call, in->partitions.count, struct kafka_leader_epoch_partition_result);
        if (out->partitions.items)
            epoch_find(call, in, out);
    }
    call_finish(call);
}

const struct handler HANDLER_LIST_OFFSETS = {
    .key = KAFKA_LIST_OFFSETS,
    .start = list_start,
    .work = list_work,
};
const struct handler HANDLER_LEADER_EPOCH = {
    .key = KAFKA_OFFSET_FOR_LEADER_EPOCH,
    .start = epoch_start,
};
