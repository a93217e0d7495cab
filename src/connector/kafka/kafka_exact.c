/* kafka_exact.c - the exactly-once kafka sink, on the tasks' side: rows wait in the sink's log
 * until their checkpoint exists (contracts.md rules 25, 26, 29); kafka_committer.c takes them from
 * there.
 *
 * What a batch appends to the log, little-endian: subtask u32 | rows u32 | { bytes u32 | value }
 * ... Owner thread: the task's.
 */
#include "connector/kafka/kafka_exact.h"

#include "base/must.h"

#define BLOCK_BYTES_MAX (512u << 20)

struct exact_writer {
    struct kafka_writer base;
    struct sink_log_writer *log;
    struct buf block; /* of a batch that the log has not taken yet */
};

static void put_u32(struct buf *out, uint32_t value)
{
    uint8_t bytes[4];
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> (8 * i));
    buf_append(out, bytes, sizeof(bytes));
}

static bool take_u32(const uint8_t **at, const uint8_t *end, uint32_t *out)
{
    if (end - *at < 4)
        return false;
    *out = 0;
    for (int i = 0; i < 4; i++)
        *out |= (uint32_t)(*at)[i] << (8 * i);
    *at += 4;
    return true;
}

enum status kafka_exact_rows(const struct buf *chunk, kafka_exact_row_fn each, void *context,
                             struct error *err)
{
    const uint8_t *at = chunk->data, *end = at + chunk->length;
    uint32_t subtask = 0, row_count = 0, length = 0;

    while (at < end) {
        bool good = take_u32(&at, end, &subtask) && take_u32(&at, end, &row_count);
        for (uint32_t i = 0; good && i < row_count; i++) {
            good = take_u32(&at, end, &length) && length <= (size_t)(end - at);
            if (good)
                TRY(each(context, subtask, at, length, err));
            at += good ? length : 0;
        }
        if (!good)
            return error_set(err, ERR_CORRUPT, "rows in the sink's log are cut off");
    }
    return OK;
}

static enum status exact_writer_new(struct kafka_writer **out, struct error *err)
{
    struct exact_writer *writer = mem_calloc(1, sizeof(*writer));
    if (!writer)
        return error_memory(err, "a kafka sink", sizeof(*writer));
    buf_init(&writer->block, BLOCK_BYTES_MAX);
    *out = &writer->base;
    return OK;
}

static enum status exact_writer_start(struct kafka_writer *base, struct error *err)
{
    struct exact_writer *writer = (struct exact_writer *)base;
    return sink_log_writer_open(base->sink->log, base->subtask, base->wake, &writer->log, err);
}

static void exact_writer_free(struct kafka_writer *base)
{
    struct exact_writer *writer = (struct exact_writer *)base;
    sink_log_writer_close(writer->log);
    buf_fini(&writer->block);
    mem_free(writer);
}

static bool exact_writer_is_full(struct kafka_writer *base)
{
    return false; /* the log says so itself */
}

static enum status exact_writer_append(struct kafka_writer *base, uint32_t row_count,
                                       struct error *err)
{
    struct exact_writer *writer = (struct exact_writer *)base;

    if (writer->block.length == 0) { /* else the same batch again */
        put_u32(&writer->block, base->subtask);
        put_u32(&writer->block, row_count);
        for (uint32_t i = 0; i < row_count; i++) {
            uint32_t length = base->offsets[i + 1] - base->offsets[i];
            put_u32(&writer->block, length);
            buf_append(&writer->block, base->encoded.data + base->offsets[i], length);
        }
    }
    TRY(buf_check(&writer->block, "rows for a topic", err));
    enum push_result result =
        sink_log_append(writer->log, writer->block.data, writer->block.length, row_count, err);
    if (result != PUSH_DONE)
        return result == PUSH_FULL ? ERR_AGAIN : err ? err->code : ERR_IO;
    buf_clear(&writer->block);
    return OK;
}

static enum push_result exact_writer_flush(struct kafka_writer *base, struct error *err)
{
    return sink_log_flush(((struct exact_writer *)base)->log, err);
}

static bool exact_writer_why(struct kafka_writer *base, struct buf *out)
{
    return false;
}

enum status kafka_exact_prepare(struct kafka_writer *base, struct sink_committables *out,
                                struct error *err)
{
    return sink_log_prepare(((struct exact_writer *)base)->log, out, err);
}

const struct kafka_sink_way KAFKA_EXACT_SINK = {
    .writer_new = exact_writer_new,
    .start = exact_writer_start,
    .is_full = exact_writer_is_full,
    .append = exact_writer_append,
    .flush = exact_writer_flush,
    .why = exact_writer_why,
    .writer_free = exact_writer_free,
};
