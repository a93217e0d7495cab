/* crash_test.c - the log on a disk that crashes at every step in turn, forgetting, tearing and
 * reordering what was not fsynced.
 *
 * A workload runs against a model of what was appended, reported durable and shown. After the crash
 * the log is opened (with crashes during recovery too) and must have: everything reported durable,
 * with the same bytes; beyond that only a prefix of what was appended; every topic whose creation
 * returned and none whose deletion did; a raised epoch. A second crash right after must change
 * nothing.
 */
#include "fault_help.h"

#include "base/must.h"

#define OFFSET_MAX  4000
#define TOPIC_COUNT 3
#define SEEN_MAX    4000

enum topic_state { ABSENT, CREATING, PRESENT, DELETING };

struct model {
    enum topic_state state[TOPIC_COUNT];
    int generation[TOPIC_COUNT];    /* of the topic's name; part of the values */
    int64_t end[TOPIC_COUNT];       /* appended (the append may have failed: then at most this) */
    int64_t durable[TOPIC_COUNT];   /* high watermark seen */
    int64_t log_start[TOPIC_COUNT]; /* returned */
    int64_t log_start_tried[TOPIC_COUNT];
    int32_t epoch;
    int32_t serial[TOPIC_COUNT][OFFSET_MAX]; /* which append wrote the offset */
    int32_t next_serial;
};

static struct model model;
static struct seen seen[SEEN_MAX];
static const char *const names[TOPIC_COUNT] = {"a", "b.c", "d-0"};
static const struct log_config_entry configs[] = {
    {"segment.bytes", "900"}, {"index.interval.bytes", "100"}, {"retention.bytes", "4000"}};

static enum status create(struct log *log, int t, struct error *err)
{
    model.state[t] = CREATING;
    model.generation[t]++;
    model.end[t] = model.durable[t] = model.log_start[t] = model.log_start_tried[t] = 0;
    TRY(log_topic_create(log, str_of(names[t]), 1, configs, COUNT_OF(configs), NULL, err));
    model.state[t] = PRESENT;
    return OK;
}

static enum status drop(struct log *log, int t, struct error *err)
{
    model.state[t] = DELETING;
    TRY(log_topic_delete(log, str_of(names[t]), err));
    model.state[t] = ABSENT;
    return OK;
}

static enum status append(struct log *log, int t, int count, struct error *err)
{
    char prefix[32];
    snprintf(prefix, sizeof(prefix), "%d/%d", model.generation[t], model.next_serial);
    for (int i = 0; i < count; i++)
        model.serial[t][model.end[t] + i] = model.next_serial;
    model.end[t] += count;
    model.next_serial++;
    enum status status =
        append_records(partition_of(log, names[t], 0), prefix, count, 1000, 60, err);
    return status;
}

static void observe(struct log *log)
{
    struct log_offsets offsets;
    for (int t = 0; t < TOPIC_COUNT; t++) {
        if (model.state[t] != PRESENT)
            continue;
        log_partition_offsets(partition_of(log, names[t], 0), &offsets);
        if (offsets.high_watermark > model.durable[t])
            model.durable[t] = offsets.high_watermark;
        if (offsets.log_start > model.log_start_tried[t])
            model.log_start_tried[t] = offsets.log_start;
    }
}

static enum status sync(struct log *log, struct error *err)
{
    enum status status = log_sync(log, err);
    observe(log); /* also after a failure: what is shown must last */
    return status;
}

/* A round with appends in the middle of it. */
static enum status sync_slowly(struct log *log, struct error *err)
{
    struct log_sync round;
    enum status status = append(log, 0, 2, err);

    if (status != OK || !log_sync_begin(log, &round))
        return status;
    status = append(log, 0, 3, err);
    log_sync_run(&round);
    if (status == OK)
        status = append(log, 0, 12, err); /* rolls */
    log_sync_finish(&round);
    observe(log);
    return status;
}

static enum status restart(struct io *io, struct log **log, struct error *err)
{
    struct log *closing = *log;
    *log = NULL;
    TRY(log_close(closing, err));
    return open_log(log, io, LOG_POWER, err);
}

static enum status work(struct io *io, struct log **log_at, struct error *err)
{
    struct log *log = *log_at;
    int64_t next_ms, log_start;

    TRY(create(log, 0, err));
    TRY(create(log, 1, err));
    TRY(append(log, 0, 3, err));
    TRY(append(log, 1, 1, err));
    TRY(sync(log, err));
    for (int i = 0; i < 12; i++) { /* several segments a round */
        TRY(append(log, 0, 1 + i % 5, err));
        if (i % 3 == 0)
            TRY(append(log, 1, 2, err));
        if (i % 4 == 3)
            TRY(sync(log, err));
    }
    TRY(sync_slowly(log, err));
    TRY(restart(io, log_at, err));
    log = *log_at;
    observe(log);
    TRY(append(log, 0, 1, err));
    TRY(append(log, 1, 1, err));
    TRY(sync_slowly(log, err));
    model.log_start_tried[0] = 7;
    TRY(log_delete_records(partition_of(log, names[0], 0), 7, &log_start, err));
    model.log_start[0] = log_start;
    TRY(create(log, 2, err));
    TRY(append(log, 2, 2, err));
    TRY(append(log, 0, 4, err));
    TRY(sync(log, err));
    for (int t = 0; t < TOPIC_COUNT; t++)
        model.log_start_tried[t] = OFFSET_MAX;
    TRY(log_retain(log, &next_ms, err));
    for (int t = 0; t < TOPIC_COUNT; t++) {
        struct log_offsets offsets; /* what retention has done is durable */
        log_partition_offsets(partition_of(log, names[t], 0), &offsets);
        model.log_start[t] = model.log_start_tried[t] = offsets.log_start;
    }
    TRY(drop(log, 1, err));
    TRY(create(log, 1, err));
    TRY(append(log, 1, 1, err));
    TRY(sync(log, err));
    TRY(append(log, 1, 3, err));
    TRY(log_reserve_ids(log, 10, &next_ms, err));
    return append(log, 0, 2, err);
}

static bool fail(const char *what, uint64_t step, uint64_t seed, const struct error *err)
{
    printf("# crash at step %d, seed %d: %s: %s\n", (int)step, (int)seed, what,
           err ? err->text : "");
    return false;
}

/* The log has what the model promises; then the model takes over what there is. */
static bool check(struct log *log, uint64_t step, uint64_t seed)
{
    for (int t = 0; t < TOPIC_COUNT; t++) {
        struct error err = {0};
        struct log_offsets offsets;
        struct log_partition *partition = partition_of(log, names[t], 0);

        if (model.state[t] == PRESENT && !partition)
            return fail("a topic is lost", step, seed, NULL);
        if (model.state[t] == ABSENT && partition)
            return fail("a deleted topic is back", step, seed, NULL);
        model.state[t] = partition ? PRESENT : ABSENT;
        if (!partition)
            continue;
        log_partition_offsets(partition, &offsets);
        if (offsets.high_watermark < model.durable[t])
            return fail("durable records are lost", step, seed, NULL);
        if (offsets.end > model.end[t] || offsets.high_watermark != offsets.end)
            return fail("more records than were appended", step, seed, NULL);
        if (offsets.log_start < model.log_start[t] ||
            offsets.log_start > model.log_start_tried[t]) {
            error_set(&err, ERR_DATA, "%s: %d, not %d to %d", names[t], (int)offsets.log_start,
                      (int)model.log_start[t], (int)model.log_start_tried[t]);
            return fail("the log start is wrong", step, seed, &err);
        }
        int count = read_all(partition, offsets.log_start, 500, seen, SEEN_MAX, &err);
        if (count != offsets.high_watermark - offsets.log_start)
            return fail("reading", step, seed, &err);
        for (int i = 0; i < count; i++) {
            char expected[64];
            int64_t offset = offsets.log_start + i;
            int64_t first = offset;
            while (first > 0 && model.serial[t][first - 1] == model.serial[t][offset])
                first--;
            int length = snprintf(expected, sizeof(expected), "%d/%d-%d", model.generation[t],
                                  model.serial[t][offset], (int)(offset - first));
            if (seen[i].offset != offset || strncmp(seen[i].value, expected, (size_t)length) != 0)
                return fail("a record is not what was appended", step, seed, NULL);
        }
        model.end[t] = model.durable[t] = offsets.high_watermark;
        model.log_start[t] = model.log_start_tried[t] = offsets.log_start;
    }
    return true;
}

/* Close what crashed; lose what was not synced, or only the process (kill -9). */
static void crash(struct io *io, struct log *log, bool killed)
{
    struct error ignored = {0};
    if (log && log_close(log, &ignored) == OK)
        must(!"closed on a crashed disk");
    if (killed)
        simio_kill(io);
    else
        simio_crash(io);
}

/* Open after a crash; recovery_crashes times it crashes itself, a bit later each time. */
static bool reopen(struct io *io, struct log **log, int recovery_crashes, uint64_t step,
                   uint64_t seed)
{
    struct error err = {0};
    for (int i = 0; i < recovery_crashes; i++) {
        simio_crash_at(io, simio_steps(io) + 1 + (step + (uint64_t)i * 7) % 13);
        if (open_log(log, io, LOG_POWER, &err) == OK) {
            simio_crash_at(io, simio_steps(io) + 1);
            crash(io, *log, false);
            model.epoch++;
        } else {
            crash(io, NULL, (step + (uint64_t)i) % 3 == 0);
        }
        error_clear(&err);
    }
    if (open_log(log, io, LOG_POWER, &err) != OK)
        return fail("opening", step, seed, &err);
    return true;
}

/* One life and death (more seeds: LEAT_TEST_SEEDS); false when a check failed. *out_done: the
 * workload ended without a crash. */
static bool run(uint64_t step, uint64_t seed, bool *out_done)
{
    struct error err = {0};
    struct io *io = simio_new(seed * 1000003 + step);
    struct log *log = NULL;
    bool good = false;

    model = (struct model){0};
    simio_crash_at(io, step);
    enum status status = open_log(&log, io, LOG_POWER, &err);
    if (status == OK)
        status = work(io, &log, &err);
    *out_done = status == OK && !simio_crashed(io);
    if (status != OK && !simio_crashed(io)) {
        fail("the workload failed", step, seed, &err);
        goto out;
    }
    if (!simio_crashed(io))
        simio_crash_at(io, simio_steps(io) + 1);
    crash(io, log, seed % 3 == 0);
    log = NULL;
    if (!reopen(io, &log, (int)(step % 3), step, seed) || !check(log, step, seed))
        goto out;
    int32_t epoch = log_leader_epoch(log);

    /* what was shown after recovery is durable: another crash changes nothing */
    simio_crash_at(io, simio_steps(io) + 1);
    crash(io, log, false);
    log = NULL;
    if (!reopen(io, &log, 0, step, seed) || !check(log, step, seed))
        goto out;
    if (log_leader_epoch(log) <= epoch) {
        fail("the epoch did not rise", step, seed, NULL);
        goto out;
    }
    for (int t = 0; t < TOPIC_COUNT; t++)
        if (model.state[t] == PRESENT && append(log, t, 3, &err) != OK) {
            fail("an append after recovery", step, seed, &err);
            goto out;
        }
    if (sync(log, &err) != OK || !check(log, step, seed)) {
        fail("a sync after recovery", step, seed, &err);
        goto out;
    }
    status = log_close(log, &err);
    log = NULL;
    if (status != OK || open_log(&log, io, LOG_POWER, &err) != OK) {
        fail("a clean restart", step, seed, &err);
        goto out;
    }
    good = check(log, step, seed);
out:
    if (log && log_close(log, &err) != OK)
        good = fail("the last close", step, seed, &err);
    simio_free(io);
    return good;
}

TEST(nothing_durable_is_lost_at_any_step)
{
    CHECK(crash_at_each_step(run, 20));
}

/* Every single failing call of a kind, without a crash: an error, never a wrong record. A fault is
 * "armed" before the workload; *out_reached: there were that many calls. */
static bool run_fault(enum simio_fault kind, uint64_t countdown, int errno_value, bool *out_reached)
{
    struct error err = {0};
    struct io *io = simio_new(countdown);
    struct log *log = NULL;
    bool good = false;

    model = (struct model){0};
    uint64_t allocations = fault_arm(io, kind, countdown, errno_value);
    enum status status = open_log(&log, io, LOG_POWER, &err);
    if (status == OK)
        status = work(io, &log, &err);
    *out_reached = fault_disarm(io, kind, countdown, allocations, status);
    if (log)
        observe(log);
    if (log && log_close(log, &err) != OK)
        *out_reached = true;
    log = NULL;
    error_clear(&err);
    simio_crash(io);
    if (open_log(&log, io, LOG_POWER, &err) != OK)
        fail("opening after a fault", countdown, kind, &err);
    else
        good = check(log, countdown, kind);
    if (log && log_close(log, &err) != OK)
        good = fail("the last close", countdown, kind, &err);
    simio_free(io);
    return good;
}

TEST(each_failing_call_is_survived)
{
    CHECK(fail_each_call(run_fault, 30, false));
}

TEST(each_failing_allocation_is_survived)
{
    CHECK(fail_each_allocation(run_fault));
}
