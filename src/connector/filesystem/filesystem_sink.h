/* filesystem_sink.h - what the files of the filesystem sink share: parts and their names.
 *
 * A part is a file of whole rows. It is written under a name that readers skip and gets its own one
 * when it is to be seen:
 *   DIR/.part-RUN-SUBTASK-NUMBER.inprogress  ->  DIR/part-RUN-SUBTASK-NUMBER
 * RUN is drawn by each run of a sink, so that names never meet.
 */
#ifndef LEAT_CONNECTOR_FILESYSTEM_FILESYSTEM_SINK_H
#define LEAT_CONNECTOR_FILESYSTEM_FILESYSTEM_SINK_H

#include "connector/filesystem/filesystem_int.h"

#define PART_RUN_LENGTH 32
#define PART_PATH_BYTES 4096

struct sink {
    struct arena arena;
    struct filesystem_options options;
    struct io *io;
    struct io_pool *pool;
    const struct format_class *format;
    struct table_description table;
    const struct option_given *format_options;
    size_t format_option_count;
    const struct plugin_context *context;
    struct mem_owner *owner;
    bool exactly_once;
    char *id;                      /* exactly once: sink_id of the request */
    uint64_t fence;                /* of its ledger; 0: not taken over yet */
    char run[PART_RUN_LENGTH + 1]; /* in hexadecimal */
};

/* ---- filesystem_parts.c ---- */

void part_path(const struct sink *sink, uint32_t subtask, uint32_t number,
               char dest[PART_PATH_BYTES]);
/* The name that a part has before. */
void part_hidden_path(const char *path, char dest[PART_PATH_BYTES]);
/* Gives a part its own name. OK when it has it already, or had it once. Its directory is the
 * caller's to sync. Blocks. */
enum status part_publish(const struct sink *sink, const char *path,
                         struct error *err) STATUS_CHECKED;

/* What a committable says: the part's path. */
enum status part_encode(const char *path, struct buf *out, struct error *err) STATUS_CHECKED;
enum status part_decode(struct str committable, char dest[PART_PATH_BYTES],
                        struct error *err) STATUS_CHECKED;

/* Removes the hidden parts of earlier runs of this sink that are not pending, and notes this run in
 * the sink's directory of leat's. Blocks. */
enum status parts_take_over(const struct sink *sink, const struct sink_request *request,
                            struct error *err) STATUS_CHECKED;

/* ---- filesystem_ledger.c: all of it blocks ---- */

enum status ledger_exists(const struct sink *sink, bool *out, struct error *err) STATUS_CHECKED;
/* As in sink_class. */
enum status ledger_take(struct sink *sink, struct sink_ledger *out,
                        struct error *err) STATUS_CHECKED;
/* ERR_FENCED: the ledger is not as `wanted` says, or another has taken it over. */
enum status ledger_is(const struct sink *sink, const struct sink_ledger *wanted,
                      struct error *err) STATUS_CHECKED;
/* Durable on return. */
enum status ledger_move(struct sink *sink, const struct sink_ledger *after,
                        struct error *err) STATUS_CHECKED;

/* ---- filesystem_writer.c, as in sink_class ---- */

enum status filesystem_writer_open(struct sink *sink, uint32_t subtask, struct wake *wake,
                                   struct sink_writer **out, struct error *err);
enum push_result filesystem_write(struct sink_writer *writer, struct batch *batch,
                                  struct error *err);
enum push_result filesystem_flush(struct sink_writer *writer, uint64_t epoch, struct error *err);
enum push_result filesystem_finish(struct sink_writer *writer, struct error *err);
enum status filesystem_prepare(struct sink_writer *writer, uint64_t epoch,
                               struct sink_committables *out, struct error *err);
bool filesystem_writer_why(struct sink_writer *writer, struct buf *out);
void filesystem_writer_close(struct sink_writer *writer);

#endif
