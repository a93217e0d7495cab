/* The readers of case files: sections, rows, plans, triples, and what they refuse. */
#include "test/case/case.h"
#include "../check.h"

static bool plan_of(struct case_plan *plan, const char *text, bool only_rows)
{
    struct case_section section = {.text = (char *)text, .line = 1};
    return case_plan_parse(plan, &section, only_rows);
}

TEST(sections)
{
    static const char text[] = "# about\n\n=== sql\nSELECT 1;\n-- a comment\n=== input  orders \r\n"
                               "1\n=== expect changelog t\n";
    struct case_file file;
    CHECK(case_file_parse(&file, text, sizeof(text) - 1));
    CHECK_INT(file.section_count, 3);
    CHECK_STR(file.comment, "# about\n\n");
    const struct case_section *input = case_section_find(&file, "input", "orders", NULL);
    CHECK(input);
    CHECK_STR(input->text, "1\n");
    CHECK_INT(input->line, 7);
    CHECK_STR(case_section_find(&file, "sql", NULL, NULL)->text, "SELECT 1;\n-- a comment\n");
    CHECK_STR(case_section_find(&file, "expect", NULL, input)->argument, "changelog t");
    CHECK(!case_section_find(&file, "sql", NULL, input));
    case_file_fini(&file);
}

TEST(sections_refused)
{
    static const struct {
        const char *text, *error;
    } bad[] = {{"", "no section"},
               {"# only\n", "no section"},
               {"SELECT 1\n=== sql\n", "line 1: text before the first section"},
               {"=== sql\n=== \n", "line 2: no keyword after ==="}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct case_file file;
        CHECK(!case_file_parse(&file, bad[i].text, strlen(bad[i].text)));
        CHECK_STR(file.error, bad[i].error);
        case_file_fini(&file);
    }
    struct case_file file;
    CHECK(!case_file_load(&file, "/nonexistent/a.test"));
    CHECK(strstr(file.error, "No such file"));
    case_file_fini(&file);
}

TEST(rows)
{
    struct case_plan plan;
    CHECK(
        plan_of(&plan, "a b | NULL | 'NULL'\n# no\n-D 'x | ''y''' |  | E'\\x00\\n'\n-Dx\n", true));
    CHECK_INT(plan.event_count, 3);
    struct case_event *row = &plan.events[0];
    CHECK_STR(row->row_kind, "+I");
    CHECK_INT(row->value_count, 3);
    CHECK_STR(row->values[0].text, "a b");
    CHECK(row->values[1].null && !row->values[2].null);
    CHECK_STR(row->values[2].text, "NULL");
    row = &plan.events[1];
    CHECK_STR(row->row_kind, "-D");
    CHECK_INT(row->line, 3);
    CHECK_STR(row->values[0].text, "x | 'y'");
    CHECK(!row->values[1].null && row->values[1].size_bytes == 0);
    CHECK_INT(row->values[2].size_bytes, 2);
    CHECK(memcmp(row->values[2].text, "\0\n", 3) == 0);
    CHECK_STR(plan.events[2].values[0].text, "-Dx");
    case_plan_fini(&plan);
}

TEST(arrival_plan)
{
    struct case_plan plan;
    CHECK(plan_of(&plan,
                  "1\n---\n@split 2\n2\n@watermark 2024-01-01 00:00:05\n@idle\n@time 15\n@end\n",
                  false));
    static const enum case_event_kind kinds[] = {CASE_ROW,       CASE_CUT,  CASE_SPLIT, CASE_ROW,
                                                 CASE_WATERMARK, CASE_IDLE, CASE_TIME,  CASE_END};
    CHECK_INT(plan.event_count, 8);
    for (int i = 0; i < 8; i++) {
        CHECK_INT(plan.events[i].kind, kinds[i]);
        CHECK_INT(plan.events[i].split, i < 2 ? 0 : 2);
    }
    CHECK_STR(plan.events[4].text, "2024-01-01 00:00:05");
    CHECK_INT(plan.events[6].number, 15);
    case_plan_fini(&plan);
}

TEST(plans_refused)
{
    static const struct {
        const char *text, *error;
    } bad[] = {{"1\n@nothing\n", "line 2: unknown directive: @nothing"},
               {"@idle 3", "line 1: it takes no argument: @idle 3"},
               {"@watermark", "line 1: its argument is missing: @watermark"},
               {"@time 1x", "line 1: its argument is no number: @time 1x"},
               {"@split 1001", "line 1: splits go from 0 to 1000: @split 1001"},
               {"'a", "line 1: the quotes are not closed: 'a"},
               {"'a'b'", "line 1: a single quote inside quotes has to be doubled: 'a'b'"},
               {"E'\\q'", "line 1: unknown escape; there are \\n \\t \\r \\\\ \\xHH: E'\\q'"},
               {"E'\\x1'", "line 1: unknown escape; there are \\n \\t \\r \\\\ \\xHH: E'\\x1'"}};
    struct case_plan plan;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(!plan_of(&plan, bad[i].text, false));
        CHECK_STR(plan.error, bad[i].error);
        case_plan_fini(&plan);
    }
    CHECK(!plan_of(&plan, "1\n---\n", true));
    CHECK_STR(plan.error, "line 2: only rows can stand here: ---");
    case_plan_fini(&plan);
}

TEST(triples)
{
    static const char text[] = "# about\n1 + 2 => 3 :: INT NOT NULL\n\n"
                               "f(a => 1) => NULL :: DECIMAL(10, 2)\n"
                               "'=> :: ''' || 'x' => '=> :: ''x'\n"
                               "CAST('x' AS INT) => error: cannot :: convert\n"
                               "@set a = b\n";
    struct case_triples triples;
    CHECK(case_triples_parse(&triples, text, sizeof(text) - 1));
    CHECK_INT(triples.triple_count, 5);
    struct case_triple *triple = triples.triples;
    CHECK_STR(triple[0].expression, "1 + 2");
    CHECK_STR(triple[0].value.text, "3");
    CHECK_STR(triple[0].type, "INT NOT NULL");
    CHECK_INT(triple[0].line, 2);
    CHECK_STR(triple[1].expression, "f(a => 1)");
    CHECK(triple[1].value.null);
    CHECK_STR(triple[1].type, "DECIMAL(10, 2)");
    CHECK_STR(triple[2].expression, "'=> :: ''' || 'x'");
    CHECK_STR(triple[2].value.text, "=> :: 'x");
    CHECK(!triple[2].type);
    CHECK(triple[3].has_error);
    CHECK_STR(triple[3].value.text, "cannot :: convert");
    CHECK(triple[4].directive);
    CHECK_STR(triple[4].expression, "set a = b");
    case_triples_fini(&triples);
}

TEST(triples_refused)
{
    static const struct {
        const char *text, *error;
    } bad[] = {
        {"1 + 2\n", "line 1: no '=>': 1 + 2"},
        {"a => 1\n => 3", "line 2: nothing on one side of '=>'; an empty string is '': => 3"},
        {"1 => 3 :: ", "line 1: no type after '::': 1 => 3 ::"},
        {"@row a", "line 1: unknown directive; there are @set and @columns: @row a"},
        {"1 => 'a", "line 1: the quotes are not closed: 1 => 'a"}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct case_triples triples;
        CHECK(!case_triples_parse(&triples, bad[i].text, strlen(bad[i].text)));
        CHECK_STR(triples.error, bad[i].error);
        case_triples_fini(&triples);
    }
}

static char *compare(const char *expected, const char *got, int flags, const bool *approximate)
{
    struct case_plan a, b;
    if (!plan_of(&a, expected, true) || !plan_of(&b, got, true))
        abort();
    char *report = case_compare(&a, &b, flags, approximate, 1);
    case_plan_fini(&a);
    case_plan_fini(&b);
    return report;
}

TEST(compare_rows)
{
    static const bool approximate[] = {true};
    CHECK(!compare("1\n2\n2\n", "2\n1\n2\n", 0, NULL));
    CHECK(!compare("", "", CASE_ORDERED, NULL));
    CHECK(!compare("+I 1\n", "+U 1\n", 0, NULL));
    CHECK(!compare("1\nNaN\n0\n", "1.0000000001\nNaN\n-0.0\n", CASE_ORDERED, approximate));
    static const struct {
        const char *expected, *got, *report;
        int flags;
    } cases[] = {{"1\n2\n2\n", "2\n1\n1\n", "- +I 2\n+ +I 1\n", 0},
                 {"1\n2\n", "2\n1\n", "- +I 1\n+ +I 2\n- +I 2\n+ +I 1\n", CASE_ORDERED},
                 {"1\n", "1\n2\n", "+ +I 2\n", CASE_ORDERED},
                 {"1\n2\n", "1\n", "- +I 2\n", CASE_ORDERED},
                 {"1 | NULL\n", "1 | 'NULL'\n", "- +I 1 | NULL\n+ +I 1 | NULL\n", 0},
                 {"1\n", "1.0000000001\n", "- +I 1\n+ +I 1.0000000001\n", 0},
                 {"+I 1\n", "+U 1\n", "- +I 1\n+ +U 1\n", CASE_ROW_KINDS}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *report = compare(cases[i].expected, cases[i].got, cases[i].flags, NULL);
        CHECK_STR(report, cases[i].report);
        free(report);
    }
    char *report = compare("1\n", "1.00000001\n", 0, approximate);
    CHECK(report);
    free(report);
}

TEST(fold_changes)
{
    static const int key[] = {0};
    static const struct {
        const char *changes, *rows;
        int key_count;
    } cases[] = {{"a | 1\n-U a | 1\n+U a | 2\nb | 1\n-D b | 1\n", "a | 2\n", 0},
                 {"a | 1\na | 1\n-D a | 1\n", "a | 1\n", 0},
                 {"a | 1\n+U a | 2\nb | NULL\n-D b | 7\n", "a | 2\n", 1},
                 {"a | 1\n-U a | 9\n+U a | 2\nb | 3\nc | 3\nd | 3\n", "a|2\nb|3\nc|3\nd|3\n", 1}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct case_plan changes, rows, expected;
        CHECK(plan_of(&changes, cases[i].changes, true));
        CHECK(plan_of(&expected, cases[i].rows, true));
        CHECK(case_fold(&changes, key, cases[i].key_count, false, &rows));
        CHECK(!case_compare(&expected, &rows, CASE_ROW_KINDS, NULL, 0));
        case_plan_fini(&changes);
        case_plan_fini(&rows);
        case_plan_fini(&expected);
    }
    struct case_plan changes, rows;
    CHECK(plan_of(&changes, "a | 1\n-D a | 2\n", true));
    CHECK(!case_fold(&changes, key, 0, false, &rows));
    CHECK_STR(changes.error, "change 2 (-D a ...) removes a row that is not there");
    case_plan_fini(&changes);
    case_plan_fini(&rows);
}
