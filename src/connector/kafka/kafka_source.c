/* kafka_source.c - the kafka source: one set of options, splits and positions over two ways to
 * read.
 *
 * A split is a partition ("orders-3"). Its position holds the next offset, and what tells whether
 * the partition is still the one that was read (topic id, leader epoch); see contracts.md rules 19
 * and 23. The two ways give the same rows: where the bootstrap address is this process's own broker
 * its log is read directly, otherwise librdkafka reads.
 */
#include "base/must.h"
#include "connector/kafka/kafka_int.h"

#define OPTIONS_BYTES_MAX (4u << 20)

static struct kafka_source *own(struct source *source)
{
    return (struct kafka_source *)source;
}

static enum status is_bounded(const struct table_description *table, bool *out, struct error *err)
{
    struct kafka_options options;
    struct arena arena;

    arena_init(&arena, NULL, OPTIONS_BYTES_MAX);
    enum status status = kafka_options_parse(table, &options, &arena, err);
    if (status == OK)
        status = kafka_options_check_source(table, &options, err);
    if (status == OK)
        *out = options.bounded != END_UNBOUNDED;
    arena_fini(&arena);
    return status;
}

static enum status copy_request(struct kafka_source *source, const struct source_request *request,
                                struct error *err)
{
    source->context = request->context;
    source->owner = request->owner;
    source->table_name =
        arena_strndup(&source->arena, request->table->name, strlen(request->table->name));
    source->metadata_count = request->metadata_count;
    source->metadata = ARENA_ARRAY(&source->arena, request->metadata_count + 1, const char *);
    TRY(arena_check(&source->arena, "connector 'kafka'", err));
    for (uint32_t i = 0; i < request->metadata_count; i++) {
        const char *key = request->metadata[i].key;
        for (size_t k = 0; k < KAFKA_METADATA_COUNT; k++)
            if (strcmp(KAFKA_METADATA[k].key, key) == 0)
                source->metadata[i] = KAFKA_METADATA[k].key;
        if (!source->metadata[i])
            return error_set(err, ERR_NAME, "table %s: connector 'kafka' has no metadata '%s'",
                             request->table->name, key);
        source->wants_headers |= strcmp(key, "headers") == 0;
    }
    return OK;
}

static enum status source_open(const struct source_request *request, struct wake *wake,
                               struct source **out, struct error *err)
{
    struct kafka_options options;
    struct kafka_source *source = NULL;
    struct arena arena;
    const struct kafka_source_way *way = &KAFKA_REMOTE_SOURCE;

    arena_init(&arena, NULL, OPTIONS_BYTES_MAX);
    enum status status = kafka_options_parse(request->table, &options, &arena, err);
    if (status == OK)
        status = kafka_options_check_source(request->table, &options, err);
    if (status != OK)
        goto out;
    if (kafka_is_embedded(&options, request->context))
        way = &KAFKA_LOG_SOURCE;
    status = way->open(&source, err);
    if (status != OK)
        goto out;
    source->way = way;
    source->wake = wake;
    source->arena = arena;
    arena_init(&arena, NULL, 0); /* it is the source's now */
    /* once more, so that nothing points to what the request's owner may free */
    status = kafka_options_parse(request->table, &source->options, &source->arena, err);
    if (status == OK)
        status = copy_request(source, request, err);
    if (status == OK)
        status = way->start(source, err);
    if (status != OK) {
        struct arena used = source->arena;
        way->close(source);
        arena_fini(&used);
        goto out;
    }
    *out = (struct source *)source;
out:
    arena_fini(&arena);
    return status;
}

static void source_close(struct source *source)
{
    struct arena arena = own(source)->arena;
    own(source)->way->close(own(source));
    arena_fini(&arena);
}

static enum poll_result source_discover(struct source *source, source_split_fn each, void *context,
                                        int64_t *again_us, struct error *err)
{
    return own(source)->way->discover(own(source), each, context, again_us, err);
}

static void source_known(struct source *source, const struct source_split *split, bool finished)
{
    own(source)->restored = true;
}

bool kafka_discovers(const struct kafka_source *source)
{
    return source->options.discovery_ms > 0 && source->options.bounded == END_UNBOUNDED;
}

/* The topic and partition of a split's id. */
static bool parse_split(const struct kafka_source *source, const char *id, struct str *topic,
                        int32_t *partition)
{
    const char *dash = strrchr(id, '-');
    int64_t number;
    if (!dash || !str_to_i64(str_of(dash + 1), &number, NULL) || number < 0 || number > INT32_MAX)
        return false;
    *partition = (int32_t)number;
    struct str name = {id, (size_t)(dash - id)};
    for (uint32_t i = 0; i < source->options.topic_count; i++)
        if (str_eq(source->options.topics[i], name)) {
            *topic = source->options.topics[i];
            return true;
        }
    return false;
}

static enum status begin(struct kafka_source *source, struct str topic, int32_t partition,
                         struct kafka_position *out, struct error *err)
{
    *out = (struct kafka_position){
        .offset = -1, .end_offset = -1, .leader_epoch = -1, .last_offset = -1};
    enum status status = source->way->begin(source, topic, partition, out, err);
    if (status != OK)
        error_prefix(err, "table %s: partition %d of topic '%.*s'", source->table_name, partition,
                     (int)topic.length, topic.data);
    return status;
}

static enum status reader_open(struct source *source, const struct source_split *split,
                               const void *position, size_t position_bytes, struct wake *wake,
                               struct source_reader **out, struct error *err)
{
    struct kafka_position decoded;
    struct str topic;
    int32_t partition;

    if (!parse_split(own(source), split->id, &topic, &partition))
        return error_set(err, ERR_CORRUPT, "table %s: '%s' is no partition of its topics",
                         own(source)->table_name, split->id);
    if (!position) {
        TRY(begin(own(source), topic, partition, &decoded, err));
    } else if (kafka_position_decode(position, position_bytes, &decoded, err) != OK) {
        error_prefix(err, "table %s, split %s", own(source)->table_name, split->id);
        return ERR_CORRUPT;
    }
    return own(source)->way->reader_open(own(source), topic, partition, &decoded, wake, out, err);
}

static bool source_discovered(struct source *source)
{
    return !own(source)->way->discovered || own(source)->way->discovered(own(source));
}

static enum status source_start(struct source *source, const struct source_split *split,
                                struct buf *out, struct error *err)
{
    struct kafka_position position;
    struct str topic;
    int32_t partition;
    must(parse_split(own(source), split->id, &topic, &partition));
    TRY(begin(own(source), topic, partition, &position, err));
    kafka_position_encode(&position, out);
    return OK;
}

static struct kafka_source *source_of(struct source_reader *reader)
{
    return ((struct kafka_reader *)reader)->source;
}

static enum poll_result reader_poll(struct source_reader *reader, uint32_t max_rows,
                                    struct source_output *out, struct error *err)
{
    *out = (struct source_output){0};
    return source_of(reader)->way->poll(
        reader, max_rows < BATCH_ROWS_MAX ? max_rows : BATCH_ROWS_MAX, out, err);
}

static enum status reader_position(struct source_reader *reader, struct buf *out, struct error *err)
{
    struct kafka_position position;
    source_of(reader)->way->position(reader, &position);
    kafka_position_encode(&position, out);
    return buf_check(out, "a position", err);
}

static enum status fill_metadata(struct source_reader *reader, const struct records *records,
                                 uint32_t index, struct vec **out, struct error *err)
{
    const struct kafka_source *source = source_of(reader);
    must(index < source->metadata_count);
    return kafka_fill_metadata(records, source->metadata[index], source->owner, out, err);
}

static bool source_why(struct source *source, struct buf *out)
{
    return own(source)->way->why(own(source), out);
}

static void source_no_rows(struct source *source, struct buf *out)
{
    if (own(source)->options.start == START_LATEST)
        buf_append_text(out, " Records that were there when it began are not read: "
                             "'scan.startup.mode' is 'latest-offset'.");
}

static void reader_close(struct source_reader *reader)
{
    source_of(reader)->way->reader_close(reader);
}

static enum source_replay source_replay(const struct table_description *table)
{
    return SOURCE_REPLAY_EXACT;
}

const struct source_class KAFKA_SOURCE = {
    .size = sizeof(struct source_class),
    .needs_format = true,
    .metadata = KAFKA_METADATA,
    .metadata_count = KAFKA_METADATA_COUNT,
    .is_bounded = is_bounded,
    .open = source_open,
    .discover = source_discover,
    .discovered = source_discovered,
    .start = source_start,
    .reader_open = reader_open,
    .poll = reader_poll,
    .position = reader_position,
    .fill_metadata = fill_metadata,
    .why = source_why,
    .no_rows = source_no_rows,
    .reader_close = reader_close,
    .known = source_known,
    .close = source_close,
    .replay = source_replay,
};
