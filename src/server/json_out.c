/* json_out.c - see json_out.h. */
#include "server/json_out.h"

void json_comma(struct buf *out)
{
    uint8_t last = out->length ? out->data[out->length - 1] : '{';
    if (last != '{' && last != '[')
        buf_append_byte(out, ',');
}

void json_name(struct buf *out, const char *name)
{
    json_comma(out);
    json_text_append(out, str_of(name));
    buf_append_byte(out, ':');
}

void json_add_text(struct buf *out, const char *name, const char *text)
{
    json_name(out, name);
    if (text)
        json_text_append(out, str_of(text));
    else
        buf_append_text(out, "null");
}

void json_add_int(struct buf *out, const char *name, int64_t value)
{
    json_name(out, name);
    buf_printf(out, "%lld", (long long)value);
}

void json_add_bool(struct buf *out, const char *name, bool value)
{
    json_name(out, name);
    buf_append_text(out, value ? "true" : "false");
}

void json_add_null(struct buf *out, const char *name)
{
    json_add_text(out, name, NULL);
}

void json_error(struct buf *out, const char *code, const char *message, const char *hint)
{
    buf_append_text(out, "{\"error\":{");
    json_add_text(out, "code", code);
    json_add_text(out, "message", message);
    json_add_text(out, "hint", hint);
    buf_append_text(out, "}}\n");
}
