/* kafka_plain.h - memory for decompressed batches and copied payloads, used again and again.
 *
 * A block belongs to a reader's pool; wrapped as a struct buffer it comes back with the last
 * reference, from any thread, also after the reader is gone. One thread takes blocks.
 */
#ifndef LEAT_CONNECTOR_KAFKA_KAFKA_PLAIN_H
#define LEAT_CONNECTOR_KAFKA_KAFKA_PLAIN_H

#include "base/buffer.h"

struct plain_pool;
struct plain {
    struct buf bytes; /* capacity stays; BUFFER_PADDING of it are kept free behind length */
    struct plain_pool *pool;
    struct plain *next;
    size_t reserved_bytes;
};

enum status plain_pool_new(struct plain_pool **out, struct mem_owner *owner,
                           struct error *err) STATUS_CHECKED;
void plain_pool_close(struct plain_pool *pool); /* blocks that are out stay valid; NULL is fine */

/* An empty block. */
enum status plain_take(struct plain_pool *pool, struct plain **out,
                       struct error *err) STATUS_CHECKED;
void plain_give(struct plain *plain); /* back unused; NULL is fine */
/* A buffer over all of its bytes; the block is the buffer's from now on (not on failure). */
enum status plain_wrap(struct plain *plain, struct buffer **out, struct error *err) STATUS_CHECKED;
/* Count what bytes has grown to with the pool's owner. */
enum status plain_account(struct plain *plain, struct error *err) STATUS_CHECKED;

#endif
