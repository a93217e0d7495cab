/* sql_world.h - one engine with one session for a run of an SQL case: statements in, rows out.
 *
 * With worker_threads 0 the runtime is simulated: one thread, steps in an order drawn from the
 * seed, a clock that only "@time" and "@idle" move, barriers at random points. A case's jobs run
 * one after another, each to its end (or, with an input that stays open, until nothing is left to
 * do). With restarts the text is run from its beginning after each, as the same file on the same
 * data directory: jobs that have ended are skipped, the others go on. There is one world at a time:
 * the sim connector's is one for the process.
 */
#ifndef LEAT_TEST_SQL_WORLD_H
#define LEAT_TEST_SQL_WORLD_H

#include "engine/engine.h"
#include "test/case/case.h"

struct sql_mode {
    const char *name;
    const char *help;
    uint32_t parallelism;
    uint32_t worker_threads; /* 0: simulated */
    uint64_t seed;
    uint32_t batch_rows; /* most rows a source puts in a batch; 0: the default */
    size_t queue_bytes;  /* of an exchange's channel; 0: the default */
    bool barriers;       /* at random points */
    bool changes;        /* mini-batch false, every change is compared */
    bool two_phases;     /* local and global aggregation wherever it is possible */
    /* Checkpoints, and the engine ends in the middle, again and again: by a stop, or by a crash of
     * the process and its (simulated) machine; then the statements run again. Simulated only. */
    bool restarts;
    uint32_t later_parallelism; /* after the first restart */
    /* With restarts: tables with a key are written at once where that is proven right; batches have
     * another size after each. */
    bool direct;
};

enum { SQL_COLUMNS_MAX = 200 };

struct sql_rows { /* of the last SELECT, SHOW, DESCRIBE, SET */
    struct case_plan plan;
    int column_count;
    bool approximate[SQL_COLUMNS_MAX]; /* FLOAT, DOUBLE */
    int key_columns[SQL_COLUMNS_MAX];  /* when changes replace by key */
    int key_count;
    bool repeats; /* changes may come again, in other states between */
};

struct sql_world;

struct sql_world *sql_world_open(const struct sql_mode *mode, struct error *err);
void sql_world_close(struct sql_world *world); /* NULL is fine */
enum status sql_world_set(struct sql_world *world, const char *key, const char *value,
                          struct error *err) STATUS_CHECKED;
/* Runs all statements of the text. When one fails its error, with place and caret, is appended to
 * message and the rest do not run. explain: SELECT and INSERT are explained, not run. */
bool sql_world_run(struct sql_world *world, const char *text, bool explain, struct buf *message);
const struct sql_rows *sql_world_result(const struct sql_world *world);
const char *sql_world_text(const struct sql_world *world); /* of the last EXPLAIN, SHOW CREATE */
/* What the table's sinks took; NULL: there is no such table. Free with case_plan_fini and free. */
struct sql_rows *sql_world_captured(struct sql_world *world, const char *table);

#endif
