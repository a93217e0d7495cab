/* io_pool.c - threads for calls that block (contract in thread.h).
 *
 * One queue, first in first out, linked through the jobs themselves: submitting allocates nothing
 * but the thread it may start. A worker that has waited a second without work ends; its slot stays
 * ended until the next submit or the pool's end joins it.
 *
 * Invariant (mutex held): idle_count workers wait; queued_count jobs are in the queue.
 */
#include <stdio.h>

#include "base/mem.h"
#include "base/must.h"
#include "os/simthread.h"

#define IDLE_US 1000000

struct worker {
    struct io_pool *pool;
    struct thread *thread; /* NULL: the slot is free */
    bool ended;            /* to be joined; it needs the pool no more once the mutex is free */
};

struct io_pool {
    struct mutex mutex;
    struct condition work;
    struct io_job *first, **last;
    unsigned queued_count, idle_count, running_count;
    bool closing;
    unsigned worker_count;
    const char *name;
    bool is_simulated; /* then only the queue below counts */
    struct simthread_queue simulated;
    struct worker workers[];
};

enum status io_pool_new(struct io_pool **out, const char *name, unsigned max_threads,
                        struct error *err)
{
    must(max_threads > 0);
    size_t size_bytes = sizeof(struct io_pool) + max_threads * sizeof(struct worker);
    struct io_pool *pool = *out = mem_calloc(1, size_bytes);
    if (!pool)
        return error_memory(err, "an I/O pool", size_bytes);
    mutex_init(&pool->mutex);
    condition_init(&pool->work);
    pool->last = &pool->first;
    pool->worker_count = max_threads;
    pool->name = name;
    for (unsigned i = 0; i < max_threads; i++)
        pool->workers[i].pool = pool;
    pool->is_simulated = simthread_is_on();
    if (pool->is_simulated)
        simthread_queue_begin(&pool->simulated, max_threads);
    return OK;
}

static struct io_job *take_job(struct io_pool *pool)
{
    struct io_job *job = pool->first;
    if (!job)
        return NULL;
    pool->first = job->next;
    if (!pool->first)
        pool->last = &pool->first;
    pool->queued_count--;
    job->next = NULL;
    return job;
}

static void run_job(struct io_job *job)
{
    void (*done)(struct io_job * job) = job->done;
    job->run(job);
    if (done)
        done(job);
}

static void worker_main(void *context)
{
    struct worker *worker = context;
    struct io_pool *pool = worker->pool;
    mutex_lock(&pool->mutex);
    for (;;) {
        struct io_job *job = take_job(pool);
        if (job) {
            mutex_unlock(&pool->mutex);
            run_job(job);
            mutex_lock(&pool->mutex);
            continue;
        }
        if (pool->closing)
            break;
        pool->idle_count++;
        bool woken = condition_wait_for(&pool->work, &pool->mutex, IDLE_US);
        pool->idle_count--;
        if (!woken && !pool->first)
            break;
    }
    worker->ended = true;
    pool->running_count--;
    mutex_unlock(&pool->mutex);
}

/* Mutex held. False: no thread could be started. */
static bool start_worker(struct io_pool *pool)
{
    struct worker *worker = pool->workers;
    while (worker->thread && !worker->ended)
        worker++;
    if (worker->thread)
        thread_join(worker->thread);
    worker->ended = false;
    if (thread_start(&worker->thread, pool->name, worker_main, worker, NULL) != OK)
        return false; /* with thread NULL */
    pool->running_count++;
    return true;
}

void io_pool_submit(struct io_pool *pool, struct io_job *job)
{
    if (pool->is_simulated) {
        simthread_submit(&pool->simulated, job);
        return;
    }
    mutex_lock(&pool->mutex);
    must(!pool->closing);
    job->next = NULL;
    *pool->last = job;
    pool->last = &job->next;
    pool->queued_count++;
    bool wanted = pool->queued_count > pool->idle_count && pool->running_count < pool->worker_count;
    struct io_job *own = NULL;
    if (wanted && !start_worker(pool) && pool->running_count == 0)
        own = take_job(pool); /* nobody else would ever run it */
    condition_signal(&pool->work);
    mutex_unlock(&pool->mutex);
    if (own)
        run_job(own);
}

void io_pool_free(struct io_pool *pool)
{
    if (!pool)
        return;
    if (pool->is_simulated)
        simthread_queue_end(&pool->simulated);
    mutex_lock(&pool->mutex);
    pool->closing = true;
    condition_broadcast(&pool->work);
    mutex_unlock(&pool->mutex);
    for (unsigned i = 0; i < pool->worker_count; i++)
        if (pool->workers[i].thread)
            thread_join(pool->workers[i].thread);
    must(!pool->first);
    condition_fini(&pool->work);
    mutex_fini(&pool->mutex);
    mem_free(pool);
}
