/* config.c - a topic's settings under Kafka's own keys: one table, parsed when a topic is made,
 * changed or loaded.
 *
 * A key of Kafka's that is not here is an unknown one (with the nearest name); a value that asks
 * for what is not built is ERR_UNSUPPORTED. Values are plain numbers, as Kafka's clients send them.
 */
#include "log/log_int.h"

#include "base/must.h"

#define SEVEN_DAYS_MS "604800000" /* Kafka's default for both */

static const char *const cleanup_policies[] = {"delete", "compact", "compact,delete",
                                               "delete,compact", NULL};
static const char *const timestamp_types[] = {"CreateTime", "LogAppendTime", NULL};
static const char *const compression_types[] = {"producer", "uncompressed", "gzip", "snappy",
                                                "lz4",      "zstd",         NULL};

#define FIELD(name) offsetof(struct log_config, name)

static const struct option_def defs[] = {
    {.key = "cleanup.policy",
     .kind = OPTION_ENUM,
     .offset = FIELD(cleanup_policy),
     .default_value = "delete",
     .choices = cleanup_policies,
     .help = "What happens to old segments; only delete is built."},
    {.key = "compression.type",
     .kind = OPTION_ENUM,
     .offset = FIELD(compression_type),
     .default_value = "producer",
     .choices = compression_types,
     .help = "Batches are kept as the producer sent them; nothing else is built."},
    {.key = "index.interval.bytes",
     .kind = OPTION_INT,
     .offset = FIELD(index_interval_bytes),
     .default_value = "4096",
     .min_value = 0,
     .max_value = INT32_MAX,
     .help = "Bytes of a segment between two entries of its indexes."},
    {.key = "max.message.bytes",
     .kind = OPTION_INT,
     .offset = FIELD(max_message_bytes),
     .default_value = "1048588",
     .min_value = LOG_BATCH_HEADER_BYTES,
     .max_value = RECORD_BATCH_MAX_BYTES,
     .help = "Largest record batch, after compression."},
    {.key = "message.timestamp.type",
     .kind = OPTION_ENUM,
     .offset = FIELD(timestamp_type),
     .default_value = "CreateTime",
     .choices = timestamp_types,
     .help = "Whether a record's timestamp is its producer's or the time of its append."},
    {.key = "min.insync.replicas",
     .kind = OPTION_INT,
     .offset = FIELD(min_insync_replicas),
     .default_value = "1",
     .min_value = 1,
     .max_value = 1,
     .help = "One: this is a single node."},
    {.key = "retention.bytes",
     .kind = OPTION_INT,
     .offset = FIELD(retention_bytes),
     .default_value = "-1",
     .min_value = -1,
     .max_value = INT64_MAX,
     .help = "Size of a partition above which its oldest segments are deleted; -1: no limit."},
    {.key = "retention.ms",
     .kind = OPTION_INT,
     .offset = FIELD(retention_ms),
     .default_value = SEVEN_DAYS_MS,
     .min_value = -1,
     .max_value = INT64_MAX,
     .help = "Age at which a segment is deleted; -1: no limit."},
    {.key = "segment.bytes",
     .kind = OPTION_INT,
     .offset = FIELD(segment_bytes),
     .default_value = "1073741824",
     .min_value = 14,
     .max_value = RECORD_BATCH_MAX_BYTES,
     .help = "Size at which a new segment is begun."},
    {.key = "segment.ms",
     .kind = OPTION_INT,
     .offset = FIELD(segment_ms),
     .default_value = SEVEN_DAYS_MS,
     .min_value = 1,
     .max_value = INT64_MAX,
     .help = "Age at which a new segment is begun."},
};

const struct option_def *log_config_defs(size_t *out_count)
{
    *out_count = COUNT_OF(defs);
    return defs;
}

enum status log_config_parse(const struct log_config_entry *entries, size_t count,
                             struct log_config *out, struct error *err)
{
    struct option_given *given = mem_calloc(count + 1, sizeof(*given));
    struct arena arena;
    enum status status;

    if (!given)
        return error_memory(err, "a topic's configs", count * sizeof(*given));
    for (size_t i = 0; i < count; i++)
        given[i] =
            (struct option_given){.key = str_of(entries[i].key), .value = str_of(entries[i].value)};
    arena_init(&arena, NULL, 64 * 1024);
    *out = (struct log_config){0};
    status = option_parse(defs, COUNT_OF(defs), given, count, NULL, "topic", out, &arena, err);
    if (status == OK && out->cleanup_policy != 0)
        status =
            error_set(err, ERR_UNSUPPORTED, "cleanup.policy '%s' is not built: only 'delete' is",
                      cleanup_policies[out->cleanup_policy]);
    if (status == OK && out->compression_type != 0)
        status = error_set(err, ERR_UNSUPPORTED,
                           "compression.type '%s' is not built: only 'producer' is",
                           compression_types[out->compression_type]);
    arena_fini(&arena);
    mem_free(given);
    return status;
}
