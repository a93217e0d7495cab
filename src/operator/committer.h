/* committer.h - the one committer of an exactly-once sink: what all its writers have prepared, in
 * order, on its way into the target (contracts.md rules 25 to 29).
 *
 *   writers --committer_add(epoch)--> list --committer_save--> the checkpoint of that epoch
 *                                      |
 *   checkpoint exists: committer_release(epoch) --> I/O job: open, ledger, commit, commit ...
 *
 * Strictly in the order of (epoch, subtask, prepare). Each transaction moves the ledger of the
 * target along; after a failure of any kind the ledger is read again and says what came about. What
 * a checkpoint had prepared is released at once when a job goes on from it, and applied before a
 * writer takes a new row.
 *
 * Ledger and checkpoint must fit: the ledger stands where the checkpoint saw it, or at the end of
 * one of the transactions that follow from there. Else the sink has been committed further than the
 * checkpoint knows (rows would come twice), or not as far (rows are lost), or by another: refused,
 * unless the user accepts duplicates.
 *
 * Threads: add and takes come from tasks, save from the checkpoint's I/O job, the rest from the
 * coordinator; commits run on the I/O pool, one at a time.
 */
#ifndef LEAT_OPERATOR_COMMITTER_H
#define LEAT_OPERATOR_COMMITTER_H

#include "plugin/connector.h"

struct committer;

struct committer_request {
    const struct sink_class *class;
    struct sink *sink; /* the committer closes it when it is freed */
    enum sink_mode mode;
    const char *table_name; /* borrowed */
    const struct plugin_context *context;
    uint32_t parallelism;
    uint64_t max_pending_bytes;
    uint8_t lineage[SINK_LINEAGE_BYTES];
    uint64_t from_epoch;                      /* the checkpoint gone on from; 0: the job begins */
    uint8_t from_lineage[SINK_LINEAGE_BYTES]; /* of that checkpoint */
    uint8_t parent[SINK_LINEAGE_BYTES];       /* of lineage; zeros: none */
    bool accept_duplicates;
};

/* What a checkpoint keeps of a sink: its name in the target, the ledger as it was known, and all
 * that is not known to be applied. The format is committer_state.c's, version 1. */
struct committer_entry {
    uint64_t epoch;
    uint32_t subtask;
    struct sink_committable committable; /* owns its bytes */
};
struct committer_state {
    char *sink_id; /* owned; NULL: none yet */
    struct sink_ledger known;
    uint32_t count, capacity;
    struct committer_entry *entries; /* in the order in which they are applied */
};
enum status committer_state_add(struct committer_state *state,
                                const struct committer_entry *entry, /* takes over its bytes */
                                struct error *err) STATUS_CHECKED;
void committer_state_drop(struct committer_state *state, uint32_t count); /* the first ones */
void committer_state_fini(struct committer_state *state);
enum status committer_state_name(struct committer_state *state, const char *sink_id,
                                 struct error *err) STATUS_CHECKED; /* copied */
void committer_state_save(const struct committer_state *state, uint64_t epoch, struct buf *out);
enum status committer_state_load(struct committer_state *state, const void *bytes,
                                 size_t size_bytes, struct error *err) STATUS_CHECKED;

/* request->sink is taken over, also on failure. state (taken over) is what the checkpoint had,
 * named in any case. */
enum status committer_new(struct committer **out, const struct committer_request *request,
                          struct committer_state *state, struct error *err) STATUS_CHECKED;
struct committer *committer_ref(struct committer *committer);
void committer_unref(struct committer *committer); /* NULL is fine; not while a commit runs */
struct sink *committer_sink(struct committer *committer);

/* ---- writers */

/* A writer may take a row now. False: not before the wake. */
bool committer_takes(struct committer *committer, uint32_t subtask, struct wake *wake);
void committer_leaves(struct committer *committer, uint32_t subtask); /* no more wakes */
/* Takes over what the subtask's writer has prepared; its epochs rise. */
enum status committer_add(struct committer *committer, uint32_t subtask, uint64_t epoch,
                          struct sink_committables *list, struct error *err) STATUS_CHECKED;
/* Why committer_takes says no, or what has failed last; false: nothing to say. */
bool committer_why(struct committer *committer, struct buf *out);

/* ---- the coordinator */

void committer_listen(struct committer *committer, struct wake *wake); /* after each commit */
/* What the checkpoint of this epoch keeps. */
void committer_save(struct committer *committer, uint64_t epoch, struct buf *out);
/* Checkpoints up to this epoch exist: what they hold may be applied. */
void committer_release(struct committer *committer, uint64_t epoch);
/* Starts what is to be done; *due_us: when to come again (monotonic; INT64_MAX: after a wake). An
 * error is for the job to fail with. Without an I/O pool the commits are made here. */
enum status committer_step(struct committer *committer, int64_t *due_us,
                           struct error *err) STATUS_CHECKED;
/* Nothing is left to apply of what finished checkpoints hold. */
bool committer_is_settled(struct committer *committer);
/* ... nor of what the next one would. */
bool committer_is_empty(struct committer *committer);
/* No more commits. False: one is under way; a wake follows. */
bool committer_stop(struct committer *committer);

struct committer_status {
    uint32_t pending_epochs; /* prepared and not applied, of any epoch */
    uint64_t pending_bytes;
    uint64_t commits;       /* transactions so far */
    int64_t last_commit_us; /* how long the last one took */
    struct error error;     /* what it tries again after; code OK: nothing */
};
void committer_status(struct committer *committer, struct committer_status *out);

#endif
