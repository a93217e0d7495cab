/* kafka.h - the kafka connector for the registry. */
#ifndef LEAT_CONNECTOR_KAFKA_KAFKA_H
#define LEAT_CONNECTOR_KAFKA_KAFKA_H

#include "plugin/connector.h"

extern const struct connector_class CONNECTOR_KAFKA;

#endif
