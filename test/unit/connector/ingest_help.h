/* ingest_help.h - a process for tests of http-ingest: broker on a thread of its own, engine with
 * open endpoints, and clients that wait for their answers.
 */
#ifndef LEAT_TEST_UNIT_CONNECTOR_INGEST_HELP_H
#define LEAT_TEST_UNIT_CONNECTOR_INGEST_HELP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "broker/broker.h"
#include "connector/http-ingest/http_ingest.h"
#include "engine/engine.h"
#include "format/json/json.h"
#include "kafka/record.h"
#include "plugin/endpoint.h"

static const struct connector_class *const INGEST_CONNECTORS[] = {&CONNECTOR_HTTP_INGEST, NULL};
static const struct format_class *const INGEST_FORMATS[] = {&JSON_FORMAT, NULL};
static const struct plugin_registry INGEST_REGISTRY = {INGEST_CONNECTORS, INGEST_FORMATS};

struct ingest_world {
    struct io *io;
    char directory[64];
    struct io_pool *pool;
    struct loop *loop;
    struct broker *broker;
    struct thread *thread;
    struct mem_owner memory;
    struct plugin_context context;
    struct engine *engine;
    struct session *session;
    struct error err;
};

static inline void ingest_run_loop(void *context)
{
    struct ingest_world *world = context;
    must(loop_run(world->loop, &world->err) == OK);
}

static inline enum status ingest_log(const struct plugin_context *context, struct log **out,
                                     struct error *err)
{
    *out = broker_log(((struct ingest_world *)context->process)->broker);
    return OK;
}

static inline void ingest_must(bool good, const char *what, const struct error *err)
{
    if (!good)
        printf("# %s: %s\n", what, err->text);
    must(good);
}

/* The directory may hold a log already; directory NULL: a new one. */
static inline void ingest_open(struct ingest_world *world, const char *directory)
{
    struct error *err = &world->err;
    memset(world, 0, sizeof(*world));
    world->io = io_real();
    snprintf(world->directory, sizeof(world->directory), "%s",
             directory ? directory : "/tmp/leat-ingest-test-XXXXXX");
    must(directory || mkdtemp(world->directory));
    mem_owner_init(&world->memory, NULL, "process");
    must(io_pool_new(&world->pool, "sync", 2, err) == OK);
    must(loop_new(&world->loop, world->io, err) == OK);
    const struct broker_settings settings = {.io = world->io,
                                             .loop = world->loop,
                                             .pool = world->pool,
                                             .directory = world->directory,
                                             .no_listen = true};
    ingest_must(broker_open(&world->broker, &settings, err) == OK, "broker", err);
    must(thread_start(&world->thread, "loop", ingest_run_loop, world, err) == OK);
    world->context = (struct plugin_context){
        .io = world->io, .owner = &world->memory, .embedded_log = ingest_log, .process = world};
    const struct engine_config config = {.registry = &INGEST_REGISTRY,
                                         .context = &world->context,
                                         .owner = &world->memory,
                                         .worker_threads = 1};
    must(engine_new(&world->engine, &config, err) == OK);
    must(engine_session_new(&world->session, world->engine, err) == OK);
    must(engine_endpoints_open(world->engine, err) == OK);
}

static inline void ingest_close(struct ingest_world *world, bool remove)
{
    engine_session_free(world->session);
    engine_free(world->engine);
    loop_stop(world->loop);
    thread_join(world->thread);
    ingest_must(broker_close(world->broker, &world->err) == OK, "close", &world->err);
    loop_free(world->loop);
    io_pool_free(world->pool);
    mem_owner_fini(&world->memory);
    if (remove)
        must(io_remove_tree(world->io, world->directory, &world->err) == OK);
}

static inline enum status ingest_sql(struct ingest_world *world, const char *text)
{
    struct sql_script *script;
    enum status status;
    error_clear(&world->err);
    TRY(sql_script_open(&script, "test", str_of(text), &world->err));
    for (;;) {
        struct arena arena;
        struct statement statement = {0};
        struct engine_result result;
        arena_init(&arena, NULL, 1u << 24);
        status = sql_next(script, session_sql(world->session), &arena, &statement, &world->err);
        if (status != OK) {
            arena_fini(&arena);
            break;
        }
        status = engine_execute(world->session, &statement, &arena, NULL, &result, &world->err);
        if (status != OK)
            break;
        engine_result_fini(&result);
    }
    sql_script_close(script);
    return status == ERR_END ? OK : status;
}

/* A request and whoever waits for its answer. */
struct ingest_client {
    struct endpoint_request request;
    struct endpoint *endpoint;
    struct mutex mutex;
    struct condition answered;
    bool done;
    uint8_t *body;
};

static inline void ingest_client_done(struct endpoint_request *request)
{
    struct ingest_client *client = container_of(request, struct ingest_client, request);
    mutex_lock(&client->mutex);
    must(!client->done);
    client->done = true;
    condition_signal(&client->answered);
    mutex_unlock(&client->mutex);
}

static inline void ingest_send(struct ingest_world *world, struct ingest_client *client,
                               const char *path, const char *content_type, const void *body,
                               size_t body_bytes)
{
    *client = (struct ingest_client){0};
    mutex_init(&client->mutex);
    condition_init(&client->answered);
    client->body = malloc(body_bytes + BUFFER_PADDING);
    memcpy(client->body, body, body_bytes);
    memset(client->body + body_bytes, '}', BUFFER_PADDING);
    client->endpoint = engine_endpoint_find(world->engine, str_of(path));
    must(client->endpoint);
    client->request = (struct endpoint_request){.content_type = content_type,
                                                .body = client->body,
                                                .body_bytes = body_bytes,
                                                .done = ingest_client_done};
}

static inline void ingest_submit(struct ingest_client *client)
{
    client->endpoint->class->submit(client->endpoint, &client->request);
}

/* "STATUS ANSWER" in dest. */
static inline void ingest_receive(struct ingest_client *client, char *dest, size_t dest_bytes)
{
    mutex_lock(&client->mutex);
    while (!client->done)
        condition_wait(&client->answered, &client->mutex);
    mutex_unlock(&client->mutex);
    snprintf(dest, dest_bytes, "%u %s", client->request.http_status,
             buf_text(&client->request.answer));
    buf_fini(&client->request.answer);
    endpoint_unref(client->endpoint);
    condition_fini(&client->answered);
    mutex_fini(&client->mutex);
    free(client->body);
}

/* Calls each() for every record below the high watermark of partition 0; their number. */
static inline int ingest_records(struct ingest_world *world, const char *topic_name,
                                 void (*each)(void *context, const char *value, size_t length),
                                 void *context)
{
    struct error err = {0};
    struct log_reader *reader;
    struct log_topic *topic = log_topic_find(broker_log(world->broker), str_of(topic_name));
    int count = 0;
    if (!topic)
        return -1;
    must(log_reader_open(&reader, log_topic_partition(topic, 0), &err) == OK);
    struct log_read read = {.limit_offset = INT64_MAX, .max_bytes = 1 << 20, .whole_batch = true};
    for (;;) {
        must(log_read(reader, &read, &err) == OK);
        if (!read.block)
            break;
        struct record_batch batch;
        for (size_t at = 0; at < read.block->size_bytes; at += batch.size_bytes) {
            struct record_cursor cursor;
            struct record record;
            uint32_t got;
            must(record_batch_parse(&batch, read.block->data + at, read.block->size_bytes - at,
                                    &err) == OK);
            must(record_batch_check(&batch, &err) == OK);
            must(record_cursor_open(&cursor, &batch, NULL, 1 << 30, &err) == OK);
            while (record_cursor_read(&cursor, &record, 1, &got, &err) == OK && got) {
                must(batch.base_offset + record.offset_delta == count);
                if (each)
                    each(context, (const char *)record.value, (size_t)record.value_bytes);
                count++;
            }
        }
        buffer_unref(read.block);
        read.offset = read.next_offset;
    }
    log_reader_close(reader);
    log_topic_unref(topic);
    return count;
}

#endif
