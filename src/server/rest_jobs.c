/* rest_jobs.c - jobs: their list, one with its operators, why, stop, cancel, savepoints. */
#include <jansson.h>

#include "server/server_int.h"

#define REPORTS_MAX    4096
#define WHY_BYTES_MAX  (64u << 10)
#define PATH_BYTES_MAX 8192

static void add_time_ms(struct buf *out, const char *name, int64_t time_us)
{
    if (time_us)
        json_add_int(out, name, time_us / 1000);
    else
        json_add_null(out, name);
}

static void add_checkpoint(struct buf *out, const struct job_status *status)
{
    const struct checkpoint_report *last = &status->checkpoints.last;
    json_add_bool(out, "recovering", status->recovering);
    if (!last->epoch) {
        json_add_null(out, "last_checkpoint");
        return;
    }
    json_name(out, "last_checkpoint");
    buf_append_byte(out, '{');
    json_add_int(out, "id", (int64_t)last->epoch);
    json_add_int(out, "ended_ms", last->ended_us / 1000);
    json_add_int(out, "duration_ms", last->duration_us / 1000);
    json_add_int(out, "bytes", (int64_t)last->bytes);
    buf_append_byte(out, '}');
}

static void add_job(struct buf *out, const struct job_summary *job)
{
    const struct job_status *status = &job->status;
    json_add_int(out, "id", job->id);
    json_add_text(out, "name", job->name);
    json_add_text(out, "state", job_state_name(status->state));
    json_add_bool(out, "bounded", job->bounded);
    add_time_ms(out, "started_ms", status->started_us);
    add_time_ms(out, "ended_ms", status->ended_us);
    json_add_int(out, "restarts", (int64_t)status->restarts);
    json_add_int(out, "rows_read", (int64_t)status->rows_read);
    json_add_int(out, "rows_written", (int64_t)status->rows_written);
    add_time_ms(out, "last_output_ms", status->last_output_us);
    json_add_int(out, "memory_bytes", (int64_t)status->memory_bytes);
    add_checkpoint(out, status);
    json_add_text(out, "error", status->state == JOB_FAILED ? status->error.text : NULL);
    json_add_text(out, "why", job->why[0] ? job->why : NULL);
}

static void list_job(void *context, const struct job_summary *job)
{
    struct buf *out = context;
    json_comma(out);
    buf_append_byte(out, '{');
    add_job(out, job);
    buf_append_byte(out, '}');
}

enum status rest_jobs(struct request *request, struct error *err)
{
    buf_append_text(&request->out, "{\"jobs\":[");
    if (request->server->engine)
        engine_job_summaries(request->server->engine, list_job, &request->out);
    buf_append_text(&request->out, "]}");
    return OK;
}

/* ---- one job: running (a reference), or what is left of one that has ended */

struct job_search {
    uint32_t id;
    bool found;
    struct job_summary *out;
};

static void look_for(void *context, const struct job_summary *job)
{
    struct job_search *search = context;
    if (job->id != search->id)
        return;
    *search->out = *job;
    search->found = true;
}

enum status rest_find_job(struct request *request, struct engine_job **out,
                          struct job_summary *summary, struct error *err)
{
    struct engine *engine = request->server->engine;
    struct job_search search = {.out = summary};
    uint64_t id = 0;
    bool number = str_to_u64(str_of(request->params[0]), &id, NULL) && id <= UINT32_MAX;
    *out = NULL;
    search.id = (uint32_t)id;
    if (engine && number) {
        *out = engine_job_find(engine, search.id);
        engine_job_summaries(engine, look_for, &search);
    }
    if (search.found)
        return OK;
    engine_job_unref(*out);
    *out = NULL;
    return error_set(err, ERR_NOT_FOUND, "there is no job %.40s", request->params[0]);
}

static void add_event_time_ms(struct buf *out, const char *name, int64_t time_us)
{
    json_name(out, name);
    if (time_us == WATERMARK_NONE || time_us == WATERMARK_MAX)
        buf_append_text(out, "null");
    else
        buf_printf(out, "%lld", (long long)(time_us / 1000));
}

static void add_operator(struct buf *out, const struct operator_report *report)
{
    json_comma(out);
    buf_append_byte(out, '{');
    json_add_text(out, "name", report->name);
    json_add_int(out, "subtask", report->subtask);
    json_add_int(out, "records_in", report->records_in);
    json_add_int(out, "records_out", report->records_out);
    json_add_int(out, "late_dropped", report->late_dropped);
    json_add_int(out, "bad_rows", report->bad_rows);
    json_add_int(out, "state_keys", report->state_keys);
    json_add_int(out, "state_bytes", report->state_bytes);
    add_event_time_ms(out, "watermark_ms", report->watermark_us);
    json_add_int(out, "buffered_rows", report->buffered_rows);
    add_time_ms(out, "oldest_row_ms", report->oldest_row_us);
    add_event_time_ms(out, "next_timer_ms", report->next_timer_us);
    add_time_ms(out, "last_emit_ms", report->last_emit_us);
    if (report->is_committer)
        json_add_int(out, "pending_epochs", report->pending_epochs);
    json_add_bool(out, "blocked", report->blocked);
    buf_append_byte(out, '}');
}

static enum status add_details(struct buf *out, struct engine_job *job, struct error *err)
{
    struct operator_report *reports = mem_calloc(REPORTS_MAX, sizeof(*reports));
    struct buf plan;
    if (!reports)
        return error_memory(err, "a job's operators", REPORTS_MAX * sizeof(*reports));
    uint32_t count = engine_job_operators(job, reports, REPORTS_MAX);
    json_name(out, "operators");
    buf_append_byte(out, '[');
    for (uint32_t i = 0; i < count && i < REPORTS_MAX; i++)
        add_operator(out, &reports[i]);
    buf_append_byte(out, ']');
    mem_free(reports);
    buf_init(&plan, 1u << 20);
    engine_job_plan(job, &plan);
    json_add_text(out, "plan", buf_text(&plan));
    buf_fini(&plan);
    return OK;
}

static void add_failures(struct buf *out, const struct job_failures *failures)
{
    json_name(out, "failures");
    buf_append_byte(out, '[');
    for (uint32_t i = failures->count; i-- > 0;) {
        json_comma(out);
        buf_append_byte(out, '{');
        add_time_ms(out, "time_ms", failures->entries[i].time_us);
        json_add_text(out, "error", failures->entries[i].text);
        buf_append_byte(out, '}');
    }
    buf_append_byte(out, ']');
}

enum status rest_job(struct request *request, struct error *err)
{
    struct engine_job *job;
    struct job_summary *summary = mem_calloc(1, sizeof(*summary));
    struct buf *out = &request->out;
    if (!summary)
        return error_memory(err, "a job", sizeof(*summary));
    enum status status = rest_find_job(request, &job, summary, err);
    if (status == OK) {
        buf_append_byte(out, '{');
        add_job(out, summary);
        add_failures(out, &summary->failures);
        if (job)
            status = add_details(out, job, err);
        else
            buf_append_text(out, ",\"operators\":[],\"plan\":\"\"");
        buf_append_byte(out, '}');
    }
    engine_job_unref(job);
    mem_free(summary);
    return status;
}

enum status rest_job_why(struct request *request, struct error *err)
{
    struct engine_job *job;
    struct job_summary *summary = mem_calloc(1, sizeof(*summary));
    struct buf why;
    if (!summary)
        return error_memory(err, "a job", sizeof(*summary));
    buf_init(&why, WHY_BYTES_MAX);
    enum status status = rest_find_job(request, &job, summary, err);
    if (status == OK && job)
        engine_job_why(job, &why);
    else if (status == OK)
        job_end_why(&summary->status, &why);
    buf_append_byte(&request->out, '{');
    json_add_text(&request->out, "why", buf_text(&why));
    buf_append_byte(&request->out, '}');
    buf_fini(&why);
    engine_job_unref(job);
    mem_free(summary);
    return status;
}

static enum status end_job(struct request *request, void (*end)(struct engine_job *job),
                           struct error *err)
{
    struct engine_job *job;
    struct job_summary *summary = mem_calloc(1, sizeof(*summary));
    if (!summary)
        return error_memory(err, "a job", sizeof(*summary));
    enum status status = rest_find_job(request, &job, summary, err);
    if (status == OK && job)
        end(job);
    if (status == OK) {
        request->status = 202;
        buf_append_text(&request->out, "{}");
    }
    engine_job_unref(job);
    mem_free(summary);
    return status;
}

static enum status make_savepoint(struct request *request, struct engine_job *job,
                                  const char *directory, enum savepoint_then then,
                                  struct error *err)
{
    struct buf path;
    buf_init(&path, PATH_BYTES_MAX);
    enum status status = engine_job_savepoint(job, directory, then, &path, err);
    if (status == OK) {
        buf_append_byte(&request->out, '{');
        json_add_text(&request->out, "path", buf_text(&path));
        buf_append_byte(&request->out, '}');
    }
    buf_fini(&path);
    return status;
}

/* The job in the path, which must not have ended, a reference; *body: of the request. */
static enum status take_job(struct request *request, struct engine_job **out, json_t **body,
                            struct error *err)
{
    struct job_summary *summary = mem_calloc(1, sizeof(*summary));
    if (!summary)
        return error_memory(err, "a job", sizeof(*summary));
    enum status status = rest_find_job(request, out, summary, err);
    if (status == OK && !*out)
        status = error_set(err, ERR_CLOSED, "job '%s' has ended", summary->name);
    if (status == OK)
        status = rest_body(request, body, err);
    if (status != OK)
        engine_job_unref(*out);
    mem_free(summary);
    return status;
}

enum status rest_job_savepoint(struct request *request, struct error *err)
{
    struct engine_job *job;
    json_t *body;
    TRY(take_job(request, &job, &body, err));
    const char *directory = json_string_value(json_object_get(body, "directory"));
    enum status status = make_savepoint(request, job, directory, SAVEPOINT_GO_ON, err);
    json_decref(body);
    engine_job_unref(job);
    return status;
}

enum status rest_job_stop(struct request *request, struct error *err)
{
    struct engine_job *job;
    json_t *body;
    TRY(take_job(request, &job, &body, err));
    const char *directory = json_string_value(json_object_get(body, "directory"));
    bool drain = json_is_true(json_object_get(body, "drain"));
    enum status status = OK;
    if (directory) {
        status =
            make_savepoint(request, job, directory, drain ? SAVEPOINT_DRAIN : SAVEPOINT_STOP, err);
    } else {
        if (drain)
            engine_job_drain(job);
        else
            engine_job_stop(job);
        request->status = 202;
        buf_append_text(&request->out, "{}");
    }
    json_decref(body);
    engine_job_unref(job);
    return status;
}

enum status rest_job_cancel(struct request *request, struct error *err)
{
    return end_job(request, engine_job_cancel, err);
}
