/* state_snapshot.c - what checkpoints cost the task, in CPU time of its thread: keyed state of many
 * keys (BIGINT, a group's head, a sum), 1 % of them touched between barriers. Prints nanoseconds a
 * row for touching and for writing (with checksum, without disk), the longest slice, barrier and
 * commit, the share of the state that is folded, and nanoseconds a row to restore it. Arguments:
 * [KEYS [CHECKPOINTS]], default 10,000,000 and 60. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/hash.h"
#include "base/must.h"
#include "state/checkpoint.h"
#include "state/keyed.h"

#define SLICE_ROWS  500 /* runtime/snapshot.c */
#define VALUE_BYTES 24  /* struct group_head, struct sum_i64 */

static struct keyed_table table;
static struct key_batch keys;
static struct checkpoint_store *store;
static struct error err;
static double write_ns, disk_ns;

static double now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void save(void *context, const struct keyed_table *from, const uint8_t *value,
                 struct buf *out)
{
    buf_append(out, value, VALUE_BYTES);
}

static enum status load(void *context, const struct keyed_table *to, uint8_t *value,
                        const uint8_t *bytes, size_t size_bytes, struct error *error)
{
    must(size_bytes == VALUE_BYTES);
    memcpy(value, bytes, size_bytes);
    return OK;
}

static enum status find(void *context, uint8_t number, int64_t namespace, struct keyed_table **out,
                        struct error *error)
{
    *out = &table;
    return OK;
}

static const struct keyed_state_class CLASS = {.save = save, .load = load, .find = find};

/* On its way to the disk; what that costs is another thread's. */
static void give(void *context, struct state_block *block)
{
    double from = now_ns();
    state_block_seal(block);
    must(checkpoint_block(store, block, &err) == OK);
    state_block_free(block);
    disk_ns += now_ns() - from;
}

static uint64_t random_state = 1;
static uint64_t draw(uint64_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % below;
}

/* Adds one to `count` keys: from `first` on, or random ones below `below`. */
static double add(struct keyed_state *all, uint64_t first, uint64_t below, uint64_t count)
{
    static uint8_t *values[BATCH_ROWS_MAX];
    double spent = 0;
    for (uint64_t done = 0; done < count; done += keys.count) {
        buf_clear(&keys.bytes);
        keys.count = 0;
        for (; keys.count < BATCH_ROWS_MAX && done + keys.count < count; keys.count++) {
            uint64_t number = below ? draw(below) : first + done + keys.count;
            uint8_t key[9] = {1};
            memcpy(key + 1, &number, sizeof(number));
            keys.offsets[keys.count] = (uint32_t)keys.bytes.length;
            keys.hashes[keys.count] = hash_bytes(key, sizeof(key));
            buf_append(&keys.bytes, key, sizeof(key));
        }
        keys.offsets[keys.count] = (uint32_t)keys.bytes.length;
        must(state_table_upsert(table.rows, &keys, values, NULL, NULL, &err) == OK);
        double from = now_ns();
        for (uint32_t i = 0; i < keys.count; i++) {
            must(state_table_touch(table.rows, values[i], &err) == OK);
            ++*(uint64_t *)values[i];
        }
        keyed_state_settle(all);
        spent += now_ns() - from;
    }
    return spent;
}

/* One checkpoint; the longest slice to *longest. */
static void checkpoint(struct keyed_state *all, uint64_t epoch, double *longest, uint64_t *folds)
{
    struct checkpoint manifest = {.job_name = "bench", .statement = "", .epoch = epoch};
    struct state_out out = {
        .operator_id = 1, .epoch = epoch, .fold = checkpoint_fold(store), .give = give};
    bool done = false;
    checkpoint_begin(store, out.fold);
    *folds += out.fold.count;
    double from = now_ns(), disk_before = disk_ns;
    keyed_state_barrier(all, &out);
    while (!done) {
        double disk_so_far = disk_ns, slice = now_ns();
        done = keyed_state_step(all, SLICE_ROWS);
        slice = now_ns() - slice - (disk_ns - disk_so_far);
        *longest = slice > *longest ? slice : *longest;
    }
    state_out_end(&out);
    double committed = now_ns();
    must(checkpoint_commit(store, &manifest, &err) == OK);
    disk_ns += now_ns() - committed;
    committed = now_ns();
    keyed_state_committed(all);
    committed = now_ns() - committed;
    *longest = committed > *longest ? committed : *longest;
    write_ns += now_ns() - from - (disk_ns - disk_before);
}

static enum status restore(void *context, const uint8_t *block, const struct state_block_info *info,
                           struct error *error)
{
    return keyed_state_restore(context, block, info, 0, KEY_GROUP_COUNT - 1, error);
}

static void begin(struct keyed_state *all)
{
    struct state_table_spec spec = {.value_bytes = VALUE_BYTES,
                                    .last_key_group = KEY_GROUP_COUNT - 1};
    keyed_state_init(all, &CLASS, NULL, 1);
    must(keyed_table_new(all, &table, 0, 0, &spec, &err) == OK);
}

static void recover(uint64_t count)
{
    static struct keyed_state all;
    struct checkpoint *from;
    struct checkpoint_reader *reader;
    struct buf damage;
    buf_init(&damage, 1000);
    double loading = now_ns();
    must(checkpoint_store_load(store, &from, &damage, &err) == OK && from);
    double reading = now_ns();
    must(checkpoint_reader_new(&reader, store, from, &err) == OK);
    begin(&all);
    double restoring = now_ns();
    must(checkpoint_blocks(reader, 1, 0, KEY_GROUP_COUNT - 1, restore, &all, &err) == OK);
    double end = now_ns();
    must(state_table_rows(table.rows) == count);
    printf("restored: %.0f ns a row, of it %.0f for checking all files and %.0f for an index of "
           "them\n",
           (end - loading) / (double)count, (reading - loading) / (double)count,
           (restoring - reading) / (double)count);
    checkpoint_reader_free(reader);
    checkpoint_free(from);
}

int main(int argc, char **argv)
{
    char directory[] = "/tmp/leat-bench-XXXXXX";
    static struct keyed_state all;
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 10000000, folds = 0;
    uint64_t epochs = argc > 2 ? strtoull(argv[2], NULL, 10) : 60;
    double first = 0, longest = 0, touch_ns = 0;
    key_batch_init(&keys, 1 << 20);
    must(mkdtemp(directory));
    must(checkpoint_store_open(&store, io_real(), directory, NULL, &err) == OK);
    begin(&all);
    add(&all, 0, 0, count);
    checkpoint(&all, 1, &first, &folds);
    printf("%llu keys, %.0f bytes each; the first checkpoint: %.0f ns a row and %.0f for the "
           "disk's thread, longest slice %.0f us\n",
           (unsigned long long)count, (double)state_table_bytes(table.rows) / (double)count,
           write_ns / (double)count, disk_ns / (double)count, first / 1e3);
    folds = 0;
    write_ns = disk_ns = 0;
    for (uint64_t epoch = 2; epoch < 2 + epochs; epoch++) {
        touch_ns += add(&all, 0, count, count / 100);
        checkpoint(&all, epoch, &longest, &folds);
    }
    double rows = (double)(count / 100) * (double)epochs;
    printf("then, a touched row: %.0f ns for the touch and an early record, %.0f to write it, %.0f "
           "for the disk's "
           "thread; folded with it %.2f rows; longest slice %.0f us%s\n",
           touch_ns / rows, write_ns / rows, disk_ns / rows,
           (double)folds / KEY_GROUP_COUNT * (double)count / rows, longest / 1e3,
           longest < 1e6 ? "" : " ABOVE");
    keyed_table_free(&table);
    recover(count);
    keyed_table_free(&table);
    checkpoint_store_close(store);
    must(io_remove_tree(io_real(), directory, &err) == OK);
    return longest >= 1e6;
}
