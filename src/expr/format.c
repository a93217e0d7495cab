/* format.c - expressions as SQL text, for EXPLAIN and error texts. Operators are written between
 * their arguments and in parentheses; implicit casts are left out. */
#include "expr/expr.h"

#include <ctype.h>

#include "base/must.h"

static void list(struct buf *out, const struct expr *expr, uint32_t first, const char *between,
                 const char *const *names)
{
    for (uint32_t i = first; i < expr->arg_count; i++) {
        if (i > first)
            buf_append_text(out, between);
        expr_format(out, expr->args[i], names);
    }
}

static bool is_operator(const char *name)
{
    return !isalpha((unsigned char)name[0]) || strchr(name, ' ') || strcmp(name, "LIKE") == 0;
}

static void format_call(struct buf *out, const struct expr *expr, const char *const *names)
{
    const char *name = expr->call.def->name;
    if (!is_operator(name)) {
        buf_printf(out, "%s(", name);
        list(out, expr, 0, ", ", names);
        buf_append_byte(out, ')');
        return;
    }
    buf_append_byte(out, '(');
    if (expr->arg_count == 1)
        buf_append_text(out, name);
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        if (i > 0)
            buf_printf(out, " %s ", i == 1 ? name : "ESCAPE");
        expr_format(out, expr->args[i], names);
    }
    buf_append_byte(out, ')');
}

static void format_case(struct buf *out, const struct expr *expr, const char *const *names)
{
    buf_append_text(out, "CASE");
    for (uint32_t i = 0; i + 1 < expr->arg_count; i += 2) {
        buf_append_text(out, " WHEN ");
        expr_format(out, expr->args[i], names);
        buf_append_text(out, " THEN ");
        expr_format(out, expr->args[i + 1], names);
    }
    buf_append_text(out, " ELSE ");
    expr_format(out, expr->args[expr->arg_count - 1], names);
    buf_append_text(out, " END");
}

static void format_cast(struct buf *out, const struct expr *expr, const char *const *names)
{
    if (expr->cast.implicit) {
        expr_format(out, expr->args[0], names);
        return;
    }
    buf_append_text(out, expr->cast.try_cast ? "TRY_CAST(" : "CAST(");
    expr_format(out, expr->args[0], names);
    buf_append_text(out, " AS ");
    struct type plain = *expr->type;
    plain.nullable = true;
    type_format(out, &plain);
    buf_append_byte(out, ')');
}

static void format_test(struct buf *out, const struct expr *expr, const char *const *names)
{
    const char *not = expr->test.negated ? "NOT " : "";
    buf_append_byte(out, '(');
    expr_format(out, expr->args[0], names);
    if (expr->kind == EXPR_IN) {
        buf_printf(out, " %sIN (", not );
        list(out, expr, 1, ", ", names);
        buf_append_byte(out, ')');
    } else if (expr->kind == EXPR_IS_NULL) {
        buf_printf(out, " IS %sNULL", not );
    } else {
        buf_printf(out, " IS %s%s", not,
                   expr->test.is_value > 0    ? "TRUE"
                   : expr->test.is_value == 0 ? "FALSE"
                                              : "UNKNOWN");
    }
    buf_append_byte(out, ')');
}

static void format_field(struct buf *out, const struct expr *expr, const char *const *names)
{
    expr_format(out, expr->args[0], names);
    const struct type *row = expr->args[0]->type;
    if (row->names)
        buf_printf(out, ".%s", row->names[expr->column]);
    else
        buf_printf(out, ".%u", expr->column);
}

void expr_format(struct buf *out, const struct expr *expr, const char *const *column_names)
{
    switch (expr->kind) {
    case EXPR_COLUMN:
        if (column_names)
            buf_append_text(out, column_names[expr->column]);
        else
            buf_printf(out, "$%u", expr->column);
        break;
    case EXPR_LITERAL:
        datum_format_sql(out, &expr->literal);
        break;
    case EXPR_CALL:
        format_call(out, expr, column_names);
        break;
    case EXPR_CAST:
        format_cast(out, expr, column_names);
        break;
    case EXPR_AND:
    case EXPR_OR:
        buf_append_byte(out, '(');
        list(out, expr, 0, expr->kind == EXPR_AND ? " AND " : " OR ", column_names);
        buf_append_byte(out, ')');
        break;
    case EXPR_NOT:
        buf_append_text(out, "NOT ");
        expr_format(out, expr->args[0], column_names);
        break;
    case EXPR_IS_NULL:
    case EXPR_IS_TRUE:
    case EXPR_IN:
        format_test(out, expr, column_names);
        break;
    case EXPR_CASE:
        format_case(out, expr, column_names);
        break;
    case EXPR_COALESCE:
        buf_append_text(out, "COALESCE(");
        list(out, expr, 0, ", ", column_names);
        buf_append_byte(out, ')');
        break;
    case EXPR_FIELD:
        format_field(out, expr, column_names);
        break;
    }
}
