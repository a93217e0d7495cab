/* checkpoint.h - a job's checkpoints on disk: written, found again, validated, read. The format is
 * in README.md.
 *
 *   write:  begin --> block, block ... --> commit (segment synced, manifest published) or abort
 *   start:  load the newest good manifest --> reader --> blocks of each operator
 *
 * One thread at a time, which may block on the local disk.
 */
#ifndef LEAT_STATE_CHECKPOINT_H
#define LEAT_STATE_CHECKPOINT_H

#include "os/io.h"
#include "state/snapshot.h"

#define CHECKPOINT_LINEAGE_BYTES 16

enum checkpoint_end {                      /* of the run that wrote it */
                      CHECKPOINT_RUNNING,  /* it was to go on */
                      CHECKPOINT_STOPPED,  /* the last one of a clean stop */
                      CHECKPOINT_FINISHED, /* all input had ended */
};

struct checkpoint_operator {
    const char *name;     /* stable: plan_node.state_name */
    const char *shape;    /* what its state looks like; another shape cannot be loaded */
    const char *upstream; /* what it is made of; another one changes its meaning */
    uint32_t id;          /* in blocks; kept from run to run */
    uint32_t blob_count;  /* one a subtask */
    const struct str *blobs;
};

struct checkpoint_segment {
    uint64_t number, size_bytes;
    uint64_t last_epoch; /* of its blocks */
};

struct checkpoint {       /* a manifest */
    struct arena arena;   /* holds all below, where loaded */
    const char *job_name; /* the second of a name has "~2" behind it */
    uint64_t epoch;
    int64_t created_us; /* wall */
    /* A history of epochs in which none is made twice with other rows; targets keep it beside what
     * they have applied. Made new wherever it could be: a job that begins, a savepoint taken up. */
    uint8_t lineage[CHECKPOINT_LINEAGE_BYTES];
    uint8_t parent[CHECKPOINT_LINEAGE_BYTES]; /* which it came from; zeros: none */
    uint64_t parent_epoch;                    /* of the savepoint it came from; 0: of none */
    const char *statement;                    /* plan.fingerprint */
    enum checkpoint_end end;
    uint32_t next_operator_id;
    uint64_t next_segment;
    uint64_t live_bytes; /* of the records of all rows, as they were folded last: an estimate */
    /* By key group: the epoch that wrote it whole last. Its older records are superseded. */
    uint64_t bases[KEY_GROUP_COUNT];
    uint32_t operator_count, segment_count;
    const struct checkpoint_operator *operators;
    const struct checkpoint_segment *segments; /* in the order they are read */
};
void checkpoint_free(struct checkpoint *checkpoint); /* of checkpoint_store_load; NULL is fine */
const struct checkpoint_operator *checkpoint_find(const struct checkpoint *checkpoint,
                                                  const char *name); /* NULL: none */

/* manifest.c: bytes of a manifest, and back. ERR_CORRUPT: damaged. out is filled in arena. */
void checkpoint_encode(const struct checkpoint *checkpoint, struct buf *out);
enum status checkpoint_decode(const uint8_t *bytes, size_t size_bytes, struct checkpoint *out,
                              struct error *err) STATUS_CHECKED;

/* ---- the directory of one job */

struct checkpoint_store;
/* Makes the directory. Nothing else may work in it. */
enum status checkpoint_store_open(struct checkpoint_store **out, struct io *io,
                                  const char *directory, struct mem_owner *owner,
                                  struct error *err) STATUS_CHECKED;
void checkpoint_store_close(struct checkpoint_store *store); /* NULL is fine */
/* How many checkpoints are kept, before any is loaded or made; at least two, which is what it is
 * otherwise: should the newest be damaged there is one. */
#define CHECKPOINTS_RETAINED_MAX 100
void checkpoint_store_retain(struct checkpoint_store *store, uint32_t count);
const char *checkpoint_store_directory(const struct checkpoint_store *store);
/* The newest checkpoint all of whose files are good; *out NULL: there is none at all. Newer ones
 * that are damaged are told in `damage` (empty: none). ERR_CORRUPT: there are some, and none is
 * good. The next writes build on it. */
enum status checkpoint_store_load(struct checkpoint_store *store, struct checkpoint **out,
                                  struct buf *damage, struct error *err) STATUS_CHECKED;

/* Which key groups the next checkpoint should write whole, so that superseded records never outgrow
 * the state. All of them when there is no checkpoint yet. */
struct state_fold checkpoint_fold(const struct checkpoint_store *store);
/* What comes is what changed since the last commit, and all of the key groups of `fold`. */
void checkpoint_begin(struct checkpoint_store *store, struct state_fold fold);
/* Appends a sealed block. Not freed. */
enum status checkpoint_block(struct checkpoint_store *store, const struct state_block *block,
                             struct error *err) STATUS_CHECKED;
/* Everything durable, older checkpoints and files that nobody needs removed. The caller fills in
 * all of `manifest` but segments, bases and sizes. When it fails the checkpoint may be there after
 * a restart, or the one before. */
enum status checkpoint_commit(struct checkpoint_store *store, struct checkpoint *manifest,
                              struct error *err) STATUS_CHECKED;
void checkpoint_abort(struct checkpoint_store *store);

/* ---- savepoints: a checkpoint with all that it consists of in a directory of its own */

/* Copies the newest checkpoint of the store to a directory, which is made, or empty. The caller
 * fills in the manifest as for checkpoint_commit. Nothing is left of it when it fails. */
enum status checkpoint_copy_out(const struct checkpoint_store *store, struct checkpoint *manifest,
                                const char *directory, struct error *err) STATUS_CHECKED;
/* Finds and checks the newest one in a directory, or that of a manifest's path. The directory goes
 * to `where`. Not for one that is at work. */
enum status checkpoint_load(struct io *io, const char *path, struct checkpoint **out, char *where,
                            size_t where_bytes, struct error *err) STATUS_CHECKED;
/* Makes it the first checkpoint of an empty store, in a new lineage that came from its. */
enum status checkpoint_copy_in(struct checkpoint_store *store, const struct checkpoint *from,
                               const char *directory, struct error *err) STATUS_CHECKED;

/* ---- reading */

struct checkpoint_reader;
/* An index of the checkpoint's blocks (which load has validated). */
enum status checkpoint_reader_new(struct checkpoint_reader **out, struct checkpoint_store *store,
                                  const struct checkpoint *checkpoint,
                                  struct error *err) STATUS_CHECKED;
void checkpoint_reader_free(struct checkpoint_reader *reader); /* NULL is fine */
/* Calls each() for the operator's blocks that may hold something of the key groups that counts, in
 * the order written. */
enum status checkpoint_blocks(struct checkpoint_reader *reader, uint32_t operator_id,
                              uint32_t first_key_group, uint32_t last_key_group,
                              enum status (*each)(void *context, const uint8_t *block,
                                                  const struct state_block_info *info,
                                                  struct error *err),
                              void *context, struct error *err) STATUS_CHECKED;

#endif
