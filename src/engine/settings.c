/* settings.c - the SET keys: Flink's names where Flink has the setting, leat.* for our own.
 *
 * A session keeps what was SET as text and parses all of it again at each change, so that RESET and
 * SHOW are simple and an invalid value is refused before anything changed.
 */
#include "engine/engine_int.h"

#include <stddef.h>

#include "base/must.h"
#include "data/key.h"
#include "os/zonefile.h"

#define SETTINGS_ARENA_MAX (1u << 20)

static const char *const RUNTIME_MODES[] = {"streaming", "batch", "automatic", NULL};
static const char *const AGG_PHASES[] = {"AUTO", "TWO_PHASE", "ONE_PHASE", NULL};
static const char *const MINI_BATCH[] = {"unset", "false", "true", NULL};

#define AT(field) .offset = offsetof(struct settings, field)
static const struct option_def SETTINGS[] = {
    {.key = "parallelism.default",
     .kind = OPTION_INT,
     AT(parallelism),
     .default_value = "1",
     .min_value = 1,
     .max_value = KEY_GROUP_COUNT,
     .help = "Subtasks of each operator that can be split."},
    {.key = "pipeline.name",
     .kind = OPTION_STRING,
     AT(job_name),
     .help = "Name of the jobs started from here; default: the target table's name."},
    {.key = "pipeline.max-parallelism",
     .kind = OPTION_INT,
     AT(max_parallelism),
     .default_value = "128",
     .min_value = KEY_GROUP_COUNT,
     .max_value = KEY_GROUP_COUNT,
     .help = "Number of key groups; fixed at 128."},
    {.key = "table.local-time-zone",
     .kind = OPTION_STRING,
     AT(zone_name),
     .default_value = "default",
     .help =
         "Zone of TIMESTAMP_LTZ values: 'UTC', 'Europe/Berlin', '+08:00'; default: the machine's."},
    {.key = "execution.runtime-mode",
     .kind = OPTION_ENUM,
     AT(runtime_mode),
     .default_value = "streaming",
     .choices = RUNTIME_MODES,
     .help = "streaming: results change as rows come, and a job over bounded inputs ends; batch is "
             "not built; automatic is the same as streaming."},
    {.key = "table.exec.mini-batch.enabled",
     .kind = OPTION_ENUM,
     AT(mini_batch),
     .default_value = "unset",
     .choices = MINI_BATCH,
     .help = "unset: several changes of a key become one where no sink can tell; false: never."},
    {.key = "table.optimizer.agg-phase-strategy",
     .kind = OPTION_ENUM,
     AT(agg_phases),
     .default_value = "AUTO",
     .choices = AGG_PHASES,
     .help =
         "TWO_PHASE: rows of a key are joined before they are exchanged, where no sink can tell; "
         "ONE_PHASE: never; AUTO: for aggregations without keys."},
    {.key = "table.exec.source.idle-timeout",
     .kind = OPTION_DURATION,
     AT(idle_timeout_ms),
     .default_value = "0 ms",
     .help = "A split without rows for so long no longer holds the watermark back; 0: never."},
    {.key = "table.exec.state.ttl",
     .kind = OPTION_DURATION,
     AT(state_ttl_ms),
     .default_value = "0 ms",
     .help = "State of a key not touched for so long may be dropped; 0: never."},
    {.key = CHECKPOINT_INTERVAL,
     .kind = OPTION_DURATION,
     AT(checkpoint_interval_ms),
     .default_value = "1 s",
     .help = "From one checkpoint of a job to the next, where anything has changed; 0: none are "
             "made, and a job that is started again begins anew. A job with an end has checkpoints "
             "where a data directory is named (--data, --broker, --http) or this is set."},
    {.key = "execution.checkpointing.num-retained",
     .kind = OPTION_INT,
     AT(retained),
     .default_value = "2",
     .min_value = 1,
     .max_value = CHECKPOINTS_RETAINED_MAX,
     .help = "How many checkpoints of a job are kept, the newest; at least two, so that there is "
             "one should the newest be damaged."},
    {.key = "execution.checkpointing.savepoint-dir",
     .kind = OPTION_STRING,
     AT(savepoint_directory),
     .help = "Where savepoints of the jobs that follow are made; default: savepoints in the data "
             "directory. state.savepoints.dir is the same."},
    {.key = "state.savepoints.dir",
     .kind = OPTION_STRING,
     AT(savepoint_directory),
     .help = "As execution.checkpointing.savepoint-dir."},
    {.key = "execution.state-recovery.path",
     .kind = OPTION_STRING,
     AT(savepoint_path),
     .help = "The savepoint that the job of the next INSERT goes on from, as --from. "
             "execution.savepoint.path is the same."},
    {.key = "execution.savepoint.path",
     .kind = OPTION_STRING,
     AT(savepoint_path),
     .help = "As execution.state-recovery.path."},
    {.key = "restart-strategy.type",
     .kind = OPTION_ENUM,
     AT(restart.type_choice),
     .default_value = "unset",
     .choices = RESTART_TYPES,
     .help = "Whether a job that has failed, for a reason that may pass, is started again from its "
             "last checkpoint: none (also off, disable), fixed-delay, failure-rate or "
             "exponential-delay; unset: exponential-delay. A job without checkpoints is started "
             "again only where all its targets have a primary key."},
    {.key = "restart-strategy.fixed-delay.attempts",
     .kind = OPTION_INT,
     AT(restart.fixed_attempts),
     .default_value = "1",
     .min_value = 0,
     .max_value = INT32_MAX,
     .help = "How often a job is started again before it is given up."},
    {.key = "restart-strategy.fixed-delay.delay",
     .kind = OPTION_DURATION,
     AT(restart.fixed_delay_ms),
     .default_value = "1 s",
     .min_value = 0,
     .max_value = RESTART_DELAY_MS_MAX,
     .help = "From a failure to the restart."},
    {.key = "restart-strategy.failure-rate.max-failures-per-interval",
     .kind = OPTION_INT,
     AT(restart.rate_failures),
     .default_value = "1",
     .min_value = 1,
     .max_value = RESTART_FAILURES_MAX,
     .help = "With so many failures within the interval a job is given up."},
    {.key = "restart-strategy.failure-rate.failure-rate-interval",
     .kind = OPTION_DURATION,
     AT(restart.rate_interval_ms),
     .default_value = "1 min",
     .min_value = 0,
     .max_value = RESTART_DELAY_MS_MAX,
     .help = "The interval in which failures are counted."},
    {.key = "restart-strategy.failure-rate.delay",
     .kind = OPTION_DURATION,
     AT(restart.rate_delay_ms),
     .default_value = "1 s",
     .min_value = 0,
     .max_value = RESTART_DELAY_MS_MAX,
     .help = "From a failure to the restart."},
    {.key = "restart-strategy.exponential-delay.initial-backoff",
     .kind = OPTION_DURATION,
     AT(restart.first_delay_ms),
     .default_value = "1 s",
     .min_value = 1,
     .max_value = RESTART_DELAY_MS_MAX,
     .help = "From the first failure to the restart."},
    {.key = "restart-strategy.exponential-delay.max-backoff",
     .kind = OPTION_DURATION,
     AT(restart.max_delay_ms),
     .default_value = "1 min",
     .min_value = 1,
     .max_value = RESTART_DELAY_MS_MAX,
     .help = "The longest time from a failure to the restart."},
    {.key = "restart-strategy.exponential-delay.backoff-multiplier",
     .kind = OPTION_DOUBLE,
     AT(restart.multiplier),
     .default_value = "1.5",
     .help = "By how much each failure makes the time to the restart longer."},
    {.key = "restart-strategy.exponential-delay.reset-backoff-threshold",
     .kind = OPTION_DURATION,
     AT(restart.reset_ms),
     .default_value = "1 h",
     .min_value = 0,
     .max_value = RESTART_DELAY_MS_MAX,
     .help = "A job that has run so long without a failure begins with the first time again."},
    {.key = "restart-strategy.exponential-delay.jitter-factor",
     .kind = OPTION_DOUBLE,
     AT(restart.jitter),
     .default_value = "0.1",
     .help = "By which part of it, at most, the time is shorter or longer, at random."},
    {.key = "restart-strategy.exponential-delay.attempts-before-reset-backoff",
     .kind = OPTION_INT,
     AT(restart.attempts),
     .default_value = "2147483647",
     .min_value = 0,
     .max_value = INT32_MAX,
     .help =
         "How often a job is started again, without the time beginning anew, before it is given "
         "up; without this it never is."},
    {.key = "table.dml-sync",
     .kind = OPTION_BOOL,
     AT(dml_sync),
     .default_value = "false",
     .help = "An INSERT is waited for before the next statement."},
};
#undef AT

const struct option_def *session_settings(size_t *count)
{
    *count = COUNT_OF(SETTINGS);
    return SETTINGS;
}

static size_t given_count(const struct session *session)
{
    size_t count = 0;
    for (const struct setting_given *g = session->given; g; g = g->next)
        count++;
    return count;
}

static enum status check_built(const struct settings *settings, struct error *err)
{
    if (settings->mini_batch == 2)
        return error_set(err, ERR_UNSUPPORTED,
                         "'table.exec.mini-batch.enabled' = 'true' (waiting for more rows) is not "
                         "built; unset, changes are joined without waiting");
    if (settings->runtime_mode == RUNTIME_BATCH)
        return error_set(err, ERR_UNSUPPORTED,
                         "'execution.runtime-mode' = 'batch' is not built: bounded inputs run in "
                         "streaming mode and end with the same rows");
    if (settings->restart.multiplier < 1 || settings->restart.jitter < 0 ||
        settings->restart.jitter > 1)
        return error_set(err, ERR_OPTION,
                         "'restart-strategy.exponential-delay': the backoff-multiplier is at least "
                         "1, the jitter-factor 0 to 1");
    if (settings->restart.first_delay_ms > settings->restart.max_delay_ms)
        return error_set(err, ERR_OPTION,
                         "'restart-strategy.exponential-delay': the initial-backoff is longer than "
                         "the max-backoff");
    return OK;
}

enum status settings_apply(struct session *session, struct error *err)
{
    struct arena arena;
    struct settings settings = {0};
    const struct zone *zone = session->engine->config.context->zone;
    arena_init(&arena, NULL, SETTINGS_ARENA_MAX);
    size_t count = given_count(session), i = 0;
    struct option_given *given = ARENA_ARRAY(&arena, count + 1, struct option_given);
    enum status status = arena_check(&arena, "the settings", err);
    if (status != OK)
        goto out;
    for (const struct setting_given *g = session->given; g; g = g->next)
        given[i++] = (struct option_given){.key = str_of(g->key), .value = str_of(g->value)};
    status = option_parse(SETTINGS, COUNT_OF(SETTINGS), given, count, NULL, "SET", &settings,
                          &arena, err);
    if (status == OK)
        status = check_built(&settings, err);
    if (status == OK && strcmp(settings.zone_name, "default") != 0)
        status = zonefile_get(&zone, settings.zone_name, err);
    if (status != OK)
        goto out;
    arena_fini(&session->arena);
    session->arena = arena;
    session->settings = settings;
    session->function_session.zone = zone;
    session->function_session.zone_by_name = zonefile_get;
    return OK;
out:
    arena_fini(&arena);
    return status;
}

static struct setting_given **find(struct session *session, struct str key)
{
    struct setting_given **at = &session->given;
    while (*at && !str_eq(str_of((*at)->key), key))
        at = &(*at)->next;
    return at;
}

static void copy_text(char dest[SETTING_TEXT_MAX], struct str text)
{
    memcpy(dest, text.data, text.length);
    dest[text.length] = 0;
}

enum status session_set(struct session *session, struct str key, struct str value,
                        struct error *err)
{
    if (key.length >= SETTING_TEXT_MAX || value.length >= SETTING_TEXT_MAX)
        return error_set(err, ERR_LIMIT, "a setting's key and value have at most %d bytes",
                         SETTING_TEXT_MAX - 1);
    struct setting_given **at = find(session, key);
    struct setting_given *old = *at, *fresh = mem_calloc(1, sizeof(*fresh));
    if (!fresh)
        return error_memory(err, "a setting", sizeof(*fresh));
    copy_text(fresh->key, key);
    copy_text(fresh->value, value);
    fresh->next = old ? old->next : NULL;
    *at = fresh;
    enum status status = settings_apply(session, err);
    if (status != OK) {
        *at = old;
        mem_free(fresh);
        return status;
    }
    mem_free(old);
    return OK;
}

enum status settings_reset(struct session *session, const char *key, struct error *err)
{
    if (key && !option_find(SETTINGS, COUNT_OF(SETTINGS), str_of(key)))
        return session_set(session, str_of(key), STR(""), err); /* refuses with the nearest name */
    struct setting_given **at = &session->given;
    while (*at) {
        struct setting_given *one = *at;
        if (key && strcmp(one->key, key) != 0) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        mem_free(one);
    }
    return settings_apply(session, err);
}

bool session_was_set(const struct session *session, const char *key)
{
    for (const struct setting_given *given = session->given; given; given = given->next)
        if (strcmp(given->key, key) == 0)
            return true;
    return false;
}

const char *session_get(const struct session *session, const char *key)
{
    const struct option_def *def = option_find(SETTINGS, COUNT_OF(SETTINGS), str_of(key));
    for (const struct setting_given *given = session->given; given; given = given->next)
        if (strcmp(given->key, key) == 0)
            return given->value;
    return def ? def->default_value : NULL;
}

enum status settings_show(struct session *session, struct engine_result *out, struct error *err)
{
    static const char *const columns[] = {"key", "value"};
    struct table_builder table;
    table_begin(&table, out, 2, columns);
    for (size_t i = 0; i < COUNT_OF(SETTINGS); i++) {
        struct setting_given *given = *find(session, str_of(SETTINGS[i].key));
        table_cell(&table, SETTINGS[i].key);
        table_cell(&table, given ? given->value : SETTINGS[i].default_value);
    }
    return table_end(&table, err);
}

void settings_plan(const struct session *session, const struct query_callbacks *callbacks,
                   struct plan_settings *out)
{
    const struct settings *settings = &session->settings;
    bool has_checkpoints = session->engine->config.checkpoints.directory != NULL &&
                           settings->checkpoint_interval_ms != 0;
    *out = (struct plan_settings){
        .parallelism = (uint32_t)settings->parallelism,
        .mini_batch = settings->mini_batch - 1,
        .phases = (enum plan_phases)settings->agg_phases,
        .idle_timeout_ms = settings->idle_timeout_ms,
        .state_ttl_ms = settings->state_ttl_ms,
        .job_name = settings->job_name,
        .function_session = &session->function_session,
        .registry = session->engine->config.registry,
        .catalog = session->engine->catalog,
        .checkpoints = has_checkpoints,
        .checkpoints_bounded = has_checkpoints && (session->engine->config.checkpoints.is_named ||
                                                   session_was_set(session, CHECKPOINT_INTERVAL)),
        .collect_changes = callbacks && callbacks->changes,
    };
}
