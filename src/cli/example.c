/* example.c - the examples inside the executable: `leat demo`, `leat init`.
 *
 * An example is a directory of examples/: tables.embedded.sql, pipeline.sql, dashboard.json and a
 * README.md whose first line is "# NAME: what it shows". Wherever run and explain take a file,
 * "example:NAME/FILE" is one of these, and that is how demo runs them: it only puts the command
 * line of `leat run` together.
 */
#include "cli/cli.h"

#include "base/embedded.h"
#include "base/must.h"

extern const struct embedded_file EXAMPLE_FILES[]; /* generated from examples/ */

#define PREFIX         "example:"
#define EXAMPLES_MAX   32
#define DEMO_WORDS_MAX 256
#define PATH_TEXT_MAX  4096

const struct argument_def DEMO_ARGUMENTS[] = {
    {"--list", ARGUMENT_FLAG, NULL, "list the examples"},
    {"--data", ARGUMENT_VALUE, "DIR", "data directory (default ./leat-demo/NAME)"},
    {"--broker", ARGUMENT_VALUE, "HOST:PORT",
     "where Kafka clients connect (default 127.0.0.1:9092, or the next free port)"},
    {"--http", ARGUMENT_VALUE, "HOST:PORT",
     "where the page is (default 127.0.0.1:8080, or the next free port)"},
    {"--var", ARGUMENT_VALUE, "NAME=VALUE", "replaces ${NAME} in the example's files: rate=100"},
    {"--set", ARGUMENT_VALUE, "KEY=VALUE", "as SQL's SET"},
    {NULL, ARGUMENT_FLAG, NULL, NULL},
};
static const struct argument_def INIT_ARGUMENTS[] = {
    {NULL, ARGUMENT_FLAG, NULL, NULL},
};

static const struct embedded_file *find_file(const char *example, const char *file)
{
    char name[256];
    snprintf(name, sizeof(name), "%s/%s", example, file);
    for (const struct embedded_file *each = EXAMPLE_FILES; each->name; each++)
        if (strcmp(each->name, name) == 0)
            return each;
    return NULL;
}

static struct str example_name(const struct embedded_file *file)
{
    return (struct str){file->name, strcspn(file->name, "/")};
}

/* The names of all examples in texts; the count. */
static size_t example_names(char texts[EXAMPLES_MAX][64], const char *names[EXAMPLES_MAX])
{
    size_t count = 0;
    for (const struct embedded_file *file = EXAMPLE_FILES; file->name; file++) {
        struct str name = example_name(file);
        if (count && str_eq(name, str_of(names[count - 1])))
            continue;
        must(count < EXAMPLES_MAX);
        snprintf(texts[count], sizeof(texts[count]), "%.*s", (int)name.length, name.data);
        names[count] = texts[count];
        count++;
    }
    return count;
}

static enum status check_example(const char *name, struct error *err)
{
    char texts[EXAMPLES_MAX][64];
    const char *names[EXAMPLES_MAX];
    size_t count = example_names(texts, names);
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return OK;
    error_set(err, ERR_USAGE, "there is no example '%s'", name);
    const char *nearest = str_nearest(str_of(name), names, count);
    if (nearest)
        error_hint(err, "did you mean '%s'? 'leat demo --list' lists the examples", nearest);
    else
        error_hint(err, "'leat demo --list' lists the examples");
    return ERR_USAGE;
}

bool example_path(const char *path)
{
    return strncmp(path, PREFIX, strlen(PREFIX)) == 0;
}

enum status example_read(const char *path, struct buf *out, struct error *err)
{
    for (const struct embedded_file *file = EXAMPLE_FILES; file->name; file++) {
        if (strcmp(path + strlen(PREFIX), file->name) == 0) {
            buf_append(out, file->data, file->size_bytes);
            return buf_check(out, path, err);
        }
    }
    return error_set(err, ERR_NOT_FOUND, "there is no file '%s' in the examples",
                     path + strlen(PREFIX));
}

/* The README's first line behind "# NAME: ". */
static struct str title(const char *name)
{
    const struct embedded_file *file = find_file(name, "README.md");
    if (!file)
        return (struct str){"", 0};
    const char *text = (const char *)file->data;
    size_t length = strcspn(text, "\n"), skip = strlen("# ") + strlen(name) + strlen(": ");
    return length > skip ? (struct str){text + skip, length - skip} : (struct str){text, length};
}

static int list_examples(void)
{
    char texts[EXAMPLES_MAX][64];
    const char *names[EXAMPLES_MAX];
    size_t count = example_names(texts, names);
    for (size_t i = 0; i < count; i++) {
        struct str what = title(names[i]);
        printf("%-16s %.*s\n", names[i], (int)what.length, what.data);
    }
    return EXIT_FINE;
}

/* ---- demo */

struct demo {
    const char *name;
    const char *data;
    int word_count;
    char *words[DEMO_WORDS_MAX];
    char texts[8][PATH_TEXT_MAX];
    int text_count;
    bool list, has_broker;
};

static enum status add_word(struct demo *demo, const char *word, struct error *err)
{
    if (demo->word_count == DEMO_WORDS_MAX)
        return error_set(err, ERR_LIMIT, "at most %d arguments", DEMO_WORDS_MAX);
    demo->words[demo->word_count++] = (char *)word; /* run only reads them */
    return OK;
}

static enum status add_text(struct demo *demo, const char *option, struct error *err,
                            const char *format, ...) PRINTF_LIKE(4, 5);
static enum status add_text(struct demo *demo, const char *option, struct error *err,
                            const char *format, ...)
{
    char *text = demo->texts[demo->text_count++];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(text, PATH_TEXT_MAX, format, list);
    va_end(list);
    if (length >= PATH_TEXT_MAX)
        return error_set(err, ERR_LIMIT, "the path is too long");
    if (option)
        TRY(add_word(demo, option, err));
    return add_word(demo, text, err);
}

static enum status demo_arguments(struct demo *demo, struct arguments *arguments, struct error *err)
{
    struct argument argument;
    enum status status;
    while ((status = arguments_next(arguments, &argument, err)) == OK) {
        if (!argument.def) {
            if (demo->name)
                return error_set(err, ERR_USAGE, "demo runs one example, not '%s' too",
                                 argument.value);
            demo->name = argument.value;
        } else if (strcmp(argument.def->name, "--list") == 0) {
            demo->list = true;
        } else if (strcmp(argument.def->name, "--data") == 0) {
            demo->data = argument.value;
        } else if (strcmp(argument.def->name, "--broker") == 0) {
            demo->has_broker = true;
            TRY(add_text(demo, NULL, err, "--broker=%s", argument.value));
        } else {
            TRY(add_word(demo, argument.def->name, err));
            TRY(add_word(demo, argument.value, err));
        }
    }
    return status == ERR_END ? OK : status;
}

/* The rest of run's command line. Of a variable given twice the first counts. */
static enum status demo_complete(struct demo *demo, struct error *err)
{
    if (!demo->name)
        demo->name = "ecommerce";
    TRY(check_example(demo->name, err));
    if (!demo->data) {
        snprintf(demo->texts[demo->text_count], PATH_TEXT_MAX, "leat-demo/%s", demo->name);
        demo->data = demo->texts[demo->text_count++];
    }
    if (!demo->has_broker)
        TRY(add_word(demo, "--broker", err));
    TRY(add_word(demo, "--data", err));
    TRY(add_word(demo, demo->data, err));
    TRY(add_text(demo, "--dashboard", err, PREFIX "%s/dashboard.json", demo->name));
    TRY(add_text(demo, "--var", err, "database=%s/%s.db", demo->data, demo->name));
    TRY(add_text(demo, NULL, err, PREFIX "%s/tables.embedded.sql", demo->name));
    return add_text(demo, NULL, err, PREFIX "%s/pipeline.sql", demo->name);
}

int command_demo(int argc, char **argv)
{
    struct arguments arguments = {.count = argc, .words = argv, .defs = DEMO_ARGUMENTS};
    struct error err = {0};
    struct demo *demo = mem_calloc(1, sizeof(*demo));
    if (!demo) {
        error_memory(&err, "the demo", sizeof(*demo));
        return fail_usage(&err);
    }
    int code;
    if (demo_arguments(demo, &arguments, &err) != OK ||
        (!demo->list && demo_complete(demo, &err) != OK)) {
        code = fail_usage(&err);
    } else if (demo->list) {
        code = list_examples();
    } else {
        struct str what = title(demo->name);
        fprintf(stderr,
                "%s: %.*s\n"
                "Data: %s (kept; remove it to begin anew). Ctrl-C ends.\n",
                demo->name, (int)what.length, what.data, demo->data);
        code = command_run(demo->word_count, demo->words);
    }
    mem_free(demo);
    return code;
}

/* ---- init */

static enum status join(char out[PATH_TEXT_MAX], const char *directory, const char *name,
                        struct error *err)
{
    if (snprintf(out, PATH_TEXT_MAX, "%s/%s", directory, name) >= PATH_TEXT_MAX)
        return error_set(err, ERR_LIMIT, "the path '%s' is too long", directory);
    return OK;
}

/* Calls for each file of the example with its path in directory. */
static enum status each_file(const char *example, const char *directory,
                             enum status (*call)(const char *path, const struct embedded_file *file,
                                                 struct error *err),
                             struct error *err)
{
    char path[PATH_TEXT_MAX];
    for (const struct embedded_file *file = EXAMPLE_FILES; file->name; file++) {
        if (!str_eq(example_name(file), str_of(example)))
            continue;
        TRY(join(path, directory, file->name + strlen(example) + 1, err));
        TRY(call(path, file, err));
    }
    return OK;
}

static enum status refuse_existing(const char *path, const struct embedded_file *file,
                                   struct error *err)
{
    struct io *io = io_real();
    struct io_stat stat;
    struct error ignored = {0};
    if (io->ops->stat(io, path, &stat, &ignored) != OK)
        return OK;
    error_set(err, ERR_EXISTS, "the file '%s' is there already; nothing was written", path);
    error_hint(err, "give another directory");
    return ERR_EXISTS;
}

static enum status write_file(const char *path, const struct embedded_file *file, struct error *err)
{
    TRY(io_publish(io_real(), path, file->data, file->size_bytes, err));
    printf("%s\n", path);
    return OK;
}

int command_init(int argc, char **argv)
{
    struct arguments arguments = {.count = argc, .words = argv, .defs = INIT_ARGUMENTS};
    struct argument argument;
    struct error err = {0};
    const char *given[2] = {NULL, NULL};
    int count = 0;
    enum status status;
    while ((status = arguments_next(&arguments, &argument, &err)) == OK && count < 2)
        given[count++] = argument.value;
    if (status != ERR_END || count != 2) {
        if (status == OK || status == ERR_END)
            error_set(&err, ERR_USAGE, "init needs an example and a directory: leat init NAME DIR");
        return fail_usage(&err);
    }
    status = check_example(given[0], &err);
    if (status == OK)
        status = each_file(given[0], given[1], refuse_existing, &err);
    if (status == OK)
        status = io_make_directories(io_real(), given[1], &err);
    if (status == OK)
        status = each_file(given[0], given[1], write_file, &err);
    return status == OK ? EXIT_FINE : fail_usage(&err);
}
