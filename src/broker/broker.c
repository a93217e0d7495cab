/* broker.c - opening, listening, upkeep of the log, closing. */
#include "broker/broker.h"

#include "base/base64.h"
#include "base/must.h"
#include "broker/txns.h"
#include "os/logger.h"

#define MAX_REQUEST_BYTES  (100u << 20)
#define MAX_CONNECTIONS    10000
#define MAX_IDLE_MS        600000
#define PRODUCER_EXPIRY_MS 86400000
#define ENCODED_MAX_BYTES  (64u << 20) /* an answer without its record batches */
#define ACCEPT_PAUSE_US    INT64_C(1000000)
#define RETAIN_INTERVAL_MS INT64_C(300000) /* Kafka's log.retention.check.interval.ms */
#define CLOSE_WAIT_US      INT64_C(2000000)

/* ---- listening ---- */

static void accept_again(struct loop_timer *timer)
{
    struct broker *broker = container_of(timer, struct broker, accept_timer);
    loop_fd_set(broker->loop, &broker->listener, LOOP_READABLE);
}

static void accept_ready(struct loop_fd *watch, int events)
{
    struct broker *broker = container_of(watch, struct broker, listener);
    struct error err = {0};
    char peer[64] = "";
    int fd;
    for (;;) {
        enum status status = socket_accept(watch->fd, &fd, peer, sizeof(peer), &err);
        if (status == ERR_AGAIN)
            return;
        if (status != OK) {
            /* Out of descriptors, most likely: the connection stays in the queue, and asking again
             * at once would only burn time. */
            logger_write(LOG_WARN, "broker", "no connection accepted: %s", err.text);
            loop_fd_set(broker->loop, watch, 0);
            broker->accept_timer.fire = accept_again;
            if (loop_timer_arm(broker->loop, &broker->accept_timer, ACCEPT_PAUSE_US, NULL) != OK)
                loop_fd_set(broker->loop, watch, LOOP_READABLE);
            return;
        }
        if (metric_get(&broker->connections_open) >= broker->max_connections) {
            metric_add(&broker->connections_refused, 1);
            socket_close(fd);
            continue;
        }
        metric_add(&broker->connections_accepted, 1);
        session_new(broker, fd, peer);
    }
}

static enum status listen_open(struct broker *broker, const struct broker_settings *settings,
                               struct error *err)
{
    broker->address = settings->listen;
    struct str host = str_of(broker->address.host);
    broker->wildcard = str_eq(host, STR("0.0.0.0")) || str_eq(host, STR("::"));
    TRY(socket_listen(&broker->listener.fd, &settings->listen, settings->listen_try_next,
                      &broker->address.port, err));
    broker->listener.ready = accept_ready;
    broker->listener.events = LOOP_READABLE;
    enum status status = loop_fd_add(broker->loop, &broker->listener, err);
    if (status != OK)
        socket_close(broker->listener.fd);
    broker->listening = status == OK;
    return status;
}

static void listen_close(struct broker *broker)
{
    if (!broker->listening)
        return;
    broker->listening = false;
    loop_timer_cancel(broker->loop, &broker->accept_timer);
    loop_fd_remove(broker->loop, &broker->listener);
    socket_close(broker->listener.fd);
}

/* ---- retention ---- */

static void retain_run(struct io_job *job)
{
    struct broker *broker = container_of(job, struct broker, retain_job);
    struct error err = {0};
    broker->retain_next_ms = INT64_MAX;
    if (log_retain(broker->log, &broker->retain_next_ms, &err) != OK)
        logger_write(LOG_ERROR, "broker", "retention: %s", err.text);
}

static void retain_arm(struct broker *broker, int64_t delay_ms);

static void retain_back(struct loop_message *message)
{
    struct broker *broker = container_of(message, struct broker, retain_done);
    broker->retaining = false;
    int64_t wait_ms = RETAIN_INTERVAL_MS;
    int64_t now_ms = io_wall_us(broker->io) / 1000;
    if (broker->retain_next_ms > now_ms && broker->retain_next_ms - now_ms < wait_ms)
        wait_ms = broker->retain_next_ms - now_ms;
    retain_arm(broker, wait_ms);
}

static void retain_done(struct io_job *job)
{
    struct broker *broker = container_of(job, struct broker, retain_job);
    loop_post(broker->loop, &broker->retain_done);
}

static void retain_due(struct loop_timer *timer)
{
    struct broker *broker = container_of(timer, struct broker, retain_timer);
    broker->retaining = true;
    broker->retain_job = (struct io_job){.run = retain_run, .done = retain_done};
    broker->retain_done = (struct loop_message){.run = retain_back};
    if (broker->pool) {
        io_pool_submit(broker->pool, &broker->retain_job);
        return;
    }
    retain_run(&broker->retain_job);
    retain_back(&broker->retain_done);
}

static void retain_arm(struct broker *broker, int64_t delay_ms)
{
    if (broker->closing)
        return;
    broker->retain_timer.fire = retain_due;
    if (loop_timer_arm(broker->loop, &broker->retain_timer, delay_ms * 1000, NULL) != OK)
        logger_write(LOG_ERROR, "broker", "no memory for a timer: nothing is retired any more");
}

/* ---- opening ---- */

static char *text_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = mem_alloc(size);
    return copy ? memcpy(copy, text, size) : NULL;
}

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
    return value ? value : fallback;
}

static void broker_free(struct broker *broker)
{
    for (size_t i = 0; i < COUNT_OF(broker->spare); i++) {
        if (broker->spare[i].bytes)
            mem_release(broker->owner, broker->spare[i].capacity);
        mem_free(broker->spare[i].bytes);
    }
    buf_fini(&broker->encoded);
    buf_fini(&broker->validate);
    mem_free(broker->scratch);
    mutex_fini(&broker->ids.mutex);
    mem_free(broker->advertised_host);
    mem_free(broker);
}

static enum status broker_new(struct broker **out, const struct broker_settings *settings,
                              struct error *err)
{
    struct broker *broker = mem_calloc(1, sizeof(*broker));
    if (!broker)
        return error_memory(err, "broker", sizeof(*broker));
    *broker = (struct broker){
        .io = settings->io,
        .loop = settings->loop,
        .pool = settings->pool,
        .owner = settings->owner,
        .auto_create = !settings->no_auto_create,
        .partition_count = or_default(settings->partition_count, 1),
        .max_request_bytes = or_default(settings->max_request_bytes, MAX_REQUEST_BYTES),
        .max_connections = or_default(settings->max_connections, MAX_CONNECTIONS),
        .max_idle_us = (settings->max_idle_ms ? settings->max_idle_ms : MAX_IDLE_MS) * 1000,
        .producer_expiry_ms =
            settings->producer_expiry_ms ? settings->producer_expiry_ms : PRODUCER_EXPIRY_MS,
        .scratch = mem_alloc(SCRATCH_BYTES),
    };
    mutex_init(&broker->ids.mutex);
    broker->waiting.tail = &broker->waiting.first;
    broker->synced.tail = &broker->synced.first;
    broker->commit.begun_us = INT64_MIN / 2;
    broker->commit.muted = true;
    buf_init(&broker->encoded, ENCODED_MAX_BYTES);
    buf_init(&broker->validate, broker->max_request_bytes);
    if (settings->advertised_host)
        broker->advertised_host = text_copy(settings->advertised_host);
    *out = broker;
    if (broker->scratch && (broker->advertised_host || !settings->advertised_host))
        return OK;
    broker_free(broker);
    return error_memory(err, "broker", SCRATCH_BYTES);
}

static enum status log_start(struct broker *broker, const struct broker_settings *settings,
                             struct error *err)
{
    struct buf path;
    buf_init(&path, 4096);
    buf_printf(&path, "%s/topics", settings->directory);
    enum status status = buf_check(&path, "data directory", err);
    if (status == OK) {
        struct log_settings log_settings = {
            .io = broker->io,
            .directory = buf_text(&path),
            .durability = settings->durability,
            .owner = broker->owner,
            .dirty = commit_dirty,
            .hurry = commit_hurry,
            .dirty_context = broker,
            .producer_expiry_ms = broker->producer_expiry_ms,
        };
        status = io_make_directories(broker->io, settings->directory, err);
        if (status == OK)
            status = log_open(&broker->log, &log_settings, err);
    }
    buf_fini(&path);
    if (status == OK)
        broker->cluster_id[base64_encode_url(broker->cluster_id, log_cluster_id(broker->log),
                                             LOG_UUID_BYTES)] = '\0';
    return status;
}

enum status broker_open(struct broker **out, const struct broker_settings *settings,
                        struct error *err)
{
    struct broker *broker = NULL;
    *out = NULL;
    TRY(broker_new(&broker, settings, err));
    enum status status = log_start(broker, settings, err);
    if (status == OK)
        status = groups_open(broker, settings, err);
    if (status == OK)
        status = txns_open(broker, err);
    if (status == OK && !settings->no_listen)
        status = listen_open(broker, settings, err);
    if (status != OK) {
        txns_close(broker);
        groups_close(broker);
        if (broker->log && log_close(broker->log, NULL) != OK)
            logger_write(LOG_WARN, "broker", "the log could not be closed cleanly");
        broker_free(broker);
        return status;
    }
    txns_resume(broker);
    broker->commit.muted = false;
    if (broker->commit.wanted)
        commit_want(broker, false);
    retain_arm(broker, RETAIN_INTERVAL_MS);
    *out = broker;
    return OK;
}

/* ---- closing ---- */

/* Answer the fetches that wait; the rest of what is under way ends by itself. */
static void polls_answer(struct broker *broker)
{
    for (struct session *session = broker->sessions, *next; session; session = next) {
        next = session->next;
        struct call *call = session->calls;
        if (call && call->fetch && call->state == CALL_RUNNING)
            fetch_hurry(call);
    }
}

static bool is_busy(const struct broker *broker)
{
    for (const struct session *session = broker->sessions; session; session = session->next)
        if (session->calls || session->out)
            return true;
    return broker->commit.running || broker->retaining || broker->held_count ||
           groups_is_busy(broker) || txns_is_busy(broker) ||
           atomic_load(&broker->commit.dirty_posted);
}

/* What holds memory of ours elsewhere: must be waited for however long the disk takes. */
static bool is_held(const struct broker *broker)
{
    return broker->commit.running || broker->retaining || broker->held_count ||
           groups_is_busy(broker) || txns_is_busy(broker) ||
           atomic_load(&broker->commit.dirty_posted);
}

enum status broker_close(struct broker *broker, struct error *err)
{
    if (!broker)
        return OK;
    enum status status = OK;
    int64_t deadline_us = io_monotonic_us(broker->io) + CLOSE_WAIT_US;
    broker->closing = true;
    listen_close(broker);
    loop_timer_cancel(broker->loop, &broker->retain_timer);
    polls_answer(broker);
    groups_refuse_waiting(broker);
    txns_refuse_waiting(broker);
    while (status == OK && is_busy(broker) && io_monotonic_us(broker->io) < deadline_us)
        status = loop_step(broker->loop, 10000, err);
    while (broker->sessions)
        session_close(broker->sessions);
    while (status == OK && is_held(broker))
        status = loop_step(broker->loop, 10000, err);
    loop_timer_cancel(broker->loop, &broker->commit.timer);
    broker->commit.muted = true;
    txns_close(broker);
    groups_close(broker);
    enum status closed = log_close(broker->log, status == OK ? err : NULL);
    if (status == OK)
        status = closed;
    broker_free(broker);
    return status;
}

/* ---- asking ---- */

struct log *broker_log(struct broker *broker)
{
    return broker->log;
}

const struct socket_address *broker_address(const struct broker *broker)
{
    return &broker->address;
}

const char *broker_cluster_id(const struct broker *broker)
{
    return broker->cluster_id;
}

void broker_counters(const struct broker *broker, struct broker_counters *out)
{
    *out = (struct broker_counters){
        .connections_accepted = (uint64_t)metric_get(&broker->connections_accepted),
        .connections_refused = (uint64_t)metric_get(&broker->connections_refused),
        .connections_broken = (uint64_t)metric_get(&broker->connections_broken),
        .requests = (uint64_t)metric_get(&broker->requests),
        .records_in = (uint64_t)metric_get(&broker->records_in),
        .bytes_in = (uint64_t)metric_get(&broker->bytes_in),
        .bytes_out = (uint64_t)metric_get(&broker->bytes_out),
        .sync_rounds = (uint64_t)metric_get(&broker->sync_rounds),
        .connections_open = (uint32_t)metric_get(&broker->connections_open),
    };
}
