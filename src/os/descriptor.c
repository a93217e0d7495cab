/* descriptor.c - blocking writes to standard output and error. Not for files (io.h) or sockets. */
#include "os/descriptor.h"

#include <errno.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

static enum status wait_writable(int fd, struct error *err)
{
    struct pollfd watched = {.fd = fd, .events = POLLOUT};
    while (poll(&watched, 1, -1) < 0)
        if (errno != EINTR)
            return error_errno(err, errno, "wait for descriptor %d", fd);
    return OK;
}

enum status descriptor_write(int fd, const void *bytes, size_t size_bytes, struct error *err)
{
    const char *next = bytes;
    while (size_bytes > 0) {
        ssize_t written = write(fd, next, size_bytes);
        if (written >= 0) {
            next += written;
            size_bytes -= (size_t)written;
        } else if (errno == EAGAIN) {
            TRY(wait_writable(fd, err));
        } else if (errno == EPIPE) {
            return error_set(err, ERR_CLOSED, "the reader of the output has gone away");
        } else if (errno != EINTR) {
            return error_errno(err, errno, "write to descriptor %d", fd);
        }
    }
    return OK;
}

void descriptors_raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* refused: the old limit holds */
}
