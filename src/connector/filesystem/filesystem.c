/* filesystem.c - the filesystem connector's options and class. */
#include "connector/filesystem/filesystem.h"

#include <stddef.h>

#include "base/must.h"
#include "connector/filesystem/filesystem_int.h"
#include "os/path.h"

#define FILE_SCHEME "file://"

const struct option_def FILESYSTEM_OPTIONS[] = {
    {.key = "path",
     .kind = OPTION_STRING,
     .offset = offsetof(struct filesystem_options, path),
     .required = true,
     .help = "A file or directory of this machine; a sink writes into the directory."},
    {.key = "sink.rolling-policy.file-size",
     .kind = OPTION_BYTES,
     .offset = offsetof(struct filesystem_options, roll_bytes),
     .default_value = "128 mb",
     .min_value = 1,
     .max_value = INT64_MAX,
     .help = "A file that has reached this size gets no more rows, the next ones go to another."},
    {.key = "sink.rolling-policy.rollover-interval",
     .kind = OPTION_DURATION,
     .offset = offsetof(struct filesystem_options, roll_ms),
     .default_value = "30 min",
     .min_value = 1,
     .max_value = INT64_MAX / 1000,
     .help = "Nor does one that is this old. With checkpoints each ends the files before it."},
};
const size_t FILESYSTEM_OPTION_COUNT = COUNT_OF(FILESYSTEM_OPTIONS);

/* Options of Flink that are not built. */
static const char *const NOT_BUILT[] = {
    "source.",
    "sink.rolling-policy.check-interval",
    "sink.rolling-policy.inactivity-interval",
    "sink.partition-commit.",
    "auto-compaction",
    "compaction.",
    "sink.shuffle-by-partition.",
    "partition.",
    "sink.parallelism",
};

static enum status check_options(const struct table_description *table, struct error *err)
{
    for (size_t i = 0; i < table->option_count; i++)
        for (size_t j = 0; j < COUNT_OF(NOT_BUILT); j++)
            if (str_starts(table->options[i].key, str_of(NOT_BUILT[j]))) {
                error_set(err, ERR_UNSUPPORTED,
                          "table %s: connector 'filesystem': option '%.*s' is not built",
                          table->name, (int)table->options[i].key.length,
                          table->options[i].key.data);
                error_at(err, table->options[i].pos);
                return ERR_UNSUPPORTED;
            }
    if (table->partition_key_count)
        return error_set(err, ERR_UNSUPPORTED,
                         "table %s: connector 'filesystem': PARTITIONED BY is not built",
                         table->name);
    return OK;
}

enum status filesystem_parse(const struct table_description *table,
                             const struct plugin_context *context, struct filesystem_options *out,
                             struct arena *arena, struct error *err)
{
    *out = (struct filesystem_options){0};
    TRY(check_options(table, err));
    TRY(plugin_connector_options(FILESYSTEM_OPTIONS, FILESYSTEM_OPTION_COUNT, table,
                                 "connector 'filesystem'", out, arena, err));
    if (str_starts(str_of(out->path), STR(FILE_SCHEME)))
        out->path += strlen(FILE_SCHEME);
    else if (strstr(out->path, "://"))
        return error_set(err, ERR_UNSUPPORTED,
                         "table %s: connector 'filesystem': '%s' is not a path of this machine, "
                         "others are not built",
                         table->name, out->path);
    if (*out->path == '\0')
        return error_set(err, ERR_OPTION,
                         "table %s: connector 'filesystem': option 'path' is empty", table->name);
    return context && table->restricted ? path_check_roots(out->path, context->security_roots, err)
                                        : OK;
}

const struct connector_class CONNECTOR_FILESYSTEM = {
    .size = sizeof(struct connector_class),
    .name = "filesystem",
    .help = "Files of this machine: bounded reads of a file or directory, appends to new files "
            "(each row "
            "exactly once, with checkpoints).",
    .options = FILESYSTEM_OPTIONS,
    .option_count = COUNT_OF(FILESYSTEM_OPTIONS),
    .source = &FILESYSTEM_SOURCE,
    .sink = &FILESYSTEM_SINK,
};
