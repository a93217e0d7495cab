/* coordinator.c - when a job makes a checkpoint, and what becomes of it.
 *
 *   due --epoch--> tasks: flush, snapshot, barrier --blocks, told--> I/O job: segment, manifest
 *                                                  <--outcome, rows need not be written again--
 *
 * It is a task of its own, without operators, stepped like the others: woken when something has
 * changed, by its timer, by tasks that give blocks or have told all, by the I/O job. One checkpoint
 * at a time. Without an I/O pool (simulated) the I/O job runs inside the step.
 *
 * The last checkpoint of a run is the one that stops the tasks: after job_stop, or when every task
 * has ended all it had (they stay for it: "parked"). Then the coordinator ends too, and the job is
 * over when the last one is durable. Where it holds rows of exactly-once sinks, it does not say yet
 * that it is the last; once they are committed, one more manifest does, without them.
 *
 * A savepoint is a checkpoint that is copied once its rows are committed; meanwhile no other begins
 * (savepoint.c).
 *
 * A checkpoint that fails takes nothing away: what it had is part of the next one. One that cannot
 * be taken now (ERR_AGAIN: a source is in the middle of what cannot be read again) is no failure.
 */
#include "runtime/runtime_int.h"

#include "os/logger.h"

#define QUEUE_BYTES_MAX ((size_t)8 << 20)

static struct job *job_of(struct coordinator *coordinator)
{
    return container_of(coordinator, struct job, coordinator);
}

static const struct job_checkpoints *checkpoints_of(const struct coordinator *coordinator)
{
    return container_of(coordinator, struct job, coordinator)->request.checkpoints;
}

/* ---- told by others ---- */

void coordinator_changed(struct job *job)
{
    struct coordinator *coordinator = &job->coordinator;
    if (coordinator->enabled &&
        !atomic_load_explicit(&coordinator->changed, memory_order_relaxed) &&
        !atomic_exchange(&coordinator->changed, true))
        task_wake(&coordinator->task);
}

void coordinator_parked(struct job *job)
{
    mutex_lock(&job->coordinator.mutex);
    job->coordinator.parked_count++;
    mutex_unlock(&job->coordinator.mutex);
    task_wake(&job->coordinator.task);
}

void coordinator_give(void *context, struct state_block *block)
{
    struct coordinator *coordinator = &((struct job *)context)->coordinator;
    atomic_fetch_add(&coordinator->queued_bytes, block->bytes.length);
    mutex_lock(
        &coordinator->mutex); /* behind it the block is another thread's, and soon nobody's */
    if (coordinator->last_block)
        coordinator->last_block->next = block;
    else
        coordinator->first_block = block;
    coordinator->last_block = block;
    mutex_unlock(&coordinator->mutex);
    task_wake(&coordinator->task);
}

bool coordinator_is_full(struct job *job)
{
    return atomic_load_explicit(&job->coordinator.queued_bytes, memory_order_relaxed) >=
           QUEUE_BYTES_MAX;
}

void coordinator_told(struct task *task)
{
    struct coordinator *coordinator = &task->job->coordinator;
    mutex_lock(&coordinator->mutex);
    coordinator->told_count++;
    statistics_told(coordinator, &task->times);
    if (coordinator->failure.code == OK)
        coordinator->failure = task->snapshot_failure;
    mutex_unlock(&coordinator->mutex);
    task_wake(&coordinator->task);
}

static void wake_tasks(struct job *job)
{
    for (uint32_t i = 0; i < job->task_count; i++)
        task_wake(&job->tasks[i]);
}

/* ---- the I/O job: blocks to the segment, then the manifest ---- */

static void free_blocks(struct coordinator *coordinator, struct state_block *block)
{
    while (block) {
        struct state_block *next = block->next;
        size_t queued_bytes = atomic_fetch_sub(&coordinator->queued_bytes, block->bytes.length);
        must(queued_bytes >= block->bytes.length);
        state_block_free(block);
        block = next;
    }
}

static uint32_t stateful_count(const struct plan *plan)
{
    uint32_t count = 0;
    for (uint32_t n = 0; n < plan->node_count; n++)
        count += plan->nodes[n]->state_name != NULL;
    return count;
}

/* The blobs of a node's subtasks, in their order. */
static uint32_t collect_blobs(struct job *job, const struct plan_node *node, struct str *out)
{
    uint32_t count = 0;
    for (uint32_t t = 0; t < job->task_count; t++)
        for (uint32_t h = 0; h < job->tasks[t].host_count; h++) {
            struct operator_host *host = &job->tasks[t].hosts[h];
            if (host->op.node == node &&
                (commits_save(&job->coordinator, host) || host->op.class->snapshot))
                out[count++] = (struct str){(const char *)host->blob.data, host->blob.length};
        }
    return count;
}

/* The manifest of the epoch: into the store, or, when that has it, with all of it to a savepoint.
 */
static enum status write_manifest(struct coordinator *coordinator, bool saves, struct error *err)
{
    struct job *job = job_of(coordinator);
    const struct plan *plan = job->request.plan;
    struct checkpoint_store *store = job->request.checkpoints->store;
    struct checkpoint manifest = {.job_name = job->request.checkpoints->job_name,
                                  .epoch = atomic_load(&job->epoch),
                                  .created_us = io_wall_us(job->runtime->settings.io),
                                  .end =
                                      coordinator->settles ? CHECKPOINT_RUNNING : coordinator->end,
                                  .statement = plan->fingerprint,
                                  .next_operator_id = coordinator->next_operator_id};
    memcpy(manifest.lineage, coordinator->lineage, sizeof(manifest.lineage));
    memcpy(manifest.parent, coordinator->parent, sizeof(manifest.parent));
    manifest.parent_epoch = coordinator->parent_epoch;
    uint32_t host_count = 0, used = 0;
    for (uint32_t t = 0; t < job->task_count; t++)
        host_count += job->tasks[t].host_count;
    struct checkpoint_operator *operators =
        mem_calloc(stateful_count(plan) + 1, sizeof(*operators));
    struct str *blobs = mem_calloc(host_count + 1, sizeof(*blobs));
    enum status status = OK;
    if (!operators || !blobs)
        status = error_memory(err, "a checkpoint's manifest", host_count * sizeof(*blobs));
    for (uint32_t n = 0; n < plan->node_count && status == OK; n++) {
        const struct plan_node *node = plan->nodes[n];
        if (!node->state_name)
            continue;
        struct checkpoint_operator *operator= & operators[manifest.operator_count++];
        *operator=(struct checkpoint_operator){.name = node->state_name,
                                               .shape = node->state_shape,
                                               .upstream = node->state_upstream,
                                               .id = coordinator->ids[n].id,
                                               .blobs = blobs + used};
        operator->blob_count = collect_blobs(job, node, blobs + used);
        used += operator->blob_count;
    }
    manifest.operators = operators;
    if (status == OK && saves)
        status =
            checkpoint_copy_out(store, &manifest, coordinator->savepoint.request.directory, err);
    else if (status == OK)
        status = checkpoint_commit(store, &manifest, err);
    mem_free(operators);
    mem_free(blobs);
    return status;
}

static enum status commit(struct coordinator *coordinator, struct error *err)
{
    coordinator->settles = coordinator->is_last && !commits_empty(coordinator);
    return write_manifest(coordinator, false, err);
}

/* The I/O job's outcome. */
static void note_written(struct coordinator *coordinator, enum status status,
                         const struct error *err)
{
    mutex_lock(&coordinator->mutex);
    coordinator->written = *err;
    if (status != OK && err->code == OK)
        coordinator->written.code = status;
    mutex_unlock(&coordinator->mutex);
}

static void save_job(struct io_job *io_job)
{
    struct coordinator *coordinator = container_of(io_job, struct coordinator, io_job);
    struct error err = {0};
    enum status status = write_manifest(coordinator, true, &err);
    note_written(coordinator, status, &err);
}

static void write_job(struct io_job *io_job)
{
    struct coordinator *coordinator = container_of(io_job, struct coordinator, io_job);
    struct checkpoint_store *store = checkpoints_of(coordinator)->store;
    struct error err = {0};
    enum status status = OK;
    if (!coordinator->begun)
        checkpoint_begin(store, coordinator->fold);
    coordinator->begun = true;
    for (struct state_block *block = coordinator->io_blocks; block && status == OK;
         block = block->next) {
        state_block_seal(block);
        status = checkpoint_block(store, block, &err);
        coordinator->bytes += block->bytes.length;
    }
    if (status == OK && coordinator->commits) {
        struct io *io = job_of(coordinator)->runtime->settings.io;
        int64_t before_us = io_monotonic_us(io);
        status = commit(coordinator, &err);
        coordinator->commit_us = io_monotonic_us(io) - before_us;
    }
    free_blocks(coordinator, coordinator->io_blocks);
    coordinator->io_blocks = NULL;
    note_written(coordinator, status, &err);
}

static void write_done(struct io_job *io_job)
{
    struct coordinator *coordinator = container_of(io_job, struct coordinator, io_job);
    mutex_lock(&coordinator->mutex);
    coordinator->writing = false;
    task_wake(&coordinator->task); /* under the mutex: once it sees this the job may be freed */
    mutex_unlock(&coordinator->mutex);
}

static void start_io(struct coordinator *coordinator, void (*run)(struct io_job *io_job))
{
    struct io_pool *pool = job_of(coordinator)->request.context->io_pool;
    coordinator->io_job = (struct io_job){.run = run, .done = write_done};
    mutex_lock(&coordinator->mutex);
    coordinator->writing = true;
    coordinator->written = (struct error){0};
    mutex_unlock(&coordinator->mutex);
    if (pool) {
        io_pool_submit(pool, &coordinator->io_job);
        return;
    }
    run(&coordinator->io_job);
    write_done(&coordinator->io_job);
}

static void start_writing(struct coordinator *coordinator, struct state_block *blocks, bool commits)
{
    coordinator->io_blocks = blocks;
    coordinator->commits = commits;
    start_io(coordinator, write_job);
}

/* ---- one checkpoint ---- */

static void begin(struct coordinator *coordinator, enum checkpoint_end end)
{
    struct job *job = job_of(coordinator);
    struct checkpoint_store *store = checkpoints_of(coordinator)->store;
    atomic_store(&coordinator->changed, false);
    atomic_store(&coordinator->asked, false);
    coordinator->fold = checkpoint_fold(store);
    mutex_lock(&coordinator->mutex);
    coordinator->told_count = 0;
    coordinator->failure = (struct error){0};
    coordinator->written = (struct error){0};
    mutex_unlock(&coordinator->mutex);
    coordinator->commits = false;
    coordinator->phase = COORDINATOR_COLLECTS;
    coordinator->end = end;
    coordinator->is_last = end != CHECKPOINT_RUNNING;
    savepoint_begin(coordinator, coordinator->is_last);
    coordinator->begun = false;
    coordinator->bytes = 0;
    coordinator->commit_us = 0;
    coordinator->begun_us = io_monotonic_us(job->runtime->settings.io);
    uint64_t epoch = atomic_load(&job->epoch) + 1;
    statistics_begin(coordinator, epoch);
    if (coordinator->is_last)
        atomic_store(&job->stop_epoch, epoch);
    atomic_store(&job->epoch, epoch);
    wake_tasks(job);
}

static void note_outcome(struct coordinator *coordinator, const struct error *failure)
{
    struct job *job = job_of(coordinator);
    struct checkpoint_statistics before;
    statistics_get(job, &before);
    statistics_end(coordinator, failure);
    if (failure->code != OK && failure->code != ERR_AGAIN && before.error.code == OK)
        logger_write(LOG_WARN, "checkpoint",
                     "job '%s': checkpoint %llu failed, the next one takes "
                     "over what it had: %s",
                     job->request.plan->job_name, (unsigned long long)atomic_load(&job->epoch),
                     failure->text);
}

static void resolve(struct coordinator *coordinator, const struct error *failure)
{
    struct job *job = job_of(coordinator);
    bool good = failure->code == OK;
    if (!good && coordinator->begun)
        checkpoint_abort(checkpoints_of(coordinator)->store);
    note_outcome(coordinator, failure);
    if (!good)
        atomic_store(&coordinator->changed, true); /* there is something to write */
    atomic_store(&coordinator->resolved_good, good);
    atomic_store(&coordinator->resolved_epoch, atomic_load(&job->epoch));
    coordinator->phase = COORDINATOR_IDLE;
    if (good)
        commits_release(coordinator, atomic_load(&job->epoch));
    if (coordinator->savepoint.taken && !good)
        savepoint_answer(coordinator, failure);
    if (!coordinator->is_last)
        wake_tasks(job);
    if (good && coordinator->settles) {
        coordinator->phase = COORDINATOR_SETTLES;
        return;
    }
    if (coordinator->savepoint.taken) {
        coordinator->phase = COORDINATOR_SAVES;
        return;
    }
    coordinator->is_over = coordinator->is_last;
    if (!coordinator->is_last)
        return;
    if (good || failure->code == ERR_AGAIN)
        return;
    struct error err = *failure;
    error_prefix(&err, "the last checkpoint");
    job_fail(job, &err);
}

static struct state_block *take_blocks(struct coordinator *coordinator)
{
    struct state_block *blocks = coordinator->first_block;
    coordinator->first_block = coordinator->last_block = NULL;
    return blocks;
}

/* Writes what has come; when all have told, ends the checkpoint. */
static void collect(struct coordinator *coordinator)
{
    struct job *job = job_of(coordinator);
    mutex_lock(&coordinator->mutex);
    bool writing = coordinator->writing;
    struct error failure = coordinator->failure;
    if (failure.code == OK)
        failure = coordinator->written;
    bool all = coordinator->told_count == job->task_count;
    struct state_block *blocks = writing ? NULL : take_blocks(coordinator);
    mutex_unlock(&coordinator->mutex);
    if (writing)
        return;
    if (failure.code != OK) {
        free_blocks(coordinator, blocks);
        wake_tasks(job); /* the queue has room */
        if (all)
            resolve(coordinator, &failure);
        return;
    }
    if (coordinator->commits) { /* and it went well */
        must(!blocks);
        coordinator->commits = false;
        resolve(coordinator, &failure);
        return;
    }
    if (!blocks && !all)
        return;
    start_writing(coordinator, blocks, all);
    wake_tasks(job);
    if (!job->request.context->io_pool)
        task_wake(&coordinator->task);
}

/* The checkpoint is durable; once its rows are committed it is copied. */
static void save(struct coordinator *coordinator)
{
    mutex_lock(&coordinator->mutex);
    bool writing = coordinator->writing;
    struct error written = coordinator->written;
    mutex_unlock(&coordinator->mutex);
    if (writing)
        return;
    if (!coordinator->savepoint.copying) {
        if (!commits_settled(coordinator))
            return;
        coordinator->savepoint.copying = true;
        start_io(coordinator, save_job);
        if (!job_of(coordinator)->request.context->io_pool)
            task_wake(&coordinator->task);
        return;
    }
    coordinator->savepoint.copying = false;
    savepoint_answer(coordinator, written.code == OK ? NULL : &written);
    coordinator->phase = COORDINATOR_IDLE;
    coordinator->is_over = coordinator->is_last;
}

/* ---- when ---- */

/* All rows are committed: the end is written down, with nothing left to commit. */
static void write_end(struct coordinator *coordinator)
{
    struct job *job = job_of(coordinator);
    atomic_fetch_add(&job->epoch, 1);
    coordinator->fold = (struct state_fold){0}; /* nothing is written beside the manifest */
    coordinator->begun = false;
    coordinator->phase = COORDINATOR_COLLECTS;
    start_writing(coordinator, NULL, true);
    if (!job->request.context->io_pool)
        task_wake(&coordinator->task);
}

/* Returns when to come again. */
static int64_t look(struct coordinator *coordinator)
{
    struct job *job = job_of(coordinator);
    int64_t interval_us = checkpoints_of(coordinator)->interval_us, due_us = INT64_MAX;
    mutex_lock(&coordinator->mutex);
    bool all_parked = coordinator->parked_count == job->task_count;
    mutex_unlock(&coordinator->mutex);
    if (all_parked) {
        begin(coordinator, CHECKPOINT_FINISHED);
    } else if (atomic_load(&coordinator->stop)) {
        begin(coordinator, CHECKPOINT_STOPPED);
    } else if (atomic_load(&coordinator->asked) || savepoint_due(coordinator)) {
        begin(coordinator, CHECKPOINT_RUNNING);
    } else if (interval_us && atomic_load(&coordinator->changed)) {
        due_us = coordinator->begun_us + interval_us;
        if (due_us <= io_monotonic_us(job->runtime->settings.io)) {
            due_us = INT64_MAX;
            begin(coordinator, CHECKPOINT_RUNNING);
        }
    }
    return due_us;
}

static bool is_writing(struct coordinator *coordinator)
{
    mutex_lock(&coordinator->mutex);
    bool writing = coordinator->writing;
    mutex_unlock(&coordinator->mutex);
    return writing;
}

enum step_result coordinator_step(struct task *task)
{
    struct coordinator *coordinator = container_of(task, struct coordinator, task);
    struct job *job = job_of(coordinator);
    if (atomic_load(&job->cancelled) || coordinator->is_over) {
        if (is_writing(coordinator) || !commits_end(coordinator))
            return STEP_WAIT;
        runtime_timer(job->runtime, task, INT64_MAX);
        if (!coordinator->is_over && coordinator->begun)
            checkpoint_abort(checkpoints_of(coordinator)->store);
        savepoint_over(coordinator);
        return STEP_ENDED;
    }
    if (coordinator->phase == COORDINATOR_COLLECTS)
        collect(coordinator);
    int64_t look_us = INT64_MAX, commits_us = commits_step(coordinator);
    if (coordinator->phase == COORDINATOR_SETTLES && commits_settled(coordinator))
        write_end(coordinator);
    if (coordinator->phase == COORDINATOR_SAVES)
        save(coordinator);
    if (coordinator->phase == COORDINATOR_IDLE && !coordinator->is_over)
        look_us = look(coordinator);
    runtime_timer(job->runtime, task, look_us < commits_us ? look_us : commits_us);
    return coordinator->is_over ? STEP_AGAIN : STEP_WAIT;
}

/* ---- begin and end ---- */

/* An operator of the checkpoint keeps its number, so that its blocks stay its own. */
static void number_operators(struct coordinator *coordinator, const struct plan *plan,
                             const struct checkpoint *from)
{
    coordinator->next_operator_id = from ? from->next_operator_id : 1;
    for (uint32_t n = 0; n < plan->node_count; n++) {
        const struct plan_node *node = plan->nodes[n];
        if (!node->state_name)
            continue;
        const struct checkpoint_operator *old =
            from ? checkpoint_find(from, node->state_name) : NULL;
        if (old && strcmp(old->shape, node->state_shape) == 0)
            coordinator->ids[n].id = old->id;
        else
            coordinator->ids[n].id = coordinator->next_operator_id++;
    }
}

static void take_lineage(struct coordinator *coordinator, struct io *io,
                         const struct job_checkpoints *checkpoints)
{
    const struct checkpoint *from = checkpoints->from;
    if (from && !checkpoints->parent) {
        memcpy(coordinator->lineage, from->lineage, sizeof(coordinator->lineage));
        memcpy(coordinator->parent, from->parent, sizeof(coordinator->parent));
        coordinator->parent_epoch = from->parent_epoch;
        return;
    }
    io->ops->random(io, coordinator->lineage, sizeof(coordinator->lineage));
    if (checkpoints->parent)
        memcpy(coordinator->parent, checkpoints->parent, sizeof(coordinator->parent));
}

enum status coordinator_init(struct job *job, struct error *err)
{
    static const uint8_t none[CHECKPOINT_LINEAGE_BYTES];
    struct coordinator *coordinator = &job->coordinator;
    const struct job_checkpoints *checkpoints = job->request.checkpoints;
    const struct plan *plan = job->request.plan;
    mutex_init(&coordinator->mutex);
    mem_owner_init(&coordinator->owner, &job->owner, "checkpoint");
    mem_owner_init(&coordinator->early_owner, &coordinator->owner, "checkpoint");
    coordinator->early_owner.leaves_room = true;
    if (!checkpoints)
        return OK;
    struct io *io = job->runtime->settings.io;
    coordinator->ids = mem_calloc(plan->node_count + 1, sizeof(*coordinator->ids));
    if (!coordinator->ids)
        return error_memory(err, "a job's checkpoints", plan->node_count * sizeof(uint32_t));
    number_operators(coordinator, plan, checkpoints->from);
    if (checkpoints->from) {
        atomic_store(&job->epoch, checkpoints->from->epoch);
        atomic_store(&coordinator->resolved_epoch, checkpoints->from->epoch);
        coordinator->statistics.restored_epoch = checkpoints->from->epoch;
        coordinator->statistics.restored_us = io_wall_us(io);
    }
    take_lineage(coordinator, io, checkpoints);
    coordinator->history = (struct operator_history){
        .lineage = coordinator->lineage,
        .from = checkpoints->from,
        .parent = memcmp(coordinator->parent, none, sizeof(none)) ? coordinator->parent : NULL,
        .accept_duplicates = checkpoints->accept_duplicates,
        .directory = checkpoint_store_directory(checkpoints->store)};
    TRY(commits_init(coordinator, err));
    coordinator->begun_us = io_monotonic_us(io);
    coordinator->task.job = job;
    coordinator->task.is_coordinator = true;
    coordinator->task.timer_us = INT64_MAX;
    mutex_init(&coordinator->task.step_lock);
    atomic_init(&coordinator->task.run, TASK_WOKEN);
    coordinator->enabled = true;
    return OK;
}

void coordinator_fini(struct job *job)
{
    struct coordinator *coordinator = &job->coordinator;
    free_blocks(coordinator, take_blocks(coordinator));
    commits_fini(coordinator);
    mem_free(coordinator->ids);
    if (coordinator->enabled)
        mutex_fini(&coordinator->task.step_lock);
    mem_owner_fini(&coordinator->early_owner);
    mem_owner_fini(&coordinator->owner);
    mutex_fini(&coordinator->mutex);
}
