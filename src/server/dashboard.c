/* dashboard.c - JSON to struct dashboard: jansson reads, tables of members check.
 *
 * jansson keeps no places, so that of a wrong member is looked for in the text only when there is
 * an error: json_place follows the path to it.
 */
#include "server/dashboard.h"

#include <jansson.h>
#include <stdio.h>

#include "base/must.h"
#include "server/json_place.h"

#define ID_BYTES_MAX 64
#define TEXT_MAX     (64u << 10)
#define REFRESH_MIN  100
#define REFRESH_MAX  86400000
#define KEEP_MAX     10000
#define DEPTH_MAX    6

struct parse {
    struct dashboard *dashboard;
    struct arena *arena;
    struct str text;
    const char *file;
    struct error *err;
    struct json_step path[DEPTH_MAX]; /* to the value looked at */
    unsigned depth;
};

enum member_type { MEMBER_TEXT, MEMBER_INT, MEMBER_ARRAY, MEMBER_TEXTS };

struct member {
    const char *name;
    enum member_type type;
    bool required;
    int64_t min, max;           /* INT */
    const char *const *choices; /* TEXT */
};

static const char *const KINDS[] = {"number", "table", "bar", "line", "pie", NULL};
static const char *const SORTS[] = {"x", "y", "none", NULL};

static const struct member TOP[] = {
    {"title", MEMBER_TEXT, true}, {"selectors", MEMBER_ARRAY}, {"panels", MEMBER_ARRAY, true}, {0}};
static const struct member SELECTOR[] = {{"id", MEMBER_TEXT, true},
                                         {"label", MEMBER_TEXT},
                                         {"values", MEMBER_TEXTS, true},
                                         {"default", MEMBER_TEXT},
                                         {0}};
static const struct member PANEL[] = {
    {"id", MEMBER_TEXT, true},
    {"title", MEMBER_TEXT},
    {"kind", MEMBER_TEXT, true, .choices = KINDS},
    {"sql", MEMBER_TEXT, true},
    {"x", MEMBER_TEXT},
    {"y", MEMBER_TEXTS},
    {"series", MEMBER_TEXT},
    {"width", MEMBER_INT, .min = 1, .max = 12},
    {"height", MEMBER_INT, .min = 1, .max = 12},
    {"refresh_ms", MEMBER_INT, .min = REFRESH_MIN, .max = REFRESH_MAX},
    {"keep", MEMBER_INT, .min = 1, .max = KEEP_MAX},
    {"unit", MEMBER_TEXT},
    {"format", MEMBER_TEXT},
    {"sort", MEMBER_TEXT, .choices = SORTS},
    {0}};

/* ---- errors with their place */

static enum status fail(struct parse *parse, enum status code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
static enum status fail(struct parse *parse, enum status code, const char *fmt, ...)
{
    char text[ERROR_TEXT_MAX];
    struct source_pos pos = json_place(parse->text, parse->path, parse->depth);
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    error_set(parse->err, code, "%s:%u:%u: %s", parse->file, pos.line, pos.column, text);
    return code;
}

static void enter(struct parse *parse, const char *name, size_t index)
{
    must(parse->depth < DEPTH_MAX);
    parse->path[parse->depth++] = (struct json_step){name, index};
}

static void leave(struct parse *parse)
{
    parse->depth--;
}

/* ---- members */

static enum status unknown_member(struct parse *parse, const struct member *members,
                                  const char *name)
{
    const char *names[32];
    size_t count = 0;
    for (const struct member *member = members; member->name; member++)
        names[count++] = member->name;
    enter(parse, name, 0);
    enum status status = fail(parse, ERR_OPTION, "there is no member \"%.60s\" here", name);
    leave(parse);
    const char *nearest = str_nearest(str_of(name), names, count);
    if (nearest)
        error_hint(parse->err, "did you mean \"%s\"?", nearest);
    return status;
}

static enum status check_text(struct parse *parse, const struct member *member, const json_t *value)
{
    if (!json_is_string(value))
        return fail(parse, ERR_OPTION, "\"%s\" must be a text", member->name);
    const char *text = json_string_value(value);
    if (json_string_length(value) > TEXT_MAX || strlen(text) != json_string_length(value))
        return fail(parse, ERR_OPTION, "\"%s\" is longer than %u bytes or has a NUL", member->name,
                    TEXT_MAX);
    size_t count = 0;
    for (; member->choices && member->choices[count]; count++)
        if (strcmp(text, member->choices[count]) == 0)
            return OK;
    if (!member->choices)
        return OK;
    fail(parse, ERR_OPTION, "\"%s\" cannot be \"%.60s\"", member->name, text);
    const char *nearest = str_nearest(str_of(text), member->choices, count);
    if (nearest)
        error_hint(parse->err, "did you mean \"%s\"?", nearest);
    return ERR_OPTION;
}

static enum status check_texts(struct parse *parse, const struct member *member,
                               const json_t *value)
{
    size_t index;
    json_t *element;
    const struct member one = {member->name, MEMBER_TEXT};
    if (!json_is_array(value) || !json_array_size(value) ||
        json_array_size(value) > SELECTOR_VALUES_MAX)
        return fail(parse, ERR_OPTION, "\"%s\" must be a list of 1 to %d texts", member->name,
                    SELECTOR_VALUES_MAX);
    json_array_foreach(value, index, element)
    {
        enter(parse, NULL, index);
        TRY(check_text(parse, &one, element));
        leave(parse);
    }
    return OK;
}

static enum status check_member(struct parse *parse, const struct member *member,
                                const json_t *value)
{
    switch (member->type) {
    case MEMBER_TEXT:
        return check_text(parse, member, value);
    case MEMBER_TEXTS:
        return check_texts(parse, member, value);
    case MEMBER_ARRAY:
        return json_is_array(value)
                   ? OK
                   : fail(parse, ERR_OPTION, "\"%s\" must be a list", member->name);
    case MEMBER_INT:
        break;
    }
    if (!json_is_integer(value) || json_integer_value(value) < member->min ||
        json_integer_value(value) > member->max)
        return fail(parse, ERR_OPTION, "\"%s\" must be a whole number from %lld to %lld",
                    member->name, (long long)member->min, (long long)member->max);
    return OK;
}

static enum status check_object(struct parse *parse, const struct member *members, json_t *object,
                                const char *what)
{
    const char *name;
    json_t *value;
    if (!json_is_object(object))
        return fail(parse, ERR_OPTION, "%s must be an object", what);
    json_object_foreach(object, name, value)
    {
        const struct member *member = members;
        while (member->name && strcmp(member->name, name) != 0)
            member++;
        if (!member->name)
            return unknown_member(parse, members, name);
        enter(parse, name, 0);
        TRY(check_member(parse, member, value));
        leave(parse);
    }
    for (const struct member *member = members; member->name; member++)
        if (member->required && !json_object_get(object, member->name))
            return fail(parse, ERR_OPTION, "%s needs the member \"%s\"", what, member->name);
    return OK;
}

/* ---- what they mean */

static const char *copy(struct parse *parse, const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (!value)
        return NULL;
    return arena_strndup(parse->arena, json_string_value(value), json_string_length(value));
}

static enum status check_id(struct parse *parse, const json_t *object)
{
    const char *id = json_string_value(json_object_get(object, "id"));
    bool good = *id && strlen(id) < ID_BYTES_MAX && (*id < '0' || *id > '9');
    for (const char *at = id; *at; at++)
        good = good && ((*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                        (*at >= '0' && *at <= '9') || *at == '_');
    if (good)
        return OK;
    enter(parse, "id", 0);
    return fail(parse, ERR_OPTION,
                "an \"id\" has up to %d letters, digits and _, and no digit first",
                ID_BYTES_MAX - 1);
}

static enum status twice(struct parse *parse, const char *id)
{
    enter(parse, "id", 0);
    return fail(parse, ERR_OPTION, "the id \"%s\" is there twice", id);
}

static enum status read_selector(struct parse *parse, json_t *object, struct selector *selectors,
                                 size_t index)
{
    struct selector *selector = &selectors[index];
    TRY(check_object(parse, SELECTOR, object, "a selector"));
    TRY(check_id(parse, object));
    const json_t *values = json_object_get(object, "values");
    selector->id = copy(parse, object, "id");
    selector->label = copy(parse, object, "label");
    selector->default_value = copy(parse, object, "default");
    selector->value_count = (uint32_t)json_array_size(values);
    const char **texts = ARENA_ARRAY(parse->arena, selector->value_count, const char *);
    TRY(arena_check(parse->arena, "a dashboard", parse->err));
    bool found = !selector->default_value;
    for (uint32_t i = 0; i < selector->value_count; i++) {
        const json_t *value = json_array_get(values, i);
        texts[i] = arena_strndup(parse->arena, json_string_value(value), json_string_length(value));
        TRY(arena_check(parse->arena, "a dashboard", parse->err));
        found = found || strcmp(texts[i], selector->default_value) == 0;
    }
    selector->values = texts;
    if (!selector->default_value)
        selector->default_value = texts[0];
    for (size_t i = 0; i < index; i++)
        if (strcmp(selectors[i].id, selector->id) == 0)
            return twice(parse, selector->id);
    if (found)
        return OK;
    enter(parse, "default", 0);
    return fail(parse, ERR_OPTION, "the \"default\" is none of the \"values\"");
}

static uint32_t number_of(const json_t *object, const char *name, uint32_t otherwise)
{
    const json_t *value = json_object_get(object, name);
    return value ? (uint32_t)json_integer_value(value) : otherwise;
}

static enum status read_panel(struct parse *parse, json_t *object, struct panel *panels,
                              size_t index)
{
    struct panel *panel = &panels[index];
    TRY(check_object(parse, PANEL, object, "a panel"));
    TRY(check_id(parse, object));
    panel->id = copy(parse, object, "id");
    panel->title = copy(parse, object, "title");
    panel->sql = copy(parse, object, "sql");
    panel->refresh_ms = number_of(object, "refresh_ms", 1000);
    panel->keep = number_of(object, "keep", 100);
    const char *kind = json_string_value(json_object_get(object, "kind"));
    while (strcmp(KINDS[panel->kind], kind) != 0)
        panel->kind++;
    TRY(arena_check(parse->arena, "a dashboard", parse->err));
    bool charts = panel->kind != PANEL_TABLE, axis = charts && panel->kind != PANEL_NUMBER;
    if (charts && !json_object_get(object, "y"))
        return fail(parse, ERR_OPTION, "a panel of kind \"%s\" needs \"y\": its columns of values",
                    kind);
    if (axis && !json_object_get(object, "x"))
        return fail(parse, ERR_OPTION, "a panel of kind \"%s\" needs \"x\": a column", kind);
    for (size_t i = 0; i < index; i++)
        if (strcmp(panels[i].id, panel->id) == 0)
            return twice(parse, panel->id);
    enter(parse, "sql", 0);
    panel->sql_pos = json_place(parse->text, parse->path, parse->depth);
    leave(parse);
    return OK;
}

static enum status read_selectors(struct parse *parse, json_t *list)
{
    size_t index, count = json_array_size(list);
    json_t *object;
    struct selector *selectors = ARENA_ARRAY(parse->arena, count + 1, struct selector);
    TRY(arena_check(parse->arena, "a dashboard", parse->err));
    enter(parse, "selectors", 0);
    if (count > DASHBOARD_SELECTORS_MAX)
        return fail(parse, ERR_LIMIT, "a dashboard has at most %d selectors",
                    DASHBOARD_SELECTORS_MAX);
    json_array_foreach(list, index, object)
    {
        enter(parse, NULL, index);
        TRY(read_selector(parse, object, selectors, index));
        leave(parse);
    }
    leave(parse);
    parse->dashboard->selectors = selectors;
    parse->dashboard->selector_count = (uint32_t)count;
    return OK;
}

static enum status read_panels(struct parse *parse, json_t *list)
{
    size_t index, count = json_array_size(list);
    json_t *object;
    struct panel *panels = ARENA_ARRAY(parse->arena, count + 1, struct panel);
    TRY(arena_check(parse->arena, "a dashboard", parse->err));
    enter(parse, "panels", 0);
    if (count < 1 || count > DASHBOARD_PANELS_MAX)
        return fail(parse, ERR_LIMIT, "a dashboard has 1 to %d panels", DASHBOARD_PANELS_MAX);
    json_array_foreach(list, index, object)
    {
        enter(parse, NULL, index);
        TRY(read_panel(parse, object, panels, index));
        leave(parse);
    }
    leave(parse);
    parse->dashboard->panels = panels;
    parse->dashboard->panel_count = (uint32_t)count;
    return OK;
}

static const char *name_of(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    struct str name = str_of(slash ? slash + 1 : path);
    if (name.length > 5 && strcmp(name.data + name.length - 5, ".json") == 0)
        name.length -= 5;
    return arena_strndup(arena, name.data, name.length);
}

static enum status read_all(struct parse *parse, json_t *root)
{
    struct dashboard *dashboard = parse->dashboard;
    TRY(check_object(parse, TOP, root, "a dashboard"));
    TRY(read_selectors(parse, json_object_get(root, "selectors")));
    TRY(read_panels(parse, json_object_get(root, "panels")));
    dashboard->title = copy(parse, root, "title");
    char *text = json_dumps(root, JSON_COMPACT);
    dashboard->text = text ? arena_strndup(parse->arena, text, strlen(text)) : NULL;
    if (!text)
        return error_memory(parse->err, "a dashboard", parse->text.length);
    mem_free(text);
    return arena_check(parse->arena, "a dashboard", parse->err);
}

enum status dashboard_parse(struct dashboard **out, const char *path, struct str text,
                            struct error *err)
{
    json_error_t where;
    struct dashboard *dashboard = mem_calloc(1, sizeof(*dashboard));
    if (!dashboard)
        return error_memory(err, "a dashboard", sizeof(*dashboard));
    json_set_alloc_funcs(mem_alloc, mem_free); /* the same each time */
    arena_init(&dashboard->arena, NULL, 4 * DASHBOARD_BYTES_MAX);
    struct parse parse = {
        .dashboard = dashboard, .arena = &dashboard->arena, .text = text, .file = path, .err = err};
    dashboard->file = arena_strndup(&dashboard->arena, path, strlen(path));
    dashboard->name = name_of(&dashboard->arena, path);
    json_t *root = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, &where);
    enum status status = OK;
    if (!root)
        status =
            error_set(err, ERR_SYNTAX, "%s:%d:%d: %s", path, where.line, where.column, where.text);
    if (status == OK)
        status = read_all(&parse, root);
    json_decref(root);
    if (status != OK) {
        dashboard_free(dashboard);
        return status;
    }
    *out = dashboard;
    return OK;
}

void dashboard_free(struct dashboard *dashboard)
{
    if (!dashboard)
        return;
    arena_fini(&dashboard->arena);
    mem_free(dashboard);
}
