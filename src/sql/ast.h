/* ast.h - what the grammar makes of a statement: names and types as written, each with its place.
 *
 * Every node lives in the arena of the statement; parser.h makes them. Texts of identifiers and
 * literals are decoded (quotes and escapes gone); a struct str that was not given has data NULL.
 */
#ifndef LEAT_SQL_AST_H
#define LEAT_SQL_AST_H

#include "base/mem.h"
#include "base/str.h"
#include "sql/lexer.h"

#define AST_NAME_PARTS_MAX 16

struct ast_query;

struct ast_name { /* a, a.b, `a b`.c */
    struct ast_name *next;
    struct source_pos pos;
    uint32_t part_count;
    bool quoted; /* the first part was quoted */
    struct str parts[AST_NAME_PARTS_MAX];
    struct source_pos part_pos[AST_NAME_PARTS_MAX];
};
struct ast_names {
    struct ast_name *first, *last;
    uint32_t count;
};

enum ast_kind {
    AST_NAME,
    AST_STRING,
    AST_BINARY,    /* x'...': text is the bytes */
    AST_PARAMETER, /* :name; text is the name */
    AST_NUMBER,    /* text as written */
    AST_TRUE,
    AST_FALSE,
    AST_UNKNOWN,
    AST_NULL,
    AST_DATE, /* DATE '...' and so on; text */
    AST_TIME,
    AST_TIMESTAMP,
    AST_INTERVAL,
    AST_CALL, /* functions, and operators by their sign */
    AST_STAR, /* * or t.* in a select list, * in COUNT(*) */
    AST_AND,  /* n-ary */
    AST_OR,
    AST_NOT,
    AST_IS,      /* IS [NOT] NULL, TRUE, FALSE, UNKNOWN: test, negated */
    AST_BETWEEN, /* args: value, low, high; negated, symmetric */
    AST_IN,      /* args: value, list...; negated */
    AST_CASE,    /* args: [operand,] when, then, ..., [else] */
    AST_CAST,    /* type; try_cast */
    AST_ROW,
    AST_ARRAY,
    AST_MAP,
    AST_INDEX, /* a[i] */
    AST_FIELD, /* (expr).name */
    AST_UNIT,  /* a word in a special place: DAY in EXTRACT(DAY FROM x) */
    AST_TABLE, /* TABLE t as an argument */
    AST_DESCRIPTOR,
    AST_NAMED, /* name => args[0] */
};

struct ast_expr;
struct ast_exprs {
    struct ast_expr *first, *last;
    uint32_t count, depth;
};

/* How arguments were separated: f(a, b), f(x TO unit), f(x FROM a [FOR b]), f(x PLACING y FROM a
 * [FOR b]), f(BOTH [c] FROM x), f(x IN y). */
enum ast_form {
    AST_FORM_COMMA,
    AST_FORM_TO,
    AST_FORM_FROM,
    AST_FORM_PLACING,
    AST_FORM_TRIM,
    AST_FORM_IN,
};

enum ast_test { AST_TEST_NULL, AST_TEST_TRUE, AST_TEST_FALSE, AST_TEST_UNKNOWN };

struct ast_expr {
    struct ast_expr *next;
    enum ast_kind kind;
    uint32_t depth;
    struct source_pos pos;
    struct ast_exprs args;
    struct ast_name *name; /* NAME, CALL, STAR (NULL: plain *), TABLE, FIELD, NAMED */
    struct str text;
    bool negated;
    bool parenthesized;
    union {
        enum ast_test test;
        bool symmetric;
        struct {
            bool has_operand, has_else;
        } cases;
        struct {
            struct ast_type *type;
            bool try_cast;
        } cast;
        struct {
            bool distinct;
            enum ast_form form;
            struct ast_expr *filter;
        } call;
        struct {
            bool negative;
            struct str from, to;         /* units as written; to: none when empty */
            int32_t precision, fraction; /* -1: not given */
        } interval;
        struct ast_names columns; /* DESCRIPTOR */
        struct ast_query *query;  /* TABLE (SELECT ...) */
    };
};

struct ast_type {
    struct ast_type *next;
    struct source_pos pos;
    struct str name;  /* "DECIMAL", "INTERVAL", "ARRAY", "ROW" ... any case */
    struct str name2; /* "PRECISION", "VARYING"; the interval's last unit */
    int64_t lengths[2];
    uint32_t length_count;
    bool local_zone, with_zone, not_null;
    struct ast_type *children; /* of ARRAY, MAP, MULTISET, ROW */
    uint32_t child_count, depth;
    struct ast_names names; /* ROW: of the fields */
};
struct ast_types {
    struct ast_type *first, *last;
    uint32_t count, depth;
    struct ast_names names;
};

/* ---- queries */

struct ast_item { /* of a select list, or a key of ORDER BY */
    struct ast_item *next;
    struct ast_expr *expr;
    struct ast_name *alias;
    bool descending, nulls_given, nulls_first;
};
struct ast_items {
    struct ast_item *first, *last;
    uint32_t count;
};

struct ast_option {
    struct ast_option *next;
    struct str key, value;
    struct source_pos pos, value_pos;
};
struct ast_options {
    struct ast_option *first, *last;
    uint32_t count;
    struct source_pos pos;
};

enum ast_from_kind { AST_FROM_TABLE, AST_FROM_QUERY, AST_FROM_FUNCTION };
struct ast_from {
    enum ast_from_kind kind;
    struct source_pos pos;
    struct ast_name *name;
    struct ast_query *query;
    struct ast_expr *call;
    struct ast_options hints; /* OPTIONS of a hint */
    struct ast_name *alias;
    struct ast_names columns;
};

struct ast_select {
    struct source_pos pos;
    bool distinct;
    struct ast_items items;
    struct ast_from *from;
    struct ast_expr *where;
    bool grouped;
    struct ast_exprs group;
    struct ast_expr *having;
};

enum ast_body_kind { AST_SELECT, AST_VALUES, AST_UNION, AST_NESTED };
struct ast_body {
    struct ast_body *next;
    enum ast_body_kind kind;
    struct source_pos pos;
    struct ast_select *select;
    struct ast_exprs rows;                  /* VALUES */
    struct ast_body *members, *last_member; /* UNION */
    uint32_t member_count, depth;
    bool all;
    struct ast_query *query; /* NESTED: (SELECT ... LIMIT 3) */
};

struct ast_cte {
    struct ast_cte *next;
    struct ast_name *name;
    struct ast_names columns;
    struct ast_query *query;
};
struct ast_ctes {
    struct ast_cte *first, *last;
};

struct ast_query {
    struct source_pos pos;
    struct ast_ctes ctes;
    struct ast_body *body;
    struct ast_items order;
    struct ast_expr *offset, *limit;
};

/* ---- statements */

enum ast_column_kind { AST_COLUMN_PHYSICAL, AST_COLUMN_COMPUTED, AST_COLUMN_METADATA };
struct ast_column {
    struct ast_column *next;
    struct source_pos pos;
    struct ast_name *name;
    enum ast_column_kind kind;
    struct ast_type *type;
    struct ast_expr *expr;
    struct str key; /* METADATA FROM 'key' */
    bool is_virtual, primary_key;
    struct str comment;
};

struct ast_check {
    struct ast_check *next;
    struct ast_name *name; /* NULL: unnamed */
    struct ast_expr *expr;
};

struct ast_insert {
    struct ast_insert *next;
    struct source_pos pos;
    struct ast_name *target;
    struct ast_options hints;
    struct ast_names columns;
    bool overwrite;
    struct ast_query *query;
};

enum ast_statement_kind {
    AST_CREATE_TABLE,
    AST_CREATE_VIEW,
    AST_DROP,
    AST_SHOW_TABLES,
    AST_SHOW_VIEWS,
    AST_SHOW_FUNCTIONS,
    AST_SHOW_CREATE,
    AST_DESCRIBE,
    AST_SET,
    AST_RESET,
    AST_INSERT,
    AST_QUERY,
};

struct ast_statement {
    enum ast_statement_kind kind;
    struct source_pos pos;
    bool temporary, if_exists, if_not_exists, replace, is_view, is_set;
    bool explain;        /* EXPLAIN of this */
    int explain_details; /* enum explain_detail, ORed */
    bool like_negated;   /* SHOW ... NOT LIKE */
    struct ast_name *name;
    struct str like;
    struct str key, value; /* SET, RESET */

    struct ast_column *columns, *last_column; /* CREATE TABLE */
    uint32_t column_count;
    struct source_pos primary_key_pos;
    bool has_primary_key;
    struct ast_names primary_key;
    struct ast_name *watermark;
    struct ast_expr *watermark_expr;
    struct ast_check *checks, *last_check;
    uint32_t check_count;
    struct ast_names partition;
    struct ast_options options;
    struct str comment;
    struct ast_name *like_table;

    struct ast_names view_columns; /* CREATE VIEW */
    struct ast_query *query;       /* CREATE VIEW, QUERY */
    struct source_pos query_pos;   /* CREATE VIEW: all of the query */
    struct ast_insert *inserts, *last_insert;
    uint32_t insert_count;
};

#endif
