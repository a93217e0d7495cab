/* checkpoint_test.c - checkpoints on the simulated disk: what was committed is found again after a
 * crash at every step, every flipped bit is noticed, every call of the disk and every allocation
 * fails once, and old files go away. */
#include "state/checkpoint.h"

#include "../check.h"
#include "base/crc32c.h"
#include "base/must.h"
#include "os/simio.h"

#define DIR "/data/checkpoints/job"

static struct mem_owner owner;

static struct state_block *make_block(uint32_t operator_id, uint64_t epoch, uint32_t records)
{
    static struct state_block *made;
    struct state_out out = {.operator_id = operator_id, .epoch = epoch, .owner = &owner};
    made = NULL;
    for (uint32_t i = 0; i < records; i++) {
        uint8_t key[8] = {(uint8_t)i, (uint8_t)epoch}, value[3] = {1, 2, (uint8_t)epoch};
        state_out_record(&out, &(struct state_record){.kind = RECORD_VALUE,
                                                      .key_group = (uint8_t)(i % 128),
                                                      .namespace = -5,
                                                      .key = key,
                                                      .key_bytes = 8,
                                                      .value = value,
                                                      .value_bytes = 3});
    }
    made = out.block;
    if (made)
        state_block_seal(made);
    return made;
}

static struct checkpoint manifest_of(uint64_t epoch, const struct checkpoint_operator *operators,
                                     uint32_t count)
{
    return (struct checkpoint){.job_name = "job",
                               .epoch = epoch,
                               .created_us = 1000,
                               .lineage = {1, 2, 3},
                               .parent = {4, 5},
                               .statement = "statement",
                               .next_operator_id = 9,
                               .operator_count = count,
                               .operators = operators};
}

/* Checkpoint number `epoch`: two blocks and a blob that names it. */
static enum status make_checkpoint(struct checkpoint_store *store, uint64_t epoch, bool full,
                                   struct error *err)
{
    char text[20];
    snprintf(text, sizeof(text), "blob %d", (int)epoch);
    const struct str blobs[2] = {str_of(text), {"", 0}};
    const struct checkpoint_operator operators[2] = {
        {"Source(t)", "source 1", "up", 3, 2, blobs},
        {"Group(k)", "group 1", "up", 4, 0, NULL},
    };
    struct checkpoint manifest = manifest_of(epoch, operators, 2);
    enum status status = OK;
    checkpoint_begin(store, (struct state_fold){0, full ? KEY_GROUP_COUNT : 0});
    for (int i = 0; i < 2 && status == OK; i++) {
        struct state_block *block = make_block(4, epoch, 5);
        if (!block)
            status = error_memory(err, "a block", 1);
        else
            status = checkpoint_block(store, block, err);
        state_block_free(block);
    }
    if (status == OK)
        return checkpoint_commit(store, &manifest, err);
    checkpoint_abort(store);
    return status;
}

struct seen {
    uint64_t epochs[100];
    uint32_t count, records;
};

static enum status see(void *context, const uint8_t *block, const struct state_block_info *info,
                       struct error *err)
{
    struct seen *seen = context;
    struct state_records records;
    struct state_record record;
    enum status status;
    seen->epochs[seen->count++] = info->epoch;
    state_records_init(&records, block, info);
    while ((status = state_records_next(&records, &record, err)) == OK) {
        seen->records++;
        if (record.namespace != -5 || record.key_bytes != 8 || record.value_bytes != 3 ||
            record.key[1] != (uint8_t)info->epoch)
            return error_set(err, ERR_DATA, "another record than was written");
    }
    return status == ERR_END ? OK : status;
}

/* The newest checkpoint is `epoch` (0: there is none), with deltas since the full one at `base`. */
static bool loads_in(struct io *io, const char *directory, uint64_t epoch, uint64_t base,
                     struct error *err)
{
    struct checkpoint_store *store;
    struct checkpoint *checkpoint = NULL;
    struct checkpoint_reader *reader = NULL;
    struct seen seen = {.count = 0};
    struct buf damage;
    bool good = false;
    buf_init(&damage, 10000);
    if (checkpoint_store_open(&store, io, directory, &owner, err) != OK)
        return false;
    if (checkpoint_store_load(store, &checkpoint, &damage, err) != OK)
        goto out;
    if (!checkpoint) {
        good = epoch == 0;
        goto out;
    }
    char text[20];
    snprintf(text, sizeof(text), "blob %d", (int)epoch);
    const struct checkpoint_operator *source = checkpoint_find(checkpoint, "Source(t)");
    if (checkpoint->epoch != epoch || !source || source->id != 3 || source->blob_count != 2 ||
        !str_eq(source->blobs[0], str_of(text)) ||
        (checkpoint->parent_epoch ? checkpoint->parent : checkpoint->lineage)[2] != 3 ||
        checkpoint_find(checkpoint, "nothing"))
        goto out;
    if (checkpoint_reader_new(&reader, store, checkpoint, err) != OK ||
        checkpoint_blocks(reader, 4, 0, 127, see, &seen, err) != OK)
        goto out;
    good = seen.count == 2 * (epoch - base + 1) && seen.records == 5 * seen.count;
    for (uint32_t i = 0; i < seen.count; i++)
        good = good && seen.epochs[i] == base + i / 2;
out:
    checkpoint_reader_free(reader);
    checkpoint_free(checkpoint);
    checkpoint_store_close(store);
    buf_fini(&damage);
    return good;
}

static bool loads(struct io *io, uint64_t epoch, uint64_t base, struct error *err)
{
    return loads_in(io, DIR, epoch, base, err);
}

static uint32_t files;
static enum status count_file(void *context, const char *name, struct error *err)
{
    files++;
    return OK;
}

TEST(what_was_committed_is_found)
{
    struct error err = {0};
    struct io *io = simio_new(1);
    struct checkpoint_store *store;
    mem_owner_init(&owner, NULL, "test");
    CHECK(loads(io, 0, 0, &err));
    CHECK_OK(checkpoint_store_open(&store, io, DIR, &owner, &err));
    for (uint64_t epoch = 1; epoch <= 20; epoch++) {
        CHECK_OK(make_checkpoint(store, epoch, epoch == 1 || epoch % 6 == 0, &err));
        CHECK(loads(io, epoch, epoch < 6 ? 1 : epoch - epoch % 6, &err));
    }
    files = 0;
    CHECK_OK(io_list(io, DIR, count_file, NULL, &err));
    CHECK_INT(files, 4); /* two manifests, the folded segment, the changes since */
    checkpoint_store_close(store);
    simio_crash(io);
    CHECK(loads(io, 20, 18, &err));

    /* one that fails takes nothing away; the next goes on in another segment */
    struct checkpoint *checkpoint;
    struct buf damage;
    buf_init(&damage, 1000);
    CHECK_OK(checkpoint_store_open(&store, io, DIR, &owner, &err));
    CHECK_OK(checkpoint_store_load(store, &checkpoint, &damage, &err));
    CHECK_INT(damage.length, 0);
    checkpoint_free(checkpoint);
    CHECK_OK(make_checkpoint(store, 21, false, &err));
    checkpoint_begin(store, (struct state_fold){0, 0});
    struct state_block *block = make_block(4, 22, 5);
    CHECK_OK(checkpoint_block(store, block, &err));
    state_block_free(block);
    checkpoint_abort(store);
    CHECK(loads(io, 21, 18, &err));
    CHECK_OK(make_checkpoint(store, 22, false, &err));
    CHECK(loads(io, 22, 18, &err));
    CHECK_INT(checkpoint_fold(store).count, 0);
    checkpoint_store_close(store);
    buf_fini(&damage);
    simio_free(io);
}

/* ---- folds: keys of 24 bytes with values of 16, of which a few change between checkpoints */

#define GROUP_KEYS 200u

struct fold_total {
    struct io *io;
    uint64_t segment_bytes;
};
static enum status add_size(void *context, const char *name, struct error *err)
{
    struct fold_total *total = context;
    struct io_stat stat;
    char path[300];
    snprintf(path, sizeof(path), DIR "/%s", name);
    TRY(io_stat(total->io, path, &stat, err));
    total->segment_bytes += strncmp(name, "segment", 7) == 0 ? stat.size_bytes : 0;
    return OK;
}

static void put_key(struct state_out *out, uint32_t group, uint32_t number)
{
    uint8_t key[24] = {(uint8_t)group, (uint8_t)number}, value[16] = {(uint8_t)out->epoch};
    state_out_record(out, &(struct state_record){.kind = RECORD_VALUE,
                                                 .key_group = (uint8_t)group,
                                                 .key = key,
                                                 .key_bytes = sizeof(key),
                                                 .value = value,
                                                 .value_bytes = sizeof(value)});
}

static struct checkpoint_store *fold_store;
static void write_now(void *context, struct state_block *block)
{
    struct error err = {0};
    state_block_seal(block);
    must(checkpoint_block(fold_store, block, &err) == OK);
    state_block_free(block);
}

/* One checkpoint with `changes` changed keys and what the store wants folded; *folded groups. */
static uint64_t fold_checkpoint(uint64_t epoch, uint32_t changes, uint32_t *folded,
                                struct error *err)
{
    struct checkpoint manifest = manifest_of(epoch, NULL, 0);
    struct state_fold fold = checkpoint_fold(fold_store);
    struct state_out out = {
        .operator_id = 4, .epoch = epoch, .fold = fold, .owner = &owner, .give = write_now};
    checkpoint_begin(fold_store, fold);
    for (uint32_t i = 0; i < changes; i++)
        put_key(&out, (uint32_t)(epoch * 31 + i) % KEY_GROUP_COUNT, i % GROUP_KEYS);
    for (uint32_t g = 0; g < fold.count; g++)
        for (uint32_t k = 0; k < GROUP_KEYS; k++)
            put_key(&out, fold.first + g, k);
    state_out_end(&out);
    must(out.failure.code == OK && checkpoint_commit(fold_store, &manifest, err) == OK);
    *folded = fold.count;
    return out.bytes;
}

/* What is superseded is never more than twice the state, and no checkpoint after the first writes
 * it whole.
 */
TEST(folds_keep_up_with_changes)
{
    struct error err = {0};
    struct io *io = simio_new(1);
    mem_owner_init(&owner, NULL, "test");
    CHECK_OK(checkpoint_store_open(&fold_store, io, DIR, &owner, &err));
    uint32_t folded = 0, rounds = 0, most = 0;
    uint64_t live = fold_checkpoint(1, 0, &folded, &err);
    CHECK_INT(folded, KEY_GROUP_COUNT);
    for (uint64_t epoch = 2; epoch < 300; epoch++) {
        struct fold_total total = {io, 0};
        fold_checkpoint(epoch, GROUP_KEYS * KEY_GROUP_COUNT / 50, &folded, &err);
        most = folded > most ? folded : most;
        rounds += folded;
        CHECK_OK(io_list(io, DIR, add_size, &total, &err));
        if (total.segment_bytes > 4 * live + live / 4)
            CHECK_FAIL("epoch %d: %d KB for a state of %d KB", (int)epoch,
                       (int)(total.segment_bytes >> 10), (int)(live >> 10));
    }
    CHECK(most <= 10);
    CHECK(rounds > 2 * KEY_GROUP_COUNT);
    checkpoint_store_close(fold_store);
    simio_free(io);
}

/* After a crash at any step the last completed checkpoint is there, or the one that was being made.
 */
TEST(a_crash_at_every_step)
{
    for (uint64_t seed = 1; seed <= 8; seed++)
        for (uint64_t step = 1;; step++) {
            struct error err = {0}, ignored = {0};
            struct io *io = simio_new(seed);
            struct checkpoint_store *store = NULL;
            uint64_t done = 0, base = 1;
            simio_crash_at(io, step);
            if (checkpoint_store_open(&store, io, DIR, &owner, &ignored) == OK) {
                while (done < 5 && make_checkpoint(store, done + 1, done % 3 == 0, &ignored) == OK)
                    done++;
                checkpoint_store_close(store);
            }
            bool crashed = simio_crashed(io);
            simio_crash(io);
            simio_crash_at(io, 0);
            base = done < 1 ? 1 : (done - 1) / 3 * 3 + 1;
            bool same = loads(io, done, done ? base : 0, &err);
            uint64_t next_base = done % 3 == 0 ? done + 1 : base;
            error_clear(&err);
            if (!same && !(done < 5 && loads(io, done + 1, next_base, &err)))
                CHECK_FAIL("seed %d, step %d, after %d: %s", (int)seed, (int)step, (int)done,
                           err.text);
            simio_free(io);
            if (!crashed)
                break;
        }
}

/* A call of the disk that fails: an error, and the one before is still there; then a good one. */
TEST(every_call_of_the_disk_fails_once)
{
    static const enum simio_fault kinds[] = {SIMIO_WRITE, SIMIO_SYNC, SIMIO_RENAME, SIMIO_OPEN,
                                             SIMIO_READ};
    for (uint32_t k = 0; k < COUNT_OF(kinds); k++)
        for (uint64_t countdown = 1; countdown < 100; countdown++) {
            struct error err = {0}, ignored = {0};
            struct io *io = simio_new(countdown);
            struct checkpoint_store *store;
            CHECK_OK(checkpoint_store_open(&store, io, DIR, &owner, &err));
            CHECK_OK(make_checkpoint(store, 1, true, &err));
            simio_fail(io, kinds[k], countdown, 28);
            enum status second = make_checkpoint(store, 2, false, &ignored);
            bool loaded = loads(io, 2, 1, &ignored);
            simio_fail(io, kinds[k], 0, 0);
            if (second != OK && ignored.text[0] == '\0')
                CHECK_FAIL("an error without a text");
            error_clear(&err);
            if (second == OK) {
                CHECK(loaded || kinds[k] == SIMIO_READ || kinds[k] == SIMIO_OPEN);
                CHECK(loads(io, 2, 1, &err));
            } else if (!loads(io, 1, 1, &err) && !loads(io, 2, 1, &err)) {
                CHECK_FAIL("kind %d, call %d: %s", kinds[k], (int)countdown, err.text);
            }
            error_clear(&err);
            /* what it had belongs to the next: here a full one, so that the test can tell */
            CHECK_OK(make_checkpoint(store, 3, true, &err));
            CHECK(loads(io, 3, 3, &err));
            checkpoint_store_close(store);
            simio_crash(io);
            CHECK(loads(io, 3, 3, &err));
            simio_free(io);
            if (second == OK && loaded)
                break;
        }
}

TEST(every_allocation_fails_once)
{
    for (uint64_t fail = 1; fail < 10000; fail++) {
        struct error err = {0}, own = {0};
        struct io *io = simio_new(1);
        struct checkpoint_store *store = NULL;
        uint64_t before = mem_alloc_count(), done = 0;
        mem_fail_after(fail);
        if (checkpoint_store_open(&store, io, DIR, &owner, &own) == OK)
            while (done < 3 && make_checkpoint(store, done + 1, done == 0, &own) == OK)
                done++;
        bool loaded = done == 3 && loads(io, 3, 1, &own);
        mem_fail_after(0);
        bool over = mem_alloc_count() - before < fail;
        checkpoint_store_close(store);
        if (!loaded && own.code == OK)
            CHECK_FAIL("allocation %d: no error", (int)fail);
        if (!loads(io, done, done ? 1 : 0, &err)) {
            error_clear(&err);
            if (!loads(io, done + 1, 1, &err))
                CHECK_FAIL("allocation %d: after %d: %s", (int)fail, (int)done, err.text);
        }
        simio_free(io);
        if (over)
            return;
    }
    CHECK_FAIL("it never ended");
}

/* ---- damage */

struct flips {
    struct io *io;
    uint32_t bits, noticed, fell_back, refused;
    bool bad;
};

static bool flip(struct io *io, const char *path, uint64_t bit)
{
    struct io_file *file;
    uint8_t byte;
    size_t got;
    if (io_open(io, path, IO_READ | IO_WRITE, &file, NULL) != OK)
        return false;
    bool good = io_pread(io, file, &byte, 1, bit / 8, &got, NULL) == OK && got == 1;
    byte = (uint8_t)(byte ^ 1u << (bit % 8));
    good = good && io_pwrite(io, file, &byte, 1, bit / 8, NULL) == OK;
    io_close(io, file);
    return good;
}

static enum status flip_file(void *context, const char *name, struct error *err)
{
    struct flips *flips = context;
    struct io_stat stat;
    char path[300];
    snprintf(path, sizeof(path), DIR "/%s", name);
    TRY(io_stat(flips->io, path, &stat, err));
    for (uint64_t bit = 0; bit < stat.size_bytes * 8; bit++) {
        struct checkpoint_store *store;
        struct checkpoint *checkpoint = NULL;
        struct buf damage;
        struct error own = {0};
        must(flip(flips->io, path, bit));
        buf_init(&damage, 10000);
        must(checkpoint_store_open(&store, flips->io, DIR, &owner, &own) == OK);
        enum status status = checkpoint_store_load(store, &checkpoint, &damage, &own);
        flips->bits++;
        flips->noticed += status != OK || damage.length > 0;
        flips->refused += status == ERR_CORRUPT || status == ERR_UNSUPPORTED;
        flips->fell_back += status == OK && checkpoint && checkpoint->epoch == 1;
        /* an older manifest is not needed while the newest is good */
        bool is_old = strcmp(name, "manifest-0000000000000001") == 0 ||
                      strcmp(name, "segment-0000000000000000") == 0;
        if (!is_old && status == OK && !damage.length) {
            printf("# %s bit %d is not noticed\n", name, (int)bit);
            flips->bad = true;
        }
        if (is_old && (status != OK || !checkpoint || checkpoint->epoch != 2)) {
            printf("# %s bit %d: the newest is not taken\n", name, (int)bit);
            flips->bad = true;
        }
        checkpoint_free(checkpoint);
        checkpoint_store_close(store);
        buf_fini(&damage);
        must(flip(flips->io, path, bit));
    }
    return OK;
}

TEST(every_flipped_bit_is_noticed)
{
    struct error err = {0};
    struct flips flips = {.io = simio_new(1)};
    struct checkpoint_store *store;
    CHECK_OK(checkpoint_store_open(&store, flips.io, DIR, &owner, &err));
    CHECK_OK(make_checkpoint(store, 1, true, &err));
    CHECK_OK(make_checkpoint(store, 2, true, &err)); /* a segment of its own */
    checkpoint_store_close(store);
    CHECK_OK(io_list(flips.io, DIR, flip_file, &flips, &err));
    CHECK(!flips.bad);
    printf("# %u bits, %u noticed, %u times the checkpoint before was taken\n", flips.bits,
           flips.noticed, flips.fell_back);
    CHECK(flips.bits > 5000 && flips.fell_back > 1000);
    CHECK(loads(flips.io, 2, 2, &err));
    simio_free(flips.io);
}

/* With one checkpoint only: no good one is an error, not an empty begin. */
TEST(no_good_checkpoint_is_an_error)
{
    struct error err = {0};
    struct io *io = simio_new(1);
    struct checkpoint_store *store;
    struct checkpoint *checkpoint;
    struct buf damage;
    CHECK_OK(checkpoint_store_open(&store, io, DIR, &owner, &err));
    CHECK_OK(make_checkpoint(store, 1, true, &err));
    checkpoint_store_close(store);
    CHECK(flip(io, DIR "/segment-0000000000000000", 400));
    buf_init(&damage, 1000);
    CHECK_OK(checkpoint_store_open(&store, io, DIR, &owner, &err));
    CHECK_INT(checkpoint_store_load(store, &checkpoint, &damage, &err), ERR_CORRUPT);
    CHECK(strstr(err.text, "checksum") && err.hint[0]);
    checkpoint_store_close(store);
    buf_fini(&damage);
    simio_free(io);
}

TEST(as_many_as_are_retained)
{
    struct error err = {0};
    struct io *io = simio_new(4);
    struct checkpoint_store *store;
    struct checkpoint *checkpoint;
    struct buf damage;
    char where[100];
    mem_owner_init(&owner, NULL, "test");
    CHECK_OK(checkpoint_store_open(&store, io, DIR, &owner, &err));
    checkpoint_store_retain(store, 4);
    for (uint64_t epoch = 1; epoch <= 10; epoch++)
        CHECK_OK(make_checkpoint(store, epoch, epoch == 1 || epoch % 3 == 0, &err));
    checkpoint_store_close(store);
    buf_init(&damage, 1000);
    CHECK_OK(checkpoint_store_open(&store, io, DIR, &owner, &err));
    checkpoint_store_retain(store, 4);
    CHECK_OK(checkpoint_store_load(store, &checkpoint, &damage, &err));
    checkpoint_free(checkpoint);
    CHECK_OK(make_checkpoint(store, 11, false, &err));
    checkpoint_store_close(store);
    for (int epoch = 1; epoch <= 11; epoch++) { /* each of them can be gone on from */
        char path[100];
        snprintf(path, sizeof(path), DIR "/manifest-%016x", epoch);
        enum status status = checkpoint_load(io, path, &checkpoint, where, sizeof(where), NULL);
        CHECK_INT(status, epoch < 8 ? ERR_NOT_FOUND : OK);
        checkpoint_free(status == OK ? checkpoint : NULL);
    }
    buf_fini(&damage);
    simio_free(io);
}

/* ---- savepoints */

/* As make_checkpoint() has committed it. */
static enum status copy_out(struct checkpoint_store *store, uint64_t epoch, struct error *err)
{
    char text[20];
    snprintf(text, sizeof(text), "blob %d", (int)epoch);
    const struct str blobs[2] = {str_of(text), {"", 0}};
    const struct checkpoint_operator operators[2] = {
        {"Source(t)", "source 1", "up", 3, 2, blobs},
        {"Group(k)", "group 1", "up", 4, 0, NULL},
    };
    struct checkpoint manifest = manifest_of(epoch, operators, 2);
    return checkpoint_copy_out(store, &manifest, "/save", err);
}

static enum status copy_in(struct io *io, const char *from, const char *to, struct error *err)
{
    struct checkpoint *checkpoint = NULL;
    struct checkpoint_store *store = NULL;
    char where[100];
    enum status status = checkpoint_load(io, from, &checkpoint, where, sizeof(where), err);
    if (status == OK)
        status = checkpoint_store_open(&store, io, to, &owner, err);
    if (status == OK)
        status = checkpoint_copy_in(store, checkpoint, where, err);
    checkpoint_store_close(store);
    checkpoint_free(checkpoint);
    return status;
}

static struct checkpoint_store *five_checkpoints(struct io *io, struct error *err)
{
    struct checkpoint_store *store;
    must(checkpoint_store_open(&store, io, DIR, &owner, err) == OK);
    for (uint64_t epoch = 1; epoch <= 5; epoch++)
        must(make_checkpoint(store, epoch, epoch == 1, err) == OK);
    return store;
}

TEST(a_savepoint_is_all_there_is_to_it)
{
    struct error err = {0};
    struct io *io = simio_new(3);
    mem_owner_init(&owner, NULL, "test");
    struct checkpoint_store *store = five_checkpoints(io, &err);
    CHECK_OK(copy_out(store, 5, &err));
    CHECK_OK(make_checkpoint(store, 6, false, &err)); /* the segment grows on */
    checkpoint_store_close(store);
    simio_crash(io);
    CHECK_OK(io_remove_tree(io, DIR, &err));
    CHECK(loads_in(io, "/save", 5, 1, &err));
    for (int fork = 0; fork < 2; fork++) {
        char to[20];
        snprintf(to, sizeof(to), "/fork%d", fork);
        CHECK_OK(copy_in(io, fork ? "/save/manifest-0000000000000005" : "/save", to, &err));
        simio_crash(io);
        CHECK(loads_in(io, to, 5, 1, &err));
    }
    CHECK_INT(copy_in(io, "/nowhere", "/fork3", &err), ERR_NOT_FOUND);
    error_clear(&err);
    CHECK_INT(copy_in(io, "/save/manifest-0000000000000004", "/fork3", &err), ERR_NOT_FOUND);
    simio_free(io);
}

TEST(a_savepoint_that_fails_leaves_nothing)
{
    mem_owner_init(&owner, NULL, "test");
    for (int kind = 0; kind < SIMIO_FAULT_COUNT; kind++) {
        bool failed = true;
        for (uint64_t countdown = 1; failed; countdown++) {
            struct error err = {0};
            struct io *io = simio_new(countdown);
            struct checkpoint_store *store = five_checkpoints(io, &err);
            simio_fail(io, (enum simio_fault)kind, countdown, 28);
            failed = copy_out(store, 5, &err) != OK;
            simio_fail(io, (enum simio_fault)kind, 0, 0);
            files = 0;
            if (failed &&
                (!err.text[0] || (io_list(io, "/save", count_file, NULL, NULL) == OK && files)))
                CHECK_FAIL("call %d of kind %d: %u files, %s", (int)countdown, kind, files,
                           err.text);
            if (!failed && !loads_in(io, "/save", 5, 1, &err))
                CHECK_FAIL("call %d of kind %d: %s", (int)countdown, kind, err.text);
            err = (struct error){0};
            CHECK(loads(io, 5, 1, &err)); /* the job's own */
            checkpoint_store_close(store);
            simio_free(io);
        }
    }
}

/* What is on disk does not change without a new version: of blocks (snapshot.h) or manifests
 * (manifest.c). A new version has another sum here, and a fixture (test/system/state_fixture.py).
 */
TEST(formats_are_frozen)
{
    struct error err = {0};
    struct state_out out = {
        .operator_id = 0x01020304, .epoch = 0x1112131415161718, .owner = &owner};
    mem_owner_init(&owner, NULL, "test");
    for (int kind = RECORD_VALUE; kind <= RECORD_STAMPED; kind++)
        state_out_record(
            &out, &(struct state_record){
                      .kind = (enum state_record_kind)kind,
                      .table = 7,
                      .key_group = 33,
                      .namespace = -1234567,
                      .key = (const uint8_t *)"a key",
                      .key_bytes = kind == RECORD_DROP ? 0 : 5,
                      .value = (const uint8_t *)"\x7fvalue",
                      .value_bytes = kind == RECORD_VALUE || kind == RECORD_STAMPED ? 6 : 0});
    CHECK_OK(out.failure.code);
    state_block_seal(out.block);
    printf("# block %08x\n", crc32c(0, out.block->bytes.data, out.block->bytes.length));
    CHECK_INT(STATE_BLOCK_VERSION, 2);
    CHECK_INT(crc32c(0, out.block->bytes.data, out.block->bytes.length), 0xd166b9f7);
    state_block_free(out.block);

    struct buf bytes;
    const struct str blobs[2] = {str_of("one"), str_of("")};
    const struct checkpoint_operator operators[2] = {
        {"Source(t)", "source 1", "up", 3, 2, blobs},
        {"Group(k)", "group 1", "up", 4, 0, NULL},
    };
    const struct checkpoint_segment segments[2] = {{1, 2, 3}, {4, 5, 6}};
    struct checkpoint manifest = manifest_of(9, operators, 2);
    manifest.segments = segments;
    manifest.segment_count = 2;
    manifest.live_bytes = 77;
    manifest.bases[5] = 4;
    buf_init(&bytes, 1 << 20);
    checkpoint_encode(&manifest, &bytes);
    CHECK_OK(buf_check(&bytes, "a manifest", &err));
    printf("# manifest %08x, version %u\n", crc32c(0, bytes.data, bytes.length), bytes.data[12]);
    CHECK_INT(bytes.data[12], 4);
    CHECK_INT(crc32c(0, bytes.data, bytes.length), 0xf56f1508);
    buf_fini(&bytes);
}
