/* topics.c - CreateTopics, DeleteTopics, CreatePartitions: they write the catalog and so run on the
 * pool. */
#include "broker/broker_int.h"

#include <stdio.h>

#include "base/must.h"
#include "os/logger.h"

/* ---- CreateTopics ---- */

#define INTERNAL_TOPIC "the broker makes and keeps this topic by itself"

static void create_refuse(struct call *call, struct kafka_create_topic_result *result, int16_t code,
                          const char *text)
{
    result->error_code = code;
    result->error_message = call_text(call, text);
    result->partition_count = -1;
    result->replication_factor = -1;
    result->configs.count = -1;
}

static void create_describe(struct call *call, struct log_topic *topic,
                            struct kafka_create_topic_result *result)
{
    size_t def_count;
    const struct option_def *defs = log_config_defs(&def_count);
    result->configs.items = CALL_ARRAY(call, def_count, struct kafka_create_topic_config_result);
    for (size_t i = 0; result->configs.items && i < def_count; i++) {
        char text[256];
        bool given = false;
        if (!log_topic_config_text(topic, defs[i].key, text, sizeof(text), &given))
            continue;
        result->configs.items[result->configs.count++] = (struct kafka_create_topic_config_result){
            .name = str_of(defs[i].key),
            .value = call_text(call, text),
            .source = given ? CONFIG_SOURCE_TOPIC : CONFIG_SOURCE_DEFAULT,
        };
    }
}

/* The partition count that the request means; -1 with a refusal. */
static int32_t create_partitions(struct call *call, const struct kafka_create_topic *topic,
                                 struct kafka_create_topic_result *result)
{
    bool by_assignment = topic->assignments.count > 0;
    if (by_assignment && (topic->partition_count != -1 || topic->replication_factor != -1)) {
        create_refuse(call, result, KAFKA_INVALID_REQUEST,
                      "replica assignments exclude a number of partitions and replicas");
        return -1;
    }
    for (int32_t i = 0; i < topic->assignments.count; i++) {
        const struct kafka_create_topic_assignment *assignment = &topic->assignments.items[i];
        if (assignment->index < 0 || assignment->index >= topic->assignments.count ||
            assignment->broker_ids.count != 1 ||
            assignment->broker_ids.items[0] != BROKER_NODE_ID) {
            create_refuse(call, result, KAFKA_INVALID_REPLICA_ASSIGNMENT,
                          "partitions count from 0, and the one node is 1");
            return -1;
        }
    }
    if (!by_assignment && topic->replication_factor != -1 && topic->replication_factor != 1) {
        create_refuse(call, result, KAFKA_INVALID_REPLICATION_FACTOR,
                      "there is one node: the replication factor must be 1");
        return -1;
    }
    if (by_assignment)
        return topic->assignments.count;
    if (topic->partition_count == -1)
        return (int32_t)call->broker->partition_count;
    if (topic->partition_count < 1) {
        create_refuse(call, result, KAFKA_INVALID_PARTITIONS,
                      "the number of partitions must be above 0");
        return -1;
    }
    return topic->partition_count;
}

static void create_one(struct call *call, const struct kafka_create_topic *topic,
                       bool validate_only, struct kafka_create_topic_result *result)
{
    struct error err = {0};
    if (is_internal_topic(topic->name)) {
        create_refuse(call, result, KAFKA_INVALID_TOPIC, INTERNAL_TOPIC);
        return;
    }
    int32_t partition_count = create_partitions(call, topic, result);
    if (partition_count < 0)
        return;
    struct log_config_entry *configs =
        CALL_ARRAY(call, topic->configs.count, struct log_config_entry);
    if (!configs)
        return;
    for (int32_t i = 0; i < topic->configs.count; i++) {
        configs[i].key = call_copy(call, topic->configs.items[i].name).data;
        configs[i].value = call_copy(call, topic->configs.items[i].value).data;
    }
    struct log_topic *made = NULL;
    enum status status =
        validate_only ? log_topic_check(call->broker->log, topic->name, (uint32_t)partition_count,
                                        configs, (size_t)topic->configs.count, &err)
                      : log_topic_create(call->broker->log, topic->name, (uint32_t)partition_count,
                                         configs, (size_t)topic->configs.count, &made, &err);
    if (status != OK) {
        create_refuse(call, result, call_error_code(status), call_reason(call, &err));
        return;
    }
    result->partition_count = partition_count;
    result->replication_factor = 1;
    if (made) {
        memcpy(result->id.bytes, log_topic_info(made).id, KAFKA_UUID_BYTES);
        create_describe(call, made, result);
        logger_write(LOG_INFO, "broker", "topic '%.*s' made with %d partitions",
                     (int)topic->name.length, topic->name.data, partition_count);
    }
    log_topic_unref(made);
}

static bool named_twice(const struct kafka_create_topics_request *request, int32_t index)
{
    for (int32_t i = 0; i < request->topics.count; i++)
        if (i != index && str_eq(request->topics.items[i].name, request->topics.items[index].name))
            return true;
    return false;
}

#define CREATE_TOPICS_MAX 10000 /* of one request: the search for doubles is quadratic */

static void create_work(struct call *call)
{
    const struct kafka_create_topics_request *request = call->request;
    struct kafka_create_topics_response *response =
        CALL_ARRAY(call, 1, struct kafka_create_topics_response);
    call->response = response;
    if (!response)
        return;
    response->topics.count = request->topics.count;
    response->topics.items =
        CALL_ARRAY(call, request->topics.count, struct kafka_create_topic_result);
    for (int32_t i = 0; response->topics.items && i < request->topics.count; i++) {
        struct kafka_create_topic_result *result = &response->topics.items[i];
        result->name = request->topics.items[i].name;
        if (request->topics.count > CREATE_TOPICS_MAX)
            create_refuse(call, result, KAFKA_INVALID_REQUEST, "too many topics in one request");
        else if (named_twice(request, i))
            create_refuse(call, result, KAFKA_INVALID_REQUEST, "the topic is named twice");
        else
            create_one(call, &request->topics.items[i], request->validate_only, result);
    }
}

/* ---- DeleteTopics ---- */

static void delete_one(struct call *call, struct kafka_delete_topic_result *result)
{
    struct log *log = call->broker->log;
    struct error err = {0};
    struct log_topic *by_id = NULL;
    if (!result->name.data) {
        by_id = log_topic_find_id(log, result->id.bytes);
        if (!by_id) {
            result->error_code = KAFKA_UNKNOWN_TOPIC_ID;
            result->error_message = STR("there is no topic of this id");
            return;
        }
        result->name = call_text(call, log_topic_info(by_id).name);
    }
    enum status status = is_internal_topic(result->name)
                             ? error_set(&err, ERR_NAME, INTERNAL_TOPIC)
                             : log_topic_delete(log, result->name, &err);
    result->error_code = call_error_code(status);
    if (status != OK)
        result->error_message = call_text(call, err.text);
    else
        logger_write(LOG_INFO, "broker", "topic '%.*s' deleted", (int)result->name.length,
                     result->name.data);
    log_topic_unref(by_id);
}

static void delete_work(struct call *call)
{
    const struct kafka_delete_topics_request *request = call->request;
    struct kafka_delete_topics_response *response =
        CALL_ARRAY(call, 1, struct kafka_delete_topics_response);
    bool by_state = call->version >= 6;
    call->response = response;
    if (!response)
        return;
    response->topics.count = by_state ? request->topics.count : request->names.count;
    response->topics.items =
        CALL_ARRAY(call, response->topics.count, struct kafka_delete_topic_result);
    for (int32_t i = 0; response->topics.items && i < response->topics.count; i++) {
        struct kafka_delete_topic_result *result = &response->topics.items[i];
        result->name = by_state ? request->topics.items[i].name : request->names.items[i];
        if (by_state)
            result->id = request->topics.items[i].id;
        delete_one(call, result);
    }
}

/* ---- CreatePartitions ---- */

static void grow_one(struct call *call, const struct kafka_create_partitions_topic *topic,
                     bool validate_only, struct kafka_create_partitions_result *result)
{
    struct error err = {0};
    enum status status = OK;
    result->name = topic->name;
    if (is_internal_topic(topic->name)) {
        result->error_code = KAFKA_INVALID_TOPIC;
        result->error_message = STR(INTERNAL_TOPIC);
        return;
    }
    if (topic->assignments.count > 0) {
        result->error_code = KAFKA_INVALID_REPLICA_ASSIGNMENT;
        result->error_message = STR("there is one node: replicas cannot be assigned");
        return;
    }
    if (validate_only) {
        struct log_topic *found = log_topic_find(call->broker->log, topic->name);
        if (!found)
            status = error_set(&err, ERR_NOT_FOUND, "there is no such topic");
        else if (topic->count <= (int32_t)log_topic_info(found).partition_count ||
                 topic->count > LOG_PARTITION_MAX)
            status = error_set(&err, ERR_LIMIT, "the topic has %u partitions, wanted are %d",
                               log_topic_info(found).partition_count, topic->count);
        log_topic_unref(found);
    } else if (topic->count < 1) {
        status = error_set(&err, ERR_LIMIT, "the number of partitions must be above 0");
    } else {
        status = log_topic_grow(call->broker->log, topic->name, (uint32_t)topic->count, &err);
    }
    result->error_code = call_error_code(status);
    if (status != OK)
        result->error_message = call_text(call, err.text);
}

static void grow_work(struct call *call)
{
    const struct kafka_create_partitions_request *request = call->request;
    struct kafka_create_partitions_response *response =
        CALL_ARRAY(call, 1, struct kafka_create_partitions_response);
    call->response = response;
    if (!response)
        return;
    response->results.count = request->topics.count;
    response->results.items =
        CALL_ARRAY(call, request->topics.count, struct kafka_create_partitions_result);
    for (int32_t i = 0; response->results.items && i < request->topics.count; i++)
        grow_one(call, &request->topics.items[i], request->validate_only,
                 &response->results.items[i]);
}

const struct handler HANDLER_CREATE_TOPICS = {
    .key = KAFKA_CREATE_TOPICS,
    .start = call_submit,
    .work = create_work,
};
const struct handler HANDLER_DELETE_TOPICS = {
    .key = KAFKA_DELETE_TOPICS,
    .start = call_submit,
    .work = delete_work,
};
const struct handler HANDLER_CREATE_PARTITIONS = {
    .key = KAFKA_CREATE_PARTITIONS,
    .start = call_submit,
    .work = grow_work,
};
