/* kafka_help.h - what the tests of connector/kafka share: a broker on a thread of its own, and a
 * table read through its log or through librdkafka.
 */
#ifndef LEAT_TEST_KAFKA_HELP_H
#define LEAT_TEST_KAFKA_HELP_H

#include "../check.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "broker/broker.h"
#include "connector/kafka/kafka.h"
#include "connector_help.h"
#include "kafka/record.h"
#include "os/simio.h"

/* ---- a broker on a thread of its own ---- */

static struct {
    char directory[64];
    struct io_pool *pool;
    struct loop *loop;
    struct broker *broker;
    struct thread *thread;
    char address[64];
} server;

static inline void run_loop(void *context)
{
    struct error err = {0};
    must(loop_run(server.loop, &err) == OK);
}

static inline void server_start(void)
{
    struct error err = {0};
    if (server.broker)
        return;
    snprintf(server.directory, sizeof(server.directory), "/tmp/leat-kafka-test-XXXXXX");
    must(mkdtemp(server.directory));
    must(io_pool_new(&server.pool, "sync", 2, &err) == OK);
    must(loop_new(&server.loop, io_real(), &err) == OK);
    struct broker_settings settings = {
        .io = io_real(), .loop = server.loop, .pool = server.pool, .directory = server.directory};
    must(socket_address_parse(&settings.listen, "127.0.0.1:0", 0, &err) == OK);
    if (broker_open(&server.broker, &settings, &err) != OK) {
        printf("# %s\n", err.text);
        must(!"broker");
    }
    snprintf(server.address, sizeof(server.address), "127.0.0.1:%u",
             broker_address(server.broker)->port);
    must(thread_start(&server.thread, "loop", run_loop, NULL, &err) == OK);
}

static inline void server_stop(void)
{
    struct error err = {0};
    loop_stop(server.loop);
    thread_join(server.thread);
    if (broker_close(server.broker, &err) != OK) {
        printf("# %s\n", err.text);
        must(!"close");
    }
    loop_free(server.loop);
    io_pool_free(server.pool);
    must(io_remove_tree(io_real(), server.directory, &err) == OK);
    server.broker = NULL;
}

static inline struct log *the_log(void)
{
    return broker_log(server.broker);
}

static inline enum status give_log(const struct plugin_context *context, struct log **out,
                                   struct error *err)
{
    *out = the_log();
    return OK;
}

/* ---- topics ---- */

static inline struct log_topic *make_topic(const char *name, uint32_t partition_count)
{
    struct error err = {0};
    struct log_topic *topic = NULL;
    if (log_topic_create(the_log(), str_of(name), partition_count, NULL, 0, &topic, &err) != OK) {
        printf("# %s\n", err.text);
        must(!"topic");
    }
    return topic;
}

static inline void wait_shown(struct log_partition *partition)
{
    struct log_offsets offsets;
    for (int i = 0; i < 2000; i++) {
        log_partition_offsets(partition, &offsets);
        if (offsets.high_watermark == offsets.end)
            return;
        usleep(1000);
    }
    must(!"the high watermark does not move");
}

/* ---- reading ---- */

struct reading {
    struct test_table table;
    struct test_context context;
    struct test_wake wake;
    struct table_metadata metadata[7];
    struct source *source;
    struct source_split splits[16];
    uint32_t split_count;
    int64_t again_us;
    bool only_values; /* no metadata */
};

static inline void reading_init(struct reading *reading, const char *topic, bool remote)
{
    static const char *const keys[] = {"topic",  "partition", "headers",       "leader-epoch",
                                       "offset", "timestamp", "timestamp-type"};
    memset(reading, 0, sizeof(*reading));
    test_table_init(&reading->table, "t");
    test_field(&reading->table, "v", &TYPE_OF_BYTES);
    test_option(&reading->table, "topic", topic);
    test_option(&reading->table, "format", "raw");
    test_option(&reading->table, "properties.bootstrap.servers",
                remote ? server.address : "embedded");
    test_context_init(&reading->context);
    if (!remote) {
        reading->context.context.embedded_log = give_log;
        reading->context.context.embedded_address = server.address;
    }
    test_wake_init(&reading->wake);
    for (int i = 0; i < 7; i++)
        reading->metadata[i] = (struct table_metadata){keys[i], NULL};
}

static inline enum status add_split(void *context, const struct source_split *split,
                                    struct error *err)
{
    struct reading *reading = context;
    must(reading->split_count < 16);
    reading->splits[reading->split_count++] = *split;
    return OK;
}

static inline enum status reading_open(struct reading *reading, struct error *err)
{
    struct source_request request = test_source_request(&reading->table, &reading->context);
    request.metadata = reading->metadata;
    request.metadata_count = reading->only_values ? 0 : 7;
    return CONNECTOR_KAFKA.source->open(&request, &reading->wake.wake, &reading->source, err);
}

static inline enum poll_result discover(struct reading *reading, struct error *err)
{
    reading->again_us = 0;
    return CONNECTOR_KAFKA.source->discover(reading->source, add_split, reading, &reading->again_us,
                                            err);
}

/* For the wake, or until the time that discover has told; false after ten seconds. */
static inline bool wait_to_discover(struct reading *reading)
{
    if (!reading->again_us)
        return test_wake_wait(&reading->wake);
    while (io_monotonic_us(io_real()) < reading->again_us)
        usleep(1000);
    return true;
}

static inline bool discover_all(struct reading *reading, uint32_t count, struct error *err)
{
    while (reading->split_count < count) {
        enum poll_result result = discover(reading, err);
        if (result == POLL_ERROR || (result == POLL_WAIT && !wait_to_discover(reading)))
            return false;
    }
    return true;
}

static inline void reading_close(struct reading *reading)
{
    if (reading->source)
        CONNECTOR_KAFKA.source->close(reading->source);
    test_context_fini(&reading->context);
}

static inline void put_bytes(struct buf *out, const uint8_t *bytes, uint32_t length)
{
    if (length == RECORD_NULL)
        buf_append_text(out, "NULL");
    else
        buf_append(out, bytes, length);
}

static inline void put_records(struct buf *out, struct source_reader *reader,
                               const struct records *records)
{
    struct error err = {0};
    struct vec *columns[7];
    for (uint32_t k = 0; k < 7; k++) {
        must(CONNECTOR_KAFKA.source->fill_metadata(reader, records, k, &columns[k], &err) == OK);
        vec_verify(columns[k]);
    }
    for (uint32_t i = 0; i < records->count; i++) {
        put_bytes(out, records->keys[i], records->key_lengths[i]);
        buf_append_byte(out, ' ');
        put_bytes(out, records->values[i], records->value_lengths[i]);
        for (uint32_t k = 0; k < 7; k++) {
            if (k == 3)
                continue; /* librdkafka 2.0 does not tell the leader epoch */
            buf_append_byte(out, '|');
            datum_format_at(out, columns[k], i, NULL);
        }
        buf_append_byte(out, '\n');
    }
    for (uint32_t k = 0; k < 7; k++)
        vec_unref(columns[k]);
}

/* Read a split from position to its end, or until stop_rows are there; the position goes back. */
static inline enum poll_result read_split(struct reading *reading, const char *id,
                                          struct buf *position, uint32_t max_rows,
                                          uint32_t stop_rows, struct buf *out, struct error *err)
{
    const struct source_class *source_class = CONNECTOR_KAFKA.source;
    struct source_split split;
    struct source_reader *reader = NULL;
    struct source_output output;
    enum poll_result result;
    uint32_t rows = 0;

    snprintf(split.id, sizeof(split.id), "%s", id);
    if (source_class->reader_open(reading->source, &split, position->length ? position->data : NULL,
                                  position->length, &reading->wake.wake, &reader, err) != OK)
        return POLL_ERROR;
    do {
        result = source_class->poll(reader, max_rows, &output, err);
        if (result == POLL_ROWS) {
            must(output.records->count > 0 && output.records->count <= max_rows);
            rows += output.records->count;
            put_records(out, reader, output.records);
        }
        if (result == POLL_WAIT && !test_wake_wait(&reading->wake))
            break;
    } while (result != POLL_END && result != POLL_ERROR && rows < stop_rows);
    buf_clear(position);
    must(source_class->position(reader, position, err) == OK);
    source_class->reader_close(reader);
    return result;
}

/* All rows of a bounded read of `topics` with the options. False: failed, with a message. */
static inline bool read_bounded(const char *topics, bool remote, uint32_t split_count,
                                uint32_t max_rows, const char *const *options, struct buf *out)
{
    struct reading reading;
    struct error err = {0};
    bool good = false;

    reading_init(&reading, topics, remote);
    for (; options[0]; options += 2)
        test_option(&reading.table, options[0], options[1]);
    if (reading_open(&reading, &err) != OK || !discover_all(&reading, split_count, &err))
        goto out;
    if (discover(&reading, &err) != POLL_END)
        goto out;
    for (uint32_t i = 0; i < split_count; i++) {
        struct buf position;
        char id[64];
        buf_init(&position, 4096);
        snprintf(id, sizeof(id), "%s-%u", topics, i);
        enum poll_result result =
            read_split(&reading, id, &position, max_rows, UINT32_MAX, out, &err);
        buf_fini(&position);
        if (result != POLL_END)
            goto out;
    }
    good = true;
out:
    if (!good)
        printf("# %s: %s\n", remote ? "librdkafka" : "log", err.text);
    reading_close(&reading);
    return good;
}

#endif
