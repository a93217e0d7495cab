/* zonefile.c - zones by name, loaded once. The files are the system's TZif files; the arithmetic on
 * them is base/calendar.h.
 *
 * Forms without a file: "Z", "UTC", "GMT", "UT", an offset "+8", "+08", "+0800", "+08:00[:00]", and
 * an offset after one of the first three ("GMT+8"), as java.time.ZoneId reads them.
 */
#include "os/zonefile.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/must.h"
#include "base/mem.h"
#include "os/io.h"
#include "os/thread.h"

#define ZONE_DIRECTORY   "/usr/share/zoneinfo"
#define ZONE_BYTES_MAX   (256u << 10)
#define NAMES_BYTES_MAX  (1u << 20)
#define NAMES_MAX        2048
#define OFFSET_HOURS_MAX 18

struct known {
    struct known *next;
    struct zone *zone;
    char name[];
};

static struct mutex mutex = {PTHREAD_MUTEX_INITIALIZER};
static struct known *known_zones;

/* One or two digits at *at. */
static bool take_number(const char **at, int digits, int *out)
{
    int value = 0, count = 0;
    while (count < digits && **at >= '0' && **at <= '9') {
        value = value * 10 + *(*at)++ - '0';
        count++;
    }
    *out = value;
    return count == digits;
}

/* "+8", "+08", "-0800", "+08:00", "+08:00:00", "+080000"; at most 18 hours. */
static bool parse_offset(const char *text, int32_t *out_seconds)
{
    int hours, minutes = 0, seconds = 0;
    if (*text != '+' && *text != '-')
        return false;
    int sign = *text++ == '-' ? -1 : 1;
    size_t length = strlen(text);
    if (!take_number(&text, length == 1 ? 1 : 2, &hours))
        return false;
    bool colons = *text == ':';
    if (*text) {
        text += colons;
        if (!take_number(&text, 2, &minutes))
            return false;
    }
    if (*text) {
        if (colons != (*text == ':'))
            return false;
        text += colons;
        if (!take_number(&text, 2, &seconds))
            return false;
    }
    int32_t total = hours * 3600 + minutes * 60 + seconds;
    if (*text || minutes > 59 || seconds > 59 || total > OFFSET_HOURS_MAX * 3600)
        return false;
    *out_seconds = sign * total;
    return true;
}

static bool is_fixed(const char *name, int32_t *out_seconds)
{
    static const char *const prefixes[] = {"UTC", "GMT", "UT"};
    *out_seconds = 0;
    if (strcmp(name, "Z") == 0 || parse_offset(name, out_seconds))
        return true;
    for (size_t i = 0; i < COUNT_OF(prefixes); i++) {
        size_t length = strlen(prefixes[i]);
        if (strncmp(name, prefixes[i], length) != 0)
            continue;
        if (name[length] == '\0' || parse_offset(name + length, out_seconds))
            return true;
    }
    return false;
}

/* A name that can only lead to a file below the database's directory. */
static bool is_safe(const char *name)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
    size_t length = strlen(name);
    return length > 0 && length < 64 && name[0] != '/' && name[length - 1] != '/' &&
           strspn(name, allowed) == length && !strstr(name, "//");
}

/* The names in the database's own index ("Z NAME ..." and "L TARGET NAME" lines); points into text.
 */
static size_t index_names(char *text, const char **names)
{
    size_t count = 0;
    for (char *line = text; line && *line && count < NAMES_MAX;) {
        char *end = strchr(line, '\n');
        if (end)
            *end = '\0';
        char *name = NULL;
        if (line[0] == 'Z' && line[1] == ' ')
            name = line + 2;
        else if (line[0] == 'L' && line[1] == ' ')
            name = strchr(line + 2, ' ');
        if (name) {
            name += *name == ' ';
            name[strcspn(name, " ")] = '\0';
            names[count++] = name;
        }
        line = end ? end + 1 : NULL;
    }
    return count;
}

static enum status unknown_zone(const char *name, struct error *err)
{
    struct io_stat stat;
    if (io_stat(io_real(), ZONE_DIRECTORY, &stat, NULL) != OK) {
        error_set(err, ERR_NOT_FOUND, "time zone '%s': there is no time zone database in %s", name,
                  ZONE_DIRECTORY);
        error_hint(err, "install the package tzdata");
        return ERR_NOT_FOUND;
    }
    error_set(err, ERR_NAME, "there is no time zone '%s'", name);
    struct buf text;
    buf_init(&text, NAMES_BYTES_MAX);
    const char **names = mem_alloc(NAMES_MAX * sizeof(*names)), *nearest = NULL;
    if (names && io_read_file(io_real(), ZONE_DIRECTORY "/tzdata.zi", &text, NULL) == OK &&
        *buf_text(&text))
        nearest = str_nearest(str_of(name), names, index_names((char *)text.data, names));
    if (nearest)
        error_hint(err, "did you mean '%s'?", nearest);
    else
        error_hint(err, "write it as 'Europe/Berlin', 'UTC' or '+08:00'");
    mem_free(names);
    buf_fini(&text);
    return ERR_NAME;
}

static enum status load_file(struct zone **out, const char *name, const char *path,
                             struct error *err)
{
    struct buf bytes;
    struct io_stat stat;
    buf_init(&bytes, ZONE_BYTES_MAX);
    enum status status = io_stat(io_real(), path, &stat, NULL);
    if (status == OK && stat.is_directory)
        status = ERR_NOT_FOUND;
    if (status == OK)
        status = io_read_file(io_real(), path, &bytes, err);
    if (status == OK)
        status = zone_from_tzif(out, name, bytes.data, bytes.length, err);
    buf_fini(&bytes);
    return status;
}

static enum status load(struct zone **out, const char *name, struct error *err)
{
    int32_t offset_seconds;
    char path[128];
    if (is_fixed(name, &offset_seconds))
        return zone_from_offset(out, offset_seconds, err);
    if (!is_safe(name))
        return unknown_zone(name, err);
    snprintf(path, sizeof(path), "%s/%s", ZONE_DIRECTORY, name);
    enum status status = load_file(out, name, path, err);
    return status == ERR_NOT_FOUND ? unknown_zone(name, err) : status;
}

/* Takes over zone; on failure frees it. */
static enum status remember(const char *name, struct zone *zone, struct error *err)
{
    size_t name_bytes = strlen(name) + 1;
    struct known *known = mem_alloc(sizeof(*known) + name_bytes);
    if (!known) {
        zone_free(zone);
        return error_memory(err, "a time zone", sizeof(*known) + name_bytes);
    }
    memcpy(known->name, name, name_bytes);
    known->zone = zone;
    known->next = known_zones;
    known_zones = known;
    return OK;
}

enum status zonefile_get(const struct zone **out, const char *name, struct error *err)
{
    enum status status = OK;
    struct zone *zone = NULL;
    *out = NULL;
    mutex_lock(&mutex);
    for (struct known *known = known_zones; known && !zone; known = known->next)
        if (strcmp(known->name, name) == 0)
            zone = known->zone;
    if (!zone) {
        status = load(&zone, name, err);
        if (status == OK)
            status = remember(name, zone, err);
    }
    mutex_unlock(&mutex);
    if (status == OK)
        *out = zone;
    return status;
}

/* The name that /etc/localtime points to, e.g. "Europe/Berlin"; false: it is no such link. */
static bool local_name(char *dest, size_t dest_size)
{
    char link[PATH_MAX];
    ssize_t length = readlink("/etc/localtime", link, sizeof(link) - 1);
    if (length < 0)
        return false;
    link[length] = '\0';
    const char *name = strstr(link, "/zoneinfo/");
    return name && (size_t)snprintf(dest, dest_size, "%s", name + 10) < dest_size;
}

enum status zonefile_local(const struct zone **out, struct error *err)
{
    char name[64];
    const char *tz = getenv("TZ");
    bool given = tz && *tz;
    if (given && zonefile_get(out, tz + (*tz == ':'), NULL) == OK)
        return OK;
    if (!given && local_name(name, sizeof(name)) && zonefile_get(out, name, NULL) == OK)
        return OK;
    return zonefile_get(out, "UTC", err);
}
