/* jdbc on SQLite: what other readers of the file see, scans back, locks, wrong tables, faults. */
#include "connector/jdbc/jdbc.h"
#include "../check.h"
#include "base/rng.h"
#include "connector_help.h"
#include "format/csv/csv_value.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <unistd.h>

static struct test_context context;
static struct test_wake the_wake;
static char path[64], url[96];

static void setup(void)
{
    test_context_init(&context);
    test_wake_init(&the_wake);
    snprintf(path, sizeof(path), "jdbc_test_%d.db", (int)getpid());
    snprintf(url, sizeof(url), "jdbc:sqlite:%s", path);
    unlink(path);
}

static void teardown(void)
{
    char name[128];
    unlink(path);
    snprintf(name, sizeof(name), "%s-wal", path);
    unlink(name);
    snprintf(name, sizeof(name), "%s-shm", path);
    unlink(name);
    test_context_fini(&context);
}

static enum status set_text(struct vec *vec, uint32_t row, const char *text)
{
    if (!text)
        return csv_set_null(vec, row, NULL);
    return csv_set_cell(vec, row, str_of(text), false) == CSV_CELL_OK ? OK : ERR_DATA;
}

/* The rows of a query by a connection of its own: "1|a\n"; NULL as "NULL". */
static const char *query(const char *sql)
{
    static struct buf text;
    sqlite3 *db;
    sqlite3_stmt *statement;
    buf_fini(&text);
    buf_init(&text, 64 << 20);
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) {
        buf_printf(&text, "error: %s", sqlite3_errmsg(db));
        sqlite3_close(db);
        return buf_text(&text);
    }
    while (sqlite3_step(statement) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            const char *value = (const char *)sqlite3_column_text(statement, i);
            buf_printf(&text, "%s%s", i ? "|" : "", value ? value : "NULL");
        }
        buf_append_byte(&text, '\n');
    }
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return buf_text(&text);
}

struct open_sink {
    struct sink *sink;
    struct sink_writer *writer;
};

static enum status open_sink(struct open_sink *open, const struct test_table *table,
                             struct error *err)
{
    struct sink_request request = test_sink_request(table, &context);
    TRY(CONNECTOR_JDBC.sink->open(&request, &open->sink, err));
    return CONNECTOR_JDBC.sink->writer_open(open->sink, 0, &the_wake.wake, &open->writer, err);
}

static enum push_result write_all(struct open_sink *open, struct batch *batch, struct error *err)
{
    enum push_result result;
    while ((result = CONNECTOR_JDBC.sink->write(open->writer, batch, err)) == PUSH_FULL)
        must(test_wake_wait(&the_wake));
    return result;
}

static enum push_result flush(struct open_sink *open, struct error *err)
{
    enum push_result result;
    while ((result = CONNECTOR_JDBC.sink->flush(open->writer, 1, err)) == PUSH_FULL)
        must(test_wake_wait(&the_wake));
    return result;
}

static void close_sink(struct open_sink *open)
{
    CONNECTOR_JDBC.sink->writer_close(open->writer);
    CONNECTOR_JDBC.sink->close(open->sink);
}

static enum status keep_split(void *target, const struct source_split *split, struct error *err)
{
    *(struct source_split *)target = *split;
    return OK;
}

/* All rows of a scan, or the error. */
static const char *scan(const struct test_table *table, uint32_t wanted_count, int64_t limit)
{
    static struct buf text;
    struct error err = {0};
    struct source *source;
    struct source_split split;
    struct source_reader *reader;
    struct source_output output;
    enum poll_result result;
    const struct source_class *class = CONNECTOR_JDBC.source;
    struct source_request request = test_source_request(table, &context);
    buf_fini(&text);
    buf_init(&text, 64 << 20);
    request.wanted_count = wanted_count;
    request.limit = limit;
    if (class->open(&request, &the_wake.wake, &source, &err) != OK) {
        buf_append_text(&text, err.text);
        return buf_text(&text);
    }
    must(class->discover(source, keep_split, &split, &(int64_t){0}, &err) == POLL_ROWS);
    must(class->discover(source, keep_split, &split, &(int64_t){0}, &err) == POLL_END);
    must(class->reader_open(source, &split, NULL, 0, &the_wake.wake, &reader, &err) == OK);
    while ((result = class->poll(reader, 100, &output, &err)) != POLL_END) {
        if (result == POLL_WAIT) {
            must(test_wake_wait(&the_wake));
        } else if (result == POLL_ERROR) {
            buf_append_text(&text, err.text);
            break;
        } else {
            batch_verify(output.batch);
            test_rows_text(&text, output.batch);
            batch_unref(output.batch);
        }
    }
    class->reader_close(reader);
    class->close(source);
    return buf_text(&text);
}

TEST(upserts_deletes_nulls)
{
    static const char *const first[] = {"a", "1", "b", "2", "c", NULL, "a", "3"};
    static const char *const second[] = {"b", NULL, "d", "4", "a", "9", "e", "5", "e", NULL};
    struct test_table table;
    struct open_sink open;
    struct error err = {0};
    enum sink_mode mode;
    setup();
    test_table_init(&table, "t");
    test_field(&table, "k", &TYPE_OF_STRING);
    test_field(&table, "v", &TYPE_OF_BIGINT);
    test_key(&table, 0);
    test_option(&table, "url", url);
    test_option(&table, "table-name", "the \"totals\"");
    CHECK_OK(CONNECTOR_JDBC.sink->mode(&table.description, &mode, &err));
    CHECK_INT(mode, SINK_UPSERT);
    CHECK_OK(open_sink(&open, &table, &err));
    struct batch *batch = test_batch(&table, 4, first, NULL, set_text);
    CHECK_INT(write_all(&open, batch, &err), PUSH_DONE);
    batch_unref(batch);
    CHECK_INT(flush(&open, &err), PUSH_DONE);
    CHECK_STR(query("SELECT * FROM \"the \"\"totals\"\"\" ORDER BY k"), "a|3\nb|2\nc|NULL\n");
    batch = test_batch(&table, 5, second, "30202", set_text);
    batch->kinds[4] = ROW_DELETE;
    CHECK_INT(write_all(&open, batch, &err), PUSH_DONE);
    batch_unref(batch);
    CHECK_INT(flush(&open, &err), PUSH_DONE);
    CHECK_STR(query("SELECT * FROM \"the \"\"totals\"\"\" ORDER BY k"), "a|9\nc|NULL\nd|4\n");
    close_sink(&open);
    CHECK_STR(scan(&table, 2, -1), "a|9\nc|NULL\nd|4\n");
    CHECK_STR(scan(&table, 1, 2), "a\nc\n");
    CHECK_STR(scan(&table, 0, -1), "\n\n\n");
    teardown();
}

TEST(all_types_there_and_back)
{
    struct arena arena;
    struct test_table table;
    struct open_sink open;
    struct error err = {0};
    setup();
    arena_init(&arena, NULL, 1 << 20);
    test_table_init(&table, "t");
    test_field(&table, "b", &TYPE_OF_BOOLEAN);
    test_field(&table, "i8", &TYPE_OF_TINYINT);
    test_field(&table, "i16", &TYPE_OF_SMALLINT);
    test_field(&table, "i32", &TYPE_OF_INT);
    test_field(&table, "i64", &TYPE_OF_BIGINT);
    test_field(&table, "f", &TYPE_OF_FLOAT);
    test_field(&table, "d", &TYPE_OF_DOUBLE);
    test_field(&table, "d15", type_decimal(&arena, 15, 4, true));
    test_field(&table, "d9", type_decimal(&arena, 9, 0, true));
    test_field(&table, "d38", type_decimal(&arena, 38, 10, true));
    test_field(&table, "s", &TYPE_OF_STRING);
    test_field(&table, "c", type_text(&arena, TYPE_CHAR, 3, true));
    test_field(&table, "x", &TYPE_OF_BYTES);
    test_field(&table, "day", &TYPE_OF_DATE);
    test_field(&table, "time", type_temporal(&arena, TYPE_TIME, 3, true));
    test_field(&table, "ts3", &TYPE_OF_TIMESTAMP_3);
    test_field(&table, "ts9", type_temporal(&arena, TYPE_TIMESTAMP, 9, true));
    test_field(&table, "ltz", &TYPE_OF_TIMESTAMP_LTZ_3);
    test_option(&table, "url", url);
    test_option(&table, "table-name", "t");
    static const char *const values[] = {
        "true",
        "-128",
        "-32768",
        "-2147483648",
        "-9223372036854775808",
        "1.5",
        "1e300",
        "99999999999.9999",
        "-999999999",
        "-1234567890123456789012345678.0123456789",
        "gr\303\274n 'x'",
        "abc",
        "AAEC/w==",
        "0001-01-01",
        "23:59:59.999",
        "9999-12-31 23:59:59.999",
        "1969-12-31 23:59:59.999999999",
        "2024-02-29 12:00:00.5Z",
        "false",
        "127",
        "32767",
        "2147483647",
        "9223372036854775807",
        "0.1",
        "NaN",
        "0.0001",
        "0",
        "0.0000000001",
        "",
        "",
        "",
        "2024-02-29",
        "00:00:00",
        "2024-01-01 00:00:00",
        "1970-01-01 00:00:00",
        "1970-01-01 00:00:00Z",
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
    };
    CHECK_OK(open_sink(&open, &table, &err));
    struct batch *batch = test_batch(&table, 3, values, NULL, set_text);
    struct buf want;
    buf_init(&want, 1 << 20);
    test_rows_text(&want, batch);
    CHECK_INT(write_all(&open, batch, &err), PUSH_DONE);
    batch_unref(batch);
    CHECK_INT(flush(&open, &err), PUSH_DONE);
    close_sink(&open);
    CHECK_STR(scan(&table, 18, -1), buf_text(&want));
    CHECK_STR(
        query("SELECT sql FROM sqlite_master"),
        "CREATE TABLE \"t\" (\"b\" INTEGER, \"i8\" INTEGER, \"i16\" INTEGER, \"i32\" INTEGER, "
        "\"i64\" INTEGER, \"f\" REAL, \"d\" REAL, \"d15\" DECIMAL(15, 4), \"d9\" DECIMAL(9, 0), "
        "\"d38\" TEXT, \"s\" TEXT, \"c\" TEXT, \"x\" BLOB, \"day\" TEXT, \"time\" TEXT, "
        "\"ts3\" TEXT, \"ts9\" TEXT, \"ltz\" TEXT)\n");
    CHECK_STR(query("SELECT d15, d9, d38, hex(x), day, time, ts3, ts9, ltz FROM t WHERE b = 1"),
              "99999999999.9999|-999999999|-1234567890123456789012345678.0123456789|000102FF|"
              "0001-01-01|23:59:59.999|9999-12-31 23:59:59.999|1969-12-31 23:59:59.999999999|"
              "2024-02-29 12:00:00.500Z\n");
    CHECK_STR(query("SELECT SUM(d15) = 100000000000.0, datetime(ltz) FROM t WHERE i8 = 127"),
              "0|1970-01-01 00:00:00\n");
    buf_fini(&want);
    arena_fini(&arena);
    teardown();
}

/* Random changes of random keys against an array. */
TEST(random_upserts)
{
    enum { KEYS = 3000, BATCHES = 300 };
    static int64_t model[KEYS];
    static char texts[2048][2][24];
    static const char *values[4096];
    struct test_table table;
    struct open_sink open;
    struct error err = {0};
    struct rng rng;
    char kinds[2048];
    setup();
    rng_init(&rng, 7);
    for (int i = 0; i < KEYS; i++)
        model[i] = -1;
    test_table_init(&table, "t");
    test_field(&table, "k", &TYPE_OF_INT);
    test_field(&table, "v", &TYPE_OF_BIGINT);
    test_key(&table, 0);
    test_option(&table, "url", url);
    test_option(&table, "table-name", "t");
    test_option(&table, "sink.buffer-flush.max-rows", "700");
    CHECK_OK(open_sink(&open, &table, &err));
    for (int b = 0; b < BATCHES; b++) {
        uint32_t rows = 1 + (uint32_t)rng_below(&rng, 2048);
        for (uint32_t i = 0; i < rows; i++) {
            int64_t key = (int64_t)rng_below(&rng, KEYS), value = (int64_t)rng_below(&rng, 1000000);
            bool is_delete = rng_below(&rng, 4) == 0;
            snprintf(texts[i][0], 24, "%d", (int)key);
            snprintf(texts[i][1], 24, "%d", (int)value);
            values[2 * i] = texts[i][0];
            values[2 * i + 1] = texts[i][1];
            kinds[i] = is_delete ? '3' : '2';
            model[key] = is_delete ? -1 : value;
        }
        struct batch *batch = test_batch(&table, rows, values, kinds, set_text);
        CHECK_INT(write_all(&open, batch, &err), PUSH_DONE);
        batch_unref(batch);
        if (b % 50 == 0)
            CHECK_INT(flush(&open, &err), PUSH_DONE);
    }
    CHECK_INT(flush(&open, &err), PUSH_DONE);
    struct buf want;
    buf_init(&want, 1 << 20);
    for (int i = 0; i < KEYS; i++)
        if (model[i] >= 0)
            buf_printf(&want, "%d|%lld\n", i, (long long)model[i]);
    CHECK_STR(query("SELECT * FROM t ORDER BY k"), buf_text(&want));
    close_sink(&open);
    buf_fini(&want);
    teardown();
}

TEST(appends_in_order)
{
    static const char *values[2000];
    static char texts[2000][8];
    struct test_table table;
    struct open_sink open;
    struct error err = {0};
    enum sink_mode mode;
    setup();
    test_table_init(&table, "t");
    test_field(&table, "n", &TYPE_OF_INT);
    test_option(&table, "url", url);
    test_option(&table, "table-name", "t");
    CHECK_OK(CONNECTOR_JDBC.sink->mode(&table.description, &mode, &err));
    CHECK_INT(mode, SINK_APPEND);
    CHECK_OK(open_sink(&open, &table, &err));
    for (int b = 0; b < 10; b++) {
        for (int i = 0; i < 2000; i++) {
            snprintf(texts[i], 8, "%d", b * 2000 + i);
            values[i] = texts[i];
        }
        struct batch *batch = test_batch(&table, 2000, values, NULL, set_text);
        CHECK_INT(write_all(&open, batch, &err), PUSH_DONE);
        batch_unref(batch);
    }
    CHECK_INT(flush(&open, &err), PUSH_DONE);
    CHECK_STR(query("SELECT COUNT(*), SUM(n), SUM(n + 1 = rowid) FROM t"),
              "20000|199990000|20000\n");
    close_sink(&open);
    teardown();
}

TEST(locked_file_is_waited_for)
{
    static const char *const values[] = {"1", "x"};
    struct test_table table;
    struct open_sink open;
    struct error err = {0};
    sqlite3 *other;
    struct buf why;
    setup();
    buf_init(&why, 4096);
    test_table_init(&table, "t");
    test_field(&table, "k", &TYPE_OF_INT);
    test_field(&table, "v", &TYPE_OF_STRING);
    test_key(&table, 0);
    test_option(&table, "url", url);
    test_option(&table, "table-name", "t");
    CHECK(sqlite3_open(path, &other) == SQLITE_OK);
    CHECK(sqlite3_exec(other, "CREATE TABLE z (a); BEGIN EXCLUSIVE", 0, 0, 0) == SQLITE_OK);
    CHECK_OK(open_sink(&open, &table, &err)); /* cannot even look at the tables */
    struct batch *batch = test_batch(&table, 1, values, NULL, set_text);
    CHECK_INT(write_all(&open, batch, &err), PUSH_DONE);
    CHECK_INT(CONNECTOR_JDBC.sink->flush(open.writer, 1, &err), PUSH_FULL);
    for (int i = 0; i < 2000 && !CONNECTOR_JDBC.sink->why(open.writer, &why); i++)
        usleep(10000); /* its thread may be late */
    CHECK(strstr(buf_text(&why), "has been locked by another connection for "));
    CHECK(sqlite3_exec(other, "COMMIT", 0, 0, 0) == SQLITE_OK);
    CHECK_INT(flush(&open, &err), PUSH_DONE);
    CHECK(!CONNECTOR_JDBC.sink->why(open.writer, &why));
    CHECK_STR(query("SELECT * FROM t"), "1|x\n");
    /* closing while it is locked does not wait for the lock */
    CHECK(sqlite3_exec(other, "BEGIN IMMEDIATE", 0, 0, 0) == SQLITE_OK);
    CHECK_INT(write_all(&open, batch, &err), PUSH_DONE);
    batch_unref(batch);
    close_sink(&open);
    sqlite3_close(other);
    buf_fini(&why);
    teardown();
}

static void expect_refused(const char *ddl, const struct test_table *table, enum status code,
                           const char *text)
{
    struct open_sink open;
    struct error err = {0};
    sqlite3 *db;
    unlink(path);
    CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    CHECK(sqlite3_exec(db, ddl, 0, 0, 0) == SQLITE_OK);
    sqlite3_close(db);
    enum status status = open_sink(&open, table, &err);
    if (status == OK) {
        if (flush(&open, &err) == PUSH_ERROR)
            status = err.code;
        close_sink(&open);
    }
    CHECK_INT(status, code);
    if (text && !strstr(err.text, text))
        CHECK_FAIL("%s\n  for %s", err.text, ddl);
}

TEST(existing_tables)
{
    struct arena arena;
    struct test_table table;
    setup();
    arena_init(&arena, NULL, 1 << 20);
    test_table_init(&table, "t");
    test_field(&table, "k", &TYPE_OF_INT);
    test_field(&table, "amount", type_decimal(&arena, 10, 2, true));
    test_field(&table, "at", &TYPE_OF_TIMESTAMP_3);
    test_key(&table, 0);
    test_option(&table, "url", url);
    test_option(&table, "table-name", "t");
    expect_refused("CREATE TABLE t (k INTEGER PRIMARY KEY, amount NUMERIC, at DATETIME, more TEXT)",
                   &table, OK, NULL);
    expect_refused("CREATE TABLE t (k BIGINT NOT NULL, Amount DOUBLE, at, UNIQUE (k))", &table, OK,
                   NULL);
    expect_refused(
        "CREATE TABLE t (k INTEGER PRIMARY KEY, amount TEXT, at TEXT)", &table, ERR_TYPE,
        "column 'amount' of type TEXT, which does not keep values of type DECIMAL(10, 2)");
    expect_refused("CREATE TABLE t (k INTEGER PRIMARY KEY, amounts REAL, at TEXT)", &table,
                   ERR_TYPE, "exists without a column 'amount'");
    expect_refused("CREATE TABLE t (k INTEGER, amount REAL, at TEXT)", &table, ERR_TYPE,
                   "has no primary key or unique index over exactly the columns (k)");
    expect_refused("CREATE TABLE t (k INTEGER PRIMARY KEY, amount REAL, at TEXT, m TEXT NOT NULL)",
                   &table, ERR_TYPE, "column 'm' is NOT NULL without a default");
    arena_fini(&arena);
    teardown();
}

TEST(wrong_options)
{
    static const struct {
        const char *key, *value;
        enum status code;
        const char *text;
    } wrong[] = {
        {"url", "jdbc:mysql://localhost/x", ERR_UNSUPPORTED, "only jdbc:sqlite:PATH is built"},
        {"url", "jdbc:sqlite:", ERR_OPTION, "names no file"},
        {"url", "jdbc:sqlite::memory:", ERR_OPTION, "names no file"},
        {"url", "jdbc:sqlite:/no/such/directory/x.db", ERR_ACCESS, "cannot be opened"},
        {"url", "jdbc:sqlite:/dev/null", ERR_CORRUPT, NULL},
        {"username", "me", ERR_UNSUPPORTED, "'username' is not built"},
        {"scan.partition.column", "k", ERR_UNSUPPORTED, "'scan.partition.column' is not built"},
        {"tablename", "k", ERR_OPTION, "no option 'tablename'"},
    };
    setup();
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct test_table table;
        struct open_sink open;
        struct error err = {0};
        test_table_init(&table, "t");
        test_field(&table, "k", &TYPE_OF_INT);
        test_option(&table, "url", url);
        test_option(&table, "table-name", "t");
        test_option(&table, wrong[i].key, wrong[i].value);
        enum status status = open_sink(&open, &table, &err);
        if (status == OK) {
            if (flush(&open, &err) == PUSH_ERROR)
                status = err.code;
            close_sink(&open);
        }
        if (!wrong[i].text) {
            CHECK(status != OK);
            continue;
        }
        if (status != wrong[i].code || !strstr(err.text, wrong[i].text))
            CHECK_FAIL("%s = %s: %s %s", wrong[i].key, wrong[i].value, status_name(status),
                       err.text);
    }
    teardown();
}

TEST(security_roots)
{
    static const char *const roots[] = {"/usr", NULL};
    struct test_table table;
    struct open_sink open;
    struct error err = {0};
    setup();
    context.context.security_roots = roots;
    test_table_init(&table, "t");
    table.description.restricted = true;
    test_field(&table, "k", &TYPE_OF_INT);
    test_option(&table, "url", url);
    test_option(&table, "table-name", "t");
    CHECK_INT(open_sink(&open, &table, &err), ERR_ACCESS);
    CHECK(strstr(err.hint, "leat.security.roots"));
    CHECK(access(path, F_OK) != 0);
    teardown();
}

/* No room for the file to grow: an error that says so, and what was committed stays. */
TEST(no_room)
{
    static char big[300000];
    const char *values[] = {"1", "x", "2", big};
    struct test_table table;
    struct open_sink open;
    struct error err = {0};
    setup();
    memset(big, 'x', sizeof(big) - 1);
    test_table_init(&table, "t");
    test_field(&table, "k", &TYPE_OF_INT);
    test_field(&table, "v", &TYPE_OF_STRING);
    test_key(&table, 0);
    test_option(&table, "url", url);
    test_option(&table, "table-name", "t");
    CHECK_OK(open_sink(&open, &table, &err));
    struct batch *batch = test_batch(&table, 1, values, NULL, set_text);
    CHECK_INT(write_all(&open, batch, &err), PUSH_DONE);
    batch_unref(batch);
    CHECK_INT(flush(&open, &err), PUSH_DONE);
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = 200000;
    sigaction(SIGXFSZ, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    setrlimit(RLIMIT_FSIZE, &small);
    batch = test_batch(&table, 1, values + 2, NULL, set_text);
    CHECK_INT(write_all(&open, batch, &err), PUSH_DONE);
    batch_unref(batch);
    CHECK_INT(flush(&open, &err), PUSH_ERROR);
    CHECK(err.code == ERR_DISK_FULL || err.code == ERR_IO);
    CHECK(err.retriable);
    CHECK_STR(query("SELECT k FROM t"), "1\n");
    close_sink(&open);
    setrlimit(RLIMIT_FSIZE, &old);
    CHECK_STR(query("SELECT k FROM t"), "1\n");
    teardown();
}

TEST(bad_values_in_a_scan)
{
    struct test_table table;
    sqlite3 *db;
    setup();
    CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    CHECK(sqlite3_exec(db, "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 'x'), ('zwei', 'y')", 0,
                       0, 0) == SQLITE_OK);
    sqlite3_close(db);
    test_table_init(&table, "t");
    test_field(&table, "a", &TYPE_OF_INT);
    test_field(&table, "b", &TYPE_OF_STRING);
    test_option(&table, "url", url);
    test_option(&table, "table-name", "t");
    CHECK(strstr(scan(&table, 2, -1),
                 "row 2 of a batch: column 'a': the text 'zwei' is not a valid INT"));
    table.options[1].value = STR("tt");
    CHECK(strstr(scan(&table, 2, -1), "has no table 'tt'"));
    teardown();
}

/* From nothing to a row that another connection sees. */
TEST(first_row_soon)
{
    static const char *const values[] = {"1"};
    struct test_table table;
    struct open_sink open;
    struct error err = {0};
    setup();
    test_table_init(&table, "t");
    test_field(&table, "k", &TYPE_OF_INT);
    test_key(&table, 0);
    test_option(&table, "url", url);
    test_option(&table, "table-name", "t");
    int64_t start_us = io_monotonic_us(io_real()), took_us;
    CHECK_OK(open_sink(&open, &table, &err));
    struct batch *batch = test_batch(&table, 1, values, NULL, set_text);
    CHECK_INT(write_all(&open, batch, &err), PUSH_DONE);
    batch_unref(batch);
    do
        took_us = io_monotonic_us(io_real()) - start_us;
    while (took_us < 5000000 && strcmp(query("SELECT k FROM t"), "1\n") != 0);
    printf("# first row after %.1f ms\n", (double)took_us / 1000);
    CHECK(took_us < 1000000);
    close_sink(&open);
    teardown();
}
