/* http_ingest.c - the class of the http-ingest connector, its options and paths. */
#include "connector/http-ingest/http_ingest.h"

#include <stddef.h>

#include "connector/http-ingest/http_ingest_int.h"

#define PATH_MAX_BYTES 200

static const struct option_def OPTIONS[] = {
    {.key = "path",
     .kind = OPTION_STRING,
     .offset = offsetof(struct ingest_options, path),
     .help = "Rows are taken at POST /ingest/PATH; without it PATH is the table's name."},
    {.key = "topic",
     .kind = OPTION_STRING,
     .offset = offsetof(struct ingest_options, topic),
     .required = true,
     .help = "The topic of the broker in this process in which rows become durable and from which "
             "the table is read; made when it is missing."},
    {.key = "max-body-bytes",
     .kind = OPTION_BYTES,
     .offset = offsetof(struct ingest_options, max_body_bytes),
     .default_value = "8 mb",
     .min_value = 1024,
     .max_value = 1 << 30,
     .help = "Larger bodies are answered with 413."},
    {.key = "max-pending-bytes",
     .kind = OPTION_BYTES,
     .offset = offsetof(struct ingest_options, max_pending_bytes),
     .default_value = "64 mb",
     .min_value = 1024,
     .max_value = INT64_C(1) << 40,
     .help = "While so much has been taken and is not durable yet, requests are answered with 429 "
             "and Retry-After."},
    {.key = "scan.startup.mode",
     .kind = OPTION_STRING,
     .offset = offsetof(struct ingest_options, startup_mode),
     .default_value = "earliest-offset",
     .help = "As that of connector 'kafka': where a job that reads the table begins."},
    {.key = "scan.startup.timestamp-millis",
     .kind = OPTION_STRING,
     .offset = offsetof(struct ingest_options, startup_timestamp),
     .help = "As that of connector 'kafka', for 'scan.startup.mode' = 'timestamp'."},
    {.key = "scan.bounded.mode",
     .kind = OPTION_STRING,
     .offset = offsetof(struct ingest_options, bounded_mode),
     .default_value = "unbounded",
     .help = "As that of connector 'kafka': 'latest-offset' reads what is there and ends."},
    {.key = "scan.bounded.timestamp-millis",
     .kind = OPTION_STRING,
     .offset = offsetof(struct ingest_options, bounded_timestamp),
     .help = "As that of connector 'kafka', for 'scan.bounded.mode' = 'timestamp'."},
};

enum status ingest_options_parse(const struct table_description *table,
                                 struct ingest_options *options, struct arena *arena,
                                 struct error *err)
{
    *options = (struct ingest_options){0};
    TRY(plugin_connector_options(OPTIONS, sizeof(OPTIONS) / sizeof(*OPTIONS), table, INGEST_WHAT,
                                 options, arena, err));
    for (size_t i = 0; i < table->option_count; i++) {
        const struct option_given *given = &table->options[i];
        if (!str_eq(given->key, STR("format")) && !str_eq(given->key, STR("value.format")))
            continue;
        if (str_eq(given->value, STR("json")))
            continue;
        error_set(err, ERR_UNSUPPORTED, "table %s: " INGEST_WHAT " takes JSON, not '%.*s'",
                  table->name, given->value.length > 80 ? 80 : (int)given->value.length,
                  given->value.data);
        error_hint(err, "'format' = 'json'");
        error_at(err, given->pos);
        return ERR_UNSUPPORTED;
    }
    return OK;
}

static bool is_path(const char *path)
{
    size_t length = strlen(path);
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
    return length > 0 && length <= PATH_MAX_BYTES && strspn(path, allowed) == length &&
           path[0] != '.';
}

enum status ingest_path(const struct table_description *table, struct arena *arena,
                        const char **out, struct error *err)
{
    struct ingest_options options;
    TRY(ingest_options_parse(table, &options, arena, err));
    const char *dot = strrchr(table->name, '.');
    const char *path = options.path ? options.path : dot ? dot + 1 : table->name;
    if (!is_path(path)) {
        error_set(err, ERR_OPTION,
                  "table %s: '%.80s' cannot be a path: letters, digits, '_', '-' and '.' (not "
                  "first), at most %d",
                  table->name, path, PATH_MAX_BYTES);
        error_hint(err, "give the table a 'path'");
        return ERR_OPTION;
    }
    *out = arena_strndup(arena, path, strlen(path));
    return arena_check(arena, INGEST_WHAT, err);
}

const struct connector_class CONNECTOR_HTTP_INGEST = {
    .size = sizeof(struct connector_class),
    .name = "http-ingest",
    .help = "Rows that clients POST to this process as JSON; durable in a topic before the answer.",
    .options = OPTIONS,
    .option_count = sizeof(OPTIONS) / sizeof(*OPTIONS),
    .source = &INGEST_SOURCE,
    .endpoint = &INGEST_ENDPOINT,
};
