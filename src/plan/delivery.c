/* delivery.c - what each sink guarantees, and why (contracts.md rules 30, 32).
 *
 * Upserts by primary key may go straight to a target that shows the last value per key, if the rows
 * that a restart repeats are proven to be the same: then they replace themselves, and every key
 * that was written before is written again. Proven means that between the sources and the sink
 * nothing depends on anything but the rows themselves, nor on the order in which rows of several
 * splits meet, nor on which states of a changing row are skipped. What cannot be proven goes
 * through the committer.
 */
#include "plan/plan_int.h"

/* NULL: the expressions give the same for the same rows. */
static const struct expr *changing(const struct expr *const *exprs, uint32_t count)
{
    const struct expr *found = NULL;
    for (uint32_t i = 0; i < count && !found; i++)
        found = plan_changing_call(exprs[i]);
    return found;
}

static const char *call_reason(struct planner *planner, const struct expr *expr)
{
    return arena_printf(planner->arena, "%s gives another value when rows are repeated",
                        expr->kind == EXPR_CALL ? expr->call.def->name : "an expression");
}

static const char *exprs_reason(struct planner *planner, const struct plan_node *node)
{
    const struct expr *found = NULL;
    switch (node->op) {
    case PLAN_SOURCE:
        found = changing(node->source.exprs, node->column_count);
        if (!found && node->source.watermark)
            found = changing(&node->source.watermark, 1);
        break;
    case PLAN_VALUES:
        found = changing(node->values.exprs, node->values.row_count * node->column_count);
        break;
    case PLAN_CALC:
        found = changing(node->calc.exprs, node->column_count);
        if (!found && node->calc.condition)
            found = changing(&node->calc.condition, 1);
        break;
    default:
        break;
    }
    return found ? call_reason(planner, found) : NULL;
}

/* selects: a node on the way to the sink lets only some rows through, or gives them other keys. */
static const char *node_reason(struct planner *planner, const struct plan_node *node, bool selects)
{
    const struct source_class *source = NULL;
    switch (node->op) {
    case PLAN_SOURCE:
        source = node->source.connector->source;
        if (source->replay &&
            source->replay(&node->source.table->description) == SOURCE_REPLAY_NONE)
            return arena_printf(planner->arena,
                                "table %s may give other rows when it is read again",
                                node->source.table->full_name);
        break;
    case PLAN_GROUP_AGGREGATE:
        if (node->group.state_ttl_ms > 0)
            return "table.exec.state.ttl forgets keys as time passes";
        if (node->group.input_updates)
            return "an aggregation of changing rows may skip other states of them when they are "
                   "repeated";
        if (selects && node->changelog != CHANGELOG_APPEND)
            return "a condition on changing totals may skip other states of them when they are "
                   "repeated";
        break;
    case PLAN_WINDOW_AGGREGATE:
        if (node->window.input_updates)
            return "an aggregation of changing rows may skip other states of them when they are "
                   "repeated";
        break;
    case PLAN_SORT:
        if (node->sort.limit >= 0 || node->sort.offset > 0)
            return "LIMIT may take other rows when they are repeated";
        break;
    default:
        break;
    }
    return exprs_reason(planner, node);
}

/* Why the rows of the node may be others when they are repeated; NULL: they are the same. */
static const char *replay_reason(struct planner *planner, const struct plan_node *node,
                                 bool selects)
{
    const char *reason = node_reason(planner, node, selects);
    selects |= (node->op == PLAN_CALC && node->calc.condition) ||
               node->op == PLAN_GROUP_AGGREGATE || node->op == PLAN_WINDOW_AGGREGATE;
    for (uint32_t i = 0; i < node->input_count && !reason; i++)
        reason = replay_reason(planner, node->inputs[i], selects);
    return reason;
}

static enum status without_checkpoints(const struct planner *planner, struct plan_node *node,
                                       enum sink_guarantee asked)
{
    const char *table = node->sink.table->full_name;
    node->sink.delivery_reason =
        planner->plan->bounded && planner->settings->checkpoints
            ? "a job whose inputs end has checkpoints only with a data directory, --data"
            : "the job has no checkpoints";
    if (asked != SINK_ASKS_EXACTLY_ONCE)
        return OK;
    error_set(planner->err, ERR_OPTION,
              "table %s: exactly-once delivery needs checkpoints, and the job has none", table);
    error_hint(planner->err, "SET 'execution.checkpointing.interval' = '1 s', or let the table's "
                             "'sink.delivery-guarantee' be 'at-least-once'");
    return ERR_OPTION;
}

static enum status choose(struct planner *planner, struct plan_node *node)
{
    const struct sink_class *class = node->sink.connector->sink;
    enum sink_guarantee asked = SINK_ASKS_AT_LEAST_ONCE;
    if (class->guarantee)
        TRY(class->guarantee(&node->sink.table->description, &asked, planner->err));
    node->sink.delivery = SINK_AT_LEAST_ONCE;
    node->sink.delivery_reason = class->guarantee ? "its options say so, or do not ask for more"
                                                  : "its connector has no more";
    const struct plan_settings *settings = planner->settings;
    if (!(planner->plan->bounded ? settings->checkpoints_bounded : settings->checkpoints))
        return without_checkpoints(planner, node, asked);
    if (asked == SINK_ASKS_AT_LEAST_ONCE)
        return OK;
    node->sink.delivery = SINK_EXACTLY_ONCE;
    node->sink.delivery_reason = NULL;
    if (asked == SINK_ASKS_EXACTLY_ONCE || node->sink.mode != SINK_UPSERT || !class->keeps_state)
        return OK;
    node->sink.delivery_reason = replay_reason(planner, node->inputs[0], false);
    if (!node->sink.delivery_reason)
        node->sink.delivery = SINK_DIRECT;
    return arena_check(planner->arena, "the plan", planner->err);
}

enum status plan_deliveries(struct planner *planner)
{
    for (uint32_t i = 0; i < planner->node_count; i++)
        if (planner->nodes[i]->op == PLAN_SINK)
            TRY(choose(planner, planner->nodes[i]));
    return OK;
}

void plan_format_delivery(struct buf *out, const struct plan_node *node)
{
    const char *reason = node->sink.delivery_reason;
    bool upserts = node->sink.mode == SINK_UPSERT;
    switch (node->sink.delivery) {
    case SINK_AT_LEAST_ONCE:
        buf_printf(out, "at least once (%s): %s", reason,
                   upserts ? "a row repeated after a restart replaces itself by its key"
                           : "rows may be repeated after a restart");
        break;
    case SINK_DIRECT:
        buf_append_text(out, "direct upserts: rows are written at once; those repeated after a "
                             "restart are the same and replace themselves by their key");
        break;
    case SINK_EXACTLY_ONCE:
        buf_append_text(out, "exactly once: rows are committed when their checkpoint is complete");
        if (reason)
            buf_printf(out, " (not at once, for %s)", reason);
        break;
    }
    if (node->sink.delivery != SINK_AT_LEAST_ONCE)
        buf_printf(out, "; when the table is gone %s",
                   node->sink.on_reset == SINK_REBUILD ? "the job begins anew" : "the job fails");
}
