/* aggregate_sum.c - SUM and AVG.
 *
 * Types are Flink's: SUM of an integer or a float keeps the type (and wraps; a FLOAT is added as
 * float), SUM(DECIMAL(p, s)) is DECIMAL(38, s) and NULL when it does not fit; AVG of an integer
 * truncates (summed as BIGINT), AVG(FLOAT) is summed as double, AVG(DECIMAL(p, s)) is
 * DECIMAL(38, max(6, s)). NULL without any value.
 *
 * Sums of DECIMAL stop at the ends of __int128 (beyond any DECIMAL): such a group stays NULL.
 */
#include <math.h>

#include "base/decimal.h"
#include "base/must.h"
#include "function/aggregate_int.h"

struct sum_i64 {
    int64_t sum; /* wraps */
    int64_t count;
};
struct sum_f64 {
    double sum;
    int64_t count;
};
struct sum_i128 {
    decimal128 sum __attribute__((packed, aligned(8)));
    int64_t count;
};

#define WRAPPING_ADD(sum, value) ((int64_t)((uint64_t)(sum) + (uint64_t)(value)))

static decimal128 saturating_add(decimal128 sum, decimal128 value)
{
    decimal128 result;
    if (!__builtin_add_overflow(sum, value, &result))
        return result;
    decimal128 limit = (decimal128)(~(decimal_u128)0 >> 1);
    return value < 0 ? -limit : limit;
}

/* One loop without and one with NULLs, selection or signs. ADD(sum, value) for both signs of value.
 */
#define SUM_KERNEL(name, value_type, wide_type, state, ADD)                                        \
    static enum status name(const struct aggregate_bound *bound,                                   \
                            const struct aggregate_input *input, struct error *err)                \
    {                                                                                              \
        struct aggregate_rows rows = aggregate_rows_of(input);                                     \
        const value_type *values = input->arg->values;                                             \
        const uint32_t offset = input->offset_bytes;                                               \
        if (!rows.validity && !input->kinds) {                                                     \
            for (uint32_t i = 0; i < input->count; i++) {                                          \
                struct state *at = (struct state *)(input->groups[i] + offset);                    \
                at->sum = ADD(at->sum, (wide_type)values[aggregate_row(input, i) & rows.mask]);    \
                at->count++;                                                                       \
            }                                                                                      \
            return OK;                                                                             \
        }                                                                                          \
        for (uint32_t i = 0; i < input->count; i++) {                                              \
            uint32_t row = aggregate_row(input, i);                                                \
            struct state *at = (struct state *)(input->groups[i] + offset);                        \
            if (!bitmap_get(rows.validity, row & rows.mask))                                       \
                continue;                                                                          \
            int64_t sign = aggregate_sign(input, row);                                             \
            wide_type value = (wide_type)values[row & rows.mask];                                  \
            at->sum = ADD(at->sum, sign < 0 ? (wide_type)-value : value);                          \
            at->count += sign;                                                                     \
        }                                                                                          \
        return OK;                                                                                 \
    }

#define PLAIN_ADD(sum, value) ((sum) + (value))
#define FLOAT_ADD(sum, value) ((double)((float)(sum) + (float)(value)))
/* A value of 18 digits cannot overflow 128 bits within the life of a job: no check. */
#define SMALL_ADD(sum, value) ((sum) + (value))

SUM_KERNEL(sum_i8, int8_t, uint64_t, sum_i64, WRAPPING_ADD)
SUM_KERNEL(sum_i16, int16_t, uint64_t, sum_i64, WRAPPING_ADD)
SUM_KERNEL(sum_i32, int32_t, uint64_t, sum_i64, WRAPPING_ADD)
SUM_KERNEL(sum_i64, int64_t, uint64_t, sum_i64, WRAPPING_ADD)
SUM_KERNEL(sum_f32, float, double, sum_f64, PLAIN_ADD)
SUM_KERNEL(sum_f32_as_float, float, double, sum_f64, FLOAT_ADD)
SUM_KERNEL(sum_f64, double, double, sum_f64, PLAIN_ADD)
SUM_KERNEL(sum_decimal_small, int64_t, decimal128, sum_i128, SMALL_ADD)
SUM_KERNEL(sum_decimal_large, decimal128, decimal128, sum_i128, saturating_add)

#define SUM_MERGE(name, state, ADD)                                                                \
    static void name(const struct aggregate_bound *bound, uint8_t *const *groups,                  \
                     uint32_t offset_bytes, const uint8_t *const *partials,                        \
                     uint32_t partial_offset, uint32_t count)                                      \
    {                                                                                              \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            struct state part, *at = (struct state *)(groups[i] + offset_bytes);                   \
            memcpy(&part, partials[i] + partial_offset, sizeof(part));                             \
            at->sum = ADD(at->sum, part.sum);                                                      \
            at->count += part.count;                                                               \
        }                                                                                          \
    }

SUM_MERGE(merge_i64, sum_i64, WRAPPING_ADD)
SUM_MERGE(merge_f64, sum_f64, PLAIN_ADD)
SUM_MERGE(merge_float, sum_f64, FLOAT_ADD)
SUM_MERGE(merge_i128, sum_i128, saturating_add)

/* EXPRESSION gives the result from `at`; NULL while no value was added. */
#define SUM_RESULT(name, value_type, state, EXPRESSION)                                            \
    static enum status name(const struct aggregate_bound *bound, uint8_t *const *groups,           \
                            uint32_t offset_bytes, uint32_t count, struct vec *out,                \
                            uint32_t first, struct error *err)                                     \
    {                                                                                              \
        value_type *values = (value_type *)out->values + first;                                    \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            const struct state *at = (const struct state *)(groups[i] + offset_bytes);             \
            if (at->count > 0)                                                                     \
                values[i] = (value_type)(EXPRESSION);                                              \
            else                                                                                   \
                vec_clear_valid(out, first + i);                                                   \
        }                                                                                          \
        return OK;                                                                                 \
    }

SUM_RESULT(sum_result_i8, int8_t, sum_i64, at->sum)
SUM_RESULT(sum_result_i16, int16_t, sum_i64, at->sum)
SUM_RESULT(sum_result_i32, int32_t, sum_i64, at->sum)
SUM_RESULT(sum_result_i64, int64_t, sum_i64, at->sum)
SUM_RESULT(sum_result_f32, float, sum_f64, at->sum)
SUM_RESULT(sum_result_f64, double, sum_f64, at->sum)
SUM_RESULT(avg_result_i8, int8_t, sum_i64, at->sum / at->count)
SUM_RESULT(avg_result_i16, int16_t, sum_i64, at->sum / at->count)
SUM_RESULT(avg_result_i32, int32_t, sum_i64, at->sum / at->count)
SUM_RESULT(avg_result_i64, int64_t, sum_i64, at->sum / at->count)
SUM_RESULT(avg_result_f32, float, sum_f64, at->sum / (double)at->count)
SUM_RESULT(avg_result_f64, double, sum_f64, at->sum / (double)at->count)

static enum status sum_result_decimal(const struct aggregate_bound *bound, uint8_t *const *groups,
                                      uint32_t offset_bytes, uint32_t count, struct vec *out,
                                      uint32_t first, struct error *err)
{
    decimal128 *values = (decimal128 *)out->values + first;
    for (uint32_t i = 0; i < count; i++) {
        const struct sum_i128 *at = (const struct sum_i128 *)(groups[i] + offset_bytes);
        values[i] = at->sum;
        if (at->count <= 0 || !decimal_fits(at->sum, DECIMAL_PRECISION_MAX))
            vec_clear_valid(out, first + i);
    }
    return OK;
}

static enum status avg_result_decimal(const struct aggregate_bound *bound, uint8_t *const *groups,
                                      uint32_t offset_bytes, uint32_t count, struct vec *out,
                                      uint32_t first, struct error *err)
{
    decimal128 *values = (decimal128 *)out->values + first;
    for (uint32_t i = 0; i < count; i++) {
        const struct sum_i128 *at = (const struct sum_i128 *)(groups[i] + offset_bytes);
        if (at->count <= 0 || !decimal_fits(at->sum, DECIMAL_PRECISION_MAX) ||
            !decimal_div(at->sum, bound->arg_type->scale, at->count, 0, DECIMAL_PRECISION_MAX,
                         bound->result->scale, &values[i]))
            vec_clear_valid(out, first + i);
    }
    return OK;
}

/* ---- binding ---- */

struct sum_variant {
    enum type_root root;
    uint32_t size_bytes;
    enum status (*accumulate)(const struct aggregate_bound *, const struct aggregate_input *,
                              struct error *);
    void (*merge)(const struct aggregate_bound *, uint8_t *const *, uint32_t,
                  const uint8_t *const *, uint32_t, uint32_t);
    enum status (*result_of)(const struct aggregate_bound *, uint8_t *const *, uint32_t, uint32_t,
                             struct vec *, uint32_t, struct error *);
};

static const struct sum_variant SUM_VARIANTS[] = {
    {TYPE_TINYINT, sizeof(struct sum_i64), sum_i8, merge_i64, sum_result_i8},
    {TYPE_SMALLINT, sizeof(struct sum_i64), sum_i16, merge_i64, sum_result_i16},
    {TYPE_INT, sizeof(struct sum_i64), sum_i32, merge_i64, sum_result_i32},
    {TYPE_BIGINT, sizeof(struct sum_i64), sum_i64, merge_i64, sum_result_i64},
    {TYPE_FLOAT, sizeof(struct sum_f64), sum_f32_as_float, merge_float, sum_result_f32},
    {TYPE_DOUBLE, sizeof(struct sum_f64), sum_f64, merge_f64, sum_result_f64},
    {TYPE_DECIMAL, sizeof(struct sum_i128), sum_decimal_large, merge_i128, sum_result_decimal},
};
static const struct sum_variant AVG_VARIANTS[] = {
    {TYPE_TINYINT, sizeof(struct sum_i64), sum_i8, merge_i64, avg_result_i8},
    {TYPE_SMALLINT, sizeof(struct sum_i64), sum_i16, merge_i64, avg_result_i16},
    {TYPE_INT, sizeof(struct sum_i64), sum_i32, merge_i64, avg_result_i32},
    {TYPE_BIGINT, sizeof(struct sum_i64), sum_i64, merge_i64, avg_result_i64},
    {TYPE_FLOAT, sizeof(struct sum_f64), sum_f32, merge_f64, avg_result_f32},
    {TYPE_DOUBLE, sizeof(struct sum_f64), sum_f64, merge_f64, avg_result_f64},
    {TYPE_DECIMAL, sizeof(struct sum_i128), sum_decimal_large, merge_i128, avg_result_decimal},
};

static enum status bind_variant(struct aggregate_bound *bound, const struct sum_variant *variants,
                                size_t count, unsigned decimal_scale, struct arena *arena,
                                struct source_pos pos, struct error *err)
{
    const struct type *type = bound->arg_type;
    const struct sum_variant *variant = NULL;
    for (size_t i = 0; type && i < count; i++)
        if (variants[i].root == type->root)
            variant = &variants[i];
    if (!variant)
        return aggregate_type_error(bound, "a numeric argument", pos, err);
    bool is_decimal = type->root == TYPE_DECIMAL;
    bound->result = is_decimal ? type_decimal(arena, DECIMAL_PRECISION_MAX, decimal_scale, true)
                               : type_with_nullable(arena, type, true);
    bound->size_bytes = variant->size_bytes;
    bound->portable = true;
    bound->accumulate = variant->accumulate;
    if (is_decimal && type_physical(type) == PHYS_I64)
        bound->accumulate = sum_decimal_small;
    bound->merge = variant->merge;
    bound->result_of = variant->result_of;
    bound->fini = NULL;
    return arena_check(arena, "aggregate call", err);
}

static enum status sum_bind(struct aggregate_bound *bound, struct arena *arena,
                            struct source_pos pos, struct error *err)
{
    bound->def = &AGGREGATE_SUM;
    unsigned scale = bound->arg_type ? bound->arg_type->scale : 0;
    return bind_variant(bound, SUM_VARIANTS, COUNT_OF(SUM_VARIANTS), scale, arena, pos, err);
}

static enum status avg_bind(struct aggregate_bound *bound, struct arena *arena,
                            struct source_pos pos, struct error *err)
{
    bound->def = &AGGREGATE_AVG;
    unsigned scale = bound->arg_type ? bound->arg_type->scale : 0;
    return bind_variant(bound, AVG_VARIANTS, COUNT_OF(AVG_VARIANTS), scale > 6 ? scale : 6, arena,
                        pos, err);
}

const struct aggregate_def AGGREGATE_SUM = {
    .name = "SUM",
    .signature = "SUM([DISTINCT] numeric)",
    .help = "The sum of the values that are not NULL; NULL without any. SUM(DECIMAL(p, s)) is "
            "DECIMAL(38, s), other sums keep the type.",
    .min_args = 1,
    .max_args = 1,
    .bind = sum_bind,
};
const struct aggregate_def AGGREGATE_AVG = {
    .name = "AVG",
    .signature = "AVG([DISTINCT] numeric)",
    .help = "The average of the values that are not NULL; NULL without any. Of integers it is an "
            "integer (truncated), of DECIMAL(p, s) a DECIMAL(38, max(6, s)).",
    .min_args = 1,
    .max_args = 1,
    .bind = avg_bind,
};
