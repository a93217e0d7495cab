/* store_int.h - shared by store.c (writing, finding) and store_read.c (segments are read). */
#ifndef LEAT_STATE_STORE_INT_H
#define LEAT_STATE_STORE_INT_H

#include "base/must.h"
#include "state/checkpoint.h"

#define STORE_PATH_MAX      4096
#define STORE_DIRECTORY_MAX 3072
#define STORE_RETAINED_MIN  2
#define STORE_MANIFEST_MAX  ((size_t)1 << 30)

struct segment_list {
    struct checkpoint_segment *segments;
    uint32_t count;
};
struct kept_checkpoint {
    bool used;
    uint64_t epoch;
    struct segment_list list;
};

struct checkpoint_store {
    struct io *io;
    struct mem_owner *owner;
    char directory[STORE_DIRECTORY_MAX];
    uint32_t retained;
    struct kept_checkpoint kept[CHECKPOINTS_RETAINED_MAX]; /* newest first */
    uint64_t next_segment;
    /* of the newest checkpoint */
    uint64_t live_bytes, bases[KEY_GROUP_COUNT];
    uint64_t change_bytes; /* written since, beside folds, that no fold has answered */
    /* the segment that is appended to; NULL: the next block begins one */
    struct io_file *file;
    uint64_t file_number, file_end;
    bool is_new_file;    /* its name is not durable yet */
    bool is_spoilt;      /* a checkpoint failed: not to be appended to */
    uint32_t file_folds; /* key groups that were folded into it */
    /* the checkpoint being written */
    struct state_fold fold;
    bool has_blocks;
    uint64_t written_bytes, fold_bytes;
};

/* "manifest-0000000000000007" in a directory */
void store_path_in(const char *directory, const char *kind, uint64_t number,
                   char dest[STORE_PATH_MAX]);
bool store_parse_name(const char *name, const char *kind, uint64_t *number);
/* One whole and checked checkpoint. *half: only one of the manifest's two copies is good. */
enum status store_read(struct checkpoint_store *store, uint64_t epoch, struct checkpoint **out,
                       bool *half, struct error *err) STATUS_CHECKED;
void store_path(const struct checkpoint_store *store, const char *kind, uint64_t number,
                char dest[STORE_PATH_MAX]);
/* Every byte of it is as it was written. ERR_CORRUPT, ERR_NOT_FOUND: not. */
enum status store_check_segment(struct checkpoint_store *store,
                                const struct checkpoint_segment *segment,
                                struct error *err) STATUS_CHECKED;

#endif
