/* vec_string.c - the bytes behind views: own string room, shared buffers, compaction.
 *
 * Own buffers grow from STRING_ROOM_MIN by doubling to STRING_ROOM_MAX, so a vector needs few of
 * its VEC_STRINGS_MAX places; when they run out everything live is copied into one.
 */
#include "base/must.h"
#include "data/vec_int.h"

#define STRING_ROOM_MIN ((size_t)4096)
#define STRING_ROOM_MAX ((size_t)1 << 20)

bool view_equals(const struct view *a, const struct view *b)
{
    uint64_t a0, b0;
    memcpy(&a0, a, 8);
    memcpy(&b0, b, 8);
    if (a0 != b0)
        return false;
    if (a->length <= VIEW_INLINE_MAX)
        return memcmp(a->bytes + 4, b->bytes + 4, 8) == 0;
    return memcmp(a->data, b->data, a->length) == 0;
}

int view_compare(const struct view *a, const struct view *b)
{
    uint32_t common = a->length < b->length ? a->length : b->length;
    int order = common ? memcmp(view_data(a), view_data(b), common) : 0;
    if (order)
        return order;
    return (a->length > b->length) - (a->length < b->length);
}

static uint32_t row_count(const struct vec *vec)
{
    return vec->form == VEC_CONSTANT ? 1 : vec->length;
}

static void drop_strings(struct vec *vec)
{
    for (uint32_t i = 0; i < vec->string_count; i++)
        buffer_unref(vec->strings[i]);
    vec->string_count = 0;
    vec->string_own = NULL;
    vec->string_next = vec->string_end = NULL;
}

void vec_recycle_strings(struct vec *vec)
{
    struct buffer *own = vec->string_own;
    bool keep = own && atomic_load_explicit(&own->refs, memory_order_acquire) == 1;
    if (keep)
        buffer_ref(own);
    drop_strings(vec);
    if (!keep)
        return;
    vec->strings[vec->string_count++] = own;
    vec->string_own = own;
    vec->string_next = (char *)own->data;
    vec->string_end = vec->string_next + own->size_bytes;
}

static size_t text_bytes(const struct vec *vec)
{
    const struct view *views = vec->values;
    size_t bytes = 0;
    for (uint32_t i = 0; i < row_count(vec); i++)
        if (views[i].length > VIEW_INLINE_MAX && bitmap_get(vec->validity, i))
            bytes += views[i].length;
    return bytes;
}

/* All long texts into one new own buffer with spare_bytes of room behind them. */
static enum status gather_strings(struct vec *vec, size_t spare_bytes, struct error *err)
{
    struct view *views = vec->values;
    size_t bytes = text_bytes(vec);
    struct buffer *buffer = NULL;
    if (bytes + spare_bytes)
        TRY(buffer_new(&buffer, bytes + spare_bytes, vec->owner, err));
    char *next = buffer ? (char *)buffer->data : NULL;
    for (uint32_t i = 0; i < row_count(vec); i++) {
        if (views[i].length <= VIEW_INLINE_MAX)
            continue;
        if (!bitmap_get(vec->validity, i)) {
            memset(&views[i], 0, sizeof(views[i]));
            continue;
        }
        memcpy(next, views[i].data, views[i].length);
        views[i].data = next;
        next += views[i].length;
    }
    drop_strings(vec);
    if (buffer) {
        vec->strings[vec->string_count++] = buffer;
        vec->string_own = buffer;
        vec->string_next = next;
        vec->string_end = (char *)buffer->data + buffer->size_bytes;
    }
    return OK;
}

enum status vec_compact(struct vec *vec, struct error *err)
{
    must(vec->form != VEC_DICTIONARY);
    for (uint32_t i = 0; i < vec->child_count; i++)
        TRY(vec_compact(vec->children[i], err));
    if (type_physical(vec->type) != PHYS_VIEW)
        return OK;
    return gather_strings(vec, 0, err);
}

static size_t new_room_bytes(const struct vec *vec, size_t length)
{
    size_t bytes = vec->string_own ? vec->string_own->size_bytes * 2 : STRING_ROOM_MIN;
    if (bytes > STRING_ROOM_MAX)
        bytes = STRING_ROOM_MAX;
    return bytes < length ? length : bytes;
}

static char *new_room(struct vec *vec, size_t length)
{
    size_t bytes = new_room_bytes(vec, length);
    if (vec->string_count == VEC_STRINGS_MAX) {
        if (gather_strings(vec, bytes, NULL) != OK)
            return NULL;
    } else {
        struct buffer *buffer = NULL;
        if (buffer_new(&buffer, bytes, vec->owner, NULL) != OK)
            return NULL;
        vec->strings[vec->string_count++] = buffer;
        vec->string_own = buffer;
        vec->string_next = (char *)buffer->data;
        vec->string_end = vec->string_next + buffer->size_bytes;
    }
    char *room = vec->string_next;
    vec->string_next += length;
    return room;
}

char *vec_string_room(struct vec *vec, size_t length)
{
    if (vec->string_next && (size_t)(vec->string_end - vec->string_next) >= length) {
        char *room = vec->string_next;
        vec->string_next += length;
        return room;
    }
    return new_room(vec, length);
}

enum status vec_no_room(const struct vec *vec, size_t length, struct error *err)
{
    size_t bytes = new_room_bytes(vec, length);
    TRY(mem_reserve(vec->owner, bytes, err));
    mem_release(vec->owner, bytes);
    return error_memory(err, "text column", bytes);
}

enum status vec_set_text(struct vec *vec, uint32_t row, const char *data, size_t length,
                         struct error *err)
{
    struct view *views = vec->values;
    if (length > UINT32_MAX)
        return error_set(err, ERR_LIMIT, "a text of %zu bytes", length);
    if (length > VIEW_INLINE_MAX) {
        char *room = vec_string_room(vec, length);
        if (!room)
            return vec_no_room(vec, length, err);
        memcpy(room, data, length);
        data = room;
    }
    views[row] = view_of(data, length);
    return OK;
}

static bool has_strings(const struct vec *vec, const struct buffer *buffer)
{
    for (uint32_t i = vec->string_count; i-- > 0;)
        if (vec->strings[i] == buffer)
            return true;
    return false;
}

enum status vec_add_strings(struct vec *vec, struct buffer *buffer, struct error *err)
{
    if (has_strings(vec, buffer))
        return OK;
    if (vec->string_count == VEC_STRINGS_MAX)
        TRY(gather_strings(vec, 0, err));
    vec->strings[vec->string_count++] = buffer_ref(buffer);
    return OK;
}

bool vec_share_strings(struct vec *dest, const struct vec *src)
{
    uint32_t added = 0;
    for (uint32_t i = 0; i < src->string_count; i++)
        added += !has_strings(dest, src->strings[i]);
    if (dest->string_count + added >= VEC_STRINGS_MAX) /* one place stays for own room */
        return added == 0;
    for (uint32_t i = 0; added && i < src->string_count; i++)
        if (!has_strings(dest, src->strings[i]))
            dest->strings[dest->string_count++] = buffer_ref(src->strings[i]);
    return true;
}

size_t vec_pinned_bytes(const struct vec *vec)
{
    size_t bytes = vec->block_bytes;
    for (uint32_t i = 0; i < vec->string_count; i++)
        bytes += vec->strings[i]->size_bytes;
    for (uint32_t i = 0; i < vec->child_count; i++)
        bytes += vec_pinned_bytes(vec->children[i]);
    if (vec->dictionary)
        bytes += vec_pinned_bytes(vec->dictionary);
    return bytes;
}

static size_t dictionary_live_bytes(const struct vec *vec)
{
    uint64_t seen[(UINT16_MAX + 1) / 64] = {0};
    const struct vec *dictionary = vec->dictionary;
    const struct view *views = type_physical(vec->type) == PHYS_VIEW ? dictionary->values : NULL;
    size_t size = physical_size_bytes(type_physical(vec->type));
    size_t bytes = vec->length * sizeof(uint16_t);
    for (uint32_t i = 0; i < vec->length; i++) {
        uint32_t at = vec->indices[i];
        if (seen[at >> 6] >> (at & 63) & 1)
            continue;
        seen[at >> 6] |= UINT64_C(1) << (at & 63);
        bytes += size;
        if (views && views[at].length > VIEW_INLINE_MAX && bitmap_get(dictionary->validity, at))
            bytes += views[at].length;
    }
    return bytes;
}

size_t vec_live_bytes(const struct vec *vec)
{
    if (vec->form == VEC_DICTIONARY)
        return dictionary_live_bytes(vec);
    enum physical physical = type_physical(vec->type);
    size_t bytes = row_count(vec) * physical_size_bytes(physical);
    if (physical == PHYS_VIEW)
        bytes += text_bytes(vec);
    for (uint32_t i = 0; i < vec->child_count; i++)
        bytes += vec_live_bytes(vec->children[i]);
    return bytes;
}
