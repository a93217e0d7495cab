/* aggregate.h - aggregate functions: their table, type inference, and batched accumulators.
 *
 * An aggregate call is bound once; its accumulator is a fixed number of bytes inside a row of the
 * operator's state table (operator/), 8-byte aligned. accumulate() adds the selected rows of a batch, each to
 * the accumulator of its group; with `retract` set for rows of kind -U/-D it takes away. Aggregates
 * that cannot be taken away from (MIN, MAX) say so and get the ordered-map state of the operator
 * instead (`needs_values`); on append-only input they run in place.
 *
 * merge() adds a partial accumulator (local/global aggregation, slices); a partial accumulator
 * travels as its bytes.
 */
#ifndef LEAT_FUNCTION_AGGREGATE_H
#define LEAT_FUNCTION_AGGREGATE_H

#include "function/function.h"

struct aggregate_call;

struct aggregate_input {
    const struct vec *arg;     /* FLAT or CONSTANT; NULL for COUNT(*) */
    const uint16_t *selection; /* rows to add, after FILTER; NULL: 0..count */
    const uint8_t *kinds;      /* per row; NULL: all accumulate */
    uint32_t count;
    uint8_t *const *groups; /* accumulator of the i-th selected row (i, not row) */
};

struct aggregate_bound { /* result of binding: const afterwards */
    const struct aggregate_def *def;
    const struct type *arg_type; /* coerced type of the argument; NULL for COUNT(*) */
    const struct type *result;
    bool distinct;
    bool retracting;      /* input has -U/-D rows */
    uint32_t size_bytes;  /* of the accumulator, multiple of 8 */
    bool needs_values;    /* keep an ordered multiset of the values beside (MIN/MAX retracting) */
    void (*init)(const struct aggregate_bound *bound, uint8_t *accumulator);
    /* Text values (MIN/MAX of STRING) are copied into memory the accumulator owns. */
    enum status (*accumulate)(const struct aggregate_bound *bound,
                              const struct aggregate_input *input, struct error *err);
    enum status (*merge)(const struct aggregate_bound *bound, uint8_t *dest, const uint8_t *src,
                         struct error *err);
    /* Value of each accumulator to rows [0, count) of out (flat, capacity given). */
    enum status (*result_of)(const struct aggregate_bound *bound,
                             const uint8_t *const *accumulators, uint32_t count, struct vec *out,
                             struct error *err);
    void (*fini)(const struct aggregate_bound *bound, uint8_t *accumulator); /* NULL: owns nothing */
};

struct aggregate_def {
    const char *name; /* COUNT, SUM, AVG, MIN, MAX ... */
    const char *signature;
    const char *help;
    uint8_t min_args, max_args;
    enum status (*bind)(struct aggregate_bound *bound, struct arena *arena,
                        struct source_pos pos, struct error *err);
};

const struct aggregate_def *aggregate_find(struct str name, bool *known_to_flink);
const struct aggregate_def *const *aggregate_table(size_t *count);

#endif
