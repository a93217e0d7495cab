/* Batches: sharing, selections, what is carried over, faults. */
#include "data/batch.h"

#include "../check.h"

static struct error err;

static enum status make_column(struct vec **out, uint32_t count)
{
    TRY(vec_new(out, &TYPE_OF_INT, count, NULL, &err));
    for (uint32_t i = 0; i < count; i++)
        ((int32_t *)(*out)->values)[i] = (int32_t)i;
    (*out)->length = count;
    return OK;
}

static enum status build(struct batch **out)
{
    struct vec *column = NULL;
    struct batch *batch = NULL;
    uint16_t selection[] = {1, 3, 5};
    struct watermark_mark marks[] = {{0, 100}, {4, 200}, {8, 300}};
    TRY(make_column(&column, 8));
    TRY(batch_new(&batch, &column, 1, 8, &err));
    enum status status = batch_set_selection(batch, selection, 3, &err);
    if (status == OK)
        status = batch_make_kinds(batch, &err);
    if (status == OK)
        status = batch_set_marks(batch, marks, 3, &err);
    if (status == OK) {
        batch->kinds[3] = ROW_DELETE;
        batch->split = 9;
        *out = batch;
    } else {
        batch_unref(batch);
    }
    return status;
}

static enum status derive(struct batch **out)
{
    struct batch *batch = NULL, *narrow = NULL;
    struct vec *column = NULL;
    uint16_t selection[] = {3};
    enum status status = build(&batch);
    if (status == OK)
        status = make_column(&column, 8);
    if (status == OK)
        status = batch_with_selection(&narrow, batch, selection, 1, &err);
    if (status == OK)
        status = batch_with_columns(out, narrow, &column, 1, &err);
    else
        vec_unref(column);
    batch_unref(narrow);
    batch_unref(batch);
    return status;
}

TEST(a_batch_carries_kinds_marks_and_split)
{
    struct batch *batch = NULL;
    CHECK_OK(derive(&batch));
    batch_verify(batch);
    CHECK_INT(batch->selected_count, 1);
    CHECK_INT(batch_row(batch, 0), 3);
    CHECK_INT(batch_kind(batch, 3), ROW_DELETE);
    CHECK_INT(batch_kind(batch, 1), ROW_INSERT);
    CHECK_INT(batch->mark_count, 3);
    CHECK_INT(batch->marks[1].watermark_us, 200);
    CHECK_INT(batch->split, 9);
    CHECK(batch_pinned_bytes(batch) > 32);
    batch_unref(batch);
}

TEST(every_failed_allocation_is_a_status)
{
    for (uint64_t nth = 1;; nth++) {
        struct batch *batch = NULL;
        mem_fail_after(nth);
        enum status status = derive(&batch);
        mem_fail_after(0);
        if (status == OK) {
            batch_unref(batch);
            break;
        }
        CHECK_INT(status, ERR_MEMORY);
        CHECK(!batch);
        error_clear(&err);
        CHECK(nth < 100);
    }
}

TEST(no_row_and_all_rows)
{
    struct batch *batch = NULL;
    CHECK_OK(build(&batch));
    CHECK_OK(batch_set_selection(batch, NULL, 0, &err));
    CHECK(batch->selection != NULL);
    CHECK_INT(batch->selected_count, 0);
    batch_verify(batch);
    CHECK_STR(row_kind_text(ROW_UPDATE_BEFORE), "-U");
    CHECK(row_kind_is_accumulate(ROW_UPDATE_AFTER) && !row_kind_is_accumulate(ROW_DELETE));
    batch_unref(batch);
}
