/* mem.c - the allocator with its fault hook, and the budget's tree of owners. Arenas: arena.c.
 *
 * Invariants: a reservation is counted in its owner and in every owner above it, or in none; used
 * never passes a limit, not even for a moment (compare-and-swap, no add-then-undo).
 */
#include "base/mem.h"

#include <stdlib.h>

#include "base/must.h"
#include "base/str.h"

#define ROOM_SHARE 16 /* of a limit, what owners that leave room keep free */

static _Atomic uint64_t alloc_count;
static _Atomic uint64_t fail_countdown;

void mem_fail_after(uint64_t countdown)
{
    atomic_store(&fail_countdown, countdown);
}

uint64_t mem_fail_left(void)
{
    return atomic_load(&fail_countdown);
}

uint64_t mem_alloc_count(void)
{
    return atomic_load_explicit(&alloc_count, memory_order_relaxed);
}

/* Counts one allocation; true when it is the one that must fail. */
static bool hook_fails(void)
{
    atomic_fetch_add_explicit(&alloc_count, 1, memory_order_relaxed);
    uint64_t left = atomic_load_explicit(&fail_countdown, memory_order_relaxed);
    if (__builtin_expect(left == 0, 1))
        return false;
    while (left != 0 && !atomic_compare_exchange_weak(&fail_countdown, &left, left - 1))
        ;
    return left == 1;
}

void *mem_alloc(size_t size_bytes)
{
    return hook_fails() ? NULL : malloc(size_bytes ? size_bytes : 1);
}

void *mem_calloc(size_t count, size_t size_bytes)
{
    size_t total;
    if (hook_fails() || __builtin_mul_overflow(count, size_bytes, &total))
        return NULL;
    return count == 0 || size_bytes == 0 ? calloc(1, 1) : calloc(count, size_bytes);
}

void *mem_realloc(void *old, size_t size_bytes)
{
    return hook_fails() ? NULL : realloc(old, size_bytes ? size_bytes : 1);
}

void *mem_aligned(size_t alignment, size_t size_bytes)
{
    must(alignment && (alignment & (alignment - 1)) == 0);
    void *block = NULL;
    if (hook_fails())
        return NULL;
    if (alignment < sizeof(void *))
        alignment = sizeof(void *);
    return posix_memalign(&block, alignment, size_bytes ? size_bytes : 1) == 0 ? block : NULL;
}

void mem_free(void *block)
{
    free(block);
}

void mem_owner_init(struct mem_owner *owner, struct mem_owner *parent, const char *name)
{
    owner->parent = parent;
    owner->name = name;
    owner->limit_setting = NULL;
    owner->relief = NULL;
    owner->leaves_room = false;
    owner->limit_bytes = 0;
    atomic_init(&owner->used_bytes, 0);
    atomic_init(&owner->peak_bytes, 0);
}

void mem_owner_fini(struct mem_owner *owner)
{
    must(atomic_load(&owner->used_bytes) == 0);
}

static bool reserve_one(struct mem_owner *owner, size_t size_bytes, bool leaves_room)
{
    size_t limit = owner->limit_bytes ? owner->limit_bytes : SIZE_MAX;
    limit -= leaves_room ? limit / ROOM_SHARE : 0;
    size_t used = atomic_load_explicit(&owner->used_bytes, memory_order_relaxed);
    do {
        if (size_bytes > limit || used > limit - size_bytes)
            return false;
    } while (!atomic_compare_exchange_weak(&owner->used_bytes, &used, used + size_bytes));
    size_t now = used + size_bytes;
    size_t peak = atomic_load_explicit(&owner->peak_bytes, memory_order_relaxed);
    while (now > peak && !atomic_compare_exchange_weak(&owner->peak_bytes, &peak, now))
        ;
    return true;
}

static void release_one(struct mem_owner *owner, size_t size_bytes)
{
    size_t before = atomic_fetch_sub(&owner->used_bytes, size_bytes);
    must(before >= size_bytes);
}

enum status mem_budget_error(const struct mem_owner *owner, const struct mem_owner *full,
                             size_t size_bytes, struct error *err)
{
    const struct mem_owner *named = full;
    while (named && !named->limit_setting)
        named = named->parent;
    char wanted[STR_BYTES_MAX], used[STR_BYTES_MAX], limit[STR_BYTES_MAX], held[STR_BYTES_MAX];
    str_from_bytes(wanted, size_bytes);
    str_from_bytes(held, atomic_load(&owner->used_bytes));
    str_from_bytes(used, atomic_load(&full->used_bytes));
    str_from_bytes(limit, full->limit_bytes);
    if (!err || err->code != OK)
        return ERR_BUDGET;
    if (full == owner)
        error_set(err, ERR_BUDGET, "%s needs %s of memory, but it uses %s of its limit of %s",
                  owner->name, wanted, used, limit);
    else
        error_set(err, ERR_BUDGET,
                  "%s holds %s of memory and needs %s more, but %s uses %s of its limit of %s%s",
                  owner->name, held, wanted, full->name, used, limit,
                  owner->leaves_room ? ", of which some is kept for others" : "");
    if (named)
        error_hint(err, "raise %s%s%s", named->limit_setting, owner->relief ? ", or " : "",
                   owner->relief ? owner->relief : "");
    return ERR_BUDGET;
}

enum status mem_reserve(struct mem_owner *owner, size_t size_bytes, struct error *err)
{
    for (struct mem_owner *each = owner; each; each = each->parent) {
        if (reserve_one(each, size_bytes, owner->leaves_room))
            continue;
        for (struct mem_owner *undo = owner; undo != each; undo = undo->parent)
            release_one(undo, size_bytes);
        return mem_budget_error(owner, each, size_bytes, err);
    }
    return OK;
}

void mem_release(struct mem_owner *owner, size_t size_bytes)
{
    for (struct mem_owner *each = owner; each; each = each->parent)
        release_one(each, size_bytes);
}
