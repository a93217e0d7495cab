/* why_test.c - "why is there no output?": each cause is made, its sentence compared, and what ends
 * the cause ends the sentence. At parallelism 1 and 3, on a simulated engine and clock. */
#include "engine/engine.h"

#include "base/must.h"
#include "os/logger.h"
#include "os/simio.h"
#include "check.h"
#include "pipe.h"

#define PARALLELISMS(p) for (uint32_t p = 1; p <= 3; p += 2)

#define ORDERS                                                                                     \
    "CREATE TABLE orders (id BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts - INTERVAL '5' "      \
    "SECOND) WITH ('connector' = 'pipe');"
#define RETURNS                                                                                    \
    "CREATE TABLE returns (id BIGINT, ts TIMESTAMP(3), WATERMARK FOR ts AS ts) WITH "              \
    "('connector' = 'pipe');"
#define TOTALS "CREATE TABLE totals (ends TIMESTAMP(3), n BIGINT) WITH ('connector' = 'pipe');"
#define IDS    "CREATE TABLE ids (id BIGINT) WITH ('connector' = 'pipe');"
#define PER_MINUTE(table)                                                                          \
    "INSERT INTO totals SELECT window_end, COUNT(*) FROM TABLE(TUMBLE(TABLE " table                \
    ", DESCRIPTOR(ts), INTERVAL '1' MINUTE)) GROUP BY id, window_start, window_end"

static const struct connector_class *const CONNECTORS[] = {&PIPE, NULL};
static const struct format_class *const FORMATS[] = {NULL};
static const struct plugin_registry REGISTRY = {CONNECTORS, FORMATS};

struct world {
    struct io *io;
    struct plugin_context context;
    struct engine *engine;
    struct session *session;
    struct engine_job *job;
    struct buf said;
};

static void run(struct world *world, const char *text)
{
    struct sql_script *script;
    struct error err = {0};
    must(sql_script_open(&script, "test", str_of(text), &err) == OK);
    for (;;) {
        struct arena arena;
        struct statement statement = {0};
        struct engine_result result;
        arena_init(&arena, NULL, 1u << 24);
        enum status status =
            sql_next(script, session_sql(world->session), &arena, &statement, &err);
        if (status == OK)
            status = engine_execute(world->session, &statement, &arena, NULL, &result, &err);
        else
            arena_fini(&arena);
        if (status == ERR_END)
            break;
        if (status != OK)
            printf("# %s\n", err.text);
        must(status == OK);
        if (result.job)
            world->job = result.job;
        engine_result_fini(&result);
    }
    sql_script_close(script);
}

static enum status data_directory(void *context, bool needed, const char **out, struct error *err)
{
    *out = "/data";
    return OK;
}

/* At midnight of 2024-01-01, UTC. */
static void begin(struct world *world, uint32_t parallelism, const char *text)
{
    char set[100];
    struct error err = {0};
    *world = (struct world){.io = simio_new(1)};
    simio_advance_us(world->io, PIPE_EPOCH_S * US_PER_SECOND - io_wall_us(world->io));
    world->context = (struct plugin_context){.io = world->io};
    const struct engine_config config = {.registry = &REGISTRY,
                                         .context = &world->context,
                                         .simulated = true,
                                         .checkpoints = {.directory = data_directory}};
    must(engine_new(&world->engine, &config, &err) == OK);
    must(engine_session_new(&world->session, world->engine, &err) == OK);
    snprintf(set, sizeof(set),
             "SET 'table.local-time-zone' = 'UTC'; SET 'parallelism.default' = '%u';", parallelism);
    buf_init(&world->said, 1u << 16);
    run(world, set);
    run(world, text);
}

static void end(struct world *world)
{
    engine_session_free(world->session);
    engine_free(world->engine);
    simio_free(world->io);
    buf_fini(&world->said);
    pipe_reset();
}

static void settle(struct world *world)
{
    while (engine_simulate(world->engine, 1000))
        ;
}

static void pass(struct world *world, int64_t seconds)
{
    int64_t until_us = io_monotonic_us(world->io) + seconds * US_PER_SECOND;
    for (;;) {
        settle(world);
        int64_t due_us = engine_next_timer_us(world->engine), now_us = io_monotonic_us(world->io);
        if (due_us > until_us)
            break;
        simio_advance_us(world->io, due_us > now_us ? due_us - now_us : 0);
    }
    simio_advance_us(world->io, until_us - io_monotonic_us(world->io));
    settle(world);
}

static const char *why(struct world *world)
{
    settle(world);
    buf_clear(&world->said);
    engine_job_why(world->job, &world->said);
    return buf_text(&world->said);
}

static bool held_up(struct world *world)
{
    buf_clear(&world->said);
    return engine_job_held_up(world->job, &world->said);
}

/* ---- watermark ---- */

TEST(a_silent_split_holds_the_watermark)
{
    PARALLELISMS(p)
    {
        struct world world;
        pipe_open("orders", 2);
        begin(&world, p, ORDERS TOTALS PER_MINUTE("orders"));
        pipe_give("orders", 0, 1, 10);
        pipe_give("orders", 1, 2, 11);
        settle(&world);
        pass(&world, 5);
        pipe_give("orders", 0, 3, 130);
        pass(&world, 7);
        CHECK_STR(why(&world),
                  "3 rows wait for windows to end, the next at 2024-01-01 00:01:00: the watermark "
                  "is held at 2024-01-01 00:00:06 by split orders-1 of table orders, which has "
                  "given no row since 2024-01-01 00:00:00 (12 s), while others are at 2024-01-01 "
                  "00:02:05. Set 'scan.watermark.idle-timeout' on the table, or "
                  "'table.exec.source.idle-timeout', so that silent splits hold nobody back.");
        CHECK(!held_up(&world)); /* that is for jobs that had output */
        pipe_give("orders", 1, 4, 131);
        CHECK_STR(why(&world), "Output is flowing: 2 rows so far.");
        pass(&world, 3);
        CHECK(!held_up(&world)); /* silent, but nobody is held back */
        pipe_give("orders", 0, 5, 300);
        pass(&world, 20);
        CHECK(held_up(&world));
        CHECK(strstr(buf_text(&world.said), "by split orders-1 of table orders"));
        end(&world);
    }
}

TEST(a_split_that_never_had_rows)
{
    PARALLELISMS(p)
    {
        struct world world;
        pipe_open("orders", 2);
        begin(&world, p, ORDERS TOTALS PER_MINUTE("orders"));
        pipe_give("orders", 1, 1, 100);
        pass(&world, 65);
        CHECK_STR(why(&world),
                  "1 row waits for windows to end, the next at 2024-01-01 00:02:00: there is no "
                  "watermark, because split orders-0 of table orders has given no row at all "
                  "since 2024-01-01 00:00:00 (1 min 5 s), while others are at 2024-01-01 00:01:35. "
                  "Set 'scan.watermark.idle-timeout' on the table, or "
                  "'table.exec.source.idle-timeout', so that silent splits hold nobody back.");
        end(&world);
    }
}

TEST(a_silent_split_with_an_idle_timeout)
{
    PARALLELISMS(p)
    {
        struct world world;
        pipe_open("orders", 2);
        begin(&world, p,
              "SET 'table.exec.source.idle-timeout' = '30 s';" ORDERS TOTALS PER_MINUTE("orders"));
        pipe_give("orders", 0, 1, 100);
        pass(&world, 5);
        CHECK(strstr(why(&world), "It holds nobody back when it has been silent for 30 s"));
        pipe_give("orders", 0, 1, 200);
        pass(&world, 27);
        CHECK_STR(why(&world), "1 row waits for windows to end, the next at 2024-01-01 00:04:00: "
                               "the watermark is at 2024-01-01 00:03:15, and table orders has "
                               "given no row since 2024-01-01 00:00:05 (27 s). A newer row moves "
                               "it on.");
        pass(&world, 30); /* all are idle */
        CHECK_STR(why(&world), "1 row waits for windows to end, the next at 2024-01-01 00:04:00: "
                               "the watermark is at 2024-01-01 00:03:15, and no split of table "
                               "orders has rows: all are idle. A newer row moves it on.");
        end(&world);
    }
}

TEST(one_source_of_two_holds_the_watermark)
{
    PARALLELISMS(p)
    {
        struct world world;
        pipe_open("orders", 2);
        pipe_open("returns", 1);
        begin(&world, p,
              ORDERS RETURNS TOTALS
              "CREATE VIEW both_ways AS SELECT id, ts FROM orders UNION ALL SELECT id, ts FROM "
              "returns;" PER_MINUTE("both_ways"));
        pipe_give("returns", 0, 1, 20);
        settle(&world);
        pass(&world, 4);
        pipe_give("orders", 0, 1, 100);
        pipe_give("orders", 1, 1, 100);
        pass(&world, 8);
        CHECK(strstr(why(&world), "the watermark is held at 2024-01-01 00:00:20 by split returns-0 "
                                  "of table returns, which has given no row since 2024-01-01 "
                                  "00:00:00 (12 s), while others are at 2024-01-01 00:01:35."));
        pipe_give("returns", 0, 1, 100);
        CHECK_STR(why(&world), "Output is flowing: 1 rows so far.");
        end(&world);
    }
}

TEST(a_window_is_not_over)
{
    PARALLELISMS(p)
    {
        struct world world;
        pipe_open("orders", 1);
        begin(&world, p, ORDERS TOTALS PER_MINUTE("orders"));
        pipe_give("orders", 0, 1, 3);
        pipe_give("orders", 0, 1, 4);
        CHECK_STR(why(&world), "2 rows wait for windows to end, the next at 2024-01-01 00:01:00: "
                               "the watermark is at 2023-12-31 23:59:59, 1 min 1 s before that, "
                               "and moves on with the rows.");
        pass(&world, 40);
        CHECK_STR(why(&world), "2 rows wait for windows to end, the next at 2024-01-01 00:01:00: "
                               "the watermark is at 2023-12-31 23:59:59, and table orders has "
                               "given no row since 2024-01-01 00:00:00 (40 s). A newer row moves "
                               "it on.");
        pipe_give("orders", 0, 1, 65);
        CHECK_STR(why(&world), "Output is flowing: 1 rows so far.");
        end(&world);
    }
}

/* ---- lateness, the future ---- */

TEST(all_rows_are_late)
{
    PARALLELISMS(p)
    {
        struct world world;
        pipe_open("orders", 1);
        begin(&world, p, ORDERS TOTALS PER_MINUTE("orders"));
        pipe_give("orders", 0, 1, 200);
        settle(&world);
        pass(&world, 5);
        for (int64_t id = 0; id < 12; id++)
            pipe_give("orders", 0, id, 30);
        CHECK_STR(why(&world), "All rows since 2024-01-01 00:00:00 (5 s) came too late for their "
                               "window and were dropped, 12 so far: the watermark is at 2024-01-01 "
                               "00:03:15 already. A larger delay in WATERMARK FOR ts of table "
                               "orders waits for such rows.");
        pipe_give("orders", 0, 1, 201);
        CHECK(strstr(why(&world), "2 rows wait for windows to end"));
        end(&world);
    }
}

TEST(a_time_in_the_future)
{
    PARALLELISMS(p)
    {
        struct world world;
        const int64_t years_s = INT64_C(31557600) * 73;
        pipe_open("orders", 1);
        begin(&world, p, ORDERS TOTALS PER_MINUTE("orders"));
        pipe_give("orders", 0, 1, years_s);
        CHECK_STR(why(&world), "1 row waits for windows to end, the next at 2096-12-31 06:01:00, "
                               "73 years ahead of the clock: column ts of table orders has had a "
                               "time in the future, or one of another unit (seconds for "
                               "milliseconds); the watermark is at 2096-12-31 05:59:55, 1 min 5 s "
                               "before that, and moves on with the rows.");
        pass(&world, 5);
        for (int64_t id = 0; id < 3; id++)
            pipe_give("orders", 0, id, id);
        CHECK_STR(why(&world), "All rows since 2024-01-01 00:00:00 (5 s) came too late for their "
                               "window and were dropped, 3 so far: the watermark is at 2096-12-31 "
                               "05:59:55, 72 years ahead of the clock: column ts of table orders "
                               "has had a time in the future, or one of another unit (seconds for "
                               "milliseconds).");
        end(&world);
    }
}

/* ---- conditions, input ---- */

TEST(a_condition_turns_all_rows_away)
{
    PARALLELISMS(p)
    {
        struct world world;
        pipe_open("orders", 2);
        begin(&world, p, ORDERS IDS "INSERT INTO ids SELECT id FROM orders WHERE id > 100");
        for (int64_t id = 0; id < 7; id++)
            pipe_give("orders", (uint32_t)id % 2, id, id);
        CHECK_STR(why(&world),
                  "No row has met the condition (id > 100): it has turned away 7 rows.");
        pipe_give("orders", 0, 101, 5);
        CHECK_STR(why(&world), "Output is flowing: 1 rows so far.");
        pass(&world, 5);
        CHECK_STR(why(&world), "Table orders has given no row since 2024-01-01 00:00:00 (5 s); all "
                               "that was there has been read, and more is waited for in orders-0, "
                               "orders-1.");
        pipe_give("orders", 0, 7, 6);
        pipe_give("orders", 1, 8, 6);
        CHECK_STR(why(&world), "No row has met the condition (id > 100) since 2024-01-01 00:00:00 "
                               "(5 s): it has turned away 9 of 10 rows.");
        end(&world);
    }
}

TEST(no_rows_have_come)
{
    PARALLELISMS(p)
    {
        struct world world;
        pipe_open("orders", 4);
        pipe_open("returns", 1);
        begin(&world, p,
              ORDERS RETURNS IDS
              "INSERT INTO ids SELECT id FROM orders UNION ALL SELECT id FROM returns");
        pass(&world, 3);
        const char *said = why(&world);
        CHECK(strstr(said, "Table orders has given no row at all since 2024-01-01 00:00:00 (3 s); "
                           "all that was there has been read, and more is waited for in orders-"));
        CHECK(strstr(said, " and 1 more."));
        CHECK(strstr(said, "Table returns has given no row at all since 2024-01-01 00:00:00 (3 s); "
                           "all that was there has been read, and more is waited for in "
                           "returns-0."));
        pipe_give("returns", 0, 1, 1);
        CHECK_STR(why(&world), "Output is flowing: 1 rows so far.");
        end(&world);
    }
}

TEST(no_splits)
{
    struct world world;
    pipe_open("orders", 0);
    begin(&world, 3, ORDERS IDS "INSERT INTO ids SELECT id FROM orders");
    CHECK_STR(why(&world), "Table orders has no splits (partitions, files) yet.");
    end(&world);
}

/* ---- what is outside ---- */

TEST(a_source_cannot_be_reached)
{
    PARALLELISMS(p)
    {
        struct world world;
        pipe_open("orders", 1);
        pipe_open("returns", 1);
        pipe_table("orders")->broken = true;
        begin(&world, p,
              ORDERS RETURNS IDS
              "INSERT INTO ids SELECT id FROM orders UNION ALL SELECT id FROM returns");
        pipe_give("returns", 0, 1, 1);
        CHECK_STR(why(&world),
                  "Reading table orders fails and is tried again: the pipe is out of reach.");
        pass(&world, 3);
        CHECK(held_up(&world));
        pipe_table("orders")->broken = false;
        pass(&world, 3);
        CHECK(!held_up(&world));
        CHECK(!strstr(why(&world), "fails"));
        end(&world);
    }
}

TEST(a_sink_takes_nothing)
{
    PARALLELISMS(p)
    {
        struct world world;
        pipe_open("orders", 1);
        pipe_world.stuck = true;
        begin(&world, p, ORDERS IDS "INSERT INTO ids SELECT id FROM orders");
        pipe_give("orders", 0, 1, 1);
        pipe_give("orders", 0, 2, 1);
        pass(&world, 6);
        CHECK_STR(why(&world), "Table ids (connector 'pipe') has not taken 2 rows since 2024-01-01 "
                               "00:00:00 (6 s).");
        CHECK(held_up(&world));
        pipe_unstick();
        settle(&world);
        CHECK(!held_up(&world));
        CHECK(!strstr(why(&world), "has not taken"));
        CHECK_INT(pipe_world.taken, 2);
        end(&world);
    }
}

TEST(a_checkpoint_cannot_be_complete)
{
    PARALLELISMS(p)
    {
        struct world world;
        pipe_open("orders", 2);
        begin(&world, p,
              "SET 'execution.checkpointing.interval' = '1 s';" ORDERS TOTALS PER_MINUTE("orders"));
        simio_set_capacity(world.io, 1);
        logger_set_level(LOG_ERROR); /* it is logged, too */
        pipe_give("orders", 0, 1, 3);
        pass(&world, 3);
        const char *said = why(&world);
        CHECK(str_starts(str_of(said), STR("The last checkpoint failed and is tried again: ")));
        CHECK(strstr(said, "No space left on device"));
        simio_set_capacity(world.io, 0);
        pass(&world, 3);
        CHECK(!strstr(why(&world), "checkpoint"));
        end(&world);
    }
}

TEST(a_sink_holds_a_checkpoint)
{
    PARALLELISMS(p)
    {
        struct world world;
        pipe_open("orders", 1);
        begin(&world, p,
              "SET 'execution.checkpointing.interval' = '1 s';" ORDERS IDS
              "INSERT INTO ids SELECT id FROM orders");
        pipe_give("orders", 0, 1, 1);
        settle(&world);
        pipe_world.stuck = true;
        pass(&world, 9);
        CHECK_STR(why(&world), "Table ids (connector 'pipe') has not made its rows durable for "
                               "checkpoint 1 since 2024-01-01 00:00:01 (8 s).");
        CHECK(held_up(&world));
        pipe_unstick();
        CHECK(!strstr(why(&world), "durable"));
        end(&world);
    }
}

TEST(a_job_is_restarted_again_and_again)
{
    PARALLELISMS(p)
    {
        struct world world;
        pipe_open("orders", 1);
        begin(&world, p,
              "SET 'execution.checkpointing.interval' = '1 s';"
              "SET 'restart-strategy.type' = 'fixed-delay';"
              "SET 'restart-strategy.fixed-delay.attempts' = '100';"
              "SET 'restart-strategy.fixed-delay.delay' = '10 s';" ORDERS IDS
              "INSERT INTO ids SELECT id FROM orders");
        logger_set_level(LOG_ERROR);
        pipe_table("orders")->crashes = true;
        pipe_give("orders", 0, 1, 1);
        pass(&world, 23);
        const char *said = why(&world);
        CHECK(strstr(said, "The job failed and is started again in 7.0 s (restart 3): "));
        CHECK(strstr(said, "the pipe has burst."));
        pipe_table("orders")->crashes = false;
        pass(&world, 10);
        said = why(&world);
        CHECK(strstr(said, "The job was started again 3 times, lately because of this, 1"));
        pass(&world, 60);
        CHECK(!strstr(why(&world), "started again"));
        end(&world);
    }
}
