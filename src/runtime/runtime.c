/* runtime.c - the drivers of tasks: a pool of worker threads, or one caller who draws the order of
 * steps from a seed (runtime_simulate). Both use the same ready list and timers.
 *
 * A task is in the ready list at most once. Its state says who may put it there:
 *   IDLE --wake--> READY --taken--> RUNNING --wake--> WOKEN
 *   after a step: RUNNING -> IDLE when it waits; READY again when it has more or was woken.
 * Nothing is polled: a worker without work sleeps until it is signalled or the first timer is due.
 */
#include "runtime/runtime.h"

#include "os/simthread.h"
#include "runtime/runtime_int.h"

static void append_ready(struct runtime *runtime, struct task *task)
{
    task->next_ready = NULL;
    if (runtime->last_ready)
        runtime->last_ready->next_ready = task;
    else
        runtime->first_ready = task;
    runtime->last_ready = task;
    runtime->ready_count++;
    if (runtime->sleeping)
        condition_signal(&runtime->work);
}

void runtime_ready(struct runtime *runtime, struct task *task)
{
    mutex_lock(&runtime->mutex);
    append_ready(runtime, task);
    mutex_unlock(&runtime->mutex);
}

/* Whether the caller has to put the task into the ready list. */
static bool wake_state(struct task *task)
{
    int run = atomic_load(&task->run);
    for (;;) {
        if (run != TASK_IDLE && run != TASK_RUNNING)
            return false;
        int next = run == TASK_IDLE ? TASK_READY : TASK_WOKEN;
        if (atomic_compare_exchange_weak(&task->run, &run, next))
            return next == TASK_READY;
    }
}

void task_wake(struct task *task)
{
    if (wake_state(task))
        runtime_ready(task->job->runtime, task);
}

/* ---- timers: a list in order of time; a task has one at most ---- */

static void unlink_timer(struct runtime *runtime, struct task *task)
{
    for (struct task **at = &runtime->first_timer; *at; at = &(*at)->next_timer)
        if (*at == task) {
            *at = task->next_timer;
            break;
        }
    task->timer_us = INT64_MAX;
}

void runtime_timer(struct runtime *runtime, struct task *task, int64_t due_us)
{
    mutex_lock(&runtime->mutex);
    if (task->timer_us != INT64_MAX)
        unlink_timer(runtime, task);
    if (due_us != INT64_MAX) {
        struct task **at = &runtime->first_timer;
        while (*at && (*at)->timer_us <= due_us)
            at = &(*at)->next_timer;
        task->timer_us = due_us;
        task->next_timer = *at;
        *at = task;
        if (runtime->first_timer == task && runtime->sleeping)
            condition_broadcast(&runtime->work);
    }
    mutex_unlock(&runtime->mutex);
}

/* With the mutex held. Microseconds until the next timer, -1: none. */
static int64_t fire_timers(struct runtime *runtime)
{
    while (runtime->first_timer) {
        struct task *task = runtime->first_timer;
        int64_t left = task->timer_us - io_monotonic_us(runtime->settings.io);
        if (left > 0)
            return left;
        runtime->first_timer = task->next_timer;
        task->timer_us = INT64_MAX;
        if (wake_state(task))
            append_ready(runtime, task);
    }
    return -1;
}

int64_t runtime_next_timer_us(struct runtime *runtime)
{
    mutex_lock(&runtime->mutex);
    int64_t due = runtime->first_timer ? runtime->first_timer->timer_us : INT64_MAX;
    mutex_unlock(&runtime->mutex);
    return due;
}

/* ---- steps ---- */

static void step(struct task *task, uint32_t batches)
{
    struct job *job = task->job;
    atomic_store(&task->run, TASK_RUNNING);
    enum step_result result = task_step(task, batches);
    if (result == STEP_ENDED) {
        atomic_store(&task->run, TASK_ENDED);
        job_task_ended(job);
        return;
    }
    int running = TASK_RUNNING;
    if (result == STEP_WAIT && atomic_compare_exchange_strong(&task->run, &running, TASK_IDLE))
        return;
    atomic_store(&task->run, TASK_READY);
    runtime_ready(job->runtime, task);
}

/* With the mutex held: the ready task at that place. */
static struct task *take_ready(struct runtime *runtime, uint32_t place)
{
    struct task *before = NULL, *task = runtime->first_ready;
    for (; place > 0; place--) {
        before = task;
        task = task->next_ready;
    }
    if (before)
        before->next_ready = task->next_ready;
    else
        runtime->first_ready = task->next_ready;
    if (runtime->last_ready == task)
        runtime->last_ready = before;
    runtime->ready_count--;
    return task;
}

static void work(void *context)
{
    struct runtime *runtime = context;
    mutex_lock(&runtime->mutex);
    while (!runtime->stopping) {
        int64_t timeout_us = fire_timers(runtime);
        if (!runtime->ready_count) {
            runtime->sleeping++;
            condition_wait_for(&runtime->work, &runtime->mutex, timeout_us);
            runtime->sleeping--;
            continue;
        }
        struct task *task = take_ready(runtime, 0);
        mutex_unlock(&runtime->mutex);
        step(task, TASK_BATCHES_A_STEP);
        mutex_lock(&runtime->mutex);
    }
    mutex_unlock(&runtime->mutex);
}

static uint64_t draw(struct runtime *runtime, uint64_t below)
{
    runtime->random_state =
        runtime->random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (runtime->random_state >> 33) % below;
}

/* False: neither a task nor an I/O job is ready. */
static bool simulate_one(struct runtime *runtime)
{
    uint32_t io_count = simthread_ready();
    struct task *task = NULL;
    mutex_lock(&runtime->mutex);
    fire_timers(runtime);
    uint32_t count = runtime->ready_count + io_count;
    uint32_t place = count ? (uint32_t)draw(runtime, count) : 0;
    if (place < runtime->ready_count)
        task = take_ready(runtime, place);
    mutex_unlock(&runtime->mutex);
    if (task)
        step(task, (uint32_t)draw(runtime, 3) + 1);
    else if (count)
        return simthread_step();
    return count > 0;
}

uint64_t runtime_simulate(struct runtime *runtime, uint64_t max_steps)
{
    must(runtime->thread_count == 0);
    uint64_t steps = 0;
    while (steps < max_steps && simulate_one(runtime))
        steps++;
    return steps;
}

/* ---- life ---- */

enum status runtime_new(struct runtime **out, const struct runtime_settings *settings,
                        struct error *err)
{
    struct runtime *runtime = mem_calloc(1, sizeof(*runtime));
    if (!runtime)
        return error_memory(err, "runtime", sizeof(*runtime));
    runtime->settings = *settings;
    if (!runtime->settings.batch_rows || runtime->settings.batch_rows > BATCH_ROWS_MAX)
        runtime->settings.batch_rows = BATCH_ROWS_MAX;
    if (!runtime->settings.queue_bytes)
        runtime->settings.queue_bytes = QUEUE_BYTES_DEFAULT;
    runtime->random_state = settings->seed;
    mutex_init(&runtime->mutex);
    condition_init(&runtime->work);
    enum status status = OK;
    size_t bytes = (settings->worker_threads + 1) * sizeof(struct thread *);
    runtime->threads = mem_calloc(1, bytes);
    if (!runtime->threads)
        status = error_memory(err, "worker threads", bytes);
    for (uint32_t i = 0; status == OK && i < settings->worker_threads; i++) {
        status = thread_start(&runtime->threads[i], "leat-worker", work, runtime, err);
        runtime->thread_count += status == OK;
    }
    if (status != OK) {
        runtime_free(runtime);
        return status;
    }
    *out = runtime;
    return OK;
}

void runtime_free(struct runtime *runtime)
{
    if (!runtime)
        return;
    mutex_lock(&runtime->mutex);
    runtime->stopping = true;
    condition_broadcast(&runtime->work);
    mutex_unlock(&runtime->mutex);
    for (uint32_t i = 0; i < runtime->thread_count; i++)
        thread_join(runtime->threads[i]);
    must(!runtime->first_timer && !runtime->first_ready);
    mem_free(runtime->threads);
    condition_fini(&runtime->work);
    mutex_fini(&runtime->mutex);
    mem_free(runtime);
}
