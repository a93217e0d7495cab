/* show.c - SHOW TABLES, VIEWS, FUNCTIONS, CREATE; DESCRIBE: what Flink's SQL client prints. */
#include "engine/engine_int.h"

#define SHOW_BYTES_MAX (16u << 20)

void table_begin(struct table_builder *table, struct engine_result *result, uint32_t column_count,
                 const char *const *columns)
{
    *table = (struct table_builder){.result = result};
    result->kind = RESULT_TABLE;
    result->column_count = column_count;
    result->columns = columns;
}

void table_cell(struct table_builder *table, const char *text)
{
    struct engine_result *result = table->result;
    uint32_t at = result->row_count; /* counts cells until table_end */
    if (at == table->capacity) {
        uint32_t capacity = table->capacity ? table->capacity * 2 : 64;
        const char **cells = ARENA_ARRAY(&result->arena, capacity, const char *);
        if (!cells)
            return;
        if (at)
            memcpy(cells, table->cells, at * sizeof(*cells));
        table->cells = cells;
        table->capacity = capacity;
    }
    table->cells[at] = text ? arena_strndup(&result->arena, text, strlen(text)) : NULL;
    result->row_count++;
}

enum status table_end(struct table_builder *table, struct error *err)
{
    struct engine_result *result = table->result;
    result->cells = table->cells;
    result->row_count /= result->column_count;
    return arena_check(&result->arena, "a result", err);
}

/* SQL LIKE with % and _ over names. */
static bool like(struct str pattern, const char *name)
{
    const char *p = pattern.data, *end = p + pattern.length, *star = NULL, *retry = NULL;
    while (*name) {
        if (p < end && *p == '%') {
            star = ++p;
            retry = name;
        } else if (p < end && (*p == '_' || *p == *name)) {
            p++;
            name++;
        } else if (star) {
            p = star;
            name = ++retry;
        } else {
            return false;
        }
    }
    while (p < end && *p == '%')
        p++;
    return p == end;
}

/* Is the name wanted by SHOW ... [NOT] LIKE? */
static bool is_wanted(const struct statement *statement, const char *name)
{
    return !statement->like.data || like(statement->like, name) != statement->like_negated;
}

struct list_context {
    struct table_builder *table;
    const struct statement *statement;
    bool views_only;
};

static void list_object(void *context, const struct catalog_object *object)
{
    struct list_context *list = context;
    if (list->views_only && object->kind != CATALOG_VIEW)
        return;
    if (is_wanted(list->statement, object->name))
        table_cell(list->table, object->name);
}

static enum status show_objects(struct session *session, const struct statement *statement,
                                struct engine_result *out, struct error *err)
{
    static const char *const tables[] = {"table name"}, *const views[] = {"view name"};
    struct table_builder table;
    struct list_context list = {&table, statement, statement->kind == STATEMENT_SHOW_VIEWS};
    table_begin(&table, out, 1, list.views_only ? views : tables);
    catalog_list(session->engine->catalog, list_object, &list);
    return table_end(&table, err);
}

static enum status show_functions(const struct statement *statement, struct engine_result *out,
                                  struct error *err)
{
    static const char *const columns[] = {"function name", "signature", "description"};
    struct table_builder table;
    size_t count;
    table_begin(&table, out, 3, columns);
    const struct aggregate_def *const *aggregates = aggregate_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (!is_wanted(statement, aggregates[i]->name))
            continue;
        table_cell(&table, aggregates[i]->name);
        table_cell(&table, aggregates[i]->signature);
        table_cell(&table, aggregates[i]->help);
    }
    const struct function_def *const *functions = function_table(&count);
    for (size_t i = 0; i < count; i++) {
        if (!is_wanted(statement, functions[i]->name))
            continue;
        table_cell(&table, functions[i]->name);
        table_cell(&table, functions[i]->signature);
        table_cell(&table, functions[i]->help);
    }
    return table_end(&table, err);
}

static const char *key_text(struct arena *arena, const struct catalog_object *object)
{
    struct buf text;
    buf_init(&text, SHOW_BYTES_MAX);
    for (uint32_t i = 0; i < object->primary_key_count; i++)
        buf_printf(&text, "%s%s", i ? ", " : "PRI(", object->columns[object->primary_key[i]].name);
    if (object->primary_key_count)
        buf_append_text(&text, ")");
    const char *copy = arena_strndup(arena, buf_text(&text), text.length);
    buf_fini(&text);
    return copy;
}

static void describe_column(struct table_builder *table, const struct catalog_object *object,
                            uint32_t index, const char *key)
{
    const struct catalog_column *column = &object->columns[index];
    struct arena *arena = &table->result->arena;
    struct buf text;
    bool in_key = false;
    for (uint32_t i = 0; i < object->primary_key_count; i++)
        in_key = in_key || object->primary_key[i] == index;
    buf_init(&text, SHOW_BYTES_MAX);
    struct type nullable = *column->type;
    nullable.nullable = true;
    type_format(&text, &nullable);
    bool marked = object->has_watermark && object->watermark_column == index;
    if (marked || column->type->time_attribute == TIME_ATTRIBUTE_ROWTIME)
        buf_append_text(&text, " *ROWTIME*");
    table_cell(table, column->name);
    table_cell(table, buf_text(&text));
    table_cell(table, column->type->nullable ? "TRUE" : "FALSE");
    table_cell(table, in_key ? key : NULL);
    const char *extras = NULL;
    if (column->kind == COLUMN_COMPUTED)
        extras = arena_printf(arena, "AS %.*s", (int)column->expression.text.length,
                              column->expression.text.data);
    else if (column->kind == COLUMN_METADATA)
        extras = arena_printf(arena, "METADATA FROM '%s'%s", column->metadata_key,
                              column->is_virtual ? " VIRTUAL" : "");
    table_cell(table, extras);
    table_cell(table, marked ? arena_printf(arena, "%.*s", (int)object->watermark.text.length,
                                            object->watermark.text.data)
                             : NULL);
    buf_fini(&text);
}

static enum status describe(const struct catalog_object *object, struct engine_result *out,
                            struct error *err)
{
    static const char *const columns[] = {"name", "type", "null", "key", "extras", "watermark"};
    struct table_builder table;
    table_begin(&table, out, 6, columns);
    const char *key = key_text(&out->arena, object);
    for (uint32_t i = 0; i < object->column_count; i++)
        describe_column(&table, object, i, key);
    return table_end(&table, err);
}

static enum status show_create(const struct catalog_object *object, struct engine_result *out,
                               struct error *err)
{
    struct buf text;
    buf_init(&text, SHOW_BYTES_MAX);
    catalog_format_ddl(&text, object);
    out->kind = RESULT_TEXT;
    out->text = arena_strndup(&out->arena, buf_text(&text), text.length);
    buf_fini(&text);
    return arena_check(&out->arena, "a result", err);
}

static enum status show_one(struct session *session, const struct statement *statement,
                            struct engine_result *out, struct error *err)
{
    struct catalog_object *object =
        catalog_find(session->engine->catalog, statement->name, statement->name_count);
    struct str last = statement->name[statement->name_count - 1];
    if (!object)
        return error_set(err, ERR_NAME, "there is no table or view '%.*s'", (int)last.length,
                         last.data);
    enum status status;
    if (statement->kind == STATEMENT_DESCRIBE)
        status = describe(object, out, err);
    else if (object->kind != statement->object_kind)
        status = error_set(err, ERR_NAME, "'%.*s' is a %s", (int)last.length, last.data,
                           object->kind == CATALOG_VIEW ? "view" : "table");
    else
        status = show_create(object, out, err);
    catalog_object_unref(object);
    return status;
}

enum status show_execute(struct session *session, const struct statement *statement,
                         struct engine_result *out, struct error *err)
{
    switch (statement->kind) {
    case STATEMENT_SHOW_TABLES:
    case STATEMENT_SHOW_VIEWS:
        return show_objects(session, statement, out, err);
    case STATEMENT_SHOW_FUNCTIONS:
        return show_functions(statement, out, err);
    default:
        return show_one(session, statement, out, err);
    }
}
