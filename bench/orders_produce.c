/* orders_produce.c - writes orders (orders.h) to a topic with librdkafka's default settings and
 * prints the totals that a reader must find, one line per card type: name, cents, count. Arguments:
 * BOOTSTRAP TOPIC COUNT [CODEC [PARTITIONS [RATE]]]. With PARTITIONS the topic is created first;
 * RATE is orders a second (0: as fast as it goes). Keyless; the partitioner is librdkafka's. */
#include <librdkafka/rdkafka.h>

#include <stdlib.h>

#include "orders.h"

static int failed;

static void delivered(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *opaque)
{
    (void)kafka;
    (void)opaque;
    if (message->err && !failed++)
        fprintf(stderr, "not delivered: %s\n", rd_kafka_err2str(message->err));
}

static int create_topic(rd_kafka_t *kafka, const char *name, int partitions)
{
    char text[512];
    rd_kafka_NewTopic_t *topic = rd_kafka_NewTopic_new(name, partitions, 1, text, sizeof(text));
    rd_kafka_queue_t *queue = rd_kafka_queue_new(kafka);
    rd_kafka_CreateTopics(kafka, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 10000);
    size_t count = 0;
    const rd_kafka_CreateTopics_result_t *result =
        event ? rd_kafka_event_CreateTopics_result(event) : NULL;
    const rd_kafka_topic_result_t **topics =
        result ? rd_kafka_CreateTopics_result_topics(result, &count) : NULL;
    int bad = count != 1 || rd_kafka_topic_result_error(topics[0]);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_NewTopic_destroy(topic);
    return bad;
}

/* Sleep until order number i is due. */
static void keep_rate(const struct timespec *start, uint64_t i, uint64_t rate)
{
    struct timespec due = *start;
    due.tv_sec += (time_t)(i / rate);
    due.tv_nsec += (long)(i % rate * 1000000000 / rate);
    if (due.tv_nsec >= 1000000000) {
        due.tv_sec++;
        due.tv_nsec -= 1000000000;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
}

int main(int argc, char **argv)
{
    char text[512];
    if (argc < 4) {
        fprintf(stderr, "BOOTSTRAP TOPIC COUNT [CODEC [PARTITIONS [RATE]]]\n");
        return 2;
    }
    uint64_t count = strtoull(argv[3], NULL, 10), cents[6] = {0}, numbers[6] = {0};
    int partitions = argc > 5 ? (int)strtoull(argv[5], NULL, 10) : 0;
    uint64_t rate = argc > 6 ? strtoull(argv[6], NULL, 10) : 0;
    struct timespec start;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    if (rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], text, sizeof(text)) ||
        (argc > 4 && rd_kafka_conf_set(conf, "compression.codec", argv[4], text, sizeof(text)))) {
        fprintf(stderr, "%s\n", text);
        return 2;
    }
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    if (!kafka) {
        fprintf(stderr, "%s\n", text);
        return 1;
    }
    if (partitions && create_topic(kafka, argv[2], partitions)) {
        fprintf(stderr, "the topic could not be created\n");
        return 1;
    }
    /* only now: the client asks for its metadata at once, which would make it with one partition */
    rd_kafka_topic_t *topic = rd_kafka_topic_new(kafka, argv[2], NULL);
    if (!topic)
        return 1;
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (uint64_t i = 0; i < count && !failed; i++) {
        if (rate)
            keep_rate(&start, i, rate);
        struct order order = order_make(i);
        char line[ORDER_BYTES_MAX];
        size_t length = order_json(&order, line);
        cents[order.card] += order.amount_cents;
        numbers[order.card]++;
        while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, line, length,
                                NULL, 0, NULL) != 0) {
            if (rd_kafka_last_error() != RD_KAFKA_RESP_ERR__QUEUE_FULL)
                return 1;
            rd_kafka_poll(kafka, 10);
        }
        if (i % 1000 == 0 || rate)
            rd_kafka_poll(kafka, 0);
    }
    if (rd_kafka_flush(kafka, 120000) != 0)
        failed++;
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(kafka);
    for (int i = 0; i < 6; i++)
        printf("%s\t%llu\t%llu\n", ORDER_CARDS[i], (unsigned long long)cents[i],
               (unsigned long long)numbers[i]);
    return failed != 0;
}
