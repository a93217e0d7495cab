/* changelog.c - which row kinds each edge carries, who wants -U, where changes may be coalesced.
 *
 * Forward over the nodes (inputs first): what an operator's output can hold and its upsert key.
 * Backward: -U is asked for only by those who need the old row (contracts.md section 1); several
 * changes of a key may become one only where every reader allows it (rule 4).
 */
#include "plan/plan_int.h"

struct edge_wishes {
    bool update_before; /* some reader needs the row that is replaced */
    bool no_coalesce;   /* some reader shows or counts single changes */
    bool has_reader;
};

static bool updates(const struct plan_node *node)
{
    return node->changelog != CHANGELOG_APPEND;
}

static unsigned integer_digits(const struct type *type)
{
    static const unsigned digits[] = {
        [TYPE_TINYINT] = 3, [TYPE_SMALLINT] = 5, [TYPE_INT] = 10, [TYPE_BIGINT] = 19};
    return digits[type->root];
}

/* Different values stay different: an integer made wider, DECIMAL or text; a text made longer. */
static bool is_injective_cast(const struct type *from, const struct type *to)
{
    if (type_same(from, to))
        return true;
    if (type_is_integer(from)) {
        if (type_is_integer(to))
            return to->root >= from->root;
        if (to->root == TYPE_DECIMAL)
            return to->precision >= to->scale + integer_digits(from);
        return to->root == TYPE_VARCHAR && (unsigned)to->length > integer_digits(from);
    }
    return from->root == TYPE_VARCHAR && to->root == TYPE_VARCHAR && to->length >= from->length;
}

/* Does the expression keep the column's values apart? */
static bool keeps_column(const struct expr *expr, uint32_t column)
{
    while (expr->kind == EXPR_CAST && is_injective_cast(expr->args[0]->type, expr->type))
        expr = expr->args[0];
    return expr->kind == EXPR_COLUMN && expr->column == column;
}

/* The input's key columns as output columns of a calc; false when one is not passed through. */
static bool key_through_calc(struct planner *planner, struct plan_node *node)
{
    const struct plan_node *input = node->inputs[0];
    uint32_t *key = ARENA_ARRAY(planner->arena, input->upsert_key_count + 1, uint32_t);
    if (!key || !input->has_upsert_key)
        return false;
    for (uint32_t k = 0; k < input->upsert_key_count; k++) {
        uint32_t i = 0;
        while (i < node->column_count && !keeps_column(node->calc.exprs[i], input->upsert_key[k]))
            i++;
        if (i == node->column_count)
            return false;
        key[k] = i;
    }
    node->has_upsert_key = true;
    node->upsert_key = key;
    node->upsert_key_count = input->upsert_key_count;
    return true;
}

/* A changing table is known by its primary key where all of that is read. */
static enum status key_of_source(struct planner *planner, struct plan_node *node)
{
    const struct table_description *table = &node->source.table->description;
    uint32_t *key = ARENA_ARRAY(planner->arena, table->primary_key_count + 1, uint32_t);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (uint32_t k = 0; k < table->primary_key_count; k++) {
        uint32_t i = 0;
        while (i < node->column_count &&
               !(node->source.exprs[i]->kind == EXPR_COLUMN &&
                 node->source.exprs[i]->column < node->source.wanted_count &&
                 node->source.wanted[node->source.exprs[i]->column] == table->primary_key[k]))
            i++;
        if (i == node->column_count)
            return OK;
        key[k] = i;
    }
    node->has_upsert_key = table->primary_key_count > 0;
    node->upsert_key = key;
    node->upsert_key_count = table->primary_key_count;
    return OK;
}

static void take_key(struct plan_node *node, const struct plan_node *from)
{
    node->has_upsert_key = from->has_upsert_key;
    node->upsert_key = from->upsert_key;
    node->upsert_key_count = from->upsert_key_count;
}

static enum status forward_sink(struct planner *planner, struct plan_node *node)
{
    const struct plan_node *input = node->inputs[0];
    const struct table_description *table = &node->sink.table->description;
    if (!updates(input))
        return OK;
    if (node->sink.mode == SINK_APPEND)
        return error_set(
            planner->err, ERR_UNSUPPORTED,
            "table sink '%s' (connector '%s') does not support the update changes that "
            "this query produces: it takes rows that are never changed later",
            table->name, table->connector);
    if (node->sink.mode == SINK_RETRACT)
        return OK;
    if (!input->has_upsert_key)
        return error_set(planner->err, ERR_UNSUPPORTED,
                         "table sink '%s': the query's updates have no key of their own, so that a "
                         "row of the table cannot be found again; upsert materialization is not "
                         "built",
                         table->name);
    /* a row is found again by the table's primary key: the query's key must lie within it */
    for (uint32_t k = 0; k < input->upsert_key_count; k++) {
        bool found = false;
        for (uint32_t i = 0; i < table->primary_key_count; i++)
            found = found || table->primary_key[i] == input->upsert_key[k];
        if (!found)
            return error_set(
                planner->err, ERR_UNSUPPORTED,
                "table sink '%s': the primary key does not contain '%s', the key of the "
                "query's updates; upsert materialization is not built",
                table->name, input->names[input->upsert_key[k]]);
    }
    return OK;
}

static enum status forward(struct planner *planner, struct plan_node *node)
{
    const struct plan_node *input = node->input_count ? node->inputs[0] : NULL;
    node->changelog = CHANGELOG_APPEND;
    switch (node->op) {
    case PLAN_SOURCE:
        if (!node->source.updates)
            break;
        node->changelog = CHANGELOG_RETRACT;
        return key_of_source(planner, node);
    case PLAN_VALUES:
        break;
    case PLAN_CALC:
        node->changelog = node->input_outputs ? CHANGELOG_APPEND : input->changelog;
        if (updates(node) && !key_through_calc(planner, node))
            node->changelog = CHANGELOG_RETRACT; /* rows are known by their whole image only */
        break;
    case PLAN_EXCHANGE:
    case PLAN_COLLECT:
        node->changelog = input->changelog;
        take_key(node, input);
        break;
    case PLAN_UNION:
        for (uint32_t i = 0; i < node->input_count; i++)
            if (updates(node->inputs[i]))
                node->changelog = CHANGELOG_RETRACT;
        break;
    case PLAN_GROUP_AGGREGATE:
        node->group.input_updates = updates(input);
        if (updates(input) || node->group.call_count) /* else DISTINCT: a row is only ever added */
            node->changelog = CHANGELOG_UPSERT;
        break;
    case PLAN_WINDOW_AGGREGATE:
        node->window.input_updates = updates(input);
        break;
    case PLAN_SORT: /* over changing rows it waits for the end (plan.c checks that there is one) */
        break;
    case PLAN_SINK:
        return forward_sink(planner, node);
    case PLAN_OP_COUNT:
        break;
    }
    return OK;
}

static void wish(const struct planner *planner, const struct plan_node *node,
                 const struct edge_wishes *own, struct edge_wishes *wishes)
{
    struct edge_wishes input = {.has_reader = true};
    switch (node->op) {
    case PLAN_CALC:
        input = *own;
        /* a row that no longer passes must be taken back, and each change is judged */
        if (node->calc.condition && updates(node->inputs[0])) {
            input.update_before = true;
            input.no_coalesce = true;
        }
        if (updates(node) && !node->has_upsert_key)
            input.update_before = true;
        break;
    case PLAN_EXCHANGE:
    case PLAN_UNION:
        input = *own;
        break;
    case PLAN_GROUP_AGGREGATE:
        input.update_before = true;
        input.no_coalesce = own->no_coalesce;
        break;
    case PLAN_WINDOW_AGGREGATE:
    case PLAN_SORT:
        input.update_before = true;
        break;
    case PLAN_SINK:
        /* where the table's key is wider, a row that changes in it is to be taken away */
        input.update_before =
            node->sink.mode == SINK_RETRACT ||
            node->inputs[0]->upsert_key_count < node->sink.table->description.primary_key_count;
        input.no_coalesce = !node->sink.connector->sink->keeps_state;
        break;
    case PLAN_COLLECT:
        input.update_before = planner->settings->collect_changes || node->upsert_key_count == 0;
        input.no_coalesce = planner->settings->collect_changes;
        break;
    default:
        break;
    }
    for (uint32_t i = 0; i < node->input_count; i++) {
        struct edge_wishes *target = &wishes[node->inputs[i]->id];
        target->has_reader = true;
        target->update_before |= input.update_before;
        target->no_coalesce |= input.no_coalesce;
    }
}

enum status plan_changelog_forward(struct planner *planner)
{
    for (; planner->forwarded < planner->node_count; planner->forwarded++)
        TRY(forward(planner, planner->nodes[planner->forwarded]));
    return OK;
}

const struct expr *plan_changing_call(const struct expr *expr)
{
    const struct expr *found = NULL;
    if (expr_is_deterministic(expr))
        return NULL;
    for (uint32_t i = 0; i < expr->arg_count && !found; i++)
        found = plan_changing_call(expr->args[i]);
    return found ? found : expr;
}

/* Rule 5: a row that is taken back has to look as it did when it was emitted. */
static enum status check_deterministic(struct planner *planner, const struct plan_node *node,
                                       const struct edge_wishes *own)
{
    const struct expr *bad = NULL;
    if (node->op != PLAN_CALC || node->input_outputs || !updates(node->inputs[0]))
        return OK;
    if (node->calc.condition)
        bad = plan_changing_call(node->calc.condition);
    for (uint32_t i = 0; i < node->column_count && own->update_before && !bad; i++)
        bad = plan_changing_call(node->calc.exprs[i]);
    if (!bad)
        return OK;
    error_set(planner->err, ERR_UNSUPPORTED,
              "%s is not the same again when a row of this changing result is taken back; "
              "materializing it is not built",
              bad->kind == EXPR_CALL ? bad->call.def->name : "this expression");
    if (planner->err)
        error_at(planner->err, bad->pos);
    error_hint(planner->err, "compute it before the rows are aggregated, or write the result to a "
                             "table with a primary key");
    return ERR_UNSUPPORTED;
}

enum status plan_changelogs(struct planner *planner)
{
    struct edge_wishes *wishes =
        ARENA_ARRAY(planner->arena, planner->node_count + 1, struct edge_wishes);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    TRY(plan_changelog_forward(planner));
    for (uint32_t i = planner->node_count; i-- > 0;)
        wish(planner, planner->nodes[i], &wishes[i], wishes);
    for (uint32_t i = 0; i < planner->node_count; i++) {
        struct plan_node *node = planner->nodes[i];
        const struct edge_wishes *own = &wishes[i];
        TRY(check_deterministic(planner, node, own));
        bool coalesce = !own->no_coalesce && planner->settings->mini_batch != 0;
        if (node->op == PLAN_GROUP_AGGREGATE) {
            node->group.emit_update_before = own->update_before;
            node->group.coalesce = coalesce;
            if (own->update_before && updates(node))
                node->changelog = CHANGELOG_RETRACT;
        } else if (node->op == PLAN_SINK) {
            node->sink.coalesce =
                node->sink.connector->sink->keeps_state && planner->settings->mini_batch != 0;
        } else if (node->input_count && node->op != PLAN_SORT && updates(node) &&
                   updates(node->inputs[0])) {
            /* -U asked for above flows through */
            if (node->inputs[0]->changelog == CHANGELOG_RETRACT)
                node->changelog = CHANGELOG_RETRACT;
        }
    }
    return OK;
}
