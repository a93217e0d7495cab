/* source.c - a table is read: splits are found and dealt out, their readers polled in turn, what
 * they give becomes batches (source_rows.c) with watermarks (source_watermark.c).
 *
 * Every subtask opens the connector's source for itself; the first one asks it for splits, and all
 * take theirs from the shared list (i-th split to subtask i % parallelism). A reader that had
 * nothing is polled again only after its wake. An error that may pass is tried again after
 * RETRY_US; `why` tells it meanwhile.
 */
#include "operator/source_int.h"

#define RETRY_US US_PER_SECOND

static void wake_split(struct wake *wake)
{
    struct split *split = container_of(wake, struct split, wake);
    atomic_store(&split->ready, true);
    wake_notify(operator_wake(split->op));
}

/* Only the first subtask asks for splits: another one would count as having more to do for ever. */
static void wake_discovery(struct wake *wake)
{
    struct source_state *state = container_of(wake, struct source_state, discover_wake);
    if (state->op->subtask != 0)
        return;
    atomic_store(&state->discover_ready, true);
    wake_notify(operator_wake(state->op));
}

/* ---- opening ---- */

static enum status open_decoder(struct operator* op, struct source_state *state, struct error *err)
{
    const struct plan_node *node = op->node;
    if (!node->source.format)
        return OK;
    struct decoder_request request = {
        .table = &node->source.table->description,
        .wanted_count = node->source.wanted_count,
        .wanted = node->source.wanted,
        .options = node->source.format_options,
        .option_count = node->source.format_option_count,
        .context = op->context,
        .owner = op->owner.parent, /* rows live longer than the operator */
    };
    return node->source.format->decoder_open(&request, &state->decoder, err);
}

static bool columns_as_they_come(const struct plan_node *node)
{
    if (node->source.watermark ||
        node->column_count != node->source.wanted_count + node->source.metadata_count)
        return false;
    for (uint32_t i = 0; i < node->column_count; i++)
        if (node->source.exprs[i]->kind != EXPR_COLUMN || node->source.exprs[i]->column != i)
            return false;
    return true;
}

static enum status open_expressions(struct operator* op, struct source_state *state,
                                    struct error *err)
{
    const struct plan_node *node = op->node;
    if (columns_as_they_come(node))
        return OK;
    uint32_t count = node->column_count + (node->source.watermark != NULL);
    const struct expr **exprs = mem_calloc(count ? count : 1, sizeof(*exprs));
    state->results = operator_columns_new(count, err);
    if (!exprs || !state->results) {
        mem_free(exprs);
        return error_memory(err, "expressions of a source", count * sizeof(*exprs));
    }
    memcpy(exprs, node->source.exprs, node->column_count * sizeof(*exprs));
    if (node->source.watermark)
        exprs[node->column_count] = node->source.watermark;
    enum status status = expr_compile(&state->program, exprs, count, err);
    mem_free(exprs);
    TRY(status);
    return evaluator_new(&state->evaluator, state->program, &op->owner, err);
}

static enum status source_open(struct operator* op, struct error *err)
{
    const struct plan_node *node = op->node;
    struct source_state *state = operator_new_state(op, sizeof(*state), err);
    if (!state)
        return err->code;
    state->op = op;
    state->class = node->source.connector->source;
    must(state->class);
    state->watermark_us = WATERMARK_NONE;
    metric_set(&op->metrics.catching_up, 1);
    state->discover_wake.notify = wake_discovery;
    atomic_store(&state->discover_ready, op->subtask == 0);
    struct split_plan *plan = operator_shared(op, sizeof(*plan), err);
    if (!plan)
        return err->code;
    if (atomic_fetch_add(&plan->users, 1) == 0)
        mutex_init(&plan->mutex);
    plan->ops[op->subtask] = op;
    state->plan = plan;
    struct source_request request = {
        .table = &node->source.table->description,
        .wanted_count = node->source.wanted_count,
        .wanted = node->source.wanted,
        .metadata_count = node->source.metadata_count,
        .metadata = node->source.metadata,
        .predicate_count = node->source.predicate_count,
        .predicates = node->source.predicates,
        .limit = node->source.limit,
        .parallelism = op->parallelism,
        .job_name = operator_job_name(op),
        .context = op->context,
        .owner = op->owner.parent,
    };
    TRY(state->class->open(&request, &state->discover_wake, &state->source, err));
    TRY(source_restore(op, err));
    TRY(open_decoder(op, state, err));
    return open_expressions(op, state, err);
}

/* ---- splits ---- */

enum status source_plan_split(struct split_plan *plan, const struct planned_split *split,
                              struct error *err)
{
    if (plan->count == plan->capacity) {
        uint32_t capacity = plan->capacity ? plan->capacity * 2 : 8;
        if (capacity > SPLITS_MAX)
            return error_set(err, ERR_LIMIT, "a table of more than %u splits", SPLITS_MAX);
        void *grown = mem_realloc(plan->splits, capacity * sizeof(*plan->splits));
        if (!grown)
            return error_memory(err, "splits", capacity * sizeof(*plan->splits));
        plan->splits = grown;
        plan->capacity = capacity;
    }
    plan->splits[plan->count++] = *split;
    return OK;
}

static enum status add_to_plan(void *context, const struct source_split *split, struct error *err)
{
    struct split_plan *plan = context;
    const struct planned_split planned = {.name = *split, .watermark_us = WATERMARK_NONE};
    return source_plan_knows(plan, split) ? OK : source_plan_split(plan, &planned, err);
}

/* An error that may pass is kept for why; others are the job's. */
static enum status trouble(struct source_state *state, int64_t *retry_us, struct error *err)
{
    if (!err->retriable)
        return err->code != OK ? err->code : error_set(err, ERR_IO, "a source failed");
    state->trouble = *err;
    error_clear(err);
    *retry_us = state->op->steady_us + RETRY_US;
    return OK;
}

/* Splits that discover has told get their start; a failure of it is the discovery's. */
static enum status start_splits(struct source_state *state, uint32_t first, struct error *err)
{
    struct split_plan *plan = state->plan;
    struct buf position;
    enum status status = OK;
    if (!state->class->start)
        return OK;
    buf_init(&position, SPLIT_POSITION_MAX);
    for (uint32_t i = first; i < plan->count && status == OK; i++) {
        struct planned_split *split = &plan->splits[i];
        buf_clear(&position);
        status = state->class->start(state->source, &split->name, &position, err);
        if (status == OK)
            status = buf_check(&position, "a split's position", err);
        if (status == OK && position.length)
            status = source_keep_position(split, position.data, position.length, err);
    }
    buf_fini(&position);
    return status;
}

static enum status discover(struct source_state *state, struct error *err)
{
    struct split_plan *plan = state->plan;
    if (state->discover_retry_us && state->discover_retry_us <= state->op->steady_us)
        atomic_store(&state->discover_ready, true);
    if (state->op->subtask != 0 || plan->complete ||
        !atomic_exchange(&state->discover_ready, false))
        return OK;
    state->discover_retry_us = 0;
    mutex_lock(&plan->mutex);
    uint32_t before = plan->count;
    enum poll_result result =
        state->class->discover(state->source, add_to_plan, plan, &state->discover_retry_us, err);
    if (result != POLL_ERROR && start_splits(state, before, err) != OK)
        result = POLL_ERROR;
    if (result == POLL_ROWS)
        atomic_store(&state->discover_ready, true);
    plan->asked |= result != POLL_ERROR && result != POLL_ROWS &&
                   (!state->class->discovered || state->class->discovered(state->source));
    plan->complete = result == POLL_END;
    bool news = plan->count != before || plan->asked;
    mutex_unlock(&plan->mutex);
    for (uint32_t i = 1; news && i < state->op->parallelism; i++)
        wake_notify(operator_wake(plan->ops[i]));
    state->discover_failed = result == POLL_ERROR;
    return result == POLL_ERROR ? trouble(state, &state->discover_retry_us, err) : OK;
}

static enum status add_split(struct source_state *state, const struct planned_split *planned,
                             uint32_t number, struct error *err)
{
    if (state->split_count == state->split_capacity) {
        uint32_t capacity = state->split_capacity ? state->split_capacity * 2 : 8;
        void *grown = mem_realloc(state->splits, capacity * sizeof(*state->splits));
        if (!grown)
            return error_memory(err, "splits", capacity * sizeof(*state->splits));
        state->splits = grown;
        state->split_capacity = capacity;
    }
    struct split *split = mem_calloc(1, sizeof(*split));
    if (!split)
        return error_memory(err, "split", sizeof(*split));
    split->wake.notify = wake_split;
    split->op = state->op;
    split->name = planned->name;
    split->number = number;
    split->watermark_us = planned->watermark_us;
    split->idle = planned->idle;
    split->ended = planned->ended;
    split->position = planned->position;
    split->position_bytes = planned->position_bytes;
    state->ended_count += split->ended;
    split->last_row_us = state->op->steady_us;
    atomic_store(&split->ready, true);
    state->splits[state->split_count++] = split;
    return OK;
}

/* Takes this subtask's new splits from the shared list; *over: there will be no more. */
enum status source_take_splits(struct source_state *state, bool *over, struct error *err)
{
    enum status status = OK;
    mutex_lock(&state->plan->mutex);
    while (state->taken < state->plan->count && status == OK) {
        if (state->taken % state->op->parallelism == state->op->subtask)
            status = add_split(state, &state->plan->splits[state->taken], state->taken, err);
        state->taken += status == OK;
    }
    *over = state->plan->complete;
    state->waits = state->plan->restored && !state->plan->asked;
    mutex_unlock(&state->plan->mutex);
    return status;
}

/* ---- reading ---- */

static enum status poll_split(struct source_state *state, struct split *split, bool *rows,
                              struct error *err)
{
    struct source_output output = {0};
    enum poll_result result;
    split->retry_us = 0;
    split->wake_counts = false;
    if (!split->reader) {
        enum status status =
            state->class->reader_open(state->source, &split->name, split->position,
                                      split->position_bytes, &split->wake, &split->reader, err);
        split->troubled = status != OK;
        if (status != OK)
            return trouble(state, &split->retry_us, err);
    }
    result = state->class->poll(split->reader, operator_batch_rows(state->op), &output, err);
    split->troubled = result == POLL_ERROR;
    switch (result) {
    case POLL_ROWS:
        *rows = true;
        atomic_store(&split->ready, true);
        split->last_row_us = state->op->steady_us;
        split->row_count += output.batch ? output.batch->selected_count : output.records->count;
        if (split->idle) {
            split->idle = false;
            TRY(source_idleness(state, err));
        }
        return source_rows(state, split, &output, err);
    case POLL_WAIT:
        split->caught_up = true;
        split->retry_us = output.again_us;
        split->wake_counts = true;
        return OK;
    case POLL_END:
        state->class->reader_close(split->reader);
        split->reader = NULL;
        split->ended = split->caught_up = true;
        state->ended_count++;
        return OK;
    default:
        return trouble(state, &split->retry_us, err);
    }
}

static enum status poll_next(struct source_state *state, bool *rows, struct error *err)
{
    for (uint32_t i = 0; i < state->split_count && !*rows && !state->waits; i++) {
        uint32_t at = (state->next_split + i) % state->split_count;
        struct split *split = state->splits[at];
        if (split->ended)
            continue;
        if (split->retry_us > state->op->steady_us &&
            !(split->wake_counts && atomic_load(&split->ready)))
            continue;
        if (!atomic_exchange(&split->ready, false) && !split->retry_us)
            continue;
        TRY(poll_split(state, split, rows, err));
        if (*rows)
            state->next_split = at + 1;
    }
    return OK;
}

static void note_caught_up(struct source_state *state)
{
    struct metric_cell *catching_up = &state->op->metrics.catching_up;
    if (!metric_get(catching_up) || state->waits)
        return;
    for (uint32_t i = 0; i < state->split_count; i++)
        if (!state->splits[i]->caught_up && !state->splits[i]->ended)
            return;
    metric_set(catching_up, 0);
}

static enum status poll(struct source_state *state, enum poll_state *out, struct error *err)
{
    bool over, rows = false;
    if (state->announce) {
        state->announce = false;
        if (operator_emit_watermark(state->op, state->watermark_us, err) == PUSH_ERROR)
            return err->code;
    }
    TRY(discover(state, err));
    TRY(source_take_splits(state, &over, err));
    TRY(poll_next(state, &rows, err));
    note_caught_up(state);
    if (!rows || state->op->node->source.idle_timeout_ms)
        TRY(source_idleness(state, err));
    if (over && state->ended_count == state->split_count)
        *out = OPERATOR_ENDED;
    else
        *out = rows || atomic_load(&state->discover_ready) ? OPERATOR_MORE : OPERATOR_WAIT;
    return OK;
}

static enum poll_state source_poll(struct operator* op, struct error *err)
{
    enum poll_state result = OPERATOR_FAILED;
    return poll(op->state, &result, err) == OK ? result : OPERATOR_FAILED;
}

static bool source_why(struct operator* op, struct buf *out)
{
    struct source_state *state = op->state;
    bool troubled = state->discover_failed;
    for (uint32_t i = 0; i < state->split_count; i++)
        troubled |= state->splits[i]->troubled;
    if (troubled) {
        buf_printf(out, "Reading table %s fails and is tried again: %s.",
                   op->node->source.table->name, state->trouble.text);
        if (state->trouble.hint[0])
            buf_printf(out, " %s.", state->trouble.hint);
        return true;
    }
    /* the one that looks for splits tells for all */
    return op->subtask == 0 && state->class->why && state->class->why(state->source, out);
}

static void source_no_rows(struct operator* op, struct buf *out)
{
    struct source_state *state = op->state;
    if (state->class->no_rows)
        state->class->no_rows(state->source, out);
}

static bool source_split(const struct operator* op, uint32_t index, struct split_report *out)
{
    const struct source_state *state = op->state;
    if (index >= state->split_count)
        return false;
    const struct split *split = state->splits[index];
    *out = (struct split_report){.id = split->name.id,
                                 .idle = split->idle,
                                 .ended = split->ended,
                                 .row_count = split->row_count,
                                 .watermark_us = split->watermark_us,
                                 .last_row_us = split->last_row_us};
    return true;
}

static void plan_release(struct split_plan *plan)
{
    if (atomic_fetch_sub(&plan->users, 1) != 1)
        return;
    for (uint32_t i = 0; i < plan->count; i++)
        mem_free(plan->splits[i].position);
    mem_free(plan->splits);
    mutex_fini(&plan->mutex);
}

static void source_close(struct operator* op)
{
    struct source_state *state = op->state;
    if (!state)
        return;
    for (uint32_t i = 0; i < state->split_count; i++) {
        if (state->splits[i]->reader)
            state->class->reader_close(state->splits[i]->reader);
        mem_free(state->splits[i]);
    }
    mem_free(state->splits);
    if (state->decoder)
        op->node->source.format->decoder_close(state->decoder);
    if (state->source)
        state->class->close(state->source);
    evaluator_free(state->evaluator);
    expr_program_free(state->program);
    mem_free(state->results);
    mem_free(state->letters);
    if (state->plan)
        plan_release(state->plan);
    operator_free_state(op);
}

const struct operator_class OPERATOR_SOURCE = {
    .size = sizeof(struct operator_class),
    .name = "Source",
    .open = source_open,
    .poll = source_poll,
    .snapshot = source_snapshot,
    .why = source_why,
    .no_rows = source_no_rows,
    .split = source_split,
    .close = source_close,
};
