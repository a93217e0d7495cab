/* sql_world.c - see sql_world.h. */
#include "test/case/sql_world.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/must.h"
#include "base/rng.h"
#include "connector/blackhole/blackhole.h"
#include "connector/datagen/datagen.h"
#include "connector/sim/sim.h"
#include "os/logger.h"
#include "os/simio.h"
#include "state/checkpoint.h"

#define STEPS_AT_ONCE   12     /* at most, between two looks at the job */
#define TIMERS_MAX      100000 /* waits for the clock of one job, before it counts as stuck */
#define IDLE_US         INT64_C(3600000000) /* "@idle": past any idle time-out of a case */
#define WAIT_US         INT64_C(40000000)
#define STATEMENT_BYTES (64u << 20)
#define RESTARTS_MAX    5
#define SETTINGS_MAX    100
#define DATA_DIRECTORY  "/data"

struct sql_world {
    const struct sql_mode *mode;
    struct io *io;
    struct io *simulated; /* NULL: the real one is used */
    struct plugin_context context;
    struct engine *engine;
    struct session *session;
    struct rng rng;
    bool wants_barrier;
    uint32_t restarts_left;
    uint32_t job_number;  /* jobs that have ended in this pass */
    bool ends_now;        /* the engine ends, and the statements run again */
    struct buf savepoint; /* which the job goes on from then; empty: from its checkpoints */
    const char *from[2];  /* the same */
    uint32_t setting_count;
    struct setting {
        char key[100], value[200];
    } settings[SETTINGS_MAX];
    struct buf text;
    struct sql_rows rows;
};

static const struct connector_class *const CONNECTORS[] = {&CONNECTOR_SIM, &CONNECTOR_DATAGEN,
                                                           &CONNECTOR_BLACKHOLE, NULL};
static const struct format_class *const FORMATS[] = {NULL};
static const struct plugin_registry REGISTRY = {CONNECTORS, FORMATS};

/* On the stepping thread, inside a poll. */
static void observe(void *context, enum sim_signal signal, int64_t number)
{
    struct sql_world *world = context;
    if (signal == SIM_CHECKPOINT)
        world->wants_barrier = true;
    else if (signal == SIM_TIME && world->simulated && number * 1000 > io_wall_us(world->io))
        simio_advance_us(world->simulated, number * 1000 - io_wall_us(world->io));
    else if (signal == SIM_IDLE && world->simulated)
        simio_advance_us(world->simulated, IDLE_US);
}

static enum status data_directory(void *context, bool needed, const char **out, struct error *err)
{
    *out = DATA_DIRECTORY;
    return OK;
}

static enum status set(struct sql_world *world, const char *key, const char *value,
                       struct error *err)
{
    return session_set(world->session, str_of(key), str_of(value), err);
}

static enum status open_engine(struct sql_world *world, bool first, struct error *err)
{
    const struct sql_mode *mode = world->mode;
    char parallelism[20];
    world->from[0] = world->savepoint.length ? buf_text(&world->savepoint) : NULL;
    struct engine_config config = {
        .registry = &REGISTRY,
        .context = &world->context,
        .worker_threads = mode->worker_threads,
        .simulated = mode->worker_threads == 0,
        .seed = rng_below(&world->rng, UINT64_MAX),
        .batch_rows = mode->direct ? 1 + (uint32_t)rng_below(&world->rng, mode->batch_rows)
                                   : mode->batch_rows,
        .queue_bytes = mode->queue_bytes,
    };
    if (mode->restarts) {
        config.checkpoints.directory = data_directory;
        config.checkpoints.is_named = true;
        config.checkpoints.from = world->from[0] ? world->from : NULL;
    }
    snprintf(parallelism, sizeof(parallelism), "%u",
             first ? mode->parallelism : mode->later_parallelism);
    TRY(engine_new(&world->engine, &config, err));
    TRY(engine_session_new(&world->session, world->engine, err));
    TRY(set(world, "table.local-time-zone", "UTC", err));
    TRY(set(world, "parallelism.default", parallelism, err));
    if (mode->changes)
        TRY(set(world, "table.exec.mini-batch.enabled", "false", err));
    if (mode->two_phases)
        TRY(set(world, "table.optimizer.agg-phase-strategy", "TWO_PHASE", err));
    if (mode->restarts) {
        TRY(set(world, "execution.checkpointing.interval", "1 h", err));
        TRY(set(world, "restart-strategy.type", "none", err)); /* the process restarts */
    }
    for (uint32_t i = 0; i < world->setting_count; i++)
        TRY(set(world, world->settings[i].key, world->settings[i].value, err));
    return OK;
}

static void close_engine(struct sql_world *world)
{
    engine_session_free(world->session);
    engine_free(world->engine);
    world->session = NULL;
    world->engine = NULL;
}

struct sql_world *sql_world_open(const struct sql_mode *mode, struct error *err)
{
    struct sql_world *world = mem_calloc(1, sizeof(*world));
    must(world != NULL);
    world->mode = mode;
    rng_init(&world->rng, mode->seed);
    if (mode->worker_threads == 0)
        world->simulated = simio_new(mode->seed);
    world->io = world->simulated ? world->simulated : io_real();
    world->context = (struct plugin_context){.io = world->io, .output_fd = 1};
    buf_init(&world->text, STATEMENT_BYTES);
    buf_init(&world->savepoint, 1000);
    sim_observe(observe, world);
    world->restarts_left = mode->restarts ? RESTARTS_MAX : 0;
    if (mode->restarts)
        sim_guarantee(mode->direct ? SINK_ASKS_CHECKPOINTED : SINK_ASKS_EXACTLY_ONCE);
    if (mode->restarts)
        logger_set_level(LOG_ERROR); /* checkpoints that fail are asked for */
    if (open_engine(world, true, err) == OK)
        return world;
    sql_world_close(world);
    return NULL;
}

void sql_world_close(struct sql_world *world)
{
    if (!world)
        return;
    close_engine(world);
    if (world->simulated)
        simio_free(world->simulated);
    case_plan_fini(&world->rows.plan);
    buf_fini(&world->text);
    buf_fini(&world->savepoint);
    mem_free(world);
    sim_reset();
}

enum status sql_world_set(struct sql_world *world, const char *key, const char *value,
                          struct error *err)
{
    must(world->setting_count < SETTINGS_MAX);
    struct setting *setting = &world->settings[world->setting_count++];
    snprintf(setting->key, sizeof(setting->key), "%s", key);
    snprintf(setting->value, sizeof(setting->value), "%s", value);
    return set(world, key, value, err);
}

/* ---- rows of a query */

static bool is_approximate(const struct type *type)
{
    return type->root == TYPE_FLOAT || type->root == TYPE_DOUBLE;
}

static void on_columns(void *context, const struct plan_node *collect, bool bounded)
{
    struct sql_rows *rows = &((struct sql_world *)context)->rows;
    bool changes = ((struct sql_world *)context)->mode->changes;
    must(collect->column_count <= SQL_COLUMNS_MAX);
    rows->column_count = (int)collect->column_count;
    for (uint32_t i = 0; i < collect->column_count; i++)
        rows->approximate[i] = is_approximate(collect->types[i]);
    if (!changes && collect->changelog == CHANGELOG_UPSERT)
        for (uint32_t i = 0; i < collect->upsert_key_count; i++)
            rows->key_columns[rows->key_count++] = (int)collect->upsert_key[i];
}

static enum push_result on_rows(void *context, struct batch *batch, struct error *err)
{
    struct sql_world *world = context;
    struct buf text;
    buf_init(&text, STATEMENT_BYTES);
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t row = batch_row(batch, i);
        enum row_kind kind = (enum row_kind)batch_kind(batch, row);
        struct case_event *out = case_plan_add_row(&world->rows.plan, row_kind_text(kind));
        for (uint32_t c = 0; c < batch->column_count; c++) {
            buf_clear(&text);
            datum_format_at(&text, batch->columns[c], row,
                            session_sql(world->session)->function_session->zone);
            case_row_add(out, buf_text(&text), text.length, !vec_is_valid(batch->columns[c], row));
        }
    }
    buf_fini(&text);
    return PUSH_DONE;
}

static void forget_result(struct sql_world *world)
{
    case_plan_fini(&world->rows.plan);
    memset(&world->rows, 0, sizeof(world->rows));
}

static void keep_table(struct sql_world *world, const struct engine_result *result)
{
    forget_result(world);
    world->rows.column_count = (int)result->column_count;
    for (uint32_t r = 0; r < result->row_count; r++) {
        struct case_event *row = case_plan_add_row(&world->rows.plan, "+I");
        for (uint32_t c = 0; c < result->column_count; c++) {
            const char *cell = result->cells[r * result->column_count + c];
            case_row_add(row, cell ? cell : "", cell ? strlen(cell) : 0, !cell);
        }
    }
}

/* ---- driving a job */

static enum job_state state_of(struct engine_job *job)
{
    struct job_status status;
    engine_job_status(job, &status);
    return status.state;
}

/* The job goes on from a savepoint then, and has nothing else. */
static void save(struct sql_world *world, struct engine_job *job)
{
    struct error err = {0};
    struct checkpoint *checkpoint = NULL;
    char own[1000], where[1000];
    simio_crash_at(world->simulated, 0);
    buf_clear(&world->savepoint);
    bool saved =
        engine_job_savepoint(job, "/saves", SAVEPOINT_GO_ON, &world->savepoint, &err) == OK;
    must(!saved || checkpoint_load(world->io, buf_text(&world->savepoint), &checkpoint, where,
                                   sizeof(where), &err) == OK);
    saved = saved && checkpoint->end == CHECKPOINT_RUNNING; /* it had not ended by then */
    checkpoint_free(checkpoint);
    if (!saved) {
        buf_clear(&world->savepoint);
        return;
    }
    const char *name = buf_text(&world->savepoint) + strlen("/saves/savepoint-");
    int length = (int)(strrchr(name, '-') - name);
    snprintf(own, sizeof(own), DATA_DIRECTORY "/checkpoints/%.*s", length, name);
    world->ends_now = true;
    engine_job_cancel(job);
    engine_job_wait(job, WAIT_US);
    must(io_remove_tree(world->io, own, &err) == OK);
}

/* Now and then the job is stopped, or a savepoint made, or the machine stops writing, and the
 * process ends a while later. */
static void maybe_end(struct sql_world *world, struct engine_job *job)
{
    if (!world->restarts_left || world->ends_now || rng_below(&world->rng, 8) != 0)
        return;
    uint64_t way = rng_below(&world->rng, 4);
    if (way == 0) {
        engine_job_stop(job);
    } else if (way == 3 && !simio_crashed(world->simulated)) {
        save(world, job);
    } else if (way == 1 && !simio_crashed(world->simulated)) {
        simio_crash_at(world->simulated,
                       simio_steps(world->simulated) + 1 + rng_below(&world->rng, 12));
    } else {
        world->ends_now = true;
    }
}

static void simulate(struct sql_world *world, struct engine_job *job)
{
    for (int timers = 0;
         timers < TIMERS_MAX && !job_state_is_final(state_of(job)) && !world->ends_now;) {
        maybe_end(world, job);
        uint64_t steps = engine_simulate(world->engine, 1 + rng_below(&world->rng, STEPS_AT_ONCE));
        if (world->wants_barrier ||
            (steps && world->mode->barriers && rng_below(&world->rng, 4) == 0)) {
            world->wants_barrier = false;
            engine_job_barrier(job);
            continue;
        }
        if (steps)
            continue;
        int64_t due_us = engine_next_timer_us(world->engine), now_us = io_monotonic_us(world->io);
        if (due_us == INT64_MAX)
            return;
        if (due_us > now_us)
            simio_advance_us(world->simulated, due_us - now_us);
        timers++;
    }
}

static enum status stuck(struct engine_job *job, struct error *err)
{
    struct buf why;
    buf_init(&why, 1u << 16);
    engine_job_why(job, &why);
    error_set(err, ERR_LIMIT, "the job does not end: %s", buf_text(&why));
    buf_fini(&why);
    return ERR_LIMIT;
}

/* Until the job has ended or, with an open input, has nothing left to do; then it is cancelled. */
static enum status finish_job(struct sql_world *world, struct engine_job *job, struct error *err)
{
    struct job_status status;
    if (world->simulated)
        simulate(world, job);
    else
        engine_job_wait(job, WAIT_US);
    engine_job_status(job, &status);
    bool ended = job_state_is_final(status.state);
    enum status result = OK;
    if (world->mode->restarts && (status.state == JOB_STOPPED || simio_crashed(world->simulated)))
        world->ends_now = true;
    if (!ended) {
        if (engine_job_bounded(job) && !world->ends_now)
            result = stuck(job, err);
        engine_job_cancel(job);
        engine_job_wait(job, WAIT_US);
    }
    engine_job_release(job);
    if (world->ends_now)
        return ERR_CANCELLED;
    world->job_number++;
    if (world->mode->restarts)
        simio_crash_at(world->simulated, 0);
    if (status.state == JOB_FAILED) {
        *err = status.error;
        return status.error.code;
    }
    return result;
}

static enum status run_bound(struct sql_world *world, struct statement *statement,
                             struct arena *arena, struct error *err)
{
    struct engine_result result;
    const struct query_callbacks callbacks = {
        .columns = on_columns,
        .rows = on_rows,
        .context = world,
        .changes = world->mode->changes,
    };
    if (statement->kind == STATEMENT_SELECT)
        forget_result(world);
    TRY(engine_execute(world->session, statement, arena, &callbacks, &result, err));
    enum status status = OK;
    if (result.kind == RESULT_TABLE) {
        keep_table(world, &result);
    } else if (result.kind == RESULT_TEXT) {
        buf_clear(&world->text);
        buf_append_text(&world->text, result.text);
    } else if (result.kind == RESULT_SKIPPED) {
        must(world->mode->restarts);
        world->job_number++; /* its last checkpoint was durable, though it may not have known */
    } else if (result.kind != RESULT_NONE) {
        status = finish_job(world, result.job, err);
    }
    engine_result_fini(&result);
    return status;
}

/* ---- a query as a job that goes on from checkpoints: a top-level SELECT never does */

struct collecting {
    char name[32];                 /* of the table of its columns; "": none */
    struct catalog_object *object; /* a reference */
};

static enum status create_table(struct sql_world *world, const struct rel *query, const char *name,
                                struct error *err)
{
    struct sql_script *script;
    struct statement statement = {0};
    struct engine_result result;
    struct arena arena;
    struct buf sql;
    arena_init(&arena, NULL, STATEMENT_BYTES);
    buf_init(&sql, STATEMENT_BYTES);
    buf_printf(&sql, "CREATE TEMPORARY TABLE `%s` (", name);
    for (uint32_t i = 0; i < query->column_count; i++) {
        buf_printf(&sql, "%s c%u ", i ? "," : "", i);
        type_format(&sql, type_with_time_attribute(&arena, query->types[i], TIME_ATTRIBUTE_NONE));
    }
    buf_append_text(&sql, ") WITH ('connector' = 'sim')");
    enum status status = sql_script_open(&script, "collect.sql", str_of(buf_text(&sql)), err);
    must(status == OK);
    status = sql_next(script, session_sql(world->session), &arena, &statement, err);
    if (status == OK)
        status = engine_execute(world->session, &statement, &arena, NULL, &result, err);
    else
        arena_fini(&arena);
    sql_script_close(script);
    buf_fini(&sql);
    return status;
}

static enum status collect(struct sql_world *world, struct statement *statement,
                           struct arena *arena, struct collecting *out, struct error *err)
{
    struct statement_insert *insert = ARENA_ARRAY(arena, 1, struct statement_insert);
    TRY(arena_check(arena, "an INSERT", err));
    snprintf(out->name, sizeof(out->name), "result_%u", world->job_number);
    TRY(create_table(world, statement->query, out->name, err));
    struct str name = str_of(out->name);
    out->object = catalog_find(engine_catalog(world->engine), &name, 1);
    *insert = (struct statement_insert){
        .target = out->object, .query = statement->query, .pos = statement->pos};
    statement->kind = STATEMENT_INSERT;
    statement->query = NULL;
    statement->inserts = insert;
    statement->insert_count = 1;
    return OK;
}

static void keep_collected(struct sql_world *world, const struct collecting *collecting)
{
    struct sql_rows *rows = sql_world_captured(world, collecting->name);
    forget_result(world);
    world->rows = *rows;
    free(rows);
}

static enum status run_statement(struct sql_world *world, struct statement *statement,
                                 struct arena *arena, struct error *err)
{
    struct collecting collecting = {0};
    bool collects = statement->kind == STATEMENT_SELECT && world->mode->restarts;
    enum status status = collects ? collect(world, statement, arena, &collecting, err) : OK;
    if (status == OK)
        status = run_bound(world, statement, arena, err);
    if (status == OK && collects)
        keep_collected(world, &collecting);
    catalog_object_unref(collecting.object);
    return status;
}

/* As a process that has ended and is started again. */
static void restart(struct sql_world *world)
{
    struct error err = {0};
    close_engine(world);
    if (simio_crashed(world->simulated) || (!world->savepoint.length && rng_below(&world->rng, 2)))
        simio_crash(world->simulated);
    else
        simio_kill(world->simulated);
    simio_crash_at(world->simulated, 0);
    world->ends_now = false;
    world->job_number = 0;
    world->wants_barrier = false;
    world->restarts_left--;
    if (open_engine(world, false, &err) != OK) {
        fprintf(stderr, "restart: %s\n", err.text);
        must(false);
    }
}

bool sql_world_run(struct sql_world *world, const char *text, bool explain, struct buf *message)
{
    struct sql_script *script;
    struct error err = {0};
    enum status status = sql_script_open(&script, "case.sql", str_of(text), &err);
    bool opened = status == OK;
    while (status == OK) {
        struct arena arena;
        struct statement statement = {0};
        arena_init(&arena, NULL, STATEMENT_BYTES);
        status = sql_next(script, session_sql(world->session), &arena, &statement, &err);
        if (status != OK) {
            arena_fini(&arena);
            break;
        }
        if (explain && (statement.kind == STATEMENT_SELECT || statement.kind == STATEMENT_INSERT))
            statement.kind = STATEMENT_EXPLAIN;
        status = run_statement(world, &statement, &arena, &err);
    }
    if (opened && world->ends_now) {
        sql_script_close(script);
        restart(world);
        return sql_world_run(world, text, explain, message);
    }
    if (status != OK && status != ERR_END)
        sql_format_error(message, "case.sql", str_of(text), &err);
    if (opened)
        sql_script_close(script);
    return status == ERR_END;
}

const struct sql_rows *sql_world_result(const struct sql_world *world)
{
    return &world->rows;
}

const char *sql_world_text(const struct sql_world *world)
{
    return buf_text((struct buf *)&world->text);
}

struct sql_rows *sql_world_captured(struct sql_world *world, const char *table)
{
    struct str name = str_of(table);
    struct catalog_object *object = catalog_find(engine_catalog(world->engine), &name, 1);
    if (!object)
        return NULL;
    const struct table_description *description = &object->description;
    struct sql_rows *rows = calloc(1, sizeof(*rows));
    must(rows != NULL && description->field_count <= SQL_COLUMNS_MAX);
    rows->column_count = (int)description->field_count;
    for (uint32_t i = 0; i < description->field_count; i++)
        rows->approximate[i] = is_approximate(description->fields[i].type);
    for (uint32_t i = 0; i < description->primary_key_count; i++)
        rows->key_columns[rows->key_count++] = (int)description->primary_key[i];
    rows->repeats = world->mode->direct && rows->key_count > 0;
    catalog_object_unref(object);
    struct sim_row row;
    for (size_t r = 0; sim_captured(table, r, &row); r++) {
        struct case_event *out = case_plan_add_row(&rows->plan, row_kind_text(row.kind));
        for (uint32_t c = 0; c < row.value_count; c++)
            case_row_add(out, row.values[c].text.data, row.values[c].text.length,
                         row.values[c].is_null);
    }
    return rows;
}
