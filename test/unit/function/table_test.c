/* The function table, row errors, common types (the values of Flink's LogicalTypeMergingTest). */
#include "function/families.h"

#include "../check.h"
#include "function/kernel.h"

static struct arena arena;

TEST(the_table_is_sorted_and_complete)
{
    size_t count;
    const struct function_def *const *table = function_table(&count);
    CHECK(count > 10);
    for (size_t i = 0; i < count; i++) {
        const struct function_def *def = table[i];
        CHECK(i == 0 || strcmp(table[i - 1]->name, def->name) < 0);
        CHECK(def->bind && def->min_args <= def->max_args);
        CHECK(def->signature && *def->signature && def->help && *def->help && def->family);
        CHECK(function_find(str_of(def->name), NULL) == def);
        if (def->flags & FUNCTION_ANY_VALUE)
            CHECK((def->flags & FUNCTION_STRICT) && !(def->flags & FUNCTION_CAN_FAIL));
    }
    for (size_t i = 1; i < FLINK_FUNCTION_NAME_COUNT; i++)
        CHECK(strcmp(FLINK_FUNCTION_NAMES[i - 1], FLINK_FUNCTION_NAMES[i]) < 0);
}

TEST(names_are_found_in_any_case)
{
    bool known = false;
    CHECK(function_find(STR("mod"), &known) != NULL);
    CHECK(known);
    CHECK(function_find(STR("json_value"), &known) == NULL);
    CHECK(known);
    CHECK(function_find(STR("NO_SUCH_FUNCTION"), &known) == NULL);
    CHECK(!known);
    CHECK(function_find(STR(""), &known) == NULL);
    CHECK(!known);
    CHECK(function_find(STR("MO"), &known) == NULL);
    CHECK(!known);
}

TEST(row_errors_keep_the_first_of_a_row)
{
    static struct row_errors errors;
    struct source_pos pos = {1, 2, 3, 4};
    row_errors_clear(&errors);
    CHECK(row_errors_first(&errors, NULL, 100) == NULL);
    for (uint32_t row = 0; row < 200; row++)
        row_errors_add(&errors, 199 - row, ERR_DATA, pos, "row %u", 199 - row);
    row_errors_add(&errors, 7, ERR_DATA, pos, "a second one");
    row_errors_add(NULL, 7, ERR_DATA, pos, "nobody asks");
    CHECK_INT(errors.kept, ROW_ERRORS_KEPT);
    uint16_t selection[] = {3, 180, 190};
    CHECK_INT(row_errors_first(&errors, selection + 1, 2)->row, 180);
    CHECK_STR(row_errors_first(&errors, selection + 1, 2)->text, "row 180");
    CHECK_STR(row_errors_first(&errors, selection, 1)->text, "row 136"); /* the last one kept */
    row_errors_clear(&errors);
    CHECK(row_errors_first(&errors, selection, 3) == NULL);
}

static const char *common(const struct type *a, const struct type *b)
{
    static char text[128];
    const struct type *types[] = {a, b};
    const struct type *type = a && b ? function_common_type(&arena, types, 2) : NULL;
    struct buf out;
    if (!type)
        return "none";
    buf_init(&out, 4096);
    type_format(&out, type);
    snprintf(text, sizeof(text), "%s", buf_text(&out));
    buf_fini(&out);
    return text;
}

static const struct type *strict(const struct type *type)
{
    return type_with_nullable(&arena, type, false);
}

TEST(common_types)
{
    arena_init(&arena, NULL, 1 << 20);
    const struct type *decimal = type_decimal(&arena, 5, 3, true);
    const struct type *char_3 = type_text(&arena, TYPE_CHAR, 3, true);
    const struct type *char_4 = type_text(&arena, TYPE_CHAR, 4, true);
    CHECK_STR(common(&TYPE_OF_INT, &TYPE_OF_BIGINT), "BIGINT");
    CHECK_STR(common(strict(&TYPE_OF_INT), strict(&TYPE_OF_INT)), "INT NOT NULL");
    CHECK_STR(common(strict(&TYPE_OF_INT), &TYPE_OF_INT), "INT");
    CHECK_STR(common(&TYPE_OF_NULL, strict(&TYPE_OF_INT)), "INT");
    CHECK_STR(common(&TYPE_OF_INT, decimal), "DECIMAL(13, 3)");
    CHECK_STR(common(decimal, type_decimal(&arena, 38, 36, true)), "DECIMAL(38, 36)");
    CHECK_STR(common(&TYPE_OF_BIGINT, &TYPE_OF_FLOAT), "FLOAT");
    CHECK_STR(common(decimal, &TYPE_OF_FLOAT), "DOUBLE");
    CHECK_STR(common(char_3, char_3), "CHAR(3)");
    CHECK_STR(common(char_3, char_4), "VARCHAR(4)");
    CHECK_STR(common(char_3, &TYPE_OF_STRING), "STRING");
    CHECK_STR(common(&TYPE_OF_DATE, &TYPE_OF_TIMESTAMP_3), "TIMESTAMP(3)");
    CHECK_STR(common(&TYPE_OF_TIMESTAMP_3, &TYPE_OF_TIMESTAMP_LTZ_6), "TIMESTAMP_LTZ(6)");
    CHECK_STR(common(&TYPE_OF_DATE, &TYPE_OF_TIME), "none");
    CHECK_STR(common(&TYPE_OF_INT, &TYPE_OF_STRING), "none");
    CHECK_STR(common(type_array(&arena, &TYPE_OF_INT, true), type_array(&arena, decimal, true)),
              "ARRAY<DECIMAL(13, 3)>");
    CHECK_STR(common(type_with_time_attribute(&arena, &TYPE_OF_TIMESTAMP_3, TIME_ATTRIBUTE_ROWTIME),
                     &TYPE_OF_TIMESTAMP_3),
              "TIMESTAMP(3)");
    arena_fini(&arena);
}
