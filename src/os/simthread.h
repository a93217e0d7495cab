/* simthread.h - the simulated twin of threads: I/O pools whose jobs run on the thread of the test,
 * one whole job at a time, in an order drawn from a seed.
 *
 *   simthread_begin -> pools made now have no threads -> simthread_step ... -> simthread_end
 *
 * Whoever waits for a condition lets jobs go on meanwhile: the wait runs one and looks again. When
 * nothing can run, a wait with a time-out tells `slept`, which moves the clock and does what others
 * would do meanwhile; one without would last for ever, which is a bug (must). A job that waits
 * keeps its pool's thread. thread_start is refused. One thread; it is on or off for the whole
 * process.
 */
#ifndef LEAT_OS_SIMTHREAD_H
#define LEAT_OS_SIMTHREAD_H

#include "os/thread.h"

struct simthread_settings {
    uint64_t seed;
    /* A wait of timeout_us ran out; no lock is held but those of the callers further up. */
    void (*slept)(void *context, int64_t timeout_us);
    void *context;
};

void simthread_begin(const struct simthread_settings *settings);
void simthread_end(void); /* every pool made since simthread_begin has been freed */
bool simthread_is_on(void);
/* Pools that have a job and a thread for it; off: 0. */
uint32_t simthread_ready(void);
/* Runs one job. False: none is ready. */
bool simthread_step(void);

/* ---- for thread.c and io_pool.c */

struct simthread_queue {
    struct simthread_queue *next;
    struct io_job *first, **last;
    uint32_t running_count, max_threads;
};
void simthread_queue_begin(struct simthread_queue *queue, uint32_t max_threads);
void simthread_queue_end(struct simthread_queue *queue); /* runs what is in it */
void simthread_submit(struct simthread_queue *queue, struct io_job *job);
bool simthread_wait(int64_t timeout_us); /* false: the time ran out; < 0 waits for ever */

#endif
