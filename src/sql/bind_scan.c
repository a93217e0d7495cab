/* bind_scan.c - a catalog table as a REL_SCAN: every column as an expression over
 * [physical fields, metadata columns], the watermark and the CHECKs likewise.
 *
 * CREATE TABLE goes through here too: it finds the types of computed columns and reports what is
 * wrong with the expressions.
 */
#include "sql/bind_int.h"

#include "base/must.h"

struct scan_columns {
    const struct expr **exprs; /* of every column, over the inputs */
    const char **names;        /* of every column */
    const struct type **types;
    struct table_metadata *metadata;
    uint32_t metadata_count;
};

static enum status bind_text(struct binder *binder, const struct catalog_text *text,
                             const struct scope *scope, bool condition, const struct expr **out)
{
    struct bind_saved saved;
    struct parse parse;
    enum status status = bind_enter_text(binder, text, PARSE_EXPRESSION, &parse, &saved);
    if (status == OK)
        status = condition ? bind_condition(binder, scope, parse.expr, out)
                           : bind_expr(binder, scope, parse.expr, out);
    bind_leave_text(binder, &saved);
    return status;
}

/* The connector's own type of a metadata column; the declared one when the connector is unknown. */
static enum status metadata_type(struct binder *binder, const struct catalog_object *table,
                                 const struct catalog_column *column, const struct type **out)
{
    const struct plugin_registry *registry = binder->session->registry;
    struct error ignored = {0};
    *out = column->type;
    if (!registry || !table->description.connector)
        return OK;
    const struct connector_class *connector =
        plugin_connector(registry, str_of(table->description.connector), &ignored);
    if (!connector || !connector->source)
        return OK;
    const struct source_class *source = connector->source;
    const char **keys = ARENA_ARRAY(binder->arena, source->metadata_count + 1, const char *);
    TRY(bind_memory(binder));
    for (size_t i = 0; i < source->metadata_count; i++) {
        keys[i] = source->metadata[i].key;
        if (strcmp(keys[i], column->metadata_key) != 0)
            continue;
        *out = source->metadata[i].type;
        if (cast_allowed(*out, column->type))
            return OK;
        char from[128], to[128];
        format_type_text(from, sizeof(from), *out);
        format_type_text(to, sizeof(to), column->type);
        return bind_fail(binder, ERR_TYPE, column->expression.pos,
                         "the metadata '%s' of connector '%s' is %s and cannot be cast to %s",
                         column->metadata_key, connector->name, from, to);
    }
    const char *nearest = str_nearest(str_of(column->metadata_key), keys, source->metadata_count);
    enum status status =
        bind_fail(binder, ERR_NAME, column->expression.pos,
                  "the connector '%s' has no metadata '%s'", connector->name, column->metadata_key);
    if (nearest)
        error_hint(binder->err, "did you mean '%s'?", nearest);
    return status;
}

/* Physical and metadata columns; *inputs is what computed columns may use. */
static enum status plain_columns(struct binder *binder, const struct catalog_object *table,
                                 struct scan_columns *columns, struct scope *inputs)
{
    uint32_t field = 0, count = table->column_count, visible = 0;
    const char **names = ARENA_ARRAY(binder->arena, count + 1, const char *);
    const struct type **types = ARENA_ARRAY(binder->arena, count + 1, const struct type *);
    TRY(bind_memory(binder));
    for (uint32_t i = 0; i < count; i++) {
        const struct catalog_column *column = &table->columns[i];
        columns->names[i] = column->name;
        if (column->kind == COLUMN_COMPUTED)
            continue;
        names[visible] = column->name;
        types[visible++] = column->type;
        struct source_pos pos = column->expression.pos;
        if (column->kind == COLUMN_PHYSICAL) {
            columns->exprs[i] = expr_new_column(binder, field++, column->type, pos);
        } else {
            struct table_metadata *metadata = &columns->metadata[columns->metadata_count];
            uint32_t at = table->description.field_count + columns->metadata_count++;
            metadata->key = column->metadata_key;
            TRY(metadata_type(binder, table, column, &metadata->type));
            const struct expr *raw = expr_new_column(binder, at, metadata->type, pos);
            TRY(bind_memory(binder));
            columns->exprs[i] = type_same(metadata->type, column->type)
                                    ? raw
                                    : expr_new_cast(binder, raw, column->type, true);
        }
        TRY(bind_memory(binder));
        columns->types[i] = columns->exprs[i]->type;
    }
    *inputs = (struct scope){
        .column_count = visible, .names = names, .types = types, .clause = "a computed column"};
    return OK;
}

/* Computed columns are bound over the plain ones by name, then over the inputs. */
static enum status computed_columns(struct binder *binder, const struct catalog_object *table,
                                    struct scan_columns *columns, const struct scope *inputs)
{
    const struct expr **plain =
        ARENA_ARRAY(binder->arena, inputs->column_count + 1, const struct expr *);
    uint32_t count = 0;
    TRY(bind_memory(binder));
    for (uint32_t i = 0; i < table->column_count; i++)
        if (table->columns[i].kind != COLUMN_COMPUTED)
            plain[count++] = columns->exprs[i];
    for (uint32_t i = 0; i < table->column_count; i++) {
        const struct catalog_column *column = &table->columns[i];
        const struct expr *expr;
        if (column->kind != COLUMN_COMPUTED)
            continue;
        TRY(bind_text(binder, &column->expression, inputs, false, &expr));
        if (expr->type->root == TYPE_NULL)
            return bind_fail(binder, ERR_TYPE, expr->pos,
                             "the type of this NULL is not known; "
                             "write CAST(NULL AS type)");
        columns->exprs[i] = expr_substitute(binder, expr, plain);
        columns->types[i] = expr->type;
        TRY(bind_memory(binder));
    }
    return OK;
}

static enum status bind_watermark(struct binder *binder, const struct catalog_object *table,
                                  struct scan_columns *columns, const struct expr **out)
{
    struct scope scope = {
        .column_count = table->column_count,
        .names = columns->names,
        .types = columns->types,
        .clause = "a WATERMARK",
    };
    uint32_t at = table->watermark_column;
    const struct type *type = columns->types[at];
    char text[128];
    format_type_text(text, sizeof(text), type);
    if (!type_is_timestamp(type) || type->precision > 3)
        return bind_fail(
            binder, ERR_TYPE, table->watermark_pos,
            "the column of a WATERMARK must be TIMESTAMP(p) or TIMESTAMP_LTZ(p) with p "
            "from 0 to 3, but %s is %s",
            columns->names[at], text);
    const struct expr *expr;
    TRY(bind_text(binder, &table->watermark, &scope, false, &expr));
    if (!type_is_timestamp(expr->type) || expr->type->root != type->root) {
        char got[128];
        format_type_text(got, sizeof(got), expr->type);
        return bind_fail(binder, ERR_TYPE, expr->pos,
                         "the WATERMARK must have the type of its column, %s, but is %s", text,
                         got);
    }
    *out = expr_substitute(binder, expr, columns->exprs);
    TRY(bind_memory(binder));
    /* Now, not before: in its own expression the column is an ordinary timestamp. */
    columns->types[at] = type_with_time_attribute(binder->arena, type, TIME_ATTRIBUTE_ROWTIME);
    return bind_memory(binder);
}

static enum status bind_checks(struct binder *binder, const struct catalog_object *table,
                               const struct scan_columns *columns, const struct expr ***out)
{
    struct scope scope = {
        .column_count = table->column_count,
        .names = columns->names,
        .types = columns->types,
        .clause = "CHECK",
    };
    const struct expr **checks =
        ARENA_ARRAY(binder->arena, table->check_count + 1, const struct expr *);
    TRY(bind_memory(binder));
    for (uint32_t i = 0; i < table->check_count; i++) {
        const struct expr *expr;
        TRY(bind_text(binder, &table->checks[i].expression, &scope, true, &expr));
        checks[i] = expr_substitute(binder, expr, columns->exprs);
        TRY(bind_memory(binder));
    }
    *out = checks;
    return OK;
}

enum status bind_scan(struct binder *binder, struct catalog_object *table, const struct rel **out)
{
    uint32_t count = table->column_count;
    struct scan_columns columns = {
        .exprs = ARENA_ARRAY(binder->arena, count + 1, const struct expr *),
        .names = ARENA_ARRAY(binder->arena, count + 1, const char *),
        .types = ARENA_ARRAY(binder->arena, count + 1, const struct type *),
        .metadata = ARENA_ARRAY(binder->arena, count + 1, struct table_metadata),
    };
    struct scope inputs;
    const struct expr *watermark = NULL, **checks;
    TRY(bind_memory(binder));
    TRY(plain_columns(binder, table, &columns, &inputs));
    TRY(computed_columns(binder, table, &columns, &inputs));
    TRY(bind_checks(binder, table, &columns, &checks));
    if (table->has_watermark)
        TRY(bind_watermark(binder, table, &columns, &watermark));
    for (uint32_t i = 0; i < count; i++) { /* a column's own expression has the column's type */
        if (columns.exprs[i]->kind != EXPR_COLUMN)
            continue;
        columns.exprs[i] = expr_new_column(binder, columns.exprs[i]->column, columns.types[i],
                                           columns.exprs[i]->pos);
    }
    TRY(bind_memory(binder));
    const char *path = binder->path;
    binder->path = "";
    struct rel *rel =
        rel_new(binder, REL_SCAN, table->pos, count, columns.names, columns.types, NULL);
    binder->path = path;
    TRY(bind_memory(binder));
    rel->scan.table = table;
    rel->scan.columns = columns.exprs;
    rel->scan.watermark = watermark;
    rel->scan.metadata_count = columns.metadata_count;
    rel->scan.metadata = columns.metadata;
    rel->scan.checks = checks;
    *out = rel;
    return OK;
}
