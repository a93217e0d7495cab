/* route.c - finds the route of a path. */
#include "server/route.h"

#include <stdio.h>

static const char *const METHOD_NAMES[] = {"GET", "POST", "PUT", "DELETE", "?"};

const char *route_method_name(enum http_method method)
{
    return METHOD_NAMES[method];
}

/* One segment of a path: up to the next '/'. */
static struct str segment(const char **path)
{
    const char *from = **path == '/' ? *path + 1 : *path, *to = from;
    while (*to && *to != '/')
        to++;
    *path = to;
    return (struct str){from, (size_t)(to - from)};
}

static bool matches(const char *pattern, const char *path,
                    char params[ROUTE_PARAMS_MAX][ROUTE_PARAM_BYTES])
{
    unsigned count = 0;
    while (*pattern && *path) {
        struct str want = segment(&pattern), got = segment(&path);
        bool is_param = want.length && want.data[0] == '{';
        if (!is_param && !str_eq(want, got))
            return false;
        if (!is_param)
            continue;
        if (!got.length || got.length >= ROUTE_PARAM_BYTES || count == ROUTE_PARAMS_MAX)
            return false;
        memcpy(params[count], got.data, got.length);
        params[count++][got.length] = 0;
    }
    return !*pattern && !*path;
}

/* Flink's statement API has all its versions at once, and the newest without one. */
static const char *with_version(const char *path, char *room, size_t size)
{
    bool versioned =
        path[0] == '/' && path[1] == 'v' && path[2] >= '1' && path[2] <= '2' && path[3] == '/';
    bool bare = str_starts(str_of(path), STR("/sessions")) || strcmp(path, "/info") == 0 ||
                strcmp(path, "/api_versions") == 0;
    if (!versioned && !bare)
        return path;
    snprintf(room, size, "/v3%s", versioned ? path + 3 : path);
    return room;
}

const struct route *route_find(enum http_method method, const char *path,
                               char params[ROUTE_PARAMS_MAX][ROUTE_PARAM_BYTES], const char **allow)
{
    static const char *const ALLOW[] = {
        "",       "GET, HEAD",         "POST",         "GET, HEAD, POST",
        "DELETE", "GET, HEAD, DELETE", "POST, DELETE", "GET, HEAD, POST, DELETE"};
    unsigned methods = 0;
    char room[2048];
    path = with_version(path, room, sizeof(room));
    for (const struct route *route = ROUTES; route->path; route++) {
        if (!matches(route->path, path, params))
            continue;
        if (route->method == method)
            return route;
        methods |= route->method == HTTP_GET ? 1 : route->method == HTTP_POST ? 2 : 4;
    }
    *allow = ALLOW[methods];
    return NULL;
}
