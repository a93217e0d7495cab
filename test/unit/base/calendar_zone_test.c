/* Against Python's zoneinfo (golden.py), with the zone files of the system. */
#include "base/calendar.h"

#include "../check.h"

struct utc_case {
    const char *zone;
    int64_t utc;
    int32_t offset;
};
struct local_case {
    const char *zone;
    int64_t local, utc;
};
#include "zone_golden.h"

static uint8_t file[100000];

static size_t file_read(const char *name)
{
    char path[200];
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
    FILE *stream = fopen(path, "rb");
    size_t size = stream ? fread(file, 1, sizeof file, stream) : 0;
    if (stream)
        fclose(stream);
    return size;
}

static struct zone *zone_of(const char *name)
{
    static struct zone *last;
    static const char *last_name;
    if (last_name && strcmp(last_name, name) == 0)
        return last;
    zone_free(last);
    last = NULL;
    last_name = name;
    size_t size = file_read(name);
    if (zone_from_tzif(&last, name, file, size, NULL) != OK)
        last = NULL;
    return last;
}

TEST(utc_to_local_agrees_with_python)
{
    for (size_t i = 0; i < sizeof utc_cases / sizeof *utc_cases; i++) {
        const struct utc_case *c = &utc_cases[i];
        struct zone *zone = zone_of(c->zone);
        if (!zone)
            CHECK_FAIL("no zone %s: is tzdata installed?", c->zone);
        CHECK_STR(zone_name(zone), c->zone);
        int64_t got = zone_utc_to_local(zone, c->utc * US_PER_SECOND + 7);
        if (got != (c->utc + c->offset) * US_PER_SECOND + 7)
            CHECK_FAIL("%s at %" PRId64 ": %" PRId64 ", want %d", c->zone, c->utc,
                       got / US_PER_SECOND - c->utc, c->offset);
    }
}

TEST(local_to_utc_agrees_with_python)
{
    for (size_t i = 0; i < sizeof local_cases / sizeof *local_cases; i++) {
        const struct local_case *c = &local_cases[i];
        struct zone *zone = zone_of(c->zone);
        CHECK(zone != NULL);
        int64_t got = zone_local_to_utc(zone, c->local * US_PER_SECOND);
        if (got != c->utc * US_PER_SECOND)
            CHECK_FAIL("%s local %" PRId64 ": %" PRId64 ", want %" PRId64, c->zone, c->local,
                       got / US_PER_SECOND, c->utc);
    }
}

TEST(fixed_offsets)
{
    struct zone *zone;
    struct error err = {0};
    CHECK_OK(zone_from_offset(&zone, -(5 * 3600 + 1800), &err));
    CHECK_STR(zone_name(zone), "-05:30");
    CHECK_INT(zone_utc_to_local(zone, 0), -19800 * US_PER_SECOND);
    CHECK_INT(zone_local_to_utc(zone, -19800 * US_PER_SECOND), 0);
    zone_free(zone);
    CHECK_OK(zone_from_offset(&zone, 0, &err));
    CHECK_STR(zone_name(zone), "UTC");
    zone_free(zone);
    CHECK_INT(zone_from_offset(&zone, 30 * 3600, NULL), ERR_RANGE);
}

TEST(damaged_files_are_refused)
{
    size_t size = file_read("Europe/Berlin");
    struct zone *zone;
    CHECK(size > 500);
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *copy = malloc(cut);
        memcpy(copy, file, cut);
        enum status status = zone_from_tzif(&zone, "cut", copy, cut, NULL);
        free(copy);
        CHECK_INT(status, ERR_CORRUPT);
    }
    uint64_t seed = 5;
    for (int i = 0; i < 20000; i++) {
        uint8_t *copy = malloc(size);
        memcpy(copy, file, size);
        for (int n = 0; n < 3; n++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            size_t at = (seed >> 33) % (i % 2 ? 44 : size);
            copy[at] = (uint8_t)(seed >> 24);
        }
        if (zone_from_tzif(&zone, "bad", copy, size, NULL) == OK) {
            for (int64_t us = -5000000000000000; us < 9000000000000000; us += 300000000000000)
                zone_local_to_utc(zone, zone_utc_to_local(zone, us));
            zone_free(zone);
        }
        free(copy);
    }
}
