/* jdbc.c - the jdbc connector's options and class. */
#include "connector/jdbc/jdbc.h"

#include <stddef.h>

#include "base/must.h"
#include "connector/jdbc/jdbc_int.h"
#include "os/path.h"

#define SQLITE_PREFIX "jdbc:sqlite:"

const struct option_def JDBC_OPTIONS[] = {
    {.key = "url",
     .kind = OPTION_STRING,
     .offset = offsetof(struct jdbc_options, url),
     .required = true,
     .help = "The database: jdbc:sqlite:PATH, a file."},
    {.key = "table-name",
     .kind = OPTION_STRING,
     .offset = offsetof(struct jdbc_options, table_name),
     .required = true,
     .help = "The table in the database; a sink makes it when it is missing."},
    {.key = "driver",
     .kind = OPTION_STRING,
     .offset = offsetof(struct jdbc_options, driver),
     .help = "Taken and not used: the url says which database it is."},
    {.key = "sink.buffer-flush.max-rows",
     .kind = OPTION_INT,
     .offset = offsetof(struct jdbc_options, max_rows),
     .default_value = "5000",
     .min_value = 0,
     .max_value = INT64_MAX,
     .help = "The most rows of one transaction, at most 5000. Rows never wait for it to fill."},
    {.key = "sink.buffer-flush.interval",
     .kind = OPTION_DURATION,
     .offset = offsetof(struct jdbc_options, interval_ms),
     .default_value = "0",
     .help = "Taken and not used: rows are written as soon as the write before has ended."},
    {.key = "sink.max-retries",
     .kind = OPTION_INT,
     .offset = offsetof(struct jdbc_options, max_retries),
     .default_value = "3",
     .min_value = 0,
     .max_value = INT64_MAX,
     .help = "Taken and not used: a locked database is waited for, other failures end the job."},
    {.key = "connection.max-retry-timeout",
     .kind = OPTION_DURATION,
     .offset = offsetof(struct jdbc_options, retry_timeout_ms),
     .default_value = "60 s",
     .help = "Taken and not used: a file needs no connection."},
    {.key = "scan.fetch-size",
     .kind = OPTION_INT,
     .offset = offsetof(struct jdbc_options, fetch_size),
     .default_value = "0",
     .min_value = 0,
     .max_value = INT64_MAX,
     .help = "Taken and not used: rows are read from the file as they are wanted."},
    {.key = "scan.auto-commit",
     .kind = OPTION_BOOL,
     .offset = offsetof(struct jdbc_options, auto_commit),
     .default_value = "true",
     .help = "Taken and not used: a scan is one statement."},
};
const size_t JDBC_OPTION_COUNT = COUNT_OF(JDBC_OPTIONS);

/* Options of Flink that mean something, but nothing that is built. */
static const char *const NOT_BUILT[] = {"username", "password", "scan.partition.", "lookup."};

enum status jdbc_parse_options(const struct table_description *table, struct jdbc_options *options,
                               struct arena *arena, struct error *err)
{
    for (size_t i = 0; i < table->option_count; i++)
        for (size_t j = 0; j < COUNT_OF(NOT_BUILT); j++)
            if (str_starts(table->options[i].key, str_of(NOT_BUILT[j]))) {
                error_set(err, ERR_UNSUPPORTED,
                          "table %s: connector 'jdbc': option '%.*s' is not built for SQLite files",
                          table->name, (int)table->options[i].key.length,
                          table->options[i].key.data);
                error_at(err, table->options[i].pos);
                return ERR_UNSUPPORTED;
            }
    *options = (struct jdbc_options){0};
    return plugin_connector_options(JDBC_OPTIONS, JDBC_OPTION_COUNT, table, "connector 'jdbc'",
                                    options, arena, err);
}

enum status jdbc_sqlite_path(const struct table_description *table,
                             const struct jdbc_options *options,
                             const struct plugin_context *context, const char **path,
                             struct error *err)
{
    struct str url = str_of(options->url);
    if (!str_starts(url, STR(SQLITE_PREFIX)))
        return error_set(err, ERR_UNSUPPORTED,
                         "connector 'jdbc': the url is '%s', but only jdbc:sqlite:PATH is built",
                         options->url);
    *path = options->url + strlen(SQLITE_PREFIX);
    if (**path == '\0' || (*path)[0] == ':')
        return error_set(err, ERR_OPTION,
                         "connector 'jdbc': the url '%s' names no file; use jdbc:sqlite:PATH",
                         options->url);
    return table->restricted ? path_check_roots(*path, context->security_roots, err) : OK;
}

enum status jdbc_check_columns(const struct table_description *table, struct error *err)
{
    for (uint32_t i = 0; i < table->field_count; i++) {
        const struct type *type = table->fields[i].type;
        if (type->root != TYPE_NULL && type->root < TYPE_INTERVAL_YEAR_MONTH)
            continue;
        struct buf text;
        buf_init(&text, 4096);
        type_format(&text, type);
        enum status status =
            error_set(err, ERR_UNSUPPORTED, "table %s: jdbc: column '%s' of type %s is not built",
                      table->name, table->fields[i].name, buf_text(&text));
        buf_fini(&text);
        return status;
    }
    return OK;
}

const struct connector_class CONNECTOR_JDBC = {
    .size = sizeof(struct connector_class),
    .name = "jdbc",
    .help = "Tables of a SQLite file: upserts by primary key, appends, bounded scans.",
    .options = JDBC_OPTIONS,
    .option_count = COUNT_OF(JDBC_OPTIONS),
    .source = &JDBC_SOURCE,
    .sink = &JDBC_SINK,
};
