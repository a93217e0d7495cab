#include "os/loop.h"

#include "base/mem.h"
#include "base/must.h"
#include "base/rng.h"
#include "os/simio.h"
#include "os/socket.h"
#include "os/thread.h"

#include "../check.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static struct error err;

/* ---- timers, on the simulated clock ---- */

struct alarm {
    struct loop_timer timer; /* first */
    int number;
    int64_t planned_us;
};
static int fired[4096];
static int fired_count;
static int64_t last_fired_us;
static bool in_order;

static void on_alarm(struct loop_timer *timer)
{
    struct alarm *alarm = (struct alarm *)timer;
    in_order = in_order && alarm->planned_us >= last_fired_us;
    last_fired_us = alarm->planned_us;
    fired[fired_count++] = alarm->number;
}

TEST(timers_fire_in_order_of_time_then_of_arming)
{
    static struct alarm alarms[1000];
    static bool cancelled[1000];
    struct io *io = simio_new(1);
    struct loop *loop;
    struct rng rng;
    int expected = 0;
    rng_init(&rng, 4);
    fired_count = 0;
    last_fired_us = 0;
    in_order = true;
    memset(alarms, 0, sizeof(alarms));
    memset(cancelled, 0, sizeof(cancelled));
    CHECK_OK(loop_new(&loop, io, &err));
    for (int i = 0; i < 1000; i++) {
        alarms[i].timer.fire = on_alarm;
        alarms[i].number = i;
        for (uint64_t again = rng_below(&rng, 3); again < 3; again++) { /* re-arming counts last */
            alarms[i].planned_us = (int64_t)rng_below(&rng, 300);
            CHECK_OK(loop_timer_arm(loop, &alarms[i].timer, alarms[i].planned_us, &err));
        }
    }
    for (int i = 0; i < 1000; i += 3) {
        cancelled[i] = true;
        loop_timer_cancel(loop, &alarms[i].timer);
        loop_timer_cancel(loop, &alarms[i].timer); /* twice is fine */
    }
    for (int us = 0; us <= 300; us++) {
        CHECK_OK(loop_step(loop, 0, &err));
        for (int i = 0; i < fired_count; i++)
            CHECK(alarms[fired[i]].planned_us <= us);
        simio_advance_us(io, 1);
    }
    for (int i = 0; i < 1000; i++)
        expected += !cancelled[i];
    CHECK_INT(fired_count, expected);
    CHECK(in_order);
    for (int i = 0; i < fired_count; i++) {
        CHECK(!cancelled[fired[i]]);
        CHECK(i == 0 || alarms[fired[i - 1]].planned_us < alarms[fired[i]].planned_us ||
              fired[i - 1] < fired[i]);
    }
    loop_free(loop);
    simio_free(io);
}

static struct loop *repeating_loop;
static int repeats;

static void repeat(struct loop_timer *timer)
{
    repeats++;
    must(loop_timer_arm(repeating_loop, timer, 0, NULL) == OK);
}

TEST(a_timer_that_arms_itself_leaves_room_for_others)
{
    struct io *io = simio_new(1);
    struct loop_timer timer = {.fire = repeat};
    CHECK_OK(loop_new(&repeating_loop, io, &err));
    CHECK_OK(loop_timer_arm(repeating_loop, &timer, 0, &err));
    for (int i = 1; i <= 5; i++) {
        CHECK_OK(loop_step(repeating_loop, 0, &err));
        CHECK_INT(repeats, i);
    }
    loop_free(repeating_loop);
    simio_free(io);
}

TEST(real_timers_are_never_early)
{
    struct loop *loop;
    struct alarm alarm = {.timer = {.fire = on_alarm}};
    fired_count = 0;
    CHECK_OK(loop_new(&loop, io_real(), &err));
    int64_t before_us = io_monotonic_us(io_real());
    CHECK_OK(loop_timer_arm(loop, &alarm.timer, 20000, &err));
    while (fired_count == 0)
        CHECK_OK(loop_step(loop, -1, &err));
    int64_t waited_us = io_monotonic_us(io_real()) - before_us;
    CHECK(waited_us >= 20000 && waited_us < 2000000);
    loop_free(loop);
}

/* ---- messages ---- */

struct letter {
    struct loop_message message; /* first */
    int sender, number;
};
#define SENDERS 4
#define LETTERS 20000
static struct loop *post_loop;
static int received[SENDERS];
static bool posts_in_order = true;

static void on_letter(struct loop_message *message)
{
    struct letter *letter = (struct letter *)message;
    posts_in_order = posts_in_order && received[letter->sender] == letter->number;
    received[letter->sender]++;
    mem_free(letter);
    int total = 0;
    for (int i = 0; i < SENDERS; i++)
        total += received[i];
    if (total == SENDERS * LETTERS)
        loop_stop(post_loop);
}

static void send_letters(void *context)
{
    for (int i = 0; i < LETTERS; i++) {
        struct letter *letter = mem_calloc(1, sizeof(*letter));
        letter->message.run = on_letter;
        letter->sender = (int)(intptr_t)context;
        letter->number = i;
        loop_post(post_loop, &letter->message);
    }
}

TEST(posts_from_threads_keep_each_senders_order)
{
    struct thread *threads[SENDERS];
    CHECK_OK(loop_new(&post_loop, io_real(), &err));
    for (int i = 0; i < SENDERS; i++)
        CHECK_OK(thread_start(&threads[i], "sender", send_letters, (void *)(intptr_t)i, &err));
    CHECK_OK(loop_run(post_loop, &err));
    for (int i = 0; i < SENDERS; i++)
        thread_join(threads[i]);
    CHECK(posts_in_order);
    for (int i = 0; i < SENDERS; i++)
        CHECK_INT(received[i], LETTERS);
    loop_free(post_loop);
}

static int once_run;

static void run_once(struct loop_message *message)
{
    once_run++;
}

TEST(what_was_posted_runs_before_the_loop_is_freed)
{
    struct loop_message message = {.run = run_once};
    CHECK_OK(loop_new(&post_loop, io_real(), &err));
    loop_post(post_loop, &message);
    loop_free(post_loop);
    CHECK_INT(once_run, 1);
    loop_free(NULL);
}

static void stop_from_outside(void *context)
{
    loop_stop(context);
}

TEST(stop_wakes_a_sleeping_loop)
{
    struct thread *thread;
    CHECK_OK(loop_new(&post_loop, io_real(), &err));
    for (int i = 0; i < 2; i++) { /* a stopped loop can run again */
        CHECK_OK(thread_start(&thread, "stopper", stop_from_outside, post_loop, &err));
        CHECK_OK(loop_run(post_loop, &err));
        thread_join(thread);
    }
    loop_free(post_loop);
}

TEST(an_idle_loop_uses_no_cpu)
{
    struct rusage before, after;
    CHECK_OK(loop_new(&post_loop, io_real(), &err));
    struct alarm alarm = {.timer = {.fire = on_alarm}};
    fired_count = 0;
    CHECK_OK(loop_timer_arm(post_loop, &alarm.timer, 300000, &err));
    getrusage(RUSAGE_SELF, &before);
    int rounds = 0;
    for (; fired_count == 0; rounds++)
        CHECK_OK(loop_step(post_loop, -1, &err));
    getrusage(RUSAGE_SELF, &after);
    CHECK(rounds <= 2);
    CHECK(after.ru_utime.tv_sec - before.ru_utime.tv_sec <= 1);
    loop_free(post_loop);
}

/* ---- descriptors ---- */

struct watch {
    struct loop_fd fd; /* first */
    struct watch *victim;
};
static struct loop *fd_loop;
static int ready_order[16], ready_count, ready_events;

static void on_ready(struct loop_fd *fd, int events)
{
    struct watch *watch = (struct watch *)fd;
    ready_events = events;
    ready_order[ready_count++ % 16] = fd->fd;
    if (watch->victim) {
        loop_fd_remove(fd_loop, &watch->victim->fd);
        watch->victim = NULL;
    }
}

TEST(ready_events_come_in_order_of_adding_and_not_after_removal)
{
    int pairs[6][2];
    struct watch watches[6] = {0};
    CHECK_OK(loop_new(&fd_loop, io_real(), &err));
    for (int i = 0; i < 6; i++) {
        CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
        watches[i].fd =
            (struct loop_fd){.fd = pairs[i][0], .ready = on_ready, .events = LOOP_READABLE};
        CHECK_OK(loop_fd_add(fd_loop, &watches[i].fd, &err));
    }
    for (int i = 5; i >= 0; i--) /* made ready backwards */
        CHECK_INT(write(pairs[i][1], "x", 1), 1);
    watches[1].victim = &watches[3];
    loop_fd_set(fd_loop, &watches[4].fd, 0);
    ready_count = 0;
    CHECK_OK(loop_step(fd_loop, -1, &err));
    CHECK_INT(ready_count, 4);
    CHECK(ready_order[0] == pairs[0][0] && ready_order[1] == pairs[1][0] &&
          ready_order[2] == pairs[2][0] && ready_order[3] == pairs[5][0]);
    CHECK_INT(ready_events, LOOP_READABLE);
    ready_count = 0;
    loop_fd_set(fd_loop, &watches[0].fd, LOOP_WRITABLE);
    CHECK_OK(loop_step(fd_loop, -1, &err));
    CHECK_INT(ready_order[0], pairs[0][0]);
    CHECK_INT(ready_count, 4); /* 0 writable; 1, 2 and 5 still readable */
    for (int i = 0; i < 6; i++) {
        close(pairs[i][0]);
        close(pairs[i][1]);
    }
    loop_free(fd_loop);
}

TEST(a_hung_up_peer_nobody_asks_about_does_not_spin)
{
    int pair[2];
    struct watch watch = {0};
    CHECK_OK(loop_new(&fd_loop, io_real(), &err));
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    watch.fd = (struct loop_fd){.fd = pair[0], .ready = on_ready};
    CHECK_OK(loop_fd_add(fd_loop, &watch.fd, &err));
    close(pair[1]);
    ready_count = 0;
    int64_t before_us = io_monotonic_us(io_real());
    for (int i = 0; i < 3; i++)
        CHECK_OK(loop_step(fd_loop, 30000, &err));
    CHECK(io_monotonic_us(io_real()) - before_us >= 60000); /* one round may be the hang-up */
    CHECK_INT(ready_count, 0);
    loop_fd_set(fd_loop, &watch.fd, LOOP_READABLE);
    CHECK_OK(loop_step(fd_loop, 1000000, &err));
    CHECK_INT(ready_count, 1); /* and when asked, it is told */
    close(pair[0]);
    loop_free(fd_loop);
}

/* ---- a thousand connections that are echoed, on sockets ---- */

#define CONNECTIONS 1000
struct echo {
    struct loop_fd fd; /* first */
};
static struct echo echoes[CONNECTIONS];
static int accepted, closed_count;
static struct loop_fd listener;

static void on_echo(struct loop_fd *fd, int events)
{
    char bytes[256];
    size_t got, put;
    enum status status = socket_read(fd->fd, bytes, sizeof(bytes), &got, &err);
    if (status == ERR_AGAIN)
        return;
    if (status == OK && socket_write(fd->fd, bytes, got, &put, &err) == OK && put == got)
        return;
    loop_fd_remove(fd_loop, fd);
    socket_close(fd->fd);
    if (++closed_count == CONNECTIONS)
        loop_stop(fd_loop);
}

static void on_connection(struct loop_fd *fd, int events)
{
    int client;
    char peer[64];
    while (accepted < CONNECTIONS &&
           socket_accept(fd->fd, &client, peer, sizeof(peer), &err) == OK) {
        struct echo *echo = &echoes[accepted++];
        echo->fd = (struct loop_fd){.fd = client, .ready = on_echo, .events = LOOP_READABLE};
        must(loop_fd_add(fd_loop, &echo->fd, &err) == OK);
    }
}

static int answered;

static void run_clients(void *context)
{
    static int fds[CONNECTIONS];
    const struct socket_address *address = context;
    char text[32], back[32];
    size_t done;
    for (int i = 0; i < CONNECTIONS; i++)
        must(socket_connect(&fds[i], address, 5000000, NULL) == OK);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < CONNECTIONS; i++) {
            int length = snprintf(text, sizeof(text), "hello %d from %d", round, i);
            must(socket_write(fds[i], text, (size_t)length, &done, NULL) == OK);
        }
        for (int i = 0; i < CONNECTIONS; i++) {
            int length = snprintf(text, sizeof(text), "hello %d from %d", round, i);
            must(socket_read(fds[i], back, sizeof(back), &done, NULL) == OK);
            answered += done == (size_t)length && memcmp(back, text, done) == 0;
        }
    }
    for (int i = 0; i < CONNECTIONS; i++)
        socket_close(fds[i]);
}

TEST(a_thousand_connections)
{
    struct rlimit limit = {4096, 4096};
    struct socket_address address = {.host = "127.0.0.1"};
    struct thread *thread;
    int fd;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_OK(loop_new(&fd_loop, io_real(), &err));
    CHECK_OK(socket_listen(&fd, &address, false, &address.port, &err));
    listener = (struct loop_fd){.fd = fd, .ready = on_connection, .events = LOOP_READABLE};
    CHECK_OK(loop_fd_add(fd_loop, &listener, &err));
    CHECK_OK(thread_start(&thread, "clients", run_clients, &address, &err));
    CHECK_OK(loop_run(fd_loop, &err));
    thread_join(thread);
    CHECK_INT(accepted, CONNECTIONS);
    CHECK_INT(answered, 3 * CONNECTIONS);
    socket_close(fd);
    loop_free(fd_loop);
}

TEST(every_failing_allocation)
{
    bool failed = true;
    for (uint64_t n = 1; failed; n++) {
        static struct loop_timer timers[200];
        struct loop *loop = NULL;
        memset(timers, 0, sizeof(timers));
        error_clear(&err);
        mem_fail_after(n);
        enum status status = loop_new(&loop, io_real(), &err);
        for (int i = 0; i < 200 && status == OK; i++) {
            timers[i].fire = repeat;
            status = loop_timer_arm(loop, &timers[i], 1000000, &err);
        }
        mem_fail_after(0);
        failed = status != OK;
        if (failed)
            CHECK_INT(status, ERR_MEMORY);
        loop_free(loop);
    }
    error_clear(&err);
}
