/* log_test.c - the log without crashes: topics, append, what is shown when, reads, times,
 * retention. */
#include "log_help.h"

#include "base/must.h"

static struct seen seen[20000];

/* A log with topic "t" of one partition; the configs as pairs, NULL-terminated. */
static struct log_partition *start(struct io **io, struct log **log, enum log_durability durability,
                                   const char *const *pairs)
{
    struct error err = {0};
    struct log_config_entry entries[8];
    size_t count = 0;

    for (; pairs && pairs[2 * count]; count++)
        entries[count] = (struct log_config_entry){pairs[2 * count], pairs[2 * count + 1]};
    *io = simio_new(1);
    must(*io);
    if (open_log(log, *io, durability, &err) != OK ||
        log_topic_create(*log, STR("t"), 1, entries, count, NULL, &err) != OK) {
        printf("# %s\n", err.text);
        must(!"start");
    }
    return partition_of(*log, "t", 0);
}

static void stop(struct io *io, struct log *log)
{
    struct error err = {0};
    if (log_close(log, &err) != OK) {
        printf("# %s\n", err.text);
        must(!"stop");
    }
    simio_free(io);
}

TEST(nothing_unsynced_is_shown)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    struct log_offsets offsets;
    struct log_partition *partition = start(&io, &log, LOG_POWER, NULL);

    CHECK_OK(append_records(partition, "a", 10, 1000, 0, &err));
    log_partition_offsets(partition, &offsets);
    CHECK_INT(offsets.end, 10);
    CHECK_INT(offsets.high_watermark, 0);
    CHECK_INT(read_all(partition, 0, 1 << 16, seen, 100, &err), 0);

    struct log_sync sync;
    CHECK(log_sync_begin(log, &sync));
    CHECK_OK(append_records(partition, "b", 5, 2000, 0, &err)); /* belongs to the next round */
    log_sync_run(&sync);
    CHECK_INT(sync.failed_count, 0);
    CHECK_INT(read_all(partition, 0, 1 << 16, seen, 100, &err), 0);
    CHECK(log_sync_finish(&sync)); /* another round is due */
    CHECK_INT(read_all(partition, 0, 1 << 16, seen, 100, &err), 10);
    CHECK_STR(seen[9].value, "a-9");
    CHECK_INT(seen[9].timestamp_ms, 1009);
    CHECK_OK(log_sync(log, &err));
    CHECK_INT(read_all(partition, 0, 1 << 16, seen, 100, &err), 15);
    CHECK_STR(seen[14].value, "b-4");
    CHECK(!log_sync_begin(log, &sync));
    stop(io, log);
}

TEST(process_durability_shows_what_is_written)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    struct log_partition *partition = start(&io, &log, LOG_PROCESS, NULL);

    CHECK_OK(append_records(partition, "a", 10, 1000, 0, &err));
    CHECK_INT(read_all(partition, 0, 1 << 16, seen, 100, &err), 10);
    CHECK_OK(log_close(log, &err));
    simio_crash(io); /* a clean close has synced everything */
    CHECK_OK(open_log(&log, io, LOG_PROCESS, &err));
    CHECK_INT(read_all(partition_of(log, "t", 0), 0, 1 << 16, seen, 100, &err), 10);
    CHECK_INT(log_leader_epoch(log), 0);
    stop(io, log);
}

static void count_call(void *context)
{
    ++*(int *)context;
}

TEST(dirty_is_called_from_clean_only)
{
    struct io *io = simio_new(1);
    struct error err = {0};
    int calls = 0;
    struct log *log;
    struct log_settings settings = {
        .io = io, .directory = LOG_DIR, .dirty = count_call, .dirty_context = &calls};
    struct log_sync sync;

    CHECK_OK(log_open(&log, &settings, &err));
    CHECK_OK(log_topic_create(log, STR("t"), 2, NULL, 0, NULL, &err));
    CHECK_OK(append_records(partition_of(log, "t", 0), "a", 1, 0, 0, &err));
    CHECK_OK(append_records(partition_of(log, "t", 0), "a", 1, 0, 0, &err));
    CHECK_OK(append_records(partition_of(log, "t", 1), "a", 1, 0, 0, &err));
    CHECK_INT(calls, 1);
    CHECK(log_sync_begin(log, &sync));
    CHECK_INT(sync.partition_count, 2);
    CHECK_OK(append_records(partition_of(log, "t", 0), "a", 1, 0, 0, &err));
    CHECK_INT(calls, 1); /* its round says so at the end */
    log_sync_run(&sync);
    CHECK(log_sync_finish(&sync));
    CHECK_OK(log_sync(log, &err));
    CHECK_OK(append_records(partition_of(log, "t", 1), "a", 1, 0, 0, &err));
    CHECK_INT(calls, 2);
    stop(io, log);
}

TEST(offsets_epochs_and_append_times_are_stamped)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    struct buf bytes;
    const char *const pairs[] = {"message.timestamp.type", "LogAppendTime", NULL};
    struct log_partition *partition = start(&io, &log, LOG_POWER, pairs);

    buf_init(&bytes, 1 << 20);
    CHECK_OK(build_batch(&bytes, "a", 3, 1000, 0, COMPRESSION_LZ4));
    CHECK_OK(build_batch(&bytes, "b", 4, 1000, 0, COMPRESSION_NONE));
    simio_advance_us(io, 5000000);
    struct log_append append = {.batches = bytes.data, .size_bytes = bytes.length};
    CHECK_OK(log_append(partition, &append, &err));
    CHECK_INT(append.base_offset, 0);
    CHECK_INT(append.next_offset, 7);
    CHECK_INT(append.append_time_ms, io_wall_us(io) / 1000);
    CHECK_OK(log_append(partition, &append, &err)); /* the same memory again */
    CHECK_INT(append.base_offset, 7);
    CHECK_OK(log_sync(log, &err));
    CHECK_INT(read_all(partition, 0, 1 << 16, seen, 100, &err), 14);
    for (int i = 0; i < 14; i++) {
        CHECK_INT(seen[i].timestamp_ms, io_wall_us(io) / 1000);
        CHECK_INT(seen[i].leader_epoch, 0);
    }
    CHECK_STR(seen[2].value, "a-2");
    CHECK_STR(seen[6].value, "b-3");
    buf_fini(&bytes);
    stop(io, log);
}

TEST(bad_appends_change_nothing)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    struct buf bytes;
    const char *const pairs[] = {"max.message.bytes", "200", NULL};
    struct log_partition *partition = start(&io, &log, LOG_POWER, pairs);
    struct log_append append;

    buf_init(&bytes, 1 << 20);
    CHECK_OK(build_batch(&bytes, "a", 1, 1000, 0, COMPRESSION_NONE));
    append = (struct log_append){.batches = bytes.data, .size_bytes = bytes.length - 1};
    CHECK_INT(log_append(partition, &append, &err), ERR_DATA);
    bytes.data[16] = 1;
    append.size_bytes = bytes.length;
    error_clear(&err);
    CHECK_INT(log_append(partition, &append, &err), ERR_UNSUPPORTED);
    error_clear(&err);
    CHECK_INT(append_records(partition, "a", 1, 0, 1000, &err), ERR_LIMIT);
    error_clear(&err);
    append.size_bytes = 0;
    CHECK_OK(log_append(partition, &append, &err));
    CHECK_OK(append_records(partition, "good", 1, 0, 0, &err));
    CHECK_OK(log_sync(log, &err));
    CHECK_INT(read_all(partition, 0, 1 << 16, seen, 100, &err), 1);
    buf_fini(&bytes);
    stop(io, log);
}

TEST(topics_are_made_listed_and_deleted)
{
    struct io *io = simio_new(1);
    struct error err = {0};
    struct log *log;
    struct log_topic *topic;
    uint8_t id[LOG_UUID_BYTES];
    char nearest[LOG_TOPIC_NAME_MAX + 1];

    CHECK_OK(open_log(&log, io, LOG_POWER, &err));
    CHECK_OK(log_topic_create(log, STR("orders"), 3, NULL, 0, &topic, &err));
    CHECK_OK(log_topic_create(log, STR("abc"), 1, NULL, 0, NULL, &err));
    memcpy(id, log_topic_info(topic).id, sizeof(id));
    CHECK_INT(log_topic_info(topic).partition_count, 3);
    CHECK(log_topic_partition(topic, 2) != NULL && log_topic_partition(topic, 3) == NULL);
    CHECK_INT(log_topic_create(log, STR("orders"), 3, NULL, 0, NULL, &err), ERR_EXISTS);
    error_clear(&err);
    CHECK_INT(log_topic_create(log, STR("a/b"), 3, NULL, 0, NULL, &err), ERR_NAME);
    error_clear(&err);
    CHECK_INT(log_topic_create(log, STR(".."), 3, NULL, 0, NULL, &err), ERR_NAME);
    error_clear(&err);
    CHECK_INT(log_topic_create(log, STR("x"), 0, NULL, 0, NULL, &err), ERR_LIMIT);
    error_clear(&err);
    CHECK(log_topic_nearest(log, STR("order"), nearest));
    CHECK_STR(nearest, "orders");
    log_topic_unref(topic);

    CHECK_OK(append_records(partition_of(log, "orders", 1), "old", 5, 0, 0, &err));
    CHECK_OK(log_topic_grow(log, STR("orders"), 5, &err));
    CHECK_INT(log_topic_grow(log, STR("orders"), 5, &err), ERR_LIMIT);
    error_clear(&err);
    CHECK_OK(append_records(partition_of(log, "orders", 4), "new", 1, 0, 0, &err));
    CHECK_OK(log_close(log, &err));
    CHECK_OK(open_log(&log, io, LOG_POWER, &err));
    topic = log_topic_find_id(log, id);
    CHECK(topic != NULL);
    CHECK_STR(log_topic_info(topic).name, "orders");
    CHECK_INT(log_topic_info(topic).partition_count, 5);
    CHECK_INT(read_all(log_topic_partition(topic, 1), 0, 1 << 16, seen, 100, &err), 5);
    CHECK_INT(read_all(log_topic_partition(topic, 4), 0, 1 << 16, seen, 100, &err), 1);

    CHECK_OK(log_topic_delete(log, STR("orders"), &err));
    CHECK_INT(log_topic_delete(log, STR("orders"), &err), ERR_NOT_FOUND);
    error_clear(&err);
    CHECK_INT(append_records(log_topic_partition(topic, 1), "late", 1, 0, 0, &err), ERR_NOT_FOUND);
    error_clear(&err);
    CHECK_INT(read_all(log_topic_partition(topic, 1), 0, 1 << 16, seen, 100, &err), -1);
    CHECK_INT(err.code, ERR_NOT_FOUND);
    error_clear(&err);
    log_topic_unref(topic);
    CHECK_OK(log_topic_create(log, STR("orders"), 1, NULL, 0, &topic, &err));
    CHECK(memcmp(id, log_topic_info(topic).id, sizeof(id)) != 0);
    CHECK_INT(read_all(log_topic_partition(topic, 0), 0, 1 << 16, seen, 100, &err), 0);
    log_topic_unref(topic);
    stop(io, log);
}

TEST(configs_are_kept_and_checked)
{
    struct io *io = simio_new(1);
    struct error err = {0};
    struct log *log;
    struct log_topic *topic;
    char text[64];
    bool given;
    struct log_config_entry entries[2] = {{"retention.ms", "1000"}, {"segment.bytes", "5000"}};

    CHECK_OK(open_log(&log, io, LOG_POWER, &err));
    CHECK_OK(log_topic_create(log, STR("t"), 1, entries, 2, NULL, &err));
    entries[0] = (struct log_config_entry){"retention.mss", "1000"};
    CHECK_INT(log_topic_create(log, STR("u"), 1, entries, 1, NULL, &err), ERR_OPTION);
    CHECK(strstr(err.hint, "retention.ms") || strstr(err.text, "retention.ms"));
    error_clear(&err);
    entries[0] = (struct log_config_entry){"cleanup.policy", "compact"};
    CHECK_INT(log_topic_create(log, STR("u"), 1, entries, 1, NULL, &err), ERR_UNSUPPORTED);
    error_clear(&err);
    entries[0] = (struct log_config_entry){"retention.ms", NULL};
    entries[1] = (struct log_config_entry){"max.message.bytes", "2000"};
    CHECK_OK(log_topic_configure(log, STR("t"), entries, 2, false, &err));
    CHECK_OK(log_close(log, &err));
    CHECK_OK(open_log(&log, io, LOG_POWER, &err));
    topic = log_topic_find(log, STR("t"));
    CHECK_INT(log_topic_config(topic).segment_bytes, 5000);
    CHECK_INT(log_topic_config(topic).max_message_bytes, 2000);
    CHECK_INT(log_topic_config(topic).retention_ms, 604800000);
    CHECK(log_topic_config_text(topic, "segment.bytes", text, sizeof(text), &given) && given);
    CHECK_STR(text, "5000");
    CHECK(log_topic_config_text(topic, "retention.ms", text, sizeof(text), &given) && !given);
    CHECK_STR(text, "604800000");
    CHECK(!log_topic_config_text(topic, "nonsense", text, sizeof(text), &given));
    log_topic_unref(topic);
    stop(io, log);
}

TEST(ids_are_never_given_twice)
{
    struct io *io = simio_new(1);
    struct error err = {0};
    struct log *log;
    int64_t first, second, third;

    CHECK_OK(open_log(&log, io, LOG_POWER, &err));
    CHECK_OK(log_reserve_ids(log, 1000, &first, &err));
    CHECK_OK(log_reserve_ids(log, 1000, &second, &err));
    CHECK_INT(second, first + 1000);
    CHECK_OK(log_close(log, &err));
    CHECK_OK(open_log(&log, io, LOG_POWER, &err));
    CHECK_OK(log_reserve_ids(log, 1, &third, &err));
    CHECK_INT(third, second + 1000);
    stop(io, log);
}

/* Every offset, every block size, over several segments, compressed or not. */
TEST(reads_from_any_offset_in_any_size)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    struct buf bytes;
    const char *const pairs[] = {"segment.bytes", "20000", "index.interval.bytes", "1000", NULL};
    struct log_partition *partition = start(&io, &log, LOG_POWER, pairs);
    struct log_offsets offsets;
    int total = 0;

    buf_init(&bytes, 1 << 20);
    for (int i = 0; i < 200; i++) {
        char prefix[16];
        snprintf(prefix, sizeof(prefix), "b%d", i);
        buf_clear(&bytes);
        CHECK_OK(build_batch(&bytes, prefix, 1 + i % 7, 1000 + i, i % 11 == 0 ? 3000 : 0,
                             i % 3 ? COMPRESSION_NONE : COMPRESSION_ZSTD));
        struct log_append append = {.batches = bytes.data, .size_bytes = bytes.length};
        CHECK_OK(log_append(partition, &append, &err));
        total += 1 + i % 7;
        if (i % 20 == 19)
            CHECK_OK(log_sync(log, &err));
    }
    log_partition_offsets(partition, &offsets);
    CHECK(offsets.segment_count > 5);
    CHECK_INT(offsets.high_watermark, total);
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t offset = 0; offset <= total; offset += 3)
            for (size_t max_bytes = 1; max_bytes <= 1 << 16; max_bytes *= 16)
                if (read_all(partition, offset, max_bytes, seen, 20000, &err) != total - offset)
                    CHECK_FAIL("from %d by %zu: %s", (int)offset, max_bytes, err.text);
        CHECK_INT(read_all(partition, 0, 5000, seen, 20000, &err), total);
        CHECK(strncmp(seen[0].value, "b0-0", 4) == 0);
        CHECK_OK(log_close(log, &err)); /* once more from the files */
        CHECK_OK(open_log(&log, io, LOG_POWER, &err));
        partition = partition_of(log, "t", 0);
    }
    CHECK_INT(read_all(partition, total + 1, 5000, seen, 1, &err), -1);
    CHECK_INT(err.code, ERR_RANGE);
    buf_fini(&bytes);
    stop(io, log);
}

TEST(limits_of_a_read)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    struct log_reader *reader;
    struct log_partition *partition = start(&io, &log, LOG_POWER, NULL);

    for (int i = 0; i < 10; i++)
        CHECK_OK(append_records(partition, "a", 2, 0, 10000, &err)); /* ten batches of 20 KB */
    CHECK_OK(log_sync(log, &err));
    CHECK_OK(log_reader_open(&reader, partition, &err));
    struct log_read read = {.offset = 3, .limit_offset = 8, .max_bytes = 1 << 20};
    CHECK_OK(log_read(reader, &read, &err));
    CHECK(read.block != NULL);
    CHECK_INT(read.next_offset, 8); /* batches at 2, 4 and 6 */
    buffer_unref(read.block);
    read = (struct log_read){.offset = 8, .limit_offset = 8, .max_bytes = 1 << 20};
    CHECK_OK(log_read(reader, &read, &err));
    CHECK(!read.block && read.next_offset == 8 && read.high_watermark == 20);
    read = (struct log_read){.offset = 0, .limit_offset = INT64_MAX, .max_bytes = 50000};
    CHECK_OK(log_read(reader, &read, &err));
    CHECK_INT(read.next_offset, 4); /* two whole batches fit */
    CHECK(read.block->size_bytes <= 50000);
    buffer_unref(read.block);
    read = (struct log_read){.offset = 0, .limit_offset = INT64_MAX, .max_bytes = 15000};
    CHECK_OK(log_read(reader, &read, &err));
    CHECK(!read.block);
    read.whole_batch = true;
    CHECK_OK(log_read(reader, &read, &err));
    CHECK_INT(read.next_offset, 2);
    struct buffer *held = read.block;
    log_reader_close(reader); /* the block stays */
    struct record_batch batch;
    CHECK_OK(record_batch_parse(&batch, held->data, held->size_bytes, &err));
    CHECK_OK(record_batch_check(&batch, &err));
    buffer_unref(held);
    stop(io, log);
}

TEST(blocks_are_used_again)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    struct log_reader *reader;
    struct log_partition *partition = start(&io, &log, LOG_POWER, NULL);
    const uint8_t *first = NULL;

    for (int i = 0; i < 100; i++)
        CHECK_OK(append_records(partition, "a", 2, 0, 1000, &err));
    CHECK_OK(log_sync(log, &err));
    CHECK_OK(log_reader_open(&reader, partition, &err));
    struct log_read read = {.limit_offset = INT64_MAX, .max_bytes = 8192, .whole_batch = true};
    for (int i = 0; i < 20; i++) {
        CHECK_OK(log_read(reader, &read, &err));
        if (!first)
            first = read.block->data;
        CHECK(read.block->data == first);
        read.offset = read.next_offset;
        buffer_unref(read.block);
    }
    log_reader_close(reader);
    stop(io, log);
}

struct counting_watch {
    struct log_watch watch;
    int fired;
};

static void count_fire(struct log_watch *watch)
{
    ((struct counting_watch *)watch)->fired++;
}

TEST(watches_fire_once)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    struct log_partition *partition = start(&io, &log, LOG_POWER, NULL);
    struct counting_watch a = {.watch.fire = count_fire}, b = a, c = a;

    CHECK(log_watch_arm(partition, &a.watch, 0));
    CHECK(log_watch_arm(partition, &b.watch, 5));
    CHECK(log_watch_arm(partition, &c.watch, 0));
    log_watch_cancel(partition, &c.watch);
    CHECK_OK(append_records(partition, "a", 3, 0, 0, &err));
    CHECK_INT(a.fired, 0);
    CHECK_OK(log_sync(log, &err));
    CHECK_INT(a.fired, 1);
    CHECK_INT(b.fired, 0);
    CHECK(!log_watch_arm(partition, &a.watch, 2)); /* it is so already */
    CHECK(log_watch_arm(partition, &a.watch, 3));
    CHECK_OK(append_records(partition, "a", 3, 0, 0, &err));
    CHECK_OK(log_sync(log, &err));
    CHECK_INT(a.fired, 2);
    CHECK_INT(b.fired, 1);
    CHECK_INT(c.fired, 0);
    log_partition_ref(partition);
    CHECK(log_watch_arm(partition, &a.watch, 100));
    CHECK_OK(log_topic_delete(log, STR("t"), &err));
    CHECK_INT(a.fired, 3);
    log_partition_unref(partition);
    stop(io, log);
}

TEST(times_are_found_exactly)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    const char *const pairs[] = {"segment.bytes", "4000", "index.interval.bytes", "300", NULL};
    struct log_partition *partition = start(&io, &log, LOG_POWER, pairs);
    int64_t times[400], offset, ms;
    int total = 0;

    /* times rise in steps, but every seventh batch comes from the past */
    for (int i = 0; i < 100; i++) {
        int64_t first_ms = 10000 + i * 100 - (i % 7 == 6 ? 5000 : 0);
        int count = 1 + i % 4;
        CHECK_OK(append_records(partition, "a", count, first_ms, 0, &err));
        for (int k = 0; k < count; k++)
            times[total++] = first_ms + k;
    }
    CHECK_OK(log_sync(log, &err));
    CHECK_OK(append_records(partition, "unsynced", 1, 99999, 0, &err));
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t wanted = 4000; wanted < 20100; wanted += 37) {
            int expected = 0;
            while (expected < total && times[expected] < wanted)
                expected++;
            CHECK_OK(log_find_time(partition, wanted, &offset, &ms, &err));
            if (offset != (expected < total ? expected : -1))
                CHECK_FAIL("%d: %d, want %d", (int)wanted, (int)offset, expected);
            CHECK_INT(ms, expected < total ? times[expected] : -1);
        }
        CHECK_OK(log_find_latest_time(partition, &offset, &ms, &err));
        CHECK_INT(ms, times[total - 1]);
        CHECK_INT(offset, total - 1);
        CHECK_OK(log_sync(log, &err));
        CHECK_OK(log_find_latest_time(partition, &offset, &ms, &err));
        CHECK_INT(ms, 99999);
        times[total++] = 99999;
        CHECK_OK(log_close(log, &err));
        CHECK_OK(open_log(&log, io, LOG_POWER, &err));
        partition = partition_of(log, "t", 0);
        CHECK_OK(append_records(partition, "unsynced", 1, 99999, 0, &err));
        if (pass == 0)
            total--;
        if (pass == 0)
            times[total++] = 99999;
    }
    stop(io, log);
}

TEST(retention_and_deletion_of_records)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    const char *const pairs[] = {"segment.bytes", "1000", "retention.bytes", "3000", "retention.ms",
                                 "60000",         NULL};
    struct log_partition *partition = start(&io, &log, LOG_POWER, pairs);
    struct log_offsets offsets;
    struct log_reader *reader;
    int64_t next_ms, log_start;
    int64_t now_ms = io_wall_us(io) / 1000;

    for (int i = 0; i < 20; i++)
        CHECK_OK(append_records(partition, "a", 1, now_ms + i, 400, &err));
    CHECK_OK(log_retain(log, &next_ms, &err)); /* nothing is synced yet: nothing goes */
    log_partition_offsets(partition, &offsets);
    CHECK_INT(offsets.log_start, 0);
    CHECK_OK(log_sync(log, &err));
    CHECK_OK(log_reader_open(&reader, partition, &err));
    struct log_read read = {.limit_offset = INT64_MAX, .max_bytes = 1, .whole_batch = true};
    CHECK_OK(log_read(reader, &read, &err)); /* stands in the first segment */
    CHECK(read.block != NULL);
    CHECK_OK(log_retain(log, &next_ms, &err));
    log_partition_offsets(partition, &offsets);
    CHECK(offsets.log_start > 10 && offsets.log_start < 18);
    CHECK(offsets.size_bytes >= 3000 && offsets.size_bytes < 4100);
    CHECK_INT(next_ms, now_ms + offsets.log_start + 1 + 60000);
    buffer_unref(read.block);
    read.offset = read.next_offset;
    CHECK_INT(log_read(reader, &read, &err), ERR_RANGE);
    error_clear(&err);
    log_reader_close(reader);
    CHECK_INT(read_all(partition, offsets.log_start, 5000, seen, 100, &err),
              20 - offsets.log_start);

    CHECK_OK(log_delete_records(partition, 19, &log_start, &err));
    CHECK_INT(log_start, 19);
    CHECK_INT(log_delete_records(partition, 21, &log_start, &err), ERR_RANGE);
    error_clear(&err);
    CHECK_OK(log_delete_records(partition, 5, &log_start, &err));
    CHECK_INT(log_start, 19);
    CHECK_INT(read_all(partition, 19, 5000, seen, 100, &err), 1);
    CHECK_OK(log_close(log, &err));
    CHECK_OK(open_log(&log, io, LOG_POWER, &err));
    partition = partition_of(log, "t", 0);
    log_partition_offsets(partition, &offsets);
    CHECK_INT(offsets.log_start, 19);

    simio_advance_us(io, 61000000); /* all of it is old now, the active segment too */
    CHECK_OK(log_retain(log, &next_ms, &err));
    CHECK_OK(log_sync(log, &err));
    CHECK_OK(log_retain(log, &next_ms, &err));
    log_partition_offsets(partition, &offsets);
    CHECK_INT(offsets.log_start, 20);
    CHECK_INT(offsets.segment_count, 0);
    CHECK_OK(log_close(log, &err));
    CHECK_OK(open_log(&log, io, LOG_POWER, &err));
    partition = partition_of(log, "t", 0);
    CHECK_OK(append_records(partition, "z", 1, now_ms, 0, &err));
    CHECK_OK(log_sync(log, &err));
    CHECK_INT(read_all(partition, 20, 5000, seen, 100, &err), 1);
    CHECK_STR(seen[0].value, "z-0");
    stop(io, log);
}

TEST(a_segment_rolls_by_time)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    const char *const pairs[] = {"segment.ms", "1000", NULL};
    struct log_partition *partition = start(&io, &log, LOG_POWER, pairs);
    struct log_offsets offsets;

    CHECK_OK(append_records(partition, "a", 1, 5000, 0, &err));
    CHECK_OK(append_records(partition, "a", 1, 6000, 0, &err));
    CHECK_OK(append_records(partition, "a", 1, 6001, 0, &err));
    log_partition_offsets(partition, &offsets);
    CHECK_INT(offsets.segment_count, 2);
    stop(io, log);
}

TEST(disk_full_leaves_the_partition_usable)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    const char *const pairs[] = {"segment.bytes", "100000", NULL};
    struct log_partition *partition = start(&io, &log, LOG_POWER, pairs);

    CHECK_OK(append_records(partition, "a", 1, 0, 1000, &err));
    CHECK_OK(log_sync(log, &err));
    simio_set_capacity(io, 8000);
    int good = 1;
    enum status status;
    while ((status = append_records(partition, "a", 1, 0, 1000, &err)) == OK)
        good++;
    CHECK_INT(status, ERR_DISK_FULL);
    CHECK(good > 1 && good < 8);
    error_clear(&err);
    simio_set_capacity(io, 0);
    CHECK_OK(append_records(partition, "b", 1, 0, 1000, &err));
    CHECK_OK(log_sync(log, &err));
    CHECK_INT(read_all(partition, 0, 100000, seen, 100, &err), good + 1);
    stop(io, log);
}

TEST(a_failed_write_is_taken_back)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    struct log_partition *partition = start(&io, &log, LOG_POWER, NULL);

    CHECK_OK(append_records(partition, "a", 1, 0, 1000, &err));
    for (int i = 0; i < 5; i++) {
        simio_fail(io, SIMIO_WRITE, 1, 5 /* EIO */);
        CHECK_INT(append_records(partition, "bad", 1, 0, 1000, &err), ERR_IO);
        error_clear(&err);
    }
    CHECK_OK(append_records(partition, "b", 1, 0, 100, &err));
    CHECK_OK(log_close(log, &err));
    CHECK_OK(open_log(&log, io, LOG_POWER, &err));
    CHECK_INT(read_all(partition_of(log, "t", 0), 0, 100000, seen, 100, &err), 2);
    CHECK(strncmp(seen[1].value, "b-0", 3) == 0);
    stop(io, log);
}

TEST(a_failed_fsync_fails_the_partition)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    struct log_offsets offsets;
    struct log_partition *partition = start(&io, &log, LOG_POWER, NULL);
    struct counting_watch watch = {.watch.fire = count_fire};

    CHECK_OK(append_records(partition, "a", 1, 0, 0, &err));
    CHECK_OK(log_sync(log, &err));
    CHECK_OK(append_records(partition, "b", 1, 0, 0, &err));
    CHECK(log_watch_arm(partition, &watch.watch, 1));
    simio_fail(io, SIMIO_SYNC, 1, 5 /* EIO */);
    CHECK_INT(log_sync(log, &err), ERR_IO);
    error_clear(&err);
    CHECK_INT(watch.fired, 1);
    log_partition_offsets(partition, &offsets);
    CHECK(offsets.failed);
    CHECK_INT(offsets.high_watermark, 1);
    CHECK_INT(append_records(partition, "c", 1, 0, 0, &err), ERR_IO);
    CHECK(strstr(err.text, "next start") != NULL);
    error_clear(&err);
    CHECK_OK(log_sync(log, &err)); /* nothing is tried again */
    log_partition_offsets(partition, &offsets);
    CHECK_INT(offsets.high_watermark, 1);
    CHECK_INT(read_all(partition, 0, 1000, seen, 100, &err), 1); /* what was shown stays */
    CHECK_INT(log_close(log, &err), ERR_IO);
    error_clear(&err);
    simio_crash(io);
    CHECK_OK(open_log(&log, io, LOG_POWER, &err));
    CHECK_INT(log_leader_epoch(log), 1); /* an unclean start */
    partition = partition_of(log, "t", 0);
    CHECK(read_all(partition, 0, 1000, seen, 100, &err) >= 1);
    CHECK_OK(append_records(partition, "d", 1, 0, 0, &err));
    CHECK_OK(log_sync(log, &err));
    stop(io, log);
}

TEST(epochs_tell_where_a_history_ends)
{
    struct io *io;
    struct log *log;
    struct error err = {0};
    struct log_partition *partition = start(&io, &log, LOG_POWER, NULL);
    int32_t epoch;
    int64_t end;

    CHECK_OK(append_records(partition, "a", 10, 0, 0, &err));
    CHECK_OK(log_sync(log, &err));
    simio_crash_at(io, simio_steps(io) + 1);
    CHECK(log_close(log, &err) != OK); /* an unclean end */
    error_clear(&err);
    simio_crash(io);
    CHECK_OK(open_log(&log, io, LOG_POWER, &err));
    partition = partition_of(log, "t", 0);
    int32_t current = log_leader_epoch(log);
    CHECK_INT(current, 1);
    log_epoch_end(partition, 0, &epoch, &end);
    CHECK_INT(epoch, 0);
    CHECK_INT(end, 10);
    CHECK_OK(append_records(partition, "b", 5, 0, 0, &err));
    log_epoch_end(partition, 0, &epoch, &end);
    CHECK_INT(end, 10);
    log_epoch_end(partition, current, &epoch, &end);
    CHECK_INT(epoch, current);
    CHECK_INT(end, 15);
    log_epoch_end(partition, current + 1, &epoch, &end);
    CHECK_INT(epoch, -1);
    CHECK_INT(end, -1);
    stop(io, log);
}
