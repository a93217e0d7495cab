/* type.h - SQL types: Flink's logical types and how their values lie in a vector.
 *
 * A struct type is immutable and lives in an arena or is one of the constants below; types are
 * compared by value (type_equals), never by pointer. Nullability is part of the type, as in Flink.
 *
 *   root                       physical      value
 *   BOOLEAN                    PHYS_BOOL     uint8_t 0 or 1
 *   TINYINT SMALLINT INT BIGINT PHYS_I8..I64 two's complement
 *   FLOAT DOUBLE               PHYS_F32/F64  IEEE 754
 *   DECIMAL(p, s)              PHYS_I64 (p <= 18) or PHYS_I128: unscaled
 *   CHAR VARCHAR BINARY VARBINARY PHYS_VIEW  struct view (vec.h); text is valid UTF-8
 *   DATE                       PHYS_I32      days since 1970-01-01
 *   TIME(p)                    PHYS_I32      milliseconds of the day
 *   TIMESTAMP(p) TIMESTAMP_LTZ(p) PHYS_I64   microseconds for p <= 6, nanoseconds for p = 7..9
 *   INTERVAL YEAR TO MONTH     PHYS_I32      months
 *   INTERVAL DAY TO SECOND     PHYS_I64      milliseconds
 *   ARRAY MULTISET MAP         PHYS_LIST     struct list_entry into child vectors
 *   ROW                        PHYS_ROW      child vectors of the same length
 *   NULL                       PHYS_BOOL     never valid
 */
#ifndef LEAT_DATA_TYPE_H
#define LEAT_DATA_TYPE_H

#include "base/buffer.h"
#include "base/str.h"

enum type_root {
    TYPE_NULL,
    TYPE_BOOLEAN,
    TYPE_TINYINT,
    TYPE_SMALLINT,
    TYPE_INT,
    TYPE_BIGINT,
    TYPE_FLOAT,
    TYPE_DOUBLE,
    TYPE_DECIMAL,
    TYPE_CHAR,
    TYPE_VARCHAR,
    TYPE_BINARY,
    TYPE_VARBINARY,
    TYPE_DATE,
    TYPE_TIME,
    TYPE_TIMESTAMP,
    TYPE_TIMESTAMP_LTZ,
    TYPE_INTERVAL_YEAR_MONTH,
    TYPE_INTERVAL_DAY_TIME,
    TYPE_ARRAY,
    TYPE_MULTISET,
    TYPE_MAP,
    TYPE_ROW,
    TYPE_ROOT_COUNT
};

enum physical {
    PHYS_BOOL,
    PHYS_I8,
    PHYS_I16,
    PHYS_I32,
    PHYS_I64,
    PHYS_I128,
    PHYS_F32,
    PHYS_F64,
    PHYS_VIEW,
    PHYS_LIST,
    PHYS_ROW,
};

#define TYPE_LENGTH_MAX   INT32_MAX /* STRING = VARCHAR(TYPE_LENGTH_MAX), BYTES likewise */
#define TYPE_DEPTH_MAX    32
#define TYPE_CHILDREN_MAX 4096

/* A time attribute is a TIMESTAMP(3) or TIMESTAMP_LTZ(3) that watermarks refer to. */
enum time_attribute { TIME_ATTRIBUTE_NONE, TIME_ATTRIBUTE_ROWTIME, TIME_ATTRIBUTE_PROCTIME };

struct type {
    enum type_root root;
    bool nullable;
    uint8_t precision;      /* DECIMAL, TIME, TIMESTAMP, TIMESTAMP_LTZ */
    uint8_t scale;          /* DECIMAL */
    uint8_t time_attribute; /* enum time_attribute */
    int32_t length;         /* CHAR, VARCHAR, BINARY, VARBINARY */
    uint32_t child_count;   /* ARRAY, MULTISET: 1; MAP: 2 (key, value); ROW: fields */
    const struct type *const *children;
    const char *const *names; /* ROW: field names */
};

/* Nullable constants. */
extern const struct type TYPE_OF_NULL, TYPE_OF_BOOLEAN, TYPE_OF_TINYINT, TYPE_OF_SMALLINT,
    TYPE_OF_INT, TYPE_OF_BIGINT, TYPE_OF_FLOAT, TYPE_OF_DOUBLE, TYPE_OF_STRING, TYPE_OF_BYTES,
    TYPE_OF_DATE, TYPE_OF_TIME /* (0) */, TYPE_OF_TIMESTAMP_3, TYPE_OF_TIMESTAMP_6,
    TYPE_OF_TIMESTAMP_LTZ_3, TYPE_OF_TIMESTAMP_LTZ_6, TYPE_OF_INTERVAL_YEAR_MONTH,
    TYPE_OF_INTERVAL_DAY_TIME;

enum physical type_physical(const struct type *type);
size_t physical_size_bytes(enum physical physical); /* PHYS_ROW: 0 */

/* Builders give NULL (and a failed arena) without memory. */
const struct type *type_decimal(struct arena *arena, unsigned precision, unsigned scale,
                                bool nullable);
const struct type *type_text(struct arena *arena, enum type_root root, int32_t length,
                             bool nullable); /* CHAR, VARCHAR, BINARY, VARBINARY */
const struct type *type_temporal(struct arena *arena, enum type_root root, unsigned precision,
                                 bool nullable); /* TIME, TIMESTAMP, TIMESTAMP_LTZ */
const struct type *type_array(struct arena *arena, const struct type *element, bool nullable);
const struct type *type_multiset(struct arena *arena, const struct type *element, bool nullable);
const struct type *type_map(struct arena *arena, const struct type *key, const struct type *value,
                            bool nullable);
const struct type *type_row(struct arena *arena, uint32_t field_count, const char *const *names,
                            const struct type *const *fields, bool nullable);
const struct type *type_with_nullable(struct arena *arena, const struct type *type, bool nullable);
const struct type *type_with_time_attribute(struct arena *arena, const struct type *type,
                                            enum time_attribute attribute);
const struct type *type_copy(struct arena *arena, const struct type *type); /* deep */

/* Nullability counts in type_equals, not in type_same; time attributes count in neither. */
bool type_equals(const struct type *a, const struct type *b);
bool type_same(const struct type *a, const struct type *b);

/* Flink's asSummaryString: "DECIMAL(10, 2) NOT NULL", "STRING", "ROW<`a` INT>". */
void type_format(struct buf *out, const struct type *type);

static inline bool type_is_text(const struct type *type)
{
    return type->root == TYPE_CHAR || type->root == TYPE_VARCHAR;
}
static inline bool type_is_bytes(const struct type *type)
{
    return type->root == TYPE_BINARY || type->root == TYPE_VARBINARY;
}
static inline bool type_is_integer(const struct type *type)
{
    return type->root >= TYPE_TINYINT && type->root <= TYPE_BIGINT;
}
static inline bool type_is_approximate(const struct type *type)
{
    return type->root == TYPE_FLOAT || type->root == TYPE_DOUBLE;
}
static inline bool type_is_exact(const struct type *type)
{
    return type_is_integer(type) || type->root == TYPE_DECIMAL;
}
static inline bool type_is_numeric(const struct type *type)
{
    return type->root >= TYPE_TINYINT && type->root <= TYPE_DECIMAL;
}
static inline bool type_is_timestamp(const struct type *type)
{
    return type->root == TYPE_TIMESTAMP || type->root == TYPE_TIMESTAMP_LTZ;
}
static inline bool type_is_interval(const struct type *type)
{
    return type->root == TYPE_INTERVAL_YEAR_MONTH || type->root == TYPE_INTERVAL_DAY_TIME;
}

#endif
