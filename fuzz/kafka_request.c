/* kafka_request - any bytes as a request (without its length) to a broker on a simulated disk:
 * header, message, handler, answer. Requests of one input follow each other: each is preceded by
 * its length as two bytes. */
#include <stddef.h>
#include <stdint.h>

#include "base/must.h"
#include "broker/broker_int.h"
#include "os/logger.h"
#include "os/simio.h"

static void answers_take(struct session *session, struct buf *out)
{
    while (session->calls) {
        struct call *call = session->calls;
        if (call->state == CALL_DONE && !call->no_response && !call->broken) {
            buf_clear(out);
            kafka_response_encode(call->api, call->version, call->correlation_id, call->response,
                                  out, NULL);
        }
        session->calls = call->next;
        call_drop(call);
    }
    session->calls_tail = &session->calls;
    session->call_count = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct io *io = simio_new(1);
    struct broker_settings settings = {
        .io = io, .directory = "/data", .no_listen = true, .group_initial_delay_ms = -1};
    struct broker *broker = NULL;
    struct buf out;
    logger_set_level(LOG_ERROR);
    buf_init(&out, 64 << 20);
    if (loop_new(&settings.loop, io, NULL) == OK && broker_open(&broker, &settings, NULL) == OK) {
        /* Never continued by a call, as `serving` says that it is at work already. */
        struct session session = {.broker = broker, .serving = true};
        session.calls_tail = &session.calls;
        while (size >= 2) {
            struct error err = {0};
            size_t frame_bytes = data[0] | (size_t)data[1] << 8;
            data += 2;
            size -= 2;
            frame_bytes = frame_bytes < size ? frame_bytes : size;
            uint8_t *frame = mem_alloc(frame_bytes);
            memcpy(frame, data, frame_bytes);
            (void)call_start(&session, frame, frame_bytes, &err);
            mem_free(frame);
            data += frame_bytes;
            size -= frame_bytes;
            if (broker->commit.wanted)
                commit_want(broker, true);
            must(loop_step(settings.loop, 0, NULL) == OK);
            answers_take(&session, &out);
        }
        session_readers_close(&session);
    }
    if (broker_close(broker, NULL) != OK)
        __builtin_trap();
    loop_free(settings.loop);
    simio_free(io);
    buf_fini(&out);
    return 0;
}
