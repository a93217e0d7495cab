/* crc32c.c - CRC-32C (polynomial 0x1EDC6F41, reflected), three ways:
 *
 *   wide       AVX-512 with VPCLMULQDQ, for the bulk of long inputs: four registers of 64 bytes are
 *              moved over the next 256 bytes and added to them. To move 16 bytes over D bits is a
 *              carry-less product of each half with a constant (below); what is left at the end are
 *              16 bytes with the same sum, and the rest of the input.
 *   hardware   SSE4.2's crc32 instruction has a latency of three cycles and starts each cycle, so a
 *              block is cut into three lanes of equal length that are summed side by side. The sums
 *              are joined by one carry-less multiplication each: shifting a sum over n bytes is a
 *              product with x^(8n) mod P, and a crc32 step over the 64-bit product is the
 * reduction. The factors x^(8n-33) for n = 8, 16, ... are a table, so a lane may have any number of
 *              words and a 100-byte record is one block as well as a megabyte is many.
 *   portable   slicing by eight tables.
 *
 * The way and its tables are chosen by a constructor, before any thread exists. Little-endian only.
 */
#include "base/crc32c.h"

#include <string.h>

#define LANE_WORDS_MAX  128 /* 3 KB blocks: the join is then lost in the noise */
#define BLOCK_BYTES_MIN 96  /* below it three lanes cost more than they bring */
#define POLY_REFLECTED  0x82F63B78u

static uint32_t slice_table[8][256];

static uint32_t crc_portable(uint32_t crc, const uint8_t *next, size_t left)
{
    for (; left >= 8; left -= 8, next += 8) {
        uint64_t word;
        memcpy(&word, next, 8);
        word ^= crc;
        crc = slice_table[7][word & 0xff] ^ slice_table[6][word >> 8 & 0xff] ^
              slice_table[5][word >> 16 & 0xff] ^ slice_table[4][word >> 24 & 0xff] ^
              slice_table[3][word >> 32 & 0xff] ^ slice_table[2][word >> 40 & 0xff] ^
              slice_table[1][word >> 48 & 0xff] ^ slice_table[0][word >> 56];
    }
    for (; left > 0; left--)
        crc = crc >> 8 ^ slice_table[0][(crc ^ *next++) & 0xff];
    return crc;
}

static uint32_t (*crc_chosen)(uint32_t crc, const uint8_t *next, size_t left) = crc_portable;

static void slice_table_init(void)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? POLY_REFLECTED : 0);
        slice_table[0][byte] = crc;
    }
    for (uint32_t byte = 0; byte < 256; byte++)
        for (int slice = 1; slice < 8; slice++) {
            uint32_t crc = slice_table[slice - 1][byte];
            slice_table[slice][byte] = crc >> 8 ^ slice_table[0][crc & 0xff];
        }
}

#if defined(__x86_64__)
#include <immintrin.h>

#define HARDWARE __attribute__((target("sse4.2,pclmul")))

/* shift_factor[i] = x^(64 (i + 1) - 33) mod P: moves a sum over i + 1 words. */
static uint32_t shift_factor[2 * LANE_WORDS_MAX];

static inline uint64_t word_at(const uint8_t *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}

/* The sum moved over word_count words of zeros, not yet reduced. */
HARDWARE static inline uint64_t shifted(uint64_t crc, size_t word_count)
{
    __m128i product = _mm_clmulepi64_si128(_mm_cvtsi64_si128((int64_t)crc),
                                           _mm_cvtsi64_si128(shift_factor[word_count - 1]), 0);
    return (uint64_t)_mm_cvtsi128_si64(product);
}

HARDWARE static uint32_t crc_hardware(uint32_t crc, const uint8_t *next, size_t left)
{
    uint64_t sum = crc;
    while (left >= BLOCK_BYTES_MIN) {
        size_t lane_words = left / 24;
        if (lane_words > LANE_WORDS_MAX)
            lane_words = LANE_WORDS_MAX;
        const uint8_t *second = next + lane_words * 8, *third = second + lane_words * 8;
        uint64_t sum_second = 0, sum_third = 0;
        const uint8_t *lane_end = second;
        for (; next < lane_end; next += 8, second += 8, third += 8) {
            sum = _mm_crc32_u64(sum, word_at(next));
            sum_second = _mm_crc32_u64(sum_second, word_at(second));
            sum_third = _mm_crc32_u64(sum_third, word_at(third));
        }
        sum = _mm_crc32_u64(0, shifted(sum, 2 * lane_words) ^ shifted(sum_second, lane_words)) ^
              sum_third;
        next = third;
        left -= lane_words * 24;
    }
    for (; left >= 8; left -= 8, next += 8)
        sum = _mm_crc32_u64(sum, word_at(next));
    uint32_t rest = (uint32_t)sum;
    if (left & 4) {
        uint32_t word;
        memcpy(&word, next, 4);
        rest = _mm_crc32_u32(rest, word);
        next += 4;
    }
    if (left & 2) {
        uint16_t word;
        memcpy(&word, next, 2);
        rest = _mm_crc32_u16(rest, word);
        next += 2;
    }
    if (left & 1)
        rest = _mm_crc32_u8(rest, *next);
    return rest;
}

#define WIDE_BYTES_MIN 1024
#define WIDE           __attribute__((target("avx512f,vpclmulqdq,sse4.2,pclmul")))

/* Both halves of a 16-byte lane, moved over D bits. A reflected word w stands for W(x) with bit 0
 * as x^63, and clmul(w, k) for W K x in the 16 bytes of the product: so the half with the lower
 * powers takes x^(D - 1) mod P, the other x^(D + 63). */
struct move {
    uint64_t low, high; /* of the first eight bytes, of the last eight */
};
static struct move move_2048, move_512, move_128;

WIDE static inline __m512i moved(__m512i bytes, struct move by, __m512i add)
{
    __m512i factor = _mm512_broadcast_i32x4(_mm_set_epi64x((int64_t)by.high, (int64_t)by.low));
    return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(bytes, factor, 0x00),
                                     _mm512_clmulepi64_epi128(bytes, factor, 0x11), add, 0x96);
}

WIDE static inline __m128i moved_lane(__m128i bytes, struct move by, __m128i add)
{
    __m128i factor = _mm_set_epi64x((int64_t)by.high, (int64_t)by.low);
    return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(bytes, factor, 0x00),
                                       _mm_clmulepi64_si128(bytes, factor, 0x11)),
                         add);
}

WIDE static uint32_t crc_wide(uint32_t crc, const uint8_t *next, size_t left)
{
    if (left < WIDE_BYTES_MIN)
        return crc_hardware(crc, next, left);
    __m512i sums[4];
    for (int i = 0; i < 4; i++)
        sums[i] = _mm512_loadu_si512(next + 64 * i);
    sums[0] = _mm512_xor_si512(sums[0], _mm512_zextsi128_si512(_mm_cvtsi32_si128((int32_t)crc)));
    for (next += 256, left -= 256; left >= 256; next += 256, left -= 256)
        for (int i = 0; i < 4; i++)
            sums[i] = moved(sums[i], move_2048, _mm512_loadu_si512(next + 64 * i));
    for (int i = 1; i < 4; i++)
        sums[i] = moved(sums[i - 1], move_512, sums[i]);
    __m128i lane = _mm512_castsi512_si128(sums[3]);
    lane = moved_lane(lane, move_128, _mm512_extracti32x4_epi32(sums[3], 1));
    lane = moved_lane(lane, move_128, _mm512_extracti32x4_epi32(sums[3], 2));
    lane = moved_lane(lane, move_128, _mm512_extracti32x4_epi32(sums[3], 3));
    uint64_t sum = _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(lane));
    sum = _mm_crc32_u64(sum, (uint64_t)_mm_extract_epi64(lane, 1));
    return crc_hardware((uint32_t)sum, next, left);
}

/* x^(64 words + 63) mod P, where clmul wants it. */
HARDWARE static uint64_t power(unsigned words)
{
    uint64_t value = _mm_crc32_u32(1, 0); /* bit 0 is x^31; x^63 */
    for (; words > 0; words--)
        value = _mm_crc32_u64(value, 0);
    return value << 32;
}

HARDWARE static struct move move_by(unsigned words)
{
    return (struct move){.low = power(words), .high = power(words - 1)};
}

HARDWARE static void shift_factor_init(void)
{
    shift_factor[0] = 1; /* reflected: bit 0 is x^31 = x^(64 - 33) */
    for (size_t i = 1; i < 2 * LANE_WORDS_MAX; i++)
        shift_factor[i] = (uint32_t)_mm_crc32_u64(shift_factor[i - 1], 0);
}
#endif

__attribute__((constructor)) static void crc32c_choose(void)
{
    slice_table_init();
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul")) {
        shift_factor_init();
        crc_chosen = crc_hardware;
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("vpclmulqdq")) {
            move_2048 = move_by(2048 / 64);
            move_512 = move_by(512 / 64);
            move_128 = move_by(128 / 64);
            crc_chosen = crc_wide;
        }
    }
#endif
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t size_bytes)
{
    return ~crc_chosen(~crc, bytes, size_bytes);
}

uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t size_bytes)
{
    return ~crc_portable(~crc, bytes, size_bytes);
}
