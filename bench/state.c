/* state.c - the keyed table beside a plain C hash table of the same run: open addressing over
 * pre-hashed 64-bit keys with the value beside them (what khash and its like do), no key bytes, no
 * pages, no groups. Prints nanoseconds per key and the ratio. Argument: a factor for the work. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/hash.h"
#include "state/table.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t random_state;
static uint64_t draw(uint64_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % below;
}

struct plain_slot {
    uint64_t hash; /* 0: free */
    uint64_t key;
    int64_t value;
};
struct plain {
    struct plain_slot *slots;
    uint64_t mask, used;
};

static void plain_grow(struct plain *plain)
{
    struct plain old = *plain;
    plain->mask = old.slots ? old.mask * 2 + 1 : 15;
    plain->slots = calloc(plain->mask + 1, sizeof(*plain->slots));
    for (uint64_t i = 0; old.slots && i <= old.mask; i++) {
        if (!old.slots[i].hash)
            continue;
        uint64_t at = old.slots[i].hash & plain->mask;
        while (plain->slots[at].hash)
            at = (at + 1) & plain->mask;
        plain->slots[at] = old.slots[i];
    }
    free(old.slots);
}

static int64_t *plain_upsert(struct plain *plain, uint64_t key, uint64_t hash)
{
    hash |= 1;
    if (!plain->slots || plain->used * 4 >= (plain->mask + 1) * 3)
        plain_grow(plain);
    uint64_t at = hash & plain->mask;
    for (; plain->slots[at].hash; at = (at + 1) & plain->mask)
        if (plain->slots[at].hash == hash && plain->slots[at].key == key)
            return &plain->slots[at].value;
    plain->slots[at] = (struct plain_slot){hash, key, 0};
    plain->used++;
    return &plain->slots[at].value;
}

static void encode(struct key_batch *keys, const uint64_t *numbers, uint32_t count)
{
    buf_clear(&keys->bytes);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *room = buf_room(&keys->bytes, 9);
        keys->offsets[i] = (uint32_t)keys->bytes.length;
        room[0] = 1;
        memcpy(room + 1, &numbers[i], 8);
        keys->bytes.length += 9;
        keys->hashes[i] = hash_bytes(room, 9);
    }
    keys->count = count;
    keys->offsets[count] = (uint32_t)keys->bytes.length;
}

static int compare(uint64_t key_count, uint64_t rows)
{
    static struct key_batch keys;
    static uint64_t numbers[BATCH_ROWS_MAX];
    static uint8_t *values[BATCH_ROWS_MAX];
    struct error err = {0};
    struct state_table_spec spec = {.value_bytes = 16, .last_key_group = 127};
    struct state_table *table;
    struct plain plain = {0};
    double table_s = 0, plain_s = 0, from;
    key_batch_init(&keys, 1 << 30);
    if (state_table_new(&table, &spec, &err) != OK)
        return 1;
    random_state = 1;
    for (uint64_t done = 0; done < rows; done += BATCH_ROWS_MAX) {
        for (uint32_t i = 0; i < BATCH_ROWS_MAX; i++)
            numbers[i] = draw(key_count);
        encode(&keys, numbers, BATCH_ROWS_MAX);
        from = now();
        if (state_table_upsert(table, &keys, values, NULL, NULL, &err) != OK)
            return 1;
        for (uint32_t i = 0; i < BATCH_ROWS_MAX; i++)
            *(int64_t *)values[i] += (int64_t)numbers[i];
        table_s += now() - from;
        from = now();
        for (uint32_t i = 0; i < BATCH_ROWS_MAX; i++)
            *plain_upsert(&plain, numbers[i], keys.hashes[i]) += (int64_t)numbers[i];
        plain_s += now() - from;
    }
    int64_t sum = 0, plain_sum = 0;
    struct state_cursor cursor = {0};
    for (uint32_t count; (count = state_table_scan(table, &cursor, values, BATCH_ROWS_MAX)) > 0;)
        for (uint32_t i = 0; i < count; i++)
            sum += *(int64_t *)values[i];
    for (uint64_t i = 0; i <= plain.mask; i++)
        plain_sum += plain.slots[i].value;
    if (sum != plain_sum || state_table_rows(table) != plain.used)
        return 1;
    printf("state_keys_%" PRIu64 " ns_per_row=%.1f plain_ns=%.1f ratio=%.2f bytes_per_key=%.0f\n",
           key_count, table_s / (double)rows * 1e9, plain_s / (double)rows * 1e9, table_s / plain_s,
           (double)state_table_bytes(table) / (double)plain.used);
    state_table_free(table);
    key_batch_fini(&keys);
    free(plain.slots);
    return 0;
}

int main(int argc, char **argv)
{
    uint64_t factor = argc > 1 ? (uint64_t)strtoull(argv[1], NULL, 10) : 4;
    static const uint64_t KEYS[] = {6, 1000, 100000, 1000000, 4000000};
    for (unsigned i = 0; i < sizeof(KEYS) / sizeof(KEYS[0]); i++)
        if (compare(KEYS[i], factor * 2000000)) {
            printf("state: results differ\n");
            return 1;
        }
    return 0;
}
