/* broker_help.h - a broker on its loop and a client on a socket, both on the test's one thread: the
 * client sends, the loop is stepped until the answer is there. */
#ifndef LEAT_TEST_BROKER_HELP_H
#define LEAT_TEST_BROKER_HELP_H

#include <poll.h>
#include <stdio.h>

#include "base/must.h"
#include "broker/broker.h"
#include "kafka/api.h"
#include "kafka/bytes.h"
#include "kafka/record.h"
#include "os/simio.h"

struct rig {
    struct io *io;
    struct loop *loop;
    struct broker *broker;
    int fd;             /* the client's; -1: none */
    struct arena arena; /* of the last answer */
    struct buf out, in;
    int32_t correlation_id;
};

static inline enum status rig_open_with(struct rig *rig, struct io *io,
                                        struct broker_settings settings, struct error *err)
{
    *rig = (struct rig){.io = io, .fd = -1};
    buf_init(&rig->out, 64 << 20);
    buf_init(&rig->in, 64 << 20);
    arena_init(&rig->arena, NULL, 64 << 20);
    TRY(loop_new(&rig->loop, io, err));
    settings.io = io;
    settings.loop = rig->loop;
    settings.directory = "/data";
    snprintf(settings.listen.host, sizeof(settings.listen.host), "127.0.0.1");
    TRY(broker_open(&rig->broker, &settings, err));
    TRY(socket_connect(&rig->fd, broker_address(rig->broker), 1000000, err));
    return OK;
}

static inline enum status rig_open(struct rig *rig, struct io *io, struct error *err)
{
    return rig_open_with(rig, io, (struct broker_settings){0}, err);
}

static inline void rig_close(struct rig *rig)
{
    socket_close(rig->fd);
    if (broker_close(rig->broker, NULL) != OK)
        rig->broker = NULL; /* a crashed disk: the log says so, and is freed */
    loop_free(rig->loop);
    arena_fini(&rig->arena);
    buf_fini(&rig->out);
    buf_fini(&rig->in);
}

/* Step the loop until size_bytes of an answer have come. The simulated clock moves with each turn.
 */
static inline enum status rig_receive(struct rig *rig, size_t size_bytes, struct error *err)
{
    for (int turn = 0; rig->in.length < size_bytes; turn++) {
        struct pollfd wait = {.fd = rig->fd, .events = POLLIN};
        if (turn > 2000)
            return error_set(err, ERR_TIMEOUT, "no answer");
        TRY(loop_step(rig->loop, 0, err));
        if (rig->io != io_real())
            simio_advance_us(rig->io, 1000);
        if (poll(&wait, 1, turn > 20) <= 0)
            continue;
        uint8_t *dest = buf_room(&rig->in, size_bytes - rig->in.length);
        size_t got = 0;
        enum status status = socket_read(rig->fd, dest, size_bytes - rig->in.length, &got, err);
        if (status != OK && status != ERR_AGAIN)
            return status;
        rig->in.length += got;
    }
    return OK;
}

/* One request and its answer, decoded into *response (pointers valid until the next call). */
static inline enum status rig_call(struct rig *rig, enum kafka_api_key key, int16_t version,
                                   const void *request, void *response, struct error *err)
{
    const struct kafka_api *api = kafka_api_find((int16_t)key);
    struct kafka_request_header header = {
        .key = (int16_t)key, .version = version, .correlation_id = ++rig->correlation_id};
    size_t sent = 0;
    buf_clear(&rig->out);
    buf_clear(&rig->in);
    arena_reset(&rig->arena);
    kafka_request_encode(api, &header, request, &rig->out);
    while (sent < rig->out.length) {
        size_t part = 0;
        enum status status =
            socket_write(rig->fd, rig->out.data + sent, rig->out.length - sent, &part, err);
        if (status != OK && status != ERR_AGAIN)
            return status;
        sent += part;
        TRY(loop_step(rig->loop, 0, err));
    }
    TRY(rig_receive(rig, 4, err));
    TRY(rig_receive(rig, 4 + get_be32(rig->in.data), err));
    bool flexible = kafka_api_flexible(api, version);
    struct kafka_cursor cursor = {rig->in.data + 8, rig->in.data + rig->in.length};
    if (get_be32(rig->in.data + 4) != (uint32_t)rig->correlation_id)
        return error_set(err, ERR_DATA, "an answer to another request");
    if (flexible && key != KAFKA_API_VERSIONS)
        cursor.next++;
    TRY(kafka_decode(api->response(), version, flexible, &cursor, &rig->arena, response, err));
    return cursor.next == cursor.end ? OK : error_set(err, ERR_DATA, "bytes behind an answer");
}

/* Ask for the topic's metadata, which makes it. */
static inline enum status rig_topic(struct rig *rig, const char *name, struct error *err)
{
    struct kafka_metadata_topic topic = {.name = str_of(name)};
    struct kafka_metadata_request request = {.topics = {&topic, 1}, .allow_auto_creation = true};
    struct kafka_metadata_response response;
    TRY(rig_call(rig, KAFKA_METADATA, 9, &request, &response, err));
    return response.topics.items[0].error_code ? ERR_NOT_FOUND : OK;
}

/* count records "PREFIX/INDEX" in one batch; the base offset given. */
static inline enum status rig_produce(struct rig *rig, const char *topic_name, int16_t acks,
                                      int prefix, int count, int64_t *out_offset, struct error *err)
{
    struct buf batch;
    struct record_builder builder;
    buf_init(&batch, 1 << 20);
    record_builder_begin(&builder, &batch, NULL, COMPRESSION_NONE);
    for (int i = 0; i < count; i++) {
        char value[64];
        int value_bytes = snprintf(value, sizeof(value), "%d/%d", prefix, i);
        record_builder_add(&builder, 1000 + prefix, NULL, -1, value, value_bytes, NULL, 0);
    }
    enum status status = record_builder_finish(&builder, err);
    struct kafka_produce_partition partition = {
        .records = {batch.data, batch.length, NULL},
    };
    struct kafka_produce_topic topic = {.name = str_of(topic_name), .partitions = {&partition, 1}};
    struct kafka_produce_request request = {
        .acks = acks, .timeout_ms = 10000, .topics = {&topic, 1}};
    struct kafka_produce_response response;
    if (status == OK)
        status = rig_call(rig, KAFKA_PRODUCE, 9, &request, &response, err);
    if (status == OK && response.topics.items[0].partitions.items[0].error_code)
        status = error_set(err, ERR_IO, "produce: error %d",
                           response.topics.items[0].partitions.items[0].error_code);
    if (status == OK)
        *out_offset = response.topics.items[0].partitions.items[0].base_offset;
    buf_fini(&batch);
    return status;
}

typedef void (*rig_record_fn)(void *context, int64_t offset, const char *value, size_t size_bytes);

/* One fetch; each record from `offset` on is given; the next offset and the high watermark too. */
static inline enum status rig_fetch(struct rig *rig, const char *topic_name, int64_t offset,
                                    int32_t wait_ms, rig_record_fn each, void *context,
                                    int64_t *out_next, int64_t *out_high, struct error *err)
{
    struct kafka_fetch_partition partition = {.fetch_offset = offset,
                                              .max_bytes = 1 << 20,
                                              .current_leader_epoch = -1,
                                              .last_fetched_epoch = -1};
    struct kafka_fetch_topic topic = {.name = str_of(topic_name), .partitions = {&partition, 1}};
    struct kafka_fetch_request request = {.max_wait_ms = wait_ms,
                                          .min_bytes = 1,
                                          .max_bytes = 1 << 20,
                                          .session_epoch = -1,
                                          .topics = {&topic, 1}};
    struct kafka_fetch_response response;
    TRY(rig_call(rig, KAFKA_FETCH, 12, &request, &response, err));
    struct kafka_fetch_partition_result *result = &response.topics.items[0].partitions.items[0];
    if (result->error_code)
        return error_set(err, ERR_IO, "fetch: error %d", result->error_code);
    *out_high = result->high_watermark;
    *out_next = offset;
    for (size_t at = 0; at < result->records.size_bytes;) {
        struct record_batch batch;
        struct record_cursor cursor;
        struct record records[64];
        uint32_t count;
        TRY(record_batch_parse(&batch, result->records.data + at, result->records.size_bytes - at,
                               err));
        TRY(record_batch_check(&batch, err));
        TRY(record_cursor_open(&cursor, &batch, NULL, 0, err));
        do {
            TRY(record_cursor_read(&cursor, records, 64, &count, err));
            for (uint32_t i = 0; i < count; i++)
                if (batch.base_offset + records[i].offset_delta >= offset)
                    each(context, batch.base_offset + records[i].offset_delta,
                         (const char *)records[i].value, (size_t)records[i].value_bytes);
        } while (count);
        *out_next = record_batch_last_offset(&batch) + 1;
        at += batch.size_bytes;
    }
    return OK;
}

#endif
