/* function_temporal.c - parts of times (EXTRACT, YEAR ...), FLOOR and CEIL to a unit, TIMESTAMPADD
 * and TIMESTAMPDIFF.
 *
 * Does not: text (function_time_text.c), the clock (function_clock.c), + and - with intervals
 * (arithmetic_time.c). TIMESTAMP_LTZ is looked at in the session's zone. Flink's own rules are
 * kept: weeks of FLOOR begin on Sunday, CEIL to units above a day looks at the date alone,
 * TIMESTAMPDIFF cuts towards zero and gives INT.
 */
#include "function/families.h"
#include "function/floor_time.h"
#include "function/temporal.h"

const enum time_unit TIME_UNIT_STATES[UNIT_COUNT] = {
#define X(name) [UNIT_##name] = UNIT_##name,
    TIME_UNITS(X)
#undef X
};

static const char *const unit_names[UNIT_COUNT] = {
#define X(name) [UNIT_##name] = #name,
    TIME_UNITS(X)
#undef X
};

enum status bind_unit(const struct function_bind *bind, uint32_t i, const char *function,
                      enum time_unit *out, struct error *err)
{
    struct str name;
    if (!bind_constant_text(bind, i, &name)) {
        error_set(err, ERR_TYPE, "%s takes the name of a unit of time", function);
        goto failed;
    }
    const struct str odbc = STR("SQL_TSI_"); /* ODBC's names of the units */
    if (name.length > odbc.length && str_eq_nocase((struct str){name.data, odbc.length}, odbc)) {
        name.data += odbc.length;
        name.length -= odbc.length;
    }
    for (int unit = 0; unit < UNIT_COUNT; unit++)
        if (str_eq_nocase(name, str_of(unit_names[unit]))) {
            *out = (enum time_unit)unit;
            return OK;
        }
    error_set(err, ERR_UNSUPPORTED, "%s does not know the unit %.*s", function, (int)name.length,
              name.data);
failed:
    if (err)
        error_at(err, bind->pos);
    return err ? err->code : ERR_TYPE;
}

static enum status refuse_unit(const struct function_bind *bind, const char *function,
                               enum time_unit unit, const struct type *type, struct error *err)
{
    struct buf text;
    buf_init(&text, 256);
    type_format(&text, type);
    error_set(err, ERR_UNSUPPORTED, "%s does not take %s with the unit %s", function,
              buf_text(&text), unit_names[unit]);
    buf_fini(&text);
    if (err)
        error_at(err, bind->pos);
    return ERR_UNSUPPORTED;
}

/* ---- EXTRACT ---- */

static int32_t period_of(int32_t year, int32_t years)
{
    return year > 0 ? (year + years - 1) / years : (year - years + 1) / years;
}

static int64_t date_part(enum time_unit unit, int32_t days)
{
    int32_t year, month, day, iso_year;
    calendar_civil_from_days(days, &year, &month, &day);
    switch (unit) {
    case UNIT_MILLENNIUM:
        return period_of(year, 1000);
    case UNIT_CENTURY:
        return period_of(year, 100);
    case UNIT_DECADE:
        return year / 10;
    case UNIT_YEAR:
        return year;
    case UNIT_QUARTER:
        return (month + 2) / 3;
    case UNIT_MONTH:
        return month;
    case UNIT_DOW:
        return calendar_day_of_week(days);
    case UNIT_ISODOW:
        return (calendar_day_of_week(days) + 5) % 7 + 1;
    case UNIT_DOY:
        return days - calendar_days(year, 1, 1) + 1;
    case UNIT_WEEK:
        return calendar_iso_week(days, &iso_year);
    case UNIT_ISOYEAR:
        calendar_iso_week(days, &iso_year);
        return iso_year;
    default:
        return day;
    }
}

/* us: from midnight. Parts below the second count within the second. */
static int64_t clock_part(enum time_unit unit, int64_t us, int64_t nanosecond_rest)
{
    switch (unit) {
    case UNIT_HOUR:
        return us / US_PER_HOUR;
    case UNIT_MINUTE:
        return us / US_PER_MINUTE % 60;
    case UNIT_SECOND:
        return us / US_PER_SECOND % 60;
    case UNIT_MILLISECOND:
        return us / US_PER_MS % 1000;
    case UNIT_MICROSECOND:
        return us % US_PER_SECOND;
    default:
        return us % US_PER_SECOND * 1000 + nanosecond_rest;
    }
}

static bool is_clock_unit(enum time_unit unit)
{
    return unit >= UNIT_HOUR && unit <= UNIT_NANOSECOND;
}

static void run_extract_time(struct function_call *call)
{
    enum time_unit unit = *(const enum time_unit *)call->state;
    const struct vec *arg = call->args[call->arg_count - 1];
    int64_t *out = call->out->values;
    int64_t last_days = INT64_MIN, last_part = 0; /* rows mostly share the day of the row before */
    CALL_ROWS(call, row)
    {
        int64_t us = arg_local_us(call, arg, row), days = floor_div(us, US_PER_DAY);
        if (unit == UNIT_EPOCH) {
            out[row] = us / US_PER_SECOND;
        } else if (!is_clock_unit(unit)) {
            if (days != last_days)
                last_part = date_part(unit, (int32_t)days);
            last_days = days;
            out[row] = last_part;
        } else {
            out[row] = clock_part(unit, us - days * US_PER_DAY, arg_rest_ns(arg, row));
        }
    }
}

static void run_extract_months(struct function_call *call)
{
    enum time_unit unit = *(const enum time_unit *)call->state;
    const struct vec *arg = call->args[call->arg_count - 1];
    int64_t *out = call->out->values;
    CALL_ROWS(call, row)
    {
        int64_t months = ((const int32_t *)arg->values)[row & arg_mask(arg)];
        out[row] = unit == UNIT_YEAR      ? months / 12
                   : unit == UNIT_QUARTER ? months % 12 / 3 + 1
                                          : months % 12;
    }
}

static void run_extract_interval(struct function_call *call)
{
    enum time_unit unit = *(const enum time_unit *)call->state;
    const struct vec *arg = call->args[call->arg_count - 1];
    int64_t *out = call->out->values;
    CALL_ROWS(call, row)
    {
        int64_t ms = arg_i64(arg, row), day_ms = US_PER_DAY / US_PER_MS;
        out[row] = unit == UNIT_DAY     ? ms / day_ms
                   : unit == UNIT_EPOCH ? ms / 1000
                                        : clock_part(unit, ms % day_ms * US_PER_MS, 0);
    }
}

static enum status bind_part(struct function_bind *bind, const char *name, enum time_unit unit,
                             struct error *err)
{
    uint32_t last = bind->arg_count - 1;
    if (bind->arg_types[last]->root == TYPE_NULL)
        bind->arg_types[last] = &TYPE_OF_TIMESTAMP_3;
    const struct type *type = bind->arg_types[last];
    function_kernel kernel = run_extract_time;
    bool good = type_is_timestamp(type) || type->root == TYPE_DATE;
    if (type->root == TYPE_TIME)
        good = is_clock_unit(unit);
    else if (type->root == TYPE_INTERVAL_YEAR_MONTH) {
        kernel = run_extract_months;
        good = unit == UNIT_YEAR || unit == UNIT_QUARTER || unit == UNIT_MONTH;
    } else if (type->root == TYPE_INTERVAL_DAY_TIME) {
        kernel = run_extract_interval;
        good = unit == UNIT_DAY || unit == UNIT_EPOCH || is_clock_unit(unit);
    }
    if (!good)
        return refuse_unit(bind, name, unit, type, err);
    bind->state = &TIME_UNIT_STATES[unit];
    return bind_result(bind, &TYPE_OF_BIGINT, false, kernel, err);
}

static enum status bind_extract(struct function_bind *bind, struct error *err)
{
    enum time_unit unit;
    TRY(bind_unit(bind, 0, "EXTRACT", &unit, err));
    return bind_part(bind, "EXTRACT", unit, err);
}

#define BIND_PART(name, unit)                                                                      \
    static enum status bind_##name(struct function_bind *bind, struct error *err)                  \
    {                                                                                              \
        return bind_part(bind, #name, UNIT_##unit, err);                                           \
    }
BIND_PART(YEAR, YEAR)
BIND_PART(QUARTER, QUARTER)
BIND_PART(MONTH, MONTH)
BIND_PART(WEEK, WEEK)
BIND_PART(DAYOFYEAR, DOY)
BIND_PART(DAYOFMONTH, DAY)
BIND_PART(DAYOFWEEK, DOW)
BIND_PART(HOUR, HOUR)
BIND_PART(MINUTE, MINUTE)
BIND_PART(SECOND, SECOND)

/* ---- FLOOR, CEIL to a unit ---- */

/* Length of the units that are multiples of microseconds; 0 for the others. */
static int64_t unit_us(enum time_unit unit)
{
    switch (unit) {
    case UNIT_DAY:
        return US_PER_DAY;
    case UNIT_HOUR:
        return US_PER_HOUR;
    case UNIT_MINUTE:
        return US_PER_MINUTE;
    case UNIT_SECOND:
        return US_PER_SECOND;
    case UNIT_MILLISECOND:
        return US_PER_MS;
    case UNIT_MICROSECOND:
        return 1;
    default:
        return 0;
    }
}

/* The first day of the period of the unit that holds the day, or (up) of the next one: where the
 * day is the first already, that day for YEAR, QUARTER, MONTH, WEEK, the next period for the
 * longer. */
static int32_t floor_days(enum time_unit unit, int32_t days, bool up)
{
    int32_t year, month, day;
    calendar_civil_from_days(days, &year, &month, &day);
    switch (unit) {
    case UNIT_MILLENNIUM:
        return calendar_days(1000 * ((year + 999) / 1000) + (up ? 1 : -999), 1, 1);
    case UNIT_CENTURY:
        return calendar_days(100 * ((year + 99) / 100) + (up ? 1 : -99), 1, 1);
    case UNIT_DECADE:
        return calendar_days(10 * (year / 10 + up), 1, 1);
    case UNIT_YEAR:
        return calendar_days(year + (up && (month > 1 || day > 1)), 1, 1);
    case UNIT_QUARTER: {
        int32_t quarter = (month + 2) / 3 + (up && (month > 1 || day > 1));
        return calendar_days(year + (quarter > 4), (quarter > 4 ? 1 : quarter) * 3 - 2, 1);
    }
    case UNIT_MONTH:
        month += up && day > 1;
        return calendar_days(year + (month > 12), month > 12 ? 1 : month, 1);
    default: { /* WEEK */
        int32_t from_sunday = calendar_day_of_week(days) - 1;
        return days - from_sunday + (up && from_sunday > 0 ? 7 : 0);
    }
    }
}

static void floor_time(struct function_call *call, bool up)
{
    enum time_unit unit = *(const enum time_unit *)call->state;
    int64_t size = unit_us(unit);
    bool next_day = up && unit == UNIT_DAY && call->out->type->root == TYPE_DATE;
    CALL_ROWS(call, row)
    {
        int64_t us = arg_local_us(call, call->args[0], row);
        if (next_day)
            us += US_PER_DAY;
        else if (size > 0)
            us = floor_div(up ? us + size - 1 : us, size) * size;
        else
            us = floor_days(unit, (int32_t)floor_div(us, US_PER_DAY), up) * US_PER_DAY;
        set_local_us(call, row, us);
    }
}

static void run_floor_time(struct function_call *call)
{
    floor_time(call, false);
}

static void run_ceil_time(struct function_call *call)
{
    floor_time(call, true);
}

enum status bind_floor_time(struct function_bind *bind, const char *name, bool up,
                            struct error *err)
{
    enum time_unit unit;
    TRY(bind_unit(bind, 1, name, &unit, err));
    if (bind->arg_types[0]->root == TYPE_NULL)
        bind->arg_types[0] = &TYPE_OF_TIMESTAMP_3;
    const struct type *type = bind->arg_types[0];
    bool date_unit = unit <= UNIT_DAY && unit != UNIT_ISOYEAR;
    bool clock_unit = unit >= UNIT_HOUR && unit <= UNIT_MICROSECOND;
    bool good = type->root == TYPE_DATE   ? date_unit
                : type->root == TYPE_TIME ? clock_unit
                : type_is_timestamp(type) ? date_unit || clock_unit
                                          : false;
    if (!good)
        return refuse_unit(bind, name, unit, type, err);
    bind->state = &TIME_UNIT_STATES[unit];
    const struct type *plain = type_with_time_attribute(bind->arena, type, TIME_ATTRIBUTE_NONE);
    return bind_result(bind, plain, false, up ? run_ceil_time : run_floor_time, err);
}

/* ---- TIMESTAMPADD ---- */

static int64_t months_in(enum time_unit unit)
{
    return unit == UNIT_MILLENNIUM ? 12000
           : unit == UNIT_CENTURY  ? 1200
           : unit == UNIT_DECADE   ? 120
           : unit == UNIT_YEAR     ? 12
           : unit == UNIT_QUARTER  ? 3
           : unit == UNIT_MONTH    ? 1
                                   : 0;
}

static int64_t added_unit_us(enum time_unit unit)
{
    return unit == UNIT_WEEK ? 7 * US_PER_DAY : unit_us(unit);
}

/* An instant plus a length needs no zone; plus months it does. */
static bool add_us(struct function_call *call, enum time_unit unit, uint32_t row, int64_t *us)
{
    const struct vec *arg = call->args[2];
    int64_t count = arg_i64(call->args[1], row), months = months_in(unit);
    if (arg->type->root == TYPE_TIME && unit <= UNIT_DAY) { /* whole days turn no clock */
        *us = arg_local_us(call, arg, row);
        return true;
    }
    if (months > 0) {
        if (count > 120000 || count < -120000)
            return false;
        *us = calendar_add_months(arg_local_us(call, arg, row), count * months);
        return *us >= STAMP_US_MIN && *us <= STAMP_US_MAX;
    }
    bool instant = arg->type->root == TYPE_TIMESTAMP_LTZ;
    int64_t added;
    *us = instant ? arg_stamp_us(arg, row) : arg_local_us(call, arg, row);
    if (__builtin_mul_overflow(count, added_unit_us(unit), &added) ||
        __builtin_add_overflow(*us, added, us) || *us < STAMP_US_MIN || *us > STAMP_US_MAX)
        return false;
    if (instant)
        *us = zone_utc_to_local(call->context->zone, *us);
    return true;
}

static void run_timestampadd(struct function_call *call)
{
    enum time_unit unit = *(const enum time_unit *)call->state;
    CALL_ROWS(call, row)
    {
        int64_t us;
        if (add_us(call, unit, row, &us))
            set_local_us(call, row, us);
        else
            call_fail(call, row, ERR_RANGE, "TIMESTAMPADD leaves the years 1 to 9999");
    }
}

/* A length added to an instant, without the way through the zone and its gaps. */
static void run_timestampadd_instant(struct function_call *call)
{
    enum time_unit unit = *(const enum time_unit *)call->state;
    int64_t size = added_unit_us(unit), *out = call->out->values;
    unsigned scale = call->out->type->precision > 6 ? 1000 : 1;
    CALL_ROWS(call, row)
    {
        int64_t added, us;
        if (__builtin_mul_overflow(arg_i64(call->args[1], row), size, &added) ||
            __builtin_add_overflow(arg_stamp_us(call->args[2], row), added, &us) ||
            us < STAMP_US_MIN || us > STAMP_US_MAX)
            call_fail(call, row, ERR_RANGE, "TIMESTAMPADD leaves the years 1 to 9999");
        else
            out[row] = us * scale;
    }
}

static enum status bind_timestampadd(struct function_bind *bind, struct error *err)
{
    enum time_unit unit;
    TRY(bind_unit(bind, 0, "TIMESTAMPADD", &unit, err));
    if (bind->arg_types[2]->root == TYPE_TIME) {
        if (unit > UNIT_MILLISECOND)
            return refuse_unit(bind, "TIMESTAMPADD", unit, bind->arg_types[2], err);
        const struct type *count = bind->arg_types[1];
        if (!type_is_integer(count) && count->root != TYPE_NULL)
            return bind_type_error(bind, "TIMESTAMPADD", "a unit, an integer and a time", err);
        bind->arg_types[1] = type_with_nullable(bind->arena, &TYPE_OF_BIGINT, count->nullable);
    } else {
        TRY(bind_args(bind, "TIMESTAMPADD", "sit", "a unit, an integer and a time", err));
    }
    const struct type *type = bind->arg_types[2];
    if (months_in(unit) == 0 && added_unit_us(unit) == 0)
        return refuse_unit(bind, "TIMESTAMPADD", unit, type, err);
    bind->state = &TIME_UNIT_STATES[unit];
    bool instant = type->root == TYPE_TIMESTAMP_LTZ && months_in(unit) == 0;
    unsigned precision = unit == UNIT_MILLISECOND ? 3 : unit == UNIT_MICROSECOND ? 6 : 0;
    if (type->root == TYPE_DATE && unit >= UNIT_HOUR)
        type = type_temporal(bind->arena, TYPE_TIMESTAMP, 6, type->nullable);
    else if (type_is_timestamp(type))
        type = type_temporal(bind->arena, type->root,
                             type->precision > precision ? type->precision : precision,
                             type->nullable);
    return bind_result(bind, type, false, instant ? run_timestampadd_instant : run_timestampadd,
                       err);
}

/* ---- TIMESTAMPDIFF ---- */

static int32_t add_months_to_days(int32_t days, int32_t months)
{
    return (int32_t)floor_div(calendar_add_months(days * US_PER_DAY, months), US_PER_DAY);
}

/* Whole months from the earlier to the later day. */
static int32_t months_between_days(int32_t later, int32_t earlier)
{
    int32_t months = (later - earlier) / 31; /* not too many */
    while (add_months_to_days(earlier, months) < later &&
           add_months_to_days(earlier, months + 1) <= later)
        months++;
    return months;
}

/* Flink's rule: the time of day counts forwards only. */
static int64_t months_between(int64_t from_us, int64_t to_us)
{
    int32_t from = (int32_t)floor_div(from_us, US_PER_DAY);
    int32_t to = (int32_t)floor_div(to_us, US_PER_DAY);
    int32_t months = to < from ? -months_between_days(from, to) : months_between_days(to, from);
    int64_t from_clock = from_us - from * US_PER_DAY, to_clock = to_us - to * US_PER_DAY;
    if (months > 0 && add_months_to_days(from, months) == to && to_clock < from_clock)
        months--;
    return months;
}

static void run_timestampdiff(struct function_call *call)
{
    enum time_unit unit = *(const enum time_unit *)call->state;
    int64_t months = months_in(unit), size = added_unit_us(unit);
    bool instants = call->args[1]->type->root == TYPE_TIMESTAMP_LTZ &&
                    call->args[2]->type->root == TYPE_TIMESTAMP_LTZ && months == 0;
    int32_t *out = call->out->values;
    CALL_ROWS(call, row)
    {
        int64_t from =
            instants ? arg_stamp_us(call->args[1], row) : arg_local_us(call, call->args[1], row);
        int64_t to =
            instants ? arg_stamp_us(call->args[2], row) : arg_local_us(call, call->args[2], row);
        out[row] = (int32_t)(months > 0 ? months_between(from, to) / months : (to - from) / size);
    }
}

static enum status bind_timestampdiff(struct function_bind *bind, struct error *err)
{
    enum time_unit unit;
    TRY(bind_unit(bind, 0, "TIMESTAMPDIFF", &unit, err));
    TRY(bind_args(bind, "TIMESTAMPDIFF", "stt", "a unit and two dates or timestamps", err));
    if (months_in(unit) == 0 && added_unit_us(unit) == 0)
        return refuse_unit(bind, "TIMESTAMPDIFF", unit, bind->arg_types[1], err);
    bind->state = &TIME_UNIT_STATES[unit];
    return bind_result(bind, &TYPE_OF_INT, false, run_timestampdiff, err);
}

#define STRICT FUNCTION_STRICT

const struct function_def FUNCTIONS_TEMPORAL[] = {
    {"DAYOFMONTH", "DAYOFMONTH(date)", "The day of the month, 1 to 31.", "temporal", STRICT, 1, 1,
     bind_DAYOFMONTH},
    {"DAYOFWEEK", "DAYOFWEEK(date)", "The day of the week, 1 (Sunday) to 7.", "temporal", STRICT, 1,
     1, bind_DAYOFWEEK},
    {"DAYOFYEAR", "DAYOFYEAR(date)", "The day of the year, 1 to 366.", "temporal", STRICT, 1, 1,
     bind_DAYOFYEAR},
    {"EXTRACT", "EXTRACT(unit FROM time)",
     "The part of the time, date or interval that unit names.", "temporal", STRICT, 2, 2,
     bind_extract},
    {"HOUR", "HOUR(timestamp)", "The hour of the day, 0 to 23.", "temporal", STRICT, 1, 1,
     bind_HOUR},
    {"MINUTE", "MINUTE(timestamp)", "The minute of the hour, 0 to 59.", "temporal", STRICT, 1, 1,
     bind_MINUTE},
    {"MONTH", "MONTH(date)", "The month, 1 to 12.", "temporal", STRICT, 1, 1, bind_MONTH},
    {"QUARTER", "QUARTER(date)", "The quarter of the year, 1 to 4.", "temporal", STRICT, 1, 1,
     bind_QUARTER},
    {"SECOND", "SECOND(timestamp)", "The second of the minute, 0 to 59.", "temporal", STRICT, 1, 1,
     bind_SECOND},
    {"TIMESTAMPADD", "TIMESTAMPADD(unit, count, time)", "The time so many units later.", "temporal",
     STRICT | FUNCTION_CAN_FAIL, 3, 3, bind_timestampadd},
    {"TIMESTAMPDIFF", "TIMESTAMPDIFF(unit, from, to)",
     "The number of whole units from one time to the other.", "temporal", STRICT, 3, 3,
     bind_timestampdiff},
    {"WEEK", "WEEK(date)", "The week of the year (ISO 8601), 1 to 53.", "temporal", STRICT, 1, 1,
     bind_WEEK},
    {"YEAR", "YEAR(date)", "The year.", "temporal", STRICT, 1, 1, bind_YEAR},
};
const size_t FUNCTIONS_TEMPORAL_COUNT = sizeof FUNCTIONS_TEMPORAL / sizeof *FUNCTIONS_TEMPORAL;
