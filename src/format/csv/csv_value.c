/* csv_value.c - one text to one cell and the text forms of values; see csv_value.h. */
#include "format/csv/csv_value.h"

#include "base/base64.h"
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

static enum csv_cell set_base64(struct vec *vec, uint32_t row, struct str text)
{
    size_t size;
    char *dest = vec_string_room(vec, text.length + 1);
    if (!dest)
        return CSV_CELL_MEMORY;
    if (text.length % 4 != 0 || !base64_decode(dest, text, &size)) /* padding may not be absent */
        return CSV_CELL_BAD;
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
