/* source_rows.c - from what a reader gave to a batch of the table's columns:
 *
 *   records --decode--> wanted fields + metadata --expressions--> columns, watermark --> batch,
 * marks
 *
 * Rows that fail (in the format, in a computed column or the watermark, NULL as time attribute) are
 * bad rows: see source_letters.c.
 */
#include "operator/source_int.h"

/* Which record a row came from. */
static uint32_t record_of(const uint32_t *record_of_row, uint32_t row)
{
    return record_of_row ? record_of_row[row] : row;
}

static enum status bad_records(struct source_state *state, const struct split *split,
                               const struct records *records, struct error *err)
{
    const struct bad_rows *bad = &state->bad;
    uint32_t detail = 0;
    if (bad->ignore) { /* the format's own option: dropped and counted */
        metric_add(&state->op->metrics.bad_rows, bad->count);
        return OK;
    }
    for (uint32_t r = 0; bad->count && r < records->count; r++) {
        if (!bitmap_get(bad->records, r))
            continue;
        while (detail < bad->kept && bad->rows[detail].record < r)
            detail++;
        bool known = detail < bad->kept && bad->rows[detail].record == r;
        TRY(source_bad_row(state, split, records, r, known ? bad->rows[detail].code : ERR_DATA,
                           known ? bad->rows[detail].text : "the record cannot be read", err));
    }
    return OK;
}

/* Puts the metadata columns behind the decoded ones. */
static enum status add_metadata(struct source_state *state, struct split *split,
                                const struct records *records, const uint32_t *record_of_row,
                                struct batch **batch, struct error *err)
{
    const struct plan_node *node = state->op->node;
    uint32_t wanted = (*batch)->column_count, count = node->source.metadata_count;
    struct vec **columns = operator_columns_new(wanted + count, err);
    if (!columns)
        return err->code;
    enum status status = OK;
    for (uint32_t c = 0; c < wanted; c++)
        columns[c] = vec_ref((*batch)->columns[c]);
    for (uint32_t r = 0; record_of_row && r < (*batch)->row_count; r++)
        state->row_records[r] = (uint16_t)record_of_row[r];
    for (uint32_t m = 0; m < count && status == OK; m++) {
        struct vec *values;
        status = state->class->fill_metadata(split->reader, records, m, &values, err);
        if (status != OK)
            break;
        columns[wanted + m] = values;
        if (record_of_row) {
            status = vec_new_dictionary(&columns[wanted + m], values, state->row_records,
                                        (*batch)->row_count, err);
            if (status != OK)
                columns[wanted + m] = NULL;
            vec_unref(values);
        }
    }
    struct batch *whole = NULL;
    if (status == OK) {
        status = batch_with_columns(&whole, *batch, columns, wanted + count, err);
        memset(columns, 0, (wanted + count) * sizeof(*columns));
    }
    operator_columns_free(columns, wanted + count);
    if (status == OK) {
        batch_unref(*batch);
        *batch = whole;
    }
    return status;
}

/* The selected rows that can be used, to state->selection: no expression failed, the time attribute
 * is there. */
static enum status usable_rows(struct source_state *state, const struct split *split,
                               const struct batch *batch, const struct records *records,
                               const uint32_t *record_of_row, uint32_t *count, struct error *err)
{
    int32_t rowtime = state->op->node->source.rowtime_column;
    const struct vec *time =
        rowtime >= 0 && state->op->node->source.watermark
            ? (state->evaluator ? state->results[rowtime] : batch->columns[rowtime])
            : NULL;
    bool may_be_null = time && (time->form == VEC_DICTIONARY || time->validity);
    *count = batch->selected_count;
    if (!may_be_null && !state->errors.any)
        return OK;
    *count = 0;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t row = batch_row(batch, i);
        const struct row_error *error = NULL;
        uint16_t one = (uint16_t)row;
        if (state->errors.any)
            error = row_errors_first(&state->errors, &one, 1);
        if (error) {
            TRY(source_bad_row(state, split, records, record_of(record_of_row, row), error->code,
                               error->text, err));
        } else if (may_be_null && !vec_is_valid(time, row)) {
            TRY(source_bad_row(state, split, records, record_of(record_of_row, row), ERR_DATA,
                               "the time attribute (the column of the WATERMARK) is NULL", err));
        } else {
            state->selection[(*count)++] = (uint16_t)row;
        }
    }
    return OK;
}

/* Evaluates, checks, marks and emits; batch has the wanted fields and the metadata. */
static enum status finish_rows(struct source_state *state, struct split *split, struct batch *batch,
                               const struct records *records, const uint32_t *record_of_row,
                               struct error *err)
{
    struct operator* op = state->op;
    const struct plan_node *node = op->node;
    bool has_watermark = node->source.watermark != NULL;
    uint32_t column_count = node->column_count, count;
    struct batch *out = NULL;
    enum status status = OK;
    state->errors.any = false;
    state->mark_count = 0;
    if (state->evaluator)
        TRY(evaluator_run(state->evaluator, batch, &op->eval, state->results, &state->errors, err));
    struct vec *watermarks = has_watermark ? state->results[column_count] : NULL;
    status = usable_rows(state, split, batch, records, record_of_row, &count, err);
    if (status == OK && state->evaluator) {
        status = batch_with_columns(&out, batch, state->results, column_count, err);
    } else {
        for (uint32_t c = 0; state->evaluator && c < column_count; c++)
            vec_unref(state->results[c]);
        if (status == OK)
            out = batch_ref(batch);
    }
    if (status == OK && count < batch->selected_count) {
        struct batch *fewer = NULL;
        status = batch_with_selection(&fewer, out, state->selection, count, err);
        batch_unref(out);
        out = fewer;
    }
    if (status == OK && has_watermark) {
        source_marks(state, split, out, watermarks);
        if (state->mark_count)
            status = batch_set_marks(out, state->marks, state->mark_count, err);
        op->eval.watermark_us = state->watermark_us;
        metric_set(&op->metrics.watermark_us, state->watermark_us);
    }
    if (status == OK && state->letter_count)
        status = source_send_letters(state, split, records, err);
    if (status == OK && out->selected_count) {
        out->split = split->number;
        if (operator_emit(op, 0, out, err) == PUSH_ERROR)
            status = err->code;
    }
    vec_unref(watermarks);
    if (out)
        batch_unref(out);
    return status;
}

enum status source_rows(struct source_state *state, struct split *split,
                        const struct source_output *output, struct error *err)
{
    const struct plan_node *node = state->op->node;
    const struct records *records = output->records;
    const uint32_t *record_of_row = NULL;
    struct batch *batch = output->batch;
    if (!records) {
        metric_add(&state->op->metrics.records_in, batch->selected_count);
        enum status status = finish_rows(state, split, batch, NULL, NULL, err);
        batch_unref(batch);
        return status;
    }
    if (!records->count)
        return OK;
    metric_add(&state->op->metrics.records_in, records->count);
    TRY(node->source.format->decode(state->decoder, records, &batch, &record_of_row, &state->bad,
                                    err));
    enum status status = bad_records(state, split, records, err);
    if (status == OK && node->source.metadata_count)
        status = add_metadata(state, split, records, record_of_row, &batch, err);
    if (status == OK)
        status = finish_rows(state, split, batch, records, record_of_row, err);
    batch_unref(batch);
    return status;
}
