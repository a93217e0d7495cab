/* descriptor.h - descriptors the process was given (standard output and error), and how many it may
 * have. */
#ifndef LEAT_OS_DESCRIPTOR_H
#define LEAT_OS_DESCRIPTOR_H

#include <stddef.h>

#include "base/error.h"

/* All of it or an error. Blocks while the reader at the other end is slow, also on a descriptor
 * that is set not to block; a reader that has gone away is ERR_CLOSED. */
enum status descriptor_write(int fd, const void *bytes, size_t size_bytes,
                             struct error *err) STATUS_CHECKED;

/* As many descriptors as the system's hard limit allows this process. */
void descriptors_raise_limit(void);

#endif
