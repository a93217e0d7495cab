/* table.c - keyed rows in memory. See table.h for the layout.
 *
 * Does not know what values mean; the index is in table_index.c, what a checkpoint writes in
 * table_track.c.
 *
 * Pages: the first ones of a group are small (many groups hold a handful of keys), the largest 32
 * KB. A row larger than a quarter of a page gets a page of its own, freed with it. Freed rows are
 * linked by size class: exact up to 1 KB, then powers of two, to which such rows are rounded up.
 *
 * Row: [hash 4 | mark 4 | value | stamp 8, with a time to live | key]. A key of a megabyte or more
 * has its size in four bytes before it.
 *
 * Invariants: slots point to rows that are not freed; units of a page below the group's next_unit
 * are rows one after another; row 0 of page 0 is never given out.
 * Owner thread: the task of the operator.
 */
#include "state/table.h"

#include "state/table_int.h"

#define SCAN_AHEAD_BYTES 512 /* prefetched behind a row */

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
    must(spec->ttl_ms == 0 || spec->now_us);
    uint32_t group_count = spec->last_key_group - spec->first_key_group + 1;
    size_t bytes = sizeof(struct state_table) + group_count * sizeof(struct group);
    TRY(mem_reserve(spec->owner, bytes, err));
    struct state_table *table = mem_calloc(1, bytes);
    if (!table) {
        mem_release(spec->owner, bytes);
        return error_memory(err, "keyed state", bytes);
    }
    table->value_bytes = spec->value_bytes;
    table->stamp_bytes = spec->ttl_ms ? sizeof(int64_t) : 0;
    table->first_group = spec->first_key_group;
    table->group_count = group_count;
    table->owner = spec->owner;
    table->bytes = bytes;
    table->write = spec->write;
    table->write_context = spec->write_context;
    table->track.epoch = spec->write ? 1 : 0;
    table->track.always = spec->ttl_ms ? STATE_ROW_EARLY : 0; /* which no epoch has */
    table->ttl_ms = spec->ttl_ms;
    table->now_us = spec->now_us;
    table->clear = spec->clear;
    table->clear_context = spec->clear_context;
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
        table_give(table, group->slots, group->capacity * sizeof(uint32_t));
        table_give(table, group->free_heads, CLASS_COUNT * sizeof(uint32_t));
    }
    struct mem_owner *owner = table->owner;
    size_t bytes = table->bytes;
    mem_free(table);
    mem_release(owner, bytes);
}

struct group *table_group(struct state_table *table, uint64_t hash)
{
    uint32_t number = key_group_of_hash(hash) - table->first_group;
    must(number < table->group_count);
    return &table->groups[number];
}

/* ---- a row ---- */

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
    uint64_t bytes = sizeof(struct state_row) + (uint64_t)table->value_bytes + table->stamp_bytes +
                     (key_bytes >= ROW_SIZE_MAX ? sizeof(uint32_t) : 0) + key_bytes;
    uint32_t units = (uint32_t)((bytes + UNIT_BYTES - 1) / UNIT_BYTES);
    if (units <= EXACT_CLASSES || units * (uint64_t)UNIT_BYTES > OWN_PAGE_BYTES)
        return units;
    uint32_t size = EXACT_CLASSES * 2;
    while (size < units)
        size *= 2;
    return size;
}

struct str state_row_key(const struct state_table *table, const uint8_t *value)
{
    return table_key(table, state_row_of((uint8_t *)value));
}

uint32_t state_row_key_group(const uint8_t *value)
{
    return state_row_of((uint8_t *)value)->mark >> ROW_GROUP_SHIFT & (KEY_GROUP_COUNT - 1);
}

bool state_table_has_ttl(const struct state_table *table)
{
    return table->stamp_bytes > 0;
}

int64_t state_row_stamp(const struct state_table *table, const uint8_t *value)
{
    return table_stamp(table, value);
}

void state_row_set_stamp(const struct state_table *table, uint8_t *value, int64_t stamp_ms)
{
    memcpy(value + table->value_bytes, &stamp_ms, sizeof(stamp_ms));
}

/* ---- making and freeing rows ---- */

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

/* An eighth of what the group has, so that little of it is unused, and at least room for units. */
static uint32_t next_page_bytes(const struct group *group, uint32_t units)
{
    size_t total = 0;
    for (uint32_t i = 0; i < group->page_count && total < PAGE_BYTES * 8; i++)
        total += group->pages[i].size_bytes;
    size_t size = total / 8 / PAGE_BYTES_MIN * PAGE_BYTES_MIN;
    size = size < PAGE_BYTES_MIN ? PAGE_BYTES_MIN : size > PAGE_BYTES ? PAGE_BYTES : size;
    while (size < (units + 1) * UNIT_BYTES)
        size *= 2;
    return (uint32_t)size;
}

static enum status next_page(struct state_table *table, struct group *group, uint32_t units,
                             struct error *err)
{
    uint32_t size = next_page_bytes(group, units), number;
    TRY(add_page(table, group, size, &number, err));
    if (group->end_unit)
        group->pages[group->filling].used_units = group->next_unit;
    group->filling = number;
    group->end_unit = size / UNIT_BYTES;
    group->next_unit = 0;
    if (number == 0) { /* row number 0 means "none" */
        struct freed_row *unused = (struct freed_row *)group->pages[0].bytes;
        *unused = (struct freed_row){.mark = ROW_FREED | 1u << ROW_SIZE_SHIFT};
        group->next_unit = 1;
    }
    return OK;
}

enum status table_row_new(struct state_table *table, struct group *group, const void *key,
                          uint32_t key_bytes, uint64_t hash, uint32_t *out, struct error *err)
{
    if (key_bytes > KEY_BYTES_MAX)
        return error_set(err, ERR_LIMIT, "a key of %u bytes", key_bytes);
    uint32_t units = row_units(table, key_bytes), number = 0;
    bool own = units * (uint64_t)UNIT_BYTES > OWN_PAGE_BYTES;
    if (!group->page_count)
        TRY(next_page(table, group, own ? 1 : units, err));
    if (!own && group->free_heads)
        number = group->free_heads[class_of(units)];
    if (number) {
        group->free_heads[class_of(units)] =
            ((struct freed_row *)table_row_at(group, number))->next;
    } else if (own) {
        TRY(own_page(table, group, units, &number, err));
    } else {
        if (group->end_unit - group->next_unit < units)
            TRY(next_page(table, group, units, err));
        number = group->filling << PAGE_BITS | group->next_unit;
        group->next_unit += units;
    }
    struct state_row *row = table_row_at(group, number);
    bool is_long = key_bytes >= ROW_SIZE_MAX;
    uint8_t *at = row->value + table->value_bytes + table->stamp_bytes;
    row->hash = table_hash(hash);
    row->mark = group->parity | key_group_of_hash(hash) << ROW_GROUP_SHIFT |
                (is_long ? ROW_SIZE_MAX : key_bytes) << ROW_SIZE_SHIFT;
    memset(row->value, 0, table->value_bytes);
    if (table->stamp_bytes)
        state_row_set_stamp(table, row->value, *table->now_us / 1000);
    if (is_long)
        memcpy(at, &key_bytes, sizeof(key_bytes));
    memcpy(at + (is_long ? sizeof(key_bytes) : 0), key, key_bytes);
    *out = number;
    return OK;
}

static void units_free(struct state_table *table, struct group *group, uint32_t number,
                       uint32_t units)
{
    struct freed_row *freed = (struct freed_row *)table_row_at(group, number);
    uint32_t page = number >> PAGE_BITS;
    if (units * (uint64_t)UNIT_BYTES > OWN_PAGE_BYTES) {
        table_give(table, group->pages[page].bytes, group->pages[page].size_bytes);
        group->pages[page] = (struct page){NULL, 0, group->own_freed};
        group->own_freed = page;
        return;
    }
    *freed = (struct freed_row){.mark = ROW_FREED | units << ROW_SIZE_SHIFT};
    if (!group->free_heads) {
        void *heads;
        if (table_take(table, CLASS_COUNT * sizeof(uint32_t), true, &heads, NULL) != OK)
            return; /* without memory for the lists the row's space is lost until the table is */
        group->free_heads = heads;
    }
    freed->next = group->free_heads[class_of(units)];
    group->free_heads[class_of(units)] = number;
}

void table_row_free(struct state_table *table, struct state_row *row)
{
    struct group *group = table_group_of_row(table, row);
    uint32_t units = row_units(table, (uint32_t)table_key(table, row).length);
    units_free(table, group, table_unlink(group, row), units);
}

void state_table_discard(struct state_table *table, uint8_t *value)
{
    table->row_count--;
    table_row_free(table, state_row_of(value));
}

void state_table_remove(struct state_table *table, uint8_t *value)
{
    struct state_row *row = state_row_of(value);
    if (!table->write) {
        state_table_discard(table, value);
        return;
    }
    must((row->mark & (STATE_ROW_EPOCH | STATE_ROW_EARLY)) == table->track.epoch);
    row->mark |= ROW_DEAD;
    table->row_count--;
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
                struct state_row *row =
                    table_row_at(group, cursor->page << PAGE_BITS | cursor->unit);
                __builtin_prefetch((const uint8_t *)row + SCAN_AHEAD_BYTES, 1);
                if (row->mark & ROW_FREED) {
                    cursor->unit += row->mark >> ROW_SIZE_SHIFT;
                    continue;
                }
                cursor->unit += row_units(table, (uint32_t)table_key(table, row).length);
                if (!(row->mark & ROW_DEAD))
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
