/* kafka_client.h - librdkafka's configuration from a table's properties.*. */
#ifndef LEAT_CONNECTOR_KAFKA_KAFKA_CLIENT_H
#define LEAT_CONNECTOR_KAFKA_KAFKA_CLIENT_H

#include <librdkafka/rdkafka.h>

#include "connector/kafka/kafka_int.h"

/* Every property is one of librdkafka's or of the Java client's, with a value it can have. */
enum status kafka_client_check(const struct table_description *table,
                               const struct kafka_options *options,
                               struct error *err) STATUS_CHECKED;

/* A configuration with the table's properties and leat's own defaults (the caller sets callbacks
 * and gives it to rd_kafka_new, or destroys it). */
enum status kafka_client_conf(const struct kafka_options *options, bool producer,
                              rd_kafka_conf_t **out, struct error *err) STATUS_CHECKED;

/* librdkafka's error as ours: retriable and fatal are set. */
enum status kafka_client_error(rd_kafka_resp_err_t code, struct error *err, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

#endif
