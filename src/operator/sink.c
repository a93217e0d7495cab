/* sink.c - the operators at the end: rows to a connector's writer, or to whoever asked for them.
 *
 * The subtasks of a node share one connector sink; each has a writer. A batch that the writer does
 * not take (PUSH_FULL) is held and offered again after the wake; the same for flush and finish.
 * Before: -U is left out for upsert sinks, and NULL in a NOT NULL column fails the job (Flink's
 * table.exec.sink.not-null-enforcer = ERROR).
 */
#include "operator/operator_int.h"

struct shared_sink {
    struct sink *sink;
    _Atomic uint32_t users;
};

enum waiting { WAIT_NOTHING, WAIT_WRITE, WAIT_FLUSH, WAIT_FINISH };

struct sink_state {
    const struct sink_class *class;
    struct shared_sink *shared;
    struct sink_writer *writer;
    enum waiting waiting;
    struct batch *held; /* WAIT_WRITE */
    uint64_t epoch;     /* WAIT_FLUSH */
    uint16_t selection[BATCH_ROWS_MAX];
};

static enum status sink_open(struct operator* op, struct error *err)
{
    const struct plan_node *node = op->node;
    struct sink_state *state = operator_new_state(op, sizeof(*state), err);
    if (!state)
        return err->code;
    state->class = node->sink.connector->sink;
    must(state->class);
    struct shared_sink *shared = operator_shared(op, sizeof(*shared), err);
    if (!shared)
        return err->code;
    if (!shared->sink) {
        struct sink_request request = {
            .table = &node->sink.table->description,
            .format = node->sink.format,
            .mode = node->sink.mode,
            .coalesce = node->sink.coalesce,
            .parallelism = op->parallelism,
            .job_name = operator_job_name(op),
            .context = op->context,
            .owner = op->owner.parent,
        };
        TRY(state->class->open(&request, &shared->sink, err));
    }
    state->shared = shared;
    atomic_fetch_add(&shared->users, 1);
    return state->class->writer_open(shared->sink, op->subtask, operator_wake(op), &state->writer,
                                     err);
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

static uint32_t without_update_before(struct sink_state *state, const struct batch *batch)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t row = batch_row(batch, i);
        state->selection[count] = (uint16_t)row;
        count += batch->kinds[row] != ROW_UPDATE_BEFORE;
    }
    return count;
}

static enum push_result offer(struct sink_state *state, struct error *err)
{
    enum push_result result = state->class->write(state->writer, state->held, err);
    if (result == PUSH_FULL)
        return PUSH_FULL;
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
    uint32_t count = batch->selected_count;
    if (op->node->sink.mode == SINK_UPSERT && batch->kinds)
        count = without_update_before(state, batch);
    if (count == 0)
        return PUSH_DONE;
    if (count == batch->selected_count)
        state->held = batch_ref(batch);
    else
        PUSH_TRY(batch_with_selection(&state->held, batch, state->selection, count, err));
    if (check_not_null(op, state->held, err) != OK)
        return PUSH_ERROR;
    state->waiting = WAIT_WRITE;
    return offer(state, err);
}

static enum push_result flush(struct sink_state *state, struct error *err)
{
    enum push_result result = state->class->flush(state->writer, state->epoch, err);
    state->waiting = result == PUSH_FULL ? WAIT_FLUSH : WAIT_NOTHING;
    return result;
}

static enum push_result finish(struct sink_state *state, struct error *err)
{
    enum push_result result = state->class->finish(state->writer, err);
    state->waiting = result == PUSH_FULL ? WAIT_FINISH : WAIT_NOTHING;
    return result;
}

static enum push_result sink_resume(struct operator* op, struct error *err)
{
    struct sink_state *state = op->state;
    switch (state->waiting) {
    case WAIT_WRITE:
        return offer(state, err);
    case WAIT_FLUSH:
        return flush(state, err);
    case WAIT_FINISH:
        return finish(state, err);
    default:
        return PUSH_DONE;
    }
}

static enum push_result sink_flush(struct operator* op, uint64_t epoch, struct error *err)
{
    struct sink_state *state = op->state;
    state->epoch = epoch;
    return flush(state, err);
}

static enum push_result sink_end(struct operator* op, struct error *err)
{
    return finish(op->state, err);
}

static bool sink_why(struct operator* op, struct buf *out)
{
    struct sink_state *state = op->state;
    if (state->class->why && state->class->why(state->writer, out))
        return true;
    if (state->waiting == WAIT_NOTHING)
        return false;
    buf_printf(out, "Table %s (connector '%s') has not taken the last rows yet.",
               op->node->sink.table->description.name, op->node->sink.connector->name);
    return true;
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
    if (state->shared && atomic_fetch_sub(&state->shared->users, 1) == 1)
        state->class->close(state->shared->sink);
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
