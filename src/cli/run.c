/* run.c - `leat run` and `leat explain`: statements of files and -e texts in order.
 *
 * INSERTs become jobs that run beside what follows, a SELECT prints its rows and is waited for, and
 * the command ends when all jobs have ended. explain checks everything and runs nothing.
 */
#include "cli/cli.h"

#define SCRIPT_ARENA_MAX ((size_t)1 << 30)

const struct argument_def RUN_ARGUMENTS[] = {
    {"-e", ARGUMENT_VALUE, "SQL", "run this text; may be given several times, in order with files"},
    {"--data", ARGUMENT_VALUE, "DIR", "data directory (default ./leat-data)"},
    {"--broker", ARGUMENT_OPTIONAL_VALUE, "HOST:PORT",
     "also listen for Kafka clients (default 127.0.0.1:9092, or the next free port)"},
    {"--http", ARGUMENT_VALUE, "HOST:PORT",
     "serve the page and the REST API there (default 127.0.0.1:8080, or the next free port)"},
    {"--dashboard", ARGUMENT_VALUE, "FILE.json",
     "serve this dashboard (and so HTTP); may be given several times"},
    {"--no-http", ARGUMENT_FLAG, NULL, "serve no page, also while jobs run that have no end"},
    {"--again", ARGUMENT_FLAG, NULL, "also run jobs anew that have finished before"},
    {"--accept-duplicates", ARGUMENT_FLAG, NULL,
     "go on where a table has rows that the checkpoint does not know of: they may come twice"},
    {"--from", ARGUMENT_VALUE, "SAVEPOINT",
     "begin from this savepoint, the job of its name; may be given several times"},
    {"--allow-changed-query", ARGUMENT_FLAG, NULL,
     "go on from checkpoints of another statement with what of their state still fits"},
    {"--set", ARGUMENT_VALUE, "KEY=VALUE", "as SQL's SET; also leat.memory.limit, leat.http.hosts"},
    {"--var", ARGUMENT_VALUE, "NAME=VALUE", "replaces ${NAME} in the files"},
    {"--result", ARGUMENT_VALUE, "FORM", "how a SELECT prints: table, changelog, json or csv"},
    {NULL, ARGUMENT_FLAG, NULL, NULL},
};
const struct argument_def EXPLAIN_ARGUMENTS[] = {
    {"-e", ARGUMENT_VALUE, "SQL", "explain this text"},
    {"--set", ARGUMENT_VALUE, "KEY=VALUE", "as SQL's SET"},
    {"--var", ARGUMENT_VALUE, "NAME=VALUE", "replaces ${NAME} in the files"},
    {NULL, ARGUMENT_FLAG, NULL, NULL},
};

#define SCRIPTS_MAX    1000
#define SAVEPOINTS_MAX 100
#define VARIABLES_MAX  1000

struct script {
    const char *name; /* "pipeline.sql", "-e" */
    const char *path; /* NULL: text is the argument's */
    const char *text;
    struct buf loaded, shown; /* shown: without secrets, for messages */
};

struct run {
    struct process process;
    struct engine *engine;
    struct session *session;
    const char *from[SAVEPOINTS_MAX + 1]; /* ends with NULL */
    bool explain, again, allow_changed_query, accept_duplicates;
    enum result_form form;
    uint32_t script_count, set_count, variable_count, from_count;
    struct script scripts[SCRIPTS_MAX];
    const char *sets[SCRIPTS_MAX];
    struct sql_variable variables[VARIABLES_MAX];
};

static enum status split_pair(const char *text, const char *what, struct str *key,
                              struct str *value, struct error *err)
{
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return error_set(err, ERR_USAGE, "%s needs KEY=VALUE, not '%s'", what, text);
    *key = (struct str){text, (size_t)(equals - text)};
    *value = str_of(equals + 1);
    return OK;
}

static enum status add_script(struct run *run, const char *name, const char *path, const char *text,
                              struct error *err)
{
    if (run->script_count == SCRIPTS_MAX)
        return error_set(err, ERR_LIMIT, "at most %d files and texts", SCRIPTS_MAX);
    run->scripts[run->script_count++] = (struct script){.name = name, .path = path, .text = text};
    return OK;
}

/* At once: what is wrong with it is told before anything runs. */
static enum status load_dashboard(struct run *run, const char *path, struct error *err)
{
    struct dashboard *dashboard = NULL, **at = &run->process.http.dashboards;
    struct buf text;
    buf_init(&text, DASHBOARD_BYTES_MAX);
    enum status status = example_path(path)
                             ? example_read(path, &text, err)
                             : io_read_file(run->process.context.io, path, &text, err);
    if (status == OK)
        status = dashboard_parse(&dashboard, path,
                                 (struct str){(const char *)text.data, text.length}, err);
    buf_fini(&text);
    TRY(status);
    while (*at)
        at = &(*at)->next;
    *at = dashboard;
    return OK;
}

static enum status take_option(struct run *run, const char *name, const char *value,
                               struct error *err)
{
    if (strcmp(name, "-e") == 0)
        return add_script(run, "-e", NULL, value, err);
    if (strcmp(name, "--again") == 0) {
        run->again = true;
    } else if (strcmp(name, "--accept-duplicates") == 0) {
        run->accept_duplicates = true;
    } else if (strcmp(name, "--allow-changed-query") == 0) {
        run->allow_changed_query = true;
    } else if (strcmp(name, "--from") == 0) {
        if (run->from_count == SAVEPOINTS_MAX)
            return error_set(err, ERR_LIMIT, "at most %d savepoints", SAVEPOINTS_MAX);
        run->from[run->from_count++] = value;
    } else if (strcmp(name, "--data") == 0) {
        run->process.data_directory = value;
        run->process.data_given = true;
    } else if (strcmp(name, "--broker") == 0) {
        run->process.listen = true;
        run->process.address_given = value != NULL;
        return socket_address_parse(&run->process.address, value ? value : "127.0.0.1:9092", 9092,
                                    err);
    } else if (strcmp(name, "--http") == 0) {
        run->process.http.wanted = run->process.http.address_given = true;
        return socket_address_parse(&run->process.http.address, value, 8080, err);
    } else if (strcmp(name, "--dashboard") == 0) {
        run->process.http.wanted = true;
        return load_dashboard(run, value, err);
    } else if (strcmp(name, "--no-http") == 0) {
        run->process.http.off = true;
    } else if (strcmp(name, "--set") == 0) {
        if (run->set_count == SCRIPTS_MAX)
            return error_set(err, ERR_LIMIT, "at most %d settings", SCRIPTS_MAX);
        run->sets[run->set_count++] = value;
    } else if (strcmp(name, "--var") == 0) {
        if (run->variable_count == VARIABLES_MAX)
            return error_set(err, ERR_LIMIT, "at most %d variables", VARIABLES_MAX);
        struct sql_variable *variable = &run->variables[run->variable_count++];
        return split_pair(value, "--var", &variable->name, &variable->value, err);
    } else if (!result_form_parse(value, &run->form)) {
        return error_set(err, ERR_USAGE, "--result is table, changelog, json or csv, not '%s'",
                         value);
    }
    return OK;
}

static enum status take_arguments(struct run *run, struct arguments *arguments, struct error *err)
{
    struct argument argument;
    enum status status;
    while ((status = arguments_next(arguments, &argument, err)) == OK) {
        if (!argument.def)
            TRY(add_script(run, argument.value, argument.value, NULL, err));
        else
            TRY(take_option(run, argument.def->name, argument.value, err));
    }
    if (status != ERR_END)
        return status;
    if (run->script_count)
        return OK;
    if (run->explain)
        return error_set(err, ERR_USAGE, "explain needs a file or -e");
    if (run->process.http.off)
        return error_set(err, ERR_USAGE, "--no-http without a file or -e: nothing would be done");
    run->process.http.wanted = true;
    return OK;
}

static enum status apply_sets(struct run *run, struct error *err)
{
    for (uint32_t i = 0; i < run->set_count; i++) {
        struct str key, value;
        TRY(split_pair(run->sets[i], "--set", &key, &value, err));
        enum status status = process_set(&run->process, key, value, err);
        if (status != ERR_NAME) {
            TRY(status);
            continue;
        }
        if (run->session)
            TRY(session_set(run->session, key, value, err));
    }
    return OK;
}

static enum status run_query(struct run *run, struct statement *statement, struct arena *arena,
                             bool *is_job, struct error *err)
{
    struct query_wait *wait;
    struct query_callbacks callbacks;
    struct engine_result result;
    enum status status =
        query_wait_new(&wait, run->form, session_sql(run->session)->function_session->zone, err);
    if (status != OK) {
        sql_statement_fini(statement);
        arena_fini(arena);
        return status;
    }
    query_wait_callbacks(wait, &callbacks);
    status = engine_execute(run->session, statement, arena, &callbacks, &result, err);
    if (status == OK) {
        *is_job = true;
        if (engine_endpoints_wanted(run->engine)) /* its rows come by HTTP */
            status = process_open_http(&run->process, err);
        if (status != OK)
            engine_job_cancel(result.job);
        enum status ended = query_wait_run(wait, result.job, err);
        status = status == OK ? ended : status;
        engine_job_release(result.job);
        engine_result_fini(&result);
    }
    query_wait_free(wait);
    return status;
}

static enum status run_statement(struct run *run, struct statement *statement, struct arena *arena,
                                 bool *is_job, struct error *err)
{
    struct engine_result result;
    if (run->explain &&
        (statement->kind == STATEMENT_INSERT || statement->kind == STATEMENT_SELECT))
        statement->kind = STATEMENT_EXPLAIN;
    if (statement->kind == STATEMENT_SELECT)
        return run_query(run, statement, arena, is_job, err);
    enum status status = engine_execute(run->session, statement, arena, NULL, &result, err);
    *is_job = status != OK && result.job; /* an INSERT that was waited for */
    TRY(status);
    if (result.kind == RESULT_SKIPPED)
        fprintf(stderr, "%s\n", result.text);
    if (result.kind == RESULT_TEXT || result.kind == RESULT_TABLE)
        status = result_print(&result, run->form, err);
    engine_result_fini(&result);
    return status;
}

/* *is_job: the error is one of a job that ran (exit 1), not of the text. */
static enum status run_text(struct run *run, const char *name, struct str text, bool *is_job,
                            struct error *err)
{
    struct sql_script *script;
    enum status status = OK;
    TRY(sql_script_open(&script, name, text, err));
    while (status == OK && !interrupts_seen()) {
        struct arena arena;
        struct statement statement = {0};
        arena_init(&arena, NULL, SCRIPT_ARENA_MAX);
        *is_job = false; /* the statement before may have been one */
        status = sql_next(script, session_sql(run->session), &arena, &statement, err);
        if (status != OK) {
            arena_fini(&arena);
            break;
        }
        status = run_statement(run, &statement, &arena, is_job, err);
    }
    sql_script_close(script);
    return status == ERR_END ? OK : status;
}

static enum status load(struct run *run, const struct script *script, struct buf *out,
                        struct buf *shown, struct error *err)
{
    struct buf raw;
    enum status status = OK;
    buf_init(&raw, SQL_TEXT_MAX);
    if (script->path && example_path(script->path))
        status = example_read(script->path, &raw, err);
    else if (script->path)
        status = io_read_file(run->process.context.io, script->path, &raw, err);
    else
        buf_append_text(&raw, script->text);
    if (status == OK)
        status = buf_check(&raw, script->name, err);
    if (status == OK)
        status = sql_substitute(out, shown, (struct str){(const char *)raw.data, raw.length},
                                run->variables, run->variable_count,
                                script->path ? run->process.context.io : NULL, err);
    buf_fini(&raw);
    return status;
}

static void print_error(const struct script *script, const struct error *err)
{
    struct buf message;
    buf_init(&message, 1u << 20);
    sql_format_error(&message, script->name,
                     (struct str){(const char *)script->shown.data, script->shown.length}, err);
    fprintf(stderr, "%s%s", buf_text(&message),
            message.length && message.data[message.length - 1] == '\n' ? "" : "\n");
    buf_fini(&message);
}

/* All texts are read before the first statement runs; a --var that none of them names is a slip. */
static int load_all(struct run *run)
{
    struct error err = {0};
    for (uint32_t i = 0; i < run->script_count; i++) {
        struct script *script = &run->scripts[i];
        buf_init(&script->loaded, 2 * (size_t)SQL_TEXT_MAX);
        buf_init(&script->shown, 2 * (size_t)SQL_TEXT_MAX);
        if (load(run, script, &script->loaded, &script->shown, &err) != OK) {
            print_error(script, &err);
            return EXIT_BAD_USAGE;
        }
    }
    for (uint32_t i = 0; i < run->variable_count; i++) {
        struct str name = run->variables[i].name;
        bool used = false;
        for (uint32_t j = 0; j < run->variable_count; j++) /* given twice: one of them */
            used |= str_eq(run->variables[j].name, name) && run->variables[j].used;
        if (used)
            continue;
        error_set(&err, ERR_USAGE, "--var %.*s: no file or text has ${%.*s}", (int)name.length,
                  name.data, (int)name.length, name.data);
        return fail_usage(&err);
    }
    return EXIT_FINE;
}

static int run_script(struct run *run, const struct script *script)
{
    struct error err = {0};
    bool is_job = false;
    struct str text = {(const char *)script->loaded.data, script->loaded.length};
    if (run_text(run, script->name, text, &is_job, &err) == OK)
        return EXIT_FINE;
    print_error(script, &err);
    return is_job ? EXIT_JOB_FAILED : EXIT_BAD_USAGE;
}

static enum status start(struct run *run, struct error *err)
{
    TRY(apply_sets(run, err)); /* the process' own */
    run->process.context.data_directory = run->process.data_directory;
    if (run->process.listen) {
        TRY(process_open_broker(&run->process, err));
        fprintf(stderr, "Kafka clients: %s\n", run->process.context.embedded_address);
    }
    const struct engine_config config = {
        .registry = &CLI_REGISTRY,
        .context = &run->process.context,
        .owner = &run->process.memory,
        .worker_threads = (uint32_t)run->process.worker_threads,
        .security_roots = process_roots(&run->process),
        .checkpoints = {.directory = process_data_directory,
                        .is_named = run->process.data_given || run->process.listen ||
                                    run->process.http.wanted,
                        .context = &run->process,
                        .again = run->again,
                        .from = run->from_count ? run->from : NULL,
                        .allow_changed_query = run->allow_changed_query,
                        .accept_duplicates = run->accept_duplicates},
    };
    TRY(engine_new(&run->engine, &config, err));
    run->process.engine = run->engine;
    if (run->process.http.wanted)
        TRY(process_open_http(&run->process, err));
    TRY(engine_session_new(&run->session, run->engine, err));
    return apply_sets(run, err);
}

static void say_wrong(void *context, const struct error *err)
{
    fprintf(stderr, "leat: %s\n", err->text);
    if (err->hint[0])
        fprintf(stderr, "      %s\n", err->hint);
}

/* A server runs until a signal; else until all jobs have ended, with a page when that is never. */
static int wait_for_all(struct run *run)
{
    struct error err = {0};
    bool endless = jobs_endless(run->engine), needed = engine_endpoints_wanted(run->engine);
    process_check_dashboards(&run->process, say_wrong);
    if (!run->script_count) {
        interrupts_wait();
    } else if (needed || (endless && !run->process.http.off)) {
        if (process_open_http(&run->process, &err) != OK) {
            fprintf(stderr, "leat: no page: %s\n", err.text);
            if (needed) /* its rows would never come */
                return EXIT_BAD_USAGE;
        }
    }
    return jobs_wait(run->engine);
}

static int finish(struct run *run, int code)
{
    struct error err = {0};
    for (uint32_t i = 0; i < run->script_count; i++) {
        buf_fini(&run->scripts[i].loaded);
        buf_fini(&run->scripts[i].shown);
    }
    interrupts_stage("requests and pages");
    interrupts_watch(NULL);
    engine_session_free(run->session);
    process_close_http(&run->process);
    engine_free(run->engine);
    interrupts_stage("the broker's last sync");
    if (process_fini(&run->process, &err) != OK) {
        fprintf(stderr, "leat: %s\n", err.text);
        code = EXIT_JOB_FAILED;
    }
    interrupts_over();
    return code;
}

/* A savepoint that no job has taken up: its rows would be missing. */
static int check_savepoints(struct run *run)
{
    struct error err = {0};
    const char *unused = interrupts_seen() ? NULL : engine_savepoint_unused(run->engine);
    if (!unused)
        return EXIT_FINE;
    error_set(&err, ERR_USAGE, "--from %s: no job of these statements has its name", unused);
    error_hint(&err, "SET 'pipeline.name' names a job; without it it has the target table's name");
    return fail_usage(&err);
}

static int run_all(struct run *run, struct arguments *arguments)
{
    struct error err = {0};
    int code = EXIT_FINE;
    if (interrupts_start(&err) != OK || process_init(&run->process, &err) != OK ||
        socket_address_parse(&run->process.http.address, "127.0.0.1:8080", 8080, &err) != OK ||
        take_arguments(run, arguments, &err) != OK)
        return finish(run, fail_usage(&err));
    code = load_all(run);
    if (code == EXIT_FINE && start(run, &err) != OK)
        code = fail_usage(&err);
    interrupts_watch(run->engine);
    for (uint32_t i = 0; i < run->script_count && code == EXIT_FINE && !interrupts_seen(); i++)
        code = run_script(run, &run->scripts[i]);
    if (code == EXIT_FINE)
        code = check_savepoints(run);
    if (code == EXIT_FINE)
        code = wait_for_all(run);
    return finish(run, code);
}

static int command(int argc, char **argv, bool explain)
{
    struct arguments arguments = {
        .count = argc, .words = argv, .defs = explain ? EXPLAIN_ARGUMENTS : RUN_ARGUMENTS};
    struct run *run = mem_calloc(1, sizeof(*run));
    if (!run) {
        fprintf(stderr, "leat: no memory\n");
        return EXIT_JOB_FAILED;
    }
    run->explain = explain;
    int code = run_all(run, &arguments);
    mem_free(run);
    return code;
}

int command_run(int argc, char **argv)
{
    return command(argc, argv, false);
}

int command_explain(int argc, char **argv)
{
    return command(argc, argv, true);
}
