/* plan.h - physical plans: const trees of operator arguments, and how they are made and shown.
 *
 *   struct rel --intern.c--> distinct nodes --lower*.c, changelog.c--> struct plan_node
 *
 * A plan_node says what one operator does; operators keep their running state in parallel trees and
 * never write to the plan. Inputs are pointers; a node with several readers is a shared sub-plan.
 * Between nodes that exchange nothing, rows stay in one task (a chain).
 */
#ifndef LEAT_PLAN_PLAN_H
#define LEAT_PLAN_PLAN_H

#include "sql/sql.h"

enum plan_op {
    PLAN_SOURCE,
    PLAN_VALUES,
    PLAN_CALC,
    PLAN_EXCHANGE,
    PLAN_UNION,
    PLAN_GROUP_AGGREGATE,
    PLAN_WINDOW_AGGREGATE,
    PLAN_SORT, /* ORDER BY / LIMIT over bounded input, LIMIT over append-only */
    PLAN_SINK,
    PLAN_COLLECT, /* rows to the caller: a top-level SELECT */
    PLAN_OP_COUNT
};

/* Which row kinds an edge carries. */
enum plan_changelog {
    CHANGELOG_APPEND = 1,  /* +I */
    CHANGELOG_UPSERT = 2,  /* +I +U -D by upsert key */
    CHANGELOG_RETRACT = 4, /* all */
};

enum plan_phase { PHASE_SINGLE, PHASE_LOCAL, PHASE_GLOBAL };

struct plan_aggregate {
    struct aggregate_bound bound;
    int32_t arg_column;    /* of the input; -1: COUNT(*) */
    int32_t filter_column; /* BOOLEAN column of the input; -1: none */
    const char *text;      /* canonical: "SUM(`amount`)" */
};

struct plan_node {
    enum plan_op op;
    uint32_t id; /* unique within the plan, inputs before users */
    /* For checkpoints (contracts.md rule 16), state_names.c; NULL: keeps no state. The name is
     * stable and unique within the plan, the shape says what the state looks like and means, the
     * upstream is a fingerprint of all that is read on the way to it. */
    const char *state_name, *state_shape, *state_upstream;
    uint32_t parallelism;          /* equal along a chain; of an exchange: its receivers' */
    enum plan_changelog changelog; /* of the output */
    bool
        has_upsert_key; /* of the output; also one of no columns: a single row (global aggregate) */
    uint32_t upsert_key_count;
    const uint32_t *upsert_key;
    uint32_t column_count;
    const char *const *names;
    const struct type *const *types;
    uint32_t input_count;
    const struct plan_node *const *inputs;
    /* Which output of each input is read (0 main, 1 a source's dead letters); NULL: all 0. The sink
     * of dead letters is an ordinary PLAN_SINK over output 1 of the source. */
    const uint32_t *input_outputs;
    union {
        struct {
            struct catalog_object *table; /* reference held by the plan */
            const struct connector_class *connector;
            const struct format_class *format; /* NULL: the connector yields batches */
            const struct option_given *format_options;
            size_t format_option_count;
            uint32_t wanted_count;
            const uint32_t *wanted; /* physical fields to decode */
            uint32_t metadata_count;
            const struct table_metadata *metadata;
            uint32_t predicate_count;
            const struct table_predicate *predicates;
            int64_t limit;
            /* Over [wanted..., metadata...]: the output columns and the watermark (NULL: none). */
            const struct expr *const *exprs;
            const struct expr *watermark;
            int32_t rowtime_column;
            int64_t idle_timeout_ms; /* scan.watermark.idle-timeout; 0: never idle */
            /* BAD_ROWS_DEAD_LETTER: bad rows leave through output 1, with the columns source
             * STRING, partition INT, offset BIGINT, payload BYTES, error_code STRING, error_text
             * STRING, time TIMESTAMP_LTZ(3). */
            enum bad_rows_policy bad_rows;
            bool bounded;
            bool updates; /* rows may be -U, +U, -D */
        } source;
        struct {
            uint32_t row_count;
            const struct expr *const *exprs; /* row by row */
        } values;
        struct {
            const struct expr *condition;    /* NULL: none */
            const struct expr *const *exprs; /* output columns */
        } calc;
        struct {
            uint32_t key_count; /* 0: to one receiver */
            const uint32_t *keys;
        } exchange;
        struct { /* output: keys, then results (LOCAL: keys, then one BYTES column: all partials;
                    only for calls that are append-only, not DISTINCT, with bound.portable). GLOBAL
                    reads the partials from its input's last column. */
            enum plan_phase phase;
            uint32_t key_count;
            const uint32_t *keys; /* input columns */
            uint32_t call_count;
            const struct plan_aggregate *calls;
            bool input_updates;      /* input may carry -U, -D */
            bool emit_update_before; /* -U wanted downstream */
            bool coalesce;           /* contracts.md rule 4 allows it */
            int64_t state_ttl_ms;    /* 0: for ever */
        } group;
        struct { /* output: keys, window_start, window_end, window_time, results */
            enum plan_phase phase;
            enum window_kind kind;
            /* Of the input: the row's time, or (TIMESTAMP) the start of its window. LOCAL emits
             * keys, one BIGINT NOT NULL (the window's start, microseconds in local time), one BYTES
             * (partials); GLOBAL's is that BIGINT. */
            uint32_t time_column;
            /* The rows' time attribute is TIMESTAMP_LTZ: windows in the session zone; a time column
             * of type TIMESTAMP is local already. */
            bool is_ltz;
            int64_t size_ms, offset_ms;
            uint32_t key_count;
            const uint32_t *keys;
            uint32_t call_count;
            const struct plan_aggregate *calls;
            bool input_updates;
        } window;
        struct {
            uint32_t key_count;
            const struct rel_sort_key *keys;
            int64_t offset, limit;
        } sort;
        struct {
            struct catalog_object *table;
            const struct connector_class *connector;
            const struct format_class *format;
            const struct option_given *format_options;
            size_t format_option_count;
            enum sink_mode mode;
            bool coalesce;
            /* CHECK constraints of the table, in its order, over the input's columns: a row for
             * which one is FALSE fails the job. */
            uint32_t check_count;
            const struct expr *const *checks;
            enum sink_delivery delivery;
            const char *delivery_reason; /* why not more, or not at once; NULL: no need to say */
            enum sink_on_reset on_reset;
            int64_t max_pending_bytes;
        } sink;
    };
};

/* Of one job: an INSERT, a STATEMENT SET, or a SELECT. It borrows expressions and types from the
 * statement's arena, which must outlive it. */
struct plan {
    struct arena arena;
    const char *job_name;
    /* What it does, options of its tables included, in however many parts it runs; "" of a SELECT
     */
    const char *fingerprint;
    uint32_t node_count;
    struct plan_node *const *nodes; /* by id: inputs before users */
    uint32_t root_count;
    const struct plan_node *const *roots; /* sinks or the collect */
    bool bounded;
    /* references that the plan holds */
    uint32_t object_count;
    struct catalog_object **objects;
};

enum plan_phases {
    PHASES_AUTO,
    PHASES_TWO,
    PHASES_ONE
}; /* in the order of the setting's choices */

struct plan_settings {
    enum plan_phases phases; /* table.optimizer.agg-phase-strategy */
    uint32_t parallelism;    /* parallelism.default */
    int mini_batch;          /* table.exec.mini-batch.enabled: -1 unset, 0 false, 1 true */
    int64_t idle_timeout_ms; /* table.exec.source.idle-timeout */
    int64_t state_ttl_ms;    /* table.exec.state.ttl */
    const char *job_name;    /* pipeline.name; NULL: the target's name */
    const struct function_session *function_session;
    const struct plugin_registry *registry;
    struct catalog *catalog;               /* for dead-letter tables */
    bool checkpoints, checkpoints_bounded; /* a job without an end, with one, has some */
    bool collect_changes; /* a top-level SELECT shows every change, not current rows */
};

enum status plan_make(struct plan **out, const struct statement *statement,
                      const struct plan_settings *settings, struct error *err) STATUS_CHECKED;
void plan_free(struct plan *plan);

/* The physical plan, as EXPLAIN shows it. */
void plan_format(struct buf *out, const struct plan *plan);

/* EXPLAIN: the bound query, the optimised one, and the physical plan with changelog modes, keys,
 * state, watermark path and what each sink guarantees. */
enum status plan_explain(struct buf *out, const struct statement *statement,
                         const struct plan_settings *settings, struct error *err) STATUS_CHECKED;

#endif
