/* metrics.c - /metrics in Prometheus' text format: jobs, their operators, broker, HTTP, pages.
 *
 * Each name stands once in a table here with its help, from which docs/metrics.md is made too.
 * Where Flink has the metric, the name after leat_job_ or leat_operator_ is Flink's, and so are the
 * labels. Names are kept: test/system/metrics.names has them all.
 */
#include "server/server_int.h"

#include <stddef.h>
#include <stdio.h>

#define REPORTS_MAX 4096
#define JOBS_MAX    200 /* listed with their operators */

enum metric_source { METRIC_HTTP, METRIC_BROKER, METRIC_LIVE, METRIC_JOB, METRIC_OPERATOR };

struct metric {
    const char *name, *type, *help;
    enum metric_source source;
    size_t offset;
    enum {
        FIELD_CELL,
        FIELD_I64,
        FIELD_U64,
        FIELD_U32,
        FIELD_SIZE,
        FIELD_BOOL,
        FIELD_US,    /* microseconds, shown as milliseconds */
        FIELD_TIME,  /* the same of a wall time; 0: not shown */
        FIELD_EVENT, /* the same of an event time; WATERMARK_NONE and _MAX: not shown */
    } field;
    enum { OF_ALL, OF_COMMITTERS } of; /* where it means something */
};

#define HTTP(field)     METRIC_HTTP, offsetof(struct http_counters, field), FIELD_CELL
#define BROKER(field)   METRIC_BROKER, offsetof(struct broker_counters, field), FIELD_U64
#define LIVE(field)     METRIC_LIVE, offsetof(struct live_counters, field), FIELD_I64
#define JOB(field)      METRIC_JOB, offsetof(struct job_status, field)
#define OPERATOR(field) METRIC_OPERATOR, offsetof(struct operator_report, field)

static const struct metric METRICS[] = {
    {"leat_job_rows_read_total", "counter", "Rows that the job's sources have read.",
     JOB(rows_read), FIELD_U64},
    {"leat_job_rows_written_total", "counter", "Rows that the job's sinks have been given.",
     JOB(rows_written), FIELD_U64},
    {"leat_job_numRestarts", "counter", "How often the job was started again after a failure.",
     JOB(restarts), FIELD_U64},
    {"leat_job_memory_bytes", "gauge", "Memory reserved by the job.", JOB(memory_bytes),
     FIELD_SIZE},
    {"leat_job_recovering", "gauge",
     "1 after a crash, until all inputs were read to their ends once or a checkpoint was made.",
     JOB(recovering), FIELD_BOOL},
    {"leat_job_numberOfCompletedCheckpoints", "counter", "Checkpoints that are durable.",
     JOB(checkpoints.completed), FIELD_U64},
    {"leat_job_numberOfFailedCheckpoints", "counter", "Checkpoints that failed.",
     JOB(checkpoints.failed), FIELD_U64},
    {"leat_job_lastCompletedCheckpointId", "gauge", "Epoch of the last completed checkpoint.",
     JOB(checkpoints.last.epoch), FIELD_U64},
    {"leat_job_lastCheckpointDuration", "gauge",
     "Milliseconds from the begin of the last completed checkpoint to its manifest.",
     JOB(checkpoints.last.duration_us), FIELD_US},
    {"leat_job_lastCheckpointSize", "gauge", "Bytes that the last completed checkpoint wrote.",
     JOB(checkpoints.last.bytes), FIELD_U64},
    {"leat_job_last_checkpoint_time_ms", "gauge",
     "When the last completed checkpoint was complete, in milliseconds since 1970.",
     JOB(checkpoints.last.ended_us), FIELD_TIME},
    {"leat_job_last_checkpoint_align_ms", "gauge",
     "Its longest wait of a task from its first barrier to its last.",
     JOB(checkpoints.last.align_us), FIELD_US},
    {"leat_job_last_checkpoint_sync_ms", "gauge",
     "Its longest time of a task to flush operators and sinks.", JOB(checkpoints.last.sync_us),
     FIELD_US},
    {"leat_job_last_checkpoint_async_ms", "gauge",
     "Its longest time of a task to write state beside the work.", JOB(checkpoints.last.async_us),
     FIELD_US},
    {"leat_job_last_checkpoint_commit_ms", "gauge", "Its time to sync files and the manifest.",
     JOB(checkpoints.last.commit_us), FIELD_US},
    {"leat_job_lastCheckpointRestoreTimestamp", "gauge",
     "When the job went on from a checkpoint, in milliseconds since 1970.",
     JOB(checkpoints.restored_us), FIELD_TIME},
    {"leat_operator_numRecordsIn", "counter", "Rows that came into the operator.",
     OPERATOR(records_in), FIELD_I64},
    {"leat_operator_numRecordsOut", "counter", "Rows that left the operator.",
     OPERATOR(records_out), FIELD_I64},
    {"leat_operator_numLateRecordsDropped", "counter", "Rows that came behind the watermark.",
     OPERATOR(late_dropped), FIELD_I64},
    {"leat_operator_numRecordsInErrors", "counter", "Rows skipped or sent to dead letters.",
     OPERATOR(bad_rows), FIELD_I64},
    {"leat_operator_currentInputWatermark", "gauge",
     "The watermark in milliseconds since 1970; not shown before the first.",
     OPERATOR(watermark_us), FIELD_EVENT},
    {"leat_operator_isBackPressured", "gauge", "1 while it waits for something downstream.",
     OPERATOR(blocked), FIELD_BOOL},
    {"leat_operator_state_keys", "gauge", "Keys in the operator's state.", OPERATOR(state_keys),
     FIELD_I64},
    {"leat_operator_state_bytes", "gauge", "Memory of the operator's state.", OPERATOR(state_bytes),
     FIELD_I64},
    {"leat_operator_buffered_rows", "gauge",
     "Rows that wait in the operator: for the end of their window or of the input, for the target.",
     OPERATOR(buffered_rows), FIELD_I64},
    {"leat_operator_oldest_row_ms", "gauge",
     "When the first of these rows came, in milliseconds since 1970; not shown while none waits.",
     OPERATOR(oldest_row_us), FIELD_TIME},
    {"leat_operator_next_timer_ms", "gauge",
     "The event time that lets rows out next; not shown while none waits for one.",
     OPERATOR(next_timer_us), FIELD_EVENT},
    {"leat_operator_last_emit_ms", "gauge",
     "When rows left the operator last, in milliseconds since 1970; not shown before the first.",
     OPERATOR(last_emit_us), FIELD_TIME},
    {"leat_operator_pending_epochs", "gauge",
     "Checkpoints whose rows an exactly-once sink has not committed yet.", OPERATOR(pending_epochs),
     FIELD_I64, OF_COMMITTERS},
    {"leat_operator_pending_bytes", "gauge", "Bytes of these rows.", OPERATOR(pending_bytes),
     FIELD_I64, OF_COMMITTERS},
    {"leat_operator_commits_total", "counter", "Transactions that an exactly-once sink has made.",
     OPERATOR(commits), FIELD_I64, OF_COMMITTERS},
    {"leat_operator_last_commit_ms", "gauge", "How long the last of these took.",
     OPERATOR(last_commit_us), FIELD_US, OF_COMMITTERS},
    {"leat_broker_connections_open", "gauge", "Connections of Kafka clients.", METRIC_BROKER,
     offsetof(struct broker_counters, connections_open), FIELD_U32},
    {"leat_broker_connections_accepted_total", "counter", "Connections since the start.",
     BROKER(connections_accepted)},
    {"leat_broker_connections_refused_total", "counter", "Connections above the limit.",
     BROKER(connections_refused)},
    {"leat_broker_connections_broken_total", "counter", "Connections closed for what they sent.",
     BROKER(connections_broken)},
    {"leat_broker_requests_total", "counter", "Requests of Kafka clients.", BROKER(requests)},
    {"leat_broker_records_in_total", "counter", "Records produced by Kafka clients.",
     BROKER(records_in)},
    {"leat_broker_bytes_in_total", "counter", "Bytes received from Kafka clients.",
     BROKER(bytes_in)},
    {"leat_broker_bytes_out_total", "counter", "Bytes sent to Kafka clients.", BROKER(bytes_out)},
    {"leat_broker_sync_rounds_total", "counter", "Rounds of fsync.", BROKER(sync_rounds)},
    {"leat_http_connections_open", "gauge", "HTTP connections.", HTTP(connections_open)},
    {"leat_http_connections_accepted_total", "counter", "HTTP connections since the start.",
     HTTP(connections_accepted)},
    {"leat_http_connections_cut_off_total", "counter", "HTTP connections that were too slow.",
     HTTP(connections_cut_off)},
    {"leat_http_requests_total", "counter", "HTTP requests.", HTTP(requests)},
    {"leat_http_answers_2xx_total", "counter", "Answers with a status of 200 to 299.",
     HTTP(answers_2xx)},
    {"leat_http_answers_3xx_total", "counter", "Answers with a status of 300 to 399.",
     HTTP(answers_3xx)},
    {"leat_http_answers_4xx_total", "counter", "Answers with a status of 400 to 499.",
     HTTP(answers_4xx)},
    {"leat_http_answers_5xx_total", "counter", "Answers with a status of 500 to 599.",
     HTTP(answers_5xx)},
    {"leat_http_body_bytes_in_total", "counter", "Bytes of request bodies.", HTTP(bytes_in)},
    {"leat_http_streams_open", "gauge", "Event streams of live pages.", HTTP(streams_open)},
    {"leat_live_viewers", "gauge", "Viewers of dashboards.", LIVE(viewers)},
    {"leat_live_queries", "gauge", "Queries that run for dashboards.", LIVE(queries)},
    {"leat_live_frames_total", "counter", "Frames encoded for dashboards.", LIVE(frames)},
    {"leat_live_snapshots_total", "counter", "Snapshots encoded for dashboards.", LIVE(snapshots)},
    {"leat_live_behind_total", "counter", "Times a viewer lost its queue and got a snapshot.",
     LIVE(behind)},
};

static long long value_at(const struct metric *metric, const void *from)
{
    const char *at = (const char *)from + metric->offset;
    switch (metric->field) {
    case FIELD_CELL:
        return (long long)metric_get((const struct metric_cell *)at);
    case FIELD_I64:
        return *(const int64_t *)at;
    case FIELD_U64:
        return (long long)*(const uint64_t *)at;
    case FIELD_U32:
        return *(const uint32_t *)at;
    case FIELD_BOOL:
        return *(const bool *)at;
    case FIELD_US:
    case FIELD_TIME:
    case FIELD_EVENT:
        return *(const int64_t *)at / 1000;
    default:
        return (long long)*(const size_t *)at;
    }
}

static void add_label(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "%s%s=\"", out->data[out->length - 1] == '{' ? "" : ",", name);
    for (; *value; value++) {
        if (*value == '\n')
            buf_append_text(out, "\\n");
        else if (*value == '"' || *value == '\\')
            buf_printf(out, "\\%c", *value);
        else
            buf_append_byte(out, (uint8_t)*value);
    }
    buf_append_byte(out, '"');
}

struct job_metrics {
    struct engine_job *job;
    struct job_status status;
    struct operator_report *reports;
    uint32_t report_count;
};

struct gathered {
    uint32_t count;
    struct job_metrics jobs[JOBS_MAX];
};

static void gather_job(void *context, struct engine_job *job)
{
    struct gathered *gathered = context;
    if (gathered->count < JOBS_MAX)
        gathered->jobs[gathered->count++].job = engine_job_ref(job);
}

static void gather(struct engine *engine, struct gathered *gathered)
{
    engine_jobs(engine, gather_job, gathered);
    for (uint32_t i = 0; i < gathered->count; i++) {
        struct job_metrics *one = &gathered->jobs[i];
        engine_job_status(one->job, &one->status);
        uint32_t count = engine_job_operators(one->job, NULL, 0);
        if (count > REPORTS_MAX)
            count = REPORTS_MAX;
        one->reports = mem_calloc(count + 1, sizeof(*one->reports));
        if (one->reports)
            one->report_count = engine_job_operators(one->job, one->reports, count);
    }
}

static void gathered_free(struct gathered *gathered)
{
    for (uint32_t i = 0; i < gathered->count; i++) {
        mem_free(gathered->jobs[i].reports);
        engine_job_unref(gathered->jobs[i].job);
    }
    mem_free(gathered);
}

static bool is_shown(const struct metric *metric, const void *from)
{
    const int64_t *at = (const void *)((const char *)from + metric->offset);
    if (metric->field == FIELD_TIME)
        return *at != 0;
    if (metric->field == FIELD_EVENT)
        return *at != WATERMARK_NONE && *at != WATERMARK_MAX;
    return metric->of == OF_ALL || ((const struct operator_report *)from)->is_committer;
}

static void add_job_value(struct buf *out, const struct metric *metric,
                          const struct job_metrics *job, const struct operator_report *report)
{
    char number[16];
    const void *from = report ? (const void *)report : (const void *)&job->status;
    if (!is_shown(metric, from))
        return;
    buf_append_text(out, metric->name);
    buf_append_byte(out, '{');
    snprintf(number, sizeof(number), "%u", engine_job_id(job->job));
    add_label(out, "job_id", number);
    add_label(out, "job_name", engine_job_name(job->job));
    if (report) {
        snprintf(number, sizeof(number), "%u", report->node->id);
        add_label(out, "operator_id", number);
        add_label(out, "operator_name", report->name);
        snprintf(number, sizeof(number), "%u", report->subtask);
        add_label(out, "subtask_index", number);
    }
    buf_printf(out, "} %lld\n", value_at(metric, from));
}

static void add_jobs(struct buf *out, const struct metric *metric, const struct gathered *gathered)
{
    for (uint32_t i = 0; i < gathered->count; i++) {
        const struct job_metrics *job = &gathered->jobs[i];
        if (metric->source == METRIC_JOB)
            add_job_value(out, metric, job, NULL);
        for (uint32_t j = 0; metric->source == METRIC_OPERATOR && j < job->report_count; j++)
            add_job_value(out, metric, job, &job->reports[j]);
    }
}

static void add_states(struct buf *out, const struct gathered *gathered)
{
    uint64_t counts[JOB_FAILED + 1] = {0};
    for (uint32_t i = 0; i < gathered->count; i++)
        counts[gathered->jobs[i].status.state]++;
    buf_append_text(out, "# HELP leat_jobs Jobs by their state.\n# TYPE leat_jobs gauge\n");
    for (int state = 0; state <= JOB_FAILED; state++)
        buf_printf(out, "leat_jobs{state=\"%s\"} %llu\n", job_state_name((enum job_state)state),
                   (unsigned long long)counts[state]);
}

enum status rest_metrics(struct request *request, struct error *err)
{
    struct server *server = request->server;
    struct broker *broker = atomic_load(&server->broker);
    struct buf *out = &request->out;
    struct broker_counters of_broker = {0};
    struct live_counters of_live;
    struct gathered *gathered = mem_calloc(1, sizeof(*gathered));
    if (!gathered)
        return error_memory(err, "metrics", sizeof(*gathered));
    if (server->engine)
        gather(server->engine, gathered);
    if (broker)
        broker_counters(broker, &of_broker);
    live_counters(server->live, &of_live);
    request->type = "text/plain; version=0.0.4; charset=utf-8";
    buf_printf(out, "# HELP leat_info The version.\n# TYPE leat_info gauge\n"
                    "leat_info{version=\"" LEAT_VERSION "\"} 1\n");
    add_states(out, gathered);
    for (size_t i = 0; i < sizeof(METRICS) / sizeof(*METRICS); i++) {
        const struct metric *metric = &METRICS[i];
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric->name, metric->help, metric->name,
                   metric->type);
        if (metric->source == METRIC_HTTP)
            buf_printf(out, "%s %lld\n", metric->name,
                       value_at(metric, http_counters(server->http)));
        else if (metric->source == METRIC_BROKER && broker)
            buf_printf(out, "%s %lld\n", metric->name, value_at(metric, &of_broker));
        else if (metric->source == METRIC_LIVE)
            buf_printf(out, "%s %lld\n", metric->name, value_at(metric, &of_live));
        else
            add_jobs(out, metric, gathered);
    }
    gathered_free(gathered);
    return OK;
}

void metrics_document(struct buf *out)
{
    static const char *const LABELS[] = {
        "", "", "", "`job_id`, `job_name`",
        "`job_id`, `job_name`, `operator_id`, `operator_name`, `subtask_index`"};
    buf_append_text(out, "| name | type | labels | what |\n| --- | --- | --- | --- |\n"
                         "| `leat_info` | gauge | `version` | The version. |\n"
                         "| `leat_jobs` | gauge | `state` | Jobs by their state. |\n");
    for (size_t i = 0; i < sizeof(METRICS) / sizeof(*METRICS); i++)
        buf_printf(out, "| `%s` | %s | %s | %s |\n", METRICS[i].name, METRICS[i].type,
                   LABELS[METRICS[i].source], METRICS[i].help);
}
