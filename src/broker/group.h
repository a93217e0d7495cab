/* group.h - one consumer group as a state machine (Kafka's classic protocol): who its members are,
 * which generation holds, who waits for what. README.md draws it.
 *
 * What it does not do: sockets, requests, timers, the log. Time is what env says; answers leave
 * through env->ops; what must be durable is asked for through ops->store and told by
 * group_stored(). So a test drives it with a clock of its own. Committed offsets hang on a group
 * but belong to group_offsets.h.
 *
 * Invariants: a member id is in a group once; at most one member has an instance id; in COMPLETING
 * and STABLE all members have been told the generation or are static ones that keep their
 * assignment; an assignment is given out only in the generation for which the leader has sent it
 * and after it was stored.
 *
 * Rules and error codes: Apache Kafka's group coordinator, KIP-62, 134, 345, 394, 559, 814.
 */
#ifndef LEAT_BROKER_GROUP_H
#define LEAT_BROKER_GROUP_H

#include "base/mem.h"
#include "base/str.h"
#include "kafka/api.h"

#define GROUP_TEXT_MAX_BYTES 1024 /* of an id or a name that a client gives */
#define GROUP_PROTOCOLS_MAX  64   /* of a member */
#define GROUP_UUID_TEXT      37   /* 36 characters and a NUL */

enum group_state { GROUP_EMPTY, GROUP_PREPARING, GROUP_COMPLETING, GROUP_STABLE };

struct group;
struct group_offsets;

struct group_protocol {
    struct str name;
    struct str metadata; /* bytes: a consumer's subscription */
};

struct group_member {
    struct group_member *next; /* in the order of joining */
    struct str id;
    struct str instance_id; /* data NULL: a dynamic member */
    struct str client_id, client_host;
    int32_t session_timeout_ms, rebalance_timeout_ms;
    struct group_protocol *protocols; /* in the order of preference */
    uint32_t protocol_count;
    struct str assignment;
    int64_t due_ms; /* end of the session; INT64_MAX: it waits, which keeps it alive */
    bool is_new;    /* has never been told a generation */
    bool awaiting_join, awaiting_sync;
    bool sync_missing;               /* has not asked for its assignment in this generation */
    bool skip_version;               /* the waiting JoinGroup understands skip_assignment */
    void *join_waiter, *sync_waiter; /* whom ops is told to answer; NULL: gone */
};

/* ---- what a group asks for; none of these may call the group ---- */

struct group_joined {
    int16_t error_code;
    int32_t generation;
    struct str protocol_type, protocol_name, leader_id, member_id;
    bool skip_assignment;
    bool with_members; /* the leader's answer lists the group's members */
};
struct group_synced {
    int16_t error_code;
    struct str protocol_type, protocol_name, assignment;
};
struct group_ops {
    /* waiter is not NULL and is not used again. */
    void (*joined)(struct group *group, void *waiter, const struct group_joined *answer);
    void (*synced)(struct group *group, void *waiter, const struct group_synced *answer);
    /* Write the group as it is now. KAFKA_NONE: group_stored() will follow, or (from a test)
     * anything else: it failed. */
    int16_t (*store)(struct group *group);
};

struct group_env { /* shared by a broker's groups; the caller keeps the times right */
    const struct group_ops *ops;
    struct mem_owner *owner;
    int64_t now_ms;           /* monotonic */
    int64_t wall_ms;          /* since 1970 */
    int64_t initial_delay_ms; /* group.initial.rebalance.delay.ms */
    int64_t min_session_ms, max_session_ms;
    uint32_t max_members; /* group.max.size */
};

struct group {
    struct group_env *env;
    void *context; /* the owner's */
    struct str id;
    enum group_state state;
    bool initial;      /* PREPARING out of EMPTY: waits for more members */
    bool member_added; /* during the initial delay */
    bool stored;       /* the log has a record of it */
    int32_t generation;
    int64_t state_ms;                       /* wall time of the last change of state; -1: unknown */
    struct str protocol_type;               /* data NULL: none, offsets only */
    struct str protocol_name;               /* data NULL: none yet */
    struct group_member *leader;            /* NULL: none */
    struct group_member *members, *pending; /* pending: was given an id, has not joined with it */
    uint32_t member_count, pending_count, awaiting_join_count;
    int64_t join_due_ms, sync_due_ms; /* INT64_MAX: none */
    int64_t delay_ms, delay_left_ms;  /* of the initial delay */
    struct group_offsets *offsets;    /* NULL: none */
};

/* NULL: no memory or over the owner's budget. */
struct group *group_new(struct group_env *env, struct str id);
void group_free(struct group *group); /* no waiter may be left; offsets are the owner's business */

/* ---- requests ---- */

struct group_join {
    void *waiter;
    struct str member_id; /* empty: a new member */
    struct str instance_id;
    struct str client_id, client_host;
    struct str protocol_type;
    const struct group_protocol *protocols;
    uint32_t protocol_count;
    int32_t session_timeout_ms, rebalance_timeout_ms;
    bool id_required; /* KIP-394: a new dynamic member is first given its id */
    bool skip_version;
    const char *uuid; /* a new one, for a member id */
};
void group_join(struct group *group, const struct group_join *join);

struct group_assignment {
    struct str member_id;
    struct str assignment;
};
struct group_sync {
    void *waiter;
    struct str member_id, instance_id, protocol_type, protocol_name;
    int32_t generation;
    const struct group_assignment *assignments;
    uint32_t assignment_count;
};
void group_sync(struct group *group, const struct group_sync *sync);

/* These return the error code. */
int16_t group_heartbeat(struct group *group, struct str member_id, struct str instance_id,
                        int32_t generation);
/* One member of a LeaveGroup; group_left() after the last one. */
int16_t group_leave(struct group *group, struct str member_id, struct str instance_id);
void group_left(struct group *group);
/* May this member commit offsets? It is also a sign of life. */
int16_t group_commit_check(struct group *group, struct str member_id, struct str instance_id,
                           int32_t generation);

/* What ops->store wrote in this generation is durable, or (error_code) never will be. */
void group_stored(struct group *group, int32_t generation, int16_t error_code);
/* All that is due at env->now_ms. */
void group_tick(struct group *group);
int64_t group_due_ms(const struct group *group); /* INT64_MAX: nothing is */
/* The one who waits has gone: its member stays, nobody is answered. */
void group_forget(struct group *group, const void *waiter);
/* Answer all who wait with an error; members stay. */
void group_refuse_waiting(struct group *group, int16_t error_code);

/* ---- loading ---- */

/* A member as the log has it; ERR_MEMORY and ERR_BUDGET leave the group without it. */
enum status group_restore_member(struct group *group,
                                 const struct kafka_group_metadata_member *from,
                                 struct error *err) STATUS_CHECKED;
/* The rest of the record, after its members were restored. */
enum status group_restore(struct group *group, const struct kafka_group_metadata_value *from,
                          struct error *err) STATUS_CHECKED;

/* ---- asking ---- */

const char *group_state_text(enum group_state state);
struct group_member *group_find_member(const struct group *group, struct str member_id);
/* The member's metadata for the group's protocol; empty when there is none. */
struct str group_member_metadata(const struct group *group, const struct group_member *member);
/* A member of the group (of consumers) reads this topic; true also when that cannot be told. */
bool group_is_subscribed(const struct group *group, struct str topic);
bool group_is_consumer(const struct group *group); /* its protocol type is "consumer" */

/* ---- memory of the owner: for the files of the group ---- */

void *group_alloc(struct mem_owner *owner, size_t size_bytes); /* zeroed; NULL: none */
void group_release(struct mem_owner *owner, void *block);      /* NULL is fine */
/* False: no memory. *dest must be released before. data NULL stays NULL; else a NUL follows. */
bool group_text_copy(struct mem_owner *owner, struct str *dest, struct str from);
void group_text_release(struct mem_owner *owner, struct str *text);

#endif
