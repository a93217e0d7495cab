/* bind_expr.c - expressions: logic, tests, CASE, IN, BETWEEN, CAST; coercion to a wanted type. */
#include "sql/bind_int.h"

#include "base/must.h"

/* Whether NULL is allowed says nothing in a message about types. */
void format_type_text(char *out, size_t size, const struct type *type)
{
    struct type nullable = *type;
    struct buf buf;
    nullable.nullable = true;
    buf_init(&buf, 4096);
    type_format(&buf, &nullable);
    snprintf(out, size, "%s", buf.failed ? "?" : buf_text(&buf));
    buf_fini(&buf);
}

/* No conversion is needed: the same physical values are valid in the wider type. */
static bool fits_as_it_is(const struct type *from, const struct type *to)
{
    if (type_same(from, to))
        return true;
    return (to->root == TYPE_VARCHAR && type_is_text(from) && from->length <= to->length) ||
           (to->root == TYPE_VARBINARY && type_is_bytes(from) && from->length <= to->length);
}

enum status bind_coerce(struct binder *binder, const struct expr *expr, const struct type *type,
                        const char *what, const struct expr **out)
{
    *out = expr;
    if (fits_as_it_is(expr->type, type))
        return OK;
    if (expr->type->root != TYPE_NULL && !cast_allowed(expr->type, type)) {
        char from[128], to[128];
        format_type_text(from, sizeof(from), expr->type);
        format_type_text(to, sizeof(to), type);
        return bind_fail(binder, ERR_TYPE, expr->pos, "%s needs %s here, not %s", what, to, from);
    }
    *out = expr_new_cast(binder, expr, type, true);
    return bind_memory(binder);
}

enum status bind_condition(struct binder *binder, const struct scope *scope,
                           const struct ast_expr *ast, const struct expr **out)
{
    const struct expr *expr;
    TRY(bind_expr(binder, scope, ast, &expr));
    if (expr->type->root == TYPE_NULL) {
        *out = expr_new_null(binder, &TYPE_OF_BOOLEAN, expr->pos);
        return bind_memory(binder);
    }
    if (expr->type->root != TYPE_BOOLEAN) {
        char type[128];
        format_type_text(type, sizeof(type), expr->type);
        return bind_fail(binder, ERR_TYPE, expr->pos, "a BOOLEAN is needed here (%s), this is %s",
                         scope->clause ? scope->clause : "a condition", type);
    }
    *out = expr;
    return OK;
}

enum status bind_unify(struct binder *binder, const struct expr **exprs, uint32_t count,
                       const char *what, const struct type **type)
{
    const struct type **types = ARENA_ARRAY(binder->arena, count, const struct type *);
    TRY(bind_memory(binder));
    for (uint32_t i = 0; i < count; i++)
        types[i] = exprs[i]->type;
    *type = function_common_type(binder->arena, types, count);
    TRY(bind_memory(binder));
    if (!*type) {
        char first[128], other[128];
        uint32_t k = 1;
        while (k + 1 < count && function_common_type(binder->arena, types, k + 1))
            k++;
        format_type_text(first, sizeof(first), types[0]);
        format_type_text(other, sizeof(other), types[k]);
        return bind_fail(binder, ERR_TYPE, exprs[k]->pos,
                         "%s needs values of one type; %s and %s have none in common", what, first,
                         other);
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!fits_as_it_is(exprs[i]->type, *type))
            exprs[i] = expr_new_cast(binder, exprs[i], *type, true);
        TRY(bind_memory(binder));
    }
    return OK;
}

static const struct type *boolean(struct binder *binder, bool nullable)
{
    return bind_with_nullable(binder, &TYPE_OF_BOOLEAN, nullable);
}

static bool any_nullable(const struct expr *const *exprs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (exprs[i]->type->nullable)
            return true;
    return false;
}

static enum status bind_args(struct binder *binder, const struct scope *scope,
                             const struct ast_expr *ast, const struct expr ***out)
{
    const struct expr **args = ARENA_ARRAY(binder->arena, ast->args.count + 2, const struct expr *);
    TRY(bind_memory(binder));
    uint32_t i = 0;
    for (const struct ast_expr *arg = ast->args.first; arg; arg = arg->next)
        TRY(bind_expr(binder, scope, arg, &args[i++]));
    *out = args;
    return OK;
}

static enum status bind_logic(struct binder *binder, const struct scope *scope,
                              const struct ast_expr *ast, const struct expr **out)
{
    uint32_t count = ast->args.count, i = 0;
    const struct expr **args = ARENA_ARRAY(binder->arena, count, const struct expr *);
    TRY(bind_memory(binder));
    struct scope inner = *scope;
    inner.clause = ast->kind == AST_AND ? "AND" : ast->kind == AST_OR ? "OR" : "NOT";
    for (const struct ast_expr *arg = ast->args.first; arg; arg = arg->next)
        TRY(bind_condition(binder, &inner, arg, &args[i++]));
    enum expr_kind kind = ast->kind == AST_AND  ? EXPR_AND
                          : ast->kind == AST_OR ? EXPR_OR
                                                : EXPR_NOT;
    *out = expr_new_args(binder, kind, boolean(binder, any_nullable(args, count)), ast->pos, args,
                         count);
    return bind_memory(binder);
}

static const struct expr *negate(struct binder *binder, const struct expr *expr, bool negated)
{
    return negated && expr ? expr_new_args(binder, EXPR_NOT, expr->type, expr->pos, &expr, 1)
                           : expr;
}

static enum status bind_is(struct binder *binder, const struct scope *scope,
                           const struct ast_expr *ast, const struct expr **out)
{
    const struct expr *arg;
    bool is_null = ast->test == AST_TEST_NULL;
    struct scope inner = *scope;
    inner.clause = "IS TRUE, FALSE or UNKNOWN";
    TRY(is_null ? bind_expr(binder, scope, ast->args.first, &arg)
                : bind_condition(binder, &inner, ast->args.first, &arg));
    struct expr *expr = (struct expr *)expr_new_args(binder, is_null ? EXPR_IS_NULL : EXPR_IS_TRUE,
                                                     boolean(binder, false), ast->pos, &arg, 1);
    TRY(bind_memory(binder));
    expr->test.negated = ast->negated;
    expr->test.is_value = ast->test == AST_TEST_TRUE ? 1 : ast->test == AST_TEST_FALSE ? 0 : -1;
    *out = expr;
    return OK;
}

static enum status compare(struct binder *binder, struct source_pos pos, const char *sign,
                           const struct expr *left, const struct expr *right,
                           const struct expr **out)
{
    const struct expr *args[] = {left, right};
    return bind_function(binder, pos, sign, args, 2, out);
}

static enum status between(struct binder *binder, struct source_pos pos,
                           const struct expr *const *args, bool exchanged, const struct expr **out)
{
    const struct expr *sides[2];
    TRY(compare(binder, pos, ">=", args[0], args[exchanged ? 2 : 1], &sides[0]));
    TRY(compare(binder, pos, "<=", args[0], args[exchanged ? 1 : 2], &sides[1]));
    *out = expr_new_args(binder, EXPR_AND, boolean(binder, any_nullable(sides, 2)), pos, sides, 2);
    return bind_memory(binder);
}

static enum status bind_between(struct binder *binder, const struct scope *scope,
                                const struct ast_expr *ast, const struct expr **out)
{
    const struct expr **args, *sides[2];
    TRY(bind_args(binder, scope, ast, &args));
    TRY(between(binder, ast->pos, args, false, &sides[0]));
    if (ast->symmetric) {
        TRY(between(binder, ast->pos, args, true, &sides[1]));
        sides[0] = expr_new_args(binder, EXPR_OR, boolean(binder, any_nullable(sides, 2)), ast->pos,
                                 sides, 2);
    }
    *out = negate(binder, sides[0], ast->negated);
    return bind_memory(binder);
}

enum status bind_try_constant(struct binder *binder, const struct expr *expr, struct datum *out,
                              bool *found)
{
    struct error inner = {0};
    enum status status = OK;
    if (expr->kind == EXPR_LITERAL)
        *out = expr->literal;
    else
        status = expr_constant(binder->arena, expr, binder->session->function_session, out, &inner);
    *found = status == OK;
    if (status == ERR_MEMORY || status == ERR_BUDGET)
        return bind_fail(binder, status, expr->pos, "%s", inner.text);
    return OK;
}

/* Literals after their cast, so that IN compares plain values. */
static enum status fold_literal(struct binder *binder, const struct expr **expr, bool *folded)
{
    struct datum datum;
    *folded = (*expr)->kind == EXPR_LITERAL;
    if ((*expr)->kind != EXPR_CAST || (*expr)->args[0]->kind != EXPR_LITERAL)
        return OK;
    TRY(bind_try_constant(binder, *expr, &datum, folded));
    if (!*folded)
        return OK;
    struct expr *literal = expr_new(binder, EXPR_LITERAL, (*expr)->type, (*expr)->pos);
    TRY(bind_memory(binder));
    literal->literal = datum;
    literal->literal.type = literal->type;
    *expr = literal;
    return OK;
}

static enum status bind_in(struct binder *binder, const struct scope *scope,
                           const struct ast_expr *ast, const struct expr **out)
{
    const struct expr **args;
    const struct type *common;
    uint32_t count = ast->args.count;
    bool literals = true;
    TRY(bind_args(binder, scope, ast, &args));
    /* Text against another type: each pair as = would have it. */
    const struct expr **alone = ARENA_ARRAY(binder->arena, count, const struct expr *);
    TRY(bind_memory(binder));
    memcpy(alone, args, count * sizeof(*args));
    bool mixed = false;
    for (uint32_t i = 1; i < count; i++)
        mixed = mixed || (type_is_text(args[i]->type) != type_is_text(args[0]->type) &&
                          args[i]->type->root != TYPE_NULL);
    if (!mixed) {
        TRY(bind_unify(binder, args, count, "IN", &common));
        for (uint32_t i = 1; i < count && literals; i++)
            TRY(fold_literal(binder, &args[i], &literals));
    }
    TRY(bind_memory(binder));
    if (!mixed && literals && args[0]->type->root != TYPE_NULL) {
        struct expr *expr = (struct expr *)expr_new_args(
            binder, EXPR_IN, boolean(binder, any_nullable(args, count)), ast->pos, args, count);
        TRY(bind_memory(binder));
        expr->test.negated = ast->negated;
        *out = expr;
        return OK;
    }
    const struct expr **equal = ARENA_ARRAY(binder->arena, count, const struct expr *);
    TRY(bind_memory(binder));
    for (uint32_t i = 1; i < count; i++)
        TRY(compare(binder, alone[i]->pos, "=", alone[0], alone[i], &equal[i - 1]));
    const struct expr *any =
        count == 2 ? equal[0]
                   : expr_new_args(binder, EXPR_OR, boolean(binder, any_nullable(equal, count - 1)),
                                   ast->pos, equal, count - 1);
    *out = negate(binder, any, ast->negated);
    return bind_memory(binder);
}

/* args: when, then, ..., else. Coerces the results to one type. */
static enum status make_case(struct binder *binder, struct source_pos pos, const struct expr **args,
                             uint32_t count, const struct expr **out)
{
    uint32_t result_count = (count - 1) / 2 + 1;
    const struct expr **results = ARENA_ARRAY(binder->arena, result_count, const struct expr *);
    const struct type *type;
    TRY(bind_memory(binder));
    for (uint32_t i = 0; i < result_count; i++)
        results[i] = args[i + 1 < result_count ? 2 * i + 1 : count - 1];
    TRY(bind_unify(binder, results, result_count, "CASE", &type));
    if (type->root == TYPE_NULL)
        return bind_fail(binder, ERR_TYPE, pos, "at least one result of CASE must not be NULL");
    for (uint32_t i = 0; i < result_count; i++)
        args[i + 1 < result_count ? 2 * i + 1 : count - 1] = results[i];
    *out = expr_new_args(binder, EXPR_CASE, type, pos, args, count);
    return bind_memory(binder);
}

static enum status bind_case(struct binder *binder, const struct scope *scope,
                             const struct ast_expr *ast, const struct expr **out)
{
    const struct expr **args = ARENA_ARRAY(binder->arena, ast->args.count + 2, const struct expr *);
    const struct expr *operand = NULL;
    const struct ast_expr *arg = ast->args.first;
    uint32_t count = 0;
    struct scope inner = *scope;
    inner.clause = "WHEN";
    TRY(bind_memory(binder));
    if (ast->cases.has_operand) {
        TRY(bind_expr(binder, scope, arg, &operand));
        arg = arg->next;
    }
    for (; arg && arg->next; arg = arg->next) {
        if (operand) {
            const struct expr *value;
            TRY(bind_expr(binder, scope, arg, &value));
            TRY(compare(binder, arg->pos, "=", operand, value, &args[count++]));
        } else {
            TRY(bind_condition(binder, &inner, arg, &args[count++]));
        }
        arg = arg->next;
        TRY(bind_expr(binder, scope, arg, &args[count++]));
    }
    if (ast->cases.has_else)
        TRY(bind_expr(binder, scope, arg, &args[count]));
    else
        args[count] = expr_new_null(binder, &TYPE_OF_NULL, ast->pos);
    TRY(bind_memory(binder));
    return make_case(binder, ast->pos, args, count + 1, out);
}

static enum status bind_cast(struct binder *binder, const struct scope *scope,
                             const struct ast_expr *ast, const struct expr **out)
{
    const struct expr *arg;
    const struct type *type;
    TRY(bind_expr(binder, scope, ast->args.first, &arg));
    TRY(bind_type(binder, binder->arena, ast->cast.type, &type));
    bool nullable = arg->type->nullable || ast->cast.try_cast;
    type = bind_with_nullable(binder, type, nullable);
    TRY(bind_memory(binder));
    if (arg->type->root == TYPE_NULL) {
        *out = expr_new_null(binder, type, ast->pos);
        return bind_memory(binder);
    }
    if (!cast_allowed(arg->type, type)) {
        char from[128], to[128];
        format_type_text(from, sizeof(from), arg->type);
        format_type_text(to, sizeof(to), type);
        return bind_fail(binder, ERR_TYPE, ast->pos, "%s cannot be cast to %s", from, to);
    }
    struct expr *cast = (struct expr *)expr_new_args(binder, EXPR_CAST, type, ast->pos, &arg, 1);
    if (cast)
        cast->cast.try_cast = ast->cast.try_cast;
    *out = cast;
    return bind_memory(binder);
}

enum status bind_constant(struct binder *binder, const struct expr *expr, const char *what,
                          struct datum *out)
{
    bool found;
    TRY(bind_try_constant(binder, expr, out, &found));
    if (!found || out->is_null)
        return bind_fail(binder, ERR_TYPE, expr->pos, "the %s must be a constant", what);
    return OK;
}

enum status bind_expr(struct binder *binder, const struct scope *scope, const struct ast_expr *ast,
                      const struct expr **out)
{
    switch (ast->kind) {
    case AST_NAME:
        return bind_name(binder, scope, ast->name, out);
    case AST_CALL:
        return bind_call(binder, scope, ast, out);
    case AST_AND:
    case AST_OR:
    case AST_NOT:
        return bind_logic(binder, scope, ast, out);
    case AST_IS:
        return bind_is(binder, scope, ast, out);
    case AST_BETWEEN:
        return bind_between(binder, scope, ast, out);
    case AST_IN:
        return bind_in(binder, scope, ast, out);
    case AST_CASE:
        return bind_case(binder, scope, ast, out);
    case AST_CAST:
        return bind_cast(binder, scope, ast, out);
    case AST_FIELD: {
        const struct expr *row;
        TRY(bind_expr(binder, scope, ast->args.first, &row));
        return bind_field(binder, row, ast->name, out);
    }
    case AST_ROW:
        return bind_unsupported(binder, ast->pos, "the ROW constructor");
    case AST_ARRAY:
        return bind_unsupported(binder, ast->pos, "the ARRAY constructor");
    case AST_MAP:
        return bind_unsupported(binder, ast->pos, "the MAP constructor");
    case AST_INDEX:
        return bind_unsupported(binder, ast->pos, "access by [index]");
    case AST_STAR:
        return bind_fail(binder, ERR_SYNTAX, ast->pos, "* cannot stand here");
    case AST_UNIT:
    case AST_TABLE:
    case AST_DESCRIPTOR:
    case AST_NAMED:
        return bind_fail(binder, ERR_SYNTAX, ast->pos,
                         "this argument is only for table functions like TUMBLE");
    default:
        return bind_literal(binder, ast, out);
    }
}
