/* substitute.c - expression trees of the planner: columns replaced by expressions, conjunctions,
 * the window bounds of a table function as calls. */
#include "plan/plan_int.h"

#include "function/function_window.h"

const struct expr *plan_column(struct arena *arena, uint32_t column, const struct type *type,
                               struct source_pos pos)
{
    struct expr *expr = ARENA_NEW(arena, struct expr);
    if (!expr)
        return NULL;
    expr->kind = EXPR_COLUMN;
    expr->type = type;
    expr->pos = pos;
    expr->column = column;
    return expr;
}

const struct expr *plan_substitute(struct arena *arena, const struct expr *expr,
                                   const struct expr *const *columns)
{
    if (expr->kind == EXPR_COLUMN)
        return columns[expr->column];
    if (expr->arg_count == 0)
        return expr;
    const struct expr **args = ARENA_ARRAY(arena, expr->arg_count, const struct expr *);
    struct expr *copy = ARENA_NEW(arena, struct expr);
    if (!args || !copy)
        return NULL;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        args[i] = plan_substitute(arena, expr->args[i], columns);
        if (!args[i])
            return NULL;
    }
    *copy = *expr;
    copy->args = args;
    return copy;
}

const struct expr *plan_and(struct arena *arena, const struct expr *a, const struct expr *b)
{
    if (!a || !b)
        return a ? a : b;
    struct expr *expr = ARENA_NEW(arena, struct expr);
    const struct expr **args = ARENA_ARRAY(arena, 2, const struct expr *);
    if (!expr || !args)
        return NULL;
    args[0] = a;
    args[1] = b;
    expr->kind = EXPR_AND;
    expr->type = &TYPE_OF_BOOLEAN;
    expr->pos = b->pos;
    expr->arg_count = 2;
    expr->args = args;
    return expr;
}

uint32_t plan_expr_size(const struct expr *expr, uint32_t limit)
{
    uint32_t size = 1;
    for (uint32_t i = 0; i < expr->arg_count && size < limit; i++)
        size += plan_expr_size(expr->args[i], limit - size);
    return size;
}

const struct expr *plan_window_expr(struct planner *planner, const struct rel *window,
                                    uint32_t which)
{
    struct arena *arena = planner->arena;
    const struct rel *input = window->inputs[0];
    uint32_t time_column = window->window.time_column;
    struct expr *expr = ARENA_NEW(arena, struct expr);
    const struct expr **args = ARENA_ARRAY(arena, 1, const struct expr *);
    struct window_bound_state *state = ARENA_NEW(arena, struct window_bound_state);
    if (!expr || !args || !state)
        return NULL;
    args[0] = plan_column(arena, time_column, input->types[time_column], window->pos);
    if (!args[0])
        return NULL;
    *state = (struct window_bound_state){
        .size_us = window->window.size_ms * US_PER_MS,
        .offset_us = window->window.offset_ms * US_PER_MS,
        .zone = input->types[time_column]->root == TYPE_TIMESTAMP_LTZ
                    ? planner->settings->function_session->zone
                    : NULL,
    };
    expr->kind = EXPR_CALL;
    expr->type = window->types[input->column_count + which];
    expr->pos = window->pos;
    expr->arg_count = 1;
    expr->args = args;
    expr->call.def = &FUNCTIONS_WINDOW_BOUND[which];
    expr->call.kernel = FUNCTION_WINDOW_KERNELS[which];
    expr->call.state = state;
    return expr;
}

const struct expr *plan_window_time(const struct expr *expr)
{
    if (expr->kind == EXPR_CALL && expr->call.def == &FUNCTIONS_WINDOW_BOUND[WINDOW_BOUND_START])
        return expr->args[0];
    return expr;
}
