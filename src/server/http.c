/* http.c - libmicrohttpd driven by our event loop.
 *
 * The library's epoll descriptor is watched by the loop; each time it is readable, or the library
 * has work left, MHD_run is called. An exchange whose answer is not there yet is suspended: the
 * library forgets about its connection until it is resumed. Each connection (struct http_peer) has
 * one timer; what it waits for decides the time, and when it is up the socket is shut down, which
 * the library sees as a peer that has gone.
 */
#include "server/http.h"

#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/must.h"
#include "os/logger.h"
#include "os/socket.h"

#define STREAM_BLOCK_BYTES   (16u << 10)
#define STREAM_UNSENT_BYTES  (128 << 10)
#define CONNECTION_POOL      (HTTP_HEADER_BYTES_MAX + (16u << 10))
#define RUNS_PER_ROUND       16
#define BODY_FIRST_BYTES     (64u << 10)
#define BODY_SPARE_MAX_BYTES (1u << 20)

struct http_peer { /* one connection */
    struct http *http;
    int fd;
    struct loop_timer timer;
};

struct http {
    struct io *io;
    struct loop *loop;
    struct mem_owner *owner;
    struct http_handler handler;
    struct http_counters counters;
    struct MHD_Daemon *daemon;
    struct loop_fd watch;
    bool watching;
    struct loop_timer timer; /* the library has work left */
    struct exchange *exchanges;
    uint32_t exchange_count;
    int quiesced_fd; /* the listening socket, given back by the library; -1 */
    bool closing;
};

/* Has the library look at its connections again, in this round or the next: with an event loop of
 * the caller's, resuming wakes nobody. */
static void look_soon(struct http *http)
{
    struct error err = {0};
    if (http->watching && loop_timer_arm(http->loop, &http->timer, 0, &err) != OK)
        logger_write(LOG_ERROR, "http", "%s", err.text);
}

static void resume(struct exchange *exchange)
{
    exchange->suspended = false;
    MHD_resume_connection(exchange->connection);
    look_soon(exchange->http);
}

/* ---- time ---- */

static void cut_off(struct loop_timer *timer)
{
    struct http_peer *peer = container_of(timer, struct http_peer, timer);
    metric_add(&peer->http->counters.connections_cut_off, 1);
    socket_shutdown(peer->fd);
}

static void peer_within(struct http_peer *peer, int64_t time_us)
{
    struct error err = {0};
    if (loop_timer_arm(peer->http->loop, &peer->timer, time_us, &err) != OK)
        socket_shutdown(peer->fd); /* no memory for its timer */
}

static int64_t time_for(size_t size_bytes)
{
    return HTTP_GRACE_US + (int64_t)(size_bytes / HTTP_BYTES_PER_SECOND) * 1000000;
}

/* ---- exchanges ---- */

static void *on_uri(void *context, const char *uri, struct MHD_Connection *connection)
{
    struct http *http = context;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    const char *mark = strchr(uri, '?');
    struct str query = str_of(mark ? mark + 1 : ""); /* the library will decode it in place */
    struct exchange *exchange = mem_calloc(1, sizeof(*exchange) + query.length + 1);
    if (!exchange)
        return NULL;
    memcpy(exchange + 1, query.data, query.length);
    exchange->http = http;
    exchange->connection = connection;
    exchange->peer = info ? info->socket_context : NULL;
    exchange->query = (struct str){(const char *)(exchange + 1), query.length};
    buf_init(&exchange->body, BUFFER_PADDING);
    buf_init(&exchange->answer, HTTP_ANSWER_BYTES_MAX);
    exchange->next = http->exchanges;
    exchange->link = &http->exchanges;
    if (exchange->next)
        exchange->next->link = &exchange->next;
    http->exchanges = exchange;
    http->exchange_count++;
    return exchange;
}

static void exchange_free(struct exchange *exchange)
{
    struct http *http = exchange->http;
    if (exchange->stream) {
        metric_add(&http->counters.streams_open, -1);
        exchange->stream->closed(exchange->stream_context);
    }
    if (exchange->began)
        http->handler.ended(http->handler.context, exchange);
    *exchange->link = exchange->next;
    if (exchange->next)
        exchange->next->link = exchange->link;
    http->exchange_count--;
    if (exchange->response)
        MHD_destroy_response(exchange->response);
    mem_release(http->owner, exchange->reserved_bytes);
    buf_fini(&exchange->body);
    buf_fini(&exchange->answer);
    mem_free(exchange);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **con_cls,
                         enum MHD_RequestTerminationCode why)
{
    struct exchange *exchange = *con_cls;
    if (!exchange)
        return;
    if (exchange->peer)
        peer_within(exchange->peer, HTTP_IDLE_TIME_US);
    exchange_free(exchange);
    *con_cls = NULL;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **socket_context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct http *http = context;
    struct http_peer *peer = *socket_context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        metric_add(&http->counters.connections_accepted, 1);
        peer = mem_calloc(1, sizeof(*peer));
        if (!peer) {
            socket_shutdown(info->connect_fd);
            return;
        }
        metric_add(&http->counters.connections_open, 1);
        peer->http = http;
        peer->fd = info->connect_fd;
        peer->timer.fire = cut_off;
        *socket_context = peer;
        peer_within(peer, HTTP_HEADER_TIME_US);
        return;
    }
    if (!peer)
        return;
    metric_add(&http->counters.connections_open, -1);
    loop_timer_cancel(http->loop, &peer->timer);
    mem_free(peer);
    *socket_context = NULL;
}

/* ---- bodies ---- */

static void refuse(struct exchange *exchange, int status, const char *code, const char *message)
{
    struct buf text;
    buf_init(&text, 1024);
    buf_printf(&text, "{\"error\":{\"code\":\"%s\",\"message\":\"%s\",\"hint\":\"\"}}\n", code,
               message);
    http_answer(exchange, status, "application/json", &text);
}

/* Room for more, with its padding; grows with what arrives, so that a large length costs its sender
 * as much as us. */
static bool body_room(struct exchange *exchange, size_t more_bytes)
{
    struct http *http = exchange->http;
    struct buf *body = &exchange->body;
    size_t need_bytes = body->length + more_bytes + BUFFER_PADDING;
    if (need_bytes <= exchange->reserved_bytes)
        return true;
    size_t want_bytes = 2 * exchange->reserved_bytes;
    size_t all_bytes = exchange->declared_bytes + BUFFER_PADDING;
    if (all_bytes > BODY_FIRST_BYTES)
        all_bytes = BODY_FIRST_BYTES;
    if (want_bytes < all_bytes)
        want_bytes = all_bytes;
    if (want_bytes < need_bytes)
        want_bytes = need_bytes;
    if (mem_reserve(http->owner, want_bytes - exchange->reserved_bytes, NULL) != OK)
        return false;
    exchange->reserved_bytes = want_bytes;
    body->max_bytes = want_bytes;
    return buf_room(body, want_bytes - body->length) != NULL;
}

static void take_body(struct exchange *exchange, const char *bytes, size_t size_bytes)
{
    metric_add(&exchange->http->counters.bytes_in, (int64_t)size_bytes);
    if (exchange->response) {
        exchange->drained_bytes += size_bytes;
        if (exchange->drained_bytes > HTTP_DRAIN_BYTES_MAX)
            socket_shutdown(exchange->peer->fd);
        return;
    }
    if (size_bytes > exchange->body_max_bytes - exchange->body.length) {
        refuse(exchange, MHD_HTTP_CONTENT_TOO_LARGE, "TOO_LARGE", "the body is too large");
        return;
    }
    if (!body_room(exchange, size_bytes)) {
        refuse(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, "MEMORY",
               "no memory for the body (leat.memory.limit)");
        return;
    }
    buf_append(&exchange->body, bytes, size_bytes);
}

/* ---- the library's calls ---- */

static enum http_method method_of(const char *method)
{
    static const struct {
        const char *name;
        enum http_method method;
    } METHODS[] = {{"GET", HTTP_GET},
                   {"HEAD", HTTP_GET},
                   {"POST", HTTP_POST},
                   {"PUT", HTTP_PUT},
                   {"DELETE", HTTP_DELETE}};
    for (size_t i = 0; i < COUNT_OF(METHODS); i++)
        if (strcmp(method, METHODS[i].name) == 0)
            return METHODS[i].method;
    return HTTP_OTHER;
}

static void count_answer(struct http_counters *counters, int status)
{
    struct metric_cell *cells[] = {&counters->answers_2xx, &counters->answers_3xx,
                                   &counters->answers_4xx, &counters->answers_5xx};
    if (status >= 200 && status < 600)
        metric_add(cells[status / 100 - 2], 1);
}

static enum MHD_Result queue(struct exchange *exchange)
{
    struct MHD_Response *response = exchange->response;
    size_t size_bytes = exchange->answer.length;
    count_answer(&exchange->http->counters, exchange->status);
    if (exchange->stream) {
        loop_timer_cancel(exchange->http->loop, &exchange->peer->timer);
        socket_bound_unsent(exchange->peer->fd, STREAM_UNSENT_BYTES);
    } else {
        peer_within(exchange->peer, time_for(size_bytes));
    }
    return MHD_queue_response(exchange->connection, (unsigned)exchange->status, response);
}

static void begin(struct exchange *exchange, const char *path, const char *method)
{
    struct http *http = exchange->http;
    bool overflow;
    uint64_t declared = 0;
    const char *length = http_header(exchange, MHD_HTTP_HEADER_CONTENT_LENGTH);
    const char *expect = http_header(exchange, MHD_HTTP_HEADER_EXPECT);
    if (length && !str_to_u64(str_of(length), &declared, &overflow))
        declared = UINT64_MAX / 2;
    exchange->began = true;
    exchange->waits_for_continue = expect && *expect;
    exchange->declared_bytes = (size_t)declared;
    exchange->path = path;
    exchange->method = method_of(method);
    metric_add(&http->counters.requests, 1);
    peer_within(exchange->peer, time_for(declared < HTTP_DRAIN_BYTES_MAX ? (size_t)declared : 0));
    http->handler.begin(http->handler.context, exchange);
    if (!exchange->response && declared > exchange->body_max_bytes)
        refuse(exchange, MHD_HTTP_CONTENT_TOO_LARGE, "TOO_LARGE", "the body is too large");
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_bytes, void **con_cls)
{
    struct exchange *exchange = *con_cls;
    if (!exchange || !exchange->peer)
        return MHD_NO; /* no memory: the connection is closed */
    struct http *http = exchange->http;
    if (!exchange->began) {
        begin(exchange, url, method);
        bool at_once = exchange->response && (exchange->waits_for_continue ||
                                              exchange->declared_bytes > HTTP_DRAIN_BYTES_MAX);
        return at_once ? queue(exchange) : MHD_YES;
    }
    if (*upload_bytes) {
        take_body(exchange, upload, *upload_bytes);
        *upload_bytes = 0;
        return MHD_YES;
    }
    if (!exchange->whole) {
        exchange->whole = true;
        loop_timer_cancel(http->loop, &exchange->peer->timer);
        if (!exchange->response && !body_room(exchange, 0))
            refuse(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, "MEMORY", "no memory for the request");
        if (!exchange->response) {
            memset(exchange->body.data + exchange->body.length, 0, BUFFER_PADDING);
            http->handler.request(http->handler.context, exchange);
        }
    }
    if (exchange->response)
        return queue(exchange);
    exchange->suspended = true;
    MHD_suspend_connection(connection);
    return MHD_YES;
}

static void on_log(void *context, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static void on_log(void *context, const char *format, va_list args)
{
    char text[512];
    vsnprintf(text, sizeof(text), format, args);
    logger_write(LOG_DEBUG, "http", "%s", text);
}

/* ---- the loop ---- */

static void run(struct http *http)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;
    struct error err = {0};
    for (int i = 0; i < RUNS_PER_ROUND; i++) {
        must(MHD_run(http->daemon) == MHD_YES);
        if (MHD_get_timeout(http->daemon, &timeout_ms) == MHD_NO)
            return;
        if (timeout_ms)
            break;
    }
    if (loop_timer_arm(http->loop, &http->timer, (int64_t)timeout_ms * 1000, &err) != OK)
        logger_write(LOG_ERROR, "http", "%s", err.text);
}

static void on_ready(struct loop_fd *watch, int events)
{
    run(container_of(watch, struct http, watch));
}

static void on_timer(struct loop_timer *timer)
{
    run(container_of(timer, struct http, timer));
}

enum status http_open(struct http **out, struct io *io, struct loop *loop, int listen_fd,
                      struct mem_owner *owner, const struct http_handler *handler,
                      struct error *err)
{
    struct http *http = mem_calloc(1, sizeof(*http));
    if (!http) {
        socket_close(listen_fd);
        return error_memory(err, "HTTP", sizeof(*http));
    }
    *http = (struct http){
        .io = io, .loop = loop, .owner = owner, .handler = *handler, .quiesced_fd = -1};
    http->timer.fire = on_timer;
    http->daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG, 0, NULL, NULL, on_request,
        http, MHD_OPTION_EXTERNAL_LOGGER, on_log, http, MHD_OPTION_LISTEN_SOCKET, listen_fd,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_POOL, MHD_OPTION_CONNECTION_TIMEOUT,
        0u, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, http, MHD_OPTION_NOTIFY_COMPLETED, on_completed, http,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, http, MHD_OPTION_END);
    if (!http->daemon) {
        socket_close(listen_fd);
        mem_free(http);
        return error_set(err, ERR_IO, "HTTP does not start: libmicrohttpd refuses its options");
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    http->watch =
        (struct loop_fd){.fd = info->epoll_fd, .ready = on_ready, .events = LOOP_READABLE};
    enum status status = loop_fd_add(loop, &http->watch, err);
    http->watching = status == OK;
    if (status != OK) {
        http_close(http);
        return status;
    }
    *out = http;
    return OK;
}

void http_quiesce(struct http *http)
{
    if (http->quiesced_fd < 0)
        http->quiesced_fd = MHD_quiesce_daemon(http->daemon);
}

uint32_t http_exchange_count(const struct http *http)
{
    return http->exchange_count;
}

void http_close(struct http *http)
{
    if (!http)
        return;
    http->closing = true;
    for (struct exchange *exchange = http->exchanges; exchange; exchange = exchange->next) {
        if (exchange->suspended)
            resume(exchange);
    }
    if (http->watching)
        loop_fd_remove(http->loop, &http->watch);
    loop_timer_cancel(http->loop, &http->timer);
    MHD_stop_daemon(http->daemon);
    socket_close(http->quiesced_fd);
    must(http->exchange_count == 0);
    mem_free(http);
}

const struct http_counters *http_counters(const struct http *http)
{
    return &http->counters;
}

int64_t http_now_us(const struct http *http)
{
    return io_monotonic_us(http->io);
}

/* ---- what was asked ---- */

const char *http_header(const struct exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

struct argument_search {
    const char *name, *value;
    void (*each)(void *context, const char *name, const char *value);
    void *context;
};

static enum MHD_Result on_argument(void *context, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
    struct argument_search *search = context;
    if (search->each)
        search->each(search->context, name, value ? value : "");
    else if (strcmp(name, search->name) == 0)
        search->value = value ? value : "";
    return MHD_YES;
}

const char *http_argument(const struct exchange *exchange, const char *name)
{
    struct argument_search search = {.name = name};
    MHD_get_connection_values(exchange->connection, MHD_GET_ARGUMENT_KIND, on_argument, &search);
    return search.value;
}

void http_arguments(const struct exchange *exchange,
                    void (*each)(void *context, const char *name, const char *value), void *context)
{
    struct argument_search search = {.each = each, .context = context};
    MHD_get_connection_values(exchange->connection, MHD_GET_ARGUMENT_KIND, on_argument, &search);
}

/* ---- answers ---- */

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    if (value)
        (void)MHD_add_response_header(response, name, value); /* fails only without memory */
}

/* Every answer: nothing is guessed, framed, sent on as referrer, or loaded from elsewhere. */
static void add_headers(struct exchange *exchange, const char *type)
{
    struct MHD_Response *response = exchange->response;
    char seconds[16];
    add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    add_header(response, "X-Content-Type-Options", "nosniff");
    add_header(response, "Referrer-Policy", "no-referrer");
    add_header(response, "X-Frame-Options", "DENY");
    add_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    add_header(response, "Content-Security-Policy",
               "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'");
    add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL,
               exchange->cache_control ? exchange->cache_control : "no-store");
    add_header(response, MHD_HTTP_HEADER_ALLOW, exchange->allow);
    add_header(response, MHD_HTTP_HEADER_ETAG, exchange->etag);
    add_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, exchange->content_encoding);
    if (exchange->content_encoding)
        add_header(response, MHD_HTTP_HEADER_VARY, "Accept-Encoding");
    if (exchange->status == MHD_HTTP_UNAUTHORIZED)
        add_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer");
    snprintf(seconds, sizeof(seconds), "%u", exchange->retry_after_s);
    if (exchange->retry_after_s)
        add_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
}

static void give(struct exchange *exchange, int status, const char *type,
                 struct MHD_Response *response)
{
    must(!exchange->response);
    if (!response) { /* no memory */
        socket_shutdown(exchange->peer->fd);
        status = MHD_HTTP_SERVICE_UNAVAILABLE;
        response =
            MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
        must(response != NULL);
    }
    exchange->response = response;
    exchange->status = status;
    add_headers(exchange, type);
    if (exchange->suspended)
        resume(exchange);
}

void http_answer(struct exchange *exchange, int status, const char *type, struct buf *body)
{
    if (body != &exchange->answer) {
        buf_fini(&exchange->answer);
        exchange->answer = *body;
        buf_init(body, body->max_bytes);
    }
    struct buf *answer = &exchange->answer;
    if (answer->failed) {
        status = MHD_HTTP_INTERNAL_SERVER_ERROR;
        answer->length = 0;
    }
    void *bytes = answer->length ? answer->data : (void *)(uintptr_t) "";
    give(exchange, status, type,
         MHD_create_response_from_buffer(answer->length, bytes, MHD_RESPMEM_PERSISTENT));
}

void http_answer_static(struct exchange *exchange, int status, const char *type, const void *bytes,
                        size_t size_bytes)
{
    give(exchange, status, type,
         MHD_create_response_from_buffer(size_bytes, (void *)(uintptr_t)bytes,
                                         MHD_RESPMEM_PERSISTENT));
}

static void on_answer(struct loop_message *message)
{
    struct exchange *exchange = container_of(message, struct exchange, message);
    http_answer(exchange, exchange->status, exchange->answer_type, &exchange->answer);
}

void http_answer_later(struct exchange *exchange, int status, const char *type, struct buf *body)
{
    if (body != &exchange->answer) {
        buf_fini(&exchange->answer);
        exchange->answer = *body;
        buf_init(body, body->max_bytes);
    }
    exchange->status = status;
    exchange->answer_type = type;
    exchange->message.run = on_answer;
    loop_post(exchange->http->loop, &exchange->message);
}

/* ---- streams ---- */

static ssize_t on_stream(void *context, uint64_t position, char *dest, size_t max)
{
    struct exchange *exchange = context;
    if (exchange->http->closing)
        return MHD_CONTENT_READER_END_OF_STREAM;
    int64_t got = exchange->stream->read(exchange->stream_context, dest, max);
    if (got > 0)
        return (ssize_t)got;
    if (got < 0)
        return MHD_CONTENT_READER_END_OF_STREAM;
    exchange->suspended = true;
    MHD_suspend_connection(exchange->connection);
    return 0;
}

void http_stream(struct exchange *exchange, const char *type,
                 const struct http_stream_class *stream, void *stream_context)
{
    exchange->stream = stream;
    exchange->stream_context = stream_context;
    metric_add(&exchange->http->counters.streams_open, 1);
    give(exchange, MHD_HTTP_OK, type,
         MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK_BYTES, on_stream,
                                           exchange, NULL));
}

void http_stream_wake(struct exchange *exchange)
{
    if (exchange->suspended && exchange->stream)
        resume(exchange);
}
