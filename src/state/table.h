/* table.h - keyed state in memory: canonical key bytes -> a row with a fixed number of value bytes.
 *
 * One table is 128 key groups (those of its range), each with its own index and pages, so that
 * growing touches one group at a time and a group can move to another subtask.
 *
 *   group: slots [tag 8 | row 24] --row--> page (2 KB .. 64 KB): [header | value | key] [header ...
 *
 * The row number is page (12 bits) and 16-byte unit in the page (12 bits). A row never moves; it
 * lives until state_table_remove. Access is batched: all slots are prefetched, then all rows, then
 * compared, so that a table far larger than the caches costs about one miss a key.
 *
 * Memory is reserved with the owner (ERR_BUDGET names it and the setting). One thread at a time.
 */
#ifndef LEAT_STATE_TABLE_H
#define LEAT_STATE_TABLE_H

#include "data/key.h"

struct state_table;

struct state_table_spec {
    uint32_t value_bytes;                     /* multiple of 8 */
    uint32_t first_key_group, last_key_group; /* inclusive; other keys are a bug */
    struct mem_owner *owner;                  /* NULL: nobody counts */
    /* For tables that are checkpointed (README.md); NULL: changes are not tracked. Takes down the
     * row as it is now; dead: its key is gone, only the key counts. */
    void (*write)(void *context, const uint8_t *value, bool dead);
    void *write_context;
    uint32_t epoch; /* with write: the one that is under way, at least 1 */
};

/* In front of every value. Values are aligned to 8. */
struct state_row {
    uint64_t hash;
    uint32_t key_bytes;
    uint32_t mark;   /* epoch of the last change, and STATE_ROW_* */
    uint8_t value[]; /* value_bytes, then the key */
};

enum status state_table_new(struct state_table **out, const struct state_table_spec *spec,
                            struct error *err) STATUS_CHECKED;
void state_table_free(struct state_table *table); /* NULL is fine */

/* values[i] = value of key i; missing rows are made with zeroed values. fresh (BATCH_ROWS_MAX
 * entries, may be NULL) gets the key numbers whose row was made, ascending, *fresh_count their
 * number. On failure the rows made so far stay, zeroed; fresh tells them. */
enum status state_table_upsert(struct state_table *table, const struct key_batch *keys,
                               uint8_t **values, uint16_t *fresh, uint32_t *fresh_count,
                               struct error *err) STATUS_CHECKED;
/* values[i] = value of key i, or NULL. */
void state_table_find(struct state_table *table, const struct key_batch *keys, uint8_t **values);
/* The row is gone and its memory is used again (tracked: once its tombstone is durable); what the
 * value owned is the caller's business. A tracked row must have been touched in this epoch. */
void state_table_remove(struct state_table *table, uint8_t *value);

static inline struct state_row *state_row_of(uint8_t *value)
{
    return (struct state_row *)(value - sizeof(struct state_row));
}
const uint8_t *state_row_key(const struct state_table *table, const uint8_t *value);

/* Every row once, group by group, in the order they were made where none was removed. Zeroed at the
 * start. Rows may be removed behind the cursor; nothing may be inserted meanwhile. */
struct state_cursor {
    uint32_t group, page, unit;
};
uint32_t state_table_scan(struct state_table *table, struct state_cursor *cursor, uint8_t **values,
                          uint32_t max);

/* ---- tracked tables: which rows a checkpoint has to write (README.md, "Snapshots")
 *
 *   touch ... touch | barrier | touch (a row not written yet is written first) ... step, step ...
 *                                                               | committed or aborted
 *
 * At most one snapshot is under way: from barrier to committed or aborted. */

#define STATE_EPOCH_MASK 0x1fffffffu
struct state_table_epoch { /* the beginning of struct state_table */
    uint32_t epoch;        /* 0: not tracked */
};
enum status state_table_touch_slow(struct state_table *table, uint8_t *value,
                                   struct error *err) STATUS_CHECKED;
/* Before a row's value is changed, or the row removed, for the first time after it was looked up.
 * When it fails nothing has changed. */
static inline enum status STATUS_CHECKED state_table_touch(struct state_table *table,
                                                           uint8_t *value, struct error *err)
{
    if ((state_row_of(value)->mark & STATE_EPOCH_MASK) ==
        ((const struct state_table_epoch *)table)->epoch)
        return OK;
    return state_table_touch_slow(table, value, err);
}
/* A snapshot of the epoch under way begins; the next epoch is under way. full: of all rows, without
 * tombstones; else of those touched. */
void state_table_barrier(struct state_table *table, bool full);
bool state_table_in_snapshot(const struct state_table *table); /* one is under way */
/* Writes at most about max_rows rows of the snapshot; true: there are no more. */
bool state_table_step(struct state_table *table, uint32_t max_rows);
void state_table_committed(struct state_table *table);
/* What the snapshot had is part of the epoch under way. */
void state_table_aborted(struct state_table *table);
/* Restoring: a row as a checkpoint of `epoch` has it, in the order of their epochs, before anything
 * else is done with the table, which is in a later epoch. *value is the row's value, zeroed or
 * older. dead: the row that the caller has to discard, or NULL. Within an epoch a value counts more
 * than a tombstone of the same key, whatever their order. */
enum status state_table_restore(struct state_table *table, const void *key, uint32_t key_bytes,
                                uint64_t hash, uint32_t epoch, bool dead, uint8_t **value,
                                struct error *err) STATUS_CHECKED;
void state_table_discard(struct state_table *table, uint8_t *value);

uint64_t state_table_rows(const struct state_table *table);
size_t state_table_bytes(const struct state_table *table); /* reserved */

#endif
