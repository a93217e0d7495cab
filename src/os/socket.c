/* socket.c - TCP over the system's calls. No state but the process's SIGPIPE disposition. */
#include "os/socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/must.h"
#include "base/str.h"
#include "os/socket_int.h"

#define BACKLOG        1024
#define NEXT_PORTS_MAX 100
#define GIVE_UP_MS     600000

/* sendfile() has no MSG_NOSIGNAL: a peer that has gone must not end the process. */
static void ignore_sigpipe(void)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    must(sigaction(SIGPIPE, &action, NULL) == 0);
}

static void ignore_sigpipe_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    must(pthread_once(&once, ignore_sigpipe) == 0);
}

enum status socket_address_parse(struct socket_address *out, const char *text,
                                 uint16_t default_port, struct error *err)
{
    struct str whole = str_trim(str_of(text)), host = whole, port = {0};
    bool bracketed = host.length && host.data[0] == '[';
    const char *colon;
    if (bracketed) {
        const char *close = memchr(host.data, ']', host.length);
        if (!close)
            goto bad;
        struct str rest = {close + 1, (size_t)(host.data + host.length - close - 1)};
        host = (struct str){host.data + 1, (size_t)(close - host.data - 1)};
        if (rest.length && rest.data[0] != ':')
            goto bad;
        if (rest.length)
            port = (struct str){rest.data + 1, rest.length - 1};
        colon = rest.length ? rest.data : NULL;
    } else {
        colon = host.length ? memchr(host.data, ':', host.length) : NULL;
        if (colon) {
            port = (struct str){colon + 1, (size_t)(host.data + host.length - colon - 1)};
            host.length = (size_t)(colon - host.data);
        }
    }
    uint64_t number = default_port;
    if (host.length == 0 || host.length >= sizeof(out->host) ||
        (colon && (!str_to_u64(port, &number, NULL) || number > UINT16_MAX)))
        goto bad;
    memcpy(out->host, host.data, host.length);
    out->host[host.length] = '\0';
    out->port = (uint16_t)number;
    return OK;
bad:
    error_set(err, ERR_USAGE, "'%s' is no address of the form HOST:PORT", text);
    error_hint(err, "for example 127.0.0.1:9092, localhost:8080 or [::1]:9092");
    return ERR_USAGE;
}

static enum status resolve(const struct socket_address *address, int flags, struct addrinfo **out,
                           struct error *err)
{
    char port[8];
    snprintf(port, sizeof(port), "%u", address->port);
    struct addrinfo want = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    int code = getaddrinfo(address->host, port, &want, out);
    if (code == 0)
        return OK;
    if (code == EAI_SYSTEM)
        return error_errno(err, errno, "look-up of host %s", address->host);
    return error_set(err, code == EAI_AGAIN ? ERR_AGAIN : ERR_NOT_FOUND, "look-up of host %s: %s",
                     address->host, gai_strerror(code));
}

static void set_port(struct sockaddr *os, uint16_t port)
{
    if (os->sa_family == AF_INET6)
        ((struct sockaddr_in6 *)os)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)os)->sin_port = htons(port);
}

static uint16_t get_port(const struct sockaddr *os)
{
    return ntohs(os->sa_family == AF_INET6 ? ((const struct sockaddr_in6 *)os)->sin6_port
                                           : ((const struct sockaddr_in *)os)->sin_port);
}

/* 0, or the errno. */
static int listen_on(int *out_fd, const struct addrinfo *info, uint16_t *out_port)
{
    struct sockaddr_storage bound;
    socklen_t bound_size = sizeof(bound);
    int yes = 1;
    int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    int code = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) != 0 ||
        bind(fd, info->ai_addr, info->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&bound, &bound_size) != 0) {
        code = errno;
        close(fd);
        return code;
    }
    *out_fd = fd;
    *out_port = get_port((struct sockaddr *)&bound);
    return 0;
}

static enum status listen_failed(const struct socket_address *address, int code, struct error *err)
{
    if (code != EADDRINUSE)
        return error_errno(err, code, "listen on %s port %u", address->host, address->port);
    char holder[128];
    socket_port_holder(address->port, holder, sizeof(holder));
    error_set(err, ERR_LOCKED, "port %u of %s is in use%s%s", address->port, address->host,
              holder[0] ? " by " : "", holder);
    error_hint(err, "stop the other process or choose another port");
    return ERR_LOCKED;
}

enum status socket_listen(int *out_fd, const struct socket_address *address, bool try_next,
                          uint16_t *out_port, struct error *err)
{
    *out_fd = -1;
    *out_port = 0;
    ignore_sigpipe_once();
    struct addrinfo *info;
    TRY(resolve(address, AI_PASSIVE, &info, err));
    unsigned last = try_next && address->port ? address->port + NEXT_PORTS_MAX : address->port;
    int code = 0;
    for (unsigned port = address->port; port <= last && port <= UINT16_MAX; port++) {
        set_port(info->ai_addr, (uint16_t)port);
        int now = listen_on(out_fd, info, out_port);
        if (port == address->port)
            code = now; /* the one asked for is the one to tell about */
        if (now == 0 || now != EADDRINUSE) {
            code = now;
            break;
        }
    }
    freeaddrinfo(info);
    return code == 0 ? OK : listen_failed(address, code, err);
}

static void format_peer(char *dest, size_t dest_size, const struct sockaddr *os)
{
    char host[INET6_ADDRSTRLEN] = "?";
    bool is_v6 = os->sa_family == AF_INET6;
    const void *raw = is_v6 ? (const void *)&((const struct sockaddr_in6 *)os)->sin6_addr
                            : (const void *)&((const struct sockaddr_in *)os)->sin_addr;
    inet_ntop(os->sa_family, raw, host, sizeof(host));
    snprintf(dest, dest_size, is_v6 ? "[%s]:%u" : "%s:%u", host, get_port(os));
}

static void no_delay(int fd)
{
    int yes = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes,
                     sizeof(yes)); /* slower without, no worse */
}

enum status socket_accept(int listen_fd, int *out_fd, char *peer, size_t peer_size,
                          struct error *err)
{
    struct sockaddr_storage from;
    socklen_t from_size = sizeof(from);
    *out_fd = -1;
    int fd = accept4(listen_fd, (struct sockaddr *)&from, &from_size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
            return ERR_AGAIN;
        if (errno == EMFILE || errno == ENFILE)
            return error_set(err, ERR_LIMIT, "no descriptor left for a connection (ulimit -n)");
        return error_errno(err, errno, "accept");
    }
    no_delay(fd);
    if (peer)
        format_peer(peer, peer_size, (struct sockaddr *)&from);
    *out_fd = fd;
    return OK;
}

/* 0, or the errno. */
static int connect_within(int fd, const struct addrinfo *info, int64_t timeout_us)
{
    if (connect(fd, info->ai_addr, info->ai_addrlen) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    int count = poll(&wait, 1, timeout_us < 0 ? -1 : (int)((timeout_us + 999) / 1000));
    if (count <= 0)
        return count == 0 ? ETIMEDOUT : errno;
    int code = 0;
    socklen_t code_size = sizeof(code);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &code_size) != 0)
        return errno;
    return code;
}

enum status socket_connect(int *out_fd, const struct socket_address *address, int64_t timeout_us,
                           struct error *err)
{
    *out_fd = -1;
    ignore_sigpipe_once();
    struct addrinfo *first;
    TRY(resolve(address, 0, &first, err));
    int code = 0, fd = -1;
    for (struct addrinfo *info = first; info; info = info->ai_next) {
        fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        code = fd < 0 ? errno : connect_within(fd, info, timeout_us);
        if (code == 0)
            break;
        socket_close(fd);
    }
    freeaddrinfo(first);
    if (code == ETIMEDOUT)
        return error_set(err, ERR_TIMEOUT, "connect to %s port %u: timed out", address->host,
                         address->port);
    if (code != 0)
        return error_errno(err, code, "connect to %s port %u", address->host, address->port);
    int flags = fcntl(fd, F_GETFL);
    must(flags >= 0 && fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == 0);
    no_delay(fd);
    *out_fd = fd;
    return OK;
}

static enum status failed(const char *what, struct error *err)
{
    switch (errno) {
    case EAGAIN:
    case EINTR:
        return ERR_AGAIN;
    case ECONNRESET:
    case EPIPE:
        return ERR_CLOSED;
    default:
        return error_errno(err, errno, "%s", what);
    }
}

enum status socket_read(int fd, void *dest, size_t size_bytes, size_t *out_bytes, struct error *err)
{
    *out_bytes = 0;
    ssize_t got = recv(fd, dest, size_bytes, 0);
    if (got < 0)
        return failed("receive", err);
    if (got == 0 && size_bytes > 0)
        return ERR_CLOSED;
    *out_bytes = (size_t)got;
    return OK;
}

enum status socket_write(int fd, const void *bytes, size_t size_bytes, size_t *out_bytes,
                         struct error *err)
{
    *out_bytes = 0;
    ssize_t put = send(fd, bytes, size_bytes, MSG_NOSIGNAL);
    if (put < 0)
        return failed("send", err);
    *out_bytes = (size_t)put;
    return OK;
}

enum status socket_send_file(int fd, int file_fd, uint64_t offset, size_t size_bytes,
                             size_t *out_bytes, struct error *err)
{
    *out_bytes = 0;
    off_t at = (off_t)offset;
    ssize_t put = sendfile(fd, file_fd, &at, size_bytes);
    if (put < 0)
        return failed("send of a file", err);
    if (put == 0 && size_bytes > 0)
        return error_set(err, ERR_END, "send of a file: it ends at offset %llu",
                         (unsigned long long)offset);
    *out_bytes = (size_t)put;
    return OK;
}

void socket_local_host(int fd, char *host, size_t host_size)
{
    struct sockaddr_storage name;
    socklen_t name_size = sizeof(name);
    host[0] = '\0';
    if (getsockname(fd, (struct sockaddr *)&name, &name_size) != 0)
        return;
    const void *raw = &((struct sockaddr_in *)&name)->sin_addr;
    if (name.ss_family == AF_INET6) {
        const struct in6_addr *v6 = &((struct sockaddr_in6 *)&name)->sin6_addr;
        raw = v6;
        if (IN6_IS_ADDR_V4MAPPED(v6)) {
            raw = v6->s6_addr + 12;
            name.ss_family = AF_INET;
        }
    }
    if (name.ss_family != AF_INET && name.ss_family != AF_INET6)
        return;
    if (!inet_ntop(name.ss_family, raw, host, (socklen_t)host_size))
        host[0] = '\0';
}

void socket_shutdown(int fd)
{
    (void)shutdown(fd, SHUT_RDWR); /* fails only when the peer was quicker */
}

void socket_bound_unsent(int fd, int bytes)
{
    unsigned give_up_ms = GIVE_UP_MS; /* fewer limits are no failure */
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &give_up_ms, sizeof(give_up_ms));
}

void socket_close(int fd)
{
    if (fd >= 0)
        close(fd);
}
