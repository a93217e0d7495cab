/* buffer.h - byte memory: growing (struct buf), shared and immutable (struct buffer), borrowed
 * (str).
 *
 * struct buf      one owner, grows to a stated maximum, sticky failed flag; for encoders.
 * struct buffer   reference-counted block; immutable while shared. Foreign memory comes in with a
 *                 release callback. Column values, string bytes and record payloads live in these.
 * struct str      pointer and length, owns nothing, not NUL-terminated.
 *
 * Every struct buffer has BUFFER_PADDING readable bytes after size_bytes, for SIMD readers; foreign
 * memory must provide them too.
 */
#ifndef LEAT_BASE_BUFFER_H
#define LEAT_BASE_BUFFER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/mem.h"

#define BUFFER_PADDING 64

struct buffer {
    _Atomic uint32_t refs;
    uint8_t *data;
    size_t size_bytes;       /* the only holder may lower it while filling */
    size_t reserved_bytes;   /* with header and padding */
    struct mem_owner *owner; /* whom the bytes are reserved with; NULL: nobody */
    void (*release)(struct buffer *buffer, void *context); /* NULL: data lies behind the header */
    void *release_context;
};

/* A new block of exactly size_bytes (plus padding, zeroed), aligned to 16, refs = 1; contents
 * undefined. */
enum status buffer_new(struct buffer **out, size_t size_bytes, struct mem_owner *owner,
                       struct error *err) STATUS_CHECKED;

/* Wrap foreign memory; release is called with the last unref. */
enum status buffer_wrap(struct buffer **out, void *data, size_t size_bytes,
                        void (*release)(struct buffer *buffer, void *context), void *context,
                        struct error *err) STATUS_CHECKED;
struct buffer *buffer_ref(struct buffer *buffer); /* returns its argument; NULL is fine */
void buffer_unref(struct buffer *buffer);         /* NULL is fine */

struct buf {
    uint8_t *data;
    size_t length;
    size_t capacity;
    size_t max_bytes;
    bool failed;     /* an append found no memory or met max_bytes; later appends do nothing */
    bool over_limit; /* it was max_bytes */
};

void buf_init(struct buf *buf, size_t max_bytes);
void buf_fini(struct buf *buf);
void buf_clear(struct buf *buf); /* keeps the memory, clears failed */

/* Room for size_bytes more; the pointer to it, or NULL with failed set. Length is not changed. */
uint8_t *buf_room_slow(struct buf *buf, size_t size_bytes);
static inline uint8_t *buf_room(struct buf *buf, size_t size_bytes)
{
    size_t end = buf->capacity < buf->max_bytes ? buf->capacity : buf->max_bytes;
    if (!buf->failed && buf->data && buf->length <= end && size_bytes <= end - buf->length)
        return buf->data + buf->length;
    return buf_room_slow(buf, size_bytes);
}
/* memcpy, without a call for sizes of 8 to 16. */
static inline void bytes_copy(uint8_t *dest, const void *bytes, size_t size_bytes)
{
    uint64_t first, last;
    if (size_bytes - 8 > 8) {
        memcpy(dest, bytes, size_bytes);
        return;
    }
    memcpy(&first, bytes, 8);
    memcpy(&last, (const uint8_t *)bytes + size_bytes - 8, 8);
    memcpy(dest, &first, 8);
    memcpy(dest + size_bytes - 8, &last, 8);
}
static inline void buf_append(struct buf *buf, const void *bytes, size_t size_bytes)
{
    uint8_t *dest = buf_room(buf, size_bytes);
    if (!dest || size_bytes == 0)
        return;
    bytes_copy(dest, bytes, size_bytes);
    buf->length += size_bytes;
}
static inline void buf_append_byte(struct buf *buf, uint8_t byte)
{
    buf_append(buf, &byte, 1);
}
void buf_append_text(struct buf *buf, const char *text); /* NUL-terminated */
void buf_printf(struct buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* NUL-terminated view (the NUL is not counted); "" when failed. */
const char *buf_text(struct buf *buf);
enum status buf_check(const struct buf *buf, const char *what, struct error *err) STATUS_CHECKED;

#endif
