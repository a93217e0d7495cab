/* print_value.c - rows as org.apache.flink.types.Row.toString() gives them: each value as the
 * toString() of the Java object that Flink hands out (LocalDateTime, BigDecimal, Instant, ...).
 */
#include "connector/print/print_int.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/calendar.h"
#include "base/must.h"
#include "data/datum.h"

#define NS_PER_SECOND  INT64_C(1000000000)
#define MS_PER_HOUR    3600000
#define MS_PER_MINUTE  60000
#define MS_PER_SECOND  1000
#define PLAIN_EXPONENT 6 /* BigDecimal.toString: zeros after the point before it turns to E */

static void append_value(struct buf *out, const struct vec *vec, uint32_t row);

/* java.time: 3, 6 or 9 digits, none when zero. */
static void append_fraction(struct buf *out, int64_t ns)
{
    if (ns == 0)
        return;
    if (ns % 1000000 == 0)
        buf_printf(out, ".%03d", (int)(ns / 1000000));
    else if (ns % 1000 == 0)
        buf_printf(out, ".%06d", (int)(ns / 1000));
    else
        buf_printf(out, ".%09d", (int)ns);
}

/* LocalTime.toString: seconds only when they or the fraction are not zero, or when asked for. */
static void append_time(struct buf *out, int64_t second_of_day, int64_t ns, bool always_seconds)
{
    buf_printf(out, "%02d:%02d", (int)(second_of_day / 3600), (int)(second_of_day / 60 % 60));
    if (second_of_day % 60 == 0 && ns == 0 && !always_seconds)
        return;
    buf_printf(out, ":%02d", (int)(second_of_day % 60));
    append_fraction(out, ns);
}

static void append_date(struct buf *out, int64_t days)
{
    char text[40];
    buf_append(out, text, calendar_format_date(text, (int32_t)days));
}

static void append_timestamp(struct buf *out, const struct type *type, int64_t value)
{
    int64_t unit = type->precision > 6 ? NS_PER_SECOND : US_PER_SECOND;
    int64_t seconds = value / unit - (value % unit < 0), rest = value - seconds * unit;
    int64_t days = seconds / 86400 - (seconds % 86400 < 0);
    bool is_instant = type->root == TYPE_TIMESTAMP_LTZ;
    append_date(out, days);
    buf_append_byte(out, 'T');
    append_time(out, seconds - days * 86400, rest * (NS_PER_SECOND / unit), is_instant);
    if (is_instant)
        buf_append_byte(out, 'Z');
}

/* BigDecimal.toString: plain while the first digit is at most six places behind the point. */
static void append_decimal(struct buf *out, decimal128 value, unsigned scale)
{
    char text[DECIMAL_TEXT_MAX];
    size_t length = decimal_format(text, value, 0);
    const char *digits = text[0] == '-' ? text + 1 : text;
    size_t digit_count = length - (size_t)(digits - text);
    int exponent = (int)digit_count - 1 - (int)scale;
    if (scale == 0 || exponent >= -PLAIN_EXPONENT) {
        buf_append(out, text, decimal_format(text, value, scale));
        return;
    }
    if (text[0] == '-')
        buf_append_byte(out, '-');
    buf_append(out, digits, 1);
    if (digit_count > 1)
        buf_append_byte(out, '.');
    buf_append(out, digits + 1, digit_count - 1);
    buf_printf(out, "E%d", exponent);
}

static void append_period(struct buf *out, int64_t months)
{
    if (months == 0) {
        buf_append_text(out, "P0D");
        return;
    }
    buf_append_byte(out, 'P');
    if (months / 12)
        buf_printf(out, "%dY", (int)(months / 12));
    if (months % 12)
        buf_printf(out, "%dM", (int)(months % 12));
}

/* Duration.toString: hours are not made days; a negative fraction belongs to the seconds. */
static void append_duration(struct buf *out, int64_t ms)
{
    if (ms == 0) {
        buf_append_text(out, "PT0S");
        return;
    }
    int64_t hours = ms / MS_PER_HOUR, minutes = ms / MS_PER_MINUTE % 60, rest = ms % MS_PER_MINUTE;
    buf_append_text(out, "PT");
    if (hours)
        buf_printf(out, "%lldH", (long long)hours);
    if (minutes)
        buf_printf(out, "%dM", (int)minutes);
    if (!rest)
        return;
    buf_printf(out, "%s%d", rest < 0 ? "-" : "", (int)(llabs(rest) / MS_PER_SECOND));
    int fraction = (int)(llabs(rest) % MS_PER_SECOND), digits = 3;
    for (; fraction && fraction % 10 == 0; digits--)
        fraction /= 10;
    if (fraction)
        buf_printf(out, ".%0*d", digits, fraction);
    buf_append_byte(out, 'S');
}

static void append_bytes(struct buf *out, struct str bytes)
{
    buf_append_byte(out, '[');
    for (size_t i = 0; i < bytes.length; i++)
        buf_printf(out, "%s%d", i ? ", " : "", (signed char)bytes.data[i]);
    buf_append_byte(out, ']');
}

static void append_list(struct buf *out, const struct vec *vec, uint32_t row)
{
    const struct list_entry *entry = &((const struct list_entry *)vec->values)[row];
    bool is_map = vec->type->root == TYPE_MAP;
    buf_append_byte(out, is_map ? '{' : '[');
    for (uint32_t i = 0; i < entry->length; i++) {
        if (i)
            buf_append_text(out, ", ");
        append_value(out, vec->children[0], entry->offset + i);
        if (is_map) {
            buf_append_byte(out, '=');
            append_value(out, vec->children[1], entry->offset + i);
        }
    }
    buf_append_byte(out, is_map ? '}' : ']');
}

static void append_nested(struct buf *out, const struct vec *vec, uint32_t row)
{
    if (vec->type->root != TYPE_ROW) {
        append_list(out, vec, row);
        return;
    }
    buf_append_text(out, "+I[");
    for (uint32_t i = 0; i < vec->child_count; i++) {
        if (i)
            buf_append_text(out, ", ");
        append_value(out, vec->children[i], row);
    }
    buf_append_byte(out, ']');
}

static void append_value(struct buf *out, const struct vec *vec, uint32_t row)
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
        buf_append(out, text, str_from_f32(text, (float)datum.f64));
        break;
    case TYPE_DOUBLE:
        buf_append(out, text, str_from_f64(text, datum.f64));
        break;
    case TYPE_DECIMAL:
        append_decimal(out, datum.decimal, vec->type->scale);
        break;
    case TYPE_BINARY:
    case TYPE_VARBINARY:
        append_bytes(out, datum.text);
        break;
    case TYPE_DATE:
        append_date(out, datum.i64);
        break;
    case TYPE_TIME:
        append_time(out, datum.i64 / MS_PER_SECOND, datum.i64 % MS_PER_SECOND * 1000000, false);
        break;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_LTZ:
        append_timestamp(out, vec->type, datum.i64);
        break;
    case TYPE_INTERVAL_YEAR_MONTH:
        append_period(out, datum.i64);
        break;
    case TYPE_INTERVAL_DAY_TIME:
        append_duration(out, datum.i64);
        break;
    case TYPE_ARRAY:
    case TYPE_MAP:
    case TYPE_ROW:
        append_nested(out, datum.nested, datum.nested_row);
        break;
    default: /* CHAR, VARCHAR; others were refused when the sink was opened */
        buf_append(out, datum.text.data, datum.text.length);
        break;
    }
}

static bool is_printable(const struct type *type)
{
    for (uint32_t i = 0; i < type->child_count; i++)
        if (!is_printable(type->children[i]))
            return false;
    return type->root != TYPE_MULTISET;
}

enum status print_check_column(const struct table_field *field, const char *table,
                               struct error *err)
{
    if (is_printable(field->type))
        return OK;
    return error_set(err, ERR_UNSUPPORTED,
                     "table %s: print: column '%s' holds a MULTISET, whose printing is not built",
                     table, field->name);
}

void print_row(struct buf *out, const struct batch *batch, uint32_t row)
{
    buf_append_text(out, row_kind_text(batch_kind(batch, row)));
    buf_append_byte(out, '[');
    for (uint32_t i = 0; i < batch->column_count; i++) {
        if (i)
            buf_append_text(out, ", ");
        append_value(out, batch->columns[i], row);
    }
    buf_append_byte(out, ']');
}
