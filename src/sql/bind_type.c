/* bind_type.c - type names to types, with Flink's defaults and limits. */
#include "sql/bind_int.h"

#include "base/must.h"

static enum status bad_length(struct binder *binder, const struct ast_type *ast, int64_t low,
                              int64_t high)
{
    return bind_fail(binder, ERR_TYPE, ast->pos, "%.*s takes a number between %lld and %lld",
                     (int)ast->name.length, ast->name.data, (long long)low, (long long)high);
}

static enum status bind_decimal(struct binder *binder, struct arena *arena,
                                const struct ast_type *ast, const struct type **out)
{
    int64_t precision = ast->length_count ? ast->lengths[0] : 10;
    int64_t scale = ast->length_count > 1 ? ast->lengths[1] : 0;
    if (precision < 1 || precision > DECIMAL_PRECISION_MAX)
        return bad_length(binder, ast, 1, DECIMAL_PRECISION_MAX);
    if (scale > precision)
        return bind_fail(binder, ERR_TYPE, ast->pos,
                         "the scale of DECIMAL(%lld, %lld) is above its precision",
                         (long long)precision, (long long)scale);
    *out = type_decimal(arena, (unsigned)precision, (unsigned)scale, !ast->not_null);
    return OK;
}

static enum status bind_sized(struct binder *binder, struct arena *arena,
                              const struct ast_type *ast, enum type_root root, int64_t by_default,
                              const struct type **out)
{
    int64_t length = ast->length_count ? ast->lengths[0] : by_default;
    if (ast->length_count > 1 || length < 1 || length > TYPE_LENGTH_MAX)
        return bad_length(binder, ast, 1, TYPE_LENGTH_MAX);
    *out = type_text(arena, root, (int32_t)length, !ast->not_null);
    return OK;
}

static enum status bind_temporal(struct binder *binder, struct arena *arena,
                                 const struct ast_type *ast, enum type_root root,
                                 int64_t by_default, const struct type **out)
{
    int64_t precision = ast->length_count ? ast->lengths[0] : by_default;
    if (ast->length_count > 1 || precision > 9)
        return bad_length(binder, ast, 0, 9);
    if (ast->with_zone)
        return bind_unsupported(binder, ast->pos, "%.*s WITH TIME ZONE", (int)ast->name.length,
                                ast->name.data);
    if (ast->local_zone && root == TYPE_TIME)
        return bind_unsupported(binder, ast->pos, "TIME WITH LOCAL TIME ZONE");
    if (ast->local_zone)
        root = TYPE_TIMESTAMP_LTZ;
    *out = type_temporal(arena, root, (unsigned)precision, !ast->not_null);
    return OK;
}

static enum status bind_interval(struct binder *binder, struct arena *arena,
                                 const struct ast_type *ast, const struct type **out)
{
    const char *unit = bind_unit_name(ast->name2);
    static const char *const UNITS[] = {"YEAR", "QUARTER", "MONTH",  "WEEK",
                                        "DAY",  "HOUR",    "MINUTE", "SECOND"};
    for (size_t i = 0; unit && i < COUNT_OF(UNITS); i++) {
        if (strcmp(unit, UNITS[i]) != 0)
            continue;
        *out = type_with_nullable(arena,
                                  i < 3 ? &TYPE_OF_INTERVAL_YEAR_MONTH : &TYPE_OF_INTERVAL_DAY_TIME,
                                  !ast->not_null);
        return OK;
    }
    return bind_fail(binder, ERR_TYPE, ast->pos, "'%.*s' is no unit of an INTERVAL",
                     (int)ast->name2.length, ast->name2.data);
}

static enum status bind_nested(struct binder *binder, struct arena *arena,
                               const struct ast_type *ast, const struct type **out)
{
    const struct type **children = ARENA_ARRAY(arena, ast->child_count, const struct type *);
    const char **names = ARENA_ARRAY(arena, ast->child_count, const char *);
    TRY(arena_check(arena, "a type", binder->err));
    uint32_t i = 0;
    for (const struct ast_type *child = ast->children; child; child = child->next)
        TRY(bind_type(binder, arena, child, &children[i++]));
    i = 0;
    for (const struct ast_name *name = ast->names.first; name; name = name->next, i++) {
        names[i] = arena_strndup(arena, name->parts[0].data, name->parts[0].length);
        TRY(arena_check(arena, "a type", binder->err));
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(names[k], names[i]) == 0)
                return bind_fail(binder, ERR_NAME, name->pos, "the field '%s' is there twice",
                                 names[i]);
    }
    bool nullable = !ast->not_null;
    if (str_eq_nocase(ast->name, STR("ARRAY")))
        *out = type_array(arena, children[0], nullable);
    else if (str_eq_nocase(ast->name, STR("MULTISET")))
        *out = type_multiset(arena, children[0], nullable);
    else if (str_eq_nocase(ast->name, STR("MAP")))
        *out = type_map(arena, children[0], children[1], nullable);
    else
        *out = type_row(arena, ast->child_count, names, children, nullable);
    return OK;
}

static const struct simple {
    const char *name;
    const struct type *type;
} SIMPLE[] = {
    {"BOOLEAN", &TYPE_OF_BOOLEAN}, {"TINYINT", &TYPE_OF_TINYINT}, {"SMALLINT", &TYPE_OF_SMALLINT},
    {"INT", &TYPE_OF_INT},         {"INTEGER", &TYPE_OF_INT},     {"BIGINT", &TYPE_OF_BIGINT},
    {"FLOAT", &TYPE_OF_FLOAT},     {"REAL", &TYPE_OF_FLOAT},      {"DOUBLE", &TYPE_OF_DOUBLE},
    {"STRING", &TYPE_OF_STRING},   {"BYTES", &TYPE_OF_BYTES},     {"DATE", &TYPE_OF_DATE},
};

static const char *const OTHER[] = {
    "DECIMAL", "DEC",       "NUMERIC",  "CHAR",      "CHARACTER",     "VARCHAR",
    "BINARY",  "VARBINARY", "TIME",     "TIMESTAMP", "TIMESTAMP_LTZ", "INTERVAL",
    "ARRAY",   "MAP",       "MULTISET", "ROW",
};

static enum status unknown_type(struct binder *binder, const struct ast_type *ast)
{
    const char *names[COUNT_OF(SIMPLE) + COUNT_OF(OTHER)];
    if (str_eq_nocase(ast->name, STR("RAW")) || str_eq_nocase(ast->name, STR("VARIANT")) ||
        str_eq_nocase(ast->name, STR("STRUCTURED")))
        return bind_unsupported(binder, ast->pos, "the type %.*s", (int)ast->name.length,
                                ast->name.data);
    for (size_t i = 0; i < COUNT_OF(SIMPLE); i++)
        names[i] = SIMPLE[i].name;
    memcpy(names + COUNT_OF(SIMPLE), OTHER, sizeof(OTHER));
    const char *nearest = str_nearest(ast->name, names, COUNT_OF(names));
    enum status status =
        bind_fail(binder, ERR_NAME, ast->pos, "there is no type '%.*s'",
                  ast->name.length > 80 ? 80 : (int)ast->name.length, ast->name.data);
    if (nearest)
        error_hint(binder->err, "did you mean %s?", nearest);
    return status;
}

static enum status find_type(struct binder *binder, struct arena *arena, const struct ast_type *ast,
                             const struct type **out)
{
    struct str name = ast->name;
    bool varying = ast->name2.length && str_eq_nocase(ast->name2, STR("VARYING"));
    if (ast->child_count)
        return bind_nested(binder, arena, ast, out);
    if (str_eq_nocase(name, STR("INTERVAL")))
        return bind_interval(binder, arena, ast, out);
    if (str_eq_nocase(name, STR("DECIMAL")) || str_eq_nocase(name, STR("DEC")) ||
        str_eq_nocase(name, STR("NUMERIC")))
        return bind_decimal(binder, arena, ast, out);
    if (str_eq_nocase(name, STR("CHAR")) || str_eq_nocase(name, STR("CHARACTER")))
        return bind_sized(binder, arena, ast, varying ? TYPE_VARCHAR : TYPE_CHAR,
                          varying ? TYPE_LENGTH_MAX : 1, out);
    if (str_eq_nocase(name, STR("VARCHAR")))
        return bind_sized(binder, arena, ast, TYPE_VARCHAR, TYPE_LENGTH_MAX, out);
    if (str_eq_nocase(name, STR("BINARY")))
        return bind_sized(binder, arena, ast, varying ? TYPE_VARBINARY : TYPE_BINARY,
                          varying ? TYPE_LENGTH_MAX : 1, out);
    if (str_eq_nocase(name, STR("VARBINARY")))
        return bind_sized(binder, arena, ast, TYPE_VARBINARY, TYPE_LENGTH_MAX, out);
    if (str_eq_nocase(name, STR("TIME")))
        return bind_temporal(binder, arena, ast, TYPE_TIME, 0, out);
    if (str_eq_nocase(name, STR("TIMESTAMP")))
        return bind_temporal(binder, arena, ast, TYPE_TIMESTAMP, 6, out);
    if (str_eq_nocase(name, STR("TIMESTAMP_LTZ")))
        return bind_temporal(binder, arena, ast, TYPE_TIMESTAMP_LTZ, 6, out);
    for (size_t i = 0; i < COUNT_OF(SIMPLE); i++) {
        if (!str_eq_nocase(name, str_of(SIMPLE[i].name)))
            continue;
        if (ast->length_count)
            return bind_fail(binder, ERR_TYPE, ast->pos, "%s takes no length", SIMPLE[i].name);
        *out = type_with_nullable(arena, SIMPLE[i].type, !ast->not_null);
        return OK;
    }
    return unknown_type(binder, ast);
}

enum status bind_type(struct binder *binder, struct arena *arena, const struct ast_type *ast,
                      const struct type **out)
{
    *out = NULL;
    TRY(find_type(binder, arena, ast, out));
    return arena_check(arena, "a type", binder->err);
}
