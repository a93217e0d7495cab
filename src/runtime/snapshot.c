/* snapshot.c - a task's part of a checkpoint: what its operators keep, written in slices between
 * batches, told to the coordinator when complete; and the outcome, told to the keyed state.
 *
 * Owner: the task's step. Operators outside checkpoints (no keyed state, no snapshot()) cost
 * nothing.
 */
#include "runtime/runtime_int.h"

#include "state/keyed.h"

#define SLICE_ROWS 500 /* well below a millisecond, also when every row is read from memory */

static void fail(struct task *task, struct error *err)
{
    if (task->snapshot_failure.code == OK)
        task->snapshot_failure = *err;
}

static void begin_host(struct operator_host *host)
{
    struct task *task = host->task;
    struct operator* op = & host->op;
    struct error err = {0};
    buf_clear(&host->blob);
    if (op->class->snapshot) {
        enum status status = op->class->snapshot(op, &host->blob, &err);
        if (status == OK)
            status = buf_check(&host->blob, "an operator's state", &err);
        if (status != OK)
            fail(task, &err);
    }
    if (!op->keyed)
        return;
    host->out = (struct state_out){.operator_id = host->operator_id,
                                   .epoch = task->snapshot_epoch,
                                   .fold = task->job->coordinator.fold,
                                   .owner = &task->job->coordinator.owner,
                                   .early_owner = &task->job->coordinator.early_owner,
                                   .give = coordinator_give,
                                   .context = task->job};
    keyed_state_barrier(op->keyed, &host->out);
}

void snapshot_begin(struct task *task)
{
    snapshot_resolve(task);
    must(task->snapshot_epoch == 0);
    task->snapshot_epoch = task->flushing;
    task->snapshot_told = false;
    task->snapshot_next = 0;
    task->snapshot_failure = (struct error){0};
    for (uint32_t i = 0; i < task->host_count; i++)
        begin_host(&task->hosts[i]);
}

/* False: the host has more rows. */
static bool write_host(struct operator_host *host, uint32_t max_rows)
{
    if (!host->op.keyed)
        return true;
    if (!keyed_state_step(host->op.keyed, max_rows))
        return false;
    state_out_end(&host->out);
    if (host->out.failure.code != OK)
        fail(host->task, &host->out.failure);
    return true;
}

static bool write_some(struct task *task, uint32_t max_rows)
{
    if (!task->snapshot_epoch || task->snapshot_told)
        return false;
    for (; task->snapshot_next < task->host_count; task->snapshot_next++)
        if (!write_host(&task->hosts[task->snapshot_next], max_rows))
            return true;
    task->snapshot_told = true;
    task->times.async_us = io_monotonic_us(task->job->runtime->settings.io) - task->phase_us;
    coordinator_told(task);
    return false;
}

bool snapshot_slice(struct task *task)
{
    if (!task->snapshot_epoch || task->snapshot_told)
        return false;
    return !coordinator_is_full(task->job) && write_some(task, SLICE_ROWS);
}

void snapshot_finish(struct task *task)
{
    while (write_some(task, UINT32_MAX / 4))
        ;
}

void snapshot_resolve(struct task *task)
{
    struct coordinator *coordinator = &task->job->coordinator;
    if (!task->snapshot_epoch || atomic_load(&coordinator->resolved_epoch) < task->snapshot_epoch)
        return;
    must(task->snapshot_told);
    for (uint32_t i = 0; i < task->host_count; i++) {
        struct keyed_state *keyed = task->hosts[i].op.keyed;
        if (keyed && atomic_load(&coordinator->resolved_good))
            keyed_state_committed(keyed);
        else if (keyed)
            keyed_state_aborted(keyed);
    }
    task->snapshot_epoch = 0;
}

void snapshot_drop(struct task *task)
{
    for (uint32_t i = 0; i < task->host_count; i++)
        state_out_drop(&task->hosts[i].out);
}
