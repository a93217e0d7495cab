/* buffer.c - reference-counted blocks and growing buffers. */
#include "base/buffer.h"

#include <stdio.h>
#include <string.h>

#include "base/must.h"

#define BUF_BYTES_MIN 64
#define HEADER_BYTES  ((sizeof(struct buffer) + 15) & ~(size_t)15)

enum status buffer_new(struct buffer **out, size_t size_bytes, struct mem_owner *owner,
                       struct error *err)
{
    *out = NULL;
    if (size_bytes > SIZE_MAX - HEADER_BYTES - BUFFER_PADDING)
        return error_memory(err, "a buffer", size_bytes);
    size_t total = HEADER_BYTES + size_bytes + BUFFER_PADDING;
    TRY(mem_reserve(owner, total, err));
    struct buffer *buffer = mem_alloc(total);
    if (!buffer) {
        mem_release(owner, total);
        return error_memory(err, "a buffer", total);
    }
    *buffer = (struct buffer){.data = (uint8_t *)buffer + HEADER_BYTES,
                              .size_bytes = size_bytes,
                              .reserved_bytes = total,
                              .owner = owner};
    atomic_init(&buffer->refs, 1);
    memset(buffer->data + size_bytes, 0, BUFFER_PADDING);
    *out = buffer;
    return OK;
}

enum status buffer_wrap(struct buffer **out, void *data, size_t size_bytes,
                        void (*release)(struct buffer *buffer, void *context), void *context,
                        struct error *err)
{
    must(release);
    struct buffer *buffer = *out = mem_alloc(sizeof(*buffer));
    if (!buffer)
        return error_memory(err, "a buffer", sizeof(*buffer));
    *buffer = (struct buffer){
        .data = data, .size_bytes = size_bytes, .release = release, .release_context = context};
    atomic_init(&buffer->refs, 1);
    return OK;
}

struct buffer *buffer_ref(struct buffer *buffer)
{
    if (buffer)
        must(atomic_fetch_add_explicit(&buffer->refs, 1, memory_order_relaxed) > 0);
    return buffer;
}

void buffer_unref(struct buffer *buffer)
{
    if (!buffer)
        return;
    uint32_t before = atomic_fetch_sub_explicit(&buffer->refs, 1, memory_order_acq_rel);
    must(before > 0);
    if (before > 1)
        return;
    if (buffer->release)
        buffer->release(buffer, buffer->release_context);
    mem_release(buffer->owner, buffer->reserved_bytes);
    mem_free(buffer);
}

void buf_init(struct buf *buf, size_t max_bytes)
{
    *buf = (struct buf){.max_bytes = max_bytes};
}

void buf_fini(struct buf *buf)
{
    mem_free(buf->data);
    buf_init(buf, buf->max_bytes);
}

void buf_clear(struct buf *buf)
{
    buf->length = 0;
    buf->failed = buf->over_limit = false;
}

static bool grow(struct buf *buf, size_t need)
{
    size_t capacity = buf->capacity < BUF_BYTES_MIN ? BUF_BYTES_MIN : buf->capacity;
    while (capacity < need)
        capacity = capacity > SIZE_MAX / 2 ? need : capacity * 2;
    uint8_t *data = mem_realloc(buf->data, capacity);
    if (!data) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

uint8_t *buf_room_slow(struct buf *buf, size_t size_bytes)
{
    if (buf->failed)
        return NULL;
    if (size_bytes > buf->max_bytes || buf->length > buf->max_bytes - size_bytes) {
        buf->failed = buf->over_limit = true;
        return NULL;
    }
    size_t need = buf->length + size_bytes;
    if ((need > buf->capacity || !buf->data) && !grow(buf, need))
        return NULL;
    return buf->data + buf->length;
}

void buf_append_text(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
    if (buf->failed)
        return;
    va_list args;
    va_start(args, fmt);
    size_t free_bytes = buf->capacity - buf->length;
    int wanted =
        vsnprintf(buf->data ? (char *)buf->data + buf->length : NULL, free_bytes, fmt, args);
    va_end(args);
    must(wanted >= 0);
    if (!buf_room(buf, (size_t)wanted))
        return;
    if ((size_t)wanted >= free_bytes) { /* cut for want of room, which vsnprintf's NUL needs too */
        if (buf->length + (size_t)wanted + 1 > buf->capacity &&
            !grow(buf, buf->length + (size_t)wanted + 1))
            return;
        va_start(args, fmt);
        vsnprintf((char *)buf->data + buf->length, (size_t)wanted + 1, fmt, args);
        va_end(args);
    }
    buf->length += (size_t)wanted;
}

const char *buf_text(struct buf *buf)
{
    if (buf->failed || (buf->length + 1 > buf->capacity && !grow(buf, buf->length + 1)))
        return "";
    buf->data[buf->length] = '\0';
    return (const char *)buf->data;
}

enum status buf_check(const struct buf *buf, const char *what, struct error *err)
{
    if (!buf->failed)
        return OK;
    if (buf->over_limit)
        return error_set(err, ERR_LIMIT, "%s needs more than its limit of %zu bytes", what,
                         buf->max_bytes);
    return error_memory(err, what, buf->length);
}
