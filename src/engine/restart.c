/* restart.c - Flink's restart strategies, and which errors a restart can help against. */
#include "engine/restart.h"

#include "base/calendar.h"

const char *const RESTART_TYPES[] = {
    "unset",      "none",         "off",         "disable",           "fixed-delay",
    "fixeddelay", "failure-rate", "failurerate", "exponential-delay", "exponentialdelay",
    NULL};

enum restart_type restart_type(const struct restart_settings *settings)
{
    static const enum restart_type types[] = {
        RESTART_UNSET, RESTART_NONE, RESTART_NONE, RESTART_NONE,        RESTART_FIXED,
        RESTART_FIXED, RESTART_RATE, RESTART_RATE, RESTART_EXPONENTIAL, RESTART_EXPONENTIAL};
    return types[settings->type_choice];
}

enum status restart_init(struct restart_strategy *strategy, const struct restart_settings *settings,
                         enum restart_type type, struct error *err)
{
    *strategy = (struct restart_strategy){.settings = *settings, .type = type};
    if (type != RESTART_RATE)
        return OK;
    size_t bytes = (size_t)settings->rate_failures * sizeof(*strategy->failures_us);
    strategy->failures_us = mem_calloc(1, bytes);
    return strategy->failures_us ? OK : error_memory(err, "a restart strategy", bytes);
}

void restart_fini(struct restart_strategy *strategy)
{
    mem_free(strategy->failures_us);
    strategy->failures_us = NULL;
}

/* The last of rate_failures failures within the interval is the end. */
static bool rate_after(struct restart_strategy *strategy, int64_t now_us)
{
    uint32_t max = (uint32_t)strategy->settings.rate_failures;
    strategy->failures_us[strategy->failure_next] = now_us;
    strategy->failure_next = (strategy->failure_next + 1) % max;
    if (strategy->failure_count < max)
        strategy->failure_count++;
    if (strategy->failure_count < max)
        return true;
    int64_t oldest_us = strategy->failures_us[strategy->failure_next];
    return now_us - oldest_us > strategy->settings.rate_interval_ms * US_PER_MS;
}

static int64_t exponential_delay_ms(const struct restart_strategy *strategy, uint64_t random)
{
    const struct restart_settings *settings = &strategy->settings;
    double delay_ms = (double)settings->first_delay_ms, max_ms = (double)settings->max_delay_ms;
    for (int64_t i = 1; i < strategy->attempts && delay_ms < max_ms; i++)
        delay_ms *= settings->multiplier;
    delay_ms = delay_ms < max_ms ? delay_ms : max_ms;
    double share = (double)(random >> 11) / (double)(UINT64_C(1) << 53); /* 0 to 1 */
    delay_ms += delay_ms * settings->jitter * (2 * share - 1);
    return (int64_t)(delay_ms < max_ms ? delay_ms : max_ms);
}

static bool exponential_after(struct restart_strategy *strategy, int64_t now_us, uint64_t random,
                              int64_t *delay_us)
{
    if (strategy->attempts &&
        now_us - strategy->next_start_us >= strategy->settings.reset_ms * US_PER_MS)
        strategy->attempts = 0;
    if (strategy->attempts++ >= strategy->settings.attempts)
        return false;
    *delay_us = exponential_delay_ms(strategy, random) * US_PER_MS;
    strategy->next_start_us = now_us + *delay_us;
    return true;
}

bool restart_after(struct restart_strategy *strategy, int64_t now_us, uint64_t random,
                   int64_t *delay_us)
{
    switch (strategy->type) {
    case RESTART_FIXED:
        *delay_us = strategy->settings.fixed_delay_ms * US_PER_MS;
        return strategy->attempts++ < strategy->settings.fixed_attempts;
    case RESTART_RATE:
        *delay_us = strategy->settings.rate_delay_ms * US_PER_MS;
        return rate_after(strategy, now_us);
    case RESTART_EXPONENTIAL:
        return exponential_after(strategy, now_us, random, delay_us);
    default:
        return false;
    }
}

bool restart_helps(const struct error *error)
{
    if (error->fatal)
        return false;
    switch (error->code) {
    case ERR_IO:
    case ERR_DISK_FULL:
    case ERR_LOCKED:
    case ERR_TIMEOUT:
    case ERR_AGAIN:
    case ERR_CLOSED:
        return true;
    default:
        return error->retriable;
    }
}
