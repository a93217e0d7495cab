/* kafka_plain.c - see kafka_plain.h. */
#include "connector/kafka/kafka_plain.h"

#include "os/thread.h"

#define PLAIN_BYTES_MAX (128u << 20) /* a decompressed batch */
#define FREE_MAX        4

struct plain_pool {
    struct mutex lock;
    struct mem_owner *owner;
    struct plain *free; /* last used first */
    uint32_t free_count, out_count;
    bool closed;
};

enum status plain_pool_new(struct plain_pool **out, struct mem_owner *owner, struct error *err)
{
    struct plain_pool *pool = mem_calloc(1, sizeof(*pool));
    if (!pool)
        return error_memory(err, "a kafka reader", sizeof(*pool));
    mutex_init(&pool->lock);
    pool->owner = owner;
    *out = pool;
    return OK;
}

static void plain_free(struct plain *plain)
{
    mem_release(plain->pool->owner, plain->reserved_bytes);
    buf_fini(&plain->bytes);
    mem_free(plain);
}

static void pool_free(struct plain_pool *pool)
{
    mutex_fini(&pool->lock);
    mem_free(pool);
}

void plain_pool_close(struct plain_pool *pool)
{
    if (!pool)
        return;
    mutex_lock(&pool->lock);
    struct plain *plain = pool->free;
    pool->free = NULL;
    pool->closed = true;
    bool last = pool->out_count == 0;
    mutex_unlock(&pool->lock);
    while (plain) {
        struct plain *next = plain->next;
        plain_free(plain);
        plain = next;
    }
    if (last)
        pool_free(pool);
}

enum status plain_take(struct plain_pool *pool, struct plain **out, struct error *err)
{
    mutex_lock(&pool->lock);
    struct plain *plain = pool->free;
    if (plain) {
        pool->free = plain->next;
        pool->free_count--;
    }
    pool->out_count++;
    mutex_unlock(&pool->lock);
    if (!plain) {
        plain = mem_calloc(1, sizeof(*plain));
        if (!plain) {
            mutex_lock(&pool->lock);
            pool->out_count--;
            mutex_unlock(&pool->lock);
            return error_memory(err, "a decompressed batch", sizeof(*plain));
        }
        plain->pool = pool;
        buf_init(&plain->bytes, PLAIN_BYTES_MAX);
    }
    buf_clear(&plain->bytes);
    *out = plain;
    return OK;
}

void plain_give(struct plain *plain)
{
    if (!plain)
        return;
    struct plain_pool *pool = plain->pool;
    mutex_lock(&pool->lock);
    bool keep = !pool->closed && pool->free_count < FREE_MAX;
    if (keep) {
        plain->next = pool->free;
        pool->free = plain;
        pool->free_count++;
    }
    bool last = --pool->out_count == 0 && pool->closed;
    mutex_unlock(&pool->lock);
    if (!keep)
        plain_free(plain);
    if (last)
        pool_free(pool);
}

static void plain_release(struct buffer *buffer, void *context)
{
    plain_give(context);
}

enum status plain_wrap(struct plain *plain, struct buffer **out, struct error *err)
{
    return buffer_wrap(out, plain->bytes.data, plain->bytes.length, plain_release, plain, err);
}

enum status plain_account(struct plain *plain, struct error *err)
{
    if (plain->bytes.capacity <= plain->reserved_bytes)
        return OK;
    size_t more = plain->bytes.capacity - plain->reserved_bytes;
    TRY(mem_reserve(plain->pool->owner, more, err));
    plain->reserved_bytes += more;
    return OK;
}
