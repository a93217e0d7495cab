/* committer_judge.c - does what the target says of a sink fit what the checkpoint says of it?
 *
 * The ledger goes through known -> (entry) -> (entry) ..., so a ledger that fits stands at one of
 * these positions, under the lineage that was known or one that the entries were prepared in.
 * Positions need not have been transactions' ends: how entries are grouped may differ from run to
 * run.
 */
#include "operator/committer_int.h"

#include <inttypes.h>
#include <stdio.h>

struct sink_position committer_next(const struct sink_position *before,
                                    const struct committer_entry *entry)
{
    return (struct sink_position){
        .epoch = entry->epoch,
        .chunk = entry->epoch == before->epoch ? before->chunk + 1 : 1,
        .row_count = before->row_count + entry->committable.row_count,
    };
}

static bool same_lineage(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, SINK_LINEAGE_BYTES) == 0;
}

static bool is_behind(const struct sink_position *a, const struct sink_position *b)
{
    return a->epoch != b->epoch ? a->epoch < b->epoch : a->chunk < b->chunk;
}

static bool is_own(const struct committer *committer, const uint8_t *lineage)
{
    const struct committer_request *request = &committer->request;
    const struct sink_ledger *known = &committer->state.known;
    return (known->found && same_lineage(lineage, known->lineage)) ||
           (request->from_epoch && same_lineage(lineage, request->from_lineage)) ||
           same_lineage(lineage, request->lineage);
}

/* The job has not written to the sink in this history of it: may it begin behind another's rows?
 * Upserts may, for they replace them; so may who was asked to run the job anew. */
static bool may_take_over(const struct committer *committer, const struct sink_ledger *ledger)
{
    static const uint8_t none[SINK_LINEAGE_BYTES];
    const struct committer_request *request = &committer->request;
    return ledger->position.epoch == 0 || request->mode == SINK_UPSERT ||
           request->accept_duplicates ||
           (!same_lineage(request->parent, none) && same_lineage(request->parent, ledger->lineage));
}

static const char *lineage_text(const uint8_t *lineage, char dest[2 * SINK_LINEAGE_BYTES + 1])
{
    for (int i = 0; i < SINK_LINEAGE_BYTES; i++)
        snprintf(dest + 2 * i, 3, "%02x", lineage[i]);
    return dest;
}

static enum status refuse(struct error *err, const char *hint)
{
    error_hint(err, "%s", hint);
    if (err)
        err->fatal = true;
    return ERR_SEQUENCE;
}

static enum status refuse_other(const struct sink_ledger *ledger, struct error *err)
{
    char text[2 * SINK_LINEAGE_BYTES + 1];
    error_set(err, ERR_SEQUENCE,
              "it has %" PRIu64 " rows of another history of this job (lineage %s, up to its "
              "checkpoint %" PRIu64 "), and rows of this one would come beside them",
              ledger->position.row_count, lineage_text(ledger->lineage, text),
              ledger->position.epoch);
    return refuse(err, "empty or drop the table and its row in the ledger, go on from that "
                       "history's data directory, or give --accept-duplicates");
}

static enum status refuse_ahead(const struct committer *committer,
                                const struct sink_position *ledger, const struct sink_position *end,
                                struct error *err)
{
    error_set(err, ERR_SEQUENCE,
              "it has been committed up to checkpoint %" PRIu64
              ", and the job goes on from checkpoint %" PRIu64 ": %" PRIu64
              " rows or more would come twice",
              ledger->epoch, committer->request.from_epoch, ledger->row_count - end->row_count);
    return refuse(err, "--accept-duplicates goes on all the same");
}

static enum status refuse_lost(const struct committer *committer, const char *what,
                               struct error *err)
{
    error_set(err, ERR_SEQUENCE,
              "it has been committed up to checkpoint %" PRIu64 " (%" PRIu64
              " rows), but the target %s: rows are lost",
              committer->state.known.position.epoch, committer->state.known.position.row_count,
              what);
    return refuse(err, "bring the target back as it was, or begin anew: remove the job's "
                       "checkpoints and what is left of the table");
}

enum status committer_judge(const struct committer *committer, const struct sink_ledger *ledger,
                            uint32_t *applied, struct error *err)
{
    const struct committer_state *state = &committer->state;
    struct sink_position position = state->known.position;
    bool own = is_own(committer, ledger->lineage);
    *applied = 0;
    if (!ledger->found)
        return state->known.found ? refuse_lost(committer, "does not know the sink any more", err)
                                  : OK;
    for (uint32_t i = 0; own; i++) {
        if (position.epoch == ledger->position.epoch && position.chunk == ledger->position.chunk) {
            *applied = i;
            return OK;
        }
        if (i == state->count || state->entries[i].epoch > committer->released_epoch)
            break;
        position = committer_next(&position, &state->entries[i]);
    }
    if (!own)
        return (state->known.found ? committer->request.accept_duplicates
                                   : may_take_over(committer, ledger))
                   ? OK
                   : refuse_other(ledger, err);
    if (is_behind(&ledger->position, &position))
        return refuse_lost(committer, "stands at an earlier one", err);
    if (!committer->request.accept_duplicates)
        return refuse_ahead(committer, &ledger->position, &position, err);
    while (*applied < state->count && state->entries[*applied].epoch <= committer->released_epoch)
        (*applied)++;
    return OK;
}
