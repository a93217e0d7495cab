/* function_window.c - kernels of the window bounds.
 *
 * Consecutive rows mostly fall into the same window, so a kernel keeps the last window and divides
 * only when a row leaves it. window_time is the last millisecond of the window as a time attribute:
 * for TIMESTAMP_LTZ it is converted back to an instant, start and end stay local times (Flink).
 */
#include "function/function_window.h"

static void window_bound(struct function_call *call, enum window_bound bound)
{
    const struct window_bound_state *state = call->state;
    const struct vec *arg = call->args[0];
    const int64_t *times = arg->values;
    int64_t *out = call->out->values;
    bool constant = arg->form == VEC_CONSTANT;
    int64_t start = 0, end = INT64_MIN; /* no window yet: every time is at or past the end */

    for (uint32_t i = 0; i < call->count; i++) {
        uint32_t row = call->selection ? call->selection[i] : i;
        int64_t time_us = times[constant ? 0 : row];
        if (state->zone)
            time_us = zone_utc_to_local(state->zone, time_us);
        if (time_us < start || time_us >= end) {
            start = window_start_us(time_us, state->size_us, state->offset_us);
            end = start + state->size_us;
        }
        if (bound == WINDOW_BOUND_START)
            out[row] = start;
        else if (bound == WINDOW_BOUND_END)
            out[row] = end;
        else
            out[row] =
                state->zone ? zone_local_to_utc(state->zone, end - US_PER_MS) : end - US_PER_MS;
    }
}

static void kernel_start(struct function_call *call)
{
    window_bound(call, WINDOW_BOUND_START);
}

static void kernel_end(struct function_call *call)
{
    window_bound(call, WINDOW_BOUND_END);
}

static void kernel_time(struct function_call *call)
{
    window_bound(call, WINDOW_BOUND_TIME);
}

const function_kernel FUNCTION_WINDOW_KERNELS[WINDOW_BOUND_COUNT] = {kernel_start, kernel_end,
                                                                     kernel_time};

static enum status bind_refused(struct function_bind *bind, struct error *err)
{
    return error_set(err, ERR_UNSUPPORTED, "window bounds are made by the planner only");
}

const struct function_def FUNCTIONS_WINDOW_BOUND[WINDOW_BOUND_COUNT] = {
    {"WINDOW_START", "WINDOW_START(time)", "First instant of the row's window.", "window",
     FUNCTION_STRICT, 1, 1, bind_refused},
    {"WINDOW_END", "WINDOW_END(time)", "First instant after the row's window.", "window",
     FUNCTION_STRICT, 1, 1, bind_refused},
    {"WINDOW_TIME", "WINDOW_TIME(time)", "Last millisecond of the row's window.", "window",
     FUNCTION_STRICT, 1, 1, bind_refused},
};
