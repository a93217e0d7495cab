/* scenario.h - what a seed stands for: rows, where they come from, what is asked of them, where the
 * results go; and, computed without leat, what the targets have to hold in the end.
 */
#ifndef LEAT_TEST_SIM_SCENARIO_H
#define LEAT_TEST_SIM_SCENARIO_H

#include "base/buffer.h"
#include "base/rng.h"

#define ROWS_MAX    400
#define SPLITS_MAX  4
#define OUTPUTS_MAX 2

enum input_kind {
    INPUT_TOPIC, /* of the log in the process; rows arrive while the job runs, if it is unbounded */
    INPUT_FILES,
    INPUT_PLAN, /* connector sim */
    INPUT_KIND_COUNT
};
enum query_kind {
    QUERY_FILTER,
    QUERY_WINDOW, /* these two only append */
    QUERY_GROUP,
    QUERY_HAVING, /* groups come and go */
    QUERY_NESTED, /* groups of groups: their input changes */
    QUERY_UUID,   /* rows are others each time they are made */
    QUERY_KIND_COUNT
};
enum target_kind { TARGET_UPSERT, TARGET_SQLITE, TARGET_FILES, TARGET_TOPIC, TARGET_KIND_COUNT };

struct row {
    int64_t id;
    int key, value;
    int64_t time_s; /* since the scenario's first */
    uint32_t split;
    bool is_delete; /* of the row with this id; INPUT_PLAN only */
};

struct scenario {
    uint64_t seed;
    enum input_kind input;
    bool is_unbounded; /* INPUT_TOPIC: the job ends by a stop */
    bool is_json;      /* the input's format, else csv */
    uint32_t split_count;
    uint32_t first_splits; /* INPUT_TOPIC: partitions at first; others come with their first rows */
    uint32_t row_count;
    struct row rows[ROWS_MAX]; /* in the order of their arrival */
    int compression;           /* of what is sent to the topic */
    uint32_t wait_every;       /* INPUT_PLAN: every Nth poll has nothing first; 0: none */
    uint32_t output_count;
    bool is_set; /* one job for both outputs */
    struct output {
        enum query_kind query;
        enum target_kind target;
        uint32_t partition_count; /* TARGET_TOPIC */
    } outputs[OUTPUTS_MAX];
    uint32_t batch_rows;
    uint32_t queue_bytes; /* 0: the default */
    bool two_phases, changes;
    uint32_t interval_ms;   /* of checkpoints */
    uint32_t disturbances;  /* at most */
    uint32_t disturb_every; /* rounds of the driver, on average */
};

void scenario_draw(struct scenario *scenario, uint64_t seed);
void scenario_describe(const struct scenario *scenario, char *out, size_t size_bytes);

/* CREATE TABLE of the input, src, and of the outputs, out0 and out1. */
void scenario_tables(const struct scenario *scenario, struct buf *out);
/* The INSERTs, or the statement set. */
void scenario_inserts(const struct scenario *scenario, struct buf *out);
/* SELECT of all that is in the output. */
void scenario_select(const struct scenario *scenario, uint32_t output, struct buf *out);
/* The row as the input's format has it, without a newline. */
void scenario_row_text(const struct scenario *scenario, const struct row *row, struct buf *out);
/* The arrival plan of INPUT_PLAN. */
void scenario_plan_text(const struct scenario *scenario, struct buf *out);

/* The rows that the output has in the end, a line each, values joined by '|', in any order. */
void scenario_expected(const struct scenario *scenario, uint32_t output, struct buf *out);

#endif
