/* socket_int.h - who holds a port; for socket.c and its tests. */
#ifndef LEAT_OS_SOCKET_INT_H
#define LEAT_OS_SOCKET_INT_H

#include <stddef.h>
#include <stdint.h>

/* "process 4711 (kafka)" of whoever listens on the TCP port, as far as /proc shows it to this user;
 * an empty text when it does not. */
void socket_port_holder(uint16_t port, char *dest, size_t dest_size);

#endif
