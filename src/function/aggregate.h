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

struct aggregate_bound { /* const after bind */
    const struct aggregate_def *def;
    /* in: set by the caller before bind */
    const struct type *arg_type; /* NULL for COUNT(*) */
    bool distinct;               /* bind clears it where it changes nothing (MIN, MAX) */
    bool retracting; /* the input has -U/-D rows; the planner binds again once it knows */
    /* out */
    const struct type *result;
    uint32_t size_bytes; /* of the accumulator, multiple of 8; all zero is the empty one */
    bool portable;       /* the accumulator owns nothing: its bytes may travel (local/global) */
    enum status (*accumulate)(const struct aggregate_bound *bound,
                              const struct aggregate_input *input, struct error *err);
    /* Adds partial accumulators (of portable calls), one a group; they need not be aligned. */
    void (*merge)(const struct aggregate_bound *bound, uint8_t *const *groups,
                  uint32_t offset_bytes, const uint8_t *const *partials, uint32_t partial_offset,
                  uint32_t count);
    /* Values of the groups' accumulators to rows [first, first + count) of out: flat, with that
     * capacity, validity made (all set). */
    enum status (*result_of)(const struct aggregate_bound *bound, uint8_t *const *groups,
                             uint32_t offset_bytes, uint32_t count, struct vec *out, uint32_t first,
                             struct error *err);
    /* Frees what the accumulator owns and zeroes it; owner as in accumulate. NULL: owns nothing. */
    void (*fini)(const struct aggregate_bound *bound, uint8_t *accumulator,
                 struct mem_owner *owner);
    /* What a checkpoint keeps of an accumulator that owns memory, and the reverse, into an empty
     * one; ERR_CORRUPT when such bytes were never saved. NULL: its own bytes are kept. */
    void (*save)(const struct aggregate_bound *bound, const uint8_t *accumulator, struct buf *out);
    enum status (*load)(const struct aggregate_bound *bound, uint8_t *accumulator,
                        const uint8_t *bytes, size_t size_bytes, struct mem_owner *owner,
                        struct error *err);
};

struct aggregate_def {
    const char *name; /* COUNT, SUM, AVG, MIN, MAX ... */
    const char *signature;
    const char *help;
    uint8_t min_args, max_args;
    /* May be called again with other inputs. result lies in arena. ERR_TYPE names function and
     * type. */
    enum status (*bind)(struct aggregate_bound *bound, struct arena *arena, struct source_pos pos,
                        struct error *err);
};

/* Any case. NULL: unknown; then *known_to_flink (may be NULL) says whether Flink has it. */
const struct aggregate_def *aggregate_find(struct str name, bool *known_to_flink);
const struct aggregate_def *const *aggregate_table(size_t *count);

#endif
