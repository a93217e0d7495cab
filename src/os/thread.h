/* thread.h - threads, locks, and the I/O pool for calls that block (fsync, SQLite, librdkafka).
 *
 * Wrappers over pthreads that must() on misuse. Names appear in /proc. The I/O pool runs closures
 * and posts their completion to an event loop or another queue; it never runs tasks of jobs (that
 * is runtime/'s worker pool). While simthread.h is on there are no threads but the caller's.
 */
#ifndef LEAT_OS_THREAD_H
#define LEAT_OS_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct thread;
enum status thread_start(struct thread **out, const char *name, void (*run)(void *context),
                         void *context, struct error *err) STATUS_CHECKED;
void thread_join(struct thread *thread); /* frees it */
unsigned thread_core_count(void);        /* those this process may run on */

struct mutex {
    pthread_mutex_t os;
};
struct condition {
    pthread_cond_t os; /* CLOCK_MONOTONIC */
};
void mutex_init(struct mutex *mutex);
void mutex_fini(struct mutex *mutex);
void mutex_lock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);
void condition_init(struct condition *condition);
void condition_fini(struct condition *condition);
void condition_wait(struct condition *condition, struct mutex *mutex);
/* false: the time ran out. timeout_us < 0 waits for ever. */
bool condition_wait_for(struct condition *condition, struct mutex *mutex, int64_t timeout_us);
void condition_signal(struct condition *condition);
void condition_broadcast(struct condition *condition);

struct io_pool;
struct io_job {                      /* embedded in the caller's struct; one use at a time */
    void (*run)(struct io_job *job); /* on a pool thread; may block */
    /* on the same thread right after run; posts a message; may free the job; NULL: nothing */
    void (*done)(struct io_job *job);
    struct io_job *next;
};
/* Threads start on first use, at most max_threads, and end after a second without work. name is
 * borrowed. When not even one thread can be started, io_pool_submit runs the job itself. */
enum status io_pool_new(struct io_pool **out, const char *name, unsigned max_threads,
                        struct error *err) STATUS_CHECKED;
void io_pool_submit(struct io_pool *pool, struct io_job *job);
void io_pool_free(struct io_pool *pool); /* runs what is queued, joins */

#endif
