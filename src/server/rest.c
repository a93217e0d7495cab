/* rest.c - health, info, the description of the API itself; reading a request's body. */
#include <jansson.h>

#include "server/server_int.h"

#include <stdio.h>
#include <unistd.h>

enum status rest_body(struct request *request, json_t **out, struct error *err)
{
    const struct buf *body = &request->exchange->body;
    json_error_t where;
    json_set_alloc_funcs(mem_alloc, mem_free); /* the same each time */
    *out = body->length ? json_loadb((const char *)body->data, body->length, 0, &where)
                        : json_object();
    if (*out && json_is_object(*out))
        return OK;
    json_decref(*out);
    *out = NULL;
    return body->length
               ? error_set(err, ERR_SYNTAX, "the body is no JSON object: line %d, column %d: %s",
                           where.line, where.column, where.text)
               : error_memory(err, "a request", 0);
}

enum status rest_health(struct request *request, struct error *err)
{
    buf_append_text(&request->out, "{\"status\":\"ok\"}");
    return OK;
}

struct job_counts {
    int64_t running, failed, finished;
};

static void count_job(void *context, const struct job_summary *job)
{
    struct job_counts *counts = context;
    if (job->status.state == JOB_FAILED)
        counts->failed++;
    else if (job_state_is_final(job->status.state))
        counts->finished++;
    else
        counts->running++;
}

enum status rest_info(struct request *request, struct error *err)
{
    struct server *server = request->server;
    struct buf *out = &request->out;
    struct job_counts counts = {0};
    struct broker *broker = atomic_load(&server->broker);
    const struct socket_address *address = broker ? broker_address(broker) : NULL;
    char text[300];
    if (server->engine)
        engine_job_summaries(server->engine, count_job, &counts);
    if (address)
        snprintf(text, sizeof(text), "%s:%u", address->host, address->port);
    buf_append_byte(out, '{');
    json_add_text(out, "product", "leat");
    json_add_text(out, "version", LEAT_VERSION);
    json_add_int(out, "uptime_ms", (io_monotonic_us(server->io) - server->started_us) / 1000);
    json_add_text(out, "broker_address", address && address->port ? text : NULL);
    json_add_text(out, "data_directory", server->settings.data_directory);
    json_add_int(out, "pid", getpid());
    json_name(out, "jobs");
    buf_append_byte(out, '{');
    json_add_int(out, "running", counts.running);
    json_add_int(out, "failed", counts.failed);
    json_add_int(out, "finished", counts.finished);
    buf_append_text(out, "}}");
    return OK;
}

enum status rest_openapi(struct request *request, struct error *err)
{
    openapi_write(&request->out);
    return OK;
}
