/* batch.h - what flows between operators: columns, a selection, row kinds, watermark marks.
 *
 * A batch is immutable once it has been pushed and reference-counted; whoever wants another
 * selection or other columns makes a new batch that shares the vectors. Rows are [0, row_count) of
 * every column; with a selection only those listed (ascending row numbers) exist.
 *
 * A batch belongs to one split of a source until the first exchange (contracts.md rule 1).
 * Marks (rule 2): mark {row_index, watermark_us} says that the watermark is watermark_us before row
 * row_index is looked at; ascending in both; row_index == row_count is what holds after the batch.
 */
#ifndef LEAT_DATA_BATCH_H
#define LEAT_DATA_BATCH_H

#include "data/vec.h"

#define BATCH_ROWS_MAX VEC_LENGTH_MAX

enum row_kind { /* Flink's RowKind byte values */
                ROW_INSERT = 0,
                ROW_UPDATE_BEFORE = 1,
                ROW_UPDATE_AFTER = 2,
                ROW_DELETE = 3,
};
/* "+I" "-U" "+U" "-D" */
const char *row_kind_text(enum row_kind kind);
static inline bool row_kind_is_accumulate(uint8_t kind)
{
    return kind == ROW_INSERT || kind == ROW_UPDATE_AFTER;
}

#define WATERMARK_NONE INT64_MIN
#define WATERMARK_MAX  INT64_MAX

struct watermark_mark {
    uint32_t row_index;
    int64_t watermark_us;
};

struct batch {
    _Atomic uint32_t refs;
    uint32_t row_count;
    uint32_t selected_count; /* = row_count without a selection */
    uint32_t column_count;
    uint16_t *selection; /* NULL: all rows */
    uint8_t *kinds;      /* enum row_kind a row, row_count of them; NULL: all +I */
    struct watermark_mark *marks;
    uint32_t mark_count;
    uint32_t split; /* number of the source's split; after an exchange the channel */
    struct vec *columns[];
};

/* Takes over one reference of each column (also on failure). */
enum status batch_new(struct batch **out, struct vec *const *columns, uint32_t column_count,
                      uint32_t row_count, struct error *err) STATUS_CHECKED;
/* Copies count entries; NULL, 0 is "no row". Only before the batch is shared; likewise below. */
enum status batch_set_selection(struct batch *batch, const uint16_t *selection, uint32_t count,
                                struct error *err) STATUS_CHECKED;
/* Room for row_count kinds, zeroed (+I). */
enum status batch_make_kinds(struct batch *batch, struct error *err) STATUS_CHECKED;
enum status batch_set_marks(struct batch *batch, const struct watermark_mark *marks, uint32_t count,
                            struct error *err) STATUS_CHECKED;

/* The same rows with other columns (takes over one reference of each): kinds, selection, marks and
 * split are carried over. */
enum status batch_with_columns(struct batch **out, const struct batch *src,
                               struct vec *const *columns, uint32_t column_count,
                               struct error *err) STATUS_CHECKED;
/* The same columns with a narrower selection. */
enum status batch_with_selection(struct batch **out, struct batch *src, const uint16_t *selection,
                                 uint32_t count, struct error *err) STATUS_CHECKED;
struct batch *batch_ref(struct batch *batch);
void batch_unref(struct batch *batch);

static inline uint32_t batch_row(const struct batch *batch, uint32_t i) /* i-th selected row */
{
    return batch->selection ? batch->selection[i] : i;
}
static inline uint8_t batch_kind(const struct batch *batch, uint32_t row)
{
    return batch->kinds ? batch->kinds[row] : ROW_INSERT;
}
size_t batch_pinned_bytes(const struct batch *batch);
void batch_verify(const struct batch *batch);

#endif
