/* sql.h - from text to bound statements: lexer, grammar (Lemon), AST and binder behind one door.
 *
 *   text --lexer--> tokens --grammar.y--> AST (ast.h) --bind*.c--> struct statement
 *
 * A script is parsed one statement at a time (later ones may use objects that earlier ones create).
 * Errors carry file, line, column and length; sql_format_error() draws the line with the caret.
 * Limits: SQL_TEXT_MAX bytes a script, SQL_DEPTH_MAX nesting. One session is used by one thread.
 */
#ifndef LEAT_SQL_SQL_H
#define LEAT_SQL_SQL_H

#include "plugin/connector.h"
#include "sql/rel.h"

#define SQL_TEXT_MAX  (16u << 20)
#define SQL_DEPTH_MAX 200

enum statement_kind {
    STATEMENT_CREATE, /* object: table or view */
    STATEMENT_DROP,
    STATEMENT_SHOW_TABLES,
    STATEMENT_SHOW_VIEWS,
    STATEMENT_SHOW_FUNCTIONS,
    STATEMENT_SHOW_CREATE, /* name */
    STATEMENT_DESCRIBE,    /* name */
    STATEMENT_EXPLAIN,     /* inner statement(s) */
    STATEMENT_SET,         /* without key: show all */
    STATEMENT_RESET,
    STATEMENT_INSERT, /* one or, in EXECUTE STATEMENT SET, several inserts: one job */
    STATEMENT_SELECT, /* top-level query */
};

enum explain_detail { /* EXPLAIN detail, detail ... */
                      EXPLAIN_ESTIMATED_COST = 1,
                      EXPLAIN_CHANGELOG_MODE = 2,
                      EXPLAIN_JSON_EXECUTION_PLAN = 4,
                      EXPLAIN_PLAN_ADVICE = 8,
};

struct statement_insert {
    struct catalog_object *target; /* reference held by the statement */
    const struct rel *query;       /* columns = the target's physical fields (then writable metadata
                                      columns) in order, cast to their types; may still be nullable where
                                      the target is NOT NULL: the sink enforces it */
    uint32_t check_count;          /* CHECK constraints of the target, over the columns of query */
    const struct expr *const *checks;
    struct source_pos pos;
    bool overwrite;
};

struct statement {
    enum statement_kind kind;
    struct arena *arena; /* the caller's; all below lives in it */
    struct source_pos pos;
    struct str text;               /* of this statement */
    struct catalog_object *object; /* CREATE: sealed, not yet in the catalog; one reference */
    bool if_not_exists, if_exists, replace, temporary;
    enum catalog_kind object_kind; /* CREATE, DROP, SHOW CREATE */
    const struct str *name;        /* DROP, DESCRIBE, SHOW CREATE: parts */
    uint32_t name_count;
    struct str like; /* SHOW ... [NOT] LIKE; data NULL: none */
    bool like_negated;
    int explain_details;     /* EXPLAIN: enum explain_detail, ORed */
    const char *key, *value; /* SET, RESET; NULL: none given */
    bool is_statement_set;
    uint32_t insert_count; /* INSERT, EXPLAIN of one */
    const struct statement_insert *inserts;
    const struct rel *query;          /* SELECT, EXPLAIN of one */
    struct sql_reference *references; /* catalog objects in use; sql_statement_fini drops them */
};

struct sql_parameter { /* :name in a query; bound as a STRING literal */
    struct str name, value;
};

struct sql_session {
    const struct sql_parameter *parameters; /* NULL: none */
    uint32_t parameter_count;
    struct catalog *catalog;
    const struct plugin_registry *registry;
    const struct function_session *function_session;
    /* Its statements come from outside: what options they give (CREATE TABLE, hints) reach files
     * only below plugin_context.security_roots. Tables of other sessions can be used as they are.
     */
    bool restricted;
};

struct sql_script; /* a text being worked through */

/* file is used in messages ("pipeline.sql"); text is borrowed while the script is open. */
enum status sql_script_open(struct sql_script **out, const char *file, struct str text,
                            struct error *err) STATUS_CHECKED;
void sql_script_close(struct sql_script *script);

/* Parse and bind the next statement into arena. ERR_END: there is none. Release with
 * sql_statement_fini (drops object references); the arena is the caller's. */
enum status sql_next(struct sql_script *script, const struct sql_session *session,
                     struct arena *arena, struct statement *out, struct error *err) STATUS_CHECKED;
void sql_statement_fini(struct statement *statement);

/* Does `:name` stand in the text (not within quotes or comments)? False for text that is no SQL. */
bool sql_uses_parameter(struct str text, struct str name);

/* One scalar expression without columns (function triples, defaults), bound. What has to be
 * released goes to holder (zeroed before), which is given to sql_statement_fini; also after an
 * error. */
enum status sql_expression(struct str text, const struct sql_session *session, struct arena *arena,
                           struct statement *holder, const struct expr **out,
                           struct error *err) STATUS_CHECKED;
/* A table as bound for reading: REL_SCAN, with columns, watermark and CHECKs as expressions over
 * [physical fields, metadata columns]. holder as above. */
enum status sql_table_scan(struct catalog_object *table, const struct sql_session *session,
                           struct arena *arena, struct statement *holder, const struct rel **out,
                           struct error *err) STATUS_CHECKED;
/* A type by its SQL name: "DECIMAL(10, 2) NOT NULL". */
enum status sql_type(struct str text, struct arena *arena, const struct type **out,
                     struct error *err) STATUS_CHECKED;

/* Variables: ${NAME} anywhere but in comments is replaced, within '...' and `...` with its quotes
 * doubled; ${NAME:-DEFAULT} is DEFAULT where no variable of that name is given. ${env:NAME} and
 * ${file:PATH} (without its last line break) only with io, that is in files named on the command
 * line. Unknown names are errors with their place and the nearest name. */
struct sql_variable {
    struct str name, value;
    bool used; /* set by sql_substitute when a text names it */
};
enum status sql_substitute(struct buf *out, struct buf *shown, struct str text,
                           struct sql_variable *variables, size_t variable_count, struct io *io,
                           struct error *err) STATUS_CHECKED;

/* "file:line:column: text", the source line, a caret line, and the hint. */
void sql_format_error(struct buf *out, const char *file, struct str text,
                      const struct error *error);
/* Is the text a complete statement (ends with ';' outside quotes and comments)? For shells. */
bool sql_is_complete(struct str text);

#endif
