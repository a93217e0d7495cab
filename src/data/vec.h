/* vec.h - a column of at most VEC_LENGTH_MAX values of one type.
 *
 * Forms: FLAT (one value a row), CONSTANT (one value for all rows), DICTIONARY (a uint16 index a
 * row into another flat vector). Validity is a bitmap, 1 = valid, absent while all values are valid
 * (a CONSTANT has one bit; a DICTIONARY none, its dictionary may). A value that is not valid has
 * unspecified bytes, but a view there is readable (zeroed or of real bytes).
 *
 *   struct vec ──values──▶ [v0 v1 v2 ...]      views: {length, prefix, pointer | 12 inline bytes}
 *        └─strings[0..n)─▶ struct buffer refs that own the bytes views point to
 *
 * Ownership: reference-counted; immutable while refs > 1 or once in a batch. The views of a vector
 * only point into its `strings` buffers, static memory, or memory that the vector's user is known
 * to outlive (arena of the plan for literals). A vector holds at most VEC_STRINGS_MAX buffer
 * references; vec_add_strings copies compactly when they run out.
 */
#ifndef LEAT_DATA_VEC_H
#define LEAT_DATA_VEC_H

#include <string.h>

#include "data/type.h"

#define VEC_LENGTH_MAX   2048
#define VEC_STRINGS_MAX  16
#define VEC_ELEMENTS_MAX (1u << 24) /* elements of a list's child */
#define VIEW_INLINE_MAX  12

struct view {
    uint32_t length;
    union {
        char bytes[VIEW_INLINE_MAX]; /* length <= 12; the rest zero, so views compare as integers */
        struct {
            char prefix[4];
            const char *data;
        } __attribute__((packed, aligned(4)));
    };
};
_Static_assert(sizeof(struct view) == 16, "a view is 16 bytes");

static inline const char *view_data(const struct view *view)
{
    return view->length <= VIEW_INLINE_MAX ? view->bytes : view->data;
}
static inline struct str view_str(const struct view *view)
{
    return (struct str){view_data(view), view->length};
}
/* For longer texts the view keeps `data`. */
static inline struct view view_of(const char *data, size_t length)
{
    struct view view = {.length = (uint32_t)length};
    if (length <= VIEW_INLINE_MAX) {
        if (length)
            memcpy(view.bytes, data, length);
    } else { /* as two words: set member by member, the view would be read before it is stored */
        uint32_t prefix;
        memcpy(&prefix, data, 4);
        uint64_t words[2] = {(uint32_t)length | (uint64_t)prefix << 32, (uintptr_t)data};
        memcpy(&view, words, sizeof(view));
    }
    return view;
}
bool view_equals(const struct view *a, const struct view *b);
int view_compare(const struct view *a, const struct view *b); /* bytewise = by code point */

struct list_entry { /* ARRAY, MULTISET, MAP: elements [offset, offset + length) of the child */
    uint32_t offset;
    uint32_t length;
};

enum vec_form { VEC_FLAT, VEC_CONSTANT, VEC_DICTIONARY };

struct vec {
    _Atomic uint32_t refs;
    enum vec_form form;
    uint32_t length; /* rows; for children of a list the number of elements (may exceed 2048) */
    const struct type *type; /* borrowed from the plan */
    void *values;            /* FLAT: length values; CONSTANT: one; DICTIONARY, ROW: NULL */
    uint64_t *validity;      /* NULL: all valid */
    uint16_t *indices;       /* DICTIONARY */
    struct vec *dictionary;  /* DICTIONARY; flat */
    struct vec **children;   /* ARRAY, MULTISET: 1; MAP: 2; ROW: fields; always flat */
    uint32_t capacity;       /* values allocated */
    uint32_t child_count;
    void *block;        /* one allocation: values or indices, then room for the bitmap */
    size_t block_bytes; /* its size, as reserved with owner */
    uint32_t string_count;
    struct buffer *strings[VEC_STRINGS_MAX];
    struct buffer *string_own;      /* the one of strings that vec_string_room fills, or NULL */
    char *string_next, *string_end; /* room in string_own, while building */
    struct mem_owner *owner;
};

/* A flat vector with room for capacity values, length 0, no validity. The caller writes values and
 * sets length. Memory is reserved with owner (may be NULL). */
enum status vec_new(struct vec **out, const struct type *type, uint32_t capacity,
                    struct mem_owner *owner, struct error *err) STATUS_CHECKED;
struct vec *vec_ref(struct vec *vec);
void vec_unref(struct vec *vec); /* NULL is fine */

/* Room for at least capacity values (rows below length are kept); at most VEC_ELEMENTS_MAX. */
enum status vec_reserve(struct vec *vec, uint32_t capacity, struct error *err) STATUS_CHECKED;
/* Make a flat vector that nobody else holds empty again, keeping its memory. False: it is shared
 * (or not flat) and stays as it is. Values are left as they were; views are zeroed. */
bool vec_recycle(struct vec *vec);

/* All rows NULL / all rows the one value at src[index]. */
enum status vec_new_null(struct vec **out, const struct type *type, uint32_t length,
                         struct error *err) STATUS_CHECKED;
enum status vec_new_constant(struct vec **out, const struct vec *src, uint32_t index,
                             uint32_t length, struct error *err) STATUS_CHECKED;
/* Takes references, not ownership, of base; indices are copied. base may be of any form. */
enum status vec_new_dictionary(struct vec **out, struct vec *base, const uint16_t *indices,
                               uint32_t length, struct error *err) STATUS_CHECKED;

/* A flat vector with the same values; src itself (with a new reference) when flat already. */
enum status vec_flatten(struct vec **out, struct vec *src, struct error *err) STATUS_CHECKED;

/* dest (flat, being built) += src[selection[0..count)]; selection NULL: src[0..count). Views get
 * references to src's string buffers, or copies when VEC_STRINGS_MAX is met. */
enum status vec_append(struct vec *dest, const struct vec *src, const uint16_t *selection,
                       uint32_t count, struct error *err) STATUS_CHECKED;
/* dest += src[start .. start + count); src of any form. */
enum status vec_append_range(struct vec *dest, const struct vec *src, uint32_t start,
                             uint32_t count, struct error *err) STATUS_CHECKED;
/* dest += count NULL values. */
enum status vec_append_null(struct vec *dest, uint32_t count, struct error *err) STATUS_CHECKED;

/* Copy every string byte into one own buffer, dropping the references (state, caches, pages). */
enum status vec_compact(struct vec *vec, struct error *err) STATUS_CHECKED;
/* Bytes that the vector pins (values, validity, whole string buffers) and bytes its views show. */
size_t vec_pinned_bytes(const struct vec *vec);
size_t vec_live_bytes(const struct vec *vec);

/* Validity while building. vec_make_validity provides the bitmap, all set; no allocation while
 * capacity > 0. */
enum status vec_make_validity(struct vec *vec, struct error *err) STATUS_CHECKED;
static inline void vec_clear_valid(struct vec *vec, uint32_t row) /* bitmap must exist */
{
    vec->validity[row >> 6] &= ~(UINT64_C(1) << (row & 63));
}
static inline bool bitmap_get(const uint64_t *bitmap, uint32_t row)
{
    return !bitmap || (bitmap[row >> 6] >> (row & 63) & 1);
}

/* Where row lies in values and validity of any form: flat row, 0, or the dictionary's index; the
 * vector that holds them is returned through *holder. */
static inline uint32_t vec_locate(const struct vec *vec, uint32_t row, const struct vec **holder)
{
    if (vec->form == VEC_DICTIONARY) {
        *holder = vec->dictionary;
        return vec->indices[row];
    }
    *holder = vec;
    return vec->form == VEC_CONSTANT ? 0 : row;
}
static inline bool vec_is_valid(const struct vec *vec, uint32_t row)
{
    const struct vec *holder;
    uint32_t at = vec_locate(vec, row, &holder);
    return bitmap_get(holder->validity, at);
}

/* Room for length bytes that live as long as the vector: the pointer, or NULL without memory. */
char *vec_string_room(struct vec *vec, size_t length);
/* The error behind that NULL: ERR_BUDGET with the setting that helps, or ERR_MEMORY. */
enum status vec_no_room(const struct vec *vec, size_t length, struct error *err);
/* Store text at row, copying its bytes (inline or into string room). */
enum status vec_set_text(struct vec *vec, uint32_t row, const char *data, size_t length,
                         struct error *err) STATUS_CHECKED;
/* Hold a reference to buffer because views point into it. When the references run out, the views of
 * rows below length are copied into one own buffer first: length must be true then. */
enum status vec_add_strings(struct vec *vec, struct buffer *buffer,
                            struct error *err) STATUS_CHECKED;
/* Take references to all string buffers of src (flat or constant), so that its views may be copied
 * as they are. False: there is no place for them, the bytes have to be copied. */
bool vec_share_strings(struct vec *dest, const struct vec *src);

/* Make a flat vector length rows long; values are unspecified, views and lists empty. */
enum status vec_set_length(struct vec *vec, uint32_t length, struct error *err) STATUS_CHECKED;
/* dest (flat, long enough) at the selected rows = src at the same rows, src of any form. selection
 * NULL: rows 0..count. */
enum status vec_set_rows(struct vec *dest, const struct vec *src, const uint16_t *selection,
                         uint32_t count, struct error *err) STATUS_CHECKED;

/* Debug and test builds: check the invariants above (lengths, valid UTF-8 for text, offsets in
 * range); must() on a violation. */
void vec_verify(const struct vec *vec);

#endif
