/* row_checker.c - the constraints of a table for its endpoint (plugin/endpoint.h): NOT NULL,
 * computed columns and the watermark (a row that breaks them would be a bad row when it is read),
 * CHECKs.
 *
 * Each rule is a program of its own, so that a fault has a name. A run first marks in fault_of_row
 * which rule each row breaks first, then tells the faults by row. Rules that need metadata columns
 * (offset, timestamp: a row has none yet) are left out; a CHECK that needs them is an error.
 * Owner thread: the endpoint's, one at a time.
 */
#include "engine/engine_int.h"

#include <stdio.h>

#include "base/must.h"

#define CHECKER_BYTES_MAX (16u << 20)
#define CONSTRAINT_MAX    240 /* characters of an expression that are shown */
#define FIELDS_SHOWN      6
#define VALUE_SHOWN       40

struct rule {
    const char *constraint; /* as shown */
    bool is_check;          /* FALSE is a fault; else NULL is, where not_null */
    bool not_null;
    uint32_t field_count; /* the first ones that it uses */
    uint32_t fields[FIELDS_SHOWN];
    struct expr_program *program;
    struct evaluator *evaluator;
    struct row_errors *errors; /* of the newest run */
};

struct checker {
    struct row_checker base;
    struct arena arena;
    struct mem_owner *owner;
    struct statement holder; /* of what binding holds */
    struct catalog_object *object;
    struct function_session session;
    struct io *io;
    const char **not_null; /* by field: "INT NOT NULL"; NULL: may be NULL */
    uint32_t rule_count;
    struct rule *rules;
    /* of a run */
    bool any;
    uint32_t fault_of_row[BATCH_ROWS_MAX]; /* 1 + field, or 1 + field count + rule; 0: none */
};

/* ---- making one ---- */

struct uses {
    const struct checker *checker;
    struct rule *rule;
    bool metadata;
};

static void note_use(void *context, uint32_t column)
{
    struct uses *uses = context;
    struct rule *rule = uses->rule;
    if (column >= uses->checker->object->description.field_count) {
        uses->metadata = true;
        return;
    }
    for (uint32_t i = 0; i < rule->field_count; i++)
        if (rule->fields[i] == column)
            return;
    if (rule->field_count < FIELDS_SHOWN)
        rule->fields[rule->field_count++] = column;
}

/* *rule NULL: it needs metadata. */
static enum status add_rule(struct checker *checker, const struct expr *expr,
                            const char *constraint, struct rule **out, struct error *err)
{
    struct rule *rule = &checker->rules[checker->rule_count];
    struct uses uses = {.checker = checker, .rule = rule};
    *out = NULL;
    *rule = (struct rule){.constraint = constraint};
    expr_columns(expr, note_use, &uses);
    if (uses.metadata)
        return OK;
    rule->errors = ARENA_NEW(&checker->arena, struct row_errors);
    TRY(arena_check(&checker->arena, "constraints", err));
    TRY(expr_compile(&rule->program, &expr, 1, err));
    checker->rule_count++;
    *out = rule;
    return evaluator_new(&rule->evaluator, rule->program, checker->owner, err);
}

static const char *check_text(struct checker *checker, const struct catalog_check *check)
{
    struct str text = check->expression.text;
    size_t shown = text.length;
    if (shown > CONSTRAINT_MAX) /* whole characters */
        for (shown = CONSTRAINT_MAX; shown && ((uint8_t)text.data[shown] & 0xc0) == 0x80;)
            shown--;
    return arena_printf(&checker->arena, "%s%s%sCHECK (%.*s%s)", check->name ? "CONSTRAINT " : "",
                        check->name ? check->name : "", check->name ? " " : "", (int)shown,
                        text.data, shown < text.length ? "..." : "");
}

static enum status add_checks(struct checker *checker, const struct rel *scan, struct error *err)
{
    const struct catalog_object *object = checker->object;
    struct rule *rule;
    for (uint32_t i = 0; i < object->check_count; i++) {
        const char *text = check_text(checker, &object->checks[i]);
        TRY(arena_check(&checker->arena, "constraints", err));
        TRY(add_rule(checker, scan->scan.checks[i], text, &rule, err));
        if (!rule)
            return error_set(err, ERR_UNSUPPORTED,
                             "table %s: %s uses a metadata column, which a row has only once it "
                             "is stored",
                             object->full_name, text);
        rule->is_check = true;
    }
    return OK;
}

/* What a reader of the table computes of each row, where that may fail. */
static enum status add_computed(struct checker *checker, const struct rel *scan, struct error *err)
{
    const struct catalog_object *object = checker->object;
    struct rule *rule;
    for (uint32_t c = 0; c < object->column_count; c++) {
        const struct catalog_column *column = &object->columns[c];
        bool rowtime = object->has_watermark && object->watermark_column == c;
        const struct expr *expr = scan->scan.columns[c];
        if (!rowtime && (column->kind != COLUMN_COMPUTED || !expr_can_fail(expr)))
            continue;
        const char *text =
            arena_printf(&checker->arena, rowtime ? "WATERMARK FOR %s" : "%s AS ...", column->name);
        TRY(add_rule(checker, expr, text, &rule, err));
        if (rule)
            rule->not_null = rowtime;
    }
    if (!scan->scan.watermark || !expr_can_fail(scan->scan.watermark))
        return OK;
    return add_rule(checker, scan->scan.watermark,
                    arena_printf(&checker->arena, "WATERMARK FOR %s",
                                 object->columns[object->watermark_column].name),
                    &rule, err);
}

static enum status add_not_null(struct checker *checker, struct error *err)
{
    const struct table_description *table = &checker->object->description;
    struct buf text;
    checker->not_null = ARENA_ARRAY(&checker->arena, table->field_count + 1, const char *);
    TRY(arena_check(&checker->arena, "constraints", err));
    buf_init(&text, 4096);
    for (uint32_t f = 0; f < table->field_count; f++) {
        if (table->fields[f].type->nullable)
            continue;
        buf_clear(&text);
        type_format(&text, table->fields[f].type);
        checker->not_null[f] = arena_strndup(&checker->arena, buf_text(&text), text.length);
    }
    buf_fini(&text);
    return arena_check(&checker->arena, "constraints", err);
}

/* ---- running ---- */

/* Marks the selected rows that break the rule with this number and nothing before. */
static void mark(struct checker *checker, const struct batch *batch, const struct vec *vec,
                 uint32_t number, const struct rule *rule)
{
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        uint32_t row = batch_row(batch, i);
        const struct vec *holder;
        uint32_t at = vec_locate(vec, row, &holder);
        bool valid = bitmap_get(holder->validity, at), fault = !valid;
        if (rule)
            fault = (rule->errors->any && bitmap_get(rule->errors->rows, row)) ||
                    (rule->is_check ? valid && !((const uint8_t *)holder->values)[at]
                                    : rule->not_null && !valid);
        if (fault && !checker->fault_of_row[row]) {
            checker->fault_of_row[row] = number + 1;
            checker->any = true;
        }
    }
}

static enum status mark_all(struct checker *checker, const struct batch *batch, struct error *err)
{
    uint32_t field_count = checker->object->description.field_count;
    struct eval_context context = {.now_us = io_wall_us(checker->io),
                                   .watermark_us = WATERMARK_NONE,
                                   .zone = checker->session.zone,
                                   .random_state = 1};
    for (uint32_t f = 0; f < field_count; f++) {
        const struct vec *vec = batch->columns[f];
        if (checker->not_null[f] && (vec->form == VEC_DICTIONARY || vec->validity))
            mark(checker, batch, vec, f, NULL);
    }
    for (uint32_t r = 0; r < checker->rule_count; r++) {
        struct rule *rule = &checker->rules[r];
        struct vec *result = NULL;
        TRY(evaluator_run(rule->evaluator, batch, &context, &result, rule->errors, err));
        mark(checker, batch, result, field_count + r, rule);
        vec_unref(result);
    }
    return OK;
}

/* ---- telling ---- */

static void append_value(struct buf *out, const struct checker *checker, const struct batch *batch,
                         uint32_t field, uint32_t row)
{
    struct buf value;
    buf_init(&value, 64u << 10);
    datum_format_at(&value, batch->columns[field], row, checker->session.zone);
    const char *text = value.failed ? "..." : buf_text(&value);
    size_t length = strlen(text), shown = length;
    if (length > VALUE_SHOWN)
        for (shown = VALUE_SHOWN; shown && ((uint8_t)text[shown] & 0xc0) == 0x80;)
            shown--;
    bool quoted =
        type_is_text(batch->columns[field]->type) && vec_is_valid(batch->columns[field], row);
    buf_printf(out, "%s = %s%.*s%s%s", checker->object->description.fields[field].name,
               quoted ? "'" : "", (int)shown, text, shown < length ? "..." : "", quoted ? "'" : "");
    buf_fini(&value);
}

static const char *error_text(const struct row_errors *errors, uint32_t row)
{
    for (uint32_t i = 0; errors->any && i < errors->kept; i++)
        if (errors->details[i].row == row)
            return errors->details[i].text;
    return errors->any && errors->kept ? errors->details[errors->kept - 1].text : "";
}

static void describe(const struct checker *checker, const struct batch *batch,
                     struct row_fault *fault, uint32_t number)
{
    const struct table_description *table = &checker->object->description;
    struct buf text;
    if (number < table->field_count) {
        fault->field = number;
        fault->constraint = checker->not_null[number];
        snprintf(fault->message, sizeof(fault->message), "column '%s' is NOT NULL and has no value",
                 table->fields[number].name);
        return;
    }
    const struct rule *rule = &checker->rules[number - table->field_count];
    bool failed = rule->errors->any && bitmap_get(rule->errors->rows, fault->row);
    fault->constraint = rule->constraint;
    fault->field = rule->field_count ? rule->fields[0] : ROW_FAULT_NO_FIELD;
    buf_init(&text, 4096);
    buf_append_text(&text, rule->constraint);
    if (failed)
        buf_printf(&text, " cannot be computed: %s", error_text(rule->errors, fault->row));
    else
        buf_append_text(&text, rule->is_check ? " is false" : " has no time");
    for (uint32_t i = 0; i < rule->field_count; i++) {
        buf_append_text(&text, i ? ", " : failed ? ", with " : " for ");
        append_value(&text, checker, batch, rule->fields[i], fault->row);
    }
    snprintf(fault->message, sizeof(fault->message), "%s", buf_text(&text));
    buf_fini(&text);
}

static enum status checker_run(struct row_checker *base, const struct batch *batch,
                               void (*each)(void *context, const struct row_fault *fault),
                               void *context, struct error *err)
{
    struct checker *checker = container_of(base, struct checker, base);
    checker->any = false;
    enum status status = mark_all(checker, batch, err);
    if (!checker->any)
        return status;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        struct row_fault fault = {.row = batch_row(batch, i)};
        uint32_t number = checker->fault_of_row[fault.row];
        if (!number)
            continue;
        checker->fault_of_row[fault.row] = 0;
        if (status != OK)
            continue;
        describe(checker, batch, &fault, number - 1);
        each(context, &fault);
    }
    return status;
}

static void checker_free(struct row_checker *base)
{
    struct checker *checker = container_of(base, struct checker, base);
    for (uint32_t i = 0; i < checker->rule_count; i++) {
        evaluator_free(checker->rules[i].evaluator);
        expr_program_free(checker->rules[i].program);
    }
    sql_statement_fini(&checker->holder);
    catalog_object_unref(checker->object);
    arena_fini(&checker->arena);
    mem_free(checker);
}

struct arena *row_checker_arena(struct row_checker *base)
{
    return &container_of(base, struct checker, base)->arena;
}

enum status row_checker_new(struct row_checker **out, struct engine *engine,
                            struct catalog_object *object, struct error *err)
{
    struct checker *checker = mem_calloc(1, sizeof(*checker));
    const struct rel *scan;
    if (!checker)
        return error_memory(err, "constraints", sizeof(*checker));
    checker->base = (struct row_checker){.run = checker_run, .free = checker_free};
    arena_init(&checker->arena, NULL, CHECKER_BYTES_MAX);
    checker->owner = &engine->owner;
    checker->io = engine->config.context->io;
    checker->object = catalog_object_ref(object);
    checker->session = (struct function_session){.zone = engine->config.context->zone,
                                                 .zone_by_name = zonefile_get};
    const struct sql_session session = {.catalog = engine->catalog,
                                        .registry = engine->config.registry,
                                        .function_session = &checker->session};
    enum status status =
        sql_table_scan(object, &session, &checker->arena, &checker->holder, &scan, err);
    if (status == OK) {
        checker->rules = ARENA_ARRAY(&checker->arena,
                                     object->column_count + object->check_count + 2, struct rule);
        status = add_not_null(checker, err);
    }
    if (status == OK)
        status = add_computed(checker, scan, err);
    if (status == OK)
        status = add_checks(checker, scan, err);
    if (status != OK) {
        checker_free(&checker->base);
        return status;
    }
    *out = &checker->base;
    return OK;
}
