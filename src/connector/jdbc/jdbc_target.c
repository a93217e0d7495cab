/* jdbc_target.c - a connection that writes to the sink's table: opening it, the table made or
 * compared, transactions of changes.
 *
 * Commits are synchronous=NORMAL, or, when asked for, EXTRA (FULL, and without a write-ahead log
 * the directory is synced after the journal is deleted: else a power cut brings the journal back
 * and takes the commit). A file that cannot have a write-ahead log is always EXTRA.
 *
 * After a failed sync, of whichever connection, the system may have lost pages of the write-ahead
 * log that it still shows, and with them, after a power cut, all that follows in it, synced or not.
 * So before anything more counts as durable the log's content is moved to the database, and the log
 * begins anew.
 */
#include "connector/jdbc/jdbc_int.h"

enum status jdbc_target_prepare(struct jdbc_target *target, const char *text, sqlite3_stmt **out,
                                struct error *err)
{
    struct buf sql;
    buf_init(&sql, JDBC_STATEMENT_MAX);
    buf_append_text(&sql, text);
    enum status status = jdbc_sqlite_prepare(target->db, target->path, &sql, out, err);
    buf_fini(&sql);
    return status;
}

static enum status prepare_table(struct jdbc_target *target,
                                 void (*append)(struct buf *sql, const char *name,
                                                const struct table_description *table),
                                 sqlite3_stmt **out, struct error *err)
{
    struct buf sql;
    buf_init(&sql, JDBC_STATEMENT_MAX);
    append(&sql, target->name, target->table);
    enum status status = jdbc_sqlite_prepare(target->db, target->path, &sql, out, err);
    buf_fini(&sql);
    return status;
}

static enum status set_synchronous(struct jdbc_target *target, bool full, struct error *err)
{
    static const char *const texts[] = {
        [JDBC_SYNCHRONOUS_NORMAL] = "PRAGMA synchronous=NORMAL",
        [JDBC_SYNCHRONOUS_EXTRA] = "PRAGMA synchronous=EXTRA",
    };
    enum jdbc_synchronous wanted =
        target->has_wal && !full ? JDBC_SYNCHRONOUS_NORMAL : JDBC_SYNCHRONOUS_EXTRA;
    if (target->synchronous == wanted)
        return OK;
    TRY(jdbc_sqlite_exec(target->db, target->path, texts[wanted], err));
    target->synchronous = wanted;
    return OK;
}

static enum status empty_log(struct jdbc_target *target, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    enum status status = OK;
    TRY(jdbc_target_prepare(target, "PRAGMA wal_checkpoint(TRUNCATE)", &statement, err));
    if (sqlite3_step(statement) != SQLITE_ROW)
        status = jdbc_sqlite_error(target->db, target->path, "PRAGMA wal_checkpoint", err);
    else if (sqlite3_column_int(statement, 0) != 0)
        status = error_set(err, ERR_LOCKED,
                           "SQLite file '%s': a sync has failed, and its write-ahead log cannot be "
                           "emptied while others use it",
                           target->path);
    if (status == ERR_LOCKED && err)
        err->retriable = true;
    sqlite3_finalize(statement);
    return status;
}

static enum status mend(struct jdbc_target *target, struct error *err)
{
    uint64_t failed = jdbc_failed_syncs();
    if (target->mended == failed || !target->has_wal)
        return OK;
    TRY(set_synchronous(target, true, err));
    TRY(empty_log(target, err));
    target->mended = failed;
    return OK;
}

enum status jdbc_target_sync(struct jdbc_target *target, struct error *err)
{
    sqlite3_file *file = NULL;
    TRY(mend(target, err));
    if (sqlite3_file_control(target->db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) !=
            SQLITE_OK ||
        !file || !file->pMethods)
        return OK; /* not open: nothing has been written to it */
    if (file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) != SQLITE_OK)
        return error_set(err, ERR_IO, "SQLite file '%s': it cannot be synced", target->path);
    return OK;
}

static enum status ask_for_wal(struct jdbc_target *target, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    TRY(jdbc_target_prepare(target, "PRAGMA journal_mode=WAL", &statement, err));
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        target->has_wal =
            str_eq_nocase(str_of((const char *)sqlite3_column_text(statement, 0)), STR("wal"));
        code = sqlite3_step(statement); /* only then the file's mode is changed */
    }
    enum status status = OK;
    if (code != SQLITE_DONE)
        status = jdbc_sqlite_error(target->db, target->path, "PRAGMA journal_mode=WAL", err);
    sqlite3_finalize(statement);
    return status;
}

enum status jdbc_target_look(struct jdbc_target *target, bool *exists, struct error *err)
{
    if (!target->db)
        TRY(jdbc_sqlite_open(&target->db, target->io, target->path, true, err));
    return jdbc_compare_table(target->db, target->path, target->name, target->table, true, exists,
                              err);
}

static enum status make_table(struct jdbc_target *target, struct error *err)
{
    struct buf sql;
    bool exists = false;
    TRY(jdbc_target_look(target, &exists, err));
    if (exists)
        return OK;
    buf_init(&sql, JDBC_STATEMENT_MAX);
    jdbc_create_sql(&sql, target->name, target->table);
    enum status status = buf_check(&sql, "a statement for SQLite", err);
    if (status == OK)
        status = jdbc_sqlite_exec(target->db, target->path, buf_text(&sql), err);
    buf_fini(&sql);
    return status;
}

enum status jdbc_target_ready(struct jdbc_target *target, struct error *err)
{
    if (target->is_ready)
        return OK;
    if (!target->db)
        TRY(jdbc_sqlite_open(&target->db, target->io, target->path, true, err));
    TRY(set_synchronous(target, true, err));
    TRY(ask_for_wal(target, err));
    TRY(make_table(target, err));
    if (target->sink_id)
        TRY(jdbc_ledger_make(target, err));
    if (!target->begin)
        TRY(jdbc_target_prepare(target, "BEGIN IMMEDIATE", &target->begin, err));
    if (!target->commit)
        TRY(jdbc_target_prepare(target, "COMMIT", &target->commit, err));
    if (!target->rollback)
        TRY(jdbc_target_prepare(target, "ROLLBACK", &target->rollback, err));
    if (!target->upsert)
        TRY(prepare_table(target, jdbc_upsert_sql, &target->upsert, err));
    if (!target->delete &&target->table->primary_key_count > 0)
        TRY(prepare_table(target, jdbc_delete_sql, &target->delete, err));
    if (target->marks)
        TRY(jdbc_ledger_mark(target, err));
    target->is_ready = true;
    return OK;
}

enum status jdbc_target_step(struct jdbc_target *target, sqlite3_stmt *statement, const char *what,
                             struct error *err)
{
    enum status status = OK;
    if (sqlite3_step(statement) != SQLITE_DONE)
        status = jdbc_sqlite_error(target->db, target->path, what, err);
    sqlite3_reset(statement);
    return status;
}

enum status jdbc_target_begin(struct jdbc_target *target, bool full, struct error *err)
{
    TRY(jdbc_target_ready(target, err));
    if (full)
        TRY(mend(target, err));
    TRY(set_synchronous(target, full, err));
    return jdbc_target_step(target, target->begin, "BEGIN", err);
}

enum status jdbc_target_change(struct jdbc_target *target, bool is_delete, const uint8_t *cells,
                               struct error *err)
{
    sqlite3_stmt *statement = is_delete ? target->delete : target->upsert;
    uint32_t count = is_delete ? target->table->primary_key_count : target->table->field_count;
    if (jdbc_bind(statement, cells, count) != SQLITE_OK)
        return jdbc_sqlite_error(target->db, target->path, "a value was refused", err);
    return jdbc_target_step(target, statement, "a row was refused", err);
}

enum status jdbc_target_end(struct jdbc_target *target, enum status status, struct error *err)
{
    if (status == OK)
        status = jdbc_target_step(target, target->commit, "COMMIT", err);
    if (status != OK && !sqlite3_get_autocommit(target->db)) {
        sqlite3_step(target->rollback); /* what fails here is undone with the connection */
        sqlite3_reset(target->rollback);
    }
    return status;
}

void jdbc_target_close(struct jdbc_target *target)
{
    sqlite3_finalize(target->begin);
    sqlite3_finalize(target->commit);
    sqlite3_finalize(target->rollback);
    sqlite3_finalize(target->upsert);
    sqlite3_finalize(target->delete);
    sqlite3_close(target->db);
}
