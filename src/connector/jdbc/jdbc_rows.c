/* jdbc_rows.c - changes that wait to be written; see jdbc_int.h.
 *
 * Cells of a replaced change stay in bytes until the whole is cleared: bytes is bounded by
 * JDBC_PENDING_BYTES and the last batch.
 */
#include "connector/jdbc/jdbc_int.h"

#include "base/must.h"

#define SLOT_COUNT 16384
_Static_assert(SLOT_COUNT >= 2 * JDBC_ROWS_MAX, "slots stay half empty");

enum status jdbc_rows_init(struct jdbc_rows *rows, bool by_key, struct error *err)
{
    *rows = (struct jdbc_rows){0};
    buf_init(&rows->bytes, JDBC_VALUE_BYTES_MAX);
    rows->rows = mem_calloc(JDBC_ROWS_MAX, sizeof(*rows->rows));
    if (by_key)
        rows->slots = mem_calloc(SLOT_COUNT, sizeof(*rows->slots));
    if (!rows->rows || (by_key && !rows->slots))
        return error_memory(err, "rows to be written", JDBC_ROWS_MAX * sizeof(*rows->rows));
    return OK;
}

void jdbc_rows_fini(struct jdbc_rows *rows)
{
    buf_fini(&rows->bytes);
    mem_free(rows->rows);
    mem_free(rows->slots);
}

void jdbc_rows_clear(struct jdbc_rows *rows)
{
    if (rows->slots && rows->count > 0)
        memset(rows->slots, 0, SLOT_COUNT * sizeof(*rows->slots));
    rows->count = 0;
    buf_clear(&rows->bytes);
}

/* The change of this key, new or the one waiting. */
static struct jdbc_row *row_of_key(struct jdbc_rows *rows, const uint8_t *key, uint32_t length,
                                   uint64_t hash)
{
    uint32_t slot = (uint32_t)hash & (SLOT_COUNT - 1);
    for (; rows->slots[slot]; slot = (slot + 1) & (SLOT_COUNT - 1)) {
        struct jdbc_row *row = &rows->rows[rows->slots[slot] - 1];
        if (row->hash == hash && row->key_length == length &&
            memcmp(rows->bytes.data + row->key_offset, key, length) == 0)
            return row;
    }
    must(rows->count < JDBC_ROWS_MAX);
    struct jdbc_row *row = &rows->rows[rows->count++];
    rows->slots[slot] = (uint16_t)rows->count;
    row->hash = hash;
    row->key_length = length;
    row->key_offset = rows->bytes.length;
    buf_append(&rows->bytes, key, length);
    return row;
}

static void set_cells(struct jdbc_rows *rows, struct jdbc_row *row, const struct batch *batch,
                      uint32_t at, const struct table_description *table)
{
    row->offset = rows->bytes.length;
    row->is_delete = !row_kind_is_accumulate(batch_kind(batch, at));
    if (row->is_delete)
        for (uint32_t i = 0; i < table->primary_key_count; i++)
            jdbc_append_cell(&rows->bytes, batch->columns[table->primary_key[i]], at);
    else
        for (uint32_t i = 0; i < batch->column_count; i++)
            jdbc_append_cell(&rows->bytes, batch->columns[i], at);
}

enum status jdbc_rows_add(struct jdbc_rows *rows, const struct batch *batch,
                          const struct table_description *table, struct key_batch *keys,
                          struct error *err)
{
    if (rows->slots)
        TRY(key_encode(keys, batch, table->primary_key, table->primary_key_count, err));
    for (uint32_t i = 0; i < batch->selected_count && !rows->bytes.failed; i++) {
        uint32_t at = batch_row(batch, i);
        struct jdbc_row *row;
        if (batch_kind(batch, at) == ROW_UPDATE_BEFORE)
            continue;
        if (rows->slots) {
            uint32_t from = keys->offsets[i];
            row = row_of_key(rows, keys->bytes.data + from, keys->offsets[i + 1] - from,
                             keys->hashes[i]);
        } else {
            must(rows->count < JDBC_ROWS_MAX);
            row = &rows->rows[rows->count++];
        }
        set_cells(rows, row, batch, at, table);
    }
    enum status status = buf_check(&rows->bytes, "rows to be written to SQLite", err);
    if (status != OK)
        jdbc_rows_clear(rows); /* there are rows whose cells are not */
    return status;
}
