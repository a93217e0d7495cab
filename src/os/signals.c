/* signals.c - a thread that waits for SIGINT and SIGTERM with sigwait. */
#include "os/signals.h"

#include <pthread.h>
#include <signal.h>

#include "os/io.h"

#define SAME_SIGNAL_US INT64_C(200000)

struct waiter {
    sigset_t set;
    void (*received)(void *context, uint32_t count);
    void *context;
};

static void *wait_for_signals(void *arg)
{
    struct waiter *waiter = arg;
    int64_t counted_us = 0;
    uint32_t count = 0;
    for (;;) {
        int number;
        if (sigwait(&waiter->set, &number) != 0)
            continue;
        int64_t now_us = io_monotonic_us(io_real());
        if (count && now_us - counted_us < SAME_SIGNAL_US)
            continue;
        counted_us = now_us;
        waiter->received(waiter->context, ++count);
    }
    return NULL;
}

enum status signals_start(void (*received)(void *context, uint32_t count), void *context,
                          struct error *err)
{
    static struct waiter waiter; /* one for the process, which it lives as long as */
    pthread_t thread;
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    waiter = (struct waiter){.received = received, .context = context};
    sigemptyset(&waiter.set);
    sigaddset(&waiter.set, SIGINT);
    sigaddset(&waiter.set, SIGTERM);
    sigaction(SIGPIPE, &ignore, NULL);
    pthread_sigmask(SIG_BLOCK, &waiter.set, NULL);
    int failed = pthread_create(&thread, NULL, wait_for_signals, &waiter);
    if (failed)
        return error_errno(err, failed, "starting the signal thread");
    pthread_detach(thread);
    return OK;
}
