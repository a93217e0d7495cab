/* aggregate_minmax.c - MIN and MAX over append-only input, in place. Over input that also takes
 * away they are in aggregate_ordered.c.
 *
 * A text is copied into memory that the accumulator owns, which grows and is kept. Comparison is
 * that of SQL: numbers by value (a NaN is never smaller or greater, as in Flink's generated code),
 * texts by code point.
 */
#include "base/decimal.h"
#include "base/must.h"
#include "function/aggregate_int.h"

struct extreme_8 {
    int64_t bits; /* the value, at its own width */
    int64_t has;
};
struct extreme_16 {
    decimal128 value __attribute__((packed, aligned(8)));
    int64_t has;
};
struct extreme_text {
    char *bytes; /* capacity bytes, owned; NULL: none yet */
    uint32_t length, capacity;
    int64_t has;
};

#define EXTREME_KERNEL(name, value_type, state, BEFORE)                                            \
    static enum status name##_accumulate(const struct aggregate_bound *bound,                      \
                                         const struct aggregate_input *input, struct error *err)   \
    {                                                                                              \
        struct aggregate_rows rows = aggregate_rows_of(input);                                     \
        const value_type *values = input->arg->values;                                             \
        const uint32_t offset = input->offset_bytes;                                               \
        for (uint32_t i = 0; i < input->count; i++) {                                              \
            uint32_t at = aggregate_row(input, i) & rows.mask;                                     \
            struct state *extreme = (struct state *)(input->groups[i] + offset);                   \
            value_type best;                                                                       \
            if (!bitmap_get(rows.validity, at))                                                    \
                continue;                                                                          \
            memcpy(&best, extreme, sizeof(best));                                                  \
            if (!extreme->has || values[at] BEFORE best)                                           \
                memcpy(extreme, &values[at], sizeof(best));                                        \
            extreme->has = 1;                                                                      \
        }                                                                                          \
        return OK;                                                                                 \
    }                                                                                              \
    static void name##_merge(const struct aggregate_bound *bound, uint8_t *const *groups,          \
                             uint32_t offset_bytes, const uint8_t *const *partials,                \
                             uint32_t partial_offset, uint32_t count)                              \
    {                                                                                              \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            struct state part, *extreme = (struct state *)(groups[i] + offset_bytes);              \
            value_type best, value;                                                                \
            memcpy(&part, partials[i] + partial_offset, sizeof(part));                             \
            memcpy(&value, &part, sizeof(value));                                                  \
            memcpy(&best, extreme, sizeof(best));                                                  \
            if (part.has && (!extreme->has || value BEFORE best))                                  \
                *extreme = part;                                                                   \
        }                                                                                          \
    }

#define EXTREME_RESULT(name, value_type, state)                                                    \
    static enum status name(const struct aggregate_bound *bound, uint8_t *const *groups,           \
                            uint32_t offset_bytes, uint32_t count, struct vec *out,                \
                            uint32_t first, struct error *err)                                     \
    {                                                                                              \
        value_type *values = (value_type *)out->values + first;                                    \
        for (uint32_t i = 0; i < count; i++) {                                                     \
            const struct state *extreme = (const struct state *)(groups[i] + offset_bytes);        \
            memcpy(&values[i], extreme, sizeof(values[i]));                                        \
            if (!extreme->has)                                                                     \
                vec_clear_valid(out, first + i);                                                   \
        }                                                                                          \
        return OK;                                                                                 \
    }

#define EXTREME_BOTH(type_name, value_type, state)                                                 \
    EXTREME_KERNEL(min_##type_name, value_type, state, <)                                          \
    EXTREME_KERNEL(max_##type_name, value_type, state, >)                                          \
    EXTREME_RESULT(extreme_result_##type_name, value_type, state)

EXTREME_BOTH(u8, uint8_t, extreme_8)
EXTREME_BOTH(i8, int8_t, extreme_8)
EXTREME_BOTH(i16, int16_t, extreme_8)
EXTREME_BOTH(i32, int32_t, extreme_8)
EXTREME_BOTH(i64, int64_t, extreme_8)
EXTREME_BOTH(f32, float, extreme_8)
EXTREME_BOTH(f64, double, extreme_8)
EXTREME_BOTH(i128, decimal128, extreme_16)

/* ---- texts ---- */

static enum status text_keep(struct extreme_text *extreme, const struct view *view,
                             struct mem_owner *owner, struct error *err)
{
    if (view->length > extreme->capacity) {
        uint32_t capacity = view->length < 16 ? 16 : view->length;
        TRY(mem_reserve(owner, capacity, err));
        char *bytes = mem_alloc(capacity);
        if (!bytes) {
            mem_release(owner, capacity);
            return error_memory(err, "text of MIN or MAX", capacity);
        }
        if (extreme->bytes) {
            mem_free(extreme->bytes);
            mem_release(owner, extreme->capacity);
        }
        extreme->bytes = bytes;
        extreme->capacity = capacity;
    }
    if (view->length)
        memcpy(extreme->bytes, view_data(view), view->length);
    extreme->length = view->length;
    extreme->has = 1;
    return OK;
}

static enum status text_accumulate(const struct aggregate_input *input, bool is_max,
                                   struct error *err)
{
    struct aggregate_rows rows = aggregate_rows_of(input);
    const struct view *values = input->arg->values;
    for (uint32_t i = 0; i < input->count; i++) {
        uint32_t at = aggregate_row(input, i) & rows.mask;
        if (!bitmap_get(rows.validity, at))
            continue;
        struct extreme_text *extreme =
            (struct extreme_text *)(input->groups[i] + input->offset_bytes);
        if (extreme->has) {
            int order =
                str_compare(view_str(&values[at]), (struct str){extreme->bytes, extreme->length});
            if (is_max ? order <= 0 : order >= 0)
                continue;
        }
        TRY(text_keep(extreme, &values[at], input->owner, err));
    }
    return OK;
}

static enum status min_text_accumulate(const struct aggregate_bound *bound,
                                       const struct aggregate_input *input, struct error *err)
{
    return text_accumulate(input, false, err);
}

static enum status max_text_accumulate(const struct aggregate_bound *bound,
                                       const struct aggregate_input *input, struct error *err)
{
    return text_accumulate(input, true, err);
}

static enum status text_result(const struct aggregate_bound *bound, uint8_t *const *groups,
                               uint32_t offset_bytes, uint32_t count, struct vec *out,
                               uint32_t first, struct error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct extreme_text *extreme =
            (const struct extreme_text *)(groups[i] + offset_bytes);
        if (extreme->has)
            TRY(vec_set_text(out, first + i, extreme->bytes, extreme->length, err));
        else
            vec_clear_valid(out, first + i);
    }
    return OK;
}

static void text_fini(const struct aggregate_bound *bound, uint8_t *accumulator,
                      struct mem_owner *owner)
{
    struct extreme_text *extreme = (struct extreme_text *)accumulator;
    if (extreme->bytes) {
        mem_free(extreme->bytes);
        mem_release(owner, extreme->capacity);
    }
    memset(extreme, 0, sizeof(*extreme));
}

/* Saved: nothing, or the text behind a byte 1. */
static void text_save(const struct aggregate_bound *bound, const uint8_t *accumulator,
                      struct buf *out)
{
    const struct extreme_text *extreme = (const struct extreme_text *)accumulator;
    if (!extreme->has)
        return;
    buf_append_byte(out, 1);
    buf_append(out, extreme->bytes, extreme->length);
}

static enum status text_load(const struct aggregate_bound *bound, uint8_t *accumulator,
                             const uint8_t *bytes, size_t size_bytes, struct mem_owner *owner,
                             struct error *err)
{
    if (!size_bytes)
        return OK;
    if (bytes[0] != 1 || size_bytes > UINT32_MAX)
        return aggregate_load_error(err);
    struct view view = view_of((const char *)bytes + 1, size_bytes - 1);
    return text_keep((struct extreme_text *)accumulator, &view, owner, err);
}

/* ---- binding ---- */

#define EXTREME_VARIANT(name, physical, state)                                                     \
    {                                                                                              \
        physical, sizeof(struct state), {min_##name##_accumulate, max_##name##_accumulate},        \
            {min_##name##_merge, max_##name##_merge}, extreme_result_##name                        \
    }

static const struct extreme_variant {
    enum physical physical;
    uint32_t size_bytes;
    enum status (*accumulate[2])(const struct aggregate_bound *, const struct aggregate_input *,
                                 struct error *);
    void (*merge[2])(const struct aggregate_bound *, uint8_t *const *, uint32_t,
                     const uint8_t *const *, uint32_t, uint32_t);
    enum status (*result_of)(const struct aggregate_bound *, uint8_t *const *, uint32_t, uint32_t,
                             struct vec *, uint32_t, struct error *);
} EXTREME_VARIANTS[] = {
    EXTREME_VARIANT(u8, PHYS_BOOL, extreme_8),
    EXTREME_VARIANT(i8, PHYS_I8, extreme_8),
    EXTREME_VARIANT(i16, PHYS_I16, extreme_8),
    EXTREME_VARIANT(i32, PHYS_I32, extreme_8),
    EXTREME_VARIANT(i64, PHYS_I64, extreme_8),
    EXTREME_VARIANT(i128, PHYS_I128, extreme_16),
    EXTREME_VARIANT(f32, PHYS_F32, extreme_8),
    EXTREME_VARIANT(f64, PHYS_F64, extreme_8),
    {PHYS_VIEW,
     sizeof(struct extreme_text),
     {min_text_accumulate, max_text_accumulate},
     {NULL, NULL},
     text_result},
};

static enum status extreme_bind(struct aggregate_bound *bound, bool is_max, struct arena *arena,
                                struct source_pos pos, struct error *err)
{
    const struct type *type = bound->arg_type;
    const struct extreme_variant *variant = NULL;
    bound->def = is_max ? &AGGREGATE_MAX : &AGGREGATE_MIN;
    bool takes = type && type->root != TYPE_NULL && !type_is_bytes(type);
    for (size_t i = 0; takes && i < COUNT_OF(EXTREME_VARIANTS); i++)
        if (EXTREME_VARIANTS[i].physical == type_physical(type))
            variant = &EXTREME_VARIANTS[i];
    if (!variant)
        return aggregate_type_error(bound, "a number, text, BOOLEAN, date or time", pos, err);
    bound->distinct = false;
    bound->result =
        type_with_time_attribute(arena, type_with_nullable(arena, type, true), TIME_ATTRIBUTE_NONE);
    bound->size_bytes = variant->size_bytes;
    bound->accumulate = variant->accumulate[is_max];
    bound->merge = variant->merge[is_max];
    bound->result_of = variant->result_of;
    bound->portable = bound->merge != NULL;
    bound->fini = bound->portable ? NULL : text_fini;
    bound->save = bound->portable ? NULL : text_save;
    bound->load = bound->portable ? NULL : text_load;
    if (bound->retracting)
        aggregate_bind_ordered(bound, is_max);
    return arena_check(arena, "aggregate call", err);
}

static enum status min_bind(struct aggregate_bound *bound, struct arena *arena,
                            struct source_pos pos, struct error *err)
{
    return extreme_bind(bound, false, arena, pos, err);
}

static enum status max_bind(struct aggregate_bound *bound, struct arena *arena,
                            struct source_pos pos, struct error *err)
{
    return extreme_bind(bound, true, arena, pos, err);
}

const struct aggregate_def AGGREGATE_MIN = {
    .name = "MIN",
    .signature = "MIN(expression)",
    .help = "The smallest value that is not NULL; NULL without any.",
    .min_args = 1,
    .max_args = 1,
    .bind = min_bind,
};
const struct aggregate_def AGGREGATE_MAX = {
    .name = "MAX",
    .signature = "MAX(expression)",
    .help = "The largest value that is not NULL; NULL without any.",
    .min_args = 1,
    .max_args = 1,
    .bind = max_bind,
};
