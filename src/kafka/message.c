/* message.c - the codec: one walk over a table for reading, one for writing. */
#include "kafka/message.h"

#include "base/must.h"
#include "kafka/bytes.h"

enum kind {
    BOOL,
    INT8,
    INT16,
    INT32,
    INT64,
    UUID,
    STRING,
    RECORDS,
    BYTES = RECORDS, /* the same on the wire */
    INT32S,
    INT64S,
    STRINGS,
    ARRAY,
    OPTIONAL,
};

struct field {
    uint8_t kind;
    int8_t from, to;                             /* versions in which it is on the wire */
    int8_t nullable_from;                        /* 0 without attribute: see NEVER_NULL */
    uint16_t offset;                             /* in the C struct */
    int32_t fallback;                            /* integers only */
    const struct kafka_schema *(*element)(void); /* ARRAY, OPTIONAL */
};

struct kafka_schema {
    const struct field *fields;
    uint16_t field_count;
    uint16_t size_bytes; /* of the C struct */
};

struct any_array { /* the shape that all arrays of message.h share */
    void *items;
    int32_t count;
};

#define MAX        INT8_MAX
#define NEVER_NULL INT8_MAX

/* `shape` is declared only to be measured, so that a field names its struct once. The first
 * .nullable_from is overridden by the attribute where there is one. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
#ifdef __clang__
#pragma GCC diagnostic ignored "-Winitializer-overrides"
#endif
#define STRUCT(name)                                                                               \
    const struct kafka_schema *kafka_##name##_schema(void)                                         \
    {                                                                                              \
        struct kafka_##name *shape = NULL;                                                         \
        static const struct field fields[] = {
#define F(kind_, name, from_, to_, ...)                                                            \
    {.kind = kind_,                                                                                \
     .from = from_,                                                                                \
     .to = to_,                                                                                    \
     .offset = offsetof(typeof(*shape), name),                                                     \
     .nullable_from = NEVER_NULL,                                                                  \
     ##__VA_ARGS__},
#define A(element_, name, from_, to_, ...)                                                         \
    {.kind = ARRAY,                                                                                \
     .from = from_,                                                                                \
     .to = to_,                                                                                    \
     .offset = offsetof(typeof(*shape), name),                                                     \
     .element = kafka_##element_##_schema,                                                         \
     .nullable_from = NEVER_NULL,                                                                  \
     ##__VA_ARGS__},
#define O(element_, name, from_, to_)                                                              \
    {.kind = OPTIONAL,                                                                             \
     .from = from_,                                                                                \
     .to = to_,                                                                                    \
     .offset = offsetof(typeof(*shape), name),                                                     \
     .element = kafka_##element_##_schema},
#define END(name)                                                                                  \
    }                                                                                              \
    ;                                                                                              \
    static const struct kafka_schema schema = {fields, COUNT_OF(fields), sizeof(*shape)};          \
    (void)shape;                                                                                   \
    return &schema;                                                                                \
    }
#include "kafka/message.def"
#undef STRUCT
#undef F
#undef A
#undef O
#undef END
#pragma GCC diagnostic pop

/* ---- reading ---- */

struct decoder {
    struct kafka_cursor *cursor;
    struct arena *arena;
    struct error *err;
    int16_t version;
    bool flexible;
};

static enum status cut_off(struct decoder *decoder)
{
    return error_set(decoder->err, ERR_DATA, "the message is cut off or a length in it is wrong");
}

static size_t left(const struct decoder *decoder)
{
    return (size_t)(decoder->cursor->end - decoder->cursor->next);
}

/* Length of a string or records, count of an array: -1 is null. unit_bytes: the least each takes.
 */
static enum status length_get(struct decoder *decoder, unsigned width, size_t unit_bytes,
                              bool nullable, int64_t *out)
{
    struct kafka_cursor *cursor = decoder->cursor;
    if (decoder->flexible) {
        uint64_t raw;
        const uint8_t *next = uvarint_get(cursor->next, cursor->end, &raw);
        if (!next || raw > INT32_MAX)
            return cut_off(decoder);
        cursor->next += next - cursor->next;
        *out = (int64_t)raw - 1;
    } else {
        if (left(decoder) < width)
            return cut_off(decoder);
        *out = width == 2 ? (int16_t)get_be16(cursor->next) : (int32_t)get_be32(cursor->next);
        cursor->next += width;
    }
    if (*out < -1 || (*out > 0 && (size_t)*out > left(decoder) / unit_bytes))
        return cut_off(decoder);
    if (*out == -1 && !nullable)
        return error_set(decoder->err, ERR_DATA, "the message has null where it may not be");
    return OK;
}

static enum status string_get(struct decoder *decoder, bool nullable, struct str *out)
{
    int64_t length;
    TRY(length_get(decoder, 2, 1, nullable, &length));
    *out = (struct str){NULL, 0};
    if (length >= 0) {
        *out = (struct str){(const char *)decoder->cursor->next, (size_t)length};
        decoder->cursor->next += length;
    }
    return OK;
}

static enum status tags_skip(struct decoder *decoder)
{
    struct kafka_cursor *cursor = decoder->cursor;
    uint64_t count, tag, size_bytes;
    const uint8_t *next = uvarint_get(cursor->next, cursor->end, &count);
    if (!next || count > (size_t)(cursor->end - next))
        return cut_off(decoder);
    while (count--) {
        if (!(next = uvarint_get(next, cursor->end, &tag)) ||
            !(next = uvarint_get(next, cursor->end, &size_bytes)) ||
            size_bytes > (size_t)(cursor->end - next))
            return cut_off(decoder);
        next += size_bytes;
    }
    cursor->next += next - cursor->next;
    return OK;
}

static enum status struct_get(struct decoder *decoder, const struct kafka_schema *schema,
                              void *out);

/* Bytes that an element takes at least: enough to tell an array's count from garbage. */
static size_t element_bytes(const struct field *field)
{
    return field->kind == INT32S ? 4 : field->kind == INT64S ? 8 : 1;
}

/* An optional struct is preceded by a byte: -1 for null, else 1. */
static enum status optional_get(struct decoder *decoder, int64_t *out_count)
{
    if (left(decoder) < 1)
        return cut_off(decoder);
    *out_count = (int8_t)*decoder->cursor->next++ < 0 ? 0 : 1;
    return OK;
}

static enum status array_get(struct decoder *decoder, const struct field *field,
                             struct any_array *out)
{
    int64_t count = 0;
    const struct kafka_schema *element = field->element ? field->element() : NULL;
    size_t item_bytes = element                 ? element->size_bytes
                        : field->kind == INT32S ? sizeof(int32_t)
                        : field->kind == INT64S ? sizeof(int64_t)
                                                : sizeof(struct str);
    if (field->kind == OPTIONAL)
        TRY(optional_get(decoder, &count));
    else
        TRY(length_get(decoder, 4, element_bytes(field), decoder->version >= field->nullable_from,
                       &count));
    *out = (struct any_array){NULL, (int32_t)count};
    if (count <= 0)
        return OK;
    out->items = arena_array(decoder->arena, (size_t)count, item_bytes);
    if (!out->items)
        return arena_check(decoder->arena, "request", decoder->err);
    char *item = out->items;
    for (int64_t i = 0; i < count; i++, item += item_bytes) {
        if (element) {
            TRY(struct_get(decoder, element, item));
        } else if (field->kind == STRINGS) {
            TRY(string_get(decoder, false, (struct str *)item));
        } else if (field->kind == INT64S) {
            *(int64_t *)item = (int64_t)get_be64(decoder->cursor->next); /* as below */
            decoder->cursor->next += 8;
        } else {
            *(int32_t *)item = (int32_t)get_be32(decoder->cursor->next); /* count was checked */
            decoder->cursor->next += 4;
        }
    }
    return OK;
}

static void integer_set(const struct field *field, void *at, int64_t value)
{
    switch ((enum kind)field->kind) {
    case BOOL:
        *(bool *)at = value != 0;
        break;
    case INT8:
        *(int8_t *)at = (int8_t)value;
        break;
    case INT16:
        *(int16_t *)at = (int16_t)value;
        break;
    case INT32:
        *(int32_t *)at = (int32_t)value;
        break;
    case INT64:
        *(int64_t *)at = value;
        break;
    default:
        break; /* others are all zero when absent */
    }
}

static const uint8_t KIND_BYTES[] = {
    [BOOL] = 1, [INT8] = 1, [INT16] = 2, [INT32] = 4, [INT64] = 8, [UUID] = KAFKA_UUID_BYTES,
};

static enum status fixed_get(struct decoder *decoder, const struct field *field, void *at)
{
    uint8_t *next = decoder->cursor->next;
    if (left(decoder) < KIND_BYTES[field->kind])
        return cut_off(decoder);
    decoder->cursor->next += KIND_BYTES[field->kind];
    switch (KIND_BYTES[field->kind]) {
    case 1:
        integer_set(field, at, (int8_t)next[0]);
        break;
    case 2:
        integer_set(field, at, (int16_t)get_be16(next));
        break;
    case 4:
        integer_set(field, at, (int32_t)get_be32(next));
        break;
    case 8:
        integer_set(field, at, (int64_t)get_be64(next));
        break;
    default:
        memcpy(at, next, KAFKA_UUID_BYTES);
    }
    return OK;
}

static enum status records_get(struct decoder *decoder, bool nullable, struct kafka_records *out)
{
    int64_t length;
    TRY(length_get(decoder, 4, 1, nullable, &length));
    if (length >= 0) {
        out->data = decoder->cursor->next;
        out->size_bytes = (size_t)length;
        decoder->cursor->next += length;
    }
    return OK;
}

static enum status struct_get(struct decoder *decoder, const struct kafka_schema *schema, void *out)
{
    memset(out, 0, schema->size_bytes);
    for (uint16_t i = 0; i < schema->field_count; i++) {
        const struct field *field = &schema->fields[i];
        void *at = (char *)out + field->offset;
        bool nullable = decoder->version >= field->nullable_from;
        if (decoder->version < field->from || decoder->version > field->to) {
            integer_set(field, at, field->fallback);
            continue;
        }
        switch ((enum kind)field->kind) {
        case STRING:
            TRY(string_get(decoder, nullable, at));
            break;
        case RECORDS:
            TRY(records_get(decoder, nullable, at));
            break;
        case INT32S:
        case INT64S:
        case STRINGS:
        case ARRAY:
        case OPTIONAL:
            TRY(array_get(decoder, field, at));
            break;
        default:
            TRY(fixed_get(decoder, field, at));
        }
    }
    return decoder->flexible ? tags_skip(decoder) : OK;
}

enum status kafka_decode(const struct kafka_schema *schema, int16_t version, bool flexible,
                         struct kafka_cursor *cursor, struct arena *arena, void *out,
                         struct error *err)
{
    struct decoder decoder = {cursor, arena, err, version, flexible};
    return struct_get(&decoder, schema, out);
}

/* ---- writing ---- */

struct encoder {
    struct buf *out;
    struct kafka_splices *splices;
    int16_t version;
    bool flexible;
};

static void length_put(struct encoder *encoder, unsigned width, int64_t length)
{
    uint8_t *dest = buf_room(encoder->out, VARINT_MAX_BYTES);
    if (!dest)
        return;
    if (encoder->flexible) {
        encoder->out->length += uvarint_put(dest, (uint64_t)(length + 1));
        return;
    }
    if (width == 2)
        put_be16(dest, (uint16_t)length);
    else
        put_be32(dest, (uint32_t)length);
    encoder->out->length += width;
}

static void string_put(struct encoder *encoder, bool nullable, struct str text)
{
    if (text.length > INT16_MAX)
        text.length = INT16_MAX; /* only error texts could be that long */
    length_put(encoder, 2, text.data || !nullable ? (int64_t)text.length : -1);
    buf_append(encoder->out, text.data, text.length);
}

static void records_put(struct encoder *encoder, bool nullable, const struct kafka_records *records)
{
    struct kafka_splices *splices = encoder->splices;
    length_put(encoder, 4, records->data || !nullable ? (int64_t)records->size_bytes : -1);
    if (records->source && splices && splices->count < splices->room) {
        splices->items[splices->count++] = (struct kafka_splice){encoder->out->length, records};
        return;
    }
    buf_append(encoder->out, records->data, records->size_bytes);
}

static void struct_put(struct encoder *encoder, const struct kafka_schema *schema,
                       const void *message);

static void array_put(struct encoder *encoder, const struct field *field, bool nullable,
                      const struct any_array *array)
{
    const struct kafka_schema *element = field->element ? field->element() : NULL;
    int32_t count = array->count < 0 ? 0 : array->count;
    if (field->kind == OPTIONAL)
        buf_append_byte(encoder->out, count ? 1 : UINT8_MAX);
    else
        length_put(encoder, 4, array->count < 0 && nullable ? -1 : count);
    for (int32_t i = 0; i < count; i++) {
        if (element) {
            struct_put(encoder, element,
                       (const char *)array->items + i * (size_t)element->size_bytes);
        } else if (field->kind == STRINGS) {
            string_put(encoder, false, ((const struct str *)array->items)[i]);
        } else if (field->kind == INT64S) {
            uint64_t wire = __builtin_bswap64((uint64_t)((const int64_t *)array->items)[i]);
            buf_append(encoder->out, &wire, sizeof(wire));
        } else {
            uint32_t wire = __builtin_bswap32((uint32_t)((const int32_t *)array->items)[i]);
            buf_append(encoder->out, &wire, sizeof(wire));
        }
    }
}

static void fixed_put(struct encoder *encoder, const struct field *field, const void *at)
{
    uint8_t *dest = buf_room(encoder->out, KAFKA_UUID_BYTES);
    if (!dest)
        return;
    switch (KIND_BYTES[field->kind]) {
    case 1:
        dest[0] = *(const uint8_t *)at;
        break;
    case 2:
        put_be16(dest, *(const uint16_t *)at);
        break;
    case 4:
        put_be32(dest, *(const uint32_t *)at);
        break;
    case 8:
        put_be64(dest, *(const uint64_t *)at);
        break;
    default:
        memcpy(dest, at, KAFKA_UUID_BYTES);
    }
    encoder->out->length += KIND_BYTES[field->kind];
}

static void struct_put(struct encoder *encoder, const struct kafka_schema *schema,
                       const void *message)
{
    for (uint16_t i = 0; i < schema->field_count; i++) {
        const struct field *field = &schema->fields[i];
        const void *at = (const char *)message + field->offset;
        bool nullable = encoder->version >= field->nullable_from;
        if (encoder->version < field->from || encoder->version > field->to)
            continue;
        switch ((enum kind)field->kind) {
        case STRING:
            string_put(encoder, nullable, *(const struct str *)at);
            break;
        case RECORDS:
            records_put(encoder, nullable, at);
            break;
        case INT32S:
        case INT64S:
        case STRINGS:
        case ARRAY:
        case OPTIONAL:
            array_put(encoder, field, nullable, at);
            break;
        default:
            fixed_put(encoder, field, at);
        }
    }
    if (encoder->flexible)
        buf_append_byte(encoder->out, 0); /* no tagged fields */
}

void kafka_encode(const struct kafka_schema *schema, int16_t version, bool flexible,
                  const void *message, struct buf *out, struct kafka_splices *splices)
{
    struct encoder encoder = {out, splices, version, flexible};
    struct_put(&encoder, schema, message);
}
