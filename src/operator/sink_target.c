/* sink_target.c - opening a sink for all subtasks of its node, with what a checkpoint has of it. */
#include "operator/sink_target.h"

#include <inttypes.h>

#include "base/hash.h"

#define SINK_ID_MAX 4096

/* What the checkpoint has of the sink; a job that begins, and a new sink, have nothing. */
static enum status load_state(const struct operator* op, struct committer_state *state,
                              struct error *err)
{
    const struct operator_restore *restore = op->restore;
    if (!restore || restore->from->blob_count == 0)
        return OK;
    const struct str *blob = &restore->from->blobs[0];
    enum status status = committer_state_load(state, blob->data, blob->length, err);
    if (status != OK)
        error_prefix(err, "table %s", op->node->sink.table->full_name);
    return status;
}

static enum status gone(const struct operator* op, struct error *err)
{
    const struct plan_node *node = op->node;
    if (node->sink.on_reset == SINK_REBUILD)
        return error_set(err, ERR_RESET,
                         "table %s is not there any more, though the job has written it",
                         node->sink.table->full_name);
    error_set(err, ERR_SEQUENCE, "table %s is not there any more, though the job has written it",
              node->sink.table->full_name);
    error_hint(err,
               "rows that were written to a table without a primary key cannot be told from those "
               "still to come: to begin anew, remove %s",
               operator_history(op)->directory);
    if (err)
        err->fatal = true;
    return ERR_SEQUENCE;
}

/* Opens the connector's sink. */
static enum status open_sink(struct operator* op, const struct committer_state *state,
                             const char *log_directory, struct sink **out, struct error *err)
{
    const struct plan_node *node = op->node;
    const struct operator_history *history = operator_history(op);
    bool is_gone = false, exactly = node->sink.delivery == SINK_EXACTLY_ONCE;
    struct str *pending = mem_calloc(state->count + 1, sizeof(*pending));
    if (!pending)
        return error_memory(err, "a sink", state->count * sizeof(*pending));
    for (uint32_t i = 0; i < state->count; i++)
        pending[i] = state->entries[i].committable.bytes;
    struct sink_request request = {
        .table = &node->sink.table->description,
        .format = node->sink.format,
        .format_options = node->sink.format_options,
        .format_option_count = node->sink.format_option_count,
        .mode = node->sink.mode,
        .coalesce = node->sink.coalesce,
        .parallelism = op->parallelism,
        .job_name = operator_job_name(op),
        .context = op->context,
        .owner = op->owner.parent,
        .delivery = node->sink.delivery,
        .sink_id = state->sink_id,
        .lineage = state->sink_id ? history->lineage : NULL,
        .log_directory = exactly ? log_directory : NULL,
        .pending_count = state->count,
        .pending = pending,
        .is_gone = state->known.found ? &is_gone : NULL,
    };
    enum status status = node->sink.connector->sink->open(&request, out, err);
    mem_free(pending);
    if (status != OK || !is_gone)
        return status;
    node->sink.connector->sink->close(*out);
    return gone(op, err);
}

static enum status open_committer(struct operator* op, struct sink_target *target,
                                  struct committer_state *state, struct error *err)
{
    const struct plan_node *node = op->node;
    const struct operator_history *history = operator_history(op);
    struct committer_request request = {
        .class = node->sink.connector->sink,
        .sink = target->sink,
        .mode = node->sink.mode,
        .table_name = node->sink.table->full_name,
        .context = op->context,
        .parallelism = op->parallelism,
        .max_pending_bytes = (uint64_t)node->sink.max_pending_bytes,
        .from_epoch = history->from ? history->from->epoch : 0,
        .accept_duplicates = history->accept_duplicates,
    };
    memcpy(request.lineage, history->lineage, SINK_LINEAGE_BYTES);
    if (history->from)
        memcpy(request.from_lineage, history->from->lineage, SINK_LINEAGE_BYTES);
    if (history->parent)
        memcpy(request.parent, history->parent, SINK_LINEAGE_BYTES);
    enum status status = committer_new(&target->committer, &request, state, err);
    if (status != OK) {
        target->sink = NULL;
        return status;
    }
    operator_commits(op, target->committer);
    return OK;
}

/* A sink keeps the name that it was given first, also where a savepoint has brought it into another
 * directory. */
static enum status name_sink(struct operator* op, struct committer_state *state, struct error *err)
{
    const struct operator_history *history = operator_history(op);
    const char *job = strrchr(history->directory, '/'); /* tells jobs of one name apart */
    struct buf sink_id;
    if (state->sink_id)
        return OK;
    buf_init(&sink_id, SINK_ID_MAX);
    buf_printf(&sink_id, "%s/%s", job ? job + 1 : history->directory, op->node->state_name);
    enum status status = buf_check(&sink_id, "a sink's name", err);
    if (status == OK)
        status = committer_state_name(state, buf_text(&sink_id), err);
    buf_fini(&sink_id);
    return status;
}

/* With checkpoints and more than at least once. */
static enum status open_kept(struct operator* op, struct sink_target *target, struct error *err)
{
    const struct operator_history *history = operator_history(op);
    const char *name = op->node->state_name;
    struct committer_state state = {0};
    struct buf directory;
    buf_init(&directory, SINK_ID_MAX);
    buf_printf(&directory, "%s/sink-%016" PRIx64, history->directory,
               hash_bytes(name, strlen(name)));
    enum status status = buf_check(&directory, "the path of a sink's log", err);
    if (status == OK)
        status = load_state(op, &state, err);
    if (status == OK)
        status = name_sink(op, &state, err);
    if (status == OK)
        status = open_sink(op, &state, buf_text(&directory), &target->sink, err);
    if (status == OK && op->node->sink.delivery == SINK_EXACTLY_ONCE)
        status = open_committer(op, target, &state, err);
    if (status == OK && !target->committer) { /* its marker is there before the next checkpoint */
        target->marked = state;
        target->marked.known.found = true;
        memcpy(target->marked.known.lineage, history->lineage, SINK_LINEAGE_BYTES);
        state = (struct committer_state){0};
    }
    committer_state_fini(&state);
    buf_fini(&directory);
    return status;
}

static enum status open_first(struct operator* op, struct sink_target *target, struct error *err)
{
    const struct committer_state none = {0};
    if (op->node->sink.delivery == SINK_AT_LEAST_ONCE)
        return open_sink(op, &none, NULL, &target->sink, err);
    must(operator_history(op));
    return open_kept(op, target, err);
}

enum status sink_target_open(struct operator* op, struct sink_target **out, struct error *err)
{
    struct sink_target *target = operator_shared(op, sizeof(*target), err);
    if (!target)
        return err->code;
    if (!target->sink)
        TRY(open_first(op, target, err));
    atomic_fetch_add(&target->users, 1);
    *out = target;
    return OK;
}

void sink_target_close(struct operator* op, struct sink_target *target)
{
    struct committer *committer = target->committer;
    if (committer)
        committer_leaves(committer, op->subtask);
    if (atomic_fetch_sub(&target->users, 1) != 1)
        return;
    if (committer)
        committer_unref(committer);
    else
        op->node->sink.connector->sink->close(target->sink);
    committer_state_fini(&target->marked);
}

void sink_target_save(const struct operator* op, const struct sink_target *target, struct buf *out)
{
    if (target->marked.sink_id && op->subtask == 0)
        committer_state_save(&target->marked, 0, out);
}
