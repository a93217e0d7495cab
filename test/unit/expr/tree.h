/* tree.h - expression trees by hand, for tests without SQL: calls are bound as the binder does it.
 */
#ifndef LEAT_TEST_EXPR_TREE_H
#define LEAT_TEST_EXPR_TREE_H

#include "base/must.h"
#include "expr/expr.h"

static struct arena tree_arena;

static struct expr *tree_node(enum expr_kind kind, const struct type *type, uint32_t count,
                              const struct expr *const *args)
{
    struct expr *expr = ARENA_NEW(&tree_arena, struct expr);
    const struct expr **copy = ARENA_ARRAY(&tree_arena, count ? count : 1, const struct expr *);
    must(expr && copy);
    for (uint32_t i = 0; i < count; i++)
        copy[i] = args[i];
    expr->kind = kind;
    expr->type = type;
    expr->arg_count = count;
    expr->args = copy;
    return expr;
}

static inline const struct expr *tree_column(uint32_t column, const struct type *type)
{
    struct expr *expr = tree_node(EXPR_COLUMN, type, 0, NULL);
    expr->column = column;
    return expr;
}

static inline const struct expr *tree_i64(const struct type *type, int64_t value)
{
    struct expr *expr = tree_node(EXPR_LITERAL, type, 0, NULL);
    expr->literal = (struct datum){.type = type, .i64 = value};
    if (type->root == TYPE_DECIMAL)
        expr->literal.decimal = value;
    return expr;
}

static inline const struct expr *tree_null(const struct type *type)
{
    struct expr *expr = tree_node(EXPR_LITERAL, type, 0, NULL);
    expr->literal = (struct datum){.type = type, .is_null = true};
    return expr;
}

static inline const struct expr *tree_text(const char *text)
{
    struct expr *expr = tree_node(EXPR_LITERAL, &TYPE_OF_STRING, 0, NULL);
    expr->literal = (struct datum){.type = &TYPE_OF_STRING, .text = str_of(text)};
    return expr;
}

static inline const struct expr *tree_cast(const struct expr *arg, const struct type *type,
                                           bool try_cast)
{
    struct expr *expr = tree_node(EXPR_CAST, type, 1, &arg);
    expr->cast.try_cast = try_cast;
    return expr;
}

/* NULL when the arguments' types are refused. */
static inline const struct expr *tree_call_n(const char *name, uint32_t count,
                                             const struct expr *const *args)
{
    struct error err = {0};
    struct function_bind bind = {.arena = &tree_arena, .arg_count = count};
    const struct function_def *def = function_find(str_of(name), NULL);
    const struct expr *coerced[8];
    must(def && count <= 8);
    for (uint32_t i = 0; i < count; i++) {
        bind.arg_types[i] = args[i]->type;
        bind.arg_constants[i] = args[i]->kind == EXPR_LITERAL ? &args[i]->literal : NULL;
    }
    if (def->bind(&bind, &err) != OK)
        return NULL;
    for (uint32_t i = 0; i < count; i++)
        coerced[i] = type_equals(args[i]->type, bind.arg_types[i])
                         ? args[i]
                         : tree_cast(args[i], bind.arg_types[i], false);
    struct expr *expr = tree_node(EXPR_CALL, bind.result, count, coerced);
    expr->call.def = def;
    expr->call.kernel = bind.kernel;
    expr->call.state = bind.state;
    return expr;
}

static inline const struct expr *tree_call(const char *name, const struct expr *a,
                                           const struct expr *b)
{
    const struct expr *args[] = {a, b};
    return tree_call_n(name, b ? 2 : 1, args);
}

static inline const struct expr *tree_logic(enum expr_kind kind, const struct expr *a,
                                            const struct expr *b)
{
    const struct expr *args[] = {a, b};
    return tree_node(kind, &TYPE_OF_BOOLEAN, b ? 2 : 1, args);
}

static inline const struct expr *tree_case(const struct expr *when, const struct expr *then,
                                           const struct expr *otherwise)
{
    const struct expr *args[] = {when, then, otherwise};
    return tree_node(EXPR_CASE, then->type, 3, args);
}

#endif
