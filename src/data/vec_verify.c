/* vec_verify.c - the invariants of vec.h and batch.h, held by must() in tests and debug builds. */
#include "base/must.h"
#include "data/batch.h"
#include "data/utf8.h"
#include "data/vec_int.h"

static void verify_texts(const struct vec *vec, uint32_t count)
{
    const struct view *views = vec->values;
    for (uint32_t i = 0; i < count; i++) {
        if (!bitmap_get(vec->validity, i))
            continue;
        must(views[i].length <= VIEW_INLINE_MAX || views[i].data);
        const char *data = view_data(&views[i]);
        if (type_is_text(vec->type))
            must(utf8_valid(data, views[i].length));
        if (views[i].length > VIEW_INLINE_MAX) {
            must(memcmp(views[i].prefix, data, 4) == 0);
            continue;
        }
        for (uint32_t b = views[i].length; b < VIEW_INLINE_MAX; b++)
            must(views[i].bytes[b] == 0);
    }
}

static void verify_lists(const struct vec *vec, uint32_t count)
{
    const struct list_entry *entries = vec->values;
    for (uint32_t i = 0; i < count; i++) {
        if (!bitmap_get(vec->validity, i))
            continue;
        for (uint32_t c = 0; c < vec->child_count; c++)
            must((uint64_t)entries[i].offset + entries[i].length <= vec->children[c]->length);
    }
}

static void verify_values(const struct vec *vec, uint32_t count)
{
    switch (type_physical(vec->type)) {
    case PHYS_VIEW:
        verify_texts(vec, count);
        break;
    case PHYS_LIST:
        must(vec->child_count == vec->type->child_count);
        verify_lists(vec, count);
        break;
    case PHYS_ROW:
        must(vec->child_count == vec->type->child_count);
        for (uint32_t c = 0; c < vec->child_count; c++)
            must(vec->children[c]->length >= count);
        break;
    case PHYS_BOOL:
        for (uint32_t i = 0; i < count; i++)
            must(!bitmap_get(vec->validity, i) || ((const uint8_t *)vec->values)[i] <= 1);
        break;
    default:
        break;
    }
}

void vec_verify(const struct vec *vec)
{
    must(atomic_load(&((struct vec *)vec)->refs) > 0);
    must(vec->string_count <= VEC_STRINGS_MAX);
    if (vec->form == VEC_DICTIONARY) {
        must(vec->dictionary && vec->dictionary->form == VEC_FLAT && !vec->validity);
        must(vec->length <= VEC_LENGTH_MAX);
        for (uint32_t i = 0; i < vec->length; i++)
            must(vec->indices[i] < vec->dictionary->length);
        vec_verify(vec->dictionary);
        return;
    }
    uint32_t count = vec->form == VEC_CONSTANT ? 1 : vec->length;
    must(count <= vec->capacity);
    if (vec->type->root == TYPE_NULL)
        for (uint32_t i = 0; i < count; i++)
            must(!bitmap_get(vec->validity, i) || !vec->validity);
    verify_values(vec, count);
    for (uint32_t c = 0; c < vec->child_count; c++) {
        must(vec->children[c]->form == VEC_FLAT);
        vec_verify(vec->children[c]);
    }
}

void batch_verify(const struct batch *batch)
{
    must(batch->row_count <= BATCH_ROWS_MAX);
    for (uint32_t c = 0; c < batch->column_count; c++) {
        must(batch->columns[c]->length == batch->row_count);
        vec_verify(batch->columns[c]);
    }
    if (!batch->selection)
        must(batch->selected_count == batch->row_count);
    for (uint32_t i = 0; batch->selection && i < batch->selected_count; i++) {
        must(batch->selection[i] < batch->row_count);
        must(i == 0 || batch->selection[i - 1] < batch->selection[i]);
    }
    for (uint32_t i = 0; batch->kinds && i < batch->row_count; i++)
        must(batch->kinds[i] <= ROW_DELETE);
    for (uint32_t i = 0; i < batch->mark_count; i++) {
        must(batch->marks[i].row_index <= batch->row_count);
        must(i == 0 || (batch->marks[i - 1].row_index <= batch->marks[i].row_index &&
                        batch->marks[i - 1].watermark_us <= batch->marks[i].watermark_us));
    }
}
