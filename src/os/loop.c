/* loop.c - epoll, an eventfd and a heap of timers on one thread.
 *
 * A round: wait (as long as no timer is due and nothing is posted), sample the clock, run what was
 * posted, fire the timers that are due, deliver the ready descriptors in the order they were added.
 *
 *   loop_post, any thread --> posted (stack, newest first; one atomic exchange takes it all)
 *                             first of a batch writes the eventfd
 *
 * Invariants: heap[i] is due no later than its children; heap[i]->heap_index == i + 1. A watch
 * removed during a round gets no event of that round.
 */
#include "os/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/must.h"

#define READY_MAX  256 /* events taken per round */
#define TIMERS_MAX (1u << 24)

struct ready {
    struct loop_fd *watch; /* NULL: removed meanwhile */
    int events;
};

struct loop {
    struct io *io;
    int epoll_fd, event_fd;
    int64_t now_us;
    _Atomic(struct loop_message *) posted;
    _Atomic bool stopping;
    _Atomic bool stepping; /* with owner: catches calls from other threads */
    pthread_t owner;
    struct loop_timer **heap;
    uint32_t timer_count, timer_capacity;
    uint64_t timer_sequence, watch_sequence;
    struct ready ready[READY_MAX];
    unsigned ready_count;
};

/* Only loop_post and loop_stop may come from another thread. */
static void must_be_owner(struct loop *loop)
{
    must(!atomic_load_explicit(&loop->stepping, memory_order_acquire) ||
         pthread_equal(loop->owner, pthread_self()));
}

enum status loop_new(struct loop **out, struct io *io, struct error *err)
{
    *out = NULL;
    struct loop *loop = mem_calloc(1, sizeof(*loop));
    if (!loop)
        return error_memory(err, "an event loop", sizeof(*loop));
    loop->io = io;
    enum status status = OK;
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = NULL}};
    loop->event_fd = -1;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll_fd < 0) {
        status = error_errno(err, errno, "epoll");
        goto out;
    }
    loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->event_fd < 0 ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->event_fd, &event) != 0) {
        status = error_errno(err, errno, "eventfd");
        goto out;
    }
    loop->now_us = io_monotonic_us(io);
    *out = loop;
    return OK;
out:
    loop_free(loop);
    return status;
}

static bool run_posted(struct loop *loop)
{
    struct loop_message *newest = atomic_exchange(&loop->posted, NULL), *oldest = NULL;
    bool any = newest != NULL;
    while (newest) {
        struct loop_message *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    while (oldest) { /* run may free or post the message again */
        struct loop_message *next = oldest->next;
        oldest->run(oldest);
        oldest = next;
    }
    return any;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    while (run_posted(loop))
        ;
    if (loop->event_fd >= 0)
        close(loop->event_fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    mem_free(loop->heap);
    mem_free(loop);
}

int64_t loop_now_us(struct loop *loop)
{
    return loop->now_us;
}

static void wake(struct loop *loop)
{
    uint64_t one = 1;
    ssize_t put;
    do
        put = write(loop->event_fd, &one, sizeof(one));
    while (put < 0 && errno == EINTR);
    must(put == sizeof(one) || errno == EAGAIN); /* EAGAIN: it is far from read, so awake anyway */
}

void loop_post(struct loop *loop, struct loop_message *message)
{
    struct loop_message *newest = atomic_load(&loop->posted);
    do
        message->next = newest;
    while (!atomic_compare_exchange_weak(&loop->posted, &newest, message));
    if (!newest)
        wake(loop);
}

void loop_stop(struct loop *loop)
{
    atomic_store(&loop->stopping, true);
    wake(loop);
}

/* ---- timers ---- */

static bool earlier(const struct loop_timer *a, const struct loop_timer *b)
{
    return a->due_us != b->due_us ? a->due_us < b->due_us : a->sequence < b->sequence;
}

static void heap_put(struct loop *loop, uint32_t index, struct loop_timer *timer)
{
    loop->heap[index] = timer;
    timer->heap_index = index + 1;
}

/* Puts timer where it belongs, index being a free place. */
static void heap_settle(struct loop *loop, uint32_t index, struct loop_timer *timer)
{
    while (index > 0 && earlier(timer, loop->heap[(index - 1) / 2])) {
        heap_put(loop, index, loop->heap[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    for (;;) {
        uint32_t child = 2 * index + 1;
        if (child >= loop->timer_count)
            break;
        if (child + 1 < loop->timer_count && earlier(loop->heap[child + 1], loop->heap[child]))
            child++;
        if (!earlier(loop->heap[child], timer))
            break;
        heap_put(loop, index, loop->heap[child]);
        index = child;
    }
    heap_put(loop, index, timer);
}

void loop_timer_cancel(struct loop *loop, struct loop_timer *timer)
{
    must_be_owner(loop);
    if (timer->heap_index == 0)
        return;
    uint32_t index = timer->heap_index - 1;
    must(index < loop->timer_count && loop->heap[index] == timer);
    timer->heap_index = 0;
    struct loop_timer *last = loop->heap[--loop->timer_count];
    if (last != timer)
        heap_settle(loop, index, last);
}

enum status loop_timer_arm(struct loop *loop, struct loop_timer *timer, int64_t delay_us,
                           struct error *err)
{
    must_be_owner(loop);
    loop_timer_cancel(loop, timer);
    if (loop->timer_count == loop->timer_capacity) {
        uint32_t capacity = loop->timer_capacity ? loop->timer_capacity * 2 : 64;
        if (capacity > TIMERS_MAX)
            return error_set(err, ERR_LIMIT, "more than %u timers", TIMERS_MAX);
        void *heap = mem_realloc(loop->heap, capacity * sizeof(*loop->heap));
        if (!heap)
            return error_memory(err, "timers", capacity * sizeof(*loop->heap));
        loop->heap = heap;
        loop->timer_capacity = capacity;
    }
    int64_t now_us = io_monotonic_us(loop->io);
    if (delay_us < 0)
        delay_us = 0;
    timer->due_us = delay_us > INT64_MAX - now_us ? INT64_MAX : now_us + delay_us;
    timer->sequence = ++loop->timer_sequence;
    heap_settle(loop, loop->timer_count++, timer);
    return OK;
}

/* Those armed by a timer that fires wait for the next round, even when due at once. */
static void fire_timers(struct loop *loop)
{
    uint64_t last_sequence = loop->timer_sequence;
    while (loop->timer_count) {
        struct loop_timer *timer = loop->heap[0];
        if (timer->due_us > loop->now_us || timer->sequence > last_sequence)
            return;
        loop_timer_cancel(loop, timer);
        timer->fire(timer);
    }
}

/* ---- descriptors ---- */

/* Without a wanted event only an error or hang-up would come, again and again: one shot. */
static struct epoll_event os_events(struct loop_fd *watch)
{
    struct epoll_event event = {.data = {.ptr = watch}};
    event.events |= watch->events & LOOP_READABLE ? (uint32_t)EPOLLIN : 0;
    event.events |= watch->events & LOOP_WRITABLE ? (uint32_t)EPOLLOUT : 0;
    event.events |= watch->events ? 0 : (uint32_t)EPOLLONESHOT;
    return event;
}

enum status loop_fd_add(struct loop *loop, struct loop_fd *watch, struct error *err)
{
    must_be_owner(loop);
    struct epoll_event event = os_events(watch);
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) != 0)
        return error_errno(err, errno, "epoll add of descriptor %d", watch->fd);
    watch->sequence = ++loop->watch_sequence;
    return OK;
}

void loop_fd_set(struct loop *loop, struct loop_fd *watch, int events)
{
    must_be_owner(loop);
    if (watch->events == events)
        return;
    watch->events = events;
    struct epoll_event event = os_events(watch);
    must(epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) == 0);
}

void loop_fd_remove(struct loop *loop, struct loop_fd *watch)
{
    must_be_owner(loop);
    must(epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL) == 0);
    for (unsigned i = 0; i < loop->ready_count; i++)
        if (loop->ready[i].watch == watch)
            loop->ready[i].watch = NULL;
}

static int compare_ready(const void *left, const void *right)
{
    uint64_t a = ((const struct ready *)left)->watch->sequence;
    uint64_t b = ((const struct ready *)right)->watch->sequence;
    return a < b ? -1 : a > b;
}

static void deliver(struct loop *loop)
{
    qsort(loop->ready, loop->ready_count, sizeof(loop->ready[0]), compare_ready);
    for (unsigned i = 0; i < loop->ready_count; i++) {
        struct ready *ready = &loop->ready[i];
        if (!ready->watch)
            continue;
        int events = ready->events & ready->watch->events;
        if (events)
            ready->watch->ready(ready->watch, events);
    }
    loop->ready_count = 0;
}

/* ---- rounds ---- */

static int64_t wait_us(struct loop *loop, int64_t timeout_us)
{
    if (atomic_load(&loop->posted) || atomic_load(&loop->stopping))
        return 0;
    if (loop->timer_count == 0)
        return timeout_us;
    int64_t due_us = loop->heap[0]->due_us - io_monotonic_us(loop->io);
    if (due_us < 0)
        due_us = 0;
    return timeout_us >= 0 && timeout_us < due_us ? timeout_us : due_us;
}

static enum status wait_for_events(struct loop *loop, int64_t timeout_us, struct error *err)
{
    struct epoll_event events[READY_MAX];
    int timeout_ms = -1;
    if (timeout_us >= 0) /* rounded up, so that a timer is due when the wait ends */
        timeout_ms = timeout_us > 3600000000 ? 3600000 : (int)((timeout_us + 999) / 1000);
    int count = epoll_wait(loop->epoll_fd, events, READY_MAX, timeout_ms);
    if (count < 0)
        return errno == EINTR ? OK : error_errno(err, errno, "epoll");
    for (int i = 0; i < count; i++) {
        if (!events[i].data.ptr) {
            uint64_t counter;
            if (read(loop->event_fd, &counter, sizeof(counter)) < 0)
                must(errno == EAGAIN || errno == EINTR);
            continue;
        }
        struct ready *ready = &loop->ready[loop->ready_count++];
        uint32_t got = events[i].events;
        ready->watch = events[i].data.ptr;
        ready->events = (got & (EPOLLIN | EPOLLHUP | EPOLLERR) ? LOOP_READABLE : 0) |
                        (got & (EPOLLOUT | EPOLLHUP | EPOLLERR) ? LOOP_WRITABLE : 0);
    }
    return OK;
}

enum status loop_step(struct loop *loop, int64_t timeout_us, struct error *err)
{
    must(!atomic_load(&loop->stepping)); /* not from a callback */
    loop->owner = pthread_self();
    atomic_store_explicit(&loop->stepping, true, memory_order_release);
    enum status status = wait_for_events(loop, wait_us(loop, timeout_us), err);
    loop->now_us = io_monotonic_us(loop->io);
    if (status == OK) {
        run_posted(loop);
        fire_timers(loop);
        deliver(loop);
    }
    atomic_store_explicit(&loop->stepping, false, memory_order_release);
    return status;
}

enum status loop_run(struct loop *loop, struct error *err)
{
    enum status status = OK;
    while (status == OK && !atomic_load(&loop->stopping))
        status = loop_step(loop, -1, err);
    atomic_store(&loop->stopping, false);
    return status;
}
