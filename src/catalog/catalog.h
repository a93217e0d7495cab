/* catalog.h - tables and views by name: pure data, no SQL knowledge.
 *
 * Expressions (computed columns, watermarks, CHECK, view queries) are kept as the SQL text the user
 * wrote; the binder parses them again where they are used. Objects are immutable and
 * reference-counted, so that a plan keeps what it was made from while the catalog changes.
 * Full names are default_catalog.default_database.NAME. Names are case-sensitive, as in Flink.
 * Thread-safe.
 */
#ifndef LEAT_CATALOG_CATALOG_H
#define LEAT_CATALOG_CATALOG_H

#include "plugin/table.h"

#define CATALOG_COLUMNS_MAX 2048

enum column_kind { COLUMN_PHYSICAL, COLUMN_COMPUTED, COLUMN_METADATA };

struct catalog_text { /* SQL text of a part of a statement */
    struct str text;
    struct source_pos pos; /* where it stood, for messages */
};

struct catalog_column {
    const char *name;
    const struct type *type; /* the declared one; of computed columns the bound one */
    enum column_kind kind;
    struct catalog_text expression; /* COMPUTED; pos: of any column, where it is declared */
    const char *metadata_key;       /* METADATA: FROM 'key', or the column's name */
    bool is_virtual;                /* METADATA ... VIRTUAL: not written */
    const char *comment;            /* NULL: none */
};

struct catalog_check {
    const char *name; /* NULL: unnamed */
    struct catalog_text expression;
};

enum catalog_kind { CATALOG_TABLE, CATALOG_VIEW };

struct catalog_object {
    _Atomic uint32_t refs;
    struct arena arena; /* owns all below */
    struct catalog_object
        *base; /* held: owns what this one shares with it (other options); or NULL */
    enum catalog_kind kind;
    bool temporary;
    bool restricted;  /* declared by a restricted session (sql.h) */
    const char *name; /* last part */
    const char *full_name;
    const char *comment;
    struct source_pos pos; /* of its name in CREATE */
    uint32_t column_count;
    struct catalog_column *columns;

    /* tables */
    bool has_watermark;
    uint32_t watermark_column;
    struct catalog_text watermark;
    struct source_pos watermark_pos; /* the column's name in WATERMARK FOR */
    bool has_primary_key;
    uint32_t primary_key_count;
    uint32_t *primary_key; /* column numbers */
    uint32_t partition_key_count;
    uint32_t *partition_keys;
    uint32_t check_count;
    struct catalog_check *checks;
    size_t option_count;
    struct option_given *options; /* with 'connector' */

    /* views */
    struct catalog_text query;

    /* filled by catalog_object_seal: what connectors see */
    struct table_description description;
    uint32_t *column_of_field; /* physical field -> column */
    const char *file;          /* SQL file it came from, or "-e", "shell", "REST"; for messages */
};

struct catalog;

enum status catalog_new(struct catalog **out, struct error *err) STATUS_CHECKED;
void catalog_free(struct catalog *catalog);

/* A new object with its arena, refs = 1, to be filled and then sealed (builds description). */
enum status catalog_object_new(struct catalog_object **out, struct error *err) STATUS_CHECKED;
enum status catalog_object_seal(struct catalog_object *object, struct error *err) STATUS_CHECKED;
struct catalog_object *catalog_object_ref(struct catalog_object *object);
void catalog_object_unref(struct catalog_object *object);

/* Takes a reference. ERR_EXISTS unless replace. A temporary object hides a permanent one. */
enum status catalog_add(struct catalog *catalog, struct catalog_object *object, bool replace,
                        struct error *err) STATUS_CHECKED;
/* name: one, two or three parts. A new reference, or NULL. */
struct catalog_object *catalog_find(struct catalog *catalog, const struct str *parts,
                                    uint32_t part_count);
enum status catalog_drop(struct catalog *catalog, const struct str *parts, uint32_t part_count,
                         enum catalog_kind kind, bool temporary_only,
                         struct error *err) STATUS_CHECKED;
/* Sorted by name; each gets a borrowed object, under the catalog's lock. */
void catalog_list(struct catalog *catalog,
                  void (*each)(void *context, const struct catalog_object *object), void *context);

/* The SQL that makes the object again, as SHOW CREATE TABLE prints it; secrets hidden by the
 * options marked so. */
void catalog_format_ddl(struct buf *out, const struct catalog_object *object);

#endif
