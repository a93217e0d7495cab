/* cast_time.c - between DATE, TIME, TIMESTAMP and TIMESTAMP_LTZ, and between precisions.
 *
 * Everything goes through local microseconds plus the nanoseconds below: TIMESTAMP_LTZ is UTC in
 * memory and becomes local by the session's zone. A smaller precision cuts. A TIME alone is on
 * 1970-01-01.
 */
#include "base/must.h"
#include "expr/cast_int.h"

struct moment {
    int64_t us;      /* local */
    int64_t rest_ns; /* 0-999 */
};

static struct moment read_moment(const struct function_call *call, uint32_t row)
{
    const struct vec *arg = call->args[0];
    uint32_t at = row & arg_mask(arg);
    struct moment moment = {0, 0};
    if (arg->type->root == TYPE_DATE) {
        moment.us = ((const int32_t *)arg->values)[at] * US_PER_DAY;
        return moment;
    }
    if (arg->type->root == TYPE_TIME) {
        moment.us = ((const int32_t *)arg->values)[at] * US_PER_MS;
        return moment;
    }
    moment.us = ((const int64_t *)arg->values)[at];
    if (arg->type->precision > 6) {
        moment.rest_ns = moment.us % 1000;
        moment.us = moment.us / 1000;
        if (moment.rest_ns < 0) {
            moment.rest_ns += 1000;
            moment.us--;
        }
    }
    if (arg->type->root == TYPE_TIMESTAMP_LTZ && call->out->type->root != TYPE_TIMESTAMP_LTZ)
        moment.us = zone_utc_to_local(call->context->zone, moment.us);
    return moment;
}

static int64_t floor_to(int64_t value, int64_t unit)
{
    int64_t rest = value % unit;
    return value - (rest < 0 ? rest + unit : rest);
}

static void write_moment(struct function_call *call, uint32_t row, struct moment moment)
{
    const struct type *to = call->out->type;
    const struct type *from = call->args[0]->type;
    if (to->root == TYPE_DATE) {
        ((int32_t *)call->out->values)[row] =
            (int32_t)(floor_to(moment.us, US_PER_DAY) / US_PER_DAY);
        return;
    }
    if (to->root == TYPE_TIME) {
        int64_t ms = (moment.us - floor_to(moment.us, US_PER_DAY)) / US_PER_MS;
        int64_t unit = to->precision < 3 ? DECIMAL_POW10_INT64[3 - to->precision] : 1;
        ((int32_t *)call->out->values)[row] = (int32_t)floor_to(ms, unit);
        return;
    }
    if (to->root == TYPE_TIMESTAMP_LTZ && from->root != TYPE_TIMESTAMP_LTZ)
        moment.us = zone_local_to_utc(call->context->zone, moment.us);
    if (to->precision < 6)
        moment.us = floor_to(moment.us, DECIMAL_POW10_INT64[6 - to->precision]);
    if (to->precision > 6)
        moment.us = (int64_t)((uint64_t)moment.us * 1000) +
                    floor_to(moment.rest_ns, DECIMAL_POW10_INT64[9 - to->precision]);
    ((int64_t *)call->out->values)[row] = moment.us;
}

static void convert(struct function_call *call)
{
    CALL_ROWS(call, row)
    write_moment(call, row, read_moment(call, row));
}

static bool is_temporal(const struct type *type)
{
    return type->root >= TYPE_DATE && type->root <= TYPE_TIMESTAMP_LTZ;
}

bool cast_times(const struct type *from, const struct type *to, struct cast_kernel *out)
{
    if (!is_temporal(from) || !is_temporal(to))
        return false;
    out->kernel = convert;
    return true;
}
