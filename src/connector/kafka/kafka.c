/* kafka.c - the class of the kafka connector. */
#include "connector/kafka/kafka.h"

#include "connector/kafka/kafka_int.h"

const struct connector_class CONNECTOR_KAFKA = {
    .size = sizeof(struct connector_class),
    .name = "kafka",
    .help = "Topics of a Kafka cluster or of the broker in this process.",
    .options = KAFKA_OPTIONS,
    .option_count = KAFKA_OPTION_COUNT,
    .source = &KAFKA_SOURCE,
    .sink = &KAFKA_SINK,
};
