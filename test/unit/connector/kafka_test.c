/* kafka_test.c - the kafka source both ways over one broker: through its log and through
 * librdkafka.
 *
 * What is in the topics was written by record builders here; what comes out is compared between the
 * two ways and with what was written.
 */
#include "kafka_help.h"

/* ---- writing ---- */

static bool with_keys = true;

/* A batch of count records: values of all sizes, some null, some with keys and headers. */
static void write_batch(struct log_partition *partition, int first, int count, int64_t first_ms,
                        enum compression compression)
{
    struct error err = {0};
    struct record_builder builder;
    struct buf out, scratch;
    char value[4000], key[32];
    const struct record_header headers[2] = {{(const uint8_t *)"h1", (const uint8_t *)"one", 2, 3},
                                             {(const uint8_t *)"h\xff", NULL, 2, -1}};

    buf_init(&out, 1 << 24);
    buf_init(&scratch, 1 << 24);
    record_builder_begin(&builder, &out, &scratch, compression);
    for (int i = first; i < first + count; i++) {
        int key_bytes = with_keys && i % 3 == 0 ? snprintf(key, sizeof(key), "key-%d", i) : -1;
        int value_bytes = snprintf(value, sizeof(value), "value-%d-", i);
        int fill = i % 50 == 0 ? 3000 : i % 40;
        memset(value + value_bytes, 'a' + i % 26, (size_t)fill);
        value_bytes = i % 17 == 5 ? -1 : value_bytes + fill;
        record_builder_add(&builder, first_ms + (i - first), key, key_bytes, value, value_bytes,
                           headers, i % 7 % 3);
    }
    must(record_builder_finish(&builder, &err) == OK);
    struct log_append append = {.batches = out.data, .size_bytes = out.length};
    must(log_append(partition, &append, &err) == OK);
    buf_fini(&out);
    buf_fini(&scratch);
}

static void write_mixed(struct log_partition *partition, int batches)
{
    static const enum compression kinds[] = {COMPRESSION_NONE, COMPRESSION_LZ4, COMPRESSION_ZSTD,
                                             COMPRESSION_SNAPPY, COMPRESSION_GZIP};
    int first = 0;
    for (int i = 0; i < batches; i++) {
        int count = 1 + i * 37 % 300;
        write_batch(partition, first, count, 1700000000000 + first * 10, kinds[i % 5]);
        first += count;
    }
    wait_shown(partition);
}

static int count_lines(const struct buf *buf)
{
    int count = 0;
    for (size_t i = 0; i < buf->length; i++)
        count += buf->data[i] == '\n';
    return count;
}

static bool both_equal(const char *topics, uint32_t split_count, uint32_t max_rows,
                       const char *const *options, int *out_count)
{
    struct buf local, remote;
    buf_init(&local, 1 << 28);
    buf_init(&remote, 1 << 28);
    bool equal = read_bounded(topics, false, split_count, max_rows, options, &local) &&
                 read_bounded(topics, true, split_count, max_rows, options, &remote);
    equal = equal && local.length == remote.length &&
            (local.length == 0 || memcmp(local.data, remote.data, local.length) == 0);
    *out_count = count_lines(&local);
    if (!equal)
        printf("# log %d rows, librdkafka %d rows\n", count_lines(&local), count_lines(&remote));
    buf_fini(&local);
    buf_fini(&remote);
    return equal;
}

TEST(both_ways_give_the_same_rows)
{
    struct log_offsets offsets;
    int count, total = 0;
    server_start();
    struct log_topic *topic = make_topic("orders", 3);
    write_mixed(log_topic_partition(topic, 0), 60);
    write_mixed(log_topic_partition(topic, 2), 7);
    for (uint32_t i = 0; i < 3; i++) {
        log_partition_offsets(log_topic_partition(topic, i), &offsets);
        total += (int)offsets.end;
    }
    static const char *const all[] = {"scan.startup.mode", "earliest-offset", "scan.bounded.mode",
                                      "latest-offset", NULL};
    for (uint32_t max_rows = 1; max_rows <= 2048; max_rows = max_rows * 9 + 4) {
        CHECK(both_equal("orders", 3, max_rows, all, &count));
        CHECK_INT(count, total);
    }
    static const char *const reset[] = {"properties.auto.offset.reset", "earliest",
                                        "scan.bounded.mode", "latest-offset", NULL};
    CHECK(both_equal("orders", 3, 100, reset, &count));
    CHECK_INT(count, total);
    static const char *const latest[] = {"scan.startup.mode", "latest-offset", "scan.bounded.mode",
                                         "latest-offset", NULL};
    CHECK(both_equal("orders", 3, 100, latest, &count));
    CHECK_INT(count, 0);
    static const char *const times[] = {"scan.startup.mode",
                                        "timestamp",
                                        "scan.startup.timestamp-millis",
                                        "1700000001003",
                                        "scan.bounded.mode",
                                        "timestamp",
                                        "scan.bounded.timestamp-millis",
                                        "1700000009000",
                                        NULL};
    CHECK(both_equal("orders", 3, 100, times, &count));
    CHECK(count > 100 && count < total);
    static const char *const specific[] = {"scan.startup.mode",
                                           "specific-offsets",
                                           "scan.startup.specific-offsets",
                                           "partition:0,offset:42;partition:2,offset:100",
                                           "scan.bounded.mode",
                                           "specific-offsets",
                                           "scan.bounded.specific-offsets",
                                           "partition:0,offset:50;partition:1,offset:0;"
                                           "partition:2,offset:300",
                                           NULL};
    CHECK(both_equal("orders", 3, 100, specific, &count));
    CHECK_INT(count, 8 + 200);
    log_topic_unref(topic);
}

/* All values of a topic with one partition, a line each; how many records lay in runs. */
static uint32_t read_values(const char *topic, bool only_values, uint32_t max_rows, struct buf *out)
{
    const struct source_class *source_class = CONNECTOR_KAFKA.source;
    struct reading reading;
    struct error err = {0};
    struct source_reader *reader = NULL;
    struct source_output output;
    uint32_t in_runs = 0;

    reading_init(&reading, topic, false);
    reading.only_values = only_values;
    test_option(&reading.table, "scan.startup.mode", "earliest-offset");
    test_option(&reading.table, "scan.bounded.mode", "latest-offset");
    must(reading_open(&reading, &err) == OK && discover_all(&reading, 1, &err));
    must(source_class->reader_open(reading.source, &reading.splits[0], NULL, 0, &reading.wake.wake,
                                   &reader, &err) == OK);
    while (source_class->poll(reader, max_rows, &output, &err) == POLL_ROWS) {
        const struct records *records = output.records;
        uint32_t run = 0, run_start = 0;
        const uint8_t *end = NULL;
        for (uint32_t i = 0; i < records->count; i++) {
            bool is_null = records->value_lengths[i] == RECORD_NULL;
            put_bytes(out, records->values[i], records->value_lengths[i]);
            buf_append_byte(out, '\n');
            if (records->run_count == 0)
                continue;
            if (i == records->run_ends[run]) {
                run++;
                run_start = i;
                end = NULL;
            }
            must(run < records->run_count && run_start < records->run_ends[run]);
            must(is_null == (records->values[i] == NULL));
            if (is_null)
                continue;
            must(!end || (end < records->values[i] && memchr(end, '\n', 1)));
            for (; end && end < records->values[i]; end++)
                must(*end == ' ' || *end == '\n');
            end = records->values[i] + records->value_lengths[i];
            in_runs++;
        }
        must(records->run_count == 0 || records->run_ends[run] == records->count);
    }
    source_class->reader_close(reader);
    reading_close(&reading);
    return in_runs;
}

/* Values lie in runs, whatever their batches and keys, unless headers are wanted. */
TEST(values_lie_in_runs)
{
    server_start();
    for (int keyed = 0; keyed < 2; keyed++) {
        const char *name = keyed ? "with-keys" : "without-keys";
        struct log_topic *topic = make_topic(name, 1);
        with_keys = keyed;
        write_mixed(log_topic_partition(topic, 0), 60);
        for (uint32_t max_rows = 3; max_rows <= 2048; max_rows = max_rows * 9 + 4) {
            struct buf whole, runs;
            buf_init(&whole, 64 << 20);
            buf_init(&runs, 64 << 20);
            CHECK_INT(read_values(name, false, max_rows, &whole), 0);
            uint32_t in_runs = read_values(name, true, max_rows, &runs);
            CHECK(in_runs > 5000);
            CHECK(whole.length == runs.length && memcmp(whole.data, runs.data, runs.length) == 0);
            buf_fini(&whole);
            buf_fini(&runs);
        }
        log_topic_unref(topic);
    }
    with_keys = true;
}

/* The first batch of a block is one that the poll before has read to its end. */
TEST(a_batch_may_end_with_a_poll)
{
    static const struct log_config_entry segments[] = {{"segment.bytes", "300"}};
    struct log_topic *topic;
    struct error err = {0};
    struct buf out;
    server_start();
    CHECK_OK(log_topic_create(the_log(), STR("cut"), 1, segments, 1, &topic, &err));
    for (int i = 0; i < 6; i++)
        write_batch(log_topic_partition(topic, 0), 1 + i * 10, 10, 1, COMPRESSION_NONE);
    wait_shown(log_topic_partition(topic, 0));
    buf_init(&out, 1 << 20);
    CHECK(read_values("cut", true, 10, &out) > 50);
    CHECK_INT(count_lines(&out), 60);
    buf_fini(&out);
    log_topic_unref(topic);
}

static enum status give_failed_log(const struct plugin_context *context, struct log **out,
                                   struct error *err)
{
    *out = context->process;
    return OK;
}

/* Nothing more comes from it in this process: it is no reason to ask again and again. */
TEST(a_failed_partition_is_waited_for)
{
    const struct source_class *source_class = CONNECTOR_KAFKA.source;
    struct io *io = simio_new(1);
    const struct log_settings settings = {.io = io, .directory = "/log"};
    struct log *log;
    struct log_topic *topic;
    struct reading reading;
    struct source_reader *reader;
    struct source_output output;
    struct error err = {0};
    CHECK_OK(log_open(&log, &settings, &err));
    CHECK_OK(log_topic_create(log, STR("failed"), 1, NULL, 0, &topic, &err));
    write_batch(log_topic_partition(topic, 0), 0, 5, 1, COMPRESSION_NONE);
    CHECK_OK(log_sync(log, &err));
    write_batch(log_topic_partition(topic, 0), 5, 5, 1, COMPRESSION_NONE);
    simio_fail(io, SIMIO_SYNC, 1, EIO);
    CHECK_INT(log_sync(log, &err), ERR_IO);
    reading_init(&reading, "failed", false);
    reading.context.context.embedded_log = give_failed_log;
    reading.context.context.process = log;
    test_option(&reading.table, "scan.startup.mode", "earliest-offset");
    CHECK_OK(reading_open(&reading, &err));
    CHECK(discover_all(&reading, 1, &err));
    CHECK_OK(source_class->reader_open(reading.source, &reading.splits[0], NULL, 0,
                                       &reading.wake.wake, &reader, &err));
    CHECK_INT(source_class->poll(reader, 100, &output, &err), POLL_ROWS);
    CHECK_INT(output.records->count, 5);
    CHECK_INT(source_class->poll(reader, 100, &output, &err), POLL_WAIT);
    source_class->reader_close(reader);
    reading_close(&reading);
    log_topic_unref(topic);
    CHECK(log_close(log, &err) != OK);
    simio_free(io);
}

TEST(a_position_continues_exactly)
{
    server_start();
    struct log_topic *topic = make_topic("resumed", 1);
    write_mixed(log_topic_partition(topic, 0), 20);
    static const char *const all[] = {"scan.startup.mode", "earliest-offset", "scan.bounded.mode",
                                      "latest-offset", NULL};
    struct buf whole;
    buf_init(&whole, 1 << 26);
    CHECK(read_bounded("resumed", false, 1, 2048, all, &whole));
    for (int remote = 0; remote < 2; remote++) {
        struct buf parts, position;
        buf_init(&parts, 1 << 26);
        buf_init(&position, 4096);
        enum poll_result result = POLL_ROWS;
        for (int step = 0; result != POLL_END && step < 10000; step++) {
            struct reading reading; /* a new source each time, as after a restart */
            struct error err = {0};
            reading_init(&reading, "resumed", remote);
            for (int i = 0; all[i]; i += 2)
                test_option(&reading.table, all[i], all[i + 1]);
            CHECK_OK(reading_open(&reading, &err));
            CHECK(discover_all(&reading, 1, &err));
            result = read_split(&reading, "resumed-0", &position, 97, 300, &parts, &err);
            reading_close(&reading);
            if (result == POLL_ERROR)
                CHECK_FAIL("%s", err.text);
            if (step == 0) { /* what comes later does not move the end of a bounded read */
                write_batch(log_topic_partition(topic, 0), 0, 10, 1, COMPRESSION_NONE);
                wait_shown(log_topic_partition(topic, 0));
            }
        }
        if (parts.length != whole.length)
            CHECK_FAIL("way %d: %d rows, want %d", remote, count_lines(&parts),
                       count_lines(&whole));
        CHECK(memcmp(parts.data, whole.data, whole.length) == 0);
        buf_fini(&parts);
        buf_fini(&position);
        buf_clear(&whole);
        CHECK(read_bounded("resumed", false, 1, 2048, all, &whole));
    }
    buf_fini(&whole);
    log_topic_unref(topic);
}

TEST(an_idle_split_is_woken)
{
    const struct source_class *source_class = CONNECTOR_KAFKA.source;
    server_start();
    struct log_topic *topic = make_topic("idle", 1);
    for (int remote = 0; remote < 2; remote++) {
        struct reading reading;
        struct source_reader *reader;
        struct source_output output;
        struct error err = {0};
        reading_init(&reading, "idle", remote);
        test_option(&reading.table, "scan.startup.mode", "latest-offset");
        CHECK_OK(reading_open(&reading, &err));
        CHECK(discover_all(&reading, 1, &err));
        CHECK_INT(discover(&reading, &err), POLL_WAIT);
        CHECK_OK(source_class->reader_open(reading.source, &reading.splits[0], NULL, 0,
                                           &reading.wake.wake, &reader, &err));
        CHECK_INT(source_class->poll(reader, 100, &output, &err), POLL_WAIT);
        for (int i = 0; i < 3; i++) {
            enum poll_result result = POLL_ROWS; /* wait only after it was said */
            uint32_t rows = 0;
            write_batch(log_topic_partition(topic, 0), 1, 5, 1000, COMPRESSION_LZ4);
            while (rows < 5) {
                if (result == POLL_WAIT)
                    CHECK(test_wake_wait(&reading.wake));
                result = source_class->poll(reader, 100, &output, &err);
                CHECK(result == POLL_WAIT || result == POLL_ROWS);
                if (result == POLL_ROWS)
                    rows += output.records->count;
            }
            CHECK_INT(rows, 5);
        }
        source_class->reader_close(reader);
        reading_close(&reading);
    }
    log_topic_unref(topic);
}

/* The offset in the position that discover's split begins with. */
static int64_t start_offset(struct reading *reading, uint32_t split)
{
    struct error err = {0};
    struct buf position;
    int64_t offset = 0;
    buf_init(&position, 4096);
    must(CONNECTOR_KAFKA.source->start(reading->source, &reading->splits[split], &position, &err) ==
         OK);
    memcpy(&offset, position.data + 17, sizeof(offset));
    buf_fini(&position);
    return offset;
}

/* What comes while the job runs, or came while it was down, is read from its earliest offset. */
TEST(new_partitions_are_found)
{
    const struct source_class *source_class = CONNECTOR_KAFKA.source;
    server_start();
    for (int remote = 0; remote < 2; remote++) {
        struct reading reading;
        struct error err = {0};
        char name[32];
        snprintf(name, sizeof(name), "growing-%d", remote);
        struct log_topic *topic = make_topic(name, 1);
        write_mixed(log_topic_partition(topic, 0), 1);
        reading_init(&reading, name, remote);
        test_option(&reading.table, "scan.startup.mode", "latest-offset");
        test_option(&reading.table, "scan.topic-partition-discovery.interval", "20 ms");
        CHECK_OK(reading_open(&reading, &err));
        CHECK(discover_all(&reading, 1, &err));
        CHECK_INT(start_offset(&reading, 0), 1);
        CHECK_OK(log_topic_grow(the_log(), str_of(name), 3, &err));
        write_mixed(log_topic_partition(topic, 1), 1);
        CHECK(discover_all(&reading, 3, &err));
        CHECK_INT(start_offset(&reading, 1), 0);
        CHECK_INT(start_offset(&reading, 2), 0);
        struct source_split first = reading.splits[0];
        reading_close(&reading);

        reading_init(&reading, name, remote);
        test_option(&reading.table, "scan.startup.mode", "latest-offset");
        test_option(&reading.table, "scan.topic-partition-discovery.interval", "0 ms");
        CHECK_OK(reading_open(&reading, &err));
        source_class->known(reading.source, &first, false);
        CHECK(discover_all(&reading, 3, &err));
        CHECK_INT(start_offset(&reading, 1), 0);
        CHECK_OK(log_topic_grow(the_log(), str_of(name), 4, &err));
        CHECK_INT(discover(&reading, &err), POLL_WAIT);
        usleep(50000); /* nothing is looked for: the interval is 0 */
        CHECK_INT(discover(&reading, &err), POLL_WAIT);
        CHECK_INT(reading.split_count, 3);
        CHECK_INT(reading.again_us, 0);
        reading_close(&reading);
        log_topic_unref(topic);
    }
}

TEST(a_missing_remote_topic_is_waited_for)
{
    struct reading reading;
    struct error err = {0};
    struct buf why;
    server_start();
    struct log_topic *topic = make_topic("payments", 1);
    reading_init(&reading, "payment", true);
    test_option(&reading.table, "scan.startup.mode", "earliest-offset");
    CHECK_OK(reading_open(&reading, &err));
    CHECK_INT(discover(&reading, &err), POLL_WAIT);
    buf_init(&why, 1000);
    for (int i = 0; i < 500 && !strstr(buf_text(&why), "does not exist"); i++) {
        usleep(10000); /* until the first look-up is back it says that nobody has answered */
        buf_clear(&why);
        CONNECTOR_KAFKA.source->why(reading.source, &why);
    }
    printf("# %s\n", buf_text(&why));
    CHECK(strstr(buf_text(&why), "does not exist") && strstr(buf_text(&why), "'payments'"));
    log_topic_unref(make_topic("payment", 2));
    CHECK(discover_all(&reading, 2, &err));
    buf_fini(&why);
    reading_close(&reading);
    log_topic_unref(topic);
}

/* A restored position whose records are gone is an error that says so. */
TEST(a_position_of_what_is_gone_is_refused)
{
    struct buf position, out;
    struct error err = {0};
    int64_t log_start;
    server_start();
    struct log_topic *topic = make_topic("gone", 1);
    write_mixed(log_topic_partition(topic, 0), 5);
    buf_init(&position, 4096);
    buf_init(&out, 1 << 24);
    struct reading reading;
    reading_init(&reading, "gone", false);
    test_option(&reading.table, "scan.startup.mode", "earliest-offset");
    CHECK_OK(reading_open(&reading, &err));
    CHECK(discover_all(&reading, 1, &err));
    CHECK_INT(read_split(&reading, "gone-0", &position, 10, 20, &out, &err), POLL_ROWS);
    CHECK_OK(log_delete_records(log_topic_partition(topic, 0), 50, &log_start, &err));
    CHECK_INT(read_split(&reading, "gone-0", &position, 10, 20, &out, &err), POLL_ERROR);
    printf("# %s\n", err.text);
    CHECK(err.fatal && strstr(err.text, "retention") && strstr(err.text, "'gone'"));
    error_clear(&err);
    reading_close(&reading);

    log_topic_unref(topic);
    CHECK_OK(log_topic_delete(the_log(), STR("gone"), &err));
    topic = make_topic("gone", 1);
    write_mixed(log_topic_partition(topic, 0), 5);
    reading_init(&reading, "gone", false);
    test_option(&reading.table, "scan.startup.mode", "earliest-offset");
    CHECK_OK(reading_open(&reading, &err));
    CHECK_INT(read_split(&reading, "gone-0", &position, 10, 20, &out, &err), POLL_ERROR);
    printf("# %s\n", err.text);
    CHECK(err.fatal && strstr(err.text, "made again"));
    reading_close(&reading);
    buf_fini(&position);
    buf_fini(&out);
    log_topic_unref(topic);
}

/* Through librdkafka: the first record after a restart is compared with the one that was read. */
static void make_again(const char *name, int count)
{
    struct error err = {0};
    must(log_topic_delete(the_log(), str_of(name), &err) == OK);
    struct log_topic *topic = make_topic(name, 1);
    write_batch(log_topic_partition(topic, 0), 0, count, 1800000000000, COMPRESSION_NONE);
    wait_shown(log_topic_partition(topic, 0));
    log_topic_unref(topic);
}

static enum poll_result read_on(struct buf *position, struct buf *out, struct error *err)
{
    struct reading reading;
    reading_init(&reading, "remade", true);
    test_option(&reading.table, "scan.startup.mode", "earliest-offset");
    test_option(&reading.table, "scan.bounded.mode", "latest-offset");
    must(reading_open(&reading, err) == OK && discover_all(&reading, 1, err));
    enum poll_result result = read_split(&reading, "remade-0", position, 10, 20, out, err);
    reading_close(&reading);
    return result;
}

TEST(a_remote_topic_that_was_made_again_is_refused)
{
    struct buf position, read, out;
    struct error err = {0};
    int64_t log_start;
    server_start();
    buf_init(&position, 4096);
    buf_init(&read, 4096);
    buf_init(&out, 1 << 24);
    struct log_topic *topic = make_topic("remade", 1);
    write_mixed(log_topic_partition(topic, 0), 5);
    CHECK_INT(read_on(&position, &out, &err), POLL_ROWS);
    CHECK_INT(count_lines(&out), 20);
    buf_append(&read, position.data, position.length);
    CHECK_INT(read_on(&position, &out, &err), POLL_ROWS);
    CHECK_INT(count_lines(&out), 40);

    /* retention up to what was read is no reason to stop; beyond it is */
    CHECK_OK(log_delete_records(log_topic_partition(topic, 0), 40, &log_start, &err));
    CHECK_INT(read_on(&position, &out, &err), POLL_ROWS);
    CHECK_INT(count_lines(&out), 60);
    CHECK_INT(read_on(&read, &out, &err), POLL_ERROR);
    printf("# %s\n", err.text);
    CHECK(err.fatal && strstr(err.text, "offset 20") && strstr(err.text, "retention"));
    error_clear(&err);
    log_topic_unref(topic);

    make_again("remade", 100); /* longer than what was read */
    buf_clear(&out);
    CHECK_INT(read_on(&position, &out, &err), POLL_ERROR);
    printf("# %s\n", err.text);
    CHECK(err.fatal && strstr(err.text, "made again"));
    CHECK_INT(count_lines(&out), 0);
    error_clear(&err);
    make_again("remade", 10); /* shorter */
    CHECK_INT(read_on(&position, &out, &err), POLL_ERROR);
    printf("# %s\n", err.text);
    CHECK(err.fatal && strstr(err.text, "offset 60"));
    buf_fini(&position);
    buf_fini(&read);
    buf_fini(&out);
}

static bool refused(const char *key, const char *value, enum status status, const char *says)
{
    struct reading reading;
    struct error err = {0};
    bool bounded;
    reading_init(&reading, "orders", false);
    test_option(&reading.table, key, value);
    enum status got =
        CONNECTOR_KAFKA.source->is_bounded(&reading.table.description, &bounded, &err);
    bool good = got == status && (strstr(err.text, says) || strstr(err.hint, says));
    if (!good)
        printf("# %s = %s: %s: %s (%s)\n", key, value, status_name(got), err.text, err.hint);
    reading_close(&reading);
    return good;
}

TEST(wrong_options_are_named)
{
    server_start();
    CHECK(refused("scan.startup.mod", "earliest-offset", ERR_OPTION, "scan.startup.mode"));
    CHECK(refused("scan.startup.mode", "earliest", ERR_OPTION, "earliest-offset"));
    CHECK(refused("topic-pattern", "a.*", ERR_UNSUPPORTED, "topic-pattern"));
    CHECK(refused("key.format", "raw", ERR_UNSUPPORTED, "key.format"));
    CHECK(refused("scan.startup.mode", "group-offsets", ERR_OPTION, "auto.offset.reset"));
    CHECK(refused("scan.startup.mode", "timestamp", ERR_OPTION, "scan.startup.timestamp-millis"));
    CHECK(refused("properties.auto.offset.reset", "sometimes", ERR_OPTION, "earliest"));
    CHECK(refused("properties.nonsense", "1", ERR_OPTION, "properties.nonsense"));
    CHECK(refused("properties.max.poll.records", "1", ERR_OPTION, "begin"));
    CHECK(refused("scan.startup.specific-offsets", "partition:0", ERR_OPTION, "offset:42"));
    CHECK(refused("raw.charset", "UTF-8", ERR_OPTION, "begin")); /* the format's to judge */
    server_stop();
}
