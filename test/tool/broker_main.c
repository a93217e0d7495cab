/* broker_main.c - the broker alone, as a program for the system tests and the bench: what
 * `leat broker` is to a user, without the rest of leat.
 *
 *   broker_main DIR [HOST:]PORT [KEY=VALUE]...      keys: durability=power|process,
 * auto=true|false, partitions=N, max-request=BYTES, producer-expiry=MS, group-delay=MS,
 * group-min-session=MS, group-max-size=N. Prints "listening on HOST:PORT" and ends on SIGINT or
 * SIGTERM.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"

static struct loop *the_loop;

static void stop(int number)
{
    loop_stop(the_loop); /* an atomic store and a write: fine in a signal handler */
}

static bool setting(struct broker_settings *settings, const char *text)
{
    uint64_t number = 0;
    struct str key = str_of(text), value = {0};
    const char *equals = strchr(text, '=');
    if (!equals)
        return false;
    key.length = (size_t)(equals - text);
    value = str_of(equals + 1);
    (void)str_to_u64(value, &number, NULL);
    if (str_eq(key, STR("durability")))
        settings->durability = str_eq(value, STR("process")) ? LOG_PROCESS : LOG_POWER;
    else if (str_eq(key, STR("auto")))
        settings->no_auto_create = str_eq(value, STR("false"));
    else if (str_eq(key, STR("partitions")))
        settings->partition_count = (uint32_t)number;
    else if (str_eq(key, STR("max-request")))
        settings->max_request_bytes = (uint32_t)number;
    else if (str_eq(key, STR("producer-expiry")))
        settings->producer_expiry_ms = (int64_t)number;
    else if (str_eq(key, STR("group-delay")))
        settings->group_initial_delay_ms = number ? (int64_t)number : -1;
    else if (str_eq(key, STR("group-min-session")))
        settings->group_min_session_ms = (int64_t)number;
    else if (str_eq(key, STR("group-max-size")))
        settings->group_max_members = (uint32_t)number;
    else
        return false;
    return true;
}

static enum status run(struct broker_settings *settings, struct error *err)
{
    struct broker *broker = NULL;
    struct io_file *lock = NULL;
    char path[4096];
    enum status status = io_make_directories(settings->io, settings->directory, err);
    snprintf(path, sizeof(path), "%s/leat.lock", settings->directory);
    if (status == OK)
        status = settings->io->ops->lock(settings->io, path, &lock, err);
    if (status == OK)
        status = loop_new(&settings->loop, settings->io, err);
    if (status == OK)
        status = io_pool_new(&settings->pool, "io", 4, err);
    if (status == OK)
        status = broker_open(&broker, settings, err);
    if (status == OK) {
        struct sigaction action = {.sa_handler = stop};
        the_loop = settings->loop;
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        printf("listening on %s:%u\n", broker_address(broker)->host, broker_address(broker)->port);
        fflush(stdout);
        status = loop_run(settings->loop, err);
        enum status closed = broker_close(broker, status == OK ? err : NULL);
        if (status == OK)
            status = closed;
    }
    if (settings->pool)
        io_pool_free(settings->pool);
    loop_free(settings->loop);
    if (lock)
        settings->io->ops->close(settings->io, lock);
    return status;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct broker_settings settings = {.io = io_real()};
    if (argc < 3) {
        fprintf(stderr, "usage: broker_main DIR [HOST:]PORT [KEY=VALUE]...\n");
        return 2;
    }
    char address[300];
    snprintf(address, sizeof(address), strchr(argv[2], ':') ? "%s" : "127.0.0.1:%s", argv[2]);
    settings.directory = argv[1];
    enum status status = socket_address_parse(&settings.listen, address, 9092, &err);
    for (int i = 3; status == OK && i < argc; i++)
        if (!setting(&settings, argv[i]))
            status = error_set(&err, ERR_USAGE, "unknown setting '%s'", argv[i]);
    if (status == OK)
        status = run(&settings, &err);
    if (status == OK)
        return 0;
    fprintf(stderr, "broker_main: %s%s%s\n", err.text, err.hint[0] ? "; " : "", err.hint);
    return status == ERR_USAGE ? 2 : 1;
}
