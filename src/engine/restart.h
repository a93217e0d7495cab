/* restart.h - whether and when a job that has failed is started again: Flink's restart strategies,
 * as pure functions of the times of failures. Keys and defaults are those of Flink's
 * RestartStrategyOptions, what they mean that of its *RestartBackoffTimeStrategy classes.
 */
#ifndef LEAT_ENGINE_RESTART_H
#define LEAT_ENGINE_RESTART_H

#include "base/option.h"

#define RESTART_FAILURES_MAX 1000 /* max-failures-per-interval at most */
#define RESTART_DELAY_MS_MAX (INT64_C(366) * 24 * 3600 * 1000)

enum restart_type { RESTART_UNSET, RESTART_NONE, RESTART_FIXED, RESTART_RATE, RESTART_EXPONENTIAL };

struct restart_settings {
    int type_choice; /* index into RESTART_TYPES */
    int64_t fixed_attempts, fixed_delay_ms;
    int64_t rate_failures, rate_interval_ms, rate_delay_ms;
    int64_t first_delay_ms, max_delay_ms, reset_ms, attempts;
    double multiplier, jitter;
};
extern const char *const RESTART_TYPES[]; /* restart-strategy.type: choices, with Flink's aliases */
enum restart_type restart_type(const struct restart_settings *settings);

struct restart_strategy { /* of one job; zeroed but for the first two */
    struct restart_settings settings;
    enum restart_type type; /* in force; not UNSET */
    int64_t attempts;       /* since the delay was last the first one */
    int64_t next_start_us;  /* EXPONENTIAL: when the last restart was due */
    int64_t *failures_us;   /* RATE: a ring of the last settings.rate_failures */
    uint32_t failure_count, failure_next;
};
enum status restart_init(struct restart_strategy *strategy, const struct restart_settings *settings,
                         enum restart_type type, struct error *err) STATUS_CHECKED;
void restart_fini(struct restart_strategy *strategy);
/* It has failed at now_us (monotonic). False: it is not to be started again. random: any number. */
bool restart_after(struct restart_strategy *strategy, int64_t now_us, uint64_t random,
                   int64_t *delay_us);
/* What was lost may come back: a connection, room on a disk, a lock. False: the same rows and
 * statement would fail again. */
bool restart_helps(const struct error *error);

#endif
