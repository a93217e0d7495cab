/* rel.h - bound queries: relational trees whose names, types and casts are resolved.
 *
 * The binder makes them, plan/ rewrites them and turns them into operators. A struct rel is
 * immutable once made and lives in the statement's arena; rewrites make new nodes and share
 * sub-trees (two readers of one view share its tree: common sub-plans are found by pointer).
 */
#ifndef LEAT_SQL_REL_H
#define LEAT_SQL_REL_H

#include "catalog/catalog.h"
#include "expr/expr.h"
#include "function/aggregate.h"

enum rel_kind {
    REL_SCAN,    /* a table: every column in catalog order (computed and metadata ones too) */
    REL_VALUES,  /* rows of constant expressions; also SELECT without FROM (one row) */
    REL_PROJECT, /* exprs over the input */
    REL_FILTER,
    REL_AGGREGATE, /* GROUP BY; also DISTINCT (no calls) */
    REL_WINDOW, /* TUMBLE table function: input columns + window_start, window_end, window_time */
    REL_UNION_ALL,
    REL_SORT, /* ORDER BY and/or LIMIT, OFFSET */
};

struct rel_aggregate_call {
    const struct aggregate_def *def;
    const struct expr *arg;    /* over the input; NULL: COUNT(*) */
    const struct expr *filter; /* FILTER (WHERE ...); NULL: none */
    bool distinct;
    const struct type *type;     /* result */
    const struct type *arg_type; /* after coercion; arg already has it */
    struct source_pos pos;
    const char *text; /* canonical text: "SUM(`amount`)" */
};

enum window_kind { WINDOW_TUMBLE };

struct rel_sort_key {
    uint32_t column;
    bool descending;
    bool nulls_first; /* Flink: NULLs are lowest */
};

struct rel {
    enum rel_kind kind;
    struct source_pos pos;
    uint32_t column_count;
    const char *const *names;
    const struct type *const *types;
    uint32_t input_count;
    const struct rel *const *inputs;
    /* The named relations (view, CTE, alias) that this node stands in, outermost first, '/'-joined:
     * stable state names come from it (contracts.md rule 16). "" when none. */
    const char *path;
    /* Column whose values are window_end of a window function over this node's input, and so on;
     * -1: none. Set by REL_WINDOW and kept through projections, filters and aggregates that keep
     * the columns, so that GROUP BY window_start, window_end is recognised as a window aggregation.
     */
    int32_t window_start_column;
    int32_t window_end_column;
    int32_t rowtime_column; /* the column with TIME_ATTRIBUTE_ROWTIME, -1: none */
    union {
        struct {
            struct catalog_object *table; /* a reference held by the bound statement */
            /* Each column as an expression over the table's [physical fields, metadata columns in
             * order]; watermark likewise, NULL: none. */
            const struct expr *const *columns;
            const struct expr *watermark;
            uint32_t metadata_count;
            /* Key and the connector's type, in column order; columns[] has the cast to the
             * declared one. */
            const struct table_metadata *metadata;
            const struct expr *const *checks; /* table->check_count, over the same inputs */
        } scan;
        struct {
            uint32_t row_count;
            const struct expr *const *exprs; /* row_count * column_count, row by row */
        } values;
        struct {
            const struct expr *const *exprs; /* column_count */
        } project;
        struct {
            const struct expr *condition;
        } filter;
        struct {
            uint32_t key_count;
            const uint32_t *keys; /* input columns; output = keys, then calls */
            uint32_t call_count;
            const struct rel_aggregate_call *calls;
            bool by_window; /* keys contain window_start and window_end of the input */
            enum window_kind window;
            int64_t size_ms, offset_ms;
            const char *state_name; /* of a comment before its SELECT; NULL: it has its own */
        } aggregate;
        struct {
            enum window_kind kind;
            uint32_t time_column;
            int64_t size_ms, offset_ms;
        } window;
        struct {
            uint32_t key_count;
            const struct rel_sort_key *keys;
            int64_t offset; /* 0 */
            int64_t limit;  /* -1: none */
        } sort;
    };
};

/* The tree, a line a node, inputs indented; shared sub-trees are printed for each reader. */
void rel_format(struct buf *out, const struct rel *rel);

#endif
