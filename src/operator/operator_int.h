/* operator_int.h - shared by the operators of this room. */
#ifndef LEAT_OPERATOR_OPERATOR_INT_H
#define LEAT_OPERATOR_OPERATOR_INT_H

#include "base/must.h"
#include "operator/operator.h"

extern const struct operator_class OPERATOR_SOURCE, OPERATOR_VALUES, OPERATOR_CALC, OPERATOR_UNION,
    OPERATOR_GROUP_AGGREGATE, OPERATOR_WINDOW_AGGREGATE, OPERATOR_SORT, OPERATOR_SINK,
    OPERATOR_COLLECT;

/* The class's own struct as op->state, zeroed; freed with operator_free_state. NULL: err is set. */
void *operator_new_state(struct operator* op, size_t size_bytes, struct error *err);
void operator_free_state(struct operator* op);

/* The job's error for a row whose expression failed. */
enum status operator_row_failed(const struct operator* op, const struct row_error *error,
                                struct error *err);

/* Of a batch that has rows: whether any was let in, past a condition or in time. */
static inline void operator_note_rows(struct operator* op, bool any_accepted)
{
    metric_set(any_accepted ? &op->metrics.last_accept_us : &op->metrics.last_reject_us,
               op->eval.now_us);
}

/* A new batch of `columns` (references taken over, also on failure), all rows. */
struct vec **operator_columns_new(uint32_t count, struct error *err); /* zeroed */
void operator_columns_free(struct vec **columns, uint32_t count);     /* unrefs what is there */

#define EMIT(call)                                                                                 \
    do {                                                                                           \
        if ((call) == PUSH_ERROR)                                                                  \
            return PUSH_ERROR;                                                                     \
    } while (0)
#define PUSH_TRY(call)                                                                             \
    do {                                                                                           \
        if ((call) != OK)                                                                          \
            return PUSH_ERROR;                                                                     \
    } while (0)

#endif
