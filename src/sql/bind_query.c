/* bind_query.c - queries: WITH, VALUES, UNION [ALL], nested queries, ORDER BY, OFFSET and LIMIT. */
#include "sql/bind_int.h"

#include "base/must.h"

static enum status bind_body(struct binder *binder, const struct ast_body *body,
                             const struct ast_items *order, struct rel_sort_key *keys,
                             uint32_t *visible, bool *sorted, const struct rel **out);

/* ---- VALUES */

static enum status bind_rows(struct binder *binder, const struct ast_body *body, uint32_t columns,
                             const struct expr **exprs)
{
    struct scope scope = {.clause = "VALUES"};
    uint32_t at = 0;
    for (const struct ast_expr *row = body->rows.first; row; row = row->next) {
        uint32_t count = row->kind == AST_ROW ? row->args.count : 1;
        if (count != columns)
            return bind_fail(binder, ERR_SYNTAX, row->pos,
                             "all rows of VALUES have as many values as the first one (%u), "
                             "this one has %u",
                             columns, count);
        const struct ast_expr *value = row->kind == AST_ROW ? row->args.first : row;
        for (; value; value = row->kind == AST_ROW ? value->next : NULL)
            TRY(bind_expr(binder, &scope, value, &exprs[at++]));
    }
    return OK;
}

static enum status bind_values(struct binder *binder, const struct ast_body *body,
                               const struct rel **out)
{
    const struct ast_expr *first = body->rows.first;
    uint32_t rows = body->rows.count;
    uint32_t columns = first->kind == AST_ROW ? first->args.count : 1;
    const struct expr **exprs =
        ARENA_ARRAY(binder->arena, (size_t)rows * columns, const struct expr *);
    const struct expr **column = ARENA_ARRAY(binder->arena, rows, const struct expr *);
    const struct type **types = ARENA_ARRAY(binder->arena, columns, const struct type *);
    const char **names = ARENA_ARRAY(binder->arena, columns, const char *);
    TRY(bind_memory(binder));
    TRY(bind_rows(binder, body, columns, exprs));
    for (uint32_t c = 0; c < columns; c++) {
        for (uint32_t r = 0; r < rows; r++)
            column[r] = exprs[(size_t)r * columns + c];
        TRY(bind_unify(binder, column, rows, "VALUES", &types[c]));
        for (uint32_t r = 0; r < rows; r++)
            exprs[(size_t)r * columns + c] = column[r];
        names[c] = arena_printf(binder->arena, "EXPR$%u", c);
        TRY(bind_memory(binder));
    }
    struct rel *rel = rel_new(binder, REL_VALUES, body->pos, columns, names, types, NULL);
    TRY(bind_memory(binder));
    rel->values.row_count = rows;
    rel->values.exprs = exprs;
    *out = rel;
    return OK;
}

/* ---- UNION */

/* Each member's columns cast to the common types. */
static enum status unify_members(struct binder *binder, const struct ast_body *body,
                                 const struct rel **members, const struct type **types)
{
    uint32_t count = body->member_count, columns = members[0]->column_count;
    const struct type **column = ARENA_ARRAY(binder->arena, count, const struct type *);
    const struct expr **exprs = ARENA_ARRAY(binder->arena, columns + 1, const struct expr *);
    TRY(bind_memory(binder));
    for (uint32_t c = 0; c < columns; c++) {
        bool rowtime = true;
        for (uint32_t i = 0; i < count; i++) {
            column[i] = members[i]->types[c];
            rowtime = rowtime && column[i]->time_attribute == TIME_ATTRIBUTE_ROWTIME;
        }
        types[c] = function_common_type(binder->arena, column, count);
        TRY(bind_memory(binder));
        if (!types[c])
            return bind_fail(binder, ERR_TYPE, body->pos,
                             "type mismatch in column %u of UNION%s: the types of the queries "
                             "have none in common",
                             c + 1, body->all ? " ALL" : "");
        if (rowtime && types[c]->time_attribute != TIME_ATTRIBUTE_ROWTIME)
            types[c] = type_with_time_attribute(binder->arena, types[c], TIME_ATTRIBUTE_ROWTIME);
        TRY(bind_memory(binder));
    }
    for (uint32_t i = 0; i < count; i++) {
        bool changed = false;
        for (uint32_t c = 0; c < columns; c++) {
            exprs[c] = expr_new_column(binder, c, members[i]->types[c], members[i]->pos);
            TRY(bind_memory(binder));
            if (!type_same(exprs[c]->type, types[c])) {
                exprs[c] = expr_new_cast(binder, exprs[c], types[c], true);
                changed = true;
            }
        }
        TRY(bind_memory(binder));
        if (changed)
            members[i] =
                rel_project(binder, members[i], exprs, members[i]->names, columns, members[i]->pos);
        TRY(bind_memory(binder));
    }
    return OK;
}

static enum status bind_union(struct binder *binder, const struct ast_body *body,
                              const struct rel **out)
{
    const struct rel **members = ARENA_ARRAY(binder->arena, body->member_count, const struct rel *);
    TRY(bind_memory(binder));
    uint32_t i = 0;
    for (const struct ast_body *member = body->members; member; member = member->next, i++) {
        uint32_t visible;
        bool sorted = false;
        TRY(bind_body(binder, member, NULL, NULL, &visible, &sorted, &members[i]));
        if (members[i]->column_count != members[0]->column_count)
            return bind_fail(binder, ERR_TYPE, member->pos,
                             "column count mismatch in UNION%s: "
                             "%u columns here, %u in the first query",
                             body->all ? " ALL" : "", members[i]->column_count,
                             members[0]->column_count);
    }
    uint32_t columns = members[0]->column_count;
    const struct type **types = ARENA_ARRAY(binder->arena, columns + 1, const struct type *);
    TRY(bind_memory(binder));
    TRY(unify_members(binder, body, members, types));
    struct rel *rel =
        rel_new(binder, REL_UNION_ALL, body->pos, columns, members[0]->names, types, members[0]);
    TRY(bind_memory(binder));
    rel->inputs = members;
    rel->input_count = body->member_count;
    *out = body->all ? rel : rel_distinct(binder, rel, body->pos);
    return bind_memory(binder);
}

/* sorted: the keys are bound; else the caller binds them over the result. */
static enum status bind_body(struct binder *binder, const struct ast_body *body,
                             const struct ast_items *order, struct rel_sort_key *keys,
                             uint32_t *visible, bool *sorted, const struct rel **out)
{
    switch (body->kind) {
    case AST_SELECT:
        *sorted = true;
        return bind_select(binder, body->select, order, keys, visible, out);
    case AST_VALUES:
        TRY(bind_values(binder, body, out));
        break;
    case AST_UNION:
        TRY(bind_union(binder, body, out));
        break;
    case AST_NESTED:
        TRY(bind_query(binder, body->query, out));
        break;
    }
    *visible = (*out)->column_count;
    return OK;
}

/* ---- ORDER BY, OFFSET, LIMIT */

/* ORDER BY over a result: by position, name or an expression of its columns, which must be plain.
 */
static enum status bind_result_order(struct binder *binder, const struct ast_items *order,
                                     const struct rel *rel, struct rel_sort_key *keys)
{
    struct scope scope;
    uint32_t k = 0;
    scope_of_rel(&scope, rel, "ORDER BY");
    for (const struct ast_item *item = order->first; item; item = item->next, k++) {
        const struct expr *expr;
        keys[k].descending = item->descending;
        keys[k].nulls_first = item->nulls_given ? item->nulls_first : !item->descending;
        if (item->expr->kind == AST_NUMBER) {
            TRY(bind_ordinal(binder, item->expr, rel->column_count, &keys[k].column));
            continue;
        }
        TRY(bind_expr(binder, &scope, item->expr, &expr));
        if (expr->kind != EXPR_COLUMN)
            return bind_unsupported(binder, item->expr->pos,
                                    "ORDER BY of an expression over a UNION or VALUES");
        keys[k].column = expr->column;
    }
    return OK;
}

static enum status bind_count(struct binder *binder, const struct ast_expr *ast, const char *what,
                              int64_t *out)
{
    if (!ast)
        return OK;
    if (ast->kind != AST_NUMBER || !str_to_i64(ast->text, out, NULL) || *out < 0)
        return bind_fail(binder, ERR_RANGE, ast->pos, "%s takes a number of rows", what);
    return OK;
}

/* Drop the columns that are only for sorting. */
static const struct rel *drop_hidden(struct binder *binder, const struct rel *rel, uint32_t visible)
{
    const struct expr **exprs = ARENA_ARRAY(binder->arena, visible + 1, const struct expr *);
    for (uint32_t i = 0; exprs && i < visible; i++)
        exprs[i] = expr_new_column(binder, i, rel->types[i], rel->pos);
    return binder->arena->failed ? NULL
                                 : rel_project(binder, rel, exprs, rel->names, visible, rel->pos);
}

static enum status bind_ordered(struct binder *binder, const struct ast_query *query,
                                const struct rel **out)
{
    const struct ast_items *order = query->order.count ? &query->order : NULL;
    struct rel_sort_key *keys =
        ARENA_ARRAY(binder->arena, query->order.count + 1, struct rel_sort_key);
    uint32_t visible = 0;
    bool sorted = false;
    int64_t offset = 0, limit = -1;
    TRY(bind_memory(binder));
    TRY(bind_body(binder, query->body, order, keys, &visible, &sorted, out));
    if (order && !sorted)
        TRY(bind_result_order(binder, order, *out, keys));
    TRY(bind_count(binder, query->offset, "OFFSET", &offset));
    TRY(bind_count(binder, query->limit, "LIMIT", &limit));
    if (!order && limit < 0 && offset == 0)
        return OK;
    struct rel *rel = rel_new(binder, REL_SORT, query->pos, (*out)->column_count, (*out)->names,
                              (*out)->types, *out);
    TRY(bind_memory(binder));
    rel->window_start_column = (*out)->window_start_column;
    rel->window_end_column = (*out)->window_end_column;
    rel->sort.key_count = query->order.count;
    rel->sort.keys = keys;
    rel->sort.offset = offset;
    rel->sort.limit = limit;
    *out = visible < rel->column_count ? drop_hidden(binder, rel, visible) : rel;
    return bind_memory(binder);
}

enum status bind_query(struct binder *binder, const struct ast_query *query, const struct rel **out)
{
    struct cte *saved = binder->ctes;
    if (binder->depth == SQL_DEPTH_MAX)
        return bind_fail(binder, ERR_LIMIT, query->pos,
                         "queries and views are nested deeper than "
                         "%d",
                         SQL_DEPTH_MAX);
    binder->depth++;
    for (struct ast_cte *ast = query->ctes.first; ast; ast = ast->next) {
        struct cte *cte = ARENA_NEW(binder->arena, struct cte);
        TRY(bind_memory(binder));
        cte->ast = ast;
        cte->name = bind_strdup(binder, ast->name->parts[0]);
        cte->path = binder->path;
        cte->next = binder->ctes;
        binder->ctes = cte;
    }
    enum status status = bind_ordered(binder, query, out);
    binder->ctes = saved;
    binder->depth--;
    return status;
}
