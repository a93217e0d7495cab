/* key_decode.c - from canonical key bytes back to columns. The bytes come from disk or another
 * process: everything is checked before it is believed. */
#include "data/key.h"

#include "base/must.h"
#include "data/utf8.h"

struct reader {
    const uint8_t *next;
    const uint8_t *end;
};

static enum status damaged(struct error *err, const char *what)
{
    return error_set(err, ERR_CORRUPT, "a stored key is damaged: %s", what);
}

static bool take(struct reader *reader, size_t size, const uint8_t **out)
{
    if ((size_t)(reader->end - reader->next) < size)
        return false;
    *out = reader->next;
    reader->next += size;
    return true;
}

static bool take_u32(struct reader *reader, uint32_t *out)
{
    const uint8_t *bytes;
    if (!take(reader, sizeof(*out), &bytes))
        return false;
    memcpy(out, bytes, sizeof(*out));
    return true;
}

static enum status decode_decimal(struct reader *reader, struct vec *vec, struct error *err)
{
    const uint8_t *bytes;
    decimal128 value;
    if (!take(reader, sizeof(value), &bytes))
        return damaged(err, "cut short");
    memcpy(&value, bytes, sizeof(value));
    if (!decimal_fits(value, vec->type->precision))
        return damaged(err, "a decimal out of its type's range");
    if (type_physical(vec->type) == PHYS_I64)
        ((int64_t *)vec->values)[vec->length] = (int64_t)value;
    else
        ((decimal128 *)vec->values)[vec->length] = value;
    vec->length++;
    return OK;
}

static enum status decode_text(struct reader *reader, struct vec *vec, struct error *err)
{
    const uint8_t *bytes;
    uint32_t length;
    if (!take_u32(reader, &length) || !take(reader, length, &bytes))
        return damaged(err, "cut short");
    if (type_is_text(vec->type) && !utf8_valid((const char *)bytes, length))
        return damaged(err, "text that is not UTF-8");
    TRY(vec_set_text(vec, vec->length, (const char *)bytes, length, err));
    vec->length++;
    return OK;
}

static enum status decode_value(struct reader *reader, struct vec *vec, struct error *err);

static enum status decode_list(struct reader *reader, struct vec *vec, struct error *err)
{
    struct list_entry entry = {vec->children[0]->length, 0};
    if (!take_u32(reader, &entry.length))
        return damaged(err, "cut short");
    for (uint32_t i = 0; i < entry.length; i++)
        for (uint32_t c = 0; c < vec->child_count; c++)
            TRY(decode_value(reader, vec->children[c], err));
    ((struct list_entry *)vec->values)[vec->length++] = entry;
    return OK;
}

static enum status decode_fixed(struct reader *reader, struct vec *vec, struct error *err)
{
    const uint8_t *bytes;
    size_t size = physical_size_bytes(type_physical(vec->type));
    if (!take(reader, size, &bytes))
        return damaged(err, "cut short");
    if (type_physical(vec->type) == PHYS_BOOL && bytes[0] > 1)
        return damaged(err, "a BOOLEAN that is neither 0 nor 1");
    memcpy((char *)vec->values + size * vec->length, bytes, size);
    vec->length++;
    return OK;
}

static enum status decode_value(struct reader *reader, struct vec *vec, struct error *err)
{
    const uint8_t *flag;
    if (!take(reader, 1, &flag))
        return damaged(err, "cut short");
    if (*flag > 1)
        return damaged(err, "a NULL flag that is neither 0 nor 1");
    if (*flag == 0)
        return vec_append_null(vec, 1, err);
    TRY(vec_reserve(vec, vec->length + 1, err));
    switch (type_physical(vec->type)) {
    case PHYS_ROW:
        for (uint32_t c = 0; c < vec->child_count; c++)
            TRY(decode_value(reader, vec->children[c], err));
        vec->length++;
        return OK;
    case PHYS_LIST:
        return decode_list(reader, vec, err);
    case PHYS_VIEW:
        return decode_text(reader, vec, err);
    default:
        if (vec->type->root == TYPE_DECIMAL)
            return decode_decimal(reader, vec, err);
        return decode_fixed(reader, vec, err);
    }
}

enum status key_decode(const uint8_t *bytes, size_t size_bytes, struct vec *const *columns,
                       uint32_t column_count, struct error *err)
{
    struct reader reader = {bytes, bytes + size_bytes};
    for (uint32_t c = 0; c < column_count; c++)
        TRY(decode_value(&reader, columns[c], err));
    if (reader.next != reader.end)
        return damaged(err, "bytes behind its end");
    return OK;
}
