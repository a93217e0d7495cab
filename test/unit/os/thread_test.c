#include "os/thread.h"

#include "base/mem.h"
#include "os/io.h"
#include "os/simthread.h"

#include "../check.h"

#include <stdatomic.h>

static struct error err;

static void set_name(void *context)
{
    pthread_getname_np(pthread_self(), context, 16);
}

TEST(threads_have_names)
{
    struct thread *thread;
    char name[16] = "";
    CHECK_OK(thread_start(&thread, "worker-with-a-long-name", set_name, name, &err));
    thread_join(thread);
    CHECK_STR(name, "worker-with-a-l");
    CHECK(thread_core_count() >= 1);
    mem_fail_after(1);
    CHECK_INT(thread_start(&thread, "x", set_name, name, NULL), ERR_MEMORY);
    CHECK(thread == NULL);
}

static struct mutex mutex;
static struct condition condition;
static int turn;

static void answer(void *context)
{
    mutex_lock(&mutex);
    for (int i = 0; i < 1000; i++) {
        while (turn % 2 == 0)
            condition_wait(&condition, &mutex);
        turn++;
        condition_broadcast(&condition);
    }
    mutex_unlock(&mutex);
}

TEST(conditions_hand_over)
{
    struct thread *thread;
    mutex_init(&mutex);
    condition_init(&condition);
    CHECK_OK(thread_start(&thread, "answer", answer, NULL, &err));
    mutex_lock(&mutex);
    for (int i = 0; i < 1000; i++) {
        while (turn % 2 == 1)
            condition_wait(&condition, &mutex);
        turn++;
        condition_signal(&condition);
    }
    mutex_unlock(&mutex);
    thread_join(thread);
    CHECK_INT(turn, 2000);
    mutex_lock(&mutex);
    int64_t before_us = io_monotonic_us(io_real());
    while (condition_wait_for(&condition, &mutex, 20000))
        ;
    int64_t waited_us = io_monotonic_us(io_real()) - before_us;
    CHECK(!condition_wait_for(&condition, &mutex, 0));
    mutex_unlock(&mutex);
    CHECK(waited_us >= 20000 && waited_us < 5000000);
    condition_fini(&condition);
    mutex_fini(&mutex);
}

struct work {
    struct io_job job; /* first */
    int number;
    pthread_t ran_on;
};
static _Atomic int ran, finished, next_number;
static _Atomic bool out_of_order;

static void work_run(struct io_job *job)
{
    struct work *work = (struct work *)job;
    work->ran_on = pthread_self();
    if (atomic_fetch_add(&next_number, 1) != work->number)
        out_of_order = true;
    ran++;
}

static void work_done(struct io_job *job)
{
    mem_free(job);
    finished++;
}

static void submit_many(struct io_pool *pool, int count)
{
    ran = finished = next_number = 0;
    out_of_order = false;
    for (int i = 0; i < count; i++) {
        struct work *work = mem_calloc(1, sizeof(*work));
        work->job.run = work_run;
        work->job.done = work_done;
        work->number = i;
        io_pool_submit(pool, &work->job);
    }
}

TEST(a_pool_of_one_keeps_the_order)
{
    struct io_pool *pool;
    CHECK_OK(io_pool_new(&pool, "pool", 1, &err));
    submit_many(pool, 5000);
    io_pool_free(pool);
    CHECK_INT(ran, 5000);
    CHECK_INT(finished, 5000);
    CHECK(!out_of_order);
}

TEST(a_pool_runs_everything_before_it_ends)
{
    for (int round = 0; round < 20; round++) {
        struct io_pool *pool;
        CHECK_OK(io_pool_new(&pool, "pool", 4, &err));
        submit_many(pool, 500);
        io_pool_free(pool);
        CHECK_INT(finished, 500);
    }
    io_pool_free(NULL);
}

static struct condition both;
static int waiting;

/* Ends only when two run at the same time. */
static void meet(struct io_job *job)
{
    mutex_lock(&mutex);
    waiting++;
    condition_broadcast(&both);
    while (waiting < 2 && condition_wait_for(&both, &mutex, 10000000))
        ;
    mutex_unlock(&mutex);
}

TEST(blocking_jobs_run_side_by_side)
{
    struct io_pool *pool;
    struct io_job jobs[2] = {{.run = meet}, {.run = meet}};
    mutex_init(&mutex);
    condition_init(&both);
    CHECK_OK(io_pool_new(&pool, "pool", 2, &err));
    int64_t before_us = io_monotonic_us(io_real());
    io_pool_submit(pool, &jobs[0]);
    io_pool_submit(pool, &jobs[1]);
    io_pool_free(pool);
    CHECK_INT(waiting, 2);
    CHECK(io_monotonic_us(io_real()) - before_us < 9000000);
    condition_fini(&both);
    mutex_fini(&mutex);
}

static void note_thread(struct io_job *job)
{
    ((struct work *)job)->ran_on = pthread_self();
}

TEST(without_a_thread_the_caller_works)
{
    struct io_pool *pool;
    struct work work = {.job = {.run = note_thread}};
    CHECK_OK(io_pool_new(&pool, "pool", 2, &err));
    mem_fail_after(1);
    io_pool_submit(pool, &work.job);
    mem_fail_after(0);
    CHECK(pthread_equal(work.ran_on, pthread_self()));
    io_pool_free(pool);
    mem_fail_after(1);
    CHECK_INT(io_pool_new(&pool, "pool", 2, NULL), ERR_MEMORY);
}

TEST(idle_threads_end_and_new_ones_start)
{
    struct io_pool *pool;
    CHECK_OK(io_pool_new(&pool, "pool", 2, &err));
    for (int round = 0; round < 2; round++) {
        submit_many(pool, 10);
        int64_t until_us = io_monotonic_us(io_real()) + 1300000;
        mutex_init(&mutex);
        condition_init(&both);
        mutex_lock(&mutex);
        while (io_monotonic_us(io_real()) < until_us)
            condition_wait_for(&both, &mutex, 100000);
        mutex_unlock(&mutex);
        condition_fini(&both);
        mutex_fini(&mutex);
        CHECK_INT(finished, 10);
    }
    io_pool_free(pool);
}

/* ---- simulated threads */

struct ordered { /* a job that notes its turn */
    struct io_job job;
    int number;
};
static int order[8], order_count;
static int64_t slept_us;

static void note_turn(struct io_job *job)
{
    order[order_count++] = ((struct ordered *)job)->number;
}

static void note_sleep(void *context, int64_t timeout_us)
{
    slept_us += timeout_us;
}

/* Two pools, three jobs each; the order in which they ran as a number. */
static int order_of(uint64_t seed)
{
    const struct simthread_settings settings = {.seed = seed, .slept = note_sleep};
    struct ordered jobs[6];
    struct io_pool *pools[2] = {NULL, NULL};
    int number = 0;
    order_count = 0;
    simthread_begin(&settings);
    if (io_pool_new(&pools[0], "a", 1, &err) == OK && io_pool_new(&pools[1], "b", 1, &err) == OK) {
        for (int i = 0; i < 6; i++) {
            jobs[i] = (struct ordered){{.run = note_turn}, i};
            io_pool_submit(pools[i % 2], &jobs[i].job);
        }
        while (simthread_step())
            ;
    }
    for (int i = 0; i < order_count; i++)
        number = number * 10 + order[i];
    io_pool_free(pools[0]);
    io_pool_free(pools[1]);
    simthread_end();
    return number;
}

TEST(simulated_jobs_run_in_an_order_of_the_seed)
{
    bool differs = false;
    for (uint64_t seed = 1; seed < 20; seed++) {
        CHECK_INT(order_of(seed), order_of(seed));
        CHECK_INT(order_count, 6);
        int places[6];
        for (int i = 0; i < 6; i++)
            places[order[i]] = i;
        CHECK(places[0] < places[2] && places[2] < places[4]); /* a pool's, first in first out */
        differs |= order_of(seed) != order_of(seed + 1);
    }
    CHECK(differs);
}

TEST(simulated_waits_let_jobs_go_on)
{
    const struct simthread_settings settings = {.slept = note_sleep};
    struct ordered job = {{.run = note_turn}, 7};
    struct io_pool *pool;
    order_count = 0;
    slept_us = 0;
    mutex_init(&mutex);
    condition_init(&condition);
    simthread_begin(&settings);
    CHECK_OK(io_pool_new(&pool, "a", 1, &err));
    io_pool_submit(pool, &job.job);
    CHECK_INT(simthread_ready(), 1);
    mutex_lock(&mutex);
    while (order_count == 0)
        condition_wait(&condition, &mutex);
    CHECK(!condition_wait_for(&condition, &mutex, 5000));
    mutex_unlock(&mutex);
    CHECK_INT(slept_us, 5000);
    io_pool_submit(pool, &job.job);
    io_pool_free(pool); /* runs it */
    CHECK_INT(order_count, 2);
    CHECK_INT(simthread_ready(), 0);
    simthread_end();
    condition_fini(&condition);
    mutex_fini(&mutex);
}
