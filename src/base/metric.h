/* metric.h - metric cells: counters, gauges and histograms that hot paths bump without a lock.
 *
 * A cell belongs to its user's struct; registration (runtime/, broker/) gives it a name and labels.
 * Writers are single threads (one cell per writer), readers may be any thread.
 */
#ifndef LEAT_BASE_METRIC_H
#define LEAT_BASE_METRIC_H

#include <stdatomic.h>
#include <stdint.h>

struct metric_cell {
    _Atomic int64_t value;
};

static inline void metric_add(struct metric_cell *cell, int64_t amount)
{
    /* single writer: a plain load and store, no locked instruction */
    atomic_store_explicit(&cell->value,
                          atomic_load_explicit(&cell->value, memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

static inline void metric_set(struct metric_cell *cell, int64_t value)
{
    atomic_store_explicit(&cell->value, value, memory_order_relaxed);
}

static inline int64_t metric_get(const struct metric_cell *cell)
{
    return atomic_load_explicit(&cell->value, memory_order_relaxed);
}

#endif
