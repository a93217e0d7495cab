/* filesystem: records of files and directories, lines over block borders, positions, whole files
 * only. */
#include "connector/filesystem/filesystem.h"
#include "../check.h"
#include "connector_help.h"
#include "format/csv/csv.h"
#include "format/csv/csv_value.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

static struct test_context context;
static struct test_wake the_wake;
static char directory[64];

static void setup(void)
{
    struct error err = {0};
    test_context_init(&context);
    test_wake_init(&the_wake);
    snprintf(directory, sizeof(directory), "filesystem_test_%d", (int)getpid());
    must(io_remove_tree(io_real(), directory, &err) == OK);
    must(mkdir(directory, 0700) == 0);
}

static void teardown(void)
{
    struct error err = {0};
    must(io_remove_tree(io_real(), directory, &err) == OK);
    test_context_fini(&context);
}

static void put(const char *name, const void *bytes, size_t size_bytes)
{
    char path[256];
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    must(file && fwrite(bytes, 1, size_bytes, file) == size_bytes && fclose(file) == 0);
}

static void files_table(struct test_table *table, const char *path, const char *format)
{
    test_table_init(table, "t");
    test_field(table, "a", &TYPE_OF_INT);
    test_field(table, "s", &TYPE_OF_STRING);
    test_option(table, "path", path);
    test_option(table, "format", format);
}

static enum status keep_split(void *target, const struct source_split *split, struct error *err)
{
    struct source_split **next = target;
    *(*next)++ = *split;
    return OK;
}

/* All records as "<bytes>" each, files after "NAME:"; from position of the first `skip` records on.
 */
static const char *records_of(const struct test_table *table, uint32_t max_rows, int skip)
{
    static struct buf text;
    struct error err = {0};
    struct source *source;
    struct source_split splits[8], *next = splits;
    struct source_output output;
    struct buf position;
    const struct source_class *class = CONNECTOR_FILESYSTEM.source;
    struct source_request request = test_source_request(table, &context);
    buf_fini(&text);
    buf_init(&text, 64 << 20);
    buf_init(&position, 64);
    if (class->open(&request, &the_wake.wake, &source, &err) != OK) {
        buf_append_text(&text, err.text);
        return buf_text(&text);
    }
    if (class->discover(source, keep_split, &next, &(int64_t){0}, &err) != POLL_ROWS)
        buf_append_text(&text, err.text);
    for (const struct source_split *split = splits; split < next; split++) {
        struct source_reader *reader;
        enum poll_result result;
        const char *name = strrchr(split->id, '/');
        buf_printf(&text, "%s:", name ? name + 1 : split->id);
        must(class->reader_open(source, split, NULL, 0, &the_wake.wake, &reader, &err) == OK);
        int done = 0;
        while ((result = class->poll(reader, max_rows, &output, &err)) != POLL_END) {
            if (result == POLL_WAIT) {
                must(test_wake_wait(&the_wake));
                continue;
            }
            if (result == POLL_ERROR) {
                buf_append_text(&text, err.text);
                break;
            }
            for (uint32_t i = 0; i < output.records->count; i++)
                buf_printf(&text, "<%.*s>", (int)output.records->value_lengths[i],
                           (const char *)output.records->values[i]);
            done += (int)output.records->count;
            if (skip && done >= skip) { /* go on with a reader of its own */
                buf_clear(&position);
                must(class->position(reader, &position, &err) == OK);
                class->reader_close(reader);
                must(class->reader_open(source, split, position.data, position.length,
                                        &the_wake.wake, &reader, &err) == OK);
                done = 0;
            }
        }
        class->reader_close(reader);
    }
    class->close(source);
    buf_fini(&position);
    return buf_text(&text);
}

TEST(files_of_a_directory)
{
    struct test_table table;
    char path[128];
    setup();
    static const char rows[] = "1,x\n2,\"a\nb\"\n\n3,5\" pipe\n4,last";
    put("b.csv", rows, sizeof(rows) - 1);
    put("a.csv",
        "\xef\xbb\xbf"
        "1\r\n",
        6);
    put(".hidden", "no\n", 3);
    put("_note", "no\n", 3);
    snprintf(path, sizeof(path), "%s/sub", directory);
    must(mkdir(path, 0700) == 0);
    put("sub/c.csv", "", 0);
    files_table(&table, directory, "csv");
    for (uint32_t max_rows = 1; max_rows < 5; max_rows++) {
        CHECK_STR(records_of(&table, max_rows, 0),
                  "a.csv:<1\r>b.csv:<1,x><2,\"a\nb\"><><3,5\" pipe><4,last>c.csv:");
        CHECK_STR(records_of(&table, max_rows, 2),
                  "a.csv:<1\r>b.csv:<1,x><2,\"a\nb\"><><3,5\" pipe><4,last>c.csv:");
    }
    snprintf(path, sizeof(path), "file://%s/b.csv", directory);
    files_table(&table, path, "json");
    CHECK_STR(records_of(&table, 9, 0), "b.csv:<1,x><2,\"a><b\"><3,5\" pipe><4,last>");
    teardown();
}

/* Lines of all lengths around the size of a block. */
TEST(long_lines)
{
    struct test_table table;
    struct buf file, want;
    setup();
    buf_init(&file, 64 << 20);
    buf_init(&want, 64 << 20);
    buf_append_text(&want, "x:");
    for (int i = 0; i < 40; i++) {
        size_t length = i == 20 ? 5 << 20 : (size_t)i * 26215;
        buf_append_byte(&want, '<');
        for (size_t j = 0; j < length; j++) {
            buf_append_byte(&file, (uint8_t)('a' + j % 26));
            buf_append_byte(&want, (uint8_t)('a' + j % 26));
        }
        buf_append_byte(&file, '\n');
        buf_append_byte(&want, '>');
    }
    put("x", file.data, file.length);
    files_table(&table, directory, "raw");
    CHECK(strcmp(records_of(&table, 7, 0), buf_text(&want)) == 0);
    CHECK(strcmp(records_of(&table, 2, 3), buf_text(&want)) == 0);
    buf_fini(&file);
    buf_fini(&want);
    teardown();
}

TEST(wrong_tables)
{
    static const char *const roots[] = {"/usr", NULL};
    struct test_table table;
    setup();
    files_table(&table, "no/such/file", "csv");
    CHECK(strstr(records_of(&table, 9, 0), "table t: "));
    files_table(&table, "hdfs://x/y", "csv");
    CHECK(strstr(records_of(&table, 9, 0), "is not a path of this machine"));
    files_table(&table, directory, "csv");
    test_option(&table, "source.monitor-interval", "1 s");
    CHECK(strstr(records_of(&table, 9, 0), "'source.monitor-interval' is not built"));
    files_table(&table, directory, "csv");
    context.context.security_roots = roots;
    table.description.restricted = true;
    CHECK(strstr(records_of(&table, 9, 0), "is not within the directories that may be used"));
    teardown();
}

/* Two records are read, then the file becomes `later`, and reading goes on from the position. */
static const char *changed_file(const char *later)
{
    static char text[1000];
    struct test_table table;
    struct error err = {0};
    struct source *source;
    struct source_reader *reader;
    struct source_split split, *next = &split;
    struct source_output output;
    struct buf position;
    enum poll_result result;
    const struct source_class *class = CONNECTOR_FILESYSTEM.source;
    static const char before[] = "first\nsecond\nthird\nfourth\n";

    put("x", before, sizeof(before) - 1);
    files_table(&table, directory, "raw");
    struct source_request request = test_source_request(&table, &context);
    must(class->open(&request, &the_wake.wake, &source, &err) == OK);
    must(class->discover(source, keep_split, &next, &(int64_t){0}, &err) == POLL_ROWS);
    must(class->reader_open(source, &split, NULL, 0, &the_wake.wake, &reader, &err) == OK);
    while ((result = class->poll(reader, 2, &output, &err)) == POLL_WAIT)
        must(test_wake_wait(&the_wake));
    must(result == POLL_ROWS && output.records->count == 2);
    buf_init(&position, 64);
    must(class->position(reader, &position, &err) == OK);
    class->reader_close(reader);
    put("x", later, strlen(later));
    must(class->reader_open(source, &split, position.data, position.length, &the_wake.wake, &reader,
                            &err) == OK);
    while ((result = class->poll(reader, 2, &output, &err)) == POLL_WAIT)
        must(test_wake_wait(&the_wake));
    if (result == POLL_ROWS)
        snprintf(text, sizeof(text), "%.*s", (int)output.records->value_lengths[0],
                 (const char *)output.records->values[0]);
    else
        snprintf(text, sizeof(text), "%d %s", result == POLL_ERROR && err.fatal, err.text);
    class->reader_close(reader);
    class->close(source);
    buf_fini(&position);
    return text;
}

/* A file that is not what was read is an error; one that has grown is read on. */
TEST(changed_files)
{
    setup();
    CHECK_STR(changed_file("first\nsecond\nthird\nfourth\n"), "third");
    CHECK_STR(changed_file("first\nsecond\nnew\n"), "new");
    CHECK(strstr(changed_file("first\nSecond\nthird\nfourth\n"), "1 table t: file '"));
    CHECK(strstr(changed_file("first\n"), "was changed since it was read up to byte 13"));
    CHECK(strstr(changed_file(""), "was changed"));
    teardown();
}

static enum status set_text(struct vec *vec, uint32_t row, const char *text)
{
    return csv_set_cell(vec, row, str_of(text), false) == CSV_CELL_OK ? OK : ERR_DATA;
}

static int count_files(const char *path, bool hidden)
{
    DIR *list = opendir(path);
    int count = 0;
    if (!list)
        return -1;
    for (struct dirent *entry; (entry = readdir(list));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            count += (entry->d_name[0] == '.') == hidden;
    closedir(list);
    return count;
}

TEST(whole_files_only)
{
    static const char *const values[] = {"1", "x", "2", "a,b"};
    struct test_table table;
    struct error err = {0};
    char path[128];
    setup();
    snprintf(path, sizeof(path), "%s/out/deep", directory);
    files_table(&table, path, "csv");
    const struct sink_class *class = CONNECTOR_FILESYSTEM.sink;
    struct batch *batch = test_batch(&table, 2, values, NULL, set_text);
    for (int run = 0; run < 3; run++) { /* the last one does not finish */
        struct sink *sink;
        struct sink_writer *writers[2];
        struct sink_request request = test_sink_request(&table, &context);
        request.format = &CSV_FORMAT;
        CHECK_OK(class->open(&request, &sink, &err));
        for (uint32_t i = 0; i < 2; i++)
            CHECK_OK(class->writer_open(sink, i, &the_wake.wake, &writers[i], &err));
        CHECK_INT(class->write(writers[0], batch, &err), PUSH_DONE);
        CHECK(test_wake_wait(&the_wake));
        CHECK_INT(count_files(path, true), 1);
        CHECK_INT(class->write(writers[0], batch, &err), PUSH_DONE);
        for (int i = 0; i < 2 && run < 2; i++)
            while (class->finish(writers[i], &err) == PUSH_FULL)
                CHECK(test_wake_wait(&the_wake));
        for (int i = 0; i < 2; i++)
            class->writer_close(writers[i]);
        class->close(sink);
        CHECK_INT(count_files(path, true), 0);
        CHECK_INT(count_files(path, false), run < 2 ? run + 1 : 2); /* no rows: no file */
    }
    batch_unref(batch);
    const char *text = records_of(&table, 100, 0);
    const char *rows = strstr(text, ":<1,x><2,\"a,b\"><1,x><2,\"a,b\">");
    CHECK(rows && strstr(rows + 1, ":<1,x><2,\"a,b\"><1,x><2,\"a,b\">"));
    teardown();
}
