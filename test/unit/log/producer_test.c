/* producer_test.c - idempotent producers: their sequences, and that what is sent again after a
 * crash at any step is neither lost nor doubled. */
#include "fault_help.h"

#include "base/crc32c.h"
#include "base/must.h"
#include "kafka/bytes.h"

#define PRODUCER_COUNT 3
#define BATCH_MAX      400 /* of one producer */
#define IN_FLIGHT      5

static struct seen seen[PRODUCER_COUNT * BATCH_MAX * 4];

/* A batch of count records "ID:SEQUENCE-i" */
static enum status send(struct log_partition *partition, int64_t id, int16_t epoch,
                        int32_t sequence, int count, struct log_append *out, struct error *err)
{
    struct record_builder builder;
    struct buf bytes;
    char value[64];

    buf_init(&bytes, 1 << 20);
    record_builder_begin(&builder, &bytes, NULL, COMPRESSION_NONE);
    builder.producer_id = id;
    builder.producer_epoch = epoch;
    builder.base_sequence = sequence;
    for (int i = 0; i < count; i++) {
        int length = snprintf(value, sizeof(value), "%d:%d-%d", (int)id, sequence, i);
        record_builder_add(&builder, 1000 + sequence % 1000, NULL, -1, value, length, NULL, 0);
    }
    enum status status = record_builder_finish(&builder, err);
    *out = (struct log_append){.batches = bytes.data, .size_bytes = bytes.length};
    if (status == OK)
        status = log_append(partition, out, err);
    buf_fini(&bytes);
    return status;
}

static const struct log_config_entry configs[] = {
    {"segment.bytes", "900"}, {"index.interval.bytes", "100"}, {"retention.ms", "-1"}};

static struct log_partition *start(struct io **io, struct log **log, int64_t expiry_ms)
{
    struct error err = {0};
    struct log_settings settings = {
        .io = *io = simio_new(1), .directory = LOG_DIR, .producer_expiry_ms = expiry_ms};
    must(log_open(log, &settings, &err) == OK);
    must(log_topic_create(*log, STR("t"), 1, configs, COUNT_OF(configs), NULL, &err) == OK);
    return partition_of(*log, "t", 0);
}

static struct log_partition *again(struct io *io, struct log **log, bool killed)
{
    struct error err = {0};
    if (killed)
        simio_crash_at(io, simio_steps(io) + 1);
    enum status status = log_close(*log, &err);
    must(killed ? status != OK : status == OK);
    if (killed)
        simio_kill(io);
    must(open_log(log, io, LOG_POWER, &err) == OK);
    return partition_of(*log, "t", 0);
}

TEST(sequences_are_checked)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    struct log_append append;
    struct log_partition *partition = start(&io, &log, 0);

    CHECK_OK(send(partition, 1, 0, 0, 3, &append, &err));
    CHECK_INT(append.base_offset, 0);
    CHECK(!append.duplicate);
    CHECK_OK(send(partition, 1, 0, 3, 2, &append, &err));
    CHECK_INT(append.base_offset, 3);
    CHECK_OK(send(partition, 1, 0, 0, 3, &append, &err)); /* again: where it lies */
    CHECK(append.duplicate);
    CHECK_INT(append.base_offset, 0);
    CHECK_INT(append.next_offset, 3);
    CHECK_INT(send(partition, 1, 0, 6, 1, &append, &err), ERR_SEQUENCE); /* a gap */
    CHECK(strstr(err.text, "sends sequence 6, the next is 5"));
    CHECK_INT(send(partition, 1, 0, 0, 2, &append, &err), ERR_SEQUENCE); /* not the same batch */
    CHECK_OK(send(partition, 1, 0, 5, 1, &append, &err));
    CHECK_INT(send(partition, 1, 2, 6, 1, &append, &err), ERR_SEQUENCE); /* new epoch: from 0 */
    CHECK_OK(send(partition, 1, 2, 0, 1, &append, &err));
    CHECK_INT(send(partition, 1, 1, 0, 1, &append, &err), ERR_FENCED);
    CHECK_INT(send(partition, 1, 0, 6, 1, &append, &err), ERR_FENCED);
    CHECK_OK(send(partition, 1, 2, 1, 1, &append, &err));
    CHECK_OK(send(partition, 2, 0, 77, 1, &append, &err)); /* unknown: any number */
    CHECK_INT(send(partition, 2, 0, 77 + 2, 1, &append, &err), ERR_SEQUENCE);
    CHECK_OK(log_sync(log, &err));
    CHECK_INT(read_all(partition, 0, 1 << 16, seen, 100, &err), 9);
    CHECK_OK(log_close(log, &err));
    simio_free(io);
}

TEST(five_batches_are_remembered_over_a_clean_stop_and_a_kill)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    struct log_append append;
    struct log_partition *partition = start(&io, &log, 0);

    for (int turn = 0; turn < 3; turn++) {
        int first = turn * 20;
        for (int i = 0; i < 20; i++) /* rolls several times */
            CHECK_OK(send(partition, 5, 0, first + i, 1, &append, &err));
        CHECK_OK(log_sync(log, &err));
        if (turn)
            partition = again(io, &log, turn == 2);
        for (int i = 15; i < 20; i++) {
            CHECK_OK(send(partition, 5, 0, first + i, 1, &append, &err));
            CHECK(append.duplicate);
            CHECK_INT(append.base_offset, first + i);
        }
        CHECK_INT(send(partition, 5, 0, first + 14, 1, &append, &err), ERR_SEQUENCE);
        CHECK_INT(send(partition, 5, 0, first + 21, 1, &append, &err), ERR_SEQUENCE);
    }
    CHECK_OK(log_close(log, &err));
    simio_free(io);
}

TEST(sequences_wrap_around)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    struct log_append append;
    struct log_partition *partition = start(&io, &log, 0);

    CHECK_OK(send(partition, 1, 0, INT32_MAX - 2, 2, &append, &err)); /* up to MAX - 1 */
    CHECK_OK(send(partition, 1, 0, INT32_MAX, 3, &append, &err));     /* MAX, 0, 1 */
    CHECK_INT(append.base_offset, 2);
    partition = again(io, &log, false);
    CHECK_OK(send(partition, 1, 0, INT32_MAX, 3, &append, &err));
    CHECK(append.duplicate);
    CHECK_INT(append.base_offset, 2);
    CHECK_INT(send(partition, 1, 0, 3, 1, &append, &err), ERR_SEQUENCE);
    CHECK_OK(send(partition, 1, 0, 2, 1, &append, &err));
    CHECK_INT(append.base_offset, 5);
    CHECK_OK(log_close(log, &err));
    simio_free(io);
}

TEST(silent_producers_expire)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    struct log_append append;
    int64_t next_ms;
    struct log_partition *partition = start(&io, &log, 60000);

    CHECK_OK(send(partition, 1, 0, 0, 1, &append, &err));
    simio_advance_us(io, 50 * INT64_C(1000000));
    CHECK_OK(send(partition, 2, 0, 0, 1, &append, &err));
    CHECK_OK(log_retain(log, &next_ms, &err));
    CHECK_INT(next_ms, io_wall_us(io) / 1000 + 10001);
    CHECK_INT(send(partition, 1, 0, 9, 1, &append, &err), ERR_SEQUENCE);
    simio_advance_us(io, 20 * INT64_C(1000000));
    CHECK_OK(log_retain(log, &next_ms, &err));
    CHECK_OK(send(partition, 1, 0, 9, 1, &append, &err)); /* forgotten */
    CHECK_INT(send(partition, 2, 0, 9, 1, &append, &err), ERR_SEQUENCE);
    CHECK_OK(log_close(log, &err));
    simio_free(io);
}

/* Within a memory limit the least recent are forgotten; nobody is refused. */
TEST(a_memory_limit_forgets_producers)
{
    struct io *io = simio_new(1);
    struct log *log;
    struct error err = {0};
    struct log_append append;
    struct mem_owner owner;
    struct log_settings settings = {.io = io, .directory = LOG_DIR, .owner = &owner};

    mem_owner_init(&owner, NULL, "test");
    owner.limit_bytes = 4000;
    CHECK_OK(log_open(&log, &settings, &err));
    CHECK_OK(log_topic_create(log, STR("t"), 1, configs, COUNT_OF(configs), NULL, &err));
    struct log_partition *partition = partition_of(log, "t", 0);
    for (int id = 1; id <= 100; id++)
        CHECK_OK(send(partition, id, 0, 0, 1, &append, &err));
    CHECK(owner.used_bytes <= 4000 && owner.used_bytes > 2000);
    CHECK_INT(send(partition, 100, 0, 5, 1, &append, &err), ERR_SEQUENCE);
    CHECK_OK(send(partition, 1, 0, 5, 1, &append, &err)); /* forgotten */
    CHECK_OK(log_close(log, &err));
    CHECK_OK(log_open(&log, &settings, &err)); /* and the start keeps to it too */
    CHECK(owner.used_bytes <= 4000);
    CHECK_OK(log_close(log, &err));
    mem_owner_fini(&owner);
    simio_free(io);
}

/* ---- crashes ---- */

struct sender {          /* one client: what it has sent, what was acknowledged */
    int32_t sent, acked; /* batches; batch i has the sequence i * 2 and two records */
    int64_t next_offset[BATCH_MAX];
};
static struct sender senders[PRODUCER_COUNT];
static int64_t last_id; /* the largest that was given */

/* Acknowledged is what lies below the high watermark. */
static void acknowledge(struct log *log)
{
    struct log_partition *partition = partition_of(log, "t", 0);
    struct log_offsets offsets = {0};
    if (partition)
        log_partition_offsets(partition, &offsets);
    for (int p = 0; p < PRODUCER_COUNT; p++)
        while (senders[p].acked < senders[p].sent &&
               senders[p].next_offset[senders[p].acked] <= offsets.high_watermark)
            senders[p].acked++;
}

static enum status send_next(struct log *log, int p, int32_t batch, struct error *err)
{
    struct log_append append;
    if (batch == senders[p].sent)
        senders[p].next_offset[senders[p].sent++] = INT64_MAX;
    TRY(send(partition_of(log, "t", 0), p, 0, batch * 2, 2, &append, err));
    senders[p].next_offset[batch] = append.next_offset;
    return OK;
}

static enum status work(struct io *io, struct log **log, struct error *err)
{
    TRY(log_topic_create(*log, STR("t"), 1, configs, COUNT_OF(configs), NULL, err));
    for (int round = 0; round < 16; round++) {
        int64_t first = 0;
        TRY(log_reserve_ids(*log, 3, &first, err));
        if (first <= last_id)
            return error_set(err, ERR_EXISTS, "id %d is given twice", (int)first);
        last_id = first + 2;
        for (int p = 0; p < PRODUCER_COUNT; p++)
            for (int i = 0; i <= (round + p) % IN_FLIGHT; i++)
                TRY(send_next(*log, p, senders[p].sent, err));
        TRY(log_sync(*log, err));
        acknowledge(*log);
        if (round % 6 == 4) {
            struct log *closing = *log;
            *log = NULL;
            TRY(log_close(closing, err));
            TRY(open_log(log, io, LOG_POWER, err));
        }
    }
    return OK;
}

static bool fail(const char *what, uint64_t step, uint64_t seed, const char *text)
{
    printf("# crash at step %d, seed %d: %s: %s\n", (int)step, (int)seed, what, text);
    return false;
}

/* Each client sends again, in order, what it has not heard of, and then something new. */
static bool retry(struct log *log, uint64_t step, uint64_t seed)
{
    struct error err = {0};
    int64_t first = -1;
    if (log_reserve_ids(log, 1, &first, &err) != OK || first <= last_id)
        return fail("an id is given again", step, seed, err.text);
    last_id = first;
    if (!partition_of(log, "t", 0) &&
        log_topic_create(log, STR("t"), 1, configs, COUNT_OF(configs), NULL, &err) != OK)
        return fail("creating the topic", step, seed, err.text);
    for (int p = 0; p < PRODUCER_COUNT; p++) {
        int32_t sent = senders[p].sent;
        for (int32_t batch = senders[p].acked; batch <= sent; batch++)
            if (send_next(log, p, batch, &err) != OK)
                return fail("sending again", step, seed, err.text);
    }
    if (log_sync(log, &err) != OK)
        return fail("a sync", step, seed, err.text);
    acknowledge(log);
    return true;
}

/* Every batch that was ever sent is there exactly once, in its producer's order. */
static bool check(struct log *log, uint64_t step, uint64_t seed)
{
    struct error err = {0};
    int32_t next[PRODUCER_COUNT] = {0};
    int count = read_all(partition_of(log, "t", 0), 0, 1 << 12, seen, COUNT_OF(seen), &err);

    for (int i = 0; i < count; i++) {
        int p = -1, sequence = -1, part = -1;
        if (sscanf(seen[i].value, "%d:%d-%d", &p, &sequence, &part) != 3 || p < 0 ||
            p >= PRODUCER_COUNT || sequence + part != next[p]++)
            return fail("lost or doubled", step, seed, seen[i].value);
    }
    for (int p = 0; p < PRODUCER_COUNT; p++)
        if (next[p] != senders[p].sent * 2 || senders[p].acked != senders[p].sent)
            return fail("not all are there", step, seed, err.text);
    return true;
}

static bool run(uint64_t step, uint64_t seed, bool *out_done)
{
    struct error err = {0};
    struct io *io = simio_new(seed * 1000003 + step);
    struct log *log = NULL;
    bool good = false;

    memset(senders, 0, sizeof(senders));
    last_id = -1;
    simio_crash_at(io, step);
    enum status status = open_log(&log, io, LOG_POWER, &err);
    if (status == OK)
        status = work(io, &log, &err);
    *out_done = status == OK && !simio_crashed(io);
    if (status != OK && !simio_crashed(io)) {
        fail("the workload failed", step, seed, err.text);
        goto out;
    }
    for (int crashes = 0; crashes < 2; crashes++) { /* the second one while it sends again */
        if (!simio_crashed(io))
            simio_crash_at(io, simio_steps(io) + 1);
        if (log && log_close(log, &err) == OK)
            must(!"closed on a crashed disk");
        log = NULL;
        if ((seed + step) % 2)
            simio_kill(io);
        else
            simio_crash(io);
        error_clear(&err);
        if (open_log(&log, io, LOG_POWER, &err) != OK) {
            fail("opening", step, seed, err.text);
            goto out;
        }
        if (!retry(log, step, seed) || !check(log, step, seed))
            goto out;
    }
    good = true;
out:
    if (log && log_close(log, &err) != OK)
        good = fail("the last close", step, seed, err.text);
    simio_free(io);
    return good;
}

TEST(nothing_is_lost_or_doubled_at_any_step)
{
    CHECK(crash_at_each_step(run, 4));
}

/* Every single failing call of a kind; the clients send again after a restart. *out_reached: there
 * were that many calls. */
static bool run_fault(enum simio_fault kind, uint64_t countdown, int errno_value, bool *out_reached)
{
    struct error err = {0};
    struct io *io = simio_new(countdown);
    struct log *log = NULL;
    bool good = false;

    memset(senders, 0, sizeof(senders));
    last_id = -1;
    uint64_t allocations = fault_arm(io, kind, countdown, errno_value);
    enum status status = open_log(&log, io, LOG_POWER, &err);
    if (status == OK)
        status = work(io, &log, &err);
    *out_reached = fault_disarm(io, kind, countdown, allocations, status);
    if (log)
        acknowledge(log);
    if (log && log_close(log, &err) != OK)
        *out_reached = true;
    error_clear(&err);
    simio_crash(io);
    if (open_log(&log, io, LOG_POWER, &err) != OK)
        return fail("opening after a fault", countdown, kind, err.text);
    good = retry(log, countdown, kind) && check(log, countdown, kind);
    if (log_close(log, &err) != OK)
        good = fail("the last close", countdown, kind, err.text);
    simio_free(io);
    return good;
}

TEST(each_failing_call_or_allocation_is_survived)
{
    CHECK(fail_each_call(run_fault, 20, true));
    CHECK(fail_each_allocation(run_fault));
}

/* ---- the snapshot file ---- */

TEST(a_snapshot_has_kafkas_layout_and_a_damaged_one_costs_nothing)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    struct log_append append;
    struct buf bytes;
    const char *path = LOG_DIR "/t-0/00000000000000000006.snapshot";
    struct log_partition *partition = start(&io, &log, 0);

    CHECK_OK(send(partition, 41, 3, 0, 4, &append, &err));
    CHECK_OK(send(partition, 41, 3, 4, 2, &append, &err));
    CHECK_OK(log_close(log, &err));
    buf_init(&bytes, 1 << 20);
    CHECK_OK(io_read_file(io, path, &bytes, &err));
    CHECK_INT(bytes.length, 10 + 2 * 46);
    CHECK_INT(get_be16(bytes.data), 1);
    CHECK_INT(get_be32(bytes.data + 2), crc32c(0, bytes.data + 6, bytes.length - 6));
    CHECK_INT(get_be32(bytes.data + 6), 2);
    const uint8_t *entry = bytes.data + 10 + 46; /* the newer batch */
    CHECK_INT(get_be64(entry), 41);
    CHECK_INT(get_be16(entry + 8), 3);
    CHECK_INT(get_be32(entry + 10), 5);    /* last sequence */
    CHECK_INT(get_be64(entry + 14), 5);    /* last offset */
    CHECK_INT(get_be32(entry + 22), 1);    /* offset delta */
    CHECK_INT(get_be64(entry + 26), 1004); /* timestamp */
    CHECK_INT((int32_t)get_be32(entry + 34), -1);
    CHECK_INT((int64_t)get_be64(entry + 38), -1);
    bytes.data[30] ^= 1;
    CHECK_OK(io_publish(io, path, bytes.data, bytes.length, &err));
    CHECK_OK(open_log(&log, io, LOG_POWER, &err));
    partition = partition_of(log, "t", 0);
    CHECK_OK(send(partition, 41, 3, 0, 4, &append, &err)); /* found in the log itself */
    CHECK(append.duplicate);
    CHECK_INT(send(partition, 41, 3, 8, 1, &append, &err), ERR_SEQUENCE);
    CHECK_OK(log_close(log, &err));
    buf_fini(&bytes);
    simio_free(io);
}
