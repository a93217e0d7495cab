/* http.h - HTTP/1.1 on the event loop: libmicrohttpd behind requests, answers and streams.
 *
 *   listening socket --libmicrohttpd (its epoll set in ours)--> struct exchange
 *        begin(exchange)     headers are there: answer a refusal, or say how large a body may be
 *        request(exchange)   the body is there too: http_answer now or later, or http_stream
 *
 * It knows no paths and no tokens (server.c), only bytes, bounds and times:
 *   HTTP_HEADER_BYTES_MAX of request line and headers; a body of what begin() allows, counted with
 *   the owner; HTTP_CONNECTIONS_MAX at a time; a request's headers within HTTP_HEADER_TIME_US of
 *   the connection's start or within HTTP_IDLE_TIME_US of the answer before; bodies and answers at
 *   no less than HTTP_BYTES_PER_SECOND after a grace. Who is slower is cut off. A stream has no
 *   end of its own; how much a slow reader of it costs is up to its writer.
 *
 * Threads: everything belongs to the loop's thread but http_answer_later().
 */
#ifndef LEAT_SERVER_HTTP_H
#define LEAT_SERVER_HTTP_H

#include "base/buffer.h"
#include "base/metric.h"
#include "base/str.h"
#include "os/loop.h"

#define HTTP_CONNECTIONS_MAX  4096
#define HTTP_HEADER_BYTES_MAX (16u << 10)
#define HTTP_HEADER_TIME_US   INT64_C(10000000)
#define HTTP_IDLE_TIME_US     INT64_C(60000000)
#define HTTP_GRACE_US         INT64_C(20000000)
#define HTTP_BYTES_PER_SECOND 16384
#define HTTP_DRAIN_BYTES_MAX  (64u << 20) /* of a refused body, read so that the answer arrives */
#define HTTP_ANSWER_BYTES_MAX (16u << 20)

struct http;
struct exchange;

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_OTHER };

struct http_handler {
    void *context;
    /* Headers are there. Sets exchange->body_max_bytes, or refuses by http_answer. */
    void (*begin)(void *context, struct exchange *exchange);
    /* All is there. Answers now, streams, or answers later (exchange stays valid until then). */
    void (*request)(void *context, struct exchange *exchange);
    /* The last call for an exchange, answered or broken off. */
    void (*ended)(void *context, struct exchange *exchange);
};

struct http_counters {
    struct metric_cell connections_open, connections_accepted, connections_cut_off, requests;
    struct metric_cell answers_2xx, answers_3xx, answers_4xx, answers_5xx;
    struct metric_cell bytes_in, streams_open;
};

struct http_stream_class {
    /* Fill at most max bytes; 0: nothing now, http_stream_wake comes; -1: it is over. */
    int64_t (*read)(void *context, char *dest, size_t max);
    void (*closed)(void *context); /* once; context may be freed */
};

struct exchange {
    enum http_method method;
    const char *path; /* decoded, NUL-terminated, begins with '/' */
    struct str query; /* behind '?', as sent */
    struct buf body;  /* after it: BUFFER_PADDING zero bytes, not counted */
    size_t body_max_bytes;
    size_t declared_bytes;                               /* Content-Length; 0: none or chunked */
    int status;                                          /* of the answer */
    void *context;                                       /* the handler's own */
    uint32_t retry_after_s;                              /* header of the answer; 0: none */
    const char *allow;                                   /* likewise; NULL: none */
    const char *etag, *cache_control, *content_encoding; /* likewise, static text */

    /* http.c's own */
    struct http *http;
    struct MHD_Connection *connection;
    struct http_peer *peer;
    struct MHD_Response *response;
    struct buf answer;
    const char *answer_type;
    struct loop_message message;
    size_t reserved_bytes, drained_bytes;
    const struct http_stream_class *stream;
    void *stream_context;
    bool began, whole, suspended, refused, waits_for_continue;
    struct exchange *next, **link;
};

/* Takes over the listening socket. handler is copied. */
enum status http_open(struct http **out, struct io *io, struct loop *loop, int listen_fd,
                      struct mem_owner *owner, const struct http_handler *handler,
                      struct error *err) STATUS_CHECKED;
/* No new connections; those that wait for a request are closed. */
void http_quiesce(struct http *http);
/* Exchanges that have begun and not ended. */
uint32_t http_exchange_count(const struct http *http);
/* Cuts off what is left and frees. No answer may be on its way (http_answer_later). */
void http_close(struct http *http);
const struct http_counters *http_counters(const struct http *http);
int64_t http_now_us(const struct http *http);

/* NULL: not there. name is compared without case. */
const char *http_header(const struct exchange *exchange, const char *name);
/* A decoded value of the query; NULL: not there, "" without value. */
const char *http_argument(const struct exchange *exchange, const char *name);
void http_arguments(const struct exchange *exchange,
                    void (*each)(void *context, const char *name, const char *value),
                    void *context);
/* The answer; body's memory is taken (it is empty afterwards); type is static text. Once. */
void http_answer(struct exchange *exchange, int status, const char *type, struct buf *body);
/* An answer whose bytes are static for the life of the process. */
void http_answer_static(struct exchange *exchange, int status, const char *type, const void *bytes,
                        size_t size_bytes);
/* The same from any thread, when request() has returned without an answer. */
void http_answer_later(struct exchange *exchange, int status, const char *type, struct buf *body);
/* An answer of unknown length, 200. The class' closed() is called whatever happens. */
void http_stream(struct exchange *exchange, const char *type,
                 const struct http_stream_class *stream, void *stream_context);
void http_stream_wake(struct exchange *exchange);

#endif
