/* simthread.c - the simulated twin of threads: the list of pools, and who is next. */
#include "os/simthread.h"

#include "base/must.h"
#include "base/rng.h"

static struct {
    bool is_on;
    struct simthread_settings settings;
    struct rng rng;
    struct simthread_queue *queues;
} sim;

void simthread_begin(const struct simthread_settings *settings)
{
    must(!sim.is_on);
    sim.is_on = true;
    sim.settings = *settings;
    rng_init(&sim.rng, settings->seed);
}

void simthread_end(void)
{
    must(sim.is_on && !sim.queues);
    sim.is_on = false;
}

bool simthread_is_on(void)
{
    return sim.is_on;
}

static bool is_ready(const struct simthread_queue *queue)
{
    return queue->first && queue->running_count < queue->max_threads;
}

uint32_t simthread_ready(void)
{
    uint32_t count = 0;
    for (struct simthread_queue *queue = sim.queues; queue; queue = queue->next)
        count += is_ready(queue);
    return count;
}

static struct io_job *take(struct simthread_queue *queue)
{
    struct io_job *job = queue->first;
    queue->first = job->next;
    if (!queue->first)
        queue->last = &queue->first;
    job->next = NULL;
    return job;
}

/* The job's `done` may free what it lies in, and even its pool's owner may then go. */
static void run_next(struct simthread_queue *queue)
{
    struct io_job *job = take(queue);
    void (*done)(struct io_job * job) = job->done;
    queue->running_count++;
    job->run(job);
    if (done)
        done(job);
    queue->running_count--;
}

bool simthread_step(void)
{
    uint32_t count = simthread_ready();
    if (count == 0)
        return false;
    uint64_t place = rng_below(&sim.rng, count);
    struct simthread_queue *queue = sim.queues;
    while (!is_ready(queue) || place-- > 0)
        queue = queue->next;
    run_next(queue);
    return true;
}

bool simthread_wait(int64_t timeout_us)
{
    if (simthread_step())
        return true;
    must(timeout_us >= 0); /* everybody waits */
    if (sim.settings.slept)
        sim.settings.slept(sim.settings.context, timeout_us);
    return false;
}

void simthread_queue_begin(struct simthread_queue *queue, uint32_t max_threads)
{
    *queue = (struct simthread_queue){.next = sim.queues, .max_threads = max_threads};
    queue->last = &queue->first;
    sim.queues = queue;
}

void simthread_queue_end(struct simthread_queue *queue)
{
    while (queue->first)
        run_next(queue);
    must(queue->running_count == 0);
    struct simthread_queue **at = &sim.queues;
    while (*at != queue)
        at = &(*at)->next;
    *at = queue->next;
}

void simthread_submit(struct simthread_queue *queue, struct io_job *job)
{
    job->next = NULL;
    *queue->last = job;
    queue->last = &job->next;
}
