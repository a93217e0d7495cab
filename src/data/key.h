/* key.h - the canonical encoding of keys, their hash and key group. Frozen (version 1): golden
 * tests.
 *
 * Encoding of one row's key columns, in order: per column one byte 0 (NULL) or 1 (value follows),
 * then the value: integers, DATE, TIME, timestamps, intervals little-endian at their physical size;
 * BOOLEAN one byte; FLOAT/DOUBLE little-endian bits with -0.0 made 0.0 and every NaN the one quiet
 * NaN; DECIMAL the unscaled value at its type's scale as 16 bytes; CHAR without its trailing
 * blanks, VARCHAR, BINARY, VARBINARY as uint32 length and bytes; ARRAY/MULTISET/MAP as uint32 count
 * and elements (MAP and MULTISET sorted by encoded bytes); ROW as its fields. hash = XXH3-64 seed 0
 * of the bytes; key group = top 7 bits (of 128; contracts.md rule 12).
 */
#ifndef LEAT_DATA_KEY_H
#define LEAT_DATA_KEY_H

#include "base/decimal.h"
#include "data/batch.h"

#define KEY_ENCODING_VERSION 1
#define KEY_GROUP_COUNT      128

/* Keys of the selected rows of one batch; reused from batch to batch. */
struct key_batch {
    struct buf bytes;
    uint32_t count;
    uint32_t offsets[BATCH_ROWS_MAX + 1]; /* key i = bytes[offsets[i] .. offsets[i + 1]) */
    uint64_t hashes[BATCH_ROWS_MAX];
};
void key_batch_init(struct key_batch *keys, size_t max_bytes);
void key_batch_fini(struct key_batch *keys);

/* Keys of the batch's selected rows in selection order. Column by column, no call per row for fixed
 * width and single-text keys. */
enum status key_encode(struct key_batch *keys, const struct batch *batch,
                       const uint32_t *key_columns, uint32_t key_column_count,
                       struct error *err) STATUS_CHECKED;
/* Appends one row in the same form, but as it is: the blanks of CHAR, -0.0, NaN and the order of a
 * MAP stay. For rows in state; never as a key. */
void key_encode_row(struct buf *out, struct vec *const *columns, uint32_t column_count,
                    uint32_t row);
/* The reverse of both: append the values as one row to flat vectors being built. Input is
 * validated.
 */
enum status key_decode(const uint8_t *bytes, size_t size_bytes, struct vec *const *columns,
                       uint32_t column_count, struct error *err) STATUS_CHECKED;

static inline uint32_t key_group_of_hash(uint64_t hash)
{
    return (uint32_t)(hash >> 57);
}
/* Subtask of a key group: as Flink's KeyGroupRangeAssignment, group * parallelism / 128. */
static inline uint32_t key_group_subtask(uint32_t key_group, uint32_t parallelism)
{
    return key_group * parallelism / KEY_GROUP_COUNT;
}

#endif
