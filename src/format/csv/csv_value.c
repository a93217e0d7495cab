/* csv_value.c - one text to one cell and the text forms of values; see csv_value.h. */
#include "format/csv/csv_value.h"

#include "base/calendar.h"
#include "base/decimal.h"

#define NS_PER_US 1000

enum status csv_set_null(struct vec *vec, uint32_t row, struct error *err)
{
    if (!vec->validity)
        TRY(vec_make_validity(vec, err));
    vec_clear_valid(vec, row);
    size_t size = physical_size_bytes(type_physical(vec->type));
    memset((uint8_t *)vec->values + row * size, 0, size);
    return OK;
}

static enum csv_cell set_integer(struct vec *vec, uint32_t row, struct str text)
{
    int64_t value;
    if (!str_to_i64(text, &value, NULL))
        return CSV_CELL_BAD;
    switch (vec->type->root) {
    case TYPE_TINYINT:
        ((int8_t *)vec->values)[row] = (int8_t)value;
        return value == (int8_t)value ? CSV_CELL_OK : CSV_CELL_BAD;
    case TYPE_SMALLINT:
        ((int16_t *)vec->values)[row] = (int16_t)value;
        return value == (int16_t)value ? CSV_CELL_OK : CSV_CELL_BAD;
    case TYPE_INT:
        ((int32_t *)vec->values)[row] = (int32_t)value;
        return value == (int32_t)value ? CSV_CELL_OK : CSV_CELL_BAD;
    default:
        ((int64_t *)vec->values)[row] = value;
        return CSV_CELL_OK;
    }
}

/* Too many digits is NULL, as in Flink's DecimalData.fromBigDecimal. */
static enum csv_cell set_decimal(struct vec *vec, uint32_t row, struct str text)
{
    const struct type *type = vec->type;
    bool overflow = false, good;
    if (type->precision <= DECIMAL_PRECISION_MAX_INT64)
        good = decimal_parse_i64(text, type->precision, type->scale, &((int64_t *)vec->values)[row],
                                 &overflow);
    else
        good = decimal_parse(text, type->precision, type->scale, &((decimal128 *)vec->values)[row],
                             &overflow);
    return good ? CSV_CELL_OK : overflow ? CSV_CELL_NULL : CSV_CELL_BAD;
}

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static enum csv_cell set_base64(struct vec *vec, uint32_t row, struct str text)
{
    size_t length = text.length;
    while (length && text.data[length - 1] == '=' && text.length - length < 2)
        length--;
    if (text.length % 4 != 0 || length % 4 == 1)
        return CSV_CELL_BAD;
    size_t size = length / 4 * 3 + (length % 4 ? length % 4 - 1 : 0), at = 0;
    char *dest = vec_string_room(vec, size + 1);
    if (!dest)
        return CSV_CELL_MEMORY;
    uint32_t bits = 0, have = 0;
    for (size_t i = 0; i < length; i++) {
        int digit = base64_digit((uint8_t)text.data[i]);
        if (digit < 0)
            return CSV_CELL_BAD;
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have >= 8) {
            have -= 8;
            dest[at++] = (char)(bits >> have & 0xff);
        }
    }
    ((struct view *)vec->values)[row] = view_of(dest, size);
    return CSV_CELL_OK;
}

static enum csv_cell set_timestamp(struct vec *vec, uint32_t row, struct str text)
{
    int64_t *value = &((int64_t *)vec->values)[row];
    if (vec->type->root == TYPE_TIMESTAMP_LTZ) { /* "...Z": an instant in UTC */
        if (!text.length || text.data[text.length - 1] != 'Z')
            return CSV_CELL_BAD;
        text.length--;
    }
    if (!calendar_parse_timestamp(text, value))
        return CSV_CELL_BAD;
    if (vec->type->precision <= 6)
        return CSV_CELL_OK;
    bool overflow = __builtin_mul_overflow(*value, NS_PER_US, value) ||
                    __builtin_add_overflow(*value, calendar_rest_ns(text), value);
    return overflow ? CSV_CELL_BAD : CSV_CELL_OK;
}

enum csv_cell csv_set_cell(struct vec *vec, uint32_t row, struct str text, bool stays)
{
    struct str trimmed = str_trim(text);
    bool good;
    switch (vec->type->root) {
    case TYPE_CHAR:
    case TYPE_VARCHAR:
        if (!stays)
            return vec_set_text(vec, row, text.data, text.length, NULL) == OK ? CSV_CELL_OK
                                                                              : CSV_CELL_MEMORY;
        ((struct view *)vec->values)[row] = view_of(text.data, text.length);
        return CSV_CELL_OK;
    case TYPE_BINARY:
    case TYPE_VARBINARY:
        return set_base64(vec, row, text);
    case TYPE_BOOLEAN: /* as Java's parseBoolean: whatever is not true is false */
        ((uint8_t *)vec->values)[row] = str_eq_nocase(trimmed, STR("true"));
        return CSV_CELL_OK;
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_INT:
    case TYPE_BIGINT:
        return set_integer(vec, row, trimmed);
    case TYPE_FLOAT:
        good = str_to_f32(trimmed, &((float *)vec->values)[row]);
        break;
    case TYPE_DOUBLE:
        good = str_to_f64(trimmed, &((double *)vec->values)[row]);
        break;
    case TYPE_DECIMAL:
        return set_decimal(vec, row, trimmed);
    case TYPE_DATE:
        good = calendar_parse_date(trimmed, &((int32_t *)vec->values)[row]);
        break;
    case TYPE_TIME:
        good = calendar_parse_time(trimmed, &((int32_t *)vec->values)[row]);
        break;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_LTZ:
        return set_timestamp(vec, row, trimmed);
    default:
        return CSV_CELL_BAD; /* such columns were refused when the table was opened */
    }
    return good ? CSV_CELL_OK : CSV_CELL_BAD;
}

enum status csv_check_column(const struct table_field *field, const char *table, const char *who,
                             struct error *err)
{
    switch (field->type->root) {
    case TYPE_ARRAY:
    case TYPE_MAP:
    case TYPE_MULTISET:
    case TYPE_ROW:
    case TYPE_INTERVAL_YEAR_MONTH:
    case TYPE_INTERVAL_DAY_TIME:
    case TYPE_NULL: {
        struct buf type;
        buf_init(&type, 4096);
        type_format(&type, field->type);
        enum status status =
            error_set(err, ERR_UNSUPPORTED, "table %s: %s: column '%s' of type %s is not built",
                      table, who, field->name, buf_text(&type));
        buf_fini(&type);
        return status;
    }
    default:
        return OK;
    }
}

/* Take the zeros off the end of a text with `digits` fraction digits, and the point. */
static size_t without_zeros(const char *text, size_t length, unsigned digits)
{
    while (digits && text[length - 1] == '0') {
        length--;
        digits--;
    }
    return digits ? length : length - 1;
}

size_t csv_format_timestamp(char *dest, const struct type *type, int64_t value)
{
    int64_t us = value;
    if (type->precision <= 6)
        return without_zeros(dest, calendar_format_timestamp(dest, us, 6), 6);
    us = value / NS_PER_US - (value % NS_PER_US < 0);
    int64_t rest_ns = value - us * NS_PER_US;
    size_t length = calendar_format_timestamp(dest, us, 6);
    for (int64_t unit = 100; unit > 0; unit /= 10)
        dest[length++] = (char)('0' + rest_ns / unit % 10);
    return without_zeros(dest, length, 9);
}

size_t csv_format_time(char *dest, int32_t ms)
{
    return without_zeros(dest, calendar_format_time(dest, ms, 3), 3);
}

void csv_append_base64(struct buf *out, const void *bytes, size_t size_bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *data = bytes;
    for (size_t i = 0; i < size_bytes; i += 3) {
        uint32_t bits = (uint32_t)data[i] << 16;
        bits |= i + 1 < size_bytes ? (uint32_t)data[i + 1] << 8 : 0;
        bits |= i + 2 < size_bytes ? data[i + 2] : 0;
        char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                        i + 1 < size_bytes ? digits[bits >> 6 & 63] : '=',
                        i + 2 < size_bytes ? digits[bits & 63] : '='};
        buf_append(out, four, 4);
    }
}
