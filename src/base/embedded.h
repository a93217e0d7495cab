/* embedded.h - files that the executable carries: arrays made by script/embed.py while building. */
#ifndef LEAT_BASE_EMBEDDED_H
#define LEAT_BASE_EMBEDDED_H

#include <stddef.h>

struct embedded_file { /* an array of them ends with a NULL name, sorted by name */
    const char *name;  /* path below the directory it was made of: "ecommerce/pipeline.sql" */
    const unsigned char *data; /* a zero byte follows */
    size_t size_bytes;
};

#endif
