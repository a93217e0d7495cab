/* source_int.h - shared by source*.c: the running state of one subtask of a source. */
#ifndef LEAT_OPERATOR_SOURCE_INT_H
#define LEAT_OPERATOR_SOURCE_INT_H

#include <stdio.h>

#include "data/key.h"
#include "operator/operator_int.h"
#include "os/thread.h"

#define SPLITS_MAX 65536

struct split {        /* one being read */
    struct wake wake; /* given to the reader */
    _Atomic bool ready;
    struct operator* op;
    struct source_split name;
    uint32_t number;
    struct source_reader *reader; /* NULL: ended, or not opened yet */
    bool ended, idle;
    bool caught_up; /* it has been read to its end once */
    bool troubled;  /* its last poll has failed, and is tried again */
    int64_t watermark_us;
    int64_t last_row_us; /* monotonic; the opening counts */
    uint64_t row_count;  /* given since then */
    int64_t retry_us;    /* poll again then: after a retriable error, or asked for; 0: none */
    bool wake_counts;    /* it was asked for: a wake before that counts too */
    /* where to go on from, while there is no reader; borrowed from the plan. NULL: the start */
    const uint8_t *position;
    size_t position_bytes;
};

struct planned_split {
    struct source_split name;
    bool ended, idle;
    int64_t watermark_us;
    uint8_t *position; /* of a checkpoint, or its start; owned; NULL: the declared start */
    size_t position_bytes;
};

struct split_plan { /* shared by the subtasks: which splits there are, i-th to subtask i % P */
    _Atomic uint32_t users;
    struct mutex mutex;
    uint32_t count, capacity;
    struct planned_split *splits;
    bool restored;
    uint32_t restored_count; /* the first ones, in order of their ids, are from a checkpoint */
    int64_t restored_watermark_us; /* of the whole source */
    bool asked;                    /* discovery has answered once */
    bool complete;                 /* there will never be more */
    struct operator* ops[KEY_GROUP_COUNT];
};

struct letter {      /* a record that gave no row, and why */
    uint32_t record; /* or row number, for sources of batches */
    enum status code;
    char text[200];
};

struct source_state {
    const struct source_class *class;
    struct source *source;
    struct wake discover_wake;
    _Atomic bool discover_ready;
    struct operator* op;
    struct split_plan *plan;
    uint32_t taken; /* entries of the plan looked at */
    uint32_t split_count, split_capacity;
    struct split **splits;
    uint32_t next_split;
    uint32_t ended_count;
    struct error trouble;      /* the last retriable error, of a split or of the discovery */
    bool discover_failed;      /* its last call */
    int64_t discover_retry_us; /* ask for splits again then; 0: the wake alone */

    struct decoder *decoder; /* NULL: the connector yields batches */
    struct expr_program *program;
    struct evaluator *evaluator; /* NULL: columns are as they come */
    struct vec **results;
    struct row_errors errors;
    struct bad_rows bad;

    bool waits;           /* nothing is read before all splits are known */
    bool announce;        /* watermark_us is from a checkpoint and not emitted yet */
    int64_t watermark_us; /* as emitted */
    bool idle;            /* as emitted */
    uint32_t mark_count;
    struct watermark_mark marks[BATCH_ROWS_MAX];
    uint16_t selection[BATCH_ROWS_MAX];
    uint16_t row_records[BATCH_ROWS_MAX];

    uint32_t letter_count, letter_capacity;
    struct letter *letters;
};

/* source.c */
enum status source_plan_split(struct split_plan *plan, const struct planned_split *split,
                              struct error *err) STATUS_CHECKED;
enum status source_keep_position(struct planned_split *split, const void *position,
                                 size_t size_bytes, struct error *err) STATUS_CHECKED;
enum status source_take_splits(struct source_state *state, bool *over,
                               struct error *err) STATUS_CHECKED;
/* source_state.c: what a checkpoint keeps. */
enum status source_snapshot(struct operator* op, struct buf *out, struct error *err) STATUS_CHECKED;
enum status source_restore(struct operator* op, struct error *err) STATUS_CHECKED;
/* The split is in the plan since before the job went on from a checkpoint. */
bool source_plan_knows(const struct split_plan *plan, const struct source_split *split);

/* source_rows.c: what a reader gave becomes a batch and is emitted. */
enum status source_rows(struct source_state *state, struct split *split,
                        const struct source_output *output, struct error *err) STATUS_CHECKED;
/* source_letters.c: rows that cannot be used. row: of the batch or records; records NULL for
 * sources of batches. Fails the job, or keeps the letter, as the table's policy says. */
enum status source_bad_row(struct source_state *state, const struct split *split,
                           const struct records *records, uint32_t record, enum status code,
                           const char *text, struct error *err) STATUS_CHECKED;
enum status source_send_letters(struct source_state *state, const struct split *split,
                                const struct records *records, struct error *err) STATUS_CHECKED;
/* source_watermark.c */
/* The split's watermark moves over the rows; marks of the whole subtask to state->marks. */
void source_marks(struct source_state *state, struct split *split, const struct batch *batch,
                  const struct vec *watermarks);
/* Emits watermark and status where idle, ended or new splits have changed them; arms the timer of
 * the next split to become idle. */
enum status source_idleness(struct source_state *state, struct error *err) STATUS_CHECKED;

#endif
