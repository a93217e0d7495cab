/* process.c - what one process has: memory limit, I/O pool, data directory, embedded broker.
 *
 * The broker runs on an event loop with a thread of its own. It starts when --broker asks for it or
 * when a table first says 'embedded'; without --broker it has a log but no listener.
 */
#include "cli/cli.h"

#include <stddef.h>

#include "base/must.h"
#include "broker/broker.h"
#include "os/zonefile.h"

#define IO_POOL_THREADS 8

struct embedded {
    struct mutex mutex; /* of opening */
    bool open;
    struct io_file *lock;
    struct loop *loop;
    struct io_pool *sync_pool;
    struct broker *broker;
    struct thread *thread;
    struct mem_owner owner;
    char address[300];
};

static enum status embedded_log(const struct plugin_context *context, struct log **out,
                                struct error *err)
{
    struct process *process = context->process;
    TRY(process_open_broker(process, err));
    *out = broker_log(process->embedded->broker);
    return OK;
}

enum status process_init(struct process *process, struct error *err)
{
    *process = (struct process){.data_directory = "leat-data"};
    mem_owner_init(&process->memory, NULL, "process");
    process->memory.limit_setting = "leat.memory.limit";
    process->embedded = mem_calloc(1, sizeof(*process->embedded));
    if (!process->embedded)
        return error_memory(err, "the process", sizeof(*process->embedded));
    mutex_init(&process->embedded->mutex);
    const struct zone *zone;
    TRY(zonefile_local(&zone, err));
    TRY(io_pool_new(&process->pool, "leat-io", IO_POOL_THREADS, err));
    process->context = (struct plugin_context){
        .io = io_real(),
        .io_pool = process->pool,
        .owner = &process->memory,
        .zone = zone,
        .embedded_log = embedded_log,
        .process = process,
        .data_directory = process->data_directory,
        .output_fd = 1,
    };
    return OK;
}

/* No default values here: parsing one key must leave the others alone. */
static const struct option_def SETTINGS[] = {
    {.key = "leat.memory.limit",
     .kind = OPTION_BYTES,
     .offset = offsetof(struct process, memory.limit_bytes),
     .help = "The most memory of the whole process ('2 gb'); what would go above it fails with an "
             "error that names this setting. Without it there is no limit."},
    {.key = "leat.worker-threads",
     .kind = OPTION_INT,
     .offset = offsetof(struct process, worker_threads),
     .min_value = 1,
     .max_value = 1024,
     .help = "Threads that run the jobs; without it as many as there are cores."},
};

const struct option_def *process_settings(size_t *count)
{
    *count = COUNT_OF(SETTINGS);
    return SETTINGS;
}

enum status process_set(struct process *process, struct str key, struct str value,
                        struct error *err)
{
    const struct option_given given = {.key = key, .value = value};
    struct arena arena;
    if (!option_find(SETTINGS, COUNT_OF(SETTINGS), key))
        return ERR_NAME;
    arena_init(&arena, NULL, 1u << 20);
    enum status status = option_parse(SETTINGS, COUNT_OF(SETTINGS), &given, 1, NULL, "the process",
                                      process, &arena, err);
    arena_fini(&arena);
    return status;
}

static void run_loop(void *context)
{
    struct embedded *embedded = context;
    struct error err = {0};
    if (loop_run(embedded->loop, &err) != OK)
        fprintf(stderr, "leat: the broker's event loop: %s\n", err.text);
}

static enum status open_broker(struct process *process, struct error *err)
{
    struct embedded *embedded = process->embedded;
    struct io *io = process->context.io;
    char path[4096];
    TRY(io_make_directories(io, process->data_directory, err));
    snprintf(path, sizeof(path), "%s/LOCK", process->data_directory);
    enum status status = io->ops->lock(io, path, &embedded->lock, err);
    if (status == ERR_LOCKED)
        error_hint(err, "another leat works on this data directory: give a different --data");
    TRY(status);
    mem_owner_init(&embedded->owner, &process->memory, "broker");
    TRY(loop_new(&embedded->loop, io, err));
    TRY(io_pool_new(&embedded->sync_pool, "leat-sync", 2, err));
    const struct broker_settings settings = {
        .io = io,
        .loop = embedded->loop,
        .pool = embedded->sync_pool,
        .directory = process->data_directory,
        .owner = &embedded->owner,
        .no_listen = !process->listen,
        .listen = process->address,
        .listen_try_next = !process->address_given,
    };
    TRY(broker_open(&embedded->broker, &settings, err));
    if (process->listen) {
        const struct socket_address *address = broker_address(embedded->broker);
        snprintf(embedded->address, sizeof(embedded->address), "%s:%u", address->host,
                 address->port);
        process->context.embedded_address = embedded->address;
    }
    return thread_start(&embedded->thread, "leat-loop", run_loop, embedded, err);
}

static enum status close_broker(struct embedded *embedded, struct io *io, struct error *err)
{
    enum status status = OK;
    if (embedded->thread) {
        loop_stop(embedded->loop);
        thread_join(embedded->thread);
    }
    if (embedded->broker)
        status = broker_close(embedded->broker, err);
    if (embedded->sync_pool)
        io_pool_free(embedded->sync_pool);
    if (embedded->loop)
        loop_free(embedded->loop);
    if (embedded->lock)
        io->ops->close(io, embedded->lock);
    embedded->thread = NULL;
    embedded->broker = NULL;
    embedded->sync_pool = NULL;
    embedded->loop = NULL;
    embedded->lock = NULL;
    return status;
}

enum status process_open_broker(struct process *process, struct error *err)
{
    struct embedded *embedded = process->embedded;
    enum status status = OK;
    mutex_lock(&embedded->mutex);
    if (!embedded->open) {
        process->context.data_directory = process->data_directory;
        status = open_broker(process, err);
        embedded->open = status == OK;
        if (status != OK) {
            struct error ignored = {0};
            enum status closed = close_broker(embedded, process->context.io, &ignored);
            (void)closed; /* the first error is the one to report */
        }
    }
    mutex_unlock(&embedded->mutex);
    return status;
}

enum status process_fini(struct process *process, struct error *err)
{
    enum status status = OK;
    if (process->embedded) {
        status = close_broker(process->embedded, process->context.io, err);
        mutex_fini(&process->embedded->mutex);
        mem_free(process->embedded);
    }
    if (process->pool)
        io_pool_free(process->pool);
    return status;
}
