/* table.h - keyed state in memory: canonical key bytes -> a row with a fixed number of value bytes.
 *
 * One table is 128 key groups (those of its range), each with its own index and pages, so that
 * growing touches one group at a time and a group can move to another subtask.
 *
 *   group: slots [row 24 | tag 8] --row--> page (1 KB .. 32 KB): [header | value | key] [header ...
 *
 * The row number is page (12 bits) and 8-byte unit in the page (12 bits). A row never moves; it
 * lives until state_table_remove. Access is batched: all slots are prefetched, then all rows, then
 * compared, so that a table far larger than the caches costs about one miss a key. Beside value and
 * key a row takes 8 bytes, 5 to 7 in the index, and what fills it up to a multiple of 8.
 *
 * Time to live: with `ttl_ms` a row that was not touched for so long is gone: look-ups do not find
 * it, and state_table_expire frees it.
 *
 * Memory is reserved with the owner (ERR_BUDGET names it and the setting). One thread at a time.
 */
#ifndef LEAT_STATE_TABLE_H
#define LEAT_STATE_TABLE_H

#include "data/key.h"

struct state_table;

enum state_write {
    STATE_WRITE_VALUE,     /* into the snapshot under way */
    STATE_WRITE_TOMBSTONE, /* the same; its key is gone, only the key counts */
    STATE_WRITE_EARLY      /* for the next snapshot; false: not now */
};

struct state_table_spec {
    uint32_t value_bytes;                     /* multiple of 8 */
    uint32_t first_key_group, last_key_group; /* inclusive; other keys are a bug */
    struct mem_owner *owner;                  /* NULL: nobody counts */
    /* For tables that are checkpointed (README.md); NULL: changes are not tracked. Takes down the
     * row as it is now. */
    bool (*write)(void *context, const uint8_t *value, enum state_write what);
    void *write_context;
    int64_t ttl_ms;        /* 0: for ever */
    const int64_t *now_us; /* with ttl_ms: the clock, read at each look-up and touch */
    /* Lets go of what the value of an expired row owns. NULL: nothing. */
    void (*clear)(void *context, uint8_t *value);
    void *clear_context;
};

/* In front of every value. Values are aligned to 8. */
struct state_row {
    uint32_t hash;   /* 32 bits of the key's hash, below those of the key group */
    uint32_t mark;   /* flags, key group and size of the key (table_int.h) */
    uint8_t value[]; /* value_bytes, then the key */
};
/* Of mark: which epoch it was touched in, 0: none that counts; and that an early record has it. */
#define STATE_ROW_EPOCH 0x3ffu
#define STATE_ROW_EARLY 0x400u

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
/* Looks at about max_rows rows, going round the table, and removes those that have expired. */
enum status state_table_expire(struct state_table *table, uint32_t max_rows,
                               struct error *err) STATUS_CHECKED;

static inline struct state_row *state_row_of(uint8_t *value)
{
    return (struct state_row *)(value - sizeof(struct state_row));
}
struct str state_row_key(const struct state_table *table, const uint8_t *value);
uint32_t state_row_key_group(const uint8_t *value);
/* When a row of a table with a time to live was touched last, in milliseconds; and the reverse,
 * while restoring. */
int64_t state_row_stamp(const struct state_table *table, const uint8_t *value);
void state_row_set_stamp(const struct state_table *table, uint8_t *value, int64_t stamp_ms);
bool state_table_has_ttl(const struct state_table *table);

/* Every row once, group by group, in the order they were made where none was removed. Zeroed at the
 * start. Rows may be removed behind the cursor; nothing may be inserted meanwhile. */
struct state_cursor {
    uint32_t group, page, unit;
};
uint32_t state_table_scan(struct state_table *table, struct state_cursor *cursor, uint8_t **values,
                          uint32_t max);

/* ---- tracked tables: which rows a checkpoint has to write (README.md, "Snapshots")
 *
 *   touch ... settle, touch ... settle | barrier | touch (a row not written yet is written first)
 *                                      | ... step, step ... | committed or aborted
 *
 * At most one snapshot is under way: from barrier to committed or aborted. */

struct state_table_track { /* the beginning of struct state_table */
    uint32_t epoch;        /* goes round in 1..STATE_ROW_EPOCH, 0: not tracked */
    uint32_t always;       /* touches are never short: they move the row's stamp */
};
enum status state_table_touch_slow(struct state_table *table, uint8_t *value,
                                   struct error *err) STATUS_CHECKED;
/* Before a row's value is changed, or the row removed, for the first time after it was looked up.
 * When it fails nothing has changed. */
static inline enum status STATUS_CHECKED state_table_touch(struct state_table *table,
                                                           uint8_t *value, struct error *err)
{
    const struct state_table_track *track = (const struct state_table_track *)table;
    uint32_t mark = state_row_of(value)->mark & (STATE_ROW_EPOCH | STATE_ROW_EARLY);
    if ((mark | track->always) == track->epoch)
        return OK;
    return state_table_touch_slow(table, value, err);
}
/* Rows that have been touched are at rest until they are touched again: what is cheap while they
 * are in the caches is done now, their records are written for the next snapshot. */
void state_table_settle(struct state_table *table);
/* Key groups [first, first + count) that a snapshot writes as a whole. */
struct state_fold {
    uint32_t first, count;
};
/* A snapshot of the epoch under way begins, and the next epoch: it has the rows that were touched,
 * with tombstones, and all rows of the key groups to be folded. */
void state_table_barrier(struct state_table *table, struct state_fold fold);
bool state_table_in_snapshot(const struct state_table *table); /* one is under way */
/* Writes at most about max_rows rows of the snapshot; true: there are no more. */
bool state_table_step(struct state_table *table, uint32_t max_rows);
void state_table_committed(struct state_table *table);
/* What the snapshot had is part of the epoch under way. */
void state_table_aborted(struct state_table *table);
/* Restoring, before anything else is done with the table: *value is the row's value, zeroed where
 * it was not there. */
enum status state_table_restore(struct state_table *table, const void *key, uint32_t key_bytes,
                                uint64_t hash, uint8_t **value, struct error *err) STATUS_CHECKED;
/* Where a key's row will be looked for comes into the caches: first the slot, some keys later the
 * row. */
void state_table_prefetch_slot(struct state_table *table, uint64_t hash);
void state_table_prefetch_row(struct state_table *table, uint64_t hash);
/* The row's value, or NULL; expired ones too. */
uint8_t *state_table_peek(struct state_table *table, const void *key, uint32_t key_bytes,
                          uint64_t hash);
/* Removes a row without a trace: while restoring. */
void state_table_discard(struct state_table *table, uint8_t *value);

uint64_t state_table_rows(const struct state_table *table);
size_t state_table_bytes(const struct state_table *table); /* reserved */

#endif
