/* statistics.c - what is told about a job's checkpoints: the one being made, the last ones, counts.
 * Names and meaning are those of Flink's CheckpointStatsTracker.
 *
 * Owner: the coordinator, but for statistics_told (tasks) and statistics_get (anyone); under the
 * coordinator's mutex.
 */
#include "runtime/runtime_int.h"

#include <stdio.h>

static struct io *io_of(const struct coordinator *coordinator)
{
    return container_of(coordinator, struct job, coordinator)->runtime->settings.io;
}

void statistics_begin(struct coordinator *coordinator, uint64_t epoch)
{
    mutex_lock(&coordinator->mutex);
    coordinator->statistics.now =
        (struct checkpoint_report){.epoch = epoch,
                                   .outcome = CHECKPOINT_IN_PROGRESS,
                                   .is_last = coordinator->is_last,
                                   .is_savepoint = coordinator->savepoint.taken,
                                   .begun_us = io_wall_us(io_of(coordinator))};
    mutex_unlock(&coordinator->mutex);
}

static void keep_longer(int64_t *longest_us, int64_t us)
{
    *longest_us = us > *longest_us ? us : *longest_us;
}

void statistics_told(struct coordinator *coordinator, const struct task_times *times)
{
    struct checkpoint_report *now = &coordinator->statistics.now;
    now->told_count++;
    keep_longer(&now->align_us, times->align_us);
    keep_longer(&now->sync_us, times->sync_us);
    keep_longer(&now->async_us, times->async_us);
}

/* The mutex is held. */
static void summarise(struct checkpoint_summary *summary, const struct checkpoint_report *report)
{
    bool first = summary->count++ == 0;
    if (first || report->duration_us < summary->least_us)
        summary->least_us = report->duration_us;
    if (first || report->bytes < summary->least_bytes)
        summary->least_bytes = report->bytes;
    keep_longer(&summary->most_us, report->duration_us);
    if (report->bytes > summary->most_bytes)
        summary->most_bytes = report->bytes;
    summary->sum_us += report->duration_us;
    summary->sum_bytes += report->bytes;
}

void statistics_end(struct coordinator *coordinator, const struct error *failure)
{
    struct checkpoint_statistics *all = &coordinator->statistics;
    bool good = failure->code == OK;
    mutex_lock(&coordinator->mutex);
    struct checkpoint_report *report = &all->now;
    report->ended_us = io_wall_us(io_of(coordinator));
    report->duration_us = io_monotonic_us(io_of(coordinator)) - coordinator->begun_us;
    report->commit_us = coordinator->commit_us;
    report->bytes = coordinator->bytes;
    report->outcome = good ? CHECKPOINT_COMPLETED : CHECKPOINT_FAILED;
    snprintf(report->failure, sizeof(report->failure), "%.250s", failure->text);
    all->error = *failure;
    if (good) {
        all->completed++;
        *(report->is_savepoint ? &all->last_savepoint : &all->last) = *report;
        summarise(&all->summary, report);
    } else if (failure->code != ERR_AGAIN) {
        all->failed++;
        all->last_failed = *report;
    }
    if (good || failure->code != ERR_AGAIN) {
        memmove(coordinator->ended + 1, coordinator->ended,
                (CHECKPOINT_HISTORY_MAX - 1) * sizeof(*report));
        coordinator->ended[0] = *report;
        if (coordinator->ended_count < CHECKPOINT_HISTORY_MAX)
            coordinator->ended_count++;
    }
    *report = (struct checkpoint_report){0};
    mutex_unlock(&coordinator->mutex);
}

void statistics_get(struct job *job, struct checkpoint_statistics *out)
{
    mutex_lock(&job->coordinator.mutex);
    *out = job->coordinator.statistics;
    mutex_unlock(&job->coordinator.mutex);
}

uint32_t job_checkpoint_history(struct job *job, struct checkpoint_report *out)
{
    struct coordinator *coordinator = &job->coordinator;
    mutex_lock(&coordinator->mutex);
    uint32_t count = coordinator->ended_count;
    memcpy(out, coordinator->ended, count * sizeof(*out));
    mutex_unlock(&coordinator->mutex);
    return count;
}
