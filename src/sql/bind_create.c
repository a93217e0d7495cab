/* bind_create.c - CREATE TABLE and CREATE VIEW to catalog objects.
 *
 * The object owns all its memory. Expressions stay text; binding the table once (bind_scan) reports
 * what is wrong with them and gives the types of computed columns.
 */
#include "sql/bind_int.h"

#include "base/must.h"

static const char *copy_text(struct catalog_object *object, struct str text)
{
    return arena_strndup(&object->arena, text.data, text.length);
}

/* The text of an expression of this statement, copied. */
static struct catalog_text copy_slice(struct binder *binder, struct catalog_object *object,
                                      struct source_pos pos)
{
    struct str text = bind_slice(binder, pos);
    return (struct catalog_text){{copy_text(object, text), text.length}, pos};
}

static enum status object_memory(struct binder *binder, const struct catalog_object *object)
{
    return arena_check(&object->arena, "a catalog object", binder->err);
}

/* c, d.c or k.d.c with the default names before it. */
static enum status set_name(struct binder *binder, const struct ast_name *name,
                            struct catalog_object *object)
{
    static const char *const DEFAULTS[] = {"default_catalog", "default_database"};
    if (name->part_count > 3)
        return bind_fail(binder, ERR_NAME, name->pos, "a table's name has at most three parts");
    for (uint32_t i = 0; i + 1 < name->part_count; i++) {
        const char *want = DEFAULTS[3 - name->part_count + i];
        if (!str_eq(name->parts[i], str_of(want)))
            return bind_unsupported(binder, name->part_pos[i],
                                    "a catalog or database other than %s.%s", DEFAULTS[0],
                                    DEFAULTS[1]);
    }
    object->name = copy_text(object, name->parts[name->part_count - 1]);
    object->full_name = arena_printf(&object->arena, "%s.%s.%s", DEFAULTS[0], DEFAULTS[1],
                                     object->name ? object->name : "");
    object->pos = name->part_pos[name->part_count - 1];
    return object_memory(binder, object);
}

static enum status find_column(struct binder *binder, const struct catalog_object *object,
                               const struct ast_name *name, const char *what, uint32_t *out)
{
    struct str text = name->parts[0];
    const char **names = ARENA_ARRAY(binder->arena, object->column_count + 1, const char *);
    TRY(bind_memory(binder));
    for (uint32_t i = 0; i < object->column_count; i++) {
        names[i] = object->columns[i].name;
        if (str_eq(str_of(names[i]), text)) {
            *out = i;
            return OK;
        }
    }
    const char *nearest = str_nearest(text, names, object->column_count);
    enum status status = bind_fail(binder, ERR_NAME, name->pos,
                                   "%s names the column '%.*s', which the table has not", what,
                                   text.length > 80 ? 80 : (int)text.length, text.data);
    if (nearest)
        error_hint(binder->err, "did you mean %s?", nearest);
    return status;
}

static enum status add_column(struct binder *binder, const struct ast_column *ast,
                              struct catalog_object *object)
{
    struct catalog_column *column = &object->columns[object->column_count];
    struct str name = ast->name->parts[0];
    if (ast->name->part_count > 1)
        return bind_fail(binder, ERR_SYNTAX, ast->name->pos, "a column's name has one part");
    for (uint32_t i = 0; i < object->column_count; i++)
        if (str_eq(str_of(object->columns[i].name), name))
            return bind_fail(binder, ERR_NAME, ast->pos, "column '%.*s' is there twice",
                             name.length > 80 ? 80 : (int)name.length, name.data);
    column->name = copy_text(object, name);
    column->expression.pos = ast->pos;
    column->comment = ast->comment.data ? copy_text(object, ast->comment) : NULL;
    switch (ast->kind) {
    case AST_COLUMN_PHYSICAL:
        column->kind = COLUMN_PHYSICAL;
        break;
    case AST_COLUMN_METADATA:
        column->kind = COLUMN_METADATA;
        column->metadata_key = copy_text(object, ast->key.data ? ast->key : name);
        column->is_virtual = ast->is_virtual;
        break;
    case AST_COLUMN_COMPUTED:
        column->kind = COLUMN_COMPUTED;
        column->expression = copy_slice(binder, object, ast->expr->pos);
        break;
    }
    if (ast->type)
        TRY(bind_type(binder, &object->arena, ast->type, &column->type));
    object->column_count++;
    return object_memory(binder, object);
}

static enum status set_key(struct binder *binder, const struct ast_names *names, const char *what,
                           struct catalog_object *object, uint32_t *columns, uint32_t *count)
{
    for (const struct ast_name *name = names->first; name; name = name->next) {
        uint32_t column;
        TRY(find_column(binder, object, name, what, &column));
        if (object->columns[column].kind != COLUMN_PHYSICAL)
            return bind_fail(binder, ERR_NAME, name->pos,
                             "%s can only name physical columns; '%s' is a %s column", what,
                             object->columns[column].name,
                             object->columns[column].kind == COLUMN_COMPUTED ? "computed"
                                                                             : "metadata");
        for (uint32_t i = 0; i < *count; i++)
            if (columns[i] == column)
                return bind_fail(binder, ERR_NAME, name->pos, "%s names '%s' twice", what,
                                 object->columns[column].name);
        columns[(*count)++] = column;
    }
    return OK;
}

static enum status set_primary_key(struct binder *binder, const struct ast_statement *ast,
                                   struct catalog_object *object)
{
    struct ast_names names = ast->primary_key;
    bool of_column = false;
    uint32_t *columns = ARENA_ARRAY(&object->arena, object->column_count + 1, uint32_t);
    TRY(object_memory(binder, object));
    for (struct ast_column *column = ast->columns; column; column = column->next) {
        if (!column->primary_key)
            continue;
        if (ast->has_primary_key || of_column)
            return bind_fail(binder, ERR_SYNTAX, column->pos,
                             "the table has a PRIMARY KEY already");
        of_column = true;
        names = ast_names_add((struct ast_names){0}, column->name);
    }
    if (!ast->has_primary_key && !of_column)
        return OK;
    object->primary_key_count = 0;
    TRY(set_key(binder, &names, "PRIMARY KEY", object, columns, &object->primary_key_count));
    object->primary_key = columns;
    object->has_primary_key = true;
    for (uint32_t i = 0; i < object->primary_key_count; i++) {
        struct catalog_column *column = &object->columns[columns[i]];
        column->type = type_with_nullable(&object->arena, column->type, false);
    }
    return object_memory(binder, object);
}

static enum status set_options(struct binder *binder, const struct ast_options *options,
                               struct catalog_object *object)
{
    size_t own = object->option_count;
    struct option_given *list =
        ARENA_ARRAY(&object->arena, own + options->count + 1, struct option_given);
    TRY(object_memory(binder, object));
    for (size_t i = 0; i < own; i++) /* of LIKE: its places are of another statement */
        list[i] = (struct option_given){object->options[i].key, object->options[i].value, {0}};
    object->options = list;
    for (const struct ast_option *option = options->first; option; option = option->next) {
        size_t at = 0;
        while (at < object->option_count && !str_eq(list[at].key, option->key))
            at++;
        if (at >= own && at < object->option_count)
            return bind_fail(binder, ERR_OPTION, option->pos, "the option '%.*s' is there twice",
                             option->key.length > 80 ? 80 : (int)option->key.length,
                             option->key.data);
        list[at] = (struct option_given){
            .key = {copy_text(object, option->key), option->key.length},
            .value = {copy_text(object, option->value), option->value.length},
            .pos = option->pos,
        };
        object->option_count += at == object->option_count;
        TRY(object_memory(binder, object));
    }
    return OK;
}

/* LIKE t: everything of t, then what the statement adds; options given here win. */
static enum status copy_like(struct binder *binder, const struct ast_statement *ast,
                             struct catalog_object *object)
{
    struct sql_reference *reference;
    TRY(bind_object(binder, ast->like_table, &reference));
    const struct catalog_object *source = reference->object;
    if (source->kind == CATALOG_VIEW)
        return bind_fail(binder, ERR_NAME, ast->like_table->pos, "%s is a view; LIKE takes a table",
                         source->name);
    object->base = catalog_object_ref(reference->object); /* texts are shared with it */
    memcpy(object->columns, source->columns, source->column_count * sizeof(*source->columns));
    object->column_count = source->column_count;
    object->has_watermark = source->has_watermark;
    object->watermark_column = source->watermark_column;
    object->watermark = source->watermark;
    object->watermark_pos = source->watermark_pos;
    object->has_primary_key = source->has_primary_key;
    object->primary_key = source->primary_key;
    object->primary_key_count = source->primary_key_count;
    object->partition_keys = source->partition_keys;
    object->partition_key_count = source->partition_key_count;
    memcpy(object->checks, source->checks, source->check_count * sizeof(*source->checks));
    object->check_count = source->check_count;
    object->options = source->options;
    object->option_count = source->option_count;
    object->restricted |= source->restricted;
    return OK;
}

static enum status make_room(struct binder *binder, const struct ast_statement *ast,
                             struct catalog_object *object)
{
    size_t columns = ast->column_count, checks = ast->check_count;
    if (ast->like_table) {
        struct sql_reference *reference;
        TRY(bind_object(binder, ast->like_table, &reference));
        columns += reference->object->column_count;
        checks += reference->object->check_count;
    }
    if (columns > CATALOG_COLUMNS_MAX)
        return bind_fail(binder, ERR_LIMIT, ast->name->pos, "a table has at most %d columns",
                         CATALOG_COLUMNS_MAX);
    if (!columns)
        return bind_fail(binder, ERR_SYNTAX, ast->name->pos, "a table needs at least one column");
    object->columns = ARENA_ARRAY(&object->arena, columns, struct catalog_column);
    object->checks = ARENA_ARRAY(&object->arena, checks + 1, struct catalog_check);
    return object_memory(binder, object);
}

/* What the parser read, into the object; computed columns have no type yet. */
static enum status fill_table(struct binder *binder, const struct ast_statement *ast,
                              struct catalog_object *object)
{
    object->kind = CATALOG_TABLE;
    object->temporary = ast->temporary;
    object->comment = ast->comment.data ? copy_text(object, ast->comment) : NULL;
    TRY(set_name(binder, ast->name, object));
    TRY(make_room(binder, ast, object));
    if (ast->like_table)
        TRY(copy_like(binder, ast, object));
    for (const struct ast_column *column = ast->columns; column; column = column->next)
        TRY(add_column(binder, column, object));
    TRY(set_primary_key(binder, ast, object));
    if (ast->watermark) {
        TRY(find_column(binder, object, ast->watermark, "WATERMARK", &object->watermark_column));
        if (ast->watermark->part_count > 1)
            return bind_unsupported(binder, ast->watermark->pos, "a WATERMARK for a nested field");
        object->has_watermark = true;
        object->watermark_pos = ast->watermark->pos;
        object->watermark = copy_slice(binder, object, ast->watermark_expr->pos);
    }
    for (const struct ast_check *check = ast->checks; check; check = check->next) {
        struct catalog_check *out = &object->checks[object->check_count++];
        out->name = check->name ? copy_text(object, check->name->parts[0]) : NULL;
        out->expression = copy_slice(binder, object, check->expr->pos);
    }
    if (ast->partition.count) {
        uint32_t *keys = ARENA_ARRAY(&object->arena, object->column_count, uint32_t);
        TRY(object_memory(binder, object));
        object->partition_key_count = 0;
        TRY(set_key(binder, &ast->partition, "PARTITIONED BY", object, keys,
                    &object->partition_key_count));
        object->partition_keys = keys;
    }
    TRY(set_options(binder, &ast->options, object));
    return object_memory(binder, object);
}

static enum status check_connector(struct binder *binder, const struct ast_statement *ast,
                                   const struct catalog_object *object)
{
    struct source_pos pos = ast->options.count ? ast->options.pos : ast->name->pos;
    if (!object->description.connector) {
        bind_fail(binder, ERR_OPTION, pos, "the table has no option 'connector'");
        error_hint(binder->err, "WITH ('connector' = '...') says where its rows are");
        return ERR_OPTION;
    }
    if (!binder->session->registry)
        return OK;
    enum status status =
        plugin_validate(binder->session->registry, &object->description, binder->err);
    if (status == OK || !binder->err || binder->err->pos.line)
        return status;
    for (const struct ast_option *option = ast->options.first; option; option = option->next)
        if (str_eq(option->key, STR("connector")) && status == ERR_NAME)
            pos = option->value_pos;
    error_at(binder->err, pos);
    return status;
}

enum status bind_create_table(struct binder *binder, const struct ast_statement *ast,
                              struct catalog_object *object)
{
    const struct rel *scan;
    if (ast->replace)
        return bind_unsupported(binder, ast->pos, "CREATE OR REPLACE TABLE");
    TRY(fill_table(binder, ast, object));
    TRY(catalog_object_seal(object, binder->err));
    TRY(check_connector(binder, ast, object));
    TRY(bind_scan(binder, object, &scan));
    for (uint32_t i = 0; i < object->column_count; i++) {
        if (object->columns[i].kind != COLUMN_COMPUTED)
            continue;
        object->columns[i].type =
            type_copy(&object->arena, bind_plain_type(binder, scan->types[i]));
    }
    TRY(bind_memory(binder));
    return object_memory(binder, object);
}

enum status bind_create_view(struct binder *binder, const struct ast_statement *ast,
                             struct catalog_object *object)
{
    const struct rel *query;
    object->kind = CATALOG_VIEW;
    object->temporary = ast->temporary;
    object->comment = ast->comment.data ? copy_text(object, ast->comment) : NULL;
    TRY(set_name(binder, ast->name, object));
    binder->path = object->name;
    TRY(bind_query(binder, ast->query, &query));
    uint32_t count = query->column_count;
    if (ast->view_columns.count && ast->view_columns.count != count)
        return bind_fail(binder, ERR_SYNTAX, ast->view_columns.first->pos,
                         "the query has %u columns, but %u names are given", count,
                         ast->view_columns.count);
    if (count > CATALOG_COLUMNS_MAX)
        return bind_fail(binder, ERR_LIMIT, ast->name->pos, "a view has at most %d columns",
                         CATALOG_COLUMNS_MAX);
    object->columns = ARENA_ARRAY(&object->arena, count, struct catalog_column);
    TRY(object_memory(binder, object));
    const struct ast_name *name = ast->view_columns.first;
    for (uint32_t i = 0; i < count; i++) {
        struct str text = name ? name->parts[0] : str_of(query->names[i]);
        for (uint32_t k = 0; k < i; k++)
            if (name && str_eq(str_of(object->columns[k].name), text))
                return bind_fail(binder, ERR_NAME, name->pos, "column '%s' is named twice",
                                 object->columns[k].name);
        object->columns[i].name = copy_text(object, text);
        object->columns[i].type = type_copy(&object->arena, query->types[i]);
        TRY(object_memory(binder, object));
        name = name ? name->next : NULL;
    }
    object->column_count = count;
    object->query = copy_slice(binder, object, ast->query_pos);
    return catalog_object_seal(object, binder->err);
}
