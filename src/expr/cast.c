/* cast.c - CAST and TRY_CAST: what is allowed, what can fail, and which family has the kernel.
 *
 * The matrix is Flink's LogicalTypeCasts (flink-semantics 5f). A cast that changes nothing in
 * memory (INT to a nullable INT, VARCHAR(5) to STRING) needs no kernel.
 */
#include "base/must.h"
#include "expr/cast_int.h"

static bool is_temporal(const struct type *type)
{
    return type->root >= TYPE_DATE && type->root <= TYPE_TIMESTAMP_LTZ;
}

static bool children_allowed(const struct type *from, const struct type *to,
                             bool (*allowed)(const struct type *, const struct type *))
{
    if (from->root != to->root || from->child_count != to->child_count)
        return false;
    for (uint32_t i = 0; i < from->child_count; i++)
        if (!allowed(from->children[i], to->children[i]))
            return false;
    return true;
}

/* TIME to DATE and DATE to TIME have nothing in common. */
static bool temporal_allowed(const struct type *from, const struct type *to)
{
    if (from->root == TYPE_DATE)
        return to->root != TYPE_TIME;
    return from->root != TYPE_TIME || to->root != TYPE_DATE;
}

bool cast_allowed(const struct type *from, const struct type *to)
{
    if (from->root == TYPE_NULL)
        return true;
    if (to->root == TYPE_NULL)
        return false;
    if (type_is_text(to))
        return true;
    if (type_is_text(from))
        return to->root < TYPE_ARRAY && !type_is_interval(to);
    if (from->child_count || to->child_count)
        return children_allowed(from, to, cast_allowed);
    if (type_is_bytes(from) || type_is_bytes(to))
        return type_is_bytes(from) && type_is_bytes(to);
    bool plain_from = type_is_numeric(from) || from->root == TYPE_BOOLEAN;
    bool plain_to = type_is_numeric(to) || to->root == TYPE_BOOLEAN;
    if (plain_from && plain_to)
        return true;
    if (is_temporal(from) && is_temporal(to))
        return temporal_allowed(from, to);
    if (type_is_interval(from))
        return from->root == to->root || type_is_integer(to);
    return type_is_integer(from) && type_is_interval(to);
}

static bool numeric_implicit(const struct type *from, const struct type *to)
{
    if (to->root == TYPE_DECIMAL || to->root == TYPE_DOUBLE)
        return true;
    if (to->root == TYPE_FLOAT)
        return from->root != TYPE_DOUBLE;
    return type_is_integer(from) && from->root <= to->root;
}

bool cast_implicit(const struct type *from, const struct type *to)
{
    if (from->root == TYPE_NULL || type_same(from, to))
        return true;
    if (type_is_numeric(from) && type_is_numeric(to))
        return numeric_implicit(from, to);
    if (type_is_text(from) && type_is_text(to))
        return to->root == TYPE_VARCHAR || from->root == TYPE_CHAR;
    if (type_is_bytes(from) && type_is_bytes(to))
        return to->root == TYPE_VARBINARY || from->root == TYPE_BINARY;
    if (type_is_timestamp(from) && is_temporal(to))
        return from->root == TYPE_TIMESTAMP || type_is_timestamp(to);
    if (from->child_count)
        return children_allowed(from, to, cast_implicit);
    return from->root == to->root;
}

bool cast_can_fail(const struct type *from, const struct type *to)
{
    if (type_is_text(from))
        return !type_is_text(to) && !type_is_bytes(to);
    if (type_is_approximate(from) && to->root == TYPE_DECIMAL)
        return true; /* NaN and infinity */
    if (!type_is_text(to))
        for (uint32_t i = 0; i < from->child_count && i < to->child_count; i++)
            if (cast_can_fail(from->children[i], to->children[i]))
                return true;
    return false;
}

static bool is_same_text(const struct type *from, const struct type *to)
{
    bool fixed = to->root == TYPE_CHAR || to->root == TYPE_BINARY;
    return fixed ? from->root == to->root && from->length == to->length
                 : from->length <= to->length;
}

static bool is_same_in_memory(const struct type *from, const struct type *to)
{
    if ((type_is_text(from) && type_is_text(to)) || (type_is_bytes(from) && type_is_bytes(to)))
        return is_same_text(from, to);
    if (from->root != to->root)
        return false;
    switch (from->root) {
    case TYPE_DECIMAL:
        return from->scale == to->scale && from->precision <= to->precision &&
               type_physical(from) == type_physical(to);
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_LTZ:
        return from->precision == to->precision; /* a vector is printed by its own type's */
    default:
        break;
    }
    for (uint32_t i = 0; i < from->child_count; i++)
        if (i >= to->child_count || !is_same_in_memory(from->children[i], to->children[i]))
            return false;
    return from->child_count == to->child_count;
}

static void cast_null(struct function_call *call)
{
    (void)call; /* STRICT: there is no row that is not NULL */
}

static enum status unsupported(const struct type *from, const struct type *to, struct error *err)
{
    struct buf text;
    buf_init(&text, 1024);
    type_format(&text, from);
    buf_append_text(&text, " to ");
    type_format(&text, to);
    error_set(err, ERR_UNSUPPORTED, "CAST from %s is not supported", buf_text(&text));
    buf_fini(&text);
    return ERR_UNSUPPORTED;
}

enum status cast_find(struct arena *arena, const struct type *from, const struct type *to,
                      bool try_cast, struct cast_kernel *out, struct error *err)
{
    *out = (struct cast_kernel){.flags = FUNCTION_STRICT};
    if (!try_cast && cast_can_fail(from, to))
        out->flags |= FUNCTION_CAN_FAIL;
    if (from->root == TYPE_NULL && to->root != TYPE_NULL) {
        out->kernel = cast_null;
        return OK;
    }
    if (is_same_in_memory(from, to)) {
        out->is_same = true;
        return OK;
    }
    bool found = cast_to_text(from, to, out) || cast_from_text(from, to, out) ||
                 cast_times(from, to, out) || cast_numbers(from, to, out);
    if (!found)
        TRY(cast_nested(arena, from, to, try_cast, out, err));
    return out->kernel ? OK : unsupported(from, to, err);
}
