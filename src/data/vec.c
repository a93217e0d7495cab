/* vec.c - making, sharing and freeing vectors. See vec.h; strings are in vec_string.c, copying in
 * vec_append.c, the checks in vec_verify.c.
 *
 * A flat vector has one block: the values (64-byte aligned), then room for the bitmap, so that
 * validity can be switched on without an allocation. Blocks are reserved with the owner.
 */
#include "data/vec.h"

#include "base/must.h"
#include "data/vec_int.h"

#define BLOCK_ALIGN 64

static size_t round_block(size_t bytes)
{
    return (bytes + BLOCK_ALIGN - 1) & ~(size_t)(BLOCK_ALIGN - 1);
}

static size_t bitmap_bytes(uint32_t capacity)
{
    return ((size_t)capacity + 63) / 64 * sizeof(uint64_t);
}

static size_t value_size(const struct vec *vec)
{
    return physical_size_bytes(type_physical(vec->type));
}

static uint64_t *validity_room(const struct vec *vec)
{
    return (uint64_t *)((char *)vec->block + round_block(value_size(vec) * vec->capacity));
}

/* Values that must be readable even where nobody wrote them. */
static bool needs_zeroes(const struct vec *vec)
{
    enum physical physical = type_physical(vec->type);
    return physical == PHYS_VIEW || physical == PHYS_LIST;
}

/* A block of head_bytes plus tail_bytes. */
static enum status block_new(struct vec *vec, size_t head_bytes, size_t tail_bytes, void **out,
                             struct error *err)
{
    size_t bytes = round_block(head_bytes) + round_block(tail_bytes);
    if (vec->owner)
        TRY(mem_reserve(vec->owner, bytes, err));
    void *block = mem_aligned(BLOCK_ALIGN, bytes);
    if (!block) {
        if (vec->owner)
            mem_release(vec->owner, bytes);
        return error_memory(err, "column", bytes);
    }
    *out = block;
    return OK;
}

static size_t block_size(size_t head_bytes, size_t tail_bytes)
{
    return round_block(head_bytes) + round_block(tail_bytes);
}

static void block_free(struct vec *vec, void *block, size_t bytes)
{
    if (block && vec->owner)
        mem_release(vec->owner, bytes);
    mem_free(block);
}

static enum status shell_new(struct vec **out, const struct type *type, enum vec_form form,
                             struct mem_owner *owner, struct error *err)
{
    struct vec *vec = mem_calloc(1, sizeof(*vec));
    if (!vec)
        return error_memory(err, "column", sizeof(*vec));
    atomic_init(&vec->refs, 1);
    vec->form = form;
    vec->type = type;
    vec->owner = owner;
    *out = vec;
    return OK;
}

static enum status children_new(struct vec *vec, uint32_t capacity, struct error *err)
{
    uint32_t count = vec->type->child_count;
    if (!count)
        return OK;
    vec->children = mem_calloc(count, sizeof(struct vec *));
    if (!vec->children)
        return error_memory(err, "nested column", count * sizeof(struct vec *));
    vec->child_count = count;
    bool is_row = vec->type->root == TYPE_ROW;
    for (uint32_t i = 0; i < count; i++)
        TRY(vec_new(&vec->children[i], vec->type->children[i], is_row ? capacity : 0, vec->owner,
                    err));
    return OK;
}

enum status vec_reserve(struct vec *vec, uint32_t capacity, struct error *err)
{
    must(vec->form != VEC_DICTIONARY);
    if (capacity <= vec->capacity)
        return OK;
    if (capacity > VEC_ELEMENTS_MAX)
        return error_set(err, ERR_LIMIT, "a nested column of more than %u elements in one batch",
                         VEC_ELEMENTS_MAX);
    uint32_t wanted = vec->capacity > capacity / 2 ? vec->capacity * 2 : capacity;
    if (wanted > VEC_ELEMENTS_MAX)
        wanted = VEC_ELEMENTS_MAX;
    size_t size = value_size(vec);
    void *block = NULL;
    TRY(block_new(vec, size * wanted, bitmap_bytes(wanted), &block, err));
    if (vec->type->root == TYPE_ROW) {
        for (uint32_t i = 0; i < vec->child_count; i++) {
            enum status status = vec_reserve(vec->children[i], wanted, err);
            if (status != OK) {
                block_free(vec, block, block_size(size * wanted, bitmap_bytes(wanted)));
                return status;
            }
        }
    }
    if (vec->length && size)
        memcpy(block, vec->values, size * vec->length);
    if (needs_zeroes(vec) || type_physical(vec->type) == PHYS_BOOL)
        memset((char *)block + size * vec->length, 0, size * (wanted - vec->length));
    uint64_t *old_validity = vec->validity;
    void *old_block = vec->block;
    size_t old_bytes = vec->block_bytes, old_bitmap_bytes = bitmap_bytes(vec->capacity);
    vec->block = block;
    vec->block_bytes = block_size(size * wanted, bitmap_bytes(wanted));
    vec->capacity = wanted;
    vec->values = size ? block : NULL;
    if (old_validity) {
        vec->validity = validity_room(vec);
        memset(vec->validity, 0xff, bitmap_bytes(wanted));
        memcpy(vec->validity, old_validity, old_bitmap_bytes);
    }
    block_free(vec, old_block, old_bytes);
    return OK;
}

enum status vec_new(struct vec **out, const struct type *type, uint32_t capacity,
                    struct mem_owner *owner, struct error *err)
{
    struct vec *vec = NULL;
    TRY(shell_new(&vec, type, VEC_FLAT, owner, err));
    enum status status = children_new(vec, capacity, err);
    if (status == OK)
        status = vec_reserve(vec, capacity, err);
    if (status != OK) {
        vec_unref(vec);
        return status;
    }
    *out = vec;
    return OK;
}

struct vec *vec_ref(struct vec *vec)
{
    atomic_fetch_add_explicit(&vec->refs, 1, memory_order_relaxed);
    return vec;
}

void vec_unref(struct vec *vec)
{
    if (!vec || atomic_fetch_sub_explicit(&vec->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (uint32_t i = 0; i < vec->child_count; i++)
        vec_unref(vec->children[i]);
    for (uint32_t i = 0; i < vec->string_count; i++)
        buffer_unref(vec->strings[i]);
    vec_unref(vec->dictionary);
    block_free(vec, vec->block, vec->block_bytes);
    mem_free(vec->children);
    mem_free(vec);
}

static bool may_recycle(const struct vec *vec)
{
    if (vec->form != VEC_FLAT || atomic_load_explicit(&vec->refs, memory_order_acquire) != 1)
        return false;
    for (uint32_t i = 0; i < vec->child_count; i++)
        if (!may_recycle(vec->children[i]))
            return false;
    return true;
}

static void recycle(struct vec *vec)
{
    if (needs_zeroes(vec) && vec->capacity)
        memset(vec->values, 0, value_size(vec) * vec->capacity);
    vec->length = 0;
    vec->validity = NULL;
    vec_recycle_strings(vec);
    for (uint32_t i = 0; i < vec->child_count; i++)
        recycle(vec->children[i]);
}

bool vec_recycle(struct vec *vec)
{
    if (!may_recycle(vec))
        return false;
    recycle(vec);
    return true;
}

enum status vec_set_length(struct vec *vec, uint32_t length, struct error *err)
{
    must(vec->form == VEC_FLAT);
    TRY(vec_reserve(vec, length, err));
    for (uint32_t i = 0; vec->type->root == TYPE_ROW && i < vec->child_count; i++)
        TRY(vec_set_length(vec->children[i], length, err));
    vec->length = length;
    return OK;
}

enum status vec_make_validity(struct vec *vec, struct error *err)
{
    if (vec->validity)
        return OK;
    if (!vec->block)
        TRY(vec_reserve(vec, 1, err));
    vec->validity = validity_room(vec);
    memset(vec->validity, 0xff, bitmap_bytes(vec->capacity));
    return OK;
}

enum status vec_new_null(struct vec **out, const struct type *type, uint32_t length,
                         struct error *err)
{
    struct vec *vec = NULL;
    TRY(vec_new(&vec, type, 1, NULL, err));
    enum status status = vec_append_null(vec, 1, err);
    if (status != OK) {
        vec_unref(vec);
        return status;
    }
    vec->form = VEC_CONSTANT;
    vec->length = length;
    *out = vec;
    return OK;
}

enum status vec_new_constant(struct vec **out, const struct vec *src, uint32_t index,
                             uint32_t length, struct error *err)
{
    struct vec *vec = NULL;
    TRY(vec_new(&vec, src->type, 1, src->owner, err));
    enum status status = vec_append_range(vec, src, index, 1, err);
    if (status != OK) {
        vec_unref(vec);
        return status;
    }
    vec->form = VEC_CONSTANT;
    vec->length = length;
    *out = vec;
    return OK;
}

enum status vec_new_dictionary(struct vec **out, struct vec *base, const uint16_t *indices,
                               uint32_t length, struct error *err)
{
    if (base->form == VEC_CONSTANT)
        return vec_new_constant(out, base, 0, length, err);
    struct vec *vec = NULL;
    TRY(shell_new(&vec, base->type, VEC_DICTIONARY, base->owner, err));
    size_t bytes = length * sizeof(uint16_t);
    enum status status = block_new(vec, bytes ? bytes : 1, 0, &vec->block, err);
    if (status != OK) {
        vec_unref(vec);
        return status;
    }
    vec->block_bytes = block_size(bytes ? bytes : 1, 0);
    vec->indices = vec->block;
    vec->length = length;
    vec->capacity = length;
    if (base->form == VEC_DICTIONARY) {
        for (uint32_t i = 0; i < length; i++)
            vec->indices[i] = base->indices[indices[i]];
        vec->dictionary = vec_ref(base->dictionary);
    } else {
        if (length)
            memcpy(vec->indices, indices, bytes);
        vec->dictionary = vec_ref(base);
    }
    *out = vec;
    return OK;
}
