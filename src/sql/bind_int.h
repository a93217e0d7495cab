/* bind_int.h - what the files of the binder share. Not for other rooms.
 *
 *   bind.c            statements; references to catalog objects; sub-texts
 *   bind_type.c       type names                      bind_literal.c   literals
 *   bind_create.c     CREATE TABLE, CREATE VIEW       bind_scan.c      a table as REL_SCAN
 *   bind_query.c      WITH, UNION, VALUES, ORDER BY   bind_select.c    SELECT
 *   bind_from.c       FROM: tables, views, CTEs       bind_window.c    TUMBLE(...)
 *   bind_aggregate.c  GROUP BY and aggregate calls    bind_insert.c    INSERT
 *   bind_expr.c       expressions                     bind_call.c      functions
 *   bind_name.c       columns by name                 bind_rel.c        nodes of bound queries
 *
 * All memory is the statement's arena, objects of CREATE apart. Recursion is bounded by the parser
 * (SQL_DEPTH_MAX) and, through views, by binder->depth.
 */
#ifndef LEAT_SQL_BIND_INT_H
#define LEAT_SQL_BIND_INT_H

#include <stdio.h>

#include "sql/parser.h"
#include "sql/sql.h"

/* What the statement holds until sql_statement_fini: an object, or a function's constant state. */
struct sql_reference {
    struct sql_reference *next;
    struct catalog_object *object; /* NULL: none */
    const struct rel *rel;         /* scan or view, once bound: readers share it */
    void (*release_state)(const void *state);
    const void *state;
};

struct cte {
    struct cte *next; /* those that this one may use follow */
    const char *name;
    struct ast_cte *ast;
    const char *path; /* where WITH stands */
    const struct rel *rel;
    bool binding; /* it refers to itself */
};

struct binder {
    const struct sql_session *session;
    struct arena *arena;
    struct error *err;
    struct sql_reference *references;
    struct str text;        /* what the AST was parsed from ... */
    struct source_pos base; /* ... and where that begins */
    const char *path;       /* named relations that we stand in */
    struct cte *ctes;       /* innermost first */
    uint32_t depth;         /* of queries, views included */
    bool restricted;        /* the text we stand in is of a restricted session */
};

/* What bind_enter_text put aside. */
struct bind_saved {
    struct str text;
    struct source_pos base;
    const char *path;
    struct cte *ctes;
};

/* ---- names that an expression may use */

struct scope_relation {
    const char *alias; /* NULL: none */
    uint32_t first, count;
};

#define AGGREGATE_COLUMN (1u << 24) /* column number of the first collected call */

struct aggregates {
    struct rel_aggregate_call *calls;
    uint32_t count, capacity;
};

struct window_args {
    uint32_t time_column;
    int64_t size_ms, offset_ms;
    struct source_pos size_pos, offset_pos;
};
struct group_window { /* GROUP BY TUMBLE(...) */
    const struct ast_expr *call;
    struct window_args args;
    uint32_t first; /* column window_start; window_end and window_time follow */
};

struct scope {
    uint32_t column_count;
    const char *const *names;
    const struct type *const *types;
    uint32_t relation_count;
    const struct scope_relation *relations;
    struct aggregates *aggregates;     /* collects aggregate calls; NULL: not allowed here */
    const struct group_window *window; /* NULL: none */
    const char *clause;                /* for messages: "WHERE" */
    bool in_aggregate;
};

/* A scope with the columns of rel as one relation. */
void scope_of_rel(struct scope *scope, const struct rel *rel, const char *clause);

/* ---- errors: all set position and return the code */
enum status bind_fail(struct binder *binder, enum status code, struct source_pos pos,
                      const char *fmt, ...) PRINTF_LIKE(4, 5);
enum status bind_unsupported(struct binder *binder, struct source_pos pos, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
enum status bind_memory(struct binder *binder); /* OK while the arena has not failed */
/* The text of the current source at pos. */
struct str bind_slice(const struct binder *binder, struct source_pos pos);
/* NAME of a line "-- leat: state=NAME" directly before pos: under that name the state of what
 * stands there is kept, wherever it has moved to (contracts.md rule 16). NULL: there is none. */
const char *bind_state_name(struct binder *binder, struct source_pos pos);
void format_type_text(char *out, size_t size, const struct type *type);
const char *bind_strdup(struct binder *binder, struct str text); /* "" without memory */

/* ---- expressions */
enum status bind_expr(struct binder *binder, const struct scope *scope, const struct ast_expr *ast,
                      const struct expr **out) STATUS_CHECKED;
/* A BOOLEAN one. */
enum status bind_condition(struct binder *binder, const struct scope *scope,
                           const struct ast_expr *ast, const struct expr **out) STATUS_CHECKED;
enum status bind_call(struct binder *binder, const struct scope *scope, const struct ast_expr *ast,
                      const struct expr **out) STATUS_CHECKED;
enum status bind_literal(struct binder *binder, const struct ast_expr *ast,
                         const struct expr **out) STATUS_CHECKED;
enum status bind_name(struct binder *binder, const struct scope *scope, const struct ast_name *name,
                      const struct expr **out) STATUS_CHECKED;
enum status bind_field(struct binder *binder, const struct expr *row, const struct ast_name *field,
                       const struct expr **out) STATUS_CHECKED;
/* True: the columns of the scope that relation.* means. */
bool scope_find_relation(const struct scope *scope, const struct ast_name *name,
                         struct scope_relation *out);
/* A call of the function table with bound arguments (coerced in place). */
enum status bind_function(struct binder *binder, struct source_pos pos, const char *name,
                          const struct expr **args, uint32_t arg_count,
                          const struct expr **out) STATUS_CHECKED;
/* expr as the type that the bind of function `what` asks for: itself or an implicit cast. */
enum status bind_coerce(struct binder *binder, const struct expr *expr, const struct type *type,
                        const char *what, const struct expr **out) STATUS_CHECKED;
/* All as one common type; ERR_TYPE naming `what`. */
enum status bind_unify(struct binder *binder, const struct expr **exprs, uint32_t count,
                       const char *what, const struct type **type) STATUS_CHECKED;
/* The value of an expression without columns, if it is one. */
enum status bind_try_constant(struct binder *binder, const struct expr *expr, struct datum *out,
                              bool *found) STATUS_CHECKED;
/* The same; ERR_TYPE when it is none or NULL. */
enum status bind_constant(struct binder *binder, const struct expr *expr, const char *what,
                          struct datum *out) STATUS_CHECKED;
enum status bind_type(struct binder *binder, struct arena *arena, const struct ast_type *ast,
                      const struct type **out) STATUS_CHECKED;
/* A unit word in the singular and upper case ("DAYS" is "DAY"), or NULL. */
const char *bind_unit_name(struct str word);

/* Nodes; NULL without memory (check bind_memory). */
struct expr *expr_new(struct binder *binder, enum expr_kind kind, const struct type *type,
                      struct source_pos pos);
const struct expr *expr_new_column(struct binder *binder, uint32_t column, const struct type *type,
                                   struct source_pos pos);
const struct expr *expr_new_null(struct binder *binder, const struct type *type,
                                 struct source_pos pos);
const struct expr *expr_new_text(struct binder *binder, struct str text, struct source_pos pos);
const struct expr *expr_new_cast(struct binder *binder, const struct expr *expr,
                                 const struct type *type, bool implicit);
const struct expr *expr_new_args(struct binder *binder, enum expr_kind kind,
                                 const struct type *type, struct source_pos pos,
                                 const struct expr *const *args, uint32_t arg_count);
/* Column c replaced by columns[c]. */
const struct expr *expr_substitute(struct binder *binder, const struct expr *expr,
                                   const struct expr *const *columns);
/* The type without time attribute. */
const struct type *bind_plain_type(struct binder *binder, const struct type *type);
const struct type *bind_with_nullable(struct binder *binder, const struct type *type,
                                      bool nullable);

/* ---- aggregates */

/* ast is a call of def; the result is column AGGREGATE_COLUMN + i. */
enum status bind_aggregate_call(struct binder *binder, const struct scope *scope,
                                const struct ast_expr *ast, const struct aggregate_def *def,
                                const struct expr **out) STATUS_CHECKED;
/* Group input by groups and compute the calls; rewrites the expressions (over the input and the
 * calls) to the result. */
enum status bind_grouping(struct binder *binder, const struct rel *input, struct source_pos pos,
                          const struct expr **groups, uint32_t group_count,
                          const struct aggregates *aggregates, const struct expr **exprs,
                          uint32_t expr_count, const struct rel **out) STATUS_CHECKED;

/* ---- queries */
enum status bind_query(struct binder *binder, const struct ast_query *query,
                       const struct rel **out) STATUS_CHECKED;
/* With the keys of ORDER BY: *keys (order->count) say which columns; columns beyond *visible are
 * only for sorting. */
enum status bind_select(struct binder *binder, const struct ast_select *select,
                        const struct ast_items *order, struct rel_sort_key *keys, uint32_t *visible,
                        const struct rel **out) STATUS_CHECKED;
/* ORDER BY 2: the column's number from 0. */
enum status bind_ordinal(struct binder *binder, const struct ast_expr *ast, uint32_t count,
                         uint32_t *out) STATUS_CHECKED;
enum status bind_from(struct binder *binder, const struct ast_from *from, const struct rel **out,
                      struct scope *scope) STATUS_CHECKED;
/* The relation of a table or view by name, in its own path. */
enum status bind_relation(struct binder *binder, const struct ast_name *name,
                          const struct ast_options *hints, const struct rel **out) STATUS_CHECKED;
enum status bind_window(struct binder *binder, const struct ast_expr *call,
                        const struct rel **out) STATUS_CHECKED;
/* When one of groups is TUMBLE(...): the window over *rel, its columns in the scope. */
enum status bind_group_window(struct binder *binder, const struct ast_exprs *groups,
                              struct scope *scope, const struct rel **rel) STATUS_CHECKED;
/* TUMBLE_START and its like. */
enum status bind_group_window_call(struct binder *binder, const struct scope *scope,
                                   const struct ast_expr *call,
                                   const struct expr **out) STATUS_CHECKED;
enum status bind_scan(struct binder *binder, struct catalog_object *table,
                      const struct rel **out) STATUS_CHECKED;
enum status bind_insert(struct binder *binder, const struct ast_insert *ast,
                        struct statement_insert *out) STATUS_CHECKED;
enum status bind_create_table(struct binder *binder, const struct ast_statement *ast,
                              struct catalog_object *object) STATUS_CHECKED;
enum status bind_create_view(struct binder *binder, const struct ast_statement *ast,
                             struct catalog_object *object) STATUS_CHECKED;

/* The object by name, with a reference held by the statement; ERR_NAME with the nearest one. */
enum status bind_object(struct binder *binder, const struct ast_name *name,
                        struct sql_reference **out) STATUS_CHECKED;
/* Parse the text of a catalog object; its AST lives in the binder's arena. What the binder had is
 * put into *saved; bind_leave_text puts it back. */
enum status bind_enter_text(struct binder *binder, const struct catalog_text *text,
                            enum parse_goal goal, struct parse *parse,
                            struct bind_saved *saved) STATUS_CHECKED;
void bind_leave_text(struct binder *binder, const struct bind_saved *saved);

/* ---- bind_rel.c */
struct rel *rel_new(struct binder *binder, enum rel_kind kind, struct source_pos pos,
                    uint32_t column_count, const char *const *names,
                    const struct type *const *types, const struct rel *input);
const struct rel *rel_project(struct binder *binder, const struct rel *input,
                              const struct expr *const *exprs, const char *const *names,
                              uint32_t count, struct source_pos pos);
const struct rel *rel_filter(struct binder *binder, const struct rel *input,
                             const struct expr *condition, struct source_pos pos);
const struct rel *rel_rename(struct binder *binder, const struct rel *rel, const char *const *names,
                             struct source_pos pos);
const struct rel *rel_distinct(struct binder *binder, const struct rel *input,
                               struct source_pos pos);
/* `name`, or name0, name1 ... when an earlier one of names has it. */
const char *rel_unique_name(struct binder *binder, const char *name, const char *const *names,
                            uint32_t count);

#endif
