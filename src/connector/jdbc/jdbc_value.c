/* jdbc_value.c - cells in SQLite's terms: INTEGER, REAL, TEXT, BLOB, NULL.
 *
 * A cell's bytes: one tag, then 8 bytes (integer, real) or a length of 4 bytes and the bytes.
 * DECIMAL of at most 15 digits is a REAL (exact when rounded back to its scale), longer ones are
 * TEXT; times are ISO text with the type's number of digits, so that they sort; a REAL that is no
 * number would become NULL and is written as text.
 */
#include "connector/jdbc/jdbc_int.h"

#include "base/calendar.h"
#include "base/decimal.h"
#include "base/must.h"
#include "data/datum.h"
#include "data/utf8.h"
#include "format/csv/csv_value.h"

#define DECIMAL_REAL_DIGITS 15

enum tag { TAG_NULL, TAG_INTEGER, TAG_REAL, TAG_TEXT, TAG_BLOB };

static void append_fixed(struct buf *out, enum tag tag, const void *value)
{
    uint8_t *room = buf_room(out, 9);
    if (!room)
        return;
    room[0] = (uint8_t)tag;
    memcpy(room + 1, value, 8);
    out->length += 9;
}

static void append_integer(struct buf *out, int64_t value)
{
    append_fixed(out, TAG_INTEGER, &value);
}

static void append_sized(struct buf *out, enum tag tag, const char *data, size_t length)
{
    uint32_t size = (uint32_t)length;
    uint8_t *room = buf_room(out, 5 + length);
    if (!room)
        return;
    room[0] = (uint8_t)tag;
    memcpy(room + 1, &size, 4);
    if (length)
        memcpy(room + 5, data, length);
    out->length += 5 + length;
}

static void append_real(struct buf *out, double value)
{
    char text[32];
    if (value != value)
        append_sized(out, TAG_TEXT, text, str_from_f64(text, value));
    else
        append_fixed(out, TAG_REAL, &value);
}

static void append_decimal(struct buf *out, decimal128 value, const struct type *type)
{
    char text[DECIMAL_TEXT_MAX];
    if (type->precision > DECIMAL_REAL_DIGITS)
        append_sized(out, TAG_TEXT, text, decimal_format(text, value, type->scale));
    else if (type->scale == 0)
        append_integer(out, (int64_t)value);
    else /* both are exact doubles, so the quotient is the nearest one */
        append_real(out, (double)(int64_t)value / (double)DECIMAL_POW10_INT64[type->scale]);
}

static void append_timestamp(struct buf *out, const struct type *type, int64_t value)
{
    char text[64];
    size_t length = calendar_format_timestamp_value(text, value, type->precision);
    if (type->root == TYPE_TIMESTAMP_LTZ)
        text[length++] = 'Z';
    append_sized(out, TAG_TEXT, text, length);
}

void jdbc_append_cell(struct buf *out, const struct vec *vec, uint32_t row)
{
    struct datum datum;
    char text[64];
    datum_get(&datum, vec, row);
    if (datum.is_null) {
        buf_append_byte(out, TAG_NULL);
        return;
    }
    switch (vec->type->root) {
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        append_real(out, datum.f64);
        break;
    case TYPE_DECIMAL:
        append_decimal(out, datum.decimal, vec->type);
        break;
    case TYPE_CHAR:
    case TYPE_VARCHAR:
        append_sized(out, TAG_TEXT, datum.text.data, datum.text.length);
        break;
    case TYPE_BINARY:
    case TYPE_VARBINARY:
        append_sized(out, TAG_BLOB, datum.text.data, datum.text.length);
        break;
    case TYPE_DATE:
        append_sized(out, TAG_TEXT, text, calendar_format_date(text, (int32_t)datum.i64));
        break;
    case TYPE_TIME:
        append_sized(out, TAG_TEXT, text,
                     calendar_format_time(text, (int32_t)datum.i64, vec->type->precision));
        break;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_LTZ:
        append_timestamp(out, vec->type, datum.i64);
        break;
    default: /* BOOLEAN and integers; others were refused when the table was opened */
        append_integer(out, datum.i64);
        break;
    }
}

int jdbc_bind(sqlite3_stmt *statement, const uint8_t *bytes, uint32_t count)
{
    int code = SQLITE_OK;
    for (int i = 1; i <= (int)count && code == SQLITE_OK; i++) {
        enum tag tag = (enum tag) * bytes++;
        int64_t integer;
        double real;
        uint32_t length;
        switch (tag) {
        case TAG_NULL:
            code = sqlite3_bind_null(statement, i);
            break;
        case TAG_INTEGER:
            memcpy(&integer, bytes, 8);
            bytes += 8;
            code = sqlite3_bind_int64(statement, i, integer);
            break;
        case TAG_REAL:
            memcpy(&real, bytes, 8);
            bytes += 8;
            code = sqlite3_bind_double(statement, i, real);
            break;
        case TAG_TEXT:
        case TAG_BLOB:
            memcpy(&length, bytes, 4);
            bytes += 4;
            if (tag == TAG_TEXT)
                code = sqlite3_bind_text64(statement, i, (const char *)bytes, length, SQLITE_STATIC,
                                           SQLITE_UTF8);
            else
                code = sqlite3_bind_blob64(statement, i, bytes, length, SQLITE_STATIC);
            bytes += length;
            break;
        }
    }
    return code;
}

static bool fits(int64_t value, const struct type *type)
{
    switch (type->root) {
    case TYPE_BOOLEAN:
        return value == 0 || value == 1;
    case TYPE_TINYINT:
        return value == (int8_t)value;
    case TYPE_SMALLINT:
        return value == (int16_t)value;
    case TYPE_INT:
        return value == (int32_t)value;
    default:
        return true;
    }
}

static bool set_integer(struct vec *vec, uint32_t row, int64_t value)
{
    switch (type_physical(vec->type)) {
    case PHYS_BOOL:
        ((uint8_t *)vec->values)[row] = (uint8_t)value;
        break;
    case PHYS_I8:
        ((int8_t *)vec->values)[row] = (int8_t)value;
        break;
    case PHYS_I16:
        ((int16_t *)vec->values)[row] = (int16_t)value;
        break;
    case PHYS_I32:
        ((int32_t *)vec->values)[row] = (int32_t)value;
        break;
    default:
        ((int64_t *)vec->values)[row] = value;
        break;
    }
    return fits(value, vec->type);
}

static bool set_decimal(struct vec *vec, uint32_t row, decimal128 value)
{
    if (!decimal_fits(value, vec->type->precision))
        return false;
    if (type_physical(vec->type) == PHYS_I64)
        ((int64_t *)vec->values)[row] = (int64_t)value;
    else
        ((decimal128 *)vec->values)[row] = value;
    return true;
}

static bool from_integer(struct vec *vec, uint32_t row, int64_t value)
{
    const struct type *type = vec->type;
    if (type->root == TYPE_BOOLEAN || type_is_integer(type))
        return set_integer(vec, row, value);
    if (type->root == TYPE_DOUBLE)
        ((double *)vec->values)[row] = (double)value;
    else if (type->root == TYPE_FLOAT)
        ((float *)vec->values)[row] = (float)value;
    else if (type->root == TYPE_DECIMAL) {
        decimal128 wide = value;
        return decimal_rescale(&wide, 0, type->scale) && set_decimal(vec, row, wide);
    } else {
        return false;
    }
    return true;
}

static bool from_real(struct vec *vec, uint32_t row, double value)
{
    const struct type *type = vec->type;
    if (type->root == TYPE_DOUBLE) {
        ((double *)vec->values)[row] = value;
        return true;
    }
    if (type->root == TYPE_FLOAT) {
        ((float *)vec->values)[row] = (float)value;
        return true;
    }
    decimal128 wide;
    if (type->root == TYPE_DECIMAL)
        return decimal_from_f64(value, type->precision, type->scale, &wide) &&
               set_decimal(vec, row, wide);
    bool whole = value >= -0x1p63 && value < 0x1p63 && value == (double)(int64_t)value;
    return type_is_integer(type) && whole && set_integer(vec, row, (int64_t)value);
}

/* An instant without its Z. */
static bool set_utc(struct vec *vec, uint32_t row, struct str text)
{
    char with_zone[64];
    if (text.length >= sizeof(with_zone))
        return false;
    memcpy(with_zone, text.data, text.length);
    with_zone[text.length] = 'Z';
    return csv_set_cell(vec, row, (struct str){with_zone, text.length + 1}, false) == CSV_CELL_OK;
}

/* Texts of all types but BYTES. */
static bool from_text(struct vec *vec, uint32_t row, struct str text, enum status *status,
                      struct error *err)
{
    const struct type *type = vec->type;
    if (type_is_text(type)) {
        *status = vec_set_text(vec, row, text.data, text.length, err);
        return *status != OK || utf8_valid(text.data, text.length);
    }
    if (type->root == TYPE_BOOLEAN && !str_eq_nocase(text, STR("true")) &&
        !str_eq_nocase(text, STR("false")))
        return false;
    if (type->root == TYPE_TIMESTAMP_LTZ && text.length && text.data[text.length - 1] != 'Z')
        return set_utc(vec, row, text);
    return !type_is_bytes(type) && csv_set_cell(vec, row, text, false) == CSV_CELL_OK;
}

static enum status bad_cell(const struct vec *vec, sqlite3_stmt *statement, int column,
                            struct error *err)
{
    static const char *const kinds[] = {"?", "integer", "real", "text", "blob", "NULL"};
    int kind = sqlite3_column_type(statement, column);
    struct buf type;
    buf_init(&type, 4096);
    type_format(&type, vec->type);
    enum status status = error_set(
        err, ERR_DATA, "column '%s': the %s '%.60s' is not a valid %s",
        sqlite3_column_name(statement, column), kinds[kind >= 1 && kind <= 5 ? kind : 0],
        kind == SQLITE_BLOB ? "..." : (const char *)sqlite3_column_text(statement, column),
        buf_text(&type));
    buf_fini(&type);
    return status;
}

enum status jdbc_read_cell(struct vec *vec, uint32_t row, sqlite3_stmt *statement, int column,
                           struct error *err)
{
    enum status status = OK;
    bool good = false;
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_NULL:
        return csv_set_null(vec, row, err);
    case SQLITE_INTEGER:
        good = from_integer(vec, row, sqlite3_column_int64(statement, column));
        break;
    case SQLITE_FLOAT:
        good = from_real(vec, row, sqlite3_column_double(statement, column));
        break;
    default: {
        bool is_blob = sqlite3_column_type(statement, column) == SQLITE_BLOB;
        const char *data = sqlite3_column_blob(statement, column);
        struct str text = {data ? data : "", (size_t)sqlite3_column_bytes(statement, column)};
        if (is_blob || type_is_bytes(vec->type)) {
            good = type_is_bytes(vec->type);
            if (good)
                status = vec_set_text(vec, row, text.data, text.length, err);
        } else {
            good = from_text(vec, row, text, &status, err);
        }
        break;
    }
    }
    if (status != OK || good)
        return status;
    return bad_cell(vec, statement, column, err);
}
