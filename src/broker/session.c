/* session.c - one connection: frames in, answers out, in order and within bounds.
 *
 *   socket -> broker's scratch, or the session's own buffer while a frame is half there
 *          -> call_start per whole frame, as long as it may run (may_start)
 *          -> answers of finished calls from the front of the list -> encoded -> socket or out list
 *
 * Bounds: one frame at most (max_request_bytes, its buffer grows with what arrives),
 * SESSION_CALLS_MAX calls, about SESSION_OUT_MAX_BYTES unsent plus one fetch response. At a bound
 * the socket is not read. A request must arrive whole within a time that its size allows
 * (REQUEST_GRACE_US and REQUEST_BYTES_PER_SECOND); a connection that sends nothing is closed after
 * max_idle. While session_serve is on the stack nothing frees the session: it is marked closing.
 */
#include "broker/broker_int.h"

#include "base/must.h"
#include "kafka/bytes.h"
#include "os/logger.h"

#define FRAME_PREFIX_BYTES       4
#define REQUEST_GRACE_US         INT64_C(30000000)
#define REQUEST_BYTES_PER_SECOND 16384
#define IN_FIRST_BYTES           (64u << 10) /* of a buffer whose frame has not shown to be large */
#define SPARE_MAX_BYTES          (2u << 20)
#define SPLICES_MAX              64

/* ---- complaints ---- */

static void session_fail(struct session *session, const char *why)
{
    struct broker *broker = session->broker;
    int64_t now_us = io_monotonic_us(broker->io);
    session->closing = true;
    metric_add(&broker->connections_broken, 1);
    if (broker->warned_us && now_us - broker->warned_us < WARN_INTERVAL_US)
        return;
    broker->warned_us = now_us;
    logger_write(LOG_WARN, "broker", "closing the connection from %s: %s", session->peer, why);
}

/* ---- request buffers ---- */

static uint8_t *in_take(struct broker *broker, size_t size_bytes, size_t *out_capacity)
{
    for (size_t i = 0; i < COUNT_OF(broker->spare); i++) {
        if (!broker->spare[i].bytes || broker->spare[i].capacity < size_bytes)
            continue;
        uint8_t *bytes = broker->spare[i].bytes;
        *out_capacity = broker->spare[i].capacity;
        broker->spare[i].bytes = NULL;
        return bytes;
    }
    if (mem_reserve(broker->owner, size_bytes, NULL) != OK)
        return NULL;
    uint8_t *bytes = mem_alloc(size_bytes);
    if (!bytes)
        mem_release(broker->owner, size_bytes);
    *out_capacity = size_bytes;
    return bytes;
}

static void in_give(struct broker *broker, uint8_t *bytes, size_t capacity)
{
    for (size_t i = 0; bytes && i < COUNT_OF(broker->spare) && capacity <= SPARE_MAX_BYTES; i++) {
        if (broker->spare[i].bytes)
            continue;
        broker->spare[i].bytes = bytes;
        broker->spare[i].capacity = capacity;
        return;
    }
    if (bytes)
        mem_release(broker->owner, capacity);
    mem_free(bytes);
}

/* Room for the half frame in [bytes, bytes + length): what it needs, but no more than twice what
 * has come, so that a large length costs its sender as much as us. */
static bool in_keep(struct session *session, const uint8_t *bytes, size_t length)
{
    struct broker *broker = session->broker;
    size_t frame_bytes = length < FRAME_PREFIX_BYTES ? FRAME_PREFIX_BYTES
                                                     : FRAME_PREFIX_BYTES + (size_t)get_be32(bytes);
    size_t want = 2 * length > IN_FIRST_BYTES ? 2 * length : IN_FIRST_BYTES;
    if (length >= FRAME_PREFIX_BYTES &&
        (want > frame_bytes || (frame_bytes <= SPARE_MAX_BYTES && length >= IN_FIRST_BYTES / 8)))
        want = frame_bytes;
    if (session->in && session->in_capacity >= want && bytes == session->in)
        return true;
    size_t capacity;
    uint8_t *kept = in_take(broker, want > length ? want : length, &capacity);
    if (!kept)
        return false;
    memcpy(kept, bytes, length);
    in_give(broker, session->in, session->in_capacity);
    session->in = kept;
    session->in_length = length;
    session->in_capacity = capacity;
    return true;
}

static void in_release(struct session *session)
{
    in_give(session->broker, session->in, session->in_capacity);
    session->in = NULL;
    session->in_length = session->in_capacity = 0;
}

/* ---- out ---- */

static void chunk_free(struct session *session, struct out_chunk *chunk)
{
    if (chunk->block)
        buffer_unref(chunk->block);
    else
        mem_release(session->broker->owner, chunk->size_bytes);
    mem_free(chunk);
}

/* Give the socket what it takes now; *out_bytes may be less than all. A peer that is gone may have
 * sent requests that still lie in our socket, acks=0 produces above all: they are read and done to
 * the end of the stream, and the answers go nowhere. */
static void socket_give(struct session *session, const uint8_t *bytes, size_t size_bytes,
                        size_t *out_bytes)
{
    struct error err = {0};
    *out_bytes = 0;
    while (!session->deaf && *out_bytes < size_bytes) {
        size_t taken = 0;
        enum status status = socket_write(session->watch.fd, bytes + *out_bytes,
                                          size_bytes - *out_bytes, &taken, &err);
        *out_bytes += taken;
        metric_add(&session->broker->bytes_out, (int64_t)taken);
        if (status == ERR_AGAIN)
            return;
        session->deaf = status != OK;
    }
    *out_bytes = size_bytes;
}

/* Send behind what waits already. block not NULL: the bytes lie in it (a reference is taken). */
static void out_put(struct session *session, const uint8_t *bytes, size_t size_bytes,
                    struct buffer *block)
{
    size_t sent = 0;
    if (session->closing || size_bytes == 0)
        return;
    if (!session->out)
        socket_give(session, bytes, size_bytes, &sent);
    if (sent == size_bytes)
        return;
    size_t rest_bytes = size_bytes - sent;
    struct out_chunk *chunk = NULL;
    if (block || mem_reserve(session->broker->owner, rest_bytes, NULL) == OK) {
        chunk = mem_alloc(sizeof(*chunk) + (block ? 0 : rest_bytes));
        if (!chunk && !block)
            mem_release(session->broker->owner, rest_bytes);
    }
    if (!chunk) {
        session_fail(session, "no memory for its answers");
        return;
    }
    *chunk = (struct out_chunk){.block = buffer_ref(block), .size_bytes = rest_bytes};
    if (block) {
        chunk->bytes = bytes + sent;
    } else {
        memcpy(chunk + 1, bytes + sent, rest_bytes);
        chunk->bytes = (uint8_t *)(chunk + 1);
    }
    chunk->sent_bytes = 0;
    *session->out_tail = chunk;
    session->out_tail = &chunk->next;
    session->out_bytes += rest_bytes;
}

static void out_flush(struct session *session)
{
    struct out_chunk *chunk;
    while (!session->closing && (chunk = session->out)) {
        size_t sent;
        socket_give(session, chunk->bytes + chunk->sent_bytes,
                    chunk->size_bytes - chunk->sent_bytes, &sent);
        chunk->sent_bytes += sent;
        session->out_bytes -= sent;
        if (chunk->sent_bytes < chunk->size_bytes)
            return;
        session->out = chunk->next;
        if (!session->out)
            session->out_tail = &session->out;
        chunk_free(session, chunk);
    }
}

/* One answer: small ones gather in broker->encoded and leave with one write. */
static void answer(struct session *session, struct call *call)
{
    struct buf *encoded = &session->broker->encoded;
    struct kafka_splice items[SPLICES_MAX];
    struct kafka_splices splices = {items, 0, SPLICES_MAX};
    if (call->broken) {
        session->closing = true;
        return;
    }
    if (call->no_response)
        return;
    kafka_response_encode(call->api, call->version, call->correlation_id, call->response, encoded,
                          &splices);
    if (encoded->failed) {
        session_fail(session, "an answer is too large");
        return;
    }
    size_t from = 0;
    for (uint32_t i = 0; i < splices.count; i++) {
        const struct kafka_records *records = items[i].records;
        out_put(session, encoded->data + from, items[i].position - from, NULL);
        out_put(session, records->data, records->size_bytes, records->source);
        from = items[i].position;
    }
    if (splices.count) {
        out_put(session, encoded->data + from, encoded->length - from, NULL);
        buf_clear(encoded);
    }
}

static void answer_finished(struct session *session)
{
    struct buf *encoded = &session->broker->encoded;
    struct call *call;
    buf_clear(encoded);
    while (!session->closing && (call = session->calls) && call->state == CALL_DONE) {
        answer(session, call);
        session->calls = call->next;
        if (!session->calls)
            session->calls_tail = &session->calls;
        session->call_count--;
        session->active_us = loop_now_us(session->broker->loop);
        call_drop(call);
    }
    out_put(session, encoded->data, encoded->length, NULL);
    if (encoded->capacity > SCRATCH_BYTES * 4)
        buf_fini(encoded);
}

static void session_timer_arm(struct session *session, int64_t delay_us);

/* ---- in ---- */

/* Produce may follow Produce; anything else waits for what is under way, and is waited for. */
static bool may_start(const struct session *session, const uint8_t *frame)
{
    if (session->out_bytes > SESSION_OUT_MAX_BYTES)
        return false;
    if (!session->calls)
        return true;
    return session->call_count < SESSION_CALLS_MAX && session->calls->api->key == KAFKA_PRODUCE &&
           get_be16(frame + FRAME_PREFIX_BYTES) == KAFKA_PRODUCE;
}

enum frame_state { FRAME_PARTIAL, FRAME_WHOLE, FRAME_BAD };

static enum frame_state frame_check(struct session *session, const uint8_t *bytes, size_t length,
                                    size_t *out_size)
{
    if (length < FRAME_PREFIX_BYTES)
        return FRAME_PARTIAL;
    int32_t size_bytes = (int32_t)get_be32(bytes);
    if (size_bytes < 8 || (uint32_t)size_bytes > session->broker->max_request_bytes) {
        session_fail(session, size_bytes == 0x16030100 || size_bytes >> 8 == 0x160301
                                  ? "it speaks TLS, this listener does not"
                                  : "what it sent is not a Kafka request of an allowed size");
        return FRAME_BAD;
    }
    *out_size = (size_t)size_bytes;
    return length - FRAME_PREFIX_BYTES < (size_t)size_bytes ? FRAME_PARTIAL : FRAME_WHOLE;
}

/* Run the whole frames of [bytes, bytes + length) that may run; how many bytes that were. */
static size_t frames_run(struct session *session, uint8_t *bytes, size_t length)
{
    size_t used = 0, size_bytes;
    while (!session->closing &&
           frame_check(session, bytes + used, length - used, &size_bytes) == FRAME_WHOLE &&
           may_start(session, bytes + used)) {
        struct error err = {0};
        if (!call_start(session, bytes + used + FRAME_PREFIX_BYTES, size_bytes, &err))
            session_fail(session, err.text);
        used += FRAME_PREFIX_BYTES + size_bytes;
        session->active_us = loop_now_us(session->broker->loop);
        if (session->calls && session->calls->state == CALL_DONE)
            answer_finished(session);
    }
    return used;
}

/* A part of a request is here: from now on the rest must come in time. */
static void request_began(struct session *session)
{
    int64_t now_us = loop_now_us(session->broker->loop);
    session->in_since_us = now_us;
    if (session->timer.due_us > now_us + REQUEST_GRACE_US)
        session_timer_arm(session, REQUEST_GRACE_US);
}

/* Run what there is and keep the rest. */
static void frames_take(struct session *session, uint8_t *bytes, size_t length)
{
    size_t used = frames_run(session, bytes, length);
    if (session->closing)
        return;
    if (used == length) {
        in_release(session);
        return;
    }
    if (used || !session->in)
        request_began(session);
    length -= used;
    if (bytes == session->in) {
        if (used)
            memmove(bytes, bytes + used, length);
        session->in_length = length;
    } else {
        bytes += used;
    }
    if (!in_keep(session, bytes, length))
        session_fail(session, "no memory for its request");
}

/* A whole frame waits in the buffer: reading on would only grow it. */
static bool in_full(struct session *session)
{
    return session->in && session->in_length >= FRAME_PREFIX_BYTES &&
           session->in_length - FRAME_PREFIX_BYTES >= (size_t)get_be32(session->in);
}

/* One read; false when the socket has nothing more now (or is at its end). */
static bool read_once(struct session *session)
{
    struct broker *broker = session->broker;
    struct error err = {0};
    uint8_t *dest = session->in ? session->in + session->in_length : broker->scratch;
    size_t room = session->in ? session->in_capacity - session->in_length : SCRATCH_BYTES, got = 0;
    enum status status = socket_read(session->watch.fd, dest, room, &got, &err);
    if (status == ERR_AGAIN)
        return false;
    if (status != OK || got == 0) {
        session->closing = true;
        return false;
    }
    metric_add(&broker->bytes_in, (int64_t)got);
    if (session->in) {
        session->in_length += got;
        frames_take(session, session->in, session->in_length);
    } else {
        frames_take(session, broker->scratch, got);
    }
    return got == room;
}

/* ---- the turn of a session ---- */

static void session_watch(struct session *session)
{
    int events = 0;
    if (!in_full(session) && session->out_bytes <= SESSION_OUT_MAX_BYTES)
        events |= LOOP_READABLE;
    if (session->out)
        events |= LOOP_WRITABLE;
    if (events != session->watch.events)
        loop_fd_set(session->broker->loop, &session->watch, events);
}

/* Everything that can go on now. readable: the socket has something. */
static void session_serve(struct session *session, bool readable)
{
    session->serving = true;
    out_flush(session);
    answer_finished(session);
    if (!session->closing && in_full(session))
        frames_take(session, session->in, session->in_length);
    /* A few reads a turn, so that one fast client does not starve the others. */
    for (int turn = 0; readable && !session->closing && !in_full(session) && turn < 4; turn++)
        readable = read_once(session);
    session->serving = false;
    struct broker *broker = session->broker;
    if (session->closing)
        session_close(session);
    else
        session_watch(session);
    /* After the turn, so that all that it has appended shares one round. */
    commit_written(broker);
}

static void session_ready(struct loop_fd *watch, int events)
{
    session_serve(container_of(watch, struct session, watch), events & LOOP_READABLE);
}

void session_continue(struct session *session)
{
    if (!session->serving)
        session_serve(session, false);
}

/* ---- times ---- */

static void session_due(struct loop_timer *timer)
{
    struct session *session = container_of(timer, struct session, timer);
    struct broker *broker = session->broker;
    int64_t now_us = loop_now_us(broker->loop);
    int64_t left_us = session->active_us + broker->max_idle_us - now_us;
    if (session->calls || session->out) {
        left_us = broker->max_idle_us; /* it waits for us, or is slow to read: not idle */
    } else if (session->in) {
        int64_t size_bytes =
            session->in_length < FRAME_PREFIX_BYTES ? 0 : (int64_t)get_be32(session->in);
        left_us = session->in_since_us + REQUEST_GRACE_US +
                  size_bytes * 1000000 / REQUEST_BYTES_PER_SECOND - now_us;
        if (left_us <= 0)
            session_fail(session, "its request does not arrive");
    }
    if (left_us <= 0)
        session_close(session);
    else
        session_timer_arm(session, left_us);
}

/* One timer: of the half request where there is one, else of the idle connection. It is moved
 * forward when a half request begins and else only when it fires. */
static void session_timer_arm(struct session *session, int64_t delay_us)
{
    session->timer.fire = session_due;
    if (loop_timer_arm(session->broker->loop, &session->timer, delay_us, NULL) != OK)
        logger_write(LOG_WARN, "broker", "no memory for a connection's timer");
}

/* ---- birth and death ---- */

void session_new(struct broker *broker, int fd, const char *peer)
{
    struct error err = {0};
    struct session *session = mem_calloc(1, sizeof(*session));
    if (!session) {
        socket_close(fd);
        return;
    }
    session->broker = broker;
    session->watch = (struct loop_fd){.fd = fd, .ready = session_ready, .events = LOOP_READABLE};
    memcpy(session->peer, peer, sizeof(session->peer));
    if (broker->wildcard)
        socket_local_host(fd, session->local_host, sizeof(session->local_host));
    session->calls_tail = &session->calls;
    session->out_tail = &session->out;
    session->active_us = loop_now_us(broker->loop);
    session->link = &broker->sessions;
    session->next = broker->sessions;
    if (session->next)
        session->next->link = &session->next;
    broker->sessions = session;
    metric_add(&broker->connections_open, 1);
    if (loop_fd_add(broker->loop, &session->watch, &err) != OK) {
        logger_write(LOG_WARN, "broker", "connection from %s refused: %s", peer, err.text);
        session_close(session);
        return;
    }
    session->registered = true;
    session_timer_arm(session, broker->max_idle_us);
}

void session_close(struct session *session)
{
    struct broker *broker = session->broker;
    must(!session->serving);
    loop_timer_cancel(broker->loop, &session->timer);
    if (session->registered)
        loop_fd_remove(broker->loop, &session->watch);
    socket_close(session->watch.fd);
    while (session->calls) {
        struct call *call = session->calls;
        session->calls = call->next;
        call_drop(call);
    }
    while (session->out) {
        struct out_chunk *chunk = session->out;
        session->out = chunk->next;
        chunk_free(session, chunk);
    }
    session_readers_close(session);
    in_release(session);
    *session->link = session->next;
    if (session->next)
        session->next->link = session->link;
    metric_add(&broker->connections_open, -1);
    mem_free(session);
}
