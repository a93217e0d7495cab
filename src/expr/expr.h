/* expr.h - bound expressions and their evaluator.
 *
 * The binder (sql/) makes trees of struct expr: every name is a column number, every type known,
 * every implicit cast explicit. expr_compile() turns a list of trees into one flat program of steps
 * over vectors, with common sub-expressions computed once and constants folded; expr_eval() runs it
 * over a batch's selected rows.
 *
 * Rows and selections: results are aligned with the batch's row numbers (row i of a result belongs
 * to row i of the batch; rows that were not selected are unspecified). CASE, COALESCE, IF, AND, OR
 * narrow the selection for their branches, so that a branch is only computed, and can only fail,
 * where it is taken.
 *
 * A program is immutable and shared by threads; an evaluator is one thread's scratch for it.
 */
#ifndef LEAT_EXPR_EXPR_H
#define LEAT_EXPR_EXPR_H

#include "function/function.h"

enum expr_kind {
    EXPR_COLUMN, /* column of the input */
    EXPR_LITERAL,
    EXPR_CALL, /* function of the table, args coerced */
    EXPR_CAST, /* args[0]; try_cast: NULL instead of an error; implicit: inserted by the binder */
    EXPR_AND,  /* n-ary, three-valued */
    EXPR_OR,
    EXPR_NOT,
    EXPR_IS_NULL,  /* negated: IS NOT NULL */
    EXPR_IS_TRUE,  /* negated; also IS FALSE, IS UNKNOWN by is_value */
    EXPR_CASE,     /* args: when, then, when, then, ..., else (always there) */
    EXPR_COALESCE, /* args of one common type */
    EXPR_IN,       /* args[0] in literals args[1..]; all of one type; negated */
    EXPR_FIELD,    /* field `column` of the ROW args[0] */
};

#define EXPR_DEPTH_MAX 256

struct expr {
    enum expr_kind kind;
    const struct type *type;
    struct source_pos pos;
    uint32_t arg_count;
    const struct expr *const *args;
    union {
        uint32_t column; /* EXPR_COLUMN, EXPR_FIELD */
        struct datum literal;
        struct {
            const struct function_def *def;
            function_kernel kernel;
            const void *state;
        } call;
        struct {
            bool try_cast;
            bool implicit;
        } cast;
        struct {
            bool negated;
            int is_value; /* EXPR_IS_TRUE: 1 TRUE, 0 FALSE, -1 UNKNOWN */
        } test;
    };
};

/* Structural equality: same kinds, columns, literals, functions; positions do not count. */
bool expr_equals(const struct expr *a, const struct expr *b);
bool expr_is_deterministic(const struct expr *expr);
bool expr_can_fail(const struct expr *expr);
/* Calls each(context, column) for every column used, possibly several times. */
void expr_columns(const struct expr *expr, void (*each)(void *context, uint32_t column),
                  void *context);
/* A copy with column c replaced by map[c]; NULL without memory. */
const struct expr *expr_remap(struct arena *arena, const struct expr *expr, const uint32_t *map);
/* As SQL text with $0, $1 or the given names for columns, for EXPLAIN and error texts. */
void expr_format(struct buf *out, const struct expr *expr, const char *const *column_names);

struct expr_program;
struct evaluator;

enum status expr_compile(struct expr_program **out, const struct expr *const *exprs,
                         uint32_t expr_count, struct error *err) STATUS_CHECKED;
void expr_program_free(struct expr_program *program);

enum status evaluator_new(struct evaluator **out, const struct expr_program *program,
                          struct mem_owner *owner, struct error *err) STATUS_CHECKED;
void evaluator_free(struct evaluator *evaluator);

/* results[i] = a new reference to the i-th expression's vector (any form; a plain column is the
 * batch's own vector). errors (cleared first) holds rows that failed; their results are NULL.
 * ERR_* is for memory only. */
enum status evaluator_run(struct evaluator *evaluator, const struct batch *batch,
                          struct eval_context *context, struct vec **results,
                          struct row_errors *errors, struct error *err) STATUS_CHECKED;

/* The first (BOOLEAN) expression as a filter: writes the selected rows for which it is TRUE to
 * selection (BATCH_ROWS_MAX entries) and their number to *count. Failed rows are not selected but
 * stand in errors. */
enum status evaluator_filter(struct evaluator *evaluator, const struct batch *batch,
                             struct eval_context *context, uint16_t *selection, uint32_t *count,
                             struct row_errors *errors, struct error *err) STATUS_CHECKED;

/* Fold: the value of an expression without columns, dynamic or random parts. A failing row is the
 * error. The datum's memory is in arena. */
enum status expr_constant(struct arena *arena, const struct expr *expr,
                          const struct function_session *session, struct datum *out,
                          struct error *err) STATUS_CHECKED;

/* CAST: whether Flink allows it explicitly / implicitly (the coercion matrix, flink-semantics 5f).
 */
bool cast_allowed(const struct type *from, const struct type *to);
bool cast_implicit(const struct type *from, const struct type *to);
bool cast_can_fail(const struct type *from, const struct type *to);

#endif
