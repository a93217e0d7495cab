/* explain.c - EXPLAIN: the bound query as written and the physical plan, one operator a line. */
#include "plan/plan_int.h"

static const char *const OP_NAMES[PLAN_OP_COUNT] = {
    [PLAN_SOURCE] = "Source",
    [PLAN_VALUES] = "Values",
    [PLAN_CALC] = "Calc",
    [PLAN_EXCHANGE] = "Exchange",
    [PLAN_UNION] = "Union",
    [PLAN_GROUP_AGGREGATE] = "GroupAggregate",
    [PLAN_WINDOW_AGGREGATE] = "WindowAggregate",
    [PLAN_SORT] = "Sort",
    [PLAN_SINK] = "Sink",
    [PLAN_COLLECT] = "Collect",
};

static const char *const PHASE_NAMES[] = {"", "Local", "Global"};

static void format_exprs(struct buf *out, const struct plan_node *node,
                         const struct expr *const *exprs, const char *const *names)
{
    for (uint32_t i = 0; i < node->column_count; i++) {
        buf_append_text(out, i ? ", " : "");
        expr_format(out, exprs[i], names);
        if (exprs[i]->kind != EXPR_COLUMN || !names ||
            strcmp(names[exprs[i]->column], node->names[i]) != 0)
            buf_printf(out, " AS %s", node->names[i]);
    }
}

static void format_columns(struct buf *out, const uint32_t *columns, uint32_t count,
                           const char *const *names)
{
    for (uint32_t i = 0; i < count; i++)
        buf_printf(out, "%s%s", i ? ", " : "", names[columns[i]]);
}

static void format_calls(struct buf *out, const struct plan_aggregate *calls, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        buf_printf(out, "%s%s", i ? ", " : "", calls[i].text ? calls[i].text : "");
}

static const char **source_names(const struct plan_node *node, struct arena *arena)
{
    uint32_t count = node->source.wanted_count + node->source.metadata_count;
    const char **names = ARENA_ARRAY(arena, count + 1, const char *);
    if (!names)
        return NULL;
    for (uint32_t i = 0; i < node->source.wanted_count; i++)
        names[i] = node->source.table->description.fields[node->source.wanted[i]].name;
    for (uint32_t i = 0; i < node->source.metadata_count; i++)
        names[node->source.wanted_count + i] = node->source.metadata[i].key;
    return names;
}

static void format_source(struct buf *out, const struct plan_node *node)
{
    struct arena arena;
    arena_init(&arena, NULL, 1u << 20);
    const char **names = source_names(node, &arena);
    buf_printf(out, "(table=[%s], connector=[%s]", node->source.table->full_name,
               node->source.connector->name);
    if (node->source.format)
        buf_printf(out, ", format=[%s]", node->source.format->name);
    if (names) {
        buf_append_text(out, ", columns=[");
        format_exprs(out, node, node->source.exprs, names);
        buf_append_text(out, "]");
    }
    if (node->source.watermark && names) {
        buf_append_text(out, ", watermark=[");
        expr_format(out, node->source.watermark, names);
        buf_append_text(out, "]");
    }
    if (node->source.predicate_count)
        buf_printf(out, ", pushed predicates=[%u]", node->source.predicate_count);
    if (node->source.limit >= 0)
        buf_printf(out, ", limit=[%lld]", (long long)node->source.limit);
    buf_printf(out, ", %s)", node->source.bounded ? "bounded" : "unbounded");
    arena_fini(&arena);
}

static void format_sort(struct buf *out, const struct plan_node *node)
{
    buf_append_text(out, "(");
    if (node->sort.key_count)
        buf_append_text(out, "orderBy=[");
    for (uint32_t i = 0; i < node->sort.key_count; i++)
        buf_printf(out, "%s%s %s", i ? ", " : "", node->names[node->sort.keys[i].column],
                   node->sort.keys[i].descending ? "DESC" : "ASC");
    if (node->sort.key_count)
        buf_append_text(out, "]");
    if (node->sort.limit >= 0)
        buf_printf(out, "%slimit=[%lld]", node->sort.key_count ? ", " : "",
                   (long long)node->sort.limit);
    if (node->sort.offset)
        buf_printf(out, ", offset=[%lld]", (long long)node->sort.offset);
    buf_append_text(out, ")");
}

static void format_sink(struct buf *out, const struct plan_node *node)
{
    static const char *const modes[] = {"append", "upsert", "retract"};
    const struct table_description *table = &node->sink.table->description;
    buf_printf(out, "(table=[%s], connector=[%s], mode=[%s]", table->name, table->connector,
               modes[node->sink.mode]);
    if (node->sink.mode == SINK_UPSERT) {
        buf_append_text(out, ", key=[");
        for (uint32_t i = 0; i < table->primary_key_count; i++)
            buf_printf(out, "%s%s", i ? ", " : "", table->fields[table->primary_key[i]].name);
        buf_append_text(out, "]");
    }
    buf_printf(out, "%s)", node->sink.coalesce ? ", last value per key" : "");
}

void plan_format_arguments(struct buf *out, const struct plan_node *node)
{
    const char *const *input_names = node->input_count ? node->inputs[0]->names : NULL;
    switch (node->op) {
    case PLAN_SOURCE:
        format_source(out, node);
        break;
    case PLAN_VALUES:
        buf_printf(out, "(rows=[%u])", node->values.row_count);
        break;
    case PLAN_CALC:
        buf_append_text(out, "(select=[");
        format_exprs(out, node, node->calc.exprs, node->input_outputs ? NULL : input_names);
        if (node->calc.condition) {
            buf_append_text(out, "], where=[");
            expr_format(out, node->calc.condition, input_names);
        }
        buf_append_text(out, "])");
        break;
    case PLAN_EXCHANGE:
        buf_append_text(out, node->exchange.key_count ? "(hash=[" : "(single");
        format_columns(out, node->exchange.keys, node->exchange.key_count, input_names);
        buf_append_text(out, node->exchange.key_count ? "])" : ")");
        break;
    case PLAN_GROUP_AGGREGATE:
        buf_append_text(out, "(groupBy=[");
        format_columns(out, node->group.keys, node->group.key_count, input_names);
        buf_append_text(out, "], select=[");
        format_calls(out, node->group.calls, node->group.call_count);
        buf_printf(out, "]%s%s)", node->group.emit_update_before ? ", emits -U" : "",
                   node->group.coalesce ? ", coalesces" : "");
        break;
    case PLAN_WINDOW_AGGREGATE:
        buf_append_text(out, "(groupBy=[");
        format_columns(out, node->window.keys, node->window.key_count, input_names);
        buf_printf(out, "], window=[TUMBLE(%s, size=[%lld ms]",
                   input_names[node->window.time_column], (long long)node->window.size_ms);
        if (node->window.offset_ms)
            buf_printf(out, ", offset=[%lld ms]", (long long)node->window.offset_ms);
        buf_append_text(out, ")], select=[");
        format_calls(out, node->window.calls, node->window.call_count);
        buf_append_text(out, "])");
        break;
    case PLAN_SORT:
        format_sort(out, node);
        break;
    case PLAN_SINK:
        format_sink(out, node);
        break;
    default:
        break;
    }
}

static void format_node(struct buf *out, const struct plan_node *node, uint32_t depth,
                        uint8_t *seen)
{
    static const char *const changes[] = {
        [CHANGELOG_APPEND] = "I", [CHANGELOG_UPSERT] = "I,UA,D", [CHANGELOG_RETRACT] = "I,UB,UA,D"};
    for (uint32_t i = 0; i < depth; i++)
        buf_append_text(out, i + 1 == depth ? "+- " : "   ");
    enum plan_phase phase = node->op == PLAN_GROUP_AGGREGATE    ? node->group.phase
                            : node->op == PLAN_WINDOW_AGGREGATE ? node->window.phase
                                                                : PHASE_SINGLE;
    buf_printf(out, "%s%s", PHASE_NAMES[phase], OP_NAMES[node->op]);
    if (seen[node->id]) {
        buf_printf(out, " #%u, shared, see above\n", node->id);
        return;
    }
    seen[node->id] = 1;
    plan_format_arguments(out, node);
    buf_printf(out, " #%u", node->id);
    if (node->op != PLAN_SINK && node->op != PLAN_COLLECT)
        buf_printf(out, ", changelogMode=[%s]", changes[node->changelog]);
    if (node->upsert_key_count && node->changelog != CHANGELOG_APPEND) {
        buf_append_text(out, ", upsertKey=[");
        format_columns(out, node->upsert_key, node->upsert_key_count, node->names);
        buf_append_text(out, "]");
    }
    if (node->state_name && node->input_count && node->op != PLAN_SINK)
        buf_printf(out, ", state=[%s]", node->state_name);
    if (node->parallelism > 1)
        buf_printf(out, ", parallelism=[%u]", node->parallelism);
    buf_append_text(out, "\n");
    for (uint32_t i = 0; i < node->input_count; i++)
        format_node(out, node->inputs[i], depth + 1, seen);
}

void plan_format(struct buf *out, const struct plan *plan)
{
    uint8_t *seen = mem_calloc(plan->node_count + 1, 1);
    if (!seen) {
        out->failed = true;
        return;
    }
    for (uint32_t i = 0; i < plan->root_count; i++)
        format_node(out, plan->roots[i], 0, seen);
    mem_free(seen);
}

static void explain_delivery(struct buf *out, const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->root_count; i++) {
        const struct plan_node *root = plan->roots[i];
        if (root->op != PLAN_SINK)
            continue;
        buf_printf(out, "%s: ", root->sink.table->full_name);
        plan_format_delivery(out, root);
        buf_append_text(out, "\n");
    }
}

enum status plan_explain(struct buf *out, const struct statement *statement,
                         const struct plan_settings *settings, struct error *err)
{
    struct plan *plan;
    TRY(plan_make(&plan, statement, settings, err));
    buf_append_text(out, "== Bound Query ==\n");
    uint32_t count = statement->query ? 1 : statement->insert_count;
    for (uint32_t i = 0; i < count; i++)
        rel_format(out, statement->query ? statement->query : statement->inserts[i].query);
    buf_append_text(out, "\n== Physical Plan ==\n");
    plan_format(out, plan);
    if (!statement->query) {
        buf_append_text(out, "\n== Delivery ==\n");
        explain_delivery(out, plan);
    }
    plan_free(plan);
    return buf_check(out, "the plan's text", err);
}
