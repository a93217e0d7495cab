/* restart_test.c - the restart strategies as functions of the times of failures; the numbers are
 * those of Flink's documentation and tests of its strategies. */
#include "engine/restart.h"

#include "base/calendar.h"
#include "check.h"

#define MS US_PER_MS

static const struct restart_settings SETTINGS = {
    .fixed_attempts = 3,
    .fixed_delay_ms = 10000,
    .rate_failures = 3,
    .rate_interval_ms = 60000,
    .rate_delay_ms = 5000,
    .first_delay_ms = 1000,
    .max_delay_ms = 10000,
    .reset_ms = 3600000,
    .attempts = INT32_MAX,
    .multiplier = 2,
    .jitter = 0,
};

TEST(type_names)
{
    struct restart_settings settings = {0};
    CHECK_INT(restart_type(&settings), RESTART_UNSET);
    for (int i = 0; RESTART_TYPES[i]; i++) {
        settings.type_choice = i;
        bool fits = RESTART_TYPES[i][0] == 'u' || restart_type(&settings) != RESTART_UNSET;
        CHECK(fits);
    }
}

TEST(none)
{
    struct error err = {0};
    struct restart_strategy strategy;
    int64_t delay_us;
    CHECK_OK(restart_init(&strategy, &SETTINGS, RESTART_NONE, &err));
    CHECK(!restart_after(&strategy, 0, 0, &delay_us));
    restart_fini(&strategy);
}

TEST(fixed_delay)
{
    struct error err = {0};
    struct restart_strategy strategy;
    int64_t delay_us = 0;
    CHECK_OK(restart_init(&strategy, &SETTINGS, RESTART_FIXED, &err));
    for (int i = 0; i < 3; i++) {
        CHECK(restart_after(&strategy, i * 1000, 0, &delay_us));
        CHECK_INT(delay_us, 10000 * MS);
    }
    CHECK(
        !restart_after(&strategy, INT64_C(1) << 40, 0, &delay_us)); /* they are counted for ever */
    restart_fini(&strategy);
}

TEST(failure_rate)
{
    struct error err = {0};
    struct restart_strategy strategy;
    int64_t delay_us = 0;
    CHECK_OK(restart_init(&strategy, &SETTINGS, RESTART_RATE, &err));
    for (int i = 0; i < 20; i++) { /* three never lie within a minute */
        CHECK(restart_after(&strategy, i * 31000 * MS, 0, &delay_us));
        CHECK_INT(delay_us, 5000 * MS);
    }
    CHECK(!restart_after(&strategy, (19 * 31000 + 10) * MS, 0, &delay_us));
    restart_fini(&strategy);
}

TEST(exponential_delay)
{
    struct error err = {0};
    struct restart_strategy strategy;
    int64_t delay_us = 0, now_us = 0;
    static const int64_t expected_ms[] = {1000, 2000, 4000, 8000, 10000, 10000};
    CHECK_OK(restart_init(&strategy, &SETTINGS, RESTART_EXPONENTIAL, &err));
    for (int i = 0; i < 6; i++) {
        CHECK(restart_after(&strategy, now_us, 0, &delay_us));
        CHECK_INT(delay_us, expected_ms[i] * MS);
        now_us += delay_us + 5 * MS;
    }
    now_us += 3600000 * MS; /* an hour without a failure */
    CHECK(restart_after(&strategy, now_us, 0, &delay_us));
    CHECK_INT(delay_us, 1000 * MS);
    restart_fini(&strategy);
}

TEST(exponential_delay_jitter)
{
    struct restart_settings settings = SETTINGS;
    struct error err = {0};
    struct restart_strategy strategy;
    int64_t delay_us = 0;
    settings.jitter = 0.1;
    CHECK_OK(restart_init(&strategy, &settings, RESTART_EXPONENTIAL, &err));
    CHECK(restart_after(&strategy, 0, 0, &delay_us));
    CHECK_INT(delay_us, 900 * MS);
    CHECK(restart_after(&strategy, 0, UINT64_MAX, &delay_us));
    CHECK(delay_us >= 2199 * MS && delay_us <= 2200 * MS);
    for (int i = 0; i < 5; i++)
        CHECK(restart_after(&strategy, 0, UINT64_MAX, &delay_us));
    CHECK_INT(delay_us, 10000 * MS); /* never above the longest */
    restart_fini(&strategy);
}

TEST(exponential_delay_attempts)
{
    struct restart_settings settings = SETTINGS;
    struct error err = {0};
    struct restart_strategy strategy;
    int64_t delay_us = 0;
    settings.attempts = 13;
    CHECK_OK(restart_init(&strategy, &settings, RESTART_EXPONENTIAL, &err));
    for (int i = 0; i < 13; i++)
        CHECK(restart_after(&strategy, i, 0, &delay_us));
    CHECK(!restart_after(&strategy, 13, 0, &delay_us));
    restart_fini(&strategy);
}

TEST(what_a_restart_helps_against)
{
    static const enum status helps[] = {ERR_IO,      ERR_DISK_FULL, ERR_LOCKED,
                                        ERR_TIMEOUT, ERR_CLOSED,    ERR_AGAIN};
    static const enum status not [] = {
        ERR_DATA,    ERR_SYNTAX, ERR_NAME,   ERR_TYPE,   ERR_OPTION,      ERR_RANGE,    ERR_FENCED,
        ERR_CORRUPT, ERR_MEMORY, ERR_BUDGET, ERR_ACCESS, ERR_UNSUPPORTED, ERR_NOT_FOUND};
    for (size_t i = 0; i < sizeof(helps) / sizeof(*helps); i++)
        CHECK(restart_helps(&(struct error){.code = helps[i]}));
    for (size_t i = 0; i < sizeof(not ) / sizeof(*not ); i++)
        CHECK(!restart_helps(&(struct error){.code = not [i]}));
    CHECK(restart_helps(&(struct error){.code = ERR_NOT_FOUND, .retriable = true}));
    CHECK(!restart_helps(&(struct error){.code = ERR_IO, .retriable = true, .fatal = true}));
}
