/* table_track.c - which rows of a table a checkpoint has to write, and when; which have expired.
 * See README.md.
 *
 * A row is touched before its value changes. The first touch in an epoch puts it into the list of
 * dirty rows and marks it with the epoch; a row that the snapshot under way still lacks is written
 * at that moment, as it was at the barrier. So every row is written once, by a step or by a touch;
 * then it is marked with no epoch.
 *
 * Early records: to come back to a row at the barrier costs more than to write it, for it has left
 * the caches. So once the operator has settled, touched rows are written for the next snapshot at
 * once, and a step passes over their entries without looking at the rows. A row that is touched
 * again after that is listed again and written again, by a step, behind its early record. Where
 * that is the rule, some epochs go without. A row that has only an early record keeps the mark of
 * that epoch; when the same number comes round, it is taken for one that is touched again.
 *
 * A removed row keeps its place, key and index entry until its tombstone is durable (committed), so
 * that lists never point to memory that is used again. When its key comes again before, the row is
 * revived.
 *
 * Invariants: a row is in `dirty` only when its mark is the epoch under way; each row is in a
 * list at most once, or twice with LISTED_EARLY and then LISTED_AGAIN; outside a snapshot a row
 * with the mark of another epoch has STATE_ROW_EARLY.
 */
#include "state/table_int.h"

#define SCAN_ROWS    64u
#define AHEAD        16u             /* rows prefetched */
#define SETTLE_AHEAD 4u              /* the same, out of the second cache */
#define EPOCHS       STATE_ROW_EPOCH /* 1..EPOCHS */
#define PAUSE_MAX    64u             /* epochs */
#define PASSED_A_ROW 8u              /* entries passed over in a step count as one row */

static uint32_t epoch_of(const struct state_row *row)
{
    return row->mark & STATE_ROW_EPOCH;
}

static size_t chunk_bytes(uint32_t capacity)
{
    return sizeof(struct dirty_chunk) + capacity * sizeof(uintptr_t);
}

static enum status list_add(struct state_table *table, struct dirty_list *list, uintptr_t entry,
                            struct error *err)
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
    chunk->rows[chunk->count++] = entry;
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

static struct state_row *row_of(uintptr_t entry)
{
    return (struct state_row *)(entry & ~LISTED_TAGS);
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
           ((epoch_of(row) == table->pending_epoch && !(row->mark & STATE_ROW_EARLY)) ||
            (is_folded(table, group) && (row->mark & ROW_PARITY) != group->parity));
}

static void set_mark(struct state_table *table, struct state_row *row, uint32_t epoch)
{
    row->mark = (row->mark & ~(STATE_ROW_EPOCH | STATE_ROW_EARLY | ROW_PARITY)) | epoch |
                table_group_of_row(table, row)->parity;
}

static void write_row(struct state_table *table, struct state_row *row)
{
    table->write(table->write_context, row->value,
                 row->mark & ROW_DEAD ? STATE_WRITE_TOMBSTONE : STATE_WRITE_VALUE);
    set_mark(table, row, 0);
}

enum status state_table_touch_slow(struct state_table *table, uint8_t *value, struct error *err)
{
    struct state_row *row = state_row_of(value);
    bool is_listed = epoch_of(row) == table->track.epoch, is_early = row->mark & STATE_ROW_EARLY;
    if (table->track.epoch && (!is_listed || is_early)) {
        TRY(list_add(table, &table->dirty, (uintptr_t)row | (is_listed ? LISTED_AGAIN : 0), err));
        table->again_count += is_listed;
        if (is_lacking(table, row))
            write_row(table, row);
        row->mark = (row->mark & ~(STATE_ROW_EPOCH | STATE_ROW_EARLY)) | table->track.epoch;
    }
    if (table->stamp_bytes)
        state_row_set_stamp(table, value, *table->now_us / 1000);
    return OK;
}

static void prefetch(const struct state_table *table, const uint8_t *row)
{
    __builtin_prefetch(row, 1);
    __builtin_prefetch(row + sizeof(struct state_row) + table->value_bytes);
}

static void settled(struct state_table *table)
{
    table->settled = table->dirty.last;
    table->settled_row = table->settled ? table->settled->count : 0;
}

void state_table_settle(struct state_table *table)
{
    struct dirty_chunk *chunk = table->settled ? table->settled : table->dirty.first;
    uint32_t i = table->settled_row;
    for (; chunk && table->is_early; chunk = chunk->next, i = 0)
        for (; i < chunk->count && table->is_early; i++) {
            if (i + SETTLE_AHEAD < chunk->count)
                prefetch(table, (const uint8_t *)row_of(chunk->rows[i + SETTLE_AHEAD]));
            struct state_row *row = row_of(chunk->rows[i]);
            if (chunk->rows[i] & LISTED_AGAIN || row->mark & ROW_DEAD)
                continue;
            table->is_early = table->write(table->write_context, row->value, STATE_WRITE_EARLY);
            if (!table->is_early)
                continue;
            row->mark |= STATE_ROW_EARLY;
            chunk->rows[i] |= LISTED_EARLY;
            table->early_count++;
        }
    settled(table);
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

/* Whether the next epoch has early records. */
static void choose_early(struct state_table *table)
{
    bool paid = table->again_count * 2 <= table->early_count;
    if (table->early_count && !paid)
        table->early_pause = table->early_pause ? table->early_pause * 2 : 1;
    else if (table->early_count)
        table->early_pause = 0;
    table->early_pause = table->early_pause < PAUSE_MAX ? table->early_pause : PAUSE_MAX;
    if (table->early_count)
        table->early_wait = table->early_pause;
    else if (table->early_wait)
        table->early_wait--;
    table->is_early = !table->early_wait;
    table->early_count = table->again_count = 0;
}

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
    table->settled = NULL;
    table->settled_row = 0;
    choose_early(table);
    table->pending_epoch = table->track.epoch;
    table->track.epoch = table->track.epoch == EPOCHS ? 1 : table->track.epoch + 1;
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

static bool step_delta(struct state_table *table, uint32_t max_rows)
{
    for (uint64_t left = (uint64_t)max_rows * PASSED_A_ROW; left >= PASSED_A_ROW;) {
        while (table->next && table->next_row == table->next->count) {
            table->next = table->next->next;
            table->next_row = 0;
        }
        if (!table->next)
            return true;
        uintptr_t *entry = &table->next->rows[table->next_row++];
        if (table->next_row + AHEAD < table->next->count && !(entry[AHEAD] & LISTED_EARLY))
            prefetch(table, (const uint8_t *)row_of(entry[AHEAD]));
        left--;
        struct state_row *row = row_of(*entry);
        if (!row || *entry & LISTED_EARLY)
            continue;
        left -= PASSED_A_ROW - 1;
        if (epoch_of(row) != table->pending_epoch)
            continue;
        if (!(row->mark & ROW_DEAD) && is_folded(table, table_group_of_row(table, row)))
            continue; /* in the order of the pages, which is faster to write and to read */
        if (row->mark & ROW_DEAD) {
            *entry |= LISTED_TOMBSTONE;
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
            struct state_row *row = row_of(chunk->rows[i]);
            if (chunk->rows[i] & LISTED_TOMBSTONE && row->mark & ROW_DEAD && !epoch_of(row))
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
            struct state_row *row = row_of(chunk->rows[i]);
            bool is_listed = row && epoch_of(row) == table->track.epoch;
            chunk->tombstones = 0;
            chunk->rows[i] = is_listed ? 0 : (uintptr_t)row;
            if (row && !is_listed)
                row->mark = (row->mark & ~(STATE_ROW_EPOCH | STATE_ROW_EARLY)) | table->track.epoch;
        }
    if (!table->pending.first)
        return;
    if (!table->settled) { /* what comes now is not in the caches */
        table->settled = table->pending.last;
        table->settled_row = table->settled->count;
    }
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
