/* registry.c - connectors and formats by name, and whether a table's options are theirs.
 *
 * A table's WITH options belong to four owners: the connector; the format ("json.x", or
 * "value.json.x" when it was given as 'value.format'); 'format' itself; and the options of every
 * table (PLUGIN_TABLE_OPTIONS), which the planner reads. Pure functions over const tables.
 */
#include "plugin/connector.h"

#include <stddef.h>
#include <stdio.h>

#include "base/must.h"

#define NAMES_MAX 128

/* Room that covers every field of a table of options, for parsing into nothing. */
#define OPTION_FIELD_BYTES 16

static const char *const BAD_ROWS[] = {"fail", "skip", "dead-letter", NULL};
static const char *const ON_RESET[] = {"rebuild", "fail", NULL};

#define AT(field) .offset = offsetof(struct plugin_table_options, field)
const struct option_def PLUGIN_TABLE_OPTIONS[PLUGIN_TABLE_OPTION_COUNT] = {
    {.key = "leat.bad-rows",
     .kind = OPTION_ENUM,
     AT(bad_rows),
     .default_value = "fail",
     .choices = BAD_ROWS,
     .help =
         "What becomes of a record that cannot be read. fail: the job ends and names its place; "
         "skip: it is counted; dead-letter: it is kept in the table of leat.dead-letter.table."},
    {.key = "leat.dead-letter.table",
     .kind = OPTION_STRING,
     AT(dead_letter_table),
     .help = "A table with the columns source STRING, partition INT, offset BIGINT, payload BYTES, "
             "error_code STRING, error_text STRING, time TIMESTAMP_LTZ(3)."},
    {.key = "leat.sink.on-reset",
     .kind = OPTION_ENUM,
     AT(on_reset),
     .choices = ON_RESET,
     .help = "What a job with checkpoints does when it is started again and its table is gone. "
             "rebuild: it begins anew and reads its inputs from their start, the default with a "
             "primary key; fail: it ends and says so, the default without one."},
    {.key = "leat.sink.max-pending-bytes",
     .kind = OPTION_BYTES,
     AT(max_pending_bytes),
     .default_value = "256 mb",
     .help = "How much of finished checkpoints may wait to be committed to the table before the "
             "job waits for it."},
    {.key = "scan.watermark.idle-timeout",
     .kind = OPTION_DURATION,
     AT(idle_timeout_ms),
     .help = "A split without rows for so long no longer holds the watermark back; without it "
             "table.exec.source.idle-timeout counts."},
    {.key = "scan.watermark.emit.strategy",
     .kind = OPTION_STRING,
     AT(unused),
     .help = "Taken and not used: the watermark is known before each row."},
    {.key = "scan.watermark.alignment.group",
     .kind = OPTION_STRING,
     AT(unused),
     .help = "Taken and not used: splits are not held back for each other."},
    {.key = "scan.watermark.alignment.max-drift",
     .kind = OPTION_STRING,
     AT(unused),
     .help = "Taken and not used."},
    {.key = "scan.watermark.alignment.update-interval",
     .kind = OPTION_STRING,
     AT(unused),
     .help = "Taken and not used."},
};

static bool is_table_option(struct str key)
{
    return option_find(PLUGIN_TABLE_OPTIONS, PLUGIN_TABLE_OPTION_COUNT, key) != NULL;
}

static void unknown_name(struct error *err, const char *kind, struct str name,
                         const char *const *names, size_t count)
{
    char list[ERROR_HINT_MAX];
    size_t length = 0;
    const char *nearest = str_nearest(name, names, count);
    error_set(err, ERR_NAME, "there is no %s '%.*s'", kind,
              name.length > 80 ? 80 : (int)name.length, name.data);
    list[0] = 0;
    for (size_t i = 0; i < count && length < sizeof(list); i++) {
        int n = snprintf(list + length, sizeof(list) - length, "%s%s", i ? ", " : "", names[i]);
        length += n > 0 ? (size_t)n : 0;
    }
    if (nearest)
        error_hint(err, "did you mean '%s'?", nearest);
    else if (count)
        error_hint(err, "there are: %s", list);
}

const struct connector_class *plugin_connector(const struct plugin_registry *registry,
                                               struct str name, struct error *err)
{
    const char *names[NAMES_MAX];
    size_t count = 0;
    for (size_t i = 0; registry->connectors && registry->connectors[i]; i++) {
        if (str_eq(name, str_of(registry->connectors[i]->name)))
            return registry->connectors[i];
        if (count < NAMES_MAX)
            names[count++] = registry->connectors[i]->name;
    }
    unknown_name(err, "connector", name, names, count);
    return NULL;
}

const struct format_class *plugin_format(const struct plugin_registry *registry, struct str name,
                                         struct error *err)
{
    const char *names[NAMES_MAX];
    size_t count = 0;
    for (size_t i = 0; registry->formats && registry->formats[i]; i++) {
        if (str_eq(name, str_of(registry->formats[i]->name)))
            return registry->formats[i];
        if (count < NAMES_MAX)
            names[count++] = registry->formats[i]->name;
    }
    unknown_name(err, "format", name, names, count);
    return NULL;
}

static const struct option_given *given_of(const struct table_description *table, const char *key)
{
    for (size_t i = 0; i < table->option_count; i++)
        if (str_eq(table->options[i].key, str_of(key)))
            return &table->options[i];
    return NULL;
}

/* The option that names the format, and what its options begin with ("json." or "value.json."). */
static const struct option_given *format_option(const struct table_description *table,
                                                struct arena *arena, struct str *prefix)
{
    const struct option_given *given = given_of(table, "format");
    const char *before = "";
    if (!given) {
        given = given_of(table, "value.format");
        before = "value.";
    }
    *prefix = (struct str){0};
    if (given) {
        char *text =
            arena_printf(arena, "%s%.*s.", before, (int)given->value.length, given->value.data);
        *prefix = str_of(text);
    }
    return given;
}

enum status plugin_table_format(const struct plugin_registry *registry,
                                const struct table_description *table, struct arena *arena,
                                const struct format_class **format,
                                const struct option_given **options, size_t *option_count,
                                struct error *err)
{
    struct str prefix;
    *format = NULL;
    *options = NULL;
    *option_count = 0;
    const struct option_given *given = format_option(table, arena, &prefix);
    TRY(arena_check(arena, "the table's options", err));
    if (!given)
        return OK;
    *format = plugin_format(registry, given->value, err);
    if (!*format) {
        error_at(err, given->pos);
        return ERR_NAME;
    }
    struct option_given *own = ARENA_ARRAY(arena, table->option_count, struct option_given);
    TRY(arena_check(arena, "the table's options", err));
    for (size_t i = 0; i < table->option_count; i++) {
        struct option_given option = table->options[i];
        if (!str_starts(option.key, prefix))
            continue;
        option.key.data += prefix.length;
        option.key.length -= prefix.length;
        own[(*option_count)++] = option;
    }
    *options = own;
    return OK;
}

/* Parse into a scratch struct: only the verdict counts. */
static enum status check_options(const struct option_def *defs, size_t def_count,
                                 const struct option_given *given, size_t given_count,
                                 const char *what, struct arena *arena, struct error *err)
{
    size_t size_bytes = OPTION_FIELD_BYTES;
    for (size_t i = 0; i < def_count; i++)
        if (defs[i].offset + OPTION_FIELD_BYTES > size_bytes)
            size_bytes = defs[i].offset + OPTION_FIELD_BYTES;
    void *target = arena_alloc(arena, size_bytes);
    TRY(arena_check(arena, "the table's options", err));
    return option_parse(defs, def_count, given, given_count, NULL, what, target, arena, err);
}

enum status plugin_connector_options(const struct option_def *defs, size_t def_count,
                                     const struct table_description *table, const char *what,
                                     void *target, struct arena *arena, struct error *err)
{
    struct str prefix;
    (void)format_option(table, arena, &prefix);
    struct option_given *own = ARENA_ARRAY(arena, table->option_count + 1, struct option_given);
    size_t count = 0;
    TRY(arena_check(arena, "the table's options", err));
    for (size_t i = 0; i < table->option_count; i++) {
        struct str key = table->options[i].key;
        bool known = option_find(defs, def_count, key) != NULL;
        bool of_format = (prefix.length && str_starts(key, prefix)) || str_eq(key, STR("format")) ||
                         str_eq(key, STR("value.format"));
        if (known || !(of_format || is_table_option(key)))
            own[count++] = table->options[i];
    }
    return option_parse(defs, def_count, own, count, NULL, what, target, arena, err);
}

static enum status check_connector(const struct connector_class *connector,
                                   const struct table_description *table, struct str format_prefix,
                                   struct arena *arena, struct error *err)
{
    struct option_given *own = ARENA_ARRAY(arena, table->option_count + 1, struct option_given);
    const char *what = arena_printf(arena, "connector '%s'", connector->name);
    size_t count = 0;
    TRY(arena_check(arena, "the table's options", err));
    bool formats = (connector->source && connector->source->needs_format) ||
                   (connector->sink && connector->sink->needs_format);
    for (size_t i = 0; i < table->option_count; i++) {
        struct str key = table->options[i].key;
        bool known = option_find(connector->options, connector->option_count, key) != NULL;
        bool of_format = (format_prefix.length && str_starts(key, format_prefix)) ||
                         str_eq(key, STR("format")) || str_eq(key, STR("value.format"));
        if (!known && ((of_format && formats) || is_table_option(key)))
            continue;
        own[count++] = table->options[i];
    }
    return check_options(connector->options, connector->option_count, own, count, what, arena, err);
}

enum status plugin_validate(const struct plugin_registry *registry,
                            const struct table_description *table, struct error *err)
{
    struct arena arena;
    const struct format_class *format;
    const struct option_given *format_options;
    size_t format_option_count;
    struct str prefix;
    enum status status = ERR_NAME;
    arena_init(&arena, NULL, 16u << 20);
    const struct connector_class *connector =
        plugin_connector(registry, str_of(table->connector), err);
    if (!connector)
        goto out;
    (void)format_option(table, &arena, &prefix);
    status = check_connector(connector, table, prefix, &arena, err);
    if (status != OK)
        goto out;
    status = plugin_table_format(registry, table, &arena, &format, &format_options,
                                 &format_option_count, err);
    if (status != OK)
        goto out;
    bool needed = (connector->source && connector->source->needs_format) &&
                  (!connector->sink || connector->sink->needs_format);
    if (format)
        status = check_options(format->options, format->option_count, format_options,
                               format_option_count,
                               arena_printf(&arena, "format '%s'", format->name), &arena, err);
    else if (needed)
        status =
            error_set(err, ERR_OPTION, "connector '%s' needs the option 'format'", connector->name);
out:
    arena_fini(&arena);
    return status;
}
