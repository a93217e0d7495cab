/* state_log.h - a topic of one partition that is the broker's memory of something: what must
 * outlive the process is written there first, read back at the start, and kept short.
 *
 *   write: queued -> appended -> durable (a commit round) -> applied to memory -> answered
 *
 * What memory holds is what the log has made durable, by the same function that loads it, so nobody
 * is shown what a power cut can take back. The topic does not grow for ever: once superseded
 * records dominate, all that is live is written anew (with no write under way, so nothing older can
 * win), and when that is durable the log start moves up to it. A crash in between leaves both,
 * which is the same.
 *
 * Threads: the loop's, or whoever has the owner's lock; moving the log start is done on the pool.
 */
#ifndef LEAT_BROKER_STATE_LOG_H
#define LEAT_BROKER_STATE_LOG_H

#include "broker/broker_int.h"

#define STATE_BATCH_MAX_BYTES  (16u << 20)
#define STATE_RECORD_ARENA_MAX (32u << 20)
#define SNAPSHOT_MIN_BYTES     (4u << 20) /* written since the last one */
#define SNAPSHOT_LIVE_FACTOR   4          /* and so many times what was live */
#define SNAPSHOT_BATCH_BYTES   (512u << 10)

struct state_log;

struct state_write { /* one record batch on its way into the log; the owner's memory */
    struct state_write *next;
    struct buf batch;
    bool appended;
    int16_t error_code; /* KAFKA_NONE until it has failed */
    size_t reserved_bytes;
    int64_t next_offset;
    /* It is durable and was replayed, or (error_code) never will be. Takes the write back. */
    void (*settled)(struct state_log *log, struct state_write *write);
};

struct state_log_ops {
    /* A batch's meaning into memory; loading: at the start. Errors but memory are reported and the
     * batch left out. */
    enum status (*replay)(struct state_log *log, const struct record_batch *batch, bool loading,
                          struct error *err);
    /* Give all that is live to state_log_put, in batches. */
    enum status (*snapshot)(struct state_log *log, struct error *err);
};

struct state_log {
    struct broker *broker;
    const struct state_log_ops *ops;
    const char *name;        /* of the topic */
    struct mem_owner *owner; /* of batches under way */
    struct log_topic *topic; /* NULL: not made yet */
    struct log_partition *partition;
    struct state_write *writes, **writes_tail; /* in the order of the log */

    uint64_t written_bytes;      /* since the last snapshot */
    uint64_t live_bytes;         /* of the last snapshot */
    uint64_t snapshot_min_bytes; /* SNAPSHOT_MIN_BYTES, but for tests */
    bool snapshot_wanted;
    int64_t trim_to, trim_after; /* the log start moves to trim_to once trim_after is durable */
    bool trimming;
    struct io_job trim_job;
    struct loop_message trim_done;
    int64_t warned_us;
};

void state_log_init(struct state_log *log, struct broker *broker, const char *name,
                    const struct state_log_ops *ops, struct mem_owner *owner);
void state_log_fini(struct state_log *log); /* no write is left, nothing on the pool */

/* The topic, made where it is missing; any thread, waits for the disk. */
enum status state_log_make_topic(struct broker *broker, const char *name,
                                 struct error *err) STATUS_CHECKED;
bool state_log_ready(struct state_log *log); /* the topic is there */
/* All that the topic has through replay. Only memory and the disk end it. */
enum status state_log_load(struct state_log *log, struct error *err) STATUS_CHECKED;

/* Queue it: a whole batch, or one with an error_code already. settled() will be called, from
 * state_log_advance. */
void state_log_submit(struct state_log *log, struct state_write *write);
/* Append what is queued, settle what is durable, shorten the topic where due. */
void state_log_advance(struct state_log *log);
/* The next write that will never settle, at the close; NULL: none is left. */
struct state_write *state_log_abandon(struct state_log *log);
void state_write_fini(struct state_log *log, struct state_write *write); /* batch and its memory */

/* From ops->replay: each record of the batch. arena: for what each() makes of one, to be reset by
 * it. The first error ends it. */
enum status state_log_records(struct state_log *log, const struct record_batch *batch, bool loading,
                              enum status (*each)(struct state_log *log,
                                                  const struct record_batch *batch,
                                                  const struct record *record, bool loading,
                                                  struct arena *arena, struct error *err),
                              struct error *err) STATUS_CHECKED;

/* From ops->snapshot: one whole batch; cleared afterwards. */
enum status state_log_put(struct state_log *log, struct buf *batch,
                          struct error *err) STATUS_CHECKED;

#endif
