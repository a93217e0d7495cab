/* faults.h - whole jobs in which one call fails. */
#ifndef LEAT_TEST_SIM_FAULTS_H
#define LEAT_TEST_SIM_FAULTS_H

#include "test/sim/world.h"

/* All kinds of calls in the seed's scenario, a line of TAP each: one run for each call up to the
 * dense-th, then ever fewer. */
bool faults_run(uint64_t seed, uint32_t dense, int *number);

#endif
