/* world.c - lives one after another until the job has done its work. */
#include "test/sim/world.h"

#include <sqlite3.h>
#include <stdio.h>

#include "base/must.h"
#include "connector/jdbc/jdbc_int.h"
#include "connector/sim/sim.h"

#define STEPS_AT_ONCE 12
#define ROUNDS_MAX    200000
#define LIVES_MAX     60
#define QUIET_ROUNDS  30 /* with nothing to do, before the job counts as having nothing left */
#define TEXT_BYTES    (1u << 20)

/* A wait of the process runs out: time passes, and others do what they do. */
static void slept(void *context, int64_t timeout_us)
{
    struct world *world = context;
    simio_advance_us(world->io, timeout_us);
    disturb_round(world);
}

static enum job_state state_of(struct engine_job *job, struct error *error)
{
    struct job_status status;
    engine_job_status(job, &status);
    *error = status.error;
    return status.state;
}

/* Steps, rows, time; how long there has been nothing to do. */
static uint32_t round_of(struct world *world, uint32_t quiet)
{
    disturb(world);
    disturb_round(world);
    if (world->ends_now)
        return 0;
    uint64_t steps = engine_simulate(world->engine, 1 + rng_below(&world->rng, STEPS_AT_ONCE));
    if (rng_below(&world->rng, 3) == 0)
        input_arrive(world);
    if (world->barriers_left && rng_below(&world->rng, 12) == 0) {
        world->barriers_left--;
        engine_job_barrier(world->jobs[rng_below(&world->rng, world->job_count)]);
    }
    simio_advance_us(world->io, (int64_t)rng_below(&world->rng, 4000));
    if (steps || !input_all_arrived(world) || world->is_full || world->locker)
        return 0;
    int64_t due_us = engine_next_timer_us(world->engine), now_us = io_monotonic_us(world->io);
    if (due_us != INT64_MAX && due_us > now_us)
        simio_advance_us(world->io, due_us - now_us);
    return quiet + 1;
}

/* Rows without end: all that will ever come has been worked through. */
static void stop_for_good(struct world *world)
{
    world_tell(world, "all is done");
    world->is_done = true;
    engine_stop(world->engine);
}

/* No job runs any more. One that has failed takes the process with it. */
static bool jobs_have_ended(struct world *world)
{
    struct error ignored;
    bool all = true;
    for (uint32_t i = 0; i < world->job_count; i++) {
        enum job_state state = state_of(world->jobs[i], &ignored);
        all &= job_state_is_final(state);
        world->ends_now |= state == JOB_FAILED;
    }
    return all;
}

static void tell_stuck(struct world *world)
{
    struct error ignored;
    struct buf why;
    buf_init(&why, TEXT_BYTES);
    for (uint32_t i = 0; i < world->job_count; i++)
        if (!job_state_is_final(state_of(world->jobs[i], &ignored)))
            engine_job_why(world->jobs[i], &why);
    world_fail(world, "a job does not end: %s", buf_text(&why));
    buf_fini(&why);
}

/* Until the jobs, the process or the machine end. */
static void drive(struct world *world)
{
    uint32_t quiet = 0;
    for (uint32_t rounds = 0; rounds < ROUNDS_MAX && quiet <= 2 * QUIET_ROUNDS; rounds++) {
        if (jobs_have_ended(world) || world->ends_now || simio_crashed(world->io))
            return;
        quiet = round_of(world, quiet);
        if (world->reboots && (rounds % 64 == 0 || quiet == QUIET_ROUNDS) && log_is_broken(world)) {
            world_tell(world, "a partition takes no more rows until the next start");
            world->ends_now = true;
            return;
        }
        if (quiet == QUIET_ROUNDS && world->scenario->is_unbounded)
            stop_for_good(world);
    }
    tell_stuck(world);
}

/* Only what a fault explains, and in words. */
static void check_failure(struct world *world, const struct error *error)
{
    if (!world->faulted)
        world_fail(world, "it failed, and nothing was wrong: %s", error->text);
    else if (!error->text[0] || error->code == OK)
        world_fail(world, "it failed without a reason");
    else if (error->code == ERR_CORRUPT)
        world_fail(world, "it calls whole data damaged: %s", error->text);
    else if (world->fault && world->fault->is_allocation && error->code != ERR_MEMORY &&
             strncmp(error->text, "SQLite file", 11) != 0) /* SQLite has words of its own */
        world_fail(world, "no memory is told as %s: %s", status_name(error->code), error->text);
}

/* True: all jobs have done all their work. */
static bool look_at_end(struct world *world)
{
    struct error error;
    bool done = !simio_crashed(world->io);
    for (uint32_t i = 0; i < world->job_count; i++) {
        enum job_state state = state_of(world->jobs[i], &error);
        world_tell(world, "the job is %s%s%s", job_state_name(state), error.text[0] ? ": " : "",
                   error.text);
        if (state == JOB_FAILED && !simio_crashed(world->io)) {
            world->failures++;
            check_failure(world, &error);
        }
        done &= state == JOB_FINISHED || (state == JOB_STOPPED && world->is_done);
    }
    return done;
}

static void arm(struct world *world)
{
    struct planned_fault *fault = world->fault;
    if (!fault || fault->countdown == 0)
        return;
    if (fault->is_allocation)
        mem_fail_after(fault->countdown);
    else
        simio_fail(world->io, fault->kind, fault->countdown, fault->errno_value);
    world->reboots |= !fault->is_allocation && fault->kind == SIMIO_SYNC;
}

/* Every kind of call is well again. */
static void disarm(struct world *world)
{
    struct planned_fault *fault = world->fault;
    if (fault && fault->countdown) {
        fault->struck = fault->is_allocation ? mem_fail_left() == 0
                                             : simio_fail_left(world->io, fault->kind) == 0;
        fault->countdown = 0;
        mem_fail_after(0);
    }
    for (int kind = 0; kind < SIMIO_FAULT_COUNT; kind++)
        simio_fail(world->io, (enum simio_fault)kind, 0, 0);
}

/* The process and, it may be, the machine end. */
static void end_life(struct world *world)
{
    bool crashes = simio_crashed(world->io) || world->reboots || rng_below(&world->rng, 4) == 0;
    if (!simio_crashed(world->io) && world->ends_now)
        simio_crash_at(world->io, simio_steps(world->io) + 1); /* it cannot tidy up */
    life_close(world);
    disarm(world);
    world_tell(world, crashes ? "the machine starts again" : "the process starts again");
    if (crashes)
        simio_crash(world->io);
    else
        simio_kill(world->io);
    world->crashes += crashes;
    world->kills += !crashes;
    world->reboots &= !crashes;
}

static void crash_soon(struct world *world)
{
    if (world->left == 0 || rng_below(&world->rng, 3) != 0)
        return;
    simio_crash_at(world->io, simio_steps(world->io) + 1 + rng_below(&world->rng, 40));
    world_tell(world, "the machine will crash soon after its start");
    world->left--;
}

/* True: all jobs have done all their work. */
static bool live(struct world *world)
{
    struct error err = {0};
    bool done = false;
    crash_soon(world);
    arm(world);
    bool good = life_open(world, false, &err);
    if (good)
        input_resume(world);
    good = good && life_execute(world, world->tables, NULL, &err) == OK &&
           life_execute(world, world->inserts, NULL, &err) == OK;
    if (!good && !simio_crashed(world->io)) {
        world->failures++;
        world_tell(world, "it does not start: %s", err.text);
        check_failure(world, &err);
    } else if (good) {
        world_tell(world, "%u jobs, %u had finished", world->job_count, world->skipped_count);
        drive(world);
        done = look_at_end(world);
    }
    end_life(world);
    return done;
}

static void verify(struct world *world)
{
    struct error err = {0};
    simio_crash(world->io); /* what is not durable now was never promised */
    if (!life_open(world, true, &err) || life_execute(world, world->tables, NULL, &err) != OK)
        world_fail(world, "the targets cannot be read: %s", err.text);
    else
        verify_targets(world);
    life_close(world);
}

bool world_run(struct world *world, const struct scenario *scenario, struct planned_fault *fault,
               bool tells)
{
    struct error err = {0};
    const struct simthread_settings settings = {
        .seed = scenario->seed, .slept = slept, .context = world};
    *world = (struct world){.scenario = scenario,
                            .tells = tells,
                            .fault = fault,
                            .left = fault ? 0 : scenario->disturbances};
    buf_init(&world->problem, TEXT_BYTES);
    buf_init(&world->statements, TEXT_BYTES);
    scenario_tables(scenario, &world->statements);
    buf_append_byte(&world->statements, '\0');
    size_t inserts_at = world->statements.length;
    scenario_inserts(scenario, &world->statements);
    world->tables = buf_text(&world->statements);
    world->inserts = world->tables + inserts_at;
    rng_init(&world->rng, ~scenario->seed);
    world->io = simio_new(scenario->seed);
    simthread_begin(&settings);
    jdbc_forget_syncs();
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, (int)(scenario->seed & 0xffffff) + 1, NULL);
    sqlite3_randomness(0, NULL);
    if (input_prepare(world, &err) != OK)
        world_fail(world, "the input cannot be prepared: %s", err.text);
    bool done = false;
    while (!done && world->problem.length == 0) {
        if (world->lives > LIVES_MAX)
            world_fail(world, "%u lives and no end", world->lives);
        done = live(world);
    }
    if (world->problem.length == 0)
        verify(world);
    simthread_end();
    world->trace ^= simio_trace(world->io);
    return world->problem.length == 0;
}

void world_fini(struct world *world)
{
    simio_free(world->io);
    buf_fini(&world->problem);
    buf_fini(&world->statements);
    sim_reset();
}
