/* task.c - one step of a task: a chain of operators between exchanges, driven by its sources and
 * gates. A step never blocks; it takes at most the given number of batches.
 *
 * Barriers: a task with sources starts the next epoch when the job has asked for it; one with gates
 * when every channel has delivered its barrier (channels that have are not read until then) or has
 * ended. Then every operator is flushed, inputs before users, each after all before it has arrived;
 * then, with checkpoints, a snapshot begins (snapshot.c), and the barrier goes on over the
 * exchanges. A barrier that stops the job ends the task.
 *
 * Owner: whoever holds step_lock (a worker, or job_why for a look).
 */
#include "runtime/runtime_int.h"

static bool all_ended(const struct task *task)
{
    for (uint32_t i = 0; i < task->host_count; i++)
        if (!task->hosts[i].ended)
            return false;
    return true;
}

static bool anything_waits(const struct task *task)
{
    for (uint32_t i = 0; i < task->host_count; i++)
        if (host_waits(&task->hosts[i]))
            return true;
    return false;
}

/* Users before inputs, so that room made below is used above. */
static enum status advance_all(struct task *task, struct error *err)
{
    for (uint32_t i = task->host_count; i-- > 0;)
        if (host_waits(&task->hosts[i]))
            TRY(host_advance(&task->hosts[i], err));
    return OK;
}

static enum status fire_timers(struct task *task, struct error *err)
{
    int64_t next = INT64_MAX;
    for (uint32_t i = 0; i < task->host_count; i++) {
        struct operator_host *host = &task->hosts[i];
        if (host->timer_us <= task->steady_us && host->pending == PENDING_NONE)
            TRY(host_timer(host, err));
    }
    for (uint32_t i = 0; i < task->host_count; i++)
        if (task->hosts[i].timer_us < next)
            next = task->hosts[i].timer_us;
    if (next != INT64_MAX)
        runtime_timer(task->job->runtime, task, next);
    return OK;
}

/* ---- barriers ---- */

static int64_t monotonic_us(const struct task *task)
{
    return io_monotonic_us(task->job->runtime->settings.io);
}

static void start_flush(struct task *task, bool stops)
{
    int64_t now_us = monotonic_us(task);
    task->times = (struct task_times){.align_us = task->barrier_us ? now_us - task->barrier_us : 0};
    task->barrier_us = 0;
    task->phase_us = now_us;
    task->flushing = atomic_load(&task->epoch) + 1;
    task->flushing_stops = stops;
    task->flush_next = 0;
}

/* Is a barrier complete at this task? */
static void look_for_barrier(struct task *task)
{
    uint64_t next = atomic_load_explicit(&task->epoch, memory_order_relaxed) + 1;
    uint32_t aligned = 0, live = 0;
    for (uint32_t i = 0; i < task->gate_count; i++) {
        const struct gate *gate = &task->gates[i];
        bool is_live = false;
        for (uint32_t c = 0; c < gate->channel_count; c++)
            is_live |= !gate->channels[c].ended;
        live += is_live;
        aligned += is_live && gate_aligned(gate);
    }
    if (aligned < live)
        return;
    if (live)
        start_flush(task, task->barrier_stops);
    else if ((task->polled_count || task->parked) && atomic_load(&task->job->epoch) >= next)
        start_flush(task, atomic_load(&task->job->stop_epoch) == next);
}

static enum status continue_flush(struct task *task, bool *done, struct error *err)
{
    *done = false;
    for (;;) {
        TRY(advance_all(task, err));
        if (anything_waits(task))
            return OK;
        if (task->flush_next == task->host_count)
            break;
        TRY(host_flush(&task->hosts[task->flush_next++], task->flushing, err));
    }
    if (task->job->coordinator.enabled)
        snapshot_begin(task);
    struct event barrier = {
        .kind = EVENT_BARRIER, .flag = task->flushing_stops, .value = (int64_t)task->flushing};
    for (uint32_t i = 0; i < task->host_count; i++)
        for (uint32_t e = 0; e < task->hosts[i].edge_count; e++)
            if (task->hosts[i].edges[e].exchange && !task->hosts[i].ended)
                TRY(exchange_event(task->hosts[i].edges[e].exchange, &barrier, err));
    for (uint32_t i = 0; i < task->gate_count; i++)
        for (uint32_t c = 0; c < task->gates[i].channel_count; c++)
            task->gates[i].channels[c].aligned = false;
    int64_t now_us = monotonic_us(task);
    task->times.sync_us = now_us - task->phase_us;
    task->phase_us = now_us;
    atomic_store(&task->epoch, task->flushing);
    task->flushing = 0;
    *done = true;
    return OK;
}

/* ---- inputs ---- */

static enum status pass_on(struct gate *gate, struct error *err)
{
    struct event event = {.kind = EVENT_WATERMARK, .value = gate->watermarks.combined_us};
    TRY(host_event(gate->target, gate->port, &event, err));
    if (gate->was_idle != gate->watermarks.idle) {
        gate->was_idle = gate->watermarks.idle;
        event = (struct event){.kind = EVENT_STATUS, .flag = gate->was_idle};
        TRY(host_event(gate->target, gate->port, &event, err));
    }
    return OK;
}

static enum status gate_batch(struct gate *gate, uint32_t number, struct batch *batch,
                              struct error *err)
{
    struct event event = {.kind = EVENT_BATCH};
    enum status status = watermarks_batch(&gate->watermarks, number, batch, &event.batch, err);
    if (status == OK && batch->mark_count)
        watermarks_advance(&gate->watermarks, number,
                           batch->marks[batch->mark_count - 1].watermark_us);
    batch_unref(batch);
    return status != OK ? status : host_event(gate->target, gate->port, &event, err);
}

static enum status gate_event(struct task *task, struct gate *gate, uint32_t number,
                              struct event *event, struct error *err)
{
    struct channel *channel = &gate->channels[number];
    bool changed = false, all = true;
    switch (event->kind) {
    case EVENT_BATCH:
        TRY(gate_batch(gate, number, event->batch, err));
        break;
    case EVENT_WATERMARK:
        changed = watermarks_advance(&gate->watermarks, number, event->value);
        break;
    case EVENT_STATUS:
        changed = watermarks_set_idle(&gate->watermarks, number, event->flag);
        break;
    case EVENT_BARRIER:
        must((uint64_t)event->value == atomic_load(&task->epoch) + 1);
        channel->aligned = true;
        if (!task->barrier_us)
            task->barrier_us = monotonic_us(task);
        task->barrier_stops = event->flag;
        return OK;
    case EVENT_END:
        channel->ended = true;
        changed = watermarks_set_ended(&gate->watermarks, number);
        break;
    }
    if (changed)
        TRY(pass_on(gate, err));
    for (uint32_t c = 0; c < gate->channel_count; c++)
        all &= gate->channels[c].ended;
    if (event->kind == EVENT_END && all) {
        struct event end = {.kind = EVENT_END};
        TRY(host_event(gate->target, gate->port, &end, err));
    }
    return host_advance(gate->target, err);
}

static enum status take_from_gate(struct task *task, struct gate *gate, bool *took,
                                  struct error *err)
{
    struct event event;
    uint32_t channel;
    if (host_waits(gate->target) || operator_blocked(&gate->target->op))
        return OK;
    *took = gate_take(gate, &event, &channel);
    return *took ? gate_event(task, gate, channel, &event, err) : OK;
}

static enum status take_from_source(struct operator_host *host, bool *took, struct error *err)
{
    enum poll_state state;
    if (host->poll_ended || host_waits(host) || operator_blocked(&host->op))
        return OK;
    TRY(host_poll(host, &state, err));
    *took = state == OPERATOR_MORE || state == OPERATOR_ENDED;
    return OK;
}

/* One batch or event from the next input that has one. */
static enum status take_input(struct task *task, bool *took, struct error *err)
{
    uint32_t inputs = task->gate_count + task->host_count;
    *took = false;
    for (uint32_t i = 0; i < inputs && !*took; i++) {
        uint32_t at = (task->next_input + i) % inputs;
        if (at < task->gate_count)
            TRY(take_from_gate(task, &task->gates[at], took, err));
        else if (task->hosts[at - task->gate_count].has_poll)
            TRY(take_from_source(&task->hosts[at - task->gate_count], took, err));
        if (*took)
            task->next_input = at + 1;
    }
    return OK;
}

static void end_after_barrier(struct task *task)
{
    struct coordinator *coordinator = &task->job->coordinator;
    if (coordinator->enabled)
        snapshot_finish(task);
    if (!coordinator->enabled || coordinator->end == CHECKPOINT_STOPPED)
        atomic_store(&task->job->stopped_early, true);
}

/* All has ended: with checkpoints the task stays for those that follow. */
static enum step_result ended_result(struct task *task)
{
    if (!task->job->coordinator.enabled)
        return STEP_ENDED;
    if (!task->parked) {
        task->parked = true;
        coordinator_parked(task->job);
        return STEP_AGAIN;
    }
    return STEP_WAIT;
}

static void sample_time(struct task *task)
{
    struct io *io = task->job->runtime->settings.io;
    task->now_us = io_wall_us(io);
    task->steady_us = io_monotonic_us(io);
}

static enum status run(struct task *task, uint32_t batches, enum step_result *result,
                       struct error *err)
{
    bool took = true, done;
    if (task->snapshot_epoch)
        snapshot_resolve(task);
    sample_time(task);
    TRY(fire_timers(task, err));
    TRY(advance_all(task, err));
    *result = STEP_WAIT;
    for (;;) {
        if (!task->flushing)
            look_for_barrier(task);
        if (task->flushing) {
            TRY(continue_flush(task, &done, err));
            if (!done)
                return OK;
            if (task->flushing_stops) {
                end_after_barrier(task);
                *result = STEP_ENDED;
                return OK;
            }
            continue;
        }
        bool writes = task->snapshot_epoch && snapshot_slice(task);
        if (all_ended(task)) {
            *result = writes ? STEP_AGAIN : ended_result(task);
            return OK;
        }
        if (!took) {
            *result = writes ? STEP_AGAIN : STEP_WAIT;
            return OK;
        }
        if (batches-- == 0) {
            *result = STEP_AGAIN;
            return OK;
        }
        TRY(take_input(task, &took, err));
        if (took)
            sample_time(task);
    }
}

enum step_result task_step(struct task *task, uint32_t batches)
{
    struct job *job = task->job;
    struct error err = {0};
    enum step_result result = STEP_ENDED;
    mutex_lock(&task->step_lock);
    if (task->is_coordinator) {
        result = coordinator_step(task);
        mutex_unlock(&task->step_lock);
        return result;
    }
    must_context(job->request.plan->job_name, atomic_load(&task->epoch));
    if (!atomic_load(&job->cancelled)) {
        if (run(task, batches, &result, &err) != OK) {
            job_fail(job, &err);
            result = STEP_ENDED;
        }
    }
    if (result == STEP_ENDED)
        task_close(task);
    must_context(NULL, 0);
    mutex_unlock(&task->step_lock);
    return result;
}

void task_close(struct task *task)
{
    if (task->closed)
        return;
    task->closed = true;
    snapshot_drop(task);
    runtime_timer(task->job->runtime, task, INT64_MAX);
    for (uint32_t i = task->host_count; i-- > 0;) {
        struct operator_host *host = &task->hosts[i];
        if (host->opened && host->op.class->close)
            host->op.class->close(&host->op);
        host->opened = false;
    }
}
