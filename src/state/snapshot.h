/* snapshot.h - the records of a snapshot and the blocks that they travel and lie in.
 *
 *   task: state_out_record() ... --block full--> give() ... --> I/O thread: state_block_seal(),
 * file file --> state_block_check() --> state_records_next() --> keyed state of the new run
 *
 * Block (version 2, little-endian), 32 bytes, then the records:
 *   0 u32 magic "LKS1"   4 u32 CRC32C of all that follows   8 u32 bytes of the records
 *   12 u32 operator id   16 u64 epoch   24 u16 version   26 u8 first, 27 u8 last key group
 *   28 u32 number of records
 * Record: u8 kind | u8 table | u8 key group | varint namespace (zigzag) | varint key bytes |
 *   varint value bytes | key | value. A RECORD_DROP has only kind, table and namespace (key group
 *   0): everything of that table and namespace is gone, in every key group. A tombstone has no
 *   value. The value of a RECORD_STAMPED begins with the milliseconds of its last change (varint).
 *
 * Of two records of a key in an epoch the later one counts; both are of one subtask, whose blocks
 * lie in the order in which it gave them. Drops come first. (Version 1 is of before the first
 * release.)
 */
#ifndef LEAT_STATE_SNAPSHOT_H
#define LEAT_STATE_SNAPSHOT_H

#include "state/table.h"

#define STATE_BLOCK_HEADER_BYTES 32u
#define STATE_BLOCK_BYTES        (64u << 10) /* a block is handed over when it has so much */
#define STATE_BLOCK_VERSION      2

enum state_record_kind {
    RECORD_VALUE = 1,
    RECORD_TOMBSTONE = 2,
    RECORD_DROP = 3,
    RECORD_STAMPED = 4 /* a value of a table with a time to live */
};

struct state_record {
    enum state_record_kind kind;
    uint8_t table, key_group;
    int64_t namespace;
    const uint8_t *key, *value;
    uint32_t key_bytes, value_bytes;
};

struct state_block { /* one owner at a time */
    struct state_block *next;
    struct mem_owner *owner;
    size_t reserved_bytes;
    uint32_t operator_id, record_count;
    uint64_t epoch;
    uint8_t first_key_group, last_key_group; /* of its records */
    uint64_t fold_bytes;                     /* of records in folded key groups */
    struct buf bytes;                        /* header's room, then records */
};
void state_block_free(struct state_block *block); /* NULL is fine */
/* Fills in the header: after it, bytes are what goes to disk. */
void state_block_seal(struct state_block *block);

/* One operator's way out for one snapshot. A failure sticks: the snapshot is not complete. */
struct state_out {
    uint32_t operator_id;
    uint64_t epoch;
    struct state_fold fold;                                 /* what the snapshot has whole */
    struct mem_owner *owner;                                /* of the blocks */
    struct mem_owner *early_owner;                          /* of those with early records */
    void (*give)(void *context, struct state_block *block); /* takes the block over; any time */
    void *context;
    struct state_block *block; /* being filled */
    size_t record_at, size_at; /* in the block, of an open record: it, and its value's size */
    struct error failure;      /* code OK: none */
    uint64_t bytes;            /* handed over so far */
};
void state_out_record(struct state_out *out, const struct state_record *record);
void state_out_end(struct state_out *out);  /* gives the last block */
void state_out_drop(struct state_out *out); /* frees it */
/* Hands over a block of another way out, as the snapshot's own, before its first record. */
void state_out_take(struct state_out *out, struct state_block *block);

/* ---- reading */

struct state_block_info {
    uint32_t operator_id, record_count;
    uint64_t epoch;
    uint8_t first_key_group, last_key_group;
    size_t size_bytes; /* with the header */
    /* Not of the block: by key group the epoch of its last fold, which supersedes older records;
     * NULL: nothing is superseded. */
    const uint64_t *bases;
};
/* The block at the start of bytes, of which size_bytes are there. ERR_CORRUPT: it is damaged or cut
 * off. */
enum status state_block_check(const uint8_t *bytes, size_t size_bytes, struct state_block_info *out,
                              struct error *err) STATUS_CHECKED;
struct state_records {
    const uint8_t *next, *end;
    uint32_t left;
};
void state_records_init(struct state_records *records, const uint8_t *block,
                        const struct state_block_info *info);
/* ERR_END: no more. ERR_CORRUPT: no such record is ever written. Pointers are into the block. */
enum status state_records_next(struct state_records *records, struct state_record *out,
                               struct error *err) STATUS_CHECKED;

/* ---- bytes, also for what operators save */

void state_put_u32(struct buf *out, uint32_t value);
void state_put_u64(struct buf *out, uint64_t value);
void state_put_varint_slow(struct buf *out, uint64_t value);
static inline void state_put_varint(struct buf *out, uint64_t value)
{
    if (value < 0x80)
        buf_append_byte(out, (uint8_t)value);
    else
        state_put_varint_slow(out, value);
}
void state_put_bytes(struct buf *out, const void *bytes, size_t size_bytes); /* varint and bytes */
struct state_bytes { /* reading; every call fails once one has */
    const uint8_t *at, *end;
    bool failed;
};
uint32_t state_get_u32(struct state_bytes *in);
uint64_t state_get_u64(struct state_bytes *in);
uint8_t state_get_byte(struct state_bytes *in);
uint64_t state_get_varint(struct state_bytes *in);
const uint8_t *state_get_bytes(struct state_bytes *in, size_t *size_bytes); /* never NULL */
/* The error for stored bytes of another version than this program's own. */
enum status state_version_error(const char *what, uint32_t version, uint32_t own,
                                struct error *err);
/* ERR_CORRUPT unless all was read and nothing failed. */
enum status state_get_end(const struct state_bytes *in, const char *what,
                          struct error *err) STATUS_CHECKED;

#endif
