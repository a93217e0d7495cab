/* datagen: bounds, sequences, the same rows at every reading, the rate, wrong options. */
#include "connector/datagen/datagen.h"
#include "../check.h"
#include "base/calendar.h"
#include "connector_help.h"

static struct test_context context;
static struct test_wake the_wake;

static enum status keep_split(void *target, const struct source_split *split, struct error *err)
{
    struct source_split **next = target;
    *(*next)++ = *split;
    return OK;
}

struct reading {
    struct source *source;
    struct source_split splits[8];
    struct source_reader *readers[8];
    uint32_t count;
};

static enum status open_all(struct reading *reading, const struct test_table *table,
                            uint32_t parallelism, struct error *err)
{
    const struct source_class *class = CONNECTOR_DATAGEN.source;
    struct source_split *next = reading->splits;
    struct source_request request = test_source_request(table, &context);
    request.parallelism = parallelism;
    TRY(class->open(&request, &the_wake.wake, &reading->source, err));
    must(class->discover(reading->source, keep_split, &next, &(int64_t){0}, err) == POLL_ROWS);
    must(class->discover(reading->source, keep_split, &next, &(int64_t){0}, err) == POLL_END);
    reading->count = (uint32_t)(next - reading->splits);
    for (uint32_t i = 0; i < reading->count; i++)
        TRY(class->reader_open(reading->source, &reading->splits[i], NULL, 0, &the_wake.wake,
                               &reading->readers[i], err));
    return OK;
}

static void close_all(struct reading *reading)
{
    for (uint32_t i = 0; i < reading->count; i++)
        CONNECTOR_DATAGEN.source->reader_close(reading->readers[i]);
    CONNECTOR_DATAGEN.source->close(reading->source);
}

/* All rows of a reader to its end, as text. */
static uint32_t drain(struct source_reader *reader, struct buf *out, uint32_t max_rows)
{
    struct source_output output;
    struct error err = {0};
    uint32_t rows = 0;
    for (;;) {
        enum poll_result result = CONNECTOR_DATAGEN.source->poll(reader, max_rows, &output, &err);
        if (result != POLL_ROWS)
            return rows;
        batch_verify(output.batch);
        rows += output.batch->row_count;
        test_rows_text(out, output.batch);
        batch_unref(output.batch);
    }
}

static void all_types(struct test_table *table, struct arena *arena)
{
    test_table_init(table, "t");
    test_field(table, "tiny", &TYPE_OF_TINYINT);
    test_field(table, "big", &TYPE_OF_BIGINT);
    test_field(table, "f", &TYPE_OF_FLOAT);
    test_field(table, "d", &TYPE_OF_DOUBLE);
    test_field(table, "dec", type_decimal(arena, 38, 2, true));
    test_field(table, "b", &TYPE_OF_BOOLEAN);
    test_field(table, "s", &TYPE_OF_STRING);
    test_field(table, "c", type_text(arena, TYPE_CHAR, 3, true));
    test_field(table, "bytes", &TYPE_OF_BYTES);
    test_field(table, "day", &TYPE_OF_DATE);
    test_field(table, "time", type_temporal(arena, TYPE_TIME, 3, true));
    test_field(table, "ts", &TYPE_OF_TIMESTAMP_3);
    test_field(table, "n", &TYPE_OF_INT);
    test_option(table, "number-of-rows", "5000");
    test_option(table, "rows-per-second", "1000000000");
    test_option(table, "fields.s.length", "20");
    test_option(table, "fields.s.null-rate", "0.25");
    test_option(table, "fields.n.kind", "sequence");
    test_option(table, "fields.n.start", "10");
    test_option(table, "fields.n.end", "1000000");
    test_option(table, "fields.tiny.min", "3");
    test_option(table, "fields.tiny.max", "5");
    test_option(table, "fields.ts.max-past", "1 h");
}

TEST(same_rows_whatever_the_batches)
{
    struct arena arena;
    struct test_table table;
    struct reading reading;
    struct buf one, other;
    struct error err = {0};
    arena_init(&arena, NULL, 1 << 20);
    test_context_init(&context);
    test_wake_init(&the_wake);
    all_types(&table, &arena);
    table.description.field_count -= 2; /* without the times, which refer to the start */
    table.fields[9] = table.fields[12];
    table.description.field_count = 10;
    table.description.option_count--;
    buf_init(&one, 64 << 20);
    buf_init(&other, 64 << 20);
    CHECK_OK(open_all(&reading, &table, 1, &err));
    CHECK_INT(drain(reading.readers[0], &one, 2048), 5000);
    close_all(&reading);
    CHECK_OK(open_all(&reading, &table, 1, &err));
    CHECK_INT(drain(reading.readers[0], &other, 7), 5000);
    close_all(&reading);
    CHECK_INT(one.length, other.length);
    CHECK(memcmp(one.data, other.data, one.length) == 0);
    /* three splits have the same rows, dealt out one by one */
    uint32_t rows = 0;
    CHECK_OK(open_all(&reading, &table, 3, &err));
    CHECK_INT(reading.count, 3);
    for (uint32_t i = 0; i < 3; i++)
        rows += drain(reading.readers[i], &other, 100);
    CHECK_INT(rows, 5000);
    close_all(&reading);
    CHECK_INT(other.length, 2 * one.length);
    buf_fini(&one);
    buf_fini(&other);
    arena_fini(&arena);
    test_context_fini(&context);
}

TEST(values_within_bounds)
{
    struct arena arena;
    struct test_table table;
    struct reading reading;
    struct error err = {0};
    struct source_output output;
    arena_init(&arena, NULL, 1 << 20);
    test_context_init(&context);
    test_wake_init(&the_wake);
    all_types(&table, &arena);
    CHECK_OK(open_all(&reading, &table, 1, &err));
    int64_t next = 10, nulls = 0, rows = 0, now_us = io_wall_us(context.context.io);
    int tiny_seen[6] = {0};
    while (CONNECTOR_DATAGEN.source->poll(reading.readers[0], 2048, &output, &err) == POLL_ROWS) {
        batch_verify(output.batch);
        for (uint32_t row = 0; row < output.batch->row_count; row++, rows++) {
            struct datum datum;
            datum_get(&datum, output.batch->columns[0], row);
            CHECK(datum.i64 >= 3 && datum.i64 <= 5);
            tiny_seen[datum.i64] = 1;
            datum_get(&datum, output.batch->columns[6], row);
            nulls += datum.is_null;
            CHECK(datum.is_null || datum.text.length == 20);
            datum_get(&datum, output.batch->columns[7], row);
            CHECK_INT(datum.text.length, 3);
            datum_get(&datum, output.batch->columns[11], row);
            CHECK(datum.i64 <= now_us + 1000000 && datum.i64 >= now_us - INT64_C(3601000000));
            CHECK_INT(datum.i64 % 1000, 0);
            datum_get(&datum, output.batch->columns[12], row);
            CHECK_INT(datum.i64, next++);
        }
        batch_unref(output.batch);
    }
    CHECK_INT(rows, 5000);
    CHECK(nulls > 1100 && nulls < 1400);
    CHECK(tiny_seen[3] && tiny_seen[4] && tiny_seen[5]);
    close_all(&reading);
    arena_fini(&arena);
    test_context_fini(&context);
}

TEST(rate_and_position)
{
    struct test_table table;
    struct reading reading;
    struct error err = {0};
    struct source_output output;
    struct buf position;
    buf_init(&position, 64);
    test_context_init(&context);
    test_wake_init(&the_wake);
    test_table_init(&table, "t");
    test_field(&table, "n", &TYPE_OF_BIGINT);
    test_option(&table, "rows-per-second", "1000");
    test_option(&table, "fields.n.kind", "sequence");
    test_option(&table, "fields.n.start", "0");
    test_option(&table, "fields.n.end", "199");
    bool bounded = false;
    CHECK_OK(CONNECTOR_DATAGEN.source->is_bounded(&table.description, &bounded, &err));
    CHECK(bounded);
    CHECK_OK(open_all(&reading, &table, 1, &err));
    const struct source_class *class = CONNECTOR_DATAGEN.source;
    int64_t start_us = io_monotonic_us(context.context.io), rows = 0, polls = 0;
    struct mutex mutex;
    struct condition never;
    mutex_init(&mutex);
    condition_init(&never);
    mutex_lock(&mutex);
    for (enum poll_result result;
         (result = class->poll(reading.readers[0], 2048, &output, &err)) != POLL_END; polls++) {
        CHECK(result == POLL_ROWS || result == POLL_WAIT);
        if (result == POLL_ROWS) {
            rows += output.batch->row_count;
            batch_unref(output.batch);
            continue;
        }
        int64_t wait_us = output.again_us - io_monotonic_us(context.context.io);
        CHECK(output.again_us > 0 && wait_us < 100000);
        if (wait_us > 0)
            condition_wait_for(&never, &mutex, wait_us);
    }
    mutex_unlock(&mutex);
    int64_t took_us = io_monotonic_us(context.context.io) - start_us;
    CHECK_INT(rows, 200);
    CHECK(took_us > 190000);
    CHECK(polls < 150);
    /* a reader that goes on from a position */
    CHECK_OK(class->position(reading.readers[0], &position, &err));
    position.data[1] = 150;
    class->reader_close(reading.readers[0]);
    CHECK_OK(class->reader_open(reading.source, &reading.splits[0], position.data, position.length,
                                &the_wake.wake, &reading.readers[0], &err));
    enum poll_result result = class->poll(reading.readers[0], 1, &output, &err);
    CHECK_INT(result, POLL_ROWS);
    CHECK_INT(((int64_t *)output.batch->columns[0]->values)[0], 150);
    batch_unref(output.batch);
    CHECK_INT(class->reader_open(reading.source, &reading.splits[0], "x", 1, &the_wake.wake,
                                 &reading.readers[1], &err),
              ERR_CORRUPT);
    close_all(&reading);
    buf_fini(&position);
    test_context_fini(&context);
}

TEST(wrong_options)
{
    static const struct {
        const char *key, *value, *text;
    } wrong[] = {
        {"rows-per-second", "0", "must be"},
        {"rows-per-secnd", "1", "no option 'rows-per-secnd'"},
        {"fields.x.min", "1", "column 'x', which the table does not have"},
        {"fields.a.nin", "1", "no option 'fields.a.nin'"},
        {"fields.a.min", "abc", "whole number"},
        {"fields.a.min", "3000000000", "whole number"},
        {"fields.a.max", "-3000000", NULL},
        {"fields.a.kind", "sequence", "needs the options"},
        {"fields.a.kind", "rnd", "random or sequence"},
        {"fields.a.length", "3", "means nothing for a INT"},
        {"fields.s.length", "0", "a length of at least 1"},
        {"fields.s.min", "0", "means nothing"},
        {"fields.a.null-rate", "2", "from 0 to 1"},
    };
    test_context_init(&context);
    test_wake_init(&the_wake);
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct test_table table;
        struct reading reading;
        struct error err = {0};
        test_table_init(&table, "t");
        test_field(&table, "a", &TYPE_OF_INT);
        test_field(&table, "s", &TYPE_OF_STRING);
        test_option(&table, wrong[i].key, wrong[i].value);
        enum status status = open_all(&reading, &table, 1, &err);
        if (!wrong[i].text) {
            CHECK_INT(status, OK);
            close_all(&reading);
            continue;
        }
        CHECK_INT(status, ERR_OPTION);
        if (!strstr(err.text, wrong[i].text))
            CHECK_FAIL("%s: %s", wrong[i].key, err.text);
    }
    test_context_fini(&context);
}
