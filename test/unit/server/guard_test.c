/* guard_test.c - who may ask, which route answers, and that each route is described. */
#include "check.h"

#include "server/guard.h"
#include "server/json_out.h"
#include "server/route.h"
#include "server/server.h"

TEST(hosts)
{
    static const char *const good[] = {"localhost", "LOCALHOST:1", "127.0.0.1:8080",
                                       "127.1.2.3", "[::1]:80",    "[::1]"};
    static const char *const bad[] = {
        "",         ":80",       "evil.com", "evil.com:8080", "127.0.0.1.evil.com",
        "127.evil", "[::2]",     "[::1",     "[::1]x",        "localhost.evil.com",
        "0.0.0.0",  "xlocalhost"};
    for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
        if (!guard_host_allowed(good[i], NULL))
            CHECK_FAIL("%s is refused", good[i]);
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        if (guard_host_allowed(bad[i], "leat.example, other"))
            CHECK_FAIL("%s is allowed", bad[i]);
    CHECK(!guard_host_allowed(NULL, NULL));
    CHECK(guard_host_allowed("leat.example:443", "leat.example, other"));
    CHECK(guard_host_allowed("Other", "leat.example, other"));
    CHECK(!guard_host_allowed("leat", "leat.example, other"));
}

TEST(origins)
{
    CHECK(guard_origin_allowed(NULL, "localhost:8080"));
    CHECK(guard_origin_allowed("http://localhost:8080", "localhost:8080"));
    CHECK(guard_origin_allowed("https://leat.example", "leat.example"));
    CHECK(!guard_origin_allowed("http://localhost:8081", "localhost:8080"));
    CHECK(!guard_origin_allowed("http://localhost", "localhost:8080"));
    CHECK(!guard_origin_allowed("null", "localhost:8080"));
    CHECK(!guard_origin_allowed("", "localhost:8080"));
    CHECK(!guard_origin_allowed("http://evil.com", NULL));
    CHECK(!guard_origin_allowed("file://localhost:8080", "localhost:8080"));
}

TEST(tokens)
{
    CHECK(guard_token_right("Bearer abcdefgh", "abcdefgh"));
    CHECK(guard_token_right("bearer   abcdefgh ", "abcdefgh"));
    CHECK(!guard_token_right("Bearer abcdefg", "abcdefgh"));
    CHECK(!guard_token_right("Bearer abcdefghi", "abcdefgh"));
    CHECK(!guard_token_right("Bearer ", "abcdefgh"));
    CHECK(!guard_token_right("abcdefgh", "abcdefgh"));
    CHECK(!guard_token_right(NULL, "abcdefgh"));
    CHECK(!guard_token_right("Bearer ", ""));
}

TEST(content_types)
{
    CHECK(guard_type_is("application/json", "application/json"));
    CHECK(guard_type_is("Application/JSON ; charset=utf-8", "application/json"));
    CHECK(!guard_type_is("text/plain; application/json", "application/json"));
    CHECK(!guard_type_is("application/jsonx", "application/json"));
    CHECK(!guard_type_is(NULL, "application/json"));
}

TEST(routes_are_found)
{
    char params[ROUTE_PARAMS_MAX][ROUTE_PARAM_BYTES];
    const char *allow = "";
    const struct route *route = route_find(HTTP_GET, "/health", params, &allow);
    CHECK(route && strcmp(route->path, "/health") == 0);
    CHECK(!route_find(HTTP_POST, "/health", params, &allow));
    CHECK_STR(allow, "GET, HEAD");
    CHECK(!route_find(HTTP_GET, "/health/", params, &allow));
    CHECK_STR(allow, "");
    CHECK(!route_find(HTTP_GET, "/healt", params, &allow));
    CHECK(!route_find(HTTP_GET, "", params, &allow));
    CHECK(!route_find(HTTP_GET, "//health", params, &allow));
}

/* The table is the API's description: no route without words, no name twice, each {param} told. */
TEST(routes_are_described)
{
    for (const struct route *route = ROUTES; route->path; route++) {
        unsigned params = 0, told = 0;
        if (!route->id || !route->summary || !route->group || !route->answer || !*route->summary)
            CHECK_FAIL("%s lacks a description", route->path);
        for (const struct route *other = ROUTES; other < route; other++) {
            CHECK(strcmp(other->id, route->id) != 0);
            CHECK(strcmp(other->path, route->path) != 0 || other->method != route->method);
        }
        for (const char *at = route->path; (at = strchr(at, '{')); at++)
            params++;
        for (const struct route_field *field = route->fields; field && field->name; field++) {
            CHECK(field->help && *field->help && field->type);
            told += field->where == FIELD_PATH && strstr(route->path, field->name);
        }
        if (params != told)
            CHECK_FAIL("%s: %u path parameters, %u described", route->path, params, told);
        CHECK(params <= ROUTE_PARAMS_MAX);
        CHECK(route->rule == ROUTE_TOKEN || route->method == HTTP_GET);
    }
}

TEST(json_members)
{
    struct buf out;
    buf_init(&out, 4096);
    json_error(&out, "X", "it's", "");
    CHECK_STR(buf_text(&out), "{\"error\":{\"code\":\"X\",\"message\":\"it's\",\"hint\":\"\"}}\n");
    buf_fini(&out);
}
