/* disturb.c - what befalls a life, drawn from the seed. */
#include "test/sim/world.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>

#include "base/must.h"
#include "connector/jdbc/jdbc_int.h"

static bool has_sqlite(const struct scenario *scenario)
{
    for (uint32_t i = 0; i < scenario->output_count; i++)
        if (scenario->outputs[i].target <= TARGET_SQLITE)
            return true;
    return false;
}

/* Another connection is in the middle of a transaction for a while. */
static void lock_sqlite(struct world *world)
{
    struct error err = {0};
    if (!has_sqlite(world->scenario) || world->locker)
        return;
    if (jdbc_sqlite_open(&world->locker, world->io, "/out/out.db", true, &err) != OK)
        return;
    bool locked = sqlite3_exec(world->locker, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;
    world_tell(world, "another connection %s", locked ? "locks the file" : "finds it locked");
    world->rounds_left = 1 + (uint32_t)rng_below(&world->rng, 20);
}

static void fail_a_call(struct world *world)
{
    static const char *const names[] = {"read", "write", "sync", "rename", "open"};
    enum simio_fault kind = (enum simio_fault)rng_below(&world->rng, SIMIO_FAULT_COUNT);
    uint64_t countdown = 1 + rng_below(&world->rng, 12);
    simio_fail(world->io, kind, countdown, kind == SIMIO_WRITE ? ENOSPC : EIO);
    world->faulted = true;
    world->reboots |= kind == SIMIO_SYNC;
    world_tell(world, "%s number %d from now will fail", names[kind], (int)countdown);
}

static void fill_disk(struct world *world)
{
    uint64_t room = rng_below(&world->rng, 3000);
    simio_set_capacity(world->io, simio_used(world->io) + room);
    world->is_full = world->faulted = true;
    world->rounds_left = 1 + (uint32_t)rng_below(&world->rng, 40);
    world_tell(world, "%d bytes are left on the disk", (int)room);
}

void disturb_end(struct world *world)
{
    if (world->is_full)
        simio_set_capacity(world->io, 0);
    world->is_full = false;
    sqlite3_close(world->locker);
    world->locker = NULL;
}

void disturb_round(struct world *world)
{
    if ((world->is_full || world->locker) && world->rounds_left-- == 0) {
        world_tell(world, "%s",
                   world->is_full ? "the disk has room again" : "the lock is given back");
        disturb_end(world);
    }
}

void disturb(struct world *world)
{
    if (world->left == 0 || rng_below(&world->rng, world->scenario->disturb_every) != 0)
        return;
    world->left--;
    switch (rng_below(&world->rng, 8)) {
    case 0:
    case 1:
    case 2: {
        uint64_t steps = 1 + rng_below(&world->rng, 60);
        simio_crash_at(world->io, simio_steps(world->io) + steps);
        world_tell(world, "the machine will crash in %d steps", (int)steps);
        break;
    }
    case 3:
        world_tell(world, "the process is killed");
        world->ends_now = true;
        break;
    case 4:
        world_tell(world, "the process is asked to stop");
        world->stops++;
        engine_stop(world->engine);
        break;
    case 5:
        fail_a_call(world);
        break;
    case 6:
        fill_disk(world);
        break;
    default:
        lock_sqlite(world);
        break;
    }
}
