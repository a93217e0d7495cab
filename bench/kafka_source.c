/* kafka_source - records a CPU second through the kafka source's poll: from the log in the process
 * (read, CRC, records found, arrays filled), and through librdkafka with the broker in another
 * process, whose CPU does not count; uncompressed and lz4. The topics are made here: records of
 * about 265 bytes in batches of about 1 MB. The count is checked. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "broker/broker.h"
#include "connector/kafka/kafka.h"
#include "kafka/record.h"
#include "log/log.h"
#include "orders.h"

enum { RECORD_TOTAL = 3000000, BATCH_RECORDS = 3700 };

static struct log *the_log;

static void die(const struct error *err)
{
    fprintf(stderr, "kafka_source: %s\n", err->text);
    exit(1);
}

static enum status give_log(const struct plugin_context *context, struct log **out,
                            struct error *err)
{
    *out = the_log;
    return OK;
}

static void fill(struct log_partition *partition, enum compression compression)
{
    struct error err = {0};
    struct record_builder builder;
    struct buf bytes, scratch;
    char value[ORDER_BYTES_MAX];

    buf_init(&bytes, 1 << 24);
    buf_init(&scratch, 1 << 24);
    for (int done = 0; done < RECORD_TOTAL;) {
        buf_clear(&bytes);
        record_builder_begin(&builder, &bytes, &scratch, compression);
        for (int i = 0; i < BATCH_RECORDS && done < RECORD_TOTAL; i++, done++) {
            struct order order = order_make((uint64_t)done);
            record_builder_add(&builder, 1700000000000 + i, NULL, -1, value,
                               (int32_t)order_json(&order, value), NULL, 0);
        }
        if (record_builder_finish(&builder, &err) != OK)
            die(&err);
        struct log_append append = {.batches = bytes.data, .size_bytes = bytes.length};
        if (log_append(partition, &append, &err) != OK)
            die(&err);
    }
    buf_fini(&bytes);
    buf_fini(&scratch);
}

static enum status take_split(void *context, const struct source_split *split, struct error *err)
{
    *(struct source_split *)context = *split;
    return OK;
}

static struct mutex lock;
static struct condition changed;
static bool woken;

static void notify(struct wake *wake)
{
    mutex_lock(&lock);
    woken = true;
    condition_broadcast(&changed);
    mutex_unlock(&lock);
}

static void wait_for_wake(void)
{
    mutex_lock(&lock);
    while (!woken)
        condition_wait(&changed, &lock);
    woken = false;
    mutex_unlock(&lock);
}

static void measure(const char *name, const char *topic, const char *servers)
{
    const struct source_class *class_of = CONNECTOR_KAFKA.source;
    struct option_given options[] = {{STR("topic"), str_of(topic), {0}},
                                     {STR("properties.bootstrap.servers"), str_of(servers), {0}},
                                     {STR("scan.startup.mode"), STR("earliest-offset"), {0}},
                                     {STR("scan.bounded.mode"), STR("latest-offset"), {0}}};
    struct table_description table = {.name = "t", .options = options, .option_count = 4};
    struct plugin_context context = {.io = io_real(), .embedded_log = give_log};
    struct source_request request = {.table = &table, .context = &context, .parallelism = 1};
    struct wake wake = {notify};
    struct source *source = NULL;
    struct source_split split;
    struct source_reader *reader = NULL;
    struct source_output output;
    struct error err = {0};
    uint64_t count = 0, bytes = 0;
    enum poll_result result;

    if (io_pool_new(&context.io_pool, "io", 1, &err) != OK ||
        class_of->open(&request, &wake, &source, &err) != OK)
        die(&err);
    while ((result = class_of->discover(source, take_split, &split, &(int64_t){0}, &err)) ==
           POLL_WAIT)
        wait_for_wake();
    if (result != POLL_ROWS ||
        class_of->reader_open(source, &split, NULL, 0, &wake, &reader, &err) != OK)
        die(&err);
    double begin = cpu_seconds();
    while ((result = class_of->poll(reader, BATCH_ROWS_MAX, &output, &err)) == POLL_ROWS ||
           result == POLL_WAIT) {
        if (result == POLL_WAIT) {
            wait_for_wake();
            continue;
        }
        count += output.records->count;
        for (uint32_t i = 0; i < output.records->count; i++)
            bytes += output.records->value_lengths[i];
    }
    double seconds = cpu_seconds() - begin;
    if (result != POLL_END)
        die(&err);
    class_of->reader_close(reader);
    class_of->close(source);
    io_pool_free(context.io_pool);
    printf("kafka_source %-24s %5.1f million records/s, %5.1f ns each, %.2f GB/s\n", name,
           1e-6 * (double)count / seconds, 1e9 * seconds / (double)count,
           1e-9 * (double)bytes / seconds);
    if (count != RECORD_TOTAL)
        exit(1);
}

/* A broker over the same directory in a child; it ends with its standard input. */
static pid_t broker_process(const char *directory, int *out_input, char *address)
{
    int input[2], output[2];
    if (pipe(input) != 0 || pipe(output) != 0)
        exit(1);
    pid_t child = fork();
    if (child == 0) {
        struct error err = {0};
        struct broker_settings settings = {.io = io_real(), .directory = directory};
        struct broker *broker;
        char byte;
        close(input[1]);
        if (io_pool_new(&settings.pool, "io", 1, &err) != OK ||
            loop_new(&settings.loop, io_real(), &err) != OK ||
            socket_address_parse(&settings.listen, "127.0.0.1:0", 0, &err) != OK ||
            broker_open(&broker, &settings, &err) != OK)
            die(&err);
        uint16_t port = broker_address(broker)->port;
        if (write(output[1], &port, sizeof(port)) != sizeof(port))
            exit(1);
        struct pollfd end = {.fd = input[0], .events = POLLIN};
        while (poll(&end, 1, 0) == 0)
            if (loop_step(settings.loop, 100000, &err) != OK)
                die(&err);
        _exit(read(input[0], &byte, 1) == 0 ? 0 : 1);
    }
    uint16_t port = 0;
    close(input[0]);
    if (read(output[0], &port, sizeof(port)) != sizeof(port))
        exit(1);
    snprintf(address, 64, "127.0.0.1:%u", port);
    *out_input = input[1];
    return child;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct log_topic *topic = NULL;
    char directory[] = "/tmp/leat-bench-XXXXXX", topics[256], address[64];
    static const enum compression kinds[] = {COMPRESSION_NONE, COMPRESSION_LZ4};
    static const char *const names[] = {"uncompressed", "lz4"};
    struct log_settings settings = {.io = io_real(), .durability = LOG_PROCESS};
    const char *data = argc > 1 ? argv[1] : mkdtemp(directory);
    int input;

    mutex_init(&lock);
    condition_init(&changed);
    snprintf(topics, sizeof(topics), "%s/topics", data);
    settings.directory = topics;
    if (log_open(&the_log, &settings, &err) != OK)
        die(&err);
    for (size_t i = 0; i < 2; i++) {
        if (log_topic_create(the_log, str_of(names[i]), 1, NULL, 0, &topic, &err) != OK)
            die(&err);
        fill(log_topic_partition(topic, 0), kinds[i]);
        log_topic_unref(topic);
        for (int k = 0; k < 2; k++)
            measure(names[i], names[i], "embedded");
    }
    if (log_close(the_log, &err) != OK)
        die(&err);
    pid_t child = broker_process(data, &input, address);
    measure("uncompressed, librdkafka", names[0], address);
    measure("lz4, librdkafka", names[1], address);
    close(input);
    if (waitpid(child, NULL, 0) < 0 || io_remove_tree(io_real(), data, &err) != OK)
        die(&err);
    return 0;
}
