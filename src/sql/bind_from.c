/* bind_from.c - what FROM names: common table expressions, tables, views, sub-queries.
 *
 * A view, a CTE and a table are bound once in a statement and shared by all who read them, each in
 * a path of its own, so that names of state do not depend on the reader.
 */
#include "sql/bind_int.h"

#include "base/must.h"

/* path/name */
static const char *path_below(struct binder *binder, const char *path, const char *name)
{
    return *path ? arena_printf(binder->arena, "%s/%s", path, name) : name;
}

static enum status name_columns(struct binder *binder, const struct rel *rel,
                                const struct ast_names *columns, const char *what,
                                const struct rel **out)
{
    *out = rel;
    if (!columns->count)
        return OK;
    if (columns->count != rel->column_count)
        return bind_fail(binder, ERR_SYNTAX, columns->first->pos,
                         "%s has %u columns, but %u names are given", what, rel->column_count,
                         columns->count);
    const char **names = ARENA_ARRAY(binder->arena, columns->count, const char *);
    TRY(bind_memory(binder));
    uint32_t i = 0;
    for (const struct ast_name *name = columns->first; name; name = name->next, i++) {
        names[i] = bind_strdup(binder, name->parts[0]);
        for (uint32_t k = 0; k < i; k++)
            if (strcmp(names[k], names[i]) == 0)
                return bind_fail(binder, ERR_NAME, name->pos, "column '%s' is named twice",
                                 names[i]);
    }
    TRY(bind_memory(binder));
    *out = rel_rename(binder, rel, names, columns->first->pos);
    return bind_memory(binder);
}

/* ---- common table expressions */

static struct cte *find_cte(struct binder *binder, const struct ast_name *name)
{
    struct cte *cte = name->part_count == 1 ? binder->ctes : NULL;
    while (cte && !str_eq(str_of(cte->name), name->parts[0]))
        cte = cte->next;
    return cte;
}

static enum status bind_cte(struct binder *binder, struct cte *cte, const struct rel **out)
{
    struct cte *ctes = binder->ctes;
    const char *path = binder->path;
    if (!cte->rel) {
        binder->ctes = cte->next; /* it sees only those before it */
        binder->path = path_below(binder, cte->path, cte->name);
        TRY(bind_memory(binder));
        TRY(bind_query(binder, cte->ast->query, &cte->rel));
        TRY(name_columns(binder, cte->rel, &cte->ast->columns, cte->name, &cte->rel));
        binder->ctes = ctes;
        binder->path = path;
    }
    *out = cte->rel;
    return OK;
}

/* ---- tables and views */

struct names {
    struct binder *binder;
    const char **names;
    size_t count, capacity;
};

static void count_name(void *context, const struct catalog_object *object)
{
    ((struct names *)context)->capacity++;
}

static void collect_name(void *context, const struct catalog_object *object)
{
    struct names *list = context;
    if (list->count < list->capacity)
        list->names[list->count++] =
            arena_strndup(list->binder->arena, object->name, strlen(object->name));
}

static enum status unknown_object(struct binder *binder, const struct ast_name *name)
{
    struct names list = {.binder = binder};
    struct str last = name->parts[name->part_count - 1];
    catalog_list(binder->session->catalog, count_name, &list);
    list.names = ARENA_ARRAY(binder->arena, list.capacity + 1, const char *);
    TRY(bind_memory(binder));
    catalog_list(binder->session->catalog, collect_name, &list);
    TRY(bind_memory(binder));
    const char *nearest = str_nearest(last, list.names, list.count);
    struct str text = bind_slice(binder, name->pos);
    enum status status = bind_fail(binder, ERR_NAME, name->pos, "there is no table or view '%.*s'",
                                   text.length > 80 ? 80 : (int)text.length, text.data);
    if (nearest && str_eq_nocase(last, str_of(nearest)) && !str_eq(last, str_of(nearest)))
        error_hint(binder->err, "names are case-sensitive: did you mean %s?", nearest);
    else if (nearest && !str_eq(last, str_of(nearest)))
        error_hint(binder->err, "did you mean %s?", nearest);
    else if (nearest)
        error_hint(binder->err, "the only catalog and database are "
                                "default_catalog.default_database");
    return status;
}

/* Takes over the reference of object. */
static enum status hold(struct binder *binder, struct catalog_object *object,
                        struct sql_reference **out)
{
    struct sql_reference *reference = ARENA_NEW(binder->arena, struct sql_reference);
    if (!reference) {
        catalog_object_unref(object);
        return bind_memory(binder);
    }
    reference->object = object;
    reference->next = binder->references;
    binder->references = reference;
    *out = reference;
    return OK;
}

enum status bind_object(struct binder *binder, const struct ast_name *name,
                        struct sql_reference **out)
{
    struct catalog_object *object =
        catalog_find(binder->session->catalog, name->parts, name->part_count);
    if (!object)
        return unknown_object(binder, name);
    for (struct sql_reference *have = binder->references; have; have = have->next) {
        if (have->object == object) {
            catalog_object_unref(object);
            *out = have;
            return OK;
        }
    }
    return hold(binder, object, out);
}

static enum status bind_view(struct binder *binder, struct catalog_object *view,
                             struct source_pos use, const struct rel **out)
{
    struct bind_saved saved;
    struct parse parse;
    bool restricted = binder->restricted;
    const char **names = ARENA_ARRAY(binder->arena, view->column_count + 1, const char *);
    TRY(bind_memory(binder));
    enum status status = bind_enter_text(binder, &view->query, PARSE_QUERY, &parse, &saved);
    if (status == OK) {
        binder->path = view->name;
        binder->ctes = NULL;
        binder->restricted |= view->restricted;
        status = bind_query(binder, parse.query, out);
    }
    bind_leave_text(binder, &saved);
    binder->restricted = restricted;
    if (status != OK) { /* the place inside may be of another file */
        error_prefix(binder->err, "in the view %s", view->name);
        error_at(binder->err, use);
        return status;
    }
    if ((*out)->column_count != view->column_count)
        return bind_fail(binder, ERR_NAME, use,
                         "the tables of the view %s have changed; drop it "
                         "and create it again",
                         view->name);
    for (uint32_t i = 0; i < view->column_count; i++)
        names[i] = view->columns[i].name;
    *out = rel_rename(binder, *out, names, use);
    return bind_memory(binder);
}

/* FROM t /x+ OPTIONS('k' = 'v') x/: an object that differs in its options only. */
static enum status with_options(struct binder *binder, const struct catalog_object *table,
                                const struct ast_options *hints, struct catalog_object **out)
{
    struct catalog_object *copy;
    TRY(catalog_object_new(&copy, binder->err));
    struct arena arena = copy->arena;
    *copy = *table;
    atomic_init(&copy->refs, 1);
    copy->arena = arena;
    copy->base = catalog_object_ref((struct catalog_object *)table);
    copy->restricted = table->restricted || binder->restricted;
    *out = copy;
    struct option_given *options =
        ARENA_ARRAY(&copy->arena, table->option_count + hints->count, struct option_given);
    TRY(arena_check(&copy->arena, "a table with options", binder->err));
    for (size_t i = 0; i < table->option_count; i++) /* their places are of another statement */
        options[i] = (struct option_given){table->options[i].key, table->options[i].value, {0}};
    for (const struct ast_option *hint = hints->first; hint; hint = hint->next) {
        const char *key = arena_strndup(&copy->arena, hint->key.data, hint->key.length);
        const char *value = arena_strndup(&copy->arena, hint->value.data, hint->value.length);
        size_t i = 0;
        TRY(arena_check(&copy->arena, "a table with options", binder->err));
        while (i < copy->option_count && !str_eq(options[i].key, hint->key))
            i++;
        options[i] =
            (struct option_given){{key, hint->key.length}, {value, hint->value.length}, hint->pos};
        copy->option_count += i == copy->option_count;
    }
    copy->options = options;
    return catalog_object_seal(copy, binder->err);
}

static enum status check_readable(struct binder *binder, const struct catalog_object *table,
                                  struct source_pos use)
{
    const struct plugin_registry *registry = binder->session->registry;
    if (!registry || !table->description.connector)
        return OK;
    const struct connector_class *connector =
        plugin_connector(registry, str_of(table->description.connector), binder->err);
    if (connector && connector->source)
        return OK;
    if (connector)
        return bind_fail(binder, ERR_UNSUPPORTED, use,
                         "%s cannot be read: the connector '%s' is only a sink", table->name,
                         connector->name);
    error_at(binder->err, use);
    return ERR_NAME;
}

enum status bind_relation(struct binder *binder, const struct ast_name *name,
                          const struct ast_options *hints, const struct rel **out)
{
    struct cte *cte = find_cte(binder, name);
    struct sql_reference *reference;
    if (cte)
        return bind_cte(binder, cte, out);
    TRY(bind_object(binder, name, &reference));
    struct catalog_object *object = reference->object;
    if (hints && hints->count) {
        struct catalog_object *copy = NULL;
        if (object->kind == CATALOG_VIEW)
            return bind_fail(binder, ERR_OPTION, name->pos,
                             "OPTIONS can be given for tables only; "
                             "%s is a view",
                             object->name);
        enum status status = with_options(binder, object, hints, &copy);
        if (status == OK && binder->session->registry)
            status = plugin_validate(binder->session->registry, &copy->description, binder->err);
        if (status != OK) {
            catalog_object_unref(copy);
            if (!binder->err->pos.line)
                error_at(binder->err, name->pos);
            return status;
        }
        TRY(hold(binder, copy, &reference));
        object = copy;
    }
    if (object->kind == CATALOG_TABLE)
        TRY(check_readable(binder, object, name->pos));
    if (!reference->rel) {
        TRY(object->kind == CATALOG_VIEW ? bind_view(binder, object, name->pos, &reference->rel)
                                         : bind_scan(binder, object, &reference->rel));
    }
    *out = reference->rel;
    return OK;
}

/* ---- FROM */

static enum status bind_from_rel(struct binder *binder, const struct ast_from *from,
                                 const char *alias, const struct rel **out)
{
    const char *path = binder->path;
    switch (from->kind) {
    case AST_FROM_TABLE:
        return bind_relation(binder, from->name, &from->hints, out);
    case AST_FROM_QUERY:
        if (alias)
            binder->path = path_below(binder, path, alias);
        TRY(bind_memory(binder));
        TRY(bind_query(binder, from->query, out));
        binder->path = path;
        return OK;
    case AST_FROM_FUNCTION:
        return bind_window(binder, from->call, out);
    }
    return OK;
}

enum status bind_from(struct binder *binder, const struct ast_from *from, const struct rel **out,
                      struct scope *scope)
{
    const char *alias = from->alias ? bind_strdup(binder, from->alias->parts[0])
                        : from->kind == AST_FROM_TABLE
                            ? bind_strdup(binder, from->name->parts[from->name->part_count - 1])
                            : NULL;
    struct scope_relation *relation = ARENA_NEW(binder->arena, struct scope_relation);
    TRY(bind_memory(binder));
    TRY(bind_from_rel(binder, from, alias, out));
    TRY(name_columns(binder, *out, &from->columns, alias ? alias : "the query", out));
    scope_of_rel(scope, *out, NULL);
    *relation = (struct scope_relation){alias, 0, (*out)->column_count};
    scope->relations = relation;
    scope->relation_count = 1;
    return OK;
}
