/* error_text.c - an error as users read it: where, what, the line with a caret, the hint.
 *
 *   pipeline.sql:3:8: column 'amont' not found in any table
 *   SELECT amont FROM orders
 *          ^~~~~
 *   did you mean amount?
 */
#include "sql/sql.h"

#define SHOWN_BYTES 160 /* of a long line, around the place */

static struct str line_at(struct str text, size_t offset)
{
    size_t start = offset, end = offset;
    while (start > 0 && text.data[start - 1] != '\n')
        start--;
    while (end < text.length && text.data[end] != '\n' && text.data[end] != '\r')
        end++;
    return (struct str){text.data + start, end - start};
}

static bool is_continuation(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* Cut a long line to the part around the place; *at is the place in it. */
static struct str cut(struct str line, size_t *at)
{
    if (line.length <= SHOWN_BYTES)
        return line;
    size_t start = *at > SHOWN_BYTES / 2 ? *at - SHOWN_BYTES / 2 : 0;
    size_t end = start + SHOWN_BYTES < line.length ? start + SHOWN_BYTES : line.length;
    while (start < *at && is_continuation(line.data[start]))
        start++;
    while (end < line.length && is_continuation(line.data[end]))
        end++;
    *at -= start;
    return (struct str){line.data + start, end - start};
}

/* Bytes of a broken file must not reach a terminal. */
static void append_line(struct buf *out, struct str line)
{
    for (size_t i = 0; i < line.length; i++) {
        unsigned char c = (unsigned char)line.data[i];
        buf_append_byte(out, c >= ' ' || c == '\t' ? c : '?');
    }
}

static void append_caret(struct buf *out, struct str line, size_t at, size_t length)
{
    for (size_t i = 0; i < at; i++)
        if (!is_continuation(line.data[i]))
            buf_append_byte(out, line.data[i] == '\t' ? '\t' : ' ');
    buf_append_byte(out, '^');
    for (size_t i = at + 1; i < at + length && i < line.length; i++)
        if (!is_continuation(line.data[i]))
            buf_append_byte(out, '~');
}

void sql_format_error(struct buf *out, const char *file, struct str text, const struct error *error)
{
    const struct source_pos *pos = &error->pos;
    if (!pos->line || pos->offset > text.length) {
        buf_printf(out, "%s: %s\n", file, error->text);
    } else {
        struct str line = line_at(text, pos->offset);
        size_t at = (size_t)(text.data + pos->offset - line.data);
        if (at > line.length) /* at the end of a line that ends in \r\n */
            at = line.length;
        line = cut(line, &at);
        buf_printf(out, "%s:%u:%u: %s\n", file, pos->line, pos->column, error->text);
        append_line(out, line);
        buf_append_byte(out, '\n');
        append_caret(out, line, at, pos->length);
        buf_append_byte(out, '\n');
    }
    if (error->hint[0])
        buf_printf(out, "%s\n", error->hint);
}
