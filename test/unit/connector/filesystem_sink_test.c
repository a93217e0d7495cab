/* filesystem_sink: exactly once on a disk that forgets what was not synced. A driver in the place
 * of the sink operator and its committer runs a job of some epochs; the disk crashes at each step,
 * the process dies, calls fail; each time the job goes on from its last checkpoint. In the end each
 * row is in one file, and no hidden file is left. */
#include "connector/filesystem/filesystem.h"
#include "../check.h"
#include "base/rng.h"
#include "connector_help.h"
#include "format/csv/csv.h"
#include "format/csv/csv_value.h"
#include "os/simio.h"

#include <errno.h>
#include <stdlib.h>

#define CLASS          (CONNECTOR_FILESYSTEM.sink)
#define SUBTASKS       2
#define EPOCHS         4
#define ROWS_PER_EPOCH 12
#define ROWS           (EPOCHS * ROWS_PER_EPOCH)
#define PENDING_MAX    64

/* What a job keeps: in the test's memory, so a checkpoint always exists whole or not at all. */
static struct {
    uint64_t epoch;
    int rows;         /* written so far */
    uint64_t applied; /* committables that the ledger had then, before those that are pending */
    uint32_t pending_count;
    struct str pending[PENDING_MAX];
} checkpoint;

struct run {
    struct sink *sink;
    struct sink_writer *writers[SUBTASKS];
    struct sink_committer *committer;
    struct sink_ledger ledger;
    struct sink_committables prepared; /* not known to be committed */
};

static struct test_context context;
static struct test_wake the_wake;
static struct test_table table;
static struct rng rng;

static enum status set_text(struct vec *vec, uint32_t row, const char *text)
{
    return csv_set_cell(vec, row, str_of(text), false) == CSV_CELL_OK ? OK : ERR_DATA;
}

/* A row, written when it returns: so a seed always gives the same steps. */
static enum push_result write_row(struct run *run, int number, struct error *err)
{
    char text[16], filling[64];
    const char *values[2] = {text, filling};
    snprintf(text, sizeof(text), "%d", number);
    snprintf(filling, sizeof(filling), "%.*s", number % 40,
             "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
    struct batch *batch = test_batch(&table, 1, values, NULL, set_text);
    enum push_result result = CLASS->write(run->writers[number % SUBTASKS], batch, err);
    must(result != PUSH_DONE || test_wake_wait(&the_wake));
    batch_unref(batch);
    return result;
}

/* Also the disk is at rest then: only one thread may use it at a time. */
static enum push_result flush_all(struct run *run, struct error *err)
{
    enum push_result worst = PUSH_DONE, result;
    for (int i = 0; i < SUBTASKS; i++) {
        while ((result = CLASS->flush(run->writers[i], 1, err)) == PUSH_FULL)
            must(test_wake_wait(&the_wake));
        worst = result == PUSH_ERROR ? PUSH_ERROR : worst;
    }
    return worst;
}

static enum status commit_all(struct run *run, struct error *err)
{
    struct sink_commit commit = {run->ledger, run->ledger, run->prepared.count,
                                 run->prepared.items};
    if (!commit.count && commit.before.found)
        return OK;
    commit.after.found = true;
    commit.after.position.epoch++;
    commit.after.position.row_count += commit.count; /* here: of committables */
    TRY(CLASS->commit(run->committer, &commit, err));
    run->ledger = commit.after;
    sink_committables_drop(&run->prepared, run->prepared.count);
    return OK;
}

/* The first transaction of a sink makes its ledger and nothing else. */
static enum status take_over(struct run *run, struct error *err)
{
    TRY(CLASS->committer_open(run->sink, &run->committer, err));
    TRY(CLASS->ledger(run->committer, &run->ledger, err));
    return run->ledger.found ? OK : commit_all(run, err);
}

static void take_checkpoint(const struct run *run, int rows)
{
    for (uint32_t i = 0; i < checkpoint.pending_count; i++)
        free((char *)checkpoint.pending[i].data);
    must(run->prepared.count <= PENDING_MAX);
    checkpoint.pending_count = run->prepared.count;
    for (uint32_t i = 0; i < run->prepared.count; i++) {
        struct str bytes = run->prepared.items[i].bytes;
        char *copy = malloc(bytes.length);
        must(copy);
        memcpy(copy, bytes.data, bytes.length);
        checkpoint.pending[i] = (struct str){copy, bytes.length};
    }
    checkpoint.rows = rows;
    checkpoint.applied = run->ledger.position.row_count;
    checkpoint.epoch++;
}

static enum status open_run(struct run *run, struct error *err)
{
    bool is_gone = false;
    struct sink_request request = test_sink_request(&table, &context);
    request.format = &CSV_FORMAT;
    request.delivery = SINK_EXACTLY_ONCE;
    request.sink_id = "job/Sink(t)";
    request.log_directory = "data/sink";
    request.pending_count = checkpoint.pending_count;
    request.pending = checkpoint.pending;
    request.is_gone = checkpoint.epoch ? &is_gone : NULL;
    TRY(CLASS->open(&request, &run->sink, err));
    must(!is_gone);
    for (uint32_t i = 0; i < SUBTASKS; i++)
        TRY(CLASS->writer_open(run->sink, i, &the_wake.wake, &run->writers[i], err));
    TRY(take_over(run, err));
    uint64_t done = run->ledger.position.row_count - checkpoint.applied;
    must(done <= checkpoint.pending_count); /* those that the ledger has are not asked for again */
    for (uint32_t i = (uint32_t)done; i < checkpoint.pending_count; i++) {
        struct sink_committable one = {1, 1, checkpoint.pending[i]};
        TRY(sink_committables_add(&run->prepared, &one, err));
    }
    return commit_all(run, err);
}

static void close_run(struct run *run)
{
    struct error ignored = {0};
    for (int i = 0; i < SUBTASKS; i++)
        if (run->writers[i] && flush_all(run, &ignored) == PUSH_ERROR)
            error_clear(&ignored);
    for (int i = 0; i < SUBTASKS; i++)
        if (run->writers[i])
            CLASS->writer_close(run->writers[i]);
    if (run->committer)
        CLASS->committer_close(run->committer);
    if (run->sink)
        CLASS->close(run->sink);
    sink_committables_drop(&run->prepared, run->prepared.count);
}

static enum status one_epoch(struct run *run, struct error *err)
{
    int rows = checkpoint.rows, epochs = 1 + (int)rng_below(&rng, 2);
    for (int e = 0; e < epochs && rows < ROWS;
         e++) { /* the first of two has a checkpoint that fails */
        for (int i = 0; i < ROWS_PER_EPOCH && rows < ROWS; i++, rows++)
            if (write_row(run, rows, err) != PUSH_DONE)
                return err->code;
        if (flush_all(run, err) != PUSH_DONE)
            return err->code;
        for (int i = 0; i < SUBTASKS; i++)
            TRY(CLASS->prepare(run->writers[i], checkpoint.epoch + 1, &run->prepared, err));
    }
    take_checkpoint(run, rows);
    return rng_below(&rng, 3) ? commit_all(run, err) : OK; /* or with the next one */
}

/* From the checkpoint to the end. False: the disk has failed, or it crashed. */
static bool run_job(struct error *err)
{
    struct run run = {0};
    enum status status = open_run(&run, err);
    while (status == OK && checkpoint.rows < ROWS)
        status = one_epoch(&run, err);
    if (status == OK)
        status = commit_all(&run, err);
    close_run(&run);
    return status == OK;
}

struct found {
    int times[ROWS];
    int files, hidden;
    char path[300];
};

static enum status look_at(void *opaque, const char *name, struct error *err)
{
    struct found *found = opaque;
    struct buf text;
    if (name[0] == '.') {
        found->hidden += strncmp(name, ".leat-ledger-", 13) != 0;
        return OK;
    }
    found->files++;
    snprintf(found->path, sizeof(found->path), "out/%s", name);
    buf_init(&text, 1 << 20);
    must(io_read_file(context.context.io, found->path, &text, err) == OK);
    for (const char *line = buf_text(&text); *line; line = strchr(line, '\n') + 1) {
        long number = strtol(line, NULL, 10);
        must(number >= 0 && number < ROWS && strchr(line, '\n'));
        found->times[number]++;
    }
    buf_fini(&text);
    return OK;
}

static bool each_row_once(void)
{
    struct found found = {0};
    struct error err = {0};
    must(io_list(context.context.io, "out", look_at, &found, &err) == OK);
    for (int i = 0; i < ROWS; i++)
        if (found.times[i] != 1) {
            printf("# row %d is there %d times\n", i, found.times[i]);
            return false;
        }
    if (found.hidden || found.files < EPOCHS)
        printf("# %d hidden files, %d files\n", found.hidden, found.files);
    return !found.hidden && found.files >= EPOCHS;
}

static void begin(uint64_t seed)
{
    struct error err = {0};
    struct run none = {0};
    test_context_init(&context);
    io_pool_free(context.context.io_pool);
    must(io_pool_new(&context.context.io_pool, "io", 1, &err) == OK);
    context.context.io = simio_new(seed);
    test_wake_init(&the_wake);
    rng_init(&rng, seed);
    test_table_init(&table, "t");
    test_field(&table, "a", &TYPE_OF_INT);
    test_field(&table, "s", &TYPE_OF_STRING);
    test_option(&table, "path", "out");
    test_option(&table, "format", "csv");
    test_option(&table, "sink.rolling-policy.file-size", "100 b");
    take_checkpoint(&none, 0);
    checkpoint.epoch = 0;
}

static void end(void)
{
    struct run none = {0};
    take_checkpoint(&none, 0);
    simio_free(context.context.io);
    test_context_fini(&context);
}

/* Crashes at this step, and a second time a few steps into what follows. */
static bool crash_at(uint64_t seed, uint64_t step, bool process_only, bool *reached)
{
    struct error err = {0};
    begin(seed);
    struct io *io = context.context.io;
    simio_crash_at(io, step);
    bool done = run_job(&err);
    *reached = simio_crashed(io);
    for (int i = 0; !done && i < 10; i++) {
        error_clear(&err);
        if (process_only)
            simio_kill(io);
        else
            simio_crash(io);
        simio_crash_at(io, i == 0 ? simio_steps(io) + 1 + rng_below(&rng, 30) : 0);
        done = run_job(&err);
    }
    if (!done)
        printf("# %s\n", err.text);
    bool good = done && each_row_once();
    end();
    return good;
}

TEST(a_crash_at_every_step)
{
    uint64_t steps = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        bool reached = true;
        for (uint64_t step = 1; reached; step++, steps++)
            if (!crash_at(seed, step, seed % 3 == 0, &reached))
                CHECK_FAIL("seed %d, step %d", (int)seed, (int)step);
    }
    printf("# %d crashes\n", (int)steps);
    CHECK(steps > 300);
}

/* Calls of the disk fail one after another: the job fails with an error, and its next run is well.
 */
TEST(every_call_fails_once)
{
    for (int kind = SIMIO_WRITE; kind < SIMIO_FAULT_COUNT; kind++) {
        bool failed = true;
        for (uint64_t nth = 1; failed; nth++) {
            struct error err = {0};
            begin(nth);
            simio_fail(context.context.io, (enum simio_fault)kind, nth, EIO);
            failed = !run_job(&err);
            simio_fail(context.context.io, (enum simio_fault)kind, 0, 0);
            if (failed) {
                CHECK(err.code != OK && err.text[0]);
                error_clear(&err);
                CHECK(run_job(&err));
            }
            if (!each_row_once())
                CHECK_FAIL("kind %d, call %d", kind, (int)nth);
            end();
        }
    }
}

static char ledger_name[100];

static enum status find_ledger(void *opaque, const char *name, struct error *err)
{
    if (strncmp(name, ".leat-ledger-", 13) == 0)
        snprintf(ledger_name, sizeof(ledger_name), "out/%.80s", name);
    return OK;
}

/* A directory that was removed is no new one; a file that somebody took away is. */
TEST(what_was_removed)
{
    struct error err = {0};
    struct found found = {0};
    begin(1);
    struct io *io = context.context.io;
    simio_crash_at(io, 60);
    CHECK(!run_job(&err));
    error_clear(&err);
    simio_kill(io);
    CHECK(checkpoint.epoch > 0);
    CHECK_OK(io_remove_tree(io, "out", &err));
    bool is_gone = false;
    struct sink *sink;
    struct sink_request request = test_sink_request(&table, &context);
    request.format = &CSV_FORMAT;
    request.delivery = SINK_EXACTLY_ONCE;
    request.sink_id = "job/Sink(t)";
    request.log_directory = "data/sink";
    request.is_gone = &is_gone;
    CHECK_OK(CLASS->open(&request, &sink, &err));
    CHECK(is_gone);
    CLASS->close(sink);
    end();

    begin(2);
    io = context.context.io;
    CHECK(run_job(&err));
    CHECK_OK(io_list(io, "out", look_at, &found, &err));
    CHECK_OK(io_unlink(io, found.path, &err));
    CHECK(run_job(&err)); /* its checkpoint may still name the file */
    end();
}

/* Whoever takes a directory over shuts out who had it; another's ledger, or a damaged one, is not
 * moved. */
TEST(one_at_a_time)
{
    struct error err = {0};
    struct run first = {0}, second = {0};
    struct sink_commit commit = {0};
    begin(5);
    CHECK_OK(open_run(&first, &err));
    CHECK(first.ledger.found);
    CHECK_OK(open_run(&second, &err));
    commit.before = commit.after = first.ledger;
    CHECK_INT(CLASS->commit(first.committer, &commit, &err), ERR_FENCED);
    CHECK(err.fatal);
    error_clear(&err);
    CHECK_INT(CLASS->ledger(first.committer, &first.ledger, &err), ERR_FENCED);
    error_clear(&err);
    commit.before.position.chunk++;
    CHECK_INT(CLASS->commit(second.committer, &commit, &err), ERR_FENCED);
    error_clear(&err);
    commit.before.position.chunk--;
    CHECK_OK(CLASS->commit(second.committer, &commit, &err));
    close_run(&first);
    close_run(&second);
    end();
}

static void flip(const char *path, uint64_t at)
{
    struct error err = {0};
    struct io *io = context.context.io;
    struct io_file *file;
    uint8_t byte;
    size_t got;
    must(io_open(io, path, IO_READ | IO_WRITE, &file, &err) == OK);
    must(io_pread(io, file, &byte, 1, at, &got, &err) == OK && got == 1);
    byte ^= 4;
    must(io_pwrite(io, file, &byte, 1, at, &err) == OK);
    io_close(io, file);
}

TEST(a_damaged_ledger_is_refused)
{
    struct error err = {0};
    struct run run = {0};
    begin(6);
    CHECK_OK(open_run(&run, &err));
    close_run(&run);
    CHECK_OK(io_list(context.context.io, "out", find_ledger, NULL, &err));
    for (uint64_t at = 0; at < 75; at++) {
        run = (struct run){0};
        flip(ledger_name, at);
        CHECK_INT(open_run(&run, &err), ERR_CORRUPT);
        error_clear(&err);
        close_run(&run);
        flip(ledger_name, at);
    }
    run = (struct run){0};
    CHECK_OK(open_run(&run, &err));
    close_run(&run);
    end();
}

/* Parts of other jobs in the same directory are left alone. */
TEST(other_jobs_write_there_too)
{
    static const char other[] = "out/.part-0123456789abcdef0123456789abcdef-0-0.inprogress";
    struct error err = {0};
    struct io_file *file;
    struct io_stat stat;
    begin(3);
    struct io *io = context.context.io;
    CHECK_OK(io_make_directories(io, "out", &err));
    CHECK_OK(io_open(io, other, IO_WRITE | IO_CREATE, &file, &err));
    io_close(io, file);
    CHECK(run_job(&err));
    CHECK_OK(io_stat(io, other, &stat, &err));
    CHECK_OK(io_unlink(io, other, &err));
    CHECK(each_row_once());
    end();
}

/* A file that is old enough gets no more rows. */
TEST(files_roll_by_time)
{
    struct error err = {0};
    struct run run = {0};
    begin(4);
    table.description.option_count--; /* the size */
    test_option(&table, "sink.rolling-policy.rollover-interval", "10 s");
    CHECK_OK(open_run(&run, &err));
    for (int row = 0; row < 8; row += 2) { /* to the same writer, 6 s apart */
        CHECK_INT(write_row(&run, row, &err), PUSH_DONE);
        simio_advance_us(context.context.io, 6000000);
    }
    CHECK_INT(flush_all(&run, &err), PUSH_DONE);
    CHECK_OK(CLASS->prepare(run.writers[0], 1, &run.prepared, &err));
    CHECK_INT(run.prepared.count, 2);
    CHECK_INT(run.prepared.items[0].row_count, 3);
    close_run(&run);
    end();
}
