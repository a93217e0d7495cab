/* table_int.h - shared by table.c (rows), table_index.c (finding them) and table_track.c (what a
 * checkpoint writes, what has expired). */
#ifndef LEAT_STATE_TABLE_INT_H
#define LEAT_STATE_TABLE_INT_H

#include "base/must.h"
#include "state/table.h"

#define UNIT_BYTES     8u
#define PAGE_BYTES     32768u
#define PAGE_BYTES_MIN 1024u
#define PAGE_BITS      12
#define PAGES_MAX      (1u << PAGE_BITS)
#define UNIT_MASK      ((1u << PAGE_BITS) - 1)
#define OWN_PAGE_BYTES (PAGE_BYTES / 4)
#define KEY_BYTES_MAX  (1u << 30)
#define EXACT_CLASSES  128u /* rows of up to 128 units */
#define CLASS_COUNT    (EXACT_CLASSES + 1 + 3)
#define SMALL_BYTES    (256u << 10) /* below it the table lies in the caches: no prefetch passes */

struct page {
    uint8_t *bytes; /* NULL: an own page that was freed */
    uint32_t size_bytes;
    uint32_t used_units; /* of a page that is filled no more */
};

struct group {
    uint32_t *slots;
    uint32_t capacity;
    uint32_t row_count; /* dead ones too */
    struct page *pages;
    uint32_t page_count, page_capacity;
    uint32_t next_unit, end_unit; /* room in the page `filling` */
    uint32_t filling;
    uint32_t own_freed;   /* page numbers of freed own pages, linked by used_units; 0: none */
    uint32_t *free_heads; /* by class; NULL: nothing was removed yet */
    uint32_t parity;      /* ROW_PARITY of rows that the last fold has, and of newer ones */
};

/* struct state_row.mark, lowest bits first: STATE_ROW_EPOCH, STATE_ROW_EARLY, flags, key group,
 * size of the key. */
#define ROW_DEAD        0x0800u /* removed; kept until its tombstone is durable */
#define ROW_PARITY      0x1000u /* other than its group's: the fold under way lacks it */
#define ROW_FREED       0x2000u /* no row: free units, their number where the key's size is */
#define ROW_GROUP_SHIFT 14
#define ROW_SIZE_SHIFT  21
#define ROW_SIZE_MAX    ((1u << (32 - ROW_SIZE_SHIFT)) - 1) /* a longer key: 4 bytes before it */

/* Beside the pointer, in an entry of a list. */
#define LISTED_TOMBSTONE ((uintptr_t)1) /* it was written */
#define LISTED_EARLY     ((uintptr_t)2) /* an early record had the row when it was listed */
#define LISTED_AGAIN     ((uintptr_t)4) /* touched after its early record */
#define LISTED_TAGS      ((uintptr_t)7)

#define DIRTY_CHUNK_MIN 29u /* doubled from chunk to chunk */
#define DIRTY_CHUNK_MAX 4093u
struct dirty_chunk {
    struct dirty_chunk *next;
    uint32_t count, capacity;
    uint64_t tombstones; /* entries with LISTED_TOMBSTONE */
    uintptr_t rows[];    /* struct state_row * | tags; 0: listed elsewhere */
};
struct dirty_list {
    struct dirty_chunk *first, *last;
};

struct state_table {
    struct state_table_track track; /* first: state_table_touch() looks at it */
    bool in_snapshot, written;      /* one is under way; all of it is written */
    bool (*write)(void *context, const uint8_t *value, enum state_write what);
    void *write_context;
    struct dirty_list dirty;     /* rows touched in the epoch under way */
    struct dirty_chunk *settled; /* of dirty, the chunk of the first entry that is not; NULL: all */
    uint32_t settled_row;        /* in that chunk */
    bool is_early;               /* early records are written in the epoch under way */
    uint32_t early_count, again_count; /* rows with one, and of them touched again */
    uint32_t early_pause, early_wait;  /* epochs without, after so many were touched again */
    uint32_t pending_epoch;            /* of the snapshot under way */
    struct dirty_list pending;  /* those of the snapshot: not written, written, or touched since */
    struct dirty_chunk *next;   /* of pending, to be written */
    uint32_t next_row;          /* in that chunk */
    struct state_fold fold;     /* groups of this table, counted from its first */
    struct state_cursor cursor; /* of the fold */
    int64_t ttl_ms;
    const int64_t *now_us;
    void (*clear)(void *context, uint8_t *value);
    void *clear_context;
    struct state_cursor sweep;
    uint32_t value_bytes, stamp_bytes; /* stamp_bytes: 8 with a time to live, else 0 */
    uint32_t first_group, group_count;
    struct mem_owner *owner;
    size_t bytes;
    uint64_t row_count; /* without dead ones */
    struct group groups[];
};

struct freed_row { /* over a struct state_row */
    uint32_t next; /* row number, 0: the end */
    uint32_t mark;
};
_Static_assert(offsetof(struct freed_row, mark) == offsetof(struct state_row, mark),
               "a freed row is told by its mark");

static inline uint32_t table_hash(uint64_t hash) /* what a row keeps of it */
{
    return (uint32_t)(hash >> 25);
}

static inline struct state_row *table_row_at(const struct group *group, uint32_t number)
{
    return (struct state_row *)(group->pages[number >> PAGE_BITS].bytes +
                                (size_t)(number & UNIT_MASK) * UNIT_BYTES);
}

static inline struct group *table_group_of_row(struct state_table *table,
                                               const struct state_row *row)
{
    return &table->groups[(row->mark >> ROW_GROUP_SHIFT & (KEY_GROUP_COUNT - 1)) -
                          table->first_group];
}

static inline struct str table_key(const struct state_table *table, const struct state_row *row)
{
    const uint8_t *at = row->value + table->value_bytes + table->stamp_bytes;
    uint32_t size = row->mark >> ROW_SIZE_SHIFT;
    if (size == ROW_SIZE_MAX) {
        memcpy(&size, at, sizeof(size));
        at += sizeof(size);
    }
    return (struct str){(const char *)at, size};
}

static inline int64_t table_stamp(const struct state_table *table, const uint8_t *value)
{
    int64_t stamp_ms;
    memcpy(&stamp_ms, value + table->value_bytes, sizeof(stamp_ms));
    return stamp_ms;
}

/* As Flink's TtlUtils.expired: the moment itself is too late. */
static inline bool table_row_expired(const struct state_table *table, const struct state_row *row)
{
    return table->stamp_bytes &&
           *table->now_us / 1000 - table_stamp(table, row->value) >= table->ttl_ms;
}

/* table.c */
enum status table_take(struct state_table *table, size_t bytes, bool zeroed, void **out,
                       struct error *err) STATUS_CHECKED;
void table_give(struct state_table *table, void *block, size_t bytes);
struct group *table_group(struct state_table *table, uint64_t hash);
/* A new row's number; it is not in the index. */
enum status table_row_new(struct state_table *table, struct group *group, const void *key,
                          uint32_t key_bytes, uint64_t hash, uint32_t *out,
                          struct error *err) STATUS_CHECKED;
/* Out of the index, and its units are free. */
void table_row_free(struct state_table *table, struct state_row *row);

/* table_index.c */
/* The row of the key, dead and expired ones too; NULL: there is none. */
struct state_row *table_find(struct state_table *table, const uint8_t *key, uint32_t key_bytes,
                             uint64_t hash);
enum status table_find_or_insert(struct state_table *table, const uint8_t *key, uint32_t key_bytes,
                                 uint64_t hash, struct state_row **out, bool *made,
                                 struct error *err) STATUS_CHECKED;
/* Out of the index; its number. */
uint32_t table_unlink(struct group *group, const struct state_row *row);
/* table_track.c */
void table_track_fini(struct state_table *table);
/* A row that is dead or has expired is there again, with a zeroed value. */
enum status table_revive(struct state_table *table, struct state_row *row,
                         struct error *err) STATUS_CHECKED;

#endif
