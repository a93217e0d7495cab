/* cli.h - what the files of the command line share.
 *
 * Exit codes: 0 all jobs finished or were stopped cleanly, 1 a job failed, 2 usage or SQL error.
 * Rows go to standard output, everything else to standard error.
 */
#ifndef LEAT_CLI_CLI_H
#define LEAT_CLI_CLI_H

#include <stdio.h>

#include "engine/engine.h"
#include "os/socket.h"
#include "server/server.h"

enum { EXIT_FINE = 0, EXIT_JOB_FAILED = 1, EXIT_BAD_USAGE = 2 };

extern const struct plugin_registry CLI_REGISTRY; /* registry.c */

/* ---- arguments.c */
enum argument_kind { ARGUMENT_FLAG, ARGUMENT_VALUE, ARGUMENT_OPTIONAL_VALUE };
struct argument_def {
    const char *name; /* "--data"; "-e" */
    enum argument_kind kind;
    const char *value; /* how help names the value */
    const char *help;
};
struct argument {
    const struct argument_def *def; /* NULL: a plain argument */
    const char *value;              /* NULL: none given */
};
struct arguments {
    int count, at;
    char **words;
    const struct argument_def *defs; /* ends with a NULL name */
};
/* The next one. ERR_END: no more; ERR_USAGE: unknown option (nearest name), missing value. */
enum status arguments_next(struct arguments *arguments, struct argument *out,
                           struct error *err) STATUS_CHECKED;

/* ---- process.c: what one process has, made as it is needed */
struct process {
    struct mem_owner memory; /* the root: leat.memory.limit */
    struct arena arena;      /* texts of settings */
    struct io_pool *pool;
    struct plugin_context context;
    const char *data_directory;
    bool data_given; /* --data */
    bool listen;     /* run the broker's listener */
    struct socket_address address;
    bool address_given;
    struct {
        bool wanted; /* --http, --dashboard, no file */
        bool off;    /* --no-http */
        bool address_given;
        struct socket_address address;
        const char *hosts;            /* leat.http.hosts */
        const char *roots;            /* leat.security.roots */
        const char *root_list[33];    /* the same, apart; ends with NULL */
        struct dashboard *dashboards; /* until HTTP is opened */
    } http;
    struct engine *engine; /* for HTTP; set before that is opened */
    struct shared *shared;
    int64_t worker_threads; /* 0: the cores */
};
enum status process_init(struct process *process, struct error *err) STATUS_CHECKED;
/* What holds for the whole process (leat.memory.limit, ...), for --set. */
const struct option_def *process_settings(size_t *count);
/* ERR_NAME: the key is none of these. */
enum status process_set(struct process *process, struct str key, struct str value,
                        struct error *err) STATUS_CHECKED;
/* leat.security.roots, NULL-terminated */
const char *const *process_roots(struct process *process);
/* Lock the data directory, start the loop's thread, open. Idempotent, any thread. */
enum status process_open_broker(struct process *process, struct error *err) STATUS_CHECKED;
/* The same for HTTP; says where the page is. */
enum status process_open_http(struct process *process, struct error *err) STATUS_CHECKED;
/* The SQL of their panels, now that the tables are there. */
void process_check_dashboards(struct process *process,
                              void (*each)(void *context, const struct error *err));
/* After the jobs and before the engine is freed; live pages are told. */
void process_close_http(struct process *process);
/* Makes and locks the data directory: engine_checkpoints.directory, of a struct process. Asked for
 * it was by an option: --data, --broker, --http, --dashboard, no file. Idempotent, any thread. */
enum status process_data_directory(void *process, bool needed, const char **out,
                                   struct error *err) STATUS_CHECKED;
/* Stops the broker; ERR_* when something could not be made durable. */
enum status process_fini(struct process *process, struct error *err) STATUS_CHECKED;

/* ---- result.c: how rows are printed */
enum result_form { RESULT_FORM_TABLE, RESULT_FORM_CHANGELOG, RESULT_FORM_JSON, RESULT_FORM_CSV };
bool result_form_parse(const char *text, enum result_form *out);

struct printer; /* of one query */
enum status printer_new(struct printer **out, enum result_form form,
                        const struct plan_node *collect, bool bounded, const struct zone *zone,
                        struct error *err) STATUS_CHECKED;
enum status printer_rows(struct printer *printer, const struct batch *batch,
                         struct error *err) STATUS_CHECKED;
/* The rest: the final table, where the form shows that. */
enum status printer_end(struct printer *printer, struct error *err) STATUS_CHECKED;
void printer_free(struct printer *printer);
/* A result of SHOW, DESCRIBE, SET, EXPLAIN. */
enum status result_print(const struct engine_result *result, enum result_form form,
                         struct error *err) STATUS_CHECKED;

/* result_text.c: rows of cells as an aligned table, CSV or JSON lines */
struct cell_table {
    uint32_t column_count;
    const char *const *names;
    const bool *is_number; /* aligned right, unquoted in JSON; NULL: none */
};
enum status cells_table_print(const struct cell_table *table, const char *const *cells,
                              uint64_t row_count, struct error *err) STATUS_CHECKED;
void cells_csv(struct buf *out, const char *const *cells, uint32_t count);
void cells_json(struct buf *out, const struct cell_table *table, const char *const *cells);
enum status output_write(const struct buf *text, struct error *err) STATUS_CHECKED;

/* ---- wait.c: signals and jobs */
enum status interrupts_start(struct error *err) STATUS_CHECKED;
bool interrupts_seen(void);
void interrupts_watch(struct engine *engine); /* a signal stops its jobs; NULL: none */
/* Run a SELECT whose rows come through these callbacks; blocks until it has ended. */
struct query_wait;
enum status query_wait_new(struct query_wait **out, enum result_form form, const struct zone *zone,
                           struct error *err) STATUS_CHECKED;
void query_wait_callbacks(struct query_wait *wait, struct query_callbacks *out);
enum status query_wait_run(struct query_wait *wait, struct engine_job *job,
                           struct error *err) STATUS_CHECKED;
void query_wait_free(struct query_wait *wait);
/* Wait for every job; prints how each ended. The exit code. */
int jobs_wait(struct engine *engine);
/* Is there a job that does not end by itself? */
bool jobs_endless(struct engine *engine);
/* After a signal the process has ten seconds, then it says what it waits for and exits with 1. */
void interrupts_stage(const char *stage); /* static text */
void interrupts_over(void);
/* Until a signal. */
void interrupts_wait(void);

/* ---- example.c: files of the examples inside the executable, "example:NAME/FILE" */
bool example_path(const char *path);
enum status example_read(const char *path, struct buf *out, struct error *err) STATUS_CHECKED;

/* ---- commands: argv without the program and command names; the exit code */
int command_demo(int argc, char **argv);
int command_init(int argc, char **argv);
int command_run(int argc, char **argv);
int command_explain(int argc, char **argv);
int command_broker(int argc, char **argv);
int command_topic(int argc, char **argv);
int command_job(int argc, char **argv);
int command_help(int argc, char **argv);
int command_version(int argc, char **argv);
extern const struct argument_def RUN_ARGUMENTS[], EXPLAIN_ARGUMENTS[], BROKER_ARGUMENTS[],
    DEMO_ARGUMENTS[], TOPIC_ARGUMENTS[], JOB_ARGUMENTS[];

/* Prints the error and its hint on standard error; returns EXIT_BAD_USAGE. */
int fail_usage(const struct error *err);

#endif
