/* path.c - paths against the security roots, after the operating system has resolved links. */
#include "os/path.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

/* The resolved path of what is there, or of its directory when it is not there yet. */
static bool resolve(const char *path, char *out)
{
    char parent[PATH_MAX];
    if (realpath(path, out))
        return true;
    int length = snprintf(parent, sizeof(parent), "%s", path);
    if (length < 0 || (size_t)length >= sizeof(parent))
        return false;
    char *slash = strrchr(parent, '/');
    const char *last = slash ? slash + 1 : parent;
    if (strcmp(last, "..") == 0 || strcmp(last, ".") == 0)
        return false;
    if (!slash)
        return realpath(".", out) != NULL;
    *slash = '\0';
    return realpath(parent[0] ? parent : "/", out) != NULL;
}

static bool is_below(const char *path, const char *root)
{
    size_t length = strlen(root);
    while (length > 1 && root[length - 1] == '/')
        length--;
    if (strncmp(path, root, length) != 0)
        return false;
    return length == 1 || path[length] == '\0' || path[length] == '/';
}

enum status path_check_roots(const char *path, const char *const *roots, struct error *err)
{
    char resolved[PATH_MAX], root[PATH_MAX];
    if (!roots)
        return OK;
    bool known = resolve(path, resolved);
    for (; known && *roots; roots++)
        if (realpath(*roots, root) && is_below(resolved, root))
            return OK;
    error_set(err, ERR_ACCESS, "'%s' is not within the directories that may be used", path);
    error_hint(err, "leat.security.roots lists them");
    return ERR_ACCESS;
}

void path_absolute(const char *path, char *dest, size_t dest_bytes)
{
    char resolved[PATH_MAX];
    snprintf(dest, dest_bytes, "%s", realpath(path, resolved) ? resolved : path);
}

void path_space(const char *path, int64_t *out_total_bytes, int64_t *out_usable_bytes)
{
    struct statvfs space;
    *out_total_bytes = *out_usable_bytes = -1;
    if (statvfs(path, &space) != 0)
        return;
    *out_total_bytes = (int64_t)(space.f_blocks * space.f_frsize);
    *out_usable_bytes = (int64_t)(space.f_bavail * space.f_frsize);
}
