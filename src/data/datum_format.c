/* datum_format.c - values as text: as Flink casts them to STRING and prints them, and as SQL
 * literals.
 *
 * BYTES are printed as x'0aff' as Flink's printer does; CAST(BYTES AS STRING), which decodes them,
 * is in expr/. Fractions have exactly the type's number of digits.
 */
#include "base/calendar.h"
#include "base/must.h"
#include "data/datum.h"

#include <stdio.h>
#include <stdlib.h>

#define MS_PER_SECOND 1000
#define MS_PER_MINUTE 60000
#define MS_PER_HOUR   3600000
#define MS_PER_DAY    86400000

static void format_timestamp(struct buf *out, const struct type *type, int64_t value,
                             const struct zone *zone)
{
    char text[64];
    int64_t us = value, rest_ns = 0;
    if (type->precision > 6) {
        us = value / 1000 - (value % 1000 < 0);
        rest_ns = value - us * 1000;
    }
    if (type->root == TYPE_TIMESTAMP_LTZ && zone)
        us = zone_utc_to_local(zone, us);
    unsigned digits = type->precision;
    size_t length = calendar_format_timestamp(text, us, digits > 6 ? 6 : digits);
    buf_append(out, text, length);
    if (digits > 6) {
        char tail[8];
        snprintf(tail, sizeof(tail), "%03d", (int)rest_ns);
        buf_append(out, tail, digits - 6);
    }
}

/* "+1-02": years and months. */
static void format_months(struct buf *out, int64_t months)
{
    int64_t size = llabs(months);
    buf_printf(out, "%c%lld-%02lld", months < 0 ? '-' : '+', (long long)(size / 12),
               (long long)(size % 12));
}

/* "+1 02:03:04.005": days and time. */
static void format_ms(struct buf *out, int64_t ms)
{
    uint64_t size = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
    buf_printf(out, "%c%llu %02u:%02u:%02u.%03u", ms < 0 ? '-' : '+',
               (unsigned long long)(size / MS_PER_DAY), (unsigned)(size % MS_PER_DAY / MS_PER_HOUR),
               (unsigned)(size % MS_PER_HOUR / MS_PER_MINUTE),
               (unsigned)(size % MS_PER_MINUTE / MS_PER_SECOND), (unsigned)(size % MS_PER_SECOND));
}

static void format_hex(struct buf *out, struct str bytes)
{
    static const char digits[] = "0123456789abcdef";
    buf_append_text(out, "x'");
    for (size_t i = 0; i < bytes.length; i++) {
        uint8_t byte = (uint8_t)bytes.data[i];
        buf_append_byte(out, (uint8_t)digits[byte >> 4]);
        buf_append_byte(out, (uint8_t)digits[byte & 15]);
    }
    buf_append_byte(out, '\'');
}

static void format_list(struct buf *out, const struct datum *datum, const struct zone *zone)
{
    const struct vec *vec = datum->nested;
    struct list_entry entry = ((const struct list_entry *)vec->values)[datum->nested_row];
    bool is_array = datum->type->root == TYPE_ARRAY;
    buf_append_byte(out, is_array ? '[' : '{');
    for (uint32_t i = 0; i < entry.length; i++) {
        if (i)
            buf_append_text(out, ", ");
        datum_format_at(out, vec->children[0], entry.offset + i, zone);
        if (datum->type->root == TYPE_MAP) {
            buf_append_byte(out, '=');
            datum_format_at(out, vec->children[1], entry.offset + i, zone);
        }
    }
    buf_append_byte(out, is_array ? ']' : '}');
}

static void format_row(struct buf *out, const struct datum *datum, const struct zone *zone)
{
    buf_append_byte(out, '(');
    for (uint32_t c = 0; c < datum->nested->child_count; c++) {
        if (c)
            buf_append_text(out, ", ");
        datum_format_at(out, datum->nested->children[c], datum->nested_row, zone);
    }
    buf_append_byte(out, ')');
}

static void format_number(struct buf *out, const struct datum *datum)
{
    char text[64];
    size_t length;
    switch (datum->type->root) {
    case TYPE_FLOAT:
        length = str_from_f32(text, (float)datum->f64);
        break;
    case TYPE_DOUBLE:
        length = str_from_f64(text, datum->f64);
        break;
    case TYPE_DECIMAL:
        length = decimal_format(text, datum->decimal, datum->type->scale);
        break;
    default:
        length = str_from_i64(text, datum->i64);
    }
    buf_append(out, text, length);
}

void datum_format(struct buf *out, const struct datum *datum, const struct zone *zone)
{
    char text[64];
    if (datum->is_null) {
        buf_append_text(out, "NULL");
        return;
    }
    switch (datum->type->root) {
    case TYPE_BOOLEAN:
        buf_append_text(out, datum->i64 ? "TRUE" : "FALSE");
        break;
    case TYPE_CHAR:
    case TYPE_VARCHAR:
        buf_append(out, datum->text.data, datum->text.length);
        break;
    case TYPE_BINARY:
    case TYPE_VARBINARY:
        format_hex(out, datum->text);
        break;
    case TYPE_DATE:
        buf_append(out, text, calendar_format_date(text, (int32_t)datum->i64));
        break;
    case TYPE_TIME:
        buf_append(out, text,
                   calendar_format_time(text, (int32_t)datum->i64, datum->type->precision));
        break;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_LTZ:
        format_timestamp(out, datum->type, datum->i64, zone);
        break;
    case TYPE_INTERVAL_YEAR_MONTH:
        format_months(out, datum->i64);
        break;
    case TYPE_INTERVAL_DAY_TIME:
        format_ms(out, datum->i64);
        break;
    case TYPE_ARRAY:
    case TYPE_MULTISET:
    case TYPE_MAP:
        format_list(out, datum, zone);
        break;
    case TYPE_ROW:
        format_row(out, datum, zone);
        break;
    default:
        format_number(out, datum);
    }
}

void datum_format_at(struct buf *out, const struct vec *vec, uint32_t row, const struct zone *zone)
{
    struct datum datum;
    datum_get(&datum, vec, row);
    datum_format(out, &datum, zone);
}

static void append_quoted(struct buf *out, struct str text)
{
    buf_append_byte(out, '\'');
    for (size_t i = 0; i < text.length; i++) {
        if (text.data[i] == '\'')
            buf_append_byte(out, '\'');
        buf_append_byte(out, (uint8_t)text.data[i]);
    }
    buf_append_byte(out, '\'');
}

/* Intervals have no precision here; their literals carry the signed text without its plus. */
static void format_interval_sql(struct buf *out, const struct datum *datum)
{
    bool is_months = datum->type->root == TYPE_INTERVAL_YEAR_MONTH;
    struct buf text;
    buf_init(&text, 64);
    if (is_months)
        format_months(&text, datum->i64);
    else
        format_ms(&text, datum->i64);
    const char *shown = buf_text(&text);
    buf_printf(out, "INTERVAL '%s' %s", *shown == '+' ? shown + 1 : shown,
               is_months ? "YEAR TO MONTH" : "DAY TO SECOND");
    buf_fini(&text);
}

void datum_format_sql(struct buf *out, const struct datum *datum)
{
    static const char *const words[TYPE_ROOT_COUNT] = {
        [TYPE_DATE] = "DATE '",
        [TYPE_TIME] = "TIME '",
        [TYPE_TIMESTAMP] = "TIMESTAMP '",
        [TYPE_TIMESTAMP_LTZ] = "TIMESTAMP_LTZ '",
    };
    if (datum->is_null) {
        buf_append_text(out, "NULL");
        return;
    }
    enum type_root root = datum->type->root;
    size_t start = out->length;
    if (type_is_text(datum->type)) {
        append_quoted(out, datum->text);
    } else if (type_is_interval(datum->type)) {
        format_interval_sql(out, datum);
    } else if (words[root]) {
        buf_append_text(out, words[root]);
        datum_format(out, datum, NULL);
        buf_append_byte(out, '\'');
    } else {
        datum_format(out, datum, NULL);
        bool is_finite = type_is_approximate(datum->type) && datum->f64 - datum->f64 == 0;
        if (is_finite && !out->failed && !memchr(out->data + start, 'E', out->length - start))
            buf_append_text(out, "E0");
    }
}
