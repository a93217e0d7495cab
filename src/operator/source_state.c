/* source_state.c - what a checkpoint keeps of a source: every split with where it is read up to and
 * its watermark; and how the splits are dealt out again, to any number of subtasks.
 *
 * Of a subtask, version 1: u8 version | u8 holds back (some split is neither idle nor ended) | i64
 * watermark as emitted | varint number of splits | per split: bytes id | u8 flags (1 ended, 2 idle,
 * 4 position) | i64 watermark | bytes position.
 *
 * A source that cannot go on from where it was (SOURCE_REPLAY_NONE) has no checkpoint while a split
 * is half read: the split counts as a whole (contracts.md rule 18).
 */
#include "operator/source_int.h"

#include <stdlib.h>

#define VERSION       1
#define FLAG_ENDED    1u
#define FLAG_IDLE     2u
#define FLAG_POSITION 4u

/* ---- out ---- */

static enum status put_position(struct source_state *state, struct split *split,
                                struct buf *position, struct error *err)
{
    const struct table_description *table = &state->op->node->source.table->description;
    buf_clear(position);
    if (!split->reader) {
        buf_append(position, split->position, split->position_bytes);
        return OK;
    }
    if (state->class->replay(table) == SOURCE_REPLAY_NONE)
        return error_set(err, ERR_AGAIN,
                         "table %s cannot be read again from the middle: there is no checkpoint "
                         "until '%s' has been read to its end",
                         table->name, split->name.id);
    return state->class->position(split->reader, position, err);
}

static enum status put_split(struct source_state *state, struct split *split, struct buf *position,
                             struct buf *out, struct error *err)
{
    bool has_position = !split->ended && (split->reader || split->position);
    buf_clear(position);
    if (has_position)
        TRY(put_position(state, split, position, err));
    TRY(buf_check(position, "the position of a split", err));
    state_put_bytes(out, split->name.id, strlen(split->name.id));
    buf_append_byte(out, (uint8_t)((split->ended ? FLAG_ENDED : 0) | (split->idle ? FLAG_IDLE : 0) |
                                   (has_position ? FLAG_POSITION : 0)));
    state_put_u64(out, (uint64_t)split->watermark_us);
    state_put_bytes(out, position->data, position->length);
    return OK;
}

enum status source_snapshot(struct operator* op, struct buf *out, struct error *err)
{
    struct source_state *state = op->state;
    struct buf position;
    bool holds_back = false;
    bool over;
    /* there may have been no poll yet */
    enum status status = source_take_splits(state, &over, err);
    for (uint32_t i = 0; i < state->split_count; i++)
        holds_back |= !state->splits[i]->ended && !state->splits[i]->idle;
    buf_append_byte(out, VERSION);
    buf_append_byte(out, holds_back);
    state_put_u64(out, (uint64_t)state->watermark_us);
    state_put_varint(out, state->split_count);
    buf_init(&position, SPLIT_POSITION_MAX);
    for (uint32_t i = 0; i < state->split_count && status == OK; i++)
        status = put_split(state, state->splits[i], &position, out, err);
    buf_fini(&position);
    return status;
}

/* ---- in ---- */

enum status source_keep_position(struct planned_split *split, const void *position,
                                 size_t size_bytes, struct error *err)
{
    split->position = mem_alloc(size_bytes);
    if (!split->position)
        return error_memory(err, "a split's position", size_bytes);
    memcpy(split->position, position, size_bytes);
    split->position_bytes = size_bytes;
    return OK;
}

static enum status get_split(struct split_plan *plan, struct state_bytes *in, struct error *err)
{
    struct planned_split split = {.ended = false};
    size_t id_bytes, position_bytes;
    const uint8_t *id = state_get_bytes(in, &id_bytes);
    uint8_t flags = state_get_byte(in);
    split.watermark_us = (int64_t)state_get_u64(in);
    const uint8_t *position = state_get_bytes(in, &position_bytes);
    if (in->failed || id_bytes >= SPLIT_ID_MAX || position_bytes > SPLIT_POSITION_MAX)
        return error_set(err, ERR_CORRUPT, "the stored state of a source is not what was written");
    memcpy(split.name.id, id, id_bytes);
    split.ended = flags & FLAG_ENDED;
    split.idle = flags & FLAG_IDLE;
    if (flags & FLAG_POSITION)
        TRY(source_keep_position(&split, position, position_bytes, err));
    enum status status = source_plan_split(plan, &split, err);
    if (status != OK)
        mem_free(split.position);
    return status;
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp(((const struct planned_split *)a)->name.id,
                  ((const struct planned_split *)b)->name.id);
}

bool source_plan_knows(const struct split_plan *plan, const struct source_split *split)
{
    const struct planned_split wanted = {.name = *split};
    return plan->restored_count &&
           bsearch(&wanted, plan->splits, plan->restored_count, sizeof(wanted), compare_ids);
}

static enum status read_plan(struct split_plan *plan, const struct checkpoint_operator *from,
                             struct error *err)
{
    int64_t lowest = WATERMARK_MAX, highest = WATERMARK_NONE;
    for (uint32_t i = 0; i < from->blob_count; i++) {
        const uint8_t *bytes = (const uint8_t *)from->blobs[i].data;
        struct state_bytes in = {bytes, bytes + from->blobs[i].length, false};
        in.failed = state_get_byte(&in) != VERSION;
        bool holds_back = state_get_byte(&in);
        int64_t watermark_us = (int64_t)state_get_u64(&in);
        uint64_t count = state_get_varint(&in);
        for (uint64_t s = 0; s < count && !in.failed; s++)
            TRY(get_split(plan, &in, err));
        TRY(state_get_end(&in, "a source", err));
        if (holds_back && watermark_us < lowest)
            lowest = watermark_us;
        if (watermark_us > highest)
            highest = watermark_us;
    }
    if (plan->count > 0)
        qsort(plan->splits, plan->count, sizeof(*plan->splits), compare_ids);
    plan->restored_count = plan->count;
    plan->restored_watermark_us = lowest == WATERMARK_MAX ? highest : lowest;
    return OK;
}

enum status source_restore(struct operator* op, struct error *err)
{
    struct source_state *state = op->state;
    struct split_plan *plan = state->plan;
    if (!op->restore)
        return OK;
    if (!plan->restored) { /* operators are opened one after another */
        plan->restored = true;
        TRY(read_plan(plan, op->restore->from, err));
    }
    for (uint32_t i = 0; state->class->known && i < plan->restored_count; i++)
        state->class->known(state->source, &plan->splits[i].name, plan->splits[i].ended);
    state->watermark_us = plan->restored_watermark_us;
    state->announce = state->watermark_us != WATERMARK_NONE;
    return OK;
}
