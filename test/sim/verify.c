/* verify.c - reads the targets and compares them with what has to be there. */
#include "test/sim/world.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/must.h"
#include "data/datum.h"

#define TEXT_BYTES (16u << 20)
#define STEPS_MAX  1000000
#define LINES_MAX  100000

struct lines {
    char *text; /* cut into lines */
    char **lines;
    uint32_t count;
};

static int compare_lines(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void lines_init(struct lines *lines, struct buf *text)
{
    char *rest = lines->text = strdup(buf_text(text)), *line;
    lines->lines = malloc(LINES_MAX * sizeof(*lines->lines));
    lines->count = 0;
    must(lines->text && lines->lines);
    while ((line = strsep(&rest, "\n")))
        if (*line && lines->count < LINES_MAX)
            lines->lines[lines->count++] = line;
    qsort(lines->lines, lines->count, sizeof(*lines->lines), compare_lines);
}

static void lines_fini(struct lines *lines)
{
    free(lines->text);
    free(lines->lines);
}

static enum push_result on_rows(void *context, struct batch *batch, struct error *err)
{
    struct buf *out = context;
    for (uint32_t i = 0; i < batch->selected_count; i++) {
        for (uint32_t c = 0; c < batch->column_count; c++) {
            buf_append_text(out, c ? "|" : "");
            if (vec_is_valid(batch->columns[c], batch_row(batch, i)))
                datum_format_at(out, batch->columns[c], batch_row(batch, i), NULL);
        }
        buf_append_byte(out, '\n');
    }
    return PUSH_DONE;
}

/* All rows of an output, by leat's own connector. */
static bool read_target(struct world *world, uint32_t output, struct buf *out)
{
    struct error err = {0};
    struct job_status status;
    struct buf text;
    const struct query_callbacks callbacks = {.rows = on_rows, .context = out};
    buf_init(&text, TEXT_BYTES);
    scenario_select(world->scenario, output, &text);
    enum status result = life_execute(world, buf_text(&text), &callbacks, &err);
    buf_fini(&text);
    if (result != OK) {
        world_fail(world, "out%u cannot be read: %s", output, err.text);
        return false;
    }
    struct engine_job *job = world->jobs[--world->job_count];
    engine_job_wait(job, -1);
    engine_job_status(job, &status);
    engine_job_release(job);
    if (status.state != JOB_FINISHED)
        world_fail(world, "out%u cannot be read: %s: %s", output, job_state_name(status.state),
                   status.error.text);
    return status.state == JOB_FINISHED;
}

/* Both are sorted. Rows may be there again where the sink is only at-least-once. */
static void compare(struct world *world, uint32_t output, const struct lines *wanted,
                    const struct lines *got, bool once)
{
    uint32_t w = 0, g = 0;
    while (w < wanted->count || g < got->count) {
        int order = w == wanted->count ? 1
                    : g == got->count  ? -1
                                       : strcmp(wanted->lines[w], got->lines[g]);
        if (order == 0) {
            w++;
            g++;
            while (!once && g < got->count && strcmp(got->lines[g], got->lines[g - 1]) == 0)
                g++;
        } else if (order < 0) {
            world_fail(world, "out%u: missing: %s", output, wanted->lines[w++]);
        } else {
            bool again = g > 0 && strcmp(got->lines[g], got->lines[g - 1]) == 0;
            world_fail(world, "out%u: %s: %s", output, again ? "twice" : "wrong", got->lines[g++]);
        }
    }
}

static bool is_exactly_once(const struct output *output)
{
    return output->target != TARGET_TOPIC;
}

static void verify_target(struct world *world, uint32_t output)
{
    struct buf wanted_text, got_text;
    struct lines wanted, got;
    buf_init(&wanted_text, TEXT_BYTES);
    buf_init(&got_text, TEXT_BYTES);
    scenario_expected(world->scenario, output, &wanted_text);
    if (read_target(world, output, &got_text)) {
        lines_init(&wanted, &wanted_text);
        lines_init(&got, &got_text);
        compare(world, output, &wanted, &got, is_exactly_once(&world->scenario->outputs[output]));
        lines_fini(&wanted);
        lines_fini(&got);
    }
    buf_fini(&wanted_text);
    buf_fini(&got_text);
}

void verify_targets(struct world *world)
{
    for (uint32_t i = 0; i < world->scenario->output_count; i++)
        verify_target(world, i);
}
