/* temporal.h - units of time and access to temporal arguments, for the function_t* and clock
 * files. */
#ifndef LEAT_FUNCTION_TEMPORAL_H
#define LEAT_FUNCTION_TEMPORAL_H

#include "function/bind_args.h"

#define US_PER_HOUR   (INT64_C(3600) * US_PER_SECOND)
#define US_PER_MINUTE (INT64_C(60) * US_PER_SECOND)

/* X(name): every unit that EXTRACT, FLOOR, TIMESTAMPADD or TIMESTAMPDIFF know. */
#define TIME_UNITS(X)                                                                              \
    X(MILLENNIUM)                                                                                  \
    X(CENTURY)                                                                                     \
    X(DECADE)                                                                                      \
    X(YEAR)                                                                                        \
    X(ISOYEAR)                                                                                     \
    X(QUARTER)                                                                                     \
    X(MONTH)                                                                                       \
    X(WEEK)                                                                                        \
    X(DAY)                                                                                         \
    X(DOW)                                                                                         \
    X(ISODOW)                                                                                      \
    X(DOY)                                                                                         \
    X(HOUR)                                                                                        \
    X(MINUTE)                                                                                      \
    X(SECOND)                                                                                      \
    X(MILLISECOND)                                                                                 \
    X(MICROSECOND)                                                                                 \
    X(NANOSECOND)                                                                                  \
    X(EPOCH)

enum time_unit {
#define X(name) UNIT_##name,
    TIME_UNITS(X)
#undef X
        UNIT_COUNT
};

/* Kernel state: a pointer to one of these. */
extern const enum time_unit TIME_UNIT_STATES[UNIT_COUNT];

/* The unit that constant argument i names. ERR_UNSUPPORTED names another word. */
enum status bind_unit(const struct function_bind *bind, uint32_t i, const char *function,
                      enum time_unit *out, struct error *err) STATUS_CHECKED;

static inline int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Microseconds (rounded down) of a TIMESTAMP or TIMESTAMP_LTZ of any precision, as stored. */
static inline int64_t arg_stamp_us(const struct vec *arg, uint32_t row)
{
    int64_t value = arg_i64(arg, row);
    return arg->type->precision > 6 ? floor_div(value, 1000) : value;
}

/* The nanoseconds (0-999) below the microsecond; only timestamps of precision 7 to 9 have them. */
static inline int32_t arg_rest_ns(const struct vec *arg, uint32_t row)
{
    if (!type_is_timestamp(arg->type) || arg->type->precision <= 6)
        return 0;
    int64_t value = arg_i64(arg, row);
    return (int32_t)(value - floor_div(value, 1000) * 1000);
}

/* DATE, TIME, TIMESTAMP, or TIMESTAMP_LTZ in the session's zone, as local microseconds. */
static inline int64_t arg_local_us(const struct function_call *call, const struct vec *arg,
                                   uint32_t row)
{
    uint32_t at = row & arg_mask(arg);
    switch (arg->type->root) {
    case TYPE_DATE:
        return ((const int32_t *)arg->values)[at] * US_PER_DAY;
    case TYPE_TIME:
        return ((const int32_t *)arg->values)[at] * US_PER_MS;
    case TYPE_TIMESTAMP_LTZ:
        return zone_utc_to_local(call->context->zone, arg_stamp_us(arg, row));
    default:
        return arg_stamp_us(arg, row);
    }
}

/* Local microseconds as the row's result of call->out's type. */
static inline void set_local_us(struct function_call *call, uint32_t row, int64_t us)
{
    const struct type *type = call->out->type;
    if (type->root == TYPE_DATE) {
        ((int32_t *)call->out->values)[row] = (int32_t)floor_div(us, US_PER_DAY);
        return;
    }
    if (type->root == TYPE_TIME) {
        int64_t ms = floor_div(us, US_PER_MS) % (US_PER_DAY / US_PER_MS);
        ((int32_t *)call->out->values)[row] = (int32_t)(ms < 0 ? ms + US_PER_DAY / US_PER_MS : ms);
        return;
    }
    if (type->root == TYPE_TIMESTAMP_LTZ)
        us = zone_local_to_utc(call->context->zone, us);
    ((int64_t *)call->out->values)[row] = type->precision > 6 ? us * 1000 : us;
}

/* First and last microsecond of the years 1 to 9999. */
#define STAMP_US_MIN INT64_C(-62135596800000000)
#define STAMP_US_MAX INT64_C(253402300799999999)

#endif
