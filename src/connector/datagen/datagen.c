/* datagen.c - the datagen connector: made-up rows at a rate, as many as wanted.
 *
 * There are as many splits as the source has subtasks at its first start. Split k of n has the rows
 * k, k + n, k + 2n,
 * ...; row r is due r / rows-per-second after the source was started, and the reader asks to be
 * polled again when the next rows are due. A reader that is late by more than CATCH_UP_US_MAX gives
 * up what it missed: the rate is a limit, not a debt.
 *
 * Position (version 1): byte 1, then little-endian the count of rows of the split handed out (8
 * bytes) and the time of the first start that the values of times refer to (8 bytes).
 */
#include "connector/datagen/datagen.h"

#include <stddef.h>
#include <stdio.h>

#include "base/calendar.h"
#include "base/must.h"
#include "connector/datagen/datagen_int.h"

#define POSITION_VERSION 1
#define POSITION_BYTES   17
#define CATCH_UP_US_MAX  1000000
#define WAITS_PER_SECOND 200 /* rows that become due close together are handed out together */

struct datagen_options {
    int64_t rows_per_second;
    int64_t number_of_rows; /* -1: no end */
    const struct option_pair *fields;
};

static const struct option_def OPTIONS[] = {
    {.key = "rows-per-second",
     .kind = OPTION_INT,
     .offset = offsetof(struct datagen_options, rows_per_second),
     .default_value = "10000",
     .min_value = 1,
     .max_value = 1000000000,
     .help = "Rows per second of all splits together."},
    {.key = "number-of-rows",
     .kind = OPTION_INT,
     .offset = offsetof(struct datagen_options, number_of_rows),
     .min_value = 0,
     .max_value = INT64_MAX,
     .help = "How many rows there are; without it (and without sequences) there is no end."},
    {.key = "fields.",
     .kind = OPTION_PREFIX,
     .offset = offsetof(struct datagen_options, fields),
     .help = "fields.NAME.kind (random or sequence), .min, .max, .max-past, .length, .var-len, "
             ".start, .end, .null-rate of a column."},
};

struct source {
    struct io *io;
    struct mem_owner *owner;
    const struct table_description *table;
    uint32_t split_count;
    bool discovered;
    uint32_t wanted_count;
    uint32_t *wanted;
    struct datagen_field *fields;
    uint64_t row_count; /* UINT64_MAX: no end */
    int64_t rows_per_second;
    int64_t started_us, started_steady_us; /* wall, monotonic */
};

struct source_reader {
    struct source *source;
    uint32_t split;
    uint64_t done;    /* rows handed out */
    int64_t base_us;  /* what times refer to */
    int64_t paced_us; /* row 0 would be due then, for the rate */
    struct vec **columns;
};

static enum status parse(const struct table_description *table, struct datagen_options *options,
                         struct datagen_field *fields, uint64_t *row_count, struct arena *arena,
                         struct error *err)
{
    *options = (struct datagen_options){.number_of_rows = -1};
    TRY(plugin_connector_options(OPTIONS, COUNT_OF(OPTIONS), table, "connector 'datagen'", options,
                                 arena, err));
    TRY(datagen_fields_parse(table, options->fields, fields, err));
    *row_count = options->number_of_rows < 0 ? UINT64_MAX : (uint64_t)options->number_of_rows;
    for (uint32_t i = 0; i < table->field_count; i++) {
        uint64_t length = (uint64_t)fields[i].end - (uint64_t)fields[i].start;
        if (fields[i].is_sequence && length < *row_count)
            *row_count = length + 1;
    }
    return OK;
}

static enum status is_bounded(const struct table_description *table, bool *out, struct error *err)
{
    struct datagen_options options;
    struct arena arena;
    uint64_t row_count;
    arena_init(&arena, NULL, 16u << 20);
    struct datagen_field *fields =
        ARENA_ARRAY(&arena, table->field_count + 1, struct datagen_field);
    enum status status = arena_check(&arena, "connector 'datagen'", err);
    if (status == OK)
        status = parse(table, &options, fields, &row_count, &arena, err);
    if (status == OK)
        *out = row_count != UINT64_MAX;
    arena_fini(&arena);
    return status;
}

static void source_close(struct source *source)
{
    mem_free(source->wanted);
    mem_free(source->fields);
    mem_free(source);
}

static enum status source_open(const struct source_request *request, struct wake *wake,
                               struct source **out, struct error *err)
{
    const struct table_description *table = request->table;
    struct datagen_options options;
    struct arena arena;
    struct source *source = mem_calloc(1, sizeof(*source));
    if (!source)
        return error_memory(err, "connector 'datagen'", sizeof(*source));
    arena_init(&arena, NULL, 16u << 20);
    source->fields = mem_calloc(table->field_count + 1, sizeof(*source->fields));
    source->wanted = mem_calloc(request->wanted_count + 1, sizeof(*source->wanted));
    enum status status = OK;
    if (!source->fields || !source->wanted)
        status = error_memory(err, "connector 'datagen'", sizeof(*source->fields));
    if (status == OK)
        status = parse(table, &options, source->fields, &source->row_count, &arena, err);
    if (status != OK) {
        source_close(source);
        goto out;
    }
    source->io = request->context->io;
    source->owner = request->owner;
    source->table = table;
    source->split_count = request->parallelism ? request->parallelism : 1;
    source->wanted_count = request->wanted_count;
    if (request->wanted_count)
        memcpy(source->wanted, request->wanted, request->wanted_count * sizeof(*source->wanted));
    source->rows_per_second = options.rows_per_second;
    source->started_us = io_wall_us(source->io);
    source->started_steady_us = io_monotonic_us(source->io);
    *out = source;
out:
    arena_fini(&arena);
    return status;
}

static enum poll_result source_discover(struct source *source, source_split_fn each, void *context,
                                        int64_t *again_us, struct error *err)
{
    if (source->discovered)
        return POLL_END;
    source->discovered = true;
    for (uint32_t i = 0; i < source->split_count; i++) {
        struct source_split split;
        snprintf(split.id, sizeof(split.id), "%u/%u", i, source->split_count);
        if (each(context, &split, err) != OK)
            return POLL_ERROR;
    }
    return POLL_ROWS;
}

static uint64_t read_u64(const uint8_t *from)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | from[i];
    return value;
}

static void append_u64(struct buf *out, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        buf_append_byte(out, (uint8_t)(value >> (8 * i)));
}

/* The numbers of "K/N". False: not a split. */
static bool parse_split(const char *id, uint32_t *out, uint32_t *out_count)
{
    const char *slash = strchr(id, '/');
    uint64_t split, count;
    if (!slash || !str_to_u64((struct str){id, (size_t)(slash - id)}, &split, NULL) ||
        !str_to_u64(str_of(slash + 1), &count, NULL))
        return false;
    *out = (uint32_t)split;
    *out_count = (uint32_t)count;
    return count <= UINT32_MAX && split < count;
}

/* The rows stay divided as they were, whatever the parallelism is now. */
static void source_known(struct source *source, const struct source_split *split, bool finished)
{
    uint32_t number, count;
    if (parse_split(split->id, &number, &count))
        source->split_count = count;
}

static struct datagen_rows next_rows(const struct source_reader *reader)
{
    return (struct datagen_rows){
        .first = reader->done * reader->source->split_count + reader->split,
        .step = reader->source->split_count,
        .base_us = reader->base_us,
        .rows_per_second = reader->source->rows_per_second,
    };
}

/* When the row `ahead` rows after the next one of this split may be handed out. */
static int64_t due_us(const struct source_reader *reader, uint32_t ahead)
{
    struct datagen_rows rows = next_rows(reader);
    rows.base_us = reader->paced_us;
    return datagen_due_us(&rows, ahead);
}

static void reader_close(struct source_reader *reader)
{
    mem_free(reader->columns);
    mem_free(reader);
}

static enum status reader_open(struct source *source, const struct source_split *split,
                               const void *position, size_t position_bytes, struct wake *wake,
                               struct source_reader **out, struct error *err)
{
    const uint8_t *bytes = position;
    uint32_t number, count;
    if (!parse_split(split->id, &number, &count) || count != source->split_count)
        return error_set(err, ERR_CORRUPT, "table %s: '%s' is not a split of this datagen source",
                         source->table->name, split->id);
    if (position && (position_bytes != POSITION_BYTES || bytes[0] != POSITION_VERSION))
        return error_set(err, ERR_CORRUPT,
                         "table %s: the position of split '%s' is not one of "
                         "datagen",
                         source->table->name, split->id);
    struct source_reader *reader = mem_calloc(1, sizeof(*reader));
    if (reader)
        reader->columns = mem_calloc(source->wanted_count + 1, sizeof(*reader->columns));
    if (!reader || !reader->columns) {
        mem_free(reader);
        return error_memory(err, "connector 'datagen'", sizeof(*reader));
    }
    reader->source = source;
    reader->split = number;
    reader->done = position ? read_u64(bytes + 1) : 0;
    reader->base_us = position ? (int64_t)read_u64(bytes + 9) : source->started_us;
    reader->paced_us = source->started_steady_us;
    if (position)
        reader->paced_us -= due_us(reader, 0) - source->started_steady_us;
    *out = reader;
    return OK;
}

/* Rows that may be handed out now, at most max_rows; 0: wait until *again_us. */
static uint32_t rows_due(struct source_reader *reader, uint32_t max_rows, int64_t *again_us)
{
    const struct source *source = reader->source;
    int64_t now_us = io_monotonic_us(source->io), late_us = now_us - due_us(reader, 0);
    if (late_us > CATCH_UP_US_MAX) {
        reader->paced_us += late_us - CATCH_UP_US_MAX;
        late_us = CATCH_UP_US_MAX;
    }
    if (late_us < 0) {
        int64_t together = source->rows_per_second / source->split_count / WAITS_PER_SECOND;
        *again_us = due_us(reader, together > max_rows ? max_rows : (uint32_t)together);
        return 0;
    }
    /* rows due within late_us of this one, an estimate that may be one short */
    uint64_t due = 1 + (uint64_t)((unsigned __int128)late_us * (uint64_t)source->rows_per_second /
                                  source->split_count / US_PER_SECOND);
    return due > max_rows ? max_rows : (uint32_t)due;
}

static enum poll_result reader_poll(struct source_reader *reader, uint32_t max_rows,
                                    struct source_output *out, struct error *err)
{
    struct source *source = reader->source;
    struct datagen_rows rows = next_rows(reader);
    if (rows.first >= source->row_count)
        return POLL_END;
    *out = (struct source_output){0};
    rows.count =
        rows_due(reader, max_rows < BATCH_ROWS_MAX ? max_rows : BATCH_ROWS_MAX, &out->again_us);
    if (rows.count == 0)
        return POLL_WAIT;
    uint64_t left = (source->row_count - rows.first + rows.step - 1) / rows.step;
    if (source->row_count != UINT64_MAX && left < rows.count)
        rows.count = (uint32_t)left;
    enum status status = OK;
    uint32_t made = 0;
    for (; status == OK && made < source->wanted_count; made++) {
        const struct datagen_field *field = &source->fields[source->wanted[made]];
        status = vec_new(&reader->columns[made], field->type, rows.count, source->owner, err);
        if (status != OK)
            break;
        status = datagen_fill(field, &rows, reader->columns[made], err);
    }
    if (status != OK) {
        for (uint32_t i = 0; i < made; i++)
            vec_unref(reader->columns[i]);
        return POLL_ERROR;
    }
    if (batch_new(&out->batch, reader->columns, source->wanted_count, rows.count, err) != OK)
        return POLL_ERROR;
    reader->done += rows.count;
    return POLL_ROWS;
}

static enum status reader_position(struct source_reader *reader, struct buf *out, struct error *err)
{
    buf_append_byte(out, POSITION_VERSION);
    append_u64(out, reader->done);
    append_u64(out, (uint64_t)reader->base_us);
    return buf_check(out, "a position", err);
}

static enum source_replay source_replay(const struct table_description *table)
{
    return SOURCE_REPLAY_EXACT;
}

static const struct source_class DATAGEN_SOURCE = {
    .size = sizeof(struct source_class),
    .is_bounded = is_bounded,
    .open = source_open,
    .discover = source_discover,
    .reader_open = reader_open,
    .poll = reader_poll,
    .position = reader_position,
    .reader_close = reader_close,
    .known = source_known,
    .close = source_close,
    .replay = source_replay,
};

const struct connector_class CONNECTOR_DATAGEN = {
    .size = sizeof(struct connector_class),
    .name = "datagen",
    .help = "Made-up rows at a rate, the same at every run.",
    .options = OPTIONS,
    .option_count = COUNT_OF(OPTIONS),
    .source = &DATAGEN_SOURCE,
};
