/* toy.h - a source and a sink whose every answer the test decides, and plans over them.
 *
 * Source: `splits` splits of `rows` rows (key BIGINT, value BIGINT, ts TIMESTAMP(3)); row i of
 * split s has key (i * 7 + s) % keys, value i + s * 1000, ts i seconds. Polls give at most
 * max_rows, answer "wait" (and wake at once, or from a thread of the test) now and then, fail at a
 * row, or never end. Sink: adds +I/+U, takes -U/-D away per key; may be full for a while.
 */
#ifndef LEAT_TEST_TOY_H
#define LEAT_TEST_TOY_H

#include "../check.h"
#include "base/must.h"
#include "runtime/runtime.h"
#include "os/thread.h"

#define TOY_KEYS_MAX 4096

struct toy {
    /* what the source does */
    uint32_t splits, rows, keys;
    uint32_t wait_every; /* every n-th poll waits and wakes itself; 0: never */
    int64_t fail_at;     /* row of split 0; -1: never */
    bool unbounded;      /* after `rows` it waits for ever */
    bool out_of_order;   /* ts swapped in pairs of rows */
    /* what the sink does */
    uint32_t full_every; /* every n-th write is refused once; 0: never */
    _Atomic bool stuck;  /* refuses everything */
    /* what was seen */
    struct mutex mutex;
    _Atomic uint64_t rows_read, rows_written, flushes, finishes, open_readers, open_writers;
    int64_t sums[TOY_KEYS_MAX], counts[TOY_KEYS_MAX];
    uint64_t last_epoch;
    bool epochs_fall;
};
static struct toy toy;

struct source {
    struct wake *wake;
    bool told;
};
struct source_reader {
    uint32_t split, next, polls;
    struct wake *wake;
};
struct sink {
    int dummy;
};
struct sink_writer {
    uint32_t writes;
    struct wake *wake;
};

static enum status toy_bounded(const struct table_description *table, bool *out, struct error *err)
{
    *out = !toy.unbounded;
    return OK;
}

static enum status toy_open(const struct source_request *request, struct wake *wake,
                            struct source **out, struct error *err)
{
    *out = mem_calloc(1, sizeof(**out));
    if (!*out)
        return error_memory(err, "toy", sizeof(**out));
    (*out)->wake = wake;
    return OK;
}

static enum poll_result toy_discover(struct source *source, source_split_fn each, void *context,
                                     int64_t *again_us, struct error *err)
{
    for (uint32_t s = 0; s < toy.splits && !source->told; s++) {
        struct source_split split = {0};
        snprintf(split.id, sizeof(split.id), "%u", s);
        if (each(context, &split, err) != OK)
            return POLL_ERROR;
    }
    source->told = true;
    return toy.unbounded ? POLL_WAIT : POLL_END;
}

static enum status toy_reader_open(struct source *source, const struct source_split *split,
                                   const void *position, size_t position_bytes, struct wake *wake,
                                   struct source_reader **out, struct error *err)
{
    int64_t number = 0;
    must(str_to_i64(str_of(split->id), &number, NULL));
    *out = mem_calloc(1, sizeof(**out));
    if (!*out)
        return error_memory(err, "toy", sizeof(**out));
    (*out)->split = (uint32_t)number;
    (*out)->wake = wake;
    atomic_fetch_add(&toy.open_readers, 1);
    return OK;
}

static void toy_row(uint32_t split, uint32_t i, int64_t *key, int64_t *value, int64_t *ts_us)
{
    *key = (int64_t)((i * 7ull + split) % toy.keys);
    *value = (int64_t)i + split * 1000;
    *ts_us = (int64_t)(toy.out_of_order ? i ^ 1 : i) * US_PER_SECOND;
}

static enum poll_result toy_poll(struct source_reader *reader, uint32_t max_rows,
                                 struct source_output *out, struct error *err)
{
    struct vec *columns[3];
    static const struct type *const TYPES[] = {&TYPE_OF_BIGINT, &TYPE_OF_BIGINT,
                                               &TYPE_OF_TIMESTAMP_3};
    if (toy.wait_every && ++reader->polls % toy.wait_every == 0) {
        wake_notify(reader->wake);
        return POLL_WAIT;
    }
    if (reader->next == toy.rows)
        return toy.unbounded ? POLL_WAIT : POLL_END;
    uint32_t count = toy.rows - reader->next < max_rows ? toy.rows - reader->next : max_rows;
    for (int c = 0; c < 3; c++)
        if (vec_new(&columns[c], TYPES[c], count, NULL, err) != OK) {
            while (c-- > 0)
                vec_unref(columns[c]);
            return POLL_ERROR;
        }
    for (uint32_t i = 0; i < count; i++) {
        toy_row(reader->split, reader->next + i, (int64_t *)columns[0]->values + i,
                (int64_t *)columns[1]->values + i, (int64_t *)columns[2]->values + i);
        if (reader->split == 0 && reader->next + i == toy.fail_at) {
            for (int c = 0; c < 3; c++)
                vec_unref(columns[c]);
            error_set(err, ERR_IO, "the toy breaks at row %lld", (long long)toy.fail_at);
            return POLL_ERROR;
        }
    }
    for (int c = 0; c < 3; c++)
        columns[c]->length = count;
    reader->next += count;
    atomic_fetch_add(&toy.rows_read, count);
    return batch_new(&out->batch, columns, 3, count, err) == OK ? POLL_ROWS : POLL_ERROR;
}

static void toy_reader_close(struct source_reader *reader)
{
    atomic_fetch_sub(&toy.open_readers, 1);
    mem_free(reader);
}

static void toy_close(struct source *source)
{
    mem_free(source);
}

static const struct source_class TOY_SOURCE = {
    .size = sizeof(struct source_class),
    .is_bounded = toy_bounded,
    .open = toy_open,
    .discover = toy_discover,
    .reader_open = toy_reader_open,
    .poll = toy_poll,
    .reader_close = toy_reader_close,
    .close = toy_close,
};

/* ---- sink ---- */

static enum status toy_sink_open(const struct sink_request *request, struct sink **out,
                                 struct error *err)
{
    *out = mem_calloc(1, sizeof(**out));
    return *out ? OK : error_memory(err, "toy", sizeof(**out));
}

static enum status toy_writer_open(struct sink *sink, uint32_t subtask, struct wake *wake,
                                   struct sink_writer **out, struct error *err)
{
    *out = mem_calloc(1, sizeof(**out));
    if (!*out)
        return error_memory(err, "toy", sizeof(**out));
    (*out)->wake = wake;
    atomic_fetch_add(&toy.open_writers, 1);
    return OK;
}

static bool toy_full(struct sink_writer *writer)
{
    if (atomic_load(&toy.stuck))
        return true;
    if (!toy.full_every || ++writer->writes % toy.full_every)
        return false;
    wake_notify(writer->wake);
    return true;
}

/* Columns: key, sum[, anything]. */
static enum push_result toy_write(struct sink_writer *writer, struct batch *batch,
                                  struct error *err)
{
    if (toy_full(writer))
        return PUSH_FULL;
    mutex_lock(&toy.mutex);
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t row = batch_row(batch, i);
        struct datum key, value;
        datum_get(&key, batch->columns[0], row);
        datum_get(&value, batch->columns[1], row);
        int64_t sign = row_kind_is_accumulate(batch_kind(batch, row)) ? 1 : -1;
        must(key.i64 >= 0 && key.i64 < TOY_KEYS_MAX);
        toy.sums[key.i64] += sign * value.i64;
        toy.counts[key.i64] += sign;
    }
    mutex_unlock(&toy.mutex);
    atomic_fetch_add(&toy.rows_written, batch->selected_count);
    return PUSH_DONE;
}

static enum push_result toy_flush(struct sink_writer *writer, uint64_t epoch, struct error *err)
{
    if (toy_full(writer))
        return PUSH_FULL;
    mutex_lock(&toy.mutex);
    toy.last_epoch = epoch > toy.last_epoch ? epoch : toy.last_epoch;
    mutex_unlock(&toy.mutex);
    atomic_fetch_add(&toy.flushes, 1);
    return PUSH_DONE;
}

static enum push_result toy_finish(struct sink_writer *writer, struct error *err)
{
    if (toy_full(writer))
        return PUSH_FULL;
    atomic_fetch_add(&toy.finishes, 1);
    return PUSH_DONE;
}

static bool toy_why(struct sink_writer *writer, struct buf *out)
{
    if (atomic_load(&toy.stuck))
        buf_append_text(out, "The toy sink is stuck.");
    return atomic_load(&toy.stuck);
}

static void toy_writer_close(struct sink_writer *writer)
{
    atomic_fetch_sub(&toy.open_writers, 1);
    mem_free(writer);
}

static void toy_sink_close(struct sink *sink)
{
    mem_free(sink);
}

static const struct sink_class TOY_SINK = {
    .size = sizeof(struct sink_class),
    .keeps_state = true,
    .open = toy_sink_open,
    .writer_open = toy_writer_open,
    .write = toy_write,
    .flush = toy_flush,
    .finish = toy_finish,
    .why = toy_why,
    .writer_close = toy_writer_close,
    .close = toy_sink_close,
};
static const struct connector_class TOY = {.size = sizeof(struct connector_class),
                                           .name = "toy",
                                           .source = &TOY_SOURCE,
                                           .sink = &TOY_SINK};

/* ---- plans ---- */

#define TOY_NODES_MAX 16

static struct catalog_object toy_table = {.name = "toy", .description.name = "toy"};
static const struct expr TOY_COLUMNS[3] = {
    {.kind = EXPR_COLUMN, .type = &TYPE_OF_BIGINT, .column = 0},
    {.kind = EXPR_COLUMN, .type = &TYPE_OF_BIGINT, .column = 1},
    {.kind = EXPR_COLUMN, .type = &TYPE_OF_TIMESTAMP_3, .column = 2}};
static const struct expr *const TOY_EXPRS[3] = {&TOY_COLUMNS[0], &TOY_COLUMNS[1], &TOY_COLUMNS[2]};
static const struct type *const TOY_TYPES[] = {&TYPE_OF_BIGINT,      &TYPE_OF_BIGINT,
                                               &TYPE_OF_TIMESTAMP_3, &TYPE_OF_TIMESTAMP_3,
                                               &TYPE_OF_TIMESTAMP_3, &TYPE_OF_BIGINT};
static const struct type *const TOY_WINDOW_TYPES[] = {&TYPE_OF_BIGINT, &TYPE_OF_TIMESTAMP_3,
                                                      &TYPE_OF_TIMESTAMP_3, &TYPE_OF_TIMESTAMP_3,
                                                      &TYPE_OF_BIGINT};
static const uint32_t TOY_KEY[] = {0}, TOY_THREE[] = {0, 1, 2};

struct toy_plan {
    struct plan plan;
    struct plan_node nodes[TOY_NODES_MAX];
    struct plan_node *pointers[TOY_NODES_MAX];
    const struct plan_node *inputs[TOY_NODES_MAX][4];
    const struct plan_node *roots[4];
    struct plan_aggregate calls[1];
    struct arena arena;
};

static void toy_plan_init(struct toy_plan *plan)
{
    memset(plan, 0, sizeof(*plan));
    plan->plan.job_name = "toy";
    plan->plan.nodes = plan->pointers;
    plan->plan.roots = plan->roots;
    arena_init(&plan->arena, NULL, 1 << 20);
}

static void toy_plan_fini(struct toy_plan *plan)
{
    arena_fini(&plan->arena);
}

static struct plan_node *toy_node(struct toy_plan *plan, enum plan_op op, uint32_t parallelism,
                                  struct plan_node *first, struct plan_node *second)
{
    uint32_t id = plan->plan.node_count++;
    struct plan_node *node = &plan->nodes[id];
    plan->pointers[id] = node;
    node->op = op;
    node->id = id;
    node->parallelism = parallelism;
    node->inputs = plan->inputs[id];
    plan->inputs[id][0] = first;
    plan->inputs[id][1] = second;
    node->input_count = (first != NULL) + (second != NULL);
    node->changelog = CHANGELOG_APPEND;
    node->types = TOY_TYPES;
    node->column_count = 3;
    switch (op) {
    case PLAN_SOURCE:
        node->source.table = &toy_table;
        node->source.connector = &TOY;
        node->source.wanted = TOY_THREE;
        node->source.wanted_count = 3;
        node->source.limit = -1;
        node->source.exprs = TOY_EXPRS;
        node->source.watermark = &TOY_COLUMNS[2];
        node->source.rowtime_column = 2;
        break;
    case PLAN_CALC:
        node->calc.exprs = TOY_EXPRS;
        break;
    case PLAN_EXCHANGE:
        node->exchange.key_count = 1;
        node->exchange.keys = TOY_KEY;
        node->column_count = first->column_count;
        node->types = first->types;
        break;
    case PLAN_SINK:
        node->sink.table = &toy_table;
        node->sink.connector = &TOY;
        node->sink.mode = SINK_RETRACT;
        plan->roots[plan->plan.root_count++] = node;
        break;
    default:
        break;
    }
    return node;
}

static void toy_bind_sum(struct toy_plan *plan, bool retracting)
{
    struct error err = {0};
    struct source_pos pos = {0};
    plan->calls[0] = (struct plan_aggregate){.arg_column = 1, .filter_column = -1};
    plan->calls[0].bound.arg_type = &TYPE_OF_BIGINT;
    plan->calls[0].bound.retracting = retracting;
    must(aggregate_find(STR("SUM"), NULL)->bind(&plan->calls[0].bound, &plan->arena, pos, &err) ==
         OK);
}

static struct plan_node *toy_group(struct toy_plan *plan, uint32_t parallelism,
                                   struct plan_node *input, bool coalesce)
{
    struct plan_node *node = toy_node(plan, PLAN_GROUP_AGGREGATE, parallelism, input, NULL);
    toy_bind_sum(plan, false);
    node->column_count = 2;
    node->group.key_count = 1;
    node->group.keys = TOY_KEY;
    node->group.call_count = 1;
    node->group.calls = plan->calls;
    node->group.emit_update_before = true;
    node->group.coalesce = coalesce;
    return node;
}

/* Output: key, window_start, window_end, window_time, sum. */
static struct plan_node *toy_window(struct toy_plan *plan, uint32_t parallelism,
                                    struct plan_node *input, int64_t size_ms)
{
    struct plan_node *node = toy_node(plan, PLAN_WINDOW_AGGREGATE, parallelism, input, NULL);
    toy_bind_sum(plan, false);
    node->column_count = 5;
    node->types = TOY_WINDOW_TYPES;
    node->window.time_column = 2;
    node->window.size_ms = size_ms;
    node->window.key_count = 1;
    node->window.keys = TOY_KEY;
    node->window.call_count = 1;
    node->window.calls = plan->calls;
    return node;
}

/* What the totals must be: every row `times` times. */
static bool toy_totals_are(int64_t times)
{
    static int64_t sums[TOY_KEYS_MAX];
    memset(sums, 0, sizeof(sums));
    for (uint32_t s = 0; s < toy.splits; s++)
        for (uint32_t i = 0; i < toy.rows; i++) {
            int64_t key, value, ts_us;
            toy_row(s, i, &key, &value, &ts_us);
            sums[key] += times * value;
        }
    for (uint32_t k = 0; k < toy.keys; k++)
        if (toy.sums[k] != sums[k]) {
            printf("# key %u: %lld, want %lld\n", k, (long long)toy.sums[k], (long long)sums[k]);
            return false;
        }
    return true;
}

static void toy_reset(uint32_t splits, uint32_t rows, uint32_t keys)
{
    static bool once;
    if (!once)
        mutex_init(&toy.mutex);
    once = true;
    struct mutex mutex = toy.mutex;
    memset(&toy, 0, sizeof(toy));
    toy.mutex = mutex;
    toy.splits = splits;
    toy.rows = rows;
    toy.keys = keys;
    toy.fail_at = -1;
}

#endif
