/* decompress - any bytes through every decompressor: an error or at most the cap, never a crash.
 * The first byte chooses the kind. */
#include <stddef.h>
#include <stdint.h>

#include "base/compress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct buf out;
    buf_init(&out, 1 << 20);
    if (decompress_append(&out, (enum compression)(data[0] % 5), data + 1, size - 1, 1 << 18,
                          NULL) == OK &&
        out.length > 1 << 18)
        __builtin_trap();
    buf_fini(&out);
    return 0;
}
