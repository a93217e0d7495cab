/* function_time_text.c - times from and to text and numbers: DATE_FORMAT, TO_DATE, TO_TIMESTAMP,
 * TO_TIMESTAMP_LTZ, FROM_UNIXTIME, UNIX_TIMESTAMP, CONVERT_TZ.
 *
 * A pattern is compiled when binding where it is a constant; a wrong constant pattern is an error
 * of the statement, a wrong one from a column fails the row. Text that does not fit its pattern
 * gives NULL, as in Flink; UNIX_TIMESTAMP gives the smallest BIGINT. Which functions read strictly
 * (java.time) and which leniently (SimpleDateFormat) is Flink's choice. Two differences: TO_DATE
 * with a pattern gives NULL where Flink gives a meaningless date, and CONVERT_TZ fails for an
 * unknown zone where Java takes GMT.
 */
#include <math.h>

#include "base/calendar_plain.h"
#include "function/families.h"
#include "function/temporal.h"

#define DEFAULT_PATTERN     STR("yyyy-MM-dd HH:mm:ss")
#define FORMATTED_BYTES_MAX (16 * CALENDAR_PATTERN_FIELDS_MAX)

/* ---- patterns ---- */

/* The pattern of the row: the call's constant one, or the last one compiled. */
struct pattern_use {
    const struct calendar_pattern *constant;
    struct calendar_pattern own;
    struct str own_text; /* in the argument's vector */
    bool own_good;
};

static struct pattern_use pattern_begin(const struct function_call *call)
{
    return (struct pattern_use){.constant = call->state};
}

/* NULL: the row's pattern is wrong; the row has failed. */
static const struct calendar_pattern *
pattern_of(struct pattern_use *use, struct function_call *call, uint32_t arg, uint32_t row)
{
    if (use->constant)
        return use->constant;
    struct str text = arg_str(call->args[arg], row);
    if (!use->own_text.data || !str_eq(use->own_text, text)) {
        struct error err = {0};
        use->own_good = calendar_pattern_compile(&use->own, text, &err) == OK;
        use->own_text = text;
        if (!use->own_good)
            call_fail(call, row, err.code, "%.140s", err.text);
    } else if (!use->own_good) {
        call_fail(call, row, ERR_DATA, "wrong date pattern '%.*s'",
                  text.length > 60 ? 60 : (int)text.length, text.data);
    }
    return use->own_good ? &use->own : NULL;
}

/* Compiles the constant pattern of argument i, or the default one when there is no such argument;
 * state stays NULL when it is no constant. */
static enum status bind_pattern(struct function_bind *bind, uint32_t i, struct error *err)
{
    struct str text = DEFAULT_PATTERN;
    if (i < bind->arg_count && !bind_constant_text(bind, i, &text))
        return OK;
    struct calendar_pattern *pattern = ARENA_NEW(bind->arena, struct calendar_pattern);
    TRY(bind_check(bind, err));
    enum status status = calendar_pattern_compile(pattern, text, err);
    if (status != OK && err)
        error_at(err, bind->pos);
    bind->state = pattern;
    return status;
}

/* ---- DATE_FORMAT, FROM_UNIXTIME ---- */

/* The last text a kernel has made. Rows of a stream follow each other in time, so most texts of a
 * pattern without seconds are that of the row before. */
struct formatted {
    int64_t unit_us; /* texts are equal within it; 0: unknown yet */
    int64_t key;
    size_t length; /* 0: none */
    char text[FORMATTED_BYTES_MAX];
};

static int64_t finest_unit_us(const struct calendar_pattern *pattern)
{
    int64_t unit = US_PER_DAY;
    for (uint32_t i = 0; i < pattern->field_count; i++) {
        char letter = pattern->fields[i].letter;
        int64_t own = letter == 'S'                            ? 1
                      : letter == 's'                          ? US_PER_SECOND
                      : letter == 'm'                          ? US_PER_MINUTE
                      : letter != 0 && strchr("HhKka", letter) ? US_PER_HOUR
                                                               : US_PER_DAY;
        unit = own < unit ? own : unit;
    }
    return unit;
}

static bool put_formatted(struct function_call *call, uint32_t row, struct formatted *last,
                          const struct calendar_pattern *pattern, int64_t us,
                          int32_t nanosecond_rest)
{
    if (us < STAMP_US_MIN || us > STAMP_US_MAX) {
        call_set_null(call, row);
        return true;
    }
    bool constant = call->state != NULL;
    if (last->unit_us == 0)
        last->unit_us = constant ? finest_unit_us(pattern) : 1;
    int64_t key = floor_div(us, last->unit_us);
    if (!constant || last->unit_us == 1 || last->length == 0 || key != last->key) {
        last->length =
            calendar_pattern_format(pattern, us, nanosecond_rest, last->text, sizeof last->text);
        last->key = key;
    }
    return call_set_text(call, row, last->text, last->length);
}

static void run_date_format(struct function_call *call)
{
    struct pattern_use use = pattern_begin(call);
    struct formatted last = {0};
    const struct vec *arg = call->args[0];
    CALL_ROWS(call, row)
    {
        const struct calendar_pattern *pattern = pattern_of(&use, call, 1, row);
        if (pattern && !put_formatted(call, row, &last, pattern, arg_local_us(call, arg, row),
                                      arg_rest_ns(arg, row)))
            return;
    }
}

/* The text is read with the default pattern first. */
static void run_date_format_text(struct function_call *call)
{
    struct pattern_use use = pattern_begin(call);
    struct formatted last = {0};
    struct calendar_pattern reader;
    if (calendar_pattern_compile(&reader, DEFAULT_PATTERN, NULL) != OK)
        return; /* cannot happen: the pattern is good */
    CALL_ROWS(call, row)
    {
        int64_t us;
        const struct calendar_pattern *pattern = pattern_of(&use, call, 1, row);
        if (!pattern)
            continue;
        if (!calendar_pattern_parse_lenient(&reader, arg_str(call->args[0], row), &us))
            call_set_null(call, row);
        else if (!put_formatted(call, row, &last, pattern, us, 0))
            return;
    }
}

static enum status bind_date_format(struct function_bind *bind, struct error *err)
{
    bool text = type_is_text(bind->arg_types[0]);
    TRY(bind_args(bind, "DATE_FORMAT", text ? "ss" : "ts",
                  "a date, timestamp or text, and a pattern", err));
    TRY(bind_pattern(bind, 1, err));
    return bind_result(bind, &TYPE_OF_STRING, true, text ? run_date_format_text : run_date_format,
                       err);
}

static void run_from_unixtime(struct function_call *call)
{
    struct pattern_use use = pattern_begin(call);
    struct formatted last = {0};
    CALL_ROWS(call, row)
    {
        int64_t seconds = arg_i64(call->args[0], row), us;
        const struct calendar_pattern *pattern = pattern_of(&use, call, 1, row);
        if (!pattern)
            continue;
        if (__builtin_mul_overflow(seconds, US_PER_SECOND, &us) || us < STAMP_US_MIN ||
            us > STAMP_US_MAX)
            call_set_null(call, row);
        else if (!put_formatted(call, row, &last, pattern,
                                zone_utc_to_local(call->context->zone, us), 0))
            return;
    }
}

static enum status bind_from_unixtime(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "FROM_UNIXTIME", "is", "an integer and a pattern", err));
    TRY(bind_pattern(bind, 1, err));
    return bind_result(bind, &TYPE_OF_STRING, true, run_from_unixtime, err);
}

/* ---- UNIX_TIMESTAMP ---- */

static void run_unix_now(struct function_call *call)
{
    int64_t *out = call->out->values;
    CALL_ROWS(call, row)
    out[row] = floor_div(call->context->now_us, US_PER_SECOND);
}

static void run_unix_timestamp(struct function_call *call)
{
    struct pattern_use use = pattern_begin(call);
    int64_t *out = call->out->values;
    CALL_ROWS(call, row)
    {
        int64_t us;
        const struct calendar_pattern *pattern = pattern_of(&use, call, 1, row);
        if (!pattern)
            continue;
        if (calendar_pattern_parse_lenient(pattern, arg_str(call->args[0], row), &us))
            out[row] = zone_local_to_utc(call->context->zone, us) / US_PER_SECOND;
        else
            out[row] = INT64_MIN;
    }
}

static enum status bind_unix_timestamp(struct function_bind *bind, struct error *err)
{
    if (bind->arg_count == 0)
        return bind_result(bind, &TYPE_OF_BIGINT, false, run_unix_now, err);
    TRY(bind_args(bind, "UNIX_TIMESTAMP", "s", "a text and a pattern", err));
    TRY(bind_pattern(bind, 1, err));
    return bind_result(bind, &TYPE_OF_BIGINT, false, run_unix_timestamp, err);
}

/* ---- TO_DATE ---- */

/* Up to nine digits with blanks around; false for anything else. */
static bool loose_number(struct str text, int32_t *out)
{
    int64_t value;
    text = str_trim(text);
    if (text.length == 0 || text.length > 9 || text.data[0] < '0' || text.data[0] > '9' ||
        !str_to_i64(text, &value, NULL))
        return false;
    *out = (int32_t)value;
    return true;
}

/* Flink's reading of a date: year, year-month or year-month-day; what follows a blank is ignored.
 */
static bool loose_date(struct str text, int32_t *out_days)
{
    const char *blank = text.length ? memchr(text.data, ' ', text.length) : NULL;
    if (blank && blank > text.data)
        text.length = (size_t)(blank - text.data);
    int32_t parts[3] = {0, 1, 1};
    for (int i = 0; i < 3; i++) {
        const char *hyphen = i < 2 && text.length ? memchr(text.data, '-', text.length) : NULL;
        size_t length = hyphen ? (size_t)(hyphen - text.data) : text.length;
        if (!loose_number((struct str){text.data, length}, &parts[i]))
            return false;
        if (!hyphen)
            break;
        text.data += length + 1;
        text.length -= length + 1;
    }
    struct civil civil = {.year = parts[0], .month = parts[1], .day = parts[2]};
    if (!calendar_valid(&civil))
        return false;
    *out_days = calendar_days(parts[0], parts[1], parts[2]);
    return true;
}

static void run_to_date(struct function_call *call)
{
    int32_t *out = call->out->values;
    CALL_ROWS(call, row)
    {
        if (!loose_date(arg_str(call->args[0], row), &out[row]))
            call_set_null(call, row);
    }
}

static void run_to_date_pattern(struct function_call *call)
{
    struct pattern_use use = pattern_begin(call);
    int32_t *out = call->out->values;
    CALL_ROWS(call, row)
    {
        int64_t us;
        const struct calendar_pattern *pattern = pattern_of(&use, call, 1, row);
        if (!pattern)
            continue;
        if (calendar_pattern_parse_lenient(pattern, arg_str(call->args[0], row), &us))
            out[row] = (int32_t)floor_div(us, US_PER_DAY);
        else
            call_set_null(call, row);
    }
}

static enum status bind_to_date(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "TO_DATE", "s", "a text and a pattern", err));
    bool with_pattern = bind->arg_count == 2;
    if (with_pattern)
        TRY(bind_pattern(bind, 1, err));
    return bind_result(bind, &TYPE_OF_DATE, true, with_pattern ? run_to_date_pattern : run_to_date,
                       err);
}

/* ---- TO_TIMESTAMP ---- */

/* The pattern, and where it does not fit "year-month-day [hour:minute:second[.fraction]]" (Flink's
 * second attempt; with the default pattern its only form). */
static bool read_timestamp(const struct calendar_pattern *pattern, struct str text, int64_t *us)
{
    if (calendar_pattern_parse(pattern, text, us))
        return true;
    if (!pattern->is_default)
        text = str_trim(text);
    return text.length <= 32 && !(text.length && memchr(text.data, 'T', text.length)) &&
           calendar_parse_timestamp(text, us);
}

/* The loop of nearly every pipeline: the default pattern over a column. */
static void run_to_timestamp_default(struct function_call *call)
{
    const struct calendar_pattern *pattern = call->state;
    const struct vec *texts = call->args[0];
    struct calendar_day_memo memo = {0};
    int64_t *out = call->out->values;
    CALL_ROWS(call, row)
    {
        const struct view *view = arg_view(texts, row);
        int64_t us;
        if (view->length == CALENDAR_PLAIN_BYTES &&
            calendar_parse_plain(view->data, false, &memo, &out[row]))
            continue;
        if (read_timestamp(pattern, view_str(view), &us))
            out[row] = floor_div(us, US_PER_MS) * US_PER_MS;
        else
            call_set_null(call, row);
    }
}

static void run_to_timestamp(struct function_call *call)
{
    struct pattern_use use = pattern_begin(call);
    int64_t *out = call->out->values;
    CALL_ROWS(call, row)
    {
        int64_t us;
        const struct calendar_pattern *pattern = pattern_of(&use, call, 1, row);
        if (!pattern)
            continue;
        if (read_timestamp(pattern, arg_str(call->args[0], row), &us))
            out[row] = floor_div(us, US_PER_MS) * US_PER_MS;
        else
            call_set_null(call, row);
    }
}

static enum status bind_to_timestamp(struct function_bind *bind, struct error *err)
{
    TRY(bind_args(bind, "TO_TIMESTAMP", "s", "a text and a pattern", err));
    TRY(bind_pattern(bind, 1, err));
    const struct calendar_pattern *pattern = bind->state;
    bool is_default = pattern && pattern->is_default;
    return bind_result(bind, &TYPE_OF_TIMESTAMP_3, true,
                       is_default ? run_to_timestamp_default : run_to_timestamp, err);
}

/* ---- zones by name ---- */

/* Kernel state of functions with zone arguments. */
struct zone_state {
    const struct calendar_pattern *pattern; /* NULL: of each row */
    zone_lookup lookup;
    const struct zone *zones[2]; /* constant ones */
};

#define ZONE_NAME_MAX 64

static enum status lookup_zone(zone_lookup lookup, struct str name, const struct zone **out,
                               struct error *err)
{
    char text[ZONE_NAME_MAX];
    if (!lookup)
        return error_set(err, ERR_UNSUPPORTED, "no time zones by name here");
    if (name.length >= sizeof text)
        return error_set(err, ERR_NAME, "there is no time zone '%.60s...'", name.data);
    if (name.length)
        memcpy(text, name.data, name.length);
    text[name.length] = 0;
    return lookup(out, text, err);
}

/* Zone number i of the call, of argument arg. NULL: the row has failed. */
static const struct zone *row_zone(struct function_call *call, uint32_t row, int i, uint32_t arg)
{
    const struct zone_state *state = call->state;
    const struct zone *zone = state->zones[i];
    struct error err = {0};
    if (!zone && lookup_zone(state->lookup, arg_str(call->args[arg], row), &zone, &err) != OK) {
        call_fail(call, row, err.code, "%.140s", err.text);
        return NULL;
    }
    return zone;
}

static enum status bind_zone(struct function_bind *bind, struct zone_state *state, int i,
                             uint32_t arg, struct error *err)
{
    struct str name;
    if (!bind_constant_text(bind, arg, &name))
        return OK;
    enum status status = lookup_zone(state->lookup, name, &state->zones[i], err);
    if (status != OK && err)
        error_at(err, bind->pos);
    return status;
}

static enum status bind_zones(struct function_bind *bind, uint32_t pattern_arg,
                              struct zone_state **out, struct error *err)
{
    struct zone_state *state = ARENA_NEW(bind->arena, struct zone_state);
    TRY(bind_check(bind, err));
    TRY(bind_pattern(bind, pattern_arg, err));
    state->pattern = bind->state;
    state->lookup = bind->session ? bind->session->zone_by_name : NULL;
    bind->state = *out = state;
    return OK;
}

/* ---- CONVERT_TZ ---- */

static void run_convert_tz(struct function_call *call)
{
    const struct zone_state *state = call->state;
    struct formatted last = {0};
    CALL_ROWS(call, row)
    {
        const struct zone *from = row_zone(call, row, 0, 1), *to = row_zone(call, row, 1, 2);
        int64_t us;
        if (!from || !to)
            continue;
        if (!calendar_pattern_parse_lenient(state->pattern, arg_str(call->args[0], row), &us))
            call_set_null(call, row);
        else if (!put_formatted(call, row, &last, state->pattern,
                                zone_utc_to_local(to, zone_local_to_utc(from, us)), 0))
            return;
    }
}

static enum status bind_convert_tz(struct function_bind *bind, struct error *err)
{
    struct zone_state *state;
    TRY(bind_args(bind, "CONVERT_TZ", "s", "a text and two names of time zones", err));
    TRY(bind_zones(bind, FUNCTION_ARGS_MAX, &state, err));
    TRY(bind_zone(bind, state, 0, 1, err));
    TRY(bind_zone(bind, state, 1, 2, err));
    return bind_result(bind, &TYPE_OF_STRING, true, run_convert_tz, err);
}

/* ---- TO_TIMESTAMP_LTZ ---- */

/* Milliseconds since 1970 as the row's result; NULL outside the years 0 to 9999, as in Flink. */
static void set_instant_ms(struct function_call *call, uint32_t row, int64_t ms)
{
    if (ms < STAMP_US_MIN / US_PER_MS || ms > STAMP_US_MAX / US_PER_MS)
        call_set_null(call, row);
    else
        ((int64_t *)call->out->values)[row] = ms * US_PER_MS;
}

/* The precision is 0 (seconds) or 3 (milliseconds); false: the row has failed. */
static bool row_unit_ms(struct function_call *call, uint32_t row, int64_t *out)
{
    int64_t precision = call->arg_count == 2 ? arg_i64(call->args[1], row) : 3;
    *out = precision == 0 ? 1000 : 1;
    if (precision != 0 && precision != 3)
        call_fail(call, row, ERR_UNSUPPORTED,
                  "TO_TIMESTAMP_LTZ takes the precision 0 (seconds) or 3 (milliseconds)");
    return precision == 0 || precision == 3;
}

static void run_ltz_exact(struct function_call *call)
{
    const struct vec *arg = call->args[0];
    decimal128 unit = decimal_pow10(exact_scale(arg->type));
    CALL_ROWS(call, row)
    {
        int64_t unit_ms;
        if (!row_unit_ms(call, row, &unit_ms))
            continue;
        decimal128 whole = arg_decimal(arg, row) / unit;
        if (whole > INT64_MAX / 1000 || whole < INT64_MIN / 1000)
            call_set_null(call, row);
        else
            set_instant_ms(call, row, (int64_t)whole * unit_ms);
    }
}

static void run_ltz_double(struct function_call *call)
{
    CALL_ROWS(call, row)
    {
        int64_t unit_ms;
        if (!row_unit_ms(call, row, &unit_ms))
            continue;
        double ms = arg_f64(call->args[0], row) * (double)unit_ms;
        if (!(fabs(ms) < 1e15))
            call_set_null(call, row);
        else
            set_instant_ms(call, row, (int64_t)ms);
    }
}

/* The zone is UTC unless given, whatever the session's zone (Flink). */
static void run_ltz_text(struct function_call *call)
{
    const struct zone_state *state = call->state;
    struct pattern_use use = {.constant = state->pattern};
    int64_t *out = call->out->values;
    CALL_ROWS(call, row)
    {
        int64_t us;
        const struct calendar_pattern *pattern = pattern_of(&use, call, 1, row);
        const struct zone *zone = call->arg_count == 3 ? row_zone(call, row, 0, 2) : NULL;
        if (!pattern || (call->arg_count == 3 && !zone))
            continue;
        if (!read_timestamp(pattern, arg_str(call->args[0], row), &us))
            call_set_null(call, row);
        else
            out[row] = floor_div(zone ? zone_local_to_utc(zone, us) : us, US_PER_MS) * US_PER_MS;
    }
}

static enum status bind_to_timestamp_ltz(struct function_bind *bind, struct error *err)
{
    const char *const wanted = "a number and a precision, or a text, a pattern and a time zone";
    const struct type *type = bind->arg_types[0];
    if (type_is_text(type)) {
        struct zone_state *state;
        TRY(bind_args(bind, "TO_TIMESTAMP_LTZ", "s", wanted, err));
        TRY(bind_zones(bind, 1, &state, err));
        if (bind->arg_count == 3)
            TRY(bind_zone(bind, state, 0, 2, err));
        return bind_result(bind, &TYPE_OF_TIMESTAMP_LTZ_3, true, run_ltz_text, err);
    }
    if (bind->arg_count > 2)
        return bind_type_error(bind, "TO_TIMESTAMP_LTZ", wanted, err);
    bool approximate = type_is_approximate(type);
    TRY(bind_args(bind, "TO_TIMESTAMP_LTZ", approximate ? "di" : "ni", wanted, err));
    int64_t precision;
    if (bind_constant_integer(bind, 1, &precision) && precision != 0 && precision != 3) {
        error_set(err, ERR_UNSUPPORTED,
                  "TO_TIMESTAMP_LTZ takes the precision 0 (seconds) or 3 (milliseconds)");
        if (err)
            error_at(err, bind->pos);
        return ERR_UNSUPPORTED;
    }
    return bind_result(bind, &TYPE_OF_TIMESTAMP_LTZ_3, true,
                       approximate ? run_ltz_double : run_ltz_exact, err);
}

#define MAY_FAIL (FUNCTION_STRICT | FUNCTION_CAN_FAIL)
#define FAMILY   "temporal"

const struct function_def FUNCTIONS_TIME_TEXT[] = {
    {"CONVERT_TZ", "CONVERT_TZ(string, from, to)",
     "The time 'yyyy-MM-dd HH:mm:ss' of one zone as that of another.", FAMILY, MAY_FAIL, 3, 3,
     bind_convert_tz},
    {"DATE_FORMAT", "DATE_FORMAT(timestamp | string, pattern)",
     "The date or timestamp (or text 'yyyy-MM-dd HH:mm:ss') in the form of the Java pattern.",
     FAMILY, MAY_FAIL, 2, 2, bind_date_format},
    {"FROM_UNIXTIME", "FROM_UNIXTIME(seconds [, pattern])",
     "The seconds since 1970 as text, in the session's zone.", FAMILY, MAY_FAIL, 1, 2,
     bind_from_unixtime},
    {"TO_DATE", "TO_DATE(string [, pattern])", "The date that the text means; NULL for other text.",
     FAMILY, MAY_FAIL, 1, 2, bind_to_date},
    {"TO_TIMESTAMP", "TO_TIMESTAMP(string [, pattern])",
     "The TIMESTAMP(3) that the text means, by default yyyy-MM-dd HH:mm:ss; NULL for other text.",
     FAMILY, MAY_FAIL, 1, 2, bind_to_timestamp},
    {"TO_TIMESTAMP_LTZ",
     "TO_TIMESTAMP_LTZ(number [, precision]) | TO_TIMESTAMP_LTZ(string [, pattern [, zone]])",
     "The instant of the milliseconds (precision 3) or seconds (0) since 1970, or of the text in "
     "the "
     "zone (UTC).",
     FAMILY, MAY_FAIL, 1, 3, bind_to_timestamp_ltz},
    {"UNIX_TIMESTAMP", "UNIX_TIMESTAMP([string [, pattern]])",
     "Seconds since 1970: now, or of the text in the session's zone (the smallest BIGINT for other "
     "text).",
     FAMILY, MAY_FAIL | FUNCTION_DYNAMIC, 0, 2, bind_unix_timestamp},
};
const size_t FUNCTIONS_TIME_TEXT_COUNT = sizeof FUNCTIONS_TIME_TEXT / sizeof *FUNCTIONS_TIME_TEXT;
