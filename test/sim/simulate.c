/* simulate.c - whole jobs on a simulated machine, one scenario a seed.
 *
 *   simulate FROM-TO ...     these seeds; a line of TAP each
 *   simulate --tell SEED     with every event
 *   simulate --file FILE     the seeds in the file, one a line, behind which anything may follow
 *   simulate --faults N SEED the seed's scenario undisturbed, but that one call fails: each of the
 *                            first N, then ever fewer
 *   simulate --fault sync N SEED  one of those, with every event
 *
 * Every eighth seed runs twice, and both runs must have written the same bytes in the same order.
 */
#include <stdio.h>

#include "base/must.h"
#include "base/str.h"
#include "os/logger.h"
#include "test/sim/faults.h"

static int number;
static uint64_t disturbed[4]; /* crashes, kills, stops, failures */

static void print_lines(const char *text)
{
    for (const char *at = text; *at;) {
        size_t length = strcspn(at, "\n");
        printf("#   %.*s\n", (int)length, at);
        at += length + (at[length] == '\n');
    }
}

static bool run(const struct scenario *scenario, bool tells, struct world *world)
{
    bool good = world_run(world, scenario, NULL, tells);
    uint64_t trace = world->trace;
    if (!good || scenario->seed % 8 != 0)
        return good;
    world_fini(world);
    good = world_run(world, scenario, NULL, false);
    if (good && world->trace != trace) {
        buf_append_text(&world->problem, "the second run of the seed took another course\n");
        good = false;
    }
    return good;
}

static bool run_seed(const char *program, uint64_t seed, bool tells)
{
    static struct scenario scenario;
    struct world world;
    char text[300];
    scenario_draw(&scenario, seed);
    scenario_describe(&scenario, text, sizeof(text));
    if (tells)
        printf("# %s\n", text);
    bool good = run(&scenario, tells, &world);
    printf("%s %d - seed %llu: %s; %u crashes, %u kills, %u stops, %u failures\n",
           good ? "ok" : "not ok", ++number, (unsigned long long)seed, text, world.crashes,
           world.kills, world.stops, world.failures);
    if (!good) {
        print_lines(buf_text(&world.problem));
        printf("# again: %s --tell %llu\n", program, (unsigned long long)seed);
    }
    disturbed[0] += world.crashes;
    disturbed[1] += world.kills;
    disturbed[2] += world.stops;
    disturbed[3] += world.failures;
    fflush(stdout);
    world_fini(&world);
    return good;
}

static bool run_range(const char *program, const char *text, bool tells)
{
    struct str from = str_of(text), to = from;
    const char *dash = strchr(text, '-');
    uint64_t first, last;
    if (dash) {
        from.length = (size_t)(dash - text);
        to = str_of(dash + 1);
    }
    if (!str_to_u64(from, &first, NULL) || !str_to_u64(to, &last, NULL)) {
        printf("not ok %d - '%s' is no range of seeds\n", ++number, text);
        return false;
    }
    bool good = true;
    for (uint64_t seed = first; seed <= last; seed++)
        good &= run_seed(program, seed, tells);
    return good;
}

static bool run_file(const char *program, const char *path)
{
    struct buf text;
    struct error err = {0};
    bool good = true;
    buf_init(&text, 1u << 20);
    if (io_read_file(io_real(), path, &text, &err) != OK) {
        printf("not ok %d - %s\n", ++number, err.text);
        good = false;
    }
    for (const char *line = buf_text(&text); *line;
         line += strcspn(line, "\n"), line += *line != 0) {
        char seed[30];
        size_t length = strspn(line, "0123456789");
        if (length == 0 || length >= sizeof(seed))
            continue;
        memcpy(seed, line, length);
        seed[length] = '\0';
        good &= run_range(program, seed, false);
    }
    buf_fini(&text);
    return good;
}

static bool run_faults(const char *dense, const char *seed)
{
    uint64_t values[2];
    if (str_to_u64(str_of(dense), &values[0], NULL) && values[0] > 0 && values[0] < UINT32_MAX &&
        str_to_u64(str_of(seed), &values[1], NULL))
        return faults_run(values[1], (uint32_t)values[0], &number);
    printf("not ok %d - --faults takes two numbers\n", ++number);
    return false;
}

static bool tell_fault(const char *kind, const char *countdown, const char *seed)
{
    uint64_t values[2];
    bool good = str_to_u64(str_of(countdown), &values[0], NULL) &&
                str_to_u64(str_of(seed), &values[1], NULL) &&
                faults_tell(kind, values[0], values[1]);
    printf("%s %d - the %s. %s fails\n", good ? "ok" : "not ok", ++number, countdown, kind);
    return good;
}

int main(int argc, char **argv)
{
    bool good = true, tells = false;
    logger_set_level(LOG_ERROR + 1); /* errors are what is asked for */
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--tell") == 0)
            tells = true;
        else if (strcmp(argv[i], "--file") == 0 && i + 1 < argc)
            good &= run_file(argv[0], argv[++i]);
        else if (strcmp(argv[i], "--faults") == 0 && i + 2 < argc) {
            good &= run_faults(argv[i + 1], argv[i + 2]);
            i += 2;
        } else if (strcmp(argv[i], "--fault") == 0 && i + 3 < argc) {
            good &= tell_fault(argv[i + 1], argv[i + 2], argv[i + 3]);
            i += 3;
        } else
            good &= run_range(argv[0], argv[i], tells);
    }
    printf(
        "# %llu crashes of the machine, %llu of the process, %llu stops, %llu failed jobs\n1..%d\n",
        (unsigned long long)disturbed[0], (unsigned long long)disturbed[1],
        (unsigned long long)disturbed[2], (unsigned long long)disturbed[3], number);
    return good ? 0 : 1;
}
