/* record_batch - any bytes as a record batch: header, CRC, records, headers, decompression. The
 * first byte says whether the CRC is made true, so that what lies behind it is reached. */
#include <stddef.h>
#include <stdint.h>

#include "base/crc32c.h"
#include "kafka/bytes.h"
#include "kafka/record.h"

static void read_all(const struct record_batch *batch, struct buf *scratch)
{
    struct record_cursor cursor;
    struct record records[16];
    struct record_header header;
    uint32_t count = 1;
    if (record_cursor_open(&cursor, batch, scratch, 1 << 18, NULL) != OK)
        return;
    while (count && record_cursor_read(&cursor, records, 16, &count, NULL) == OK)
        for (uint32_t i = 0; i < count; i++)
            while (record_headers_next(&records[i], &header, NULL) == OK)
                if (header.value_bytes > 0 && header.key_bytes > 0 &&
                    header.value[header.value_bytes - 1] == header.key[header.key_bytes - 1])
                    count += 0; /* touched: a sanitizer sees pointers that lead outside */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct record_batch batch;
    struct record_summary summary;
    struct buf scratch;
    if (size == 0)
        return 0;
    uint8_t *copy = mem_alloc(size);
    if (!copy)
        return 0;
    memcpy(copy, data + 1, size - 1);
    size_t size_bytes = size - 1;
    buf_init(&scratch, 1 << 20);
    if (data[0] & 1 && size_bytes >= RECORD_BATCH_HEADER_BYTES) {
        put_be32(copy + 8, (uint32_t)(size_bytes - RECORD_BATCH_PREFIX_BYTES));
        put_be32(copy + 17, crc32c(0, copy + 21, size_bytes - 21));
    }
    if (record_batch_parse(&batch, copy, size_bytes, NULL) == OK) {
        bool good = record_batch_validate(&batch, &scratch, 1 << 18, &summary, NULL) == OK;
        if (good && batch.record_count == 0)
            __builtin_trap();
        read_all(&batch, &scratch);
    }
    buf_fini(&scratch);
    mem_free(copy);
    return 0;
}
