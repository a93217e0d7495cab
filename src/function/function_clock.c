/* function_clock.c - the current time, and the current watermark.
 *
 * The time is sampled once per batch (eval_context), so all calls in a row agree. Dates and times
 * without zone are those of the session's zone.
 */
#include "function/families.h"
#include "function/temporal.h"

static int64_t now_local(const struct function_call *call)
{
    return zone_utc_to_local(call->context->zone, call->context->now_us);
}

/* Local time; set_local_us brings it into the result's type. */
static void run_now(struct function_call *call)
{
    int64_t local = now_local(call);
    bool whole_seconds = call->out->type->root == TYPE_TIME;
    int64_t unit = whole_seconds ? US_PER_SECOND : US_PER_MS;
    CALL_ROWS(call, row)
    set_local_us(call, row, floor_div(local, unit) * unit);
}

/* An instant needs no zone. */
static void run_instant(struct function_call *call)
{
    int64_t *out = call->out->values;
    CALL_ROWS(call, row)
    out[row] = floor_div(call->context->now_us, US_PER_MS) * US_PER_MS;
}

static enum status bind_clock(struct function_bind *bind, const struct type *type,
                              struct error *err)
{
    function_kernel kernel = type->root == TYPE_TIMESTAMP_LTZ ? run_instant : run_now;
    return bind_result(bind, type, false, kernel, err);
}

static enum status bind_date(struct function_bind *bind, struct error *err)
{
    return bind_clock(bind, &TYPE_OF_DATE, err);
}

static enum status bind_time(struct function_bind *bind, struct error *err)
{
    return bind_clock(bind, &TYPE_OF_TIME, err);
}

static enum status bind_timestamp(struct function_bind *bind, struct error *err)
{
    return bind_clock(bind, &TYPE_OF_TIMESTAMP_3, err);
}

static enum status bind_instant(struct function_bind *bind, struct error *err)
{
    return bind_clock(bind, &TYPE_OF_TIMESTAMP_LTZ_3, err);
}

static enum status bind_proctime(struct function_bind *bind, struct error *err)
{
    const struct type *type =
        type_with_time_attribute(bind->arena, &TYPE_OF_TIMESTAMP_LTZ_3, TIME_ATTRIBUTE_PROCTIME);
    return bind_result(bind, type, false, run_instant, err);
}

static void run_watermark(struct function_call *call)
{
    int64_t *out = call->out->values, watermark = call->context->watermark_us;
    CALL_ROWS(call, row)
    {
        if (watermark == WATERMARK_NONE)
            call_set_null(call, row);
        else
            out[row] = watermark;
    }
}

static enum status bind_watermark(struct function_bind *bind, struct error *err)
{
    const struct type *type = bind->arg_types[0];
    if (type->time_attribute != TIME_ATTRIBUTE_ROWTIME)
        return bind_type_error(bind, "CURRENT_WATERMARK", "the row time column of a table", err);
    return bind_result(bind, type_with_time_attribute(bind->arena, type, TIME_ATTRIBUTE_NONE), true,
                       run_watermark, err);
}

#define CLOCK  (FUNCTION_STRICT | FUNCTION_DYNAMIC)
#define FAMILY "temporal"

const struct function_def FUNCTIONS_CLOCK[] = {
    {"CURRENT_DATE", "CURRENT_DATE", "Today in the session's zone.", FAMILY, CLOCK, 0, 0,
     bind_date},
    {"CURRENT_ROW_TIMESTAMP", "CURRENT_ROW_TIMESTAMP()", "The current time as TIMESTAMP_LTZ(3).",
     FAMILY, CLOCK, 0, 0, bind_instant},
    {"CURRENT_TIME", "CURRENT_TIME", "The time of day in the session's zone.", FAMILY, CLOCK, 0, 0,
     bind_time},
    {"CURRENT_TIMESTAMP", "CURRENT_TIMESTAMP", "The current time as TIMESTAMP_LTZ(3).", FAMILY,
     CLOCK, 0, 0, bind_instant},
    {"CURRENT_WATERMARK", "CURRENT_WATERMARK(rowtime)",
     "The watermark at this place of the query; NULL before the first.", FAMILY, FUNCTION_DYNAMIC,
     1, 1, bind_watermark},
    {"LOCALTIME", "LOCALTIME", "The time of day in the session's zone.", FAMILY, CLOCK, 0, 0,
     bind_time},
    {"LOCALTIMESTAMP", "LOCALTIMESTAMP", "The current time in the session's zone as TIMESTAMP(3).",
     FAMILY, CLOCK, 0, 0, bind_timestamp},
    {"NOW", "NOW()", "The current time as TIMESTAMP_LTZ(3).", FAMILY, CLOCK, 0, 0, bind_instant},
    {"PROCTIME", "PROCTIME()", "The processing time, a time attribute of type TIMESTAMP_LTZ(3).",
     FAMILY, CLOCK, 0, 0, bind_proctime},
};
const size_t FUNCTIONS_CLOCK_COUNT = sizeof FUNCTIONS_CLOCK / sizeof *FUNCTIONS_CLOCK;
