/* expr_int.h - programs and evaluators, for this room only.
 *
 * A program is a flat list of steps over registers and scopes. A register holds one vector; a scope
 * is a set of rows (a selection), scope 0 the batch's own. Every scope but 0 is a part of its
 * parent, made by a NARROW step from a BOOLEAN register (or from which rows of a register are
 * NULL); when it has no row, NARROW jumps over the steps that belong to it. A value computed in a
 * scope may be used in that scope and in all below it: common sub-expressions are found by
 * (expression, scope or one of its ancestors).
 *
 *   CASE WHEN c1 THEN t1 ELSE e END in scope 0:
 *     BEGIN m          | c1 -> r1 (scope 0)
 *     NARROW 1 = rows of 0 where r1 is TRUE, else jump A    | t1 -> r2 (scope 1) | MERGE m <- r2
 * (1) A: NARROW 2 = rows of 0 where r1 is not TRUE, else B  | e -> r3 (scope 2)  | MERGE m <- r3
 * (2) B: END m
 */
#ifndef LEAT_EXPR_EXPR_INT_H
#define LEAT_EXPR_EXPR_INT_H

#include "expr/expr.h"
#include "function/kernel.h"

enum step_kind {
    STEP_COLUMN, /* out = the batch's column `index` */
    STEP_LITERAL,
    STEP_CALL,  /* functions, casts, NOT, IS ..., IN: everything that is a kernel */
    STEP_FIELD, /* out = child `index` of the ROW args[0] */
    STEP_BEGIN, /* out has no value yet */
    STEP_MERGE, /* out = args[0] at the scope's rows */
    STEP_AND,   /* out = out AND args[0] at the scope's rows */
    STEP_OR,
    STEP_NARROW, /* scope `scope` = rows of scope `from` where args[0] is as `keep` says */
};

enum keep { KEEP_TRUE, KEEP_NOT_TRUE, KEEP_NOT_FALSE, KEEP_NULL };

struct step {
    enum step_kind kind;
    enum keep keep;
    uint16_t out;
    uint16_t scope;
    uint16_t from;
    uint16_t arg_count;
    uint16_t *args; /* registers */
    uint32_t index; /* COLUMN, FIELD */
    uint32_t jump;  /* NARROW: step to go on with when the scope is empty */
    const struct type *type;
    const struct datum *literal;
    struct source_pos pos;
    int flags;  /* enum function_flags */
    bool quiet; /* TRY_CAST: errors are dropped */
    bool fixed; /* the same value for all rows and batches: computed once */
    function_kernel kernel;
    const void *state;
};

#define STEPS_MAX 60000

struct expr_program {
    struct arena arena;
    struct step *steps;
    uint32_t step_count, step_capacity;
    uint32_t register_count, scope_count;
    const struct type **register_types;
    bool *register_fixed;
    uint32_t result_count;
    uint16_t *results; /* registers */
};

#define POOL_SIZE 4

struct reg {
    struct vec *value;    /* borrowed from the batch, pool, held or constant; NULL: none yet */
    struct vec *held;     /* reference behind value when it is not of the pool */
    struct vec *constant; /* value of a constant step, kept from batch to batch */
    struct vec *spread;   /* constant as a result, with the last batch's length */
    struct vec *flat;     /* flattened value, when it is a dictionary; of flat_pool */
    struct vec *pool[POOL_SIZE];
    struct vec *flat_pool[POOL_SIZE];
    uint32_t pool_next, flat_next;
    uint16_t begin_scope; /* of BEGIN: the rows that merges fill in the end */
};

struct scope {
    const uint16_t *selection; /* NULL: all rows */
    uint32_t count;
    uint16_t rows[BATCH_ROWS_MAX];
};

struct evaluator {
    const struct expr_program *program;
    struct mem_owner *owner;
    struct reg *regs;
    struct scope *scopes;
    uint32_t row_count; /* of the batch at hand */
    const struct batch *batch;
    struct eval_context *context;
    struct row_errors *errors;
    struct row_errors constant_errors;
    uint16_t narrowed[BATCH_ROWS_MAX];
};

/* A flat, empty vector of row_count rows that nobody else holds. */
enum status eval_fresh(struct evaluator *evaluator, struct vec **pool, uint32_t *next,
                       const struct type *type, struct vec **out, struct error *err) STATUS_CHECKED;
enum status eval_own(struct evaluator *evaluator, uint16_t reg, const struct type *type,
                     struct vec **out, struct error *err) STATUS_CHECKED;
/* The register's value as FLAT or CONSTANT. */
enum status eval_plain(struct evaluator *evaluator, uint16_t reg, struct vec **out,
                       struct error *err) STATUS_CHECKED;
/* Takes over the reference. */
void eval_hold(struct reg *reg, struct vec *vec);
/* Its value is a vector of its own pool, which may be written to. */
bool eval_is_own(const struct reg *reg);

enum status eval_call(struct evaluator *evaluator, const struct step *step,
                      struct error *err) STATUS_CHECKED;
enum status eval_merge(struct evaluator *evaluator, const struct step *step,
                       struct error *err) STATUS_CHECKED;
enum status eval_logic(struct evaluator *evaluator, const struct step *step,
                       struct error *err) STATUS_CHECKED;
enum status eval_field(struct evaluator *evaluator, const struct step *step,
                       struct error *err) STATUS_CHECKED;
/* Rows of [selection, count] kept by a BOOLEAN vector (KEEP_NULL: any vector). */
uint32_t eval_keep(const struct vec *vec, enum keep keep, const uint16_t *selection, uint32_t count,
                   uint16_t *rows);

/* Kernels of the expression kinds that are not functions (predicate.c). */
void kernel_not(struct function_call *call);
void kernel_is_null(struct function_call *call);
void kernel_is_not_null(struct function_call *call);
/* state: the struct expr; its test part says which. */
void kernel_is_value(struct function_call *call);
/* CASE WHEN args[0] THEN args[1] ELSE args[2] END, all computed (select.c). Not nested types. */
void kernel_select(struct function_call *call);
/* IN over literals: state is made by in_state_new; NULL without memory. */
void kernel_in(struct function_call *call);
const void *in_state_new(struct arena *arena, const struct expr *expr);

/* cast.c: the kernel for a conversion and its flags; state may stay NULL. ERR_UNSUPPORTED names
 * both types. A pair with the same physical values (is_same) needs no kernel. */
struct cast_kernel {
    bool is_same;
    function_kernel kernel;
    const void *state;
    int flags;
};
enum status cast_find(struct arena *arena, const struct type *from, const struct type *to,
                      bool try_cast, struct cast_kernel *out, struct error *err) STATUS_CHECKED;

#endif
