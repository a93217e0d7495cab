/* table.c - keyed rows in memory. See table.h for the layout.
 *
 * Does not know what values mean; which rows a checkpoint writes is in table_track.c.
 *
 * Index: open addressing, linear probing, at most 3/4 full, power of two. A slot is 0 when empty;
 * row 0 of page 0 is never given out, so no used slot is 0. Removal shifts later entries back, so
 * there are no tombstones and a probe ends at the first empty slot.
 *
 * Pages: the first ones of a group are small (many groups hold a handful of keys), later ones 64
 * KB. A row larger than a quarter of a page gets a page of its own, freed with it. Freed rows are
 * linked by size class: exact up to 1 KB, then powers of two, to which such rows are rounded up.
 *
 * Invariants: slots point to live rows only; a live row has key_bytes <= KEY_BYTES_MAX, a freed one
 * ROW_FREED; units of a page below the group's next_unit are rows one after another.
 * Owner thread: the task of the operator.
 */
#include "state/table.h"

#include "state/table_int.h"

/* ---- memory ---- */

enum status table_take(struct state_table *table, size_t bytes, bool zeroed, void **out,
                       struct error *err)
{
    TRY(mem_reserve(table->owner, bytes, err));
    *out = zeroed ? mem_calloc(1, bytes) : mem_alloc(bytes);
    if (!*out) {
        mem_release(table->owner, bytes);
        return error_memory(err, "keyed state", bytes);
    }
    table->bytes += bytes;
    return OK;
}

void table_give(struct state_table *table, void *block, size_t bytes)
{
    if (!block)
        return;
    mem_free(block);
    mem_release(table->owner, bytes);
    table->bytes -= bytes;
}

enum status state_table_new(struct state_table **out, const struct state_table_spec *spec,
                            struct error *err)
{
    must(spec->value_bytes % 8 == 0 && spec->first_key_group <= spec->last_key_group);
    must(spec->last_key_group < KEY_GROUP_COUNT);
    uint32_t group_count = spec->last_key_group - spec->first_key_group + 1;
    size_t bytes = sizeof(struct state_table) + group_count * sizeof(struct group);
    TRY(mem_reserve(spec->owner, bytes, err));
    struct state_table *table = mem_calloc(1, bytes);
    if (!table) {
        mem_release(spec->owner, bytes);
        return error_memory(err, "keyed state", bytes);
    }
    table->value_bytes = spec->value_bytes;
    table->first_group = spec->first_key_group;
    table->group_count = group_count;
    table->owner = spec->owner;
    table->bytes = bytes;
    table->write = spec->write;
    table->write_context = spec->write_context;
    table->track.epoch = spec->write ? spec->epoch : 0;
    must(!spec->write || (table->track.epoch > 0 && table->track.epoch <= STATE_EPOCH_MASK));
    *out = table;
    return OK;
}

void state_table_free(struct state_table *table)
{
    if (!table)
        return;
    table_track_fini(table);
    for (uint32_t g = 0; g < table->group_count; g++) {
        struct group *group = &table->groups[g];
        for (uint32_t p = 0; p < group->page_count; p++)
            table_give(table, group->pages[p].bytes, group->pages[p].size_bytes);
        table_give(table, group->pages, group->page_capacity * sizeof(struct page));
        table_give(table, group->slots, ((size_t)group->mask + 1) * sizeof(uint32_t));
        table_give(table, group->free_heads, CLASS_COUNT * sizeof(uint32_t));
    }
    struct mem_owner *owner = table->owner;
    size_t bytes = table->bytes;
    mem_free(table);
    mem_release(owner, bytes);
}

/* ---- rows ---- */

static uint32_t class_of(uint32_t units)
{
    if (units <= EXACT_CLASSES)
        return units;
    uint32_t class = EXACT_CLASSES + 1;
    for (uint32_t size = EXACT_CLASSES * 2; size < units; size *= 2)
        class ++;
    return class;
}

/* Units of a row with that key, rounded up to what its class gives out. */
static uint32_t row_units(const struct state_table *table, uint32_t key_bytes)
{
    uint64_t bytes = sizeof(struct state_row) + (uint64_t)table->value_bytes + key_bytes;
    uint32_t units = (uint32_t)((bytes + UNIT_BYTES - 1) / UNIT_BYTES);
    if (units <= EXACT_CLASSES || units * UNIT_BYTES > OWN_PAGE_BYTES)
        return units;
    uint32_t size = EXACT_CLASSES * 2;
    while (size < units)
        size *= 2;
    return size;
}

static struct state_row *row_at(const struct group *group, uint32_t number)
{
    return (struct state_row *)(group->pages[number >> PAGE_BITS].bytes +
                                (size_t)(number & UNIT_MASK) * UNIT_BYTES);
}

static const uint8_t *key_of(const struct state_table *table, const struct state_row *row)
{
    return row->value + table->value_bytes;
}

const uint8_t *state_row_key(const struct state_table *table, const uint8_t *value)
{
    return value + table->value_bytes;
}

static enum status grow_page_list(struct state_table *table, struct group *group, struct error *err)
{
    uint32_t capacity = group->page_capacity ? group->page_capacity * 2 : 2;
    if (group->page_count >= PAGES_MAX)
        return error_set(err, ERR_LIMIT, "keyed state of one key group exceeds %u pages of %u KB",
                         PAGES_MAX, PAGE_BYTES >> 10);
    void *pages;
    TRY(table_take(table, capacity * sizeof(struct page), true, &pages, err));
    if (group->page_count)
        memcpy(pages, group->pages, group->page_count * sizeof(struct page));
    table_give(table, group->pages, group->page_capacity * sizeof(struct page));
    group->pages = pages;
    group->page_capacity = capacity;
    return OK;
}

static enum status add_page(struct state_table *table, struct group *group, uint32_t size_bytes,
                            uint32_t *out, struct error *err)
{
    uint32_t number = group->own_freed;
    if (!number && group->page_count == group->page_capacity)
        TRY(grow_page_list(table, group, err));
    void *bytes;
    TRY(table_take(table, size_bytes, false, &bytes, err));
    if (number)
        group->own_freed = group->pages[number].used_units;
    else
        number = group->page_count++;
    group->pages[number] = (struct page){bytes, size_bytes, 0};
    *out = number;
    return OK;
}

/* Room for a row that has a page of its own. Page 0 is always a shared one. */
static enum status own_page(struct state_table *table, struct group *group, uint32_t units,
                            uint32_t *out, struct error *err)
{
    uint32_t number;
    TRY(add_page(table, group, units * UNIT_BYTES, &number, err));
    group->pages[number].used_units = units;
    *out = number << PAGE_BITS;
    return OK;
}

static enum status next_page(struct state_table *table, struct group *group, uint32_t units,
                             struct error *err)
{
    uint32_t size = PAGE_BYTES_MIN, number;
    for (uint32_t i = 0; i < group->page_count && size < PAGE_BYTES; i++)
        size *= 2;
    while (size < (units + 1) * UNIT_BYTES)
        size *= 2;
    TRY(add_page(table, group, size, &number, err));
    if (group->end_unit)
        group->pages[group->filling].used_units = group->next_unit;
    group->filling = number;
    group->end_unit = size / UNIT_BYTES;
    group->next_unit = 0;
    if (number == 0) { /* row number 0 means "none" */
        struct freed_row *unused = (struct freed_row *)group->pages[0].bytes;
        *unused = (struct freed_row){.units = 1, .key_bytes = ROW_FREED};
        group->next_unit = 1;
    }
    return OK;
}

static enum status row_new(struct state_table *table, struct group *group, const void *key,
                           uint32_t key_bytes, uint64_t hash, uint32_t *out, struct error *err)
{
    if (key_bytes > KEY_BYTES_MAX)
        return error_set(err, ERR_LIMIT, "a key of %u bytes", key_bytes);
    uint32_t units = row_units(table, key_bytes), number = 0;
    bool own = units * (uint64_t)UNIT_BYTES > OWN_PAGE_BYTES;
    if (!group->page_count)
        TRY(next_page(table, group, own ? 1 : units, err));
    if (!own && group->free_heads && class_of(units) < CLASS_COUNT)
        number = group->free_heads[class_of(units)];
    if (number) {
        struct freed_row *freed = (struct freed_row *)row_at(group, number);
        group->free_heads[class_of(units)] = freed->next;
    } else if (own) {
        TRY(own_page(table, group, units, &number, err));
    } else {
        if (group->end_unit - group->next_unit < units)
            TRY(next_page(table, group, units, err));
        number = group->filling << PAGE_BITS | group->next_unit;
        group->next_unit += units;
    }
    struct state_row *row = row_at(group, number);
    row->hash = hash;
    row->key_bytes = key_bytes;
    row->mark = table->parity;
    memset(row->value, 0, table->value_bytes);
    memcpy(row->value + table->value_bytes, key, key_bytes);
    group->row_count++;
    table->row_count++;
    *out = number;
    return OK;
}

/* ---- index ---- */

static uint32_t slot_of(uint64_t hash, uint32_t number)
{
    return (uint32_t)(hash >> 49 & 0xff) << 24 | number;
}

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 49 & 0xff) << 24;
}

#define TAG_MASK 0xff000000u
#define ROW_MASK 0x00ffffffu

static enum status grow_index(struct state_table *table, struct group *group, struct error *err)
{
    uint32_t capacity = group->slots ? (group->mask + 1) * 2 : SLOTS_MIN;
    void *block;
    TRY(table_take(table, capacity * sizeof(uint32_t), true, &block, err));
    uint32_t *slots = block;
    for (uint32_t i = 0; group->slots && i <= group->mask; i++) {
        if (!group->slots[i])
            continue;
        uint64_t hash = row_at(group, group->slots[i] & ROW_MASK)->hash;
        uint32_t at = (uint32_t)hash & (capacity - 1);
        while (slots[at])
            at = (at + 1) & (capacity - 1);
        slots[at] = group->slots[i];
    }
    if (group->slots)
        table_give(table, group->slots, ((size_t)group->mask + 1) * sizeof(uint32_t));
    group->slots = slots;
    group->mask = capacity - 1;
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
                        const uint8_t *key, uint32_t key_bytes, uint64_t hash)
{
    return row->hash == hash && row->key_bytes == key_bytes &&
           key_equal(key_of(table, row), key, key_bytes);
}

/* The value of the key, or NULL with *at = the slot where it would go. */
static uint8_t *probe(const struct state_table *table, const struct group *group,
                      const uint8_t *key, uint32_t key_bytes, uint64_t hash, uint32_t *at)
{
    uint32_t position = (uint32_t)hash & group->mask, tag = tag_of(hash);
    for (;; position = (position + 1) & group->mask) {
        uint32_t slot = group->slots[position];
        if (!slot)
            break;
        if ((slot & TAG_MASK) != tag)
            continue;
        struct state_row *row = row_at(group, slot & ROW_MASK);
        if (row_matches(table, row, key, key_bytes, hash))
            return row->value;
    }
    *at = position;
    return NULL;
}

struct group *table_group(struct state_table *table, uint64_t hash)
{
    uint32_t number = key_group_of_hash(hash) - table->first_group;
    must(number < table->group_count);
    return &table->groups[number];
}

enum status table_insert(struct state_table *table, const uint8_t *key, uint32_t key_bytes,
                         uint64_t hash, uint8_t **out, struct error *err)
{
    struct group *group = table_group(table, hash);
    uint32_t number = 0, at;
    if (!group->slots || (uint64_t)group->row_count * 4 >= ((uint64_t)group->mask + 1) * 3)
        TRY(grow_index(table, group, err));
    TRY(row_new(table, group, key, key_bytes, hash, &number, err));
    uint8_t *found = probe(table, group, key, key_bytes, hash, &at);
    must(!found);
    group->slots[at] = slot_of(hash, number);
    *out = row_at(group, number)->value;
    return OK;
}

/* Bring the slots, then the rows of keys [from, to) into the caches. */
static void prefetch(struct state_table *table, const struct key_batch *keys, uint32_t from,
                     uint32_t to)
{
    for (uint32_t i = from; i < to; i++) {
        const struct group *group = table_group(table, keys->hashes[i]);
        if (group->slots)
            __builtin_prefetch(&group->slots[(uint32_t)keys->hashes[i] & group->mask]);
    }
    for (uint32_t i = from; i < to; i++) {
        const struct group *group = table_group(table, keys->hashes[i]);
        if (!group->slots)
            continue;
        uint32_t position = (uint32_t)keys->hashes[i] & group->mask;
        uint32_t tag = tag_of(keys->hashes[i]), slot;
        while ((slot = group->slots[position]) && (slot & TAG_MASK) != tag)
            position = (position + 1) & group->mask;
        if (slot)
            __builtin_prefetch(row_at(group, slot & ROW_MASK), 1);
    }
}

uint8_t *table_find(struct state_table *table, const uint8_t *key, uint32_t key_bytes,
                    uint64_t hash)
{
    struct group *group = table_group(table, hash);
    uint32_t at;
    return group->slots ? probe(table, group, key, key_bytes, hash, &at) : NULL;
}

static uint8_t *find_one(struct state_table *table, const struct key_batch *keys, uint32_t i)
{
    return table_find(table, keys->bytes.data + keys->offsets[i],
                      keys->offsets[i + 1] - keys->offsets[i], keys->hashes[i]);
}

enum status state_table_upsert(struct state_table *table, const struct key_batch *keys,
                               uint8_t **values, uint16_t *fresh, uint32_t *fresh_count,
                               struct error *err)
{
    bool is_large = table->bytes > SMALL_BYTES;
    uint32_t made = 0;
    if (fresh_count)
        *fresh_count = 0;
    for (uint32_t from = 0; from < keys->count; from += CHUNK) {
        uint32_t to = keys->count - from < CHUNK ? keys->count : from + CHUNK;
        if (is_large)
            prefetch(table, keys, from, to);
        for (uint32_t i = from; i < to; i++) {
            values[i] = find_one(table, keys, i);
            if (values[i])
                continue;
            TRY(table_insert(table, keys->bytes.data + keys->offsets[i],
                             keys->offsets[i + 1] - keys->offsets[i], keys->hashes[i], &values[i],
                             err));
            if (fresh) {
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
        for (uint32_t i = from; i < to; i++)
            values[i] = find_one(table, keys, i);
    }
}

/* ---- removal ---- */

/* Take the slot out and move later ones of the same run back where their probes would miss them. */
static void remove_slot(struct group *group, uint32_t hole)
{
    for (uint32_t at = hole;;) {
        at = (at + 1) & group->mask;
        uint32_t slot = group->slots[at];
        if (!slot)
            break;
        uint32_t home = (uint32_t)row_at(group, slot & ROW_MASK)->hash & group->mask;
        if (((at - home) & group->mask) >= ((at - hole) & group->mask)) {
            group->slots[hole] = slot;
            hole = at;
        }
    }
    group->slots[hole] = 0;
}

void table_row_free(struct state_table *table, struct group *group, uint32_t number,
                    struct state_row *row)
{
    uint32_t units = row_units(table, row->key_bytes), page = number >> PAGE_BITS;
    struct freed_row *freed = (struct freed_row *)row;
    if ((number & UNIT_MASK) == 0 && page != 0 &&
        units * (uint64_t)UNIT_BYTES == group->pages[page].size_bytes && page != group->filling) {
        table_give(table, group->pages[page].bytes, group->pages[page].size_bytes);
        group->pages[page] = (struct page){NULL, 0, group->own_freed};
        group->own_freed = page;
        return;
    }
    *freed = (struct freed_row){.units = units, .key_bytes = ROW_FREED};
    if (!group->free_heads) {
        void *heads;
        if (table_take(table, CLASS_COUNT * sizeof(uint32_t), true, &heads, NULL) != OK)
            return; /* without memory for the lists the row's space is lost until the table is */
        group->free_heads = heads;
    }
    if (class_of(units) < CLASS_COUNT) {
        freed->next = group->free_heads[class_of(units)];
        group->free_heads[class_of(units)] = number;
    }
}

uint32_t table_unlink(struct state_table *table, struct state_row *row)
{
    struct group *group = table_group(table, row->hash);
    uint32_t position = (uint32_t)row->hash & group->mask, tag = tag_of(row->hash), slot;
    for (;; position = (position + 1) & group->mask) {
        slot = group->slots[position];
        must(slot);
        if ((slot & TAG_MASK) == tag && row_at(group, slot & ROW_MASK) == row)
            break;
    }
    remove_slot(group, position);
    group->row_count--;
    table->row_count--;
    return slot & ROW_MASK;
}

void state_table_discard(struct state_table *table, uint8_t *value)
{
    struct state_row *row = state_row_of(value);
    uint32_t number = table_unlink(table, row);
    table_row_free(table, table_group(table, row->hash), number, row);
}

void state_table_remove(struct state_table *table, uint8_t *value)
{
    struct state_row *row = state_row_of(value);
    if (!table->write) {
        state_table_discard(table, value);
        return;
    }
    must((row->mark & STATE_EPOCH_MASK) == table->track.epoch);
    table_keep_dead(row, table_unlink(table, row));
}

/* ---- all rows ---- */

static uint32_t page_units(const struct group *group, uint32_t page)
{
    return page == group->filling ? group->next_unit : group->pages[page].used_units;
}

uint32_t state_table_scan(struct state_table *table, struct state_cursor *cursor, uint8_t **values,
                          uint32_t max)
{
    uint32_t count = 0;
    for (; cursor->group < table->group_count; cursor->group++, cursor->page = 0) {
        struct group *group = &table->groups[cursor->group];
        for (; cursor->page < group->page_count; cursor->page++, cursor->unit = 0) {
            if (!group->pages[cursor->page].bytes)
                continue;
            uint32_t end = page_units(group, cursor->page);
            while (cursor->unit < end) {
                if (count == max)
                    return count;
                struct state_row *row = row_at(group, cursor->page << PAGE_BITS | cursor->unit);
                if (row->key_bytes == ROW_FREED) {
                    cursor->unit += ((struct freed_row *)row)->units;
                    continue;
                }
                cursor->unit += row_units(table, row->key_bytes);
                if (!(row->mark & STATE_ROW_DEAD))
                    values[count++] = row->value;
            }
        }
    }
    return count;
}

uint64_t state_table_rows(const struct state_table *table)
{
    return table->row_count;
}

size_t state_table_bytes(const struct state_table *table)
{
    return table->bytes;
}
