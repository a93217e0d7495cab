/* log_recovery - any bytes in any file of the log: opening gives an error or a log that can be read
 * (or says that it is damaged), and a second opening finds the same.
 *
 * The input is a list of: file and flags (1 byte), length (2 bytes, little-endian), content. Flag
 * 0x10 makes the CRCs of the batches (or of the snapshot) in the content right, so that what lies
 * behind them is reached; 0x20 removes the mark of a clean stop; with 0x40 the file is an index of
 * aborted transactions. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "kafka/bytes.h"
#include "kafka/record.h"
#include "log/log.h"
#include "os/logger.h"
#include "os/simio.h"

#define DIR "/log"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const files[16] = {DIR "/t-0/00000000000000000000.log",
                                      DIR "/t-0/00000000000000000000.index",
                                      DIR "/t-0/00000000000000000000.timeindex",
                                      DIR "/t-0/00000000000000000005.log",
                                      DIR "/t-0/00000000000000000005.index",
                                      DIR "/t-0/00000000000000000005.timeindex",
                                      DIR "/t-0/leat-checkpoint",
                                      DIR "/t-0/leader-epoch-checkpoint",
                                      DIR "/t-0/partition.metadata",
                                      DIR "/leat-log.catalog",
                                      DIR "/t-0/00000000000000000009.log",
                                      DIR "/t-0/99999999999999999999.log",
                                      DIR "/t-0/00000000000000000005.snapshot",
                                      DIR "/u-0",
                                      DIR "/t-0/00000000002147483650.log",
                                      DIR "/t-0/09223372036854775806.log"};

static const char *const aborted_files[2] = {DIR "/t-0/00000000000000000000.txnindex",
                                             DIR "/t-0/00000000000000000005.txnindex"};

#define SNAPSHOT 12

static void check(bool good)
{
    if (!good)
        __builtin_trap();
}

static void fix_crcs(uint8_t *bytes, size_t size)
{
    for (size_t at = 0; size - at >= RECORD_BATCH_HEADER_BYTES;) {
        uint64_t total = (uint64_t)get_be32(bytes + at + 8) + RECORD_BATCH_PREFIX_BYTES;
        if (total < RECORD_BATCH_HEADER_BYTES || total > size - at)
            return;
        bytes[at + 16] = RECORD_BATCH_MAGIC;
        put_be32(bytes + at + 17, crc32c(0, bytes + at + 21, total - 21));
        at += total;
    }
}

static void put_file(struct io *io, const char *path, const uint8_t *bytes, size_t size, bool fix)
{
    static uint8_t copy[65536];
    struct io_file *file = NULL;

    memcpy(copy, bytes, size);
    if (fix && path == files[SNAPSHOT] && size > 6)
        put_be32(copy + 2, crc32c(0, copy + 6, size - 6));
    else if (fix)
        fix_crcs(copy, size);
    if (io->ops->open(io, path, IO_WRITE | IO_CREATE | IO_TRUNCATE, &file, NULL) != OK)
        return;
    if (size)
        check(io->ops->pwrite(io, file, copy, size, 0, NULL) == OK);
    io->ops->close(io, file);
}

static enum status open_it(struct log **log, struct io *io)
{
    struct log_settings settings = {.io = io, .directory = DIR};
    return log_open(log, &settings, NULL);
}

/* Read what there is; the offsets of the partition. */
static struct log_offsets read_it(struct log *log)
{
    struct log_offsets offsets = {0};
    struct log_reader *reader;
    struct log_topic *topic = log_topic_find(log, STR("t"));
    int64_t found, found_ms;

    if (!topic)
        return offsets;
    struct log_partition *partition = log_topic_partition(topic, 0);
    log_partition_offsets(partition, &offsets);
    check(offsets.log_start <= offsets.last_stable &&
          offsets.last_stable <= offsets.high_watermark && offsets.high_watermark == offsets.end);
    struct buf aborted;
    buf_init(&aborted, 1 << 20);
    (void)!log_aborted_list(partition, offsets.log_start, offsets.last_stable, &aborted, NULL);
    buf_fini(&aborted);
    check(log_reader_open(&reader, partition, NULL) == OK);
    struct log_read read = {.offset = offsets.log_start,
                            .limit_offset = INT64_MAX,
                            .max_bytes = 300,
                            .whole_batch = true};
    while (log_read(reader, &read, NULL) == OK && read.block) {
        check(read.next_offset > read.offset && read.next_offset <= offsets.end);
        buffer_unref(read.block);
        read.offset = read.next_offset;
    }
    log_reader_close(reader);
    for (int64_t ms = 1; ms < INT64_MAX / 8; ms *= 7)
        if (log_find_time(partition, ms, &found, &found_ms, NULL) != OK)
            break;
    if (log_find_latest_time(partition, &found, &found_ms, NULL) == OK)
        check(found < offsets.end);
    log_topic_unref(topic);
    return offsets;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct io *io = simio_new(1);
    struct log *log = NULL;
    bool unclean = false;

    logger_set_level((enum log_level)(LOG_ERROR + 1)); /* nothing */
    check(open_it(&log, io) == OK);
    check(log_topic_create(log, STR("t"), 1, NULL, 0, NULL, NULL) == OK);
    check(log_close(log, NULL) == OK);
    while (size >= 3) {
        size_t length = data[1] | (size_t)data[2] << 8;
        if (length > size - 3)
            length = size - 3;
        unclean |= data[0] & 0x20;
        const char *path = data[0] & 0x40 ? aborted_files[data[0] & 1] : files[data[0] & 15];
        put_file(io, path, data + 3, length, data[0] & 0x10);
        data += 3 + length;
        size -= 3 + length;
    }
    if (unclean)
        check(io->ops->unlink(io, DIR "/.kafka_cleanshutdown", NULL) == OK);
    if (open_it(&log, io) == OK) {
        struct log_offsets first = read_it(log);
        if (log_close(log, NULL) == OK) {
            check(open_it(&log, io) == OK);
            struct log_offsets second = read_it(log);
            check(first.end == second.end && first.log_start == second.log_start &&
                  first.last_stable == second.last_stable);
            (void)!log_close(log, NULL);
        }
    }
    simio_free(io);
    return 0;
}
