/* openapi.c - the table of routes as an OpenAPI 3 description and as docs/rest-api.md. */
#include "server/server_int.h"

static void field_schema(struct buf *out, const struct route_field *field)
{
    json_name(out, "schema");
    buf_append_byte(out, '{');
    json_add_text(out, "type", field->type);
    buf_append_byte(out, '}');
}

static void write_parameters(struct buf *out, const struct route *route)
{
    json_name(out, "parameters");
    buf_append_byte(out, '[');
    for (const struct route_field *field = route->fields; field && field->name; field++) {
        if (field->where == FIELD_BODY)
            continue;
        json_comma(out);
        buf_append_byte(out, '{');
        json_add_text(out, "name", field->name);
        json_add_text(out, "in", field->where == FIELD_PATH ? "path" : "query");
        json_add_bool(out, "required", field->required);
        json_add_text(out, "description", field->help);
        field_schema(out, field);
        buf_append_byte(out, '}');
    }
    buf_append_byte(out, ']');
}

static void write_body(struct buf *out, const struct route *route)
{
    if (route->method != HTTP_POST)
        return;
    json_name(out, "requestBody");
    buf_append_text(out, "{\"content\":{\"application/json\":{\"schema\":{\"type\":\"object\",");
    buf_append_text(out, "\"properties\":{");
    for (const struct route_field *field = route->fields; field && field->name; field++) {
        if (field->where != FIELD_BODY)
            continue;
        json_name(out, field->name);
        buf_append_byte(out, '{');
        json_add_text(out, "type", field->type);
        json_add_text(out, "description", field->help);
        buf_append_byte(out, '}');
    }
    buf_append_text(out, "}}}}}");
}

static void write_operation(struct buf *out, const struct route *route)
{
    json_name(out, route->method == HTTP_GET    ? "get"
                   : route->method == HTTP_POST ? "post"
                   : route->method == HTTP_PUT  ? "put"
                                                : "delete");
    buf_append_byte(out, '{');
    json_add_text(out, "operationId", route->id);
    json_add_text(out, "summary", route->summary);
    json_name(out, "tags");
    buf_append_byte(out, '[');
    json_text_append(out, str_of(route->group));
    buf_append_byte(out, ']');
    write_parameters(out, route);
    write_body(out, route);
    json_name(out, "responses");
    buf_append_text(out, "{\"200\":{");
    json_add_text(out, "description", route->answer);
    buf_append_text(out, "},\"default\":{\"description\":\"an error: "
                         "{\\\"error\\\":{\\\"code\\\",\\\"message\\\",\\\"hint\\\"}}\"}}");
    if (route->rule == ROUTE_OPEN)
        buf_append_text(out, ",\"security\":[]");
    buf_append_byte(out, '}');
}

/* Is there an earlier route of the same path? OpenAPI has one entry a path. */
static bool is_first(const struct route *route)
{
    for (const struct route *other = ROUTES; other < route; other++)
        if (strcmp(other->path, route->path) == 0)
            return false;
    return true;
}

void openapi_write(struct buf *out)
{
    buf_append_text(out, "{\"openapi\":\"3.0.3\",\"info\":{\"title\":\"leat\",\"version\":\"1\"},"
                         "\"components\":{\"securitySchemes\":{\"token\":{\"type\":\"http\","
                         "\"scheme\":\"bearer\"}}},\"security\":[{\"token\":[]}],\"paths\":{");
    for (const struct route *route = ROUTES; route->path; route++) {
        if (!is_first(route))
            continue;
        json_name(out, route->path);
        buf_append_byte(out, '{');
        for (const struct route *other = route; other->path; other++)
            if (strcmp(other->path, route->path) == 0)
                write_operation(out, other);
        buf_append_byte(out, '}');
    }
    buf_append_text(out, "}}");
}

static void document_route(struct buf *out, const struct route *route)
{
    static const char *const WHERE[] = {"path", "query", "body"};
    buf_printf(out, "### `%s %s`\n\n%s%s\n\n", route_method_name(route->method), route->path,
               route->summary, route->rule == ROUTE_OPEN ? " No token is asked for." : "");
    if (route->fields && route->fields->name)
        buf_append_text(out, "| name | in | type | |\n| --- | --- | --- | --- |\n");
    for (const struct route_field *field = route->fields; field && field->name; field++)
        buf_printf(out, "| `%s`%s | %s | %s | %s |\n", field->name, field->required ? " *" : "",
                   WHERE[field->where], field->type, field->help);
    buf_printf(out, "%sAnswer: `%s`\n\n", route->fields && route->fields->name ? "\n" : "",
               route->answer);
}

void server_document_routes(struct buf *out)
{
    const char *group = "";
    buf_append_text(
        out,
        "The same as OpenAPI: `GET /api/v1/openapi.json`.\n\n"
        "Every request must come to a loopback name or one of `leat.http.hosts` (else 421) and, "
        "from a browser, from the page's own origin (else 403). `Authorization: Bearer TOKEN` is "
        "asked for (401) where nothing else is said; the token stands in the address that is "
        "printed at the start and in `http-token` of the data directory. A POST has `Content-Type: "
        "application/json` (415) and a body of at most 1 MiB (413). An error is "
        "`{\"error\":{\"code\":\"NAME\",\"message\":\"what, where, why\",\"hint\":\"what to "
        "do\"}}`."
        " Fields marked * are required.\n\n");
    for (const struct route *route = ROUTES; route->path; route++) {
        if (strcmp(group, route->group) != 0)
            buf_printf(out, "## %s\n\n", route->group);
        group = route->group;
        document_route(out, route);
    }
}

void server_document_metrics(struct buf *out)
{
    buf_append_text(
        out, "`GET /metrics` answers in Prometheus' text format; no token is asked for. "
             "Numbers of jobs are of those that run. Names and labels are kept from version to "
             "version; where Flink has the metric, its name stands behind `leat_job_` or "
             "`leat_operator_`.\n\n");
    metrics_document(out);
}
