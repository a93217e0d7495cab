/* faults.c - whole jobs in which one call fails: the first allocation, the second, the third ...,
 * and so for reads, writes, syncs, renames and opens of files.
 *
 * The run fails with a clear error or comes right; the run after it, which nothing disturbs, ends
 * with the targets right (that nothing leaks is for the sanitizer).
 */
#include "test/sim/faults.h"

#include <errno.h>
#include <stdio.h>

#include "base/must.h"

static const struct kind {
    const char *name;
    struct planned_fault fault;
} KINDS[] = {
    {"allocation", {.is_allocation = true}},
    {"read", {.kind = SIMIO_READ, .errno_value = EIO}},
    {"write", {.kind = SIMIO_WRITE, .errno_value = ENOSPC}},
    {"sync", {.kind = SIMIO_SYNC, .errno_value = EIO}},
    {"rename", {.kind = SIMIO_RENAME, .errno_value = EIO}},
    {"open", {.kind = SIMIO_OPEN, .errno_value = EMFILE}},
};

/* One run; false: a check failed, and the problem is told. */
static bool run(const struct scenario *scenario, const struct kind *kind, uint64_t countdown,
                bool tells, bool *struck, uint32_t *failures)
{
    struct world world;
    struct planned_fault fault = kind->fault;
    fault.countdown = countdown;
    bool good = world_run(&world, scenario, &fault, tells);
    if (!good)
        printf("# again: simulate --fault %s %llu %llu: %s", kind->name,
               (unsigned long long)countdown, (unsigned long long)scenario->seed,
               buf_text(&world.problem));
    *struck = fault.struck;
    *failures += world.failures;
    world_fini(&world);
    return good;
}

bool faults_run(uint64_t seed, uint32_t dense, int *number)
{
    static struct scenario scenario;
    char text[300];
    bool all_good = true;
    scenario_draw(&scenario, seed);
    scenario_describe(&scenario, text, sizeof(text));
    for (size_t i = 0; i < COUNT_OF(KINDS); i++) {
        bool good = true, struck = true;
        uint32_t runs = 0, failures = 0;
        for (uint64_t countdown = 1; struck && runs < 20000; countdown += 1 + countdown / dense) {
            good &= run(&scenario, &KINDS[i], countdown, false, &struck, &failures);
            runs++;
        }
        printf("%s %d - seed %llu: %s; each %s fails, %u runs, %u failed\n", good ? "ok" : "not ok",
               ++*number, (unsigned long long)seed, text, KINDS[i].name, runs, failures);
        fflush(stdout);
        all_good &= good;
    }
    return all_good;
}

bool faults_tell(const char *kind, uint64_t countdown, uint64_t seed)
{
    static struct scenario scenario;
    bool struck;
    uint32_t failures = 0;
    scenario_draw(&scenario, seed);
    for (size_t i = 0; i < COUNT_OF(KINDS); i++)
        if (strcmp(KINDS[i].name, kind) == 0)
            return run(&scenario, &KINDS[i], countdown, true, &struck, &failures);
    printf("# there is no call named '%s'\n", kind);
    return false;
}
