/* csv_decode.c - records, one line each, to the wanted columns.
 *
 * The records are copied one after another into a buffer that text columns point into. A line has
 * to have as many fields as the table; with ignore-parse-errors missing ones are NULL.
 */
#include "format/csv/csv_int.h"

#include "data/utf8.h"
#include "format/csv/csv_value.h"

#define FIELD_BYTES_MAX (1u << 30)
#define NOT_WANTED      UINT32_MAX
#define SHOWN_MAX       60 /* bytes of a value in a message */

struct column {
    const char *name;
    const struct type *type;
    struct vec *vec; /* of the batch being made */
};

struct decoder {
    struct csv_dialect dialect;
    struct mem_owner *owner;
    uint32_t field_count;
    uint32_t *column_of_field; /* NOT_WANTED: none */
    uint32_t column_count;
    struct column *columns;
    struct buf scratch;
    struct buffer *text; /* of the newest batch */
    struct bad_rows *bad;
};

void csv_decoder_close(struct decoder *decoder)
{
    if (!decoder)
        return;
    csv_dialect_fini(&decoder->dialect);
    buf_fini(&decoder->scratch);
    buffer_unref(decoder->text);
    mem_free(decoder->column_of_field);
    mem_free(decoder->columns);
    mem_free(decoder);
}

static enum status fill(struct decoder *decoder, const struct decoder_request *request,
                        struct error *err)
{
    TRY(csv_dialect_init(&decoder->dialect, request->options, request->option_count, err));
    decoder->field_count = request->table->field_count;
    decoder->column_count = request->wanted_count;
    decoder->column_of_field =
        mem_alloc((decoder->field_count + 1) * sizeof(*decoder->column_of_field));
    decoder->columns = mem_calloc(decoder->column_count + 1, sizeof(*decoder->columns));
    if (!decoder->column_of_field || !decoder->columns)
        return error_memory(err, "a CSV decoder", decoder->field_count * sizeof(uint32_t));
    for (uint32_t i = 0; i < decoder->field_count; i++)
        decoder->column_of_field[i] = NOT_WANTED;
    for (uint32_t i = 0; i < decoder->column_count; i++) {
        const struct table_field *field = &request->table->fields[request->wanted[i]];
        TRY(csv_check_column(field, request->table->name, "csv", err));
        decoder->columns[i] = (struct column){.name = field->name, .type = field->type};
        decoder->column_of_field[request->wanted[i]] = i;
    }
    return OK;
}

enum status csv_decoder_open(const struct decoder_request *request, struct decoder **out,
                             struct error *err)
{
    struct decoder *decoder = mem_calloc(1, sizeof(*decoder));
    if (!decoder)
        return error_memory(err, "a CSV decoder", sizeof(*decoder));
    decoder->owner = request->owner;
    buf_init(&decoder->scratch, FIELD_BYTES_MAX);
    enum status status = fill(decoder, request, err);
    if (status != OK) {
        csv_decoder_close(decoder);
        return status;
    }
    *out = decoder;
    return OK;
}

static enum status text_room(struct decoder *decoder, size_t size_bytes, struct error *err)
{
    struct buffer *text = decoder->text;
    bool is_free = text && atomic_load_explicit(&text->refs, memory_order_acquire) == 1;
    if (is_free && text->size_bytes >= size_bytes)
        return OK;
    buffer_unref(text);
    decoder->text = NULL;
    return buffer_new(&decoder->text, size_bytes + size_bytes / 8 + 1, decoder->owner, err);
}

static enum status null_row(struct decoder *decoder, uint32_t row, struct error *err)
{
    for (uint32_t i = 0; i < decoder->column_count; i++)
        TRY(csv_set_null(decoder->columns[i].vec, row, err));
    return OK;
}

static void bad_value(struct decoder *decoder, uint32_t row, const struct column *column,
                      struct str text)
{
    struct buf type;
    buf_init(&type, 4096);
    type_format(&type, column->type);
    bad_rows_add(decoder->bad, row, "column '%s': '%.*s%s' is not a valid %s", column->name,
                 (int)(text.length < SHOWN_MAX ? text.length : SHOWN_MAX), text.data,
                 text.length > SHOWN_MAX ? "..." : "", buf_text(&type));
    buf_fini(&type);
}

/* One field into its column. *good false: the row is bad. */
static enum status store(struct decoder *decoder, struct column *column, uint32_t row,
                         struct str text, bool in_place, bool *good, struct error *err)
{
    const struct csv_dialect *dialect = &decoder->dialect;
    if (dialect->options.null_literal && str_eq(text, dialect->null_literal))
        return csv_set_null(column->vec, row, err);
    column->vec->length = row;
    enum csv_cell cell = csv_set_cell(column->vec, row, text, in_place);
    if (cell == CSV_CELL_OK)
        return OK;
    if (cell == CSV_CELL_MEMORY)
        return error_memory(err, "a CSV field", text.length);
    if (cell == CSV_CELL_BAD && !dialect->options.ignore_parse_errors) {
        bad_value(decoder, row, column, text);
        *good = false;
        return OK;
    }
    return csv_set_null(column->vec, row, err);
}

/* What stands behind the last field: with ignore-parse-errors missing fields are NULL. */
static enum status finish_line(struct decoder *decoder, const struct csv_line *line, uint32_t field,
                               uint32_t row, bool *good, struct error *err)
{
    if (line->problem) {
        bad_rows_add(decoder->bad, row, "not a CSV line: %s", line->problem);
        *good = false;
    } else if (line->next ||
               (field < decoder->field_count && !decoder->dialect.options.ignore_parse_errors)) {
        bad_rows_add(decoder->bad, row, "the line has %s%u fields, the table %u",
                     line->next ? "more than " : "", field, decoder->field_count);
        *good = false;
    }
    for (; *good && field < decoder->field_count; field++) {
        uint32_t column = decoder->column_of_field[field];
        if (column != NOT_WANTED)
            TRY(csv_set_null(decoder->columns[column].vec, row, err));
    }
    return OK;
}

static enum status decode_line(struct decoder *decoder, const char *text, size_t length,
                               uint32_t row, struct error *err)
{
    struct csv_line line = {&decoder->dialect, text, text + length, &decoder->scratch, NULL};
    struct str value;
    bool in_place, good = true;
    uint32_t field = 0;
    if (!utf8_valid(text, length)) {
        bad_rows_add(decoder->bad, row, "not valid UTF-8");
        return null_row(decoder, row, err);
    }
    while (good && field < decoder->field_count && csv_next_field(&line, &value, &in_place)) {
        uint32_t column = decoder->column_of_field[field++];
        if (column != NOT_WANTED)
            TRY(store(decoder, &decoder->columns[column], row, value, in_place, &good, err));
    }
    if (decoder->scratch.failed && !decoder->scratch.over_limit)
        return error_memory(err, "a CSV field", length);
    if (good)
        TRY(finish_line(decoder, &line, field, row, &good, err));
    return good ? OK : null_row(decoder, row, err);
}

static size_t without_newline(const uint8_t *data, size_t length)
{
    if (length && data[length - 1] == '\n')
        length--;
    if (length && data[length - 1] == '\r')
        length--;
    return length;
}

/* Tombstones and comments give no row; they are not bad. */
static bool gives_row(const struct decoder *decoder, const struct records *records, uint32_t i)
{
    if (records->value_lengths[i] == RECORD_NULL)
        return false;
    return !decoder->dialect.options.allow_comments || records->value_lengths[i] == 0 ||
           records->values[i][0] != '#';
}

static enum status decode_lines(struct decoder *decoder, const struct records *records,
                                struct error *err)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < records->count; i++)
        if (gives_row(decoder, records, i) && total + records->value_lengths[i] < CSV_TEXT_MAX)
            total += records->value_lengths[i];
    TRY(text_room(decoder, total, err));
    char *text = (char *)decoder->text->data;
    uint64_t at = 0;
    for (uint32_t i = 0; i < records->count; i++) {
        if (!gives_row(decoder, records, i)) {
            TRY(null_row(decoder, i, err));
            continue;
        }
        size_t length = without_newline(records->values[i], records->value_lengths[i]);
        if (at + length > total) {
            bad_rows_add(decoder->bad, i, "a line of %zu bytes is too large", length);
            TRY(null_row(decoder, i, err));
            continue;
        }
        if (length)
            memcpy(text + at, records->values[i], length);
        TRY(decode_line(decoder, text + at, length, i, err));
        at += length;
    }
    return OK;
}

static enum status new_columns(struct decoder *decoder, uint32_t count, struct vec **columns,
                               struct error *err)
{
    for (uint32_t i = 0; i < decoder->column_count; i++) {
        TRY(vec_new(&columns[i], decoder->columns[i].type, count, decoder->owner, err));
        decoder->columns[i].vec = columns[i];
    }
    return OK;
}

static enum status finish_columns(struct decoder *decoder, uint32_t count, struct error *err)
{
    for (uint32_t i = 0; i < decoder->column_count; i++) {
        struct vec *vec = decoder->columns[i].vec;
        vec->length = count;
        if (type_is_text(vec->type) && count)
            TRY(vec_add_strings(vec, decoder->text, err));
    }
    return OK;
}

static enum status select_rows(struct decoder *decoder, const struct records *records,
                               struct batch *batch, struct error *err)
{
    uint16_t selection[BATCH_ROWS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < records->count; i++)
        if (!bad_rows_has(decoder->bad, i) && gives_row(decoder, records, i))
            selection[count++] = (uint16_t)i;
    return count == records->count ? OK : batch_set_selection(batch, selection, count, err);
}

enum status csv_decode(struct decoder *decoder, const struct records *records, struct batch **out,
                       const uint32_t **record_of_row, struct bad_rows *bad, struct error *err)
{
    struct batch *batch = NULL;
    struct vec **columns = mem_calloc(decoder->column_count + 1, sizeof(*columns));
    if (!columns)
        return error_memory(err, "columns", decoder->column_count * sizeof(*columns));
    bad->count = bad->kept = 0;
    bad->ignore = decoder->dialect.options.ignore_parse_errors;
    decoder->bad = bad;
    *record_of_row = NULL;
    enum status status = new_columns(decoder, records->count, columns, err);
    if (status == OK)
        status = decode_lines(decoder, records, err);
    if (status == OK)
        status = finish_columns(decoder, records->count, err);
    if (status != OK) {
        for (uint32_t i = 0; i < decoder->column_count; i++)
            vec_unref(columns[i]);
        goto out;
    }
    status = batch_new(&batch, columns, decoder->column_count, records->count, err);
    if (status == OK)
        status = select_rows(decoder, records, batch, err);
    if (status == OK)
        *out = batch;
    else
        batch_unref(batch);
out:
    mem_free(columns);
    return status;
}
