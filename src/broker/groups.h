/* groups.h - the group coordinator: all groups of a broker, their timers, and their topic
 * __consumer_offsets, in which everything that must outlive the process is written first
 * (state_log.h).
 *
 *   handler -> groups_enter -> group.c decides -> ops: answers, writes -> groups_leave
 *
 * Threads: the loop's, and under the lock any that asks (broker_groups). Between groups_enter and
 * groups_leave no call is finished, as that runs other requests: they gather in `done`.
 */
#ifndef LEAT_BROKER_GROUPS_H
#define LEAT_BROKER_GROUPS_H

#include "broker/group_pending.h"
#include "broker/group_record.h"
#include "broker/state_log.h"

#define GROUPS_TOPIC        "__consumer_offsets" /* is_internal_topic() */
#define GROUPS_MAX          10000
#define GROUPS_MEMORY_MAX   (UINT64_C(256) << 20)
#define OFFSET_METADATA_MAX 4096 /* offset.metadata.max.bytes */

struct groups;

struct group_entry {
    struct groups *groups;
    struct group *group;
    struct loop_timer timer; /* never later than the group's next deadline */
};

typedef void (*group_marked_fn)(void *context, int16_t error_code);

struct group_write {
    struct state_write base;
    struct group_writer writer; /* until it is submitted */
    struct str group_id;
    bool is_store; /* group_stored() is told */
    int32_t generation;
    struct call *call; /* to be answered; NULL: nobody, or gone */
    void (*settle)(struct call *call, int16_t error_code); /* complete its response */
    group_marked_fn marked;                                /* NULL: it is no marker */
    void *marked_context;
};

struct groups {
    struct broker *broker;
    struct mutex lock;
    struct mem_owner owner;
    struct group_env env;
    int64_t retention_ms;
    struct group_entry **items; /* sorted by id */
    uint32_t count, room;
    struct state_log log;
    struct group_pending *pending; /* offsets of open transactions */
    struct call_list done;
    bool finishing;
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

extern const struct state_log_ops GROUP_LOG_OPS;
/* A batch to be filled through ->writer. NULL: no memory. */
struct group_write *group_log_begin(struct groups *groups, struct str group_id);
/* Takes it. The result, a failure too, comes through ->settle and group_stored(). */
void group_log_submit(struct groups *groups, struct group_write *write);
/* The marker that ends a producer's transaction; marked() is called when it is durable and what it
 * means is done, or with an error. False: no memory. */
bool group_log_mark(struct groups *groups, int64_t producer_id, int16_t epoch,
                    enum record_marker marker, group_marked_fn marked, void *context);
void group_log_abandon(struct groups *groups); /* at the close */

#endif
