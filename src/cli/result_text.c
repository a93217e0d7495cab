/* result_text.c - rows of cells as an aligned table, CSV lines (RFC 4180) or JSON lines. NULL is a
 * cell of its own: NULL in tables, nothing in CSV, null in JSON. */
#include "cli/cli.h"
#include "data/utf8.h"
#include "os/descriptor.h"

#define OUTPUT_CHUNK_BYTES (256u << 10)
#define OUTPUT_BYTES_MAX   (1u << 30)

enum status output_write(const struct buf *text, struct error *err)
{
    TRY(buf_check(text, "the output", err));
    fflush(stdout);
    return descriptor_write(1, text->data, text->length, err);
}

static size_t width(const char *text)
{
    if (!text)
        return 4;
    return utf8_count(text, strlen(text));
}

static void append_rule(struct buf *out, const size_t *widths, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        buf_append_byte(out, '+');
        for (size_t k = 0; k < widths[i] + 2; k++)
            buf_append_byte(out, '-');
    }
    buf_append_text(out, "+\n");
}

static void append_blanks(struct buf *out, size_t count)
{
    while (count-- > 0)
        buf_append_byte(out, ' ');
}

/* Line breaks and other control characters would tear the table. */
static void append_cell(struct buf *out, const char *text)
{
    for (const char *p = text ? text : "NULL"; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7f)
            buf_append_byte(out, ' ');
        else
            buf_append_byte(out, (uint8_t)*p);
    }
}

static void append_row(struct buf *out, const struct cell_table *table, const char *const *cells,
                       const size_t *widths, bool header)
{
    for (uint32_t i = 0; i < table->column_count; i++) {
        size_t blanks = widths[i] - width(cells[i]);
        bool right = !header && table->is_number && table->is_number[i];
        buf_append_text(out, "| ");
        if (right)
            append_blanks(out, blanks);
        append_cell(out, cells[i]);
        if (!right)
            append_blanks(out, blanks);
        buf_append_byte(out, ' ');
    }
    buf_append_text(out, "|\n");
}

enum status cells_table_print(const struct cell_table *table, const char *const *cells,
                              uint64_t row_count, struct error *err)
{
    struct buf out;
    enum status status = OK;
    size_t *widths = mem_calloc(table->column_count + 1, sizeof(*widths));
    if (!widths)
        return error_memory(err, "a table", table->column_count * sizeof(*widths));
    buf_init(&out, OUTPUT_BYTES_MAX);
    for (uint32_t i = 0; i < table->column_count; i++)
        widths[i] = width(table->names[i]);
    for (uint64_t k = 0; k < row_count * table->column_count; k++) {
        size_t w = width(cells[k]);
        if (w > widths[k % table->column_count])
            widths[k % table->column_count] = w;
    }
    append_rule(&out, widths, table->column_count);
    append_row(&out, table, table->names, widths, true);
    append_rule(&out, widths, table->column_count);
    for (uint64_t row = 0; row < row_count && status == OK; row++) {
        append_row(&out, table, cells + row * table->column_count, widths, false);
        if (out.length > OUTPUT_CHUNK_BYTES) {
            status = output_write(&out, err);
            buf_clear(&out);
        }
    }
    if (row_count)
        append_rule(&out, widths, table->column_count);
    buf_printf(&out, "%llu row%s in set\n", (unsigned long long)row_count,
               row_count == 1 ? "" : "s");
    if (status == OK)
        status = output_write(&out, err);
    buf_fini(&out);
    mem_free(widths);
    return status;
}

void cells_csv(struct buf *out, const char *const *cells, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *text = cells[i] ? cells[i] : "";
        if (i)
            buf_append_byte(out, ',');
        if (!strpbrk(text, ",\"\r\n") && (*text || !cells[i])) {
            buf_append_text(out, text);
            continue;
        }
        buf_append_byte(out, '"');
        for (; *text; text++) {
            if (*text == '"')
                buf_append_byte(out, '"');
            buf_append_byte(out, (uint8_t)*text);
        }
        buf_append_byte(out, '"');
    }
    buf_append_byte(out, '\n');
}

static void json_text(struct buf *out, const char *text)
{
    buf_append_byte(out, '"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < 0x20)
            buf_printf(out, "\\u%04x", c);
        else
            buf_append_byte(out, c);
    }
    buf_append_byte(out, '"');
}

/* NaN, Infinity and texts are quoted. */
static bool is_json_literal(const char *text)
{
    return (*text >= '0' && *text <= '9') || (*text == '-' && text[1] >= '0' && text[1] <= '9') ||
           strcmp(text, "true") == 0 || strcmp(text, "false") == 0;
}

void cells_json(struct buf *out, const struct cell_table *table, const char *const *cells)
{
    buf_append_byte(out, '{');
    for (uint32_t i = 0; i < table->column_count; i++) {
        if (i)
            buf_append_byte(out, ',');
        json_text(out, table->names[i]);
        buf_append_byte(out, ':');
        if (!cells[i])
            buf_append_text(out, "null");
        else if (table->is_number && table->is_number[i] && is_json_literal(cells[i]))
            buf_append_text(out, cells[i]);
        else
            json_text(out, cells[i]);
    }
    buf_append_text(out, "}\n");
}
