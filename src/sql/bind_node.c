/* bind_node.c - nodes of bound expressions, and substitution of columns. */
#include "sql/bind_int.h"

struct expr *expr_new(struct binder *binder, enum expr_kind kind, const struct type *type,
                      struct source_pos pos)
{
    struct expr *expr = ARENA_NEW(binder->arena, struct expr);
    if (!expr || !type) {
        binder->arena->failed = true;
        return NULL;
    }
    expr->kind = kind;
    expr->type = type;
    expr->pos = pos;
    return expr;
}

const struct expr *expr_new_column(struct binder *binder, uint32_t column, const struct type *type,
                                   struct source_pos pos)
{
    struct expr *expr = expr_new(binder, EXPR_COLUMN, type, pos);
    if (expr)
        expr->column = column;
    return expr;
}

const struct expr *expr_new_null(struct binder *binder, const struct type *type,
                                 struct source_pos pos)
{
    struct expr *expr = expr_new(binder, EXPR_LITERAL, bind_with_nullable(binder, type, true), pos);
    if (expr)
        expr->literal = (struct datum){.type = expr->type, .is_null = true};
    return expr;
}

const struct expr *expr_new_text(struct binder *binder, struct str text, struct source_pos pos)
{
    const struct type *type = type_text(binder->arena, TYPE_CHAR, (int32_t)text.length, false);
    struct expr *expr = expr_new(binder, EXPR_LITERAL, type, pos);
    if (expr)
        expr->literal = (struct datum){.type = type, .text = text};
    return expr;
}

const struct expr *expr_new_args(struct binder *binder, enum expr_kind kind,
                                 const struct type *type, struct source_pos pos,
                                 const struct expr *const *args, uint32_t arg_count)
{
    struct expr *expr = expr_new(binder, kind, type, pos);
    const struct expr **own = ARENA_ARRAY(binder->arena, arg_count + 1, const struct expr *);
    if (!expr || !own)
        return NULL;
    if (arg_count)
        memcpy(own, args, arg_count * sizeof(*args));
    expr->args = own;
    expr->arg_count = arg_count;
    return expr;
}

const struct expr *expr_new_cast(struct binder *binder, const struct expr *expr,
                                 const struct type *type, bool implicit)
{
    /* A NULL literal simply has the type. */
    if (expr->kind == EXPR_LITERAL && expr->literal.is_null)
        return expr_new_null(binder, type, expr->pos);
    struct expr *cast = (struct expr *)expr_new_args(
        binder, EXPR_CAST, bind_with_nullable(binder, type, expr->type->nullable), expr->pos, &expr,
        1);
    if (cast)
        cast->cast.implicit = implicit;
    return cast;
}

const struct type *bind_plain_type(struct binder *binder, const struct type *type)
{
    return type->time_attribute == TIME_ATTRIBUTE_NONE
               ? type
               : type_with_time_attribute(binder->arena, type, TIME_ATTRIBUTE_NONE);
}

const struct type *bind_with_nullable(struct binder *binder, const struct type *type, bool nullable)
{
    return type->nullable == nullable ? type : type_with_nullable(binder->arena, type, nullable);
}

const struct expr *expr_substitute(struct binder *binder, const struct expr *expr,
                                   const struct expr *const *columns)
{
    if (expr->kind == EXPR_COLUMN)
        return columns[expr->column];
    if (!expr->arg_count)
        return expr;
    struct expr *copy = ARENA_NEW(binder->arena, struct expr);
    const struct expr **args = ARENA_ARRAY(binder->arena, expr->arg_count, const struct expr *);
    if (!copy || !args)
        return NULL;
    *copy = *expr;
    copy->args = args;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        args[i] = expr_substitute(binder, expr->args[i], columns);
        if (!args[i])
            return NULL;
    }
    return copy;
}
