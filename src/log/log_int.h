/* log_int.h - what the files of src/log share: the structs behind log.h and their locks.
 *
 * Lock order (take downwards only):
 *   log->catalog_lock      topic calls and the catalog file
 *   partition->files_lock  whoever unlinks, fsyncs or publishes files of the partition
 *   partition->append_lock the one who appends (held over the write); the producers
 *   log->lock              the table of topics
 *   partition->lock        everything else of the partition; never held over I/O
 *   log->dirty_lock        list of partitions to sync
 *   partition->watch_lock  watches; held while they fire
 */
#ifndef LEAT_LOG_LOG_INT_H
#define LEAT_LOG_LOG_INT_H

#include "log/log.h"
#include "log/producer.h"
#include "log/segment.h"
#include "log/transaction.h"
#include "os/logger.h"

#define LOG_PATH_MAX 4096

struct log {
    struct io *io;
    struct mem_owner *owner;
    char *directory;
    enum log_durability durability;
    void (*dirty)(void *context);
    void (*hurry)(void *context);
    void *dirty_context;
    int64_t producer_expiry_ms;

    struct mutex catalog_lock;
    uint8_t cluster_id[LOG_UUID_BYTES];
    int32_t leader_epoch;
    int64_t next_id;

    struct mutex lock;
    struct log_topic **topics; /* sorted by name */
    size_t topic_count, topic_capacity;

    struct mutex dirty_lock;
    struct log_partition *dirty_partitions;
};

struct log_topic {
    _Atomic uint32_t refs;
    struct log *log;
    char name[LOG_TOPIC_NAME_MAX + 1];
    uint8_t id[LOG_UUID_BYTES];
    /* under log->lock */
    struct log_partition **partitions;
    uint32_t partition_count;
    struct log_config config;
    struct log_config_entry *entries; /* as given; owned */
    size_t entry_count;
};

struct epoch_entry {
    int32_t epoch;
    int64_t start_offset;
};

struct log_partition {
    _Atomic uint32_t refs;
    struct log *log;
    char *directory;
    char name[LOG_TOPIC_NAME_MAX + 8]; /* "orders-0", for messages */
    uint8_t topic_id[LOG_UUID_BYTES];
    uint32_t index;

    struct mutex files_lock;
    struct mutex append_lock;
    struct producers producers; /* append_lock */
    int64_t snapshot_offset;    /* of the newest snapshot on disk, -1: none; files_lock */
    int64_t snapshot_base;      /* of the one that a recovery begins with, if another; -1; same */

    struct mutex lock;
    struct log_config config;
    struct segment **segments; /* by base offset; only the last may be unsealed */
    uint32_t segment_count, segment_capacity;
    int64_t log_start, high_watermark, end;
    int64_t recovery_point; /* as it is on disk */
    struct transactions transactions;
    struct epoch_entry *epochs;
    uint32_t epoch_count, epoch_capacity;
    bool epochs_dirty;    /* leader-epoch-checkpoint is behind */
    bool directory_dirty; /* a file was made since the last sync of the directory */
    bool failed, deleted;
    struct error failure;

    /* under log->dirty_lock */
    struct log_partition *next; /* in the dirty list or in a round */
    bool dirty, in_round;
    /* of the round under way */
    int64_t round_end; /* the goal, as an offset */
    enum status round_status;
    struct error round_error;

    struct mutex watch_lock;
    struct log_watch *watches;
    _Atomic int64_t watched_offset; /* the high watermark; INT64_MAX: deleted or failed */
};

/* ---- config.c: a topic's settings ---- */
enum status log_config_parse(const struct log_config_entry *entries, size_t count,
                             struct log_config *out, struct error *err) STATUS_CHECKED;

/* ---- catalog.c: the file of topics ---- */
/* Publish what log holds, with `added` and without `left_out` (NULL: neither). catalog_lock held.
 */
enum status catalog_write(struct log *log, const struct log_topic *added,
                          const struct log_topic *left_out, struct error *err) STATUS_CHECKED;
/* Fill log's ids, epoch and topics (their partitions array allocated, not opened). ERR_NOT_FOUND:
 * there is no catalog. */
enum status catalog_read(struct log *log, struct error *err) STATUS_CHECKED;
enum status catalog_decode(struct log *log, const uint8_t *bytes, size_t size_bytes,
                           struct error *err) STATUS_CHECKED; /* for the fuzzer too */

/* ---- topic.c ---- */
enum status topic_new(struct log_topic **out, struct log *log, struct str name, const uint8_t *id,
                      const struct log_config_entry *entries, size_t count,
                      struct error *err) STATUS_CHECKED;
enum status topic_set_partition_capacity(struct log_topic *topic, uint32_t count,
                                         struct error *err) STATUS_CHECKED;
enum status topic_insert(struct log *log, struct log_topic *topic,
                         struct error *err) STATUS_CHECKED; /* takes the reference */
bool topic_name_valid(struct str name, struct error *err);

/* ---- partition.c: opening, recovery, closing ---- */
enum status partition_new(struct log_partition **out, struct log_topic *topic, uint32_t index,
                          struct error *err) STATUS_CHECKED;
/* Make the directory of a new partition, durable but for its entry in the log's directory. */
enum status partition_create_files(struct log_partition *partition,
                                   struct error *err) STATUS_CHECKED;
enum status partition_load(struct log_partition *partition, bool clean,
                           struct error *err) STATUS_CHECKED;
/* Everything is synced: write what a clean start needs. */
enum status partition_close_files(struct log_partition *partition,
                                  struct error *err) STATUS_CHECKED;
/* Mark deleted, give up the segments, remove the files. */
enum status partition_delete(struct log_partition *partition, struct error *err) STATUS_CHECKED;
/* No more appends to this segment: keep a snapshot of the producers for it. append_lock and lock
 * held. */
void partition_seal(struct log_partition *partition, struct segment *segment);
/* Appends a segment to the array (takes the reference). */
enum status partition_add_segment(struct log_partition *partition, struct segment *segment,
                                  struct error *err) STATUS_CHECKED;
/* The segment that holds offset, or the first one after it; NULL: none. Borrowed; lock held. */
struct segment *partition_segment_at(struct log_partition *partition, int64_t offset);
/* Remember that `epoch` begins at offset, if it is a new one. Lock held. */
enum status partition_note_epoch(struct log_partition *partition, int32_t epoch, int64_t offset,
                                 struct error *err) STATUS_CHECKED;
/* Set a partition's high watermark, and with it the last stable offset (lock held), then wake its
 * watches (no lock held). */
void partition_set_high_watermark(struct log_partition *partition, int64_t offset);
void partition_wake(struct log_partition *partition);
void partition_wake_all(struct log_partition *partition); /* whatever they wait for */
/* Refuse appends from now on, for err's reason. */
void partition_fail(struct log_partition *partition, const struct error *err);

/* ---- checkpoint.c: the small text files of a partition ---- */
enum status checkpoint_write(struct log_partition *partition, int64_t log_start,
                             int64_t recovery_point, struct error *err) STATUS_CHECKED;
/* A missing file: both 0. A damaged one: log start -1. */
enum status checkpoint_read(struct log_partition *partition, int64_t *out_log_start,
                            int64_t *out_recovery_point, struct error *err) STATUS_CHECKED;
enum status epochs_write(struct log_partition *partition, struct error *err) STATUS_CHECKED;
enum status epochs_read(struct log_partition *partition, struct error *err) STATUS_CHECKED;
enum status partition_metadata_write(struct log_partition *partition,
                                     struct error *err) STATUS_CHECKED;
/* False: there is none, or it is another topic's. */
enum status partition_metadata_matches(struct log_partition *partition, bool *out_present,
                                       bool *out_matches, struct error *err) STATUS_CHECKED;

/* ---- sync.c ---- */
void partition_mark_dirty(struct log_partition *partition);

#endif
