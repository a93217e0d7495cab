/* rest_gateway.c - the routes of the statement API: what is behind them is gateway.h.
 */
#include <jansson.h>

#include "server/server_int.h"

#define PROPERTIES_MAX 256

static enum status need_engine(struct request *request, struct error *err)
{
    return request->server->gateway
               ? OK
               : error_set(err, ERR_UNSUPPORTED, "this process runs no statements");
}

static struct str text_of(const json_t *value)
{
    return (struct str){json_string_value(value), json_string_length(value)};
}

enum status rest_gateway_info(struct request *request, struct error *err)
{
    buf_append_text(&request->out, "{\"productName\":\"leat\",\"version\":\"" LEAT_VERSION "\"}");
    return OK;
}

enum status rest_gateway_versions(struct request *request, struct error *err)
{
    buf_append_text(&request->out, "{\"versions\":[\"V1\",\"V2\",\"V3\"]}");
    return OK;
}

static enum status read_properties(const json_t *properties, struct gateway_pair *pairs,
                                   size_t *count, struct error *err)
{
    const char *name;
    json_t *value;
    if (properties && !json_is_null(properties) && !json_is_object(properties))
        return error_set(err, ERR_OPTION, "\"properties\" must be an object of texts");
    json_object_foreach((json_t *)(uintptr_t)properties, name, value)
    {
        if (!json_is_string(value) || *count == PROPERTIES_MAX)
            return error_set(err, ERR_OPTION, "\"properties\" must be at most %d texts",
                             PROPERTIES_MAX);
        pairs[(*count)++] = (struct gateway_pair){str_of(name), text_of(value)};
    }
    return OK;
}

enum status rest_session_open(struct request *request, struct error *err)
{
    struct gateway_pair pairs[PROPERTIES_MAX];
    char handle[HANDLE_BYTES];
    size_t count = 0;
    json_t *body;
    TRY(need_engine(request, err));
    TRY(rest_body(request, &body, err));
    enum status status = read_properties(json_object_get(body, "properties"), pairs, &count, err);
    if (status == OK)
        status = gateway_session_open(request->server->gateway, pairs, count, handle, err);
    json_decref(body);
    TRY(status);
    buf_append_byte(&request->out, '{');
    json_add_text(&request->out, "sessionHandle", handle);
    buf_append_byte(&request->out, '}');
    return OK;
}

enum status rest_session_close(struct request *request, struct error *err)
{
    TRY(need_engine(request, err));
    TRY(gateway_session_close(request->server->gateway, request->params[0], err));
    buf_append_text(&request->out, "{\"status\":\"CLOSED\"}");
    return OK;
}

enum status rest_session_config(struct request *request, struct error *err)
{
    TRY(need_engine(request, err));
    buf_append_text(&request->out, "{\"properties\":{");
    TRY(gateway_session_config(request->server->gateway, request->params[0], &request->out, err));
    buf_append_text(&request->out, "}}");
    return OK;
}

enum status rest_session_heartbeat(struct request *request, struct error *err)
{
    TRY(need_engine(request, err));
    TRY(gateway_session_touch(request->server->gateway, request->params[0], err));
    buf_append_text(&request->out, "{}");
    return OK;
}

/* The member "statement" of the body; *body holds it. */
static enum status read_statement(struct request *request, json_t **body, struct str *out,
                                  struct error *err)
{
    TRY(need_engine(request, err));
    TRY(rest_body(request, body, err));
    *out = text_of(json_object_get(*body, "statement"));
    if (out->data)
        return OK;
    json_decref(*body);
    *body = NULL;
    return error_set(err, ERR_OPTION, "the body needs \"statement\": a text");
}

enum status rest_session_configure(struct request *request, struct error *err)
{
    struct str statement;
    json_t *body;
    TRY(read_statement(request, &body, &statement, err));
    enum status status =
        gateway_configure(request->server->gateway, request->params[0], statement, err);
    json_decref(body);
    buf_append_text(&request->out, "{}");
    return status;
}

enum status rest_statement(struct request *request, struct error *err)
{
    char handle[HANDLE_BYTES];
    struct str statement;
    json_t *body;
    TRY(read_statement(request, &body, &statement, err));
    enum status status =
        gateway_execute(request->server->gateway, request->params[0], statement, handle, err);
    json_decref(body);
    TRY(status);
    buf_append_byte(&request->out, '{');
    json_add_text(&request->out, "operationHandle", handle);
    buf_append_byte(&request->out, '}');
    return OK;
}

static void add_status(struct request *request, const char *text)
{
    buf_append_byte(&request->out, '{');
    json_add_text(&request->out, "status", text);
    buf_append_byte(&request->out, '}');
}

enum status rest_operation_status(struct request *request, struct error *err)
{
    const char *text;
    TRY(need_engine(request, err));
    TRY(gateway_status(request->server->gateway, request->params[0], request->params[1], &text,
                       err));
    add_status(request, text);
    return OK;
}

enum status rest_operation_cancel(struct request *request, struct error *err)
{
    TRY(need_engine(request, err));
    TRY(gateway_cancel(request->server->gateway, request->params[0], request->params[1], err));
    add_status(request, "CANCELED");
    return OK;
}

enum status rest_operation_close(struct request *request, struct error *err)
{
    TRY(need_engine(request, err));
    TRY(gateway_close(request->server->gateway, request->params[0], request->params[1], err));
    add_status(request, "CLOSED");
    return OK;
}

enum status rest_operation_result(struct request *request, struct error *err)
{
    const char *format = http_argument(request->exchange, "rowFormat");
    uint64_t token;
    TRY(need_engine(request, err));
    if (!str_to_u64(str_of(request->params[2]), &token, NULL))
        return error_set(err, ERR_OPTION, "the token must be a number");
    bool plain = format && strcmp(format, "PLAIN_TEXT") == 0;
    if (format && !plain && strcmp(format, "JSON") != 0)
        return error_set(err, ERR_OPTION, "rowFormat is JSON or PLAIN_TEXT");
    return gateway_fetch(request->server->gateway, request->params[0], request->params[1], token,
                         plain, &request->out, err);
}
