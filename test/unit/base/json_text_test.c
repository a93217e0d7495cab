/* json_text_test.c - texts as JSON strings: escapes, and bytes that are no UTF-8. */
#include "../check.h"

#include "base/json_text.h"

static char shown[4096];

static const char *json(const char *bytes, size_t length)
{
    struct buf buf;
    buf_init(&buf, sizeof(shown));
    json_text_append(&buf, (struct str){bytes, length});
    snprintf(shown, sizeof(shown), "%s", buf_text(&buf));
    buf_fini(&buf);
    return shown;
}
#define JSON(literal) json((literal), sizeof(literal) - 1)

TEST(plain_and_escaped)
{
    CHECK_STR(JSON(""), "\"\"");
    CHECK_STR(JSON("abc"), "\"abc\"");
    CHECK_STR(JSON("a\"b\\c/"), "\"a\\\"b\\\\c/\"");
    CHECK_STR(JSON("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\"");
    CHECK_STR(JSON("\0\x1f\x7f"), "\"\\u0000\\u001f\\u007f\"");
    CHECK_STR(JSON("<script>"), "\"<script>\"");
}

#define BAD "\xef\xbf\xbd"

TEST(utf8)
{
    CHECK_STR(JSON("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
              "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"");
    CHECK_STR(JSON("a\xff"
                   "b"),
              "\"a" BAD "b\"");
    CHECK_STR(JSON("\xc3"), "\"" BAD "\"");                         /* cut */
    CHECK_STR(JSON("\xc0\xaf"), "\"" BAD BAD "\"");                 /* overlong */
    CHECK_STR(JSON("\xe0\x80\x80"), "\"" BAD BAD BAD "\"");         /* overlong */
    CHECK_STR(JSON("\xed\xa0\x80"), "\"" BAD BAD BAD "\"");         /* a surrogate */
    CHECK_STR(JSON("\xf4\x90\x80\x80"), "\"" BAD BAD BAD BAD "\""); /* above U+10FFFF */
    CHECK_STR(JSON("\xe2\x82\"\xe2\x82"), "\"" BAD BAD "\\\"" BAD BAD "\"");
}
