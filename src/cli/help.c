/* help.c - `leat help [WORD...]` and `leat version`: one word or phrase of the tables that the code
 * runs on, or all of a kind. */
#include "cli/help.h"

#include "base/must.h"

#define LEAT_VERSION "0.1.0"
#define NAMES_MAX    2048
#define TOPIC_MAX    256

const struct command_help COMMAND_HELP[] = {
    {"demo", "leat demo [NAME] [options]", "Run an example, from inside the executable.",
     DEMO_ARGUMENTS},
    {"init", "leat init NAME DIR", "Write the files of an example into a directory.", NULL},
    {"run", "leat run [options] FILE.sql... | -e SQL",
     "Run the statements in order: INSERTs become jobs, a SELECT prints its rows.", RUN_ARGUMENTS},
    {"explain", "leat explain [options] FILE.sql... | -e SQL",
     "Check the statements and show plans without running anything.", EXPLAIN_ARGUMENTS},
    {"broker", "leat broker [options]", "The embedded Kafka-protocol broker alone.",
     BROKER_ARGUMENTS},
    {"topic",
     "leat topic list | create NAME | describe NAME | delete NAME... | tail NAME [options]",
     "Topics of a running broker.", TOPIC_ARGUMENTS},
    {"job",
     "leat job list | show JOB | why JOB | savepoint JOB [DIR] | stop JOB [DIR] [--drain] | cancel "
     "JOB [options]",
     "Jobs of a running leat that has HTTP, by name or id; why one gives no output; with DIR, stop "
     "makes a savepoint there.",
     JOB_ARGUMENTS},
    {"help", "leat help [COMMAND | STATEMENT | FUNCTION | TYPE | CONNECTOR | FORMAT | OPTION]",
     "What it does and takes. Also: statements, functions, types, connectors, formats, settings.",
     NULL},
    {"version", "leat version", "The version.", NULL},
    {NULL, NULL, NULL, NULL},
};

/* ---- options */

void help_argument(struct buf *out, const struct argument_def *argument)
{
    buf_append_text(out, argument->name);
    if (argument->kind == ARGUMENT_OPTIONAL_VALUE)
        buf_printf(out, " [%s]", argument->value);
    else if (argument->value)
        buf_printf(out, " %s", argument->value);
}

void help_values(struct buf *out, const struct option_def *option)
{
    bool bounded = option->min_value != 0 || option->max_value != 0;
    switch (option->kind) {
    case OPTION_BOOL:
        buf_append_text(out, "true | false");
        break;
    case OPTION_INT:
        if (bounded && option->max_value < INT64_MAX)
            buf_printf(out, "integer, %lld to %lld", (long long)option->min_value,
                       (long long)option->max_value);
        else if (bounded)
            buf_printf(out, "integer, at least %lld", (long long)option->min_value);
        else
            buf_append_text(out, "integer");
        break;
    case OPTION_DOUBLE:
        buf_append_text(out, "number");
        break;
    case OPTION_BYTES:
        buf_append_text(out, "size: 64 kb, 1 gb");
        break;
    case OPTION_DURATION:
        buf_append_text(out, "duration: 500 ms, 10 s, 5 min");
        break;
    case OPTION_ENUM:
        for (size_t i = 0; option->choices[i]; i++)
            buf_printf(out, "%s%s", i ? " | " : "", option->choices[i]);
        break;
    case OPTION_LIST:
        buf_append_text(out, "texts, separated by ;");
        break;
    case OPTION_PREFIX:
        buf_append_text(out, "keys that begin so");
        break;
    default:
        buf_append_text(out, "text");
        break;
    }
}

static void print_option(const struct option_def *option)
{
    struct buf values;
    buf_init(&values, 64 << 10);
    help_values(&values, option);
    printf("  %-36s %s%s%s%s (%s)\n", option->key, option->help ? option->help : "",
           option->required ? " Required." : "", option->default_value ? " Default: " : "",
           option->default_value ? option->default_value : "", buf_text(&values));
    buf_fini(&values);
}

static void print_options(const struct option_def *defs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        print_option(&defs[i]);
}

static void print_arguments(const struct argument_def *defs)
{
    for (; defs && defs->name; defs++) {
        struct buf left;
        buf_init(&left, 4096);
        help_argument(&left, defs);
        printf("  %-24s %s\n", buf_text(&left), defs->help);
        buf_fini(&left);
    }
}

/* ---- one topic; each prints what it has of this name and says whether that was anything */

static bool help_command(const char *topic)
{
    for (const struct command_help *command = COMMAND_HELP; command->name; command++) {
        if (strcmp(topic, command->name) == 0) {
            printf("%s\n%s\n", command->use, command->help);
            print_arguments(command->arguments);
            return true;
        }
    }
    return false;
}

static bool help_sql(const char *topic)
{
    size_t count;
    bool found = false;
    const struct sql_topic *topics = sql_topics(&count);
    for (size_t i = 0; i < count; i++) {
        if (str_eq_nocase(str_of(topic), str_of(topics[i].name))) {
            printf("%s%s\n%s\n\n%s\n", found ? "\n" : "", topics[i].syntax, topics[i].help,
                   topics[i].example);
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

static bool help_plugin(const char *topic)
{
    bool found = false;
    for (const struct connector_class *const *c = CLI_REGISTRY.connectors; *c; c++) {
        if (strcmp(topic, (*c)->name) == 0) {
            printf("connector '%s'%s%s: %s\n", (*c)->name, (*c)->source ? " source" : "",
                   (*c)->sink ? " sink" : "", (*c)->help);
            print_options((*c)->options, (*c)->option_count);
            if ((*c)->source) {
                printf("of every table that is read:\n");
                print_options(PLUGIN_TABLE_OPTIONS, PLUGIN_TABLE_OPTION_COUNT);
            }
            found = true;
        }
    }
    for (const struct format_class *const *f = CLI_REGISTRY.formats; *f; f++) {
        if (strcmp(topic, (*f)->name) == 0) {
            printf("format '%s' (its options begin with '%s.' in a table): %s\n", (*f)->name,
                   (*f)->name, (*f)->help);
            print_options((*f)->options, (*f)->option_count);
            found = true;
        }
    }
    return found;
}

static bool help_option_of(const char *owner, const struct option_def *defs, size_t count,
                           const char *topic)
{
    char one[TOPIC_MAX + 8]; /* "properties" is any of "properties." */
    snprintf(one, sizeof(one), "%s.NAME", topic);
    const struct option_def *found = option_find(defs, count, str_of(topic));
    if (!found)
        found = option_find(defs, count, str_of(one));
    if (!found)
        return false;
    printf("%s\n", owner);
    print_option(found);
    return true;
}

static bool help_option(const char *topic)
{
    size_t count;
    char owner[128];
    const struct option_def *settings = session_settings(&count);
    bool found = help_option_of("setting (SET, --set)", settings, count, topic);
    settings = process_settings(&count);
    found |= help_option_of("setting of the process (--set)", settings, count, topic);
    found |= help_option_of("option of every table that is read", PLUGIN_TABLE_OPTIONS,
                            PLUGIN_TABLE_OPTION_COUNT, topic);
    for (const struct connector_class *const *c = CLI_REGISTRY.connectors; *c; c++) {
        snprintf(owner, sizeof(owner), "option of connector '%s'", (*c)->name);
        found |= help_option_of(owner, (*c)->options, (*c)->option_count, topic);
    }
    for (const struct format_class *const *f = CLI_REGISTRY.formats; *f; f++) {
        size_t length = strlen((*f)->name);
        bool prefixed = strncmp(topic, (*f)->name, length) == 0 && topic[length] == '.';
        snprintf(owner, sizeof(owner), "option of format '%s', written '%s.%s'", (*f)->name,
                 (*f)->name, prefixed ? topic + length + 1 : topic);
        found |= help_option_of(owner, (*f)->options, (*f)->option_count,
                                prefixed ? topic + length + 1 : topic);
    }
    return found;
}

/* ---- all of a kind */

static bool help_topics(enum sql_chapter first, enum sql_chapter last)
{
    size_t count;
    const struct sql_topic *topics = sql_topics(&count);
    for (size_t i = 0; i < count; i++)
        if (topics[i].chapter >= first && topics[i].chapter <= last)
            printf("  %-24s %s\n", topics[i].name, topics[i].help);
    return true;
}

static bool help_functions(void)
{
    size_t count;
    const struct function_def *const *functions = function_table(&count);
    for (size_t i = 0; i < count; i++)
        printf("  %-24s %s\n", functions[i]->name, functions[i]->help);
    const struct aggregate_def *const *aggregates = aggregate_table(&count);
    printf("aggregates:\n");
    for (size_t i = 0; i < count; i++)
        printf("  %-24s %s\n", aggregates[i]->name, aggregates[i]->help);
    printf("special forms:\n");
    return help_topics(SQL_FORM, SQL_FORM);
}

static bool help_settings(void)
{
    size_t count;
    const struct option_def *settings = session_settings(&count);
    printf("settings (SET 'key' = 'value', or --set key=value):\n");
    print_options(settings, count);
    settings = process_settings(&count);
    printf("settings of the process (--set key=value):\n");
    print_options(settings, count);
    return true;
}

static bool help_connectors(void)
{
    for (const struct connector_class *const *c = CLI_REGISTRY.connectors; *c; c++)
        printf("  %-24s %s\n", (*c)->name, (*c)->help);
    return true;
}

static bool help_formats(void)
{
    for (const struct format_class *const *f = CLI_REGISTRY.formats; *f; f++)
        printf("  %-24s %s\n", (*f)->name, (*f)->help);
    return true;
}

static bool help_kind(const char *topic)
{
    if (strcmp(topic, "statements") == 0)
        return help_topics(SQL_STATEMENT, SQL_CLAUSE);
    if (strcmp(topic, "functions") == 0)
        return help_functions();
    if (strcmp(topic, "types") == 0)
        return help_topics(SQL_TYPE, SQL_TYPE);
    if (strcmp(topic, "connectors") == 0)
        return help_connectors();
    if (strcmp(topic, "formats") == 0)
        return help_formats();
    return strcmp(topic, "settings") == 0 && help_settings();
}

static void help_all(void)
{
    printf("leat %s - real-time pipelines in SQL\n\n", LEAT_VERSION);
    for (const struct command_help *command = COMMAND_HELP; command->name; command++)
        printf("  %-46s %s\n", command->name[0] == 'h' ? "leat help [WORD]" : command->use,
               command->help);
    printf("\nconnectors:");
    for (const struct connector_class *const *c = CLI_REGISTRY.connectors; *c; c++)
        printf(" %s", (*c)->name);
    printf("\nformats:   ");
    for (const struct format_class *const *f = CLI_REGISTRY.formats; *f; f++)
        printf(" %s", (*f)->name);
    printf("\n\nleat demo shows what it is for.\n");
}

/* ---- nearest names */

struct names {
    size_t count;
    const char *names[NAMES_MAX];
};

static void add_name(struct names *names, const char *name)
{
    if (names->count < NAMES_MAX)
        names->names[names->count++] = name;
}

static void add_keys(struct names *names, const struct option_def *defs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        add_name(names, defs[i].key);
}

static void add_all(struct names *names)
{
    static const char *const kinds[] = {"statements", "functions", "types",
                                        "connectors", "formats",   "settings"};
    size_t count;
    for (const struct command_help *command = COMMAND_HELP; command->name; command++)
        add_name(names, command->name);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        add_name(names, kinds[i]);
    for (const struct connector_class *const *c = CLI_REGISTRY.connectors; *c; c++) {
        add_name(names, (*c)->name);
        add_keys(names, (*c)->options, (*c)->option_count);
    }
    for (const struct format_class *const *f = CLI_REGISTRY.formats; *f; f++) {
        add_name(names, (*f)->name);
        add_keys(names, (*f)->options, (*f)->option_count);
    }
    add_keys(names, PLUGIN_TABLE_OPTIONS, PLUGIN_TABLE_OPTION_COUNT);
    const struct option_def *settings = session_settings(&count);
    add_keys(names, settings, count);
    settings = process_settings(&count);
    add_keys(names, settings, count);
    const struct sql_topic *topics = sql_topics(&count);
    for (size_t i = 0; i < count; i++)
        add_name(names, topics[i].name);
    const struct function_def *const *functions = function_table(&count);
    for (size_t i = 0; i < count; i++)
        add_name(names, functions[i]->name);
    const struct aggregate_def *const *aggregates = aggregate_table(&count);
    for (size_t i = 0; i < count; i++)
        add_name(names, aggregates[i]->name);
}

static int no_help(const char *topic)
{
    static struct names names;
    struct error err = {0};
    bool flink = false;
    error_set(&err, ERR_NAME, "there is no help on '%s'", topic);
    add_all(&names);
    const char *nearest = str_nearest(str_of(topic), names.names, names.count);
    if (!function_find(str_of(topic), &flink) && !flink)
        (void)aggregate_find(str_of(topic), &flink);
    if (flink)
        error_hint(&err, "Flink has a function of that name, leat has not built it");
    else if (nearest)
        error_hint(&err, "did you mean '%s'? 'leat help' lists the commands", nearest);
    else
        error_hint(&err, "'leat help' lists the commands");
    return fail_usage(&err);
}

static int command_help_page(int argc, char **argv)
{
    struct error err = {0};
    if (argc != 1)
        error_set(&err, ERR_USAGE, "help --markdown needs the name of one page");
    if (argc != 1 || help_page(argv[0], &err) != OK)
        return fail_usage(&err);
    return EXIT_FINE;
}

int command_help(int argc, char **argv)
{
    char topic[TOPIC_MAX] = "";
    size_t length = 0;
    if (argc == 0) {
        help_all();
        return EXIT_FINE;
    }
    if (strcmp(argv[0], "--markdown") == 0)
        return command_help_page(argc - 1, argv + 1);
    for (int i = 0; i < argc && length < sizeof(topic); i++) /* CREATE TABLE is two words */
        length +=
            (size_t)snprintf(topic + length, sizeof(topic) - length, "%s%s", i ? " " : "", argv[i]);
    bool found = help_command(topic);
    found |= help_kind(topic);
    found |= help_sql(topic);
    found |= help_function(topic);
    found |= help_plugin(topic);
    found |= help_option(topic);
    return found ? EXIT_FINE : no_help(topic);
}

int command_version(int argc, char **argv)
{
    printf("leat %s\n", LEAT_VERSION);
    return EXIT_FINE;
}
