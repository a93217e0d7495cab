/* broker_int.h - what the files of the broker share.
 *
 *   listener -> session -> call (decoded request, arena) -> handler -> response -> session
 *                            |  work() on the I/O pool, watches of the log, commit rounds
 *
 * A session takes its requests in order and answers in order. A call is the life of one request; it
 * is RUNNING until its response is there. Produce calls of one session may run together (they are
 * appended in order and wait for the same sync); any other call runs alone, as in Kafka.
 *
 * Who frees: a session owns its calls. A call that the pool or a posted message still holds
 * (`held`) outlives its session (session NULL) and is freed when it comes back.
 */
#ifndef LEAT_BROKER_BROKER_INT_H
#define LEAT_BROKER_BROKER_INT_H

#include "base/metric.h"
#include "broker/broker.h"
#include "kafka/api.h"
#include "kafka/record.h"

#define CALL_ARENA_MAX_BYTES     (32u << 20) /* what one request may unfold to */
#define CALL_REQUEST_MAX_BYTES   (4u << 20)  /* of all requests but Produce */
#define SESSION_CALLS_MAX        1000        /* Produce requests under way */
#define SESSION_OUT_MAX_BYTES    (1u << 20)  /* unsent; beyond it no more requests are taken */
#define SESSION_READERS_MAX      256
#define FETCH_RESPONSE_MAX_BYTES (16u << 20)
#define SCRATCH_BYTES            (256u << 10)
#define FETCH_COPY_MAX_BYTES     4096 /* smaller blocks are copied behind their header */
#define WARN_INTERVAL_US         INT64_C(1000000) /* between complaints of one kind */
#define COMMIT_INTERVAL_US       5000

struct session;
struct call;

struct call_list {
    struct call *first, **tail;
};

struct handler {
    enum kafka_api_key key;
    /* On the loop's thread: sets response and calls call_finish(), or call_submit(), or keeps the
     * call and finishes it later. */
    void (*start)(struct call *call);
    /* On a pool thread after call_submit(): sets response; touches nothing but the call, the log
     * and the broker's constants and ids. NULL: never submitted. */
    void (*work)(struct call *call);
    /* On the loop's thread after the work: sets response and calls call_finish(), or keeps the
     * call. NULL: call_finish(). */
    void (*back)(struct call *call);
    /* On the loop's thread when the session goes: take back watches, timers and references. NULL:
     * there is nothing. */
    void (*drop)(struct call *call);
};

enum { READ_UNCOMMITTED, READ_COMMITTED }; /* isolation levels, in the protocol's numbers */

enum call_state { CALL_RUNNING, CALL_DONE };

struct call {
    struct broker *broker;
    struct session *session; /* NULL: gone */
    struct call *next;       /* in the session's order */
    const struct handler *handler;
    const struct kafka_api *api;
    int16_t version;
    int32_t correlation_id;
    struct str client_id; /* data NULL: none */
    enum call_state state;
    bool held;        /* by the pool or a posted message */
    bool no_response; /* acks=0 */
    bool broken;      /* close the connection instead of answering */
    struct arena arena;
    const char *host; /* where this client is told to find the broker */
    void *request;
    void *response;
    struct io_job job;
    struct loop_message message;
    struct loop_timer timer;
    struct produce_wait *produce;     /* produce.c */
    struct fetch_wait *fetch;         /* fetch.c */
    struct group *group;              /* groups.h: a member of it waits for this call's answer */
    struct group_write *group_write;  /* groups.h: this call is answered when it is durable */
    struct txn *txn;                  /* txns.h: this call waits for it, */
    void (*again)(struct call *call); /* and is looked at again with this */
    struct call_list *wait_list; /* the broker's waiting or synced, the done of groups and txns */
    struct call *wait_next, **wait_link;
};

/* call.c */
/* Decode a frame (without its length) and run its handler. False: no call was made, the session is
 * to be closed (err says why). The frame may be overwritten after the return. */
bool call_start(struct session *session, uint8_t *frame, size_t size_bytes, struct error *err);
/* A call is on one list at most; removing one that is on none does nothing. */
void call_list_append(struct call_list *list, struct call *call);
void call_list_remove(struct call *call);
void call_finish(struct call *call);                 /* the response is there */
void call_break(struct call *call, const char *why); /* close the connection */
void call_submit(struct call *call);  /* run handler->work on the pool, then back, or finish */
void call_drop(struct call *call);    /* answered, or the session goes */
void call_release(struct call *call); /* a held one whose session has gone came back */
void *call_alloc(struct call *call, size_t count, size_t size_bytes); /* arena; see call.c */
#define CALL_ARRAY(call, count, type) ((type *)call_alloc((call), (size_t)(count), sizeof(type)))
struct str call_copy(struct call *call, struct str text);             /* into the arena */
struct kafka_records call_bytes(struct call *call, struct str bytes); /* NULL: empty */
struct str call_text(struct call *call, const char *text);
/* An error's text and hint, for a client to read. */
const char *call_reason(struct call *call, const struct error *err);
int16_t call_error_code(enum status status); /* the protocol's code for a log's status */

/* handlers: produce.c producers.c fetch.c offsets.c metadata.c topics.c configs.c partitions.c */
extern const struct handler HANDLER_PRODUCE, HANDLER_FETCH, HANDLER_LIST_OFFSETS,
    HANDLER_LEADER_EPOCH, HANDLER_METADATA, HANDLER_API_VERSIONS, HANDLER_FIND_COORDINATOR,
    HANDLER_DESCRIBE_CLUSTER, HANDLER_CREATE_TOPICS, HANDLER_DELETE_TOPICS,
    HANDLER_CREATE_PARTITIONS, HANDLER_DESCRIBE_CONFIGS;
extern const struct handler HANDLER_INIT_PRODUCER_ID, HANDLER_DESCRIBE_PRODUCERS,
    HANDLER_DELETE_RECORDS, HANDLER_ALTER_CONFIGS, HANDLER_INCREMENTAL_ALTER_CONFIGS,
    HANDLER_DESCRIBE_LOG_DIRS, HANDLER_DESCRIBE_TOPIC_PARTITIONS;
/* configs.c: where a config's value comes from, in the protocol's numbers */
enum { CONFIG_SOURCE_TOPIC = 1, CONFIG_SOURCE_BROKER = 4, CONFIG_SOURCE_DEFAULT = 5 };
/* membership.c commits.c coordinator.c */
extern const struct handler HANDLER_JOIN_GROUP, HANDLER_SYNC_GROUP, HANDLER_HEARTBEAT,
    HANDLER_LEAVE_GROUP, HANDLER_OFFSET_COMMIT, HANDLER_OFFSET_FETCH, HANDLER_OFFSET_DELETE,
    HANDLER_LIST_GROUPS, HANDLER_DESCRIBE_GROUPS, HANDLER_DELETE_GROUPS;
/* txn_calls.c txn_offsets.c txn_list.c */
extern const struct handler HANDLER_ADD_PARTITIONS_TO_TXN, HANDLER_ADD_OFFSETS_TO_TXN,
    HANDLER_END_TXN, HANDLER_TXN_OFFSET_COMMIT, HANDLER_DESCRIBE_TRANSACTIONS,
    HANDLER_LIST_TRANSACTIONS;
/* InitProducerId with a transactional id: the response has an id that was never given. */
void txn_init_producer(struct call *call);
int16_t offsets_check_epoch(struct broker *broker, int32_t current_leader_epoch);
/* The answer to a version that is not spoken. */
void metadata_unsupported_version(struct call *call);
void produce_synced(struct broker *broker); /* after a round: answer who waited for it */
void fetch_hurry(struct call *call);        /* answer a waiting fetch now */

/* ---- sessions ---- */

struct out_chunk { /* bytes that the socket did not take yet */
    struct out_chunk *next;
    struct buffer *block; /* NULL: bytes lie behind this struct */
    const uint8_t *bytes;
    size_t size_bytes, sent_bytes;
};

struct session_reader {
    struct log_partition *partition;
    struct log_reader *reader;
};

struct session {
    struct broker *broker;
    struct session *next, **link; /* broker's list */
    struct loop_fd watch;
    struct loop_timer timer; /* idle connection, or a request that takes too long to arrive */
    char peer[64];
    char local_host[64]; /* by which this client has reached a wildcard listener */
    bool registered;     /* watch is in the loop */
    bool serving;        /* session_serve is on the stack */
    bool closing;
    bool deaf;         /* the peer takes no answers any more */
    int64_t active_us; /* last whole request or answer */

    uint8_t *in; /* NULL: nothing half read */
    size_t in_length, in_capacity;
    int64_t in_since_us;

    struct call *calls, **calls_tail; /* in order of arrival */
    uint32_t call_count;

    struct out_chunk *out, **out_tail;
    size_t out_bytes;

    struct session_reader *readers; /* reader_room of them */
    uint32_t reader_count, reader_room, reader_next;
};

/* session.c */
void session_new(struct broker *broker, int fd, const char *peer); /* owns fd, also on failure */
void session_close(struct session *session);    /* frees; not from within session_serve */
void session_continue(struct session *session); /* a call is done */
/* reader.c: the session's reader for a partition; NULL with err. */
struct log_reader *session_reader(struct session *session, struct log_partition *partition,
                                  struct error *err);
void session_readers_close(struct session *session);

/* ---- group commit: commit.c ---- */

struct commit {
    struct log_sync sync;
    struct io_job job;
    struct loop_message done;
    struct loop_message dirty;
    _Atomic bool dirty_posted;
    _Atomic bool hurry_asked; /* with it: somebody in the process waits (log_hurry) */
    _Atomic bool muted;       /* the log opens or closes, on the loop's thread */
    struct loop_timer timer;
    bool running;
    bool wanted;      /* something was written that no round has taken */
    bool urgent;      /* and is waited for in the process */
    int64_t begun_us; /* the last round */
};
void commit_dirty(void *context); /* log_settings.dirty */
void commit_hurry(void *context); /* log_settings.hurry */
void commit_want(struct broker *broker, bool urgent);
/* What was written on the loop's thread: a round at once when somebody waits for it. */
void commit_written(struct broker *broker);
/* log_append on the loop's thread. */
enum status commit_append(struct broker *broker, struct log_partition *partition,
                          struct log_append *append, struct error *err) STATUS_CHECKED;

/* ---- the broker ---- */

/* Topics that only the broker writes: clients may read them. */
static inline bool is_internal_topic(struct str name)
{
    return str_eq(name, STR("__consumer_offsets")) || str_eq(name, STR("__transaction_state"));
}

struct broker {
    struct io *io;
    struct loop *loop;
    struct io_pool *pool;
    struct mem_owner *owner;
    struct log *log;
    struct socket_address address;
    char *advertised_host; /* NULL: that of the listener or, with a wildcard, of the session */
    bool wildcard;
    char cluster_id[24];
    bool auto_create;
    uint32_t partition_count;
    uint32_t max_request_bytes;
    uint32_t max_connections;
    int64_t max_idle_us;
    int64_t producer_expiry_ms;

    struct { /* of producers, taken from the log and not yet given; any thread */
        struct mutex mutex;
        int64_t next, end;
    } ids;

    struct loop_fd listener;
    bool listening;
    bool closing;                   /* long polls are answered at once */
    struct loop_timer accept_timer; /* after running out of descriptors */
    struct loop_timer retain_timer;
    struct io_job retain_job;
    struct loop_message retain_done;
    int64_t retain_next_ms;
    bool retaining;
    struct session *sessions;
    struct call_list waiting; /* produce calls that wait for a sync, oldest first */
    struct call_list synced;  /* those that a round has just made durable */
    struct groups *groups;    /* groups.h */
    struct txns *txns;        /* txns.h */
    uint32_t held_count;      /* calls that the pool or a message holds */
    struct commit commit;

    uint8_t *scratch;    /* SCRATCH_BYTES: what sessions without a half request read into */
    struct buf encoded;  /* responses on their way out */
    struct buf validate; /* decompressed records while they are checked */
    struct {
        uint8_t *bytes;
        size_t capacity;
    } spare[4]; /* request buffers between requests */
    int64_t append_warned_us;
    int64_t warned_us; /* complaints about clients are limited to one a second */

    struct metric_cell connections_accepted, connections_refused, connections_broken,
        connections_open, requests, records_in, bytes_in, bytes_out, sync_rounds;
};

#endif
