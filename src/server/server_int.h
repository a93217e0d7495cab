/* server_int.h - what the files of server/ share.
 *
 * The life of a request: on_begin (server.c) judges it by guard.h and finds its route or endpoint;
 * on_request runs the handler where the route says; request_finish turns what it left into the
 * answer; on_ended frees the request.
 */
#ifndef LEAT_SERVER_SERVER_INT_H
#define LEAT_SERVER_SERVER_INT_H

#include "server/server.h"

#include "os/thread.h"
#include "server/assets.h"
#include "server/guard.h"
#include "server/gateway.h"
#include "server/json_out.h"
#include "server/live.h"
#include "server/route.h"

#define LEAT_VERSION      "0.1.0"
#define TOKEN_BYTES_MAX   129
#define TIDY_US           60000000
#define HTTP_POOL_THREADS 4
#define SQL_POOL_THREADS  8

struct server {
    struct server_settings settings;
    struct io *io;
    struct loop *loop;
    struct engine *engine;
    struct http *http;
    struct io_pool *pool, *sql_pool;
    struct live *live;
    struct gateway *gateway; /* NULL: no engine */
    struct loop_timer tidy_timer;
    struct loop_message tidied;
    struct io_job tidy;
    _Atomic(struct broker *) broker;
    char token[TOKEN_BYTES_MAX];
    char host[300]; /* "127.0.0.1:8080" */
    char url[512];
    int64_t started_us; /* monotonic */
    int64_t started_wall_us;
    bool ending; /* the loop's thread */

    struct mutex end_mutex;
    struct condition end_changed;
    bool end_seen;
    struct loop_message end_message;
};

/* token.c; out: TOKEN_BYTES_MAX */
enum status token_load(struct io *io, const char *directory, char *out,
                       struct error *err) STATUS_CHECKED;
/* HOST:PORT, for `leat job`. */
enum status address_keep(struct io *io, const char *directory, const char *address,
                         struct error *err) STATUS_CHECKED;
void address_forget(struct io *io, const char *directory);

/* openapi.c */
void openapi_write(struct buf *out);

/* rest*.c: handlers of the table */
/* rest.c: the body, a JSON object (an empty one where there is no body), to be json_decref()ed */
struct json_t;
enum status rest_body(struct request *request, struct json_t **out,
                      struct error *err) STATUS_CHECKED;

enum status rest_health(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_info(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_openapi(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_jobs(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_job(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_job_why(struct request *request, struct error *err) STATUS_CHECKED;
/* The job of the path: running (a reference), or NULL and what is left of one that has ended. */
enum status rest_find_job(struct request *request, struct engine_job **out,
                          struct job_summary *summary, struct error *err) STATUS_CHECKED;
enum status rest_checkpoints(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_job_stop(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_job_cancel(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_job_savepoint(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_tables(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_table(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_topics(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_topic(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_dashboards(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_dashboard(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_dashboard_live(struct request *request, struct error *err) STATUS_CHECKED;

enum status rest_metrics(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_gateway_info(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_gateway_versions(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_session_open(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_session_close(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_session_config(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_session_heartbeat(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_session_configure(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_statement(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_operation_status(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_operation_cancel(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_operation_close(struct request *request, struct error *err) STATUS_CHECKED;
enum status rest_operation_result(struct request *request, struct error *err) STATUS_CHECKED;

/* metrics.c: a table of all names */
void metrics_document(struct buf *out);

/* HTTP's number for an error, and its name in answers ("NOT_FOUND"). */
int status_http(enum status status);
const char *status_api_name(enum status status);

#endif
