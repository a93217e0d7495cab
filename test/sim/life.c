/* life.c - one process: opened on what the disk has, and closed. */
#include "test/sim/world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/must.h"
#include "connector/filesystem/filesystem.h"
#include "connector/jdbc/jdbc_int.h"
#include "connector/kafka/kafka.h"
#include "connector/sim/sim.h"
#include "format/csv/csv.h"
#include "format/json/json.h"

#define STATEMENT_BYTES (16u << 20)

static const struct connector_class *const CONNECTORS[] = {&CONNECTOR_SIM, &CONNECTOR_FILESYSTEM,
                                                           &CONNECTOR_JDBC, &CONNECTOR_KAFKA, NULL};
static const struct format_class *const FORMATS[] = {&CSV_FORMAT, &JSON_FORMAT, NULL};
static const struct plugin_registry REGISTRY = {CONNECTORS, FORMATS};

void world_tell(struct world *world, const char *fmt, ...)
{
    char text[600];
    va_list arguments;
    va_start(arguments, fmt);
    vsnprintf(text, sizeof(text), fmt, arguments);
    va_end(arguments);
    world->trace = hash_bytes_seed(text, strlen(text), world->trace);
    if (world->tells)
        printf("# %8" PRIu64 " %6" PRId64 " ms  %s\n", simio_steps(world->io),
               io_monotonic_us(world->io) / 1000, text);
}

void world_fail(struct world *world, const char *fmt, ...)
{
    char text[2000];
    va_list arguments;
    va_start(arguments, fmt);
    vsnprintf(text, sizeof(text), fmt, arguments);
    va_end(arguments);
    world_tell(world, "%s", text);
    buf_printf(&world->problem, "%s\n", text);
}

/* ---- the log's group commit, as three jobs: appends go on between them */

static void sync_run(struct io_job *job)
{
    struct world *world = container_of(job, struct world, sync_job);
    switch (world->sync_state) {
    case SYNC_BEGINS:
        world->sync_wanted = false;
        world->round = (struct log_sync){0};
        world->sync_state = log_sync_begin(world->log, &world->round) ? SYNC_RUNS : SYNC_IDLE;
        break;
    case SYNC_RUNS:
        log_sync_run(&world->round);
        world->sync_state = SYNC_FINISHES;
        break;
    default:
        world->sync_state =
            log_sync_finish(&world->round) || world->sync_wanted ? SYNC_BEGINS : SYNC_IDLE;
        break;
    }
}

static void sync_done(struct io_job *job)
{
    struct world *world = container_of(job, struct world, sync_job);
    if (world->sync_state != SYNC_IDLE)
        io_pool_submit(world->sync_pool, job);
}

static void on_dirty(void *context)
{
    struct world *world = context;
    world->sync_wanted = true;
    if (world->sync_state != SYNC_IDLE)
        return;
    world->sync_state = SYNC_BEGINS;
    world->sync_job = (struct io_job){.run = sync_run, .done = sync_done};
    io_pool_submit(world->sync_pool, &world->sync_job);
}

/* ---- the process */

static enum status give_log(const struct plugin_context *context, struct log **out,
                            struct error *err)
{
    *out = ((struct world *)context->process)->log;
    return OK;
}

static enum status data_directory(void *context, bool needed, const char **out, struct error *err)
{
    *out = "/data";
    return OK;
}

static enum status set(struct world *world, const char *key, const char *value, struct error *err)
{
    return session_set(world->session, str_of(key), str_of(value), err);
}

static enum status open_session(struct world *world, bool undisturbed, struct error *err)
{
    const struct scenario *scenario = world->scenario;
    char text[40];
    TRY(engine_session_new(&world->session, world->engine, err));
    TRY(set(world, "table.local-time-zone", "UTC", err));
    snprintf(text, sizeof(text), "%d", undisturbed ? 1 : (int)rng_below(&world->rng, 4) + 1);
    TRY(set(world, "parallelism.default", text, err));
    world_tell(world, "parallelism %s", text);
    snprintf(text, sizeof(text), "%u ms", scenario->interval_ms);
    TRY(set(world, "execution.checkpointing.interval", text, err));
    if (scenario->changes)
        TRY(set(world, "table.exec.mini-batch.enabled", "false", err));
    if (scenario->two_phases)
        TRY(set(world, "table.optimizer.agg-phase-strategy", "TWO_PHASE", err));
    return OK;
}

static enum status open_all(struct world *world, bool undisturbed, struct error *err)
{
    const struct scenario *scenario = world->scenario;
    struct log_settings log_settings = {.io = world->io,
                                        .directory = "/data/log",
                                        .dirty = on_dirty,
                                        .hurry = on_dirty,
                                        .dirty_context = world};
    struct engine_config config = {.registry = &REGISTRY,
                                   .context = &world->context,
                                   .simulated = true,
                                   .seed = rng_next(&world->rng),
                                   .batch_rows = scenario->batch_rows,
                                   .queue_bytes = scenario->queue_bytes,
                                   .checkpoints = {.directory = data_directory}};
    TRY(io_pool_new(&world->sync_pool, "sync", 1, err));
    TRY(io_pool_new(&world->pool, "io", 4, err));
    world->context = (struct plugin_context){.io = world->io,
                                             .io_pool = world->pool,
                                             .embedded_log = give_log,
                                             .process = world,
                                             .data_directory = "/data",
                                             .output_fd = 1};
    TRY(log_open(&world->log, &log_settings, err));
    TRY(engine_new(&world->engine, &config, err));
    return open_session(world, undisturbed, err);
}

bool life_open(struct world *world, bool undisturbed, struct error *err)
{
    world->ends_now = world->is_done = false;
    world->job_count = world->skipped_count = 0;
    world->faulted = world->fault && world->fault->countdown && !undisturbed;
    world->sync_state = SYNC_IDLE;
    jdbc_forget_syncs();
    world->barriers_left = (uint32_t)rng_below(&world->rng, 10);
    world->lives++;
    return open_all(world, undisturbed, err) == OK;
}

/* As a process that exits; where the machine has crashed all of it fails without an effect. */
void life_close(struct world *world)
{
    struct error err = {0};
    disturb_end(world);
    engine_session_free(world->session);
    engine_free(world->engine);
    world->session = NULL;
    world->engine = NULL;
    io_pool_free(world->pool);
    io_pool_free(world->sync_pool);
    world->pool = world->sync_pool = NULL;
    if (world->log && log_close(world->log, &err) != OK && !world->faulted &&
        !simio_crashed(world->io))
        world_fail(world, "the log cannot be closed: %s", err.text);
    world->log = NULL;
}

enum status life_execute(struct world *world, const char *text,
                         const struct query_callbacks *callbacks, struct error *err)
{
    struct sql_script *script;
    TRY(sql_script_open(&script, "sim", str_of(text), err));
    enum status status = OK;
    while (status == OK) {
        struct arena arena;
        struct statement statement = {0};
        struct engine_result result;
        arena_init(&arena, NULL, STATEMENT_BYTES);
        status = sql_next(script, session_sql(world->session), &arena, &statement, err);
        if (status != OK) {
            arena_fini(&arena);
            break;
        }
        status = engine_execute(world->session, &statement, &arena, callbacks, &result, err);
        if (status != OK)
            break;
        must(!result.job || world->job_count < OUTPUTS_MAX);
        if (result.job)
            world->jobs[world->job_count++] = result.job;
        world->skipped_count += result.kind == RESULT_SKIPPED;
        engine_result_fini(&result);
    }
    sql_script_close(script);
    if (status != ERR_END)
        return status;
    error_clear(err); /* it was the text's end */
    return OK;
}
