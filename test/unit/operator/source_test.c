/* source_test.c - the source operator over a connector and a format of the test: columns, watermark
 * marks of one and several splits, idle splits, bad rows by each policy, errors that pass.
 *
 * A split's script is a list of polls, '|' between them: "wait", "end", "trouble", "break", or
 * records "VALUE SECONDS" with ',' between; VALUE "bad" cannot be decoded, SECONDS "null" is NULL.
 */
#include "harness.h"

struct source {
    int dummy;
};
struct source_reader {
    const char *rest;
    struct wake *wake;
    uint32_t split;
    const uint8_t *values[64];
    uint32_t lengths[64];
    int64_t offsets[64];
    int64_t next_offset;
    struct records records;
};
static const char *scripts[4];
static uint32_t split_count;
static struct wake *wakes[4];

static enum status script_open(const struct source_request *request, struct wake *wake,
                               struct source **out, struct error *err)
{
    *out = mem_calloc(1, sizeof(**out));
    return *out ? OK : error_memory(err, "source", 1);
}

static enum poll_result script_discover(struct source *source, source_split_fn each, void *context,
                                        int64_t *again_us, struct error *err)
{
    for (uint32_t s = 0; s < split_count; s++) {
        struct source_split split = {0};
        snprintf(split.id, sizeof(split.id), "part-%u", s);
        if (each(context, &split, err) != OK)
            return POLL_ERROR;
    }
    return POLL_END;
}

static enum status script_reader_open(struct source *source, const struct source_split *split,
                                      const void *position, size_t position_bytes,
                                      struct wake *wake, struct source_reader **out,
                                      struct error *err)
{
    struct source_reader *reader = mem_calloc(1, sizeof(*reader));
    if (!reader)
        return error_memory(err, "reader", 1);
    reader->split = (uint32_t)(split->id[5] - '0');
    reader->rest = scripts[reader->split];
    reader->wake = wakes[reader->split] = wake;
    *out = reader;
    return OK;
}

static enum poll_result script_poll(struct source_reader *reader, uint32_t max_rows,
                                    struct source_output *out, struct error *err)
{
    size_t length = strcspn(reader->rest, "|");
    struct str step = str_trim((struct str){reader->rest, length});
    reader->rest += length + (reader->rest[length] == '|');
    if (step.length == 0 || str_eq(step, STR("end")))
        return POLL_END;
    if (str_eq(step, STR("wait")))
        return POLL_WAIT;
    if (str_eq(step, STR("trouble")) || str_eq(step, STR("break"))) {
        error_set(err, ERR_IO, "the script says %.*s", (int)step.length, step.data);
        err->retriable = step.data[0] == 't';
        return POLL_ERROR;
    }
    struct records *records = &reader->records;
    *records = (struct records){.values = reader->values,
                                .value_lengths = reader->lengths,
                                .offsets = reader->offsets,
                                .topic = "topic",
                                .partition = (int32_t)reader->split};
    while (step.length) {
        size_t part = 0;
        while (part < step.length && step.data[part] != ',')
            part++;
        struct str record = str_trim((struct str){step.data, part});
        reader->values[records->count] = (const uint8_t *)record.data;
        reader->lengths[records->count] = (uint32_t)record.length;
        reader->offsets[records->count++] = reader->next_offset++;
        part += part < step.length;
        step.data += part;
        step.length -= part;
    }
    out->records = records;
    return POLL_ROWS;
}

static enum status script_metadata(struct source_reader *reader, const struct records *records,
                                   uint32_t index, struct vec **out, struct error *err)
{
    TRY(vec_new(out, &TYPE_OF_BIGINT, records->count, NULL, err));
    memcpy((*out)->values, records->offsets, records->count * sizeof(int64_t));
    (*out)->length = records->count;
    return OK;
}

static void script_reader_close(struct source_reader *reader)
{
    mem_free(reader);
}

static void script_close(struct source *source)
{
    mem_free(source);
}

static const struct source_class SOURCE = {.size = sizeof(struct source_class),
                                           .needs_format = true,
                                           .open = script_open,
                                           .discover = script_discover,
                                           .reader_open = script_reader_open,
                                           .poll = script_poll,
                                           .fill_metadata = script_metadata,
                                           .reader_close = script_reader_close,
                                           .close = script_close};
static const struct connector_class CONNECTOR = {
    .size = sizeof(struct connector_class), .name = "script", .source = &SOURCE};

/* ---- the format ---- */

static enum status text_decode(struct decoder *decoder, const struct records *records,
                               struct batch **out, const uint32_t **record_of_row,
                               struct bad_rows *bad, struct error *err)
{
    struct vec *columns[2];
    uint16_t good[64];
    uint32_t good_count = 0;
    TRY(vec_new(&columns[0], &TYPE_OF_INT, records->count, NULL, err));
    TRY(vec_new(&columns[1], &TYPE_OF_TIMESTAMP_3, records->count, NULL, err));
    TRY(vec_make_validity(columns[1], err));
    bad->count = bad->kept = 0;
    memset(bad->records, 0, sizeof(bad->records));
    for (uint32_t r = 0; r < records->count; r++) {
        struct str text = {(const char *)records->values[r], records->value_lengths[r]};
        size_t blank = 0;
        while (blank < text.length && text.data[blank] != ' ')
            blank++;
        int64_t value = 0, seconds = 0;
        struct str second = str_trim((struct str){text.data + blank, text.length - blank});
        if (!str_to_i64((struct str){text.data, blank}, &value, NULL)) {
            bad->rows[bad->kept++] =
                (struct bad_row){.record = r, .code = ERR_DATA, .text = "not a number"};
            bad->records[r / 64] |= UINT64_C(1) << (r % 64);
            bad->count++;
            continue;
        }
        if (!str_to_i64(second, &seconds, NULL))
            vec_clear_valid(columns[1], r);
        ((int32_t *)columns[0]->values)[r] = (int32_t)value;
        ((int64_t *)columns[1]->values)[r] = seconds * US_PER_SECOND;
        good[good_count++] = (uint16_t)r;
    }
    columns[0]->length = columns[1]->length = records->count;
    TRY(batch_new(out, columns, 2, records->count, err));
    *record_of_row = NULL;
    return bad->count ? batch_set_selection(*out, good, good_count, err) : OK;
}

static enum status text_open(const struct decoder_request *request, struct decoder **out,
                             struct error *err)
{
    *out = mem_calloc(1, 8);
    return *out ? OK : error_memory(err, "decoder", 8);
}

static void text_close(struct decoder *decoder)
{
    mem_free(decoder);
}

static const struct format_class FORMAT = {.size = sizeof(struct format_class),
                                           .name = "json",
                                           .decoder_open = text_open,
                                           .decode = text_decode,
                                           .decoder_close = text_close};

/* ---- plans ---- */

static struct catalog_object table = {.description.name = "orders"};
static const struct expr COLUMNS[] = {
    {.kind = EXPR_COLUMN, .type = &TYPE_OF_INT, .column = 0},
    {.kind = EXPR_COLUMN, .type = &TYPE_OF_TIMESTAMP_3, .column = 1},
    {.kind = EXPR_COLUMN, .type = &TYPE_OF_BIGINT, .column = 2}};
static const struct expr *const EXPRS[] = {&COLUMNS[0], &COLUMNS[1], &COLUMNS[2]};
static const uint32_t WANTED[] = {0, 1};
static const struct table_metadata METADATA[] = {{"offset", &TYPE_OF_BIGINT}};

/* Columns: value, offset; with a watermark: value, time. */
static void make_node(struct plan_node *node, bool has_watermark)
{
    static const struct type *types[] = {&TYPE_OF_INT, &TYPE_OF_TIMESTAMP_3, &TYPE_OF_BIGINT};
    *node = (struct plan_node){
        .op = PLAN_SOURCE, .parallelism = 1, .types = types, .column_count = has_watermark ? 2 : 3};
    node->source.table = &table;
    table.name = "orders";
    node->source.connector = &CONNECTOR;
    node->source.format = &FORMAT;
    node->source.wanted = WANTED;
    node->source.wanted_count = 2;
    node->source.metadata = METADATA;
    node->source.metadata_count = 1;
    node->source.exprs = EXPRS;
    node->source.watermark = has_watermark ? &COLUMNS[1] : NULL;
    node->source.rowtime_column = has_watermark ? 1 : -1;
    node->source.limit = -1;
}

static void set_scripts(const char *first, const char *second)
{
    scripts[0] = first;
    scripts[1] = second;
    split_count = 1 + (second != NULL);
}

static enum poll_state poll_all(struct harness *h)
{
    enum poll_state state = OPERATOR_MORE;
    for (int i = 0; i < 100 && state == OPERATOR_MORE; i++)
        state = harness_poll(h);
    return state;
}

static void print_marks(struct harness *h, struct batch *batch)
{
    for (uint32_t m = 0; m < batch->mark_count; m++)
        buf_printf(&h->out, "@%u=%lld ", batch->marks[m].row_index,
                   (long long)(batch->marks[m].watermark_us / US_PER_SECOND));
    buf_printf(&h->out, "(%u rows of %u)\n", batch->selected_count, batch->split);
}

TEST(columns_with_metadata)
{
    struct harness h;
    struct plan_node node;
    make_node(&node, false);
    set_scripts("1 10, 2 20 | 3 null | end", NULL);
    harness_open(&h, &node);
    CHECK_INT(poll_all(&h), OPERATOR_ENDED);
    CHECK_STR(harness_take(&h), "+I 1 1970-01-01 00:00:10.000 0\n+I 2 1970-01-01 00:00:20.000 1\n"
                                "+I 3 NULL 2\n");
    harness_close(&h);
}

TEST(marks_rise_row_by_row_and_by_the_slowest_split)
{
    struct harness h;
    struct plan_node node;
    make_node(&node, true);
    set_scripts("1 10, 1 5, 1 20, 1 20, 1 21 | 1 3 | end", NULL);
    harness_open(&h, &node);
    h.take_batch = print_marks;
    h.print_watermarks = true;
    CHECK_INT(poll_all(&h), OPERATOR_ENDED);
    CHECK_STR(harness_take(&h), "@1=10 @3=20 @5=21 (5 rows of 0)\n(1 rows of 0)\n");
    harness_close(&h);
    set_scripts("1 10 | 1 30, 1 40 | 1 60 | wait", "1 20 | 1 25, 1 50 | end");
    harness_open(&h, &node);
    h.take_batch = print_marks;
    h.print_watermarks = true;
    CHECK_INT(poll_all(&h), OPERATOR_WAIT);
    CHECK_STR(harness_take(&h), "(1 rows of 0)\n@1=10 (1 rows of 1)\n@1=20 (2 rows of 0)\n"
                                "@1=25 @2=40 (2 rows of 1)\n@1=50 (1 rows of 0)\nw 60\n");
    harness_close(&h);
}

TEST(idle_splits_hold_nobody_back)
{
    struct harness h;
    struct plan_node node;
    make_node(&node, true);
    node.source.idle_timeout_ms = 5000;
    set_scripts("1 10 | wait | wait | wait | 1 50 | wait", "wait | wait | wait | 1 30 | wait");
    harness_open(&h, &node);
    h.take_batch = print_marks;
    h.print_watermarks = true;
    h.op.steady_us = 100 * US_PER_SECOND;
    CHECK_INT(poll_all(&h), OPERATOR_WAIT);
    CHECK_STR(harness_take(&h), "(1 rows of 0)\n");
    CHECK_INT(h.timer_us, 105 * US_PER_SECOND);
    h.op.steady_us = 104 * US_PER_SECOND;
    wake_notify(wakes[0]);
    CHECK_INT(poll_all(&h), OPERATOR_WAIT);
    CHECK_STR(harness_take(&h), "");
    h.op.steady_us = 105 * US_PER_SECOND;
    CHECK_INT(poll_all(&h), OPERATOR_WAIT);
    CHECK_STR(harness_take(&h), "idle\n");
    CHECK_INT(h.timer_us, INT64_MAX);
    wake_notify(wakes[1]); /* two more waits, then a row: the source is active again */
    poll_all(&h);
    wake_notify(wakes[1]);
    poll_all(&h);
    wake_notify(wakes[1]);
    CHECK_INT(poll_all(&h), OPERATOR_WAIT);
    CHECK_STR(harness_take(&h), "active\n@1=30 (1 rows of 1)\n");
    harness_close(&h);
}

TEST(bad_rows_by_policy)
{
    struct harness h;
    struct plan_node node;
    make_node(&node, true);
    set_scripts("1 10, bad 20, 3 30, 4 null | 5 50 | end", NULL);
    harness_open(&h, &node);
    CHECK_INT(poll_all(&h), OPERATOR_FAILED);
    CHECK_STR(h.err.text, "table orders: bad row (topic, partition 0, offset 1): not a number");
    CHECK(strstr(h.err.hint, "'json.ignore-parse-errors' = 'true'"));
    CHECK(strstr(h.err.hint, "'leat.bad-rows' = 'skip'"));
    harness_close(&h);
    node.source.bad_rows = BAD_ROWS_SKIP;
    harness_open(&h, &node);
    CHECK_INT(poll_all(&h), OPERATOR_ENDED);
    CHECK_STR(harness_take(&h), "+I 1 1970-01-01 00:00:10.000\n+I 3 1970-01-01 00:00:30.000\n"
                                "+I 5 1970-01-01 00:00:50.000\n");
    CHECK_INT(metric_get(&h.op.metrics.bad_rows), 2);
    harness_close(&h);
    node.source.bad_rows = BAD_ROWS_DEAD_LETTER;
    harness_open(&h, &node);
    CHECK_INT(poll_all(&h), OPERATOR_ENDED);
    const char *text = harness_take(&h);
    CHECK(strstr(text, "letter +I topic 0 1 ") && strstr(text, "ERR_DATA not a number"));
    CHECK(strstr(text, "+I topic 0 3 ") && strstr(text, "the time attribute"));
    CHECK_INT(h.rows_out[0], 3);
    CHECK_INT(h.rows_out[1], 2);
    harness_close(&h);
}

TEST(trouble_is_tried_again_and_told)
{
    struct harness h;
    struct plan_node node;
    struct buf why;
    make_node(&node, false);
    set_scripts("trouble | 1 10 | break", NULL);
    buf_init(&why, 1000);
    harness_open(&h, &node);
    CHECK_INT(poll_all(&h), OPERATOR_WAIT);
    CHECK_INT(h.timer_us, h.op.steady_us + US_PER_SECOND);
    CHECK(h.op.class->why(&h.op, &why));
    CHECK_STR(buf_text(&why),
              "Reading table orders fails and is tried again: the script says trouble.");
    CHECK_INT(poll_all(&h), OPERATOR_WAIT); /* not before its time */
    h.op.steady_us += US_PER_SECOND;
    CHECK_INT(poll_all(&h), OPERATOR_FAILED);
    CHECK_STR(harness_take(&h), "+I 1 1970-01-01 00:00:10.000 0\nerror the script says break\n");
    buf_fini(&why);
    harness_close(&h);
}
