/* kafka_client.c - properties.* to librdkafka: names, values, our defaults, errors.
 *
 * Flink's files name properties of the Java client. Most are librdkafka's too; those that only tune
 * the Java client are accepted and have no effect, a few are translated; all others are errors.
 */
#include "connector/kafka/kafka_client.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/must.h"

/* Of the Java client alone: they tune its inside or name its classes. */
static const char *const java_only[] = {
    "auto.include.jmx.reporter",
    "buffer.memory",
    "client.dns.lookup",
    "default.api.timeout.ms",
    "delivery.timeout.ms",
    "enable.metrics.push",
    "exclude.internal.topics",
    "interceptor.classes",
    "key.deserializer",
    "key.serializer",
    "max.block.ms",
    "max.poll.records",
    "max.request.size",
    "metadata.max.idle.ms",
    "metric.reporters",
    "metrics.num.samples",
    "metrics.recording.level",
    "metrics.sample.window.ms",
    "partitioner.class",
    "partitioner.ignore.keys",
    "receive.buffer.bytes",
    "request.timeout.ms",
    "send.buffer.bytes",
    "value.deserializer",
    "value.serializer",
};

static const struct {
    const char *java;
    const char *own;
} renamed[] = {{"fetch.max.wait.ms", "fetch.wait.max.ms"}};

/* Set by leat itself, or without meaning here: offsets and starts are leat's. */
static const char *const ours[] = {"bootstrap.servers",        "auto.offset.reset",
                                   "enable.auto.commit",       "auto.commit.interval.ms",
                                   "enable.auto.offset.store", "enable.partition.eof",
                                   "allow.auto.create.topics"};

static bool is_listed(const char *const *list, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], key) == 0)
            return true;
    return false;
}

static const char *own_name(const char *key)
{
    for (size_t i = 0; i < COUNT_OF(renamed); i++)
        if (strcmp(renamed[i].java, key) == 0)
            return renamed[i].own;
    return key;
}

static enum status set(rd_kafka_conf_t *conf, const char *key, const char *value, struct error *err)
{
    char text[256];
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, own_name(key), value, text, sizeof(text));
    if (result == RD_KAFKA_CONF_OK)
        return OK;
    if (result == RD_KAFKA_CONF_UNKNOWN)
        return error_set(err, ERR_OPTION, "'properties.%s' is no setting of a Kafka client", key);
    return error_set(err, ERR_OPTION, "'properties.%s': %s", key, text);
}

static enum status set_properties(rd_kafka_conf_t *conf, const struct kafka_options *options,
                                  const char **bad_key, struct error *err)
{
    for (const struct option_pair *pair = options->properties; pair; pair = pair->next) {
        *bad_key = pair->key;
        if (is_listed(java_only, COUNT_OF(java_only), pair->key) ||
            is_listed(ours, COUNT_OF(ours), pair->key))
            continue;
        /* a group that is not asked for its offsets would only look for its coordinator */
        if (strcmp(pair->key, "group.id") == 0 && options->start != START_GROUP)
            continue;
        if (strcmp(pair->key, "sasl.jaas.config") == 0) {
            error_set(err, ERR_UNSUPPORTED, "'properties.sasl.jaas.config' is the Java client's");
            error_hint(err, "use 'properties.sasl.username' and 'properties.sasl.password'");
            return ERR_UNSUPPORTED;
        }
        TRY(set(conf, pair->key, pair->value, err));
    }
    return OK;
}

enum status kafka_client_check(const struct table_description *table,
                               const struct kafka_options *options, struct error *err)
{
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *bad_key = NULL;

    enum status status = set_properties(conf, options, &bad_key, err);
    rd_kafka_conf_destroy(conf);
    if (status == OK)
        return OK;
    error_prefix(err, "table %s", table->name);
    for (size_t i = 0; i < table->option_count; i++) {
        struct str key = table->options[i].key;
        if (str_starts(key, STR("properties.")) &&
            str_eq((struct str){key.data + 11, key.length - 11}, str_of(bad_key)))
            error_at(err, table->options[i].pos);
    }
    return status;
}

enum status kafka_client_conf(const struct kafka_options *options, bool producer,
                              rd_kafka_conf_t **out, struct error *err)
{
    /* the consumer's queues: what librdkafka may hold for us; refilled soon after they were full */
    static const char *const consumer[][2] = {
        {"enable.auto.commit", "false"},         {"enable.auto.offset.store", "false"},
        {"auto.offset.reset", "error"},          {"enable.partition.eof", "true"},
        {"queued.max.messages.kbytes", "16384"}, {"queued.min.messages", "50000"},
        {"fetch.error.backoff.ms", "10"},        {"check.crcs", "true"},
        {"allow.auto.create.topics", "false"},
    };
    static const char *const sender[][2] = {
        {"acks", "all"},
        {"queue.buffering.max.kbytes", "1048576"}, /* the writer has its own, lower limit */
        {"queue.buffering.max.messages", "10000000"},
        {"max.in.flight.requests.per.connection", "1"},
    };
    const char *bad_key;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();

    enum status status = set(conf, "log_level", "3", err);
    for (size_t i = 0; !producer && i < COUNT_OF(consumer) && status == OK; i++)
        status = set(conf, consumer[i][0], consumer[i][1], err);
    for (size_t i = 0; producer && i < COUNT_OF(sender) && status == OK; i++)
        status = set(conf, sender[i][0], sender[i][1], err);
    /* else librdkafka keeps rows without a key together and asks no partitioner */
    if (status == OK && producer && options->partitioner != PARTITIONER_DEFAULT)
        status = set(conf, "sticky.partitioning.linger.ms", "0", err);
    if (status == OK)
        status = set_properties(conf, options, &bad_key, err);
    if (status == OK)
        status = set(conf, "bootstrap.servers", options->bootstrap_servers, err);
    if (status == OK)
        *out = conf;
    else
        rd_kafka_conf_destroy(conf);
    return status;
}

enum status kafka_client_error(rd_kafka_resp_err_t code, struct error *err, const char *fmt, ...)
{
    struct error local = {0};
    enum status status = ERR_IO;
    va_list args;

    va_start(args, fmt);
    error_vset(&local, ERR_IO, fmt, args);
    va_end(args);
    switch (code) {
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
        status = ERR_NOT_FOUND;
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
        status = ERR_ACCESS;
        break;
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
    case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
        status = ERR_TIMEOUT;
        break;
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
        status = ERR_RANGE;
        break;
    case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION: /* a name that no topic can have */
        status = ERR_OPTION;
        break;
    default:
        break;
    }
    error_set(err, status, "%s: %s", local.text, rd_kafka_err2str(code));
    if (err) {
        err->retriable = status == ERR_IO || status == ERR_TIMEOUT || status == ERR_NOT_FOUND;
        err->fatal = status == ERR_RANGE || status == ERR_OPTION;
    }
    return status;
}
