/* main.c - finds the command. */
#include "cli/cli.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
};

static const struct command COMMANDS[] = {
    {"run", command_run},     {"explain", command_explain}, {"broker", command_broker},
    {"topic", command_topic}, {"job", command_job},         {"demo", command_demo},
    {"init", command_init},   {"version", command_version}, {"help", command_help},
    {"--help", command_help}, {"-h", command_help},         {"--version", command_version},
};

/* Commands of the design that are not there: an error that says so. */
static const char *const NOT_BUILT[] = {"sql"};

static int unknown(const char *name)
{
    struct error err = {0};
    const char *names[sizeof(COMMANDS) / sizeof(*COMMANDS)];
    for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(*COMMANDS); i++)
        names[i] = COMMANDS[i].name;
    for (size_t i = 0; i < sizeof(NOT_BUILT) / sizeof(*NOT_BUILT); i++) {
        if (str_eq(str_of(name), str_of(NOT_BUILT[i]))) {
            error_set(&err, ERR_UNSUPPORTED, "the command '%s' is not built", name);
            return fail_usage(&err);
        }
    }
    error_set(&err, ERR_USAGE, "there is no command '%s'", name);
    const char *nearest = str_nearest(str_of(name), names, sizeof(COMMANDS) / sizeof(*COMMANDS));
    if (nearest)
        error_hint(&err, "did you mean '%s'? 'leat help' lists the commands", nearest);
    else
        error_hint(&err, "'leat help' lists the commands");
    return fail_usage(&err);
}

static bool wants_help(int argc, char **argv) /* leat run --help */
{
    return argc == 3 && argv[1][0] != '-' &&
           (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0);
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return command_help(0, NULL);
    for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(*COMMANDS); i++)
        if (str_eq(str_of(argv[1]), str_of(COMMANDS[i].name)))
            return wants_help(argc, argv) ? command_help(1, argv + 1)
                                          : COMMANDS[i].run(argc - 2, argv + 2);
    return unknown(argv[1]);
}
