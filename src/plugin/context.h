/* context.h - what the process hands to connectors and formats; made by cli/engine, const
 * afterwards. */
#ifndef LEAT_PLUGIN_CONTEXT_H
#define LEAT_PLUGIN_CONTEXT_H

#include "os/io.h"
#include "os/thread.h"

struct log; /* log/log.h */

struct plugin_context {
    struct io *io;
    struct io_pool *io_pool; /* for calls that block; at the edges only */
    struct mem_owner *owner; /* connectors make children of it */
    const struct zone *zone; /* table.local-time-zone */

    /* The log of the broker in this process, for connector/kafka: opened at the first call (the
     * data directory is made and locked then), the same for all later ones, closed by the process
     * after the last job. NULL: this process has none. May block on the local disk; from any
     * thread. */
    enum status (*embedded_log)(const struct plugin_context *context, struct log **out,
                                struct error *err);
    void *process; /* for embedded_log only: who made this (the context is copied per job) */
    const char *embedded_address; /* "127.0.0.1:9092": its listener; NULL: it does not listen */

    const char *data_directory;        /* --data */
    const char *const *security_roots; /* of restricted tables; NULL-terminated; NULL: any path */
    int output_fd;                     /* where `print` writes: stdout */
};

/* Tells a task that polling again is worth it: from any thread, any number of times, cheap. The
 * runtime owns it; it stays valid until the reader or writer that got it is closed. */
struct wake {
    void (*notify)(struct wake *wake);
};
static inline void wake_notify(struct wake *wake)
{
    wake->notify(wake);
}

#endif
