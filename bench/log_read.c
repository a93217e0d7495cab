/* log_read - records a second and core out of the log's page cache: blocks alone, with CRC, with
 * the records found. One line each. The records are 265 bytes, in batches of BATCH_RECORDS. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "kafka/record.h"
#include "log/log.h"

enum { RECORD_TOTAL = 3000000, VALUE_BYTES = 255 };

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void die(const struct error *err)
{
    fprintf(stderr, "log_read: %s\n", err->text);
    _exit(1);
}

static void fill(struct log *log, struct log_partition *partition, int batch_records)
{
    struct error err = {0};
    struct record_builder builder;
    struct buf bytes;
    char value[VALUE_BYTES];

    memset(value, 'x', sizeof(value));
    buf_init(&bytes, 1 << 24);
    for (int done = 0; done < RECORD_TOTAL; done += batch_records) {
        buf_clear(&bytes);
        record_builder_begin(&builder, &bytes, NULL, COMPRESSION_NONE);
        for (int i = 0; i < batch_records; i++)
            record_builder_add(&builder, 1700000000000 + i, NULL, -1, value, VALUE_BYTES, NULL, 0);
        if (record_builder_finish(&builder, &err) != OK)
            die(&err);
        struct log_append append = {.batches = bytes.data, .size_bytes = bytes.length};
        if (log_append(partition, &append, &err) != OK)
            die(&err);
    }
    buf_fini(&bytes);
    if (log_sync(log, &err) != OK)
        die(&err);
}

enum depth { BLOCKS, CRC, RECORDS };

static uint64_t walk_block(const struct buffer *block, enum depth depth)
{
    struct error err = {0};
    struct record_batch batch;
    struct record_cursor cursor;
    static struct record records[RECORD_READ_MAX];
    uint64_t count = 0;
    uint32_t got = 1;

    for (size_t at = 0; at < block->size_bytes; at += batch.size_bytes) {
        if (record_batch_parse(&batch, block->data + at, block->size_bytes - at, &err) != OK ||
            (depth >= CRC && record_batch_check(&batch, &err) != OK))
            die(&err);
        if (depth < RECORDS) {
            count += (uint64_t)batch.record_count;
            continue;
        }
        if (record_cursor_open(&cursor, &batch, NULL, 0, &err) != OK)
            die(&err);
        do {
            if (record_cursor_read(&cursor, records, RECORD_READ_MAX, &got, &err) != OK)
                die(&err);
            count += got;
        } while (got > 0);
    }
    return count;
}

static void measure(struct log_partition *partition, enum depth depth, size_t block_bytes,
                    int batch_records)
{
    static const char *const names[] = {"blocks", "blocks + crc", "blocks + crc + records"};
    struct error err = {0};
    struct log_reader *reader = NULL;
    struct log_read read = {
        .limit_offset = INT64_MAX, .max_bytes = block_bytes, .whole_batch = true};
    uint64_t count = 0;

    if (log_reader_open(&reader, partition, &err) != OK)
        die(&err);
    double begin = cpu_seconds();
    for (;;) {
        if (log_read(reader, &read, &err) != OK)
            die(&err);
        if (!read.block)
            break;
        count += walk_block(read.block, depth);
        read.offset = read.next_offset;
        buffer_unref(read.block);
    }
    double seconds = cpu_seconds() - begin;
    log_reader_close(reader);
    printf("log_read %-24s batch %5d block %4zu KB: %6.1f million records/s, %5.1f ns each\n",
           names[depth], batch_records, block_bytes >> 10, 1e-6 * (double)count / seconds,
           1e9 * seconds / (double)count);
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct log *log = NULL;
    struct log_topic *topic = NULL;
    static const int sizes[] = {10, 500, 3700};
    char directory[] = "/tmp/leat-bench-XXXXXX";
    struct log_settings settings = {.io = io_real(), .durability = LOG_PROCESS};

    settings.directory = argc > 1 ? argv[1] : mkdtemp(directory);
    if (log_open(&log, &settings, &err) != OK)
        die(&err);
    for (size_t i = 0; i < 3; i++) {
        if (log_topic_create(log, STR("t"), 1, NULL, 0, &topic, &err) != OK)
            die(&err);
        struct log_partition *partition = log_topic_partition(topic, 0);
        fill(log, partition, sizes[i]);
        for (size_t block_bytes = 1 << 17; block_bytes <= 1 << 20; block_bytes *= 2)
            measure(partition, BLOCKS, block_bytes, sizes[i]);
        measure(partition, CRC, 1 << 18, sizes[i]);
        measure(partition, RECORDS, 1 << 18, sizes[i]);
        log_topic_unref(topic);
        if (log_topic_delete(log, STR("t"), &err) != OK)
            die(&err);
    }
    if (log_close(log, &err) != OK || io_remove_tree(io_real(), settings.directory, &err) != OK)
        die(&err);
    return 0;
}
