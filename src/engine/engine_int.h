/* engine_int.h - what the files of engine/ share. */
#ifndef LEAT_ENGINE_ENGINE_INT_H
#define LEAT_ENGINE_ENGINE_INT_H

#include "engine/engine.h"
#include "engine/restart.h"
#include "os/thread.h"
#include "os/zonefile.h"
#include "plugin/endpoint.h"
#include "state/checkpoint.h"

#define SETTING_TEXT_MAX 256

struct settings { /* parsed values of the table in settings.c */
    int64_t parallelism;
    const char *job_name;
    const char *zone_name;
    int runtime_mode;
    int mini_batch;
    int agg_phases;
    int64_t idle_timeout_ms;
    int64_t state_ttl_ms;
    bool dml_sync;
    int64_t max_parallelism;
    int64_t checkpoint_interval_ms;
    const char *savepoint_path, *savepoint_directory;
    int64_t retained;
    struct restart_settings restart;
};

enum { RUNTIME_STREAMING, RUNTIME_BATCH, RUNTIME_AUTOMATIC };

struct setting_given { /* what was SET, newest value */
    char key[SETTING_TEXT_MAX];
    char value[SETTING_TEXT_MAX];
    struct setting_given *next;
};

struct session {
    struct engine *engine;
    struct setting_given *given;
    struct arena arena; /* parsed settings; made anew at each SET */
    struct settings settings;
    struct function_session function_session;
    struct sql_session sql;
};

enum job_phase { PHASE_RUNS, PHASE_WAITS, PHASE_OVER }; /* supervisor.c */

struct engine_job {
    struct engine *engine;
    uint32_t id;
    struct arena arena; /* the statement's */
    struct statement statement;
    struct plan *plan;
    struct plugin_context context; /* the engine's with the session's zone */
    struct query_callbacks callbacks;
    int64_t started_us; /* wall */
    /* supervisor.c: under the mutex, as is the use of the attempt; a query has one only */
    struct mutex mutex;
    struct condition changed; /* it is over */
    struct job *job;          /* the attempt */
    enum job_phase phase;
    bool stop, cancel; /* asked for */
    struct restart_strategy strategy;
    int64_t restart_at_us; /* WAITS: monotonic */
    uint32_t restarts;
    struct job_failures failures;
    struct error last_error;
    enum job_state end_state; /* OVER */
    int64_t ended_us;
    /* recovery.c; store NULL: no checkpoints */
    struct checkpoint_store *store;
    struct checkpoint *from; /* NULL: it begins empty */
    uint32_t retained;       /* checkpoints */
    uint32_t ordinal;        /* among the jobs of its name that this process has started */
    struct job_checkpoints checkpoints;
    const char *savepoint_directory;
    uint8_t parent[CHECKPOINT_LINEAGE_BYTES]; /* checkpoints.parent, where that is given */
    struct engine_job *next;                  /* under the engine's mutex, as is `listed` */
    bool listed;
    _Atomic uint32_t refs; /* the list's and engine_job_find's */
};

#define SAVEPOINTS_MAX 100 /* engine_checkpoints.from */
#define HISTORY_MAX    100 /* jobs that have ended and been released */

struct engine {
    struct engine_config config;
    struct catalog *catalog;
    struct runtime *runtime;
    struct mem_owner owner;
    struct mutex mutex; /* of the lists of jobs and endpoints */
    struct condition supervise;
    struct thread *supervisor; /* NULL: no job has needed one */
    bool supervisor_ends;
    bool savepoints_used[SAVEPOINTS_MAX]; /* of config.checkpoints.from */
    struct engine_job *jobs;
    uint32_t next_job_id;
    bool stopping;               /* under the mutex, as are */
    struct job_summary *history; /* HISTORY_MAX, a ring; NULL: none yet */
    uint32_t history_count, history_next;
    struct job_name {
        struct job_name *next;
        uint32_t count; /* jobs that were started under it */
        char name[];
    } * job_names; /* under the mutex */
    struct endpoint_entry *endpoints;
    bool endpoints_open; /* a server wants them */
};

/* settings.c */
#define CHECKPOINT_INTERVAL "execution.checkpointing.interval"
bool session_was_set(const struct session *session, const char *key); /* not the default */
enum status settings_apply(struct session *session, struct error *err) STATUS_CHECKED;
enum status settings_reset(struct session *session, const char *key,
                           struct error *err) STATUS_CHECKED;
enum status settings_show(struct session *session, struct engine_result *out,
                          struct error *err) STATUS_CHECKED;
void settings_plan(const struct session *session, const struct query_callbacks *callbacks,
                   struct plan_settings *out);

/* show.c */
enum status show_execute(struct session *session, const struct statement *statement,
                         struct engine_result *out, struct error *err) STATUS_CHECKED;
/* A result table being filled; cells are copied into the result's arena. */
struct table_builder {
    struct engine_result *result;
    uint32_t capacity;
    const char **cells;
};
void table_begin(struct table_builder *table, struct engine_result *result, uint32_t column_count,
                 const char *const *columns);
void table_cell(struct table_builder *table, const char *text); /* row by row; NULL: SQL NULL */
enum status table_end(struct table_builder *table, struct error *err) STATUS_CHECKED;

/* endpoints.c: of a table that came into the catalog or has left it; nothing where none is wanted
 */
enum status endpoints_add(struct engine *engine, struct catalog_object *object,
                          struct error *err) STATUS_CHECKED;
void endpoints_remove(struct engine *engine, const struct catalog_object *object);

/* row_checker.c: it keeps a reference of the object; its arena lives as long as it does */
enum status row_checker_new(struct row_checker **out, struct engine *engine,
                            struct catalog_object *object, struct error *err) STATUS_CHECKED;
struct arena *row_checker_arena(struct row_checker *checker);

/* recovery.c: what the job goes on from. *finished: it has ended before and is not to be started.
 */
enum status recovery_open(struct session *session, struct engine_job *job, bool *finished,
                          struct error *err) STATUS_CHECKED;
void recovery_close(struct engine_job *job);
/* For an attempt after one that has failed: what is the newest checkpoint now. */
enum status recovery_again(struct engine_job *job, struct error *err) STATUS_CHECKED;
/* A target is gone (error, which is cleared on OK): the job begins anew where that makes its
 * targets what they would be; else the error. */
enum status recovery_rebuild(struct engine_job *job, struct error *err) STATUS_CHECKED;

/* jobs.c: out->job, or, when the job had finished before, out->text that says so. Takes statement
 * and arena over, also on failure */
enum status jobs_start(struct session *session, struct statement *statement, struct arena *arena,
                       const struct query_callbacks *callbacks, struct engine_result *out,
                       struct error *err) STATUS_CHECKED;

/* Reads what the store has to job->from. */
enum status recovery_load(struct engine_job *job, struct error *err) STATUS_CHECKED;
/* The directory without what was in it; what comes then has the old lineage as its parent. */
enum status recovery_begin_anew(struct engine_job *job, struct error *err) STATUS_CHECKED;
/* Not a sink with rows that are still to be committed. */
bool recovery_is_settled(const struct checkpoint_operator *old);
/* A job's name as a part of a file's. */
void recovery_put_name(struct buf *out, const char *name, uint32_t ordinal);

/* savepoint.c: the savepoint that the job is to begin with becomes its first checkpoint */
enum status savepoint_take_up(const struct session *session, struct engine_job *job,
                              struct error *err) STATUS_CHECKED;

/* Makes an attempt, which is not run yet. */
enum status attempt_new(struct engine_job *job, struct job **out, struct error *err) STATUS_CHECKED;
/* The attempt, to be used until it is released. */
struct job *attempt_hold(struct engine_job *job);
void attempt_release(struct engine_job *job);

/* supervisor.c */
/* Decides on the job's restart strategy; before its first attempt. */
enum status supervisor_take(struct session *session, struct engine_job *job,
                            struct error *err) STATUS_CHECKED;
void supervisor_close(struct engine *engine); /* no job waits for a restart any more */
void supervisor_ended(struct engine_job *job, enum job_state state,
                      const struct error *error);         /* the attempt's last callback */
void supervisor_ask(struct engine_job *job, bool cancel); /* the job is to stop, or be cancelled */
void supervisor_wake(struct engine *engine);
bool supervisor_step(struct engine *engine);      /* simulated; false: nothing is due */
int64_t supervisor_due_us(struct engine *engine); /* monotonic; INT64_MAX: never */
/* Why a job waits for its restart; false: it does not. */
bool supervisor_why(struct engine_job *job, struct buf *out);
/* Of one that was started again lately: appends that, and why. */
void supervisor_why_lately(struct engine_job *job, struct buf *out);

/* summary.c */
void summary_make(struct engine_job *job, struct job_summary *out);
void history_add(struct engine *engine, const struct job_summary *summary); /* mutex held */

#endif
