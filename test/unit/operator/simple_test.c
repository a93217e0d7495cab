/* simple_test.c - calc, values, sort and limit, union, collect. */
#include "harness.h"

static const struct type *input_types[] = {&TYPE_OF_STRING, &TYPE_OF_INT};
static struct plan_node input = {
    .column_count = 2, .types = input_types, .changelog = CHANGELOG_APPEND};
static const struct plan_node *inputs[] = {&input};
static const struct expr NAME = {.kind = EXPR_COLUMN, .type = &TYPE_OF_STRING, .column = 0};
static const struct expr NUMBER = {.kind = EXPR_COLUMN, .type = &TYPE_OF_INT, .column = 1};

static struct plan_node node_of(enum plan_op op)
{
    return (struct plan_node){.op = op,
                              .parallelism = 1,
                              .input_count = 1,
                              .inputs = inputs,
                              .types = input_types,
                              .column_count = 2};
}

TEST(calc_filters_and_projects)
{
    struct harness h;
    struct plan_node node = node_of(PLAN_CALC);
    const struct expr *const args[] = {&NUMBER};
    const struct expr is_null = {.kind = EXPR_IS_NULL,
                                 .type = &TYPE_OF_BOOLEAN,
                                 .arg_count = 1,
                                 .args = args,
                                 .test.negated = true};
    const struct expr *const swapped[] = {&NUMBER, &NAME};
    const struct type *const types[] = {&TYPE_OF_INT, &TYPE_OF_STRING};
    node.calc.condition = &is_null;
    node.calc.exprs = swapped;
    node.types = types;
    harness_open(&h, &node);
    harness_push(&h, "+I a 1 / +I b NULL / -U c 3 / +U c 4");
    CHECK_STR(harness_take(&h), "+I 1 a\n-U 3 c\n+U 4 c\n");
    harness_push(&h, "+I b NULL");
    CHECK_STR(harness_take(&h), "");
    harness_close(&h);
    /* nothing to do: the batch itself goes on */
    const struct expr *const same[] = {&NAME, &NUMBER};
    node = node_of(PLAN_CALC);
    node.calc.exprs = same;
    harness_open(&h, &node);
    harness_push(&h, "+I a 1 / -D b NULL");
    CHECK_STR(harness_take(&h), "+I a 1\n-D b NULL\n");
    harness_close(&h);
}

TEST(values_once)
{
    struct harness h;
    struct plan_node node = node_of(PLAN_VALUES);
    struct expr literals[] = {{.kind = EXPR_LITERAL, .type = &TYPE_OF_STRING},
                              {.kind = EXPR_LITERAL, .type = &TYPE_OF_INT},
                              {.kind = EXPR_LITERAL, .type = &TYPE_OF_INT}};
    literals[0].literal =
        (struct datum){.type = &TYPE_OF_STRING, .text = STR("a text of more bytes")};
    literals[1].literal = (struct datum){.type = &TYPE_OF_INT, .i64 = 7};
    literals[2].literal = (struct datum){.type = &TYPE_OF_INT, .is_null = true};
    const struct expr *const rows[] = {&literals[0], &literals[1], &literals[0], &literals[2]};
    node.input_count = 0;
    node.values.row_count = 2;
    node.values.exprs = rows;
    harness_open(&h, &node);
    CHECK_INT(harness_poll(&h), OPERATOR_MORE);
    CHECK_INT(harness_poll(&h), OPERATOR_ENDED);
    CHECK_STR(harness_take(&h), "+I a text of more bytes 7\n+I a text of more bytes NULL\n");
    harness_close(&h);
}

TEST(sorted_at_the_end)
{
    struct harness h;
    struct plan_node node = node_of(PLAN_SORT);
    const struct rel_sort_key keys[] = {{.column = 1, .descending = true, .nulls_first = false},
                                        {.column = 0, .nulls_first = true}};
    node.sort.keys = keys;
    node.sort.key_count = 2;
    node.sort.limit = -1;
    harness_open(&h, &node);
    harness_push(&h, "+I b 1 / +I a 3 / +I NULL 1");
    harness_push(&h, "+I c NULL / +I a 1 / +I d 3");
    CHECK_STR(harness_take(&h), "");
    harness_end(&h);
    CHECK_STR(harness_take(&h), "+I a 3\n+I d 3\n+I NULL 1\n+I a 1\n+I b 1\n+I c NULL\n");
    harness_close(&h);
    node.sort.offset = 1;
    node.sort.limit = 2;
    input.changelog = CHANGELOG_RETRACT;
    harness_open(&h, &node);
    harness_push(&h, "+I b 1 / +I a 3 / -U b 1 / +U b 2 / +I x 9 / +I x 9 / -D x 9 / -D y 5");
    harness_end(&h);
    CHECK_STR(harness_take(&h), "+I a 3\n+I b 2\n");
    harness_close(&h);
    input.changelog = CHANGELOG_APPEND;
}

TEST(limit_lets_through_and_is_satisfied)
{
    struct harness h;
    struct plan_node node = node_of(PLAN_SORT);
    node.sort.offset = 1;
    node.sort.limit = 2;
    harness_open(&h, &node);
    harness_push(&h, "+I a 1 / +I b 2");
    CHECK_STR(harness_take(&h), "+I b 2\n");
    harness_push(&h, "+I c 3 / +I d 4");
    CHECK_STR(harness_take(&h), "+I c 3\nsatisfied\n");
    harness_close(&h);
}

TEST(collect_waits_for_its_reader)
{
    struct harness h;
    struct plan_node node = node_of(PLAN_COLLECT);
    harness_open(&h, &node);
    h.blocked = true;
    harness_push(&h, "+I a 1");
    CHECK(h.full);
    harness_resume(&h);
    CHECK(h.full);
    h.blocked = false;
    harness_resume(&h);
    CHECK(!h.full);
    CHECK_STR(harness_take(&h), "+I a 1\n");
    harness_close(&h);
}
