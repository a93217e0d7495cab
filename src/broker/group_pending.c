/* group_pending.c - the list of offsets that wait for the end of a transaction. */
#include "broker/group_pending.h"

#include "broker/groups.h"

static void pending_free(struct groups *groups, struct group_pending *pending)
{
    group_text_release(&groups->owner, &pending->group_id);
    group_text_release(&groups->owner, &pending->topic);
    group_text_release(&groups->owner, &pending->offset.metadata);
    group_release(&groups->owner, pending);
}

bool group_pending_add(struct groups *groups, int64_t producer_id, int16_t producer_epoch,
                       const struct group_record *record)
{
    struct mem_owner *owner = &groups->owner;
    struct group_pending *pending = group_alloc(owner, sizeof(*pending));
    if (!pending)
        return false;
    pending->producer_id = producer_id;
    pending->producer_epoch = producer_epoch;
    pending->topic_id = record->topic_id;
    pending->offset = record->offset;
    pending->offset.metadata = (struct str){0};
    if (!group_text_copy(owner, &pending->group_id, record->group_id) ||
        !group_text_copy(owner, &pending->topic, record->topic) ||
        !group_text_copy(owner, &pending->offset.metadata, record->offset.metadata)) {
        pending_free(groups, pending);
        return false;
    }
    struct group_pending **tail = &groups->pending;
    while (*tail)
        tail = &(*tail)->next;
    *tail = pending;
    return true;
}

static bool pending_apply(struct groups *groups, const struct group_pending *pending)
{
    struct group_entry *entry = groups_make(groups, pending->group_id);
    if (!entry ||
        !group_offsets_set(entry->group, pending->topic, &pending->topic_id, &pending->offset))
        return false;
    groups_touch(entry);
    return true;
}

enum status group_pending_end(struct groups *groups, int64_t producer_id, bool commit,
                              struct error *err)
{
    enum status status = OK;
    for (struct group_pending **at = &groups->pending, *pending; (pending = *at);) {
        if (pending->producer_id != producer_id) {
            at = &pending->next;
            continue;
        }
        if (commit && !pending_apply(groups, pending))
            status = error_set(err, ERR_MEMORY,
                               "no memory for the committed offsets of consumer group '%.*s'",
                               (int)pending->group_id.length, pending->group_id.data);
        *at = pending->next;
        pending_free(groups, pending);
    }
    return status;
}

bool group_pending_any(const struct groups *groups, struct str group_id, struct str topic,
                       int32_t partition)
{
    for (const struct group_pending *pending = groups->pending; pending; pending = pending->next)
        if (pending->offset.partition == partition && str_eq(pending->group_id, group_id) &&
            str_eq(pending->topic, topic))
            return true;
    return false;
}

void group_pending_write(struct group_writer *writer, const struct group_pending *pending)
{
    writer->builder.producer_id = pending->producer_id;
    writer->builder.producer_epoch = pending->producer_epoch;
    writer->builder.attributes |= RECORD_TRANSACTIONAL;
    group_write_offset(writer, pending->group_id, pending->topic, &pending->topic_id,
                       &pending->offset);
}

void group_pending_free_all(struct groups *groups)
{
    struct group_pending *pending;
    while ((pending = groups->pending)) {
        groups->pending = pending->next;
        pending_free(groups, pending);
    }
}
