/* json_encode.c - rows to JSON objects, fields in column order, as Flink's json format writes them:
 * DECIMAL in plain digits, times as text, BYTES as base64, NaN and infinities as text.
 */
#include "format/json/json_int.h"

#include "base/base64.h"
#include "base/calendar.h"

struct encoder {
    struct json_options options;
    uint32_t column_count;
    struct buf *names; /* per column: the escaped name with quotes and colon */
};

static const char HEX_DIGITS[] = "0123456789ABCDEF";

static void append_string(struct buf *out, const char *data, size_t length)
{
    size_t from = 0;
    buf_append_byte(out, '"');
    for (size_t i = 0; i < length; i++) {
        uint8_t c = (uint8_t)data[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        buf_append(out, data + from, i - from);
        from = i + 1;
        const char *known = "\b\f\n\r\t\"\\", *letters = "bfnrt\"\\";
        const char *at = c ? strchr(known, c) : NULL;
        buf_append_byte(out, '\\');
        if (at) {
            buf_append_byte(out, (uint8_t)letters[at - known]);
        } else {
            char code[5] = {'u', '0', '0', HEX_DIGITS[c >> 4], HEX_DIGITS[c & 15]};
            buf_append(out, code, sizeof(code));
        }
    }
    buf_append(out, data + from, length - from);
    buf_append_byte(out, '"');
}

static void append_base64(struct buf *out, struct str bytes)
{
    char *dest = (char *)buf_room(out, BASE64_ENCODED(bytes.length) + 2);
    if (!dest)
        return;
    size_t length = base64_encode(dest + 1, bytes.data, bytes.length);
    dest[0] = dest[length + 1] = '"';
    out->length += length + 2;
}

/* Java writes a double that is no number as its quoted name. */
static void append_approximate(struct buf *out, const char *text, size_t length)
{
    bool number = (text[0] >= '0' && text[0] <= '9') ||
                  (text[0] == '-' && length > 1 && text[1] >= '0' && text[1] <= '9');
    if (!number)
        buf_append_byte(out, '"');
    buf_append(out, text, length);
    if (!number)
        buf_append_byte(out, '"');
}

/* As few fraction digits as the value needs. */
static size_t format_timestamp(const struct encoder *encoder, const struct type *type,
                               int64_t value, char *text)
{
    size_t length = calendar_format_timestamp_brief(text, value, type->precision);
    if (encoder->options.timestamp_format == JSON_TIMESTAMP_ISO)
        text[sizeof("YYYY-MM-DD") - 1] = 'T';
    if (type->root == TYPE_TIMESTAMP_LTZ)
        text[length++] = 'Z';
    return length;
}

static void append_quoted(struct buf *out, const char *text, size_t length)
{
    buf_append_byte(out, '"');
    buf_append(out, text, length);
    buf_append_byte(out, '"');
}

static void append_value(const struct encoder *encoder, struct buf *out, const struct vec *vec,
                         uint32_t row)
{
    struct datum datum;
    char text[64];
    datum_get(&datum, vec, row);
    if (datum.is_null) {
        buf_append_text(out, "null");
        return;
    }
    switch (vec->type->root) {
    case TYPE_BOOLEAN:
        buf_append_text(out, datum.i64 ? "true" : "false");
        break;
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_INT:
    case TYPE_BIGINT:
        buf_append(out, text, str_from_i64(text, datum.i64));
        break;
    case TYPE_FLOAT:
        append_approximate(out, text, str_from_f32(text, (float)datum.f64));
        break;
    case TYPE_DOUBLE:
        append_approximate(out, text, str_from_f64(text, datum.f64));
        break;
    case TYPE_DECIMAL:
        buf_append(out, text, decimal_format(text, datum.decimal, vec->type->scale));
        break;
    case TYPE_BINARY:
    case TYPE_VARBINARY:
        append_base64(out, datum.text);
        break;
    case TYPE_DATE:
        append_quoted(out, text, calendar_format_date(text, (int32_t)datum.i64));
        break;
    case TYPE_TIME:
        append_quoted(out, text, calendar_format_time_brief(text, (int32_t)datum.i64));
        break;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_LTZ:
        append_quoted(out, text, format_timestamp(encoder, vec->type, datum.i64, text));
        break;
    default: /* other types were refused when the encoder was opened */
        append_string(out, datum.text.data, datum.text.length);
        break;
    }
}

static void append_row(const struct encoder *encoder, struct buf *out, const struct batch *batch,
                       uint32_t row)
{
    bool first = true;
    buf_append_byte(out, '{');
    for (uint32_t i = 0; i < encoder->column_count; i++) {
        if (encoder->options.ignore_null_fields && !vec_is_valid(batch->columns[i], row))
            continue;
        if (!first)
            buf_append_byte(out, ',');
        first = false;
        buf_append(out, encoder->names[i].data, encoder->names[i].length);
        append_value(encoder, out, batch->columns[i], row);
    }
    buf_append_byte(out, '}');
}

enum status json_encode(struct encoder *encoder, const struct batch *batch, struct buf *out,
                        uint32_t *offsets, struct error *err)
{
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        offsets[i] = (uint32_t)out->length;
        append_row(encoder, out, batch, batch_row(batch, i));
    }
    offsets[batch->selected_count] = (uint32_t)out->length;
    return buf_check(out, "JSON rows", err);
}

void json_encoder_close(struct encoder *encoder)
{
    if (!encoder)
        return;
    for (uint32_t i = 0; encoder->names && i < encoder->column_count; i++)
        buf_fini(&encoder->names[i]);
    mem_free(encoder->names);
    mem_free(encoder);
}

static enum status open_names(struct encoder *encoder, const struct table_description *table,
                              struct error *err)
{
    encoder->names = mem_calloc(table->field_count + 1, sizeof(*encoder->names));
    if (!encoder->names)
        return error_memory(err, "a JSON encoder", table->field_count * sizeof(struct buf));
    encoder->column_count = table->field_count;
    for (uint32_t i = 0; i < table->field_count; i++) {
        const struct table_field *field = &table->fields[i];
        buf_init(&encoder->names[i], 1u << 20);
        append_string(&encoder->names[i], field->name, strlen(field->name));
        buf_append_byte(&encoder->names[i], ':');
        TRY(buf_check(&encoder->names[i], "a JSON encoder", err));
        TRY(json_check_column(field, table->name, err));
    }
    return OK;
}

enum status json_encoder_open(const struct encoder_request *request, struct encoder **out,
                              struct error *err)
{
    struct encoder *encoder = mem_calloc(1, sizeof(*encoder));
    struct arena arena;
    if (!encoder)
        return error_memory(err, "a JSON encoder", sizeof(*encoder));
    arena_init(&arena, NULL, 1u << 20);
    enum status status =
        option_parse(JSON_OPTIONS, JSON_OPTION_COUNT, request->options, request->option_count, NULL,
                     "format 'json'", &encoder->options, &arena, err);
    arena_fini(&arena);
    if (status == OK)
        status = open_names(encoder, request->table, err);
    if (status != OK) {
        json_encoder_close(encoder);
        return status;
    }
    *out = encoder;
    return OK;
}
