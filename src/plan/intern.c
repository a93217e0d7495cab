/* intern.c - the table of distinct relational nodes of a job, and which of their columns are
 * needed.
 *
 * Nodes that are structurally equal share an entry (hash-consing by comparison: a job has tens of
 * nodes), so that views and tables used several times are computed once. Entries stand inputs
 * before users; needed columns therefore flow in one backward pass.
 */
#include "plan/plan_int.h"

static bool expr_lists_equal(const struct expr *const *a, const struct expr *const *b,
                             uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        /* RAND() twice is two different columns, never a shared one */
        if (!expr_equals(a[i], b[i]) || !expr_is_deterministic(a[i]))
            return false;
    }
    return true;
}

static bool optional_equal(const struct expr *a, const struct expr *b)
{
    if (!a || !b)
        return a == b;
    return expr_equals(a, b) && expr_is_deterministic(a);
}

static bool aggregates_equal(const struct rel *a, const struct rel *b)
{
    if (a->aggregate.key_count != b->aggregate.key_count ||
        a->aggregate.call_count != b->aggregate.call_count ||
        a->aggregate.by_window != b->aggregate.by_window ||
        a->aggregate.size_ms != b->aggregate.size_ms ||
        a->aggregate.offset_ms != b->aggregate.offset_ms)
        return false;
    for (uint32_t i = 0; i < a->aggregate.key_count; i++)
        if (a->aggregate.keys[i] != b->aggregate.keys[i])
            return false;
    for (uint32_t i = 0; i < a->aggregate.call_count; i++) {
        const struct rel_aggregate_call *x = &a->aggregate.calls[i], *y = &b->aggregate.calls[i];
        if (x->def != y->def || x->distinct != y->distinct || !optional_equal(x->arg, y->arg) ||
            !optional_equal(x->filter, y->filter))
            return false;
    }
    return true;
}

static bool sorts_equal(const struct rel *a, const struct rel *b)
{
    if (a->sort.key_count != b->sort.key_count || a->sort.offset != b->sort.offset ||
        a->sort.limit != b->sort.limit)
        return false;
    for (uint32_t i = 0; i < a->sort.key_count; i++) {
        const struct rel_sort_key *x = &a->sort.keys[i], *y = &b->sort.keys[i];
        if (x->column != y->column || x->descending != y->descending ||
            x->nulls_first != y->nulls_first)
            return false;
    }
    return true;
}

static bool payload_equals(const struct rel *a, const struct rel *b)
{
    switch (a->kind) {
    case REL_SCAN:
        return a->scan.table == b->scan.table;
    case REL_VALUES:
        return a->values.row_count == b->values.row_count &&
               expr_lists_equal(a->values.exprs, b->values.exprs,
                                a->values.row_count * a->column_count);
    case REL_PROJECT:
        return expr_lists_equal(a->project.exprs, b->project.exprs, a->column_count);
    case REL_FILTER:
        return optional_equal(a->filter.condition, b->filter.condition);
    case REL_AGGREGATE:
        return aggregates_equal(a, b);
    case REL_WINDOW:
        return a->window.kind == b->window.kind && a->window.time_column == b->window.time_column &&
               a->window.size_ms == b->window.size_ms && a->window.offset_ms == b->window.offset_ms;
    case REL_UNION_ALL:
        return true;
    case REL_SORT:
        return sorts_equal(a, b);
    }
    return false;
}

bool plan_rel_equals(const struct planner *planner, const struct rel_entry *a, const struct rel *b,
                     const uint32_t *b_inputs)
{
    if (a->rel == b)
        return true;
    if (a->rel->kind != b->kind || a->rel->column_count != b->column_count ||
        a->rel->input_count != b->input_count)
        return false;
    for (uint32_t i = 0; i < b->input_count; i++)
        if (a->inputs[i] != b_inputs[i])
            return false;
    for (uint32_t i = 0; i < b->column_count; i++)
        if (!type_equals(a->rel->types[i], b->types[i]))
            return false;
    return payload_equals(a->rel, b);
}

static enum status entry_add(struct planner *planner, const struct rel *rel, uint32_t *inputs,
                             uint32_t *out)
{
    if (planner->entry_count == PLAN_RELS_MAX)
        return error_set(planner->err, ERR_LIMIT, "a job has at most %d relational nodes",
                         PLAN_RELS_MAX);
    if (planner->entry_count == planner->entry_capacity) {
        uint32_t capacity = planner->entry_capacity ? planner->entry_capacity * 2 : 16;
        struct rel_entry *entries = ARENA_ARRAY(planner->arena, capacity, struct rel_entry);
        if (!entries)
            return arena_check(planner->arena, "the plan", planner->err);
        if (planner->entry_count)
            memcpy(entries, planner->entries, planner->entry_count * sizeof(*entries));
        planner->entries = entries;
        planner->entry_capacity = capacity;
    }
    struct rel_entry *entry = &planner->entries[planner->entry_count];
    *entry = (struct rel_entry){
        .rel = rel,
        .inputs = inputs,
        .needed = ARENA_ARRAY(planner->arena, rel->column_count + 1, bool),
        .map = ARENA_ARRAY(planner->arena, rel->column_count + 1, uint32_t),
    };
    for (uint32_t i = 0; i < rel->input_count; i++)
        planner->entries[inputs[i]].users++;
    *out = planner->entry_count++;
    return arena_check(planner->arena, "the plan", planner->err);
}

enum status plan_intern(struct planner *planner, const struct rel *rel, uint32_t *out)
{
    uint32_t *inputs = ARENA_ARRAY(planner->arena, rel->input_count + 1, uint32_t);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (uint32_t i = 0; i < rel->input_count; i++)
        TRY(plan_intern(planner, rel->inputs[i], &inputs[i]));
    for (uint32_t i = 0; i < planner->entry_count; i++) {
        if (plan_rel_equals(planner, &planner->entries[i], rel, inputs)) {
            *out = i;
            return OK;
        }
    }
    return entry_add(planner, rel, inputs, out);
}

static void need(void *context, uint32_t column)
{
    ((bool *)context)[column] = true;
}

static void need_expr(const struct expr *expr, bool *needed)
{
    if (expr)
        expr_columns(expr, need, needed);
}

static void mark_aggregate(const struct rel *rel, bool *needed)
{
    for (uint32_t i = 0; i < rel->aggregate.key_count; i++)
        needed[rel->aggregate.keys[i]] = true;
    for (uint32_t i = 0; i < rel->aggregate.call_count; i++) {
        need_expr(rel->aggregate.calls[i].arg, needed);
        need_expr(rel->aggregate.calls[i].filter, needed);
    }
}

static void mark_inputs(struct planner *planner, const struct rel_entry *entry)
{
    const struct rel *rel = entry->rel;
    bool *needed = rel->input_count ? planner->entries[entry->inputs[0]].needed : NULL;

    switch (rel->kind) {
    case REL_SCAN:
    case REL_VALUES:
        break;
    case REL_PROJECT:
        for (uint32_t i = 0; i < rel->column_count; i++)
            if (entry->needed[i])
                need_expr(rel->project.exprs[i], needed);
        break;
    case REL_FILTER:
        for (uint32_t i = 0; i < rel->column_count; i++)
            needed[i] |= entry->needed[i];
        need_expr(rel->filter.condition, needed);
        break;
    case REL_AGGREGATE:
        mark_aggregate(rel, needed);
        break;
    case REL_WINDOW:
        for (uint32_t i = 0; i < rel->inputs[0]->column_count; i++)
            needed[i] |= entry->needed[i];
        needed[rel->window.time_column] = true;
        break;
    case REL_UNION_ALL:
        for (uint32_t k = 0; k < rel->input_count; k++)
            for (uint32_t i = 0; i < rel->column_count; i++)
                planner->entries[entry->inputs[k]].needed[i] |= entry->needed[i];
        break;
    case REL_SORT:
        for (uint32_t i = 0; i < rel->column_count; i++)
            needed[i] |= entry->needed[i];
        for (uint32_t i = 0; i < rel->sort.key_count; i++)
            needed[rel->sort.keys[i].column] = true;
        break;
    }
}

enum status plan_mark_needed(struct planner *planner)
{
    for (uint32_t i = planner->entry_count; i-- > 0;)
        mark_inputs(planner, &planner->entries[i]);
    return OK;
}
