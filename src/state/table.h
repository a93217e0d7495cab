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
};

/* In front of every value. Values are aligned to 8. */
struct state_row {
    uint64_t hash;
    uint32_t key_bytes;
    uint32_t reserved; /* zero; the epoch of the last change once there are checkpoints */
    uint8_t value[];   /* value_bytes, then the key */
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
/* The row is gone and its memory is used again; what the value owned is the caller's business. */
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

uint64_t state_table_rows(const struct state_table *table);
size_t state_table_bytes(const struct state_table *table); /* reserved */

#endif
