/* cast_text.c - to CHAR, VARCHAR, BINARY, VARBINARY: values as text, text cut or padded to its
 * length.
 *
 * Texts are those of datum_format.h, which are Flink's. BYTES are decoded as UTF-8, each wrong byte
 * becoming U+FFFD. CHAR(n) pads with blanks, BINARY(n) with zero bytes; both and the varying forms
 * cut to n characters or bytes.
 */
#include "base/must.h"
#include "data/utf8.h"
#include "expr/cast_int.h"

#define REPLACEMENT "\xef\xbf\xbd"

/* The text cut or padded to type; scratch takes padded ones. */
static void set_fitted(struct function_call *call, uint32_t row, const char *data, size_t length,
                       struct buf *scratch)
{
    const struct type *type = call->out->type;
    bool is_text = type_is_text(type);
    if (type->length == TYPE_LENGTH_MAX) {
        call_set_text(call, row, data, length);
        return;
    }
    size_t wanted = (size_t)type->length;
    size_t cut = is_text ? utf8_offset(data, length, wanted) : length < wanted ? length : wanted;
    bool pads = type->root == TYPE_CHAR || type->root == TYPE_BINARY;
    size_t shown = pads && is_text ? utf8_count(data, cut) : cut;
    if (!pads || shown >= wanted) {
        call_set_text(call, row, data, cut);
        return;
    }
    size_t padding = wanted - shown;
    buf_clear(scratch);
    uint8_t *room = buf_room(scratch, cut + padding);
    if (!room) {
        call->status = ERR_MEMORY;
        return;
    }
    if (cut)
        memcpy(room, data, cut);
    memset(room + cut, is_text ? ' ' : 0, padding);
    call_set_text(call, row, (const char *)room, cut + padding);
}

static void init_scratch(struct buf *scratch)
{
    buf_init(scratch, (size_t)1 << 30);
}

/* Text to text and bytes to bytes. */
static void refit(struct function_call *call)
{
    struct buf scratch;
    init_scratch(&scratch);
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row);
        set_fitted(call, row, text.data, text.length, &scratch);
    }
    buf_fini(&scratch);
}

static void share(struct function_call *call)
{
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row);
        call_share_text(call, row, call->args[0], text.data, text.length);
    }
}

static void decode_bytes(struct buf *out, struct str bytes)
{
    buf_clear(out);
    if (utf8_valid(bytes.data, bytes.length)) {
        buf_append(out, bytes.data, bytes.length);
        return;
    }
    for (size_t at = 0; at < bytes.length;) {
        size_t step = 1;
        while (step < 4 && at + step <= bytes.length && !utf8_valid(bytes.data + at, step))
            step++;
        if (at + step <= bytes.length && utf8_valid(bytes.data + at, step)) {
            buf_append(out, bytes.data + at, step);
            at += step;
        } else {
            buf_append_text(out, REPLACEMENT);
            at++;
        }
    }
}

static void bytes_to_text(struct function_call *call)
{
    struct buf decoded, scratch;
    init_scratch(&decoded);
    init_scratch(&scratch);
    CALL_ROWS(call, row)
    {
        decode_bytes(&decoded, arg_str(call->args[0], row));
        if (decoded.failed)
            call->status = ERR_MEMORY;
        else
            set_fitted(call, row, (const char *)decoded.data, decoded.length, &scratch);
    }
    buf_fini(&scratch);
    buf_fini(&decoded);
}

static void value_to_text(struct function_call *call)
{
    struct buf text, scratch;
    init_scratch(&text);
    init_scratch(&scratch);
    CALL_ROWS(call, row)
    {
        buf_clear(&text);
        datum_format_at(&text, call->args[0], row, call->context ? call->context->zone : NULL);
        if (text.failed)
            call->status = ERR_MEMORY;
        else
            set_fitted(call, row, (const char *)text.data, text.length, &scratch);
    }
    buf_fini(&scratch);
    buf_fini(&text);
}

/* Integers to STRING, the commonest, without a datum. */
static void i64_to_string(struct function_call *call)
{
    const struct vec *arg = call->args[0];
    bool is_wide = type_physical(arg->type) == PHYS_I64;
    char text[24];
    CALL_ROWS(call, row)
    {
        uint32_t at = row & arg_mask(arg);
        int64_t value =
            is_wide ? ((const int64_t *)arg->values)[at] : ((const int32_t *)arg->values)[at];
        call_set_text(call, row, text, str_from_i64(text, value));
    }
}

bool cast_to_text(const struct type *from, const struct type *to, struct cast_kernel *out)
{
    if (type_is_bytes(to)) {
        if (!type_is_text(from) && !type_is_bytes(from))
            return false;
        out->kernel = to->length == TYPE_LENGTH_MAX ? share : refit;
        return true;
    }
    if (!type_is_text(to))
        return false;
    bool is_string = to->length == TYPE_LENGTH_MAX && to->root == TYPE_VARCHAR;
    if (type_is_text(from))
        out->kernel = is_string ? share : refit;
    else if (type_is_bytes(from))
        out->kernel = bytes_to_text;
    else if (is_string && (from->root == TYPE_INT || from->root == TYPE_BIGINT))
        out->kernel = i64_to_string;
    else
        out->kernel = value_to_text;
    return true;
}
