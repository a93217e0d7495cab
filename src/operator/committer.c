/* committer.c - applying what a sink's writers have prepared: the list, the I/O job, trying again.
 *
 * The I/O job takes the released entries from the front, as many as fit one transaction, and drops
 * them once the transaction is durable; the list is what is left to do at any instant. After an
 * error the connector's committer is closed; the next try opens it, reads the ledger and drops what
 * had come about after all.
 */
#include "operator/committer.h"

#include "base/must.h"
#include "operator/committer_int.h"

#define GROUP_MAX      1000 /* committables of one transaction */
#define DELAY_FIRST_US 10000
#define DELAY_MAX_US   2000000

/* ---- begin and end ---- */

static void work(struct io_job *job);
static void work_done(struct io_job *job);

static void committer_free(struct committer *committer)
{
    const struct committer_request *request = &committer->request;
    must(!committer->busy);
    if (committer->open)
        request->class->committer_close(committer->open);
    request->class->close(request->sink);
    committer_state_fini(&committer->state);
    mutex_fini(&committer->mutex);
    mem_free(committer->wakes);
    mem_free(committer);
}

enum status committer_new(struct committer **out, const struct committer_request *request,
                          struct committer_state *state, struct error *err)
{
    struct committer *committer = mem_calloc(1, sizeof(*committer));
    struct wake **wakes = mem_calloc(request->parallelism, sizeof(*wakes));
    if (!committer || !wakes) {
        mem_free(committer);
        mem_free(wakes);
        request->class->close(request->sink);
        committer_state_fini(state);
        return error_memory(err, "a sink's committer", sizeof(*committer));
    }
    committer->request = *request;
    committer->wakes = wakes;
    committer->state = *state;
    *state = (struct committer_state){0};
    committer->restored_count = committer->state.count;
    committer->released_epoch = request->from_epoch;
    committer->delay_us = DELAY_FIRST_US;
    committer->retry_at_us = INT64_MIN;
    mutex_init(&committer->mutex);
    atomic_init(&committer->refs, 1);
    *out = committer;
    return OK;
}

struct committer *committer_ref(struct committer *committer)
{
    atomic_fetch_add(&committer->refs, 1);
    return committer;
}

void committer_unref(struct committer *committer)
{
    if (committer && atomic_fetch_sub(&committer->refs, 1) == 1)
        committer_free(committer);
}

struct sink *committer_sink(struct committer *committer)
{
    return committer->request.sink;
}

void committer_listen(struct committer *committer, struct wake *wake)
{
    committer->listener = wake;
}

/* ---- writers; under the mutex where static ---- */

static uint32_t released_count(const struct committer *committer)
{
    uint32_t count = 0;
    while (count < committer->state.count &&
           committer->state.entries[count].epoch <= committer->released_epoch)
        count++;
    return count;
}

static uint64_t released_bytes(const struct committer *committer)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0, count = released_count(committer); i < count; i++)
        bytes += committer->state.entries[i].committable.size_bytes;
    return bytes;
}

static bool takes(const struct committer *committer)
{
    return committer->is_judged && committer->restored_count == 0 &&
           released_bytes(committer) < committer->request.max_pending_bytes;
}

bool committer_takes(struct committer *committer, uint32_t subtask, struct wake *wake)
{
    mutex_lock(&committer->mutex);
    bool result = takes(committer);
    committer->wakes[subtask] = result ? NULL : wake;
    mutex_unlock(&committer->mutex);
    return result;
}

void committer_leaves(struct committer *committer, uint32_t subtask)
{
    mutex_lock(&committer->mutex);
    committer->wakes[subtask] = NULL;
    mutex_unlock(&committer->mutex);
}

static void wake_writers(struct committer *committer)
{
    for (uint32_t i = 0; i < committer->request.parallelism; i++)
        if (committer->wakes[i])
            wake_notify(committer->wakes[i]);
}

enum status committer_add(struct committer *committer, uint32_t subtask, uint64_t epoch,
                          struct sink_committables *list, struct error *err)
{
    enum status status = OK;
    uint32_t count = 0;
    mutex_lock(&committer->mutex);
    for (; count < list->count && status == OK; count++) {
        struct committer_entry entry = {epoch, subtask, list->items[count]};
        status = committer_state_add(&committer->state, &entry, err);
        if (status != OK)
            break;
        list->items[count].bytes = (struct str){0};
    }
    mutex_unlock(&committer->mutex);
    sink_committables_drop(list, list->count);
    return status;
}

bool committer_why(struct committer *committer, struct buf *out)
{
    const struct committer_request *request = &committer->request;
    mutex_lock(&committer->mutex);
    bool waits = !takes(committer), failing = committer->retry_error.code != OK;
    if (failing)
        buf_printf(out,
                   "Table %s: rows of finished checkpoints could not be committed for %.1f s: "
                   "%s.",
                   request->table_name,
                   (double)(io_monotonic_us(request->context->io) - committer->failing_since_us) /
                       1e6,
                   committer->retry_error.text);
    else if (waits && !committer->is_judged)
        buf_printf(out, "Table %s: what its target has of earlier runs is being looked up.",
                   request->table_name);
    else if (waits && committer->restored_count)
        buf_printf(out, "Table %s: rows of an earlier run are committed before new ones.",
                   request->table_name);
    else if (waits)
        buf_printf(out,
                   "Table %s: %llu bytes of finished checkpoints wait to be committed, as "
                   "many as 'leat.sink.max-pending-bytes' allows.",
                   request->table_name, (unsigned long long)released_bytes(committer));
    mutex_unlock(&committer->mutex);
    return waits || failing;
}

/* ---- the I/O job ---- */

struct group {
    uint32_t count;
    struct sink_ledger before, after;
    struct sink_committable committables[GROUP_MAX];
};

/* The released entries from the front that fit one transaction; entries of earlier runs and of this
 * one, which have different lineages, not together. */
static void take_group(struct committer *committer, struct group *group)
{
    const struct committer_state *state = &committer->state;
    const struct committer_request *request = &committer->request;
    uint64_t rows = 0, bytes = 0;
    mutex_lock(&committer->mutex);
    uint32_t most = released_count(committer);
    if (committer->restored_count && most > committer->restored_count)
        most = committer->restored_count;
    group->before = group->after = state->known;
    group->after.found = true;
    memcpy(group->after.lineage,
           committer->restored_count ? request->from_lineage : request->lineage,
           SINK_LINEAGE_BYTES);
    for (group->count = 0; group->count < most && group->count < GROUP_MAX; group->count++) {
        const struct committer_entry *entry = &state->entries[group->count];
        rows += entry->committable.row_count;
        bytes += entry->committable.size_bytes;
        if (group->count && (rows > SINK_COMMIT_ROWS_MAX || bytes > SINK_COMMIT_BYTES_MAX))
            break;
        group->committables[group->count] = entry->committable;
        group->after.position = committer_next(&group->after.position, entry);
    }
    mutex_unlock(&committer->mutex);
}

/* The first `count` entries are in the target, and the ledger is as given. */
static void applied(struct committer *committer, uint32_t count, const struct sink_ledger *ledger)
{
    const struct sink_class *class = committer->request.class;
    for (uint32_t i = 0; i < count && class->forget; i++) {
        mutex_lock(&committer->mutex);
        const struct sink_committable committable = committer->state.entries[i].committable;
        mutex_unlock(&committer->mutex);
        class->forget(committer->open, &committable);
    }
    mutex_lock(&committer->mutex);
    committer->state.known = *ledger;
    committer_state_drop(&committer->state, count);
    committer->restored_count -=
        count < committer->restored_count ? count : committer->restored_count;
    committer->is_judged = true;
    committer->retry_error = (struct error){0};
    committer->delay_us = DELAY_FIRST_US;
    committer->retry_at_us = INT64_MIN;
    wake_writers(committer);
    mutex_unlock(&committer->mutex);
}

/* The sink's ledger in a target that does not know it yet. */
static enum status make_ledger(struct committer *committer, struct sink_ledger *out,
                               struct error *err)
{
    const struct committer_request *request = &committer->request;
    struct sink_commit commit = {.after.found = true};
    memcpy(commit.after.lineage, request->from_epoch ? request->from_lineage : request->lineage,
           SINK_LINEAGE_BYTES);
    *out = commit.after;
    return request->class->commit(committer->open, &commit, err);
}

static enum status open_target(struct committer *committer, struct error *err)
{
    const struct committer_request *request = &committer->request;
    struct sink_ledger ledger = {0};
    uint32_t count = 0;
    TRY(request->class->committer_open(request->sink, &committer->open, err));
    if (!request->class->ledger) { /* commit finds out itself */
        applied(committer, 0, &committer->state.known);
        return OK;
    }
    TRY(request->class->ledger(committer->open, &ledger, err));
    mutex_lock(&committer->mutex);
    enum status status = committer_judge(committer, &ledger, &count, err);
    mutex_unlock(&committer->mutex);
    TRY(status);
    if (!ledger.found)
        TRY(make_ledger(committer, &ledger, err));
    applied(committer, count, &ledger);
    return OK;
}

static enum status commit_group(struct committer *committer, const struct group *group,
                                struct error *err)
{
    const struct committer_request *request = &committer->request;
    struct sink_commit commit = {.before = group->before,
                                 .after = group->after,
                                 .count = group->count,
                                 .committables = group->committables};
    int64_t started_us = io_monotonic_us(request->context->io);
    TRY(request->class->commit(committer->open, &commit, err));
    if (!request->class->ledger)
        commit.after.found = false;
    applied(committer, group->count, &commit.after);
    mutex_lock(&committer->mutex);
    committer->status.commits++;
    committer->status.last_commit_us = io_monotonic_us(request->context->io) - started_us;
    mutex_unlock(&committer->mutex);
    return OK;
}

static enum status work_all(struct committer *committer, struct error *err)
{
    struct group *group = mem_alloc(sizeof(*group));
    if (!group)
        return error_memory(err, "a sink's transaction", sizeof(*group));
    enum status status = committer->open ? OK : open_target(committer, err);
    while (status == OK) {
        take_group(committer, group);
        mutex_lock(&committer->mutex);
        bool stopped = committer->stopped;
        mutex_unlock(&committer->mutex);
        if (!group->count || stopped)
            break;
        status = commit_group(committer, group, err);
    }
    mem_free(group);
    return status;
}

static void note_failure(struct committer *committer, const struct error *err)
{
    int64_t now_us = io_monotonic_us(committer->request.context->io);
    mutex_lock(&committer->mutex);
    if (!err->retriable || err->fatal) {
        committer->failure = *err;
    } else {
        if (committer->retry_error.code == OK)
            committer->failing_since_us = now_us;
        committer->retry_error = *err;
        committer->retry_at_us = now_us + committer->delay_us;
        committer->delay_us *= 2;
        if (committer->delay_us > DELAY_MAX_US)
            committer->delay_us = DELAY_MAX_US;
    }
    mutex_unlock(&committer->mutex);
}

static void work(struct io_job *job)
{
    struct committer *committer = container_of(job, struct committer, job);
    struct error err = {0};
    enum status status = work_all(committer, &err);
    if (status == OK)
        return;
    if (err.code == OK)
        err.code = status;
    error_prefix(&err, "table %s", committer->request.table_name);
    if (committer->open)
        committer->request.class->committer_close(committer->open);
    committer->open = NULL;
    note_failure(committer, &err);
}

static void work_done(struct io_job *job)
{
    struct committer *committer = container_of(job, struct committer, job);
    mutex_lock(&committer->mutex);
    committer->busy = false;
    if (committer->listener)
        wake_notify(committer->listener); /* under the mutex: then it may be freed */
    mutex_unlock(&committer->mutex);
}

/* ---- the coordinator ---- */

void committer_save(struct committer *committer, uint64_t epoch, struct buf *out)
{
    mutex_lock(&committer->mutex);
    committer_state_save(&committer->state, epoch, out);
    mutex_unlock(&committer->mutex);
}

void committer_release(struct committer *committer, uint64_t epoch)
{
    mutex_lock(&committer->mutex);
    committer->released_epoch = epoch;
    mutex_unlock(&committer->mutex);
}

enum status committer_step(struct committer *committer, int64_t *due_us, struct error *err)
{
    struct io_pool *pool = committer->request.context->io_pool;
    int64_t now_us = io_monotonic_us(committer->request.context->io);
    *due_us = INT64_MAX;
    mutex_lock(&committer->mutex);
    struct error failure = committer->failure;
    bool starts = failure.code == OK && !committer->busy && !committer->stopped &&
                  (!committer->is_judged || released_count(committer));
    if (starts && committer->retry_at_us > now_us) {
        *due_us = committer->retry_at_us;
        starts = false;
    }
    committer->busy |= starts;
    mutex_unlock(&committer->mutex);
    if (failure.code != OK) {
        if (err)
            *err = failure;
        return failure.code;
    }
    if (!starts)
        return OK;
    committer->job = (struct io_job){.run = work, .done = work_done};
    if (pool) {
        io_pool_submit(pool, &committer->job);
        return OK;
    }
    work(&committer->job);
    work_done(&committer->job);
    return OK;
}

bool committer_is_settled(struct committer *committer)
{
    mutex_lock(&committer->mutex);
    bool settled = released_count(committer) == 0 && committer->is_judged;
    mutex_unlock(&committer->mutex);
    return settled;
}

bool committer_is_empty(struct committer *committer)
{
    mutex_lock(&committer->mutex);
    bool empty = committer->state.count == 0 && committer->is_judged;
    mutex_unlock(&committer->mutex);
    return empty;
}

bool committer_stop(struct committer *committer)
{
    mutex_lock(&committer->mutex);
    committer->stopped = true;
    bool stopped = !committer->busy;
    mutex_unlock(&committer->mutex);
    return stopped;
}

void committer_status(struct committer *committer, struct committer_status *out)
{
    mutex_lock(&committer->mutex);
    *out = committer->status;
    out->error = committer->retry_error;
    out->pending_epochs = 0;
    out->pending_bytes = 0;
    for (uint32_t i = 0; i < committer->state.count; i++) {
        const struct committer_entry *entry = &committer->state.entries[i];
        out->pending_epochs += i == 0 || entry->epoch != entry[-1].epoch;
        out->pending_bytes += entry->committable.size_bytes;
    }
    mutex_unlock(&committer->mutex);
}
