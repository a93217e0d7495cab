/* jdbc_sqlite.c - opening a SQLite file safely, and its errors as ours. */
#include "connector/jdbc/jdbc_int.h"

#include <stdatomic.h>

static struct mutex watch_mutex = {PTHREAD_MUTEX_INITIALIZER};
static bool is_watched;
static _Atomic uint64_t failed_syncs;

/* SQLite's log hears of a failed sync also where no statement does: in a checkpoint behind a
 * commit. */
static void on_log(void *context, int code, const char *text)
{
    if (code == SQLITE_IOERR_FSYNC)
        atomic_fetch_add(&failed_syncs, 1);
}

static void watch_syncs(void)
{
    mutex_lock(&watch_mutex);
    if (!is_watched)
        sqlite3_config(SQLITE_CONFIG_LOG, on_log, NULL);
    is_watched = true;
    mutex_unlock(&watch_mutex);
}

void jdbc_forget_syncs(void)
{
    watch_syncs();
    atomic_store(&failed_syncs, 0);
}

uint64_t jdbc_failed_syncs(void)
{
    return atomic_load(&failed_syncs);
}

enum status jdbc_sqlite_error(sqlite3 *db, const char *path, const char *what, struct error *err)
{
    int extended = db ? sqlite3_extended_errcode(db) : SQLITE_NOMEM;
    enum status code = ERR_IO;
    const char *hint = NULL;
    switch (extended & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        code = ERR_LOCKED;
        break;
    case SQLITE_FULL:
        code = ERR_DISK_FULL;
        break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        code = ERR_ACCESS;
        hint = "the file and the directory it lies in have to be writable";
        break;
    case SQLITE_CANTOPEN:
        code = ERR_ACCESS;
        hint = "does the directory exist, and may leat write to it?";
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        code = ERR_CORRUPT;
        break;
    case SQLITE_NOMEM:
        code = ERR_MEMORY;
        break;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        code = ERR_DATA;
        break;
    case SQLITE_TOOBIG:
        code = ERR_LIMIT;
        break;
    case SQLITE_IOERR:
        code = sqlite3_system_errno(db) == 28 /* ENOSPC */ ? ERR_DISK_FULL : ERR_IO;
        break;
    default:
        break;
    }
    error_set(err, code, "SQLite file '%s': %s: %s", path, what,
              db ? sqlite3_errmsg(db) : "out of memory");
    if (err && err->code == code) {
        err->retriable = code == ERR_LOCKED || code == ERR_DISK_FULL || code == ERR_IO;
        if (hint)
            error_hint(err, "%s", hint);
    }
    return code;
}

enum status jdbc_sqlite_open(sqlite3 **out, struct io *io, const char *path, bool create,
                             struct error *err)
{
    sqlite3 *db = NULL;
    const char *vfs;
    watch_syncs();
    TRY(jdbc_vfs_name(io, &vfs, err));
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (create ? SQLITE_OPEN_CREATE : 0);
    int code = sqlite3_open_v2(path, &db, flags, vfs);
    if (code != SQLITE_OK) {
        enum status status = jdbc_sqlite_error(db, path, "cannot be opened", err);
        sqlite3_close(db);
        return status;
    }
    sqlite3_extended_result_codes(db, 1);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    *out = db;
    return OK;
}

enum status jdbc_sqlite_exec(sqlite3 *db, const char *path, const char *sql, struct error *err)
{
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return jdbc_sqlite_error(db, path, sql, err);
    return OK;
}

enum status jdbc_sqlite_prepare(sqlite3 *db, const char *path, const struct buf *sql,
                                sqlite3_stmt **out, struct error *err)
{
    TRY(buf_check(sql, "a statement for SQLite", err));
    if (sqlite3_prepare_v3(db, (const char *)sql->data, (int)sql->length, SQLITE_PREPARE_PERSISTENT,
                           out, NULL) != SQLITE_OK)
        return jdbc_sqlite_error(db, path, "a statement was refused", err);
    return OK;
}
