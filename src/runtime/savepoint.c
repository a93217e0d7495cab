/* savepoint.c - a savepoint that somebody has asked for: the next checkpoint (of a stop or drain:
 * the last one), copied into a directory of its own once its rows are committed, so that whoever
 * goes on from it has nothing of this job's directory to ask for.
 *
 * No checkpoint is begun meanwhile; the tasks go on. Owner: the coordinator's step; `wanted` and
 * `over` are under its mutex.
 */
#include "runtime/runtime_int.h"

static bool is_wanted(struct coordinator *coordinator, enum savepoint_then *then)
{
    mutex_lock(&coordinator->mutex);
    bool wanted = coordinator->savepoint.wanted;
    *then = coordinator->savepoint.request.then;
    mutex_unlock(&coordinator->mutex);
    return wanted;
}

bool savepoint_due(struct coordinator *coordinator)
{
    enum savepoint_then then;
    return is_wanted(coordinator, &then) && then == SAVEPOINT_GO_ON;
}

void savepoint_begin(struct coordinator *coordinator, bool is_last)
{
    enum savepoint_then then;
    coordinator->savepoint.taken =
        is_wanted(coordinator, &then) && (is_last || then == SAVEPOINT_GO_ON);
}

void savepoint_answer(struct coordinator *coordinator, const struct error *error)
{
    struct savepoint *savepoint = &coordinator->savepoint;
    mutex_lock(&coordinator->mutex);
    bool wanted = savepoint->wanted;
    const struct job_savepoint request = savepoint->request;
    savepoint->wanted = false;
    mutex_unlock(&coordinator->mutex);
    savepoint->taken = false;
    if (wanted)
        request.done(request.context, error);
}

void savepoint_over(struct coordinator *coordinator)
{
    struct job *job = container_of(coordinator, struct job, coordinator);
    struct error err = {0};
    mutex_lock(&coordinator->mutex);
    coordinator->savepoint.over = true;
    mutex_unlock(&coordinator->mutex);
    mutex_lock(&job->mutex);
    if (job->has_error)
        err = job->error;
    mutex_unlock(&job->mutex);
    if (err.code != OK)
        error_prefix(&err, "the job has failed before its savepoint was complete");
    else
        error_set(&err, ERR_CANCELLED, "the job has ended before its savepoint was complete");
    savepoint_answer(coordinator, &err);
}

enum status job_savepoint(struct job *job, const struct job_savepoint *request, struct error *err)
{
    struct coordinator *coordinator = &job->coordinator;
    const char *name = job->request.plan->job_name;
    if (!coordinator->enabled)
        return error_set(err, ERR_UNSUPPORTED, "job '%s' has no checkpoints, and so no savepoints",
                         name);
    mutex_lock(&coordinator->mutex);
    bool over = coordinator->savepoint.over, busy = coordinator->savepoint.wanted;
    if (!over && !busy) {
        coordinator->savepoint.request = *request;
        coordinator->savepoint.wanted = true;
    }
    mutex_unlock(&coordinator->mutex);
    if (over)
        return error_set(err, ERR_CLOSED, "job '%s' does not run now", name);
    if (busy)
        return error_set(err, ERR_EXISTS, "a savepoint of job '%s' is being made", name);
    if (request->then == SAVEPOINT_STOP)
        job_stop(job);
    else if (request->then == SAVEPOINT_DRAIN)
        job_drain(job);
    else
        task_wake(&coordinator->task);
    return OK;
}
