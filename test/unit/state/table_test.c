/* table_test.c - the keyed table against a naive map: random inserts, look-ups and removals with
 * keys of all sizes, scans, budgets, and every allocation failing once. */
#include "state/table.h"

#include "../check.h"
#include "base/hash.h"

#define KEYS_MAX 3000

struct model { /* key number -> value, or absent */
    bool present[KEYS_MAX];
    uint64_t value[KEYS_MAX];
    uint8_t *row[KEYS_MAX];
};
static struct model model;
static struct key_batch keys;
static uint64_t random_state;

static uint64_t draw(uint64_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % below;
}

/* Keys of 1 to 40 bytes, every 50th of some hundred, every 500th of 20 to 100 KB. */
static size_t key_size(uint32_t number)
{
    if (number % 500 == 7)
        return 20000 + number * 40;
    if (number % 50 == 3)
        return 300 + number % 700;
    return 4 + number % 37;
}

static void add_key(uint32_t number)
{
    size_t size = key_size(number);
    keys.offsets[keys.count] = (uint32_t)keys.bytes.length;
    uint8_t *room = buf_room(&keys.bytes, size);
    memset(room, (int)(number % 251), size);
    memcpy(room, &number, 4);
    keys.bytes.length += size;
    keys.hashes[keys.count] = hash_bytes(room, size);
    keys.offsets[++keys.count] = (uint32_t)keys.bytes.length;
}

static void clear_keys(void)
{
    buf_clear(&keys.bytes);
    keys.count = 0;
}

static bool check_scan(struct state_table *table)
{
    static uint8_t *values[100];
    struct state_cursor cursor = {0};
    uint32_t count, seen = 0, expected = 0;
    while ((count = state_table_scan(table, &cursor, values, 100)) > 0) {
        for (uint32_t i = 0; i < count; i++) {
            uint32_t number;
            memcpy(&number, state_row_key(table, values[i]).data, 4);
            if (number >= KEYS_MAX || !model.present[number] || model.row[number] != values[i])
                return false;
        }
        seen += count;
    }
    for (uint32_t i = 0; i < KEYS_MAX; i++)
        expected += model.present[i];
    return seen == expected && state_table_rows(table) == expected;
}

static bool upsert_some(struct state_table *table, uint32_t range, struct error *err)
{
    static uint8_t *values[BATCH_ROWS_MAX];
    static uint16_t fresh[BATCH_ROWS_MAX];
    static uint32_t numbers[BATCH_ROWS_MAX];
    uint32_t fresh_count, count = (uint32_t)draw(100), next_fresh = 0;
    clear_keys();
    for (uint32_t i = 0; i < count; i++)
        add_key(numbers[i] = (uint32_t)draw(range));
    enum status status = state_table_upsert(table, &keys, values, fresh, &fresh_count, err);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t number = numbers[i];
        if (next_fresh < fresh_count && fresh[next_fresh] == i) {
            next_fresh++;
            uint64_t zero = 1;
            memcpy(&zero, values[i], 8);
            if (model.present[number] || zero != 0)
                return false;
            model.present[number] = true;
            model.row[number] = values[i];
            model.value[number] = 0;
        } else if (status != OK) {
            if (next_fresh == fresh_count)
                break;
        } else if (!model.present[number]) {
            return false;
        }
        if (status == OK || model.present[number]) {
            if (status == OK && values[i] != model.row[number])
                return false;
            model.value[number] += number + 1;
            memcpy(model.row[number], &model.value[number], 8);
        }
    }
    return next_fresh == fresh_count;
}

static bool find_some(struct state_table *table)
{
    static uint8_t *values[BATCH_ROWS_MAX];
    static uint32_t numbers[BATCH_ROWS_MAX];
    clear_keys();
    for (uint32_t i = 0; i < 64; i++)
        add_key(numbers[i] = (uint32_t)draw(KEYS_MAX));
    state_table_find(table, &keys, values);
    for (uint32_t i = 0; i < 64; i++) {
        uint64_t value;
        if ((values[i] != NULL) != model.present[numbers[i]])
            return false;
        if (!values[i])
            continue;
        memcpy(&value, values[i], 8);
        if (value != model.value[numbers[i]])
            return false;
    }
    return true;
}

static void remove_some(struct state_table *table)
{
    for (uint32_t i = 0; i < 40; i++) {
        uint32_t number = (uint32_t)draw(KEYS_MAX);
        if (!model.present[number])
            continue;
        state_table_remove(table, model.row[number]);
        model.present[number] = false;
    }
}

TEST(random_operations)
{
    struct error err = {0};
    key_batch_init(&keys, 64 << 20);
    for (uint64_t seed = 1; seed <= 6; seed++) {
        struct mem_owner owner;
        mem_owner_init(&owner, NULL, "test");
        struct state_table_spec spec = {.value_bytes = seed % 2 ? 8 : 72,
                                        .last_key_group = KEY_GROUP_COUNT - 1,
                                        .owner = &owner};
        struct state_table *table;
        memset(&model, 0, sizeof(model));
        random_state = seed;
        CHECK_OK(state_table_new(&table, &spec, &err));
        for (int step = 0; step < 1500; step++) {
            CHECK(upsert_some(table, step < 700 ? KEYS_MAX : 200, &err));
            CHECK(find_some(table));
            if (draw(4) || step > 700)
                remove_some(table);
            if (step % 100 == 0)
                CHECK(check_scan(table));
            CHECK_INT(owner.used_bytes, state_table_bytes(table));
        }
        CHECK(check_scan(table));
        state_table_free(table);
        mem_owner_fini(&owner);
    }
    key_batch_fini(&keys);
}

/* Removed space is used again: rows of the same sizes coming and going do not let it grow. */
TEST(space_is_reused)
{
    struct error err = {0};
    struct state_table_spec spec = {.value_bytes = 16, .last_key_group = KEY_GROUP_COUNT - 1};
    struct state_table *table;
    static uint8_t *values[BATCH_ROWS_MAX];
    size_t settled = 0;
    key_batch_init(&keys, 64 << 20);
    CHECK_OK(state_table_new(&table, &spec, &err));
    for (uint32_t round = 0; round < 60; round++) {
        clear_keys();
        for (uint32_t i = 0; i < 1000; i++)
            add_key(i);
        CHECK_OK(state_table_upsert(table, &keys, values, NULL, NULL, &err));
        for (uint32_t i = 0; i < 1000; i++)
            state_table_remove(table, values[i]);
        if (round == 1)
            settled = state_table_bytes(table);
    }
    CHECK_INT(state_table_rows(table), 0);
    CHECK_INT(state_table_bytes(table), settled);
    state_table_free(table);
    key_batch_fini(&keys);
}

TEST(budget_names_owner_and_setting)
{
    struct error err = {0};
    struct mem_owner root, owner;
    mem_owner_init(&root, NULL, "leat");
    root.limit_bytes = 1 << 20;
    root.limit_setting = "leat.memory.limit";
    mem_owner_init(&owner, &root, "GroupAggregate");
    struct state_table_spec spec = {
        .value_bytes = 16, .last_key_group = KEY_GROUP_COUNT - 1, .owner = &owner};
    struct state_table *table;
    static uint8_t *values[BATCH_ROWS_MAX];
    enum status status = OK;
    key_batch_init(&keys, 64 << 20);
    CHECK_OK(state_table_new(&table, &spec, &err));
    for (uint32_t round = 0; round < 1000 && status == OK; round++) {
        clear_keys();
        for (uint32_t i = 0; i < 100; i++)
            add_key(round * 100 + i + 1);
        status = state_table_upsert(table, &keys, values, NULL, NULL, &err);
    }
    CHECK_INT(status, ERR_BUDGET);
    CHECK(strstr(err.text, "GroupAggregate") != NULL);
    CHECK(strstr(err.hint, "leat.memory.limit") != NULL);
    state_table_free(table);
    mem_owner_fini(&owner);
    mem_owner_fini(&root);
    key_batch_fini(&keys);
}

/* Each allocation fails once: the call says so, the table stays whole, and what was made is told.
 */
TEST(every_allocation_fails_once)
{
    struct error err = {0};
    key_batch_init(&keys, 64 << 20);
    clear_keys();
    for (uint32_t i = 0; i < 100; i++)
        add_key(i);
    uint64_t failures = 0;
    for (uint64_t countdown = 1;; countdown++) {
        struct state_table_spec spec = {.value_bytes = 8, .last_key_group = KEY_GROUP_COUNT - 1};
        struct state_table *table = NULL;
        memset(&model, 0, sizeof(model));
        random_state = 99;
        error_clear(&err);
        mem_fail_after(countdown);
        if (state_table_new(&table, &spec, &err) != OK) {
            failures++;
            continue;
        }
        for (int step = 0; step < 12; step++) {
            CHECK(upsert_some(table, KEYS_MAX, &err));
            remove_some(table);
        }
        mem_fail_after(0);
        failures += err.code != OK;
        CHECK(check_scan(table));
        bool finished = err.code == OK && countdown > 3000;
        state_table_free(table);
        if (finished)
            break;
    }
    CHECK(failures > 200);
    key_batch_fini(&keys);
}
