/* job.c - `leat job`: the jobs of a running leat, by its REST interface. */
#include "cli/cli.h"

#include <inttypes.h>

#include "base/calendar.h"
#include "base/must.h"
#include "cli/client.h"
#include "os/path.h"

#define CELL_BYTES  40
#define CELLS_BYTES (64u << 20)

const struct argument_def JOB_ARGUMENTS[] = {
    {"--data", ARGUMENT_VALUE, "DIR", "data directory of the leat to ask (default leat-data)"},
    {"--server", ARGUMENT_VALUE, "URL", "instead: its address, as its start has printed it"},
    {"--drain", ARGUMENT_FLAG, NULL,
     "stop: as if the input had ended: open windows are written; nothing can go on from it"},
    {NULL, ARGUMENT_FLAG, NULL, NULL},
};

struct job_command {
    struct client client;
    const char *name;      /* of the job, or its id; NULL: the verb takes none */
    const char *directory; /* of savepoints; NULL: none given */
    bool drain;
};

/* ---- what an answer says ---- */

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text ? text : "";
}

static int64_t number_of(const json_t *object, const char *name)
{
    return json_integer_value(json_object_get(object, name));
}

static bool has_ended(const json_t *job)
{
    return json_is_integer(json_object_get(job, "ended_ms"));
}

/* ---- cells of a table ---- */

static char *cell_number(struct arena *arena, int64_t value)
{
    return arena_printf(arena, "%" PRId64, value);
}

static char *cell_time(struct arena *arena, const json_t *time_ms)
{
    char text[CELL_BYTES];
    if (!json_is_integer(time_ms))
        return arena_strndup(arena, "", 0);
    return arena_strndup(arena, text,
                         calendar_format_timestamp(text, json_integer_value(time_ms) * 1000, 3));
}

static char *cell_text(struct arena *arena, const char *text)
{
    return arena_strndup(arena, text, strlen(text));
}

static enum status cells_print(uint32_t column_count, const char *const *names,
                               const bool *is_number, struct arena *arena, char **cells,
                               size_t row_count, struct error *err)
{
    const struct cell_table table = {column_count, names, is_number};
    TRY(arena_check(arena, "a table", err));
    return cells_table_print(&table, (const char *const *)cells, row_count, err);
}

/* ---- list ---- */

static enum status jobs_print(const json_t *jobs, struct error *err)
{
    static const char *const names[] = {"id",   "job",     "state",       "started (UTC)",
                                        "read", "written", "last output", "why"};
    static const bool is_number[] = {true, false, false, false, true, true, false, false};
    size_t count = json_array_size(jobs);
    struct arena arena;
    arena_init(&arena, NULL, CELLS_BYTES);
    char **cells = arena_array(&arena, count * COUNT_OF(names) + 1, sizeof(*cells));
    for (size_t i = 0; i < count && !arena.failed; i++) {
        const json_t *job = json_array_get(jobs, i);
        char **row = &cells[i * COUNT_OF(names)];
        row[0] = cell_number(&arena, number_of(job, "id"));
        row[1] = cell_text(&arena, text_of(job, "name"));
        row[2] = cell_text(&arena, text_of(job, "state"));
        row[3] = cell_time(&arena, json_object_get(job, "started_ms"));
        row[4] = cell_number(&arena, number_of(job, "rows_read"));
        row[5] = cell_number(&arena, number_of(job, "rows_written"));
        row[6] = cell_time(&arena, json_object_get(job, "last_output_ms"));
        row[7] = cell_text(&arena, text_of(job, "why"));
    }
    enum status status = cells_print(COUNT_OF(names), names, is_number, &arena, cells, count, err);
    arena_fini(&arena);
    return status;
}

static enum status list_run(struct job_command *command, struct error *err)
{
    json_t *answer;
    TRY(client_call(&command->client, "/api/v1/jobs", NULL, &answer, err));
    enum status status = jobs_print(json_object_get(answer, "jobs"), err);
    json_decref(answer);
    return status;
}

/* ---- one job ---- */

static enum status job_unknown(const json_t *jobs, const char *name, struct error *err)
{
    size_t count = json_array_size(jobs);
    const char **names = mem_calloc(count + 1, sizeof(*names));
    if (!names)
        return error_memory(err, "names of jobs", count * sizeof(*names));
    for (size_t i = 0; i < count; i++)
        names[i] = text_of(json_array_get(jobs, i), "name");
    const char *nearest = str_nearest(str_of(name), names, count);
    error_set(err, ERR_NOT_FOUND, "there is no job '%s'", name);
    if (nearest)
        error_hint(err, "did you mean '%s'? 'leat job list' has them all", nearest);
    else
        error_hint(err, "'leat job list' has them all");
    mem_free(names);
    return ERR_NOT_FOUND;
}

/* The job of this id or name: of several with the name the one that has not ended, else the one
 * that came last. */
static enum status job_choose(const json_t *jobs, const char *name, int64_t *out_id,
                              struct error *err)
{
    int64_t id = -1;
    bool is_id = str_to_i64(str_of(name), &id, NULL), running = false;
    *out_id = -1;
    for (size_t i = 0; i < json_array_size(jobs); i++) {
        const json_t *job = json_array_get(jobs, i);
        bool ended = has_ended(job);
        if (is_id ? number_of(job, "id") != id : strcmp(text_of(job, "name"), name) != 0)
            continue;
        if (running && !ended) {
            error_set(err, ERR_NAME, "there are several jobs '%s'", name);
            error_hint(err, "name one by its id: %" PRId64 " or %" PRId64, *out_id,
                       number_of(job, "id"));
            return ERR_NAME;
        }
        if (!running)
            *out_id = number_of(job, "id");
        running |= !ended;
    }
    return *out_id >= 0 ? OK : job_unknown(jobs, name, err);
}

/* Asks for /api/v1/jobs/ID and what is behind it: "", "/why". A body makes it a POST. */
static enum status job_call(struct job_command *command, const char *behind, const char *body,
                            json_t **out, struct error *err)
{
    char path[128];
    int64_t id;
    json_t *answer;
    TRY(client_call(&command->client, "/api/v1/jobs", NULL, &answer, err));
    enum status status = job_choose(json_object_get(answer, "jobs"), command->name, &id, err);
    json_decref(answer);
    if (status != OK)
        return status;
    snprintf(path, sizeof(path), "/api/v1/jobs/%" PRId64 "%s", id, behind);
    return client_call(&command->client, path, body, out, err);
}

static enum status operators_print(const json_t *operators, struct error *err)
{
    static const char *const names[] = {"operator", "subtask",   "in",          "out",
                                        "late",     "watermark", "state bytes", "waits"};
    static const bool is_number[] = {false, true, true, true, true, false, true, false};
    size_t count = json_array_size(operators);
    struct arena arena;
    arena_init(&arena, NULL, CELLS_BYTES);
    char **cells = arena_array(&arena, count * COUNT_OF(names) + 1, sizeof(*cells));
    for (size_t i = 0; i < count && !arena.failed; i++) {
        const json_t *report = json_array_get(operators, i);
        char **row = &cells[i * COUNT_OF(names)];
        row[0] = cell_text(&arena, text_of(report, "name"));
        row[1] = cell_number(&arena, number_of(report, "subtask"));
        row[2] = cell_number(&arena, number_of(report, "records_in"));
        row[3] = cell_number(&arena, number_of(report, "records_out"));
        row[4] = cell_number(&arena, number_of(report, "late_dropped"));
        row[5] = cell_time(&arena, json_object_get(report, "watermark_ms"));
        row[6] = cell_number(&arena, number_of(report, "state_bytes"));
        row[7] = cell_text(&arena, json_is_true(json_object_get(report, "blocked")) ? "yes" : "");
    }
    enum status status = cells_print(COUNT_OF(names), names, is_number, &arena, cells, count, err);
    arena_fini(&arena);
    return status;
}

static void add_time(struct buf *out, const char *label, const json_t *time_ms)
{
    char text[CELL_BYTES];
    if (!json_is_integer(time_ms))
        return;
    size_t length = calendar_format_timestamp(text, json_integer_value(time_ms) * 1000, 3);
    buf_printf(out, "%-12s %.*s UTC\n", label, (int)length, text);
}

static void add_checkpoint(struct buf *out, const json_t *job)
{
    char bytes[STR_BYTES_MAX];
    const json_t *last = json_object_get(job, "last_checkpoint");
    if (!json_is_object(last))
        return;
    str_from_bytes(bytes, (uint64_t)number_of(last, "bytes"));
    add_time(out, "checkpoint", json_object_get(last, "ended_ms"));
    buf_printf(out, "%-12s %" PRId64 " ms, %s written%s\n", "", number_of(last, "duration_ms"),
               bytes, json_is_true(json_object_get(job, "recovering")) ? "; recovering" : "");
}

static enum status head_print(const json_t *job, struct error *err)
{
    char bytes[STR_BYTES_MAX];
    struct buf out;
    buf_init(&out, 1u << 20);
    str_from_bytes(bytes, (uint64_t)number_of(job, "memory_bytes"));
    buf_printf(&out, "%-12s %" PRId64 "\n%-12s %s\n%-12s %s\n", "id", number_of(job, "id"), "job",
               text_of(job, "name"), "state", text_of(job, "state"));
    add_time(&out, "started", json_object_get(job, "started_ms"));
    add_time(&out, "ended", json_object_get(job, "ended_ms"));
    buf_printf(&out, "%-12s %" PRId64 "\n%-12s %" PRId64 "\n", "rows read",
               number_of(job, "rows_read"), "rows written", number_of(job, "rows_written"));
    add_time(&out, "last output", json_object_get(job, "last_output_ms"));
    add_checkpoint(&out, job);
    if (number_of(job, "restarts"))
        buf_printf(&out, "%-12s %" PRId64 "\n", "restarts", number_of(job, "restarts"));
    buf_printf(&out, "%-12s %s\n", "memory", bytes);
    if (*text_of(job, "error"))
        buf_printf(&out, "%-12s %s\n", "error", text_of(job, "error"));
    if (*text_of(job, "why"))
        buf_printf(&out, "%-12s %s\n", "why", text_of(job, "why"));
    enum status status = output_write(&out, err);
    buf_fini(&out);
    return status;
}

static enum status failures_print(const json_t *failures, struct error *err)
{
    static const char *const names[] = {"failed (UTC)", "reason"};
    size_t count = json_array_size(failures);
    struct arena arena;
    arena_init(&arena, NULL, CELLS_BYTES);
    char **cells = arena_array(&arena, count * COUNT_OF(names) + 1, sizeof(*cells));
    for (size_t i = 0; i < count && !arena.failed; i++) {
        const json_t *failure = json_array_get(failures, i);
        cells[i * COUNT_OF(names)] = cell_time(&arena, json_object_get(failure, "time_ms"));
        cells[i * COUNT_OF(names) + 1] = cell_text(&arena, text_of(failure, "error"));
    }
    enum status status = cells_print(COUNT_OF(names), names, NULL, &arena, cells, count, err);
    arena_fini(&arena);
    return status;
}

static enum status show_run(struct job_command *command, struct error *err)
{
    json_t *job;
    TRY(job_call(command, "", NULL, &job, err));
    const json_t *operators = json_object_get(job, "operators");
    enum status status = head_print(job, err);
    if (status == OK && json_array_size(operators))
        status = operators_print(operators, err);
    const json_t *failures = json_object_get(job, "failures");
    if (status == OK && json_array_size(failures))
        status = failures_print(failures, err);
    json_decref(job);
    return status;
}

static enum status why_run(struct job_command *command, struct error *err)
{
    json_t *answer;
    TRY(job_call(command, "/why", NULL, &answer, err));
    printf("%s\n", text_of(answer, "why"));
    json_decref(answer);
    return OK;
}

/* ---- what is asked of one ---- */

#define BODY_BYTES 16384

static enum status body_write(const struct job_command *command, char dest[BODY_BYTES],
                              struct error *err)
{
    char here[4096], path[8192];
    json_t *body = json_object();
    if (command->directory) { /* the other process may work somewhere else */
        path_absolute(".", here, sizeof(here));
        bool relative = command->directory[0] != '/';
        snprintf(path, sizeof(path), "%s%s%.4000s", relative ? here : "", relative ? "/" : "",
                 command->directory);
        json_object_set_new(body, "directory", json_string(path));
    }
    if (command->drain)
        json_object_set_new(body, "drain", json_true());
    size_t length = json_dumpb(body, dest, BODY_BYTES - 1, JSON_COMPACT);
    json_decref(body);
    if (length == 0 || length >= BODY_BYTES)
        return error_set(err, ERR_LIMIT, "the path '%.100s...' is too long", command->directory);
    dest[length] = 0;
    return OK;
}

/* Prints the path of the savepoint that the answer has, if it has one. */
static enum status post_run(struct job_command *command, const char *behind, struct error *err)
{
    json_t *answer;
    char body[BODY_BYTES];
    TRY(body_write(command, body, err));
    TRY(job_call(command, behind, body, &answer, err));
    if (*text_of(answer, "path"))
        printf("%s\n", text_of(answer, "path"));
    json_decref(answer);
    return OK;
}

static enum status savepoint_run(struct job_command *command, struct error *err)
{
    return post_run(command, "/savepoints", err);
}

static enum status stop_run(struct job_command *command, struct error *err)
{
    return post_run(command, "/stop", err);
}

static enum status cancel_run(struct job_command *command, struct error *err)
{
    return post_run(command, "/cancel", err);
}

/* ---- the command ---- */

static const struct verb {
    const char *name;
    enum status (*run)(struct job_command *command, struct error *err);
    bool takes_job, takes_directory, takes_drain;
} VERBS[] = {
    {"list", list_run, false, false, false}, {"show", show_run, true, false, false},
    {"why", why_run, true, false, false},    {"savepoint", savepoint_run, true, true, false},
    {"stop", stop_run, true, true, true},    {"cancel", cancel_run, true, false, false},
};

static const struct verb *verb_find(const char *name, struct error *err)
{
    const char *names[COUNT_OF(VERBS)];
    for (size_t i = 0; i < COUNT_OF(VERBS); i++) {
        names[i] = VERBS[i].name;
        if (name && strcmp(name, VERBS[i].name) == 0)
            return &VERBS[i];
    }
    if (!name)
        error_set(err, ERR_USAGE, "job needs a word: list, show, why, savepoint, stop or cancel");
    else
        error_set(err, ERR_USAGE, "job has no '%s'", name);
    const char *nearest = name ? str_nearest(str_of(name), names, COUNT_OF(VERBS)) : NULL;
    if (nearest)
        error_hint(err, "did you mean '%s'?", nearest);
    return NULL;
}

static enum status arguments_take(struct job_command *command, struct arguments *arguments,
                                  const struct verb **out, struct error *err)
{
    struct argument argument;
    enum status status;
    const char *word = NULL;
    while ((status = arguments_next(arguments, &argument, err)) == OK) {
        if (argument.def && strcmp(argument.def->name, "--data") == 0)
            command->client.data_directory = argument.value;
        else if (argument.def && strcmp(argument.def->name, "--drain") == 0)
            command->drain = true;
        else if (argument.def)
            command->client.server = argument.value;
        else if (!word)
            word = argument.value;
        else if (!command->name)
            command->name = argument.value;
        else if (!command->directory)
            command->directory = argument.value;
        else
            return error_set(err, ERR_USAGE, "job %s takes no argument '%s'", word, argument.value);
    }
    if (status != ERR_END)
        return status;
    *out = verb_find(word, err);
    if (!*out)
        return ERR_USAGE;
    if ((*out)->takes_job && !command->name)
        return error_set(err, ERR_USAGE, "job %s needs the name or id of a job", word);
    if (!(*out)->takes_job && command->name)
        return error_set(err, ERR_USAGE, "job %s takes no argument '%s'", word, command->name);
    if (!(*out)->takes_directory && command->directory)
        return error_set(err, ERR_USAGE, "job %s takes no argument '%s'", word, command->directory);
    if (!(*out)->takes_drain && command->drain)
        return error_set(err, ERR_USAGE, "job %s takes no --drain", word);
    return OK;
}

int command_job(int argc, char **argv)
{
    struct arguments arguments = {.count = argc, .words = argv, .defs = JOB_ARGUMENTS};
    struct job_command command = {.client.data_directory = "leat-data"};
    const struct verb *verb = NULL;
    struct error err = {0};
    if (arguments_take(&command, &arguments, &verb, &err) != OK)
        return fail_usage(&err);
    enum status status = client_open(&command.client, &err);
    if (status == OK)
        status = verb->run(&command, &err);
    if (status == OK)
        return EXIT_FINE;
    fail_usage(&err);
    return status == ERR_USAGE ? EXIT_BAD_USAGE : EXIT_JOB_FAILED;
}
