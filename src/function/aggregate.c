/* aggregate.c - the table of aggregate functions, and COUNT. SUM and AVG are in aggregate_sum.c,
 * MIN and MAX in aggregate_minmax.c and aggregate_ordered.c.
 *
 * Invariant of all: an accumulator of zero bytes is the empty one, so that a new state row needs no
 * call, and a group that has lost all its rows may be zeroed.
 */
#include "function/aggregate.h"

#include "base/must.h"
#include "function/aggregate_int.h"

enum status aggregate_load_error(struct error *err)
{
    return error_set(err, ERR_CORRUPT, "an accumulator is not what was saved");
}

enum status aggregate_type_error(const struct aggregate_bound *bound, const char *takes,
                                 struct source_pos pos, struct error *err)
{
    struct buf text;
    buf_init(&text, 4096);
    if (bound->arg_type)
        type_format(&text, bound->arg_type);
    else
        buf_append_text(&text, "*");
    error_set(err, ERR_TYPE, "%s takes %s, not %s", bound->def->name, takes, buf_text(&text));
    if (err)
        error_at(err, pos);
    buf_fini(&text);
    return ERR_TYPE;
}

/* ---- COUNT: the accumulator is the number ---- */

static int64_t *count_of(uint8_t *group, uint32_t offset_bytes)
{
    return (int64_t *)(group + offset_bytes);
}

static enum status count_accumulate(const struct aggregate_bound *bound,
                                    const struct aggregate_input *input, struct error *err)
{
    const uint32_t offset = input->offset_bytes;
    if (!input->arg || !input->arg->validity) {
        for (uint32_t i = 0; i < input->count; i++)
            *count_of(input->groups[i], offset) +=
                input->kinds ? aggregate_sign(input, aggregate_row(input, i)) : 1;
        return OK;
    }
    struct aggregate_rows rows = aggregate_rows_of(input);
    for (uint32_t i = 0; i < input->count; i++) {
        uint32_t row = aggregate_row(input, i);
        if (bitmap_get(rows.validity, row & rows.mask))
            *count_of(input->groups[i], offset) += aggregate_sign(input, row);
    }
    return OK;
}

static void count_merge(const struct aggregate_bound *bound, uint8_t *const *groups,
                        uint32_t offset_bytes, const uint8_t *const *partials,
                        uint32_t partial_offset, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t part;
        memcpy(&part, partials[i] + partial_offset, sizeof(part));
        *count_of(groups[i], offset_bytes) += part;
    }
}

static enum status count_result(const struct aggregate_bound *bound, uint8_t *const *groups,
                                uint32_t offset_bytes, uint32_t count, struct vec *out,
                                uint32_t first, struct error *err)
{
    int64_t *values = (int64_t *)out->values + first;
    for (uint32_t i = 0; i < count; i++)
        values[i] = *count_of(groups[i], offset_bytes);
    return OK;
}

static enum status count_bind(struct aggregate_bound *bound, struct arena *arena,
                              struct source_pos pos, struct error *err)
{
    bound->def = &AGGREGATE_COUNT;
    bound->result = type_with_nullable(arena, &TYPE_OF_BIGINT, false);
    bound->size_bytes = sizeof(int64_t);
    bound->portable = true;
    bound->accumulate = count_accumulate;
    bound->merge = count_merge;
    bound->result_of = count_result;
    bound->fini = NULL;
    return arena_check(arena, "aggregate call", err);
}

const struct aggregate_def AGGREGATE_COUNT = {
    .name = "COUNT",
    .signature = "COUNT([DISTINCT] expression | *)",
    .help = "The number of rows for which the expression is not NULL; COUNT(*) counts all rows.",
    .min_args = 0,
    .max_args = 1,
    .bind = count_bind,
};

/* ---- the table ---- */

static const struct aggregate_def *const AGGREGATES[] = {
    &AGGREGATE_AVG, &AGGREGATE_COUNT, &AGGREGATE_MAX, &AGGREGATE_MIN, &AGGREGATE_SUM,
};

static const char *const FLINK_ONLY[] = {
    "STDDEV_POP",
    "STDDEV_SAMP",
    "VAR_POP",
    "VAR_SAMP",
    "VARIANCE",
    "COLLECT",
    "RANK",
    "DENSE_RANK",
    "ROW_NUMBER",
    "LEAD",
    "LAG",
    "FIRST_VALUE",
    "LAST_VALUE",
    "LISTAGG",
    "CUME_DIST",
    "NTILE",
    "PERCENT_RANK",
    "ARRAY_AGG",
    "JSON_OBJECTAGG",
    "JSON_ARRAYAGG",
    "PERCENTILE",
    "APPROX_COUNT_DISTINCT",
    "SINGLE_VALUE",
    "STDDEV",
};

const struct aggregate_def *const *aggregate_table(size_t *count)
{
    *count = COUNT_OF(AGGREGATES);
    return AGGREGATES;
}

const struct aggregate_def *aggregate_find(struct str name, bool *known_to_flink)
{
    bool known = false;
    for (size_t i = 0; i < COUNT_OF(AGGREGATES); i++)
        if (str_eq_nocase(name, str_of(AGGREGATES[i]->name)))
            return AGGREGATES[i];
    for (size_t i = 0; i < COUNT_OF(FLINK_ONLY); i++)
        known |= str_eq_nocase(name, str_of(FLINK_ONLY[i]));
    if (known_to_flink)
        *known_to_flink = known;
    return NULL;
}
