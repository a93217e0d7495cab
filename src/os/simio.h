/* simio.h - the simulated twin of io.h: an in-memory disk with a cruel idea of durability.
 *
 * Model: each file has a durable image and a list of un-synced writes (512-byte sector grain);
 * each directory a durable set of entries and a list of un-synced changes (create, rename, unlink).
 * sync makes one file's writes durable, sync_directory one directory's entries. simio_crash() keeps
 * the durable state and, drawn from the seed, any subset of un-synced writes in any order, torn at
 * sector borders, and any prefix-free subset of directory changes; open files become invalid.
 *
 * Steps: every call of the table that changes something is one step. simio_crash_at(step) makes
 * that step and all later ones fail with ERR_CLOSED until simio_crash() is called, so a test loops
 * step = 1, 2, 3 ... until the run ends without a crash.
 * The clock stands still unless simio_advance_us is called. One thread.
 */
#ifndef LEAT_OS_SIMIO_H
#define LEAT_OS_SIMIO_H

#include "os/io.h"

struct io *simio_new(uint64_t seed);
void simio_free(struct io *io);
uint64_t simio_steps(struct io *io);
void simio_crash_at(struct io *io, uint64_t step); /* 0: never */
bool simio_crashed(struct io *io);
void simio_crash(struct io *io); /* lose what was not synced; the io is usable again */
void simio_advance_us(struct io *io, int64_t us);

enum simio_fault { SIMIO_READ, SIMIO_WRITE, SIMIO_SYNC, SIMIO_RENAME, SIMIO_OPEN };
/* The countdown-th call of that kind from now fails once with errno_value; a failed write may have
 * written a part. 0 switches off. */
void simio_fail(struct io *io, enum simio_fault kind, uint64_t countdown, int errno_value);
void simio_set_capacity(struct io *io, uint64_t bytes); /* beyond: ENOSPC; 0: unlimited */

#endif
