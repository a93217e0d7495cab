#include "os/zonefile.h"
#include "os/logger.h"
#include "base/mem.h"
#include "base/must.h"

#include "../check.h"

#include <sys/stat.h>
#include <unistd.h>

static struct error err;
#define JULY INT64_C(1783598400000000) /* 2026-07-09T12:00:00Z */

TEST(offsets_need_no_file)
{
    static const struct {
        const char *name;
        int seconds;
    } rows[] = {{"UTC", 0},
                {"Z", 0},
                {"GMT", 0},
                {"+08:00", 28800},
                {"-0330", -12600},
                {"+8", 28800},
                {"+08", 28800},
                {"GMT+8", 28800},
                {"UTC-05:00", -18000},
                {"UT+1", 3600},
                {"+01:02:03", 3723},
                {"+010203", 3723},
                {"+18:00", 64800}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct zone *zone;
        error_clear(&err);
        CHECK_OK(zonefile_get(&zone, rows[i].name, &err));
        CHECK_INT((zone_utc_to_local(zone, JULY) - JULY) / 1000000, rows[i].seconds);
    }
}

TEST(regions_come_from_files)
{
    const struct zone *berlin, *again, *local;
    if (access("/usr/share/zoneinfo/Europe/Berlin", R_OK) != 0) {
        printf("# skipped: tzdata is not installed\n");
        return;
    }
    error_clear(&err);
    CHECK_OK(zonefile_get(&berlin, "Europe/Berlin", &err));
    CHECK_INT((zone_utc_to_local(berlin, JULY) - JULY) / 1000000, 7200);
    CHECK_OK(zonefile_get(&again, "Europe/Berlin", &err));
    CHECK(again == berlin);
    setenv("TZ", ":Europe/Berlin", 1);
    CHECK_OK(zonefile_local(&local, &err));
    CHECK(local == berlin);
    setenv("TZ", "No/Where", 1);
    CHECK_OK(zonefile_local(&local, &err));
    CHECK_INT(zone_utc_to_local(local, JULY), JULY);
    unsetenv("TZ");
    CHECK_OK(zonefile_local(&local, &err));
}

TEST(bad_names)
{
    static const char *const bad[] = {
        "",        "Europe/Berlim", "../../etc/passwd", "/etc/passwd",    "Europe",
        "+19:00",  "+8:00",         "+08:60",           "+08:00x",        "GMT+",
        "Europe/", "tzdata.zi",     "zone.tab",         "Europe//Berlin", "+"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        const struct zone *zone;
        error_clear(&err);
        enum status status = zonefile_get(&zone, bad[i], &err);
        if (status == OK || zone != NULL || err.text[0] == '\0')
            CHECK_FAIL("\"%s\" gave %s", bad[i], status_name(status));
        if (strcmp(bad[i], "Europe/Berlim") == 0 && status == ERR_NAME)
            CHECK_STR(err.hint, "did you mean 'Europe/Berlin'?");
    }
}

TEST(every_failing_allocation)
{
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        const struct zone *zone;
        error_clear(&err);
        mem_fail_after(n);
        enum status status = zonefile_get(&zone, "Asia/Tokyo", &err);
        mem_fail_after(0);
        if (status == ERR_NOT_FOUND)
            return; /* no tzdata */
        failed = status != OK;
        if (failed)
            CHECK_INT(status, ERR_MEMORY);
        else
            CHECK_INT((zone_utc_to_local(zone, JULY) - JULY) / 1000000, 32400);
    }
}

TEST(log_lines_go_to_stderr)
{
    char text[8192] = "", big[4000];
    int pipe_fds[2], old = dup(STDERR_FILENO);
    CHECK_INT(pipe(pipe_fds), 0);
    dup2(pipe_fds[1], STDERR_FILENO);
    memset(big, 'b', sizeof(big) - 1);
    big[3999] = '\0';
    logger_write(LOG_DEBUG, "os", "not shown");
    logger_write(LOG_WARN, "os", "shown %d\nonce", 1);
    logger_set_level(LOG_ERROR);
    logger_write(LOG_WARN, "os", "not shown");
    logger_write(LOG_ERROR, "os", "%s", big);
    mem_fail_after(1);
    logger_write(LOG_ERROR, "os", "without memory");
    mem_fail_after(0);
    logger_set_level(LOG_INFO);
    dup2(old, STDERR_FILENO);
    close(old);
    close(pipe_fds[1]);
    size_t length = 0;
    ssize_t got;
    while ((got = read(pipe_fds[0], text + length, sizeof(text) - 1 - length)) > 0)
        length += (size_t)got;
    close(pipe_fds[0]);
    CHECK(strstr(text, "Z WARN os: shown 1\\nonce\n") != NULL);
    CHECK(strstr(text, "not shown") == NULL);
    CHECK(strstr(text, "ERROR os: bbbb") && length < 3000);
    CHECK(strstr(text, "without memory") != NULL);
}
