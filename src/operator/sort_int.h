/* sort_int.h - shared by sort*.c: the running state of a sort. */
#ifndef LEAT_OPERATOR_SORT_INT_H
#define LEAT_OPERATOR_SORT_INT_H

#include "operator/operator_int.h"
#include "state/keyed.h"

struct sort {
    bool keeps; /* rows wait for the end */
    bool done;  /* they have left */
    uint64_t skipped, passed;
    struct vec **columns; /* kept rows */
    uint32_t row_count, capacity;
    uint8_t *retracts; /* by row */
    bool any_retract;
    uint32_t *order; /* at the end: rows to emit */
    uint32_t order_count, next;

    /* sort_state.c: what checkpoints keep of the rows; without checkpoints unused */
    const struct operator* op;
    struct keyed_state keyed;
    struct keyed_table table; /* when a row came -> its number */
    struct key_batch *keys;
    uint64_t arrived;   /* rows so far, in all runs */
    uint64_t *restored; /* when the first rows came */
    uint32_t restored_count, restored_capacity;
};

/* sort.c: one more place in `retracts`. */
enum status sort_make_room(struct sort *sort, uint32_t count, struct error *err) STATUS_CHECKED;

/* sort_state.c */
enum status sort_state_open(struct operator* op, struct error *err) STATUS_CHECKED;
enum status sort_snapshot(struct operator* op, struct buf *out, struct error *err) STATUS_CHECKED;
/* `count` rows, kept from number `first` on, have come. */
enum status sort_state_add(struct sort *sort, uint32_t first, uint32_t count,
                           struct error *err) STATUS_CHECKED;
/* Row a came after row b. */
bool sort_came_later(const struct sort *sort, uint32_t a, uint32_t b);
void sort_state_close(struct sort *sort);

#endif
