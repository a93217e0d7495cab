/* kafka.h - the kafka connector for the registry. */
#ifndef LEAT_CONNECTOR_KAFKA_KAFKA_H
#define LEAT_CONNECTOR_KAFKA_KAFKA_H

#include "plugin/connector.h"

extern const struct connector_class CONNECTOR_KAFKA;

/* ---- for connectors that are built on topics of the broker in this process (http-ingest) */

/* Metadata columns, as in Flink. */
#define KAFKA_METADATA_COUNT 7
extern const struct table_metadata KAFKA_METADATA[KAFKA_METADATA_COUNT];

/* The log of this process, or an error that says there is none. */
struct log;
enum status kafka_find_log(const struct plugin_context *context, const char *table_name,
                           struct log **out, struct error *err) STATUS_CHECKED;
/* The topic (a reference), made with one partition when it is missing, with a notice. */
struct log_topic;
enum status kafka_find_topic(struct log *log, struct str name, const char *table_name,
                             struct log_topic **out, struct error *err) STATUS_CHECKED;

#endif
