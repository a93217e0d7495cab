/* bind_select.c - SELECT: FROM, WHERE, GROUP BY and aggregates, HAVING, the select list, DISTINCT,
 * and the columns that ORDER BY needs.
 */
#include "sql/bind_int.h"

#include "base/must.h"

#define COLUMNS_MAX 4096

struct select_list { /* the select list, then hidden columns for ORDER BY; all over the scope */
    const struct expr **exprs;
    const char **names;
    uint32_t count, capacity;
};

static enum status add_column(struct binder *binder, struct select_list *list,
                              const struct expr *expr, const char *name)
{
    if (list->count == COLUMNS_MAX)
        return bind_fail(binder, ERR_LIMIT, expr->pos, "a query has at most %d columns",
                         COLUMNS_MAX);
    if (list->count == list->capacity) {
        uint32_t capacity = list->capacity ? list->capacity * 2 : 16;
        const struct expr **exprs = ARENA_ARRAY(binder->arena, capacity, const struct expr *);
        const char **names = ARENA_ARRAY(binder->arena, capacity, const char *);
        TRY(bind_memory(binder));
        if (list->count) {
            memcpy(exprs, list->exprs, list->count * sizeof(*exprs));
            memcpy(names, list->names, list->count * sizeof(*names));
        }
        list->exprs = exprs;
        list->names = names;
        list->capacity = capacity;
    }
    list->exprs[list->count] = expr;
    list->names[list->count] = rel_unique_name(binder, name, list->names, list->count);
    list->count++;
    return bind_memory(binder);
}

static enum status add_star(struct binder *binder, const struct scope *scope,
                            const struct ast_expr *star, struct select_list *list)
{
    struct scope_relation all = {NULL, 0, scope->column_count};
    if (star->name && !scope_find_relation(scope, star->name, &all))
        return bind_fail(binder, ERR_NAME, star->pos, "table '%.*s' not found in this query",
                         star->name->parts[0].length > 80 ? 80 : (int)star->name->parts[0].length,
                         star->name->parts[0].data);
    if (!all.count)
        return bind_fail(binder, ERR_SYNTAX, star->pos, "* needs a table in FROM");
    for (uint32_t i = all.first; i < all.first + all.count; i++) {
        const struct expr *expr = expr_new_column(binder, i, scope->types[i], star->pos);
        TRY(bind_memory(binder));
        TRY(add_column(binder, list, expr, scope->names[i]));
    }
    return OK;
}

/* The alias, the column's or field's own name, or EXPR$n. */
static const char *item_name(struct binder *binder, const struct ast_item *item, uint32_t index)
{
    const struct ast_expr *expr = item->expr;
    if (item->alias)
        return bind_strdup(binder, item->alias->parts[0]);
    if (expr->kind == AST_NAME)
        return bind_strdup(binder, expr->name->parts[expr->name->part_count - 1]);
    if (expr->kind == AST_FIELD)
        return bind_strdup(binder, expr->name->parts[0]);
    return arena_printf(binder->arena, "EXPR$%u", index);
}

static enum status bind_items(struct binder *binder, const struct scope *scope,
                              const struct ast_items *items, struct select_list *list)
{
    uint32_t index = 0;
    for (const struct ast_item *item = items->first; item; item = item->next, index++) {
        const struct expr *expr;
        if (item->expr->kind == AST_STAR) {
            TRY(add_star(binder, scope, item->expr, list));
            continue;
        }
        TRY(bind_expr(binder, scope, item->expr, &expr));
        const char *name = item_name(binder, item, index);
        TRY(bind_memory(binder));
        TRY(add_column(binder, list, expr, name));
    }
    return OK;
}

/* TUMBLE(...) in GROUP BY is window_start, window_end and window_time. */
static enum status add_window_groups(struct binder *binder, const struct scope *scope,
                                     const struct expr **groups, uint32_t *count)
{
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t column = scope->window->first + i;
        groups[(*count)++] =
            expr_new_column(binder, column, scope->types[column], scope->window->call->pos);
    }
    return bind_memory(binder);
}

/* (a, b) in GROUP BY is a and b. */
static enum status bind_groups(struct binder *binder, const struct scope *scope,
                               const struct ast_exprs *asts, const struct expr ***out,
                               uint32_t *count)
{
    uint32_t room = scope->window ? 3 : 0;
    for (const struct ast_expr *ast = asts->first; ast; ast = ast->next)
        room += ast->kind == AST_ROW ? ast->args.count : 1;
    const struct expr **groups = ARENA_ARRAY(binder->arena, room + 1, const struct expr *);
    TRY(bind_memory(binder));
    for (const struct ast_expr *ast = asts->first; ast; ast = ast->next) {
        const struct ast_expr *part = ast->kind == AST_ROW ? ast->args.first : ast;
        for (; part; part = ast->kind == AST_ROW ? part->next : NULL) {
            bool again = false;
            const struct expr *expr;
            if (scope->window && part == scope->window->call) {
                TRY(add_window_groups(binder, scope, groups, count));
                continue;
            }
            TRY(bind_expr(binder, scope, part, &expr));
            for (uint32_t i = 0; i < *count && !again; i++)
                again = expr_equals(groups[i], expr);
            if (!again)
                groups[(*count)++] = expr;
        }
    }
    *out = groups;
    return OK;
}

static int32_t column_by_name(const struct select_list *list, uint32_t visible, struct str name)
{
    for (uint32_t i = 0; i < visible; i++)
        if (str_eq(str_of(list->names[i]), name))
            return (int32_t)i;
    return -1;
}

enum status bind_ordinal(struct binder *binder, const struct ast_expr *ast, uint32_t count,
                         uint32_t *out)
{
    int64_t number;
    if (!str_to_i64(ast->text, &number, NULL) || number < 1 || number > count)
        return bind_fail(binder, ERR_RANGE, ast->pos, "ORDER BY position must be between 1 and %u",
                         count);
    *out = (uint32_t)number - 1;
    return OK;
}

static enum status bind_order(struct binder *binder, const struct scope *scope,
                              const struct ast_items *order, bool distinct,
                              struct select_list *list, struct rel_sort_key *keys)
{
    uint32_t visible = list->count, k = 0;
    for (const struct ast_item *item = order->first; item; item = item->next, k++) {
        const struct ast_expr *ast = item->expr;
        const struct expr *expr;
        keys[k].descending = item->descending;
        keys[k].nulls_first = item->nulls_given ? item->nulls_first : !item->descending;
        int32_t named = ast->kind == AST_NAME && ast->name->part_count == 1
                            ? column_by_name(list, visible, ast->name->parts[0])
                            : -1;
        if (ast->kind == AST_NUMBER) {
            TRY(bind_ordinal(binder, ast, visible, &keys[k].column));
            continue;
        }
        if (named >= 0) {
            keys[k].column = (uint32_t)named;
            continue;
        }
        TRY(bind_expr(binder, scope, ast, &expr));
        uint32_t i = 0;
        while (i < list->count && !expr_equals(list->exprs[i], expr))
            i++;
        if (i == list->count && distinct)
            return bind_fail(binder, ERR_NAME, ast->pos,
                             "ORDER BY of SELECT DISTINCT can only use "
                             "what is in the select list");
        if (i == list->count)
            TRY(add_column(binder, list, expr, "EXPR$sort"));
        keys[k].column = i;
    }
    return OK;
}

/* SELECT without FROM: one row. */
static enum status bind_one_row(struct binder *binder, const struct ast_select *select,
                                const struct select_list *list, const struct rel **out)
{
    const struct type **types = ARENA_ARRAY(binder->arena, list->count + 1, const struct type *);
    TRY(bind_memory(binder));
    for (uint32_t i = 0; i < list->count; i++)
        types[i] = list->exprs[i]->type;
    struct rel *rel =
        rel_new(binder, REL_VALUES, select->pos, list->count, list->names, types, NULL);
    TRY(bind_memory(binder));
    rel->values.row_count = 1;
    rel->values.exprs = list->exprs;
    *out = rel;
    return OK;
}

/* An input of one row without columns, for SELECT 1 WHERE ... and SELECT COUNT(*). */
static enum status empty_row(struct binder *binder, struct source_pos pos, const struct rel **out)
{
    static const char *const NAMES[] = {"EXPR$0"};
    const struct type *type = bind_with_nullable(binder, &TYPE_OF_INT, false);
    struct expr *zero = expr_new(binder, EXPR_LITERAL, type, pos);
    const struct expr **exprs = ARENA_ARRAY(binder->arena, 1, const struct expr *);
    TRY(bind_memory(binder));
    zero->literal = (struct datum){.type = type};
    exprs[0] = zero;
    struct rel *rel = rel_new(binder, REL_VALUES, pos, 1, NAMES, &type, NULL);
    TRY(bind_memory(binder));
    rel->values.row_count = 1;
    rel->values.exprs = exprs;
    *out = rel;
    return OK;
}

struct select_state {
    struct scope scope;
    struct aggregates aggregates;
    const struct rel *rel; /* so far */
    struct select_list list;
    const struct expr **groups;
    uint32_t group_count;
    const struct expr *having;
};

static enum status group(struct binder *binder, const struct ast_select *select,
                         struct select_state *state)
{
    uint32_t count = state->list.count;
    const struct expr **exprs = ARENA_ARRAY(binder->arena, count + 1, const struct expr *);
    TRY(bind_memory(binder));
    if (count)
        memcpy(exprs, state->list.exprs, count * sizeof(*exprs));
    exprs[count] = state->having;
    TRY(bind_grouping(binder, state->rel, select->pos, state->groups, state->group_count,
                      &state->aggregates, exprs, count + 1, &state->rel));
    state->list.exprs = exprs;
    if (exprs[count]) {
        state->rel = rel_filter(binder, state->rel, exprs[count], select->having->pos);
        TRY(bind_memory(binder));
    }
    return OK;
}

static enum status bind_clauses(struct binder *binder, const struct ast_select *select,
                                const struct ast_items *order, struct rel_sort_key *keys,
                                uint32_t *visible, struct select_state *state)
{
    struct scope plain = state->scope;
    if (select->where) {
        const struct expr *condition;
        plain.clause = "WHERE";
        TRY(bind_condition(binder, &plain, select->where, &condition));
        if (!state->rel)
            TRY(empty_row(binder, select->pos, &state->rel));
        state->rel = rel_filter(binder, state->rel, condition, select->where->pos);
        TRY(bind_memory(binder));
    }
    if (select->grouped)
        TRY(bind_group_window(binder, &select->group, &state->scope, &state->rel));
    plain = state->scope;
    plain.clause = "GROUP BY";
    if (select->grouped)
        TRY(bind_groups(binder, &plain, &select->group, &state->groups, &state->group_count));
    state->scope.aggregates = &state->aggregates;
    state->scope.clause = NULL;
    TRY(bind_items(binder, &state->scope, &select->items, &state->list));
    *visible = state->list.count;
    if (select->having) {
        struct scope having = state->scope;
        having.clause = "HAVING";
        TRY(bind_condition(binder, &having, select->having, &state->having));
    }
    return order ? bind_order(binder, &state->scope, order, select->distinct, &state->list, keys)
                 : OK;
}

enum status bind_select(struct binder *binder, const struct ast_select *select,
                        const struct ast_items *order, struct rel_sort_key *keys, uint32_t *visible,
                        const struct rel **out)
{
    struct select_state state = {.scope = {.clause = NULL}};
    if (select->from)
        TRY(bind_from(binder, select->from, &state.rel, &state.scope));
    TRY(bind_clauses(binder, select, order, keys, visible, &state));
    bool grouped = select->grouped || state.having || state.aggregates.count;
    if (grouped && !state.rel)
        TRY(empty_row(binder, select->pos, &state.rel));
    if (grouped)
        TRY(group(binder, select, &state));
    if (state.rel)
        *out = rel_project(binder, state.rel, state.list.exprs, state.list.names, state.list.count,
                           select->pos);
    else
        TRY(bind_one_row(binder, select, &state.list, out));
    TRY(bind_memory(binder));
    if (select->distinct)
        *out = rel_distinct(binder, *out, select->pos);
    return bind_memory(binder);
}
