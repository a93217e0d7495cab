/* job.c - a job's life: start, stop, cancel, failure, end, and what it tells about itself. The
 * tasks are made in build.c; why.c says why a job gives no output.
 *
 * A job has ended when its last task has: tasks close their operators themselves, in their own
 * step, so that an operator never sees two threads. The first error counts; it cancels the rest.
 */
#include "runtime/runtime_int.h"

#include <stdio.h>

#include "operator/committer.h"

static const char *const STATE_NAMES[] = {"RUNNING", "STOPPING", "RESTARTING", "FINISHED",
                                          "STOPPED", "CANCELED", "FAILED"};

const char *job_state_name(enum job_state state)
{
    return STATE_NAMES[state];
}

static void wake_all(struct job *job)
{
    if (job->coordinator.enabled)
        task_wake(&job->coordinator.task);
    for (uint32_t i = 0; i < job->task_count; i++)
        task_wake(&job->tasks[i]);
}

static void job_destroy(struct job *job)
{
    job_unbuild(job);
    coordinator_fini(job);
    zone_free(job->own_zone);
    mem_owner_fini(&job->owner);
    condition_fini(&job->ended);
    mutex_fini(&job->mutex);
    mem_free(job);
}

enum status job_new(struct runtime *runtime, const struct job_request *request, struct job **out,
                    struct error *err)
{
    struct job *job = mem_calloc(1, sizeof(*job));
    if (!job)
        return error_memory(err, "job", sizeof(*job));
    job->runtime = runtime;
    job->request = *request;
    mem_owner_init(&job->owner, runtime->settings.owner, request->plan->job_name);
    mutex_init(&job->mutex);
    condition_init(&job->ended);
    job->started_us = io_wall_us(runtime->settings.io);
    enum status status = OK;
    if (!request->context->zone)
        status = zone_from_offset(&job->own_zone, 0, err);
    if (status == OK)
        status = coordinator_init(job, err);
    if (status == OK)
        status = job_build(job, err);
    if (status != OK) {
        job_destroy(job);
        return status;
    }
    atomic_store(&job->tasks_left, job->task_count + job->coordinator.enabled);
    *out = job;
    return OK;
}

void job_run(struct job *job)
{
    struct runtime *runtime = job->runtime;
    /* The job may be over before the loop is: only the last task's end can be that. */
    if (job->coordinator.enabled) {
        atomic_store(&job->coordinator.task.run, TASK_READY);
        runtime_ready(runtime, &job->coordinator.task);
    }
    for (uint32_t i = 0, count = job->task_count; i < count; i++) {
        struct task *task = &job->tasks[i];
        atomic_store(&task->run, TASK_READY);
        runtime_ready(runtime, task);
    }
}

static void finish(struct job *job)
{
    enum job_state state = JOB_FINISHED;
    if (job->has_error)
        state = JOB_FAILED;
    else if (atomic_load(&job->cancelled))
        state = JOB_CANCELLED;
    else if (atomic_load(&job->stopped_early))
        state = JOB_STOPPED;
    atomic_store(&job->ended_us, io_wall_us(job->runtime->settings.io));
    atomic_store(&job->state, state);
    if (job->request.callbacks.ended)
        job->request.callbacks.ended(job->request.callback_context, job, state,
                                     job->has_error ? &job->error : NULL);
    mutex_lock(&job->mutex);
    job->done = true;
    condition_broadcast(&job->ended);
    mutex_unlock(&job->mutex);
}

void job_task_ended(struct job *job)
{
    if (atomic_fetch_sub(&job->tasks_left, 1) == 1)
        finish(job);
}

void job_fail(struct job *job, const struct error *err)
{
    mutex_lock(&job->mutex);
    bool first = !job->has_error && !atomic_load(&job->cancelled);
    if (first) {
        job->error = *err;
        job->has_error = true;
    }
    mutex_unlock(&job->mutex);
    if (first) {
        atomic_store(&job->cancelled, true);
        wake_all(job);
    }
}

void job_cancel(struct job *job)
{
    mutex_lock(&job->mutex);
    bool ended = job_state_is_final((enum job_state)atomic_load(&job->state));
    if (!ended)
        atomic_store(&job->cancelled, true);
    mutex_unlock(&job->mutex);
    if (!ended)
        wake_all(job);
}

void job_stop(struct job *job)
{
    int running = JOB_RUNNING;
    mutex_lock(&job->mutex);
    bool first = atomic_load(&job->stop_epoch) == 0;
    if (job->coordinator.enabled) {
        atomic_store(&job->coordinator.stop, true);
        atomic_compare_exchange_strong(&job->state, &running, JOB_STOPPING);
    } else if (first) {
        uint64_t epoch = atomic_load(&job->epoch) + 1;
        atomic_store(&job->stop_epoch, epoch);
        atomic_store(&job->epoch, epoch);
        atomic_compare_exchange_strong(&job->state, &running, JOB_STOPPING);
    }
    mutex_unlock(&job->mutex);
    if (first)
        wake_all(job);
}

void job_drain(struct job *job)
{
    atomic_store(&job->satisfied, true);
    wake_all(job);
}

void job_barrier(struct job *job)
{
    mutex_lock(&job->mutex);
    if (job->coordinator.enabled)
        atomic_store(&job->coordinator.asked, true);
    else if (atomic_load(&job->stop_epoch) == 0)
        atomic_fetch_add(&job->epoch, 1);
    mutex_unlock(&job->mutex);
    wake_all(job);
}

bool job_wait(struct job *job, int64_t timeout_us)
{
    bool in_time = true;
    mutex_lock(&job->mutex);
    while (!job->done && in_time)
        in_time = condition_wait_for(&job->ended, &job->mutex, timeout_us);
    bool done = job->done;
    mutex_unlock(&job->mutex);
    return done;
}

void job_free(struct job *job)
{
    if (!job)
        return;
    mutex_lock(&job->mutex);
    must(job->done);
    mutex_unlock(&job->mutex);
    job_destroy(job);
}

void job_collect_resume(struct job *job)
{
    atomic_fetch_add(&job->collect_resumes, 1);
    wake_all(job);
}

const struct plan *job_plan(const struct job *job)
{
    return job->request.plan;
}

/* ---- reports ---- */

static uint64_t epochs_done(struct job *job)
{
    uint64_t done = atomic_load(&job->epoch);
    for (uint32_t i = 0; i < job->task_count; i++) {
        if (atomic_load(&job->tasks[i].run) == TASK_ENDED)
            continue;
        uint64_t epoch = atomic_load(&job->tasks[i].epoch);
        if (epoch < done)
            done = epoch;
    }
    return done;
}

void job_status(struct job *job, struct job_status *out)
{
    bool catches_up = false;
    *out = (struct job_status){0};
    mutex_lock(&job->mutex);
    out->state = (enum job_state)atomic_load(&job->state);
    if (job->has_error)
        out->error = job->error;
    mutex_unlock(&job->mutex);
    out->started_us = job->started_us;
    out->ended_us = atomic_load(&job->ended_us);
    out->epoch = atomic_load(&job->epoch);
    out->epochs_done = epochs_done(job);
    out->task_count = job->task_count;
    statistics_get(job, &out->checkpoints);
    out->memory_bytes = atomic_load(&job->owner.used_bytes);
    out->memory_peak_bytes = atomic_load(&job->owner.peak_bytes);
    for (uint32_t t = 0; t < job->task_count; t++)
        for (uint32_t h = 0; h < job->tasks[t].host_count; h++) {
            const struct operator* op = & job->tasks[t].hosts[h].op;
            out->operator_count++;
            catches_up |= metric_get(&op->metrics.catching_up) != 0;
            if (op->node->op == PLAN_SOURCE)
                out->rows_read += (uint64_t)metric_get(&op->metrics.records_out);
            if (op->node->op != PLAN_SINK && op->node->op != PLAN_COLLECT)
                continue;
            out->rows_written += (uint64_t)metric_get(&op->metrics.records_in);
            int64_t last = metric_get(&op->metrics.last_input_us);
            out->last_output_us = last > out->last_output_us ? last : out->last_output_us;
        }
    const struct job_checkpoints *checkpoints = job->request.checkpoints;
    out->recovering = checkpoints && checkpoints->from &&
                      checkpoints->from->end == CHECKPOINT_RUNNING && catches_up &&
                      !out->checkpoints.completed && !job_state_is_final(out->state);
}

static void name_operator(const struct operator* op, char *out, size_t size)
{
    const struct catalog_object *table = op->node->op == PLAN_SOURCE ? op->node->source.table
                                         : op->node->op == PLAN_SINK ? op->node->sink.table
                                                                     : NULL;
    snprintf(out, size, "%s%s%s", op->class->name, table ? ": " : "", table ? table->name : "");
}

static void report_commits(struct operator_report *out, const struct operator_host *host)
{
    struct committer_status status;
    if (host->op.subtask != 0 || !commits_status(host->task->job, host->op.node, &status))
        return;
    out->is_committer = true;
    out->pending_epochs = status.pending_epochs;
    out->pending_bytes = (int64_t)status.pending_bytes;
    out->commits = (int64_t)status.commits;
    out->last_commit_us = status.last_commit_us;
}

static void report(struct operator_report *out, const struct operator_host *host)
{
    const struct operator* op = & host->op;
    const struct operator_metrics *metrics = &op->metrics;
    *out = (struct operator_report){
        .node = op->node,
        .subtask = op->subtask,
        .records_in = metric_get(&metrics->records_in),
        .records_out = metric_get(&metrics->records_out),
        .batches_in = metric_get(&metrics->batches_in),
        .batches_out = metric_get(&metrics->batches_out),
        .late_dropped = metric_get(&metrics->late_dropped),
        .bad_rows = metric_get(&metrics->bad_rows),
        .buffered_rows = metric_get(&metrics->buffered_rows),
        .state_keys = metric_get(&metrics->state_keys),
        .state_bytes = metric_get(&metrics->state_bytes),
        .watermark_us = metric_get(&metrics->watermark_us),
        .last_input_us = metric_get(&metrics->last_input_us),
        .last_emit_us = metric_get(&metrics->last_emit_us),
        .oldest_row_us = metric_get(&metrics->oldest_row_us),
        .next_timer_us = metric_get(&metrics->next_timer_us),
    };
    name_operator(op, out->name, sizeof(out->name));
    report_commits(out, host);
    mutex_lock(&host->task->step_lock);
    out->blocked = !host->task->closed && operator_blocked(op);
    mutex_unlock(&host->task->step_lock);
}

uint32_t job_operators(struct job *job, struct operator_report *out, uint32_t max)
{
    uint32_t count = 0;
    for (uint32_t node = 0; node < job->request.plan->node_count; node++)
        for (uint32_t t = 0; t < job->task_count; t++)
            for (uint32_t h = 0; h < job->tasks[t].host_count; h++) {
                const struct operator_host *host = &job->tasks[t].hosts[h];
                if (host->op.node != job->request.plan->nodes[node])
                    continue;
                if (count < max)
                    report(&out[count], host);
                count++;
            }
    return count;
}
