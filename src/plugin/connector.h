/* connector.h - the contract of connectors: sources with splits and positions, sinks with writers.
 *
 * One const struct connector_class per connector, all in the registry that cli builds. Nothing in
 * here blocks: opening starts the work, poll and write answer "wait" and wake the task later;
 * blocking libraries run on threads of the connector's own or the I/O pool.
 *
 * Source:  open -> discover splits -> reader per split -> poll, poll, ... -> close
 *   A reader yields records (for a format) or finished batches. After every poll position() tells
 *   where the split is read up to: an opaque versioned byte string from which reader_open()
 * continues exactly (replay EXACT) or not at all (NONE; contracts.md rule 18). Sink:    open ->
 * writer per subtask -> write ... flush(epoch) ... -> finish -> close flush answers DONE once
 * everything written before is durable in the target (rule 31).
 */
#ifndef LEAT_PLUGIN_CONNECTOR_H
#define LEAT_PLUGIN_CONNECTOR_H

#include "plugin/format.h"

/* ---- sources */

enum source_replay { SOURCE_REPLAY_EXACT, SOURCE_REPLAY_NONE };

#define SPLIT_ID_MAX       512
#define SPLIT_POSITION_MAX 4096

struct source_split {
    char id[SPLIT_ID_MAX]; /* stable name: "orders-3", a file's path */
};

enum poll_result {
    POLL_ROWS,  /* output is filled */
    POLL_WAIT,  /* nothing now; wake will be notified, or output->again_us passes */
    POLL_END,   /* the split is finished, now and for ever */
    POLL_ERROR, /* err is set; err->retriable: poll again after a while */
};

struct source_output {
    const struct records *records; /* either records ... */
    struct batch *batch;           /* ... or a batch (the caller owns the reference) of the wanted
                                      fields, then the wanted metadata */
    int64_t
        again_us; /* with POLL_WAIT: monotonic time to poll again at even without a wake; 0: none */
};

struct source_request {
    const struct table_description *table;
    uint32_t wanted_count;
    const uint32_t *wanted; /* fields the query needs */
    uint32_t metadata_count;
    const struct table_metadata *metadata;
    uint32_t predicate_count;
    const struct table_predicate *predicates; /* advisory: a source may ignore any */
    int64_t limit;                            /* rows that suffice; -1: all */
    uint32_t parallelism;
    const char *job_name;
    const struct plugin_context *context;
    struct mem_owner *owner;
};

struct source;
struct source_reader;

struct source_class {
    size_t size;                           /* sizeof(struct source_class) */
    bool needs_format;                     /* yields records; the table's 'format' decodes them */
    const struct table_metadata *metadata; /* what it offers; types are the connector's */
    size_t metadata_count;
    /* Bounded as declared by these options (a bounded job ends). Pure; parses options only. */
    enum status (*is_bounded)(const struct table_description *table, bool *out, struct error *err);
    /* Its batches may hold other rows than +I (all of -U, +U, -D: complete changes). NULL: never;
     * for sources of records the format says it. Pure. */
    enum status (*is_changelog)(const struct table_description *table, bool *out,
                                struct error *err);
    enum status (*open)(const struct source_request *request, struct wake *wake,
                        struct source **out, struct error *err);
    /* Calls each() for splits not told before. POLL_ROWS: there were some; POLL_WAIT: more may come
     * (wake is notified); POLL_END: there will never be more; POLL_ERROR. */
    enum poll_result (*discover)(struct source *source,
                                 enum status (*each)(void *context,
                                                     const struct source_split *split,
                                                     struct error *err),
                                 void *context, struct error *err);
    /* discover has told all splits that there were when it was first asked; only then those of a
     * checkpoint are read on, so that the watermark waits for all. NULL: after its first answer. */
    bool (*discovered)(struct source *source);
    /* After discover has told the split: appends the position of the table's declared start, so
     * that it is decided once, for all subtasks and checkpoints. NULL: reader_open decides. */
    enum status (*start)(struct source *source, const struct source_split *split, struct buf *out,
                         struct error *err);
    /* position NULL: the table's declared start. */
    enum status (*reader_open)(struct source *source, const struct source_split *split,
                               const void *position, size_t position_bytes, struct wake *wake,
                               struct source_reader **out, struct error *err);
    enum poll_result (*poll)(struct source_reader *reader, uint32_t max_rows,
                             struct source_output *out, struct error *err);
    /* Appends the position after the last rows handed out. */
    enum status (*position)(struct source_reader *reader, struct buf *out, struct error *err);
    /* Values of metadata column `index` of the request for all records, for sources of records. */
    enum status (*fill_metadata)(struct source_reader *reader, const struct records *records,
                                 uint32_t index, struct vec **out, struct error *err);
    /* One sentence for "why no output"; false: nothing to say. */
    bool (*why)(struct source *source, struct buf *out);
    void (*reader_close)(struct source_reader *reader);
    /* A split that the checkpoint has which the job goes on from; discover may tell it again.
     * finished: it was read to its end, and is not opened. Between open and everything else. NULL:
     * nothing to do. */
    void (*known)(struct source *source, const struct source_split *split, bool finished);
    void (*close)(struct source *source);
    enum source_replay (*replay)(const struct table_description *table);
};

/* ---- sinks */

enum push_result {
    PUSH_DONE,  /* taken */
    PUSH_FULL,  /* not taken (write) or not finished (flush, finish): call again after the wake */
    PUSH_ERROR, /* err is set */
};

enum sink_mode {               /* which changelogs it accepts */
                 SINK_APPEND,  /* +I only */
                 SINK_UPSERT,  /* +I, +U and -D by primary key; -U is left out */
                 SINK_RETRACT, /* all four kinds */
};

struct sink_request {
    const struct table_description *table;
    const struct format_class *format; /* NULL: none */
    const struct option_given
        *format_options; /* without the prefix; borrowed for the sink's life */
    size_t format_option_count;
    enum sink_mode mode;
    bool coalesce; /* only the last value per key matters (contracts.md rule 4) */
    uint32_t parallelism;
    const char *job_name;
    const struct plugin_context *context;
    struct mem_owner *owner;
    /* The job goes on from a checkpoint: open sets it when the target that the job has written is
     * not there any more. NULL: the job begins. */
    bool *is_gone;
};

struct sink;
struct sink_writer;

struct sink_class {
    size_t size;
    bool needs_format;
    bool keeps_state; /* shows only the last value per key: changes may be coalesced */
    /* The mode it works in for this table (a primary key usually means upsert). */
    enum status (*mode)(const struct table_description *table, enum sink_mode *out,
                        struct error *err);
    /* May block briefly on local files only (making missing tables happens in the writer). */
    enum status (*open)(const struct sink_request *request, struct sink **out, struct error *err);
    enum status (*writer_open)(struct sink *sink, uint32_t subtask, struct wake *wake,
                               struct sink_writer **out, struct error *err);
    /* Columns of the batch are the table's physical fields in order. PUSH_DONE: the writer has its
     * own reference or copy. */
    enum push_result (*write)(struct sink_writer *writer, struct batch *batch, struct error *err);
    /* Everything before is durable in the target? */
    enum push_result (*flush)(struct sink_writer *writer, uint64_t epoch, struct error *err);
    enum push_result (*finish)(struct sink_writer *writer, struct error *err); /* end of input */
    bool (*why)(struct sink_writer *writer, struct buf *out);
    void (*writer_close)(struct sink_writer *writer);
    void (*close)(struct sink *sink);
};

/* ---- classes and their registry */

struct endpoint_class; /* plugin/endpoint.h */

struct connector_class {
    size_t size;
    const char *name; /* "kafka" */
    const char *help;
    const struct option_def
        *options; /* all options of source and sink, "connector" and the format's apart */
    size_t option_count;
    const struct source_class *source;     /* NULL: cannot be read */
    const struct sink_class *sink;         /* NULL: cannot be written */
    const struct endpoint_class *endpoint; /* NULL: takes no rows over HTTP */
};

struct plugin_registry {
    const struct connector_class *const *connectors; /* NULL-terminated */
    const struct format_class *const *formats;
};
/* Options that any table may have beside its connector's; the planner reads them. */
enum bad_rows_policy { BAD_ROWS_FAIL, BAD_ROWS_SKIP, BAD_ROWS_DEAD_LETTER };
struct plugin_table_options {
    int bad_rows;
    const char *dead_letter_table; /* NULL: none given */
    int64_t idle_timeout_ms;
    const char *unused;
};
#define PLUGIN_TABLE_OPTION_COUNT 7
extern const struct option_def PLUGIN_TABLE_OPTIONS[PLUGIN_TABLE_OPTION_COUNT];
/* NULL: unknown; ERR_NAME with the nearest name. */
const struct connector_class *plugin_connector(const struct plugin_registry *registry,
                                               struct str name, struct error *err);
const struct format_class *plugin_format(const struct plugin_registry *registry, struct str name,
                                         struct error *err);

/* The table's 'format' (or 'value.format') and its own options with the prefix taken off, in arena.
 * *format NULL: none given. */
enum status plugin_table_format(const struct plugin_registry *registry,
                                const struct table_description *table, struct arena *arena,
                                const struct format_class **format,
                                const struct option_given **options, size_t *option_count,
                                struct error *err) STATUS_CHECKED;
/* Parse the options that are the connector's own into target (zeroed): those of the format and of
 * every table are left out. what: "connector 'kafka'". */
enum status plugin_connector_options(const struct option_def *defs, size_t def_count,
                                     const struct table_description *table, const char *what,
                                     void *target, struct arena *arena,
                                     struct error *err) STATUS_CHECKED;
/* Check every WITH option of a table against connector and format; errors carry positions. */
enum status plugin_validate(const struct plugin_registry *registry,
                            const struct table_description *table,
                            struct error *err) STATUS_CHECKED;

#endif
