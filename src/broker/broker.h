/* broker.h - the embedded Kafka-protocol broker: a listener on an event loop in front of a log.
 *
 * What it does: sessions, requests, group commit, topics made on first use, idempotent producers,
 * consumer groups, transactions. What it does not do: TLS and SASL (not advertised; a client that
 * asks is told). The log (log/log.h) knows files; the protocol (kafka/) knows bytes.
 *
 * High watermark: what is fsynced. acks=all is answered after the fsync, which all waiting share;
 * acks=1 and 0 after the write. A round starts at once when somebody waits or the last one is 5 ms
 * past, and never later than 5 ms after a write; an idle broker has no timer and does no fsync.
 *
 * Threads: everything here belongs to the loop's thread unless said. broker_log() may be used from
 * any thread as log.h says; whoever appends through it gets the same group commit.
 */
#ifndef LEAT_BROKER_BROKER_H
#define LEAT_BROKER_BROKER_H

#include "log/log.h"
#include "os/loop.h"
#include "os/socket.h"
#include "os/thread.h"

struct broker;

#define BROKER_NODE_ID 1

struct broker_settings { /* zeroed: the defaults in brackets */
    struct io *io;
    struct loop *loop;
    struct io_pool *pool; /* fsync and what else waits for the disk; NULL: done on the loop's thread
                             (simulated runs) */
    const char *directory;   /* the data directory, locked by the caller; topics go into
                                DIRECTORY/topics; copied */
    struct mem_owner *owner; /* connections' and readers' buffers; NULL: not counted */
    enum log_durability durability;

    bool no_listen;               /* in-process use only: `listen` is not looked at */
    struct socket_address listen; /* port 0: any free one */
    bool listen_try_next;         /* port in use: the next free one */
    const char *advertised_host;  /* what clients are told; [listen.host; for a wildcard address
                                     the one that each client has connected to]; copied */

    bool no_auto_create;        /* auto.create.topics.enable = false */
    uint32_t partition_count;   /* num.partitions [1] */
    uint32_t max_request_bytes; /* socket.request.max.bytes [104857600] */
    uint32_t max_connections;   /* [10000] */
    int64_t max_idle_ms;        /* connections.max.idle.ms [600000] */
    int64_t producer_expiry_ms; /* producer.id.expiration.ms [86400000] */

    int64_t group_initial_delay_ms; /* group.initial.rebalance.delay.ms [50]; -1: none */
    int64_t group_min_session_ms;   /* group.min.session.timeout.ms [6000] */
    int64_t group_max_session_ms;   /* group.max.session.timeout.ms [1800000] */
    uint32_t group_max_members;     /* group.max.size [1000] */
    int64_t offsets_retention_ms;   /* offsets.retention.minutes [7 days] */
};

/* Open the log (recover it), listen, accept. Errors: a port in use (names the holder), the log's.
 * On failure nothing is left open. */
enum status broker_open(struct broker **out, const struct broker_settings *settings,
                        struct error *err) STATUS_CHECKED;

/* Stop listening, answer what waits, sync, close connections and log; frees. To be called while the
 * loop does not run (it steps the loop itself, at most for about two seconds). References to
 * topics, partitions and readers taken through broker_log() must have been given back. NULL is
 * fine. */
enum status broker_close(struct broker *broker, struct error *err) STATUS_CHECKED;

struct log *broker_log(struct broker *broker);
/* Where it listens, the port as bound; port 0 with no_listen. */
const struct socket_address *broker_address(const struct broker *broker);
/* The cluster id as clients see it: 22 characters. */
const char *broker_cluster_id(const struct broker *broker);

/* ---- consumer groups, for whoever shows them ---- */

struct broker_group_member {
    const char *id, *instance_id /* NULL: dynamic */, *client_id, *host;
};
struct broker_group_partition { /* to which the group has committed an offset */
    const char *topic;
    int32_t partition;
    int64_t committed_offset;
    int64_t end_offset; /* the high watermark: the lag is what lies between */
    int64_t commit_ms;  /* wall time */
    const char *metadata;
    const char *member_id; /* who reads it now; NULL: nobody, or that is not known */
};
struct broker_group {
    const char *id, *state, *protocol_type, *protocol; /* "" where there is none */
    int32_t generation;
    int64_t lag; /* of all partitions together */
    struct broker_group_member *members;
    size_t member_count;
    struct broker_group_partition *partitions;
    size_t partition_count;
};
/* All groups as they are now, sorted by id, in the arena. Any thread. ERR_LIMIT, ERR_MEMORY: the
 * arena has no room; what *out has then is not whole. */
enum status broker_groups(struct broker *broker, struct arena *arena, struct broker_group **out,
                          size_t *out_count, struct error *err) STATUS_CHECKED;

struct broker_counters { /* since the start */
    uint64_t connections_accepted;
    uint64_t connections_refused; /* max_connections */
    uint64_t connections_broken;  /* closed for what they sent */
    uint64_t requests;
    uint64_t records_in;
    uint64_t bytes_in;
    uint64_t bytes_out;
    uint64_t sync_rounds;
    uint32_t connections_open;
};
void broker_counters(const struct broker *broker, struct broker_counters *out); /* any thread */

#endif
