/* endpoint.h - the contract of endpoints: tables into which clients POST rows over HTTP.
 *
 * A connector whose class has an endpoint_class takes rows at POST /ingest/PATH. Who does what:
 *
 *   engine     opens the endpoint of every such table once a server asks for that
 *              (engine_endpoints_open), also of tables made later; shuts it when the table is
 *              dropped. An endpoint exists while its table is in the catalog and the server runs,
 * so rows are taken, durably, also while no job reads them. server     finds it by path
 * (engine_endpoint_find: a reference), looks at method, token, Host, Origin and Content-Encoding
 * itself, then: check() after the headers, submit() with the whole body, and after done() sends the
 * answer and gives the reference back. connector  everything about rows: forms of the body, types,
 * constraints, durability, limits.
 *
 * Every request is answered exactly once, with done(). Nothing here blocks but open and shut.
 */
#ifndef LEAT_PLUGIN_ENDPOINT_H
#define LEAT_PLUGIN_ENDPOINT_H

#include "plugin/connector.h"

struct endpoint_class;
struct row_checker;

/* The first member of a connector's own struct; constant after open, but for refs. */
struct endpoint {
    const struct endpoint_class *class;
    _Atomic uint32_t refs;
    const char *path;      /* without slashes: "orders" is POST /ingest/orders */
    const char *table;     /* full name, for messages */
    size_t max_body_bytes; /* a server need not read more: check() answers 413 */
};

struct endpoint_parameter { /* of the address's query, decoded */
    struct str name, value;
};

/* The caller's memory, from check() or submit() until done() has been called. */
struct endpoint_request {
    /* in */
    const char *content_type; /* the header's value; NULL: none */
    const struct endpoint_parameter *parameters;
    uint32_t parameter_count;
    const uint8_t *body; /* followed by BUFFER_PADDING readable bytes; for submit() only */
    size_t body_bytes;   /* check(): what Content-Length announces, 0 when nothing does */
    /* From any thread, also before submit() returns; the endpoint does not touch the request any
     * more. Must not block, nor call the endpoint: post a message. */
    void (*done)(struct endpoint_request *request);
    /* out */
    uint32_t http_status;          /* 200, 400, 404, 413, 415, 422, 429, 503 */
    uint32_t retry_after_s;        /* 0: no Retry-After */
    struct buf answer;             /* JSON; the caller frees it (buf_fini), also after check() */
    struct endpoint_request *next; /* the endpoint's */
};

struct endpoint_settings {
    const struct table_description *table;     /* outlives the endpoint */
    const struct format_class *format;         /* NULL: the table names none */
    const struct option_given *format_options; /* without the prefix; outlive the endpoint */
    size_t format_option_count;
    struct row_checker *checker; /* the endpoint's from a successful open on; NULL: nothing to
                                    check beyond types */
    const struct plugin_context *context;
    struct mem_owner *owner;
};

struct endpoint_class {
    size_t size;
    /* Where a table's endpoint would be, in arena. Pure; also says whether the options are good. */
    enum status (*path)(const struct table_description *table, struct arena *arena,
                        const char **out, struct error *err);
    /* May block on the local disk. *out has one reference. */
    enum status (*open)(const struct endpoint_settings *settings, struct endpoint **out,
                        struct error *err);
    /* After the headers: would a request like this be taken? False: http_status and answer are set
     * and done() is not called. Saves clients and server the body; submit() looks again. */
    bool (*check)(struct endpoint *endpoint, struct endpoint_request *request);
    /* The caller holds a reference until done(). */
    void (*submit)(struct endpoint *endpoint, struct endpoint_request *request);
    /* Requests are answered with 404 from now on. Blocks until all that were taken are answered:
     * not on the thread that the broker's event loop runs on. Once. */
    void (*shut)(struct endpoint *endpoint);
    /* The last reference has gone; was shut before. */
    void (*close)(struct endpoint *endpoint);
};

struct endpoint *endpoint_ref(struct endpoint *endpoint); /* returns its argument */
void endpoint_unref(struct endpoint *endpoint);           /* NULL is fine */

/* Set status and answer: {"error":{"code":...,"message":...,"hint":...}}; hint NULL: none. */
void endpoint_refuse(struct endpoint_request *request, uint32_t http_status, const char *code,
                     const char *hint, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* NULL: not given. */
const struct endpoint_parameter *endpoint_parameter(const struct endpoint_request *request,
                                                    const char *name);

/* ---- constraints of a table, for endpoints; made by the engine, which has the evaluator */

#define ROW_FAULT_NO_FIELD UINT32_MAX

struct row_fault {
    uint32_t row;           /* of the batch */
    uint32_t field;         /* to blame first; ROW_FAULT_NO_FIELD: none */
    const char *constraint; /* "INT NOT NULL", "CHECK (quantity > 0)"; borrowed from the checker */
    char message[320];      /* one sentence with the values */
};

struct row_checker { /* belongs to one thread at a time */
    /* Looks at the selected rows of a batch that has the table's physical fields in order. At most
     * one fault a row: NOT NULL, then a computed column or watermark that cannot be computed, then
     * the CHECKs in the declared order (NULL passes, as in SQL). each() gets faults by rising row.
     * ERR_* for memory only. */
    enum status (*run)(struct row_checker *checker, const struct batch *batch,
                       void (*each)(void *context, const struct row_fault *fault), void *context,
                       struct error *err);
    void (*free)(struct row_checker *checker);
};

#endif
