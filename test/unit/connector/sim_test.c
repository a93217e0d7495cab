/* The sim connector: plans, order across tables and splits, positions, capture. */
#include "connector/sim/sim.h"
#include "../check.h"
#include "connector_help.h"

static struct test_context context;
static struct test_wake the_wake;

static void setup(void)
{
    test_context_init(&context);
    test_wake_init(&the_wake);
    sim_reset();
}

static enum status keep_split(void *target, const struct source_split *split, struct error *err)
{
    struct source_split **next = target;
    *(*next)++ = *split;
    return OK;
}

struct open_source {
    struct source *source;
    struct source_reader *readers[4];
    int reader_count;
};

static bool open_table(struct open_source *open, const struct test_table *table,
                       const void *position, size_t position_bytes)
{
    struct error err = {0};
    struct source_split splits[4], *next = splits;
    struct source_request request = test_source_request(table, &context);
    const struct source_class *class = CONNECTOR_SIM.source;
    if (class->open(&request, &the_wake.wake, &open->source, &err) != OK) {
        printf("# %s\n", err.text);
        return false;
    }
    if (class->discover(open->source, keep_split, &next, &(int64_t){0}, &err) != POLL_ROWS)
        return false;
    open->reader_count = (int)(next - splits);
    for (int i = 0; i < open->reader_count; i++)
        if (class->reader_open(open->source, &splits[i], position, position_bytes, &the_wake.wake,
                               &open->readers[i], &err) != OK)
            return false;
    return true;
}

static void close_table(struct open_source *open)
{
    for (int i = 0; i < open->reader_count; i++)
        CONNECTOR_SIM.source->reader_close(open->readers[i]);
    CONNECTOR_SIM.source->close(open->source);
}

/* Text of one poll: rows, "WAIT", "END" or "ERROR text". */
static const char *poll(struct source_reader *reader, uint32_t max_rows)
{
    static struct buf text;
    struct error err = {0};
    struct source_output output;
    buf_fini(&text);
    buf_init(&text, 1 << 20);
    switch (CONNECTOR_SIM.source->poll(reader, max_rows, &output, &err)) {
    case POLL_ROWS:
        batch_verify(output.batch);
        test_rows_text(&text, output.batch);
        for (uint32_t i = 0; i < output.batch->mark_count; i++)
            buf_printf(&text, "@%u:%lld\n", output.batch->marks[i].row_index,
                       (long long)output.batch->marks[i].watermark_us);
        batch_unref(output.batch);
        return buf_text(&text);
    case POLL_WAIT:
        return "WAIT";
    case POLL_END:
        return "END";
    default:
        buf_printf(&text, "ERROR %s", err.text);
        return buf_text(&text);
    }
}

static void teardown(void)
{
    sim_reset();
    test_context_fini(&context);
}

TEST(batches_marks_kinds)
{
    struct test_table table;
    struct open_source open;
    setup();
    test_table_init(&table, "default_catalog.default_database.t");
    test_field(&table, "a", &TYPE_OF_INT);
    test_field(&table, "b", &TYPE_OF_STRING);
    test_option(&table, "rows",
                "1 | x\n-D 2 | 'it''s | E'\n---\n@watermark 1970-01-01 00:00:01\n3 | NULL\n"
                "@watermark 1970-01-01 00:00:02\n4|''\n5|E'\\x41\\n'");
    CHECK(open_table(&open, &table, NULL, 0));
    CHECK_STR(poll(open.readers[0], 2048), "+I 1|x\n-D 2|it's | E\n");
    CHECK_STR(poll(open.readers[0], 2), "3|NULL\n4|\n@0:1000000\n@1:2000000\n");
    CHECK_STR(poll(open.readers[0], 2), "5|A\n\n");
    CHECK_STR(poll(open.readers[0], 2), "END");
    close_table(&open);
    teardown();
}

TEST(order_between_tables_and_splits)
{
    struct test_table one, two;
    struct open_source first, second;
    struct error err = {0};
    setup();
    test_table_init(&one, "c.d.one");
    test_field(&one, "a", &TYPE_OF_INT);
    test_table_init(&two, "c.d.two");
    test_field(&two, "a", &TYPE_OF_INT);
    CHECK_OK(sim_input("one", "1\n@split 1\n2\n", &err));
    CHECK_OK(sim_input("two", "3\n", &err));
    CHECK_OK(sim_input("one", "4\n", &err));
    CHECK(open_table(&first, &one, NULL, 0));
    CHECK(open_table(&second, &two, NULL, 0));
    CHECK_INT(first.reader_count, 2);
    CHECK_STR(poll(second.readers[0], 9), "WAIT");
    CHECK_STR(poll(first.readers[1], 9), "WAIT");
    CHECK_STR(poll(first.readers[0], 9), "1\n");
    CHECK_STR(poll(first.readers[1], 9), "WAIT"); /* 1 has not been worked on yet */
    CHECK_STR(poll(first.readers[0], 9), "WAIT");
    CHECK_STR(poll(first.readers[1], 9), "2\n");
    CHECK_STR(poll(first.readers[1], 9), "END");
    CHECK_STR(poll(second.readers[0], 9), "3\n");
    CHECK_STR(poll(second.readers[0], 9), "END");
    CHECK_STR(poll(first.readers[0], 9), "4\n");
    CHECK_STR(poll(first.readers[0], 9), "END");
    close_table(&first);
    close_table(&second);
    teardown();
}

TEST(positions)
{
    struct test_table table;
    struct open_source open;
    struct error err = {0};
    struct buf position;
    setup();
    buf_init(&position, 64);
    test_table_init(&table, "t");
    test_field(&table, "a", &TYPE_OF_INT);
    test_option(&table, "rows", "1\n2\n---\n3\n@open");
    CHECK(open_table(&open, &table, NULL, 0));
    CHECK_STR(poll(open.readers[0], 9), "1\n2\n");
    CHECK_OK(CONNECTOR_SIM.source->position(open.readers[0], &position, &err));
    close_table(&open);
    CHECK(open_table(&open, &table, position.data, position.length));
    CHECK_STR(poll(open.readers[0], 9), "3\n");
    CHECK_STR(poll(open.readers[0], 9), "WAIT");
    close_table(&open);
    buf_fini(&position);
    teardown();
}

TEST(bad_plans)
{
    static const char *const rows[] = {"1 | 2",     "'a",   "@nonsense", "@watermark yesterday",
                                       "@split 64", "'a' b"};
    struct error err = {0};
    setup();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct test_table table;
        struct source *source;
        test_table_init(&table, "t");
        test_field(&table, "a", &TYPE_OF_INT);
        test_option(&table, "rows", rows[i]);
        struct source_request request = test_source_request(&table, &context);
        err = (struct error){0};
        CHECK_INT(CONNECTOR_SIM.source->open(&request, &the_wake.wake, &source, &err), ERR_DATA);
    }
    struct test_table table;
    struct open_source open;
    test_table_init(&table, "t");
    test_field(&table, "a", &TYPE_OF_INT);
    test_option(&table, "rows", "x");
    CHECK(open_table(&open, &table, NULL, 0));
    CHECK(strstr(poll(open.readers[0], 9), "line 1, column 'a': 'x' is not a valid INT"));
    close_table(&open);
    teardown();
}

static enum status set_int(struct vec *vec, uint32_t row, const char *text)
{
    int64_t value = 0;
    must(str_to_i64(str_of(text), &value, NULL));
    ((int32_t *)vec->values)[row] = (int32_t)value;
    return OK;
}

TEST(capture)
{
    static const char *const values[] = {"7", "8"};
    struct test_table table;
    struct error err = {0};
    struct sink *sink;
    struct sink_writer *writer;
    enum sink_mode mode;
    setup();
    const struct sink_class *class = CONNECTOR_SIM.sink;
    test_table_init(&table, "x.t");
    test_field(&table, "a", &TYPE_OF_INT);
    test_option(&table, "sink.full-every", "2");
    CHECK_OK(class->mode(&table.description, &mode, &err));
    CHECK_INT(mode, SINK_RETRACT);
    struct sink_request request = test_sink_request(&table, &context);
    CHECK_OK(class->open(&request, &sink, &err));
    CHECK_OK(class->writer_open(sink, 0, &the_wake.wake, &writer, &err));
    struct batch *batch = test_batch(&table, 2, values, "03", set_int);
    CHECK_INT(class->write(writer, batch, &err), PUSH_DONE);
    CHECK_INT(class->write(writer, batch, &err), PUSH_FULL);
    CHECK_INT(class->write(writer, batch, &err), PUSH_DONE);
    CHECK_INT(sim_captured_count("t"), 4);
    struct sim_row row;
    CHECK(sim_captured("t", 3, &row));
    CHECK_INT(row.kind, ROW_DELETE);
    CHECK(str_eq(row.values[0].text, STR("8")));
    class->writer_close(writer);
    class->close(sink);
    batch_unref(batch);
    sim_reset();
    CHECK_INT(sim_captured_count("t"), 0);
    teardown();
}
