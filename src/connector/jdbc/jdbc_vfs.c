/* jdbc_vfs.c - SQLite on a struct io that is not the real one: a VFS whose files, clock and
 * randomness are the simulated twin's, so that a test can crash its disk between any two calls.
 *
 * The real io does without: SQLite's own VFS locks against other processes and maps the wal-index
 * that they share. Here all connections are in one process: locks are counters, the wal-index is
 * memory that goes with the last connection (so WAL works as with the real disk). What is synced,
 * and when, is SQLite's own decision and is the same: xSync is one io_sync, and, as in SQLite's
 * os_unix.c, the first of a new journal or write-ahead log syncs its directory too.
 *
 * A VFS is registered for each io at its first use, by its address, and stays. One thread.
 */
#include "connector/jdbc/jdbc_int.h"

#include <stdio.h>

#include "base/must.h"

#define PATH_MAX_BYTES 512
#define REGIONS_MAX    64
#define NAME_BYTES     40

struct shared { /* what the connections of one database have in common */
    struct shared *next;
    uint32_t refs;
    uint32_t reader_count;   /* SHARED and above */
    struct vfs_file *writer; /* RESERVED and above */
    bool is_pending;         /* the writer waits for the readers to leave: no new ones */
    uint32_t mapped_count;
    void *regions[REGIONS_MAX];
    int shm_locks[SQLITE_SHM_NLOCK]; /* readers; -1: exclusive */
    char path[];
};

struct vfs {
    sqlite3_vfs base; /* first */
    struct io *io;
    struct shared *databases;
    char name[NAME_BYTES];
};

struct vfs_file {
    sqlite3_file base; /* first */
    struct vfs *vfs;
    struct io_file *file;
    struct shared *shared; /* of a database; NULL: a journal */
    int lock;
    bool is_mapped;
    bool syncs_directory; /* at the next sync */
    bool is_temporary;
    uint16_t shm_shared, shm_exclusive; /* locks of this connection, a bit each */
    char path[PATH_MAX_BYTES];
};

static struct vfs_file *file_of(sqlite3_file *file)
{
    return (struct vfs_file *)file;
}

static int code_of(enum status status, int otherwise)
{
    if (status == OK)
        return SQLITE_OK;
    return status == ERR_DISK_FULL ? SQLITE_FULL : status == ERR_MEMORY ? SQLITE_NOMEM : otherwise;
}

/* ---- bytes */

static int file_read(sqlite3_file *base, void *dest, int size_bytes, sqlite3_int64 offset)
{
    struct vfs_file *file = file_of(base);
    size_t got;
    if (io_pread(file->vfs->io, file->file, dest, (size_t)size_bytes, (uint64_t)offset, &got,
                 NULL) != OK)
        return SQLITE_IOERR_READ;
    if (got == (size_t)size_bytes)
        return SQLITE_OK;
    memset((char *)dest + got, 0, (size_t)size_bytes - got);
    return SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *base, const void *bytes, int size_bytes, sqlite3_int64 offset)
{
    struct vfs_file *file = file_of(base);
    return code_of(
        io_pwrite(file->vfs->io, file->file, bytes, (size_t)size_bytes, (uint64_t)offset, NULL),
        SQLITE_IOERR_WRITE);
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size_bytes)
{
    struct vfs_file *file = file_of(base);
    return code_of(io_truncate(file->vfs->io, file->file, (uint64_t)size_bytes, NULL),
                   SQLITE_IOERR_TRUNCATE);
}

static int file_sync(sqlite3_file *base, int flags)
{
    struct vfs_file *file = file_of(base);
    if (io_sync(file->vfs->io, file->file, NULL) != OK) {
        sqlite3_log(SQLITE_IOERR_FSYNC, "sync of %s", file->path); /* as os_unix.c does */
        return SQLITE_IOERR_FSYNC;
    }
    if (!file->syncs_directory)
        return SQLITE_OK;
    if (io_sync_parent(file->vfs->io, file->path, NULL) != OK)
        return SQLITE_IOERR_DIR_FSYNC;
    file->syncs_directory = false;
    return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *out)
{
    struct vfs_file *file = file_of(base);
    struct io_stat stat;
    if (io_file_stat(file->vfs->io, file->file, &stat, NULL) != OK)
        return SQLITE_IOERR_FSTAT;
    *out = (sqlite3_int64)stat.size_bytes;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int operation, void *argument)
{
    return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *base)
{
    return 4096; /* as os_unix.c says */
}

static int file_device(sqlite3_file *base)
{
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE; /* as os_unix.c says; simio.h keeps it */
}

/* ---- locks of a database (lockingv3.html) */

static int file_lock(sqlite3_file *base, int level)
{
    struct vfs_file *file = file_of(base);
    struct shared *shared = file->shared;
    if (file->lock >= level)
        return SQLITE_OK;
    if (level == SQLITE_LOCK_SHARED) {
        if (shared->is_pending)
            return SQLITE_BUSY;
        shared->reader_count++;
        file->lock = level;
        return SQLITE_OK;
    }
    if (shared->writer && shared->writer != file)
        return SQLITE_BUSY;
    shared->writer = file;
    file->lock = SQLITE_LOCK_RESERVED;
    if (level == SQLITE_LOCK_RESERVED)
        return SQLITE_OK;
    shared->is_pending = true;
    file->lock = SQLITE_LOCK_PENDING;
    if (shared->reader_count > 1)
        return SQLITE_BUSY;
    file->lock = SQLITE_LOCK_EXCLUSIVE;
    return SQLITE_OK;
}

static int file_unlock(sqlite3_file *base, int level)
{
    struct vfs_file *file = file_of(base);
    struct shared *shared = file->shared;
    if (file->lock <= level)
        return SQLITE_OK;
    if (shared->writer == file) {
        shared->writer = NULL;
        shared->is_pending = false;
    }
    if (level == SQLITE_LOCK_NONE)
        shared->reader_count--;
    file->lock = level;
    return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *base, int *out)
{
    *out = file_of(base)->shared->writer != NULL;
    return SQLITE_OK;
}

/* ---- the wal-index */

static int shm_map(sqlite3_file *base, int region, int size_bytes, int extend, void volatile **out)
{
    struct vfs_file *file = file_of(base);
    struct shared *shared = file->shared;
    *out = NULL;
    if (region >= REGIONS_MAX)
        return SQLITE_IOERR_SHMMAP;
    shared->mapped_count += !file->is_mapped;
    file->is_mapped = true;
    if (!shared->regions[region] && extend)
        shared->regions[region] = mem_calloc(1, (size_t)size_bytes);
    if (!shared->regions[region] && extend)
        return SQLITE_NOMEM;
    *out = shared->regions[region];
    return SQLITE_OK;
}

static void shm_unlock(struct vfs_file *file, uint16_t mask)
{
    for (int i = 0; i < SQLITE_SHM_NLOCK; i++) {
        if (file->shm_exclusive & mask & (1 << i))
            file->shared->shm_locks[i] = 0;
        else if (file->shm_shared & mask & (1 << i))
            file->shared->shm_locks[i]--;
    }
    file->shm_shared &= (uint16_t)~mask;
    file->shm_exclusive &= (uint16_t)~mask;
}

static int shm_lock(sqlite3_file *base, int first, int count, int flags)
{
    struct vfs_file *file = file_of(base);
    int *locks = file->shared->shm_locks;
    uint16_t mask = (uint16_t)((1u << (first + count)) - (1u << first));
    if (flags & SQLITE_SHM_UNLOCK) {
        shm_unlock(file, mask);
    } else if (flags & SQLITE_SHM_SHARED) {
        if (locks[first] < 0)
            return SQLITE_BUSY;
        locks[first] += (file->shm_shared & mask) == 0;
        file->shm_shared |= mask;
    } else {
        for (int i = first; i < first + count; i++)
            if (locks[i] != 0)
                return SQLITE_BUSY;
        for (int i = first; i < first + count; i++)
            locks[i] = -1;
        file->shm_exclusive |= mask;
    }
    return SQLITE_OK;
}

static void shm_barrier(sqlite3_file *base)
{
}

static int shm_unmap(sqlite3_file *base, int delete)
{
    struct vfs_file *file = file_of(base);
    struct shared *shared = file->shared;
    if (!file->is_mapped)
        return SQLITE_OK;
    shm_unlock(file, UINT16_MAX);
    file->is_mapped = false;
    if (--shared->mapped_count > 0)
        return SQLITE_OK;
    for (uint32_t i = 0; i < REGIONS_MAX; i++) {
        mem_free(shared->regions[i]);
        shared->regions[i] = NULL;
    }
    return SQLITE_OK;
}

/* ---- open and close */

static struct shared *shared_ref(struct vfs *vfs, const char *path)
{
    size_t length = strlen(path);
    struct shared *shared = vfs->databases;
    while (shared && strcmp(shared->path, path) != 0)
        shared = shared->next;
    if (!shared) {
        shared = mem_calloc(1, sizeof(*shared) + length + 1);
        if (!shared)
            return NULL;
        memcpy(shared->path, path, length);
        shared->next = vfs->databases;
        vfs->databases = shared;
    }
    shared->refs++;
    return shared;
}

static void shared_unref(struct vfs *vfs, struct shared *shared)
{
    if (!shared || --shared->refs > 0)
        return;
    struct shared **at = &vfs->databases;
    while (*at != shared)
        at = &(*at)->next;
    *at = shared->next;
    mem_free(shared);
}

static int file_close(sqlite3_file *base)
{
    struct vfs_file *file = file_of(base);
    if (file->shared) {
        shm_unmap(base, 0);
        file_unlock(base, SQLITE_LOCK_NONE);
    }
    io_close(file->vfs->io, file->file);
    enum status status = file->is_temporary ? io_unlink(file->vfs->io, file->path, NULL) : OK;
    shared_unref(file->vfs, file->shared);
    return code_of(status, SQLITE_IOERR_CLOSE);
}

static const sqlite3_io_methods METHODS = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_device,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

static int vfs_open(sqlite3_vfs *base, const char *path, sqlite3_file *out, int flags,
                    int *out_flags)
{
    struct vfs *vfs = (struct vfs *)base;
    struct vfs_file *file = file_of(out);
    uint64_t number;
    *file = (struct vfs_file){.vfs = vfs};
    if (!path) {
        io_random(vfs->io, &number, sizeof(number));
        snprintf(file->path, sizeof(file->path), "sqlite-%016llx", (unsigned long long)number);
    } else if ((size_t)snprintf(file->path, sizeof(file->path), "%s", path) >= sizeof(file->path)) {
        return SQLITE_CANTOPEN;
    }
    int io_flags = IO_READ | (flags & SQLITE_OPEN_READWRITE ? IO_WRITE : 0) |
                   (flags & SQLITE_OPEN_CREATE ? IO_CREATE : 0) |
                   (flags & SQLITE_OPEN_EXCLUSIVE ? IO_EXCLUSIVE : 0);
    file->is_temporary = flags & SQLITE_OPEN_DELETEONCLOSE;
    file->syncs_directory =
        (flags & SQLITE_OPEN_CREATE) &&
        (flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL));
    if (flags & SQLITE_OPEN_MAIN_DB) {
        file->shared = shared_ref(vfs, file->path);
        if (!file->shared)
            return SQLITE_NOMEM;
    }
    enum status status = io_open(vfs->io, file->path, io_flags, &file->file, NULL);
    if (status != OK) {
        shared_unref(vfs, file->shared);
        return code_of(status, SQLITE_CANTOPEN);
    }
    if (out_flags)
        *out_flags = flags;
    out->pMethods = &METHODS;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *base, const char *path, int sync_directory)
{
    struct io *io = ((struct vfs *)base)->io;
    enum status status = io_unlink(io, path, NULL);
    if (status == ERR_NOT_FOUND)
        return SQLITE_IOERR_DELETE_NOENT;
    if (status != OK)
        return SQLITE_IOERR_DELETE;
    if (sync_directory && io_sync_parent(io, path, NULL) != OK)
        return SQLITE_IOERR_DIR_FSYNC;
    return SQLITE_OK;
}

/* A file without bytes is as good as none, as os_unix.c has it. */
static int vfs_access(sqlite3_vfs *base, const char *path, int flags, int *out)
{
    struct io_stat stat;
    enum status status = io_stat(((struct vfs *)base)->io, path, &stat, NULL);
    *out = status == OK && (flags != SQLITE_ACCESS_EXISTS || stat.size_bytes > 0);
    return status == OK || status == ERR_NOT_FOUND ? SQLITE_OK : SQLITE_IOERR_ACCESS;
}

static int vfs_full_path(sqlite3_vfs *base, const char *path, int size_bytes, char *out)
{
    int length = snprintf(out, (size_t)size_bytes, "%s", path);
    return length < size_bytes ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int vfs_randomness(sqlite3_vfs *base, int size_bytes, char *out)
{
    io_random(((struct vfs *)base)->io, out, (size_t)size_bytes);
    return size_bytes;
}

static int vfs_sleep(sqlite3_vfs *base, int us)
{
    return us; /* nobody else would do anything meanwhile */
}

static int vfs_time(sqlite3_vfs *base, sqlite3_int64 *out_ms)
{
    const int64_t unix_epoch_ms = INT64_C(210866760000000); /* of Julian days */
    *out_ms = unix_epoch_ms + io_wall_us(((struct vfs *)base)->io) / 1000;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *base, int size_bytes, char *out)
{
    return 0;
}

enum status jdbc_vfs_name(struct io *io, const char **out, struct error *err)
{
    char name[NAME_BYTES];
    *out = NULL;
    if (io == io_real())
        return OK;
    snprintf(name, sizeof(name), "leat-%p", (void *)io);
    sqlite3_vfs *known = sqlite3_vfs_find(name);
    *out = known ? known->zName : NULL;
    if (known)
        return OK;
    struct vfs *vfs = mem_calloc(1, sizeof(*vfs));
    if (!vfs)
        return error_memory(err, "SQLite's files", sizeof(*vfs));
    vfs->io = io;
    memcpy(vfs->name, name, sizeof(name));
    vfs->base = (sqlite3_vfs){
        .iVersion = 2,
        .szOsFile = sizeof(struct vfs_file),
        .mxPathname = PATH_MAX_BYTES,
        .zName = vfs->name,
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_path,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xGetLastError = vfs_last_error,
        .xCurrentTimeInt64 = vfs_time,
    };
    must(sqlite3_vfs_register(&vfs->base, 0) == SQLITE_OK);
    *out = vfs->name;
    return OK;
}
