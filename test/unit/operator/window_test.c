/* window_test.c - TUMBLE: firing, lateness by marks, offsets, negative times, zones with a change
 * of clocks, retraction, DISTINCT, back-pressure; random batches against recomputation. */
#include "harness.h"

static struct arena arena;
static const struct type *input_types[] = {&TYPE_OF_STRING, &TYPE_OF_INT, &TYPE_OF_TIMESTAMP_3};
static struct plan_node input = {.column_count = 3, .types = input_types};
static const struct plan_node *inputs[] = {&input};
static const uint32_t first_key[] = {0};
static struct plan_aggregate calls[2];

/* SUM(int), COUNT(DISTINCT int) by key in windows of size_ms. */
static void make_node(struct plan_node *node, int64_t size_ms, bool updates, bool is_ltz)
{
    static const struct type *types[6];
    struct error err = {0};
    struct source_pos pos = {0};
    input_types[2] = is_ltz ? &TYPE_OF_TIMESTAMP_LTZ_3 : &TYPE_OF_TIMESTAMP_3;
    memset(calls, 0, sizeof(calls));
    for (int i = 0; i < 2; i++) {
        calls[i].arg_column = 1;
        calls[i].filter_column = -1;
        calls[i].bound.arg_type = &TYPE_OF_INT;
        calls[i].bound.retracting = updates;
        calls[i].bound.distinct = i == 1;
        must(aggregate_find(str_of(i ? "COUNT" : "SUM"), NULL)
                 ->bind(&calls[i].bound, &arena, pos, &err) == OK);
    }
    *node = (struct plan_node){.op = PLAN_WINDOW_AGGREGATE,
                               .parallelism = 1,
                               .input_count = 1,
                               .inputs = inputs,
                               .types = types,
                               .column_count = 6};
    node->window.time_column = 2;
    node->window.size_ms = size_ms;
    node->window.is_ltz = is_ltz;
    node->window.key_count = 1;
    node->window.keys = first_key;
    node->window.call_count = 2;
    node->window.calls = calls;
    node->window.input_updates = updates;
    types[0] = &TYPE_OF_STRING;
    types[1] = types[2] = &TYPE_OF_TIMESTAMP_3;
    types[3] = input_types[2];
    types[4] = calls[0].bound.result;
    types[5] = calls[1].bound.result;
}

#define DAY "1970-01-01 "

TEST(fires_once_when_the_watermark_has_passed)
{
    struct harness h;
    struct plan_node node;
    arena_init(&arena, NULL, 1 << 20);
    make_node(&node, 10000, false, false);
    harness_open(&h, &node);
    h.print_watermarks = true;
    harness_push(&h, "+I a 1 1 / +I a 2 9 / +I b 5 3 / +I a 7 10 / +I a 2 0");
    harness_watermark(&h, 9);
    CHECK_STR(harness_take(&h), "w 9\n");
    harness_watermark_us(&h, 9999 * US_PER_MS - 1);
    CHECK_STR(harness_take(&h), "w 9\n");
    harness_watermark_us(&h, 9999 * US_PER_MS);
    const char *text = harness_take(&h);
    CHECK(strstr(text, "+I a " DAY "00:00:00.000 " DAY "00:00:10.000 " DAY "00:00:09.999 5 2\n"));
    CHECK(strstr(text, "+I b " DAY "00:00:00.000 " DAY "00:00:10.000 " DAY "00:00:09.999 5 1\n"));
    CHECK(strlen(text) ==
          2 * strlen("+I a " DAY "00:00:00.000 " DAY "00:00:10.000 " DAY "00:00:09.999 5 2\n") +
              strlen("w 9\n"));
    CHECK_STR(text + strlen(text) - 4, "w 9\n");
    /* a late row is dropped and counted, the next window's is not */
    harness_push(&h, "+I a 1 9 / +I a 1 19");
    CHECK_INT(metric_get(&h.op.metrics.late_dropped), 1);
    harness_end(&h);
    CHECK(strstr(harness_take(&h), "00:00:10.000 " DAY "00:00:20.000 " DAY "00:00:19.999 8 2\n"));
    harness_close(&h);
    arena_fini(&arena);
}

TEST(late_by_the_marks_of_the_batch)
{
    struct harness h;
    struct plan_node node;
    arena_init(&arena, NULL, 1 << 20);
    make_node(&node, 10000, false, false);
    harness_open(&h, &node);
    /* before the mark the row is in time, after it late: however the batch is cut */
    harness_push(&h, "+I a 1 5 / @12 / +I a 10 6 / +I a 100 15 / @25 / +I a 1000 16 / +I a 3 26");
    CHECK_INT(metric_get(&h.op.metrics.late_dropped), 2);
    harness_end(&h);
    CHECK_STR(harness_take(&h),
              "+I a " DAY "00:00:00.000 " DAY "00:00:10.000 " DAY "00:00:09.999 1 1\n"
              "+I a " DAY "00:00:10.000 " DAY "00:00:20.000 " DAY "00:00:19.999 100 1\n"
              "+I a " DAY "00:00:20.000 " DAY "00:00:30.000 " DAY "00:00:29.999 3 1\n");
    harness_close(&h);
    arena_fini(&arena);
}

TEST(offset_and_times_before_1970)
{
    struct harness h;
    struct plan_node node;
    arena_init(&arena, NULL, 1 << 20);
    make_node(&node, 10000, false, false);
    node.window.offset_ms = 3000;
    harness_open(&h, &node);
    harness_push(&h, "+I a 1 -1 / +I a 2 2 / +I a 4 3 / +I a 8 -8");
    harness_end(&h);
    CHECK_STR(harness_take(&h),
              "+I a 1969-12-31 23:59:43.000 1969-12-31 23:59:53.000 1969-12-31 23:59:52.999 8 1\n"
              "+I a 1969-12-31 23:59:53.000 " DAY "00:00:03.000 " DAY "00:00:02.999 3 2\n"
              "+I a " DAY "00:00:03.000 " DAY "00:00:13.000 " DAY "00:00:12.999 4 1\n");
    harness_close(&h);
    arena_fini(&arena);
}

TEST(a_day_of_the_session_zone)
{
    struct harness h;
    struct plan_node node;
    struct zone *zone;
    struct error err = {0};
    arena_init(&arena, NULL, 1 << 20);
    CHECK_OK(zone_from_offset(&zone, 8 * 3600, &err));
    make_node(&node, 86400000, false, true);
    harness_open(&h, &node);
    h.op.eval.zone = zone;
    harness_push(&h, "+I a 1 0 / +I a 2 57599 / +I a 4 57600"); /* 16:00 UTC is midnight there */
    harness_watermark(&h, 57599);
    CHECK_STR(harness_take(&h), "");
    harness_watermark(&h, 57600);
    CHECK_STR(harness_take(&h),
              "+I a " DAY "00:00:00.000 1970-01-02 00:00:00.000 " DAY "15:59:59.999 3 2\n");
    harness_close(&h);
    zone_free(zone);
    arena_fini(&arena);
}

TEST(retraction_empties_a_window)
{
    struct harness h;
    struct plan_node node;
    arena_init(&arena, NULL, 1 << 20);
    make_node(&node, 10000, true, false);
    harness_open(&h, &node);
    harness_push(&h, "+I a 1 1 / +I b 2 1 / -U b 2 1 / +U b 3 1 / +I a 7 12");
    harness_push(&h, "-D a 1 1 / +I b 3 2");
    harness_watermark(&h, 10);
    CHECK_STR(harness_take(&h),
              "+I b " DAY "00:00:00.000 " DAY "00:00:10.000 " DAY "00:00:09.999 6 1\n");
    harness_push(&h, "-D b 3 2");
    CHECK_INT(metric_get(&h.op.metrics.late_dropped), 1);
    harness_close(&h);
    arena_fini(&arena);
}

TEST(waits_while_blocked)
{
    struct harness h;
    struct plan_node node;
    arena_init(&arena, NULL, 1 << 20);
    make_node(&node, 1000, false, false);
    harness_open(&h, &node);
    h.print_watermarks = true;
    harness_push(&h, "+I a 1 1 / +I a 2 2 / +I a 3 3");
    CHECK_INT(metric_get(&h.op.metrics.buffered_rows), 3);
    CHECK_INT(metric_get(&h.op.metrics.oldest_row_us), US_PER_SECOND);
    CHECK_INT(metric_get(&h.op.metrics.next_timer_us), 2 * US_PER_SECOND - US_PER_MS);
    h.blocked = true;
    harness_watermark(&h, 100);
    CHECK(h.full);
    CHECK_STR(harness_take(&h), "");
    h.blocked = false;
    harness_resume(&h);
    CHECK(!h.full);
    CHECK(strstr(harness_take(&h), "w 100\n"));
    CHECK_INT(h.rows_out[0], 3);
    CHECK_INT(metric_get(&h.op.metrics.buffered_rows), 0);
    CHECK_INT(metric_get(&h.op.metrics.next_timer_us), WATERMARK_MAX);
    harness_close(&h);
    arena_fini(&arena);
}

/* ---- random ---- */

static uint64_t random_state;
static uint64_t draw(uint64_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % below;
}

#define WINDOWS 60
#define KEYS    5
static struct {
    int64_t sum;
    bool any;
    bool seen[50];
} want[WINDOWS][KEYS];

static bool check_output(const char *text, uint64_t *rows)
{
    char *copy = strdup(text), *rest = copy, *line;
    bool good = true;
    while ((line = strsep(&rest, "\n")) != NULL && *line && good) {
        int key, hour, minute, second, distinct = 0;
        long long sum;
        uint32_t counted;
        good = sscanf(line, "+I k%d 1970-01-01 %d:%d:%d.000 %*s %*s %*s %*s %lld %u", &key, &hour,
                      &minute, &second, &sum, &counted) == 6;
        int window = (hour * 3600 + minute * 60 + second) / 10;
        good = good && window < WINDOWS && want[window][key].any && want[window][key].sum == sum;
        for (int v = 0; v < 50 && good; v++)
            distinct += want[window][key].seen[v];
        good = good && distinct == (int)counted;
        if (!good)
            printf("# wrong: %s\n", line);
        ++*rows;
    }
    free(copy);
    return good;
}

TEST(random_rows_in_random_batches)
{
    arena_init(&arena, NULL, 64 << 20);
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct harness h;
        struct plan_node node;
        struct buf script;
        int64_t watermark = -1, late = 0;
        random_state = seed;
        memset(want, 0, sizeof(want));
        make_node(&node, 10000, false, false);
        harness_open(&h, &node);
        buf_init(&script, 1 << 20);
        for (int64_t now = 0; now < 500; now++) {
            for (uint64_t n = draw(6); n > 0; n--) {
                int64_t ts = now - (int64_t)draw(30);
                int key = (int)draw(KEYS), value = (int)draw(50);
                ts = ts < 0 ? 0 : ts;
                buf_printf(&script, "/ +I k%d %d %lld ", key, value, (long long)ts);
                if (ts / 10 * 10 + 10 <= watermark) {
                    late++;
                    continue;
                }
                want[ts / 10][key].sum += value;
                want[ts / 10][key].any = true;
                want[ts / 10][key].seen[value] = true;
            }
            if (draw(3) == 0 && now - 15 > watermark && script.length < 3000) {
                watermark = now - 15;
                buf_printf(&script, "/ @%lld ", (long long)watermark);
            }
            if (draw(10) == 0 || script.length > 3000) {
                harness_push(&h, buf_text(&script));
                buf_clear(&script);
            }
        }
        harness_push(&h, buf_text(&script));
        harness_end(&h);
        uint64_t rows = 0, expected = 0;
        if (!check_output(harness_take(&h), &rows))
            CHECK_FAIL("seed %d", (int)seed);
        for (int w = 0; w < WINDOWS; w++)
            for (int k = 0; k < KEYS; k++)
                expected += want[w][k].any;
        CHECK_INT(rows, expected);
        CHECK_INT(metric_get(&h.op.metrics.late_dropped), late);
        buf_fini(&script);
        harness_close(&h);
    }
    arena_fini(&arena);
}
