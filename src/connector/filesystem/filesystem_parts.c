/* filesystem_parts.c - parts of the filesystem sink on disk: their names, how they come to be seen,
 * and what earlier runs have left.
 *
 * The sink's directory of leat's has an empty file per run, named by it, so that only parts of this
 * sink are taken away: other jobs may write into the same target. A run that has nothing pending is
 * forgotten by the next one.
 * A committable, version 1: u8 version | path.
 */
#include "connector/filesystem/filesystem_sink.h"

#include <stdio.h>

#include "os/logger.h"

#define COMMITTABLE_VERSION 1
#define HIDDEN_PREFIX       ".part-"
#define HIDDEN_SUFFIX       ".inprogress"
#define RUNS_MAX            1024

/* ---- names ---- */

void part_path(const struct sink *sink, uint32_t subtask, uint32_t number,
               char dest[PART_PATH_BYTES])
{
    /* sink_open has seen that it fits */
    snprintf(dest, PART_PATH_BYTES, "%.*s/part-%s-%u-%u", PART_PATH_BYTES - 100, sink->options.path,
             sink->run, subtask, number);
}

void part_hidden_path(const char *path, char dest[PART_PATH_BYTES])
{
    const char *slash = strrchr(path, '/');
    snprintf(dest, PART_PATH_BYTES, "%.*s/.%.200s" HIDDEN_SUFFIX, (int)(slash - path), path,
             slash + 1);
}

enum status part_publish(const struct sink *sink, const char *path, struct error *err)
{
    char hidden[PART_PATH_BYTES];
    struct error local = {0};
    struct io_stat stat;

    part_hidden_path(path, hidden);
    enum status status = io_rename(sink->io, hidden, path, &local);
    if (status == ERR_NOT_FOUND) {
        error_clear(&local);
        status = io_stat(sink->io, path, &stat, &local);
        if (status != ERR_NOT_FOUND)
            return status == OK ? OK : error_set(err, status, "%s", local.text);
        logger_write(LOG_WARN, "filesystem",
                     "table %s: '%s' is not there any more: somebody has removed it since",
                     sink->table.name, path);
        return OK;
    }
    return status == OK ? OK : error_set(err, status, "%s", local.text);
}

/* ---- committables ---- */

enum status part_encode(const char *path, struct buf *out, struct error *err)
{
    buf_append_byte(out, COMMITTABLE_VERSION);
    buf_append_text(out, path);
    return buf_check(out, "the name of a file", err);
}

enum status part_decode(struct str committable, char dest[PART_PATH_BYTES], struct error *err)
{
    size_t length = committable.length - 1;
    if (committable.length < 2 || length >= PART_PATH_BYTES - sizeof(HIDDEN_SUFFIX) ||
        committable.data[0] != COMMITTABLE_VERSION ||
        memchr(committable.data, '\0', committable.length) ||
        !memchr(committable.data, '/', committable.length))
        return error_set(err, ERR_CORRUPT,
                         "what the checkpoint has of a file is not what was written");
    memcpy(dest, committable.data + 1, length);
    dest[length] = '\0';
    return OK;
}

/* ---- what earlier runs have left ---- */

struct leftovers {
    const struct sink *sink;
    const struct sink_request *request;
    uint32_t run_count;
    char runs[RUNS_MAX][PART_RUN_LENGTH + 1];
    bool pends[RUNS_MAX];
};

static enum status note_run(void *context, const char *name, struct error *err)
{
    struct leftovers *left = context;
    if (strlen(name) != PART_RUN_LENGTH)
        return OK;
    if (left->run_count == RUNS_MAX)
        return error_set(err, ERR_LIMIT, "'%s' names more than %d earlier runs",
                         left->request->log_directory, RUNS_MAX);
    memcpy(left->runs[left->run_count++], name, PART_RUN_LENGTH + 1);
    return OK;
}

static bool is_of_run(const char *name, const char *run)
{
    size_t prefix = strlen(HIDDEN_PREFIX);
    return strncmp(name, HIDDEN_PREFIX, prefix) == 0 &&
           strncmp(name + prefix, run, PART_RUN_LENGTH) == 0 &&
           name[prefix + PART_RUN_LENGTH] == '-';
}

static enum status is_pending(const struct leftovers *left, const char *path, bool *out,
                              struct error *err)
{
    char pending[PART_PATH_BYTES], hidden[PART_PATH_BYTES];
    *out = false;
    for (uint32_t i = 0; i < left->request->pending_count && !*out; i++) {
        TRY(part_decode(left->request->pending[i], pending, err));
        part_hidden_path(pending, hidden);
        *out = strcmp(hidden, path) == 0;
    }
    return OK;
}

static enum status remove_leftover(void *context, const char *name, struct error *err)
{
    struct leftovers *left = context;
    char path[PART_PATH_BYTES];
    uint32_t run = 0;
    bool pending;

    while (run < left->run_count && !is_of_run(name, left->runs[run]))
        run++;
    if (run == left->run_count)
        return OK;
    snprintf(path, sizeof(path), "%.*s/%.200s", PART_PATH_BYTES - 300, left->sink->options.path,
             name);
    TRY(is_pending(left, path, &pending, err));
    left->pends[run] |= pending;
    return pending ? OK : io_unlink(left->sink->io, path, err);
}

static enum status run_file(const struct sink_request *request, const char *run,
                            char dest[PART_PATH_BYTES], struct error *err)
{
    int size = snprintf(dest, PART_PATH_BYTES, "%s/%s", request->log_directory, run);
    return size > 0 && size < PART_PATH_BYTES
               ? OK
               : error_set(err, ERR_LIMIT, "the path '%.100s...' is too long",
                           request->log_directory);
}

static enum status forget_runs(const struct leftovers *left, struct error *err)
{
    char path[PART_PATH_BYTES];
    for (uint32_t i = 0; i < left->run_count; i++) {
        if (left->pends[i])
            continue;
        TRY(run_file(left->request, left->runs[i], path, err));
        TRY(io_unlink(left->sink->io, path, err));
    }
    return OK;
}

/* Before the run makes its first part. */
static enum status begin_run(const struct sink *sink, const struct sink_request *request,
                             struct error *err)
{
    char path[PART_PATH_BYTES];
    struct io_file *file;
    TRY(run_file(request, sink->run, path, err));
    TRY(io_open(sink->io, path, IO_WRITE | IO_CREATE | IO_EXCLUSIVE, &file, err));
    io_close(sink->io, file);
    return io_sync_directory(sink->io, request->log_directory, err);
}

enum status parts_take_over(const struct sink *sink, const struct sink_request *request,
                            struct error *err)
{
    TRY(io_make_directories(sink->io, request->log_directory, err));
    struct leftovers *left = mem_calloc(1, sizeof(*left));
    if (!left)
        return error_memory(err, "earlier runs of a sink", sizeof(*left));
    left->sink = sink;
    left->request = request;
    enum status status = io_list(sink->io, request->log_directory, note_run, left, err);
    if (status == OK)
        status = io_list(sink->io, sink->options.path, remove_leftover, left, err);
    if (status == OK) /* else a crash might bring back parts of a run that is forgotten */
        status = io_sync_directory(sink->io, sink->options.path, err);
    if (status == OK)
        status = forget_runs(left, err);
    mem_free(left);
    return status == OK ? begin_run(sink, request, err) : status;
}
