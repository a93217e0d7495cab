/* sim_source.c - hands out the events of a plan in its order, across the splits and tables of a
 * job.
 *
 * An event is handed out when no open source of the same job has an earlier one left. A batch
 * counts as handed out when its reader is polled again: then what it caused in its chain has
 * happened.
 *
 * Position (version 1): byte 1, then the number of the split's events handed out, 8 bytes
 * little-endian.
 */
#include "connector/sim/sim_int.h"

#include <stdio.h>

#include "base/must.h"
#include "format/csv/csv_value.h"

#define POSITION_VERSION 1
#define POSITION_BYTES   9
#define ORDER_NONE       UINT64_MAX
#define MARKS_MAX        1024 /* of one batch */

struct split {
    uint32_t next;  /* index into the plan of the next event of this split; event_count: none */
    bool opened;    /* by this source */
    bool elsewhere; /* another subtask's source reads it: `next` means nothing */
    struct source_reader *reader;
};

struct source {
    struct source *next;
    const struct table_description *table;
    const struct zone *zone;
    struct mem_owner *owner;
    char *job_name;
    uint32_t wanted_count;
    uint32_t *wanted;
    int64_t wait_every;
    bool discovered;
    struct sim_plan plan;
    struct split *splits;
};

struct source_reader {
    struct source *source;
    struct wake *wake;
    uint32_t split;
    uint32_t taken; /* where split->next goes at the next poll; event_count + 1: nothing is out */
    int64_t poll_count;
    struct vec **columns;
};

static enum status parse_options(const struct table_description *table, struct sim_options *options,
                                 struct arena *arena, struct error *err)
{
    *options = (struct sim_options){0};
    return plugin_connector_options(SIM_OPTIONS, SIM_OPTION_COUNT, table, "connector 'sim'",
                                    options, arena, err);
}

/* The plan from sim_input(), else from the options. io NULL: files are not read. */
static enum status load_plan(struct sim_plan *plan, const struct table_description *table,
                             const struct sim_options *options, struct io *io, struct error *err)
{
    struct str name = sim_table_name(table->name);
    enum status status = OK;
    bool found = false;
    arena_init(&plan->arena, NULL, SIM_TEXT_MAX * 8);
    plan->split_count = 1;
    mutex_lock(&sim_world.mutex);
    for (struct sim_section *section = sim_world.sections; section && status == OK;
         section = section->next) {
        if (!str_eq(sim_table_name(section->table), name))
            continue;
        found = true;
        status = sim_plan_parse(plan, section->text, section->number, table->name, err);
    }
    mutex_unlock(&sim_world.mutex);
    if (status != OK || found)
        return status;
    struct str text = str_of(options->rows);
    struct buf file; /* values point into the text: it is kept in the arena */
    buf_init(&file, SIM_TEXT_MAX);
    if (!options->rows && options->path && io) {
        status = io_read_file(io, options->path, &file, err);
        text = (struct str){(const char *)file.data, file.length};
    }
    if (status == OK && text.length > 0) {
        text.data = arena_strndup(&plan->arena, text.data, text.length);
        status = arena_check(&plan->arena, "a sim plan", err);
    }
    if (status == OK)
        status = sim_plan_parse(plan, text, 0, table->name, err);
    buf_fini(&file);
    return status;
}

static enum status is_bounded(const struct table_description *table, bool *out, struct error *err)
{
    struct sim_options options;
    struct arena arena;
    struct sim_plan plan = {0};
    arena_init(&arena, NULL, SIM_TEXT_MAX * 2);
    enum status status = parse_options(table, &options, &arena, err);
    if (status == OK) {
        status = load_plan(&plan, table, &options, NULL, err);
        *out = !plan.is_open;
        sim_plan_fini(&plan);
    }
    arena_fini(&arena);
    return status;
}

static enum status is_changelog(const struct table_description *table, bool *out, struct error *err)
{
    struct sim_options options;
    struct arena arena;
    struct sim_plan plan = {0};
    arena_init(&arena, NULL, SIM_TEXT_MAX * 2);
    *out = false;
    enum status status = parse_options(table, &options, &arena, err);
    if (status == OK) {
        status = load_plan(&plan, table, &options, NULL, err);
        for (uint32_t i = 0; i < plan.event_count; i++)
            *out |= plan.events[i].kind == SIM_EVENT_ROW && plan.events[i].row_kind != ROW_INSERT;
        sim_plan_fini(&plan);
    }
    arena_fini(&arena);
    return status;
}

static void source_close(struct source *source)
{
    mutex_lock(&sim_world.mutex);
    struct source **link = &sim_world.sources;
    while (*link && *link != source)
        link = &(*link)->next;
    if (*link)
        *link = source->next;
    mutex_unlock(&sim_world.mutex);
    sim_plan_fini(&source->plan);
    mem_free(source->job_name);
    mem_free(source->wanted);
    mem_free(source->splits);
    mem_free(source);
}

static enum status check_rows(const struct source *source, struct error *err)
{
    for (uint32_t i = 0; i < source->table->field_count; i++)
        TRY(csv_check_column(&source->table->fields[i], source->table->name, "sim", err));
    for (uint32_t i = 0; i < source->plan.event_count; i++) {
        const struct sim_event *event = &source->plan.events[i];
        if (event->kind == SIM_EVENT_ROW && event->value_count != source->table->field_count)
            return error_set(
                err, ERR_DATA, "sim input of table %s, line %u: %u values for %u columns",
                source->table->name, event->line, event->value_count, source->table->field_count);
    }
    return OK;
}

static uint32_t next_of_split(const struct sim_plan *plan, uint32_t from, uint32_t split)
{
    while (from < plan->event_count && plan->events[from].split != split)
        from++;
    return from;
}

static enum status fill(struct source *source, const struct source_request *request,
                        struct error *err)
{
    const char *job_name = request->job_name ? request->job_name : "";
    source->wanted = mem_calloc(request->wanted_count + 1, sizeof(*source->wanted));
    source->splits = mem_calloc(source->plan.split_count, sizeof(*source->splits));
    source->job_name = mem_calloc(1, strlen(job_name) + 1);
    if (!source->wanted || !source->splits || !source->job_name)
        return error_memory(err, "connector 'sim'", sizeof(*source));
    memcpy(source->job_name, job_name, strlen(job_name));
    source->wanted_count = request->wanted_count;
    if (request->wanted_count)
        memcpy(source->wanted, request->wanted, request->wanted_count * sizeof(*source->wanted));
    for (uint32_t i = 0; i < source->plan.split_count; i++)
        source->splits[i].next = next_of_split(&source->plan, 0, i);
    return check_rows(source, err);
}

static enum status source_open(const struct source_request *request, struct wake *wake,
                               struct source **out, struct error *err)
{
    struct sim_options options;
    struct arena arena;
    struct source *source = mem_calloc(1, sizeof(*source));
    if (!source)
        return error_memory(err, "connector 'sim'", sizeof(*source));
    arena_init(&arena, NULL, SIM_TEXT_MAX * 2);
    source->table = request->table;
    source->zone = request->context->zone;
    source->owner = request->owner;
    arena_init(&source->plan.arena, NULL, SIM_TEXT_MAX * 8);
    enum status status = parse_options(request->table, &options, &arena, err);
    source->wait_every = options.wait_every;
    if (status == OK)
        status = load_plan(&source->plan, request->table, &options, request->context->io, err);
    if (status == OK)
        status = fill(source, request, err);
    arena_fini(&arena);
    if (status != OK) {
        source_close(source);
        return status;
    }
    mutex_lock(&sim_world.mutex);
    source->next = sim_world.sources;
    sim_world.sources = source;
    mutex_unlock(&sim_world.mutex);
    *out = source;
    return OK;
}

static enum poll_result source_discover(struct source *source, source_split_fn each, void *context,
                                        int64_t *again_us, struct error *err)
{
    if (source->discovered)
        return POLL_END;
    source->discovered = true;
    for (uint32_t i = 0; i < source->plan.split_count; i++) {
        struct source_split split;
        snprintf(split.id, sizeof(split.id), "%u", i);
        if (each(context, &split, err) != OK)
            return POLL_ERROR;
    }
    return POLL_ROWS;
}

static void reader_close(struct source_reader *reader)
{
    mutex_lock(&sim_world.mutex);
    reader->source->splits[reader->split].reader = NULL;
    mutex_unlock(&sim_world.mutex);
    mem_free(reader->columns);
    mem_free(reader);
}

/* Every subtask has a source of its own, but each split is read by one of them. Under the mutex. */
static void claim_split(struct source *own, uint32_t number)
{
    own->splits[number].opened = true;
    own->splits[number].elsewhere = false;
    for (struct source *source = sim_world.sources; source; source = source->next)
        if (source != own && strcmp(source->job_name, own->job_name) == 0 &&
            strcmp(source->table->name, own->table->name) == 0 && !source->splits[number].opened)
            source->splits[number].elsewhere = true;
}

/* Under the mutex. */
static void wake_others(const struct source_reader *reader)
{
    for (const struct source *source = sim_world.sources; source; source = source->next)
        for (uint32_t i = 0; i < source->plan.split_count; i++)
            if (source->splits[i].reader && source->splits[i].reader != reader)
                wake_notify(source->splits[i].reader->wake);
}

static enum status reader_open(struct source *source, const struct source_split *split,
                               const void *position, size_t position_bytes, struct wake *wake,
                               struct source_reader **out, struct error *err)
{
    const uint8_t *bytes = position;
    const struct sim_plan *plan = &source->plan;
    uint64_t number, done = 0;
    if (!str_to_u64(str_of(split->id), &number, NULL) || number >= plan->split_count ||
        (position && (position_bytes != POSITION_BYTES || bytes[0] != POSITION_VERSION)))
        return error_set(err, ERR_CORRUPT, "table %s: not a split and position of a sim source",
                         source->table->name);
    for (size_t i = POSITION_BYTES - 1; position && i >= 1; i--)
        done = done << 8 | bytes[i];
    struct source_reader *reader = mem_calloc(1, sizeof(*reader));
    if (reader)
        reader->columns = mem_calloc(source->wanted_count + 1, sizeof(*reader->columns));
    if (!reader || !reader->columns) {
        mem_free(reader);
        return error_memory(err, "connector 'sim'", sizeof(*reader));
    }
    reader->source = source;
    reader->wake = wake;
    reader->split = (uint32_t)number;
    reader->taken = plan->event_count + 1;
    struct split *own = &source->splits[number];
    mutex_lock(&sim_world.mutex);
    own->reader = reader;
    claim_split(source, reader->split);
    own->next = next_of_split(plan, 0, reader->split);
    for (; done > 0 && own->next < plan->event_count; done--)
        own->next = next_of_split(plan, own->next + 1, reader->split);
    wake_others(reader); /* less may be before them than it seemed */
    mutex_unlock(&sim_world.mutex);
    *out = reader;
    return OK;
}

/* The earliest event that any open source of the job has left. Under the mutex. */
static uint64_t earliest_order(const char *job_name)
{
    uint64_t earliest = ORDER_NONE;
    for (const struct source *source = sim_world.sources; source; source = source->next) {
        if (strcmp(source->job_name, job_name) != 0)
            continue;
        for (uint32_t i = 0; i < source->plan.split_count; i++) {
            uint32_t next = source->splits[i].next;
            if (!source->splits[i].elsewhere && next < source->plan.event_count &&
                source->plan.events[next].order < earliest)
                earliest = source->plan.events[next].order;
        }
    }
    return earliest;
}

struct chunk { /* events [first, last) go into one batch */
    uint32_t first, last;
    uint32_t row_count, mark_count;
    bool has_kinds;
};

static struct chunk cut_chunk(const struct source_reader *reader, uint32_t max_rows)
{
    const struct sim_plan *plan = &reader->source->plan;
    uint32_t first = reader->source->splits[reader->split].next;
    struct chunk chunk = {.first = first, .last = first};
    uint64_t section = plan->events[first].order >> 32;
    for (; chunk.last < plan->event_count; chunk.last++) {
        const struct sim_event *event = &plan->events[chunk.last];
        if (event->split != reader->split || event->order >> 32 != section ||
            event->kind == SIM_EVENT_SIGNAL)
            break;
        if (event->kind == SIM_EVENT_ROW && chunk.row_count == max_rows)
            break;
        if (event->kind == SIM_EVENT_WATERMARK && chunk.mark_count == MARKS_MAX)
            break;
        chunk.row_count += event->kind == SIM_EVENT_ROW;
        chunk.mark_count += event->kind == SIM_EVENT_WATERMARK;
        chunk.has_kinds |= event->kind == SIM_EVENT_ROW && event->row_kind != ROW_INSERT;
        if (event->kind == SIM_EVENT_CUT) {
            chunk.last++;
            break;
        }
    }
    return chunk;
}

static enum status fill_column(const struct source_reader *reader, const struct chunk *chunk,
                               uint32_t field, struct vec *vec, struct error *err)
{
    const struct source *source = reader->source;
    vec->length = 0;
    for (uint32_t i = chunk->first; i < chunk->last; i++) {
        const struct sim_event *event = &source->plan.events[i];
        if (event->kind != SIM_EVENT_ROW)
            continue;
        uint32_t row = vec->length++;
        enum status status = sim_set_cell(vec, row, &event->values[field], source->zone, err);
        if (status != OK) {
            error_prefix(err, "sim input of table %s, line %u, column '%s'", source->table->name,
                         event->line, source->table->fields[field].name);
            return status;
        }
    }
    return OK;
}

static enum status set_kinds_and_marks(const struct source_reader *reader,
                                       const struct chunk *chunk, struct batch *batch,
                                       struct error *err)
{
    struct watermark_mark marks[MARKS_MAX];
    uint32_t row = 0, mark_count = 0;
    if (chunk->has_kinds)
        TRY(batch_make_kinds(batch, err));
    for (uint32_t i = chunk->first; i < chunk->last; i++) {
        const struct sim_event *event = &reader->source->plan.events[i];
        if (event->kind == SIM_EVENT_WATERMARK)
            marks[mark_count++] = (struct watermark_mark){row, event->number};
        if (event->kind != SIM_EVENT_ROW)
            continue;
        if (chunk->has_kinds)
            batch->kinds[row] = (uint8_t)event->row_kind;
        row++;
    }
    return mark_count ? batch_set_marks(batch, marks, mark_count, err) : OK;
}

static enum status make_batch(struct source_reader *reader, const struct chunk *chunk,
                              struct batch **out, struct error *err)
{
    struct source *source = reader->source;
    uint32_t made = 0;
    enum status status = OK;
    for (; status == OK && made < source->wanted_count; made++) {
        uint32_t field = source->wanted[made];
        status = vec_new(&reader->columns[made], source->table->fields[field].type,
                         chunk->row_count, source->owner, err);
        if (status != OK)
            break;
        status = fill_column(reader, chunk, field, reader->columns[made], err);
    }
    if (status != OK) {
        for (uint32_t i = 0; i < made; i++)
            vec_unref(reader->columns[i]);
        return status;
    }
    TRY(batch_new(out, reader->columns, source->wanted_count, chunk->row_count, err));
    status = set_kinds_and_marks(reader, chunk, *out, err);
    if (status != OK)
        batch_unref(*out);
    return status;
}

/* What was handed out at the poll before has been worked on. Under the mutex. */
static void advance(struct source_reader *reader)
{
    struct sim_plan *plan = &reader->source->plan;
    if (reader->taken > plan->event_count)
        return;
    reader->source->splits[reader->split].next = reader->taken;
    reader->taken = plan->event_count + 1;
    wake_others(reader);
}

/* Tells the observer; the lock is given up meanwhile. */
static enum status give_signal(struct source_reader *reader, const struct sim_event *event,
                               struct error *err)
{
    void (*observer)(void *, enum sim_signal, int64_t) = sim_world.observer;
    void *context = sim_world.observer_context;
    if (!observer)
        return error_set(
            err, ERR_UNSUPPORTED,
            "sim input of table %s, line %u: @time, @checkpoint, @idle and @active need "
            "a test program that observes them",
            reader->source->table->name, event->line);
    mutex_unlock(&sim_world.mutex);
    observer(context, event->signal, event->number);
    mutex_lock(&sim_world.mutex);
    struct split *split = &reader->source->splits[reader->split];
    reader->taken = next_of_split(&reader->source->plan, split->next + 1, reader->split);
    advance(reader);
    return OK;
}

static enum poll_result next_batch(struct source_reader *reader, uint32_t max_rows,
                                   struct batch **out, struct error *err)
{
    struct source *source = reader->source;
    struct split *split = &source->splits[reader->split];
    advance(reader);
    for (;;) {
        if (split->next >= source->plan.event_count)
            return source->plan.is_open ? POLL_WAIT : POLL_END;
        const struct sim_event *event = &source->plan.events[split->next];
        if (event->order != earliest_order(source->job_name))
            return POLL_WAIT;
        if (event->kind == SIM_EVENT_SIGNAL) {
            if (give_signal(reader, event, err) != OK)
                return POLL_ERROR;
            wake_notify(reader->wake); /* timers that are due now fire before the next rows */
            return POLL_WAIT;
        }
        struct chunk chunk = cut_chunk(reader, max_rows);
        reader->taken = next_of_split(&source->plan, chunk.last, reader->split);
        if (chunk.row_count > 0 || chunk.mark_count > 0)
            return make_batch(reader, &chunk, out, err) == OK ? POLL_ROWS : POLL_ERROR;
        advance(reader);
    }
}

static enum poll_result reader_poll(struct source_reader *reader, uint32_t max_rows,
                                    struct source_output *out, struct error *err)
{
    struct source *source = reader->source;
    *out = (struct source_output){0};
    if (source->wait_every > 0 && ++reader->poll_count % source->wait_every == 0) {
        wake_notify(reader->wake);
        return POLL_WAIT;
    }
    mutex_lock(&sim_world.mutex);
    enum poll_result result =
        next_batch(reader, max_rows < BATCH_ROWS_MAX ? max_rows : BATCH_ROWS_MAX, &out->batch, err);
    mutex_unlock(&sim_world.mutex);
    return result;
}

static enum status reader_position(struct source_reader *reader, struct buf *out, struct error *err)
{
    const struct sim_plan *plan = &reader->source->plan;
    uint64_t done = 0;
    mutex_lock(&sim_world.mutex);
    uint32_t next = reader->taken <= plan->event_count ? reader->taken
                                                       : reader->source->splits[reader->split].next;
    mutex_unlock(&sim_world.mutex);
    for (uint32_t i = 0; i < next; i++)
        done += plan->events[i].split == reader->split;
    buf_append_byte(out, POSITION_VERSION);
    for (int i = 0; i < 8; i++)
        buf_append_byte(out, (uint8_t)(done >> (8 * i)));
    return buf_check(out, "a position", err);
}

/* Of a finished split nothing is left, so that it holds nobody back. */
static void source_known(struct source *source, const struct source_split *split, bool finished)
{
    int64_t number;
    if (!finished || !str_to_i64(str_of(split->id), &number, NULL) || number < 0 ||
        number >= source->plan.split_count)
        return;
    mutex_lock(&sim_world.mutex);
    source->splits[number].opened = true;
    source->splits[number].next = source->plan.event_count;
    mutex_unlock(&sim_world.mutex);
}

static enum source_replay source_replay(const struct table_description *table)
{
    return SOURCE_REPLAY_EXACT;
}

const struct source_class SIM_SOURCE = {
    .size = sizeof(struct source_class),
    .is_bounded = is_bounded,
    .is_changelog = is_changelog,
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
