/* aggregate.c - the group aggregation operator (look-up, SUM and COUNT, changelog out) beside a
 * plain loop that adds into an array by a dense key number. Batches are made before and used again.
 * Prints nanoseconds per row for few and many keys, text and BIGINT. Argument: millions of rows. */
#include <inttypes.h>
#include <time.h>

/* The operator harness is a unit test's main(); here it is only the host. */
int unused_main(int argc, char **argv);
#define main unused_main
#include "../test/unit/operator/harness.h"
#undef main

#define BATCHES 64

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t random_state = 1;
static uint64_t draw(uint64_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % below;
}

static uint64_t out_rows;
static void count_rows(struct harness *h, struct batch *batch)
{
    out_rows += batch->selected_count;
}

static struct batch *make_batch(const struct type *const *types, uint64_t keys, uint32_t *numbers)
{
    struct error err = {0};
    struct vec *columns[2];
    struct batch *batch;
    for (int c = 0; c < 2; c++) {
        must(vec_new(&columns[c], types[c], BATCH_ROWS_MAX, NULL, &err) == OK);
        columns[c]->length = BATCH_ROWS_MAX;
    }
    for (uint32_t i = 0; i < BATCH_ROWS_MAX; i++) {
        numbers[i] = (uint32_t)draw(keys);
        ((int64_t *)columns[1]->values)[i] = (int64_t)draw(100000);
        if (types[0]->root == TYPE_BIGINT) {
            ((int64_t *)columns[0]->values)[i] = numbers[i];
            continue;
        }
        char text[24];
        int length = snprintf(text, sizeof(text), "card-%u", numbers[i]);
        must(vec_set_text(columns[0], i, text, (size_t)length, &err) == OK);
    }
    must(batch_new(&batch, columns, 2, BATCH_ROWS_MAX, &err) == OK);
    return batch;
}

static void measure(const char *name, const struct type *key_type, uint64_t keys, uint64_t rows)
{
    static struct batch *batches[BATCHES];
    static uint32_t numbers[BATCHES][BATCH_ROWS_MAX];
    static const uint32_t KEY[] = {0};
    struct arena arena;
    struct error err = {0};
    struct source_pos pos = {0};
    arena_init(&arena, NULL, 1 << 20);
    const struct type *types[] = {key_type, type_decimal(&arena, 10, 2, true)};
    struct plan_node input = {.column_count = 2, .types = types};
    const struct plan_node *inputs[] = {&input};
    struct plan_aggregate calls[2] = {{.arg_column = 1, .filter_column = -1},
                                      {.arg_column = -1, .filter_column = -1}};
    calls[0].bound.arg_type = types[1];
    must(aggregate_find(STR("SUM"), NULL)->bind(&calls[0].bound, &arena, pos, &err) == OK);
    must(aggregate_find(STR("COUNT"), NULL)->bind(&calls[1].bound, &arena, pos, &err) == OK);
    const struct type *out_types[] = {key_type, calls[0].bound.result, calls[1].bound.result};
    struct plan_node node = {.op = PLAN_GROUP_AGGREGATE,
                             .parallelism = 1,
                             .column_count = 3,
                             .types = out_types,
                             .input_count = 1,
                             .inputs = inputs};
    node.group.key_count = 1;
    node.group.keys = KEY;
    node.group.calls = calls;
    node.group.call_count = 2;
    node.group.coalesce = true;
    struct harness h;
    harness_open(&h, &node);
    h.take_batch = count_rows;
    out_rows = 0;
    double operator_s = 0, plain_s = 0;
    struct plain {
        decimal128 sum;
        int64_t count;
    } *plain = calloc(keys, sizeof(*plain));
    for (uint64_t done = 0; done < rows; done += BATCHES * BATCH_ROWS_MAX) {
        for (int b = 0; b < BATCHES; b++)
            batches[b] = make_batch(types, keys, numbers[b]);
        double from = now();
        for (int b = 0; b < BATCHES; b++)
            must(h.op.class->push(&h.op, 0, batches[b], &h.err) == PUSH_DONE);
        operator_s += now() - from;
        from = now();
        for (int b = 0; b < BATCHES; b++) {
            const int64_t *amounts = batches[b]->columns[1]->values;
            for (uint32_t i = 0; i < BATCH_ROWS_MAX; i++) {
                plain[numbers[b][i]].sum += amounts[i];
                plain[numbers[b][i]].count++;
            }
        }
        plain_s += now() - from;
        for (int b = 0; b < BATCHES; b++)
            batch_unref(batches[b]);
    }
    printf("aggregate_%s_keys_%" PRIu64 " ns_per_row=%.1f plain_array_ns=%.1f out_rows=%" PRIu64
           "\n",
           name, keys, operator_s / (double)rows * 1e9, plain_s / (double)rows * 1e9, out_rows);
    free(plain);
    harness_close(&h);
    arena_fini(&arena);
}

int main(int argc, char **argv)
{
    (void)check_last; /* of the harness's test list, which is empty here */
    uint64_t millions = argc > 1 ? strtoull(argv[1], NULL, 10) : 8;
    measure("text", &TYPE_OF_STRING, 6, millions * 1000000);
    measure("text", &TYPE_OF_STRING, 1000, millions * 1000000);
    measure("text", &TYPE_OF_STRING, 1000000, millions * 1000000);
    measure("bigint", &TYPE_OF_BIGINT, 6, millions * 1000000);
    measure("bigint", &TYPE_OF_BIGINT, 1000000, millions * 1000000);
    return 0;
}
