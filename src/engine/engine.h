/* engine.h - sessions, statements, jobs, settings: everything that command line, server and shell
 * do.
 *
 *   text --sql--> struct statement --engine_execute--> catalog change | result rows | job
 *
 * An engine is one per process and may be used from any thread. A session (settings, and the
 * engine's catalog) is used by one thread at a time. A job belongs to whoever started it; others
 * get a reference by engine_job_find. Jobs run on the runtime's workers; callbacks of a query come
 * from there.
 *
 * A job that an INSERT starts has checkpoints where the process has a place for them
 * (execution.checkpointing.interval); started again it goes on from the last one (recovery.c).
 * One that fails is started again by its restart strategy (supervisor.c).
 *
 * What is not here yet: the persisted catalog.
 */
#ifndef LEAT_ENGINE_ENGINE_H
#define LEAT_ENGINE_ENGINE_H

#include "runtime/runtime.h"

struct engine;
struct session;
struct engine_job;

struct engine_checkpoints {
    /* The data directory, made and locked by the first call. needed false: only where the process
     * has been asked for one, else *out NULL. May block on the local disk. NULL: there is none, and
     * jobs have no checkpoints. */
    enum status (*directory)(void *context, bool needed, const char **out, struct error *err);
    void *context;
    /* The process has been asked for one: jobs with an end have checkpoints, too. */
    bool is_named;
    bool again; /* a job that has finished is run anew */
    /* Savepoints, as paths, ends with NULL; each is taken up by the next job of its name. NULL:
     * none */
    const char *const *from;
    bool allow_changed_query; /* state that the statement no longer fits is left behind */
    bool accept_duplicates;   /* rows that a sink has already may come again */
};

struct engine_config {
    const struct plugin_registry *registry;
    const struct plugin_context *context; /* borrowed; zone is the default of new sessions */
    struct mem_owner *owner;
    uint32_t worker_threads;           /* 0: the cores */
    const char *const *security_roots; /* of restricted sessions; NULL: no file at all */
    /* For tests: no worker threads, engine_simulate drives all jobs in an order drawn from seed. */
    bool simulated;
    uint64_t seed;
    uint32_t batch_rows; /* most rows a source puts in a batch; 0: the default */
    size_t queue_bytes;  /* of one exchange channel; 0: the default */
    struct engine_checkpoints checkpoints;
};

enum status engine_new(struct engine **out, const struct engine_config *config,
                       struct error *err) STATUS_CHECKED;
/* Cancels jobs that still run and frees them, then everything else. Sessions must be closed. */
void engine_free(struct engine *engine);
struct catalog *engine_catalog(struct engine *engine);
/* Stops every job, and each that is started later as soon as it runs. From any thread. */
void engine_stop(struct engine *engine);

enum status engine_session_new(struct session **out, struct engine *engine,
                               struct error *err) STATUS_CHECKED;
void engine_session_free(struct session *session);
/* SET 'key' = 'value'. ERR_OPTION with the nearest key; ERR_UNSUPPORTED for Flink's keys that are
 * not built. */
enum status session_set(struct session *session, struct str key, struct str value,
                        struct error *err) STATUS_CHECKED;
/* For statements that come from outside: what they declare reads and writes files only below
 * engine_config.security_roots; tables that others have declared can be used as they are. */
void engine_session_restrict(struct session *session);
/* The value in force of a key, NULL: none. */
const char *session_get(const struct session *session, const char *key);
const struct sql_session *session_sql(const struct session *session);

/* The settings table, for documentation: its options have `key`, default and help. */
const struct option_def *session_settings(size_t *count);

enum result_kind {
    RESULT_NONE,    /* done, nothing to show */
    RESULT_TEXT,    /* one text: EXPLAIN, SHOW CREATE */
    RESULT_TABLE,   /* rows of text: SHOW, DESCRIBE, SET */
    RESULT_JOB,     /* an INSERT runs */
    RESULT_SKIPPED, /* an INSERT whose job has finished before is not run again; one text */
    RESULT_QUERY,   /* a SELECT runs; rows come through the callbacks */
};

struct engine_result { /* strings live in arena, which the result owns */
    enum result_kind kind;
    struct arena arena;
    const char *text;
    uint32_t column_count, row_count;
    const char *const *columns;
    const char *const *cells; /* row by row; NULL: an SQL NULL */
    struct engine_job *job;
};
void engine_result_fini(struct engine_result *result);

struct query_callbacks { /* NULL members: nobody */
    /* Before the first row. */
    void (*columns)(void *context, const struct plan_node *collect, bool bounded);
    /* Batches of changes (borrowed), from a worker thread, one at a time. PUSH_FULL: taken, but no
     * more until engine_job_resume. */
    enum push_result (*rows)(void *context, struct batch *batch, struct error *err);
    void (*ended)(void *context, enum job_state state, const struct error *error);
    void *context;
    bool changes; /* every change with -U, not the current rows */
};

/* Execute a bound statement. The statement and its arena are taken over (also on failure): a job
 * keeps them until it is freed. out is filled on OK; after a failure only out->job counts: not NULL
 * when an INSERT was waited for (table.dml-sync) and its job failed. */
enum status engine_execute(struct session *session, struct statement *statement,
                           struct arena *arena, const struct query_callbacks *callbacks,
                           struct engine_result *out, struct error *err) STATUS_CHECKED;

/* ---- jobs; valid until engine_job_release or engine_free. All that is asked of one is of its
 * current attempt, but for its state, times and failures. */
const char *engine_job_name(const struct engine_job *job);
uint32_t engine_job_id(const struct engine_job *job);
bool engine_job_bounded(const struct engine_job *job); /* all its inputs end */
void engine_job_status(struct engine_job *job, struct job_status *out);
/* As job_operators: fills at most max entries, returns how many there are. */
uint32_t engine_job_operators(struct engine_job *job, struct operator_report *out, uint32_t max);
#define JOB_FAILURES_MAX 16 /* Flink's web.exception-history-size */
struct job_failures {       /* the last ones, oldest first */
    uint32_t count;
    struct job_failure {
        int64_t time_us; /* wall */
        char text[ERROR_TEXT_MAX];
    } entries[JOB_FAILURES_MAX];
};
void engine_job_failures(struct engine_job *job, struct job_failures *out);
/* job_checkpoint_history(): out has CHECKPOINT_HISTORY_MAX entries. */
uint32_t engine_job_checkpoint_history(struct engine_job *job, struct checkpoint_report *out);
void engine_job_why(struct engine_job *job, struct buf *out);
bool engine_job_held_up(struct engine_job *job, struct buf *out);
void engine_job_stop(struct engine_job *job);
void engine_job_cancel(struct engine_job *job);
void engine_job_drain(struct engine_job *job);
void engine_job_resume(struct engine_job *job);
/* Makes a savepoint in a new directory of its own below `directory` (NULL: as the job's settings
 * say), whose path is appended; waits until it is there. Not in a callback. */
enum status engine_job_savepoint(struct engine_job *job, const char *directory,
                                 enum savepoint_then then, struct buf *path,
                                 struct error *err) STATUS_CHECKED;
/* One of engine_checkpoints.from that no job has taken up; NULL: none. */
const char *engine_savepoint_unused(struct engine *engine);
/* false: still running after timeout_us (< 0: for ever). Simulated: steps until the job has ended
 * or nothing is ready; the time does not count. */
bool engine_job_wait(struct engine_job *job, int64_t timeout_us);
void engine_job_barrier(struct engine_job *job); /* job_barrier() */
/* Every job, in the order started; borrowed. */
void engine_jobs(struct engine *engine, void (*each)(void *context, struct engine_job *job),
                 void *context);
/* Takes a job that has ended off the list; it is freed with its last reference. Of an INSERT's job
 * a summary is kept, of the last hundred. A second call does nothing. */
void engine_job_release(struct engine_job *job);

/* For those who did not start it: a reference, or NULL. */
struct engine_job *engine_job_find(struct engine *engine, uint32_t id);
struct engine_job *engine_job_ref(struct engine_job *job);
void engine_job_unref(struct engine_job *job); /* NULL is fine */
/* Its rows go to callbacks: who started it waits for it. */
bool engine_job_is_query(const struct engine_job *job);
void engine_job_plan(const struct engine_job *job, struct buf *out); /* the physical plan's text */

struct job_summary {
    uint32_t id;
    char name[256];
    bool bounded, is_query;
    struct job_status status;
    struct job_failures failures;
    char why[1024]; /* why it gives no output, or what holds it up; "": nothing to say */
};
/* Those that have ended and been released, then those of the list, in the order started. */
void engine_job_summaries(struct engine *engine,
                          void (*each)(void *context, const struct job_summary *job),
                          void *context);

/* ---- endpoints: tables that take rows over HTTP (plugin/endpoint.h) */
struct endpoint;
/* From now on each such table of the catalog has an endpoint: those that are there now, later ones
 * from CREATE TABLE (which fails when its endpoint cannot be opened: a path that is taken) to DROP
 * TABLE. Waits for the local disk. On failure none is open. */
enum status engine_endpoints_open(struct engine *engine, struct error *err) STATUS_CHECKED;
/* Nothing is taken any more; waits until everything taken has been answered. No statement may run.
 * Not on the thread of the broker's event loop, which must still run. */
void engine_endpoints_close(struct engine *engine);
/* A reference (endpoint_unref), or NULL. Any thread, at once. */
struct endpoint *engine_endpoint_find(struct engine *engine, struct str path);
void engine_endpoints_list(struct engine *engine,
                           void (*each)(void *context, const struct endpoint *endpoint,
                                        const struct catalog_object *table),
                           void *context);
/* Some job that has not been released reads such a table without end: without HTTP it would wait
 * for ever. */
bool engine_endpoints_wanted(struct engine *engine);

/* ---- a simulated engine: runtime_simulate(), runtime_next_timer_us(), restarts included */
uint64_t engine_simulate(struct engine *engine, uint64_t max_steps);
int64_t engine_next_timer_us(struct engine *engine);

#endif
