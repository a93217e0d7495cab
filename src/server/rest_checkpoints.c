/* rest_checkpoints.c - a job's checkpoints, in the shape of Flink's /jobs/:id/checkpoints
 * (CheckpointingStatistics); fields that mean nothing here are left out, alignment_duration and the
 * three after it are leat's. */
#include "server/server_int.h"

static const char *const STATUSES[] = {"IN_PROGRESS", "COMPLETED", "FAILED"};
static const char *const CLASSES[] = {"in_progress", "completed", "failed"};

static void add_durations(struct buf *out, const struct checkpoint_report *report)
{
    json_add_int(out, "alignment_duration", report->align_us / 1000);
    json_add_int(out, "sync_duration", report->sync_us / 1000);
    json_add_int(out, "async_duration", report->async_us / 1000);
    json_add_int(out, "commit_duration", report->commit_us / 1000);
}

static void add_report(struct buf *out, const struct checkpoint_report *report, uint32_t task_count)
{
    buf_append_byte(out, '{');
    json_add_text(out, "@class", CLASSES[report->outcome]);
    json_add_int(out, "id", (int64_t)report->epoch);
    json_add_text(out, "status", STATUSES[report->outcome]);
    json_add_bool(out, "is_savepoint", report->is_savepoint);
    json_add_text(out, "checkpoint_type", report->is_savepoint ? "SAVEPOINT" : "CHECKPOINT");
    json_add_int(out, "trigger_timestamp", report->begun_us / 1000);
    if (report->ended_us)
        json_add_int(out, "latest_ack_timestamp", report->ended_us / 1000);
    else
        json_add_null(out, "latest_ack_timestamp");
    json_add_int(out, "checkpointed_size", (int64_t)report->bytes);
    json_add_int(out, "end_to_end_duration", report->duration_us / 1000);
    json_add_int(out, "num_subtasks", task_count);
    json_add_int(out, "num_acknowledged_subtasks", report->told_count);
    add_durations(out, report);
    if (report->outcome == CHECKPOINT_FAILED) {
        json_add_int(out, "failure_timestamp", report->ended_us / 1000);
        json_add_text(out, "failure_message", report->failure);
    }
    buf_append_byte(out, '}');
}

static void add_latest(struct buf *out, const char *name, const struct checkpoint_report *report,
                       uint32_t task_count)
{
    if (!report->epoch) {
        json_add_null(out, name);
        return;
    }
    json_name(out, name);
    add_report(out, report, task_count);
}

static void add_counts(struct buf *out, const struct checkpoint_statistics *all)
{
    int64_t in_progress = all->now.epoch != 0;
    json_name(out, "counts");
    buf_append_byte(out, '{');
    json_add_int(out, "restored", all->restored_epoch != 0);
    json_add_int(out, "total", (int64_t)(all->completed + all->failed) + in_progress);
    json_add_int(out, "in_progress", in_progress);
    json_add_int(out, "completed", (int64_t)all->completed);
    json_add_int(out, "failed", (int64_t)all->failed);
    buf_append_byte(out, '}');
}

static void add_range(struct buf *out, const char *name, int64_t least, int64_t most, int64_t sum,
                      uint64_t count)
{
    json_name(out, name);
    buf_append_byte(out, '{');
    json_add_int(out, "min", least);
    json_add_int(out, "max", most);
    json_add_int(out, "avg", count ? sum / (int64_t)count : 0);
    buf_append_byte(out, '}');
}

static void add_summary(struct buf *out, const struct checkpoint_summary *summary)
{
    json_name(out, "summary");
    buf_append_byte(out, '{');
    add_range(out, "checkpointed_size", (int64_t)summary->least_bytes, (int64_t)summary->most_bytes,
              (int64_t)summary->sum_bytes, summary->count);
    add_range(out, "end_to_end_duration", summary->least_us / 1000, summary->most_us / 1000,
              summary->sum_us / 1000, summary->count);
    buf_append_byte(out, '}');
}

static void add_restored(struct buf *out, const struct checkpoint_statistics *all)
{
    if (!all->restored_epoch) {
        json_add_null(out, "restored");
        return;
    }
    json_name(out, "restored");
    buf_append_byte(out, '{');
    json_add_int(out, "id", (int64_t)all->restored_epoch);
    json_add_int(out, "restore_timestamp", all->restored_us / 1000);
    json_add_bool(out, "is_savepoint", false);
    buf_append_byte(out, '}');
}

enum status rest_checkpoints(struct request *request, struct error *err)
{
    struct buf *out = &request->out;
    struct checkpoint_report history[CHECKPOINT_HISTORY_MAX];
    struct engine_job *job;
    struct job_summary *summary = mem_calloc(1, sizeof(*summary));
    if (!summary)
        return error_memory(err, "a job", sizeof(*summary));
    enum status status = rest_find_job(request, &job, summary, err);
    if (status == OK) {
        const struct checkpoint_statistics *all = &summary->status.checkpoints;
        uint32_t task_count = summary->status.task_count;
        uint32_t count = job ? engine_job_checkpoint_history(job, history) : 0;
        buf_append_byte(out, '{');
        add_counts(out, all);
        add_summary(out, &all->summary);
        json_name(out, "latest");
        buf_append_byte(out, '{');
        add_latest(out, "completed", &all->last, task_count);
        add_latest(out, "savepoint", &all->last_savepoint, task_count);
        add_latest(out, "failed", &all->last_failed, task_count);
        add_restored(out, all);
        buf_append_byte(out, '}');
        json_name(out, "history");
        buf_append_byte(out, '[');
        for (uint32_t i = 0; i <= count; i++) { /* the one being made is the first */
            const struct checkpoint_report *report = i ? &history[i - 1] : &all->now;
            if (!report->epoch)
                continue;
            json_comma(out);
            add_report(out, report, task_count);
        }
        buf_append_text(out, "]}");
    }
    engine_job_unref(job);
    mem_free(summary);
    return status;
}
