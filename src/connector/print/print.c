/* print.c - the print connector: rows as lines to standard output or standard error.
 *
 *   task: write() --> filling (text) --> taken over by a job of the I/O pool --> descriptor
 *
 * The pool writes one text while the task fills the other; at WAITING_MAX bytes the task has to
 * wait. Each writer's lines stay in order and whole; writers of several subtasks mix by blocks of
 * lines. mutex guards all of a writer but what the pool writes at the moment.
 */
#include "connector/print/print.h"

#include <stddef.h>
#include <stdio.h>

#include "base/must.h"
#include "connector/print/print_int.h"
#include "os/descriptor.h"

#define WAITING_MAX (1u << 20) /* text waiting before the task waits too */
#define TEXT_MAX    (1u << 30)
#define STDERR_FD   2

struct print_options {
    const char *identifier;
    bool standard_error;
};

static const struct option_def OPTIONS[] = {
    {.key = "print-identifier",
     .kind = OPTION_STRING,
     .offset = offsetof(struct print_options, identifier),
     .help = "Printed before each row, followed by '> '."},
    {.key = "standard-error",
     .kind = OPTION_BOOL,
     .offset = offsetof(struct print_options, standard_error),
     .default_value = "false",
     .help = "Print to standard error instead of standard output."},
};

struct sink {
    struct io_pool *pool;
    int fd;
    uint32_t parallelism;
    char *identifier; /* "" when none was given */
};

struct sink_writer {
    struct sink *sink;
    struct wake *wake;
    struct io_job job;
    struct mutex mutex;
    struct condition idle;
    struct buf filling;
    struct buf writing; /* the pool's while busy */
    bool busy;
    struct error failure; /* of the pool; code OK: none */
    char *prefix;
};

static enum status print_mode(const struct table_description *table, enum sink_mode *out,
                              struct error *err)
{
    *out = SINK_RETRACT;
    return OK;
}

static void print_close(struct sink *sink)
{
    mem_free(sink->identifier);
    mem_free(sink);
}

static enum status print_open(const struct sink_request *request, struct sink **out,
                              struct error *err)
{
    struct print_options options = {0};
    struct sink *sink = NULL;
    struct arena arena;
    arena_init(&arena, NULL, 1u << 20);
    enum status status = plugin_connector_options(OPTIONS, COUNT_OF(OPTIONS), request->table,
                                                  "connector 'print'", &options, &arena, err);
    for (uint32_t i = 0; status == OK && i < request->table->field_count; i++)
        status = print_check_column(&request->table->fields[i], request->table->name, err);
    if (status != OK)
        goto out;
    struct str identifier = str_of(options.identifier);
    sink = mem_calloc(1, sizeof(*sink));
    if (sink)
        sink->identifier = mem_calloc(1, identifier.length + 1);
    if (!sink || !sink->identifier) {
        status = error_memory(err, "connector 'print'", sizeof(*sink));
        goto out;
    }
    if (identifier.length)
        memcpy(sink->identifier, identifier.data, identifier.length);
    sink->pool = request->context->io_pool;
    sink->fd = options.standard_error ? STDERR_FD : request->context->output_fd;
    sink->parallelism = request->parallelism;
    *out = sink;
out:
    if (status != OK && sink)
        print_close(sink);
    arena_fini(&arena);
    return status;
}

/* On a pool thread: writes what the task has filled. */
static void write_out(struct io_job *job)
{
    struct sink_writer *writer = container_of(job, struct sink_writer, job);
    mutex_lock(&writer->mutex);
    struct buf taken = writer->filling;
    writer->filling = writer->writing;
    writer->writing = taken;
    mutex_unlock(&writer->mutex);
    struct error err = {0};
    enum status status =
        descriptor_write(writer->sink->fd, writer->writing.data, writer->writing.length, &err);
    buf_clear(&writer->writing);
    if (status == OK)
        return;
    mutex_lock(&writer->mutex);
    writer->failure = err;
    mutex_unlock(&writer->mutex);
}

/* Goes on while more has come; after busy is cleared the writer may be closed at any time. */
static void written_out(struct io_job *job)
{
    struct sink_writer *writer = container_of(job, struct sink_writer, job);
    mutex_lock(&writer->mutex);
    bool again = writer->filling.length > 0 && writer->failure.code == OK;
    if (!again) {
        writer->busy = false;
        condition_broadcast(&writer->idle);
    }
    wake_notify(writer->wake);
    struct io_pool *pool = writer->sink->pool;
    mutex_unlock(&writer->mutex);
    if (again)
        io_pool_submit(pool, job);
}

static enum status writer_open(struct sink *sink, uint32_t subtask, struct wake *wake,
                               struct sink_writer **out, struct error *err)
{
    size_t prefix_bytes = strlen(sink->identifier) + 32;
    struct sink_writer *writer = mem_calloc(1, sizeof(*writer));
    char *prefix = mem_calloc(1, prefix_bytes);
    if (!writer || !prefix) {
        mem_free(writer);
        mem_free(prefix);
        return error_memory(err, "connector 'print'", sizeof(*writer));
    }
    if (sink->parallelism > 1)
        snprintf(prefix, prefix_bytes, "%s%s%u> ", sink->identifier, sink->identifier[0] ? ":" : "",
                 subtask + 1);
    else if (sink->identifier[0])
        snprintf(prefix, prefix_bytes, "%s> ", sink->identifier);
    writer->sink = sink;
    writer->wake = wake;
    writer->prefix = prefix;
    writer->job.run = write_out;
    writer->job.done = written_out;
    mutex_init(&writer->mutex);
    condition_init(&writer->idle);
    buf_init(&writer->filling, TEXT_MAX);
    buf_init(&writer->writing, TEXT_MAX);
    *out = writer;
    return OK;
}

static enum push_result failed(const struct sink_writer *writer, struct error *err)
{
    if (err)
        *err = writer->failure;
    return PUSH_ERROR;
}

static enum push_result append_rows(struct sink_writer *writer, const struct batch *batch,
                                    struct error *err)
{
    size_t before = writer->filling.length;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        buf_append_text(&writer->filling, writer->prefix);
        print_row(&writer->filling, batch, batch_row(batch, i));
        buf_append_byte(&writer->filling, '\n');
    }
    if (buf_check(&writer->filling, "rows to print", err) == OK)
        return PUSH_DONE;
    writer->filling.length = before;
    return PUSH_ERROR;
}

static enum push_result writer_write(struct sink_writer *writer, struct batch *batch,
                                     struct error *err)
{
    enum push_result result;
    bool start = false;
    mutex_lock(&writer->mutex);
    if (writer->failure.code != OK) {
        result = failed(writer, err);
    } else if (writer->filling.length >= WAITING_MAX) {
        result = PUSH_FULL;
    } else {
        result = append_rows(writer, batch, err);
        start = !writer->busy && writer->filling.length > 0;
        writer->busy |= start;
    }
    mutex_unlock(&writer->mutex);
    if (start)
        io_pool_submit(writer->sink->pool, &writer->job);
    return result;
}

static enum push_result writer_finish(struct sink_writer *writer, struct error *err)
{
    mutex_lock(&writer->mutex);
    enum push_result result = writer->failure.code != OK ? failed(writer, err)
                              : writer->busy             ? PUSH_FULL
                                                         : PUSH_DONE;
    mutex_unlock(&writer->mutex);
    return result;
}

static enum push_result writer_flush(struct sink_writer *writer, uint64_t epoch, struct error *err)
{
    return writer_finish(writer, err);
}

static bool writer_why(struct sink_writer *writer, struct buf *out)
{
    mutex_lock(&writer->mutex);
    bool slow = writer->filling.length >= WAITING_MAX;
    mutex_unlock(&writer->mutex);
    if (slow)
        buf_append_text(out, "print waits for the reader of the output, which does not read.");
    return slow;
}

static void writer_close(struct sink_writer *writer)
{
    mutex_lock(&writer->mutex);
    while (writer->busy)
        condition_wait(&writer->idle, &writer->mutex);
    mutex_unlock(&writer->mutex);
    condition_fini(&writer->idle);
    mutex_fini(&writer->mutex);
    buf_fini(&writer->filling);
    buf_fini(&writer->writing);
    mem_free(writer->prefix);
    mem_free(writer);
}

static const struct sink_class PRINT_SINK = {
    .size = sizeof(struct sink_class),
    .mode = print_mode,
    .open = print_open,
    .writer_open = writer_open,
    .write = writer_write,
    .flush = writer_flush,
    .finish = writer_finish,
    .why = writer_why,
    .writer_close = writer_close,
    .close = print_close,
};

const struct connector_class CONNECTOR_PRINT = {
    .size = sizeof(struct connector_class),
    .name = "print",
    .help = "Prints each row as a line: +I[1, a].",
    .options = OPTIONS,
    .option_count = COUNT_OF(OPTIONS),
    .sink = &PRINT_SINK,
};
