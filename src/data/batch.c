/* batch.c - see batch.h. The header of a batch and its column pointers are one block; selection,
 * kinds and marks are blocks of their own because most batches have none. */
#include "data/batch.h"

#include "base/must.h"

const char *row_kind_text(enum row_kind kind)
{
    static const char *const texts[] = {"+I", "-U", "+U", "-D"};
    must((unsigned)kind < COUNT_OF(texts));
    return texts[kind];
}

enum status batch_new(struct batch **out, struct vec *const *columns, uint32_t column_count,
                      uint32_t row_count, struct error *err)
{
    must(row_count <= BATCH_ROWS_MAX);
    size_t bytes = sizeof(struct batch) + column_count * sizeof(struct vec *);
    struct batch *batch = mem_calloc(1, bytes);
    if (!batch) {
        for (uint32_t i = 0; i < column_count; i++)
            vec_unref(columns[i]);
        return error_memory(err, "batch", bytes);
    }
    atomic_init(&batch->refs, 1);
    batch->row_count = row_count;
    batch->selected_count = row_count;
    batch->column_count = column_count;
    for (uint32_t i = 0; i < column_count; i++)
        batch->columns[i] = columns[i];
    *out = batch;
    return OK;
}

/* A copy of count items of size_bytes; NULL for none. */
static enum status copy_block(void **out, const void *src, size_t count, size_t size_bytes,
                              struct error *err)
{
    *out = NULL;
    if (!src)
        return OK;
    *out = mem_alloc(count * size_bytes);
    if (!*out)
        return error_memory(err, "batch", count * size_bytes);
    if (count)
        memcpy(*out, src, count * size_bytes);
    return OK;
}

enum status batch_set_selection(struct batch *batch, const uint16_t *selection, uint32_t count,
                                struct error *err)
{
    static const uint16_t no_row;
    void *copy;
    must(count <= batch->row_count);
    TRY(copy_block(&copy, selection ? selection : &no_row, count, sizeof(uint16_t), err));
    mem_free(batch->selection);
    batch->selection = copy;
    batch->selected_count = count;
    return OK;
}

enum status batch_make_kinds(struct batch *batch, struct error *err)
{
    if (batch->kinds)
        return OK;
    batch->kinds = mem_calloc(batch->row_count ? batch->row_count : 1, 1);
    return batch->kinds ? OK : error_memory(err, "batch", batch->row_count);
}

enum status batch_set_marks(struct batch *batch, const struct watermark_mark *marks, uint32_t count,
                            struct error *err)
{
    void *copy;
    TRY(copy_block(&copy, count ? marks : NULL, count, sizeof(*marks), err));
    mem_free(batch->marks);
    batch->marks = copy;
    batch->mark_count = count;
    return OK;
}

static enum status carry_over(struct batch *dest, const struct batch *src, struct error *err)
{
    void *copy;
    dest->split = src->split;
    if (src->selection)
        TRY(batch_set_selection(dest, src->selection, src->selected_count, err));
    TRY(copy_block(&copy, src->kinds, src->row_count, 1, err));
    dest->kinds = copy;
    return batch_set_marks(dest, src->marks, src->mark_count, err);
}

enum status batch_with_columns(struct batch **out, const struct batch *src,
                               struct vec *const *columns, uint32_t column_count, struct error *err)
{
    struct batch *batch = NULL;
    TRY(batch_new(&batch, columns, column_count, src->row_count, err));
    enum status status = carry_over(batch, src, err);
    if (status != OK) {
        batch_unref(batch);
        return status;
    }
    *out = batch;
    return OK;
}

enum status batch_with_selection(struct batch **out, struct batch *src, const uint16_t *selection,
                                 uint32_t count, struct error *err)
{
    struct batch *batch = NULL;
    for (uint32_t i = 0; i < src->column_count; i++)
        vec_ref(src->columns[i]);
    TRY(batch_with_columns(&batch, src, src->columns, src->column_count, err));
    enum status status = batch_set_selection(batch, selection, count, err);
    if (status != OK) {
        batch_unref(batch);
        return status;
    }
    *out = batch;
    return OK;
}

struct batch *batch_ref(struct batch *batch)
{
    atomic_fetch_add_explicit(&batch->refs, 1, memory_order_relaxed);
    return batch;
}

void batch_unref(struct batch *batch)
{
    if (!batch || atomic_fetch_sub_explicit(&batch->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < batch->column_count; i++)
        vec_unref(batch->columns[i]);
    mem_free(batch->selection);
    mem_free(batch->kinds);
    mem_free(batch->marks);
    mem_free(batch);
}

size_t batch_pinned_bytes(const struct batch *batch)
{
    size_t bytes = sizeof(*batch) + batch->column_count * sizeof(struct vec *);
    for (uint32_t i = 0; i < batch->column_count; i++)
        bytes += vec_pinned_bytes(batch->columns[i]);
    if (batch->selection)
        bytes += batch->selected_count * sizeof(uint16_t);
    if (batch->kinds)
        bytes += batch->row_count;
    return bytes + batch->mark_count * sizeof(struct watermark_mark);
}
