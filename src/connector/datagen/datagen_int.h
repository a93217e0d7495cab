/* datagen_int.h - one column's recipe: what its options say, ready for making values.
 *
 * A value is a function of (seed of the column, row number), so it is the same at every reading.
 */
#ifndef LEAT_CONNECTOR_DATAGEN_DATAGEN_INT_H
#define LEAT_CONNECTOR_DATAGEN_DATAGEN_INT_H

#include "base/decimal.h"
#include "plugin/connector.h"

struct datagen_field {
    const struct type *type;
    uint64_t seed;
    bool is_sequence;
    bool has_start, has_end;
    bool var_length; /* texts of 1..length characters */
    double null_rate;
    uint32_t length;     /* characters or bytes */
    int64_t max_past_us; /* times: at most this much before the row's own time */
    int64_t start, end;  /* sequences, inclusive */
    int64_t min, max;    /* integers */
    double min_f64, max_f64;
    decimal128 min_decimal, max_decimal; /* unscaled */
};

/* Rows of one call: row i has number first + i * step and is due at base_us + number * 1e6 / rate.
 */
struct datagen_rows {
    uint64_t first, step;
    uint32_t count;
    int64_t base_us;
    int64_t rows_per_second;
};
int64_t datagen_due_us(const struct datagen_rows *rows, uint32_t index);

/* The recipes of all columns of the table; pairs are the options behind "fields.". */
enum status datagen_fields_parse(const struct table_description *table,
                                 const struct option_pair *pairs, struct datagen_field *fields,
                                 struct error *err) STATUS_CHECKED;
/* vec: new, flat, room for rows->count. */
enum status datagen_fill(const struct datagen_field *field, const struct datagen_rows *rows,
                         struct vec *vec, struct error *err) STATUS_CHECKED;

#endif
