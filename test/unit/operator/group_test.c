/* group_test.c - GROUP BY: scripted changelogs with and without coalescing; FILTER, DISTINCT,
 * groups that vanish; two phases; random changelogs against naive recomputation. */
#include "harness.h"

#include "base/crc32c.h"
#include "state/keyed.h"

static struct arena arena;
static const struct type *input_types[] = {&TYPE_OF_STRING, &TYPE_OF_INT, &TYPE_OF_BOOLEAN};
static struct plan_node input = {
    .column_count = 3, .types = input_types, .changelog = CHANGELOG_APPEND};
static const struct plan_node *inputs[] = {&input};
static const uint32_t first_key[] = {0};

/* Binds the calls and fills in node; calls: name, argument column, filter column, distinct. */
static void make_node(struct plan_node *node, struct plan_aggregate *calls, uint32_t count,
                      const char *const *names, bool updates)
{
    static const struct type *types[HARNESS_COLUMNS_MAX];
    struct error err = {0};
    struct source_pos pos = {0};
    memset(node, 0, sizeof(*node));
    node->op = PLAN_GROUP_AGGREGATE;
    node->parallelism = 1;
    node->input_count = 1;
    node->inputs = inputs;
    node->group.key_count = 1;
    node->group.keys = first_key;
    node->group.calls = calls;
    node->group.call_count = count;
    node->group.input_updates = updates;
    node->group.emit_update_before = true;
    node->types = types;
    node->column_count = count + 1;
    types[0] = input_types[0];
    for (uint32_t i = 0; i < count; i++) {
        const struct aggregate_def *def = aggregate_find(str_of(names[i]), NULL);
        calls[i].bound.arg_type =
            calls[i].arg_column >= 0 ? input_types[calls[i].arg_column] : NULL;
        calls[i].bound.retracting = updates;
        must(def->bind(&calls[i].bound, &arena, pos, &err) == OK);
        types[1 + i] = calls[i].bound.result;
    }
}

TEST(every_change_is_shown)
{
    struct harness h;
    struct plan_node node;
    struct plan_aggregate calls[] = {{.arg_column = 1, .filter_column = -1},
                                     {.arg_column = -1, .filter_column = -1}};
    const char *names[] = {"SUM", "COUNT"};
    arena_init(&arena, NULL, 1 << 20);
    make_node(&node, calls, 2, names, false);
    harness_open(&h, &node);
    harness_push(&h, "+I a 1 TRUE / +I b 5 TRUE / +I a 2 TRUE / +I NULL 9 TRUE / +I a NULL TRUE");
    CHECK_STR(harness_take(&h), "+I a 1 1\n+I b 5 1\n-U a 1 1\n+U a 3 2\n+I NULL 9 1\n"
                                "-U a 3 2\n+U a 3 3\n");
    harness_push(&h, "+I NULL 1 TRUE");
    CHECK_STR(harness_take(&h), "-U NULL 9 1\n+U NULL 10 2\n");
    harness_close(&h);
    node.group.emit_update_before = false;
    harness_open(&h, &node);
    harness_push(&h, "+I a 1 TRUE / +I a 2 TRUE");
    CHECK_STR(harness_take(&h), "+I a 1 1\n+U a 3 2\n");
    harness_close(&h);
    arena_fini(&arena);
}

TEST(coalesced_in_first_touch_order)
{
    struct harness h;
    struct plan_node node;
    struct plan_aggregate calls[] = {{.arg_column = 1, .filter_column = -1}};
    const char *names[] = {"SUM"};
    arena_init(&arena, NULL, 1 << 20);
    make_node(&node, calls, 1, names, true);
    node.group.coalesce = true;
    harness_open(&h, &node);
    harness_push(&h, "+I b 1 TRUE / +I a 2 TRUE / +I b 3 TRUE");
    CHECK_STR(harness_take(&h), "+I b 4\n+I a 2\n");
    /* equal before and after: nothing; insert and delete within one batch: nothing */
    harness_push(&h, "-U b 3 TRUE / +U b 3 TRUE / +I c 1 TRUE / -D c 1 TRUE / +I a 0 TRUE");
    CHECK_STR(harness_take(&h), "");
    harness_push(&h, "-D a 2 TRUE / -D a 0 TRUE / +I b 1 TRUE");
    CHECK_STR(harness_take(&h), "-D a 2\n-U b 4\n+U b 5\n");
    /* what is taken away from a group that is not there changes nothing */
    harness_push(&h, "-D a 7 TRUE / -U d 1 TRUE");
    CHECK_STR(harness_take(&h), "");
    harness_push(&h, "+I a 8 TRUE");
    CHECK_STR(harness_take(&h), "+I a 8\n");
    CHECK_INT(metric_get(&h.op.metrics.state_keys), 2);
    /* NULL is not 0 */
    harness_push(&h, "+I n NULL TRUE");
    CHECK_STR(harness_take(&h), "+I n NULL\n");
    harness_push(&h, "+I n 0 TRUE");
    CHECK_STR(harness_take(&h), "-U n NULL\n+U n 0\n");
    harness_close(&h);
    arena_fini(&arena);
}

TEST(a_group_comes_and_goes_within_a_batch)
{
    struct harness h;
    struct plan_node node;
    struct plan_aggregate calls[] = {{.arg_column = 1, .filter_column = -1}};
    const char *names[] = {"MAX"};
    arena_init(&arena, NULL, 1 << 20);
    make_node(&node, calls, 1, names, true);
    harness_open(&h, &node);
    harness_push(&h, "+I a 1 TRUE / -D a 1 TRUE / +I a 2 TRUE / +I a 9 TRUE / -D a 9 TRUE");
    CHECK_STR(harness_take(&h), "+I a 1\n-D a 1\n+I a 2\n-U a 2\n+U a 9\n-U a 9\n+U a 2\n");
    harness_push(&h, "-D a 2 TRUE");
    CHECK_STR(harness_take(&h), "-D a 2\n");
    CHECK_INT(metric_get(&h.op.metrics.state_keys), 0);
    harness_close(&h);
    arena_fini(&arena);
}

TEST(filter_and_distinct)
{
    struct harness h;
    struct plan_node node;
    struct plan_aggregate calls[] = {
        {.arg_column = 1, .filter_column = 2},
        {.arg_column = 1, .filter_column = -1, .bound.distinct = true},
        {.arg_column = 1, .filter_column = 2, .bound.distinct = true},
    };
    const char *names[] = {"SUM", "COUNT", "SUM"};
    arena_init(&arena, NULL, 1 << 20);
    make_node(&node, calls, 3, names, true);
    node.group.coalesce = true;
    harness_open(&h, &node);
    harness_push(&h, "+I a 1 TRUE / +I a 1 TRUE / +I a 2 FALSE / +I a 3 NULL / +I a NULL TRUE");
    CHECK_STR(harness_take(&h), "+I a 2 3 1\n");
    harness_push(&h, "-D a 1 TRUE / -D a 2 FALSE");
    CHECK_STR(harness_take(&h), "-U a 2 3 1\n+U a 1 2 1\n");
    harness_push(&h, "-D a 1 TRUE / +I a 2 TRUE");
    CHECK_STR(harness_take(&h), "-U a 1 2 1\n+U a 2 2 2\n");
    harness_close(&h);
    arena_fini(&arena);
}

TEST(distinct_rows_without_calls)
{
    struct harness h;
    struct plan_node node;
    arena_init(&arena, NULL, 1 << 20);
    make_node(&node, NULL, 0, NULL, false);
    harness_open(&h, &node);
    harness_push(&h, "+I a 1 TRUE / +I b 1 TRUE / +I a 1 TRUE / +I NULL 1 TRUE / +I NULL 2 TRUE");
    CHECK_STR(harness_take(&h), "+I a\n+I b\n+I NULL\n");
    harness_close(&h);
    arena_fini(&arena);
}

/* ---- random changelogs against recomputation ---- */

#define KEYS 40
#define LIVE 400

static uint64_t random_state;
static uint64_t draw(uint64_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % below;
}

static struct { /* what the output says */
    bool present;
    char row[120];
} table[KEYS];

static bool apply(const char *text)
{
    char *copy = strdup(text), *rest = copy, *line;
    bool good = true;
    while ((line = strsep(&rest, "\n")) != NULL && *line && good) {
        char kind[3] = {line[0], line[1], 0};
        int key = -1;
        sscanf(line + 3, "k%d", &key);
        const char *row = line + 3;
        if (strcmp(kind, "+I") == 0)
            good = !table[key].present;
        else
            good =
                table[key].present && (strcmp(kind, "+U") == 0 || strcmp(table[key].row, row) == 0);
        if (kind[0] == '+')
            snprintf(table[key].row, sizeof(table[key].row), "%s", row);
        if (strcmp(kind, "-U") == 0)
            continue;
        table[key].present = kind[0] == '+';
        if (!good)
            printf("# bad change %s, was %s\n", line, table[key].row);
    }
    free(copy);
    return good;
}

struct live_row {
    int key, value, flag;
};

static bool matches(const struct live_row *rows, int count)
{
    for (int key = 0; key < KEYS; key++) {
        int n = 0, sum = 0, values = 0, max = -1, min = 1000, distinct = 0;
        bool seen[100] = {false};
        for (int i = 0; i < count; i++) {
            if (rows[i].key != key)
                continue;
            n++;
            if (rows[i].value < 0)
                continue;
            values++;
            sum += rows[i].value;
            max = rows[i].value > max ? rows[i].value : max;
            min = rows[i].value < min ? rows[i].value : min;
            distinct += !seen[rows[i].value];
            seen[rows[i].value] = true;
        }
        char want[120];
        if (values)
            snprintf(want, sizeof(want), "k%d %d %d %d %d %d %d", key, n, sum, sum / values, min,
                     max, distinct);
        else
            snprintf(want, sizeof(want), "k%d %d NULL NULL NULL NULL 0", key, n);
        if (table[key].present != (n > 0))
            return false;
        if (n && strcmp(want, table[key].row) != 0) {
            printf("# got %s, want %s\n", table[key].row, want);
            return false;
        }
    }
    return true;
}

static bool random_run(uint64_t seed, bool updates, bool coalesce, bool before)
{
    struct harness h;
    struct plan_node node;
    struct plan_aggregate calls[] = {
        {.arg_column = -1, .filter_column = -1},
        {.arg_column = 1, .filter_column = -1},
        {.arg_column = 1, .filter_column = -1},
        {.arg_column = 1, .filter_column = -1},
        {.arg_column = 1, .filter_column = -1},
        {.arg_column = 1, .filter_column = -1, .bound.distinct = true}};
    const char *names[] = {"COUNT", "SUM", "AVG", "MIN", "MAX", "COUNT"};
    static struct live_row rows[LIVE];
    int count = 0;
    random_state = seed;
    memset(table, 0, sizeof(table));
    make_node(&node, calls, 6, names, updates);
    node.group.coalesce = coalesce;
    node.group.emit_update_before = before;
    harness_open(&h, &node);
    bool good = true;
    for (int step = 0; step < 60 && good; step++) {
        struct buf script;
        buf_init(&script, 1 << 20);
        for (uint64_t i = draw(50); i < 50; i++) {
            bool retract = updates && count > 0 && (count == LIVE || draw(5) < 2);
            if (count == LIVE && !retract)
                break;
            struct live_row row = {(int)draw(step % 2 ? 5 : KEYS), (int)draw(60) - 3, 0};
            if (retract) {
                int at = (int)draw((uint64_t)count);
                row = rows[at];
                rows[at] = rows[--count];
            } else {
                rows[count++] = row;
            }
            buf_printf(&script, "%s k%d ", retract ? "-D" : "+I", row.key);
            if (row.value < 0)
                buf_append_text(&script, "NULL TRUE /");
            else
                buf_printf(&script, "%d TRUE /", row.value);
        }
        harness_push(&h, buf_text(&script));
        buf_fini(&script);
        good = apply(harness_take(&h)) && matches(rows, count);
    }
    harness_close(&h);
    return good;
}

TEST(random_changelogs)
{
    arena_init(&arena, NULL, 64 << 20);
    for (uint64_t seed = 1; seed <= 15; seed++)
        for (int mode = 0; mode < 8; mode++)
            if (!random_run(seed, mode & 1, mode & 2, mode & 4))
                CHECK_FAIL("seed %d, mode %d", (int)seed, mode);
    arena_fini(&arena);
}

/* LOCAL then GLOBAL gives what SINGLE gives. */
static struct harness *global_of;
static void to_global(struct harness *h, struct batch *batch)
{
    harness_push_batch(global_of, batch_ref(batch));
}

TEST(two_phases)
{
    struct harness local, global;
    struct plan_node node, global_node;
    struct plan_aggregate calls[] = {{.arg_column = 1, .filter_column = -1},
                                     {.arg_column = 1, .filter_column = -1},
                                     {.arg_column = -1, .filter_column = -1}};
    const char *names[] = {"SUM", "AVG", "COUNT"};
    arena_init(&arena, NULL, 1 << 20);
    make_node(&node, calls, 3, names, false);
    global_node = node;
    node.group.phase = PHASE_LOCAL;
    const struct type *local_types[] = {input_types[0], &TYPE_OF_BYTES};
    node.types = local_types;
    node.column_count = 2;
    const struct plan_node *global_inputs[] = {&node};
    global_node.inputs = global_inputs;
    global_node.group.phase = PHASE_GLOBAL;
    global_node.group.coalesce = true;
    harness_open(&local, &node);
    harness_open(&global, &global_node);
    global_of = &global;
    local.take_batch = to_global;
    harness_push(&local, "+I a 1 TRUE / +I b 5 TRUE / +I a 2 TRUE / +I c NULL TRUE");
    CHECK_STR(harness_take(&global), "+I a 3 1 2\n+I b 5 5 1\n+I c NULL NULL 1\n");
    harness_push(&local, "+I b 2 TRUE / +I a 4 TRUE");
    CHECK_STR(harness_take(&global), "-U b 5 5 1\n+U b 7 3 2\n-U a 3 1 2\n+U a 7 2 3\n");
    CHECK_INT(metric_get(&local.op.metrics.state_keys), 0);
    harness_close(&local);
    harness_close(&global);
    arena_fini(&arena);
}

TEST(memory_runs_out_with_a_status)
{
    struct plan_node node;
    struct plan_aggregate calls[] = {
        {.arg_column = 0, .filter_column = -1},
        {.arg_column = 1, .filter_column = -1, .bound.distinct = true}};
    const char *names[] = {"MAX", "COUNT"};
    arena_init(&arena, NULL, 1 << 20);
    make_node(&node, calls, 2, names, true);
    bool failed = true;
    for (uint64_t countdown = 1; failed; countdown++) {
        struct harness h;
        struct batch *batch =
            harness_batch(input_types, 3, "+I a 1 TRUE / +I bb 2 TRUE / -D a 1 TRUE / +I a 4 TRUE");
        must(harness_try_open(&h, &node) == OK);
        mem_fail_after(countdown);
        harness_push_batch(&h, batch);
        mem_fail_after(0);
        failed = h.failed;
        if (failed)
            CHECK_INT(h.err.code, ERR_MEMORY);
        harness_close(&h);
        CHECK(countdown < 500);
    }
    arena_fini(&arena);
}

/* With a time to live: a group begins anew when it has had no row for so long, and the timer
 * empties the state, to its last row, without any input. */
TEST(groups_expire)
{
    struct harness h;
    struct plan_node node;
    struct plan_aggregate calls[] = {{.arg_column = 1, .filter_column = -1},
                                     {.arg_column = -1, .filter_column = -1}};
    const char *names[] = {"SUM", "COUNT"};
    arena_init(&arena, NULL, 1 << 20);
    make_node(&node, calls, 2, names, false);
    node.group.state_ttl_ms = 1000;
    harness_open(&h, &node);
    harness_push(&h, "+I a 1 TRUE / +I b 5 TRUE / +I a 0 TRUE");
    CHECK_STR(harness_take(&h), "+I a 1 1\n+I b 5 1\n-U a 1 1\n+U a 1 2\n");
    h.op.eval.now_us += 999 * US_PER_MS;
    harness_push(&h, "+I a 2 TRUE");
    CHECK_STR(harness_take(&h), "-U a 1 2\n+U a 3 3\n");
    h.op.eval.now_us += US_PER_MS;
    harness_push(&h, "+I b 7 TRUE / +I a 4 TRUE");
    CHECK_STR(harness_take(&h), "+I b 7 1\n-U a 3 3\n+U a 7 4\n");
    CHECK_INT(metric_get(&h.op.metrics.state_keys), 2);
    int fired = 0;
    for (; h.timer_us != INT64_MAX && fired < 10000; fired++) {
        h.op.eval.now_us += h.timer_us - h.op.steady_us;
        h.op.steady_us = h.timer_us;
        h.timer_us = INT64_MAX;
        CHECK(h.op.class->timer(&h.op, h.op.steady_us, &h.err) == PUSH_DONE);
    }
    CHECK_INT(metric_get(&h.op.metrics.state_keys), 0);
    CHECK(fired > 90 && h.op.steady_us < 4 * US_PER_SECOND);
    CHECK_STR(harness_take(&h), "");
    harness_close(&h);
    arena_fini(&arena);
}

static void take_saved(void *context, struct state_block *block)
{
    buf_append(context, block->bytes.data + STATE_BLOCK_HEADER_BYTES,
               block->bytes.length - STATE_BLOCK_HEADER_BYTES);
    state_block_free(block);
}

/* Checksum of the records that a checkpoint gets of some groups. */
static uint32_t saved_sum(bool updates)
{
    struct harness h;
    struct plan_node node;
    struct buf saved;
    struct plan_aggregate calls[] = {
        {.arg_column = -1, .filter_column = -1}, {.arg_column = 1, .filter_column = -1},
        {.arg_column = 1, .filter_column = -1},  {.arg_column = 1, .filter_column = -1},
        {.arg_column = 0, .filter_column = -1},  {.arg_column = 1, .filter_column = -1}};
    const char *names[] = {"COUNT", "SUM", "AVG", "MIN", "MAX", "COUNT"};
    struct state_out out = {.operator_id = 1, .epoch = 1, .give = take_saved, .context = &saved};
    arena_init(&arena, NULL, 1 << 20);
    buf_init(&saved, 1 << 20);
    calls[5].bound.distinct = true;
    make_node(&node, calls, 6, names, updates);
    harness_epoch = 1;
    harness_open(&h, &node);
    harness_epoch = 0;
    harness_push(&h, "+I a 1 TRUE / +I b 5 TRUE / +I a 2 TRUE / +I NULL 9 TRUE / +I a NULL TRUE");
    keyed_state_barrier(h.op.keyed, &out);
    while (!keyed_state_step(h.op.keyed, 100))
        ;
    state_out_end(&out);
    keyed_state_aborted(h.op.keyed);
    uint32_t sum = crc32c(0, saved.data, saved.length);
    harness_close(&h);
    buf_fini(&saved);
    arena_fini(&arena);
    return sum;
}

/* Rows in checkpoints do not change without a new shape (plan/state_names.c) of the operator, so
 * that what older ones wrote is told apart, and a fixture (test/system/state_fixture.py). */
TEST(saved_rows_are_frozen)
{
    CHECK_INT(saved_sum(false), 1676782017);
    CHECK_INT(saved_sum(true), 1312105789);
}
