/* arithmetic_time.c - dates, times and timestamps plus or minus intervals; intervals among
 * themselves and times a number.
 *
 * Milliseconds of a day-time interval meet microseconds (precision <= 6) or nanoseconds of a
 * timestamp. A DATE plus a day-time interval stays a DATE unless the interval is a constant that is
 * not whole days: then it is a TIMESTAMP(0), as in Flink for intervals of hours and below. Months
 * clip the day to the month's end. TIME wraps around midnight.
 */
#include "base/must.h"
#include "function/arithmetic.h"

#define MS_PER_DAY INT64_C(86400000)

/* x: the timestamp, y: the interval in milliseconds. */
BINARY_KERNEL(us_add_ms, int64_t, int64_t, (uint64_t)x + (uint64_t)y * 1000)
BINARY_KERNEL(us_sub_ms, int64_t, int64_t, (uint64_t)x - (uint64_t)y * 1000)
BINARY_KERNEL(ns_add_ms, int64_t, int64_t, (uint64_t)x + (uint64_t)y * 1000000)
BINARY_KERNEL(ns_sub_ms, int64_t, int64_t, (uint64_t)x - (uint64_t)y * 1000000)
SLOW_KERNEL(add_64, int64_t, int64_t, (uint64_t)x + (uint64_t)y)
SLOW_KERNEL(sub_64, int64_t, int64_t, (uint64_t)x - (uint64_t)y)
SLOW_KERNEL(mul_64, int64_t, int64_t, (uint64_t)x *(uint64_t)y)
SLOW_KERNEL(add_32, int32_t, int32_t, (uint32_t)x + (uint32_t)y)
SLOW_KERNEL(sub_32, int32_t, int32_t, (uint32_t)x - (uint32_t)y)
SLOW_KERNEL(mul_32, int32_t, int32_t, (uint32_t)x *(uint32_t)y)

static const char minus_marker; /* state of the kernels below for a difference */

static int64_t signed_by(const struct function_call *call, int64_t value)
{
    return call->state == &minus_marker ? -value : value;
}

/* NULL rows come too (FUNCTION_ANY_VALUE) and may hold what calendar arithmetic does not take. */
static bool is_given(const struct function_call *call, uint32_t row)
{
    return arg_valid(call->args[0], row) && arg_valid(call->args[1], row);
}

static int32_t arg_i32(const struct vec *arg, uint32_t row)
{
    return ((const int32_t *)arg->values)[row & arg_mask(arg)];
}

static int64_t arg_i64(const struct vec *arg, uint32_t row)
{
    return ((const int64_t *)arg->values)[row & arg_mask(arg)];
}

static void date_ms(struct function_call *call)
{
    CALL_ROWS(call, row)
    {
        int64_t days = signed_by(call, arg_i64(call->args[1], row) / MS_PER_DAY);
        ((int32_t *)call->out->values)[row] = (int32_t)(arg_i32(call->args[0], row) + days);
    }
}

static void date_ms_timestamp(struct function_call *call)
{
    CALL_ROWS(call, row)
    {
        uint64_t date_us = (uint64_t)arg_i32(call->args[0], row) * (uint64_t)US_PER_DAY;
        uint64_t us = (uint64_t)arg_i64(call->args[1], row) * 1000;
        ((int64_t *)call->out->values)[row] =
            (int64_t)(call->state == &minus_marker ? date_us - us : date_us + us);
    }
}

static void time_ms(struct function_call *call)
{
    CALL_ROWS(call, row)
    {
        int64_t time = arg_i32(call->args[0], row) % MS_PER_DAY + MS_PER_DAY;
        int64_t ms = signed_by(call, arg_i64(call->args[1], row) % MS_PER_DAY);
        ((int32_t *)call->out->values)[row] = (int32_t)((time + ms) % MS_PER_DAY);
    }
}

static void date_months(struct function_call *call)
{
    CALL_ROWS(call, row)
    {
        if (!is_given(call, row))
            continue;
        int64_t months = signed_by(call, arg_i32(call->args[1], row));
        int64_t us = calendar_add_months(arg_i32(call->args[0], row) * US_PER_DAY, months);
        ((int32_t *)call->out->values)[row] = (int32_t)(us / US_PER_DAY - (us % US_PER_DAY < 0));
    }
}

static void timestamp_months(struct function_call *call)
{
    unsigned per_us = call->args[0]->type->precision > 6 ? 1000 : 1;
    CALL_ROWS(call, row)
    {
        if (!is_given(call, row))
            continue;
        int64_t value = arg_i64(call->args[0], row), rest = value % per_us;
        int64_t months = signed_by(call, arg_i32(call->args[1], row));
        int64_t us = calendar_add_months(value / per_us, months);
        ((int64_t *)call->out->values)[row] = (int64_t)((uint64_t)us * per_us) + rest;
    }
}

static function_kernel pick_date(struct function_bind *bind, const struct datum *interval,
                                 bool is_months)
{
    if (is_months)
        return date_months;
    if (!interval || interval->is_null || interval->i64 % MS_PER_DAY == 0)
        return date_ms;
    bind->result = type_temporal(bind->arena, TYPE_TIMESTAMP, 0, true);
    return date_ms_timestamp;
}

/* Sets kernel and result type; the kernel takes the temporal first. False: there is no such sum. */
static bool pick_temporal(struct function_bind *bind, const struct type *temporal,
                          const struct type *interval, const struct datum *constant, bool is_minus)
{
    bool is_months = interval->root == TYPE_INTERVAL_YEAR_MONTH;
    bind->result = type_with_time_attribute(bind->arena, temporal, TIME_ATTRIBUTE_NONE);
    bind->state = is_minus ? &minus_marker : NULL;
    if (temporal->root == TYPE_DATE)
        bind->kernel = pick_date(bind, constant, is_months);
    else if (temporal->root == TYPE_TIME)
        bind->kernel = is_months ? NULL : time_ms;
    else if (is_months)
        bind->kernel = timestamp_months;
    else if (temporal->precision > 6)
        bind->kernel = is_minus ? ns_sub_ms : ns_add_ms;
    else
        bind->kernel = is_minus ? us_sub_ms : us_add_ms;
    return bind->kernel != NULL;
}

struct swapped {
    function_kernel kernel;
    const void *state;
};

/* interval + temporal: the kernel wants them the other way round. */
static void swapped(struct function_call *call)
{
    const struct swapped *state = call->state;
    const struct vec *args[] = {call->args[1], call->args[0]};
    struct function_call inner = *call;
    inner.args = args;
    inner.state = state->state;
    state->kernel(&inner);
    call->status = inner.status;
}

static bool is_temporal(const struct type *type)
{
    return type->root >= TYPE_DATE && type->root <= TYPE_TIMESTAMP_LTZ;
}

static enum status bind_swapped(struct function_bind *bind, bool *handled, struct error *err)
{
    *handled =
        pick_temporal(bind, bind->arg_types[1], bind->arg_types[0], bind->arg_constants[0], false);
    struct swapped *state = ARENA_NEW(bind->arena, struct swapped);
    TRY(bind_check(bind, err));
    *state = (struct swapped){bind->kernel, bind->state};
    bind->kernel = swapped;
    bind->state = state;
    return OK;
}

/* interval * integer: both kinds compute in the interval's own width. */
static bool pick_scaled(struct function_bind *bind, int interval_index)
{
    const struct type *interval = bind->arg_types[interval_index];
    const struct type *number = bind->arg_types[1 - interval_index];
    bool is_months = interval->root == TYPE_INTERVAL_YEAR_MONTH;
    if (!type_is_integer(number) || (is_months && number->root == TYPE_BIGINT))
        return false;
    bind->arg_types[1 - interval_index] = type_with_nullable(
        bind->arena, is_months ? &TYPE_OF_INT : &TYPE_OF_BIGINT, number->nullable);
    bind->result = interval;
    bind->kernel = is_months ? mul_32 : mul_64;
    return true;
}

static bool pick_intervals(struct function_bind *bind, enum arithmetic_op op)
{
    if (bind->arg_types[0]->root != bind->arg_types[1]->root || op > ARITH_SUB)
        return false;
    bool is_months = bind->arg_types[0]->root == TYPE_INTERVAL_YEAR_MONTH;
    bind->result = bind->arg_types[0];
    if (is_months)
        bind->kernel = op == ARITH_ADD ? add_32 : sub_32;
    else
        bind->kernel = op == ARITH_ADD ? add_64 : sub_64;
    return true;
}

enum status bind_time_arithmetic(struct function_bind *bind, enum arithmetic_op op, bool *handled,
                                 struct error *err)
{
    const struct type *a = bind->arg_types[0], *b = bind->arg_types[1];
    bool interval_a = type_is_interval(a), interval_b = type_is_interval(b);
    if (is_temporal(a) && interval_b && op <= ARITH_SUB)
        *handled = pick_temporal(bind, a, b, bind->arg_constants[1], op == ARITH_SUB);
    else if (interval_a && is_temporal(b) && op == ARITH_ADD)
        TRY(bind_swapped(bind, handled, err));
    else if (interval_a && interval_b)
        *handled = pick_intervals(bind, op);
    else if ((interval_a || interval_b) && op == ARITH_MUL)
        *handled = pick_scaled(bind, interval_a ? 0 : 1);
    if (*handled)
        bind->result = bind_nullable(bind, bind->result);
    return OK;
}
