/* sim_sink.c - keeps what it takes, as text, for sim_captured(). */
#include "connector/sim/sim_int.h"

#include "base/must.h"
#include "data/datum.h"

#define MODE_DEFAULT 0

struct sink {
    struct str table;
    const struct zone *zone;
    int64_t full_every;
    char name[]; /* of the table */
};

struct sink_writer {
    struct sink *sink;
    struct wake *wake;
    int64_t write_count;
    uint64_t epoch; /* of the last barrier; 0: none by this writer */
    struct buf text;
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
    buf_init(&writer->text, SIM_TEXT_MAX);
    *out = writer;
    return OK;
}

static struct sim_row *add_row(struct sim_capture *capture)
{
    if (capture->row_count == capture->capacity) {
        size_t capacity = capture->capacity ? capture->capacity * 2 : 64;
        struct sim_row *rows = ARENA_ARRAY(&sim_world.arena, capacity, struct sim_row);
        uint64_t *epochs = ARENA_ARRAY(&sim_world.arena, capacity, uint64_t);
        if (!rows || !epochs)
            return NULL;
        if (capture->row_count) {
            memcpy(rows, capture->rows, capture->row_count * sizeof(*rows));
            memcpy(epochs, capture->epochs, capture->row_count * sizeof(*epochs));
        }
        capture->epochs = epochs;
        capture->rows = rows;
        capture->capacity = capacity;
    }
    return &capture->rows[capture->row_count];
}

static enum status capture_row(struct sink_writer *writer, struct sim_capture *capture,
                               const struct batch *batch, uint32_t row, struct error *err)
{
    struct arena *arena = &sim_world.arena;
    struct sim_row *out = add_row(capture);
    struct sim_value *values = ARENA_ARRAY(arena, batch->column_count + 1, struct sim_value);
    TRY(arena_check(arena, "captured rows", err));
    for (uint32_t i = 0; i < batch->column_count; i++) {
        values[i].is_null = !vec_is_valid(batch->columns[i], row);
        buf_clear(&writer->text);
        datum_format_at(&writer->text, batch->columns[i], row, writer->sink->zone);
        TRY(buf_check(&writer->text, "a captured value", err));
        const char *data = (const char *)writer->text.data;
        values[i].text =
            (struct str){arena_strndup(arena, data, writer->text.length), writer->text.length};
    }
    TRY(arena_check(arena, "captured rows", err));
    *out = (struct sim_row){batch_kind(batch, row), batch->column_count, values};
    capture->epochs[capture->row_count] = writer->epoch ? writer->epoch : sim_world.base_epoch;
    capture->row_count++;
    return OK;
}

static enum push_result writer_write(struct sink_writer *writer, struct batch *batch,
                                     struct error *err)
{
    struct sink *sink = writer->sink;
    enum status status = OK;
    if (sink->full_every > 0 && ++writer->write_count % sink->full_every == 0) {
        wake_notify(writer->wake);
        return PUSH_FULL;
    }
    mutex_lock(&sim_world.mutex);
    struct sim_capture *capture = sim_capture_of(sink->table);
    if (!capture)
        status = error_memory(err, "captured rows", sizeof(*capture));
    for (uint32_t i = 0; i < batch->selected_count && status == OK; i++)
        status = capture_row(writer, capture, batch, batch_row(batch, i), err);
    mutex_unlock(&sim_world.mutex);
    return status == OK ? PUSH_DONE : PUSH_ERROR;
}

static enum push_result writer_flush(struct sink_writer *writer, uint64_t epoch, struct error *err)
{
    writer->epoch = epoch;
    return PUSH_DONE;
}

#define EPOCH_SEALED UINT64_MAX

void sim_rewind(uint64_t epoch)
{
    mutex_lock(&sim_world.mutex);
    for (struct sim_capture *capture = sim_world.captures; capture; capture = capture->next) {
        size_t kept = 0;
        for (size_t i = 0; i < capture->row_count; i++) {
            if (capture->epochs[i] >= epoch && capture->epochs[i] != EPOCH_SEALED)
                continue;
            capture->rows[kept] = capture->rows[i];
            capture->epochs[kept++] = capture->epochs[i];
        }
        capture->row_count = kept;
    }
    sim_world.base_epoch = epoch;
    mutex_unlock(&sim_world.mutex);
}

void sim_seal(void)
{
    mutex_lock(&sim_world.mutex);
    for (struct sim_capture *capture = sim_world.captures; capture; capture = capture->next)
        for (size_t i = 0; i < capture->row_count; i++)
            capture->epochs[i] = EPOCH_SEALED;
    sim_world.base_epoch = 0;
    mutex_unlock(&sim_world.mutex);
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
    buf_fini(&writer->text);
    mem_free(writer);
}

static void sink_close(struct sink *sink)
{
    mem_free(sink);
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
};
