/* group_log.c - __consumer_offsets: loading it, writing to it, keeping it short. */
#include "broker/groups.h"

#include "base/must.h"
#include "os/logger.h"

#define LOAD_BLOCK_BYTES (1u << 20)
#define RECORD_ARENA_MAX (32u << 20)

/* ---- the topic ---- */

enum status group_log_make_topic(struct broker *broker, struct error *err)
{
    static const struct log_config_entry configs[] = {
        {"retention.ms", "-1"},
        {"retention.bytes", "-1"},
        {"segment.bytes", "1048576"}, /* whole segments go after a snapshot: small ones soon */
        {"max.message.bytes", "20971520"},
    };
    enum status status =
        log_topic_create(broker->log, STR(GROUPS_TOPIC), 1, configs, COUNT_OF(configs), NULL, err);
    return status == ERR_EXISTS ? OK : status;
}

bool group_log_ready(struct groups *groups)
{
    if (groups->partition)
        return true;
    groups->topic = log_topic_find(groups->broker->log, STR(GROUPS_TOPIC));
    if (groups->topic)
        groups->partition = log_partition_ref(log_topic_partition(groups->topic, 0));
    return groups->partition != NULL;
}

/* ---- from the log into memory ---- */

static enum status replay_offset(struct groups *groups, const struct group_record *record,
                                 struct error *err)
{
    struct group_entry *entry = groups_find(groups, record->group_id);
    if (record->tombstone) {
        if (entry)
            group_offsets_remove(entry->group, record->topic, record->offset.partition);
        return OK;
    }
    if (!entry)
        entry = groups_make(groups, record->group_id);
    if (entry && group_offsets_set(entry->group, record->topic, &record->topic_id, &record->offset))
        return OK;
    return error_set(err, ERR_MEMORY,
                     "no memory for the committed offsets of consumer group '%.*s'",
                     (int)record->group_id.length, record->group_id.data);
}

/* Only at the start: what is in memory later is newer than the log. */
static enum status replay_metadata(struct groups *groups, const struct group_record *record,
                                   struct error *err)
{
    struct group_entry *entry = groups_make(groups, record->group_id);
    struct group *group = entry ? group_new(&groups->env, record->group_id) : NULL;
    enum status status = group ? OK : ERR_MEMORY;
    for (int32_t i = 0; status == OK && i < record->metadata.members.count; i++)
        status = group_restore_member(group, &record->metadata.members.items[i], err);
    if (status == OK)
        status = group_restore(group, &record->metadata, err);
    if (status != OK) {
        if (group)
            group_free(group);
        return error_set(err, status, "no memory for consumer group '%.*s'",
                         (int)record->group_id.length, record->group_id.data);
    }
    group->offsets = entry->group->offsets;
    group->context = entry;
    group_free(entry->group);
    entry->group = group;
    return OK;
}

static void replay_tombstone(struct groups *groups, const struct group_record *record, bool loading)
{
    struct group_entry *entry = groups_find(groups, record->group_id);
    if (entry && (loading || (entry->group->state == GROUP_EMPTY && !entry->group->pending)))
        groups_remove(entry);
}

static enum status replay_record(struct groups *groups, const struct record *record, bool loading,
                                 struct arena *arena, struct error *err)
{
    struct group_record read;
    arena_reset(arena);
    TRY(group_record_read(&read, record, arena, err));
    if (read.kind == GROUP_RECORD_OFFSET)
        return replay_offset(groups, &read, err);
    if (read.kind == GROUP_RECORD_METADATA && read.tombstone)
        replay_tombstone(groups, &read, loading);
    else if (read.kind == GROUP_RECORD_METADATA && loading)
        return replay_metadata(groups, &read, err);
    return OK;
}

static enum status replay_batch(struct groups *groups, const struct record_batch *batch,
                                bool loading, struct error *err)
{
    struct record_cursor cursor;
    struct record records[64];
    struct arena arena;
    struct buf scratch;
    uint32_t count = 0;
    arena_init(&arena, NULL, RECORD_ARENA_MAX);
    buf_init(&scratch, RECORD_ARENA_MAX);
    enum status status = record_batch_check(batch, err);
    if (status == OK)
        status = record_cursor_open(&cursor, batch, &scratch, RECORD_ARENA_MAX, err);
    do {
        if (status == OK)
            status = record_cursor_read(&cursor, records, COUNT_OF(records), &count, err);
        for (uint32_t i = 0; status == OK && i < count; i++)
            status = replay_record(groups, &records[i], loading, &arena, err);
    } while (status == OK && count);
    buf_fini(&scratch);
    arena_fini(&arena);
    return status;
}

/* What cannot be read is left out and said: the rest is worth more than a refusal to start. Only
 * memory ends it. */
static enum status load_block(struct groups *groups, const struct log_read *read, struct error *err)
{
    for (size_t at = 0; at < read->block->size_bytes;) {
        struct record_batch batch;
        struct error local = {0};
        TRY(record_batch_parse(&batch, read->block->data + at, read->block->size_bytes - at, err));
        enum status status =
            batch.attributes & RECORD_CONTROL ? OK : replay_batch(groups, &batch, true, &local);
        if (status == ERR_MEMORY || status == ERR_BUDGET)
            return error_set(err, status, "%s", local.text);
        if (status != OK)
            logger_write(LOG_ERROR, "broker", GROUPS_TOPIC ": the batch at offset %lld: %s",
                         (long long)batch.base_offset, local.text);
        at += batch.size_bytes;
        groups->written_bytes += batch.size_bytes;
    }
    return OK;
}

enum status group_log_load(struct groups *groups, struct error *err)
{
    struct log_reader *reader = NULL;
    struct log_offsets offsets;
    if (!group_log_ready(groups))
        return OK;
    log_partition_offsets(groups->partition, &offsets);
    struct log_read read = {.offset = offsets.log_start,
                            .limit_offset = INT64_MAX,
                            .max_bytes = LOAD_BLOCK_BYTES,
                            .whole_batch = true};
    enum status status = log_reader_open(&reader, groups->partition, err);
    while (status == OK && read.offset < offsets.high_watermark) {
        status = log_read(reader, &read, err);
        if (status != OK || !read.block)
            break;
        status = load_block(groups, &read, err);
        buffer_unref(read.block);
        read.offset = read.next_offset;
    }
    log_reader_close(reader);
    if (status != OK)
        error_prefix(err, "loading consumer groups");
    return status;
}

/* ---- writing ---- */

static void write_free(struct groups *groups, struct group_write *write)
{
    group_writer_fini(&write->writer);
    buf_fini(&write->batch);
    mem_release(&groups->owner, write->reserved_bytes);
    group_release(&groups->owner, (void *)write->group_id.data);
    group_release(&groups->owner, write);
}

struct group_write *group_log_begin(struct groups *groups, struct str group_id)
{
    struct group_write *write = group_alloc(&groups->owner, sizeof(*write));
    if (!write)
        return NULL;
    buf_init(&write->batch, GROUP_BATCH_MAX_BYTES);
    group_writer_init(&write->writer, &write->batch, groups->env.wall_ms);
    if (!group_text_copy(&groups->owner, &write->group_id, group_id)) {
        write_free(groups, write);
        return NULL;
    }
    group_writer_begin(&write->writer);
    return write;
}

void group_log_submit(struct groups *groups, struct group_write *write)
{
    struct error err = {0};
    if (write->writer.builder.record_count == 0 && !write->batch.failed) {
        must(!write->call && !write->is_store);
        write_free(groups, write);
        return;
    }
    enum status status = record_builder_finish(&write->writer.builder, &err);
    if (status != OK)
        write->error_code = status == ERR_LIMIT ? KAFKA_INVALID_COMMIT_OFFSET_SIZE
                                                : KAFKA_COORDINATOR_NOT_AVAILABLE;
    else if (!group_log_ready(groups))
        write->error_code = KAFKA_NOT_COORDINATOR;
    else if (mem_reserve(&groups->owner, write->batch.length, NULL) != OK)
        write->error_code = KAFKA_COORDINATOR_NOT_AVAILABLE;
    else
        write->reserved_bytes = write->batch.length;
    if (write->call)
        write->call->group_write = write;
    write->next = NULL;
    *groups->writes_tail = write;
    groups->writes_tail = &write->next;
}

static enum status batch_append(struct groups *groups, struct buf *batch, int64_t *out_next,
                                struct error *err)
{
    struct log_append append = {.batches = batch->data, .size_bytes = batch->length};
    TRY(commit_append(groups->broker, groups->partition, &append, err));
    groups->written_bytes += batch->length;
    *out_next = append.next_offset;
    return OK;
}

static void write_append(struct groups *groups, struct group_write *write)
{
    struct error err = {0};
    write->appended = true;
    if (batch_append(groups, &write->batch, &write->next_offset, &err) == OK)
        return;
    write->error_code = KAFKA_NOT_COORDINATOR; /* as Kafka says when it cannot write */
    int64_t now_us = groups->env.now_ms * 1000;
    if (now_us >= groups->warned_us)
        logger_write(LOG_ERROR, "broker", "committed offsets cannot be written: %s", err.text);
    groups->warned_us = now_us + WARN_INTERVAL_US;
}

/* It is durable, or never will be. */
static bool write_settled(struct groups *groups, struct group_write *write)
{
    struct log_offsets offsets;
    if (write->error_code != KAFKA_NONE)
        return true;
    if (!write->appended)
        return false;
    log_partition_offsets(groups->partition, &offsets);
    if (offsets.high_watermark >= write->next_offset)
        return true;
    if (offsets.failed || offsets.deleted)
        write->error_code = KAFKA_NOT_COORDINATOR;
    return write->error_code != KAFKA_NONE;
}

static void write_apply(struct groups *groups, struct group_write *write)
{
    struct error err = {0};
    struct record_batch batch;
    if (write->error_code == KAFKA_NONE) {
        enum status status =
            record_batch_parse(&batch, write->batch.data, write->batch.length, &err);
        if (status == OK)
            status = replay_batch(groups, &batch, false, &err);
        if (status != OK) { /* it is in the log and will be there after a restart */
            logger_write(LOG_ERROR, "broker", "%s", err.text);
            write->error_code = KAFKA_COORDINATOR_NOT_AVAILABLE;
        }
    }
    struct group_entry *entry = groups_find(groups, write->group_id);
    if (entry && write->is_store)
        group_stored(entry->group, write->generation, write->error_code);
    if (entry)
        groups_touch(entry);
    if (write->call) {
        write->settle(write->call, write->error_code);
        groups_done(groups, write->call);
    }
    write_free(groups, write);
}

/* ---- the snapshot ---- */

static void snapshot_flush(struct groups *groups, struct group_writer *writer, uint64_t *live_bytes,
                           enum status *status, struct error *err)
{
    if (*status == OK && writer->builder.record_count)
        *status = record_builder_finish(&writer->builder, err);
    if (*status == OK && writer->builder.record_count) {
        *live_bytes += writer->batch->length;
        *status = batch_append(groups, writer->batch, &groups->trim_after, err);
    }
    buf_clear(writer->batch);
    group_writer_begin(writer);
}

static void snapshot_group(struct groups *groups, const struct group *group,
                           struct group_writer *writer, uint64_t *live_bytes, enum status *status,
                           struct error *err)
{
    if (group->stored || group->members)
        group_write_metadata(writer, group, group->state == GROUP_STABLE);
    for (uint32_t i = 0; group->offsets && i < group->offsets->count; i++) {
        const struct group_offset_topic *topic = &group->offsets->topics[i];
        for (uint32_t j = 0; j < topic->count; j++) {
            group_write_offset(writer, group->id, topic->name, &topic->id, &topic->items[j]);
            if (writer->batch->length > SNAPSHOT_BATCH_BYTES)
                snapshot_flush(groups, writer, live_bytes, status, err);
        }
    }
}

/* All that is live, behind all that was written. A generation that is still being agreed upon is
 * left out: after a restart its members join again. */
static void snapshot_write(struct groups *groups)
{
    struct log_offsets offsets;
    struct group_writer writer;
    struct error err = {0};
    struct buf batch;
    uint64_t live_bytes = 0;
    enum status status = OK;
    log_partition_offsets(groups->partition, &offsets);
    buf_init(&batch, GROUP_BATCH_MAX_BYTES);
    group_writer_init(&writer, &batch, groups->env.wall_ms);
    group_writer_begin(&writer);
    groups->snapshot_wanted = false;
    groups->written_bytes = 0;
    groups->trim_after = offsets.end;
    for (uint32_t i = 0; status == OK && i < groups->count; i++)
        snapshot_group(groups, groups->items[i]->group, &writer, &live_bytes, &status, &err);
    snapshot_flush(groups, &writer, &live_bytes, &status, &err);
    if (status == OK) {
        groups->trim_to = offsets.end;
        groups->live_bytes = live_bytes;
        groups->written_bytes = 0;
    } else {
        logger_write(LOG_WARN, "broker", GROUPS_TOPIC " is not shortened: %s", err.text);
    }
    group_writer_fini(&writer);
    buf_fini(&batch);
}

static void trim_run(struct io_job *job)
{
    struct groups *groups = container_of(job, struct groups, trim_job);
    struct error err = {0};
    int64_t log_start;
    if (log_delete_records(groups->partition, groups->trim_to, &log_start, &err) != OK)
        logger_write(LOG_WARN, "broker", GROUPS_TOPIC " is not shortened: %s", err.text);
}

static void trim_back(struct loop_message *message)
{
    struct groups *groups = container_of(message, struct groups, trim_done);
    groups->trimming = false;
    groups->trim_to = 0;
}

static void trim_done(struct io_job *job)
{
    struct groups *groups = container_of(job, struct groups, trim_job);
    loop_post(groups->broker->loop, &groups->trim_done);
}

/* The snapshot is durable: what it stands for may go. */
static void trim_maybe(struct groups *groups)
{
    struct log_offsets offsets;
    if (!groups->trim_to || groups->trimming || groups->broker->closing)
        return;
    log_partition_offsets(groups->partition, &offsets);
    if (offsets.high_watermark < groups->trim_after)
        return;
    groups->trimming = true;
    groups->trim_job = (struct io_job){.run = trim_run, .done = trim_done};
    groups->trim_done = (struct loop_message){.run = trim_back};
    if (groups->broker->pool) {
        io_pool_submit(groups->broker->pool, &groups->trim_job);
        return;
    }
    trim_run(&groups->trim_job);
    trim_back(&groups->trim_done);
}

/* ---- moving on ---- */

/* True: something was appended. While a snapshot is wanted nothing is, until nothing is under way.
 */
static bool writes_push(struct groups *groups)
{
    bool pushed = false;
    uint64_t limit = SNAPSHOT_LIVE_FACTOR * groups->live_bytes;
    if (limit < groups->snapshot_min_bytes)
        limit = groups->snapshot_min_bytes;
    if (groups->written_bytes > limit && !groups->trim_to)
        groups->snapshot_wanted = true;
    if (groups->snapshot_wanted && (!groups->writes || !groups->writes->appended))
        snapshot_write(groups);
    for (struct group_write *write = groups->writes; write && !groups->snapshot_wanted;
         write = write->next) {
        if (write->appended || write->error_code != KAFKA_NONE)
            continue;
        write_append(groups, write);
        pushed = true;
    }
    return pushed;
}

void group_log_advance(struct groups *groups)
{
    struct group_write *write;
    do {
        while ((write = groups->writes) && write_settled(groups, write)) {
            groups->writes = write->next;
            if (!groups->writes)
                groups->writes_tail = &groups->writes;
            write_apply(groups, write);
        }
    } while (groups->partition && writes_push(groups));
    if (groups->partition)
        trim_maybe(groups);
}

void group_log_abandon(struct groups *groups)
{
    struct group_write *write;
    while ((write = groups->writes)) {
        groups->writes = write->next;
        must(!write->call);
        write_free(groups, write);
    }
}
