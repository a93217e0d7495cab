/* io_real.c - the real twin of io.h: POSIX files, the system's clocks, getrandom. No state. */
#include "os/io.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/must.h"
#include "base/str.h"

#define LIST_BYTES_MAX (256u << 20) /* names of one directory */

struct io_file {
    int fd;
    char path[];
};

static enum status real_open(struct io *io, const char *path, int flags, struct io_file **out,
                             struct error *err)
{
    *out = NULL;
    size_t path_bytes = strlen(path) + 1;
    struct io_file *file = mem_alloc(sizeof(*file) + path_bytes);
    if (!file)
        return error_memory(err, "an open file", sizeof(*file) + path_bytes);
    memcpy(file->path, path, path_bytes);
    int os_flags = O_CLOEXEC;
    os_flags |= (flags & IO_WRITE) ? (flags & IO_READ) ? O_RDWR : O_WRONLY : O_RDONLY;
    os_flags |= (flags & IO_CREATE) ? O_CREAT : 0;
    os_flags |= (flags & IO_EXCLUSIVE) ? O_EXCL : 0;
    os_flags |= (flags & IO_TRUNCATE) ? O_TRUNC : 0;
    do
        file->fd = open(path, os_flags, flags & IO_PRIVATE ? 0600 : 0644);
    while (file->fd < 0 && errno == EINTR);
    if (file->fd < 0) {
        enum status status = error_errno(err, errno, "open %s", path);
        mem_free(file);
        return status;
    }
    *out = file;
    return OK;
}

static void real_close(struct io *io, struct io_file *file)
{
    if (!file)
        return;
    close(file->fd);
    mem_free(file);
}

static enum status real_pread(struct io *io, struct io_file *file, void *dest, size_t size_bytes,
                              uint64_t offset, size_t *out_bytes, struct error *err)
{
    size_t done = 0;
    *out_bytes = 0;
    while (done < size_bytes) {
        ssize_t got =
            pread(file->fd, (char *)dest + done, size_bytes - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_errno(err, errno, "read %s", file->path);
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *out_bytes = done;
    return OK;
}

static enum status real_pwrite(struct io *io, struct io_file *file, const void *bytes,
                               size_t size_bytes, uint64_t offset, struct error *err)
{
    size_t done = 0;
    while (done < size_bytes) {
        ssize_t put =
            pwrite(file->fd, (const char *)bytes + done, size_bytes - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return error_errno(err, errno, "write %s", file->path);
        done += (size_t)put;
    }
    return OK;
}

static enum status real_sync(struct io *io, struct io_file *file, struct error *err)
{
    return fdatasync(file->fd) == 0 ? OK : error_errno(err, errno, "sync %s", file->path);
}

static enum status real_truncate(struct io *io, struct io_file *file, uint64_t size_bytes,
                                 struct error *err)
{
    if (ftruncate(file->fd, (off_t)size_bytes) == 0)
        return OK;
    return error_errno(err, errno, "truncate %s", file->path);
}

static void stat_from_os(const struct stat *os, struct io_stat *out)
{
    out->size_bytes = (uint64_t)os->st_size;
    out->modified_us = (int64_t)os->st_mtim.tv_sec * 1000000 + os->st_mtim.tv_nsec / 1000;
    out->is_directory = S_ISDIR(os->st_mode);
}

static enum status real_file_stat(struct io *io, struct io_file *file, struct io_stat *out,
                                  struct error *err)
{
    struct stat os;
    if (fstat(file->fd, &os) != 0)
        return error_errno(err, errno, "stat %s", file->path);
    stat_from_os(&os, out);
    return OK;
}

static int real_descriptor(struct io *io, struct io_file *file)
{
    return file->fd;
}

static enum status real_stat(struct io *io, const char *path, struct io_stat *out,
                             struct error *err)
{
    struct stat os;
    if (stat(path, &os) != 0)
        return error_errno(err, errno, "stat %s", path);
    stat_from_os(&os, out);
    return OK;
}

static enum status real_rename(struct io *io, const char *from, const char *to, struct error *err)
{
    return rename(from, to) == 0 ? OK : error_errno(err, errno, "rename %s to %s", from, to);
}

static enum status real_unlink(struct io *io, const char *path, struct error *err)
{
    return unlink(path) == 0 ? OK : error_errno(err, errno, "remove %s", path);
}

static enum status real_mkdir(struct io *io, const char *path, struct error *err)
{
    return mkdir(path, 0700) == 0 ? OK : error_errno(err, errno, "make directory %s", path);
}

static enum status real_rmdir(struct io *io, const char *path, struct error *err)
{
    return rmdir(path) == 0 ? OK : error_errno(err, errno, "remove directory %s", path);
}

static enum status real_sync_directory(struct io *io, const char *path, struct error *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return error_errno(err, errno, "open directory %s", path);
    enum status status = fsync(fd) == 0 ? OK : error_errno(err, errno, "sync directory %s", path);
    close(fd);
    return status;
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* NUL-terminated names one after another; their number. */
static enum status read_names(DIR *directory, const char *path, struct buf *names,
                              size_t *out_count, struct error *err)
{
    *out_count = 0;
    for (;;) {
        errno = 0;
        struct dirent *entry = readdir(directory);
        if (!entry)
            return errno == 0 ? buf_check(names, "a directory listing", err)
                              : error_errno(err, errno, "list %s", path);
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        buf_append(names, entry->d_name, strlen(entry->d_name) + 1);
        ++*out_count;
    }
}

static enum status real_list(struct io *io, const char *path, io_list_fn each, void *context,
                             struct error *err)
{
    struct buf names;
    size_t count = 0;
    const char **sorted = NULL;
    buf_init(&names, LIST_BYTES_MAX);
    enum status status;
    DIR *directory = opendir(path);
    if (!directory) {
        status = error_errno(err, errno, "list %s", path);
        goto out;
    }
    status = read_names(directory, path, &names, &count, err);
    if (status != OK || count == 0)
        goto out;
    sorted = mem_alloc(count * sizeof(*sorted));
    if (!sorted) {
        status = error_memory(err, "a directory listing", count * sizeof(*sorted));
        goto out;
    }
    const char *name = (const char *)names.data;
    for (size_t i = 0; i < count; i++, name += strlen(name) + 1)
        sorted[i] = name;
    qsort(sorted, count, sizeof(*sorted), compare_names);
    for (size_t i = 0; i < count && status == OK; i++)
        status = each(context, sorted[i], err);
out:
    mem_free(sorted);
    if (directory)
        closedir(directory);
    buf_fini(&names);
    return status;
}

/* The pid that the holder wrote into its lock file; 0: cannot tell. */
static int64_t lock_holder(int fd)
{
    char text[24];
    int64_t pid;
    ssize_t length = pread(fd, text, sizeof(text), 0);
    if (length <= 0 || !str_to_i64(str_trim((struct str){text, (size_t)length}), &pid, NULL))
        return 0;
    return pid;
}

static enum status real_lock(struct io *io, const char *path, struct io_file **out,
                             struct error *err)
{
    TRY(real_open(io, path, IO_READ | IO_WRITE | IO_CREATE, out, err));
    struct io_file *file = *out;
    enum status status;
    if (flock(file->fd, LOCK_EX | LOCK_NB) != 0) {
        int64_t pid = errno == EWOULDBLOCK ? lock_holder(file->fd) : 0;
        if (errno != EWOULDBLOCK)
            status = error_errno(err, errno, "lock %s", path);
        else if (pid > 0)
            status =
                error_set(err, ERR_LOCKED, "%s is locked by process %lld", path, (long long)pid);
        else
            status = error_set(err, ERR_LOCKED, "%s is locked by another process", path);
        goto fail;
    }
    char text[24];
    int length = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    status = real_truncate(io, file, 0, err);
    if (status == OK)
        status = real_pwrite(io, file, text, (size_t)length, 0, err);
    if (status == OK)
        return OK;
fail:
    real_close(io, file);
    *out = NULL;
    return status;
}

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;
    must(clock_gettime(clock, &now) == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t real_wall_us(struct io *io)
{
    return clock_us(CLOCK_REALTIME);
}

static int64_t real_monotonic_us(struct io *io)
{
    return clock_us(CLOCK_MONOTONIC);
}

static void real_random(struct io *io, void *dest, size_t size_bytes)
{
    size_t done = 0;
    while (done < size_bytes) {
        ssize_t got = getrandom((char *)dest + done, size_bytes - done, 0);
        must(got > 0 || (got < 0 && errno == EINTR));
        done += got > 0 ? (size_t)got : 0;
    }
}

static const struct io_ops real_ops = {
    .size = sizeof(struct io_ops),
    .open = real_open,
    .close = real_close,
    .pread = real_pread,
    .pwrite = real_pwrite,
    .sync = real_sync,
    .truncate = real_truncate,
    .file_stat = real_file_stat,
    .descriptor = real_descriptor,
    .stat = real_stat,
    .rename = real_rename,
    .unlink = real_unlink,
    .mkdir = real_mkdir,
    .rmdir = real_rmdir,
    .sync_directory = real_sync_directory,
    .list = real_list,
    .lock = real_lock,
    .wall_us = real_wall_us,
    .monotonic_us = real_monotonic_us,
    .random = real_random,
};

struct io *io_real(void)
{
    static struct io real = {&real_ops};
    return &real;
}
