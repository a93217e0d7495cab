/* group_lookup.h - rows of a batch to rows of the state table, with a short way for few keys.
 *
 * For a key of one column whose values fit 12 bytes (short texts, integers, dates) a small
 * direct-mapped cache of value -> row is asked first; rows that it does not know go through the
 * canonical encoding and the table. Where it does not help, it is left alone for a while.
 */
#ifndef LEAT_OPERATOR_GROUP_LOOKUP_H
#define LEAT_OPERATOR_GROUP_LOOKUP_H

#include "state/table.h"

#define LOOKUP_SLOTS 256

struct lookup_slot {
    uint64_t low, high; /* the value's bytes */
    uint8_t *row;       /* NULL: free */
};

struct lookup_cache {      /* zeroed at first; belongs to one table */
    uint32_t skip_batches; /* it is not asked for so many batches */
    uint32_t back_off;
    struct lookup_slot slots[LOOKUP_SLOTS];
};
/* To be called when rows were removed from the table. */
static inline void lookup_cache_clear(struct lookup_cache *cache)
{
    memset(cache->slots, 0, sizeof(cache->slots));
}

struct group_lookup {
    const uint32_t *keys;
    uint32_t key_count;
    struct key_batch *encoded;
    uint16_t missing[BATCH_ROWS_MAX];       /* row numbers */
    uint16_t missing_place[BATCH_ROWS_MAX]; /* where they stand in the selection */
    uint8_t *found[BATCH_ROWS_MAX];
};

enum status group_lookup_init(struct group_lookup *lookup, const uint32_t *keys, uint32_t key_count,
                              struct error *err) STATUS_CHECKED;
void group_lookup_fini(struct group_lookup *lookup);
/* values[i] = state row of the i-th selected row; made where missing. cache NULL: without. */
enum status group_lookup_run(struct group_lookup *lookup, struct state_table *table,
                             struct lookup_cache *cache, struct batch *batch, uint8_t **values,
                             struct error *err) STATUS_CHECKED;

#endif
