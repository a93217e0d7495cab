/* group_lookup.c - see group_lookup.h. */
#include "operator/group_lookup.h"

#define KEYS_BYTES_MAX ((size_t)1 << 31)
#define BACK_OFF_MAX   64

enum status group_lookup_init(struct group_lookup *lookup, const uint32_t *keys, uint32_t key_count,
                              struct error *err)
{
    lookup->keys = keys;
    lookup->key_count = key_count;
    lookup->encoded = mem_alloc(sizeof(*lookup->encoded));
    if (!lookup->encoded)
        return error_memory(err, "keys of groups", sizeof(*lookup->encoded));
    key_batch_init(lookup->encoded, KEYS_BYTES_MAX);
    return OK;
}

void group_lookup_fini(struct group_lookup *lookup)
{
    if (lookup->encoded)
        key_batch_fini(lookup->encoded);
    mem_free(lookup->encoded);
    lookup->encoded = NULL;
}

static uint32_t slot_number(uint64_t low, uint64_t high)
{
    return (uint32_t)((((low ^ low >> 32) ^ high * UINT64_C(0x9e3779b97f4a7c15)) *
                       UINT64_C(0xd6e8feb86659fd93)) >>
                      56);
}

/* Is there a short form of the column's values? */
static bool is_short(const struct vec *vec)
{
    if (vec->form == VEC_DICTIONARY)
        vec = vec->dictionary;
    enum physical physical = type_physical(vec->type);
    return physical == PHYS_VIEW || physical == PHYS_I32 || physical == PHYS_I64;
}

static bool short_value(const struct vec *holder, enum physical physical, uint32_t at,
                        uint64_t *low, uint64_t *high)
{
    if (!bitmap_get(holder->validity, at))
        return false;
    if (physical == PHYS_VIEW) {
        const struct view *view = (const struct view *)holder->values + at;
        if (view->length > VIEW_INLINE_MAX)
            return false;
        memcpy(low, view, 8); /* length and first letters */
        memcpy(high, (const char *)view + 8, 8);
        return true;
    }
    *low = physical == PHYS_I32 ? (uint64_t)(uint32_t)((const int32_t *)holder->values)[at]
                                : (uint64_t)((const int64_t *)holder->values)[at];
    *high = 0;
    return true;
}

/* Rows known to the cache get their value; the others are listed in missing. */
static uint32_t ask_cache(struct group_lookup *lookup, const struct lookup_cache *cache,
                          const struct batch *batch, uint8_t **values)
{
    const struct vec *vec = batch->columns[lookup->keys[0]], *holder;
    enum physical physical = type_physical(vec->type);
    uint32_t missing = 0;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint64_t low, high;
        uint32_t row = batch_row(batch, i), at = vec_locate(vec, row, &holder);
        if (short_value(holder, physical, at, &low, &high)) {
            const struct lookup_slot *slot = &cache->slots[slot_number(low, high)];
            if (slot->low == low && slot->high == high && slot->row) {
                values[i] = slot->row;
                continue;
            }
        }
        lookup->missing[missing] = (uint16_t)row;
        lookup->missing_place[missing++] = (uint16_t)i;
    }
    return missing;
}

static void tell_cache(const struct group_lookup *lookup, struct lookup_cache *cache,
                       const struct batch *batch, uint32_t row, uint8_t *value)
{
    const struct vec *vec = batch->columns[lookup->keys[0]], *holder;
    uint32_t at = vec_locate(vec, row, &holder);
    uint64_t low, high;
    if (short_value(holder, type_physical(vec->type), at, &low, &high))
        cache->slots[slot_number(low, high)] = (struct lookup_slot){low, high, value};
}

static enum status ask_table(struct group_lookup *lookup, struct state_table *table,
                             struct batch *batch, uint8_t **values, struct error *err)
{
    TRY(key_encode(lookup->encoded, batch, lookup->keys, lookup->key_count, err));
    return state_table_upsert(table, lookup->encoded, values, NULL, NULL, err);
}

enum status group_lookup_run(struct group_lookup *lookup, struct state_table *table,
                             struct lookup_cache *cache, struct batch *batch, uint8_t **values,
                             struct error *err)
{
    if (!cache || cache->skip_batches || lookup->key_count != 1 ||
        !is_short(batch->columns[lookup->keys[0]])) {
        if (cache)
            cache->skip_batches -= cache->skip_batches > 0;
        return ask_table(lookup, table, batch, values, err);
    }
    uint32_t missing = ask_cache(lookup, cache, batch, values);
    if (!missing)
        return OK;
    struct batch *part = NULL;
    TRY(batch_with_selection(&part, batch, lookup->missing, missing, err));
    enum status status = ask_table(lookup, table, part, lookup->found, err);
    batch_unref(part);
    TRY(status);
    for (uint32_t i = 0; i < missing; i++) {
        values[lookup->missing_place[i]] = lookup->found[i];
        tell_cache(lookup, cache, batch, lookup->missing[i], lookup->found[i]);
    }
    /* Mostly misses cost more than they save: leave the cache alone for longer and longer. */
    if (missing > batch->selected_count / 4 && batch->selected_count > LOOKUP_SLOTS) {
        cache->back_off = cache->back_off < BACK_OFF_MAX ? cache->back_off * 2 + 1 : BACK_OFF_MAX;
        cache->skip_batches = cache->back_off;
    } else {
        cache->back_off = 0;
    }
    return OK;
}
