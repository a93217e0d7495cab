/* crc32c.h - CRC-32C (Castagnoli), as in Kafka's record batches and on all of leat's own blocks.
 * Uses SSE4.2 (and PCLMUL interleaving) where the processor has them; chosen at run time. */
#ifndef LEAT_BASE_CRC32C_H
#define LEAT_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc of an earlier part, or 0. crc32c(crc32c(0, a), b) = crc32c(0, a b). */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t size_bytes);

/* The same without special instructions, whatever the processor; crc32c falls back to it. */
uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t size_bytes);

#endif
