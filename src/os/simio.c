/* simio.c - the simulated twin's table of calls: steps, faults, clock, open files. The disk itself
 * is simio_disk.c.
 */
#include "os/simio.h"

#include <errno.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/must.h"
#include "os/simio_int.h"

#define WALL_START_US      INT64_C(1700000000000000) /* 2023-11-14T22:13:20Z */
#define MONOTONIC_START_US INT64_C(1000000)
#define LIST_BYTES_MAX     (16u << 20)

struct simio {
    struct io io; /* first */
    struct sim_disk disk;
    struct rng rng;        /* what a crash and a fault do */
    struct rng random_rng; /* what io_random gives */
    uint64_t step, crash_step;
    uint64_t trace;
    bool crashed;
    uint64_t generation; /* of open files: each crash begins a new one */
    int64_t elapsed_us;
    struct {
        uint64_t countdown;
        int errno_value;
    } faults[SIMIO_FAULT_COUNT];
};

struct io_file {
    struct sim_node *node;
    uint64_t generation;
    int flags;
    bool holds_lock;
    char path[];
};

static struct simio *simio_of(struct io *io)
{
    return (struct simio *)io;
}

static enum status crashed(const char *what, const char *path, struct error *err)
{
    return error_set(err, ERR_CLOSED, "%s %s: the simulated machine has crashed", what, path);
}

static void trace(struct simio *sim, const void *bytes, size_t size_bytes)
{
    sim->trace = hash_bytes_seed(bytes, size_bytes, sim->trace);
}

/* Counts a step. True: this is the one that the crash hits; do the work, then report it. */
static bool step(struct simio *sim, const char *what, const char *path)
{
    trace(sim, what, strlen(what));
    trace(sim, path, strlen(path));
    sim->step++;
    if (sim->step == sim->crash_step)
        sim->crashed = true;
    return sim->crashed;
}

static bool fault(struct simio *sim, enum simio_fault kind, int *errno_value)
{
    if (sim->faults[kind].countdown == 0 || --sim->faults[kind].countdown > 0)
        return false;
    *errno_value = sim->faults[kind].errno_value;
    return true;
}

static bool usable(struct simio *sim, struct io_file *file)
{
    return !sim->crashed && file->generation == sim->generation;
}

/* A call's end: the errno of what failed, else the crash, else OK. */
static enum status result(struct simio *sim, int errno_value, const char *what, const char *path,
                          struct error *err)
{
    if (errno_value)
        return error_errno(err, errno_value, "%s %s", what, path);
    return sim->crashed ? crashed(what, path, err) : OK;
}

static enum status sim_open(struct io *io, const char *path, int flags, struct io_file **out,
                            struct error *err)
{
    struct simio *sim = simio_of(io);
    int errno_value = 0;
    *out = NULL;
    if (sim->crashed)
        return crashed("open", path, err);
    if (fault(sim, SIMIO_OPEN, &errno_value))
        return error_errno(err, errno_value, "open %s", path);
    size_t path_bytes = strlen(path) + 1;
    struct io_file *file = mem_calloc(1, sizeof(*file) + path_bytes);
    if (!file)
        return error_memory(err, "an open file", sizeof(*file) + path_bytes);
    memcpy(file->path, path, path_bytes);
    char name[SIM_NAME_MAX];
    struct sim_node *parent, *node = sim_find(&sim->disk, path, &parent, name, &errno_value);
    if (node) {
        errno_value = (flags & IO_EXCLUSIVE)                          ? EEXIST
                      : node->is_directory && (flags & ~(int)IO_READ) ? EISDIR
                                                                      : 0;
        if (errno_value == 0 && (flags & IO_TRUNCATE) && node->now_bytes) {
            step(sim, "cut", path);
            errno_value = sim_truncate(&sim->disk, node, 0);
        }
    } else if ((flags & IO_CREATE) && parent) {
        step(sim, "make", path);
        node = sim_create(&sim->disk, parent, name, false);
        errno_value = node ? 0 : ENOMEM;
    }
    if (errno_value || sim->crashed) {
        mem_free(file);
        return result(sim, errno_value, "open", path, err);
    }
    node->open_count++;
    file->node = node;
    file->flags = flags;
    file->generation = sim->generation;
    *out = file;
    return OK;
}

static void sim_close(struct io *io, struct io_file *file)
{
    struct simio *sim = simio_of(io);
    if (!file)
        return;
    if (file->generation == sim->generation) {
        file->node->open_count--;
        if (file->holds_lock)
            file->node->locked = false;
        sim_release(&sim->disk, file->node);
    }
    mem_free(file);
}

static enum status sim_pread(struct io *io, struct io_file *file, void *dest, size_t size_bytes,
                             uint64_t offset, size_t *out_bytes, struct error *err)
{
    struct simio *sim = simio_of(io);
    int errno_value = 0;
    *out_bytes = 0;
    if (!usable(sim, file))
        return crashed("read", file->path, err);
    if (!(file->flags & IO_READ))
        errno_value = EBADF;
    else if (file->node->is_directory)
        errno_value = EISDIR;
    if (errno_value || fault(sim, SIMIO_READ, &errno_value))
        return error_errno(err, errno_value, "read %s", file->path);
    if (offset >= file->node->now_bytes)
        return OK;
    uint64_t left = file->node->now_bytes - offset;
    *out_bytes = left < size_bytes ? (size_t)left : size_bytes;
    memcpy(dest, file->node->now + offset, *out_bytes);
    return OK;
}

static enum status sim_pwrite(struct io *io, struct io_file *file, const void *bytes,
                              size_t size_bytes, uint64_t offset, struct error *err)
{
    struct simio *sim = simio_of(io);
    int errno_value = 0, write_errno;
    if (!usable(sim, file))
        return crashed("write", file->path, err);
    if (!(file->flags & IO_WRITE))
        return error_errno(err, EBADF, "write %s", file->path);
    step(sim, "write", file->path);
    trace(sim, &offset, sizeof(offset));
    trace(sim, bytes, size_bytes);
    if (fault(sim, SIMIO_WRITE, &errno_value))
        size_bytes = (size_t)rng_below(&sim->rng, size_bytes + 1);
    write_errno = sim_write(&sim->disk, file->node, bytes, size_bytes, offset);
    file->node->modified_us = io_wall_us(io);
    return result(sim, errno_value ? errno_value : write_errno, "write", file->path, err);
}

static enum status sim_sync(struct io *io, struct io_file *file, struct error *err)
{
    struct simio *sim = simio_of(io);
    int errno_value = 0;
    if (!usable(sim, file))
        return crashed("sync", file->path, err);
    if (step(sim, "sync", file->path))
        return crashed("sync", file->path, err);
    if (fault(sim, SIMIO_SYNC, &errno_value))
        sim_fail_sync_file(file->node, &sim->rng);
    else
        sim_sync_file(file->node);
    return result(sim, errno_value, "sync", file->path, err);
}

static enum status sim_file_truncate(struct io *io, struct io_file *file, uint64_t size_bytes,
                                     struct error *err)
{
    struct simio *sim = simio_of(io);
    int errno_value = 0;
    if (!usable(sim, file))
        return crashed("truncate", file->path, err);
    if (!(file->flags & IO_WRITE))
        return error_errno(err, EBADF, "truncate %s", file->path);
    step(sim, "truncate", file->path);
    trace(sim, &size_bytes, sizeof(size_bytes));
    if (!fault(sim, SIMIO_WRITE, &errno_value))
        errno_value = sim_truncate(&sim->disk, file->node, size_bytes);
    file->node->modified_us = io_wall_us(io);
    return result(sim, errno_value, "truncate", file->path, err);
}

static void stat_node(const struct sim_node *node, struct io_stat *out)
{
    out->size_bytes = node->now_bytes;
    out->modified_us = node->modified_us;
    out->is_directory = node->is_directory;
}

static enum status sim_file_stat(struct io *io, struct io_file *file, struct io_stat *out,
                                 struct error *err)
{
    if (!usable(simio_of(io), file))
        return crashed("stat", file->path, err);
    stat_node(file->node, out);
    return OK;
}

static int sim_descriptor(struct io *io, struct io_file *file)
{
    return -1;
}

static enum status sim_stat(struct io *io, const char *path, struct io_stat *out, struct error *err)
{
    struct simio *sim = simio_of(io);
    char name[SIM_NAME_MAX];
    int errno_value = 0;
    if (sim->crashed)
        return crashed("stat", path, err);
    struct sim_node *parent, *node = sim_find(&sim->disk, path, &parent, name, &errno_value);
    if (!node)
        return error_errno(err, errno_value, "stat %s", path);
    stat_node(node, out);
    return OK;
}

/* What rename(2) says about putting `node` in the place of `target`; 0: fine. */
static int check_replaced(const struct sim_node *node, const struct sim_node *target)
{
    if (!target || target == node)
        return 0;
    if (target->is_directory)
        return !node->is_directory ? EISDIR : target->entries ? ENOTEMPTY : 0;
    return node->is_directory ? ENOTDIR : 0;
}

static enum status sim_rename(struct io *io, const char *from, const char *to, struct error *err)
{
    struct simio *sim = simio_of(io);
    char from_name[SIM_NAME_MAX], to_name[SIM_NAME_MAX];
    struct sim_node *from_parent, *to_parent;
    int errno_value = 0, to_errno = 0;
    if (sim->crashed)
        return crashed("rename", from, err);
    step(sim, from, to);
    struct sim_node *node = sim_find(&sim->disk, from, &from_parent, from_name, &errno_value);
    struct sim_node *target = sim_find(&sim->disk, to, &to_parent, to_name, &to_errno);
    if (!node)
        goto out;
    errno_value = !from_parent ? EBUSY : !to_parent ? (target ? EBUSY : to_errno) : 0;
    if (errno_value == 0)
        errno_value = check_replaced(node, target);
    if (errno_value || node == target || fault(sim, SIMIO_RENAME, &errno_value))
        goto out;
    if (!sim_move(&sim->disk, from_parent, from_name, to_parent, to_name))
        errno_value = ENOMEM;
out:
    if (errno_value)
        return error_errno(err, errno_value, "rename %s to %s", from, to);
    return result(sim, 0, "rename", from, err);
}

/* unlink and rmdir. */
static enum status remove_name(struct io *io, const char *path, bool directory, const char *what,
                               struct error *err)
{
    struct simio *sim = simio_of(io);
    char name[SIM_NAME_MAX];
    struct sim_node *parent;
    int errno_value = 0;
    if (sim->crashed)
        return crashed(what, path, err);
    step(sim, what, path);
    struct sim_node *node = sim_find(&sim->disk, path, &parent, name, &errno_value);
    if (node)
        errno_value = !parent                            ? EBUSY
                      : node->is_directory && !directory ? EISDIR
                      : !node->is_directory && directory ? ENOTDIR
                      : node->entries                    ? ENOTEMPTY
                                                         : 0;
    if (errno_value == 0 && !sim_remove(&sim->disk, parent, name))
        errno_value = ENOMEM;
    return result(sim, errno_value, what, path, err);
}

static enum status sim_unlink(struct io *io, const char *path, struct error *err)
{
    return remove_name(io, path, false, "remove", err);
}

static enum status sim_rmdir(struct io *io, const char *path, struct error *err)
{
    return remove_name(io, path, true, "remove directory", err);
}

static enum status sim_mkdir(struct io *io, const char *path, struct error *err)
{
    struct simio *sim = simio_of(io);
    char name[SIM_NAME_MAX];
    struct sim_node *parent;
    int errno_value = 0;
    if (sim->crashed)
        return crashed("make directory", path, err);
    step(sim, "make directory", path);
    struct sim_node *node = sim_find(&sim->disk, path, &parent, name, &errno_value);
    if (node)
        errno_value = EEXIST;
    else if (parent)
        errno_value = sim_create(&sim->disk, parent, name, true) ? 0 : ENOMEM;
    return result(sim, errno_value, "make directory", path, err);
}

static enum status sim_sync_dir(struct io *io, const char *path, struct error *err)
{
    struct simio *sim = simio_of(io);
    char name[SIM_NAME_MAX];
    struct sim_node *parent;
    int errno_value = 0;
    if (sim->crashed || step(sim, "sync directory", path))
        return crashed("sync directory", path, err);
    struct sim_node *node = sim_find(&sim->disk, path, &parent, name, &errno_value);
    if (node && !node->is_directory)
        errno_value = ENOTDIR;
    if (node && errno_value == 0 && !fault(sim, SIMIO_SYNC, &errno_value))
        sim_sync_directory(&sim->disk, node);
    return result(sim, errno_value, "sync directory", path, err);
}

static enum status sim_list(struct io *io, const char *path, io_list_fn each, void *context,
                            struct error *err)
{
    struct simio *sim = simio_of(io);
    char name[SIM_NAME_MAX];
    struct sim_node *parent;
    int errno_value = 0;
    if (sim->crashed)
        return crashed("list", path, err);
    struct sim_node *node = sim_find(&sim->disk, path, &parent, name, &errno_value);
    if (!node || !node->is_directory)
        return error_errno(err, node ? ENOTDIR : errno_value, "list %s", path);
    struct buf names; /* a copy: each may change the directory */
    buf_init(&names, LIST_BYTES_MAX);
    for (struct sim_entry *entry = node->entries; entry; entry = entry->next)
        buf_append(&names, entry->name, strlen(entry->name) + 1);
    enum status status = buf_check(&names, "a directory listing", err);
    for (size_t at = 0; status == OK && at < names.length; at += strlen(name) + 1) {
        memcpy(name, names.data + at, strlen((char *)names.data + at) + 1);
        status = each(context, name, err);
    }
    buf_fini(&names);
    return status;
}

static enum status sim_lock(struct io *io, const char *path, struct io_file **out,
                            struct error *err)
{
    TRY(sim_open(io, path, IO_READ | IO_WRITE | IO_CREATE, out, err));
    struct io_file *file = *out;
    if (file->node->locked) {
        sim_close(io, file);
        *out = NULL;
        return error_set(err, ERR_LOCKED, "%s is locked by another process", path);
    }
    file->node->locked = file->holds_lock = true;
    return OK;
}

static int64_t sim_wall_us(struct io *io)
{
    return WALL_START_US + simio_of(io)->elapsed_us;
}

static int64_t sim_monotonic_us(struct io *io)
{
    return MONOTONIC_START_US + simio_of(io)->elapsed_us;
}

static void sim_random(struct io *io, void *dest, size_t size_bytes)
{
    uint8_t *bytes = dest;
    for (size_t i = 0; i < size_bytes; i++)
        bytes[i] = (uint8_t)(rng_next(&simio_of(io)->random_rng) >> 56);
}

static const struct io_ops sim_ops = {
    .size = sizeof(struct io_ops),
    .open = sim_open,
    .close = sim_close,
    .pread = sim_pread,
    .pwrite = sim_pwrite,
    .sync = sim_sync,
    .truncate = sim_file_truncate,
    .file_stat = sim_file_stat,
    .descriptor = sim_descriptor,
    .stat = sim_stat,
    .rename = sim_rename,
    .unlink = sim_unlink,
    .mkdir = sim_mkdir,
    .rmdir = sim_rmdir,
    .sync_directory = sim_sync_dir,
    .list = sim_list,
    .lock = sim_lock,
    .wall_us = sim_wall_us,
    .monotonic_us = sim_monotonic_us,
    .random = sim_random,
};

struct io *simio_new(uint64_t seed)
{
    struct simio *sim = mem_calloc(1, sizeof(*sim));
    must(sim);
    sim->io.ops = &sim_ops;
    must(sim_disk_init(&sim->disk, NULL) == OK);
    rng_init(&sim->rng, seed);
    rng_init(&sim->random_rng, ~seed);
    return &sim->io;
}

void simio_free(struct io *io)
{
    if (!io)
        return;
    sim_disk_fini(&simio_of(io)->disk);
    mem_free(io);
}

uint64_t simio_steps(struct io *io)
{
    return simio_of(io)->step;
}

void simio_crash_at(struct io *io, uint64_t at_step)
{
    simio_of(io)->crash_step = at_step;
}

bool simio_crashed(struct io *io)
{
    return simio_of(io)->crashed;
}

void simio_crash(struct io *io)
{
    struct simio *sim = simio_of(io);
    sim_crash(&sim->disk, &sim->rng);
    sim->generation++;
    sim->crashed = false;
    sim->crash_step = 0;
}

void simio_kill(struct io *io)
{
    struct simio *sim = simio_of(io);
    for (struct sim_node *node = sim->disk.all; node; node = node->all_next) {
        node->locked = false;
        node->open_count = 0;
        sim_release(&sim->disk, node);
    }
    sim->generation++;
    sim->crashed = false;
    sim->crash_step = 0;
}

void simio_advance_us(struct io *io, int64_t us)
{
    must(us >= 0);
    simio_of(io)->elapsed_us += us;
}

void simio_fail(struct io *io, enum simio_fault kind, uint64_t countdown, int errno_value)
{
    simio_of(io)->faults[kind].countdown = countdown;
    simio_of(io)->faults[kind].errno_value = errno_value;
}

uint64_t simio_fail_left(struct io *io, enum simio_fault kind)
{
    return simio_of(io)->faults[kind].countdown;
}

void simio_set_capacity(struct io *io, uint64_t bytes)
{
    simio_of(io)->disk.capacity_bytes = bytes;
}

uint64_t simio_used(struct io *io)
{
    return simio_of(io)->disk.used_bytes;
}

uint64_t simio_trace(struct io *io)
{
    return simio_of(io)->trace;
}
