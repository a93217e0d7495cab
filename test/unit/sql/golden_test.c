/* golden_test.c - the cases of NAME.golden: a script (lines that begin with ">>> ") and what it is
 * bound to, or the error as users see it. All cases of a file start from a catalog made by its
 * first one.
 *
 * GOLDEN_WRITE=1 in the environment writes what is there now into the files; look at the difference
 * before believing it.
 */
#include "sqltest.h"

#include <stdlib.h>

static struct error err;

static bool read_file(const char *path, struct buf *out)
{
    char block[65536];
    size_t got;
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    while ((got = fread(block, 1, sizeof(block), file)) > 0)
        buf_append(out, block, got);
    fclose(file);
    return !out->failed;
}

/* The next line without its end; false at the end of the text. */
static bool next_line(struct str *rest, struct str *line)
{
    const char *end = memchr(rest->data, '\n', rest->length);
    if (!rest->length)
        return false;
    size_t length = end ? (size_t)(end - rest->data) : rest->length;
    *line = (struct str){rest->data, length};
    rest->data += length + (end != NULL);
    rest->length -= length + (end != NULL);
    return true;
}

struct golden {
    struct str tables;
    struct buf script, want, got, all; /* of the case; what a written file has */
    uint32_t case_count, failed_count;
};

static void run_case(struct golden *golden)
{
    struct sqltest test;
    struct str script = {(char *)golden->script.data, golden->script.length};
    error_clear(&err);
    enum status status = sqltest_init(&test, &err);
    if (status == OK && golden->tables.data)
        status = sqltest_run(&test, golden->tables, NULL, &err);
    if (status == OK)
        status = sqltest_run(&test, script, &golden->got, &err);
    if (status != OK) {
        buf_printf(&golden->got, "%s ", status_name(status));
        sql_format_error(&golden->got, "q.sql", script, &err);
    }
    sqltest_fini(&test);
    golden->case_count++;
    if (strcmp(buf_text(&golden->got), buf_text(&golden->want)) != 0) {
        golden->failed_count++;
        printf("# %s\n#   got\n%s#   want\n%s", buf_text(&golden->script), buf_text(&golden->got),
               buf_text(&golden->want));
    }
}

/* The first case only makes the catalog. */
static void end_case(struct golden *golden, struct buf *tables)
{
    if (!golden->script.length)
        return;
    if (!golden->tables.data) {
        buf_append(tables, golden->script.data, golden->script.length);
        golden->tables = (struct str){(char *)tables->data, tables->length};
        buf_append_text(&golden->got, "(the catalog of all cases)\n");
    } else {
        run_case(golden);
    }
    struct str rest = {(char *)golden->script.data, golden->script.length}, line;
    while (next_line(&rest, &line))
        buf_printf(&golden->all, ">>> %.*s\n", (int)line.length, line.data);
    buf_append(&golden->all, golden->got.data, golden->got.length);
    buf_clear(&golden->script);
    buf_clear(&golden->want);
    buf_clear(&golden->got);
}

static void run_file(const char *name)
{
    char path[4096];
    struct golden golden = {0};
    struct buf text, tables;
    struct buf *bufs[] = {&text, &tables, &golden.script, &golden.want, &golden.got, &golden.all};
    for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++)
        buf_init(bufs[i], 16u << 20);
    snprintf(path, sizeof(path), "%s/%s.golden", GOLDEN_DIR, name);
    bool found = read_file(path, &text);
    struct str rest = {(char *)text.data, text.length}, line;
    while (found && next_line(&rest, &line)) {
        bool of_script = line.length >= 4 && memcmp(line.data, ">>> ", 4) == 0;
        if (of_script && golden.want.length)
            end_case(&golden, &tables);
        buf_printf(of_script ? &golden.script : &golden.want, "%.*s\n",
                   (int)(line.length - (of_script ? 4 : 0)), line.data + (of_script ? 4 : 0));
    }
    end_case(&golden, &tables);
    FILE *file = getenv("GOLDEN_WRITE") ? fopen(path, "wb") : NULL;
    if (file) {
        fwrite(golden.all.data, 1, golden.all.length, file);
        fclose(file);
    }
    uint32_t failed = golden.failed_count, count = golden.case_count;
    for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++)
        buf_fini(bufs[i]);
    CHECK(found);
    CHECK(count > 5);
    CHECK_INT(failed, 0);
}

TEST(bound_trees)
{
    run_file("bind");
}
TEST(errors_with_their_place)
{
    run_file("error");
}
