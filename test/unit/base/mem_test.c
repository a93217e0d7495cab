#include "base/mem.h"
#include "base/must.h"

#include "../check.h"

#include <pthread.h>

static struct error err;

TEST(blocks_of_every_kind)
{
    void *block = mem_alloc(0);
    CHECK(block != NULL);
    block = mem_realloc(block, 100);
    memset(block, 1, 100);
    block = mem_realloc(block, 0);
    CHECK(block != NULL);
    mem_free(block);
    mem_free(NULL);
    unsigned char *zeros = mem_calloc(10, 10);
    for (int i = 0; i < 100; i++)
        CHECK_INT(zeros[i], 0);
    mem_free(zeros);
    mem_free(mem_calloc(0, 8));
    volatile size_t huge = SIZE_MAX / 2;
    CHECK(mem_calloc(huge, 3) == NULL);
    void *aligned = mem_aligned(4096, 10);
    CHECK(aligned && (uintptr_t)aligned % 4096 == 0);
    mem_free(aligned);
    mem_free(mem_aligned(1, 10));
}

TEST(the_chosen_allocation_fails_once)
{
    uint64_t before = mem_alloc_count();
    mem_fail_after(2);
    void *first = mem_alloc(1), *second = mem_alloc(1), *third = mem_alloc(1);
    CHECK(first && !second && third);
    CHECK_INT(mem_alloc_count() - before, 3);
    mem_fail_after(1);
    CHECK(mem_realloc(first, 1000) == NULL); /* first stays */
    mem_fail_after(1);
    mem_fail_after(0);
    void *fourth = mem_calloc(1, 1);
    CHECK(fourth != NULL);
    mem_free(first);
    mem_free(third);
    mem_free(fourth);
}

TEST(owners_count_up_the_tree)
{
    struct mem_owner root, job, operator;
    mem_owner_init(&root, NULL, "process");
    mem_owner_init(&job, &root, "job");
    mem_owner_init(&operator, & job, "group aggregate");
    root.limit_bytes = 1000;
    root.limit_setting = "leat.memory.limit";
    error_clear(&err);
    CHECK_OK(mem_reserve(&operator, 600, &err));
    CHECK_OK(mem_reserve(&job, 300, &err));
    CHECK_INT(operator.used_bytes, 600);
    CHECK_INT(job.used_bytes, 900);
    CHECK_INT(root.used_bytes, 900);
    CHECK_OK(mem_reserve(&operator, 100, &err)); /* to the limit, exactly */
    CHECK_INT(mem_reserve(&operator, 1, &err), ERR_BUDGET);
    CHECK(strstr(err.text, "group aggregate") && strstr(err.text, "process") &&
          strstr(err.text, "1000 b"));
    CHECK_STR(err.hint, "raise leat.memory.limit");
    error_clear(&err);
    CHECK_INT(operator.used_bytes, 700); /* all or nothing */
    CHECK_INT(job.used_bytes, 1000);
    CHECK_INT(mem_reserve(&operator, SIZE_MAX, NULL), ERR_BUDGET);
    mem_release(&operator, 700);
    mem_release(&job, 300);
    CHECK_INT(root.used_bytes, 0);
    CHECK_INT(root.peak_bytes, 1000);
    job.limit_bytes = 10; /* an own limit without an own setting: the one above is named */
    CHECK_INT(mem_reserve(&job, 11, &err), ERR_BUDGET);
    CHECK(strstr(err.text, "it uses") && strstr(err.text, "limit of 10 b"));
    CHECK_STR(err.hint, "raise leat.memory.limit");
    CHECK_OK(mem_reserve(NULL, SIZE_MAX, (error_clear(&err), &err)));
    mem_release(NULL, SIZE_MAX);
    mem_owner_fini(&operator);
    mem_owner_fini(&job);
    mem_owner_fini(&root);
}

static struct mem_owner shared_root, shared_children[4];
static _Atomic int refused;

static void *reserve_and_release(void *owner)
{
    for (int i = 0; i < 20000; i++) {
        if (mem_reserve(owner, 40, NULL) != OK) {
            refused++;
            continue;
        }
        if (shared_root.used_bytes > 100)
            refused += 1000000; /* over the limit: never */
        mem_release(owner, 40);
    }
    return NULL;
}

/* What may grow without end leaves room for the others, and says what else helps. */
TEST(one_that_leaves_room)
{
    error_clear(&err);
    struct mem_owner root, state, other;
    mem_owner_init(&root, NULL, "process");
    root.limit_bytes = 1600;
    root.limit_setting = "leat.memory.limit";
    mem_owner_init(&state, &root, "GroupAggregate(k)");
    mem_owner_init(&other, &root, "other");
    state.leaves_room = true;
    state.relief = "forget something";
    CHECK_OK(mem_reserve(&state, 1500, &err));
    CHECK_INT(mem_reserve(&state, 1, &err), ERR_BUDGET);
    CHECK(strstr(err.text, "GroupAggregate(k) holds 1.5 kb") != NULL);
    CHECK_STR(err.hint, "raise leat.memory.limit, or forget something");
    error_clear(&err);
    CHECK_OK(mem_reserve(&other, 100, &err));
    CHECK_INT(mem_reserve(&other, 1, &err), ERR_BUDGET);
    CHECK_STR(err.hint, "raise leat.memory.limit");
    mem_release(&state, 1500);
    mem_release(&other, 100);
    mem_owner_fini(&state);
    mem_owner_fini(&other);
    mem_owner_fini(&root);
}

TEST(threads_never_pass_the_limit)
{
    pthread_t threads[4];
    mem_owner_init(&shared_root, NULL, "process");
    shared_root.limit_bytes = 100;
    for (int i = 0; i < 4; i++) {
        mem_owner_init(&shared_children[i], &shared_root, "child");
        pthread_create(&threads[i], NULL, reserve_and_release, &shared_children[i]);
    }
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    CHECK(refused < 1000000);
    CHECK_INT(shared_root.used_bytes, 0);
    CHECK(shared_root.peak_bytes <= 100);
}

TEST(arenas_give_zeroed_aligned_memory)
{
    struct arena arena;
    arena_init(&arena, NULL, 1 << 20);
    for (size_t size = 0; size < 5000; size += 37) {
        unsigned char *block = arena_alloc(&arena, size);
        CHECK(block && (uintptr_t)block % 16 == 0);
        for (size_t i = 0; i < size; i++)
            CHECK_INT(block[i], 0);
        memset(block, 0xFF, size);
    }
    CHECK(arena_alloc(&arena, 0) != arena_alloc(&arena, 0));
    CHECK_STR(arena_strndup(&arena, "hello", 3), "hel");
    CHECK_STR(arena_strndup(&arena, NULL, 0), "");
    CHECK_STR(arena_printf(&arena, "%s-%d", "x", 7), "x-7");
    int *numbers = ARENA_ARRAY(&arena, 10, int);
    CHECK_INT(numbers[9], 0);
    arena_reset(&arena);
    unsigned char *again = arena_alloc(&arena, 3000);
    for (int i = 0; i < 3000; i++)
        CHECK_INT(again[i], 0);
    arena_fini(&arena);
    CHECK_INT(arena.used_bytes, 0);
}

TEST(arenas_stay_within_their_maximum)
{
    struct arena arena;
    arena_init(&arena, NULL, 10000);
    CHECK(arena_alloc(&arena, 9000) != NULL); /* its block of 4096 would be too small */
    error_clear(&err);
    CHECK_OK(arena_check(&arena, "plan", &err));
    CHECK(arena_alloc(&arena, 2000) == NULL);
    CHECK(arena_alloc(&arena, 1) == NULL); /* sticky */
    CHECK_INT(arena_check(&arena, "plan", &err), ERR_LIMIT);
    CHECK(strstr(err.text, "plan") && strstr(err.text, "10000"));
    arena_reset(&arena);
    CHECK(arena_alloc(&arena, 1) != NULL);
    CHECK(arena_array(&arena, SIZE_MAX / 2, 4) == NULL);
    CHECK(arena.failed);
    CHECK(arena_strndup(&arena, "x", SIZE_MAX) == NULL);
    arena_fini(&arena);
}

TEST(arenas_reserve_with_their_owner)
{
    struct mem_owner root;
    struct arena arena;
    mem_owner_init(&root, NULL, "parser");
    root.limit_bytes = 6000;
    root.limit_setting = "leat.memory.limit";
    arena_init(&arena, &root, 1 << 20);
    CHECK(arena_alloc(&arena, 4000) != NULL);
    CHECK(arena_alloc(&arena, 1000) != NULL); /* 8 KB do not fit, what is needed does */
    CHECK(arena_alloc(&arena, 2000) == NULL);
    error_clear(&err);
    CHECK_INT(arena_check(&arena, "the statement", &err), ERR_BUDGET);
    CHECK(strstr(err.text, "the statement") && strstr(err.text, "parser"));
    CHECK_STR(err.hint, "raise leat.memory.limit");
    root.limit_bytes = 0; /* released elsewhere meanwhile: still a failure */
    error_clear(&err);
    CHECK_INT(arena_check(&arena, "the statement", &err), ERR_BUDGET);
    arena_fini(&arena);
    mem_owner_fini(&root);
}

TEST(an_arena_reset_per_batch_stops_allocating)
{
    struct arena arena;
    arena_init(&arena, NULL, 16 << 20);
    uint64_t before = 0;
    for (int batch = 0; batch < 10; batch++) {
        if (batch == 4)
            before = mem_alloc_count();
        for (int i = 0; i < 100; i++)
            CHECK(arena_alloc(&arena, 16384) != NULL);
        arena_reset(&arena);
    }
    CHECK_INT(mem_alloc_count() - before, 0);
    arena_fini(&arena);
}

TEST(arenas_survive_every_failing_allocation)
{
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        struct arena arena;
        arena_init(&arena, NULL, 1 << 20);
        mem_fail_after(n);
        for (int i = 0; i < 100; i++)
            arena_printf(&arena, "%0500d", i);
        mem_fail_after(0);
        error_clear(&err);
        failed = arena_check(&arena, "x", &err) != OK;
        if (failed)
            CHECK_INT(err.code, ERR_MEMORY);
        arena_fini(&arena);
    }
}
