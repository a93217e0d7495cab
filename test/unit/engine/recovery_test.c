/* recovery_test.c - a job with checkpoints on the simulated disk while every allocation and every
 * call of the disk fails once: a clear error or none, and the run after it, on the same directory,
 * ends with what an undisturbed one gives. */
#include "engine/engine.h"

#include "base/must.h"
#include "check.h"
#include "connector/sim/sim.h"
#include "os/logger.h"
#include "os/simio.h"
#include "state/checkpoint.h"

static const struct connector_class *const CONNECTORS[] = {&CONNECTOR_SIM, NULL};
static const struct format_class *const FORMATS[] = {NULL};
static const struct plugin_registry REGISTRY = {CONNECTORS, FORMATS};

static const char *const TABLES =
    "SET 'execution.checkpointing.interval' = '1 h';"
    "CREATE TABLE t (k STRING, v INT, n STRING) WITH ('connector' = 'sim', 'rows' = "
    "'x | 1 | one\n---\ny | 2 | a longer text than twelve\n---\nx | 3 | three\n---\ny | 2 | b\n"
    "---\nz | 5 | c\n---\nx | 1 | d');"
    "CREATE TABLE o (k STRING, s INT, d BIGINT, m STRING, PRIMARY KEY (k) NOT ENFORCED)"
    "  WITH ('connector' = 'sim');";
static const char *const NO_RESTART = "SET 'restart-strategy.type' = 'none';";
static const char *const TWO_RESTARTS = "SET 'restart-strategy.type' = 'fixed-delay';"
                                        "SET 'restart-strategy.fixed-delay.attempts' = '2';";
static const char *const INSERT =
    "INSERT INTO o SELECT k, SUM(v), COUNT(DISTINCT v), MAX(n) FROM t GROUP BY k;";

struct world {
    struct io *io;
    struct plugin_context context;
    struct engine *engine;
    struct session *session;
    struct error err;
    const char *data;    /* NULL: /data */
    const char *from[2]; /* a savepoint */
};

static enum status directory(void *context, bool needed, const char **out, struct error *err)
{
    const struct world *world = context;
    *out = world->data ? world->data : "/data";
    return OK;
}

static enum status open_engine(struct world *world, uint64_t seed)
{
    const struct engine_config config = {
        .registry = &REGISTRY,
        .context = &world->context,
        .simulated = true,
        .seed = seed,
        .batch_rows = 1,
        .checkpoints = {.directory = directory,
                        .context = world,
                        .from = world->from[0] ? world->from : NULL,
                        .accept_duplicates = world->from[0] != NULL, /* the target stays */
                        .is_named = true}};
    TRY(engine_new(&world->engine, &config, &world->err));
    return engine_session_new(&world->session, world->engine, &world->err);
}

static void close_engine(struct world *world)
{
    engine_session_free(world->session);
    engine_free(world->engine);
    world->session = NULL;
    world->engine = NULL;
}

/* The statements; *job: of the last one, if it started one. */
static enum status execute(struct world *world, const char *text, struct engine_job **job,
                           bool *skipped)
{
    struct sql_script *script;
    *job = NULL;
    TRY(sql_script_open(&script, "test", str_of(text), &world->err));
    enum status status = OK;
    while (status == OK) {
        struct arena arena;
        struct statement statement = {0};
        struct engine_result result;
        arena_init(&arena, NULL, 1u << 24);
        status = sql_next(script, session_sql(world->session), &arena, &statement, &world->err);
        if (status != OK) {
            arena_fini(&arena);
            break;
        }
        status = engine_execute(world->session, &statement, &arena, NULL, &result, &world->err);
        if (status == OK) {
            *job = result.job;
            *skipped = result.kind == RESULT_SKIPPED;
            engine_result_fini(&result);
        }
    }
    sql_script_close(script);
    return status == ERR_END ? OK : status;
}

/* Runs the job to its end with a checkpoint now and then. OK: it finished, now or before. */
static enum status run(struct world *world)
{
    struct engine_job *job;
    struct job_status status;
    bool skipped = false;
    world->err = (struct error){0};
    TRY(execute(world, INSERT, &job, &skipped));
    world->err = (struct error){0}; /* of the text's end */
    if (skipped)
        return OK;
    while (engine_simulate(world->engine, 3) > 0)
        engine_job_barrier(job);
    engine_job_wait(job, -1);
    engine_job_status(job, &status);
    engine_job_release(job);
    if (status.state == JOB_FINISHED)
        return OK;
    world->err = status.error;
    return status.error.code != OK ? status.error.code : ERR_CANCELLED;
}

/* The last row that the sink took for a key, as text. */
static bool is_last(const char *key, const char *wanted)
{
    struct sim_row row;
    char text[200] = "";
    for (size_t i = 0; sim_captured("o", i, &row); i++)
        if (str_eq(row.values[0].text, str_of(key)))
            snprintf(text, sizeof(text), "%.*s %.*s %.*s", (int)row.values[1].text.length,
                     row.values[1].text.data, (int)row.values[2].text.length,
                     row.values[2].text.data, (int)row.values[3].text.length,
                     row.values[3].text.data);
    if (strcmp(text, wanted) == 0)
        return true;
    printf("# %s: '%s', not '%s'\n", key, text, wanted);
    return false;
}

static bool result_is_right(void)
{
    return is_last("x", "5 2 three") && is_last("y", "4 1 b") && is_last("z", "5 1 c");
}

static bool begin(struct world *world, uint64_t seed)
{
    struct engine_job *job;
    bool skipped;
    *world = (struct world){.io = simio_new(seed)};
    sim_guarantee(SINK_ASKS_EXACTLY_ONCE);
    world->context = (struct plugin_context){.io = world->io, .output_fd = 1};
    return open_engine(world, seed) == OK && execute(world, NO_RESTART, &job, &skipped) == OK &&
           execute(world, TABLES, &job, &skipped) == OK;
}

/* As a new process on the same disk, which nothing disturbs. */
static bool runs_after(struct world *world, uint64_t seed)
{
    struct engine_job *job;
    bool skipped;
    close_engine(world);
    simio_crash(world->io);
    world->err = (struct error){0};
    return open_engine(world, seed + 1) == OK && execute(world, TABLES, &job, &skipped) == OK &&
           run(world) == OK && result_is_right();
}

static void end(struct world *world)
{
    close_engine(world);
    simio_free(world->io);
    sim_reset();
}

TEST(undisturbed)
{
    struct world world;
    CHECK(begin(&world, 1));
    CHECK(run(&world) == OK);
    CHECK(result_is_right());
    CHECK(runs_after(&world, 1));
    end(&world);
}

TEST(every_allocation_fails_once)
{
    logger_set_level(LOG_ERROR);
    bool finished = false;
    uint32_t failed = 0;
    for (uint64_t countdown = 1; !finished; countdown += countdown > 300 ? 7 : 1) {
        struct world world;
        CHECK(begin(&world, countdown));
        uint64_t before = mem_alloc_count();
        mem_fail_after(countdown);
        enum status status = run(&world);
        mem_fail_after(0);
        finished = mem_alloc_count() - before < countdown;
        failed += status != OK;
        if (status == ERR_MEMORY && strstr(world.err.text, "captured rows")) {
            end(&world); /* the sink's memory of the rows, not what is tested */
            continue;
        }
        bool sim_failed = strncmp(world.err.text, "sim input", 9) == 0; /* says it is bad data */
        if (status != OK && !sim_failed && (status != ERR_MEMORY || !world.err.text[0]))
            CHECK_FAIL("allocation %d: %s: %s", (int)countdown, status_name(status),
                       world.err.text);
        if (!runs_after(&world, countdown))
            CHECK_FAIL("after allocation %d failed: %s", (int)countdown, world.err.text);
        end(&world);
    }
    CHECK(failed > 50);
}

TEST(every_call_of_the_disk_fails_once)
{
    for (int kind = 0; kind < SIMIO_FAULT_COUNT; kind++) {
        uint32_t quiet = 0;
        for (uint64_t countdown = 1; quiet < 3; countdown++) {
            struct world world;
            CHECK(begin(&world, countdown));
            uint64_t steps = simio_steps(world.io);
            simio_fail(world.io, (enum simio_fault)kind, countdown, 28);
            enum status status = run(&world);
            simio_fail(world.io, (enum simio_fault)kind, 0, 0);
            quiet =
                status == OK && (kind == SIMIO_READ || simio_steps(world.io) - steps < countdown)
                    ? quiet + 1
                    : 0;
            if (status != OK && !world.err.text[0])
                CHECK_FAIL("call %d of kind %d: no text", (int)countdown, kind);
            if (!runs_after(&world, countdown))
                CHECK_FAIL("after call %d of kind %d failed: %s", (int)countdown, kind,
                           world.err.text);
            end(&world);
            if (countdown > 400)
                break;
        }
    }
}

/* Until the job has ended; its clock is moved to each restart. */
static struct job_status drive(struct world *world, struct engine_job *job)
{
    struct job_status status;
    for (;;) {
        engine_job_barrier(job);
        uint64_t steps = engine_simulate(world->engine, 5);
        engine_job_status(job, &status);
        if (job_state_is_final(status.state))
            return status;
        if (steps)
            continue;
        int64_t due_us = engine_next_timer_us(world->engine);
        must(due_us != INT64_MAX && status.state == JOB_RESTARTING);
        must(status.error.code == ERR_DISK_FULL && status.ended_us == 0);
        simio_advance_us(world->io, due_us - io_monotonic_us(world->io));
    }
}

/* The job under a strategy of two restarts while the disk fails as asked. */
static struct job_status restart_run(struct world *world, uint64_t failing_sync, uint64_t capacity,
                                     struct job_failures *failures)
{
    struct engine_job *job = NULL;
    struct job_status status = {.state = JOB_FAILED};
    bool skipped;
    *failures = (struct job_failures){0};
    must(execute(world, TWO_RESTARTS, &job, &skipped) == OK);
    world->err = (struct error){0};
    simio_fail(world->io, SIMIO_SYNC, failing_sync, 28);
    if (execute(world, INSERT, &job, &skipped) == OK) {
        simio_set_capacity(world->io, capacity);
        status = drive(world, job);
        engine_job_failures(job, failures);
        engine_job_release(job);
    }
    simio_fail(world->io, SIMIO_SYNC, 0, 0);
    simio_set_capacity(world->io, 0);
    return status;
}

TEST(a_job_is_started_again)
{
    uint32_t seen = 0;
    logger_set_level(LOG_ERROR);
    for (uint64_t countdown = 1; countdown < 40; countdown++) {
        struct world world;
        struct job_failures failures;
        CHECK(begin(&world, countdown));
        struct job_status status = restart_run(&world, countdown, 0, &failures);
        seen += failures.count;
        if (failures.count) { /* it was the last checkpoint that failed */
            CHECK(status.restarts == 1 && failures.count == 1);
            CHECK(status.state == JOB_FINISHED && result_is_right());
        }
        end(&world);
    }
    CHECK(seen > 0);
}

TEST(a_job_is_given_up)
{
    struct world world;
    struct job_failures failures;
    logger_set_level(LOG_ERROR);
    CHECK(begin(&world, 1));
    struct job_status status = restart_run(&world, 0, 1, &failures);
    CHECK_INT(status.state, JOB_FAILED);
    CHECK_INT(status.restarts, 2);
    CHECK_INT(failures.count, 3);
    CHECK(strstr(failures.entries[2].text, "a sink's log"));
    CHECK(runs_after(&world, 1));
    end(&world);
}

TEST(a_job_that_waits_is_cancelled)
{
    struct world world;
    struct engine_job *job = NULL;
    struct job_status status;
    struct buf why;
    bool skipped;
    logger_set_level(LOG_ERROR);
    CHECK(begin(&world, 1));
    CHECK(execute(&world, TWO_RESTARTS, &job, &skipped) == OK);
    world.err = (struct error){0};
    CHECK(execute(&world, INSERT, &job, &skipped) == OK);
    simio_set_capacity(world.io, 1);
    CHECK(!engine_job_wait(job, -1)); /* for the clock, which stands still */
    engine_job_status(job, &status);
    CHECK_INT(status.state, JOB_RESTARTING);
    buf_init(&why, 1u << 16);
    engine_job_why(job, &why);
    CHECK(strstr(buf_text(&why), "started again in 1.0 s"));
    buf_fini(&why);
    engine_job_cancel(job);
    CHECK(engine_job_wait(job, -1));
    engine_job_status(job, &status);
    CHECK_INT(status.state, JOB_CANCELLED);
    engine_job_release(job);
    end(&world);
}

/* A savepoint after some steps of the job, its path to `path`. False: the job was over by then. */
static bool save(struct world *world, uint64_t steps, struct buf *path)
{
    struct engine_job *job = NULL;
    struct job_status status;
    bool skipped;
    must(execute(world, INSERT, &job, &skipped) == OK);
    world->err = (struct error){0};
    for (uint64_t i = 0; i < steps; i++)
        if (engine_simulate(world->engine, 1) && i % 3 == 0)
            engine_job_barrier(job);
    engine_job_status(job, &status);
    bool saved = !job_state_is_final(status.state) &&
                 engine_job_savepoint(job, "/saves", SAVEPOINT_GO_ON, path, &world->err) == OK;
    engine_job_cancel(job);
    must(engine_job_wait(job, -1));
    engine_job_release(job);
    struct checkpoint *checkpoint = NULL;
    char where[1000];
    must(!saved || checkpoint_load(world->io, buf_text(path), &checkpoint, where, sizeof(where),
                                   &world->err) == OK);
    saved = saved && checkpoint->end == CHECKPOINT_RUNNING; /* it had not read all by then */
    checkpoint_free(checkpoint);
    return saved;
}

TEST(a_savepoint_is_taken_up_twice)
{
    uint32_t saved = 0;
    logger_set_level(LOG_ERROR);
    for (uint64_t seed = 1; seed < 100; seed++) {
        struct world world;
        struct buf path;
        uint64_t steps = seed % 10;
        buf_init(&path, 1000);
        CHECK(begin(&world, seed));
        if (save(&world, steps, &path)) {
            struct error err = {0};
            CHECK_OK(io_remove_tree(world.io, "/data", &err)); /* it needs nothing of the job */
            for (int fork = 0; fork < 2; fork++) {
                world.data = fork ? "/other" : "/fork";
                world.from[0] = buf_text(&path);
                if (!runs_after(&world, seed))
                    CHECK_FAIL("seed %d, fork %d: %s", (int)seed, fork, world.err.text);
                CHECK(engine_savepoint_unused(world.engine) == NULL);
            }
            saved++;
        }
        buf_fini(&path);
        end(&world);
    }
    printf("# %u savepoints in the middle\n", saved);
    CHECK(saved > 10);
}
