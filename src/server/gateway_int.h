/* gateway_int.h - sessions and operations of gateway.h. */
#ifndef LEAT_SERVER_GATEWAY_INT_H
#define LEAT_SERVER_GATEWAY_INT_H

#include "server/gateway.h"

#include "server/json_out.h"

enum operation_state {
    OPERATION_PENDING,
    OPERATION_RUNNING,
    OPERATION_FINISHED, /* its rows may still wait to be fetched */
    OPERATION_CANCELED,
    OPERATION_ERROR,
};

struct operation {
    struct gateway *gateway;
    struct gateway_session *session; /* a reference */
    struct operation *next;          /* of the session, under its mutex */
    _Atomic uint32_t refs;
    char handle[HANDLE_BYTES];
    struct buf text; /* the statement */
    struct io_job task;

    struct mutex mutex; /* of all below */
    struct condition changed;
    enum operation_state state;
    struct error error;
    bool is_query, has_result, cancelled, stalled, closed;
    uint32_t job_id;             /* 0: none */
    struct engine_job *job;      /* of a query: ours until it is released */
    struct engine_result result; /* of what is no query: its cells */
    bool has_cells;
    struct buf columns; /* JSON */
    const struct plan_node *collect;
    const struct zone *zone;
    struct batch *queue[GATEWAY_BATCHES_MAX];
    uint32_t first, count, row_at; /* row_at: of the first batch or of the cells */
    uint64_t token;                /* of the next page */
    struct buf page;               /* the last one, token - 1 */
    bool page_plain;
};

struct gateway_session {
    struct gateway *gateway;
    struct gateway_session *next; /* under the gateway's mutex */
    _Atomic uint32_t refs;
    char handle[HANDLE_BYTES];
    _Atomic int64_t used_us;
    struct mutex turn; /* its statements run one at a time */
    struct session *session;
    struct mutex mutex; /* of the list */
    struct operation *operations;
    uint32_t operation_count;
};

struct gateway {
    struct gateway_settings settings;
    struct mutex mutex;
    struct gateway_session *sessions;
    uint32_t session_count;
    uint32_t *insert_ids; /* jobs to be released when they have ended */
    uint32_t insert_count, insert_capacity;
    _Atomic bool stopping;
};

/* gateway_operation.c */
enum status operation_new(struct operation **out, struct gateway_session *session,
                          struct str statement, struct error *err) STATUS_CHECKED;
void operation_unref(struct operation *operation); /* NULL is fine */
void operation_start(struct operation *operation); /* on the pool */
void operation_run(struct operation *operation);   /* here */
void operation_cancel(struct operation *operation);
void operation_end(struct operation *operation); /* cancels and waits for its query */
enum status operation_fetch(struct operation *operation, uint64_t token, bool plain,
                            struct buf *out, struct error *err) STATUS_CHECKED;

/* gateway.c */
void gateway_session_unref(struct gateway_session *session);
void gateway_remember_insert(struct gateway *gateway, uint32_t job_id);

#endif
