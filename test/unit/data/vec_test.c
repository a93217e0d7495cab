/* Vectors: copying between all forms against a shadow copy, string ownership, budget, faults. */
#include "data/vec.h"

#include "../check.h"
#include "data/batch.h"

static struct error err;
static uint64_t seed = 1;

static uint32_t draw(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((seed >> 33) % below);
}

static size_t make_text(char *dest, uint32_t number)
{
    static const char filler[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    size_t length = (size_t)snprintf(dest, 64, "%u-%.*s", number, (int)(number % 30), filler);
    return length;
}

/* A flat vector of count values i -> numbers[i] (as BIGINT or text), NULL where negative. */
static enum status make_flat(struct vec **out, const struct type *type, const int64_t *numbers,
                             uint32_t count)
{
    struct vec *vec = NULL;
    TRY(vec_new(&vec, type, count ? count : 1, NULL, &err));
    enum status status = OK;
    for (uint32_t i = 0; i < count && status == OK; i++) {
        char text[64];
        if (numbers[i] < 0) {
            status = vec_append_null(vec, 1, &err);
            continue;
        }
        if (type->root == TYPE_BIGINT)
            ((int64_t *)vec->values)[i] = numbers[i];
        else
            status = vec_set_text(vec, i, text, make_text(text, (uint32_t)numbers[i]), &err);
        vec->length = i + 1;
    }
    if (status != OK)
        vec_unref(vec);
    else
        *out = vec;
    return status;
}

static bool shows(const struct vec *vec, uint32_t row, int64_t number)
{
    const struct vec *holder;
    uint32_t at = vec_locate(vec, row, &holder);
    if (number < 0 || !vec_is_valid(vec, row))
        return number < 0 && !vec_is_valid(vec, row);
    if (vec->type->root == TYPE_BIGINT)
        return ((const int64_t *)holder->values)[at] == number;
    char text[64];
    size_t length = make_text(text, (uint32_t)number);
    const struct view *view = (const struct view *)holder->values + at;
    return view->length == length && memcmp(view_data(view), text, length) == 0;
}

/* A random vector of any form with its shadow. */
static enum status make_any(struct vec **out, const struct type *type, int64_t *shadow,
                            uint32_t count)
{
    struct vec *flat = NULL;
    uint32_t form = draw(3);
    for (uint32_t i = 0; i < count; i++)
        shadow[i] = draw(8) == 0 ? -1 : (int64_t)draw(1000);
    TRY(make_flat(&flat, type, shadow, count));
    if (form == 0) {
        *out = flat;
        return OK;
    }
    enum status status;
    if (form == 1) {
        uint32_t at = draw(count);
        status = vec_new_constant(out, flat, at, count, &err);
        for (uint32_t i = 0; i < count; i++)
            if (i != at)
                shadow[i] = shadow[at];
    } else {
        uint16_t indices[64];
        int64_t before[64];
        memcpy(before, shadow, count * sizeof(*before));
        for (uint32_t i = 0; i < count; i++) {
            indices[i] = (uint16_t)draw(count);
            shadow[i] = before[indices[i]];
        }
        status = vec_new_dictionary(out, flat, indices, count, &err);
    }
    vec_unref(flat);
    return status;
}

static enum status append_round(const struct type *type, bool *good)
{
    int64_t want[64 * 20], shadow[64];
    uint32_t total = 0;
    struct vec *dest = NULL, *src = NULL;
    TRY(vec_new(&dest, type, 1, NULL, &err));
    enum status status = OK;
    for (uint32_t part = 0; part < 20 && status == OK; part++) {
        uint16_t selection[64];
        uint32_t count = 1 + draw(60), selected = 0;
        status = make_any(&src, type, shadow, count);
        if (status != OK)
            break;
        for (uint32_t i = 0; i < count; i++)
            if (draw(3))
                selection[selected++] = (uint16_t)i;
        bool all = draw(4) == 0;
        status = vec_append(dest, src, all ? NULL : selection, all ? count : selected, &err);
        for (uint32_t i = 0; i < (all ? count : selected); i++)
            want[total++] = shadow[all ? i : selection[i]];
        vec_verify(src);
        vec_unref(src);
    }
    if (status == OK && draw(2))
        status = vec_compact(dest, &err);
    if (status == OK) {
        vec_verify(dest);
        *good = dest->length == total;
        for (uint32_t i = 0; i < total; i++)
            *good &= shows(dest, i, want[i]);
    }
    vec_unref(dest);
    return status;
}

TEST(append_equals_a_shadow_copy)
{
    for (int round = 0; round < 300; round++) {
        bool good = false;
        CHECK_OK(append_round(round & 1 ? &TYPE_OF_STRING : &TYPE_OF_BIGINT, &good));
        CHECK(good);
    }
}

TEST(every_failed_allocation_is_a_status)
{
    for (int kind = 0; kind < 2; kind++) {
        for (uint64_t nth = 1;; nth++) {
            bool good = false;
            seed = 7;
            error_clear(&err);
            mem_fail_after(nth);
            enum status status = append_round(kind ? &TYPE_OF_STRING : &TYPE_OF_BIGINT, &good);
            mem_fail_after(0);
            if (status == OK) {
                CHECK(good);
                break;
            }
            CHECK_INT(status, ERR_MEMORY);
            CHECK(nth < 2000);
        }
    }
    error_clear(&err);
}

TEST(flatten_gives_the_same_values)
{
    for (int round = 0; round < 100; round++) {
        int64_t shadow[64];
        struct vec *src = NULL, *flat = NULL;
        uint32_t count = 1 + draw(60);
        CHECK_OK(make_any(&src, &TYPE_OF_STRING, shadow, count));
        CHECK_OK(vec_flatten(&flat, src, &err));
        vec_unref(src);
        CHECK_INT(flat->form, VEC_FLAT);
        for (uint32_t i = 0; i < count; i++)
            CHECK(shows(flat, i, shadow[i]));
        vec_unref(flat);
    }
}

TEST(views_outlive_their_first_vector)
{
    int64_t numbers[] = {29, 59, -1};
    struct vec *src = NULL, *dest = NULL;
    CHECK_OK(make_flat(&src, &TYPE_OF_STRING, numbers, 3));
    CHECK_OK(vec_new(&dest, &TYPE_OF_STRING, 3, NULL, &err));
    CHECK_OK(vec_append(dest, src, NULL, 3, &err));
    CHECK_INT(dest->string_count, 1);
    CHECK(dest->strings[0] == src->strings[0]);
    vec_unref(src);
    CHECK(shows(dest, 0, 29) && shows(dest, 1, 59) && shows(dest, 2, -1));
    vec_unref(dest);
}

TEST(more_than_sixteen_buffers_are_compacted)
{
    struct vec *vec = NULL;
    CHECK_OK(vec_new(&vec, &TYPE_OF_STRING, 40, NULL, &err));
    for (uint32_t i = 0; i < 40; i++) {
        struct buffer *buffer = NULL;
        CHECK_OK(buffer_new(&buffer, 64, NULL, &err));
        size_t length = make_text((char *)buffer->data, 29 + 30 * i);
        CHECK_OK(vec_add_strings(vec, buffer, &err));
        ((struct view *)vec->values)[i] = view_of((char *)buffer->data, length);
        vec->length = i + 1;
        buffer_unref(buffer);
        CHECK(vec->string_count <= VEC_STRINGS_MAX);
    }
    vec_verify(vec);
    for (uint32_t i = 0; i < 40; i++)
        CHECK(shows(vec, i, 29 + 30 * i));
    vec_unref(vec);
}

TEST(recycling_keeps_memory_but_not_what_others_hold)
{
    int64_t numbers[] = {29, 59, 89};
    struct vec *vec = NULL, *other = NULL;
    CHECK_OK(make_flat(&vec, &TYPE_OF_STRING, numbers, 3));
    CHECK_OK(vec_new(&other, &TYPE_OF_STRING, 3, NULL, &err));
    CHECK_OK(vec_append(other, vec, NULL, 3, &err));
    vec_ref(vec);
    CHECK(!vec_recycle(vec));
    vec_unref(vec);
    CHECK(vec_recycle(vec));
    CHECK_INT(vec->length, 0);
    CHECK_INT(vec->string_count, 0); /* its buffer is other's now */
    CHECK(shows(other, 0, 29) && shows(other, 2, 89));
    vec_unref(other);
    CHECK_OK(vec_set_text(vec, 0, "a text that is not inline", 25, &err));
    vec->length = 1;
    uint64_t before = mem_alloc_count();
    for (int i = 0; i < 100; i++) {
        CHECK(vec_recycle(vec));
        CHECK_OK(vec_make_validity(vec, &err));
        CHECK_OK(vec_set_text(vec, 0, "another one that is not inline", 30, &err));
        vec->length = 1;
    }
    CHECK_INT(mem_alloc_count(), before);
    vec_unref(vec);
}

TEST(nested_vectors_copy_their_elements)
{
    struct arena arena;
    arena_init(&arena, NULL, 1 << 20);
    const char *names[] = {"n", "tags"};
    const struct type *fields[] = {&TYPE_OF_BIGINT, type_array(&arena, &TYPE_OF_STRING, true)};
    const struct type *row = type_row(&arena, 2, names, fields, true);
    struct vec *vec = NULL, *copy = NULL, *dictionary = NULL;
    CHECK_OK(vec_new(&vec, row, 3, NULL, &err));
    for (int64_t i = 0; i < 3; i++) {
        struct vec *tags = vec->children[1];
        struct list_entry entry = {tags->children[0]->length, (uint32_t)i};
        for (int64_t t = 0; t < i; t++) {
            int64_t number = 29 + 30 * t;
            struct vec *one = NULL;
            CHECK_OK(make_flat(&one, &TYPE_OF_STRING, &number, 1));
            CHECK_OK(vec_append(tags->children[0], one, NULL, 1, &err));
            vec_unref(one);
        }
        ((struct list_entry *)tags->values)[i] = entry;
        ((int64_t *)vec->children[0]->values)[i] = i * 10;
        vec->length = vec->children[0]->length = tags->length = (uint32_t)i + 1;
    }
    vec_verify(vec);
    uint16_t indices[] = {2, 0, 2, 1};
    CHECK_OK(vec_new_dictionary(&dictionary, vec, indices, 4, &err));
    CHECK_OK(vec_flatten(&copy, dictionary, &err));
    vec_unref(vec);
    vec_unref(dictionary);
    CHECK_OK(vec_append_null(copy, 1, &err));
    CHECK_OK(vec_compact(copy, &err));
    vec_verify(copy);
    CHECK_INT(copy->length, 5);
    CHECK(!vec_is_valid(copy, 4));
    const int64_t *n = copy->children[0]->values;
    CHECK(n[0] == 20 && n[1] == 0 && n[2] == 20 && n[3] == 10);
    const struct list_entry *entries = copy->children[1]->values;
    CHECK(entries[0].length == 2 && entries[1].length == 0 && entries[2].length == 2);
    CHECK(shows(copy->children[1]->children[0], entries[2].offset + 1, 59));
    vec_unref(copy);
    arena_fini(&arena);
}

TEST(bytes_are_reserved_and_given_back)
{
    struct mem_owner owner;
    struct vec *vec = NULL;
    mem_owner_init(&owner, NULL, "test");
    owner.limit_bytes = 100000;
    CHECK_OK(vec_new(&vec, &TYPE_OF_STRING, 2048, &owner, &err));
    CHECK(atomic_load(&owner.used_bytes) >= 2048 * 16);
    vec->length = 1;
    char *room = vec_string_room(vec, 50000);
    CHECK(room != NULL);
    CHECK(vec_string_room(vec, 50000) == NULL);
    CHECK(vec_pinned_bytes(vec) >= 2048 * 16 + 50000);
    vec_unref(vec);
    CHECK_INT(atomic_load(&owner.used_bytes), 0);
    vec = NULL;
    CHECK_INT(vec_new(&vec, &TYPE_OF_STRING, 10000, &owner, &err), ERR_BUDGET);
    CHECK_INT(atomic_load(&owner.used_bytes), 0);
    error_clear(&err);
    mem_owner_fini(&owner);
}

TEST(views_compare_by_bytes)
{
    static const char *const texts[] = {
        "",  "a",       "ab", "abcd", "abcde", "abcdefghijkl", "abcdefghijklm", "abcdefghijklmn",
        "b", "\xc3\xa4"};
    for (size_t i = 0; i < 10; i++) {
        for (size_t j = 0; j < 10; j++) {
            struct view a = view_of(texts[i], strlen(texts[i]));
            struct view b = view_of(texts[j], strlen(texts[j]));
            int want = strcmp(texts[i], texts[j]), got = view_compare(&a, &b);
            CHECK_INT((got > 0) - (got < 0), (want > 0) - (want < 0));
            CHECK(view_equals(&a, &b) == (i == j));
        }
    }
}
