/* process.c - what one process has: memory limit, I/O pool, data directory, event loop with the
 * embedded broker and HTTP on it.
 *
 * The loop's thread starts with the first of the two. The broker starts when --broker asks for it
 * or when a table first says 'embedded'; without --broker it has a log but no listener. HTTP starts
 * when an option asks for it, with the first table that takes rows by it, or when jobs are left
 * that have no end.
 */
#include "cli/cli.h"

#include <stddef.h>

#include "base/must.h"
#include "broker/broker.h"
#include "os/descriptor.h"
#include "os/memory.h"
#include "os/zonefile.h"

#define IO_POOL_THREADS 8
#define END_TIME_US     INT64_C(1000000)

struct shared {
    struct mutex mutex; /* of opening and closing */
    struct io_file *lock;
    struct loop *loop;
    struct thread *thread;
    struct io_pool *sync_pool;
    struct broker *broker;
    struct server *server;
    struct mem_owner broker_owner, http_owner;
    char broker_address[300];
};

static enum status open_broker(struct process *process, struct error *err);
static enum status open_http(struct process *process, struct error *err);

/* ---- what connectors ask for */

static enum status embedded_log(const struct plugin_context *context, struct log **out,
                                struct error *err)
{
    struct process *process = context->process;
    TRY(process_open_broker(process, err));
    *out = broker_log(process->shared->broker);
    return OK;
}

enum status process_init(struct process *process, struct error *err)
{
    *process = (struct process){.data_directory = "leat-data"};
    arena_init(&process->arena, NULL, 1u << 20);
    mem_owner_init(&process->memory, NULL, "process");
    process->memory.limit_setting = "leat.memory.limit";
    process->memory.limit_bytes = memory_of_machine(io_real()) / 5 * 4;
    process->shared = mem_calloc(1, sizeof(*process->shared));
    if (!process->shared)
        return error_memory(err, "the process", sizeof(*process->shared));
    mutex_init(&process->shared->mutex);
    mem_owner_init(&process->shared->broker_owner, &process->memory, "broker");
    mem_owner_init(&process->shared->http_owner, &process->memory, "HTTP");
    const struct zone *zone;
    descriptors_raise_limit();
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
     .help =
         "The most memory of the whole process ('2 gb'; 0: no limit); a job that would go above "
         "it fails with an error that names the operator and the settings that help. Without it "
         "four fifths of the machine's memory, or of what the control group allows."},
    {.key = "leat.worker-threads",
     .kind = OPTION_INT,
     .offset = offsetof(struct process, worker_threads),
     .min_value = 1,
     .max_value = 1024,
     .help = "Threads that run the jobs; without it as many as there are cores."},
    {.key = "leat.http.hosts",
     .kind = OPTION_STRING,
     .offset = offsetof(struct process, http.hosts),
     .help = "Names under which HTTP answers besides those of the loopback addresses, separated by "
             "commas: for a proxy in front of it."},
    {.key = "leat.security.roots",
     .kind = OPTION_STRING,
     .offset = offsetof(struct process, http.roots),
     .help = "Directories, separated by commas, below which tables that are declared by HTTP may "
             "read and write files; without it none."},
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
    if (!option_find(SETTINGS, COUNT_OF(SETTINGS), key))
        return ERR_NAME;
    return option_parse(SETTINGS, COUNT_OF(SETTINGS), &given, 1, NULL, "the process", process,
                        &process->arena, err);
}

const char *const *process_roots(struct process *process)
{
    size_t count = 0;
    char *at = process->http.roots ? arena_strndup(&process->arena, process->http.roots,
                                                   strlen(process->http.roots))
                                   : NULL;
    while (at && *at && count + 1 < COUNT_OF(process->http.root_list)) {
        char *comma = strchr(at, ',');
        if (comma)
            *comma = 0;
        process->http.root_list[count++] = at;
        at = comma ? comma + 1 : NULL;
    }
    process->http.root_list[count] = NULL;
    return process->http.root_list;
}

/* ---- the loop */

static void run_loop(void *context)
{
    struct shared *shared = context;
    struct error err = {0};
    if (loop_run(shared->loop, &err) != OK)
        fprintf(stderr, "leat: the event loop: %s\n", err.text);
}

static enum status lock_directory(struct process *process, struct error *err)
{
    struct io *io = process->context.io;
    char path[4096];
    process->context.data_directory = process->data_directory;
    TRY(io_make_directories(io, process->data_directory, err));
    snprintf(path, sizeof(path), "%s/LOCK", process->data_directory);
    enum status status = io->ops->lock(io, path, &process->shared->lock, err);
    if (status == ERR_LOCKED)
        error_hint(err, "another leat works on this data directory: give a different --data");
    return status;
}

enum status process_data_directory(void *context, bool needed, const char **out, struct error *err)
{
    struct process *process = context;
    *out = NULL;
    if (!needed && !process->data_given && !process->listen && !process->http.wanted)
        return OK;
    mutex_lock(&process->shared->mutex);
    enum status status = process->shared->lock ? OK : lock_directory(process, err);
    mutex_unlock(&process->shared->mutex);
    *out = process->data_directory;
    return status;
}

/* Directory, loop, pool: what both need. The mutex is held. */
static enum status open_ground(struct process *process, struct error *err)
{
    struct shared *shared = process->shared;
    if (!shared->lock)
        TRY(lock_directory(process, err));
    if (!shared->loop)
        TRY(loop_new(&shared->loop, process->context.io, err));
    if (!shared->sync_pool)
        TRY(io_pool_new(&shared->sync_pool, "leat-sync", 2, err));
    return OK;
}

/* Runs a call on the loop's thread when there is one, else here. */
struct loop_call {
    struct loop_message message;
    enum status (*run)(struct process *process, struct error *err);
    struct process *process;
    struct error *err;
    enum status status;
    struct mutex mutex;
    struct condition changed;
    bool done;
};

static void on_call(struct loop_message *message)
{
    struct loop_call *call = (struct loop_call *)message;
    enum status status = call->run(call->process, call->err);
    mutex_lock(&call->mutex);
    call->status = status;
    call->done = true;
    condition_signal(&call->changed);
    mutex_unlock(&call->mutex);
}

static enum status call_on_loop(struct process *process,
                                enum status (*run)(struct process *process, struct error *err),
                                struct error *err)
{
    struct shared *shared = process->shared;
    if (!shared->thread)
        return run(process, err);
    struct loop_call call = {.message.run = on_call, .run = run, .process = process, .err = err};
    mutex_init(&call.mutex);
    condition_init(&call.changed);
    loop_post(shared->loop, &call.message);
    mutex_lock(&call.mutex);
    while (!call.done)
        condition_wait(&call.changed, &call.mutex);
    mutex_unlock(&call.mutex);
    condition_fini(&call.changed);
    mutex_fini(&call.mutex);
    return call.status;
}

static enum status open_on_loop(struct process *process,
                                enum status (*open)(struct process *process, struct error *err),
                                struct error *err)
{
    struct shared *shared = process->shared;
    TRY(open_ground(process, err));
    TRY(call_on_loop(process, open, err));
    return shared->thread ? OK : thread_start(&shared->thread, "leat-loop", run_loop, shared, err);
}

/* ---- broker and HTTP */

static enum status open_broker(struct process *process, struct error *err)
{
    struct shared *shared = process->shared;
    const struct broker_settings settings = {
        .io = process->context.io,
        .loop = shared->loop,
        .pool = shared->sync_pool,
        .directory = process->data_directory,
        .owner = &shared->broker_owner,
        .no_listen = !process->listen,
        .listen = process->address,
        .listen_try_next = !process->address_given,
    };
    TRY(broker_open(&shared->broker, &settings, err));
    if (process->listen) {
        const struct socket_address *address = broker_address(shared->broker);
        snprintf(shared->broker_address, sizeof(shared->broker_address), "%s:%u", address->host,
                 address->port);
        process->context.embedded_address = shared->broker_address;
    }
    if (shared->server)
        server_set_broker(shared->server, shared->broker);
    return OK;
}

static enum status open_http(struct process *process, struct error *err)
{
    struct shared *shared = process->shared;
    const struct server_settings settings = {
        .io = process->context.io,
        .loop = shared->loop,
        .owner = &shared->http_owner,
        .engine = process->engine,
        .listen = process->http.address,
        .listen_try_next = !process->http.address_given,
        .hosts = process->http.hosts,
        .data_directory = process->data_directory,
        .dashboards = process->http.dashboards,
    };
    process->http.dashboards = NULL;
    TRY(server_open(&shared->server, &settings, err));
    server_set_broker(shared->server, shared->broker);
    return OK;
}

enum status process_open_broker(struct process *process, struct error *err)
{
    struct shared *shared = process->shared;
    mutex_lock(&shared->mutex);
    enum status status = shared->broker ? OK : open_on_loop(process, open_broker, err);
    mutex_unlock(&shared->mutex);
    return status;
}

enum status process_open_http(struct process *process, struct error *err)
{
    struct shared *shared = process->shared;
    enum status status = OK;
    bool fresh = false;
    mutex_lock(&shared->mutex);
    if (process->http.off && !shared->server) {
        status = error_set(err, ERR_USAGE, "HTTP is needed, but --no-http forbids it");
    } else if (!shared->server) {
        status = open_on_loop(process, open_http, err);
        fresh = status == OK;
    }
    mutex_unlock(&shared->mutex);
    if (!fresh)
        return status;
    if (process->engine)
        TRY(engine_endpoints_open(process->engine, err));
    fprintf(stderr, "page: %s\n", server_url(shared->server)); /* all paths are there now */
    return OK;
}

void process_check_dashboards(struct process *process,
                              void (*each)(void *context, const struct error *err))
{
    if (process->shared->server)
        server_check_dashboards(process->shared->server, each, NULL);
}

/* ---- the end */

static enum status close_http(struct process *process, struct error *err)
{
    server_close(process->shared->server);
    process->shared->server = NULL;
    return OK;
}

void process_close_http(struct process *process)
{
    struct shared *shared = process->shared;
    struct error err = {0};
    if (!shared || !shared->server)
        return;
    server_end(shared->server, shared->thread ? END_TIME_US : 0);
    if (process->engine)
        engine_endpoints_close(process->engine);
    enum status status = call_on_loop(process, close_http, &err);
    (void)status; /* cannot fail */
}

static enum status close_rest(struct shared *shared, struct io *io, struct error *err)
{
    enum status status = OK;
    if (shared->thread) {
        loop_stop(shared->loop);
        thread_join(shared->thread);
    }
    if (shared->broker)
        status = broker_close(shared->broker, err);
    if (shared->sync_pool)
        io_pool_free(shared->sync_pool);
    if (shared->loop)
        loop_free(shared->loop);
    if (shared->lock)
        io->ops->close(io, shared->lock);
    return status;
}

enum status process_fini(struct process *process, struct error *err)
{
    enum status status = OK;
    struct shared *shared = process->shared;
    if (shared) {
        process_close_http(process);
        status = close_rest(shared, process->context.io, err);
        mem_owner_fini(&shared->http_owner);
        mem_owner_fini(&shared->broker_owner);
        mutex_fini(&shared->mutex);
        mem_free(shared);
    }
    while (process->http.dashboards) { /* HTTP was not opened */
        struct dashboard *dashboard = process->http.dashboards;
        process->http.dashboards = dashboard->next;
        dashboard_free(dashboard);
    }
    if (process->pool)
        io_pool_free(process->pool);
    arena_fini(&process->arena);
    return status;
}
