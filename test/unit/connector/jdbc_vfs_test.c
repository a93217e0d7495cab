/* SQLite on the simulated disk: what a COMMIT has answered survives a crash at every step, in both
 * journal modes; with fewer syncs it does not; connections of one process lock each other out. */
#include "../check.h"
#include "base/must.h"
#include "connector/jdbc/jdbc_int.h"
#include "os/simio.h"

#include <errno.h>

#define FILE_PATH "/data/a.db"

static sqlite3 *open_file(struct io *io)
{
    struct error err = {0};
    sqlite3 *db = NULL;
    return jdbc_sqlite_open(&db, io, FILE_PATH, true, &err) == OK ? db : NULL;
}

static bool run(sqlite3 *db, const char *sql)
{
    return db && sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* The first value of the first row; -1: an error. */
static int64_t ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;
    int64_t value = -1;
    if (!db || sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        return -1;
    if (sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return value;
}

static bool make_directory(struct io *io)
{
    struct error err = {0};
    return io_mkdir(io, "/data", &err) == OK && io_sync_parent(io, "/data", &err) == OK;
}

/* Rows 1, 2, ... each in a transaction of its own, with a page and more; the last COMMIT that
 * answered. */
static int64_t work(struct io *io, const char *pragmas, int64_t count)
{
    sqlite3 *db = open_file(io);
    struct error err = {0};
    int64_t done = 0;
    if (run(db, pragmas) && run(db, "CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT)") &&
        io_sync_parent(io, FILE_PATH, &err) == OK) {
        char sql[200];
        for (int64_t i = 1; i <= count; i++) {
            snprintf(sql, sizeof(sql), "INSERT INTO t VALUES (%lld, hex(zeroblob(%d)))",
                     (long long)i, (int)(i * 700 % 4000));
            if (!run(db, sql))
                break;
            done = i;
            if (i % 8 == 0 && !run(db, "PRAGMA wal_checkpoint"))
                break;
        }
    }
    sqlite3_close(db);
    return done;
}

/* Crashes at the step; false: something that was committed is lost, or the file is damaged.
 * *out_done: there was no such step. */
static bool survives(const char *pragmas, uint64_t seed, uint64_t step, bool *out_done)
{
    struct io *io = simio_new(seed * 1000003 + step);
    must(make_directory(io));
    simio_crash_at(io, simio_steps(io) + step);
    int64_t done = work(io, pragmas, 20);
    *out_done = !simio_crashed(io);
    simio_crash(io);
    sqlite3 *db = open_file(io);
    int64_t found = done == 0 ? 0 : ask(db, "SELECT count(*) FROM t");
    bool good = found >= done && ask(db, "SELECT count(*) FROM pragma_integrity_check WHERE "
                                         "integrity_check <> 'ok'") == 0;
    good = good && (done == 0 || ask(db, "SELECT max(a) FROM t") == found);
    sqlite3_close(db);
    simio_free(io);
    return good;
}

static uint64_t losses(const char *pragmas, uint64_t seeds)
{
    uint64_t lost = 0, steps = 0;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        bool done = false;
        for (uint64_t step = 1; !done; step++, steps++)
            lost += !survives(pragmas, seed, step, &done);
    }
    printf("# %s: %d crashes, %d with a loss\n", pragmas, (int)steps, (int)lost);
    return lost;
}

TEST(a_commit_survives_a_crash_at_any_step)
{
    CHECK_INT(losses("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", 3), 0);
    CHECK_INT(losses("PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA", 3), 0);
}

TEST(with_fewer_syncs_it_does_not)
{
    CHECK(losses("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF", 1) > 0);
    CHECK(losses("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL", 1) > 0);
    CHECK(losses("PRAGMA journal_mode=DELETE; PRAGMA synchronous=FULL", 1) > 0);
}

static void check_locks(const char *pragmas, bool readers_block)
{
    struct io *io = simio_new(1);
    CHECK(make_directory(io));
    CHECK_INT(work(io, pragmas, 3), 3);
    sqlite3 *one = open_file(io), *two = open_file(io);
    CHECK(run(one, "BEGIN IMMEDIATE; INSERT INTO t VALUES (10, 'x')"));
    CHECK(!run(two, "BEGIN IMMEDIATE"));
    CHECK_INT(sqlite3_errcode(two), SQLITE_BUSY);
    CHECK_INT(ask(two, "SELECT count(*) FROM t"), 3);
    CHECK(run(two, "BEGIN"));
    CHECK_INT(ask(two, "SELECT count(*) FROM t"), 3);
    CHECK_INT(run(one, "COMMIT"), !readers_block);
    CHECK(run(two, "COMMIT"));
    CHECK(!readers_block || run(one, "COMMIT"));
    CHECK_INT(ask(two, "SELECT count(*) FROM t"), 4);
    CHECK(run(two, "INSERT INTO t VALUES (11, 'y')"));
    CHECK_INT(ask(one, "SELECT count(*) FROM t"), 5);
    sqlite3_close(one);
    sqlite3_close(two);
    simio_free(io);
}

TEST(connections_lock_each_other_out)
{
    check_locks("PRAGMA journal_mode=WAL", false);
    check_locks("PRAGMA journal_mode=DELETE", true);
}

TEST(errors_are_the_disk_s)
{
    struct io *io = simio_new(1);
    struct error err = {0};
    CHECK(make_directory(io));
    CHECK_INT(work(io, "PRAGMA journal_mode=WAL", 3), 3);
    sqlite3 *db = open_file(io);
    CHECK_INT(ask(db, "SELECT count(*) FROM t"), 3);
    simio_set_capacity(io, 1);
    CHECK_INT(jdbc_sqlite_exec(db, FILE_PATH, "INSERT INTO t VALUES (9, 'z')", &err),
              ERR_DISK_FULL);
    simio_set_capacity(io, 0);
    simio_fail(io, SIMIO_SYNC, 1, EIO);
    CHECK_INT(jdbc_sqlite_exec(db, FILE_PATH,
                               "PRAGMA wal_checkpoint; INSERT INTO t VALUES (9, 'z')", &err),
              ERR_IO);
    sqlite3_close(db);
    simio_free(io);
}

/* A sync fails, its pages of the write-ahead log are lost though still shown; what a target then
 * commits must not depend on them. *committed: it said so. */
static bool survives_a_failed_sync(uint64_t seed, bool *committed)
{
    struct io *io = simio_new(seed);
    struct error err = {0};
    static struct table_field fields[] = {{.name = "a"}};
    fields[0].type = &TYPE_OF_INT;
    const struct table_description table = {.name = "t", .fields = fields, .field_count = 1};
    struct jdbc_target target = {.io = io, .path = FILE_PATH, .name = "t", .table = &table};
    must(make_directory(io));
    jdbc_forget_syncs();
    bool good = jdbc_target_ready(&target, &err) == OK;
    sqlite3 *other = open_file(io);
    good = good && run(other, "PRAGMA synchronous=NORMAL") &&
           run(other, "INSERT INTO t VALUES (1)"); /* not synced */
    simio_fail(io, SIMIO_SYNC, 1, EIO);
    good = good && jdbc_target_sync(&target, &err) != OK;
    error_clear(&err);
    *committed = jdbc_target_begin(&target, true, &err) == OK &&
                 run(target.db, "INSERT INTO t VALUES (2)") &&
                 jdbc_target_end(&target, OK, &err) == OK;
    simio_crash_at(io, simio_steps(io) + 1);
    sqlite3_close(other);
    jdbc_target_close(&target);
    simio_crash(io);
    sqlite3 *db = open_file(io);
    good = good && ask(db, "SELECT count(*) FROM t WHERE a = 2") == 1;
    sqlite3_close(db);
    simio_free(io);
    return good;
}

TEST(a_commit_behind_a_failed_sync_survives)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        bool committed;
        bool good = survives_a_failed_sync(seed, &committed);
        CHECK(committed);
        CHECK(good);
    }
}
