/* json_text.c - see json_text.h. */
#include "base/json_text.h"

/* Length of the UTF-8 character at text (no overlong forms, no surrogates), 0: none is there. */
static size_t character_bytes(const uint8_t *text, size_t length)
{
    uint8_t first = text[0], low = 0x80, high = 0xbf;
    size_t size = first >= 0xc2 && first <= 0xdf   ? 2
                  : first >= 0xe0 && first <= 0xef ? 3
                  : first >= 0xf0 && first <= 0xf4 ? 4
                                                   : 0;
    if (size == 0 || size > length)
        return 0;
    if (first == 0xe0)
        low = 0xa0;
    else if (first == 0xed)
        high = 0x9f;
    else if (first == 0xf0)
        low = 0x90;
    else if (first == 0xf4)
        high = 0x8f;
    if (text[1] < low || text[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if (text[i] < 0x80 || text[i] > 0xbf)
            return 0;
    return size;
}

static void append_special(struct buf *out, uint8_t c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *found = memchr(from, c, sizeof(from) - 1);
    if (found)
        buf_printf(out, "\\%c", to[found - from]);
    else
        buf_printf(out, "\\u%04x", c);
}

void json_text_append(struct buf *out, struct str text)
{
    const uint8_t *bytes = (const uint8_t *)text.data;
    size_t plain = 0; /* where what can be copied begins */
    buf_append_byte(out, '"');
    for (size_t i = 0; i < text.length;) {
        uint8_t c = bytes[i];
        size_t size = 1;
        if (c >= 0x80)
            size = character_bytes(bytes + i, text.length - i);
        else if (c < 0x20 || c == '"' || c == '\\' || c == 0x7f)
            size = 0;
        if (size) {
            i += size;
            continue;
        }
        buf_append(out, bytes + plain, i - plain);
        if (c >= 0x80)
            buf_append_text(out, "\xef\xbf\xbd");
        else
            append_special(out, c);
        plain = ++i;
    }
    buf_append(out, bytes + plain, text.length - plain);
    buf_append_byte(out, '"');
}
