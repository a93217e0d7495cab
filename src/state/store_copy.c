/* store_copy.c - a checkpoint as a directory of its own: copied out of a job's directory, and into
 * that of another job (contracts.md rules 14, 27).
 *
 *   savepoint: DIRECTORY/segment-NUMBER ..., manifest-EPOCH, in the format of checkpoints
 *
 * Segments are copied up to where the manifest counts them and synced, the manifest is published
 * last: what has none is no savepoint. Nothing of it depends on where it lies.
 */
#include "state/store_int.h"

#include <stdio.h>

#define COPY_BYTES (1u << 20)

static enum status copy_bytes(struct io *io, struct io_file *from, struct io_file *to,
                              uint64_t size_bytes, struct error *err)
{
    uint8_t *bytes = mem_alloc(COPY_BYTES);
    enum status status = bytes ? OK : error_memory(err, "a copy", COPY_BYTES);
    for (uint64_t at = 0; at < size_bytes && status == OK;) {
        size_t wanted = size_bytes - at < COPY_BYTES ? (size_t)(size_bytes - at) : COPY_BYTES;
        size_t got = 0;
        status = io_pread(io, from, bytes, wanted, at, &got, err);
        if (status == OK && got < wanted)
            status = error_set(err, ERR_CORRUPT, "the file ends too early");
        if (status == OK)
            status = io_pwrite(io, to, bytes, got, at, err);
        at += got;
    }
    mem_free(bytes);
    return status;
}

static enum status copy_file(struct io *io, const char *from, const char *to, uint64_t size_bytes,
                             struct error *err)
{
    struct io_file *source, *target = NULL;
    TRY(io_open(io, from, IO_READ, &source, err));
    enum status status = io_open(io, to, IO_WRITE | IO_CREATE | IO_TRUNCATE, &target, err);
    if (status == OK)
        status = copy_bytes(io, source, target, size_bytes, err);
    if (status == OK)
        status = io_sync(io, target, err);
    if (status != OK)
        error_prefix(err, "%s to %s", from, to);
    if (target)
        io_close(io, target);
    io_close(io, source);
    return status;
}

static enum status copy_all(struct io *io, const char *from, const char *to,
                            const struct checkpoint *manifest, struct error *err)
{
    char source[STORE_PATH_MAX], target[STORE_PATH_MAX];
    struct buf bytes;
    for (uint32_t i = 0; i < manifest->segment_count; i++) {
        const struct checkpoint_segment *segment = &manifest->segments[i];
        store_path_in(from, "segment", segment->number, source);
        store_path_in(to, "segment", segment->number, target);
        TRY(copy_file(io, source, target, segment->size_bytes, err));
    }
    TRY(io_sync_directory(io, to, err));
    buf_init(&bytes, STORE_MANIFEST_MAX);
    checkpoint_encode(manifest, &bytes);
    enum status status = buf_check(&bytes, "a checkpoint's manifest", err);
    store_path_in(to, "manifest", manifest->epoch, target);
    if (status == OK)
        status = io_publish(io, target, bytes.data, bytes.length, err);
    buf_fini(&bytes);
    return status;
}

/* ---- out ---- */

enum status checkpoint_copy_out(const struct checkpoint_store *store, struct checkpoint *manifest,
                                const char *directory, struct error *err)
{
    const struct kept_checkpoint *newest = &store->kept[0];
    struct error ignored = {0};
    must(newest->used && newest->epoch == manifest->epoch);
    if (strlen(directory) >= STORE_DIRECTORY_MAX)
        return error_set(err, ERR_LIMIT, "the path of the savepoint '%s' is too long", directory);
    TRY(io_make_directories(store->io, directory, err));
    manifest->segments = newest->list.segments;
    manifest->segment_count = newest->list.count;
    manifest->next_segment = store->next_segment;
    manifest->live_bytes = store->live_bytes;
    memcpy(manifest->bases, store->bases, sizeof(manifest->bases));
    enum status status = copy_all(store->io, store->directory, directory, manifest, err);
    manifest->segments = NULL;
    manifest->segment_count = 0;
    if (status != OK && io_remove_tree(store->io, directory, &ignored) != OK)
        error_hint(err, "what is left of it in %s can be removed", directory);
    return status;
}

/* ---- in ---- */

static enum status nothing(void *context, const char *name, struct error *err)
{
    return OK;
}

/* "DIRECTORY/manifest-0000000000000007": that one; else the newest one in the directory. */
static bool split_manifest(const char *path, char directory[STORE_DIRECTORY_MAX], uint64_t *epoch)
{
    const char *name = strrchr(path, '/');
    snprintf(directory, STORE_DIRECTORY_MAX, "%s", path);
    if (!store_parse_name(name ? name + 1 : path, "manifest", epoch))
        return false;
    directory[name ? (size_t)(name - path) : 0] = 0;
    if (!name)
        snprintf(directory, STORE_DIRECTORY_MAX, ".");
    return true;
}

enum status checkpoint_load(struct io *io, const char *path, struct checkpoint **out, char *where,
                            size_t where_bytes, struct error *err)
{
    struct checkpoint_store *store;
    char directory[STORE_DIRECTORY_MAX];
    struct buf damage;
    uint64_t epoch;
    *out = NULL;
    if (strlen(path) >= STORE_DIRECTORY_MAX)
        return error_set(err, ERR_LIMIT, "the path of the savepoint '%s' is too long", path);
    bool is_one = split_manifest(path, directory, &epoch), half;
    snprintf(where, where_bytes, "%s", directory);
    TRY(io_list(io, directory, nothing, NULL, err)); /* opening it would make it */
    TRY(checkpoint_store_open(&store, io, directory, NULL, err));
    buf_init(&damage, 4096);
    enum status status = is_one ? store_read(store, epoch, out, &half, err)
                                : checkpoint_store_load(store, out, &damage, err);
    if (status == OK && !*out)
        status = error_set(err, ERR_NOT_FOUND, "there is no savepoint in %s", directory);
    buf_fini(&damage);
    checkpoint_store_close(store);
    return status;
}

enum status checkpoint_copy_in(struct checkpoint_store *store, const struct checkpoint *from,
                               const char *directory, struct error *err)
{
    struct checkpoint copy = *from;
    memcpy(copy.parent, from->lineage, sizeof(copy.parent));
    copy.parent_epoch = from->epoch;
    io_random(store->io, copy.lineage, sizeof(copy.lineage));
    return copy_all(store->io, directory, store->directory, &copy, err);
}
