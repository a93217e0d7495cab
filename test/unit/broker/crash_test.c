/* crash_test.c - the whole broker on a disk that crashes at every step in turn and then forgets,
 * tears and reorders what was not fsynced: nothing acknowledged with acks=all is lost or changed,
 * and nothing that a fetch has shown, whatever its acks. The same for committed offsets, across
 * snapshots of their topic, and a deleted group does not come back. */
#include "broker/groups.h"
#include "broker_help.h"
#include "check.h"

#define OFFSETS_MAX 400
#define VALUE_MAX   24

struct known {
    char acknowledged[OFFSETS_MAX][VALUE_MAX]; /* by offset; "": not */
    char shown[OFFSETS_MAX][VALUE_MAX];
    bool topic_made;
};
static struct known known;

static void note(void *context, int64_t offset, const char *value, size_t size_bytes)
{
    char(*table)[VALUE_MAX] = context;
    if (offset < OFFSETS_MAX && size_bytes < VALUE_MAX) {
        memcpy(table[offset], value, size_bytes);
        table[offset][size_bytes] = '\0';
    }
}

/* ---- committed offsets ---- */

static struct {
    int64_t attempted, acknowledged, shown;                 /* of group "kept"; -1: none */
    enum { NO_GROUP, COMMITTED, DELETING, DELETED } doomed; /* group "doomed" */
    uint64_t snapshots;
} commits;

static enum status commit(struct rig *rig, const char *group, int64_t offset, struct error *err)
{
    struct kafka_offset_commit_partition partition = {
        .index = 0, .offset = offset, .leader_epoch = -1, .metadata = STR("where it was")};
    struct kafka_offset_commit_topic topic = {.name = STR("t"), .partitions = {&partition, 1}};
    struct kafka_offset_commit_request request = {.group_id = str_of(group),
                                                  .generation = -1,
                                                  .member_id = STR(""),
                                                  .retention_ms = -1,
                                                  .topics = {&topic, 1}};
    struct kafka_offset_commit_response response;
    TRY(rig_call(rig, KAFKA_OFFSET_COMMIT, 8, &request, &response, err));
    int16_t code = response.topics.items[0].partitions.items[0].error_code;
    return code ? error_set(err, ERR_IO, "commit: error %d", code) : OK;
}

/* -1: none. */
static enum status committed(struct rig *rig, const char *group_id, int64_t *out, struct error *err)
{
    int32_t index = 0;
    struct kafka_offset_fetch_topic topic = {.name = STR("t"), .partitions = {&index, 1}};
    struct kafka_offset_fetch_group group = {
        .group_id = str_of(group_id), .member_epoch = -1, .topics = {&topic, 1}};
    struct kafka_offset_fetch_request request = {.groups = {&group, 1}};
    struct kafka_offset_fetch_response response;
    TRY(rig_call(rig, KAFKA_OFFSET_FETCH, 8, &request, &response, err));
    *out = response.groups.items[0].topics.items[0].partitions.items[0].offset;
    return OK;
}

static enum status find_coordinator(struct rig *rig, struct error *err)
{
    struct str key = STR("kept");
    struct kafka_find_coordinator_request request = {.keys = {&key, 1}};
    struct kafka_find_coordinator_response response;
    TRY(rig_call(rig, KAFKA_FIND_COORDINATOR, 4, &request, &response, err));
    return response.coordinators.items[0].error_code ? ERR_IO : OK;
}

static enum status delete_group(struct rig *rig, const char *group, struct error *err)
{
    struct str id = str_of(group);
    struct kafka_delete_groups_request request = {.groups = {&id, 1}};
    struct kafka_delete_groups_response response;
    TRY(rig_call(rig, KAFKA_DELETE_GROUPS, 2, &request, &response, err));
    return response.results.items[0].error_code ? ERR_IO : OK;
}

/* One of these a turn of the workload. */
static enum status commit_turn(struct rig *rig, int turn, int i, struct error *err)
{
    struct groups *groups = rig->broker->groups;
    uint64_t written_bytes = groups->log.written_bytes;
    commits.attempted = turn * 100 + i;
    TRY(commit(rig, "kept", commits.attempted, err));
    commits.acknowledged = commits.attempted;
    commits.snapshots += groups->log.written_bytes < written_bytes;
    if (i == 2) {
        commits.doomed = NO_GROUP;
        TRY(commit(rig, "doomed", 1, err));
        commits.doomed = COMMITTED;
    }
    if (i == 4) {
        commits.doomed = DELETING;
        TRY(delete_group(rig, "doomed", err));
        commits.doomed = DELETED;
    }
    return committed(rig, "kept", &commits.shown, err);
}

static void commits_verify(struct rig *rig, uint64_t step)
{
    struct error err = {0};
    int64_t kept, doomed;
    CHECK_OK(committed(rig, "kept", &kept, &err));
    CHECK_OK(committed(rig, "doomed", &doomed, &err));
    if (kept < commits.acknowledged || kept < commits.shown || kept > commits.attempted)
        CHECK_FAIL("step %" PRIu64 ": offset %" PRId64 " was acknowledged, %" PRId64
                   " shown, %" PRId64 " attempted, it is %" PRId64,
                   step, commits.acknowledged, commits.shown, commits.attempted, kept);
    if ((commits.doomed == COMMITTED && doomed != 1) || (commits.doomed == DELETED && doomed != -1))
        CHECK_FAIL("step %" PRIu64 ": the doomed group's offset is %" PRId64, step, doomed);
}

/* ---- records ---- */

/* Produce and fetch until it ends or the disk crashes. */
static enum status workload(struct rig *rig, int turn, struct error *err)
{
    int64_t next = 0, high = 0, offset;
    rig->broker->groups->log.snapshot_min_bytes = 600;
    TRY(rig_topic(rig, "t", err));
    known.topic_made = true;
    TRY(find_coordinator(rig, err));
    for (int i = 0; i < 7; i++) {
        TRY(commit_turn(rig, turn, i, err));
        int prefix = turn * 100 + i, count = 1 + i % 4;
        int16_t acks = i % 3 == 2 ? 1 : -1;
        TRY(rig_produce(rig, "t", acks, prefix, count, &offset, err));
        for (int j = 0; acks == -1 && j < count; j++) {
            char value[VALUE_MAX];
            int value_bytes = snprintf(value, sizeof(value), "%d/%d", prefix, j);
            note(known.acknowledged, offset + j, value, (size_t)value_bytes);
        }
        TRY(rig_fetch(rig, "t", next, i % 2 ? 0 : 20, note, known.shown, &next, &high, err));
    }
    return OK;
}

static void verify(struct io *io, uint64_t step, uint64_t seed)
{
    static char found[OFFSETS_MAX][VALUE_MAX];
    struct rig rig;
    struct error err = {0};
    int64_t next = 0, high = 1;
    memset(found, 0, sizeof(found));
    CHECK_OK(rig_open(&rig, io, &err));
    enum status status = rig_topic(&rig, "t", &err);
    while (status == OK && next < high)
        status = rig_fetch(&rig, "t", next, 0, note, found, &next, &high, &err);
    if (status == OK)
        commits_verify(&rig, step);
    rig_close(&rig);
    CHECK_OK(status);
    for (int64_t i = 0; i < OFFSETS_MAX; i++) {
        if (known.acknowledged[i][0] && strcmp(known.acknowledged[i], found[i]) != 0)
            CHECK_FAIL("step %" PRIu64 " seed %" PRIu64 ": offset %" PRId64
                       " was acknowledged as %s, is \"%s\"",
                       step, seed, i, known.acknowledged[i], found[i]);
        if (known.shown[i][0] && strcmp(known.shown[i], found[i]) != 0)
            CHECK_FAIL("step %" PRIu64 " seed %" PRIu64 ": offset %" PRId64
                       " was shown as %s, is \"%s\"",
                       step, seed, i, known.shown[i], found[i]);
    }
}

/* True: the run ended before the step. */
static bool run(uint64_t step, uint64_t seed)
{
    struct io *io = simio_new(seed);
    struct error err = {0};
    bool crashed = false;
    memset(&known, 0, sizeof(known));
    commits.attempted = commits.acknowledged = commits.shown = -1;
    commits.doomed = NO_GROUP;
    /* Two lives: the second appends to what the first has left, and may crash in its recovery. */
    simio_crash_at(io, step);
    for (int turn = 1; turn <= 2 && !crashed; turn++) {
        struct rig rig;
        enum status status = rig_open(&rig, io, &err);
        if (status == OK)
            status = workload(&rig, turn, &err);
        rig_close(&rig);
        crashed = simio_crashed(io);
        if (status != OK && !crashed) {
            simio_free(io);
            printf("# step %" PRIu64 ": %s\n", step, err.text);
            check_failed = true;
            return true;
        }
    }
    simio_crash(io);
    simio_crash_at(io, 0);
    verify(io, step, seed);
    simio_free(io);
    return !crashed;
}

TEST(crash_at_every_step)
{
    uint64_t step = 1, steps = 0;
    for (bool ended = false; !ended && !check_failed; step++) {
        ended = true;
        for (uint64_t seed = 1; seed <= 3 && !check_failed; seed++) {
            ended &= run(step, seed * 1000 + step);
            steps++;
        }
    }
    printf("# %" PRIu64 " crashes at %" PRIu64 " steps, %" PRIu64 " snapshots of offsets\n", steps,
           step, commits.snapshots);
    CHECK(step > 50);
    CHECK(commits.snapshots > steps);
}

/* A sync that fails: acks=all is refused, nothing unsynced is shown, the rest stays readable. */
TEST(a_failed_sync_is_an_error_of_the_producer)
{
    struct io *io = simio_new(1);
    struct error err = {0};
    struct rig rig;
    int64_t offset = -1, next = 0, high = 0;
    memset(&known, 0, sizeof(known));
    CHECK_OK(rig_open(&rig, io, &err));
    CHECK_OK(rig_topic(&rig, "t", &err));
    CHECK_OK(rig_produce(&rig, "t", -1, 1, 2, &offset, &err));
    simio_fail(io, SIMIO_SYNC, 1, 5);
    CHECK_INT(rig_produce(&rig, "t", -1, 2, 2, &offset, &err), ERR_IO);
    err = (struct error){0};
    CHECK_INT(rig_produce(&rig, "t", 1, 3, 2, &offset, &err), ERR_IO);
    err = (struct error){0};
    CHECK_OK(rig_fetch(&rig, "t", 0, 0, note, known.shown, &next, &high, &err));
    CHECK_INT(high, 2);
    CHECK_STR(known.shown[1], "1/1");
    CHECK_STR(known.shown[2], "");
    rig_close(&rig);
    simio_free(io);
}

TEST(a_full_disk_is_an_error_of_the_producer)
{
    struct io *io = simio_new(1);
    struct error err = {0};
    struct rig rig;
    int64_t offset = -1, next = 0, high = 0;
    memset(&known, 0, sizeof(known));
    CHECK_OK(rig_open(&rig, io, &err));
    CHECK_OK(rig_topic(&rig, "t", &err));
    CHECK_OK(rig_produce(&rig, "t", -1, 1, 2, &offset, &err));
    simio_set_capacity(io, 1);
    CHECK_INT(rig_produce(&rig, "t", -1, 2, 2, &offset, &err), ERR_IO);
    simio_set_capacity(io, 0);
    err = (struct error){0};
    CHECK_OK(rig_produce(&rig, "t", -1, 3, 2, &offset, &err));
    CHECK_INT(offset, 2);
    CHECK_OK(rig_fetch(&rig, "t", 0, 0, note, known.shown, &next, &high, &err));
    CHECK_INT(high, 4);
    CHECK_STR(known.shown[3], "3/1");
    rig_close(&rig);
    simio_free(io);
}
