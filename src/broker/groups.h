/* groups.h - the group coordinator: all groups of a broker, their timers, and their topic
 * __consumer_offsets, in which everything that must outlive the process is written first.
 *
 *   handler -> groups_enter -> group.c decides -> ops: answers, writes -> groups_leave
 *   write: queued -> appended -> durable (a commit round) -> replayed into memory -> answered
 *
 * What memory holds of offsets is what the log has made durable, by the same function that loads it
 * at the start (group_log_replay), so nobody is shown an offset that a power cut can take back.
 * The topic does not grow for ever: once superseded records dominate, all that is live is written
 * anew (with no write under way, so nothing older can win), and when that is durable the log start
 * moves up to it.
 *
 * Threads: the loop's, and under the lock any that asks (broker_groups). Between groups_enter and
 * groups_leave no call is finished, as that runs other requests: they gather in `done`.
 */
#ifndef LEAT_BROKER_GROUPS_H
#define LEAT_BROKER_GROUPS_H

#include "broker/broker_int.h"
#include "broker/group_record.h"

#define GROUPS_TOPIC          "__consumer_offsets" /* is_internal_topic() */
#define GROUPS_MAX            10000
#define GROUPS_MEMORY_MAX     (UINT64_C(256) << 20)
#define OFFSET_METADATA_MAX   4096 /* offset.metadata.max.bytes */
#define GROUP_BATCH_MAX_BYTES (16u << 20)
#define SNAPSHOT_MIN_BYTES    (4u << 20) /* written since the last one */
#define SNAPSHOT_LIVE_FACTOR  4          /* and so many times what was live */
#define SNAPSHOT_BATCH_BYTES  (512u << 10)

struct groups;

struct group_entry {
    struct groups *groups;
    struct group *group;
    struct loop_timer timer; /* never later than the group's next deadline */
};

struct group_write { /* one record batch on its way into the log */
    struct group_write *next;
    struct buf batch;
    struct group_writer writer; /* until it is submitted */
    bool appended;
    int16_t error_code;
    size_t reserved_bytes; /* of the owner, for the batch */
    int64_t next_offset;
    struct str group_id;
    bool is_store; /* group_stored() is told */
    int32_t generation;
    struct call *call; /* to be answered; NULL: nobody, or gone */
    void (*settle)(struct call *call, int16_t error_code); /* complete its response */
};

struct groups {
    struct broker *broker;
    struct mutex lock;
    struct mem_owner owner;
    struct group_env env;
    int64_t retention_ms;
    struct group_entry **items; /* sorted by id */
    uint32_t count, room;
    struct log_topic *topic; /* NULL: not made yet */
    struct log_partition *partition;
    struct group_write *writes, **writes_tail; /* in the order of the log */
    struct call_list done;
    bool finishing;

    uint64_t written_bytes;      /* since the last snapshot */
    uint64_t live_bytes;         /* of the last snapshot */
    uint64_t snapshot_min_bytes; /* SNAPSHOT_MIN_BYTES, but for tests */
    bool snapshot_wanted;
    int64_t trim_to, trim_after; /* the log start moves to trim_to once trim_after is durable */
    bool trimming;
    struct io_job trim_job;
    struct loop_message trim_done;
    struct loop_timer sweep_timer; /* expired offsets */
    int64_t warned_us;
};

enum status groups_open(struct broker *broker, const struct broker_settings *settings,
                        struct error *err) STATUS_CHECKED;
void groups_close(struct broker *broker); /* no session is left */

struct groups *groups_enter(struct broker *broker);
void groups_leave(struct groups *groups);
/* ---- between the two ---- */
struct group_entry *groups_find(struct groups *groups, struct str id); /* NULL: none */
/* Found or made. NULL: too many, or no memory; said in the log. */
struct group_entry *groups_make(struct groups *groups, struct str id);
/* After whatever may have changed deadlines: arms the timer, drops a group that is nothing. */
void groups_touch(struct group_entry *entry);
void groups_remove(struct group_entry *entry);
void groups_done(struct groups *groups, struct call *call); /* its response is there */
/* A topic's id now; false: it is not there, or is another one than `known` (all zero: any). */
bool groups_topic_alive(struct groups *groups, struct str name, const struct kafka_uuid *known,
                        struct kafka_uuid *out_id);
/* No new requests are waited with; those that wait are answered. */
void groups_refuse_waiting(struct broker *broker);
bool groups_is_busy(const struct broker *broker);       /* a job of ours is on the pool */
bool groups_is_waited_for(const struct broker *broker); /* somebody wants the disk */
void groups_synced(struct broker *broker);              /* a commit round has ended */
void groups_drop(struct call *call); /* handler.drop of all calls that may wait here */

/* membership.c: fill the response of a call that waited. */
void membership_joined(struct call *call, const struct group *group,
                       const struct group_joined *answer);
void membership_synced(struct call *call, const struct group_synced *answer);
/* False: an id that no group may have (empty or too long). */
bool groups_id_valid(struct str id);

/* ---- group_log.c ---- */

/* The topic, made where it is missing; any thread, waits for the disk. */
enum status group_log_make_topic(struct broker *broker, struct error *err) STATUS_CHECKED;
bool group_log_ready(struct groups *groups); /* the topic is there */
enum status group_log_load(struct groups *groups, struct error *err) STATUS_CHECKED;
/* A batch to be filled through ->writer. NULL: no memory. */
struct group_write *group_log_begin(struct groups *groups, struct str group_id);
/* Takes it. The result, a failure too, comes through ->settle and group_stored(). */
void group_log_submit(struct groups *groups, struct group_write *write);
void group_log_advance(struct groups *groups); /* groups_leave does */
void group_log_abandon(struct groups *groups); /* at the close */

#endif
