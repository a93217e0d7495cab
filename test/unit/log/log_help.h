/* log_help.h - what the tests of the log share: a simulated disk, batches, a reader of everything.
 */
#ifndef LEAT_TEST_LOG_HELP_H
#define LEAT_TEST_LOG_HELP_H

#include "../check.h"
#include "kafka/record.h"
#include "log/log.h"
#include "os/simio.h"

#define LOG_DIR "/data/log"

/* One batch of count records; record i has the value "PREFIX-i" (or is value_bytes long) and the
 * timestamp first_ms + i. Only memory can fail it. */
static inline enum status build_batch(struct buf *out, const char *prefix, int count,
                                      int64_t first_ms, size_t value_bytes,
                                      enum compression compression)
{
    struct record_builder builder;
    struct buf scratch;
    struct error err = {0};
    static _Thread_local char value[1 << 20];

    buf_init(&scratch, 1 << 24);
    record_builder_begin(&builder, out, &scratch, compression);
    for (int i = 0; i < count; i++) {
        int length = snprintf(value, 64, "%s-%d", prefix, i);
        if (value_bytes > (size_t)length) {
            memset(value + length, 'x', value_bytes - (size_t)length);
            length = (int)value_bytes;
        }
        record_builder_add(&builder, first_ms + i, NULL, -1, value, length, NULL, 0);
    }
    enum status status = record_builder_finish(&builder, &err);
    buf_fini(&scratch);
    return status;
}

static inline enum status append_records(struct log_partition *partition, const char *prefix,
                                         int count, int64_t first_ms, size_t value_bytes,
                                         struct error *err)
{
    struct buf bytes;
    buf_init(&bytes, 1 << 26);
    enum status status =
        build_batch(&bytes, prefix, count, first_ms, value_bytes, COMPRESSION_NONE);
    struct log_append append = {.batches = bytes.data, .size_bytes = bytes.length};
    if (status == OK)
        status = log_append(partition, &append, err);
    buf_fini(&bytes);
    return status;
}

struct seen { /* one record as a reader saw it */
    int64_t offset;
    int64_t timestamp_ms;
    int32_t leader_epoch;
    char value[24]; /* its beginning */
};

/* All records from offset to the high watermark, in order, checked: CRC, rising offsets, nothing
 * past the high watermark. Returns their number, or -1 with *err set. */
static inline int read_all(struct log_partition *partition, int64_t offset, size_t max_bytes,
                           struct seen *seen, int seen_max, struct error *err)
{
    struct log_reader *reader = NULL;
    struct buf scratch;
    int count = 0;

    if (log_reader_open(&reader, partition, err) != OK)
        return -1;
    buf_init(&scratch, 1 << 26);
    for (;;) {
        struct log_read read = {.offset = offset,
                                .limit_offset = INT64_MAX,
                                .max_bytes = max_bytes,
                                .whole_batch = true};
        if (log_read(reader, &read, err) != OK) {
            count = -1;
            break;
        }
        if (!read.block)
            break;
        const uint8_t *at = read.block->data, *end = at + read.block->size_bytes;
        while (at < end && count >= 0) {
            struct record_batch batch;
            struct record_cursor cursor;
            struct record records[16];
            uint32_t got = 0;
            if (record_batch_parse(&batch, at, (size_t)(end - at), err) != OK ||
                record_batch_check(&batch, err) != OK ||
                record_cursor_open(&cursor, &batch, &scratch, 1 << 26, err) != OK) {
                count = -1;
                break;
            }
            do {
                if (record_cursor_read(&cursor, records, 16, &got, err) != OK) {
                    count = -1;
                    break;
                }
                for (uint32_t i = 0; i < got; i++) {
                    int64_t record_offset = batch.base_offset + records[i].offset_delta;
                    if (record_offset < offset)
                        continue;
                    if (record_offset != offset || record_offset >= read.high_watermark) {
                        error_set(err, ERR_CORRUPT, "offset %lld after %lld, high watermark %lld",
                                  (long long)record_offset, (long long)offset,
                                  (long long)read.high_watermark);
                        count = -1;
                        got = 0;
                        break;
                    }
                    offset++;
                    if (count < seen_max) {
                        seen[count].offset = record_offset;
                        seen[count].timestamp_ms =
                            record_timestamp_ms(&batch, records[i].timestamp_delta);
                        seen[count].leader_epoch = batch.leader_epoch;
                        int length = records[i].value_bytes < 23 ? records[i].value_bytes : 23;
                        memcpy(seen[count].value, records[i].value, (size_t)length);
                        seen[count].value[length] = '\0';
                    }
                    count++;
                }
            } while (got > 0);
            at += batch.size_bytes;
        }
        buffer_unref(read.block);
        if (count < 0)
            break;
        if (read.next_offset != offset) {
            error_set(err, ERR_CORRUPT, "next offset %lld, read up to %lld",
                      (long long)read.next_offset, (long long)offset);
            count = -1;
            break;
        }
    }
    buf_fini(&scratch);
    log_reader_close(reader);
    return count;
}

static inline enum status open_log(struct log **out, struct io *io, enum log_durability durability,
                                   struct error *err)
{
    struct log_settings settings = {.io = io, .directory = LOG_DIR, .durability = durability};
    *out = NULL;
    return log_open(out, &settings, err);
}

/* The partition of a topic, without a reference (the log's table holds the topic). */
static inline struct log_partition *partition_of(struct log *log, const char *name, uint32_t index)
{
    struct log_topic *topic = log_topic_find(log, str_of(name));
    struct log_partition *partition = topic ? log_topic_partition(topic, index) : NULL;
    log_topic_unref(topic);
    return partition;
}

#endif
