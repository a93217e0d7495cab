/* socket_holder.c - finds the process that listens on a port: /proc/net/tcp gives the socket's
 * inode, /proc/PID/fd who has it open. Only for error texts: whatever cannot be read is left out.
 */
#include "os/socket_int.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"

#define FIELDS_MAX 10 /* "sl local remote st tx:rx tr:when retrnsmt uid timeout inode ..." */

/* Cuts a line at its blanks; the number of fields, at most FIELDS_MAX. */
static size_t split(char *line, const char **fields)
{
    size_t count = 0;
    for (char *at = line; count < FIELDS_MAX;) {
        at += strspn(at, " \n");
        if (!*at)
            break;
        fields[count++] = at;
        at += strcspn(at, " \n");
        if (*at)
            *at++ = '\0';
    }
    return count;
}

/* The inode of the socket that listens on port in one of the kernel's tables; 0: none. */
static uint64_t listening_inode(const char *table, uint16_t port)
{
    FILE *file = fopen(table, "re");
    if (!file)
        return 0;
    char line[512], port_text[8];
    const char *fields[FIELDS_MAX];
    uint64_t found = 0;
    snprintf(port_text, sizeof(port_text), ":%04X", port);
    while (!found && fgets(line, sizeof(line), file)) {
        if (split(line, fields) < FIELDS_MAX || strcmp(fields[3], "0A") != 0) /* listening */
            continue;
        const char *colon = strchr(fields[1], ':');
        if (colon && strcmp(colon, port_text) == 0 && !str_to_u64(str_of(fields[9]), &found, NULL))
            found = 0;
    }
    fclose(file);
    return found;
}

static bool has_open(const char *pid, uint64_t inode)
{
    char path[300], want[40], link[64];
    snprintf(want, sizeof(want), "socket:[%" PRIu64 "]", inode);
    snprintf(path, sizeof(path), "/proc/%s/fd", pid);
    DIR *directory = opendir(path);
    if (!directory)
        return false;
    bool found = false;
    size_t base = strlen(path);
    for (struct dirent *entry; !found && (entry = readdir(directory));) {
        snprintf(path + base, sizeof(path) - base, "/%s", entry->d_name);
        ssize_t length = readlink(path, link, sizeof(link) - 1);
        if (length < 0)
            continue;
        link[length] = '\0';
        found = strcmp(link, want) == 0;
    }
    closedir(directory);
    return found;
}

static void describe(const char *pid, char *dest, size_t dest_size)
{
    char path[300], name[64] = "";
    snprintf(path, sizeof(path), "/proc/%s/comm", pid);
    FILE *file = fopen(path, "re");
    if (file) {
        if (fgets(name, sizeof(name), file))
            name[strcspn(name, "\n")] = '\0';
        fclose(file);
    }
    if (name[0])
        snprintf(dest, dest_size, "process %s (%s)", pid, name);
    else
        snprintf(dest, dest_size, "process %s", pid);
}

void socket_port_holder(uint16_t port, char *dest, size_t dest_size)
{
    dest[0] = '\0';
    uint64_t inode = listening_inode("/proc/net/tcp", port);
    if (!inode)
        inode = listening_inode("/proc/net/tcp6", port);
    DIR *directory = inode ? opendir("/proc") : NULL;
    if (!directory)
        return;
    for (struct dirent *entry; !dest[0] && (entry = readdir(directory));)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && has_open(entry->d_name, inode))
            describe(entry->d_name, dest, dest_size);
    closedir(directory);
}
