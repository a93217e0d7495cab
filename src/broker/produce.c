/* produce.c - Produce: check each batch, append it, answer when acks says so.
 *
 * Batches are checked and stamped where they were received; nothing is copied but topic names for
 * the answer. acks=all waits in the broker's list until the high watermark has reached its offsets.
 */
#include "broker/txns.h"

#include <stdio.h>

#include "base/must.h"
#include "os/logger.h"

#define VERSION_ABORTABLE 11

enum { ACKS_ALL = -1, ACKS_NONE = 0, ACKS_WRITTEN = 1 };

struct produce_part {                /* a partition that was appended to and is not yet durable */
    struct log_partition *partition; /* a reference */
    struct kafka_produce_partition_result *result;
    int64_t next_offset;
};
struct produce_wait {
    uint32_t count;
    struct produce_part parts[];
};

static int16_t refuse(struct call *call, struct kafka_produce_partition_result *result,
                      int16_t code, const char *text)
{
    result->error_code = code;
    result->base_offset = -1;
    result->append_time_ms = -1;
    result->log_start_offset = -1;
    result->error_message = call_text(call, text);
    return code;
}

/* What may not come from a client, besides damage. */
static int16_t batch_check(struct call *call, const struct record_batch *batch,
                           size_t records_bytes, const struct log_config *config,
                           struct kafka_produce_partition_result *result)
{
    char text[160];
    if (batch->size_bytes != records_bytes)
        return refuse(call, result, KAFKA_INVALID_RECORD,
                      "a partition's records must be exactly one record batch");
    if ((int64_t)batch->size_bytes > config->max_message_bytes) {
        snprintf(text, sizeof(text), "a record batch of %u bytes, max.message.bytes is %lld",
                 batch->size_bytes, (long long)config->max_message_bytes);
        return refuse(call, result, KAFKA_MESSAGE_TOO_LARGE, text);
    }
    if (batch->attributes & RECORD_TRANSACTIONAL && batch->producer_id < 0)
        return refuse(call, result, KAFKA_INVALID_RECORD,
                      "a transactional batch has no producer id");
    if (batch->producer_id >= 0 && (batch->base_sequence < 0 || batch->producer_epoch < 0))
        return refuse(call, result, KAFKA_INVALID_RECORD,
                      "a batch of an idempotent producer has no sequence or no epoch");
    if (batch->attributes & RECORD_APPEND_TIME && config->timestamp_type == LOG_CREATE_TIME)
        return refuse(call, result, KAFKA_INVALID_TIMESTAMP,
                      "a producer may not set the timestamp type to LogAppendTime");
    if (record_batch_compression(batch) == COMPRESSION_ZSTD && call->version < 7)
        return refuse(call, result, KAFKA_UNSUPPORTED_COMPRESSION_TYPE,
                      "zstd needs Produce version 7");
    return KAFKA_NONE;
}

/* A transactional batch belongs to a transaction that is open and has this partition. */
static int16_t transaction_check(struct call *call, const struct record_batch *batch,
                                 struct log_topic *topic,
                                 struct kafka_produce_partition_result *result)
{
    const struct kafka_produce_request *request = call->request;
    if (!(batch->attributes & RECORD_TRANSACTIONAL))
        return KAFKA_NONE;
    int16_t code =
        txns_check_write(call->broker, request->transactional_id, batch->producer_id,
                         batch->producer_epoch, str_of(log_topic_info(topic).name), result->index);
    if (code == KAFKA_NONE)
        return code;
    if (code == KAFKA_INVALID_TXN_STATE && call->version >= VERSION_ABORTABLE)
        code = KAFKA_TRANSACTION_ABORTABLE;
    return refuse(call, result, code,
                  code == KAFKA_INVALID_PRODUCER_EPOCH
                      ? "a newer producer has this transactional id"
                      : "the partition is not part of an open transaction of this producer");
}

static int16_t status_refuse(struct call *call, struct kafka_produce_partition_result *result,
                             enum status status, const struct error *err)
{
    int16_t code = call_error_code(status);
    if (status == ERR_UNSUPPORTED)
        code = KAFKA_UNSUPPORTED_FOR_MESSAGE_FORMAT;
    else if (status == ERR_LIMIT)
        code = KAFKA_MESSAGE_TOO_LARGE;
    return refuse(call, result, code, err->text);
}

static int16_t partition_append(struct call *call, struct log_topic *topic,
                                struct log_partition *partition,
                                const struct kafka_records *records,
                                struct kafka_produce_partition_result *result,
                                int64_t *out_next_offset)
{
    struct broker *broker = call->broker;
    struct error err = {0};
    struct record_batch batch;
    struct record_summary summary;
    struct log_config config = log_topic_config(topic);
    if (!records->data || records->size_bytes == 0)
        return refuse(call, result, KAFKA_INVALID_RECORD, "there are no records");
    if (config.min_insync_replicas > 1 &&
        ((struct kafka_produce_request *)call->request)->acks == ACKS_ALL)
        return refuse(call, result, KAFKA_NOT_ENOUGH_REPLICAS,
                      "min.insync.replicas is above the one replica that there is");
    enum status status = record_batch_parse(&batch, records->data, records->size_bytes, &err);
    if (status == ERR_END)
        return refuse(call, result, KAFKA_CORRUPT_MESSAGE, err.text);
    if (status != OK)
        return status_refuse(call, result, status, &err);
    int16_t code = batch_check(call, &batch, records->size_bytes, &config, result);
    if (code == KAFKA_NONE)
        code = transaction_check(call, &batch, topic, result);
    if (code != KAFKA_NONE)
        return code;
    status =
        record_batch_validate(&batch, &broker->validate, broker->max_request_bytes, &summary, &err);
    if (broker->validate.capacity > SCRATCH_BYTES * 8)
        buf_fini(&broker->validate); /* one large batch must not stay for ever */
    if (status != OK)
        return status_refuse(call, result, status, &err);
    if (config.timestamp_type == LOG_CREATE_TIME &&
        summary.max_timestamp_ms != batch.max_timestamp_ms)
        record_batch_set_max_timestamp(records->data, records->size_bytes,
                                       summary.max_timestamp_ms);

    struct log_append append = {.batches = records->data, .size_bytes = records->size_bytes};
    status = commit_append(broker, partition, &append, &err);
    if (status != OK) {
        int64_t now_us = io_monotonic_us(broker->io);
        if (now_us >= broker->append_warned_us) /* each request would say the same */
            logger_write(LOG_WARN, "broker", "append refused: %s", err.text);
        broker->append_warned_us = now_us + WARN_INTERVAL_US;
        return status_refuse(call, result, status, &err);
    }
    if (!append.duplicate)
        metric_add(&broker->records_in, batch.record_count);
    result->base_offset = append.base_offset;
    result->append_time_ms = append.append_time_ms;
    result->log_start_offset = append.log_start_offset;
    *out_next_offset = append.next_offset;
    return KAFKA_NONE;
}

static void wait_release(struct call *call)
{
    call_list_remove(call);
    for (uint32_t i = 0; call->produce && i < call->produce->count; i++)
        log_partition_unref(call->produce->parts[i].partition);
    call->produce = NULL;
}

/* Take the parts that are durable, or never will be, off the list; true when none is left. */
static bool wait_check(struct call *call)
{
    struct produce_wait *wait = call->produce;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < wait->count; i++) {
        struct produce_part *part = &wait->parts[i];
        struct log_offsets offsets;
        log_partition_offsets(part->partition, &offsets);
        if (offsets.high_watermark < part->next_offset && !offsets.failed && !offsets.deleted) {
            wait->parts[kept++] = *part;
            continue;
        }
        if (offsets.high_watermark < part->next_offset)
            refuse(call, part->result,
                   offsets.deleted ? KAFKA_UNKNOWN_TOPIC_OR_PARTITION : KAFKA_STORAGE_ERROR,
                   offsets.deleted ? "the topic has been deleted" : "the log could not be synced");
        log_partition_unref(part->partition);
    }
    wait->count = kept;
    return kept == 0;
}

static void wait_expired(struct loop_timer *timer)
{
    struct call *call = container_of(timer, struct call, timer);
    for (uint32_t i = 0; i < call->produce->count; i++)
        refuse(call, call->produce->parts[i].result, KAFKA_REQUEST_TIMED_OUT,
               "the disk did not sync in time");
    wait_release(call);
    call_finish(call);
}

/* Two steps: finishing a call lets its session take new requests, or close and take all its calls
 * with it; both change the lists, which stay whole because every call knows the one it is on. */
void produce_synced(struct broker *broker)
{
    struct call *call, *next;
    for (call = broker->waiting.first; call; call = next) {
        next = call->wait_next;
        if (wait_check(call)) {
            call_list_remove(call);
            call_list_append(&broker->synced, call);
        }
    }
    while ((call = broker->synced.first)) {
        wait_release(call);
        call_finish(call);
    }
}

static struct kafka_produce_response *
response_make(struct call *call, const struct kafka_produce_request *request, uint32_t *out_parts)
{
    struct kafka_produce_response *response = CALL_ARRAY(call, 1, struct kafka_produce_response);
    uint32_t part_count = 0;
    if (!response)
        return NULL;
    response->topics.count = request->topics.count;
    response->topics.items =
        CALL_ARRAY(call, request->topics.count, struct kafka_produce_topic_result);
    for (int32_t i = 0; response->topics.items && i < request->topics.count; i++) {
        const struct kafka_produce_topic *topic = &request->topics.items[i];
        struct kafka_produce_topic_result *result = &response->topics.items[i];
        result->name = call_copy(call, topic->name);
        result->id = topic->id;
        result->partitions.count = topic->partitions.count;
        result->partitions.items =
            CALL_ARRAY(call, topic->partitions.count, struct kafka_produce_partition_result);
        part_count += (uint32_t)topic->partitions.count;
    }
    *out_parts = part_count;
    return call->arena.failed ? NULL : response;
}

static void topic_append(struct call *call, const struct kafka_produce_topic *request,
                         struct kafka_produce_topic_result *result)
{
    bool by_id = call->version >= 13;
    struct log_topic *topic = by_id ? log_topic_find_id(call->broker->log, request->id.bytes)
                                    : log_topic_find(call->broker->log, request->name);
    for (int32_t i = 0; i < request->partitions.count; i++) {
        const struct kafka_produce_partition *in = &request->partitions.items[i];
        struct kafka_produce_partition_result *out = &result->partitions.items[i];
        struct log_partition *partition =
            topic && in->index >= 0 ? log_topic_partition(topic, (uint32_t)in->index) : NULL;
        int64_t next_offset;
        out->index = in->index;
        if (!topic && by_id) {
            refuse(call, out, KAFKA_UNKNOWN_TOPIC_ID, "there is no topic of this id");
            continue;
        }
        if (topic && is_internal_topic(str_of(log_topic_info(topic).name))) {
            refuse(call, out, KAFKA_INVALID_TOPIC, "only the broker writes to this topic");
            continue;
        }
        if (!partition) {
            refuse(call, out, KAFKA_UNKNOWN_TOPIC_OR_PARTITION, "there is no such topic partition");
            continue;
        }
        if (partition_append(call, topic, partition, &in->records, out, &next_offset) != KAFKA_NONE)
            continue;
        struct produce_part *part = &call->produce->parts[call->produce->count++];
        *part = (struct produce_part){log_partition_ref(partition), out, next_offset};
    }
    log_topic_unref(topic);
}

static bool any_refused(const struct kafka_produce_response *response)
{
    for (int32_t i = 0; i < response->topics.count; i++)
        for (int32_t j = 0; j < response->topics.items[i].partitions.count; j++)
            if (response->topics.items[i].partitions.items[j].error_code != KAFKA_NONE)
                return true;
    return false;
}

static void refuse_all(struct call *call, const struct kafka_produce_request *request,
                       struct kafka_produce_response *response, int16_t code, const char *text)
{
    for (int32_t i = 0; i < response->topics.count; i++)
        for (int32_t j = 0; j < response->topics.items[i].partitions.count; j++) {
            struct kafka_produce_partition_result *result =
                &response->topics.items[i].partitions.items[j];
            result->index = request->topics.items[i].partitions.items[j].index;
            refuse(call, result, code, text);
        }
}

/* The answer once everything is written; acks=all may have to wait for the disk. */
static void written(struct call *call, int32_t acks, int32_t timeout_ms)
{
    struct broker *broker = call->broker;
    bool wait = acks == ACKS_ALL && !wait_check(call);
    if (!wait)
        wait_release(call);
    if (wait) {
        call_list_append(&broker->waiting, call);
        call->timer.fire = wait_expired;
        if (loop_timer_arm(broker->loop, &call->timer, (int64_t)timeout_ms * 1000, NULL) != OK)
            logger_write(LOG_WARN, "broker", "no memory for a request's timer");
        return;
    }
    call_finish(call);
}

static void produce_start(struct call *call)
{
    const struct kafka_produce_request *request = call->request;
    uint32_t part_count = 0;
    struct kafka_produce_response *response = response_make(call, request, &part_count);
    call->response = response;
    call->no_response = request->acks == ACKS_NONE;
    if (response)
        call->produce = call_alloc(
            call, 1, sizeof(struct produce_wait) + part_count * sizeof(struct produce_part));
    if (!response || !call->produce) {
        call_break(call, "a Produce request that is too large to answer");
        return;
    }
    if (request->acks < ACKS_ALL || request->acks > ACKS_WRITTEN) {
        refuse_all(call, request, response, KAFKA_INVALID_REQUIRED_ACKS, "acks must be 0, 1 or -1");
        call_finish(call);
        return;
    }
    for (int32_t i = 0; i < request->topics.count; i++)
        topic_append(call, &request->topics.items[i], &response->topics.items[i]);
    /* Without an answer the only way to say that something was refused is to hang up, as Kafka. */
    if (call->no_response && any_refused(response))
        call->broken = true;
    call->request = NULL; /* the frame is not ours beyond this call */
    written(call, request->acks, request->timeout_ms);
}

const struct handler HANDLER_PRODUCE = {
    .key = KAFKA_PRODUCE,
    .start = produce_start,
    .drop = wait_release,
};
