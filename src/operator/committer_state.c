/* committer_state.c - what a checkpoint keeps of an exactly-once sink, as bytes and back.
 *
 * Version 1, little-endian: u8 version | sink_id: varint bytes, text | u8 ledger found | lineage
 * (16) | u64 epoch, u64 chunk, u64 rows of the ledger | varint entries: u64 epoch | varint rows |
 * varint bytes | committable. Subtasks are not kept: the order of the list says it all.
 */
#include "operator/committer.h"

#include "state/snapshot.h"

#define VERSION 1

enum status committer_state_add(struct committer_state *state, const struct committer_entry *entry,
                                struct error *err)
{
    if (state->count == state->capacity) {
        uint32_t capacity = state->capacity ? state->capacity * 2 : 8;
        struct committer_entry *entries =
            mem_realloc(state->entries, capacity * sizeof(*state->entries));
        if (!entries)
            return error_memory(err, "what a sink has prepared", capacity * sizeof(*entries));
        state->entries = entries;
        state->capacity = capacity;
    }
    uint32_t at = state->count;
    while (at > 0 && (state->entries[at - 1].epoch > entry->epoch ||
                      (state->entries[at - 1].epoch == entry->epoch &&
                       state->entries[at - 1].subtask > entry->subtask)))
        at--;
    memmove(&state->entries[at + 1], &state->entries[at],
            (state->count - at) * sizeof(*state->entries));
    state->entries[at] = *entry;
    state->count++;
    return OK;
}

void committer_state_drop(struct committer_state *state, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        mem_free((char *)state->entries[i].committable.bytes.data);
    state->count -= count;
    if (count && state->count)
        memmove(state->entries, state->entries + count, state->count * sizeof(*state->entries));
    if (state->count)
        return;
    mem_free(state->entries);
    state->entries = NULL;
    state->capacity = 0;
}

void committer_state_fini(struct committer_state *state)
{
    committer_state_drop(state, state->count);
    mem_free(state->sink_id);
    state->sink_id = NULL;
}

static enum status set_name(struct committer_state *state, const void *text, size_t length,
                            struct error *err)
{
    char *copy = mem_alloc(length + 1);
    if (!copy)
        return error_memory(err, "a sink's name", length);
    memcpy(copy, text, length);
    copy[length] = 0;
    mem_free(state->sink_id);
    state->sink_id = copy;
    return OK;
}

enum status committer_state_name(struct committer_state *state, const char *sink_id,
                                 struct error *err)
{
    return set_name(state, sink_id, strlen(sink_id), err);
}

void committer_state_save(const struct committer_state *state, uint64_t epoch, struct buf *out)
{
    uint32_t count = 0;
    while (count < state->count && state->entries[count].epoch <= epoch)
        count++;
    buf_append_byte(out, VERSION);
    state_put_bytes(out, state->sink_id, strlen(state->sink_id));
    buf_append_byte(out, state->known.found);
    buf_append(out, state->known.lineage, SINK_LINEAGE_BYTES);
    state_put_u64(out, state->known.position.epoch);
    state_put_u64(out, state->known.position.chunk);
    state_put_u64(out, state->known.position.row_count);
    state_put_varint(out, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct committer_entry *entry = &state->entries[i];
        state_put_u64(out, entry->epoch);
        state_put_varint(out, entry->committable.row_count);
        state_put_varint(out, entry->committable.size_bytes);
        state_put_bytes(out, entry->committable.bytes.data, entry->committable.bytes.length);
    }
}

static enum status load_entry(struct committer_state *state, struct state_bytes *in,
                              struct error *err)
{
    struct committer_entry entry = {.epoch = state_get_u64(in)};
    size_t size_bytes;
    entry.committable.row_count = state_get_varint(in);
    entry.committable.size_bytes = state_get_varint(in);
    const uint8_t *bytes = state_get_bytes(in, &size_bytes);
    if (in->failed)
        return OK; /* told at the end */
    char *copy = mem_alloc(size_bytes + 1);
    if (!copy)
        return error_memory(err, "what a sink has prepared", size_bytes);
    if (size_bytes)
        memcpy(copy, bytes, size_bytes);
    entry.committable.bytes = (struct str){copy, size_bytes};
    enum status status = committer_state_add(state, &entry, err);
    if (status != OK)
        mem_free(copy);
    return status;
}

enum status committer_state_load(struct committer_state *state, const void *bytes,
                                 size_t size_bytes, struct error *err)
{
    struct state_bytes in = {bytes, (const uint8_t *)bytes + size_bytes, false};
    uint8_t version = state_get_byte(&in);
    if (!in.failed && version != VERSION)
        return error_set(err, ERR_UNSUPPORTED, "a sink's state has version %u, of a newer leat",
                         version);
    size_t length;
    const uint8_t *sink_id = state_get_bytes(&in, &length);
    if (length == 0 || memchr(sink_id, 0, length))
        in.failed = true;
    else
        TRY(set_name(state, sink_id, length, err));
    state->known.found = state_get_byte(&in) != 0;
    for (int i = 0; i < SINK_LINEAGE_BYTES; i++)
        state->known.lineage[i] = state_get_byte(&in);
    state->known.position.epoch = state_get_u64(&in);
    state->known.position.chunk = state_get_u64(&in);
    state->known.position.row_count = state_get_u64(&in);
    uint64_t count = state_get_varint(&in);
    for (uint64_t i = 0; i < count && !in.failed; i++)
        TRY(load_entry(state, &in, err));
    return state_get_end(&in, "a sink's state", err);
}
