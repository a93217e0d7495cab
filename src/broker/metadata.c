/* metadata.c - ApiVersions, Metadata (with topics made on first use), DescribeCluster: what a
 * client asks before it does anything. */
#include "broker/txns.h"

#include "os/logger.h"

/* ---- ApiVersions ---- */

static struct kafka_api_versions_response *versions_make(struct call *call)
{
    struct kafka_api_versions_response *response =
        CALL_ARRAY(call, 1, struct kafka_api_versions_response);
    if (!response)
        return NULL;
    response->apis.items = CALL_ARRAY(call, KAFKA_API_COUNT, struct kafka_api_version);
    for (size_t i = 0; response->apis.items && i < KAFKA_API_COUNT; i++)
        response->apis.items[response->apis.count++] = (struct kafka_api_version){
            (int16_t)KAFKA_APIS[i].key, KAFKA_APIS[i].min_version, KAFKA_APIS[i].max_version};
    return response;
}

static void versions_start(struct call *call)
{
    call->response = versions_make(call);
    call_finish(call);
}

void metadata_unsupported_version(struct call *call)
{
    struct kafka_api_versions_response *response = versions_make(call);
    call->version = 0; /* what every client can read (KIP-511) */
    if (response)
        response->error_code = KAFKA_UNSUPPORTED_VERSION;
    call->response = response;
    call_finish(call);
}

/* ---- Metadata ---- */

static const int32_t ONLY_NODE[] = {BROKER_NODE_ID};

static struct kafka_metadata_topic_result *
topic_result(struct call *call, struct kafka_metadata_topic_result *result, struct log_topic *topic)
{
    struct log_topic_info info = log_topic_info(topic);
    int32_t epoch = log_leader_epoch(call->broker->log);
    *result = (struct kafka_metadata_topic_result){
        .name = call_text(call, info.name),
        .is_internal = is_internal_topic(str_of(info.name)),
        .operations = INT32_MIN,
    };
    memcpy(result->id.bytes, info.id, KAFKA_UUID_BYTES);
    result->partitions.items =
        CALL_ARRAY(call, info.partition_count, struct kafka_metadata_partition_result);
    for (uint32_t i = 0; result->partitions.items && i < info.partition_count; i++) {
        struct kafka_metadata_partition_result *partition = &result->partitions.items[i];
        partition->index = (int32_t)i;
        partition->leader_id = BROKER_NODE_ID;
        partition->leader_epoch = epoch;
        partition->replica_nodes.items = partition->isr_nodes.items = (int32_t *)ONLY_NODE;
        partition->replica_nodes.count = partition->isr_nodes.count = 1;
        result->partitions.count++;
    }
    return result;
}

struct topic_list {
    struct call *call;
    struct log_topic **items; /* references */
    size_t count, room;
};

static enum status topic_listed(void *context, struct log_topic *topic, struct error *err)
{
    struct topic_list *list = context;
    if (list->count == list->room) {
        size_t room = list->room ? list->room * 2 : 16;
        struct log_topic **grown = mem_realloc(list->items, room * sizeof(*grown));
        if (!grown)
            return error_memory(err, "list of topics", room * sizeof(*grown));
        list->items = grown;
        list->room = room;
    }
    list->items[list->count++] = log_topic_ref(topic);
    return OK;
}

static void all_topics(struct call *call, struct kafka_metadata_response *response)
{
    struct topic_list list = {.call = call};
    struct error err = {0};
    if (log_topic_list(call->broker->log, topic_listed, &list, &err) != OK)
        logger_write(LOG_WARN, "broker", "list of topics: %s", err.text);
    response->topics.items = CALL_ARRAY(call, list.count, struct kafka_metadata_topic_result);
    for (size_t i = 0; i < list.count; i++) {
        if (response->topics.items)
            topic_result(call, &response->topics.items[response->topics.count++], list.items[i]);
        log_topic_unref(list.items[i]);
    }
    mem_free(list.items);
}

/* Make a topic that a client has named. NULL with *out_code. */
static struct log_topic *topic_create(struct call *call, struct str name, int16_t *out_code)
{
    struct broker *broker = call->broker;
    struct error err = {0};
    struct log_topic *topic = NULL;
    enum status status;
    if (is_internal_topic(name))
        status = state_log_make_topic(
            broker, str_eq(name, STR(TXNS_TOPIC)) ? TXNS_TOPIC : GROUPS_TOPIC, &err);
    else
        status =
            log_topic_create(broker->log, name, broker->partition_count, NULL, 0, &topic, &err);
    if (status == ERR_EXISTS || (status == OK && !topic)) /* another client was first */
        topic = log_topic_find(broker->log, name);
    else if (status == OK)
        logger_write(LOG_INFO, "broker", "topic '%.*s' made with %u partitions on first use",
                     (int)name.length, name.data, broker->partition_count);
    else if (status != ERR_NAME)
        logger_write(LOG_WARN, "broker", "topic '%.*s' not made: %s", (int)name.length, name.data,
                     err.text);
    *out_code = status == ERR_EXISTS ? KAFKA_UNKNOWN_TOPIC_OR_PARTITION : call_error_code(status);
    return topic;
}

static bool has_id(const struct kafka_uuid *id)
{
    static const struct kafka_uuid none;
    return memcmp(id, &none, sizeof(none)) != 0;
}

static void named_topic(struct call *call, const struct kafka_metadata_topic *wanted, bool create,
                        struct kafka_metadata_topic_result *result)
{
    struct log *log = call->broker->log;
    int16_t code = KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    struct log_topic *topic = NULL;
    struct error err = {0};
    if (wanted->name.data) {
        topic = log_topic_find(log, wanted->name);
        if (!topic && create)
            topic = topic_create(call, wanted->name, &code);
        else if (!topic && log_topic_check(log, wanted->name, 1, NULL, 0, &err) == ERR_NAME)
            code = KAFKA_INVALID_TOPIC;
    } else {
        topic = log_topic_find_id(log, wanted->id.bytes);
        code = KAFKA_UNKNOWN_TOPIC_ID;
    }
    if (topic)
        topic_result(call, result, topic);
    else
        *result = (struct kafka_metadata_topic_result){
            .error_code = code,
            .name = wanted->name,
            .id = wanted->id,
            .operations = INT32_MIN,
        };
    log_topic_unref(topic);
}

/* Pool or loop: with topics to be made it waits for the disk. */
static void metadata_work(struct call *call)
{
    struct broker *broker = call->broker;
    const struct kafka_metadata_request *request = call->request;
    struct kafka_metadata_response *response = CALL_ARRAY(call, 1, struct kafka_metadata_response);
    struct kafka_metadata_broker *node = CALL_ARRAY(call, 1, struct kafka_metadata_broker);
    if (!response || !node)
        return;
    *node = (struct kafka_metadata_broker){
        .node_id = BROKER_NODE_ID,
        .host = str_of(call->host),
        .port = broker->address.port,
    };
    response->brokers.items = node;
    response->brokers.count = 1;
    response->cluster_id = str_of(broker->cluster_id);
    response->controller_id = BROKER_NODE_ID;
    response->operations = INT32_MIN;
    bool create = broker->auto_create && request->allow_auto_creation;
    if (request->topics.count < 0 || (call->version == 0 && request->topics.count == 0)) {
        all_topics(call, response);
    } else {
        response->topics.count = request->topics.count;
        response->topics.items =
            CALL_ARRAY(call, request->topics.count, struct kafka_metadata_topic_result);
        for (int32_t i = 0; response->topics.items && i < request->topics.count; i++)
            named_topic(call, &request->topics.items[i], create, &response->topics.items[i]);
    }
    call->response = response;
}

static void metadata_start(struct call *call)
{
    const struct kafka_metadata_request *request = call->request;
    bool missing = false;
    for (int32_t i = 0; i < request->topics.count; i++) {
        const struct kafka_metadata_topic *wanted = &request->topics.items[i];
        struct log_topic *topic =
            wanted->name.data ? log_topic_find(call->broker->log, wanted->name) : NULL;
        missing |= wanted->name.data && !topic;
        if (wanted->name.data && has_id(&wanted->id)) {
            log_topic_unref(topic);
            call_break(call, "a Metadata request with a topic's name and id at once");
            return;
        }
        log_topic_unref(topic);
    }
    if (missing && call->broker->auto_create && request->allow_auto_creation) {
        call_submit(call);
        return;
    }
    metadata_work(call);
    call_finish(call);
}

/* ---- DescribeCluster ---- */

static void cluster_start(struct call *call)
{
    struct broker *broker = call->broker;
    const struct kafka_describe_cluster_request *request = call->request;
    struct kafka_describe_cluster_response *response =
        CALL_ARRAY(call, 1, struct kafka_describe_cluster_response);
    struct kafka_describe_cluster_broker *node =
        CALL_ARRAY(call, 1, struct kafka_describe_cluster_broker);
    call->response = response;
    if (response && node) {
        *node = (struct kafka_describe_cluster_broker){
            .node_id = BROKER_NODE_ID,
            .host = str_of(call->host),
            .port = broker->address.port,
        };
        *response = (struct kafka_describe_cluster_response){
            .endpoint_type = request->endpoint_type,
            .cluster_id = str_of(broker->cluster_id),
            .controller_id = BROKER_NODE_ID,
            .brokers = {node, 1},
            .operations = INT32_MIN,
        };
        if (request->endpoint_type != 1) { /* controllers are no endpoint of their own */
            response->error_code = KAFKA_UNSUPPORTED_ENDPOINT_TYPE;
            response->error_message = STR("only the endpoints of brokers can be described");
            response->brokers.count = 0;
        }
    }
    call_finish(call);
}

const struct handler HANDLER_API_VERSIONS = {
    .key = KAFKA_API_VERSIONS,
    .start = versions_start,
};
const struct handler HANDLER_METADATA = {
    .key = KAFKA_METADATA,
    .start = metadata_start,
    .work = metadata_work,
};
const struct handler HANDLER_DESCRIBE_CLUSTER = {
    .key = KAFKA_DESCRIBE_CLUSTER,
    .start = cluster_start,
};
