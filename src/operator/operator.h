/* operator.h - the contract of streaming operators (contracts.md section 2).
 *
 * One const struct operator_class a kind, one struct operator an instance and subtask; operators of
 * a chain call each other directly through operator_emit(). All calls of one operator come from one
 * thread at a time (its task); none blocks.
 *
 * Flow control: operator_emit always takes the batch. When something downstream is full (a sink, an
 * exchange), the batch waits on that edge and operator_blocked() becomes true: the task gives the
 * chain no new input until it has drained. An operator that has much more to emit (a window firing
 * a million keys) looks at operator_blocked() after each batch and answers PUSH_FULL; resume() is
 * then called until it answers PUSH_DONE, before any other call.
 *
 * Order of events at a port: batches, watermarks, status, barriers in the order sent. A batch's
 * marks are its own watermarks; after a batch with marks the runtime calls watermark() with the
 * last one. Members that are NULL do the default: watermark, status, end and flush are passed on,
 * once all ports have seen them (watermark: the minimum over non-idle ports).
 *
 * The runtime has already combined what comes in: the marks of a batch and the argument of
 * watermark() are the operator's watermark (the minimum over its non-idle ports and channels),
 * rising only; end() is called once, when every port has ended, after watermark(WATERMARK_MAX). An
 * operator that handles watermark() passes it on itself with operator_emit_watermark(), after its
 * rows.
 */
#ifndef LEAT_OPERATOR_OPERATOR_H
#define LEAT_OPERATOR_OPERATOR_H

#include "base/metric.h"
#include "plan/plan.h"
#include "state/checkpoint.h"

#define OPERATOR_PORTS_MAX 16

struct committer; /* operator/committer.h */

struct operator;
struct operator_host; /* the runtime's side: edges, timers, clock */

enum poll_state {                 /* of operators without input: sources, values */
                  OPERATOR_MORE,  /* call again */
                  OPERATOR_WAIT,  /* after operator_wake() was notified or the timer is due */
                  OPERATOR_ENDED, /* no more rows for ever; the runtime sends WATERMARK_MAX and the
                                     end */
                  OPERATOR_FAILED,
};

struct split_report {
    const char *id; /* borrowed; good while the task does not step */
    bool idle, ended;
    uint64_t row_count;   /* in this run */
    int64_t watermark_us; /* WATERMARK_NONE: none yet */
    int64_t last_row_us;  /* monotonic; before the first: when it was taken up */
};

struct operator_class {
    size_t size;                                                 /* sizeof(struct operator_class) */
    const char *name;                                            /* "GroupAggregate" */
    enum status (*open)(struct operator* op, struct error *err); /* sets op->state */
    enum push_result (*push)(struct operator* op, uint32_t port, struct batch *batch,
                             struct error *err); /* borrows batch */
    /* No input: read and emit about one batch. Not called while operator_blocked(). */
    enum poll_state (*poll)(struct operator* op, struct error *err);
    enum push_result (*resume)(struct operator* op, struct error *err);
    enum push_result (*watermark)(struct operator* op, int64_t watermark_us, struct error *err);
    enum push_result (*timer)(struct operator* op, int64_t due_us, struct error *err);
    /* The last call before close; what is emitted goes before the end that is passed on. */
    enum push_result (*end)(struct operator* op, struct error *err);
    enum push_result (*flush)(struct operator* op, uint64_t epoch, struct error *err);
    /* After the flush for a barrier: appends what the operator keeps beside its keyed state. open
     * finds it again in op->restore, with that of all subtasks there were. NULL: nothing. */
    enum status (*snapshot)(struct operator* op, struct buf *out, struct error *err);
    /* What is wrong in itself (a source that cannot read, a target that takes nothing), or that it
     * keeps rows till the end. False: nothing to say; what metrics tell needs no words here. */
    bool (*why)(struct operator* op, struct buf *out);
    /* Sources, when no row has come and nothing is wrong: may append a sentence that helps. */
    void (*no_rows)(struct operator* op, struct buf *out);
    /* Sources: the index-th of this subtask's splits. False: there are not so many. */
    bool (*split)(const struct operator* op, uint32_t index, struct split_report *out);
    void (*close)(struct operator* op); /* also after a failed open */
};

struct operator_metrics { /* names of Flink where one exists (contracts.md rule 37) */
    struct metric_cell records_in, records_out, batches_in, batches_out;
    struct metric_cell late_dropped; /* numLateRecordsDropped */
    struct metric_cell watermark_us; /* currentInputWatermark */
    struct metric_cell bad_rows, buffered_rows, state_keys, state_bytes;
    struct metric_cell last_emit_us, last_input_us;
    struct metric_cell catching_up;   /* sources: 1 until each split was read to its end once */
    struct metric_cell oldest_row_us; /* wall: when the first of the buffered rows came; 0: none */
    struct metric_cell next_timer_us; /* event time that lets rows out next; WATERMARK_MAX: none */
    /* Wall: when a row was let in last, and when a condition or its lateness turned one away. */
    struct metric_cell last_accept_us, last_reject_us;
};

struct operator_restore { /* what a checkpoint has of an operator */
    struct checkpoint_reader *reader;
    const struct checkpoint_operator *from;
};

struct operator
{
    const struct operator_class *class;
    const struct plan_node *node;
    void *state; /* the class's own struct */
    /* Keyed state, in op->state; set by open. NULL: keeps none. */
    struct keyed_state *keyed;
    uint64_t epoch; /* while opening: the one under way; 0: no checkpoints */
    const struct operator_restore *restore; /* while opening; NULL: it begins empty */
    bool resumes;                           /* the job goes on from a checkpoint */
    uint32_t subtask, parallelism;
    uint32_t first_key_group, last_key_group; /* inclusive */
    uint32_t port_count;
    struct operator_host *host;
    struct mem_owner owner; /* child of the job's */
    const struct plugin_context *context;
    struct eval_context eval; /* now_us sampled once per batch, zone, watermark */
    int64_t steady_us;        /* the monotonic clock, sampled with now_us: timers, time-outs */
    struct operator_metrics metrics;
};

/* Hands the batch (borrowed) to every reader of the output. Output 0 is the main one, 1 a source's
 * dead letters. PUSH_DONE, or PUSH_ERROR, which the caller passes on. */
enum push_result operator_emit(struct operator* op, uint32_t output, struct batch *batch,
                               struct error *err);
enum push_result operator_emit_watermark(struct operator* op, int64_t watermark_us,
                                         struct error *err);
/* All splits are idle (the output's watermark holds nobody back) or one is active again. */
enum push_result operator_emit_status(struct operator* op, bool idle, struct error *err);
bool operator_blocked(const struct operator* op);
/* One timer per operator; re-arming moves it, INT64_MAX disarms. due_us is on the monotonic clock:
 * nothing waits longer or shorter because somebody has set the machine's clock. */
enum status operator_set_timer(struct operator* op, int64_t due_us,
                               struct error *err) STATUS_CHECKED;
/* For connectors: wakes the operator's task. Valid until close. */
struct wake *operator_wake(struct operator* op);
/* Memory shared by the subtasks of op's node: zeroed, size_bytes, the same pointer for each; made
 * by the first caller and freed after the last close. Only to be asked for in open. */
void *operator_shared(struct operator* op, size_t size_bytes, struct error *err);
/* The job's place among its runs. */
struct operator_history {
    const uint8_t *lineage;        /* CHECKPOINT_LINEAGE_BYTES */
    const uint8_t *parent;         /* the lineage that it comes from; NULL: none */
    const struct checkpoint *from; /* that it goes on from; NULL: it begins */
    bool accept_duplicates;        /* rows that a sink has already may come again */
    const char *directory;         /* of the checkpoints */
};
/* NULL: the job has no checkpoints. Valid until close. */
const struct operator_history *operator_history(const struct operator* op);
/* In open: each checkpoint of the job holds what the committer has then, and releases it. */
void operator_commits(struct operator* op, struct committer *committer);
/* In open, with op->keyed set: makes it what the checkpoint had for these key groups. */
enum status operator_restore_keyed(struct operator* op, uint32_t first_key_group,
                                   uint32_t last_key_group, struct error *err) STATUS_CHECKED;
uint32_t operator_batch_rows(const struct operator* op); /* most rows of a batch to read */
const char *operator_job_name(const struct operator* op);
/* No more input is needed (a LIMIT is full): the job ends as if its sources had ended. */
void operator_satisfied(struct operator* op);
/* Rows of a PLAN_COLLECT to whoever started the job; PUSH_FULL: taken, no more before the number of
 * resumes has changed (the task is woken). */
enum push_result operator_collect(struct operator* op, struct batch *batch, struct error *err);
uint64_t operator_collect_resumes(const struct operator* op);

/* The class for a node. NULL: no operator is built for it. */
const struct operator_class *operator_class_for(enum plan_op op);

#endif
