/* function_case.c - runs files of scalar triples (test/README.md), one TAP line a triple.
 *
 * Each expression is bound once and evaluated twice: folded (expr_constant), and over vectors: its
 * literals become columns of a batch of which some rows are selected, so that kernels, casts and
 * branches run as they do in a pipeline. Both must give the value. @columns declares names that
 * stand for their values: they are put into the text as TRY_CASTs.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "os/zonefile.h"
#include "sql/sql.h"
#include "test/case/case.h"

#define COLUMNS_MAX 64
#define ROWS        5

static const uint16_t selected[] = {1, 3, 4};
#define SELECTED 3

struct runner {
    const struct zone *zone;
    struct arena arena; /* of the triple at hand */
    struct {
        char name[64];
        char text[512]; /* TRY_CAST(value AS TYPE), which is nullable */
    } names[COLUMNS_MAX];
    uint32_t name_count;
    const struct datum *literals[COLUMNS_MAX]; /* what becomes columns */
    uint32_t literal_count;
    struct row_errors errors;
    char problem[2048];
};

/* ---- directives ---- */

static char *trimmed(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t length = strlen(text);
    while (length && isspace((unsigned char)text[length - 1]))
        text[--length] = '\0';
    return text;
}

/* "name TYPE = value" */
static bool add_name(struct runner *runner, char *item)
{
    char *equals = strstr(item, " = ");
    item = trimmed(item);
    char *blank = strchr(item, ' ');
    if (!equals || !blank || blank > equals || runner->name_count == COLUMNS_MAX)
        return false;
    *equals = *blank = '\0';
    char *type = trimmed(blank + 1), *value = trimmed(equals + 3);
    uint32_t at = runner->name_count++;
    snprintf(runner->names[at].name, sizeof(runner->names[at].name), "%s", item);
    bool literal = *value == '\'' || strcmp(value, "NULL") == 0;
    snprintf(runner->names[at].text, sizeof(runner->names[at].text), "TRY_CAST(%s%s%s AS %s)",
             literal ? "" : "'", value, literal ? "" : "'", type);
    return true;
}

static bool directive(struct runner *runner, char *text)
{
    static const char set_zone[] = "set table.local-time-zone = ";
    if (strncmp(text, set_zone, strlen(set_zone)) == 0)
        return zonefile_get(&runner->zone, trimmed(text + strlen(set_zone)), NULL) == OK;
    if (strncmp(text, "columns ", 8) != 0)
        return false;
    runner->name_count = 0;
    int depth = 0;
    char *item = text + 8;
    for (char *c = item;; c++) { /* commas inside DECIMAL(10, 2) do not count */
        depth += *c == '(';
        depth -= *c == ')';
        if (*c && (*c != ',' || depth))
            continue;
        bool last = !*c;
        *c = '\0';
        if (!add_name(runner, item))
            return false;
        if (last)
            return true;
        item = c + 1;
    }
}

/* The expression with declared names replaced outside quotes; NULL without memory. */
static const char *with_names(struct runner *runner, const char *text)
{
    struct buf out;
    bool quoted = false;
    buf_init(&out, 1 << 20);
    while (*text) {
        size_t length = 0;
        while (isalnum((unsigned char)text[length]) || text[length] == '_')
            length++;
        uint32_t i = 0;
        while (i < runner->name_count && (strlen(runner->names[i].name) != length ||
                                          strncmp(runner->names[i].name, text, length) != 0))
            i++;
        if (!quoted && length && i < runner->name_count)
            buf_append_text(&out, runner->names[i].text);
        else
            buf_append(&out, text, length ? length : 1);
        quoted ^= *text == '\'';
        text += length ? length : 1;
    }
    const char *copy = arena_strndup(&runner->arena, buf_text(&out), out.length);
    buf_fini(&out);
    return copy;
}

/* ---- evaluation ---- */

/* A copy of the tree whose literals are columns. Lists of IN have to stay literals. */
static const struct expr *literals_to_columns(struct runner *runner, const struct expr *expr)
{
    struct expr *copy = ARENA_NEW(&runner->arena, struct expr);
    must(copy);
    *copy = *expr;
    if (expr->kind == EXPR_LITERAL && expr->type->root != TYPE_NULL &&
        type_physical(expr->type) < PHYS_LIST && runner->literal_count < COLUMNS_MAX) {
        runner->literals[runner->literal_count] = &expr->literal;
        copy->kind = EXPR_COLUMN;
        copy->column = runner->literal_count++;
    }
    const struct expr **args =
        ARENA_ARRAY(&runner->arena, expr->arg_count + 1, const struct expr *);
    must(args);
    for (uint32_t i = 0; i < expr->arg_count; i++)
        args[i] = expr->kind == EXPR_IN && i > 0 ? expr->args[i]
                                                 : literals_to_columns(runner, expr->args[i]);
    copy->args = args;
    return copy;
}

static enum status make_batch(struct runner *runner, struct batch **out, struct error *err)
{
    struct vec *columns[COLUMNS_MAX];
    for (uint32_t c = 0; c < runner->literal_count; c++) {
        struct vec *constant = NULL;
        must(datum_to_vec(&constant, runner->literals[c], ROWS, err) == OK);
        must(vec_flatten(&columns[c], constant, err) == OK);
        vec_unref(constant);
    }
    TRY(batch_new(out, columns, runner->literal_count, ROWS, err));
    return batch_set_selection(*out, selected, SELECTED, err);
}

/* The first selected row's value to out; the others must have the same. */
static enum status same_rows(struct runner *runner, const struct vec *result, bool same,
                             struct buf *out, struct error *err)
{
    struct datum first, other;
    datum_format_at(out, result, selected[0], runner->zone);
    datum_get(&first, result, selected[0]);
    for (int i = 1; i < SELECTED && same; i++) {
        datum_get(&other, result, selected[i]);
        if (!datum_equals(&first, &other))
            return error_set(err, ERR_DATA, "equal rows have different values");
    }
    return OK;
}

static enum status over_vectors(struct runner *runner, const struct expr *expr, struct buf *out,
                                struct error *err)
{
    struct eval_context context = {
        .zone = runner->zone, .now_us = INT64_C(1704067200000000), .watermark_us = WATERMARK_NONE};
    struct expr_program *program = NULL;
    struct evaluator *evaluator = NULL;
    struct batch *batch = NULL;
    struct vec *result = NULL;
    const struct expr *over = literals_to_columns(runner, expr);
    TRY(make_batch(runner, &batch, err));
    enum status status = expr_compile(&program, &over, 1, err);
    if (status == OK)
        status = evaluator_new(&evaluator, program, NULL, err);
    if (status == OK)
        status = evaluator_run(evaluator, batch, &context, &result, &runner->errors, err);
    if (status == OK) {
        const struct row_error *failed = row_errors_first(&runner->errors, selected, SELECTED);
        vec_verify(result);
        if (failed)
            status = error_set(err, failed->code, "%s", failed->text);
        else
            status = same_rows(runner, result, expr_is_deterministic(expr), out, err);
    }
    vec_unref(result);
    evaluator_free(evaluator);
    expr_program_free(program);
    batch_unref(batch);
    return status;
}

static enum status folded(struct runner *runner, const struct expr *expr,
                          const struct function_session *session, struct buf *out,
                          struct error *err)
{
    struct datum value;
    if (!expr_is_deterministic(expr) || type_physical(expr->type) >= PHYS_LIST)
        return over_vectors(runner, expr, out, err);
    TRY(expr_constant(&runner->arena, expr, session, &value, err));
    datum_format(out, &value, runner->zone);
    return OK;
}

/* ---- comparison ---- */

static bool same_value(const struct case_triple *triple, const struct type *type, struct buf *got)
{
    const char *text = buf_text(got);
    if (triple->value.null)
        return strcmp(text, "NULL") == 0;
    if (strcmp(text, triple->value.text) == 0)
        return true;
    double x, y;
    if (!type_is_approximate(type) || !str_to_f64(str_of(text), &x) ||
        !str_to_f64(str_of(triple->value.text), &y))
        return false;
    return fabs(x - y) <= 1e-9 * fmax(fabs(x), fabs(y));
}

static void check_value(struct runner *runner, const struct case_triple *triple, const char *how,
                        enum status status, const struct type *type, struct buf *got,
                        const struct error *err)
{
    size_t used = strlen(runner->problem);
    char *room = runner->problem + used;
    size_t size = sizeof(runner->problem) - used;
    if (triple->has_error && status == OK)
        snprintf(room, size, "# %s gave %s, not an error with \"%s\"\n", how, buf_text(got),
                 triple->value.text);
    else if (triple->has_error && !strstr(err->text, triple->value.text))
        snprintf(room, size, "# %s: the error is \"%s\", not \"%s\"\n", how, err->text,
                 triple->value.text);
    else if (!triple->has_error && status != OK)
        snprintf(room, size, "# %s failed: %s\n", how, err->text);
    else if (!triple->has_error && !same_value(triple, type, got))
        snprintf(room, size, "# %s gave %s, not %s\n", how, buf_text(got),
                 triple->value.null ? "NULL" : triple->value.text);
}

static void check_type(struct runner *runner, const struct case_triple *triple,
                       const struct type *type)
{
    struct buf text;
    size_t used = strlen(runner->problem);
    buf_init(&text, 4096);
    type_format(&text, type);
    if (triple->type && strcmp(buf_text(&text), triple->type) != 0)
        snprintf(runner->problem + used, sizeof(runner->problem) - used,
                 "# the type is %s, not %s\n", buf_text(&text), triple->type);
    buf_fini(&text);
}

static void run_triple(struct runner *runner, const struct case_triple *triple)
{
    struct function_session functions = {.zone = runner->zone, .zone_by_name = zonefile_get};
    struct sql_session session = {.function_session = &functions};
    struct error err = {0}, err_over = {0};
    const struct expr *expr = NULL;
    struct statement holder = {0};
    struct buf got, got_over;
    buf_init(&got, 1 << 20);
    buf_init(&got_over, 1 << 20);
    runner->problem[0] = '\0';
    runner->literal_count = 0;
    const char *text = with_names(runner, triple->expression);
    must(text);
    enum status status =
        sql_expression(str_of(text), &session, &runner->arena, &holder, &expr, &err);
    if (status != OK) {
        check_value(runner, triple, "binding", status, NULL, &got, &err);
    } else {
        status = folded(runner, expr, &functions, &got, &err);
        check_value(runner, triple, "folded, it", status, expr->type, &got, &err);
        status = over_vectors(runner, expr, &got_over, &err_over);
        if (expr_is_deterministic(expr))
            check_value(runner, triple, "over vectors, it", status, expr->type, &got_over,
                        &err_over);
        check_type(runner, triple, expr->type);
    }
    sql_statement_fini(&holder);
    buf_fini(&got);
    buf_fini(&got_over);
}

static int run_file(struct runner *runner, const char *path, int *number)
{
    struct case_triples triples;
    int failed = 0;
    if (!case_triples_load(&triples, path)) {
        printf("not ok %d - %s\n# %s\n", ++*number, path, triples.error);
        case_triples_fini(&triples);
        return 1;
    }
    for (int i = 0; i < triples.triple_count; i++) {
        struct case_triple *triple = &triples.triples[i];
        if (triple->directive) {
            if (!directive(runner, triple->expression)) {
                printf("not ok %d - %s:%d: bad directive\n", ++*number, path, triple->line);
                failed++;
            }
            continue;
        }
        arena_init(&runner->arena, NULL, 16 << 20);
        run_triple(runner, triple);
        arena_fini(&runner->arena);
        failed += runner->problem[0] != '\0';
        printf("%s %d - %s:%d: %s\n%s", runner->problem[0] ? "not ok" : "ok", ++*number, path,
               triple->line, triple->expression, runner->problem);
    }
    case_triples_fini(&triples);
    return failed;
}

int main(int argc, char **argv)
{
    struct runner *runner = calloc(1, sizeof(*runner));
    struct error err = {0};
    int failed = 0, number = 0;
    must(runner);
    if (zonefile_get(&runner->zone, "UTC", &err) != OK) {
        fprintf(stderr, "function_case: %s\n", err.text);
        return 2;
    }
    for (int i = 1; i < argc; i++)
        failed += run_file(runner, argv[i], &number);
    printf("1..%d\n", number);
    free(runner);
    return failed ? 1 : 0;
}
