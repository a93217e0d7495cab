/* compress.h - gzip, snappy (raw and Kafka's xerial framing), lz4 (frame), zstd.
 *
 * Decompression never trusts the input: the output is capped by max_bytes (ERR_LIMIT when it would
 * be more), damaged input is ERR_DATA. Contexts are kept per thread, so that a batch costs no
 * allocation of tables.
 */
#ifndef LEAT_BASE_COMPRESS_H
#define LEAT_BASE_COMPRESS_H

#include "base/buffer.h"

/* The values are those of the attributes of a Kafka record batch. */
enum compression {
    COMPRESSION_NONE = 0,
    COMPRESSION_GZIP = 1,
    COMPRESSION_SNAPPY = 2, /* writes xerial framing as Java does; reads both */
    COMPRESSION_LZ4 = 3,
    COMPRESSION_ZSTD = 4,
};

enum status compress_append(struct buf *out, enum compression kind, const void *bytes,
                            size_t size_bytes, struct error *err) STATUS_CHECKED;
enum status decompress_append(struct buf *out, enum compression kind, const void *bytes,
                              size_t size_bytes, size_t max_bytes,
                              struct error *err) STATUS_CHECKED;

#endif
