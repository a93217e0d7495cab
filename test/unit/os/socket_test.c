#include "os/socket.h"
#include "os/socket_int.h"
#include "base/must.h"

#include "../check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct error err;

TEST(addresses)
{
    static const struct {
        const char *text, *host;
        int port; /* -1: bad */
    } rows[] = {
        {"127.0.0.1:9092", "127.0.0.1", 9092},
        {" localhost:80 ", "localhost", 80},
        {"localhost", "localhost", 7},
        {"[::1]:9092", "::1", 9092},
        {"[::1]", "::1", 7},
        {"h:0", "h", 0},
        {"h:65535", "h", 65535},
        {"h:65536", NULL, -1},
        {"h:", NULL, -1},
        {"h:x", NULL, -1},
        {"h:-1", NULL, -1},
        {":80", NULL, -1},
        {"", NULL, -1},
        {"[::1", NULL, -1},
        {"[::1]80", NULL, -1},
        {"[]:80", NULL, -1},
        {"::1:80", NULL, -1},
    };
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct socket_address address;
        error_clear(&err);
        enum status status = socket_address_parse(&address, rows[i].text, 7, &err);
        if ((status == OK) != (rows[i].port >= 0) ||
            (status == OK &&
             (address.port != rows[i].port || strcmp(address.host, rows[i].host) != 0)))
            CHECK_FAIL("\"%s\": %s", rows[i].text, err.text);
        CHECK(status == OK || (status == ERR_USAGE && strstr(err.text, rows[i].text)));
    }
    char big[400];
    memset(big, 'h', sizeof(big) - 1);
    big[399] = '\0';
    struct socket_address address;
    CHECK_INT(socket_address_parse(&address, big, 7, NULL), ERR_USAGE);
}

TEST(a_port_in_use_names_its_holder)
{
    struct socket_address address = {.host = "127.0.0.1"};
    int fd, other;
    uint16_t port, next;
    char want[64];
    error_clear(&err);
    CHECK_OK(socket_listen(&fd, &address, false, &address.port, &err));
    CHECK(address.port != 0);
    CHECK_INT(socket_listen(&other, &address, false, &port, &err), ERR_LOCKED);
    CHECK_INT(other, -1);
    snprintf(want, sizeof(want), "process %ld (socket_test)", (long)getpid());
    if (!strstr(err.text, want))
        CHECK_FAIL("%s", err.text);
    snprintf(want, sizeof(want), "port %u of 127.0.0.1 is in use by ", address.port);
    CHECK(strncmp(err.text, want, strlen(want)) == 0);
    error_clear(&err);
    CHECK_OK(socket_listen(&other, &address, true, &next, &err));
    CHECK(next > address.port && next <= address.port + 100);
    socket_close(other);
    socket_close(fd);
    char holder[64];
    socket_port_holder(address.port, holder, sizeof(holder));
    CHECK_STR(holder, "");
    CHECK_OK(socket_listen(&fd, &address, false, &port, &err)); /* at once again */
    socket_close(fd);
}

TEST(hosts_that_are_not_there)
{
    struct socket_address address = {.host = "no.such.host.invalid", .port = 1};
    int fd;
    uint16_t port;
    error_clear(&err);
    enum status status = socket_connect(&fd, &address, 1000000, &err);
    CHECK(status == ERR_NOT_FOUND || status == ERR_AGAIN); /* the latter without a resolver */
    CHECK(strstr(err.text, "no.such.host.invalid") != NULL);
    CHECK_INT(fd, -1);
    error_clear(&err);
    address = (struct socket_address){.host = "203.0.113.77", .port = 1}; /* nobody's */
    CHECK(socket_listen(&fd, &address, true, &port, &err) == ERR_IO);
    CHECK(strstr(err.text, "203.0.113.77") != NULL);
}

/* A listener, a client that blocks and the server's end that does not. */
struct pair {
    int listener, client, server;
    uint16_t port;
    char peer[64];
};

static enum status pair_open(struct pair *pair, const char *host)
{
    struct socket_address address = {0};
    snprintf(address.host, sizeof(address.host), "%s", host);
    error_clear(&err);
    TRY(socket_listen(&pair->listener, &address, false, &address.port, &err));
    pair->port = address.port;
    if (socket_accept(pair->listener, &pair->server, pair->peer, 64, &err) != ERR_AGAIN)
        return ERR_IO;
    TRY(socket_connect(&pair->client, &address, 5000000, &err));
    return socket_accept(pair->listener, &pair->server, pair->peer, 64, &err);
}

static void pair_close(struct pair *pair)
{
    socket_close(pair->listener);
    socket_close(pair->client);
    socket_close(pair->server);
}

TEST(bytes_both_ways_and_the_end)
{
    struct pair pair;
    char bytes[64];
    size_t done;
    CHECK_OK(pair_open(&pair, "127.0.0.1"));
    CHECK(strncmp(pair.peer, "127.0.0.1:", 10) == 0);
    CHECK_INT(socket_read(pair.server, bytes, 64, &done, &err), ERR_AGAIN);
    CHECK_OK(socket_write(pair.client, "ping", 4, &done, &err));
    while (socket_read(pair.server, bytes, 64, &done, &err) == ERR_AGAIN)
        usleep(100);
    CHECK(done == 4 && memcmp(bytes, "ping", 4) == 0);
    CHECK_OK(socket_write(pair.server, "pong", 4, &done, &err));
    CHECK_OK(socket_read(pair.client, bytes, 64, &done, &err));
    CHECK(done == 4 && memcmp(bytes, "pong", 4) == 0);
    socket_close(pair.server);
    CHECK_INT(socket_read(pair.client, bytes, 64, &done, &err), ERR_CLOSED);
    enum status status = OK;
    for (int i = 0; i < 100 && status == OK; i++) { /* the first write may still be taken */
        status = socket_write(pair.client, "x", 1, &done, &err);
        usleep(1000);
    }
    CHECK_INT(status, ERR_CLOSED);
    pair.server = -1;
    pair_close(&pair);
}

TEST(ipv6)
{
    struct pair pair;
    if (pair_open(&pair, "::1") != OK) {
        printf("# skipped: no IPv6 here: %s\n", err.text);
        return;
    }
    CHECK(strncmp(pair.peer, "[::1]:", 6) == 0);
    pair_close(&pair);
}

TEST(a_full_socket_says_again)
{
    struct pair pair;
    static char block[65536];
    size_t done, total = 0;
    enum status status;
    CHECK_OK(pair_open(&pair, "127.0.0.1"));
    while ((status = socket_write(pair.server, block, sizeof(block), &done, &err)) == OK)
        total += done;
    CHECK_INT(status, ERR_AGAIN);
    CHECK(total > 0);
    pair_close(&pair);
}

TEST(files_are_sent_and_a_closed_peer_kills_nobody)
{
    struct pair pair;
    char path[] = "/tmp/leat-socket-test-XXXXXX", bytes[64];
    size_t done;
    int file = mkstemp(path);
    CHECK(file >= 0);
    unlink(path);
    CHECK_INT(write(file, "0123456789", 10), 10);
    CHECK_OK(pair_open(&pair, "127.0.0.1"));
    CHECK_OK(socket_send_file(pair.server, file, 3, 4, &done, &err));
    CHECK_INT(done, 4);
    CHECK_OK(socket_read(pair.client, bytes, 64, &done, &err));
    CHECK(done == 4 && memcmp(bytes, "3456", 4) == 0);
    CHECK_INT(socket_send_file(pair.server, file, 10, 4, &done, &err), ERR_END);
    error_clear(&err);
    socket_close(pair.client);
    enum status status = OK;
    for (int i = 0; i < 100 && status == OK; i++) {
        status = socket_send_file(pair.server, file, 0, 10, &done, &err);
        usleep(1000);
    }
    CHECK_INT(status, ERR_CLOSED);
    close(file);
    pair.client = -1;
    pair_close(&pair);
}
