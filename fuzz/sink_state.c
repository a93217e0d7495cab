/* sink_state - any bytes as what a checkpoint keeps of an exactly-once sink: an error, or a state
 * that is saved as bytes which are the same state again. */
#include <stddef.h>
#include <stdint.h>

#include "operator/committer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct committer_state state = {0}, again = {0};
    struct buf saved;
    buf_init(&saved, (size_t)1 << 28);
    if (committer_state_load(&state, data, size, NULL) == OK) {
        committer_state_save(&state, UINT64_MAX, &saved);
        if (!saved.failed && (committer_state_load(&again, saved.data, saved.length, NULL) != OK ||
                              again.count != state.count))
            __builtin_trap();
    }
    committer_state_fini(&state);
    committer_state_fini(&again);
    buf_fini(&saved);
    return 0;
}
