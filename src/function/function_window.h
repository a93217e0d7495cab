/* function_window.h - window_start, window_end, window_time of a TUMBLE table function as functions
 * of the row's time. Made by the planner only: no SQL name leads here. */
#ifndef LEAT_FUNCTION_FUNCTION_WINDOW_H
#define LEAT_FUNCTION_FUNCTION_WINDOW_H

#include "function/function.h"

enum window_bound { WINDOW_BOUND_START, WINDOW_BOUND_END, WINDOW_BOUND_TIME, WINDOW_BOUND_COUNT };

struct window_bound_state {
    int64_t size_us, offset_us;
    const struct zone *zone; /* time is TIMESTAMP_LTZ: windows follow local time; else NULL */
};

extern const struct function_def FUNCTIONS_WINDOW_BOUND[WINDOW_BOUND_COUNT];
extern const function_kernel FUNCTION_WINDOW_KERNELS[WINDOW_BOUND_COUNT];

/* Start of the window that holds time_us: the largest offset + n * size <= time_us. */
static inline int64_t window_start_us(int64_t time_us, int64_t size_us, int64_t offset_us)
{
    int64_t rest = (time_us - offset_us) % size_us;
    return time_us - (rest < 0 ? rest + size_us : rest);
}

#endif
