/* group_changes.h - the output side of a group aggregation: old and new results of the touched
 * groups become rows of a changelog.
 *
 * A round: start, touch each group once, before (old results), after (new results; rows to emit).
 * Rows gather over rounds and leave as batches when full and with emit.
 */
#ifndef LEAT_OPERATOR_GROUP_CHANGES_H
#define LEAT_OPERATOR_GROUP_CHANGES_H

#include "operator/aggregate_calls.h"

struct group_changes {
    struct operator* op;
    const struct aggregate_calls *calls;
    uint32_t touched_count;
    uint8_t *touched[BATCH_ROWS_MAX];   /* state rows in first-touch order */
    uint16_t first_row[BATCH_ROWS_MAX]; /* of the batch: where the key is */
    bool was_there[BATCH_ROWS_MAX], is_there[BATCH_ROWS_MAX];
    /* by call: old results of the touched groups that were there, then new ones of those that are
     */
    struct vec **results;
    uint32_t old_count;
    uint8_t *old_groups[BATCH_ROWS_MAX], *new_groups[BATCH_ROWS_MAX];
    bool differs[BATCH_ROWS_MAX];
    /* rows to be added to the output: key's row in the batch, result's place, kind */
    uint32_t pending;
    uint16_t key_rows[2 * BATCH_ROWS_MAX], places[2 * BATCH_ROWS_MAX];
    uint8_t pending_kinds[2 * BATCH_ROWS_MAX];
    /* the output batch being built */
    uint32_t out_count;
    struct vec **out;
    uint8_t kinds[BATCH_ROWS_MAX];
};

enum status group_changes_init(struct group_changes *changes, struct operator* op,
                               const struct aggregate_calls *calls,
                               struct error *err) STATUS_CHECKED;
void group_changes_fini(struct group_changes *changes);

static inline void group_changes_start(struct group_changes *changes)
{
    changes->touched_count = 0;
}
static inline void group_changes_touch(struct group_changes *changes, uint8_t *group, uint32_t row,
                                       bool was_there)
{
    changes->touched[changes->touched_count] = group;
    changes->first_row[changes->touched_count] = (uint16_t)row;
    changes->was_there[changes->touched_count++] = was_there;
}
/* Takes the results that were emitted last. */
enum status group_changes_before(struct group_changes *changes, struct error *err) STATUS_CHECKED;
/* is_there is set for every touched group. Keys are read from the batch. */
enum status group_changes_after(struct group_changes *changes, const struct batch *batch,
                                struct error *err) STATUS_CHECKED;
/* LOCAL: one +I a touched group, with all accumulators as BYTES. */
enum status group_changes_partials(struct group_changes *changes, const struct batch *batch,
                                   struct error *err) STATUS_CHECKED;
/* Sends what has gathered. */
enum status group_changes_emit(struct group_changes *changes, struct error *err) STATUS_CHECKED;

#endif
