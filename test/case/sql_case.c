/* sql_case.c - runs an SQL case (test/sql, format in test/README.md) in every mode that fits it.
 *
 *   sql_case FILE.test...        all modes; prints TAP
 *   sql_case --mode M FILE.test  one mode
 *   sql_case --seeds N FILE.test each simulated mode N times, with other orders of steps
 *   sql_case --modes             lists them
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connector/sim/sim.h"
#include "test/case/case.h"
#include "test/case/sql_world.h"

static const struct sql_mode MODES[] = {
    {.name = "p1", .help = "parallelism 1", .parallelism = 1, .seed = 1},
    {.name = "b3",
     .help = "parallelism 1, batches of 3 rows, barriers",
     .parallelism = 1,
     .seed = 2,
     .batch_rows = 3,
     .barriers = true},
    {.name = "changes",
     .help = "parallelism 1, mini-batch false: every change is compared",
     .parallelism = 1,
     .seed = 3,
     .changes = true},
    {.name = "p3",
     .help = "parallelism 3, barriers",
     .parallelism = 3,
     .seed = 4,
     .barriers = true},
    {.name = "p3b3",
     .help = "parallelism 3, batches of 3 rows, short queues, barriers",
     .parallelism = 3,
     .seed = 5,
     .batch_rows = 3,
     .queue_bytes = 1,
     .barriers = true},
    {.name = "p3b1",
     .help = "parallelism 3, batches of 1 row, barriers",
     .parallelism = 3,
     .seed = 6,
     .batch_rows = 1,
     .barriers = true},
    {.name = "p3local",
     .help = "parallelism 3, aggregation in two phases, barriers",
     .parallelism = 3,
     .seed = 8,
     .barriers = true,
     .two_phases = true},
    {.name = "threads",
     .help = "parallelism 3 on two worker threads, batches of 3 rows",
     .parallelism = 3,
     .worker_threads = 2,
     .seed = 7,
     .batch_rows = 3},
    {.name = "restore",
     .help = "parallelism 2 with checkpoints, ended in the middle, restored at parallelism 3",
     .parallelism = 2,
     .later_parallelism = 3,
     .seed = 9,
     .batch_rows = 3,
     .barriers = true,
     .restarts = true},
    {.name = "direct",
     .help = "as restore; tables with a key are written at once where that is proven to be right",
     .parallelism = 2,
     .later_parallelism = 3,
     .seed = 11,
     .batch_rows = 5,
     .barriers = true,
     .restarts = true,
     .direct = true},
    {.name = "replay",
     .help = "parallelism 1, ended in the middle and restored, every change is compared",
     .parallelism = 1,
     .later_parallelism = 1,
     .seed = 10,
     .batch_rows = 2,
     .barriers = true,
     .changes = true,
     .restarts = true},
};
enum { MODE_COUNT = sizeof(MODES) / sizeof(MODES[0]) };

struct problem { /* why a run failed */
    struct buf text;
};

static bool word_in(const char *words, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = strstr(words, word); at; at = strstr(at + 1, word))
        if ((at == words || strchr(" \t\n", at[-1])) &&
            (at[length] == '\0' || strchr(" \t\n", at[length])))
            return true;
    return false;
}

static bool has_directive(const struct case_file *file, const char *name)
{
    const struct case_section *section = NULL;
    while ((section = case_section_find(file, "input", NULL, section)))
        if (strstr(section->text, name))
            return true;
    return false;
}

/* Does the case make sense in this mode? */
static bool mode_fits(const struct case_file *file, const struct sql_mode *mode)
{
    const struct case_section *only = case_section_find(file, "only", NULL, NULL);
    if (only && strcmp(mode->name, "replay") == 0) /* what is read again is read at another time */
        return (word_in(only->argument, "changes") || word_in(only->text, "changes")) &&
               !has_directive(file, "@time");
    if (only)
        return word_in(only->argument, mode->name) || word_in(only->text, mode->name);
    if (case_section_find(file, "expect", "plan", NULL))
        return strcmp(mode->name, "p1") == 0;
    if (mode->worker_threads)
        return !has_directive(file, "@time") && !has_directive(file, "@idle") &&
               !has_directive(file, "@open");
    return true;
}

/* ---- expectations */

static void report(struct problem *problem, const char *what, const char *text)
{
    buf_printf(&problem->text, "%s\n%s", what, text ? text : "");
}

/* Each line must occur; in_order: behind the one before. */
static void check_lines(struct problem *problem, const struct case_section *section,
                        const char *text, bool in_order)
{
    const char *from = text;
    char *copy = strdup(section->text), *rest = copy, *line;
    while ((line = strsep(&rest, "\n"))) {
        line += strspn(line, " \t");
        if (*line == '\0' || *line == '#')
            continue;
        const char *found = strstr(from, line);
        if (!found) {
            buf_printf(&problem->text, "expected text not found%s: %s\nin:\n%s\n",
                       in_order ? " (in this order)" : "", line, text);
            break;
        }
        if (in_order)
            from = found + strlen(line);
    }
    free(copy);
}

static void check_changelog(struct problem *problem, const struct case_plan *expected,
                            const struct sql_rows *rows, const char *what)
{
    char *difference = case_compare(expected, &rows->plan, CASE_ORDERED | CASE_ROW_KINDS,
                                    rows->approximate, rows->column_count);
    if (difference)
        report(problem, what, difference);
    free(difference);
}

static void check_final(struct problem *problem, const struct case_plan *expected,
                        struct sql_rows *rows, const char *what, bool ordered)
{
    struct case_plan final;
    if (!case_fold(&rows->plan, rows->key_columns, rows->key_count, rows->repeats, &final)) {
        report(problem, what, rows->plan.error);
        case_plan_fini(&final);
        return;
    }
    char *difference = case_compare(expected, &final, ordered ? CASE_ORDERED : 0, rows->approximate,
                                    rows->column_count);
    if (difference)
        report(problem, what, difference);
    free(difference);
    case_plan_fini(&final);
}

static bool starts_word(const char *text, const char *word, const char **rest)
{
    size_t length = strlen(word);
    if (strncmp(text, word, length) != 0 || (text[length] != ' ' && text[length] != '\0'))
        return false;
    *rest = text + length + strspn(text + length, " ");
    return true;
}

static void check_rows(struct problem *problem, struct sql_world *world,
                       const struct sql_mode *mode, const struct case_section *section)
{
    const char *table = section->argument;
    bool changelog = starts_word(table, "changelog", &table);
    bool ordered = starts_word(table, "ordered", &table);
    struct case_plan expected;
    char what[300];
    snprintf(what, sizeof(what), "expect %s (- expected, + got):", section->argument);
    if (changelog && !mode->changes)
        return;
    if (!case_plan_parse(&expected, section, true)) {
        report(problem, "bad case file:", expected.error);
        case_plan_fini(&expected);
        return;
    }
    struct sql_rows *captured = *table ? sql_world_captured(world, table) : NULL;
    struct sql_rows *rows = *table ? captured : (struct sql_rows *)sql_world_result(world);
    if (!rows)
        report(problem, what, "there is no such table\n");
    else if (changelog)
        check_changelog(problem, &expected, rows, what);
    else
        check_final(problem, &expected, rows, what, ordered);
    if (captured) {
        case_plan_fini(&captured->plan);
        free(captured);
    }
    case_plan_fini(&expected);
}

static void check_all(struct problem *problem, struct sql_world *world, const struct sql_mode *mode,
                      const struct case_file *file, bool failed, struct buf *message)
{
    const struct case_section *error = case_section_find(file, "expect", "error", NULL);
    const struct case_section *section = NULL;
    if (failed && !error) {
        report(problem, "error:", buf_text(message));
        return;
    }
    if (error && !failed)
        report(problem, "no error came, expected:", error->text);
    while ((section = case_section_find(file, "expect", NULL, section))) {
        if (strcmp(section->argument, "error") == 0)
            check_lines(problem, section, buf_text(message), false);
        else if (strcmp(section->argument, "plan") == 0)
            check_lines(problem, section, sql_world_text(world), true);
        else
            check_rows(problem, world, mode, section);
    }
}

/* ---- one run */

static enum status apply_settings(struct sql_world *world, const struct case_section *section,
                                  struct error *err)
{
    char *copy = strdup(section->text), *rest = copy, *line;
    enum status status = OK;
    while (status == OK && (line = strsep(&rest, "\n"))) {
        char *equals = strstr(line, " = ");
        if (!equals)
            continue;
        *equals = '\0';
        line += strspn(line, " \t");
        status = sql_world_set(world, line, equals + 3, err);
    }
    free(copy);
    return status;
}

static enum status prepare(struct sql_world *world, const struct case_file *file, struct buf *sql,
                           struct error *err)
{
    for (int i = 0; i < file->section_count; i++) {
        const struct case_section *section = &file->sections[i];
        if (strcmp(section->keyword, "sql") == 0)
            buf_append_text(sql, section->text);
        else if (strcmp(section->keyword, "set") == 0)
            TRY(apply_settings(world, section, err));
        else if (strcmp(section->keyword, "input") == 0)
            TRY(sim_input(section->argument, section->text, err));
        else if (strcmp(section->keyword, "expect") != 0 && strcmp(section->keyword, "only") != 0)
            return error_set(err, ERR_USAGE, "line %d: there is no section '%s'", section->line - 1,
                             section->keyword);
    }
    return OK;
}

static void run_case(struct problem *problem, const struct case_file *file,
                     const struct sql_mode *mode)
{
    struct error err = {0};
    struct buf sql, message;
    buf_init(&sql, CASE_MAX_FILE_BYTES);
    buf_init(&message, CASE_MAX_FILE_BYTES);
    struct sql_world *world = sql_world_open(mode, &err);
    if (!world || prepare(world, file, &sql, &err) != OK) {
        report(problem, "cannot start:", err.text);
    } else {
        bool explain = case_section_find(file, "expect", "plan", NULL) != NULL;
        bool good = sql_world_run(world, buf_text(&sql), explain, &message);
        check_all(problem, world, mode, file, !good, &message);
    }
    sql_world_close(world);
    buf_fini(&sql);
    buf_fini(&message);
}

static void print_problem(const char *text)
{
    char *copy = strdup(text), *rest = copy, *line;
    while ((line = strsep(&rest, "\n")))
        printf("#   %s\n", line);
    free(copy);
}

static bool run_mode(const struct case_file *file, const char *path, const struct sql_mode *mode,
                     int *number)
{
    struct problem problem;
    buf_init(&problem.text, CASE_MAX_FILE_BYTES);
    run_case(&problem, file, mode);
    bool passed = problem.text.length == 0;
    printf("%s %d - %s %s seed %llu\n", passed ? "ok" : "not ok", ++*number, path, mode->name,
           (unsigned long long)mode->seed);
    if (!passed)
        print_problem(buf_text(&problem.text));
    fflush(stdout);
    buf_fini(&problem.text);
    return passed;
}

static bool run_file(const char *path, const char *only_mode, uint64_t seeds, int *number)
{
    struct case_file file;
    bool loaded = case_file_load(&file, path), good = loaded;
    if (!loaded)
        printf("not ok %d - %s\n# %s\n", ++*number, path, file.error);
    for (int i = 0; loaded && i < MODE_COUNT; i++) {
        if ((only_mode && strcmp(only_mode, MODES[i].name) != 0) || !mode_fits(&file, &MODES[i]))
            continue;
        struct sql_mode mode = MODES[i];
        for (uint64_t run = 0; run < (mode.worker_threads ? 1 : seeds); run++) {
            mode.seed = MODES[i].seed + run * MODE_COUNT;
            if (!run_mode(&file, path, &mode, number))
                good = false;
        }
    }
    case_file_fini(&file);
    return good;
}

int main(int argc, char **argv)
{
    const char *mode = NULL;
    uint64_t seeds = 1;
    int number = 0;
    bool good = true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--modes") == 0) {
            for (int m = 0; m < MODE_COUNT; m++)
                printf("%-8s %s\n", MODES[m].name, MODES[m].help);
            return 0;
        }
        if (strcmp(argv[i], "--mode") == 0 && i + 1 < argc) {
            mode = argv[++i];
            continue;
        }
        if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc) {
            seeds = strtoull(argv[++i], NULL, 10);
            continue;
        }
        if (!run_file(argv[i], mode, seeds, &number))
            good = false;
    }
    printf("1..%d\n", number);
    return good ? 0 : 1;
}
