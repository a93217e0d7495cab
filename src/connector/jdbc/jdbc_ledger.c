/* jdbc_ledger.c - the table leat_ledger in the sink's own database: a row per sink, changed in the
 * transaction that writes the sink's rows (contracts.md rules 27, 28), and the marker of sinks that
 * write at once (rule 32).
 *
 *   sink: its sink_id | lineage: hexadecimal | epoch, chunk, row_count: how far it was committed;
 *   of a marker 0 | fence: raised by whoever takes the sink over
 */
#include "connector/jdbc/jdbc_int.h"

#include <stdio.h>

#define LINEAGE_TEXT_BYTES (2 * SINK_LINEAGE_BYTES + 1)

enum status jdbc_ledger_make(struct jdbc_target *target, struct error *err)
{
    return jdbc_sqlite_exec(
        target->db, target->path,
        "CREATE TABLE IF NOT EXISTS " JDBC_LEDGER " (sink TEXT NOT NULL PRIMARY KEY, lineage TEXT "
        "NOT NULL, epoch INTEGER NOT NULL, chunk INTEGER NOT NULL, row_count INTEGER NOT NULL, "
        "fence INTEGER NOT NULL)",
        err);
}

static void put_lineage(const uint8_t *lineage, char dest[LINEAGE_TEXT_BYTES])
{
    for (int i = 0; i < SINK_LINEAGE_BYTES; i++)
        snprintf(dest + 2 * i, 3, "%02x", lineage[i]);
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool get_lineage(const char *text, uint8_t *out)
{
    if (!text || strlen(text) != 2 * SINK_LINEAGE_BYTES)
        return false;
    for (int i = 0; i < SINK_LINEAGE_BYTES; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static enum status find_table(struct jdbc_target *target, bool *exists, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    TRY(jdbc_target_prepare(
        target, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = '" JDBC_LEDGER "'",
        &statement, err));
    int code = sqlite3_step(statement);
    *exists = code == SQLITE_ROW;
    enum status status = OK;
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        status = jdbc_sqlite_error(target->db, target->path, "its tables cannot be read", err);
    sqlite3_finalize(statement);
    return status;
}

static enum status read_row(struct jdbc_target *target, struct sink_ledger *out, int64_t *fence,
                            struct error *err)
{
    sqlite3_stmt *statement = NULL;
    *out = (struct sink_ledger){0};
    *fence = 0;
    TRY(jdbc_target_prepare(target,
                            "SELECT lineage, epoch, chunk, row_count, fence FROM " JDBC_LEDGER
                            " WHERE sink = ?",
                            &statement, err));
    sqlite3_bind_text(statement, 1, target->sink_id, -1, SQLITE_STATIC);
    int code = sqlite3_step(statement);
    enum status status = OK;
    if (code == SQLITE_ROW) {
        out->found = true;
        out->position = (struct sink_position){(uint64_t)sqlite3_column_int64(statement, 1),
                                               (uint64_t)sqlite3_column_int64(statement, 2),
                                               (uint64_t)sqlite3_column_int64(statement, 3)};
        *fence = sqlite3_column_int64(statement, 4);
        if (!get_lineage((const char *)sqlite3_column_text(statement, 0), out->lineage))
            status = error_set(err, ERR_CORRUPT,
                               "SQLite file '%s': the row of '%s' in " JDBC_LEDGER
                               " has a lineage that leat has not written",
                               target->path, target->sink_id);
    } else if (code != SQLITE_DONE) {
        status = jdbc_sqlite_error(target->db, target->path, JDBC_LEDGER " cannot be read", err);
    }
    sqlite3_finalize(statement);
    return status;
}

enum status jdbc_ledger_find(struct jdbc_target *target, bool *exists, struct error *err)
{
    struct sink_ledger ledger;
    int64_t fence;
    TRY(find_table(target, exists, err));
    if (!*exists)
        return OK;
    TRY(read_row(target, &ledger, &fence, err));
    *exists = ledger.found;
    return OK;
}

/* Parameters in the order lineage, epoch, chunk, row_count, fence, sink. *changed: how many rows.
 */
static enum status write_row(struct jdbc_target *target, const char *sql,
                             const struct sink_ledger *ledger, int64_t fence,
                             const struct sink_ledger *before, int *changed, struct error *err)
{
    char lineage[LINEAGE_TEXT_BYTES], old_lineage[LINEAGE_TEXT_BYTES];
    sqlite3_stmt *statement = NULL;
    TRY(jdbc_target_prepare(target, sql, &statement, err));
    put_lineage(ledger->lineage, lineage);
    sqlite3_bind_text(statement, 1, lineage, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)ledger->position.epoch);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)ledger->position.chunk);
    sqlite3_bind_int64(statement, 4, (sqlite3_int64)ledger->position.row_count);
    sqlite3_bind_int64(statement, 5, fence);
    sqlite3_bind_text(statement, 6, target->sink_id, -1, SQLITE_STATIC);
    if (before) {
        put_lineage(before->lineage, old_lineage);
        sqlite3_bind_text(statement, 7, old_lineage, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 8, (sqlite3_int64)before->position.epoch);
        sqlite3_bind_int64(statement, 9, (sqlite3_int64)before->position.chunk);
    }
    enum status status = jdbc_target_step(target, statement, JDBC_LEDGER " cannot be written", err);
    *changed = sqlite3_changes(target->db);
    sqlite3_finalize(statement);
    return status;
}

enum status jdbc_ledger_mark(struct jdbc_target *target, struct error *err)
{
    struct sink_ledger ledger = {.found = true};
    int changed;
    memcpy(ledger.lineage, target->lineage, SINK_LINEAGE_BYTES);
    return write_row(target,
                     "INSERT INTO " JDBC_LEDGER
                     " (lineage, epoch, chunk, row_count, fence, sink) VALUES (?1, ?2, ?3, ?4, ?5, "
                     "?6) ON CONFLICT (sink) DO UPDATE SET lineage = ?1, epoch = 0, chunk = 0, "
                     "row_count = 0, fence = fence + 1",
                     &ledger, 1, NULL, &changed, err);
}

static enum status fenced(const struct jdbc_target *target, struct error *err)
{
    error_set(err, ERR_FENCED,
              "SQLite file '%s': another leat has taken over the row of '%s' in " JDBC_LEDGER,
              target->path, target->sink_id);
    error_hint(err, "one job at a time may write to a table");
    if (err)
        err->fatal = true;
    return ERR_FENCED;
}

static enum status take_row(struct jdbc_target *target, int64_t *fence, struct sink_ledger *out,
                            struct error *err)
{
    int64_t found;
    int changed;
    TRY(read_row(target, out, &found, err));
    if (!out->found)
        return OK;
    if (*fence)
        return *fence == found ? OK : fenced(target, err);
    TRY(write_row(target,
                  "UPDATE " JDBC_LEDGER
                  " SET lineage = ?1, epoch = ?2, chunk = ?3, row_count = ?4, fence = ?5 WHERE "
                  "sink = ?6",
                  out, found + 1, NULL, &changed, err));
    *fence = found + 1;
    return OK;
}

enum status jdbc_ledger_take(struct jdbc_target *target, int64_t *fence, struct sink_ledger *out,
                             struct error *err)
{
    int64_t taken = *fence;
    TRY(jdbc_target_begin(target, true, err));
    TRY(jdbc_target_end(target, take_row(target, &taken, out, err), err));
    *fence = taken;
    return OK;
}

enum status jdbc_ledger_move(struct jdbc_target *target, int64_t *fence,
                             const struct sink_commit *commit, struct error *err)
{
    const struct sink_ledger *after = &commit->after;
    struct sink_ledger there;
    int64_t found;
    int changed = 0;
    if (commit->before.found) {
        TRY(write_row(target,
                      "UPDATE " JDBC_LEDGER
                      " SET lineage = ?1, epoch = ?2, chunk = ?3, row_count = ?4 WHERE fence = ?5 "
                      "AND sink = ?6 AND lineage = ?7 AND epoch = ?8 AND chunk = ?9",
                      after, *fence, &commit->before, &changed, err));
        return changed == 1 ? OK : fenced(target, err);
    }
    TRY(read_row(target, &there, &found, err));
    if (there.found)
        return fenced(target, err);
    *fence = 1;
    return write_row(target,
                     "INSERT INTO " JDBC_LEDGER
                     " (lineage, epoch, chunk, row_count, fence, sink) VALUES (?1, ?2, ?3, ?4, ?5, "
                     "?6)",
                     after, 1, NULL, &changed, err);
}
