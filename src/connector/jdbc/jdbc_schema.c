/* jdbc_schema.c - declared tables as SQLite tables: making them, comparing existing ones, the
 * statements of the sink.
 *
 * A SQLite column converts what it is given by its affinity; an existing column is accepted when
 * its affinity keeps our values as they are.
 */
#include "connector/jdbc/jdbc_int.h"

#include "base/must.h"

#define COLUMNS_MAX 2000 /* of a SQLite table */

enum affinity { AFFINITY_INTEGER, AFFINITY_TEXT, AFFINITY_BLOB, AFFINITY_REAL, AFFINITY_NUMERIC };

void jdbc_append_name(struct buf *sql, const char *name)
{
    buf_append_byte(sql, '"');
    for (; *name; name++) {
        if (*name == '"')
            buf_append_byte(sql, '"');
        buf_append_byte(sql, (uint8_t)*name);
    }
    buf_append_byte(sql, '"');
}

static void append_type(struct buf *sql, const struct type *type)
{
    switch (type->root) {
    case TYPE_BOOLEAN:
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_INT:
    case TYPE_BIGINT:
        buf_append_text(sql, "INTEGER");
        break;
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        buf_append_text(sql, "REAL");
        break;
    case TYPE_DECIMAL:
        if (type->precision <= 15)
            buf_printf(sql, "DECIMAL(%d, %d)", type->precision, type->scale);
        else
            buf_append_text(sql, "TEXT");
        break;
    case TYPE_BINARY:
    case TYPE_VARBINARY:
        buf_append_text(sql, "BLOB");
        break;
    default:
        buf_append_text(sql, "TEXT");
        break;
    }
}

static bool is_key(const struct table_description *table, uint32_t field)
{
    for (uint32_t i = 0; i < table->primary_key_count; i++)
        if (table->primary_key[i] == field)
            return true;
    return false;
}

static void append_names(struct buf *sql, const struct table_description *table,
                         const uint32_t *fields, uint32_t count, const char *join,
                         const char *behind)
{
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            buf_append_text(sql, join);
        jdbc_append_name(sql, table->fields[fields ? fields[i] : i].name);
        buf_append_text(sql, behind);
    }
}

void jdbc_create_sql(struct buf *sql, const char *name, const struct table_description *table)
{
    buf_append_text(sql, "CREATE TABLE IF NOT EXISTS ");
    jdbc_append_name(sql, name);
    buf_append_text(sql, " (");
    for (uint32_t i = 0; i < table->field_count; i++) {
        if (i)
            buf_append_text(sql, ", ");
        jdbc_append_name(sql, table->fields[i].name);
        buf_append_byte(sql, ' ');
        append_type(sql, table->fields[i].type);
        if (!table->fields[i].type->nullable || is_key(table, i))
            buf_append_text(sql, " NOT NULL");
    }
    if (table->primary_key_count) {
        buf_append_text(sql, ", PRIMARY KEY (");
        append_names(sql, table, table->primary_key, table->primary_key_count, ", ", "");
        buf_append_byte(sql, ')');
    }
    buf_append_byte(sql, ')');
}

void jdbc_upsert_sql(struct buf *sql, const char *name, const struct table_description *table)
{
    buf_append_text(sql, "INSERT INTO ");
    jdbc_append_name(sql, name);
    buf_append_text(sql, " (");
    append_names(sql, table, NULL, table->field_count, ", ", "");
    buf_append_text(sql, ") VALUES (");
    for (uint32_t i = 0; i < table->field_count; i++)
        buf_append_text(sql, i ? ", ?" : "?");
    buf_append_byte(sql, ')');
    if (table->primary_key_count == 0)
        return;
    buf_append_text(sql, " ON CONFLICT (");
    append_names(sql, table, table->primary_key, table->primary_key_count, ", ", "");
    buf_append_text(sql, ") DO ");
    const char *join = "UPDATE SET ";
    for (uint32_t i = 0; i < table->field_count; i++) {
        if (is_key(table, i))
            continue;
        buf_append_text(sql, join);
        jdbc_append_name(sql, table->fields[i].name);
        buf_append_text(sql, " = excluded.");
        jdbc_append_name(sql, table->fields[i].name);
        join = ", ";
    }
    if (table->field_count == table->primary_key_count)
        buf_append_text(sql, "NOTHING");
}

void jdbc_delete_sql(struct buf *sql, const char *name, const struct table_description *table)
{
    buf_append_text(sql, "DELETE FROM ");
    jdbc_append_name(sql, name);
    buf_append_text(sql, " WHERE ");
    append_names(sql, table, table->primary_key, table->primary_key_count, " AND ", " = ?");
}

static bool contains(struct str text, const char *part)
{
    size_t length = strlen(part);
    for (size_t i = 0; i + length <= text.length; i++)
        if (str_eq_nocase((struct str){text.data + i, length}, str_of(part)))
            return true;
    return false;
}

/* SQLite's rules, in their order (datatype3.html, 3.1). */
static enum affinity affinity_of(const char *declared)
{
    struct str text = str_of(declared);
    if (contains(text, "INT"))
        return AFFINITY_INTEGER;
    if (contains(text, "CHAR") || contains(text, "CLOB") || contains(text, "TEXT"))
        return AFFINITY_TEXT;
    if (text.length == 0 || contains(text, "BLOB"))
        return AFFINITY_BLOB;
    if (contains(text, "REAL") || contains(text, "FLOA") || contains(text, "DOUB"))
        return AFFINITY_REAL;
    return AFFINITY_NUMERIC;
}

/* Does a column of this affinity keep values of the type as they are? */
static bool keeps(enum affinity affinity, const struct type *type)
{
    switch (type->root) {
    case TYPE_BOOLEAN:
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_INT:
    case TYPE_BIGINT:
        return affinity != AFFINITY_TEXT && affinity != AFFINITY_REAL;
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        return affinity != AFFINITY_TEXT;
    case TYPE_DECIMAL:
        if (type->precision <= 15)
            return affinity != AFFINITY_TEXT;
        return affinity == AFFINITY_TEXT || affinity == AFFINITY_BLOB;
    case TYPE_CHAR:
    case TYPE_VARCHAR:
        return affinity == AFFINITY_TEXT || affinity == AFFINITY_BLOB;
    case TYPE_BINARY:
    case TYPE_VARBINARY:
        return true;
    default: /* times as text: no affinity takes them for numbers */
        return true;
    }
}

struct existing {
    uint32_t count;
    struct existing_column {
        char *name, *type;
        bool not_null, has_default, is_key;
    } columns[];
};

static enum status read_columns(sqlite3 *db, const char *path, const char *name,
                                struct existing *out, struct arena *arena, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    struct buf sql;
    int code = SQLITE_DONE;
    buf_init(&sql, JDBC_STATEMENT_MAX);
    buf_append_text(&sql, "PRAGMA table_info(");
    jdbc_append_name(&sql, name);
    buf_append_byte(&sql, ')');
    enum status status = jdbc_sqlite_prepare(db, path, &sql, &statement, err);
    while (status == OK && out->count < COLUMNS_MAX &&
           (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct existing_column *column = &out->columns[out->count++];
        const char *declared = (const char *)sqlite3_column_text(statement, 2);
        const char *called = (const char *)sqlite3_column_text(statement, 1);
        column->name = arena_strndup(arena, called, str_of(called).length);
        column->type = arena_strndup(arena, declared, str_of(declared).length);
        column->not_null = sqlite3_column_int(statement, 3) != 0;
        column->has_default = sqlite3_column_type(statement, 4) != SQLITE_NULL;
        column->is_key = sqlite3_column_int(statement, 5) != 0;
        status = arena_check(arena, "the columns of a table", err);
    }
    if (status == OK && code != SQLITE_DONE && code != SQLITE_ROW)
        status = jdbc_sqlite_error(db, path, "its tables cannot be read", err);
    sqlite3_finalize(statement);
    buf_fini(&sql);
    return status;
}

static const struct existing_column *find(const struct existing *existing, const char *name)
{
    for (uint32_t i = 0; i < existing->count; i++)
        if (str_eq_nocase(str_of(existing->columns[i].name), str_of(name)))
            return &existing->columns[i];
    return NULL;
}

static enum status compare_column(const struct existing *existing, const char *path,
                                  const char *name, const struct table_field *field, bool for_sink,
                                  struct error *err)
{
    const struct existing_column *column = find(existing, field->name);
    if (!column) {
        error_set(err, ERR_TYPE, "SQLite file '%s': the table '%s' exists without a column '%s'",
                  path, name, field->name);
        const char *names[COLUMNS_MAX];
        for (uint32_t i = 0; i < existing->count; i++)
            names[i] = existing->columns[i].name;
        const char *nearest = str_nearest(str_of(field->name), names, existing->count);
        if (nearest)
            error_hint(err, "it has a column '%s'", nearest);
        return ERR_TYPE;
    }
    if (!for_sink || keeps(affinity_of(column->type), field->type)) /* a scan judges each value */
        return OK;
    struct buf type, wanted;
    buf_init(&type, 4096);
    buf_init(&wanted, 4096);
    type_format(&type, field->type);
    append_type(&wanted, field->type);
    error_set(err, ERR_TYPE,
              "SQLite file '%s': the table '%s' exists with column '%s' of type %s, which does not "
              "keep values of type %s",
              path, name, field->name, column->type, buf_text(&type));
    error_hint(err, "a column of type %s does; rename the table, or give another table-name",
               buf_text(&wanted));
    buf_fini(&type);
    buf_fini(&wanted);
    return ERR_TYPE;
}

/* Columns that the sink does not write have to do without. */
static enum status check_unwritten(const struct existing *existing, const char *path,
                                   const char *name, const struct table_description *table,
                                   struct error *err)
{
    for (uint32_t i = 0; i < existing->count; i++) {
        const struct existing_column *column = &existing->columns[i];
        bool good = !column->not_null || column->has_default;
        for (uint32_t f = 0; f < table->field_count && !good; f++)
            good = str_eq_nocase(str_of(table->fields[f].name), str_of(column->name));
        if (!good)
            return error_set(err, ERR_TYPE,
                             "SQLite file '%s': the table '%s' exists, its column '%s' is NOT NULL "
                             "without a default, and table %s does not write it",
                             path, name, column->name, table->name);
    }
    return OK;
}

/* SQLite itself knows whether an upsert finds its row by the key. */
static enum status check_key(sqlite3 *db, const char *path, const char *name,
                             const struct table_description *table, struct error *err)
{
    sqlite3_stmt *statement = NULL;
    struct buf sql, key;
    buf_init(&sql, JDBC_STATEMENT_MAX);
    buf_init(&key, JDBC_STATEMENT_MAX);
    jdbc_upsert_sql(&sql, name, table);
    enum status status = jdbc_sqlite_prepare(db, path, &sql, &statement, err);
    if (status == ERR_IO && strstr(sqlite3_errmsg(db), "ON CONFLICT")) {
        for (uint32_t i = 0; i < table->primary_key_count; i++)
            buf_printf(&key, "%s%s", i ? ", " : "", table->fields[table->primary_key[i]].name);
        error_clear(err);
        status = error_set(err, ERR_TYPE,
                           "SQLite file '%s': the table '%s' exists, but has no primary key or "
                           "unique index over exactly the columns (%s)",
                           path, name, buf_text(&key));
    }
    sqlite3_finalize(statement);
    buf_fini(&sql);
    buf_fini(&key);
    return status;
}

enum status jdbc_compare_table(sqlite3 *db, const char *path, const char *name,
                               const struct table_description *table, bool for_sink, bool *exists,
                               struct error *err)
{
    struct arena arena;
    arena_init(&arena, NULL, 16u << 20);
    struct existing *existing =
        arena_alloc(&arena, sizeof(*existing) + COLUMNS_MAX * sizeof(struct existing_column));
    enum status status = arena_check(&arena, "the columns of a table", err);
    if (status == OK)
        status = read_columns(db, path, name, existing, &arena, err);
    if (status != OK)
        goto out;
    *exists = existing->count > 0;
    if (!*exists)
        goto out;
    for (uint32_t i = 0; status == OK && i < table->field_count; i++)
        status = compare_column(existing, path, name, &table->fields[i], for_sink, err);
    if (status == OK && for_sink)
        status = check_unwritten(existing, path, name, table, err);
    if (status == OK && for_sink)
        status = check_key(db, path, name, table, err);
out:
    arena_fini(&arena);
    return status;
}
