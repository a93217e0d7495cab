/* bind_aggregate.c - aggregate calls are collected while a SELECT's expressions are bound, then
 * GROUP BY makes one node of them.
 *
 * While collecting, call i is column AGGREGATE_COLUMN + i. bind_grouping rewrites each expression
 * to the node's output: an expression equal to a group key becomes its column, a call its column;
 * any other column is the error "is not being grouped".
 */
#include "sql/bind_int.h"

#include "base/must.h"

#define AGGREGATES_MAX 4096

static bool same_call(const struct rel_aggregate_call *a, const struct rel_aggregate_call *b)
{
    return a->def == b->def && a->distinct == b->distinct && !a->arg == !b->arg &&
           !a->filter == !b->filter && (!a->arg || expr_equals(a->arg, b->arg)) &&
           (!a->filter || expr_equals(a->filter, b->filter));
}

static const char *call_text(struct binder *binder, const struct rel_aggregate_call *call,
                             const struct scope *scope)
{
    struct buf buf;
    buf_init(&buf, 4096);
    buf_printf(&buf, "%s(%s", call->def->name, call->distinct ? "DISTINCT " : "");
    if (call->arg)
        expr_format(&buf, call->arg, scope->names);
    else
        buf_append_byte(&buf, '*');
    buf_append_byte(&buf, ')');
    if (call->filter) {
        buf_append_text(&buf, " FILTER (WHERE ");
        expr_format(&buf, call->filter, scope->names);
        buf_append_byte(&buf, ')');
    }
    const char *text =
        buf.failed ? call->def->name : arena_strndup(binder->arena, (char *)buf.data, buf.length);
    buf_fini(&buf);
    return text;
}

static enum status add_call(struct binder *binder, struct aggregates *aggregates,
                            const struct rel_aggregate_call *call, const struct expr **out)
{
    uint32_t i = 0;
    while (i < aggregates->count && !same_call(&aggregates->calls[i], call))
        i++;
    if (i == AGGREGATES_MAX)
        return bind_fail(binder, ERR_LIMIT, call->pos, "a query has at most %d aggregates",
                         AGGREGATES_MAX);
    if (i == aggregates->capacity) {
        uint32_t capacity = i ? i * 2 : 8;
        struct rel_aggregate_call *calls =
            ARENA_ARRAY(binder->arena, capacity, struct rel_aggregate_call);
        TRY(bind_memory(binder));
        if (i)
            memcpy(calls, aggregates->calls, i * sizeof(*calls));
        aggregates->calls = calls;
        aggregates->capacity = capacity;
    }
    if (i == aggregates->count)
        aggregates->calls[aggregates->count++] = *call;
    *out = expr_new_column(binder, AGGREGATE_COLUMN + i, aggregates->calls[i].type, call->pos);
    return bind_memory(binder);
}

static enum status bind_filter(struct binder *binder, const struct scope *inner,
                               const struct ast_expr *ast, struct rel_aggregate_call *call)
{
    struct scope scope = *inner;
    scope.clause = "FILTER";
    if (!ast->call.filter)
        return OK;
    TRY(bind_condition(binder, &scope, ast->call.filter, &call->filter));
    /* An empty group is possible then. */
    if (call->type->root != TYPE_BIGINT || strcmp(call->def->name, "COUNT") != 0)
        call->type = bind_with_nullable(binder, call->type, true);
    return bind_memory(binder);
}

enum status bind_aggregate_call(struct binder *binder, const struct scope *scope,
                                const struct ast_expr *ast, const struct aggregate_def *def,
                                const struct expr **out)
{
    const struct ast_expr *arg = ast->args.first;
    struct rel_aggregate_call call = {.def = def, .distinct = ast->call.distinct, .pos = ast->pos};
    struct scope inner = *scope;
    bool star = arg && arg->kind == AST_STAR;
    inner.in_aggregate = true;
    if (scope->in_aggregate)
        return bind_fail(binder, ERR_SYNTAX, ast->pos,
                         "an aggregate function cannot stand inside another one");
    if (!scope->aggregates)
        return bind_fail(binder, ERR_SYNTAX, ast->pos,
                         "%s is an aggregate function and cannot "
                         "stand in %s",
                         def->name, scope->clause ? scope->clause : "this place");
    if (ast->call.form != AST_FORM_COMMA || (star && strcmp(def->name, "COUNT") != 0))
        return bind_fail(binder, ERR_SYNTAX, ast->pos, "it is written %s", def->signature);
    if (ast->args.count > 1)
        return bind_unsupported(binder, ast->pos, "%s of several arguments", def->name);
    if (!star && !arg)
        return bind_fail(binder, ERR_TYPE, ast->pos, "it is written %s", def->signature);
    if (!star) {
        TRY(bind_expr(binder, &inner, arg, &call.arg));
        call.arg_type = bind_plain_type(binder, call.arg->type);
        TRY(bind_memory(binder));
        if (call.arg_type->root == TYPE_NULL)
            return bind_fail(binder, ERR_TYPE, arg->pos,
                             "the type of this NULL is not known; "
                             "write CAST(NULL AS type)");
    }
    struct aggregate_bound bound = {
        .def = def, .arg_type = call.arg_type, .distinct = call.distinct};
    enum status status = def->bind(&bound, binder->arena, ast->pos, binder->err);
    if (status != OK)
        return status;
    call.distinct = bound.distinct;
    call.type = bound.result;
    TRY(bind_memory(binder));
    TRY(bind_filter(binder, &inner, ast, &call));
    call.text = call_text(binder, &call, scope);
    TRY(bind_memory(binder));
    return add_call(binder, scope->aggregates, &call, out);
}

/* ---- GROUP BY */

struct grouping {
    const struct expr **groups; /* over the input */
    uint32_t group_count;
    const struct rel *node;
    const struct rel *input; /* what SELECT wrote against */
};

static enum status not_grouped(struct binder *binder, const struct grouping *grouping,
                               const struct expr *expr)
{
    struct str text = bind_slice(binder, expr->pos);
    enum status status;
    if (text.length && text.length < 80)
        status = bind_fail(binder, ERR_NAME, expr->pos, "expression '%.*s' is not being grouped",
                           (int)text.length, text.data);
    else
        status = bind_fail(binder, ERR_NAME, expr->pos, "column '%s' is not being grouped",
                           grouping->input->names[expr->column]);
    error_hint(binder->err, "write it in GROUP BY, or inside an aggregate function");
    return status;
}

static enum status regroup(struct binder *binder, const struct grouping *grouping,
                           const struct expr *expr, const struct expr **out)
{
    for (uint32_t i = 0; i < grouping->group_count; i++) {
        if (!expr_equals(expr, grouping->groups[i]))
            continue;
        *out = expr_new_column(binder, i, grouping->node->types[i], expr->pos);
        return bind_memory(binder);
    }
    if (expr->kind == EXPR_COLUMN && expr->column < AGGREGATE_COLUMN)
        return not_grouped(binder, grouping, expr);
    if (expr->kind == EXPR_COLUMN) {
        uint32_t column = grouping->group_count + (expr->column - AGGREGATE_COLUMN);
        *out = expr_new_column(binder, column, grouping->node->types[column], expr->pos);
        return bind_memory(binder);
    }
    *out = expr;
    if (!expr->arg_count)
        return OK;
    struct expr *copy = ARENA_NEW(binder->arena, struct expr);
    const struct expr **args = ARENA_ARRAY(binder->arena, expr->arg_count, const struct expr *);
    TRY(bind_memory(binder));
    *copy = *expr;
    copy->args = args;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        TRY(regroup(binder, grouping, expr->args[i], &args[i]));
    *out = copy;
    return OK;
}

/* Keys must be columns: computed ones are appended to the input by a projection. */
static enum status project_keys(struct binder *binder, const struct rel *input,
                                struct source_pos pos, const struct expr **groups,
                                uint32_t group_count, uint32_t *keys, const struct rel **out)
{
    uint32_t base = input->column_count, count = base;
    const struct expr **exprs = ARENA_ARRAY(binder->arena, base + group_count, const struct expr *);
    const char **names = ARENA_ARRAY(binder->arena, base + group_count, const char *);
    TRY(bind_memory(binder));
    for (uint32_t i = 0; i < base; i++) {
        exprs[i] = expr_new_column(binder, i, input->types[i], pos);
        names[i] = input->names[i];
    }
    for (uint32_t i = 0; i < group_count; i++) {
        if (groups[i]->kind == EXPR_COLUMN) {
            keys[i] = groups[i]->column;
            continue;
        }
        keys[i] = count;
        exprs[count] = groups[i];
        names[count] =
            rel_unique_name(binder, arena_printf(binder->arena, "$f%u", i), names, count);
        count++;
    }
    TRY(bind_memory(binder));
    *out = count == base ? input : rel_project(binder, input, exprs, names, count, pos);
    return bind_memory(binder);
}

static const struct rel *window_of(const struct rel *rel)
{
    while (rel->kind != REL_WINDOW && rel->input_count == 1)
        rel = rel->inputs[0];
    return rel->kind == REL_WINDOW ? rel : NULL;
}

static int32_t key_position(const uint32_t *keys, uint32_t count, int32_t column)
{
    for (uint32_t i = 0; column >= 0 && i < count; i++)
        if (keys[i] == (uint32_t)column)
            return (int32_t)i;
    return -1;
}

/* Output columns and window of the node. */
static enum status make_node(struct binder *binder, const struct rel *input, struct source_pos pos,
                             const uint32_t *keys, uint32_t key_count,
                             const struct aggregates *aggregates, struct rel **out)
{
    uint32_t total = key_count + aggregates->count;
    const char **names = ARENA_ARRAY(binder->arena, total + 1, const char *);
    const struct type **types = ARENA_ARRAY(binder->arena, total + 1, const struct type *);
    struct rel_aggregate_call *calls =
        ARENA_ARRAY(binder->arena, aggregates->count + 1, struct rel_aggregate_call);
    TRY(bind_memory(binder));
    int32_t start = key_position(keys, key_count, input->window_start_column);
    int32_t end = key_position(keys, key_count, input->window_end_column);
    bool by_window = start >= 0 && end >= 0;
    for (uint32_t i = 0; i < key_count; i++) {
        names[i] = rel_unique_name(binder, input->names[keys[i]], names, i);
        types[i] =
            by_window ? input->types[keys[i]] : bind_plain_type(binder, input->types[keys[i]]);
    }
    for (uint32_t i = 0; i < aggregates->count; i++) {
        calls[i] = aggregates->calls[i];
        if (!key_count && strcmp(calls[i].def->name, "COUNT") != 0)
            calls[i].type = bind_with_nullable(binder, calls[i].type, true); /* of no rows */
        names[key_count + i] = rel_unique_name(binder, arena_printf(binder->arena, "EXPR$%u", i),
                                               names, key_count + i);
        types[key_count + i] = calls[i].type;
    }
    TRY(bind_memory(binder));
    struct rel *rel = rel_new(binder, REL_AGGREGATE, pos, total, names, types, input);
    TRY(bind_memory(binder));
    rel->aggregate.key_count = key_count;
    rel->aggregate.keys = keys;
    rel->aggregate.call_count = aggregates->count;
    rel->aggregate.calls = calls;
    rel->aggregate.by_window = by_window;
    rel->aggregate.state_name = bind_state_name(binder, pos);
    if (by_window) {
        const struct rel *window = window_of(input);
        rel->window_start_column = start;
        rel->window_end_column = end;
        if (window) {
            rel->aggregate.window = window->window.kind;
            rel->aggregate.size_ms = window->window.size_ms;
            rel->aggregate.offset_ms = window->window.offset_ms;
        }
    }
    *out = rel;
    return OK;
}

enum status bind_grouping(struct binder *binder, const struct rel *input, struct source_pos pos,
                          const struct expr **groups, uint32_t group_count,
                          const struct aggregates *aggregates, const struct expr **exprs,
                          uint32_t expr_count, const struct rel **out)
{
    uint32_t *keys = ARENA_ARRAY(binder->arena, group_count + 1, uint32_t);
    const struct rel *projected;
    struct rel *node;
    TRY(bind_memory(binder));
    TRY(project_keys(binder, input, pos, groups, group_count, keys, &projected));
    TRY(make_node(binder, projected, pos, keys, group_count, aggregates, &node));
    struct grouping grouping = {groups, group_count, node, input};
    for (uint32_t i = 0; i < expr_count; i++)
        if (exprs[i])
            TRY(regroup(binder, &grouping, exprs[i], &exprs[i]));
    *out = node;
    return OK;
}
