/* group.c - the rules of a consumer group: joining, the rebalance, leaving, time running out. */
#include "broker/group.h"

#include <stdio.h>

#include "base/must.h"
#include "broker/group_int.h"
#include "os/logger.h"

#define NEVER INT64_MAX
#define NEW_MEMBER_JOIN_MS                                                                         \
    INT64_C(300000) /* a new member's JoinGroup is not answered for longer                         \
                     */

struct group *group_new(struct group_env *env, struct str id)
{
    struct group *group = group_alloc(env->owner, sizeof(*group));
    if (!group)
        return NULL;
    *group = (struct group){
        .env = env,
        .state_ms = env->wall_ms,
        .join_due_ms = NEVER,
        .sync_due_ms = NEVER,
    };
    if (group_text_copy(env->owner, &group->id, id))
        return group;
    group_release(env->owner, group);
    return NULL;
}

void group_free(struct group *group)
{
    struct mem_owner *owner = group->env->owner;
    struct group_member *member;
    while ((member = group->members)) {
        group->members = member->next;
        member_free(group, member);
    }
    while ((member = group->pending)) {
        group->pending = member->next;
        member_free(group, member);
    }
    group_text_release(owner, &group->id);
    group_text_release(owner, &group->protocol_type);
    group_text_release(owner, &group->protocol_name);
    group_release(owner, group);
}

const char *group_state_text(enum group_state state)
{
    static const char *const texts[] = {
        [GROUP_EMPTY] = "Empty",
        [GROUP_PREPARING] = "PreparingRebalance",
        [GROUP_COMPLETING] = "CompletingRebalance",
        [GROUP_STABLE] = "Stable",
    };
    return texts[state];
}

static void set_state(struct group *group, enum group_state state)
{
    group->state = state;
    group->state_ms = group->env->wall_ms;
}

/* ---- answers ---- */

static void join_waits(struct group *group, struct group_member *member,
                       const struct group_join *join)
{
    if (!member->awaiting_join)
        group->awaiting_join_count++;
    member->awaiting_join = true;
    member->join_waiter = join->waiter;
    member->skip_version = join->skip_version;
}

static void join_answer(struct group *group, struct group_member *member,
                        const struct group_joined *answer)
{
    if (!member->awaiting_join)
        return;
    void *waiter = member->join_waiter;
    member->awaiting_join = false;
    member->join_waiter = NULL;
    group->awaiting_join_count--;
    if (waiter)
        group->env->ops->joined(group, waiter, answer);
}

static void join_refuse(struct group *group, void *waiter, struct str member_id, int16_t code)
{
    struct group_joined answer = {
        .error_code = code, .generation = -1, .leader_id = STR(""), .member_id = member_id};
    group->env->ops->joined(group, waiter, &answer);
}

/* The present generation, as a member is told it. */
static struct group_joined join_success(const struct group *group,
                                        const struct group_member *member)
{
    return (struct group_joined){
        .generation = group->generation,
        .protocol_type = group->protocol_type,
        .protocol_name = group->protocol_name,
        .leader_id = group->leader->id,
        .member_id = member->id,
        .with_members = member == group->leader,
    };
}

/* True: it waited. */
static bool sync_answer(struct group *group, struct group_member *member, int16_t code)
{
    if (!member->awaiting_sync)
        return false;
    void *waiter = member->sync_waiter;
    member->awaiting_sync = false;
    member->sync_waiter = NULL;
    struct group_synced answer = {.error_code = code};
    if (code == KAFKA_NONE) {
        answer.protocol_type = group->protocol_type;
        answer.protocol_name = group->protocol_name;
        answer.assignment = member->assignment;
    }
    if (waiter)
        group->env->ops->synced(group, waiter, &answer);
    return true;
}

static void alive(struct group *group, struct group_member *member)
{
    member->due_ms = group->env->now_ms + member->session_timeout_ms;
}

/* Tell all who wait for their assignment; the others of this generation get it when they ask. */
static void assignments_answer(struct group *group, int16_t code)
{
    for (struct group_member *member = group->members; member; member = member->next)
        if (sync_answer(group, member, code))
            alive(group, member);
}

static void assignments_reset(struct group *group, int16_t code)
{
    for (struct group_member *member = group->members; member; member = member->next)
        group_text_release(group->env->owner, &member->assignment);
    assignments_answer(group, code);
}

/* ---- members ---- */

static int64_t rebalance_timeout_ms(const struct group *group)
{
    int64_t longest_ms = 0;
    for (const struct group_member *member = group->members; member; member = member->next)
        if (member->rebalance_timeout_ms > longest_ms)
            longest_ms = member->rebalance_timeout_ms;
    return longest_ms;
}

static bool all_joined(const struct group *group)
{
    return group->member_count == group->awaiting_join_count && group->pending_count == 0;
}

/* Its waiting JoinGroup is told UNKNOWN_MEMBER_ID, after which a living client joins anew. */
static void member_remove(struct group *group, struct group_member *member)
{
    struct group_joined gone = {.error_code = KAFKA_UNKNOWN_MEMBER_ID,
                                .generation = -1,
                                .leader_id = STR(""),
                                .member_id = STR("")};
    join_answer(group, member, &gone);
    sync_answer(group, member, KAFKA_UNKNOWN_MEMBER_ID);
    member_unlink(&group->members, member);
    group->member_count--;
    if (group->leader == member)
        group->leader = group->members;
    member_free(group, member);
}

static void pending_remove(struct group *group, struct group_member *member)
{
    member_unlink(&group->pending, member);
    group->pending_count--;
    member_free(group, member);
}

/* Sessions' members, whom a request claims to be from: KAFKA_NONE or why not. */
static int16_t member_check(const struct group *group, struct str member_id, struct str instance_id,
                            struct group_member **out)
{
    *out = group_find_member(group, member_id);
    if (instance_id.data) {
        const struct group_member *owner = group_find_instance(group, instance_id);
        if (!owner)
            return KAFKA_UNKNOWN_MEMBER_ID;
        if (!str_eq(owner->id, member_id))
            return KAFKA_FENCED_INSTANCE_ID;
    }
    return *out ? KAFKA_NONE : KAFKA_UNKNOWN_MEMBER_ID;
}

/* ---- the rebalance ---- */

/* A leader that has joined; false: nobody has. */
static bool leader_elect(struct group *group)
{
    if (!group->leader || group->leader->awaiting_join)
        return group->leader != NULL;
    for (struct group_member *member = group->members; member; member = member->next)
        if (member->awaiting_join) {
            group->leader = member;
            return true;
        }
    return false;
}

static bool protocol_choose(struct group *group)
{
    struct str chosen = group_select_protocol(group), copy;
    if (!group_text_copy(group->env->owner, &copy, chosen))
        return false;
    group_text_release(group->env->owner, &group->protocol_name);
    group->protocol_name = copy;
    return true;
}

static void generation_begin(struct group *group)
{
    group->generation = group->generation == INT32_MAX ? 1 : group->generation + 1;
    group->initial = false;
    if (!group->members) {
        group_text_release(group->env->owner, &group->protocol_name);
        set_state(group, GROUP_EMPTY);
        group->stored |= group->env->ops->store(group) == KAFKA_NONE;
        return;
    }
    set_state(group, GROUP_COMPLETING);
    for (struct group_member *member = group->members; member; member = member->next) {
        struct group_joined answer = join_success(group, member);
        join_answer(group, member, &answer);
        alive(group, member);
        member->is_new = false;
        member->sync_missing = true;
    }
    group->sync_due_ms = group->env->now_ms + rebalance_timeout_ms(group);
}

/* Everybody has joined, or the time for it is over: dynamic members that have not are out. */
static void join_complete(struct group *group)
{
    group->join_due_ms = NEVER;
    for (struct group_member *member = group->members, *next; member; member = next) {
        next = member->next;
        if (!member->awaiting_join && !member->instance_id.data)
            member_remove(group, member);
    }
    if ((!leader_elect(group) || !protocol_choose(group)) && group->members) {
        /* only static members that are away (or no memory): wait for their sessions to end */
        group->join_due_ms = group->env->now_ms + rebalance_timeout_ms(group);
        return;
    }
    generation_begin(group);
}

static void rebalance_begin(struct group *group)
{
    if (group->state == GROUP_COMPLETING)
        assignments_reset(group, KAFKA_REBALANCE_IN_PROGRESS);
    group->sync_due_ms = NEVER;
    for (struct group_member *member = group->members; member; member = member->next)
        member->sync_missing = false;
    group->initial = group->state == GROUP_EMPTY;
    set_state(group, GROUP_PREPARING);
    if (group->initial) {
        group->delay_ms = group->env->initial_delay_ms;
        group->delay_left_ms = rebalance_timeout_ms(group) - group->delay_ms;
        group->join_due_ms = group->env->now_ms + group->delay_ms;
    } else if (all_joined(group)) {
        join_complete(group);
    } else {
        group->join_due_ms = group->env->now_ms + rebalance_timeout_ms(group);
    }
}

static void join_maybe_complete(struct group *group)
{
    if (group->state == GROUP_PREPARING && !group->initial && all_joined(group))
        join_complete(group);
}

static void rebalance_or_complete(struct group *group)
{
    if (group->state == GROUP_PREPARING)
        join_maybe_complete(group);
    else
        rebalance_begin(group);
}

/* ---- JoinGroup ---- */

static bool has_room(const struct group *group, const struct group_member *member,
                     const struct group_member *pending)
{
    if (!member && !pending && group->pending_count >= group->env->max_members)
        return false; /* who asks for ids and never comes back does not fill the memory */
    switch (group->state) {
    case GROUP_EMPTY:
        return true;
    case GROUP_PREPARING:
        return (member && member->awaiting_join) ||
               group->awaiting_join_count < group->env->max_members;
    default:
        return member || group->member_count < group->env->max_members;
    }
}

static bool protocols_fit(const struct group *group, const struct group_join *join)
{
    if (group->state == GROUP_EMPTY)
        return join->protocol_type.length && join->protocol_count;
    if (!group->protocol_type.data || !str_eq(group->protocol_type, join->protocol_type))
        return false;
    for (uint32_t i = 0; i < join->protocol_count; i++)
        if (group_all_support(group, join->protocols[i].name))
            return true;
    return false;
}

/* What a joining client may change of its member. */
static bool member_update(struct group *group, struct group_member *member,
                          const struct group_join *join)
{
    if (!member_set_protocols(group, member, join->protocols, join->protocol_count))
        return false;
    member->session_timeout_ms = join->session_timeout_ms;
    member->rebalance_timeout_ms =
        join->rebalance_timeout_ms < 0 ? join->session_timeout_ms : join->rebalance_timeout_ms;
    return true;
}

static void no_memory(struct group *group, const struct group_join *join)
{
    logger_write(LOG_WARN, "broker", "no memory for a member of consumer group '%.*s'",
                 (int)group->id.length, group->id.data);
    join_refuse(group, join->waiter, STR(""), KAFKA_COORDINATOR_NOT_AVAILABLE);
}

/* A new member, or one that comes back with the id it was given. */
static void member_add(struct group *group, const struct group_join *join, struct str member_id)
{
    struct group_member *pending = group_find_pending(group, member_id);
    struct group_member *member =
        member_new(group, member_id, join->instance_id, join->client_id, join->client_host);
    struct str type = {NULL, 0};
    if (!member || !member_update(group, member, join) ||
        (!group->members && !group_text_copy(group->env->owner, &type, join->protocol_type))) {
        if (member)
            member_free(group, member);
        no_memory(group, join);
        return;
    }
    if (!group->members) {
        group_text_release(group->env->owner, &group->protocol_type);
        group->protocol_type = type;
    }
    if (pending)
        pending_remove(group, pending);
    member->is_new = true;
    member->due_ms = group->env->now_ms + NEW_MEMBER_JOIN_MS;
    member_append(&group->members, member);
    group->member_count++;
    group->member_added |= group->initial;
    if (!group->leader)
        group->leader = member;
    join_waits(group, member, join);
    rebalance_or_complete(group);
}

/* KIP-394: a client that dies between its two requests leaves no member behind. */
static void member_promise(struct group *group, const struct group_join *join, struct str member_id)
{
    struct group_member *member =
        member_new(group, member_id, (struct str){NULL, 0}, join->client_id, join->client_host);
    if (!member) {
        no_memory(group, join);
        return;
    }
    member->due_ms = group->env->now_ms + join->session_timeout_ms;
    member_append(&group->pending, member);
    group->pending_count++;
    join_refuse(group, join->waiter, member_id, KAFKA_MEMBER_ID_REQUIRED);
}

/* A static member has come back without its id: it gets another one, who had the old is fenced. In
 * a stable group whose protocol stays the assignment stays too, and nobody else notices. */
static void member_replace(struct group *group, struct group_member *member,
                           const struct group_join *join, struct str member_id)
{
    struct str copy, old_leader = {NULL, 0};
    struct mem_owner *owner = group->env->owner;
    if (!group_text_copy(owner, &copy, member_id) || !member_update(group, member, join)) {
        group_text_release(owner, &copy);
        no_memory(group, join);
        return;
    }
    struct group_joined fenced = {.error_code = KAFKA_FENCED_INSTANCE_ID,
                                  .generation = -1,
                                  .leader_id = STR(""),
                                  .member_id = member->id};
    join_answer(group, member, &fenced);
    sync_answer(group, member, KAFKA_FENCED_INSTANCE_ID);
    old_leader = member->id;
    member->id = copy;
    alive(group, member);
    join_waits(group, member, join);
    if (group->state == GROUP_STABLE &&
        str_eq(group_select_protocol(group), group->protocol_name)) {
        int16_t code = group->env->ops->store(group);
        if (code != KAFKA_NONE)
            group_stored(group, group->generation, code);
    } else if (group->state == GROUP_STABLE || group->state == GROUP_COMPLETING) {
        rebalance_begin(group);
    } else {
        join_maybe_complete(group);
    }
    group_text_release(owner, &old_leader);
}

static void join_new(struct group *group, const struct group_join *join)
{
    char text[GROUP_TEXT_MAX_BYTES + GROUP_UUID_TEXT + 1];
    struct str prefix = join->instance_id.data ? join->instance_id : join->client_id;
    struct str member_id = {text, 0};
    member_id.length = (size_t)snprintf(text, sizeof(text), "%.*s-%s", (int)prefix.length,
                                        prefix.data ? prefix.data : "", join->uuid);
    struct group_member *same =
        join->instance_id.data ? group_find_instance(group, join->instance_id) : NULL;
    if (same)
        member_replace(group, same, join, member_id);
    else if (join->id_required && !join->instance_id.data)
        member_promise(group, join, member_id);
    else
        member_add(group, join, member_id);
}

static bool same_protocols(const struct group_member *member, const struct group_join *join)
{
    if (member->protocol_count != join->protocol_count)
        return false;
    for (uint32_t i = 0; i < join->protocol_count; i++)
        if (!str_eq(member->protocols[i].name, join->protocols[i].name) ||
            !str_eq(member->protocols[i].metadata, join->protocols[i].metadata))
            return false;
    return true;
}

static void join_again(struct group *group, struct group_member *member,
                       const struct group_join *join)
{
    bool changed = !same_protocols(member, join);
    if (group->state == GROUP_EMPTY) {
        join_refuse(group, join->waiter, join->member_id, KAFKA_UNKNOWN_MEMBER_ID);
        return;
    }
    /* The leader of a stable group rejoins when what it divides has changed. */
    if (group->state == GROUP_PREPARING || changed ||
        (group->state == GROUP_STABLE && member == group->leader)) {
        if (!member_update(group, member, join)) {
            no_memory(group, join);
            return;
        }
        if (member->awaiting_join && member->join_waiter) { /* it asks on another connection */
            void *waiter = member->join_waiter;
            member->join_waiter = NULL;
            join_refuse(group, waiter, join->member_id, KAFKA_REBALANCE_IN_PROGRESS);
        }
        join_waits(group, member, join);
        rebalance_or_complete(group);
        return;
    }
    /* It did not get the answer, or follows in a generation that goes on: the same again. */
    struct group_joined answer = join_success(group, member);
    answer.with_members = group->state == GROUP_COMPLETING && member == group->leader;
    group->env->ops->joined(group, join->waiter, &answer);
}

void group_join(struct group *group, const struct group_join *join)
{
    struct group_member *member = group_find_member(group, join->member_id);
    struct group_member *pending = group_find_pending(group, join->member_id);
    if (!has_room(group, member, pending)) {
        if (member)
            member_remove(group, member);
        if (pending)
            pending_remove(group, pending);
        join_refuse(group, join->waiter, STR(""), KAFKA_GROUP_MAX_SIZE_REACHED);
        join_maybe_complete(group);
    } else if (!protocols_fit(group, join)) {
        join_refuse(group, join->waiter, join->member_id, KAFKA_INCONSISTENT_GROUP_PROTOCOL);
    } else if (join->member_id.length == 0) {
        join_new(group, join);
    } else if (pending) {
        if (join->instance_id.data) /* only dynamic members are given an id first */
            join_refuse(group, join->waiter, join->member_id, KAFKA_UNKNOWN_MEMBER_ID);
        else
            member_add(group, join, join->member_id);
    } else {
        int16_t code = member_check(group, join->member_id, join->instance_id, &member);
        if (code != KAFKA_NONE)
            join_refuse(group, join->waiter, join->member_id, code);
        else
            join_again(group, member, join);
    }
}

/* ---- SyncGroup ---- */

static void sync_refuse(struct group *group, void *waiter, int16_t code)
{
    struct group_synced answer = {.error_code = code};
    group->env->ops->synced(group, waiter, &answer);
}

static bool differs(struct str given, struct str own)
{
    return given.data && own.data && !str_eq(given, own);
}

/* False: no memory. */
static bool assignments_take(struct group *group, const struct group_sync *sync)
{
    for (struct group_member *member = group->members; member; member = member->next)
        group_text_release(group->env->owner, &member->assignment);
    for (uint32_t i = 0; i < sync->assignment_count; i++) {
        struct group_member *member = group_find_member(group, sync->assignments[i].member_id);
        if (member && !member_set_assignment(group, member, sync->assignments[i].assignment))
            return false;
    }
    return true;
}

static void sync_wait(struct group *group, struct group_member *member,
                      const struct group_sync *sync)
{
    if (member->awaiting_sync) /* it asks on another connection */
        sync_answer(group, member, KAFKA_REBALANCE_IN_PROGRESS);
    member->awaiting_sync = true;
    member->sync_waiter = sync->waiter;
    member->sync_missing = false;
    if (member != group->leader)
        return;
    int16_t code = assignments_take(group, sync) ? group->env->ops->store(group)
                                                 : KAFKA_COORDINATOR_NOT_AVAILABLE;
    if (code != KAFKA_NONE)
        group_stored(group, group->generation, code);
}

void group_sync(struct group *group, const struct group_sync *sync)
{
    struct group_member *member;
    int16_t code = member_check(group, sync->member_id, sync->instance_id, &member);
    if (code == KAFKA_NONE && group->state == GROUP_EMPTY)
        code = KAFKA_UNKNOWN_MEMBER_ID;
    if (code == KAFKA_NONE && sync->generation != group->generation)
        code = KAFKA_ILLEGAL_GENERATION;
    if (code == KAFKA_NONE && (differs(sync->protocol_type, group->protocol_type) ||
                               differs(sync->protocol_name, group->protocol_name)))
        code = KAFKA_INCONSISTENT_GROUP_PROTOCOL;
    if (code == KAFKA_NONE && group->state == GROUP_PREPARING)
        code = KAFKA_REBALANCE_IN_PROGRESS;
    if (code != KAFKA_NONE) {
        sync_refuse(group, sync->waiter, code);
        return;
    }
    if (group->state == GROUP_COMPLETING) {
        sync_wait(group, member, sync);
        return;
    }
    member->sync_missing = false;
    struct group_synced answer = {.protocol_type = group->protocol_type,
                                  .protocol_name = group->protocol_name,
                                  .assignment = member->assignment};
    group->env->ops->synced(group, sync->waiter, &answer);
}

/* A static member that has come back into a stable group, now that the log has its new id. Before
 * JoinGroup version 9 it must not believe to lead: it would divide again. */
static void static_rejoined(struct group *group, int16_t code)
{
    for (struct group_member *member = group->members; member; member = member->next) {
        if (!member->awaiting_join)
            continue;
        struct group_joined answer = join_success(group, member);
        if (code != KAFKA_NONE) {
            answer = (struct group_joined){
                .error_code = code, .generation = -1, .leader_id = STR(""), .member_id = STR("")};
        } else if (member == group->leader && member->skip_version) {
            answer.skip_assignment = true;
        } else if (member == group->leader) {
            answer.with_members = false;
            answer.leader_id = member->instance_id; /* anybody but this member */
        }
        join_answer(group, member, &answer);
    }
}

void group_stored(struct group *group, int32_t generation, int16_t error_code)
{
    group->stored |= error_code == KAFKA_NONE;
    if (generation != group->generation)
        return;
    if (group->state == GROUP_STABLE) {
        static_rejoined(group, error_code);
    } else if (group->state == GROUP_COMPLETING && error_code == KAFKA_NONE) {
        set_state(group, GROUP_STABLE);
        assignments_answer(group, KAFKA_NONE);
    } else if (group->state == GROUP_COMPLETING) {
        assignments_reset(group, error_code);
        rebalance_begin(group);
    }
}

/* ---- the other requests ---- */

int16_t group_heartbeat(struct group *group, struct str member_id, struct str instance_id,
                        int32_t generation)
{
    struct group_member *member;
    int16_t code = member_check(group, member_id, instance_id, &member);
    if (code != KAFKA_NONE)
        return code;
    if (generation != group->generation)
        return KAFKA_ILLEGAL_GENERATION;
    if (group->state == GROUP_EMPTY)
        return KAFKA_UNKNOWN_MEMBER_ID;
    alive(group, member);
    return group->state == GROUP_PREPARING ? KAFKA_REBALANCE_IN_PROGRESS : KAFKA_NONE;
}

int16_t group_leave(struct group *group, struct str member_id, struct str instance_id)
{
    struct group_member *member;
    if (member_id.length == 0) { /* an administrator removes a static member */
        member = instance_id.data ? group_find_instance(group, instance_id) : NULL;
        if (!member)
            return KAFKA_UNKNOWN_MEMBER_ID;
    } else if ((member = group_find_pending(group, member_id))) {
        pending_remove(group, member);
        return KAFKA_NONE;
    } else {
        int16_t code = member_check(group, member_id, instance_id, &member);
        if (code != KAFKA_NONE)
            return code;
    }
    member_remove(group, member);
    return KAFKA_NONE;
}

void group_left(struct group *group)
{
    if (group->state == GROUP_STABLE || group->state == GROUP_COMPLETING)
        rebalance_begin(group);
    else
        join_maybe_complete(group);
}

int16_t group_commit_check(struct group *group, struct str member_id, struct str instance_id,
                           int32_t generation)
{
    struct group_member *member;
    if (generation < 0 && group->state == GROUP_EMPTY)
        return KAFKA_NONE; /* no member at all: an administrator, or a consumer that assigns itself
                            */
    if (generation < 0 && member_id.length == 0 && !instance_id.data)
        return KAFKA_UNKNOWN_MEMBER_ID;
    int16_t code = member_check(group, member_id, instance_id, &member);
    if (code != KAFKA_NONE)
        return code;
    if (generation != group->generation)
        return KAFKA_ILLEGAL_GENERATION;
    if (group->state == GROUP_COMPLETING)
        return KAFKA_REBALANCE_IN_PROGRESS;
    alive(group, member);
    return KAFKA_NONE;
}

void group_forget(struct group *group, const void *waiter)
{
    for (struct group_member *member = group->members; member; member = member->next) {
        if (member->join_waiter == waiter)
            member->join_waiter = NULL;
        if (member->sync_waiter == waiter)
            member->sync_waiter = NULL;
    }
}

void group_refuse_waiting(struct group *group, int16_t error_code)
{
    for (struct group_member *member = group->members; member; member = member->next) {
        struct group_joined answer = {.error_code = error_code,
                                      .generation = -1,
                                      .leader_id = STR(""),
                                      .member_id = member->id};
        join_answer(group, member, &answer);
        sync_answer(group, member, error_code);
    }
}

/* ---- time ---- */

static struct group_member *first_due(struct group_member *list, int64_t now_ms)
{
    struct group_member *member = list;
    while (member && member->due_ms > now_ms)
        member = member->next;
    return member;
}

static void member_expired(struct group *group, struct group_member *member)
{
    if (!member->is_new && (member->awaiting_join || member->awaiting_sync)) {
        member->due_ms = NEVER; /* it waits for us; its answer begins the next session */
        return;
    }
    logger_write(LOG_INFO, "broker", "consumer group '%.*s': member %.*s has not been heard of",
                 (int)group->id.length, group->id.data, (int)member->id.length, member->id.data);
    member_remove(group, member);
    if (group->state == GROUP_STABLE || group->state == GROUP_COMPLETING)
        rebalance_begin(group);
    else if (group->state == GROUP_PREPARING && all_joined(group))
        join_complete(group);
}

static void join_due(struct group *group)
{
    if (!group->initial || !group->member_added || group->delay_left_ms <= 0) {
        join_complete(group);
        return;
    }
    group->member_added = false; /* more may be coming */
    int64_t delay_ms = group->env->initial_delay_ms < group->delay_left_ms
                           ? group->env->initial_delay_ms
                           : group->delay_left_ms;
    group->delay_left_ms -= group->delay_ms;
    group->delay_ms = delay_ms;
    group->join_due_ms = group->env->now_ms + delay_ms;
}

/* Members that were told the generation and never came for their assignment. */
static void sync_due(struct group *group)
{
    bool removed = false;
    group->sync_due_ms = NEVER;
    for (struct group_member *member = group->members, *next; member; member = next) {
        next = member->next;
        if (!member->sync_missing)
            continue;
        member_remove(group, member);
        removed = true;
    }
    if (removed)
        rebalance_begin(group);
}

void group_tick(struct group *group)
{
    int64_t now_ms = group->env->now_ms;
    struct group_member *member;
    while ((member = first_due(group->pending, now_ms))) {
        pending_remove(group, member);
        if (group->state == GROUP_PREPARING && all_joined(group))
            join_complete(group);
    }
    while ((member = first_due(group->members, now_ms)))
        member_expired(group, member);
    if (group->sync_due_ms <= now_ms)
        sync_due(group);
    if (group->join_due_ms <= now_ms)
        join_due(group);
}

int64_t group_due_ms(const struct group *group)
{
    int64_t due_ms =
        group->join_due_ms < group->sync_due_ms ? group->join_due_ms : group->sync_due_ms;
    for (const struct group_member *member = group->members; member; member = member->next)
        if (member->due_ms < due_ms)
            due_ms = member->due_ms;
    for (const struct group_member *member = group->pending; member; member = member->next)
        if (member->due_ms < due_ms)
            due_ms = member->due_ms;
    return due_ms;
}
