/* kafka_options.c - the WITH options of a kafka table: Flink's names, meaning and defaults.
 *
 * What Flink has and leat has not is refused by name, so that a file never runs with another
 * meaning than it says. properties.* are for the client; librdkafka checks their names and values
 * (kafka_client.c), also when the log of this process is read without it.
 */
#include "connector/kafka/kafka_int.h"

#include <stdarg.h>

#include "base/must.h"
#include "connector/kafka/kafka_client.h"

static const char *const starts[] = {"earliest-offset", "latest-offset",    "group-offsets",
                                     "timestamp",       "specific-offsets", NULL};
static const char *const ends[] = {"unbounded", "latest-offset",    "group-offsets",
                                   "timestamp", "specific-offsets", NULL};
static const char *const partitioners[] = {"default", "fixed", "round-robin", NULL};
static const char *const guarantees[] = {"at-least-once", "none", "exactly-once", NULL};

#define FIELD(name) offsetof(struct kafka_options, name)
#define NOT_BUILT(name, slot)                                                                      \
    {                                                                                              \
        .key = name, .kind = OPTION_STRING, .offset = FIELD(not_built) + (slot) * sizeof(char *),  \
        .help = "Flink's; not built: an error when given."                                         \
    }

static const char *const not_built_names[] = {"topic-pattern",
                                              "key.format",
                                              "key.fields",
                                              "key.fields-prefix",
                                              "value.fields-include",
                                              "sink.parallelism",
                                              "sink.transaction-naming-strategy"};

const struct option_def KAFKA_OPTIONS[KAFKA_OPTION_COUNT] = {
    {.key = "topic",
     .kind = OPTION_LIST,
     .offset = FIELD(topic_text),
     .help = "The topic; for a source also several, separated by ';'."},
    {.key = "properties.",
     .kind = OPTION_PREFIX,
     .offset = FIELD(properties),
     .help = "Settings of the Kafka client: properties.bootstrap.servers = 'HOST:PORT,...' or "
             "'embedded' (the broker in this process), properties.group.id, ..."},
    {.key = "scan.startup.mode",
     .kind = OPTION_ENUM,
     .offset = FIELD(start),
     .default_value = "group-offsets",
     .choices = starts,
     .help = "Where to begin; once there are checkpoints only they count."},
    {.key = "scan.startup.specific-offsets",
     .kind = OPTION_STRING,
     .offset = FIELD(start_specific_text),
     .help = "'partition:0,offset:42;partition:1,offset:300'; partitions not named begin at the "
             "earliest offset."},
    {.key = "scan.startup.timestamp-millis",
     .kind = OPTION_INT,
     .offset = FIELD(start_timestamp_ms),
     .default_value = "-1",
     .min_value = -1,
     .max_value = INT64_MAX,
     .help = "Begin at the first record with at least this timestamp (milliseconds)."},
    {.key = "scan.bounded.mode",
     .kind = OPTION_ENUM,
     .offset = FIELD(bounded),
     .default_value = "unbounded",
     .choices = ends,
     .help = "Where to end; the job ends when all partitions are read up to there."},
    {.key = "scan.bounded.specific-offsets",
     .kind = OPTION_STRING,
     .offset = FIELD(end_specific_text),
     .help = "As scan.startup.specific-offsets; the offset named is not read any more. All "
             "partitions must be named."},
    {.key = "scan.bounded.timestamp-millis",
     .kind = OPTION_INT,
     .offset = FIELD(end_timestamp_ms),
     .default_value = "-1",
     .min_value = -1,
     .max_value = INT64_MAX,
     .help = "End before the first record with at least this timestamp (milliseconds)."},
    {.key = "scan.topic-partition-discovery.interval",
     .kind = OPTION_DURATION,
     .offset = FIELD(discovery_ms),
     .default_value = "5 min",
     .help =
         "How often to look for new partitions (in the process they are seen at once), which are "
         "read from their earliest offset; 0: only at the start."},
    {.key = "scan.parallelism",
     .kind = OPTION_INT,
     .offset = FIELD(parallelism),
     .min_value = 1,
     .max_value = 1024,
     .help = "Subtasks of the source; default: parallelism.default."},
    {.key = "sink.partitioner",
     .kind = OPTION_ENUM,
     .offset = FIELD(partitioner),
     .default_value = "default",
     .choices = partitioners,
     .help = "Which partition a row goes to: default (batches of rows in turn), fixed (one a "
             "subtask), round-robin (row by row)."},
    {.key = "sink.delivery-guarantee",
     .kind = OPTION_ENUM,
     .offset = FIELD(guarantee),
     .default_value = "at-least-once",
     .choices = guarantees,
     .help =
         "exactly-once: rows are committed in transactions, once their checkpoint exists; needs "
         "checkpoints and 'sink.transactional-id-prefix'. none: nobody waits for an answer."},
    {.key = "sink.transactional-id-prefix",
     .kind = OPTION_STRING,
     .offset = FIELD(transactional_prefix),
     .help =
         "Of the transactional id of an exactly-once sink, \"PREFIX-JOB/SINK\"; another one for "
         "each installation that writes to the cluster."},
    NOT_BUILT("topic-pattern", 0),
    NOT_BUILT("key.format", 1),
    NOT_BUILT("key.fields", 2),
    NOT_BUILT("key.fields-prefix", 3),
    NOT_BUILT("value.fields-include", 4),
    NOT_BUILT("sink.parallelism", 5),
    NOT_BUILT("sink.transaction-naming-strategy", 6),
};

/* ---- parsing ---- */

/* Sets err with the place of the option. */
static enum status option_error(const struct table_description *table, const char *key,
                                enum status code, struct error *err, const char *fmt, ...)
    PRINTF_LIKE(5, 6);
static enum status option_error(const struct table_description *table, const char *key,
                                enum status code, struct error *err, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    enum status status = error_vset(err, code, fmt, args);
    va_end(args);
    for (size_t i = 0; i < table->option_count; i++)
        if (str_eq(table->options[i].key, str_of(key)))
            error_at(err, table->options[i].pos);
    return status;
}

const char *kafka_property(const struct kafka_options *options, const char *key)
{
    const char *value = NULL;
    for (const struct option_pair *pair = options->properties; pair; pair = pair->next)
        if (strcmp(pair->key, key) == 0)
            value = pair->value;
    return value;
}

/* What belongs to the format, the scan in general or leat is checked by others. */
static bool is_for_others(const struct table_description *table, struct str key)
{
    static const char *const prefixes[] = {"leat.", "scan.watermark."};
    for (size_t i = 0; i < COUNT_OF(prefixes); i++)
        if (str_starts(key, str_of(prefixes[i])))
            return true;
    if (str_eq(key, STR("format")) || str_eq(key, STR("value.format")))
        return true;
    for (size_t i = 0; i < table->option_count; i++) {
        struct str name = table->options[i].value, rest = key;
        if (str_eq(table->options[i].key, STR("value.format")) && str_starts(key, STR("value.")))
            rest = (struct str){key.data + 6, key.length - 6};
        else if (!str_eq(table->options[i].key, STR("format")) || name.length == 0)
            continue;
        if (rest.length > name.length && str_starts(rest, name) && rest.data[name.length] == '.')
            return true;
    }
    return false;
}

static bool take_number(struct str *text, struct str name, char end, int64_t *out)
{
    if (!str_starts(*text, name))
        return false;
    const char *from = text->data + name.length;
    size_t left = text->length - name.length, length = 0;
    while (length < left && from[length] != end)
        length++;
    if (!str_to_i64(str_trim((struct str){from, length}), out, NULL) || *out < 0)
        return false;
    length += length < left; /* the end */
    *text = str_trim((struct str){from + length, left - length});
    return true;
}

/* "partition:0,offset:42;partition:1,offset:300" */
static enum status parse_specifics(const struct table_description *table, const char *key,
                                   const char *value, struct arena *arena,
                                   struct kafka_specific **out, uint32_t *out_count,
                                   struct error *err)
{
    struct str text = str_trim(str_of(value));
    uint32_t count = 0;
    int64_t partition, offset;
    size_t most = 1;

    for (size_t i = 0; i < text.length; i++)
        most += text.data[i] == ';';
    if (most > KAFKA_SPECIFICS_MAX)
        return option_error(table, key, ERR_OPTION, err,
                            "table %s: option '%s' names more than %d partitions", table->name, key,
                            KAFKA_SPECIFICS_MAX);
    *out = ARENA_ARRAY(arena, most, struct kafka_specific);
    TRY(arena_check(arena, "options of connector 'kafka'", err));
    while (text.length > 0) {
        if (!take_number(&text, STR("partition:"), ',', &partition) || partition > INT32_MAX ||
            !take_number(&text, STR("offset:"), ';', &offset))
            return option_error(table, key, ERR_OPTION, err,
                                "table %s: option '%s' is '%s', but must be like "
                                "'partition:0,offset:42;partition:1,offset:300'",
                                table->name, key, value);
        (*out)[count++] = (struct kafka_specific){(int32_t)partition, offset};
    }
    *out_count = count;
    return OK;
}

static enum status parse_topics(const struct table_description *table,
                                struct kafka_options *options, struct error *err)
{
    struct str text = str_of(options->topic_text);

    while (text.length > 0) {
        const char *end = memchr(text.data, ';', text.length);
        size_t length = end ? (size_t)(end - text.data) : text.length;
        struct str topic = str_trim((struct str){text.data, length});
        if (options->topic_count == KAFKA_TOPICS_MAX)
            return option_error(table, "topic", ERR_OPTION, err, "table %s: more than %d topics",
                                table->name, KAFKA_TOPICS_MAX);
        if (topic.length > 0)
            options->topics[options->topic_count++] = topic;
        length += end != NULL;
        text = (struct str){text.data + length, text.length - length};
    }
    if (options->topic_count == 0)
        return option_error(table, "topic", ERR_OPTION, err,
                            "table %s: connector 'kafka' needs the option "
                            "'topic'",
                            table->name);
    return OK;
}

static enum status parse_properties(const struct table_description *table,
                                    struct kafka_options *options, struct error *err)
{
    static const char *const resets[] = {"", "earliest", "latest", "none"};
    const char *reset = kafka_property(options, "auto.offset.reset");
    const char *isolation = kafka_property(options, "isolation.level");

    options->bootstrap_servers = kafka_property(options, "bootstrap.servers");
    options->group_id = kafka_property(options, "group.id");
    if (!options->bootstrap_servers) {
        error_set(err, ERR_OPTION,
                  "table %s: connector 'kafka' needs the option "
                  "'properties.bootstrap.servers'",
                  table->name);
        error_hint(err, "'HOST:PORT', or 'embedded' for the broker in this process");
        return ERR_OPTION;
    }
    for (int i = 1; reset && i < 4; i++)
        if (strcmp(reset, resets[i]) == 0)
            options->reset = i;
    if (reset && options->reset == RESET_UNSET)
        return option_error(table, "properties.auto.offset.reset", ERR_OPTION, err,
                            "table %s: option 'properties.auto.offset.reset' is '%s', but must be "
                            "earliest, latest or none",
                            table->name, reset);
    options->read_committed = !isolation || strcmp(isolation, "read_uncommitted") != 0;
    return kafka_client_check(table, options, err);
}

enum status kafka_options_parse(const struct table_description *table,
                                struct kafka_options *options, struct arena *arena,
                                struct error *err)
{
    struct option_given *given = ARENA_ARRAY(arena, table->option_count + 1, struct option_given);
    size_t count = 0;

    TRY(arena_check(arena, "options of connector 'kafka'", err));
    for (size_t i = 0; i < table->option_count; i++)
        if (!is_for_others(table, table->options[i].key))
            given[count++] = table->options[i];
    *options = (struct kafka_options){0};
    TRY(option_parse(KAFKA_OPTIONS, KAFKA_OPTION_COUNT, given, count, NULL, "connector 'kafka'",
                     options, arena, err));
    for (size_t i = 0; i < COUNT_OF(not_built_names); i++)
        if (options->not_built[i])
            return option_error(table, not_built_names[i], ERR_UNSUPPORTED, err,
                                "table %s: option '%s' of connector 'kafka' is not built",
                                table->name, not_built_names[i]);
    TRY(parse_topics(table, options, err));
    if (options->start_specific_text)
        TRY(parse_specifics(table, "scan.startup.specific-offsets", options->start_specific_text,
                            arena, &options->start_specifics, &options->start_specific_count, err));
    if (options->end_specific_text)
        TRY(parse_specifics(table, "scan.bounded.specific-offsets", options->end_specific_text,
                            arena, &options->end_specifics, &options->end_specific_count, err));
    return parse_properties(table, options, err);
}

/* ---- what must go together ---- */

static enum status needs(const struct table_description *table, const char *mode_key,
                         const char *mode, const char *key, struct error *err)
{
    return option_error(table, mode_key, ERR_OPTION, err,
                        "table %s: '%s' = '%s' needs the option '%s'", table->name, mode_key, mode,
                        key);
}

enum status kafka_options_check_source(const struct table_description *table,
                                       const struct kafka_options *options, struct error *err)
{
    if (options->start == START_GROUP &&
        (options->reset == RESET_UNSET || options->reset == RESET_NONE)) {
        enum status status =
            option_error(table, "scan.startup.mode", ERR_OPTION, err,
                         "table %s: it is not said where to begin: 'scan.startup.mode' is "
                         "'group-offsets' (the default), and there may be none for the group",
                         table->name);
        error_hint(err, "set 'scan.startup.mode' = 'earliest-offset' or 'latest-offset', or "
                        "'properties.auto.offset.reset' = 'earliest' or 'latest'");
        return status;
    }
    if (options->start == START_TIMESTAMP && options->start_timestamp_ms < 0)
        return needs(table, "scan.startup.mode", "timestamp", "scan.startup.timestamp-millis", err);
    if (options->start == START_SPECIFIC && options->start_specific_count == 0)
        return needs(table, "scan.startup.mode", "specific-offsets",
                     "scan.startup.specific-offsets", err);
    if (options->bounded == END_TIMESTAMP && options->end_timestamp_ms < 0)
        return needs(table, "scan.bounded.mode", "timestamp", "scan.bounded.timestamp-millis", err);
    if (options->bounded == END_SPECIFIC && options->end_specific_count == 0)
        return needs(table, "scan.bounded.mode", "specific-offsets",
                     "scan.bounded.specific-offsets", err);
    if (options->bounded == END_GROUP)
        return error_set(err, ERR_UNSUPPORTED,
                         "table %s: 'scan.bounded.mode' = 'group-offsets' is not built",
                         table->name);
    if (options->topic_count > 1 &&
        (options->start == START_SPECIFIC || options->bounded == END_SPECIFIC))
        return option_error(table, "topic", ERR_OPTION, err,
                            "table %s: specific offsets are for one topic, not for %u", table->name,
                            options->topic_count);
    return OK;
}

enum status kafka_options_check_sink(const struct table_description *table,
                                     const struct kafka_options *options, struct error *err)
{
    if (options->topic_count != 1)
        return option_error(table, "topic", ERR_OPTION, err,
                            "table %s: a sink has one topic, not %u", table->name,
                            options->topic_count);
    if (options->guarantee == GUARANTEE_EXACTLY_ONCE &&
        (!options->transactional_prefix || !options->transactional_prefix[0]))
        return needs(table, "sink.delivery-guarantee", "exactly-once",
                     "sink.transactional-id-prefix", err);
    return OK;
}

int64_t kafka_specific_offset(const struct kafka_specific *specifics, uint32_t count,
                              int32_t partition)
{
    for (uint32_t i = 0; i < count; i++)
        if (specifics[i].partition == partition)
            return specifics[i].offset;
    return -1;
}

/* ---- whose broker ---- */

static bool same_address(struct str given, struct str own)
{
    static const char *const loopbacks[] = {"localhost", "127.0.0.1", "[::1]"};
    if (str_eq_nocase(given, own))
        return true;
    const char *given_port = memrchr(given.data, ':', given.length);
    const char *own_port = memrchr(own.data, ':', own.length);
    if (!given_port || !own_port ||
        !str_eq((struct str){given_port, given.length - (size_t)(given_port - given.data)},
                (struct str){own_port, own.length - (size_t)(own_port - own.data)}))
        return false;
    struct str host = {given.data, (size_t)(given_port - given.data)};
    struct str own_host = {own.data, (size_t)(own_port - own.data)};
    bool loopback = false, own_reached = str_eq(own_host, STR("0.0.0.0"));
    for (size_t i = 0; i < COUNT_OF(loopbacks); i++) {
        loopback |= str_eq_nocase(host, str_of(loopbacks[i]));
        own_reached |= str_eq_nocase(own_host, str_of(loopbacks[i]));
    }
    return loopback && own_reached;
}

bool kafka_is_embedded(const struct kafka_options *options, const struct plugin_context *context)
{
    const char *protocol = kafka_property(options, "security.protocol");
    if (strcmp(options->bootstrap_servers, "embedded") == 0)
        return true;
    if (!context->embedded_log || !context->embedded_address ||
        (protocol && strcmp(protocol, "PLAINTEXT") != 0))
        return false;
    return same_address(str_of(options->bootstrap_servers), str_of(context->embedded_address));
}
