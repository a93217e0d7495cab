/* The simulated disk: what a crash may and may not take, and whole protocols crashed at every step.
 */
#include "os/simio.h"

#include "base/rng.h"

#include "../check.h"

#include <errno.h>

static struct error err;

static enum status write_file(struct io *io, const char *path, const char *text, bool sync)
{
    struct io_file *file;
    enum status status = io_open(io, path, IO_WRITE | IO_CREATE, &file, &err);
    if (status != OK)
        return status;
    status = io_pwrite(io, file, text, strlen(text), 0, &err);
    if (status == OK && sync)
        status = io_sync(io, file, &err);
    io_close(io, file);
    return status;
}

/* The text of a file, or "(none)". */
static const char *read_text(struct io *io, const char *path)
{
    static char text[4096];
    struct buf out;
    buf_init(&out, sizeof(text) - 1);
    enum status status = io_read_file(io, path, &out, NULL);
    snprintf(text, sizeof(text), "%s", status == OK ? buf_text(&out) : "(none)");
    buf_fini(&out);
    return text;
}

TEST(synced_bytes_and_entries_survive)
{
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct io *io = simio_new(seed);
        CHECK_OK(write_file(io, "/a", "synced", true));
        CHECK_OK(io_sync_directory(io, "/", &err));
        CHECK_OK(io_mkdir(io, "/d", &err));
        CHECK_OK(write_file(io, "/d/b", "deeper", true));
        CHECK_OK(io_sync_directory(io, "/d", &err));
        CHECK_OK(io_sync_directory(io, "/", &err));
        simio_crash(io);
        CHECK_STR(read_text(io, "/a"), "synced");
        CHECK_STR(read_text(io, "/d/b"), "deeper");
        simio_free(io);
    }
}

/* Over many seeds everything that may happen to un-synced work does happen. */
TEST(unsynced_work_may_be_lost_and_may_survive)
{
    int entry_lost = 0, bytes_lost = 0, zeros = 0, kept = 0, count = 400;
    for (int seed = 0; seed < count; seed++) {
        struct io *io = simio_new((uint64_t)seed);
        struct io_stat stat;
        CHECK_OK(write_file(io, "/a", "unsynced", false));
        simio_crash(io);
        if (io_stat(io, "/a", &stat, NULL) != OK)
            entry_lost++;
        else if (stat.size_bytes == 0)
            bytes_lost++;
        else if (strcmp(read_text(io, "/a"), "unsynced") == 0)
            kept++;
        else if (stat.size_bytes == 8 && read_text(io, "/a")[0] == '\0')
            zeros++;
        simio_free(io);
    }
    CHECK(entry_lost > 20 && bytes_lost > 20 && kept > 20 && zeros > 5);
    CHECK_INT(entry_lost + bytes_lost + kept + zeros, count); /* a sector is never half written */
}

TEST(writes_are_torn_and_reordered_at_sectors)
{
    int torn = 0, reordered = 0;
    static char old[2048], first[2048], second[512];
    memset(old, 'o', sizeof(old));
    memset(first, 'f', sizeof(first));
    memset(second, 's', sizeof(second));
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct io *io = simio_new(seed);
        struct io_file *file;
        char now[2048];
        size_t got;
        CHECK_OK(io_open(io, "/f", IO_READ | IO_WRITE | IO_CREATE, &file, &err));
        CHECK_OK(io_pwrite(io, file, old, sizeof(old), 0, &err));
        CHECK_OK(io_sync(io, file, &err));
        CHECK_OK(io_sync_directory(io, "/", &err));
        CHECK_OK(io_pwrite(io, file, first, 1536, 0, &err));
        CHECK_OK(io_pwrite(io, file, second, 512, 1536, &err));
        io_close(io, file);
        simio_crash(io);
        CHECK_OK(io_open(io, "/f", IO_READ, &file, &err));
        CHECK_OK(io_pread(io, file, now, sizeof(now), 0, &got, &err));
        io_close(io, file);
        CHECK_INT(got, sizeof(now));
        int sectors_written = 0;
        for (int sector = 0; sector < 4; sector++) {
            char c = now[sector * 512];
            CHECK(c == 'o' || c == (sector < 3 ? 'f' : 's'));
            for (int i = 0; i < 512; i++)
                CHECK(now[sector * 512 + i] == c);
            sectors_written += sector < 3 && c == 'f';
        }
        torn += sectors_written == 1 || sectors_written == 2;
        reordered += sectors_written < 3 && now[1536] == 's';
        simio_free(io);
    }
    CHECK(torn > 40);
    CHECK(reordered > 20);
}

TEST(directory_changes_are_lost_in_any_combination)
{
    int seen[8] = {0};
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct io *io = simio_new(seed);
        struct io_stat stat;
        CHECK_OK(write_file(io, "/old", "1", true));
        CHECK_OK(write_file(io, "/gone", "2", true));
        CHECK_OK(io_sync_directory(io, "/", &err));
        CHECK_OK(write_file(io, "/made", "3", true));
        CHECK_OK(io_rename(io, "/old", "/new", &err));
        CHECK_OK(io_unlink(io, "/gone", &err));
        simio_crash(io);
        bool made = io_stat(io, "/made", &stat, NULL) == OK;
        bool renamed = io_stat(io, "/new", &stat, NULL) == OK;
        bool removed = io_stat(io, "/gone", &stat, NULL) != OK;
        seen[made | renamed << 1 | removed << 2]++;
        CHECK_STR(read_text(io, renamed ? "/new" : "/old"), "1");
        CHECK(io_stat(io, renamed ? "/old" : "/new", &stat, NULL) == ERR_NOT_FOUND);
        simio_free(io);
    }
    for (int i = 0; i < 8; i++)
        if (seen[i] == 0)
            CHECK_FAIL("combination %d never came", i);
}

TEST(a_rename_between_directories_is_whole_whichever_is_synced)
{
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct io *io = simio_new(seed);
        CHECK_OK(io_mkdir(io, "/a", &err));
        CHECK_OK(io_mkdir(io, "/b", &err));
        CHECK_OK(io_sync_directory(io, "/", &err));
        CHECK_OK(write_file(io, "/a/f", "x", true));
        CHECK_OK(io_rename(io, "/a/f", "/b/f", &err));
        if (seed % 3 > 0)
            CHECK_OK(io_sync_directory(io, seed % 3 == 1 ? "/a" : "/b", &err));
        simio_crash(io);
        bool at_a = strcmp(read_text(io, "/a/f"), "x") == 0;
        bool at_b = strcmp(read_text(io, "/b/f"), "x") == 0;
        CHECK(!(at_a && at_b));
        CHECK(seed % 3 == 0 || (at_b && !at_a));
        simio_free(io);
    }
}

TEST(a_failed_sync_loses_pages_for_good)
{
    int lost = 0;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct io *io = simio_new(seed);
        struct io_file *file;
        CHECK_OK(io_open(io, "/f", IO_READ | IO_WRITE | IO_CREATE, &file, &err));
        CHECK_OK(io_sync_directory(io, "/", &err));
        CHECK_OK(io_pwrite(io, file, "data", 4, 0, &err));
        simio_fail(io, SIMIO_SYNC, 1, EIO);
        CHECK(io_sync(io, file, &err) == ERR_IO);
        error_clear(&err);
        CHECK_OK(io_sync(io, file, &err)); /* the second one says OK and means nothing */
        io_close(io, file);
        CHECK_STR(read_text(io, "/f"), "data");
        simio_crash(io);
        lost += strcmp(read_text(io, "/f"), "data") != 0;
        simio_free(io);
    }
    CHECK(lost > 20 && lost < 100);
}

TEST(faults_come_at_the_chosen_call_once)
{
    struct io *io = simio_new(3);
    struct io_file *file;
    char back[8];
    size_t got;
    CHECK_OK(io_open(io, "/f", IO_READ | IO_WRITE | IO_CREATE, &file, &err));
    simio_fail(io, SIMIO_WRITE, 2, ENOSPC);
    CHECK_OK(io_pwrite(io, file, "aaaa", 4, 0, &err));
    CHECK_INT(io_pwrite(io, file, "bbbb", 4, 0, &err), ERR_DISK_FULL);
    error_clear(&err);
    CHECK_OK(io_pread(io, file, back, sizeof(back), 0, &got, &err));
    CHECK(got == 4 && back[3] != 'c');
    CHECK_OK(io_pwrite(io, file, "cccc", 4, 0, &err));
    simio_fail(io, SIMIO_READ, 1, EIO);
    CHECK_INT(io_pread(io, file, back, 4, 0, &got, &err), ERR_IO);
    error_clear(&err);
    CHECK_OK(io_pread(io, file, back, 4, 0, &got, &err));
    simio_fail(io, SIMIO_RENAME, 1, EIO);
    CHECK_INT(io_rename(io, "/f", "/g", &err), ERR_IO);
    error_clear(&err);
    CHECK_OK(io_rename(io, "/f", "/g", &err));
    simio_fail(io, SIMIO_OPEN, 1, EACCES);
    struct io_file *other;
    CHECK_INT(io_open(io, "/g", IO_READ, &other, &err), ERR_ACCESS);
    error_clear(&err);
    simio_fail(io, SIMIO_SYNC, 1, EIO);
    CHECK_INT(io_sync_directory(io, "/", &err), ERR_IO);
    error_clear(&err);
    io_close(io, file);
    simio_free(io);
}

TEST(a_full_disk_takes_what_fits)
{
    struct io *io = simio_new(3);
    struct io_file *file;
    struct io_stat stat;
    simio_set_capacity(io, 1000);
    static char block[600];
    CHECK_OK(io_open(io, "/a", IO_READ | IO_WRITE | IO_CREATE, &file, &err));
    CHECK_OK(io_pwrite(io, file, block, 600, 0, &err));
    CHECK_OK(io_pwrite(io, file, block, 600, 0, &err)); /* over itself: no more room needed */
    CHECK_INT(io_pwrite(io, file, block, 600, 600, &err), ERR_DISK_FULL);
    error_clear(&err);
    CHECK_OK(io_file_stat(io, file, &stat, &err));
    CHECK_INT(stat.size_bytes, 1000);
    CHECK_INT(write_file(io, "/b", "x", false), ERR_DISK_FULL);
    error_clear(&err);
    CHECK_OK(io_unlink(io, "/a", &err)); /* still open: its bytes stay taken */
    CHECK_INT(write_file(io, "/b", "x", false), ERR_DISK_FULL);
    error_clear(&err);
    io_close(io, file);
    CHECK_OK(write_file(io, "/b", "x", false));
    simio_free(io);
}

TEST(open_files_locks_and_calls_after_a_crash)
{
    struct io *io = simio_new(5);
    struct io_file *file, *lock;
    struct io_stat stat;
    CHECK_OK(io_lock(io, "/lock", &lock, &err));
    CHECK_OK(write_file(io, "/a", "x", true));
    CHECK_OK(io_sync_directory(io, "/", &err));
    CHECK_OK(io_open(io, "/a", IO_READ | IO_WRITE, &file, &err));
    simio_crash_at(io, simio_steps(io) + 1);
    CHECK_INT(io_pwrite(io, file, "y", 1, 0, &err), ERR_CLOSED);
    CHECK(simio_crashed(io));
    CHECK(strstr(err.text, "crashed") != NULL);
    error_clear(&err);
    CHECK_INT(io_stat(io, "/a", &stat, NULL), ERR_CLOSED);
    CHECK_INT(io_unlink(io, "/a", NULL), ERR_CLOSED);
    simio_crash(io);
    CHECK(!simio_crashed(io));
    CHECK_INT(io_sync(io, file, NULL), ERR_CLOSED); /* opened before the crash */
    io_close(io, file);
    io_close(io, lock);
    CHECK_OK(io_lock(io, "/lock", &lock, &err));
    io_close(io, lock);
    simio_free(io);
}

TEST(the_clock_moves_when_told)
{
    struct io *io = simio_new(5);
    int64_t wall_us = io_wall_us(io), monotonic_us = io_monotonic_us(io);
    CHECK_INT(io_monotonic_us(io), monotonic_us);
    simio_advance_us(io, 1500);
    CHECK_INT(io_wall_us(io), wall_us + 1500);
    CHECK_INT(io_monotonic_us(io), monotonic_us + 1500);
    simio_free(io);
}

TEST(a_seed_repeats_a_crash)
{
    char first[4096];
    for (int run = 0; run < 2; run++) {
        struct io *io = simio_new(99);
        struct io_file *file;
        CHECK_OK(io_open(io, "/f", IO_READ | IO_WRITE | IO_CREATE, &file, &err));
        CHECK_OK(io_sync_directory(io, "/", &err));
        for (int i = 0; i < 200; i++)
            CHECK_OK(io_pwrite(io, file, "abcdefghij", 10, (uint64_t)(i * 7919 % 3900), &err));
        io_close(io, file);
        simio_crash(io);
        char now[4096] = {0};
        size_t got;
        CHECK_OK(io_open(io, "/f", IO_READ, &file, &err));
        CHECK_OK(io_pread(io, file, now, sizeof(now), 0, &got, &err));
        io_close(io, file);
        if (run == 1)
            CHECK(memcmp(first, now, sizeof(now)) == 0);
        memcpy(first, now, sizeof(now));
        simio_free(io);
    }
}

/* ---- a publish protocol at every step ---- */

enum plant { PLANT_NOTHING, PLANT_NO_FILE_SYNC, PLANT_NO_DIRECTORY_SYNC, PLANT_NO_TEMP };

static enum status publish(struct io *io, const char *path, const char *text, enum plant plant)
{
    if (plant == PLANT_NOTHING)
        return io_publish(io, path, text, strlen(text), &err);
    if (plant == PLANT_NO_TEMP)
        return write_file(io, path, text, true) == OK ? io_sync_parent(io, path, &err) : ERR_IO;
    enum status status = write_file(io, "/data/temp", text, plant != PLANT_NO_FILE_SYNC);
    if (status == OK)
        status = io_rename(io, "/data/temp", path, &err);
    if (status == OK && plant != PLANT_NO_DIRECTORY_SYNC)
        status = io_sync_parent(io, path, &err);
    return status;
}

/* Version n: its number over and over, several sectors long, so that a mixture shows. */
static const char *version_text(int version, char *dest)
{
    size_t length = 0;
    while (length < 1800)
        length += (size_t)snprintf(dest + length, 16, "v%d,", version);
    return dest;
}

/* Publishes version 0, 1, 2, crashing at `step`. What is found after must be one whole version,
 * none older than the last that was reported as published. Returns false when it is not. */
static bool survives(uint64_t seed, uint64_t step, enum plant plant, bool *out_crashed)
{
    struct io *io = simio_new(seed);
    char text[2048];
    int published = -1;
    bool good = false;
    error_clear(&err);
    if (io_make_directories(io, "/data", &err) != OK)
        return false;
    simio_crash_at(io, simio_steps(io) + step);
    for (int version = 0; version < 3; version++) {
        if (publish(io, "/data/current", version_text(version, text), plant) != OK)
            break;
        published = version;
    }
    *out_crashed = simio_crashed(io);
    simio_crash(io);
    const char *found = read_text(io, "/data/current");
    for (int version = published < 0 ? 0 : published; version < 3; version++)
        good = good || strcmp(found, version_text(version, text)) == 0;
    good = good || (published < 0 && strcmp(found, "(none)") == 0);
    simio_free(io);
    return good;
}

static int failures_of(enum plant plant)
{
    int failures = 0;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        bool crashed = true;
        for (uint64_t step = 1; crashed; step++)
            failures += !survives(seed * 1000 + step, step, plant, &crashed);
    }
    return failures;
}

TEST(publish_is_atomic_and_durable_at_every_step)
{
    CHECK_INT(failures_of(PLANT_NOTHING), 0);
}

TEST(a_planted_missing_sync_is_caught)
{
    CHECK(failures_of(PLANT_NO_FILE_SYNC) > 0);
    CHECK(failures_of(PLANT_NO_DIRECTORY_SYNC) > 0);
    CHECK(failures_of(PLANT_NO_TEMP) > 0);
}

TEST(publish_reports_every_fault_and_keeps_the_old)
{
    char text[2048];
    static const enum simio_fault kinds[] = {SIMIO_OPEN, SIMIO_WRITE, SIMIO_SYNC, SIMIO_RENAME};
    for (int i = 0; i < 4; i++) {
        struct io *io = simio_new(1);
        struct io_stat stat;
        CHECK_OK(io_publish(io, "/f", "old", 3, &err));
        simio_fail(io, kinds[i], 1, i == 1 ? ENOSPC : EIO);
        version_text(1, text);
        CHECK_INT(io_publish(io, "/f", text, strlen(text), &err), i == 1 ? ERR_DISK_FULL : ERR_IO);
        error_clear(&err);
        CHECK_STR(read_text(io, "/f"), "old");
        CHECK_INT(io_stat(io, "/f.tmp", &stat, NULL), ERR_NOT_FOUND);
        simio_free(io);
    }
}

TEST(made_directories_are_durable)
{
    bool crashed = true;
    for (uint64_t step = 1; crashed; step++) {
        struct io *io = simio_new(step);
        struct io_stat stat;
        simio_crash_at(io, step);
        enum status status = io_make_directories(io, "/a/b/c", NULL);
        crashed = simio_crashed(io);
        simio_crash(io);
        CHECK(crashed || status == OK);
        if (status == OK)
            CHECK_OK(io_stat(io, "/a/b/c", &stat, &err));
        simio_free(io);
    }
}

TEST(no_memory_is_a_status_of_every_call)
{
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        struct io *io = simio_new(1);
        struct io_stat stat;
        error_clear(&err);
        mem_fail_after(n);
        enum status status = io_make_directories(io, "/a/b", &err);
        if (status == OK)
            status = io_publish(io, "/a/b/f", "text", 4, &err);
        if (status == OK)
            status = io_publish(io, "/a/b/f", "more text", 9, &err);
        if (status == OK)
            status = io_remove_tree(io, "/a", &err);
        mem_fail_after(0);
        failed = status != OK;
        if (failed)
            CHECK_INT(status, ERR_MEMORY);
        else
            CHECK_INT(io_stat(io, "/a", &stat, NULL), ERR_NOT_FOUND);
        CHECK_OK(io_remove_tree(io, "/a", (error_clear(&err), &err)));
        simio_free(io);
    }
}

TEST(the_random_sequence_is_frozen)
{
    struct rng rng;
    rng_init(&rng, 42);
    uint64_t first = rng_next(&rng), second = rng_next(&rng);
    CHECK_INT((int64_t)first, (int64_t)UINT64_C(0x15780B2E0C2EC716));
    CHECK_INT((int64_t)second, (int64_t)UINT64_C(0x6104D9866D113A7E));
    int counts[10] = {0};
    for (int i = 0; i < 100000; i++)
        counts[rng_below(&rng, 10)]++;
    for (int i = 0; i < 10; i++)
        CHECK(counts[i] > 9600 && counts[i] < 10400);
}
