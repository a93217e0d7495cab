/* expr.c - nanoseconds a row of typical expressions through evaluator_run, batches of 2,048 rows in
 * the cache, each beside a plain C loop over the same columns in the same run. The sums of both
 * must be equal. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../test/unit/expr/tree.h"

#define ROWS   BATCH_ROWS_MAX
#define ROUNDS 20000
#define PLAIN  __attribute__((noinline, optimize("O2")))

static struct error err;
static struct row_errors errors;
static struct eval_context context = {.watermark_us = WATERMARK_NONE};
static struct batch *batch;
static int64_t *a, *b;
static struct view *cards;
static volatile int64_t sink;

static double cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void make_batch(void)
{
    static const char *const names[] = {"Visa", "MasterCard", "Maestro", "RuPay"};
    static const struct type *types[] = {
        &TYPE_OF_BIGINT,      &TYPE_OF_BIGINT, &TYPE_OF_STRING, NULL,
        &TYPE_OF_TIMESTAMP_3, &TYPE_OF_STRING, &TYPE_OF_INT};
    struct vec *columns[7];
    types[3] = type_decimal(&tree_arena, 10, 2, true);
    for (int c = 0; c < 7; c++) {
        must(vec_new(&columns[c], types[c], ROWS, NULL, &err) == OK);
        columns[c]->length = ROWS;
    }
    a = columns[0]->values;
    b = columns[1]->values;
    cards = columns[2]->values;
    for (uint32_t i = 0; i < ROWS; i++) {
        char text[32];
        a[i] = (int64_t)(i * 7919u % 1000);
        b[i] = (int64_t)(i * 104729u % 10);
        const char *name = names[i * 31 % 4];
        must(vec_set_text(columns[2], i, name, strlen(name), &err) == OK);
        ((int64_t *)columns[3]->values)[i] = (int64_t)i * 12;
        ((int64_t *)columns[4]->values)[i] = (int64_t)i * 1000000;
        int length = snprintf(text, sizeof(text), "2024-03-01 12:%02u:%02u", i / 60 % 60, i % 60);
        must(vec_set_text(columns[5], i, text, (size_t)length, &err) == OK);
        ((int32_t *)columns[6]->values)[i] = (int32_t)i;
    }
    must(batch_new(&batch, columns, 7, ROWS, &err) == OK);
}

static const struct expr *col(uint32_t c)
{
    return tree_column(c, batch->columns[c]->type);
}

static const struct expr *n(int64_t value)
{
    return tree_i64(&TYPE_OF_BIGINT, value);
}

static int64_t sum_of(const struct vec *vec)
{
    int64_t sum = 0;
    enum physical physical = type_physical(vec->type);
    for (uint32_t i = 0; i < vec->length; i++) {
        if (!vec_is_valid(vec, i))
            continue;
        sum += physical == PHYS_BOOL  ? ((const uint8_t *)vec->values)[i]
               : physical == PHYS_I32 ? ((const int32_t *)vec->values)[i]
                                      : ((const int64_t *)vec->values)[i];
    }
    return sum;
}

/* The plain loops fill out like a kernel would, so that both write their results to memory. */
static int64_t out[ROWS];
static uint8_t flags[ROWS];

static PLAIN void plain_add(void)
{
    for (uint32_t i = 0; i < ROWS; i++)
        out[i] = a[i] + b[i];
}
static PLAIN void plain_less(void)
{
    for (uint32_t i = 0; i < ROWS; i++)
        flags[i] = a[i] < 500;
}
static PLAIN void plain_and(void)
{
    for (uint32_t i = 0; i < ROWS; i++)
        flags[i] = a[i] < 500 && b[i] != 0;
}
static PLAIN void plain_guarded(void)
{
    for (uint32_t i = 0; i < ROWS; i++)
        out[i] = b[i] != 0 ? a[i] / b[i] : 0;
}
static PLAIN void plain_choose(void)
{
    for (uint32_t i = 0; i < ROWS; i++)
        out[i] = a[i] < 500 ? a[i] : b[i];
}
static PLAIN void plain_decimal(void)
{
    const int64_t *money = batch->columns[3]->values;
    for (uint32_t i = 0; i < ROWS; i++)
        out[i] = money[i] + money[i];
}
static PLAIN void plain_interval(void)
{
    const int64_t *ts = batch->columns[4]->values;
    for (uint32_t i = 0; i < ROWS; i++)
        out[i] = ts[i] - 4000 * 1000;
}
static PLAIN void plain_text(void)
{
    for (uint32_t i = 0; i < ROWS; i++)
        flags[i] = cards[i].length == 4 && memcmp(cards[i].bytes, "Visa", 4) == 0;
}
static PLAIN void plain_in(void)
{
    for (uint32_t i = 0; i < ROWS; i++)
        flags[i] = a[i] == 3 || a[i] == 5 || a[i] == 900;
}
static PLAIN void plain_widen(void)
{
    const int32_t *x = batch->columns[6]->values;
    for (uint32_t i = 0; i < ROWS; i++)
        out[i] = x[i];
}
static PLAIN void plain_timestamp(void)
{
    const struct view *texts = batch->columns[5]->values;
    for (uint32_t i = 0; i < ROWS; i++) {
        int64_t us = 0;
        if (!calendar_parse_timestamp(view_str(&texts[i]), &us))
            us = 0;
        out[i] = us;
    }
}

static bool measure(const char *what, const struct expr *expr, void (*plain)(void), uint32_t rounds)
{
    struct expr_program *program = NULL;
    struct evaluator *evaluator = NULL;
    struct vec *result = NULL;
    if (!expr) {
        printf("%-44s not built\n", what);
        return true;
    }
    must(expr_compile(&program, &expr, 1, &err) == OK);
    must(evaluator_new(&evaluator, program, NULL, &err) == OK);
    double start = cpu_ns();
    for (uint32_t i = 0; i < rounds; i++) {
        vec_unref(result);
        must(evaluator_run(evaluator, batch, &context, &result, &errors, &err) == OK);
    }
    double ours = (cpu_ns() - start) / rounds / ROWS;
    bool is_flag = type_physical(result->type) == PHYS_BOOL;
    start = cpu_ns();
    for (uint32_t i = 0; i < rounds; i++) {
        plain();
        sink += out[i % ROWS];
    }
    double theirs = (cpu_ns() - start) / rounds / ROWS;
    int64_t want = 0;
    for (uint32_t i = 0; i < ROWS; i++)
        want += is_flag ? flags[i] : out[i];
    bool good = !errors.any && sum_of(result) == want;
    printf("%-44s %6.2f ns/row   plain loop %6.2f   ratio %5.1f%s\n", what, ours, theirs,
           ours / theirs, good ? "" : "   WRONG RESULT");
    vec_unref(result);
    evaluator_free(evaluator);
    expr_program_free(program);
    return good;
}

int main(void)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof(one), &one);
    arena_init(&tree_arena, NULL, 1 << 20);
    struct zone *utc = NULL;
    must(zone_from_offset(&utc, 0, &err) == OK);
    context.zone = utc;
    make_batch();
    const struct expr *in_args[] = {col(0), n(3), n(5), n(900)};
    const struct expr *less = tree_call("<", col(0), n(500));
    const struct expr *not_zero = tree_call("<>", col(1), n(0));
    const struct expr *to_timestamp =
        function_find(STR("TO_TIMESTAMP"), NULL) ? tree_call("TO_TIMESTAMP", col(5), NULL) : NULL;
    bool good = true;
    good &= measure("a + b", tree_call("+", col(0), col(1)), plain_add, ROUNDS);
    good &= measure("a < 500", less, plain_less, ROUNDS);
    good &= measure("a < 500 AND b <> 0", tree_logic(EXPR_AND, less, not_zero), plain_and, ROUNDS);
    good &= measure("CASE WHEN a < 500 THEN a ELSE b END", tree_case(less, col(0), col(1)),
                    plain_choose, ROUNDS);
    good &=
        measure("CASE WHEN b <> 0 THEN a / b ELSE 0 END",
                tree_case(not_zero, tree_call("/", col(0), col(1)), n(0)), plain_guarded, ROUNDS);
    good &= measure("DECIMAL(10,2) + DECIMAL(10,2)", tree_call("+", col(3), col(3)), plain_decimal,
                    ROUNDS);
    good &= measure("ts - INTERVAL '4' SECOND",
                    tree_call("-", col(4), tree_i64(&TYPE_OF_INTERVAL_DAY_TIME, 4000)),
                    plain_interval, ROUNDS);
    good &= measure("card = 'Visa'", tree_call("=", col(2), tree_text("Visa")), plain_text, ROUNDS);
    good &= measure("a IN (3, 5, 900)", tree_node(EXPR_IN, &TYPE_OF_BOOLEAN, 4, in_args), plain_in,
                    ROUNDS);
    good &= measure("CAST(INT AS BIGINT)", tree_cast(col(6), &TYPE_OF_BIGINT, false), plain_widen,
                    ROUNDS);
    good &= measure("CAST(text AS TIMESTAMP(6))", tree_cast(col(5), &TYPE_OF_TIMESTAMP_6, false),
                    plain_timestamp, ROUNDS / 10);
    good &= measure("TO_TIMESTAMP(text)", to_timestamp, plain_timestamp, ROUNDS / 10);
    batch_unref(batch);
    zone_free(utc);
    arena_fini(&tree_arena);
    return good ? 0 : 1;
}
