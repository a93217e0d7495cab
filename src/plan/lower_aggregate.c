/* lower_aggregate.c - GROUP BY to group or window aggregation: the input is first brought into the
 * form [keys, time, arguments, filters], so that operators read plain columns.
 *
 * Output of a REL_AGGREGATE is keys then results; of the window operator it is keys without the
 * window's bounds, window_start, window_end, window_time, results: the entry's map says where each
 * went.
 */
#include "plan/plan_int.h"

struct prepared {
    uint32_t count;
    const struct expr **exprs;
    const char **names;
};

static uint32_t prepare(struct planner *planner, struct prepared *list, const struct expr *expr,
                        const char *name)
{
    if (list->exprs && list->names && expr) {
        list->exprs[list->count] = expr;
        list->names[list->count] = name;
    }
    return list->count++;
}

static const struct expr *input_column(struct planner *planner, const struct rel *input,
                                       uint32_t column)
{
    return plan_column(planner->arena, column, input->types[column], input->pos);
}

static enum status prepare_calls(struct planner *planner, const struct rel *rel,
                                 struct prepared *list, struct plan_aggregate **out)
{
    struct plan_aggregate *calls =
        ARENA_ARRAY(planner->arena, rel->aggregate.call_count + 1, struct plan_aggregate);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (uint32_t i = 0; i < rel->aggregate.call_count; i++) {
        const struct rel_aggregate_call *call = &rel->aggregate.calls[i];
        calls[i].bound.def = call->def;
        calls[i].bound.arg_type = call->arg ? call->arg->type : NULL;
        calls[i].bound.distinct = call->distinct;
        calls[i].text = call->text;
        calls[i].arg_column = call->arg ? (int32_t)prepare(planner, list, call->arg, NULL) : -1;
        calls[i].filter_column =
            call->filter ? (int32_t)prepare(planner, list, call->filter, NULL) : -1;
    }
    *out = calls;
    return OK;
}

/* Accumulators depend on whether rows can be taken back. */
static enum status bind_calls(struct planner *planner, const struct rel *rel,
                              const struct plan_node *input, struct plan_aggregate *calls)
{
    TRY(plan_changelog_forward(planner));
    for (uint32_t i = 0; i < rel->aggregate.call_count; i++) {
        calls[i].bound.retracting = input->changelog != CHANGELOG_APPEND;
        TRY(calls[i].bound.def->bind(&calls[i].bound, planner->arena, rel->aggregate.calls[i].pos,
                                     planner->err));
    }
    return OK;
}

/* The REL_WINDOW whose bounds the aggregation's input carries. */
static const struct rel *window_below(const struct rel *rel)
{
    while (rel->kind != REL_WINDOW && rel->input_count == 1)
        rel = rel->inputs[0];
    return rel->kind == REL_WINDOW ? rel : NULL;
}

#define STATE_NAME_MAX (1u << 20)

static const char *aggregate_state_name(struct planner *planner, const struct rel *rel,
                                        const char *kind)
{
    struct buf keys;
    if (rel->aggregate.state_name)
        return rel->aggregate.state_name;
    buf_init(&keys, STATE_NAME_MAX);
    for (uint32_t i = 0; i < rel->aggregate.key_count; i++)
        buf_printf(&keys, "%s%s", i ? "," : "", rel->inputs[0]->names[rel->aggregate.keys[i]]);
    const char *name = arena_printf(planner->arena, "%s%s%s(%s)", rel->path ? rel->path : "",
                                    rel->path && *rel->path ? "/" : "", kind, buf_text(&keys));
    if (keys.failed && !planner->arena->failed) { /* a name by half would be another's */
        planner->arena->failed = true;
        planner->arena->failure = keys.over_limit ? ERR_LIMIT : ERR_MEMORY;
    }
    buf_fini(&keys);
    return name;
}

static enum status finish_group(struct planner *planner, struct rel_entry *entry,
                                struct plan_node *node, uint32_t *keys,
                                struct plan_aggregate *calls)
{
    const struct rel *rel = entry->rel;
    node->op = PLAN_GROUP_AGGREGATE;
    node->state_name = aggregate_state_name(planner, rel, "GroupAggregate");
    node->group.phase = PHASE_SINGLE;
    node->group.key_count = rel->aggregate.key_count;
    node->group.keys = keys;
    node->group.call_count = rel->aggregate.call_count;
    node->group.calls = calls;
    node->group.state_ttl_ms = planner->settings->state_ttl_ms;
    uint32_t *upsert_key = ARENA_ARRAY(planner->arena, rel->aggregate.key_count + 1, uint32_t);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (uint32_t i = 0; i < rel->aggregate.key_count; i++)
        upsert_key[i] = i;
    node->has_upsert_key = true;
    node->upsert_key = upsert_key;
    node->upsert_key_count = rel->aggregate.key_count;
    for (uint32_t i = 0; i < rel->column_count; i++)
        entry->map[i] = i;
    return plan_node_columns(planner, node, rel->names, rel->types, rel->column_count);
}

static enum status finish_window(struct planner *planner, struct rel_entry *entry,
                                 struct plan_node *node, uint32_t *keys, uint32_t key_count,
                                 uint32_t time_column, struct plan_aggregate *calls)
{
    const struct rel *rel = entry->rel, *input = rel->inputs[0];
    const struct rel *window = window_below(input);
    uint32_t window_rel_columns = window->column_count;
    const struct type *window_time = window->types[window_rel_columns - 1];
    node->op = PLAN_WINDOW_AGGREGATE;
    node->state_name = aggregate_state_name(planner, rel, "WindowAggregate");
    node->window.phase = PHASE_SINGLE;
    node->window.kind = rel->aggregate.window;
    node->window.time_column = time_column;
    node->window.size_ms = rel->aggregate.size_ms;
    node->window.offset_ms = rel->aggregate.offset_ms;
    node->window.key_count = key_count;
    node->window.keys = keys;
    node->window.call_count = rel->aggregate.call_count;
    node->window.calls = calls;
    node->window.is_ltz =
        window->inputs[0]->types[window->window.time_column]->root == TYPE_TIMESTAMP_LTZ;

    uint32_t total = key_count + 3 + rel->aggregate.call_count, plain = 0;
    const char **names = ARENA_ARRAY(planner->arena, total, const char *);
    const struct type **types = ARENA_ARRAY(planner->arena, total, const struct type *);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    names[key_count] = "window_start";
    names[key_count + 1] = "window_end";
    names[key_count + 2] = "window_time";
    types[key_count] = types[key_count + 1] = window->types[window_rel_columns - 3];
    types[key_count + 2] = window_time;
    for (uint32_t i = 0; i < rel->aggregate.key_count; i++) {
        int32_t column = (int32_t)rel->aggregate.keys[i];
        uint32_t at;
        if (column == input->window_start_column)
            at = key_count;
        else if (column == input->window_end_column)
            at = key_count + 1;
        else if (input->types[column]->time_attribute == TIME_ATTRIBUTE_ROWTIME)
            at = key_count + 2;
        else
            at = plain++;
        names[at] = rel->names[i];
        types[at] = rel->types[i];
        entry->map[i] = at;
    }
    for (uint32_t i = 0; i < rel->aggregate.call_count; i++) {
        uint32_t from = rel->aggregate.key_count + i, at = key_count + 3 + i;
        names[at] = rel->names[from];
        types[at] = rel->types[from];
        entry->map[from] = at;
    }
    return plan_node_columns(planner, node, names, types, total);
}

/* Is this key one of the window's own columns? */
static bool is_window_column(const struct rel *input, uint32_t column)
{
    return (int32_t)column == input->window_start_column ||
           (int32_t)column == input->window_end_column ||
           input->types[column]->time_attribute == TIME_ATTRIBUTE_ROWTIME;
}

enum status plan_lower_aggregate(struct planner *planner, uint32_t index)
{
    const struct rel *rel = planner->entries[index].rel, *input = rel->inputs[0];
    bool by_window = rel->aggregate.by_window;
    uint32_t key_count = 0, room = rel->aggregate.key_count + 2 * rel->aggregate.call_count + 2;
    struct prepared list = {
        .exprs = ARENA_ARRAY(planner->arena, room, const struct expr *),
        .names = ARENA_ARRAY(planner->arena, room, const char *),
    };
    uint32_t *keys = ARENA_ARRAY(planner->arena, rel->aggregate.key_count + 1, uint32_t);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (uint32_t i = 0; i < rel->aggregate.key_count; i++) {
        uint32_t column = rel->aggregate.keys[i];
        if (by_window && is_window_column(input, column))
            continue;
        keys[key_count++] =
            prepare(planner, &list, input_column(planner, input, column), input->names[column]);
    }
    uint32_t time_column = 0;
    const struct rel *window = by_window ? window_below(input) : NULL;
    if (by_window && !window)
        return error_set(planner->err, ERR_UNSUPPORTED,
                         "a window aggregation over this input is not built");
    if (by_window)
        time_column = prepare(planner, &list,
                              input_column(planner, input, (uint32_t)input->window_start_column),
                              "window_start");
    struct plan_aggregate *calls;
    TRY(prepare_calls(planner, rel, &list, &calls));
    struct plan_node *below;
    TRY(plan_lower_projection(planner, planner->entries[index].inputs[0], list.exprs, list.names,
                              list.count, by_window ? (int32_t)time_column : -1, &below));
    uint32_t parallelism = key_count ? planner->settings->parallelism : 1;
    below = plan_exchange(planner, below, keys, key_count, parallelism);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    TRY(bind_calls(planner, rel, below, calls));
    struct plan_node *node = plan_node_new(planner, PLAN_GROUP_AGGREGATE, 1, &below);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    struct rel_entry *entry = &planner->entries[index];
    entry->node = node;
    return by_window ? finish_window(planner, entry, node, keys, key_count, time_column, calls)
                     : finish_group(planner, entry, node, keys, calls);
}
