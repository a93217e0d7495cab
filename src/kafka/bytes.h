/* bytes.h - big-endian integers and varints in memory, as the Kafka protocol writes them. */
#ifndef LEAT_KAFKA_BYTES_H
#define LEAT_KAFKA_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t get_be16(const void *bytes)
{
    uint16_t value;
    memcpy(&value, bytes, sizeof(value));
    return __builtin_bswap16(value);
}
static inline uint32_t get_be32(const void *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return __builtin_bswap32(value);
}
static inline uint64_t get_be64(const void *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof(value));
    return __builtin_bswap64(value);
}
static inline void put_be16(void *dest, uint16_t value)
{
    value = __builtin_bswap16(value);
    memcpy(dest, &value, sizeof(value));
}
static inline void put_be32(void *dest, uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(dest, &value, sizeof(value));
}
static inline void put_be64(void *dest, uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(dest, &value, sizeof(value));
}

#define VARINT_MAX_BYTES 10 /* of 64 bits; 32 bits take at most 5 */

/* Unsigned varint of at most 64 bits; the byte after it, or NULL when cut off or too long. */
static inline const uint8_t *uvarint_get_slow(const uint8_t *next, const uint8_t *end,
                                              uint64_t *out)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64 && next < end; shift += 7) {
        uint8_t byte = *next++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            *out = value;
            return next;
        }
    }
    return NULL;
}

/* One and two bytes are what records are made of: two predictable branches, no loop. */
static inline const uint8_t *uvarint_get(const uint8_t *next, const uint8_t *end, uint64_t *out)
{
    if (__builtin_expect(end - next >= 2, 1)) {
        uint32_t first = next[0], second = next[1];
        if (first < 0x80) {
            *out = first;
            return next + 1;
        }
        if (second < 0x80) {
            *out = (first & 0x7f) | second << 7;
            return next + 2;
        }
    }
    return uvarint_get_slow(next, end, out);
}

/* Zigzag, 64 bits. */
static inline const uint8_t *varint_get(const uint8_t *next, const uint8_t *end, int64_t *out)
{
    uint64_t raw = 0;
    next = uvarint_get(next, end, &raw);
    *out = (int64_t)((raw >> 1) ^ (~(raw & 1) + 1));
    return next;
}

/* dest has VARINT_MAX_BYTES; returns the length. */
static inline size_t uvarint_put(uint8_t *dest, uint64_t value)
{
    size_t length = 0;
    while (value >= 0x80) {
        dest[length++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    dest[length++] = (uint8_t)value;
    return length;
}
static inline size_t varint_put(uint8_t *dest, int64_t value)
{
    return uvarint_put(dest, ((uint64_t)value << 1) ^ (uint64_t)(value >> 63));
}
static inline size_t varint_size(int64_t value)
{
    uint64_t raw = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    return 1 + (size_t)(63 - __builtin_clzll(raw | 1)) / 7;
}

#endif
