/* print: rows as Flink prints them, options, a reader that has gone away. */
#include "connector/print/print.h"
#include "../check.h"
#include "connector_help.h"
#include "format/csv/csv_value.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static struct test_context context;
static struct test_wake the_wake;

static enum status set_text(struct vec *vec, uint32_t row, const char *text)
{
    if (!text)
        return csv_set_null(vec, row, NULL);
    return csv_set_cell(vec, row, str_of(text), false) == CSV_CELL_OK ? OK : ERR_DATA;
}

/* What the rows print, read from the other end of a pipe. */
static const char *print(const struct test_table *table, struct batch *batch, uint32_t parallelism)
{
    static char text[65536];
    struct error err = {0};
    struct sink *sink;
    struct sink_writer *writer;
    int ends[2];
    must(pipe(ends) == 0);
    context.context.output_fd = ends[1];
    const struct sink_class *class = CONNECTOR_PRINT.sink;
    struct sink_request request = test_sink_request(table, &context);
    request.parallelism = parallelism;
    if (class->open(&request, &sink, &err) != OK) {
        close(ends[0]);
        close(ends[1]);
        snprintf(text, sizeof(text), "%s", err.text);
        return text;
    }
    must(class->writer_open(sink, 1, &the_wake.wake, &writer, &err) == OK);
    must(class->write(writer, batch, &err) == PUSH_DONE);
    while (class->finish(writer, &err) == PUSH_FULL)
        must(test_wake_wait(&the_wake));
    class->writer_close(writer);
    class->close(sink);
    close(ends[1]);
    size_t length = 0;
    for (ssize_t got; (got = read(ends[0], text + length, sizeof(text) - 1 - length)) > 0;)
        length += (size_t)got;
    text[length] = '\0';
    close(ends[0]);
    return text;
}

TEST(values_as_java_prints_them)
{
    struct arena arena;
    struct test_table table;
    test_context_init(&context);
    test_wake_init(&the_wake);
    arena_init(&arena, NULL, 1 << 20);
    test_table_init(&table, "t");
    test_field(&table, "a", &TYPE_OF_INT);
    test_field(&table, "b", &TYPE_OF_STRING);
    test_field(&table, "c", &TYPE_OF_BOOLEAN);
    test_field(&table, "d", &TYPE_OF_DOUBLE);
    test_field(&table, "e", type_decimal(&arena, 20, 10, true));
    test_field(&table, "f", &TYPE_OF_DATE);
    test_field(&table, "g", type_temporal(&arena, TYPE_TIME, 3, true));
    test_field(&table, "h", &TYPE_OF_TIMESTAMP_6);
    test_field(&table, "i", &TYPE_OF_TIMESTAMP_LTZ_3);
    test_field(&table, "j", &TYPE_OF_BYTES);
    static const char *const values[] = {
        "1",
        "a",
        "true",
        "1",
        "0",
        "2020-01-02",
        "10:00:00",
        "2020-01-02 10:00:00",
        "2020-01-02 10:00:00Z",
        "AP8=",
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        NULL,
        "-3",
        "x, y",
        "false",
        "1e10",
        "-0.0000001234",
        "1969-12-31",
        "10:00:01.5",
        "1969-12-31 23:59:59.000001",
        "2020-01-02 10:00:00.120Z",
        "",
        "0",
        "",
        "true",
        "0.5",
        "12.5",
        "9999-12-31",
        "00:00:00.001",
        "2020-01-02 00:00:07",
        "1969-12-31 00:00:00Z",
        "YQ==",
    };
    struct batch *batch = test_batch(&table, 4, values, "0123", set_text);
    CHECK_STR(print(&table, batch, 1),
              "+I[1, a, true, 1.0, 0E-10, 2020-01-02, 10:00, 2020-01-02T10:00, "
              "2020-01-02T10:00:00Z, [0, -1]]\n"
              "-U[null, null, null, null, null, null, null, null, null, null]\n"
              "+U[-3, x, y, false, 1.0E10, -1.234E-7, 1969-12-31, 10:00:01.500, "
              "1969-12-31T23:59:59.000001, 2020-01-02T10:00:00.120Z, []]\n"
              "-D[0, , true, 0.5, 12.5000000000, 9999-12-31, 00:00:00.001, 2020-01-02T00:00:07, "
              "1969-12-31T00:00:00Z, [97]]\n");
    batch_unref(batch);
    arena_fini(&arena);
    test_context_fini(&context);
}

TEST(identifier_and_subtask)
{
    static const char *const values[] = {"1"};
    struct test_table table;
    test_context_init(&context);
    test_wake_init(&the_wake);
    test_table_init(&table, "t");
    test_field(&table, "a", &TYPE_OF_INT);
    struct batch *batch = test_batch(&table, 1, values, NULL, set_text);
    CHECK_STR(print(&table, batch, 3), "2> +I[1]\n");
    test_option(&table, "print-identifier", "out");
    CHECK_STR(print(&table, batch, 1), "out> +I[1]\n");
    CHECK_STR(print(&table, batch, 3), "out:2> +I[1]\n");
    test_option(&table, "print-identifer", "out");
    CHECK_STR(print(&table, batch, 3), "connector 'print' has no option 'print-identifer'");
    batch_unref(batch);
    test_context_fini(&context);
}

TEST(reader_gone)
{
    static const char *const values[] = {"1"};
    struct test_table table;
    struct error err = {0};
    struct sink *sink;
    struct sink_writer *writer;
    int ends[2];
    test_context_init(&context);
    test_wake_init(&the_wake);
    test_table_init(&table, "t");
    test_field(&table, "a", &TYPE_OF_INT);
    sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
    must(pipe(ends) == 0);
    close(ends[0]);
    context.context.output_fd = ends[1];
    const struct sink_class *class = CONNECTOR_PRINT.sink;
    struct sink_request request = test_sink_request(&table, &context);
    CHECK_OK(class->open(&request, &sink, &err));
    CHECK_OK(class->writer_open(sink, 0, &the_wake.wake, &writer, &err));
    struct batch *batch = test_batch(&table, 1, values, NULL, set_text);
    CHECK_INT(class->write(writer, batch, &err), PUSH_DONE);
    while (class->flush(writer, 1, &err) == PUSH_FULL)
        CHECK(test_wake_wait(&the_wake));
    CHECK_INT(class->flush(writer, 1, &err), PUSH_ERROR);
    CHECK_INT(err.code, ERR_CLOSED);
    CHECK_INT(class->write(writer, batch, &err), PUSH_ERROR);
    class->writer_close(writer);
    class->close(sink);
    batch_unref(batch);
    close(ends[1]);
    test_context_fini(&context);
}
