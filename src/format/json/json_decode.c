/* json_decode.c - records to one batch: groups of documents are indexed and walked together.
 *
 * Where the source says that documents lie in one text with blanks between them, they are read
 * there; otherwise they are copied one after another into a text of this decoder's own. Text
 * columns are views into whichever it is. Positions are 32 bits and a group is small; a copied text
 * is at most JSON_TEXT_MAX, larger documents are bad rows.
 */
#include "format/json/json_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"

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
    row->field = BAD_ROW_NO_FIELD;
    row->value[0] = 0;
    row->code = ERR_DATA;
    va_start(args, fmt);
    vsnprintf(row->text, sizeof(row->text), fmt, args);
    va_end(args);
}

void json_bad_cell(struct decoder *decoder, uint32_t record, const struct json_column *column,
                   struct json_token token)
{
    struct buf type;
    uint32_t kept = decoder->bad->kept;
    uint32_t shown = token.length, room = sizeof(decoder->bad->rows->value) - 1;
    if (shown > room) /* whole characters */
        for (shown = room; shown && (token.data[shown] & 0xc0) == 0x80;)
            shown--;
    buf_init(&type, 4096);
    type_format(&type, column->type);
    json_bad(decoder, record, "column '%s': %.*s%s is not a valid %s", column->name, (int)shown,
             (const char *)token.data, shown < token.length ? "..." : "", buf_text(&type));
    buf_fini(&type);
    if (kept == decoder->bad->kept)
        return;
    struct bad_row *row = &decoder->bad->rows[kept];
    row->field = column->field;
    memcpy(row->value, token.data, shown);
    row->value[shown] = 0;
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

/* One after another into a text, a newline behind each. */
static enum status copy_documents(struct decoder *decoder, struct error *err)
{
    const struct records *records = decoder->records;
    uint64_t total = 0;
    for (uint32_t i = 0; i < records->count; i++) {
        uint32_t length = records->value_lengths[i];
        if (length != RECORD_NULL && total + length < JSON_TEXT_MAX)
            total += (uint64_t)length + 1;
    }
    TRY(text_room(decoder, total + 1, err));
    uint8_t *next = decoder->text->data, *end = next + total;
    for (uint32_t i = 0; i < records->count; i++) {
        uint32_t length = records->value_lengths[i];
        decoder->copies[i] = NULL;
        if (length == RECORD_NULL)
            continue;
        if ((uint64_t)length + 1 > (uint64_t)(end - next)) {
            json_bad(decoder, i, "a document of %u bytes is too large", length);
            continue;
        }
        decoder->copies[i] = next;
        memcpy(next, records->values[i], length);
        next += length;
        *next++ = '\n';
    }
    decoder->documents = decoder->copies;
    return OK;
}

static void no_spans(struct decoder *decoder, uint32_t at)
{
    for (uint32_t c = 0; c < decoder->column_count; c++)
        json_spans(decoder, c)[at].length = 0;
}

/* Walk the documents [first, last), whose text begins at `text` and has been indexed. Those that
 * are not valid have no spans. */
static void walk_documents(struct decoder *decoder, uint32_t first, uint32_t last,
                           const uint8_t *text, const uint32_t *position, const uint32_t *end)
{
    struct json_group *group = &decoder->group;
    struct json_document document = {.text = text, .position = position};
    group->position_end = end;
    for (uint32_t i = first; i < last; i++) {
        const uint8_t *start = decoder->documents[i];
        if (!start) {
            no_spans(decoder, i - group->first);
            continue;
        }
        document.row = i;
        document.start = (uint32_t)(start - text);
        document.end = document.start + decoder->records->value_lengths[i];
        if (__builtin_expect(json_shape_match(decoder, &document), 1))
            continue;
        no_spans(decoder, i - group->first);
        position = document.position;
        if (json_walk(decoder, &document)) {
            json_shape_learn(decoder, text, position, document.position);
            continue;
        }
        no_spans(decoder, i - group->first);
        while (*document.position < document.end) /* the rest of one that is not valid */
            document.position++;
    }
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

/* Index and walk the group's documents [first, last) as one text that ends with `end`. *out: the
 * result for all of them; unless it is OK none was walked. */
static enum status read_documents(struct decoder *decoder, uint32_t first, uint32_t last,
                                  const uint8_t *end, enum json_shim_result *out, struct error *err)
{
    const uint8_t *text = decoder->documents[first];
    const uint32_t *positions;
    uint32_t count;
    *out = json_shim_index(decoder->shim, text, (size_t)(end - text), &positions, &count);
    if (*out == JSON_SHIM_MEMORY)
        return error_memory(err, "the JSON index", (size_t)(end - text));
    if (*out == JSON_SHIM_OK) {
        decoder->group.text = text;
        walk_documents(decoder, first, last, text, positions, positions + count);
    }
    return OK;
}

static enum status fill_columns(struct decoder *decoder, struct error *err)
{
    for (uint32_t c = 0; c < decoder->column_count; c++)
        TRY(json_fill_column(decoder, &decoder->columns[c], err));
    return OK;
}

/* One by one, after their group could not be indexed: finds the bad ones. */
static enum status decode_singly(struct decoder *decoder, uint32_t first, uint32_t last,
                                 struct error *err)
{
    for (uint32_t i = first; i < last; i++) {
        const uint8_t *text = decoder->documents[i];
        enum json_shim_result result = JSON_SHIM_OK;
        decoder->group.first = i;
        decoder->group.count = 1;
        if (text)
            TRY(read_documents(decoder, i, i + 1, text + decoder->records->value_lengths[i],
                               &result, err));
        if (!text || result != JSON_SHIM_OK)
            no_spans(decoder, 0);
        if (result != JSON_SHIM_OK)
            json_bad(decoder, i, "%s", result_text(result));
        TRY(fill_columns(decoder, err));
    }
    return OK;
}

/* The documents [first, *last) become a group: the first has a text, and all others that have one
 * lie in the same run, behind it and near. Its end. */
static const uint8_t *find_group(const struct decoder *decoder, uint32_t first, uint32_t run_end,
                                 uint32_t *last)
{
    const uint32_t *lengths = decoder->records->value_lengths;
    const uint8_t *const *documents = decoder->documents;
    const uint8_t *text = documents[first], *end = text + lengths[first];
    uint32_t i = first + 1;
    if (run_end > first + JSON_GROUP_ROWS)
        run_end = first + JSON_GROUP_ROWS;
    for (; i < run_end; i++) {
        if (!documents[i])
            continue;
        if (documents[i] + lengths[i] - text > JSON_GROUP_BYTES)
            break;
        end = documents[i] + lengths[i];
    }
    *last = i;
    return end;
}

static enum status decode_run(struct decoder *decoder, uint32_t first, uint32_t run_end,
                              struct error *err)
{
    while (first < run_end) {
        uint32_t last = first + 1;
        enum json_shim_result result = JSON_SHIM_OK;
        decoder->group.first = first;
        if (decoder->documents[first]) {
            const uint8_t *end = find_group(decoder, first, run_end, &last);
            TRY(read_documents(decoder, first, last, end, &result, err));
        } else {
            no_spans(decoder, 0);
        }
        decoder->group.count = last - first;
        TRY(result == JSON_SHIM_OK ? fill_columns(decoder, err)
                                   : decode_singly(decoder, first, last, err));
        first = last;
    }
    return OK;
}

static enum status decode_records(struct decoder *decoder, struct error *err)
{
    const struct records *records = decoder->records;
    uint32_t first = 0;
    if (records->run_count == 0) {
        TRY(copy_documents(decoder, err));
        return decode_run(decoder, 0, records->count, err);
    }
    must(records->run_ends[records->run_count - 1] == records->count);
    decoder->documents = records->values;
    for (uint32_t i = 0; i < records->run_count; i++) {
        TRY(decode_run(decoder, first, records->run_ends[i], err));
        first = records->run_ends[i];
    }
    return OK;
}

static int by_record(const void *a, const void *b)
{
    const struct bad_row *x = a, *y = b;
    return (x->record > y->record) - (x->record < y->record);
}

/* Rows of bad records do not exist; of records without a value (tombstones) neither. */
static enum status select_good(struct decoder *decoder, const struct records *records,
                               struct batch *batch, struct error *err)
{
    uint16_t selection[BATCH_ROWS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < records->count; i++)
        if (!json_is_bad(decoder, i) && records->value_lengths[i] != RECORD_NULL)
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

/* Text columns are views into the documents. */
static enum status hold_texts(struct decoder *decoder, struct error *err)
{
    const struct records *records = decoder->records;
    struct buffer *const *buffers = records->run_count ? records->buffers : &decoder->text;
    uint32_t count = records->run_count ? records->buffer_count : 1;
    for (uint32_t i = 0; i < decoder->column_count; i++)
        for (uint32_t k = 0; k < count && type_is_text(decoder->columns[i].type); k++)
            TRY(vec_add_strings(decoder->columns[i].vec, buffers[k], err));
    return OK;
}

enum status json_decode(struct decoder *decoder, const struct records *records, struct batch **out,
                        const uint32_t **record_of_row, struct bad_rows *bad, struct error *err)
{
    struct vec **columns = mem_calloc(decoder->column_count + 1, sizeof(*columns));
    struct batch *batch = NULL;
    enum status status;
    if (!columns)
        return error_memory(err, "columns", decoder->column_count * sizeof(*columns));
    bad->count = bad->kept = 0;
    bad->ignore = decoder->options.ignore_parse_errors;
    decoder->bad = bad;
    decoder->records = records;
    *record_of_row = NULL;
    status = new_columns(decoder, records->count, columns, err);
    if (status == OK)
        status = decode_records(decoder, err);
    if (status == OK)
        status = hold_texts(decoder, err);
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
    if (bad->count) /* found group by group and column by column */
        qsort(bad->rows, bad->kept, sizeof(*bad->rows), by_record);
    *out = batch;
out:
    mem_free(columns);
    return status;
}
