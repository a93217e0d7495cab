/* route.h - the table of routes: what dispatches, describes (OpenAPI, docs) and is checked.
 *
 * A handler fills request->out with JSON and returns, or returns an error, which becomes its
 * answer. It runs where the route says: on the loop's thread (must not wait for anything), on a
 * pool thread (may wait for locks and the disk), or on one of the threads for SQL.
 */
#ifndef LEAT_SERVER_ROUTE_H
#define LEAT_SERVER_ROUTE_H

#include "os/thread.h"
#include "server/http.h"

#define ROUTE_PARAMS_MAX  3
#define ROUTE_PARAM_BYTES 512
#define REQUEST_BODY_MAX  (1u << 20)

struct server;
struct request;

enum route_place { ROUTE_ON_LOOP, ROUTE_ON_POOL, ROUTE_ON_SQL };
enum route_rule { ROUTE_TOKEN, ROUTE_OPEN }; /* OPEN: no token asked */

struct route_field {
    const char *name; /* NULL ends a list */
    enum { FIELD_PATH, FIELD_QUERY, FIELD_BODY } where;
    const char *type; /* of JSON: "string", "integer", "object" */
    bool required;
    const char *help;
};

struct route {
    enum http_method method;
    const char *path; /* "/api/v1/jobs/{id}" */
    enum route_rule rule;
    enum route_place place;
    enum status (*handle)(struct request *request, struct error *err);
    const char *id;      /* unique name of the operation: "getJob" */
    const char *group;   /* heading in the docs */
    const char *summary; /* one sentence */
    const char *answer;  /* the JSON that comes back, by example */
    const struct route_field *fields;
};

extern const struct route ROUTES[]; /* ends with a NULL path */

struct request {
    struct server *server;
    struct exchange *exchange;
    const struct route *route;
    char params[ROUTE_PARAMS_MAX][ROUTE_PARAM_BYTES]; /* of {..} in the path, in order */
    struct buf out;
    int status;       /* 200 */
    const char *type; /* application/json */
    bool streams;     /* the handler has called http_stream (ROUTE_ON_LOOP only) */
    struct io_job job;
};

/* NULL: none. *allow: the methods that the path has ("" none). params is filled. */
const struct route *route_find(enum http_method method, const char *path,
                               char params[ROUTE_PARAMS_MAX][ROUTE_PARAM_BYTES],
                               const char **allow);
const char *route_method_name(enum http_method method);

#endif
