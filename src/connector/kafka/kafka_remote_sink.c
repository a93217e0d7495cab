/* kafka_remote_sink.c - writing through librdkafka: acks=all, one request under way, so that a
 * retry never changes the order.
 *
 * A writer has a producer of its own. Rows are copied into librdkafka's queue; at WAITING_BYTES not
 * yet acknowledged the writer is full. Delivery reports are served by the task, which librdkafka's
 * event wakes. A row that could not be delivered within message.timeout.ms fails the job.
 * Owner thread: the task's; trouble is set there too (error callbacks come with the reports).
 */
#include <stdio.h>

#include "base/must.h"
#include "connector/kafka/kafka_client.h"
#include "connector/kafka/kafka_int.h"
#include "os/logger.h"

#define WAITING_BYTES (16u << 20)

struct remote_writer {
    struct kafka_writer base;
    rd_kafka_t *client;
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *events;
    uint64_t waiting_bytes, waiting_rows;
    uint64_t turn;
    rd_kafka_resp_err_t failure;
    char trouble[256];
};

static enum status remote_writer_new(struct kafka_writer **out, struct error *err)
{
    struct remote_writer *writer = mem_calloc(1, sizeof(*writer));
    if (!writer)
        return error_memory(err, "a kafka sink", sizeof(*writer));
    *out = &writer->base;
    return OK;
}

static void on_delivery(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
    struct remote_writer *writer = opaque;
    writer->waiting_bytes -= message->len;
    writer->waiting_rows--;
    if (message->err && !writer->failure)
        writer->failure = message->err;
    if (!message->err)
        writer->trouble[0] = '\0';
}

static void on_error(rd_kafka_t *client, int code, const char *reason, void *opaque)
{
    struct remote_writer *writer = opaque;
    snprintf(writer->trouble, sizeof(writer->trouble), "%s", reason);
}

static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    logger_write(level <= 3 ? LOG_WARN : LOG_DEBUG, "kafka", "%s: %s", facility, text);
}

static void on_events(rd_kafka_t *client, void *opaque)
{
    struct remote_writer *writer = opaque;
    wake_notify(writer->base.wake);
}

static int32_t fixed_partition(const rd_kafka_topic_t *topic, const void *key, size_t key_bytes,
                               int32_t partition_count, void *topic_opaque, void *message_opaque)
{
    const struct remote_writer *writer = topic_opaque;
    return (int32_t)(writer->base.subtask % (uint32_t)partition_count);
}

static int32_t next_partition(const rd_kafka_topic_t *topic, const void *key, size_t key_bytes,
                              int32_t partition_count, void *topic_opaque, void *message_opaque)
{
    struct remote_writer *writer = topic_opaque;
    return (int32_t)(writer->turn++ % (uint32_t)partition_count);
}

static enum status make_topic(struct remote_writer *writer, struct error *err)
{
    const struct kafka_sink *sink = writer->base.sink;
    struct str name = sink->options.topics[0];
    char topic[512];

    rd_kafka_topic_conf_t *conf = rd_kafka_default_topic_conf_dup(writer->client);
    rd_kafka_topic_conf_set_opaque(conf, writer);
    if (sink->options.partitioner == PARTITIONER_FIXED)
        rd_kafka_topic_conf_set_partitioner_cb(conf, fixed_partition);
    if (sink->options.partitioner == PARTITIONER_ROUND_ROBIN)
        rd_kafka_topic_conf_set_partitioner_cb(conf, next_partition);
    snprintf(topic, sizeof(topic), "%.*s", (int)(name.length < 500 ? name.length : 500), name.data);
    writer->topic = rd_kafka_topic_new(writer->client, topic, conf);
    if (!writer->topic)
        return error_set(err, ERR_NAME, "table %s: '%s' is not a topic name", sink->table->name,
                         topic);
    return OK;
}

static enum status remote_writer_start(struct kafka_writer *base, struct error *err)
{
    struct remote_writer *writer = (struct remote_writer *)base;
    rd_kafka_conf_t *conf = NULL;
    char text[256];

    TRY(kafka_client_conf(&base->sink->options, true, &conf, err));
    rd_kafka_conf_set_opaque(conf, writer);
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    writer->client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (!writer->client) {
        rd_kafka_conf_destroy(conf);
        return error_set(err, ERR_OPTION, "table %s: the Kafka client cannot start: %s",
                         base->sink->table->name, text);
    }
    writer->events = rd_kafka_queue_get_main(writer->client);
    rd_kafka_queue_cb_event_enable(writer->events, on_events, writer);
    return make_topic(writer, err);
}

static void remote_writer_free(struct kafka_writer *base)
{
    struct remote_writer *writer = (struct remote_writer *)base;
    if (writer->events) {
        rd_kafka_queue_cb_event_enable(writer->events, NULL, NULL);
        rd_kafka_queue_destroy(writer->events);
    }
    if (writer->topic)
        rd_kafka_topic_destroy(writer->topic);
    if (writer->client) {
        rd_kafka_purge(writer->client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
        rd_kafka_destroy(writer->client);
    }
    mem_free(writer);
}

/* Serves what has come until nothing is left, so that the next event wakes again. */
static void serve(struct remote_writer *writer)
{
    while (rd_kafka_poll(writer->client, 0) > 0)
        ;
}

static bool remote_writer_is_full(struct kafka_writer *base)
{
    struct remote_writer *writer = (struct remote_writer *)base;
    serve(writer);
    return !writer->failure && writer->waiting_bytes >= WAITING_BYTES;
}

static enum status failed(struct remote_writer *writer, struct error *err)
{
    rd_kafka_resp_err_t failure = writer->failure;
    struct str name = writer->base.sink->options.topics[0];
    writer->failure = RD_KAFKA_RESP_ERR_NO_ERROR;
    return kafka_client_error(failure, err, "a record for topic '%.*s' was not delivered",
                              (int)name.length, name.data);
}

static enum status remote_writer_append(struct kafka_writer *base, uint32_t row_count,
                                        struct error *err)
{
    struct remote_writer *writer = (struct remote_writer *)base;

    if (writer->failure)
        return failed(writer, err);
    for (uint32_t i = 0; i < row_count; i++) {
        size_t length = base->offsets[i + 1] - base->offsets[i];
        if (rd_kafka_produce(writer->topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY,
                             base->encoded.data + base->offsets[i], length, NULL, 0, NULL) != 0) {
            writer->failure = rd_kafka_last_error();
            return failed(writer, err);
        }
        writer->waiting_bytes += length;
        writer->waiting_rows++;
    }
    return OK;
}

static enum push_result remote_writer_flush(struct kafka_writer *base, struct error *err)
{
    struct remote_writer *writer = (struct remote_writer *)base;
    serve(writer);
    if (writer->failure) {
        (void)!failed(writer, err);
        return PUSH_ERROR;
    }
    if (base->sink->options.guarantee == GUARANTEE_NONE)
        return PUSH_DONE;
    return writer->waiting_rows ? PUSH_FULL : PUSH_DONE;
}

static bool remote_writer_why(struct kafka_writer *base, struct buf *out)
{
    struct remote_writer *writer = (struct remote_writer *)base;
    if (!writer->waiting_rows || !writer->trouble[0])
        return false;
    buf_printf(out, "Kafka at %s does not take the rows: %s; trying again.",
               base->sink->options.bootstrap_servers, writer->trouble);
    return true;
}

const struct kafka_sink_way KAFKA_REMOTE_SINK = {
    .writer_new = remote_writer_new,
    .start = remote_writer_start,
    .is_full = remote_writer_is_full,
    .append = remote_writer_append,
    .flush = remote_writer_flush,
    .why = remote_writer_why,
    .writer_free = remote_writer_free,
};
