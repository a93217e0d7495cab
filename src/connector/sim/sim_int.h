/* sim_int.h - shared by the files of connector/sim: the process-wide world, parsed plans. */
#ifndef LEAT_CONNECTOR_SIM_SIM_INT_H
#define LEAT_CONNECTOR_SIM_SIM_INT_H

#include "connector/sim/sim.h"
#include "os/thread.h"
#include "plugin/sink_log.h"

#define SIM_TEXT_MAX   (16u << 20)
#define SIM_SPLITS_MAX 64

struct sim_options {
    const char *rows;
    const char *path;
    int64_t wait_every; /* every Nth poll answers POLL_WAIT first; 0: none */
    int64_t full_every; /* every Nth write answers PUSH_FULL first; 0: none */
    int mode;           /* of the sink; 0: by the primary key */
};
extern const struct option_def SIM_OPTIONS[];
extern const size_t SIM_OPTION_COUNT;

enum sim_event_kind {
    SIM_EVENT_ROW,
    SIM_EVENT_CUT,
    SIM_EVENT_WATERMARK, /* number: microseconds */
    SIM_EVENT_SIGNAL,    /* signal, number */
};

struct sim_event {
    enum sim_event_kind kind;
    enum row_kind row_kind;
    enum sim_signal signal;
    uint32_t line; /* within its section, from 1 */
    uint32_t split;
    uint64_t order; /* section, then place in it: unique among sim_input's tables */
    int64_t number;
    struct sim_value *values;
    uint32_t value_count;
};

struct sim_plan {
    struct sim_event *events;
    uint32_t event_count, capacity;
    uint32_t split_count;
    bool is_open; /* "@open": no end */
    struct arena arena;
};

/* Add a section's lines to the plan; `section` is its place among all. */
enum status sim_plan_parse(struct sim_plan *plan, struct str text, uint64_t section,
                           const char *table, struct error *err) STATUS_CHECKED;
void sim_plan_fini(struct sim_plan *plan);

/* Convert into row of vec; false: *err says why. zone NULL: UTC. */
enum status sim_set_cell(struct vec *vec, uint32_t row, const struct sim_value *value,
                         const struct zone *zone, struct error *err) STATUS_CHECKED;

struct sim_section { /* of sim_input */
    struct sim_section *next;
    uint64_t number;
    const char *table;
    struct str text;
};
struct sim_capture {
    struct sim_capture *next;
    const char *table;
    struct sim_row *rows; /* grows by doubling; old arrays stay in the arena */
    size_t row_count, capacity;
};
struct sim_ledger { /* of an exactly-once sink */
    struct sim_ledger *next;
    const char *sink_id;
    struct sink_ledger ledger;
    uint64_t fence;
};
struct source;

struct sim_world {
    struct mutex mutex; /* guards all of this, and the cursors of open sources */
    bool is_ready;      /* the arena is */
    struct arena arena;
    struct sim_section *sections;
    uint64_t section_count;
    struct sim_capture *captures;
    struct sim_ledger *ledgers;
    enum sink_guarantee guarantee;
    struct source *sources; /* open ones */
    void (*observer)(void *context, enum sim_signal signal, int64_t number);
    void *observer_context;
};
extern struct sim_world sim_world;

/* "a.b.orders" is called "orders". */
struct str sim_table_name(const char *full_name);
/* The table's capture, made when new; NULL without memory. Under the world's mutex. */
struct sim_capture *sim_capture_of(struct str table);

/* Adds rows as sim_sink.c encodes them: all, or none without memory. Under the world's mutex. */
enum status sim_capture_rows(struct sim_capture *capture, const uint8_t *bytes, size_t size_bytes,
                             struct error *err) STATUS_CHECKED;

/* sim_exact.c: as in sink_class */
struct sim_exact {
    struct sink_log *log;
    char *sink_id;
    struct str table;
    uint64_t fence; /* ours; 0: not taken over yet */
};
enum status sim_committer_open(struct sim_exact *exact, struct sink_committer **out,
                               struct error *err) STATUS_CHECKED;
void sim_committer_close(struct sink_committer *committer);
enum status sim_committer_ledger(struct sink_committer *committer, struct sink_ledger *out,
                                 struct error *err);
enum status sim_committer_commit(struct sink_committer *committer, const struct sink_commit *commit,
                                 struct error *err);
void sim_committer_forget(struct sink_committer *committer,
                          const struct sink_committable *committable);

extern const struct source_class SIM_SOURCE;
extern const struct sink_class SIM_SINK;

#endif
