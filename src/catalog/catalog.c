/* catalog.c - objects and the map of their names.
 *
 * Two sorted arrays, temporary and permanent objects; a look-up tries the temporary ones first. The
 * numbers are small (a script's tables), so adding shifts the array. One mutex guards both; objects
 * are immutable once added and are read without it.
 *
 * Invariants: each array is strictly ascending by full name; each entry owns one reference.
 */
#include "catalog/catalog.h"

#include "base/must.h"
#include "os/thread.h"

#define OBJECTS_MAX      65536
#define OBJECT_BYTES_MAX (64u << 20)

#define DEFAULT_CATALOG  "default_catalog"
#define DEFAULT_DATABASE "default_database"

struct list {
    struct catalog_object **objects;
    size_t count, capacity;
};

struct catalog {
    struct mutex mutex;
    struct list lists[2]; /* by `temporary` */
};

enum status catalog_new(struct catalog **out, struct error *err)
{
    struct catalog *catalog = mem_calloc(1, sizeof(*catalog));
    *out = NULL;
    if (!catalog)
        return error_memory(err, "the catalog", sizeof(*catalog));
    mutex_init(&catalog->mutex);
    *out = catalog;
    return OK;
}

void catalog_free(struct catalog *catalog)
{
    if (!catalog)
        return;
    for (size_t k = 0; k < COUNT_OF(catalog->lists); k++) {
        for (size_t i = 0; i < catalog->lists[k].count; i++)
            catalog_object_unref(catalog->lists[k].objects[i]);
        mem_free(catalog->lists[k].objects);
    }
    mutex_fini(&catalog->mutex);
    mem_free(catalog);
}

/* ---- objects */

enum status catalog_object_new(struct catalog_object **out, struct error *err)
{
    struct catalog_object *object = mem_calloc(1, sizeof(*object));
    *out = NULL;
    if (!object)
        return error_memory(err, "a catalog object", sizeof(*object));
    atomic_init(&object->refs, 1);
    arena_init(&object->arena, NULL, OBJECT_BYTES_MAX);
    *out = object;
    return OK;
}

struct catalog_object *catalog_object_ref(struct catalog_object *object)
{
    atomic_fetch_add_explicit(&object->refs, 1, memory_order_relaxed);
    return object;
}

void catalog_object_unref(struct catalog_object *object)
{
    if (!object || atomic_fetch_sub_explicit(&object->refs, 1, memory_order_acq_rel) != 1)
        return;
    catalog_object_unref(object->base);
    arena_fini(&object->arena);
    mem_free(object);
}

/* Numbers of columns (all physical) as numbers of fields. */
static uint32_t *field_numbers(struct catalog_object *object, const uint32_t *field_of_column,
                               const uint32_t *columns, uint32_t count)
{
    uint32_t *fields = ARENA_ARRAY(&object->arena, count + 1, uint32_t);
    for (uint32_t i = 0; fields && i < count; i++)
        fields[i] = field_of_column[columns[i]];
    return fields;
}

enum status catalog_object_seal(struct catalog_object *object, struct error *err)
{
    struct arena *arena = &object->arena;
    uint32_t columns = object->column_count, fields = 0;
    struct table_field *list = ARENA_ARRAY(arena, columns + 1, struct table_field);
    uint32_t *field_of_column = ARENA_ARRAY(arena, columns + 1, uint32_t);
    struct option_given *options =
        ARENA_ARRAY(arena, object->option_count + 1, struct option_given);
    object->column_of_field = ARENA_ARRAY(arena, columns + 1, uint32_t);
    TRY(arena_check(arena, "a catalog object", err));
    must(columns <= CATALOG_COLUMNS_MAX);
    for (uint32_t i = 0; i < columns; i++) {
        const struct catalog_column *column = &object->columns[i];
        if (column->kind != COLUMN_PHYSICAL)
            continue;
        object->column_of_field[fields] = i;
        field_of_column[i] = fields;
        list[fields++] = (struct table_field){column->name, column->type};
    }
    struct table_description *description = &object->description;
    *description = (struct table_description){
        .name = object->full_name,
        .restricted = object->restricted,
        .field_count = fields,
        .fields = list,
        .options = options,
        .primary_key_count = object->primary_key_count,
        .partition_key_count = object->partition_key_count,
    };
    description->primary_key =
        field_numbers(object, field_of_column, object->primary_key, object->primary_key_count);
    description->partition_keys =
        field_numbers(object, field_of_column, object->partition_keys, object->partition_key_count);
    for (size_t i = 0; i < object->option_count; i++) {
        const struct option_given *option = &object->options[i];
        if (str_eq(option->key, STR("connector")))
            description->connector = arena_strndup(arena, option->value.data, option->value.length);
        else
            options[description->option_count++] = *option;
    }
    return arena_check(arena, "a catalog object", err);
}

/* ---- names */

/* Where the object with this full name is or belongs. */
static size_t position_of(const struct list *list, struct str full_name, bool *found)
{
    size_t low = 0, high = list->count;
    *found = false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = str_compare(str_of(list->objects[middle]->full_name), full_name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The last part when the ones before it are the default catalog and database; else data NULL. */
static struct str last_part(const struct str *parts, uint32_t part_count)
{
    static const char *const DEFAULTS[] = {DEFAULT_CATALOG, DEFAULT_DATABASE};
    if (part_count < 1 || part_count > 3)
        return (struct str){0};
    for (uint32_t i = 0; i + 1 < part_count; i++)
        if (!str_eq(parts[i], str_of(DEFAULTS[3 - part_count + i])))
            return (struct str){0};
    return parts[part_count - 1];
}

static struct catalog_object *find_in(const struct list *list, struct str name)
{
    /* Full names differ in their last part only, so it orders them alike. */
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = str_compare(str_of(list->objects[middle]->name), name);
        if (order == 0)
            return list->objects[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static enum status insert(struct list *list, size_t at, struct catalog_object *object,
                          struct error *err)
{
    if (list->count == OBJECTS_MAX)
        return error_set(err, ERR_LIMIT, "the catalog holds at most %d objects", OBJECTS_MAX);
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 16;
        struct catalog_object **objects = mem_realloc(list->objects, capacity * sizeof(*objects));
        if (!objects)
            return error_memory(err, "the catalog", capacity * sizeof(*objects));
        list->objects = objects;
        list->capacity = capacity;
    }
    memmove(list->objects + at + 1, list->objects + at,
            (list->count - at) * sizeof(*list->objects));
    list->objects[at] = catalog_object_ref(object);
    list->count++;
    return OK;
}

static const char *kind_text(enum catalog_kind kind)
{
    return kind == CATALOG_VIEW ? "view" : "table";
}

enum status catalog_add(struct catalog *catalog, struct catalog_object *object, bool replace,
                        struct error *err)
{
    enum status status = OK;
    bool found;
    struct catalog_object *old = NULL;
    mutex_lock(&catalog->mutex);
    struct list *list = &catalog->lists[object->temporary];
    size_t at = position_of(list, str_of(object->full_name), &found);
    if (!found) {
        status = insert(list, at, object, err);
    } else if (!replace) {
        status = error_set(err, ERR_EXISTS, "the %s %s exists already",
                           kind_text(list->objects[at]->kind), object->full_name);
        error_hint(err, "CREATE %s IF NOT EXISTS leaves it as it is; DROP %s %s takes it away",
                   object->kind == CATALOG_VIEW ? "VIEW" : "TABLE",
                   list->objects[at]->kind == CATALOG_VIEW ? "VIEW" : "TABLE", object->name);
    } else {
        old = list->objects[at];
        list->objects[at] = catalog_object_ref(object);
    }
    mutex_unlock(&catalog->mutex);
    catalog_object_unref(old);
    return status;
}

struct catalog_object *catalog_find(struct catalog *catalog, const struct str *parts,
                                    uint32_t part_count)
{
    struct str name = last_part(parts, part_count);
    if (!name.data)
        return NULL;
    mutex_lock(&catalog->mutex);
    struct catalog_object *object = find_in(&catalog->lists[1], name);
    if (!object)
        object = find_in(&catalog->lists[0], name);
    if (object)
        catalog_object_ref(object);
    mutex_unlock(&catalog->mutex);
    return object;
}

enum status catalog_drop(struct catalog *catalog, const struct str *parts, uint32_t part_count,
                         enum catalog_kind kind, bool temporary_only, struct error *err)
{
    enum status status = OK;
    bool found;
    struct str name = last_part(parts, part_count);
    struct catalog_object *old = NULL;
    struct list *list = &catalog->lists[1];
    mutex_lock(&catalog->mutex);
    if (name.data) {
        old = find_in(list, name);
        if (!old && !temporary_only) {
            list = &catalog->lists[0];
            old = find_in(list, name);
        }
    }
    if (!old) {
        struct str shown = part_count ? parts[part_count - 1] : STR("");
        status =
            error_set(err, ERR_NAME, "there is no %s%s '%.*s'", temporary_only ? "temporary " : "",
                      kind_text(kind), shown.length > 80 ? 80 : (int)shown.length, shown.data);
    } else if (old->kind != kind) {
        status = error_set(err, ERR_NAME, "%s is a %s", old->full_name, kind_text(old->kind));
        error_hint(err, "write DROP %s", old->kind == CATALOG_VIEW ? "VIEW" : "TABLE");
        old = NULL;
    } else {
        size_t at = position_of(list, str_of(old->full_name), &found);
        must(found);
        memmove(list->objects + at, list->objects + at + 1,
                (list->count - at - 1) * sizeof(*list->objects));
        list->count--;
    }
    mutex_unlock(&catalog->mutex);
    catalog_object_unref(old);
    return status;
}

void catalog_list(struct catalog *catalog,
                  void (*each)(void *context, const struct catalog_object *object), void *context)
{
    mutex_lock(&catalog->mutex);
    const struct list *permanent = &catalog->lists[0], *temporary = &catalog->lists[1];
    size_t i = 0, k = 0;
    while (i < permanent->count || k < temporary->count) {
        int order = i == permanent->count   ? 1
                    : k == temporary->count ? -1
                                            : str_compare(str_of(permanent->objects[i]->full_name),
                                                          str_of(temporary->objects[k]->full_name));
        if (order < 0) {
            each(context, permanent->objects[i++]);
        } else {
            each(context, temporary->objects[k++]);
            i += order == 0; /* hidden */
        }
    }
    mutex_unlock(&catalog->mutex);
}
