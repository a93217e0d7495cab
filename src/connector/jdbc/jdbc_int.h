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

/* ---- jdbc_value.c */

/* Append the cell in SQLite's terms. */
void jdbc_append_cell(struct buf *out, const struct vec *vec, uint32_t row);
/* Bind count cells to parameters 1, 2, ...; the bytes must live until the statement is reset.
 * Returns SQLite's code. */
int jdbc_bind(sqlite3_stmt *statement, const uint8_t *bytes, uint32_t count);
/* Column of the statement's row into row of vec. */
enum status jdbc_read_cell(struct vec *vec, uint32_t row, sqlite3_stmt *statement, int column,
                           struct error *err) STATUS_CHECKED;

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
enum status jdbc_rows_init(struct jdbc_rows *rows, bool by_key, struct error *err) STATUS_CHECKED;
void jdbc_rows_fini(struct jdbc_rows *rows);
void jdbc_rows_clear(struct jdbc_rows *rows);
static inline bool jdbc_rows_full(const struct jdbc_rows *rows)
{
    return rows->count >= JDBC_ROWS_CUT || rows->bytes.length >= JDBC_PENDING_BYTES;
}
/* Take over the batch's rows; must not be full. keys: scratch, NULL when rows are appended. */
enum status jdbc_rows_add(struct jdbc_rows *rows, const struct batch *batch,
                          const struct table_description *table, struct key_batch *keys,
                          struct error *err) STATUS_CHECKED;

extern const struct source_class JDBC_SOURCE;
extern const struct sink_class JDBC_SINK;

#endif
