/* recovery.c - what a job that is started goes on from: the newest checkpoint under its name, when
 * the statement's state still fits it.
 *
 * A job without end has checkpoints always; one with an end where the process was given a data
 * directory, or the interval was set: a small run leaves nothing behind. One that has finished is
 * not run again, unless its statement has become another or the user says so.
 *
 *   DATA/checkpoints/NAME/   NAME: the job's name, other letters than [A-Za-z0-9._-] as %XX; the
 *                            second job of a run under a name has "~2" behind it
 *
 * State is matched by name (contracts.md rule 16). What does not fit is listed, and the job refused
 * unless the user allows it: nothing is lost in silence.
 */
#include "engine/engine_int.h"

#include <stdio.h>

#include "base/hash.h"
#include "os/logger.h"
#include "os/path.h"
#include "operator/committer.h"
#include "state/checkpoint.h"

#define NAME_BYTES_MAX 200 /* of a file; longer ones end in a hash */
#define LIST_BYTES_MAX 4096

/* ---- the directory ---- */

static enum status count_name(struct engine *engine, const char *name, uint32_t *ordinal,
                              struct error *err)
{
    size_t length = strlen(name);
    enum status status = OK;
    mutex_lock(&engine->mutex);
    struct job_name *one = engine->job_names;
    while (one && strcmp(one->name, name) != 0)
        one = one->next;
    if (!one) {
        one = mem_calloc(1, sizeof(*one) + length + 1);
        if (one) {
            memcpy(one->name, name, length);
            one->next = engine->job_names;
            engine->job_names = one;
        } else {
            status = error_memory(err, "a job's name", length);
        }
    }
    if (one)
        *ordinal = ++one->count;
    mutex_unlock(&engine->mutex);
    return status;
}

void recovery_put_name(struct buf *out, const char *name, uint32_t ordinal)
{
    size_t first = out->length;
    for (const char *at = name; *at; at++) {
        bool plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                     (*at >= '0' && *at <= '9') || strchr("_-", *at) || (*at == '.' && at != name);
        if (plain)
            buf_append_byte(out, (uint8_t)*at);
        else
            buf_printf(out, "%%%02X", (unsigned)(uint8_t)*at);
    }
    if (out->length - first > NAME_BYTES_MAX) {
        out->length = first + NAME_BYTES_MAX;
        buf_printf(out, "%%%016llx", (unsigned long long)hash_bytes(name, strlen(name)));
    }
    if (ordinal > 1)
        buf_printf(out, "~%u", ordinal);
}

static enum status open_at(const struct engine_job *job, const char *directory,
                           struct checkpoint_store **out, struct error *err)
{
    struct engine *engine = job->engine;
    TRY(checkpoint_store_open(out, engine->config.context->io, directory, &engine->owner, err));
    checkpoint_store_retain(*out, job->retained);
    return OK;
}

static enum status open_store(struct engine_job *job, const char *data, struct error *err)
{
    struct engine *engine = job->engine;
    const char *name = job->plan->job_name;
    struct buf path;
    TRY(count_name(engine, name, &job->ordinal, err));
    job->checkpoints.job_name =
        job->ordinal == 1 ? name : arena_printf(&job->arena, "%s~%u", name, job->ordinal);
    TRY(arena_check(&job->arena, "a job", err));
    buf_init(&path, LIST_BYTES_MAX);
    buf_printf(&path, "%s/checkpoints/", data);
    recovery_put_name(&path, name, job->ordinal);
    enum status status = buf_check(&path, "the path of a job's checkpoints", err);
    if (status == OK)
        status = open_at(job, buf_text(&path), &job->store, err);
    buf_fini(&path);
    return status;
}

/* ---- does it fit? ---- */

static const struct plan_node *find_node(const struct plan *plan, const char *state_name)
{
    for (uint32_t n = 0; n < plan->node_count; n++)
        if (plan->nodes[n]->state_name && strcmp(plan->nodes[n]->state_name, state_name) == 0)
            return plan->nodes[n];
    return NULL;
}

static bool is_sink(const struct checkpoint_operator *old)
{
    return strncmp(old->shape, "sink ", 5) == 0;
}

bool recovery_is_settled(const struct checkpoint_operator *old)
{
    struct committer_state state = {0};
    bool settled = true;
    if (is_sink(old) && old->blob_count > 0)
        settled =
            committer_state_load(&state, old->blobs[0].data, old->blobs[0].length, NULL) == OK &&
            state.count == 0;
    committer_state_fini(&state);
    return settled;
}

/* What would be lost or mean something else, one a line. */
static void list_differences(struct buf *out, const struct plan *plan,
                             const struct checkpoint *from)
{
    for (uint32_t i = 0; i < from->operator_count; i++) {
        const struct checkpoint_operator *old = &from->operators[i];
        const struct plan_node *node = find_node(plan, old->name);
        const char *what = NULL;
        if (is_sink(old) && recovery_is_settled(old)) /* nothing of it can be lost */
            continue;
        if (!node)
            what = "is not part of the statement any more: it would be left behind";
        else if (strcmp(node->state_shape, old->shape) != 0)
            what = "has other keys, calls or columns: it would begin empty";
        else if (strcmp(node->state_upstream, old->upstream) != 0)
            what = "was made from what the statement read then, and it reads something else now";
        if (what)
            buf_printf(out, "%s%s %s", out->length ? "; " : "", old->name, what);
    }
    for (uint32_t n = 0; n < plan->node_count; n++) {
        const char *name = plan->nodes[n]->state_name;
        if (name && plan->nodes[n]->op != PLAN_SINK && !checkpoint_find(from, name))
            buf_printf(out, "%s%s is new: it would begin empty", out->length ? "; " : "", name);
    }
}

static enum status check_fit(const struct engine_job *job, struct error *err)
{
    struct buf list;
    buf_init(&list, LIST_BYTES_MAX);
    list_differences(&list, job->plan, job->from);
    enum status status = OK;
    if (list.failed && !list.over_limit)
        status = buf_check(&list, "a list of differences", err);
    else if (list.length && !job->engine->config.checkpoints.allow_changed_query) {
        status = error_set(err, ERR_USAGE, "job '%s' has a checkpoint of another statement: %s",
                           job->plan->job_name, buf_text(&list));
        error_hint(err,
                   "--allow-changed-query goes on with what fits; without the state: remove "
                   "%s",
                   checkpoint_store_directory(job->store));
    } else if (list.length) {
        logger_write(LOG_WARN, "job", "job '%s' goes on with a changed statement: %s",
                     job->plan->job_name, buf_text(&list));
    }
    buf_fini(&list);
    return status;
}

/* ---- open ---- */

/* The directory without what was in it; what comes then has the old lineage as its parent. */
enum status recovery_begin_anew(struct engine_job *job, struct error *err)
{
    struct engine *engine = job->engine;
    struct io *io = engine->config.context->io;
    struct checkpoint_store *store = job->store;
    job->store = NULL;
    memcpy(job->parent, job->from->lineage, sizeof(job->parent));
    job->checkpoints.parent = job->parent;
    checkpoint_free(job->from);
    job->from = NULL;
    enum status status = io_remove_tree(io, checkpoint_store_directory(store), err);
    if (status == OK)
        status = open_at(job, checkpoint_store_directory(store), &job->store, err);
    checkpoint_store_close(store);
    return status;
}

enum status recovery_rebuild(struct engine_job *job, struct error *err)
{
    const struct plan *plan = job->plan;
    struct error gone = *err;
    for (uint32_t i = 0; i < plan->root_count; i++) {
        const struct plan_node *root = plan->roots[i];
        if (root->op == PLAN_SINK && root->sink.on_reset == SINK_REBUILD)
            continue;
        error_hint(err,
                   "rows that were written to a table without a primary key cannot be told "
                   "from those still to come: to begin anew, remove %s",
                   checkpoint_store_directory(job->store));
        return err->code;
    }
    error_clear(err);
    logger_write(LOG_WARN, "job",
                 "job '%s': %s: it begins anew and reads its inputs from their start",
                 plan->job_name, gone.text);
    TRY(recovery_begin_anew(job, err));
    job->checkpoints.store = job->store;
    job->checkpoints.from = NULL;
    return OK;
}

enum status recovery_load(struct engine_job *job, struct error *err)
{
    struct buf damage;
    buf_init(&damage, LIST_BYTES_MAX);
    enum status status = checkpoint_store_load(job->store, &job->from, &damage, err);
    if (status == OK && damage.length) {
        memcpy(job->parent, job->from->lineage, sizeof(job->parent));
        job->checkpoints.parent = job->parent;
    }
    if (status == OK && damage.length)
        logger_write(LOG_WARN, "checkpoint", "job '%s': %s; it goes on from checkpoint %llu",
                     job->plan->job_name, buf_text(&damage), (unsigned long long)job->from->epoch);
    buf_fini(&damage);
    return status;
}

/* NULL: the job has no checkpoints. */
static enum status find_data(const struct session *session, const struct engine_job *job,
                             const char **out, struct error *err)
{
    const struct engine_checkpoints *config = &job->engine->config.checkpoints;
    *out = NULL;
    if (!config->directory || !session->settings.checkpoint_interval_ms ||
        job->statement.kind != STATEMENT_INSERT)
        return OK;
    bool needed = !job->plan->bounded || session_was_set(session, CHECKPOINT_INTERVAL) ||
                  config->from || session->settings.savepoint_path;
    enum status status = config->directory(config->context, needed, out, err);
    if (status == ERR_LOCKED)
        error_hint(err, "another leat works on this data directory: give a different --data, or "
                        "SET '" CHECKPOINT_INTERVAL "' = '0 ms' to run without checkpoints");
    return status;
}

static enum status keep_savepoint_directory(const struct session *session, struct engine_job *job,
                                            const char *data, struct error *err)
{
    const char *set = session->settings.savepoint_directory;
    char absolute[LIST_BYTES_MAX]; /* for who is told of it, and may work somewhere else */
    path_absolute(data, absolute, sizeof(absolute));
    job->savepoint_directory = set ? arena_strndup(&job->arena, set, strlen(set))
                                   : arena_printf(&job->arena, "%s/savepoints", absolute);
    return arena_check(&job->arena, "a job", err);
}

static bool is_same_statement(const struct engine_job *job)
{
    return strcmp(job->from->statement, job->plan->fingerprint) == 0;
}

enum status recovery_open(struct session *session, struct engine_job *job, bool *finished,
                          struct error *err)
{
    const char *data;
    TRY(find_data(session, job, &data, err));
    if (!data && session->settings.savepoint_path)
        return error_set(err, ERR_OPTION,
                         "job '%s' has no checkpoints, and cannot go on from a savepoint",
                         job->plan->job_name);
    if (!data)
        return OK;
    job->retained = (uint32_t)session->settings.retained;
    TRY(open_store(job, data, err));
    TRY(recovery_load(job, err));
    TRY(keep_savepoint_directory(session, job, data, err));
    TRY(savepoint_take_up(session, job, err));
    if (job->from && job->from->end == CHECKPOINT_FINISHED) {
        *finished = is_same_statement(job) && !job->engine->config.checkpoints.again &&
                    !session->sql.restricted; /* who asks over HTTP asks anew */
        if (*finished)
            return OK;
        TRY(recovery_begin_anew(job, err));
    }
    if (job->from) {
        TRY(check_fit(job, err));
        logger_write(LOG_DEBUG, "checkpoint", "job '%s' goes on from checkpoint %llu",
                     job->plan->job_name, (unsigned long long)job->from->epoch);
    }
    job->checkpoints.store = job->store;
    job->checkpoints.from = job->from;
    job->checkpoints.interval_us = session->settings.checkpoint_interval_ms * US_PER_MS;
    job->checkpoints.accept_duplicates = job->engine->config.checkpoints.accept_duplicates;
    return OK;
}

enum status recovery_again(struct engine_job *job, struct error *err)
{
    struct checkpoint_store *store = NULL, *before = job->store;
    if (!before)
        return OK;
    TRY(open_at(job, checkpoint_store_directory(before), &store, err));
    checkpoint_store_close(before);
    checkpoint_free(job->from);
    job->from = NULL;
    job->store = job->checkpoints.store = store;
    enum status status = recovery_load(job, err);
    job->checkpoints.from = job->from;
    if (job->from) /* its own: the history goes on */
        job->checkpoints.parent = NULL;
    return status;
}

void recovery_close(struct engine_job *job)
{
    checkpoint_store_close(job->store);
    checkpoint_free(job->from);
    job->store = NULL;
    job->from = NULL;
}
