/* base64: the vectors of RFC 4648 and Java's, there and back, what is not Base64. */
#include "base/base64.h"
#include "../check.h"
#include "base/must.h"
#include "base/rng.h"

#include <string.h>

static const char *encoded(const char *text)
{
    static char dest[64];
    dest[base64_encode(dest, text, strlen(text))] = '\0';
    return dest;
}

TEST(vectors)
{
    CHECK_STR(encoded(""), "");
    CHECK_STR(encoded("f"), "Zg==");
    CHECK_STR(encoded("fo"), "Zm8=");
    CHECK_STR(encoded("foo"), "Zm9v");
    CHECK_STR(encoded("foob"), "Zm9vYg==");
    CHECK_STR(encoded("fooba"), "Zm9vYmE=");
    CHECK_STR(encoded("foobar"), "Zm9vYmFy");
    CHECK_STR(encoded("\xfb\xff\xbf"), "+/+/");
    char dest[8];
    CHECK_INT(base64_encode_url(dest, "\xfb\xff\xbf\xfb", 4), 6);
    CHECK(memcmp(dest, "-_-_-w", 6) == 0);
}

TEST(there_and_back)
{
    struct rng rng;
    uint8_t bytes[100];
    char text[BASE64_ENCODED(sizeof(bytes))], back[sizeof(text)];
    rng_init(&rng, 5);
    for (size_t length = 0; length <= sizeof(bytes); length++) {
        size_t used;
        for (size_t i = 0; i < length; i++)
            bytes[i] = (uint8_t)rng_below(&rng, 256);
        size_t written = base64_encode(text, bytes, length);
        CHECK_INT(written, BASE64_ENCODED(length));
        CHECK(base64_decode(back, (struct str){text, written}, &used));
        CHECK_INT(used, length);
        CHECK(memcmp(back, bytes, length) == 0);
        while (written && text[written - 1] == '=')
            written--;
        CHECK(base64_decode(back, (struct str){text, written}, &used) && used == length);
    }
}

TEST(refused)
{
    static const char *const bad[] = {"A",    "AAAAA", "A===", "AA=",   "AAA==",     "A=AA",
                                      "====", "AA A",  "AA-_", "AAAA=", "\303\251AA"};
    char dest[16];
    size_t used;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        if (base64_decode(dest, (struct str){bad[i], strlen(bad[i])}, &used))
            CHECK_FAIL("%s is taken", bad[i]);
}
