/* topics.c - CreateTopics, DeleteTopics, CreatePartitions, DescribeConfigs. The first three write
 * the catalog and so run on the pool. */
#include "broker/broker_int.h"

#include <stdio.h>

#include "base/must.h"
#include "os/logger.h"

/* ---- CreateTopics ---- */

enum { CONFIG_SOURCE_TOPIC = 1, CONFIG_SOURCE_BROKER = 4, CONFIG_SOURCE_DEFAULT = 5 };

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
        create_refuse(call, result, call_error_code(status), err.text);
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
    enum status status = log_topic_delete(log, result->name, &err);
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

/* ---- DescribeConfigs ---- */

enum { RESOURCE_TOPIC = 2, RESOURCE_BROKER = 4 };
enum { CONFIG_TYPE_BOOLEAN = 1, CONFIG_TYPE_STRING = 2, CONFIG_TYPE_INT = 3, CONFIG_TYPE_LONG = 5 };

static bool is_wanted(const struct kafka_describe_configs_resource *resource, const char *key)
{
    for (int32_t i = 0; i < resource->keys.count; i++)
        if (str_eq(resource->keys.items[i], str_of(key)))
            return true;
    return resource->keys.count < 0;
}

static void entry_add(struct call *call, struct kafka_describe_configs_result *result,
                      const struct option_def *def, struct str value, bool given, bool read_only)
{
    const struct kafka_describe_configs_request *request = call->request;
    int8_t source = given ? CONFIG_SOURCE_TOPIC : CONFIG_SOURCE_DEFAULT;
    if (read_only)
        source = given ? CONFIG_SOURCE_BROKER : CONFIG_SOURCE_DEFAULT;
    struct kafka_describe_configs_entry *entry = &result->entries.items[result->entries.count++];
    *entry = (struct kafka_describe_configs_entry){
        .name = str_of(def->key),
        .value = value,
        .read_only = read_only,
        .is_default = !given,
        .source = source,
        .type = def->kind == OPTION_BOOL  ? CONFIG_TYPE_BOOLEAN
                : def->kind == OPTION_INT ? CONFIG_TYPE_LONG
                                          : CONFIG_TYPE_STRING,
        .documentation = request->include_documentation ? str_of(def->help) : (struct str){NULL, 0},
    };
    if (!request->include_synonyms)
        return;
    entry->synonyms.items = CALL_ARRAY(call, 1, struct kafka_describe_configs_synonym);
    if (entry->synonyms.items)
        entry->synonyms.items[entry->synonyms.count++] =
            (struct kafka_describe_configs_synonym){entry->name, value, source};
}

static void describe_topic(struct call *call,
                           const struct kafka_describe_configs_resource *resource,
                           struct kafka_describe_configs_result *result)
{
    size_t def_count;
    const struct option_def *defs = log_config_defs(&def_count);
    struct log_topic *topic = log_topic_find(call->broker->log, resource->name);
    if (!topic) {
        result->error_code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
        result->error_message = STR("there is no such topic");
        return;
    }
    result->entries.items = CALL_ARRAY(call, def_count, struct kafka_describe_configs_entry);
    for (size_t i = 0; result->entries.items && i < def_count; i++) {
        char text[256];
        bool given = false;
        if (is_wanted(resource, defs[i].key) &&
            log_topic_config_text(topic, defs[i].key, text, sizeof(text), &given))
            entry_add(call, result, &defs[i], call_text(call, text), given, false);
    }
    log_topic_unref(topic);
}

static void describe_broker(struct call *call,
                            const struct kafka_describe_configs_resource *resource,
                            struct kafka_describe_configs_result *result)
{
    static const struct option_def defs[] = {
        {.key = "auto.create.topics.enable",
         .kind = OPTION_BOOL,
         .help = "Whether a topic is made when a client names it first."},
        {.key = "num.partitions",
         .kind = OPTION_INT,
         .help = "Partitions of a topic that is made without a number."},
        {.key = "socket.request.max.bytes",
         .kind = OPTION_INT,
         .help = "The largest request that is read."},
        {.key = "connections.max.idle.ms",
         .kind = OPTION_INT,
         .help = "A connection that sends nothing for so long is closed."},
    };
    struct broker *broker = call->broker;
    char own_name[16];
    snprintf(own_name, sizeof(own_name), "%d", BROKER_NODE_ID);
    if (resource->name.length && !str_eq(resource->name, str_of(own_name))) {
        result->error_code = KAFKA_INVALID_REQUEST;
        result->error_message = STR("the one node is 1");
        return;
    }
    const long long values[] = {broker->auto_create, broker->partition_count,
                                broker->max_request_bytes, broker->max_idle_us / 1000};
    result->entries.items = CALL_ARRAY(call, COUNT_OF(defs), struct kafka_describe_configs_entry);
    for (size_t i = 0; result->entries.items && i < COUNT_OF(defs); i++) {
        char text[32];
        snprintf(text, sizeof(text), "%lld", values[i]);
        if (is_wanted(resource, defs[i].key))
            entry_add(call, result, &defs[i],
                      defs[i].kind == OPTION_BOOL ? str_of(values[i] ? "true" : "false")
                                                  : call_text(call, text),
                      false, true);
    }
}

static void describe_start(struct call *call)
{
    const struct kafka_describe_configs_request *request = call->request;
    struct kafka_describe_configs_response *response =
        CALL_ARRAY(call, 1, struct kafka_describe_configs_response);
    call->response = response;
    if (response) {
        response->results.count = request->resources.count;
        response->results.items =
            CALL_ARRAY(call, request->resources.count, struct kafka_describe_configs_result);
    }
    for (int32_t i = 0; !call->arena.failed && i < request->resources.count; i++) {
        const struct kafka_describe_configs_resource *resource = &request->resources.items[i];
        struct kafka_describe_configs_result *result = &response->results.items[i];
        result->type = resource->type;
        result->name = resource->name;
        if (resource->type == RESOURCE_TOPIC) {
            describe_topic(call, resource, result);
        } else if (resource->type == RESOURCE_BROKER) {
            describe_broker(call, resource, result);
        } else {
            result->error_code = KAFKA_INVALID_REQUEST;
            result->error_message = STR("only topics and the broker have configs");
        }
    }
    call_finish(call);
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
const struct handler HANDLER_DESCRIBE_CONFIGS = {
    .key = KAFKA_DESCRIBE_CONFIGS,
    .start = describe_start,
};
