/* The same body over both twins of io.h: whatever a caller may rely on, on either. */
#include "os/io.h"
#include "os/simio.h"

#include "../check.h"

#include <unistd.h>

static struct error err;

/* A directory to work in and the twin it lies on. */
struct place {
    struct io *io;
    char directory[256];
};

static bool place_open(struct place *place, bool simulated)
{
    memset(&err, 0, sizeof(err));
    place->io = simulated ? simio_new(7) : io_real();
    const char *base = getenv("TMPDIR");
    snprintf(place->directory, sizeof(place->directory), "%s/leat-io-test-%ld",
             simulated ? "/sim"
             : base    ? base
                       : "/tmp",
             (long)getpid());
    return io_make_directories(place->io, place->directory, &err) == OK;
}

static void place_close(struct place *place, bool simulated)
{
    if (io_remove_tree(place->io, place->directory, &err) != OK)
        printf("# left behind: %s\n", err.text);
    if (simulated)
        simio_free(place->io);
}

static const char *path_in(struct place *place, const char *name)
{
    static char paths[4][512];
    static int turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof(paths[0]), "%s/%s", place->directory, name);
    return path;
}

#define BOTH_TWINS(name)                                                                           \
    static void name(struct place *place);                                                         \
    TEST(name##_real)                                                                              \
    {                                                                                              \
        struct place place;                                                                        \
        CHECK(place_open(&place, false));                                                          \
        name(&place);                                                                              \
        place_close(&place, false);                                                                \
    }                                                                                              \
    TEST(name##_simulated)                                                                         \
    {                                                                                              \
        struct place place;                                                                        \
        CHECK(place_open(&place, true));                                                           \
        name(&place);                                                                              \
        place_close(&place, true);                                                                 \
    }                                                                                              \
    static void name(struct place *place)

#define CHECK_FAILS(call, code_wanted)                                                             \
    do {                                                                                           \
        error_clear(&err);                                                                         \
        enum status check_status = (call);                                                         \
        if (check_status != (code_wanted))                                                         \
            CHECK_FAIL("%s: %s (%s), want %s", #call, status_name(check_status), err.text,         \
                       #code_wanted);                                                              \
        error_clear(&err);                                                                         \
    } while (0)

BOTH_TWINS(bytes_come_back)
{
    struct io_file *file;
    struct io_stat stat;
    char back[32];
    size_t got;
    CHECK_OK(io_open(place->io, path_in(place, "a"), IO_READ | IO_WRITE | IO_CREATE, &file, &err));
    CHECK_OK(io_pwrite(place->io, file, "hello world", 11, 0, &err));
    CHECK_OK(io_pwrite(place->io, file, "W", 1, 6, &err));
    CHECK_OK(io_pread(place->io, file, back, sizeof(back), 0, &got, &err));
    CHECK_INT(got, 11);
    CHECK(memcmp(back, "hello World", 11) == 0);
    CHECK_OK(io_pread(place->io, file, back, sizeof(back), 11, &got, &err));
    CHECK_INT(got, 0);
    CHECK_OK(io_pread(place->io, file, back, sizeof(back), 1000, &got, &err));
    CHECK_INT(got, 0);
    CHECK_OK(io_pwrite(place->io, file, "x", 1, 20, &err)); /* a hole of zeros before it */
    CHECK_OK(io_pread(place->io, file, back, sizeof(back), 10, &got, &err));
    CHECK_INT(got, 11);
    CHECK(memcmp(back, "d\0\0\0\0\0\0\0\0\0x", 11) == 0);
    CHECK_OK(io_truncate(place->io, file, 3, &err));
    CHECK_OK(io_truncate(place->io, file, 5, &err));
    CHECK_OK(io_sync(place->io, file, &err));
    CHECK_OK(io_file_stat(place->io, file, &stat, &err));
    CHECK_INT(stat.size_bytes, 5);
    CHECK(!stat.is_directory);
    CHECK_OK(io_pread(place->io, file, back, sizeof(back), 0, &got, &err));
    CHECK(got == 5 && memcmp(back, "hel\0\0", 5) == 0);
    io_close(place->io, file);
    CHECK_OK(io_open(place->io, path_in(place, "a"), IO_WRITE | IO_TRUNCATE, &file, &err));
    io_close(place->io, file);
    CHECK_OK(io_stat(place->io, path_in(place, "a"), &stat, &err));
    CHECK_INT(stat.size_bytes, 0);
}

BOTH_TWINS(errors_have_codes_and_paths)
{
    struct io_file *file;
    struct io_stat stat;
    char byte;
    size_t got;
    struct io *io = place->io;
    CHECK_FAILS(io_open(io, path_in(place, "none"), IO_READ, &file, &err), ERR_NOT_FOUND);
    CHECK(file == NULL);
    CHECK_FAILS(io_open(io, path_in(place, "no/a"), IO_WRITE | IO_CREATE, &file, &err),
                ERR_NOT_FOUND);
    CHECK_OK(io_open(io, path_in(place, "f"), IO_WRITE | IO_CREATE | IO_EXCLUSIVE, &file, &err));
    CHECK_FAILS(io_pread(io, file, &byte, 1, 0, &got, &err), ERR_IO);
    io_close(io, file);
    CHECK_FAILS(io_open(io, path_in(place, "f"), IO_WRITE | IO_CREATE | IO_EXCLUSIVE, &file, &err),
                ERR_EXISTS);
    CHECK_OK(io_open(io, path_in(place, "f"), IO_READ, &file, &err));
    CHECK_FAILS(io_pwrite(io, file, "x", 1, 0, &err), ERR_IO);
    io_close(io, file);
    CHECK_FAILS(io_open(io, path_in(place, "f/g"), IO_READ, &file, &err), ERR_IO); /* ENOTDIR */
    CHECK_OK(io_mkdir(io, path_in(place, "d"), &err));
    CHECK_FAILS(io_mkdir(io, path_in(place, "d"), &err), ERR_EXISTS);
    CHECK_FAILS(io_open(io, path_in(place, "d"), IO_WRITE, &file, &err), ERR_IO); /* EISDIR */
    CHECK_FAILS(io_unlink(io, path_in(place, "d"), &err), ERR_IO);
    CHECK_FAILS(io_rmdir(io, path_in(place, "f"), &err), ERR_IO);
    CHECK_FAILS(io_unlink(io, path_in(place, "none"), &err), ERR_NOT_FOUND);
    CHECK_FAILS(io_rename(io, path_in(place, "none"), path_in(place, "x"), &err), ERR_NOT_FOUND);
    CHECK_FAILS(io_rename(io, path_in(place, "f"), path_in(place, "d"), &err), ERR_IO);
    CHECK_FAILS(io_rename(io, path_in(place, "d"), path_in(place, "f"), &err), ERR_IO);
    CHECK_FAILS(io_sync_directory(io, path_in(place, "none"), &err), ERR_NOT_FOUND);
    CHECK_FAILS(io_make_directories(io, path_in(place, "f"), &err), ERR_EXISTS);
    CHECK(io_stat(io, path_in(place, "none"), &stat, &err) == ERR_NOT_FOUND);
    CHECK(strstr(err.text, "none") != NULL);
    CHECK(strstr(err.text, "No such file") != NULL);
    error_clear(&err);
}

static enum status collect(void *context, const char *name, struct error *list_err)
{
    char *names = context;
    size_t length = strlen(names);
    snprintf(names + length, 256 - length, "%s ", name);
    return strcmp(name, "stop") == 0 ? error_set(list_err, ERR_CANCELLED, "stopped") : OK;
}

BOTH_TWINS(names_are_listed_in_order)
{
    char names[256] = "";
    const char *const files[] = {"b", "a", "c10", "c9", ".hidden"};
    for (int i = 0; i < 5; i++)
        CHECK_OK(io_publish(place->io, path_in(place, files[i]), "x", 1, &err));
    CHECK_OK(io_list(place->io, place->directory, collect, names, &err));
    CHECK_STR(names, ".hidden a b c10 c9 ");
    CHECK_OK(io_rename(place->io, path_in(place, "a"), path_in(place, "z"), &err));
    CHECK_OK(io_rename(place->io, path_in(place, "b"), path_in(place, "c9"), &err));
    CHECK_OK(io_rename(place->io, path_in(place, "z"), path_in(place, "z"), &err));
    names[0] = '\0';
    CHECK_OK(io_list(place->io, place->directory, collect, names, &err));
    CHECK_STR(names, ".hidden c10 c9 z ");
    CHECK_OK(io_mkdir(place->io, path_in(place, "stop"), &err));
    names[0] = '\0';
    CHECK_FAILS(io_list(place->io, place->directory, collect, names, &err), ERR_CANCELLED);
    CHECK_STR(names, ".hidden c10 c9 stop ");
}

BOTH_TWINS(whole_files)
{
    struct buf out;
    static char big[200000];
    memset(big, 'q', sizeof(big));
    buf_init(&out, sizeof(big));
    CHECK_OK(io_publish(place->io, path_in(place, "big"), big, sizeof(big), &err));
    CHECK_OK(io_read_file(place->io, path_in(place, "big"), &out, &err));
    CHECK_INT(out.length, sizeof(big));
    CHECK(memcmp(out.data, big, sizeof(big)) == 0);
    buf_fini(&out);
    buf_init(&out, sizeof(big) - 1);
    CHECK_FAILS(io_read_file(place->io, path_in(place, "big"), &out, &err), ERR_LIMIT);
    buf_fini(&out);
    buf_init(&out, 0);
    CHECK_OK(io_publish(place->io, path_in(place, "big"), "", 0, &err));
    CHECK_OK(io_read_file(place->io, path_in(place, "big"), &out, &err));
    CHECK_INT(out.length, 0);
    CHECK_FAILS(io_read_file(place->io, path_in(place, "none"), &out, &err), ERR_NOT_FOUND);
    CHECK_FAILS(io_read_file(place->io, place->directory, &out, &err), ERR_IO);
    buf_fini(&out);
}

BOTH_TWINS(trees_come_and_go)
{
    struct io_stat stat;
    CHECK_OK(io_make_directories(place->io, path_in(place, "x/y//z"), &err));
    CHECK_OK(io_make_directories(place->io, path_in(place, "x/y/z/"), &err));
    CHECK_OK(io_stat(place->io, path_in(place, "x/y/z"), &stat, &err));
    CHECK(stat.is_directory);
    for (int i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof(name), "x/y/f%d", i);
        CHECK_OK(io_publish(place->io, path_in(place, name), "x", 1, &err));
    }
    CHECK_FAILS(io_rmdir(place->io, path_in(place, "x/y"), &err), ERR_IO); /* not empty */
    CHECK_OK(io_remove_tree(place->io, path_in(place, "x"), &err));
    CHECK_FAILS(io_stat(place->io, path_in(place, "x"), &stat, &err), ERR_NOT_FOUND);
    CHECK_OK(io_remove_tree(place->io, path_in(place, "x"), &err));
}

BOTH_TWINS(a_lock_keeps_others_out)
{
    struct io_file *file, *other;
    CHECK_OK(io_lock(place->io, path_in(place, "lock"), &file, &err));
    CHECK(io_lock(place->io, path_in(place, "lock"), &other, &err) == ERR_LOCKED);
    CHECK(strstr(err.text, "process") != NULL);
    if (place->io == io_real()) {
        char pid[32];
        snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
        CHECK(strstr(err.text, pid) != NULL);
    }
    error_clear(&err);
    io_close(place->io, file);
    CHECK_OK(io_lock(place->io, path_in(place, "lock"), &file, &err));
    io_close(place->io, file);
}

BOTH_TWINS(an_unlinked_file_stays_readable)
{
    struct io_file *file;
    char back[4];
    size_t got;
    CHECK_OK(io_publish(place->io, path_in(place, "u"), "abc", 3, &err));
    CHECK_OK(io_open(place->io, path_in(place, "u"), IO_READ, &file, &err));
    CHECK_OK(io_unlink(place->io, path_in(place, "u"), &err));
    CHECK_OK(io_pread(place->io, file, back, 4, 0, &got, &err));
    CHECK_INT(got, 3);
    io_close(place->io, file);
}

BOTH_TWINS(clocks_and_chance)
{
    uint8_t a[16] = {0}, b[16] = {0};
    int64_t before = io_monotonic_us(place->io);
    CHECK(io_monotonic_us(place->io) >= before);
    CHECK(io_wall_us(place->io) > INT64_C(1600000000000000));
    io_random(place->io, a, sizeof(a));
    io_random(place->io, b, sizeof(b));
    CHECK(memcmp(a, b, sizeof(a)) != 0);
}

TEST(the_real_twin_follows_no_links_out_of_a_tree)
{
    struct place place;
    struct io_stat stat;
    CHECK(place_open(&place, false));
    CHECK_OK(io_make_directories(place.io, path_in(&place, "keep"), &err));
    CHECK_OK(io_publish(place.io, path_in(&place, "keep/f"), "x", 1, &err));
    CHECK_OK(io_make_directories(place.io, path_in(&place, "tree"), &err));
    CHECK_INT(symlink(path_in(&place, "keep"), path_in(&place, "tree/link")), 0);
    CHECK_OK(io_remove_tree(place.io, path_in(&place, "tree"), &err));
    CHECK_OK(io_stat(place.io, path_in(&place, "keep/f"), &stat, &err));
    place_close(&place, false);
}

TEST(a_full_device_says_so)
{
    struct io_file *file;
    CHECK_OK(io_open(io_real(), "/dev/full", IO_WRITE, &file, &err));
    CHECK_INT(io_pwrite(io_real(), file, "x", 1, 0, &err), ERR_DISK_FULL);
    CHECK(strstr(err.text, "/dev/full") != NULL);
    error_clear(&err);
    io_close(io_real(), file);
}

TEST(no_memory_is_a_status_of_the_real_twin)
{
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        struct place place;
        struct io_file *lock;
        struct buf out;
        char names[256] = "";
        CHECK(place_open(&place, false));
        buf_init(&out, 1000);
        mem_fail_after(n);
        enum status status = io_publish(place.io, path_in(&place, "f"), "text", 4, &err);
        if (status == OK)
            status = io_list(place.io, place.directory, collect, names, &err);
        if (status == OK)
            status = io_read_file(place.io, path_in(&place, "f"), &out, &err);
        if (status == OK)
            status = io_lock(place.io, path_in(&place, "lock"), &lock, &err);
        mem_fail_after(0);
        failed = status != OK;
        if (failed)
            CHECK_INT(status, ERR_MEMORY);
        else
            io_close(place.io, lock);
        error_clear(&err);
        buf_fini(&out);
        place_close(&place, false);
    }
}
