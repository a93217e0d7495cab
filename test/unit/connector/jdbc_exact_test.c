/* jdbc, exactly once: what is committed and when, a ledger that moves with the rows or not at all,
 * one that another has taken over, a locked file, a table or ledger that is gone. */
#include "connector/jdbc/jdbc.h"
#include "../check.h"
#include "connector_help.h"
#include "format/csv/csv_value.h"

#include <sqlite3.h>
#include <unistd.h>

static struct test_context context;
static struct test_wake the_wake;
static struct test_table table;
static char path[64], url[96], logs[64];
static struct error err;

#define SINK CONNECTOR_JDBC.sink

static void setup(void)
{
    test_context_init(&context);
    test_wake_init(&the_wake);
    err = (struct error){0};
    snprintf(path, sizeof(path), "jdbc_exact_%d.db", (int)getpid());
    snprintf(url, sizeof(url), "jdbc:sqlite:%s", path);
    snprintf(logs, sizeof(logs), "jdbc_exact_%d.logs", (int)getpid());
    unlink(path);
    test_table_init(&table, "t");
    test_field(&table, "k", &TYPE_OF_STRING);
    test_field(&table, "v", &TYPE_OF_BIGINT);
    test_option(&table, "url", url);
    test_option(&table, "table-name", "t");
}

static void teardown(void)
{
    char name[128];
    unlink(path);
    snprintf(name, sizeof(name), "%s-wal", path);
    unlink(name);
    snprintf(name, sizeof(name), "%s-shm", path);
    unlink(name);
    must(io_remove_tree(io_real(), logs, &err) == OK);
    test_context_fini(&context);
}

static enum status set_text(struct vec *vec, uint32_t row, const char *text)
{
    if (!text)
        return csv_set_null(vec, row, NULL);
    return csv_set_cell(vec, row, str_of(text), false) == CSV_CELL_OK ? OK : ERR_DATA;
}

static int take_line(void *out, int count, char **values, char **names)
{
    for (int i = 0; i < count; i++)
        buf_printf(out, "%s%s", i ? "|" : "", values[i] ? values[i] : "NULL");
    buf_append_byte(out, '\n');
    return 0;
}

static const char *query(const char *sql)
{
    static struct buf text;
    sqlite3 *db;
    buf_fini(&text);
    buf_init(&text, 1 << 20);
    must(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK);
    if (sqlite3_exec(db, sql, take_line, &text, NULL) != SQLITE_OK)
        buf_printf(&text, "error: %s", sqlite3_errmsg(db));
    sqlite3_close(db);
    return buf_text(&text);
}

struct open_sink {
    struct sink *sink;
    struct sink_writer *writer;
    struct sink_committer *committer;
    struct sink_ledger ledger;
    struct sink_committables list;
};

static const uint8_t LINEAGE[SINK_LINEAGE_BYTES] = {1, 2, 0xab};

static enum status open_sink(struct open_sink *open, bool *is_gone)
{
    struct sink_request request = test_sink_request(&table, &context);
    *open = (struct open_sink){0};
    request.delivery = SINK_EXACTLY_ONCE;
    request.sink_id = "job/Sink(t)";
    request.lineage = LINEAGE;
    request.log_directory = logs;
    request.is_gone = is_gone;
    TRY(SINK->open(&request, &open->sink, &err));
    TRY(SINK->writer_open(open->sink, 0, &the_wake.wake, &open->writer, &err));
    TRY(SINK->committer_open(open->sink, &open->committer, &err));
    return SINK->ledger(open->committer, &open->ledger, &err);
}

static void close_sink(struct open_sink *open)
{
    sink_committables_drop(&open->list, open->list.count);
    if (open->committer)
        SINK->committer_close(open->committer);
    SINK->writer_close(open->writer);
    SINK->close(open->sink);
}

static void write_rows(struct open_sink *open, uint32_t count, const char *const *values,
                       const char *kinds)
{
    struct batch *batch = test_batch(&table, count, values, kinds, set_text);
    enum push_result result;
    while ((result = SINK->write(open->writer, batch, &err)) == PUSH_FULL)
        must(test_wake_wait(&the_wake));
    must(result == PUSH_DONE);
    batch_unref(batch);
}

static void prepare(struct open_sink *open)
{
    enum push_result result;
    while ((result = SINK->flush(open->writer, 1, &err)) == PUSH_FULL)
        must(test_wake_wait(&the_wake));
    must(result == PUSH_DONE);
    must(SINK->prepare(open->writer, 1, &open->list, &err) == OK);
}

/* Moves the ledger on by one epoch, with all that is prepared. */
static enum status commit(struct open_sink *open)
{
    struct sink_commit commit = {.before = open->ledger, .after = open->ledger};
    commit.after.found = true;
    memcpy(commit.after.lineage, LINEAGE, sizeof(LINEAGE));
    commit.after.position.epoch += open->ledger.found;
    commit.after.position.row_count += open->list.count;
    commit.count = open->list.count;
    commit.committables = open->list.items;
    TRY(SINK->commit(open->committer, &commit, &err));
    for (uint32_t i = 0; i < open->list.count; i++)
        SINK->forget(open->committer, &open->list.items[i]);
    sink_committables_drop(&open->list, open->list.count);
    open->ledger = commit.after;
    return OK;
}

static const char *const ROWS[] = {"a", "1", "b", NULL, "a", "1"};

TEST(rows_come_with_their_ledger)
{
    struct open_sink open;
    enum sink_guarantee guarantee;
    setup();
    CHECK_OK(SINK->guarantee(&table.description, &guarantee, &err));
    CHECK_INT(guarantee, SINK_ASKS_CHECKPOINTED);
    CHECK_OK(open_sink(&open, NULL));
    CHECK(!open.ledger.found);
    CHECK_OK(commit(&open));
    CHECK_STR(query("SELECT sink, lineage, epoch, fence FROM leat_ledger"),
              "job/Sink(t)|0102ab00000000000000000000000000|0|1\n");
    write_rows(&open, 3, ROWS, NULL);
    prepare(&open);
    CHECK_STR(query("SELECT * FROM t"), "");
    CHECK_OK(commit(&open));
    CHECK_STR(query("SELECT * FROM t"), "a|1\nb|NULL\na|1\n");
    CHECK_STR(query("SELECT epoch FROM leat_ledger"), "1\n");
    close_sink(&open);
    CHECK_OK(open_sink(&open, NULL)); /* another process finds it so */
    CHECK(open.ledger.found);
    CHECK_INT(open.ledger.position.epoch, 1);
    CHECK(memcmp(open.ledger.lineage, LINEAGE, sizeof(LINEAGE)) == 0);
    CHECK_STR(query("SELECT fence FROM leat_ledger"), "2\n");
    close_sink(&open);
    teardown();
}

TEST(upserts_and_deletes)
{
    static const char *const more[] = {"a", "2", "b", "0", "c", "3"};
    struct open_sink open;
    setup();
    test_key(&table, 0);
    CHECK_OK(open_sink(&open, NULL));
    CHECK_OK(commit(&open));
    write_rows(&open, 3, ROWS, NULL);
    write_rows(&open, 3, more, "230");
    prepare(&open);
    CHECK_OK(commit(&open));
    CHECK_STR(query("SELECT * FROM t ORDER BY k"), "a|2\nc|3\n");
    close_sink(&open);
    teardown();
}

TEST(a_ledger_that_is_not_as_it_was_left_moves_no_row)
{
    struct open_sink open;
    setup();
    CHECK_OK(open_sink(&open, NULL));
    CHECK_OK(commit(&open));
    write_rows(&open, 3, ROWS, NULL);
    prepare(&open);
    query("UPDATE leat_ledger SET epoch = 7");
    CHECK_INT(commit(&open), ERR_FENCED);
    CHECK(err.fatal);
    CHECK_STR(query("SELECT COUNT(*) FROM t"), "0\n");
    query("UPDATE leat_ledger SET epoch = 0, lineage = 'x'");
    CHECK_INT(commit(&open), ERR_FENCED);
    query("DELETE FROM leat_ledger");
    CHECK_INT(commit(&open), ERR_FENCED);
    CHECK_STR(query("SELECT COUNT(*) FROM t"), "0\n");
    close_sink(&open);
    teardown();
}

TEST(who_was_taken_over_can_commit_no_more)
{
    struct open_sink first, second;
    setup();
    CHECK_OK(open_sink(&first, NULL));
    CHECK_OK(commit(&first));
    write_rows(&first, 3, ROWS, NULL);
    prepare(&first);
    CHECK_OK(open_sink(&second, NULL));
    CHECK_INT(commit(&first), ERR_FENCED);
    CHECK(err.fatal && !err.retriable);
    CHECK_STR(query("SELECT COUNT(*) FROM t"), "0\n");
    SINK->committer_close(first.committer); /* nor after it has opened again */
    first.committer = NULL;
    err = (struct error){0};
    CHECK_OK(SINK->committer_open(first.sink, &first.committer, &err));
    CHECK_INT(SINK->ledger(first.committer, &first.ledger, &err), ERR_FENCED);
    CHECK_OK(commit(&second));
    close_sink(&first);
    close_sink(&second);
    teardown();
}

TEST(a_locked_file_can_be_tried_again)
{
    struct open_sink open;
    sqlite3 *other;
    setup();
    CHECK_OK(open_sink(&open, NULL));
    CHECK_OK(commit(&open));
    write_rows(&open, 3, ROWS, NULL);
    prepare(&open);
    must(sqlite3_open(path, &other) == SQLITE_OK);
    must(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK);
    CHECK_INT(commit(&open), ERR_LOCKED);
    CHECK(err.retriable && !err.fatal);
    sqlite3_close(other);
    err = (struct error){0};
    CHECK_OK(commit(&open));
    CHECK_STR(query("SELECT COUNT(*) FROM t"), "3\n");
    close_sink(&open);
    teardown();
}

TEST(a_table_or_a_ledger_that_is_gone_is_noticed)
{
    struct open_sink open;
    bool is_gone = false;
    setup();
    CHECK_OK(open_sink(&open, NULL));
    CHECK_OK(commit(&open));
    close_sink(&open);
    CHECK_OK(open_sink(&open, &is_gone));
    CHECK(!is_gone);
    close_sink(&open);
    query("DELETE FROM leat_ledger");
    CHECK_OK(open_sink(&open, &is_gone));
    CHECK(is_gone);
    CHECK_OK(commit(&open));
    close_sink(&open);
    query("DROP TABLE t");
    is_gone = false;
    CHECK_OK(open_sink(&open, &is_gone));
    CHECK(is_gone);
    close_sink(&open);
    teardown();
}

TEST(the_ledger_s_own_table_is_no_target)
{
    struct open_sink open;
    setup();
    table.description.option_count--;
    test_option(&table, "table-name", "LEAT_ledger");
    CHECK_INT(open_sink(&open, NULL), ERR_OPTION);
    teardown();
}
