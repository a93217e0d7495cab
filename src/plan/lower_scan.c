/* lower_scan.c - tables at both ends of a job: scans with only the fields that are needed, sinks
 * with the changelog they accept. Table options of leat and Flink that are not the connector's are
 * read here. */
#include "plan/plan_int.h"

#include "base/must.h"

enum status plan_hold_object(struct planner *planner, struct catalog_object *object)
{
    struct plan *plan = planner->plan;
    struct catalog_object **objects =
        ARENA_ARRAY(planner->arena, plan->object_count + 1, struct catalog_object *);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    if (plan->object_count)
        memcpy(objects, plan->objects, plan->object_count * sizeof(*objects));
    objects[plan->object_count] = catalog_object_ref(object);
    plan->objects = objects;
    plan->object_count++;
    return OK;
}

static enum status read_options(struct planner *planner, const struct catalog_object *table,
                                struct plugin_table_options *out)
{
    struct option_given *own =
        ARENA_ARRAY(planner->arena, table->option_count + 1, struct option_given);
    size_t count = 0;
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (size_t i = 0; i < table->option_count; i++)
        if (option_find(PLUGIN_TABLE_OPTIONS, PLUGIN_TABLE_OPTION_COUNT, table->options[i].key))
            own[count++] = table->options[i];
    *out = (struct plugin_table_options){.idle_timeout_ms = planner->settings->idle_timeout_ms,
                                         .on_reset = -1};
    return option_parse(PLUGIN_TABLE_OPTIONS, PLUGIN_TABLE_OPTION_COUNT, own, count, NULL,
                        table->full_name, out, planner->arena, planner->err);
}

/* Fields and metadata columns that an expression reads, as marks over [fields, metadata]. */
struct scan_use {
    bool *used;
};

static void use(void *context, uint32_t column)
{
    ((struct scan_use *)context)->used[column] = true;
}

static enum status choose_inputs(struct planner *planner, const struct rel_entry *entry,
                                 struct plan_node *node, uint32_t *input_map)
{
    const struct rel *rel = entry->rel;
    uint32_t field_count = rel->scan.table->description.field_count;
    uint32_t total = field_count + rel->scan.metadata_count;
    struct scan_use used = {ARENA_ARRAY(planner->arena, total + 1, bool)};
    uint32_t *wanted = ARENA_ARRAY(planner->arena, total + 1, uint32_t);
    struct table_metadata *metadata = ARENA_ARRAY(planner->arena, total + 1, struct table_metadata);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (uint32_t i = 0; i < rel->column_count; i++)
        if (entry->needed[i])
            expr_columns(rel->scan.columns[i], use, &used);
    if (rel->scan.watermark)
        expr_columns(rel->scan.watermark, use, &used);
    for (uint32_t i = 0; i < field_count; i++) {
        if (used.used[i]) {
            input_map[i] = node->source.wanted_count;
            wanted[node->source.wanted_count++] = i;
        }
    }
    for (uint32_t i = 0; i < rel->scan.metadata_count; i++) {
        if (used.used[field_count + i]) {
            input_map[field_count + i] = node->source.wanted_count + node->source.metadata_count;
            metadata[node->source.metadata_count++] = rel->scan.metadata[i];
        }
    }
    node->source.wanted = wanted;
    node->source.metadata = metadata;
    return OK;
}

static enum status choose_outputs(struct planner *planner, struct rel_entry *entry,
                                  struct plan_node *node, const uint32_t *input_map)
{
    const struct rel *rel = entry->rel;
    const struct expr **exprs =
        ARENA_ARRAY(planner->arena, rel->column_count + 1, const struct expr *);
    const char **names = ARENA_ARRAY(planner->arena, rel->column_count + 1, const char *);
    const struct type **types =
        ARENA_ARRAY(planner->arena, rel->column_count + 1, const struct type *);
    uint32_t count = 0;
    TRY(arena_check(planner->arena, "the plan", planner->err));
    node->source.rowtime_column = -1;
    for (uint32_t i = 0; i < rel->column_count; i++) {
        if (!entry->needed[i])
            continue;
        exprs[count] = expr_remap(planner->arena, rel->scan.columns[i], input_map);
        names[count] = rel->names[i];
        types[count] = rel->types[i];
        if (rel->scan.watermark && (int32_t)i == rel->rowtime_column)
            node->source.rowtime_column = (int32_t)count;
        entry->map[i] = count++;
    }
    if (rel->scan.watermark)
        node->source.watermark = expr_remap(planner->arena, rel->scan.watermark, input_map);
    node->source.exprs = exprs;
    return plan_node_columns(planner, node, names, types, count);
}

static enum status source_plugins(struct planner *planner, const struct catalog_object *table,
                                  struct plan_node *node)
{
    const struct table_description *description = &table->description;
    const struct plugin_registry *registry = planner->settings->registry;
    struct error *err = planner->err;
    const struct connector_class *connector =
        plugin_connector(registry, str_of(description->connector), err);
    if (!connector)
        return ERR_OPTION;
    if (!connector->source)
        return error_set(err, ERR_UNSUPPORTED,
                         "table %s: connector '%s' can be written to but not read from",
                         table->full_name, connector->name);
    node->source.connector = connector;
    TRY(plugin_table_format(registry, description, planner->arena, &node->source.format,
                            &node->source.format_options, &node->source.format_option_count, err));
    if (connector->source->needs_format && !node->source.format)
        return error_set(err, ERR_OPTION, "table %s: connector '%s' needs the option 'format'",
                         table->full_name, connector->name);
    if (!connector->source->needs_format)
        node->source.format = NULL;
    node->source.updates = node->source.format && node->source.format->produces_changelog;
    if (connector->source->is_changelog)
        TRY(connector->source->is_changelog(description, &node->source.updates, err));
    return connector->source->is_bounded(description, &node->source.bounded, err);
}

/* The columns of a source's second output; a dead-letter table has any of them, by name. */
static const struct table_field DEAD_LETTER_FIELDS[] = {
    {"source", &TYPE_OF_STRING},        {"partition", &TYPE_OF_INT},
    {"offset", &TYPE_OF_BIGINT},        {"payload", &TYPE_OF_BYTES},
    {"error_code", &TYPE_OF_STRING},    {"error_text", &TYPE_OF_STRING},
    {"time", &TYPE_OF_TIMESTAMP_LTZ_3},
};

static const struct expr *dead_letter_column(struct planner *planner,
                                             const struct table_field *field,
                                             const struct statement_insert *insert)
{
    for (uint32_t i = 0; i < COUNT_OF(DEAD_LETTER_FIELDS); i++) {
        if (strcmp(DEAD_LETTER_FIELDS[i].name, field->name) != 0)
            continue;
        const struct type *type = DEAD_LETTER_FIELDS[i].type;
        const struct expr *column = plan_column(planner->arena, i, type, insert->pos);
        if (type_same(type, field->type) || !column)
            return column;
        if (!cast_implicit(type, field->type))
            break;
        struct expr *cast = ARENA_NEW(planner->arena, struct expr);
        const struct expr **args = ARENA_ARRAY(planner->arena, 1, const struct expr *);
        if (!cast || !args)
            return NULL;
        args[0] = column;
        *cast = (struct expr){.kind = EXPR_CAST,
                              .type = field->type,
                              .pos = insert->pos,
                              .arg_count = 1,
                              .args = args,
                              .cast.implicit = true};
        return cast;
    }
    error_set(planner->err, ERR_OPTION,
              "dead-letter table %s: column '%s' is none of source STRING, partition INT, offset "
              "BIGINT, payload BYTES, error_code STRING, error_text STRING, time TIMESTAMP_LTZ(3)",
              insert->target->full_name, field->name);
    return NULL;
}

static enum status dead_letter_sink(struct planner *planner, struct plan_node *source,
                                    struct catalog_object *table)
{
    const struct statement_insert insert = {.target = table};
    uint32_t count = table->description.field_count;
    struct plan_node *calc = plan_node_new(planner, PLAN_CALC, 1, &source), *sink;
    uint32_t *ports = ARENA_ARRAY(planner->arena, 1, uint32_t);
    const struct expr **exprs = ARENA_ARRAY(planner->arena, count + 1, const struct expr *);
    const struct type **types = ARENA_ARRAY(planner->arena, count + 1, const struct type *);
    const char **names = ARENA_ARRAY(planner->arena, count + 1, const char *);
    TRY(arena_check(planner->arena, "the plan", planner->err));
    for (uint32_t i = 0; i < count; i++) {
        exprs[i] = dead_letter_column(planner, &table->description.fields[i], &insert);
        if (!exprs[i])
            return arena_check(planner->arena, "the plan", planner->err) != OK ? ERR_MEMORY
                                                                               : ERR_OPTION;
        types[i] = table->description.fields[i].type;
        names[i] = table->description.fields[i].name;
    }
    ports[0] = 1;
    calc->input_outputs = ports;
    calc->calc.exprs = exprs;
    TRY(plan_node_columns(planner, calc, names, types, count));
    TRY(plan_lower_sink(planner, &insert, calc, &sink));
    return plan_add_root(planner, sink);
}

static enum status dead_letters(struct planner *planner, const struct plugin_table_options *options,
                                struct plan_node *node)
{
    node->source.bad_rows = (enum bad_rows_policy)options->bad_rows;
    if (options->bad_rows != BAD_ROWS_DEAD_LETTER)
        return OK;
    if (!options->dead_letter_table)
        return error_set(planner->err, ERR_OPTION,
                         "table %s: 'leat.bad-rows' = 'dead-letter' needs 'leat.dead-letter.table'",
                         node->source.table->full_name);
    struct str name = str_of(options->dead_letter_table);
    struct catalog_object *table = catalog_find(planner->settings->catalog, &name, 1);
    if (!table || table->kind != CATALOG_TABLE) {
        catalog_object_unref(table);
        return error_set(planner->err, ERR_NAME, "table %s: there is no dead-letter table '%s'",
                         node->source.table->full_name, options->dead_letter_table);
    }
    enum status status = dead_letter_sink(planner, node, table);
    catalog_object_unref(table);
    return status;
}

enum status plan_lower_scan(struct planner *planner, struct rel_entry *entry)
{
    const struct rel *rel = entry->rel;
    struct catalog_object *table = rel->scan.table;
    uint32_t total = table->description.field_count + rel->scan.metadata_count;
    struct plan_node *node = plan_node_new(planner, PLAN_SOURCE, 0, NULL);
    uint32_t *input_map = ARENA_ARRAY(planner->arena, total + 1, uint32_t);
    struct plugin_table_options options;
    TRY(arena_check(planner->arena, "the plan", planner->err));
    node->source.table = table;
    node->source.limit = -1;
    TRY(plan_hold_object(planner, table));
    TRY(read_options(planner, table, &options));
    TRY(source_plugins(planner, table, node));
    node->source.idle_timeout_ms = options.idle_timeout_ms;
    if (rel->scan.watermark && rel->rowtime_column >= 0)
        entry->needed[rel->rowtime_column] = true; /* a NULL there is an error of the row */
    TRY(choose_inputs(planner, entry, node, input_map));
    TRY(choose_outputs(planner, entry, node, input_map));
    entry->node = node;
    return dead_letters(planner, &options, node);
}

enum status plan_lower_sink(struct planner *planner, const struct statement_insert *insert,
                            struct plan_node *input, struct plan_node **out)
{
    struct error *err = planner->err;
    struct catalog_object *table = insert->target;
    const struct table_description *description = &table->description;
    const struct connector_class *connector =
        plugin_connector(planner->settings->registry, str_of(description->connector), err);
    if (!connector)
        return ERR_OPTION;
    if (!connector->sink)
        return error_set(err, ERR_UNSUPPORTED,
                         "table %s: connector '%s' can be read but not written to",
                         table->full_name, connector->name);
    if (insert->overwrite)
        return error_set(err, ERR_UNSUPPORTED, "INSERT OVERWRITE is not built");
    struct plugin_table_options options;
    struct plan_node *node = plan_node_new(planner, PLAN_SINK, 1, &input);
    TRY(arena_check(planner->arena, "the plan", err));
    node->sink.table = table;
    TRY(plan_hold_object(planner, table));
    node->sink.connector = connector;
    node->sink.check_count = insert->check_count;
    node->sink.checks = insert->checks;
    TRY(plugin_table_format(planner->settings->registry, description, planner->arena,
                            &node->sink.format, &node->sink.format_options,
                            &node->sink.format_option_count, err));
    if (connector->sink->needs_format && !node->sink.format)
        return error_set(err, ERR_OPTION, "table %s: connector '%s' needs the option 'format'",
                         table->full_name, connector->name);
    TRY(connector->sink->mode(description, &node->sink.mode, err));
    TRY(read_options(planner, table, &options));
    node->sink.max_pending_bytes = options.max_pending_bytes;
    node->sink.on_reset = node->sink.mode == SINK_UPSERT ? SINK_REBUILD : SINK_FAIL;
    if (options.on_reset >= 0)
        node->sink.on_reset = (enum sink_on_reset)options.on_reset;
    node->column_count = input->column_count;
    node->names = input->names;
    node->types = input->types;
    *out = node;
    return OK;
}
