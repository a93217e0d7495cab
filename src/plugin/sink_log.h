/* sink_log.h - a sink's log: rows, already encoded for the target, that wait until their epoch may
 * be committed (contracts.md rules 25, 26).
 *
 *   writer:    append ... -> flush(epoch) -> prepare: one committable a chunk     (a task's thread)
 *   committer: sink_log_read(committable) -> the chunk's bytes -> sink_log_forget (its thread)
 *
 * For sinks whose target has transactions but cannot keep them open over a checkpoint. A chunk has
 * at most SINK_COMMIT_BYTES_MAX bytes or SINK_COMMIT_ROWS_MAX rows, but for a single append that is
 * larger. Appends are kept whole: what was appended at once is in one chunk.
 *
 * On disk (little-endian, version 1): DIRECTORY/RUN-SUBTASK-NUMBER, a file per subtask and epoch,
 * hexadecimal; RUN is drawn by each run, so that names never meet. A file is blocks of at most 256
 * KiB one after another: magic "LSNK", version u32, payload length u32, CRC32C u32 of file name
 * numbers, offset and payload, then the payload. A committable says version, file, offset, bytes
 * in the file, bytes of payload, and whether the file has more chunks behind it. Files that no
 * pending committable names are removed by open.
 */
#ifndef LEAT_PLUGIN_SINK_LOG_H
#define LEAT_PLUGIN_SINK_LOG_H

#include "plugin/connector.h"

struct sink_log;
struct sink_log_writer;

/* Makes request->log_directory and clears it of what request->pending does not name. */
enum status sink_log_open(struct sink_log **out, const struct sink_request *request,
                          struct error *err) STATUS_CHECKED;
void sink_log_close(struct sink_log *log); /* NULL is fine; after its writers */

enum status sink_log_writer_open(struct sink_log *log, uint32_t subtask, struct wake *wake,
                                 struct sink_log_writer **out, struct error *err) STATUS_CHECKED;
/* Waits for a write under way. What was prepared stays, the rest is removed. */
void sink_log_writer_close(struct sink_log_writer *writer); /* NULL is fine */
/* PUSH_FULL: too much waits for the disk; wake is notified. Does not block. */
enum push_result sink_log_append(struct sink_log_writer *writer, const void *bytes,
                                 size_t size_bytes, uint64_t row_count, struct error *err);
/* PUSH_DONE once all that was appended is durable. */
enum push_result sink_log_flush(struct sink_log_writer *writer, struct error *err);
/* After flush has answered DONE: the chunks since the last prepare. */
enum status sink_log_prepare(struct sink_log_writer *writer, struct sink_committables *out,
                             struct error *err) STATUS_CHECKED;

/* Appends the chunk's bytes to out. ERR_CORRUPT (fatal): they are not what was written. Blocks. */
enum status sink_log_read(struct sink_log *log, const struct sink_committable *committable,
                          struct buf *out, struct error *err) STATUS_CHECKED;
void sink_log_forget(struct sink_log *log, const struct sink_committable *committable);

#endif
