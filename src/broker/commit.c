/* commit.c - group commit: when a round of fsyncs begins and who hears of its end. */
#include "broker/txns.h"

#include "base/must.h"
#include "os/logger.h"

/* log_append calls commit_dirty on its own thread; on the loop's thread no message is needed. */
static _Thread_local bool appending_on_loop;

static void commit_begin(struct broker *broker);

static void round_end(struct broker *broker)
{
    struct commit *commit = &broker->commit;
    if (commit->sync.failed_count)
        logger_write(LOG_ERROR, "broker", "%u partitions could not be synced and refuse appends",
                     commit->sync.failed_count);
    bool again = log_sync_finish(&commit->sync);
    commit->running = false;
    if (again)
        commit->wanted = true;
    produce_synced(broker);
    groups_synced(broker);
    txns_synced(broker);
    commit_written(broker);
}

static void sync_run(struct io_job *job)
{
    log_sync_run(&container_of(job, struct commit, job)->sync);
}

static void sync_done(struct io_job *job)
{
    struct commit *commit = container_of(job, struct commit, job);
    loop_post(container_of(commit, struct broker, commit)->loop, &commit->done);
}

static void sync_back(struct loop_message *message)
{
    struct commit *commit = container_of(message, struct commit, done);
    round_end(container_of(commit, struct broker, commit));
}

static void commit_begin(struct broker *broker)
{
    struct commit *commit = &broker->commit;
    loop_timer_cancel(broker->loop, &commit->timer);
    commit->wanted = commit->urgent = false;
    commit->begun_us = io_monotonic_us(broker->io);
    commit->sync = (struct log_sync){0};
    if (!log_sync_begin(broker->log, &commit->sync))
        return;
    commit->running = true;
    metric_add(&broker->sync_rounds, 1);
    if (!broker->pool) {
        log_sync_run(&commit->sync);
        round_end(broker);
        return;
    }
    commit->job = (struct io_job){.run = sync_run, .done = sync_done};
    commit->done = (struct loop_message){.run = sync_back};
    io_pool_submit(broker->pool, &commit->job);
}

static void commit_due(struct loop_timer *timer)
{
    struct commit *commit = container_of(timer, struct commit, timer);
    if (!commit->running)
        commit_begin(container_of(commit, struct broker, commit));
}

void commit_want(struct broker *broker, bool urgent)
{
    struct commit *commit = &broker->commit;
    commit->wanted = true;
    if (commit->running)
        return;
    int64_t delay_us = commit->begun_us + COMMIT_INTERVAL_US - io_monotonic_us(broker->io);
    if (urgent || delay_us <= 0) {
        commit_begin(broker);
        return;
    }
    if (commit->timer.heap_index)
        return;
    commit->timer.fire = commit_due;
    if (loop_timer_arm(broker->loop, &commit->timer, delay_us, NULL) != OK)
        commit_begin(broker); /* no memory for the timer: now, then */
}

void commit_written(struct broker *broker)
{
    if (broker->commit.wanted && !broker->commit.running)
        commit_want(broker, broker->commit.urgent || broker->waiting.first ||
                                groups_is_waited_for(broker) || txns_is_waited_for(broker));
}

static void dirty_back(struct loop_message *message)
{
    struct commit *commit = container_of(message, struct commit, dirty);
    struct broker *broker = container_of(commit, struct broker, commit);
    atomic_store(&commit->dirty_posted, false);
    commit->urgent |= atomic_exchange(&commit->hurry_asked, false);
    commit_want(broker, commit->urgent);
}

static void dirty_post(struct broker *broker)
{
    struct commit *commit = &broker->commit;
    if (atomic_exchange(&commit->dirty_posted, true))
        return;
    commit->dirty = (struct loop_message){.run = dirty_back};
    loop_post(broker->loop, &commit->dirty);
}

void commit_hurry(void *context)
{
    struct broker *broker = context;
    if (atomic_load(&broker->commit.muted))
        return;
    atomic_store(&broker->commit.hurry_asked, true); /* before the message may be seen as posted */
    dirty_post(broker);
}

void commit_dirty(void *context)
{
    struct broker *broker = context;
    struct commit *commit = &broker->commit;
    /* While the log opens and closes nothing is posted: the broker may be gone before it runs. */
    if (appending_on_loop || atomic_load(&commit->muted)) {
        commit->wanted = true;
        return;
    }
    dirty_post(broker);
}

enum status commit_append(struct broker *broker, struct log_partition *partition,
                          struct log_append *append, struct error *err)
{
    appending_on_loop = true;
    enum status status = log_append(partition, append, err);
    appending_on_loop = false;
    return status;
}
