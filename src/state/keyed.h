/* keyed.h - all keyed state of one operator subtask: its tables, what of them a snapshot writes,
 * and how they are made again.
 *
 * A table has a number of its kind (0, 1, ...: what its rows are) and a namespace (the start of a
 * window; 0 where there is one table of the kind). The operator makes and drops tables; rows are
 * saved and loaded by its two functions. Everything else is here, so that an operator restores all
 * its state by saying what a row is.
 *
 * One thread at a time.
 */
#ifndef LEAT_STATE_KEYED_H
#define LEAT_STATE_KEYED_H

#include "state/snapshot.h"

struct keyed_state;
struct keyed_table { /* embedded in what the operator has for it, or on its own */
    struct state_table *rows;
    struct keyed_state *all;
    uint8_t number;
    int64_t namespace;
    struct keyed_table *next, **link;
};

struct keyed_state_class {
    /* Append the bytes of a row's value. */
    void (*save)(void *context, const struct keyed_table *table, const uint8_t *value,
                 struct buf *out);
    /* The reverse. The value is zeroed, or an older one whose memory is let go of first. */
    enum status (*load)(void *context, const struct keyed_table *table, uint8_t *value,
                        const uint8_t *bytes, size_t size_bytes, struct error *err);
    /* Lets go of what a value owns. NULL: nothing. */
    void (*clear)(void *context, const struct keyed_table *table, uint8_t *value);
    /* While restoring: the table, made when it is not there. */
    enum status (*find)(void *context, uint8_t number, int64_t namespace, struct keyed_table **out,
                        struct error *err);
    /* While restoring: the table is to be dropped; NULL: never. */
    void (*drop)(void *context, struct keyed_table *table);
};

struct keyed_state {
    const struct keyed_state_class *class;
    void *context;
    bool tracked; /* the job has checkpoints */
    struct keyed_table *tables;
    /* records for the next snapshot (keyed_state_settle) */
    struct state_out early;
    size_t early_max; /* bytes; 0: none are written */
    struct state_block *early_first, **early_last;
    /* the snapshot under way */
    struct state_out *out; /* NULL: none */
    struct keyed_table *next;
    struct dropped {
        uint8_t number;
        int64_t namespace;
    } * dropped;
    uint32_t dropped_count, dropped_capacity;
    uint32_t dropped_written; /* of them, the first that the snapshot has */
    struct buf value;         /* scratch */
};

/* epoch: the one that is under way; 0: the job has no checkpoints, nothing is tracked. */
void keyed_state_init(struct keyed_state *all, const struct keyed_state_class *class, void *context,
                      uint64_t epoch);
/* The tables are the operator's: they have been freed, or are after. */
void keyed_state_fini(struct keyed_state *all);

/* Makes table->rows; spec without tracking; what an expired row owns is cleared by the class. */
enum status keyed_table_new(struct keyed_state *all, struct keyed_table *table, uint8_t number,
                            int64_t namespace, const struct state_table_spec *spec,
                            struct error *err) STATUS_CHECKED;
/* Frees it (what rows own has been let go of... after keyed_table_leave). */
void keyed_table_free(struct keyed_table *table);
/* Before a table is dropped for good while the job goes on, and before its rows are let go of:
 * writes what the snapshot under way still lacks, and notes that it is gone. */
enum status keyed_table_leave(struct keyed_table *table, struct error *err) STATUS_CHECKED;

/* All rows are at rest until they are touched again (state_table_settle): for operators that have
 * worked a batch off. Not where tables are dropped, whose rows would come back with the early
 * records of the epoch. */
void keyed_state_settle(struct keyed_state *all);

/* ---- snapshots: begin, step until true, then committed or aborted */
void keyed_state_barrier(struct keyed_state *all, struct state_out *out); /* folds out->fold */
bool keyed_state_step(struct keyed_state *all, uint32_t max_rows);
void keyed_state_committed(struct keyed_state *all);
void keyed_state_aborted(struct keyed_state *all);

/* ---- restoring: the records of a block, those of the given key groups */
enum status keyed_state_restore(struct keyed_state *all, const uint8_t *block,
                                const struct state_block_info *info, uint32_t first_key_group,
                                uint32_t last_key_group, struct error *err) STATUS_CHECKED;

#endif
