/* log.h - the durable log: topics of partitions, each a directory of segments in Kafka's own
 * layout.
 *
 * What it does: keeps the catalog of topics, appends validated record batches (v2, verbatim), tells
 * what is durable, keeps the sequences of idempotent producers and which of their transactions are
 * open, lets any thread read below the high watermark, recovers after a crash. It does not know
 * sockets, requests or groups (broker/), and opens no record but to find a time.
 *
 *   DIR/                                  one log; the caller holds the lock of the data directory
 *     leat-log.catalog                    topics, ids, configs, epoch, id counter; published whole
 *     .kafka_cleanshutdown                present: the last process closed the log
 *     TOPIC-PARTITION/
 *       partition.metadata                the topic's id, as Kafka writes it
 *       leader-epoch-checkpoint
 *       leat-checkpoint                   log start; offset below which all is known to be synced
 *       %020d.log .index .timeindex       a segment by its first offset; indexes once it is sealed,
 *                 .txnindex                 this one where transactions were aborted
 *       %020d.snapshot                    the producers before the batch at this offset
 *
 * Offsets of a partition:
 *     log start <= last stable offset <= high watermark <= synced or written end <= end.
 * Below the last stable offset no record belongs to a transaction that is still open.
 * Invariants: nothing at or past the high watermark is shown to a reader. With LOG_POWER the high
 * watermark is the fsynced end (its directory entry too), so no power cut takes back what was shown
 * or answered. A failed fsync fails the partition for the life of this process: appends are
 * refused, what was below the high watermark stays readable. Segments are reference-counted: a
 * reader that is in one keeps it readable after retention or deletion has unlinked it; nothing a
 * reader may reach is ever truncated.
 *
 * Threads: everything may be called from any thread unless said; one log_append per partition goes
 * at a time (a second one waits for the first's write). No call but log_sync_run, log_sync,
 * log_open, log_close, the topic calls, log_retain and log_delete_records waits for an fsync.
 */
#ifndef LEAT_LOG_LOG_H
#define LEAT_LOG_LOG_H

#include "base/buffer.h"
#include "base/option.h"
#include "os/io.h"

#define LOG_TOPIC_NAME_MAX     249
#define LOG_PARTITION_MAX      10000 /* of one topic */
#define LOG_UUID_BYTES         16
#define LOG_BATCH_HEADER_BYTES 61 /* of a record batch v2 up to its first record */

struct log;
struct log_topic;     /* counted */
struct log_partition; /* counted; a topic holds one reference of each of its partitions */
struct log_reader;

/* ---- the log ---- */

enum log_durability {
    LOG_POWER,   /* high watermark = fsynced end */
    LOG_PROCESS, /* high watermark = written end, as Kafka with one replica */
};

struct log_settings {
    struct io *io;
    const char *directory; /* made where missing; copied */
    enum log_durability durability;
    struct mem_owner *owner; /* blocks of readers are reserved here; NULL: not counted */
    /* Called when unsynced bytes appear where there were none: someone must start a sync round
     * within 5 ms. From the appending thread, no lock of the log held; must not block. NULL: the
     * owner asks log_sync_begin by itself. */
    void (*dirty)(void *context);
    /* log_hurry() was called: a round is wanted at once. As dirty(); NULL: nobody listens. */
    void (*hurry)(void *context);
    void *dirty_context;        /* of both */
    int64_t producer_expiry_ms; /* a producer silent for so long is forgotten; 0: a day */
};

/* Read the catalog, recover every partition (verify from the recovery point, cut at the first
 * damaged batch, sync, rebuild indexes), raise the leader epoch when the last process did not close
 * the log. A missing or empty directory is an empty log. Errors: ERR_CORRUPT only where synced
 * bytes are damaged in the catalog; a damaged partition is cut and reported (logger), never
 * refused. */
enum status log_open(struct log **out, const struct log_settings *settings,
                     struct error *err) STATUS_CHECKED;

/* Sync, write indexes, checkpoints and the clean-shutdown mark. No append, sync round or watch may
 * be under way; references to topics, partitions and readers must have been given back. The log is
 * freed also on failure (then the next start is an unclean one). NULL is fine. */
enum status log_close(struct log *log, struct error *err);

enum log_durability log_durability(const struct log *log);
const char *log_directory(const struct log *log);     /* as given */
const uint8_t *log_cluster_id(const struct log *log); /* LOG_UUID_BYTES, made at the first open */
int32_t log_leader_epoch(const struct log *log); /* of every partition; +1 at each unclean start */

/* count numbers that no other call gave, over restarts too (producer ids). Durable on return; ask
 * for blocks of a thousand. */
enum status log_reserve_ids(struct log *log, uint32_t count, int64_t *out_first,
                            struct error *err) STATUS_CHECKED;

/* ---- topics ---- */

/* A topic's parsed settings. log_config_defs() is their option table (Kafka's keys: segment.bytes,
 * retention.ms, ...), also for documentation and DescribeConfigs. */
struct log_config {
    int64_t segment_bytes;
    int64_t segment_ms;
    int64_t retention_bytes; /* -1: no limit */
    int64_t retention_ms;    /* -1: no limit */
    int64_t index_interval_bytes;
    int64_t max_message_bytes;   /* largest batch */
    int64_t min_insync_replicas; /* 1 */
    int cleanup_policy;          /* 0 delete; others are ERR_UNSUPPORTED */
    int timestamp_type;          /* enum log_timestamp_type */
    int compression_type;        /* 0 producer; others are ERR_UNSUPPORTED */
};
enum log_timestamp_type { LOG_CREATE_TIME, LOG_APPEND_TIME };
const struct option_def *log_config_defs(size_t *out_count);

struct log_config_entry { /* as the user gave it */
    const char *key;
    const char *value;
};

struct log_topic_info { /* borrowed from the topic; constant while it is referenced, but for
                           partition_count and the configs, which a later call may show changed */
    const char *name;
    const uint8_t *id; /* LOG_UUID_BYTES; another one when a topic of this name is made again */
    uint32_t partition_count;
};

/* Durable on return. ERR_EXISTS; ERR_NAME: not a legal topic name; ERR_OPTION: a config, with the
 * nearest name; ERR_LIMIT: partition_count. *out (may be NULL) is a reference. */
enum status log_topic_create(struct log *log, struct str name, uint32_t partition_count,
                             const struct log_config_entry *configs, size_t config_count,
                             struct log_topic **out, struct error *err) STATUS_CHECKED;
/* The checks of log_topic_create alone (Kafka's validate_only). */
enum status log_topic_check(struct log *log, struct str name, uint32_t partition_count,
                            const struct log_config_entry *configs, size_t config_count,
                            struct error *err) STATUS_CHECKED;
/* Gone from the catalog and durable on return; files go as their readers let them. ERR_NOT_FOUND.
 * Watches of its partitions fire. */
enum status log_topic_delete(struct log *log, struct str name, struct error *err) STATUS_CHECKED;
/* ERR_LIMIT when partition_count is not above the present one. */
enum status log_topic_grow(struct log *log, struct str name, uint32_t partition_count,
                           struct error *err) STATUS_CHECKED;
/* Set these keys (value NULL: back to the default), keep the others. Durable on return.
 * validate_only: the checks alone. */
enum status log_topic_configure(struct log *log, struct str name,
                                const struct log_config_entry *configs, size_t config_count,
                                bool validate_only, struct error *err) STATUS_CHECKED;

/* A reference, or NULL. */
struct log_topic *log_topic_find(struct log *log, struct str name);
struct log_topic *log_topic_find_id(struct log *log, const uint8_t id[LOG_UUID_BYTES]);
struct log_topic *log_topic_ref(struct log_topic *topic);
void log_topic_unref(struct log_topic *topic); /* NULL is fine */
struct log_topic_info log_topic_info(const struct log_topic *topic);
struct log_config log_topic_config(const struct log_topic *topic);
/* The text in force for a key of the table into dest (NUL-terminated, cut); *out_given: set by the
 * user, not the default. False: no such key. */
bool log_topic_config_text(const struct log_topic *topic, const char *key, char *dest,
                           size_t dest_bytes, bool *out_given);

/* Sorted by name; `each` may keep a reference of its own and must not call the log. */
typedef enum status (*log_topic_fn)(void *context, struct log_topic *topic, struct error *err);
enum status log_topic_list(struct log *log, log_topic_fn each, void *context,
                           struct error *err) STATUS_CHECKED;
/* The existing name nearest to this one (copied into dest, LOG_TOPIC_NAME_MAX + 1 bytes). */
bool log_topic_nearest(struct log *log, struct str name, char *dest);

/* NULL when there is none of this index. Borrowed: valid while the topic is referenced, or take a
 * reference of its own. */
struct log_partition *log_topic_partition(const struct log_topic *topic, uint32_t partition_index);
struct log_partition *log_partition_ref(struct log_partition *partition);
void log_partition_unref(struct log_partition *partition);

/* ---- append ---- */

struct log_append {
    /* in */
    uint8_t *batches; /* whole record batches v2, checked by the caller (record.h: structure, CRC);
                         their base offsets, leader epochs and, for LOG_APPEND_TIME topics, times
                         and CRCs are written here. The caller's memory, not kept. */
    size_t size_bytes;
    /* out */
    bool duplicate;         /* not written: an idempotent producer has sent it again. The rest says
                               where it lies (it may not be durable yet) */
    int64_t base_offset;    /* of the first batch */
    int64_t next_offset;    /* end of the partition after this append */
    int64_t append_time_ms; /* -1 for LOG_CREATE_TIME topics */
    int64_t log_start_offset;
};

/* Written (page cache) on return; durable when the high watermark has reached next_offset.
 * Errors leave the partition as it was: ERR_DATA (not whole v2 batches), ERR_LIMIT (a batch above
 * max.message.bytes), ERR_DISK_FULL, ERR_IO (also: the partition has failed), ERR_NOT_FOUND
 * (deleted). Wakes watches by itself with LOG_PROCESS.
 * A batch with a producer id must be the only one. It is refused with ERR_SEQUENCE when it does not
 * follow the producer's last one and ERR_FENCED when its epoch is an old one; this holds over
 * restarts and crashes. Its first transactional batch opens a transaction, a marker (a control
 * batch, record_marker_build) ends it; between them a batch that is not transactional is refused
 * with ERR_TRANSACTION. Who may append these is the caller's business (the broker's coordinator). A
 * batch with a producer id but no sequence is not checked against others. */
enum status log_append(struct log_partition *partition, struct log_append *append,
                       struct error *err) STATUS_CHECKED;

struct log_producer { /* an idempotent producer of a partition */
    int64_t id;
    int32_t epoch;
    int32_t last_sequence;     /* -1: none */
    int64_t last_timestamp_ms; /* -1: none */
    int64_t txn_first_offset;  /* of its open transaction; -1: none */
};
/* Those that the partition remembers, least recent first; `each` must not call the log. */
typedef enum status (*log_producer_fn)(void *context, const struct log_producer *producer,
                                       struct error *err);
enum status log_producer_list(struct log_partition *partition, log_producer_fn each, void *context,
                              struct error *err) STATUS_CHECKED;

/* ---- group commit ---- */

/* One round: begin (cheap; takes the partitions that are dirty now and in no other round), run (the
 * fsyncs; blocks; I/O pool), finish (cheap; advances high watermarks, wakes watches). Appends go on
 * meanwhile and belong to the next round. Each of the three may run on another thread, in this
 * order. begin is true when there is something to sync; finish is true when there was new dirt
 * meanwhile, so that another round is due (dirty() is called only from clean). */
struct log_sync { /* the caller's memory, zeroed; not to be moved during a round */
    struct log *log;
    struct log_partition *partitions; /* chain of this round */
    uint32_t partition_count;
    uint32_t failed_count; /* after run: partitions that failed now; the logger has the reasons */
};
bool log_sync_begin(struct log *log, struct log_sync *sync);
void log_sync_run(struct log_sync *sync);
bool log_sync_finish(struct log_sync *sync);
/* Somebody waits for what was appended until now (acks=all): begin a round without delay. Cheap;
 * any thread; without a lock of the log held. */
void log_hurry(struct log *log);
/* All three, until clean. ERR_IO when a partition failed. */
enum status log_sync(struct log *log, struct error *err) STATUS_CHECKED;

/* ---- asking ---- */

struct log_offsets {
    int64_t log_start;
    int64_t last_stable;
    int64_t high_watermark;
    int64_t end;
    int32_t leader_epoch;
    bool failed;  /* appends are refused; the reason is log_append's error */
    bool deleted; /* its topic is gone */
    uint64_t size_bytes;
    uint32_t segment_count;
};
void log_partition_offsets(struct log_partition *partition, struct log_offsets *out);
uint32_t log_partition_index(const struct log_partition *partition);

/* Of the records below the high watermark, the first with a timestamp >= timestamp_ms (exact, opens
 * the batch): its offset and timestamp; -1 and -1 when there is none. */
enum status log_find_time(struct log_partition *partition, int64_t timestamp_ms,
                          int64_t *out_offset, int64_t *out_timestamp_ms,
                          struct error *err) STATUS_CHECKED;
/* The record with the largest timestamp (the first of equals); -1 and -1 when empty. */
enum status log_find_latest_time(struct log_partition *partition, int64_t *out_offset,
                                 int64_t *out_timestamp_ms, struct error *err) STATUS_CHECKED;
/* Kafka's OffsetForLeaderEpoch: the largest known epoch <= epoch and the offset at which the next
 * one began (the end, for the current one). -1 and -1 when epoch is unknown. Who has read beyond
 * *out_end_offset under `epoch` has seen records that are no more. */
void log_epoch_end(struct log_partition *partition, int32_t epoch, int32_t *out_epoch,
                   int64_t *out_end_offset);

/* ---- reading ---- */

/* A reader keeps its place (segment, position) and its blocks, so that reading on costs neither a
 * lookup nor an allocation. One thread at a time. It holds a reference of the partition. */
enum status log_reader_open(struct log_reader **out, struct log_partition *partition,
                            struct error *err) STATUS_CHECKED;
void log_reader_close(struct log_reader *reader); /* blocks given out stay valid; NULL is fine */

struct log_read {
    /* in */
    int64_t offset;
    int64_t
        limit_offset; /* batches that begin at or past it are left out; INT64_MAX: none (the high
                         watermark always holds). For read_committed: the last stable offset. */
    size_t max_bytes; /* of the block */
    bool whole_batch; /* the batch in which max_bytes ends is given whole (so at least one comes
                         and nothing is read twice); otherwise it is left out */
    /* out */
    struct buffer *block; /* the caller's reference; whole batches, data..data + size_bytes; NULL:
                             nothing there now. The first may begin before offset (skip its
                             records), and with compaction or control batches gaps are normal. */
    int64_t next_offset;  /* where to read on; = offset when there is no block */
    int64_t high_watermark;
    int64_t log_start;
};

/* pread from the page cache into a block of the reader's own, which comes back to it with the last
 * unref, from any thread. The walk checks magic, length and rising offsets of each batch, not the
 * CRC. Errors: ERR_RANGE (offset below the log start or above the end), ERR_NOT_FOUND (deleted),
 * ERR_CORRUPT, ERR_IO, ERR_BUDGET. */
enum status log_read(struct log_reader *reader, struct log_read *read,
                     struct error *err) STATUS_CHECKED;

struct log_aborted { /* a transaction that was aborted */
    int64_t producer_id;
    int64_t first_offset;
    int64_t last_offset; /* the marker's */
};
/* Append to out (struct log_aborted) those that may have records from offset `from` on and below
 * `to`, which is at most the last stable offset; by rising last offset. A transactional batch of
 * this producer between first and last offset is to be skipped. May read files. ERR_IO,
 * ERR_CORRUPT. */
enum status log_aborted_list(struct log_partition *partition, int64_t from, int64_t to,
                             struct buf *out, struct error *err) STATUS_CHECKED;

/* One-shot wake-up: called once when the high watermark is above after_offset, or the partition is
 * deleted or fails, or its topic has got more partitions (so look before you read). From the thread
 * that advanced it, with the watch lock held: post a message, wake a task; never block, never call
 * the log. Embedded, zero-initialised. */
struct log_watch {
    void (*fire)(struct log_watch *watch);
    int64_t after_offset;
    struct log_watch *next, **link; /* the log's */
};
/* False, and not armed: it is so already. */
bool log_watch_arm(struct log_partition *partition, struct log_watch *watch, int64_t after_offset);
/* On return fire is not running and will not. Not armed is fine. */
void log_watch_cancel(struct log_partition *partition, struct log_watch *watch);

/* ---- upkeep ---- */

/* Retention by size and time over all partitions; I/O pool, every few minutes. *out_next_ms: wall
 * time at which something expires next (INT64_MAX: nothing will without an append). */
enum status log_retain(struct log *log, int64_t *out_next_ms, struct error *err) STATUS_CHECKED;
/* Kafka's DeleteRecords: the log start becomes offset (-1: the high watermark), durable on return.
 * ERR_RANGE above the high watermark; below the log start nothing changes. */
enum status log_delete_records(struct log_partition *partition, int64_t offset,
                               int64_t *out_log_start, struct error *err) STATUS_CHECKED;

#endif
