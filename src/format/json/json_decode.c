/* json_decode.c - records to one batch: documents copied one after another, indexed by groups.
 *
 * The copy makes the documents one text for stage 1, gives them padding, and lets text columns be
 * views into one buffer that this decoder owns. Positions are 32 bits: a batch's payload is at most
 * JSON_TEXT_MAX, larger ones are bad rows.
 */
#include "format/json/json_int.h"

#include <stdarg.h>
#include <stdio.h>

#define JSON_TEXT_MAX (1u << 30)

void json_bad(struct decoder *decoder, uint32_t record, const char *fmt, ...)
{
    struct bad_rows *bad = decoder->bad;
    va_list args;
    if (bad->count == 0)
        memset(bad->records, 0, sizeof(bad->records));
    bad->records[record >> 6] |= UINT64_C(1) << (record & 63);
    bad->count++;
    if (bad->kept == sizeof(bad->rows) / sizeof(*bad->rows))
        return;
    struct bad_row *row = &bad->rows[bad->kept++];
    row->record = record;
    row->code = ERR_DATA;
    va_start(args, fmt);
    vsnprintf(row->text, sizeof(row->text), fmt, args);
    va_end(args);
}

static enum status text_room(struct decoder *decoder, size_t size_bytes, struct error *err)
{
    struct buffer *text = decoder->text;
    bool free = text && atomic_load_explicit(&text->refs, memory_order_acquire) == 1;
    if (free && text->size_bytes >= size_bytes)
        return OK;
    buffer_unref(text);
    decoder->text = NULL;
    return buffer_new(&decoder->text, size_bytes + size_bytes / 8, decoder->owner, err);
}

/* Where each record's document lies in the text. */
struct layout {
    uint32_t start[BATCH_ROWS_MAX];
    uint32_t end[BATCH_ROWS_MAX];
    const uint32_t *lengths; /* of the records; RECORD_NULL: no value, no row, not bad either */
};

static enum status lay_out(struct decoder *decoder, const struct records *records,
                           struct layout *layout, struct error *err)
{
    uint64_t total = 0;
    layout->lengths = records->value_lengths;
    for (uint32_t i = 0; i < records->count; i++) {
        uint32_t length = records->value_lengths[i];
        if (length != RECORD_NULL && total + length < JSON_TEXT_MAX)
            total += (uint64_t)length + 1;
    }
    TRY(text_room(decoder, total + 1, err));
    uint8_t *text = decoder->text->data;
    uint32_t at = 0;
    for (uint32_t i = 0; i < records->count; i++) {
        uint32_t length = records->value_lengths[i];
        layout->start[i] = layout->end[i] = at;
        if (length == RECORD_NULL)
            continue;
        if ((uint64_t)at + length + 1 > total) {
            json_bad(decoder, i, "a document of %u bytes is too large", length);
            continue;
        }
        memcpy(text + at, records->values[i], length);
        at += length;
        layout->end[i] = at;
        text[at++] = '\n';
    }
    return OK;
}

static bool is_bad(const struct decoder *decoder, uint32_t record)
{
    return decoder->bad->count && decoder->bad->records[record >> 6] >> (record & 63) & 1;
}

/* Walk the documents [first, last) of a text that was indexed from byte `base` on. */
static enum status walk_group(struct decoder *decoder, const struct layout *layout, uint32_t first,
                              uint32_t last, uint32_t base, const uint32_t *positions,
                              struct error *err)
{
    const uint32_t *position = positions;
    for (uint32_t i = first; i < last; i++) {
        struct json_document document = {
            .text = decoder->text->data + base,
            .position = position,
            .start = layout->start[i] - base,
            .end = layout->end[i] - base,
            .row = i,
        };
        if (layout->lengths[i] == RECORD_NULL)
            TRY(json_null_row(decoder, i, err));
        else if (!is_bad(decoder, i) && !json_walk(decoder, &document)) {
            if (decoder->no_memory)
                return error_memory(err, "a JSON row", document.end - document.start);
            TRY(json_null_row(decoder, i, err));
        }
        position = document.position;
        while (*position < document.end) /* the rest of one that is not valid */
            position++;
    }
    return OK;
}

static const char *result_text(enum json_shim_result result)
{
    switch (result) {
    case JSON_SHIM_UTF8:
        return "not valid UTF-8";
    case JSON_SHIM_UNCLOSED:
        return "not valid JSON: a string does not end";
    case JSON_SHIM_CONTROL:
        return "not valid JSON: a control character inside a string";
    case JSON_SHIM_EMPTY:
        return "not valid JSON: it is empty";
    default:
        return "not valid JSON";
    }
}

/* One by one, after their group could not be indexed: finds the bad ones. */
static enum status decode_singly(struct decoder *decoder, const struct layout *layout,
                                 uint32_t first, uint32_t last, struct error *err)
{
    const uint32_t *positions;
    uint32_t count;
    for (uint32_t i = first; i < last; i++) {
        if (is_bad(decoder, i) || layout->lengths[i] == RECORD_NULL) {
            TRY(json_null_row(decoder, i, err));
            continue;
        }
        enum json_shim_result result =
            json_shim_index(decoder->shim, decoder->text->data + layout->start[i],
                            layout->end[i] - layout->start[i], &positions, &count);
        if (result == JSON_SHIM_MEMORY)
            return error_memory(err, "the JSON index", layout->end[i] - layout->start[i]);
        if (result == JSON_SHIM_OK) {
            TRY(walk_group(decoder, layout, i, i + 1, layout->start[i], positions, err));
            continue;
        }
        json_bad(decoder, i, "%s", result_text(result));
        TRY(json_null_row(decoder, i, err));
    }
    return OK;
}

static enum status decode_groups(struct decoder *decoder, const struct layout *layout,
                                 uint32_t count, struct error *err)
{
    for (uint32_t first = 0, last; first < count; first = last) {
        uint32_t base = layout->start[first];
        const uint32_t *positions;
        uint32_t position_count;
        last = first + 1;
        while (last < count && layout->end[last] - base <= JSON_GROUP_BYTES)
            last++;
        enum json_shim_result result =
            json_shim_index(decoder->shim, decoder->text->data + base, layout->end[last - 1] - base,
                            &positions, &position_count);
        if (result == JSON_SHIM_MEMORY)
            return error_memory(err, "the JSON index", layout->end[last - 1] - base);
        if (result == JSON_SHIM_OK)
            TRY(walk_group(decoder, layout, first, last, base, positions, err));
        else
            TRY(decode_singly(decoder, layout, first, last, err));
    }
    return OK;
}

/* Rows of bad records do not exist; of records without a value (tombstones) neither. */
static enum status select_good(struct decoder *decoder, const struct records *records,
                               struct batch *batch, struct error *err)
{
    uint16_t selection[BATCH_ROWS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < records->count; i++)
        if (!is_bad(decoder, i) && records->value_lengths[i] != RECORD_NULL)
            selection[count++] = (uint16_t)i;
    return count == records->count ? OK : batch_set_selection(batch, selection, count, err);
}

static enum status new_columns(struct decoder *decoder, uint32_t count, struct vec **columns,
                               struct error *err)
{
    for (uint32_t i = 0; i < decoder->column_count; i++) {
        TRY(vec_new(&columns[i], decoder->columns[i].type, count, decoder->owner, err));
        columns[i]->length = count;
        decoder->columns[i].vec = columns[i];
    }
    return OK;
}

static enum status hold_text(struct decoder *decoder, struct error *err)
{
    for (uint32_t i = 0; i < decoder->column_count; i++)
        if (type_is_text(decoder->columns[i].type))
            TRY(vec_add_strings(decoder->columns[i].vec, decoder->text, err));
    return OK;
}

enum status json_decode(struct decoder *decoder, const struct records *records, struct batch **out,
                        const uint32_t **record_of_row, struct bad_rows *bad, struct error *err)
{
    struct layout layout;
    struct vec **columns = mem_calloc(decoder->column_count + 1, sizeof(*columns));
    struct batch *batch = NULL;
    enum status status;
    if (!columns)
        return error_memory(err, "columns", decoder->column_count * sizeof(*columns));
    bad->count = bad->kept = 0;
    bad->ignore = decoder->options.ignore_parse_errors;
    decoder->bad = bad;
    decoder->no_memory = false;
    *record_of_row = NULL;
    status = new_columns(decoder, records->count, columns, err);
    if (status == OK)
        status = lay_out(decoder, records, &layout, err);
    if (status == OK)
        status = decode_groups(decoder, &layout, records->count, err);
    if (status == OK)
        status = hold_text(decoder, err);
    if (status != OK) {
        for (uint32_t i = 0; i < decoder->column_count; i++)
            vec_unref(columns[i]);
        goto out;
    }
    status = batch_new(&batch, columns, decoder->column_count, records->count, err);
    if (status == OK)
        status = select_good(decoder, records, batch, err);
    if (status != OK) {
        batch_unref(batch);
        goto out;
    }
    *out = batch;
out:
    mem_free(columns);
    return status;
}
