/* bind_name.c - columns and relations by name; names are case-sensitive, as in Flink.
 *
 * a, t.a, default_catalog.default_database.t.a, and fields of rows behind any of them.
 */
#include "sql/bind_int.h"

#include "base/must.h"

#define CANDIDATES_MAX 4096

void scope_of_rel(struct scope *scope, const struct rel *rel, const char *clause)
{
    *scope = (struct scope){
        .column_count = rel->column_count,
        .names = rel->names,
        .types = rel->types,
        .clause = clause,
    };
}

/* Parts before a relation's name that only say the default catalog and database. */
static uint32_t default_parts(const struct ast_name *name)
{
    if (name->part_count > 2 && str_eq(name->parts[0], STR("default_catalog")) &&
        str_eq(name->parts[1], STR("default_database")))
        return 2;
    if (name->part_count > 1 && str_eq(name->parts[0], STR("default_database")))
        return 1;
    return 0;
}

static const struct scope_relation *relation_at(const struct scope *scope, struct str alias)
{
    for (uint32_t i = 0; i < scope->relation_count; i++)
        if (scope->relations[i].alias && str_eq(str_of(scope->relations[i].alias), alias))
            return &scope->relations[i];
    return NULL;
}

bool scope_find_relation(const struct scope *scope, const struct ast_name *name,
                         struct scope_relation *out)
{
    uint32_t skip = default_parts(name);
    const struct scope_relation *found =
        skip + 1 == name->part_count ? relation_at(scope, name->parts[skip]) : NULL;
    if (found)
        *out = *found;
    return found != NULL;
}

/* Columns of [first, first + count) with this name; the first of them in *index. */
static uint32_t find_column(const struct scope *scope, uint32_t first, uint32_t count,
                            struct str name, uint32_t *index)
{
    uint32_t found = 0;
    for (uint32_t i = first; i < first + count; i++)
        if (str_eq(str_of(scope->names[i]), name) && found++ == 0)
            *index = i;
    return found;
}

static enum status unknown_column(struct binder *binder, const struct scope *scope,
                                  const struct ast_name *name, uint32_t part, uint32_t first,
                                  uint32_t count, const char *relation)
{
    struct str text = name->parts[part];
    int length = text.length > 80 ? 80 : (int)text.length;
    if (count > CANDIDATES_MAX)
        count = CANDIDATES_MAX;
    const char *nearest = count ? str_nearest(text, scope->names + first, count) : NULL;
    enum status status =
        relation ? bind_fail(binder, ERR_NAME, name->part_pos[part],
                             "column '%.*s' not found in '%s'", length, text.data, relation)
        : scope->column_count
            ? bind_fail(binder, ERR_NAME, name->part_pos[part],
                        "column '%.*s' not found in any table", length, text.data)
            : bind_fail(binder, ERR_NAME, name->part_pos[part],
                        "column '%.*s' not found: there is no table here", length, text.data);
    if (nearest && str_eq_nocase(text, str_of(nearest)))
        error_hint(binder->err, "names are case-sensitive: did you mean %s?", nearest);
    else if (nearest)
        error_hint(binder->err, "did you mean %s?", nearest);
    return status;
}

static enum status access_field(struct binder *binder, const struct expr *row, struct str field,
                                struct source_pos pos, const struct expr **out)
{
    const struct type *type = row->type;
    if (type->root != TYPE_ROW)
        return bind_fail(binder, ERR_TYPE, pos,
                         "'%.*s' cannot be a field: what is before the dot "
                         "is no ROW",
                         field.length > 80 ? 80 : (int)field.length, field.data);
    for (uint32_t i = 0; i < type->child_count; i++) {
        if (!str_eq(str_of(type->names[i]), field))
            continue;
        const struct type *result = bind_with_nullable(
            binder, type->children[i], type->nullable || type->children[i]->nullable);
        struct expr *expr = (struct expr *)expr_new_args(binder, EXPR_FIELD, result,
                                                         pos_join(row->pos, pos), &row, 1);
        if (expr)
            expr->column = i;
        *out = expr;
        return bind_memory(binder);
    }
    const char *nearest = str_nearest(field, type->names, type->child_count);
    enum status status = bind_fail(binder, ERR_NAME, pos, "the row has no field '%.*s'",
                                   field.length > 80 ? 80 : (int)field.length, field.data);
    if (nearest)
        error_hint(binder->err, "did you mean %s?", nearest);
    return status;
}

enum status bind_field(struct binder *binder, const struct expr *row, const struct ast_name *field,
                       const struct expr **out)
{
    return access_field(binder, row, field->parts[0], field->pos, out);
}

/* The column, and the part of the name that it is. */
static enum status resolve(struct binder *binder, const struct scope *scope,
                           const struct ast_name *name, uint32_t *column, uint32_t *part)
{
    uint32_t found = 0, skip = default_parts(name);
    for (uint32_t before = skip;; before = 0) { /* with the default parts, then without */
        const struct scope_relation *relation =
            before + 1 < name->part_count ? relation_at(scope, name->parts[before]) : NULL;
        if (relation) {
            *part = before + 1;
            found =
                find_column(scope, relation->first, relation->count, name->parts[*part], column);
            if (!found)
                return unknown_column(binder, scope, name, *part, relation->first, relation->count,
                                      relation->alias);
            break;
        }
        if (before == 0)
            break;
    }
    if (!found) {
        *part = 0;
        found = find_column(scope, 0, scope->column_count, name->parts[0], column);
    }
    if (!found && name->part_count > 1 && scope->relation_count) {
        const char *aliases[16];
        uint32_t count = 0;
        for (uint32_t i = 0; i < scope->relation_count && count < COUNT_OF(aliases); i++)
            if (scope->relations[i].alias)
                aliases[count++] = scope->relations[i].alias;
        const char *nearest = str_nearest(name->parts[0], aliases, count);
        enum status status = bind_fail(
            binder, ERR_NAME, name->part_pos[0], "table '%.*s' not found in this query",
            name->parts[0].length > 80 ? 80 : (int)name->parts[0].length, name->parts[0].data);
        if (nearest)
            error_hint(binder->err, "did you mean %s?", nearest);
        return status;
    }
    if (!found)
        return unknown_column(binder, scope, name, 0, 0, scope->column_count, NULL);
    if (found > 1)
        return bind_fail(binder, ERR_NAME, name->part_pos[*part], "column '%.*s' is ambiguous",
                         name->parts[*part].length > 80 ? 80 : (int)name->parts[*part].length,
                         name->parts[*part].data);
    return OK;
}

/* Functions written without parentheses. */
static const char *niladic(const struct ast_name *name)
{
    static const char *const NAMES[] = {"CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP",
                                        "LOCALTIME", "LOCALTIMESTAMP"};
    for (size_t i = 0; i < COUNT_OF(NAMES) && name->part_count == 1 && !name->quoted; i++)
        if (str_eq_nocase(name->parts[0], str_of(NAMES[i])))
            return NAMES[i];
    return NULL;
}

enum status bind_name(struct binder *binder, const struct scope *scope, const struct ast_name *name,
                      const struct expr **out)
{
    uint32_t column = 0, part = 0;
    const char *function = niladic(name);
    if (function)
        return bind_function(binder, name->pos, function, NULL, 0, out);
    TRY(resolve(binder, scope, name, &column, &part));
    struct source_pos pos = pos_join(name->part_pos[0], name->part_pos[part]);
    const struct expr *expr = expr_new_column(binder, column, scope->types[column], pos);
    TRY(bind_memory(binder));
    for (part++; part < name->part_count; part++)
        TRY(access_field(binder, expr, name->parts[part], name->part_pos[part], &expr));
    *out = expr;
    return OK;
}
