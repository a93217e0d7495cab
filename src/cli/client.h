/* client.h - asks a running leat by its REST interface: one request, one answer as JSON. */
#ifndef LEAT_CLI_CLIENT_H
#define LEAT_CLI_CLIENT_H

#include <jansson.h>

#include "os/socket.h"

struct client {
    const char *data_directory; /* whose leat is asked; its http-address and http-token */
    const char *server;         /* instead: the address as its start prints it; NULL: not given */
    /* found by client_open */
    struct socket_address address;
    char token[256];
};

/* Where to ask, and with which token. Both come from the data directory, but for what `server` has
 * of them ("http://127.0.0.1:8080/?token=...", "127.0.0.1:8080"). */
enum status client_open(struct client *client, struct error *err) STATUS_CHECKED;

/* GET (body NULL) or POST of a path. Blocks until the answer has come. *out: the JSON of an answer
 * of 2xx, json_decref() by the caller; any other answer is an error with the server's text. */
enum status client_call(struct client *client, const char *path, const char *body, json_t **out,
                        struct error *err) STATUS_CHECKED;

#endif
