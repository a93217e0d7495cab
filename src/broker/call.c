/* call.c - the life of one request: decode, handler, pool, answer. */
#include "broker/broker_int.h"

#include "base/must.h"
#include "kafka/bytes.h"
#include "os/logger.h"

static const struct handler *const HANDLERS[] = {
    &HANDLER_PRODUCE,
    &HANDLER_FETCH,
    &HANDLER_LIST_OFFSETS,
    &HANDLER_METADATA,
    &HANDLER_FIND_COORDINATOR,
    &HANDLER_API_VERSIONS,
    &HANDLER_CREATE_TOPICS,
    &HANDLER_DELETE_TOPICS,
    &HANDLER_LEADER_EPOCH,
    &HANDLER_DESCRIBE_CONFIGS,
    &HANDLER_CREATE_PARTITIONS,
    &HANDLER_DESCRIBE_CLUSTER,
    &HANDLER_DELETE_RECORDS,
    &HANDLER_INIT_PRODUCER_ID,
    &HANDLER_ALTER_CONFIGS,
    &HANDLER_INCREMENTAL_ALTER_CONFIGS,
    &HANDLER_DESCRIBE_LOG_DIRS,
    &HANDLER_DESCRIBE_PRODUCERS,
    &HANDLER_DESCRIBE_TOPIC_PARTITIONS,
    &HANDLER_JOIN_GROUP,
    &HANDLER_SYNC_GROUP,
    &HANDLER_HEARTBEAT,
    &HANDLER_LEAVE_GROUP,
    &HANDLER_OFFSET_COMMIT,
    &HANDLER_OFFSET_FETCH,
    &HANDLER_OFFSET_DELETE,
    &HANDLER_LIST_GROUPS,
    &HANDLER_DESCRIBE_GROUPS,
    &HANDLER_DELETE_GROUPS,
    &HANDLER_ADD_PARTITIONS_TO_TXN,
    &HANDLER_ADD_OFFSETS_TO_TXN,
    &HANDLER_END_TXN,
    &HANDLER_TXN_OFFSET_COMMIT,
    &HANDLER_DESCRIBE_TRANSACTIONS,
    &HANDLER_LIST_TRANSACTIONS,
};

static const struct handler *handler_find(enum kafka_api_key key)
{
    for (size_t i = 0; i < COUNT_OF(HANDLERS); i++)
        if (HANDLERS[i]->key == key)
            return HANDLERS[i];
    return NULL;
}

static void call_free(struct call *call)
{
    arena_fini(&call->arena);
    mem_free(call);
}

void *call_alloc(struct call *call, size_t count, size_t size_bytes)
{
    return arena_array(&call->arena, count ? count : 1, size_bytes);
}

struct str call_copy(struct call *call, struct str text)
{
    if (!text.data)
        return text;
    return (struct str){arena_strndup(&call->arena, text.data, text.length), text.length};
}

struct kafka_records call_bytes(struct call *call, struct str bytes)
{
    struct str copy = call_copy(call, bytes.data ? bytes : STR(""));
    return (struct kafka_records){(uint8_t *)copy.data, copy.data ? copy.length : 0, NULL};
}

struct str call_text(struct call *call, const char *text)
{
    return call_copy(call, str_of(text));
}

const char *call_reason(struct call *call, const struct error *err)
{
    struct buf text;
    buf_init(&text, 4096);
    buf_printf(&text, "%s%s%s", err->text, err->hint[0] ? "; " : "", err->hint);
    const char *copy = call_text(call, buf_text(&text)).data;
    buf_fini(&text);
    return copy;
}

int16_t call_error_code(enum status status)
{
    switch (status) {
    case OK:
        return KAFKA_NONE;
    case ERR_NOT_FOUND:
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    case ERR_EXISTS:
        return KAFKA_TOPIC_ALREADY_EXISTS;
    case ERR_NAME:
        return KAFKA_INVALID_TOPIC;
    case ERR_OPTION:
    case ERR_UNSUPPORTED:
        return KAFKA_INVALID_CONFIG;
    case ERR_LIMIT:
        return KAFKA_INVALID_PARTITIONS;
    case ERR_RANGE:
        return KAFKA_OFFSET_OUT_OF_RANGE;
    case ERR_SEQUENCE:
        return KAFKA_OUT_OF_ORDER_SEQUENCE_NUMBER;
    case ERR_FENCED:
        return KAFKA_INVALID_PRODUCER_EPOCH;
    case ERR_TRANSACTION:
        return KAFKA_INVALID_TXN_STATE;
    case ERR_DATA:
    case ERR_CORRUPT:
        return KAFKA_CORRUPT_MESSAGE;
    case ERR_IO:
    case ERR_DISK_FULL:
    case ERR_ACCESS:
        return KAFKA_STORAGE_ERROR;
    default:
        return KAFKA_UNKNOWN_SERVER_ERROR;
    }
}

/* Read the message behind the header. Everything but Produce is copied first: a call may outlive
 * the frame, while Produce appends before it returns and is what must not be copied. */
static enum status request_decode(struct call *call, struct kafka_cursor *cursor, struct error *err)
{
    size_t size_bytes = (size_t)(cursor->end - cursor->next);
    if (call->api->key != KAFKA_PRODUCE) {
        if (size_bytes > CALL_REQUEST_MAX_BYTES)
            return error_set(err, ERR_LIMIT, "a %s request of %zu bytes is too large",
                             call->api->name, size_bytes);
        uint8_t *copy = call_alloc(call, size_bytes, 1);
        if (!copy)
            return arena_check(&call->arena, "request", err);
        memcpy(copy, cursor->next, size_bytes);
        *cursor = (struct kafka_cursor){copy, copy + size_bytes};
    }
    call->request = call_alloc(call, 1, call->api->request_bytes);
    if (!call->request)
        return arena_check(&call->arena, "request", err);
    /* Bytes behind the message are let pass, as by Kafka: librdkafka 2.4 and later leave three
     * behind a Metadata request for all topics. */
    return kafka_decode(call->api->request(), call->version,
                        kafka_api_flexible(call->api, call->version), cursor, &call->arena,
                        call->request, err);
}

static void call_append(struct session *session, struct call *call)
{
    *session->calls_tail = call;
    session->calls_tail = &call->next;
    session->call_count++;
}

bool call_start(struct session *session, uint8_t *frame, size_t size_bytes, struct error *err)
{
    struct broker *broker = session->broker;
    struct kafka_cursor cursor = {frame, frame + size_bytes};
    struct kafka_request_header header;
    const struct kafka_api *api;
    if (kafka_request_header_decode(&cursor, &header, &api, err) != OK)
        return false;
    bool unsupported =
        !api || header.version < api->min_version || header.version > api->max_version;
    if (unsupported && (!api || api->key != KAFKA_API_VERSIONS)) {
        error_set(err, ERR_UNSUPPORTED, "request of API %d version %d, which is not advertised",
                  header.key, header.version);
        return false;
    }
    struct call *call = mem_calloc(1, sizeof(*call));
    if (!call) {
        error_memory(err, "request", sizeof(*call));
        return false;
    }
    arena_init(&call->arena, broker->owner, CALL_ARENA_MAX_BYTES);
    call->broker = broker;
    call->session = session;
    call->api = api;
    call->host = broker->advertised_host  ? broker->advertised_host
                 : session->local_host[0] ? call_text(call, session->local_host).data
                                          : broker->address.host;
    call->handler = handler_find(api->key);
    must(call->handler);
    call->version = header.version;
    call->client_id = call_copy(call, header.client_id);
    call->correlation_id = header.correlation_id;
    metric_add(&broker->requests, 1);
    if (unsupported) {
        call_append(session, call);
        metadata_unsupported_version(call);
        return true;
    }
    if (request_decode(call, &cursor, err) != OK) {
        error_prefix(err, "%s version %d", api->name, header.version);
        call_free(call);
        return false;
    }
    call_append(session, call);
    call->handler->start(call);
    return true;
}

void call_finish(struct call *call)
{
    call->state = CALL_DONE;
    loop_timer_cancel(call->broker->loop, &call->timer);
    if (call->arena.failed && !call->broken) {
        call->broken = true;
        logger_write(LOG_WARN, "broker", "no memory for the answer to a %s request",
                     call->api->name);
    }
    if (call->session)
        session_continue(call->session);
}

void call_break(struct call *call, const char *why)
{
    call->broken = true;
    logger_write(LOG_WARN, "broker", "closing the connection from %s: %s",
                 call->session ? call->session->peer : "?", why);
    call_finish(call);
}

/* ---- lists of waiting calls ---- */

void call_list_append(struct call_list *list, struct call *call)
{
    call->wait_list = list;
    call->wait_next = NULL;
    call->wait_link = list->tail;
    *list->tail = call;
    list->tail = &call->wait_next;
}

void call_list_remove(struct call *call)
{
    if (!call->wait_list)
        return;
    *call->wait_link = call->wait_next;
    if (call->wait_next)
        call->wait_next->wait_link = call->wait_link;
    else
        call->wait_list->tail = call->wait_link;
    call->wait_list = NULL;
}

/* ---- work on the pool ---- */

static void submit_run(struct io_job *job)
{
    struct call *call = container_of(job, struct call, job);
    call->handler->work(call);
}

static void worked(struct call *call)
{
    if (call->handler->back)
        call->handler->back(call);
    else
        call_finish(call);
}

static void submit_back(struct loop_message *message)
{
    struct call *call = container_of(message, struct call, message);
    if (!call->session) {
        call_release(call);
        return;
    }
    struct broker *broker = call->broker;
    call->held = false;
    broker->held_count--;
    worked(call);
    commit_written(broker); /* what came of it may wait for the disk */
}

static void submit_done(struct io_job *job)
{
    struct call *call = container_of(job, struct call, job);
    loop_post(call->broker->loop, &call->message);
}

void call_submit(struct call *call)
{
    if (!call->broker->pool) {
        call->handler->work(call);
        worked(call);
        return;
    }
    call->held = true;
    call->broker->held_count++;
    call->job = (struct io_job){.run = submit_run, .done = submit_done};
    call->message = (struct loop_message){.run = submit_back};
    io_pool_submit(call->broker->pool, &call->job);
}

void call_drop(struct call *call)
{
    loop_timer_cancel(call->broker->loop, &call->timer);
    if (call->handler->drop)
        call->handler->drop(call);
    call->session = NULL;
    if (!call->held)
        call_free(call);
}

void call_release(struct call *call)
{
    must(call->held && !call->session);
    call->broker->held_count--;
    call_free(call);
}
