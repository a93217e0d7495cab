/* sink_log_int.h - what sink_log.c and sink_log_file.c share: places, blocks, chunks. */
#ifndef LEAT_PLUGIN_SINK_LOG_INT_H
#define LEAT_PLUGIN_SINK_LOG_INT_H

#include "plugin/sink_log.h"

#define SINK_LOG_HEADER_BYTES      16u
#define SINK_LOG_BLOCK_BYTES       (256u << 10) /* with the header */
#define SINK_LOG_COMMITTABLE_BYTES 58
#define SINK_LOG_WAITING_BYTES     (4u << 20) /* waiting for the disk before the task waits too */
#define SINK_LOG_FILLING_MAX       (1u << 30)
#define SINK_LOG_PATH_MAX          4096

struct sink_log {
    struct io *io;
    struct io_pool *pool; /* NULL: everything is done at once */
    uint64_t run;         /* drawn */
    char directory[SINK_LOG_PATH_MAX - 64];
};

struct sink_log_place { /* of a block, or of a chunk's first one */
    uint64_t run, number, offset;
    uint32_t subtask;
};
void sink_log_path(const struct sink_log *log, const struct sink_log_place *place,
                   char dest[SINK_LOG_PATH_MAX]);
/* Fills in the header of a block of size_bytes, header's room included. */
void sink_log_seal(const struct sink_log_place *place, uint8_t *block, size_t size_bytes);

struct sink_log_chunk {
    struct sink_log_place place;
    uint64_t size_bytes, payload_bytes; /* with and without headers */
    uint64_t row_count;
    bool is_last; /* of its file */
};
void sink_log_chunk_put(const struct sink_log_chunk *chunk, uint8_t *dest);
void sink_log_chunk_is_last(uint8_t *committable);

#endif
