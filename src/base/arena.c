/* arena.c - bump allocation in blocks that are freed as a whole (contract in mem.h).
 *
 * blocks -> newest -> ... -> oldest; next and end lie in the newest block that has free space. A
 * request that fits no free space gets a block of at least block_bytes. arena_reset() keeps the
 * largest block and asks for the whole former size at once next time, so that an arena reset per
 * batch soon lives in one block and allocates nothing.
 */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/must.h"

#define BLOCK_BYTES_MIN 4096
#define BLOCK_BYTES_MAX (1024 * 1024) /* growth by doubling ends here */
#define ALIGNMENT       16

struct arena_block {
    struct arena_block *older;
    size_t size_bytes; /* with this header: what is reserved */
};

static char *block_data(struct arena_block *block)
{
    return (char *)block + sizeof(struct arena_block);
}

_Static_assert(sizeof(struct arena_block) % ALIGNMENT == 0, "blocks keep the alignment");

void arena_init(struct arena *arena, struct mem_owner *owner, size_t max_bytes)
{
    *arena = (struct arena){.owner = owner, .max_bytes = max_bytes, .block_bytes = BLOCK_BYTES_MIN};
}

static void *fail(struct arena *arena, enum status failure, size_t size_bytes)
{
    if (!arena->failed) {
        arena->failed = true;
        arena->failure = failure;
        arena->failed_bytes = size_bytes;
    }
    return NULL;
}

/* Makes the newest block one with size_bytes (aligned) free; false with failed set. */
static bool add_block(struct arena *arena, size_t size_bytes)
{
    size_t left = arena->max_bytes - arena->used_bytes;
    if (left < sizeof(struct arena_block) || size_bytes > left - sizeof(struct arena_block))
        return fail(arena, ERR_LIMIT, size_bytes);
    size_t need = size_bytes + sizeof(struct arena_block);
    size_t want = need > arena->block_bytes ? need : arena->block_bytes;
    if (want > left)
        want = left;
    if (mem_reserve(arena->owner, want, NULL) != OK) {
        want = need; /* the generous block does not fit, the plain one may */
        if (mem_reserve(arena->owner, want, NULL) != OK)
            return fail(arena, ERR_BUDGET, size_bytes);
    }
    struct arena_block *block = mem_alloc(want);
    if (!block) {
        mem_release(arena->owner, want);
        return fail(arena, ERR_MEMORY, size_bytes);
    }
    block->older = arena->blocks;
    block->size_bytes = want;
    arena->blocks = block;
    arena->used_bytes += want;
    arena->next = block_data(block);
    arena->end = (char *)block + want;
    if (arena->block_bytes < BLOCK_BYTES_MAX)
        arena->block_bytes *= 2;
    return true;
}

void *arena_alloc(struct arena *arena, size_t size_bytes)
{
    if (arena->failed)
        return NULL;
    if (size_bytes > SIZE_MAX - 2 * ALIGNMENT)
        return fail(arena, ERR_LIMIT, size_bytes);
    size_t aligned = (size_bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (aligned == 0)
        aligned = ALIGNMENT; /* every allocation has an address of its own */
    if (aligned > (size_t)(arena->end - arena->next) && !add_block(arena, aligned))
        return NULL;
    char *block = arena->next;
    arena->next += aligned;
    return memset(block, 0, aligned);
}

void *arena_array(struct arena *arena, size_t count, size_t size_bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, size_bytes, &total))
        return fail(arena, ERR_LIMIT, SIZE_MAX);
    return arena_alloc(arena, total);
}

char *arena_strndup(struct arena *arena, const char *text, size_t length)
{
    char *copy = length < SIZE_MAX ? arena_alloc(arena, length + 1) : NULL;
    if (copy && length)
        memcpy(copy, text, length);
    return copy;
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int length = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    must(length >= 0);
    char *text = arena_alloc(arena, (size_t)length + 1);
    if (!text)
        return NULL;
    va_start(args, fmt);
    vsnprintf(text, (size_t)length + 1, fmt, args);
    va_end(args);
    return text;
}

enum status arena_check(const struct arena *arena, const char *what, struct error *err)
{
    if (!arena->failed)
        return OK;
    switch (arena->failure) {
    case ERR_BUDGET: {
        enum status status = mem_reserve(arena->owner, arena->failed_bytes, err);
        if (status == OK) { /* others have released meanwhile; the arena has failed all the same */
            mem_release(arena->owner, arena->failed_bytes);
            error_set(err, ERR_BUDGET, "%s needs %zu bytes of memory that %s did not have", what,
                      arena->failed_bytes, arena->owner->name);
        } else {
            error_prefix(err, "%s", what);
        }
        return ERR_BUDGET;
    }
    case ERR_LIMIT:
        return error_set(err, ERR_LIMIT, "%s needs more than its limit of %zu bytes", what,
                         arena->max_bytes);
    default:
        return error_memory(err, what, arena->failed_bytes);
    }
}

static void free_block(struct arena *arena, struct arena_block *block)
{
    arena->used_bytes -= block->size_bytes;
    mem_release(arena->owner, block->size_bytes);
    mem_free(block);
}

void arena_reset(struct arena *arena)
{
    struct arena_block *kept = arena->blocks;
    for (struct arena_block *block = kept; block; block = block->older)
        if (block->size_bytes > kept->size_bytes)
            kept = block;
    if (kept && arena->used_bytes > kept->size_bytes)
        arena->block_bytes = arena->used_bytes;
    struct arena_block *older;
    for (struct arena_block *block = arena->blocks; block; block = older) {
        older = block->older;
        if (block != kept)
            free_block(arena, block);
    }
    arena->blocks = kept;
    arena->next = arena->end = NULL;
    if (kept) {
        kept->older = NULL;
        arena->next = block_data(kept);
        arena->end = (char *)kept + kept->size_bytes;
    }
    arena->failed = false;
}

void arena_fini(struct arena *arena)
{
    struct arena_block *older;
    for (struct arena_block *block = arena->blocks; block; block = older) {
        older = block->older;
        free_block(arena, block);
    }
    must(arena->used_bytes == 0);
    arena_init(arena, arena->owner, arena->max_bytes);
}
