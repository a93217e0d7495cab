/* bind_call.c - calls: special syntax to plain arguments, conditional functions, the function
 * table.
 *
 * The order of look-up: aggregates, functions that decide what is evaluated (COALESCE, IF, NULLIF,
 * IFNULL), the function table.
 */
#include "sql/bind_int.h"

#include "base/must.h"

/* Functions whose first argument is a bare time unit. */
static bool takes_unit(struct str name)
{
    return str_eq_nocase(name, STR("TIMESTAMPADD")) || str_eq_nocase(name, STR("TIMESTAMPDIFF"));
}

static enum status bind_unit(struct binder *binder, const struct ast_expr *ast,
                             const struct expr **out)
{
    static const struct str odbc = {"SQL_TSI_", 8}; /* ODBC's names of the units */
    struct str word = ast->kind == AST_NAME && ast->name->part_count == 1 ? ast->name->parts[0]
                      : ast->kind == AST_UNIT                             ? ast->text
                                                                          : (struct str){0};
    if (word.length > odbc.length && str_eq_nocase((struct str){word.data, odbc.length}, odbc))
        word = (struct str){word.data + odbc.length, word.length - odbc.length};
    const char *unit = word.data ? bind_unit_name(word) : NULL;
    if (!unit)
        return bind_fail(
            binder, ERR_SYNTAX, ast->pos,
            "a time unit like YEAR, MONTH, DAY, HOUR, MINUTE, SECOND stands here%s%.*s",
            word.data ? ", not " : "", word.length > 60 ? 60 : (int)word.length,
            word.data ? word.data : "");
    *out = expr_new_text(binder, str_of(unit), ast->pos);
    return bind_memory(binder);
}

/* BOTH, LEADING, TRAILING */
static enum status bind_side(struct binder *binder, const struct ast_expr *ast,
                             const struct expr **out)
{
    static const char *const SIDES[] = {"BOTH", "LEADING", "TRAILING"};
    for (size_t i = 0; i < COUNT_OF(SIDES); i++)
        if (str_eq_nocase(ast->text, str_of(SIDES[i])))
            *out = expr_new_text(binder, str_of(SIDES[i]), ast->pos);
    return bind_memory(binder);
}

struct call_args {
    const struct expr **exprs; /* room for two more than the call has */
    uint32_t count;
};

static enum status bind_plain(struct binder *binder, const struct scope *scope,
                              const struct ast_expr *arg, struct call_args *args)
{
    for (; arg; arg = arg->next)
        TRY(bind_expr(binder, scope, arg, &args->exprs[args->count++]));
    return OK;
}

static enum status wrong_form(struct binder *binder, const struct ast_expr *ast, const char *word)
{
    struct str name = ast->name->parts[0];
    return bind_fail(binder, ERR_SYNTAX, ast->pos, "%s cannot stand between the arguments of %.*s",
                     word, name.length > 60 ? 60 : (int)name.length, name.data);
}

/* TRIM(s), TRIM(c FROM s), TRIM(side [c] FROM s) are all TRIM(side, c, s). */
static enum status bind_trim(struct binder *binder, const struct scope *scope,
                             const struct ast_expr *ast, struct call_args *args)
{
    const struct ast_expr *arg = ast->args.first;
    uint32_t given = ast->args.count;
    if (ast->call.form == AST_FORM_TRIM) {
        TRY(bind_side(binder, arg, &args->exprs[args->count++]));
        arg = arg->next;
        given--;
    } else {
        args->exprs[args->count++] = expr_new_text(binder, STR("BOTH"), ast->pos);
    }
    if (given == 1)
        args->exprs[args->count++] = expr_new_text(binder, STR(" "), ast->pos);
    TRY(bind_memory(binder));
    return bind_plain(binder, scope, arg, args);
}

static enum status bind_call_args(struct binder *binder, const struct scope *scope,
                                  const struct ast_expr *ast, struct call_args *args)
{
    struct str name = ast->name->parts[0];
    const struct ast_expr *arg = ast->args.first;
    enum ast_form form = ast->call.form;
    bool trim = str_eq_nocase(name, STR("TRIM"));
    args->exprs = ARENA_ARRAY(binder->arena, ast->args.count + 2, const struct expr *);
    args->count = 0;
    TRY(bind_memory(binder));
    if (trim && form == AST_FORM_FROM && ast->args.count == 3)
        return wrong_form(binder, ast, "FOR");
    if (trim && (form == AST_FORM_TRIM || form == AST_FORM_FROM || ast->args.count == 1))
        return bind_trim(binder, scope, ast, args);
    switch (form) {
    case AST_FORM_TRIM:
        return wrong_form(binder, ast, "BOTH, LEADING or TRAILING");
    case AST_FORM_TO:
        if (!str_eq_nocase(name, STR("FLOOR")) && !str_eq_nocase(name, STR("CEIL")) &&
            !str_eq_nocase(name, STR("CEILING")))
            return wrong_form(binder, ast, "TO");
        TRY(bind_expr(binder, scope, arg, &args->exprs[args->count++]));
        return bind_unit(binder, arg->next, &args->exprs[args->count++]);
    case AST_FORM_FROM:
        if (str_eq_nocase(name, STR("EXTRACT")) && ast->args.count == 2) {
            TRY(bind_unit(binder, arg, &args->exprs[args->count++]));
            return bind_plain(binder, scope, arg->next, args);
        }
        if (!str_eq_nocase(name, STR("SUBSTRING")) && !str_eq_nocase(name, STR("SUBSTR")))
            return wrong_form(binder, ast, "FROM");
        return bind_plain(binder, scope, arg, args);
    case AST_FORM_PLACING:
        if (!str_eq_nocase(name, STR("OVERLAY")))
            return wrong_form(binder, ast, "PLACING");
        return bind_plain(binder, scope, arg, args);
    case AST_FORM_IN:
    case AST_FORM_COMMA:
        break;
    }
    if (takes_unit(name) && arg) {
        TRY(bind_unit(binder, arg, &args->exprs[args->count++]));
        arg = arg->next;
    }
    return bind_plain(binder, scope, arg, args);
}

/* ---- functions that decide what is evaluated */

static enum status arg_count_error(struct binder *binder, struct source_pos pos, const char *usage)
{
    return bind_fail(binder, ERR_TYPE, pos, "it is written %s", usage);
}

static enum status bind_coalesce(struct binder *binder, struct source_pos pos,
                                 struct call_args *args, const struct expr **out)
{
    const struct type *type;
    bool nullable = true;
    if (!args->count)
        return arg_count_error(binder, pos, "COALESCE(value, value, ...)");
    TRY(bind_unify(binder, args->exprs, args->count, "COALESCE", &type));
    if (type->root == TYPE_NULL)
        return bind_fail(binder, ERR_TYPE, pos, "at least one argument must not be NULL");
    for (uint32_t i = 0; i < args->count; i++)
        nullable = nullable && args->exprs[i]->type->nullable;
    *out = expr_new_args(binder, EXPR_COALESCE, bind_with_nullable(binder, type, nullable), pos,
                         args->exprs, args->count);
    return bind_memory(binder);
}

/* condition ? yes : no */
static enum status make_if(struct binder *binder, struct source_pos pos,
                           const struct expr *condition, const struct expr *yes,
                           const struct expr *no, const char *what, const struct expr **out)
{
    const struct expr *results[] = {yes, no};
    const struct type *type;
    TRY(bind_unify(binder, results, 2, what, &type));
    if (type->root == TYPE_NULL)
        return bind_fail(binder, ERR_TYPE, pos, "at least one result of %s must not be NULL", what);
    const struct expr *args[] = {condition, results[0], results[1]};
    *out = expr_new_args(binder, EXPR_CASE, type, pos, args, 3);
    return bind_memory(binder);
}

static enum status bind_if(struct binder *binder, struct source_pos pos, struct call_args *args,
                           const struct expr **out)
{
    if (args->count != 3)
        return arg_count_error(binder, pos, "IF(condition, value, otherwise)");
    if (args->exprs[0]->type->root != TYPE_BOOLEAN)
        return bind_fail(binder, ERR_TYPE, args->exprs[0]->pos, "the condition must be BOOLEAN");
    return make_if(binder, pos, args->exprs[0], args->exprs[1], args->exprs[2], "IF", out);
}

static enum status bind_nullif(struct binder *binder, struct source_pos pos, struct call_args *args,
                               const struct expr **out)
{
    const struct expr *equal, *pair[2];
    if (args->count != 2)
        return arg_count_error(binder, pos, "NULLIF(value, value)");
    const struct expr *value = args->exprs[0];
    memcpy(pair, args->exprs, sizeof(pair));
    TRY(bind_function(binder, pos, "=", pair, 2, &equal));
    const struct expr *null = expr_new_null(binder, value->type, pos);
    TRY(bind_memory(binder));
    return make_if(binder, pos, equal, null, value, "NULLIF", out);
}

static const struct conditional {
    const char *name;
    enum status (*bind)(struct binder *binder, struct source_pos pos, struct call_args *args,
                        const struct expr **out);
} CONDITIONALS[] = {
    {"COALESCE", bind_coalesce},
    {"IF", bind_if},
    {"IFNULL", bind_coalesce},
    {"NULLIF", bind_nullif},
};

/* ---- the function table */

static enum status unknown_function(struct binder *binder, struct source_pos pos, struct str name,
                                    bool known_to_flink)
{
    int length = name.length > 80 ? 80 : (int)name.length;
    if (known_to_flink)
        return bind_unsupported(binder, pos, "the function %.*s", length, name.data);
    size_t scalar_count, aggregate_count;
    const struct function_def *const *scalars = function_table(&scalar_count);
    const struct aggregate_def *const *aggregates = aggregate_table(&aggregate_count);
    size_t count = 0;
    const char **names = ARENA_ARRAY(
        binder->arena, scalar_count + aggregate_count + COUNT_OF(CONDITIONALS), const char *);
    TRY(bind_memory(binder));
    for (size_t i = 0; i < scalar_count; i++)
        names[count++] = scalars[i]->name;
    for (size_t i = 0; i < aggregate_count; i++)
        names[count++] = aggregates[i]->name;
    for (size_t i = 0; i < COUNT_OF(CONDITIONALS); i++)
        names[count++] = CONDITIONALS[i].name;
    const char *nearest = str_nearest(name, names, count);
    enum status status =
        bind_fail(binder, ERR_NAME, pos, "there is no function '%.*s'", length, name.data);
    if (nearest)
        error_hint(binder->err, "did you mean %s?", nearest);
    return status;
}

/* Constants for functions that look at them (patterns, units, formats). */
static enum status constants_of(struct binder *binder, const struct expr *const *args,
                                uint32_t count, struct function_bind *bind)
{
    for (uint32_t i = 0; i < count; i++) {
        struct datum *datum;
        bool found;
        if (args[i]->kind == EXPR_LITERAL) {
            bind->arg_constants[i] = &args[i]->literal;
        } else if (args[i]->kind != EXPR_COLUMN) {
            datum = ARENA_NEW(binder->arena, struct datum);
            TRY(bind_memory(binder));
            TRY(bind_try_constant(binder, args[i], datum, &found));
            if (found)
                bind->arg_constants[i] = datum;
        }
    }
    return OK;
}

/* The statement frees the state of a call (a compiled pattern). */
static enum status hold_state(struct binder *binder, const struct function_bind *bind)
{
    if (!bind->release_state)
        return OK;
    struct sql_reference *reference = ARENA_NEW(binder->arena, struct sql_reference);
    if (!reference) {
        bind->release_state(bind->state);
        return bind_memory(binder);
    }
    reference->release_state = bind->release_state;
    reference->state = bind->state;
    reference->next = binder->references;
    binder->references = reference;
    return OK;
}

static enum status bind_def(struct binder *binder, struct source_pos pos,
                            const struct function_def *def, const struct expr **args,
                            uint32_t count, const struct expr **out)
{
    struct function_bind bind = {
        .arena = binder->arena,
        .session = binder->session->function_session,
        .pos = pos,
        .arg_count = count,
    };
    if (count < def->min_args || count > def->max_args || count > FUNCTION_ARGS_MAX)
        return bind_fail(binder, ERR_TYPE, pos, "%s does not take %u argument%s; it is written %s",
                         def->name, count, count == 1 ? "" : "s", def->signature);
    for (uint32_t i = 0; i < count; i++)
        bind.arg_types[i] = bind_plain_type(binder, args[i]->type);
    TRY(bind_memory(binder));
    TRY(constants_of(binder, args, count, &bind));
    enum status status = def->bind(&bind, binder->err);
    if (status != OK) {
        if (binder->err && !binder->err->pos.line)
            error_at(binder->err, pos);
        return status;
    }
    TRY(hold_state(binder, &bind));
    for (uint32_t i = 0; i < count; i++)
        TRY(bind_coerce(binder, args[i], bind.arg_types[i], def->name, &args[i]));
    struct expr *expr =
        (struct expr *)expr_new_args(binder, EXPR_CALL, bind.result, pos, args, count);
    TRY(bind_memory(binder));
    expr->call.def = def;
    expr->call.kernel = bind.kernel;
    expr->call.state = bind.state;
    *out = expr;
    return OK;
}

enum status bind_function(struct binder *binder, struct source_pos pos, const char *name,
                          const struct expr **args, uint32_t arg_count, const struct expr **out)
{
    bool known_to_flink = false;
    const struct function_def *def = function_find(str_of(name), &known_to_flink);
    if (!def)
        return unknown_function(binder, pos, str_of(name), known_to_flink);
    return bind_def(binder, pos, def, args, arg_count, out);
}

static bool is_window_auxiliary(struct str name)
{
    static const char *const NAMES[] = {
        "TUMBLE",   "TUMBLE_START",  "TUMBLE_END",  "TUMBLE_ROWTIME",  "TUMBLE_PROCTIME",
        "HOP",      "HOP_START",     "HOP_END",     "HOP_ROWTIME",     "HOP_PROCTIME",
        "SESSION",  "SESSION_START", "SESSION_END", "SESSION_ROWTIME", "SESSION_PROCTIME",
        "CUMULATE",
    };
    for (size_t i = 0; i < COUNT_OF(NAMES); i++)
        if (str_eq_nocase(name, str_of(NAMES[i])))
            return true;
    return false;
}

enum status bind_call(struct binder *binder, const struct scope *scope, const struct ast_expr *ast,
                      const struct expr **out)
{
    struct str name = ast->name->parts[0];
    struct call_args args;
    bool known_to_flink = false, is_aggregate_of_flink = false;
    if (ast->name->part_count > 1)
        return bind_unsupported(binder, ast->name->pos, "a function of a catalog or database");
    const struct aggregate_def *aggregate = aggregate_find(name, &is_aggregate_of_flink);
    if (aggregate)
        return bind_aggregate_call(binder, scope, ast, aggregate, out);
    if (is_aggregate_of_flink && !function_find(name, NULL))
        return bind_unsupported(binder, ast->name->pos, "the aggregate function %.*s",
                                (int)name.length, name.data);
    if (is_window_auxiliary(name))
        return bind_group_window_call(binder, scope, ast, out);
    if (ast->call.distinct || ast->call.filter)
        return bind_fail(binder, ERR_SYNTAX, ast->pos,
                         "%.*s is no aggregate function, so %s "
                         "cannot stand here",
                         name.length > 60 ? 60 : (int)name.length, name.data,
                         ast->call.distinct ? "DISTINCT" : "FILTER");
    const struct function_def *def = function_find(name, &known_to_flink);
    const struct conditional *conditional = NULL;
    for (size_t i = 0; i < COUNT_OF(CONDITIONALS); i++)
        if (str_eq_nocase(name, str_of(CONDITIONALS[i].name)))
            conditional = &CONDITIONALS[i];
    if (!def && !conditional)
        return unknown_function(binder, ast->name->pos, name, known_to_flink);
    TRY(bind_call_args(binder, scope, ast, &args));
    return conditional ? conditional->bind(binder, ast->pos, &args, out)
                       : bind_def(binder, ast->pos, def, args.exprs, args.count, out);
}
