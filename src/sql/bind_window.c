/* bind_window.c - the window table function TUMBLE as a REL_WINDOW.
 *
 * TUMBLE(TABLE t, DESCRIPTOR(c), size [, offset]), or with the names DATA, TIMECOL, SIZE, OFFSET.
 * The result has the input's columns, of which none is a time attribute any more, and window_start,
 * window_end, window_time (the new time attribute). GROUP BY TUMBLE(c, size) is the same with the
 * window put below the grouping, and TUMBLE_START and its like are those columns.
 */
#include "sql/bind_int.h"

#include "base/must.h"

enum { ARG_DATA, ARG_TIMECOL, ARG_SIZE, ARG_OFFSET, ARG_COUNT };
static const char *const ARG_NAMES[ARG_COUNT] = {"DATA", "TIMECOL", "SIZE", "OFFSET"};
static const char USAGE[] = "TUMBLE(TABLE t, DESCRIPTOR(time column), size [, offset])";

static enum status collect_args(struct binder *binder, const struct ast_expr *call,
                                const struct ast_expr **args)
{
    uint32_t position = 0;
    for (const struct ast_expr *arg = call->args.first; arg; arg = arg->next) {
        uint32_t at = position++;
        const struct ast_expr *value = arg;
        if (arg->kind == AST_NAMED) {
            value = arg->args.first;
            for (at = 0; at < ARG_COUNT; at++)
                if (str_eq_nocase(arg->name->parts[0], str_of(ARG_NAMES[at])))
                    break;
        }
        if (at >= ARG_COUNT || args[at])
            return bind_fail(binder, ERR_SYNTAX, arg->pos,
                             "this argument does not fit; it is "
                             "written %s",
                             USAGE);
        args[at] = value;
    }
    if (!args[ARG_DATA] || !args[ARG_TIMECOL] || !args[ARG_SIZE])
        return bind_fail(binder, ERR_SYNTAX, call->pos, "an argument is missing; it is written %s",
                         USAGE);
    return OK;
}

static enum status bind_data(struct binder *binder, const struct ast_expr *ast,
                             const struct rel **out)
{
    if (ast->kind != AST_TABLE)
        return bind_fail(binder, ERR_SYNTAX, ast->pos, "TABLE name or TABLE (query) stands here");
    return ast->name ? bind_relation(binder, ast->name, NULL, out)
                     : bind_query(binder, ast->query, out);
}

static enum status check_time_type(struct binder *binder, const struct type *type,
                                   struct source_pos pos)
{
    char text[128];
    if (type->time_attribute == TIME_ATTRIBUTE_PROCTIME)
        return bind_unsupported(binder, pos, "a window over processing time");
    if (type->time_attribute == TIME_ATTRIBUTE_ROWTIME)
        return OK;
    format_type_text(text, sizeof(text), type);
    bind_fail(binder, ERR_TYPE, pos,
              "the time column of TUMBLE must be a time attribute, but it is %s", text);
    error_hint(binder->err, "declare WATERMARK FOR it in CREATE TABLE, and do not compute with it "
                            "on the way");
    return ERR_TYPE;
}

static enum status bind_time_column(struct binder *binder, const struct ast_expr *ast,
                                    const struct rel *input, uint32_t *out)
{
    struct scope scope;
    const struct expr *expr;
    if (ast->kind != AST_DESCRIPTOR || ast->columns.count != 1)
        return bind_fail(binder, ERR_SYNTAX, ast->pos, "DESCRIPTOR(time column) stands here");
    scope_of_rel(&scope, input, NULL);
    TRY(bind_name(binder, &scope, ast->columns.first, &expr));
    TRY(check_time_type(binder, expr->type, ast->columns.first->pos));
    *out = expr->column;
    return OK;
}

static enum status bind_interval_arg(struct binder *binder, const struct ast_expr *ast,
                                     const char *what, int64_t *out)
{
    struct scope scope = {.clause = "a window"};
    struct datum datum;
    const struct expr *expr;
    if (!ast)
        return OK;
    TRY(bind_expr(binder, &scope, ast, &expr));
    if (expr->type->root != TYPE_INTERVAL_DAY_TIME)
        return bind_fail(binder, ERR_TYPE, ast->pos,
                         "the %s of a window is an INTERVAL of days to seconds", what);
    TRY(bind_constant(binder, expr, what, &datum));
    *out = datum.i64;
    return OK;
}

static enum status add_columns(struct binder *binder, const struct rel *input, uint32_t time_column,
                               const char **names, const struct type **types)
{
    static const char *const ADDED[] = {"window_start", "window_end", "window_time"};
    uint32_t count = input->column_count;
    for (uint32_t i = 0; i < count; i++) {
        names[i] = input->names[i];
        types[i] = bind_plain_type(binder, input->types[i]);
    }
    for (uint32_t i = 0; i < COUNT_OF(ADDED); i++) {
        names[count + i] = rel_unique_name(binder, ADDED[i], names, count + i);
        types[count + i] = bind_with_nullable(binder, &TYPE_OF_TIMESTAMP_3, false);
    }
    TRY(bind_memory(binder));
    types[count + 2] = bind_with_nullable(binder, input->types[time_column], false);
    return bind_memory(binder);
}

static enum status check_function(struct binder *binder, const struct ast_expr *call)
{
    static const char *const LATER[] = {"HOP",          "CUMULATE",      "SESSION",
                                        "ML_PREDICT",   "ML_EVALUATE",   "VECTOR_SEARCH",
                                        "TO_CHANGELOG", "FROM_CHANGELOG"};
    static const char *const KNOWN[] = {"TUMBLE"};
    struct str name = call->name->parts[0];
    if (call->name->part_count == 1 && str_eq_nocase(name, STR("TUMBLE")))
        return OK;
    for (size_t i = 0; i < COUNT_OF(LATER); i++)
        if (str_eq_nocase(name, str_of(LATER[i])))
            return bind_unsupported(binder, call->name->pos, "the table function %s", LATER[i]);
    const char *nearest = str_nearest(name, KNOWN, COUNT_OF(KNOWN));
    enum status status =
        bind_fail(binder, ERR_NAME, call->name->pos, "there is no table function '%.*s'",
                  name.length > 80 ? 80 : (int)name.length, name.data);
    if (nearest)
        error_hint(binder->err, "did you mean %s?", nearest);
    return status;
}

static enum status make_window(struct binder *binder, const struct rel *input,
                               const struct window_args *args, struct source_pos pos,
                               const struct rel **out)
{
    if (args->size_ms <= 0)
        return bind_fail(binder, ERR_RANGE, args->size_pos,
                         "the size of a window must be above zero");
    if (args->offset_ms <= -args->size_ms || args->offset_ms >= args->size_ms)
        return bind_fail(binder, ERR_RANGE, args->offset_pos,
                         "the offset of a window must be smaller than its size");
    uint32_t count = input->column_count;
    const char **names = ARENA_ARRAY(binder->arena, count + 3, const char *);
    const struct type **types = ARENA_ARRAY(binder->arena, count + 3, const struct type *);
    TRY(bind_memory(binder));
    TRY(add_columns(binder, input, args->time_column, names, types));
    struct rel *rel = rel_new(binder, REL_WINDOW, pos, count + 3, names, types, input);
    TRY(bind_memory(binder));
    rel->window_start_column = (int32_t)count;
    rel->window_end_column = (int32_t)count + 1;
    rel->window.kind = WINDOW_TUMBLE;
    rel->window.time_column = args->time_column;
    rel->window.size_ms = args->size_ms;
    rel->window.offset_ms = args->offset_ms;
    *out = rel;
    return OK;
}

enum status bind_window(struct binder *binder, const struct ast_expr *call, const struct rel **out)
{
    const struct ast_expr *args[ARG_COUNT] = {NULL};
    const struct rel *input;
    struct window_args window = {0};
    TRY(check_function(binder, call));
    TRY(collect_args(binder, call, args));
    TRY(bind_data(binder, args[ARG_DATA], &input));
    TRY(bind_time_column(binder, args[ARG_TIMECOL], input, &window.time_column));
    TRY(bind_interval_arg(binder, args[ARG_SIZE], "size", &window.size_ms));
    TRY(bind_interval_arg(binder, args[ARG_OFFSET], "offset", &window.offset_ms));
    window.size_pos = args[ARG_SIZE]->pos;
    if (args[ARG_OFFSET])
        window.offset_pos = args[ARG_OFFSET]->pos;
    return make_window(binder, input, &window, call->pos, out);
}

/* ---- group windows: GROUP BY TUMBLE(time, size), the older syntax */

static bool is_group_window(const struct ast_expr *ast)
{
    return ast->kind == AST_CALL && ast->name->part_count == 1 &&
           str_eq_nocase(ast->name->parts[0], STR("TUMBLE"));
}

/* (time, size [, offset]) of TUMBLE and of TUMBLE_START and its like. */
static enum status bind_group_args(struct binder *binder, const struct scope *scope,
                                   const struct ast_expr *call, struct window_args *out,
                                   const struct type **time_type)
{
    const struct ast_expr *time = call->args.first;
    const struct expr *expr;
    if (call->args.count < 2 || call->args.count > 3)
        return bind_fail(binder, ERR_SYNTAX, call->pos,
                         "it is written %.*s(time column, size [, offset])",
                         (int)call->name->parts[0].length, call->name->parts[0].data);
    const struct ast_expr *size = time->next, *offset = size->next;
    TRY(bind_expr(binder, scope, time, &expr));
    if (expr->kind != EXPR_COLUMN)
        return bind_fail(binder, ERR_TYPE, time->pos, "the time of a window must be a column");
    out->time_column = expr->column;
    out->size_pos = size->pos;
    out->offset_pos = offset ? offset->pos : size->pos;
    *time_type = expr->type;
    TRY(bind_interval_arg(binder, size, "size", &out->size_ms));
    return bind_interval_arg(binder, offset, "offset", &out->offset_ms);
}

enum status bind_group_window(struct binder *binder, const struct ast_exprs *groups,
                              struct scope *scope, const struct rel **rel)
{
    const struct ast_expr *call = groups->first;
    const struct type *time_type;
    while (call && !is_group_window(call))
        call = call->next;
    if (!call || !*rel)
        return OK;
    struct group_window *window = ARENA_NEW(binder->arena, struct group_window);
    TRY(bind_memory(binder));
    window->call = call;
    window->first = (*rel)->column_count;
    TRY(bind_group_args(binder, scope, call, &window->args, &time_type));
    TRY(check_time_type(binder, time_type, call->args.first->pos));
    TRY(make_window(binder, *rel, &window->args, call->pos, rel));
    scope->names = (*rel)->names;
    scope->types = (*rel)->types;
    scope->column_count = (*rel)->column_count;
    scope->window = window;
    return OK;
}

enum status bind_group_window_call(struct binder *binder, const struct scope *scope,
                                   const struct ast_expr *call, const struct expr **out)
{
    static const char *const NAMES[] = {"TUMBLE_START", "TUMBLE_END", "TUMBLE_ROWTIME"};
    struct str name = call->name->parts[0];
    struct window_args args = {0};
    const struct type *time_type;
    for (uint32_t i = 0; i < COUNT_OF(NAMES); i++) {
        if (!str_eq_nocase(name, str_of(NAMES[i])))
            continue;
        if (!scope->window)
            return bind_fail(binder, ERR_SYNTAX, call->pos,
                             "%s needs a GROUP BY TUMBLE(time column, size)", NAMES[i]);
        const struct window_args *have = &scope->window->args;
        TRY(bind_group_args(binder, scope, call, &args, &time_type));
        if (args.time_column != have->time_column || args.size_ms != have->size_ms ||
            args.offset_ms != have->offset_ms)
            return bind_fail(binder, ERR_SYNTAX, call->pos,
                             "%s must have the same arguments as TUMBLE in GROUP BY", NAMES[i]);
        uint32_t column = scope->window->first + i;
        *out = expr_new_column(binder, column, scope->types[column], call->pos);
        return bind_memory(binder);
    }
    if (is_group_window(call))
        return bind_fail(binder, ERR_SYNTAX, call->pos,
                         "TUMBLE(time column, size) can only stand in "
                         "GROUP BY; TUMBLE_START and TUMBLE_END give its bounds");
    return bind_unsupported(binder, call->name->pos, "the group window %.*s", (int)name.length,
                            name.data);
}
