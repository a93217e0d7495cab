/* option.c - filling a struct from an option table and what the user wrote.
 *
 * Defaults are parsed by the same code as given values; a default that does not parse is a bug.
 * A key given twice: the last one wins, as in Flink. Values of secret options never reach a text.
 */
#include "base/option.h"

#include <stdio.h>

#include "base/must.h"

#define KNOWN_LISTED_MAX 12 /* keys named in the hint of an unknown one */

static bool takes_key(const struct option_def *def, struct str key)
{
    struct str own = str_of(def->key);
    if (def->kind == OPTION_PREFIX)
        return key.length > own.length && str_starts(key, own);
    return str_eq(own, key);
}

const struct option_def *option_find(const struct option_def *defs, size_t def_count,
                                     struct str key)
{
    const struct option_def *prefix = NULL;
    for (size_t i = 0; i < def_count; i++) {
        if (!takes_key(&defs[i], key))
            continue;
        if (defs[i].kind != OPTION_PREFIX)
            return &defs[i];
        prefix = &defs[i];
    }
    return prefix;
}

struct parse {
    const char *what;
    struct arena *arena;
    struct error *err;
};

static enum status bad_value(const struct parse *parse, const struct option_def *def,
                             struct str value, const char *expected)
{
    if (def->secret)
        value = STR("******");
    return error_set(parse->err, ERR_OPTION, "%s: option '%s' is '%.*s', but must be %s",
                     parse->what, def->key, (int)value.length, value.data, expected);
}

static enum status check_range(const struct parse *parse, const struct option_def *def,
                               struct str value, __int128 number)
{
    static const char *const units[] = {[OPTION_BYTES] = " bytes", [OPTION_DURATION] = " ms"};
    if (def->min_value == 0 && def->max_value == 0)
        return OK;
    if (number >= def->min_value && number <= def->max_value)
        return OK;
    const char *unit = def->kind == OPTION_INT ? "" : units[def->kind];
    char expected[96];
    if (def->max_value == INT64_MAX)
        snprintf(expected, sizeof(expected), "at least %lld%s", (long long)def->min_value, unit);
    else
        snprintf(expected, sizeof(expected), "from %lld to %lld%s", (long long)def->min_value,
                 (long long)def->max_value, unit);
    return bad_value(parse, def, value, expected);
}

static enum status set_text(const struct parse *parse, const char **field, struct str value)
{
    *field = arena_strndup(parse->arena, value.data, value.length);
    return arena_check(parse->arena, parse->what, parse->err);
}

static enum status set_enum(const struct parse *parse, const struct option_def *def,
                            struct str value, int *field)
{
    for (int i = 0; def->choices[i]; i++) {
        if (!str_eq_nocase(value, str_of(def->choices[i])))
            continue;
        *field = i;
        return OK;
    }
    char expected[512] = "";
    size_t length = 0, count = 0;
    for (; def->choices[count] && length < sizeof(expected) - 1; count++) {
        const char *join = count == 0 ? "" : def->choices[count + 1] ? ", " : " or ";
        length += (size_t)snprintf(expected + length, sizeof(expected) - length, "%s%s", join,
                                   def->choices[count]);
    }
    const char *nearest = str_nearest(value, def->choices, count);
    enum status status = bad_value(parse, def, value, expected);
    if (nearest && !def->secret)
        error_hint(parse->err, "did you mean '%s'?", nearest);
    return status;
}

static enum status set_list(const struct parse *parse, const struct option_def *def,
                            struct str value, const char **field)
{
    size_t begin = 0;
    for (size_t i = 0; i <= value.length; i++) {
        if (i < value.length && value.data[i] != ';')
            continue;
        if (str_trim((struct str){value.data + begin, i - begin}).length == 0)
            return bad_value(parse, def, value, "a list of non-empty texts separated by ';'");
        begin = i + 1;
    }
    return set_text(parse, field, value);
}

static enum status set_number(const struct parse *parse, const struct option_def *def,
                              struct str value, void *field)
{
    switch (def->kind) {
    case OPTION_INT: {
        int64_t number;
        if (!str_to_i64(str_trim(value), &number, NULL))
            return bad_value(parse, def, value, "a whole number");
        TRY(check_range(parse, def, value, number));
        *(int64_t *)field = number;
        return OK;
    }
    case OPTION_DOUBLE:
        if (!str_to_f64(str_trim(value), field))
            return bad_value(parse, def, value, "a number");
        return OK;
    case OPTION_BYTES: {
        uint64_t size_bytes;
        if (!str_to_bytes(value, &size_bytes))
            return bad_value(parse, def, value, "a size such as '64 kb' or '1 gb'");
        TRY(check_range(parse, def, value, size_bytes));
        *(uint64_t *)field = size_bytes;
        return OK;
    }
    default: {
        int64_t duration_ms;
        if (!str_to_duration_ms(value, &duration_ms))
            return bad_value(parse, def, value, "a duration such as '500 ms', '10 s' or '1 h'");
        TRY(check_range(parse, def, value, duration_ms));
        *(int64_t *)field = duration_ms;
        return OK;
    }
    }
}

static enum status set_value(const struct parse *parse, const struct option_def *def,
                             struct str value, void *target)
{
    void *field = (char *)target + def->offset;
    switch (def->kind) {
    case OPTION_STRING:
        return set_text(parse, field, value);
    case OPTION_BOOL:
        if (!str_eq_nocase(value, STR("true")) && !str_eq_nocase(value, STR("false")))
            return bad_value(parse, def, value, "true or false");
        *(bool *)field = str_eq_nocase(value, STR("true"));
        return OK;
    case OPTION_ENUM:
        return set_enum(parse, def, value, field);
    case OPTION_LIST:
        return set_list(parse, def, value, field);
    case OPTION_PREFIX:
        must(def->kind != OPTION_PREFIX); /* has pairs, no value: set_pair() */
        return ERR_OPTION;
    default:
        return set_number(parse, def, value, field);
    }
}

/* Appends, or replaces the value of a key given before. */
static enum status set_pair(const struct parse *parse, const struct option_def *def,
                            const struct option_given *given, void *target)
{
    size_t skip = strlen(def->key);
    struct str key = {given->key.data + skip, given->key.length - skip};
    struct option_pair **link = (struct option_pair **)((char *)target + def->offset);
    while (*link && !str_eq(str_of((*link)->key), key))
        link = &(*link)->next;
    if (*link)
        return set_text(parse, &(*link)->value, given->value);
    struct option_pair *pair = ARENA_NEW(parse->arena, struct option_pair);
    if (pair) {
        pair->key = arena_strndup(parse->arena, key.data, key.length);
        pair->value = arena_strndup(parse->arena, given->value.data, given->value.length);
    }
    TRY(arena_check(parse->arena, parse->what, parse->err));
    *link = pair;
    return OK;
}

static enum status unknown_key(const struct parse *parse, const struct option_def *defs,
                               size_t def_count, const struct option_given *given)
{
    error_set(parse->err, ERR_OPTION, "%s has no option '%.*s'", parse->what,
              (int)given->key.length, given->key.data);
    error_at(parse->err, given->pos);
    const char **keys = arena_array(parse->arena, def_count + 1, sizeof(*keys));
    if (!keys)
        return ERR_OPTION;
    char known[ERROR_HINT_MAX] = "";
    size_t length = 0;
    for (size_t i = 0; i < def_count; i++) {
        keys[i] = defs[i].key;
        if (i < KNOWN_LISTED_MAX && length < sizeof(known) - 1)
            length +=
                (size_t)snprintf(known + length, sizeof(known) - length, "%s%s%s", i ? ", " : "",
                                 defs[i].key, defs[i].kind == OPTION_PREFIX ? "*" : "");
    }
    const char *nearest = str_nearest(given->key, keys, def_count);
    if (nearest)
        error_hint(parse->err, "did you mean '%s'?", nearest);
    else if (def_count)
        error_hint(parse->err, "it has %s%s", known, def_count > KNOWN_LISTED_MAX ? ", ..." : "");
    return ERR_OPTION;
}

static bool ignored(const char *const *prefixes, struct str key)
{
    for (; prefixes && *prefixes; prefixes++)
        if (str_starts(key, str_of(*prefixes)))
            return true;
    return false;
}

static bool was_given(const struct option_def *def, const struct option_given *given,
                      size_t given_count)
{
    for (size_t i = 0; i < given_count; i++)
        if (takes_key(def, given[i].key))
            return true;
    return false;
}

static enum status set_defaults(const struct parse *parse, const struct option_def *defs,
                                size_t def_count, const struct option_given *given,
                                size_t given_count, void *target)
{
    for (size_t i = 0; i < def_count; i++) {
        const struct option_def *def = &defs[i];
        if (def->required && !was_given(def, given, given_count)) {
            const char *star = def->kind == OPTION_PREFIX ? "*" : "";
            error_set(parse->err, ERR_OPTION, "%s needs the option '%s%s'", parse->what, def->key,
                      star);
            error_hint(parse->err, "%s", def->help ? def->help : "");
            return ERR_OPTION;
        }
        if (!def->default_value)
            continue;
        enum status status = set_value(parse, def, str_of(def->default_value), target);
        must(status != ERR_OPTION);
        TRY(status);
    }
    return OK;
}

enum status option_parse(const struct option_def *defs, size_t def_count,
                         const struct option_given *given, size_t given_count,
                         const char *const *ignore_prefixes, const char *what, void *target,
                         struct arena *arena, struct error *err)
{
    struct parse parse = {what, arena, err};
    for (size_t i = 0; i < given_count; i++)
        if (!option_find(defs, def_count, given[i].key) && !ignored(ignore_prefixes, given[i].key))
            return unknown_key(&parse, defs, def_count, &given[i]);
    TRY(set_defaults(&parse, defs, def_count, given, given_count, target));
    for (size_t i = 0; i < given_count; i++) {
        const struct option_def *def = option_find(defs, def_count, given[i].key);
        if (!def)
            continue;
        enum status status = def->kind == OPTION_PREFIX
                                 ? set_pair(&parse, def, &given[i], target)
                                 : set_value(&parse, def, given[i].value, target);
        if (status != OK) {
            error_at(err, given[i].pos);
            return status;
        }
    }
    return OK;
}
