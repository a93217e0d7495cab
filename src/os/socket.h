/* socket.h - TCP listeners and connections, non-blocking, IPv4 and IPv6. TLS comes with the server.
 *
 * Addresses are texts "HOST:PORT", "[::1]:PORT". Errors name the address; a port in use says so
 * and, where /proc tells, the pid and name of the process holding it.
 */
#ifndef LEAT_OS_SOCKET_H
#define LEAT_OS_SOCKET_H

#include <stddef.h>

#include "base/error.h"

struct socket_address {
    char host[256];
    uint16_t port;
};
enum status socket_address_parse(struct socket_address *out, const char *text,
                                 uint16_t default_port, struct error *err) STATUS_CHECKED;

/* port 0: any free one. try_next: when the port is in use try up to 100 above it. *out_port is the
 * one bound. A port in use: ERR_LOCKED. SO_REUSEADDR is set, SO_REUSEPORT never. */
enum status socket_listen(int *out_fd, const struct socket_address *address, bool try_next,
                          uint16_t *out_port, struct error *err) STATUS_CHECKED;
/* ERR_AGAIN: nobody is waiting. ERR_LIMIT: no descriptor is left; stop listening for a while. peer
 * (at least 64 bytes) gets "127.0.0.1:41234". */
enum status socket_accept(int listen_fd, int *out_fd, char *peer, size_t peer_size,
                          struct error *err) STATUS_CHECKED;
enum status
socket_connect(int *out_fd, const struct socket_address *address, int64_t timeout_us,
               struct error *err) STATUS_CHECKED; /* for tools and tests: blocks, as its fd will */
/* ERR_AGAIN: would block. ERR_CLOSED: the peer has closed. */
enum status socket_read(int fd, void *dest, size_t size_bytes, size_t *out_bytes,
                        struct error *err) STATUS_CHECKED;
enum status socket_write(int fd, const void *bytes, size_t size_bytes, size_t *out_bytes,
                         struct error *err) STATUS_CHECKED;
/* Send from a file without copying through user space; ERR_AGAIN as above. ERR_END:
 * the file has nothing at offset. */
enum status socket_send_file(int fd, int file_fd, uint64_t offset, size_t size_bytes,
                             size_t *out_bytes, struct error *err) STATUS_CHECKED;
/* The numeric address by which the peer has reached this connection ("192.168.1.5", "::1"); "" when
 * the system does not tell. host_size at least 64. */
void socket_local_host(int fd, char *host, size_t host_size);
/* Ends both directions; the descriptor stays open. For a connection that somebody else closes. */
void socket_shutdown(int fd);
/* What the system holds back for a peer that does not read: about bytes, instead of megabytes. A
 * peer that does not even acknowledge, or takes nothing, is given up after ten minutes. */
void socket_bound_unsent(int fd, int bytes);
void socket_close(int fd);

#endif
