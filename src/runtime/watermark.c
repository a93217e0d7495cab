/* watermark.c - the watermark of several inputs: the minimum over those that are neither idle nor
 * ended. Used for the channels of a gate and the ports of an operator.
 *
 * Invariant: combined_us never falls. When every input is idle it stays (and the reader is told
 * idle); when every input has ended it is WATERMARK_MAX only if the inputs said so.
 */
#include "runtime/runtime_int.h"

enum status watermarks_init(struct watermarks *all, uint32_t count, struct error *err)
{
    size_t bytes = (count ? count : 1) * sizeof(struct watermark_input);
    all->inputs = mem_calloc(1, bytes);
    if (!all->inputs)
        return error_memory(err, "watermarks", bytes);
    for (uint32_t i = 0; i < count; i++)
        all->inputs[i].watermark_us = WATERMARK_NONE;
    all->count = count;
    all->combined_us = WATERMARK_NONE;
    all->idle = false;
    return OK;
}

void watermarks_fini(struct watermarks *all)
{
    mem_free(all->inputs);
    all->inputs = NULL;
}

static bool combine(struct watermarks *all)
{
    int64_t least = WATERMARK_MAX, most_ended = WATERMARK_NONE;
    uint32_t active = 0, ended = 0;
    for (uint32_t i = 0; i < all->count; i++) {
        const struct watermark_input *input = &all->inputs[i];
        if (input->ended) {
            ended++;
            if (input->watermark_us > most_ended)
                most_ended = input->watermark_us;
            continue;
        }
        if (input->idle)
            continue;
        active++;
        if (input->watermark_us < least)
            least = input->watermark_us;
    }
    bool idle = active == 0 && ended < all->count;
    int64_t combined = active ? least : ended == all->count ? most_ended : all->combined_us;
    if (combined < all->combined_us)
        combined = all->combined_us;
    bool changed = combined != all->combined_us || idle != all->idle;
    all->combined_us = combined;
    all->idle = idle;
    return changed;
}

bool watermarks_advance(struct watermarks *all, uint32_t input, int64_t watermark_us)
{
    if (watermark_us <= all->inputs[input].watermark_us)
        return false;
    all->inputs[input].watermark_us = watermark_us;
    if (all->count == 1 && !all->inputs[0].ended && !all->inputs[0].idle) {
        all->combined_us = watermark_us;
        return true;
    }
    return combine(all);
}

bool watermarks_set_idle(struct watermarks *all, uint32_t input, bool idle)
{
    all->inputs[input].idle = idle;
    return combine(all);
}

bool watermarks_set_ended(struct watermarks *all, uint32_t input)
{
    all->inputs[input].ended = true;
    return combine(all);
}

enum status watermarks_batch(struct watermarks *all, uint32_t input, struct batch *batch,
                             struct batch **out, struct error *err)
{
    if (!batch->mark_count || (all->count == 1 && !all->inputs[0].ended)) {
        *out = batch_ref(batch);
        return OK;
    }
    struct watermark_mark *marks = mem_alloc(batch->mark_count * sizeof(*marks));
    struct vec **columns = mem_alloc((batch->column_count + 1) * sizeof(*columns));
    uint32_t count = 0;
    enum status status = OK;
    if (!marks || !columns) {
        status = error_memory(err, "watermarks of a batch", batch->mark_count * sizeof(*marks));
        goto out;
    }
    for (uint32_t i = 0; i < batch->mark_count; i++) {
        int64_t before = all->combined_us;
        watermarks_advance(all, input, batch->marks[i].watermark_us);
        if (all->combined_us != before)
            marks[count++] = (struct watermark_mark){batch->marks[i].row_index, all->combined_us};
    }
    for (uint32_t c = 0; c < batch->column_count; c++)
        columns[c] = vec_ref(batch->columns[c]);
    status = batch_with_columns(out, batch, columns, batch->column_count, err);
    if (status == OK) {
        status = batch_set_marks(*out, marks, count, err);
        if (status != OK)
            batch_unref(*out);
    }
out:
    mem_free(marks);
    mem_free(columns);
    return status;
}
