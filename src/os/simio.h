/* simio.h - the simulated twin of io.h: an in-memory disk with a cruel idea of durability.
 *
 * Model: each file has a durable image and a list of un-synced writes (512-byte sector grain); all
 * directories have durable entries and a list of un-synced changes (create, rename, unlink, mkdir).
 * sync makes one file's writes durable, sync_directory one directory's entries; neither does the
 * other's work. simio_crash() keeps the durable state and, drawn from the seed, of each sector any
 * state since the last sync (so writes are lost, torn and reordered, sectors never), of the size
 * too, and any subset of directory changes (a rename whole or not at all); open files become
 * invalid (ERR_CLOSED), locks are gone.
 * A sync that fails (simio_fail) has made each sector durable or lost it for good: a later sync
 * that succeeds does not bring it back, as with Linux's page cache.
 *
 * Steps: every call of the table that changes something (sync too) is one step.
 * simio_crash_at(step) makes that step do its work un-synced (a sync: not at all), then it and
 * every later call fail with ERR_CLOSED until simio_crash() is called, so a test loops step = 1, 2,
 * 3 ... until the run ends without a crash, and each with several seeds. The clock stands still
 * unless simio_advance_us is called. One thread. "/a", "a" and "./a" are the same path; ".." is no
 * path. Its own memory comes from mem_alloc: a call may fail with ERR_MEMORY.
 */
#ifndef LEAT_OS_SIMIO_H
#define LEAT_OS_SIMIO_H

#include "os/io.h"

struct io *simio_new(uint64_t seed); /* never NULL: without memory, must() */
void simio_free(struct io *io);
uint64_t simio_steps(struct io *io);
void simio_crash_at(struct io *io, uint64_t step); /* counted from simio_new; 0: never */
bool simio_crashed(struct io *io);
void simio_crash(struct io *io); /* lose what was not synced; the io is usable again */
/* The process died, the machine did not: nothing is lost, un-synced writes stay un-synced; open
 * files become invalid, locks are gone; the io is usable again. */
void simio_kill(struct io *io);
void simio_advance_us(struct io *io, int64_t us);

enum simio_fault {
    SIMIO_READ,
    SIMIO_WRITE, /* pwrite and truncate */
    SIMIO_SYNC,  /* sync and sync_directory */
    SIMIO_RENAME,
    SIMIO_OPEN,
    SIMIO_FAULT_COUNT
};
/* The countdown-th call of that kind from now fails once with errno_value; a failed write may have
 * written a part. 0 switches off. */
void simio_fail(struct io *io, enum simio_fault kind, uint64_t countdown, int errno_value);
uint64_t simio_fail_left(struct io *io,
                         enum simio_fault kind);        /* of the countdown; 0: has failed */
void simio_set_capacity(struct io *io, uint64_t bytes); /* beyond: ENOSPC; 0: unlimited */
uint64_t simio_used(struct io *io);                     /* bytes of files */
/* A hash of all steps so far, in their order, with what they wrote where: two runs of a seed that
 * have the same did the same. */
uint64_t simio_trace(struct io *io);

#endif
