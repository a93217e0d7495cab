/* track_test.c - keyed state and its snapshots against a naive model: random changes, removals and
 * dropped tables around barriers, deltas and full snapshots written in slices, committed or
 * aborted. What the committed snapshots hold together is the model at their barrier; restored, it
 * is again. */
#include "state/keyed.h"

#include "../check.h"
#include "base/hash.h"
#include "base/must.h"

#define KEYS         300
#define TABLES       3 /* namespaces */
#define CHANGES      40
#define FILLER_BYTES 130 /* in the records of some values: the size of a record has two bytes */

/* With a time to live the model forgets as the table has to. */
static int64_t clock_us;
#define TTL_MS 1000

static uint64_t random_state;

static uint64_t draw(uint64_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % below;
}

/* ---- the operator under test: tables 0..TABLES-1 in namespaces, values of 16 bytes,
 * some of which are saved with more */

struct world {
    struct keyed_state keyed;
    struct keyed_table tables[TABLES];
    struct mem_owner owner;
    struct state_table_spec spec;
    bool settles; /* changes are followed by settling now and then; no tables are dropped */
};

static void save(void *context, const struct keyed_table *table, const uint8_t *value,
                 struct buf *out)
{
    uint64_t number;
    memcpy(&number, value, 8);
    state_put_varint(out, number);
    uint8_t *room = number % 5 == 0 ? buf_room(out, FILLER_BYTES) : NULL;
    if (room)
        memset(room, (int)(number & 0xff), FILLER_BYTES);
    out->length += room ? FILLER_BYTES : 0;
}

static enum status load(void *context, const struct keyed_table *table, uint8_t *value,
                        const uint8_t *bytes, size_t size_bytes, struct error *err)
{
    struct state_bytes in = {bytes, bytes + size_bytes, false};
    uint64_t number = state_get_varint(&in);
    for (uint32_t i = 0; number % 5 == 0 && i < FILLER_BYTES; i++)
        in.failed |= state_get_byte(&in) != (number & 0xff);
    memcpy(value, &number, 8);
    return state_get_end(&in, "a number", err);
}

static enum status find(void *context, uint8_t number, int64_t namespace, struct keyed_table **out,
                        struct error *err)
{
    struct world *world = context;
    if (namespace < 0 || namespace >= TABLES || number != 5)
        return error_set(err, ERR_CORRUPT, "no such table");
    struct keyed_table *table = &world->tables[namespace];
    if (!table->rows)
        TRY(keyed_table_new(&world->keyed, table, 5, namespace, &world->spec, err));
    *out = table;
    return OK;
}

static void drop(void *context, struct keyed_table *table)
{
    keyed_table_free(table);
}

static const struct keyed_state_class CLASS = {
    .save = save, .load = load, .find = find, .drop = drop};

static void world_init(struct world *world, uint64_t epoch, uint32_t first, uint32_t last)
{
    memset(world, 0, sizeof(*world));
    mem_owner_init(&world->owner, NULL, "test");
    world->spec = (struct state_table_spec){.value_bytes = 16,
                                            .first_key_group = first,
                                            .last_key_group = last,
                                            .now_us = &clock_us,
                                            .owner = &world->owner};
    keyed_state_init(&world->keyed, &CLASS, world, epoch);
}

static void world_fini(struct world *world)
{
    for (int i = 0; i < TABLES; i++)
        keyed_table_free(&world->tables[i]);
    keyed_state_fini(&world->keyed);
    mem_owner_fini(&world->owner);
}

/* ---- the model, and the blocks that were committed */

struct model {
    uint64_t values[TABLES][KEYS]; /* 0: absent */
    int64_t touched_ms[TABLES][KEYS];
};
static struct model now, at_barrier;

#define BLOCKS_MAX 4096
struct blocks {
    uint32_t count;
    struct state_block *blocks[BLOCKS_MAX];
};
static struct blocks committed, pending;
static uint64_t bases[KEY_GROUP_COUNT];
static bool wrong;

static void take_block(void *context, struct state_block *block)
{
    must(pending.count < BLOCKS_MAX);
    pending.blocks[pending.count++] = block;
}

static void drop_blocks(struct blocks *blocks)
{
    for (uint32_t i = 0; i < blocks->count; i++)
        state_block_free(blocks->blocks[i]);
    blocks->count = 0;
}

static struct key_batch keys;

static size_t key_size(uint32_t number)
{
    return number % 50 == 7 ? 20000 + number : 4 + number % 13;
}

static bool one_key(uint32_t number)
{
    size_t size = key_size(number);
    buf_clear(&keys.bytes);
    uint8_t *room = buf_room(&keys.bytes, size);
    if (!room)
        return false;
    memset(room, (int)(number % 251), size);
    memcpy(room, &number, 4);
    keys.bytes.length = size;
    keys.count = 1;
    keys.offsets[0] = 0;
    keys.offsets[1] = (uint32_t)size;
    keys.hashes[0] = hash_bytes(room, size);
    return true;
}

/* What the model has of a key now. */
static uint64_t model_value(const struct world *world, const struct model *model, uint32_t t,
                            uint32_t k)
{
    bool expired =
        world->spec.ttl_ms && clock_us / 1000 - model->touched_ms[t][k] >= world->spec.ttl_ms;
    return expired ? 0 : model->values[t][k];
}

static enum status change(struct world *world, struct error *err)
{
    uint32_t t = (uint32_t)draw(TABLES), number = (uint32_t)draw(KEYS);
    struct keyed_table *table;
    uint8_t *value = NULL;
    if (world->settles && draw(3) == 0)
        keyed_state_settle(&world->keyed);
    if (!world->settles && draw(120) == 0 && world->tables[t].rows) {
        TRY(keyed_table_leave(&world->tables[t], err));
        keyed_table_free(&world->tables[t]);
        memset(now.values[t], 0, sizeof(now.values[t]));
        return OK;
    }
    TRY(find(world, 5, t, &table, err));
    if (!one_key(number))
        return error_memory(err, "a key", key_size(number));
    if (draw(3) == 0) {
        state_table_find(table->rows, &keys, &value);
        must((value != NULL) == (model_value(world, &now, t, number) != 0));
        if (!value)
            return OK;
        TRY(state_table_touch(table->rows, value, err));
        state_table_remove(table->rows, value);
        now.values[t][number] = 0;
        return OK;
    }
    TRY(state_table_upsert(table->rows, &keys, &value, NULL, NULL, err));
    if (!model_value(world, &now, t, number))
        now.values[t][number] = UINT64_MAX; /* there, with a value of zero */
    now.touched_ms[t][number] = clock_us / 1000;
    TRY(state_table_touch(table->rows, value, err));
    now.values[t][number] = 1 + draw(1u << 20);
    memcpy(value, &now.values[t][number], 8);
    return OK;
}

static bool equals(struct world *world, const struct model *model, uint32_t first, uint32_t last)
{
    for (uint32_t t = 0; t < TABLES; t++)
        for (uint32_t k = 0; k < KEYS; k++) {
            uint8_t *value = NULL;
            uint64_t number = 0;
            must(one_key(k));
            uint32_t group = key_group_of_hash(keys.hashes[0]);
            if (group < first || group > last)
                continue;
            if (world->tables[t].rows)
                state_table_find(world->tables[t].rows, &keys, &value);
            if (value)
                memcpy(&number, value, 8);
            if (number != model_value(world, model, t, k))
                return false;
        }
    return true;
}

/* The committed blocks, loaded by `parts` subtasks, are the model. */
static bool restored_is(const struct model *model, uint64_t epoch, uint32_t parts, int64_t ttl_ms)
{
    struct error err = {0};
    bool good = true;
    for (uint32_t p = 0; p < parts && good; p++) {
        struct world world;
        uint32_t first = p * KEY_GROUP_COUNT / parts, last = (p + 1) * KEY_GROUP_COUNT / parts - 1;
        world_init(&world, epoch, first, last);
        world.spec.ttl_ms = ttl_ms;
        for (uint32_t b = 0; b < committed.count && good; b++) {
            struct state_block *block = committed.blocks[b];
            struct state_block_info info;
            good = state_block_check(block->bytes.data, block->bytes.length, &info, &err) == OK &&
                   info.epoch == block->epoch && info.operator_id == 77;
            good = good && keyed_state_restore(&world.keyed, block->bytes.data, &info, first, last,
                                               &err) == OK;
        }
        good = good && equals(&world, model, first, last);
        world_fini(&world);
    }
    if (!good)
        printf("# %s\n", err.text);
    return good;
}

/* Blocks that are older than every group's last fold are thrown away. */
static void drop_superseded(void)
{
    uint64_t oldest = UINT64_MAX;
    uint32_t kept = 0;
    for (uint32_t g = 0; g < KEY_GROUP_COUNT; g++)
        oldest = bases[g] < oldest ? bases[g] : oldest;
    for (uint32_t i = 0; i < committed.count; i++)
        if (committed.blocks[i]->epoch < oldest)
            state_block_free(committed.blocks[i]);
        else
            committed.blocks[kept++] = committed.blocks[i];
    committed.count = kept;
}

static void commit(struct world *world, struct state_fold fold, uint64_t epoch)
{
    keyed_state_committed(&world->keyed);
    for (uint32_t g = 0; g < fold.count; g++)
        bases[fold.first + g] = epoch;
    drop_superseded();
    for (uint32_t i = 0; i < pending.count; i++) {
        state_block_seal(pending.blocks[i]);
        must(committed.count < BLOCKS_MAX);
        committed.blocks[committed.count++] = pending.blocks[i];
    }
    pending.count = 0;
}

static struct state_out out_of(struct world *world, uint64_t epoch, struct state_fold fold)
{
    return (struct state_out){.operator_id = 77,
                              .epoch = epoch,
                              .fold = fold,
                              .owner = &world->owner,
                              .early_owner = &world->owner,
                              .give = take_block};
}

static bool snapshot(struct world *world, uint64_t epoch, struct error *err)
{
    bool good = draw(4) != 0;
    struct state_fold fold = {(uint32_t)draw(KEY_GROUP_COUNT), 0};
    fold.count = (uint32_t)draw(KEY_GROUP_COUNT + 1 - fold.first);
    if (draw(5) == 0)
        fold = (struct state_fold){0, KEY_GROUP_COUNT};
    struct state_out out = out_of(world, epoch, fold);
    keyed_state_barrier(&world->keyed, &out);
    at_barrier = now;
    while (!keyed_state_step(&world->keyed, 1 + (uint32_t)draw(30)))
        for (uint64_t i = draw(CHANGES); i > 0; i--)
            if (change(world, err) != OK)
                return false;
    state_out_end(&out);
    for (uint64_t i = draw(CHANGES); i > 0; i--)
        if (change(world, err) != OK)
            return false;
    if (out.failure.code != OK)
        good = false;
    if (good) {
        commit(world, fold, epoch);
    } else {
        keyed_state_aborted(&world->keyed);
        drop_blocks(&pending);
    }
    wrong = good && !restored_is(&at_barrier, epoch + 1, 1 + (uint32_t)draw(3), world->spec.ttl_ms);
    return !wrong;
}

static void random_changes(uint64_t seed, uint64_t epochs, uint32_t changes, bool settles)
{
    struct error err = {0};
    struct world world;
    key_batch_init(&keys, 64 << 20);
    random_state = seed;
    memset(&now, 0, sizeof(now));
    memset(bases, 0, sizeof(bases));
    world_init(&world, 1, 0, KEY_GROUP_COUNT - 1);
    world.settles = settles;
    for (uint64_t epoch = 1; epoch <= epochs; epoch++) {
        for (uint64_t i = draw(8) ? draw(changes) : 0; i > 0; i--)
            CHECK_OK(change(&world, &err));
        if (!snapshot(&world, epoch, &err))
            CHECK_FAIL("seed %d, epoch %d: %s", (int)seed, (int)epoch, err.text);
    }
    CHECK(equals(&world, &now, 0, KEY_GROUP_COUNT - 1));
    drop_blocks(&committed);
    world_fini(&world);
    key_batch_fini(&keys);
}

TEST(snapshots_of_random_changes)
{
    for (uint64_t seed = 1; seed <= 30; seed++)
        random_changes(seed, 25, 4 * CHANGES, false);
}

/* Rows that have settled are written before the barrier, and again when they are touched again. */
TEST(early_records)
{
    for (uint64_t seed = 1; seed <= 30; seed++)
        random_changes(seed, 25, 4 * CHANGES, true);
}

/* The epoch in a row's mark comes round. */
TEST(early_records_of_many_epochs)
{
    random_changes(7, 2 * STATE_ROW_EPOCH + 100, 5, true);
}

/* As above, while time passes and expired rows are swept out. */
TEST(rows_expire)
{
    struct error err = {0};
    key_batch_init(&keys, 64 << 20);
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct world world;
        random_state = seed;
        clock_us = 1000000;
        memset(&now, 0, sizeof(now));
        memset(bases, 0, sizeof(bases));
        world_init(&world, 1, 0, KEY_GROUP_COUNT - 1);
        world.spec.ttl_ms = TTL_MS;
        for (uint64_t epoch = 1; epoch < 25; epoch++) {
            for (uint64_t i = draw(4 * CHANGES); i > 0; i--) {
                clock_us += (int64_t)draw(20000);
                CHECK_OK(change(&world, &err));
            }
            for (uint32_t t = 0; t < TABLES; t++)
                if (world.tables[t].rows)
                    CHECK_OK(state_table_expire(world.tables[t].rows, (uint32_t)draw(200), &err));
            if (!snapshot(&world, epoch, &err))
                CHECK_FAIL("seed %d, epoch %d: %s", (int)seed, (int)epoch, err.text);
        }
        CHECK(equals(&world, &now, 0, KEY_GROUP_COUNT - 1));
        clock_us += TTL_MS * 1000;
        for (uint32_t t = 0; t < TABLES; t++)
            if (world.tables[t].rows) {
                CHECK_OK(state_table_expire(world.tables[t].rows, 1 << 20, &err));
                CHECK_OK(state_table_expire(world.tables[t].rows, 1 << 20, &err));
                CHECK_INT(state_table_rows(world.tables[t].rows), 0);
            }
        drop_blocks(&committed);
        world_fini(&world);
    }
    key_batch_fini(&keys);
}

/* Only what was touched is written, a touched row once. */
TEST(a_delta_has_what_changed)
{
    struct error err = {0};
    struct world world;
    struct keyed_table *table;
    uint8_t *value;
    key_batch_init(&keys, 64 << 20);
    world_init(&world, 1, 0, KEY_GROUP_COUNT - 1);
    CHECK_OK(find(&world, 5, 0, &table, &err));
    for (uint64_t epoch = 1; epoch <= 3; epoch++) {
        struct state_out out = out_of(&world, epoch, (struct state_fold){0, 0});
        for (uint32_t k = 0; k < (epoch == 1 ? 200 : 10 * epoch); k++) {
            must(one_key(k % 40 == 7 ? 1 : k));
            CHECK_OK(state_table_upsert(table->rows, &keys, &value, NULL, NULL, &err));
            CHECK_OK(state_table_touch(table->rows, value, &err));
            CHECK_OK(state_table_touch(table->rows, value, &err));
        }
        keyed_state_barrier(&world.keyed, &out);
        while (!keyed_state_step(&world.keyed, 7))
            ;
        state_out_end(&out);
        keyed_state_committed(&world.keyed);
        uint32_t records = 0;
        for (uint32_t i = 0; i < pending.count; i++)
            records += pending.blocks[i]->record_count;
        drop_blocks(&pending);
        CHECK_INT(records, epoch == 1 ? 200 - 5 : 10 * epoch - 1);
    }
    world_fini(&world);
    key_batch_fini(&keys);
}

/* Records of a snapshot of 100 keys, each of which is touched so often, with settling between. */
static uint32_t records_of(struct world *world, uint64_t epoch, uint32_t times)
{
    struct state_out out = out_of(world, epoch, (struct state_fold){0, 0});
    struct error err = {0};
    uint32_t records = 0;
    for (uint32_t i = 0; i < times; i++) {
        for (uint32_t k = 100; k < 200; k++) {
            struct keyed_table *table;
            uint8_t *value;
            must(one_key(k) && find(world, 5, 0, &table, &err) == OK);
            must(state_table_upsert(table->rows, &keys, &value, NULL, NULL, &err) == OK);
            must(state_table_touch(table->rows, value, &err) == OK);
        }
        keyed_state_settle(&world->keyed);
    }
    keyed_state_barrier(&world->keyed, &out);
    while (!keyed_state_step(&world->keyed, 7))
        ;
    state_out_end(&out);
    keyed_state_committed(&world->keyed);
    for (uint32_t i = 0; i < pending.count; i++)
        records += pending.blocks[i]->record_count;
    drop_blocks(&pending);
    return records;
}

/* A row is written once, or twice when it is touched after its early record; where most are, some
 * epochs do without: one, then two. */
TEST(early_records_pause)
{
    static const struct {
        uint32_t times, records;
    } epochs[] = {{2, 100}, {1, 100}, {3, 200}, {3, 100}, {3, 200}, {3, 100}, {3, 100},
                  {1, 100}, {3, 200}, {1, 100}, {1, 100}, {1, 100}, {1, 100}, {3, 200}};
    struct world world;
    key_batch_init(&keys, 64 << 20);
    world_init(&world, 1, 0, KEY_GROUP_COUNT - 1);
    for (uint32_t i = 0; i < sizeof(epochs) / sizeof(epochs[0]); i++)
        CHECK_INT(records_of(&world, i + 1, epochs[i].times), epochs[i].records);
    world_fini(&world);
    key_batch_fini(&keys);
}

/* Every allocation fails once: an error, nothing is lost, and what is committed is whole. */
static void fail_every_allocation(bool settles)
{
    for (uint64_t fail = 1; fail < 4000; fail++) {
        struct error err = {0};
        struct world world;
        random_state = 99;
        memset(&now, 0, sizeof(now));
        memset(bases, 0, sizeof(bases));
        key_batch_init(&keys, 64 << 20);
        world_init(&world, 1, 0, KEY_GROUP_COUNT - 1);
        world.settles = settles;
        uint64_t before = mem_alloc_count();
        mem_fail_after(fail);
        for (uint64_t epoch = 1; epoch < 4; epoch++) {
            struct state_fold fold = {0, epoch == 2 ? KEY_GROUP_COUNT : 0};
            struct state_out out = out_of(&world, epoch, fold);
            for (uint32_t i = 0; i < 2 * CHANGES; i++)
                if (change(&world, &err) != OK)
                    error_clear(&err);
            keyed_state_barrier(&world.keyed, &out);
            at_barrier = now;
            while (!keyed_state_step(&world.keyed, 20))
                for (uint32_t i = 0; i < 5; i++)
                    if (change(&world, &err) != OK)
                        error_clear(&err);
            state_out_end(&out);
            if (out.failure.code == OK) {
                commit(&world, out.fold, epoch);
            } else {
                keyed_state_aborted(&world.keyed);
                drop_blocks(&pending);
            }
            state_out_drop(&out);
            bool good = out.failure.code != OK;
            mem_fail_after(0);
            for (uint32_t t = 0; t < TABLES && !good; t++) /* rows whose touch failed: zero */
                for (uint32_t k = 0; k < KEYS; k++)
                    if (at_barrier.values[t][k] == UINT64_MAX)
                        at_barrier.values[t][k] = 0;
            if (!good && !restored_is(&at_barrier, epoch + 1, 1, 0))
                CHECK_FAIL("allocation %d, epoch %d", (int)fail, (int)epoch);
        }
        bool over = mem_alloc_count() - before < fail;
        drop_blocks(&committed);
        world_fini(&world);
        key_batch_fini(&keys);
        if (over)
            return;
    }
    CHECK_FAIL("it never ended");
}

TEST(every_allocation_fails_once)
{
    fail_every_allocation(false);
    fail_every_allocation(true);
}

/* Restoring: every allocation fails once, with an error, nothing is left behind, and then it works.
 */
TEST(every_allocation_of_a_restore_fails_once)
{
    struct error err = {0};
    struct world world;
    uint32_t failures = 0;
    key_batch_init(&keys, 64 << 20);
    random_state = 5;
    clock_us = 1000000;
    memset(&now, 0, sizeof(now));
    memset(bases, 0, sizeof(bases));
    world_init(&world, 1, 0, KEY_GROUP_COUNT - 1);
    for (uint32_t i = 0; i < 20 * CHANGES; i++)
        CHECK_OK(change(&world, &err));
    while (committed.count == 0)
        CHECK(snapshot(&world, 1, &err));
    for (uint64_t fail = 1;; fail++) {
        struct world other;
        enum status status = OK;
        error_clear(&err);
        world_init(&other, 2, 0, KEY_GROUP_COUNT - 1);
        uint64_t before = mem_alloc_count();
        mem_fail_after(fail);
        for (uint32_t b = 0; b < committed.count && status == OK; b++) {
            const struct buf *bytes = &committed.blocks[b]->bytes;
            struct state_block_info info;
            status = state_block_check(bytes->data, bytes->length, &info, &err);
            if (status == OK)
                status = keyed_state_restore(&other.keyed, bytes->data, &info, 0,
                                             KEY_GROUP_COUNT - 1, &err);
        }
        mem_fail_after(0);
        bool over = mem_alloc_count() - before < fail;
        CHECK_INT(status, over ? OK : ERR_MEMORY);
        CHECK(over || err.text[0]);
        if (over)
            CHECK(equals(&other, &at_barrier, 0, KEY_GROUP_COUNT - 1));
        world_fini(&other);
        failures += !over;
        if (over)
            break;
    }
    CHECK(failures > 100);
    drop_blocks(&committed);
    world_fini(&world);
    key_batch_fini(&keys);
}
