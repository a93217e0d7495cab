/* topic.c - `leat topic list|create|describe|delete|tail`: topics of a running broker, by the Kafka
 * protocol (librdkafka), so of a Kafka cluster as well. */
#include "cli/cli.h"

#include <inttypes.h>
#include <librdkafka/rdkafka.h>

#include "base/calendar.h"

#define ANSWER_MS  5000 /* how long a broker may take to answer */
#define CONFIG_MAX 64
#define NAMES_MAX  256

const struct argument_def TOPIC_ARGUMENTS[] = {
    {"--broker", ARGUMENT_VALUE, "HOST:PORT", "the broker to ask (default 127.0.0.1:9092)"},
    {"--partitions", ARGUMENT_VALUE, "N", "create: how many (default: as the broker is set)"},
    {"--config", ARGUMENT_VALUE, "KEY=VALUE", "create: a setting of the topic; may be repeated"},
    {"--lines", ARGUMENT_VALUE, "N", "tail: how many records of each partition (default 10)"},
    {"--follow", ARGUMENT_FLAG, NULL, "tail: go on with what comes, until a signal"},
    {NULL, ARGUMENT_FLAG, NULL, NULL},
};

struct topic_client {
    const char *broker;
    rd_kafka_t *handle;
    char why[512]; /* the last thing that went wrong with the connection */
};

struct topic_command {
    struct topic_client client;
    const char *names[NAMES_MAX];
    size_t name_count;
    int64_t partition_count; /* -1: the broker's default */
    const char *configs[CONFIG_MAX];
    size_t config_count;
    int64_t line_count;
    bool follow;
};

/* ---- the connection ---- */

static void note_error(rd_kafka_t *handle, int code, const char *reason, void *opaque)
{
    struct topic_client *client = opaque;
    if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        return; /* what came before says more */
    snprintf(client->why, sizeof(client->why), "%s", reason);
}

static void say_nothing(const rd_kafka_t *handle, int level, const char *facility, const char *text)
{
}

static enum status client_open(struct topic_client *client, rd_kafka_type_t type, struct error *err)
{
    char text[512];
    const char *const pairs[][2] = {{"bootstrap.servers", client->broker},
                                    {"client.id", "leat-topic"},
                                    {"group.id", "leat-topic"}, /* never joined */
                                    {"enable.auto.commit", "false"},
                                    {"allow.auto.create.topics", "false"},
                                    {"queued.max.messages.kbytes", "16384"}};
    size_t count = sizeof(pairs) / sizeof(*pairs);
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_opaque(conf, client);
    rd_kafka_conf_set_error_cb(conf, note_error);
    rd_kafka_conf_set_log_cb(conf, say_nothing);
    for (size_t i = 0; i < count; i++) {
        bool of_consumers = i >= 2; /* the others are unknown to a producer's handle */
        if (of_consumers && type == RD_KAFKA_PRODUCER)
            continue;
        if (rd_kafka_conf_set(conf, pairs[i][0], pairs[i][1], text, sizeof(text)) !=
            RD_KAFKA_CONF_OK) {
            rd_kafka_conf_destroy(conf);
            return error_set(err, ERR_USAGE, "%s", text);
        }
    }
    client->handle = rd_kafka_new(type, conf, text, sizeof(text));
    if (!client->handle) {
        rd_kafka_conf_destroy(conf);
        return error_set(err, ERR_IO, "no Kafka client could be made: %s", text);
    }
    return OK;
}

/* Why a call has failed. */
static enum status client_error(struct topic_client *client, const char *what,
                                rd_kafka_resp_err_t code, const char *text, struct error *err)
{
    rd_kafka_poll(client->handle, 0); /* brings note_error */
    bool unreachable = code == RD_KAFKA_RESP_ERR__TRANSPORT ||
                       code == RD_KAFKA_RESP_ERR__TIMED_OUT ||
                       code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    if (!unreachable)
        return error_set(err, ERR_IO, "%s: %s", what,
                         text && *text ? text : rd_kafka_err2str(code));
    error_set(err, ERR_IO, "no broker answers at %s%s%s", client->broker,
              client->why[0] ? ": " : "", client->why);
    error_hint(err, "start one with 'leat broker' or 'leat run --broker', or name its address with "
                    "--broker HOST:PORT");
    return ERR_IO;
}

static enum status metadata_get(struct topic_client *client, const struct rd_kafka_metadata **out,
                                struct error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_metadata(client->handle, 1, NULL, out, ANSWER_MS);
    return code ? client_error(client, "topics", code, NULL, err) : OK;
}

/* The topic of this name; ERR_NOT_FOUND with the nearest one. */
static enum status topic_find(const struct rd_kafka_metadata *metadata, const char *name,
                              const rd_kafka_metadata_topic_t **out, struct error *err)
{
    size_t count = (size_t)metadata->topic_cnt;
    const char **names = mem_calloc(count + 1, sizeof(*names));
    if (!names)
        return error_memory(err, "names of topics", count * sizeof(*names));
    *out = NULL;
    for (size_t i = 0; i < count; i++) {
        names[i] = metadata->topics[i].topic;
        if (strcmp(names[i], name) == 0)
            *out = &metadata->topics[i];
    }
    enum status status = OK;
    if (!*out) {
        const char *nearest = str_nearest(str_of(name), names, count);
        status = error_set(err, ERR_NOT_FOUND, "there is no topic '%s'", name);
        if (nearest)
            error_hint(err, "did you mean '%s'? 'leat topic list' has them all", nearest);
        else
            error_hint(err, "'leat topic list' has them all");
    }
    mem_free(names);
    return status;
}

/* ---- list ---- */

static enum status table_print(uint32_t column_count, const char *const *names,
                               const bool *is_number, char *const *cells, size_t row_count,
                               struct error *err)
{
    const struct cell_table table = {column_count, names, is_number};
    return cells_table_print(&table, (const char *const *)cells, row_count, err);
}

/* Kafka's own topics, as kafka-topics --exclude-internal leaves them out; the metadata of
 * librdkafka does not say it. */
static bool is_internal(const char *name)
{
    return strcmp(name, "__consumer_offsets") == 0 || strcmp(name, "__transaction_state") == 0;
}

static enum status list_run(struct topic_command *command, struct error *err)
{
    static const char *const names[] = {"topic", "partitions"};
    static const bool is_number[] = {false, true};
    const struct rd_kafka_metadata *metadata = NULL;
    struct arena arena;
    TRY(client_open(&command->client, RD_KAFKA_PRODUCER, err));
    TRY(metadata_get(&command->client, &metadata, err));
    arena_init(&arena, NULL, 64 << 20);
    size_t count = 0;
    char **cells = arena_array(&arena, 2 * (size_t)metadata->topic_cnt + 1, sizeof(*cells));
    for (int i = 0; !arena.failed && i < metadata->topic_cnt; i++) {
        const char *name = metadata->topics[i].topic;
        if (is_internal(name))
            continue;
        cells[2 * count] = arena_strndup(&arena, name, strlen(name));
        cells[2 * count + 1] = arena_alloc(&arena, 16);
        if (!arena.failed)
            snprintf(cells[2 * count + 1], 16, "%d", metadata->topics[i].partition_cnt);
        count++;
    }
    enum status status = arena_check(&arena, "names of topics", err);
    if (status == OK)
        status = table_print(2, names, is_number, cells, count, err);
    arena_fini(&arena);
    rd_kafka_metadata_destroy(metadata);
    return status;
}

/* ---- create, delete: one request, one event ---- */

static enum status results_check(struct topic_client *client, const char *what,
                                 const rd_kafka_topic_result_t **results, size_t count,
                                 struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        char text[400];
        rd_kafka_resp_err_t code = rd_kafka_topic_result_error(results[i]);
        if (!code)
            continue;
        snprintf(text, sizeof(text), "topic '%s' is not %s", rd_kafka_topic_result_name(results[i]),
                 what);
        return client_error(client, text, code, rd_kafka_topic_result_error_string(results[i]),
                            err);
    }
    return OK;
}

/* The event of an admin request; destroyed by the caller. */
static enum status event_take(struct topic_client *client, rd_kafka_queue_t *queue,
                              rd_kafka_event_t **out, struct error *err)
{
    *out = rd_kafka_queue_poll(queue, ANSWER_MS * 2);
    rd_kafka_resp_err_t code = *out ? rd_kafka_event_error(*out) : RD_KAFKA_RESP_ERR__TIMED_OUT;
    return code ? client_error(client, "the request failed", code,
                               *out ? rd_kafka_event_error_string(*out) : NULL, err)
                : OK;
}

static enum status config_add(rd_kafka_NewTopic_t *topic, const char *pair, struct error *err)
{
    char key[128];
    const char *equals = strchr(pair, '=');
    if (!equals || equals == pair || (size_t)(equals - pair) >= sizeof(key))
        return error_set(err, ERR_USAGE, "--config needs KEY=VALUE, got '%s'", pair);
    memcpy(key, pair, (size_t)(equals - pair));
    key[equals - pair] = '\0';
    rd_kafka_resp_err_t code = rd_kafka_NewTopic_set_config(topic, key, equals + 1);
    return code ? error_set(err, ERR_USAGE, "--config %s: %s", pair, rd_kafka_err2str(code)) : OK;
}

static enum status create_run(struct topic_command *command, struct error *err)
{
    char text[512];
    struct topic_client *client = &command->client;
    rd_kafka_event_t *event = NULL;
    size_t count = 0;
    TRY(client_open(client, RD_KAFKA_PRODUCER, err));
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(
        command->names[0], (int)command->partition_count, -1, text, sizeof(text));
    if (!topic)
        return error_set(err, ERR_USAGE, "topic '%s' is not made: %s", command->names[0], text);
    enum status status = OK;
    for (size_t i = 0; status == OK && i < command->config_count; i++)
        status = config_add(topic, command->configs[i], err);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client->handle);
    if (status == OK) {
        rd_kafka_CreateTopics(client->handle, &topic, 1, NULL, queue);
        status = event_take(client, queue, &event, err);
    }
    if (status == OK) {
        const rd_kafka_topic_result_t **results =
            rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
        status = results_check(client, "made", results, count, err);
    }
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
    return status;
}

static enum status delete_run(struct topic_command *command, struct error *err)
{
    struct topic_client *client = &command->client;
    const struct rd_kafka_metadata *metadata = NULL;
    const rd_kafka_metadata_topic_t *found;
    rd_kafka_DeleteTopic_t *topics[NAMES_MAX];
    rd_kafka_event_t *event = NULL;
    size_t count = 0;
    TRY(client_open(client, RD_KAFKA_PRODUCER, err));
    TRY(metadata_get(client, &metadata, err));
    enum status status = OK; /* all of them are there, or nothing is deleted */
    for (size_t i = 0; status == OK && i < command->name_count; i++)
        status = topic_find(metadata, command->names[i], &found, err);
    rd_kafka_metadata_destroy(metadata);
    TRY(status);
    for (size_t i = 0; i < command->name_count; i++)
        topics[i] = rd_kafka_DeleteTopic_new(command->names[i]);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client->handle);
    rd_kafka_DeleteTopics(client->handle, topics, command->name_count, NULL, queue);
    status = event_take(client, queue, &event, err);
    if (status == OK) {
        const rd_kafka_topic_result_t **results =
            rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
        status = results_check(client, "deleted", results, count, err);
    }
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_DeleteTopic_destroy_array(topics, command->name_count);
    return status;
}

/* ---- describe ---- */

static enum status configs_print(struct topic_client *client, const char *name, struct error *err)
{
    rd_kafka_event_t *event = NULL;
    size_t resource_count = 0, entry_count = 0;
    rd_kafka_ConfigResource_t *wanted = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(client->handle);
    rd_kafka_DescribeConfigs(client->handle, &wanted, 1, NULL, queue);
    enum status status = event_take(client, queue, &event, err);
    if (status == OK) {
        const rd_kafka_ConfigResource_t **resources = rd_kafka_DescribeConfigs_result_resources(
            rd_kafka_event_DescribeConfigs_result(event), &resource_count);
        const rd_kafka_ConfigEntry_t **entries =
            resource_count ? rd_kafka_ConfigResource_configs(resources[0], &entry_count) : NULL;
        for (size_t i = 0; i < entry_count; i++)
            if (rd_kafka_ConfigEntry_source(entries[i]) ==
                RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG)
                printf("%s = %s\n", rd_kafka_ConfigEntry_name(entries[i]),
                       rd_kafka_ConfigEntry_value(entries[i]));
    }
    if (event)
        rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_ConfigResource_destroy(wanted);
    return status;
}

static enum status partitions_print(struct topic_client *client,
                                    const rd_kafka_metadata_topic_t *topic, struct error *err)
{
    static const char *const names[] = {"partition", "leader", "first", "end", "records"};
    static const bool is_number[] = {true, true, true, true, true};
    struct arena arena;
    size_t count = (size_t)topic->partition_cnt;
    enum status status = OK;
    arena_init(&arena, NULL, 16 << 20);
    char **cells = arena_array(&arena, 5 * count + 1, sizeof(*cells));
    for (size_t i = 0; i < 5 * count && !arena.failed; i++)
        cells[i] = arena_alloc(&arena, 24);
    status = arena_check(&arena, "partitions", err);
    for (size_t i = 0; status == OK && i < count; i++) {
        int64_t first = -1, end = -1;
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
            client->handle, topic->topic, topic->partitions[i].id, &first, &end, ANSWER_MS);
        if (code)
            status = client_error(client, "offsets", code, NULL, err);
        const int64_t values[] = {topic->partitions[i].id, topic->partitions[i].leader, first, end,
                                  end - first};
        for (size_t k = 0; k < 5; k++)
            snprintf(cells[5 * i + k], 24, "%" PRId64, values[k]);
    }
    if (status == OK)
        status = table_print(5, names, is_number, cells, count, err);
    arena_fini(&arena);
    return status;
}

static enum status describe_run(struct topic_command *command, struct error *err)
{
    struct topic_client *client = &command->client;
    const struct rd_kafka_metadata *metadata = NULL;
    const rd_kafka_metadata_topic_t *topic = NULL;
    TRY(client_open(client, RD_KAFKA_PRODUCER, err));
    TRY(metadata_get(client, &metadata, err));
    enum status status = topic_find(metadata, command->names[0], &topic, err);
    if (status == OK)
        status = partitions_print(client, topic, err);
    rd_kafka_metadata_destroy(metadata);
    fflush(stdout);
    return status == OK ? configs_print(client, command->names[0], err) : status;
}

/* ---- tail ---- */

static void bytes_print(struct buf *out, const char *bytes, size_t length)
{
    if (!bytes) {
        buf_append_text(out, "NULL");
        return;
    }
    for (size_t i = 0; i < length; i++) { /* what would break the line or the terminal is escaped */
        unsigned char byte = (unsigned char)bytes[i];
        if (byte == '\\' || byte < 0x20 || byte == 0x7f)
            buf_printf(out, "\\x%02x", byte);
        else
            buf_append_byte(out, byte);
    }
}

/* partition:offset, time, key, value; tabs between. */
static enum status record_print(const rd_kafka_message_t *message, struct buf *line,
                                struct error *err)
{
    int64_t time_ms = rd_kafka_message_timestamp(message, NULL);
    char time[40];
    buf_clear(line);
    buf_printf(line, "%d:%" PRId64 "\t", message->partition, message->offset);
    if (time_ms >= 0)
        buf_append(line, time, calendar_format_timestamp(time, time_ms * 1000, 3));
    buf_append_byte(line, '\t');
    bytes_print(line, message->key, message->key_len);
    buf_append_byte(line, '\t');
    bytes_print(line, message->payload, message->len);
    buf_append_byte(line, '\n');
    TRY(buf_check(line, "a record", err));
    return output_write(line, err);
}

/* Where to begin in each partition; *out_left: records up to the ends as they are now. */
static enum status tail_assign(struct topic_command *command,
                               const rd_kafka_metadata_topic_t *topic, int64_t *out_left,
                               struct error *err)
{
    struct topic_client *client = &command->client;
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(topic->partition_cnt);
    enum status status = OK;
    *out_left = 0;
    for (int i = 0; status == OK && i < topic->partition_cnt; i++) {
        int64_t first = -1, end = -1;
        rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(
            client->handle, topic->topic, topic->partitions[i].id, &first, &end, ANSWER_MS);
        if (code)
            status = client_error(client, "offsets", code, NULL, err);
        int64_t from = end - command->line_count > first ? end - command->line_count : first;
        rd_kafka_topic_partition_list_add(list, topic->topic, topic->partitions[i].id)->offset =
            from;
        *out_left += end - from;
    }
    rd_kafka_resp_err_t code = status == OK ? rd_kafka_assign(client->handle, list) : 0;
    if (code)
        status = client_error(client, "reading", code, NULL, err);
    rd_kafka_topic_partition_list_destroy(list);
    return status;
}

static enum status tail_read(struct topic_command *command, int64_t left, struct error *err)
{
    struct topic_client *client = &command->client;
    enum status status = OK;
    struct buf line;
    int silent_ms = 0;
    buf_init(&line, 64 << 20);
    while (status == OK && (command->follow || left > 0)) {
        rd_kafka_message_t *message = rd_kafka_consumer_poll(client->handle, 500);
        if (!message) {
            /* gaps (control records, compaction) may make fewer records than offsets */
            silent_ms += 500;
            if (!command->follow && silent_ms >= ANSWER_MS)
                break;
            continue;
        }
        silent_ms = 0;
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            left--;
            status = record_print(message, &line, err);
        } else if (message->err != RD_KAFKA_RESP_ERR__TRANSPORT &&
                   message->err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
            status = client_error(client, "reading", message->err, rd_kafka_message_errstr(message),
                                  err);
        }
        rd_kafka_message_destroy(message);
    }
    buf_fini(&line);
    return status;
}

static enum status tail_run(struct topic_command *command, struct error *err)
{
    struct topic_client *client = &command->client;
    const struct rd_kafka_metadata *metadata = NULL;
    const rd_kafka_metadata_topic_t *topic = NULL;
    int64_t left = 0;
    TRY(client_open(client, RD_KAFKA_CONSUMER, err));
    rd_kafka_poll_set_consumer(client->handle);
    TRY(metadata_get(client, &metadata, err));
    enum status status = topic_find(metadata, command->names[0], &topic, err);
    if (status == OK)
        status = tail_assign(command, topic, &left, err);
    rd_kafka_metadata_destroy(metadata);
    if (status == OK)
        status = tail_read(command, left, err);
    rd_kafka_consumer_close(client->handle);
    return status;
}

/* ---- the command ---- */

static const struct verb {
    const char *name;
    enum status (*run)(struct topic_command *command, struct error *err);
    size_t min_names, max_names;
} VERBS[] = {
    {"list", list_run, 0, 0},         {"create", create_run, 1, 1},
    {"describe", describe_run, 1, 1}, {"delete", delete_run, 1, NAMES_MAX},
    {"tail", tail_run, 1, 1},
};
#define VERB_COUNT (sizeof(VERBS) / sizeof(*VERBS))

static const struct verb *verb_find(const char *name, struct error *err)
{
    const char *names[VERB_COUNT];
    for (size_t i = 0; i < VERB_COUNT; i++) {
        names[i] = VERBS[i].name;
        if (name && strcmp(name, VERBS[i].name) == 0)
            return &VERBS[i];
    }
    if (!name)
        error_set(err, ERR_USAGE, "topic needs a word: list, create, describe, delete or tail");
    else
        error_set(err, ERR_USAGE, "topic has no '%s'", name);
    const char *nearest = name ? str_nearest(str_of(name), names, VERB_COUNT) : NULL;
    if (nearest)
        error_hint(err, "did you mean '%s'?", nearest);
    return NULL;
}

static enum status count_take(const struct argument *argument, int64_t least, int64_t most,
                              int64_t *out, struct error *err)
{
    if (str_to_i64(str_of(argument->value), out, NULL) && *out >= least && *out <= most)
        return OK;
    return error_set(err, ERR_USAGE, "%s needs a number from %" PRId64 " to %" PRId64 ", got '%s'",
                     argument->def->name, least, most, argument->value);
}

static enum status argument_take(struct topic_command *command, const struct argument *argument,
                                 struct error *err)
{
    if (!argument->def) {
        if (command->name_count == NAMES_MAX)
            return error_set(err, ERR_USAGE, "at most %d topics at once", NAMES_MAX);
        command->names[command->name_count++] = argument->value;
        return OK;
    }
    if (strcmp(argument->def->name, "--broker") == 0)
        command->client.broker = argument->value;
    else if (strcmp(argument->def->name, "--partitions") == 0)
        return count_take(argument, 1, 10000, &command->partition_count, err);
    else if (strcmp(argument->def->name, "--lines") == 0)
        return count_take(argument, 0, INT32_MAX, &command->line_count, err);
    else if (strcmp(argument->def->name, "--follow") == 0)
        command->follow = true;
    else if (command->config_count == CONFIG_MAX)
        return error_set(err, ERR_USAGE, "at most %d times --config", CONFIG_MAX);
    else
        command->configs[command->config_count++] = argument->value;
    return OK;
}

static enum status arguments_take(struct topic_command *command, struct arguments *arguments,
                                  const struct verb **out, struct error *err)
{
    struct argument argument;
    enum status status;
    const char *first = NULL;
    while ((status = arguments_next(arguments, &argument, err)) == OK) {
        if (!argument.def && !first)
            first = argument.value;
        else
            TRY(argument_take(command, &argument, err));
    }
    if (status != ERR_END)
        return status;
    *out = verb_find(first, err);
    if (!*out)
        return ERR_USAGE;
    if (command->name_count < (*out)->min_names)
        return error_set(err, ERR_USAGE, "topic %s needs the name of a topic", first);
    if (command->name_count > (*out)->max_names)
        return error_set(err, ERR_USAGE, "topic %s takes no argument '%s'", first,
                         command->names[(*out)->max_names]);
    return OK;
}

int command_topic(int argc, char **argv)
{
    struct arguments arguments = {.count = argc, .words = argv, .defs = TOPIC_ARGUMENTS};
    struct topic_command command = {
        .client.broker = "127.0.0.1:9092", .partition_count = -1, .line_count = 10};
    const struct verb *verb = NULL;
    struct error err = {0};
    if (arguments_take(&command, &arguments, &verb, &err) != OK)
        return fail_usage(&err);
    enum status status = verb->run(&command, &err);
    if (command.client.handle)
        rd_kafka_destroy(command.client.handle);
    if (status == OK)
        return EXIT_FINE;
    fail_usage(&err);
    return status == ERR_USAGE ? EXIT_BAD_USAGE : EXIT_JOB_FAILED;
}
