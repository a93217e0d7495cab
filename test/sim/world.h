/* world.h - one machine with one process on it, and what befalls them: the simulated disk, clock
 * and threads, the log, an engine; crashes, kills, stops, faults, and the start after each.
 *
 *   world_run: prepare the input -> life, life, ... (each: open, start the job, drive it, close)
 *              -> a last crash -> read the targets, compare
 *
 * A life ends with the job, a crash of the machine, a kill of the process or a failure that a fault
 * explains; the next begins with what the disk has kept, at a parallelism of its own. All is drawn
 * from the seed; `trace` is a hash of everything that was written and of every choice.
 */
#ifndef LEAT_TEST_SIM_WORLD_H
#define LEAT_TEST_SIM_WORLD_H

#include "engine/engine.h"
#include "log/log.h"
#include "os/simio.h"
#include "os/simthread.h"
#include "test/sim/scenario.h"

struct sqlite3;

/* One call that fails in the first life, instead of what befalls it else. */
struct planned_fault {
    bool is_allocation;
    enum simio_fault kind;
    uint64_t countdown; /* 0: none */
    int errno_value;
    bool struck; /* there were that many calls */
};

struct world {
    const struct scenario *scenario;
    bool tells; /* every event to stdout */
    struct planned_fault *fault;
    struct buf statements;
    const char *tables, *inserts; /* in statements, NUL-terminated */
    struct rng rng;
    struct io *io;
    struct buf problem; /* why the seed failed */
    uint64_t trace;
    /* of a life */
    struct io_pool *pool, *sync_pool;
    struct log *log;
    struct io_job sync_job;
    struct log_sync round;
    enum { SYNC_IDLE, SYNC_BEGINS, SYNC_RUNS, SYNC_FINISHES } sync_state;
    bool sync_wanted;
    struct plugin_context context;
    struct engine *engine;
    struct session *session;
    uint32_t job_count, skipped_count; /* started in this life; found to have finished before */
    struct engine_job *jobs[OUTPUTS_MAX];
    bool is_done;           /* nothing is left to read; the job is being stopped */
    bool ends_now;          /* the process is to die */
    bool faulted;           /* a failure of the job is no surprise */
    bool reboots;           /* a sync was made to fail: what the page cache shows may be lost */
    bool is_full;           /* the disk */
    struct sqlite3 *locker; /* holds the SQLite file's lock */
    uint32_t barriers_left; /* asked for besides those of the interval */
    uint32_t rounds_left;   /* until the disk has room and the lock is given back */
    /* of all lives */
    uint32_t left;             /* disturbances */
    uint32_t arrived;          /* rows of the scenario that have been appended */
    uint32_t kept[SPLITS_MAX]; /* rows of a split that the log has */
    uint32_t crashes, kills, stops, failures, lives;
};

/* False: problem says why. fault NULL: what befalls it is drawn. */
bool world_run(struct world *world, const struct scenario *scenario, struct planned_fault *fault,
               bool tells);
void world_fini(struct world *world);

/* ---- for the files behind it */

/* life.c */
bool life_open(struct world *world, bool undisturbed, struct error *err);
void life_close(struct world *world);
/* The text's statements; jobs that they start are in world->jobs. */
enum status life_execute(struct world *world, const char *text,
                         const struct query_callbacks *callbacks, struct error *err) STATUS_CHECKED;
void world_tell(struct world *world, const char *fmt, ...) PRINTF_LIKE(2, 3);
void world_fail(struct world *world, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* disturb.c */
void disturb(struct world *world);
void disturb_end(struct world *world); /* the disk has room again, the lock is given back */
void disturb_round(struct world *world);

/* input.c */
enum status input_prepare(struct world *world, struct error *err) STATUS_CHECKED;
void input_arrive(struct world *world); /* some of the rows */
bool input_all_arrived(struct world *world);
bool log_is_broken(struct world *world); /* a partition has failed: an fsync of it has */
void input_resume(struct world *world);  /* finds out what the log has kept */

/* verify.c */
void verify_targets(struct world *world);

#endif
