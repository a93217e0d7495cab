/* cast_parse.c - text to numbers, BOOLEAN, dates and times. Blanks around the text do not count.
 *
 * Integers may have a fraction, which is checked and dropped ('1.9' is 1), as in Flink; out of
 * range fails. BOOLEAN takes t, true, y, yes, 1 and f, false, n, no, 0 in any case. A timestamp's
 * fraction is cut to the type's precision; TIMESTAMP_LTZ is read in the session's zone.
 */
#include "base/must.h"
#include "expr/cast_int.h"

#define SHOWN_MAX 60 /* bytes of a bad text that the error shows */

static void bad_text(struct function_call *call, uint32_t row, struct str text, const char *why)
{
    struct buf type;
    if (!call->errors) { /* TRY_CAST */
        call_set_null(call, row);
        return;
    }
    struct type plain = *call->out->type;
    plain.nullable = true;
    buf_init(&type, 256);
    type_format(&type, &plain);
    call_fail(call, row, ERR_DATA, "cannot convert '%.*s%s' to %s%s",
              (int)(text.length < SHOWN_MAX ? text.length : SHOWN_MAX), text.data,
              text.length > SHOWN_MAX ? "..." : "", buf_text(&type), why);
    buf_fini(&type);
}

/* Digits with a sign; a fraction is checked and dropped. */
static bool parse_integer(struct str text, int64_t *out, bool *overflow)
{
    const char *point = text.length ? memchr(text.data, '.', text.length) : NULL;
    *overflow = false;
    if (point) {
        for (const char *c = point + 1; c < text.data + text.length; c++)
            if (*c < '0' || *c > '9')
                return false;
        size_t whole = (size_t)(point - text.data);
        bool only_sign = whole == 1 && (*text.data == '-' || *text.data == '+');
        if (whole == 0 || only_sign) {
            *out = 0;
            return text.length > whole + 1 || whole > 0;
        }
        text.length = whole;
    }
    return str_to_i64(text, out, overflow);
}

static void to_integer(struct function_call *call)
{
    static const int64_t limits[] = {[PHYS_I8] = INT8_MAX,
                                     [PHYS_I16] = INT16_MAX,
                                     [PHYS_I32] = INT32_MAX,
                                     [PHYS_I64] = INT64_MAX};
    enum physical physical = type_physical(call->out->type);
    int64_t high = limits[physical], low = -high - 1;
    void *r = call->out->values;
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row);
        int64_t value = 0;
        bool overflow;
        bool good = parse_integer(str_trim(text), &value, &overflow);
        if (!good || value > high || value < low) {
            bad_text(call, row, text, good || overflow ? ": out of range" : "");
            continue;
        }
        if (physical == PHYS_I8)
            ((int8_t *)r)[row] = (int8_t)value;
        else if (physical == PHYS_I16)
            ((int16_t *)r)[row] = (int16_t)value;
        else if (physical == PHYS_I32)
            ((int32_t *)r)[row] = (int32_t)value;
        else
            ((int64_t *)r)[row] = value;
    }
}

static void to_approximate(struct function_call *call)
{
    bool is_float = type_physical(call->out->type) == PHYS_F32;
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row);
        float narrow = 0;
        double wide = 0;
        bool good =
            is_float ? str_to_f32(str_trim(text), &narrow) : str_to_f64(str_trim(text), &wide);
        if (!good)
            bad_text(call, row, text, "");
        else if (is_float)
            ((float *)call->out->values)[row] = narrow;
        else
            ((double *)call->out->values)[row] = wide;
    }
}

static void to_decimal(struct function_call *call)
{
    const struct type *type = call->out->type;
    bool is_narrow = type_physical(type) == PHYS_I64;
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row), trimmed = str_trim(text);
        bool overflow = false, good;
        if (is_narrow)
            good = decimal_parse_i64(trimmed, type->precision, type->scale,
                                     (int64_t *)call->out->values + row, &overflow);
        else
            good = decimal_parse(trimmed, type->precision, type->scale,
                                 (decimal128 *)call->out->values + row, &overflow);
        if (!good)
            bad_text(call, row, text, overflow ? ": out of range" : "");
    }
}

static void to_boolean(struct function_call *call)
{
    static const char *const words[] = {"t", "true", "y", "yes", "1", "f", "false", "n", "no", "0"};
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row), trimmed = str_trim(text);
        size_t i = 0;
        while (i < COUNT_OF(words) && !str_eq_nocase(trimmed, str_of(words[i])))
            i++;
        if (i == COUNT_OF(words))
            bad_text(call, row, text, "");
        else
            ((uint8_t *)call->out->values)[row] = i < COUNT_OF(words) / 2;
    }
}

static void to_date(struct function_call *call)
{
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row), trimmed = str_trim(text);
        int32_t days;
        int64_t us;
        if (calendar_parse_date(trimmed, &days))
            ((int32_t *)call->out->values)[row] = days;
        else if (calendar_parse_timestamp(trimmed, &us))
            ((int32_t *)call->out->values)[row] =
                (int32_t)(us / US_PER_DAY - (us % US_PER_DAY < 0));
        else
            bad_text(call, row, text, "");
    }
}

static int64_t cut_to(int64_t value, unsigned digits_dropped)
{
    int64_t unit = DECIMAL_POW10_INT64[digits_dropped];
    int64_t rest = value % unit;
    return value - (rest < 0 ? rest + unit : rest);
}

static void to_time(struct function_call *call)
{
    unsigned precision = call->out->type->precision;
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row);
        int32_t ms;
        if (calendar_parse_time(str_trim(text), &ms))
            ((int32_t *)call->out->values)[row] =
                (int32_t)cut_to(ms, precision < 3 ? 3 - precision : 0);
        else
            bad_text(call, row, text, "");
    }
}

/* The digits 7 to 9 of a fraction, which microseconds do not hold. */
static int64_t nanosecond_rest(struct str text)
{
    const char *point = memchr(text.data, '.', text.length);
    int64_t rest = 0;
    for (size_t i = 7; point && i <= 9; i++) {
        const char *c = point + i;
        bool given = c < text.data + text.length && *c >= '0' && *c <= '9';
        rest = rest * 10 + (given ? *c - '0' : 0);
    }
    return rest;
}

static void to_timestamp(struct function_call *call)
{
    const struct type *type = call->out->type;
    CALL_ROWS(call, row)
    {
        struct str text = arg_str(call->args[0], row), trimmed = str_trim(text);
        int64_t us;
        if (!calendar_parse_timestamp(trimmed, &us)) {
            bad_text(call, row, text, "");
            continue;
        }
        if (type->precision < 6)
            us = cut_to(us, 6u - type->precision);
        if (type->root == TYPE_TIMESTAMP_LTZ)
            us = zone_local_to_utc(call->context->zone, us);
        if (type->precision > 6)
            us = (int64_t)((uint64_t)us * 1000) +
                 cut_to(nanosecond_rest(trimmed), 9u - type->precision);
        ((int64_t *)call->out->values)[row] = us;
    }
}

bool cast_from_text(const struct type *from, const struct type *to, struct cast_kernel *out)
{
    if (!type_is_text(from))
        return false;
    if (type_is_integer(to))
        out->kernel = to_integer;
    else if (type_is_approximate(to))
        out->kernel = to_approximate;
    else if (to->root == TYPE_DECIMAL)
        out->kernel = to_decimal;
    else if (to->root == TYPE_BOOLEAN)
        out->kernel = to_boolean;
    else if (to->root == TYPE_DATE)
        out->kernel = to_date;
    else if (to->root == TYPE_TIME)
        out->kernel = to_time;
    else if (type_is_timestamp(to))
        out->kernel = to_timestamp;
    return out->kernel != NULL;
}
