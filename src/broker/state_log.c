/* state_log.c - loading a topic that is memory, writing to it, keeping it short. */
#include "broker/state_log.h"

#include "base/must.h"
#include "os/logger.h"

#define LOAD_BLOCK_BYTES (1u << 20)

void state_log_init(struct state_log *log, struct broker *broker, const char *name,
                    const struct state_log_ops *ops, struct mem_owner *owner)
{
    *log = (struct state_log){
        .broker = broker,
        .ops = ops,
        .name = name,
        .owner = owner,
        .snapshot_min_bytes = SNAPSHOT_MIN_BYTES,
    };
    log->writes_tail = &log->writes;
}

void state_log_fini(struct state_log *log)
{
    must(!log->writes && !log->trimming);
    log_partition_unref(log->partition);
    log_topic_unref(log->topic);
    log->partition = NULL;
    log->topic = NULL;
}

/* ---- the topic ---- */

enum status state_log_make_topic(struct broker *broker, const char *name, struct error *err)
{
    static const struct log_config_entry configs[] = {
        {"retention.ms", "-1"},
        {"retention.bytes", "-1"},
        {"segment.bytes", "1048576"}, /* whole segments go after a snapshot: small ones soon */
        {"max.message.bytes", "20971520"},
    };
    enum status status =
        log_topic_create(broker->log, str_of(name), 1, configs, COUNT_OF(configs), NULL, err);
    return status == ERR_EXISTS ? OK : status;
}

bool state_log_ready(struct state_log *log)
{
    if (log->partition)
        return true;
    log->topic = log_topic_find(log->broker->log, str_of(log->name));
    if (log->topic)
        log->partition = log_partition_ref(log_topic_partition(log->topic, 0));
    return log->partition != NULL;
}

/* ---- loading ---- */

/* What cannot be read is left out and said: the rest is worth more than a refusal to start. Only
 * memory ends it. */
static enum status load_block(struct state_log *log, const struct log_read *read, struct error *err)
{
    for (size_t at = 0; at < read->block->size_bytes;) {
        struct record_batch batch;
        struct error local = {0};
        TRY(record_batch_parse(&batch, read->block->data + at, read->block->size_bytes - at, err));
        enum status status = log->ops->replay(log, &batch, true, &local);
        if (status == ERR_MEMORY || status == ERR_BUDGET)
            return error_set(err, status, "%s", local.text);
        if (status != OK)
            logger_write(LOG_ERROR, "broker", "%s: the batch at offset %lld: %s", log->name,
                         (long long)batch.base_offset, local.text);
        at += batch.size_bytes;
        log->written_bytes += batch.size_bytes;
    }
    return OK;
}

enum status state_log_records(struct state_log *log, const struct record_batch *batch, bool loading,
                              enum status (*each)(struct state_log *log,
                                                  const struct record_batch *batch,
                                                  const struct record *record, bool loading,
                                                  struct arena *arena, struct error *err),
                              struct error *err)
{
    struct record_cursor cursor;
    struct record records[64];
    struct arena arena;
    struct buf scratch;
    uint32_t count = 0;
    arena_init(&arena, NULL, STATE_RECORD_ARENA_MAX);
    buf_init(&scratch, STATE_RECORD_ARENA_MAX);
    enum status status = record_batch_check(batch, err);
    if (status == OK)
        status = record_cursor_open(&cursor, batch, &scratch, STATE_RECORD_ARENA_MAX, err);
    do {
        if (status == OK)
            status = record_cursor_read(&cursor, records, COUNT_OF(records), &count, err);
        for (uint32_t i = 0; status == OK && i < count; i++)
            status = each(log, batch, &records[i], loading, &arena, err);
    } while (status == OK && count);
    buf_fini(&scratch);
    arena_fini(&arena);
    return status;
}

enum status state_log_load(struct state_log *log, struct error *err)
{
    struct log_reader *reader = NULL;
    struct log_offsets offsets;
    if (!state_log_ready(log))
        return OK;
    log_partition_offsets(log->partition, &offsets);
    struct log_read read = {.offset = offsets.log_start,
                            .limit_offset = INT64_MAX,
                            .max_bytes = LOAD_BLOCK_BYTES,
                            .whole_batch = true};
    enum status status = log_reader_open(&reader, log->partition, err);
    while (status == OK && read.offset < offsets.high_watermark) {
        status = log_read(reader, &read, err);
        if (status != OK || !read.block)
            break;
        status = load_block(log, &read, err);
        buffer_unref(read.block);
        read.offset = read.next_offset;
    }
    log_reader_close(reader);
    if (status != OK)
        error_prefix(err, "loading topic '%s'", log->name);
    return status;
}

/* ---- writing ---- */

void state_write_fini(struct state_log *log, struct state_write *write)
{
    buf_fini(&write->batch);
    mem_release(log->owner, write->reserved_bytes);
    write->reserved_bytes = 0;
}

void state_log_submit(struct state_log *log, struct state_write *write)
{
    if (write->error_code != KAFKA_NONE)
        ;
    else if (!state_log_ready(log))
        write->error_code = KAFKA_NOT_COORDINATOR;
    else if (mem_reserve(log->owner, write->batch.length, NULL) != OK)
        write->error_code = KAFKA_COORDINATOR_NOT_AVAILABLE;
    else
        write->reserved_bytes = write->batch.length;
    write->next = NULL;
    *log->writes_tail = write;
    log->writes_tail = &write->next;
}

static enum status batch_append(struct state_log *log, struct buf *batch, int64_t *out_next,
                                struct error *err)
{
    struct log_append append = {.batches = batch->data, .size_bytes = batch->length};
    TRY(commit_append(log->broker, log->partition, &append, err));
    log->written_bytes += batch->length;
    *out_next = append.next_offset;
    return OK;
}

static void write_append(struct state_log *log, struct state_write *write)
{
    struct error err = {0};
    write->appended = true;
    if (batch_append(log, &write->batch, &write->next_offset, &err) == OK)
        return;
    write->error_code = KAFKA_NOT_COORDINATOR; /* as Kafka says when it cannot write */
    int64_t now_us = io_monotonic_us(log->broker->io);
    if (now_us >= log->warned_us)
        logger_write(LOG_ERROR, "broker", "topic '%s' cannot be written: %s", log->name, err.text);
    log->warned_us = now_us + WARN_INTERVAL_US;
}

/* It is durable, or never will be. */
static bool is_settled(struct state_log *log, struct state_write *write)
{
    struct log_offsets offsets;
    if (write->error_code != KAFKA_NONE)
        return true;
    if (!write->appended)
        return false;
    log_partition_offsets(log->partition, &offsets);
    if (offsets.high_watermark >= write->next_offset)
        return true;
    if (offsets.failed || offsets.deleted)
        write->error_code = KAFKA_NOT_COORDINATOR;
    return write->error_code != KAFKA_NONE;
}

static void settle(struct state_log *log, struct state_write *write)
{
    struct error err = {0};
    struct record_batch batch;
    if (write->error_code == KAFKA_NONE) {
        enum status status =
            record_batch_parse(&batch, write->batch.data, write->batch.length, &err);
        if (status == OK)
            status = log->ops->replay(log, &batch, false, &err);
        if (status != OK) { /* it is in the log and will be there after a restart */
            logger_write(LOG_ERROR, "broker", "%s", err.text);
            write->error_code = KAFKA_COORDINATOR_NOT_AVAILABLE;
        }
    }
    write->settled(log, write);
}

struct state_write *state_log_abandon(struct state_log *log)
{
    struct state_write *write = log->writes;
    if (write)
        log->writes = write->next;
    if (!log->writes)
        log->writes_tail = &log->writes;
    return write;
}

/* ---- the snapshot ---- */

enum status state_log_put(struct state_log *log, struct buf *batch, struct error *err)
{
    log->live_bytes += batch->length;
    enum status status = batch_append(log, batch, &log->trim_after, err);
    buf_clear(batch);
    return status;
}

/* All that is live, behind all that was written. */
static void snapshot_write(struct state_log *log)
{
    struct log_offsets offsets;
    struct error err = {0};
    uint64_t live_bytes = log->live_bytes;
    log_partition_offsets(log->partition, &offsets);
    log->snapshot_wanted = false;
    log->live_bytes = log->written_bytes = 0;
    log->trim_after = offsets.end;
    enum status status = log->ops->snapshot(log, &err);
    if (status == OK) {
        log->trim_to = offsets.end;
        log->written_bytes = 0;
    } else {
        log->live_bytes = live_bytes;
        logger_write(LOG_WARN, "broker", "topic '%s' is not shortened: %s", log->name, err.text);
    }
}

static void trim_run(struct io_job *job)
{
    struct state_log *log = container_of(job, struct state_log, trim_job);
    struct error err = {0};
    int64_t log_start;
    if (log_delete_records(log->partition, log->trim_to, &log_start, &err) != OK)
        logger_write(LOG_WARN, "broker", "topic '%s' is not shortened: %s", log->name, err.text);
}

static void trim_back(struct loop_message *message)
{
    struct state_log *log = container_of(message, struct state_log, trim_done);
    log->trimming = false;
    log->trim_to = 0;
}

static void trim_done(struct io_job *job)
{
    struct state_log *log = container_of(job, struct state_log, trim_job);
    loop_post(log->broker->loop, &log->trim_done);
}

/* The snapshot is durable: what it stands for may go. */
static void trim_maybe(struct state_log *log)
{
    struct log_offsets offsets;
    if (!log->trim_to || log->trimming || log->broker->closing)
        return;
    log_partition_offsets(log->partition, &offsets);
    if (offsets.high_watermark < log->trim_after)
        return;
    log->trimming = true;
    log->trim_job = (struct io_job){.run = trim_run, .done = trim_done};
    log->trim_done = (struct loop_message){.run = trim_back};
    if (log->broker->pool) {
        io_pool_submit(log->broker->pool, &log->trim_job);
        return;
    }
    trim_run(&log->trim_job);
    trim_back(&log->trim_done);
}

/* ---- moving on ---- */

/* True: something was appended. While a snapshot is wanted nothing is, until nothing is under way.
 */
static bool writes_push(struct state_log *log)
{
    bool pushed = false;
    uint64_t limit = SNAPSHOT_LIVE_FACTOR * log->live_bytes;
    if (limit < log->snapshot_min_bytes)
        limit = log->snapshot_min_bytes;
    if (log->written_bytes > limit && !log->trim_to)
        log->snapshot_wanted = true;
    if (log->snapshot_wanted && (!log->writes || !log->writes->appended))
        snapshot_write(log);
    for (struct state_write *write = log->writes; write && !log->snapshot_wanted;
         write = write->next) {
        if (write->appended || write->error_code != KAFKA_NONE)
            continue;
        write_append(log, write);
        pushed = true;
    }
    return pushed;
}

void state_log_advance(struct state_log *log)
{
    do {
        while (log->writes && is_settled(log, log->writes))
            settle(log, state_log_abandon(log));
    } while (log->partition && writes_push(log));
    if (log->partition)
        trim_maybe(log);
}
