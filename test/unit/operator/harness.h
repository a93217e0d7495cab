/* harness.h - drives one operator without a runtime: scripted batches in, its output as text out.
 *
 *   struct harness h;
 *   harness_open(&h, &node);
 *   harness_push(&h, "+I a 1 / -D b NULL");      rows of one batch, values by blanks
 *   harness_watermark(&h, 5);                    seconds
 *   CHECK_STR(harness_take(&h), "+I a 1\n");     what came out since the last take
 *   harness_close(&h);
 *
 * Values are read by the column's type: integers, decimals, words; timestamps as seconds since
 * 1970.
 * `@5` as a row makes a mark: the watermark is 5 s from here on. Output rows are printed by
 * datum_format, watermarks as "w SECONDS". The node's inputs[0] gives the input types.
 * h.blocked makes operator_blocked() true; a call that answers PUSH_FULL is noted in h.full and
 * resumed by harness_resume().
 */
#ifndef LEAT_TEST_HARNESS_H
#define LEAT_TEST_HARNESS_H

#include "../check.h"
#include "base/must.h"
#include "data/datum.h"
#include "operator/operator.h"

#define HARNESS_COLUMNS_MAX 16

struct operator_host {
    struct harness *harness;
};

struct harness {
    struct operator op;
    struct operator_host host;
    struct wake wake;
    struct plugin_context context;
    struct zone *zone;
    struct mem_owner root;
    struct buf out;
    struct error err;
    bool blocked, full, failed;
    bool print_watermarks;
    uint32_t batch_rows;
    int64_t timer_us;
    uint32_t wakes;
    void *shared;
    uint64_t rows_out[2];
    /* when set, gets every output batch instead of the text */
    void (*take_batch)(struct harness *h, struct batch *batch);
    void *take_context;
};

static void harness_print(struct harness *h, const struct batch *batch)
{
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t row = batch_row(batch, i);
        buf_append_text(&h->out, row_kind_text((enum row_kind)batch_kind(batch, row)));
        for (uint32_t c = 0; c < batch->column_count; c++) {
            struct datum datum;
            datum_get(&datum, batch->columns[c], row);
            buf_append_text(&h->out, " ");
            datum_format(&h->out, &datum, NULL);
        }
        buf_append_text(&h->out, "\n");
    }
}

enum push_result operator_emit(struct operator* op, uint32_t output, struct batch *batch,
                               struct error *err)
{
    struct harness *h = op->host->harness;
    batch_verify(batch);
    h->rows_out[output] += batch->selected_count;
    if (output == 1)
        buf_append_text(&h->out, "letter ");
    if (h->take_batch)
        h->take_batch(h, batch);
    else
        harness_print(h, batch);
    return PUSH_DONE;
}

enum push_result operator_emit_watermark(struct operator* op, int64_t watermark_us,
                                         struct error *err)
{
    struct harness *h = op->host->harness;
    if (h->print_watermarks)
        buf_printf(&h->out, "w %lld\n", (long long)(watermark_us / US_PER_SECOND));
    return PUSH_DONE;
}

enum push_result operator_emit_status(struct operator* op, bool idle, struct error *err)
{
    struct harness *h = op->host->harness;
    if (h->print_watermarks)
        buf_append_text(&h->out, idle ? "idle\n" : "active\n");
    return PUSH_DONE;
}

bool operator_blocked(const struct operator* op)
{
    return op->host->harness->blocked;
}

enum status operator_set_timer(struct operator* op, int64_t due_us, struct error *err)
{
    op->host->harness->timer_us = due_us;
    return OK;
}

struct wake *operator_wake(struct operator* op)
{
    return &op->host->harness->wake;
}

void *operator_shared(struct operator* op, size_t size_bytes, struct error *err)
{
    struct harness *h = op->host->harness;
    if (!h->shared)
        h->shared = mem_calloc(1, size_bytes);
    if (!h->shared)
        error_memory(err, "shared", size_bytes);
    return h->shared;
}

const struct operator_history *operator_history(const struct operator* op)
{
    return NULL; /* no checkpoints, so no exactly-once sinks */
}

void operator_commits(struct operator* op, struct committer *committer)
{
    must(!"only with checkpoints");
}

uint32_t operator_batch_rows(const struct operator* op)
{
    return op->host->harness->batch_rows;
}

const char *operator_job_name(const struct operator* op)
{
    return "test";
}

void operator_satisfied(struct operator* op)
{
    buf_append_text(&op->host->harness->out, "satisfied\n");
}

enum push_result operator_collect(struct operator* op, struct batch *batch, struct error *err)
{
    harness_print(op->host->harness, batch);
    return op->host->harness->blocked ? PUSH_FULL : PUSH_DONE;
}

uint64_t operator_collect_resumes(const struct operator* op)
{
    return !op->host->harness->blocked;
}

static void harness_count_wake(struct wake *wake)
{
    container_of(wake, struct harness, wake)->wakes++;
}

static uint64_t harness_epoch; /* under way when an operator is opened; 0: no checkpoints */

static enum status harness_try_open(struct harness *h, const struct plan_node *node)
{
    memset(h, 0, sizeof(*h));
    h->host.harness = h;
    h->wake.notify = harness_count_wake;
    h->batch_rows = BATCH_ROWS_MAX;
    h->timer_us = INT64_MAX;
    buf_init(&h->out, 64 << 20);
    mem_owner_init(&h->root, NULL, "test");
    must(zone_from_offset(&h->zone, 0, &h->err) == OK);
    h->context.zone = h->zone;
    h->op.class = operator_class_for(node->op);
    h->op.node = node;
    h->op.parallelism = 1;
    h->op.last_key_group = 127;
    h->op.port_count = node->input_count;
    h->op.epoch = harness_epoch;
    h->op.host = &h->host;
    h->op.context = &h->context;
    h->op.eval.zone = h->zone;
    h->op.eval.watermark_us = WATERMARK_NONE;
    h->op.eval.now_us = US_PER_SECOND;
    h->op.steady_us = US_PER_SECOND;
    mem_owner_init(&h->op.owner, &h->root, h->op.class->name);
    return h->op.class->open(&h->op, &h->err);
}

static void harness_close(struct harness *h)
{
    if (h->op.class->close)
        h->op.class->close(&h->op);
    mem_free(h->shared);
    mem_owner_fini(&h->op.owner); /* everything was given back */
    mem_owner_fini(&h->root);
    zone_free(h->zone);
    buf_fini(&h->out);
}

static inline void harness_open(struct harness *h, const struct plan_node *node)
{
    if (harness_try_open(h, node) != OK) {
        printf("# open: %s\n", h->err.text);
        check_failed = true;
    }
}

/* Text since the last take; valid until the next call. */
static inline const char *harness_take(struct harness *h)
{
    static char *text;
    free(text);
    text = strdup(buf_text(&h->out));
    buf_clear(&h->out);
    return text;
}

static void harness_value(struct vec *vec, uint32_t row, const char *word)
{
    struct error err = {0};
    struct str text = str_of(word);
    int64_t number = 0;
    double real = 0;
    decimal128 decimal = 0;
    if (strcmp(word, "NULL") == 0) {
        vec_clear_valid(vec, row);
        return;
    }
    switch (vec->type->root) {
    case TYPE_DECIMAL:
        must(decimal_parse(text, vec->type->precision, vec->type->scale, &decimal, NULL));
        number = (int64_t)decimal;
        break;
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        must(str_to_f64(text, &real));
        break;
    case TYPE_BOOLEAN:
        number = strcmp(word, "TRUE") == 0;
        break;
    case TYPE_CHAR:
    case TYPE_VARCHAR:
        must(vec_set_text(vec, row, word, strlen(word), &err) == OK);
        return;
    default:
        must(str_to_i64(text, &number, NULL));
        if (type_is_timestamp(vec->type))
            number *= US_PER_SECOND;
    }
    switch (type_physical(vec->type)) {
    case PHYS_BOOL:
    case PHYS_I8:
        ((int8_t *)vec->values)[row] = (int8_t)number;
        break;
    case PHYS_I16:
        ((int16_t *)vec->values)[row] = (int16_t)number;
        break;
    case PHYS_I32:
        ((int32_t *)vec->values)[row] = (int32_t)number;
        break;
    case PHYS_I64:
        ((int64_t *)vec->values)[row] = number;
        break;
    case PHYS_I128:
        ((decimal128 *)vec->values)[row] = decimal;
        break;
    case PHYS_F32:
        ((float *)vec->values)[row] = (float)real;
        break;
    case PHYS_F64:
        ((double *)vec->values)[row] = real;
        break;
    default:
        must(!"a type the harness cannot read");
    }
}

static enum row_kind harness_kind(const char *word)
{
    for (int kind = ROW_INSERT; kind <= ROW_DELETE; kind++)
        if (strcmp(word, row_kind_text((enum row_kind)kind)) == 0)
            return (enum row_kind)kind;
    must(!"a row begins with +I, -U, +U or -D");
    return ROW_INSERT;
}

/* A batch of the given types from a script of rows. */
static struct batch *harness_batch(const struct type *const *types, uint32_t column_count,
                                   const char *script)
{
    struct error err = {0};
    struct vec *columns[HARNESS_COLUMNS_MAX];
    struct watermark_mark marks[64];
    static uint8_t kinds[BATCH_ROWS_MAX];
    uint32_t rows = 0, mark_count = 0;
    char *copy = strdup(script), *rest = copy, *line;
    for (uint32_t c = 0; c < column_count; c++) {
        must(vec_new(&columns[c], types[c], BATCH_ROWS_MAX, NULL, &err) == OK);
        must(vec_make_validity(columns[c], &err) == OK);
    }
    while ((line = strsep(&rest, "/")) != NULL) {
        char *words = line, *word;
        uint32_t at = 0;
        while ((word = strsep(&words, " ")) != NULL) {
            if (!*word)
                continue;
            if (*word == '@') {
                int64_t seconds = 0;
                must(str_to_i64(str_of(word + 1), &seconds, NULL));
                marks[mark_count++] = (struct watermark_mark){rows, seconds * US_PER_SECOND};
                at = UINT32_MAX;
                break;
            }
            if (at == 0)
                kinds[rows] = (uint8_t)harness_kind(word);
            else
                harness_value(columns[at - 1], rows, word);
            at++;
        }
        if (at == UINT32_MAX || at == 0)
            continue;
        must(at == column_count + 1);
        rows++;
    }
    struct batch *batch;
    for (uint32_t c = 0; c < column_count; c++)
        columns[c]->length = rows;
    must(batch_new(&batch, columns, column_count, rows, &err) == OK);
    must(batch_make_kinds(batch, &err) == OK);
    memcpy(batch->kinds, kinds, rows);
    if (mark_count)
        must(batch_set_marks(batch, marks, mark_count, &err) == OK);
    free(copy);
    return batch;
}

static inline void harness_note(struct harness *h, enum push_result result)
{
    h->full = result == PUSH_FULL;
    if (result == PUSH_ERROR) {
        h->failed = true;
        buf_printf(&h->out, "error %s\n", h->err.text);
    }
}

static inline void harness_resume(struct harness *h)
{
    harness_note(h, h->op.class->resume(&h->op, &h->err));
}

static inline void harness_watermark_us(struct harness *h, int64_t watermark_us)
{
    h->op.eval.watermark_us = watermark_us;
    if (h->op.class->watermark)
        harness_note(h, h->op.class->watermark(&h->op, watermark_us, &h->err));
}

static inline void harness_watermark(struct harness *h, int64_t seconds)
{
    harness_watermark_us(h, seconds * US_PER_SECOND);
}

static inline void harness_push_batch(struct harness *h, struct batch *batch)
{
    int64_t last = batch->mark_count ? batch->marks[batch->mark_count - 1].watermark_us : 0;
    harness_note(h, h->op.class->push(&h->op, 0, batch, &h->err));
    if (batch->mark_count && !h->full && !h->failed)
        harness_watermark_us(h, last);
    batch_unref(batch);
}

static inline void harness_push(struct harness *h, const char *script)
{
    const struct plan_node *input = h->op.node->inputs[0];
    harness_push_batch(h, harness_batch(input->types, input->column_count, script));
}

static inline void harness_end(struct harness *h)
{
    harness_watermark_us(h, WATERMARK_MAX);
    if (h->op.class->end)
        harness_note(h, h->op.class->end(&h->op, &h->err));
}

static inline enum poll_state harness_poll(struct harness *h)
{
    enum poll_state state = h->op.class->poll(&h->op, &h->err);
    if (state == OPERATOR_FAILED)
        buf_printf(&h->out, "error %s\n", h->err.text);
    return state;
}

#endif
