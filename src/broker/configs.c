/* configs.c - DescribeConfigs, AlterConfigs, IncrementalAlterConfigs: the settings of topics, which
 * can be changed, and of the broker, which are given when it starts. Changes write the catalog and
 * so run on the pool. */
#include "broker/groups.h"

#include <stdio.h>

#include "base/must.h"
#include "os/logger.h"

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

static const struct option_def BROKER_DEFS[] = {
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
    {.key = "producer.id.expiration.ms",
     .kind = OPTION_INT,
     .help = "A partition forgets an idempotent producer that was silent for so long."},
    {.key = "group.initial.rebalance.delay.ms",
     .kind = OPTION_INT,
     .help = "How long the first member of a consumer group waits for others."},
    {.key = "group.min.session.timeout.ms",
     .kind = OPTION_INT,
     .help = "The shortest session that a member may ask for."},
    {.key = "group.max.session.timeout.ms",
     .kind = OPTION_INT,
     .help = "The longest session that a member may ask for."},
    {.key = "group.max.size", .kind = OPTION_INT, .help = "Members of a consumer group."},
    {.key = "offset.metadata.max.bytes",
     .kind = OPTION_INT,
     .help = "The longest note that is kept with a committed offset."},
    {.key = "offsets.retention.minutes",
     .kind = OPTION_INT,
     .help = "Committed offsets go when a group has had no members for so long."},
};

static void describe_broker(struct call *call,
                            const struct kafka_describe_configs_resource *resource,
                            struct kafka_describe_configs_result *result)
{
    struct broker *broker = call->broker;
    char own_name[16];
    snprintf(own_name, sizeof(own_name), "%d", BROKER_NODE_ID);
    if (resource->name.length && !str_eq(resource->name, str_of(own_name))) {
        result->error_code = KAFKA_INVALID_REQUEST;
        result->error_message = STR("the one node is 1");
        return;
    }
    const long long values[] = {broker->auto_create,
                                broker->partition_count,
                                broker->max_request_bytes,
                                broker->max_idle_us / 1000,
                                broker->producer_expiry_ms,
                                broker->groups->env.initial_delay_ms,
                                broker->groups->env.min_session_ms,
                                broker->groups->env.max_session_ms,
                                broker->groups->env.max_members,
                                OFFSET_METADATA_MAX,
                                broker->groups->retention_ms / 60000};
    result->entries.items =
        CALL_ARRAY(call, COUNT_OF(BROKER_DEFS), struct kafka_describe_configs_entry);
    for (size_t i = 0; result->entries.items && i < COUNT_OF(BROKER_DEFS); i++) {
        char text[32];
        snprintf(text, sizeof(text), "%lld", values[i]);
        if (is_wanted(resource, BROKER_DEFS[i].key))
            entry_add(call, result, &BROKER_DEFS[i],
                      BROKER_DEFS[i].kind == OPTION_BOOL ? str_of(values[i] ? "true" : "false")
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

/* ---- AlterConfigs, IncrementalAlterConfigs: both become a list of changes ---- */

enum { CHANGE_SET, CHANGE_DELETE, CHANGE_APPEND, CHANGE_SUBTRACT };

#define CHANGES_MAX 1000 /* of one resource: the search for doubles is quadratic */

struct changes {
    int8_t type;
    struct str name;
    const struct kafka_change_configs_entry *items;
    int32_t count;
    bool replace; /* AlterConfigs: what is not named goes back to its default */
};

static void change_refuse(struct call *call, struct kafka_alter_configs_result *result,
                          int16_t code, const char *text)
{
    result->error_code = code;
    result->error_message = call_text(call, text);
}

/* What is wrong with the form of a change; NULL: nothing. */
static const char *change_fault(const struct changes *changes, int32_t index)
{
    const struct kafka_change_configs_entry *change = &changes->items[index];
    for (int32_t i = 0; i < index; i++)
        if (str_eq(changes->items[i].name, change->name))
            return "a config is named twice";
    if (change->operation == CHANGE_APPEND || change->operation == CHANGE_SUBTRACT)
        return "no config here is a list that can be appended to or subtracted from";
    if (change->operation != CHANGE_SET && change->operation != CHANGE_DELETE)
        return "unknown operation";
    if (change->operation == CHANGE_SET && !change->value.data)
        return "a value is missing";
    return NULL;
}

static bool is_named(const struct changes *changes, const char *key)
{
    for (int32_t i = 0; i < changes->count; i++)
        if (str_eq(changes->items[i].name, str_of(key)))
            return true;
    return false;
}

static void change_topic(struct call *call, const struct changes *changes, bool validate_only,
                         struct kafka_alter_configs_result *result)
{
    size_t def_count, count = 0;
    const struct option_def *defs = log_config_defs(&def_count);
    struct error err = {0};
    struct log_config_entry *entries =
        CALL_ARRAY(call, def_count + (size_t)changes->count, struct log_config_entry);
    if (!entries)
        return;
    for (int32_t i = 0; i < changes->count; i++) {
        const struct kafka_change_configs_entry *change = &changes->items[i];
        entries[count].key = call_copy(call, change->name).data;
        if (change->operation == CHANGE_SET)
            entries[count].value = call_copy(call, change->value).data;
        count++;
    }
    for (size_t i = 0; changes->replace && i < def_count; i++)
        if (!is_named(changes, defs[i].key))
            entries[count++].key = defs[i].key;
    if (call->arena.failed)
        return;
    enum status status =
        log_topic_configure(call->broker->log, changes->name, entries, count, validate_only, &err);
    if (status != OK)
        change_refuse(call, result,
                      status == ERR_LIMIT ? KAFKA_INVALID_CONFIG : call_error_code(status),
                      call_reason(call, &err));
    else if (!validate_only)
        logger_write(LOG_INFO, "broker", "topic '%.*s' configured", (int)changes->name.length,
                     changes->name.data);
}

static void change_broker(struct call *call, const struct changes *changes,
                          struct kafka_alter_configs_result *result)
{
    for (int32_t i = 0; i < changes->count; i++)
        for (size_t k = 0; k < COUNT_OF(BROKER_DEFS); k++)
            if (str_eq(changes->items[i].name, str_of(BROKER_DEFS[k].key))) {
                change_refuse(call, result, KAFKA_INVALID_REQUEST,
                              "the broker's configs are given when it starts");
                return;
            }
    if (changes->count)
        change_refuse(call, result, KAFKA_INVALID_CONFIG, "the broker has no such config");
}

static void change_resource(struct call *call, const struct changes *changes, bool validate_only,
                            struct kafka_alter_configs_result *result)
{
    result->type = changes->type;
    result->name = changes->name;
    if (changes->count > CHANGES_MAX) {
        change_refuse(call, result, KAFKA_INVALID_REQUEST, "too many configs in one request");
        return;
    }
    for (int32_t i = 0; i < changes->count; i++) {
        const char *fault = change_fault(changes, i);
        if (fault) {
            change_refuse(call, result, KAFKA_INVALID_REQUEST, fault);
            return;
        }
    }
    if (changes->type == RESOURCE_TOPIC && is_internal_topic(changes->name))
        change_refuse(call, result, KAFKA_INVALID_CONFIG,
                      "the broker keeps this topic by itself: its configs are fixed");
    else if (changes->type == RESOURCE_TOPIC)
        change_topic(call, changes, validate_only, result);
    else if (changes->type == RESOURCE_BROKER)
        change_broker(call, changes, result);
    else
        change_refuse(call, result, KAFKA_INVALID_REQUEST,
                      "only topics and the broker have configs");
}

static void alter_work(struct call *call)
{
    const struct kafka_alter_configs_request *request = call->request;
    struct kafka_alter_configs_response *response =
        CALL_ARRAY(call, 1, struct kafka_alter_configs_response);
    call->response = response;
    if (!response)
        return;
    response->results.count = request->resources.count;
    response->results.items =
        CALL_ARRAY(call, request->resources.count, struct kafka_alter_configs_result);
    for (int32_t i = 0; !call->arena.failed && i < request->resources.count; i++) {
        const struct kafka_alter_configs_resource *resource = &request->resources.items[i];
        struct kafka_change_configs_entry *items =
            CALL_ARRAY(call, resource->configs.count, struct kafka_change_configs_entry);
        for (int32_t k = 0; items && k < resource->configs.count; k++) {
            struct str value = resource->configs.items[k].value;
            items[k] = (struct kafka_change_configs_entry){
                resource->configs.items[k].name, value.data ? CHANGE_SET : CHANGE_DELETE, value};
        }
        const struct changes changes = {resource->type, resource->name, items,
                                        items ? resource->configs.count : 0, true};
        change_resource(call, &changes, request->validate_only, &response->results.items[i]);
    }
}

static void change_work(struct call *call)
{
    const struct kafka_change_configs_request *request = call->request;
    struct kafka_change_configs_response *response =
        CALL_ARRAY(call, 1, struct kafka_change_configs_response);
    call->response = response;
    if (!response)
        return;
    response->results.count = request->resources.count;
    response->results.items =
        CALL_ARRAY(call, request->resources.count, struct kafka_alter_configs_result);
    for (int32_t i = 0; !call->arena.failed && i < request->resources.count; i++) {
        const struct kafka_change_configs_resource *resource = &request->resources.items[i];
        const struct changes changes = {resource->type, resource->name, resource->configs.items,
                                        resource->configs.count, false};
        change_resource(call, &changes, request->validate_only, &response->results.items[i]);
    }
}

const struct handler HANDLER_DESCRIBE_CONFIGS = {
    .key = KAFKA_DESCRIBE_CONFIGS,
    .start = describe_start,
};
const struct handler HANDLER_ALTER_CONFIGS = {
    .key = KAFKA_ALTER_CONFIGS,
    .start = call_submit,
    .work = alter_work,
};
const struct handler HANDLER_INCREMENTAL_ALTER_CONFIGS = {
    .key = KAFKA_INCREMENTAL_ALTER_CONFIGS,
    .start = call_submit,
    .work = change_work,
};
