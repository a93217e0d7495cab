/* Nested values in programs: fields, casts child by child, branches, texts. */
#include "expr/expr.h"

#include "../check.h"
#include "tree.h"

static struct error err;
static struct row_errors errors;
static struct eval_context context = {.watermark_us = WATERMARK_NONE};
static const struct type *row_type, *tags_type;

/* ROW<n INT, tags ARRAY<STRING>>: (1, ['5']), NULL, (NULL, ['x', NULL]), (4, []) */
static struct batch *make_batch(void)
{
    static const char *names[] = {"n", "tags"};
    static const char *const texts[] = {"5", "x", NULL};
    static const struct list_entry entries[] = {{0, 1}, {0, 0}, {1, 2}, {3, 0}};
    const struct type *fields[2];
    struct vec *vec = NULL, *tags, *element;
    struct batch *batch = NULL;
    tags_type = type_array(&tree_arena, &TYPE_OF_STRING, true);
    fields[0] = &TYPE_OF_INT;
    fields[1] = tags_type;
    row_type = type_row(&tree_arena, 2, names, fields, true);
    must(vec_new(&vec, row_type, 4, NULL, &err) == OK);
    must(vec_set_length(vec, 4, &err) == OK);
    tags = vec->children[1];
    element = tags->children[0];
    for (uint32_t i = 0; i < 4; i++) {
        ((int32_t *)vec->children[0]->values)[i] = (int32_t)i + 1;
        ((struct list_entry *)tags->values)[i] = entries[i];
    }
    for (uint32_t i = 0; i < 3; i++) {
        if (!texts[i]) {
            must(vec_append_null(element, 1, &err) == OK);
            continue;
        }
        must(vec_reserve(element, i + 1, &err) == OK);
        must(vec_set_text(element, i, texts[i], 1, &err) == OK);
        element->length = i + 1;
    }
    must(vec_make_validity(vec, &err) == OK);
    vec_clear_valid(vec, 1);
    must(vec_make_validity(vec->children[0], &err) == OK);
    vec_clear_valid(vec->children[0], 2);
    must(batch_new(&batch, &vec, 1, 4, &err) == OK);
    batch_verify(batch);
    return batch;
}

static const char *run(const struct expr *expr, struct batch *batch)
{
    static char text[512];
    struct expr_program *program = NULL;
    struct evaluator *evaluator = NULL;
    struct vec *result = NULL;
    struct buf out;
    buf_init(&out, sizeof(text));
    must(expr_compile(&program, &expr, 1, &err) == OK);
    must(evaluator_new(&evaluator, program, NULL, &err) == OK);
    for (int again = 0; again < 2; again++) {
        must(evaluator_run(evaluator, batch, &context, &result, &errors, &err) == OK);
        vec_verify(result);
        buf_clear(&out);
        for (uint16_t i = 0; i < 4; i++) {
            buf_append_text(&out, i ? "; " : "");
            if (row_errors_first(&errors, &i, 1))
                buf_append_byte(&out, '!');
            else
                datum_format_at(&out, result, i, NULL);
        }
        vec_unref(result);
    }
    snprintf(text, sizeof(text), "%s", buf_text(&out));
    buf_fini(&out);
    evaluator_free(evaluator);
    expr_program_free(program);
    return text;
}

static const struct expr *field(uint32_t index, const struct type *type)
{
    const struct expr *row = tree_column(0, row_type);
    struct expr *expr = tree_node(EXPR_FIELD, type, 1, &row);
    expr->column = index;
    return expr;
}

TEST(fields_casts_and_branches)
{
    arena_init(&tree_arena, NULL, 1 << 20);
    struct batch *batch = make_batch();
    CHECK_STR(run(tree_column(0, row_type), batch), "(1, [5]); NULL; (NULL, [x, NULL]); (4, [])");
    CHECK_STR(run(field(0, &TYPE_OF_INT), batch), "1; NULL; NULL; 4");
    CHECK_STR(run(field(1, tags_type), batch), "[5]; NULL; [x, NULL]; []");
    CHECK_STR(run(tree_cast(tree_column(0, row_type), &TYPE_OF_STRING, false), batch),
              "(1, [5]); NULL; (NULL, [x, NULL]); (4, [])");
    const struct type *ints = type_array(&tree_arena, &TYPE_OF_INT, true);
    CHECK_STR(run(tree_cast(field(1, tags_type), ints, true), batch),
              "[5]; NULL; [NULL, NULL]; []");
    CHECK_STR(run(tree_cast(field(1, tags_type), ints, false), batch), "[5]; NULL; !; []");
    CHECK_STR(errors.details[0].text, "cannot convert 'x' to INT");
    const struct type *fields[] = {&TYPE_OF_STRING, ints};
    const struct type *other = type_row(&tree_arena, 2, row_type->names, fields, true);
    CHECK_STR(run(tree_cast(tree_column(0, row_type), other, true), batch),
              "(1, [5]); NULL; (NULL, [NULL, NULL]); (4, [])");
    const struct expr *chosen =
        tree_case(tree_call("=", field(0, &TYPE_OF_INT), tree_i64(&TYPE_OF_INT, 4)),
                  tree_null(row_type), tree_column(0, row_type));
    CHECK_STR(run(chosen, batch), "(1, [5]); NULL; (NULL, [x, NULL]); NULL");
    const struct expr *parts[] = {field(1, tags_type), field(1, tags_type)};
    CHECK_STR(run(tree_node(EXPR_COALESCE, tags_type, 2, parts), batch),
              "[5]; NULL; [x, NULL]; []");
    CHECK_STR(run(tree_call("=", field(1, tags_type), field(1, tags_type)), batch),
              "TRUE; NULL; TRUE; TRUE");
    batch_unref(batch);
    arena_fini(&tree_arena);
}
