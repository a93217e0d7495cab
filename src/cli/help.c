/* help.c - `leat help [COMMAND | FUNCTION | CONNECTOR | FORMAT | SETTING]` and `leat version`:
 * texts come from the tables that the code runs on. */
#include "cli/cli.h"

#define LEAT_VERSION "0.1.0"

static const struct {
    const char *name, *use, *help;
    const struct argument_def *arguments;
} COMMANDS[] = {
    {"demo", "leat demo [NAME] [options]", "Run an example, from inside the executable.",
     DEMO_ARGUMENTS},
    {"init", "leat init NAME DIR", "Write the files of an example into a directory.",
     INIT_ARGUMENTS},
    {"run", "leat run [options] FILE.sql... | -e SQL",
     "Run the statements in order: INSERTs become jobs, a SELECT prints its rows.", RUN_ARGUMENTS},
    {"explain", "leat explain [options] FILE.sql... | -e SQL",
     "Check the statements and show plans without running anything.", EXPLAIN_ARGUMENTS},
    {"broker", "leat broker [options]", "The embedded Kafka-protocol broker alone.",
     BROKER_ARGUMENTS},
};

static void print_arguments(const struct argument_def *defs)
{
    for (; defs->name; defs++) {
        char left[80];
        snprintf(left, sizeof(left), "%s%s%s%s", defs->name,
                 defs->kind == ARGUMENT_OPTIONAL_VALUE ? "[="
                 : defs->value                         ? " "
                                                       : "",
                 defs->value ? defs->value : "", defs->kind == ARGUMENT_OPTIONAL_VALUE ? "]" : "");
        printf("  %-24s %s\n", left, defs->help);
    }
}

static void print_options(const struct option_def *defs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("  %-36s %s%s%s%s%s\n", defs[i].key, defs[i].help ? defs[i].help : "",
               defs[i].required ? " Required." : "", defs[i].default_value ? " Default: " : "",
               defs[i].default_value ? defs[i].default_value : "",
               defs[i].default_value ? "." : "");
}

static bool help_command(const char *topic)
{
    for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(*COMMANDS); i++) {
        if (strcmp(topic, COMMANDS[i].name) == 0) {
            printf("%s\n%s\n", COMMANDS[i].use, COMMANDS[i].help);
            print_arguments(COMMANDS[i].arguments);
            return true;
        }
    }
    return false;
}

static bool help_plugin(const char *topic)
{
    bool found = false;
    for (const struct connector_class *const *c = CLI_REGISTRY.connectors; *c; c++) {
        if (strcmp(topic, (*c)->name) == 0) {
            printf("connector '%s'%s%s: %s\n", (*c)->name, (*c)->source ? " source" : "",
                   (*c)->sink ? " sink" : "", (*c)->help);
            print_options((*c)->options, (*c)->option_count);
            found = true;
        }
    }
    for (const struct format_class *const *f = CLI_REGISTRY.formats; *f; f++) {
        if (strcmp(topic, (*f)->name) == 0) {
            printf("format '%s': %s\n", (*f)->name, (*f)->help);
            print_options((*f)->options, (*f)->option_count);
            found = true;
        }
    }
    return found;
}

static bool help_function(const char *topic)
{
    const struct function_def *function = function_find(str_of(topic), NULL);
    const struct aggregate_def *aggregate = aggregate_find(str_of(topic), NULL);
    if (function)
        printf("%s\n%s\n", function->signature, function->help);
    if (aggregate)
        printf("%s\n%s\n", aggregate->signature, aggregate->help);
    return function || aggregate;
}

static bool help_setting(const char *topic)
{
    size_t count;
    const struct option_def *settings = session_settings(&count);
    const struct option_def *found = option_find(settings, count, str_of(topic));
    if (found)
        print_options(found, 1);
    return found != NULL;
}

static void help_all(void)
{
    size_t count;
    printf("leat %s - real-time pipelines in SQL\n\n", LEAT_VERSION);
    for (size_t i = 0; i < sizeof(COMMANDS) / sizeof(*COMMANDS); i++)
        printf("  %-46s %s\n", COMMANDS[i].use, COMMANDS[i].help);
    printf("  %-46s %s\n", "leat help [COMMAND | FUNCTION | CONNECTOR | ...]",
           "What it does and takes.");
    printf("  %-46s %s\n\nconnectors:", "leat version", "The version.");
    for (const struct connector_class *const *c = CLI_REGISTRY.connectors; *c; c++)
        printf(" %s", (*c)->name);
    printf("\nformats:   ");
    for (const struct format_class *const *f = CLI_REGISTRY.formats; *f; f++)
        printf(" %s", (*f)->name);
    const struct option_def *settings = session_settings(&count);
    printf("\nsettings (SET 'key' = 'value'):\n");
    print_options(settings, count);
}

int command_help(int argc, char **argv)
{
    if (argc == 0) {
        help_all();
        return EXIT_FINE;
    }
    if (help_command(argv[0]) || help_plugin(argv[0]) || help_function(argv[0]) ||
        help_setting(argv[0]))
        return EXIT_FINE;
    struct error err = {0};
    error_set(&err, ERR_NAME, "there is no help on '%s'", argv[0]);
    return fail_usage(&err);
}

int command_version(int argc, char **argv)
{
    printf("leat %s\n", LEAT_VERSION);
    return EXIT_FINE;
}
