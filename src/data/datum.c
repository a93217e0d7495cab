/* datum.c - single values: reading them from vectors, making vectors of them. Text forms are in
 * datum_format.c. */
#include "data/datum.h"

#include "base/must.h"

void datum_get(struct datum *out, const struct vec *vec, uint32_t row)
{
    const struct vec *holder;
    uint32_t at = vec_locate(vec, row, &holder);
    *out = (struct datum){.type = vec->type, .is_null = !bitmap_get(holder->validity, at)};
    if (out->is_null)
        return;
    const void *values = holder->values;
    bool is_decimal = vec->type->root == TYPE_DECIMAL;
    switch (type_physical(vec->type)) {
    case PHYS_BOOL:
        out->i64 = ((const uint8_t *)values)[at];
        break;
    case PHYS_I8:
        out->i64 = ((const int8_t *)values)[at];
        break;
    case PHYS_I16:
        out->i64 = ((const int16_t *)values)[at];
        break;
    case PHYS_I32:
        out->i64 = ((const int32_t *)values)[at];
        break;
    case PHYS_I64:
        if (is_decimal)
            out->decimal = ((const int64_t *)values)[at];
        else
            out->i64 = ((const int64_t *)values)[at];
        break;
    case PHYS_I128:
        out->decimal = ((const decimal128 *)values)[at];
        break;
    case PHYS_F32:
        out->f64 = (double)((const float *)values)[at];
        break;
    case PHYS_F64:
        out->f64 = ((const double *)values)[at];
        break;
    case PHYS_VIEW:
        out->text = view_str((const struct view *)values + at);
        break;
    case PHYS_LIST:
    case PHYS_ROW:
        out->nested = (struct vec *)holder;
        out->nested_row = at;
        break;
    }
}

static enum status store(struct vec *vec, const struct datum *datum, struct error *err)
{
    void *values = vec->values;
    bool is_decimal = vec->type->root == TYPE_DECIMAL;
    switch (type_physical(vec->type)) {
    case PHYS_BOOL:
        *(uint8_t *)values = datum->i64 != 0;
        break;
    case PHYS_I8:
        *(int8_t *)values = (int8_t)datum->i64;
        break;
    case PHYS_I16:
        *(int16_t *)values = (int16_t)datum->i64;
        break;
    case PHYS_I32:
        *(int32_t *)values = (int32_t)datum->i64;
        break;
    case PHYS_I64:
        *(int64_t *)values = is_decimal ? (int64_t)datum->decimal : datum->i64;
        break;
    case PHYS_I128:
        *(decimal128 *)values = datum->decimal;
        break;
    case PHYS_F32:
        *(float *)values = (float)datum->f64;
        break;
    case PHYS_F64:
        *(double *)values = datum->f64;
        break;
    case PHYS_VIEW:
        TRY(vec_set_text(vec, 0, datum->text.data, datum->text.length, err));
        break;
    case PHYS_LIST:
    case PHYS_ROW:
        must(!"nested values are copied from their vector");
    }
    vec->length = 1;
    return OK;
}

enum status datum_to_vec(struct vec **out, const struct datum *datum, uint32_t length,
                         struct error *err)
{
    if (datum->is_null)
        return vec_new_null(out, datum->type, length, err);
    if (type_physical(datum->type) >= PHYS_LIST)
        return vec_new_constant(out, datum->nested, datum->nested_row, length, err);
    struct vec *vec = NULL;
    TRY(vec_new(&vec, datum->type, 1, NULL, err));
    enum status status = store(vec, datum, err);
    if (status != OK) {
        vec_unref(vec);
        return status;
    }
    vec->form = VEC_CONSTANT;
    vec->length = length;
    *out = vec;
    return OK;
}

static bool children_equal(const struct vec *a, uint32_t row_a, const struct vec *b, uint32_t row_b)
{
    struct datum x, y;
    datum_get(&x, a, row_a);
    datum_get(&y, b, row_b);
    return datum_equals(&x, &y);
}

static bool lists_equal(const struct datum *a, const struct datum *b)
{
    struct list_entry x = ((const struct list_entry *)a->nested->values)[a->nested_row];
    struct list_entry y = ((const struct list_entry *)b->nested->values)[b->nested_row];
    if (x.length != y.length)
        return false;
    for (uint32_t i = 0; i < x.length; i++)
        for (uint32_t c = 0; c < a->nested->child_count; c++)
            if (!children_equal(a->nested->children[c], x.offset + i, b->nested->children[c],
                                y.offset + i))
                return false;
    return true;
}

static bool rows_equal(const struct datum *a, const struct datum *b)
{
    for (uint32_t c = 0; c < a->nested->child_count; c++)
        if (!children_equal(a->nested->children[c], a->nested_row, b->nested->children[c],
                            b->nested_row))
            return false;
    return true;
}

bool datum_equals(const struct datum *a, const struct datum *b)
{
    if (!type_same(a->type, b->type) || a->is_null != b->is_null)
        return false;
    if (a->is_null)
        return true;
    switch (type_physical(a->type)) {
    case PHYS_F32:
    case PHYS_F64:
        return a->f64 == b->f64 || (a->f64 != a->f64 && b->f64 != b->f64);
    case PHYS_VIEW:
        return str_eq(a->text, b->text);
    case PHYS_LIST:
        return lists_equal(a, b);
    case PHYS_ROW:
        return rows_equal(a, b);
    default:
        return a->type->root == TYPE_DECIMAL ? a->decimal == b->decimal : a->i64 == b->i64;
    }
}

bool datum_keep(struct arena *arena, struct datum *datum)
{
    if (datum->is_null || type_physical(datum->type) != PHYS_VIEW)
        return true;
    char *copy = arena_strndup(arena, datum->text.data, datum->text.length);
    if (copy)
        datum->text.data = copy;
    return copy != NULL;
}
