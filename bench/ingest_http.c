/* ingest_http.c - rows over HTTP, from clients with kept connections to durable rows: a `leat run`
 * of its own, its CPU from /proc, wall rates; this program is the clients (epoll, one thread).
 *
 *   ingest_http [ROWS] [POSTS]      default 4 million rows in bodies of 1,000; 200,000 single rows
 *
 * Each answer is looked at; the job that reads the table counts the rows in the end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/str.h"
#include "os/io.h"
#include "clock.h"

#define BODY_ROWS       1000
#define BODIES          64
#define CONNECTIONS_MAX 64

#define SQL                                                                                        \
    "CREATE TABLE t (customer_id INT NOT NULL, source STRING NOT NULL, quantity INT NOT NULL, "    \
    "CHECK (customer_id BETWEEN 1 AND 17), CHECK (source IN ('Takeaway', 'Dine In', "              \
    "'Home Delivery')), CHECK (quantity > 0)) WITH ('connector' = 'http-ingest', 'topic' = 't', "  \
    "'format' = 'json'%s);"
#define SQL_JOB                                                                                    \
    SQL "CREATE TABLE o (quantity INT) WITH ('connector' = 'blackhole');"                          \
        "INSERT INTO o SELECT quantity FROM t"

/* ---- leat */

static struct {
    pid_t pid;
    char program[4096], directory[64], token[128];
    int port;
} leat;

static pid_t spawn(const char *sql, int out, int err)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid;
    if (chdir(leat.directory) != 0)
        _exit(127);
    dup2(out, 1);
    dup2(err, 2);
    execl(leat.program, "leat", "run", "--result", "csv", "-e", sql, (char *)NULL);
    _exit(127);
}

static void start_leat(void)
{
    char sql[1024], line[1024];
    int pipes[2];
    snprintf(leat.directory, sizeof(leat.directory), "/tmp/leat-bench-XXXXXX");
    if (!mkdtemp(leat.directory) || pipe(pipes) != 0)
        exit(1);
    snprintf(sql, sizeof(sql), SQL_JOB, "");
    leat.pid = spawn(sql, 1, pipes[1]);
    close(pipes[1]);
    FILE *said = fdopen(pipes[0], "r");
    while (said && fgets(line, sizeof(line), said)) {
        const char *page = strstr(line, "page: http://127.0.0.1:");
        if (page && sscanf(page, "page: http://127.0.0.1:%d/?token=%127s", &leat.port, leat.token))
            return; /* the pipe stays open */
    }
    fprintf(stderr, "no leat: %s\n", leat.program);
    exit(1);
}

static long count_rows(void)
{
    char sql[1024], text[4096] = "";
    int pipes[2];
    if (pipe(pipes) != 0)
        return -1;
    snprintf(sql, sizeof(sql), SQL "SELECT COUNT(*) FROM t",
             ", 'scan.bounded.mode' = 'latest-offset'");
    pid_t pid = spawn(sql, pipes[1], 2);
    close(pipes[1]);
    ssize_t got, at = 0;
    while ((got = read(pipes[0], text + at, sizeof(text) - 1 - (size_t)at)) > 0)
        at += got;
    close(pipes[0]);
    waitpid(pid, NULL, 0);
    while (at > 0 && (text[at - 1] == '\n' || text[at - 1] == '\r'))
        text[--at] = 0;
    const char *last = strrchr(text, '\n');
    int64_t number = -1;
    return str_to_i64(str_of(last ? last + 1 : text), &number, NULL) ? (long)number : -1;
}

/* ---- clients */

struct message {
    char *data;
    size_t length;
};

struct client {
    int fd;
    const struct message *message;
    size_t sent, received;
    char answer[2048];
};

static size_t make_row(char *dest, size_t room, int number)
{
    static const char *const sources[] = {"Takeaway", "Dine In", "Home Delivery"};
    return (size_t)snprintf(dest, room,
                            "{\"customer_id\": %d, \"source\": \"%s\", \"quantity\": %d}",
                            1 + number % 17, sources[number % 3], 1 + number % 100);
}

static void make_messages(struct message *messages, int rows)
{
    for (int b = 0; b < BODIES; b++) {
        size_t room = (size_t)rows * 100, length = 0;
        char *body = malloc(room);
        for (int i = 0; i < rows; i++) {
            length += make_row(body + length, room - length, b * rows + i);
            body[length++] = '\n';
        }
        messages[b].data = malloc(length + 1024);
        int head = snprintf(messages[b].data, 1024,
                            "POST /ingest/t HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAuthorization: "
                            "Bearer %s\r\nContent-Type: application/x-ndjson\r\n"
                            "Content-Length: %zu\r\n\r\n",
                            leat.port, leat.token, length);
        memcpy(messages[b].data + head, body, length);
        messages[b].length = (size_t)head + length;
        free(body);
    }
}

static int connect_client(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)leat.port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
        exit(1);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void send_some(struct client *client)
{
    while (client->sent < client->message->length) {
        ssize_t n = write(client->fd, client->message->data + client->sent,
                          client->message->length - client->sent);
        if (n < 0 && errno == EAGAIN)
            return;
        if (n <= 0)
            exit(1);
        client->sent += (size_t)n;
    }
}

/* The whole answer is here. */
static bool receive_some(struct client *client, const char *wanted, long *wrong)
{
    for (;;) {
        ssize_t n = read(client->fd, client->answer + client->received,
                         sizeof(client->answer) - 1 - client->received);
        if (n < 0 && errno == EAGAIN)
            break;
        if (n <= 0) {
            fprintf(stderr, "a connection was closed: %s\n", client->answer);
            exit(1);
        }
        client->received += (size_t)n;
    }
    client->answer[client->received] = 0;
    const char *body = strstr(client->answer, "\r\n\r\n");
    if (!body || !body[4] || body[strlen(body) - 1] != '}')
        return false;
    if (strcmp(body + 4, wanted) != 0 && (*wrong)++ == 0)
        printf("answer: %s\n", client->answer);
    return true;
}

static long run(const char *what, int rows, long requests, int connections, const char *wanted)
{
    static struct client clients[CONNECTIONS_MAX];
    struct message messages[BODIES];
    struct epoll_event events[CONNECTIONS_MAX];
    long sent = 0, answered = 0, wrong = 0;
    int poll = epoll_create1(0);
    make_messages(messages, rows);
    for (int i = 0; i < connections; i++) {
        clients[i] = (struct client){.fd = connect_client()};
        struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET,
                                    .data.ptr = &clients[i]};
        epoll_ctl(poll, EPOLL_CTL_ADD, clients[i].fd, &event);
    }
    double user_s, kernel_s, user_end_s, kernel_end_s, start_s = now_s();
    cpu_of(leat.pid, &user_s, &kernel_s);
    for (int i = 0; i < connections; i++)
        clients[i].message = &messages[sent++ % BODIES];
    while (answered < requests) {
        int n = epoll_wait(poll, events, CONNECTIONS_MAX, -1);
        for (int i = 0; i < n; i++) {
            struct client *client = events[i].data.ptr;
            if (!client->message)
                continue;
            send_some(client);
            if (!receive_some(client, wanted, &wrong))
                continue;
            answered++;
            client->message = sent < requests ? &messages[sent++ % BODIES] : NULL;
            client->sent = client->received = 0;
            if (client->message)
                send_some(client);
        }
    }
    double wall_s = now_s() - start_s;
    cpu_of(leat.pid, &user_end_s, &kernel_end_s);
    double used_s = user_end_s + kernel_end_s - user_s - kernel_s;
    printf("%-36s %7.2f million rows per CPU second, %7.0f requests/s wall, %4.1f us of CPU a "
           "request\n",
           what, (double)(requests * rows) / used_s / 1e6, (double)requests / wall_s,
           used_s * 1e6 / (double)requests);
    for (int i = 0; i < connections; i++)
        close(clients[i].fd);
    close(poll);
    for (int b = 0; b < BODIES; b++)
        free(messages[b].data);
    return wrong;
}

static long argument(int argc, char **argv, int at, long otherwise)
{
    int64_t value;
    return argc > at && str_to_i64(str_of(argv[at]), &value, NULL) ? (long)value : otherwise;
}

int main(int argc, char **argv)
{
    long rows = argument(argc, argv, 1, 4000000), posts = argument(argc, argv, 2, 200000);
    const char *leat_program = getenv("LEAT");
    char own[4096] = "";
    if (!leat_program && readlink("/proc/self/exe", own, sizeof(own) - 1) > 0) {
        *strstr(own, "/bench/") = 0;
        snprintf(leat.program, sizeof(leat.program), "%.4000s/leat", own);
    } else {
        snprintf(leat.program, sizeof(leat.program), "%s", leat_program ? leat_program : "leat");
    }
    start_leat();
    long requests = rows / BODY_ROWS, wrong = 0;
    wrong +=
        run("NDJSON, 1,000 rows a body, 8 at once", BODY_ROWS, requests, 8, "{\"accepted\":1000}");
    wrong += run("one row a request, 16 connections", 1, posts, 16, "{\"accepted\":1}");
    wrong += run("one row a request, 64 connections", 1, posts, 64, "{\"accepted\":1}");
    kill(leat.pid, SIGINT);
    waitpid(leat.pid, NULL, 0);
    long found = count_rows(), want = requests * BODY_ROWS + 2 * posts;
    struct error err = {0};
    if (found != want || wrong)
        printf("wrong: %ld rows in the topic, not %ld; %ld wrong answers\n", found, want, wrong);
    if (io_remove_tree(io_real(), leat.directory, &err) != OK)
        fprintf(stderr, "%s\n", err.text);
    return found != want || wrong;
}
