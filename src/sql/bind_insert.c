/* bind_insert.c - INSERT: the query's columns matched by position with the target's, cast to its
 * types.
 *
 * A sink takes its physical columns and the metadata columns that are not VIRTUAL, in the declared
 * order; the bound query has the physical ones first.
 */
#include "sql/bind_int.h"

#include "base/must.h"

struct sink_columns {
    uint32_t *columns; /* of the target, as the user's query gives them */
    uint32_t count;
};

static bool is_written(const struct catalog_column *column)
{
    return column->kind == COLUMN_PHYSICAL ||
           (column->kind == COLUMN_METADATA && !column->is_virtual);
}

static enum status named_columns(struct binder *binder, const struct ast_insert *ast,
                                 const struct catalog_object *target, struct sink_columns *sink)
{
    const char **names = ARENA_ARRAY(binder->arena, target->column_count + 1, const char *);
    TRY(bind_memory(binder));
    for (uint32_t i = 0; i < target->column_count; i++)
        names[i] = target->columns[i].name;
    for (const struct ast_name *name = ast->columns.first; name; name = name->next) {
        struct str text = name->parts[0];
        uint32_t i = 0;
        int length = text.length > 80 ? 80 : (int)text.length;
        while (i < target->column_count && !str_eq(str_of(names[i]), text))
            i++;
        if (i == target->column_count) {
            const char *nearest = str_nearest(text, names, target->column_count);
            bind_fail(binder, ERR_NAME, name->pos, "%s has no column '%.*s'", target->name, length,
                      text.data);
            if (nearest)
                error_hint(binder->err, "did you mean %s?", nearest);
            return ERR_NAME;
        }
        if (!is_written(&target->columns[i]))
            return bind_fail(binder, ERR_NAME, name->pos, "column '%s' cannot be written: it is %s",
                             names[i],
                             target->columns[i].kind == COLUMN_COMPUTED ? "computed" : "VIRTUAL");
        for (uint32_t k = 0; k < sink->count; k++)
            if (sink->columns[k] == i)
                return bind_fail(binder, ERR_NAME, name->pos, "column '%s' is named twice",
                                 names[i]);
        sink->columns[sink->count++] = i;
    }
    return OK;
}

/* "[order_id: BIGINT, amount: DECIMAL(10, 2)]" */
static const char *format_schema(struct binder *binder, const char *const *names,
                                 const struct type *const *types, uint32_t count)
{
    struct buf buf;
    buf_init(&buf, 400);
    buf_append_byte(&buf, '[');
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(&buf, "%s%s: ", i ? ", " : "", names[i]);
        type_format(&buf, types[i]);
    }
    buf_append_byte(&buf, ']');
    const char *text = buf.failed ? "[...]" : bind_strdup(binder, str_of(buf_text(&buf)));
    buf_fini(&buf);
    return text;
}

static enum status mismatch(struct binder *binder, const struct ast_insert *ast,
                            const struct catalog_object *target, const struct sink_columns *sink,
                            const struct rel *query, const char *cause)
{
    const char **names = ARENA_ARRAY(binder->arena, sink->count + 1, const char *);
    const struct type **types = ARENA_ARRAY(binder->arena, sink->count + 1, const struct type *);
    TRY(bind_memory(binder));
    for (uint32_t i = 0; i < sink->count; i++) {
        names[i] = target->columns[sink->columns[i]].name;
        types[i] = target->columns[sink->columns[i]].type;
    }
    enum status status = bind_fail(
        binder, ERR_TYPE, ast->target->pos,
        "column types of query result and sink for '%s' do not match: %s. Query schema: %s. Sink "
        "schema: %s",
        target->full_name, cause,
        format_schema(binder, query->names, query->types, query->column_count),
        format_schema(binder, names, types, sink->count));
    return status;
}

/* The query's column i as the target's type. */
static enum status sink_cast(struct binder *binder, const struct ast_insert *ast,
                             const struct catalog_object *target, const struct sink_columns *sink,
                             const struct rel *query, uint32_t i, const struct expr **out)
{
    const struct catalog_column *column = &target->columns[sink->columns[i]];
    const struct expr *expr = expr_new_column(binder, i, query->types[i], query->pos);
    char cause[200];
    TRY(bind_memory(binder));
    *out = expr;
    if (type_same(expr->type, column->type))
        return OK;
    if (expr->type->root == TYPE_NULL) {
        *out = expr_new_null(binder, column->type, query->pos);
        return bind_memory(binder);
    }
    if (!cast_implicit(expr->type, column->type)) {
        snprintf(cause, sizeof(cause), "incompatible types for sink column '%s' at position %u",
                 column->name, i);
        return mismatch(binder, ast, target, sink, query, cause);
    }
    *out = expr_new_cast(binder, expr, column->type, true);
    return bind_memory(binder);
}

/* NULL for a column that the INSERT does not name. */
static enum status missing_column(struct binder *binder, const struct ast_insert *ast,
                                  const struct catalog_column *column, const struct expr **out)
{
    if (!column->type->nullable)
        return bind_fail(binder, ERR_NAME, ast->target->pos,
                         "column '%s' has no default value and does not allow NULLs; name it in "
                         "the INSERT",
                         column->name);
    *out = expr_new_null(binder, column->type, ast->target->pos);
    return bind_memory(binder);
}

/* Physical columns first, then the metadata ones. */
static enum status project_target(struct binder *binder, const struct ast_insert *ast,
                                  const struct catalog_object *target,
                                  const struct sink_columns *sink, const struct rel *query,
                                  const struct rel **out)
{
    const struct expr **exprs =
        ARENA_ARRAY(binder->arena, target->column_count + 1, const struct expr *);
    const char **names = ARENA_ARRAY(binder->arena, target->column_count + 1, const char *);
    uint32_t count = 0;
    TRY(bind_memory(binder));
    for (int pass = 0; pass < 2; pass++) {
        for (uint32_t c = 0; c < target->column_count; c++) {
            const struct catalog_column *column = &target->columns[c];
            if (!is_written(column) || (column->kind == COLUMN_METADATA) != (pass == 1))
                continue;
            uint32_t i = 0;
            while (i < sink->count && sink->columns[i] != c)
                i++;
            names[count] = column->name;
            if (i < sink->count)
                TRY(sink_cast(binder, ast, target, sink, query, i, &exprs[count++]));
            else if (column->kind == COLUMN_PHYSICAL)
                TRY(missing_column(binder, ast, column, &exprs[count++]));
            else
                exprs[count++] = expr_new_null(binder, column->type, ast->target->pos);
        }
    }
    TRY(bind_memory(binder));
    *out = rel_project(binder, query, exprs, names, count, ast->pos);
    return bind_memory(binder);
}

/* CHECKs over the columns of the query instead of the scan's inputs. */
static enum status bind_insert_checks(struct binder *binder, struct catalog_object *target,
                                      struct statement_insert *out)
{
    const struct rel *scan;
    if (!target->check_count)
        return OK;
    TRY(bind_scan(binder, target, &scan));
    uint32_t fields = target->description.field_count, written = fields;
    uint32_t total = fields + scan->scan.metadata_count;
    const struct expr **inputs = ARENA_ARRAY(binder->arena, total + 1, const struct expr *);
    const struct expr **checks =
        ARENA_ARRAY(binder->arena, target->check_count, const struct expr *);
    TRY(bind_memory(binder));
    uint32_t metadata = fields;
    for (uint32_t i = 0; i < fields; i++)
        inputs[i] = expr_new_column(binder, i, target->description.fields[i].type, target->pos);
    for (uint32_t c = 0; c < target->column_count; c++) {
        const struct catalog_column *column = &target->columns[c];
        if (column->kind == COLUMN_METADATA)
            inputs[metadata++] =
                column->is_virtual ? expr_new_null(binder, column->type, target->pos)
                                   : expr_new_column(binder, written++, column->type, target->pos);
    }
    for (uint32_t i = 0; i < target->check_count; i++)
        checks[i] = expr_substitute(binder, scan->scan.checks[i], inputs);
    out->checks = checks;
    out->check_count = target->check_count;
    return bind_memory(binder);
}

static enum status check_writable(struct binder *binder, const struct ast_insert *ast,
                                  const struct catalog_object *target)
{
    const struct plugin_registry *registry = binder->session->registry;
    if (target->kind == CATALOG_VIEW)
        return bind_fail(binder, ERR_NAME, ast->target->pos,
                         "%s is a view; rows can only be inserted into tables", target->name);
    if (!registry || !target->description.connector)
        return OK;
    const struct connector_class *connector =
        plugin_connector(registry, str_of(target->description.connector), binder->err);
    if (!connector) {
        error_at(binder->err, ast->target->pos);
        return ERR_NAME;
    }
    if (!connector->sink)
        return bind_fail(binder, ERR_UNSUPPORTED, ast->target->pos,
                         "%s cannot be written: the connector '%s' is only a source", target->name,
                         connector->name);
    return OK;
}

enum status bind_insert(struct binder *binder, const struct ast_insert *ast,
                        struct statement_insert *out)
{
    struct sql_reference *reference;
    const struct rel *query;
    struct sink_columns sink = {0};
    TRY(bind_object(binder, ast->target, &reference));
    struct catalog_object *target = reference->object;
    TRY(check_writable(binder, ast, target));
    if (ast->hints.count)
        return bind_unsupported(binder, ast->target->pos, "OPTIONS of the target of INSERT");
    sink.columns = ARENA_ARRAY(binder->arena, target->column_count + 1, uint32_t);
    TRY(bind_memory(binder));
    for (uint32_t i = 0; i < target->column_count && !ast->columns.count; i++)
        if (is_written(&target->columns[i]))
            sink.columns[sink.count++] = i;
    TRY(named_columns(binder, ast, target, &sink));
    binder->path = "";
    TRY(bind_query(binder, ast->query, &query));
    if (query->column_count != sink.count)
        return mismatch(binder, ast, target, &sink, query, "different number of columns");
    out->target = target;
    out->pos = ast->pos;
    out->overwrite = ast->overwrite;
    TRY(project_target(binder, ast, target, &sink, query, &out->query));
    return bind_insert_checks(binder, target, out);
}
