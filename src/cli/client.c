/* client.c - HTTP/1.0 to a leat on this machine: a connection for each request, closed by the
 * server at the end of its answer. No TLS, which leat's server has not either. */
#include "cli/client.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "os/io.h"

#define CONNECT_US       INT64_C(5000000)
#define ANSWER_BYTES_MAX (64u << 20)
#define DEFAULT_PORT     8080

/* ---- whom to ask ---- */

/* The first line of a file of the data directory. */
static enum status line_read(const struct client *client, const char *name, char *out, size_t size,
                             struct error *err)
{
    char path[4096];
    struct buf text;
    snprintf(path, sizeof(path), "%s/%s", client->data_directory, name);
    buf_init(&text, 4096);
    enum status status = io_read_file(io_real(), path, &text, err);
    if (status == OK) {
        struct str line = str_trim(str_of(buf_text(&text)));
        if (line.length == 0 || line.length >= size)
            status = error_set(err, ERR_CORRUPT, "%s holds nothing of use", path);
        else
            snprintf(out, size, "%.*s", (int)line.length, line.data);
    }
    buf_fini(&text);
    return status;
}

static enum status nobody_runs(const struct client *client, struct error *err)
{
    error_set(err, ERR_NOT_FOUND, "no leat with HTTP works on the data directory %s",
              client->data_directory);
    error_hint(err, "name the directory with --data, or the address that its start has printed "
                    "with --server; 'leat run' with --http has one");
    return ERR_NOT_FOUND;
}

/* "http://HOST:PORT/?token=TOKEN", each part but HOST may be missing. */
static enum status server_parse(struct client *client, struct error *err)
{
    struct str rest = str_of(client->server);
    char host[300];
    if (str_starts(rest, STR("https://")))
        return error_set(err, ERR_UNSUPPORTED, "--server %s: TLS is not built", client->server);
    if (str_starts(rest, STR("http://")))
        rest = str_of(rest.data + strlen("http://"));
    size_t length = strcspn(rest.data, "/?");
    const char *token = strstr(rest.data + length, "token=");
    if (length >= sizeof(host))
        return error_set(err, ERR_USAGE, "--server: the address is too long");
    snprintf(host, sizeof(host), "%.*s", (int)length, rest.data);
    TRY(socket_address_parse(&client->address, host, DEFAULT_PORT, err));
    if (token)
        snprintf(client->token, sizeof(client->token), "%.*s",
                 (int)strcspn(token + strlen("token="), "&#"), token + strlen("token="));
    return OK;
}

enum status client_open(struct client *client, struct error *err)
{
    char address[300];
    if (client->server) {
        TRY(server_parse(client, err));
    } else {
        struct error missing = {0};
        enum status status = line_read(client, "http-address", address, sizeof(address), &missing);
        if (status == ERR_NOT_FOUND)
            return nobody_runs(client, err);
        if (status != OK)
            return error_set(err, status, "%s", missing.text);
        TRY(socket_address_parse(&client->address, address, DEFAULT_PORT, err));
    }
    if (client->token[0])
        return OK;
    enum status status = line_read(client, "http-token", client->token, sizeof(client->token), err);
    if (status == ERR_NOT_FOUND && client->server)
        error_hint(err, "give --server the whole address that the start of leat has printed, with "
                        "its token, or name the data directory with --data");
    return status;
}

/* ---- one request ---- */

static enum status send_all(int fd, const struct buf *text, struct error *err)
{
    size_t sent = 0, now = 0;
    while (sent < text->length) {
        enum status status =
            socket_write(fd, (const char *)text->data + sent, text->length - sent, &now, err);
        if (status != OK && status != ERR_AGAIN)
            return status;
        sent += now;
    }
    return OK;
}

static enum status receive_all(int fd, struct buf *out, struct error *err)
{
    char bytes[16384];
    size_t got = 0;
    for (;;) {
        enum status status = socket_read(fd, bytes, sizeof(bytes), &got, err);
        if (status == ERR_CLOSED)
            return buf_check(out, "the answer", err);
        if (status != OK && status != ERR_AGAIN)
            return status;
        buf_append(out, bytes, got);
    }
}

static enum status exchange(struct client *client, const char *path, const char *body,
                            struct buf *answer, struct error *err)
{
    struct buf request;
    int fd;
    TRY(socket_connect(&fd, &client->address, CONNECT_US, err));
    buf_init(&request, 1u << 20);
    bool brackets = strchr(client->address.host, ':') != NULL;
    buf_printf(&request, "%s %s HTTP/1.0\r\nHost: %s%s%s:%u\r\nAuthorization: Bearer %s\r\n",
               body ? "POST" : "GET", path, brackets ? "[" : "", client->address.host,
               brackets ? "]" : "", client->address.port, client->token);
    if (body)
        buf_printf(&request, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
                   strlen(body));
    buf_printf(&request, "\r\n%s", body ? body : "");
    enum status status = buf_check(&request, "a request", err);
    if (status == OK)
        status = send_all(fd, &request, err);
    if (status == OK)
        status = receive_all(fd, answer, err);
    buf_fini(&request);
    socket_close(fd);
    return status;
}

/* {"error":{"message":...,"hint":...}} */
static enum status answered_error(const struct client *client, const char *status_code,
                                  const json_t *answer, struct error *err)
{
    const json_t *error = json_object_get(answer, "error");
    const char *message = json_string_value(json_object_get(error, "message"));
    const char *hint = json_string_value(json_object_get(error, "hint"));
    if (strncmp(status_code, "401", 3) == 0) {
        error_set(err, ERR_ACCESS, "the leat at %s port %u takes another token",
                  client->address.host, client->address.port);
        error_hint(err, "--data names its data directory, where the token is kept; --server takes "
                        "the address with the token, as its start has printed it");
        return ERR_ACCESS;
    }
    enum status status = strncmp(status_code, "404", 3) == 0 ? ERR_NOT_FOUND : ERR_IO;
    error_set(err, status, "%s", message ? message : "the answer is no answer of leat's");
    if (hint && *hint)
        error_hint(err, "%s", hint);
    return status;
}

static enum status answer_parse(const struct client *client, struct buf *answer, json_t **out,
                                struct error *err)
{
    const char *text = buf_text(answer);
    const char *code = str_starts(str_of(text), STR("HTTP/1.")) ? strchr(text, ' ') : NULL;
    const char *body = strstr(text, "\r\n\r\n");
    if (!code || !body)
        return error_set(err, ERR_IO,
                         "what listens at %s port %u is no leat: it does not speak "
                         "HTTP",
                         client->address.host, client->address.port);
    json_t *json = json_loads(body + 4, 0, NULL);
    if (code[1] == '2' && json) {
        *out = json;
        return OK;
    }
    enum status status = answered_error(client, code + 1, json, err);
    json_decref(json);
    return status;
}

enum status client_call(struct client *client, const char *path, const char *body, json_t **out,
                        struct error *err)
{
    struct buf answer;
    *out = NULL;
    buf_init(&answer, ANSWER_BYTES_MAX);
    enum status status = exchange(client, path, body, &answer, err);
    if (status == OK)
        status = answer_parse(client, &answer, out, err);
    else if (status != ERR_LIMIT && status != ERR_MEMORY)
        error_hint(err, "no leat listens there (any more): start one with 'leat run --http', or "
                        "name another with --data or --server");
    buf_fini(&answer);
    return status;
}
