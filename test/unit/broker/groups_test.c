/* groups_test.c - consumer groups through the protocol, on a simulated disk and clock: a member's
 * life, a restart in the middle of it, offsets that expire, snapshots, a topic that is deleted. */
#include "broker/groups.h"
#include "broker_help.h"
#include "check.h"

#define MINUTE_MS 60000

static uint8_t subscription[] = {0, 0, 0, 0, 0, 1, 0, 1, 't', 255, 255, 255, 255};
static uint8_t assignment[] = {0, 0, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0, 0};

static char member_id[200];

static enum status find_coordinator(struct rig *rig, struct error *err)
{
    struct kafka_find_coordinator_request request = {.key = STR("g")};
    struct kafka_find_coordinator_response response;
    TRY(rig_call(rig, KAFKA_FIND_COORDINATOR, 2, &request, &response, err));
    return response.error_code ? error_set(err, ERR_IO, "coordinator: %d", response.error_code)
                               : OK;
}

static enum status join(struct rig *rig, struct kafka_join_group_response *response,
                        struct error *err)
{
    struct kafka_join_group_protocol protocol = {STR("range"),
                                                 {subscription, sizeof(subscription), NULL}};
    struct kafka_join_group_request request = {.group_id = STR("g"),
                                               .session_timeout_ms = 10000,
                                               .rebalance_timeout_ms = 30000,
                                               .member_id = str_of(member_id),
                                               .protocol_type = STR("consumer"),
                                               .protocols = {&protocol, 1}};
    TRY(rig_call(rig, KAFKA_JOIN_GROUP, 9, &request, response, err));
    snprintf(member_id, sizeof(member_id), "%.*s", (int)response->member_id.length,
             response->member_id.data);
    return OK;
}

static enum status sync_group(struct rig *rig, int16_t *out_code, struct error *err)
{
    struct kafka_sync_group_assignment item = {str_of(member_id),
                                               {assignment, sizeof(assignment), NULL}};
    struct kafka_sync_group_request request = {.group_id = STR("g"),
                                               .generation = 1,
                                               .member_id = str_of(member_id),
                                               .assignments = {&item, 1}};
    struct kafka_sync_group_response response;
    TRY(rig_call(rig, KAFKA_SYNC_GROUP, 5, &request, &response, err));
    *out_code = response.error_code;
    return OK;
}

static enum status heartbeat(struct rig *rig, int16_t *out_code, struct error *err)
{
    struct kafka_heartbeat_request request = {
        .group_id = STR("g"), .generation = 1, .member_id = str_of(member_id)};
    struct kafka_heartbeat_response response;
    TRY(rig_call(rig, KAFKA_HEARTBEAT, 4, &request, &response, err));
    *out_code = response.error_code;
    return OK;
}

static enum status commit(struct rig *rig, const char *group, const char *member,
                          int32_t generation, int64_t offset, int16_t *out_code, struct error *err)
{
    struct kafka_offset_commit_partition partition = {
        .index = 0, .offset = offset, .leader_epoch = 0, .metadata = STR("note")};
    struct kafka_offset_commit_topic topic = {.name = STR("t"), .partitions = {&partition, 1}};
    struct kafka_offset_commit_request request = {.group_id = str_of(group),
                                                  .generation = generation,
                                                  .member_id = str_of(member),
                                                  .retention_ms = -1,
                                                  .topics = {&topic, 1}};
    struct kafka_offset_commit_response response;
    TRY(rig_call(rig, KAFKA_OFFSET_COMMIT, 9, &request, &response, err));
    *out_code = response.topics.items[0].partitions.items[0].error_code;
    return OK;
}

/* All of a group's, in the form that an administrator asks in; -1: none. */
static enum status committed(struct rig *rig, const char *group_id, int64_t *out, struct error *err)
{
    struct kafka_offset_fetch_group group = {
        .group_id = str_of(group_id), .member_epoch = -1, .topics = {NULL, -1}};
    struct kafka_offset_fetch_request request = {.groups = {&group, 1}, .require_stable = true};
    struct kafka_offset_fetch_response response;
    TRY(rig_call(rig, KAFKA_OFFSET_FETCH, 9, &request, &response, err));
    const struct kafka_offset_fetch_group_result *result = &response.groups.items[0];
    *out = result->topics.count ? result->topics.items[0].partitions.items[0].offset : -1;
    return OK;
}

static void pass(struct rig *rig, int64_t ms)
{
    struct error err = {0};
    for (int64_t i = 0; i < ms; i += 1000) {
        simio_advance_us(rig->io, 1000000);
        CHECK_OK(loop_step(rig->loop, 0, &err));
    }
}

/* One member of a stable group that has committed offset 7. */
static void become_member(struct rig *rig)
{
    struct kafka_join_group_response joined;
    struct error err = {0};
    int16_t code = -2;
    member_id[0] = '\0';
    CHECK_OK(find_coordinator(rig, &err));
    CHECK_OK(rig_topic(rig, "t", &err));
    CHECK_OK(join(rig, &joined, &err));
    CHECK_INT(joined.error_code, KAFKA_MEMBER_ID_REQUIRED);
    CHECK_OK(join(rig, &joined, &err));
    CHECK_INT(joined.error_code, KAFKA_NONE);
    CHECK_INT(joined.generation, 1);
    CHECK_INT(joined.members.count, 1);
    CHECK_INT(joined.members.items[0].metadata.size_bytes, sizeof(subscription));
    CHECK(str_eq(joined.leader_id, joined.member_id));
    CHECK_OK(sync_group(rig, &code, &err));
    CHECK_INT(code, KAFKA_NONE);
    CHECK_OK(commit(rig, "g", member_id, 1, 7, &code, &err));
    CHECK_INT(code, KAFKA_NONE);
}

TEST(a_member_goes_on_after_a_restart)
{
    struct io *io = simio_new(1);
    struct error err = {0};
    struct rig rig;
    int64_t offset = 0;
    int16_t code = -2;
    CHECK_OK(rig_open(&rig, io, &err));
    become_member(&rig);
    CHECK_OK(commit(&rig, "g", "somebody", 1, 8, &code, &err));
    CHECK_INT(code, KAFKA_UNKNOWN_MEMBER_ID);
    CHECK_OK(commit(&rig, "g", member_id, 2, 8, &code, &err));
    CHECK_INT(code, KAFKA_ILLEGAL_GENERATION);
    CHECK_OK(commit(&rig, "nobody", "", 1, 8, &code, &err));
    CHECK_INT(code, KAFKA_GROUP_ID_NOT_FOUND);
    rig_close(&rig);
    CHECK_OK(rig_open(&rig, io, &err));
    CHECK_OK(heartbeat(&rig, &code, &err));
    CHECK_INT(code, KAFKA_NONE);
    CHECK_OK(committed(&rig, "g", &offset, &err));
    CHECK_INT(offset, 7);
    CHECK_OK(commit(&rig, "g", member_id, 1, 9, &code, &err));
    CHECK_INT(code, KAFKA_NONE);
    pass(&rig, 11000); /* its session ends */
    CHECK_OK(heartbeat(&rig, &code, &err));
    CHECK_INT(code, KAFKA_UNKNOWN_MEMBER_ID);
    CHECK_OK(committed(&rig, "g", &offset, &err));
    CHECK_INT(offset, 9);
    rig_close(&rig);
    simio_free(io);
}

TEST(a_group_is_shown_with_its_lag)
{
    struct io *io = simio_new(1);
    struct error err = {0};
    struct rig rig;
    struct arena arena;
    struct broker_group *groups;
    size_t count = 0;
    int64_t offset;
    arena_init(&arena, NULL, 1 << 20);
    CHECK_OK(rig_open(&rig, io, &err));
    become_member(&rig);
    CHECK_OK(rig_produce(&rig, "t", -1, 1, 10, &offset, &err));
    CHECK_OK(broker_groups(rig.broker, &arena, &groups, &count, &err));
    CHECK_INT(count, 1);
    CHECK_STR(groups[0].id, "g");
    CHECK_STR(groups[0].state, "Stable");
    CHECK_STR(groups[0].protocol, "range");
    CHECK_INT(groups[0].generation, 1);
    CHECK_INT(groups[0].member_count, 1);
    CHECK_STR(groups[0].members[0].id, member_id);
    CHECK_STR(groups[0].members[0].host, "/127.0.0.1");
    CHECK_INT(groups[0].partition_count, 1);
    CHECK_STR(groups[0].partitions[0].topic, "t");
    CHECK_INT(groups[0].partitions[0].committed_offset, 7);
    CHECK_INT(groups[0].partitions[0].end_offset, 10);
    CHECK_STR(groups[0].partitions[0].metadata, "note");
    CHECK_STR(groups[0].partitions[0].member_id, member_id);
    CHECK_INT(groups[0].lag, 3);
    rig_close(&rig);
    arena_fini(&arena);
    simio_free(io);
}

struct asker {
    struct broker *broker;
    _Atomic bool ending;
    _Atomic size_t asked;
    size_t partitions;
};

static void ask(void *context)
{
    struct asker *asker = context;
    struct arena arena;
    arena_init(&arena, NULL, 1 << 20);
    while (!asker->ending) {
        struct broker_group *groups;
        size_t count;
        struct error err = {0};
        arena_reset(&arena);
        if (broker_groups(asker->broker, &arena, &groups, &count, &err) != OK)
            break;
        asker->asked++;
        asker->partitions += count ? groups[0].partition_count : 0;
    }
    arena_fini(&arena);
}

TEST(groups_may_be_asked_for_from_any_thread)
{
    struct io *io = simio_new(1);
    struct error err = {0};
    struct rig rig;
    struct thread *thread;
    int16_t code = -2;
    CHECK_OK(rig_open(&rig, io, &err));
    become_member(&rig);
    struct asker asker = {.broker = rig.broker};
    CHECK_OK(thread_start(&thread, "asker", ask, &asker, &err));
    for (int i = 0; i < 300 || !asker.asked; i++) {
        CHECK_OK(commit(&rig, "g", member_id, 1, i, &code, &err));
        CHECK_INT(code, KAFKA_NONE);
    }
    asker.ending = true;
    thread_join(thread);
    CHECK_INT(asker.partitions, asker.asked);
    rig_close(&rig);
    simio_free(io);
}

TEST(offsets_of_a_group_without_members_expire)
{
    struct io *io = simio_new(1);
    struct error err = {0};
    struct rig rig;
    struct broker_settings settings = {.offsets_retention_ms = 30 * MINUTE_MS,
                                       .max_idle_ms = 1000 * MINUTE_MS};
    int64_t offset = 0;
    int16_t code = -2;
    CHECK_OK(rig_open_with(&rig, io, settings, &err));
    become_member(&rig);
    CHECK_OK(commit(&rig, "alone", "", -1, 5, &code, &err));
    CHECK_INT(code, KAFKA_NONE);
    for (int i = 0; i < 60 * 60; i += 5) { /* it lives for an hour, the other one does nothing */
        pass(&rig, 5000);
        CHECK_OK(heartbeat(&rig, &code, &err));
        CHECK_INT(code, KAFKA_NONE);
    }
    CHECK_OK(committed(&rig, "g", &offset, &err));
    CHECK_INT(offset, 7);
    CHECK_OK(committed(&rig, "alone", &offset, &err));
    CHECK_INT(offset, -1);
    pass(&rig, 25 * MINUTE_MS); /* its session ends soon */
    CHECK_OK(committed(&rig, "g", &offset, &err));
    CHECK_INT(offset, 7);
    pass(&rig, 20 * MINUTE_MS);
    CHECK_OK(committed(&rig, "g", &offset, &err));
    CHECK_INT(offset, -1);
    rig_close(&rig);
    CHECK_OK(rig_open_with(&rig, io, settings, &err)); /* nor do they come back */
    CHECK_OK(committed(&rig, "g", &offset, &err));
    CHECK_INT(offset, -1);
    CHECK_INT(rig.broker->groups->count, 0);
    rig_close(&rig);
    simio_free(io);
}

/* The topic is shortened again and again and never holds much more than what is live. */
TEST(the_topic_of_offsets_stays_short)
{
    struct io *io = simio_new(1);
    struct error err = {0};
    struct rig rig;
    struct log_offsets ends;
    char name[16];
    int64_t offset = 0;
    int16_t code = -2;
    CHECK_OK(rig_open(&rig, io, &err));
    CHECK_OK(find_coordinator(&rig, &err));
    CHECK_OK(rig_topic(&rig, "t", &err));
    rig.broker->groups->log.snapshot_min_bytes = 4000;
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof(name), "group-%d", i % 20);
        CHECK_OK(commit(&rig, name, "", -1, i, &code, &err));
        CHECK_INT(code, KAFKA_NONE);
    }
    log_partition_offsets(rig.broker->groups->log.partition, &ends);
    CHECK(ends.end > 2000 && ends.end - ends.log_start < 300);
    rig_close(&rig);
    CHECK_OK(rig_open(&rig, io, &err));
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof(name), "group-%d", i);
        CHECK_OK(committed(&rig, name, &offset, &err));
        CHECK_INT(offset, 1980 + i);
    }
    rig_close(&rig);
    simio_free(io);
}

TEST(a_topic_that_is_made_again_has_no_offsets)
{
    struct io *io = simio_new(1);
    struct error err = {0};
    struct rig rig;
    struct log_topic *topic;
    int64_t offset = 0;
    int16_t code = -2;
    CHECK_OK(rig_open(&rig, io, &err));
    CHECK_OK(find_coordinator(&rig, &err));
    CHECK_OK(commit(&rig, "g", "", -1, 5, &code, &err));
    CHECK_INT(code, KAFKA_UNKNOWN_TOPIC_OR_PARTITION);
    CHECK_OK(rig_topic(&rig, "t", &err));
    CHECK_OK(commit(&rig, "g", "", -1, 5, &code, &err));
    CHECK_INT(code, KAFKA_NONE);
    CHECK_OK(log_topic_delete(broker_log(rig.broker), STR("t"), &err)); /* not through the broker */
    CHECK_OK(committed(&rig, "g", &offset, &err));
    CHECK_INT(offset, -1);
    CHECK_OK(log_topic_create(broker_log(rig.broker), STR("t"), 1, NULL, 0, &topic, &err));
    log_topic_unref(topic);
    CHECK_OK(committed(&rig, "g", &offset, &err));
    CHECK_INT(offset, -1);
    CHECK_OK(commit(&rig, "g", "", -1, 2, &code, &err));
    CHECK_OK(committed(&rig, "g", &offset, &err));
    CHECK_INT(offset, 2);
    rig_close(&rig);
    simio_free(io);
}

/* A disk that does not sync: the commit is refused, the old offset stays, the next start has it. */
TEST(a_commit_that_cannot_be_synced_is_refused)
{
    struct io *io = simio_new(1);
    struct error err = {0};
    struct rig rig;
    int64_t offset = 0;
    int16_t code = -2;
    CHECK_OK(rig_open(&rig, io, &err));
    become_member(&rig);
    simio_fail(io, SIMIO_SYNC, 1, 5);
    CHECK_OK(commit(&rig, "g", member_id, 1, 8, &code, &err));
    CHECK_INT(code, KAFKA_NOT_COORDINATOR);
    CHECK_OK(committed(&rig, "g", &offset, &err));
    CHECK_INT(offset, 7);
    CHECK_OK(commit(&rig, "g", member_id, 1, 8, &code, &err));
    CHECK_INT(code, KAFKA_NOT_COORDINATOR);
    rig_close(&rig);
    simio_free(io);
}

TEST(every_failing_allocation_of_a_member_s_life)
{
    for (uint64_t countdown = 1; countdown < 2000; countdown += 1 + countdown / 40) {
        struct io *io = simio_new(1);
        struct error err = {0};
        struct rig rig;
        struct kafka_join_group_response joined;
        int16_t code = -2;
        CHECK_OK(rig_open(&rig, io, &err));
        CHECK_OK(find_coordinator(&rig, &err));
        CHECK_OK(rig_topic(&rig, "t", &err));
        member_id[0] = '\0';
        mem_fail_after(countdown);
        enum status status = join(&rig, &joined, &err);
        if (status == OK)
            status = join(&rig, &joined, &err);
        if (status == OK)
            status = sync_group(&rig, &code, &err);
        if (status == OK)
            status = commit(&rig, "g", member_id, 1, 7, &code, &err);
        mem_fail_after(0);
        rig_close(&rig); /* whatever failed: nothing is left behind, nothing has crashed */
        simio_free(io);
    }
}
