/* io.c - helpers over the table of io.h: whole files, publishing, directory trees. */
#include "os/io.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"

#define READ_CHUNK_BYTES ((size_t)1 << 16)
#define TREE_DEPTH_MAX   64

/* The directory that holds path's last component; "." for a bare name. */
static enum status parent_of(char *dest, const char *path, struct error *err)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) : 0;
    if (length >= PATH_MAX)
        return error_set(err, ERR_LIMIT, "path too long: %.80s...", path);
    if (!slash)
        memcpy(dest, ".", 2);
    else if (length == 0)
        memcpy(dest, "/", 2);
    else {
        memcpy(dest, path, length);
        dest[length] = '\0';
    }
    return OK;
}

enum status io_sync_parent(struct io *io, const char *path, struct error *err)
{
    char parent[PATH_MAX];
    TRY(parent_of(parent, path, err));
    return io_sync_directory(io, parent, err);
}

enum status io_read_file(struct io *io, const char *path, struct buf *out, struct error *err)
{
    struct io_file *file;
    struct io_stat stat;
    TRY(io_open(io, path, IO_READ, &file, err));
    enum status status = io_file_stat(io, file, &stat, err);
    if (status != OK)
        goto out;
    /* a file in /proc has size 0 and content; one may grow while it is read */
    size_t chunk = stat.size_bytes < out->max_bytes ? (size_t)stat.size_bytes + 1 : 1;
    for (uint64_t offset = 0;;) {
        size_t left = out->max_bytes - out->length;
        size_t want = chunk < left ? chunk : left;
        uint8_t probe, *dest = want ? buf_room(out, want) : &probe;
        size_t got;
        status = dest ? io_pread(io, file, dest, want ? want : 1, offset, &got, err)
                      : buf_check(out, path, err);
        if (status != OK || got == 0)
            goto out;
        if (!want) {
            status = error_set(err, ERR_LIMIT, "%s is larger than the limit of %zu bytes", path,
                               out->max_bytes);
            goto out;
        }
        out->length += got;
        offset += got;
        chunk = READ_CHUNK_BYTES;
    }
out:
    io_close(io, file);
    return status;
}

/* Bytes into a file of their own, durable but for its directory entry. */
static enum status write_new_file(struct io *io, const char *path, const void *bytes,
                                  size_t size_bytes, struct error *err)
{
    struct io_file *file;
    TRY(io_open(io, path, IO_WRITE | IO_CREATE | IO_TRUNCATE, &file, err));
    enum status status = io_pwrite(io, file, bytes, size_bytes, 0, err);
    if (status == OK)
        status = io_sync(io, file, err);
    io_close(io, file);
    return status;
}

enum status io_publish(struct io *io, const char *path, const void *bytes, size_t size_bytes,
                       struct error *err)
{
    char temp[PATH_MAX];
    if ((size_t)snprintf(temp, sizeof(temp), "%s.tmp", path) >= sizeof(temp))
        return error_set(err, ERR_LIMIT, "path too long: %.80s...", path);
    enum status status = write_new_file(io, temp, bytes, size_bytes, err);
    if (status == OK)
        status = io_rename(io, temp, path, err);
    if (status == OK)
        return io_sync_parent(io, path, err);
    /* a temp that stays is overwritten by the next publish of this path */
    (void)!io_unlink(io, temp, NULL);
    return status;
}

static enum status make_directory(struct io *io, const char *path, struct error *err)
{
    struct io_stat stat;
    if (io_stat(io, path, &stat, NULL) == OK) {
        if (stat.is_directory)
            return OK;
        return error_set(err, ERR_EXISTS, "%s exists and is no directory", path);
    }
    struct error own = {0};
    enum status status = io_mkdir(io, path, &own);
    if (status == ERR_EXISTS) /* somebody else was faster */
        return OK;
    if (status != OK)
        return error_set(err, status, "%s", own.text);
    return io_sync_parent(io, path, err);
}

enum status io_make_directories(struct io *io, const char *path, struct error *err)
{
    char prefix[PATH_MAX];
    size_t length = strlen(path);
    if (length >= sizeof(prefix))
        return error_set(err, ERR_LIMIT, "path too long: %.80s...", path);
    for (size_t end = 1; end <= length; end++) {
        if (path[end] != '/' && path[end] != '\0')
            continue;
        if (path[end - 1] == '/')
            continue;
        memcpy(prefix, path, end);
        prefix[end] = '\0';
        TRY(make_directory(io, prefix, err));
    }
    return OK;
}

struct removal {
    struct io *io;
    unsigned depth;
    char path[PATH_MAX];
};

static enum status remove_path(struct removal *removal, struct error *err);

static enum status remove_entry(void *context, const char *name, struct error *err)
{
    struct removal *removal = context;
    size_t length = strlen(removal->path), name_bytes = strlen(name) + 1;
    if (length + 1 + name_bytes > sizeof(removal->path))
        return error_set(err, ERR_LIMIT, "path too long: %.80s...", removal->path);
    removal->path[length] = '/';
    memcpy(removal->path + length + 1, name, name_bytes);
    enum status status = remove_path(removal, err);
    removal->path[length] = '\0';
    return status;
}

/* unlink() first: it refuses directories and never follows a link into one. */
static enum status remove_path(struct removal *removal, struct error *err)
{
    struct error own = {0};
    struct io_stat stat;
    enum status status = io_unlink(removal->io, removal->path, &own);
    if (status == OK || status == ERR_NOT_FOUND)
        return OK;
    if (io_stat(removal->io, removal->path, &stat, NULL) != OK || !stat.is_directory)
        return error_set(err, status, "%s", own.text);
    if (removal->depth == TREE_DEPTH_MAX)
        return error_set(err, ERR_LIMIT, "%s is nested deeper than %d", removal->path,
                         TREE_DEPTH_MAX);
    removal->depth++;
    status = io_list(removal->io, removal->path, remove_entry, removal, err);
    removal->depth--;
    return status == OK ? io_rmdir(removal->io, removal->path, err) : status;
}

enum status io_remove_tree(struct io *io, const char *path, struct error *err)
{
    struct removal removal = {.io = io};
    size_t path_bytes = strlen(path) + 1;
    if (path_bytes > sizeof(removal.path))
        return error_set(err, ERR_LIMIT, "path too long: %.80s...", path);
    memcpy(removal.path, path, path_bytes);
    return remove_path(&removal, err);
}
