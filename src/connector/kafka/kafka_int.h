/* kafka_int.h - what the files of the kafka connector share: options, positions, the two ways to
 * read and to write.
 *
 *   kafka_source.c ─┬─ kafka_log_source.c      the log of the broker in this process
 *                   └─ kafka_remote_source.c   librdkafka
 *   kafka_sink.c   ─┬─ kafka_log_sink.c
 *                   └─ kafka_remote_sink.c
 */
#ifndef LEAT_CONNECTOR_KAFKA_KAFKA_INT_H
#define LEAT_CONNECTOR_KAFKA_KAFKA_INT_H

#include "connector/kafka/kafka.h"

/* ---- kafka_options.c ---- */

enum kafka_start { START_EARLIEST, START_LATEST, START_GROUP, START_TIMESTAMP, START_SPECIFIC };
enum kafka_end { END_UNBOUNDED, END_LATEST, END_GROUP, END_TIMESTAMP, END_SPECIFIC };
enum kafka_reset { RESET_UNSET, RESET_EARLIEST, RESET_LATEST, RESET_NONE };
enum kafka_partitioner { PARTITIONER_DEFAULT, PARTITIONER_FIXED, PARTITIONER_ROUND_ROBIN };
enum kafka_guarantee { GUARANTEE_AT_LEAST_ONCE, GUARANTEE_NONE, GUARANTEE_EXACTLY_ONCE };

#define KAFKA_TOPICS_MAX    256
#define KAFKA_SPECIFICS_MAX 10000

struct kafka_specific { /* of scan.startup.specific-offsets */
    int32_t partition;
    int64_t offset;
};

struct kafka_options {
    const char *topic_text;
    const struct option_pair *properties; /* "properties." taken off */
    int start;                            /* enum kafka_start */
    int bounded;                          /* enum kafka_end */
    const char *start_specific_text, *end_specific_text;
    int64_t start_timestamp_ms, end_timestamp_ms; /* -1: not given */
    int64_t discovery_ms;
    int64_t parallelism;
    int partitioner; /* enum kafka_partitioner */
    int guarantee;   /* enum kafka_guarantee */
    const char *transactional_prefix;
    const char *not_built[16]; /* options of Flink's that are refused */
    /* from the above */
    const char *bootstrap_servers;
    const char *group_id;
    int reset; /* enum kafka_reset */
    bool read_committed;
    uint32_t topic_count;
    struct str topics[KAFKA_TOPICS_MAX];
    struct kafka_specific *start_specifics, *end_specifics;
    uint32_t start_specific_count, end_specific_count;
};
#define KAFKA_OPTION_COUNT 20
extern const struct option_def KAFKA_OPTIONS[KAFKA_OPTION_COUNT];

/* Everything in arena. Errors name the option and, where one is near, the right name. */
enum status kafka_options_parse(const struct table_description *table,
                                struct kafka_options *options, struct arena *arena,
                                struct error *err) STATUS_CHECKED;
/* What only a source must have (a start that is defined) and what only a sink must. */
enum status kafka_options_check_source(const struct table_description *table,
                                       const struct kafka_options *options,
                                       struct error *err) STATUS_CHECKED;
enum status kafka_options_check_sink(const struct table_description *table,
                                     const struct kafka_options *options,
                                     struct error *err) STATUS_CHECKED;
/* The bootstrap address is this process's own broker, as the same principal. */
bool kafka_is_embedded(const struct kafka_options *options, const struct plugin_context *context);
const char *kafka_property(const struct kafka_options *options, const char *key); /* or NULL */
/* -1: not among them. */
int64_t kafka_specific_offset(const struct kafka_specific *specifics, uint32_t count,
                              int32_t partition);

/* ---- kafka_position.c: where a split is read up to ---- */

#define KAFKA_UUID_BYTES 16

struct kafka_position {
    uint8_t topic_id[KAFKA_UUID_BYTES]; /* zeros: not known (librdkafka) */
    int64_t offset;                     /* the next one to read */
    int64_t end_offset;                 /* of a bounded read; -1: none */
    int32_t leader_epoch;               /* of the last record read; -1: not known */
    int64_t last_offset;                /* of the last record read; -1: not known */
    uint64_t last_hash;                 /* of that record */
};
void kafka_position_encode(const struct kafka_position *position, struct buf *out);
enum status kafka_position_decode(const void *bytes, size_t size_bytes, struct kafka_position *out,
                                  struct error *err) STATUS_CHECKED;

/* ---- kafka_records.c: the arrays that a reader hands out ---- */

struct kafka_records {
    struct records records;
    uint32_t *header_counts_own;
    struct payload_header **headers_own;
    struct arena headers_arena;
    bool wants_headers;
    void *memory; /* all the arrays */
};
enum status kafka_records_init(struct kafka_records *own, bool wants_headers, const char *topic,
                               int32_t partition, struct error *err) STATUS_CHECKED;
void kafka_records_clear(struct kafka_records *own); /* gives the buffers back */
void kafka_records_fini(struct kafka_records *own);

enum status kafka_fill_metadata(const struct records *records, const char *key,
                                struct mem_owner *owner, struct vec **out,
                                struct error *err) STATUS_CHECKED;

/* ---- the two ways of a source: functions as in source_class ---- */

struct kafka_source { /* what both have in common; the first member of each */
    const struct kafka_source_way *way;
    struct kafka_options options;
    struct arena arena; /* of options and names */
    const char *table_name;
    const struct plugin_context *context;
    struct mem_owner *owner;
    struct wake *wake;
    uint32_t metadata_count;
    const char **metadata; /* keys */
    bool wants_headers;
    bool restored; /* from a checkpoint that knows partitions: all others came later */
};
/* New partitions are looked for while the job runs: a bounded read has those of its start. */
bool kafka_discovers(const struct kafka_source *source);

struct kafka_source_way {
    enum status (*open)(struct kafka_source **out, struct error *err); /* allocates, zeroed */
    enum status (*start)(struct kafka_source *source, struct error *err);
    enum poll_result (*discover)(struct kafka_source *source, source_split_fn each, void *context,
                                 int64_t *again_us, struct error *err);
    bool (*discovered)(struct kafka_source *source); /* NULL: always */
    /* Where a told partition begins. */
    enum status (*begin)(struct kafka_source *source, struct str topic, int32_t partition,
                         struct kafka_position *out, struct error *err);
    enum status (*reader_open)(struct kafka_source *source, struct str topic, int32_t partition,
                               const struct kafka_position *position, struct wake *wake,
                               struct source_reader **out, struct error *err);
    enum poll_result (*poll)(struct source_reader *reader, uint32_t max_rows,
                             struct source_output *out, struct error *err);
    void (*position)(struct source_reader *reader, struct kafka_position *out);
    bool (*why)(struct kafka_source *source, struct buf *out);
    void (*reader_close)(struct source_reader *reader);
    void (*close)(struct kafka_source *source); /* frees what open allocated */
};
extern const struct kafka_source_way KAFKA_LOG_SOURCE, KAFKA_REMOTE_SOURCE;
extern const struct source_class KAFKA_SOURCE;

/* ---- the two ways of a sink ---- */

struct kafka_sink {
    const struct kafka_sink_way *way;
    struct kafka_options options;
    struct arena arena;
    const struct table_description *table;
    const struct format_class *format;
    struct option_given *format_options;
    size_t format_option_count;
    const struct plugin_context *context;
    struct mem_owner *owner;
    /* exactly once: kafka_exact.h */
    struct sink_log *log;
    const char *servers; /* where its cluster is reached */
    const char *topic_name, *transactional_id, *ledger_group;
    uint64_t fence;      /* ours, in the ledger */
    bool has_taken_over; /* the committer's thread */
};

struct kafka_writer { /* the first member of both writers */
    struct kafka_sink *sink;
    struct wake *wake;
    uint32_t subtask;
    struct encoder *encoder;
    struct buf encoded; /* of one batch */
    uint32_t offsets[BATCH_ROWS_MAX + 1];
};

struct kafka_sink_way {
    enum status (*writer_new)(struct kafka_writer **out, struct error *err); /* zeroed */
    enum status (*start)(struct kafka_writer *writer, struct error *err);
    bool (*is_full)(struct kafka_writer *writer); /* arranges for the wake */
    /* All of writer->encoded. */
    enum status (*append)(struct kafka_writer *writer, uint32_t row_count,
                          struct error *err) STATUS_CHECKED; /* ERR_AGAIN: full, nothing taken */
    enum push_result (*flush)(struct kafka_writer *writer, struct error *err);
    bool (*why)(struct kafka_writer *writer, struct buf *out);
    void (*writer_free)(struct kafka_writer *writer);
};
extern const struct kafka_sink_way KAFKA_LOG_SINK, KAFKA_REMOTE_SINK;
extern const struct sink_class KAFKA_SINK;

struct kafka_reader { /* the first member of both readers */
    struct kafka_source *source;
};

#endif
