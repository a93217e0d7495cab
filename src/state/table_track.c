/* table_track.c - which rows of a table a checkpoint has to write, and when; which have expired.
 * See README.md.
 *
 * A row is touched before its value changes. The first touch in an epoch puts it into the list of
 * dirty rows and marks it with the epoch (1 and 2 by turns); a row that the snapshot under way
 * still lacks is written at that moment, as it was at the barrier. So every row is written once, by
 * a step or by a touch; then it is marked with no epoch.
 *
 * A removed row keeps its place, key and index entry until its tombstone is durable (committed), so
 * that lists never point to memory that is used again. When its key comes again before, the row is
 * revived.
 *
 * Invariants: a row is in `dirty` exactly when its mark is the epoch under way; each row is in a
 * list at most once; outside a snapshot no row has the other epoch's mark.
 */
#include "state/table_int.h"

#define TOMBSTONE ((uintptr_t)1) /* in a list's entry */
#define SCAN_ROWS 64u
#define AHEAD     16u /* rows prefetched */

static uint32_t epoch_of(const struct state_row *row)
{
    return row->mark & STATE_ROW_EPOCH;
}

static uint32_t pending_epoch(const struct state_table *table)
{
    return STATE_ROW_EPOCH - table->track.epoch;
}

static size_t chunk_bytes(uint32_t capacity)
{
    return sizeof(struct dirty_chunk) + capacity * sizeof(uintptr_t);
}

static enum status list_add(struct state_table *table, struct dirty_list *list,
                            struct state_row *row, struct error *err)
{
    struct dirty_chunk *chunk = list->last;
    if (!chunk || chunk->count == chunk->capacity) {
        uint32_t capacity = chunk ? chunk->capacity * 2 : DIRTY_CHUNK_MIN;
        capacity = capacity < DIRTY_CHUNK_MAX ? capacity : DIRTY_CHUNK_MAX;
        void *block;
        TRY(table_take(table, chunk_bytes(capacity), false, &block, err));
        chunk = block;
        *chunk = (struct dirty_chunk){.capacity = capacity};
        if (list->last)
            list->last->next = chunk;
        else
            list->first = chunk;
        list->last = chunk;
    }
    chunk->rows[chunk->count++] = (uintptr_t)row;
    return OK;
}

static void list_free(struct state_table *table, struct dirty_list *list)
{
    for (struct dirty_chunk *chunk = list->first, *next; chunk; chunk = next) {
        next = chunk->next;
        table_give(table, chunk, chunk_bytes(chunk->capacity));
    }
    *list = (struct dirty_list){0};
}

void table_track_fini(struct state_table *table)
{
    list_free(table, &table->dirty);
    list_free(table, &table->pending);
}

static bool is_folded(const struct state_table *table, const struct group *group)
{
    return (size_t)(group - table->groups) - table->fold.first < table->fold.count;
}

/* Does the snapshot under way still lack the row? */
static bool is_lacking(struct state_table *table, const struct state_row *row)
{
    const struct group *group = table_group_of_row(table, row);
    return table->in_snapshot &&
           (epoch_of(row) == pending_epoch(table) ||
            (is_folded(table, group) && (row->mark & ROW_PARITY) != group->parity));
}

static void set_mark(struct state_table *table, struct state_row *row, uint32_t epoch)
{
    row->mark = (row->mark & ~(STATE_ROW_EPOCH | ROW_PARITY)) | epoch |
                table_group_of_row(table, row)->parity;
}

static void write_row(struct state_table *table, struct state_row *row)
{
    table->write(table->write_context, row->value, row->mark & ROW_DEAD);
    set_mark(table, row, 0);
}

enum status state_table_touch_slow(struct state_table *table, uint8_t *value, struct error *err)
{
    struct state_row *row = state_row_of(value);
    if (table->track.epoch && epoch_of(row) != table->track.epoch) {
        TRY(list_add(table, &table->dirty, row, err));
        if (is_lacking(table, row))
            write_row(table, row);
        row->mark = (row->mark & ~STATE_ROW_EPOCH) | table->track.epoch;
    }
    if (table->stamp_bytes)
        state_row_set_stamp(table, value, *table->now_us / 1000);
    return OK;
}

enum status table_revive(struct state_table *table, struct state_row *row, struct error *err)
{
    TRY(state_table_touch(table, row->value, err));
    if (row->mark & ROW_DEAD)
        table->row_count++;
    else if (table->clear)
        table->clear(table->clear_context, row->value);
    set_mark(table, row, table->track.epoch);
    row->mark &= ~ROW_DEAD;
    memset(row->value, 0, table->value_bytes);
    return OK;
}

enum status state_table_expire(struct state_table *table, uint32_t max_rows, struct error *err)
{
    uint8_t *values[SCAN_ROWS];
    for (uint32_t done = 0; done < max_rows; done += SCAN_ROWS) {
        uint32_t count = state_table_scan(table, &table->sweep, values, SCAN_ROWS);
        for (uint32_t i = 0; i < count; i++) {
            if (!table_row_expired(table, state_row_of(values[i])))
                continue;
            TRY(state_table_touch(table, values[i], err));
            if (table->clear)
                table->clear(table->clear_context, values[i]);
            state_table_remove(table, values[i]);
        }
        if (count < SCAN_ROWS) {
            table->sweep = (struct state_cursor){0};
            break;
        }
    }
    return OK;
}

/* ---- snapshots ---- */

void state_table_barrier(struct state_table *table, struct state_fold fold)
{
    must(table->write && !table->in_snapshot);
    uint32_t end = fold.first + fold.count, first = table->first_group;
    table->in_snapshot = true;
    table->written = false;
    table->pending = table->dirty;
    table->dirty = (struct dirty_list){0};
    table->next = table->pending.first;
    table->next_row = 0;
    table->track.epoch = pending_epoch(table);
    table->fold.first = fold.first > first ? fold.first - first : 0;
    end = end > first ? end - first : 0;
    end = end < table->group_count ? end : table->group_count;
    table->fold.count = end > table->fold.first ? end - table->fold.first : 0;
    table->cursor = (struct state_cursor){.group = table->fold.first};
    for (uint32_t g = 0; g < table->fold.count; g++)
        table->groups[table->fold.first + g].parity ^= ROW_PARITY;
}

bool state_table_in_snapshot(const struct state_table *table)
{
    return table->in_snapshot;
}

static void prefetch(const struct state_table *table, const uint8_t *row)
{
    __builtin_prefetch(row, 1);
    __builtin_prefetch(row + sizeof(struct state_row) + table->value_bytes);
}

static bool step_delta(struct state_table *table, uint32_t max_rows)
{
    for (; max_rows > 0; max_rows--) {
        while (table->next && table->next_row == table->next->count) {
            table->next = table->next->next;
            table->next_row = 0;
        }
        if (!table->next)
            return true;
        uintptr_t *entry = &table->next->rows[table->next_row++];
        if (table->next_row + AHEAD < table->next->count)
            prefetch(table, (const uint8_t *)entry[AHEAD]);
        struct state_row *row = (struct state_row *)*entry;
        if (!row || epoch_of(row) != pending_epoch(table))
            continue;
        if (!(row->mark & ROW_DEAD) && is_folded(table, table_group_of_row(table, row)))
            continue; /* in the order of the pages, which is faster to write and to read */
        if (row->mark & ROW_DEAD) {
            *entry |= TOMBSTONE;
            table->next->tombstones++;
        }
        write_row(table, row);
    }
    return false;
}

/* Rows of the folded groups; with `write` false they are only marked. */
static bool step_fold(struct state_table *table, uint32_t max_rows, bool write)
{
    uint8_t *values[SCAN_ROWS];
    for (uint32_t done = 0; done < max_rows; done += SCAN_ROWS) {
        uint32_t count = 0;
        if (table->cursor.group < table->fold.first + table->fold.count)
            count = state_table_scan(table, &table->cursor, values, SCAN_ROWS);
        for (uint32_t i = 0; i < count; i++) {
            struct state_row *row = state_row_of(values[i]);
            const struct group *group = table_group_of_row(table, row);
            if (!is_folded(table, group) || (row->mark & ROW_PARITY) == group->parity)
                continue;
            if (write)
                write_row(table, row);
            else
                row->mark ^= ROW_PARITY;
        }
        if (count < SCAN_ROWS)
            return true;
    }
    return false;
}

bool state_table_step(struct state_table *table, uint32_t max_rows)
{
    must(table->in_snapshot);
    if (table->written || !step_delta(table, max_rows))
        return table->written;
    table->written = step_fold(table, max_rows, true);
    return table->written;
}

void state_table_committed(struct state_table *table)
{
    must(table->in_snapshot && table->written);
    table->in_snapshot = false;
    for (struct dirty_chunk *chunk = table->pending.first; chunk; chunk = chunk->next)
        for (uint32_t i = 0; i < chunk->count && chunk->tombstones; i++) {
            struct state_row *row = (struct state_row *)(chunk->rows[i] & ~TOMBSTONE);
            if (chunk->rows[i] & TOMBSTONE && row->mark & ROW_DEAD && !epoch_of(row))
                table_row_free(table, row);
        }
    list_free(table, &table->pending);
}

void state_table_aborted(struct state_table *table)
{
    must(table->in_snapshot);
    while (!step_fold(table, UINT32_MAX / 2, false))
        ;
    table->in_snapshot = false;
    for (struct dirty_chunk *chunk = table->pending.first; chunk; chunk = chunk->next)
        for (uint32_t i = 0; i < chunk->count; i++) {
            struct state_row *row = (struct state_row *)(chunk->rows[i] & ~TOMBSTONE);
            bool is_listed = row && epoch_of(row) == table->track.epoch;
            chunk->tombstones = 0;
            chunk->rows[i] = is_listed ? 0 : (uintptr_t)row;
            if (row && !is_listed)
                row->mark = (row->mark & ~STATE_ROW_EPOCH) | table->track.epoch;
        }
    if (!table->pending.first)
        return;
    table->pending.last->next = table->dirty.first;
    if (!table->dirty.first)
        table->dirty.last = table->pending.last;
    table->dirty.first = table->pending.first;
    table->pending = (struct dirty_list){0};
}

/* ---- restoring ---- */

uint8_t *state_table_peek(struct state_table *table, const void *key, uint32_t key_bytes,
                          uint64_t hash)
{
    struct state_row *row = table_find(table, key, key_bytes, hash);
    return row ? row->value : NULL;
}

enum status state_table_restore(struct state_table *table, const void *key, uint32_t key_bytes,
                                uint64_t hash, uint8_t **value, struct error *err)
{
    struct state_row *row;
    bool made;
    TRY(table_find_or_insert(table, key, key_bytes, hash, &row, &made, err));
    *value = row->value;
    return OK;
}
