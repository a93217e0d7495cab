/* jdbc_exact.c - the exactly-once sink: writers put rows into the sink's log, the committer takes
 * them from there into the table, with the ledger, in one transaction (contracts.md rules 26, 28).
 *
 * A row in the log: u8 1: a delete | u32 bytes of its cells, little-endian | the cells in SQLite's
 * terms (jdbc_value.c); of a delete only the key's.
 */
#include "base/must.h"
#include "connector/jdbc/jdbc_int.h"

#define BATCH_BYTES_MAX (1u << 30)
#define ROW_HEADER      5
#define BUSY_MS         100 /* how long another's transaction is waited for before trying later */

struct jdbc_exact {
    struct jdbc_target like; /* without a connection */
    struct sink_log *log;
    int64_t fence; /* ours; 0: not taken over yet */
};

struct jdbc_exact_writer {
    struct jdbc_exact *exact;
    struct sink_log_writer *log;
    struct buf rows; /* of a batch that the log has not taken yet */
    uint32_t row_count;
};

struct sink_committer {
    struct jdbc_exact *exact;
    struct jdbc_target target;
    struct buf chunk;
};

enum status jdbc_exact_new(struct jdbc_exact **out, const struct jdbc_target *like,
                           const struct sink_request *request, struct error *err)
{
    struct jdbc_exact *exact = mem_calloc(1, sizeof(*exact));
    if (!exact)
        return error_memory(err, "connector 'jdbc'", sizeof(*exact));
    exact->like = *like;
    enum status status = sink_log_open(&exact->log, request, err);
    if (status != OK) {
        mem_free(exact);
        return status;
    }
    *out = exact;
    return OK;
}

void jdbc_exact_free(struct jdbc_exact *exact)
{
    if (!exact)
        return;
    sink_log_close(exact->log);
    mem_free(exact);
}

/* ---- writers */

enum status jdbc_exact_writer_open(struct jdbc_exact *exact, uint32_t subtask, struct wake *wake,
                                   struct jdbc_exact_writer **out, struct error *err)
{
    struct jdbc_exact_writer *writer = mem_calloc(1, sizeof(*writer));
    if (!writer)
        return error_memory(err, "connector 'jdbc'", sizeof(*writer));
    writer->exact = exact;
    buf_init(&writer->rows, BATCH_BYTES_MAX);
    enum status status = sink_log_writer_open(exact->log, subtask, wake, &writer->log, err);
    if (status != OK) {
        jdbc_exact_writer_close(writer);
        return status;
    }
    *out = writer;
    return OK;
}

void jdbc_exact_writer_close(struct jdbc_exact_writer *writer)
{
    sink_log_writer_close(writer->log);
    buf_fini(&writer->rows);
    mem_free(writer);
}

static void append_row(struct jdbc_exact_writer *writer, const struct batch *batch, uint32_t row)
{
    const struct table_description *table = writer->exact->like.table;
    bool is_delete = !row_kind_is_accumulate(batch_kind(batch, row));
    size_t first = writer->rows.length;
    static const uint8_t room[ROW_HEADER];
    buf_append(&writer->rows, room, sizeof(room));
    if (is_delete)
        for (uint32_t i = 0; i < table->primary_key_count; i++)
            jdbc_append_cell(&writer->rows, batch->columns[table->primary_key[i]], row);
    else
        for (uint32_t i = 0; i < batch->column_count; i++)
            jdbc_append_cell(&writer->rows, batch->columns[i], row);
    if (writer->rows.failed)
        return;
    size_t cells = writer->rows.length - first - ROW_HEADER;
    uint8_t *header = writer->rows.data + first;
    header[0] = is_delete;
    for (int i = 0; i < 4; i++)
        header[1 + i] = (uint8_t)(cells >> (8 * i));
    writer->row_count++;
}

enum push_result jdbc_exact_write(struct jdbc_exact_writer *writer, const struct batch *batch,
                                  struct error *err)
{
    if (writer->rows.length == 0) /* else the same batch again */
        for (uint32_t i = 0; i < batch->selected_count; i++)
            if (batch_kind(batch, batch_row(batch, i)) != ROW_UPDATE_BEFORE)
                append_row(writer, batch, batch_row(batch, i));
    if (buf_check(&writer->rows, "rows to be written to SQLite", err) != OK)
        return PUSH_ERROR;
    if (writer->rows.length == 0)
        return PUSH_DONE;
    enum push_result result = sink_log_append(writer->log, writer->rows.data, writer->rows.length,
                                              writer->row_count, err);
    if (result != PUSH_DONE)
        return result;
    buf_clear(&writer->rows);
    writer->row_count = 0;
    return PUSH_DONE;
}

enum push_result jdbc_exact_flush(struct jdbc_exact_writer *writer, struct error *err)
{
    return sink_log_flush(writer->log, err);
}

enum status jdbc_exact_prepare(struct jdbc_exact_writer *writer, struct sink_committables *out,
                               struct error *err)
{
    return sink_log_prepare(writer->log, out, err);
}

/* ---- the committer */

enum status jdbc_committer_open(struct jdbc_exact *exact, struct sink_committer **out,
                                struct error *err)
{
    struct sink_committer *committer = mem_calloc(1, sizeof(*committer));
    if (!committer)
        return error_memory(err, "connector 'jdbc'", sizeof(*committer));
    committer->exact = exact;
    committer->target = exact->like;
    buf_init(&committer->chunk, BATCH_BYTES_MAX);
    enum status status = jdbc_sqlite_open(&committer->target.db, committer->target.io,
                                          committer->target.path, true, err);
    if (status == OK) {
        sqlite3_busy_timeout(committer->target.db, BUSY_MS);
        status = jdbc_target_ready(&committer->target, err);
    }
    if (status != OK) {
        jdbc_committer_close(committer);
        return status;
    }
    *out = committer;
    return OK;
}

void jdbc_committer_close(struct sink_committer *committer)
{
    jdbc_target_close(&committer->target);
    buf_fini(&committer->chunk);
    mem_free(committer);
}

enum status jdbc_committer_ledger(struct sink_committer *committer, struct sink_ledger *out,
                                  struct error *err)
{
    return jdbc_ledger_take(&committer->target, &committer->exact->fence, out, err);
}

static enum status apply_rows(struct sink_committer *committer, struct error *err)
{
    const uint8_t *at = committer->chunk.data, *end = at + committer->chunk.length;
    while (at < end) {
        size_t cells = 0;
        if (end - at >= ROW_HEADER)
            for (int i = 0; i < 4; i++)
                cells |= (size_t)at[1 + i] << (8 * i);
        if (end - at < ROW_HEADER || cells > (size_t)(end - at) - ROW_HEADER)
            return error_set(err, ERR_CORRUPT, "a row in the log of '%s' is cut off",
                             committer->target.sink_id);
        TRY(jdbc_target_change(&committer->target, at[0] != 0, at + ROW_HEADER, err));
        at += ROW_HEADER + cells;
    }
    return OK;
}

static enum status apply(struct sink_committer *committer, const struct sink_commit *commit,
                         int64_t *fence, struct error *err)
{
    TRY(jdbc_ledger_move(&committer->target, fence, commit, err));
    for (uint32_t i = 0; i < commit->count; i++) {
        buf_clear(&committer->chunk);
        TRY(sink_log_read(committer->exact->log, &commit->committables[i], &committer->chunk, err));
        TRY(apply_rows(committer, err));
    }
    return OK;
}

enum status jdbc_committer_commit(struct sink_committer *committer,
                                  const struct sink_commit *commit, struct error *err)
{
    int64_t fence = committer->exact->fence;
    TRY(jdbc_target_begin(&committer->target, true, err));
    TRY(jdbc_target_end(&committer->target, apply(committer, commit, &fence, err), err));
    committer->exact->fence = fence;
    return OK;
}

void jdbc_committer_forget(struct sink_committer *committer,
                           const struct sink_committable *committable)
{
    sink_log_forget(committer->exact->log, committable);
}
