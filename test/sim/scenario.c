/* scenario.c - draws a scenario from its seed and writes its SQL. */
#include "test/sim/scenario.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/must.h"

static bool one_in(struct rng *rng, uint64_t count)
{
    return rng_below(rng, count) == 0;
}

static uint32_t between(struct rng *rng, uint32_t least, uint32_t most)
{
    return least + (uint32_t)rng_below(rng, most - least + 1);
}

/* Within a split the times rise but for less than the watermark's delay (3 s): no row is late. */
static void draw_rows(struct scenario *scenario, struct rng *rng, bool deletes)
{
    int64_t base_s[SPLITS_MAX] = {0};
    uint32_t key_count = one_in(rng, 5) ? 100 : between(rng, 1, 12);
    uint32_t pace = between(rng, 1, 6);
    for (uint32_t i = 0; i < scenario->row_count; i++) {
        struct row *row = &scenario->rows[i];
        uint32_t split = (uint32_t)rng_below(rng, scenario->split_count);
        base_s[split] += (int64_t)rng_below(rng, pace);
        *row = (struct row){.id = i,
                            .key = (int)rng_below(rng, key_count),
                            .value = (int)rng_below(rng, 101) - 50,
                            .time_s = base_s[split] + (int64_t)rng_below(rng, 3),
                            .split = split};
        const struct row *earlier = i ? &scenario->rows[rng_below(rng, i)] : row;
        bool gone = earlier == row || earlier->is_delete || earlier->split != split;
        for (uint32_t j = 0; j < i && !gone; j++)
            gone = scenario->rows[j].is_delete && scenario->rows[j].id == earlier->id;
        if (deletes && !gone && one_in(rng, 3)) {
            *row = *earlier;
            row->is_delete = true;
        }
    }
}

/* Rows without end: the last of each split is so late that all windows before it are over. */
static void draw_ends(struct scenario *scenario)
{
    for (uint32_t split = 0; split < scenario->split_count; split++) {
        struct row *row = &scenario->rows[scenario->row_count++];
        *row = (struct row){.id = 1000000 + split, .key = 99, .time_s = 100000, .split = split};
    }
}

static void draw_outputs(struct scenario *scenario, struct rng *rng)
{
    scenario->output_count = one_in(rng, 2) ? 2 : 1;
    scenario->is_set = scenario->output_count == 2 && one_in(rng, 2);
    for (uint32_t i = 0; i < scenario->output_count; i++) {
        struct output *output = &scenario->outputs[i];
        output->query = (enum query_kind)rng_below(rng, QUERY_KIND_COUNT);
        output->target = output->query >= QUERY_GROUP
                             ? TARGET_UPSERT
                             : (enum target_kind)rng_below(rng, TARGET_KIND_COUNT);
        output->partition_count = between(rng, 1, 3);
    }
}

static bool only_groups(const struct scenario *scenario)
{
    for (uint32_t i = 0; i < scenario->output_count; i++)
        if (scenario->outputs[i].query < QUERY_GROUP || scenario->outputs[i].query == QUERY_UUID)
            return false;
    return true;
}

static bool has_window(const struct scenario *scenario)
{
    for (uint32_t i = 0; i < scenario->output_count; i++)
        if (scenario->outputs[i].query == QUERY_WINDOW)
            return true;
    return false;
}

void scenario_draw(struct scenario *scenario, uint64_t seed)
{
    static const uint32_t batches[] = {1, 2, 3, 7, 40, 1000}, intervals[] = {5, 20, 100, 400};
    struct rng rng;
    rng_init(&rng, seed);
    *scenario = (struct scenario){.seed = seed};
    scenario->input = (enum input_kind)rng_below(&rng, INPUT_KIND_COUNT);
    scenario->is_unbounded = scenario->input == INPUT_TOPIC && !one_in(&rng, 3);
    scenario->is_json = one_in(&rng, 2);
    scenario->split_count = between(&rng, 1, SPLITS_MAX);
    scenario->row_count = between(&rng, 10, one_in(&rng, 4) ? 300 : 80);
    draw_outputs(scenario, &rng);
    bool deletes = scenario->input == INPUT_PLAN && only_groups(scenario) && one_in(&rng, 2);
    draw_rows(scenario, &rng, deletes);
    if (scenario->is_unbounded)
        draw_ends(scenario);
    scenario->first_splits = scenario->split_count;
    if (scenario->is_unbounded && !has_window(scenario)) /* rows of later ones would be late */
        scenario->first_splits = between(&rng, 1, scenario->split_count);
    scenario->compression = one_in(&rng, 2) ? 0 : (int)rng_below(&rng, 5);
    scenario->wait_every = one_in(&rng, 2) ? between(&rng, 2, 5) : 0;
    scenario->batch_rows = batches[rng_below(&rng, COUNT_OF(batches))];
    scenario->queue_bytes = one_in(&rng, 2) ? 1 : 0;
    scenario->two_phases = one_in(&rng, 3);
    scenario->changes = one_in(&rng, 3);
    scenario->interval_ms = intervals[rng_below(&rng, COUNT_OF(intervals))];
    scenario->disturbances = one_in(&rng, 12) ? 0 : between(&rng, 1, 8);
    scenario->disturb_every = between(&rng, 4, 40);
}

static const char *const INPUTS[] = {"topic", "files", "plan"};
static const char *const QUERIES[] = {"filter", "window", "group", "having", "nested", "uuid"};
static const char *const TARGETS[] = {"sqlite by key", "sqlite", "files", "topic"};

void scenario_describe(const struct scenario *scenario, char *out, size_t size_bytes)
{
    int length = snprintf(out, size_bytes, "%s of %u%s, %u rows%s", INPUTS[scenario->input],
                          scenario->split_count, scenario->is_unbounded ? " without end" : "",
                          scenario->row_count, scenario->is_set ? ", one job" : "");
    for (uint32_t i = 0; i < scenario->output_count; i++)
        length +=
            snprintf(out + length, size_bytes - (size_t)length, ", %s to %s",
                     QUERIES[scenario->outputs[i].query], TARGETS[scenario->outputs[i].target]);
}

/* ---- SQL */

static void input_options(const struct scenario *scenario, struct buf *out)
{
    if (scenario->input == INPUT_PLAN) {
        buf_printf(out, "'connector' = 'sim', 'wait-every' = '%u'", scenario->wait_every);
        return;
    }
    if (scenario->input == INPUT_FILES)
        buf_append_text(out, "'connector' = 'filesystem', 'path' = '/in'");
    else
        buf_append_text(out, "'connector' = 'kafka', 'topic' = 'src',"
                             " 'properties.bootstrap.servers' = 'embedded',"
                             " 'scan.startup.mode' = 'earliest-offset'");
    if (scenario->input == INPUT_TOPIC && !scenario->is_unbounded)
        buf_append_text(out, ", 'scan.bounded.mode' = 'latest-offset'");
    buf_printf(out, ", 'format' = '%s'", scenario->is_json ? "json" : "csv");
}

static void output_columns(const struct output *output, struct buf *out)
{
    static const char *const columns[] = {
        "id BIGINT, k STRING, v INT",
        "k STRING, w TIMESTAMP(3), n BIGINT, s INT, d BIGINT",
        "k STRING, n BIGINT, s INT, lo INT, hi INT, d BIGINT",
        "k STRING, s INT",
        "n BIGINT, c BIGINT, s INT",
        "id BIGINT, k STRING, v INT, u STRING",
    };
    static const char *const keys[] = {"id", "k, w", "k", "k", "n", "id"};
    buf_append_text(out, columns[output->query]);
    if (output->target == TARGET_UPSERT)
        buf_printf(out, ", PRIMARY KEY (%s) NOT ENFORCED", keys[output->query]);
}

static void output_options(const struct output *output, uint32_t number, struct buf *out)
{
    switch (output->target) {
    case TARGET_UPSERT:
    case TARGET_SQLITE:
        buf_printf(out,
                   "'connector' = 'jdbc', 'url' = 'jdbc:sqlite:/out/out.db',"
                   " 'table-name' = 'out%u'",
                   number);
        break;
    case TARGET_FILES:
        buf_printf(out, "'connector' = 'filesystem', 'path' = '/out/files%u', 'format' = 'csv'",
                   number);
        break;
    default:
        buf_printf(out,
                   "'connector' = 'kafka', 'topic' = 'out%u',"
                   " 'properties.bootstrap.servers' = 'embedded',"
                   " 'scan.startup.mode' = 'earliest-offset',"
                   " 'scan.bounded.mode' = 'latest-offset', 'format' = 'json'",
                   number);
        break;
    }
}

void scenario_tables(const struct scenario *scenario, struct buf *out)
{
    buf_append_text(out, "CREATE TABLE src (id BIGINT, k STRING, v INT, ts TIMESTAMP(3), "
                         "WATERMARK FOR ts AS ts - INTERVAL '3' SECOND) WITH (");
    input_options(scenario, out);
    buf_append_text(out, ");\n");
    for (uint32_t i = 0; i < scenario->output_count; i++) {
        buf_printf(out, "CREATE TABLE out%u (", i);
        output_columns(&scenario->outputs[i], out);
        buf_append_text(out, ") WITH (");
        output_options(&scenario->outputs[i], i, out);
        buf_append_text(out, ");\n");
    }
}

void scenario_inserts(const struct scenario *scenario, struct buf *out)
{
    static const char *const selects[] = {
        "SELECT id, k, v FROM src WHERE v % 3 <> 0",
        ("SELECT k, window_start, COUNT(*), SUM(v), COUNT(DISTINCT v) FROM "
         "TABLE(TUMBLE(TABLE src, DESCRIPTOR(ts), INTERVAL '10' SECOND)) "
         "GROUP BY k, window_start, window_end"),
        "SELECT k, COUNT(*), SUM(v), MIN(v), MAX(v), COUNT(DISTINCT v) FROM src GROUP BY k",
        "SELECT k, SUM(v) FROM src GROUP BY k HAVING SUM(v) > 0",
        ("SELECT n, COUNT(*), SUM(s) FROM "
         "(SELECT k, COUNT(*) AS n, SUM(v) AS s FROM src GROUP BY k) GROUP BY n"),
        "SELECT id, k, v, UUID() FROM src WHERE v % 3 <> 0",
    };
    if (scenario->is_set)
        buf_append_text(out, "EXECUTE STATEMENT SET BEGIN\n");
    for (uint32_t i = 0; i < scenario->output_count; i++)
        buf_printf(out, "INSERT INTO out%u %s;\n", i, selects[scenario->outputs[i].query]);
    if (scenario->is_set)
        buf_append_text(out, "END;\n");
}

void scenario_select(const struct scenario *scenario, uint32_t output, struct buf *out)
{
    bool is_uuid = scenario->outputs[output].query == QUERY_UUID;
    buf_printf(out, "SELECT %s FROM out%u;\n", is_uuid ? "id, k, v" : "*", output);
}

/* ---- rows */

static void time_text(int64_t time_s, struct buf *out)
{
    buf_printf(out, "2024-01-%02d %02d:%02d:%02d", (int)(1 + time_s / 86400),
               (int)(time_s / 3600 % 24), (int)(time_s / 60 % 60), (int)(time_s % 60));
}

void scenario_row_text(const struct scenario *scenario, const struct row *row, struct buf *out)
{
    const char *format = scenario->is_json ? "{\"id\":%" PRId64
                                             ",\"k\":\"key %d\",\"v\":%d,\"ts\":\""
                                           : "%" PRId64 ",key %d,%d,";
    buf_printf(out, format, row->id, row->key, row->value);
    time_text(row->time_s, out);
    if (scenario->is_json)
        buf_append_text(out, "\"}");
}

void scenario_plan_text(const struct scenario *scenario, struct buf *out)
{
    for (uint32_t i = 0; i < scenario->row_count; i++) {
        const struct row *row = &scenario->rows[i];
        buf_printf(out, "@split %u\n%s %" PRId64 " | key %d | %d | ", row->split,
                   row->is_delete ? "-D" : "+I", row->id, row->key, row->value);
        time_text(row->time_s, out);
        buf_append_byte(out, '\n');
    }
}

/* ---- what has to come out */

static bool is_gone(const struct scenario *scenario, uint32_t index)
{
    if (scenario->rows[index].is_delete)
        return true;
    for (uint32_t i = index + 1; i < scenario->row_count; i++)
        if (scenario->rows[i].is_delete && scenario->rows[i].id == scenario->rows[index].id)
            return true;
    return false;
}

struct total {
    bool is_used;
    int key;
    int64_t window_s; /* -1: the group is not of a window */
    int64_t count, sum, least, most, distinct;
    bool seen[101];
};

static struct total *total_of(struct total *totals, int key, int64_t window_s)
{
    struct total *total = totals;
    while (total->is_used && (total->key != key || total->window_s != window_s))
        total++;
    if (!total->is_used)
        *total = (struct total){true, key, window_s, .least = INT64_MAX, .most = INT64_MIN};
    return total;
}

static void add(struct total *total, int value)
{
    total->count++;
    total->sum += value;
    total->least = value < total->least ? value : total->least;
    total->most = value > total->most ? value : total->most;
    total->distinct += !total->seen[value + 50];
    total->seen[value + 50] = true;
}

/* The groups: by key, or by key and window. The last of them is not used. */
static struct total *make_totals(const struct scenario *scenario, bool by_window)
{
    static struct total totals[ROWS_MAX + 1];
    memset(totals, 0, sizeof(totals));
    for (uint32_t i = 0; i < scenario->row_count; i++) {
        const struct row *row = &scenario->rows[i];
        if (!is_gone(scenario, i))
            add(total_of(totals, row->key, by_window ? row->time_s / 10 * 10 : -1), row->value);
    }
    return totals;
}

static void expected_windows(const struct scenario *scenario, struct buf *out)
{
    for (struct total *total = make_totals(scenario, true); total->is_used; total++) {
        if (total->window_s >= 100000)
            continue; /* the watermark of the last rows does not end their own window */
        buf_printf(out, "key %d|", total->key);
        time_text(total->window_s, out);
        buf_printf(out, ".000|%" PRId64 "|%" PRId64 "|%" PRId64 "\n", total->count, total->sum,
                   total->distinct);
    }
}

static void expected_groups(const struct scenario *scenario, struct buf *out)
{
    for (struct total *total = make_totals(scenario, false); total->is_used; total++)
        buf_printf(out, "key %d|%" PRId64 "|%" PRId64 "|%" PRId64 "|%" PRId64 "|%" PRId64 "\n",
                   total->key, total->count, total->sum, total->least, total->most,
                   total->distinct);
}

static void expected_having(const struct scenario *scenario, struct buf *out)
{
    for (struct total *total = make_totals(scenario, false); total->is_used; total++)
        if (total->sum > 0)
            buf_printf(out, "key %d|%" PRId64 "\n", total->key, total->sum);
}

static void expected_nested(const struct scenario *scenario, struct buf *out)
{
    struct total *totals = make_totals(scenario, false);
    for (int64_t count = 1; count <= ROWS_MAX; count++) {
        int64_t groups = 0, sum = 0;
        for (struct total *total = totals; total->is_used; total++)
            if (total->count == count) {
                groups++;
                sum += total->sum;
            }
        if (groups)
            buf_printf(out, "%" PRId64 "|%" PRId64 "|%" PRId64 "\n", count, groups, sum);
    }
}

static void expected_rows(const struct scenario *scenario, struct buf *out)
{
    for (uint32_t i = 0; i < scenario->row_count; i++) {
        const struct row *row = &scenario->rows[i];
        if (row->value % 3 != 0 && !is_gone(scenario, i))
            buf_printf(out, "%" PRId64 "|key %d|%d\n", row->id, row->key, row->value);
    }
}

void scenario_expected(const struct scenario *scenario, uint32_t output, struct buf *out)
{
    static void (*const expected[])(const struct scenario *scenario, struct buf *out) = {
        expected_rows,   expected_windows, expected_groups,
        expected_having, expected_nested,  expected_rows,
    };
    expected[scenario->outputs[output].query](scenario, out);
}
