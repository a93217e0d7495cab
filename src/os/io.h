/* io.h - files, clock and randomness as one replaceable world: the real twin and the simulated
 * twin.
 *
 * `struct io` is a const-like table of functions plus its state; everything that touches a file or
 * reads a clock gets one (io_real() in production). The simulated twin (simio.h) keeps an in-memory
 * disk that forgets, tears or reorders whatever was not fsynced (directory entries too) when the
 * test "crashes" it at a chosen step, injects errors (EIO, ENOSPC, short writes) at the Nth call,
 * and has a clock that only the test moves.
 *
 * Calls block (local disk); the event loop hands fsync to the I/O pool. All functions may be used
 * from any thread; one file's writes come from one thread at a time.
 * Errors: error_errno() texts naming the path and the operation.
 * Callers use the inline functions below the table (io_open, io_pread, ...), which say that
 * a status must be looked at.
 */
#ifndef LEAT_OS_IO_H
#define LEAT_OS_IO_H

#include "base/buffer.h"
#include "base/error.h"

struct io;
struct io_file; /* an open file */

enum io_open_flags {
    IO_READ = 1,
    IO_WRITE = 2,
    IO_CREATE = 4,
    IO_EXCLUSIVE = 8, /* with IO_CREATE: ERR_EXISTS when there */
    IO_TRUNCATE = 16,
    IO_PRIVATE = 32, /* with IO_CREATE: only its owner may read it */
};

struct io_stat {
    uint64_t size_bytes;
    int64_t modified_us;
    bool is_directory;
};

typedef enum status (*io_list_fn)(void *context, const char *name, struct error *err);

struct io_ops {
    size_t size; /* sizeof(struct io_ops) */
    enum status (*open)(struct io *io, const char *path, int flags, struct io_file **out,
                        struct error *err);
    void (*close)(struct io *io, struct io_file *file);
    /* All of size_bytes or an error, but for pread at the file's end: *out_bytes is what there was.
     */
    enum status (*pread)(struct io *io, struct io_file *file, void *dest, size_t size_bytes,
                         uint64_t offset, size_t *out_bytes, struct error *err);
    enum status (*pwrite)(struct io *io, struct io_file *file, const void *bytes, size_t size_bytes,
                          uint64_t offset, struct error *err);
    enum status (*sync)(struct io *io, struct io_file *file, struct error *err); /* fdatasync */
    enum status (*truncate)(struct io *io, struct io_file *file, uint64_t size_bytes,
                            struct error *err);
    enum status (*file_stat)(struct io *io, struct io_file *file, struct io_stat *out,
                             struct error *err);
    int (*descriptor)(struct io *io, struct io_file *file); /* for sendfile(); -1: has none */
    enum status (*stat)(struct io *io, const char *path, struct io_stat *out, struct error *err);
    enum status (*rename)(struct io *io, const char *from, const char *to, struct error *err);
    enum status (*unlink)(struct io *io, const char *path, struct error *err);
    enum status (*mkdir)(struct io *io, const char *path, struct error *err); /* mode 0700 */
    enum status (*rmdir)(struct io *io, const char *path, struct error *err);
    enum status (*sync_directory)(struct io *io, const char *path, struct error *err);
    enum status (*list)(
        struct io *io, const char *path, io_list_fn each, void *context,
        struct error *err); /* sorted by name, without "." and ".."; each may change it */
    /* Exclusive lock for the process's life or until close; ERR_LOCKED when another holds it (its
     * pid in the text where known). */
    enum status (*lock)(struct io *io, const char *path, struct io_file **out, struct error *err);
    int64_t (*wall_us)(struct io *io);                            /* since 1970, UTC */
    int64_t (*monotonic_us)(struct io *io);                       /* never goes back */
    void (*random)(struct io *io, void *dest, size_t size_bytes); /* unpredictable, but simulated */
};

struct io {
    const struct io_ops *ops;
};

struct io *io_real(void);

static inline enum status STATUS_CHECKED io_open(struct io *io, const char *path, int flags,
                                                 struct io_file **out, struct error *err)
{
    return io->ops->open(io, path, flags, out, err);
}
static inline void io_close(struct io *io, struct io_file *file) /* NULL is fine */
{
    io->ops->close(io, file);
}
static inline enum status STATUS_CHECKED io_pread(struct io *io, struct io_file *file, void *dest,
                                                  size_t size_bytes, uint64_t offset,
                                                  size_t *out_bytes, struct error *err)
{
    return io->ops->pread(io, file, dest, size_bytes, offset, out_bytes, err);
}
static inline enum status STATUS_CHECKED io_pwrite(struct io *io, struct io_file *file,
                                                   const void *bytes, size_t size_bytes,
                                                   uint64_t offset, struct error *err)
{
    return io->ops->pwrite(io, file, bytes, size_bytes, offset, err);
}
static inline enum status STATUS_CHECKED io_sync(struct io *io, struct io_file *file,
                                                 struct error *err)
{
    return io->ops->sync(io, file, err);
}
static inline enum status STATUS_CHECKED io_truncate(struct io *io, struct io_file *file,
                                                     uint64_t size_bytes, struct error *err)
{
    return io->ops->truncate(io, file, size_bytes, err);
}
static inline enum status STATUS_CHECKED io_file_stat(struct io *io, struct io_file *file,
                                                      struct io_stat *out, struct error *err)
{
    return io->ops->file_stat(io, file, out, err);
}
static inline int io_descriptor(struct io *io, struct io_file *file)
{
    return io->ops->descriptor(io, file);
}
static inline enum status STATUS_CHECKED io_stat(struct io *io, const char *path,
                                                 struct io_stat *out, struct error *err)
{
    return io->ops->stat(io, path, out, err);
}
static inline enum status STATUS_CHECKED io_rename(struct io *io, const char *from, const char *to,
                                                   struct error *err)
{
    return io->ops->rename(io, from, to, err);
}
static inline enum status STATUS_CHECKED io_unlink(struct io *io, const char *path,
                                                   struct error *err)
{
    return io->ops->unlink(io, path, err);
}
static inline enum status STATUS_CHECKED io_mkdir(struct io *io, const char *path,
                                                  struct error *err)
{
    return io->ops->mkdir(io, path, err);
}
static inline enum status STATUS_CHECKED io_rmdir(struct io *io, const char *path,
                                                  struct error *err)
{
    return io->ops->rmdir(io, path, err);
}
static inline enum status STATUS_CHECKED io_sync_directory(struct io *io, const char *path,
                                                           struct error *err)
{
    return io->ops->sync_directory(io, path, err);
}
static inline enum status STATUS_CHECKED io_list(struct io *io, const char *path, io_list_fn each,
                                                 void *context, struct error *err)
{
    return io->ops->list(io, path, each, context, err);
}
static inline enum status STATUS_CHECKED io_lock(struct io *io, const char *path,
                                                 struct io_file **out, struct error *err)
{
    return io->ops->lock(io, path, out, err);
}
static inline int64_t io_wall_us(struct io *io)
{
    return io->ops->wall_us(io);
}
static inline int64_t io_monotonic_us(struct io *io)
{
    return io->ops->monotonic_us(io);
}
static inline void io_random(struct io *io, void *dest, size_t size_bytes)
{
    io->ops->random(io, dest, size_bytes);
}

/* Append the whole file to out; ERR_LIMIT past its max_bytes. */
enum status io_read_file(struct io *io, const char *path, struct buf *out,
                         struct error *err) STATUS_CHECKED;
/* Put size_bytes at path, atomic and durable: write PATH.tmp, sync, rename, sync the directory.
 * When it fails, either content may be there. One publisher of a path at a time. */
enum status io_publish(struct io *io, const char *path, const void *bytes, size_t size_bytes,
                       struct error *err) STATUS_CHECKED;
/* path and all above it; each new entry is durable. OK when there already. */
enum status io_make_directories(struct io *io, const char *path, struct error *err) STATUS_CHECKED;
/* The file or directory with all below it, links not followed; OK when there is none. */
enum status io_remove_tree(struct io *io, const char *path, struct error *err) STATUS_CHECKED;

/* Make renames, creations and removals beside path durable: sync the directory that holds it. */
enum status io_sync_parent(struct io *io, const char *path, struct error *err) STATUS_CHECKED;

#endif
