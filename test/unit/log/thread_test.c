/* thread_test.c - appenders, a syncing thread, readers, retention and watches at once, on a real
 * disk: every reader sees every record that retention leaves once, in order, and nothing past the
 * high watermark.
 */
#include "log_help.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/must.h"
#include "os/thread.h"

enum { APPENDERS = 2, READERS = 2, APPENDS = 400, BATCH = 7 };

static struct log *the_log;
static struct log_partition *partition;
static _Atomic bool stop_upkeep;
static _Atomic int appending;

static void append_all(void *context)
{
    struct error err = {0};
    for (int i = 0; i < APPENDS; i++)
        if (append_records(partition, "a", BATCH, 1000 + i, i % 50 == 0 ? 5000 : 100, &err) != OK)
            must(!"append");
    atomic_fetch_sub(&appending, 1);
}

static void sync_all(void *context)
{
    struct log_sync sync;
    while (!atomic_load(&stop_upkeep)) {
        if (log_sync_begin(the_log, &sync)) {
            log_sync_run(&sync);
            must(sync.failed_count == 0);
            log_sync_finish(&sync);
        }
        usleep(500);
    }
}

static void retain_all(void *context)
{
    struct error err = {0};
    int64_t next_ms, offset, found_ms;
    while (!atomic_load(&stop_upkeep)) {
        must(log_retain(the_log, &next_ms, &err) == OK);
        must(log_find_time(partition, 1100, &offset, &found_ms, &err) == OK);
        must(log_find_latest_time(partition, &offset, &found_ms, &err) == OK);
        usleep(2000);
    }
}

struct waiter {
    struct log_watch watch;
    struct mutex mutex;
    struct condition changed;
    bool fired;
};

static void fire(struct log_watch *watch)
{
    struct waiter *waiter = container_of(watch, struct waiter, watch);
    mutex_lock(&waiter->mutex);
    waiter->fired = true;
    condition_signal(&waiter->changed);
    mutex_unlock(&waiter->mutex);
}

static void wait_past(struct waiter *waiter, int64_t offset)
{
    waiter->fired = false;
    if (!log_watch_arm(partition, &waiter->watch, offset))
        return;
    mutex_lock(&waiter->mutex);
    while (!waiter->fired)
        must(condition_wait_for(&waiter->changed, &waiter->mutex, 20000000));
    mutex_unlock(&waiter->mutex);
}

static void read_to_the_end(void *context)
{
    struct error err = {0};
    struct waiter waiter = {.watch = {.fire = fire}};
    struct log_reader *reader;
    struct buffer *held[8] = {NULL};
    int64_t offset = 0;
    size_t step = 0;

    mutex_init(&waiter.mutex);
    condition_init(&waiter.changed);
    must(log_reader_open(&reader, partition, &err) == OK);
    while (offset < APPENDERS * APPENDS * BATCH) {
        struct log_read read = {.offset = offset,
                                .limit_offset = INT64_MAX,
                                .max_bytes = 3000 + step * 137 % 9000,
                                .whole_batch = true};
        enum status status = log_read(reader, &read, &err);
        if (status == ERR_RANGE) { /* retention was faster */
            must(read.log_start > offset);
            offset = read.log_start;
            error_clear(&err);
            continue;
        }
        must(status == OK);
        if (!read.block) {
            wait_past(&waiter, offset);
            continue;
        }
        for (size_t at = 0; at < read.block->size_bytes;) {
            struct record_batch batch;
            must(record_batch_parse(&batch, read.block->data + at, read.block->size_bytes - at,
                                    &err) == OK);
            must(record_batch_check(&batch, &err) == OK);
            must(batch.base_offset == offset && batch.record_count == BATCH);
            offset += BATCH;
            at += batch.size_bytes;
        }
        must(offset == read.next_offset && offset <= read.high_watermark);
        buffer_unref(held[step % 8]); /* given back late, as a slow consumer does */
        held[step++ % 8] = read.block;
    }
    log_reader_close(reader);
    for (int i = 0; i < 8; i++)
        buffer_unref(held[i]);
    condition_fini(&waiter.changed);
    mutex_fini(&waiter.mutex);
}

TEST(all_at_once)
{
    struct error err = {0};
    char directory[] = "/tmp/leat-log-test-XXXXXX";
    const struct log_config_entry configs[] = {
        {"segment.bytes", "60000"}, {"retention.ms", "-1"}, {"retention.bytes", "600000"}};
    struct thread *threads[APPENDERS + READERS + 2];
    struct log_settings settings = {.io = io_real()};
    int count = 0;

    settings.directory = mkdtemp(directory);
    CHECK_OK(log_open(&the_log, &settings, &err));
    CHECK_OK(log_topic_create(the_log, STR("t"), 1, configs, 3, NULL, &err));
    partition = partition_of(the_log, "t", 0);
    atomic_store(&appending, APPENDERS);
    CHECK_OK(thread_start(&threads[count++], "sync", sync_all, NULL, &err));
    CHECK_OK(thread_start(&threads[count++], "retain", retain_all, NULL, &err));
    for (int i = 0; i < READERS; i++)
        CHECK_OK(thread_start(&threads[count++], "read", read_to_the_end, NULL, &err));
    for (int i = 0; i < APPENDERS; i++)
        CHECK_OK(thread_start(&threads[count++], "append", append_all, NULL, &err));
    for (int i = count - 1; i >= 2; i--)
        thread_join(threads[i]);
    atomic_store(&stop_upkeep, true);
    thread_join(threads[0]);
    thread_join(threads[1]);
    CHECK_INT(atomic_load(&appending), 0);
    CHECK_OK(log_close(the_log, &err));
    CHECK_OK(io_remove_tree(io_real(), directory, &err));
}
