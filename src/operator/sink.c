/* sink.c - the operators at the end: rows to a connector's writer, or to whoever asked for them.
 *
 * The subtasks of a node share one connector sink (sink_target.c); each has a writer. A batch that
 * the writer does not take (PUSH_FULL) is held and offered again after the wake; the same for flush
 * and finish. An exactly-once sink's writer prepares what an epoch has after the flush, for the
 * committer. Before: NULL in a NOT NULL column fails the job (Flink's
 * table.exec.sink.not-null-enforcer = ERROR), so does a row for which a CHECK is FALSE. For upsert
 * sinks a -U is left out when the row after it is its +U under the same primary key; else the old
 * row goes: it becomes a -D.
 */
#include "data/datum.h"
#include "operator/sink_target.h"

enum waiting { WAIT_NOTHING, WAIT_WRITE, WAIT_FLUSH, WAIT_FINISH };

struct sink_state {
    const struct sink_class *class;
    struct sink_target *target;
    struct sink_writer *writer;
    enum waiting waiting;
    struct batch *held; /* WAIT_WRITE */
    uint64_t epoch;     /* flushed last, or being flushed */
    uint16_t selection[BATCH_ROWS_MAX];
    struct expr_program *checks; /* NULL: the table has none */
    struct evaluator *evaluator;
    struct vec **check_results;
    struct row_errors errors;
};

static enum status open_checks(struct operator* op, struct sink_state *state, struct error *err)
{
    const struct plan_node *node = op->node;
    if (!node->sink.check_count)
        return OK;
    state->check_results = operator_columns_new(node->sink.check_count, err);
    if (!state->check_results)
        return err->code;
    TRY(expr_compile(&state->checks, node->sink.checks, node->sink.check_count, err));
    return evaluator_new(&state->evaluator, state->checks, &op->owner, err);
}

static enum status sink_open(struct operator* op, struct error *err)
{
    const struct plan_node *node = op->node;
    struct sink_state *state = operator_new_state(op, sizeof(*state), err);
    if (!state)
        return err->code;
    state->class = node->sink.connector->sink;
    must(state->class);
    TRY(open_checks(op, state, err));
    TRY(sink_target_open(op, &state->target, err));
    state->epoch = op->epoch ? op->epoch - 1 : 0;
    return state->class->writer_open(state->target->sink, op->subtask, operator_wake(op),
                                     &state->writer, err);
}

static enum status check_not_null(const struct operator* op, const struct batch *batch,
                                  struct error *err)
{
    const struct table_description *table = &op->node->sink.table->description;
    for (uint32_t c = 0; c < table->field_count && c < batch->column_count; c++) {
        const struct vec *vec = batch->columns[c];
        if (table->fields[c].type->nullable || (vec->form != VEC_DICTIONARY && !vec->validity))
            continue;
        for (uint32_t i = 0; i < batch->selected_count; i++) {
            if (vec_is_valid(vec, batch_row(batch, i)))
                continue;
            error_set(err, ERR_DATA, "column '%s' of table %s is NOT NULL, but a row has NULL",
                      table->fields[c].name, table->name);
            error_hint(err, "filter such rows out, or declare the column without NOT NULL");
            return ERR_DATA;
        }
    }
    return OK;
}

static enum status check_failed(const struct operator* op, uint32_t number, struct error *err)
{
    const struct catalog_object *table = op->node->sink.table;
    const struct catalog_check *check = &table->checks[number];
    int length = check->expression.text.length > 200 ? 200 : (int)check->expression.text.length;
    error_set(err, ERR_DATA, "a row breaks CHECK%s%s (%.*s) of table %s", check->name ? " " : "",
              check->name ? check->name : "", length, check->expression.text.data, table->name);
    error_hint(err, "filter such rows out, or declare the table without the CHECK");
    return ERR_DATA;
}

static bool is_false(const struct vec *vec, uint32_t row)
{
    struct datum datum;
    datum_get(&datum, vec, row);
    return !datum.is_null && datum.i64 == 0;
}

static enum status check_constraints(struct operator* op, const struct batch *batch,
                                     struct error *err)
{
    struct sink_state *state = op->state;
    uint32_t count = op->node->sink.check_count;
    enum status status = OK;
    if (!count)
        return OK;
    TRY(evaluator_run(state->evaluator, batch, &op->eval, state->check_results, &state->errors,
                      err));
    if (state->errors.any) {
        const struct row_error *error =
            row_errors_first(&state->errors, batch->selection, batch->selected_count);
        if (error)
            status = operator_row_failed(op, error, err);
    }
    for (uint32_t c = 0; c < count && status == OK; c++)
        for (uint32_t i = 0; i < batch->selected_count && status == OK; i++) {
            uint32_t row = batch_row(batch, i);
            if (row_kind_is_accumulate(batch_kind(batch, row)) &&
                is_false(state->check_results[c], row))
                status = check_failed(op, c, err);
        }
    for (uint32_t c = 0; c < count; c++) {
        vec_unref(state->check_results[c]);
        state->check_results[c] = NULL;
    }
    return status;
}

static bool same_key(const struct operator* op, const struct batch *batch, uint32_t a, uint32_t b)
{
    const struct table_description *table = &op->node->sink.table->description;
    for (uint32_t k = 0; k < table->primary_key_count; k++) {
        struct datum x, y;
        datum_get(&x, batch->columns[table->primary_key[k]], a);
        datum_get(&y, batch->columns[table->primary_key[k]], b);
        if (!datum_equals(&x, &y))
            return false;
    }
    return true;
}

/* The rows that an upsert sink gets, to state->selection. Where a -U is kept it is to be a -D. */
static uint32_t upsert_rows(const struct operator* op, const struct batch *batch, bool *deletes)
{
    struct sink_state *state = op->state;
    uint32_t count = 0;
    *deletes = false;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t row = batch_row(batch, i);
        if (batch->kinds[row] == ROW_UPDATE_BEFORE) {
            if (i + 1 < batch->selected_count &&
                batch->kinds[batch_row(batch, i + 1)] == ROW_UPDATE_AFTER &&
                same_key(op, batch, row, batch_row(batch, i + 1)))
                continue;
            *deletes = true;
        }
        state->selection[count++] = (uint16_t)row;
    }
    return count;
}

static enum status hold_upserts(struct operator* op, struct batch *batch, struct error *err)
{
    struct sink_state *state = op->state;
    bool deletes;
    uint32_t count = upsert_rows(op, batch, &deletes);
    if (count == 0)
        return OK;
    if (count == batch->selected_count && !deletes) {
        state->held = batch_ref(batch);
        return OK;
    }
    TRY(batch_with_selection(&state->held, batch, state->selection, count, err));
    for (uint32_t i = 0; i < count && deletes; i++) { /* the new batch has kinds of its own */
        uint32_t row = batch_row(state->held, i);
        if (state->held->kinds[row] == ROW_UPDATE_BEFORE)
            state->held->kinds[row] = ROW_DELETE;
    }
    return OK;
}

static enum push_result offer(struct operator* op, struct error *err)
{
    struct sink_state *state = op->state;
    struct committer *committer = state->target->committer;
    if (committer && !committer_takes(committer, op->subtask, operator_wake(op)))
        return PUSH_FULL;
    enum push_result result = state->class->write(state->writer, state->held, err);
    if (result == PUSH_FULL)
        return PUSH_FULL;
    metric_set(&op->metrics.buffered_rows, 0);
    metric_set(&op->metrics.oldest_row_us, 0);
    batch_unref(state->held);
    state->held = NULL;
    state->waiting = WAIT_NOTHING;
    return result;
}

static enum push_result sink_push(struct operator* op, uint32_t port, struct batch *batch,
                                  struct error *err)
{
    struct sink_state *state = op->state;
    must(state->waiting == WAIT_NOTHING);
    if (batch->selected_count == 0)
        return PUSH_DONE;
    if (op->node->sink.mode == SINK_UPSERT && batch->kinds)
        PUSH_TRY(hold_upserts(op, batch, err));
    else
        state->held = batch_ref(batch);
    if (!state->held)
        return PUSH_DONE;
    PUSH_TRY(check_not_null(op, state->held, err));
    PUSH_TRY(check_constraints(op, state->held, err));
    state->waiting = WAIT_WRITE;
    metric_set(&op->metrics.buffered_rows, state->held->selected_count);
    metric_set(&op->metrics.oldest_row_us, op->eval.now_us);
    return offer(op, err);
}

/* What was written since the last epoch becomes part of this one's checkpoint. */
static enum push_result prepare(struct operator* op, struct error *err)
{
    struct sink_state *state = op->state;
    struct sink_committables list = {0};
    enum status status = state->class->prepare(state->writer, state->epoch, &list, err);
    if (status == OK)
        status = committer_add(state->target->committer, op->subtask, state->epoch, &list, err);
    else
        sink_committables_drop(&list, list.count);
    return status == OK ? PUSH_DONE : PUSH_ERROR;
}

static enum push_result flush(struct operator* op, struct error *err)
{
    struct sink_state *state = op->state;
    enum push_result result = state->class->flush(state->writer, state->epoch, err);
    state->waiting = result == PUSH_FULL ? WAIT_FLUSH : WAIT_NOTHING;
    return result == PUSH_DONE && state->target->committer ? prepare(op, err) : result;
}

/* Rows since the last barrier belong to the next epoch, whose barrier finds the operator ended. */
static enum push_result finish(struct operator* op, struct error *err)
{
    struct sink_state *state = op->state;
    enum push_result result = state->class->finish(state->writer, err);
    state->waiting = result == PUSH_FULL ? WAIT_FINISH : WAIT_NOTHING;
    if (result != PUSH_DONE || !state->target->committer)
        return result;
    state->epoch++;
    return flush(op, err);
}

static enum push_result sink_resume(struct operator* op, struct error *err)
{
    struct sink_state *state = op->state;
    switch (state->waiting) {
    case WAIT_WRITE:
        return offer(op, err);
    case WAIT_FLUSH:
        return flush(op, err);
    case WAIT_FINISH:
        return finish(op, err);
    default:
        return PUSH_DONE;
    }
}

static enum push_result sink_flush(struct operator* op, uint64_t epoch, struct error *err)
{
    struct sink_state *state = op->state;
    state->epoch = epoch;
    return flush(op, err);
}

static enum status sink_snapshot(struct operator* op, struct buf *out, struct error *err)
{
    sink_target_save(op, ((struct sink_state *)op->state)->target, out);
    return OK;
}

static enum push_result sink_end(struct operator* op, struct error *err)
{
    return finish(op, err);
}

static bool sink_why(struct operator* op, struct buf *out)
{
    struct sink_state *state = op->state;
    if (state->target->committer && committer_why(state->target->committer, out))
        return true;
    return state->class->why && state->class->why(state->writer, out);
}

static void sink_close(struct operator* op)
{
    struct sink_state *state = op->state;
    if (!state)
        return;
    if (state->held)
        batch_unref(state->held);
    if (state->writer)
        state->class->writer_close(state->writer);
    evaluator_free(state->evaluator);
    expr_program_free(state->checks);
    mem_free(state->check_results);
    if (state->target)
        sink_target_close(op, state->target);
    operator_free_state(op);
}

const struct operator_class OPERATOR_SINK = {
    .size = sizeof(struct operator_class),
    .name = "Sink",
    .open = sink_open,
    .push = sink_push,
    .resume = sink_resume,
    .end = sink_end,
    .flush = sink_flush,
    .snapshot = sink_snapshot,
    .why = sink_why,
    .close = sink_close,
};

/* ---- rows to the caller ---- */

struct collect {
    uint64_t resumes; /* operator_collect_resumes() when the reader was full */
};

static enum status collect_open(struct operator* op, struct error *err)
{
    return operator_new_state(op, sizeof(struct collect), err) ? OK : err->code;
}

static enum push_result collect_push(struct operator* op, uint32_t port, struct batch *batch,
                                     struct error *err)
{
    struct collect *collect = op->state;
    collect->resumes = operator_collect_resumes(op);
    return batch->selected_count ? operator_collect(op, batch, err) : PUSH_DONE;
}

static enum push_result collect_resume(struct operator* op, struct error *err)
{
    struct collect *collect = op->state;
    return operator_collect_resumes(op) == collect->resumes ? PUSH_FULL : PUSH_DONE;
}

static void collect_close(struct operator* op)
{
    operator_free_state(op);
}

const struct operator_class OPERATOR_COLLECT = {
    .size = sizeof(struct operator_class),
    .name = "Collect",
    .open = collect_open,
    .push = collect_push,
    .resume = collect_resume,
    .close = collect_close,
};
