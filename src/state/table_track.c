/* table_track.c - which rows of a table a checkpoint has to write, and when. See README.md.
 *
 * A row is touched before its value changes. The first touch in an epoch puts it into the list of
 * dirty rows and stamps it with the epoch; a row that the snapshot under way still lacks is written
 * at that moment, as it was at the barrier. So every row is written once, by a step or by a touch.
 *
 * A removed row leaves the index but keeps its place and key until its tombstone is durable
 * (committed), so that lists never point to memory that is used again.
 *
 * Invariants: a row is in `dirty` exactly when its mark's epoch is the one under way; each row is
 * in a list at most once; a dead row with mark = pending_epoch is freed when the snapshot is
 * committed.
 */
#include "state/table_int.h"

static uint32_t epoch_of(const struct state_row *row)
{
    return row->mark & STATE_EPOCH_MASK;
}

static size_t chunk_bytes(uint32_t capacity)
{
    return sizeof(struct dirty_chunk) + capacity * sizeof(struct state_row *);
}

static enum status list_add(struct state_table *table, struct dirty_list *list,
                            struct state_row *row, struct error *err)
{
    struct dirty_chunk *chunk = list->last;
    if (!chunk || chunk->count == chunk->capacity) {
        uint32_t capacity = chunk ? DIRTY_CHUNK_NEXT : DIRTY_CHUNK_FIRST;
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
    chunk->rows[chunk->count++] = row;
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

/* Does the snapshot under way still lack the row? */
static bool is_lacking(const struct state_table *table, const struct state_row *row)
{
    if (table->snapshot == SNAPSHOT_FULL)
        return (row->mark & STATE_ROW_PARITY) != table->parity;
    return table->snapshot == SNAPSHOT_DELTA && epoch_of(row) == table->pending_epoch &&
           !(row->mark & STATE_ROW_WRITTEN);
}

enum status state_table_touch_slow(struct state_table *table, uint8_t *value, struct error *err)
{
    struct state_row *row = state_row_of(value);
    TRY(list_add(table, &table->dirty, row, err));
    if (is_lacking(table, row))
        table->write(table->write_context, value, false);
    row->mark = table->parity | table->track.epoch;
    return OK;
}

/* The group stays in the upper bits of the hash; the rest is needed no more. */
#define NUMBER_MASK UINT64_C(0xffffff)

void table_keep_dead(struct state_row *row, uint32_t number)
{
    row->hash = (row->hash & ~NUMBER_MASK) | number;
    row->mark |= STATE_ROW_DEAD;
}

void state_table_barrier(struct state_table *table, bool full)
{
    must(table->write && table->snapshot == SNAPSHOT_NONE);
    table->snapshot = full ? SNAPSHOT_FULL : SNAPSHOT_DELTA;
    table->written = false;
    table->pending = table->dirty;
    table->dirty = (struct dirty_list){0};
    table->next = table->pending.first;
    table->next_row = 0;
    table->cursor = (struct state_cursor){0};
    table->pending_epoch = table->track.epoch;
    table->track.epoch = table->track.epoch == STATE_EPOCH_MASK ? 1 : table->track.epoch + 1;
    if (full)
        table->parity ^= STATE_ROW_PARITY;
}

bool state_table_in_snapshot(const struct state_table *table)
{
    return table->snapshot != SNAPSHOT_NONE;
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
        struct state_row *row = table->next->rows[table->next_row++];
        if (!row || epoch_of(row) != table->pending_epoch)
            continue;
        table->write(table->write_context, row->value, row->mark & STATE_ROW_DEAD);
        row->mark |= STATE_ROW_WRITTEN;
    }
    return false;
}

#define SCAN_ROWS 64

static bool step_full(struct state_table *table, uint32_t max_rows, bool write)
{
    uint8_t *values[SCAN_ROWS];
    for (uint32_t done = 0; done < max_rows; done += SCAN_ROWS) {
        uint32_t count = state_table_scan(table, &table->cursor, values, SCAN_ROWS);
        for (uint32_t i = 0; i < count; i++) {
            struct state_row *row = state_row_of(values[i]);
            if ((row->mark & STATE_ROW_PARITY) == table->parity)
                continue;
            if (write)
                table->write(table->write_context, values[i], false);
            row->mark ^= STATE_ROW_PARITY;
        }
        if (count < SCAN_ROWS)
            return true;
    }
    return false;
}

bool state_table_step(struct state_table *table, uint32_t max_rows)
{
    must(table->snapshot != SNAPSHOT_NONE);
    if (!table->written)
        table->written = table->snapshot == SNAPSHOT_FULL ? step_full(table, max_rows, true)
                                                          : step_delta(table, max_rows);
    return table->written;
}

void state_table_committed(struct state_table *table)
{
    must(table->snapshot != SNAPSHOT_NONE && table->written);
    table->snapshot = SNAPSHOT_NONE;
    for (struct dirty_chunk *chunk = table->pending.first; chunk; chunk = chunk->next)
        for (uint32_t i = 0; i < chunk->count; i++) {
            struct state_row *row = chunk->rows[i];
            if (!row || !(row->mark & STATE_ROW_DEAD) || epoch_of(row) != table->pending_epoch)
                continue;
            table_row_free(table, table_group(table, row->hash),
                           (uint32_t)(row->hash & NUMBER_MASK), row);
        }
    list_free(table, &table->pending);
}

void state_table_aborted(struct state_table *table)
{
    must(table->snapshot != SNAPSHOT_NONE);
    while (table->snapshot == SNAPSHOT_FULL && !table->written)
        table->written = step_full(table, UINT32_MAX / 2, false);
    table->snapshot = SNAPSHOT_NONE;
    for (struct dirty_chunk *chunk = table->pending.first; chunk; chunk = chunk->next)
        for (uint32_t i = 0; i < chunk->count; i++) {
            struct state_row *row = chunk->rows[i];
            if (!row)
                continue;
            if (epoch_of(row) == table->pending_epoch)
                row->mark = (row->mark & (STATE_ROW_DEAD | STATE_ROW_PARITY)) | table->track.epoch;
            else
                chunk->rows[i] = NULL;
        }
    if (!table->pending.first)
        return;
    table->pending.last->next = table->dirty.first;
    if (!table->dirty.first)
        table->dirty.last = table->pending.last;
    table->dirty.first = table->pending.first;
    table->pending = (struct dirty_list){0};
}

enum status state_table_restore(struct state_table *table, const void *key, uint32_t key_bytes,
                                uint64_t hash, uint32_t epoch, bool dead, uint8_t **value,
                                struct error *err)
{
    uint8_t *found = table_find(table, key, key_bytes, hash);
    *value = found;
    if (dead) {
        if (found && epoch_of(state_row_of(found)) == epoch)
            *value = NULL;
        return OK;
    }
    if (!found)
        TRY(table_insert(table, key, key_bytes, hash, value, err));
    state_row_of(*value)->mark = table->parity | epoch;
    return OK;
}
