/* kafka_sink_test.c - the kafka sink both ways over one broker: each row once, in order, durable;
 * what it refuses; the text of an exactly-once sink's ledger.
 */
#include "connector/kafka/kafka_exact.h"
#include "kafka_help.h"

/* A format of one text column as it is. */
static enum status plain_open(const struct encoder_request *request, struct encoder **out,
                              struct error *err)
{
    must(request->option_count == 1 && str_eq(request->options[0].key, STR("charset")));
    *out = (struct encoder *)request;
    return OK;
}
static enum status plain_encode(struct encoder *encoder, const struct batch *batch, struct buf *out,
                                uint32_t *offsets, struct error *err)
{
    offsets[0] = 0;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        const struct view *views = batch->columns[0]->values;
        struct str text = view_str(&views[batch_row(batch, i)]);
        buf_append(out, text.data, text.length);
        offsets[i + 1] = (uint32_t)out->length;
    }
    return OK;
}
static void plain_close(struct encoder *encoder)
{
}
static const struct format_class PLAIN = {.size = sizeof(PLAIN),
                                          .name = "raw",
                                          .encoder_open = plain_open,
                                          .encode = plain_encode,
                                          .encoder_close = plain_close};

static struct batch *numbered(uint32_t first, uint32_t count, size_t text_bytes)
{
    struct error err = {0};
    struct vec *column;
    struct batch *batch;
    static char text[200000];
    must(vec_new(&column, &TYPE_OF_STRING, count, NULL, &err) == OK);
    must(vec_set_length(column, count, &err) == OK);
    for (uint32_t i = 0; i < count; i++) {
        size_t length = (size_t)snprintf(text, 64, "row-%u", first + i);
        if (text_bytes > length) {
            memset(text + length, ' ', text_bytes - length);
            length = text_bytes;
        }
        must(vec_set_text(column, i, text, length, &err) == OK);
    }
    must(batch_new(&batch, &column, 1, count, &err) == OK);
    return batch;
}

static bool push_all(struct reading *reading, struct sink_writer *writer, struct batch *batch,
                     struct error *err)
{
    enum push_result result;
    while ((result = CONNECTOR_KAFKA.sink->write(writer, batch, err)) == PUSH_FULL)
        if (!test_wake_wait(&reading->wake))
            return false;
    batch_unref(batch);
    return result == PUSH_DONE;
}

static bool flush_all(struct reading *reading, struct sink_writer *writer, struct error *err)
{
    enum push_result result;
    while ((result = CONNECTOR_KAFKA.sink->flush(writer, 1, err)) == PUSH_FULL)
        if (!test_wake_wait(&reading->wake))
            return false;
    return result == PUSH_DONE;
}

/* Rows through a sink into 3 partitions: each there once, in order, durable after the flush. */
static void write_through(bool remote, const char *partitioner)
{
    const struct sink_class *sink_class = CONNECTOR_KAFKA.sink;
    struct reading reading;
    struct error err = {0};
    struct sink *sink;
    struct sink_writer *writer;
    char name[64];
    enum { COUNT = 5000 };
    static int place[COUNT];

    snprintf(name, sizeof(name), "sink-%s-%d", partitioner, remote);
    struct log_topic *topic = make_topic(name, 3);
    reading_init(&reading, name, remote);
    test_option(&reading.table, "raw.charset", "UTF-8");
    test_option(&reading.table, "sink.partitioner", partitioner);
    test_option(&reading.table, "properties.compression.type", "lz4");
    struct sink_request request = test_sink_request(&reading.table, &reading.context);
    request.format = &PLAIN;
    CHECK_OK(sink_class->open(&request, &sink, &err));
    CHECK_OK(sink_class->writer_open(sink, 1, &reading.wake.wake, &writer, &err));
    for (uint32_t i = 0; i < COUNT; i += 500)
        CHECK(push_all(&reading, writer, numbered(i, 500, i == 1000 ? 20000 : 0), &err));
    CHECK(flush_all(&reading, writer, &err));
    struct log_offsets offsets;
    int64_t durable = 0;
    for (uint32_t i = 0; i < 3; i++) {
        log_partition_offsets(log_topic_partition(topic, i), &offsets);
        durable += offsets.high_watermark;
    }
    CHECK_INT(durable, COUNT);
    sink_class->writer_close(writer);
    sink_class->close(sink);
    reading_close(&reading);

    static const char *const all[] = {"scan.startup.mode", "earliest-offset", "scan.bounded.mode",
                                      "latest-offset", NULL};
    struct buf out;
    buf_init(&out, 1 << 26);
    CHECK(read_bounded(name, false, 3, 2048, all, &out));
    int last[3] = {-1, -1, -1}, used[3] = {0};
    memset(place, 0xff, sizeof(place));
    for (char *line = (char *)out.data, *end; line < (char *)out.data + out.length;
         line = end + 1) {
        int row = 0, partition;
        end = memchr(line, '\n', out.length);
        char *bar = memchr(line, '|', (size_t)(end - line));
        must(str_starts((struct str){line, (size_t)(end - line)}, STR("NULL row-")));
        for (const char *digit = line + 9; *digit >= '0' && *digit <= '9'; digit++)
            row = row * 10 + *digit - '0';
        must(row < COUNT);
        bar = memchr(bar + 1, '|', (size_t)(end - bar));
        partition = bar[1] - '0';
        must(partition >= 0 && partition < 3);
        CHECK_INT(place[row], -1);
        place[row] = partition;
        CHECK(row > last[partition]);
        last[partition] = row;
        used[partition]++;
    }
    for (int i = 0; i < COUNT; i++)
        CHECK(place[i] >= 0);
    if (strcmp(partitioner, "fixed") == 0)
        CHECK_INT(used[1], COUNT);
    if (strcmp(partitioner, "round-robin") == 0)
        CHECK(abs(used[0] - used[1]) <= 10 && abs(used[1] - used[2]) <= 10);
    buf_fini(&out);
    log_topic_unref(topic);
}

TEST(a_sink_writes_each_row_once_in_order)
{
    static const char *const partitioners[] = {"default", "fixed", "round-robin"};
    server_start();
    for (int remote = 0; remote < 2; remote++)
        for (int i = 0; i < 3; i++) {
            write_through(remote, partitioners[i]);
            if (check_failed)
                CHECK_FAIL("%s, %s", remote ? "librdkafka" : "log", partitioners[i]);
        }
}

TEST(a_sink_says_what_it_cannot)
{
    struct reading reading;
    struct error err = {0};
    struct sink *sink;
    enum sink_mode mode;
    server_start();
    reading_init(&reading, "orders", false);
    test_option(&reading.table, "sink.delivery-guarantee", "exactly-once");
    struct sink_request request = test_sink_request(&reading.table, &reading.context);
    request.format = &PLAIN;
    CHECK_INT(CONNECTOR_KAFKA.sink->open(&request, &sink, &err), ERR_OPTION);
    CHECK(strstr(err.text, "needs the option 'sink.transactional-id-prefix'"));
    error_clear(&err);
    test_key(&reading.table, 0);
    CHECK_INT(CONNECTOR_KAFKA.sink->mode(&reading.table.description, &mode, &err), ERR_OPTION);
    reading_close(&reading);
}

/* Rows that can never be stored fail, and name what would help. */
TEST(a_row_too_large_is_refused)
{
    const struct sink_class *sink_class = CONNECTOR_KAFKA.sink;
    struct reading reading;
    struct error err = {0};
    struct sink *sink;
    struct sink_writer *writer;
    struct log_config_entry small = {"max.message.bytes", "10000"};
    server_start();
    CHECK_OK(log_topic_create(the_log(), STR("small"), 1, &small, 1, NULL, &err));
    reading_init(&reading, "small", false);
    test_option(&reading.table, "raw.charset", "UTF-8");
    struct sink_request request = test_sink_request(&reading.table, &reading.context);
    request.format = &PLAIN;
    CHECK_OK(sink_class->open(&request, &sink, &err));
    CHECK_OK(sink_class->writer_open(sink, 0, &reading.wake.wake, &writer, &err));
    CHECK(push_all(&reading, writer, numbered(0, 100, 9000), &err));
    CHECK(!push_all(&reading, writer, numbered(0, 1, 11000), &err));
    CHECK(strstr(err.text, "max.message.bytes"));
    sink_class->writer_close(writer);
    sink_class->close(sink);
    reading_close(&reading);
    server_stop();
}

TEST(a_ledger_is_read_as_it_was_written)
{
    struct sink_ledger ledger = {.found = true, .position = {17, 3, UINT64_MAX}}, read;
    char text[KAFKA_LEDGER_TEXT_MAX];
    uint64_t fence = 0;

    for (int i = 0; i < SINK_LINEAGE_BYTES; i++)
        ledger.lineage[i] = (uint8_t)(250 + i);
    kafka_ledger_text(&ledger, 0xabcdef0123456789, text);
    CHECK_STR(text, "fafbfcfdfeff00010203040506070809/3/18446744073709551615/abcdef0123456789");
    CHECK(kafka_ledger_parse(text, strlen(text), 17, &read, &fence));
    CHECK(read.found && memcmp(read.lineage, ledger.lineage, sizeof(read.lineage)) == 0);
    CHECK(read.position.epoch == 17 && read.position.chunk == 3 &&
          read.position.row_count == UINT64_MAX && fence == 0xabcdef0123456789);
    for (size_t length = 0; length < strlen(text); length++) /* the fence may be shorter */
        CHECK(kafka_ledger_parse(text, length, 17, &read, &fence) == (length > 56));
    for (size_t i = 0; i < strlen(text); i++) {
        char before = text[i];
        text[i] = 'x';
        CHECK(!kafka_ledger_parse(text, strlen(text), 17, &read, &fence));
        text[i] = before;
    }
    text[72] = '0'; /* behind the end */
    CHECK(!kafka_ledger_parse(text, 73, 17, &read, &fence));
    CHECK(!kafka_ledger_parse("read up to here", 15, 17, &read, &fence)); /* somebody else's */
}
