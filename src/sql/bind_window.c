/* bind_window.c - the window table function TUMBLE as a REL_WINDOW.
 *
 * TUMBLE(TABLE t, DESCRIPTOR(c), size [, offset]), or with the names DATA, TIMECOL, SIZE, OFFSET.
 * The result has the input's columns, of which none is a time attribute any more, and window_start,
 * window_end, window_time (the new time attribute).
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

static enum status bind_time_column(struct binder *binder, const struct ast_expr *ast,
                                    const struct rel *input, uint32_t *out)
{
    struct scope scope;
    const struct expr *expr;
    if (ast->kind != AST_DESCRIPTOR || ast->columns.count != 1)
        return bind_fail(binder, ERR_SYNTAX, ast->pos, "DESCRIPTOR(time column) stands here");
    scope_of_rel(&scope, input, NULL);
    TRY(bind_name(binder, &scope, ast->columns.first, &expr));
    if (expr->type->time_attribute == TIME_ATTRIBUTE_PROCTIME)
        return bind_unsupported(binder, ast->pos, "a window over processing time");
    if (expr->type->time_attribute != TIME_ATTRIBUTE_ROWTIME) {
        char type[128];
        format_type_text(type, sizeof(type), expr->type);
        bind_fail(binder, ERR_TYPE, ast->columns.first->pos,
                  "the time column of TUMBLE must be a time attribute, but it is %s", type);
        error_hint(binder->err, "declare WATERMARK FOR it in CREATE TABLE, and do not compute with "
                                "it on the way");
        return ERR_TYPE;
    }
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

enum status bind_window(struct binder *binder, const struct ast_expr *call, const struct rel **out)
{
    const struct ast_expr *args[ARG_COUNT] = {NULL};
    const struct rel *input;
    uint32_t time_column = 0;
    int64_t size_ms = 0, offset_ms = 0;
    TRY(check_function(binder, call));
    TRY(collect_args(binder, call, args));
    TRY(bind_data(binder, args[ARG_DATA], &input));
    TRY(bind_time_column(binder, args[ARG_TIMECOL], input, &time_column));
    TRY(bind_interval_arg(binder, args[ARG_SIZE], "size", &size_ms));
    TRY(bind_interval_arg(binder, args[ARG_OFFSET], "offset", &offset_ms));
    if (size_ms <= 0)
        return bind_fail(binder, ERR_RANGE, args[ARG_SIZE]->pos,
                         "the size of a window must be above zero");
    if (offset_ms <= -size_ms || offset_ms >= size_ms)
        return bind_fail(binder, ERR_RANGE, args[ARG_OFFSET]->pos,
                         "the offset of a window must be smaller than its size");
    uint32_t count = input->column_count;
    const char **names = ARENA_ARRAY(binder->arena, count + 3, const char *);
    const struct type **types = ARENA_ARRAY(binder->arena, count + 3, const struct type *);
    TRY(bind_memory(binder));
    TRY(add_columns(binder, input, time_column, names, types));
    struct rel *rel = rel_new(binder, REL_WINDOW, call->pos, count + 3, names, types, input);
    TRY(bind_memory(binder));
    rel->window_start_column = (int32_t)count;
    rel->window_end_column = (int32_t)count + 1;
    rel->window.kind = WINDOW_TUMBLE;
    rel->window.time_column = time_column;
    rel->window.size_ms = size_ms;
    rel->window.offset_ms = offset_ms;
    *out = rel;
    return OK;
}
