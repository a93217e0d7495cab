/* host.c - the runtime's side of one operator: what goes in, what comes out, what has to wait.
 *
 * An event for an operator that still has a call pending (it answered PUSH_FULL) waits on its edge;
 * host_advance() resumes the call, then hands over what is due - watermark, status, end - and then
 * what waited, until the operator is busy again or nothing is left.
 *
 * Invariants: no call while one is pending; watermarks handed over rise; `end` is the last call; an
 * edge's events stay in order.
 * Owner: the task's step.
 */
#include "runtime/runtime_int.h"

#include "operator/committer.h"

static struct operator_host *host_of(const struct operator* op)
{
    return op->host;
}

static bool inputs_wait(const struct operator_host *host)
{
    for (uint32_t i = 0; i < host->input_count; i++)
        if (host->inputs[i]->waiting.count)
            return true;
    return false;
}

bool host_waits(const struct operator_host *host)
{
    return host->pending != PENDING_NONE || inputs_wait(host);
}

static enum status failed(struct error *err)
{
    must(err);
    return err->code != OK ? err->code
                           : error_set(err, ERR_IO, "an operator failed without a reason");
}

/* ---- calls of the operator ---- */

static enum status note(struct operator_host *host, enum push_result result, enum pending call,
                        struct error *err)
{
    if (result == PUSH_ERROR)
        return failed(err);
    if (result == PUSH_FULL)
        host->pending = call;
    return OK;
}

static void set_time(struct operator_host *host)
{
    host->op.eval.now_us = host->task->now_us;
    host->op.steady_us = host->task->steady_us;
}

static enum status push_batch(struct operator_host *host, uint32_t port, struct batch *batch,
                              struct error *err)
{
    struct operator* op = & host->op;
    struct batch *own = NULL;
    TRY(watermarks_batch(&host->ports, port, batch, &own, err));
    metric_add(&op->metrics.batches_in, 1);
    metric_add(&op->metrics.records_in, own->selected_count);
    metric_set(&op->metrics.last_input_us, host->task->now_us);
    set_time(host);
    enum status status = note(host, op->class->push(op, port, own, err), PENDING_PUSH, err);
    if (batch->mark_count) {
        watermarks_advance(&host->ports, port, batch->marks[batch->mark_count - 1].watermark_us);
        host->due_watermark_us = host->ports.combined_us;
    }
    batch_unref(own);
    return status;
}

enum status host_event(struct operator_host *host, uint32_t port, struct event *event,
                       struct error *err)
{
    enum status status = OK;
    switch (event->kind) {
    case EVENT_BATCH:
        status = push_batch(host, port, event->batch, err);
        batch_unref(event->batch);
        return status;
    case EVENT_WATERMARK:
        watermarks_advance(&host->ports, port, event->value);
        break;
    case EVENT_STATUS:
        watermarks_set_idle(&host->ports, port, event->flag);
        break;
    case EVENT_END:
        watermarks_set_ended(&host->ports, port);
        host->ports_ended++;
        break;
    case EVENT_BARRIER:
        must(!"barriers do not travel on edges");
    }
    host->due_watermark_us = host->ports.combined_us;
    return OK;
}

static enum status give_watermark(struct operator_host *host, struct error *err)
{
    struct operator* op = & host->op;
    host->watermark_us = host->due_watermark_us;
    op->eval.watermark_us = host->watermark_us;
    set_time(host);
    metric_set(&op->metrics.watermark_us, host->watermark_us);
    if (op->class->watermark)
        return note(host, op->class->watermark(op, host->watermark_us, err), PENDING_WATERMARK,
                    err);
    struct event event = {.kind = EVENT_WATERMARK, .value = host->watermark_us};
    return host_send(host, &event, err);
}

static enum status give_status(struct operator_host *host, struct error *err)
{
    host->was_idle = host->ports.idle;
    struct event event = {.kind = EVENT_STATUS, .flag = host->was_idle};
    return host_send(host, &event, err);
}

static bool input_ended(const struct operator_host *host)
{
    return host->has_poll ? host->poll_ended : host->ports_ended == host->op.port_count;
}

static enum status give_end(struct operator_host *host, struct error *err)
{
    host->end_called = true;
    if (!host->op.class->end)
        return OK;
    set_time(host);
    return note(host, host->op.class->end(&host->op, err), PENDING_END, err);
}

static enum status resume(struct operator_host *host, struct error *err)
{
    must(host->op.class->resume);
    enum push_result result = host->op.class->resume(&host->op, err);
    if (result == PUSH_ERROR)
        return failed(err);
    if (result == PUSH_DONE)
        host->pending = PENDING_NONE;
    return OK;
}

static enum status take_waiting(struct operator_host *host, struct error *err)
{
    for (uint32_t i = 0; i < host->input_count; i++) {
        struct edge *edge = host->inputs[i];
        if (!edge->waiting.count)
            continue;
        struct event event = event_queue_pop(&edge->waiting);
        return host_event(host, edge->port, &event, err);
    }
    return OK;
}

enum status host_advance(struct operator_host *host, struct error *err)
{
    while (!host->ended) {
        if (host->pending != PENDING_NONE) {
            TRY(resume(host, err));
            if (host->pending != PENDING_NONE)
                return OK;
        } else if (host->end_called) {
            struct event event = {.kind = EVENT_END};
            host->ended = true;
            TRY(host_send(host, &event, err));
        } else if (host->due_watermark_us > host->watermark_us) {
            TRY(give_watermark(host, err));
        } else if (host->was_idle != host->ports.idle) {
            TRY(give_status(host, err));
        } else if (input_ended(host)) {
            TRY(give_end(host, err));
        } else if (inputs_wait(host)) {
            TRY(take_waiting(host, err));
        } else {
            break;
        }
    }
    return OK;
}

enum status host_timer(struct operator_host *host, struct error *err)
{
    host->timer_us = INT64_MAX;
    coordinator_changed(host->task->job);
    set_time(host);
    if (host->op.class->timer && !host->end_called)
        TRY(note(host, host->op.class->timer(&host->op, host->task->steady_us, err), PENDING_TIMER,
                 err));
    return OK;
}

enum status host_flush(struct operator_host *host, uint64_t epoch, struct error *err)
{
    if (!host->op.class->flush || host->ended)
        return OK;
    set_time(host);
    return note(host, host->op.class->flush(&host->op, epoch, err), PENDING_FLUSH, err);
}

enum status host_poll(struct operator_host *host, enum poll_state *state, struct error *err)
{
    set_time(host);
    *state = atomic_load_explicit(&host->task->job->satisfied, memory_order_acquire)
                 ? OPERATOR_ENDED
                 : host->op.class->poll(&host->op, err);
    if (*state == OPERATOR_FAILED)
        return failed(err);
    if (*state != OPERATOR_ENDED)
        return OK;
    host->poll_ended = true;
    coordinator_changed(host->task->job);
    host->due_watermark_us = WATERMARK_MAX;
    return host_advance(host, err);
}

/* ---- outputs ---- */

static enum status edge_event(struct edge *edge, const struct event *event, struct error *err)
{
    if (!edge->target)
        return exchange_event(edge->exchange, event, err);
    if (host_waits(edge->target))
        return event_queue_push(&edge->waiting, event, err);
    struct event copy = *event;
    TRY(host_event(edge->target, edge->port, &copy, err));
    return host_advance(edge->target, err);
}

enum status host_send(struct operator_host *host, const struct event *event, struct error *err)
{
    for (uint32_t i = 0; i < host->edge_count; i++)
        TRY(edge_event(&host->edges[i], event, err));
    return OK;
}

static enum status edge_batch(struct edge *edge, struct batch *batch, struct error *err)
{
    if (!edge->target) {
        TRY(exchange_batch(edge->exchange, batch, err));
        if (!batch->mark_count)
            return OK;
        struct event mark = {.kind = EVENT_WATERMARK,
                             .value = batch->marks[batch->mark_count - 1].watermark_us};
        return exchange_event(edge->exchange, &mark, err);
    }
    struct event event = {.kind = EVENT_BATCH, .batch = batch_ref(batch)};
    if (host_waits(edge->target)) {
        enum status status = event_queue_push(&edge->waiting, &event, err);
        if (status != OK)
            batch_unref(batch);
        return status;
    }
    TRY(host_event(edge->target, edge->port, &event, err));
    return host_advance(edge->target, err);
}

enum push_result operator_emit(struct operator* op, uint32_t output, struct batch *batch,
                               struct error *err)
{
    struct operator_host *host = host_of(op);
    if (host->has_poll)
        coordinator_changed(host->task->job);
    metric_add(&op->metrics.batches_out, 1);
    metric_add(&op->metrics.records_out, batch->selected_count);
    metric_set(&op->metrics.last_emit_us, host->task->now_us);
    for (uint32_t i = 0; i < host->edge_count; i++)
        if (host->edges[i].output == output && edge_batch(&host->edges[i], batch, err) != OK)
            return PUSH_ERROR;
    return PUSH_DONE;
}

enum push_result operator_emit_watermark(struct operator* op, int64_t watermark_us,
                                         struct error *err)
{
    struct event event = {.kind = EVENT_WATERMARK, .value = watermark_us};
    if (host_of(op)->has_poll) {
        coordinator_changed(host_of(op)->task->job);
        metric_set(&op->metrics.watermark_us, watermark_us);
    }
    return host_send(host_of(op), &event, err) == OK ? PUSH_DONE : PUSH_ERROR;
}

enum push_result operator_emit_status(struct operator* op, bool idle, struct error *err)
{
    struct event event = {.kind = EVENT_STATUS, .flag = idle};
    return host_send(host_of(op), &event, err) == OK ? PUSH_DONE : PUSH_ERROR;
}

bool operator_blocked(const struct operator* op)
{
    const struct operator_host *host = host_of(op);
    for (uint32_t i = 0; i < host->edge_count; i++) {
        const struct edge *edge = &host->edges[i];
        if (edge->target ? host_waits(edge->target) || operator_blocked(&edge->target->op)
                         : exchange_full(edge->exchange))
            return true;
    }
    return false;
}

/* ---- services ---- */

enum status operator_set_timer(struct operator* op, int64_t due_us, struct error *err)
{
    struct operator_host *host = host_of(op);
    if (host->timer_us == due_us)
        return OK;
    host->timer_us = due_us;
    int64_t first = INT64_MAX;
    for (uint32_t i = 0; i < host->task->host_count; i++)
        if (host->task->hosts[i].timer_us < first)
            first = host->task->hosts[i].timer_us;
    runtime_timer(host->task->job->runtime, host->task, first);
    return OK;
}

struct wake *operator_wake(struct operator* op)
{
    return &host_of(op)->wake;
}

void *operator_shared(struct operator* op, size_t size_bytes, struct error *err)
{
    void **shared = &host_of(op)->task->job->shared[op->node->id];
    if (!*shared)
        *shared = mem_calloc(1, size_bytes);
    if (!*shared)
        error_memory(err, "an operator's shared state", size_bytes);
    return *shared;
}

const struct operator_history *operator_history(const struct operator* op)
{
    const struct coordinator *coordinator = &host_of(op)->task->job->coordinator;
    return coordinator->enabled ? &coordinator->history : NULL;
}

void operator_commits(struct operator* op, struct committer *committer)
{
    struct coordinator *coordinator = &host_of(op)->task->job->coordinator;
    must(coordinator->enabled && !coordinator->committers[op->node->id]);
    committer_listen(committer, &coordinator->wake);
    coordinator->committers[op->node->id] = committer_ref(committer);
}

uint32_t operator_batch_rows(const struct operator* op)
{
    return host_of(op)->task->job->runtime->settings.batch_rows;
}

const char *operator_job_name(const struct operator* op)
{
    return host_of(op)->task->job->request.plan->job_name;
}

void operator_satisfied(struct operator* op)
{
    struct job *job = host_of(op)->task->job;
    if (job->request.plan->root_count > 1 || atomic_exchange(&job->satisfied, true))
        return; /* other sinks still want rows */
    for (uint32_t i = 0; i < job->task_count; i++)
        task_wake(&job->tasks[i]);
}

enum push_result operator_collect(struct operator* op, struct batch *batch, struct error *err)
{
    struct job *job = host_of(op)->task->job;
    if (!job->request.callbacks.rows)
        return PUSH_DONE;
    return job->request.callbacks.rows(job->request.callback_context, batch, err);
}

uint64_t operator_collect_resumes(const struct operator* op)
{
    return atomic_load(&host_of(op)->task->job->collect_resumes);
}
