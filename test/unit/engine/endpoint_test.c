/* endpoint_test.c - endpoints of tables: when there is one, and the constraints it is handed; by a
 * connector whose endpoint does nothing but keep its row_checker.
 */
#include "check.h"

#include "base/must.h"
#include "connector/sim/sim.h"
#include "engine/engine.h"
#include "plugin/endpoint.h"

static struct {
    uint32_t open, shut, closed;
    bool fail;
} doors;

struct door {
    struct endpoint base;
    struct row_checker *checker;
    char path[64];
};

static const struct endpoint_class DOOR_ENDPOINT;

static enum status door_path(const struct table_description *table, struct arena *arena,
                             const char **out, struct error *err)
{
    const char *dot = strrchr(table->name, '.');
    *out = table->option_count ? table->options[0].value.data : dot + 1;
    return OK;
}

static enum status door_open(const struct endpoint_settings *settings, struct endpoint **out,
                             struct error *err)
{
    if (doors.fail)
        return error_set(err, ERR_IO, "the door is stuck");
    struct door *door = mem_calloc(1, sizeof(*door));
    door->base = (struct endpoint){
        .class = &DOOR_ENDPOINT, .refs = 1, .path = door->path, .table = settings->table->name};
    door->checker = settings->checker;
    doors.open++;
    *out = &door->base;
    return OK;
}

static void door_shut(struct endpoint *endpoint)
{
    doors.shut++;
}

static void door_close(struct endpoint *endpoint)
{
    struct door *door = (struct door *)endpoint;
    door->checker->free(door->checker);
    mem_free(door);
    doors.closed++;
}

static const struct endpoint_class DOOR_ENDPOINT = {.size = sizeof(DOOR_ENDPOINT),
                                                    .path = door_path,
                                                    .open = door_open,
                                                    .shut = door_shut,
                                                    .close = door_close};

static const struct option_def DOOR_OPTIONS[] = {{.key = "path", .kind = OPTION_STRING}};
static const struct table_metadata DOOR_METADATA[] = {{"time", &TYPE_OF_TIMESTAMP_LTZ_3}};
static struct source_class door_source;
static const struct connector_class DOOR = {
    .size = sizeof(DOOR),
    .name = "door",
    .options = DOOR_OPTIONS,
    .option_count = 1,
    .source = &door_source,
    .endpoint = &DOOR_ENDPOINT,
};
static const struct connector_class *const CONNECTORS[] = {&CONNECTOR_SIM, &DOOR, NULL};
static const struct format_class *const FORMATS[] = {NULL};
static const struct plugin_registry REGISTRY = {CONNECTORS, FORMATS};

static struct world {
    struct plugin_context context;
    struct engine *engine;
    struct session *session;
} world;
static struct error err;

static bool endless = true;

static enum status is_bounded(const struct table_description *table, bool *out, struct error *error)
{
    *out = !endless;
    return OK;
}

static bool open_world(void)
{
    memset(&doors, 0, sizeof(doors));
    error_clear(&err);
    door_source = *CONNECTOR_SIM.source;
    door_source.metadata = DOOR_METADATA;
    door_source.metadata_count = 1;
    door_source.is_bounded = is_bounded;
    world.context = (struct plugin_context){.io = io_real()};
    const struct engine_config config = {
        .registry = &REGISTRY, .context = &world.context, .worker_threads = 1};
    return engine_new(&world.engine, &config, &err) == OK &&
           engine_session_new(&world.session, world.engine, &err) == OK;
}

static void close_world(void)
{
    engine_session_free(world.session);
    engine_free(world.engine);
    sim_reset();
}

static enum status run(const char *text)
{
    struct sql_script *script;
    enum status status;
    error_clear(&err);
    TRY(sql_script_open(&script, "test", str_of(text), &err));
    for (;;) {
        struct arena arena;
        struct statement statement = {0};
        struct engine_result result;
        arena_init(&arena, NULL, 1u << 24);
        status = sql_next(script, session_sql(world.session), &arena, &statement, &err);
        if (status != OK) {
            arena_fini(&arena);
            break;
        }
        status = engine_execute(world.session, &statement, &arena, NULL, &result, &err);
        if (status != OK)
            break;
        engine_result_fini(&result);
    }
    sql_script_close(script);
    return status == ERR_END ? OK : status;
}

static bool is_there(const char *path)
{
    struct endpoint *endpoint = engine_endpoint_find(world.engine, str_of(path));
    endpoint_unref(endpoint);
    return endpoint;
}

static void count_one(void *context, const struct endpoint *endpoint,
                      const struct catalog_object *table)
{
    ++*(int *)context;
}

TEST(an_endpoint_exists_while_its_table_does_and_a_server_runs)
{
    int count = 0;
    CHECK(open_world());
    CHECK_OK(run("CREATE TABLE a (x INT) WITH ('connector' = 'door');"
                 "CREATE TABLE plain (x INT) WITH ('connector' = 'sim')"));
    CHECK(!is_there("a"));
    CHECK_OK(engine_endpoints_open(world.engine, &err));
    CHECK(is_there("a") && !is_there("plain") && !is_there("b") && !is_there(""));
    CHECK_OK(run("CREATE TABLE b (x INT) WITH ('connector' = 'door', 'path' = 'c')"));
    CHECK(is_there("c") && !is_there("b"));
    engine_endpoints_list(world.engine, count_one, &count);
    CHECK_INT(count, 2);
    CHECK_OK(run("CREATE TABLE IF NOT EXISTS b (x INT) WITH ('connector' = 'door')"));
    CHECK_INT(doors.open, 2);
    struct endpoint *held = engine_endpoint_find(world.engine, STR("a"));
    CHECK_OK(run("DROP TABLE a"));
    CHECK(!is_there("a"));
    CHECK_INT(doors.shut, 1);
    CHECK_INT(doors.closed, 0); /* a request still has it */
    endpoint_unref(held);
    CHECK_INT(doors.closed, 1);
    close_world();
    CHECK_INT(doors.shut, 2);
    CHECK_INT(doors.closed, 2);
}

TEST(what_cannot_be_opened_is_not_created)
{
    CHECK(open_world());
    CHECK_OK(engine_endpoints_open(world.engine, &err));
    CHECK_OK(run("CREATE TABLE a (x INT) WITH ('connector' = 'door')"));
    CHECK_INT(run("CREATE TABLE b (x INT) WITH ('connector' = 'door', 'path' = 'a')"), ERR_EXISTS);
    CHECK(strstr(err.text, "b") && strstr(err.text, "default_database.a"));
    doors.fail = true;
    CHECK_INT(run("CREATE TABLE c (x INT) WITH ('connector' = 'door')"), ERR_IO);
    doors.fail = false;
    CHECK_INT(run("DESCRIBE b"), ERR_NAME);
    CHECK_OK(run("CREATE TABLE c (x INT) WITH ('connector' = 'door')"));
    CHECK_INT(run("CREATE TABLE d (x INT, at TIMESTAMP_LTZ(3) METADATA FROM 'time', "
                  "CHECK (x > 0 AND at IS NULL)) WITH ('connector' = 'door')"),
              ERR_UNSUPPORTED);
    CHECK(strstr(err.text, "CHECK (x > 0 AND at IS NULL) uses a metadata column"));
    CHECK_OK(run("CREATE TABLE d (x INT, at TIMESTAMP_LTZ(3) METADATA FROM 'time', "
                 "day AS CAST(at AS DATE)) WITH ('connector' = 'door')"));
    engine_endpoints_close(world.engine);
    CHECK(!is_there("a"));
    CHECK_INT(doors.closed, 3);
    doors.fail = true;
    CHECK_INT(engine_endpoints_open(world.engine, &err), ERR_IO);
    CHECK(!is_there("a"));
    close_world();
    CHECK_INT(doors.open, doors.closed);
}

TEST(a_job_that_reads_one_wants_it)
{
    CHECK(open_world());
    CHECK_OK(run("CREATE TABLE a (x INT) WITH ('connector' = 'door');"
                 "CREATE TABLE s (x INT) WITH ('connector' = 'sim');"
                 "CREATE TABLE o (x INT) WITH ('connector' = 'sim');"
                 "INSERT INTO o SELECT x FROM s"));
    CHECK(!engine_endpoints_wanted(world.engine));
    endless = false; /* what is there already needs no server */
    CHECK_OK(run("INSERT INTO o SELECT x FROM a"));
    CHECK(!engine_endpoints_wanted(world.engine));
    endless = true;
    CHECK_OK(run("INSERT INTO o SELECT x FROM a"));
    CHECK(engine_endpoints_wanted(world.engine));
    close_world();
}

/* ---- constraints */

#define ROWS 8

static const int32_t NUMBERS[ROWS] = {1, -1, 5, 0, 3, 7, 2, 0};
static const char *const TEXTS[ROWS] = {"a", "b", NULL, "5", "2020-01-01 10:00:00", "a", "x", NULL};

static struct batch *make_batch(bool number_null)
{
    struct vec *columns[2];
    struct batch *batch = NULL;
    if (vec_new(&columns[0], &TYPE_OF_INT, ROWS, NULL, &err) != OK ||
        vec_new(&columns[1], &TYPE_OF_STRING, ROWS, NULL, &err) != OK ||
        vec_make_validity(columns[0], &err) != OK || vec_make_validity(columns[1], &err) != OK)
        return NULL;
    for (uint32_t i = 0; i < ROWS; i++) {
        ((int32_t *)columns[0]->values)[i] = NUMBERS[i];
        if (!TEXTS[i])
            vec_clear_valid(columns[1], i);
        if (vec_set_text(columns[1], i, TEXTS[i] ? TEXTS[i] : "", TEXTS[i] ? strlen(TEXTS[i]) : 0,
                         &err) != OK)
            return NULL;
    }
    if (number_null)
        vec_clear_valid(columns[0], 6);
    columns[0]->length = columns[1]->length = ROWS;
    return batch_new(&batch, columns, 2, ROWS, &err) == OK ? batch : NULL;
}

static char faults[4096];

static void note_fault(void *context, const struct row_fault *fault)
{
    size_t length = strlen(faults);
    snprintf(faults + length, sizeof(faults) - length, "%u %d [%s] %s\n", fault->row,
             (int)fault->field, fault->constraint, fault->message);
}

/* "row field [constraint] message" a line, of a table with columns n INT and s STRING. */
static const char *faults_of(const char *definition, const uint16_t *selection, uint32_t count)
{
    char statement[1024];
    faults[0] = 0;
    snprintf(statement, sizeof(statement), "CREATE TABLE t (%s) WITH ('connector' = 'door')",
             definition);
    if (run(statement) != OK)
        return err.text;
    struct endpoint *endpoint = engine_endpoint_find(world.engine, STR("t"));
    struct batch *batch = make_batch(true);
    struct row_checker *checker = ((struct door *)endpoint)->checker;
    if (selection && batch_set_selection(batch, selection, count, &err) != OK)
        return "no memory";
    for (int i = 0; i < 2; i++) { /* twice: nothing is left over */
        faults[0] = 0;
        if (checker->run(checker, batch, note_fault, NULL, &err) != OK)
            return err.text;
    }
    batch_unref(batch);
    endpoint_unref(endpoint);
    return run("DROP TABLE t") == OK ? faults : err.text;
}

TEST(constraints)
{
    const uint16_t some[] = {0, 3, 6};
    CHECK(open_world());
    CHECK_OK(engine_endpoints_open(world.engine, &err));
    CHECK_STR(faults_of("n INT, s STRING", NULL, 0), "");
    CHECK_STR(faults_of("n INT NOT NULL, s STRING", NULL, 0),
              "6 0 [INT NOT NULL] column 'n' is NOT NULL and has no value\n");
    CHECK_STR(faults_of("n INT, s STRING, CHECK (n > 0)", NULL, 0),
              "1 0 [CHECK (n > 0)] CHECK (n > 0) is false for n = -1\n"
              "3 0 [CHECK (n > 0)] CHECK (n > 0) is false for n = 0\n"
              "7 0 [CHECK (n > 0)] CHECK (n > 0) is false for n = 0\n");
    CHECK_STR(faults_of("n INT, s STRING, CHECK (n > 0)", some, 3),
              "3 0 [CHECK (n > 0)] CHECK (n > 0) is false for n = 0\n");
    /* the first broken one, in the declared order; NULL passes */
    CHECK_STR(faults_of("n INT NOT NULL, s STRING, CONSTRAINT few CHECK (n < 5), "
                        "CHECK (s IN ('a', 'b') AND n <> 7)",
                        NULL, 0),
              "2 0 [CONSTRAINT few CHECK (n < 5)] CONSTRAINT few CHECK (n < 5) is false for n = 5\n"
              "3 1 [CHECK (s IN ('a', 'b') AND n <> 7)] CHECK (s IN ('a', 'b') AND n <> 7) is "
              "false for s = '5', n = 0\n"
              "4 1 [CHECK (s IN ('a', 'b') AND n <> 7)] CHECK (s IN ('a', 'b') AND n <> 7) is "
              "false for s = '2020-01-01 10:00:00', n = 3\n"
              "5 0 [CONSTRAINT few CHECK (n < 5)] CONSTRAINT few CHECK (n < 5) is false for n = 7\n"
              "6 0 [INT NOT NULL] column 'n' is NOT NULL and has no value\n");
    close_world();
}

TEST(what_a_reader_could_not_compute)
{
    CHECK(open_world());
    CHECK_OK(engine_endpoints_open(world.engine, &err));
    CHECK_STR(faults_of("n INT, s STRING, h AS 10 / n", NULL, 0),
              "3 0 [h AS ...] h AS ... cannot be computed: division by zero, with n = 0\n"
              "7 0 [h AS ...] h AS ... cannot be computed: division by zero, with n = 0\n");
    /* all but one are no time */
    const char *found =
        faults_of("n INT, s STRING, ts AS TO_TIMESTAMP(s), WATERMARK FOR ts AS ts", NULL, 0);
    CHECK(strstr(found, "0 1 [WATERMARK FOR ts] WATERMARK FOR ts has no time for s = 'a'\n"));
    CHECK(strstr(found, "\n7 1 [WATERMARK FOR ts] WATERMARK FOR ts has no time for s = NULL\n"));
    CHECK(strstr(found, "\n3 1 ") && !strstr(found, "\n4 1 ") && strstr(found, "\n5 1 "));
    close_world();
}
