/* fault_help.h - the loops of the log's crash and fault tests: a crash at every step of a workload,
 * and every call of the disk or allocation failing once.
 */
#ifndef LEAT_TEST_LOG_FAULT_HELP_H
#define LEAT_TEST_LOG_FAULT_HELP_H

#include "base/must.h"
#include "log_help.h"

/* run() crashes at the step; *out_done: the workload ended before it. LEAT_TEST_SEEDS: how many
 * seeds instead of seed_count. False: a run has failed, and said so. */
static inline bool crash_at_each_step(bool (*run)(uint64_t step, uint64_t seed, bool *out_done),
                                      uint64_t seed_count)
{
    uint64_t steps = 0;
    const char *seeds = getenv("LEAT_TEST_SEEDS");
    if (seeds && !str_to_u64(str_of(seeds), &seed_count, NULL))
        return false;
    for (uint64_t seed = 1; seed <= seed_count; seed++) {
        bool done = false;
        for (uint64_t step = 1; !done; step++, steps++)
            if (!run(step, seed, &done))
                return false;
    }
    printf("# %d crashes\n", (int)steps);
    return steps > 300;
}

/* SIMIO_FAULT_COUNT as a kind: an allocation. Returns what fault_disarm wants. */
static inline uint64_t fault_arm(struct io *io, enum simio_fault kind, uint64_t countdown,
                                 int errno_value)
{
    uint64_t allocations = mem_alloc_count();
    if (kind == SIMIO_FAULT_COUNT)
        mem_fail_after(countdown);
    else
        simio_fail(io, kind, countdown, errno_value);
    return allocations;
}

/* Whether the workload, which ended with `status`, has met the fault. */
static inline bool fault_disarm(struct io *io, enum simio_fault kind, uint64_t countdown,
                                uint64_t allocations, enum status status)
{
    if (kind != SIMIO_FAULT_COUNT) {
        simio_fail(io, kind, 0, 0);
        return status != OK;
    }
    mem_fail_after(0);
    return mem_alloc_count() - allocations >= countdown;
}

/* run() with the countdown-th call failing; *out_reached: there were so many. Some failures are
 * made good without an error, so a kind is over after `patience` runs without effect. sparse: the
 * later ones are not all tried. False: a run has failed, and said so. */
static inline bool fail_each_call(bool (*run)(enum simio_fault kind, uint64_t countdown,
                                              int errno_value, bool *out_reached),
                                  int patience, bool sparse)
{
    static const struct {
        enum simio_fault kind;
        int errno_value;
    } faults[] = {{SIMIO_READ, 5}, {SIMIO_WRITE, 28}, {SIMIO_WRITE, 5},
                  {SIMIO_SYNC, 5}, {SIMIO_RENAME, 5}, {SIMIO_OPEN, 24}};
    int runs = 0;
    for (size_t i = 0; i < COUNT_OF(faults); i++) {
        int without_effect = 0;
        for (uint64_t countdown = 1; without_effect < patience;
             countdown += 1 + (sparse ? countdown / 200 : 0), runs++) {
            bool reached;
            if (!run(faults[i].kind, countdown, faults[i].errno_value, &reached))
                return false;
            without_effect = reached ? 0 : without_effect + 1;
        }
    }
    printf("# %d faults\n", runs);
    return true;
}

static inline bool fail_each_allocation(bool (*run)(enum simio_fault kind, uint64_t countdown,
                                                    int errno_value, bool *out_reached))
{
    bool reached = true;
    int runs = 0;
    for (uint64_t countdown = 1; reached; countdown += 1 + countdown / 200, runs++)
        if (!run(SIMIO_FAULT_COUNT, countdown, 0, &reached))
            return false;
    printf("# %d allocations\n", runs);
    return true;
}

#endif
