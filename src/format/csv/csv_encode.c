/* csv_encode.c - rows to lines, without the newline, as Flink's csv format (Jackson) writes them: a
 * text is quoted when it is longer than 24 characters or has a character up to the largest of
 * delimiter, quote and newline.
 */
#include "format/csv/csv_int.h"

#include <stdio.h>

#include "base/base64.h"
#include "base/calendar.h"
#include "base/decimal.h"
#include "data/datum.h"
#include "data/utf8.h"
#include "format/csv/csv_value.h"

#define UNQUOTED_MAX   24
#define PLAIN_EXPONENT 6 /* BigDecimal.toString: zeros behind the point before it turns to E */

struct encoder {
    struct csv_dialect dialect;
    char safe; /* characters from here on need no quotes */
};

void csv_encoder_close(struct encoder *encoder)
{
    if (!encoder)
        return;
    csv_dialect_fini(&encoder->dialect);
    mem_free(encoder);
}

enum status csv_encoder_open(const struct encoder_request *request, struct encoder **out,
                             struct error *err)
{
    struct encoder *encoder = mem_calloc(1, sizeof(*encoder));
    if (!encoder)
        return error_memory(err, "a CSV encoder", sizeof(*encoder));
    enum status status =
        csv_dialect_init(&encoder->dialect, request->options, request->option_count, err);
    for (uint32_t i = 0; status == OK && i < request->table->field_count; i++)
        status = csv_check_column(&request->table->fields[i], request->table->name, "csv", err);
    if (status != OK) {
        csv_encoder_close(encoder);
        return status;
    }
    int highest = encoder->dialect.delimiter;
    highest = highest > encoder->dialect.quote ? highest : encoder->dialect.quote;
    highest = highest > '\r' ? highest : '\r';
    encoder->safe = (char)(highest + 1);
    *out = encoder;
    return OK;
}

static bool needs_quotes(const struct encoder *encoder, struct str text)
{
    if (encoder->dialect.quote == CSV_NONE)
        return false;
    if (text.length > UNQUOTED_MAX && utf8_count(text.data, text.length) > UNQUOTED_MAX)
        return true;
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if ((c >= 0 && c < encoder->safe) || encoder->dialect.escape == c)
            return true;
    }
    return false;
}

static void append_text(const struct encoder *encoder, struct buf *out, struct str text)
{
    int quote = encoder->dialect.quote, escape = encoder->dialect.escape;
    if (!needs_quotes(encoder, text)) {
        buf_append(out, text.data, text.length);
        return;
    }
    buf_append_byte(out, (uint8_t)quote);
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (escape != CSV_NONE && (c == (char)escape || c == (char)quote))
            buf_append_byte(out, (uint8_t)escape);
        else if (c == (char)quote)
            buf_append_byte(out, (uint8_t)quote);
        buf_append_byte(out, (uint8_t)c);
    }
    buf_append_byte(out, (uint8_t)quote);
}

/* BigDecimal.stripTrailingZeros().toString(): "12.5", "1E+2", "1E-7". */
static void append_decimal(struct buf *out, decimal128 value, unsigned scale)
{
    char text[DECIMAL_TEXT_MAX];
    int left = (int)scale;
    while (value != 0 && value % 10 == 0) {
        value /= 10;
        left--;
    }
    if (value == 0)
        left = 0;
    size_t length = decimal_format(text, value, 0);
    const char *digits = text[0] == '-' ? text + 1 : text;
    int digit_count = (int)(length - (size_t)(digits - text)), exponent = digit_count - 1 - left;
    if (left >= 0 && exponent >= -PLAIN_EXPONENT) {
        buf_append(out, text, decimal_format(text, value, (unsigned)left));
        return;
    }
    if (text[0] == '-')
        buf_append_byte(out, '-');
    buf_append(out, digits, 1);
    if (digit_count > 1)
        buf_append_byte(out, '.');
    buf_append(out, digits + 1, (size_t)digit_count - 1);
    buf_printf(out, "E%+d", exponent);
}

static void append_number(const struct encoder *encoder, struct buf *out, const struct datum *datum)
{
    char text[64];
    switch (datum->type->root) {
    case TYPE_BOOLEAN:
        buf_append_text(out, datum->i64 ? "true" : "false");
        break;
    case TYPE_FLOAT:
        buf_append(out, text, str_from_f32(text, (float)datum->f64));
        break;
    case TYPE_DOUBLE:
        buf_append(out, text, str_from_f64(text, datum->f64));
        break;
    case TYPE_DECIMAL:
        if (encoder->dialect.options.scientific)
            append_decimal(out, datum->decimal, datum->type->scale);
        else
            buf_append(out, text, decimal_format(text, datum->decimal, datum->type->scale));
        break;
    default:
        buf_append(out, text, str_from_i64(text, datum->i64));
        break;
    }
}

static enum status append_value(const struct encoder *encoder, struct buf *out,
                                const struct vec *vec, uint32_t row, struct error *err)
{
    struct datum datum;
    struct buf base64;
    char text[64];
    size_t length;
    datum_get(&datum, vec, row);
    if (datum.is_null) {
        struct str null = encoder->dialect.null_literal;
        if (null.length)
            buf_append(out, null.data, null.length);
        return OK;
    }
    switch (vec->type->root) {
    case TYPE_CHAR:
    case TYPE_VARCHAR:
        append_text(encoder, out, datum.text);
        return OK;
    case TYPE_BINARY:
    case TYPE_VARBINARY:
        buf_init(&base64, CSV_TEXT_MAX);
        char *dest = (char *)buf_room(&base64, BASE64_ENCODED(datum.text.length));
        if (dest)
            base64.length = base64_encode(dest, datum.text.data, datum.text.length);
        enum status status = buf_check(&base64, "bytes as text", err);
        if (status == OK)
            append_text(encoder, out, (struct str){(const char *)base64.data, base64.length});
        buf_fini(&base64);
        return status;
    case TYPE_DATE:
        length = calendar_format_date(text, (int32_t)datum.i64);
        break;
    case TYPE_TIME:
        length = calendar_format_time_brief(text, (int32_t)datum.i64);
        break;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_LTZ:
        length = calendar_format_timestamp_brief(text, datum.i64, vec->type->precision);
        if (vec->type->root == TYPE_TIMESTAMP_LTZ)
            text[length++] = 'Z';
        break;
    default:
        append_number(encoder, out, &datum);
        return OK;
    }
    append_text(encoder, out, (struct str){text, length});
    return OK;
}

enum status csv_encode(struct encoder *encoder, const struct batch *batch, struct buf *out,
                       uint32_t *offsets, struct error *err)
{
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        offsets[i] = (uint32_t)out->length;
        for (uint32_t c = 0; c < batch->column_count; c++) {
            if (c)
                buf_append_byte(out, (uint8_t)encoder->dialect.delimiter);
            TRY(append_value(encoder, out, batch->columns[c], batch_row(batch, i), err));
        }
    }
    offsets[batch->selected_count] = (uint32_t)out->length;
    return buf_check(out, "CSV rows", err);
}
