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
    int64_t start_us, end_us;  /* local time */
    int64_t low_us, high_us;   /* rows with an instant in between are of this window; or both MIN */
    int64_t fire_us;           /* the watermark that fires it: end - 1 ms as an instant */
    int64_t since_us;          /* wall: when it was opened; of its first row */
    int64_t row_count;         /* that it has been given */
    struct keyed_table groups; /* number 0, namespace start_us */
    struct state_table *table; /* its rows */
    struct distinct_set distinct;
    struct lookup_cache *cache; /* NULL: not worth it */
    uint32_t touched;           /* number in the batch being worked on */
};

struct window_aggregate {
    struct operator* op;
    struct keyed_state keyed;
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

/* window_state.c: what a checkpoint keeps */
extern const struct keyed_state_class WINDOW_STATE;
enum status window_restore(struct operator* op, struct error *err) STATUS_CHECKED;
enum status window_snapshot(struct operator* op, struct buf *out, struct error *err) STATUS_CHECKED;

/* The window that starts at that local time, made when it is not there. */
enum status window_at(struct operator* op, int64_t start_us, struct window **out,
                      struct error *err) STATUS_CHECKED;
void window_free(struct operator* op, struct window *window);
/* Says in the metrics what is open. */
void window_report(struct operator* op);
/* Frees the first window, for good. */
enum status window_drop_first(struct operator* op, struct error *err) STATUS_CHECKED;

enum push_result window_fire(struct operator* op, int64_t watermark_us, struct error *err);
enum push_result window_resume(struct operator* op, struct error *err);

#endif
