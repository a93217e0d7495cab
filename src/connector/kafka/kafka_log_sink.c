/* kafka_log_sink.c - writing to the log of the broker in this process.
 *
 * Rows become record batches here and are appended at once; the broker's group commit syncs them. A
 * flush is done when the high watermarks have passed what this writer appended. Appending waits for
 * the page cache only, so a writer is never full.
 * Owner thread: the task's; watches fire on the thread that advanced the high watermark.
 */
#include <inttypes.h>

#include "base/must.h"
#include "connector/kafka/kafka_int.h"
#include "kafka/record.h"
#include "log/log.h"

#define BATCH_BYTES     (512u << 10) /* begin another batch behind this */
#define RECORD_OVERHEAD 64           /* more than a record's own bytes beside its value */

struct target { /* a partition */
    struct log_watch watch;
    struct log_sink_writer *writer;
    struct log_partition *partition; /* the topic's reference */
    int64_t end_offset;              /* after what this writer appended last; -1: nothing */
};

struct log_sink_writer {
    struct kafka_writer base;
    struct log_topic *topic;
    struct target *targets;
    uint32_t target_count;
    uint64_t turn; /* of the partitioner */
    enum compression compression;
    size_t batch_bytes;
    struct buf batch, scratch;
};

static void watch_fired(struct log_watch *watch)
{
    wake_notify(container_of(watch, struct target, watch)->writer->base.wake);
}

static enum status log_writer_new(struct kafka_writer **out, struct error *err)
{
    struct log_sink_writer *writer = mem_calloc(1, sizeof(*writer));
    if (!writer)
        return error_memory(err, "a kafka sink", sizeof(*writer));
    buf_init(&writer->batch, RECORD_BATCH_MAX_BYTES);
    buf_init(&writer->scratch, RECORD_BATCH_MAX_BYTES);
    *out = &writer->base;
    return OK;
}

static enum compression compression_of(const struct kafka_options *options)
{
    static const char *const names[] = {"none", "gzip", "snappy", "lz4", "zstd"};
    const char *given = kafka_property(options, "compression.type");
    if (!given)
        given = kafka_property(options, "compression.codec");
    for (unsigned i = 0; given && i < COUNT_OF(names); i++)
        if (strcmp(names[i], given) == 0)
            return (enum compression)i;
    return COMPRESSION_NONE;
}

static enum status log_writer_start(struct kafka_writer *base, struct error *err)
{
    struct log_sink_writer *writer = (struct log_sink_writer *)base;
    const struct kafka_sink *sink = base->sink;
    struct log *log;

    TRY(kafka_find_log(sink->context, sink->table->name, &log, err));
    TRY(kafka_find_topic(log, sink->options.topics[0], sink->table->name, &writer->topic, err));
    uint32_t count = log_topic_info(writer->topic).partition_count;
    writer->targets = mem_calloc(count, sizeof(*writer->targets));
    if (!writer->targets)
        return error_memory(err, "a kafka sink", count * sizeof(*writer->targets));
    for (uint32_t i = 0; i < count; i++)
        writer->targets[i] = (struct target){.watch = {.fire = watch_fired},
                                             .writer = writer,
                                             .partition = log_topic_partition(writer->topic, i),
                                             .end_offset = -1};
    writer->target_count = count;
    writer->turn = base->subtask;
    writer->compression = compression_of(&sink->options);
    size_t max_bytes = (size_t)log_topic_config(writer->topic).max_message_bytes;
    writer->batch_bytes = max_bytes < BATCH_BYTES ? max_bytes : BATCH_BYTES;
    return OK;
}

static void log_writer_free(struct kafka_writer *base)
{
    struct log_sink_writer *writer = (struct log_sink_writer *)base;
    for (uint32_t i = 0; i < writer->target_count; i++)
        log_watch_cancel(writer->targets[i].partition, &writer->targets[i].watch);
    mem_free(writer->targets);
    log_topic_unref(writer->topic);
    buf_fini(&writer->batch);
    buf_fini(&writer->scratch);
    mem_free(writer);
}

static bool log_writer_is_full(struct kafka_writer *base)
{
    return false;
}

static enum status append_batch(struct target *target, struct record_builder *builder,
                                struct error *err)
{
    struct log_sink_writer *writer = target->writer;

    TRY(record_builder_finish(builder, err));
    struct log_append append = {.batches = writer->batch.data, .size_bytes = writer->batch.length};
    enum status status = log_append(target->partition, &append, err);
    if (status == OK)
        target->end_offset = append.next_offset;
    else if (err)
        err->retriable = status == ERR_DISK_FULL;
    return status;
}

/* Rows first, first + step, ... to one partition. */
static enum status append_rows(struct target *target, uint32_t first, uint32_t step, uint32_t count,
                               struct error *err)
{
    struct log_sink_writer *writer = target->writer;
    const struct kafka_writer *base = &writer->base;
    int64_t now_ms = io_wall_us(base->sink->context->io) / 1000;
    struct record_builder builder;
    bool open = false;

    for (uint32_t i = first; i < count; i += step) {
        uint32_t length = base->offsets[i + 1] - base->offsets[i];
        if (open &&
            record_builder_size(&builder) + length + RECORD_OVERHEAD > writer->batch_bytes) {
            TRY(append_batch(target, &builder, err));
            open = false;
        }
        if (!open) {
            buf_clear(&writer->batch);
            record_builder_begin(&builder, &writer->batch, &writer->scratch, writer->compression);
            open = true;
        }
        record_builder_add(&builder, now_ms, NULL, -1, base->encoded.data + base->offsets[i],
                           (int32_t)length, NULL, 0);
    }
    return open ? append_batch(target, &builder, err) : OK;
}

static enum status log_writer_append(struct kafka_writer *base, uint32_t row_count,
                                     struct error *err)
{
    struct log_sink_writer *writer = (struct log_sink_writer *)base;
    uint32_t count = writer->target_count;

    switch (base->sink->options.partitioner) {
    case PARTITIONER_FIXED:
        return append_rows(&writer->targets[base->subtask % count], 0, 1, row_count, err);
    case PARTITIONER_ROUND_ROBIN:
        for (uint32_t i = 0; i < count && i < row_count; i++)
            TRY(append_rows(&writer->targets[(writer->turn + i) % count], i, count, row_count,
                            err));
        writer->turn += row_count;
        return OK;
    default:
        return append_rows(&writer->targets[writer->turn++ % count], 0, 1, row_count, err);
    }
}

static enum push_result log_writer_flush(struct kafka_writer *base, struct error *err)
{
    struct log_sink_writer *writer = (struct log_sink_writer *)base;
    enum push_result result = PUSH_DONE;

    if (base->sink->options.guarantee == GUARANTEE_NONE)
        return PUSH_DONE;
    for (uint32_t i = 0; i < writer->target_count; i++) {
        struct target *target = &writer->targets[i];
        struct log_offsets offsets;
        log_watch_cancel(target->partition, &target->watch);
        if (target->end_offset < 0 ||
            log_watch_arm(target->partition, &target->watch, target->end_offset - 1)) {
            result = target->end_offset < 0 ? result : PUSH_FULL;
            continue;
        }
        log_partition_offsets(target->partition, &offsets);
        if (offsets.high_watermark < target->end_offset) {
            (void)!error_set(
                err, ERR_IO, "partition %u of topic '%s' %s", i, log_topic_info(writer->topic).name,
                offsets.deleted ? "was deleted" : "cannot be written: an fsync has failed");
            return PUSH_ERROR;
        }
        target->end_offset = -1;
    }
    return result;
}

static bool log_writer_why(struct kafka_writer *base, struct buf *out)
{
    return false;
}

const struct kafka_sink_way KAFKA_LOG_SINK = {
    .writer_new = log_writer_new,
    .start = log_writer_start,
    .is_full = log_writer_is_full,
    .append = log_writer_append,
    .flush = log_writer_flush,
    .why = log_writer_why,
    .writer_free = log_writer_free,
};
