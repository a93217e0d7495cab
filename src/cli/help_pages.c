/* help_pages.c - pages of docs/ that are made of tables: `leat help --markdown PAGE`. script/docs
 * writes them, and a check finds those that are stale. */
#include "cli/help.h"

#include "base/must.h"

#include <stdlib.h>

#define NOTE "<!-- made by script/docs; change the table it comes from, not this page -->\n\n"

/* Text within a cell of a table, or within `...` there: a bar would end the cell. */
static void print_cell(const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            putchar('\\');
        putchar(*text == '\n' ? ' ' : *text);
    }
}

static void print_code(const char *text)
{
    putchar('`');
    print_cell(text);
    putchar('`');
}

static void print_options(const struct option_def *defs, size_t count)
{
    struct buf values;
    printf("| option | values | default | what |\n| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < count; i++) {
        const char *text = defs[i].default_value;
        buf_init(&values, 64 << 10);
        help_values(&values, &defs[i]);
        printf("| `%s` | ", defs[i].key);
        print_cell(buf_text(&values));
        printf(" | ");
        if (defs[i].required)
            printf("required");
        else if (text)
            print_code(text);
        printf(" | ");
        print_cell(defs[i].help ? defs[i].help : "");
        printf(" |\n");
        buf_fini(&values);
    }
}

static void page_commands(void)
{
    printf(
        "# Commands\n\n" NOTE
        "Exit codes: 0 all jobs finished or were stopped cleanly, 1 a job failed, 2 usage or SQL "
        "error. Rows go to standard output, everything else to standard error.\n");
    for (const struct command_help *command = COMMAND_HELP; command->name; command++) {
        printf("\n## %s\n\n```\n%s\n```\n\n%s\n", command->name, command->use, command->help);
        if (!command->arguments)
            continue;
        printf("\n| option | what |\n| --- | --- |\n");
        for (const struct argument_def *argument = command->arguments; argument->name; argument++) {
            struct buf text;
            buf_init(&text, 4096);
            help_argument(&text, argument);
            printf("| ");
            print_code(buf_text(&text));
            printf(" | ");
            print_cell(argument->help);
            printf(" |\n");
            buf_fini(&text);
        }
    }
}

static void page_settings(void)
{
    size_t count;
    const struct option_def *settings = session_settings(&count);
    printf("# Settings\n\n" NOTE
           "## Of a session\n\n`SET 'key' = 'value';` in SQL, or `--set key=value` of `leat run`. "
           "Names are Flink's where Flink has the setting.\n\n");
    print_options(settings, count);
    settings = process_settings(&count);
    printf("\n## Of the process\n\n`--set key=value` of `leat run` and `leat broker`.\n\n");
    print_options(settings, count);
}

static void print_metadata(const struct source_class *source)
{
    struct buf type;
    printf("\nMetadata columns:");
    for (size_t i = 0; i < source->metadata_count; i++) {
        buf_init(&type, 4096);
        type_format(&type, source->metadata[i].type);
        printf("%s `%s` (%s)", i ? "," : "", source->metadata[i].key, buf_text(&type));
        buf_fini(&type);
    }
    printf(".\n");
}

static void page_connectors(void)
{
    printf("# Connectors and formats\n\n" NOTE
           "`CREATE TABLE ... WITH ('connector' = 'NAME', 'format' = 'NAME', ...)`. Names and "
           "options are Flink's; an unknown option is an error with the nearest name.\n");
    for (const struct connector_class *const *c = CLI_REGISTRY.connectors; *c; c++) {
        const struct source_class *source = (*c)->source;
        const struct sink_class *sink = (*c)->sink;
        printf("\n## Connector %s\n\n%s %s\n\n", (*c)->name, (*c)->help,
               source && sink ? "Source and sink."
               : source       ? "Source."
                              : "Sink.");
        if ((*c)->option_count)
            print_options((*c)->options, (*c)->option_count);
        else
            printf("No options.\n");
        if (source && source->metadata_count)
            print_metadata(source);
        if ((source && source->needs_format) || (sink && sink->needs_format))
            printf("\nIt needs a `format`.\n");
    }
    printf("\n## Every table that is read\n\n");
    print_options(PLUGIN_TABLE_OPTIONS, PLUGIN_TABLE_OPTION_COUNT);
    for (const struct format_class *const *f = CLI_REGISTRY.formats; *f; f++) {
        printf("\n## Format %s\n\n%s\n\n", (*f)->name, (*f)->help);
        if ((*f)->option_count) {
            printf("In a table the options are written `'%s.OPTION'`.\n\n", (*f)->name);
            print_options((*f)->options, (*f)->option_count);
        } else {
            printf("No options.\n");
        }
    }
}

static int compare_family(const void *a, const void *b)
{
    const struct function_def *left = *(const struct function_def *const *)a;
    const struct function_def *right = *(const struct function_def *const *)b;
    int order = strcmp(left->family, right->family);
    return order ? order : strcmp(left->name, right->name);
}

static void print_row(const char *signature, const char *help)
{
    printf("| ");
    print_code(signature);
    printf(" | ");
    print_cell(help);
    printf(" |\n");
}

static void page_functions(void)
{
    size_t count;
    const struct function_def *const *table = function_table(&count);
    const struct function_def *sorted[1024];
    must(count <= COUNT_OF(sorted));
    memcpy(sorted, table, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare_family);
    printf("# Functions\n\n" NOTE "Special forms as `CASE`, `CAST` and `COALESCE` are in the [SQL "
           "reference](sql-reference.md).\n");
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || strcmp(sorted[i - 1]->family, sorted[i]->family) != 0)
            printf("\n## %c%s\n\n| function | what |\n| --- | --- |\n",
                   sorted[i]->family[0] - 'a' + 'A', sorted[i]->family + 1);
        print_row(sorted[i]->signature, sorted[i]->help);
    }
    const struct aggregate_def *const *aggregates = aggregate_table(&count);
    printf("\n## Aggregates\n\n| function | what |\n| --- | --- |\n");
    for (size_t i = 0; i < count; i++)
        print_row(aggregates[i]->signature, aggregates[i]->help);
}

static void page_of_server(const char *title, void (*document)(struct buf *out))
{
    struct buf text;
    buf_init(&text, 1u << 20);
    document(&text);
    printf("# %s\n\n" NOTE "%s", title, buf_text(&text));
    buf_fini(&text);
}

static void page_rest(void)
{
    page_of_server("REST API", server_document_routes);
}

static void page_metrics(void)
{
    page_of_server("Metrics", server_document_metrics);
}

static void page_sql(void)
{
    static const char *const titles[SQL_CHAPTER_COUNT] = {"Statements", "Clauses", "Special forms",
                                                          "Types"};
    size_t count;
    const struct sql_topic *topics = sql_topics(&count);
    printf("# SQL reference\n\n" NOTE
           "leat's SQL is Flink SQL; what is different is in [differences](differences.md). "
           "[Functions](functions.md), [connectors and formats](connectors.md) and "
           "[settings](settings.md) have pages of their own. `${NAME}` and `${NAME:-DEFAULT}` in a "
           "file are replaced by `--var NAME=VALUE`; `${env:NAME}` and `${file:PATH}` read "
           "secrets.\n\nThe examples use these tables:\n\n```sql\n%s```\n",
           SQL_REFERENCE_TABLES);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || topics[i].chapter != topics[i - 1].chapter) {
            printf("\n## %s\n", titles[topics[i].chapter]);
            if (topics[i].chapter >= SQL_FORM)
                printf("\n| form | what | example |\n| --- | --- | --- |\n");
        }
        if (topics[i].chapter >= SQL_FORM) {
            printf("| ");
            print_code(topics[i].syntax);
            printf(" | ");
            print_cell(topics[i].help);
            printf(" | ");
            print_code(topics[i].example);
            printf(" |\n");
        } else {
            printf("\n### %s\n\n```\n%s\n```\n\n%s\n\n```sql\n%s\n```\n", topics[i].name,
                   topics[i].syntax, topics[i].help, topics[i].example);
        }
    }
}

static const struct {
    const char *name;
    void (*print)(void);
} PAGES[] = {
    {"commands", page_commands}, {"connectors", page_connectors}, {"functions", page_functions},
    {"settings", page_settings}, {"sql-reference", page_sql},     {"rest-api", page_rest},
    {"metrics", page_metrics},
};

enum status help_page(const char *name, struct error *err)
{
    for (size_t i = 0; i < COUNT_OF(PAGES); i++) {
        if (strcmp(name, PAGES[i].name) == 0) {
            PAGES[i].print();
            return OK;
        }
    }
    error_set(err, ERR_NAME, "there is no page '%s'", name);
    error_hint(err, "there are: commands, connectors, functions, metrics, rest-api, settings, "
                    "sql-reference");
    return ERR_NAME;
}
