/* Random expressions over random batches: what the program gives for every row is what a naive
 * interpreter, which knows nothing of vectors, gives for that row; whatever the columns' forms
 * (flat, constant, dictionary), with and without a selection, and whatever ran before in the
 * evaluator. */
#include "expr/expr.h"

#include <errno.h>

#include "../check.h"
#include "tree.h"

static struct error err;
static struct row_errors errors;
static struct eval_context context = {.watermark_us = WATERMARK_NONE};
static uint64_t seed;

static uint32_t draw(uint32_t below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((seed >> 33) % below);
}

/* ---- values of the naive interpreter ---- */

enum state { NAIVE_NULL, NAIVE_VALUE, NAIVE_FAILED };
struct naive {
    enum state state;
    int64_t number; /* BIGINT, BOOLEAN */
    char text[40];
};

#define COLUMNS  4 /* BIGINT, BIGINT, BOOLEAN, STRING */
#define ROWS_MAX 150
static const struct type *const column_types[COLUMNS] = {&TYPE_OF_BIGINT, &TYPE_OF_BIGINT,
                                                         &TYPE_OF_BOOLEAN, &TYPE_OF_STRING};
static struct naive table[COLUMNS][ROWS_MAX];

static struct naive number(int64_t value)
{
    return (struct naive){.state = NAIVE_VALUE, .number = value};
}

static struct naive naive_of(const struct expr *expr, uint32_t row);

static bool is_name(const struct expr *expr, const char *name)
{
    return strcmp(expr->call.def->name, name) == 0;
}

static struct naive divide(const struct expr *expr, int64_t x, int64_t y)
{
    if (y == 0)
        return (struct naive){.state = NAIVE_FAILED};
    if (y == -1)
        return number(is_name(expr, "/") ? (int64_t)(0 - (uint64_t)x) : 0);
    return number(is_name(expr, "/") ? x / y : x % y);
}

static struct naive naive_call(const struct expr *expr, uint32_t row)
{
    struct naive x = naive_of(expr->args[0], row), y = naive_of(expr->args[1], row);
    bool distinct = is_name(expr, "IS DISTINCT FROM");
    if (x.state == NAIVE_FAILED || y.state == NAIVE_FAILED)
        return (struct naive){.state = NAIVE_FAILED};
    if (distinct && (x.state == NAIVE_NULL || y.state == NAIVE_NULL))
        return number(x.state != y.state);
    if (x.state == NAIVE_NULL || y.state == NAIVE_NULL)
        return (struct naive){.state = NAIVE_NULL};
    bool is_text = type_is_text(expr->args[0]->type);
    int order = is_text ? strcmp(x.text, y.text) : (x.number > y.number) - (x.number < y.number);
    if (is_name(expr, "+"))
        return number((int64_t)((uint64_t)x.number + (uint64_t)y.number));
    if (is_name(expr, "-"))
        return number((int64_t)((uint64_t)x.number - (uint64_t)y.number));
    if (is_name(expr, "*"))
        return number((int64_t)((uint64_t)x.number * (uint64_t)y.number));
    if (is_name(expr, "/") || is_name(expr, "%"))
        return divide(expr, x.number, y.number);
    if (is_name(expr, "="))
        return number(order == 0);
    if (is_name(expr, "<>") || distinct)
        return number(order != 0);
    if (is_name(expr, "<"))
        return number(order < 0);
    return number(order >= 0); /* >= */
}

/* AND and OR from left to right; what decides the result ends it. */
static struct naive naive_logic(const struct expr *expr, uint32_t row)
{
    bool decides = expr->kind == EXPR_OR, saw_null = false;
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        struct naive x = naive_of(expr->args[i], row);
        if (x.state == NAIVE_FAILED)
            return x;
        if (x.state == NAIVE_NULL)
            saw_null = true;
        else if (x.number == decides)
            return number(decides);
    }
    return saw_null ? (struct naive){.state = NAIVE_NULL} : number(!decides);
}

static struct naive naive_cast(const struct expr *expr, uint32_t row)
{
    struct naive x = naive_of(expr->args[0], row);
    if (x.state != NAIVE_VALUE)
        return x;
    struct naive out = {.state = NAIVE_VALUE};
    if (type_is_text(expr->type)) {
        snprintf(out.text, sizeof(out.text), "%" PRId64, x.number);
        return out;
    }
    char *end;
    errno = 0;
    out.number = strtoll(x.text, &end, 10);
    if (end == x.text || *end || errno)
        out.state = expr->cast.try_cast ? NAIVE_NULL : NAIVE_FAILED;
    return out;
}

static struct naive naive_in(const struct expr *expr, uint32_t row)
{
    struct naive x = naive_of(expr->args[0], row);
    bool found = false, has_null = false;
    if (x.state != NAIVE_VALUE)
        return x;
    for (uint32_t i = 1; i < expr->arg_count; i++) {
        has_null |= expr->args[i]->literal.is_null;
        found |= !expr->args[i]->literal.is_null && expr->args[i]->literal.i64 == x.number;
    }
    if (!found && has_null)
        return (struct naive){.state = NAIVE_NULL};
    return number(found != expr->test.negated);
}

static struct naive naive_test(const struct expr *expr, uint32_t row)
{
    struct naive x = naive_of(expr->args[0], row);
    if (x.state == NAIVE_FAILED)
        return x;
    if (expr->kind == EXPR_IS_NULL)
        return number((x.state == NAIVE_NULL) != expr->test.negated);
    if (expr->kind == EXPR_NOT)
        return x.state == NAIVE_NULL ? x : number(!x.number);
    int value = x.state == NAIVE_NULL ? -1 : (int)x.number;
    return number((value == expr->test.is_value) != expr->test.negated);
}

static struct naive naive_literal(const struct expr *expr)
{
    struct naive out = {.state = expr->literal.is_null ? NAIVE_NULL : NAIVE_VALUE};
    if (out.state == NAIVE_VALUE && type_is_text(expr->type))
        memcpy(out.text, expr->literal.text.data, expr->literal.text.length);
    else
        out.number = expr->literal.i64;
    return out;
}

static struct naive naive_of(const struct expr *expr, uint32_t row)
{
    struct naive x = {.state = NAIVE_NULL};
    switch (expr->kind) {
    case EXPR_COLUMN:
        return table[expr->column][row];
    case EXPR_LITERAL:
        return naive_literal(expr);
    case EXPR_CALL:
        return naive_call(expr, row);
    case EXPR_CAST:
        return naive_cast(expr, row);
    case EXPR_AND:
    case EXPR_OR:
        return naive_logic(expr, row);
    case EXPR_CASE:
        for (uint32_t i = 0; i + 1 < expr->arg_count; i += 2) {
            x = naive_of(expr->args[i], row);
            if (x.state == NAIVE_FAILED)
                return x;
            if (x.state == NAIVE_VALUE && x.number)
                return naive_of(expr->args[i + 1], row);
        }
        return naive_of(expr->args[expr->arg_count - 1], row);
    case EXPR_COALESCE:
        for (uint32_t i = 0; i < expr->arg_count && x.state == NAIVE_NULL; i++)
            x = naive_of(expr->args[i], row);
        return x;
    case EXPR_IN:
        return naive_in(expr, row);
    default:
        return naive_test(expr, row);
    }
}

/* ---- random trees ---- */

static const struct expr *any(const struct type *type, uint32_t depth);

static const struct expr *leaf(const struct type *type)
{
    static const char *const texts[] = {
        "7", "-12", "x", "", "123456789012345", "a longer text, not inline"};
    uint32_t kind = draw(6);
    if (kind == 0)
        return tree_null(type);
    if (kind < 4) {
        if (type->root == TYPE_BIGINT)
            return tree_column(draw(2), type);
        return tree_column(type->root == TYPE_BOOLEAN ? 2 : 3, type);
    }
    if (type_is_text(type))
        return tree_text(texts[draw(6)]);
    return tree_i64(type, type->root == TYPE_BOOLEAN ? draw(2) : (int64_t)draw(7) - 3);
}

static const struct expr *branches(const struct type *type, uint32_t depth)
{
    const struct expr *args[5];
    uint32_t count = 0;
    if (draw(2)) {
        for (uint32_t whens = 1 + draw(2); whens; whens--) {
            args[count++] = any(&TYPE_OF_BOOLEAN, depth - 1);
            args[count++] = any(type, depth - 1);
        }
        args[count++] = any(type, depth - 1);
        return tree_node(EXPR_CASE, type, count, args);
    }
    for (uint32_t parts = 2 + draw(2); parts; parts--)
        args[count++] = any(type, depth - 1);
    return tree_node(EXPR_COALESCE, type, count, args);
}

static const struct expr *any_number(uint32_t depth)
{
    static const char *const signs[] = {"+", "-", "*", "/", "%"};
    if (draw(6) == 0)
        return tree_cast(any(&TYPE_OF_STRING, depth - 1), &TYPE_OF_BIGINT, draw(2));
    return tree_call(signs[draw(5)], any(&TYPE_OF_BIGINT, depth - 1),
                     any(&TYPE_OF_BIGINT, depth - 1));
}

static const struct expr *any_in(uint32_t depth)
{
    const struct expr *args[12] = {any(&TYPE_OF_BIGINT, depth - 1)};
    uint32_t count = 2 + draw(10);
    for (uint32_t i = 1; i < count; i++)
        args[i] = draw(12) ? tree_i64(&TYPE_OF_BIGINT, (int64_t)draw(20) - 10)
                           : tree_null(&TYPE_OF_BIGINT);
    struct expr *in = tree_node(EXPR_IN, &TYPE_OF_BOOLEAN, count, args);
    in->test.negated = draw(2);
    return in;
}

static const struct expr *any_boolean(uint32_t depth)
{
    static const char *const signs[] = {"=", "<>", "<", ">=", "IS DISTINCT FROM"};
    const struct type *type = draw(3) ? &TYPE_OF_BIGINT : &TYPE_OF_STRING;
    const struct expr *args[3];
    struct expr *test;
    switch (draw(6)) {
    case 0:
        for (int i = 0; i < 3; i++)
            args[i] = any(&TYPE_OF_BOOLEAN, depth - 1);
        return tree_node(draw(2) ? EXPR_AND : EXPR_OR, &TYPE_OF_BOOLEAN, 2 + draw(2), args);
    case 1:
        return tree_logic(EXPR_NOT, any(&TYPE_OF_BOOLEAN, depth - 1), NULL);
    case 2:
        args[0] = any(draw(2) ? &TYPE_OF_BIGINT : &TYPE_OF_STRING, depth - 1);
        test = tree_node(EXPR_IS_NULL, &TYPE_OF_BOOLEAN, 1, args);
        test->test.negated = draw(2);
        return test;
    case 3:
        args[0] = any(&TYPE_OF_BOOLEAN, depth - 1);
        test = tree_node(EXPR_IS_TRUE, &TYPE_OF_BOOLEAN, 1, args);
        test->test.negated = draw(2);
        test->test.is_value = (int)draw(3) - 1;
        return test;
    case 4:
        return any_in(depth);
    default:
        return tree_call(signs[draw(5)], any(type, depth - 1), any(type, depth - 1));
    }
}

static const struct expr *any(const struct type *type, uint32_t depth)
{
    if (depth == 0 || draw(5) == 0)
        return leaf(type);
    if (draw(4) == 0)
        return branches(type, depth);
    if (type->root == TYPE_BIGINT)
        return any_number(depth);
    if (type->root == TYPE_BOOLEAN)
        return any_boolean(depth);
    return draw(2) ? tree_cast(any(&TYPE_OF_BIGINT, depth - 1), type, false) : leaf(type);
}

/* ---- random batches ---- */

static struct naive random_value(const struct type *type)
{
    static const char *const texts[] = {
        "5", "0", "abc", "-77", "9223372036854775808", "some longer text here"};
    struct naive value = {.state = draw(5) ? NAIVE_VALUE : NAIVE_NULL};
    if (type_is_text(type))
        snprintf(value.text, sizeof(value.text), "%s", texts[draw(6)]);
    else if (type->root == TYPE_BOOLEAN)
        value.number = draw(2);
    else
        value.number = draw(20) ? (int64_t)draw(9) - 4 : draw(2) ? INT64_MIN : INT64_MAX;
    return value;
}

static struct vec *flat_of(const struct type *type, const struct naive *values, uint32_t count)
{
    struct vec *vec = NULL;
    must(vec_new(&vec, type, count, NULL, &err) == OK);
    for (uint32_t i = 0; i < count; i++) {
        if (values[i].state == NAIVE_NULL) {
            must(vec_append_null(vec, 1, &err) == OK);
            continue;
        }
        if (type_is_text(type))
            must(vec_set_text(vec, i, values[i].text, strlen(values[i].text), &err) == OK);
        else if (type->root == TYPE_BOOLEAN)
            ((uint8_t *)vec->values)[i] = (uint8_t)values[i].number;
        else
            ((int64_t *)vec->values)[i] = values[i].number;
        vec->length = i + 1;
    }
    return vec;
}

static struct vec *random_column(uint32_t column, uint32_t rows)
{
    const struct type *type = column_types[column];
    struct naive *values = table[column], distinct[8];
    uint16_t indices[ROWS_MAX];
    struct vec *vec = NULL, *base;
    bool no_null = draw(3) == 0;
    for (uint32_t i = 0; i < rows; i++) {
        values[i] = random_value(type);
        if (no_null)
            values[i].state = NAIVE_VALUE;
    }
    uint32_t form = draw(3);
    if (form == 0)
        return flat_of(type, values, rows);
    memcpy(distinct, values, sizeof(distinct));
    base = flat_of(type, distinct, 8);
    for (uint32_t i = 0; i < rows; i++) {
        indices[i] = (uint16_t)(form == 1 ? 0 : draw(8));
        values[i] = distinct[indices[i]];
    }
    if (form == 1)
        must(vec_new_constant(&vec, base, 0, rows, &err) == OK);
    else
        must(vec_new_dictionary(&vec, base, indices, rows, &err) == OK);
    vec_unref(base);
    return vec;
}

static struct batch *random_batch(void)
{
    struct vec *columns[COLUMNS];
    struct batch *batch = NULL;
    uint16_t selection[ROWS_MAX];
    uint32_t rows = 8 + draw(ROWS_MAX - 8), selected = 0;
    for (uint32_t c = 0; c < COLUMNS; c++)
        columns[c] = random_column(c, rows);
    must(batch_new(&batch, columns, COLUMNS, rows, &err) == OK);
    if (draw(2)) {
        uint32_t share = draw(4);
        for (uint32_t i = 0; i < rows; i++)
            if (draw(4) < share)
                selection[selected++] = (uint16_t)i;
        must(batch_set_selection(batch, selection, selected, &err) == OK);
    }
    return batch;
}

/* ---- comparison ---- */

static bool agrees(const struct vec *vec, uint16_t row, const struct naive *want)
{
    bool failed = row_errors_first(&errors, &row, 1) != NULL;
    if (failed || want->state == NAIVE_FAILED)
        return failed && want->state == NAIVE_FAILED;
    struct datum got;
    datum_get(&got, vec, row);
    if (got.is_null || want->state == NAIVE_NULL)
        return got.is_null && want->state == NAIVE_NULL;
    if (type_is_text(vec->type))
        return str_eq(got.text, str_of(want->text));
    return got.i64 == want->number;
}

static bool check_batch(struct evaluator *evaluator, const struct expr *const *exprs,
                        const struct batch *batch, struct vec **held)
{
    struct vec *results[3];
    bool good = true;
    must(evaluator_run(evaluator, batch, &context, results, &errors, &err) == OK);
    for (uint32_t e = 0; e < 3; e++) {
        must(results[e]->length == batch->row_count);
        vec_verify(results[e]);
    }
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint16_t row = (uint16_t)batch_row(batch, i);
        struct naive want[3];
        bool any_failed = false;
        for (uint32_t e = 0; e < 3; e++) {
            want[e] = naive_of(exprs[e], row);
            any_failed |= want[e].state == NAIVE_FAILED;
        }
        for (uint32_t e = 0; e < 3 && !any_failed; e++)
            good &= agrees(results[e], row, &want[e]);
        if (any_failed)
            good &= row_errors_first(&errors, &row, 1) != NULL;
    }
    for (uint32_t e = 0; e < 3; e++) { /* some results stay in use while later batches run */
        vec_unref(held[e]);
        held[e] = results[e];
    }
    return good;
}

static void report(const struct expr *const *exprs, uint64_t round)
{
    struct buf out;
    buf_init(&out, 1 << 20);
    for (int e = 0; e < 3; e++) {
        expr_format(&out, exprs[e], NULL);
        buf_append_text(&out, "\n#   ");
    }
    printf("# round %" PRIu64 ": %s\n", round, buf_text(&out));
    buf_fini(&out);
}

TEST(programs_agree_with_a_naive_interpreter)
{
    static const struct type *const types[] = {&TYPE_OF_BIGINT, &TYPE_OF_BOOLEAN, &TYPE_OF_STRING};
    for (uint64_t round = 1; round <= 3000; round++) {
        const struct expr *exprs[3];
        struct expr_program *program = NULL;
        struct evaluator *evaluator = NULL;
        struct vec *held[3] = {NULL};
        bool good = true;
        seed = round * 977;
        arena_init(&tree_arena, NULL, 16 << 20);
        for (int e = 0; e < 3; e++)
            exprs[e] = any(types[e], 1 + draw(4));
        CHECK_OK(expr_compile(&program, exprs, 3, &err));
        CHECK_OK(evaluator_new(&evaluator, program, NULL, &err));
        for (int b = 0; b < 4; b++) {
            struct batch *batch = random_batch();
            good &= check_batch(evaluator, exprs, batch, held);
            batch_unref(batch);
        }
        for (int e = 0; e < 3; e++)
            vec_unref(held[e]);
        evaluator_free(evaluator);
        expr_program_free(program);
        if (!good)
            report(exprs, round);
        arena_fini(&tree_arena);
        CHECK(good);
    }
}
