/* kafka_sink.c - the kafka sink: rows encoded by the table's format, one record a row, at least
 * once or exactly once (kafka_exact.h).
 *
 * Append only: a table with a primary key is upsert-kafka's. flush() answers when everything before
 * is durable: below the high watermark of this process's log, or acknowledged with acks=all. After
 * a failure and restart rows since the last barrier are written again.
 */
#include "base/must.h"
#include "connector/kafka/kafka_exact.h"

#define OPTIONS_BYTES_MAX (4u << 20)
#define ENCODED_BYTES_MAX (256u << 20) /* of one batch */

static struct kafka_sink *own_sink(struct sink *sink)
{
    return (struct kafka_sink *)sink;
}

static struct kafka_writer *own(struct sink_writer *writer)
{
    return (struct kafka_writer *)writer;
}

static enum status sink_mode(const struct table_description *table, enum sink_mode *out,
                             struct error *err)
{
    if (table->primary_key_count) {
        error_set(
            err, ERR_OPTION,
            "table %s: a kafka table with a primary key cannot be written: every row is a new "
            "record",
            table->name);
        error_hint(err, "leave the PRIMARY KEY out");
        return ERR_OPTION;
    }
    *out = SINK_APPEND;
    return OK;
}

/* The format's options with its prefix taken off ("json." or "value.json."). */
static enum status copy_format_options(struct kafka_sink *sink, const struct sink_request *request,
                                       struct error *err)
{
    const struct table_description *table = request->table;
    struct str name = str_of(request->format->name);

    sink->format = request->format;
    sink->format_options = ARENA_ARRAY(&sink->arena, table->option_count + 1, struct option_given);
    TRY(arena_check(&sink->arena, "connector 'kafka'", err));
    for (size_t i = 0; i < table->option_count; i++) {
        struct str key = table->options[i].key;
        if (str_starts(key, STR("value.")))
            key = (struct str){key.data + 6, key.length - 6};
        if (key.length <= name.length || !str_starts(key, name) || key.data[name.length] != '.')
            continue;
        sink->format_options[sink->format_option_count] = table->options[i];
        sink->format_options[sink->format_option_count++].key =
            (struct str){key.data + name.length + 1, key.length - name.length - 1};
    }
    return OK;
}

static void sink_close(struct sink *base)
{
    struct kafka_sink *sink = own_sink(base);
    sink_log_close(sink->log);
    arena_fini(&sink->arena);
    mem_free(sink);
}

static const char *joined(struct kafka_sink *sink, const char *first, const char *between,
                          const char *last)
{
    struct buf out;
    buf_init(&out, OPTIONS_BYTES_MAX);
    buf_printf(&out, "%s%s%s", first, between, last);
    const char *copy = arena_strndup(&sink->arena, buf_text(&out), out.length);
    buf_fini(&out);
    return copy;
}

/* What the committer needs, and the log. */
static enum status exact_open(struct kafka_sink *sink, const struct sink_request *request,
                              bool embedded, struct error *err)
{
    struct str topic = sink->options.topics[0];
    struct log *log;

    sink->servers = sink->options.bootstrap_servers;
    if (embedded) {
        TRY(kafka_find_log(sink->context, sink->table->name, &log, err));
        sink->servers = sink->context->embedded_address;
        if (!sink->servers) {
            error_set(err, ERR_UNSUPPORTED,
                      "table %s: 'exactly-once' needs transactions, which go through the listener "
                      "of the broker in this process, and it does not listen",
                      sink->table->name);
            error_hint(err, "give --broker HOST:PORT");
            return ERR_UNSUPPORTED;
        }
    }
    sink->topic_name = arena_strndup(&sink->arena, topic.data, topic.length);
    sink->transactional_id =
        joined(sink, sink->options.transactional_prefix, "-", request->sink_id);
    sink->ledger_group = joined(sink, "leat-ledger-", "", request->sink_id);
    TRY(arena_check(&sink->arena, "connector 'kafka'", err));
    io_random(sink->context->io, &sink->fence, sizeof(sink->fence));
    return sink_log_open(&sink->log, request, err);
}

static enum status sink_open(const struct sink_request *request, struct sink **out,
                             struct error *err)
{
    struct kafka_sink *sink = mem_calloc(1, sizeof(*sink));
    if (!sink)
        return error_memory(err, "a kafka sink", sizeof(*sink));
    arena_init(&sink->arena, NULL, OPTIONS_BYTES_MAX);
    sink->table = request->table;
    sink->context = request->context;
    sink->owner = request->owner;
    enum status status = kafka_options_parse(request->table, &sink->options, &sink->arena, err);
    if (status == OK)
        status = kafka_options_check_sink(request->table, &sink->options, err);
    if (status == OK && (!request->format || !request->format->encode))
        status = error_set(err, ERR_OPTION,
                           "table %s: connector 'kafka' needs a 'format' that can "
                           "be written",
                           request->table->name);
    if (status == OK)
        status = copy_format_options(sink, request, err);
    bool embedded = status == OK && kafka_is_embedded(&sink->options, request->context);
    bool exact = request->delivery == SINK_EXACTLY_ONCE;
    sink->way = exact ? &KAFKA_EXACT_SINK : embedded ? &KAFKA_LOG_SINK : &KAFKA_REMOTE_SINK;
    if (status == OK && exact)
        status = exact_open(sink, request, embedded, err);
    if (status != OK) {
        sink_close((struct sink *)sink);
        return status;
    }
    *out = (struct sink *)sink;
    return OK;
}

static void writer_close(struct sink_writer *base)
{
    struct kafka_writer *writer = own(base);
    if (writer->encoder)
        writer->sink->format->encoder_close(writer->encoder);
    buf_fini(&writer->encoded);
    writer->sink->way->writer_free(writer);
}

static enum status writer_open(struct sink *base, uint32_t subtask, struct wake *wake,
                               struct sink_writer **out, struct error *err)
{
    struct kafka_sink *sink = own_sink(base);
    struct kafka_writer *writer = NULL;
    struct encoder_request request = {.table = sink->table,
                                      .options = sink->format_options,
                                      .option_count = sink->format_option_count,
                                      .context = sink->context,
                                      .owner = sink->owner};

    TRY(sink->way->writer_new(&writer, err));
    writer->sink = sink;
    writer->wake = wake;
    writer->subtask = subtask;
    buf_init(&writer->encoded, ENCODED_BYTES_MAX);
    enum status status = sink->format->encoder_open(&request, &writer->encoder, err);
    if (status == OK)
        status = sink->way->start(writer, err);
    if (status != OK) {
        writer_close((struct sink_writer *)writer);
        return status;
    }
    *out = (struct sink_writer *)writer;
    return OK;
}

static enum push_result writer_write(struct sink_writer *base, struct batch *batch,
                                     struct error *err)
{
    struct kafka_writer *writer = own(base);
    const struct kafka_sink *sink = writer->sink;

    if (sink->way->is_full(writer))
        return PUSH_FULL;
    buf_clear(&writer->encoded);
    enum status status =
        sink->format->encode(writer->encoder, batch, &writer->encoded, writer->offsets, err);
    if (status == OK)
        status = buf_check(&writer->encoded, "rows for a topic", err);
    if (status == OK)
        status = sink->way->append(writer, batch->selected_count, err);
    if (status == OK)
        return PUSH_DONE;
    if (status == ERR_AGAIN)
        return PUSH_FULL;
    error_prefix(err, "table %s", sink->table->name);
    return PUSH_ERROR;
}

static enum push_result writer_flush(struct sink_writer *base, uint64_t epoch, struct error *err)
{
    struct kafka_writer *writer = own(base);
    enum push_result result = writer->sink->way->flush(writer, err);
    if (result == PUSH_ERROR)
        error_prefix(err, "table %s", writer->sink->table->name);
    return result;
}

static enum push_result writer_finish(struct sink_writer *base, struct error *err)
{
    return writer_flush(base, 0, err);
}

static enum status sink_guarantee(const struct table_description *table, enum sink_guarantee *out,
                                  struct error *err)
{
    *out = SINK_ASKS_AT_LEAST_ONCE; /* Flink's default */
    for (size_t i = 0; i < table->option_count; i++)
        if (str_eq(table->options[i].key, STR("sink.delivery-guarantee")) &&
            str_eq(table->options[i].value, STR("exactly-once")))
            *out = SINK_ASKS_EXACTLY_ONCE;
    return OK;
}

static enum status writer_prepare(struct sink_writer *base, uint64_t epoch,
                                  struct sink_committables *out, struct error *err)
{
    return kafka_exact_prepare(own(base), out, err);
}

static bool writer_why(struct sink_writer *base, struct buf *out)
{
    return own(base)->sink->way->why(own(base), out);
}

const struct sink_class KAFKA_SINK = {
    .size = sizeof(struct sink_class),
    .needs_format = true,
    .mode = sink_mode,
    .open = sink_open,
    .writer_open = writer_open,
    .write = writer_write,
    .flush = writer_flush,
    .finish = writer_finish,
    .why = writer_why,
    .writer_close = writer_close,
    .close = sink_close,
    .guarantee = sink_guarantee,
    .prepare = writer_prepare,
    .committer_open = kafka_committer_open,
    .ledger = kafka_committer_ledger,
    .commit = kafka_committer_commit,
    .forget = kafka_committer_forget,
    .committer_close = kafka_committer_close,
};
