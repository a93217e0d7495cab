/* bind_literal.c - literals with the types that Flink gives them.
 *
 * 'abc' is CHAR(3), 12 INT (BIGINT, DECIMAL when it does not fit), 12.5 DECIMAL(3, 1), 1e3 DOUBLE,
 * TIMESTAMP '...' has as many fraction digits as are written; all NOT NULL.
 */
#include "sql/bind_int.h"

#include "base/calendar.h"
#include "base/must.h"

#define MS_PER_SECOND INT64_C(1000)
#define MS_PER_DAY    INT64_C(86400000)

#define PARAMETERS_MAX 64 /* looked through for the nearest name */

static enum status finish(struct binder *binder, const struct ast_expr *ast, struct datum datum,
                          const struct expr **out)
{
    struct expr *expr = expr_new(binder, EXPR_LITERAL, datum.type, ast->pos);
    if (expr)
        expr->literal = datum;
    *out = expr;
    return bind_memory(binder);
}

static int32_t count_characters(struct str text)
{
    int32_t count = 0;
    for (size_t i = 0; i < text.length; i++)
        count += ((unsigned char)text.data[i] & 0xC0) != 0x80;
    return count;
}

static enum status bind_number(struct binder *binder, const struct ast_expr *ast,
                               const struct expr **out)
{
    struct str text = ast->text;
    bool negative = text.data[0] == '-', overflow = false;
    struct str digits = {text.data + negative, text.length - negative};
    const char *point = memchr(digits.data, '.', digits.length);
    struct datum datum = {0};
    if (memchr(text.data, 'e', text.length) || memchr(text.data, 'E', text.length)) {
        datum.type = bind_with_nullable(binder, &TYPE_OF_DOUBLE, false);
        if (!str_to_f64(text, &datum.f64))
            return bind_fail(binder, ERR_RANGE, ast->pos, "the number does not fit DOUBLE");
        return finish(binder, ast, datum, out);
    }
    if (!point && str_to_i64(text, &datum.i64, &overflow)) {
        bool small = datum.i64 >= INT32_MIN && datum.i64 <= INT32_MAX;
        datum.type = bind_with_nullable(binder, small ? &TYPE_OF_INT : &TYPE_OF_BIGINT, false);
        return finish(binder, ast, datum, out);
    }
    size_t scale = point ? digits.length - (size_t)(point - digits.data) - 1 : 0;
    size_t precision = digits.length - (point ? 1 : 0);
    if (precision > DECIMAL_PRECISION_MAX ||
        !decimal_parse(text, (unsigned)precision, (unsigned)scale, &datum.decimal, &overflow))
        return bind_fail(binder, ERR_RANGE, ast->pos,
                         "the number has more than the %d digits of a DECIMAL",
                         DECIMAL_PRECISION_MAX);
    datum.type = type_decimal(binder->arena, (unsigned)precision, (unsigned)scale, false);
    return finish(binder, ast, datum, out);
}

/* Digits after the last point, at most 9; -1: more. */
static int fraction_digits(struct str text)
{
    const char *point = memrchr(text.data, '.', text.length);
    if (!point)
        return 0;
    size_t count = text.length - (size_t)(point - text.data) - 1;
    return count > 9 ? -1 : (int)count;
}

static enum status bind_datetime(struct binder *binder, const struct ast_expr *ast,
                                 const struct expr **out)
{
    static const char *const FORMS[] = {"DATE 'YYYY-MM-DD'", "TIME 'HH:MM:SS[.fff]'",
                                        "TIMESTAMP 'YYYY-MM-DD HH:MM:SS[.fff]'"};
    struct datum datum = {0};
    int32_t small = 0;
    int fraction = fraction_digits(ast->text);
    bool good;
    if (ast->kind == AST_DATE) {
        good = calendar_parse_date(ast->text, &small);
        datum.i64 = small;
        datum.type = bind_with_nullable(binder, &TYPE_OF_DATE, false);
    } else if (ast->kind == AST_TIME) {
        good = fraction >= 0 && calendar_parse_time(ast->text, &small);
        datum.i64 = small;
        datum.type = type_temporal(binder->arena, TYPE_TIME, (unsigned)fraction, false);
    } else {
        good = fraction >= 0 && calendar_parse_timestamp(ast->text, &datum.i64);
        if (good && fraction > 6)
            return bind_unsupported(binder, ast->pos,
                                    "a TIMESTAMP literal finer than microseconds");
        datum.type = type_temporal(binder->arena, TYPE_TIMESTAMP, (unsigned)fraction, false);
    }
    if (!good)
        return bind_fail(binder, ERR_SYNTAX, ast->pos, "the literal must have the form %s",
                         FORMS[ast->kind == AST_DATE   ? 0
                               : ast->kind == AST_TIME ? 1
                                                       : 2]);
    return finish(binder, ast, datum, out);
}

/* ---- intervals */

static const struct unit {
    const char *name;
    int64_t size;  /* milliseconds, or months */
    char before;   /* separator between the coarser unit and this one */
    int64_t limit; /* as a part behind a coarser one */
    bool months;
    bool in_ranges; /* can stand in DAY TO SECOND and the like */
} UNITS[] = {
    {"YEAR", 12, 0, 0, true, true},
    {"QUARTER", 3, 0, 0, true, false},
    {"MONTH", 1, '-', 11, true, true},
    {"WEEK", 7 * MS_PER_DAY, 0, 0, false, false},
    {"DAY", MS_PER_DAY, 0, 0, false, true},
    {"HOUR", 3600 * MS_PER_SECOND, ' ', 23, false, true},
    {"MINUTE", 60 * MS_PER_SECOND, ':', 59, false, true},
    {"SECOND", MS_PER_SECOND, ':', 59, false, true},
};

const char *bind_unit_name(struct str word)
{
    static const char *const MORE[] = {
        "MILLISECOND", "MICROSECOND", "NANOSECOND", "DOW",     "ISODOW",    "DOY",      "EPOCH",
        "DECADE",      "CENTURY",     "MILLENNIUM", "ISOYEAR", "DAYOFWEEK", "DAYOFYEAR"};
    struct str singular = word;
    if (word.length > 1 && (word.data[word.length - 1] | 0x20) == 's')
        singular.length--;
    for (size_t i = 0; i < COUNT_OF(UNITS) + COUNT_OF(MORE); i++) {
        const char *name = i < COUNT_OF(UNITS) ? UNITS[i].name : MORE[i - COUNT_OF(UNITS)];
        if (str_eq_nocase(word, str_of(name)) || str_eq_nocase(singular, str_of(name)))
            return name;
    }
    if (str_eq_nocase(word, STR("CENTURIES")))
        return "CENTURY";
    if (str_eq_nocase(word, STR("MILLENNIA")))
        return "MILLENNIUM";
    return NULL;
}

static const struct unit *find_unit(struct str word)
{
    const char *name = bind_unit_name(word);
    for (size_t i = 0; name && i < COUNT_OF(UNITS); i++)
        if (strcmp(UNITS[i].name, name) == 0)
            return &UNITS[i];
    return NULL;
}

/* Digits at *at (and for seconds a fraction of up to 9 digits, cut to milliseconds), in ms or
 * months. */
static bool interval_part(const char **at, const char *end, const struct unit *unit, bool first,
                          int64_t *out)
{
    int64_t value = 0, fraction = 0, weight = 100;
    const char *start = *at;
    for (; *at < end && **at >= '0' && **at <= '9'; ++*at) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, **at - '0', &value))
            return false;
    }
    if (*at == start || (!first && value > unit->limit))
        return false;
    if (*at < end && **at == '.' && unit->size == MS_PER_SECOND && !unit->months) {
        const char *point = *at;
        for (++*at; *at < end && **at >= '0' && **at <= '9'; ++*at, weight /= 10)
            fraction += weight * (**at - '0');
        if (*at == point + 1 || *at - point > 10)
            return false;
    }
    return !__builtin_mul_overflow(value, unit->size, out) &&
           !__builtin_add_overflow(*out, fraction, out);
}

static bool parse_interval(struct str text, const struct unit *from, const struct unit *to,
                           int64_t *out)
{
    text = str_trim(text);
    const char *at = text.data, *end = text.data + text.length;
    bool negative = false;
    int64_t total = 0;
    if (at < end && (*at == '-' || *at == '+'))
        negative = *at++ == '-';
    for (const struct unit *unit = from; unit <= to; unit++) {
        int64_t part;
        if (!unit->in_ranges && from != to)
            continue;
        if (unit != from && (at == end || *at++ != unit->before))
            return false;
        if (!interval_part(&at, end, unit, unit == from, &part) ||
            __builtin_add_overflow(total, part, &total))
            return false;
    }
    *out = negative ? -total : total;
    return at == end;
}

static enum status bind_interval_literal(struct binder *binder, const struct ast_expr *ast,
                                         const struct expr **out)
{
    struct datum datum = {0};
    const struct unit *from = find_unit(ast->interval.from);
    const struct unit *to = ast->interval.to.length ? find_unit(ast->interval.to) : from;
    if (!from || !to || from > to || from->months != to->months ||
        (from != to && (!from->in_ranges || !to->in_ranges))) {
        bind_fail(binder, ERR_SYNTAX, ast->pos,
                  "an INTERVAL has a unit, or a range of them, of "
                  "YEAR, MONTH or of DAY, HOUR, MINUTE, SECOND");
        error_hint(binder->err, "INTERVAL '10' SECOND, INTERVAL '1 02:03:04' DAY TO SECOND");
        return ERR_SYNTAX;
    }
    if (!parse_interval(ast->text, from, to, &datum.i64) ||
        (from->months && (datum.i64 > INT32_MAX || datum.i64 < INT32_MIN)))
        return bind_fail(binder, ERR_SYNTAX, ast->pos, "'%.*s' is no INTERVAL of %s%s%s",
                         ast->text.length > 80 ? 80 : (int)ast->text.length, ast->text.data,
                         from->name, from == to ? "" : " TO ", from == to ? "" : to->name);
    if (ast->interval.negative)
        datum.i64 = -datum.i64;
    datum.type = bind_with_nullable(
        binder, from->months ? &TYPE_OF_INTERVAL_YEAR_MONTH : &TYPE_OF_INTERVAL_DAY_TIME, false);
    return finish(binder, ast, datum, out);
}

static enum status bind_parameter(struct binder *binder, const struct ast_expr *ast,
                                  const struct expr **out)
{
    const struct sql_session *session = binder->session;
    const char *names[PARAMETERS_MAX], *nearest;
    uint32_t count = session->parameter_count;
    for (uint32_t i = 0; i < count; i++) {
        if (!str_eq(ast->text, session->parameters[i].name))
            continue;
        struct str value = session->parameters[i].value;
        struct datum datum = {
            .type = bind_with_nullable(binder, &TYPE_OF_STRING, false),
            .text = {arena_strndup(binder->arena, value.data, value.length), value.length}};
        return finish(binder, ast, datum, out);
    }
    bind_fail(binder, ERR_NAME, ast->pos, "there is no parameter ':%.*s'",
              ast->text.length > 60 ? 60 : (int)ast->text.length, ast->text.data);
    for (uint32_t i = 0; i < count && i < PARAMETERS_MAX; i++)
        names[i] = arena_strndup(binder->arena, session->parameters[i].name.data,
                                 session->parameters[i].name.length);
    TRY(bind_memory(binder));
    nearest = str_nearest(ast->text, names, count < PARAMETERS_MAX ? count : PARAMETERS_MAX);
    if (nearest)
        error_hint(binder->err, "did you mean ':%s'?", nearest);
    else
        error_hint(binder->err, "':name' is the value of a dashboard's selector; elsewhere write "
                                "the value, or ${NAME} with --var");
    return ERR_NAME;
}

enum status bind_literal(struct binder *binder, const struct ast_expr *ast, const struct expr **out)
{
    struct datum datum = {.text = ast->text};
    switch (ast->kind) {
    case AST_STRING:
        datum.type = type_text(binder->arena, TYPE_CHAR, count_characters(ast->text), false);
        return finish(binder, ast, datum, out);
    case AST_PARAMETER:
        return bind_parameter(binder, ast, out);
    case AST_BINARY:
        datum.type = type_text(binder->arena, TYPE_BINARY, (int32_t)ast->text.length, false);
        return finish(binder, ast, datum, out);
    case AST_NUMBER:
        return bind_number(binder, ast, out);
    case AST_TRUE:
    case AST_FALSE:
        datum = (struct datum){.i64 = ast->kind == AST_TRUE};
        datum.type = bind_with_nullable(binder, &TYPE_OF_BOOLEAN, false);
        return finish(binder, ast, datum, out);
    case AST_UNKNOWN:
        *out = expr_new_null(binder, &TYPE_OF_BOOLEAN, ast->pos);
        return bind_memory(binder);
    case AST_DATE:
    case AST_TIME:
    case AST_TIMESTAMP:
        return bind_datetime(binder, ast, out);
    case AST_INTERVAL:
        return bind_interval_literal(binder, ast, out);
    default:
        must(ast->kind == AST_NULL);
        *out = expr_new_null(binder, &TYPE_OF_NULL, ast->pos);
        return bind_memory(binder);
    }
}
