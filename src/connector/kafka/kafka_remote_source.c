/* kafka_remote_source.c - reading through librdkafka.
 *
 *   I/O pool: metadata, watermarks, offsets by time (calls that block) ──▶ partitions, starts, ends
 *   librdkafka's threads: fetch ──▶ one queue a partition ──wake──▶ poll: copy payloads into blocks
 *
 * Partitions are started one by one with offsets of our own; librdkafka commits nothing, resets
 * nothing (an offset out of range stops the job) and is never paused or sought. The queue is served
 * by callback, which takes its lock once for many messages; payloads are copied, so that
 * librdkafka's memory is given back at once and stays within its limits.
 * A missing topic or a broker that is away is retried every second; why() says so.
 * Owner threads: the task's, and for the look-ups one job at a time on the I/O pool; lock guards
 * what both touch.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/must.h"
#include "connector/kafka/kafka_client.h"
#include "connector/kafka/kafka_int.h"
#include "connector/kafka/kafka_plain.h"
#include "os/logger.h"

#define CALL_TIMEOUT_MS 5000
#define RETRY_US        1000000
#define COPY_BYTES      (512u << 10) /* payloads of one hand-over, about */

struct known_partition { /* found by the look-up */
    uint32_t topic;      /* index into the options */
    int32_t partition;
    int64_t start_offset, end_offset; /* end -1: none */
    bool told;
};

struct remote_source {
    struct kafka_source base;
    rd_kafka_t *client;
    rd_kafka_queue_t *events; /* of the client itself: errors */
    rd_kafka_topic_t *topics[KAFKA_TOPICS_MAX];
    struct io_job job;

    struct mutex lock;
    struct condition changed;
    bool looking, closing;
    bool looked;       /* a look-up succeeded */
    int64_t looked_us; /* monotonic: when */
    struct known_partition *known;
    uint32_t known_count, known_capacity;
    char trouble[ERROR_TEXT_MAX]; /* why there is nothing, "" when all is well */
    struct error failure;         /* fatal; code OK: none */
};

struct remote_reader {
    struct kafka_reader base;
    rd_kafka_topic_t *topic;
    rd_kafka_queue_t *queue;
    struct wake *wake;
    bool started;
    bool unproven; /* the record at position.last_offset has still to be seen as it was */
    bool restart;  /* fetching has to start anew */
    struct kafka_position position;
    struct kafka_records own;
    struct plain_pool *pool;
    struct plain *plain; /* payloads of the hand-over being filled */
    uint32_t max_rows;
    enum status status; /* of the callback */
    struct error failure;
};

/* ---- the client ---- */

static void on_error(rd_kafka_t *client, int code, const char *reason, void *opaque)
{
    struct remote_source *source = opaque;
    mutex_lock(&source->lock);
    snprintf(source->trouble, sizeof(source->trouble), "%s", reason);
    mutex_unlock(&source->lock);
}

static void on_event(rd_kafka_t *client, void *opaque)
{
    struct remote_source *source = opaque;
    wake_notify(source->base.wake); /* discover takes it */
}

static void on_log(const rd_kafka_t *client, int level, const char *facility, const char *text)
{
    logger_write(level <= 3 ? LOG_WARN : LOG_DEBUG, "kafka", "%s: %s", facility, text);
}

static enum status remote_open(struct kafka_source **out, struct error *err)
{
    struct remote_source *source = mem_calloc(1, sizeof(*source));
    if (!source)
        return error_memory(err, "a kafka source", sizeof(*source));
    mutex_init(&source->lock);
    condition_init(&source->changed);
    *out = &source->base;
    return OK;
}

static enum status remote_start(struct kafka_source *base, struct error *err)
{
    struct remote_source *source = (struct remote_source *)base;
    rd_kafka_conf_t *conf = NULL;
    char text[256];

    TRY(kafka_client_conf(&base->options, false, &conf, err));
    rd_kafka_conf_set_opaque(conf, source);
    rd_kafka_conf_set_error_cb(conf, on_error);
    rd_kafka_conf_set_log_cb(conf, on_log);
    source->client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    if (!source->client) {
        rd_kafka_conf_destroy(conf);
        return error_set(err, ERR_OPTION, "table %s: the Kafka client cannot start: %s",
                         base->table_name, text);
    }
    source->events = rd_kafka_queue_get_main(source->client);
    rd_kafka_queue_cb_event_enable(source->events, on_event, source);
    for (uint32_t i = 0; i < base->options.topic_count; i++) {
        struct str name = base->options.topics[i];
        const char *copy = arena_strndup(&base->arena, name.data, name.length);
        source->topics[i] = copy ? rd_kafka_topic_new(source->client, copy, NULL) : NULL;
        if (!source->topics[i])
            return error_set(err, ERR_NAME, "table %s: '%.*s' is not a topic name",
                             base->table_name, (int)name.length, name.data);
    }
    return OK;
}

static void remote_close(struct kafka_source *base)
{
    struct remote_source *source = (struct remote_source *)base;

    mutex_lock(&source->lock);
    source->closing = true;
    condition_broadcast(&source->changed);
    while (source->looking)
        condition_wait(&source->changed, &source->lock);
    mutex_unlock(&source->lock);
    for (uint32_t i = 0; i < base->options.topic_count; i++)
        if (source->topics[i])
            rd_kafka_topic_destroy(source->topics[i]);
    if (source->events) {
        rd_kafka_queue_cb_event_enable(source->events, NULL, NULL);
        rd_kafka_queue_destroy(source->events);
    }
    if (source->client)
        rd_kafka_destroy(source->client);
    condition_fini(&source->changed);
    mutex_fini(&source->lock);
    mem_free(source->known);
    mem_free(source);
}

/* ---- looking up partitions, starts and ends: on the I/O pool ---- */

static enum status watermarks(struct remote_source *source, const char *topic, int32_t partition,
                              int64_t *low, int64_t *high, struct error *err)
{
    rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(source->client, topic, partition,
                                                                low, high, CALL_TIMEOUT_MS);
    if (code)
        return kafka_client_error(code, err, "offsets of partition %d of topic '%s'", partition,
                                  topic);
    return OK;
}

enum look { LOOK_TIME, LOOK_COMMITTED };

/* The offset for a time, or the group's committed one; -1 when there is none. */
static enum status look_offset(struct remote_source *source, const char *topic, int32_t partition,
                               enum look look, int64_t timestamp_ms, int64_t *out,
                               struct error *err)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *entry = rd_kafka_topic_partition_list_add(list, topic, partition);
    rd_kafka_resp_err_t code;

    entry->offset = timestamp_ms;
    if (look == LOOK_TIME)
        code = rd_kafka_offsets_for_times(source->client, list, CALL_TIMEOUT_MS);
    else
        code = rd_kafka_committed(source->client, list, CALL_TIMEOUT_MS);
    if (!code)
        code = entry->err;
    *out = entry->offset >= 0 ? entry->offset : -1;
    rd_kafka_topic_partition_list_destroy(list);
    if (code)
        return kafka_client_error(
            code, err, "%s of partition %d of topic '%s'",
            look == LOOK_TIME ? "the offset for a time" : "the group's offset", partition, topic);
    return OK;
}

/* As Flink does, what came after the job began is read from its earliest offset. */
static enum status look_start(struct remote_source *source, const char *topic,
                              struct known_partition *known, int64_t low, int64_t high,
                              struct error *err)
{
    const struct kafka_options *options = &source->base.options;
    int64_t *offset = &known->start_offset;

    *offset = -1;
    switch (source->looked || source->base.restored ? START_EARLIEST : options->start) {
    case START_EARLIEST:
        *offset = low;
        return OK;
    case START_LATEST:
        *offset = high;
        return OK;
    case START_TIMESTAMP:
        TRY(look_offset(source, topic, known->partition, LOOK_TIME, options->start_timestamp_ms,
                        offset, err));
        if (*offset < 0)
            *offset = high;
        return OK;
    case START_GROUP:
        if (options->group_id)
            TRY(look_offset(source, topic, known->partition, LOOK_COMMITTED, -1, offset, err));
        if (*offset < 0)
            *offset = options->reset == RESET_EARLIEST ? low : high;
        return OK;
    default:
        *offset = kafka_specific_offset(options->start_specifics, options->start_specific_count,
                                        known->partition);
        if (*offset < 0)
            *offset = low;
        return OK;
    }
}

static enum status look_end(struct remote_source *source, const char *topic,
                            struct known_partition *known, int64_t high, struct error *err)
{
    const struct kafka_options *options = &source->base.options;
    int64_t *end = &known->end_offset;

    *end = -1;
    if (options->bounded == END_LATEST)
        *end = high;
    if (options->bounded == END_TIMESTAMP) {
        TRY(look_offset(source, topic, known->partition, LOOK_TIME, options->end_timestamp_ms, end,
                        err));
        if (*end < 0)
            *end = high;
    }
    if (options->bounded == END_SPECIFIC) {
        *end = kafka_specific_offset(options->end_specifics, options->end_specific_count,
                                     known->partition);
        if (*end < 0) {
            error_set(err, ERR_OPTION, "'scan.bounded.specific-offsets' does not name partition %d",
                      known->partition);
            if (err)
                err->fatal = true;
            return ERR_OPTION;
        }
    }
    return OK;
}

static bool is_known(struct remote_source *source, uint32_t topic, int32_t partition)
{
    bool found = false;
    mutex_lock(&source->lock);
    for (uint32_t i = 0; i < source->known_count && !found; i++)
        found = source->known[i].topic == topic && source->known[i].partition == partition;
    mutex_unlock(&source->lock);
    return found;
}

static enum status add_known(struct remote_source *source, const struct known_partition *known,
                             struct error *err)
{
    enum status status = OK;
    mutex_lock(&source->lock);
    if (source->known_count == source->known_capacity) {
        uint32_t wanted = source->known_capacity ? source->known_capacity * 2 : 8;
        struct known_partition *grown = mem_realloc(source->known, wanted * sizeof(*grown));
        if (grown) {
            source->known = grown;
            source->known_capacity = wanted;
        } else {
            status = error_memory(err, "a list of partitions", wanted * sizeof(*grown));
        }
    }
    if (status == OK)
        source->known[source->known_count++] = *known;
    mutex_unlock(&source->lock);
    return status;
}

/* The topic does not exist: say so, with the nearest one there is. */
static enum status missing_topic(struct remote_source *source, const char *topic, struct error *err)
{
    const struct rd_kafka_metadata *all = NULL;
    const char *nearest = NULL;

    if (rd_kafka_metadata(source->client, 1, NULL, &all, CALL_TIMEOUT_MS) ==
        RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char **names = mem_alloc((size_t)(all->topic_cnt + 1) * sizeof(char *));
        for (int i = 0; names && i < all->topic_cnt; i++)
            names[i] = all->topics[i].topic;
        if (names)
            nearest = str_nearest(str_of(topic), names, (size_t)all->topic_cnt);
        mem_free(names);
    }
    error_set(err, ERR_NOT_FOUND, "topic '%s' does not exist%s%s%s", topic,
              nearest ? "; did you mean '" : "", nearest ? nearest : "", nearest ? "'?" : "");
    if (err)
        err->retriable = true;
    if (all)
        rd_kafka_metadata_destroy(all);
    return ERR_NOT_FOUND;
}

static enum status look_topic(struct remote_source *source, uint32_t index, struct error *err)
{
    const struct rd_kafka_metadata *metadata = NULL;
    const char *topic = rd_kafka_topic_name(source->topics[index]);
    rd_kafka_resp_err_t code =
        rd_kafka_metadata(source->client, 0, source->topics[index], &metadata, CALL_TIMEOUT_MS);

    if (code)
        return kafka_client_error(code, err, "topic '%s' at %s", topic,
                                  source->base.options.bootstrap_servers);
    enum status status = OK;
    code = metadata->topic_cnt ? metadata->topics[0].err : RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC;
    if (code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
        status = missing_topic(source, topic, err);
    else if (code)
        status = kafka_client_error(code, err, "topic '%s'", topic);
    for (int i = 0; status == OK && i < metadata->topics[0].partition_cnt; i++) {
        struct known_partition known = {index, metadata->topics[0].partitions[i].id, -1, -1, false};
        int64_t low = 0, high = 0;
        if (is_known(source, index, known.partition))
            continue;
        status = watermarks(source, topic, known.partition, &low, &high, err);
        if (status == OK)
            status = look_start(source, topic, &known, low, high, err);
        if (status == OK)
            status = look_end(source, topic, &known, high, err);
        if (status == OK)
            status = add_known(source, &known, err);
    }
    rd_kafka_metadata_destroy(metadata);
    return status;
}

/* Waits for the next try or discovery. False: the source closes. */
static bool rest(struct remote_source *source, int64_t us)
{
    struct io *io = source->base.context->io;
    int64_t until_us = io_monotonic_us(io) + us, left_us = us;

    mutex_lock(&source->lock);
    while (!source->closing && left_us > 0) {
        condition_wait_for(&source->changed, &source->lock, left_us);
        left_us = until_us - io_monotonic_us(io);
    }
    bool go_on = !source->closing;
    mutex_unlock(&source->lock);
    return go_on;
}

static void look_up(struct io_job *job)
{
    struct remote_source *source = container_of(job, struct remote_source, job);
    bool go_on = true, found = false;

    while (go_on && !found) {
        struct error err = {0};
        enum status status = OK;
        for (uint32_t i = 0; i < source->base.options.topic_count && status == OK; i++)
            status = look_topic(source, i, &err);
        found = status == OK;
        mutex_lock(&source->lock);
        snprintf(source->trouble, sizeof(source->trouble), "%s", found ? "" : err.text);
        source->looked |= found;
        source->looked_us = io_monotonic_us(source->base.context->io);
        if (!found && err.fatal)
            source->failure = err;
        go_on = !source->closing && !(!found && err.fatal);
        mutex_unlock(&source->lock);
        if (go_on && !found)
            go_on = rest(source, RETRY_US);
    }
}

static void looked_up(struct io_job *job)
{
    struct remote_source *source = container_of(job, struct remote_source, job);
    struct wake *wake = source->base.wake;

    mutex_lock(&source->lock);
    if (!source->closing)
        wake_notify(wake);
    source->looking = false;
    condition_broadcast(&source->changed);
    mutex_unlock(&source->lock);
}

static void begin_look_up(struct remote_source *source) /* lock held */
{
    source->looking = true;
    source->job.run = look_up;
    source->job.done = looked_up;
    io_pool_submit(source->base.context->io_pool, &source->job);
}

static enum poll_result remote_discover(struct kafka_source *base, source_split_fn each,
                                        void *context, int64_t *again_us, struct error *err)
{
    struct remote_source *source = (struct remote_source *)base;
    bool any = false;
    enum poll_result result = POLL_WAIT;

    rd_kafka_poll(source->client, 0); /* brings on_error */
    mutex_lock(&source->lock);
    if (source->failure.code != OK) {
        if (err)
            *err = source->failure;
        error_prefix(err, "table %s", base->table_name);
        mutex_unlock(&source->lock);
        return POLL_ERROR;
    }
    for (uint32_t i = 0; i < source->known_count && !source->looking; i++) {
        struct source_split split;
        if (source->known[i].told)
            continue;
        snprintf(split.id, sizeof(split.id), "%s-%d",
                 rd_kafka_topic_name(source->topics[source->known[i].topic]),
                 source->known[i].partition);
        if (each(context, &split, err) != OK) {
            mutex_unlock(&source->lock);
            return POLL_ERROR;
        }
        source->known[i].told = any = true;
    }
    /* In trouble a look-up that succeeds says that it is over. */
    bool in_trouble = source->trouble[0] != '\0', repeats = kafka_discovers(base) || in_trouble;
    int64_t due_us =
        source->looked_us + (in_trouble ? RETRY_US : base->options.discovery_ms * 1000);
    bool due = !source->looked || (repeats && io_monotonic_us(base->context->io) >= due_us);
    if (any)
        result = POLL_ROWS;
    else if (source->looked && base->options.bounded != END_UNBOUNDED)
        result = POLL_END;
    else if (due && !source->looking)
        begin_look_up(source);
    else if (repeats && !source->looking)
        *again_us = due_us;
    mutex_unlock(&source->lock);
    return result;
}

static bool remote_why(struct kafka_source *base, struct buf *out)
{
    struct remote_source *source = (struct remote_source *)base;
    mutex_lock(&source->lock);
    bool said = source->trouble[0] != '\0';
    if (said)
        buf_printf(out, "Kafka at %s: %s; trying again.", base->options.bootstrap_servers,
                   source->trouble);
    else if (!source->looked)
        buf_printf(out, "Kafka at %s has not answered yet.", base->options.bootstrap_servers);
    said |= !source->looked;
    mutex_unlock(&source->lock);
    return said;
}

/* ---- reader ---- */

static void on_messages(rd_kafka_t *client, void *opaque)
{
    struct remote_reader *reader = opaque;
    wake_notify(reader->wake);
}

/* Fetching starts, or starts anew; with the record that was read last while that one is unproven.
 */
static enum status consume(struct remote_reader *reader, struct error *err)
{
    int32_t partition = reader->own.records.partition;
    int64_t offset = reader->unproven ? reader->position.last_offset : reader->position.offset;

    if (reader->started)
        rd_kafka_consume_stop(reader->topic, partition);
    reader->started =
        !rd_kafka_consume_start_queue(reader->topic, partition, offset, reader->queue);
    reader->restart = !reader->started;
    return reader->started
               ? OK
               : kafka_client_error(rd_kafka_last_error(), err, "offset %" PRId64, offset);
}

static void remote_reader_close(struct source_reader *base)
{
    struct remote_reader *reader = (struct remote_reader *)base;
    if (reader->queue)
        rd_kafka_queue_cb_event_enable(reader->queue, NULL, NULL);
    if (reader->started)
        rd_kafka_consume_stop(reader->topic, reader->own.records.partition);
    if (reader->queue)
        rd_kafka_queue_destroy(reader->queue);
    kafka_records_fini(&reader->own);
    plain_give(reader->plain);
    plain_pool_close(reader->pool);
    mem_free(reader);
}

static bool remote_discovered(struct kafka_source *base)
{
    struct remote_source *source = (struct remote_source *)base;
    mutex_lock(&source->lock);
    bool discovered = source->looked && !source->looking;
    mutex_unlock(&source->lock);
    return discovered;
}

static uint32_t topic_index(const struct kafka_source *base, struct str topic)
{
    uint32_t index = 0;
    while (!str_eq(base->options.topics[index], topic))
        index++;
    return index;
}

/* What the look-up found. */
static enum status remote_begin(struct kafka_source *base, struct str topic, int32_t partition,
                                struct kafka_position *out, struct error *err)
{
    struct remote_source *source = (struct remote_source *)base;
    uint32_t index = topic_index(base, topic);

    mutex_lock(&source->lock);
    for (uint32_t i = 0; i < source->known_count; i++)
        if (source->known[i].topic == index && source->known[i].partition == partition) {
            out->offset = source->known[i].start_offset;
            out->end_offset = source->known[i].end_offset;
        }
    mutex_unlock(&source->lock);
    must(out->offset >= 0); /* it was told */
    return OK;
}

static enum status remote_reader_open(struct kafka_source *base, struct str topic,
                                      int32_t partition, const struct kafka_position *position,
                                      struct wake *wake, struct source_reader **out,
                                      struct error *err)
{
    struct remote_source *source = (struct remote_source *)base;
    struct remote_reader *reader = mem_calloc(1, sizeof(*reader));
    uint32_t index = topic_index(base, topic);
    enum status status = OK;

    if (!reader)
        return error_memory(err, "a kafka reader", sizeof(*reader));
    reader->base.source = base;
    reader->topic = source->topics[index];
    reader->wake = wake;
    reader->position = *position;
    reader->unproven = position->last_offset >= 0;
    status = kafka_records_init(&reader->own, base->wants_headers,
                                rd_kafka_topic_name(reader->topic), partition, err);
    if (status == OK)
        status = plain_pool_new(&reader->pool, base->owner, err);
    if (status == OK) {
        reader->queue = rd_kafka_queue_new(source->client);
        rd_kafka_queue_cb_event_enable(reader->queue, on_messages, reader);
        status = consume(reader, err);
    }
    if (status != OK) {
        error_prefix(err, "table %s: partition %d of topic '%s'", base->table_name, partition,
                     rd_kafka_topic_name(reader->topic));
        remote_reader_close((struct source_reader *)reader);
    } else {
        *out = (struct source_reader *)reader;
    }
    return status;
}

static void remote_reader_position(struct source_reader *base, struct kafka_position *out)
{
    *out = ((struct remote_reader *)base)->position;
}

static bool at_end(const struct remote_reader *reader)
{
    return reader->position.end_offset >= 0 &&
           reader->position.offset >= reader->position.end_offset;
}

/* Offsets in the block until it is wrapped: it may move while it grows. */
static size_t copy_bytes(struct remote_reader *reader, const void *bytes, size_t size_bytes)
{
    size_t at = reader->plain->bytes.length;
    buf_append(&reader->plain->bytes, bytes, size_bytes);
    return at;
}

static enum status copy_headers(struct remote_reader *reader, const rd_kafka_message_t *message,
                                uint32_t at)
{
    struct kafka_records *own = &reader->own;
    rd_kafka_headers_t *headers = NULL;
    const char *name;
    const void *value;
    size_t value_bytes;

    own->header_counts_own[at] = 0;
    own->headers_own[at] = NULL;
    if (rd_kafka_message_headers(message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return OK;
    size_t count = rd_kafka_header_cnt(headers);
    struct payload_header *copies = ARENA_ARRAY(&own->headers_arena, count, struct payload_header);
    TRY(arena_check(&own->headers_arena, "record headers", &reader->failure));
    for (size_t i = 0; i < count; i++) {
        if (rd_kafka_header_get_all(headers, i, &name, &value, &value_bytes) !=
            RD_KAFKA_RESP_ERR_NO_ERROR)
            break;
        char *name_copy = arena_strndup(&own->headers_arena, name, strlen(name));
        char *value_copy =
            arena_strndup(&own->headers_arena, value ? value : "", value ? value_bytes : 0);
        TRY(arena_check(&own->headers_arena, "record headers", &reader->failure));
        copies[i].key = str_of(name_copy);
        copies[i].value = (const uint8_t *)value_copy;
        copies[i].value_length = value ? (uint32_t)value_bytes : RECORD_NULL;
    }
    own->headers_own[at] = copies;
    own->header_counts_own[at] = (uint32_t)count;
    return OK;
}

/* librdkafka 2.0 tells neither topic id nor leader epoch: what is known of the log that was read is
 * its last record. */
static uint64_t record_hash(int64_t timestamp_us, const void *key, size_t key_bytes,
                            const void *value, size_t value_bytes)
{
    uint64_t hash = hash_bytes_seed(key, key_bytes, (uint64_t)timestamp_us);
    return hash_bytes_seed(value, value_bytes, hash);
}

static int64_t timestamp_us(const rd_kafka_message_t *message, rd_kafka_timestamp_type_t *type)
{
    return (int64_t)((uint64_t)rd_kafka_message_timestamp(message, type) * 1000);
}

/* The first record that comes: the one that was read last, unless compaction has taken it. */
static void prove(struct remote_reader *reader, const rd_kafka_message_t *message)
{
    const struct kafka_position *position = &reader->position;
    rd_kafka_timestamp_type_t type;

    reader->unproven = false;
    if (message->offset != position->last_offset ||
        record_hash(timestamp_us(message, &type), message->key, message->key_len, message->payload,
                    message->len) == position->last_hash)
        return;
    reader->status = error_set(&reader->failure, ERR_RANGE,
                               "the record at offset %" PRId64
                               " is not the one that was read: the topic was deleted and "
                               "made again since, or its log was cut and written anew",
                               position->last_offset);
    reader->failure.fatal = true;
}

static enum status take_message(struct remote_reader *reader, const rd_kafka_message_t *message)
{
    struct records *records = &reader->own.records;
    rd_kafka_timestamp_type_t type;
    uint32_t at = records->count;

    records->timestamps_us[at] = timestamp_us(message, &type);
    if (message->len > UINT32_MAX / 2)
        return error_set(&reader->failure, ERR_LIMIT, "a record of %zu bytes", message->len);
    records->timestamp_type = type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? 2 : 1;
    records->offsets[at] = message->offset;
    records->key_lengths[at] = message->key ? (uint32_t)message->key_len : RECORD_NULL;
    records->value_lengths[at] = message->payload ? (uint32_t)message->len : RECORD_NULL;
    /* positions for now, pointers when the block is full */
    records->keys[at] = (const uint8_t *)copy_bytes(reader, message->key, message->key_len);
    records->values[at] = (const uint8_t *)copy_bytes(reader, message->payload, message->len);
    TRY(buf_check(&reader->plain->bytes, "records of a topic", &reader->failure));
    if (reader->own.wants_headers)
        TRY(copy_headers(reader, message, at));
    records->count = at + 1;
    reader->position.offset = message->offset + 1;
    return OK;
}

/* A topic that is away may be another one when it is back. */
static void take_error(struct remote_reader *reader, const rd_kafka_message_t *message)
{
    struct kafka_position *position = &reader->position;

    reader->status =
        kafka_client_error(message->err, &reader->failure, "offset %" PRId64, position->offset);
    if (reader->status == ERR_NOT_FOUND) {
        reader->unproven = position->last_offset >= 0;
        reader->restart = true;
    } else if (reader->status == ERR_RANGE && reader->unproven) {
        /* retention may have removed the record that was read last, and nothing behind it */
        reader->unproven = false;
        reader->restart = true;
        reader->status = OK;
        error_clear(&reader->failure);
    } else if (reader->status == ERR_RANGE) {
        error_clear(&reader->failure);
        error_set(&reader->failure, ERR_RANGE,
                  "offset %" PRId64
                  " is to be read next, but is not there: retention or a deletion "
                  "has removed it, or the topic was made again or has lost records",
                  position->offset);
        reader->failure.fatal = true;
    }
}

static void on_message(rd_kafka_message_t *message, void *opaque)
{
    struct remote_reader *reader = opaque;

    if (reader->status != OK || reader->restart || at_end(reader))
        return;
    if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        if (message->offset > reader->position.offset) /* gaps at the end */
            reader->position.offset = message->offset;
        return;
    }
    if (message->err) {
        take_error(reader, message);
        return;
    }
    if (reader->unproven)
        prove(reader, message);
    if (reader->status != OK || message->offset < reader->position.offset)
        return;
    if (reader->position.end_offset >= 0 && message->offset >= reader->position.end_offset) {
        reader->position.offset = reader->position.end_offset;
        return;
    }
    reader->status = take_message(reader, message);
    /* what is not handed over now stays in the queue */
    if (reader->own.records.count >= reader->max_rows || reader->plain->bytes.length >= COPY_BYTES)
        rd_kafka_yield(NULL);
}

static size_t known_bytes(uint32_t length)
{
    return length == RECORD_NULL ? 0 : length;
}

static enum status hand_over(struct remote_reader *reader, struct error *err)
{
    struct records *records = &reader->own.records;
    struct buf *bytes = &reader->plain->bytes;
    struct buffer *buffer = NULL;

    uint8_t *room = buf_room(bytes, BUFFER_PADDING);
    if (!room)
        return buf_check(bytes, "records of a topic", err);
    memset(room, 0, BUFFER_PADDING);
    TRY(plain_account(reader->plain, err));
    TRY(plain_wrap(reader->plain, &buffer, err));
    reader->plain = NULL;
    records->buffers[records->buffer_count++] = buffer;
    for (uint32_t i = 0; i < records->count; i++) {
        records->keys[i] = buffer->data + (size_t)records->keys[i];
        records->values[i] = buffer->data + (size_t)records->values[i];
    }
    uint32_t last = records->count - 1;
    reader->position.last_offset = records->offsets[last];
    reader->position.last_hash = record_hash(
        records->timestamps_us[last], records->keys[last], known_bytes(records->key_lengths[last]),
        records->values[last], known_bytes(records->value_lengths[last]));
    return OK;
}

static enum poll_result remote_poll(struct source_reader *base, uint32_t max_rows,
                                    struct source_output *out, struct error *err)
{
    struct remote_reader *reader = (struct remote_reader *)base;
    struct records *records = &reader->own.records;
    enum status status = OK;

    kafka_records_clear(&reader->own);
    if (at_end(reader))
        return POLL_END;
    if (!reader->plain)
        status = plain_take(reader->pool, &reader->plain, err);
    if (status != OK)
        return POLL_ERROR;
    reader->max_rows = max_rows;
    while (reader->status == OK && records->count < max_rows &&
           reader->plain->bytes.length < COPY_BYTES && !at_end(reader)) {
        if (reader->restart && consume(reader, err) != OK)
            return POLL_ERROR;
        if (rd_kafka_consume_callback_queue(reader->queue, 0, on_message, reader) <= 0 &&
            !reader->restart)
            break;
    }
    rd_kafka_poll(((struct remote_source *)reader->base.source)->client, 0);
    if (reader->status != OK && records->count == 0) {
        if (err)
            *err = reader->failure;
        error_prefix(err, "table %s: partition %d of topic '%s'", reader->base.source->table_name,
                     records->partition, records->topic);
        reader->status = OK; /* a retriable one may pass */
        reader->failure = (struct error){0};
        return POLL_ERROR;
    }
    if (records->count == 0)
        return at_end(reader) ? POLL_END : POLL_WAIT;
    if (hand_over(reader, err) != OK)
        return POLL_ERROR;
    struct remote_source *source = (struct remote_source *)reader->base.source;
    mutex_lock(&source->lock);
    source->trouble[0] = '\0';
    mutex_unlock(&source->lock);
    out->records = records;
    return POLL_ROWS;
}

const struct kafka_source_way KAFKA_REMOTE_SOURCE = {
    .open = remote_open,
    .start = remote_start,
    .discover = remote_discover,
    .discovered = remote_discovered,
    .begin = remote_begin,
    .reader_open = remote_reader_open,
    .poll = remote_poll,
    .position = remote_reader_position,
    .why = remote_why,
    .reader_close = remote_reader_close,
    .close = remote_close,
};
