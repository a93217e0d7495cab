/* source_watermark.c - watermarks of a source: per split the highest so far, of the subtask the
 * lowest of its splits that are not idle and have not ended. Marks say at which row it rises
 * (contracts.md rule 2): the watermark that a row brings holds for the rows after it.
 */
#include "operator/source_int.h"

/* The lowest watermark among splits other than `except`; WATERMARK_MAX: there are none that count.
 */
static int64_t lowest(const struct source_state *state, const struct split *except, uint32_t *count)
{
    int64_t least = WATERMARK_MAX;
    *count = 0;
    for (uint32_t i = 0; i < state->split_count; i++) {
        const struct split *split = state->splits[i];
        if (split == except || split->ended || split->idle)
            continue;
        ++*count;
        if (split->watermark_us < least)
            least = split->watermark_us;
    }
    return least;
}

static void add_mark(struct source_state *state, uint32_t row, int64_t watermark_us)
{
    state->marks[state->mark_count++] = (struct watermark_mark){row + 1, watermark_us};
    state->watermark_us = watermark_us;
}

void source_marks(struct source_state *state, struct split *split, const struct batch *batch,
                  const struct vec *watermarks)
{
    uint32_t others;
    int64_t ceiling = lowest(state, split, &others), highest = split->watermark_us;
    state->mark_count = 0;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        const struct vec *holder;
        uint32_t row = batch_row(batch, i), at = vec_locate(watermarks, row, &holder);
        int64_t value = ((const int64_t *)holder->values)[at];
        if (value <= highest || !bitmap_get(holder->validity, at) ||
            !row_kind_is_accumulate(batch_kind(batch, row)))
            continue;
        highest = value;
        if (state->watermark_us >= ceiling)
            continue; /* another split holds back */
        value = value < ceiling ? value : ceiling;
        if (value > state->watermark_us)
            add_mark(state, row, value);
    }
    split->watermark_us = highest;
}

static void find_idle(struct source_state *state, int64_t *next_us)
{
    int64_t timeout_us = state->op->node->source.idle_timeout_ms * US_PER_MS;
    int64_t now_us = state->op->steady_us;
    for (uint32_t i = 0; timeout_us > 0 && i < state->split_count; i++) {
        struct split *split = state->splits[i];
        if (split->ended || split->idle)
            continue;
        int64_t due_us = split->last_row_us + timeout_us;
        if (due_us <= now_us)
            split->idle = true;
        else if (due_us < *next_us)
            *next_us = due_us;
    }
}

static void next_retry(const struct source_state *state, int64_t *next_us)
{
    if (state->discover_retry_us && state->discover_retry_us < *next_us)
        *next_us = state->discover_retry_us;
    for (uint32_t i = 0; i < state->split_count; i++)
        if (state->splits[i]->retry_us && state->splits[i]->retry_us < *next_us)
            *next_us = state->splits[i]->retry_us;
}

enum status source_idleness(struct source_state *state, struct error *err)
{
    struct operator* op = state->op;
    int64_t next_us = INT64_MAX;
    uint32_t active;
    find_idle(state, &next_us);
    next_retry(state, &next_us);
    TRY(operator_set_timer(op, next_us, err));
    int64_t watermark_us = lowest(state, NULL, &active);
    mutex_lock(&state->plan->mutex);
    bool known = state->plan->asked && state->taken == state->plan->count;
    bool over = state->plan->complete && state->ended_count == state->split_count;
    mutex_unlock(&state->plan->mutex);
    bool idle = known && !over && active == 0;
    if (idle != state->idle) {
        state->idle = idle;
        if (operator_emit_status(op, idle, err) == PUSH_ERROR)
            return err->code;
    }
    if (!active || !op->node->source.watermark || watermark_us <= state->watermark_us)
        return OK;
    state->watermark_us = watermark_us;
    return operator_emit_watermark(op, watermark_us, err) == PUSH_ERROR ? err->code : OK;
}
