/* http_ingest.h - the http-ingest connector for the registry. */
#ifndef LEAT_CONNECTOR_HTTP_INGEST_HTTP_INGEST_H
#define LEAT_CONNECTOR_HTTP_INGEST_HTTP_INGEST_H

#include "plugin/connector.h"

extern const struct connector_class CONNECTOR_HTTP_INGEST;

#endif
