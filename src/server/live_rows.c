/* live_rows.c - see live_rows.h. */
#include "server/live_rows.h"

#include <math.h>

#include "base/hash.h"
#include "base/json_text.h"
#include "base/must.h"

#define BUCKETS   4096 /* for LIVE_ROWS_MAX rows: chains of three at most on average */
#define EXACT_MAX (INT64_C(1) << 53)

enum status live_rows_init(struct live_rows *rows, enum live_shape shape, uint32_t keep,
                           struct error *err)
{
    *rows = (struct live_rows){.shape = shape, .keep = keep};
    if (shape == LIVE_APPEND)
        return OK;
    rows->buckets = mem_calloc(BUCKETS, sizeof(*rows->buckets));
    return rows->buckets ? OK : error_memory(err, "live rows", BUCKETS * sizeof(void *));
}

void live_rows_fini(struct live_rows *rows)
{
    while (rows->oldest) {
        struct live_row *row = rows->oldest;
        rows->oldest = row->newer;
        mem_free(row->text);
        mem_free(row);
    }
    mem_free(rows->buckets);
    *rows = (struct live_rows){0};
}

static struct str key_of(const struct live_row *row)
{
    return (struct str){row->key, row->key_length};
}

static struct live_row **find(struct live_rows *rows, struct str key)
{
    struct live_row **at = &rows->buckets[hash_bytes(key.data, key.length) % BUCKETS];
    while (*at && !str_eq(key_of(*at), key))
        at = &(*at)->chain;
    return at;
}

static void touch(struct live_rows *rows, struct live_row *row)
{
    if (row->touched)
        return;
    row->touched = true;
    if (rows->shape == LIVE_APPEND) {
        rows->touched = rows->touched ? rows->touched : row;
        return;
    }
    row->next_touched = rows->touched;
    rows->touched = row;
}

static void link_newest(struct live_rows *rows, struct live_row *row)
{
    row->older = rows->newest;
    row->newer = NULL;
    *(rows->newest ? &rows->newest->newer : &rows->oldest) = row;
    rows->newest = row;
}

static void unlink_row(struct live_rows *rows, struct live_row *row)
{
    *(row->older ? &row->older->newer : &rows->oldest) = row->newer;
    *(row->newer ? &row->newer->older : &rows->newest) = row->older;
}

/* A row that is not among the touched ones any more. */
static void drop(struct live_rows *rows, struct live_row *row)
{
    unlink_row(rows, row);
    if (rows->buckets) {
        struct live_row **at = find(rows, key_of(row));
        must(*at == row);
        *at = row->chain;
    }
    rows->bytes -= row->key_length + row->text_length;
    if (!row->gone)
        rows->row_count--;
    mem_free(row->text);
    mem_free(row);
}

static bool set_text(struct live_rows *rows, struct live_row *row, struct str text)
{
    char *copy = mem_realloc(row->text, text.length);
    if (!copy)
        return false;
    memcpy(copy, text.data, text.length);
    rows->bytes += text.length;
    rows->bytes -= row->text_length;
    row->text = copy;
    row->text_length = (uint32_t)text.length;
    return true;
}

static struct live_row *row_new(struct live_rows *rows, struct str key, struct str text)
{
    struct live_row *row = mem_calloc(1, sizeof(*row) + key.length);
    if (!row || !set_text(rows, row, text)) {
        mem_free(row);
        return NULL;
    }
    row->count = 1;
    row->key_length = (uint32_t)key.length;
    memcpy(row->key, key.data, key.length);
    rows->bytes += key.length;
    return row;
}

static enum status check_bounds(const struct live_rows *rows, struct error *err)
{
    if (rows->row_count <= LIVE_ROWS_MAX && rows->bytes <= LIVE_BYTES_MAX)
        return OK;
    error_set(err, ERR_LIMIT, "the result is larger than a panel holds: %d rows and %u KiB",
              LIVE_ROWS_MAX, LIVE_BYTES_MAX >> 10);
    error_hint(err, "narrow the query: WHERE, fewer columns or a coarser GROUP BY");
    return ERR_LIMIT;
}

static void evict(struct live_rows *rows)
{
    while (rows->oldest && (rows->row_count > rows->keep || rows->bytes > LIVE_BYTES_MAX)) {
        if (rows->touched == rows->oldest)
            rows->touched = rows->oldest->newer;
        drop(rows, rows->oldest);
    }
}

static enum status add(struct live_rows *rows, struct str key, struct str text, struct error *err)
{
    struct live_row *row = row_new(rows, key, text);
    if (!row)
        return error_memory(err, "live rows", sizeof(*row) + key.length + text.length);
    link_newest(rows, row);
    rows->row_count++;
    touch(rows, row);
    if (rows->shape == LIVE_APPEND) {
        evict(rows);
        return OK;
    }
    struct live_row **at = find(rows, key);
    row->chain = *at;
    *at = row;
    return check_bounds(rows, err);
}

static enum status accumulate(struct live_rows *rows, struct str key, struct str text,
                              struct error *err)
{
    struct live_row **at = find(rows, key);
    if (!*at)
        return add(rows, key, text, err);
    if ((*at)->gone) {
        (*at)->gone = false;
        (*at)->count = 0;
        rows->row_count++;
    }
    (*at)->count++;
    touch(rows, *at);
    if (rows->shape == LIVE_LOOSE)
        return OK;
    if (!set_text(rows, *at, text))
        return error_memory(err, "live rows", text.length);
    return check_bounds(rows, err);
}

static void take_back(struct live_rows *rows, struct str key)
{
    struct live_row *row = *find(rows, key);
    if (!row || row->gone)
        return;
    touch(rows, row);
    if (rows->shape == LIVE_LOOSE && --row->count)
        return;
    row->gone = true;
    rows->row_count--;
}

enum status live_rows_apply(struct live_rows *rows, uint8_t kind, struct str key, struct str text,
                            struct error *err)
{
    if (rows->shape == LIVE_APPEND)
        return add(rows, (struct str){"", 0}, text, err);
    if (row_kind_is_accumulate(kind))
        return accumulate(rows, key, text, err);
    take_back(rows, key);
    return OK;
}

bool live_rows_whole(const struct live_rows *rows)
{
    return rows->shape == LIVE_LOOSE || rows->shape == LIVE_SINGLE;
}

bool live_rows_changed(const struct live_rows *rows)
{
    return rows->touched != NULL;
}

static void append_element(struct buf *out, const char *bytes, size_t length)
{
    if (out->length && out->data[out->length - 1] != '[')
        buf_append_byte(out, ',');
    buf_append(out, bytes, length);
}

/* The touched ones in the order in which they were, chained by next_touched. */
static struct live_row *take_touched(struct live_rows *rows)
{
    struct live_row *first = NULL, *next;
    rows->seq++;
    if (rows->shape == LIVE_APPEND) {
        first = rows->touched;
        for (struct live_row *row = first; row; row = row->newer)
            row->next_touched = row->newer;
    }
    for (struct live_row *row = rows->touched; row && rows->shape != LIVE_APPEND; row = next) {
        next = row->next_touched;
        row->next_touched = first;
        first = row;
    }
    rows->touched = NULL;
    return first;
}

static void told(struct live_rows *rows, struct live_row *row)
{
    row->touched = false;
    row->known = true;
    if (row->gone)
        drop(rows, row);
}

void live_rows_frame(struct live_rows *rows, struct buf *out)
{
    struct live_row *first = take_touched(rows), *next;
    must(!live_rows_whole(rows));
    buf_printf(out, ",\"seq\":%llu,\"upserts\":[", (unsigned long long)rows->seq);
    for (struct live_row *row = first; row; row = row->next_touched)
        if (!row->gone)
            append_element(out, row->text, row->text_length);
    buf_append_text(out, "],\"deletes\":[");
    for (struct live_row *row = first; row; row = next) {
        next = row->next_touched;
        if (row->gone && row->known)
            append_element(out, row->key, row->key_length);
        told(rows, row);
    }
    buf_append_byte(out, ']');
}

void live_rows_settle(struct live_rows *rows)
{
    for (struct live_row *row = take_touched(rows), *next; row; row = next) {
        next = row->next_touched;
        told(rows, row);
    }
}

void live_rows_snapshot(struct live_rows *rows, struct buf *out)
{
    buf_append_text(out, "\"rows\":[");
    for (struct live_row *row = rows->oldest; row; row = row->newer) {
        if (row->gone || (rows->shape == LIVE_APPEND && row->touched))
            continue;
        row->known = true;
        for (uint32_t i = 0; i < (rows->shape == LIVE_LOOSE ? row->count : 1); i++)
            append_element(out, row->text, row->text_length);
    }
    buf_append_byte(out, ']');
}

/* ---- values */

static void double_value(struct buf *out, double value, bool single)
{
    char text[32];
    if (isfinite(value)) {
        size_t length = single ? str_from_f32(text, (float)value) : str_from_f64(text, value);
        buf_append(out, text, length);
    } else {
        buf_append_text(out, isnan(value) ? "\"NaN\""
                             : value > 0  ? "\"Infinity\""
                                          : "\"-Infinity\"");
    }
}

/* As text; a timestamp's blank becomes T, that of an instant is UTC. */
static void text_value(struct buf *out, const struct datum *datum, const struct zone *zone)
{
    struct buf text;
    enum type_root root = datum->type->root;
    bool instant = root == TYPE_TIMESTAMP_LTZ, stamp = instant || root == TYPE_TIMESTAMP;
    buf_init(&text, LIVE_BYTES_MAX);
    datum_format(&text, datum, instant ? NULL : zone);
    uint8_t *blank = stamp && text.length ? memchr(text.data, ' ', text.length) : NULL;
    if (blank)
        *blank = 'T';
    if (instant)
        buf_append_byte(&text, 'Z');
    if (text.failed) /* longer than a panel holds: the caller meets the bound */
        out->failed = out->over_limit = true;
    json_text_append(out, str_of(buf_text(&text)));
    buf_fini(&text);
}

void live_value(struct buf *out, const struct vec *vec, uint32_t row, const struct zone *zone)
{
    struct datum datum;
    datum_get(&datum, vec, row);
    if (datum.is_null) {
        buf_append_text(out, "null");
        return;
    }
    switch (datum.type->root) {
    case TYPE_BOOLEAN:
        buf_append_text(out, datum.i64 ? "true" : "false");
        return;
    case TYPE_TINYINT:
    case TYPE_SMALLINT:
    case TYPE_INT:
        buf_printf(out, "%lld", (long long)datum.i64);
        return;
    case TYPE_BIGINT: {
        bool exact = datum.i64 >= -EXACT_MAX && datum.i64 <= EXACT_MAX;
        buf_printf(out, exact ? "%lld" : "\"%lld\"", (long long)datum.i64);
        return;
    }
    case TYPE_FLOAT:
    case TYPE_DOUBLE:
        double_value(out, datum.f64, datum.type->root == TYPE_FLOAT);
        return;
    default:
        text_value(out, &datum, zone);
        return;
    }
}
