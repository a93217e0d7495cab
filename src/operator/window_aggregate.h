/* window_aggregate.h - shared by window_aggregate.c (rows in) and window_fire.c (results out). */
#ifndef LEAT_OPERATOR_WINDOW_AGGREGATE_H
#define LEAT_OPERATOR_WINDOW_AGGREGATE_H

#include "operator/aggregate_calls.h"
#include "operator/group_lookup.h"
#include "operator/operator_int.h"

struct window_head {
    int64_t row_count;
};

struct window {
    int64_t start_us, end_us; /* local time */
    int64_t low_us, high_us;  /* rows with an instant in between are of this window; or both MIN */
    int64_t fire_us;          /* the watermark that fires it: end - 1 ms as an instant */
    struct state_table *table;
    struct distinct_set distinct;
    struct lookup_cache *cache; /* NULL: not worth it */
    uint32_t touched;           /* number in the batch being worked on */
};

struct window_aggregate {
    int64_t size_us, offset_us;
    struct aggregate_calls calls;
    struct group_lookup lookup;
    uint32_t window_count, window_capacity;
    struct window **windows; /* by start */
    /* the batch being worked on */
    uint32_t touched_count;
    struct window *touched[BATCH_ROWS_MAX];
    uint32_t touched_rows[BATCH_ROWS_MAX];
    int16_t row_window[BATCH_ROWS_MAX];
    uint16_t sorted[BATCH_ROWS_MAX];
    uint8_t *groups[BATCH_ROWS_MAX];
    /* firing */
    int64_t watermark_us;
    struct state_cursor cursor; /* in the first window */
};

enum push_result window_fire(struct operator* op, int64_t watermark_us, struct error *err);
enum push_result window_resume(struct operator* op, struct error *err);
void window_drop_first(struct operator* op);

#endif
