/* groups.c - the registry of groups: finding and making them, their timers, answering, retention.
 */
#include "broker/groups.h"

#include "base/must.h"
#include "os/logger.h"

#define SWEEP_INTERVAL_US INT64_C(600000000) /* offsets.retention.check.interval.ms */
#define RETENTION_MS      INT64_C(604800000) /* offsets.retention.minutes: 7 days */
#define INITIAL_DELAY_MS  50
#define SESSION_MIN_MS    6000
#define SESSION_MAX_MS    1800000
#define MEMBERS_MAX       1000

/* ---- in and out ---- */

struct groups *groups_enter(struct broker *broker)
{
    struct groups *groups = broker->groups;
    mutex_lock(&groups->lock);
    groups->env.now_ms = io_monotonic_us(broker->io) / 1000;
    groups->env.wall_ms = io_wall_us(broker->io) / 1000;
    return groups;
}

void groups_done(struct groups *groups, struct call *call)
{
    call->group = NULL;
    call->group_write = NULL;
    call_list_append(&groups->done, call);
}

/* Finishing a call may run other requests, which come by here: the first one in does it all. */
void groups_leave(struct groups *groups)
{
    struct call *call;
    state_log_advance(&groups->log);
    mutex_unlock(&groups->lock);
    if (groups->finishing)
        return;
    groups->finishing = true;
    while ((call = groups->done.first)) {
        call_list_remove(call);
        call_finish(call);
    }
    groups->finishing = false;
}

void groups_drop(struct call *call)
{
    struct groups *groups = call->broker->groups;
    mutex_lock(&groups->lock);
    call_list_remove(call);
    if (call->group)
        group_forget(call->group, call);
    if (call->group_write)
        call->group_write->call = NULL;
    call->group = NULL;
    call->group_write = NULL;
    mutex_unlock(&groups->lock);
}

/* ---- the registry ---- */

bool groups_id_valid(struct str id)
{
    return id.length > 0 && id.length <= GROUP_TEXT_MAX_BYTES;
}

static uint32_t place(const struct groups *groups, struct str id, bool *out_found)
{
    uint32_t low = 0, high = groups->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (str_compare(groups->items[middle]->group->id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *out_found = low < groups->count && str_eq(groups->items[low]->group->id, id);
    return low;
}

struct group_entry *groups_find(struct groups *groups, struct str id)
{
    bool found;
    uint32_t index = place(groups, id, &found);
    return found ? groups->items[index] : NULL;
}

static struct group_entry *refuse_group(struct groups *groups, struct str id, const char *why)
{
    int64_t now_us = groups->env.now_ms * 1000;
    if (now_us >= groups->warned_us) /* each client would say the same */
        logger_write(LOG_WARN, "broker", "consumer group '%.*s' is not made: %s", (int)id.length,
                     id.data, why);
    groups->warned_us = now_us + WARN_INTERVAL_US;
    return NULL;
}

struct group_entry *groups_make(struct groups *groups, struct str id)
{
    bool found;
    uint32_t index = place(groups, id, &found);
    if (found)
        return groups->items[index];
    if (groups->count == GROUPS_MAX)
        return refuse_group(groups, id, "there are too many");
    if (groups->count == groups->room) {
        uint32_t room = groups->room ? groups->room * 2 : 16;
        void *grown = mem_realloc(groups->items, room * sizeof(*groups->items));
        if (!grown)
            return refuse_group(groups, id, "no memory");
        groups->items = grown;
        groups->room = room;
    }
    struct group_entry *entry = group_alloc(&groups->owner, sizeof(*entry));
    struct group *group = entry ? group_new(&groups->env, id) : NULL;
    if (!group) {
        group_release(&groups->owner, entry);
        return refuse_group(groups, id, "no memory");
    }
    *entry = (struct group_entry){.groups = groups, .group = group};
    group->context = entry;
    memmove(&groups->items[index + 1], &groups->items[index],
            (groups->count - index) * sizeof(*groups->items));
    groups->items[index] = entry;
    groups->count++;
    return entry;
}

void groups_remove(struct group_entry *entry)
{
    struct groups *groups = entry->groups;
    bool found;
    uint32_t index = place(groups, entry->group->id, &found);
    must(found);
    loop_timer_cancel(groups->broker->loop, &entry->timer);
    group_offsets_free(entry->group);
    group_free(entry->group);
    group_release(&groups->owner, entry);
    groups->count--;
    memmove(&groups->items[index], &groups->items[index + 1],
            (groups->count - index) * sizeof(*groups->items));
}

/* ---- time ---- */

static void entry_due(struct loop_timer *timer)
{
    struct group_entry *entry = container_of(timer, struct group_entry, timer);
    struct broker *broker = entry->groups->broker;
    struct groups *groups = groups_enter(broker);
    group_tick(entry->group);
    groups_touch(entry);
    groups_leave(groups);
    commit_written(broker);
}

static void sweep_due(struct loop_timer *timer);

static void sweep_arm(struct groups *groups)
{
    if (groups->sweep_timer.heap_index || groups->broker->closing)
        return;
    groups->sweep_timer.fire = sweep_due;
    if (loop_timer_arm(groups->broker->loop, &groups->sweep_timer, SWEEP_INTERVAL_US, NULL) != OK)
        logger_write(LOG_WARN, "broker", "no memory for a timer: offsets do not expire");
}

void groups_touch(struct group_entry *entry)
{
    struct groups *groups = entry->groups;
    struct loop *loop = groups->broker->loop;
    const struct group *group = entry->group;
    if (group->state == GROUP_EMPTY && !group->pending && !group->stored &&
        !group_offsets_any(group)) {
        groups_remove(entry);
        return;
    }
    sweep_arm(groups);
    int64_t due_ms = group_due_ms(group);
    if (due_ms == INT64_MAX || groups->broker->closing)
        return;
    int64_t delay_us = due_ms * 1000 - io_monotonic_us(groups->broker->io);
    if (entry->timer.heap_index && entry->timer.due_us <= due_ms * 1000)
        return; /* it fires early, and is armed again then */
    entry->timer.fire = entry_due;
    if (loop_timer_arm(loop, &entry->timer, delay_us > 0 ? delay_us : 0, NULL) != OK)
        logger_write(LOG_WARN, "broker", "no memory for the timer of a consumer group");
}

/* ---- retention of offsets ---- */

bool groups_topic_alive(struct groups *groups, struct str name, const struct kafka_uuid *known,
                        struct kafka_uuid *out_id)
{
    static const struct kafka_uuid none;
    struct log_topic *topic = log_topic_find(groups->broker->log, name);
    if (!topic)
        return false;
    memcpy(out_id->bytes, log_topic_info(topic).id, KAFKA_UUID_BYTES);
    log_topic_unref(topic);
    return memcmp(known, &none, sizeof(none)) == 0 || memcmp(known, out_id, sizeof(none)) == 0;
}

/* Tombstones of what has expired or belongs to a topic that is no more. Counted are those that
 * stay. */
static uint32_t sweep_offsets(struct groups *groups, const struct group *group,
                              struct group_write *write)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; group->offsets && i < group->offsets->count; i++) {
        const struct group_offset_topic *topic = &group->offsets->topics[i];
        struct kafka_uuid id;
        bool alive = groups_topic_alive(groups, topic->name, &topic->id, &id);
        for (uint32_t j = 0; j < topic->count; j++) {
            const struct group_offset *offset = &topic->items[j];
            if (alive && !group_offset_expired(group, topic, offset, groups->retention_ms))
                kept++;
            else
                group_write_offset_tombstone(&write->writer, group->id, topic->name,
                                             offset->partition);
        }
    }
    return kept;
}

/* A group that has neither members nor offsets goes too. */
static void sweep_group(struct groups *groups, const struct group *group)
{
    struct group_write *write = group_log_begin(groups, group->id);
    if (!write)
        return;
    if (sweep_offsets(groups, group, write) == 0 && group->state == GROUP_EMPTY &&
        !group->pending && group->stored)
        group_write_tombstone(&write->writer, group->id);
    group_log_submit(groups, write);
}

static void sweep_due(struct loop_timer *timer)
{
    struct broker *broker = container_of(timer, struct groups, sweep_timer)->broker;
    struct groups *groups = groups_enter(broker);
    for (uint32_t i = 0; i < groups->count && state_log_ready(&groups->log); i++)
        sweep_group(groups, groups->items[i]->group);
    if (groups->count)
        sweep_arm(groups);
    groups_leave(groups);
    commit_written(broker);
}

/* ---- what groups ask for ---- */

static void joined(struct group *group, void *waiter, const struct group_joined *answer)
{
    struct call *call = waiter;
    struct group_entry *entry = group->context;
    membership_joined(call, group, answer);
    groups_done(entry->groups, call);
}

static void synced(struct group *group, void *waiter, const struct group_synced *answer)
{
    struct call *call = waiter;
    struct group_entry *entry = group->context;
    membership_synced(call, answer);
    groups_done(entry->groups, call);
}

static int16_t store(struct group *group)
{
    struct group_entry *entry = group->context;
    struct group_write *write = group_log_begin(entry->groups, group->id);
    if (!write)
        return KAFKA_COORDINATOR_NOT_AVAILABLE;
    write->is_store = true;
    write->generation = group->generation;
    group_write_metadata(&write->writer, group, true);
    group_log_submit(entry->groups, write);
    return KAFKA_NONE;
}

static const struct group_ops OPS = {joined, synced, store};

/* ---- opening and closing ---- */

static int64_t or_default(int64_t value, int64_t fallback)
{
    return value ? value : fallback;
}

enum status groups_open(struct broker *broker, const struct broker_settings *settings,
                        struct error *err)
{
    struct groups *groups = mem_calloc(1, sizeof(*groups));
    if (!groups)
        return error_memory(err, "consumer groups", sizeof(*groups));
    broker->groups = groups;
    groups->broker = broker;
    mutex_init(&groups->lock);
    mem_owner_init(&groups->owner, broker->owner, "consumer groups");
    groups->owner.limit_bytes = GROUPS_MEMORY_MAX;
    groups->done.tail = &groups->done.first;
    state_log_init(&groups->log, broker, GROUPS_TOPIC, &GROUP_LOG_OPS, &groups->owner);
    groups->retention_ms = or_default(settings->offsets_retention_ms, RETENTION_MS);
    groups->env = (struct group_env){
        .ops = &OPS,
        .owner = &groups->owner,
        .initial_delay_ms = settings->group_initial_delay_ms < 0
                                ? 0
                                : or_default(settings->group_initial_delay_ms, INITIAL_DELAY_MS),
        .min_session_ms = or_default(settings->group_min_session_ms, SESSION_MIN_MS),
        .max_session_ms = or_default(settings->group_max_session_ms, SESSION_MAX_MS),
        .max_members = (uint32_t)or_default(settings->group_max_members, MEMBERS_MAX),
    };
    mutex_lock(&groups->lock);
    groups->env.now_ms = io_monotonic_us(broker->io) / 1000;
    groups->env.wall_ms = io_wall_us(broker->io) / 1000;
    enum status status = state_log_load(&groups->log, err);
    for (uint32_t i = groups->count; status == OK && i-- > 0;)
        groups_touch(groups->items[i]);
    mutex_unlock(&groups->lock);
    return status;
}

void groups_close(struct broker *broker)
{
    struct groups *groups = broker->groups;
    if (!groups)
        return;
    must(!groups->done.first);
    loop_timer_cancel(broker->loop, &groups->sweep_timer);
    group_log_abandon(groups);
    group_pending_free_all(groups);
    while (groups->count)
        groups_remove(groups->items[groups->count - 1]);
    mem_free(groups->items);
    state_log_fini(&groups->log);
    mem_owner_fini(&groups->owner);
    mutex_fini(&groups->lock);
    mem_free(groups);
    broker->groups = NULL;
}

void groups_refuse_waiting(struct broker *broker)
{
    struct groups *groups = groups_enter(broker);
    for (uint32_t i = 0; i < groups->count; i++)
        group_refuse_waiting(groups->items[i]->group, KAFKA_NOT_COORDINATOR);
    groups_leave(groups);
}

bool groups_is_busy(const struct broker *broker)
{
    return broker->groups && broker->groups->log.trimming;
}

bool groups_is_waited_for(const struct broker *broker)
{
    return broker->groups && broker->groups->log.writes;
}

void groups_synced(struct broker *broker)
{
    if (broker->groups)
        groups_leave(groups_enter(broker)); /* which looks at what has become durable */
}
