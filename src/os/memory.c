/* memory.c - see memory.h. Control groups of version 2 are asked (memory.max of the process's own
 * group, at the place where a container sees it too), and of version 1.
 */
#include "os/memory.h"

#include <unistd.h>

#include "base/str.h"

#define TEXT_MAX 4096

/* The number in a file; SIZE_MAX: none ("max", no such file). */
static size_t read_limit(struct io *io, const char *path)
{
    struct buf text;
    struct error ignored = {0};
    uint64_t limit = SIZE_MAX;
    buf_init(&text, TEXT_MAX);
    if (io_read_file(io, path, &text, &ignored) == OK) {
        struct str line = {(const char *)text.data, text.length};
        while (line.length && line.data[line.length - 1] == '\n')
            line.length--;
        bool overflow;
        if (!str_to_u64(line, &limit, &overflow))
            limit = SIZE_MAX;
    }
    buf_fini(&text);
    return (size_t)limit;
}

/* memory.max of the process's own group: /proc/self/cgroup has "0::/its/path". */
static size_t own_group_limit(struct io *io)
{
    struct buf text, path;
    struct error ignored = {0};
    size_t limit = SIZE_MAX;
    buf_init(&text, TEXT_MAX);
    buf_init(&path, TEXT_MAX);
    if (io_read_file(io, "/proc/self/cgroup", &text, &ignored) == OK) {
        const char *own = strstr(buf_text(&text), "0::/");
        if (own) {
            buf_printf(&path, "/sys/fs/cgroup%.*s/memory.max", (int)strcspn(own + 3, "\n"),
                       own + 3);
            limit = read_limit(io, buf_text(&path));
        }
    }
    buf_fini(&path);
    buf_fini(&text);
    return limit;
}

size_t memory_of_machine(struct io *io)
{
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    size_t least = pages > 0 && page_bytes > 0 ? (size_t)pages * (size_t)page_bytes : SIZE_MAX;
    const size_t limits[] = {read_limit(io, "/sys/fs/cgroup/memory.max"),
                             read_limit(io, "/sys/fs/cgroup/memory/memory.limit_in_bytes"),
                             own_group_limit(io)};
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        least = limits[i] < least ? limits[i] : least;
    return least == SIZE_MAX ? 0 : least;
}
