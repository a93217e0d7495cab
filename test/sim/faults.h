/* faults.h - whole jobs in which one call fails. */
#ifndef LEAT_TEST_SIM_FAULTS_H
#define LEAT_TEST_SIM_FAULTS_H

#include "test/sim/world.h"

/* All kinds of calls in the seed's scenario, a line of TAP each: one run for each call up to the
 * dense-th, then ever fewer. */
bool faults_run(uint64_t seed, uint32_t dense, int *number);
/* One of those runs, with every event: the countdown-th call of the kind ("sync") fails. */
bool faults_tell(const char *kind, uint64_t countdown, uint64_t seed);

#endif
