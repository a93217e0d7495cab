/* endpoints.c - the endpoints of tables (plugin/endpoint.h): opened for a server, one for each
 * table whose connector takes rows over HTTP, while it is in the catalog.
 *
 * The mutex is held for looks at the list only, never while something opens or shuts: an entry that
 * is being opened has its path (nobody else gets it) but no endpoint yet.
 */
#include "engine/engine_int.h"

#include "base/must.h"

struct endpoint_entry {
    struct endpoint_entry *next;
    struct catalog_object *object;
    struct arena arena; /* of the path */
    const char *path;
    struct endpoint *endpoint; /* NULL: being opened */
};

static const struct connector_class *connector_of(const struct engine *engine,
                                                  const struct catalog_object *object)
{
    if (object->kind != CATALOG_TABLE || !object->description.connector)
        return NULL;
    return plugin_connector(engine->config.registry, str_of(object->description.connector), NULL);
}

static void entry_free(struct endpoint_entry *entry)
{
    endpoint_unref(entry->endpoint);
    catalog_object_unref(entry->object);
    arena_fini(&entry->arena);
    mem_free(entry);
}

static struct endpoint_entry **entry_of_path(struct engine *engine, struct str path)
{
    struct endpoint_entry **at = &engine->endpoints;
    while (*at && !str_eq(str_of((*at)->path), path))
        at = &(*at)->next;
    return at;
}

/* Into the list, without an endpoint. */
static enum status reserve(struct engine *engine, struct endpoint_entry *entry, struct error *err)
{
    enum status status = OK;
    mutex_lock(&engine->mutex);
    struct endpoint_entry *other = *entry_of_path(engine, str_of(entry->path));
    if (other) {
        status = error_set(err, ERR_EXISTS, "table %s: the path '%s' is that of table %s",
                           entry->object->full_name, entry->path, other->object->full_name);
        error_hint(err, "give the table another 'path'");
    } else {
        entry->next = engine->endpoints;
        engine->endpoints = entry;
    }
    mutex_unlock(&engine->mutex);
    return status;
}

static void take_out(struct engine *engine, struct endpoint_entry *entry)
{
    mutex_lock(&engine->mutex);
    struct endpoint_entry **at = &engine->endpoints;
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    mutex_unlock(&engine->mutex);
}

static enum status open_endpoint(struct engine *engine, struct endpoint_entry *entry,
                                 const struct endpoint_class *class, struct error *err)
{
    struct endpoint_settings settings = {.table = &entry->object->description,
                                         .context = engine->config.context,
                                         .owner = &engine->owner};
    struct endpoint *endpoint;
    TRY(row_checker_new(&settings.checker, engine, entry->object, err));
    enum status status = plugin_table_format(
        engine->config.registry, settings.table, row_checker_arena(settings.checker),
        &settings.format, &settings.format_options, &settings.format_option_count, err);
    if (status == OK)
        status = class->open(&settings, &endpoint, err);
    if (status != OK) {
        settings.checker->free(settings.checker);
        return status;
    }
    mutex_lock(&engine->mutex);
    entry->endpoint = endpoint;
    mutex_unlock(&engine->mutex);
    return OK;
}

enum status endpoints_add(struct engine *engine, struct catalog_object *object, struct error *err)
{
    const struct connector_class *connector = connector_of(engine, object);
    mutex_lock(&engine->mutex);
    bool wanted = engine->endpoints_open && connector && connector->endpoint;
    mutex_unlock(&engine->mutex);
    if (!wanted)
        return OK;
    struct endpoint_entry *entry = mem_calloc(1, sizeof(*entry));
    if (!entry)
        return error_memory(err, "an endpoint", sizeof(*entry));
    arena_init(&entry->arena, NULL, 1u << 20);
    entry->object = catalog_object_ref(object);
    enum status status =
        connector->endpoint->path(&object->description, &entry->arena, &entry->path, err);
    if (status == OK)
        status = reserve(engine, entry, err);
    if (status != OK) {
        entry_free(entry);
        return status;
    }
    status = open_endpoint(engine, entry, connector->endpoint, err);
    if (status != OK) {
        take_out(engine, entry);
        entry_free(entry);
    }
    return status;
}

static void shut_and_free(struct endpoint_entry *entry)
{
    entry->endpoint->class->shut(entry->endpoint);
    entry_free(entry);
}

void endpoints_remove(struct engine *engine, const struct catalog_object *object)
{
    mutex_lock(&engine->mutex);
    struct endpoint_entry **at = &engine->endpoints, *entry;
    while (*at && !((*at)->object == object && (*at)->endpoint))
        at = &(*at)->next;
    entry = *at;
    if (entry)
        *at = entry->next;
    mutex_unlock(&engine->mutex);
    if (entry)
        shut_and_free(entry);
}

struct tables {
    struct catalog_object **objects;
    size_t count, capacity;
    bool failed;
};

static void keep_table(void *context, const struct catalog_object *object)
{
    struct tables *tables = context;
    if (tables->count == tables->capacity) {
        size_t capacity = tables->capacity ? tables->capacity * 2 : 16;
        void *grown = mem_realloc(tables->objects, capacity * sizeof(*tables->objects));
        tables->failed |= !grown;
        if (!grown)
            return;
        tables->objects = grown;
        tables->capacity = capacity;
    }
    tables->objects[tables->count++] = catalog_object_ref((struct catalog_object *)object);
}

enum status engine_endpoints_open(struct engine *engine, struct error *err)
{
    struct tables tables = {0};
    enum status status = OK;
    mutex_lock(&engine->mutex);
    bool open = engine->endpoints_open;
    engine->endpoints_open = true;
    mutex_unlock(&engine->mutex);
    if (open)
        return OK;
    catalog_list(engine->catalog, keep_table, &tables);
    if (tables.failed)
        status = error_memory(err, "tables", tables.count * sizeof(*tables.objects));
    for (size_t i = 0; i < tables.count; i++) {
        if (status == OK)
            status = endpoints_add(engine, tables.objects[i], err);
        catalog_object_unref(tables.objects[i]);
    }
    mem_free(tables.objects);
    if (status != OK)
        engine_endpoints_close(engine);
    return status;
}

void engine_endpoints_close(struct engine *engine)
{
    mutex_lock(&engine->mutex);
    struct endpoint_entry *entries = engine->endpoints, *next;
    engine->endpoints = NULL;
    engine->endpoints_open = false;
    mutex_unlock(&engine->mutex);
    for (; entries; entries = next) {
        next = entries->next;
        must(entries->endpoint); /* no statement runs any more */
        shut_and_free(entries);
    }
}

struct endpoint *engine_endpoint_find(struct engine *engine, struct str path)
{
    mutex_lock(&engine->mutex);
    struct endpoint_entry *entry = *entry_of_path(engine, path);
    struct endpoint *endpoint = entry && entry->endpoint ? endpoint_ref(entry->endpoint) : NULL;
    mutex_unlock(&engine->mutex);
    return endpoint;
}

void engine_endpoints_list(struct engine *engine,
                           void (*each)(void *context, const struct endpoint *endpoint,
                                        const struct catalog_object *table),
                           void *context)
{
    mutex_lock(&engine->mutex);
    for (struct endpoint_entry *entry = engine->endpoints; entry; entry = entry->next)
        if (entry->endpoint)
            each(context, entry->endpoint, entry->object);
    mutex_unlock(&engine->mutex);
}

static bool reads_endpoint(const struct plan *plan)
{
    for (uint32_t i = 0; i < plan->node_count; i++)
        if (plan->nodes[i]->op == PLAN_SOURCE && plan->nodes[i]->source.connector->endpoint)
            return true;
    return false;
}

bool engine_endpoints_wanted(struct engine *engine)
{
    bool wanted = false;
    mutex_lock(&engine->mutex);
    for (const struct engine_job *job = engine->jobs; job && !wanted; job = job->next)
        wanted = !job->plan->bounded && reads_endpoint(job->plan);
    mutex_unlock(&engine->mutex);
    return wanted;
}
