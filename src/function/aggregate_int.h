/* aggregate_int.h - shared by aggregate*.c only. */
#ifndef LEAT_FUNCTION_AGGREGATE_INT_H
#define LEAT_FUNCTION_AGGREGATE_INT_H

#include "function/aggregate.h"

extern const struct aggregate_def AGGREGATE_COUNT, AGGREGATE_SUM, AGGREGATE_AVG, AGGREGATE_MIN,
    AGGREGATE_MAX;

/* ERR_TYPE: "SUM takes a numeric argument, not STRING". */
enum status aggregate_type_error(const struct aggregate_bound *bound, const char *takes,
                                 struct source_pos pos, struct error *err);

enum status aggregate_load_error(struct error *err);

/* aggregate_ordered.c: MIN and MAX that can be taken away from. is_max tells which. */
void aggregate_bind_ordered(struct aggregate_bound *bound, bool is_max);

/* Where the i-th selected row's value lies, and whether it counts. */
struct aggregate_rows {
    const uint16_t *selection;
    const uint64_t *validity;
    uint32_t mask; /* 0 for a constant vector, else all ones */
};
static inline struct aggregate_rows aggregate_rows_of(const struct aggregate_input *input)
{
    struct aggregate_rows rows = {input->selection, input->arg->validity,
                                  input->arg->form == VEC_CONSTANT ? 0 : UINT32_MAX};
    return rows;
}
static inline uint32_t aggregate_row(const struct aggregate_input *input, uint32_t i)
{
    return input->selection ? input->selection[i] : i;
}
static inline int64_t aggregate_sign(const struct aggregate_input *input, uint32_t row)
{
    return input->kinds ? 1 - 2 * (input->kinds[row] & 1) : 1;
}
_Static_assert((ROW_INSERT & 1) == 0 && (ROW_UPDATE_AFTER & 1) == 0 &&
                   (ROW_UPDATE_BEFORE & 1) == 1 && (ROW_DELETE & 1) == 1,
               "the lowest bit of a row kind is the sign");

#endif
