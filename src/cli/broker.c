/* broker.c - `leat broker`: the embedded Kafka-protocol broker alone, until a signal. */
#include "cli/cli.h"

#include "os/signals.h"
#include "os/thread.h"

const struct argument_def BROKER_ARGUMENTS[] = {
    {"--data", ARGUMENT_VALUE, "DIR", "data directory (default ./leat-data)"},
    {"--listen", ARGUMENT_VALUE, "HOST:PORT",
     "where Kafka clients connect (default 127.0.0.1:9092, or the next free port)"},
    {"--set", ARGUMENT_VALUE, "KEY=VALUE", "a setting: leat.memory.limit"},
    {NULL, ARGUMENT_FLAG, NULL, NULL},
};

static struct {
    struct mutex mutex;
    struct condition changed;
    bool stop;
} ending;

static void on_signal(void *context, uint32_t count)
{
    mutex_lock(&ending.mutex);
    ending.stop = true;
    condition_signal(&ending.changed);
    mutex_unlock(&ending.mutex);
}

static enum status take_argument(struct process *process, const struct argument *argument,
                                 struct error *err)
{
    if (!argument->def)
        return error_set(err, ERR_USAGE, "broker takes no argument '%s'", argument->value);
    if (strcmp(argument->def->name, "--data") == 0) {
        process->data_directory = argument->value;
        return OK;
    }
    if (strcmp(argument->def->name, "--listen") == 0) {
        process->address_given = true;
        return socket_address_parse(&process->address, argument->value, 9092, err);
    }
    const char *equals = strchr(argument->value, '=');
    if (!equals)
        return error_set(err, ERR_USAGE, "--set needs KEY=VALUE");
    struct str key = {argument->value, (size_t)(equals - argument->value)};
    enum status status = process_set(process, key, str_of(equals + 1), err);
    if (status == ERR_NAME)
        return error_set(err, ERR_OPTION, "'%.*s' is no setting of the broker", (int)key.length,
                         key.data);
    return status;
}

static enum status prepare(struct process *process, struct arguments *arguments, struct error *err)
{
    struct argument argument;
    enum status status;
    mutex_init(&ending.mutex);
    condition_init(&ending.changed);
    TRY(signals_start(on_signal, NULL, err));
    TRY(process_init(process, err));
    process->listen = true;
    TRY(socket_address_parse(&process->address, "127.0.0.1:9092", 9092, err));
    while ((status = arguments_next(arguments, &argument, err)) == OK)
        TRY(take_argument(process, &argument, err));
    return status == ERR_END ? OK : status;
}

int command_broker(int argc, char **argv)
{
    struct arguments arguments = {.count = argc, .words = argv, .defs = BROKER_ARGUMENTS};
    struct process process = {0};
    struct error err = {0};
    if (prepare(&process, &arguments, &err) != OK)
        return fail_usage(&err);
    if (process_open_broker(&process, &err) != OK) {
        fail_usage(&err);
        error_clear(&err);
        if (process_fini(&process, &err) != OK)
            fail_usage(&err);
        return EXIT_JOB_FAILED;
    }
    fprintf(stderr, "Kafka clients: %s\n", process.context.embedded_address);
    mutex_lock(&ending.mutex);
    while (!ending.stop)
        condition_wait(&ending.changed, &ending.mutex);
    mutex_unlock(&ending.mutex);
    if (process_fini(&process, &err) != OK) {
        fprintf(stderr, "leat: %s\n", err.text);
        return EXIT_JOB_FAILED;
    }
    return EXIT_FINE;
}
