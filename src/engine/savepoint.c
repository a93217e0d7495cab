/* savepoint.c - savepoints: asked of a running job, and taken up by one that begins (contracts.md
 * rule 27).
 *
 * To take one up is to copy it into the job's empty directory, with a lineage of its own whose
 * parent is the savepoint's: from there on the job goes on as from any checkpoint of its own, also
 * when the same command is run again, and the savepoint is needed no more.
 */
#include "engine/engine_int.h"

#include <stdio.h>

#include "base/must.h"
#include "os/path.h"

#define PATH_BYTES_MAX 4096

/* ---- making one */

struct waiting {
    struct mutex mutex;
    struct condition changed;
    bool done;
    struct error error;
};

static void on_done(void *context, const struct error *error)
{
    struct waiting *waiting = context;
    mutex_lock(&waiting->mutex);
    if (error)
        waiting->error = *error;
    waiting->done = true;
    condition_signal(&waiting->changed);
    mutex_unlock(&waiting->mutex);
}

static enum status wait_for_it(struct engine *engine, struct waiting *waiting, struct error *err)
{
    mutex_lock(&waiting->mutex);
    while (!waiting->done && engine->config.simulated) {
        mutex_unlock(&waiting->mutex);
        must(engine_simulate(engine, 1) > 0); /* the job goes no further than it has to */
        mutex_lock(&waiting->mutex);
    }
    while (!waiting->done)
        condition_wait(&waiting->changed, &waiting->mutex);
    mutex_unlock(&waiting->mutex);
    if (waiting->error.code != OK && err)
        *err = waiting->error;
    return waiting->error.code;
}

/* A name that no other has. */
static enum status make_place(struct engine_job *job, const char *directory, struct buf *path,
                              struct error *err)
{
    struct io *io = job->engine->config.context->io;
    uint8_t random[3];
    if (!directory)
        directory = job->savepoint_directory;
    if (!directory)
        return error_set(err, ERR_OPTION, "a directory for the savepoint is needed");
    io_random(io, random, sizeof(random));
    buf_printf(path, "%s/savepoint-", directory);
    recovery_put_name(path, job->plan->job_name, job->ordinal ? job->ordinal : 1);
    buf_printf(path, "-%02x%02x%02x", random[0], random[1], random[2]);
    TRY(buf_check(path, "the path of a savepoint", err));
    return io_make_directories(io, buf_text(path), err); /* before anything is stopped for it */
}

enum status engine_job_savepoint(struct engine_job *job, const char *directory,
                                 enum savepoint_then then, struct buf *path, struct error *err)
{
    struct waiting waiting = {.done = false};
    struct error ignored = {0};
    TRY(make_place(job, directory, path, err));
    mutex_init(&waiting.mutex);
    condition_init(&waiting.changed);
    const struct job_savepoint request = {
        .directory = buf_text(path), .then = then, .done = on_done, .context = &waiting};
    enum status status = job_savepoint(attempt_hold(job), &request, err);
    attempt_release(job);
    if (status == OK)
        status = wait_for_it(job->engine, &waiting, err);
    if (status != OK)
        (void)!io_remove_tree(job->engine->config.context->io, buf_text(path), &ignored);
    condition_fini(&waiting.changed);
    mutex_fini(&waiting.mutex);
    return status;
}

/* ---- taking one up */

static enum status check_savepoint(const struct engine_job *job, const struct checkpoint *from,
                                   const char *path, struct error *err)
{
    if (from->end == CHECKPOINT_FINISHED)
        return error_set(err, ERR_USAGE,
                         "%s is of a job that had read all its inputs, or was drained: there is "
                         "nothing to go on with",
                         path);
    for (uint32_t i = 0; i < from->operator_count; i++)
        if (!recovery_is_settled(&from->operators[i])) {
            error_set(err, ERR_USAGE, "%s has rows for %s that are not in their target yet", path,
                      from->operators[i].name);
            error_hint(err, "they lie beside that job's checkpoints: a savepoint ('leat job "
                            "savepoint') waits for them");
            return ERR_USAGE;
        }
    return OK;
}

static bool came_from(const struct checkpoint *own, const struct checkpoint *savepoint)
{
    return own->parent_epoch == savepoint->epoch &&
           memcmp(own->parent, savepoint->lineage, sizeof(own->parent)) == 0;
}

static enum status refuse_own(const struct engine_job *job, const char *path, struct error *err)
{
    error_set(err, ERR_USAGE,
              "job '%s' has checkpoints in %s that did not come from the savepoint %s",
              job->plan->job_name, checkpoint_store_directory(job->store), path);
    error_hint(err, "it goes on from them without --from; --again forgets them and begins from the "
                    "savepoint; another --data keeps both");
    return ERR_USAGE;
}

static bool is_own_directory(const struct engine_job *job, const char *directory)
{
    char own[PATH_BYTES_MAX], other[PATH_BYTES_MAX];
    path_absolute(checkpoint_store_directory(job->store), own, sizeof(own));
    path_absolute(directory, other, sizeof(other));
    return strcmp(own, other) == 0;
}

static enum status take_up(struct engine_job *job, const struct checkpoint *from, const char *path,
                           const char *directory, struct error *err)
{
    if (job->from && came_from(job->from, from))
        return OK; /* it was, by an earlier run */
    TRY(check_savepoint(job, from, path, err));
    if (is_own_directory(job, directory))
        return error_set(err, ERR_USAGE, "%s is where the job keeps its checkpoints: copy it first",
                         directory);
    if (job->from) {
        if (!job->engine->config.checkpoints.again)
            return refuse_own(job, path, err);
        TRY(recovery_begin_anew(job, err));
        job->checkpoints.parent = NULL;
    }
    TRY(checkpoint_copy_in(job->store, from, directory, err));
    return recovery_load(job, err);
}

/* The next --from that is a savepoint of the job: its number, and what is in it. -1: none. */
static enum status find_given(struct engine_job *job, int *number, struct checkpoint **from,
                              char *directory, struct error *err)
{
    struct engine *engine = job->engine;
    const char *const *paths = engine->config.checkpoints.from;
    *number = -1;
    for (int i = 0; paths && paths[i] && i < SAVEPOINTS_MAX && *number < 0; i++) {
        mutex_lock(&engine->mutex);
        bool used = engine->savepoints_used[i];
        mutex_unlock(&engine->mutex);
        if (used)
            continue;
        TRY(checkpoint_load(job->context.io, paths[i], from, directory, PATH_BYTES_MAX, err));
        if (strcmp((*from)->job_name, job->checkpoints.job_name) == 0) {
            *number = i;
            return OK;
        }
        checkpoint_free(*from);
        *from = NULL;
    }
    return OK;
}

enum status savepoint_take_up(const struct session *session, struct engine_job *job,
                              struct error *err)
{
    struct engine *engine = job->engine;
    const char *path = session->settings.savepoint_path;
    char directory[PATH_BYTES_MAX];
    struct checkpoint *from = NULL;
    int number = -1;
    if (path)
        TRY(checkpoint_load(job->context.io, path, &from, directory, sizeof(directory), err));
    else
        TRY(find_given(job, &number, &from, directory, err));
    if (!from)
        return OK;
    if (number >= 0)
        path = engine->config.checkpoints.from[number];
    enum status status = take_up(job, from, path, directory, err);
    checkpoint_free(from);
    if (status == OK && number >= 0) {
        mutex_lock(&engine->mutex);
        engine->savepoints_used[number] = true;
        mutex_unlock(&engine->mutex);
    }
    return status;
}

const char *engine_savepoint_unused(struct engine *engine)
{
    const char *const *paths = engine->config.checkpoints.from;
    const char *unused = NULL;
    mutex_lock(&engine->mutex);
    for (int i = 0; paths && paths[i] && i < SAVEPOINTS_MAX && !unused; i++)
        if (!engine->savepoints_used[i])
            unused = paths[i];
    mutex_unlock(&engine->mutex);
    return unused;
}
