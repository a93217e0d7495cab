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

#define STATE_LISTEN 0x0A

/* The inode of the socket that listens on port in one of the kernel's tables; 0: none. */
static unsigned long listening_inode(const char *table, uint16_t port)
{
    FILE *file = fopen(table, "re");
    if (!file)
        return 0;
    char line[512];
    unsigned long found = 0;
    while (!found && fgets(line, sizeof(line), file)) {
        unsigned local_port, state;
        unsigned long inode;
        /* "sl local:port remote:port st tx:rx tr:when retrnsmt uid timeout inode" */
        if (sscanf(line, " %*[^:]: %*[0-9A-F]:%x %*[0-9A-F]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %lu",
                   &local_port, &state, &inode) == 3 &&
            local_port == port && state == STATE_LISTEN)
            found = inode;
    }
    fclose(file);
    return found;
}

static bool has_open(const char *pid, unsigned long inode)
{
    char path[300], want[40], link[64];
    snprintf(want, sizeof(want), "socket:[%lu]", inode);
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
    unsigned long inode = listening_inode("/proc/net/tcp", port);
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
