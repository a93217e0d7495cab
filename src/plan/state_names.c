/* state_names.c - under which names the state of operators lies in checkpoints, what it looks like,
 * and what it was made from (contracts.md rule 16); and whether a statement is the same as another.
 *
 * A name comes from the statement, not from how it is run: exchanges, local phases and parallelism
 * are in none of the three. Equal names get an ordinal in the order of the plan.
 */
#include "plan/plan_int.h"

#include "base/hash.h"

#include <inttypes.h>

#define TEXT_MAX       (1u << 20)
#define ALL_VALUES_MAX ((size_t)1 << 30)

static const char *keep_text(struct planner *planner, struct buf *text)
{
    return text->failed ? "" : arena_strndup(planner->arena, buf_text(text), text->length);
}

static void put_calls(struct buf *out, const struct plan_aggregate *calls, uint32_t count,
                      const struct plan_node *input)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct aggregate_bound *bound = &calls[i].bound;
        buf_printf(out, "; %s", calls[i].text);
        if (calls[i].filter_column >= 0)
            buf_printf(out, " FILTER %s", input->names[calls[i].filter_column]);
        if (bound->arg_type) {
            buf_append_text(out, " OF ");
            type_format(out, bound->arg_type);
        }
        buf_printf(out, " IN %u%s", bound->size_bytes, bound->retracting ? " RETRACTING" : "");
    }
}

static void put_keys(struct buf *out, const uint32_t *keys, uint32_t count,
                     const struct plan_node *input)
{
    for (uint32_t i = 0; i < count; i++) {
        buf_append_text(out, i ? ", " : "");
        type_format(out, input->types[keys[i]]);
    }
}

/* The input as it was before it was split into two phases. */
static const struct plan_node *input_before(const struct plan_node *node)
{
    const struct plan_node *input = node->inputs[0];
    while (input->op == PLAN_EXCHANGE ||
           (input->op == PLAN_GROUP_AGGREGATE && input->group.phase == PHASE_LOCAL))
        input = input->inputs[0];
    return input;
}

static void put_shape(struct buf *out, const struct plan_node *node)
{
    const struct plan_node *input = node->input_count ? input_before(node) : NULL;
    switch (node->op) {
    case PLAN_SOURCE:
        buf_printf(out, "source 1 %s", node->source.connector->name);
        break;
    case PLAN_VALUES:
        buf_printf(out, "values 1 %u", node->values.row_count);
        break;
    case PLAN_GROUP_AGGREGATE:
        buf_append_text(out, "group 1 (");
        put_keys(out, node->group.keys, node->group.key_count,
                 node->group.phase == PHASE_GLOBAL ? node->inputs[0] : input);
        buf_append_text(out, ")");
        put_calls(out, node->group.calls, node->group.call_count, input);
        break;
    case PLAN_WINDOW_AGGREGATE:
        buf_printf(out, "window 1 %d size %lld offset %lld%s (", (int)node->window.kind,
                   (long long)node->window.size_ms, (long long)node->window.offset_ms,
                   node->window.is_ltz ? " LTZ" : "");
        put_keys(out, node->window.keys, node->window.key_count, input);
        buf_append_text(out, ")");
        put_calls(out, node->window.calls, node->window.call_count, input);
        break;
    case PLAN_SINK: /* what is prepared does not mean anything else when the query is another */
        buf_printf(out, "sink 1 %s%s", node->sink.connector->name,
                   node->sink.delivery == SINK_DIRECT ? " direct" : "");
        break;
    default:
        buf_printf(out, "sort 1 (");
        for (uint32_t c = 0; c < node->column_count; c++) {
            buf_append_text(out, c ? ", " : "");
            type_format(out, node->types[c]);
        }
        buf_append_text(out, ")");
        break;
    }
}

/* What the nodes above a state do and read; the node itself is in its shape. */
static void put_upstream(struct buf *out, const struct plan_node *node, bool itself)
{
    bool is_physical = node->op == PLAN_EXCHANGE ||
                       (node->op == PLAN_GROUP_AGGREGATE && node->group.phase == PHASE_LOCAL);
    if (itself && !is_physical) {
        buf_printf(out, "%d", (int)node->op);
        plan_format_arguments(out, node);
    }
    if (!is_physical)
        buf_append_text(out, "[");
    for (uint32_t i = 0; i < node->input_count; i++)
        put_upstream(out, node->inputs[i], true);
    if (!is_physical)
        buf_append_text(out, "]");
}

static void put_options(struct buf *out, const struct table_description *table)
{
    for (size_t i = 0; i < table->option_count; i++)
        buf_printf(out, " %.*s=%.*s;", (int)table->options[i].key.length,
                   table->options[i].key.data, (int)table->options[i].value.length,
                   table->options[i].value.data);
}

/* Of the whole statement. */
static enum status make_fingerprint(struct planner *planner)
{
    struct plan *plan = planner->plan;
    struct buf text;
    buf_init(&text, ALL_VALUES_MAX);
    for (uint32_t i = 0; i < plan->root_count; i++)
        put_upstream(&text, plan->roots[i], true);
    for (uint32_t n = 0; n < planner->node_count; n++) {
        const struct plan_node *node = planner->nodes[n];
        if (node->op == PLAN_SOURCE)
            put_options(&text, &node->source.table->description);
        if (node->op == PLAN_SINK)
            put_options(&text, &node->sink.table->description);
        for (uint32_t i = 0; node->op == PLAN_VALUES && i < node->values.row_count; i++)
            for (uint32_t c = 0; c < node->column_count; c++)
                expr_format(&text, node->values.exprs[i * node->column_count + c], NULL);
    }
    plan->fingerprint =
        arena_printf(planner->arena, "%016" PRIx64, hash_bytes(text.data, text.length));
    enum status status = buf_check(&text, "a statement's fingerprint", planner->err);
    buf_fini(&text);
    return status == OK ? arena_check(planner->arena, "the plan", planner->err) : status;
}

static bool keeps_state(const struct plan_node *node)
{
    switch (node->op) {
    case PLAN_SOURCE:
    case PLAN_VALUES:
    case PLAN_WINDOW_AGGREGATE:
    case PLAN_SORT:
        return true;
    case PLAN_GROUP_AGGREGATE:
        return node->group.phase != PHASE_LOCAL;
    case PLAN_SINK: /* what is not committed yet; the name is the sink's in its target, too */
        return node->sink.delivery != SINK_AT_LEAST_ONCE;
    default:
        return false;
    }
}

/* The name without ordinal: the planner's, or what is read. */
static const char *base_name(struct planner *planner, const struct plan_node *node)
{
    if (node->op == PLAN_SOURCE)
        return arena_printf(planner->arena, "Source(%s)", node->source.table->full_name);
    if (node->op == PLAN_SINK)
        return arena_printf(planner->arena, "Sink(%s)", node->sink.table->full_name);
    return node->state_name ? node->state_name : "Values";
}

static enum status name_node(struct planner *planner, struct plan_node *node)
{
    struct buf text;
    buf_init(&text, TEXT_MAX);
    put_shape(&text, node);
    node->state_shape = keep_text(planner, &text);
    enum status status = buf_check(&text, "the names of a query's state", planner->err);
    buf_clear(&text);
    if (node->op != PLAN_SINK)
        put_upstream(&text, node, false);
    node->state_upstream =
        arena_printf(planner->arena, "%016" PRIx64, hash_bytes(text.data, text.length));
    if (status == OK)
        status = buf_check(&text, "the names of a query's state", planner->err);
    buf_fini(&text);
    TRY(status);
    return arena_check(planner->arena, "the plan", planner->err);
}

enum status plan_name_states(struct planner *planner)
{
    const char **bases = ARENA_ARRAY(planner->arena, planner->node_count + 1, const char *);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (uint32_t i = 0; i < planner->node_count; i++) {
        struct plan_node *node = planner->nodes[i];
        uint32_t ordinal = 1;
        if (!keeps_state(node)) {
            node->state_name = NULL;
            continue;
        }
        bases[i] = base_name(planner, node);
        TRY(arena_check(planner->arena, "the plan", planner->err));
        for (uint32_t before = 0; before < i; before++)
            ordinal += bases[before] && strcmp(bases[before], bases[i]) == 0;
        node->state_name =
            ordinal == 1 ? bases[i] : arena_printf(planner->arena, "%s#%u", bases[i], ordinal);
        TRY(name_node(planner, node));
    }
    return make_fingerprint(planner);
}
