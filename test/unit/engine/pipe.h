/* pipe.h - a connector for tests whose rows come when the test gives them: table `name` has the
 * splits name-0, name-1, ..., columns (id BIGINT, ts TIMESTAMP(3)). Its sink may be stuck, and its
 * source may be out of reach.
 *
 *   pipe_open("orders", 2);
 *   pipe_give("orders", 0, 7, 60);      split 0: id 7, a minute after PIPE_EPOCH
 */
#ifndef LEAT_TEST_PIPE_H
#define LEAT_TEST_PIPE_H

#include "base/must.h"
#include "plugin/connector.h"

#define PIPE_TABLES_MAX 4
#define PIPE_SPLITS_MAX 4
#define PIPE_ROWS_MAX   64
#define PIPE_EPOCH_S    INT64_C(1704067200) /* 2024-01-01 00:00:00 */

struct pipe_split {
    uint32_t given, taken;
    int64_t ids[PIPE_ROWS_MAX], times_us[PIPE_ROWS_MAX];
    struct wake *wake; /* NULL: not opened yet */
};
static struct pipe {
    struct pipe_table {
        const char *name;
        uint32_t split_count;
        struct pipe_split splits[PIPE_SPLITS_MAX];
        bool broken;  /* reading fails until it is set back */
        bool crashes; /* reading fails the job */
        struct wake *discover_wake;
    } tables[PIPE_TABLES_MAX];
    bool stuck; /* the sinks */
    uint32_t taken;
    struct wake *sink_wakes[PIPE_SPLITS_MAX]; /* by subtask */
} pipe_world;

struct source {
    struct pipe_table *table;
    uint32_t told;
    uint32_t wanted_count, wanted[2];
};
struct source_reader {
    struct source *source;
    struct pipe_split *split;
};
struct sink {
    int unused;
};
struct sink_writer {
    int unused;
};

static struct pipe_table *pipe_table(const char *name)
{
    for (uint32_t i = 0; i < PIPE_TABLES_MAX; i++)
        if (pipe_world.tables[i].name && strcmp(pipe_world.tables[i].name, name) == 0)
            return &pipe_world.tables[i];
    must(!"pipe_open has named the table");
    return NULL;
}

static void pipe_reset(void)
{
    pipe_world = (struct pipe){0};
}

static void pipe_open(const char *name, uint32_t split_count)
{
    for (uint32_t i = 0; i < PIPE_TABLES_MAX; i++) {
        if (pipe_world.tables[i].name)
            continue;
        pipe_world.tables[i].name = name;
        pipe_world.tables[i].split_count = split_count;
        return;
    }
    must(!"too many pipes");
}

static void pipe_give(const char *name, uint32_t split, int64_t id, int64_t seconds)
{
    struct pipe_split *to = &pipe_table(name)->splits[split];
    must(to->given < PIPE_ROWS_MAX);
    to->ids[to->given] = id;
    to->times_us[to->given++] = (PIPE_EPOCH_S + seconds) * 1000000;
    if (to->wake)
        wake_notify(to->wake);
}

static void pipe_unstick(void)
{
    pipe_world.stuck = false;
    for (uint32_t i = 0; i < PIPE_SPLITS_MAX; i++)
        if (pipe_world.sink_wakes[i])
            wake_notify(pipe_world.sink_wakes[i]);
}

/* ---- source ---- */

static enum status pipe_bounded(const struct table_description *table, bool *out, struct error *err)
{
    *out = false;
    return OK;
}

static enum status pipe_source_open(const struct source_request *request, struct wake *wake,
                                    struct source **out, struct error *err)
{
    struct source *source = mem_calloc(1, sizeof(*source));
    must(source && request->wanted_count <= 2);
    const char *dot = strrchr(request->table->name, '.');
    source->table = pipe_table(dot ? dot + 1 : request->table->name);
    source->wanted_count = request->wanted_count;
    memcpy(source->wanted, request->wanted, request->wanted_count * sizeof(uint32_t));
    *out = source;
    return OK;
}

static enum poll_result pipe_discover(struct source *source, source_split_fn each, void *context,
                                      int64_t *again_us, struct error *err)
{
    for (; source->told < source->table->split_count; source->told++) {
        struct source_split split = {0};
        snprintf(split.id, sizeof(split.id), "%s-%u", source->table->name, source->told);
        if (each(context, &split, err) != OK)
            return POLL_ERROR;
    }
    return POLL_WAIT;
}

static enum status pipe_reader_open(struct source *source, const struct source_split *split,
                                    const void *position, size_t position_bytes, struct wake *wake,
                                    struct source_reader **out, struct error *err)
{
    struct source_reader *reader = mem_calloc(1, sizeof(*reader));
    must(reader);
    reader->source = source;
    reader->split = &source->table->splits[split->id[strlen(split->id) - 1] - '0'];
    reader->split->wake = wake;
    if (position_bytes == sizeof(reader->split->taken))
        memcpy(&reader->split->taken, position, position_bytes);
    *out = reader;
    return OK;
}

static enum poll_result pipe_poll(struct source_reader *reader, uint32_t max_rows,
                                  struct source_output *out, struct error *err)
{
    struct pipe_split *split = reader->split;
    struct source *source = reader->source;
    struct vec *columns[2];
    if (source->table->broken) {
        error_set(err, ERR_IO, "the pipe is out of reach");
        err->retriable = true;
        return POLL_ERROR;
    }
    if (source->table->crashes) {
        error_set(err, ERR_IO, "the pipe has burst");
        return POLL_ERROR;
    }
    uint32_t count = split->given - split->taken;
    if (!count)
        return POLL_WAIT;
    for (uint32_t c = 0; c < source->wanted_count; c++) {
        bool is_id = source->wanted[c] == 0;
        must(vec_new(&columns[c], is_id ? &TYPE_OF_BIGINT : &TYPE_OF_TIMESTAMP_3, count, NULL,
                     err) == OK);
        memcpy(columns[c]->values, (is_id ? split->ids : split->times_us) + split->taken,
               count * sizeof(int64_t));
        columns[c]->length = count;
    }
    split->taken = split->given;
    return batch_new(&out->batch, columns, source->wanted_count, count, err) == OK ? POLL_ROWS
                                                                                   : POLL_ERROR;
}

static enum status pipe_position(struct source_reader *reader, struct buf *out, struct error *err)
{
    buf_append(out, &reader->split->taken, sizeof(reader->split->taken));
    return buf_check(out, "a position", err);
}

static enum source_replay pipe_replay(const struct table_description *table)
{
    return SOURCE_REPLAY_EXACT;
}

static void pipe_reader_close(struct source_reader *reader)
{
    reader->split->wake = NULL;
    mem_free(reader);
}

static void pipe_source_close(struct source *source)
{
    mem_free(source);
}

static const struct source_class PIPE_SOURCE = {
    .size = sizeof(struct source_class),
    .is_bounded = pipe_bounded,
    .open = pipe_source_open,
    .discover = pipe_discover,
    .reader_open = pipe_reader_open,
    .poll = pipe_poll,
    .position = pipe_position,
    .replay = pipe_replay,
    .reader_close = pipe_reader_close,
    .close = pipe_source_close,
};

/* ---- sink ---- */

static enum status pipe_mode(const struct table_description *table, enum sink_mode *out,
                             struct error *err)
{
    *out = SINK_RETRACT;
    return OK;
}

static enum status pipe_sink_open(const struct sink_request *request, struct sink **out,
                                  struct error *err)
{
    *out = mem_calloc(1, sizeof(**out));
    must(*out);
    return OK;
}

static enum status pipe_writer_open(struct sink *sink, uint32_t subtask, struct wake *wake,
                                    struct sink_writer **out, struct error *err)
{
    *out = mem_calloc(1, sizeof(**out));
    must(*out);
    must(subtask < PIPE_SPLITS_MAX);
    pipe_world.sink_wakes[subtask] = wake;
    return OK;
}

static enum push_result pipe_write(struct sink_writer *writer, struct batch *batch,
                                   struct error *err)
{
    if (pipe_world.stuck)
        return PUSH_FULL;
    pipe_world.taken += batch->selected_count;
    return PUSH_DONE;
}

static enum push_result pipe_flush(struct sink_writer *writer, uint64_t epoch, struct error *err)
{
    return pipe_world.stuck ? PUSH_FULL : PUSH_DONE;
}

static enum push_result pipe_finish(struct sink_writer *writer, struct error *err)
{
    return PUSH_DONE;
}

static void pipe_writer_close(struct sink_writer *writer)
{
    mem_free(writer);
}

static void pipe_sink_close(struct sink *sink)
{
    mem_free(sink);
}

static const struct sink_class PIPE_SINK = {
    .size = sizeof(struct sink_class),
    .mode = pipe_mode,
    .open = pipe_sink_open,
    .writer_open = pipe_writer_open,
    .write = pipe_write,
    .flush = pipe_flush,
    .finish = pipe_finish,
    .writer_close = pipe_writer_close,
    .close = pipe_sink_close,
};

static const struct connector_class PIPE = {.size = sizeof(struct connector_class),
                                            .name = "pipe",
                                            .help = "",
                                            .source = &PIPE_SOURCE,
                                            .sink = &PIPE_SINK};

#endif
