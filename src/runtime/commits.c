/* commits.c - the committers of a job's exactly-once sinks, as the coordinator sees them: what a
 * checkpoint keeps of them, that it exists, and the wait for the last one's rows.
 *
 * Owner: the coordinator's step, but for commits_save (the I/O job of a checkpoint) and commits_why
 * (anyone).
 */
#include "operator/committer.h"
#include "runtime/runtime_int.h"

static uint32_t node_count(const struct coordinator *coordinator)
{
    return coordinator->committers
               ? container_of(coordinator, struct job, coordinator)->request.plan->node_count
               : 0;
}

static void wake_coordinator(struct wake *wake)
{
    task_wake(&container_of(wake, struct coordinator, wake)->task);
}

enum status commits_init(struct coordinator *coordinator, struct error *err)
{
    uint32_t count = container_of(coordinator, struct job, coordinator)->request.plan->node_count;
    coordinator->wake.notify = wake_coordinator;
    coordinator->committers = mem_calloc(count + 1, sizeof(*coordinator->committers));
    return coordinator->committers ? OK
                                   : error_memory(err, "a job's sinks", count * sizeof(void *));
}

void commits_fini(struct coordinator *coordinator)
{
    for (uint32_t n = 0; n < node_count(coordinator); n++)
        committer_unref(coordinator->committers[n]);
    mem_free(coordinator->committers);
    coordinator->committers = NULL;
}

bool commits_save(struct coordinator *coordinator, struct operator_host *host)
{
    struct committer *committer = coordinator->committers[host->op.node->id];
    if (!committer || host->op.subtask != 0)
        return false;
    buf_clear(&host->blob);
    committer_save(committer, atomic_load(&host->task->job->epoch), &host->blob);
    return true;
}

void commits_release(struct coordinator *coordinator, uint64_t epoch)
{
    for (uint32_t n = 0; n < node_count(coordinator); n++)
        if (coordinator->committers[n])
            committer_release(coordinator->committers[n], epoch);
}

bool commits_settled(struct coordinator *coordinator)
{
    for (uint32_t n = 0; n < node_count(coordinator); n++)
        if (coordinator->committers[n] && !committer_is_settled(coordinator->committers[n]))
            return false;
    return true;
}

bool commits_empty(struct coordinator *coordinator)
{
    for (uint32_t n = 0; n < node_count(coordinator); n++)
        if (coordinator->committers[n] && !committer_is_empty(coordinator->committers[n]))
            return false;
    return true;
}

int64_t commits_step(struct coordinator *coordinator)
{
    struct job *job = container_of(coordinator, struct job, coordinator);
    int64_t first_us = INT64_MAX;
    for (uint32_t n = 0; n < node_count(coordinator); n++) {
        struct error err = {0};
        int64_t due_us = INT64_MAX;
        if (!coordinator->committers[n])
            continue;
        if (committer_step(coordinator->committers[n], &due_us, &err) != OK)
            job_fail(job, &err);
        if (due_us < first_us)
            first_us = due_us;
    }
    return first_us;
}

bool commits_end(struct coordinator *coordinator)
{
    bool stopped = true;
    for (uint32_t n = 0; n < node_count(coordinator); n++)
        if (coordinator->committers[n])
            stopped &= committer_stop(coordinator->committers[n]);
    for (uint32_t n = 0; stopped && n < node_count(coordinator); n++) {
        committer_unref(coordinator->committers[n]);
        coordinator->committers[n] = NULL;
    }
    return stopped;
}

bool commits_status(struct job *job, const struct plan_node *node, struct committer_status *out)
{
    struct coordinator *coordinator = &job->coordinator;
    if (!coordinator->enabled || !node_count(coordinator))
        return false;
    mutex_lock(&coordinator->task.step_lock);
    struct committer *committer = coordinator->committers[node->id];
    if (committer)
        committer_status(committer, out);
    mutex_unlock(&coordinator->task.step_lock);
    return committer != NULL;
}

bool commits_why(struct job *job, struct buf *out)
{
    struct coordinator *coordinator = &job->coordinator;
    bool said = false;
    if (!coordinator->enabled)
        return false;
    mutex_lock(&coordinator->task.step_lock);
    for (uint32_t n = 0; n < node_count(coordinator) && !said; n++)
        if (coordinator->committers[n])
            said = committer_why(coordinator->committers[n], out);
    mutex_unlock(&coordinator->task.step_lock);
    return said;
}
