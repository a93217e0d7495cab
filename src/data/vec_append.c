/* vec_append.c - copying rows between vectors: gather by selection, ranges, flattening.
 *
 * Every source form is first turned into row numbers of the vector that holds the values, at most
 * CHUNK at a time; one gather loop per value size does the rest. Lists copy their elements' ranges.
 */
#include "base/must.h"
#include "data/vec_int.h"

#define CHUNK VEC_LENGTH_MAX

static enum status append_rows(struct vec *dest, const struct vec *src, const uint32_t *rows,
                               uint32_t count, struct error *err);

#define GATHER(bits, type)                                                                         \
    static void gather_##bits(void *restrict dest, const void *restrict src,                       \
                              const uint32_t *restrict rows, uint32_t count)                       \
    {                                                                                              \
        type *d = dest;                                                                            \
        const type *s = src;                                                                       \
        for (uint32_t i = 0; i < count; i++)                                                       \
            d[i] = s[rows[i]];                                                                     \
    }
GATHER(8, uint8_t)
GATHER(16, uint16_t)
GATHER(32, uint32_t)
GATHER(64, uint64_t)
GATHER(128, unsigned __int128)

static void gather(char *dest, const void *src, size_t size, const uint32_t *rows, uint32_t count)
{
    switch (size) {
    case 1:
        gather_8(dest, src, rows, count);
        break;
    case 2:
        gather_16(dest, src, rows, count);
        break;
    case 4:
        gather_32(dest, src, rows, count);
        break;
    case 8:
        gather_64(dest, src, rows, count);
        break;
    default:
        gather_128(dest, src, rows, count);
    }
}

static enum status append_validity(struct vec *dest, const struct vec *src, const uint32_t *rows,
                                   uint32_t count, struct error *err)
{
    if (!src->validity)
        return OK;
    for (uint32_t i = 0; i < count; i++) {
        if (bitmap_get(src->validity, rows[i]))
            continue;
        TRY(vec_make_validity(dest, err));
        vec_clear_valid(dest, dest->length + i);
    }
    return OK;
}

/* Length grows row by row, so that running out of string places keeps what is there. */
static enum status copy_texts(struct vec *dest, const struct vec *src, const uint32_t *rows,
                              uint32_t count, struct error *err)
{
    const struct view *views = src->values;
    for (uint32_t i = 0; i < count; i++) {
        const struct view *view = &views[rows[i]];
        if (bitmap_get(src->validity, rows[i]))
            TRY(vec_set_text(dest, dest->length, view_data(view), view->length, err));
        dest->length++;
    }
    return OK;
}

static enum status append_lists(struct vec *dest, const struct vec *src, const uint32_t *rows,
                                uint32_t count, struct error *err)
{
    const struct list_entry *from = src->values;
    for (uint32_t i = 0; i < count; i++) {
        struct list_entry entry = {dest->children[0]->length, 0};
        if (bitmap_get(src->validity, rows[i])) {
            entry.length = from[rows[i]].length;
            for (uint32_t c = 0; c < dest->child_count; c++)
                TRY(vec_append_range(dest->children[c], src->children[c], from[rows[i]].offset,
                                     entry.length, err));
        }
        ((struct list_entry *)dest->values)[dest->length++] = entry;
    }
    return OK;
}

/* rows: row numbers of src, which is flat or constant; at most CHUNK. */
static enum status append_held(struct vec *dest, const struct vec *src, const uint32_t *rows,
                               uint32_t count, struct error *err)
{
    enum physical physical = type_physical(dest->type);
    TRY(vec_reserve(dest, dest->length + count, err));
    TRY(append_validity(dest, src, rows, count, err));
    if (physical == PHYS_LIST)
        return append_lists(dest, src, rows, count, err);
    if (physical == PHYS_ROW) {
        for (uint32_t c = 0; c < dest->child_count; c++)
            TRY(append_rows(dest->children[c], src->children[c], rows, count, err));
        dest->length += count;
        return OK;
    }
    if (physical == PHYS_VIEW && !vec_share_strings(dest, src))
        return copy_texts(dest, src, rows, count, err);
    size_t size = physical_size_bytes(physical);
    gather((char *)dest->values + size * dest->length, src->values, size, rows, count);
    dest->length += count;
    return OK;
}

static enum status append_rows(struct vec *dest, const struct vec *src, const uint32_t *rows,
                               uint32_t count, struct error *err)
{
    uint32_t held[CHUNK];
    const struct vec *holder = src;
    if (src->form == VEC_FLAT)
        return append_held(dest, src, rows, count, err);
    for (uint32_t i = 0; i < count; i++)
        held[i] = vec_locate(src, rows[i], &holder);
    return append_held(dest, holder, held, count, err);
}

enum status vec_append(struct vec *dest, const struct vec *src, const uint16_t *selection,
                       uint32_t count, struct error *err)
{
    uint32_t rows[CHUNK];
    if (!selection)
        return vec_append_range(dest, src, 0, count, err);
    must(count <= CHUNK);
    for (uint32_t i = 0; i < count; i++)
        rows[i] = selection[i];
    return append_rows(dest, src, rows, count, err);
}

static bool is_plain_copy(const struct vec *src)
{
    enum physical physical = type_physical(src->type);
    return src->form == VEC_FLAT && !src->validity && physical < PHYS_VIEW;
}

enum status vec_append_range(struct vec *dest, const struct vec *src, uint32_t start,
                             uint32_t count, struct error *err)
{
    must(dest != src && dest->form == VEC_FLAT);
    if (is_plain_copy(src)) {
        size_t size = physical_size_bytes(type_physical(src->type));
        TRY(vec_reserve(dest, dest->length + count, err));
        if (count)
            memcpy((char *)dest->values + size * dest->length,
                   (const char *)src->values + size * start, size * count);
        dest->length += count;
        return OK;
    }
    uint32_t rows[CHUNK];
    while (count) {
        uint32_t part = count < CHUNK ? count : CHUNK;
        for (uint32_t i = 0; i < part; i++)
            rows[i] = start + i;
        TRY(append_rows(dest, src, rows, part, err));
        start += part;
        count -= part;
    }
    return OK;
}

enum status vec_append_null(struct vec *dest, uint32_t count, struct error *err)
{
    size_t size = physical_size_bytes(type_physical(dest->type));
    TRY(vec_reserve(dest, dest->length + count, err));
    TRY(vec_make_validity(dest, err));
    if (size && count)
        memset((char *)dest->values + size * dest->length, 0, size * count);
    if (type_physical(dest->type) == PHYS_ROW)
        for (uint32_t c = 0; c < dest->child_count; c++)
            TRY(vec_append_null(dest->children[c], count, err));
    for (uint32_t i = 0; i < count; i++)
        vec_clear_valid(dest, dest->length + i);
    dest->length += count;
    return OK;
}

enum status vec_flatten(struct vec **out, struct vec *src, struct error *err)
{
    if (src->form == VEC_FLAT) {
        *out = vec_ref(src);
        return OK;
    }
    struct vec *flat = NULL;
    TRY(vec_new(&flat, src->type, src->length, src->owner, err));
    enum status status = vec_append_range(flat, src, 0, src->length, err);
    if (status != OK) {
        vec_unref(flat);
        return status;
    }
    *out = flat;
    return OK;
}

/* ---- setting rows in place ---- */

static enum status set_validity(struct vec *dest, const struct vec *src, const uint16_t *selection,
                                uint32_t count, struct error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = selection ? selection[i] : i;
        bool valid = vec_is_valid(src, row);
        if (!valid)
            TRY(vec_make_validity(dest, err));
        if (dest->validity) {
            uint64_t bit = UINT64_C(1) << (row & 63);
            dest->validity[row >> 6] &= ~bit;
            dest->validity[row >> 6] |= valid ? bit : 0;
        }
    }
    return OK;
}

#define SET_ROWS(bits, type)                                                                       \
    static void set_rows_##bits(struct vec *dest, const struct vec *src,                           \
                                const uint16_t *selection, uint32_t count)                         \
    {                                                                                              \
        const struct vec *holder;                                                                  \
        type *d = dest->values;                                                                    \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            uint32_t row = selection ? selection[i] : i;                                           \
            uint32_t at = vec_locate(src, row, &holder);                                           \
            d[row] = ((const type *)holder->values)[at];                                           \
        }                                                                                          \
    }
SET_ROWS(8, uint8_t)
SET_ROWS(16, uint16_t)
SET_ROWS(32, uint32_t)
SET_ROWS(64, uint64_t)
SET_ROWS(128, unsigned __int128)

static enum status set_texts(struct vec *dest, const struct vec *src, const uint16_t *selection,
                             uint32_t count, struct error *err)
{
    const struct vec *holder = src->form == VEC_DICTIONARY ? src->dictionary : src;
    if (vec_share_strings(dest, holder)) {
        set_rows_128(dest, src, selection, count);
        return OK;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = selection ? selection[i] : i;
        uint32_t at = vec_locate(src, row, &holder);
        const struct view *view = (const struct view *)holder->values + at;
        if (bitmap_get(holder->validity, at))
            TRY(vec_set_text(dest, row, view_data(view), view->length, err));
        else
            ((struct view *)dest->values)[row] = (struct view){0};
    }
    return OK;
}

static enum status set_list(struct vec *dest, const struct vec *src, uint32_t row,
                            struct error *err)
{
    const struct vec *holder;
    uint32_t at = vec_locate(src, row, &holder);
    struct list_entry from = ((const struct list_entry *)holder->values)[at];
    struct list_entry to = {dest->children[0]->length, from.length};
    if (!bitmap_get(holder->validity, at))
        to.length = 0;
    for (uint32_t c = 0; c < dest->child_count && to.length; c++)
        TRY(vec_append_range(dest->children[c], holder->children[c], from.offset, to.length, err));
    ((struct list_entry *)dest->values)[row] = to;
    return OK;
}

/* Children of a ROW lie where its holder's rows lie, so each selected row is located first. */
static enum status set_row_children(struct vec *dest, const struct vec *src,
                                    const uint16_t *selection, uint32_t count, struct error *err)
{
    const struct vec *holder = src->form == VEC_DICTIONARY ? src->dictionary : src;
    for (uint32_t c = 0; c < dest->child_count; c++) {
        struct vec *child = holder->children[c], *moved = NULL;
        enum status status = OK;
        if (src->form == VEC_DICTIONARY)
            status = vec_new_dictionary(&moved, child, src->indices, src->length, err);
        else if (src->form == VEC_CONSTANT)
            status = vec_new_constant(&moved, child, 0, src->length, err);
        else
            moved = vec_ref(child);
        if (status == OK)
            status = vec_set_rows(dest->children[c], moved, selection, count, err);
        vec_unref(moved);
        TRY(status);
    }
    return OK;
}

enum status vec_set_rows(struct vec *dest, const struct vec *src, const uint16_t *selection,
                         uint32_t count, struct error *err)
{
    must(dest != src && dest->form == VEC_FLAT);
    const struct vec *holder = src->form == VEC_DICTIONARY ? src->dictionary : src;
    if (holder->validity || dest->validity)
        TRY(set_validity(dest, src, selection, count, err));
    switch (type_physical(dest->type)) {
    case PHYS_ROW:
        return set_row_children(dest, src, selection, count, err);
    case PHYS_LIST:
        for (uint32_t i = 0; i < count; i++)
            TRY(set_list(dest, src, selection ? selection[i] : i, err));
        return OK;
    case PHYS_VIEW:
        return set_texts(dest, src, selection, count, err);
    case PHYS_BOOL:
    case PHYS_I8:
        set_rows_8(dest, src, selection, count);
        return OK;
    case PHYS_I16:
        set_rows_16(dest, src, selection, count);
        return OK;
    case PHYS_I32:
    case PHYS_F32:
        set_rows_32(dest, src, selection, count);
        return OK;
    case PHYS_I128:
        set_rows_128(dest, src, selection, count);
        return OK;
    default:
        set_rows_64(dest, src, selection, count);
        return OK;
    }
}
