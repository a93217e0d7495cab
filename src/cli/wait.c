/* wait.c - waiting for queries and jobs: rows to the terminal, signals, "why no output".
 *
 * Rows come on a worker thread, which must not block: batches are queued here and printed by the
 * main thread; a full queue stops the query until it has been printed. The first SIGINT or SIGTERM
 * stops the jobs, the second ends the process at once.
 */
#include "cli/cli.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/must.h"
#include "os/signals.h"
#include "os/thread.h"

#define QUEUE_BATCHES_MAX 64
#define WHY_FIRST_US      INT64_C(2000000)
#define STAGE_BYTES       300
#define WHY_AGAIN_LOOKS   6 /* of WHY_FIRST_US each */

#define END_TIME_US INT64_C(10000000)

static struct {
    struct mutex mutex;
    struct condition changed;
    struct engine *engine;
    atomic_bool seen;
    const char *stage; /* what the end waits for */
    struct thread *watchdog;
    bool over;
} interrupts;

static void first_running(void *context, struct engine_job *job)
{
    char *name = context;
    if (!name[0] && !engine_job_wait(job, 0))
        snprintf(name, STAGE_BYTES, " (%s)", engine_job_name(job));
}

/* From the first signal on the process has ten seconds. */
static void watch_end(void *context)
{
    char name[STAGE_BYTES] = "";
    int64_t until_us = io_monotonic_us(io_real()) + END_TIME_US, left_us = END_TIME_US;
    mutex_lock(&interrupts.mutex);
    while (!interrupts.over && left_us > 0) {
        (void)condition_wait_for(&interrupts.changed, &interrupts.mutex, left_us);
        left_us = until_us - io_monotonic_us(io_real());
    }
    bool over = interrupts.over;
    if (!over && interrupts.engine)
        engine_jobs(interrupts.engine, first_running, name);
    const char *stage = interrupts.stage;
    mutex_unlock(&interrupts.mutex);
    if (over)
        return;
    fprintf(stderr, "leat: it did not end within ten seconds: waiting for %s%s\n", stage, name);
    _exit(EXIT_JOB_FAILED);
}

static void interrupted(void *context, uint32_t count)
{
    if (count > 1) {
        fprintf(stderr, "leat: interrupted again, ending at once\n");
        _exit(EXIT_JOB_FAILED);
    }
    atomic_store(&interrupts.seen, true);
    mutex_lock(&interrupts.mutex);
    if (interrupts.engine)
        engine_stop(interrupts.engine);
    else
        _exit(EXIT_FINE);
    struct error err = {0};
    if (thread_start(&interrupts.watchdog, "leat-end", watch_end, NULL, &err) != OK)
        fprintf(stderr, "leat: %s\n", err.text);
    condition_broadcast(&interrupts.changed);
    mutex_unlock(&interrupts.mutex);
}

void interrupts_stage(const char *stage)
{
    mutex_lock(&interrupts.mutex);
    interrupts.stage = stage;
    mutex_unlock(&interrupts.mutex);
}

void interrupts_over(void)
{
    mutex_lock(&interrupts.mutex);
    interrupts.over = true;
    struct thread *watchdog = interrupts.watchdog;
    interrupts.watchdog = NULL;
    condition_broadcast(&interrupts.changed);
    mutex_unlock(&interrupts.mutex);
    if (watchdog)
        thread_join(watchdog);
}

enum status interrupts_start(struct error *err)
{
    mutex_init(&interrupts.mutex);
    condition_init(&interrupts.changed);
    interrupts.stage = "the jobs";
    return signals_start(interrupted, NULL, err);
}

bool interrupts_seen(void)
{
    return atomic_load(&interrupts.seen);
}

void interrupts_wait(void)
{
    mutex_lock(&interrupts.mutex);
    while (!interrupts_seen())
        condition_wait(&interrupts.changed, &interrupts.mutex);
    mutex_unlock(&interrupts.mutex);
}

void interrupts_watch(struct engine *engine)
{
    mutex_lock(&interrupts.mutex);
    interrupts.engine = engine;
    mutex_unlock(&interrupts.mutex);
}

/* ---- one query */

struct query_wait {
    enum result_form form;
    const struct zone *zone;
    struct printer *printer;
    struct mutex mutex;
    struct condition changed;
    struct batch *queue[QUEUE_BATCHES_MAX];
    uint32_t first, count;
    bool stalled; /* the query was told to wait */
    bool ended;
    enum job_state state;
    struct error error; /* of the job, or of printing */
    enum status printing;
};

enum status query_wait_new(struct query_wait **out, enum result_form form, const struct zone *zone,
                           struct error *err)
{
    struct query_wait *wait = mem_calloc(1, sizeof(*wait));
    if (!wait)
        return error_memory(err, "a query", sizeof(*wait));
    wait->form = form;
    wait->zone = zone;
    mutex_init(&wait->mutex);
    condition_init(&wait->changed);
    *out = wait;
    return OK;
}

void query_wait_free(struct query_wait *wait)
{
    while (wait->count) {
        batch_unref(wait->queue[wait->first]);
        wait->first = (wait->first + 1) % QUEUE_BATCHES_MAX;
        wait->count--;
    }
    printer_free(wait->printer);
    mutex_fini(&wait->mutex);
    condition_fini(&wait->changed);
    mem_free(wait);
}

static void on_columns(void *context, const struct plan_node *collect, bool bounded)
{
    struct query_wait *wait = context;
    wait->printing =
        printer_new(&wait->printer, wait->form, collect, bounded, wait->zone, &wait->error);
}

static enum push_result on_rows(void *context, struct batch *batch, struct error *err)
{
    struct query_wait *wait = context;
    mutex_lock(&wait->mutex);
    must(wait->count < QUEUE_BATCHES_MAX);
    wait->queue[(wait->first + wait->count++) % QUEUE_BATCHES_MAX] = batch_ref(batch);
    wait->stalled = wait->count == QUEUE_BATCHES_MAX;
    bool full = wait->stalled;
    condition_signal(&wait->changed);
    mutex_unlock(&wait->mutex);
    return full ? PUSH_FULL : PUSH_DONE;
}

static void on_ended(void *context, enum job_state state, const struct error *error)
{
    struct query_wait *wait = context;
    mutex_lock(&wait->mutex);
    wait->ended = true;
    wait->state = state;
    if (error && wait->printing == OK)
        wait->error = *error;
    condition_signal(&wait->changed);
    mutex_unlock(&wait->mutex);
}

void query_wait_callbacks(struct query_wait *wait, struct query_callbacks *out)
{
    *out = (struct query_callbacks){
        .columns = on_columns,
        .rows = on_rows,
        .ended = on_ended,
        .context = wait,
        .changes = wait->form == RESULT_FORM_CHANGELOG,
    };
}

static void say_why(struct engine_job *job)
{
    struct buf text;
    buf_init(&text, 64 << 10);
    engine_job_why(job, &text);
    if (text.length)
        fprintf(stderr, "%s: %s\n", engine_job_name(job), buf_text(&text));
    buf_fini(&text);
}

static void print_one(struct query_wait *wait, struct engine_job *job, struct batch *batch)
{
    if (wait->printing == OK) {
        wait->printing = printer_rows(wait->printer, batch, &wait->error);
        if (wait->printing != OK)
            engine_job_cancel(job);
    }
    batch_unref(batch);
}

enum status query_wait_run(struct query_wait *wait, struct engine_job *job, struct error *err)
{
    bool any_rows = false, told = false;
    mutex_lock(&wait->mutex);
    while (!wait->ended || wait->count) {
        if (wait->count) {
            struct batch *batch = wait->queue[wait->first];
            wait->first = (wait->first + 1) % QUEUE_BATCHES_MAX;
            wait->count--;
            bool resume = wait->stalled && wait->count == 0;
            if (resume)
                wait->stalled = false;
            mutex_unlock(&wait->mutex);
            any_rows = true;
            print_one(wait, job, batch);
            if (resume)
                engine_job_resume(job);
            mutex_lock(&wait->mutex);
            continue;
        }
        int64_t patience_us = any_rows || told ? -1 : WHY_FIRST_US;
        if (!condition_wait_for(&wait->changed, &wait->mutex, patience_us)) {
            mutex_unlock(&wait->mutex);
            say_why(job);
            told = true;
            mutex_lock(&wait->mutex);
        }
    }
    mutex_unlock(&wait->mutex);
    engine_job_wait(job, -1);
    if (wait->printing == OK && wait->state != JOB_FAILED)
        wait->printing = printer_end(wait->printer, &wait->error);
    if (wait->printing != OK || wait->state == JOB_FAILED) {
        *err = wait->error;
        return wait->printing != OK ? wait->printing : wait->error.code;
    }
    return OK;
}

/* ---- all jobs */

struct jobs_left {
    struct engine_job *job, *ended;
};

static void look_at_job(void *context, struct engine_job *job)
{
    struct jobs_left *left = context;
    if (engine_job_is_query(job)) /* somebody else waits for it */
        return;
    if (!left->job)
        left->job = engine_job_ref(job);
    if (!left->ended && engine_job_wait(job, 0))
        left->ended = engine_job_ref(job);
}

static void look_for_end(void *context, struct engine_job *job)
{
    bool *endless = context;
    *endless = *endless ||
               !(engine_job_is_query(job) || engine_job_bounded(job) || engine_job_wait(job, 0));
}

bool jobs_endless(struct engine *engine)
{
    bool endless = false;
    engine_jobs(engine, look_for_end, &endless);
    return endless;
}

#define REPORTS_MAX 4096

/* Rows that did not go the usual way: never passed over in silence. */
static void report_left_out(struct engine_job *job)
{
    struct operator_report *reports = mem_calloc(REPORTS_MAX, sizeof(*reports));
    int64_t bad = 0, late = 0;
    if (!reports)
        return;
    uint32_t count = engine_job_operators(job, reports, REPORTS_MAX);
    for (uint32_t i = 0; i < count && i < REPORTS_MAX; i++) {
        bad += reports[i].bad_rows;
        late += reports[i].late_dropped;
    }
    mem_free(reports);
    if (bad)
        fprintf(stderr, ", %lld bad rows", (long long)bad);
    if (late)
        fprintf(stderr, ", %lld rows too late", (long long)late);
}

static int report(struct engine_job *job)
{
    struct job_status status;
    engine_job_status(job, &status);
    if (status.state == JOB_FAILED) {
        fprintf(stderr, "leat: job '%s' failed: %s\n", engine_job_name(job), status.error.text);
        if (status.error.hint[0])
            fprintf(stderr, "      %s\n", status.error.hint);
        return EXIT_JOB_FAILED;
    }
    fprintf(stderr, "job '%s' %s: %llu rows read, %llu written", engine_job_name(job),
            job_state_name(status.state), (unsigned long long)status.rows_read,
            (unsigned long long)status.rows_written);
    report_left_out(job);
    if (status.restarts)
        fprintf(stderr, ", since restart %llu", (unsigned long long)status.restarts);
    fprintf(stderr, "\n");
    return EXIT_FINE;
}

/* What is said while a job goes on: why no row has come, twice; what holds up one that had rows. */
struct patience {
    struct engine_job *job;
    uint32_t looks;
    bool told;
};

static void look_why(struct patience *patience, struct engine_job *job)
{
    struct job_status status;
    struct buf text;
    if (patience->job != job)
        *patience = (struct patience){.job = job};
    patience->looks++;
    engine_job_status(job, &status);
    if (status.rows_written == 0) {
        if (patience->looks == 1 || patience->looks == WHY_AGAIN_LOOKS)
            say_why(job);
        return;
    }
    buf_init(&text, 64 << 10);
    bool held_up = engine_job_held_up(job, &text);
    if (held_up && !patience->told)
        fprintf(stderr, "%s: %s\n", engine_job_name(job), buf_text(&text));
    patience->told = held_up;
    buf_fini(&text);
}

/* The next job that has ended, a reference; *any: there are jobs left. NULL: none has yet. */
static struct engine_job *next_ended(struct engine *engine, struct patience *patience, bool *any)
{
    struct jobs_left left = {0};
    engine_jobs(engine, look_at_job, &left);
    *any = left.job != NULL;
    if (left.job && !left.ended) {
        if (engine_job_wait(left.job, WHY_FIRST_US))
            left.ended = engine_job_ref(left.job);
        else
            look_why(patience, left.job); /* another job may have ended meanwhile */
    }
    engine_job_unref(left.job);
    return left.ended;
}

int jobs_wait(struct engine *engine)
{
    int code = EXIT_FINE;
    struct patience patience = {0};
    for (;;) {
        bool any;
        struct engine_job *ended = next_ended(engine, &patience, &any);
        if (!any)
            return code;
        if (!ended)
            continue;
        if (report(ended) != EXIT_FINE)
            code = EXIT_JOB_FAILED;
        if (patience.job == ended)
            patience.job = NULL;
        engine_job_release(ended);
        engine_job_unref(ended);
    }
}
