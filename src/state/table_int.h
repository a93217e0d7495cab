/* table_int.h - shared by table.c (rows, index) and table_track.c (what a checkpoint writes). */
#ifndef LEAT_STATE_TABLE_INT_H
#define LEAT_STATE_TABLE_INT_H

#include "base/must.h"
#include "state/table.h"

#define UNIT_BYTES     16u
#define PAGE_BYTES     65536u
#define PAGE_BYTES_MIN 2048u
#define PAGE_BITS      12
#define PAGES_MAX      (1u << PAGE_BITS)
#define UNIT_MASK      ((1u << PAGE_BITS) - 1)
#define OWN_PAGE_BYTES (PAGE_BYTES / 4)
#define ROW_FREED      UINT32_MAX
#define KEY_BYTES_MAX  (1u << 30)
#define SLOTS_MIN      8u
#define EXACT_CLASSES  64u /* rows of up to 64 units */
#define CLASS_COUNT    (EXACT_CLASSES + 1 + 4)
#define CHUNK          32u
#define SMALL_BYTES    (256u << 10) /* below it the table lies in the caches: no prefetch passes */

struct page {
    uint8_t *bytes; /* NULL: an own page that was freed */
    uint32_t size_bytes;
    uint32_t used_units; /* of a page that is filled no more */
};

struct group {
    uint32_t *slots;
    uint32_t mask;
    uint32_t row_count;
    struct page *pages;
    uint32_t page_count, page_capacity;
    uint32_t next_unit, end_unit; /* room in the page `filling` */
    uint32_t filling;
    uint32_t own_freed;   /* page numbers of freed own pages, linked by used_units; 0: none */
    uint32_t *free_heads; /* by class; NULL: nothing was removed yet */
};

/* Flags of struct state_row.mark beside the epoch. */
#define STATE_ROW_DEAD    0x80000000u /* removed; kept until its tombstone is durable */
#define STATE_ROW_WRITTEN 0x40000000u /* of a row of the pending list: the snapshot has it */
#define STATE_ROW_PARITY  0x20000000u /* other than the table's: a full snapshot lacks it */

#define DIRTY_CHUNK_FIRST 30u
#define DIRTY_CHUNK_NEXT  510u
struct dirty_chunk {
    struct dirty_chunk *next;
    uint32_t count, capacity;
    struct state_row *rows[]; /* NULL: listed elsewhere */
};
struct dirty_list {
    struct dirty_chunk *first, *last;
};

enum table_snapshot { SNAPSHOT_NONE, SNAPSHOT_DELTA, SNAPSHOT_FULL };

struct state_table {
    struct state_table_epoch track; /* first: state_table_touch() looks at it */
    uint32_t parity;
    uint32_t pending_epoch;
    enum table_snapshot snapshot;
    bool written; /* all of the snapshot */
    void (*write)(void *context, const uint8_t *value, bool dead);
    void *write_context;
    struct dirty_list dirty;    /* rows with mark = epoch */
    struct dirty_list pending;  /* those of the snapshot: mark = pending_epoch, or touched since */
    struct dirty_chunk *next;   /* of pending, to be written */
    uint32_t next_row;          /* in that chunk */
    struct state_cursor cursor; /* of a full snapshot */
    uint32_t value_bytes;
    uint32_t first_group, group_count;
    struct mem_owner *owner;
    size_t bytes;
    uint64_t row_count;
    struct group groups[];
};

struct freed_row { /* over a struct state_row */
    uint32_t next; /* row number, 0: the end */
    uint32_t units;
    uint32_t key_bytes; /* ROW_FREED; where struct state_row has it */
    uint32_t mark;
};
_Static_assert(offsetof(struct freed_row, key_bytes) == offsetof(struct state_row, key_bytes),
               "a freed row is told by its key_bytes");

/* table.c */
enum status table_take(struct state_table *table, size_t bytes, bool zeroed, void **out,
                       struct error *err) STATUS_CHECKED;
void table_give(struct state_table *table, void *block, size_t bytes);
struct group *table_group(struct state_table *table, uint64_t hash);
/* Out of the index; its number. */
uint32_t table_unlink(struct state_table *table, struct state_row *row);
void table_row_free(struct state_table *table, struct group *group, uint32_t number,
                    struct state_row *row);
enum status table_insert(struct state_table *table, const uint8_t *key, uint32_t key_bytes,
                         uint64_t hash, uint8_t **out, struct error *err) STATUS_CHECKED;
/* The row's value; NULL: there is none. */
uint8_t *table_find(struct state_table *table, const uint8_t *key, uint32_t key_bytes,
                    uint64_t hash);

/* table_track.c */
void table_track_fini(struct state_table *table);
/* An unlinked row stays until the tombstone is written. */
void table_keep_dead(struct state_row *row, uint32_t number);

#endif
