/* orders_produce.c - writes orders (orders.h) to a topic with librdkafka's default settings and prints
 * the totals that a reader must find, one line per card type: name, cents, count.
 * Arguments: BOOTSTRAP TOPIC COUNT [CODEC [FIRST]]. Keyless; the partitioner is librdkafka's. */
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

int main(int argc, char **argv)
{
    char text[512];
    if (argc < 4) {
        fprintf(stderr, "BOOTSTRAP TOPIC COUNT [CODEC [FIRST]]\n");
        return 2;
    }
    uint64_t count = strtoull(argv[3], NULL, 10), cents[6] = {0}, numbers[6] = {0};
    uint64_t first = argc > 5 ? strtoull(argv[5], NULL, 10) : 0;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set_dr_msg_cb(conf, delivered);
    if (rd_kafka_conf_set(conf, "bootstrap.servers", argv[1], text, sizeof(text)) ||
        (argc > 4 && rd_kafka_conf_set(conf, "compression.codec", argv[4], text, sizeof(text)))) {
        fprintf(stderr, "%s\n", text);
        return 2;
    }
    rd_kafka_t *kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    rd_kafka_topic_t *topic = kafka ? rd_kafka_topic_new(kafka, argv[2], NULL) : NULL;
    if (!topic) {
        fprintf(stderr, "%s\n", text);
        return 1;
    }
    for (uint64_t i = first; i < first + count && !failed; i++) {
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
        if (i % 1000 == 0)
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
