/* txns.h - the transaction coordinator: every transactional id with the producer that has it, and
 * the transaction that is open, in __transaction_state, which is written before anything is
 * promised.
 *
 *             partitions are added              EndTxn, a newer producer, or the time-out
 *   EMPTY ------------------------> ONGOING ---------------------------------> PREPARE_COMMIT
 *     ^   COMPLETE_* likewise                                                  or PREPARE_ABORT
 *     |                                                                             |
 *     +--- InitProducerId ---- COMPLETE_COMMIT or COMPLETE_ABORT <------------------+
 *                                                       a marker is durable in each partition
 *
 * A prepared end is durable before the first marker is written, and is carried out whatever
 * happens: after a crash the markers are written again (a second one changes nothing). EndTxn is
 * answered when all markers are durable, so what it committed is shown by then. One change of an id
 * is under way at a time; a request that comes meanwhile waits and is then looked at, so nobody is
 * told CONCURRENT_TRANSACTIONS.
 *
 * A producer may write to a partition within a transaction only while the coordinator knows it as
 * part of it (txns_check_write), so no record can arrive behind its transaction's end and stay
 * open for ever.
 *
 * What it does not do: the second version of the protocol (KIP-890's transaction.version 2), which
 * is not announced. Rules and error codes: Apache Kafka's transaction coordinator, KIP-98, 360,
 * 447, 588 and the checks of 890. Owner thread: the loop's.
 */
#ifndef LEAT_BROKER_TXNS_H
#define LEAT_BROKER_TXNS_H

#include "broker/groups.h"

#define TXNS_TOPIC            "__transaction_state" /* is_internal_topic() */
#define TXNS_MAX              10000
#define TXNS_MEMORY_MAX       (UINT64_C(64) << 20)
#define TXN_ID_MAX_BYTES      1024
#define TXN_TIMEOUT_MAX_MS    900000             /* transaction.max.timeout.ms */
#define TXN_EXPIRY_MS         INT64_C(604800000) /* transactional.id.expiration.ms: 7 days */
#define TXN_SWEEP_INTERVAL_US INT64_C(3600000000)
#define TXN_RETRY_US          INT64_C(500000) /* a marker could not be written */

enum txn_state { /* Kafka's numbers in __transaction_state */
                 TXN_EMPTY,
                 TXN_ONGOING,
                 TXN_PREPARE_COMMIT,
                 TXN_PREPARE_ABORT,
                 TXN_COMPLETE_COMMIT,
                 TXN_COMPLETE_ABORT,
                 TXN_STATE_COUNT
};

struct txn_partition {
    struct str topic; /* its own */
    int32_t index;
    /* while the transaction ends */
    enum { MARK_TODO, MARK_WRITTEN, MARK_DONE } mark;
    bool in_groups; /* the marker goes through the groups' log, which tells when it is durable */
    bool failed;    /* no marker can be made durable here before the next start */
    struct log_partition *partition; /* WRITTEN: a reference */
    int64_t next_offset;
    struct txns *txns;
};

struct txn_data { /* what a record of the topic says */
    int64_t producer_id;
    int16_t epoch;      /* -1: none was given yet */
    int16_t last_epoch; /* before it, when the producer itself asked for a new one; -1. Not kept */
    int64_t last_producer_id; /* likewise, when the epochs were used up */
    int32_t timeout_ms;
    enum txn_state state;
    int64_t start_ms, update_ms;      /* wall time; start -1: none */
    struct txn_partition *partitions; /* sorted */
    uint32_t partition_count, partition_room;
};

struct txn {
    struct txns *txns;
    struct str id;
    struct txn_data data, next; /* next: while changing */
    bool changing;
    struct state_write write; /* of the change */
    bool ending;              /* markers are being written, */
    bool stuck;               /* and one cannot be made durable before the next start */
    struct txn *next_ending;
    int64_t due_us;    /* an ONGOING one is aborted then; INT64_MAX */
    struct call *call; /* that asked for the change; NULL: nobody, or gone */
    void (*settle)(struct call *call, int16_t error_code); /* complete its response */
    void (*again)(struct call *call); /* or, when an end is prepared, look at it after that */
    struct call_list waiting;
};

struct txns {
    struct broker *broker;
    struct mem_owner owner;
    struct state_log log;
    struct txn **items; /* sorted by id */
    uint32_t count, room;
    struct txn *ending;
    struct loop_timer timer; /* never later than what is due next */
    struct call_list done;
    bool finishing;
    bool groups_wrote; /* the groups' log has a marker of ours to append */
    int64_t warned_us;
};

enum status txns_open(struct broker *broker, struct error *err) STATUS_CHECKED;
/* Carry out the ends that were prepared. After groups_open. */
void txns_resume(struct broker *broker);
void txns_refuse_waiting(struct broker *broker);      /* the broker closes: nobody waits any more */
void txns_close(struct broker *broker);               /* no session is left; before groups_close */
bool txns_is_busy(const struct broker *broker);       /* a job of ours is on the pool */
bool txns_is_waited_for(const struct broker *broker); /* somebody wants the disk */
void txns_synced(struct broker *broker);              /* a commit round has ended */
/* May this producer write to the partition as part of its transaction? KAFKA_NONE; else the code
 * for Produce, or for TxnOffsetCommit. */
int16_t txns_check_write(struct broker *broker, struct str id, int64_t producer_id, int16_t epoch,
                         struct str topic, int32_t partition_index);

struct txns *txns_enter(struct broker *broker);
void txns_leave(struct txns *txns); /* answers, too */
void txns_drop(struct call *call);  /* handler.drop of all calls that may wait here */
/* ---- between the two ---- */
struct txn *txns_find(struct txns *txns, struct str id); /* NULL: none */
struct txn *txns_make(struct txns *txns, struct str id); /* found or made; NULL: no room, said */
void txns_remove(struct txn *txn);
void txns_done(struct txns *txns, struct call *call); /* its response is there */
bool txn_is_busy(const struct txn *txn);
/* KAFKA_NONE; else nothing can be asked of it (NULL: nor of any) before the next start. */
int16_t txn_refusal(const struct txns *txns, const struct txn *txn);
/* again() is called once it is not busy. */
void txn_wait(struct txn *txn, struct call *call, void (*again)(struct call *call));
void txn_wake(struct txn *txn);                   /* it may not be busy any more, or is stuck */
const char *txn_state_text(enum txn_state state); /* as Kafka's tools show it */
/* When an ONGOING one, begun at data.start_ms, has to be aborted. */
void txn_set_due(struct txn *txn);
void txns_retry_later(struct txns *txns); /* txn_ends_retry */

/* ---- txn_log.c ---- */

/* Begin a change: `next` is a copy of the data. False: no memory. */
bool txn_change(struct txn *txn);
bool txn_add_partition(struct txns *txns, struct txn_data *data, struct str topic, int32_t index);
bool txn_has_partition(const struct txn_data *data, struct str topic, int32_t index);
void txn_clear_partitions(struct txns *txns, struct txn_data *data);
void txn_change_drop(struct txn *txn); /* instead of the submit */
/* Write it; once it is durable `next` becomes the data. Then the call is answered through settle
 * or, when that was a prepared end, waits for it and is looked at by again(). A change that cannot
 * be written is dropped, and the call answered with the error. call NULL: nobody asked. */
void txn_change_submit(struct txn *txn, struct call *call,
                       void (*settle)(struct call *call, int16_t error_code),
                       void (*again)(struct call *call));
/* The change that aborts an ongoing transaction and fences its producer. KAFKA_NONE: submitted. */
int16_t txn_fence(struct txn *txn, struct call *call,
                  void (*settle)(struct call *call, int16_t error_code),
                  void (*again)(struct call *call));
/* Write the data as it is (tombstone: that the id is forgotten); nobody is told. */
void txn_log_note(struct txn *txn, bool tombstone);
void txn_log_abandon(struct txns *txns); /* at the close */
extern const struct state_log_ops TXN_LOG_OPS;

/* ---- txn_end.c ---- */

void txn_end_begin(struct txn *txn);      /* its end is prepared: write the markers */
bool txn_ends_advance(struct txns *txns); /* look which are durable; true: one is complete */
bool txn_ends_retry(struct txns *txns);   /* true: some marker has still to be written */
void txn_ends_abandon(struct txns *txns); /* at the close: the next start ends them */

#endif
