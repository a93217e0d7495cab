/* committables.c - a list of what a sink has prepared, in the order in which it is applied. */
#include "plugin/connector.h"

static enum status make_room(struct sink_committables *list, struct error *err)
{
    if (list->count < list->capacity)
        return OK;
    uint32_t capacity = list->capacity ? list->capacity * 2 : 8;
    struct sink_committable *items = mem_realloc(list->items, capacity * sizeof(*items));
    if (!items)
        return error_memory(err, "what a sink has prepared", capacity * sizeof(*items));
    list->items = items;
    list->capacity = capacity;
    return OK;
}

enum status sink_committables_add(struct sink_committables *list,
                                  const struct sink_committable *committable, struct error *err)
{
    size_t length = committable->bytes.length;
    if (length > SINK_COMMITTABLE_BYTES_MAX)
        return error_set(err, ERR_LIMIT, "a sink's committable has %zu bytes, more than %u", length,
                         SINK_COMMITTABLE_BYTES_MAX);
    TRY(make_room(list, err));
    char *copy = mem_alloc(length + 1);
    if (!copy)
        return error_memory(err, "what a sink has prepared", length);
    if (length)
        memcpy(copy, committable->bytes.data, length);
    list->items[list->count] = *committable;
    list->items[list->count++].bytes = (struct str){copy, length};
    return OK;
}

void sink_committables_drop(struct sink_committables *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        mem_free((char *)list->items[i].bytes.data);
    list->count -= count;
    if (list->count)
        memmove(list->items, list->items + count, list->count * sizeof(*list->items));
    else {
        mem_free(list->items);
        *list = (struct sink_committables){0};
    }
}
