/* aggregate.h - aggregate functions: their table, type inference, and batched accumulators.
 *
 * An aggregate call is bound once; its accumulator is a fixed number of bytes inside a row of the
 * operator's state table (operator/), 8-byte aligned. accumulate() adds the selected rows of a
 * batch, each to the accumulator of its group; with `retract` set for rows of kind -U/-D it takes
 * away. Aggregates that cannot be taken away from (MIN, MAX) keep an ordered multiset of their
 * values in memory that the accumulator owns (reserved with the owner of the binding's operator);
 * on append-only input they run in place.
 *
 * DISTINCT is the operator's: it keeps the values seen and passes each one on once.
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
    const uint16_t *selection; /* rows to add, after FILTER; NULL: 0..count (a row with NULL adds
                                * nothing) */
    const uint8_t *kinds;      /* per row; NULL: all accumulate */
    uint32_t count;
    struct mem_owner *owner; /* for what accumulators own; may be NULL */
    uint8_t *const *groups;  /* state row of the i-th selected row (i, not row) ... */
    uint32_t offset_bytes;   /* ... and where the call's accumulator lies in it */
};

struct aggregate_bound { /* result of binding: const afterwards */
    const struct aggregate_def *def;
    const struct type *arg_type; /* coerced type of the argument; NULL for COUNT(*) */
    const struct type *result;
    bool distinct;
    bool retracting;     /* input has -U/-D rows */
    uint32_t size_bytes; /* of the accumulator, multiple of 8 */
    bool portable;       /* the accumulator owns nothing: its bytes may travel (local/global) */
    void (*init)(const struct aggregate_bound *bound, uint8_t *accumulator);
    /* Text values (MIN/MAX of STRING) are copied into memory the accumulator owns. */
    enum status (*accumulate)(const struct aggregate_bound *bound,
                              const struct aggregate_input *input, struct error *err);
    /* Both of portable calls; src need not be aligned. */
    enum status (*merge)(const struct aggregate_bound *bound, uint8_t *dest, const uint8_t *src,
                         struct error *err);
    /* Values of the groups' accumulators to rows [first, first + count) of out (flat, capacity
     * given, validity made where the result is nullable, all set). */
    enum status (*result_of)(const struct aggregate_bound *bound, uint8_t *const *groups,
                             uint32_t offset_bytes, uint32_t count, struct vec *out, uint32_t first,
                             struct error *err);
    /* NULL: owns nothing. owner as it was in accumulate. */
    void (*fini)(const struct aggregate_bound *bound, uint8_t *accumulator,
                 struct mem_owner *owner);
};

struct aggregate_def {
    const char *name; /* COUNT, SUM, AVG, MIN, MAX ... */
    const char *signature;
    const char *help;
    uint8_t min_args, max_args;
    enum status (*bind)(struct aggregate_bound *bound, struct arena *arena, struct source_pos pos,
                        struct error *err);
};

const struct aggregate_def *aggregate_find(struct str name, bool *known_to_flink);
const struct aggregate_def *const *aggregate_table(size_t *count);

#endif
