/* http_ingest_source.c - reading: connector/kafka over the table's topic in this process.
 *
 * The table is described anew as one of connector 'kafka' with 'embedded' as its servers;
 * everything after that is that connector's.
 */
#include "connector/http-ingest/http_ingest_int.h"

#include "connector/kafka/kafka.h"

#define OPTIONS_BYTES_MAX (1u << 20)

static const struct source_class *kafka(void)
{
    return CONNECTOR_KAFKA.source;
}

static void add(struct option_given *list, size_t *count, const char *key, const char *value)
{
    if (value)
        list[(*count)++] = (struct option_given){.key = str_of(key), .value = str_of(value)};
}

static enum status describe(const struct table_description *table, struct arena *arena,
                            struct table_description *out, struct error *err)
{
    struct ingest_options options;
    struct option_given *list = ARENA_ARRAY(arena, 8, struct option_given);
    TRY(arena_check(arena, INGEST_WHAT, err));
    TRY(ingest_options_parse(table, &options, arena, err));
    *out = *table;
    out->options = list;
    out->option_count = 0;
    add(list, &out->option_count, "topic", options.topic);
    add(list, &out->option_count, "properties.bootstrap.servers", "embedded");
    add(list, &out->option_count, "scan.startup.mode", options.startup_mode);
    add(list, &out->option_count, "scan.startup.timestamp-millis", options.startup_timestamp);
    add(list, &out->option_count, "scan.bounded.mode", options.bounded_mode);
    add(list, &out->option_count, "scan.bounded.timestamp-millis", options.bounded_timestamp);
    return OK;
}

static enum status is_bounded(const struct table_description *table, bool *out, struct error *err)
{
    struct table_description described;
    struct arena arena;
    arena_init(&arena, NULL, OPTIONS_BYTES_MAX);
    enum status status = describe(table, &arena, &described, err);
    if (status == OK)
        status = kafka()->is_bounded(&described, out, err);
    arena_fini(&arena);
    return status;
}

static enum status source_open(const struct source_request *request, struct wake *wake,
                               struct source **out, struct error *err)
{
    struct table_description described; /* for the call only: connector/kafka keeps copies */
    struct source_request asked = *request;
    struct arena arena;
    arena_init(&arena, NULL, OPTIONS_BYTES_MAX);
    asked.table = &described;
    enum status status = describe(request->table, &arena, &described, err);
    if (status == OK)
        status = kafka()->open(&asked, wake, out, err);
    arena_fini(&arena);
    return status;
}

static enum poll_result discover(struct source *source, source_split_fn each, void *context,
                                 int64_t *again_us, struct error *err)
{
    return kafka()->discover(source, each, context, again_us, err);
}

static void known(struct source *source, const struct source_split *split, bool finished)
{
    kafka()->known(source, split, finished);
}

static bool discovered(struct source *source)
{
    return kafka()->discovered(source);
}

static enum status start(struct source *source, const struct source_split *split, struct buf *out,
                         struct error *err)
{
    return kafka()->start(source, split, out, err);
}

static enum status reader_open(struct source *source, const struct source_split *split,
                               const void *position, size_t position_bytes, struct wake *wake,
                               struct source_reader **out, struct error *err)
{
    return kafka()->reader_open(source, split, position, position_bytes, wake, out, err);
}

static enum poll_result reader_poll(struct source_reader *reader, uint32_t max_rows,
                                    struct source_output *out, struct error *err)
{
    return kafka()->poll(reader, max_rows, out, err);
}

static enum status reader_position(struct source_reader *reader, struct buf *out, struct error *err)
{
    return kafka()->position(reader, out, err);
}

static enum status fill_metadata(struct source_reader *reader, const struct records *records,
                                 uint32_t index, struct vec **out, struct error *err)
{
    return kafka()->fill_metadata(reader, records, index, out, err);
}

static bool source_why(struct source *source, struct buf *out)
{
    return kafka()->why(source, out);
}

static void source_no_rows(struct source *source, struct buf *out)
{
    kafka()->no_rows(source, out);
}

static void reader_close(struct source_reader *reader)
{
    kafka()->reader_close(reader);
}

static void source_close(struct source *source)
{
    kafka()->close(source);
}

static enum source_replay replay(const struct table_description *table)
{
    return SOURCE_REPLAY_EXACT;
}

const struct source_class INGEST_SOURCE = {
    .size = sizeof(struct source_class),
    .needs_format = true,
    .metadata = KAFKA_METADATA,
    .metadata_count = KAFKA_METADATA_COUNT,
    .is_bounded = is_bounded,
    .open = source_open,
    .discover = discover,
    .discovered = discovered,
    .start = start,
    .reader_open = reader_open,
    .poll = reader_poll,
    .position = reader_position,
    .fill_metadata = fill_metadata,
    .why = source_why,
    .no_rows = source_no_rows,
    .reader_close = reader_close,
    .known = known,
    .close = source_close,
    .replay = replay,
};
