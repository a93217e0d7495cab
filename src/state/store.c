/* store.c - the directory of one job's checkpoints: see README.md for its files.
 *
 * Segments grow by what each checkpoint appends; a manifest says how much of which segments it
 * consists of, so that the tail of a checkpoint that failed is nobody's. After a failure and after
 * a restart a new segment is begun: nothing is ever appended behind bytes that may be lost.
 *
 * Folding: each checkpoint also writes some key groups whole, in turn, so many that a round is over
 * by the time the changes since its begin are twice the state (or FOLD_MIN). A segment in which
 * everything is older than each key group's last fold is needed no more. So all segments together
 * hold at most a round: the state, its changes, and what is in the oldest segments besides.
 *
 * Invariants: a segment is synced, and its name durable, before a manifest names it; what the
 * newest manifests (those retained) name is never removed.
 */
#include "state/store_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define FOLD_MIN      (1u << 19) /* bytes of changes that a round of folds takes at least */
#define SEGMENT_FOLDS (KEY_GROUP_COUNT / 16) /* a segment with so many folds is full */
#define MANIFESTS_MAX 4096

void store_path_in(const char *directory, const char *kind, uint64_t number,
                   char dest[STORE_PATH_MAX])
{
    snprintf(dest, STORE_PATH_MAX, "%s/%s-%016" PRIx64, directory, kind, number);
}

void store_path(const struct checkpoint_store *store, const char *kind, uint64_t number,
                char dest[STORE_PATH_MAX])
{
    store_path_in(store->directory, kind, number, dest);
}

enum status checkpoint_store_open(struct checkpoint_store **out, struct io *io,
                                  const char *directory, struct mem_owner *owner, struct error *err)
{
    if (strlen(directory) >= STORE_DIRECTORY_MAX)
        return error_set(err, ERR_LIMIT, "the path of the checkpoints '%s' is too long", directory);
    struct checkpoint_store *store = mem_calloc(1, sizeof(*store));
    if (!store)
        return error_memory(err, "checkpoints", sizeof(*store));
    store->io = io;
    store->owner = owner;
    store->retained = STORE_RETAINED_MIN;
    snprintf(store->directory, sizeof(store->directory), "%s", directory);
    enum status status = io_make_directories(io, directory, err);
    if (status != OK) {
        checkpoint_store_close(store);
        return status;
    }
    *out = store;
    return OK;
}

static void list_clear(struct segment_list *list)
{
    mem_free(list->segments);
    *list = (struct segment_list){0};
}

static enum status list_copy(struct segment_list *to, const struct checkpoint_segment *from,
                             uint32_t count, struct error *err)
{
    struct checkpoint_segment *copy = mem_alloc((count + 1) * sizeof(*copy));
    if (!copy)
        return error_memory(err, "segments of a checkpoint", count * sizeof(*copy));
    if (count)
        memcpy(copy, from, count * sizeof(*copy));
    list_clear(to);
    to->segments = copy;
    to->count = count;
    return OK;
}

static void close_file(struct checkpoint_store *store)
{
    if (store->file)
        io_close(store->io, store->file);
    store->file = NULL;
}

void checkpoint_store_close(struct checkpoint_store *store)
{
    if (!store)
        return;
    close_file(store);
    for (uint32_t k = 0; k < store->retained; k++)
        list_clear(&store->kept[k].list);
    mem_free(store);
}

void checkpoint_store_retain(struct checkpoint_store *store, uint32_t count)
{
    must(!store->kept[0].used);
    store->retained = count < STORE_RETAINED_MIN         ? STORE_RETAINED_MIN
                      : count > CHECKPOINTS_RETAINED_MAX ? CHECKPOINTS_RETAINED_MAX
                                                         : count;
}

const char *checkpoint_store_directory(const struct checkpoint_store *store)
{
    return store->directory;
}

/* Bytes of changes after which all key groups have been folded once more. */
static uint64_t round_bytes(const struct checkpoint_store *store)
{
    uint64_t bytes = store->live_bytes * 2;
    return bytes > FOLD_MIN ? bytes : FOLD_MIN;
}

struct state_fold checkpoint_fold(const struct checkpoint_store *store)
{
    if (!store->kept[0].used)
        return (struct state_fold){0, KEY_GROUP_COUNT};
    struct state_fold fold = {0, 0};
    for (uint32_t g = 1; g < KEY_GROUP_COUNT; g++)
        if (store->bases[g] < store->bases[fold.first])
            fold.first = g;
    uint64_t due = store->change_bytes * KEY_GROUP_COUNT / round_bytes(store);
    uint32_t left = KEY_GROUP_COUNT - fold.first;
    fold.count = due < left ? (uint32_t)due : left;
    return fold;
}

/* ---- names in the directory ---- */

bool store_parse_name(const char *name, const char *kind, uint64_t *number)
{
    size_t length = strlen(kind);
    if (strncmp(name, kind, length) != 0 || name[length] != '-' || strlen(name + length + 1) != 16)
        return false;
    *number = 0;
    for (const char *at = name + length + 1; *at; at++) {
        int digit = *at >= '0' && *at <= '9'   ? *at - '0'
                    : *at >= 'a' && *at <= 'f' ? *at - 'a' + 10
                                               : -1;
        if (digit < 0)
            return false;
        *number = *number << 4 | (uint64_t)digit;
    }
    return true;
}

static bool is_kept_segment(const struct checkpoint_store *store, uint64_t number)
{
    for (uint32_t k = 0; k < store->retained; k++)
        for (uint32_t i = 0; i < store->kept[k].list.count; i++)
            if (store->kept[k].list.segments[i].number == number)
                return true;
    return store->file && store->file_number == number;
}

static bool is_kept_manifest(const struct checkpoint_store *store, uint64_t epoch)
{
    for (uint32_t k = 0; k < store->retained; k++)
        if (store->kept[k].used && store->kept[k].epoch == epoch)
            return true;
    return false;
}

static enum status prune_one(void *context, const char *name, struct error *err)
{
    struct checkpoint_store *store = context;
    uint64_t number;
    bool keep = true;
    if (store_parse_name(name, "manifest", &number))
        keep = is_kept_manifest(store, number);
    else if (store_parse_name(name, "segment", &number))
        keep = is_kept_segment(store, number);
    if (keep)
        return OK;
    char path[STORE_PATH_MAX];
    snprintf(path, sizeof(path), "%s/%.40s", store->directory, name);
    return io_unlink(store->io, path, err);
}

/* What cannot be removed now is removed after the next checkpoint. */
static void prune(struct checkpoint_store *store)
{
    struct error ignored = {0};
    if (io_list(store->io, store->directory, prune_one, store, &ignored) != OK)
        return;
}

/* ---- writing ---- */

void checkpoint_begin(struct checkpoint_store *store, struct state_fold fold)
{
    if (store->is_spoilt || fold.count == KEY_GROUP_COUNT || store->file_folds >= SEGMENT_FOLDS)
        close_file(store);
    store->fold = fold;
    store->is_spoilt = false;
    store->has_blocks = false;
    store->written_bytes = store->fold_bytes = 0;
}

static enum status new_file(struct checkpoint_store *store, struct error *err)
{
    char path[STORE_PATH_MAX];
    store->file_number = store->next_segment++;
    store->file_end = 0;
    store->file_folds = 0;
    store->is_new_file = true;
    store_path(store, "segment", store->file_number, path);
    return io_open(store->io, path, IO_WRITE | IO_CREATE | IO_TRUNCATE, &store->file, err);
}

enum status checkpoint_block(struct checkpoint_store *store, const struct state_block *block,
                             struct error *err)
{
    if (!store->file)
        TRY(new_file(store, err));
    TRY(io_pwrite(store->io, store->file, block->bytes.data, block->bytes.length, store->file_end,
                  err));
    store->file_end += block->bytes.length;
    store->written_bytes += block->bytes.length;
    store->fold_bytes += block->fold_bytes;
    store->has_blocks = true;
    return OK;
}

void checkpoint_abort(struct checkpoint_store *store)
{
    store->is_spoilt = true;
    close_file(store);
}

/* The segments of the checkpoint being committed: those that hold something that counts. */
static enum status make_list(const struct checkpoint_store *store,
                             const struct checkpoint *manifest, struct segment_list *out,
                             struct error *err)
{
    const struct segment_list *before = &store->kept[0].list;
    uint64_t oldest = manifest->epoch;
    uint32_t count = 0;
    struct checkpoint_segment *segments = mem_alloc((before->count + 1) * sizeof(*segments));
    if (!segments)
        return error_memory(err, "segments of a checkpoint", before->count * sizeof(*segments));
    for (uint32_t g = 0; g < KEY_GROUP_COUNT; g++)
        oldest = manifest->bases[g] < oldest ? manifest->bases[g] : oldest;
    for (uint32_t i = 0; i < before->count; i++)
        if (before->segments[i].last_epoch >= oldest &&
            !(store->has_blocks && before->segments[i].number == store->file_number))
            segments[count++] = before->segments[i];
    if (store->has_blocks)
        segments[count++] =
            (struct checkpoint_segment){store->file_number, store->file_end, manifest->epoch};
    *out = (struct segment_list){segments, count};
    return OK;
}

/* What the manifest says of folds; the store has it once it is durable. */
static void fill_sizes(const struct checkpoint_store *store, struct checkpoint *manifest)
{
    memcpy(manifest->bases, store->bases, sizeof(manifest->bases));
    for (uint32_t g = 0; g < store->fold.count; g++)
        manifest->bases[store->fold.first + g] = manifest->epoch;
    manifest->live_bytes = store->live_bytes -
                           store->live_bytes * store->fold.count / KEY_GROUP_COUNT +
                           store->fold_bytes;
    manifest->next_segment = store->next_segment;
}

static void take_sizes(struct checkpoint_store *store, const struct checkpoint *manifest)
{
    uint64_t round = round_bytes(store), changes = store->change_bytes;
    uint64_t answered = round * store->fold.count / KEY_GROUP_COUNT;
    changes = changes > answered ? changes - answered : 0;
    changes += store->written_bytes - store->fold_bytes;
    store->change_bytes = changes < round ? changes : round;
    store->live_bytes = manifest->live_bytes;
    store->file_folds += store->has_blocks ? store->fold.count : 0;
    memcpy(store->bases, manifest->bases, sizeof(store->bases));
}

static enum status publish(struct checkpoint_store *store, const struct checkpoint *manifest,
                           struct error *err)
{
    char path[STORE_PATH_MAX];
    struct buf bytes;
    if (store->has_blocks) {
        TRY(io_sync(store->io, store->file, err));
        if (store->is_new_file)
            TRY(io_sync_directory(store->io, store->directory, err));
        store->is_new_file = false;
    }
    buf_init(&bytes, STORE_MANIFEST_MAX);
    checkpoint_encode(manifest, &bytes);
    enum status status = buf_check(&bytes, "a checkpoint's manifest", err);
    store_path(store, "manifest", manifest->epoch, path);
    if (status == OK)
        status = io_publish(store->io, path, bytes.data, bytes.length, err);
    buf_fini(&bytes);
    return status;
}

enum status checkpoint_commit(struct checkpoint_store *store, struct checkpoint *manifest,
                              struct error *err)
{
    struct segment_list list = {0};
    fill_sizes(store, manifest);
    enum status status = make_list(store, manifest, &list, err);
    if (status == OK) {
        manifest->segments = list.segments;
        manifest->segment_count = list.count;
        status = publish(store, manifest, err);
        manifest->segments = NULL;
        manifest->segment_count = 0;
    }
    if (status != OK) {
        list_clear(&list);
        checkpoint_abort(store);
        return status;
    }
    list_clear(&store->kept[store->retained - 1].list);
    memmove(&store->kept[1], &store->kept[0], (store->retained - 1) * sizeof(store->kept[0]));
    store->kept[0] = (struct kept_checkpoint){true, manifest->epoch, list};
    take_sizes(store, manifest);
    prune(store);
    return OK;
}

/* ---- finding ---- */

struct found {
    struct checkpoint_store *store;
    uint32_t count;
    uint64_t epochs[MANIFESTS_MAX];
};

static enum status find_one(void *context, const char *name, struct error *err)
{
    struct found *found = context;
    uint64_t number;
    if (store_parse_name(name, "segment", &number) && number >= found->store->next_segment)
        found->store->next_segment = number + 1;
    if (!store_parse_name(name, "manifest", &number))
        return OK;
    if (found->count == MANIFESTS_MAX)
        return error_set(err, ERR_LIMIT, "more than %d checkpoints in %s", MANIFESTS_MAX,
                         found->store->directory);
    found->epochs[found->count++] = number; /* ascending: names are sorted */
    return OK;
}

/* *half: only one of the two copies is good. */
static enum status read_manifest(struct checkpoint_store *store, uint64_t epoch,
                                 struct checkpoint *out, bool *half, struct error *err)
{
    char path[STORE_PATH_MAX];
    struct buf bytes;
    store_path(store, "manifest", epoch, path);
    buf_init(&bytes, STORE_MANIFEST_MAX);
    enum status status = io_read_file(store->io, path, &bytes, err);
    if (status == OK)
        status = checkpoint_decode(bytes.data, bytes.length, out, err);
    if (status == OK && out->epoch != epoch) {
        arena_fini(&out->arena);
        status =
            error_set(err, ERR_CORRUPT, "a checkpoint's manifest is of epoch %" PRIu64, out->epoch);
    }
    if (status == OK)
        *half = memcmp(bytes.data, bytes.data + bytes.length / 2, bytes.length / 2) != 0;
    buf_fini(&bytes);
    return status;
}

enum status store_read(struct checkpoint_store *store, uint64_t epoch, struct checkpoint **out,
                       bool *half, struct error *err)
{
    struct checkpoint *checkpoint = mem_calloc(1, sizeof(*checkpoint));
    if (!checkpoint)
        return error_memory(err, "a checkpoint", sizeof(*checkpoint));
    enum status status = read_manifest(store, epoch, checkpoint, half, err);
    if (status != OK) {
        mem_free(checkpoint);
        return status;
    }
    for (uint32_t i = 0; i < checkpoint->segment_count && status == OK; i++)
        status = store_check_segment(store, &checkpoint->segments[i], err);
    if (status != OK) {
        checkpoint_free(checkpoint);
        return status;
    }
    *out = checkpoint;
    return OK;
}

static void keep(struct kept_checkpoint *kept, const struct checkpoint *checkpoint,
                 struct segment_list list)
{
    *kept = (struct kept_checkpoint){true, checkpoint->epoch, list};
}

static bool is_damage(enum status status)
{
    return status == ERR_CORRUPT || status == ERR_NOT_FOUND;
}

/* The newest good ones, as many as are retained; the first to *out. */
static enum status read_newest(struct checkpoint_store *store, const struct found *found,
                               struct checkpoint **out, struct buf *damage, struct error *err)
{
    uint32_t kept = 0;
    *out = NULL;
    for (uint32_t i = found->count; i-- > 0 && kept < store->retained;) {
        struct checkpoint *checkpoint = NULL;
        struct segment_list list = {0};
        struct error own = {0};
        bool half = false;
        enum status status = store_read(store, found->epochs[i], &checkpoint, &half, &own);
        if (is_damage(status)) {
            if (!*out)
                buf_printf(damage, "%scheckpoint %" PRIu64 ": %s", damage->length ? "; " : "",
                           found->epochs[i], own.text);
            continue;
        }
        if (status == OK && half && !*out)
            buf_printf(damage,
                       "%scheckpoint %" PRIu64 ": one of the manifest's two copies is damaged",
                       damage->length ? "; " : "", found->epochs[i]);
        if (status == OK)
            status = list_copy(&list, checkpoint->segments, checkpoint->segment_count, &own);
        if (status != OK) {
            checkpoint_free(checkpoint);
            checkpoint_free(*out);
            *out = NULL;
            if (err)
                *err = own;
            return status;
        }
        keep(&store->kept[kept++], checkpoint, list);
        if (*out)
            checkpoint_free(checkpoint);
        else
            *out = checkpoint;
    }
    return OK;
}

enum status checkpoint_store_load(struct checkpoint_store *store, struct checkpoint **out,
                                  struct buf *damage, struct error *err)
{
    struct found *found = mem_calloc(1, sizeof(*found));
    if (!found)
        return error_memory(err, "checkpoints", sizeof(*found));
    found->store = store;
    *out = NULL;
    enum status status = io_list(store->io, store->directory, find_one, found, err);
    if (status == OK)
        status = read_newest(store, found, out, damage, err);
    if (status == OK && !*out && found->count) {
        status = error_set(err, ERR_CORRUPT, "no checkpoint in %s is good: %s", store->directory,
                           buf_text(damage));
        error_hint(err, "to begin anew, without the state, move that directory away");
    }
    if (status == OK && *out) {
        store->live_bytes = (*out)->live_bytes;
        memcpy(store->bases, (*out)->bases, sizeof(store->bases));
        if (store->next_segment < (*out)->next_segment)
            store->next_segment = (*out)->next_segment;
    }
    mem_free(found);
    return status;
}
