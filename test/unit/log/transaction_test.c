/* transaction_test.c - transactions in a partition: what is stable and what is aborted, compared
 * with what the log's bytes say by themselves, also after a crash at any step.
 *
 * The independent reader walks over all batches from the front and follows transactions from their
 * first batch to their marker. The log's own answers are the last stable offset and the list of
 * aborted transactions of a range.
 */
#include "fault_help.h"

#include "base/must.h"
#include "kafka/bytes.h"

#define PRODUCER_COUNT 4
#define BATCHES_MAX    2000

static const struct log_config_entry configs[] = {
    {"segment.bytes", "900"}, {"index.interval.bytes", "100"}, {"retention.ms", "-1"}};

/* One record "ID:SEQUENCE", transactional or not. */
static enum status send(struct log_partition *partition, int64_t id, int16_t epoch,
                        int32_t sequence, bool transactional, struct log_append *out,
                        struct error *err)
{
    struct record_builder builder;
    struct buf bytes;
    char value[64];

    buf_init(&bytes, 1 << 20);
    record_builder_begin(&builder, &bytes, NULL, COMPRESSION_NONE);
    builder.producer_id = id;
    builder.producer_epoch = epoch;
    builder.base_sequence = sequence;
    builder.attributes |= transactional ? RECORD_TRANSACTIONAL : 0;
    int length = snprintf(value, sizeof(value), "%d:%d", (int)id, sequence);
    record_builder_add(&builder, 1000, NULL, -1, value, length, NULL, 0);
    enum status status = record_builder_finish(&builder, err);
    *out = (struct log_append){.batches = bytes.data, .size_bytes = bytes.length};
    if (status == OK)
        status = log_append(partition, out, err);
    buf_fini(&bytes);
    return status;
}

static enum status mark(struct log_partition *partition, int64_t id, int16_t epoch,
                        enum record_marker marker, struct error *err)
{
    struct buf bytes;

    buf_init(&bytes, 1 << 20);
    enum status status = record_marker_build(&bytes, id, epoch, marker, 0, 1000, err);
    struct log_append append = {.batches = bytes.data, .size_bytes = bytes.length};
    if (status == OK)
        status = log_append(partition, &append, err);
    buf_fini(&bytes);
    return status;
}

/* ---- two readers ---- */

struct view { /* base offsets of batches that a reader of committed records is given */
    int64_t last_stable;
    int64_t offsets[BATCHES_MAX];
    int count;
};

/* All batches between log start and high watermark. False: err says why. */
static bool each_batch(struct log_partition *partition, int64_t offset,
                       bool (*each)(void *context, const struct record_batch *batch), void *context,
                       struct error *err)
{
    struct log_reader *reader = NULL;
    bool good = true, more = true;

    if (log_reader_open(&reader, partition, err) != OK)
        return false;
    while (good && more) {
        struct log_read read = {
            .offset = offset, .limit_offset = INT64_MAX, .max_bytes = 500, .whole_batch = true};
        good = log_read(reader, &read, err) == OK;
        more = good && read.block;
        for (size_t at = 0; more && good && at < read.block->size_bytes;) {
            struct record_batch batch;
            good = record_batch_parse(&batch, read.block->data + at, read.block->size_bytes - at,
                                      err) == OK;
            good = good && each(context, &batch);
            at += batch.size_bytes;
        }
        if (more)
            buffer_unref(read.block);
        offset = read.next_offset;
    }
    log_reader_close(reader);
    return good;
}

struct found {
    int64_t base_offset, producer_id;
    enum { PLAIN, OPEN, COMMITTED, ABORTED } fate;
};
static struct found found[BATCHES_MAX];
static int found_count;

static bool follow(void *context, const struct record_batch *batch)
{
    if (found_count == BATCHES_MAX)
        return false;
    if (!(batch->attributes & RECORD_CONTROL)) {
        found[found_count++] =
            (struct found){batch->base_offset, batch->producer_id,
                           batch->attributes & RECORD_TRANSACTIONAL ? OPEN : PLAIN};
        return true;
    }
    for (int i = 0; i < found_count; i++)
        if (found[i].fate == OPEN && found[i].producer_id == batch->producer_id)
            found[i].fate =
                record_batch_marker(batch) == RECORD_MARKER_COMMIT ? COMMITTED : ABORTED;
    return true;
}

static bool view_alone(struct log_partition *partition, int64_t from, struct view *out,
                       struct error *err)
{
    struct log_offsets offsets;

    log_partition_offsets(partition, &offsets);
    found_count = out->count = 0;
    out->last_stable = offsets.high_watermark;
    if (!each_batch(partition, offsets.log_start, follow, NULL, err))
        return false;
    for (int i = found_count - 1; i >= 0; i--)
        if (found[i].fate == OPEN)
            out->last_stable = found[i].base_offset;
    for (int i = 0; i < found_count; i++)
        if (found[i].fate != ABORTED && found[i].base_offset < out->last_stable &&
            found[i].base_offset >= from)
            out->offsets[out->count++] = found[i].base_offset;
    return true;
}

struct filter {
    struct view *view;
    const struct log_aborted *aborted;
    size_t aborted_count;
};

static bool filter(void *context, const struct record_batch *batch)
{
    struct filter *self = context;
    bool skip = batch->attributes & RECORD_CONTROL || batch->base_offset >= self->view->last_stable;
    for (size_t i = 0; i < self->aborted_count; i++)
        skip |= batch->attributes & RECORD_TRANSACTIONAL &&
                batch->producer_id == self->aborted[i].producer_id &&
                batch->base_offset >= self->aborted[i].first_offset &&
                batch->base_offset <= self->aborted[i].last_offset;
    if (!skip && self->view->count < BATCHES_MAX)
        self->view->offsets[self->view->count++] = batch->base_offset;
    return true;
}

static bool view_by_log(struct log_partition *partition, int64_t from, struct view *out,
                        struct error *err)
{
    struct log_offsets offsets;
    struct buf aborted;

    buf_init(&aborted, 1 << 20);
    log_partition_offsets(partition, &offsets);
    *out = (struct view){.last_stable = offsets.last_stable};
    bool good = log_aborted_list(partition, from, offsets.last_stable, &aborted, err) == OK;
    struct filter self = {out, (const struct log_aborted *)aborted.data,
                          aborted.length / sizeof(struct log_aborted)};
    good = good && each_batch(partition, from, filter, &self, err);
    buf_fini(&aborted);
    return good;
}

static struct view alone, by_log;

/* Both readers see the same, wherever they begin. */
static bool same(struct log_partition *partition, struct error *err)
{
    struct log_offsets offsets;

    log_partition_offsets(partition, &offsets);
    for (int64_t from = offsets.log_start; from <= offsets.high_watermark;
         from += 1 + (offsets.high_watermark - offsets.log_start) / 7) {
        if (!view_alone(partition, from, &alone, err) ||
            !view_by_log(partition, from, &by_log, err))
            return false;
        if (alone.last_stable != by_log.last_stable || alone.count != by_log.count ||
            memcmp(alone.offsets, by_log.offsets, (size_t)alone.count * sizeof(int64_t)) != 0) {
            error_set(err, ERR_DATA,
                      "from %d: stable up to %d, the log says %d; %d batches, the log shows %d",
                      (int)from, (int)alone.last_stable, (int)by_log.last_stable, alone.count,
                      by_log.count);
            return false;
        }
    }
    return true;
}

/* ---- behaviour ---- */

static struct log_partition *start(struct io **io, struct log **log, enum log_durability durability)
{
    struct error err = {0};
    *io = simio_new(1);
    must(open_log(log, *io, durability, &err) == OK);
    must(log_topic_create(*log, STR("t"), 1, configs, COUNT_OF(configs), NULL, &err) == OK);
    return partition_of(*log, "t", 0);
}

static int64_t last_stable(struct log_partition *partition)
{
    struct log_offsets offsets;
    log_partition_offsets(partition, &offsets);
    return offsets.last_stable;
}

TEST(stable_is_what_lies_below_the_first_open_transaction)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    struct log_append append;
    struct log_partition *partition = start(&io, &log, LOG_POWER);

    CHECK_OK(send(partition, 9, 0, 0, false, &append, &err));
    CHECK_OK(send(partition, 1, 0, 0, true, &append, &err));
    CHECK_OK(send(partition, 2, 0, 0, true, &append, &err));
    CHECK_INT(last_stable(partition), 0);
    CHECK_OK(log_sync(log, &err));
    CHECK_INT(last_stable(partition), 1);
    CHECK_OK(mark(partition, 1, 0, RECORD_MARKER_COMMIT, &err));
    CHECK_INT(last_stable(partition), 1); /* the marker is not durable yet */
    CHECK_OK(send(partition, 1, 0, 1, true, &append, &err));
    CHECK_INT(last_stable(partition), 1);
    CHECK_OK(log_sync(log, &err));
    CHECK_INT(last_stable(partition), 2);
    CHECK_OK(mark(partition, 2, 0, RECORD_MARKER_ABORT, &err));
    CHECK_OK(log_sync(log, &err));
    CHECK_INT(last_stable(partition), 4);
    CHECK(same(partition, &err));
    CHECK_INT(by_log.last_stable, 4);
    CHECK_OK(mark(partition, 1, 0, RECORD_MARKER_ABORT, &err));
    CHECK_OK(log_sync(log, &err));
    CHECK_INT(last_stable(partition), 7);
    CHECK(same(partition, &err));
    CHECK(view_by_log(partition, 0, &by_log, &err));
    CHECK_INT(by_log.count, 2); /* 0 and 1 */
    CHECK_OK(log_close(log, &err));
    simio_free(io);
}

TEST(without_power_durability_a_marker_counts_at_once)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    struct log_append append;
    struct log_partition *partition = start(&io, &log, LOG_PROCESS);

    CHECK_OK(send(partition, 1, 0, 0, true, &append, &err));
    CHECK_INT(last_stable(partition), 0);
    CHECK_OK(mark(partition, 1, 0, RECORD_MARKER_ABORT, &err));
    CHECK_INT(last_stable(partition), 2);
    CHECK(same(partition, &err));
    CHECK_OK(log_close(log, &err));
    simio_free(io);
}

TEST(a_marker_raises_the_epoch_and_what_is_outside_is_refused)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    struct log_append append;
    struct log_partition *partition = start(&io, &log, LOG_POWER);

    CHECK_OK(send(partition, 1, 0, 0, true, &append, &err));
    CHECK_INT(send(partition, 1, 0, 1, false, &append, &err), ERR_TRANSACTION);
    CHECK_OK(mark(partition, 1, 1, RECORD_MARKER_ABORT, &err)); /* fenced by the coordinator */
    CHECK_INT(send(partition, 1, 0, 1, true, &append, &err), ERR_FENCED);
    CHECK_INT(mark(partition, 1, 0, RECORD_MARKER_COMMIT, &err), ERR_FENCED);
    CHECK_INT(send(partition, 1, 1, 1, true, &append, &err), ERR_SEQUENCE);
    CHECK_OK(log_close(log, &err)); /* the epoch without a batch is kept too */
    CHECK_OK(open_log(&log, io, LOG_POWER, &err));
    partition = partition_of(log, "t", 0);
    CHECK_INT(send(partition, 1, 0, 1, true, &append, &err), ERR_FENCED);
    CHECK_INT(send(partition, 1, 1, 1, true, &append, &err), ERR_SEQUENCE);
    CHECK_OK(send(partition, 1, 1, 0, true, &append, &err));
    CHECK_INT(append.base_offset, 2);
    CHECK_OK(send(partition, 1, 1, 0, true, &append, &err));
    CHECK(append.duplicate);
    CHECK_OK(send(partition, 1, 1, -1, true, &append, &err)); /* the broker's own: no sequence */
    CHECK(!append.duplicate);
    CHECK_OK(log_close(log, &err));
    simio_free(io);
}

/* Whoever has an open transaction is not forgotten, however silent. */
TEST(an_open_transaction_keeps_its_producer)
{
    struct io *io = simio_new(1);
    struct log *log;
    struct error err = {0};
    struct log_append append;
    int64_t next_ms;
    struct log_settings settings = {.io = io, .directory = LOG_DIR, .producer_expiry_ms = 60000};

    CHECK_OK(log_open(&log, &settings, &err));
    CHECK_OK(log_topic_create(log, STR("t"), 1, configs, COUNT_OF(configs), NULL, &err));
    struct log_partition *partition = partition_of(log, "t", 0);
    CHECK_OK(send(partition, 1, 0, 0, true, &append, &err));
    CHECK_OK(send(partition, 2, 0, 0, false, &append, &err));
    simio_advance_us(io, 70 * INT64_C(1000000));
    CHECK_OK(log_retain(log, &next_ms, &err));
    CHECK_OK(send(partition, 2, 0, 9, false, &append, &err)); /* forgotten */
    CHECK_INT(send(partition, 1, 0, 9, true, &append, &err), ERR_SEQUENCE);
    CHECK_OK(mark(partition, 1, 0, RECORD_MARKER_ABORT, &err));
    CHECK_OK(log_sync(log, &err));
    CHECK(same(partition, &err));
    CHECK_OK(log_close(log, &err));
    simio_free(io);
}

TEST(deleted_records_are_decided)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    struct log_append append;
    int64_t log_start;
    struct log_partition *partition = start(&io, &log, LOG_POWER);

    CHECK_OK(send(partition, 1, 0, 0, true, &append, &err));
    for (int i = 0; i < 40; i++) /* over several segments */
        CHECK_OK(send(partition, 2, 0, i, false, &append, &err));
    CHECK_OK(log_sync(log, &err));
    CHECK_INT(last_stable(partition), 0);
    CHECK_OK(log_delete_records(partition, 30, &log_start, &err));
    CHECK_INT(last_stable(partition), 30);
    CHECK_OK(mark(partition, 1, 0, RECORD_MARKER_ABORT, &err));
    CHECK_OK(log_sync(log, &err));
    CHECK_INT(last_stable(partition), 42);
    CHECK(same(partition, &err));
    CHECK_OK(log_close(log, &err));
    simio_free(io);
}

/* ---- files ---- */

/* Ten transactions, every other one aborted, with an open one at the end. */
static void fill(struct log *log)
{
    struct error err = {0};
    struct log_append append;
    struct log_partition *partition = partition_of(log, "t", 0);

    for (int i = 0; i < 10; i++) {
        must(send(partition, 3, 0, 2 * i, true, &append, &err) == OK);
        must(send(partition, 9, 0, i, false, &append, &err) == OK);
        must(send(partition, 3, 0, 2 * i + 1, true, &append, &err) == OK);
        must(mark(partition, 3, 0, i % 2 ? RECORD_MARKER_COMMIT : RECORD_MARKER_ABORT, &err) == OK);
    }
    must(send(partition, 4, 0, 0, true, &append, &err) == OK);
    must(log_sync(log, &err) == OK);
}

TEST(the_index_of_aborted_transactions_has_kafkas_layout)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    struct buf bytes;
    const char *path = LOG_DIR "/t-0/00000000000000000000.txnindex";

    start(&io, &log, LOG_POWER);
    fill(log);
    CHECK_OK(log_close(log, &err));
    buf_init(&bytes, 1 << 20);
    CHECK_OK(io_read_file(io, path, &bytes, &err));
    CHECK(bytes.length >= 2 * 34 && bytes.length % 34 == 0);
    const uint8_t *entry = bytes.data + 34; /* the second */
    CHECK_INT(get_be16(entry), 0);
    CHECK_INT(get_be64(entry + 2), 3);
    CHECK_INT(get_be64(entry + 10), 8);         /* first offset */
    CHECK_INT(get_be64(entry + 18), 11);        /* the marker's */
    CHECK_INT(get_be64(entry + 26), 12);        /* stable then */
    for (size_t i = 0; i < bytes.length; i++) { /* whatever is wrong with it, it is made again */
        if (i % 34 >= 10 && i % 34 < 18 && i % 34 != 10)
            continue; /* offsets that make sense by their form, and a producer's id, are believed */
        if ((i % 34 > 2 && i % 34 < 10) || (i % 34 > 18))
            continue;
        bytes.data[i] ^= 0x80;
        CHECK_OK(io_publish(io, path, bytes.data, bytes.length, &err));
        bytes.data[i] ^= 0x80;
        CHECK_OK(open_log(&log, io, LOG_POWER, &err));
        CHECK(same(partition_of(log, "t", 0), &err));
        CHECK_OK(log_close(log, &err));
    }
    CHECK_OK(io_publish(io, path, bytes.data, bytes.length - 1, &err));
    CHECK_OK(open_log(&log, io, LOG_POWER, &err));
    CHECK(same(partition_of(log, "t", 0), &err));
    CHECK_INT(last_stable(partition_of(log, "t", 0)), 40);
    CHECK_OK(log_close(log, &err));
    buf_fini(&bytes);
    simio_free(io);
}

/* Without any snapshot of the producers everything is found in the log. */
TEST(transactions_are_found_without_a_snapshot)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    char path[128];

    start(&io, &log, LOG_POWER);
    fill(log);
    CHECK_OK(log_close(log, &err));
    for (int offset = 0; offset < 60; offset++) {
        snprintf(path, sizeof(path), LOG_DIR "/t-0/%020d.snapshot", offset);
        if (io->ops->unlink(io, path, &err) != OK)
            error_clear(&err);
    }
    CHECK_OK(open_log(&log, io, LOG_POWER, &err));
    CHECK(same(partition_of(log, "t", 0), &err));
    CHECK_INT(last_stable(partition_of(log, "t", 0)), 40);
    CHECK_OK(log_close(log, &err));
    simio_free(io);
}

/* ---- crashes ---- */

struct model { /* of one producer */
    int32_t next_sequence;
    bool open;
};
static struct model models[PRODUCER_COUNT];
static uint64_t random_state;

static uint32_t draw(uint32_t below)
{
    random_state = random_state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(random_state >> 33) % below;
}

static enum status step_of_work(struct log *log, struct error *err)
{
    struct log_partition *partition = partition_of(log, "t", 0);
    struct log_append append;
    uint32_t p = draw(PRODUCER_COUNT);
    struct model *model = &models[p];

    if (model->open && draw(3) == 0) {
        model->open = false;
        return mark(partition, p, 0, draw(2) ? RECORD_MARKER_COMMIT : RECORD_MARKER_ABORT, err);
    }
    bool transactional = p > 0; /* producer 0 is a plain one */
    model->open |= transactional;
    return send(partition, p, 0, model->next_sequence++, transactional, &append, err);
}

static enum status work(struct io *io, struct log **log, struct error *err)
{
    int64_t log_start;

    TRY(log_topic_create(*log, STR("t"), 1, configs, COUNT_OF(configs), NULL, err));
    for (int i = 0; i < 160; i++) {
        TRY(step_of_work(*log, err));
        if (i % 5 == 4)
            TRY(log_sync(*log, err));
        if (i % 60 == 50) {
            struct log *closing = *log;
            *log = NULL;
            TRY(log_close(closing, err));
            TRY(open_log(log, io, LOG_POWER, err));
        }
        if (i == 110)
            TRY(log_delete_records(partition_of(*log, "t", 0), 40, &log_start, err));
    }
    return OK;
}

static bool fail(const char *what, uint64_t step, uint64_t seed, const char *text)
{
    printf("# crash at step %d, seed %d: %s: %s\n", (int)step, (int)seed, what, text);
    return false;
}

/* What is left of all transactions is ended, so that nothing stays behind. */
static bool end_all(struct log *log, struct error *err)
{
    struct log_partition *partition = partition_of(log, "t", 0);
    if (!partition)
        return true;
    if (!same(partition, err))
        return false;
    for (int64_t p = 1; p < PRODUCER_COUNT; p++)
        if (mark(partition, p, 0, RECORD_MARKER_ABORT, err) != OK)
            return false;
    if (log_sync(log, err) != OK || !same(partition, err))
        return false;
    struct log_offsets offsets;
    log_partition_offsets(partition, &offsets);
    return offsets.last_stable == offsets.high_watermark ||
           error_set(err, ERR_DATA, "stable up to %d of %d", (int)offsets.last_stable,
                     (int)offsets.high_watermark) == OK;
}

static bool recover(struct io *io, struct log **log, uint64_t step, uint64_t seed)
{
    struct error err = {0};
    if (open_log(log, io, LOG_POWER, &err) != OK)
        return fail("opening", step, seed, err.text);
    return end_all(*log, &err) || fail("transactions", step, seed, err.text);
}

static bool run(uint64_t step, uint64_t seed, bool *out_done)
{
    struct error err = {0};
    struct io *io = simio_new(seed * 1000003 + step);
    struct log *log = NULL;
    bool good = false;

    memset(models, 0, sizeof(models));
    random_state = seed;
    simio_crash_at(io, step);
    enum status status = open_log(&log, io, LOG_POWER, &err);
    if (status == OK)
        status = work(io, &log, &err);
    *out_done = status == OK && !simio_crashed(io);
    if (status != OK && !simio_crashed(io)) {
        fail("the workload failed", step, seed, err.text);
        goto out;
    }
    for (int crashes = 0; crashes < 2; crashes++) {
        if (!simio_crashed(io))
            simio_crash_at(io, simio_steps(io) + 1);
        if (log && log_close(log, &err) == OK)
            must(!"closed on a crashed disk");
        log = NULL;
        if ((seed + step) % 2)
            simio_kill(io);
        else
            simio_crash(io);
        if (!recover(io, &log, step, seed))
            goto out;
    }
    good = true;
out:
    if (log && log_close(log, &err) != OK)
        good = fail("the last close", step, seed, err.text);
    simio_free(io);
    return good;
}

TEST(what_is_stable_and_aborted_survives_a_crash_at_any_step)
{
    CHECK(crash_at_each_step(run, 4));
}

/* Every single failing call or allocation. *out_reached: there were that many. */
static bool run_fault(enum simio_fault kind, uint64_t countdown, int errno_value, bool *out_reached)
{
    struct error err = {0};
    struct io *io = simio_new(countdown);
    struct log *log = NULL;
    bool good = false;

    memset(models, 0, sizeof(models));
    random_state = 1;
    uint64_t allocations = fault_arm(io, kind, countdown, errno_value);
    enum status status = open_log(&log, io, LOG_POWER, &err);
    if (status == OK)
        status = work(io, &log, &err);
    *out_reached = fault_disarm(io, kind, countdown, allocations, status);
    if (log && log_close(log, &err) != OK)
        *out_reached = true;
    simio_crash(io);
    log = NULL;
    good = recover(io, &log, countdown, kind);
    if (log && log_close(log, &err) != OK)
        good = fail("the last close", countdown, kind, err.text);
    simio_free(io);
    return good;
}

TEST(each_failing_call_or_allocation_is_survived)
{
    CHECK(fail_each_call(run_fault, 20, true));
    CHECK(fail_each_allocation(run_fault));
}
