/* segment.h - one file of record batches with its indexes. Private to src/log.
 *
 *   BASE.log        record batches v2, one after another                       (BASE: %020d)
 *   BASE.index      { relative last offset u32, position u32 }, rising          big-endian
 *   BASE.timeindex  { largest timestamp so far i64, relative offset u32 }       big-endian
 *   BASE.txnindex   aborted transactions, where there are any           (segment_aborted.c)
 *
 * An entry of .index names the last offset of the batch that begins at position; one is made once
 * index_interval bytes have gone by. Indexes live in memory while the segment grows and until
 * segment_persist() has written them; a missing entry costs time, never a record.
 *
 * Locks: everything but the file belongs to the partition's lock; the file handle has a lock of its
 * own, so that any thread may read. Sizes only grow after the open.
 */
#ifndef LEAT_LOG_SEGMENT_H
#define LEAT_LOG_SEGMENT_H

#include <stdatomic.h>

#include "base/buffer.h"
#include "kafka/record.h"
#include "os/io.h"
#include "os/thread.h"

#define SEGMENT_SIZE_MAX INT32_MAX /* positions are 32 bits in .index */

struct segment_entry {
    uint32_t relative_offset;
    uint32_t position;
};

struct segment_time_entry {
    int64_t timestamp_ms;
    uint32_t relative_offset;
};

struct segment_aborted {
    int64_t producer_id;
    int64_t first_offset;
    int64_t last_offset;        /* the marker's, which lies in this segment */
    int64_t last_stable_offset; /* below it everything is decided by this and earlier ones */
};

struct segment {
    _Atomic uint32_t refs;
    struct io *io;
    char *path; /* without suffix */
    int64_t base_offset;

    uint64_t size_bytes;      /* written, whole batches */
    uint64_t visible_bytes;   /* below the high watermark */
    uint64_t synced_bytes;    /* fsynced */
    uint64_t round_bytes;     /* goal of the sync round under way */
    uint64_t indexed_bytes;   /* the size for which the index files are right; 0: none known */
    int64_t next_offset;      /* after the last batch */
    int64_t max_timestamp_ms; /* -1: none */
    int64_t first_timestamp_ms;
    int64_t created_ms; /* wall time of creation or, after a restart, of the last write */
    uint32_t max_timestamp_relative; /* last offset of the batch that has the maximum */
    bool sealed;                     /* no more appends */
    bool persisted;                  /* sealed, fsynced, indexes on disk */
    bool in_round;
    bool index_failed;    /* its indexes could not be written; said once */
    struct buf producers; /* snapshot of the producers after its last batch, from the seal until it
                             is persisted; empty: there was no memory for it */

    bool index_in_memory;
    struct segment_entry *entries;
    uint32_t entry_count, entry_capacity;
    struct segment_time_entry *time_entries;
    uint32_t time_count, time_capacity; /* one place is always free, for the seal */
    uint64_t unindexed_bytes;
    struct segment_aborted *aborted; /* NULL with a count: in the file only */
    uint32_t aborted_count, aborted_capacity;
    bool aborted_unknown; /* recovery has to find them again */

    struct mutex file_lock;
    struct io_file *file;
    uint32_t file_users;
};

/* An empty segment's memory, refs = 1; no file is touched. */
enum status segment_new(struct segment **out, struct io *io, const char *directory,
                        int64_t base_offset, struct error *err) STATUS_CHECKED;
struct segment *segment_ref(struct segment *segment);
void segment_unref(struct segment *segment);

/* Open the file (create: empty) and keep it open until as many segment_file_done. */
enum status segment_file_use(struct segment *segment, bool create, struct io_file **out,
                             struct error *err) STATUS_CHECKED;
void segment_file_done(struct segment *segment);

/* Account for a batch that lies at the end of the segment: size, offsets, timestamps, indexes. */
void segment_note_batch(struct segment *segment, const struct record_batch *batch,
                        int64_t index_interval_bytes);
void segment_seal(struct segment *segment); /* no more appends; last time index entry */

/* Write the indexes and fsync them. */
enum status segment_index_write(struct segment *segment, struct error *err) STATUS_CHECKED;
/* Drop the in-memory indexes; the files are used from now on. */
void segment_index_drop(struct segment *segment);
/* Read the index files into memory. ERR_CORRUPT: missing or senseless (walk the segment instead);
 * size_bytes and base_offset must be set. */
enum status segment_index_read(struct segment *segment, struct error *err) STATUS_CHECKED;
/* The last entry of the time index file (-1: it has none), and a check of all files' form.
 * ERR_CORRUPT as above. */
enum status segment_index_check(struct segment *segment, struct error *err) STATUS_CHECKED;
void segment_index_reset(struct segment *segment); /* empty, in memory; for a new walk */

/* Where to start walking for an offset or, strictly before it, a time. In memory (lock held): never
 * fails. On disk (no lock needed): ERR_IO. */
enum status segment_seek_offset(struct segment *segment, int64_t offset, uint64_t *out_position,
                                struct error *err) STATUS_CHECKED;
enum status segment_seek_time(struct segment *segment, int64_t timestamp_ms, uint64_t *out_position,
                              struct error *err) STATUS_CHECKED;

/* ---- segment_aborted.c ---- */

enum status segment_aborted_reserve(struct segment *segment, struct error *err) STATUS_CHECKED;
void segment_aborted_add(struct segment *segment, const struct segment_aborted *aborted);
enum status segment_aborted_write(struct segment *segment, struct error *err) STATUS_CHECKED;
/* Append what the file has (struct segment_aborted, none without a file). ERR_CORRUPT. */
enum status segment_aborted_read(struct segment *segment, struct buf *out,
                                 struct error *err) STATUS_CHECKED;
/* Read it into memory. ERR_CORRUPT: not to be used. */
enum status segment_aborted_load(struct segment *segment, struct error *err) STATUS_CHECKED;

/* All files; a missing one is fine. */
enum status segment_unlink(struct segment *segment, struct error *err) STATUS_CHECKED;
enum status segment_unlink_indexes(struct segment *segment, struct error *err) STATUS_CHECKED;

/* Walk over the batches of a file: headers, and CRCs if wanted, in bounded memory. */
struct segment_walk {
    struct segment *segment;
    struct io_file *file;
    uint64_t position; /* of the next batch */
    uint64_t end;
    int64_t next_offset; /* offsets must not fall below it */
    bool check_crc;
    uint8_t *buffer;
    uint64_t buffer_position;
    size_t buffer_bytes, buffer_capacity;
};
enum status segment_walk_open(struct segment_walk *walk, struct segment *segment, uint64_t position,
                              uint64_t end, bool check_crc, struct error *err) STATUS_CHECKED;
void segment_walk_close(struct segment_walk *walk); /* zero-initialised is fine */
/* The next batch's header (*out_position: where it begins; batch->data holds only the header, but
 * all of a control batch).
 * ERR_END: exactly at the end. ERR_CORRUPT: what is there is not a whole, sound batch. */
enum status segment_walk_next(struct segment_walk *walk, struct record_batch *batch,
                              uint64_t *out_position, struct error *err) STATUS_CHECKED;

#endif
