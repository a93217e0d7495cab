/* engine_test.c - sessions, settings, statements and jobs through engine.h, on simulated engines
 * and on one with workers. */
#include "engine/engine.h"

#include "base/must.h"
#include "connector/sim/sim.h"
#include "os/simio.h"
#include "check.h"

static const struct connector_class *const CONNECTORS[] = {&CONNECTOR_SIM, NULL};
static const struct format_class *const FORMATS[] = {NULL};
static const struct plugin_registry REGISTRY = {CONNECTORS, FORMATS};

#define T                                                                                          \
    "CREATE TABLE t (k STRING, a INT) WITH ('connector' = 'sim', 'rows' = 'x | 1\ny | 2\nx | 3');"
#define O "CREATE TABLE o (k STRING, a INT) WITH ('connector' = 'sim');"

struct world {
    struct io *io;
    struct plugin_context context;
    struct engine *engine;
    struct session *session;
    struct error err;
    struct engine_result result; /* of the last statement */
    bool has_result;
    uint32_t rows, ended;
    enum job_state state;
};

static bool open_world(struct world *world, uint32_t worker_threads)
{
    *world = (struct world){.io = worker_threads ? io_real() : simio_new(1)};
    world->context = (struct plugin_context){.io = world->io};
    const struct engine_config config = {.registry = &REGISTRY,
                                         .context = &world->context,
                                         .worker_threads = worker_threads,
                                         .simulated = worker_threads == 0};
    return engine_new(&world->engine, &config, &world->err) == OK &&
           engine_session_new(&world->session, world->engine, &world->err) == OK;
}

static void drop_result(struct world *world)
{
    if (world->has_result)
        engine_result_fini(&world->result);
    world->has_result = false;
}

static void close_world(struct world *world)
{
    drop_result(world);
    engine_session_free(world->session);
    engine_free(world->engine);
    if (world->io != io_real())
        simio_free(world->io);
    sim_reset();
}

static enum push_result on_rows(void *context, struct batch *batch, struct error *err)
{
    ((struct world *)context)->rows += batch->selected_count;
    return PUSH_DONE;
}

static void on_ended(void *context, enum job_state state, const struct error *error)
{
    ((struct world *)context)->ended++;
    ((struct world *)context)->state = state;
}

/* All statements of the text; the last one's result is kept. */
static enum status run(struct world *world, const char *text)
{
    struct sql_script *script;
    enum status status;
    const struct query_callbacks callbacks = {.rows = on_rows, .ended = on_ended, .context = world};
    world->err = (struct error){0};
    TRY(sql_script_open(&script, "test", str_of(text), &world->err));
    for (;;) {
        struct arena arena;
        struct statement statement = {0};
        arena_init(&arena, NULL, 1u << 24);
        status = sql_next(script, session_sql(world->session), &arena, &statement, &world->err);
        if (status != OK) {
            arena_fini(&arena);
            break;
        }
        drop_result(world);
        status = engine_execute(world->session, &statement, &arena, &callbacks, &world->result,
                                &world->err);
        if (status != OK)
            break;
        world->has_result = true;
    }
    sql_script_close(script);
    return status == ERR_END ? OK : status;
}

static const char *setting(struct world *world, const char *key)
{
    if (run(world, "SET") != OK)
        return NULL;
    for (uint32_t i = 0; i < world->result.row_count; i++)
        if (strcmp(world->result.cells[2 * i], key) == 0)
            return world->result.cells[2 * i + 1];
    return NULL;
}

TEST(settings)
{
    struct world world;
    CHECK(open_world(&world, 0));
    CHECK_STR(setting(&world, "parallelism.default"), "1");
    CHECK(run(&world, "SET 'parallelism.default' = '4'") == OK);
    CHECK_STR(setting(&world, "parallelism.default"), "4");
    CHECK(run(&world, "SET 'parallelism.default' = '5'") == OK);
    CHECK_STR(setting(&world, "parallelism.default"), "5");
    /* what is refused changes nothing */
    CHECK_INT(run(&world, "SET 'parallelism.default' = '0'"), ERR_OPTION);
    CHECK_INT(run(&world, "SET 'parallelism.default' = '129'"), ERR_OPTION);
    CHECK_INT(run(&world, "SET 'parallelism.default' = 'x'"), ERR_OPTION);
    CHECK(strstr(world.err.text, "parallelism.default") != NULL);
    CHECK(world.err.pos.line == 1);
    CHECK_STR(setting(&world, "parallelism.default"), "5");
    CHECK(run(&world, "RESET 'parallelism.default'") == OK);
    CHECK_STR(setting(&world, "parallelism.default"), "1");
    CHECK_INT(run(&world, "SET 'paralelism.default' = '2'"), ERR_OPTION);
    CHECK(strstr(world.err.hint, "parallelism.default") != NULL);
    CHECK_INT(run(&world, "RESET 'paralelism.default'"), ERR_OPTION);
    CHECK(strstr(world.err.hint, "parallelism.default") != NULL);
    close_world(&world);
}

TEST(zones_and_what_is_not_built)
{
    struct world world;
    CHECK(open_world(&world, 0));
    CHECK(run(&world, "SET 'table.local-time-zone' = 'Asia/Tokyo'") == OK);
    const struct zone *tokyo = session_sql(world.session)->function_session->zone;
    CHECK(tokyo != NULL);
    CHECK(run(&world, "SET 'table.local-time-zone' = 'Asia/Tokio'") != OK);
    CHECK(session_sql(world.session)->function_session->zone == tokyo);
    CHECK_INT(run(&world, "SET 'execution.runtime-mode' = 'batch'"), ERR_UNSUPPORTED);
    CHECK_INT(run(&world, "SET 'table.exec.mini-batch.enabled' = 'true'"), ERR_UNSUPPORTED);
    CHECK(run(&world, "RESET") == OK);
    CHECK_STR(setting(&world, "execution.runtime-mode"), "streaming");
    close_world(&world);
}

TEST(sessions_have_settings_of_their_own_and_one_catalog)
{
    struct world world;
    struct session *other;
    CHECK(open_world(&world, 0));
    CHECK(engine_session_new(&other, world.engine, &world.err) == OK);
    CHECK(run(&world, "SET 'pipeline.name' = 'mine';" T) == OK);
    struct session *own = world.session;
    world.session = other;
    CHECK(setting(&world, "pipeline.name") == NULL || !*setting(&world, "pipeline.name"));
    CHECK(run(&world, "DESCRIBE t") == OK);
    CHECK_INT(world.result.row_count, 2);
    world.session = own;
    engine_session_free(other);
    close_world(&world);
}

TEST(objects)
{
    struct world world;
    CHECK(open_world(&world, 0));
    CHECK(run(&world, T "CREATE VIEW v AS SELECT a FROM t;") == OK);
    CHECK_INT(run(&world, T), ERR_EXISTS);
    CHECK(world.err.pos.line == 1);
    CHECK(run(&world, "CREATE TABLE IF NOT EXISTS t (x INT) WITH ('connector' = 'sim')") == OK);
    CHECK(run(&world, "DESCRIBE t") == OK);
    CHECK_STR(world.result.cells[0], "k");
    CHECK(run(&world, "CREATE TEMPORARY VIEW t AS SELECT 1 AS one; DESCRIBE t") == OK);
    CHECK_STR(world.result.cells[0], "one");
    CHECK(run(&world, "DROP TEMPORARY VIEW t; DESCRIBE t") == OK);
    CHECK_STR(world.result.cells[0], "k");
    CHECK_INT(run(&world, "DROP VIEW t"), ERR_NAME);
    CHECK_INT(run(&world, "DROP TABLE v"), ERR_NAME);
    CHECK(run(&world, "DROP VIEW v; DROP TABLE IF EXISTS v; DROP TABLE t; SHOW TABLES") == OK);
    CHECK_INT(world.result.row_count, 0);
    CHECK_INT(run(&world, "DROP TABLE t"), ERR_NAME);
    close_world(&world);
}

TEST(a_job_from_start_to_end)
{
    struct world world;
    struct job_status status;
    CHECK(open_world(&world, 0));
    if (run(&world, T O "INSERT INTO o SELECT k, SUM(a) FROM t GROUP BY k") != OK)
        CHECK_FAIL("%s", world.err.text);
    CHECK_INT(world.result.kind, RESULT_JOB);
    CHECK_STR(engine_job_name(world.result.job), "o");
    CHECK(engine_job_bounded(world.result.job));
    CHECK_INT(sim_captured_count("o"), 0); /* nobody has made a step */
    CHECK(engine_job_wait(world.result.job, 0));
    engine_job_status(world.result.job, &status);
    CHECK_INT(status.state, JOB_FINISHED);
    CHECK_INT(status.rows_read, 3);
    CHECK(sim_captured_count("o") >= 2);
    engine_job_release(world.result.job);
    close_world(&world);
}

TEST(queries_tell_their_rows_and_end)
{
    struct world world;
    CHECK(open_world(&world, 0));
    CHECK(run(&world, T "SELECT a FROM t WHERE a > 1") == OK);
    CHECK_INT(world.result.kind, RESULT_QUERY);
    CHECK(engine_job_wait(world.result.job, 0));
    CHECK_INT(world.rows, 2);
    CHECK_INT(world.ended, 1);
    CHECK_INT(world.state, JOB_FINISHED);
    engine_job_release(world.result.job);
    close_world(&world);
}

TEST(waiting_for_inserts)
{
    struct world world;
    CHECK(open_world(&world, 0));
    CHECK(run(&world, "SET 'table.dml-sync' = 'true';" T O "INSERT INTO o SELECT k, a FROM t") ==
          OK);
    CHECK_INT(sim_captured_count("o"), 3);
    /* the job's error is the statement's */
    CHECK_INT(run(&world, "INSERT INTO o SELECT k, CAST(k AS INT) FROM t"), ERR_DATA);
    CHECK(strstr(world.err.text, "'x'") != NULL);
    close_world(&world);
}

TEST(open_jobs_stop_and_cancel)
{
    static const char text[] =
        "CREATE TABLE e (a INT) WITH ('connector' = 'sim', 'rows' = '1\n2\n@open');"
        "CREATE TABLE eo (a INT) WITH ('connector' = 'sim');"
        "INSERT INTO eo SELECT a FROM e";
    struct world world;
    struct job_status status;
    for (int cancel = 0; cancel < 2; cancel++) {
        CHECK(open_world(&world, 0));
        CHECK(run(&world, text) == OK);
        struct engine_job *job = world.result.job;
        CHECK(!engine_job_bounded(job));
        CHECK(!engine_job_wait(job, 0));
        CHECK_INT(sim_captured_count("eo"), 2);
        struct buf why;
        buf_init(&why, 10000);
        engine_job_why(job, &why);
        CHECK(why.length > 0);
        buf_fini(&why);
        engine_job_barrier(job);
        engine_simulate(world.engine, 1000);
        engine_job_status(job, &status);
        CHECK_INT(status.epochs_done, 1);
        if (cancel)
            engine_job_cancel(job);
        else
            engine_job_stop(job);
        CHECK(engine_job_wait(job, 0));
        engine_job_status(job, &status);
        CHECK_INT(status.state, cancel ? JOB_CANCELLED : JOB_STOPPED);
        close_world(&world); /* releases the job */
    }
}

static void count_jobs(void *context, struct engine_job *job)
{
    ++*(uint32_t *)context;
}

TEST(workers_run_jobs_beside_each_other)
{
    struct world world;
    uint32_t count = 0;
    CHECK(open_world(&world, 2));
    CHECK(run(&world, T O "SET 'parallelism.default' = '3';"
                          "INSERT INTO o SELECT k, SUM(a) FROM t GROUP BY k;"
                          "INSERT INTO o SELECT k, a FROM t") == OK);
    engine_jobs(world.engine, count_jobs, &count);
    CHECK_INT(count, 2);
    CHECK(engine_job_id(world.result.job) == 2);
    CHECK(engine_job_wait(world.result.job, 10 * US_PER_SECOND));
    close_world(&world); /* the other one may still run: it is cancelled */
}

/* A table that a running job reads may be dropped: the job keeps it. */
TEST(dropping_a_table_in_use)
{
    struct world world;
    CHECK(open_world(&world, 0));
    CHECK(run(&world, T O "INSERT INTO o SELECT k, a FROM t") == OK);
    struct engine_job *job = world.result.job;
    CHECK(run(&world, "DROP TABLE t; DROP TABLE o") == OK);
    CHECK(engine_job_wait(job, 0));
    CHECK_INT(sim_captured_count("o"), 3);
    close_world(&world);
}

/* Every allocation fails once: ERR_MEMORY or a failed job, nothing leaks, the engine goes on. */
TEST(every_allocation_fails_once)
{
    static const char *const texts[] = {
        "SET 'pipeline.name' = 'x'",
        "CREATE TABLE IF NOT EXISTS x (a INT) WITH ('connector' = 'sim')",
        "SHOW TABLES",
        "DESCRIBE t",
        "SHOW CREATE TABLE t",
        "EXPLAIN SELECT k, SUM(a) FROM t GROUP BY k",
        "SELECT k, SUM(a) FROM t GROUP BY k",
    };
    struct world world;
    CHECK(open_world(&world, 0));
    CHECK(run(&world, T) == OK);
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        bool finished = false;
        for (uint64_t countdown = 1; !finished; countdown += countdown > 400 ? 13 : 1) {
            mem_fail_after(countdown);
            enum status status = run(&world, texts[i]);
            bool is_job = status == OK && world.result.kind == RESULT_QUERY;
            if (is_job)
                engine_job_wait(world.result.job, -1);
            mem_fail_after(0);
            if (is_job) {
                struct job_status job;
                engine_job_status(world.result.job, &job);
                CHECK(job_state_is_final(job.state));
                status = job.state == JOB_FAILED ? job.error.code : OK;
                engine_job_release(world.result.job);
            }
            finished = status == OK;
            if (!finished && status != ERR_MEMORY)
                CHECK_FAIL("%s, allocation %d: %s", texts[i], (int)countdown, world.err.text);
        }
    }
    close_world(&world);
}
