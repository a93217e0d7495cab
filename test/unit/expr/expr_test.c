/* Programs by hand: sharing, folding, narrowing, lazily raised errors, forms, recycling, faults. */
#include "expr/expr.h"

#include "../check.h"
#include "tree.h"

static struct error err;
static struct row_errors errors;
static struct eval_context context = {.watermark_us = WATERMARK_NONE};

#define ROWS 6

static struct batch *make_batch(void)
{
    static const int64_t a[ROWS] = {1, 2, 3, 4, 5, 6}, b[ROWS] = {0, 2, 0, 4, 5, 3};
    static const char *const texts[ROWS] = {"12", "x", "a text that is not inline", "7", "", "8"};
    struct vec *columns[3] = {NULL};
    struct batch *batch = NULL;
    must(vec_new(&columns[0], &TYPE_OF_BIGINT, ROWS, NULL, &err) == OK);
    must(vec_new(&columns[1], &TYPE_OF_BIGINT, ROWS, NULL, &err) == OK);
    must(vec_new(&columns[2], &TYPE_OF_STRING, ROWS, NULL, &err) == OK);
    for (uint32_t i = 0; i < ROWS; i++) {
        ((int64_t *)columns[0]->values)[i] = a[i];
        ((int64_t *)columns[1]->values)[i] = b[i];
        must(vec_set_text(columns[2], i, texts[i], strlen(texts[i]), &err) == OK);
    }
    for (int c = 0; c < 3; c++)
        columns[c]->length = ROWS;
    must(vec_make_validity(columns[1], &err) == OK);
    vec_clear_valid(columns[1], 4);
    must(batch_new(&batch, columns, 3, ROWS, &err) == OK);
    return batch;
}

static const struct expr *a(void)
{
    return tree_column(0, &TYPE_OF_BIGINT);
}
static const struct expr *b(void)
{
    return tree_column(1, &TYPE_OF_BIGINT);
}
static const struct expr *s(void)
{
    return tree_column(2, &TYPE_OF_STRING);
}
static const struct expr *n(int64_t value)
{
    return tree_i64(&TYPE_OF_BIGINT, value);
}

/* "1 2 NULL ..." of the selected rows, failed ones as "!". */
static const char *run(const struct expr *expr, const uint16_t *selection, uint32_t count)
{
    static char text[512];
    struct expr_program *program = NULL;
    struct evaluator *evaluator = NULL;
    struct vec *result = NULL;
    struct buf out;
    struct batch *batch = make_batch();
    buf_init(&out, sizeof(text));
    must(!selection || batch_set_selection(batch, selection, count, &err) == OK);
    must(expr_compile(&program, &expr, 1, &err) == OK);
    must(evaluator_new(&evaluator, program, NULL, &err) == OK);
    for (int again = 0; again < 2; again++) { /* the second run uses what the first left */
        must(evaluator_run(evaluator, batch, &context, &result, &errors, &err) == OK);
        buf_clear(&out);
        for (uint32_t i = 0; i < batch->selected_count; i++) {
            uint16_t row = (uint16_t)batch_row(batch, i);
            buf_append_text(&out, i ? " " : "");
            if (row_errors_first(&errors, &row, 1))
                buf_append_byte(&out, '!');
            else
                datum_format_at(&out, result, row, NULL);
        }
        must(result->length == ROWS);
        vec_verify(result);
        vec_unref(result);
    }
    snprintf(text, sizeof(text), "%s", buf_text(&out));
    buf_fini(&out);
    evaluator_free(evaluator);
    expr_program_free(program);
    batch_unref(batch);
    return text;
}

TEST(arithmetic_and_null)
{
    arena_init(&tree_arena, NULL, 1 << 20);
    CHECK_STR(run(tree_call("+", a(), b()), NULL, 0), "1 4 3 8 NULL 9");
    CHECK_STR(run(tree_call("-", n(10), a()), NULL, 0), "9 8 7 6 5 4");
    CHECK_STR(run(tree_call("<", a(), b()), NULL, 0), "FALSE FALSE FALSE FALSE NULL FALSE");
    CHECK_STR(run(tree_call(">=", a(), n(3)), NULL, 0), "FALSE FALSE TRUE TRUE TRUE TRUE");
    uint16_t rows[] = {1, 4};
    CHECK_STR(run(tree_call("*", a(), n(3)), rows, 2), "6 15");
    CHECK_STR(run(tree_call("*", n(3), n(4)), rows, 2), "12 12");
    CHECK_STR(run(tree_call("*", n(3), tree_null(&TYPE_OF_BIGINT)), rows, 2), "NULL NULL");
    arena_fini(&tree_arena);
}

TEST(errors_are_raised_only_where_a_row_needs_the_value)
{
    arena_init(&tree_arena, NULL, 1 << 20);
    const struct expr *quotient = tree_call("/", a(), b());
    CHECK_STR(run(quotient, NULL, 0), "! 1 ! 1 NULL 2");
    CHECK_STR(errors.details[0].text, "division by zero");
    const struct expr *guarded = tree_case(tree_call("<>", b(), n(0)), quotient, n(-1));
    CHECK_STR(run(guarded, NULL, 0), "-1 1 -1 1 -1 2");
    CHECK_STR(run(tree_logic(EXPR_AND, tree_call("<>", b(), n(0)), tree_call("=", quotient, n(1))),
                  NULL, 0),
              "FALSE TRUE FALSE TRUE NULL FALSE");
    CHECK_STR(run(tree_logic(EXPR_OR, tree_call("=", b(), n(0)), tree_call("=", quotient, n(1))),
                  NULL, 0),
              "TRUE TRUE TRUE TRUE NULL FALSE");
    const struct expr *coalesced[] = {b(), quotient, n(9)};
    CHECK_STR(run(tree_node(EXPR_COALESCE, &TYPE_OF_BIGINT, 3, coalesced), NULL, 0), "0 2 0 4 9 3");
    uint16_t rows[] = {1, 3, 5};
    CHECK_STR(run(quotient, rows, 3), "1 1 2");
    /* a constant that fails, fails only where it is used */
    const struct expr *bad = tree_call("/", n(1), n(0));
    CHECK_STR(run(tree_case(tree_call("=", a(), n(3)), bad, a()), NULL, 0), "1 2 ! 4 5 6");
    arena_fini(&tree_arena);
}

TEST(logic_has_three_values)
{
    static const char *const names[] = {"FALSE", "TRUE", "NULL"};
    arena_init(&tree_arena, NULL, 1 << 20);
    for (int x = 0; x < 3; x++) {
        for (int y = 0; y < 3; y++) {
            /* through columns: x for all rows, computed, not folded */
            const struct expr *never = tree_call("<", a(), n(0)),
                              *always = tree_call(">", a(), n(0));
            const struct expr *null = tree_call("<", a(), tree_null(&TYPE_OF_BIGINT));
            const struct expr *values[] = {never, always, null};
            const char *and = x == 0 || y == 0 ? "FALSE" : x == 2 || y == 2 ? "NULL" : "TRUE";
            const char * or = x == 1 || y == 1 ? "TRUE" : x == 2 || y == 2 ? "NULL" : "FALSE";
            uint16_t row = 2;
            CHECK_STR(run(tree_logic(EXPR_AND, values[x], values[y]), &row, 1), and);
            CHECK_STR(run(tree_logic(EXPR_OR, values[x], values[y]), &row, 1), or);
        }
        const struct expr *literals[] = {tree_i64(&TYPE_OF_BOOLEAN, 0),
                                         tree_i64(&TYPE_OF_BOOLEAN, 1),
                                         tree_null(&TYPE_OF_BOOLEAN)};
        uint16_t row = 0;
        CHECK_STR(run(tree_logic(EXPR_NOT, literals[x], NULL), &row, 1), names[x == 2 ? 2 : 1 - x]);
        for (int is = -1; is < 2; is++) {
            struct expr *test = tree_node(EXPR_IS_TRUE, &TYPE_OF_BOOLEAN, 1, &literals[x]);
            test->test.is_value = is;
            CHECK_STR(run(test, &row, 1), names[(x == 2 ? -1 : x) == is]);
        }
    }
    arena_fini(&tree_arena);
}

TEST(casts_in_programs)
{
    arena_init(&tree_arena, NULL, 1 << 20);
    CHECK_STR(run(tree_cast(s(), &TYPE_OF_INT, true), NULL, 0), "12 NULL NULL 7 NULL 8");
    CHECK_STR(run(tree_cast(s(), &TYPE_OF_INT, false), NULL, 0), "12 ! ! 7 ! 8");
    CHECK_STR(errors.details[0].text, "cannot convert 'x' to INT");
    CHECK_STR(run(tree_cast(a(), &TYPE_OF_STRING, false), NULL, 0), "1 2 3 4 5 6");
    arena_fini(&tree_arena);
}

TEST(in_lists)
{
    arena_init(&tree_arena, NULL, 1 << 20);
    const struct expr *numbers[] = {a(), n(2), n(5), tree_null(&TYPE_OF_BIGINT)};
    struct expr *in = tree_node(EXPR_IN, &TYPE_OF_BOOLEAN, 3, numbers);
    CHECK_STR(run(in, NULL, 0), "FALSE TRUE FALSE FALSE TRUE FALSE");
    in = tree_node(EXPR_IN, &TYPE_OF_BOOLEAN, 4, numbers);
    CHECK_STR(run(in, NULL, 0), "NULL TRUE NULL NULL TRUE NULL");
    in->test.negated = true;
    CHECK_STR(run(in, NULL, 0), "NULL FALSE NULL NULL FALSE NULL");
    const struct expr *texts[] = {s(), tree_text("x"), tree_text(""),
                                  tree_text("a text that is not inline")};
    CHECK_STR(run(tree_node(EXPR_IN, &TYPE_OF_BOOLEAN, 4, texts), NULL, 0),
              "FALSE TRUE TRUE FALSE TRUE FALSE");
    arena_fini(&tree_arena);
}

static uint64_t kernel_calls;
static void counting_kernel(struct function_call *call)
{
    kernel_calls++;
    for (uint32_t i = 0; i < call->count; i++) {
        uint32_t row = call->selection ? call->selection[i] : i;
        ((int64_t *)call->out->values)[row] = 7;
    }
}

TEST(equal_parts_are_computed_once_and_constants_once_for_all)
{
    static const struct function_def def = {.name = "COUNTING", .flags = FUNCTION_STRICT};
    arena_init(&tree_arena, NULL, 1 << 20);
    for (int constant = 0; constant < 2; constant++) {
        const struct expr *parts[3];
        for (int i = 0; i < 3; i++) {
            const struct expr *arg = constant ? n(1) : a();
            struct expr *call = tree_node(EXPR_CALL, &TYPE_OF_BIGINT, 1, &arg);
            call->call.def = &def;
            call->call.kernel = counting_kernel;
            parts[i] = call;
        }
        kernel_calls = 0;
        const struct expr *sum = tree_call("+", tree_call("+", parts[0], parts[1]), a());
        const struct expr *chosen = tree_case(tree_call("=", sum, n(17)), parts[2], sum);
        CHECK_STR(run(chosen, NULL, 0), "15 16 7 18 19 20");
        CHECK_INT(kernel_calls, constant ? 1 : 2); /* run() runs it twice */
    }
    arena_fini(&tree_arena);
}

TEST(a_steady_stream_of_batches_allocates_nothing)
{
    arena_init(&tree_arena, NULL, 1 << 20);
    const struct expr *exprs[] = {
        tree_case(tree_call("<", a(), n(3)), tree_call("+", a(), b()), n(0)),
        tree_logic(EXPR_AND, tree_call("<>", b(), n(0)),
                   tree_call("=", tree_call("/", a(), b()), n(1))),
        tree_cast(a(), &TYPE_OF_STRING, false)};
    struct expr_program *program = NULL;
    struct evaluator *evaluator = NULL;
    struct batch *batch = make_batch();
    CHECK_OK(expr_compile(&program, exprs, 3, &err));
    CHECK_OK(evaluator_new(&evaluator, program, NULL, &err));
    uint64_t before = 0;
    for (int i = 0; i < 20; i++) {
        struct vec *results[3];
        if (i == 10)
            before = mem_alloc_count();
        CHECK_OK(evaluator_run(evaluator, batch, &context, results, &errors, &err));
        for (int r = 0; r < 3; r++)
            vec_unref(results[r]);
    }
    CHECK_INT(mem_alloc_count() - before, 0);
    evaluator_free(evaluator);
    expr_program_free(program);
    batch_unref(batch);
    arena_fini(&tree_arena);
}

TEST(a_filter_gives_the_rows_that_are_true)
{
    arena_init(&tree_arena, NULL, 1 << 20);
    const struct expr *expr = tree_call("=", tree_call("/", a(), b()), n(1));
    struct expr_program *program = NULL;
    struct evaluator *evaluator = NULL;
    struct batch *batch = make_batch();
    uint16_t rows[BATCH_ROWS_MAX];
    uint32_t count;
    CHECK_OK(expr_compile(&program, &expr, 1, &err));
    CHECK_OK(evaluator_new(&evaluator, program, NULL, &err));
    CHECK_OK(evaluator_filter(evaluator, batch, &context, rows, &count, &errors, &err));
    CHECK_INT(count, 2);
    CHECK(rows[0] == 1 && rows[1] == 3);
    CHECK_INT(row_errors_first(&errors, NULL, ROWS)->row, 0);
    uint16_t later[] = {1, 2, 5};
    CHECK_INT(row_errors_first(&errors, later, 3)->row, 2);
    evaluator_free(evaluator);
    expr_program_free(program);
    batch_unref(batch);
    arena_fini(&tree_arena);
}

TEST(texts_for_explain)
{
    arena_init(&tree_arena, NULL, 1 << 20);
    const char *names[] = {"a", "b", "s"};
    struct buf out;
    buf_init(&out, 4096);
    expr_format(&out,
                tree_case(tree_call("<>", b(), n(0)), tree_call("/", a(), b()),
                          tree_cast(s(), &TYPE_OF_BIGINT, true)),
                names);
    CHECK_STR(buf_text(&out), "CASE WHEN (b <> 0) THEN (a / b) ELSE TRY_CAST(s AS BIGINT) END");
    buf_clear(&out);
    const struct expr *args[] = {s(), tree_text("it's")};
    struct expr *in = tree_node(EXPR_IN, &TYPE_OF_BOOLEAN, 2, args);
    in->test.negated = true;
    expr_format(&out, in, NULL);
    CHECK_STR(buf_text(&out), "($2 NOT IN ('it''s'))");
    buf_fini(&out);
    arena_fini(&tree_arena);
}

static enum status whole_life(const struct expr *const *exprs, uint32_t count,
                              const struct batch *batch)
{
    struct expr_program *program = NULL;
    struct evaluator *evaluator = NULL;
    struct vec *results[8];
    enum status status = expr_compile(&program, exprs, count, &err);
    if (status == OK)
        status = evaluator_new(&evaluator, program, NULL, &err);
    for (int i = 0; i < 2 && status == OK; i++) {
        status = evaluator_run(evaluator, batch, &context, results, &errors, &err);
        for (uint32_t r = 0; r < count && status == OK; r++)
            vec_unref(results[r]);
    }
    evaluator_free(evaluator);
    expr_program_free(program);
    return status;
}

TEST(every_failed_allocation_is_a_status)
{
    arena_init(&tree_arena, NULL, 1 << 20);
    const struct expr *coalesced[] = {b(), tree_call("/", a(), b()), n(9)};
    const struct expr *texts[] = {s(), tree_text("x"), tree_text("")};
    const struct expr *exprs[] = {
        tree_case(tree_call("<", a(), n(3)), tree_cast(a(), &TYPE_OF_STRING, false), s()),
        tree_node(EXPR_COALESCE, &TYPE_OF_BIGINT, 3, coalesced),
        tree_logic(EXPR_OR, tree_call("<", a(), b()),
                   tree_call("=", tree_call("/", a(), b()), n(1))),
        tree_cast(s(), type_text(&tree_arena, TYPE_CHAR, 30, true), false),
        tree_node(EXPR_IN, &TYPE_OF_BOOLEAN, 3, texts),
        n(5),
    };
    struct batch *batch = make_batch();
    for (uint64_t nth = 1;; nth++) {
        error_clear(&err);
        mem_fail_after(nth);
        enum status status = whole_life(exprs, 6, batch);
        mem_fail_after(0);
        if (status == OK)
            break;
        CHECK_INT(status, ERR_MEMORY);
        CHECK(nth < 1000);
    }
    error_clear(&err);
    batch_unref(batch);
    arena_fini(&tree_arena);
}
