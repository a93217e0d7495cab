/* routes.c - the table of routes. */
#include "server/server_int.h"

#define NO_FIELDS NULL

const struct route ROUTES[] = {
    {HTTP_GET, "/health", ROUTE_OPEN, ROUTE_ON_LOOP, rest_health, "health", "Process",
     "Whether the process answers.", "{\"status\":\"ok\"}", NO_FIELDS},
    {HTTP_GET, "/api/v1/info", ROUTE_TOKEN, ROUTE_ON_POOL, rest_info, "info", "Process",
     "Version, addresses and how many jobs there are.",
     "{\"product\":\"leat\",\"version\":\"0.1.0\",\"uptime_ms\":1,\"broker_address\":null,"
     "\"data_directory\":\"leat-data\",\"pid\":1,"
     "\"jobs\":{\"running\":0,\"failed\":0,\"finished\":0}}",
     NO_FIELDS},
    {HTTP_GET, "/api/v1/openapi.json", ROUTE_OPEN, ROUTE_ON_POOL, rest_openapi, "openapi",
     "Process", "This API as OpenAPI 3.", "{\"openapi\":\"3.0.3\",...}", NO_FIELDS},
    {.path = NULL},
};
