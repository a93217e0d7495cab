/* aggregate_calls.h - the calls of one aggregating operator: where their accumulators lie in a
 * state row, and feeding them a batch (FILTER, DISTINCT, retraction).
 *
 *   state row value: [head of the operator | accumulator of call 0 | call 1 | ...]
 */
#ifndef LEAT_OPERATOR_AGGREGATE_CALLS_H
#define LEAT_OPERATOR_AGGREGATE_CALLS_H

#include "operator/operator.h"
#include "state/keyed.h"

struct aggregate_calls {
    const struct plan_aggregate *calls;
    uint32_t count;
    uint32_t *offsets; /* of each accumulator in the row's value */
    uint32_t head_bytes;
    uint32_t value_bytes; /* head and all accumulators */
    bool own_memory;      /* some accumulator has fini */
    uint32_t distinct_count;
    int64_t ttl_ms; /* of rows of DISTINCT values; 0: for ever. The operator's to set */
    struct operator* op;
    const uint32_t *keys; /* input columns of the group key, for DISTINCT */
    uint32_t key_count;
    /* scratch of one batch */
    struct vec **flat; /* by call: its argument, flat or constant */
    uint16_t rows[BATCH_ROWS_MAX];
    uint8_t *groups[BATCH_ROWS_MAX];
    uint8_t kinds[BATCH_ROWS_MAX];
    struct key_batch *distinct_keys; /* NULL: no DISTINCT */
    uint8_t *distinct_rows[BATCH_ROWS_MAX];
    uint8_t *distinct_dead[BATCH_ROWS_MAX];
};

enum status aggregate_calls_init(struct aggregate_calls *all, struct operator* op,
                                 const struct plan_aggregate *calls, uint32_t count,
                                 const uint32_t *keys, uint32_t key_count, uint32_t head_bytes,
                                 struct error *err) STATUS_CHECKED;
void aggregate_calls_fini(struct aggregate_calls *all);

/* The values seen by the DISTINCT calls of some groups (all of a query, or of a window). Call i's
 * is table number 1 + i of the keyed state, in the given namespace. */
struct distinct_set {
    uint32_t count;
    struct keyed_table *tables; /* by call; rows NULL: the call is not DISTINCT */
};
enum status distinct_set_init(struct distinct_set *set, const struct aggregate_calls *all,
                              struct keyed_state *keyed, int64_t namespace,
                              struct error *err) STATUS_CHECKED;
/* The table with that number of the keyed state; NULL: it is none of the set's. */
struct keyed_table *distinct_set_table(struct distinct_set *set, uint8_t number);
/* keyed_table_leave for all. */
enum status distinct_set_leave(struct distinct_set *set, struct error *err) STATUS_CHECKED;
void distinct_set_fini(struct distinct_set *set);

/* Around a batch: makes the arguments flat, lets go of them. */
enum status aggregate_calls_begin(struct aggregate_calls *all, const struct batch *batch,
                                  struct error *err) STATUS_CHECKED;
void aggregate_calls_end(struct aggregate_calls *all);

/* rows[0..count) of the batch, the i-th to the state row groups[i]. kinds (per row): NULL when all
 * accumulate. */
enum status aggregate_calls_add(struct aggregate_calls *all, const struct batch *batch,
                                const uint16_t *rows, uint32_t count, uint8_t *const *groups,
                                const uint8_t *kinds, struct distinct_set *set,
                                struct error *err) STATUS_CHECKED;
/* Partial accumulators (a BYTES column of LOCAL, flat or not) of rows[0..count). ERR_DATA when one
 * has another size. */
enum status aggregate_calls_merge(struct aggregate_calls *all, const struct vec *partials,
                                  const uint16_t *rows, uint32_t count, uint8_t *const *groups,
                                  struct error *err) STATUS_CHECKED;
/* Frees and zeroes the accumulators of a row. */
void aggregate_calls_clear(const struct aggregate_calls *all, uint8_t *group);
/* ---- what a checkpoint keeps: accumulators of a row, and rows of tables of DISTINCT values */
void aggregate_calls_save(const struct aggregate_calls *all, const uint8_t *group, struct buf *out);
/* Into cleared accumulators; what is read is checked by the caller (state_get_end). */
enum status aggregate_calls_load(const struct aggregate_calls *all, uint8_t *group,
                                 struct state_bytes *in, struct error *err) STATUS_CHECKED;
void distinct_value_save(const uint8_t *value, struct buf *out);
enum status distinct_value_load(uint8_t *value, const uint8_t *bytes, size_t size_bytes,
                                struct error *err) STATUS_CHECKED;

/* Appends count results of call `call` to vec (flat; validity is made where needed). */
enum status aggregate_calls_result(const struct aggregate_calls *all, uint32_t call,
                                   uint8_t *const *groups, uint32_t count, struct vec *vec,
                                   struct error *err) STATUS_CHECKED;

#endif
