/* runtime_int.h - shared by the files of runtime/ and their tests.
 *
 *   runtime --> ready tasks, timers, workers          (scheduler.c)
 *   job     --> tasks, their gates, shared parts      (job.c, build.c)
 *   task    --> hosts (operators) in plan order       (task.c, host.c)
 *   gate    --> channels, one per sender              (gate.c, exchange.c)
 *   coordinator: a task without operators             (coordinator.c, snapshot.c)
 *
 * A task's fields belong to whoever steps it (step_lock); a gate's channels to its mutex; the ready
 * list and timers to the runtime's mutex; a job's error and counts to the job's mutex. Locks are
 * taken in that order: step_lock, then one of the others; never two of the others, but for the
 * runtime's inside the coordinator's.
 */
#ifndef LEAT_RUNTIME_RUNTIME_INT_H
#define LEAT_RUNTIME_RUNTIME_INT_H

#include "base/must.h"
#include "data/key.h"
#include "os/thread.h"
#include "runtime/runtime.h"

#define TASK_BATCHES_A_STEP 4
#define QUEUE_BYTES_DEFAULT (1u << 20)

/* ---- watermarks of several inputs (watermark.c) */

struct watermark_input {
    int64_t watermark_us;
    bool idle, ended;
};
/* The minimum over the inputs that are neither idle nor ended. Rises only. */
struct watermarks {
    uint32_t count;
    struct watermark_input *inputs;
    int64_t combined_us;
    bool idle; /* all inputs are idle or ended, and not all ended */
};
enum status watermarks_init(struct watermarks *all, uint32_t count,
                            struct error *err) STATUS_CHECKED;
void watermarks_fini(struct watermarks *all);
/* Each returns whether combined_us or idle changed. */
bool watermarks_advance(struct watermarks *all, uint32_t input, int64_t watermark_us);
bool watermarks_set_idle(struct watermarks *all, uint32_t input, bool idle);
bool watermarks_set_ended(struct watermarks *all, uint32_t input);
/* A batch of `input` with its marks made those of all inputs together: a new reference to it, or a
 * new batch where marks have to change. The input advances to the last mark. */
enum status watermarks_batch(struct watermarks *all, uint32_t input, struct batch *batch,
                             struct batch **out, struct error *err) STATUS_CHECKED;

/* ---- events on edges and channels */

enum event_kind { EVENT_BATCH, EVENT_WATERMARK, EVENT_STATUS, EVENT_BARRIER, EVENT_END };
struct event {
    enum event_kind kind;
    bool flag;           /* STATUS: idle; BARRIER: the job stops after it */
    struct batch *batch; /* BATCH: one reference */
    int64_t value;       /* WATERMARK: microseconds; BARRIER: epoch */
    size_t bytes;        /* BATCH: counted in the queue */
};
/* First in, first out; grows by doubling. A watermark behind a watermark replaces it, so that only
 * batches (bounded in bytes by the user) make it long. */
struct event_queue {
    struct event *events;
    uint32_t capacity, head, count;
};
enum status event_queue_push(struct event_queue *queue, const struct event *event,
                             struct error *err) STATUS_CHECKED;
struct event event_queue_pop(struct event_queue *queue);
void event_queue_fini(struct event_queue *queue);

/* ---- gates: the receiving end of an exchange */

struct task;
struct operator_host;

struct channel {
    struct event_queue queue;
    _Atomic size_t bytes;
    struct task *sender;
    bool sender_waits; /* wake it when there is room */
    bool aligned;      /* its barrier was taken; nothing more until the others' are */
    bool ended;        /* its end was taken */
};
struct gate {
    struct mutex mutex; /* queues, bytes, sender_waits */
    size_t limit_bytes; /* of a channel */
    struct task *task;  /* receiver */
    struct operator_host *target;
    uint32_t port;
    uint32_t channel_count;
    struct channel *channels;
    uint32_t next;                /* channel to look at first */
    struct watermarks watermarks; /* receiver's */
    bool was_idle;
};
enum status gate_init(struct gate *gate, uint32_t channel_count, size_t limit_bytes,
                      struct error *err) STATUS_CHECKED;
void gate_fini(struct gate *gate);
/* Takes over the batch reference, also on failure. */
enum status gate_send(struct gate *gate, uint32_t channel, struct event *event,
                      struct error *err) STATUS_CHECKED;
/* The channel has as much as it may; its sender will be woken. */
bool gate_full(struct gate *gate, uint32_t channel);
/* The next event of any channel that is not aligned. False: there is none. */
bool gate_take(struct gate *gate, struct event *event, uint32_t *channel);
bool gate_aligned(const struct gate *gate); /* every channel is aligned or ended, not all ended */

/* The sending end: one per operator output, reader and sender subtask (exchange.c). */
struct exchange {
    const struct plan_node *node; /* PLAN_EXCHANGE */
    uint32_t receiver_count;
    struct gate **gates; /* by receiver subtask */
    uint32_t channel;    /* the sender's in each gate */
    struct key_batch *keys;
    uint16_t *selections; /* receiver_count * BATCH_ROWS_MAX */
    uint32_t *counts;
    uint8_t receiver_of_group[KEY_GROUP_COUNT];
};
enum status exchange_init(struct exchange *exchange, const struct plan_node *node,
                          uint32_t receiver_count, uint32_t channel,
                          struct error *err) STATUS_CHECKED;
void exchange_fini(struct exchange *exchange);
enum status exchange_batch(struct exchange *exchange, struct batch *batch,
                           struct error *err) STATUS_CHECKED;
enum status exchange_event(struct exchange *exchange, const struct event *event,
                           struct error *err) STATUS_CHECKED; /* not batches */
bool exchange_full(struct exchange *exchange);

/* ---- operators in a task */

struct edge { /* one reader of one output of an operator */
    uint32_t output;
    struct operator_host *target; /* in the same task; NULL: over an exchange */
    uint32_t port;
    struct exchange *exchange;
    struct event_queue waiting; /* the target was busy */
};

enum pending {
    PENDING_NONE,
    PENDING_PUSH,
    PENDING_WATERMARK,
    PENDING_END,
    PENDING_FLUSH,
    PENDING_TIMER
};

struct operator_host {
    struct operator op;
    struct task *task;
    struct wake wake;
    bool opened, has_poll, poll_ended;
    struct watermarks ports;
    bool was_idle; /* status as it was last passed on */
    uint32_t ports_ended;
    enum pending pending;     /* what answered PUSH_FULL: to be resumed */
    int64_t due_watermark_us; /* to be handed to the operator when nothing is pending */
    int64_t watermark_us;     /* handed to it */
    bool end_called, ended;   /* ended: the end was passed on */
    int64_t timer_us;         /* monotonic; INT64_MAX: not armed */
    uint32_t edge_count;
    struct edge *edges;
    uint32_t input_count;
    struct edge **inputs; /* edges whose target this is */
    /* checkpoints: the task's until it has told the coordinator, then the coordinator's */
    uint32_t operator_id;
    struct buf blob;
    struct state_out out;
};
/* All: OK or the operator's error. */
enum status host_event(struct operator_host *host, uint32_t port, struct event *event,
                       struct error *err) STATUS_CHECKED; /* takes over the batch */
enum status host_advance(struct operator_host *host, struct error *err) STATUS_CHECKED;
enum status host_timer(struct operator_host *host, struct error *err) STATUS_CHECKED;
enum status host_flush(struct operator_host *host, uint64_t epoch,
                       struct error *err) STATUS_CHECKED;
enum status host_poll(struct operator_host *host, enum poll_state *state,
                      struct error *err) STATUS_CHECKED;
bool host_waits(const struct operator_host *host); /* pending, or events wait at its inputs */
enum status host_send(struct operator_host *host, const struct event *event,
                      struct error *err) STATUS_CHECKED; /* to every edge; not batches */

/* ---- tasks */

/* WOKEN at first: until the job starts, wakes of an operator being opened change nothing. */
enum task_run { TASK_IDLE, TASK_READY, TASK_RUNNING, TASK_WOKEN, TASK_ENDED };
enum step_result { STEP_AGAIN, STEP_WAIT, STEP_ENDED };

struct task_times { /* of one epoch, see struct checkpoint_report */
    int64_t align_us, sync_us, async_us;
};

struct task {
    struct job *job;
    uint32_t subtask;
    _Atomic int run; /* enum task_run */
    struct task *next_ready;
    struct mutex step_lock;
    uint32_t host_count;
    struct operator_host *hosts; /* inputs before users */
    uint32_t gate_count;
    struct gate *gates;
    uint32_t next_input;
    _Atomic uint64_t epoch; /* the last that passed */
    uint64_t flushing;      /* epoch being flushed; 0: none */
    bool flushing_stops;    /* the task ends after it */
    uint32_t flush_next;    /* host to flush next */
    uint32_t polled_count;  /* hosts that poll */
    bool barrier_stops;     /* of the barrier taken from a channel last */
    bool closed;
    bool is_coordinator;
    bool parked;             /* all has ended; it stays for the checkpoints that follow */
    int64_t barrier_us;      /* monotonic: its first channel's barrier came; 0: none has */
    int64_t phase_us;        /* monotonic: flushing, then writing, began */
    struct task_times times; /* of the epoch under way */
    uint64_t snapshot_epoch; /* being written or waiting for its outcome; 0: none */
    bool snapshot_told;      /* the coordinator has it all */
    uint32_t snapshot_next;  /* host to be written next */
    struct error snapshot_failure;
    int64_t now_us, steady_us; /* wall and monotonic, sampled once per batch */
    /* timers: the runtime's mutex */
    int64_t timer_us; /* monotonic; INT64_MAX: not armed */
    struct task *next_timer;
};
enum step_result task_step(struct task *task, uint32_t batches);
void task_wake(struct task *task); /* from any thread */
void task_close(struct task *task);

/* ---- jobs */

/* One that somebody waits for (savepoint.c). */
struct savepoint {
    struct job_savepoint request;
    bool wanted, over; /* over: the coordinator has ended */
    bool taken;        /* of the epoch being made */
    bool copying;      /* its I/O job is under way */
};

enum coordinator_phase {
    COORDINATOR_IDLE,
    COORDINATOR_COLLECTS,
    COORDINATOR_SETTLES, /* the last checkpoint is durable; its rows are being committed */
    COORDINATOR_SAVES,   /* a checkpoint is durable: committed, then copied as a savepoint */
};

/* Makes the job's checkpoints: a task that is woken by what it waits for. */
struct coordinator {
    bool enabled;
    struct task task;
    struct operator_id {
        uint32_t id;
    } * ids; /* by plan node */
    uint32_t next_operator_id;
    uint8_t lineage[CHECKPOINT_LINEAGE_BYTES], parent[CHECKPOINT_LINEAGE_BYTES];
    uint64_t parent_epoch;
    struct operator_history history;
    struct committer **committers; /* by plan node; NULL: none */
    struct wake wake;              /* of the task */
    struct mem_owner owner;        /* of the blocks on their way */
    struct mem_owner early_owner;  /* of those with early records: they give way to others */
    /* the tasks and the I/O job tell; under the mutex */
    struct mutex mutex;
    struct state_block *first_block, *last_block;
    uint32_t told_count, parked_count;
    struct error failure; /* of the epoch's first task that failed */
    bool writing;         /* the I/O job is under way */
    struct error written; /* its result */
    struct checkpoint_statistics statistics;
    struct checkpoint_report ended[CHECKPOINT_HISTORY_MAX]; /* newest first */
    uint32_t ended_count;
    /* asked for by anyone */
    _Atomic bool changed, asked, stop;
    _Atomic size_t queued_bytes;
    _Atomic uint64_t resolved_epoch; /* the outcome of which is known ... */
    _Atomic bool resolved_good;      /* ... to be this */
    struct state_fold fold;          /* of the epoch being made; set before it is */
    /* the coordinator's own, and the I/O job's while it is under way */
    enum coordinator_phase phase;
    enum checkpoint_end end; /* of the epoch being made */
    bool begun;              /* checkpoint_begin was called for it */
    bool is_last, is_over;
    bool settles; /* the epoch's manifest holds rows to be committed before the end */
    bool commits; /* the I/O job is the epoch's last */
    uint64_t bytes;
    int64_t begun_us;  /* monotonic */
    int64_t commit_us; /* how long its last I/O job took to commit */
    struct savepoint savepoint;
    struct io_job io_job;
    struct state_block *io_blocks;
};

struct job {
    struct runtime *runtime;
    struct job_request request;
    struct mem_owner owner;
    struct zone *own_zone; /* UTC, when the context names none */
    uint32_t task_count;
    struct task *tasks;
    struct exchange *exchanges;
    uint32_t exchange_count;
    void **shared; /* by node id; operator_shared() */
    _Atomic uint64_t epoch;
    _Atomic uint64_t stop_epoch; /* the tasks end after this barrier; 0: none */
    _Atomic bool cancelled, satisfied, stopped_early;
    _Atomic uint64_t collect_resumes;
    _Atomic int state; /* enum job_state */
    _Atomic uint32_t tasks_left;
    int64_t started_us;
    _Atomic int64_t ended_us;
    struct coordinator coordinator;
    struct mutex mutex; /* error, done */
    struct condition ended;
    struct error error;
    bool has_error, done;
};
enum status job_build(struct job *job, struct error *err) STATUS_CHECKED; /* build.c */
void job_unbuild(struct job *job);
void job_fail(struct job *job, const struct error *err); /* the first error counts */
void job_task_ended(struct job *job);

/* ---- scheduler */

struct runtime {
    struct runtime_settings settings;
    struct mutex mutex;
    struct condition work;
    struct task *first_ready, *last_ready;
    uint32_t ready_count;
    struct task *first_timer; /* by timer_us */
    bool stopping;
    uint32_t sleeping;
    struct thread **threads;
    uint32_t thread_count;
    uint64_t random_state;
};
void runtime_ready(struct runtime *runtime, struct task *task);
/* Moves the task's timer; monotonic time, INT64_MAX: none. */
void runtime_timer(struct runtime *runtime, struct task *task, int64_t due_us);

/* ---- checkpoints */

/* coordinator.c */
enum status coordinator_init(struct job *job, struct error *err) STATUS_CHECKED; /* before build */
void coordinator_fini(struct job *job);
enum step_result coordinator_step(struct task *task);
void coordinator_changed(struct job *job); /* something flows: cheap */
void coordinator_parked(struct job *job);  /* one more task has ended all it had */
void coordinator_told(struct task *task);  /* the task's part of the epoch is complete, or failed */
void coordinator_give(void *context, struct state_block *block); /* context: the job */
bool coordinator_is_full(struct job *job); /* of blocks: the tasks should wait */

/* commits.c: the committers of exactly-once sinks */
enum status commits_init(struct coordinator *coordinator, struct error *err) STATUS_CHECKED;
void commits_fini(struct coordinator *coordinator);
/* What the checkpoint keeps of the host's sink, into its blob. False: there is nothing. */
bool commits_save(struct coordinator *coordinator, struct operator_host *host);
void commits_release(struct coordinator *coordinator, uint64_t epoch); /* its checkpoint exists */
/* Starts commits; returns when to come again (monotonic). The job fails when one has. */
int64_t commits_step(struct coordinator *coordinator);
bool commits_settled(struct coordinator *coordinator); /* of finished checkpoints */
bool commits_empty(struct coordinator *coordinator);   /* nor of the one being made */
/* No more commits; false: one is under way, a wake follows. */
bool commits_end(struct coordinator *coordinator);
bool commits_why(struct job *job, struct buf *out);
/* False: the node is no exactly-once sink. */
struct committer_status;
bool commits_status(struct job *job, const struct plan_node *node, struct committer_status *out);

/* statistics.c */
void statistics_begin(struct coordinator *coordinator, uint64_t epoch);
/* Under the coordinator's mutex. */
void statistics_told(struct coordinator *coordinator, const struct task_times *times);
void statistics_end(struct coordinator *coordinator, const struct error *failure);
void statistics_get(struct job *job, struct checkpoint_statistics *out);

/* savepoint.c; the coordinator's own */
bool savepoint_due(struct coordinator *coordinator); /* asked for, not to wait for the job's end */
void savepoint_begin(struct coordinator *coordinator, bool is_last); /* an epoch begins */
/* To whom it was made for, if it was; error NULL: it is there. */
void savepoint_answer(struct coordinator *coordinator, const struct error *error);
void savepoint_over(struct coordinator *coordinator); /* none will be made any more */

/* snapshot.c: a task's part of a checkpoint */
void snapshot_begin(struct task *task);
/* Writes a slice. True: there is more to write, and room for it. */
bool snapshot_slice(struct task *task);
void snapshot_finish(struct task *task);  /* all slices at once */
void snapshot_resolve(struct task *task); /* looks whether the outcome is known */
void snapshot_drop(struct task *task);    /* the task is being closed */

#endif
