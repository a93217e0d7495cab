/* jdbc_int.h - what the files of connector/jdbc share.
 *
 *   task --write()--> jdbc_rows (pending) --a job on the sink's one thread--> transaction
 *
 * Values cross from the task to the thread in SQLite's own terms (integer, real, text, blob), so
 * the thread binds and steps only.
 */
#ifndef LEAT_CONNECTOR_JDBC_JDBC_INT_H
#define LEAT_CONNECTOR_JDBC_JDBC_INT_H

#include <sqlite3.h>

#include "connector/jdbc/jdbc.h"
#include "data/key.h"
#include "plugin/sink_log.h"

#define JDBC_ROWS_CUT        5000 /* keys of one transaction */
#define JDBC_ROWS_MAX        (JDBC_ROWS_CUT + BATCH_ROWS_MAX)
#define JDBC_PENDING_BYTES   (16u << 20) /* waiting bytes at which the task has to wait */
#define JDBC_VALUE_BYTES_MAX (1u << 30)
#define JDBC_STATEMENT_MAX   (4u << 20)

struct jdbc_options {
    const char *url;
    const char *table_name;
    const char *driver; /* accepted, means nothing here */
    int64_t max_rows;   /* sink.buffer-flush.max-rows */
    int64_t interval_ms;
    int64_t max_retries;
    int64_t retry_timeout_ms;
    int64_t fetch_size;
    bool auto_commit;
};
extern const struct option_def JDBC_OPTIONS[];
extern const size_t JDBC_OPTION_COUNT;

/* Check a table's options; texts lie in arena. */
enum status jdbc_parse_options(const struct table_description *table, struct jdbc_options *options,
                               struct arena *arena, struct error *err) STATUS_CHECKED;
/* The path behind "jdbc:sqlite:"; ERR_UNSUPPORTED for other databases. */
enum status jdbc_sqlite_path(const struct table_description *table,
                             const struct jdbc_options *options,
                             const struct plugin_context *context, const char **path,
                             struct error *err) STATUS_CHECKED;
/* ERR_UNSUPPORTED for types that no column can hold. */
enum status jdbc_check_columns(const struct table_description *table,
                               struct error *err) STATUS_CHECKED;

/* ---- jdbc_sqlite.c: one connection, used by one thread at a time */

/* The error of the connection's last call, with a code chosen from SQLite's; BUSY and LOCKED are
 * ERR_LOCKED and retriable. */
enum status jdbc_sqlite_error(sqlite3 *db, const char *path, const char *what, struct error *err);
enum status jdbc_sqlite_open(sqlite3 **out, struct io *io, const char *path, bool create,
                             struct error *err) STATUS_CHECKED;
enum status jdbc_sqlite_exec(sqlite3 *db, const char *path, const char *sql,
                             struct error *err) STATUS_CHECKED;
enum status jdbc_sqlite_prepare(sqlite3 *db, const char *path, const struct buf *sql,
                                sqlite3_stmt **out, struct error *err) STATUS_CHECKED;

/* Syncs of any SQLite file that have failed in this process, whoever got the error. Counted from
 * the first jdbc_sqlite_open or jdbc_forget_syncs on, before which nothing of SQLite may be used.
 */
uint64_t jdbc_failed_syncs(void);
void jdbc_forget_syncs(void); /* for tests: as in a new process */

/* ---- jdbc_vfs.c */

/* The name of SQLite's VFS for the io; NULL for the real one: SQLite's own. */
enum status jdbc_vfs_name(struct io *io, const char **out, struct error *err) STATUS_CHECKED;

/* ---- jdbc_schema.c */

void jdbc_append_name(struct buf *sql, const char *name); /* "quoted" */
/* Compare the existing table with the declared one: it has the columns; for a sink also: they keep
 * its values, the key finds rows, nothing else is required. *exists false: there is none. */
enum status jdbc_compare_table(sqlite3 *db, const char *path, const char *name,
                               const struct table_description *table, bool for_sink, bool *exists,
                               struct error *err) STATUS_CHECKED;
void jdbc_create_sql(struct buf *sql, const char *name, const struct table_description *table);
void jdbc_upsert_sql(struct buf *sql, const char *name, const struct table_description *table);
void jdbc_delete_sql(struct buf *sql, const char *name, const struct table_description *table);

/* ---- jdbc_rows.c: changes that wait, the last one per key in order of first touch */

struct jdbc_row {
    uint64_t hash;
    size_t key_offset; /* canonical key, in bytes */
    uint32_t key_length;
    bool is_delete; /* then only the key's cells are there */
    size_t offset;  /* cells, in bytes */
};
struct jdbc_rows {
    struct buf bytes;
    uint32_t count;
    struct jdbc_row *rows; /* JDBC_ROWS_MAX */
    uint16_t *slots;       /* row index + 1 by key hash; NULL: rows are appended, without keys */
};
/* fini is due also when it has failed. */
enum status jdbc_rows_init(struct jdbc_rows *rows, bool by_key, struct error *err) STATUS_CHECKED;
void jdbc_rows_fini(struct jdbc_rows *rows);
void jdbc_rows_clear(struct jdbc_rows *rows);
static inline bool jdbc_rows_full(const struct jdbc_rows *rows)
{
    return rows->count >= JDBC_ROWS_CUT || rows->bytes.length >= JDBC_PENDING_BYTES;
}
/* Take over the batch's rows; must not be full. keys: scratch, NULL when rows are appended. Without
 * memory none is left, not even those that waited. */
enum status jdbc_rows_add(struct jdbc_rows *rows, const struct batch *batch,
                          const struct table_description *table, struct key_batch *keys,
                          struct error *err) STATUS_CHECKED;

/* ---- jdbc_target.c: a connection that writes to a table */

enum jdbc_synchronous {
    JDBC_SYNCHRONOUS_UNKNOWN,
    JDBC_SYNCHRONOUS_NORMAL,
    JDBC_SYNCHRONOUS_EXTRA,
};
struct jdbc_target { /* zeroed but for: */
    struct io *io;
    const char *path, *name;
    const struct table_description *table;
    const char *sink_id;                 /* its row in the ledger; NULL: has none */
    bool marks;                          /* that row is a marker, made with the table, ... */
    uint8_t lineage[SINK_LINEAGE_BYTES]; /* ... with this lineage */
    /* its own */
    sqlite3 *db;
    bool is_ready; /* table and statements are there */
    bool has_wal;
    enum jdbc_synchronous synchronous; /* as set */
    uint64_t mended;                   /* jdbc_failed_syncs() after which the file is whole again */
    sqlite3_stmt *begin, *commit, *rollback, *upsert, *delete;
};
/* Opens the file; is the table there (and one that can be written)? */
enum status jdbc_target_look(struct jdbc_target *target, bool *exists,
                             struct error *err) STATUS_CHECKED;
/* Makes what is missing: table, ledger, marker. */
enum status jdbc_target_ready(struct jdbc_target *target, struct error *err) STATUS_CHECKED;
/* BEGIN IMMEDIATE; full: once it has ended well, it and all before survive a power cut. */
enum status jdbc_target_begin(struct jdbc_target *target, bool full,
                              struct error *err) STATUS_CHECKED;
/* cells: of the whole row, of a delete those of the key. */
enum status jdbc_target_change(struct jdbc_target *target, bool is_delete, const uint8_t *cells,
                               struct error *err) STATUS_CHECKED;
/* COMMIT when status is OK, else ROLLBACK: nothing is left. Returns what came about. */
enum status jdbc_target_end(struct jdbc_target *target, enum status status,
                            struct error *err) STATUS_CHECKED;
/* Everything committed so far survives a power cut after this. */
enum status jdbc_target_sync(struct jdbc_target *target, struct error *err) STATUS_CHECKED;
void jdbc_target_close(struct jdbc_target *target);
enum status jdbc_target_prepare(struct jdbc_target *target, const char *text, sqlite3_stmt **out,
                                struct error *err) STATUS_CHECKED;
enum status jdbc_target_step(struct jdbc_target *target, sqlite3_stmt *statement, const char *what,
                             struct error *err) STATUS_CHECKED;

/* ---- jdbc_ledger.c: the row of target->sink_id */

#define JDBC_LEDGER "leat_ledger"

enum status jdbc_ledger_make(struct jdbc_target *target, struct error *err) STATUS_CHECKED;
enum status jdbc_ledger_mark(struct jdbc_target *target, struct error *err) STATUS_CHECKED;
enum status jdbc_ledger_find(struct jdbc_target *target, bool *exists,
                             struct error *err) STATUS_CHECKED;
/* Reads the row and takes it over. *fence 0: for the first time, it is set; else it has to be as
 * it was left. */
enum status jdbc_ledger_take(struct jdbc_target *target, int64_t *fence, struct sink_ledger *out,
                             struct error *err) STATUS_CHECKED;
/* In a transaction. ERR_FENCED: the row is not as commit->before and the fence say. */
enum status jdbc_ledger_move(struct jdbc_target *target, int64_t *fence,
                             const struct sink_commit *commit, struct error *err) STATUS_CHECKED;

/* ---- jdbc_exact.c */

struct jdbc_exact;
struct jdbc_exact_writer;
enum status jdbc_exact_new(struct jdbc_exact **out, const struct jdbc_target *like,
                           const struct sink_request *request, struct error *err) STATUS_CHECKED;
void jdbc_exact_free(struct jdbc_exact *exact); /* NULL is fine */
enum status jdbc_exact_writer_open(struct jdbc_exact *exact, uint32_t subtask, struct wake *wake,
                                   struct jdbc_exact_writer **out,
                                   struct error *err) STATUS_CHECKED;
void jdbc_exact_writer_close(struct jdbc_exact_writer *writer);
enum push_result jdbc_exact_write(struct jdbc_exact_writer *writer, const struct batch *batch,
                                  struct error *err);
enum push_result jdbc_exact_flush(struct jdbc_exact_writer *writer, struct error *err);
enum status jdbc_exact_prepare(struct jdbc_exact_writer *writer, struct sink_committables *out,
                               struct error *err) STATUS_CHECKED;
enum status jdbc_committer_open(struct jdbc_exact *exact, struct sink_committer **out,
                                struct error *err) STATUS_CHECKED;
void jdbc_committer_close(struct sink_committer *committer);
/* As in sink_class. */
enum status jdbc_committer_ledger(struct sink_committer *committer, struct sink_ledger *out,
                                  struct error *err);
enum status jdbc_committer_commit(struct sink_committer *committer,
                                  const struct sink_commit *commit, struct error *err);
void jdbc_committer_forget(struct sink_committer *committer,
                           const struct sink_committable *committable);

/* ---- jdbc_value.c */

/* Append the cell in SQLite's terms. */
void jdbc_append_cell(struct buf *out, const struct vec *vec, uint32_t row);
/* Bind count cells to parameters 1, 2, ...; the bytes must live until the statement is reset.
 * Returns SQLite's code. */
int jdbc_bind(sqlite3_stmt *statement, const uint8_t *bytes, uint32_t count);
/* Column of the statement's row into row of vec. */
enum status jdbc_read_cell(struct vec *vec, uint32_t row, sqlite3_stmt *statement, int column,
                           struct error *err) STATUS_CHECKED;

extern const struct source_class JDBC_SOURCE;
extern const struct sink_class JDBC_SINK;

#endif
