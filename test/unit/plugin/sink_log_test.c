/* A sink's log: chunks come back as they were appended, whatever the cuts; what was not prepared is
 * gone; any flipped bit and any cut is told; every failing call of the disk and every failing
 * allocation ends in an error and no leak, and a clean run follows. */
#include "plugin/sink_log.h"

#include "../check.h"
#include "base/must.h"
#include "base/rng.h"
#include "os/simio.h"

#define DIRECTORY "/data/sink"

static struct io *io;
static struct plugin_context context;
static struct error err;

static void no_wake(struct wake *wake)
{
}

static struct wake wake = {.notify = no_wake};

static void setup(void)
{
    io = simio_new(1);
    context = (struct plugin_context){.io = io};
    err = (struct error){0};
}

static enum status open_log(struct sink_log **log, const struct sink_committables *pending)
{
    struct str bytes[1000];
    for (uint32_t i = 0; pending && i < pending->count; i++)
        bytes[i] = pending->items[i].bytes;
    struct sink_request request = {.context = &context,
                                   .log_directory = DIRECTORY,
                                   .pending_count = pending ? pending->count : 0,
                                   .pending = bytes};
    return sink_log_open(log, &request, &err);
}

static int file_count;

static enum status count_file(void *unused, const char *name, struct error *error)
{
    file_count++;
    return OK;
}

static int files(void)
{
    file_count = 0;
    must(io_list(io, DIRECTORY, count_file, NULL, &err) == OK);
    return file_count;
}

static enum status flush(struct sink_log_writer *writer, struct sink_committables *out)
{
    enum push_result result;
    while ((result = sink_log_flush(writer, &err)) == PUSH_FULL)
        ;
    if (result == PUSH_ERROR)
        return err.code;
    return sink_log_prepare(writer, out, &err);
}

/* Appends rows of random sizes to the log and to `want`. */
static enum status append(struct sink_log_writer *writer, struct rng *rng, uint32_t count,
                          size_t size_max, struct buf *want)
{
    static uint8_t row[300000];
    for (uint32_t i = 0; i < count; i++) {
        size_t size = 1 + rng_below(rng, size_max);
        for (size_t b = 0; b < size; b += 97)
            row[b] = (uint8_t)rng_below(rng, 256);
        if (sink_log_append(writer, row, size, 1, &err) != PUSH_DONE)
            return err.code;
        buf_append(want, row, size);
    }
    return OK;
}

static enum status read_all(struct sink_log *log, const struct sink_committables *list,
                            struct buf *out)
{
    for (uint32_t i = 0; i < list->count; i++)
        TRY(sink_log_read(log, &list->items[i], out, &err));
    return OK;
}

TEST(rows_come_back_as_they_were)
{
    static const struct {
        uint32_t count;
        size_t size_max;
    } ways[] = {{3, 10}, {1000, 100}, {200, 300000}, {60000, 3}, {1, 1}};
    for (size_t way = 0; way < sizeof(ways) / sizeof(ways[0]); way++) {
        struct sink_log *log;
        struct sink_log_writer *writer;
        struct sink_committables list = {0};
        struct buf want, got;
        struct rng rng;
        setup();
        rng_init(&rng, way);
        buf_init(&want, 1u << 30);
        buf_init(&got, 1u << 30);
        CHECK_INT(open_log(&log, NULL), OK);
        CHECK_INT(sink_log_writer_open(log, 3, &wake, &writer, &err), OK);
        for (int epoch = 0; epoch < 3; epoch++) {
            CHECK_INT(append(writer, &rng, ways[way].count, ways[way].size_max, &want), OK);
            CHECK_INT(flush(writer, &list), OK);
            CHECK_INT(flush(writer, &list), OK); /* nothing came: nothing is added */
        }
        CHECK_INT(files(), 3);
        for (uint32_t i = 0; i < list.count; i++) {
            CHECK(list.items[i].row_count <= SINK_COMMIT_ROWS_MAX);
            CHECK(list.items[i].size_bytes <= SINK_COMMIT_BYTES_MAX);
        }
        sink_log_writer_close(writer);
        sink_log_close(log);
        simio_crash(io); /* a power cut: what was prepared is there */
        CHECK_INT(open_log(&log, &list), OK);
        CHECK_INT(read_all(log, &list, &got), OK);
        CHECK_INT(got.length, want.length);
        CHECK(memcmp(got.data, want.data, want.length) == 0);
        for (uint32_t i = 0; i < list.count; i++)
            sink_log_forget(log, &list.items[i]);
        CHECK_INT(files(), 0);
        sink_log_close(log);
        sink_committables_drop(&list, list.count);
        buf_fini(&want);
        buf_fini(&got);
        simio_free(io);
    }
}

TEST(what_was_not_prepared_or_is_not_pending_is_taken_away)
{
    struct sink_log *log;
    struct sink_log_writer *writer;
    struct sink_committables list = {0}, none = {0};
    struct buf want;
    struct rng rng;
    setup();
    rng_init(&rng, 1);
    buf_init(&want, 1u << 20);
    CHECK_INT(open_log(&log, NULL), OK);
    CHECK_INT(sink_log_writer_open(log, 0, &wake, &writer, &err), OK);
    CHECK_INT(append(writer, &rng, 10, 100, &want), OK);
    CHECK_INT(flush(writer, &list), OK);
    CHECK_INT(append(writer, &rng, 10, 100, &want), OK);
    CHECK_INT(sink_log_flush(writer, &err), PUSH_DONE);
    CHECK_INT(files(), 2);
    sink_log_writer_close(writer); /* the second was not prepared */
    CHECK_INT(files(), 1);
    sink_log_close(log);
    CHECK_INT(open_log(&log, &list), OK);
    CHECK_INT(files(), 1);
    sink_log_close(log);
    CHECK_INT(open_log(&log, &none), OK);
    CHECK_INT(files(), 0);
    sink_log_close(log);
    sink_committables_drop(&list, list.count);
    buf_fini(&want);
    simio_free(io);
}

static char the_path[200];

static enum status take_path(void *unused, const char *name, struct error *error)
{
    snprintf(the_path, sizeof(the_path), "%s/%s", DIRECTORY, name);
    return OK;
}

TEST(any_flipped_bit_and_any_cut_is_told)
{
    struct sink_log *log;
    struct sink_log_writer *writer;
    struct sink_committables list = {0};
    struct buf want, got, bytes;
    struct rng rng;
    struct io_file *file;
    setup();
    rng_init(&rng, 1);
    buf_init(&want, 1u << 20);
    buf_init(&got, 1u << 20);
    buf_init(&bytes, 1u << 20);
    CHECK_INT(open_log(&log, NULL), OK);
    CHECK_INT(sink_log_writer_open(log, 0, &wake, &writer, &err), OK);
    CHECK_INT(append(writer, &rng, 4, 20, &want), OK);
    CHECK_INT(flush(writer, &list), OK);
    CHECK_INT(list.count, 1);
    CHECK_INT(io_list(io, DIRECTORY, take_path, NULL, &err), OK);
    CHECK_INT(io_read_file(io, the_path, &bytes, &err), OK);
    CHECK_INT(io_open(io, the_path, IO_WRITE, &file, &err), OK);
    for (size_t bit = 0; bit < bytes.length * 8; bit++) {
        uint8_t byte = bytes.data[bit / 8] ^ (uint8_t)(1u << (bit % 8));
        CHECK_INT(io_pwrite(io, file, &byte, 1, bit / 8, &err), OK);
        struct error told = {0};
        buf_clear(&got);
        CHECK_INT(sink_log_read(log, &list.items[0], &got, &told), ERR_CORRUPT);
        CHECK(told.fatal);
        CHECK_INT(io_pwrite(io, file, &bytes.data[bit / 8], 1, bit / 8, &err), OK);
    }
    char *committable = (char *)list.items[0].bytes.data;
    for (size_t bit = 0; bit < list.items[0].bytes.length * 8; bit++) {
        committable[bit / 8] ^= (char)(1 << (bit % 8));
        struct error told = {0};
        buf_clear(&got);
        CHECK_INT(sink_log_read(log, &list.items[0], &got, &told), ERR_CORRUPT);
        committable[bit / 8] ^= (char)(1 << (bit % 8));
    }
    for (size_t size = bytes.length; size-- > 0;) {
        struct error told = {0};
        CHECK_INT(io_truncate(io, file, size, &err), OK);
        buf_clear(&got);
        CHECK_INT(sink_log_read(log, &list.items[0], &got, &told), ERR_CORRUPT);
    }
    io_close(io, file);
    sink_log_writer_close(writer);
    sink_log_close(log);
    sink_committables_drop(&list, list.count);
    buf_fini(&want);
    buf_fini(&got);
    buf_fini(&bytes);
    simio_free(io);
}

/* A log opened, written, read and forgotten; its own errors are the result. */
static enum status whole_life(void)
{
    struct sink_log *log = NULL;
    struct sink_log_writer *writer = NULL;
    struct sink_committables list = {0};
    struct buf want, got;
    struct rng rng;
    rng_init(&rng, 1);
    buf_init(&want, 1u << 20);
    buf_init(&got, 1u << 20);
    enum status status = open_log(&log, NULL);
    if (status == OK)
        status = sink_log_writer_open(log, 0, &wake, &writer, &err);
    for (int epoch = 0; epoch < 2 && status == OK; epoch++) {
        status = append(writer, &rng, 5, 50, &want);
        if (status == OK)
            status = flush(writer, &list);
    }
    if (status == OK)
        status = read_all(log, &list, &got);
    if (status == OK)
        status = buf_check(&want, "rows", &err);
    if (status == OK) {
        must(got.length == want.length && memcmp(got.data, want.data, got.length) == 0);
        for (uint32_t i = 0; i < list.count; i++)
            sink_log_forget(log, &list.items[i]);
    }
    sink_log_writer_close(writer);
    sink_log_close(log);
    sink_committables_drop(&list, list.count);
    buf_fini(&want);
    buf_fini(&got);
    return status;
}

TEST(every_call_of_the_disk_may_fail)
{
    static const enum simio_fault faults[] = {SIMIO_READ, SIMIO_WRITE, SIMIO_SYNC, SIMIO_OPEN};
    for (size_t f = 0; f < sizeof(faults) / sizeof(faults[0]); f++)
        for (uint64_t at = 1;; at++) {
            setup();
            simio_fail(io, faults[f], at, 5);
            enum status status = whole_life();
            CHECK(status == OK || err.text[0]);
            if (status != OK) {
                err = (struct error){0};
                simio_fail(io, faults[f], 0, 0);
                CHECK_INT(whole_life(), OK);
                CHECK_INT(files(), 0);
            }
            simio_free(io);
            if (status == OK)
                break;
            CHECK(at < 200);
        }
}

TEST(every_allocation_may_fail)
{
    for (uint64_t at = 1;; at++) {
        setup();
        mem_fail_after(at);
        enum status status = whole_life();
        mem_fail_after(0);
        CHECK(status == OK || status == ERR_MEMORY);
        simio_free(io);
        if (status == OK)
            break;
        CHECK(at < 500);
    }
}
