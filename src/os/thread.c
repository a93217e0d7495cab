/* thread.c - threads, locks and conditions over pthreads. The I/O pool is io_pool.c. */
#include "os/thread.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>

#include "base/mem.h"
#include "base/must.h"
#include "os/simthread.h"

struct thread {
    pthread_t os;
    void (*run)(void *context);
    void *context;
    char name[16]; /* the kernel's limit, with its NUL */
};

static void *thread_main(void *argument)
{
    struct thread *thread = argument;
    pthread_setname_np(pthread_self(), thread->name);
    thread->run(thread->context);
    return NULL;
}

enum status thread_start(struct thread **out, const char *name, void (*run)(void *context),
                         void *context, struct error *err)
{
    *out = NULL;
    must(!simthread_is_on());
    struct thread *thread = mem_calloc(1, sizeof(*thread));
    if (!thread)
        return error_memory(err, "a thread", sizeof(*thread));
    thread->run = run;
    thread->context = context;
    snprintf(thread->name, sizeof(thread->name), "%s", name);
    int errno_value = pthread_create(&thread->os, NULL, thread_main, thread);
    if (errno_value != 0) {
        mem_free(thread);
        return error_errno(err, errno_value, "start of thread %s", name);
    }
    *out = thread;
    return OK;
}

void thread_join(struct thread *thread)
{
    must(pthread_join(thread->os, NULL) == 0);
    mem_free(thread);
}

unsigned thread_core_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? (unsigned)count : 1;
}

void mutex_init(struct mutex *mutex)
{
    must(pthread_mutex_init(&mutex->os, NULL) == 0);
}

void mutex_fini(struct mutex *mutex)
{
    must(pthread_mutex_destroy(&mutex->os) == 0);
}

void mutex_lock(struct mutex *mutex)
{
    must(pthread_mutex_lock(&mutex->os) == 0);
}

void mutex_unlock(struct mutex *mutex)
{
    must(pthread_mutex_unlock(&mutex->os) == 0);
}

void condition_init(struct condition *condition)
{
    pthread_condattr_t attributes;
    must(pthread_condattr_init(&attributes) == 0);
    must(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    must(pthread_cond_init(&condition->os, &attributes) == 0);
    pthread_condattr_destroy(&attributes);
}

void condition_fini(struct condition *condition)
{
    must(pthread_cond_destroy(&condition->os) == 0);
}

static bool simulated_wait(struct mutex *mutex, int64_t timeout_us)
{
    mutex_unlock(mutex);
    bool woken = simthread_wait(timeout_us);
    mutex_lock(mutex);
    return woken;
}

void condition_wait(struct condition *condition, struct mutex *mutex)
{
    if (simthread_is_on()) {
        simulated_wait(mutex, -1);
        return;
    }
    must(pthread_cond_wait(&condition->os, &mutex->os) == 0);
}

bool condition_wait_for(struct condition *condition, struct mutex *mutex, int64_t timeout_us)
{
    if (timeout_us < 0) {
        condition_wait(condition, mutex);
        return true;
    }
    if (simthread_is_on())
        return simulated_wait(mutex, timeout_us);
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    int64_t nanoseconds = due.tv_nsec + timeout_us % 1000000 * 1000;
    due.tv_sec += timeout_us / 1000000 + nanoseconds / 1000000000;
    due.tv_nsec = nanoseconds % 1000000000;
    int errno_value = pthread_cond_timedwait(&condition->os, &mutex->os, &due);
    must(errno_value == 0 || errno_value == ETIMEDOUT);
    return errno_value == 0;
}

void condition_signal(struct condition *condition)
{
    must(pthread_cond_signal(&condition->os) == 0);
}

void condition_broadcast(struct condition *condition)
{
    must(pthread_cond_broadcast(&condition->os) == 0);
}
