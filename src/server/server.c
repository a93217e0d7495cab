/* server.c - judges each request, dispatches it, opens and closes all of it. */
#include "server/server.h"

#include <stdio.h>

#include "base/compress.h"
#include "base/must.h"
#include "os/logger.h"
#include "server/server_int.h"

#define JSON       "application/json"
#define INGEST     "/ingest/"
#define CACHE_RULE "no-cache" /* asked again each time; the ETag answers */

/* ---- errors ---- */

int status_http(enum status status)
{
    switch (status) {
    case OK:
        return 200;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_EXISTS:
        return 409;
    case ERR_ACCESS:
        return 403;
    case ERR_CLOSED:
    case ERR_CANCELLED:
        return 410;
    case ERR_MEMORY:
    case ERR_BUDGET:
    case ERR_AGAIN:
    case ERR_LOCKED:
        return 503;
    case ERR_LIMIT:
        return 429;
    case ERR_UNSUPPORTED:
        return 501;
    case ERR_TIMEOUT:
        return 504;
    case ERR_IO:
    case ERR_DISK_FULL:
    case ERR_CORRUPT:
        return 500;
    default:
        return 400;
    }
}

const char *status_api_name(enum status status)
{
    const char *name = status_name(status);
    return str_starts(str_of(name), STR("ERR_")) ? name + 4 : name;
}

static void refuse(struct exchange *exchange, int status, const char *code, const char *hint,
                   const char *message)
{
    struct buf text;
    buf_init(&text, 4096);
    json_error(&text, code, message, hint);
    http_answer(exchange, status, JSON, &text);
}

/* ---- endpoints of tables ---- */

#define INGEST_PARAMETERS_MAX 16

struct ingest { /* one POST of rows */
    struct endpoint_request request;
    struct exchange *exchange;
    struct endpoint *endpoint; /* a reference */
    struct endpoint_parameter parameters[INGEST_PARAMETERS_MAX];
};

static void ingest_parameter(void *context, const char *name, const char *value)
{
    struct ingest *ingest = context;
    if (ingest->request.parameter_count < INGEST_PARAMETERS_MAX)
        ingest->parameters[ingest->request.parameter_count++] =
            (struct endpoint_parameter){str_of(name), str_of(value)};
}

/* From any thread. */
static void ingest_done(struct endpoint_request *request)
{
    struct ingest *ingest = container_of(request, struct ingest, request);
    ingest->exchange->retry_after_s = request->retry_after_s;
    http_answer_later(ingest->exchange, (int)request->http_status, JSON, &request->answer);
}

static void ingest_judge(struct ingest *ingest)
{
    struct exchange *exchange = ingest->exchange;
    struct endpoint *endpoint = ingest->endpoint;
    ingest->request = (struct endpoint_request){
        .content_type = http_header(exchange, "Content-Type"),
        .parameters = ingest->parameters,
        .body_bytes = exchange->declared_bytes,
        .done = ingest_done,
    };
    http_arguments(exchange, ingest_parameter, ingest);
    exchange->body_max_bytes = endpoint->max_body_bytes;
    exchange->context = ingest;
    if (endpoint->class->check(endpoint, &ingest->request))
        return;
    exchange->retry_after_s = ingest->request.retry_after_s;
    http_answer(exchange, (int)ingest->request.http_status, JSON, &ingest->request.answer);
}

static void ingest_begin(struct server *server, struct exchange *exchange)
{
    if (exchange->method != HTTP_POST) {
        exchange->allow = "POST";
        refuse(exchange, 405, "METHOD", "rows are sent by POST", "the method is not allowed here");
        return;
    }
    struct endpoint *endpoint =
        server->engine
            ? engine_endpoint_find(server->engine, str_of(exchange->path + strlen(INGEST)))
            : NULL;
    if (!endpoint) {
        refuse(exchange, 404, "NOT_FOUND",
               "a table with 'connector' = 'http-ingest' takes rows at the path that its option "
               "'path' names",
               "no table takes rows at this path");
        return;
    }
    struct ingest *ingest = mem_calloc(1, sizeof(*ingest));
    if (!ingest) {
        endpoint_unref(endpoint);
        refuse(exchange, 503, "MEMORY", "", "no memory for the request");
        return;
    }
    ingest->exchange = exchange;
    ingest->endpoint = endpoint;
    ingest_judge(ingest);
}

static void ingest_submit(struct exchange *exchange)
{
    struct ingest *ingest = exchange->context;
    ingest->request.body = exchange->body.data;
    ingest->request.body_bytes = exchange->body.length;
    ingest->endpoint->class->submit(ingest->endpoint, &ingest->request);
}

static bool is_ingest(const struct exchange *exchange)
{
    return str_starts(str_of(exchange->path), STR(INGEST));
}

/* ---- the page ---- */

static bool has_extension(const char *path)
{
    const char *slash = strrchr(path, '/');
    return strchr(slash ? slash : path, '.') != NULL;
}

static void give_asset(struct exchange *exchange, const struct asset *asset)
{
    const char *known = http_header(exchange, "If-None-Match");
    const char *accepts = http_header(exchange, "Accept-Encoding");
    const unsigned char *bytes = ASSETS_BYTES + asset->offset;
    struct error err = {0};
    struct buf plain;
    exchange->etag = asset->etag;
    exchange->cache_control = CACHE_RULE;
    if (known && strstr(known, asset->etag)) {
        http_answer_static(exchange, 304, asset->type, "", 0);
        return;
    }
    if (accepts && strstr(accepts, "gzip")) {
        exchange->content_encoding = "gzip";
        http_answer_static(exchange, 200, asset->type, bytes, asset->gzip_bytes);
        return;
    }
    buf_init(&plain, HTTP_ANSWER_BYTES_MAX);
    if (decompress_append(&plain, COMPRESSION_GZIP, bytes, asset->gzip_bytes, asset->bytes, &err) !=
        OK)
        refuse(exchange, 500, "MEMORY", "", err.text);
    else
        http_answer(exchange, 200, asset->type, &plain);
    buf_fini(&plain);
}

/* Paths without an extension are places of the page. */
static const struct asset *asset_of(const struct exchange *exchange)
{
    if (exchange->method != HTTP_GET || str_starts(str_of(exchange->path), STR("/api/")) ||
        str_starts(str_of(exchange->path), STR("/v")))
        return NULL;
    if (!has_extension(exchange->path))
        return asset_find(STR("/index.html"));
    return asset_find(str_of(exchange->path));
}

/* ---- requests ---- */

/* The rules that hold before it is looked at what is wanted. */
static bool guarded(struct server *server, struct exchange *exchange)
{
    const char *host = http_header(exchange, "Host");
    if (!guard_host_allowed(host, server->settings.hosts))
        refuse(exchange, 421, "HOST",
               "use http://127.0.0.1, or name the host in the setting leat.http.hosts",
               "leat does not answer under this host name");
    else if (!guard_origin_allowed(http_header(exchange, "Origin"), host))
        refuse(exchange, 403, "ORIGIN", "only leat's own page may ask from a browser",
               "the request comes from a page of another origin");
    else if (server->ending)
        refuse(exchange, 503, "ENDING", "", "leat is ending");
    else
        return true;
    return false;
}

static bool has_token(struct server *server, struct exchange *exchange)
{
    if (guard_token_right(http_header(exchange, "Authorization"), server->token))
        return true;
    refuse(exchange, 401, "TOKEN",
           "send 'Authorization: Bearer TOKEN' with the token of the start-up address or of "
           "http-token in the data directory",
           "the token is missing or wrong");
    return false;
}

static void route_begin(struct server *server, struct exchange *exchange, const struct route *route,
                        struct request *request)
{
    bool has_body = exchange->method == HTTP_POST || exchange->method == HTTP_PUT;
    if (route->rule == ROUTE_TOKEN && !has_token(server, exchange)) {
        mem_free(request);
        return;
    }
    if (has_body && !guard_type_is(http_header(exchange, "Content-Type"), JSON)) {
        refuse(exchange, 415, "CONTENT_TYPE", "send 'Content-Type: application/json'",
               "the content type is not taken here");
        mem_free(request);
        return;
    }
    request->server = server;
    request->exchange = exchange;
    request->route = route;
    request->status = 200;
    request->type = JSON;
    buf_init(&request->out, HTTP_ANSWER_BYTES_MAX);
    exchange->body_max_bytes = REQUEST_BODY_MAX;
    exchange->context = request;
}

static void on_begin(void *context, struct exchange *exchange)
{
    struct server *server = context;
    const char *allow = "";
    if (!guarded(server, exchange))
        return;
    if (is_ingest(exchange)) {
        if (has_token(server, exchange))
            ingest_begin(server, exchange);
        return;
    }
    struct request *request = mem_calloc(1, sizeof(*request));
    if (!request) {
        refuse(exchange, 503, "MEMORY", "", "no memory for the request");
        return;
    }
    const struct route *route =
        route_find(exchange->method, exchange->path, request->params, &allow);
    if (route) {
        route_begin(server, exchange, route, request);
        return;
    }
    mem_free(request);
    const struct asset *asset = *allow ? NULL : asset_of(exchange);
    if (asset) {
        give_asset(exchange, asset);
        return;
    }
    exchange->allow = *allow ? allow : NULL;
    if (*allow)
        refuse(exchange, 405, "METHOD", "the header Allow lists the methods",
               "the method is not allowed here");
    else
        refuse(exchange, 404, "NOT_FOUND", "GET /api/v1/openapi.json lists what there is",
               "there is nothing at this path");
}

/* With its place in a statement; clients of Flink's gateway look for "errors". */
static void add_error(struct request *request, enum status status, const struct error *err)
{
    char text[ERROR_TEXT_MAX + 64];
    struct buf *out = &request->out;
    if (err->pos.line)
        snprintf(text, sizeof(text), "line %u, column %u: %s", err->pos.line, err->pos.column,
                 err->text);
    else
        snprintf(text, sizeof(text), "%s", err->text);
    json_error(out, status_api_name(status), text, err->hint);
    if (!str_starts(str_of(request->route->path), STR("/v3/")) || out->failed)
        return;
    out->length -= 2; /* its "}\n" */
    json_name(out, "errors");
    buf_append_byte(out, '[');
    json_text_append(out, str_of(text));
    buf_append_text(out, "]}\n");
}

/* Runs the handler; what it left is the answer. */
static int request_run(struct request *request)
{
    struct error err = {0};
    enum status status = request->route->handle(request, &err);
    if (status == OK)
        status = buf_check(&request->out, "the answer", &err);
    if (status == OK)
        return request->status;
    buf_clear(&request->out);
    request->type = JSON;
    add_error(request, status, &err);
    return status_http(status);
}

static void run_job(struct io_job *job)
{
    struct request *request = container_of(job, struct request, job);
    int status = request_run(request);
    http_answer_later(request->exchange, status, request->type, &request->out);
}

static void on_request(void *context, struct exchange *exchange)
{
    struct server *server = context;
    if (is_ingest(exchange)) {
        ingest_submit(exchange);
        return;
    }
    struct request *request = exchange->context;
    if (request->route->place == ROUTE_ON_LOOP) {
        int status = request_run(request);
        if (!request->streams)
            http_answer(exchange, status, request->type, &request->out);
        return;
    }
    request->job.run = run_job;
    io_pool_submit(request->route->place == ROUTE_ON_SQL ? server->sql_pool : server->pool,
                   &request->job);
}

static void end_signal(struct server *server)
{
    mutex_lock(&server->end_mutex);
    server->end_seen = true;
    condition_broadcast(&server->end_changed);
    mutex_unlock(&server->end_mutex);
}

static void on_ended(void *context, struct exchange *exchange)
{
    struct server *server = context;
    if (exchange->context && is_ingest(exchange)) {
        struct ingest *ingest = exchange->context;
        endpoint_unref(ingest->endpoint);
        buf_fini(&ingest->request.answer);
    } else if (exchange->context) {
        struct request *request = exchange->context;
        buf_fini(&request->out);
    }
    mem_free(exchange->context);
    if (server->ending && http_exchange_count(server->http) == 1) /* this one */
        end_signal(server);
}

/* ---- idle sessions ---- */

static void arm_tidy(struct server *server)
{
    struct error err = {0};
    if (loop_timer_arm(server->loop, &server->tidy_timer, TIDY_US, &err) != OK)
        logger_write(LOG_ERROR, "http", "%s", err.text);
}

static void run_tidy(struct io_job *job)
{
    struct server *server = container_of(job, struct server, tidy);
    gateway_tidy(server->gateway);
    loop_post(server->loop, &server->tidied);
}

static void on_tidied(struct loop_message *message)
{
    struct server *server = container_of(message, struct server, tidied);
    if (!server->ending)
        arm_tidy(server);
}

static void on_tidy_timer(struct loop_timer *timer)
{
    struct server *server = container_of(timer, struct server, tidy_timer);
    if (!server->ending)
        io_pool_submit(server->sql_pool, &server->tidy);
}

/* ---- the whole ---- */

static enum status check_loopback(const struct socket_address *listen, struct error *err)
{
    if (guard_is_loopback(listen->host))
        return OK;
    error_set(err, ERR_UNSUPPORTED,
              "HTTP on %s: only loopback addresses are listened on, as TLS "
              "is not built",
              listen->host);
    error_hint(err, "listen on 127.0.0.1 and put an ssh tunnel or a proxy with TLS in front "
                    "(--set leat.http.hosts=NAME allows its name)");
    return ERR_UNSUPPORTED;
}

static enum status open_http(struct server *server, struct error *err)
{
    const struct server_settings *settings = &server->settings;
    const struct http_handler handler = {
        .context = server, .begin = on_begin, .request = on_request, .ended = on_ended};
    uint16_t port;
    int fd;
    TRY(check_loopback(&settings->listen, err));
    TRY(token_load(server->io, settings->data_directory, server->token, err));
    TRY(io_pool_new(&server->pool, "leat-http", HTTP_POOL_THREADS, err));
    TRY(io_pool_new(&server->sql_pool, "leat-sql", SQL_POOL_THREADS, err));
    TRY(socket_listen(&fd, &settings->listen, settings->listen_try_next, &port, err));
    const struct live_settings live = {
        .io = server->io,
        .loop = server->loop,
        .pool = server->sql_pool,
        .engine = server->engine,
        .started_ms = server->started_wall_us / 1000,
    };
    enum status status = live_new(&server->live, &live, err);
    while (status == OK && server->settings.dashboards) {
        struct dashboard *dashboard = server->settings.dashboards;
        server->settings.dashboards = dashboard->next;
        dashboard->next = NULL;
        status = live_add(server->live, dashboard, err);
    }
    const struct gateway_settings gateway = {
        .io = server->io, .pool = server->sql_pool, .engine = server->engine};
    if (status == OK && server->engine)
        status = gateway_new(&server->gateway, &gateway, err);
    if (status != OK) {
        socket_close(fd);
        return status;
    }
    bool brackets = strchr(settings->listen.host, ':') != NULL;
    snprintf(server->host, sizeof(server->host), brackets ? "[%s]:%u" : "%s:%u",
             settings->listen.host, port);
    snprintf(server->url, sizeof(server->url), "http://%s/?token=%s", server->host, server->token);
    server->tidy_timer.fire = on_tidy_timer;
    server->tidied.run = on_tidied;
    server->tidy.run = run_tidy;
    if (server->gateway)
        arm_tidy(server);
    TRY(http_open(&server->http, server->io, server->loop, fd, settings->owner, &handler, err));
    return address_keep(server->io, settings->data_directory, server->host, err);
}

enum status server_open(struct server **out, const struct server_settings *settings,
                        struct error *err)
{
    struct server *server = mem_calloc(1, sizeof(*server));
    if (!server)
        return error_memory(err, "the server", sizeof(*server));
    server->settings = *settings;
    server->io = settings->io;
    server->loop = settings->loop;
    server->engine = settings->engine;
    server->started_us = io_monotonic_us(server->io);
    server->started_wall_us = io_wall_us(server->io);
    mutex_init(&server->end_mutex);
    condition_init(&server->end_changed);
    enum status status = open_http(server, err);
    if (status != OK) {
        server_close(server);
        return status;
    }
    *out = server;
    return OK;
}

static void on_end(struct loop_message *message)
{
    struct server *server = container_of(message, struct server, end_message);
    server->ending = true;
    live_end(server->live);
    http_quiesce(server->http);
    if (http_exchange_count(server->http) == 0)
        end_signal(server);
}

void server_end(struct server *server, int64_t timeout_us)
{
    int64_t until_us = io_monotonic_us(server->io) + timeout_us, left_us = timeout_us;
    server->end_message.run = on_end;
    loop_post(server->loop, &server->end_message);
    mutex_lock(&server->end_mutex);
    while (!server->end_seen && left_us > 0) {
        (void)condition_wait_for(&server->end_changed, &server->end_mutex, left_us);
        left_us = until_us - io_monotonic_us(server->io);
    }
    mutex_unlock(&server->end_mutex);
    io_pool_free(server->sql_pool);
    io_pool_free(server->pool);
    server->sql_pool = server->pool = NULL;
    live_stop(server->live);
    if (server->gateway)
        gateway_stop(server->gateway);
}

void server_close(struct server *server)
{
    if (!server)
        return;
    if (server->sql_pool)
        io_pool_free(server->sql_pool);
    if (server->pool)
        io_pool_free(server->pool);
    loop_timer_cancel(server->loop, &server->tidy_timer);
    if (server->host[0])
        address_forget(server->io, server->settings.data_directory);
    http_close(server->http);
    live_free(server->live);
    gateway_free(server->gateway);
    while (server->settings.dashboards) { /* not taken over */
        struct dashboard *dashboard = server->settings.dashboards;
        server->settings.dashboards = dashboard->next;
        dashboard_free(dashboard);
    }
    condition_fini(&server->end_changed);
    mutex_fini(&server->end_mutex);
    mem_free(server);
}

void server_check_dashboards(struct server *server,
                             void (*each)(void *context, const struct error *err), void *context)
{
    live_check(server->live, each, context);
}

const char *server_url(const struct server *server)
{
    return server->url;
}

void server_set_broker(struct server *server, struct broker *broker)
{
    atomic_store(&server->broker, broker);
}
