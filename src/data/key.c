/* key.c - the canonical key encoding (version 1, frozen by golden tests); see key.h for the format.
 *
 * Encoding goes column by column: first the size of each row's part, summed to offsets, then the
 * bytes, each row with a cursor. Nested columns are done row by row, recursively.
 */
#include "data/key.h"

#include "base/hash.h"
#include "base/must.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "keys are written little-endian");

#define DECIMAL_BYTES 16

void key_batch_init(struct key_batch *keys, size_t max_bytes)
{
    buf_init(&keys->bytes, max_bytes);
    keys->count = 0;
    keys->offsets[0] = 0;
}

void key_batch_fini(struct key_batch *keys)
{
    buf_fini(&keys->bytes);
}

/* Bytes of a valid value of a fixed-width type, 0 for text and nested ones. */
static size_t fixed_size(const struct type *type)
{
    if (type->root == TYPE_DECIMAL)
        return DECIMAL_BYTES;
    enum physical physical = type_physical(type);
    return physical >= PHYS_VIEW ? 0 : physical_size_bytes(physical);
}

static size_t text_length(const struct type *type, const struct view *view)
{
    size_t length = view->length;
    if (type->root == TYPE_CHAR) {
        const char *data = view_data(view);
        while (length && data[length - 1] == ' ')
            length--;
    }
    return length;
}

static void write_f64(uint8_t *dest, double value)
{
    uint64_t bits;
    if (value == 0)
        value = 0;
    memcpy(&bits, &value, sizeof(bits));
    if (value != value)
        bits = UINT64_C(0x7ff8000000000000);
    memcpy(dest, &bits, sizeof(bits));
}

static void write_f32(uint8_t *dest, float value)
{
    uint32_t bits;
    if (value == 0)
        value = 0;
    memcpy(&bits, &value, sizeof(bits));
    if (value != value)
        bits = UINT32_C(0x7fc00000);
    memcpy(dest, &bits, sizeof(bits));
}

/* The value of a fixed-width type at `at` of holder; size = fixed_size(). */
static void write_fixed(uint8_t *dest, const struct vec *holder, uint32_t at, size_t size)
{
    switch (type_physical(holder->type)) {
    case PHYS_F32:
        write_f32(dest, ((const float *)holder->values)[at]);
        break;
    case PHYS_F64:
        write_f64(dest, ((const double *)holder->values)[at]);
        break;
    case PHYS_I64:
        if (size == DECIMAL_BYTES) {
            decimal128 wide = ((const int64_t *)holder->values)[at];
            memcpy(dest, &wide, sizeof(wide));
            break;
        }
        /* fall through */
    default:
        memcpy(dest, (const char *)holder->values + size * at, size);
    }
}

/* ---- nested values, row by row ---- */

/* How values are written: as keys, or as they are. */
enum form { FORM_KEY, FORM_EXACT };

static void encode_value(struct buf *out, const struct vec *vec, uint32_t row, enum form form);

struct span {
    size_t start, length;
};

static int compare_spans(const struct buf *bytes, struct span a, struct span b)
{
    size_t common = a.length < b.length ? a.length : b.length;
    int order = memcmp(bytes->data + a.start, bytes->data + b.start, common);
    return order ? order : (a.length > b.length) - (a.length < b.length);
}

/* Sift down of a heap sort: no recursion, no callback state, and the worst case stays n log n. */
static void sift(const struct buf *bytes, struct span *spans, uint32_t root, uint32_t count)
{
    for (uint32_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && compare_spans(bytes, spans[child], spans[child + 1]) < 0)
            child++;
        if (compare_spans(bytes, spans[root], spans[child]) >= 0)
            return;
        struct span swap = spans[root];
        spans[root] = spans[child];
        spans[child] = swap;
    }
}

static void sort_spans(const struct buf *bytes, struct span *spans, uint32_t count)
{
    for (uint32_t i = count / 2; i-- > 0;)
        sift(bytes, spans, i, count);
    for (uint32_t end = count; end > 1;) {
        struct span swap = spans[0];
        spans[0] = spans[--end];
        spans[end] = swap;
        sift(bytes, spans, 0, end);
    }
}

/* MAP and MULTISET have no order: their entries are sorted by encoded bytes. */
static void encode_sorted(struct buf *out, const struct vec *holder, struct list_entry entry)
{
    struct buf entries;
    struct span *spans = mem_alloc(entry.length * sizeof(*spans));
    buf_init(&entries, out->max_bytes);
    for (uint32_t i = 0; spans && i < entry.length; i++) {
        spans[i].start = entries.length;
        for (uint32_t c = 0; c < holder->child_count; c++)
            encode_value(&entries, holder->children[c], entry.offset + i, FORM_KEY);
        spans[i].length = entries.length - spans[i].start;
    }
    if (!spans || entries.failed) {
        out->failed = true;
    } else {
        sort_spans(&entries, spans, entry.length);
        for (uint32_t i = 0; i < entry.length; i++)
            buf_append(out, entries.data + spans[i].start, spans[i].length);
    }
    buf_fini(&entries);
    mem_free(spans);
}

static void append_u32(struct buf *out, uint32_t value)
{
    buf_append(out, &value, sizeof(value));
}

static void encode_list(struct buf *out, const struct vec *holder, uint32_t at, enum form form)
{
    struct list_entry entry = ((const struct list_entry *)holder->values)[at];
    append_u32(out, entry.length);
    if (holder->type->root != TYPE_ARRAY && form == FORM_KEY) {
        encode_sorted(out, holder, entry);
        return;
    }
    for (uint32_t i = 0; i < entry.length; i++)
        for (uint32_t c = 0; c < holder->child_count; c++)
            encode_value(out, holder->children[c], entry.offset + i, form);
}

static void encode_fixed(struct buf *out, const struct vec *holder, uint32_t at, enum form form)
{
    size_t size = fixed_size(holder->type);
    uint8_t *room = buf_room(out, size);
    if (!room)
        return;
    if (form == FORM_KEY || holder->type->root == TYPE_DECIMAL)
        write_fixed(room, holder, at, size);
    else
        memcpy(room, (const char *)holder->values + size * at, size);
    out->length += size;
}

static void encode_value(struct buf *out, const struct vec *vec, uint32_t row, enum form form)
{
    const struct vec *holder;
    uint32_t at = vec_locate(vec, row, &holder);
    bool valid = bitmap_get(holder->validity, at);
    buf_append_byte(out, valid);
    if (!valid)
        return;
    enum physical physical = type_physical(holder->type);
    if (physical == PHYS_ROW) {
        for (uint32_t c = 0; c < holder->child_count; c++)
            encode_value(out, holder->children[c], at, form);
    } else if (physical == PHYS_LIST) {
        encode_list(out, holder, at, form);
    } else if (physical == PHYS_VIEW) {
        const struct view *view = (const struct view *)holder->values + at;
        size_t length = form == FORM_KEY ? text_length(holder->type, view) : view->length;
        append_u32(out, (uint32_t)length);
        buf_append(out, view_data(view), length);
    } else {
        encode_fixed(out, holder, at, form);
    }
}

void key_encode_row(struct buf *out, struct vec *const *columns, uint32_t column_count,
                    uint32_t row)
{
    for (uint32_t c = 0; c < column_count; c++)
        encode_value(out, columns[c], row, FORM_EXACT);
}

/* ---- columns ---- */

struct encoder {
    const uint16_t *selection;
    uint32_t count;
    uint32_t common_size;             /* what every key has: flags and values that are never NULL */
    bool varies;                      /* sizes are in use */
    uint32_t sizes[BATCH_ROWS_MAX];   /* of each key beyond common_size */
    uint32_t cursors[BATCH_ROWS_MAX]; /* where its next byte goes */
};

/* Bytes behind the last key that a fixed-size copy of an inline text may touch. */
#define COPY_SLACK VIEW_INLINE_MAX

static uint32_t row_of(const struct encoder *encoder, uint32_t i)
{
    return encoder->selection ? encoder->selection[i] : i;
}

/* Flat, without NULL, all rows: value i belongs to key i. */
static bool is_plain(const struct encoder *encoder, const struct vec *vec)
{
    return vec->form == VEC_FLAT && !vec->validity && !encoder->selection;
}

static bool never_null(const struct vec *vec)
{
    return !(vec->form == VEC_DICTIONARY ? vec->dictionary : vec)->validity;
}

static void start_sizes(struct encoder *encoder)
{
    if (!encoder->varies)
        memset(encoder->sizes, 0, encoder->count * sizeof(encoder->sizes[0]));
    encoder->varies = true;
}

static void size_column(struct encoder *encoder, const struct vec *vec)
{
    uint32_t fixed = (uint32_t)fixed_size(vec->type);
    const struct vec *holder;
    encoder->common_size++;
    if (fixed && never_null(vec)) {
        encoder->common_size += fixed;
        return;
    }
    start_sizes(encoder);
    if (!fixed && vec->type->root != TYPE_CHAR && is_plain(encoder, vec)) {
        const struct view *views = vec->values;
        encoder->common_size += 4;
        for (uint32_t i = 0; i < encoder->count; i++)
            encoder->sizes[i] += views[i].length;
        return;
    }
    for (uint32_t i = 0; i < encoder->count; i++) {
        uint32_t at = vec_locate(vec, row_of(encoder, i), &holder);
        if (!bitmap_get(holder->validity, at))
            continue;
        const struct view *view = (const struct view *)holder->values + at;
        encoder->sizes[i] += fixed ? fixed : 4 + (uint32_t)text_length(vec->type, view);
    }
}

static void write_text(uint8_t *dest, const struct view *view, uint32_t length, bool may_touch)
{
    memcpy(dest, &length, 4);
    if (may_touch && view->length <= VIEW_INLINE_MAX)
        memcpy(dest + 4, view->bytes, VIEW_INLINE_MAX);
    else
        memcpy(dest + 4, view_data(view), length);
}

/* may_touch: the bytes behind are written later, so an inline text is copied whole. */
static void write_texts(struct encoder *encoder, const struct vec *vec, uint8_t *bytes,
                        bool may_touch)
{
    const struct vec *holder;
    if (is_plain(encoder, vec) && vec->type->root != TYPE_CHAR) {
        const struct view *views = vec->values;
        for (uint32_t i = 0; i < encoder->count; i++) {
            uint8_t *dest = bytes + encoder->cursors[i];
            dest[0] = 1;
            write_text(dest + 1, &views[i], views[i].length, may_touch);
            encoder->cursors[i] += 5 + views[i].length;
        }
        return;
    }
    for (uint32_t i = 0; i < encoder->count; i++) {
        uint32_t at = vec_locate(vec, row_of(encoder, i), &holder);
        uint8_t *dest = bytes + encoder->cursors[i]++;
        dest[0] = bitmap_get(holder->validity, at);
        if (!dest[0])
            continue;
        const struct view *view = (const struct view *)holder->values + at;
        uint32_t length = (uint32_t)text_length(vec->type, view);
        write_text(dest + 1, view, length, may_touch);
        encoder->cursors[i] += 4 + length;
    }
}

#define WRITE_WORDS(size, type)                                                                    \
    static void write_words_##size(struct encoder *encoder, const struct vec *vec, uint8_t *bytes) \
    {                                                                                              \
        const struct vec *holder;                                                                  \
        if (is_plain(encoder, vec)) {                                                              \
            const type *values = vec->values;                                                      \
            for (uint32_t i = 0; i < encoder->count; i++) {                                        \
                uint8_t *dest = bytes + encoder->cursors[i];                                       \
                dest[0] = 1;                                                                       \
                memcpy(dest + 1, &values[i], size);                                                \
                encoder->cursors[i] += 1 + size;                                                   \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        for (uint32_t i = 0; i < encoder->count; i++) {                                            \
            uint32_t at = vec_locate(vec, row_of(encoder, i), &holder);                            \
            uint8_t *dest = bytes + encoder->cursors[i]++;                                         \
            dest[0] = bitmap_get(holder->validity, at);                                            \
            if (dest[0]) {                                                                         \
                memcpy(dest + 1, (const type *)holder->values + at, size);                         \
                encoder->cursors[i] += size;                                                       \
            }                                                                                      \
        }                                                                                          \
    }
WRITE_WORDS(4, uint32_t)
WRITE_WORDS(8, uint64_t)

static void write_column(struct encoder *encoder, const struct vec *vec, uint8_t *bytes,
                         bool is_first)
{
    size_t fixed = fixed_size(vec->type);
    enum physical physical = type_physical(vec->type);
    const struct vec *holder;
    if (!fixed) {
        write_texts(encoder, vec, bytes, is_first);
    } else if (physical == PHYS_I32) {
        write_words_4(encoder, vec, bytes);
    } else if (physical == PHYS_I64 && fixed == 8) {
        write_words_8(encoder, vec, bytes);
    } else {
        for (uint32_t i = 0; i < encoder->count; i++) {
            uint32_t at = vec_locate(vec, row_of(encoder, i), &holder);
            uint8_t *dest = bytes + encoder->cursors[i]++;
            dest[0] = bitmap_get(holder->validity, at);
            if (dest[0]) {
                write_fixed(dest + 1, holder, at, fixed);
                encoder->cursors[i] += (uint32_t)fixed;
            }
        }
    }
}

static enum status place_keys(struct key_batch *keys, struct encoder *encoder, struct error *err)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < encoder->count; i++) {
        keys->offsets[i] = encoder->cursors[i] = (uint32_t)total;
        total += encoder->common_size + (encoder->varies ? encoder->sizes[i] : 0);
        if (total > UINT32_MAX)
            return error_set(err, ERR_LIMIT, "the keys of a batch exceed 4 GiB");
    }
    keys->offsets[encoder->count] = (uint32_t)total;
    if (!buf_room(&keys->bytes, total + COPY_SLACK))
        return buf_check(&keys->bytes, "keys of a batch", err);
    keys->bytes.length = total;
    return OK;
}

static enum status encode_columns(struct key_batch *keys, const struct batch *batch,
                                  const uint32_t *key_columns, uint32_t key_column_count,
                                  struct error *err)
{
    struct encoder encoder;
    encoder.selection = batch->selection;
    encoder.count = batch->selected_count;
    encoder.common_size = 0;
    encoder.varies = false;
    for (uint32_t c = 0; c < key_column_count; c++)
        size_column(&encoder, batch->columns[key_columns[c]]);
    TRY(place_keys(keys, &encoder, err));
    for (uint32_t c = 0; c < key_column_count; c++)
        write_column(&encoder, batch->columns[key_columns[c]], keys->bytes.data, c == 0);
    return OK;
}

static enum status encode_rows(struct key_batch *keys, const struct batch *batch,
                               const uint32_t *key_columns, uint32_t key_column_count,
                               struct error *err)
{
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        keys->offsets[i] = (uint32_t)keys->bytes.length;
        for (uint32_t c = 0; c < key_column_count; c++)
            encode_value(&keys->bytes, batch->columns[key_columns[c]], batch_row(batch, i),
                         FORM_KEY);
    }
    TRY(buf_check(&keys->bytes, "keys of a batch", err));
    if (keys->bytes.length > UINT32_MAX)
        return error_set(err, ERR_LIMIT, "the keys of a batch exceed 4 GiB");
    keys->offsets[batch->selected_count] = (uint32_t)keys->bytes.length;
    return OK;
}

enum status key_encode(struct key_batch *keys, const struct batch *batch,
                       const uint32_t *key_columns, uint32_t key_column_count, struct error *err)
{
    bool is_nested = false;
    for (uint32_t c = 0; c < key_column_count; c++)
        is_nested |= type_physical(batch->columns[key_columns[c]]->type) > PHYS_VIEW;
    buf_clear(&keys->bytes);
    keys->count = 0;
    TRY((is_nested ? encode_rows : encode_columns)(keys, batch, key_columns, key_column_count,
                                                   err));
    keys->count = batch->selected_count;
    for (uint32_t i = 0; i < keys->count; i++)
        keys->hashes[i] = hash_bytes(keys->bytes.data + keys->offsets[i],
                                     keys->offsets[i + 1] - keys->offsets[i]);
    return OK;
}
