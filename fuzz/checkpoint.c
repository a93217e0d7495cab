/* checkpoint - any bytes as a manifest and as a block of state: an error, or something that can be
 * walked to its end. The first byte says which; 0x10 makes the checksums right, so that what lies
 * behind them is reached. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/crc32c.h"
#include "state/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_u32(uint8_t *dest, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        dest[i] = (uint8_t)(value >> (8 * i));
}

static void walk_block(uint8_t *bytes, size_t size, int fix)
{
    struct state_block_info info;
    struct state_records records;
    struct state_record record;
    size_t seen = 0;
    if (fix && size >= STATE_BLOCK_HEADER_BYTES) {
        memcpy(bytes, "LKS1", 4);
        put_u32(bytes + 8, (uint32_t)(size - STATE_BLOCK_HEADER_BYTES));
        put_u32(bytes + 4, crc32c(0, bytes + 8, size - 8));
    }
    if (state_block_check(bytes, size, &info, NULL) != OK)
        return;
    state_records_init(&records, bytes, &info);
    while (state_records_next(&records, &record, NULL) == OK)
        seen += record.key_bytes + record.value_bytes;
    if (seen > size)
        __builtin_trap();
}

static void walk_manifest(uint8_t *bytes, size_t size, int fix)
{
    struct checkpoint checkpoint;
    if (fix && size >= 12) {
        memcpy(bytes, "LKM1", 4);
        put_u32(bytes + 8, (uint32_t)(size - 12));
        put_u32(bytes + 4, crc32c(0, bytes + 8, size - 8));
    }
    if (checkpoint_decode(bytes, size, &checkpoint, NULL) != OK)
        return;
    struct buf again;
    buf_init(&again, (size_t)1 << 28);
    checkpoint_encode(&checkpoint, &again);
    struct checkpoint second;
    if (!again.failed) {
        if (checkpoint_decode(again.data, again.length, &second, NULL) != OK ||
            second.operator_count != checkpoint.operator_count ||
            second.segment_count != checkpoint.segment_count)
            __builtin_trap();
        arena_fini(&second.arena);
    }
    buf_fini(&again);
    arena_fini(&checkpoint.arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t copy[1 << 16];
    if (size < 1 || size > sizeof(copy))
        return 0;
    memcpy(copy, data + 1, size - 1);
    if (data[0] & 1)
        walk_block(copy, size - 1, data[0] & 0x10);
    else
        walk_manifest(copy, size - 1, data[0] & 0x10);
    return 0;
}
