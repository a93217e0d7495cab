/* group_log.c - __consumer_offsets: what its records mean, and the writes of groups. How the topic
 * is loaded, written and kept short: state_log.h. */
#include "broker/groups.h"

#include "base/must.h"
#include "os/logger.h"

/* ---- from the log into memory ---- */

static enum status no_memory(const struct group_record *record, struct error *err)
{
    return error_set(err, ERR_MEMORY,
                     "no memory for the committed offsets of consumer group '%.*s'",
                     (int)record->group_id.length, record->group_id.data);
}

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
    return no_memory(record, err);
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

static enum status replay_record(struct state_log *log, const struct record_batch *batch,
                                 const struct record *record, bool loading, struct arena *arena,
                                 struct error *err)
{
    struct groups *groups = container_of(log, struct groups, log);
    struct group_record read;
    arena_reset(arena);
    TRY(group_record_read(&read, record, arena, err));
    if (read.kind == GROUP_RECORD_OFFSET && batch->attributes & RECORD_TRANSACTIONAL)
        return group_pending_add(groups, batch->producer_id, batch->producer_epoch, &read)
                   ? OK
                   : no_memory(&read, err);
    if (read.kind == GROUP_RECORD_OFFSET)
        return replay_offset(groups, &read, err);
    if (read.kind == GROUP_RECORD_METADATA && read.tombstone)
        replay_tombstone(groups, &read, loading);
    else if (read.kind == GROUP_RECORD_METADATA && loading)
        return replay_metadata(groups, &read, err);
    return OK;
}

static enum status replay(struct state_log *log, const struct record_batch *batch, bool loading,
                          struct error *err)
{
    struct groups *groups = container_of(log, struct groups, log);
    if (!(batch->attributes & RECORD_CONTROL))
        return state_log_records(log, batch, loading, replay_record, err);
    enum record_marker marker = record_batch_marker(batch);
    return marker == RECORD_MARKER_NONE
               ? OK
               : group_pending_end(groups, batch->producer_id, marker == RECORD_MARKER_COMMIT, err);
}

/* ---- writing ---- */

static void write_free(struct groups *groups, struct group_write *write)
{
    group_writer_fini(&write->writer);
    state_write_fini(&groups->log, &write->base);
    group_release(&groups->owner, (void *)write->group_id.data);
    group_release(&groups->owner, write);
}

/* The calls and groups that wait for it are told. */
static void settled(struct state_log *log, struct state_write *base)
{
    struct groups *groups = container_of(log, struct groups, log);
    struct group_write *write = container_of(base, struct group_write, base);
    struct group_entry *entry = groups_find(groups, write->group_id);
    if (entry && write->is_store)
        group_stored(entry->group, write->generation, base->error_code);
    if (entry)
        groups_touch(entry);
    if (write->call) {
        write->settle(write->call, base->error_code);
        groups_done(groups, write->call);
    }
    if (write->marked)
        write->marked(write->marked_context, base->error_code);
    write_free(groups, write);
}

struct group_write *group_log_begin(struct groups *groups, struct str group_id)
{
    struct group_write *write = group_alloc(&groups->owner, sizeof(*write));
    if (!write)
        return NULL;
    write->base.settled = settled;
    buf_init(&write->base.batch, STATE_BATCH_MAX_BYTES);
    group_writer_init(&write->writer, &write->base.batch, groups->env.wall_ms);
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
    if (write->writer.builder.record_count == 0 && !write->base.batch.failed) {
        must(!write->call && !write->is_store);
        write_free(groups, write);
        return;
    }
    enum status status = record_builder_finish(&write->writer.builder, &err);
    if (status != OK)
        write->base.error_code = status == ERR_LIMIT ? KAFKA_INVALID_COMMIT_OFFSET_SIZE
                                                     : KAFKA_COORDINATOR_NOT_AVAILABLE;
    if (write->call)
        write->call->group_write = write;
    state_log_submit(&groups->log, &write->base);
}

bool group_log_mark(struct groups *groups, int64_t producer_id, int16_t epoch,
                    enum record_marker marker, group_marked_fn marked, void *context)
{
    struct error err = {0};
    struct group_write *write = group_log_begin(groups, STR(""));
    if (!write)
        return false;
    buf_clear(&write->base.batch); /* of the batch of records that was begun */
    if (record_marker_build(&write->base.batch, producer_id, epoch, marker,
                            log_leader_epoch(groups->broker->log), groups->env.wall_ms,
                            &err) != OK) {
        write_free(groups, write);
        return false;
    }
    write->marked = marked;
    write->marked_context = context;
    state_log_submit(&groups->log, &write->base);
    return true;
}

void group_log_abandon(struct groups *groups)
{
    struct state_write *base;
    while ((base = state_log_abandon(&groups->log))) {
        struct group_write *write = container_of(base, struct group_write, base);
        must(!write->call);
        write_free(groups, write);
    }
}

/* ---- the snapshot ---- */

static enum status snapshot_flush(struct groups *groups, struct group_writer *writer,
                                  struct error *err)
{
    if (writer->builder.record_count) {
        TRY(record_builder_finish(&writer->builder, err));
        TRY(state_log_put(&groups->log, writer->batch, err));
    }
    buf_clear(writer->batch);
    group_writer_begin(writer);
    return OK;
}

static enum status snapshot_group(struct groups *groups, const struct group *group,
                                  struct group_writer *writer, struct error *err)
{
    if (group->stored || group->members)
        group_write_metadata(writer, group, group->state == GROUP_STABLE);
    for (uint32_t i = 0; group->offsets && i < group->offsets->count; i++) {
        const struct group_offset_topic *topic = &group->offsets->topics[i];
        for (uint32_t j = 0; j < topic->count; j++) {
            group_write_offset(writer, group->id, topic->name, &topic->id, &topic->items[j]);
            if (writer->batch->length > SNAPSHOT_BATCH_BYTES)
                TRY(snapshot_flush(groups, writer, err));
        }
    }
    return OK;
}

/* A generation that is still being agreed upon is left out: after a restart its members join again.
 * What belongs to open transactions stays theirs. */
static enum status snapshot(struct state_log *log, struct error *err)
{
    struct groups *groups = container_of(log, struct groups, log);
    struct group_writer writer;
    struct buf batch;
    enum status status = OK;
    buf_init(&batch, STATE_BATCH_MAX_BYTES);
    group_writer_init(&writer, &batch, groups->env.wall_ms);
    group_writer_begin(&writer);
    for (uint32_t i = 0; status == OK && i < groups->count; i++)
        status = snapshot_group(groups, groups->items[i]->group, &writer, err);
    if (status == OK)
        status = snapshot_flush(groups, &writer, err);
    for (const struct group_pending *pending = groups->pending; status == OK && pending;
         pending = pending->next) {
        group_pending_write(&writer, pending);
        status = snapshot_flush(groups, &writer, err);
    }
    group_writer_fini(&writer);
    buf_fini(&batch);
    return status;
}

const struct state_log_ops GROUP_LOG_OPS = {replay, snapshot};
