/* kafka_log_source.c - reading the log of the broker in this process.
 *
 *   log_read: blocks of whole batches ──▶ CRC ──▶ [decompress into a plain block] ──▶ cursor
 *       ──▶ arrays of pointers into the blocks, up to max_rows over borders of batches
 *
 * Nothing of an uncompressed record is copied. What lies between values, once parsed, is
 * overwritten with newlines unless headers are wanted: so a format can read many as one text
 * (run_ends of struct records); the blocks are this reader's own. Compressed batches are
 * decompressed into blocks that are used again; small ones share a block, since a hand-over refers
 * to a limited number of buffers. Reads stop at the last stable offset and step over what was
 * aborted (isolation.level read_committed, the default), or stop at the high watermark; control
 * batches are stepped over. A split that has read everything arms a watch on the high watermark,
 * without which the last stable offset does not move either, and waits. Owner thread: the task's;
 * the watch fires on the thread that advanced the high watermark.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/must.h"
#include "connector/kafka/kafka_int.h"
#include "connector/kafka/kafka_plain.h"
#include "kafka/record.h"
#include "log/log.h"
#include "os/logger.h"

#define BLOCK_BYTES      (256u << 10) /* stays in the cache from pread to the format */
#define SHARED_BYTES     (256u << 10) /* a plain block for small batches */
#define SMALL_BYTES      (64u << 10)  /* batches up to this share one */
#define DECOMPRESSED_MAX (100u << 20)
#define CURSOR_RECORDS   64

struct log_source {
    struct kafka_source base;
    struct log *log;
    uint32_t topic_count;
    struct topic_state {
        struct log_source *source;
        struct log_topic *topic;
        struct log_watch watch; /* fires when the topic has grown */
        uint32_t told;          /* partitions */
        uint32_t first; /* of these, what there was when the job began: the others came later */
    } * topics;
    bool named; /* all splits were told once */
};

struct log_source_reader {
    struct kafka_reader base;
    struct log_partition *partition;
    struct log_topic *topic;
    struct log_reader *reader;
    struct log_watch watch;
    struct wake *wake;
    bool armed;
    int64_t seen_high_watermark; /* when there was nothing more to read */
    struct kafka_position position;
    struct kafka_records own;
    struct plain_pool *pool;

    struct buffer *block; /* being read; also referenced by the records once used */
    size_t block_at;      /* of the next batch in it */
    struct buf aborted;   /* struct log_aborted: those of the block */
    bool in_batch;        /* cursor is open */
    struct record_batch batch;
    struct record_cursor cursor;
    struct buffer *plain;         /* NULL, or what the cursor's batch was decompressed into */
    struct plain *shared;         /* fills up with small decompressed batches */
    struct buffer *shared_buffer; /* over it */

    /* of the hand-over */
    struct buffer *run;       /* where the last run lies */
    const uint8_t *value_end; /* of the run's last value, or NULL */
};

/* Nobody asks for keys yet (key.format is not built), so without headers only values are told. */
static bool tells_values_only(const struct log_source_reader *reader)
{
    return !reader->own.wants_headers;
}

/* ---- source ---- */

static enum status log_source_open(struct kafka_source **out, struct error *err)
{
    struct log_source *source = mem_calloc(1, sizeof(*source));
    if (!source)
        return error_memory(err, "a kafka source", sizeof(*source));
    *out = &source->base;
    return OK;
}

enum status kafka_find_log(const struct plugin_context *context, const char *table_name,
                           struct log **out, struct error *err)
{
    if (!context->embedded_log)
        return error_set(err, ERR_UNSUPPORTED,
                         "table %s: 'properties.bootstrap.servers' is 'embedded', but this process "
                         "has no broker",
                         table_name);
    return context->embedded_log(context, out, err);
}

enum status kafka_find_topic(struct log *log, struct str name, const char *table_name,
                             struct log_topic **out, struct error *err)
{
    struct error local = {0};

    *out = log_topic_find(log, name);
    if (*out)
        return OK;
    enum status status = log_topic_create(log, name, 1, NULL, 0, out, &local);
    if (status == ERR_EXISTS) { /* another job was faster */
        *out = log_topic_find(log, name);
        if (*out)
            return OK;
    }
    if (status != OK)
        return error_set(err, status, "table %s: %s", table_name, local.text);
    logger_write(LOG_INFO, "kafka", "table %s: topic '%.*s' did not exist: made with 1 partition",
                 table_name, (int)name.length, name.data);
    return OK;
}

static void topic_grew(struct log_watch *watch)
{
    struct topic_state *state = container_of(watch, struct topic_state, watch);
    wake_notify(state->source->base.wake);
}

static enum status log_source_start(struct kafka_source *base, struct error *err)
{
    struct log_source *source = (struct log_source *)base;

    TRY(kafka_find_log(base->context, base->table_name, &source->log, err));
    source->topics = mem_calloc(base->options.topic_count, sizeof(*source->topics));
    if (!source->topics)
        return error_memory(err, "a kafka source", sizeof(*source->topics));
    for (; source->topic_count < base->options.topic_count; source->topic_count++) {
        struct topic_state *state = &source->topics[source->topic_count];
        state->source = source;
        state->watch.fire = topic_grew;
        TRY(kafka_find_topic(source->log, base->options.topics[source->topic_count],
                             base->table_name, &state->topic, err));
    }
    return OK;
}

static void log_source_close(struct kafka_source *base)
{
    struct log_source *source = (struct log_source *)base;
    for (uint32_t i = 0; i < source->topic_count; i++) {
        log_watch_cancel(log_topic_partition(source->topics[i].topic, 0), &source->topics[i].watch);
        log_topic_unref(source->topics[i].topic);
    }
    mem_free(source->topics);
    mem_free(source);
}

/* Anew, since it fires once. It also fires, or cannot be armed, when partition 0 is deleted or
 * fails, which its reader tells. */
static void watch_growth(struct topic_state *state)
{
    struct log_partition *partition = log_topic_partition(state->topic, 0);
    log_watch_cancel(partition, &state->watch);
    log_watch_arm(partition, &state->watch, INT64_MAX - 1);
}

static enum poll_result log_source_discover(struct kafka_source *base, source_split_fn each,
                                            void *context, int64_t *again_us, struct error *err)
{
    struct log_source *source = (struct log_source *)base;
    bool any = false;

    if (source->named && !kafka_discovers(base))
        return base->options.bounded == END_UNBOUNDED ? POLL_WAIT : POLL_END;
    for (uint32_t i = 0; i < source->topic_count; i++) {
        struct topic_state *state = &source->topics[i];
        if (kafka_discovers(base))
            watch_growth(state); /* before it is looked at */
        struct log_topic_info info = log_topic_info(state->topic);
        if (!source->named && !base->restored)
            state->first = info.partition_count;
        for (; state->told < info.partition_count; state->told++) {
            struct source_split split;
            snprintf(split.id, sizeof(split.id), "%s-%u", info.name, state->told);
            if (each(context, &split, err) != OK)
                return POLL_ERROR;
            any = true;
        }
    }
    source->named = true;
    return any ? POLL_ROWS : POLL_WAIT;
}

/* Up to where a reader of this source is shown anything: Kafka's "latest". */
static int64_t shown_end(const struct kafka_options *options, const struct log_offsets *offsets)
{
    return options->read_committed ? offsets->last_stable : offsets->high_watermark;
}

static bool log_source_why(struct kafka_source *base, struct buf *out)
{
    struct log_source *source = (struct log_source *)base;

    for (uint32_t i = 0; i < source->topic_count; i++) {
        struct log_partition *partition;
        for (uint32_t k = 0; (partition = log_topic_partition(source->topics[i].topic, k)); k++) {
            struct log_offsets offsets;
            log_partition_offsets(partition, &offsets);
            if (shown_end(&base->options, &offsets) < offsets.high_watermark) {
                buf_printf(out,
                           "partition %u of topic '%s' has a transaction that is open: what lies "
                           "from offset %" PRId64 " on waits for its end.",
                           k, log_topic_info(source->topics[i].topic).name, offsets.last_stable);
                return true;
            }
            if (offsets.failed) {
                buf_printf(out,
                           "partition %u of topic '%s' takes no records since an fsync failed.", k,
                           log_topic_info(source->topics[i].topic).name);
                return true;
            }
        }
    }
    return false;
}

/* ---- reader: where it begins and ends ---- */

static void watch_fired(struct log_watch *watch)
{
    struct log_source_reader *reader = container_of(watch, struct log_source_reader, watch);
    wake_notify(reader->wake);
}

static enum status offset_at_time(struct log_partition *partition, int64_t timestamp_ms,
                                  int64_t end, int64_t *out, struct error *err)
{
    int64_t found_ms;
    TRY(log_find_time(partition, timestamp_ms, out, &found_ms, err));
    if (*out < 0 || *out > end)
        *out = end;
    return OK;
}

static enum status declared_start(struct log_partition *partition,
                                  const struct kafka_options *options,
                                  const struct log_offsets *offsets, int64_t *offset,
                                  struct error *err)
{
    int32_t index = (int32_t)log_partition_index(partition);

    switch (options->start) {
    case START_GROUP: /* leat commits no offsets before checkpoints exist: there are none */
        *offset =
            options->reset == RESET_EARLIEST ? offsets->log_start : shown_end(options, offsets);
        return OK;
    case START_EARLIEST:
        *offset = offsets->log_start;
        return OK;
    case START_LATEST:
        *offset = shown_end(options, offsets);
        return OK;
    case START_TIMESTAMP:
        return offset_at_time(partition, options->start_timestamp_ms, shown_end(options, offsets),
                              offset, err);
    default:
        *offset =
            kafka_specific_offset(options->start_specifics, options->start_specific_count, index);
        if (*offset < 0)
            *offset = offsets->log_start;
        return OK;
    }
}

static enum status declared_end(struct log_partition *partition,
                                const struct kafka_options *options,
                                const struct log_offsets *offsets, int64_t *end, struct error *err)
{
    int32_t index = (int32_t)log_partition_index(partition);

    switch (options->bounded) {
    case END_LATEST:
        *end = shown_end(options, offsets);
        return OK;
    case END_TIMESTAMP:
        return offset_at_time(partition, options->end_timestamp_ms, shown_end(options, offsets),
                              end, err);
    case END_SPECIFIC:
        *end = kafka_specific_offset(options->end_specifics, options->end_specific_count, index);
        if (*end < 0)
            return error_set(err, ERR_OPTION,
                             "'scan.bounded.specific-offsets' does not name partition %d", index);
        return OK;
    default:
        *end = -1;
        return OK;
    }
}

/* Is what the position speaks of still there? A silent reset would lose or repeat rows. */
static enum status check_position(struct log_source_reader *reader, struct error *err)
{
    static const uint8_t unknown[KAFKA_UUID_BYTES];
    const struct kafka_position *position = &reader->position;
    struct log_topic_info info = log_topic_info(reader->topic);
    struct log_offsets offsets;
    int32_t epoch;
    int64_t end;
    enum status status = OK;

    log_partition_offsets(reader->partition, &offsets);
    if (memcmp(position->topic_id, unknown, sizeof(unknown)) != 0 &&
        memcmp(position->topic_id, info.id, sizeof(unknown)) != 0)
        status = error_set(err, ERR_RANGE, "it was deleted and made again since it was read");
    else if (position->offset < offsets.log_start)
        status = error_set(err, ERR_RANGE,
                           "offset %" PRId64 " is to be read next, but retention or a deletion has "
                           "removed everything below %" PRId64,
                           position->offset, offsets.log_start);
    else if (position->offset > offsets.end)
        status = error_set(err, ERR_RANGE,
                           "offset %" PRId64 " is to be read next, but it ends at %" PRId64,
                           position->offset, offsets.end);
    if (status == OK && position->leader_epoch >= 0) {
        log_epoch_end(reader->partition, position->leader_epoch, &epoch, &end);
        if (epoch < 0 || end < position->offset)
            status =
                error_set(err, ERR_RANGE,
                          "records up to offset %" PRId64 " were read in leader epoch %d, which "
                          "ended at %" PRId64 ": they were lost and others are there now",
                          position->offset, position->leader_epoch, end);
    }
    if (status != OK && err)
        err->fatal = true;
    return status;
}

static void log_reader_free(struct source_reader *base)
{
    struct log_source_reader *reader = (struct log_source_reader *)base;
    if (reader->armed)
        log_watch_cancel(reader->partition, &reader->watch);
    kafka_records_fini(&reader->own);
    buf_fini(&reader->aborted);
    buffer_unref(reader->block);
    buffer_unref(reader->plain);
    if (reader->shared_buffer)
        buffer_unref(reader->shared_buffer);
    else
        plain_give(reader->shared);
    plain_pool_close(reader->pool);
    log_reader_close(reader->reader);
    log_topic_unref(reader->topic);
    mem_free(reader);
}

static struct topic_state *topic_of(const struct log_source *source, struct str name)
{
    for (uint32_t i = 0; i < source->topic_count; i++)
        if (str_eq(str_of(log_topic_info(source->topics[i].topic).name), name))
            return &source->topics[i];
    return NULL;
}

/* As Flink does, what came after the job began is read from its earliest offset. */
static enum status log_source_begin(struct kafka_source *base, struct str topic, int32_t partition,
                                    struct kafka_position *out, struct error *err)
{
    struct topic_state *state = topic_of((struct log_source *)base, topic);
    struct log_partition *log = log_topic_partition(state->topic, (uint32_t)partition);
    struct log_offsets offsets;

    must(log);
    log_partition_offsets(log, &offsets);
    memcpy(out->topic_id, log_topic_info(state->topic).id, KAFKA_UUID_BYTES);
    if ((uint32_t)partition >= state->first)
        out->offset = offsets.log_start;
    else
        TRY(declared_start(log, &base->options, &offsets, &out->offset, err));
    return declared_end(log, &base->options, &offsets, &out->end_offset, err);
}

static enum status log_source_reader_open(struct kafka_source *base, struct str topic,
                                          int32_t partition, const struct kafka_position *position,
                                          struct wake *wake, struct source_reader **out,
                                          struct error *err)
{
    struct log_source *source = (struct log_source *)base;
    struct topic_state *state = topic_of(source, topic);
    struct log_source_reader *reader = mem_calloc(1, sizeof(*reader));
    enum status status = OK;

    if (!reader)
        return error_memory(err, "a kafka reader", sizeof(*reader));
    reader->base.source = base;
    reader->wake = wake;
    reader->watch.fire = watch_fired;
    buf_init(&reader->aborted, BLOCK_BYTES);
    must(state);
    reader->topic = log_topic_ref(state->topic);
    reader->partition = log_topic_partition(state->topic, (uint32_t)partition);
    if (!reader->partition)
        status = error_set(err, ERR_NOT_FOUND, "it is no partition of its topic any more");
    if (status == OK)
        status = kafka_records_init(&reader->own, base->wants_headers,
                                    log_topic_info(state->topic).name, partition, err);
    if (status == OK && tells_values_only(reader)) {
        reader->own.records.keys = NULL;
        reader->own.records.key_lengths = NULL;
    }
    if (status == OK)
        status = plain_pool_new(&reader->pool, base->owner, err);
    if (status == OK)
        status = log_reader_open(&reader->reader, reader->partition, err);
    reader->position = *position;
    if (status == OK)
        status = check_position(reader, err);
    if (status != OK) {
        error_prefix(err, "table %s: partition %d of topic '%.*s'", base->table_name, partition,
                     (int)topic.length, topic.data);
        log_reader_free((struct source_reader *)reader);
        return status;
    }
    *out = (struct source_reader *)reader;
    return OK;
}

static void log_reader_position(struct source_reader *base, struct kafka_position *out)
{
    *out = ((struct log_source_reader *)base)->position;
}

/* ---- reader: batches ---- */

/* Decompressed bytes need readable ones behind them. The buffer may move: the cursor goes along. */
static enum status pad(struct plain *plain, struct record_cursor *cursor, struct error *err)
{
    const uint8_t *before = plain->bytes.data;
    uint8_t *room = buf_room(&plain->bytes, BUFFER_PADDING);
    if (!room)
        return buf_check(&plain->bytes, "a decompressed batch", err);
    memset(room, 0, BUFFER_PADDING);
    cursor->next = plain->bytes.data + (cursor->next - before);
    cursor->end = plain->bytes.data + (cursor->end - before);
    return plain_account(plain, err);
}

/* A small decompressed batch moves to the shared block, so that many make one buffer. */
static enum status move_to_shared(struct log_source_reader *reader, struct plain *plain,
                                  struct error *err)
{
    size_t size_bytes = (size_t)(reader->cursor.end - reader->cursor.next);

    if (reader->shared_buffer && reader->shared->bytes.capacity - reader->shared->bytes.length <
                                     size_bytes + BUFFER_PADDING) {
        buffer_unref(reader->shared_buffer);
        reader->shared_buffer = NULL;
        reader->shared = NULL;
    }
    if (!reader->shared_buffer) {
        TRY(plain_take(reader->pool, &reader->shared, err));
        struct buf *bytes = &reader->shared->bytes;
        if (!buf_room(bytes, SHARED_BYTES))
            return buf_check(bytes, "decompressed batches", err);
        TRY(plain_account(reader->shared, err));
        memset(bytes->data, 0, bytes->capacity);
        TRY(plain_wrap(reader->shared, &reader->shared_buffer, err));
        reader->shared_buffer->size_bytes = bytes->capacity - BUFFER_PADDING;
    }
    struct buf *bytes = &reader->shared->bytes;
    uint8_t *to = bytes->data + bytes->length;
    memcpy(to, reader->cursor.next, size_bytes);
    bytes->length += size_bytes;
    reader->cursor.next = to;
    reader->cursor.end = to + size_bytes;
    plain_give(plain);
    reader->plain = buffer_ref(reader->shared_buffer);
    return OK;
}

static enum status open_compressed(struct log_source_reader *reader, struct error *err)
{
    struct plain *plain = NULL;

    TRY(plain_take(reader->pool, &plain, err));
    enum status status =
        record_cursor_open(&reader->cursor, &reader->batch, &plain->bytes, DECOMPRESSED_MAX, err);
    if (status == OK)
        status = pad(plain, &reader->cursor, err);
    if (status != OK) {
        plain_give(plain);
        return status;
    }
    if (plain->bytes.length <= SMALL_BYTES) {
        status = move_to_shared(reader, plain, err);
        if (status != OK)
            plain_give(plain);
        return status;
    }
    status = plain_wrap(plain, &reader->plain, err);
    if (status != OK)
        plain_give(plain);
    return status;
}

static bool same_kind(const struct records *records, const struct record_batch *batch)
{
    uint8_t type = batch->attributes & RECORD_APPEND_TIME ? 2 : 1;
    return records->leader_epoch == batch->leader_epoch && records->timestamp_type == type;
}

/* It belongs to a transaction that was aborted. */
static bool is_aborted(const struct log_source_reader *reader, const struct record_batch *batch)
{
    const struct log_aborted *aborted = (const struct log_aborted *)reader->aborted.data;
    size_t count = reader->aborted.length / sizeof(*aborted);

    if (!(batch->attributes & RECORD_TRANSACTIONAL))
        return false;
    for (size_t i = 0; i < count; i++)
        if (aborted[i].producer_id == batch->producer_id &&
            aborted[i].first_offset <= batch->base_offset &&
            batch->base_offset <= aborted[i].last_offset)
            return true;
    return false;
}

/* Open the batch at block_at. *out_over: it does not go into this hand-over. */
static enum status open_batch(struct log_source_reader *reader, bool *out_over, struct error *err)
{
    struct records *records = &reader->own.records;
    struct record_batch *batch = &reader->batch;

    TRY(record_batch_parse(batch, reader->block->data + reader->block_at,
                           reader->block->size_bytes - reader->block_at, err));
    if (records->count && !same_kind(records, batch)) {
        *out_over = true;
        return OK;
    }
    TRY(record_batch_check(batch, err));
    reader->block_at += batch->size_bytes;
    if (batch->attributes & RECORD_CONTROL || batch->record_count == 0 ||
        is_aborted(reader, batch)) {
        reader->position.offset = record_batch_last_offset(batch) + 1;
        return OK;
    }
    if (record_batch_compression(batch) == COMPRESSION_NONE)
        TRY(record_cursor_open(&reader->cursor, batch, NULL, 0, err));
    else
        TRY(open_compressed(reader, err));
    reader->in_batch = true;
    records->leader_epoch = batch->leader_epoch;
    records->timestamp_type = batch->attributes & RECORD_APPEND_TIME ? 2 : 1;
    return OK;
}

/* The hand-over refers to buffer from now on. False: it has no place for another one. */
static bool refer(struct records *records, struct buffer *buffer)
{
    for (uint32_t i = 0; i < records->buffer_count; i++)
        if (records->buffers[i] == buffer)
            return true;
    if (records->buffer_count == RECORDS_BUFFERS_MAX)
        return false;
    records->buffers[records->buffer_count++] = buffer_ref(buffer);
    return true;
}

static enum status copy_headers(struct kafka_records *own, uint32_t at, struct record *record,
                                struct error *err)
{
    struct record_header header;
    uint32_t count = (uint32_t)record->header_count;

    own->header_counts_own[at] = count;
    own->headers_own[at] = NULL;
    if (count == 0)
        return OK;
    struct payload_header *headers = ARENA_ARRAY(&own->headers_arena, count, struct payload_header);
    TRY(arena_check(&own->headers_arena, "record headers", err));
    own->headers_own[at] = headers;
    for (uint32_t i = 0; i < count; i++) {
        TRY(record_headers_next(record, &header, err));
        headers[i].key = (struct str){(const char *)header.key, (size_t)header.key_bytes};
        headers[i].value = header.value;
        headers[i].value_length =
            header.value_bytes < 0 ? RECORD_NULL : (uint32_t)header.value_bytes;
    }
    return OK;
}

/* Whatever a producer sent, it wraps rather than overflows. */
static int64_t timestamp_us(const struct record_batch *batch, int64_t delta_ms)
{
    return (int64_t)((uint64_t)record_timestamp_ms(batch, delta_ms) * 1000);
}

/* Newlines from the last value of the run up to this one. */
static inline void space(struct log_source_reader *reader, const struct record *record)
{
    static const uint64_t newlines = UINT64_C(0x0a0a0a0a0a0a0a0a);
    uint8_t *from = (uint8_t *)reader->value_end;
    size_t size = from ? (size_t)(record->value - from) : 0;
    if (size >= 8 && size <= 16) { /* nearly always */
        memcpy(from, &newlines, 8);
        memcpy(from + size - 8, &newlines, 8);
    } else if (size > 0) {
        memset(from, '\n', size);
    }
    reader->value_end = record->value + record->value_bytes;
}

/* Records of the open batch into the arrays. Those below the position were read before, those from
 * limit on are not wanted. */
static enum status take_records(struct log_source_reader *reader, const struct record *from,
                                uint32_t count, int64_t limit, struct error *err)
{
    struct kafka_records *own = &reader->own;
    struct records *records = &own->records;
    const struct record_batch *batch = &reader->batch;
    int64_t base_offset = batch->base_offset, position = reader->position.offset;
    uint32_t at = records->count;
    bool values_only = tells_values_only(reader);

    for (uint32_t i = 0; i < count; i++) {
        int64_t offset = base_offset + from[i].offset_delta;
        if (offset < position)
            continue;
        if (offset >= limit)
            break;
        bool is_null = from[i].value_bytes < 0;
        if (values_only && !is_null)
            space(reader, &from[i]);
        records->values[at] = is_null ? NULL : from[i].value;
        records->value_lengths[at] = is_null ? RECORD_NULL : (uint32_t)from[i].value_bytes;
        records->offsets[at] = offset;
        records->timestamps_us[at] = timestamp_us(batch, from[i].timestamp_delta);
        if (!values_only) {
            struct record record = from[i];
            records->keys[at] = from[i].key;
            records->key_lengths[at] = (uint32_t)from[i].key_bytes;
            TRY(copy_headers(own, at, &record, err));
        }
        at++;
        position = offset + 1;
    }
    if (at > records->count)
        reader->position.leader_epoch = batch->leader_epoch;
    records->count = at;
    reader->position.offset = position;
    return OK;
}

/* From the open batch until it or the room is at its end. *out_over: no place for its buffer. */
static enum status read_batch(struct log_source_reader *reader, uint32_t max_rows, int64_t limit,
                              bool *out_over, struct error *err)
{
    struct records *records = &reader->own.records;
    struct record read[CURSOR_RECORDS];
    uint32_t got = 1;

    struct buffer *buffer = reader->plain ? reader->plain : reader->block;
    if ((reader->run != buffer && records->run_count == RECORDS_BUFFERS_MAX) ||
        !refer(records, buffer)) {
        *out_over = true;
        return OK;
    }
    if (reader->run != buffer) {
        reader->run = buffer;
        reader->value_end = NULL;
        records->run_ends[records->run_count++] = records->count; /* there may be none in it */
    }
    while (records->count < max_rows) {
        uint32_t room = max_rows - records->count;
        TRY(record_cursor_read(&reader->cursor, read, room < CURSOR_RECORDS ? room : CURSOR_RECORDS,
                               &got, err));
        if (got == 0)
            break;
        TRY(take_records(reader, read, got, limit, err));
        records->run_ends[records->run_count - 1] = records->count;
    }
    if (got > 0)
        return OK;
    int64_t end = record_batch_last_offset(&reader->batch) + 1;
    if (end > reader->position.offset) /* compaction has taken the last ones */
        reader->position.offset = end < limit ? end : limit;
    reader->in_batch = false;
    buffer_unref(reader->plain);
    reader->plain = NULL;
    return OK;
}

/* The next block. *out_wait: there is none now. */
static enum status next_block(struct log_source_reader *reader, int64_t limit, bool *out_wait,
                              struct error *err)
{
    const struct kafka_options *options = &reader->base.source->options;
    struct log_offsets offsets;

    log_partition_offsets(reader->partition, &offsets);
    int64_t end = shown_end(options, &offsets);
    struct log_read read = {.offset = reader->position.offset,
                            .limit_offset = limit < end ? limit : end,
                            .max_bytes = BLOCK_BYTES,
                            .whole_batch = true};
    buffer_unref(reader->block);
    reader->block = NULL;
    buf_clear(&reader->aborted);
    TRY(log_read(reader->reader, &read, err));
    reader->block = read.block;
    reader->block_at = 0;
    *out_wait = read.block == NULL;
    reader->seen_high_watermark = offsets.high_watermark;
    if (read.block && options->read_committed)
        return log_aborted_list(reader->partition, read.offset, read.next_offset, &reader->aborted,
                                err);
    /* an end is reached by position: nothing is left below it, though no record lay just before */
    if (!read.block && end >= limit)
        reader->position.offset = limit;
    return OK;
}

static enum poll_result read_failed(struct log_source_reader *reader, enum status status,
                                    struct error *err)
{
    error_prefix(err, "table %s: partition %u of topic '%s', offset %" PRId64,
                 reader->base.source->table_name, log_partition_index(reader->partition),
                 log_topic_info(reader->topic).name, reader->position.offset);
    if (err)
        err->fatal = status == ERR_RANGE || status == ERR_NOT_FOUND || status == ERR_CORRUPT;
    return POLL_ERROR;
}

/* A partition that has failed takes no more records in this process: no watch is armed, and what
 * could be read has been. log_source_why tells it. */
static bool is_over(const struct log_source_reader *reader)
{
    struct log_offsets offsets;
    log_partition_offsets(reader->partition, &offsets);
    return offsets.failed && !offsets.deleted &&
           shown_end(&reader->base.source->options, &offsets) <= reader->position.offset;
}

/* Nothing was read: at the end, or wait for more. */
static enum poll_result at_end_or_wait(struct log_source_reader *reader, bool *out_again)
{
    if (reader->position.end_offset >= 0 && reader->position.offset >= reader->position.end_offset)
        return POLL_END;
    if (reader->armed)
        log_watch_cancel(reader->partition, &reader->watch);
    reader->armed = log_watch_arm(reader->partition, &reader->watch, reader->seen_high_watermark);
    *out_again = !reader->armed && !is_over(reader);
    return POLL_WAIT;
}

static enum poll_result log_reader_poll(struct source_reader *base, uint32_t max_rows,
                                        struct source_output *out, struct error *err)
{
    struct log_source_reader *reader = (struct log_source_reader *)base;
    struct records *records = &reader->own.records;
    int64_t limit = reader->position.end_offset >= 0 ? reader->position.end_offset : INT64_MAX;
    bool wait = false, over = false, again = true;
    enum status status = OK;

    kafka_records_clear(&reader->own);
    reader->run = NULL;
    while (again) {
        again = false;
        wait = false;
        while (status == OK && !wait && !over && records->count < max_rows &&
               reader->position.offset < limit) {
            if (reader->in_batch)
                status = read_batch(reader, max_rows, limit, &over, err);
            else if (reader->block && reader->block_at < reader->block->size_bytes)
                status = open_batch(reader, &over, err);
            else
                status = next_block(reader, limit, &wait, err);
        }
        if (status != OK)
            return read_failed(reader, status, err);
        if (records->count > 0)
            break;
        enum poll_result result = at_end_or_wait(reader, &again);
        if (!again)
            return result;
    }
    if (!tells_values_only(reader))
        records->run_count = 0;
    out->records = records;
    return POLL_ROWS;
}

const struct kafka_source_way KAFKA_LOG_SOURCE = {
    .open = log_source_open,
    .start = log_source_start,
    .discover = log_source_discover,
    .begin = log_source_begin,
    .reader_open = log_source_reader_open,
    .poll = log_reader_poll,
    .position = log_reader_position,
    .why = log_source_why,
    .reader_close = log_reader_free,
    .close = log_source_close,
};
