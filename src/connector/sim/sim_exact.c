/* sim_exact.c - the committer of sim sinks: rows come from the sink's log on the (simulated) disk,
 * captures and ledgers are the target, which no crash takes away.
 */
#include "base/must.h"
#include "connector/sim/sim_int.h"

struct sink_committer {
    struct sim_exact *exact;
    struct buf rows;
};

/* Under the world's mutex; NULL: none yet, or no memory. */
static struct sim_ledger *find_ledger(const char *sink_id)
{
    struct sim_ledger *ledger = sim_world.ledgers;
    while (ledger && strcmp(ledger->sink_id, sink_id) != 0)
        ledger = ledger->next;
    return ledger;
}

static struct sim_ledger *make_ledger(const char *sink_id)
{
    struct sim_ledger *ledger = ARENA_NEW(&sim_world.arena, struct sim_ledger);
    if (!ledger)
        return NULL;
    ledger->sink_id = arena_strndup(&sim_world.arena, sink_id, strlen(sink_id));
    if (!ledger->sink_id)
        return NULL;
    ledger->next = sim_world.ledgers;
    return sim_world.ledgers = ledger;
}

enum status sim_committer_open(struct sim_exact *exact, struct sink_committer **out,
                               struct error *err)
{
    struct sink_committer *committer = mem_calloc(1, sizeof(*committer));
    if (!committer)
        return error_memory(err, "connector 'sim'", sizeof(*committer));
    committer->exact = exact;
    buf_init(&committer->rows, SIM_TEXT_MAX);
    *out = committer;
    return OK;
}

void sim_committer_close(struct sink_committer *committer)
{
    buf_fini(&committer->rows);
    mem_free(committer);
}

static enum status fenced(struct error *err)
{
    error_set(err, ERR_FENCED, "another has taken the sim table over");
    if (err)
        err->fatal = true;
    return ERR_FENCED;
}

enum status sim_committer_ledger(struct sink_committer *committer, struct sink_ledger *out,
                                 struct error *err)
{
    struct sim_exact *exact = committer->exact;
    enum status status = OK;
    mutex_lock(&sim_world.mutex);
    struct sim_ledger *ledger = find_ledger(exact->sink_id);
    *out = ledger ? ledger->ledger : (struct sink_ledger){0};
    if (ledger && !exact->fence)
        exact->fence = ++ledger->fence;
    else if (ledger && exact->fence != ledger->fence)
        status = fenced(err);
    mutex_unlock(&sim_world.mutex);
    return status;
}

static bool same(const struct sink_ledger *a, const struct sink_ledger *b)
{
    return a->found == b->found && memcmp(a->lineage, b->lineage, sizeof(a->lineage)) == 0 &&
           a->position.epoch == b->position.epoch && a->position.chunk == b->position.chunk;
}

static enum status apply(struct sink_committer *committer, const struct sink_commit *commit,
                         struct error *err)
{
    struct sim_exact *exact = committer->exact;
    struct sim_capture *capture = sim_capture_of(exact->table);
    if (!capture)
        return error_memory(err, "captured rows", sizeof(*capture));
    struct sim_ledger *ledger = find_ledger(exact->sink_id);
    const struct sink_ledger none = {0};
    if (!same(&commit->before, ledger ? &ledger->ledger : &none) ||
        (ledger && ledger->fence != exact->fence))
        return fenced(err);
    if (!ledger)
        ledger = make_ledger(exact->sink_id);
    if (!ledger)
        return error_memory(err, "connector 'sim'", sizeof(*ledger));
    TRY(sim_capture_rows(capture, committer->rows.data, committer->rows.length, err));
    if (!ledger->ledger.found)
        exact->fence = ledger->fence = 1;
    ledger->ledger = commit->after;
    return OK;
}

enum status sim_committer_commit(struct sink_committer *committer, const struct sink_commit *commit,
                                 struct error *err)
{
    buf_clear(&committer->rows);
    for (uint32_t i = 0; i < commit->count; i++)
        TRY(sink_log_read(committer->exact->log, &commit->committables[i], &committer->rows, err));
    mutex_lock(&sim_world.mutex);
    enum status status = apply(committer, commit, err);
    mutex_unlock(&sim_world.mutex);
    return status;
}

void sim_committer_forget(struct sink_committer *committer,
                          const struct sink_committable *committable)
{
    sink_log_forget(committer->exact->log, committable);
}
