/* kafka_source - records a second and core through the kafka source's poll from the log in the
 * process (read, CRC, records found, arrays filled), uncompressed and lz4. The topic is made here:
 * records of 265 bytes in batches of about 1 MB. The count is checked. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

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

static void no_wake(struct wake *wake)
{
}

static void measure(const char *name)
{
    const struct source_class *class_of = CONNECTOR_KAFKA.source;
    struct option_given options[] = {{STR("topic"), STR("t"), {0}},
                                     {STR("properties.bootstrap.servers"), STR("embedded"), {0}},
                                     {STR("scan.startup.mode"), STR("earliest-offset"), {0}},
                                     {STR("scan.bounded.mode"), STR("latest-offset"), {0}}};
    struct table_description table = {.name = "t", .options = options, .option_count = 4};
    struct plugin_context context = {.io = io_real(), .embedded_log = give_log};
    struct source_request request = {.table = &table, .context = &context, .parallelism = 1};
    struct wake wake = {no_wake};
    struct source *source;
    struct source_split split;
    struct source_reader *reader;
    struct source_output output;
    struct error err = {0};
    uint64_t count = 0, bytes = 0;
    enum poll_result result;

    if (class_of->open(&request, &wake, &source, &err) != OK ||
        class_of->discover(source, take_split, &split, &err) != POLL_ROWS ||
        class_of->reader_open(source, &split, NULL, 0, &wake, &reader, &err) != OK)
        die(&err);
    double begin = cpu_seconds();
    while ((result = class_of->poll(reader, BATCH_ROWS_MAX, &output, &err)) == POLL_ROWS) {
        count += output.records->count;
        for (uint32_t i = 0; i < output.records->count; i++)
            bytes += output.records->value_lengths[i];
    }
    double seconds = cpu_seconds() - begin;
    if (result != POLL_END)
        die(&err);
    class_of->reader_close(reader);
    class_of->close(source);
    printf("kafka_source %-12s %5.1f million records/s, %5.1f ns each, %.2f GB/s\n", name,
           1e-6 * (double)count / seconds, 1e9 * seconds / (double)count,
           1e-9 * (double)bytes / seconds);
    if (count != RECORD_TOTAL)
        exit(1);
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct log_topic *topic = NULL;
    char directory[] = "/tmp/leat-bench-XXXXXX";
    struct log_settings settings = {.io = io_real(), .durability = LOG_PROCESS};
    static const enum compression kinds[] = {COMPRESSION_NONE, COMPRESSION_LZ4};
    static const char *const names[] = {"uncompressed", "lz4"};

    settings.directory = argc > 1 ? argv[1] : mkdtemp(directory);
    if (log_open(&the_log, &settings, &err) != OK)
        die(&err);
    for (size_t i = 0; i < 2; i++) {
        if (log_topic_create(the_log, STR("t"), 1, NULL, 0, &topic, &err) != OK)
            die(&err);
        fill(log_topic_partition(topic, 0), kinds[i]);
        for (int k = 0; k < 2; k++)
            measure(names[i]);
        log_topic_unref(topic);
        if (log_topic_delete(the_log, STR("t"), &err) != OK)
            die(&err);
    }
    if (log_close(the_log, &err) != OK || io_remove_tree(io_real(), settings.directory, &err) != OK)
        die(&err);
    return 0;
}
