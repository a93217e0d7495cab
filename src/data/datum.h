/* datum.h - one value with its type: literals, defaults, printed rows. Not for data paths. */
#ifndef LEAT_DATA_DATUM_H
#define LEAT_DATA_DATUM_H

#include "base/buffer.h"
#include "base/decimal.h"
#include "data/vec.h"

struct datum {
    const struct type *type;
    bool is_null;
    union {
        int64_t i64; /* BOOLEAN, integers, DATE, TIME, timestamps, intervals (the vector's units) */
        double f64;  /* FLOAT, DOUBLE */
        decimal128 decimal; /* DECIMAL of any precision */
        struct str text;    /* CHAR .. VARBINARY; bytes in the arena it was made in */
        struct { /* ARRAY, MAP, MULTISET, ROW: row nested_row of a flat or constant vector */
            struct vec *nested; /* borrowed */
            uint32_t nested_row;
        };
    };
};

/* The value of vec at row; text points into the vector. */
void datum_get(struct datum *out, const struct vec *vec, uint32_t row);
/* A CONSTANT vector of length rows. */
enum status datum_to_vec(struct vec **out, const struct datum *datum, uint32_t length,
                         struct error *err) STATUS_CHECKED;
bool datum_equals(const struct datum *a, const struct datum *b); /* NULL equals NULL */

/* The datum with its text in arena (nested ones still borrow their vector). False: no memory. */
bool datum_keep(struct arena *arena, struct datum *datum);

/* As Flink's CAST(x AS STRING) and its table output print it: NULL, TRUE, 1.0, 2020-01-01 10:00:00,
 * [1, 2], {k=v}, (1, a). zone: for TIMESTAMP_LTZ, NULL = UTC. */
struct zone;
void datum_format(struct buf *out, const struct datum *datum, const struct zone *zone);
/* The same of one value inside a vector, without making a datum of it first. */
void datum_format_at(struct buf *out, const struct vec *vec, uint32_t row, const struct zone *zone);
/* As an SQL literal, for EXPLAIN: 'text', 12.5, TIMESTAMP '2020-01-01 10:00:00'. */
void datum_format_sql(struct buf *out, const struct datum *datum);

#endif
