#include "base/crc32c.h"

#include "../check.h"

/* The definition, a bit at a time. */
static uint32_t crc_by_bit(uint32_t crc, const uint8_t *bytes, size_t size)
{
    crc = ~crc;
    for (size_t i = 0; i < size; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    }
    return ~crc;
}

TEST(known_values)
{
    CHECK(crc32c(0, "123456789", 9) == 0xE3069283u);
    uint8_t bytes[32]; /* RFC 3720, B.4 */
    memset(bytes, 0, sizeof bytes);
    CHECK(crc32c(0, bytes, 32) == 0x8A9136AAu);
    memset(bytes, 0xff, sizeof bytes);
    CHECK(crc32c(0, bytes, 32) == 0x62A8AB43u);
    for (int i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    CHECK(crc32c(0, bytes, 32) == 0x46DD794Eu);
    CHECK(crc32c(0, "", 0) == 0);
}

static uint8_t data[20000];

static void data_fill(void)
{
    uint64_t seed = 7;
    for (size_t i = 0; i < sizeof data; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        data[i] = (uint8_t)(seed >> 56);
    }
}

TEST(every_length_agrees_with_the_definition)
{
    data_fill();
    for (size_t size = 0; size < 1700; size++) {
        uint32_t want = crc_by_bit(5, data + size % 9, size);
        CHECK(crc32c(5, data + size % 9, size) == want);
        CHECK(crc32c_portable(5, data + size % 9, size) == want);
    }
    for (size_t size = 3000; size < sizeof data - 8; size += 997) {
        uint32_t want = crc_by_bit(0, data + 3, size);
        CHECK(crc32c(0, data + 3, size) == want);
        CHECK(crc32c_portable(0, data + 3, size) == want);
    }
}

TEST(parts_join)
{
    data_fill();
    uint32_t whole = crc32c(0, data, 5000);
    for (size_t cut = 0; cut <= 5000; cut += 131)
        CHECK(crc32c(crc32c(0, data, cut), data + cut, 5000 - cut) == whole);
}
