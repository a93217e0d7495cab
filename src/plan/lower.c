/* lower.c - relational nodes to operators: projections and filters merged into one calc, unions,
 * sorts.
 *
 * Each entry becomes a node and a map from its columns to the node's, so that dropping and
 * reordering columns costs no operator. A chain of projections, filters and window bounds that
 * nobody else reads becomes one calc: the condition is evaluated first, narrowing at each AND, so a
 * computed column can only fail for rows that passed (contracts.md rule 6).
 */
#include "plan/plan_int.h"

#include "base/must.h"

struct plan_node *plan_node_new(struct planner *planner, enum plan_op op, uint32_t input_count,
                                struct plan_node *const *inputs)
{
    struct plan_node *node = ARENA_NEW(planner->arena, struct plan_node);
    const struct plan_node **copy =
        ARENA_ARRAY(planner->arena, input_count + 1, const struct plan_node *);
    if (planner->node_count == planner->node_capacity) {
        uint32_t capacity = planner->node_capacity ? planner->node_capacity * 2 : 16;
        struct plan_node **nodes = ARENA_ARRAY(planner->arena, capacity, struct plan_node *);
        if (!nodes)
            return NULL;
        if (planner->node_count)
            memcpy(nodes, planner->nodes, planner->node_count * sizeof(*nodes));
        planner->nodes = nodes;
        planner->node_capacity = capacity;
    }
    if (!node || !copy)
        return NULL;
    for (uint32_t i = 0; i < input_count; i++)
        copy[i] = inputs[i];
    node->op = op;
    node->id = planner->node_count;
    node->input_count = input_count;
    node->inputs = copy;
    node->parallelism = input_count ? inputs[0]->parallelism : planner->settings->parallelism;
    planner->nodes[planner->node_count++] = node;
    return node;
}

enum status plan_node_columns(struct planner *planner, struct plan_node *node,
                              const char *const *names, const struct type *const *types,
                              uint32_t count)
{
    const char **own_names = ARENA_ARRAY(planner->arena, count + 1, const char *);
    const struct type **own_types = ARENA_ARRAY(planner->arena, count + 1, const struct type *);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (uint32_t i = 0; i < count; i++) {
        own_names[i] = names && names[i] ? names[i] : arena_printf(planner->arena, "EXPR$%u", i);
        own_types[i] = types[i];
    }
    node->column_count = count;
    node->names = own_names;
    node->types = own_types;
    return arena_check(planner->arena, "the plan", planner->err);
}

struct plan_node *plan_exchange(struct planner *planner, struct plan_node *input,
                                const uint32_t *keys, uint32_t key_count, uint32_t parallelism)
{
    if (input->parallelism == 1 && parallelism == 1)
        return input;
    struct plan_node *node = plan_node_new(planner, PLAN_EXCHANGE, 1, &input);
    uint32_t *copy = ARENA_ARRAY(planner->arena, key_count + 1, uint32_t);
    if (!node || !copy)
        return NULL;
    for (uint32_t i = 0; i < key_count; i++)
        copy[i] = keys[i];
    node->parallelism = parallelism;
    node->exchange.key_count = key_count;
    node->exchange.keys = copy;
    node->column_count = input->column_count;
    node->names = input->names;
    node->types = input->types;
    return node;
}

/* A projection on its way down through the nodes it can be merged with. */
struct calc {
    uint32_t count;
    const struct expr **exprs;    /* over the columns of `entry` */
    const struct expr *condition; /* likewise; NULL: none */
    uint32_t entry;
};

static bool calc_substitute(struct planner *planner, struct calc *calc,
                            const struct expr *const *columns)
{
    uint32_t size = 0;
    const struct expr **exprs = ARENA_ARRAY(planner->arena, calc->count + 1, const struct expr *);
    const struct expr *condition = NULL;
    if (!exprs)
        return false;
    for (uint32_t i = 0; i < calc->count; i++) {
        exprs[i] = plan_substitute(planner->arena, calc->exprs[i], columns);
        if (!exprs[i])
            return false;
        if (exprs[i]->kind != EXPR_COLUMN)
            size += plan_expr_size(exprs[i], PLAN_EXPR_SIZE_MAX);
    }
    if (calc->condition) {
        condition = plan_substitute(planner->arena, calc->condition, columns);
        if (!condition)
            return false;
        size += plan_expr_size(condition, PLAN_EXPR_SIZE_MAX);
    }
    if (size > PLAN_EXPR_SIZE_MAX)
        return false;
    calc->exprs = exprs;
    calc->condition = condition;
    return true;
}

static bool all_deterministic(const struct expr *const *exprs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!expr_is_deterministic(exprs[i]))
            return false;
    return true;
}

/* Columns of a REL_WINDOW as expressions over its input. */
static const struct expr *const *window_columns(struct planner *planner, const struct rel *rel)
{
    uint32_t base = rel->inputs[0]->column_count;
    const struct expr **columns =
        ARENA_ARRAY(planner->arena, rel->column_count + 1, const struct expr *);
    if (!columns)
        return NULL;
    for (uint32_t i = 0; i < rel->column_count; i++) {
        columns[i] = i < base ? plan_column(planner->arena, i, rel->types[i], rel->pos)
                              : plan_window_expr(planner, rel, i - base);
        if (!columns[i])
            return NULL;
    }
    return columns;
}

/* One step down: false when the calc ends above its entry. */
static bool calc_descend(struct planner *planner, struct calc *calc, bool first)
{
    const struct rel_entry *entry = &planner->entries[calc->entry];
    const struct rel *rel = entry->rel;
    if (!first && entry->users > 1)
        return false;
    switch (rel->kind) {
    case REL_PROJECT:
        if (!all_deterministic(rel->project.exprs, rel->column_count) ||
            !calc_substitute(planner, calc, rel->project.exprs))
            return false;
        break;
    case REL_FILTER: {
        const struct expr *both = plan_and(planner->arena, rel->filter.condition, calc->condition);
        if (!both)
            return false;
        calc->condition = both;
        break;
    }
    case REL_WINDOW: {
        const struct expr *const *columns = window_columns(planner, rel);
        if (!columns || !calc_substitute(planner, calc, columns))
            return false;
        break;
    }
    default:
        return false;
    }
    calc->entry = entry->inputs[0];
    return true;
}

static enum status calc_build(struct planner *planner, const struct calc *calc,
                              const char *const *names, struct plan_node **out)
{
    const struct rel_entry *base = &planner->entries[calc->entry];
    struct plan_node *node = plan_node_new(planner, PLAN_CALC, 1, &base->node);
    const struct expr **exprs = ARENA_ARRAY(planner->arena, calc->count + 1, const struct expr *);
    const struct type **types = ARENA_ARRAY(planner->arena, calc->count + 1, const struct type *);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (uint32_t i = 0; i < calc->count; i++) {
        exprs[i] = expr_remap(planner->arena, calc->exprs[i], base->map);
        types[i] = calc->exprs[i]->type;
    }
    node->calc.exprs = exprs;
    if (calc->condition)
        node->calc.condition = expr_remap(planner->arena, calc->condition, base->map);
    TRY(plan_node_columns(planner, node, names, types, calc->count));
    *out = node;
    return OK;
}

/* No calc is needed: the node's columns are the wanted ones (or none is wanted, as for COUNT(*)).
 */
static bool is_identity(const struct calc *calc, const struct rel_entry *base)
{
    if (calc->condition || (calc->count && base->node->column_count != calc->count))
        return false;
    for (uint32_t i = 0; i < calc->count; i++)
        if (calc->exprs[i]->kind != EXPR_COLUMN || base->map[calc->exprs[i]->column] != i)
            return false;
    return true;
}

enum status plan_lower_projection(struct planner *planner, uint32_t entry,
                                  const struct expr *const *exprs, const char *const *names,
                                  uint32_t count, int32_t window_start, struct plan_node **out)
{
    struct calc calc = {.count = count, .entry = entry};
    calc.exprs = ARENA_ARRAY(planner->arena, count + 1, const struct expr *);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (uint32_t i = 0; i < count; i++)
        calc.exprs[i] = exprs[i];
    while (calc_descend(planner, &calc, false))
        ;
    TRY(arena_check(planner->arena, "the plan", planner->err));
    TRY(plan_lower(planner, calc.entry));
    if (window_start >= 0)
        calc.exprs[window_start] = plan_window_time(calc.exprs[window_start]);
    if (is_identity(&calc, &planner->entries[calc.entry])) {
        *out = planner->entries[calc.entry].node;
        return OK;
    }
    return calc_build(planner, &calc, names, out);
}

/* PROJECT, FILTER, WINDOW as an entry of its own: a calc of the needed columns. */
static enum status lower_calc(struct planner *planner, uint32_t index)
{
    struct rel_entry *entry = &planner->entries[index];
    const struct rel *rel = entry->rel;
    struct calc calc = {.entry = index};
    calc.exprs = ARENA_ARRAY(planner->arena, rel->column_count + 1, const struct expr *);
    const char **names = ARENA_ARRAY(planner->arena, rel->column_count + 1, const char *);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (uint32_t i = 0; i < rel->column_count; i++) {
        if (!entry->needed[i])
            continue;
        names[calc.count] = rel->names[i];
        entry->map[i] = calc.count;
        calc.exprs[calc.count++] = plan_column(planner->arena, i, rel->types[i], rel->pos);
    }
    TRY(arena_check(planner->arena, "the plan", planner->err));
    if (!calc_descend(planner, &calc, true)) {
        /* a projection that must not be merged further stands alone */
        TRY(arena_check(planner->arena, "the plan", planner->err));
        must(rel->kind == REL_PROJECT);
        for (uint32_t i = 0; i < calc.count; i++)
            calc.exprs[i] = rel->project.exprs[calc.exprs[i]->column];
        calc.entry = entry->inputs[0];
    } else {
        while (calc_descend(planner, &calc, false))
            ;
    }
    TRY(arena_check(planner->arena, "the plan", planner->err));
    TRY(plan_lower(planner, calc.entry));
    entry = &planner->entries[index];
    const struct rel_entry *base = &planner->entries[calc.entry];
    bool only_columns = !calc.condition;
    for (uint32_t i = 0; i < calc.count; i++)
        only_columns = only_columns && calc.exprs[i]->kind == EXPR_COLUMN;
    if (only_columns) { /* dropping, renaming, reordering: no operator */
        for (uint32_t i = 0; i < rel->column_count; i++)
            if (entry->needed[i])
                entry->map[i] = base->map[calc.exprs[entry->map[i]]->column];
        entry->node = base->node;
        return OK;
    }
    return calc_build(planner, &calc, names, &entry->node);
}

/* All columns of the entry's rel that are needed, in order, as one node's columns. */
static enum status lower_needed(struct planner *planner, uint32_t index, const bool *needed,
                                struct plan_node **out)
{
    const struct rel *rel = planner->entries[index].rel;
    const struct expr **exprs =
        ARENA_ARRAY(planner->arena, rel->column_count + 1, const struct expr *);
    const char **names = ARENA_ARRAY(planner->arena, rel->column_count + 1, const char *);
    uint32_t count = 0;
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (uint32_t i = 0; i < rel->column_count; i++) {
        if (!needed[i])
            continue;
        names[count] = rel->names[i];
        exprs[count++] = plan_column(planner->arena, i, rel->types[i], rel->pos);
    }
    TRY(arena_check(planner->arena, "the plan", planner->err));
    return plan_lower_projection(planner, index, exprs, names, count, -1, out);
}

static enum status lower_union(struct planner *planner, uint32_t index)
{
    const struct rel *rel = planner->entries[index].rel;
    const bool *needed = planner->entries[index].needed;
    struct plan_node **inputs = ARENA_ARRAY(planner->arena, rel->input_count, struct plan_node *);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    uint32_t parallelism = 1;
    for (uint32_t k = 0; k < rel->input_count; k++) {
        TRY(lower_needed(planner, planner->entries[index].inputs[k], needed, &inputs[k]));
        if (inputs[k]->parallelism > parallelism)
            parallelism = inputs[k]->parallelism;
    }
    bool mixed = false;
    for (uint32_t k = 0; k < rel->input_count; k++)
        mixed |= inputs[k]->parallelism != parallelism;
    if (mixed) { /* with VALUES, a global aggregation, a sorted input: all to one task */
        parallelism = 1;
        for (uint32_t k = 0; k < rel->input_count; k++)
            inputs[k] = plan_exchange(planner, inputs[k], NULL, 0, 1);
        TRY(arena_check(planner->arena, "the plan", planner->err));
    }
    struct plan_node *node = plan_node_new(planner, PLAN_UNION, rel->input_count, inputs);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    node->parallelism = parallelism;
    struct rel_entry *entry = &planner->entries[index];
    uint32_t count = 0;
    const char **names = ARENA_ARRAY(planner->arena, rel->column_count + 1, const char *);
    const struct type **types =
        ARENA_ARRAY(planner->arena, rel->column_count + 1, const struct type *);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (uint32_t i = 0; i < rel->column_count; i++) {
        if (!needed[i])
            continue;
        names[count] = rel->names[i];
        types[count] = rel->types[i];
        entry->map[i] = count++;
    }
    entry->node = node;
    return plan_node_columns(planner, node, names, types, count);
}

static enum status lower_sort(struct planner *planner, uint32_t index)
{
    const struct rel *rel = planner->entries[index].rel;
    uint32_t input_index = planner->entries[index].inputs[0];
    TRY(plan_lower(planner, input_index));
    const struct rel_entry *input = &planner->entries[input_index];
    struct rel_entry *entry = &planner->entries[index];
    struct plan_node *below = plan_exchange(planner, input->node, NULL, 0, 1);
    struct plan_node *node = below ? plan_node_new(planner, PLAN_SORT, 1, &below) : NULL;
    struct rel_sort_key *keys =
        ARENA_ARRAY(planner->arena, rel->sort.key_count + 1, struct rel_sort_key);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (uint32_t i = 0; i < rel->sort.key_count; i++) {
        keys[i] = rel->sort.keys[i];
        keys[i].column = input->map[keys[i].column];
    }
    node->sort.key_count = rel->sort.key_count;
    node->sort.keys = keys;
    node->sort.offset = rel->sort.offset;
    node->sort.limit = rel->sort.limit;
    node->state_name = arena_printf(planner->arena, "Sort(%s)", rel->path ? rel->path : "");
    node->column_count = below->column_count;
    node->names = below->names;
    node->types = below->types;
    memcpy(entry->map, input->map, rel->column_count * sizeof(*entry->map));
    entry->node = node;
    return OK;
}

static enum status lower_values(struct planner *planner, struct rel_entry *entry)
{
    const struct rel *rel = entry->rel;
    struct plan_node *node = plan_node_new(planner, PLAN_VALUES, 0, NULL);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    node->parallelism = 1;
    node->values.row_count = rel->values.row_count;
    node->values.exprs = rel->values.exprs;
    for (uint32_t i = 0; i < rel->column_count; i++)
        entry->map[i] = i;
    entry->node = node;
    return plan_node_columns(planner, node, rel->names, rel->types, rel->column_count);
}

enum status plan_lower(struct planner *planner, uint32_t index)
{
    enum status status = OK;
    if (planner->entries[index].lowered)
        return OK;
    switch (planner->entries[index].rel->kind) {
    case REL_SCAN:
        status = plan_lower_scan(planner, &planner->entries[index]);
        break;
    case REL_VALUES:
        status = lower_values(planner, &planner->entries[index]);
        break;
    case REL_PROJECT:
    case REL_FILTER:
    case REL_WINDOW:
        status = lower_calc(planner, index);
        break;
    case REL_AGGREGATE:
        status = plan_lower_aggregate(planner, index);
        break;
    case REL_UNION_ALL:
        status = lower_union(planner, index);
        break;
    case REL_SORT:
        status = lower_sort(planner, index);
        break;
    }
    planner->entries[index].lowered = true;
    return status;
}
