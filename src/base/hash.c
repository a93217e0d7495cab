/* hash.c - XXH3-64 by the xxHash library, inlined so that short keys cost no call through a
 * dispatcher, and Kafka's murmur2. Pure functions, any thread. */
#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_bytes(const void *bytes, size_t size_bytes)
{
    return XXH3_64bits(bytes, size_bytes);
}

uint64_t hash_bytes_seed(const void *bytes, size_t size_bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, size_bytes, seed);
}

/* MurmurHash2 by Austin Appleby (public domain algorithm), 32 bits, little-endian words. */
uint32_t hash_murmur2(const void *bytes, size_t size_bytes)
{
    const uint32_t mix = 0x5bd1e995, kafka_seed = 0x9747b28c;
    const uint8_t *next = bytes;
    uint32_t hash = kafka_seed ^ (uint32_t)size_bytes;
    size_t left = size_bytes;
    for (; left >= 4; left -= 4, next += 4) {
        uint32_t word;
        memcpy(&word, next, 4);
        word *= mix;
        word ^= word >> 24;
        word *= mix;
        hash = (hash * mix) ^ word;
    }
    if (left > 0) {
        uint32_t tail = next[0];
        if (left > 1)
            tail |= (uint32_t)next[1] << 8;
        if (left > 2)
            tail |= (uint32_t)next[2] << 16;
        hash = (hash ^ tail) * mix;
    }
    hash ^= hash >> 13;
    hash *= mix;
    hash ^= hash >> 15;
    return hash;
}
