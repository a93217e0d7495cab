/* loop.h - the event loop: sockets, timers and messages on one thread (epoll, eventfd).
 *
 * Callbacks run on the loop's thread and never block. loop_post() is the only call allowed from
 * other threads (and loop_stop). Timers are one-shot, in a heap; an idle loop sleeps without a
 * timeout, so nothing is polled. Ready events are delivered in the order of registration, so that a
 * simulated driver can replace the real one.
 */
#ifndef LEAT_OS_LOOP_H
#define LEAT_OS_LOOP_H

#include "os/io.h"

struct loop;

enum status loop_new(struct loop **out, struct io *io, struct error *err) STATUS_CHECKED;
/* First runs what has been posted. Armed timers and added descriptors are forgotten, not closed. */
void loop_free(struct loop *loop);
enum status loop_run(struct loop *loop, struct error *err) STATUS_CHECKED; /* until loop_stop */
/* One round: waits at most timeout_us (-1 for ever, 0 not at all). */
enum status loop_step(struct loop *loop, int64_t timeout_us, struct error *err) STATUS_CHECKED;
void loop_stop(struct loop *loop); /* from any thread */

/* Message from any thread: the embedded node is queued and run later on the loop's thread,
 * in the order of posting per thread. run may free or post it again. */
struct loop_message {
    void (*run)(struct loop_message *message);
    struct loop_message *next;
};
void loop_post(struct loop *loop, struct loop_message *message);

struct loop_timer { /* embedded; zero-initialised = not armed */
    void (*fire)(struct loop_timer *timer);
    int64_t due_us;      /* monotonic */
    uint64_t sequence;   /* of arming: equal times fire in this order */
    uint32_t heap_index; /* 1-based; 0 = not armed */
};
enum status loop_timer_arm(struct loop *loop, struct loop_timer *timer, int64_t delay_us,
                           struct error *err) STATUS_CHECKED; /* re-arms if armed */
void loop_timer_cancel(struct loop *loop, struct loop_timer *timer);

enum { LOOP_READABLE = 1, LOOP_WRITABLE = 2 };
struct loop_fd { /* embedded */
    int fd;
    void (*ready)(struct loop_fd *watch, int events);
    int events;        /* what is wanted now (may be 0); change with loop_fd_set */
    uint64_t sequence; /* of adding: ready events are delivered in this order */
};
enum status loop_fd_add(struct loop *loop, struct loop_fd *watch, struct error *err) STATUS_CHECKED;
/* A hang-up or error arrives as whatever is wanted; while nothing is wanted nothing arrives. */
void loop_fd_set(struct loop *loop, struct loop_fd *watch, int events);
void loop_fd_remove(struct loop *loop, struct loop_fd *watch);
int64_t loop_now_us(struct loop *loop); /* monotonic, sampled once per round */

#endif
