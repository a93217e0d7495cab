/* rng.h - a small seeded generator (xoshiro256**, seeded by splitmix64) for whatever a seed must
 * reproduce: the simulated twin, drivers of tasks, tests. Not for secrets: those come from
 * io_random().
 *
 * Source: David Blackman and Sebastiano Vigna, "Scrambled linear pseudorandom number generators"
 * (2018). The sequence of a seed is frozen by a test. One thread at a time.
 */
#ifndef LEAT_BASE_RNG_H
#define LEAT_BASE_RNG_H

#include <stdint.h>

struct rng {
    uint64_t words[4];
};

/* One step of splitmix64: spreads any number, 0 too, over 64 bits. */
static inline uint64_t rng_mix(uint64_t value)
{
    value += UINT64_C(0x9E3779B97F4A7C15);
    value = (value ^ (value >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    value = (value ^ (value >> 27)) * UINT64_C(0x94D049BB133111EB);
    return value ^ (value >> 31);
}

static inline void rng_init(struct rng *rng, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        rng->words[i] = rng_mix(seed + (uint64_t)i * UINT64_C(0x9E3779B97F4A7C15));
}

static inline uint64_t rng_next(struct rng *rng)
{
    uint64_t *words = rng->words, five = words[1] * 5, shifted = words[1] << 17;
    uint64_t result = (five << 7 | five >> 57) * 9;
    words[2] ^= words[0];
    words[3] ^= words[1];
    words[1] ^= words[2];
    words[0] ^= words[3];
    words[2] ^= shifted;
    words[3] = words[3] << 45 | words[3] >> 19;
    return result;
}

/* 0 to bound - 1 (bound > 0), evenly up to a bias of bound / 2^64. */
static inline uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    return (uint64_t)(((unsigned __int128)rng_next(rng) * bound) >> 64);
}

#endif
