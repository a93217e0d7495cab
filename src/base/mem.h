/* mem.h - memory: the allocator, the process budget with owners, and arenas.
 *
 * Every heap allocation of leat goes through mem_alloc and its kin, so that the fault loop can fail
 * the Nth one. An allocation failure is a status on every path (style.md 14).
 *
 * The budget: one counter for the process (leat.memory.limit), and a tree of owners that have
 * reserved parts of it (job, operator, broker, ...). Reservation is explicit and coarse: whoever
 * holds a buffer, arena block, table page or queue reserves its size first. What users meet is
 * ERR_BUDGET, whose text names the owner and the setting.
 *
 * Thread safety: mem_* and owners may be used from any thread; an arena belongs to one thread at a
 * time.
 */
#ifndef LEAT_BASE_MEM_H
#define LEAT_BASE_MEM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* NULL on failure; size 0 gives a valid pointer. mem_realloc leaves the old block alone on failure.
 */
void *mem_alloc(size_t size_bytes) __attribute__((malloc, alloc_size(1)));
void *mem_calloc(size_t count, size_t size_bytes) __attribute__((malloc, alloc_size(1, 2)));
void *mem_realloc(void *old, size_t size_bytes) __attribute__((alloc_size(2)));
void *mem_aligned(size_t alignment, size_t size_bytes) __attribute__((malloc, alloc_size(2)));
void mem_free(void *block); /* NULL is fine */

/* Test hook: the countdown-th allocation from now fails, once; 0 switches the hook off.
 * mem_alloc_count() counts allocations since the process began. */
void mem_fail_after(uint64_t countdown);
uint64_t mem_fail_left(void); /* of the countdown; 0: it has failed, or the hook is off */
uint64_t mem_alloc_count(void);

/* The root of the owner tree holds the process limit. Owners are the caller's memory and must
 * outlive every reservation. used counts this owner's reservations and those of its children. */
struct mem_owner {
    struct mem_owner *parent;  /* NULL only for the root */
    const char *name;          /* "group aggregate", "broker log"; borrowed */
    const char *limit_setting; /* the setting that raises limit_bytes; NULL: the parent's */
    const char *relief;        /* what else helps when a limit is met; NULL: nothing */
    /* It may grow without end: it takes at most 15/16 of each limit, so that whoever meets the
     * limit first is it, and not one that needs a buffer to go on. */
    bool leaves_room;
    size_t limit_bytes; /* 0: only the parents limit */
    _Atomic size_t used_bytes;
    _Atomic size_t peak_bytes;
};

/* parent NULL makes a root. */
void mem_owner_init(struct mem_owner *owner, struct mem_owner *parent, const char *name);
void mem_owner_fini(struct mem_owner *owner); /* must(used == 0) */

/* All or nothing along the chain to the root. owner NULL: nobody counts, always OK. */
enum status mem_reserve(struct mem_owner *owner, size_t size_bytes,
                        struct error *err) STATUS_CHECKED;
void mem_release(struct mem_owner *owner, size_t size_bytes);

/* The error that mem_reserve gives when `full`, an owner above or equal to `owner`, has no room for
 * size_bytes. Returns ERR_BUDGET. */
enum status mem_budget_error(const struct mem_owner *owner, const struct mem_owner *full,
                             size_t size_bytes, struct error *err);

/* Arena: bump allocation, freed as a whole. Zeroed memory, aligned to 16. Once an allocation has
 * failed, `failed` stays set and every later one gives NULL, so a builder may check once at its end
 * with arena_check(). owner NULL: not counted (tests, start-up). */
struct arena_block;
struct arena {
    struct mem_owner *owner;
    struct arena_block *blocks; /* newest first */
    char *next;                 /* free space of the newest block */
    char *end;
    size_t used_bytes;  /* of all blocks */
    size_t max_bytes;   /* stated maximum; beyond it: failed */
    size_t block_bytes; /* size of the next block */
    bool failed;
    enum status failure; /* why: ERR_LIMIT, ERR_BUDGET, ERR_MEMORY */
    size_t failed_bytes; /* what was asked for */
};

void arena_init(struct arena *arena, struct mem_owner *owner, size_t max_bytes);
void *arena_alloc(struct arena *arena, size_t size_bytes);
void *arena_array(struct arena *arena, size_t count, size_t size_bytes);   /* overflow-checked */
char *arena_strndup(struct arena *arena, const char *text, size_t length); /* adds a NUL */
char *arena_printf(struct arena *arena, const char *fmt, ...) PRINTF_LIKE(2, 3);
enum status arena_check(const struct arena *arena, const char *what,
                        struct error *err) STATUS_CHECKED;
void arena_reset(struct arena *arena); /* frees all but one block, clears failed */
void arena_fini(struct arena *arena);

#define ARENA_NEW(arena, type)          ((type *)arena_alloc((arena), sizeof(type)))
#define ARENA_ARRAY(arena, count, type) ((type *)arena_array((arena), (count), sizeof(type)))

#endif
