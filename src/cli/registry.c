/* registry.c - every connector and format of this executable. */
#include "cli/cli.h"
#include "connector/blackhole/blackhole.h"
#include "connector/datagen/datagen.h"
#include "connector/filesystem/filesystem.h"
#include "connector/http-ingest/http_ingest.h"
#include "connector/jdbc/jdbc.h"
#include "connector/kafka/kafka.h"
#include "connector/print/print.h"
#include "connector/sim/sim.h"
#include "format/csv/csv.h"
#include "format/json/json.h"
#include "format/raw/raw.h"

static const struct connector_class *const CONNECTORS[] = {
    &CONNECTOR_BLACKHOLE,   &CONNECTOR_DATAGEN, &CONNECTOR_FILESYSTEM,
    &CONNECTOR_HTTP_INGEST, &CONNECTOR_JDBC,    &CONNECTOR_KAFKA,
    &CONNECTOR_PRINT,       &CONNECTOR_SIM,     NULL,
};

static const struct format_class *const FORMATS[] = {&CSV_FORMAT, &JSON_FORMAT, &RAW_FORMAT, NULL};

const struct plugin_registry CLI_REGISTRY = {.connectors = CONNECTORS, .formats = FORMATS};
