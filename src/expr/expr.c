/* expr.c - questions about expression trees: equality, properties, columns, copies with other
 * columns. Trees are at most EXPR_DEPTH_MAX deep, so recursion is bounded. */
#include "expr/expr.h"

#include "base/must.h"

static bool calls_equal(const struct expr *a, const struct expr *b)
{
    return a->call.def == b->call.def && a->call.kernel == b->call.kernel &&
           !(a->call.def->flags & FUNCTION_NONDETERMINISTIC);
}

bool expr_equals(const struct expr *a, const struct expr *b)
{
    if (a->kind != b->kind || a->arg_count != b->arg_count || !type_equals(a->type, b->type))
        return false;
    switch (a->kind) {
    case EXPR_COLUMN:
    case EXPR_FIELD:
        if (a->column != b->column)
            return false;
        break;
    case EXPR_LITERAL:
        return datum_equals(&a->literal, &b->literal);
    case EXPR_CALL:
        if (!calls_equal(a, b))
            return false;
        break;
    case EXPR_CAST:
        if (a->cast.try_cast != b->cast.try_cast)
            return false;
        break;
    case EXPR_IS_NULL:
    case EXPR_IN:
    case EXPR_IS_TRUE:
        if (a->test.negated != b->test.negated)
            return false;
        if (a->kind == EXPR_IS_TRUE && a->test.is_value != b->test.is_value)
            return false;
        break;
    default:
        break;
    }
    for (uint32_t i = 0; i < a->arg_count; i++)
        if (!expr_equals(a->args[i], b->args[i]))
            return false;
    return true;
}

bool expr_is_deterministic(const struct expr *expr)
{
    int changing = FUNCTION_DYNAMIC | FUNCTION_NONDETERMINISTIC;
    if (expr->kind == EXPR_CALL && (expr->call.def->flags & changing))
        return false;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (!expr_is_deterministic(expr->args[i]))
            return false;
    return true;
}

bool expr_can_fail(const struct expr *expr)
{
    if (expr->kind == EXPR_CALL && (expr->call.def->flags & FUNCTION_CAN_FAIL))
        return true;
    if (expr->kind == EXPR_CAST && !expr->cast.try_cast &&
        cast_can_fail(expr->args[0]->type, expr->type))
        return true;
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (expr_can_fail(expr->args[i]))
            return true;
    return false;
}

void expr_columns(const struct expr *expr, void (*each)(void *context, uint32_t column),
                  void *context)
{
    if (expr->kind == EXPR_COLUMN)
        each(context, expr->column);
    for (uint32_t i = 0; i < expr->arg_count; i++)
        expr_columns(expr->args[i], each, context);
}

const struct expr *expr_remap(struct arena *arena, const struct expr *expr, const uint32_t *map)
{
    struct expr *copy = ARENA_NEW(arena, struct expr);
    if (!copy)
        return NULL;
    *copy = *expr;
    if (expr->kind == EXPR_COLUMN)
        copy->column = map[expr->column];
    if (expr->arg_count == 0)
        return copy;
    const struct expr **args = ARENA_ARRAY(arena, expr->arg_count, const struct expr *);
    for (uint32_t i = 0; args && i < expr->arg_count; i++) {
        args[i] = expr_remap(arena, expr->args[i], map);
        if (!args[i])
            return NULL;
    }
    copy->args = args;
    return args ? copy : NULL;
}
