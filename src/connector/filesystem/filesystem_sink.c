/* filesystem_sink.c - the filesystem sink: parts of whole rows that are seen whole (contracts.md
 * rule 25).
 *
 * With checkpoints each row is there exactly once: writers hand over the parts of an epoch, and
 * once its checkpoint exists the committer gives them their names, then moves the ledger. Naming a
 * part twice does nothing, so a commit that was cut off is done again. Without checkpoints a writer
 * names its parts when its input has ended, and a run that does not finish takes them away.
 */
#include "connector/filesystem/filesystem_sink.h"

#include <stdio.h>

#define NAME_BYTES_MAX 100 /* of a part, hidden */

struct sink_committer {
    struct sink *sink;
};

static enum status sink_mode(const struct table_description *table, enum sink_mode *out,
                             struct error *err)
{
    *out = SINK_APPEND;
    return OK;
}

static enum status sink_guarantee(const struct table_description *table, enum sink_guarantee *out,
                                  struct error *err)
{
    *out = SINK_ASKS_CHECKPOINTED;
    return OK;
}

static void sink_close(struct sink *sink)
{
    mem_free(sink->id);
    arena_fini(&sink->arena);
    mem_free(sink);
}

static enum status fill(struct sink *sink, const struct sink_request *request, struct error *err)
{
    TRY(filesystem_parse(request->table, request->context, &sink->options, &sink->arena, err));
    if (!request->format || !request->format->encoder_open)
        return error_set(err, ERR_UNSUPPORTED, "table %s: the format cannot write",
                         request->table->name);
    if (strlen(sink->options.path) + NAME_BYTES_MAX >= PART_PATH_BYTES)
        return error_set(err, ERR_LIMIT, "the path '%.100s...' is too long", sink->options.path);
    sink->io = request->context->io;
    sink->pool = request->context->io_pool;
    sink->format = request->format;
    sink->table = *request->table;
    sink->format_options = request->format_options;
    sink->format_option_count = request->format_option_count;
    sink->context = request->context;
    sink->owner = request->owner;
    sink->exactly_once = request->delivery == SINK_EXACTLY_ONCE;
    uint64_t run[2];
    io_random(sink->io, run, sizeof(run));
    snprintf(sink->run, sizeof(sink->run), "%016llx%016llx", (unsigned long long)run[0],
             (unsigned long long)run[1]);
    return OK;
}

static enum status take_over(struct sink *sink, const struct sink_request *request,
                             struct error *err)
{
    bool marked = true;
    size_t id_bytes = strlen(request->sink_id) + 1;
    sink->id = mem_alloc(id_bytes);
    if (!sink->id)
        return error_memory(err, "connector 'filesystem'", id_bytes);
    memcpy(sink->id, request->sink_id, id_bytes);
    if (request->is_gone)
        TRY(ledger_exists(sink, &marked, err));
    if (!marked) {
        *request->is_gone = true;
        return OK;
    }
    TRY(io_make_directories(sink->io, sink->options.path, err));
    return parts_take_over(sink, request, err);
}

static enum status sink_open(const struct sink_request *request, struct sink **out,
                             struct error *err)
{
    struct sink *sink = mem_calloc(1, sizeof(*sink));
    if (!sink)
        return error_memory(err, "connector 'filesystem'", sizeof(*sink));
    arena_init(&sink->arena, NULL, FILESYSTEM_OPTIONS_MAX);
    enum status status = fill(sink, request, err);
    if (status == OK && sink->exactly_once)
        status = take_over(sink, request, err);
    else if (status == OK)
        status = io_make_directories(sink->io, sink->options.path, err);
    if (status != OK) {
        sink_close(sink);
        return status;
    }
    *out = sink;
    return OK;
}

/* ---- the committer ---- */

static enum status committer_open(struct sink *sink, struct sink_committer **out, struct error *err)
{
    struct sink_committer *committer = mem_calloc(1, sizeof(*committer));
    if (!committer)
        return error_memory(err, "connector 'filesystem'", sizeof(*committer));
    committer->sink = sink;
    *out = committer;
    return OK;
}

static bool same_directory(const char *a, const char *b)
{
    size_t length = (size_t)(strrchr(a, '/') - a) + 1;
    return strncmp(a, b, length) == 0 && !strchr(b + length, '/');
}

/* Parts of several directories: the table had another path when they were prepared. */
static enum status name_all(struct sink *sink, const struct sink_commit *commit, struct error *err)
{
    char path[PART_PATH_BYTES], last[PART_PATH_BYTES] = "";
    for (uint32_t i = 0; i < commit->count; i++) {
        TRY(part_decode(commit->committables[i].bytes, path, err));
        if (i > 0 && !same_directory(last, path))
            TRY(io_sync_parent(sink->io, last, err));
        TRY(part_publish(sink, path, err));
        memcpy(last, path, sizeof(last));
    }
    return commit->count ? io_sync_parent(sink->io, last, err) : OK;
}

/* The disk may be well again. */
static enum status may_pass(enum status status, struct error *err)
{
    if (err && status != OK && status != ERR_CORRUPT && status != ERR_FENCED)
        err->retriable = true;
    return status;
}

static enum status ledger(struct sink_committer *committer, struct sink_ledger *out,
                          struct error *err)
{
    return may_pass(ledger_take(committer->sink, out, err), err);
}

static enum status commit(struct sink_committer *committer, const struct sink_commit *commit,
                          struct error *err)
{
    enum status status = ledger_is(committer->sink, &commit->before, err);
    if (status == OK)
        status = name_all(committer->sink, commit, err);
    if (status == OK) /* never ahead of the parts */
        status = ledger_move(committer->sink, &commit->after, err);
    return may_pass(status, err);
}

static void committer_close(struct sink_committer *committer)
{
    mem_free(committer);
}

const struct sink_class FILESYSTEM_SINK = {
    .size = sizeof(struct sink_class),
    .needs_format = true,
    .mode = sink_mode,
    .guarantee = sink_guarantee,
    .open = sink_open,
    .writer_open = filesystem_writer_open,
    .write = filesystem_write,
    .flush = filesystem_flush,
    .finish = filesystem_finish,
    .prepare = filesystem_prepare,
    .why = filesystem_writer_why,
    .writer_close = filesystem_writer_close,
    .close = sink_close,
    .committer_open = committer_open,
    .ledger = ledger,
    .commit = commit,
    .committer_close = committer_close,
};
