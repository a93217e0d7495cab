/* runtime.h - jobs: plans turned into tasks, and the pool that steps them.
 *
 *   struct plan --job_new--> struct job: tasks (chains of operators between exchanges)
 *                                   |
 *        worker pool (real) or runtime_simulate (one thread, order drawn from a seed)
 *
 * A runtime is one per process (tests make several). It owns the worker threads; a job owns none.
 * Tasks run when something woke them (rows, room, a timer); an idle job costs nothing.
 *
 * Threads: every function may be called from any thread unless said. Callbacks come from a worker
 * (or from runtime_simulate) with no lock held and must not block or call job_wait and job_free.
 *
 * With job_request.checkpoints a job begins with a checkpoint's state and makes checkpoints. A
 * failing job stops with its first error; to start it again, with another struct job, is the
 * caller's.
 */
#ifndef LEAT_RUNTIME_RUNTIME_H
#define LEAT_RUNTIME_RUNTIME_H

#include "operator/operator.h"

struct runtime;
struct job;

struct runtime_settings {
    struct io *io;           /* clock; io_real() or a simulated twin */
    struct mem_owner *owner; /* jobs are children of it; NULL: not counted */
    uint32_t worker_threads; /* leat.worker-threads; 0: none, runtime_simulate drives */
    uint64_t seed;           /* for runtime_simulate */
    uint32_t batch_rows;     /* most rows a source puts in a batch; 0: BATCH_ROWS_MAX */
    size_t queue_bytes;      /* of one exchange channel; 0: the default, 1 MiB */
};

enum status runtime_new(struct runtime **out, const struct runtime_settings *settings,
                        struct error *err) STATUS_CHECKED;
/* Joins the workers. Every job must have been freed. */
void runtime_free(struct runtime *runtime);

/* Without worker threads: step ready tasks, and jobs of simulated I/O pools (os/simthread.h), in
 * random order until none is ready or max_steps were made; returns the steps made. Timers fire when
 * the io's clock has reached them. One thread. */
uint64_t runtime_simulate(struct runtime *runtime, uint64_t max_steps);
/* When the next timer is due (monotonic clock of the io); INT64_MAX: no timer is armed. */
int64_t runtime_next_timer_us(struct runtime *runtime);

enum job_state {
    JOB_RUNNING,
    JOB_STOPPING,   /* job_stop: sources read no more, what was read flows to the sinks */
    JOB_RESTARTING, /* it failed and is to be started again; the engine's: not of a struct job */
    JOB_FINISHED,   /* all input ended and is durable in the sinks */
    JOB_STOPPED,    /* by job_stop, all that was read is durable in the sinks */
    JOB_CANCELLED,  /* by job_cancel */
    JOB_FAILED,
};
const char *job_state_name(enum job_state state); /* Flink's: RUNNING, FINISHED, CANCELED ... */
static inline bool job_state_is_final(enum job_state state)
{
    return state >= JOB_FINISHED;
}

struct job_callbacks {
    /* Rows of a PLAN_COLLECT in order (borrowed). PUSH_FULL: taken, but no more until
     * job_collect_resume. NULL: rows are dropped. From one thread at a time. */
    enum push_result (*rows)(void *context, struct batch *batch, struct error *err);
    /* Once, after every operator has been closed; error: JOB_FAILED's, else NULL. NULL: nobody. */
    void (*ended)(void *context, struct job *job, enum job_state state, const struct error *error);
};

/* A job's checkpoints. All is borrowed and must outlive the job. */
struct job_checkpoints {
    struct checkpoint_store *store; /* nobody else uses it meanwhile */
    const char *job_name;           /* as manifests have it */
    const struct checkpoint *from;  /* the state to begin with; NULL: none */
    /* With a lineage of its own (state/checkpoint.h), which comes from this one: what `from` had,
     * or a job had that is run anew. NULL: from's goes on; of a job without `from`, it is a new
     * one. */
    const uint8_t *parent;
    /* From one that has begun to the next, where anything has changed since; 0: only those asked
     * for by job_barrier, and the last one. */
    int64_t interval_us;
    bool accept_duplicates; /* where a sink has been committed further than `from` knows */
};

struct job_request {
    const struct job_checkpoints *checkpoints; /* NULL: the job has none */
    const struct plan *plan;                   /* borrowed; must outlive the job */
    const struct plugin_context *context;      /* likewise */
    struct job_callbacks callbacks;
    void *callback_context;
};

/* Opens every operator: errors of options and targets come from here. ERR_RESET: a target that the
 * job had written before its checkpoint is not there any more, and its table says that the job is
 * to begin anew then. */
enum status job_new(struct runtime *runtime, const struct job_request *request, struct job **out,
                    struct error *err) STATUS_CHECKED;
/* Starts its tasks; once. */
void job_run(struct job *job);
/* Ask for an end; the state changes later. Both may be called any number of times, also after the
 * end. A cancel overrides a stop under way. */
void job_stop(struct job *job);
void job_cancel(struct job *job);
/* As if the input had ended: every window is complete, and the job finishes. */
void job_drain(struct job *job);
/* False: the time ran out. timeout_us < 0 waits for ever. Not for simulated runtimes. */
bool job_wait(struct job *job, int64_t timeout_us);
/* The job must have ended. */
void job_free(struct job *job);
void job_collect_resume(struct job *job);

/* Sends the next barrier through the job: every operator flushes, sinks make durable what came
 * before. job_status().epochs_done counts those that have passed every task. With checkpoints:
 * makes one, after the one that is being made. */
void job_barrier(struct job *job);

/* A savepoint: a checkpoint as a directory of its own (state/checkpoint.h), with no rows that are
 * still to be committed. */
enum savepoint_then {
    SAVEPOINT_GO_ON,
    SAVEPOINT_STOP,  /* it is the last checkpoint of job_stop */
    SAVEPOINT_DRAIN, /* of job_drain: nothing can go on from it */
};
struct job_savepoint {
    const char *directory; /* borrowed until done; made, or empty */
    enum savepoint_then then;
    /* Once, from a worker, which must not be made to wait. error NULL: it is there. */
    void (*done)(void *context, const struct error *error);
    void *context;
};
/* Begins one; on failure done is not called. ERR_EXISTS: one is being made; ERR_CLOSED: the job has
 * ended; ERR_UNSUPPORTED: it has no checkpoints. */
enum status job_savepoint(struct job *job, const struct job_savepoint *request,
                          struct error *err) STATUS_CHECKED;

enum checkpoint_outcome { CHECKPOINT_IN_PROGRESS, CHECKPOINT_COMPLETED, CHECKPOINT_FAILED };

struct checkpoint_report {
    uint64_t epoch; /* 0: there is none */
    enum checkpoint_outcome outcome;
    bool is_last; /* the run ends with it */
    bool is_savepoint;
    uint32_t told_count;        /* tasks whose part is complete */
    int64_t begun_us, ended_us; /* wall */
    int64_t duration_us;        /* from its begin to the manifest */
    /* Of the task that took longest: from its first barrier to its last, till the operators had
     * flushed and the barrier went on, till its state was written beside the work. */
    int64_t align_us, sync_us, async_us;
    int64_t commit_us; /* sync of the segment, and the manifest */
    uint64_t bytes;    /* of the blocks it wrote */
    char failure[256];
};

struct checkpoint_statistics {
    uint64_t completed, failed; /* numberOfCompletedCheckpoints, numberOfFailedCheckpoints */
    uint64_t restored_epoch;    /* the checkpoint that the job has gone on from; 0: none */
    int64_t restored_us;        /* wall: when */
    struct checkpoint_report now, last, last_savepoint, last_failed; /* of this run; completed */
    struct error error; /* why the last one failed or could not be taken; code OK: it did not */
    struct checkpoint_summary { /* of the completed ones */
        uint64_t count;
        int64_t least_us, most_us, sum_us;
        uint64_t least_bytes, most_bytes, sum_bytes;
    } summary;
};

struct job_status {
    enum job_state state;
    struct error error;           /* JOB_FAILED */
    int64_t started_us, ended_us; /* wall; ended_us 0: not yet */
    uint64_t restarts;            /* the engine's, as is JOB_RESTARTING */
    uint64_t epoch, epochs_done;  /* barriers sent, passed by all tasks */
    struct checkpoint_statistics checkpoints;
    /* After a crash: until every split has once been read to its end, or a checkpoint was made,
     * targets of direct upserts may show older values (contracts.md rule 30). */
    bool recovering;
    uint32_t task_count, operator_count;
    size_t memory_bytes, memory_peak_bytes;
    uint64_t rows_read, rows_written; /* sums over sources and sinks */
    int64_t last_output_us;           /* wall time of the last batch at a sink; 0: none */
};
void job_status(struct job *job, struct job_status *out);
#define CHECKPOINT_HISTORY_MAX 10 /* Flink's web.checkpoints.history */
/* The last checkpoints that have ended, newest first; returns how many. */
uint32_t job_checkpoint_history(struct job *job, struct checkpoint_report *out);
const struct plan *job_plan(const struct job *job);

/* Metrics of one operator and subtask; names as in Flink where one exists. */
struct operator_report {
    const struct plan_node *node;
    char name[128]; /* "GroupAggregate", "Source: orders" */
    uint32_t subtask;
    int64_t records_in, records_out, batches_in, batches_out;
    int64_t late_dropped, bad_rows, buffered_rows, state_keys, state_bytes;
    int64_t watermark_us;                /* WATERMARK_NONE before the first */
    int64_t last_input_us, last_emit_us; /* wall; 0: never */
    int64_t oldest_row_us;               /* wall: since when rows are buffered; 0: none are */
    int64_t next_timer_us; /* event time that lets rows out next; WATERMARK_MAX: none */
    bool blocked;          /* waits for something downstream */
    bool is_committer;     /* of an exactly-once sink, its first subtask; else these are 0: */
    int64_t pending_epochs, pending_bytes, commits, last_commit_us;
};
/* Fills at most max entries in plan order, subtasks together; returns how many there are. */
uint32_t job_operators(struct job *job, struct operator_report *out, uint32_t max);

/* Appends one or two sentences: why the job gives no output (now), with the option that helps where
 * one does; for an ended job how it ended. May wait for a task's current step (about a ms). */
void job_why(struct job *job, struct buf *out);
/* The same from what is left of a job that has ended. */
void job_end_why(const struct job_status *status, struct buf *out);

/* True: rows came to the sinks, none in the last second, and a target holds the job up now; out has
 * the reason. For those who watch a job and need not hear that it merely has no input. */
bool job_held_up(struct job *job, struct buf *out);

#endif
