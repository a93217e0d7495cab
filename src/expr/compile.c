/* compile.c - from expression trees to a flat program (expr_int.h shows its shape).
 *
 * Every node becomes a register; equal nodes share one when the earlier one's scope covers the
 * later one. AND and OR narrow the scope for a later argument only where that can matter: the
 * argument can fail or is not cheap.
 */
#include "base/must.h"
#include "expr/expr_int.h"

#define PROGRAM_BYTES_MAX ((size_t)64 << 20)
#define REGISTERS_MAX     60000
#define CHEAP_NODES_MAX   16

struct known { /* a value that has been computed */
    const struct expr *expr;
    uint16_t scope, reg;
};

struct compiler {
    struct expr_program *program;
    struct known *known;
    uint32_t known_count, known_capacity;
    uint16_t *scope_parents;
    uint32_t scope_capacity, type_capacity, fixed_capacity;
    uint32_t depth;
    struct error *err;
};

static enum status compile_expr(struct compiler *compiler, const struct expr *expr, uint16_t scope,
                                uint16_t *reg);

/* Room for one more item of an array in the program's arena. */
static void *grow(struct compiler *compiler, void *old, uint32_t count, uint32_t *capacity,
                  size_t size)
{
    if (count < *capacity)
        return old;
    uint32_t wanted = *capacity ? *capacity * 2 : 16;
    void *items = arena_array(&compiler->program->arena, wanted, size);
    if (!items)
        return NULL;
    if (count)
        memcpy(items, old, count * size);
    *capacity = wanted;
    return items;
}

static enum status no_memory(struct compiler *compiler)
{
    return arena_check(&compiler->program->arena, "an expression program", compiler->err);
}

static enum status too_long(struct compiler *compiler)
{
    return error_set(compiler->err, ERR_LIMIT, "an expression of more than %d steps", STEPS_MAX);
}

static enum status new_register(struct compiler *compiler, const struct type *type, uint16_t *reg)
{
    struct expr_program *program = compiler->program;
    if (program->register_count == REGISTERS_MAX)
        return too_long(compiler);
    const struct type **types = grow(compiler, program->register_types, program->register_count,
                                     &compiler->type_capacity, sizeof(*types));
    bool *fixed = grow(compiler, program->register_fixed, program->register_count,
                       &compiler->fixed_capacity, sizeof(*fixed));
    if (!types || !fixed)
        return no_memory(compiler);
    program->register_types = types;
    program->register_fixed = fixed;
    types[program->register_count] = type;
    fixed[program->register_count] = false;
    *reg = (uint16_t)program->register_count++;
    return OK;
}

static enum status new_scope(struct compiler *compiler, uint16_t parent, uint16_t *scope)
{
    struct expr_program *program = compiler->program;
    if (program->scope_count == REGISTERS_MAX)
        return too_long(compiler);
    uint16_t *parents = grow(compiler, compiler->scope_parents, program->scope_count,
                             &compiler->scope_capacity, sizeof(*parents));
    if (!parents)
        return no_memory(compiler);
    compiler->scope_parents = parents;
    parents[program->scope_count] = parent;
    *scope = (uint16_t)program->scope_count++;
    return OK;
}

/* The pointer is good until the next step is added. */
static enum status add_step(struct compiler *compiler, enum step_kind kind, uint16_t out,
                            uint16_t scope, const uint16_t *args, uint32_t arg_count,
                            struct step **step)
{
    struct expr_program *program = compiler->program;
    if (program->step_count == STEPS_MAX)
        return too_long(compiler);
    struct step *steps = grow(compiler, program->steps, program->step_count,
                              &program->step_capacity, sizeof(*steps));
    uint16_t *copy = ARENA_ARRAY(&program->arena, arg_count ? arg_count : 1, uint16_t);
    if (!steps || !copy)
        return no_memory(compiler);
    for (uint32_t i = 0; i < arg_count; i++)
        copy[i] = args[i];
    program->steps = steps;
    *step = &steps[program->step_count++];
    **step = (struct step){.kind = kind,
                           .out = out,
                           .scope = scope,
                           .args = copy,
                           .arg_count = (uint16_t)arg_count,
                           .type = program->register_types[out]};
    return OK;
}

static bool covers(const struct compiler *compiler, uint16_t outer, uint16_t inner)
{
    while (inner != outer) {
        if (inner == 0)
            return false;
        inner = compiler->scope_parents[inner];
    }
    return true;
}

static bool find_known(const struct compiler *compiler, const struct expr *expr, uint16_t scope,
                       uint16_t *reg)
{
    for (uint32_t i = 0; i < compiler->known_count; i++) {
        const struct known *known = &compiler->known[i];
        if ((known->expr == expr || expr_equals(known->expr, expr)) &&
            covers(compiler, known->scope, scope)) {
            *reg = known->reg;
            return true;
        }
    }
    return false;
}

static enum status remember(struct compiler *compiler, const struct expr *expr, uint16_t scope,
                            uint16_t reg)
{
    struct known *known = grow(compiler, compiler->known, compiler->known_count,
                               &compiler->known_capacity, sizeof(*known));
    if (!known)
        return no_memory(compiler);
    compiler->known = known;
    known[compiler->known_count++] = (struct known){expr, scope, reg};
    return OK;
}

static enum status compile_leaf(struct compiler *compiler, const struct expr *expr, uint16_t scope,
                                uint16_t *reg)
{
    struct step *step;
    bool is_column = expr->kind == EXPR_COLUMN;
    TRY(new_register(compiler, expr->type, reg));
    TRY(add_step(compiler, is_column ? STEP_COLUMN : STEP_LITERAL, *reg, scope, NULL, 0, &step));
    if (is_column)
        step->index = expr->column;
    else
        step->literal = &expr->literal;
    compiler->program->register_fixed[*reg] = !is_column;
    return OK;
}

static bool is_simple_case(const struct expr *expr);

/* Cannot fail and costs less than narrowing: may be computed for rows that do not need it. */
static bool is_cheap(const struct expr *expr, uint32_t *nodes)
{
    if (++*nodes > CHEAP_NODES_MAX)
        return false;
    switch (expr->kind) {
    case EXPR_COLUMN:
    case EXPR_LITERAL:
        return true;
    case EXPR_CALL:
        if (!(expr->call.def->flags & FUNCTION_ANY_VALUE))
            return false;
        break;
    case EXPR_NOT:
    case EXPR_IS_NULL:
    case EXPR_IS_TRUE:
        break;
    case EXPR_CASE:
        return is_simple_case(expr);
    default:
        return false;
    }
    for (uint32_t i = 0; i < expr->arg_count; i++)
        if (!is_cheap(expr->args[i], nodes))
            return false;
    return true;
}

static bool is_simple_case(const struct expr *expr)
{
    uint32_t nodes = 0;
    if (expr->kind != EXPR_CASE || expr->arg_count != 3 || type_physical(expr->type) > PHYS_VIEW)
        return false;
    for (uint32_t i = 0; i < 3; i++)
        if (!is_cheap(expr->args[i], &nodes))
            return false;
    return true;
}

/* What runs as a kernel: its function, flags and state. */
static enum status pick_kernel(struct compiler *compiler, const struct expr *expr,
                               struct cast_kernel *out, uint32_t *arg_count)
{
    struct arena *arena = &compiler->program->arena;
    *arg_count = expr->arg_count;
    switch (expr->kind) {
    case EXPR_CALL:
        *out =
            (struct cast_kernel){false, expr->call.kernel, expr->call.state, expr->call.def->flags};
        return OK;
    case EXPR_NOT:
        *out = (struct cast_kernel){false, kernel_not, NULL, FUNCTION_STRICT | FUNCTION_ANY_VALUE};
        return OK;
    case EXPR_IS_NULL:
        *out = (struct cast_kernel){false, expr->test.negated ? kernel_is_not_null : kernel_is_null,
                                    NULL, 0};
        return OK;
    case EXPR_IS_TRUE:
        *out = (struct cast_kernel){false, kernel_is_value, expr, 0};
        return OK;
    case EXPR_CASE:
        *out = (struct cast_kernel){false, kernel_select, NULL, 0};
        return OK;
    case EXPR_IN:
        *arg_count = 1;
        *out = (struct cast_kernel){false, kernel_in, in_state_new(arena, expr), FUNCTION_STRICT};
        return out->state ? OK : no_memory(compiler);
    default:
        return cast_find(arena, expr->args[0]->type, expr->type, expr->cast.try_cast, out,
                         compiler->err);
    }
}

static enum status compile_call(struct compiler *compiler, const struct expr *expr, uint16_t scope,
                                uint16_t *reg)
{
    struct cast_kernel kernel = {0};
    uint32_t arg_count;
    uint16_t args[FUNCTION_ARGS_MAX];
    struct step *step;
    TRY(pick_kernel(compiler, expr, &kernel, &arg_count));
    must(arg_count <= FUNCTION_ARGS_MAX);
    for (uint32_t i = 0; i < arg_count; i++)
        TRY(compile_expr(compiler, expr->args[i], scope, &args[i]));
    if (kernel.is_same) {
        *reg = args[0];
        return OK;
    }
    TRY(new_register(compiler, expr->type, reg));
    TRY(add_step(compiler, STEP_CALL, *reg, scope, args, arg_count, &step));
    step->pos = expr->pos;
    step->flags = kernel.flags;
    step->kernel = kernel.kernel;
    step->state = kernel.state;
    step->quiet = expr->kind == EXPR_CAST && expr->cast.try_cast;
    step->fixed = !(kernel.flags & (FUNCTION_DYNAMIC | FUNCTION_NONDETERMINISTIC));
    for (uint32_t i = 0; i < arg_count; i++)
        step->fixed &= compiler->program->register_fixed[args[i]];
    compiler->program->register_fixed[*reg] = step->fixed;
    return OK;
}

static enum status compile_field(struct compiler *compiler, const struct expr *expr, uint16_t scope,
                                 uint16_t *reg)
{
    uint16_t arg;
    struct step *step;
    TRY(compile_expr(compiler, expr->args[0], scope, &arg));
    TRY(new_register(compiler, expr->type, reg));
    TRY(add_step(compiler, STEP_FIELD, *reg, scope, &arg, 1, &step));
    step->index = expr->column;
    return OK;
}

static enum status add_merge(struct compiler *compiler, enum step_kind kind, uint16_t out,
                             uint16_t value, uint16_t scope)
{
    struct step *step;
    return add_step(compiler, kind, out, scope, &value, 1, &step);
}

static enum status add_begin(struct compiler *compiler, uint16_t out, uint16_t scope)
{
    struct step *step;
    return add_step(compiler, STEP_BEGIN, out, scope, NULL, 0, &step);
}

/* *scope = rows of `from` that keep says; *at = the step, whose jump is set later. */
static enum status add_narrow(struct compiler *compiler, uint16_t from, uint16_t condition,
                              enum keep keep, uint16_t *scope, uint32_t *at)
{
    struct step *step;
    TRY(new_scope(compiler, from, scope));
    *at = compiler->program->step_count;
    TRY(add_step(compiler, STEP_NARROW, condition, *scope, &condition, 1, &step));
    step->from = from;
    step->keep = keep;
    return OK;
}

/* Jumps of empty scopes that all lead to the same place: a chain through step->jump. */
#define CHAIN_END UINT32_MAX
static void chain(struct compiler *compiler, uint32_t at, uint32_t *first)
{
    compiler->program->steps[at].jump = *first;
    *first = at;
}

static void land(struct compiler *compiler, uint32_t first)
{
    struct expr_program *program = compiler->program;
    while (first != CHAIN_END) {
        uint32_t next = program->steps[first].jump;
        program->steps[first].jump = program->step_count;
        first = next;
    }
}

static enum status compile_case(struct compiler *compiler, const struct expr *expr, uint16_t scope,
                                uint16_t *reg)
{
    uint32_t ends = CHAIN_END, at;
    uint16_t rest = scope, taken, condition, value;
    TRY(new_register(compiler, expr->type, reg));
    TRY(add_begin(compiler, *reg, scope));
    for (uint32_t i = 0; i + 1 < expr->arg_count; i += 2) {
        TRY(compile_expr(compiler, expr->args[i], rest, &condition));
        TRY(add_narrow(compiler, rest, condition, KEEP_TRUE, &taken, &at));
        TRY(compile_expr(compiler, expr->args[i + 1], taken, &value));
        TRY(add_merge(compiler, STEP_MERGE, *reg, value, taken));
        compiler->program->steps[at].jump = compiler->program->step_count;
        TRY(add_narrow(compiler, rest, condition, KEEP_NOT_TRUE, &rest, &at));
        chain(compiler, at, &ends);
    }
    TRY(compile_expr(compiler, expr->args[expr->arg_count - 1], rest, &value));
    TRY(add_merge(compiler, STEP_MERGE, *reg, value, rest));
    land(compiler, ends);
    return OK;
}

static enum status compile_coalesce(struct compiler *compiler, const struct expr *expr,
                                    uint16_t scope, uint16_t *reg)
{
    uint32_t ends = CHAIN_END, at;
    uint16_t rest = scope, value;
    TRY(new_register(compiler, expr->type, reg));
    TRY(add_begin(compiler, *reg, scope));
    for (uint32_t i = 0; i < expr->arg_count; i++) {
        TRY(compile_expr(compiler, expr->args[i], rest, &value));
        TRY(add_merge(compiler, STEP_MERGE, *reg, value, rest));
        if (i + 1 < expr->arg_count) {
            TRY(add_narrow(compiler, rest, value, KEEP_NULL, &rest, &at));
            chain(compiler, at, &ends);
        }
    }
    land(compiler, ends);
    return OK;
}

static enum status compile_logic(struct compiler *compiler, const struct expr *expr, uint16_t scope,
                                 uint16_t *reg)
{
    bool is_and = expr->kind == EXPR_AND;
    uint32_t ends = CHAIN_END, at;
    uint16_t rest = scope, value;
    TRY(compile_expr(compiler, expr->args[0], scope, &value));
    TRY(new_register(compiler, expr->type, reg));
    TRY(add_begin(compiler, *reg, scope));
    TRY(add_merge(compiler, STEP_MERGE, *reg, value, scope));
    for (uint32_t i = 1; i < expr->arg_count; i++) {
        uint32_t nodes = 0;
        if (!is_cheap(expr->args[i], &nodes)) {
            TRY(add_narrow(compiler, rest, *reg, is_and ? KEEP_NOT_FALSE : KEEP_NOT_TRUE, &rest,
                           &at));
            chain(compiler, at, &ends);
        }
        TRY(compile_expr(compiler, expr->args[i], rest, &value));
        TRY(add_merge(compiler, is_and ? STEP_AND : STEP_OR, *reg, value, rest));
    }
    land(compiler, ends);
    return OK;
}

static enum status compile_node(struct compiler *compiler, const struct expr *expr, uint16_t scope,
                                uint16_t *reg)
{
    switch (expr->kind) {
    case EXPR_COLUMN:
    case EXPR_LITERAL:
        return compile_leaf(compiler, expr, scope, reg);
    case EXPR_FIELD:
        return compile_field(compiler, expr, scope, reg);
    case EXPR_CASE:
        if (is_simple_case(expr))
            return compile_call(compiler, expr, scope, reg);
        return compile_case(compiler, expr, scope, reg);
    case EXPR_COALESCE:
        return compile_coalesce(compiler, expr, scope, reg);
    case EXPR_AND:
    case EXPR_OR:
        return compile_logic(compiler, expr, scope, reg);
    default:
        return compile_call(compiler, expr, scope, reg);
    }
}

static enum status compile_expr(struct compiler *compiler, const struct expr *expr, uint16_t scope,
                                uint16_t *reg)
{
    if (find_known(compiler, expr, scope, reg))
        return OK;
    if (++compiler->depth > EXPR_DEPTH_MAX) {
        error_set(compiler->err, ERR_LIMIT, "an expression nested deeper than %d", EXPR_DEPTH_MAX);
        if (compiler->err)
            error_at(compiler->err, expr->pos);
        return ERR_LIMIT;
    }
    TRY(compile_node(compiler, expr, scope, reg));
    compiler->depth--;
    return remember(compiler, expr, scope, *reg);
}

enum status expr_compile(struct expr_program **out, const struct expr *const *exprs,
                         uint32_t expr_count, struct error *err)
{
    struct expr_program *program = mem_calloc(1, sizeof(*program));
    if (!program)
        return error_memory(err, "an expression program", sizeof(*program));
    arena_init(&program->arena, NULL, PROGRAM_BYTES_MAX);
    struct compiler compiler = {.program = program, .err = err};
    uint16_t root;
    enum status status = new_scope(&compiler, 0, &root);
    program->results = ARENA_ARRAY(&program->arena, expr_count ? expr_count : 1, uint16_t);
    if (status == OK && !program->results)
        status = no_memory(&compiler);
    for (uint32_t i = 0; i < expr_count && status == OK; i++)
        status = compile_expr(&compiler, exprs[i], root, &program->results[i]);
    program->result_count = expr_count;
    if (status == OK)
        *out = program;
    else
        expr_program_free(program);
    return status;
}

void expr_program_free(struct expr_program *program)
{
    if (!program)
        return;
    arena_fini(&program->arena);
    mem_free(program);
}
