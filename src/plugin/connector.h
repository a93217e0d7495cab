/* connector.h - the contract of connectors: sources with splits and positions, sinks with writers.
 *
 * One const struct connector_class per connector, all in the registry that cli builds. Nothing in
 * here blocks: opening starts the work, poll and write answer "wait" and wake the task later;
 * blocking libraries run on threads of the connector's own or the I/O pool.
 *
 * Source:  open -> discover splits -> reader per split -> poll, poll, ... -> close
 *   A reader yields records (for a format) or finished batches. After every poll position() tells
 *   where the split is read up to: an opaque versioned byte string from which reader_open()
 * continues exactly (replay EXACT) or not at all (NONE; contracts.md rule 18).
 *
 * Sink:    open -> writer per subtask -> write ... flush(epoch) ... -> finish -> close
 *   flush answers DONE once everything written before is durable in the target (rule 31).
 *
 * Sink, exactly once (rules 25-32):
 *   writers: write ... flush(epoch) -> prepare(epoch) -> committables      (the tasks' threads)
 *                                                |  part of the checkpoint of that epoch
 *   committer: committer_open -> ledger -> commit, commit ... -> committer_close   (its own thread)
 *   A writer keeps an epoch's rows where nobody sees them; flush answers DONE once they are durable
 *   there. prepare names them: committables, opaque versioned bytes. Once the checkpoint exists,
 *   the sink's one committer applies them to the target, in the order of epochs, subtasks and
 *   prepare. Rows that must be kept on leat's side meanwhile go to a log (plugin/sink_log.h).
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
typedef enum status (*source_split_fn)(void *context, const struct source_split *split,
                                       struct error *err);

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
     * (wake is notified, or ask again at *again_us, monotonic; 0: the wake alone); POLL_END: there
     * will never be more; POLL_ERROR. */
    enum poll_result (*discover)(struct source *source, source_split_fn each, void *context,
                                 int64_t *again_us, struct error *err);
    /* discover has told all splits that there were when it was first asked; only then those of a
     * checkpoint are read on, so that the watermark waits for all. NULL: after its first answer. */
    bool (*discovered)(struct source *source);
    /* After discover has told the split: appends the position where it begins (the table's declared
     * start; the earliest for one that came later), so that it is decided once, for all subtasks
     * and checkpoints. NULL: reader_open decides. */
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
    /* What keeps it from reading, in a sentence, for "why no output"; false: nothing does. */
    bool (*why)(struct source *source, struct buf *out);
    /* Why there may be nothing to read although nothing is wrong: appends " Sentence.", or nothing.
     * NULL: nothing. */
    void (*no_rows)(struct source *source, struct buf *out);
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

/* What the table's options ask for, whether by name or by the connector's default. */
enum sink_guarantee {
    SINK_ASKS_AT_LEAST_ONCE,
    SINK_ASKS_CHECKPOINTED, /* exactly once where the job has checkpoints, else at least once */
    SINK_ASKS_EXACTLY_ONCE, /* given by name: without checkpoints it is an error */
};

/* What the planner has made of it for one sink of one job. */
enum sink_delivery {
    SINK_AT_LEAST_ONCE, /* rows are written at once; those since a checkpoint may come twice */
    SINK_DIRECT,        /* upserts are written at once: the rows are proven to be the same ones when
                           they come again, and replace themselves by key (rule 30) */
    SINK_EXACTLY_ONCE,  /* rows are committed once their checkpoint exists */
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
    enum sink_delivery delivery;
    /* NULL where delivery is AT_LEAST_ONCE. The sink's name in its target, the same from run to
     * run: "JOB/Sink(default_catalog.default_database.totals)". It is the key of its ledger row.
     * Like the rest of the request from here on it is to be copied. */
    const char *sink_id;
    /* Likewise. Which history of the job this run belongs to: the same from run
     * to run as long as each goes on from the newest checkpoint of the one before. DIRECT sinks
     * leave it in the target as their marker (rule 32). */
    const uint8_t *lineage;
    /* EXACTLY_ONCE: a directory of leat's for this sink alone, for what has to be kept until it is
     * committed. It need not exist. Else NULL. */
    const char *log_directory;
    /* EXACTLY_ONCE: what the checkpoint that the job goes on from has prepared and not seen
     * committed. All else that earlier runs of this sink_id have left uncommitted is nobody's; open
     * takes it away. */
    uint32_t pending_count;
    const struct str *pending;
    /* The job goes on from a checkpoint by which this sink had left its marker: open sets it when
     * target or marker is not there any more. NULL: there was none yet. A sink that only learns it
     * from a server leaves it alone; its committer's ledger then is not found. */
    bool *is_gone;
};

struct sink;
struct sink_writer;

/* ---- sinks: exactly once */

#define SINK_LINEAGE_BYTES         16
#define SINK_COMMITTABLE_BYTES_MAX (64u << 10)
/* Most of one transaction; a committable should not exceed them (but for one row that does). */
#define SINK_COMMIT_BYTES_MAX      (16u << 20)
#define SINK_COMMIT_ROWS_MAX       50000

/* A part of an epoch that is applied as a whole. */
struct sink_committable {
    uint64_t row_count;
    uint64_t size_bytes; /* of what is kept until it is committed: counts as pending */
    struct str bytes;
};
/* What a writer's prepare fills, in the order in which it is to be applied (committables.c). */
struct sink_committables {
    uint32_t count, capacity;
    struct sink_committable *items; /* own their bytes */
};
/* Appends one; its bytes are copied. */
enum status sink_committables_add(struct sink_committables *list,
                                  const struct sink_committable *committable,
                                  struct error *err) STATUS_CHECKED;
/* Removes the first `count` ones. */
void sink_committables_drop(struct sink_committables *list, uint32_t count);

/* How far a sink has been committed: chunks count from 1 in each epoch, in the order in which they
 * are applied. {0}: nothing yet. */
struct sink_position {
    uint64_t epoch;
    uint64_t chunk;
    uint64_t row_count; /* in all, since the sink's ledger was made */
};
/* What the target itself knows of the sink, changed in the same transaction as its rows. */
struct sink_ledger {
    bool found; /* false: it knows nothing, and all below is 0 */
    uint8_t lineage[SINK_LINEAGE_BYTES];
    struct sink_position position;
};
/* One transaction: committables (maybe none: then only the ledger moves) and the ledger from
 * `before` to `after`. */
struct sink_commit {
    struct sink_ledger before, after;
    uint32_t count;
    const struct sink_committable *committables;
};

struct sink_committer;

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
    /* End of input. EXACTLY_ONCE: flush and prepare of the last epoch still follow. */
    enum push_result (*finish)(struct sink_writer *writer, struct error *err);
    bool (*why)(struct sink_writer *writer, struct buf *out);
    /* EXACTLY_ONCE: what prepare has named stays; it is the committer's, now or in the next run. */
    void (*writer_close)(struct sink_writer *writer);
    void (*close)(struct sink *sink);

    /* Exactly once. guarantee NULL: the sink is at-least-once and the rest is NULL too. */

    /* What the table's options ask for. Pure. Upserts of a keeps_state sink that asks CHECKPOINTED
     * become DIRECT where the planner can prove that replayed rows are the same. */
    enum status (*guarantee)(const struct table_description *table, enum sink_guarantee *out,
                             struct error *err);
    /* After flush(epoch) has answered DONE: the rows since the last prepare as committables, one
     * per transaction; none where there were no rows. Does not block. The checkpoint of that epoch
     * may fail: then what was prepared is committed with a later one. */
    enum status (*prepare)(struct sink_writer *writer, uint64_t epoch,
                           struct sink_committables *out, struct error *err);

    /* The committer: one per sink and process, on one thread at a time that is not a task's, which
     * may block (some seconds at most: a cancelled job waits for it). After any error it is closed,
     * and if the error is retriable opened again, later and later; whether the transaction came
     * about is then seen in the ledger. The sink outlives it. */
    enum status (*committer_open)(struct sink *sink, struct sink_committer **out,
                                  struct error *err);
    /* Takes the sink over, so that whoever has committed for this sink_id before (another process,
     * a transaction under way) can do so no more, then reads the ledger. When this sink has taken
     * it over before and another has since: ERR_FENCED, fatal. NULL: the target keeps no ledger;
     * commit is then asked for all that is pending, also for what had been applied, and finds out
     * itself. */
    enum status (*ledger)(struct sink_committer *committer, struct sink_ledger *out,
                          struct error *err);
    /* All of the transaction or nothing; OK: it is durable in the target. It hits only a ledger
     * that is as `before` says (found: with lineage and position), else ERR_FENCED, fatal. The
     * first transaction of a sink has no committables, before.found false, and makes the ledger. */
    enum status (*commit)(struct sink_committer *committer, const struct sink_commit *commit,
                          struct error *err);
    /* The committable is applied, now or in an earlier run: what is left of it on leat's side can
     * go. Failures do not matter (open takes it away). NULL: nothing is left. */
    void (*forget)(struct sink_committer *committer, const struct sink_committable *committable);
    void (*committer_close)(struct sink_committer *committer);
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
enum sink_on_reset { SINK_REBUILD, SINK_FAIL }; /* contracts.md rule 32 */
struct plugin_table_options {
    int bad_rows;
    const char *dead_letter_table; /* NULL: none given */
    int64_t idle_timeout_ms;
    int on_reset; /* enum sink_on_reset; -1: not given */
    int64_t max_pending_bytes;
    const char *unused;
};
#define PLUGIN_TABLE_OPTION_COUNT 9
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
