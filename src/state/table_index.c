/* table_index.c - keys to rows: the index of a key group, and the batched look-ups. See table.h.
 *
 * Open addressing, linear probing, at most 7/8 full, half as large again when full. A slot is the
 * row's number and the lowest 8 bits of what the row keeps of the hash; its place goes by the
 * highest bits, so that slots lie in the order of the hashes. 0 is empty: row 0 is never given out.
 * Removal shifts later entries back, so there are no tombstones and a probe ends at the first empty
 * slot.
 *
 * A dead row (removed, its tombstone not durable yet) stays in the index: a key that comes again
 * gets its old row. So a key has one row, and one record in a snapshot.
 */
#include "state/table_int.h"

#define SLOTS_MIN 8u
#define CHUNK     32u /* keys whose slots and rows are prefetched at once */
#define AHEAD     8u  /* rows prefetched while an index grows */
#define TAG_MASK  0xffu
#define TAG_BITS  8

static uint32_t home_of(const struct group *group, uint32_t hash)
{
    return (uint32_t)((uint64_t)hash * group->capacity >> 32);
}

static uint32_t after(const struct group *group, uint32_t position)
{
    return position + 1 == group->capacity ? 0 : position + 1;
}

/* A row that is not there yet, into an index that has room. */
static void put(struct group *group, uint32_t hash, uint32_t number)
{
    uint32_t at = home_of(group, hash);
    while (group->slots[at])
        at = after(group, at);
    group->slots[at] = number << TAG_BITS | (hash & TAG_MASK);
}

static enum status grow(struct state_table *table, struct group *group, struct error *err)
{
    struct group old = *group;
    uint32_t capacity = old.slots ? old.capacity + old.capacity / 2 : SLOTS_MIN;
    void *block;
    TRY(table_take(table, capacity * sizeof(uint32_t), true, &block, err));
    group->slots = block;
    group->capacity = capacity;
    for (uint32_t i = 0; i < old.capacity; i++) {
        if (i + AHEAD < old.capacity && old.slots[i + AHEAD])
            __builtin_prefetch(table_row_at(group, old.slots[i + AHEAD] >> TAG_BITS));
        if (old.slots[i])
            put(group, table_row_at(group, old.slots[i] >> TAG_BITS)->hash,
                old.slots[i] >> TAG_BITS);
    }
    table_give(table, old.slots, old.capacity * sizeof(uint32_t));
    return OK;
}

static bool key_equal(const uint8_t *a, const uint8_t *b, uint32_t bytes)
{
    uint64_t left, right;
    if (bytes < 8)
        return memcmp(a, b, bytes) == 0;
    for (uint32_t i = 0; i + 8 < bytes; i += 8) {
        memcpy(&left, a + i, 8);
        memcpy(&right, b + i, 8);
        if (left != right)
            return false;
    }
    memcpy(&left, a + bytes - 8, 8);
    memcpy(&right, b + bytes - 8, 8);
    return left == right;
}

static bool row_matches(const struct state_table *table, const struct state_row *row,
                        const uint8_t *key, uint32_t key_bytes, uint32_t hash)
{
    if (row->hash != hash)
        return false;
    struct str own = table_key(table, row);
    return own.length == key_bytes && key_equal((const uint8_t *)own.data, key, key_bytes);
}

/* The row of the key; or NULL, with *at = the slot where it would go. */
static struct state_row *probe(const struct state_table *table, const struct group *group,
                               const uint8_t *key, uint32_t key_bytes, uint32_t hash, uint32_t *at)
{
    uint32_t slot;
    for (*at = home_of(group, hash); (slot = group->slots[*at]); *at = after(group, *at)) {
        if ((slot & TAG_MASK) != (hash & TAG_MASK))
            continue;
        struct state_row *row = table_row_at(group, slot >> TAG_BITS);
        if (row_matches(table, row, key, key_bytes, hash))
            return row;
    }
    return NULL;
}

struct state_row *table_find(struct state_table *table, const uint8_t *key, uint32_t key_bytes,
                             uint64_t hash)
{
    struct group *group = table_group(table, hash);
    uint32_t at;
    return group->slots ? probe(table, group, key, key_bytes, table_hash(hash), &at) : NULL;
}

enum status table_find_or_insert(struct state_table *table, const uint8_t *key, uint32_t key_bytes,
                                 uint64_t wide_hash, struct state_row **out, bool *made,
                                 struct error *err)
{
    struct group *group = table_group(table, wide_hash);
    uint32_t hash = table_hash(wide_hash), number = 0, at = 0;
    *out = group->slots ? probe(table, group, key, key_bytes, hash, &at) : NULL;
    *made = !*out;
    if (*out)
        return OK;
    if (((uint64_t)group->row_count + 1) * 8 > (uint64_t)group->capacity * 7) {
        TRY(grow(table, group, err));
        *out = probe(table, group, key, key_bytes, hash, &at);
        must(!*out);
    }
    TRY(table_row_new(table, group, key, key_bytes, wide_hash, &number, err));
    group->slots[at] = number << TAG_BITS | (hash & TAG_MASK);
    group->row_count++;
    table->row_count++;
    *out = table_row_at(group, number);
    return OK;
}

/* Take the slot out and move later ones of the same run back where their probes would miss them. */
static void remove_slot(struct group *group, uint32_t hole)
{
    for (uint32_t at = hole;;) {
        at = after(group, at);
        uint32_t slot = group->slots[at];
        if (!slot)
            break;
        uint32_t home = home_of(group, table_row_at(group, slot >> TAG_BITS)->hash);
        uint32_t from_home = at >= home ? at - home : at + group->capacity - home;
        uint32_t from_hole = at >= hole ? at - hole : at + group->capacity - hole;
        if (from_home >= from_hole) {
            group->slots[hole] = slot;
            hole = at;
        }
    }
    group->slots[hole] = 0;
}

uint32_t table_unlink(struct group *group, const struct state_row *row)
{
    uint32_t at = home_of(group, row->hash), slot;
    for (;; at = after(group, at)) {
        slot = group->slots[at];
        must(slot);
        if ((slot & TAG_MASK) == (row->hash & TAG_MASK) &&
            table_row_at(group, slot >> TAG_BITS) == row)
            break;
    }
    remove_slot(group, at);
    group->row_count--;
    return slot >> TAG_BITS;
}

/* ---- batches ---- */

void state_table_prefetch_slot(struct state_table *table, uint64_t hash)
{
    const struct group *group = table_group(table, hash);
    if (group->slots)
        __builtin_prefetch(&group->slots[home_of(group, table_hash(hash))]);
}

void state_table_prefetch_row(struct state_table *table, uint64_t wide_hash)
{
    const struct group *group = table_group(table, wide_hash);
    if (!group->slots)
        return;
    uint32_t hash = table_hash(wide_hash), at = home_of(group, hash), slot;
    while ((slot = group->slots[at]) && (slot & TAG_MASK) != (hash & TAG_MASK))
        at = after(group, at);
    if (!slot)
        return;
    const uint8_t *row = (const uint8_t *)table_row_at(group, slot >> TAG_BITS);
    __builtin_prefetch(row, 1);
    __builtin_prefetch(row + sizeof(struct state_row) + table->value_bytes + table->stamp_bytes, 1);
}

/* Brings the slots, then the rows of keys [from, to) into the caches. */
static void prefetch(struct state_table *table, const struct key_batch *keys, uint32_t from,
                     uint32_t to)
{
    for (uint32_t i = from; i < to; i++)
        state_table_prefetch_slot(table, keys->hashes[i]);
    for (uint32_t i = from; i < to; i++)
        state_table_prefetch_row(table, keys->hashes[i]);
}

static bool is_there(const struct state_table *table, const struct state_row *row)
{
    return row && !(row->mark & ROW_DEAD) && !table_row_expired(table, row);
}

/* *fresh: the row was made, or made again. */
static enum status upsert_one(struct state_table *table, const struct key_batch *keys, uint32_t i,
                              uint8_t **value, bool *fresh, struct error *err)
{
    struct state_row *row;
    TRY(table_find_or_insert(table, keys->bytes.data + keys->offsets[i],
                             keys->offsets[i + 1] - keys->offsets[i], keys->hashes[i], &row, fresh,
                             err));
    if (!*fresh && !is_there(table, row)) {
        TRY(table_revive(table, row, err));
        *fresh = true;
    }
    *value = row->value;
    return OK;
}

enum status state_table_upsert(struct state_table *table, const struct key_batch *keys,
                               uint8_t **values, uint16_t *fresh, uint32_t *fresh_count,
                               struct error *err)
{
    bool is_large = table->bytes > SMALL_BYTES, is_fresh;
    uint32_t made = 0;
    if (fresh_count)
        *fresh_count = 0;
    for (uint32_t from = 0; from < keys->count; from += CHUNK) {
        uint32_t to = keys->count - from < CHUNK ? keys->count : from + CHUNK;
        if (is_large)
            prefetch(table, keys, from, to);
        for (uint32_t i = from; i < to; i++) {
            TRY(upsert_one(table, keys, i, &values[i], &is_fresh, err));
            if (fresh && is_fresh) {
                fresh[made++] = (uint16_t)i;
                *fresh_count = made;
            }
        }
    }
    return OK;
}

void state_table_find(struct state_table *table, const struct key_batch *keys, uint8_t **values)
{
    bool is_large = table->bytes > SMALL_BYTES;
    for (uint32_t from = 0; from < keys->count; from += CHUNK) {
        uint32_t to = keys->count - from < CHUNK ? keys->count : from + CHUNK;
        if (is_large)
            prefetch(table, keys, from, to);
        for (uint32_t i = from; i < to; i++) {
            struct state_row *row =
                table_find(table, keys->bytes.data + keys->offsets[i],
                           keys->offsets[i + 1] - keys->offsets[i], keys->hashes[i]);
            values[i] = is_there(table, row) ? row->value : NULL;
        }
    }
}
