/* plan_int.h - what the files of plan/ share: the planner and its table of relational nodes. */
#ifndef LEAT_PLAN_PLAN_INT_H
#define LEAT_PLAN_PLAN_INT_H

#include "plan/plan.h"

#define PLAN_RELS_MAX      10000
#define PLAN_EXPR_SIZE_MAX 2000 /* larger expressions are not merged into one calc */

/* One distinct relational node. Structurally equal nodes of all roots share an entry, so that a
 * source that several INSERTs read is read once. */
struct rel_entry {
    const struct rel *rel;
    uint32_t *inputs; /* entries, in the order of rel->inputs */
    uint32_t users;   /* readers among entries and roots */
    bool *needed;     /* per column of rel */
    bool lowered;
    struct plan_node *node;
    uint32_t *map; /* column of rel -> column of node; meaningless where not needed */
};

struct planner {
    struct arena *arena; /* the plan's */
    const struct plan_settings *settings;
    struct error *err;
    struct plan *plan;
    uint32_t entry_count, entry_capacity;
    struct rel_entry *entries; /* inputs before users */
    uint32_t node_count, node_capacity;
    struct plan_node **nodes;
    uint32_t forwarded; /* nodes before this one have their changelog */
};

/* intern.c */
enum status plan_intern(struct planner *planner, const struct rel *rel,
                        uint32_t *entry) STATUS_CHECKED;
bool plan_rel_equals(const struct planner *planner, const struct rel_entry *a, const struct rel *b,
                     const uint32_t *b_inputs);
/* Marks which columns are needed, users before inputs; roots are marked by the caller. */
enum status plan_mark_needed(struct planner *planner) STATUS_CHECKED;

/* lower.c */
enum status plan_lower(struct planner *planner, uint32_t entry) STATUS_CHECKED;
/* Exactly `count` columns computed from the entry's rel columns. window_start (-1: none) is the
 * number of the expression that is a window's start: the time it was computed from may stand for
 * it, since whoever aggregates by window takes the floor anyway. */
enum status plan_lower_projection(struct planner *planner, uint32_t entry,
                                  const struct expr *const *exprs, const char *const *names,
                                  uint32_t count, int32_t window_start,
                                  struct plan_node **out) STATUS_CHECKED;
struct plan_node *plan_node_new(struct planner *planner, enum plan_op op, uint32_t input_count,
                                struct plan_node *const *inputs);
/* Sets names and types from exprs (names NULL: from inputs or "EXPR$i"). */
enum status plan_node_columns(struct planner *planner, struct plan_node *node,
                              const char *const *names, const struct type *const *types,
                              uint32_t count) STATUS_CHECKED;
struct plan_node *plan_exchange(struct planner *planner, struct plan_node *input,
                                const uint32_t *keys, uint32_t key_count, uint32_t parallelism);

/* plan.c */
enum status plan_add_root(struct planner *planner, struct plan_node *root) STATUS_CHECKED;

/* lower_scan.c */
enum status plan_lower_scan(struct planner *planner, struct rel_entry *entry) STATUS_CHECKED;
enum status plan_hold_object(struct planner *planner, struct catalog_object *object) STATUS_CHECKED;
enum status plan_lower_sink(struct planner *planner, const struct statement_insert *insert,
                            struct plan_node *input, struct plan_node **out) STATUS_CHECKED;

/* lower_aggregate.c */
enum status plan_lower_aggregate(struct planner *planner, uint32_t entry) STATUS_CHECKED;

/* delivery.c: after plan_changelogs */
enum status plan_deliveries(struct planner *planner) STATUS_CHECKED;
/* What a sink guarantees, in a sentence. */
void plan_format_delivery(struct buf *out, const struct plan_node *node);

/* state_names.c */
enum status plan_name_states(struct planner *planner) STATUS_CHECKED;

/* explain.c: "(groupBy=[card], select=[...])", what the node does beside its inputs */
void plan_format_arguments(struct buf *out, const struct plan_node *node);

/* substitute.c: expression helpers; NULL without memory */
const struct expr *plan_substitute(struct arena *arena, const struct expr *expr,
                                   const struct expr *const *columns);
const struct expr *plan_column(struct arena *arena, uint32_t column, const struct type *type,
                               struct source_pos pos);
const struct expr *plan_and(struct arena *arena, const struct expr *a, const struct expr *b);
uint32_t plan_expr_size(const struct expr *expr, uint32_t limit);
/* window_start, window_end, window_time of the REL_WINDOW as expressions over its input. */
const struct expr *plan_window_expr(struct planner *planner, const struct rel *window,
                                    uint32_t which);
/* The time argument when expr is the window_start made above, else expr itself. */
const struct expr *plan_window_time(const struct expr *expr);

/* changelog.c: row kinds, keys, -U, coalescing over all nodes */
enum status plan_changelog_forward(struct planner *planner) STATUS_CHECKED; /* nodes so far */
enum status plan_changelogs(struct planner *planner) STATUS_CHECKED; /* once all are lowered */
/* The innermost call that is not the same again for the same row; NULL: there is none. */
const struct expr *plan_changing_call(const struct expr *expr);

/* split.c: after plan_changelogs */
enum status plan_split_aggregates(struct planner *planner) STATUS_CHECKED;

#endif
