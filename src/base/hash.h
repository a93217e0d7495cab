/* hash.h - XXH3-64 (xxHash 0.8), seed 0 unless said. The values are stored on disk (key groups,
 * contracts.md 12): golden tests freeze them. */
#ifndef LEAT_BASE_HASH_H
#define LEAT_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_bytes(const void *bytes, size_t size_bytes);
uint64_t hash_bytes_seed(const void *bytes, size_t size_bytes, uint64_t seed);

/* Kafka's default partitioner hash of a key (murmur2 with Kafka's seed, as in Java's Utils). */
uint32_t hash_murmur2(const void *bytes, size_t size_bytes);

#endif
