/* sim.c - the sim connector's class and the world that tests set up and look at. */
#include "connector/sim/sim.h"

#include <stddef.h>

#include "base/must.h"
#include "connector/sim/sim_int.h"

#define WORLD_BYTES_MAX (size_t)(1u << 30)

struct sim_world sim_world = {.mutex = {PTHREAD_MUTEX_INITIALIZER}};

static const char *const MODES[] = {"default", "append", "upsert", "retract", NULL};

const struct option_def SIM_OPTIONS[] = {
    {.key = "rows",
     .kind = OPTION_STRING,
     .offset = offsetof(struct sim_options, rows),
     .help =
         "The arrival plan: a row a line, '---' ends a batch, @watermark TIME, @split N, @open."},
    {.key = "path",
     .kind = OPTION_STRING,
     .offset = offsetof(struct sim_options, path),
     .help = "A file with the arrival plan."},
    {.key = "wait-every",
     .kind = OPTION_INT,
     .offset = offsetof(struct sim_options, wait_every),
     .default_value = "0",
     .min_value = 0,
     .max_value = INT64_MAX,
     .help = "Every Nth poll answers 'nothing yet' first."},
    {.key = "sink.full-every",
     .kind = OPTION_INT,
     .offset = offsetof(struct sim_options, full_every),
     .default_value = "0",
     .min_value = 0,
     .max_value = INT64_MAX,
     .help = "Every Nth write is refused as full first."},
    {.key = "sink.mode",
     .kind = OPTION_ENUM,
     .offset = offsetof(struct sim_options, mode),
     .default_value = "default",
     .choices = MODES,
     .help =
         "Which changes the sink takes: append, upsert or retract; default: upsert with a primary "
         "key, else retract."},
};
const size_t SIM_OPTION_COUNT = COUNT_OF(SIM_OPTIONS);

struct str sim_table_name(const char *full_name)
{
    const char *dot = strrchr(full_name, '.');
    return str_of(dot ? dot + 1 : full_name);
}

/* Under the mutex. */
static void world_prepare(void)
{
    if (sim_world.is_ready)
        return;
    arena_init(&sim_world.arena, NULL, WORLD_BYTES_MAX);
    sim_world.is_ready = true;
}

void sim_reset(void)
{
    mutex_lock(&sim_world.mutex);
    must(!sim_world.sources);
    if (sim_world.is_ready)
        arena_fini(&sim_world.arena);
    sim_world.is_ready = false;
    sim_world.sections = NULL;
    sim_world.section_count = 0;
    sim_world.captures = NULL;
    sim_world.observer = NULL;
    sim_world.ledgers = NULL;
    sim_world.guarantee = SINK_ASKS_AT_LEAST_ONCE;
    mutex_unlock(&sim_world.mutex);
}

enum status sim_input(const char *table, const char *text, struct error *err)
{
    mutex_lock(&sim_world.mutex);
    world_prepare();
    struct arena *arena = &sim_world.arena;
    struct sim_section *section = ARENA_NEW(arena, struct sim_section), **link;
    if (section) {
        section->number = sim_world.section_count++;
        section->table = arena_strndup(arena, table, strlen(table));
        section->text = str_of(arena_strndup(arena, text, strlen(text)));
    }
    enum status status = arena_check(arena, "the input of a sim table", err);
    if (status == OK) {
        for (link = &sim_world.sections; *link; link = &(*link)->next)
            ;
        *link = section;
    }
    mutex_unlock(&sim_world.mutex);
    return status;
}

void sim_guarantee(enum sink_guarantee guarantee)
{
    mutex_lock(&sim_world.mutex);
    sim_world.guarantee = guarantee;
    mutex_unlock(&sim_world.mutex);
}

void sim_observe(void (*observer)(void *context, enum sim_signal signal, int64_t number),
                 void *context)
{
    mutex_lock(&sim_world.mutex);
    sim_world.observer = observer;
    sim_world.observer_context = context;
    mutex_unlock(&sim_world.mutex);
}

struct sim_capture *sim_capture_of(struct str table)
{
    struct sim_capture **link = &sim_world.captures;
    for (; *link; link = &(*link)->next)
        if (str_eq(str_of((*link)->table), table))
            return *link;
    world_prepare();
    struct sim_capture *capture = ARENA_NEW(&sim_world.arena, struct sim_capture);
    if (capture)
        capture->table = arena_strndup(&sim_world.arena, table.data, table.length);
    if (!capture || !capture->table)
        return NULL;
    *link = capture;
    return capture;
}

size_t sim_captured_count(const char *table)
{
    mutex_lock(&sim_world.mutex);
    const struct sim_capture *capture = sim_capture_of(sim_table_name(table));
    size_t count = capture ? capture->row_count : 0;
    mutex_unlock(&sim_world.mutex);
    return count;
}

bool sim_captured(const char *table, size_t index, struct sim_row *out)
{
    mutex_lock(&sim_world.mutex);
    const struct sim_capture *capture = sim_capture_of(sim_table_name(table));
    bool found = capture && index < capture->row_count;
    if (found)
        *out = capture->rows[index];
    mutex_unlock(&sim_world.mutex);
    return found;
}

const struct connector_class CONNECTOR_SIM = {
    .size = sizeof(struct connector_class),
    .name = "sim",
    .help = "A scripted source and a capturing sink, for tests.",
    .options = SIM_OPTIONS,
    .option_count = COUNT_OF(SIM_OPTIONS),
    .source = &SIM_SOURCE,
    .sink = &SIM_SINK,
};
