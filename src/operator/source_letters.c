/* source_letters.c - rows that cannot be used: the job fails with their place and the option that
 * helps, or they are counted, or they become rows of the second output (source, partition, offset,
 * payload, error_code, error_text, time) for the dead-letter table.
 */
#include "operator/source_int.h"

#define LETTERS_MAX                                                                                \
    (2 * BATCH_ROWS_MAX) /* a batch's records, bad in the format or in an expression */

static void place_of(char *dest, size_t size, const struct split *split,
                     const struct records *records, uint32_t record)
{
    if (!records)
        snprintf(dest, size, "split %s", split->name.id);
    else if (records->offsets)
        snprintf(dest, size, "%s, partition %d, offset %lld",
                 records->topic ? records->topic : split->name.id, records->partition,
                 (long long)records->offsets[record]);
    else
        snprintf(dest, size, "%s, record %u", records->topic ? records->topic : split->name.id,
                 record);
}

static enum status fail(struct source_state *state, const struct split *split,
                        const struct records *records, uint32_t record, enum status code,
                        const char *text, struct error *err)
{
    const struct plan_node *node = state->op->node;
    char place[SPLIT_ID_MAX + 80];
    place_of(place, sizeof(place), split, records, record);
    error_set(err, code, "table %s: bad row (%s): %s", node->source.table->name, place, text);
    const char *format = node->source.format ? node->source.format->name : NULL;
    if (format && (strcmp(format, "json") == 0 || strcmp(format, "csv") == 0))
        error_hint(err,
                   "'%s.ignore-parse-errors' = 'true' on the table reads such fields as NULL, "
                   "'leat.bad-rows' = 'skip' or 'dead-letter' leaves the row out",
                   format);
    else
        error_hint(err,
                   "'leat.bad-rows' = 'skip' or 'dead-letter' on the table leaves the row out");
    if (err)
        err->fatal = true;
    return code;
}

enum status source_bad_row(struct source_state *state, const struct split *split,
                           const struct records *records, uint32_t record, enum status code,
                           const char *text, struct error *err)
{
    enum bad_rows_policy policy = state->op->node->source.bad_rows;
    if (policy == BAD_ROWS_FAIL)
        return fail(state, split, records, record, code, text, err);
    metric_add(&state->op->metrics.bad_rows, 1);
    if (policy == BAD_ROWS_SKIP || state->letter_count == LETTERS_MAX)
        return OK;
    if (state->letter_count == state->letter_capacity) {
        uint32_t capacity = state->letter_capacity ? state->letter_capacity * 2 : 64;
        void *grown = mem_realloc(state->letters, capacity * sizeof(*state->letters));
        if (!grown)
            return error_memory(err, "dead letters", capacity * sizeof(*state->letters));
        state->letters = grown;
        state->letter_capacity = capacity;
    }
    struct letter *letter = &state->letters[state->letter_count++];
    letter->record = record;
    letter->code = code;
    snprintf(letter->text, sizeof(letter->text), "%s", text);
    return OK;
}

enum {
    LETTER_SOURCE,
    LETTER_PARTITION,
    LETTER_OFFSET,
    LETTER_PAYLOAD,
    LETTER_CODE,
    LETTER_TEXT,
    LETTER_TIME,
    LETTER_COLUMNS
};

static enum status set_letter(struct source_state *state, const struct split *split,
                              const struct records *records, struct vec **columns, uint32_t row,
                              struct error *err)
{
    const struct letter *letter = &state->letters[row];
    uint32_t record = letter->record;
    const char *source = records && records->topic ? records->topic : split->name.id;
    const char *code = status_name(letter->code);
    TRY(vec_set_text(columns[LETTER_SOURCE], row, source, strlen(source), err));
    TRY(vec_set_text(columns[LETTER_CODE], row, code, strlen(code), err));
    TRY(vec_set_text(columns[LETTER_TEXT], row, letter->text, strlen(letter->text), err));
    int64_t now_ms = state->op->eval.now_us / US_PER_MS;
    ((int64_t *)columns[LETTER_TIME]->values)[row] = now_ms * US_PER_MS;
    if (records)
        ((int32_t *)columns[LETTER_PARTITION]->values)[row] = records->partition;
    else
        vec_clear_valid(columns[LETTER_PARTITION], row);
    if (records && records->offsets)
        ((int64_t *)columns[LETTER_OFFSET]->values)[row] = records->offsets[record];
    else
        vec_clear_valid(columns[LETTER_OFFSET], row);
    if (records && records->values[record] && records->value_lengths[record] != RECORD_NULL)
        return vec_set_text(columns[LETTER_PAYLOAD], row, (const char *)records->values[record],
                            records->value_lengths[record], err);
    vec_clear_valid(columns[LETTER_PAYLOAD], row);
    return OK;
}

static enum status send_some(struct source_state *state, const struct split *split,
                             const struct records *records, uint32_t count, struct error *err)
{
    static const struct type *const TYPES[LETTER_COLUMNS] = {
        &TYPE_OF_STRING, &TYPE_OF_INT,    &TYPE_OF_BIGINT,         &TYPE_OF_BYTES,
        &TYPE_OF_STRING, &TYPE_OF_STRING, &TYPE_OF_TIMESTAMP_LTZ_3};
    struct vec *columns[LETTER_COLUMNS] = {NULL};
    struct batch *batch = NULL;
    enum status status = OK;
    for (uint32_t c = 0; c < LETTER_COLUMNS && status == OK; c++) {
        status = vec_new(&columns[c], TYPES[c], count, NULL, err);
        if (status == OK)
            status = vec_make_validity(columns[c], err);
    }
    for (uint32_t i = 0; i < count && status == OK; i++)
        status = set_letter(state, split, records, columns, i, err);
    if (status != OK) {
        for (uint32_t c = 0; c < LETTER_COLUMNS; c++)
            vec_unref(columns[c]);
        return status;
    }
    for (uint32_t c = 0; c < LETTER_COLUMNS; c++)
        columns[c]->length = count;
    TRY(batch_new(&batch, columns, LETTER_COLUMNS, count, err));
    if (operator_emit(state->op, 1, batch, err) == PUSH_ERROR)
        status = err->code;
    batch_unref(batch);
    return status;
}

enum status source_send_letters(struct source_state *state, const struct split *split,
                                const struct records *records, struct error *err)
{
    enum status status = OK;
    while (state->letter_count && status == OK) {
        uint32_t count =
            state->letter_count < BATCH_ROWS_MAX ? state->letter_count : BATCH_ROWS_MAX;
        status = send_some(state, split, records, count, err);
        state->letter_count -= count;
        memmove(state->letters, state->letters + count,
                state->letter_count * sizeof(*state->letters));
    }
    return status;
}
