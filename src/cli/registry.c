/* registry.c - every connector and format of this executable. */
#include "cli/cli.h"
#include "connector/blackhole/blackhole.h"
#include "connector/datagen/datagen.h"
#include "connector/jdbc/jdbc.h"
#include "connector/kafka/kafka.h"
#include "connector/print/print.h"
#include "connector/sim/sim.h"
#include "format/json/json.h"

static const struct connector_class *const CONNECTORS[] = {
    &CONNECTOR_BLACKHOLE, &CONNECTOR_DATAGEN, &CONNECTOR_JDBC,
    &CONNECTOR_KAFKA, &CONNECTOR_PRINT,     &CONNECTOR_SIM,     NULL,
};

static const struct format_class *const FORMATS[] = {&JSON_FORMAT, NULL};

const struct plugin_registry CLI_REGISTRY = {.connectors = CONNECTORS, .formats = FORMATS};
