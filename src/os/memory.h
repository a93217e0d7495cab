/* memory.h - how much memory this process may use. */
#ifndef LEAT_OS_MEMORY_H
#define LEAT_OS_MEMORY_H

#include "os/io.h"

/* The machine's, or what the control group of a container or service allows, if that is less. 0:
 * unknown. */
size_t memory_of_machine(struct io *io);

#endif
