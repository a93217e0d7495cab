/* sim_sink.c - keeps what it takes, as text, for sim_captured(): at once, or by way of a log and
 * sim_exact.c's committer.
 *
 * A row as bytes: u8 kind | u32 values | per value u8 1: NULL | u32 bytes | text; in the machine's
 * byte order.
 */
#include "connector/sim/sim_int.h"

#include "base/must.h"
#include "data/datum.h"

#define MODE_DEFAULT 0

struct sink {
    struct str table;
    const struct zone *zone;
    int64_t full_every;
    struct sim_exact exact; /* log NULL: rows are captured at once */
    char name[];            /* of the table */
};

struct sink_writer {
    struct sink *sink;
    struct wake *wake;
    int64_t write_count;
    struct sink_log_writer *log; /* NULL: rows are captured at once */
    struct buf rows;             /* encoded; of a batch that was not taken yet */
};

static enum status parse_options(const struct table_description *table, struct sim_options *options,
                                 struct error *err)
{
    struct arena arena;
    arena_init(&arena, NULL, SIM_TEXT_MAX * 2);
    *options = (struct sim_options){0};
    enum status status = plugin_connector_options(SIM_OPTIONS, SIM_OPTION_COUNT, table,
                                                  "connector 'sim'", options, &arena, err);
    arena_fini(&arena);
    return status;
}

static enum status sink_mode(const struct table_description *table, enum sink_mode *out,
                             struct error *err)
{
    struct sim_options options;
    TRY(parse_options(table, &options, err));
    if (options.mode != MODE_DEFAULT)
        *out = (enum sink_mode)(options.mode - 1);
    else
        *out = table->primary_key_count > 0 ? SINK_UPSERT : SINK_RETRACT;
    return OK;
}

static enum status sink_guarantee(const struct table_description *table, enum sink_guarantee *out,
                                  struct error *err)
{
    *out = sim_world.guarantee;
    return OK;
}

static void sink_close(struct sink *sink)
{
    sink_log_close(sink->exact.log);
    mem_free(sink->exact.sink_id);
    mem_free(sink);
}

static enum status open_log(struct sink *sink, const struct sink_request *request,
                            struct error *err)
{
    size_t length = strlen(request->sink_id);
    sink->exact.table = sink->table;
    sink->exact.sink_id = mem_alloc(length + 1);
    if (!sink->exact.sink_id)
        return error_memory(err, "connector 'sim'", length);
    memcpy(sink->exact.sink_id, request->sink_id, length + 1);
    return sink_log_open(&sink->exact.log, request, err);
}

static enum status sink_open(const struct sink_request *request, struct sink **out,
                             struct error *err)
{
    struct sim_options options;
    struct str name = sim_table_name(request->table->name);
    TRY(parse_options(request->table, &options, err));
    struct sink *sink = mem_calloc(1, sizeof(*sink) + name.length + 1);
    if (!sink)
        return error_memory(err, "connector 'sim'", sizeof(*sink));
    memcpy(sink->name, name.data, name.length);
    sink->table = (struct str){sink->name, name.length};
    sink->zone = request->context->zone;
    sink->full_every = options.full_every;
    enum status status = request->delivery == SINK_EXACTLY_ONCE ? open_log(sink, request, err) : OK;
    if (status != OK) {
        sink_close(sink);
        return status;
    }
    *out = sink;
    return OK;
}

static enum status writer_open(struct sink *sink, uint32_t subtask, struct wake *wake,
                               struct sink_writer **out, struct error *err)
{
    struct sink_writer *writer = mem_calloc(1, sizeof(*writer));
    if (!writer)
        return error_memory(err, "connector 'sim'", sizeof(*writer));
    writer->sink = sink;
    writer->wake = wake;
    buf_init(&writer->rows, SIM_TEXT_MAX);
    enum status status =
        sink->exact.log ? sink_log_writer_open(sink->exact.log, subtask, wake, &writer->log, err)
                        : OK;
    if (status != OK) {
        buf_fini(&writer->rows);
        mem_free(writer);
        return status;
    }
    *out = writer;
    return OK;
}

static void put_u32(struct buf *out, uint32_t value)
{
    buf_append(out, &value, sizeof(value));
}

static void encode_row(struct buf *out, const struct batch *batch, uint32_t row,
                       const struct zone *zone)
{
    buf_append_byte(out, (uint8_t)batch_kind(batch, row));
    put_u32(out, batch->column_count);
    for (uint32_t i = 0; i < batch->column_count; i++) {
        buf_append_byte(out, !vec_is_valid(batch->columns[i], row));
        size_t place = out->length;
        put_u32(out, 0);
        datum_format_at(out, batch->columns[i], row, zone);
        if (out->failed)
            return;
        uint32_t length = (uint32_t)(out->length - place - sizeof(length));
        memcpy(out->data + place, &length, sizeof(length));
    }
}

static struct sim_row *add_row(struct sim_capture *capture)
{
    if (capture->row_count == capture->capacity) {
        size_t capacity = capture->capacity ? capture->capacity * 2 : 64;
        struct sim_row *rows = ARENA_ARRAY(&sim_world.arena, capacity, struct sim_row);
        if (!rows)
            return NULL;
        if (capture->row_count)
            memcpy(rows, capture->rows, capture->row_count * sizeof(*rows));
        capture->rows = rows;
        capture->capacity = capacity;
    }
    return &capture->rows[capture->row_count];
}

static uint32_t get_u32(const uint8_t **at)
{
    uint32_t value;
    memcpy(&value, *at, sizeof(value));
    *at += sizeof(value);
    return value;
}

enum status sim_capture_rows(struct sim_capture *capture, const uint8_t *bytes, size_t size_bytes,
                             struct error *err)
{
    struct arena *arena = &sim_world.arena;
    size_t before = capture->row_count;
    for (const uint8_t *at = bytes, *end = bytes + size_bytes; at < end;) {
        struct sim_row *out = add_row(capture), row = {.kind = (enum row_kind) * at++};
        row.value_count = get_u32(&at);
        struct sim_value *values = ARENA_ARRAY(arena, row.value_count + 1, struct sim_value);
        for (uint32_t i = 0; values && i < row.value_count; i++) {
            values[i].is_null = *at++ != 0;
            uint32_t length = get_u32(&at);
            values[i].text = (struct str){arena_strndup(arena, (const char *)at, length), length};
            at += length;
        }
        row.values = values;
        if (arena_check(arena, "captured rows", err) != OK) {
            capture->row_count = before;
            return ERR_MEMORY;
        }
        *out = row;
        capture->row_count++;
    }
    return OK;
}

static enum status capture_now(struct sink_writer *writer, struct error *err)
{
    mutex_lock(&sim_world.mutex);
    struct sim_capture *capture = sim_capture_of(writer->sink->table);
    enum status status =
        capture ? sim_capture_rows(capture, writer->rows.data, writer->rows.length, err)
                : error_memory(err, "captured rows", sizeof(*capture));
    mutex_unlock(&sim_world.mutex);
    return status;
}

static enum push_result writer_write(struct sink_writer *writer, struct batch *batch,
                                     struct error *err)
{
    struct sink *sink = writer->sink;
    enum push_result result = PUSH_DONE;
    if (sink->full_every > 0 && ++writer->write_count % sink->full_every == 0) {
        wake_notify(writer->wake);
        return PUSH_FULL;
    }
    buf_clear(&writer->rows);
    for (uint32_t i = 0; i < batch->selected_count; i++)
        encode_row(&writer->rows, batch, batch_row(batch, i), sink->zone);
    if (buf_check(&writer->rows, "captured rows", err) != OK)
        return PUSH_ERROR;
    if (writer->rows.length == 0)
        return PUSH_DONE;
    if (writer->log)
        result = sink_log_append(writer->log, writer->rows.data, writer->rows.length,
                                 batch->selected_count, err);
    else if (capture_now(writer, err) != OK)
        result = PUSH_ERROR;
    return result;
}

static enum push_result writer_flush(struct sink_writer *writer, uint64_t epoch, struct error *err)
{
    return writer->log ? sink_log_flush(writer->log, err) : PUSH_DONE;
}

static enum status writer_prepare(struct sink_writer *writer, uint64_t epoch,
                                  struct sink_committables *out, struct error *err)
{
    return sink_log_prepare(writer->log, out, err);
}

static enum status committer_open(struct sink *sink, struct sink_committer **out, struct error *err)
{
    return sim_committer_open(&sink->exact, out, err);
}

static enum push_result writer_finish(struct sink_writer *writer, struct error *err)
{
    return PUSH_DONE;
}

static bool writer_why(struct sink_writer *writer, struct buf *out)
{
    return false;
}

static void writer_close(struct sink_writer *writer)
{
    sink_log_writer_close(writer->log);
    buf_fini(&writer->rows);
    mem_free(writer);
}

const struct sink_class SIM_SINK = {
    .size = sizeof(struct sink_class),
    .keeps_state = true, /* who wants to see every change sets mini-batch to false */
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
    .committer_open = committer_open,
    .ledger = sim_committer_ledger,
    .commit = sim_committer_commit,
    .forget = sim_committer_forget,
    .committer_close = sim_committer_close,
};
