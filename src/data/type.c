/* type.c - SQL types: constants, builders, equality and text. See type.h. */
#include "data/type.h"

#include "base/must.h"

#define PLAIN(type_root)                                                                           \
    {                                                                                              \
        .root = (type_root), .nullable = true                                                      \
    }
const struct type TYPE_OF_NULL = PLAIN(TYPE_NULL);
const struct type TYPE_OF_BOOLEAN = PLAIN(TYPE_BOOLEAN);
const struct type TYPE_OF_TINYINT = PLAIN(TYPE_TINYINT);
const struct type TYPE_OF_SMALLINT = PLAIN(TYPE_SMALLINT);
const struct type TYPE_OF_INT = PLAIN(TYPE_INT);
const struct type TYPE_OF_BIGINT = PLAIN(TYPE_BIGINT);
const struct type TYPE_OF_FLOAT = PLAIN(TYPE_FLOAT);
const struct type TYPE_OF_DOUBLE = PLAIN(TYPE_DOUBLE);
const struct type TYPE_OF_STRING = {
    .root = TYPE_VARCHAR, .nullable = true, .length = TYPE_LENGTH_MAX};
const struct type TYPE_OF_BYTES = {
    .root = TYPE_VARBINARY, .nullable = true, .length = TYPE_LENGTH_MAX};
const struct type TYPE_OF_DATE = PLAIN(TYPE_DATE);
const struct type TYPE_OF_TIME = PLAIN(TYPE_TIME);
const struct type TYPE_OF_TIMESTAMP_3 = {.root = TYPE_TIMESTAMP, .nullable = true, .precision = 3};
const struct type TYPE_OF_TIMESTAMP_6 = {.root = TYPE_TIMESTAMP, .nullable = true, .precision = 6};
const struct type TYPE_OF_TIMESTAMP_LTZ_3 = {
    .root = TYPE_TIMESTAMP_LTZ, .nullable = true, .precision = 3};
const struct type TYPE_OF_TIMESTAMP_LTZ_6 = {
    .root = TYPE_TIMESTAMP_LTZ, .nullable = true, .precision = 6};
const struct type TYPE_OF_INTERVAL_YEAR_MONTH = PLAIN(TYPE_INTERVAL_YEAR_MONTH);
const struct type TYPE_OF_INTERVAL_DAY_TIME = PLAIN(TYPE_INTERVAL_DAY_TIME);
#undef PLAIN

enum physical type_physical(const struct type *type)
{
    static const uint8_t plain[TYPE_ROOT_COUNT] = {
        [TYPE_NULL] = PHYS_BOOL,
        [TYPE_BOOLEAN] = PHYS_BOOL,
        [TYPE_TINYINT] = PHYS_I8,
        [TYPE_SMALLINT] = PHYS_I16,
        [TYPE_INT] = PHYS_I32,
        [TYPE_BIGINT] = PHYS_I64,
        [TYPE_FLOAT] = PHYS_F32,
        [TYPE_DOUBLE] = PHYS_F64,
        [TYPE_DECIMAL] = PHYS_I64,
        [TYPE_CHAR] = PHYS_VIEW,
        [TYPE_VARCHAR] = PHYS_VIEW,
        [TYPE_BINARY] = PHYS_VIEW,
        [TYPE_VARBINARY] = PHYS_VIEW,
        [TYPE_DATE] = PHYS_I32,
        [TYPE_TIME] = PHYS_I32,
        [TYPE_TIMESTAMP] = PHYS_I64,
        [TYPE_TIMESTAMP_LTZ] = PHYS_I64,
        [TYPE_INTERVAL_YEAR_MONTH] = PHYS_I32,
        [TYPE_INTERVAL_DAY_TIME] = PHYS_I64,
        [TYPE_ARRAY] = PHYS_LIST,
        [TYPE_MULTISET] = PHYS_LIST,
        [TYPE_MAP] = PHYS_LIST,
        [TYPE_ROW] = PHYS_ROW,
    };
    must((unsigned)type->root < TYPE_ROOT_COUNT);
    if (type->root == TYPE_DECIMAL && type->precision > 18)
        return PHYS_I128;
    return (enum physical)plain[type->root];
}

size_t physical_size_bytes(enum physical physical)
{
    static const uint8_t sizes[] = {
        [PHYS_BOOL] = 1,  [PHYS_I8] = 1,    [PHYS_I16] = 2, [PHYS_I32] = 4,
        [PHYS_I64] = 8,   [PHYS_I128] = 16, [PHYS_F32] = 4, [PHYS_F64] = 8,
        [PHYS_VIEW] = 16, [PHYS_LIST] = 8,  [PHYS_ROW] = 0,
    };
    must((unsigned)physical < COUNT_OF(sizes));
    return sizes[physical];
}

static struct type *make(struct arena *arena, enum type_root root, bool nullable)
{
    struct type *type = ARENA_NEW(arena, struct type);
    if (type) {
        type->root = root;
        type->nullable = nullable;
    }
    return type;
}

const struct type *type_decimal(struct arena *arena, unsigned precision, unsigned scale,
                                bool nullable)
{
    must(precision >= 1 && precision <= 38 && scale <= precision);
    struct type *type = make(arena, TYPE_DECIMAL, nullable);
    if (type) {
        type->precision = (uint8_t)precision;
        type->scale = (uint8_t)scale;
    }
    return type;
}

const struct type *type_text(struct arena *arena, enum type_root root, int32_t length,
                             bool nullable)
{
    must(root >= TYPE_CHAR && root <= TYPE_VARBINARY && length >= 0);
    struct type *type = make(arena, root, nullable);
    if (type)
        type->length = length;
    return type;
}

const struct type *type_temporal(struct arena *arena, enum type_root root, unsigned precision,
                                 bool nullable)
{
    must(root >= TYPE_TIME && root <= TYPE_TIMESTAMP_LTZ && precision <= 9);
    struct type *type = make(arena, root, nullable);
    if (type)
        type->precision = (uint8_t)precision;
    return type;
}

static const struct type *nested(struct arena *arena, enum type_root root, uint32_t child_count,
                                 const struct type *const *children, bool nullable)
{
    struct type *type = make(arena, root, nullable);
    const struct type **copy =
        ARENA_ARRAY(arena, child_count ? child_count : 1, const struct type *);
    if (!type || !copy)
        return NULL;
    for (uint32_t i = 0; i < child_count; i++) {
        if (!children[i]) /* a builder before this one had no memory */
            return NULL;
        copy[i] = children[i];
    }
    type->child_count = child_count;
    type->children = copy;
    return type;
}

const struct type *type_array(struct arena *arena, const struct type *element, bool nullable)
{
    return nested(arena, TYPE_ARRAY, 1, &element, nullable);
}

const struct type *type_multiset(struct arena *arena, const struct type *element, bool nullable)
{
    return nested(arena, TYPE_MULTISET, 1, &element, nullable);
}

const struct type *type_map(struct arena *arena, const struct type *key, const struct type *value,
                            bool nullable)
{
    const struct type *children[] = {key, value};
    return nested(arena, TYPE_MAP, 2, children, nullable);
}

const struct type *type_row(struct arena *arena, uint32_t field_count, const char *const *names,
                            const struct type *const *fields, bool nullable)
{
    must(field_count <= TYPE_CHILDREN_MAX);
    struct type *type = (struct type *)nested(arena, TYPE_ROW, field_count, fields, nullable);
    const char **copy = ARENA_ARRAY(arena, field_count ? field_count : 1, const char *);
    if (!type || !copy)
        return NULL;
    for (uint32_t i = 0; i < field_count; i++) {
        copy[i] = arena_strndup(arena, names[i], strlen(names[i]));
        if (!copy[i])
            return NULL;
    }
    type->names = copy;
    return type;
}

static struct type *shallow(struct arena *arena, const struct type *type)
{
    struct type *copy = ARENA_NEW(arena, struct type);
    if (copy)
        *copy = *type;
    return copy;
}

const struct type *type_with_nullable(struct arena *arena, const struct type *type, bool nullable)
{
    if (!type || type->nullable == nullable)
        return type;
    struct type *copy = shallow(arena, type);
    if (copy)
        copy->nullable = nullable;
    return copy;
}

const struct type *type_with_time_attribute(struct arena *arena, const struct type *type,
                                            enum time_attribute attribute)
{
    if (!type || type->time_attribute == attribute)
        return type;
    struct type *copy = shallow(arena, type);
    if (copy)
        copy->time_attribute = (uint8_t)attribute;
    return copy;
}

const struct type *type_copy(struct arena *arena, const struct type *type)
{
    struct type *copy = shallow(arena, type);
    if (!copy || type->child_count == 0)
        return copy;
    const struct type **children = ARENA_ARRAY(arena, type->child_count, const struct type *);
    const char **names = type->names ? ARENA_ARRAY(arena, type->child_count, const char *) : NULL;
    if (!children || (type->names && !names))
        return NULL;
    for (uint32_t i = 0; i < type->child_count; i++) {
        children[i] = type_copy(arena, type->children[i]);
        if (!children[i])
            return NULL;
        if (names && !(names[i] = arena_strndup(arena, type->names[i], strlen(type->names[i]))))
            return NULL;
    }
    copy->children = children;
    copy->names = names;
    return copy;
}

static bool same(const struct type *a, const struct type *b, bool outer_null, bool inner_null)
{
    if (a == b)
        return true;
    if (a->root != b->root || (outer_null && a->nullable != b->nullable) ||
        a->precision != b->precision || a->scale != b->scale || a->length != b->length ||
        a->child_count != b->child_count)
        return false;
    for (uint32_t i = 0; i < a->child_count; i++) {
        if (!same(a->children[i], b->children[i], inner_null, inner_null))
            return false;
        if (a->names && b->names && strcmp(a->names[i], b->names[i]) != 0)
            return false;
    }
    return true;
}

bool type_equals(const struct type *a, const struct type *b)
{
    return same(a, b, true, true);
}

bool type_same(const struct type *a, const struct type *b)
{
    return same(a, b, false, false);
}

static void format_row(struct buf *out, const struct type *type)
{
    buf_append_text(out, "ROW<");
    for (uint32_t i = 0; i < type->child_count; i++) {
        buf_append_text(out, i ? ", `" : "`");
        for (const char *c = type->names[i]; *c; c++) {
            if (*c == '`')
                buf_append_byte(out, '`');
            buf_append_byte(out, (uint8_t)*c);
        }
        buf_append_text(out, "` ");
        type_format(out, type->children[i]);
    }
    buf_append_byte(out, '>');
}

static void format_text(struct buf *out, const struct type *type)
{
    static const char *const names[] = {"CHAR", "VARCHAR", "BINARY", "VARBINARY"};
    if (type->root == TYPE_VARCHAR && type->length == TYPE_LENGTH_MAX)
        buf_append_text(out, "STRING");
    else if (type->root == TYPE_VARBINARY && type->length == TYPE_LENGTH_MAX)
        buf_append_text(out, "BYTES");
    else
        buf_printf(out, "%s(%d)", names[type->root - TYPE_CHAR], type->length);
}

void type_format(struct buf *out, const struct type *type)
{
    static const char *const plain[TYPE_ROOT_COUNT] = {
        [TYPE_NULL] = "NULL",
        [TYPE_BOOLEAN] = "BOOLEAN",
        [TYPE_TINYINT] = "TINYINT",
        [TYPE_SMALLINT] = "SMALLINT",
        [TYPE_INT] = "INT",
        [TYPE_BIGINT] = "BIGINT",
        [TYPE_FLOAT] = "FLOAT",
        [TYPE_DOUBLE] = "DOUBLE",
        [TYPE_DATE] = "DATE",
        [TYPE_INTERVAL_YEAR_MONTH] = "INTERVAL YEAR TO MONTH",
        [TYPE_INTERVAL_DAY_TIME] = "INTERVAL DAY TO SECOND",
    };
    switch (type->root) {
    case TYPE_DECIMAL:
        buf_printf(out, "DECIMAL(%u, %u)", type->precision, type->scale);
        break;
    case TYPE_CHAR:
    case TYPE_VARCHAR:
    case TYPE_BINARY:
    case TYPE_VARBINARY:
        format_text(out, type);
        break;
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMP_LTZ:
        buf_printf(out, "%s(%u)",
                   type->root == TYPE_TIME        ? "TIME"
                   : type->root == TYPE_TIMESTAMP ? "TIMESTAMP"
                                                  : "TIMESTAMP_LTZ",
                   type->precision);
        break;
    case TYPE_ARRAY:
    case TYPE_MULTISET:
        buf_append_text(out, type->root == TYPE_ARRAY ? "ARRAY<" : "MULTISET<");
        type_format(out, type->children[0]);
        buf_append_byte(out, '>');
        break;
    case TYPE_MAP:
        buf_append_text(out, "MAP<");
        type_format(out, type->children[0]);
        buf_append_text(out, ", ");
        type_format(out, type->children[1]);
        buf_append_byte(out, '>');
        break;
    case TYPE_ROW:
        format_row(out, type);
        break;
    default:
        buf_append_text(out, plain[type->root]);
    }
    if (!type->nullable)
        buf_append_text(out, " NOT NULL");
    if (type->time_attribute != TIME_ATTRIBUTE_NONE)
        buf_append_text(out, type->time_attribute == TIME_ATTRIBUTE_ROWTIME ? " *ROWTIME*"
                                                                            : " *PROCTIME*");
}
