/* runtime_test.c - jobs over the toy connector (toy.h): the same totals at every parallelism, batch
 * size and interleaving; barriers, back-pressure, failure, stop and cancel; simulated and threaded.
 */
#include "toy.h"

#include <time.h>

static struct plugin_context context;

/* Every answer a refusal would never end. */
static uint32_t now_and_then(uint64_t number)
{
    return number == 1 ? 2 : (uint32_t)number;
}

struct run {
    struct runtime *runtime;
    struct job *job;
    struct error err;
};

static bool start(struct run *run, struct toy_plan *plan, uint32_t workers, uint64_t seed,
                  uint32_t batch_rows, size_t queue_bytes)
{
    memset(run, 0, sizeof(*run));
    struct runtime_settings settings = {.io = io_real(),
                                        .worker_threads = workers,
                                        .seed = seed,
                                        .batch_rows = batch_rows,
                                        .queue_bytes = queue_bytes};
    struct job_request request = {.plan = &plan->plan, .context = &context};
    must(runtime_new(&run->runtime, &settings, &run->err) == OK);
    if (job_new(run->runtime, &request, &run->job, &run->err) == OK) {
        job_run(run->job);
        return true;
    }
    printf("# start: %s\n", run->err.text);
    runtime_free(run->runtime);
    return false;
}

static enum job_state finish(struct run *run, struct job_status *status)
{
    job_status(run->job, status);
    if (!job_wait(run->job, 20 * US_PER_SECOND)) {
        printf("# the job does not end\n");
        abort();
    }
    job_status(run->job, status);
    job_free(run->job);
    runtime_free(run->runtime);
    return status->state;
}

/* source -> exchange -> sums by key -> sink */
static void plan_sums(struct toy_plan *plan, uint32_t parallelism, bool coalesce)
{
    toy_plan_init(plan);
    struct plan_node *source = toy_node(plan, PLAN_SOURCE, parallelism, NULL, NULL);
    struct plan_node *exchange = toy_node(plan, PLAN_EXCHANGE, parallelism, source, NULL);
    struct plan_node *group = toy_group(plan, parallelism, exchange, coalesce);
    toy_node(plan, PLAN_SINK, parallelism, group, NULL);
}

TEST(same_totals_at_every_interleaving)
{
    for (uint64_t seed = 1; seed <= 24; seed++) {
        struct toy_plan plan;
        struct run run;
        struct job_status status;
        uint32_t parallelism = seed % 3 == 0 ? 1 : seed % 3 == 1 ? 3 : 5;
        toy_reset(4, 500, 37);
        toy.wait_every = now_and_then(seed % 4);
        toy.full_every = now_and_then(seed % 5);
        plan_sums(&plan, parallelism, seed % 2);
        CHECK(start(&run, &plan, 0, seed, seed % 2 ? 3 : 100, seed % 6 ? 2000 : 0));
        runtime_simulate(run.runtime, UINT64_MAX);
        if (finish(&run, &status) != JOB_FINISHED)
            CHECK_FAIL("seed %d: %s %s", (int)seed, job_state_name(status.state),
                       status.error.text);
        if (!toy_totals_are(1))
            CHECK_FAIL("seed %d", (int)seed);
        CHECK_INT(toy.finishes, parallelism);
        CHECK_INT(toy.open_readers, 0);
        CHECK_INT(toy.open_writers, 0);
        CHECK_INT(status.rows_read, 2000);
        toy_plan_fini(&plan);
    }
}

/* A diamond, a union of exchanged and direct inputs, two sinks; barriers at any moment. */
TEST(graphs_with_barriers)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct toy_plan plan;
        struct run run;
        struct job_status status;
        uint32_t parallelism = (uint32_t)seed % 3 + 1;
        toy_reset(3, 300, 11);
        toy.wait_every = 3;
        toy.full_every = now_and_then(seed % 4);
        toy_plan_init(&plan);
        struct plan_node *source = toy_node(&plan, PLAN_SOURCE, parallelism, NULL, NULL);
        struct plan_node *left = toy_node(&plan, PLAN_CALC, parallelism, source, NULL);
        struct plan_node *shuffled = toy_node(&plan, PLAN_EXCHANGE, parallelism, source, NULL);
        struct plan_node *both = toy_node(&plan, PLAN_UNION, parallelism, left, shuffled);
        struct plan_node *again =
            toy_node(&plan, PLAN_EXCHANGE, seed % 2 ? 1 : parallelism, both, NULL);
        struct plan_node *group = toy_group(&plan, seed % 2 ? 1 : parallelism, again, true);
        toy_node(&plan, PLAN_SINK, group->parallelism, group, NULL);
        toy_node(&plan, PLAN_SINK, parallelism, shuffled, NULL);
        CHECK(start(&run, &plan, 0, seed, 7, 1000));
        uint32_t barriers = 0;
        while (runtime_simulate(run.runtime, 5 + seed % 17) > 0)
            if (barriers < 10) {
                job_barrier(run.job);
                barriers++;
            }
        if (finish(&run, &status) != JOB_FINISHED)
            CHECK_FAIL("seed %d: %s", (int)seed, status.error.text);
        if (!toy_totals_are(3)) /* two ways to the sums, one straight to the second sink */
            CHECK_FAIL("seed %d", (int)seed);
        CHECK_INT(status.epoch, barriers);
        CHECK_INT(status.epochs_done, barriers);
        toy_plan_fini(&plan);
    }
}

/* A barrier that all have passed: everything read before it is in the sink. */
TEST(a_barrier_flushes_all_before_it)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct toy_plan plan;
        struct run run;
        struct job_status status;
        toy_reset(3, 200, 11);
        toy.unbounded = true;
        toy.full_every = 2;
        plan_sums(&plan, 3, false);
        CHECK(start(&run, &plan, 0, seed, 5, 500));
        runtime_simulate(run.runtime, 20 + seed);
        job_barrier(run.job);
        runtime_simulate(run.runtime, UINT64_MAX);
        job_status(run.job, &status);
        CHECK_INT(status.epochs_done, 1);
        CHECK_INT(toy.last_epoch, 1);
        CHECK_INT(toy.flushes, 3);
        CHECK(toy_totals_are(1));
        job_stop(run.job);
        runtime_simulate(run.runtime, UINT64_MAX);
        CHECK_INT(finish(&run, &status), JOB_STOPPED);
        CHECK_INT(toy.last_epoch, 2);
        CHECK_INT(toy.finishes, 0);
        toy_plan_fini(&plan);
    }
}

TEST(windows_fire_alike_at_every_parallelism)
{
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct toy_plan plan;
        struct run run;
        struct job_status status;
        uint32_t parallelism = (uint32_t)seed % 4 + 1;
        toy_reset(3, 200, 5);
        toy.wait_every = now_and_then(seed % 3);
        toy.full_every = now_and_then(seed % 4);
        toy_plan_init(&plan);
        struct plan_node *source = toy_node(&plan, PLAN_SOURCE, parallelism, NULL, NULL);
        struct plan_node *exchange = toy_node(&plan, PLAN_EXCHANGE, parallelism, source, NULL);
        struct plan_node *window = toy_window(&plan, parallelism, exchange, 10000);
        struct plan_node *calc = toy_node(&plan, PLAN_CALC, parallelism, window, NULL);
        static const struct expr SUM = {.kind = EXPR_COLUMN, .type = &TYPE_OF_BIGINT, .column = 4};
        static const struct expr *const KEY_AND_SUM[] = {&TOY_COLUMNS[0], &SUM};
        calc->calc.exprs = KEY_AND_SUM;
        calc->column_count = 2;
        toy_node(&plan, PLAN_SINK, parallelism, calc, NULL);
        CHECK(start(&run, &plan, 0, seed, seed % 2 ? 3 : 64, 1000));
        runtime_simulate(run.runtime, UINT64_MAX);
        if (finish(&run, &status) != JOB_FINISHED)
            CHECK_FAIL("seed %d: %s", (int)seed, status.error.text);
        /* rows are in order: none is late; 20 windows of 5 keys */
        if (!toy_totals_are(1))
            CHECK_FAIL("seed %d, parallelism %u", (int)seed, parallelism);
        CHECK_INT(toy.rows_written, 100);
        toy_plan_fini(&plan);
    }
}

TEST(a_stuck_sink_stops_the_reading)
{
    struct toy_plan plan;
    struct run run;
    struct job_status status;
    struct buf why;
    toy_reset(2, 100000, 10);
    atomic_store(&toy.stuck, true);
    plan_sums(&plan, 2, true);
    CHECK(start(&run, &plan, 0, 1, 0, 50000));
    runtime_simulate(run.runtime, UINT64_MAX);
    uint64_t read = toy.rows_read;
    CHECK(read < 40000);
    buf_init(&why, 1000);
    job_why(run.job, &why);
    CHECK_STR(buf_text(&why), "The toy sink is stuck.");
    buf_fini(&why);
    struct operator_report reports[16];
    uint32_t count = job_operators(run.job, reports, 16);
    CHECK_INT(count, 6);
    CHECK_STR(reports[0].name, "Source: toy");
    CHECK(reports[0].blocked || reports[1].blocked);
    job_cancel(run.job);
    runtime_simulate(run.runtime, UINT64_MAX);
    CHECK_INT(finish(&run, &status), JOB_CANCELLED);
    CHECK_INT(toy.open_readers + toy.open_writers, 0);
    toy_plan_fini(&plan);
}

TEST(the_first_error_fails_the_job)
{
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct toy_plan plan;
        struct run run;
        struct job_status status;
        toy_reset(3, 1000, 10);
        toy.fail_at = (int64_t)seed * 90;
        plan_sums(&plan, 3, true);
        CHECK(start(&run, &plan, 0, seed, 10, 500));
        runtime_simulate(run.runtime, UINT64_MAX);
        CHECK_INT(finish(&run, &status), JOB_FAILED);
        CHECK(strstr(status.error.text, "the toy breaks") != NULL);
        CHECK_INT(toy.open_readers + toy.open_writers, 0);
        toy_plan_fini(&plan);
    }
}

static struct {
    uint64_t rows;
    uint32_t full_every, calls;
    struct job *job;
    enum job_state ended;
} collected;

static enum push_result take_rows(void *nothing, struct batch *batch, struct error *err)
{
    collected.rows += batch->selected_count;
    return collected.full_every && ++collected.calls % collected.full_every == 0 ? PUSH_FULL
                                                                                 : PUSH_DONE;
}

static void take_end(void *nothing, struct job *job, enum job_state state,
                     const struct error *error)
{
    collected.ended = state;
}

TEST(rows_to_the_caller_and_limit)
{
    struct toy_plan plan;
    struct job_status status;
    struct error err = {0};
    for (int limited = 0; limited < 2; limited++) {
        toy_reset(2, 1000, 10);
        toy.unbounded = limited;
        memset(&collected, 0, sizeof(collected));
        collected.full_every = 3;
        toy_plan_init(&plan);
        struct plan_node *node = toy_node(&plan, PLAN_SOURCE, 1, NULL, NULL);
        if (limited) {
            node = toy_node(&plan, PLAN_SORT, 1, node, NULL);
            node->sort.offset = 5;
            node->sort.limit = 100;
        }
        plan.roots[plan.plan.root_count++] = toy_node(&plan, PLAN_COLLECT, 1, node, NULL);
        struct runtime *runtime;
        struct runtime_settings settings = {.io = io_real(), .batch_rows = 30};
        struct job_request request = {.plan = &plan.plan,
                                      .context = &context,
                                      .callbacks = {.rows = take_rows, .ended = take_end}};
        struct job *job;
        CHECK_OK(runtime_new(&runtime, &settings, &err));
        CHECK_OK(job_new(runtime, &request, &job, &err));
        job_run(job);
        while (runtime_simulate(runtime, UINT64_MAX) > 0)
            job_collect_resume(job);
        job_status(job, &status);
        CHECK_INT(status.state, JOB_FINISHED);
        CHECK_INT(collected.ended, JOB_FINISHED);
        CHECK_INT(collected.rows, limited ? 100 : 2000);
        job_free(job);
        runtime_free(runtime);
        toy_plan_fini(&plan);
    }
}

TEST(worker_threads)
{
    for (int round = 0; round < 12; round++) {
        struct toy_plan plan;
        struct run run;
        struct job_status status;
        toy_reset(4, 20000, 1000);
        toy.wait_every = round % 3 ? 5 : 0;
        toy.full_every = now_and_then((uint64_t)round % 4);
        plan_sums(&plan, round % 3 + 1, round % 2);
        CHECK(start(&run, &plan, 4, 1, round % 2 ? 100 : 0, 20000));
        for (int i = 0; i < 20; i++)
            job_barrier(run.job);
        struct buf why;
        buf_init(&why, 10000);
        job_why(run.job, &why);
        buf_fini(&why);
        if (finish(&run, &status) != JOB_FINISHED)
            CHECK_FAIL("round %d: %s", round, status.error.text);
        CHECK(toy_totals_are(1));
        CHECK_INT(status.epochs_done, 20);
        toy_plan_fini(&plan);
    }
}

TEST(workers_stop_cancel_and_fail)
{
    for (int round = 0; round < 12; round++) {
        struct toy_plan plan;
        struct run run;
        struct job_status status;
        toy_reset(4, 20000, 1000);
        toy.unbounded = round % 3 == 0;
        toy.fail_at = round % 3 == 1 ? 15000 : -1;
        toy.full_every = 3;
        plan_sums(&plan, 3, true);
        CHECK(start(&run, &plan, 3, 1, 50, 10000));
        if (round % 3 == 0)
            job_stop(run.job);
        if (round % 3 == 2)
            job_cancel(run.job);
        enum job_state state = finish(&run, &status);
        CHECK_INT(state, round % 3 == 0   ? JOB_STOPPED
                         : round % 3 == 1 ? JOB_FAILED
                                          : JOB_CANCELLED);
        CHECK_INT(toy.open_readers + toy.open_writers, 0);
        toy_plan_fini(&plan);
    }
}

static int64_t cpu_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return now.tv_sec * US_PER_SECOND + now.tv_nsec / 1000;
}

TEST(an_idle_job_costs_nothing)
{
    struct toy_plan plan;
    struct run run;
    struct job_status status;
    toy_reset(3, 10, 5);
    toy.unbounded = true;
    plan_sums(&plan, 2, true);
    CHECK(start(&run, &plan, 2, 1, 0, 0));
    struct timespec pause = {.tv_nsec = 300000000};
    while (toy.rows_written < 5)
        ;
    nanosleep(&pause, NULL);
    int64_t before = cpu_us();
    nanosleep(&pause, NULL);
    CHECK(cpu_us() - before < 1000);
    CHECK_INT(runtime_next_timer_us(run.runtime), INT64_MAX);
    job_cancel(run.job);
    CHECK_INT(finish(&run, &status), JOB_CANCELLED);
    toy_plan_fini(&plan);
}

/* Every allocation of starting and running fails once: an error or a failed job, nothing leaks. */
TEST(every_allocation_fails_once)
{
    uint64_t failures = 0;
    bool finished = false;
    for (uint64_t countdown = 1; !finished; countdown += countdown > 300 ? 37 : 1) {
        struct toy_plan plan;
        struct run run = {0};
        struct job_status status;
        struct runtime_settings settings = {.io = io_real(), .seed = countdown, .batch_rows = 10};
        toy_reset(2, 40, 5);
        plan_sums(&plan, 2, false);
        struct job_request request = {.plan = &plan.plan, .context = &context};
        must(runtime_new(&run.runtime, &settings, &run.err) == OK);
        mem_fail_after(countdown);
        if (job_new(run.runtime, &request, &run.job, &run.err) != OK) {
            mem_fail_after(0);
            CHECK_INT(run.err.code, ERR_MEMORY);
            runtime_free(run.runtime);
            failures++;
        } else {
            job_run(run.job);
            runtime_simulate(run.runtime, UINT64_MAX);
            mem_fail_after(0);
            finished = finish(&run, &status) == JOB_FINISHED;
            CHECK(finished || status.error.code == ERR_MEMORY);
            failures += !finished;
        }
        CHECK_INT(toy.open_readers + toy.open_writers, 0);
        toy_plan_fini(&plan);
    }
    CHECK(failures > 60);
}
