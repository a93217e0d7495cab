/* Golden values: they are stored on disk as key groups and choose partitions; they never change. */
#include "base/hash.h"

#include "../check.h"

TEST(xxh3_golden_values)
{
    /* Computed once with Debian's libxxhash.so. */
    CHECK(hash_bytes("", 0) == UINT64_C(0x2d06800538d394c2));
    CHECK(hash_bytes("a", 1) == UINT64_C(0xe6c632b61e964e1f));
    CHECK(hash_bytes("abc", 3) == UINT64_C(0x78af5f94892f3950));
    char text[300];
    for (int i = 0; i < 300; i++)
        text[i] = (char)('a' + i % 26);
    CHECK(hash_bytes(text, 300) == UINT64_C(0x7f720c1f731c9648));
}

TEST(seed_zero_is_no_seed)
{
    CHECK(hash_bytes_seed("leat", 4, 0) == hash_bytes("leat", 4));
    CHECK(hash_bytes_seed("leat", 4, 1) != hash_bytes("leat", 4));
}

TEST(murmur2_as_kafka)
{
    /* From the tests of Kafka's client library. */
    CHECK_INT((int32_t)hash_murmur2("21", 2), -973932308);
    CHECK_INT((int32_t)hash_murmur2("foobar", 6), -790332482);
    CHECK_INT((int32_t)hash_murmur2("a-little-bit-long-string", 24), -985981536);
    CHECK_INT((int32_t)hash_murmur2("a-little-bit-longer-string", 26), -1486304829);
    CHECK_INT((int32_t)hash_murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", 48),
              -58897971);
    CHECK_INT((int32_t)hash_murmur2("abc", 3), 479470107);
}
