/* server.h - HTTP: REST, live dashboards, ingest endpoints, metrics, the page.
 *
 *   http.c (bytes, bounds, times) -> server.c (who may ask; which route) -> rest_*.c on a pool
 * thread
 *                                                                     -> the endpoint of a table
 *                                                                     -> a file of the page
 *
 * Rules for every request: Host is a loopback name or one of leat.http.hosts (421), Origin is
 * absent or the Host itself (403), the route exists (404, 405), the token is right but for the
 * routes marked open (401), the content type is the route's (415), the body is within bounds (413).
 * Errors are {"error":{"code","message","hint"}}.
 *
 * Threads: opened and closed on the loop's thread or while the loop does not run; else as said.
 */
#ifndef LEAT_SERVER_SERVER_H
#define LEAT_SERVER_SERVER_H

#include "broker/broker.h"
#include "engine/engine.h"
#include "plugin/endpoint.h"
#include "server/dashboard.h"

struct server;

struct server_settings {
    struct io *io;
    struct loop *loop;
    struct mem_owner *owner;
    struct engine *engine;        /* NULL: none (leat broker) */
    struct socket_address listen; /* loopback only: TLS is not built */
    bool listen_try_next;
    const char *hosts;            /* leat.http.hosts: more names than loopback ones; NULL: none */
    const char *data_directory;   /* where http-token is kept */
    struct dashboard *dashboards; /* a list, taken over by server_open, also on failure */
};

enum status server_open(struct server **out, const struct server_settings *settings,
                        struct error *err) STATUS_CHECKED;
/* Refuse new requests, tell live pages, answer what is under way; waits for clients to take that,
 * at most about timeout_us, and for handlers. Any thread but the loop's; before server_close when
 * the loop runs. Endpoints must have answered their calls. */
void server_end(struct server *server, int64_t timeout_us);
void server_close(struct server *server); /* NULL is fine */

/* "http://127.0.0.1:8080/?token=...": constant while open; any thread. */
const char *server_url(const struct server *server);
/* The broker whose topics are shown; NULL: none. Any thread. */
void server_set_broker(struct server *server, struct broker *broker);

/* Checks the SQL of all panels; each() gets an error for each that is wrong. Any thread. */
void server_check_dashboards(struct server *server,
                             void (*each)(void *context, const struct error *err), void *context);

/* The routes as the page rest-api.md, the names of /metrics as metrics.md; without their headings.
 */
void server_document_routes(struct buf *out);
void server_document_metrics(struct buf *out);

#endif
