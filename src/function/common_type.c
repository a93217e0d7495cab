/* common_type.c - the least restrictive common type, after Flink's LogicalTypeMerging. */
#include "base/must.h"
#include "function/kernel.h"

#define DECIMAL_CAPPED_SCALE_MAX 6

static const struct type *common_of(struct arena *arena, const struct type *a,
                                    const struct type *b);

const struct type *decimal_capped(struct arena *arena, unsigned integer_digits, unsigned scale,
                                  bool nullable)
{
    unsigned precision = integer_digits + scale;
    if (precision > DECIMAL_PRECISION_MAX) {
        unsigned kept = scale < DECIMAL_CAPPED_SCALE_MAX ? scale : DECIMAL_CAPPED_SCALE_MAX;
        unsigned room =
            integer_digits < DECIMAL_PRECISION_MAX ? DECIMAL_PRECISION_MAX - integer_digits : 0;
        scale = room > kept ? room : kept;
        precision = DECIMAL_PRECISION_MAX;
    }
    return type_decimal(arena, precision ? precision : 1, scale, nullable);
}

static const struct type *common_numeric(struct arena *arena, const struct type *a,
                                         const struct type *b, bool nullable)
{
    if (type_is_integer(a) && type_is_integer(b))
        return type_with_nullable(arena, a->root > b->root ? a : b, nullable);
    if (type_is_approximate(a) && type_is_approximate(b))
        return type_with_nullable(arena, a->root > b->root ? a : b, nullable);
    if (type_is_approximate(a) || type_is_approximate(b)) {
        const struct type *exact = type_is_approximate(a) ? b : a;
        const struct type *approximate = type_is_approximate(a) ? a : b;
        return type_with_nullable(
            arena, exact->root == TYPE_DECIMAL ? &TYPE_OF_DOUBLE : approximate, nullable);
    }
    unsigned scale_a = exact_scale(a), scale_b = exact_scale(b);
    unsigned whole_a = exact_precision(a) - scale_a, whole_b = exact_precision(b) - scale_b;
    unsigned whole = whole_a > whole_b ? whole_a : whole_b;
    unsigned scale = scale_a > scale_b ? scale_a : scale_b;
    if (whole + scale > DECIMAL_PRECISION_MAX)
        scale = DECIMAL_PRECISION_MAX - whole;
    return type_decimal(arena, whole + scale, scale, nullable);
}

/* CHAR or BINARY only when both have the same length, else the varying form. */
static const struct type *common_text(struct arena *arena, const struct type *a,
                                      const struct type *b, bool nullable)
{
    enum type_root varying = type_is_text(a) ? TYPE_VARCHAR : TYPE_VARBINARY;
    if (a->root == b->root && a->length == b->length)
        return type_with_nullable(arena, a, nullable);
    return type_text(arena, varying, a->length > b->length ? a->length : b->length, nullable);
}

static const struct type *common_temporal(struct arena *arena, const struct type *a,
                                          const struct type *b, bool nullable)
{
    if (a->root == b->root && a->precision == b->precision)
        return type_with_nullable(arena, a, nullable);
    bool has_date = a->root == TYPE_DATE || b->root == TYPE_DATE;
    bool has_time = a->root == TYPE_TIME || b->root == TYPE_TIME;
    unsigned precision = a->precision > b->precision ? a->precision : b->precision;
    enum type_root root = a->root > b->root ? a->root : b->root;
    if (has_date && has_time)
        return NULL;
    return type_temporal(arena, root, precision, nullable);
}

static const struct type *common_nested(struct arena *arena, const struct type *a,
                                        const struct type *b, bool nullable)
{
    if (a->child_count != b->child_count)
        return NULL;
    const struct type **children =
        ARENA_ARRAY(arena, a->child_count ? a->child_count : 1, const struct type *);
    struct type *copy = ARENA_NEW(arena, struct type);
    if (!children || !copy)
        return NULL;
    for (uint32_t i = 0; i < a->child_count; i++) {
        children[i] = common_of(arena, a->children[i], b->children[i]);
        if (!children[i])
            return NULL;
    }
    *copy = *a;
    copy->children = children;
    copy->nullable = nullable;
    return copy;
}

static bool is_temporal(const struct type *type)
{
    return type->root >= TYPE_DATE && type->root <= TYPE_TIMESTAMP_LTZ;
}

static const struct type *common_of(struct arena *arena, const struct type *a, const struct type *b)
{
    bool nullable = a->nullable || b->nullable;
    if (a->root == TYPE_NULL)
        return type_with_nullable(arena, b, true);
    if (b->root == TYPE_NULL)
        return type_with_nullable(arena, a, true);
    if (type_is_numeric(a) && type_is_numeric(b))
        return common_numeric(arena, a, b, nullable);
    if ((type_is_text(a) && type_is_text(b)) || (type_is_bytes(a) && type_is_bytes(b)))
        return common_text(arena, a, b, nullable);
    if (is_temporal(a) && is_temporal(b))
        return common_temporal(arena, a, b, nullable);
    if (a->root != b->root)
        return NULL;
    if (a->child_count)
        return common_nested(arena, a, b, nullable);
    return type_with_nullable(arena, a, nullable);
}

const struct type *function_common_type(struct arena *arena, const struct type *const *types,
                                        uint32_t count)
{
    must(count > 0);
    const struct type *common = types[0];
    for (uint32_t i = 1; i < count && common; i++)
        common = common_of(arena, common, types[i]);
    if (!common || common->time_attribute == TIME_ATTRIBUTE_NONE)
        return common;
    return type_with_time_attribute(arena, common, TIME_ATTRIBUTE_NONE);
}
