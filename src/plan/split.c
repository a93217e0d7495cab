/* split.c - aggregation in two phases: before the exchange each subtask joins the rows of a key in
 * a batch into one partial result, after it the partials are merged.
 *
 *   input -> Exchange -> GroupAggregate   becomes   input -> Local -> Exchange -> Global
 *
 * Only where nobody sees the difference: the input only appends, several changes of a key may
 * become one (contracts.md rule 4), and every call has a partial result that can travel. Without
 * keys all rows would go to one subtask, so that it is the default there. With keys it is done on
 * request (table.optimizer.agg-phase-strategy): from datagen to blackhole at parallelism 2 it costs
 * 1.1 times the CPU with 10 keys, 1.6 times with 1,000, twice with 100,000 and more; it helps where
 * one key has most of the rows. Windows are not split.
 */
#include "plan/plan_int.h"

static bool can_travel(const struct plan_node *node)
{
    for (uint32_t i = 0; i < node->group.call_count; i++)
        if (node->group.calls[i].bound.distinct || !node->group.calls[i].bound.portable)
            return false;
    return node->group.call_count > 0;
}

static bool is_to_split(const struct planner *planner, const struct plan_node *node)
{
    enum plan_phases wanted = planner->settings->phases;
    return node->op == PLAN_GROUP_AGGREGATE && node->inputs[0]->op == PLAN_EXCHANGE &&
           node->inputs[0]->inputs[0]->parallelism > 1 && !node->group.input_updates &&
           node->group.coalesce && can_travel(node) &&
           (wanted == PHASES_TWO || (wanted == PHASES_AUTO && node->group.key_count == 0));
}

/* Keys, then all partials as one BYTES. */
static enum status local_columns(struct planner *planner, struct plan_node *local,
                                 const struct plan_node *global)
{
    const struct plan_node *input = local->inputs[0];
    uint32_t count = global->group.key_count;
    const char **names = ARENA_ARRAY(planner->arena, count + 1, const char *);
    const struct type **types = ARENA_ARRAY(planner->arena, count + 1, const struct type *);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (uint32_t i = 0; i < count; i++) {
        names[i] = input->names[global->group.keys[i]];
        types[i] = input->types[global->group.keys[i]];
    }
    names[count] = "partials";
    types[count] = &TYPE_OF_BYTES;
    return plan_node_columns(planner, local, names, types, count + 1);
}

static enum status split(struct planner *planner, struct plan_node *exchange,
                         struct plan_node *global)
{
    struct plan_node *input = (struct plan_node *)exchange->inputs[0];
    struct plan_node *local = plan_node_new(planner, PLAN_GROUP_AGGREGATE, 1, &input);
    const struct plan_node **inputs = ARENA_ARRAY(planner->arena, 1, const struct plan_node *);
    uint32_t *keys = ARENA_ARRAY(planner->arena, global->group.key_count + 1, uint32_t);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    local->changelog = CHANGELOG_APPEND;
    local->group = global->group;
    local->group.phase = PHASE_LOCAL;
    local->group.emit_update_before = false;
    TRY(local_columns(planner, local, global));
    for (uint32_t i = 0; i < global->group.key_count; i++)
        keys[i] = i;
    inputs[0] = local;
    exchange->inputs = inputs;
    exchange->exchange.keys = keys;
    exchange->column_count = local->column_count;
    exchange->names = local->names;
    exchange->types = local->types;
    global->group.phase = PHASE_GLOBAL;
    global->group.keys = keys;
    return OK;
}

/* New nodes stand at the end: puts every node behind its inputs again. */
static void place(struct plan_node *node, struct plan_node **sorted, bool *placed, uint32_t *count)
{
    if (placed[node->id])
        return;
    placed[node->id] = true;
    for (uint32_t i = 0; i < node->input_count; i++)
        place((struct plan_node *)node->inputs[i], sorted, placed, count);
    sorted[(*count)++] = node;
}

enum status plan_split_aggregates(struct planner *planner)
{
    uint32_t before = planner->node_count, count = 0;
    for (uint32_t i = 0; i < before; i++) {
        struct plan_node *node = planner->nodes[i];
        if (is_to_split(planner, node))
            TRY(split(planner, (struct plan_node *)node->inputs[0], node));
    }
    if (planner->node_count == before)
        return OK;
    struct plan_node **sorted =
        ARENA_ARRAY(planner->arena, planner->node_count, struct plan_node *);
    bool *placed = ARENA_ARRAY(planner->arena, planner->node_count, bool);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (uint32_t i = 0; i < planner->node_count; i++)
        place(planner->nodes[i], sorted, placed, &count);
    for (uint32_t i = 0; i < count; i++)
        sorted[i]->id = i;
    planner->nodes = sorted;
    return OK;
}
